package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

const (
	todosPath = "/rest/v1/todos"
	tokenPath = "/auth/v1/token"
)

type todo struct{ Owner string }

// elapse lets time pass in a bubble: whatever is due meanwhile happens.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// todosOf answers each user with a row of their own, and refuses tokens that have ended.
func todosOf(i *issuer, renew func(*request) (int, string)) *server {
	return &server{answer: func(r *request) (int, string) {
		switch r.Path {
		case tokenPath:
			return renew(r)
		case "/auth/v1/logout":
			return 204, ""
		case todosPath:
			s, err := auth.NewSession(r.bearer(), "")
			if err != nil {
				return 401, `{"code":"PGRST301","message":"no token"}`
			}
			if s.Expired(i.skew) {
				return 401, `{"code":"PGRST303","message":"JWT expired"}`
			}
			claims := strings.Split(r.bearer(), ".")[1]
			return 200, fmt.Sprintf(`[{"owner":%q}]`, subject(claims))
		}
		return 404, `{}`
	}}
}

func todos(ctx context.Context, sb *supabase.Conn) ([]todo, error) {
	return supabase.Query[todo](ctx, sb.Table("todos").Select("*"))
}

func wantOwner(t testing.TB, sb *supabase.Conn, owner string) {
	t.Helper()
	rows, err := todos(t.Context(), sb)
	if err != nil || len(rows) != 1 || rows[0].Owner != owner {
		t.Errorf("read %v, %v; want the row of %s", rows, err, owner)
	}
}

func TestViewsOfOneSessionRenewItOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		left time.Duration // of the access token when it is used
	}{{"soon to end", time.Minute}, {"ended", -time.Minute}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				srv := todosOf(i, func(r *request) (int, string) {
					<-time.After(100 * time.Millisecond)
					return i.token(r)
				})
				sb := open(t, srv)
				s := i.session(t, "ann")
				elapse(time.Hour - test.left)

				var mu sync.Mutex
				told := map[int]int{} // view to the number of sessions
				var tokens []string
				view := func(n int) *supabase.Conn {
					return sb.As(s, supabase.OnSession(func(ctx context.Context, s *supabase.Session) {
						mu.Lock()
						defer mu.Unlock()
						told[n]++
						tokens = append(tokens, s.AccessToken())
						if ctx.Err() != nil {
							t.Error("OnSession got a context that has ended")
						}
					}))
				}
				var wg sync.WaitGroup
				one := view(-1)
				for n := range 64 { // one view, many goroutines
					_ = n
					wg.Go(func() { wantOwner(t, one, "ann") })
				}
				for n := range 64 { // many views at once
					v := view(n)
					wg.Go(func() { wantOwner(t, v, "ann") })
				}
				wg.Wait()
				for n := range 100 { // and one after another
					wantOwner(t, view(100+n), "ann")
				}
				if n := srv.count(tokenPath); n != 1 {
					t.Errorf("%d renewals, want 1", n)
				}
				if len(told) != 165 {
					t.Errorf("%d views were told of the new session, want 165", len(told))
				}
				for view, n := range told {
					if n != 1 {
						t.Errorf("view %d was told %d times", view, n)
					}
				}
				for _, token := range tokens {
					if token != tokens[0] {
						t.Fatal("views were told of different sessions")
					}
				}
				// The old session leads to the newest one, a renewal later.
				elapse(time.Hour)
				wantOwner(t, one, "ann")
				wantOwner(t, view(1000), "ann")
				if n := srv.count(tokenPath); n != 2 {
					t.Errorf("%d renewals after another hour, want 2", n)
				}
			})
		})
	}
}

