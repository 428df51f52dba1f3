package cache

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSecondCallHits(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var src source
	for i := range 3000 {
		key := KeyOf("key", i)
		first := must[int](t)(Get(t.Context(), s, key, forever, src.load))
		second := must[int](t)(Get(t.Context(), s, key, forever, src.load))
		if first != second {
			t.Fatalf("key %d was loaded twice", i)
		}
	}
	equal(t, "the number of loads", src.count(), 3000)
}

func TestSecondCallOfAnotherTypeLoadsItsOwn(t *testing.T) {
	t.Parallel()
	s := scope(t)
	type userID int
	for range 2 {
		equal(t, "the int", must[int](t)(Get(t.Context(), s, KeyOf("k"), forever, value(1))), 1)
		equal(t, "the string", must[string](t)(Get(t.Context(), s, KeyOf("k"), forever, value("one"))), "one")
		equal(t, "the userID", must[userID](t)(Get(t.Context(), s, KeyOf("k"), forever, value(userID(7)))), 7)
	}
	equal(t, "the number of loads", s.cache.Stats().Loads, 3)
}

func TestFreshKeysOfManyGoroutinesAreLoadedOnce(t *testing.T) {
	t.Parallel()
	const keys, goroutines = 3000, 64
	s := scope(t)
	var loads atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range keys {
				v, err := Get(t.Context(), s, KeyOf("key", i), forever, func(context.Context) (int, error) {
					loads.Add(1)
					return i, nil
				})
				if v != i || err != nil {
					t.Errorf("key %d gave %d, %v", i, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
	equal(t, "the number of loads", loads.Load(), keys)
}

// A full engine refuses new keys that are asked for less often than what it has.
func TestSecondCallHitsInFullAndWarmCache(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBytes: 1 << 20}).Scope("scope", nil)
	var residents []string
	for i := range 4000 {
		text := fmt.Sprintf("resident %d", i)
		get(t, s, text, forever, value(i))
		residents = append(residents, text)
	}
	emptyWindow(s.cache)
	residents = slicesDelete(residents, func(text string) bool {
		_, ok := Lookup[int](s, text, nil, &forever)
		return !ok
	})
	if len(residents) < 1000 {
		t.Fatalf("only %d residents", len(residents))
	}
	hits := 0
	warm := func(n int) {
		for range n {
			hits++
			if _, ok := Lookup[int](s, residents[hits%640], nil, &forever); !ok {
				residents[hits%640] = residents[640+hits%(len(residents)-640)] // evicted meanwhile
			}
		}
	}
	warm(100 * 640)
	for i := range 1000 {
		text := fmt.Sprintf("new %d", i)
		get(t, s, text, forever, value(i))
		warm(640)
		get(t, s, text, forever, func(context.Context) (int, error) {
			t.Errorf("the second call of new key %d had to load", i)
			return i, nil
		})
	}
}

func slicesDelete(s []string, del func(string) bool) []string {
	kept := s[:0]
	for _, e := range s {
		if !del(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

func TestNewestFifthOfTheBytesIsAlwaysKept(t *testing.T) {
	t.Parallel()
	const size = 10_000
	c := open(t, Config{MaxBytes: 1 << 20})
	s := c.Scope("scope", nil)
	policy := forever
	load := func(name string) {
		_, err := Get(t.Context(), s, KeyOf(name), policy, value(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
	}
	for round := range 50 {
		first := fmt.Sprintf("first of round %d", round)
		load(first)
		newer := int64(0)
		for i := 0; ; i++ {
			cost := int64(size + entryOverhead + 200)
			if newer+cost >= c.cfg.MaxBytes/5 {
				break
			}
			load(fmt.Sprintf("other %d of round %d", i, round))
			newer += cost
		}
		if _, ok := Lookup[[]byte](s, first, nil, &policy); !ok {
			t.Fatalf("round %d: %d newer bytes drove out a result", round, newer)
		}
	}
}

func TestEntryThatLeavesTheWindowIsOfferedToTheEngine(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBytes: 1 << 20}).Scope("scope", nil)
	get(t, s, "k", forever, value(1))
	e := storedOf(s, "k")
	equal(t, "who holds it at first", e.held, byWindow)
	for i := range 600 { // drives it out of the window, and leaves room in the engine
		get(t, s, fmt.Sprint("other", i), forever, value(i))
	}
	equal(t, "who holds it then", e.held, byEngine)
	equal(t, "the value", get(t, s, "k", forever, value(3)), 1)
}

func TestStoresAreNeverLost(t *testing.T) {
	t.Parallel()
	const goroutines, keys = 64, 150
	s := open(t, Config{MaxBytes: 256 << 20}).Scope("scope", nil)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range keys {
				_, _ = Get(t.Context(), s, KeyOf("key", g, i), forever, value(i))
			}
		})
	}
	wg.Wait()
	emptyWindow(s.cache) // only what has reached the engine counts here
	for g := range goroutines {
		for i := range keys {
			_, err := Get(t.Context(), s, KeyOf("key", g, i), forever, func(context.Context) (int, error) {
				return 0, fmt.Errorf("key %d of goroutine %d was lost", i, g)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestKeysOfOneHashAreToldApart(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "one", forever, value(1))
	// pretend stores the result under the hash of another key.
	pretend := func(other key) {
		one := storedOf(s, "one")
		e := &entry{key: one.key, fresh: one.fresh, end: one.end, value: one.value}
		e.hash = other.hash
		s.cache.engine.Load().table.put(e)
	}
	for name, other := range map[string]Key{"text": KeyOf("two"), "arguments": KeyOf("one", 1)} {
		pretend(keyOf(s, other))
		if _, ok := Lookup[int](s, other.text, []byte(other.args), &forever); ok {
			t.Errorf("a key of another %s was given the result", name)
		}
	}
	other := s.cache.Scope("another scope", nil)
	pretend(keyOf(other, KeyOf("one")))
	if _, ok := Lookup[int](other, "one", nil, &forever); ok {
		t.Error("another scope was given the result")
	}
	pretend(s.key(planOf(reflect.TypeFor[string]()), KeyOf("one")))
	if _, ok := Lookup[string](s, "one", nil, &forever); ok {
		t.Error("another type was given the result")
	}
}

func TestScopesOfOneIDShareAndOthersDoNot(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	a, again, other := c.Scope("a", nil), c.Scope(string([]byte("a")), nil), c.Scope("b", nil)
	equal(t, "the first value", get(t, a, "k", forever, value(1)), 1)
	equal(t, "the value of the same id", get(t, again, "k", forever, value(2)), 1)
	equal(t, "the value of another id", get(t, other, "k", forever, value(3)), 3)
}

func TestZeroTTLBypassesTheCache(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var src source
	get(t, s, "k", forever, src.load)
	for _, ttl := range []time.Duration{0, -1, -time.Hour, Default + 1} {
		p := Policy{TTL: ttl}
		if _, ok := Lookup[int](s, "k", nil, &p); ok {
			t.Errorf("a TTL of %d hit", ttl)
		}
		before := src.count()
		get(t, s, "k", p, src.load)
		equal(t, "the number of loads", src.count(), before+1)
	}
	equal(t, "the stored value", get(t, s, "k", forever, src.load), 1)
	equal(t, "Uncached", s.cache.Stats().Uncached, 4)
}

func TestDefaultTTLIsForeverHere(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var src source
	get(t, s, "k", Policy{TTL: Default}, src.load)
	get(t, s, "k", Policy{TTL: Default}, src.load)
	equal(t, "the number of loads", src.count(), 1)
}

func TestKeyWithoutStableFormIsNotCached(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var src source
	for _, k := range []Key{{}, KeyOf("k", func() {})} {
		for range 2 {
			_ = must[int](t)(Get(t.Context(), s, k, forever, src.load))
		}
	}
	equal(t, "the number of loads", src.count(), 4)
	equal(t, "Uncached", s.cache.Stats().Uncached, 4)
}

func TestErrorsAreNotStored(t *testing.T) {
	t.Parallel()
	s := scope(t)
	src := source{fail: errSource}
	for range 2 {
		if _, err := Get(t.Context(), s, KeyOf("k"), forever, src.load); !errors.Is(err, errSource) {
			t.Fatalf("the error is %v, not the load's own", err)
		}
	}
	equal(t, "the number of loads", src.count(), 2)
}

func TestNilIsAResult(t *testing.T) {
	t.Parallel()
	s := scope(t)
	loads := 0
	for range 2 {
		v, err := Get(t.Context(), s, KeyOf("any"), forever, func(context.Context) (any, error) { loads++; return nil, nil })
		if v != nil || err != nil {
			t.Fatal(v, err)
		}
		rows, err := Get(t.Context(), s, KeyOf("rows"), forever, func(context.Context) ([]int, error) { loads++; return nil, nil })
		if rows != nil || err != nil {
			t.Fatal(rows, err)
		}
		empty, err := Get(t.Context(), s, KeyOf("empty"), forever, func(context.Context) ([]int, error) { loads++; return []int{}, nil })
		if empty == nil || err != nil {
			t.Fatal(empty, err)
		}
	}
	equal(t, "the number of loads", loads, 3)
}
