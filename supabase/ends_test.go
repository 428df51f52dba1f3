package supabase_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

const annID = "7f2c3a1e-0000-4000-8000-00000000000a"

// usersOf is a project that knows what is asked about users, besides todosOf.
func usersOf(i *issuer) *server {
	srv := todosOf(i, i.token)
	answer := srv.answer
	srv.answer = func(r *request) (int, string) {
		switch {
		case strings.HasSuffix(r.Path, "/challenge"):
			return 200, `{"id":"5f2c3a1e-0000-4000-8000-00000000000c","type":"totp","expires_at":4102444800}`
		case strings.HasSuffix(r.Path, "/verify"):
			if strings.Contains(r.Body, `"code":"000000"`) {
				return 422, `{"code":"mfa_verification_failed","message":"Invalid TOTP code entered"}`
			}
			return 200, i.issue(subject(strings.Split(r.bearer(), ".")[1]))
		case strings.HasPrefix(r.Path, "/auth/v1/admin/users/"), r.Path == "/auth/v1/user":
			return 200, `{"id":"` + annID + `"}`
		}
		return answer(r)
	}
	return srv
}

func refresh(t *testing.T, sb *supabase.Conn, s *supabase.Session) *supabase.Session {
	t.Helper()
	next, err := sb.Auth().Refresh(t.Context(), s.RefreshToken())
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func wantSignedOut(t *testing.T, name string, view *supabase.Conn) {
	t.Helper()
	if rows, err := todos(t.Context(), view); !errors.Is(err, supabase.ErrSignInAgain) {
		t.Errorf("%s, after the sign-out: %v, %v", name, rows, err)
	}
}

// Who asks for a new session by hand wants a token that says what has changed about the user.
func TestRefreshByHandOfTheNewestSessionIsARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		first := i.session(t, "ann")
		second := refresh(t, sb, first)
		third := refresh(t, sb, second)
		if third.AccessToken() == second.AccessToken() || srv.count(tokenPath) != 2 {
			t.Errorf("two refreshes made %d requests", srv.count(tokenPath))
		}
		for _, spent := range []*supabase.Session{first, second} {
			if again := refresh(t, sb, spent); again.AccessToken() != third.AccessToken() {
				t.Error("a spent refresh token does not lead to the newest session")
			}
		}
		if n := srv.count(tokenPath); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

func TestSignOutEndsEarlierAndLaterTokensOfTheSession(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]int{"by the earliest": 0, "by the middle": 1, "by the newest": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				srv := todosOf(i, i.token)
				sb := open(t, srv)
				sessions := []*supabase.Session{i.session(t, "ann")}
				for len(sessions) < 3 {
					sessions = append(sessions, refresh(t, sb, sessions[len(sessions)-1]))
				}
				var views []*supabase.Conn
				for _, s := range sessions {
					views = append(views, sb.As(s))
				}
				other := sb.As(i.session(t, "ann"))
				for _, v := range append(views, other) {
					wantOwner(t, v, "ann")
				}
				if err := views[by].Auth().SignOut(t.Context()); err != nil {
					t.Fatal(err)
				}
				for n, s := range sessions {
					wantSignedOut(t, fmt.Sprintf("view %d", n), views[n])
					wantSignedOut(t, fmt.Sprintf("a new view of session %d", n), sb.As(s))
					if n >= by {
						wantSignedOut(t, fmt.Sprintf("a new view of token %d", n), sb.AsToken(s.AccessToken()))
					}
				}
				wantOwner(t, other, "ann") // a session of its own
				if n := srv.count(tokenPath); n != 2 {
					t.Errorf("%d renewals, want the 2 by hand", n)
				}
			})
		})
	}
}

func TestASecondFactorsSessionFollowsTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := usersOf(i)
		sb := open(t, srv)
		first := i.session(t, "ann")
		view := sb.As(first)
		if _, err := view.Auth().ChallengeAndVerify(t.Context(), annID, "000000"); err == nil {
			t.Error("a wrong code gave a session")
		}
		second, err := view.Auth().ChallengeAndVerify(t.Context(), annID, "123456")
		if err != nil {
			t.Fatal(err)
		}
		i.spend(first.RefreshToken()) // as the server does it: whoever uses it again ends the session
		elapse(59 * time.Minute)
		wantOwner(t, sb.As(second), "ann") // which renews it
		wantOwner(t, view, "ann")
		wantOwner(t, sb.As(first), "ann")
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("%d renewals, want 1", n)
		}
		if err := sb.As(second).Auth().SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSignedOut(t, "the view of the first session", view)
	})
}

func TestWhateverEndsAUserEndsCachedSignIns(t *testing.T) {
	t.Parallel()
	by := supabase.Credentials{Email: annID + "@example.com", Password: "right-" + annID}
	for name, end := range map[string]func(t *testing.T, sb *supabase.Conn, s *supabase.Session) error{
		"an admin's password": func(t *testing.T, sb *supabase.Conn, _ *supabase.Session) error {
			_, err := sb.Auth().Admin().UpdateUser(t.Context(), strings.ToUpper(annID), auth.UserChange{Password: new("another")})
			return err
		},
		"an admin's delete": func(t *testing.T, sb *supabase.Conn, _ *supabase.Session) error {
			return sb.Auth().Admin().DeleteUser(t.Context(), annID)
		},
		"an admin's soft delete": func(t *testing.T, sb *supabase.Conn, _ *supabase.Session) error {
			return sb.Auth().Admin().SoftDeleteUser(t.Context(), annID)
		},
		"an admin's sign-out": func(t *testing.T, sb *supabase.Conn, s *supabase.Session) error {
			defer wantSignedOut(t, "a view", sb.As(s))
			return sb.Auth().Admin().SignOut(t.Context(), s.AccessToken())
		},
		"a password with a session": func(t *testing.T, sb *supabase.Conn, s *supabase.Session) error {
			_, err := sb.Auth().WithSession(s).UpdateUser(t.Context(), auth.UserUpdate{Password: "another"})
			return err
		},
		"a sign-out with a session": func(t *testing.T, sb *supabase.Conn, s *supabase.Session) error {
			view := sb.As(s)
			wantOwner(t, view, annID)
			defer wantSignedOut(t, "a view", view)
			return sb.Auth().WithSession(s).SignOut(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				srv := usersOf(i)
				sb := open(t, srv)
				signIn := func() *supabase.Session {
					s, err := sb.CachedSignInWithPassword(t.Context(), by)
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				s := signIn()
				if err := end(t, sb, s); err != nil {
					t.Fatal(err)
				}
				signIn()
				if n := srv.count(tokenPath); n != 2 {
					t.Errorf("%d sign-ins, want 2", n)
				}
			})
		})
	}
}

// A loop over stored sessions may decode each into the same variable.
func TestAViewKeepsItsSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		sb := open(t, todosOf(i, i.token))
		ann, bob := i.session(t, "ann"), i.session(t, "bob")
		s := new(supabase.Session)
		*s = *ann
		view, other := sb.As(s), sb.As(bob)
		*s = *bob
		wantOwner(t, view, "ann")
		wantOwner(t, other, "bob")
		if err := view.Auth().SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSignedOut(t, "ann's view", sb.As(ann))
		wantOwner(t, other, "bob")
		elapse(59 * time.Minute)
		wantOwner(t, other, "bob")
	})
}

// A gateway may ask for any time.
func TestARenewalIsNotPutOffForHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		refused := true
		srv := todosOf(i, func(r *request) (int, string) {
			if refused {
				return 503, `{"message":"over capacity"}`
			}
			return i.token(r)
		})
		srv.header = map[string][]string{"Retry-After": {"86400"}}
		view := open(t, srv).As(i.session(t, "ann"))
		elapse(2 * time.Hour)
		if _, err := todos(t.Context(), view); err == nil || errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("got %v", err)
		}
		refused = false
		asked := srv.count(tokenPath)
		elapse(time.Minute)
		if _, err := todos(t.Context(), view); err == nil || srv.count(tokenPath) != asked {
			t.Errorf("%v: what the server asks for is not heeded", err)
		}
		elapse(5 * time.Minute)
		wantOwner(t, view, "ann")
	})
}

