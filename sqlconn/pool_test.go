package sqlconn_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

// Streamlit never closes its connections: after 15 queries, or some hundreds with a diligent garbage
// collector, its pool is empty for good.
func TestDefect03_QueriesNeverExhaustThePool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.On(selectRun, fakedb.Rows([]string{"run"}, []any{1}, []any{2}))
		srv.On(insertRun, numbered())
		srv.On("select", fakedb.Fail(&fakedb.StateError{State: "42601"}))
		uncached := c.WithTTL(0)
		begin := time.Now()
		for range 200 {
			query[int](t, uncached, selectRun)
			one[int](t, uncached, insertRun)
			exec(t, c, insertRun)
			if _, err := uncached.Query(t.Context(), selectRun); err != nil {
				t.Fatal(err)
			}
			if _, err := sqlconn.Query[int](t.Context(), c, "select"); err == nil {
				t.Fatal("no error")
			}
			_, err := sqlconn.QueryOne[int](t.Context(), uncached, selectRun)
			wantIs(t, err, sqlconn.ErrManyRows)
			if _, err := sqlconn.Query[struct{ Other string }](t.Context(), uncached, selectRun); err == nil {
				t.Fatal("no error")
			}
			for _, err := range sqlconn.Rows[int](t.Context(), c, selectRun) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if err := c.Session(t.Context(), func(tx *sqlconn.Tx) error { query[int](t, tx, selectRun); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if s := srv.Stats(); s.MaxLive != 1 || s.OpenRows != 0 || time.Since(begin) != 0 {
			t.Errorf("1,800 calls, one after the other, took %d connections, left %d result sets open, and waited %v", s.MaxLive, s.OpenRows, time.Since(begin))
		}
	})
}

func TestPoolTimeout(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *sqlconn.Conn) error{
		"Ping": func(ctx context.Context, c *sqlconn.Conn) error { return connection.Ping(ctx, c) },
		"Session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(*sqlconn.Tx) error { return nil })
		},
		"RetrySession": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(*sqlconn.Tx) error { return nil }, sqlconn.RetrySession())
		},
	}
	for how, read := range reads {
		calls["read by "+how] = func(ctx context.Context, c *sqlconn.Conn) error { return read(ctx, c, selectRun) }
	}
	for how, write := range writes {
		calls["write by "+how] = func(ctx context.Context, c *sqlconn.Conn) error { return write(ctx, c, insertRun) }
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t, connection.With("pool_size", 1), connection.With("max_overflow", 1), connection.With("pool_timeout", "7s"))
				srv.On(selectRun, numbered())
				srv.On(insertRun, numbered())
				hold, held := make(chan struct{}), sync.WaitGroup{}
				held.Go(func() { // Rows and Sessions hold a connection each
					if err := c.Session(t.Context(), func(*sqlconn.Tx) error { <-hold; return nil }); err != nil {
						t.Error(err)
					}
				})
				srv.On("select held", numbered())
				held.Go(func() {
					for range sqlconn.Rows[int](t.Context(), c, "select held") {
						<-hold
					}
				})
				synctest.Wait()

				begin := time.Now()
				err := call(t.Context(), c)
				full, ok := errors.AsType[*sqlconn.PoolTimeoutError](err)
				if took := time.Since(begin); !ok || full.Size != 2 || full.Timeout != 7*time.Second || took != 7*time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				wantText(t, err, `connection "pets" (sql): `, "2 connections", "7s", "pool_size")
				if s := connection.Stats(c); s.Retries != 0 || s.Resets != 0 {
					t.Errorf("%d retries, %d resets", s.Retries, s.Resets)
				}

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin = time.Now()
				wantIs(t, call(ctx, c), context.DeadlineExceeded)
				if took := time.Since(begin); took != time.Second {
					t.Errorf("with a context of a second, took %v", took)
				}

				why := errors.New("had enough")
				caused, end := context.WithTimeoutCause(t.Context(), time.Second, why)
				defer end()
				err = call(caused, c)
				wantIs(t, err, context.DeadlineExceeded)
				wantIs(t, err, why)

				time.AfterFunc(time.Second, func() { close(hold) })
				if err := call(t.Context(), c); err != nil { // served as soon as there is a connection
					t.Error(err)
				}
				held.Wait()
			})
		})
	}
}

func TestPoolTimeoutOfZeroDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t, connection.With("pool_size", 1), connection.With("max_overflow", 0), connection.With("pool_timeout", 0))
		srv.On(selectRun, numbered())
		begin := time.Now()
		for _, err := range sqlconn.Rows[int](t.Context(), c, selectRun) {
			if err != nil {
				t.Error(err)
			}
			_, err := sqlconn.Query[int](t.Context(), c, selectRun)
			if _, ok := errors.AsType[*sqlconn.PoolTimeoutError](err); !ok {
				t.Errorf("error: %v", err)
			}
		}
		one[int](t, c, selectRun)
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestPoolSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		opts []connection.Option
		most int
	}{
		{"Streamlit's defaults", nil, 15},
		{"set", []connection.Option{connection.With("pool_size", 2), connection.With("max_overflow", 1)}, 3},
		{"without overflow", []connection.Option{connection.With("pool_size", 2), connection.With("max_overflow", 0)}, 2},
		{"without bounds", []connection.Option{connection.With("pool_size", 0)}, 40},
		{"without waiting", []connection.Option{connection.With("max_overflow", -1)}, 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t, test.opts...)
				srv.On(selectRun, fakedb.Wait(func(context.Context) error { elapse(time.Second); return nil }, numbered()))
				var wg sync.WaitGroup
				for range 40 {
					wg.Go(func() {
						if _, err := sqlconn.Query[int](t.Context(), c.WithTTL(0), selectRun); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if n := srv.Stats().MaxLive; n != test.most {
					t.Errorf("up to %d connections, want %d", n, test.most)
				}
			})
		})
	}
}

func TestPrePing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t, connection.With("pool_pre_ping", true), connection.WithRetry(connection.Retry{Window: -1}))
		srv.On(selectRun, numbered())
		for range 3 {
			one[int](t, c.WithTTL(0), selectRun)
			srv.Break(nil)
		}
		if err := c.Session(t.Context(), func(tx *sqlconn.Tx) error { one[int](t, tx, selectRun); return nil }); err != nil {
			t.Error(err)
		}
		if n := srv.Count(selectRun); n != 4 {
			t.Errorf("%d runs of 4 queries", n)
		}
		srv.Down(nil)
		if _, err := sqlconn.Query[int](t.Context(), c.WithTTL(0), selectRun); err == nil {
			t.Error("no error from a database that is down")
		}
	})
}
