package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/streamconn/streamconn/internal/rest"
)

// Client speaks to one GoTrue, with the project's key and as one user or none. It holds no session
// and changes nothing about itself: whoever signs in gets a [Session], and [Client.WithSession]
// acts as its user. It is safe for concurrent use.
type Client struct {
	user  rest.Sender // what a user does; nil: there is no user
	key   rest.Sender // what needs no user, and what an admin does: never with a user's token
	admin bool        // key may be used for admin calls
	retry Retry       // of Refresh
	keys  *keySet
	from  string       // the address of who asks, or empty
	owned *rest.Client // what New made, nil with Over
}

// Option is an option of [New].
type Option func(*rest.Config)

// Retry says how reads, and [Client.Refresh], are tried again; the zero value is the default:
// after faults of the network and answers that ask for it, until the context's deadline, without
// one for 5 s. Everything else is sent once.
//
//	Disabled bool          // everything is sent once
//	Window   time.Duration // how long it is tried where the context has no deadline; zero or less: 5 s
//	Min, Max time.Duration // the first pause, doubled up to Max, longer if the server asks; zero or less: 50 ms, 1 s
type Retry = rest.Retry

// WithKey sends the project's key as the header apikey. Admin calls need a secret key
// (service_role, sb_secret_…), which stays on the server.
func WithKey(key string) Option { return func(c *rest.Config) { c.APIKey = key } }

// WithToken asks token for the access token of each request that is a user's. An empty one is an
// error, and nothing is sent. What needs no user, and what an admin does, never carries it.
func WithToken(token func(ctx context.Context) (string, error)) Option {
	return func(c *rest.Config) { c.Token = token }
}

// WithHTTPClient sends requests through client, which is not changed.
func WithHTTPClient(client *http.Client) Option {
	return func(c *rest.Config) { c.HTTPClient = client }
}

// WithHeader adds headers to each request: Sb-Forwarded-For, say. A request's own win over them.
func WithHeader(header http.Header) Option {
	return func(c *rest.Config) { c.Header = header }
}

// WithLogger logs each attempt, at level Debug, without query, body and credentials.
func WithLogger(logger *slog.Logger) Option { return func(c *rest.Config) { c.Logger = logger } }

// WithRetry says how reads, and Refresh, are tried again.
func WithRetry(retry Retry) Option { return func(c *rest.Config) { c.Retry = retry } }

// New makes a Client of the GoTrue at baseURL: https://x.supabase.co/auth/v1. It does not dial.
func New(baseURL string, opts ...Option) (*Client, error) {
	cfg := rest.Config{BaseURL: baseURL}
	for _, opt := range opts {
		opt(&cfg)
	}
	own, err := rest.New(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		key:   own.WithToken(nil),
		admin: cfg.APIKey != "" || cfg.Token == nil,
		retry: cfg.Retry,
		keys:  newKeySet(),
		owned: own,
	}
	if cfg.Token != nil || cfg.Header.Get("Authorization") != "" {
		c.user = own
	}
	return c, nil
}

// Over makes a Client that sends through what is there, for packages of this module. What a user
// does goes through user; what needs no user, and what an admin does, goes through admin, which
// must not carry a user's token. Either may be nil, not both: without a user, the calls that are a
// user's are refused, without an admin those that are an admin's.
//
// A Client has a cache of signing keys of its own, for [Client.Claims]; those that WithToken,
// WithSession and Through make share it.
func Over(user, admin rest.Sender) *Client {
	c := &Client{user: user, key: admin, admin: admin != nil, keys: newKeySet()}
	if !c.admin {
		c.key = user
	}
	return c
}

// Through is [Over], with the cache of signing keys and the settings of c.
func (c *Client) Through(user, admin rest.Sender) *Client {
	n := Over(user, admin)
	n.retry, n.keys, n.from = c.retry, c.keys, c.from
	return n
}

