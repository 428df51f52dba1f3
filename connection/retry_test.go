package connection_test

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/deadlinetest"
)

type said bool

func (s said) Error() string   { return fmt.Sprintf("says of itself that it is transient: %t", bool(s)) }
func (s said) Transient() bool { return bool(s) }

type retryAfterError struct{ wait time.Duration }

func (retryAfterError) Error() string               { return "busy" }
func (retryAfterError) Transient() bool             { return true }
func (r retryAfterError) RetryAfter() time.Duration { return r.wait }

type timeout struct{}

func (timeout) Error() string   { return "timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// failing reads, without a cache, from a source that fails with err the given number of times.
func failing(ctx context.Context, c connection.Connection[*client], err error, times int) (tries int, last error) {
	_, last = connection.Read(ctx, c, "k", 0, func(context.Context, *client) (string, error) {
		tries++
		if tries <= times {
			return "", err
		}
		return "ok", nil
	})
	return tries, last
}

func TestWhatIsTransient(t *testing.T) {
	t.Parallel()
	special := errors.New("special")
	for _, test := range []struct {
		err  error
		want bool
	}{
		{driver.ErrBadConn, true},
		{fmt.Errorf("wrapped: %w", driver.ErrBadConn), true},
		{io.ErrUnexpectedEOF, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, false}, // bad certificate
		{&os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}, true},
		{syscall.EPIPE, true},
		{net.ErrClosed, true},
		{&net.DNSError{IsNotFound: true}, true},
		{&net.DNSError{}, false},
		{timeout{}, true},
		{said(true), true},
		{fmt.Errorf("wrapped: %w", said(true)), true},
		{said(false), false},
		{fmt.Errorf("%w: %w", said(false), driver.ErrBadConn), false}, // it knows best
		{special, false},
		{context.Canceled, false}, // of some other context
		{context.DeadlineExceeded, false},
		{io.EOF, false},
		{errors.New("syntax error"), false},
	} {
		for _, known := range []bool{false, true} { // WithTransient(special), and so of the kind
			synctest.Test(t, func(t *testing.T) {
				var opts []connection.Option
				want := test.want
				if known {
					opts = append(opts, connection.WithTransient(func(err error) bool { return errors.Is(err, special) }))
					want = want || errors.Is(test.err, special)
				}
				c := open(t, world(t, nil), "x", new(source).connect, opts...)
				tries, err := failing(context.Background(), c, test.err, 1)
				if (err == nil) != want || tries != 1 && !want || tries != 2 && want {
					t.Errorf("%v (%T): %d tries, %v; transient: %t", test.err, test.err, tries, err, want)
				}
				if retries := connection.Stats(c).Retries; retries != uint64(tries-1) {
					t.Errorf("%v: %d retries counted", test.err, retries)
				}
				if !want && err != test.err { //nolint:errorlint // as it is, not wrapped
					t.Errorf("got %v, want %v as it is", err, test.err)
				}
			})
		}
	}
}

func TestKindSaysWhatIsTransient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		special := errors.New("special")
		kind := connection.Kind[*client, connection.Connection[*client]]{
			Name: "src", Connect: new(source).connect, Transient: func(err error) bool { return errors.Is(err, special) },
		}
		c, err := kind.Open(t.Context(), "x", connection.In(world(t, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if tries, err := failing(context.Background(), c, special, 3); tries != 4 || err != nil {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
}

func TestRetryWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		retry    connection.Retry
		deadline time.Duration // of the caller; 0: none
		err      error
		min, max time.Duration // until the error
		text     string
	}{
		{"the default", connection.Retry{}, 0, driver.ErrBadConn, 4 * time.Second, 5 * time.Second, "times in"},
		{"its own", connection.Retry{Window: 30 * time.Second}, 0, driver.ErrBadConn, 29 * time.Second, 30 * time.Second, "times in"},
		{"the caller's deadline is longer", connection.Retry{}, time.Minute, driver.ErrBadConn, 59 * time.Second, time.Minute, "times in"},
		{"the caller's deadline is shorter", connection.Retry{Window: time.Hour}, time.Second, driver.ErrBadConn, 0, time.Second, "times in"},
		{"none", connection.Retry{Window: -1}, 0, driver.ErrBadConn, 0, 0, "driver: bad connection"},
		{"none, with a deadline", connection.Retry{Window: -1}, time.Minute, driver.ErrBadConn, 0, 0, "driver: bad connection"},
		{"the server asks for too much", connection.Retry{}, 0, retryAfterError{6 * time.Second}, 0, 0, "busy (tried once, no time for another)"},
		{"the server asks for a pause", connection.Retry{}, 0, retryAfterError{2 * time.Second}, 4 * time.Second, 5 * time.Second, "busy (tried 3 times in 4s)"},
		{"too little for a pause", connection.Retry{Window: time.Millisecond}, 0, driver.ErrBadConn, 0, 0, "(tried once, no time for another)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := open(t, world(t, nil), "x", new(source).connect, connection.WithRetry(test.retry))
				ctx := context.Background()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := failing(ctx, c, test.err, 1<<30)
				if d := time.Since(start); d < test.min || d > test.max {
					t.Errorf("failed after %v, want %v to %v", d, test.min, test.max)
				}
				wantErrorIs(t, err, test.err)
				wantErrorText(t, err, test.text)
			})
		})
	}
}

