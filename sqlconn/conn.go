package sqlconn

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// Conn is a connection to an SQL database, with typed and cached queries: [Query], [QueryOne]
// and [Rows], and its own methods. It is safe for concurrent use.
//
// The With methods give views of it: they share its database, its name and its cache, and
// cost next to nothing. Close on one closes the connection itself, unlike on a view of
// connection.Scoped. Whoever embeds a *Conn has all of this too.
type Conn struct {
	connection.Connection[*sql.DB]
	policy    cache.Policy
	keepCache bool
}

var kind = &connection.Kind[*sql.DB, *Conn]{
	Name:      "sql",
	Aliases:   []string{"streamlit.connections.SQLConnection", "streamlit.connections.sql_connection.SQLConnection"},
	Connect:   Connect,
	Wrap:      New,
	Ping:      ping,
	Transient: transient,
	Fault:     needsNewPool,
}

// Get gives the SQL connection called name that the whole process shares; it is opened for
// the first who asks. See [connection.Kind.Get] for what counts as the same, and [Connect]
// for its parameters. It does not dial; [connection.Ping] does.
//
//	conn, err := sqlconn.Get(ctx, "pets_db") // [connections.pets_db] url = "sqlite:///pets.db"
//
//go:noinline
func Get(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	// It is not inlined, so that the options stay on the caller's stack: other packages cannot
	// see that they may.
	return kind.Get(ctx, name, opts...)
}

// Open opens an SQL connection of the caller's own, who closes it. See [Connect] for its
// parameters. It does not dial; [connection.Ping] does.
func Open(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	return kind.Open(ctx, name, opts...)
}

// New gives any connection to a *sql.DB typed and cached queries: one of a kind of your own.
// The dialect, which named parameters need, is recognised by the driver.
func New(c connection.Connection[*sql.DB]) *Conn {
	return &Conn{Connection: c, policy: cache.Policy{
		TTL:        cache.Default,
		IsNegative: isNoRows,
		Transient:  transient,
	}}
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// view is a copy of c for a With method to change.
func (c *Conn) view(change func(*Conn)) *Conn {
	v := *c
	change(&v)
	return &v
}

// WithTTL gives a view whose reads are cached for ttl. 0 neither looks into the cache nor
// stores; [cache.Forever] never expires; [cache.Default] is the connection's own: the section's
// ttl, else [connection.WithDefaultTTL], else forever. A result that others have stored is
// only used while it is younger than both their ttl and this one.
func (c *Conn) WithTTL(ttl time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.TTL = ttl })
}

// WithShared gives a view whose cached results are not copied: all who ask get the very slice
// that is stored. It is the fast way for those who only read; who changes it, changes it for all.
func (c *Conn) WithShared() *Conn {
	return c.view(func(v *Conn) { v.policy.Shared = true })
}

// WithStale gives a view whose results, once they have expired, are served for up to d more:
// while one refresh runs in the background, and while the database fails in ways that pass.
func (c *Conn) WithStale(d time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.Stale = d })
}

// WithNegativeTTL gives a view that also remembers, for ttl, that [QueryOne] found no rows.
// Without it, or with 0, that is asked of the database every time.
func (c *Conn) WithNegativeTTL(ttl time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.Negative = ttl })
}

// WithKeepCache gives a view whose writes leave cached reads alone: for writes to what nobody
// reads through this connection, such as a log.
func (c *Conn) WithKeepCache() *Conn {
	return c.view(func(v *Conn) { v.keepCache = true })
}

// ClearQuery ends the cached results of one query, of whatever type they are and whoever they
// were read for: with args, those of just these arguments; without, all of that query.
// connection.Clear ends everything that is cached.
func (c *Conn) ClearQuery(query string, args ...any) {
	if len(args) == 0 {
		connection.ClearText(c, query, nil)
		return
	}
	if encoded, ok := appendArgs(nil, args); ok { // what cannot be encoded was never cached
		connection.ClearText(c, query, encoded)
	}
}

// Driver gives the name under which the driver is registered with database/sql, such as "pgx".
// It is "" for a *sql.DB that this package did not open and whose driver it does not know.
// It opens the pool if there is none, and needs ctx for nothing else.
func (c *Conn) Driver(ctx context.Context) (string, error) {
	e, err := c.engine(ctx)
	if err != nil {
		return "", err
	}
	return e.driver, nil
}

// Dialect gives the database's dialect: "postgresql", "mysql", "sqlite". It is "" if it is not known.
// It opens the pool if there is none, and needs ctx for nothing else.
func (c *Conn) Dialect(ctx context.Context) (string, error) {
	e, err := c.engine(ctx)
	if err != nil {
		return "", err
	}
	return e.dialect, nil
}

// engine tells what database the connection leads to. It connects, without dialing, if need be.
func (c *Conn) engine(ctx context.Context) (e *engine, err error) {
	err = connection.Do(ctx, c, func(db *sql.DB) error {
		e = engineOf(db)
		return nil
	})
	return e, err
}

// A Queryer is what queries run on: a [*Conn], a view of one, a [*Tx], or what embeds these.
type Queryer interface {
	// cached is the connection whose cache may be used; nil in a session.
	cached() *Conn
	// session is the session that the query is part of; nil outside.
	session() *Tx
}

func (c *Conn) cached() *Conn { return c }
func (c *Conn) session() *Tx  { return nil }
