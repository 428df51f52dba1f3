package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTenThousandGoroutinesOnOneKeyLoadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		var loads atomic.Int64
		for range 10_000 {
			go func() {
				v, err := Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) {
					elapse(50 * time.Millisecond)
					return int(loads.Add(1)), nil
				})
				if v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			}()
		}
		synctest.Wait()
		elapse(time.Second)
		equal(t, "the number of loads", loads.Load(), 1)
		equal(t, "Joined", s.cache.Stats().Joined, 9999)
	})
}

func TestCancelledLeaderIsSucceededByAFollower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		var loads, failures atomic.Int64
		load := func(ctx context.Context) (int, error) {
			loads.Add(1)
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(50 * time.Millisecond):
				return 7, nil
			}
		}
		leaving, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer leave()
		leaderErr := make(chan error, 1)
		go func() {
			_, err := Get(leaving, s, KeyOf("k"), forever, load)
			leaderErr <- err
		}()
		synctest.Wait()
		for range 100 {
			go func() {
				if v, err := Get(t.Context(), s, KeyOf("k"), forever, load); v != 7 || err != nil {
					failures.Add(1)
				}
			}()
		}
		elapse(time.Second)
		equal(t, "the leader's error", <-leaderErr, context.DeadlineExceeded)
		equal(t, "the number of followers that failed", failures.Load(), 0)
		equal(t, "the number of loads", loads.Load(), 2)
	})
}

func TestFollowerLeavesWithItsOwnContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		release := make(chan struct{})
		defer close(release)
		go func() {
			_, _ = Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) {
				<-release
				return 1, nil
			})
		}()
		synctest.Wait()
		why := errors.New("the user has left")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Millisecond, why)
		defer cancel()
		begin := time.Now()
		_, err := Get(ctx, s, KeyOf("k"), forever, value(2))
		equal(t, "the error", err, why)
		equal(t, "the time until then", time.Since(begin), 5*time.Millisecond)
	})
}

func TestEndedContextDoesNotLoad(t *testing.T) {
	t.Parallel()
	s := scope(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSource)
	var src source
	_, err := Get(ctx, s, KeyOf("k"), forever, src.load)
	equal(t, "the error", err, errSource)
	equal(t, "the number of loads", src.count(), 0)
}

// follow starts a leader with load, joins it from another goroutine, lets the load go on by closing the
// channel that it is given, and gives what the follower got.
func follow(t *testing.T, s *Scope, load func(release <-chan struct{}) (int, error)) error {
	t.Helper()
	release, landed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(landed)
		defer func() { _ = recover() }()
		_, _ = Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) { return load(release) })
	}()
	synctest.Wait()
	followed := make(chan error)
	go func() {
		_, err := Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) {
			return 0, errors.New("the follower had to load itself")
		})
		followed <- err
	}()
	synctest.Wait()
	close(release)
	err := <-followed
	<-landed
	return err
}

func TestPanicOfTheLeaderIsAnErrorForFollowers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		err := follow(t, s, func(release <-chan struct{}) (int, error) {
			<-release
			panic(errSource)
		})
		panicked, ok := errors.AsType[*PanicError](err)
		if !ok || panicked.Value() != any(errSource) || !errors.Is(err, errSource) {
			t.Fatalf("the follower got %v", err)
		}
		if !strings.Contains(string(panicked.Stack()), "TestPanicOfTheLeader") {
			t.Errorf("the stack does not show the load:\n%s", panicked.Stack())
		}
		equal(t, "the next value", get(t, s, "k", forever, value(3)), 3)
		equal(t, "LoadErrors", s.cache.Stats().LoadErrors, 1)
	})
}

func TestLeaderPanicsWithTheLoadsOwnValue(t *testing.T) {
	t.Parallel()
	s := scope(t)
	defer func() {
		equal(t, "what was recovered", recover(), any(errSource))
		equal(t, "the number of flights", len(s.cache.flights.all()), 0)
	}()
	_, _ = Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) { panic(errSource) })
}

func TestGoexitOfTheLeaderIsAnErrorForFollowers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		err := follow(t, s, func(release <-chan struct{}) (int, error) {
			<-release
			runtime.Goexit()
			return 0, nil
		})
		equal(t, "the error", err, errGoexit)
		equal(t, "the next value", get(t, s, "k", forever, value(3)), 3)
	})
}

