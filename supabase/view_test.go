package supabase_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

// A server may give out refresh tokens that it has given before: whoever follows what followed what
// must not walk in a circle.
func TestRefreshTokensThatComeAgain(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3} { // tokens in the circle
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := new(issuer)
				renewed := 0
				srv := todosOf(i, func(r *request) (int, string) {
					renewed++
					answer := i.issue("ann")
					return 200, strings.Replace(answer, fmt.Sprintf("planted-refresh-%d-ann", i.made), fmt.Sprintf("planted-%d", renewed%n), 1)
				})
				sb := open(t, srv).WithTTL(0)
				session, err := auth.NewSession(i.session(t, "ann").AccessToken(), "planted-0")
				if err != nil {
					t.Fatal(err)
				}
				v := sb.As(session)
				for hour := range 7 {
					wantOwner(t, v, "ann")
					wantOwner(t, sb.As(session), "ann") // goes on with the newest
					if renewed != hour {
						t.Errorf("%d renewals in hour %d", renewed, hour)
					}
					elapse(time.Hour)
				}
				if err := v.Auth().SignOut(t.Context()); err != nil {
					t.Error(err)
				}
				wantSignedOut(t, "the session", sb.As(session))
			})
		})
	}
}

// While a session cannot be renewed its view reads on with the token that it has, and Clear ends
// what it has read.
func TestClearOfAViewThatIsToBeRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, func(*request) (int, string) { return 503, `{"message":"away"}` })
		sb := open(t, srv).WithTTL(time.Hour)
		s := i.session(t, "ann")
		v := sb.As(s)
		elapse(time.Hour - time.Minute)
		for range 3 {
			wantOwner(t, v, "ann")
		}
		if n := srv.count(todosPath); n != 1 {
			t.Fatalf("%d reads, want 1", n)
		}
		connection.Clear(v)
		wantOwner(t, v, "ann")
		if n := srv.count(todosPath); n != 2 {
			t.Errorf("%d reads after Clear, want 2", n)
		}
		v.ClearQuery(v.Table("todos").Select("*"))
		wantOwner(t, v, "ann")
		if n := srv.count(todosPath); n != 3 {
			t.Errorf("%d reads after ClearQuery, want 3", n)
		}
	})
}

func TestClosedViewSendsNothing(t *testing.T) {
	t.Parallel()
	i := new(issuer)
	srv := usersOf(i)
	sb := open(t, srv)
	v := sb.As(i.session(t, "ann"))
	users := v.Auth()
	if _, err := users.User(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	before := srv.count("/auth/v1/user")
	for _, a := range []*supabase.Auth{users, v.Auth()} {
		if _, err := a.User(t.Context()); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("a user's call through a closed view: %v", err)
		}
	}
	if n := srv.count("/auth/v1/user"); n != before {
		t.Errorf("a closed view sent %d requests", n-before)
	}
	wantOwner(t, sb.As(i.session(t, "ann")), "ann") // another view of the user is not concerned
}

func TestErrorsOfAuthNameTheConnection(t *testing.T) {
	t.Parallel()
	srv := &server{answer: func(*request) (int, string) {
		return http.StatusTooManyRequests, `{"code":"over_request_rate_limit","message":"slower"}`
	}}
	sb := open(t, srv)
	s := new(issuer).session(t, "ann")
	for name, call := range map[string]func() error{
		"nobody's": func() error {
			_, err := sb.Auth().SendOTP(t.Context(), auth.OTP{Email: "ann@example.com"})
			return err
		},
		"a view's":    func() error { _, err := sb.As(s).Auth().User(t.Context()); return err },
		"a session's": func() error { _, err := sb.Auth().WithSession(s).Factors(t.Context()); return err },
		"an admin's":  func() error { _, err := sb.Auth().Admin().User(t.Context(), annID); return err },
		"an override's": func() error {
			return sb.As(s).Auth().SignOut(t.Context(), auth.Global)
		},
	} {
		err := call()
		named, ok := errors.AsType[*connection.Error](err)
		if !ok || named.Name != "project" || !errors.Is(err, supabase.ErrRateLimited) {
			t.Errorf("%s error: %v", name, err)
			continue
		}
		if strings.Count(err.Error(), `"project"`) != 1 {
			t.Errorf("%s error does not name the connection once: %v", name, err)
		}
	}
}

// Nor do those fall short that are found out before anything is sent.
func TestMisuseOfAuthNamesTheConnection(t *testing.T) {
	t.Parallel()
	sb := open(t, &server{answer: func(r *request) (int, string) {
		t.Errorf("sent: %s", r.Path)
		return http.StatusOK, "{}"
	}})
	for name, call := range map[string]func() error{
		"sign out":    func() error { return sb.Auth().SignOut(t.Context()) },
		"delete user": func() error { return sb.Auth().Admin().DeleteUser(t.Context(), "") },
		"verify factor": func() error {
			_, err := sb.Auth().VerifyFactor(t.Context(), "", "", "")
			return err
		},
		"update user": func() error {
			_, err := sb.Auth().Admin().UpdateUser(t.Context(), "", auth.UserChange{})
			return err
		},
		"user":    func() error { _, err := sb.Auth().User(t.Context()); return err },
		"claims":  func() error { _, err := sb.Auth().Claims(t.Context(), "no token"); return err },
		"sign up": func() error { _, err := sb.Auth().SignUp(t.Context(), auth.SignUp{}); return err },
		"refresh": func() error { _, err := sb.Auth().Refresh(t.Context(), ""); return err },
	} {
		err := call()
		if named, ok := errors.AsType[*connection.Error](err); !ok || named.Name != "project" || named.Op != map[bool]string{true: "refresh", false: "auth"}[name == "refresh"] {
			t.Errorf("%s: %v", name, err)
		}
	}
}
