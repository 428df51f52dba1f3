package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client sends requests to one service. It is safe for concurrent use, and prints as its address.
type Client struct {
	c hidden[core]
}

// core is the settings of a Client; it is not changed after New.
type core struct {
	base    *url.URL
	key     string
	asKey   string // the Authorization where there is no token: the key's, or empty
	token   func(context.Context) (string, error)
	client  *http.Client // follows no redirects
	owned   bool
	redir   func(*http.Request, []*http.Request) error // the user's CheckRedirect
	header  http.Header                                // of each request, apikey included
	logger  *slog.Logger
	observe func(Event)
	retry   Retry
	attempt time.Duration // 0: none
	maxBody int64         // 0: none
	maxErr  int64
}

// New checks cfg. Nothing is sent. Its errors show neither the address nor the key.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if !IsHeaderToken(cfg.APIKey) {
		return nil, errors.New("rest: the API key has a blank, a line break or a character that no key has; was it copied whole?")
	}
	c := &core{
		base:    base,
		key:     cfg.APIKey,
		token:   cfg.Token,
		header:  make(http.Header, len(cfg.Header)+3),
		logger:  cfg.Logger,
		observe: cfg.Observe,
		retry:   cfg.Retry.withDefaults(),
		attempt: cfg.AttemptTimeout,
		maxBody: cfg.MaxBody,
		maxErr:  cfg.MaxErrorBody,
	}
	agent := cfg.UserAgent
	if agent == "" {
		agent = DefaultUserAgent
	}
	c.header["User-Agent"] = []string{agent}
	c.header["X-Client-Info"] = []string{agent}
	if c.key != "" {
		c.header["Apikey"] = []string{c.key}
	}
	override(c.header, cfg.Header, nil)
	// The new keys are no tokens: gateways refuse them as a bearer, and translate the apikey.
	if _, given := c.header["Authorization"]; !given && c.key != "" && !strings.HasPrefix(c.key, "sb_") {
		c.asKey = "Bearer " + c.key
	}

	if c.attempt == 0 {
		c.attempt = DefaultAttemptTimeout
	}
	c.attempt = max(c.attempt, 0)
	if c.maxBody == 0 {
		c.maxBody = DefaultMaxBody
	}
	c.maxBody = max(c.maxBody, 0)
	if c.maxErr <= 0 {
		c.maxErr = DefaultMaxErrorBody
	}

	client := cfg.HTTPClient
	if client == nil {
		client, c.owned = NewHTTPClient(), true
	}
	clone := *client
	c.redir = clone.CheckRedirect
	clone.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.client = &clone
	return &Client{c: hide(c)}, nil
}

// URL is the service's address, without a slash at its end.
func (c *Client) URL() string { return strings.TrimSuffix(c.c.get().base.String(), "/") }

// String is the service's address.
func (c *Client) String() string { return "rest.Client(" + c.URL() + ")" }

// WithToken is the same client with another [Config.Token].
func (c *Client) WithToken(token func(ctx context.Context) (string, error)) *Client {
	n := *c.c.get()
	n.token = token
	return &Client{c: hide(&n)}
}

// WithRetry is the same client with another [Config.Retry].
func (c *Client) WithRetry(r Retry) *Client {
	n := *c.c.get()
	n.retry = r.withDefaults()
	return &Client{c: hide(&n)}
}

// Close closes the connections that nobody uses, if the http.Client is this client's own; also for
// the clients made from it. It can be used on.
func (c *Client) Close() {
	if core := c.c.get(); core.owned {
		core.client.CloseIdleConnections()
	}
}

// Do sends r and reads the whole answer. What is not a 2xx, and what fails, is an [*Error]; other
// errors are those of a request that cannot be sent as it is, and of [Config.Token].
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	got, err := c.c.get().run(ctx, r, true)
	if err != nil {
		return nil, err
	}
	return &Response{Status: got.resp.StatusCode, Header: got.resp.Header, Body: got.body}, nil
}

// Stream sends r and leaves the body of the answer to the caller, who must close it. Its errors
// are those of [Client.Do]. Once the headers are there nothing is tried again.
func (c *Client) Stream(ctx context.Context, r *Request) (*Stream, error) {
	got, err := c.c.get().run(ctx, r, false)
	if err != nil {
		return nil, err
	}
	return &Stream{
		Status: got.resp.StatusCode,
		Header: got.resp.Header,
		Length: got.resp.ContentLength,
		Body:   got.stream,
	}, nil
}

// headers are those of one request, with the Authorization resolved.
func (c *core) headers(ctx context.Context, r *Request) (http.Header, error) {
	auth, err := c.authorization(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.headersWith(r, auth), nil
}

// headersWith are headers that nobody else has, with an Authorization unless that is empty.
func (c *core) headersWith(r *Request, auth string) http.Header {
	n := len(c.header) + len(r.Header) + 1
	h, values := make(http.Header, n), make([]string, 0, n) // one array for all
	values = override(h, c.header, values)
	values = override(h, r.Header, values)
	if auth != "" {
		h["Authorization"] = append(values, auth)[len(values):]
	}
	return h
}

// authorization is what a request is sent with: the token's, or the key's where that is a token; empty
// where the headers say it, or nobody does.
func (c *core) authorization(ctx context.Context, r *Request) (string, error) {
	if _, given := lookup(r.Header, "Authorization"); given {
		return "", nil
	}
	if c.token == nil {
		return c.asKey, nil
	}
	token, err := c.token(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("no access token: %w", newSecrets(c.key).clean(err))
	case token == "":
		return "", fmt.Errorf("%w: the session's is empty; sign in again", ErrNoToken)
	case !IsHeaderToken(token):
		return "", fmt.Errorf("%w: the session's has characters that no token has", ErrNoToken)
	case strings.HasPrefix(token, "sb_"):
		return "", fmt.Errorf("%w: an API key (sb_…) was given in place of one", ErrNoToken)
	}
	return "Bearer " + token, nil
}

// override sets the headers of from in h; a name without values is taken out. The values are copied to
// the end of room, which is given back longer.
func override(h, from http.Header, room []string) []string {
	for name, values := range from {
		name = http.CanonicalHeaderKey(name)
		if len(values) == 0 {
			delete(h, name)
			if name == "User-Agent" {
				h[name] = []string{""} // or net/http sends its own
			}
			continue
		}
		start := len(room)
		room = append(room, values...)
		h[name] = room[start:len(room):len(room)]
	}
	return room
}

// lookup finds a header however it is written.
func lookup(h http.Header, name string) ([]string, bool) {
	if v, ok := h[name]; ok {
		return v, true
	}
	for n, v := range h {
		if http.CanonicalHeaderKey(n) == name {
			return v, true
		}
	}
	return nil, false
}

// IsHeaderToken tells whether s can stand in a header as one word.
func IsHeaderToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
