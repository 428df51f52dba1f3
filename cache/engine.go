package cache

import (
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// engine decides which entries stay when there is no room for all. It is all that the package knows of
// ristretto, which is given the hashes of keys as keys, and says when it lets go of an entry.
//
// What has to be known about ristretto: it decides some time after it was given an entry; until it
// has, it refuses another one under the same hash, unless the first is deleted before; it checks the cost
// of new entries only; and nothing may run during or after its Close.
type engine struct {
	table *table
	r     *ristretto.Cache[uint64, *entry]

	doors [stripes]door

	settling  sync.Mutex   // held by who waits for it to decide
	undecided atomic.Int64 // what the entries cost that ristretto was given since somebody has waited for it
	most      int64        // that undecided may be
}

// door is what one goes through to use ristretto: it is held to read meanwhile. With a single one, all
// processors would wait for each other.
type door struct {
	sync.RWMutex
	_ [40]byte // doors must not share a cache line
}

func newEngine(t *table, config *ristretto.Config[uint64, *entry], undecided int64) *engine {
	r, err := ristretto.NewCache(config)
	if err != nil {
		panic("cache: " + err.Error()) // only for a configuration that is wrong
	}
	return &engine{table: t, r: r, most: undecided}
}

func engineConfig(t *table, maxBytes int64) *ristretto.Config[uint64, *entry] {
	return &ristretto.Config[uint64, *entry]{
		// Its frequency sketch has one row in effect, and wants many more counters than the
		// ten per entry of its documentation. At 5 bytes each, these are a thirteenth of the cache.
		NumCounters:        min(max(maxBytes/64, 1<<13), 1<<24),
		MaxCost:            maxBytes,
		BufferItems:        64,
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
		IgnoreInternalCost: true, // we count it
		// Entries know their own ends, so that its clean-up has nothing to do.
		TtlTickerDurationInSec: 24 * 60 * 60,
		OnExit: func(e *entry) {
			if e != nil {
				t.release(e, byEngine)
			}
		},
	}
}

// enter keeps the engine open until the door that it gives is unlocked. It gives nil if there is no
// engine, or it is closed or about to be.
func (e *engine) enter() *door {
	if e == nil {
		return nil
	}
	if d := &e.doors[stripeOf()]; d.TryRLock() {
		return d
	}
	return nil
}

// offer gives it an entry, to keep or to refuse; not again one that it has.
func (e *engine) offer(entry *entry) {
	if !e.table.hold(entry) {
		return
	}
	for !e.r.Set(entry.hash, entry, entry.cost) { // it has too many to decide about
		e.r.Wait()
	}
	e.undecided.Add(entry.cost)
}

// settle waits for it to decide, if there is too much that it has to decide about. As long as there is, all do who
// have stored something.
func (e *engine) settle() {
	if e.undecided.Load() <= e.most {
		return
	}
	e.settling.Lock()
	defer e.settling.Unlock()
	if n := e.undecided.Load(); n > e.most {
		e.r.Wait()
		e.undecided.Add(-n)
	}
}

// remove takes the entry of a hash from it that it has, or is to decide about.
func (e *engine) remove(hash uint64) { e.r.Del(hash) }

// The engine counts no further than 15 how often an entry was asked for, and halves its counts now and then.
// So it is told of the first uses of an entry, and then of some, which takes longer than to find the entry.
const (
	heardEnough = 16
	heardOneIn  = 16
)

// sampled picks the later hits, by their numbers. These are mixed, so that hits that come in turns have equal parts.
func sampled(nth uint64) bool { return mix(nth, 0)%heardOneIn == 0 }

// hear tells it that an entry was used, unless it is closed, or nil.
func (e *engine) hear(entry *entry) {
	if entry.heard.Load() < heardEnough {
		entry.heard.Add(1)
	}
	if door := e.enter(); door != nil {
		e.r.Get(entry.hash)
		door.RUnlock()
	}
}

// hearLoad tells it, from inside, that an entry had to be loaded. That counts twice: so it takes less time until
// what is asked for now is worth more than what was asked for long ago.
func (e *engine) hearLoad(entry *entry) {
	e.r.Get(entry.hash)
	e.r.Get(entry.hash)
}

// close waits for those inside. The doors stay locked for good.
func (e *engine) close() {
	for i := range e.doors {
		e.doors[i].Lock()
	}
	e.r.Close()
}