// The pauses double from 50 ms to 1 s, shortened by a random part of up to a half.
func TestRetryPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect, connection.WithRetry(connection.Retry{Window: time.Hour}))
		var at []time.Time
		_, err := connection.Read(context.Background(), c, "k", 0, func(context.Context, *client) (int, error) {
			at = append(at, time.Now())
			if len(at) <= 200 {
				return 0, driver.ErrBadConn
			}
			return 1, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		longest := 50 * time.Millisecond
		same := true
		for i := 1; i < len(at); i++ {
			pause := at[i].Sub(at[i-1])
			if pause < longest/2 || pause > longest {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, longest/2, longest)
			}
			same = same && pause == longest
			longest = min(2*longest, time.Second)
		}
		if same {
			t.Error("no jitter")
		}
	})
}

// A pause ends with the caller's context; the error tells of both.
func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(errors.New("had enough")) })
		start := time.Now()
		_, err := failing(ctx, c, driver.ErrBadConn, 1<<30)
		if d := time.Since(start); d != time.Second {
			t.Errorf("after %v", d)
		}
		for _, want := range []error{context.Canceled, driver.ErrBadConn} {
			wantErrorIs(t, err, want)
		}
		wantErrorText(t, err, "had enough", "the last try failed: driver: bad connection")
	})
}

// A source that comes back within the window costs no read; connects are tried again too.
func TestReadOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		c := open(t, world(t, nil), "x", src.connect)
		back := time.Now().Add(3 * time.Second)
		src.dial = func(context.Context, *connection.Params) error {
			if time.Now().Before(back) {
				return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return nil
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		loads := 0
		if read(t, c, "k", &loads); loads != 1 {
			t.Errorf("%d loads", loads)
		}
		if s := connection.Stats(c); s.Retries == 0 || s.ConnectErrors != s.Retries {
			t.Errorf("%+v", s)
		}
	})
}

// Do and Write run once, whatever happens.
func TestOnlyReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	for name, run := range map[string]func(context.Context, connection.Connection[*client], func(*client) error) error{
		"Do": connection.Do[*client], "Write": connection.Write[*client],
	} {
		runs := 0
		err := run(t.Context(), c, func(*client) error { runs++; return driver.ErrBadConn })
		if runs != 1 || err != driver.ErrBadConn { //nolint:errorlint // as it is
			t.Errorf("%s: %d runs, %v", name, runs, err)
		}
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		deadlock, runs := errors.New("deadlock"), 0
		only := func(err error) bool { return errors.Is(err, deadlock) }
		err := connection.Again(context.Background(), c, only, func() error {
			if runs++; runs < 4 {
				return deadlock
			}
			return nil
		})
		if runs != 4 || err != nil || connection.Stats(c).Retries != 3 {
			t.Errorf("%d runs, %v, %+v", runs, err, connection.Stats(c))
		}
		runs = 0
		err = connection.Again(context.Background(), c, only, func() error { runs++; return driver.ErrBadConn })
		if runs != 1 || err != driver.ErrBadConn { //nolint:errorlint // as it is
			t.Errorf("%d runs, %v: only the caller's rule counts", runs, err)
		}
	})
}

