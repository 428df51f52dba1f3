package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/internal/rest"
)

// Client works on the buckets and objects of one project, as one role or user. It is safe for
// concurrent use: what one call is given stays with that call.
type Client struct{ send rest.Sender }

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

// WithHeader adds headers to each request. What a call itself says wins over them.
func WithHeader(header http.Header) Option {
	return func(c *rest.Config) { c.Header = header }
}

// WithLogger logs each attempt, at level Debug, without query and credentials.
func WithLogger(logger *slog.Logger) Option { return func(c *rest.Config) { c.Logger = logger } }

// WithRetry says how reads are tried again.
func WithRetry(retry Retry) Option { return func(c *rest.Config) { c.Retry = retry } }

// New makes a Client of the storage at baseURL: https://x.supabase.co/storage/v1. It does not dial.
func New(baseURL string, opts ...Option) (*Client, error) {
	cfg := rest.Config{BaseURL: baseURL}
	for _, opt := range opts {
		opt(&cfg)
	}
	c, err := rest.New(cfg)
	if err != nil {
		return nil, err
	}
	return Over(c), nil
}

// Over makes a Client that sends through one that is there, for packages of this module.
func Over(s rest.Sender) *Client { return &Client{send: s} }

// WithToken is the same client with another bearer: another user's.
func (c *Client) WithToken(token func(ctx context.Context) (string, error)) *Client {
	if r, ok := c.send.(*rest.Client); ok {
		return Over(r.WithToken(token))
	}
	return Over(bearer{Sender: c.send, token: token})
}

// Close closes idle connections, unless the http.Client was given. The client can be used on.
func (c *Client) Close() {
	if r, ok := c.send.(*rest.Client); ok {
		r.Close()
	}
}

// String tells the address.
func (c *Client) String() string {
	if r, ok := c.send.(*rest.Client); ok {
		return "storage.Client(" + r.URL() + ")"
	}
	return "storage.Client"
}

// Format is [Client.String], whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is [Client.String].
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// bearer sends through somebody else's sender with a token of its own.
type bearer struct {
	rest.Sender
	token func(ctx context.Context) (string, error)
}

func (b bearer) Do(ctx context.Context, r *rest.Request) (*rest.Response, error) {
	r, err := b.sign(ctx, r)
	if err != nil {
		return nil, err
	}
	return b.Sender.Do(ctx, r)
}

func (b bearer) Stream(ctx context.Context, r *rest.Request) (*rest.Stream, error) {
	r, err := b.sign(ctx, r)
	if err != nil {
		return nil, err
	}
	return b.Sender.Stream(ctx, r)
}

func (b bearer) sign(ctx context.Context, r *rest.Request) (*rest.Request, error) {
	if _, given := r.Header["Authorization"]; given {
		return r, nil
	}
	token, err := b.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("storage: no access token: %w", err)
	}
	if token == "" || strings.HasPrefix(token, "sb_") {
		return nil, fmt.Errorf("%w: the session's is empty, or an API key; sign in again", ErrNoToken)
	}
	signed := *r
	signed.Header = r.Header.Clone()
	if signed.Header == nil {
		signed.Header = http.Header{}
	}
	signed.Header["Authorization"] = []string{"Bearer " + token}
	return &signed, nil
}

// nowhere is what a 404 says that is not storage's own word of an object or bucket.
const nowhere = "there is no such path; is the URL the storage's?"

// ask is a call with JSON both ways; in and out may be nil.
func (c *Client) ask(ctx context.Context, r *rest.Request, in, out any) error {
	r.Uncoded = nowhere
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return invalid("%s: a value without a form in JSON: %w", r.Method, err)
		}
		r.Body = body
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header["Content-Type"] = []string{"application/json"}
	}
	resp, err := c.send.Do(ctx, r)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		// The text of the error holds at most one character of the answer, which may hold tokens.
		return fmt.Errorf("storage: %s %s: the answer cannot be read; is the URL the storage's? %w", r.Method, r.Path, err)
	}
	return nil
}

// last is the options that count: calls take none or one, and nil is none.
func last[T any](opts []*T) T {
	for _, o := range slices.Backward(opts) {
		if o != nil {
			return *o
		}
	}
	var none T
	return none
}
