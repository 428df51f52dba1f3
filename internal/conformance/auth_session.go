package conformance

import (
	"errors"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/auth"
)

const day = 24 * time.Hour

// pastReuse is longer than a refresh token that was used is no sign of theft: 10 s, unless the
// project says otherwise.
const pastReuse = 15 * time.Second

func sessionCases() []Case {
	return []Case{
		{Name: "auth/session/a renewal", Run: func(c *C) {
			a := c.account()
			first := a.signIn()
			second := got(c.Auth().Refresh(c.Context(), first.RefreshToken()))(c)
			if second.RefreshToken() == first.RefreshToken() || second.RefreshToken() == "" || second.Expired(0) || second.User.ID != a.id {
				c.Errorf("%v after %v", second, first)
			}
			// The same token at once: its answer may have got lost.
			again := got(c.Auth().Refresh(c.Context(), first.RefreshToken()))(c)
			want(c, "the same successor", again.RefreshToken() == second.RefreshToken(), true)
			for _, s := range []*auth.Session{first, second, again} {
				want(c, "user", got(c.Auth().WithSession(s).User(c.Context()))(c).ID, a.id)
			}
			before, after := got(c.Auth().Claims(c.Context(), first.AccessToken()))(c), got(c.Auth().Claims(c.Context(), again.AccessToken()))(c)
			want(c, "session", after.SessionID, before.SessionID)
		}},
		{Name: "auth/session/a parent's renewal, later", Run: func(c *C) {
			first := c.account().signIn()
			second := got(c.Auth().Refresh(c.Context(), first.RefreshToken()))(c)
			c.pass(pastReuse)
			again := got(c.Auth().Refresh(c.Context(), first.RefreshToken()))(c)
			want(c, "the same successor", again.RefreshToken() == second.RefreshToken(), true)
		}},
		{Name: "auth/session/an old token ends the family", Run: func(c *C) {
			a := c.account()
			first := a.signIn()
			other := a.signIn()
			second := got(c.Auth().Refresh(c.Context(), first.RefreshToken()))(c)
			third := got(c.Auth().Refresh(c.Context(), second.RefreshToken()))(c)
			c.pass(pastReuse)
			_, err := c.Auth().Refresh(c.Context(), first.RefreshToken())
			wantDead(c, err, "refresh_token_already_used")
			_, err = c.Auth().Refresh(c.Context(), third.RefreshToken())
			wantDead(c, err, "refresh_token_already_used", "refresh_token_not_found")
			// The user's other sign-in is another family.
			got(c.Auth().Refresh(c.Context(), other.RefreshToken()))(c)
		}},
		{Name: "auth/session/a refresh token that is none", Run: func(c *C) {
			_, err := c.Auth().Refresh(c.Context(), "abcdefabcdef")
			wantDead(c, err, "refresh_token_not_found")
		}},
		{Name: "auth/session/access tokens that are none", Run: func(c *C) {
			token := c.account().signIn().AccessToken()
			for what, bad := range map[string]string{
				"garbage":   "garbage",
				"forged":    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2lnbmF0dXJl",
				"unsigned":  "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiZXhwIjo0MTAyNDQ0ODAwfQ.",
				"shortened": token[:len(token)-3],
			} {
				s := func() (*auth.User, error) {
					return c.Auth().WithToken(tokenOf(bad)).User(c.Context())
				}
				if _, err := s(); !errors.Is(err, auth.ErrUnauthorized) || errors.Is(err, auth.ErrSessionDead) {
					c.Errorf("%s: %v, want bad_jwt", what, err)
				}
				if claims, err := c.Auth().Claims(c.Context(), bad); !errors.Is(err, auth.ErrUnauthorized) {
					c.Errorf("%s: claims %+v, %v", what, claims, err)
				}
			}
		}},
		{Name: "auth/session/claims", Run: func(c *C) {
			a := c.account()
			claims := got(c.Auth().Claims(c.Context(), a.signIn().AccessToken()))(c)
			want(c, "subject", claims.Subject, a.id)
			want(c, "address", claims.Email, a.email)
			want(c, "role", claims.Role, "authenticated")
			want(c, "audience", strings.Join(claims.Audience, " "), "authenticated")
			want(c, "level", claims.AAL, auth.AAL1)
			want(c, "name", claims.UserMetadata["name"], any("Ada"))
			if claims.SessionID == "" || len(claims.AMR) != 1 || claims.AMR[0].Name != "password" || !claims.ExpiresAt.After(claims.IssuedAt) {
				c.Errorf("claims %+v", claims)
			}
		}},
		{Name: "auth/session/stored and loaded", Run: func(c *C) {
			a := c.account()
			b := got(a.signIn().MarshalSecret())(c)
			s := got(auth.ParseSession(b))(c)
			s = got(c.Auth().Refresh(c.Context(), s.RefreshToken()))(c)
			s = got(auth.NewSession(s.AccessToken(), s.RefreshToken()))(c)
			want(c, "user", got(c.Auth().WithSession(s).User(c.Context()))(c).ID, a.id)
		}},
	}
}

func signOutCases() []Case {
	// ended fails the case unless a session is over for the auth service, and alive unless not.
	ended := func(c *C, s *auth.Session) {
		c.Helper()
		_, err := c.Auth().WithSession(s).User(c.Context())
		wantDead(c, err, "session_not_found")
		_, err = c.Auth().Refresh(c.Context(), s.RefreshToken())
		wantDead(c, err, "refresh_token_not_found", "session_not_found")
	}
	alive := func(c *C, s *auth.Session) {
		c.Helper()
		got(c.Auth().WithSession(s).User(c.Context()))(c)
		got(c.Auth().Refresh(c.Context(), s.RefreshToken()))(c)
	}
	return []Case{
		{Name: "auth/sign-out/this session", Run: func(c *C) {
			a := c.account()
			this, other := a.signIn(), a.signIn()
			must(c, c.Auth().WithSession(this).SignOut(c.Context(), auth.Local))
			ended(c, this)
			alive(c, other)
		}},
		{Name: "auth/sign-out/the other sessions", Run: func(c *C) {
			a := c.account()
			this, other := a.signIn(), a.signIn()
			must(c, c.Auth().WithSession(this).SignOut(c.Context(), auth.Others))
			ended(c, other)
			alive(c, this)
		}},
		{Name: "auth/sign-out/all sessions, twice", Run: func(c *C) {
			a := c.account()
			this, other := a.signIn(), a.signIn()
			must(c, c.Auth().WithSession(this).SignOut(c.Context()))
			must(c, c.Auth().WithSession(this).SignOut(c.Context()))
			ended(c, this)
			ended(c, other)
			alive(c, a.signIn())
		}},
		{Name: "auth/sign-out/by an admin", Run: func(c *C) {
			a := c.account()
			this, other := a.signIn(), a.signIn()
			must(c, c.Admin().SignOut(c.Context(), this.AccessToken(), auth.Local))
			ended(c, this)
			alive(c, other)
		}},
		{Name: "auth/sign-out/a scope that is none", Run: func(c *C) {
			s := c.account().signIn()
			wantError(c, c.Auth().WithSession(s).SignOut(c.Context(), "banana"), nil, "validation_failed")
			alive(c, s)
		}},
	}
}
