package cache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestMemoryStaysWithinItsBound(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxBytes: 1 << 20})
	var writes Epoch
	s := c.Scope("scope", nil, &writes)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		// Half of them replace results by larger or smaller ones: the engine itself would take
		// updates of any size.
		text := fmt.Sprint(random.IntN(2000))
		if i%2 == 0 {
			text = fmt.Sprint("new ", i)
		}
		if i%500 == 0 {
			writes.Bump() // so that they load again; what they replace is still in memory
		}
		size := 1 << random.IntN(16)
		if _, err := Get(t.Context(), s, KeyOf(text), forever, value(make([]byte, size))); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			var sum int64
			for _, e := range c.entries() {
				sum += e.cost
			}
			if sum > c.cfg.MaxBytes {
				t.Fatalf("after %d stores, %d bytes are stored", i, sum)
			}
			if room := c.engine.Load().r.RemainingCost(); room < 0 {
				t.Fatalf("after %d stores, the engine is %d bytes over", i, -room)
			}
		}
	}
	if c.window.bytes > c.windowBytes()+c.maxCost() {
		t.Errorf("the window has %d bytes", c.window.bytes)
	}
}

// Whoever stores waits while there is too much to decide about: all do, however many they are.
func TestMemoryStaysWithinItsBoundForMany(t *testing.T) {
	t.Parallel()
	const goroutines, stores, size = 32, 200, 4000
	c := open(t, Config{MaxBytes: 1 << 20})
	s := c.Scope("scope", nil)
	stored := func() (sum int64) { // at one moment
		engine := c.engine.Load()
		if engine == nil {
			return 0
		}
		for i := range engine.table.locks {
			engine.table.locks[i].Lock()
			defer engine.table.locks[i].Unlock()
		}
		now := engine.table.chains.Load()
		for i := range engine.table.locks {
			now.each(i, func(e *entry) { sum += e.cost })
		}
		return sum
	}
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range stores {
				k := KeyOf(fmt.Sprint(g, " ", i))
				if _, err := Get(t.Context(), s, k, Policy{TTL: Forever, Shared: true}, value(make([]byte, size))); err != nil {
					t.Error(err)
				}
				// Besides what is allowed to be undecided, each may have one result on its way.
				if most := c.cfg.MaxBytes + goroutines*(size+1000); i%20 == 0 {
					if sum := stored(); sum > most {
						t.Errorf("%d bytes are stored; want %d at most", sum, most)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestTooLargeResultIsHandedOutAndNotStored(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxBytes: 1 << 20})
	var counters Counters
	var writes Epoch
	s := c.Scope("scope", &counters, &writes)
	size := 1
	load := func() []byte {
		writes.Bump()
		v, err := Get(t.Context(), s, KeyOf("k"), forever, value(make([]byte, size)))
		if err != nil || len(v) != size {
			t.Fatal(len(v), err)
		}
		return v
	}
	load()
	size = 1<<20/16 - entryOverhead - 200
	load()
	equal(t, "the number of entries of the largest size", len(c.entries()), 1)
	equal(t, "TooLarge", c.Stats().TooLarge, 0)
	size = 1<<20/16 + 1
	load()
	equal(t, "the number of entries afterwards", len(c.entries()), 0) // the smaller one is outdated
	equal(t, "TooLarge", c.Stats().TooLarge, 1)
	equal(t, "TooLarge of the counters", counters.Stats().TooLarge, 1)
}

func TestSizeOfKeysCounts(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxBytes: 1 << 20})
	s := c.Scope("scope", nil)
	long := string(make([]byte, 1<<16))
	for _, k := range []Key{KeyOf(long), KeyOf("k", long)} {
		_ = must[int](t)(Get(t.Context(), s, k, forever, value(1)))
	}
	equal(t, "TooLarge", c.Stats().TooLarge, 2)
}

func TestWindowKeepsWhatItCanAndIsAQueue(t *testing.T) {
	t.Parallel()
	w := window{keep: 10}
	e := func(hash uint64, cost int64) *entry { return &entry{key: key{hash: hash}, cost: cost} }
	one, two, three := e(1, 5), e(2, 5), e(3, 4)
	equal(t, "how many left", len(w.add(one)), 0)
	equal(t, "how many left", len(w.add(two)), 0)
	if left := w.add(three); len(left) != 0 { // one stays: only 9 came after it
		t.Errorf("%d left", len(left))
	}
	equal(t, "the number of entries", len(w.all()), 3)
	again := e(2, 7)
	if left := w.add(again); len(left) != 1 || left[0] != one { // 11 came after it
		t.Errorf("left: %v", left)
	}
	equal(t, "the bytes", w.bytes, 11)
	w.remove(two) // replaced
	equal(t, "the bytes after a removal of what was replaced", w.bytes, 11)
	if left := w.add(e(5, 100)); len(left) != 2 || left[0] != three || left[1] != again {
		t.Errorf("left: %v", left)
	}
	if all := w.all(); len(all) != 1 || all[0].hash != 5 {
		t.Errorf("all: %v", all)
	}
	w.remove(w.newest.entry)
	equal(t, "the bytes of an empty window", w.bytes, 0)
	if w.oldest != nil || w.newest != nil {
		t.Error("the empty window has ends")
	}
	w.add(one)
	w.clear()
	equal(t, "the number after clear", len(w.all()), 0)
}
