package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/streamconn/streamconn/supabase/auth"
)

// The features of the auth service. What a project tells of itself by its settings (who confirms,
// anonymous users) is no feature: the cases ask.
//
// A hosted project lets an address sign in 30 times in five minutes unless its settings say
// otherwise; the cases do so some hundred times.
const (
	Mails    Feature = "mails" // to the addresses of example.com that the cases make up
	TOTP     Feature = "totp"  // second factors by an authenticator
	AuditLog Feature = "audit log"
)

func authCases() []Case {
	return slices.Concat(
		signUpCases(),
		signInCases(),
		sessionCases(),
		signOutCases(),
		userCases(),
		codeCases(),
		factorCases(),
		adminCases(),
	)
}

// Auth is the auth service as anybody sees it.
func (c *C) Auth() *auth.Client { return c.authAs(c.p.AnonKey) }

// Admin is the auth service as the project's owner sees it.
func (c *C) Admin() *auth.Admin { return c.authAs(c.p.ServiceKey).Admin() }

func (c *C) authAs(key string) *auth.Client {
	c.Helper()
	client, err := auth.New(c.URL(Auth), auth.WithKey(key), auth.WithHTTPClient(c.http))
	if err != nil {
		c.Fatal(err)
	}
	return client
}

// address makes an e-mail address that nobody has.
func (c *C) address() string { return c.Name("user") + "@example.com" }

// account is somebody who can sign in.
type account struct {
	c        *C
	id       string
	email    string
	password string
}

// account makes a user who has confirmed, and is deleted when the case is over.
func (c *C) account() *account {
	c.Helper()
	a := &account{c: c, email: c.address(), password: rand.Text()}
	u := got(c.Admin().CreateUser(c.Context(), auth.NewUser{
		Email: a.email, Password: a.password, EmailConfirm: true, UserMetadata: map[string]any{"name": "Ada", "n": 1.5},
	}))(c)
	a.id = u.ID
	c.deleteLater(u)
	return a
}

// deleteLater deletes a user when the case is over, if they are still there.
func (c *C) deleteLater(u *auth.User) {
	c.Helper()
	if u == nil || u.ID == "" {
		c.Fatalf("a user without an id: %+v", u)
	}
	admin := c.Admin()
	c.Later("user "+u.ID, func(ctx context.Context) error {
		if err := admin.DeleteUser(ctx, u.ID); !errors.Is(err, auth.ErrNotFound) {
			return err
		}
		return nil
	})
}

func (a *account) credentials() auth.Credentials {
	return auth.Credentials{Email: a.email, Password: a.password}
}

// signIn gives a new session of the account.
func (a *account) signIn() *auth.Session {
	a.c.Helper()
	return got(a.c.Auth().SignInWithPassword(a.c.Context(), a.credentials()))(a.c)
}

// me is the auth service as the account sees it, by a new session.
func (a *account) me() *auth.Client {
	a.c.Helper()
	return a.c.Auth().WithSession(a.signIn())
}

// got ends the case if err is not nil, and is v otherwise.
func got[T any](v T, err error) func(*C) T {
	return func(c *C) T {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
		return v
	}
}

// wantDead fails the case unless err says that a session is over.
func wantDead(c *C, err error, codes ...string) {
	c.Helper()
	wantError(c, err, auth.ErrSessionDead, codes...)
}

// pass lets time pass for the project.
func (c *C) pass(d time.Duration) {
	c.Helper()
	if c.p.Pass != nil {
		c.p.Pass(d)
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.Context().Done():
		c.Fatal(c.Context().Err())
	}
}
