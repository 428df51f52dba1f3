//go:build linux

package faults_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/sqlconn"
)

// administrator is a *sql.DB or a *sql.Conn of who may do everything.
type administrator interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// engine is a kind of database, and what its administrator does to it.
type engine struct {
	scheme string
	start  func(servers.TB) *servers.Database
	shared func(servers.TB) *servers.Database
	// terminate ends all connections of the tests' user to a database.
	terminate func(t *testing.T, admin administrator, d *servers.Database)
	// limit lets the server have fewer connections than a pool makes.
	limit, unlimit string
	// impatient are the driver's arguments with which the server gives statements a tenth of a second.
	impatient map[string]any
	timedOut  string // what its error says
	sleep     string
}

var postgres = engine{
	scheme: "postgresql+pgx",
	start:  servers.StartPostgres,
	shared: servers.Postgres,
	terminate: func(t *testing.T, admin administrator, d *servers.Database) {
		t.Helper()
		_, err := admin.ExecContext(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = $2", d.User, d.Name)
		if err != nil {
			t.Error(err)
		}
	},
	limit:     "alter role streamconn connection limit 4",
	unlimit:   "alter role streamconn connection limit -1",
	impatient: map[string]any{"statement_timeout": "100"},
	timedOut:  "57014",
	sleep:     "select 1 from pg_sleep(60)",
}

var mariadb = engine{
	scheme: "mysql",
	start:  servers.StartMariaDB,
	shared: servers.MariaDB,
	terminate: func(t *testing.T, admin administrator, d *servers.Database) {
		t.Helper()
		rows, err := admin.QueryContext(t.Context(), "select id from information_schema.processlist where user = ? and db = ?", d.User, d.Name)
		if err != nil {
			t.Error(err)
			return
		}
		var ids []int64
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Error(err)
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			// One that has ended meanwhile is no mistake.
			_, _ = admin.ExecContext(t.Context(), fmt.Sprintf("kill connection %d", id))
		}
	},
	limit:     "set global max_connections = 10",
	unlimit:   "set global max_connections = 200",
	impatient: map[string]any{"max_statement_time": "0.1"},
	timedOut:  "1969",
	sleep:     "select 1 from (select sleep(60)) as s",
}

// pets is how many rows a read has to give; an answer of less is not whole.
const pets = 200

// site is a database under test, with pets that are read and a ledger that is written.
type site struct {
	engine
	*servers.Database
	admin *sql.DB
}

func (e engine) site(t *testing.T, d *servers.Database, pet string) site {
	t.Helper()
	s := site{e, d, d.Admin(t)}
	s.admin.SetMaxIdleConns(0) // or it would have goroutines that come and go with the server
	conn := s.open(t, new(trial.Case), d.Addr())
	defer conn.Close()
	var rows []string
	for i := range pets {
		rows = append(rows, fmt.Sprintf("('%s number %d, of a long and noble line')", pet, i))
	}
	for _, statement := range []string{
		"create table pets (name varchar(80))",
		"insert into pets values " + strings.Join(rows, ", "),
		"create table ledger (id varchar(40))", // without a key: a write that is repeated shows
		"create table accounts (id integer primary key, money integer not null)",
		"insert into accounts values (1, 1000), (2, 1000)",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%.40s: %v", statement, err)
		}
	}
	return s
}

func (s site) administer(t *testing.T, statement string) {
	t.Helper()
	administer(t, s.admin, statement)
}

