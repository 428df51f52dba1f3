package supabase_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

// of are the right credentials of a user of the issuer's.
func of(user string) supabase.Credentials {
	return supabase.Credentials{Email: user + "@example.com", Password: "right-" + user}
}

// signIn is the access token of a cached sign-in, "" if it fails.
func signIn(t testing.TB, sb *supabase.Conn, by supabase.Credentials) string {
	t.Helper()
	s, err := sb.CachedSignInWithPassword(t.Context(), by)
	if err != nil {
		t.Errorf("signing in: %v", err)
		return ""
	}
	return s.AccessToken()
}

func TestSignInsAreCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		first := signIn(t, sb, of("ann"))
		for range 10 {
			if signIn(t, sb, of("ann")) != first {
				t.Error("the same credentials gave another session")
			}
		}
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		got := srv.got[0]
		if got.Query.Get("grant_type") != "password" || got.bearer() != "" || got.Header.Get("Apikey") != anonKey ||
			got.Body != `{"email":"ann@example.com","password":"right-ann"}` {
			t.Errorf("sent %+v", got)
		}
		// Each caller has a session of its own.
		a, _ := sb.CachedSignInWithPassword(t.Context(), of("ann"))
		a.User.Email, a.ExpiresAt = "changed", time.Time{}
		b, _ := sb.CachedSignInWithPassword(t.Context(), of("ann"))
		if b.User.Email != "ann@example.com" || b.ExpiresAt.IsZero() {
			t.Errorf("a caller's change is in the next one's session: %v", b)
		}
		wantOwner(t, sb.As(b), "ann")
		// A view of a user signs others in, and is not one of them for it.
		bob := signIn(t, sb.As(b), of("bob"))
		if bob == first || signIn(t, sb, of("bob")) != bob {
			t.Error("a view's sign-in is not the connection's")
		}
		if got := srv.requests(tokenPath)[1]; got.bearer() != "" {
			t.Errorf("a sign-in carried the bearer %q", got.bearer())
		}
	})
}

func TestManySignInsAtOnceAreOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			<-time.After(time.Second)
			return i.token(r)
		})
		sb := open(t, srv)
		var wg sync.WaitGroup
		var mu sync.Mutex
		tokens := map[string]int{}
		for n := range 64 {
			by := of([]string{"ann", "bob"}[n%2])
			wg.Go(func() {
				token := signIn(t, sb, by)
				mu.Lock()
				defer mu.Unlock()
				tokens[token]++
			})
		}
		wg.Wait()
		if n := srv.count(tokenPath); n != 2 || len(tokens) != 2 {
			t.Errorf("%d requests, %d sessions, want one for each of two users", n, len(tokens))
		}
		for _, n := range tokens {
			if n != 32 {
				t.Errorf("%d got the session of one user, want 32", n)
			}
		}
	})
}

func TestSignInsOfOthersAreNeverShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made := 0
		i := new(issuer)
		srv := &server{answer: func(*request) (int, string) {
			made++
			return 200, i.issue(fmt.Sprintf("user%d", made))
		}}
		sb := open(t, srv)
		seen := map[string]supabase.Credentials{}
		all := []supabase.Credentials{
			{Email: "a@b.c", Password: "p"},
			{Email: "a@b.c", Password: "q"},
			{Email: "a@b.c", Password: "P"},
			{Email: "a@b.c", Password: "p "},
			{Email: "a@b.c", Password: ""},
			{Email: "d@b.c", Password: "p"},
			{Phone: "a@b.c", Password: "p"}, // the same text as a phone number
			{Phone: "+15551234567", Password: "p"},
			{Email: "+15551234567", Password: "p"},
			{Email: "a@b.c", Phone: "p"}, // the same parts at other places
			{Email: "a@b.cp", Password: ""},
			{Email: "a@b.", Password: "cp"},
			{Phone: "a@b.cp"},
		}
		for _, by := range all {
			token := signIn(t, sb, by)
			if other, ok := seen[token]; ok {
				t.Errorf("%#v and %#v got one session", by, other)
			}
			seen[token] = by
		}
		for token, by := range seen {
			if signIn(t, sb, by) != token {
				t.Errorf("%#v got another session the second time", by)
			}
		}
		// Nor between two connections, whatever they have in common.
		if signIn(t, open(t, srv), all[0]) == signIn(t, sb, all[0]) {
			t.Error("two connections shared a session")
		}
	})
}

