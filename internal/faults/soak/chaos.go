//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/sqlconn"
	"github.com/streamconn/streamconn/supabase"
)

// The names of the connections.
const (
	pgName    = "pg"
	fileName  = "file"
	restName  = "rest"
	appName   = "app"   // the project in memory, as its users have it
	adminName = "admin" // as its service has it
)

// secretsFile is the file of secrets that is written anew again and again.
type secretsFile struct {
	path   string
	places *places
	ways   map[string]int // by connection, the way to its server
}

func newSecretsFile(dir string, p *places) (*secretsFile, error) {
	f := &secretsFile{path: filepath.Join(dir, "secrets.toml"), places: p, ways: make(map[string]int)}
	return f, f.write(f.text())
}

func (f *secretsFile) text() string {
	var b strings.Builder
	section := func(name string, parameters ...string) {
		fmt.Fprintf(&b, "[connections.%s]\n", name)
		for i := 0; i < len(parameters); i += 2 {
			fmt.Fprintf(&b, "%s = %q\n", parameters[i], parameters[i+1])
		}
	}
	section(pgName, "url", f.places.Postgres[f.ways[pgName]])
	section(fileName, "url", "sqlite:///"+f.places.SQLite)
	fmt.Fprintf(&b, "[connections.%s.create_engine_kwargs]\npool_size = %d\n", fileName, 4+f.ways[fileName])
	section(restName, "SUPABASE_URL", f.places.Rest[f.ways[restName]], "SUPABASE_KEY", f.places.Key, "timeout", "10s")
	section(appName, "SUPABASE_URL", f.places.Project[f.ways[appName]], "SUPABASE_KEY", f.places.AnonKey, "timeout", "10s")
	section(adminName, "SUPABASE_URL", f.places.Project[f.ways[adminName]], "SUPABASE_KEY", f.places.Service, "timeout", "10s")
	return b.String()
}

// write replaces the file, as editors and deployments do.
func (f *secretsFile) write(text string) error {
	next := f.path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.path)
}

// change moves a connection to the other way; one time in five the file is no TOML in between.
func (f *secretsFile) change(name string) error {
	if rand.IntN(5) == 0 {
		if err := f.write("[connections.pg\nurl = "); err != nil {
			return err
		}
	}
	f.ways[name] = 1 - f.ways[name]
	return f.write(f.text())
}

// conn is a connection of either kind.
type conn interface {
	connection.Any
	Reset() error
}

// disturb does to connections in use what their users may do.
func disturb(w *work, f *secretsFile, conns map[string]conn, app func(context.Context) (*supabase.Conn, error)) {
	names := []string{pgName, fileName, restName, appName, adminName}
	with := func(do func(c conn) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			if c := conns[names[rand.IntN(len(names))]]; c != nil {
				return do(c)
			}
			c, err := app(ctx)
			if err != nil {
				return err
			}
			return do(c)
		}
	}
	w.goes(w.kind("secrets rewritten", false), 700*time.Millisecond, func(context.Context) error {
		return f.change(names[rand.IntN(len(names))])
	})
	w.goes(w.kind("caches cleared", false), 300*time.Millisecond, with(func(c conn) error {
		connection.Clear(c)
		return nil
	}))
	w.goes(w.kind("queries cleared", false), 100*time.Millisecond, with(func(c conn) error {
		switch c := c.(type) {
		case *sqlconn.Conn:
			c.ClearQuery("select id, name, sum from pets order by id")
		case *supabase.Conn:
			c.ClearQuery(c.Table("pets").Select("*").Order("id"))
		}
		return nil
	}))
	w.goes(w.kind("connections reset", false), 500*time.Millisecond, with(conn.Reset))
}

// openAndClose makes connections of one's own, uses and closes them.
func openAndClose(w *work, p *places, opts []connection.Option) {
	w.goes(w.kind("connections opened and closed", false), 300*time.Millisecond, func(ctx context.Context) error {
		if rand.IntN(2) == 0 {
			conn, err := sqlconn.Open(ctx, "own", append(opts, sqlconn.WithURL(p.Postgres[rand.IntN(2)]))...)
			if err != nil {
				return err
			}
			defer conn.Close()
			n, err := sqlconn.QueryOne[int](ctx, conn, "select count(*) from pets")
			if err == nil && n != pets {
				return wrong("%d pets", n)
			}
			return err
		}
		conn, err := supabase.Open(ctx, "own", append(opts, supabase.WithURL(p.Rest[rand.IntN(2)]), supabase.WithKey(p.Key), supabase.WithTimeout(10*time.Second))...)
		if err != nil {
			return err
		}
		defer conn.Close()
		return readPets(ctx, conn.Table("pets").Select("*").Order("id"))
	})
}