// Who joins the load of somebody with less time is not served with the end of that.
func TestWhoHasMoreTimeGoesOnWhenALeaderGivesUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		leader, mine time.Duration // their deadlines; 0: none, which is 5 s
		joins        time.Duration // after the leader
		back         time.Duration // when the source is, after the leader's call
		works        bool
	}{
		{"a deadline", 20 * time.Millisecond, 10 * time.Second, 0, time.Second, true},
		{"none", 20 * time.Millisecond, 0, 0, time.Second, true},
		{"after one without", 0, 0, 4 * time.Second, 7 * time.Second, true},
		{"too little of it", 20 * time.Millisecond, 0, 0, 6 * time.Second, false},
		{"as much as the leader", 0, 0, 0, 6 * time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := open(t, world(t, nil), "x", new(source).connect)
				began := time.Now()
				tries := 0
				load := func(ctx context.Context, _ *client) (string, error) {
					tries++
					<-time.After(10 * time.Millisecond)
					if time.Since(began) < test.back {
						return "", said(true)
					}
					return "ok", ctx.Err()
				}
				read := func(within time.Duration) (string, error) {
					ctx, cancel := context.Background(), context.CancelFunc(func() {})
					if within > 0 {
						ctx, cancel = context.WithTimeout(ctx, within)
					}
					defer cancel()
					return connection.Read(ctx, c, "k", cacheForever, load)
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					if v, err := read(test.leader); err == nil {
						t.Errorf("the leader got %q", v)
					}
				})
				synctest.Wait() // it leads
				<-time.After(test.joins)
				for range 100 {
					wg.Go(func() {
						v, err := read(test.mine)
						if works := v == "ok" && err == nil; works != test.works {
							t.Errorf("%q, %v after %v", v, err, time.Since(began))
						}
						if _, ok := errors.AsType[said](err); err != nil && !ok {
							t.Errorf("%v is not the source's", err)
						}
						if test.mine == 0 && time.Since(began) > test.joins+5*time.Second+10*time.Millisecond {
							t.Errorf("it took until %v", time.Since(began))
						}
					})
				}
				wg.Wait()
				if tries > 30 {
					t.Errorf("%d tries", tries)
				}
			})
		})
	}
}

func TestWaitForAnotherLoadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		load := func(context.Context, *client) (string, error) { return "", retryAfterError{time.Second} }
		ctx, cancel := context.WithCancel(context.Background())
		began := time.Now()
		time.AfterFunc(500*time.Millisecond, cancel)
		var wg sync.WaitGroup
		wg.Go(func() {
			soon, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			_, _ = connection.Read(soon, c, "k", cacheForever, func(ctx context.Context, c *client) (string, error) {
				<-time.After(10 * time.Millisecond)
				return load(ctx, c)
			})
		})
		synctest.Wait()
		_, err := connection.Read(ctx, c, "k", cacheForever, load)
		if !errors.Is(err, context.Canceled) || time.Since(began) != 500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		wg.Wait()
	})
}

// What is remembered is the answer, also to those who would have tried for longer.
func TestRememberedFailureIsNotWaitedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		tries := 0
		p := cache.Policy{TTL: time.Hour, Negative: time.Minute, IsNegative: func(err error) bool { return errors.Is(err, said(true)) }}
		read := func(within time.Duration) {
			ctx, cancel := context.WithTimeout(context.Background(), within)
			defer cancel()
			_, err := connection.Load(ctx, c, cache.KeyOf("k"), p, func(context.Context, *client) (int, error) {
				tries++
				return 0, said(true)
			})
			if !errors.Is(err, said(true)) {
				t.Error(err)
			}
		}
		read(20 * time.Millisecond)
		led, began := tries, time.Now()
		read(time.Hour)
		if tries != led || time.Since(began) != 0 {
			t.Errorf("%d more loads, %v", tries-led, time.Since(began))
		}
	})
}

// A load that gives up on another connection has failed, and does so once.
func TestLoadThatReadsElsewhereIsNotRepeatedForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := open(t, world(t, nil), "inner", new(source).connect, connection.WithTransient(func(error) bool { return true }))
		outer := open(t, world(t, nil), "outer", new(source).connect)
		loads := 0
		_, err := connection.Read(context.Background(), outer, "k", time.Hour, func(ctx context.Context, _ *client) (int, error) {
			loads++
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			return connection.Read(ctx, inner, "k", time.Hour, func(context.Context, *client) (int, error) {
				return 0, errors.New("passes, for the inner one")
			})
		})
		if loads != 1 || err == nil {
			t.Errorf("%d loads, %v", loads, err)
		}
	})
}

func TestDeadlineThatTheNetworkNoticesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := open(t, world(t, nil), "far", (&source{dial: func(ctx context.Context, _ *connection.Params) error { return deadlinetest.Dial(ctx) }}).connect)
		near := open(t, world(t, nil), "near", new(source).connect)
		if err := far.Reset(); err != nil {
			t.Error(err)
		}
		for name, call := range map[string]func(ctx context.Context) error{
			"connecting": func(ctx context.Context) error { _, err := far.Raw(ctx); return err },
			"reading": func(ctx context.Context) error {
				_, err := connection.Read(ctx, near, "k", time.Hour, func(ctx context.Context, _ *client) (int, error) { return 0, deadlinetest.Dial(ctx) })
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			if err := call(deadlinetest.Early(ctx)); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v, want the end of the context, and what the network said", name, err)
			}
			cancel()
		}
	})
}
