package conformance

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/streamconn/streamconn/supabase/auth"
)

func tokenOf(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func userCases() []Case {
	return []Case{
		{Name: "auth/user/metadata", Run: func(c *C) {
			me := c.account().me()
			u := got(me.UpdateUser(c.Context(), auth.UserUpdate{Data: map[string]any{"name": "Ada L.", "lang": "en"}}))(c)
			want(c, "name", u.UserMetadata["name"], any("Ada L."))
			got(me.UpdateUser(c.Context(), auth.UserUpdate{Data: map[string]any{"lang": nil}}))(c)
			u = got(me.User(c.Context()))(c)
			_, there := u.UserMetadata["lang"]
			want(c, "a key that was taken out", there, false)
			want(c, "a key that stays", u.UserMetadata["name"], any("Ada L."))
			want(c, "another that stays", u.UserMetadata["n"], any(1.5))
		}},
		{Name: "auth/user/a new password", Run: func(c *C) {
			a := c.account()
			me := a.me()
			_, err := me.UpdateUser(c.Context(), auth.UserUpdate{Password: a.password})
			wantError(c, err, nil, "same_password")
			_, err = me.UpdateUser(c.Context(), auth.UserUpdate{Password: "1"})
			if _, weak := auth.WeakPassword(err); !weak {
				c.Errorf("%v, want weak_password", err)
			}
			old := a.credentials()
			a.password = rand.Text()
			got(me.UpdateUser(c.Context(), auth.UserUpdate{Password: a.password}))(c)
			_, err = c.Auth().SignInWithPassword(c.Context(), old)
			wantError(c, err, auth.ErrUnauthorized, "invalid_credentials")
			a.signIn()
		}},
		{Name: "auth/user/an address that is taken", Run: func(c *C) {
			a, b := c.account(), c.account()
			_, err := a.me().UpdateUser(c.Context(), auth.UserUpdate{Email: b.email})
			wantError(c, err, auth.ErrConflict, "email_exists")
			_, err = a.me().UpdateUser(c.Context(), auth.UserUpdate{Email: "not an email"})
			wantError(c, err, nil, "validation_failed", "email_address_invalid")
		}},
		{Name: "auth/user/a new address by mail", Needs: []Feature{Mails}, Run: func(c *C) {
			a := c.account()
			next := c.address()
			u := got(a.me().UpdateUser(c.Context(), auth.UserUpdate{Email: next}))(c)
			want(c, "address", u.Email, a.email)
			want(c, "the one that waits", u.NewEmail, next)
			if u.EmailChangeSentAt.IsZero() {
				c.Errorf("no mail was sent: %+v", u)
			}
		}},
		{Name: "auth/user/a new address by links", Run: func(c *C) {
			a := c.account()
			next := c.address()
			ask := auth.NewLink{Type: auth.LinkEmailChangeCurrent, Email: a.email, NewEmail: next}
			current, err := c.Admin().GenerateLink(c.Context(), ask)
			if e, ok := errors.AsType[*auth.Error](err); ok && e.Code == "validation_failed" {
				current = nil // the old address need not confirm
			} else {
				must(c, err)
			}
			ask.Type = auth.LinkEmailChangeNew
			fresh := got(c.Admin().GenerateLink(c.Context(), ask))(c)
			if current != nil {
				v := got(c.Auth().Verify(c.Context(), auth.Verification{Type: auth.VerifyEmailChange, TokenHash: current.TokenHash()}))(c)
				if v.Session != nil || v.Message == "" {
					c.Errorf("after one of two links: %+v", v)
				}
				want(c, "address", got(c.Admin().User(c.Context(), a.id))(c).Email, a.email)
			}
			v := got(c.Auth().Verify(c.Context(), auth.Verification{Type: auth.VerifyEmailChange, TokenHash: fresh.TokenHash()}))(c)
			if v.Session == nil {
				c.Fatalf("after the last link: %+v", v)
			}
			want(c, "address", got(c.Auth().WithSession(v.Session).User(c.Context()))(c).Email, next)
		}},
		{Name: "auth/user/identities", Run: func(c *C) {
			a := c.account()
			me := a.me()
			list := got(me.Identities(c.Context()))(c)
			if len(list) != 1 || list[0].Provider != "email" || list[0].UserID != a.id || list[0].IdentityID == "" || list[0].Email != a.email {
				c.Fatalf("identities %+v", list)
			}
			wantError(c, me.UnlinkIdentity(c.Context(), list[0].IdentityID), nil, "single_identity_not_deletable", "manual_linking_disabled")
		}},
	}
}
