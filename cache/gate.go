package cache

import (
	"runtime"
	"sync/atomic"
	"time"
)

// gate counts who is inside the engine, so that Close can wait until nobody is: ristretto
// panics when it is used while it is closed. Whoever enters looks for the engine after that, and
// Close takes the engine away before it looks at the gate; so one of the two sees the other.
//
// Leaving with a hit and leaving without one are counted apart. That makes the gate the
// counter of the hits as well, and it costs nothing more.
type gate [stripes]gateCell

type gateCell struct {
	entered atomic.Uint64
	hits    atomic.Uint64 // who left with a hit
	others  atomic.Uint64 // who left otherwise
	_       [40]byte      // cells must not share a cache line
}

func (g *gate) hits() uint64 {
	var n uint64
	for i := range g {
		n += g[i].hits.Load()
	}
	return n
}

// drain waits until everybody who might have seen the engine has left. Nobody stays inside for
// longer than a lookup, a store, or a sweep takes.
func (g *gate) drain() {
	for i := range g {
		cell := &g[i]
		for tries := 0; ; tries++ {
			// Those who left are read first: if as many had entered afterwards, nobody was inside.
			left := cell.hits.Load() + cell.others.Load()
			if cell.entered.Load() == left {
				break
			}
			if tries < 100 {
				runtime.Gosched()
			} else {
				<-time.After(50 * time.Microsecond)
			}
		}
	}
}
