package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

const update = "update runs set run = 1"

func TestSessionCommits(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(update, fakedb.Affected(3))
	srv.On(selectRun, numbered())
	err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
		result, err := tx.Exec(t.Context(), update)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n != 3 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		for want := 1; want <= 2; want++ { // never cached
			if run := one[int](t, tx, selectRun); run != want {
				t.Errorf("run %d, want %d", run, want)
			}
		}
		if tx.Raw() == nil {
			t.Error("no *sql.Tx")
		}
		if text := fmt.Sprintf("%v", tx); text != `session of connection "pets" (sql)` {
			t.Errorf("a session prints as %s", text)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wantOps(t, srv, fakedb.Begin, fakedb.Exec, fakedb.Query, fakedb.Query, fakedb.Commit)
	for _, e := range srv.Events() {
		if (e.Op == fakedb.Exec || e.Op == fakedb.Query) && !e.Tx {
			t.Errorf("%s ran outside the transaction", e.Text)
		}
	}
}

func TestSessionRollsBack(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		f     func(cancel context.CancelCauseFunc) error
		panic any
		err   error
		exits bool
	}{
		"on an error":             {f: func(context.CancelCauseFunc) error { return boom }, err: boom},
		"on a panic":              {f: func(context.CancelCauseFunc) error { panic(boom) }, panic: boom},
		"on runtime.Goexit":       {f: func(context.CancelCauseFunc) error { runtime.Goexit(); return nil }, exits: true},
		"when its context ends":   {f: func(cancel context.CancelCauseFunc) error { cancel(nil); return nil }, err: context.Canceled},
		"for the context's cause": {f: func(cancel context.CancelCauseFunc) error { cancel(boom); return nil }, err: boom},
		"whatever the cause":      {f: func(cancel context.CancelCauseFunc) error { cancel(boom); return nil }, err: context.Canceled},
		"on an error afterwards":  {f: func(cancel context.CancelCauseFunc) error { cancel(nil); return boom }, err: boom},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				srv.On(update, fakedb.Affected(1))
				var (
					panicked any
					err      error
					returned bool
					kept     *sqlconn.Tx
				)
				// Not cancelled by the way: database/sql would roll back for us.
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { panicked = recover() }()
					err = c.Session(ctx, func(tx *sqlconn.Tx) error {
						kept = tx
						if _, err := tx.Exec(ctx, update); err != nil {
							return err
						}
						return test.f(cancel)
					})
					returned = true
				}()
				<-done
				synctest.Wait() // database/sql rolls back in the background when the context has ended
				if panicked != test.panic {
					t.Errorf("panicked with %v, want %v", panicked, test.panic)
				}
				if returned != (test.panic == nil && !test.exits) {
					t.Errorf("returned: %t", returned)
				}
				if test.err != nil {
					wantIs(t, err, test.err)
				}
				if test.err == boom && name == "on an error" && err != boom { //nolint:errorlint // as it is
					t.Errorf("the function's error came back as %v", err)
				}
				wantOps(t, srv, fakedb.Begin, fakedb.Exec, fakedb.Rollback)
				_, err = kept.Exec(t.Context(), update)
				wantIs(t, err, sql.ErrTxDone)
				if err := c.Reset(); err != nil { // the lease is back: this closes the pool
					t.Error(err)
				}
				synctest.Wait()
				if n := srv.Stats().Live(); n != 0 {
					t.Errorf("%d connections are still held", n)
				}
			})
		})
	}
}

func TestSessionIsOverAfterwards(t *testing.T) {
	t.Parallel()
	for isolation, want := range map[string]error{"SERIALIZABLE": sql.ErrTxDone, "AUTOCOMMIT": sql.ErrConnDone} {
		for how, run := range inSession {
			srv, c := fake(t, connection.With("isolation_level", isolation))
			var kept *sqlconn.Tx
			if err := c.Session(t.Context(), func(tx *sqlconn.Tx) error { kept = tx; return nil }); err != nil {
				t.Error(err)
			}
			if err := run(t.Context(), kept, selectRun); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", isolation, how, err)
			}
			if n := srv.Count(selectRun); n != 0 {
				t.Errorf("%s, %s: the statement ran", isolation, how)
			}
		}
	}
}

