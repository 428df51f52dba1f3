package sqlconn_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/deadlinetest"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

// reads are all ways to run a statement that only reads.
var reads = map[string]func(context.Context, *sqlconn.Conn, string) error{
	"Query": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := sqlconn.Query[int](ctx, c, text)
		return err
	},
	"QueryOne": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := sqlconn.QueryOne[int](ctx, c, text)
		return err
	},
	"uncached": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := sqlconn.QueryOne[int](ctx, c.WithTTL(0), text)
		return err
	},
	"Conn.Query": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := c.Query(ctx, text)
		return err
	},
	"Rows": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		n := 0
		for v, err := range sqlconn.Rows[int](ctx, c, text) {
			if err != nil {
				return err
			}
			if n++; v == 0 || n > 1 {
				return fmt.Errorf("row %d is %d", n, v)
			}
		}
		return nil
	},
}

// writes are all ways to run a statement that may change something.
var writes = map[string]func(context.Context, *sqlconn.Conn, string) error{
	"Exec": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := c.Exec(ctx, text)
		return err
	},
	"Query":      reads["Query"],
	"QueryOne":   reads["QueryOne"],
	"uncached":   reads["uncached"],
	"Conn.Query": reads["Conn.Query"],
	"Rows":       reads["Rows"],
	"WithKeepCache": func(ctx context.Context, c *sqlconn.Conn, text string) error {
		_, err := sqlconn.QueryOne[int](ctx, c.WithKeepCache(), text)
		return err
	},
}

// inSession are all ways to run a statement in a session.
var inSession = map[string]func(context.Context, *sqlconn.Tx, string) error{
	"Exec": func(ctx context.Context, tx *sqlconn.Tx, text string) error {
		_, err := tx.Exec(ctx, text)
		return err
	},
	"Query": func(ctx context.Context, tx *sqlconn.Tx, text string) error {
		_, err := sqlconn.Query[int](ctx, tx, text)
		return err
	},
	"QueryOne": func(ctx context.Context, tx *sqlconn.Tx, text string) error {
		_, err := sqlconn.QueryOne[int](ctx, tx, text)
		return err
	},
	"Tx.Query": func(ctx context.Context, tx *sqlconn.Tx, text string) error {
		_, err := tx.Query(ctx, text)
		return err
	},
	"Rows": func(ctx context.Context, tx *sqlconn.Tx, text string) error {
		for _, err := range sqlconn.Rows[int](ctx, tx, text) {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

var passingFaults = map[string]error{
	"the server is stopping":    &fakedb.StateError{State: "57P01", Message: "terminating connection"},
	"the server is starting":    &fakedb.StateError{State: "57P03", Message: "the database system is starting up"},
	"deadlock":                  &fakedb.StateError{State: "40P01", Message: "deadlock detected"},
	"MySQL: too many":           &fakedb.MySQLError{Number: 1040, Message: "Too many connections"},
	"end of the socket":         io.ErrUnexpectedEOF,
	"connection reset":          &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
	"driver.ErrBadConn, as two": fmt.Errorf("x: %w", driver.ErrBadConn),
	"driver.ErrBadConn":         driver.ErrBadConn,
}

func TestReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for how, read := range reads {
		for what, fault := range passingFaults {
			t.Run(how+"/"+what, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv, c := fake(t)
					fails := slices.Repeat([]fakedb.Handler{fakedb.Fail(fault)}, 8)
					srv.On(selectRun, append(fails, numbered())...)
					if err := read(t.Context(), c, selectRun); err != nil {
						t.Error(err)
					}
					if n := srv.Count(selectRun); n != 9 {
						t.Errorf("%d tries", n)
					}
					if s := connection.Stats(c); s.Retries == 0 || s.Connects != 1 {
						t.Errorf("%d retries, %d connects: the pool mends itself", s.Retries, s.Connects)
					}
				})
			})
		}
	}
}

func TestReadsAreTriedForAWhile(t *testing.T) {
	t.Parallel()
	for how, read := range reads {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				fault := passingFaults["the server is starting"]
				srv.On(selectRun, fakedb.Fail(fault))
				begin := time.Now()
				err := read(t.Context(), c, selectRun)
				wantIs(t, err, fault)
				wantText(t, err, `connection "pets" (sql): `, "tried")
				if took := time.Since(begin); took > 5*time.Second || took < 3*time.Second {
					t.Errorf("tried for %v", took)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				begin = time.Now()
				if err := read(ctx, c, selectRun); err == nil {
					t.Error("no error")
				}
				if took := time.Since(begin); took > 20*time.Second || took < 15*time.Second {
					t.Errorf("with a deadline in 20 s, tried for %v", took)
				}
			})
		})
	}
}

