package conformance

import (
	"crypto/rand"

	"github.com/streamconn/streamconn/supabase/auth"
)

// Codes and links are those that an admin generates: nothing is sent, and they can be read.
func codeCases() []Case {
	return []Case{
		{Name: "auth/codes/a code", Run: func(c *C) {
			a := c.account()
			l := got(c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkMagicLink, Email: a.email}))(c)
			want(c, "type", l.Type, auth.LinkMagicLink)
			want(c, "user", l.User.ID, a.id)
			v := auth.Verification{Type: auth.VerifyEmail, Email: a.email, Token: l.OTP()}
			wrong := v
			wrong.Token = "000000"
			if wrong.Token == v.Token {
				wrong.Token = "000001"
			}
			_, err := c.Auth().Verify(c.Context(), wrong)
			wantError(c, err, auth.ErrForbidden, "otp_expired")
			r := got(c.Auth().Verify(c.Context(), v))(c)
			want(c, "user", r.Session.User.ID, a.id)
			claims := got(c.Auth().Claims(c.Context(), r.Session.AccessToken()))(c)
			want(c, "method", claims.AMR[0].Name, "otp")
			_, err = c.Auth().Verify(c.Context(), v)
			wantError(c, err, auth.ErrForbidden, "otp_expired")
		}},
		{Name: "auth/codes/a link", Run: func(c *C) {
			a := c.account()
			l := got(c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkMagicLink, Email: a.email}))(c)
			if l.URL() == "" {
				c.Error("a link without an address")
			}
			v := auth.Verification{Type: auth.VerifyMagicLink, TokenHash: l.TokenHash()}
			want(c, "user", got(c.Auth().Verify(c.Context(), v))(c).Session.User.ID, a.id)
			_, err := c.Auth().Verify(c.Context(), v)
			wantError(c, err, auth.ErrForbidden, "otp_expired")
		}},
		{Name: "auth/codes/a link of another kind", Run: func(c *C) {
			_, err := c.Auth().Verify(c.Context(), auth.Verification{Type: "banana", TokenHash: "x"})
			wantError(c, err, nil, "validation_failed")
		}},
		{Name: "auth/codes/a recovery", Run: func(c *C) {
			a := c.account()
			l := got(c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkRecovery, Email: a.email}))(c)
			r := got(c.Auth().Verify(c.Context(), auth.Verification{Type: auth.VerifyRecovery, TokenHash: l.TokenHash()}))(c)
			a.password = rand.Text()
			got(c.Auth().WithSession(r.Session).UpdateUser(c.Context(), auth.UserUpdate{Password: a.password}))(c)
			a.signIn()
		}},
		{Name: "auth/codes/a sign-up", Run: func(c *C) {
			a := &account{c: c, email: c.address(), password: rand.Text()}
			l := got(c.Admin().GenerateLink(c.Context(), auth.NewLink{
				Type: auth.LinkSignUp, Email: a.email, Password: a.password, Data: map[string]any{"name": "Ada"},
			}))(c)
			c.deleteLater(l.User)
			r := got(c.Auth().Verify(c.Context(), auth.Verification{Type: auth.VerifySignUp, TokenHash: l.TokenHash()}))(c)
			if r.Session.User.EmailConfirmedAt.IsZero() || r.Session.User.UserMetadata["name"] != "Ada" {
				c.Errorf("%+v after the confirmation", r.Session.User)
			}
			a.signIn()
			_, err := c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkSignUp, Email: a.email, Password: a.password})
			wantError(c, err, auth.ErrConflict, "email_exists")
		}},
		{Name: "auth/codes/an invitation", Run: func(c *C) {
			l := got(c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkInvite, Email: c.address(), Data: map[string]any{"i": 1}}))(c)
			c.deleteLater(l.User)
			if l.User.InvitedAt.IsZero() {
				c.Errorf("%+v was not invited", l.User)
			}
			r := got(c.Auth().Verify(c.Context(), auth.Verification{Type: auth.VerifyInvite, TokenHash: l.TokenHash()}))(c)
			want(c, "metadata", r.Session.User.UserMetadata["i"], any(1.0))
		}},
		{Name: "auth/codes/nobody's link", Run: func(c *C) {
			_, err := c.Admin().GenerateLink(c.Context(), auth.NewLink{Type: auth.LinkRecovery, Email: c.address()})
			wantError(c, err, auth.ErrNotFound, "user_not_found")
		}},
		{Name: "auth/codes/who is not registered", Needs: []Feature{Mails}, Run: func(c *C) {
			_, err := c.Auth().SendOTP(c.Context(), auth.OTP{Email: c.address(), ExistingOnly: true})
			wantError(c, err, nil, "otp_disabled")
			must(c, c.Auth().Recover(c.Context(), auth.Recovery{Email: c.address()}))
			got(c.Auth().Resend(c.Context(), auth.Resend{Type: auth.VerifySignUp, Email: c.address()}))(c)
		}},
		{Name: "auth/codes/mails", Needs: []Feature{Mails}, Run: func(c *C) {
			got(c.Auth().SendOTP(c.Context(), auth.OTP{Email: c.account().email, ExistingOnly: true, PKCE: auth.NewPKCE()}))(c)
			must(c, c.Auth().Recover(c.Context(), auth.Recovery{Email: c.account().email, PKCE: auth.NewPKCE()}))
			must(c, c.account().me().Reauthenticate(c.Context()))
			u := got(c.Admin().Invite(c.Context(), auth.Invitation{Email: c.address(), Data: map[string]any{"i": 1}}))(c)
			c.deleteLater(u)
			if u.InvitedAt.IsZero() || u.UserMetadata["i"] != 1.0 {
				c.Errorf("%+v was not invited", u)
			}
		}},
	}
}
