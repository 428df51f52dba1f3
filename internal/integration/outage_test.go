//go:build linux

package integration_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/sqlconn"
)

// own is a server that the test may kill, by backend.
func own(t *testing.T, b backend) *servers.Database {
	t.Helper()
	if b.dialect == "mysql" {
		return servers.StartMariaDB(t)
	}
	return servers.StartPostgres(t)
}

// load reads without the cache from many goroutines until it is stopped, and returns how many
// reads worked and the errors of those that did not.
func load(t *testing.T, conn *sqlconn.Conn, readers int, each func(time.Duration, error)) (stop func() int) {
	t.Helper()
	var done atomic.Bool
	var worked atomic.Int64
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for !done.Load() {
				began := time.Now()
				_, err := sqlconn.Query[string](context.Background(), conn.WithTTL(0), "select name from pets")
				if err == nil {
					worked.Add(1)
				}
				each(time.Since(began), err)
			}
		})
	}
	return func() int {
		done.Store(true)
		wg.Wait()
		return int(worked.Load())
	}
}

func TestServerKilledAndRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			d := own(t, b)
			conn := open(t, sqlconn.WithURL(d.URLAs(b.scheme)), connection.WithRetry(connection.Retry{Window: 2 * time.Minute}))
			exec(t, conn, "create table pets (name varchar(20))", "insert into pets values ('Rex')")

			var failed atomic.Int64
			var some atomic.Int64
			stop := load(t, conn, 16, func(_ time.Duration, err error) {
				some.Add(1)
				if err != nil && failed.Add(1) <= 3 {
					t.Errorf("a read failed: %v", err)
				}
			})
			reads := func(n int64) { // lets that many go by
				t.Helper()
				until := some.Load() + n
				eventually(t, "reads go on", func() bool { return some.Load() >= until })
			}
			reads(100)
			d.Kill(t)
			waiting := connection.Stats(conn).Retries + 32
			eventually(t, "reads are tried again", func() bool { return connection.Stats(conn).Retries >= waiting })
			d.Restart(t)
			reads(100)
			d.Restart(t) // in an orderly way this time
			reads(100)
			worked := stop()
			if n := failed.Load(); n != 0 {
				t.Errorf("%d reads failed, %d worked; want no failure", n, worked)
			}
		})
	}
}

func TestServerGoneForLongerThanTheWindow(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			const window = 300 * time.Millisecond
			d := own(t, b)
			conn := open(t, sqlconn.WithURL(d.URLAs(b.scheme)), connection.WithRetry(connection.Retry{Window: window}))
			exec(t, conn, "create table pets (name varchar(20))", "insert into pets values ('Rex')")
			d.Kill(t)

			var failed atomic.Int64
			stop := load(t, conn, 16, func(took time.Duration, err error) {
				if err == nil {
					return
				}
				failed.Add(1)
				noPassword(t, err, d.Password)
				// What is added to the window is this machine's business, not the library's.
				if took > window+5*time.Second {
					t.Errorf("an error after %v, want it within %v", took, window)
				}
				if e, ok := errors.AsType[*connection.Error](err); !ok || e.Name != "pets" {
					t.Errorf("error = %v, want one that names the connection", err)
				}
			})
			eventually(t, "reads fail", func() bool { return failed.Load() >= 32 })
			d.Restart(t)
			if _, err := sqlconn.Query[string](t.Context(), conn.WithTTL(0), "select name from pets"); err != nil {
				t.Errorf("after the restart: %v", err)
			}
			if worked := stop(); worked == 0 {
				t.Error("no read worked after the restart")
			}
		})
	}
}

// A thousand Resets while queries run and rows are open: nobody notices, and nothing is left.
func TestThousandResetsUnderLoad(t *testing.T) {
	for _, b := range []backend{pgx, pq} {
		t.Run(b.name, func(t *testing.T) {
			const resets, workers = 1000, 64
			d := b.shared(t)
			db := d.Admin(t)
			if _, err := db.ExecContext(t.Context(), "create table pets as select n as id from generate_series(1, 50) as n"); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "grant all on pets to public"); err != nil {
				t.Fatal(err)
			}
			before := goleak.IgnoreCurrent()
			// Once only: what a Reset breaks must show, not be tried again.
			conn := open(t, sqlconn.WithURL(d.URLAs(b.scheme)), connection.WithRetry(connection.Retry{Window: -1}))

			var done atomic.Bool
			var queries, failed atomic.Int64
			check := func(err error) {
				queries.Add(1)
				if err != nil && failed.Add(1) <= 3 {
					t.Errorf("a query failed: %v", err)
				}
			}
			var wg sync.WaitGroup
			for i := range workers {
				pause := b.sleep(time.Duration(5+45*i/workers) * time.Millisecond)
				wg.Go(func() {
					for round := 0; !done.Load(); round++ {
						if (i+round)%4 != 0 {
							_, err := sqlconn.Query[int](context.Background(), conn.WithTTL(0), pause)
							check(err)
							continue
						}
						rows := 0
						var failure error
						for _, err := range sqlconn.Rows[int](context.Background(), conn, "select id from pets") {
							if failure = err; err != nil {
								break
							}
							rows++
						}
						if failure == nil && rows != 50 {
							t.Errorf("%d rows of 50", rows)
						}
						check(failure)
					}
				})
			}
			for range resets {
				n := queries.Load()
				eventually(t, "queries go on", func() bool { return queries.Load() > n })
				if err := conn.Reset(); err != nil {
					t.Errorf("reset: %v", err)
				}
			}
			done.Store(true)
			wg.Wait()
			stats := connection.Stats(conn)
			t.Logf("%d queries, %d connects", queries.Load(), stats.Connects)
			if n := failed.Load(); n != 0 {
				t.Errorf("%d of %d queries failed", n, queries.Load())
			}
			if stats.Connects > resets+1 {
				t.Errorf("%d connects for %d resets", stats.Connects, resets)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the server has no connection left", func() bool { return d.Connections(t) == 0 })
			goleak.VerifyNone(t, before)
		})
	}
}
