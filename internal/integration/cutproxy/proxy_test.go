//go:build linux

package cutproxy_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/streamconn/streamconn/internal/integration/cutproxy"
	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// through returns a server with a table of pets and a pool that reaches it through a proxy.
func through(t *testing.T, kind string) (*servers.Database, *cutproxy.Proxy, *sql.DB) {
	t.Helper()
	var d *servers.Database
	var p *cutproxy.Proxy
	var db *sql.DB
	var err error
	switch kind {
	case "Postgres":
		d = servers.Postgres(t)
		p = cutproxy.New(t, cutproxy.Postgres, d.Addr())
		db, err = sql.Open("pgx", d.URLAt("postgres", p.Addr()))
	case "MariaDB":
		d = servers.MariaDB(t)
		p = cutproxy.New(t, cutproxy.MySQL, d.Addr())
		db, err = sql.Open("mysql", d.User+":"+d.Password+"@tcp("+p.Addr()+")/"+d.Name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), "create table pets (name varchar(20))"); err != nil {
		t.Fatal(err)
	}
	return d, p, db
}

func pets(t *testing.T, d *servers.Database) int {
	t.Helper()
	var n int
	if err := d.Admin(t).QueryRowContext(t.Context(), "select count(*) from pets").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCutAfterTheServerExecutedTheStatement(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Postgres", "MariaDB"} {
		for _, arguments := range []bool{false, true} {
			name := kind + "/text"
			if arguments {
				name = kind + "/prepared"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d, p, db := through(t, kind)
				query, args := "INSERT INTO pets VALUES ('Rex') RETURNING name", []any(nil)
				if arguments {
					args = []any{"Rex"}
					query = "INSERT INTO pets VALUES (?) RETURNING name"
					if kind == "Postgres" {
						query = "INSERT INTO pets VALUES ($1) RETURNING name"
					}
				}
				cut := p.CutAfter("insert")
				var name string
				if err := db.QueryRowContext(t.Context(), "select 'before'").Scan(&name); err != nil {
					t.Fatalf("another statement: %v", err)
				}
				err := db.QueryRowContext(t.Context(), query, args...).Scan(&name)
				if err == nil {
					t.Fatalf("answered %q, want a cut connection", name)
				}
				<-cut
				if n := pets(t, d); n != 1 {
					t.Errorf("%d rows, want the one that was inserted", n)
				}
				// Only once: the next goes through.
				if err := db.QueryRowContext(t.Context(), query, args...).Scan(&name); err != nil || name != "Rex" {
					t.Errorf("next insert = %q, %v", name, err)
				}
				if n := pets(t, d); n != 2 {
					t.Errorf("%d rows, want 2", n)
				}
			})
		}
	}
}

func TestRefuseHangAndServe(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Postgres", "MariaDB"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, p, db := through(t, kind)

			p.Refuse()
			for { // the pool first finds out that its connection is gone
				err := db.PingContext(t.Context())
				if err == nil {
					t.Fatal("answered while refusing")
				}
				if errors.Is(err, syscall.ECONNREFUSED) {
					break
				}
			}
			p.Serve(t)
			if err := db.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}

			accepted := p.Accepted()
			p.CutAll()
			for db.PingContext(t.Context()) != nil { // the cut may be met once
			}
			if p.Accepted() <= accepted {
				t.Error("no new connection after the cut")
			}

			p.Hang()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := db.ExecContext(ctx, "delete from pets"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while hanging: %v, want the deadline", err)
			}
			p.Serve(t)
			if err := db.PingContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