func TestSessionErrorsNameTheConnectionOnce(t *testing.T) {
	t.Parallel()
	for how, run := range inSession {
		srv, c := fake(t)
		srv.On(selectRun, fakedb.Fail(errors.New("boom")))
		err := c.Session(t.Context(), func(tx *sqlconn.Tx) error { return run(t.Context(), tx, selectRun) })
		op := map[string]string{"Exec": "exec", "Rows": "rows"}[how]
		if op == "" {
			op = "query"
		}
		if want := `connection "pets" (sql): ` + op + `: boom`; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", how, err, want)
		}
	}
}

func TestSessionOptions(t *testing.T) {
	t.Parallel()
	none := []driver.TxOptions(nil)
	with := func(level sql.IsolationLevel, readOnly bool) []driver.TxOptions {
		return []driver.TxOptions{{Isolation: driver.IsolationLevel(level), ReadOnly: readOnly}}
	}
	for _, test := range []struct {
		name   string
		engine []connection.Option
		opts   []sqlconn.SessionOption
		want   []driver.TxOptions
	}{
		{"the driver's own", nil, nil, with(sql.LevelDefault, false)},
		{"the engine's", []connection.Option{connection.With("isolation_level", "REPEATABLE READ")}, nil, with(sql.LevelRepeatableRead, false)},
		{"the session's", nil, []sqlconn.SessionOption{sqlconn.Isolation(sql.LevelSerializable)}, with(sql.LevelSerializable, false)},
		{
			"the session's over the engine's",
			[]connection.Option{connection.With("isolation_level", "REPEATABLE READ")},
			[]sqlconn.SessionOption{sqlconn.Isolation(sql.LevelDefault)},
			with(sql.LevelDefault, false),
		},
		{"read only", nil, []sqlconn.SessionOption{sqlconn.ReadOnly()}, with(sql.LevelDefault, true)},
		{
			"read only, isolated",
			[]connection.Option{connection.With("isolation_level", "SERIALIZABLE")},
			[]sqlconn.SessionOption{sqlconn.ReadOnly()},
			with(sql.LevelSerializable, true),
		},
		{
			"read only under AUTOCOMMIT",
			[]connection.Option{connection.With("autocommit", true)},
			[]sqlconn.SessionOption{sqlconn.ReadOnly()},
			with(sql.LevelDefault, true),
		},
		{"AUTOCOMMIT", []connection.Option{connection.With("isolation_level", "AUTOCOMMIT")}, nil, none},
		{"AUTOCOMMIT with pings", []connection.Option{connection.With("isolation_level", "AUTOCOMMIT"), connection.With("pool_pre_ping", true)}, nil, none},
		{
			"the session's over AUTOCOMMIT",
			[]connection.Option{connection.With("autocommit", true)},
			[]sqlconn.SessionOption{sqlconn.Isolation(sql.LevelSerializable)},
			with(sql.LevelSerializable, false),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t, test.engine...)
			srv.On(update, fakedb.Affected(1))
			err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
				if (tx.Raw() == nil) != (test.want == nil) {
					t.Errorf("Raw: %v", tx.Raw())
				}
				for range 2 {
					if _, err := tx.Exec(t.Context(), update); err != nil {
						return err
					}
				}
				return nil
			}, test.opts...)
			if err != nil {
				t.Error(err)
			}
			var got []driver.TxOptions
			conns := map[int]bool{}
			for _, e := range srv.Events() {
				switch e.Op {
				case fakedb.Begin:
					got = append(got, e.With)
				case fakedb.Exec:
					conns[e.Conn] = true
				}
			}
			if !slices.Equal(got, test.want) || len(conns) != 1 {
				t.Errorf("transactions %+v on %d connections, want %+v on one", got, len(conns), test.want)
			}
		})
	}
}

func TestAutocommitSessionKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for isolation, want := range map[string]int{"AUTOCOMMIT": 1, "SERIALIZABLE": 0} {
		c := memory(t, connection.With("isolation_level", isolation))
		exec(t, c, "create table runs (run integer)")
		err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
			if _, err := tx.Exec(t.Context(), "insert into runs (run) values (1)"); err != nil {
				t.Error(err)
			}
			return boom
		})
		wantIs(t, err, boom)
		if n := one[int](t, c, "select count(*) from runs"); n != want {
			t.Errorf("%s: %d rows after a session that failed", isolation, n)
		}
	}
}

// Under AUTOCOMMIT the database has undone nothing when it reports a deadlock: what ran before it stands.
func TestRetrySessionNeverRepeatsWhatAutocommitHasCommitted(t *testing.T) {
	t.Parallel()
	deadlock := &fakedb.StateError{State: "40P01"}
	for name, test := range map[string]struct {
		opts []sqlconn.SessionOption
		runs int
	}{
		"AUTOCOMMIT":               {[]sqlconn.SessionOption{sqlconn.RetrySession()}, 1},
		"a transaction, after all": {[]sqlconn.SessionOption{sqlconn.RetrySession(), sqlconn.Isolation(sql.LevelDefault)}, 2},
	} {
		c := memory(t, connection.With("autocommit", true))
		exec(t, c, "create table runs (run integer)")
		runs := 0
		err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
			if _, err := tx.Exec(t.Context(), "insert into runs (run) values (1)"); err != nil {
				t.Error(err)
			}
			if runs++; runs == 1 {
				return deadlock
			}
			return nil
		}, test.opts...)
		if n := one[int](t, c, "select count(*) from runs"); runs != test.runs || n != 1 || (err == nil) != (runs == 2) {
			t.Errorf("%s: %d runs, %d rows, error %v; want %d runs and one row", name, runs, n, err, test.runs)
		}
	}
}

func TestSessionOfSQLite(t *testing.T) {
	t.Parallel()
	c := memory(t)
	exec(t, c, "create table pets (name text unique)")
	insert := func(names ...string) error {
		return c.Session(t.Context(), func(tx *sqlconn.Tx) error {
			for _, name := range names {
				if _, err := tx.Exec(t.Context(), "insert into pets (name) values (:name)", sqlconn.Params{"name": name}); err != nil {
					return err
				}
			}
			if got := one[int](t, tx, "select count(*) from pets"); got == 0 {
				t.Error("the session does not see its own rows")
			}
			return nil
		})
	}
	if err := insert("Rex", "Tom"); err != nil {
		t.Fatal(err)
	}
	if err := insert("Pixie", "Rex"); err == nil {
		t.Error("a constraint violation passed")
	}
	if names := query[string](t, c, "select name from pets order by name"); !slices.Equal(names, []string{"Rex", "Tom"}) {
		t.Errorf("rows %q", names)
	}
}

func TestRowsLeftEarlyGiveTheirConnectionBack(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]func(context.Context, *sqlconn.Conn){
		"break": func(ctx context.Context, c *sqlconn.Conn) {
			for range sqlconn.Rows[int](ctx, c, selectRun) {
				break
			}
		},
		"panic": func(ctx context.Context, c *sqlconn.Conn) {
			defer func() { _ = recover() }()
			for range sqlconn.Rows[int](ctx, c, selectRun) {
				panic("boom")
			}
		},
		"Goexit": func(ctx context.Context, c *sqlconn.Conn) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range sqlconn.Rows[int](ctx, c, selectRun) {
					runtime.Goexit()
				}
			}()
			<-done
		},
		"to the end": func(ctx context.Context, c *sqlconn.Conn) { _ = reads["Rows"](ctx, c, selectRun) },
		"a bad column": func(ctx context.Context, c *sqlconn.Conn) {
			_, _ = sqlconn.Query[struct{ Other int }](ctx, c, selectRun)
		},
		"too many": func(ctx context.Context, c *sqlconn.Conn) { _, _ = sqlconn.QueryOne[int](ctx, c, selectRun) },
		"in a session": func(ctx context.Context, c *sqlconn.Conn) {
			_ = c.Session(ctx, func(tx *sqlconn.Tx) error {
				for range sqlconn.Rows[int](ctx, tx, selectRun) {
					break
				}
				_, err := sqlconn.Query[int](ctx, tx, selectRun) // which finds the connection free
				if err != nil {
					t.Error(err)
				}
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				srv.On(selectRun, fakedb.Rows([]string{"run"}, []any{1}, []any{2}))
				loop(t.Context(), c)
				synctest.Wait()
				if n := srv.Stats().OpenRows; n != 0 {
					t.Errorf("%d result sets are still open", n)
				}
				db, err := c.Raw(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := db.Stats().InUse; n != 0 {
					t.Errorf("%d connections are still in use", n)
				}
				if err := c.Reset(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if n := srv.Stats().Live(); n != 0 {
					t.Errorf("%d connections are still open: the lease was not given back", n)
				}
			})
		})
	}
}

