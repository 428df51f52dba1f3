package cache

import "sync/atomic"

// Epoch ends results in groups: those of every [Scope] that was made with it. The zero value is
// ready to use. It must not be copied after its first use, and is safe for concurrent use.
type Epoch struct {
	n atomic.Uint64
}

// Bump ends all results that are stored, or being loaded, in the scopes of this epoch. It takes
// nanoseconds, however many results there are. Their memory is reclaimed within seconds.
func (e *Epoch) Bump() { e.n.Add(1) }

// Count is how often it was bumped: for those who keep something beside the cache that ends with it.
func (e *Epoch) Count() uint64 { return e.n.Load() }
