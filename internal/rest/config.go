package rest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Defaults of [Config].
const (
	DefaultAttemptTimeout = 30 * time.Second
	DefaultMaxBody        = 64 << 20
	DefaultMaxErrorBody   = 1 << 20
	DefaultUserAgent      = "streamconn-go"
)

// Config says where a service is and how to speak to it. Only BaseURL is required.
// It is read by [New] and may be changed afterwards.
type Config struct {
	// BaseURL is the address of one service: https://x.supabase.co/rest/v1. It has a scheme (http
	// or https) and a host, no user, query or fragment; a trailing slash makes no difference.
	BaseURL string

	// APIKey is sent as the apikey header; without it, none is sent.
	APIKey string

	// Token gives the bearer of each attempt; it must not be empty, and it is no key of the kind
	// sb_…. Its error ends the request, and is wrapped. Nil: the key itself if it is a JWT, else none.
	Token func(ctx context.Context) (string, error)

	// HTTPClient sends the requests: its transport, jar, timeout, and CheckRedirect within what is
	// allowed here. It is copied, and not changed. Nil: a client of [NewHTTPClient], which
	// [Client.Close] closes.
	HTTPClient *http.Client

	// Header is added to each request; a request's own headers win over it.
	Header http.Header

	// UserAgent is sent as User-Agent and X-Client-Info, unless Header has them.
	// Empty: [DefaultUserAgent]. A secret key is refused with the User-Agent of a browser.
	UserAgent string

	// Logger gets one line at level Debug for each attempt. Nil: none.
	Logger *slog.Logger

	// Observe is called after each attempt, on the goroutine of the request. Nil: nobody is told.
	Observe func(Event)

	// Retry says how reads are tried again.
	Retry Retry

	// AttemptTimeout bounds each attempt: with Do until the whole answer is read, with Stream
	// until its headers are there. It does not count for a request with an Open, which lasts as
	// long as its data; there the context is the bound, and, once all is sent, the transport's own
	// ResponseHeaderTimeout. Zero: [DefaultAttemptTimeout]; negative: none.
	AttemptTimeout time.Duration

	// MaxBody bounds, in bytes, the answer that Do reads; a longer one is [ErrTooLarge].
	// Zero: [DefaultMaxBody]; negative: no bound.
	MaxBody int64

	// MaxErrorBody bounds, in bytes, what is read of the body of an error; the rest is left, and
	// the connection closed. Zero or less: [DefaultMaxErrorBody].
	MaxErrorBody int64
}

// Retry says how GET and HEAD are tried again. The zero value of each field is its default.
type Retry struct {
	// Disabled sends everything once, for callers that retry themselves.
	Disabled bool
	// Window is how long a request is tried whose context has no deadline. Zero or less: 5 s.
	Window time.Duration
	// Min is the first pause, doubled after each try up to Max; a pause is shortened by a random
	// part of up to a half, and never shorter than what the server asks for. Zero or less: 50 ms, 1 s.
	Min, Max time.Duration
}

// Event is one attempt, as [Config.Observe] sees it.
type Event struct {
	Method   string
	Path     string        // escaped, with the base's, without the query
	Status   int           // as HTTP gave it; 0: there was no answer
	Attempt  int           // from 1
	Duration time.Duration // with Stream until the headers, else until the body is read
	Err      error         // nil after a 2xx; what the call would return otherwise
	Pause    time.Duration // before the next attempt; 0: this was the last
}

// NewHTTPClient makes a client with a transport of its own, with timeouts for connecting and
// handshaking, and room for many connections to one host. Several Clients may share it.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial(dialer),
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  2 * time.Minute,
		MaxResponseHeaderBytes: 4 << 20, // Content-Location repeats the whole query
	}}
}
