package conformance

import (
	"errors"

	"github.com/streamconn/streamconn/supabase/auth"
)

func adminCases() []Case {
	return []Case{
		{Name: "auth/admin/a user", Run: func(c *C) {
			email := c.address()
			u := got(c.Admin().CreateUser(c.Context(), auth.NewUser{
				Email: email, Password: "correct-horse-1", UserMetadata: map[string]any{"a": 1}, AppMetadata: map[string]any{"plan": "pro"},
			}))(c)
			c.deleteLater(u)
			if u.Email != email || !u.EmailConfirmedAt.IsZero() || u.AppMetadata["plan"] != "pro" || u.UserMetadata["a"] != 1.0 || len(u.Identities) != 1 {
				c.Errorf("%+v", u)
			}
			_, err := c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Email: email, Password: "correct-horse-1"})
			wantError(c, err, auth.ErrForbidden, "email_not_confirmed")
			_, err = c.Admin().CreateUser(c.Context(), auth.NewUser{Email: email, Password: "correct-horse-1"})
			wantError(c, err, auth.ErrConflict, "email_exists")

			u = got(c.Admin().UpdateUser(c.Context(), u.ID, auth.UserChange{
				EmailConfirm: new(true), Password: new("correct-horse-2"), AppMetadata: map[string]any{"plan": nil, "x": 2},
			}))(c)
			_, plan := u.AppMetadata["plan"]
			want(c, "a key that was taken out", plan, false)
			want(c, "a key that was set", u.AppMetadata["x"], any(2.0))
			got(c.Auth().SignInWithPassword(c.Context(), auth.Credentials{Email: email, Password: "correct-horse-2"}))(c)

			next := c.address()
			u = got(c.Admin().UpdateUser(c.Context(), u.ID, auth.UserChange{Email: new(next)}))(c)
			want(c, "address", u.Email, next)
			same := got(c.Admin().User(c.Context(), u.ID))(c)
			want(c, "address", same.Email, next)
			want(c, "metadata", same.UserMetadata["a"], any(1.0))

			must(c, c.Admin().DeleteUser(c.Context(), u.ID))
			_, err = c.Admin().User(c.Context(), u.ID)
			wantError(c, err, auth.ErrNotFound, "user_not_found")
			wantError(c, c.Admin().DeleteUser(c.Context(), u.ID), auth.ErrNotFound, "user_not_found")
		}},
		{Name: "auth/admin/ids that are none", Run: func(c *C) {
			_, err := c.Admin().User(c.Context(), "00000000-0000-4000-8000-000000000000")
			wantError(c, err, auth.ErrNotFound, "user_not_found")
			_, err = c.Admin().User(c.Context(), "abc")
			wantError(c, err, auth.ErrNotFound, "validation_failed")
		}},
		{Name: "auth/admin/a user who is gone and kept", Run: func(c *C) {
			a := c.account()
			s := a.signIn()
			must(c, c.Admin().SoftDeleteUser(c.Context(), a.id))
			_, err := c.Auth().SignInWithPassword(c.Context(), a.credentials())
			wantError(c, err, auth.ErrUnauthorized, "invalid_credentials")
			if _, err := c.Auth().Refresh(c.Context(), s.RefreshToken()); !errors.Is(err, auth.ErrSessionDead) {
				c.Errorf("a deleted user's refresh: %v", err)
			}
			// The address is free again.
			u := got(c.Admin().CreateUser(c.Context(), auth.NewUser{Email: a.email, EmailConfirm: true}))(c)
			c.deleteLater(u)
			want(c, "the same user", u.ID == a.id, false)
		}},
		{Name: "auth/admin/pages", Run: func(c *C) {
			mine := map[string]bool{}
			for range 3 {
				mine[c.account().id] = true
			}
			first := got(c.Admin().Users(c.Context(), auth.Page{Number: 1, Size: 2}))(c)
			if len(first.Users) != 2 || first.Total < 3 || first.Next != 2 || first.Last < 2 {
				c.Errorf("page 1: %d users of %d, next %d, last %d", len(first.Users), first.Total, first.Next, first.Last)
			}
			second := got(c.Admin().Users(c.Context(), auth.Page{Number: 2, Size: 2}))(c)
			if len(second.Users) == 0 || second.Users[0].ID == first.Users[0].ID || second.Users[0].ID == first.Users[1].ID {
				c.Errorf("page 2: %+v", second.Users)
			}
			seen := map[string]int{}
			for u, err := range c.Admin().AllUsers(c.Context()) {
				must(c, err)
				seen[u.ID]++
			}
			for id := range mine {
				want(c, "user "+id, seen[id], 1)
			}
			far := got(c.Admin().Users(c.Context(), auth.Page{Number: 1 << 20, Size: 100}))(c)
			if len(far.Users) != 0 || far.Next != 0 {
				c.Errorf("a page past the last: %d users, next %d", len(far.Users), far.Next)
			}
		}},
		{Name: "auth/admin/somebody else", Run: func(c *C) {
			s := c.account().signIn()
			for what, client := range map[string]*auth.Client{"anybody": c.Auth(), "a user": c.Auth().WithSession(s)} {
				if _, err := client.Admin().Users(c.Context(), auth.Page{}); !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrUnauthorized) {
					c.Errorf("%s: %v", what, err)
				}
			}
		}},
		{Name: "auth/admin/the audit log", Needs: []Feature{AuditLog}, Run: func(c *C) {
			c.account().signIn()
			p := got(c.Admin().AuditLog(c.Context(), auth.AuditFilter{}, auth.Page{Number: 1, Size: 2}))(c)
			if len(p.Entries) > 2 || p.Total < int64(len(p.Entries)) {
				c.Errorf("%d entries of %d", len(p.Entries), p.Total)
			}
			for _, e := range p.Entries { // a project may keep none
				if e.ID == "" || e.CreatedAt.IsZero() || e.Payload["action"] == nil {
					c.Errorf("%+v", e)
				}
			}
			got(c.Admin().AuditLog(c.Context(), auth.AuditFilter{By: auth.AuditAction, Value: "login"}, auth.Page{}))(c)
		}},
		{Name: "auth/admin/sso providers", Run: func(c *C) {
			if !got(c.Auth().Settings(c.Context()))(c).SAMLEnabled {
				return
			}
			got(c.Admin().SSOProviders(c.Context()))(c)
			_, err := c.Admin().SSOProvider(c.Context(), "00000000-0000-4000-8000-000000000000")
			wantError(c, err, auth.ErrNotFound, "sso_provider_not_found")
			_, err = c.Auth().SSOURL(c.Context(), auth.SSO{Domain: c.Name("domain") + ".example.com"})
			wantError(c, err, auth.ErrNotFound, "sso_provider_not_found")
		}},
	}
}
