package conformance

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/auth"
)

// totp is the code of an authenticator (RFC 6238).
func totp(c *C, secret string, at time.Time) string {
	c.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(secret))
	must(c, err)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1e6)
}

// now is what the project's clock says.
func (a *account) now() time.Time {
	a.c.Helper()
	return got(a.c.Auth().Claims(a.c.Context(), a.signIn().AccessToken()))(a.c).IssuedAt
}

func factorCases() []Case {
	return []Case{
		{Name: "auth/factors/an authenticator", Needs: []Feature{TOTP}, Run: func(c *C) {
			a := c.account()
			me := a.me()
			e := got(me.EnrollFactor(c.Context(), auth.NewFactor{FriendlyName: "phone", Issuer: "conformance"}))(c)
			if e.ID == "" || e.Type != auth.TOTP || !strings.Contains(e.QRCode(), "<svg") || !strings.HasPrefix(e.URI(), "otpauth://totp/") || !strings.Contains(e.URI(), e.Secret()) {
				c.Fatalf("enrollment of %s %s", e.ID, e.Type)
			}
			list := got(me.Factors(c.Context()))(c)
			if len(list) != 1 || list[0].ID != e.ID || list[0].Status != auth.FactorUnverified {
				c.Errorf("factors %+v", list)
			}
			ch := got(me.ChallengeFactor(c.Context(), e.ID))(c)
			code := totp(c, e.Secret(), a.now())
			wrong := "000000"
			if code == wrong {
				wrong = "000001"
			}
			_, err := me.VerifyFactor(c.Context(), e.ID, ch.ID, wrong)
			wantError(c, err, nil, "mfa_verification_failed")
			s := got(me.ChallengeAndVerify(c.Context(), e.ID, code))(c)

			level := got(c.Auth().Assurance(c.Context(), s.AccessToken()))(c)
			want(c, "level", level.Current, auth.AAL2)
			want(c, "methods", len(level.Methods), 2)
			s = got(c.Auth().Refresh(c.Context(), s.RefreshToken()))(c)
			want(c, "level after a renewal", got(c.Auth().Assurance(c.Context(), s.AccessToken()))(c).Current, auth.AAL2)
			// Who signs in anew is asked for it.
			level = got(c.Auth().Assurance(c.Context(), a.signIn().AccessToken()))(c)
			if !level.NeedsFactor() {
				c.Errorf("after a password alone: %+v", level)
			}
			wantError(c, a.me().UnenrollFactor(c.Context(), e.ID), nil, "insufficient_aal")
			must(c, c.Auth().WithSession(s).UnenrollFactor(c.Context(), e.ID))
			level = got(c.Auth().Assurance(c.Context(), a.signIn().AccessToken()))(c)
			want(c, "a factor is needed", level.NeedsFactor(), false)
		}},
		{Name: "auth/factors/by an admin", Needs: []Feature{TOTP}, Run: func(c *C) {
			a := c.account()
			e := got(a.me().EnrollFactor(c.Context(), auth.NewFactor{FriendlyName: "phone"}))(c)
			list := got(c.Admin().Factors(c.Context(), a.id))(c)
			if len(list) != 1 || list[0].ID != e.ID || list[0].FriendlyName != "phone" {
				c.Errorf("factors %+v", list)
			}
			must(c, c.Admin().DeleteFactor(c.Context(), a.id, e.ID))
			want(c, "factors", len(got(c.Admin().Factors(c.Context(), a.id))(c)), 0)
			wantError(c, c.Admin().DeleteFactor(c.Context(), a.id, e.ID), auth.ErrNotFound, "mfa_factor_not_found")
		}},
		{Name: "auth/factors/one that is none", Run: func(c *C) {
			_, err := c.account().me().ChallengeFactor(c.Context(), "00000000-0000-4000-8000-000000000000")
			wantError(c, err, auth.ErrNotFound, "mfa_factor_not_found")
		}},
	}
}
