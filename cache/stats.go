package cache

import (
	"sync/atomic"
	"unsafe"
)

// Stats are counts since the beginning, except where they say otherwise.
type Stats struct {
	Hits   uint64 // calls answered from memory, Stale and Negative ones included
	Misses uint64 // calls that found nothing to answer with; each then loads, or joins a load
	Joined uint64 // of these, how many got the outcome of another call's load

	// TierHits counts what was found in the second tier instead of being loaded: see [Tier].
	TierHits uint64

	Loads      uint64 // loads run for the cache, refreshes included; Uncached ones are not
	LoadErrors uint64 // of these, how many failed or panicked

	Stale         uint64 // hits on results that had expired
	Negative      uint64 // hits on errors that are cached as answers
	Refreshes     uint64 // loads in the background, begun because of a stale hit
	RefreshErrors uint64 // of these, how many failed

	// Uncached calls went past the cache: with a TTL of 0, a key without a stable form, a result
	// that cannot be copied, or after Close.
	Uncached uint64
	TooLarge uint64 // results not stored because they cost more than 1/16 of the cache

	Entries  int   // what is stored now; 0 in the Stats of a Counters
	Bytes    int64 // what that costs, by estimate; 0 in the Stats of a Counters
	MaxBytes int64 // what it may cost; 0 in the Stats of a Counters
}

type event int

const (
	eventMiss event = iota
	eventJoin
	eventTierHit
	eventLoad
	eventLoadError
	eventStale
	eventNegative
	eventRefresh
	eventRefreshError
	eventUncached
	eventTooLarge
	events
)

// tally counts what is rare next to hits.
type tally [events]atomic.Uint64

func (t *tally) stats(hits uint64) Stats {
	n := func(e event) uint64 { return t[e].Load() }
	return Stats{
		Hits: hits + n(eventStale) + n(eventNegative), Misses: n(eventMiss), Joined: n(eventJoin), TierHits: n(eventTierHit),
		Loads: n(eventLoad), LoadErrors: n(eventLoadError),
		Stale: n(eventStale), Negative: n(eventNegative),
		Refreshes: n(eventRefresh), RefreshErrors: n(eventRefreshError),
		Uncached: n(eventUncached), TooLarge: n(eventTooLarge),
	}
}

// stripes is the number of cells over which hits are counted, a power of two. With a single one,
// all processors would wait for each other's hits.
const stripes = 32

// stripeOf picks the cell of the calling goroutine. Goroutines have stacks of their own, of at
// least 2 KiB, so that the address of a local variable tells them apart well enough, at no cost. It is
// no more than a hint: any cell is right.
func stripeOf() uintptr {
	var local byte
	return (uintptr(unsafe.Pointer(&local)) >> 11 * 0x9E3779B1 >> 16) % stripes
}

// Counters counts what the scopes that were made with it do, for instance those of one connection
// in a shared cache. The zero value is ready to use. It must not be copied after its first use.
type Counters struct {
	hits  [stripes]padded
	tally tally
}

type padded struct {
	_ [56]byte // cells must not share a cache line with each other, nor with what is before them
	n atomic.Uint64
}

// hit counts one in the calling goroutine's cell, and gives the number of those counted there.
func (c *Counters) hit(stripe uintptr) uint64 { return c.hits[stripe].n.Add(1) }

// Stats gives the counts; it is cheap, and safe at any time.
func (c *Counters) Stats() Stats {
	var hits uint64
	for i := range c.hits {
		hits += c.hits[i].n.Load()
	}
	return c.tally.stats(hits)
}