// Rows of one connection may be ranged over by several goroutines at once: each loop is a query of its own.
func TestRowsAreIndependentLoops(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(selectRun, fakedb.Rows([]string{"run"}, []any{1}, []any{2}))
	rows := sqlconn.Rows[int](t.Context(), c, selectRun)
	done := make(chan int)
	for range 4 {
		go func() {
			sum := 0
			for v, err := range rows {
				if err != nil {
					t.Error(err)
				}
				sum += v
			}
			done <- sum
		}()
	}
	for range 4 {
		if sum := <-done; sum != 3 {
			t.Errorf("a loop saw rows of the sum %d", sum)
		}
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *sqlconn.Conn) error{
		"Ping": func(ctx context.Context, c *sqlconn.Conn) error { return connection.Ping(ctx, c) },
		"Session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, update); return err })
		},
		"RetrySession": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, update); return err }, sqlconn.RetrySession())
		},
		"read-only session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, update); return err }, sqlconn.ReadOnly())
		},
		"stale read": func(ctx context.Context, c *sqlconn.Conn) error {
			_, err := sqlconn.Query[int](ctx, c.WithStale(time.Hour), selectRun)
			return err
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
				srv, c := fake(t)
				stuck := func(ctx context.Context, _ fakedb.Call) (*fakedb.Result, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				srv.Handle(stuck)
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				begin := time.Now()
				wantIs(t, call(ended, c), context.Canceled)

				// While the server works, and while it does not even answer a dial.
				if name != "Ping" {
					soon, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					wantIs(t, call(soon, c), context.DeadlineExceeded)
					if took := time.Since(begin); took != time.Minute {
						t.Errorf("took %v", took)
					}
				}
				if err := c.Reset(); err != nil {
					t.Error(err)
				}
				srv.OnDial(func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() })
				begin = time.Now()
				soon, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				wantIs(t, call(soon, c), context.DeadlineExceeded)
				if took := time.Since(begin); took != time.Minute {
					t.Errorf("with a silent server, took %v", took)
				}
			})
		})
	}
}