func administer(t *testing.T, admin administrator, statement string) {
	t.Helper()
	if _, err := admin.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// open opens a connection that reaches the database at an address, its own or a proxy's. The case
// accounts for it.
func (s site) open(t *testing.T, c *trial.Case, addr string, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	return s.openWith(t, c, append([]connection.Option{sqlconn.WithURL(s.URLAt(s.scheme, addr))}, opts...)...)
}

func (s site) openWith(t *testing.T, c *trial.Case, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	conn, err := sqlconn.Open(t.Context(), "pets", trial.Isolated(append([]connection.Option{trial.Patient()}, opts...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.Closes = append(c.Closes, conn.Close)
	c.Tries = func() uint64 { return connection.Stats(conn).Retries }
	c.Connections = func() int { return s.Connections(t) }
	return conn
}

// subject is what is put under load. Every other write is a session.
func subject(conn *sqlconn.Conn) load.Subject {
	var writes atomic.Int64
	return load.Subject{
		Read: func(ctx context.Context) error {
			names, err := sqlconn.Query[string](ctx, conn.WithTTL(0), "select name from pets")
			if err == nil && len(names) != pets {
				err = fmt.Errorf("%d rows of %d", len(names), pets)
			}
			return err
		},
		Write: func(ctx context.Context, id string) error {
			const statement = "insert into ledger values (:id)"
			if writes.Add(1)%2 == 0 {
				_, err := conn.Exec(ctx, statement, sqlconn.Params{"id": id})
				return err
			}
			return conn.Session(ctx, func(tx *sqlconn.Tx) error {
				_, err := tx.Exec(ctx, statement, sqlconn.Params{"id": id})
				return err
			})
		},
	}
}

// ledger counts what is in the ledgers of some databases, by id.
func ledger(t *testing.T, sites ...site) map[string]int {
	t.Helper()
	there := make(map[string]int)
	for _, s := range sites {
		rows, err := s.admin.QueryContext(t.Context(), "select id, count(*) from ledger group by id")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id string
			var n int
			if err := rows.Scan(&id, &n); err != nil {
				t.Error(err)
			}
			there[id] += n
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Error(err)
		}
	}
	return there
}

// loaded is under, with the ledger compared at the end.
func (s site) loaded(t *testing.T, c *trial.Case, conn *sqlconn.Conn, breaks func(l *load.Load)) string {
	t.Helper()
	s.administer(t, "delete from ledger")
	c.Under(t, subject(conn), func(l *load.Load) {
		c.Account = func(t *testing.T) {
			t.Helper()
			c.Lost, c.Repeated = l.Account(ledger(t, s))
		}
		breaks(l)
	})
	return c.Survived()
}

func TestPostgres(t *testing.T) { testEngine(t, postgres) }
func TestMariaDB(t *testing.T)  { testEngine(t, mariadb) }

func testEngine(t *testing.T, e engine) {
	t.Helper()
	s := e.site(t, e.start(t), "Rex")

	trial.Fault(t, "killed and restarted", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := s.open(t, c, s.Addr())
		return s.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(1, 10) {
				s.Kill(t)
				trial.Tried(t, conn, 16)
				s.Restart(t)
				l.Go(t, 50)
				l.Wrote(t, 10)
				s.Restart(t) // in an orderly way
				l.Go(t, 50)
			}
		})
	})

	trial.Fault(t, "all backends terminated", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		conn := s.open(t, c, s.Addr())
		return s.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(10, 500) {
				e.terminate(t, s.admin, s.Database)
				l.Go(t, 20)
			}
		})
	})

	trial.Fault(t, "too many connections", trial.ReadsSurvive, func(t *testing.T, c *trial.Case) string {
		c.Readers = 24 // the pool has up to 15 connections
		conn := s.open(t, c, s.Addr())
		admin, err := s.admin.Conn(t.Context()) // who else might not get in
		if err != nil {
			t.Fatal(err)
		}
		c.Closes = append(c.Closes, admin.Close, func() error { administer(t, admin, e.unlimit); return nil })
		return s.loaded(t, c, conn, func(l *load.Load) {
			for range trial.Rounds(2, 20) {
				administer(t, admin, e.limit)
				e.terminate(t, admin, s.Database)
				trial.Tried(t, conn, 16)
				administer(t, admin, e.unlimit)
				l.Go(t, 50)
			}
		})
	})

	trial.Fault(t, "statement timeout", "answered at once, and the connection serves on", func(t *testing.T, c *trial.Case) string {
		conn := s.open(t, c, s.Addr(), connection.With("connect_args", e.impatient))
		for range trial.Rounds(3, 100) {
			c.Reads.Add(2)
			c.ReadFails.Add(1)
			_, err := sqlconn.Query[int](t.Context(), conn.WithTTL(0), e.sleep)
			if err == nil || !strings.Contains(err.Error(), e.timedOut) {
				t.Errorf("%v, want the server's error %s", err, e.timedOut)
			}
			if err := subject(conn).Read(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if stats := connection.Stats(conn); stats.Retries != 0 || stats.Connects != 1 {
			t.Errorf("%d retries, %d connects; want none, and one", stats.Retries, stats.Connects)
		}
		return "the server's own error each time; no retry, no new pool"
	})

	trial.Fault(t, "deadlocks", "RetrySession: every session commits, exactly once", func(t *testing.T, c *trial.Case) string {
		if e.scheme == postgres.scheme {
			s.administer(t, "alter role streamconn set deadlock_timeout = '20ms'")
		}
		conn := s.open(t, c, s.Addr())
		return s.conflicts(t, c, func(ctx context.Context, id string, first bool, meet func()) (runs int, err error) {
			from, to := 1, 2
			if !first {
				from, to = 2, 1
			}
			err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
				runs++
				if _, err := tx.Exec(ctx, "insert into ledger values (:id)", sqlconn.Params{"id": id}); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "update accounts set money = money - 1 where id = :id", sqlconn.Params{"id": from}); err != nil {
					return err
				}
				meet() // each has what the other needs
				_, err := tx.Exec(ctx, "update accounts set money = money + 1 where id = :id", sqlconn.Params{"id": to})
				return err
			}, sqlconn.RetrySession())
			return runs, err
		})
	})

	trial.Fault(t, "serialization failures", "RetrySession: every session commits, exactly once", func(t *testing.T, c *trial.Case) string {
		conn := s.open(t, c, s.Addr())
		return s.conflicts(t, c, func(ctx context.Context, id string, first bool, meet func()) (runs int, err error) {
			move := 1
			if !first {
				move = -1
			}
			err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
				runs++
				if _, err := tx.Exec(ctx, "insert into ledger values (:id)", sqlconn.Params{"id": id}); err != nil {
					return err
				}
				money, err := sqlconn.QueryOne[int](ctx, tx, "select money from accounts where id = 1")
				if err != nil {
					return err
				}
				meet() // both have read the same
				_, err = tx.Exec(ctx, "update accounts set money = :money where id = 1", sqlconn.Params{"money": money + move})
				return err
			}, sqlconn.RetrySession(), sqlconn.Isolation(sql.LevelSerializable))
			return runs, err
		})
	})

	testNetwork(t, s)
	testFailover(t, s, e.site(t, e.shared(t), "Tom"))
}

