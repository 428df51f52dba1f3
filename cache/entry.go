package cache

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// key is the whole identity of a result.
type key struct {
	hash    uint64
	scope   *Scope
	pointer reflect.Type // to the type of the result
	text    string
	args    []byte
}

func (s *Scope) key(pointer reflect.Type, k Key) key {
	return key{hash: s.hashOf(pointer, k.text, k.args), scope: s, pointer: pointer, text: k.text, args: k.args}
}

func (k *key) is(s *Scope, pointer reflect.Type, text string, args []byte) bool {
	return k.pointer == pointer && (k.scope == s || k.scope.id == s.id) && k.text == text && bytes.Equal(k.args, args)
}

func (k *key) info() Info {
	return Info{Scope: k.scope.id, Type: k.pointer.Elem(), Text: k.text, Args: k.args}
}

// own lets go of what the caller's strings may be part of.
func (k key) own() key {
	k.text, k.args = strings.Clone(k.text), bytes.Clone(k.args)
	return k
}

// never is the time of what never happens.
const never int64 = math.MaxInt64

// entry is a stored result. Only its last fields ever change. Times are those of Cache.now.
type entry struct {
	key
	sum     uint64 // of the epochs, before the load
	created int64
	fresh   int64 // when it expires
	end     int64 // when it can no longer be served stale
	wall    int64 // when it ends by the calendar, in Unix nanoseconds; 0: it does not

	value any   // *T
	err   error // instead of a value
	plan  *plan
	cost  int64

	cohort *cohort // with which it ends, if it is of one

	gone       atomic.Bool // dropped
	used       atomic.Bool // found in the window
	refreshing atomic.Bool
	retryAt    atomic.Int64 // when a failed refresh may be tried again
	failures   atomic.Int32 // of refreshes, in a row
}

// verdict is what an entry is to a call.
type verdict uint8

const (
	miss verdict = iota
	hit
	stale    // may be served while it is refreshed
	negative // an error
)

// judge tells what the entry is to a call with this TTL. It looks at the clock only if it has to.
func (e *entry) judge(s *Scope, p *Policy, ttl time.Duration) verdict {
	if e.sum != s.sum() || e.gone.Load() || e.cohort.ended() {
		return miss
	}
	if e.fresh == never && ttl == Forever && e.wall == 0 && e.err == nil && p.Expires.IsZero() {
		return hit
	}
	return e.judgeAge(s, p, ttl)
}

func (e *entry) judgeAge(s *Scope, p *Policy, ttl time.Duration) verdict {
	var now int64
	if e.wall != 0 || !p.Expires.IsZero() {
		t := time.Now()
		if e.wall != 0 && t.UnixNano() >= e.wall || !p.Expires.IsZero() && !t.Before(p.Expires) {
			return miss
		}
		now = int64(t.Sub(s.cache.start))
	} else {
		now = s.cache.now()
	}
	if e.err != nil {
		if p.IsNegative != nil && now < min(e.fresh, later(e.created, p.Negative)) {
			return negative
		}
		return miss
	}
	expiry := min(e.fresh, later(e.created, ttl))
	if now < expiry {
		return hit
	}
	if p.Stale > 0 && now < min(e.end, later(expiry, p.Stale)) && !s.closed.Load() {
		return stale
	}
	return miss
}

// dead reports whether nobody can be served the entry any more.
func (e *entry) dead(c *Cache, now time.Time) bool {
	return e.gone.Load() || e.sum != e.scope.sum() || e.cohort.ended() ||
		int64(now.Sub(c.start)) >= e.end || e.wall != 0 && now.UnixNano() >= e.wall
}

// later is t+d, or never. t is negative for what is older than the cache.
func later(t int64, d time.Duration) int64 {
	if int64(d) > never-max(t, 0) {
		return never
	}
	return t + int64(d)
}
