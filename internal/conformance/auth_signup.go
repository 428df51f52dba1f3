package conformance

import (
	"errors"
	"strings"

	"github.com/streamconn/streamconn/supabase/auth"
)

func signUpCases() []Case {
	return []Case{
		{Name: "auth/project/health and settings", Run: func(c *C) {
			h := got(c.Auth().Health(c.Context()))(c)
			want(c, "name", h.Name, "GoTrue")
			s := got(c.Auth().Settings(c.Context()))(c)
			if !s.External["email"] {
				c.Errorf("users do not sign in by e-mail: %+v", s)
			}
		}},
		{Name: "auth/sign-up/a new user", Needs: []Feature{Mails}, Run: func(c *C) {
			who := auth.SignUp{Email: c.address(), Password: "correct-horse-1", Data: map[string]any{"name": "Ada"}}
			r := got(c.Auth().SignUp(c.Context(), who))(c)
			c.deleteLater(r.User)
			if got(c.Auth().Settings(c.Context()))(c).MailerAutoconfirm {
				want(c, "state", r.State, auth.SignedIn)
				me := got(c.Auth().WithSession(r.Session).User(c.Context()))(c)
				want(c, "id", me.ID, r.User.ID)
			} else {
				want(c, "state", r.State, auth.ConfirmationNeeded)
				if r.Session != nil || r.User.ConfirmationSentAt.IsZero() {
					c.Errorf("%+v before a confirmation", r.User)
				}
				_, err := c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Email: who.Email, Password: who.Password})
				wantError(c, err, auth.ErrForbidden, "email_not_confirmed")
			}
			want(c, "address", r.User.Email, who.Email)
			want(c, "name", r.User.UserMetadata["name"], any("Ada"))
			want(c, "identities", len(r.User.Identities), 1)
		}},
		{Name: "auth/sign-up/an address that is taken", Needs: []Feature{Mails}, Run: func(c *C) {
			a := c.account()
			r, err := c.Auth().SignUp(c.Context(), auth.SignUp{Email: a.email, Password: "correct-horse-1"})
			if got(c.Auth().Settings(c.Context()))(c).MailerAutoconfirm {
				wantError(c, err, auth.ErrConflict, "user_already_exists")
				return
			}
			must(c, err)
			want(c, "state", r.State, auth.AlreadyRegistered)
			if r.Session != nil || r.User.ID == a.id {
				c.Errorf("a stranger learns of the user: %+v", r)
			}
		}},
		{Name: "auth/sign-up/a weak password", Run: func(c *C) {
			_, err := c.Auth().SignUp(c.Context(), auth.SignUp{Email: c.address(), Password: "1"})
			wantError(c, err, nil, "weak_password")
			if reasons, weak := auth.WeakPassword(err); !weak || len(reasons) == 0 {
				c.Errorf("no reasons why it is weak: %v", reasons)
			}
		}},
		{Name: "auth/sign-up/an address that is none", Run: func(c *C) {
			_, err := c.Auth().SignUp(c.Context(), auth.SignUp{Email: "not-an-email", Password: "correct-horse-1"})
			wantError(c, err, nil, "validation_failed", "email_address_invalid")
		}},
		{Name: "auth/sign-up/nobody in particular", Run: func(c *C) {
			s, err := c.Auth().SignInAnonymously(c.Context(), auth.Anonymous{Data: map[string]any{"k": "v"}})
			if !got(c.Auth().Settings(c.Context()))(c).External["anonymous_users"] {
				wantError(c, err, nil, "anonymous_provider_disabled")
				return
			}
			must(c, err)
			c.deleteLater(s.User)
			me := got(c.Auth().WithSession(s).User(c.Context()))(c)
			if !me.IsAnonymous || me.Email != "" || me.UserMetadata["k"] != "v" {
				c.Errorf("%+v, want an anonymous user", me)
			}
			claims := got(c.Auth().Claims(c.Context(), s.AccessToken()))(c)
			want(c, "anonymous", claims.IsAnonymous, true)
		}},
	}
}

func signInCases() []Case {
	return []Case{
		{Name: "auth/sign-in/a password", Run: func(c *C) {
			a := c.account()
			s := a.signIn()
			if s.RefreshToken() == "" || s.Expired(0) || s.User.ID != a.id || !strings.EqualFold(s.TokenType, "bearer") {
				c.Errorf("%v with the type %q", s, s.TokenType)
			}
			me := got(c.Auth().WithSession(s).User(c.Context()))(c)
			want(c, "id", me.ID, a.id)
			want(c, "address", me.Email, a.email)
			want(c, "name", me.UserMetadata["name"], any("Ada"))
			want(c, "number", me.UserMetadata["n"], any(1.5))
			if me.EmailConfirmedAt.IsZero() || me.CreatedAt.IsZero() || me.LastSignInAt.IsZero() || !me.BannedUntil.IsZero() || me.IsAnonymous {
				c.Errorf("times of %+v", me)
			}
		}},
		{Name: "auth/sign-in/an address in capitals", Run: func(c *C) {
			a := c.account()
			by := a.credentials()
			by.Email = strings.ToUpper(by.Email)
			want(c, "id", got(c.Auth().SignInWithPassword(c.Context(), by))(c).User.ID, a.id)
		}},
		{Name: "auth/sign-in/a wrong password", Run: func(c *C) {
			a := c.account()
			_, wrong := c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Email: a.email, Password: "not " + a.password})
			wantError(c, wrong, auth.ErrUnauthorized, "invalid_credentials")
			_, nobody := c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Email: c.address(), Password: a.password})
			wantError(c, nobody, auth.ErrUnauthorized, "invalid_credentials")
			if wrong != nil && nobody != nil && wrong.Error() != nobody.Error() {
				c.Errorf("a stranger learns who is registered: %v, %v", wrong, nobody)
			}
			_, err := c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Password: a.password})
			wantError(c, err, nil, "validation_failed")
		}},
		{Name: "auth/sign-in/a banned user", Run: func(c *C) {
			a := c.account()
			s := a.signIn()
			u := got(c.Admin().UpdateUser(c.Context(), a.id, auth.UserChange{BanFor: new(day)}))(c)
			if u.BannedUntil.Before(u.UpdatedAt) {
				c.Errorf("banned until %v", u.BannedUntil)
			}
			_, err := c.Auth().SignInWithPassword(c.Context(), a.credentials())
			wantError(c, err, auth.ErrForbidden, "user_banned")
			if _, err := c.Auth().Refresh(c.Context(), s.RefreshToken()); !errors.Is(err, auth.ErrSessionDead) {
				c.Errorf("a banned user's refresh: %v", err)
			}
			got(c.Admin().UpdateUser(c.Context(), a.id, auth.UserChange{BanFor: new(0 * day)}))(c)
			a.signIn()
		}},
		{Name: "auth/sign-in/a provider that is unknown", Run: func(c *C) {
			_, err := c.Auth().SignInWithIDToken(c.Context(), auth.IDToken{Provider: "https://issuer.example.com", Token: "x.y.z"})
			if e, ok := errors.AsType[*auth.Error](err); !ok || e.Code == "" || e.Status < 400 || e.Status > 499 {
				c.Errorf("%v, want a refusal", err)
			}
		}},
		{Name: "auth/sign-in/a code that nobody got", Run: func(c *C) {
			_, err := c.Auth().ExchangeCode(c.Context(), "00000000-0000-4000-8000-000000000000", auth.NewPKCE())
			wantError(c, err, auth.ErrNotFound, "flow_state_not_found")
		}},
	}
}
