package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
)

// Credentials are an e-mail address or a phone number, and the password.
type Credentials struct {
	Email, Phone string
	Password     string
	CaptchaToken string // of a solved captcha, where the project asks for one
}

// SignInWithPassword signs in. A wrong password and an unknown user are the same error:
// invalid_credentials, which is [ErrUnauthorized]. A user who has not confirmed is [ErrForbidden],
// with the code email_not_confirmed; so is a banned one, user_banned.
func (c *Client) SignInWithPassword(ctx context.Context, by Credentials) (*Session, error) {
	return c.token(ctx, asKey, "password", struct {
		Email    string   `json:"email,omitempty"`
		Phone    string   `json:"phone,omitempty"`
		Password string   `json:"password"`
		Captcha  *captcha `json:"gotrue_meta_security,omitempty"`
	}{by.Email, by.Phone, by.Password, captchaOf(by.CaptchaToken)}, by.Password, by.CaptchaToken)
}

// Format tells whose credentials they are.
func (by Credentials) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.Credentials(%s)", by.Email+by.Phone)
}

// LogValue is what Format prints.
func (by Credentials) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(by)) }

// MarshalJSON masks the password.
func (by Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(by)) }

// token asks for a session.
func (c *Client) token(ctx context.Context, by as, grant string, body any, secrets ...string) (*Session, error) {
	s := new(Session)
	err := c.send(ctx, by, request{
		method: http.MethodPost, path: "token", query: url.Values{"grant_type": {grant}}, body: body, secrets: secrets,
	}, s)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Refresh gets the session that follows the one with this refresh token. A refusal is
// [ErrSessionDead]; other errors leave the session as it was.
//
// It is the one write that is tried again, after faults of the network and 5xx, within [Retry]: a
// refresh token that is used twice gives the same successor for some seconds (10 by default), and
// as long as that successor was not used itself, so that an answer that got lost is had again.
// What must not happen is that two renewals run beside each other, each going on with its own
// result: a refresh token whose grandchild is in use ends the whole family. So for each session
// there is one who renews it; package supabase does that for its views.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	if refreshToken == "" {
		return nil, fmt.Errorf("%w: no refresh token; sign in again", ErrNoToken)
	}
	body := struct {
		RefreshToken string `json:"refresh_token"`
	}{refreshToken}
	if ctx == nil {
		return nil, deadline.ErrNoContext
	}
	retry := withDefaults(c.retry)
	end, bounded := ctx.Deadline()
	if !bounded {
		end = time.Now().Add(retry.Window)
	}
	for pause := retry.Min; ; pause = min(2*pause, retry.Max) {
		s, err := c.token(ctx, asKey, "refresh_token", body, refreshToken)
		if err == nil {
			return s, nil
		}
		if retry.Disabled || !again(err) || ctx.Err() != nil {
			return nil, endedByRefresh(err)
		}
		wait := max(pause-rand.N(pause/2+1), RetryAfter(err))
		if !time.Now().Add(wait).Before(end) {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w; the last try: %w", ctx.Err(), err)
		}
	}
}

// again tells whether a refresh that failed so may succeed soon.
func again(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Transient() || e.Status >= 500 && e.Status != http.StatusNotImplemented)
}

func withDefaults(r Retry) Retry {
	if r.Window <= 0 {
		r.Window = 5 * time.Second
	}
	if r.Min <= 0 {
		r.Min = 50 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = time.Second
	}
	return r
}

// Scope says which sessions a sign-out ends.
type Scope string

// Scopes of [Client.SignOut].
const (
	Global Scope = "global" // all of the user's, on all devices: the default
	Local  Scope = "local"  // this one
	Others Scope = "others" // all but this one
)

// SignOut ends sessions of the user: all of them, or those that scope says. That the session is
// over already, its user gone, or the access token not accepted any more, is no error: with one that
// has expired, nothing is ended, so renew it first. Access tokens that are out stay valid for the
// project's other services until they expire.
func (c *Client) SignOut(ctx context.Context, scope ...Scope) error {
	return c.signOut(ctx, asUser, "", scope)
}

func (c *Client) signOut(ctx context.Context, by as, token string, scope []Scope) error {
	if len(scope) > 1 {
		return fmt.Errorf("%w: a sign-out has one scope", ErrInvalid)
	}
	query := url.Values{}
	if len(scope) == 1 {
		query.Set("scope", string(scope[0]))
	}
	_, err := c.do(ctx, by, request{method: http.MethodPost, path: "logout", query: query, token: token})
	if e, ok := errors.AsType[*Error](err); ok && fromGoTrue(e) {
		switch e.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			return nil
		}
	}
	return err
}

// User gives the user as the server has them now. It is also the way to ask the server whether an
// access token is good: see [Client.WithSession].
func (c *Client) User(ctx context.Context) (*User, error) {
	u := new(User)
	if err := c.send(ctx, asUser, request{method: http.MethodGet, path: "user"}, u); err != nil {
		return nil, err
	}
	return u, nil
}