// What is remembered of sessions is which followed which, and not what they say of their users: that may be
// much. It does not run beside other tests, whose memory it would measure.
func TestWhatWasFollowedHoldsNoUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const renewals, size = 20, 256 << 10 // bytes, of each
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			status, body := i.token(r)
			much := `"user_metadata":{"about":"` + strings.Repeat("x", size) + `"},"email"`
			return status, strings.Replace(body, `"email"`, much, 1)
		})
		sb := open(t, srv)
		s := i.session(t, "ann")
		v := sb.As(s)
		used := func() (m runtime.MemStats) {
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m
		}
		before := used()
		for range renewals {
			elapse(time.Hour)
			wantOwner(t, v, "ann")
		}
		if grown := int64(used().HeapAlloc) - int64(before.HeapAlloc); grown > renewals*size/2 {
			t.Errorf("%d renewals of a user with %d bytes hold %d", renewals, size, grown)
		}
		wantOwner(t, sb.As(s), "ann") // the first leads to the newest as before
		if n := srv.count(tokenPath); n != renewals {
			t.Errorf("%d renewals, want %d", n, renewals)
		}
		if err := v.Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := todos(t.Context(), sb.As(s)); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("the first session, after the newest was signed out of: %v", err)
		}
	})
}

func TestRenewalOutlivesWhoBeganIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			<-time.After(time.Second)
			return i.token(r)
		})
		sb := open(t, srv)
		s := i.session(t, "ann")
		elapse(2 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := todos(ctx, sb.As(s)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantOwner(t, sb.As(s), "ann")
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("%d renewals, want 1: the answer to the first was thrown away", n)
		}
	})
}

func TestFailingRenewal(t *testing.T) {
	t.Parallel()
	away := func(*request) (int, string) { return 503, `{"message":"away"}` }
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		renew := away
		srv := todosOf(i, func(r *request) (int, string) { return renew(r) })
		sb := open(t, srv).WithTTL(0)
		s := i.session(t, "ann")
		v := sb.As(s)

		// A token that is still good is used on, and the server is not stormed.
		elapse(time.Hour - 80*time.Second)
		began := time.Now()
		for range 60 {
			wantOwner(t, v, "ann")
			wantOwner(t, sb.As(s), "ann")
			elapse(time.Second)
		}
		if n := srv.count(tokenPath); n < 2 || n > 30 {
			t.Errorf("%d tries to renew in %v", n, time.Since(began))
		}
		// Once it has ended, nothing is sent with it, and the session is not lost.
		elapse(30 * time.Second)
		before, tries := srv.count(todosPath), srv.count(tokenPath)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if _, err := todos(t.Context(), v); err == nil || errors.Is(err, supabase.ErrSignInAgain) {
					t.Errorf("with the server away: %v", err)
				}
			})
		}
		wg.Wait()
		if n := srv.count(todosPath); n != before {
			t.Errorf("%d requests with a dead token", n-before)
		}
		if n := srv.count(tokenPath) - tries; n > 10 {
			t.Errorf("64 calls made %d tries", n)
		}
		renew = i.token
		elapse(5 * time.Second) // nobody waits for longer than that, however long the server was away
		wantOwner(t, v, "ann")
	})
}

func TestDeadRefreshTokenIsAskedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv).WithTTL(0)
		s := i.session(t, "ann")
		i.spend(s.RefreshToken()) // somebody else has used it
		v := sb.As(s)
		elapse(time.Hour - time.Minute)
		wantOwner(t, v, "ann") // still good
		wantOwner(t, sb.As(s), "ann")
		elapse(2 * time.Minute)
		for range 10 {
			_, err := todos(t.Context(), v)
			if !errors.Is(err, supabase.ErrSignInAgain) || !errors.Is(err, auth.ErrSessionDead) {
				t.Errorf("got %v", err)
			}
		}
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("a dead refresh token was sent %d times", n)
		}
	})
}

func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Minute, time.Minute} {
		for _, life := range []time.Duration{time.Minute, time.Hour} {
			t.Run(fmt.Sprintf("server %v ahead, tokens of %v", skew, life), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					i := &issuer{life: life, skew: skew}
					srv := todosOf(i, i.token)
					sb := open(t, srv).WithTTL(0)
					v := sb.As(i.session(t, "ann"))
					for range 300 { // five minutes or lives, whatever is longer
						wantOwner(t, v, "ann")
						elapse(max(time.Second, life/60))
					}
					if n := srv.count(tokenPath); n < 4 || n > 25 {
						t.Errorf("%d renewals in 5 lives", n)
					}
				})
			})
		}
	}
}

