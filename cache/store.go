package cache

import (
	"math/rand/v2"
	"time"
)

// entryOverhead is what an entry costs besides its key and its value: its own fields, and its
// places in the engine and in the window.
const entryOverhead = 448

func (k *key) cost() int64 { return int64(len(k.text) + len(k.args)) }

// newEntry makes the entry for what a flight has just loaded, or, with an answer of the second tier,
// possibly found there.
func (s *Scope) newEntry(fl *flight, copies *plan, p *Policy, tiered *TierAnswer, ttl, staleFor time.Duration) *entry {
	c := s.cache
	e := &entry{key: fl.key, sum: fl.sum, created: c.now(), fresh: never, end: never, plan: copies}
	if ttl != Forever {
		if part := c.cfg.Jitter; part > 0 {
			ttl -= time.Duration(part * rand.Float64() * float64(ttl))
		}
		e.fresh = later(e.created, max(ttl, 1))
		e.end = later(e.fresh, max(staleFor, 0))
	}
	if !p.Expires.IsZero() {
		e.wall = wallOf(p.Expires)
	}
	if tiered != nil {
		e.bound(c, tiered, staleFor)
	}
	return e
}

// wallOf is t in Unix nanoseconds, which reach from 1970 to 2262 here, or 0 if t is later than that.
func wallOf(t time.Time) int64 {
	switch seconds := t.Unix(); {
	case seconds <= 0:
		return 1
	case seconds >= never/int64(time.Second):
		return 0
	default:
		return t.UnixNano()
	}
}

// store makes what a flight has loaded visible to all, unless it has ended in the meantime.
func (c *Cache) store(fl *flight, e *entry) {
	engine, leave := c.enterForStore()
	if engine == nil {
		return
	}
	defer leave()
	c.moving.RLock()
	defer c.moving.RUnlock()
	sh := c.flights.shard(e.hash)
	sh.mu.Lock()
	if fl.dropped.Load() || e.dead(c, time.Now()) {
		sh.mu.Unlock()
		return
	}
	left := c.window.add(e)
	if old := engine.get(e.hash); old != nil && old.cost < e.cost {
		engine.del(e.hash) // as a new entry, it has to find room; as an update, it would not
	}
	engine.set(e.hash, e)
	sh.mu.Unlock()
	c.giveSecondChances(engine, left)
	// Without waiting, what the engine has not got round to would be lost when the same hash is set
	// again; and with everybody waiting, its queue cannot overflow.
	engine.wait()
	c.armSweep(sweepEvery)
}

// enterForStore is enter, and makes the engine if there is none yet.
func (c *Cache) enterForStore() (*engine, func()) {
	if c.engine.Load() == nil {
		c.mu.Lock()
		if c.engine.Load() == nil && !c.closed.Load() {
			c.engine.Store(newEngine(c.engineBytes()))
		}
		c.mu.Unlock()
	}
	return c.enter()
}

// giveSecondChances offers to the engine what it refused when it was new, and what has been asked
// for since: it knows that better now.
func (c *Cache) giveSecondChances(engine *engine, left []*entry) {
	for _, e := range left {
		if !e.used.Load() {
			continue
		}
		sh := c.flights.shard(e.hash)
		sh.mu.Lock()
		if !e.gone.Load() && e.sum == e.scope.sum() && !e.cohort.ended() && c.window.get(e.hash) == nil && engine.get(e.hash) == nil {
			engine.set(e.hash, e)
		}
		sh.mu.Unlock()
	}
}

// remove ends an entry, and frees its memory; a newer one that has taken its place stays.
func (c *Cache) remove(e *entry) {
	e.gone.Store(true)
	engine, leave := c.enter()
	if engine == nil {
		return
	}
	defer leave()
	sh := c.flights.shard(e.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c.window.remove(e)
	if engine.get(e.hash) == e {
		engine.del(e.hash)
	}
}

// dropOlder removes what is stored under the key of a flight that has found something newer.
// Remembered errors are spared unless errorsToo.
func (c *Cache) dropOlder(fl *flight, errorsToo bool) {
	engine, leave := c.enter()
	if engine == nil {
		return
	}
	k := &fl.key
	found := [2]*entry{engine.get(k.hash), c.window.get(k.hash)}
	leave()
	for _, e := range found {
		if e != nil && (errorsToo || e.err == nil) && e.is(k.scope, k.pointer, k.text, k.args) {
			c.remove(e)
		}
	}
}

// warn tells once for each type why its results are not stored.
func (c *Cache) warn(copies *plan) {
	if _, told := c.warned.LoadOrStore(copies.typ, struct{}{}); told {
		return
	}
	reason := copies.reason
	if reason == "" {
		reason = "one of its interfaces holds a value that cannot be copied"
	}
	c.cfg.Logger.Warn("results of this type are not cached, since they cannot be copied for each caller: "+
		"give the type a method Clone, or share the results", "type", copies.typ.String(), "reason", reason)
}
