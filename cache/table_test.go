package cache

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"unsafe"
	"weak"
)

// Among many entries, the time of a hit is that of the lines it has to get from memory.
func TestWhatAHitLooksAtIsTwoCacheLines(t *testing.T) {
	const line = 64
	var e entry
	if end := unsafe.Offsetof(e.heard) + unsafe.Sizeof(e.heard); end > 2*line {
		t.Errorf("it ends at byte %d", end)
	}
	if size := unsafe.Sizeof(e); size > 3*line { // then entries begin where lines do
		t.Errorf("an entry has %d bytes", size)
	}
}

func TestTableFindsEntriesOfOneSlot(t *testing.T) {
	t.Parallel()
	table := newTable()
	e := func(hash uint64) *entry { return &entry{key: key{hash: hash}} }
	const far = 1 << 40 // the same slot for all sizes
	one, two, three := e(1), e(1+far), e(1+2*far)
	for _, e := range []*entry{one, two, three} {
		equal(t, "who held what was there", table.put(e), 0)
	}
	newer := e(1 + far)
	table.hold(two)
	equal(t, "who held what was there", table.put(newer), byWindow|byEngine)
	for _, want := range []*entry{one, newer, three} {
		if table.get(want.hash) != want {
			t.Errorf("%x is not found", want.hash)
		}
	}
	if table.get(1+3*far) != nil {
		t.Error("what is not there is found")
	}
	equal(t, "the number of entries", len(table.all()), 3)
	equal(t, "whether what is no longer there can be held", table.hold(two), false)
	equal(t, "who held what is no longer there", table.remove(two), 0)
	if table.get(newer.hash) != newer {
		t.Error("removing the old one removed the newer one")
	}
	equal(t, "whether it can be held", table.hold(one), true)
	equal(t, "whether it can be held twice", table.hold(one), false)
	table.release(one, byWindow)
	if table.get(1) != one {
		t.Error("the engine holds it, and it is gone")
	}
	table.release(one, byEngine)
	if table.get(1) != nil {
		t.Error("nobody holds it, and it is there")
	}
	equal(t, "who held it", table.remove(three), byWindow)
	equal(t, "the number of entries", table.n.Load(), 1)
}

// lookUp asks for the entries, which are in the table, again and again, until done is closed.
func lookUp(t *testing.T, table *table, entries []*entry, done <-chan struct{}) {
	t.Helper()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		if want := entries[i%len(entries)]; table.get(want.hash) != want {
			t.Errorf("entry %d is not found", i%len(entries))
			return
		}
	}
}

func TestTableGrowsUnderItsReaders(t *testing.T) {
	t.Parallel()
	table := newTable()
	const n = 20_000
	entries := make([]*entry, n)
	for i := range entries {
		entries[i] = &entry{key: key{hash: mix(uint64(i), 0)}}
	}
	for _, e := range entries[:n/10] {
		table.put(e)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() { lookUp(t, table, entries[:n/10], done) })
	}
	for w := range 4 {
		writers.Go(func() {
			for i := n/10 + w; i < n; i += 4 {
				table.put(entries[i])
				if i%3 == 0 {
					table.remove(entries[i])
				}
				table.fit()
			}
		})
	}
	writers.Go(func() {
		for range 20 {
			found := make(map[*entry]bool)
			for _, e := range table.all() {
				found[e] = true
			}
			for i, e := range entries[:n/10] {
				if !found[e] {
					t.Errorf("entry %d is missed", i)
					return
				}
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	for i, e := range entries {
		if there := table.get(e.hash) == e; there != (i < n/10 || i%3 != 0) {
			t.Fatalf("entry %d is there: %v", i, there)
		}
	}
}

func TestTableMissesNothingWhileItsChainsAreMadeAnew(t *testing.T) {
	t.Parallel()
	table := newTable()
	e := func(i int) *entry { return &entry{key: key{hash: mix(uint64(i), 0)}} }
	var there [8]*entry
	for i := range there {
		there[i] = e(i)
		table.put(there[i])
	}
	made := 0
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() { lookUp(t, table, there[:], done) })
	}
	for range 100 {
		var more [minSlots]*entry // for which there are too few slots
		for i := range more {
			more[i] = e(len(there) + i)
			table.put(more[i])
		}
		for _, e := range more {
			table.remove(e)
		}
		before := table.chains.Load()
		table.fit() // there are too many now
		if table.chains.Load() != before {
			made++
		}
	}
	close(done)
	readers.Wait()
	equal(t, "how often there were too many slots", made, 100)
}

func TestTableFindsTheOldEntryOrTheNewOne(t *testing.T) {
	t.Parallel()
	table := newTable()
	const far = 1 << 40 // the same slot for all sizes
	put := func(hash uint64) { table.put(&entry{key: key{hash: hash}}) }
	put(1)
	put(1 + far)
	var readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if table.get(1) == nil || table.get(1+far) == nil {
				t.Error("neither is found")
				return
			}
		}
	})
	for range 200_000 {
		put(1)
		put(1 + far)
	}
	close(done)
	readers.Wait()
	equal(t, "the number of entries", table.n.Load(), 2)
}

