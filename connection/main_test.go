package connection_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is what the tests connect to: it notices when it is used or closed at a wrong time.
type client struct {
	of     *source
	number int64
	host   string
	closed atomic.Bool
	users  atomic.Int64
}

// use is one use of the client; during runs in the middle of it.
func (c *client) use(during func()) error {
	c.users.Add(1)
	defer c.users.Add(-1)
	during()
	if c.closed.Load() {
		c.of.usedAfterClose.Add(1)
		return errors.New("used after close")
	}
	return nil
}

func (c *client) Close() error {
	if c.closed.Swap(true) {
		c.of.closedTwice.Add(1)
	}
	if c.users.Load() > 0 {
		c.of.closedInUse.Add(1)
	}
	c.of.closes.Add(1)
	return c.of.closeError
}

// source is what clients connect to.
type source struct {
	connects, closes                         atomic.Int64
	usedAfterClose, closedTwice, closedInUse atomic.Int64

	dial       func(ctx context.Context, p *connection.Params) error // nil: nothing to wait for
	closeError error
}

func (s *source) connect(ctx context.Context, p *connection.Params) (*client, error) {
	number := s.connects.Add(1)
	host, err := p.StringOr("host", "localhost", "SOURCE_HOST")
	if err != nil {
		return nil, err
	}
	if s.dial != nil {
		if err := s.dial(ctx, p); err != nil {
			return nil, err
		}
	}
	return &client{of: s, number: number, host: host}, nil
}

// check tells what was done to clients that must not be.
func (s *source) check(t *testing.T) {
	t.Helper()
	if n := s.usedAfterClose.Load(); n != 0 {
		t.Errorf("%d uses of a closed client", n)
	}
	if n := s.closedTwice.Load(); n != 0 {
		t.Errorf("%d clients were closed twice", n)
	}
	if n := s.closedInUse.Load(); n != 0 {
		t.Errorf("%d clients were closed while somebody used them", n)
	}
	if open := s.connects.Load() - s.closes.Load(); open != 0 {
		t.Errorf("%d of %d clients are still open", open, s.connects.Load())
	}
}

// world is a registry of the test's own: nothing comes in from the outside.
func world(t *testing.T, values map[string]any, environment ...string) *connection.Registry {
	t.Helper()
	r := &connection.Registry{
		Secrets: secrets.Of(values),
		Environ: environ(environment...),
		Logger:  quiet,
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing the registry: %v", err)
		}
	})
	return r
}

// environ makes an environment of "KEY=value".
func environ(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value, true
			}
		}
		return "", false
	}
}

// section is the secrets with one [connections.NAME].
func section(name string, keys map[string]any) map[string]any {
	return map[string]any{"connections": map[string]any{name: keys}}
}

func open[T any](t *testing.T, r *connection.Registry, name string, connect connection.Factory[T], opts ...connection.Option) connection.Connection[T] {
	t.Helper()
	c, err := connection.Open(t.Context(), name, connect, append([]connection.Option{connection.In(r)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func raw[T any](t *testing.T, c connection.Connection[T]) T {
	t.Helper()
	client, err := c.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func get[T any](t *testing.T, r *connection.Registry, name string, opts ...connection.Option) connection.Connection[T] {
	t.Helper()
	c, err := connection.Get[T](t.Context(), r, name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read counts, in loads, how often a cached read had to be loaded.
func read(t *testing.T, c connection.Connection[*client], key string, loads *int) string {
	t.Helper()
	v, err := connection.Read(t.Context(), c, key, cacheForever, func(_ context.Context, client *client) (string, error) {
		*loads++
		return client.host, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
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

// count counts the lines that contain text.
func (l *logs) count(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// file is a secrets.toml that the test edits.
type file struct {
	t    *testing.T
	path string
}

func newFile(t *testing.T, content string) file {
	t.Helper()
	f := file{t, filepath.Join(t.TempDir(), "secrets.toml")}
	f.write(content)
	return f
}

// write replaces the file as editors do, by renaming.
func (f file) write(content string) {
	f.t.Helper()
	next := f.path + ".new"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(next, f.path); err != nil {
		f.t.Fatal(err)
	}
}

func (f file) load(opts ...secrets.Option) *secrets.Store {
	f.t.Helper()
	s, err := secrets.Load(append([]secrets.Option{secrets.WithoutDefaults(), secrets.WithPath(f.path)}, opts...)...)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func refresh(t *testing.T, s *secrets.Store) {
	t.Helper()
	if err := s.Refresh(); err != nil {
		t.Fatal(err)
	}
}

func wantErrorIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want one that is %v", err, want)
	}
}

func wantErrorText(t *testing.T, err error, texts ...string) {
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

// pass lets so much of a bubble's time pass.
func pass(d time.Duration) { <-time.After(d) }

const cacheForever = cache.Forever

var quiet = slog.New(slog.DiscardHandler)