func TestSignInsLiveNoLongerThanTheTokenOrTheTTL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		life, skew time.Duration // of the server's tokens and clock
		ttl, want  time.Duration
	}{
		{"the connection's TTL is for reads", time.Hour, 0, cache.Default, time.Hour},
		{"forever", time.Hour, 0, cache.Forever, time.Hour},
		{"a week", time.Hour, 0, 7 * 24 * time.Hour, time.Hour},
		{"a minute", time.Hour, 0, time.Minute, time.Minute},
		{"longer than a short token", time.Minute, 0, time.Hour, time.Minute},
		{"the server's clock is ahead", time.Hour, 30 * time.Minute, cache.Forever, time.Hour},
		{"the server's clock is behind", time.Hour, -30 * time.Minute, cache.Forever, 30 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{life: test.life, skew: test.skew}
				srv := todosOf(i, i.token)
				sb := open(t, srv, connection.WithDefaultTTL(time.Second)).WithTTL(test.ttl)
				first := signIn(t, sb, of("ann"))
				elapse(test.want - 2*time.Second)
				if signIn(t, sb, of("ann")) != first {
					t.Errorf("%v was not kept for %v", test.ttl, test.want)
				}
				elapse(3 * time.Second)
				if signIn(t, sb, of("ann")) == first {
					t.Errorf("%v was kept for longer than %v", test.ttl, test.want)
				}
				if n := srv.count(tokenPath); n != 2 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

func TestSignInsWithoutATTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		kept := signIn(t, sb, of("ann"))
		seen := map[string]bool{kept: true}
		for _, ttl := range []time.Duration{0, 0, -time.Second} {
			token := signIn(t, sb.WithTTL(ttl), of("ann"))
			if seen[token] {
				t.Errorf("a TTL of %v gave a session of before", ttl)
			}
			seen[token] = true
		}
		if signIn(t, sb, of("ann")) != kept {
			t.Error("a sign-in with a TTL of 0 has replaced what was kept")
		}
		// The reader's TTL counts, however long the one that stored it meant to keep it.
		elapse(time.Minute)
		if token := signIn(t, sb.WithTTL(10*time.Second), of("ann")); token == kept {
			t.Error("a reader with a short TTL got an older session")
		}
		if n := srv.count(tokenPath); n != 5 {
			t.Errorf("%d requests, want 5", n)
		}
	})
}

func TestFailedSignInsAreNotCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		status, body := 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`
		srv := todosOf(i, func(r *request) (int, string) {
			if status != 200 {
				return status, body
			}
			return i.token(r)
		})
		sb := open(t, srv)
		for n, test := range []struct {
			status int
			body   string
			is     error
		}{
			{400, body, supabase.ErrUnauthorized},
			{400, `{"code":"email_not_confirmed","message":"Email not confirmed"}`, supabase.ErrForbidden},
			{429, `{"code":"over_request_rate_limit","message":"slow down"}`, supabase.ErrRateLimited},
			{503, "away", nil},
			{200 + 1, "not JSON", nil},
		} {
			status, body = test.status, test.body
			_, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
			if named, ok := errors.AsType[*connection.Error](err); !ok || named.Op != "sign in" || named.Name != "project" || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("status %d: %v", test.status, err)
			}
			if got := srv.count(tokenPath); got != n+1 {
				t.Errorf("status %d: %d requests for one sign-in: a write is sent once", test.status, got-n)
			}
		}
		status = 200
		first := signIn(t, sb, of("ann"))
		// A wrong password neither gets what is kept nor ends it.
		if _, err := sb.CachedSignInWithPassword(t.Context(), supabase.Credentials{Email: "ann@example.com", Password: "wrong"}); !errors.Is(err, supabase.ErrUnauthorized) {
			t.Errorf("a wrong password: %v", err)
		}
		if signIn(t, sb, of("ann")) != first {
			t.Error("a wrong password ended a sign-in")
		}
	})
}

func TestWhatEndsCachedSignIns(t *testing.T) {
	t.Parallel()
	ends := func(name string, end bool, change func(t *testing.T, sb *supabase.Conn, ann *supabase.Session)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				srv := todosOf(i, i.token)
				sb := open(t, srv)
				ann, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
				if err != nil {
					t.Fatal(err)
				}
				bob := signIn(t, sb, of("bob"))
				change(t, sb, ann)
				if again := signIn(t, sb, of("ann")); (again != ann.AccessToken()) != end {
					t.Errorf("ended: %v, want %v", !end, end)
				}
				if strings.HasPrefix(name, "her") && signIn(t, sb, of("bob")) != bob {
					t.Error("the sign-in of another user ended, too")
				}
			})
		})
	}
	signOut := func(scope ...auth.Scope) func(*testing.T, *supabase.Conn, *supabase.Session) {
		return func(t *testing.T, sb *supabase.Conn, ann *supabase.Session) {
			if err := sb.As(ann).Auth().SignOut(t.Context(), scope...); err != nil {
				t.Error(err)
			}
		}
	}
	ends("her sign-out", true, signOut())
	ends("her sign-out here", true, signOut(auth.Local))
	ends("her sign-out elsewhere", true, signOut(auth.Others))
	ends("a sign-out by her bare token", true, func(t *testing.T, sb *supabase.Conn, ann *supabase.Session) {
		if err := sb.AsToken(ann.AccessToken()).Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
	})
	ends("her refresh token, which is found dead", true, func(t *testing.T, sb *supabase.Conn, _ *supabase.Session) {
		stolen := (&issuer{made: 100}).session(t, "ann") // one whose refresh token the server does not know
		elapse(time.Hour - time.Minute)
		wantOwner(t, sb.As(stolen), "ann") // still good for a minute
		synctest.Wait()
	})
	ends("Clear", true, func(_ *testing.T, sb *supabase.Conn, _ *supabase.Session) { connection.Clear(sb) })
	ends("her renewal", false, func(t *testing.T, sb *supabase.Conn, ann *supabase.Session) {
		elapse(time.Hour - time.Minute)
		wantOwner(t, sb.As(ann), "ann")
	})
	ends("her writes", false, func(t *testing.T, sb *supabase.Conn, ann *supabase.Session) {
		for _, c := range []*supabase.Conn{sb, sb.As(ann)} {
			if _, err := supabase.Execute(t.Context(), c.Table("todos").Insert(todo{"x"})); err != nil && c != sb {
				t.Error(err)
			}
		}
	})
	ends("her reads", false, func(t *testing.T, sb *supabase.Conn, ann *supabase.Session) { wantOwner(t, sb.As(ann), "ann") })
	ends("her Clear, of what was read", false, func(_ *testing.T, sb *supabase.Conn, ann *supabase.Session) { connection.Clear(sb.As(ann)) })
	ends("a Reset, which changes no parameter", false, func(t *testing.T, sb *supabase.Conn, _ *supabase.Session) {
		if err := sb.Reset(); err != nil {
			t.Error(err)
		}
	})
}

// Whoever changes a password may go on for as long as the token does that was made before, and no longer.
func TestAChangedPasswordStopsWithinTheTokensLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		changed := false
		srv := todosOf(i, func(r *request) (int, string) {
			if changed && r.Query.Get("grant_type") == "password" {
				return 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`
			}
			return i.token(r)
		})
		sb := open(t, srv).WithTTL(cache.Forever)
		began := time.Now()
		s, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
		if err != nil {
			t.Fatal(err)
		}
		changed = true
		for time.Since(began) < 2*time.Hour {
			elapse(time.Minute)
			wantOwner(t, sb.As(s), "ann") // a session that is in use is renewed, and is no sign-in
			_, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
			if good := err == nil; good != (time.Since(began) < time.Hour) {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
	})
}

func TestASignInOutlivesWhoBeganIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			<-time.After(time.Second)
			return i.token(r)
		})
		sb := open(t, srv)
		leaders, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := sb.CachedSignInWithPassword(leaders, of("ann")); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who left: %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() { signIn(t, sb, of("ann")) })
		}
		wg.Go(func() { // a follower who leaves disturbs nobody
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if _, err := sb.CachedSignInWithPassword(ctx, of("ann")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a follower who left: %v", err)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestWhatIsClearedOrClosedDuringASignInIsNotKept(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*supabase.Conn){
		"Clear": func(sb *supabase.Conn) { connection.Clear(sb) },
		"Close": func(sb *supabase.Conn) { _ = sb.Close() },
		"Reset": func(sb *supabase.Conn) { _ = sb.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				srv := todosOf(i, i.token)
				slow := roundTripper(func(r *http.Request) (*http.Response, error) {
					select {
					case <-time.After(time.Second):
						return srv.RoundTrip(r)
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				sb := open(t, srv, supabase.WithHTTPClient(&http.Client{Transport: slow}))
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
					if closed := errors.Is(err, connection.ErrClosed); closed != (name == "Close") || !closed && err != nil {
						t.Errorf("the one under way: %v", err)
					}
				})
				synctest.Wait()
				end(sb)
				wg.Wait() // and with it the goroutine that signed in, or the bubble would not end
				if name == "Close" {
					if _, err := sb.CachedSignInWithPassword(t.Context(), of("ann")); !errors.Is(err, connection.ErrClosed) {
						t.Errorf("after Close: %v", err)
					}
					return
				}
				signIn(t, sb, of("ann"))
				if n, want := srv.count(tokenPath), map[string]int{"Clear": 2, "Reset": 1}[name]; n != want {
					t.Errorf("%d requests, want %d", n, want)
				}
			})
		})
	}
}

func TestASessionWithoutARefreshTokenIsGoodToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv).WithTTL(0)
		s, err := auth.NewSession(i.session(t, "ann").AccessToken(), "")
		if err != nil {
			t.Fatal(err)
		}
		v := sb.As(s)
		elapse(time.Hour - time.Second)
		wantOwner(t, v, "ann")
		elapse(2 * time.Second)
		if _, err := todos(t.Context(), v); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("after its end: %v", err)
		}
		if n := srv.count(tokenPath); n != 0 {
			t.Errorf("%d renewals without a refresh token", n)
		}
	})
}

func TestSignInsShowNoPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const password = `planted "pass" wörd`
		var l logs
		srv := new(server)
		srv.answer = func(r *request) (int, string) {
			return 400, `{"code":"invalid_credentials","message":` + jsonText(r.Body) + `}`
		}
		sb := open(t, srv, connection.WithLogger(l.logger()))
		by := supabase.Credentials{Email: "ann@example.com", Password: password}
		_, err := sb.CachedSignInWithPassword(t.Context(), by)
		if err == nil || !strings.Contains(srv.got[0].Body, jsonText(password)) {
			t.Fatalf("the server was sent %q, and answered %v", srv.got[0].Body, err)
		}
		for _, text := range []string{
			fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err), fmt.Sprintf("%v %+v %#v %s %q", by, by, by, by, by),
			jsonText(by), jsonText(err), l.String(), fmt.Sprintf("%+v %#v", sb, sb),
		} {
			if strings.Contains(text, "planted") || strings.Contains(text, "wörd") {
				t.Errorf("the password is in %s", text)
			}
		}
	})
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
