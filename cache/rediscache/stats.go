package rediscache

import (
	"sync/atomic"
)

// Statistics counts what a tier has done in this process since it was opened. What its connections have
// in memory is counted by connection.Stats.
type Statistics struct {
	Up bool // Redis is there, and tells of ends

	Hits   uint64 // results found
	Misses uint64 // results looked for in vain
	Stores uint64 // results stored
	Ends   uint64 // ends of epochs by this process: writes, Clear

	Away    uint64 // questions that were not asked, since Redis was away, or did not know yet of a write of this process
	Errors  uint64 // of Redis, timeouts included
	Full    uint64 // results not stored since Redis had no room
	Foreign uint64 // of Misses: what was stored was no entry of ours, or was changed

	TooLarge uint64 // results not stored because of max_bytes
	Local    uint64 // results that stay in this process, since other processes cannot name or read them

	LeaseWaits    uint64 // reads that have waited for another process to load
	LeaseTimeouts uint64 // of these, how many have waited in vain
}

type counters struct {
	hits, misses, stores, ends, away, errors, full, foreign, tooLarge, local, waits, timeouts atomic.Uint64
}

// Stats gives the tier's counters. It is cheap, and safe at any time.
func (t *Tier) Stats() Statistics {
	s := Statistics{
		Hits: t.hits.Load(), Misses: t.misses.Load(), Stores: t.stores.Load(), Ends: t.ends.Load(),
		Away: t.away.Load(), Errors: t.errors.Load(), Full: t.full.Load(), Foreign: t.foreign.Load(),
		TooLarge: t.tooLarge.Load(), Local: t.local.Load(),
		LeaseWaits: t.waits.Load(), LeaseTimeouts: t.timeouts.Load(),
	}
	if c := t.current.Load(); c != nil {
		s.Up = c.up.Load()
	}
	return s
}

// count counts an error of Redis.
func (t *tier) count(err error) {
	if isFull(err) {
		t.full.Add(1)
	} else {
		t.errors.Add(1)
	}
}
