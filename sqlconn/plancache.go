package sqlconn

import "sync"

// planCache remembers what was worked out for a key, for at most 2×limit keys.
// It keeps two generations: when the young one is full it becomes the old one,
// and what is still used moves over. Unlike a list in order of use, that costs
// a reader no more than a shared lock. The zero value with a limit is ready for
// use by any number of goroutines.
type planCache[K comparable, V any] struct {
	limit int // size of a generation

	mu         sync.RWMutex
	young, old map[K]V
}

func (c *planCache[K, V]) get(key K) (V, bool) {
	c.mu.RLock()
	v, found := c.young[key]
	if found {
		c.mu.RUnlock()
		return v, true
	}
	v, found = c.old[key]
	c.mu.RUnlock()
	if found {
		v = c.put(key, v)
	}
	return v, found
}

// put stores v and returns what is to be used: the value that somebody else
// stored in the meantime, if there is one.
func (c *planCache[K, V]) put(key K, v V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first, found := c.young[key]; found {
		return first
	}
	if c.young == nil || len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[K]V)
	}
	c.young[key] = v
	return v
}

func (c *planCache[K, V]) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
