package cache

import (
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a [Cache]. The zero value is a good one.
type Config struct {
	// MaxBytes bounds what the stored results cost, by an estimate of the memory that they, their
	// keys and their places take. 0, and less, is 64 MiB. One result may cost at most 1/16 of it.
	//
	// Not counted is what the cache takes for itself from its first result on: a third of a MiB, and up to a tenth
	// of MaxBytes. It also keeps the places of the most results that it ever had, since maps do not shrink: where
	// it was full of the smallest ones, which gave way to large ones, that is up to a third of MaxBytes.
	MaxBytes int64

	// Logger is told about types whose results cannot be stored, once per type, and about
	// refreshes that panic. nil is [slog.Default].
	Logger *slog.Logger

	// Jitter shortens each TTL by a random part of it, of at most this, so that what was loaded
	// together does not expire together. 0 is 0.1, a tenth; less than 0 is none; more than 1
	// is 1. No result is ever served for longer than its TTL.
	Jitter float64

	// RefreshTimeout bounds loads in the background, see [Policy.Stale]: nobody waits for them
	// whose deadline could. 0, and less, is 30 seconds.
	RefreshTimeout time.Duration
}

const (
	defaultMaxBytes       = 64 << 20
	defaultJitter         = 0.1
	defaultRefreshTimeout = 30 * time.Second
)

// Cache keeps results, and is safe for concurrent use. It must be closed. Nothing is allocated
// and nothing runs before the first result is stored.
type Cache struct {
	cfg   Config
	start time.Time // what the times of entries count from: the monotonic clock

	engine  atomic.Pointer[engine] // nil before the first store and after Close
	epoch   Epoch                  // Clear
	closed  atomic.Bool
	window  window
	flights flights

	counters Counters
	unowned  Counters // of scopes without counters

	refreshes refreshes
	cohorts   cohorts
	warned    sync.Map // reflect.Type of results that cannot be copied

	mu    sync.Mutex
	sweep *time.Timer // nil before the first store
	armed bool        // the timer is set
}

// New makes a cache.
func New(cfg Config) *Cache {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	switch {
	case cfg.Jitter == 0:
		cfg.Jitter = defaultJitter
	case !(cfg.Jitter > 0):
		cfg.Jitter = 0
	case cfg.Jitter > 1:
		cfg.Jitter = 1
	}
	if cfg.RefreshTimeout <= 0 {
		cfg.RefreshTimeout = defaultRefreshTimeout
	}
	c := &Cache{cfg: cfg, start: time.Now()}
	c.window.keep = c.windowBytes()
	return c
}

// The bytes are divided so that a result of the largest size stays in the window until as much
// as windowBytes came after it: the window may exceed those by one result. The engine may have as much as
// undecidedBytes to decide about.
func (c *Cache) maxCost() int64        { return c.cfg.MaxBytes / 16 }
func (c *Cache) windowBytes() int64    { return c.cfg.MaxBytes / 5 }
func (c *Cache) undecidedBytes() int64 { return min(c.cfg.MaxBytes/64, 8<<20) }
func (c *Cache) engineBytes() int64 {
	return max(c.cfg.MaxBytes-c.windowBytes()-c.maxCost()-c.undecidedBytes(), 1)
}

// now is the age of the cache, by the monotonic clock.
func (c *Cache) now() int64 { return int64(time.Since(c.start)) }

// Close frees all memory and ends the refreshes: their contexts are cancelled, and Close does not
// wait for their loads to notice. It may be called at any time and more than once. Afterwards all
// calls go straight to their loads. The error is always nil.
func (c *Cache) Close() error {
	c.mu.Lock()
	first := !c.closed.Swap(true)
	if c.sweep != nil {
		c.sweep.Stop()
	}
	engine := c.engine.Swap(nil)
	c.mu.Unlock()
	if !first {
		return nil
	}
	c.refreshes.cancel(nil)
	c.cohorts.close()
	if engine != nil {
		engine.close()
	}
	c.window.clear()
	return nil
}

// Clear ends all results, and those of loads under way, in no more time than it takes to
// increment a number. The memory is reclaimed soon after.
func (c *Cache) Clear() {
	c.epoch.Bump()
	c.armSweep(0)
}

// Stats counts what happened in all scopes, and what is stored. To find out the latter it visits
// every entry: about a millisecond for 100,000.
func (c *Cache) Stats() Stats {
	s := c.counters.Stats()
	s.MaxBytes = c.cfg.MaxBytes
	now := time.Now()
	for _, e := range c.entries() {
		if !e.dead(c, now) {
			s.Entries++
			s.Bytes += e.cost
		}
	}
	return s
}

// Info describes a stored result, or one that is being loaded, for [Cache.Drop].
type Info struct {
	Scope string       // the id of its scope
	Type  reflect.Type // of the result
	Text  string       // of its key
	Args  []byte       // of its key; must not be changed
}

// Drop ends the results that match, and those of loads under way: nobody joins these any
// more, and what they give is not stored. It looks at every entry, and calls match once for each,
// outside all locks. It gives the number of results and loads that it ended.
func (c *Cache) Drop(match func(Info) bool) int {
	n := 0
	// Loads come first: one that ends in between has stored its result before we look there.
	for _, f := range c.flights.all() {
		if match(f.key.info()) && c.flights.drop(f) {
			n++
		}
	}
	now := time.Now()
	for _, e := range c.entries() {
		if !e.dead(c, now) && match(e.key.info()) && e.drop() {
			n++
			c.remove(e)
		}
	}
	return n
}

// entries are all that are stored, dead ones too.
func (c *Cache) entries() []*entry {
	if engine := c.engine.Load(); engine != nil {
		return engine.table.all()
	}
	return nil
}
