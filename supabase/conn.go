package supabase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase/auth"
)

// Conn is a connection to a Supabase project: its database, users, files and functions. It is safe
// for concurrent use.
//
// The With methods, [Conn.As] and [Conn.AsToken] give views of it: they share its project, its name
// and its cache, and cost next to nothing. Whoever embeds a *Conn has all of this too.
type Conn struct {
	connection.Connection[*Client]
	policy    cache.Policy
	keepCache bool
	project   *project
	user      *user // nil: the connection's own key
}

// project is what a connection and all of its views have in common, besides the client.
type project struct {
	root     connection.Connection[*Client] // as the connection's own key sees it
	auth     *auth.Client
	renewals renewals
	signIns  signIns
	signOuts signOuts
}

func newProject(c connection.Connection[*Client]) *project {
	life := connection.Lifetime(c)
	p := &project{root: c, renewals: renewals{life: life}, signIns: signIns{life: life}}
	p.auth = auth.Over(nil, sender{c, authOf})
	once := p.auth.WithRetry(auth.Retry{Disabled: true}) // renewals try again themselves
	p.renewals.refresh, p.renewals.dead = once.Refresh, p.forgetUserOf
	p.signIns.signIn = p.auth.SignInWithPassword
	p.signIns.generation = func() uint64 { return connection.Generation(c) }
	return p
}

var kind = &connection.Kind[*Client, *Conn]{
	Name:    "supabase",
	Aliases: []string{"st_supabase_connection.SupabaseConnection", "SupabaseConnection"},
	Connect: Connect,
	Wrap:    New,
}

// Get gives the connection to the Supabase project called name that the whole process shares; it is
// opened for the first who asks. See [connection.Kind.Get] for what counts as the same, and
// [Connect] for its parameters. It does not dial; [connection.Ping] does.
//
//	sb, err := supabase.Get(ctx, "supabase") // [connections.supabase] SUPABASE_URL, SUPABASE_KEY
//
//go:noinline
func Get(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	// It is not inlined, so that the options stay on the caller's stack.
	return kind.Get(ctx, name, opts...)
}

// Open opens a connection of the caller's own, who closes it. See [Connect] for its parameters. It
// does not dial; [connection.Ping] does.
func Open(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	return kind.Open(ctx, name, opts...)
}

// New gives any connection to a [Client] the methods of this package: one that [connection.Open] has
// made with [Connect], or a view of one by [connection.Scoped]. All that are made of one connection
// know the same renewals, sign-ins and sign-outs; a view is another.
func New(c connection.Connection[*Client]) *Conn {
	return &Conn{
		Connection: c,
		project:    connection.Beside(c, func() *project { return newProject(c) }),
		policy:     cache.Policy{TTL: cache.Default, IsNegative: isNotFound},
	}
}

// Format names the connection with every verb. What else is in a Conn changes while it is looked at.
func (c Conn) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, c.Connection) }

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// view is a copy of c for a With method to change.
func (c *Conn) view(change func(*Conn)) *Conn {
	v := *c
	change(&v)
	return &v
}

// WithTTL gives a view whose reads are cached for ttl. 0 neither looks into the cache nor
// stores; [cache.Forever] never expires; [cache.Default] is the connection's own: the section's
// ttl, else [connection.WithDefaultTTL], else forever. A result that others have stored is
// only used while it is younger than both their ttl and this one. What was read as a user ends with
// that user's access token in any case.
func (c *Conn) WithTTL(ttl time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.TTL = ttl })
}

// WithShared gives a view whose cached results are not copied: all who ask get the very slice
// that is stored. It is the fast way for those who only read; who changes it, changes it for all.
func (c *Conn) WithShared() *Conn {
	return c.view(func(v *Conn) { v.policy.Shared = true })
}

// WithStale gives a view whose results, once they have expired, are served for up to d more: while
// one refresh runs in the background, and while the project fails in ways that pass. An answer
// that denies or does not find ends the old result.
func (c *Conn) WithStale(d time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.Stale = d })
}

// WithNegativeTTL gives a view that also remembers, for ttl, that [QueryOne] found no row. Without
// it, or with 0, that is asked of the project every time.
func (c *Conn) WithNegativeTTL(ttl time.Duration) *Conn {
	return c.view(func(v *Conn) { v.policy.Negative = ttl })
}

// WithKeepCache gives a view whose writes leave cached reads alone: for writes to what nobody
// reads through this connection, such as a log.
func (c *Conn) WithKeepCache() *Conn {
	return c.view(func(v *Conn) { v.keepCache = true })
}

// write runs use once, and ends the cached reads of the database unless the view keeps them.
func (c *Conn) write(ctx context.Context, use func(*Client) error) error {
	if c.keepCache {
		return connection.Do(ctx, c.Connection, use)
	}
	return connection.Write(ctx, c.Connection, use)
}
