package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestResultExpiresExactlyAtItsTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		var src source
		get(t, s, "k", oneSecond, src.load)
		elapse(time.Second - 1)
		equal(t, "the value just before", get(t, s, "k", oneSecond, src.load), 1)
		elapse(1)
		equal(t, "the value at the TTL", get(t, s, "k", oneSecond, src.load), 2)
	})
}

func TestAgeCountsFromTheEndOfTheLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		during(t, s, oneSecond, 1, func() { elapse(time.Minute) })
		equal(t, "the value", get(t, s, "k", oneSecond, value(2)), 1)
	})
}

func TestHitsDoNotExtendTheTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "k", oneSecond, value(1))
		elapse(900 * time.Millisecond)
		get(t, s, "k", oneSecond, value(2))
		elapse(900 * time.Millisecond)
		equal(t, "the value", get(t, s, "k", oneSecond, value(3)), 3)
	})
}

func TestOldValueOfForeverReaderIsNotGivenToReaderWithTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "k", forever, value(1))
		elapse(2 * time.Second)
		if _, ok := Lookup[int](s, "k", nil, &oneSecond); ok {
			t.Error("Lookup gave it")
		}
		equal(t, "what the other Forever reader gets", get(t, s, "k", forever, value(2)), 1)
		equal(t, "what the reader with a TTL gets", get(t, s, "k", oneSecond, value(3)), 3)
	})
}

func TestForeverReaderIsNotGivenWhatExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "k", oneSecond, value(1))
		elapse(time.Second)
		equal(t, "the value", get(t, s, "k", forever, value(2)), 2)
	})
}

func TestForeverNeverExpires(t *testing.T) {
	t.Parallel()
	s := scope(t)
	for name, p := range map[string]Policy{
		"Forever":           {TTL: Forever},
		"nearly Forever":    {TTL: Forever - 1},
		"with Stale":        {TTL: Forever, Stale: Forever},
		"negative, Forever": {TTL: Forever, Negative: Forever, IsNegative: func(error) bool { return true }},
	} {
		get(t, s, name, p, value(1))
		e := storedOf(s, name)
		if e.fresh < int64(Forever)-e.created-1 || e.end < e.fresh {
			t.Errorf("%s: it expires at %d and ends at %d", name, e.fresh, e.end)
		}
		equal(t, name+": the value", get(t, s, name, p, value(2)), 1)
	}
}

func TestExpiresEndsResultsWhateverTheTTL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ write, read Policy }{
		"of the call that stored": {Policy{TTL: Forever, Stale: time.Hour}, Policy{TTL: Forever, Stale: time.Hour}},
		"of the call that reads":  {forever, Policy{TTL: Forever, Stale: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scope(t)
				end := time.Now().Add(time.Minute)
				if name == "of the call that stored" {
					c.write.Expires = end
				} else {
					c.read.Expires = end
				}
				get(t, s, "k", c.write, value(1))
				elapse(time.Minute - 1)
				equal(t, "the value just before", get(t, s, "k", c.read, value(2)), 1)
				elapse(1)
				equal(t, "the value at the end", get(t, s, "k", c.read, value(3)), 3)
			})
		})
	}
}

func TestNothingIsStoredAfterExpires(t *testing.T) {
	t.Parallel()
	s := scope(t)
	p := Policy{TTL: Forever, Expires: time.Unix(1, 0)}
	get(t, s, "k", p, value(1))
	equal(t, "the number of entries", len(s.cache.entries()), 0)
	equal(t, "the value", get(t, s, "k", forever, value(2)), 2)
}

func TestExpiresOfAnyDate(t *testing.T) {
	t.Parallel()
	s := scope(t)
	for name, c := range map[string]struct {
		end  time.Time
		want int
	}{
		"too late for nanoseconds": {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 1},
		"nearly so":                {time.Date(2262, 4, 11, 23, 47, 15, 0, time.UTC), 1},
		"too early":                {time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), 2},
		"1970":                     {time.Unix(0, 0), 2},
	} {
		p := Policy{TTL: Forever, Expires: c.end}
		get(t, s, name, p, value(1))
		equal(t, name, get(t, s, name, forever, value(2)), c.want)
	}
}

