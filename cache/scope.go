package cache

import (
	"hash/maphash"
	"math/bits"
	"reflect"
	"sync/atomic"
)

// Scope is where results of one kind or owner live in a [Cache]: the reads of a connection as one
// identity, for instance. Make it once, with [Cache.Scope], and keep it. It is safe for
// concurrent use.
type Scope struct {
	cache    *Cache
	id       string
	hash     uint64
	epochs   []*Epoch
	counters *Counters
	closed   atomic.Bool
	tier     *TierScope // nil: there is none behind it
	own      int        // how many of the epochs are not the tier's
}

// Scope gives the scope of an id. Scopes of one id share their results, and must be made with the
// same epochs; results of different ids never meet. Bumping one of the epochs ends
// the results. Hits and loads are counted in counters as well as in the cache's own; nil is allowed.
func (c *Cache) Scope(id string, counters *Counters, epochs ...*Epoch) *Scope {
	if counters == nil {
		counters = &c.unowned
	}
	return &Scope{cache: c, id: id, hash: maphash.String(scopeSeed, id), epochs: epochs, counters: counters}
}

// Close ends the refreshes that calls with this Scope have begun, and there will be no new
// ones: a stale result counts as missing from now on. Everything else goes on as before, and
// other Scopes of the same id are not concerned. Close does not wait: the refreshes see their contexts
// cancelled. It is idempotent, and the error is always nil.
func (s *Scope) Close() error {
	s.closed.Store(true)
	s.cache.refreshes.cancel(s)
	return nil
}

// sum stands for the state of all epochs that the scope's entries depend on. Since epochs only
// grow, a sum that has not changed means that none of them has.
func (s *Scope) sum() uint64 {
	n := s.cache.epoch.n.Load()
	for _, e := range s.epochs {
		n += e.n.Load()
	}
	return n
}

// ownSum is the sum of the epochs that the second tier knows nothing of.
func (s *Scope) ownSum() uint64 {
	n := s.cache.epoch.n.Load()
	for _, e := range s.epochs[:s.own] {
		n += e.n.Load()
	}
	return n
}

// count counts an event for the cache and for the owner.
func (s *Scope) count(e event) {
	s.cache.counters.tally[e].Add(1)
	s.counters.tally[e].Add(1)
}

var (
	scopeSeed = maphash.MakeSeed()
	keySeed   = maphash.MakeSeed()
)

// hashOf spreads keys; equality is checked by comparing them. pointer is a type's pointer type,
// which is cheaper to come by and says the same.
func (s *Scope) hashOf(pointer reflect.Type, text, args string) uint64 {
	h := mix(s.hash, maphash.String(keySeed, text))
	if len(args) != 0 {
		h = mix(h, maphash.String(keySeed, args))
	}
	return mix(h, uint64(reflect.ValueOf(pointer).Pointer()))
}

// mix joins two hashes. The order matters.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0x9E3779B97F4A7C15, b^0xD1B54A32D192ED03)
	return high ^ low
}