// What is removed after the chains were made anew must not stay in memory by the links of the old ones.
func TestTableLetsGoOfWhatIsRemoved(t *testing.T) {
	t.Parallel()
	table := newTable()
	put := func(i int) *entry {
		e := &entry{key: key{hash: mix(uint64(i), 0)}}
		table.put(e)
		return e
	}
	const n = 1 << 12
	removed := make([]weak.Pointer[entry], 0, n)
	for i := range n {
		removed = append(removed, weak.Make(put(i)))
	}
	for before, i := table.chains.Load(), n; table.chains.Load() == before; i++ {
		put(i)
	}
	for i, e := range removed {
		switch i % 4 {
		case 0:
			table.remove(e.Value())
		case 1:
			put(i) // in its place
		default:
			removed[i] = weak.Pointer[entry]{}
		}
	}
	runtime.GC()
	for i, e := range removed {
		if e.Value() != nil {
			t.Fatalf("entry %d is still there", i)
		}
	}
	if stored := table.all(); len(stored) < n/2 {
		t.Errorf("there are only %d entries", len(stored))
	}
}

func TestTableFitsWhatIsInIt(t *testing.T) {
	t.Parallel()
	table := newTable()
	const n = 10_000
	entries := make([]*entry, n)
	for i := range entries {
		entries[i] = &entry{key: key{hash: mix(uint64(i), 0)}}
		table.put(entries[i])
	}
	slots := func() int { return len(table.chains.Load().slots) }
	if got := slots(); got <= 2*n || got > 4*n {
		t.Errorf("%d slots for %d entries", got, n)
	}
	for _, e := range entries[10:] {
		table.remove(e)
	}
	table.fit()
	equal(t, "the slots for ten", slots(), minSlots)
	for i, e := range entries {
		if there := table.get(e.hash) == e; there != (i < 10) {
			t.Errorf("entry %d is there: %v", i, there)
		}
	}
}

// What the engine lets go of must leave the table, or memory would have no bound.
func TestTableHoldsWhatTheWindowOrTheEngineHolds(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxBytes: 1 << 20})
	s := c.Scope("scope", nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := KeyOf(fmt.Sprint(i*g%500), g%2)
				_ = must[int](t)(Get(t.Context(), s, key, forever, value(i)))
				if i%100 == 0 {
					c.Drop(func(info Info) bool { return info.Text == fmt.Sprint(i%500) })
				}
			}
		})
	}
	wg.Wait()
	settle(c)
	held := make(map[*entry]bool)
	for _, e := range c.window.all() {
		held[e] = true
	}
	c.engine.Load().r.IterValues(func(e *entry) bool {
		held[e] = true
		return false
	})
	stored := c.entries()
	equal(t, "the number of entries", len(stored), len(held))
	for _, e := range stored {
		if !held[e] {
			t.Errorf("nobody holds %q", e.text())
		}
	}
}