func TestPanicErrorNeverShowsTheValue(t *testing.T) {
	t.Parallel()
	err := newPanicError("hunter2")
	for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %s %q %d %x", err, err, err, err, err, err, err)} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("the value is in %q", text)
		}
	}
	index := make([]int, 0)
	defer func() {
		err := newPanicError(recover())
		if !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%v does not tell the runtime's error", err)
		}
	}()
	_ = index[len(index)]
}

func TestDefect08_FlightTableDoesNotGrow(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBytes: 1 << 20}).Scope("scope", nil)
	for i := range 20_000 {
		_, _ = Get(t.Context(), s, KeyOf("key", i), forever, value(i))
	}
	for i := range s.cache.flights {
		equal(t, "the number of loads in a shard", len(s.cache.flights[i].loads), 0)
	}
}

func TestDefect11_WaitersShareAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		var loads atomic.Int64
		begin := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (int, error) {
					loads.Add(1)
					elapse(100 * time.Millisecond)
					return 0, errSource
				})
				if !errors.Is(err, errSource) {
					t.Errorf("the error is %v", err)
				}
			})
		}
		wg.Wait()
		equal(t, "the number of loads", loads.Load(), 1)
		equal(t, "the time they took", time.Since(begin), 100*time.Millisecond)
	})
}

func TestDefect14_ZeroTTLCallersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		begin := time.Now()
		var loads atomic.Int64
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, _ = Get(t.Context(), s, KeyOf("k"), Policy{}, func(context.Context) (int, error) {
					loads.Add(1)
					elapse(100 * time.Millisecond)
					return 0, nil
				})
			})
		}
		wg.Wait()
		equal(t, "the time they took", time.Since(begin), 100*time.Millisecond)
		equal(t, "the number of loads", loads.Load(), 5)
		equal(t, "the number of stored entries", s.cache.Stats().Entries, 0)
	})
}

func TestDifferentKeysLoadInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "resident", forever, value(1))
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				_, _ = Get(t.Context(), s, KeyOf("k", i), forever, func(context.Context) (int, error) {
					elapse(time.Second)
					return i, nil
				})
			})
		}
		synctest.Wait()
		equal(t, "the resident", get(t, s, "resident", forever, value(2)), 1)
		equal(t, "the time of a hit while others load", time.Since(begin), 0)
		wg.Wait()
		equal(t, "the time they took", time.Since(begin), time.Second)
	})
}

func TestDefect10_RecursionIsAnErrorAndNotADeadlock(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var load func(context.Context) (int, error)
	load = func(ctx context.Context) (int, error) { return Get(ctx, s, KeyOf("k"), forever, load) }
	_, err := Get(t.Context(), s, KeyOf("k"), forever, load)
	if !errors.Is(err, ErrRecursive) {
		t.Errorf("the error is %v", err)
	}
	equal(t, "the next value", get(t, s, "k", forever, value(3)), 3)
}

func TestRecursionThroughAnotherKeyIsAnError(t *testing.T) {
	t.Parallel()
	s, other := scope(t), scope(t)
	var a, b func(context.Context) (int, error)
	a = func(ctx context.Context) (int, error) { return Get(ctx, other, KeyOf("b"), forever, b) }
	b = func(ctx context.Context) (int, error) { return Get(ctx, s, KeyOf("a"), forever, a) }
	if _, err := Get(t.Context(), s, KeyOf("a"), forever, a); !errors.Is(err, ErrRecursive) {
		t.Errorf("the error is %v", err)
	}
}

func TestLoadsThatNeedEachOtherAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		crossed := make(chan struct{})
		needs := func(name string) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				<-crossed
				return Get(ctx, s, KeyOf(name), forever, value(0))
			}
		}
		errs := make(chan error, 2)
		for _, pair := range [][2]string{{"a", "b"}, {"b", "a"}} {
			go func() {
				_, err := Get(t.Context(), s, KeyOf(pair[0]), forever, needs(pair[1]))
				errs <- err
			}()
		}
		synctest.Wait()
		close(crossed)
		// One of the two is refused; the other then gets the same error from its load.
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrRecursive) {
				t.Errorf("the error is %v", err)
			}
		}
	})
}

func TestLoadsMayReadOtherKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		inner := func(context.Context) (int, error) {
			elapse(time.Second)
			return 20, nil
		}
		var wg sync.WaitGroup
		for i := range 50 { // of each other's flights, too
			wg.Go(func() {
				v, err := Get(t.Context(), s, KeyOf("outer", i%5), forever, func(ctx context.Context) (int, error) {
					return Get(ctx, s, KeyOf("inner"), forever, inner)
				})
				if v != 20 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		equal(t, "the number of loads", s.cache.Stats().Loads, 6)
	})
}
