//go:build linux

package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
)

// userService is a project of which the database is real, and the service for users is this: it
// signs tokens that live for a moment, and rotates refresh tokens.
type userService struct {
	t    testing.TB
	p    *servers.PostgREST
	next http.RoundTripper

	mu      sync.Mutex
	made    int
	refresh map[string]string // to the user's id
	reused  int
}

func (s *userService) RoundTrip(r *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(r.URL.Path, "/auth/v1/")
	if !ok {
		return s.next.RoundTrip(r)
	}
	status, body := http.StatusNoContent, ""
	if path == "token" {
		var sent struct {
			Refresh string `json:"refresh_token"`
		}
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		status, body = s.renew(sent.Refresh)
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

func (s *userService) renew(refresh string) (int, string) {
	s.mu.Lock()
	id, ok := s.refresh[refresh]
	delete(s.refresh, refresh)
	if !ok {
		s.reused++
	}
	s.mu.Unlock()
	if !ok {
		return http.StatusBadRequest, `{"code":"refresh_token_already_used","message":"Already Used"}`
	}
	return http.StatusOK, s.issue(id, 60*time.Second)
}

// issue makes a session. The signature of each is another one, as with a service that puts the
// session's id into the token.
func (s *userService) issue(id string, life time.Duration) string {
	s.mu.Lock()
	s.made++
	refresh := fmt.Sprintf("refresh-%d", s.made)
	s.refresh[refresh] = id
	life -= time.Duration(s.made%30) * time.Second
	s.mu.Unlock()
	text, _ := json.Marshal(map[string]any{
		"access_token": s.p.Token(id, "authenticated", life), "token_type": "bearer",
		"expires_at": time.Now().Add(life).Unix(), "refresh_token": refresh, "user": map[string]any{"id": id},
	})
	return string(text)
}

func (s *userService) session(id string, life time.Duration) *supabase.Session {
	session := new(supabase.Session)
	if err := json.Unmarshal([]byte(s.issue(id, life)), session); err != nil {
		s.t.Error(err)
	}
	return session
}

// forge gives a token of one user the sub of another; its signature stays as it was.
func forge(t testing.TB, token, from, to string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(claims), from, to)))
	return strings.Join(parts, ".")
}

type note struct {
	UserID string `json:"user_id"`
	Body   string `json:"body"`
}

func TestTwoUsersNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	const goroutines, reads, queries = 64, 100_000, 15
	p := postgrest(t)
	users := [2]string{"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"}
	pool := &http.Transport{MaxIdleConnsPerHost: goroutines}
	defer pool.CloseIdleConnections()
	service := &userService{t: t, p: p, next: pool, refresh: make(map[string]string)}
	sb, err := supabase.Open(t.Context(), "project", supabase.WithURL(p.URL), supabase.WithKey(p.AnonKey),
		supabase.WithHTTPClient(&http.Client{Transport: service}),
		connection.WithSecrets(secrets.Of(nil)), connection.WithDefaultTTL(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	for i, id := range users {
		var rows []note
		for n := range queries {
			rows = append(rows, note{id, fmt.Sprintf("note %d of user %d", n, i)})
		}
		if _, err := supabase.Execute(t.Context(), sb.As(service.session(id, time.Hour)).Table("notes").Insert(rows)); err != nil {
			t.Fatal(err)
		}
	}

	// What everybody takes their session from, and whoever signs in anew puts it there.
	var current [2]atomic.Pointer[supabase.Session]
	for i, id := range users {
		current[i].Store(service.session(id, 95*time.Second))
	}
	before := connection.Stats(sb).Cache
	var done, good, refused, told atomic.Int64
	read := func(ctx context.Context, view *supabase.Conn, who int, n int) {
		q := view.Table("notes").Select("user_id, body").Like("body", fmt.Sprintf("note %d of *", n))
		rows, err := supabase.Query[note](ctx, q)
		switch {
		case err == nil:
			good.Add(1)
			if len(rows) == 0 {
				t.Errorf("user %d does not see their own rows", who)
			}
		case errors.Is(err, supabase.ErrSignInAgain) || errors.Is(err, supabase.ErrUnauthorized):
			refused.Add(1)
		default:
			t.Errorf("user %d: %v", who, err)
		}
		for _, row := range rows {
			if who < 0 || row.UserID != users[who] {
				t.Errorf("user %d sees %+v", who, row)
			}
		}
	}
	const nobody = -1
	mixed := func(ctx context.Context, r *rand.Rand) {
		who := r.IntN(2)
		view := sb.As(current[who].Load(), supabase.OnSession(func(_ context.Context, s *supabase.Session) {
			told.Add(1)
			current[who].Store(s)
		}))
		for range 25 {
			if done.Add(1) > reads {
				return
			}
			n := r.IntN(queries)
			session := current[who].Load()
			switch luck := r.IntN(3000); {
			case luck < 4: // as the other, by a forged token
				read(ctx, sb.AsToken(forge(t, session.AccessToken(), users[who], users[1-who])), nobody, n)
			case luck < 8: // a token that was good, and one that was not
				read(ctx, sb.AsToken(p.Token(users[1-who], "authenticated", -time.Minute)), nobody, n)
				read(ctx, sb.AsToken(forge(t, p.Token(users[1-who], "authenticated", -time.Hour), `"exp":`, `"exp":9`)), nobody, n)
			case luck < 12:
				read(ctx, sb.AsToken(""), nobody, n)
				read(ctx, sb.As(nil), nobody, n)
			case luck < 13: // signs in, reads, signs out, and tries to read
				own := service.session(users[who], 10*time.Minute)
				mine := sb.As(own)
				read(ctx, mine, who, n)
				if err := mine.Auth().SignOut(ctx); err != nil {
					t.Error(err)
				}
				read(ctx, mine, nobody, n)
				read(ctx, sb.As(own), nobody, n)
			case luck < 14: // signs in anew, for everybody
				current[who].Store(service.session(users[who], 110*time.Second))
				view = sb.As(current[who].Load())
			case luck < 15: // changes something, which ends what is cached for both
				_, err := supabase.Execute(ctx, view.Table("notes").Insert(note{users[who], fmt.Sprintf("another of user %d", who)}))
				if err != nil {
					t.Error(err)
				}
			default:
				read(ctx, view, who, n)
			}
		}
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1)) //nolint:gosec // a test that can be repeated
			for done.Load() < reads {
				mixed(t.Context(), r)
			}
		})
	}
	wg.Wait()

	after := connection.Stats(sb).Cache
	hits, misses := after.Hits-before.Hits, after.Misses-before.Misses
	share := 100 * float64(hits) / float64(hits+misses)
	service.mu.Lock()
	defer service.mu.Unlock()
	t.Logf("%d reads answered, %d refused, %.1f %% hits, %d sessions, %d moves of views, %d refresh tokens used twice",
		good.Load(), refused.Load(), share, service.made, told.Load(), service.reused)
	if share < 90 || good.Load() < reads*9/10 || refused.Load() == 0 {
		t.Error("the test has not tested what it is for: too few hits, or too few reads, or nothing was refused")
	}
	if service.reused != 0 {
		t.Errorf("%d refresh tokens were used twice", service.reused)
	}
}
