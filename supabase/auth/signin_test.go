package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/auth"
)

const (
	notFound = `{"code":"refresh_token_not_found","message":"Invalid Refresh Token: Refresh Token Not Found"}`
	oldForm  = `{"code":400,"error_code":"refresh_token_already_used","msg":"Invalid Refresh Token: Already Used"}`
)

func TestRefreshIsTriedAgainWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		c := over(t, func(r *http.Request) (*http.Response, error) {
			bodies = append(bodies, read(t, r))
			switch len(bodies) {
			case 1:
				return nil, io.ErrUnexpectedEOF
			case 2:
				return answerTo(r, 500, `{"code":"unexpected_failure","message":"x"}`), nil
			case 3:
				return answerTo(r, 504, `{"code":"request_timeout","message":"x"}`), nil
			}
			return answerTo(r, 200, sessionJSON), nil
		})
		s, err := c.Refresh(t.Context(), refreshToken)
		if err != nil || s.AccessToken() != accessToken {
			t.Fatal(s, err)
		}
		if len(bodies) != 4 || bodies[0] != bodies[3] || bodies[0] != `{"refresh_token":"`+refreshToken+`"}` {
			t.Errorf("%q", bodies)
		}
	})
}

func TestRefreshGivesUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		opts     []auth.Option
		deadline time.Duration
		within   time.Duration
		many     bool
	}{
		{"after 5 s", nil, 0, 5 * time.Second, true},
		{"before the deadline", nil, 2 * time.Second, 2 * time.Second, true},
		{"after the window that was asked for", []auth.Option{auth.WithRetry(auth.Retry{Window: 20 * time.Second})}, 0, 20 * time.Second, true},
		{"at once", []auth.Option{auth.WithRetry(auth.Retry{Disabled: true})}, 0, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				c := over(t, func(r *http.Request) (*http.Response, error) {
					tries++
					return answerTo(r, 503, ""), nil
				}, tt.opts...)
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := c.Refresh(ctx, refreshToken)
				if e, ok := errors.AsType[*auth.Error](err); !ok || e.Status != 503 || errors.Is(err, auth.ErrSessionDead) {
					t.Errorf("%v", err)
				}
				if took := time.Since(start); took > tt.within || (tries > 3) != tt.many {
					t.Errorf("%d tries in %v", tries, took)
				}
			})
		})
	}
}

func TestRefreshEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := over(t, func(r *http.Request) (*http.Response, error) {
			time.AfterFunc(10*time.Millisecond, cancel)
			return answerTo(r, 503, ""), nil
		})
		_, err := c.Refresh(ctx, refreshToken)
		if !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrSessionDead) {
			t.Errorf("%v", err)
		}
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Status != 503 {
			t.Errorf("%v does not tell what it waited on", err)
		}
	})
}

