package cache

import "time"

// sweepEvery is how long what has expired, or ended with an epoch, stays in memory at most; longer
// only if looking for it takes more than a hundredth of the time.
const sweepEvery = 5 * time.Second

// armSweep makes a sweep happen in d at the latest.
func (c *Cache) armSweep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed.Load() || c.engine.Load() == nil || c.armed && d > 0:
		return
	case c.sweep == nil:
		c.sweep = time.AfterFunc(d, c.runSweep)
	default:
		c.sweep.Reset(d)
	}
	c.armed = true
}

// runSweep removes dead entries. It runs on the timer's goroutine, one at a time except after a
// Clear, and comes back as long as there are entries.
func (c *Cache) runSweep() {
	c.mu.Lock()
	c.armed = false
	c.mu.Unlock()
	now := time.Now()
	alive := false
	for _, e := range c.entries() {
		if e.dead(c, now) {
			c.remove(e)
		} else {
			alive = true
		}
	}
	if engine := c.engine.Load(); engine != nil {
		engine.table.fit()
	}
	if alive {
		c.armSweep(max(sweepEvery, 100*time.Since(now)))
	}
}
