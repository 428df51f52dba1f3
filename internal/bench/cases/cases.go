// Package cases holds what is measured: each case beside its floor and the peers, in one run.
package cases

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

// Table is a group of cases that differ by size, and share their sides.
type Table struct {
	ID    string
	Title string
	Text  string // what is compared, and how
	Cases []measure.Case
}

// Host is what the cases need of where they run.
type Host struct {
	Postgres func(tb testing.TB) (url string) // a database of nobody else's
	Python   string                           // an interpreter that has Streamlit; "": its cases are left out
	Script   string                           // that it runs
}

// Tables gives all of them.
func Tables(h Host) []Table {
	tables := []Table{
		hits(), arguments(), copies(),
		missesReady(), missesSQLite(), missesPostgres(h),
		restReads(), restHits(), restChains(), uploads(), downloads(),
		entries(), streams(), goroutines(),
	}
	if h.Python != "" {
		tables = append(tables, streamlit(h))
	}
	return tables
}

// world is a registry that knows one connection, and nothing of the environment.
func world() *connection.Registry {
	section := map[string]any{"url": "sqlite://"}
	return &connection.Registry{
		Secrets: secrets.Of(map[string]any{"connections": map[string]any{"pets": section}}),
		Environ: func(string) (string, bool) { return "", false },
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// open opens an SQL connection that ends with tb.
func open(tb testing.TB, url string, opts ...connection.Option) *sqlconn.Conn {
	tb.Helper()
	c, err := sqlconn.Open(context.Background(), "pets", append(opts, sqlconn.WithURL(url), connection.In(world()))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return number(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

func rowsName(n int) string {
	if n == 1 {
		return "1 row"
	}
	return number(n) + " rows"
}
