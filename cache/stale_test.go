package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func staleFor(d time.Duration) Policy {
	return Policy{TTL: time.Second, Stale: d, Transient: func(err error) bool { return errors.Is(err, errTransient) }}
}

func TestStaleResultIsServedWhileOneRefreshRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(10 * time.Second)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		begin := time.Now()
		loads := 0
		slow := func(context.Context) (int, error) {
			loads++
			elapse(3 * time.Second)
			return 2, nil
		}
		for range 64 {
			equal(t, "the stale value", get(t, s, "k", p, slow), 1)
		}
		equal(t, "the time that took", time.Since(begin), 0)
		elapse(3 * time.Second)
		synctest.Wait()
		equal(t, "the refreshed value", get(t, s, "k", p, slow), 2)
		equal(t, "the number of refreshes", loads, 1)
		st := s.cache.Stats()
		equal(t, "Stale", st.Stale, 64)
		equal(t, "Refreshes", st.Refreshes, 1)
		equal(t, "Hits", st.Hits, 65)
	})
}

func TestStaleEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write, read time.Duration
		served      time.Duration
	}{
		"at the time of both":         {5 * time.Second, 5 * time.Second, 6 * time.Second},
		"at the reader's":             {5 * time.Second, 2 * time.Second, 3 * time.Second},
		"at the writer's":             {2 * time.Second, 5 * time.Second, 3 * time.Second},
		"at once without the reader":  {5 * time.Second, 0, time.Second},
		"at once without the writer":  {0, 5 * time.Second, time.Second},
		"at once for a negative time": {-1, -1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scope(t)
				get(t, s, "k", staleFor(c.write), value(1))
				elapse(c.served - 1)
				busy := func(context.Context) (int, error) { return 0, errTransient }
				equal(t, "the value just before", get(t, s, "k", staleFor(c.read), busy), 1)
				elapse(1)
				equal(t, "the value then", get(t, s, "k", staleFor(c.read), value(3)), 3)
			})
		})
	}
}

func TestLookupLeavesStaleResultsToGet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Minute)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		if _, ok := Lookup[int](s, "k", nil, &p); ok {
			t.Error("Lookup gave a stale result")
		}
		equal(t, "Stale", s.cache.Stats().Stale, 0)
	})
}

func TestStaleResultSurvivesTransientFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		var src source
		get(t, s, "k", p, src.load)
		src.setFail(fmt.Errorf("wrapped: %w", errTransient))
		for range 600 { // ten minutes
			elapse(time.Second)
			equal(t, "the value", get(t, s, "k", p, src.load), 1)
			synctest.Wait()
		}
		// 1, 2, 4, 8, 16, 32 seconds between the tries, then a minute.
		if n := src.count(); n < 10 || n > 20 {
			t.Errorf("%d loads in ten minutes", n)
		}
		src.setFail(nil)
		loads := src.count()
		elapse(time.Minute)
		get(t, s, "k", p, src.load)
		synctest.Wait()
		equal(t, "the value after recovery", get(t, s, "k", p, src.load), loads+1)
	})
}

func TestStaleResultIsDroppedByAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		var src source
		get(t, s, "k", p, src.load)
		src.setFail(errSource) // "permission denied", for instance
		elapse(time.Second)
		equal(t, "the value while the refresh runs", get(t, s, "k", p, src.load), 1)
		synctest.Wait()
		if _, err := Get(t.Context(), s, KeyOf("k"), p, src.load); !errors.Is(err, errSource) {
			t.Errorf("the next call got %v", err)
		}
		equal(t, "the number of entries in memory", len(s.cache.entries()), 0)
		equal(t, "RefreshErrors", s.cache.Stats().RefreshErrors, 1)
	})
}

// An error that is Transient, and an answer that is cached, is the latter.
func TestStaleResultIsReplacedByANegativeAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		p.Negative, p.IsNegative = time.Minute, p.Transient
		var src source
		get(t, s, "k", p, src.load)
		src.setFail(errTransient)
		elapse(time.Second)
		equal(t, "the value while the refresh runs", get(t, s, "k", p, src.load), 1)
		synctest.Wait()
		for range 2 {
			if _, err := Get(t.Context(), s, KeyOf("k"), p, src.load); !errors.Is(err, errTransient) {
				t.Errorf("the next call got %v", err)
			}
		}
		equal(t, "the number of loads", src.count(), 2)
	})
}

func TestNilContextLeavesAStaleResultToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		var none context.Context
		if _, err := Get(none, s, KeyOf("k"), p, value(2)); err != errNoContext { //nolint:errorlint // as it is
			t.Errorf("error %v", err)
		}
		equal(t, "the stale value", get(t, s, "k", p, value(2)), 1)
		synctest.Wait()
		equal(t, "the refreshed value", get(t, s, "k", p, value(3)), 2)
	})
}

func TestRefreshOutlivesTheCallAndKeepsItsValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		type traceKey struct{}
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "trace"))
		_, err := Get(ctx, s, KeyOf("k"), p, func(ctx context.Context) (int, error) {
			elapse(time.Second)
			equal(t, "the value in the context", ctx.Value(traceKey{}), any("trace"))
			return 2, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		elapse(1500 * time.Millisecond)
		equal(t, "the refreshed value", get(t, s, "k", p, value(3)), 2)
	})
}

func TestRefreshEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{RefreshTimeout: 2 * time.Second}).Scope("scope", nil)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		begin, ended := time.Now(), make(chan time.Duration, 1)
		hang := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			ended <- time.Since(begin)
			return 0, ctx.Err()
		}
		get(t, s, "k", p, hang)
		equal(t, "the time that the refresh had", <-ended, 2*time.Second)
		synctest.Wait()
		equal(t, "the value afterwards", get(t, s, "k", p, hang), 1)
	})
}

func TestRefreshesEndWithTheirOwner(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Scope) error{
		"Scope.Close": (*Scope).Close,
		"Cache.Close": func(s *Scope) error { return s.cache.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := open(t, Config{})
				s, other := c.Scope("a", nil), c.Scope("b", nil)
				p := staleFor(time.Hour)
				get(t, s, "k", p, value(1))
				get(t, other, "k", p, value(1))
				elapse(time.Second)
				ended := make(chan string, 2)
				hang := func(name string) func(context.Context) (int, error) {
					return func(ctx context.Context) (int, error) {
						<-ctx.Done()
						ended <- name
						return 0, ctx.Err()
					}
				}
				get(t, s, "k", p, hang("its own"))
				get(t, other, "k", p, hang("another's"))
				synctest.Wait()
				for range 2 {
					if err := end(s); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if name == "Scope.Close" {
					equal(t, "what ended", <-ended, "its own")
					equal(t, "the number that ended besides", len(ended), 0)
					equal(t, "what a closed scope does with a stale result", get(t, s, "k", p, value(5)), 5)
					equal(t, "what it does with a fresh one", get(t, s, "k", p, value(6)), 5)
				} else {
					equal(t, "the number that ended", len(ended), 2)
				}
				_ = c.Close()
			})
		})
	}
}

func TestMissJoinsARefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		get(t, s, "k", p, func(context.Context) (int, error) {
			elapse(time.Second)
			return 2, nil
		})
		synctest.Wait()
		equal(t, "what a call without Stale gets", get(t, s, "k", oneSecond, value(3)), 2)
	})
}

func TestMissSurvivesTheEndOfTheRefreshThatItJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, Config{})
		s, again := c.Scope("scope", nil), c.Scope("scope", nil)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		get(t, s, "k", p, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		got := make(chan int)
		go func() { got <- get(t, again, "k", oneSecond, value(3)) }()
		synctest.Wait()
		_ = s.Close()
		equal(t, "what it gets", <-got, 3)
	})
}

func TestRefreshOfALoadMayReadWhatThatLoads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		get(t, s, "inner", p, value(1))
		elapse(time.Second)
		// The load of "outer" is served the stale "inner", whose refresh waits for "outer".
		refreshed := make(chan error, 1)
		outer := get(t, s, "outer", forever, func(ctx context.Context) (int, error) {
			v, err := Get(ctx, s, KeyOf("inner"), p, func(ctx context.Context) (int, error) {
				v, err := Get(ctx, s, KeyOf("outer"), forever, value(0))
				refreshed <- err
				return v, err
			})
			synctest.Wait()
			return v + 10, err
		})
		equal(t, "the outer value", outer, 11)
		if err := <-refreshed; err != nil {
			t.Error(err)
		}
	})
}

func TestPanicOfARefreshDoesNotEndTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logs
		s := open(t, Config{Logger: log.logger()}).Scope("scope", nil)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		get(t, s, "k", p, func(context.Context) (int, error) { panic("hunter2") })
		synctest.Wait()
		if text := log.String(); !strings.Contains(text, "panicked") || strings.Contains(text, "hunter2") {
			t.Errorf("it was logged as %s", text)
		}
		equal(t, "the next value", get(t, s, "k", p, value(3)), 3)
	})
}

func TestPanicOfTransientDoesNotEndTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := Policy{TTL: time.Second, Stale: time.Hour, Transient: func(error) bool { panic("hunter2") }}
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		get(t, s, "k", p, func(context.Context) (int, error) { return 0, errTransient })
		synctest.Wait()
		equal(t, "the next value", get(t, s, "k", p, value(3)), 3)
		equal(t, "the number under way", len(s.cache.refreshes.under), 0)
	})
}

func TestRefreshThatEndsItsGoroutineFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		get(t, s, "k", p, func(context.Context) (int, error) {
			runtime.Goexit()
			return 0, nil
		})
		synctest.Wait()
		equal(t, "the next value", get(t, s, "k", p, value(3)), 3)
		equal(t, "RefreshErrors", s.cache.Stats().RefreshErrors, 1)
	})
}

func TestNumberOfRefreshesIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		const n = maxRefreshes * 2
		for i := range n {
			get(t, s, fmt.Sprint(i), p, value(i))
		}
		elapse(time.Second)
		release := make(chan struct{})
		for i := range n {
			equal(t, "the stale value", get(t, s, fmt.Sprint(i), p, func(context.Context) (int, error) {
				<-release
				return -i, nil
			}), i)
		}
		equal(t, "the number of refreshes", s.cache.Stats().Refreshes, maxRefreshes)
		close(release)
		synctest.Wait()
		equal(t, "the number under way afterwards", len(s.cache.refreshes.under), 0)
		get(t, s, fmt.Sprint(n-1), p, value(-1)) // what had to wait has its turn now
		synctest.Wait()
		equal(t, "the number of refreshes", s.cache.Stats().Refreshes, maxRefreshes+1)
	})
}

func TestClearEndsStaleResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := staleFor(time.Hour)
		get(t, s, "k", p, value(1))
		elapse(time.Second)
		s.cache.Clear()
		equal(t, "the value", get(t, s, "k", p, value(2)), 2)
	})
}

func TestNegativeAnswersAreCachedForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		p := Policy{TTL: Forever, Negative: time.Second, IsNegative: func(err error) bool { return errors.Is(err, errNoRows) }}
		src := source{fail: fmt.Errorf("user 5: %w", errNoRows)}
		ask := func(p Policy) error {
			t.Helper()
			v, err := Get(t.Context(), s, KeyOf("k"), p, src.load)
			if err != nil && v != 0 {
				t.Errorf("the value next to an error is %d", v)
			}
			return err
		}
		for range 3 {
			if err := ask(p); !errors.Is(err, src.fail) {
				t.Fatalf("the error is %v", err)
			}
		}
		equal(t, "the number of loads", src.count(), 1)
		equal(t, "Negative", s.cache.Stats().Negative, 2)
		if _, ok := Lookup[int](s, "k", nil, &p); ok {
			t.Error("Lookup gave an error as a result")
		}
		_ = ask(forever)
		equal(t, "the number of loads after a call that does not ask for it", src.count(), 2)
		_ = ask(p)
		_ = ask(Policy{TTL: Forever, Negative: time.Second})
		equal(t, "the number of loads after one that asks for it by halves", src.count(), 3)
		_ = ask(p)
		elapse(time.Second)
		src.setFail(nil)
		if err := ask(p); err != nil {
			t.Errorf("after its time the error is still %v", err)
		}
		src.setFail(errSource)
		s.cache.Clear()
		for range 2 {
			if err := ask(p); !errors.Is(err, errSource) {
				t.Errorf("the error is %v", err)
			}
		}
		equal(t, "the number of loads with errors that are no answers", src.count(), 6)
	})
}