// SQLite's drivers pass over a transaction's ReadOnly. The one connection of the pool is the next one's, too.
func TestReadOnlySessionsOfSQLiteCannotWrite(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	file := func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "pets.db") }
	for name, opts := range map[string][]connection.Option{
		"a file":      {sqlconn.WithURL(file(t))},
		"in memory":   {sqlconn.WithURL("sqlite://")},
		"AUTOCOMMIT":  {sqlconn.WithURL(file(t)), connection.With("autocommit", true)},
		"with a ping": {sqlconn.WithURL(file(t)), connection.With("pool_pre_ping", true)},
		"immediate":   {sqlconn.WithURL(file(t) + "?isolation_level=IMMEDIATE")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, "pets", append(opts, connection.With("pool_size", 1), connection.With("max_overflow", 0))...)
			exec(t, c, `create table t (x integer)`)
			for way, run := range map[string]func(context.Context, context.CancelFunc, *sqlconn.Tx) error{
				"Exec": func(ctx context.Context, _ context.CancelFunc, tx *sqlconn.Tx) error {
					_, err := tx.Exec(ctx, `insert into t values (1)`)
					return err
				},
				"Query": func(ctx context.Context, _ context.CancelFunc, tx *sqlconn.Tx) error {
					_, err := sqlconn.Query[int](ctx, tx, `insert into t values (1) returning x`)
					return err
				},
				"Raw": func(ctx context.Context, _ context.CancelFunc, tx *sqlconn.Tx) error {
					_, err := tx.Raw().ExecContext(ctx, `insert into t values (1)`)
					return err
				},
				"a read": func(ctx context.Context, _ context.CancelFunc, tx *sqlconn.Tx) error {
					if _, err := sqlconn.Query[int](ctx, tx, `select x from t`); err != nil {
						return err
					}
					return boom
				},
				"panic":  func(context.Context, context.CancelFunc, *sqlconn.Tx) error { panic(boom) },
				"Goexit": func(context.Context, context.CancelFunc, *sqlconn.Tx) error { runtime.Goexit(); return nil },
				"an ended context": func(_ context.Context, cancel context.CancelFunc, _ *sqlconn.Tx) error {
					cancel()
					return nil
				},
			} {
				done := make(chan error, 1)
				go func() {
					err := boom
					defer func() {
						_ = recover()
						done <- err
					}()
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					err = c.Session(ctx, func(tx *sqlconn.Tx) error { return run(ctx, cancel, tx) }, sqlconn.ReadOnly())
				}()
				if err := <-done; err == nil {
					t.Errorf("%s: no error", way)
				}
				if n := one[int](t, c.WithTTL(0), `select count(*) from t`); n != 0 {
					t.Errorf("%s: %d rows were written", way, n)
				}
				exec(t, c, `insert into t values (1)`)
				exec(t, c, `delete from t`)
			}
			if err := c.Session(t.Context(), func(*sqlconn.Tx) error { return nil }, sqlconn.ReadOnly()); err != nil {
				t.Error(err)
			}
			exec(t, c, `insert into t values (1)`)
		})
	}

	c := open(t, "pets", sqlconn.WithURL(file(t)+"?_pragma=query_only(1)"), connection.With("pool_size", 1), connection.With("max_overflow", 0))
	if err := c.Session(t.Context(), func(*sqlconn.Tx) error { return nil }, sqlconn.ReadOnly()); err != nil {
		t.Error(err)
	}
	if _, err := c.Exec(t.Context(), `create table t (x)`); err == nil {
		t.Error("the url's query_only is no more")
	}
}

// A connection that cannot be made as it was is discarded, when the transaction has ended.
func TestReadOnlySessionOfADriverThatRefusesThePragma(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	pragma := fakedb.Rows([]string{"query_only"}, []any{int64(0)})
	for name, tt := range map[string]struct {
		ask, on fakedb.Handler
		want    string
	}{
		"tells nothing": {fakedb.Rows([]string{"query_only"}), fakedb.Affected(0), "the driver does not tell of PRAGMA query_only"},
		"cannot set it": {pragma, fakedb.Fail(errors.New("no such pragma")), "no such pragma"},
		"cannot end it": {pragma, fakedb.Affected(0), "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := fakedb.New(t)
			c := open(t, "pets", sqlconn.WithURL("sqlite:///"+filepath.Join(t.TempDir(), "x")),
				sqlconn.WithOpener(func(string, string) (*sql.DB, error) { return srv.Open(), nil }), connection.With("pool_size", 1), connection.With("max_overflow", 0))
			srv.On("PRAGMA query_only", tt.ask)
			srv.On("PRAGMA query_only = 1", tt.on)
			srv.On("PRAGMA query_only = 0", fakedb.Fail(errors.New("interrupted")))
			srv.On("select 1", fakedb.Rows([]string{"n"}, []any{int64(1)}))
			err := c.Session(context.Background(), func(*sqlconn.Tx) error { return boom }, sqlconn.ReadOnly())
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, sql.ErrNoRows) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			dials := srv.Stats().Opens
			if n := one[int](t, c, "select 1"); n != 1 {
				t.Error(n)
			}
			if discarded := srv.Stats().Opens > dials; discarded != (name != "tells nothing") {
				t.Errorf("discarded: %t", discarded)
			}
		})
	}
}
