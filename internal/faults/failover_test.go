//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

// secretsFile is a file of secrets that a Store watches.
type secretsFile struct {
	path  string
	store *secrets.Store
}

// watch writes a file of secrets and has a Store watch it until the case ends.
func watch(t *testing.T, c *trial.Case, text string) secretsFile {
	t.Helper()
	f := secretsFile{path: filepath.Join(t.TempDir(), "secrets.toml")}
	f.replace(t, text)
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(f.path), secrets.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	f.store = store
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = store.Watch(ctx)
	}()
	c.Closes = append(c.Closes, func() error { cancel(); <-ended; return nil })
	return f
}

// replace renames another file over it, as editors and deployments do.
func (f secretsFile) replace(t *testing.T, text string) {
	t.Helper()
	next := f.path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, f.path); err != nil {
		t.Fatal(err)
	}
}

// testFailover moves a connection from one server to another one by its file of secrets.
func testFailover(t *testing.T, first, second site) {
	t.Helper()
	section := func(s site) string { return fmt.Sprintf("[connections.pets]\nurl = %q\n", s.URLAs(s.scheme)) }
	moves := func(t *testing.T, conn *sqlconn.Conn, pet string) {
		t.Helper()
		load.Eventually(t, "reads come from the other server", func() bool {
			names, err := sqlconn.Query[string](t.Context(), conn.WithTTL(0), "select name from pets")
			if err != nil {
				t.Errorf("a read failed: %v", err)
			}
			return len(names) > 0 && strings.HasPrefix(names[0], pet)
		})
	}
	failover := func(name, promised string, breaks func(t *testing.T, conn *sqlconn.Conn, f secretsFile, l *load.Load)) {
		trial.Fault(t, name, promised, func(t *testing.T, c *trial.Case) string {
			f := watch(t, c, section(first))
			conn := first.openWith(t, c, trial.Patient(), connection.WithSecrets(f.store))
			c.Connections = func() int { return first.Connections(t) + second.Connections(t) }
			first.administer(t, "delete from ledger")
			second.administer(t, "delete from ledger")
			c.Under(t, subject(conn), func(l *load.Load) {
				c.Account = func(t *testing.T) {
					t.Helper()
					c.Lost, c.Repeated = l.Account(ledger(t, first, second))
				}
				breaks(t, conn, f, l)
			})
			return c.Survived()
		})
	}

	failover("failover of a dead server", trial.ReadsSurvive, func(t *testing.T, conn *sqlconn.Conn, f secretsFile, l *load.Load) {
		for range trial.Rounds(1, 10) {
			first.Kill(t)
			trial.Tried(t, conn, 16)
			f.replace(t, section(second))
			moves(t, conn, "Tom")
			l.Wrote(t, 10)
			first.Restart(t)
			f.replace(t, section(first))
			moves(t, conn, "Rex")
		}
	})

	failover("failover that is planned", "no call fails", func(t *testing.T, conn *sqlconn.Conn, f secretsFile, l *load.Load) {
		for range trial.Rounds(2, 50) {
			f.replace(t, section(second))
			moves(t, conn, "Tom")
			f.replace(t, section(first))
			moves(t, conn, "Rex")
		}
		if n := l.WriteFailures.Load(); n != 0 {
			t.Errorf("%d writes failed", n)
		}
	})
}