// Streamlit tries these three times, with a new pool and a second of waiting each time.
func TestDefect04_LastingErrorsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	for how, read := range reads {
		for what, lasting := range map[string]error{
			"syntax error":         &fakedb.StateError{State: "42601", Message: "syntax error"},
			"no such table":        &fakedb.StateError{State: "42P01", Message: "no such table"},
			"constraint violation": &fakedb.StateError{State: "23505", Message: "duplicate key"},
			"permission denied":    &fakedb.StateError{State: "42501", Message: "permission denied"},
			"MySQL: syntax error":  &fakedb.MySQLError{Number: 1064, Message: "syntax error"},
			"anything else":        errors.New("boom"),
		} {
			t.Run(how+"/"+what, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv, c := fake(t)
					srv.On(selectRun, fakedb.Fail(lasting))
					begin := time.Now()
					wantIs(t, read(t.Context(), c, selectRun), lasting)
					if n, took := srv.Count(selectRun), time.Since(begin); n != 1 || took != 0 {
						t.Errorf("tried %d times, in %v", n, took)
					}
					if s := connection.Stats(c); s.Resets != 0 || s.Connects != 1 || srv.Stats().Dials != 1 {
						t.Errorf("%d resets, %d connects, %d dials", s.Resets, s.Connects, srv.Stats().Dials)
					}
				})
			})
		}
	}
}

// The driver of these tests is unknown: it is not trusted to answer driver.ErrBadConn only for what
// the server has not done. database/sql by itself would run the statement three times.
func TestWritesRunExactlyOnce(t *testing.T) {
	t.Parallel()
	for how, write := range writes {
		for what, fault := range passingFaults {
			t.Run(how+"/"+what, func(t *testing.T) {
				t.Parallel()
				srv, c := fake(t)
				srv.On(insertRun, fakedb.Fail(fault), numbered())
				wantIs(t, write(t.Context(), c, insertRun), fault)
				if n := srv.Count(insertRun); n != 1 {
					t.Errorf("the statement ran %d times", n)
				}
				if s := connection.Stats(c); s.Retries != 0 {
					t.Errorf("%d retries", s.Retries)
				}
			})
		}
	}
}

// What makes running once bearable with such drivers: connections that died while they lay idle are
// found by a ping, before the statement is sent.
func TestWritesFindALivingConnection(t *testing.T) {
	t.Parallel()
	for how, write := range writes {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t)
			srv.On(insertRun, numbered())
			srv.On(selectRun, numbered())
			one[int](t, c, selectRun)
			srv.Break(nil)
			if err := write(t.Context(), c, insertRun); err != nil {
				t.Error(err)
			}
			if n := srv.Count(insertRun); n != 1 {
				t.Errorf("the statement ran %d times", n)
			}
		})
	}
}

func TestWritesToADatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(insertRun, numbered())
	srv.Down(nil)
	for how, write := range writes {
		wantIs(t, write(t.Context(), c, insertRun), syscall.ECONNREFUSED)
		if n := srv.Count(insertRun); n != 0 {
			t.Errorf("%s: ran %d times", how, n)
		}
	}
}

func TestNothingInASessionIsTriedAgain(t *testing.T) {
	t.Parallel()
	for how, run := range inSession {
		for what, fault := range passingFaults {
			t.Run(how+"/"+what, func(t *testing.T) {
				t.Parallel()
				srv, c := fake(t)
				srv.On(selectRun, fakedb.Fail(fault), numbered())
				sessions := 0
				err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
					sessions++
					return run(t.Context(), tx, selectRun)
				})
				wantIs(t, err, fault)
				if n := srv.Count(selectRun); n != 1 || sessions != 1 {
					t.Errorf("%d tries in %d sessions", n, sessions)
				}
				if seen := ops(srv); len(seen) != 3 || seen[0] != fakedb.Begin || seen[2] != fakedb.Rollback {
					t.Errorf("the server saw %v", seen)
				}
			})
		}
	}
}

func TestRetrySession(t *testing.T) {
	t.Parallel()
	serialization := &fakedb.StateError{State: "40001", Message: "could not serialize access"}
	boom := errors.New("boom")
	for _, test := range []struct {
		name    string
		fault   error
		tries   int
		tryless bool
	}{
		{"serialization failure", serialization, 3, false},
		{"deadlock", &fakedb.StateError{State: "40P01"}, 3, false},
		{"MySQL's deadlock", &fakedb.MySQLError{Number: 1213}, 3, false},
		{"wrapped by the session's function", fmt.Errorf("while counting: %w", serialization), 3, false},
		{"without RetrySession", serialization, 1, true},
		{"broken connection", io.ErrUnexpectedEOF, 1, false},
		{"driver.ErrBadConn", driver.ErrBadConn, 1, false},
		{"the server is stopping", &fakedb.StateError{State: "57P01"}, 1, false},
		{"constraint violation", &fakedb.StateError{State: "23505"}, 1, false},
		{"the function's own", boom, 1, false},
		{"unknown outcome of another's", errors.Join(sqlconn.ErrCommitUnknown, serialization), 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				srv.On(insertRun, numbered())
				opts := []sqlconn.SessionOption{sqlconn.RetrySession()}
				if test.tryless {
					opts = nil
				}
				tries := 0
				err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
					if _, err := tx.Exec(t.Context(), insertRun); err != nil {
						return err
					}
					if tries++; tries < 3 {
						return test.fault
					}
					return nil
				}, opts...)
				if tries != test.tries {
					t.Errorf("%d tries, want %d", tries, test.tries)
				}
				if tries == 3 && err != nil {
					t.Error(err)
				}
				if tries == 1 {
					wantIs(t, err, test.fault)
				}
				begun := 0
				for _, op := range ops(srv) {
					if op == fakedb.Begin {
						begun++
					}
				}
				if begun != tries {
					t.Errorf("%d transactions for %d tries", begun, tries)
				}
			})
		})
	}
}

