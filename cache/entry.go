package cache

import (
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// key is the whole identity of a result.
type key struct {
	hash  uint64
	scope *Scope
	plan  *plan  // of the type of the result
	both  string // the text and the arguments
	split int    // the length of the text
}

// key makes one of its own, that lets go of what the caller's strings may be part of.
func (s *Scope) key(p *plan, k Key) key {
	var both strings.Builder
	both.Grow(len(k.text) + len(k.args))
	both.WriteString(k.text)
	both.WriteString(k.args)
	return key{hash: s.hashOf(p.pointer, k.text, k.args), scope: s, plan: p, both: both.String(), split: len(k.text)}
}

func (k *key) text() string { return k.both[:k.split] }
func (k *key) args() string { return k.both[k.split:] }

// is reports whether it is the key of these parts. pointer is the type's pointer type, as in hashOf.
func (k *key) is(s *Scope, pointer reflect.Type, text, args string) bool {
	return (k.scope == s || k.scope.id == s.id) && k.plan.pointer == pointer && k.text() == text && k.args() == args
}

func (k *key) equals(other *key) bool {
	return k.is(other.scope, other.plan.pointer, other.text(), other.args())
}

func (k *key) info() Info {
	return Info{Scope: k.scope.id, Type: k.plan.typ, Text: k.text(), Args: []byte(k.args())}
}

// never is the time of what never happens.
const never int64 = math.MaxInt64

// entry is a stored result. Once it is stored, only its atomic fields change, and held. Times are those of Cache.now.
//
// All that a hit looks at comes first, in two lines of a processor's cache: most of what a hit costs,
// among many entries, is to get these from memory.
type entry struct {
	key
	links   [2]atomic.Pointer[entry] // to the next in its chain of the table
	sum     atomic.Uint64            // of the epochs, before the load; dropped after it was dropped
	cohort  *cohort                  // with which it ends, if it is of one
	fresh   int64                    // when it expires
	created int64
	wall    int64        // when it ends by the calendar, in Unix nanoseconds; 0: it does not
	value   any          // *T, or nil if there is an error
	heard   atomic.Int32 // how often the engine has heard of a use of it, up to heardEnough

	err   error // instead of a value
	end   int64 // when it can no longer be served stale
	cost  int64
	held  holders // guarded by the table's lock
	again refreshAgain
}

// refreshAgain is when a stale entry is refreshed again.
type refreshAgain struct {
	underWay atomic.Bool
	at       atomic.Int64 // after a failed one
	failures atomic.Int32 // in a row
}

// dropped is no sum of epochs: those count from 0.
const dropped = math.MaxUint64

// drop ends the entry, and reports whether that had not been done before.
func (e *entry) drop() bool { return e.sum.Swap(dropped) != dropped }

// ended reports whether it was dropped, or has ended with an epoch or its cohort.
func (e *entry) ended(s *Scope) bool { return e.sum.Load() != s.sum() || e.cohort.ended() }

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
	if e.ended(s) {
		return miss
	}
	if e.fresh == never && ttl == Forever && e.wall == 0 && e.value != nil && p.Expires.IsZero() {
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
	if e.value == nil {
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
	return e.ended(e.scope) || int64(now.Sub(c.start)) >= e.end || e.wall != 0 && now.UnixNano() >= e.wall
}

// later is t+d, or never. t is negative for what is older than the cache.
func later(t int64, d time.Duration) int64 {
	if int64(d) > never-max(t, 0) {
		return never
	}
	return t + int64(d)
}
