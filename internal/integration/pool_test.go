//go:build linux

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/sqlconn"
)

// sleep is a query of a backend that takes a while.
func (b backend) sleep(d time.Duration) string {
	return fmt.Sprintf(b.on("select 1 from pg_sleep(%g)", "select 1 from (select sleep(%g)) as s", ""), d.Seconds())
}

func TestPoolSizeAndOverflowBoundTheConnections(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, d := b.open(t, connection.With("create_engine_kwargs", map[string]any{"pool_size": 2, "max_overflow": 1}))
			stop := make(chan struct{})
			most := make(chan int)
			go func() { // watches from the server's side
				n := 0
				for {
					select {
					case <-stop:
						most <- n
						return
					default:
						n = max(n, d.Connections(t))
					}
				}
			}()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := sqlconn.Query[int](t.Context(), conn.WithTTL(0), b.sleep(20*time.Millisecond)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			close(stop)
			if n := <-most; n > 3 || n == 0 {
				t.Errorf("the server saw %d connections at a time, want 1 to 3", n)
			}
			eventually(t, "only pool_size connections stay", func() bool { return d.Connections(t) <= 2 })
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "no connection after Close", func() bool { return d.Connections(t) == 0 })
		})
	}
}

func TestPoolTimeoutIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t, connection.With("pool_size", 1), connection.With("max_overflow", 0), connection.With("pool_timeout", 0.05))
		exec(t, conn, "create table pets (name varchar(20))", "insert into pets values ('Rex'), ('Tom')")
		for _, err := range sqlconn.Rows[string](t.Context(), conn, "select name from pets") {
			if err != nil {
				t.Fatal(err)
			}
			_, err := sqlconn.QueryOne[int](t.Context(), conn, "select 1")
			if timeout, ok := errors.AsType[*sqlconn.PoolTimeoutError](err); !ok || timeout.Size != 1 {
				t.Errorf("with all connections taken: %v, want a PoolTimeoutError", err)
			}
			break
		}
		if _, err := sqlconn.QueryOne[int](t.Context(), conn, "select 1"); err != nil {
			t.Errorf("with the connection back: %v", err)
		}
	})
}

func TestPrePingReplacesConnectionsThatTheServerEnded(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, d := b.open(t, connection.With("pool_pre_ping", true))
			exec(t, conn, "create table pets (name varchar(20))")
			id, err := sqlconn.QueryOne[int](t.Context(), conn.WithTTL(0), b.on("select pg_backend_pid()", "select connection_id()", ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Admin(t).ExecContext(t.Context(), fmt.Sprintf(b.on("select pg_terminate_backend(%d)", "kill %d", ""), id)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the server ends the connection", func() bool { return d.Connections(t) == 0 })
			exec(t, conn, "insert into pets values ('Rex')") // a write, which is not tried again
			if n := count(t, conn, "pets"); n != 1 {
				t.Errorf("%d pets", n)
			}
		})
	}
}

func TestIsolationLevelIsThatOfTheSessions(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := b.open(t, connection.With("create_engine_kwargs", map[string]any{"isolation_level": "SERIALIZABLE"}))
			err := conn.Session(t.Context(), func(tx *sqlconn.Tx) error {
				// MariaDB's variable is the connection's default, so the server's list of transactions is asked.
				level, err := sqlconn.QueryOne[string](t.Context(), tx, b.on("show transaction_isolation",
					"select trx_isolation_level from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()", ""))
				if isNoRows(err) { // no transaction there until it touches a table
					return nil
				}
				if !strings.EqualFold(level, "serializable") {
					t.Errorf("isolation level %q", level)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAutocommitSessionsCommitEachStatement(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t, connection.With("create_engine_kwargs", map[string]any{"isolation_level": "AUTOCOMMIT"}))
		exec(t, conn, "create table pets (name varchar(20))")
		boom := errors.New("boom")
		err := conn.Session(t.Context(), func(tx *sqlconn.Tx) error {
			if err := insert(t.Context(), tx, "Rex"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if n := count(t, conn, "pets"); n != 1 {
			t.Errorf("%d pets, want the one that was committed at once", n)
		}
	})
}

func TestConnectArgsReachTheServer(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := b.open(t, connection.With("create_engine_kwargs", map[string]any{
				"connect_args": map[string]any{"application_name": "the pet shop"},
			}))
			name, err := sqlconn.QueryOne[string](t.Context(), conn, "select current_setting('application_name')")
			if err != nil || name != "the pet shop" {
				t.Errorf("%q, %v", name, err)
			}
		})
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := b.open(t)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := sqlconn.Query[int](ctx, conn, b.sleep(time.Minute))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the deadline", err)
			}
		})
	}
}
