//go:build linux

package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/integration/cutproxy"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/sqlconn"
)

func insert(ctx context.Context, tx *sqlconn.Tx, name string) error {
	_, err := tx.Exec(ctx, "insert into pets values (:name)", sqlconn.Params{"name": name})
	return err
}

func TestSessionsCommitAndRollBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table pets (name varchar(20))")
		ctx := t.Context()
		names := func() []string { // cached: a session has to end this
			t.Helper()
			got, err := sqlconn.Query[string](ctx, conn, "select name from pets order by name")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := names(); len(got) != 0 {
			t.Fatalf("pets = %q", got)
		}

		err := conn.Session(ctx, func(tx *sqlconn.Tx) error {
			if err := insert(ctx, tx, "Rex"); err != nil {
				return err
			}
			inside, err := sqlconn.Query[string](ctx, tx, "select name from pets")
			if err != nil || !slices.Equal(inside, []string{"Rex"}) {
				t.Errorf("inside the session: %q, %v; want what it wrote", inside, err)
			}
			return insert(ctx, tx, "Tom")
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(); !slices.Equal(got, []string{"Rex", "Tom"}) {
			t.Errorf("after the commit: %q", got)
		}

		boom := errors.New("boom")
		err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
			if err := insert(ctx, tx, "Ada"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Errorf("session = %v, want the function's error", err)
		}

		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v, want the function's panic", r)
				}
			}()
			_ = conn.Session(ctx, func(tx *sqlconn.Tx) error {
				if err := insert(ctx, tx, "Ada"); err != nil {
					return err
				}
				panic("boom")
			})
		}()

		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = conn.Session(ctx, func(tx *sqlconn.Tx) error {
				if err := insert(ctx, tx, "Ada"); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
		}()
		<-done

		cancelled, cancel := context.WithCancel(ctx)
		err = conn.Session(cancelled, func(tx *sqlconn.Tx) error {
			if err := insert(cancelled, tx, "Ada"); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("session with a cancelled context = %v", err)
		}

		var ended *sqlconn.Tx
		if err := conn.Session(ctx, func(tx *sqlconn.Tx) error { ended = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := insert(ctx, ended, "Ada"); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("after the session: %v, want sql.ErrTxDone", err)
		}

		if got := names(); !slices.Equal(got, []string{"Rex", "Tom"}) {
			t.Errorf("after rollbacks: %q, want only what was committed", got)
		}
		// All connections went back: the pool of one serves on.
		db, err := conn.Raw(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n := db.Stats().InUse; n != 0 {
			t.Errorf("%d connections still in use", n)
		}
	})
}

func TestReadOnlySessionsCannotWrite(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		for _, autocommit := range []bool{false, true} {
			conn, _ := b.open(t, connection.With("autocommit", autocommit))
			exec(t, conn, "create table pets (name varchar(20))")
			err := conn.Session(t.Context(), func(tx *sqlconn.Tx) error { return insert(t.Context(), tx, "Rex") }, sqlconn.ReadOnly())
			if err == nil {
				t.Errorf("autocommit %t: a read-only session wrote", autocommit)
			}
			if n := count(t, conn, "pets"); n != 0 {
				t.Errorf("autocommit %t: %d pets", autocommit, n)
			}
		}
	})
}

// Two sessions read the same and write what they have read into it: one of them must go first.
func TestRetrySessionRunsAgainAfterASerializationFailure(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq} {
		for _, retry := range []bool{true, false} {
			name := b.name + " without retry"
			if retry {
				name = b.name + " with retry"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn, _ := b.open(t)
				exec(t, conn, "create table counters (n integer)", "insert into counters values (0)")
				ctx := t.Context()
				opts := []sqlconn.SessionOption{sqlconn.Isolation(sql.LevelSerializable)}
				if retry {
					opts = append(opts, sqlconn.RetrySession())
				}
				increment := func(between func()) (runs int, err error) {
					err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
						runs++
						n, err := sqlconn.QueryOne[int](ctx, tx, "select n from counters")
						if err != nil {
							return err
						}
						if runs == 1 {
							between()
						}
						_, err = tx.Exec(ctx, "update counters set n = :n", sqlconn.Params{"n": n + 1})
						return err
					}, opts...)
					return runs, err
				}
				runs, err := increment(func() {
					if _, err := increment(func() {}); err != nil {
						t.Errorf("the first to commit: %v", err)
					}
				})
				n, queryErr := sqlconn.QueryOne[int](ctx, conn.WithTTL(0), "select n from counters")
				if queryErr != nil {
					t.Fatal(queryErr)
				}
				switch {
				case retry && (err != nil || runs != 2 || n != 2):
					t.Errorf("%d runs, %v, counter %d; want two runs and 2", runs, err, n)
				case !retry && (err == nil || runs != 1 || n != 1):
					t.Errorf("%d runs, %v, counter %d; want one run, an error and 1", runs, err, n)
				}
			})
		}
	}
}

