package cache

import "github.com/dgraph-io/ristretto/v2"

// engine is all that the package knows of ristretto. Keys are hashes, and ristretto's own check
// for their collisions is off: an entry knows its whole key, and readers compare that.
//
// What has to be known about ristretto: a new value is visible only after wait; it may refuse a new
// value when it is full, or drop it when too many are set at once; it checks the cost of
// new values only; and neither get nor anything else may run during or after close.
type engine struct {
	r *ristretto.Cache[uint64, *entry]
}

func newEngine(maxBytes int64) *engine {
	r, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		// Its frequency sketch has one row in effect, and wants many more counters than the
		// ten per entry of its documentation. At 5 bytes each, these are a thirteenth of the cache.
		NumCounters:        min(max(maxBytes/64, 1<<13), 1<<24),
		MaxCost:            maxBytes,
		BufferItems:        64,
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
		IgnoreInternalCost: true, // we count it
		// Entries know their own ends, so that its clean-up has nothing to do.
		TtlTickerDurationInSec: 24 * 60 * 60,
	})
	if err != nil {
		panic("cache: " + err.Error()) // only for a configuration that is wrong
	}
	return &engine{r}
}

func (e *engine) get(hash uint64) *entry {
	found, _ := e.r.Get(hash)
	return found
}

// set stores the entry, at once if the hash is there already, otherwise some time before wait returns.
func (e *engine) set(hash uint64, entry *entry) {
	for !e.r.Set(hash, entry, entry.cost) {
		e.r.Wait()
	}
}

// wait returns when everything set before is visible, unless it was refused.
func (e *engine) wait() { e.r.Wait() }

func (e *engine) del(hash uint64) { e.r.Del(hash) }

// each calls visit for all visible entries. visit must be short and must not use the engine.
func (e *engine) each(visit func(*entry)) {
	e.r.IterValues(func(entry *entry) bool {
		visit(entry)
		return false
	})
}

func (e *engine) close() { e.r.Close() }