// Which failures end a session, and which leave it as it is.
func TestWhatEndsASession(t *testing.T) {
	t.Parallel()
	refresh := func(ctx context.Context, c *auth.Client) error {
		_, err := c.Refresh(ctx, refreshToken)
		return err
	}
	user := func(ctx context.Context, c *auth.Client) error {
		_, err := c.WithToken(token(accessToken)).User(ctx)
		return err
	}
	for _, tt := range []struct {
		name   string
		call   func(context.Context, *auth.Client) error
		status int
		body   string
		dead   bool
	}{
		{"refresh token not found", refresh, 400, notFound, true},
		{"refresh token used before", refresh, 400, oldForm, true},
		{"session expired", refresh, 400, `{"code":"session_expired","message":"x"}`, true},
		{"not valid", refresh, 400, `{"code":400,"error_code":"validation_failed","msg":"Refresh token is not valid"}`, true},
		{"banned", refresh, 400, `{"code":"user_banned","message":"User is banned"}`, true},
		{"an old server's number", refresh, 400, `{"code":400,"msg":"Invalid Refresh Token"}`, true},
		{"an older server's OAuth", refresh, 400, `{"error":"invalid_grant","error_description":"Invalid Refresh Token"}`, true},
		{"too many at once", refresh, 409, `{"code":"conflict","message":"x"}`, false},
		{"too many", refresh, 429, `{"code":"over_request_rate_limit","message":"Request rate limit reached"}`, false},
		{"a hook that fails", refresh, 422, `{"code":"hook_timeout_after_retry","message":"x"}`, false},
		{"a gateway's key", refresh, 401, `{"message":"Invalid API key","hint":"x"}`, false},
		{"a gateway's page", refresh, 403, `<html><title>Blocked</title></html>`, false},
		{"no such path", refresh, 404, "404 page not found\n", false},
		{"a failure", refresh, 500, `{"code":"unexpected_failure","message":"x"}`, false},
		{"user: signed out", user, 403, `{"code":403,"error_code":"session_not_found","msg":"x"}`, true},
		{"user: gone", user, 403, `{"code":403,"error_code":"user_not_found","msg":"x"}`, true},
		{"user: expired token", user, 403, `{"code":403,"error_code":"bad_jwt","msg":"token is expired"}`, false},
		{"user: failure", user, 500, `{"code":500,"error_code":"unexpected_failure","msg":"x"}`, false},
	} {
		err := tt.call(t.Context(), answering(t, tt.status, tt.body))
		e, ok := errors.AsType[*auth.Error](err)
		if !ok || e.Status != tt.status {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := errors.Is(err, auth.ErrSessionDead); got != tt.dead {
			t.Errorf("%s: dead is %v: %v", tt.name, got, err)
		}
	}
	c := over(t, func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, auth.WithRetry(auth.Retry{Disabled: true}))
	if err := refresh(t.Context(), c); err == nil || errors.Is(err, auth.ErrSessionDead) {
		t.Error(err)
	}
	if _, err := c.Refresh(t.Context(), ""); !errors.Is(err, auth.ErrNoToken) {
		t.Error(err)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		done   bool
	}{
		{"done", 204, "", true},
		{"over already", 403, `{"code":403,"error_code":"session_not_found","msg":"x"}`, true},
		{"token expired", 401, `{"code":"bad_jwt","message":"x"}`, true},
		{"user gone", 404, `{"code":"user_not_found","message":"x"}`, true},
		{"a gateway's refusal is none", 401, `{"message":"Invalid API key"}`, false},
		{"a wrong address is none", 404, "404 page not found\n", false},
		{"a failure", 500, `{"code":"unexpected_failure","message":"x"}`, false},
	} {
		if err := answering(t, tt.status, tt.body).WithToken(token(accessToken)).SignOut(t.Context()); (err == nil) != tt.done {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A sign-out without a user would be refused by the server, which counts as done.
func TestACallOfAUserNeedsOne(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s %s was sent", r.Method, r.URL)
		return answerTo(r, 403, `{"code":"bad_jwt","message":"x"}`), nil
	})
	for name, c := range map[string]*auth.Client{
		"none": c, "an empty session": c.WithSession(new(auth.Session)), "no session": c.WithSession(nil),
		"an empty token": c.WithToken(token("")), "a key": c.WithToken(token("sb_secret_x")), "taken back": c.WithToken(token(accessToken)).WithToken(nil),
	} {
		if err := c.SignOut(t.Context()); !errors.Is(err, auth.ErrNoToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("no session here")
	c = c.WithToken(func(context.Context) (string, error) { return "", broken })
	if _, err := c.User(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// The way of another package: two senders, and each call through the right one.
func TestOver(t *testing.T) {
	t.Parallel()
	sender := func(name, token string) *rest.Client {
		cfg := rest.Config{
			BaseURL: baseURL, APIKey: serviceKey,
			HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				body := sessionJSON
				if strings.HasSuffix(r.URL.Path, "/user") {
					body = `{"id":"` + name + " " + r.Header.Get("Authorization") + `"}`
				} else if got := r.Header.Get("Authorization"); got != "" {
					t.Errorf("%s with Authorization %s", r.URL, got)
				}
				return answerTo(r, 200, body), nil
			})},
		}
		if token != "" {
			cfg.Token = func(context.Context) (string, error) { return token, nil }
		}
		c, err := rest.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	lent := struct{ rest.Sender }{sender("admin", "")} // not a *rest.Client
	c := auth.Over(sender("user", "first"), lent)
	for _, tt := range []struct {
		c    *auth.Client
		want string
	}{
		{c, "user Bearer first"},
		{c.WithToken(token("second")), "admin Bearer second"},
		{c.WithToken(token("second")).WithSession(newSession(t)), "admin Bearer " + accessToken},
	} {
		u, err := tt.c.User(t.Context())
		if err != nil || u.ID != tt.want {
			t.Errorf("%v, %v; want %s", u, err, tt.want)
		}
		if _, err := tt.c.SignInWithPassword(t.Context(), auth.Credentials{Email: "a@example.com", Password: password}); err != nil {
			t.Error(err)
		}
		if _, err := tt.c.Refresh(t.Context(), refreshToken); err != nil {
			t.Error(err)
		}
	}
	if _, err := auth.Over(nil, lent).User(t.Context()); !errors.Is(err, auth.ErrNoToken) {
		t.Error(err)
	}
}