func TestSignOutEndsTheViews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		s := i.session(t, "ann")
		v, other := sb.As(s), sb.As(s)
		bob := sb.As(i.session(t, "bob"))
		wantOwner(t, v, "ann")
		wantOwner(t, other, "ann")
		wantOwner(t, bob, "bob")
		if err := v.Auth().SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
		reads := srv.count(todosPath)
		for _, view := range []*supabase.Conn{v, other, sb.As(s), sb.AsToken(s.AccessToken())} {
			if _, err := todos(t.Context(), view); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("after the sign-out: %v", err)
			}
		}
		wantOwner(t, bob, "bob")
		elapse(2 * time.Hour)
		if _, err := todos(t.Context(), sb.As(s)); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("after the sign-out, and the token's end: %v", err)
		}
		if n := srv.count(todosPath); n != reads {
			t.Errorf("%d reads after the sign-out", n-reads)
		}
		if n := srv.count(tokenPath); n != 0 {
			t.Errorf("%d renewals of a session that was signed out", n)
		}
		if err := v.Auth().SignOut(t.Context()); err != nil {
			t.Errorf("signing out twice: %v", err)
		}
	})
}

func TestSignOutDuringARenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			<-time.After(time.Second)
			return i.token(r)
		})
		sb := open(t, srv).WithTTL(0)
		s := i.session(t, "ann")
		v := sb.As(s, supabase.OnSession(func(context.Context, *supabase.Session) { t.Error("a session after the sign-out") }))
		elapse(time.Hour - time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := todos(t.Context(), v); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()           // the renewal is under way
		signOut := func() error { // as the server sees it, with the token as it is
			return sb.AsToken(s.AccessToken()).Auth().SignOut(t.Context())
		}
		if err := signOut(); err != nil {
			t.Error(err)
		}
		// That was a bare token: the session is ended by a view of it.
		if err := sb.As(s).Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestViewsOfNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		ended := jwt(map[string]any{"sub": "ann", "exp": time.Now().Add(-time.Second).Unix()})
		for name, view := range map[string]*supabase.Conn{
			"nil session":   sb.As(nil),
			"zero session":  sb.As(new(supabase.Session)),
			"empty token":   sb.AsToken(""),
			"expired token": sb.AsToken(ended),
			"empty header":  sb.AsToken("Bearer "),
			"two words":     sb.AsToken("foo bar"),
			"a basic login": sb.AsToken("Basic Zm9vOmJhcg=="),
			"a line break":  sb.AsToken(i.session(t, "ann").AccessToken() + "\n"),
			"no ASCII":      sb.AsToken("tökén"),
			"a secret key":  sb.AsToken("bearer sb_secret_planted"),
		} {
			_, err := todos(t.Context(), view)
			if named, ok := errors.AsType[*connection.Error](err); !errors.Is(err, supabase.ErrSignInAgain) || !ok || named.Name != "project" {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := supabase.Execute(t.Context(), view.Table("todos").Insert(todo{"x"})); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("%s: a write gave %v", name, err)
			}
			if _, err := view.Raw(t.Context()); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("%s: Raw gave %v", name, err)
			}
			if _, err := view.Auth().User(t.Context()); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("%s: User gave %v", name, err)
			}
			if _, err := view.Functions().Invoke(t.Context(), "hello", nil); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("%s: Invoke gave %v", name, err)
			}
			connection.Clear(view)
			if err := view.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(srv.got) != 0 {
			t.Errorf("%d requests were sent for nobody", len(srv.got))
		}
	})
}

func TestReadsOfAUserEndWithTheToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv).WithTTL(24 * time.Hour)
		token := i.session(t, "ann").AccessToken()
		for n := range 10 {
			scheme := []string{"", "Bearer ", "bearer  "}[n%3] // an Authorization header is the token that it holds
			wantOwner(t, sb.AsToken(scheme+token), "ann")
			elapse(5 * time.Minute)
		}
		if n := srv.count(todosPath); n != 1 {
			t.Errorf("%d requests within the token's life, want 1", n)
		}
		elapse(time.Hour)
		if _, err := todos(t.Context(), sb.AsToken(token)); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("after the token's end: %v", err)
		}
	})
}