// conflicts runs pairs of sessions that get in each other's way at the first try.
func (s site) conflicts(t *testing.T, c *trial.Case, session func(ctx context.Context, id string, first bool, meet func()) (runs int, err error)) string {
	t.Helper()
	ctx := t.Context()
	s.administer(t, "delete from ledger")
	c.Tries = nil
	sessions := 0
	for round := range trial.Rounds(10, 500) {
		var pair, both sync.WaitGroup
		pair.Add(2)
		var runs [2]int
		for i := range 2 {
			both.Go(func() {
				var once sync.Once
				meet := sync.OnceFunc(func() { pair.Done(); pair.Wait() })
				defer once.Do(meet) // should it fail before
				n, err := session(ctx, fmt.Sprintf("%d-%d", round, i), i == 0, meet)
				runs[i] = n
				c.Writes.Add(1)
				if err != nil {
					c.WriteFails.Add(1)
					t.Errorf("session %d: %v", i, err)
				}
			})
		}
		both.Wait()
		sessions += 2
		c.Retries += int64(runs[0] + runs[1] - 2)
		if runs[0]+runs[1] < 3 {
			t.Errorf("%d and %d runs: they did not get in each other's way", runs[0], runs[1])
		}
	}
	var money int
	if err := s.admin.QueryRowContext(ctx, "select sum(money) from accounts").Scan(&money); err != nil {
		t.Fatal(err)
	}
	if money != 2000 {
		t.Errorf("%d coins, want 2000", money)
	}
	c.Account = func(t *testing.T) {
		t.Helper()
		there := ledger(t, s)
		c.Lost = int64(sessions - len(there))
		for _, n := range there {
			if n > 1 {
				c.Repeated++
			}
		}
	}
	return fmt.Sprintf("%d sessions committed once each, after %d further runs; no coin is missing", sessions, c.Retries)
}

// testNetwork has the network between the library and the server fail.
func testNetwork(t *testing.T, s site) {
	t.Helper()
	trial.Network[*sqlconn.Conn]{
		Addr:    s.Addr(),
		Halves:  []int64{1000, 4000, 9000}[:trial.Rounds(2, 3)],
		Open:    func(t *testing.T, c *trial.Case, addr string) *sqlconn.Conn { return s.open(t, c, addr) },
		Subject: func(_ *testing.T, conn *sqlconn.Conn) load.Subject { return subject(conn) },
		Loaded:  s.loaded,
	}.Faults(t)
}
