//go:build linux

package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// backend is a driver and the database that it is tested with.
type backend struct {
	name   string
	driver string
	// dialect is what the library calls it, and scheme what its URLs begin with.
	dialect, scheme string
	// shared returns a new database on the server that the tests share; nil for SQLite.
	shared func(servers.TB) *servers.Database
}

var (
	pgx     = backend{"Postgres with pgx", "pgx", "postgresql", "postgresql+pgx", servers.Postgres}
	pq      = backend{"Postgres with pq", "postgres", "postgresql", "postgresql+pq", servers.Postgres}
	mariadb = backend{"MariaDB", "mysql", "mysql", "mysql", servers.MariaDB}
	sqlite  = backend{"SQLite", "sqlite", "sqlite", "sqlite", nil}

	backends = []backend{pgx, pq, mariadb, sqlite}
)

func (b backend) postgres() bool { return b.dialect == "postgresql" }

// url makes a new database and returns its URL, and where it is, if that is a server.
func (b backend) url(t *testing.T) (string, *servers.Database) {
	t.Helper()
	if b.shared == nil {
		return "sqlite:///" + filepath.Join(t.TempDir(), "pets.db"), nil
	}
	d := b.shared(t)
	return d.URLAs(b.scheme), d
}

// open opens a connection to a new database, which is closed when the test ends.
func (b backend) open(t *testing.T, opts ...connection.Option) (*sqlconn.Conn, *servers.Database) {
	t.Helper()
	u, d := b.url(t)
	return open(t, append([]connection.Option{sqlconn.WithURL(u)}, opts...)...), d
}

// open opens an isolated connection, which is closed when the test ends.
func open(t *testing.T, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	conn, err := sqlconn.Open(t.Context(), "pets", append(isolated(), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return conn
}

// isolated are the options of a connection that sees nothing of the machine that the test runs on.
func isolated() []connection.Option {
	return []connection.Option{
		connection.WithSecrets(secrets.Of(nil)),
		connection.WithEnviron(func(string) (string, bool) { return "", false }),
		connection.WithLogger(slog.New(slog.DiscardHandler)),
	}
}

// each runs a test on every backend.
func each(t *testing.T, test func(t *testing.T, b backend)) {
	t.Helper()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

// exec runs statements that have to work.
func exec(t *testing.T, conn *sqlconn.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// count asks the database itself, past every cache.
func count(t *testing.T, conn *sqlconn.Conn, table string) int {
	t.Helper()
	n, err := sqlconn.QueryOne[int](t.Context(), conn.WithTTL(0), "select count(*) from "+table)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits for what a server does in its own time, such as noticing that a client left.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came: %s", what)
		}
	}
}

// noPassword fails the test if an error, or one that it wraps, shows the password, in whatever form.
func noPassword(t *testing.T, err error, passwords ...string) {
	t.Helper()
	var texts []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		b, _ := json.Marshal(e)
		texts = append(texts, fmt.Sprint(e), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), string(b))
	}
	for _, text := range texts {
		for _, p := range passwords {
			for _, form := range []string{p, url.QueryEscape(p), url.PathEscape(p), url.UserPassword("", p).String()[1:]} {
				if strings.Contains(text, form) {
					t.Errorf("the password is in the error: %s", strings.ReplaceAll(text, form, "<password>"))
				}
			}
		}
	}
}
