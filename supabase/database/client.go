package database

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/streamconn/streamconn/internal/rest"
)

// Client runs queries on one PostgREST, as one role or user. It is safe for concurrent use.
type Client struct{ rest *rest.Client }

// Option is an option of [New].
type Option func(*rest.Config)

// Retry says how reads are tried again; the zero value is the default: after faults of the network
// and answers that ask for it, until the context's deadline, without one for 5 s. Writes are sent once.
//
//	Disabled bool          // everything is sent once
//	Window   time.Duration // how long it is tried where the context has no deadline; zero or less: 5 s
//	Min, Max time.Duration // the first pause, doubled up to Max, longer if the server asks; zero or less: 50 ms, 1 s
type Retry = rest.Retry

// WithKey sends the project's key as the header apikey and, if it is a JWT, as the bearer.
func WithKey(key string) Option { return func(c *rest.Config) { c.APIKey = key } }

// WithToken asks token for the bearer of each request: a user's access token. An empty one is an
// error, and nothing is sent.
func WithToken(token func(ctx context.Context) (string, error)) Option {
	return func(c *rest.Config) { c.Token = token }
}

// WithHTTPClient sends requests through client, which is not changed.
func WithHTTPClient(client *http.Client) Option {
	return func(c *rest.Config) { c.HTTPClient = client }
}

// WithHeader adds headers to each request. What a query itself says wins over them.
func WithHeader(header http.Header) Option {
	return func(c *rest.Config) { c.Header = header }
}

// WithLogger logs each attempt, at level Debug, without query and credentials.
func WithLogger(logger *slog.Logger) Option { return func(c *rest.Config) { c.Logger = logger } }

// WithRetry says how reads are tried again.
func WithRetry(retry Retry) Option { return func(c *rest.Config) { c.Retry = retry } }

// WithMaxBody bounds an answer, in bytes; a longer one is [ErrTooLarge]. It is 64 MiB by default;
// negative: no bound.
func WithMaxBody(bytes int64) Option { return func(c *rest.Config) { c.MaxBody = bytes } }

// New makes a Client of the PostgREST at baseURL: https://x.supabase.co/rest/v1. It does not dial.
func New(baseURL string, opts ...Option) (*Client, error) {
	cfg := rest.Config{BaseURL: baseURL}
	for _, opt := range opts {
		opt(&cfg)
	}
	c, err := rest.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{rest: c}, nil
}

// Over makes a Client that sends through one that is there, for packages of this module.
func Over(c *rest.Client) *Client { return &Client{rest: c} }

// WithToken is the same client with another bearer: another user's.
func (c *Client) WithToken(token func(ctx context.Context) (string, error)) *Client {
	return &Client{rest: c.rest.WithToken(token)}
}

// Close closes idle connections, unless the http.Client was given.
func (c *Client) Close() { c.rest.Close() }

// Table begins a query of a table or a view: see [Table].
func (c *Client) Table(name string) Query[*Client] { return Table(c, name) }

// RPC begins a call of a function: see [RPC].
func (c *Client) RPC(name string, args any) Query[*Client] { return RPC(c, name, args) }

// Schema gives the tables and functions of another schema: see [InSchema].
func (c *Client) Schema(name string) Schema[*Client] { return InSchema(c, name) }

// String tells the address.
func (c *Client) String() string { return "database.Client(" + c.rest.URL() + ")" }

// GoString is [Client.String].
func (c *Client) GoString() string { return c.String() }

// LogValue is [Client.String].
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