func TestRetrySessionOfCommits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		fault   error
		retried bool
		unknown bool
	}{
		{"serialization failure at the commit", &fakedb.StateError{State: "40001"}, true, false},
		{"refused at the commit", &fakedb.StateError{State: "23503"}, false, false},
		{"connection lost at the commit", io.ErrUnexpectedEOF, false, true},
		{"driver.ErrBadConn at the commit", driver.ErrBadConn, false, true},
		{"server stopped at the commit", &fakedb.StateError{State: "57P01"}, false, true},
		{"completion unknown to the server", &fakedb.StateError{State: "40003"}, false, true},
		{"anything else", errors.New("boom"), false, true},
		{"pgx: rolled back instead", errors.New("commit unexpectedly resulted in rollback"), false, false},
		{"lib/pq: rolled back instead", errors.New("pq: Could not complete operation in a failed transaction"), false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				tries := 0
				err := c.Session(t.Context(), func(*sqlconn.Tx) error {
					if tries++; tries == 1 {
						srv.Break(test.fault) // what COMMIT will be answered
					}
					return nil
				}, sqlconn.RetrySession())
				if retried := tries == 2; retried != test.retried {
					t.Errorf("%d tries", tries)
				}
				if test.retried {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantIs(t, err, test.fault)
				if unknown := errors.Is(err, sqlconn.ErrCommitUnknown); unknown != test.unknown {
					t.Errorf("error %v; unknown outcome: %t, want %t", err, unknown, test.unknown)
				}
			})
		})
	}
}

func TestRowsAreTriedAgainBeforeTheFirstOnly(t *testing.T) {
	t.Parallel()
	fault := passingFaults["the server is stopping"]
	for failing, want := range map[int]struct {
		rows  []int
		tries int
		err   error
	}{
		0: {[]int{1, 2, 3}, 2, nil},
		1: {[]int{1}, 1, fault},
		2: {[]int{1, 2}, 1, fault},
		3: {[]int{1, 2, 3}, 1, fault},
	} {
		t.Run(fmt.Sprintf("after %d rows", failing), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, c := fake(t)
				result := func(_ context.Context, call fakedb.Call) (*fakedb.Result, error) {
					return &fakedb.Result{
						Columns: []fakedb.Column{{Name: "run"}}, Rows: [][]any{{1}, {2}, {3}},
						Next: func(_ context.Context, i int) error {
							if call.Run == 1 && i == failing {
								return fault
							}
							return nil
						},
					}, nil
				}
				srv.On(selectRun, result)
				rows := sqlconn.Rows[int](t.Context(), c, selectRun)
				var got []int
				var last error
				for v, err := range rows {
					if last = err; err == nil {
						got = append(got, v)
					}
				}
				if !slices.Equal(got, want.rows) || srv.Count(selectRun) != want.tries {
					t.Errorf("rows %v in %d tries", got, srv.Count(selectRun))
				}
				wantIs(t, last, want.err)
				if last != nil {
					wantText(t, last, `connection "pets" (sql): rows: `)
				}
				got = nil
				for v, err := range rows { // once more: the query is asked again
					if err != nil {
						t.Error(err)
					}
					got = append(got, v)
				}
				if !slices.Equal(got, []int{1, 2, 3}) {
					t.Errorf("the second loop gave %v", got)
				}
			})
		})
	}
}

func TestCustomTransient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		moody := errors.New("moody")
		srv, c := fake(t, connection.WithTransient(func(err error) bool { return errors.Is(err, moody) }))
		srv.On(selectRun, fakedb.Fail(moody), numbered())
		if run := one[int](t, c, selectRun); run != 2 {
			t.Errorf("run %d", run)
		}
	})
}

func TestDeadlineThatTheNetworkNoticesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.OnDial(func(ctx context.Context, _ int) error { return deadlinetest.Dial(ctx) })
		for name, call := range map[string]func(ctx context.Context) error{
			"query": func(ctx context.Context) error { _, err := sqlconn.Query[int](ctx, c, selectRun); return err },
			"exec":  func(ctx context.Context) error { _, err := c.Exec(ctx, "delete from runs"); return err },
			"session": func(ctx context.Context) error {
				return c.Session(ctx, func(*sqlconn.Tx) error { return nil })
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if err := call(deadlinetest.Early(ctx)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want the end of the context", name, err)
			}
			cancel()
		}
		if s := connection.Stats(c); s.Connects != 1 {
			t.Errorf("%d pools: the end of a context is no fault of one", s.Connects)
		}
	})
}
