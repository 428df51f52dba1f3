package auth_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/supabase/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const baseURL = "http://project.test/auth/v1"

// Keys of the form of JWTs, and a user's tokens.
const (
	anonKey      = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.cGxhbnRlZC1hbm9uLWtleQ"
	serviceKey   = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.cGxhbnRlZC1zZXJ2aWNlLWtleQ"
	accessToken  = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1MSIsImV4cCI6NDEwMjQ0NDgwMH0.cGxhbnRlZC1zaWduYXR1cmU"
	refreshToken = "planted-refresh-token"
	password     = "planted-password-1"
)

// roundTripper is a transport that is a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answerTo makes the answer of a transport.
func answerTo(r *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// over is a client whose transport is f, with the anon key.
func over(t *testing.T, f roundTripper, opts ...auth.Option) *auth.Client {
	t.Helper()
	c, err := auth.New(baseURL, append([]auth.Option{
		auth.WithKey(anonKey),
		auth.WithHTTPClient(&http.Client{Transport: f}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// answering is a client that always gets the same answer.
func answering(t *testing.T, status int, body string, opts ...auth.Option) *auth.Client {
	t.Helper()
	return over(t, func(r *http.Request) (*http.Response, error) {
		return answerTo(r, status, body, "Content-Type", "application/json"), nil
	}, append([]auth.Option{auth.WithRetry(auth.Retry{Disabled: true})}, opts...)...)
}

func token(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// sessionJSON is a session as the server writes it, with the tokens above.
const sessionJSON = `{"access_token":"` + accessToken + `","token_type":"bearer","expires_in":3600,"expires_at":4102444800,` +
	`"refresh_token":"` + refreshToken + `","user":{"id":"u1","aud":"authenticated","role":"authenticated","email":"ada@example.com","phone":""}}`

func newSession(t *testing.T) *auth.Session {
	t.Helper()
	s, err := auth.ParseSession([]byte(sessionJSON))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read gives the body of a request.
func read(t *testing.T, r *http.Request) string {
	t.Helper()
	if r.Body == nil {
		return ""
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
