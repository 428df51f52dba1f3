package sqlconn_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planted is a password that nothing may show.
const planted = "planted/s3cret&pass"

// urlOf is a database on srv. Its driver is one that the library does not know.
func urlOf(srv *fakedb.Server) string {
	fakedb.Register("pgx")
	return "postgresql://ann:planted%2Fs3cret%26pass@db.invalid/" + srv.ID()
}

// world is a registry of the test's own, with these sections of the secrets: nothing comes in
// from the outside.
func world(t testing.TB, sections map[string]any, environment ...string) *connection.Registry {
	t.Helper()
	r := &connection.Registry{
		Secrets: secrets.Of(map[string]any{"connections": sections}),
		Environ: func(name string) (string, bool) {
			for _, pair := range environment {
				if key, value, _ := strings.Cut(pair, "="); key == name {
					return value, true
				}
			}
			return "", false
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing the registry: %v", err)
		}
	})
	return r
}

// fake is a connection to a pretended server.
func fake(t testing.TB, opts ...connection.Option) (*fakedb.Server, *sqlconn.Conn) {
	t.Helper()
	srv := fakedb.New(t)
	return srv, open(t, "pets", append([]connection.Option{sqlconn.WithURL(urlOf(srv))}, opts...)...)
}

// memory is a connection to a SQLite of its own.
func memory(t testing.TB, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	return open(t, "pets", append([]connection.Option{sqlconn.WithURL("sqlite://")}, opts...)...)
}

func open(t testing.TB, name string, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	c, err := sqlconn.Open(t.Context(), name, append([]connection.Option{connection.In(world(t, nil))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing the connection: %v", err)
		}
	})
	return c
}

func get(t testing.TB, r *connection.Registry, name string, opts ...connection.Option) *sqlconn.Conn {
	t.Helper()
	c, err := sqlconn.Get(t.Context(), name, append([]connection.Option{connection.In(r)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exec(t testing.TB, c *sqlconn.Conn, query string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func query[T any](t testing.TB, q sqlconn.Queryer, text string, args ...any) []T {
	t.Helper()
	rows, err := sqlconn.Query[T](t.Context(), q, text, args...)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func one[T any](t testing.TB, q sqlconn.Queryer, text string, args ...any) T {
	t.Helper()
	row, err := sqlconn.QueryOne[T](t.Context(), q, text, args...)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// numbered answers each run of a statement with its number, so that an answer from the cache is told.
func numbered() fakedb.Handler {
	return func(_ context.Context, c fakedb.Call) (*fakedb.Result, error) {
		return &fakedb.Result{Columns: []fakedb.Column{{Name: "run"}}, Rows: [][]any{{c.Run}}}, nil
	}
}

// ops are the operations that the server has seen, less the pings and resets of the pool.
func ops(srv *fakedb.Server) []fakedb.Op {
	var seen []fakedb.Op
	for _, e := range srv.Events() {
		if e.Op != fakedb.Ping && e.Op != fakedb.Reset && e.Op != fakedb.Dial && e.Op != fakedb.Close {
			seen = append(seen, e.Op)
		}
	}
	return seen
}

func wantOps(t *testing.T, srv *fakedb.Server, want ...fakedb.Op) {
	t.Helper()
	if got := ops(srv); !slices.Equal(got, want) {
		t.Errorf("the server saw %v, want %v", got, want)
	}
}

func wantIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want one that is %v", err, want)
	}
}

func wantText(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not contain %q", err, text)
		}
	}
}

// logs collects what is logged.
type logs struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// elapse lets the time of a synctest bubble go by.
func elapse(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // nothing sleeps in a bubble
