package conntest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// name is that of every connection here, and of its section.
const name = "conntest"

// world is where one case runs: secrets and an environment of its own, and a factory that counts.
type world[T any] struct {
	Config[T]
	open       opener[T]
	ownFactory bool // the counting one is used

	file     string
	store    *secrets.Store
	registry *connection.Registry

	mu      sync.Mutex
	environ map[string]string
	hold    chan struct{} // connects wait until it is closed; nil: they do not

	connects, closes atomic.Int64
}

func newWorld[T any](t *testing.T, cfg Config[T], open opener[T]) *world[T] {
	t.Helper()
	w := &world[T]{Config: cfg, open: open, file: filepath.Join(t.TempDir(), "secrets.toml")}
	w.write(t, nil)
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(w.file))
	if err != nil {
		t.Fatalf("the secrets cannot be loaded: %v", err)
	}
	w.store = store
	w.registry = &connection.Registry{Secrets: store, Environ: w.lookup, Logger: slog.New(slog.DiscardHandler)}
	return w
}

// connect is the kind's factory, which is watched.
func (w *world[T]) connect(ctx context.Context, p *connection.Params) (T, error) {
	w.connects.Add(1)
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	client, err := w.Connect(ctx, p)
	if err == nil {
		p.OnClose(func() error { w.closes.Add(1); return nil })
	}
	return client, err
}

// lookup is the environment.
func (w *world[T]) lookup(key string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.environ[key]
	return v, ok
}

func (w *world[T]) setEnviron(environ map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.environ = environ
}

func (w *world[T]) setHold(hold chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = hold
}

// options gives parameters in code.
func (w *world[T]) options(params map[string]any, more ...connection.Option) []connection.Option {
	opts := append([]connection.Option{connection.In(w.registry)}, more...)
	for _, param := range slices.Sorted(maps.Keys(params)) {
		opts = append(opts, connection.With(param, params[param]))
	}
	return opts
}

// tryOpen opens with exactly these parameters in code; what it opens is closed with the case.
func (w *world[T]) tryOpen(t *testing.T, ctx context.Context, params map[string]any, more ...connection.Option) (connection.Connection[T], error) {
	t.Helper()
	c, err := w.open(ctx, name, w.connect, w.options(params, more...)...)
	if err == nil {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	return c, err
}

// mustOpen opens with the parameters that work.
func (w *world[T]) mustOpen(t *testing.T, more ...connection.Option) connection.Connection[T] {
	t.Helper()
	c, err := w.tryOpen(t, t.Context(), w.Params, more...)
	if err != nil {
		t.Fatalf("Open with the parameters that are to work: %v", err)
	}
	return c
}

func (w *world[T]) raw(t *testing.T, c connection.Connection[T]) T {
	t.Helper()
	client, err := c.Raw(t.Context())
	if err != nil {
		t.Fatalf("Raw: %v", err)
	}
	return client
}

// use uses a client that is to be open.
func (w *world[T]) use(ctx context.Context, client T) error {
	if w.Use == nil {
		return nil
	}
	return w.Use(ctx, client)
}

// without is Params without one of them.
func (w *world[T]) without(param string) map[string]any {
	rest := maps.Clone(w.Params)
	delete(rest, param)
	return rest
}

// write writes the section [connections.conntest].
func (w *world[T]) write(t *testing.T, section map[string]any) {
	t.Helper()
	var b strings.Builder
	b.WriteString("[connections." + name + "]\n")
	for _, key := range slices.Sorted(maps.Keys(section)) {
		fmt.Fprintf(&b, "%s = %s\n", quoted(key), toml(t, section[key]))
	}
	// By renaming, as editors do: nobody reads half a file.
	next := w.file + ".next"
	if err := os.WriteFile(next, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, w.file); err != nil {
		t.Fatal(err)
	}
}

// reload writes the section and makes it known.
func (w *world[T]) reload(t *testing.T, section map[string]any) {
	t.Helper()
	w.write(t, section)
	if err := w.store.Refresh(); err != nil {
		t.Fatalf("the secrets cannot be read again: %v", err)
	}
}

// toml writes a value in one line.
func toml(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case string:
		return quoted(v)
	case secrets.Secret:
		return quoted(v.Reveal())
	case bool, int, int8, int16, int32, int64, uint8, uint16, uint32:
		return fmt.Sprint(v)
	case float64:
		text := fmt.Sprint(v)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case []any:
		elements := make([]string, len(v))
		for i := range v {
			elements[i] = toml(t, v[i])
		}
		return "[" + strings.Join(elements, ", ") + "]"
	case map[string]any:
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, quoted(key)+" = "+toml(t, v[key]))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	default:
		t.Fatalf("conntest: a %T cannot stand in secrets.toml; give texts, numbers, truth values, []any and map[string]any", v)
		return ""
	}
}

// quoted writes a text as TOML's basic strings do, which read JSON's.
func quoted(s string) string {
	b, _ := json.Marshal(s) // of a string it does not fail
	return string(b)
}

// text is a scalar as the environment has it.
func text(v any) string {
	if s, ok := v.(secrets.Secret); ok {
		return s.Reveal()
	}
	return fmt.Sprint(v)
}
