package connection

import (
	"context"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/secrets"
)

// A Connection is a named, resettable handle to a client of type T: a *sql.DB, a Supabase
// client, anything that a [Factory] makes. It is safe for concurrent use.
//
// What else can be done with a connection are functions of this package ([Do], [Read], [Write],
// [Clear], [Ping], [Explain], [Stats]), so that they work on every type that embeds one.
// Wrappers embed a Connection; nobody implements it by hand.
type Connection[T any] interface {
	Any

	// Raw gives the live client, and connects if there is none; ctx bounds that alone, and a client that is
	// there is given also when ctx has ended. Do not
	// keep the client: after a Reset or Close it is closed under the hands of those who still
	// use it. [Do] lends it instead.
	Raw(ctx context.Context) (T, error)
}

// Any is a [Connection] of any client, for what does not depend on the client's type.
type Any interface {
	// Name is the NAME of [connections.NAME], "env:" already resolved.
	Name() string

	// Reset drops the client; the next use connects again, with the parameters as they are
	// then. Those to whom the client is lent finish first: the last one closes it, and Reset
	// does not wait for them. The error is that of closing the client, if Reset was the one to do it;
	// that its source has broken the connection already is none.
	Reset() error

	// Close is Reset for good: every later use is an [ErrClosed]. A second Close does nothing.
	// A connection that [Get] shares is closed for all who share it, and the next Get opens anew.
	Close() error

	base() *state
}

// A Factory makes the client from its parameters; it is the one thing that a kind of connection
// has to write (Streamlit's _connect). It runs at every connect: first in Open, then after
// each Reset. ctx is for dialing only and must not be kept. A nil client is an error.
type Factory[T any] func(ctx context.Context, p *Params) (T, error)

// Open makes a connection of the caller's own, who closes it. It runs the factory once, so
// that missing parameters are known at once; whether that dials is the client's affair:
// a *sql.DB and an HTTP client do not, and [Ping] tells whether they can be reached.
//
// name is the NAME of the section [connections.NAME], which need not exist, or "env:VAR" for a
// name that the environment gives. A name cannot be empty.
func Open[T any](ctx context.Context, name string, connect Factory[T], opts ...Option) (Connection[T], error) {
	kind := &Kind[T, Connection[T]]{Connect: connect, anyType: true}
	return kind.Open(ctx, name, opts...)
}

// Of makes a connection of a client that is already there, for tests. Neither Reset nor Close
// closes the client: it stays its maker's.
func Of[T any](name string, client T) Connection[T] {
	cfg, _ := newConfig(nil)
	cfg.store = new(secrets.Store) // none: nothing is looked for
	c := newConn(name, cfg, connector[T]{
		connect: func(context.Context, *Params) (T, error) { return client, nil },
		lent:    true,
	})
	c.configured = unconfigured
	if g, err := c.lease(context.Background()); err == nil {
		c.release(g)
	}
	return c
}

// Key makes the key of a cached [Read] from its parts, each with its type. Texts, numbers,
// times, and slices, maps and structs of such are good parts. A part that has no stable
// form, such as a function, makes the read uncached.
func Key(parts ...any) cache.Key { return cache.KeyOf(parts...) }
