//go:build linux

package servers_test

import (
	"context"
	"database/sql"
	"os"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

var kinds = []struct {
	name   string
	driver string
	dsn    func(*servers.Database) string
	shared func(servers.TB) *servers.Database
	own    func(servers.TB) *servers.Database
}{
	{"Postgres", "pgx", func(d *servers.Database) string { return d.URL() }, servers.Postgres, servers.StartPostgres},
	{"MariaDB", "mysql", func(d *servers.Database) string {
		return d.User + ":" + d.Password + "@tcp(" + d.Addr() + ")/" + d.Name
	}, servers.MariaDB, servers.StartMariaDB},
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestSharedServerGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			one, two := kind.shared(t), kind.shared(t)
			if one.PID() != two.PID() || one.Name == two.Name {
				t.Fatalf("databases %s of process %d and %s of %d; want two on one server", one.Name, one.PID(), two.Name, two.PID())
			}
			for _, d := range []*servers.Database{one, two} {
				db := open(t, kind.driver, kind.dsn(d))
				if _, err := db.ExecContext(t.Context(), "create table pets (name varchar(20))"); err != nil {
					t.Fatal(err)
				}
				if n := d.Connections(t); n != 1 {
					t.Errorf("%s has %d connections, want 1", d.Name, n)
				}
			}
			if _, err := one.Admin(t).ExecContext(t.Context(), "insert into pets values ('Rex')"); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := two.Admin(t).QueryRowContext(t.Context(), "select count(*) from pets").Scan(&n); err != nil || n != 0 {
				t.Errorf("%d pets in the other database, %v; want none", n, err)
			}
			if n := one.Connections(t); n != 1 {
				t.Errorf("%d connections with the administrator's, want 1 without", n)
			}
		})
	}
}

func TestKilledServerComesBackWithItsData(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			d := kind.own(t)
			db := open(t, kind.driver, kind.dsn(d))
			for _, text := range []string{"create table pets (name varchar(20))", "insert into pets values ('Rex')"} {
				if _, err := db.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			for _, end := range []func(){func() { d.Kill(t) }, func() { d.Stop(t) }} {
				pid := d.PID()
				end()
				if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
					t.Fatalf("process %d after its end: %v", pid, err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if err := db.PingContext(ctx); err == nil {
					t.Error("the database answers without its server")
				}
				cancel()
				d.Restart(t)
				if d.PID() == pid {
					t.Errorf("process id %d again", pid)
				}
				var n int
				if err := db.QueryRowContext(t.Context(), "select count(*) from pets").Scan(&n); err != nil || n != 1 {
					t.Errorf("%d pets and %v after the restart, want 1", n, err)
				}
			}
		})
	}
}

// fatal is a testing.TB that notes how it ended.
type fatal struct {
	testing.TB
	failed, skipped bool
}

func (f *fatal) Helper()               {}
func (f *fatal) Fatalf(string, ...any) { f.failed = true }
func (f *fatal) Skipf(string, ...any)  { f.skipped = true }

func TestMissingProgramFailsOnlyWhereServersAreRequired(t *testing.T) {
	for _, test := range []struct {
		value string
		fails bool
	}{{"", false}, {"0", false}, {"1", true}} {
		t.Setenv(servers.RequireVariable, test.value)
		var tb fatal
		servers.Missing(&tb, "oracle", "there is no package")
		if tb.failed != test.fails || !tb.failed && !tb.skipped {
			t.Errorf("%s=%q: failed %v, skipped %v", servers.RequireVariable, test.value, tb.failed, tb.skipped)
		}
	}
}
