package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// times is how often something is repeated: so often in the short form, and twentyfold in the long one.
func times(n int) int {
	if os.Getenv("STREAMCONN_FAULTS") == "long" {
		return 20 * n
	}
	return n
}

// loaded is a result that knows what it is of and when it was loaded.
type loaded struct {
	Key int
	At  time.Time
}

// unsound loads in all the ways in which loads go wrong, and sometimes well.
type unsound struct {
	well    atomic.Bool // from now on
	loads   atomic.Int64
	running [20]atomic.Int32 // by key
	twice   atomic.Int64     // a load began while another of its key was running
}

var errPanicked = errors.New("a load has panicked")

func (u *unsound) load(ctx context.Context, key int) (loaded, error) {
	u.loads.Add(1)
	if u.running[key].Add(1) > 1 {
		u.twice.Add(1)
	}
	defer u.running[key].Add(-1)
	way := rand.IntN(8)
	if u.well.Load() {
		way = 7
	}
	switch way {
	case 0: // hangs until somebody ends it
		<-ctx.Done()
		return loaded{}, context.Cause(ctx)
	case 1: // hangs, and heeds nobody
		pass(time.Duration(rand.IntN(3000)) * time.Millisecond)
		return loaded{}, errSource
	case 2:
		panic(errPanicked)
	case 3:
		pass(time.Duration(rand.IntN(100)) * time.Millisecond)
		panic(errPanicked)
	case 4:
		return loaded{}, errSource
	case 5:
		return loaded{}, errTransient
	case 6:
		pass(time.Duration(rand.IntN(500)) * time.Millisecond)
	}
	return loaded{key, time.Now()}, nil
}

// Loads that hang, panic and fail, under many who ask: each gets an answer or an error of its own,
// never a result that is too old or another key's, and nothing is left of any of it.
func TestFaultsOfLoadsUnderManyCallers(t *testing.T) {
	t.Parallel()
	var calls, answers, fails, ended, panics atomic.Int64
	var loads int64
	for range times(1) {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, Config{})
			s := c.Scope("scope", nil)
			policy := Policy{TTL: time.Second, Stale: 500 * time.Millisecond, Transient: func(err error) bool { return errors.Is(err, errTransient) }}
			u := new(unsound)
			ask := func(key int) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				defer func() {
					if p := recover(); p != nil {
						panics.Add(1)
						if p != any(errPanicked) {
							t.Errorf("panicked with %v", p)
						}
					}
				}()
				calls.Add(1)
				v, err := Get(ctx, s, KeyOf("k", key), policy, func(ctx context.Context) (loaded, error) { return u.load(ctx, key) })
				var panicked *PanicError
				switch {
				case err == nil:
					answers.Add(1)
					if age := time.Since(v.At); v.Key != key || age >= policy.TTL+policy.Stale {
						t.Errorf("key %d: got %d, loaded %v ago", key, v.Key, age)
					}
				case errors.Is(err, context.DeadlineExceeded):
					ended.Add(1)
					if ctx.Err() == nil {
						t.Errorf("the end of somebody else's context: %v", err)
					}
				case errors.Is(err, errSource), errors.Is(err, errTransient), errors.As(err, &panicked):
					fails.Add(1)
				default:
					t.Errorf("an error of nobody's: %v", err)
				}
			}
			var group sync.WaitGroup
			for range 200 {
				group.Go(func() {
					for range 25 {
						ask(rand.IntN(len(u.running)))
						pass(time.Duration(rand.IntN(50)) * time.Millisecond)
					}
				})
			}
			group.Wait()

			// Whatever is still being refreshed gets its time; then all is well at once.
			pass(2 * defaultRefreshTimeout)
			u.well.Store(true)
			before := u.loads.Load()
			for key := range u.running {
				ask(key)
			}
			equal(t, "loads when all is well again", u.loads.Load()-before, int64(len(u.running)))
			equal(t, "loads of one key at once", u.twice.Load(), 0)
			equal(t, "flights that are left", len(c.flights.all()), 0)
			c.refreshes.mu.Lock()
			equal(t, "refreshes that are left", len(c.refreshes.under), 0)
			c.refreshes.mu.Unlock()
			loads += u.loads.Load()
		})
	}
	t.Logf("%d calls, %d loads: %d answers, %d errors, %d panics of leaders, %d contexts that ended first",
		calls.Load(), loads, answers.Load(), fails.Load(), panics.Load(), ended.Load())
}

