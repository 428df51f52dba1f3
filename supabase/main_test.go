package supabase_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	address = "https://project.test"
	anonKey = "sb_publishable_planted-key-of-the-project"
)

// request is one that a server has got.
type request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         string
}

func (r *request) bearer() string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// server is a project that is a function. It works in synctest bubbles: there is no socket.
type server struct {
	answer func(*request) (status int, body string)
	header http.Header // of every answer

	mu  sync.Mutex
	got []*request
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	got := &request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone()}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		got.Body = string(body)
	}
	s.mu.Lock()
	s.got = append(s.got, got)
	s.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status, body := s.answer(got)
	header := s.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// requests are those of one path so far.
func (s *server) requests(path string) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*request
	for _, r := range s.got {
		if r.Path == path {
			list = append(list, r)
		}
	}
	return list
}

func (s *server) count(path string) int { return len(s.requests(path)) }

// nothing is an environment and secrets without anything in them.
func nothing(string) (string, bool) { return "", false }

// open connects to a server, with nothing from the outside.
func open(t testing.TB, s *server, opts ...connection.Option) *supabase.Conn {
	t.Helper()
	sb, err := supabase.Open(t.Context(), "project", append([]connection.Option{
		supabase.WithURL(address), supabase.WithKey(anonKey),
		supabase.WithHTTPClient(&http.Client{Transport: s}),
		connection.WithSecrets(secrets.Of(nil)), connection.WithEnviron(nothing),
		connection.WithDefaultTTL(time.Hour), connection.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// jwt is a token that nobody has signed.
func jwt(claims map[string]any) string {
	text, _ := json.Marshal(claims)
	return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(text) + ".cGxhbnRlZC1zaWduYXR1cmU"
}

// issuer makes sessions as the project does: they live for an hour, and rotate.
type issuer struct {
	life time.Duration
	skew time.Duration // how much the server's clock is ahead

	mu   sync.Mutex
	made int
	live map[string]string // refresh token to user
}

func (i *issuer) issue(user string) (body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	now := time.Now().Add(i.skew)
	life := i.life
	if life == 0 {
		life = time.Hour
	}
	refresh := fmt.Sprintf("planted-refresh-%d-%s", i.made, user)
	if i.live == nil {
		i.live = make(map[string]string)
	}
	i.live[refresh] = user
	text, _ := json.Marshal(map[string]any{
		"access_token":  jwt(map[string]any{"sub": user, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": i.made}),
		"token_type":    "bearer",
		"expires_in":    int(life.Seconds()),
		"expires_at":    now.Add(life).Unix(),
		"refresh_token": refresh,
		"user":          map[string]any{"id": user, "email": user + "@example.com"},
	})
	return string(text)
}

// spend takes a refresh token that was not used yet.
func (i *issuer) spend(refresh string) (user string, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	user, ok = i.live[refresh]
	delete(i.live, refresh)
	return user, ok
}

// token answers POST /auth/v1/token.
func (i *issuer) token(r *request) (int, string) {
	var body struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Refresh  string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
		return 400, `{"code":"validation_failed","message":"no JSON"}`
	}
	if r.Query.Get("grant_type") == "refresh_token" {
		user, ok := i.spend(body.Refresh)
		if !ok {
			return 400, `{"code":"refresh_token_already_used","message":"Invalid Refresh Token: Already Used"}`
		}
		return 200, i.issue(user)
	}
	user, _, _ := strings.Cut(body.Email, "@")
	if body.Password != "right-"+user {
		return 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`
	}
	return 200, i.issue(user)
}

// session is one that a user has brought from elsewhere.
func (i *issuer) session(t testing.TB, user string) *supabase.Session {
	t.Helper()
	s := new(supabase.Session)
	if err := json.Unmarshal([]byte(i.issue(user)), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// logs collects log lines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