// WithToken is the same client as another user, or as that user with a newer token: see the
// option [WithToken]. With nil it is nobody.
func (c *Client) WithToken(token func(ctx context.Context) (string, error)) *Client {
	n := *c
	n.user = nil
	if own, ok := c.key.(*rest.Client); ok && token != nil {
		n.user = own.WithToken(token) // which also keeps credentials out of the errors of token
	} else if token != nil {
		n.user = bearer{next: c.key, token: token}
	}
	return &n
}

// WithSession is the same client as the user of s, with its access token as it is: nothing is
// renewed. A session that is nil or has no token is an error of the call.
func (c *Client) WithSession(s *Session) *Client {
	return c.WithToken(func(context.Context) (string, error) { return s.AccessToken(), nil })
}

// WithRetry is the same client with another [Retry] for Refresh; [Retry].Disabled is for callers
// that try again themselves. Reads are tried again as what the client was made of says.
func (c *Client) WithRetry(retry Retry) *Client {
	n := *c
	n.retry = retry
	return &n
}

// WithClientIP is the same client on behalf of somebody at that address. GoTrue limits requests per
// address, and a server is one to it, for all its users. The address is heeded where the project
// allows it, with a secret key (sb_secret_…). The zero Addr takes it back.
func (c *Client) WithClientIP(addr netip.Addr) *Client {
	n := *c
	n.from = ""
	if addr.IsValid() {
		n.from = addr.WithZone("").String()
	}
	return &n
}

// Close closes idle connections, unless the http.Client was given.
func (c *Client) Close() {
	if c.owned != nil {
		c.owned.Close()
	}
}

// String tells the address, where it is known.
func (c *Client) String() string {
	if c.owned != nil {
		return "auth.Client(" + c.owned.URL() + ")"
	}
	return "auth.Client"
}

// Format is [Client.String], for every verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is [Client.String].
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON is [Client.String].
func (c *Client) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// bearer lends a token to the requests of another sender. The errors of token are repeated as they
// are: it is one of this module's.
type bearer struct {
	next  rest.Sender
	token func(context.Context) (string, error)
}

func (b bearer) Do(ctx context.Context, r *rest.Request) (*rest.Response, error) {
	r, err := b.with(ctx, r)
	if err != nil {
		return nil, err
	}
	return b.next.Do(ctx, r)
}

func (b bearer) Stream(ctx context.Context, r *rest.Request) (*rest.Stream, error) {
	r, err := b.with(ctx, r)
	if err != nil {
		return nil, err
	}
	return b.next.Stream(ctx, r)
}

func (b bearer) Base(ctx context.Context) (string, error) { return b.next.Base(ctx) }

// with is r with the token, unless it says itself what its bearer is.
func (b bearer) with(ctx context.Context, r *rest.Request) (*rest.Request, error) {
	if _, given := r.Header["Authorization"]; given {
		return r, nil
	}
	token, err := b.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s /%s: no access token: %w", r.Method, r.Path, err)
	}
	value, err := bearerOf(token)
	if err != nil {
		return nil, fmt.Errorf("%s /%s: %w", r.Method, r.Path, err)
	}
	n := *r
	n.Header = r.Header.Clone()
	n.Header["Authorization"] = value
	return &n, nil
}

// bearerOf is the header of a user's access token, or why that is none.
func bearerOf(token string) ([]string, error) {
	switch {
	case token == "":
		return nil, fmt.Errorf("%w: it is empty; sign in again", ErrNoToken)
	case !isToken(token):
		return nil, fmt.Errorf("%w: it has characters that no token has", ErrNoToken)
	case len(token) > 3 && token[:3] == "sb_":
		return nil, fmt.Errorf("%w: an API key (sb_…) was given in place of one", ErrNoToken)
	}
	return []string{"Bearer " + token}, nil
}

// isToken tells whether s can stand in a header as one word.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// errNoUser is a call of a user, without one.
var errNoUser = fmt.Errorf("%w: this call is a user's, and the client has none: use WithSession or WithToken, or the Auth of sb.As(session)", ErrNoToken)

// errNoAdmin is an admin call of a client that has a user's token and no key.
var errNoAdmin = errors.New("auth: an admin call needs a client with the project's secret key (WithKey); this one has a user's token alone, and an admin call is never made with that")