func TestRefreshByHandGoesWithTheViews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(r *request) (int, string) {
			<-time.After(time.Second)
			return i.token(r)
		})
		sb := open(t, srv)
		s := i.session(t, "ann")
		v := sb.As(s)
		elapse(time.Hour - time.Minute)
		var wg sync.WaitGroup
		var by *supabase.Session
		wg.Go(func() { wantOwner(t, v, "ann") })
		wg.Go(func() {
			var err error
			if by, err = sb.Auth().Refresh(t.Context(), s.RefreshToken()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("a view and a refresh by hand made %d requests", n)
		}
		again, err := sb.Auth().Refresh(t.Context(), s.RefreshToken())
		if err != nil || again.AccessToken() != by.AccessToken() {
			t.Errorf("a spent refresh token gave %v, %v; want what followed it", again, err)
		}
		if _, err := sb.Auth().Refresh(t.Context(), "planted-unknown"); !errors.Is(err, auth.ErrSessionDead) || strings.Contains(err.Error(), "planted") {
			t.Errorf("an unknown refresh token: %v", err)
		}
		if _, err := sb.Auth().Refresh(t.Context(), ""); err == nil {
			t.Error("no refresh token gave a session")
		}
		if err := v.Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := sb.Auth().Refresh(t.Context(), by.RefreshToken()); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("after the sign-out: %v", err)
		}
	})
}

func TestChangedPasswordEndsCachedSignIns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		answer := srv.answer
		srv.answer = func(r *request) (int, string) {
			if r.Path == "/auth/v1/user" {
				return 200, `{"id":"ann"}`
			}
			return answer(r)
		}
		sb := open(t, srv)
		signIn := func(user string) *supabase.Session {
			t.Helper()
			s, err := sb.CachedSignInWithPassword(t.Context(), supabase.Credentials{Email: user + "@example.com", Password: "right-" + user})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := signIn("ann")
		signIn("bob")
		change := func(with auth.UserUpdate, want int) {
			t.Helper()
			if _, err := sb.As(s).Auth().UpdateUser(t.Context(), with); err != nil {
				t.Fatal(err)
			}
			signIn("ann")
			signIn("bob")
			if n := srv.count(tokenPath); n != want {
				t.Errorf("%d sign-ins, want %d", n, want)
			}
		}
		change(auth.UserUpdate{Data: map[string]any{"name": "Ann"}}, 2)
		change(auth.UserUpdate{Password: "another"}, 3)
	})
}

// What came without a refresh token leads nobody else anywhere, and is good to its end.
func TestSessionsThatCameWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		refreshToken := regexp.MustCompile(`"refresh_token":"[^"]*",?`)
		srv := todosOf(i, func(r *request) (int, string) {
			status, body := i.token(r)
			return status, refreshToken.ReplaceAllString(body, "")
		})
		sb := open(t, srv)
		ann, bob := i.session(t, "ann"), i.session(t, "bob")
		elapse(time.Hour)
		for range 2 {
			wantOwner(t, sb.As(ann), "ann")
			wantOwner(t, sb.As(bob), "bob")
		}
		if s, err := sb.Auth().Refresh(t.Context(), ann.RefreshToken()); err != nil || s.User.Email != "ann@example.com" {
			t.Errorf("Refresh by ann: %v, %v", s, err)
		}
		if err := sb.As(ann).Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := todos(t.Context(), sb.As(ann)); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("ann, who has signed out: %v", err)
		}
		wantOwner(t, sb.As(bob), "bob")
		elapse(time.Hour)
		if _, err := todos(t.Context(), sb.As(bob)); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("bob, whose session has ended: %v", err)
		}
		if n := srv.count(tokenPath); n != 2 {
			t.Errorf("%d renewals, want one each", n)
		}
	})
}
