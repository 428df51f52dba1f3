package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

// listening gives the cache, which is still empty, an engine that counts what it hears, and what gives that count.
func listening(c *Cache) (heard func() uint64) {
	table := newTable()
	config := engineConfig(table, c.engineBytes())
	config.Metrics = true
	engine := newEngine(table, config, c.undecidedBytes())
	c.engine.Store(engine)
	return func() uint64 { return engine.r.Metrics.Hits() + engine.r.Metrics.Misses() }
}

func TestEngineHearsTwiceOfALoad(t *testing.T) {
	t.Parallel()
	s := scope(t)
	heard := listening(s.cache)
	for range 3 {
		get(t, s, "k", forever, value(1))
		s.cache.Clear()
	}
	equal(t, "what it heard", heard(), 2*3)
}

func TestEngineHearsOfTheFirstHitsAndOfSomeLaterOnes(t *testing.T) {
	t.Parallel()
	s := scope(t)
	heard := listening(s.cache)
	get(t, s, "k", forever, value(1))
	loads := heard()
	for i := range heardEnough {
		if i%2 == 0 {
			get(t, s, "k", forever, value(2))
		} else if _, ok := Lookup[int](s, "k", nil, &forever); !ok {
			t.Fatal("missed")
		}
	}
	first := heard() - loads
	equal(t, "what it heard of the first hits", first, heardEnough)
	const later = 1000 * heardOneIn
	for range later {
		_, _ = Lookup[int](s, "k", nil, &forever)
	}
	if got := heard() - loads - first; got < 800 || got > 1200 {
		t.Errorf("of %d later hits it heard of %d", later, got)
	}
	equal(t, "Hits", s.cache.Stats().Hits, heardEnough+later)
}

func TestEngineHearsOfEveryStaleAndNegativeHit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		defer func() { _ = c.Close() }()
		heard := listening(c)
		s := c.Scope("scope", nil)
		negative := Policy{TTL: Forever, Negative: time.Hour, IsNegative: func(error) bool { return true }}
		stale := Policy{TTL: time.Second, Stale: time.Hour, Transient: func(error) bool { return true }}
		const hits = 2 * heardEnough
		source := source{fail: errNoRows}
		for range 1 + hits {
			_, _ = Get(t.Context(), s, KeyOf("none"), negative, source.load)
		}
		get(t, s, "old", stale, value(1))
		elapse(2 * time.Second)
		for range hits {
			equal(t, "the value", get(t, s, "old", stale, source.load), 1)
			synctest.Wait()
		}
		equal(t, "Negative", c.Stats().Negative, hits)
		equal(t, "Stale", c.Stats().Stale, hits)
		equal(t, "what it heard of two loads and the hits", heard(), 2*2+2*hits)
	})
}

// If hits come in turns, the sample must not be of one of them alone.
func TestSampleOfHitsIsFairToAllWhoTakeTurns(t *testing.T) {
	t.Parallel()
	const n = 4000
	for _, turns := range []uint64{1, 2, 3, 5, 8, 16, 21, 64, 89} {
		for one := range turns {
			heard := 0
			for i := range uint64(n) {
				if sampled(one + i*turns) {
					heard++
				}
			}
			if heard < n/heardOneIn/2 || heard > 2*n/heardOneIn {
				t.Errorf("with %d turns, the engine hears %d of %d hits of number %d", turns, heard, n, one)
			}
		}
	}
}

func TestEngineHearsOfFirstHits(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "k", forever, value(1))
	e := storedOf(s, "k")
	for want := range heardEnough {
		equal(t, "how many it has heard of", e.heard.Load(), int32(want))
		get(t, s, "k", forever, value(2))
	}
	for range 1000 {
		get(t, s, "k", forever, value(2))
	}
	equal(t, "how many were noted", e.heard.Load(), heardEnough)
}

func TestWhatHasEndedIsNotOfferedToTheEngine(t *testing.T) {
	t.Parallel()
	var epoch Epoch
	s := scope(t, &epoch)
	get(t, s, "ended", forever, value(1))
	epoch.Bump()
	get(t, s, "expired", Policy{TTL: 1}, value(1)) // a nanosecond
	get(t, s, "kept", forever, value(2))
	emptyWindow(s.cache)
	if storedOf(s, "ended") != nil {
		t.Error("what has ended is kept")
	}
	if storedOf(s, "expired") != nil {
		t.Error("what has expired is kept")
	}
	if storedOf(s, "kept") == nil {
		t.Error("what has not ended is gone")
	}
}