func TestJitterOnlyShortens(t *testing.T) {
	t.Parallel()
	const n = 1000
	for name, c := range map[string]struct {
		jitter       float64
		spread, none bool
	}{
		"default":   {jitter: 0, spread: true},
		"none":      {jitter: -1, none: true},
		"the whole": {jitter: 5, spread: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache := New(Config{Jitter: c.jitter})
			defer cache.Close()
			s := cache.Scope("scope", nil)
			early := 0
			for i := range n {
				text := fmt.Sprint(i)
				get(t, s, text, Policy{TTL: time.Hour}, value(i))
				e := storedOf(s, text)
				life := time.Duration(e.fresh - e.created)
				switch {
				case life > time.Hour:
					t.Fatalf("a TTL of an hour became %v", life)
				case c.jitter == 0 && life < 54*time.Minute:
					t.Fatalf("more than a tenth was taken off: %v", life)
				case c.none && life != time.Hour:
					t.Fatalf("jitter was not off: %v", life)
				case life < 57*time.Minute:
					early++
				}
			}
			if c.spread && (early < n/4 || early > n*99/100) {
				t.Errorf("%d of %d TTLs lost more than a twentieth", early, n)
			}
			get(t, s, "forever", forever, value(0))
			e := storedOf(s, "forever")
			equal(t, "the end of what has none", e.fresh, never)
		})
	}
}

func TestDefect09_ExpiredEntriesLeaveMemoryByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var writes Epoch
		s := scope(t, &writes)
		for i := range 100 {
			get(t, s, fmt.Sprint("expires ", i), oneSecond, value(i))
			get(t, s, fmt.Sprint("stale ", i), Policy{TTL: time.Second, Stale: 20 * time.Second}, value(i))
			get(t, s, fmt.Sprint("ends with its token ", i), Policy{TTL: Forever, Expires: time.Now().Add(time.Second)}, value(i))
			get(t, s, fmt.Sprint("stays ", i), forever, value(i))
		}
		inMemory := func() int { return len(s.cache.entries()) }
		equal(t, "the number at first", inMemory(), 400)
		elapse(time.Second + sweepEvery + 1)
		equal(t, "the number after the TTL", inMemory(), 200)
		elapse(20 * time.Second)
		equal(t, "the number after Stale", inMemory(), 100)
		equal(t, "Entries", s.cache.Stats().Entries, 100)
		writes.Bump()
		equal(t, "Entries after Bump", s.cache.Stats().Entries, 0)
		elapse(sweepEvery + 1)
		equal(t, "the number after Bump", inMemory(), 0)
		settle(s.cache)
		equal(t, "the engine's room", s.cache.engine.Load().r.RemainingCost(), s.cache.engineBytes())
		equal(t, "the window's bytes", s.cache.window.bytes, 0)
		elapse(sweepEvery + 1)
		equal(t, "whether an empty cache is swept", s.cache.armed, false)
		get(t, s, "again", oneSecond, value(1))
		elapse(time.Second + sweepEvery + 1)
		equal(t, "the number after the next expiry", inMemory(), 0)
	})
}

func TestClearFreesMemorySoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		for i := range 100 {
			get(t, s, fmt.Sprint(i), forever, value(i))
		}
		s.cache.Clear()
		synctest.Wait()
		equal(t, "the number of entries in memory", len(s.cache.entries()), 0)
	})
}

func TestSweepLeavesANewerEntryAlone(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "k", forever, value(1))
	old := storedOf(s, "k")
	s.cache.Clear()
	get(t, s, "k", forever, value(2))
	s.cache.remove(old)
	emptyWindow(s.cache)
	equal(t, "the value", get(t, s, "k", forever, value(3)), 2)
}

func TestAnswerThatDeniesEndsWhatIsStoredLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		passing, denied := errors.New("away for a moment"), errors.New("denied")
		policy := func(ttl time.Duration) Policy {
			return Policy{TTL: ttl, Transient: func(err error) bool { return errors.Is(err, passing) }}
		}
		read := func(ttl time.Duration, value string, err error) (string, error) {
			return Get(t.Context(), s, KeyOf("k"), policy(ttl), func(context.Context) (string, error) { return value, err })
		}
		if _, err := read(time.Hour, "old", nil); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		if _, err := read(time.Second, "", passing); !errors.Is(err, passing) {
			t.Fatal(err)
		}
		if v, err := read(time.Hour, "new", nil); v != "old" || err != nil {
			t.Errorf("a fault that passes ended what was stored: %q, %v", v, err)
		}
		if _, err := read(time.Second, "", denied); !errors.Is(err, denied) {
			t.Fatal(err)
		}
		if v, err := read(time.Hour, "new", nil); v != "new" || err != nil {
			t.Errorf("after an answer that denies, %q, %v was served", v, err)
		}
	})
}
