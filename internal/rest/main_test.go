package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	jwtKey    = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.planted-signature-of-the-key"
	userToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.planted-signature-of-the-user"
)

// roundTripper is a transport that is a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerWith makes an answer of a transport.
func answerWith(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// newClient is a client of cfg, with an address and a key where it has none.
func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.BaseURL == "" {
		cfg.BaseURL = "http://project.test/rest/v1"
	}
	if cfg.APIKey == "" {
		cfg.APIKey = jwtKey
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// over is a client whose transport is f.
func over(t *testing.T, f roundTripper, more ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{HTTPClient: &http.Client{Transport: f}}
	for _, m := range more {
		m(&cfg)
	}
	return newClient(t, cfg)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func get(path string) *Request { return &Request{Method: http.MethodGet, Path: path} }

func token(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}
