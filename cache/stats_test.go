package cache

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatsOfCacheAndOwner(t *testing.T) {
	t.Parallel()
	c := open(t, Config{MaxBytes: 1 << 20})
	var mine, others Counters
	s, s2, other := c.Scope("a", &mine), c.Scope("b", &mine), c.Scope("c", &others)
	fail := func(context.Context) (int, error) { return 0, errSource }
	for range 3 {
		get(t, s, "k", forever, value(1)) // a miss, two hits
	}
	if _, ok := Lookup[int](s, "k", nil, &forever); !ok { // a hit
		t.Error("missed")
	}
	Lookup[int](s, "absent", nil, &forever) // not counted
	get(t, s2, "k", forever, value(1))      // a miss
	get(t, s2, "k", Policy{}, value(1))     // uncached
	_, _ = Get(t.Context(), s2, KeyOf("fails"), forever, fail)
	for range 2 { // a miss, a hit
		get(t, other, "k", forever, value(1))
	}
	want := Stats{Hits: 3, Misses: 3, Loads: 3, LoadErrors: 1, Uncached: 1}
	if diff := cmp.Diff(want, mine.Stats()); diff != "" {
		t.Errorf("of the owner (-want +got):\n%s", diff)
	}
	cost := int64(entryOverhead + len("k") + 8)
	want = Stats{Hits: 4, Misses: 4, Loads: 4, LoadErrors: 1, Uncached: 1, Entries: 3, Bytes: 3 * cost, MaxBytes: 1 << 20}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("of the cache (-want +got):\n%s", diff)
	}
}

func TestHitsOfManyGoroutinesAreAllCounted(t *testing.T) {
	t.Parallel()
	const goroutines, hits = 50, 2000
	var counters Counters
	s := open(t, Config{}).Scope("scope", &counters)
	get(t, s, "k", forever, value(1))
	done := make(chan struct{})
	for range goroutines {
		go func() {
			defer func() { done <- struct{}{} }()
			for range hits {
				Lookup[int](s, "k", nil, &forever)
			}
		}()
	}
	for range goroutines {
		<-done
	}
	equal(t, "the hits of the cache", s.cache.Stats().Hits, goroutines*hits)
	equal(t, "the hits of the counters", counters.Stats().Hits, goroutines*hits)
}

func TestDefaultsOfConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {MaxBytes: -1, RefreshTimeout: -1}} {
		c := New(cfg)
		equal(t, "MaxBytes", c.cfg.MaxBytes, 64<<20)
		equal(t, "Jitter", c.cfg.Jitter, 0.1)
		equal(t, "RefreshTimeout", c.cfg.RefreshTimeout, defaultRefreshTimeout)
		if c.cfg.Logger == nil {
			t.Error("there is no logger")
		}
		if sum := c.engineBytes() + c.windowBytes() + c.maxCost(); sum > c.cfg.MaxBytes {
			t.Errorf("the parts add up to %d", sum)
		}
	}
	tiny := open(t, Config{MaxBytes: 1})
	get(t, tiny.Scope("scope", nil), "k", forever, value(1))
	equal(t, "TooLarge of a tiny cache", tiny.Stats().TooLarge, 1)
}

// What is shared may be something that cannot be copied for others.
func TestHitThatCannotBeCopiedIsNone(t *testing.T) {
	t.Parallel()
	s := scope(t)
	heard := listening(s.cache)
	load := value[any](make(chan int))
	_ = must[any](t)(Get(t.Context(), s, KeyOf("k"), Policy{TTL: Forever, Shared: true}, load))
	loads := heard()
	if _, ok := Lookup[any](s, "k", nil, &forever); ok {
		t.Error("Lookup hits")
	}
	_ = must[any](t)(Get(t.Context(), s, KeyOf("k"), forever, load))
	stats := s.cache.Stats()
	equal(t, "Hits", stats.Hits, 0)
	equal(t, "Uncached", stats.Uncached, 1)
	equal(t, "what the engine heard of it", heard()-loads, 0)
}
