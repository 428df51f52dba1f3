package conntest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/connection/conntest"
	"github.com/streamconn/streamconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A kind around a client of database/sql, with a wrapper.
func TestSQLite(t *testing.T) {
	t.Parallel()
	connect := func(_ context.Context, p *connection.Params) (*sql.DB, error) {
		path, err := p.String("database", "PETS_DATABASE")
		if err != nil {
			return nil, err
		}
		return sql.Open("sqlite", path)
	}
	type wrapper struct{ connection.Connection[*sql.DB] }
	kind := &connection.Kind[*sql.DB, *wrapper]{
		Name: "pets", Connect: connect, Wrap: func(c connection.Connection[*sql.DB]) *wrapper { return &wrapper{c} },
	}
	conntest.Run(t, conntest.Config[*sql.DB]{
		Connect: connect,
		Open: func(ctx context.Context, name string, opts ...connection.Option) (connection.Connection[*sql.DB], error) {
			c, err := kind.Open(ctx, name, opts...)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		Params:   map[string]any{"database": filepath.Join(t.TempDir(), "pets.db")},
		Env:      map[string]string{"database": "PETS_DATABASE"},
		Required: []string{"database"},
		Use:      func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
	})
}

// A kind with parameters of every type.
func TestKindOfAllTypes(t *testing.T) {
	t.Parallel()
	conntest.Run(t, config(connect))
}

// A kind that names nothing optional to the suite.
func TestMinimalConfig(t *testing.T) {
	t.Parallel()
	conntest.Run(t, conntest.Config[int]{
		Connect: func(context.Context, *connection.Params) (int, error) { return 42, nil },
		Params:  map[string]any{},
	})
}

type client struct {
	settings
	closed atomic.Bool
}

type settings struct {
	Host     string         `param:"host,SERVER_HOST"`
	Password secrets.Secret `param:"password,SERVER_PASSWORD"`
	Port     int            `param:"port,SERVER_PORT,optional"`
	TLS      bool           `param:"tls,SERVER_TLS,optional"`
	Ratio    float64        `param:"ratio,optional"`
	Tags     []string       `param:"tags,optional"`
	Extra    map[string]any `param:"extra,optional"`
}

func (c *client) Close() error { c.closed.Store(true); return nil }

func connect(_ context.Context, p *connection.Params) (*client, error) {
	c := new(client)
	if err := p.Decode(&c.settings); err != nil {
		return nil, err
	}
	if c.Host == "unreachable" {
		return nil, errors.New("the host is unreachable")
	}
	return c, nil
}

func config(connect connection.Factory[*client]) conntest.Config[*client] {
	return conntest.Config[*client]{
		Connect: connect,
		Params: map[string]any{
			"host": "db.example.com", "password": "correct \"horse\" <battery>\\\tstaple", "port": 5432, "tls": true, "ratio": 0.5,
			"tags": []any{"a", "b"}, "extra": map[string]any{"a key": 1, "deep": map[string]any{"x": 1.0}},
		},
		Env:      map[string]string{"host": "SERVER_HOST", "password": "SERVER_PASSWORD", "port": "SERVER_PORT", "tls": "SERVER_TLS"},
		Required: []string{"host", "password"},
		Secrets:  []string{"password"},
		Broken:   []map[string]any{{"host": "unreachable"}},
		Use: func(_ context.Context, c *client) error {
			if c.closed.Load() {
				return errors.New("closed")
			}
			return nil
		},
		Derive: func(c *client) *client { return c },
	}
}

// broken are kinds that break one rule each, and the case that has to notice, before a colon.
func broken(t *testing.T) map[string]conntest.Config[*client] {
	var global struct {
		sync.Mutex
		client *client
	}
	password := config(connect).Params["password"].(string)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	set := func(change func(*conntest.Config[*client])) conntest.Config[*client] {
		cfg := config(connect)
		change(&cfg)
		return cfg
	}
	return map[string]conntest.Config[*client]{
		"open": config(func(context.Context, *connection.Params) (*client, error) { return nil, errors.New("never") }),
		"precedence": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			if v, source, _ := p.Lookup("host"); source != connection.Code || v == nil { // no environment, no section
				return nil, errors.New("no host")
			}
			return connect(ctx, p)
		}),
		"missing": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			if _, _, ok := p.Lookup("host", "SERVER_HOST"); !ok {
				return nil, errors.New("something is missing")
			}
			return connect(ctx, p)
		}),
		"empty": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			if v, _, ok := p.Lookup("host", "SERVER_HOST"); ok && v == "" {
				return new(client), nil
			}
			return connect(ctx, p)
		}),
		"retry": config(func() connection.Factory[*client] {
			var failed atomic.Bool
			return func(ctx context.Context, p *connection.Params) (*client, error) {
				if failed.Load() {
					return nil, errors.New("failed once, fails for ever")
				}
				c, err := connect(ctx, p)
				failed.Store(err != nil)
				return c, err
			}
		}()),
		"reset": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			global.Lock()
			defer global.Unlock()
			if global.client == nil || global.client.closed.Load() {
				c, err := connect(ctx, p)
				if err != nil {
					return nil, err
				}
				global.client = c
			}
			p.OnClose(func() error { global.client.closed.Store(false); return nil }) // of all connections
			return global.client, nil
		}),
		"close": set(func(cfg *conntest.Config[*client]) {
			cfg.Use = func(context.Context, *client) error { return nil } // never closed
		}),
		"secrets in errors": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			c, err := connect(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("dial with %s: %w", password, err)
			}
			return c, nil
		}),
		"secrets in errors: a value for a name": set(func(cfg *conntest.Config[*client]) {
			cfg.Secrets = []string{cfg.Params["password"].(string)}
		}),
		"explain": set(func(cfg *conntest.Config[*client]) {
			cfg.Params["never_asked_for"] = 1
		}),
		"goroutines": config(func(ctx context.Context, p *connection.Params) (*client, error) {
			go func() { <-stop }()
			return connect(ctx, p)
		}),
		"leases": set(func(cfg *conntest.Config[*client]) {
			uses := map[*client]int{}
			cfg.Use = func(_ context.Context, c *client) error { // closed while it is lent
				if uses[c]++; uses[c] > 1 {
					return errors.New("closed")
				}
				return nil
			}
		}),
	}
}

// The suite notices kinds that break its rules. It runs on them in a process of its own, since they
// fail.
func TestBrokenKindsAreNoticed(t *testing.T) {
	const variable = "CONNTEST_BROKEN_KIND"
	t.Parallel()
	if name := os.Getenv(variable); name != "" {
		conntest.Run(t, broken(t)[name])
		return
	}
	for name := range broken(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenKindsAreNoticed$")
			cmd.Env = append(os.Environ(), variable+"="+name)
			out, err := cmd.CombinedOutput()
			rule, _, _ := strings.Cut(name, ":")
			failed := "--- FAIL: TestBrokenKindsAreNoticed/connection/" + strings.ReplaceAll(rule, " ", "_")
			if err == nil || !strings.Contains(string(out), failed) || !strings.Contains(string(out), "the rule: ") {
				t.Errorf("not noticed: %v\n%s", err, out)
			}
			if strings.Contains(string(out), "battery") {
				t.Errorf("the suite itself shows the password:\n%s", out)
			}
		})
	}
}