// through opens a connection that reaches its database through a proxy.
func through(t *testing.T, b backend, opts ...connection.Option) (*sqlconn.Conn, *servers.Database, *cutproxy.Proxy) {
	t.Helper()
	d := b.shared(t)
	protocol := cutproxy.Postgres
	if b.dialect == "mysql" {
		protocol = cutproxy.MySQL
	}
	p := cutproxy.New(t, protocol, d.Addr())
	conn := open(t, append([]connection.Option{sqlconn.WithURL(d.URLAt(b.scheme, p.Addr()))}, opts...)...)
	exec(t, conn, "create table pets (name varchar(20))")
	return conn, d, p
}

func TestCommitThatNobodyAnsweredIsUnknownAndNotRunAgain(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _, p := through(t, b)
			runs := 0
			cut := p.CutAfter("commit")
			err := conn.Session(t.Context(), func(tx *sqlconn.Tx) error {
				runs++
				return insert(t.Context(), tx, "Rex")
			}, sqlconn.RetrySession())
			if !errors.Is(err, sqlconn.ErrCommitUnknown) || runs != 1 {
				t.Fatalf("%d runs and %v; want one and ErrCommitUnknown", runs, err)
			}
			<-cut
			if n := count(t, conn, "pets"); n != 1 {
				t.Errorf("%d pets, want the one of the commit whose answer was lost", n)
			}
		})
	}
}

func TestAWriteThatReturnsRowsRunsOnce(t *testing.T) {
	t.Parallel()
	const query = "insert into pets (name) values (:name) returning name"
	rex := sqlconn.Params{"name": "Rex"}
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table pets (name varchar(20))")
		for range 2 {
			if name, err := sqlconn.QueryOne[string](t.Context(), conn, query, rex); err != nil || name != "Rex" {
				t.Fatalf("%q, %v", name, err)
			}
		}
		if n := count(t, conn, "pets"); n != 2 {
			t.Errorf("%d rows after two inserts", n)
		}
	})
	for _, b := range []backend{pgx, pq, mariadb} {
		t.Run(b.name+" cut off after it executed", func(t *testing.T) {
			t.Parallel()
			conn, _, p := through(t, b)
			cut := p.CutAfter("insert")
			name, err := sqlconn.QueryOne[string](t.Context(), conn, query, rex)
			if err == nil {
				t.Fatalf("answered %q", name)
			}
			<-cut
			if n := count(t, conn, "pets"); n != 1 {
				t.Errorf("%d rows, want 1: it was executed, and not again", n)
			}
			if r := connection.Stats(conn).Retries; r != 0 {
				t.Errorf("%d retries of a write", r)
			}
		})
		t.Run(b.name+" Exec cut off after it executed", func(t *testing.T) {
			t.Parallel()
			conn, _, p := through(t, b)
			p.CutAfter("insert")
			if _, err := conn.Exec(t.Context(), "insert into pets values (:name)", rex); err == nil {
				t.Fatal("no error")
			}
			if n := count(t, conn, "pets"); n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		})
		t.Run(b.name+" read cut off", func(t *testing.T) {
			t.Parallel()
			conn, _, p := through(t, b)
			exec(t, conn, "insert into pets values ('Rex')")
			cut := p.CutAfter("select")
			names, err := sqlconn.Query[string](t.Context(), conn, "select name from pets")
			if err != nil || strings.Join(names, " ") != "Rex" {
				t.Errorf("%q and %v, want the row: a read is tried again", names, err)
			}
			<-cut
		})
	}
}
