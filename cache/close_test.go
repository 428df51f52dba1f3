package cache

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// ristretto panics when it is read or written while it is closed.
func TestCloseUnderStormsOfCallsNeverPanics(t *testing.T) {
	t.Parallel()
	rounds := 100
	if raceEnabled {
		rounds = 25
	}
	for range rounds {
		c := New(Config{MaxBytes: 1 << 20})
		s := c.Scope("scope", nil)
		for i := range 100 {
			get(t, s, fmt.Sprint(i), forever, value(i))
		}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		storm := func(f func(i int)) {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						f(i)
					}
				}
			})
		}
		for range 4 {
			storm(func(i int) { Lookup[int](s, fmt.Sprint(i%100), nil, &forever) })
		}
		storm(func(i int) { _, _ = Get(t.Context(), s, KeyOf("new", i), forever, value(i)) })
		storm(func(i int) { _, _ = Get(t.Context(), s, KeyOf("short", i), Policy{TTL: 1, Stale: 1}, value(i)) })
		storm(func(int) { c.Clear() })
		storm(func(int) { c.Drop(func(i Info) bool { return i.Text == "new" }) })
		storm(func(int) { _ = c.Stats() })
		for range 2 {
			wg.Go(func() { _ = c.Close() })
		}
		_ = c.Close()
		close(stop)
		wg.Wait()
		_ = c.Close()
		equal(t, "the number of entries in memory", len(c.entries()), 0)
	}
}

func TestCloseWaitsForThoseInsideTheEngine(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "k", forever, value(1))
	emptyWindow(s.cache)
	engine := s.cache.engine.Load()
	door := engine.enter()
	closed := make(chan struct{})
	go func() {
		_ = s.cache.Close()
		close(closed)
	}()
	for door.TryRLock() { // until Close waits
		door.RUnlock()
		runtime.Gosched()
	}
	if room := engine.r.RemainingCost(); room == s.cache.engineBytes() {
		t.Error("the engine is already closed")
	}
	equal(t, "the value for a call that comes now", get(t, s, "k", forever, value(2)), 2)
	door.RUnlock()
	<-closed
}

func TestClosedCacheGoesStraightToTheLoad(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var src source
	get(t, s, "k", forever, src.load)
	if err := s.cache.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := Lookup[int](s, "k", nil, &forever); ok {
		t.Error("Lookup still hits")
	}
	for range 2 {
		get(t, s, "k", forever, src.load)
	}
	equal(t, "the number of loads", src.count(), 3)
	equal(t, "what Drop says", s.cache.Drop(func(Info) bool { return true }), 0)
	s.cache.Clear()
	equal(t, "Entries", s.cache.Stats().Entries, 0)
}

func TestLoadUnderWayAtCloseIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		equal(t, "its value", during(t, s, forever, 1, func() { _ = s.cache.Close() }), 1)
		equal(t, "the number of entries in memory", len(s.cache.entries()), 0)
	})
}

func TestCloseFromALoad(t *testing.T) {
	t.Parallel()
	s := scope(t)
	got := get(t, s, "k", forever, func(context.Context) (int, error) { return 1, s.cache.Close() })
	equal(t, "its value", got, 1)
}

func TestNothingRunsBeforeTheFirstStore(t *testing.T) {
	t.Parallel()
	c := New(Config{}) // not closed: goleak would find what it started
	s := c.Scope("scope", nil)
	if _, ok := Lookup[int](s, "k", nil, &forever); ok {
		t.Error("hit")
	}
	get(t, s, "k", Policy{}, value(1))
	c.Clear()
	equal(t, "Entries", c.Stats().Entries, 0)
	if c.engine.Load() != nil || c.sweep != nil {
		t.Error("something was made")
	}
}

func TestUnusedCacheCanBeClosed(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	get(t, c.Scope("scope", nil), "k", forever, value(1))
	if c.engine.Load() != nil {
		t.Error("a closed cache has made an engine")
	}
}

func TestCloseStopsTheSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "k", oneSecond, value(1))
		_ = s.cache.Close()
		elapse(10 * sweepEvery)
		equal(t, "whether the timer is set", s.cache.sweep.Stop(), false)
	})
}