// At the bound, results leave; what is found is right, and memory stays flat.
func TestFaultOfMoreThanMemoryHolds(t *testing.T) { // alone: it looks at the heap of all
	const (
		bound   = 8 << 20
		workers = 16
	)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // for what the first has found
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	base := heap()
	c := open(t, Config{MaxBytes: bound})
	s := c.Scope("scope", nil)
	var stored, gets, wrong atomic.Int64
	round := func() {
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for range 200 {
					// Some are asked for again and again, most once.
					key := rand.IntN(100)
					if rand.IntN(2) == 0 {
						key = rand.IntN(1 << 30)
					}
					size := 8 + key%(1<<16)
					gets.Add(1)
					v, err := Get(t.Context(), s, KeyOf("k", key), forever, func(context.Context) ([]byte, error) {
						stored.Add(int64(size))
						data := make([]byte, size)
						binary.LittleEndian.PutUint64(data, uint64(key))
						return data, nil
					})
					if err != nil || len(v) != size || binary.LittleEndian.Uint64(v) != uint64(key) {
						wrong.Add(1)
					}
				}
			})
		}
		group.Wait()
	}
	var highest, cost int64
	for range times(2) {
		round()
		highest = max(highest, heap()-base)
		cost = max(cost, c.Stats().Bytes)
	}
	equal(t, "wrong answers", wrong.Load(), 0)
	if cost > bound {
		t.Errorf("results that cost %d bytes are stored; the bound is %d", cost, bound)
	}
	if highest > bound*5/4 {
		t.Errorf("the heap has grown by %d bytes; the bound is %d", highest, bound)
	}
	stats := c.Stats()
	t.Logf("%d gets of %d MiB through a bound of %d MiB: %d hits, %.1f MiB stored, the heap %.1f MiB larger at most",
		gets.Load(), stored.Load()>>20, bound>>20, stats.Hits, float64(cost)/(1<<20), float64(highest)/(1<<20))
}

// jumped is the same moment by the monotonic clock, after the clock on the wall was put forward by d: a
// time of before that happened.
func jumped(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	moved := at
	// The seconds on the wall are the 33 bits above the nanoseconds, which have 30.
	wall := (*uint64)(unsafe.Pointer(&moved))
	*wall = uint64(int64(*wall) - int64(d/time.Second)<<30)
	if moved.Sub(at) != 0 || moved.UnixNano() != at.UnixNano()-int64(d) {
		t.Fatalf("package time keeps its times in another form than this was written for: %v and %v", at, moved)
	}
	return moved
}

// A clock that is put forward or back ends nothing before its time, and keeps nothing for longer.
func TestFaultOfTheClock(t *testing.T) {
	t.Parallel()
	const years = 365 * 24 * time.Hour
	for _, jump := range []time.Duration{10 * years, time.Hour, -time.Hour, -10 * years} {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			t.Parallel()
			c := open(t, Config{})
			s := c.Scope("scope", nil)
			var long, short, dated source
			brief := Policy{TTL: 50 * time.Millisecond}
			until := Policy{TTL: 50 * time.Millisecond, Expires: time.Now().Add(20 * years)}
			for _, p := range []struct {
				text string
				p    Policy
				src  *source
			}{{"long", Policy{TTL: time.Hour}, &long}, {"short", brief, &short}, {"dated", until, &dated}} {
				get(t, s, p.text, p.p, p.src.load)
			}
			old := c.entries()
			c.start = jumped(t, c.start, jump)
			for _, e := range old {
				if e.wall != 0 {
					e.wall -= int64(jump)
				}
			}
			equal(t, "what lives for an hour", get(t, s, "long", Policy{TTL: time.Hour}, long.load), 1)
			equal(t, "its loads", long.count(), 1)

			// What is short ends when its time is over, also where the calendar would give it more.
			for _, e := range old {
				for e.fresh != never && e.fresh < int64(time.Minute) && !e.dead(c, time.Now()) {
					runtime.Gosched()
				}
			}
			equal(t, "what was short", get(t, s, "short", brief, short.load), 2)
			equal(t, "what has a date too", get(t, s, "dated", until, dated.load), 2)
			for _, e := range c.entries() {
				for e.fresh < int64(time.Minute) && !e.dead(c, time.Now()) {
					runtime.Gosched()
				}
			}
			c.runSweep()
			equal(t, "what is left in memory", len(c.entries()), 1) // what lives for an hour
		})
	}
}