// Anybody can send a cookie with a refresh token of their own making.
func TestForgedSessionsPushOutNoSuccession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		s := i.session(t, "ann")
		elapse(2 * time.Hour)
		wantOwner(t, sb.As(s), "ann")
		ended := jwt(map[string]any{"sub": "ann", "exp": time.Now().Add(-time.Minute).Unix()})
		for n := range 10_100 { // more than are remembered
			forged, err := auth.NewSession(ended, fmt.Sprintf("forged-%d", n))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sb.As(forged).Raw(t.Context()); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Fatal(err)
			}
		}
		asked := srv.count(tokenPath)
		wantOwner(t, sb.As(s), "ann")
		if srv.count(tokenPath) != asked {
			t.Error("a spent refresh token was used again")
		}
	})
}

func TestWithSessionRenewsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := usersOf(i)
		sb := open(t, srv)
		s := i.session(t, "ann")
		elapse(59 * time.Minute)
		if _, err := sb.Auth().WithSession(s).User(t.Context()); err != nil {
			t.Error(err)
		}
		if got := srv.requests("/auth/v1/user"); len(got) != 1 || got[0].bearer() != s.AccessToken() {
			t.Errorf("%d requests, or not with the session's token", len(got))
		}
		elapse(2 * time.Minute)
		for name, s := range map[string]*supabase.Session{"expired": s, "nil": nil} {
			if _, err := sb.Auth().WithSession(s).User(t.Context()); !errors.Is(err, supabase.ErrSignInAgain) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := srv.count(tokenPath); n != 0 {
			t.Errorf("%d renewals", n)
		}
	})
}

// Registries hand out connections that callers wrap, some for each request.
func TestWrappersOfOneConnectionKnowTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		s := i.session(t, "ann")
		elapse(59 * time.Minute)
		wantOwner(t, sb.As(s), "ann")
		view := supabase.New(sb.Connection).As(s)
		wantOwner(t, view, "ann")
		if n := srv.count(tokenPath); n != 1 {
			t.Errorf("%d renewals, want 1", n)
		}
		if err := supabase.New(sb.Connection).As(s).Auth().SignOut(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantSignedOut(t, "a view of the other wrapper", view)
	})
}

func TestWritesOfAScopedConnectionEndTheFilesOfAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := &server{answer: func(*request) (int, string) { return 200, `{"id":"reports","name":"reports"}` }}
		sb := open(t, srv)
		same := func(c *supabase.Client) *supabase.Client { return c }
		tenant := supabase.New(connection.Scoped(sb.Connection, "tenant", same))
		views := []*supabase.Conn{sb, tenant, tenant.As(i.session(t, "ann")), sb.As(i.session(t, "bob"))}
		read := func(want int) {
			t.Helper()
			for range 2 {
				for _, v := range views {
					if _, err := v.GetBucket(t.Context(), "reports"); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n := srv.count("/storage/v1/bucket/reports"); n != want {
				t.Errorf("%d reads, want %d", n, want)
			}
		}
		read(len(views))
		if err := tenant.EmptyBucket(t.Context(), "reports"); err != nil {
			t.Fatal(err)
		}
		read(2 * len(views))
	})
}

// A verb that is none prints what is behind pointers, which others change meanwhile.
func TestConnectionsArePrintedWhileTheyAreUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		sb := open(t, todosOf(i, i.token))
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				user := fmt.Sprintf("user%d", n)
				s, err := sb.CachedSignInWithPassword(t.Context(), supabase.Credentials{Email: user + "@example.com", Password: "right-" + user})
				if err != nil {
					t.Error(err)
				}
				wantOwner(t, sb.As(s), user)
			})
			wg.Go(func() {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
					for _, c := range []any{sb, *sb, sb.AsToken("planted")} {
						if text := fmt.Sprintf(verb, c); text != `connection "project" (supabase)` {
							t.Errorf("%s of a %T: %s", verb, c, text)
						}
					}
				}
			})
		}
		wg.Wait()
	})
}
