package cache

import (
	"math/rand/v2"
	"time"
)

// entryOverhead is what an entry costs besides its key and its value: its own fields, and its
// places in the table, and in the window or the engine.
const entryOverhead = 448

func (k *key) cost() int64 { return int64(len(k.both)) }

// newEntry makes the entry for what a flight has just loaded, or, with an answer of the second tier,
// possibly found there.
func (s *Scope) newEntry(fl *flight, p *Policy, tiered *TierAnswer, ttl, staleFor time.Duration) *entry {
	c := s.cache
	e := &entry{key: fl.key, created: c.now(), fresh: never, end: never}
	e.sum.Store(fl.sum)
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
	engine := c.engineForStore()
	door := engine.enter()
	if door == nil {
		return
	}
	defer door.RUnlock()
	engine.hearLoad(e)
	sh := c.flights.shard(e.hash)
	sh.mu.Lock()
	if fl.dropped.Load() || e.dead(c, time.Now()) {
		sh.mu.Unlock()
		return
	}
	if engine.table.put(e)&byEngine != 0 {
		engine.remove(e.hash) // the old one: it would be replaced by one of any size
	}
	left := c.window.add(e)
	sh.mu.Unlock()
	for _, e := range left {
		c.leaveWindow(engine, e)
	}
	engine.settle()
	c.armSweep(sweepEvery)
}

// engineForStore makes the engine if there is none yet. It is nil after Close.
func (c *Cache) engineForStore() *engine {
	if engine := c.engine.Load(); engine != nil {
		return engine
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine.Load() == nil && !c.closed.Load() {
		t := newTable()
		c.engine.Store(newEngine(t, engineConfig(t, c.engineBytes()), c.undecidedBytes()))
	}
	return c.engine.Load()
}

// leaveWindow offers what is no longer new, and still alive, to the engine, which now knows how often it was asked for.
func (c *Cache) leaveWindow(engine *engine, e *entry) {
	sh := c.flights.shard(e.hash)
	sh.mu.Lock()
	if !e.dead(c, time.Now()) {
		engine.offer(e)
	}
	sh.mu.Unlock()
	engine.table.release(e, byWindow)
}

// remove ends an entry, and frees its memory; a newer one that has taken its place stays.
func (c *Cache) remove(e *entry) {
	e.drop()
	engine := c.engine.Load()
	door := engine.enter()
	if door == nil {
		return
	}
	defer door.RUnlock()
	sh := c.flights.shard(e.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c.window.remove(e)
	if engine.table.remove(e)&byEngine != 0 {
		engine.remove(e.hash)
	}
}

// dropOlder removes what is stored under the key of a flight that has found something newer.
// Remembered errors are spared unless errorsToo.
func (c *Cache) dropOlder(fl *flight, errorsToo bool) {
	k := &fl.key
	if e := c.stored(k.hash); e != nil && (errorsToo || e.value != nil) && e.equals(k) {
		c.remove(e)
	}
}

// stored is what is stored under a hash, dead or alive.
func (c *Cache) stored(hash uint64) *entry {
	if engine := c.engine.Load(); engine != nil {
		return engine.table.get(hash)
	}
	return nil
}

// warn tells once for each type why its results are not stored.
func (c *Cache) warn(of *plan) {
	if _, told := c.warned.LoadOrStore(of.typ, struct{}{}); told {
		return
	}
	reason := of.reason
	if reason == "" {
		reason = "one of its interfaces holds a value that cannot be copied"
	}
	c.cfg.Logger.Warn("results of this type are not cached, since they cannot be copied for each caller: "+
		"give the type a method Clone, or share the results", "type", of.typ.String(), "reason", reason)
}
