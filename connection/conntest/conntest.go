// Package conntest checks that a kind of connection keeps the rules of package connection. Whoever
// writes a [connection.Factory] runs it in a test of their own:
//
//	func TestConformance(t *testing.T) {
//		conntest.Run(t, conntest.Config[*sql.DB]{
//			Connect:  Connect,
//			Params:   map[string]any{"database": filepath.Join(t.TempDir(), "pets.db")},
//			Env:      map[string]string{"database": "PETS_DATABASE"},
//			Required: []string{"database"},
//		})
//	}
//
// It needs nothing but the standard library.
package conntest

import (
	"context"
	"testing"

	"github.com/streamconn/streamconn/connection"
)

// Config describes a kind of connection to [Run]. Connect and Params must be given; with each
// further field more is checked.
type Config[T any] struct {
	// Connect is the kind's factory. It must be safe to be called from several goroutines.
	Connect connection.Factory[T]

	// Open makes a connection as the kind's own function does, for kinds with a wrapper; the
	// cases are then run on what it opens as well. nil leaves that out.
	Open func(ctx context.Context, name string, opts ...connection.Option) (connection.Connection[T], error)

	// Params are parameters with which a connect succeeds. Their values may be what TOML can
	// hold: texts, whole numbers, numbers, truth values, and []any and map[string]any of those.
	Params map[string]any

	// Env names, for parameters of Params, the environment variable that the factory looks into. Such
	// parameters have to be scalars.
	Env map[string]string

	// Required are those of Params without which the connect must fail.
	Required []string

	// Secrets names those of Params whose values no error may show: "password". In Params, give them long,
	// unusual values.
	Secrets []string

	// Broken are further parameters, each set laid over Params, with which the connect, or a Ping,
	// fails: an unreachable host, a wrong password. Such errors are searched for Secrets.
	Broken []map[string]any

	// Use uses a client, and fails if that is closed. nil asks what [connection.Ping] asks of a
	// live client, and does not ask whether an old one is closed.
	Use func(ctx context.Context, client T) error

	// Derive makes a client that speaks for somebody else, for [connection.Scoped]. nil uses
	// the same client.
	Derive func(T) T
}

// Run runs every case as a subtest: on what [connection.Open] gives, on a type that only embeds
// that, as every wrapper does, and on what Config.Open gives. Each case explains the rule
// that it checks when it fails.
func Run[T any](t *testing.T, cfg Config[T]) {
	t.Helper()
	if cfg.Connect == nil || cfg.Params == nil {
		t.Fatal("conntest: Config needs Connect and Params")
	}
	forms := []struct {
		name string
		open opener[T]
	}{
		{"connection", func(ctx context.Context, name string, connect connection.Factory[T], opts ...connection.Option) (connection.Connection[T], error) {
			return connection.Open(ctx, name, connect, opts...)
		}},
		{"embedded", func(ctx context.Context, name string, connect connection.Factory[T], opts ...connection.Option) (connection.Connection[T], error) {
			c, err := connection.Open(ctx, name, connect, opts...)
			if err != nil {
				return nil, err
			}
			return embedded[T]{c}, nil
		}},
		{"opened", nil},
	}
	if cfg.Open != nil {
		forms[2].open = func(ctx context.Context, name string, _ connection.Factory[T], opts ...connection.Option) (connection.Connection[T], error) {
			return cfg.Open(ctx, name, opts...)
		}
	}
	for _, form := range forms {
		if form.open == nil {
			continue
		}
		t.Run(form.name, func(t *testing.T) {
			for _, c := range cases[T]() {
				t.Run(c.name, func(t *testing.T) {
					w := newWorld(t, cfg, form.open)
					w.ownFactory = form.name != "opened"
					t.Cleanup(func() {
						if t.Failed() {
							t.Log("the rule:", c.rule)
						}
					})
					c.check(t, w)
				})
			}
		})
	}
}

// opener opens a connection in one of the forms that are tested.
type opener[T any] func(ctx context.Context, name string, connect connection.Factory[T], opts ...connection.Option) (connection.Connection[T], error)

// embedded is a wrapper as kinds have them, without anything of its own.
type embedded[T any] struct{ connection.Connection[T] }
