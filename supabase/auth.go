package supabase

import (
	"context"
	"errors"
	"fmt"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/auth"
)

// Auth is the users of the project, on a connection: all of package auth, with what a connection
// knows besides. On a view, what a user does is done as the view's user, with a session that is
// renewed when that is due; Admin is always the connection's own key, which must be a secret one.
//
// Who signs in here gets a session, and nothing about the connection changes: [Conn.As] acts as
// the session's user.
type Auth struct {
	*auth.Client
	conn *Conn
}

// Auth gives the users of the project.
func (c *Conn) Auth() *Auth {
	client := c.project.auth
	if c.user != nil {
		client = client.WithToken(c.user.token)
	}
	return &Auth{Client: client, conn: c}
}

// SignOut ends sessions of the view's user: all of them, or those that scope says. The view, and all
// others of its session, are [ErrSignInAgain] from then on, whatever else the project still accepts;
// what was cached for them ends, and so do the user's cached sign-ins. A session that is over
// already is no error.
func (a *Auth) SignOut(ctx context.Context, scope ...auth.Scope) error {
	u := a.conn.user
	if u == nil {
		return connection.Wrap(a.conn, "sign out", a.Client.SignOut(ctx, scope...))
	}
	err := a.Client.SignOut(ctx, scope...)
	if errors.Is(err, ErrSignInAgain) && u.problem == nil {
		err = nil // there is nothing left to sign out of
	}
	a.conn.project.signedOut(a.conn, err == nil && (len(scope) == 0 || scope[0] != auth.Others))
	return connection.Wrap(a.conn, "sign out", err)
}

// signedOut ends what is kept of a view's user, and the session itself if it has ended for sure.
func (p *project) signedOut(c *Conn, ended bool) {
	connection.Clear(c)
	id := c.user.now.Load()
	if id == nil {
		return
	}
	p.forgetUserOf(id.session)
	if ended {
		p.renewals.end(id.held)
		p.signOuts.add(id.token, id.expires)
	}
}

// forgetUserOf ends the cached sign-ins of a session's user.
func (p *project) forgetUserOf(s *Session) {
	if id := s.UserID(); id != "" {
		p.signIns.forgetUser(id)
	}
}

// UpdateUser changes the view's user. A change of the password, also one whose outcome is unknown,
// ends the user's cached sign-ins.
func (a *Auth) UpdateUser(ctx context.Context, change auth.UserUpdate) (*auth.User, error) {
	if u := a.conn.user; u != nil && change.Password != "" {
		defer func() {
			if id := u.now.Load(); id != nil {
				a.conn.project.forgetUserOf(id.session)
			}
		}()
	}
	user, err := a.Client.UpdateUser(ctx, change)
	return user, connection.Wrap(a.conn, "update user", err)
}

// Refresh gets the session that follows the one with this refresh token: by the connection's own
// renewal, of which there is one for each refresh token, so that it never ends the session of a view
// that renews at the same time. For one that was spent here, that is the newest that followed.
func (a *Auth) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	if refreshToken == "" {
		return a.Client.Refresh(ctx, refreshToken) // which says what is wrong
	}
	h, err := a.conn.project.renewals.renew(ctx, &held{refresh: refreshToken})
	if errors.Is(err, errSignedOut) {
		err = fmt.Errorf("%w: the user has signed out", ErrSignInAgain)
	}
	if err != nil {
		return nil, connection.Wrap(a.conn, "refresh", err)
	}
	return h.session.Clone(), nil
}

// sender sends through the client that a connection has at the moment.
type sender struct {
	conn connection.Connection[*Client]
	of   func(*Client) *rest.Client
}

func (s sender) Do(ctx context.Context, r *rest.Request) (resp *rest.Response, err error) {
	err = connection.Do(ctx, s.conn, func(c *Client) error {
		resp, err = s.of(c).Do(ctx, r)
		return err
	})
	return resp, err
}

// Stream gives the lease back before the body is read: a client that was dropped meanwhile closes
// the connections that nobody uses, and no other.
func (s sender) Stream(ctx context.Context, r *rest.Request) (stream *rest.Stream, err error) {
	err = connection.Do(ctx, s.conn, func(c *Client) error {
		stream, err = s.of(c).Stream(ctx, r)
		return err
	})
	return stream, err
}

func (s sender) Base(ctx context.Context) (base string, err error) {
	err = connection.Do(ctx, s.conn, func(c *Client) error {
		base = s.of(c).URL()
		return nil
	})
	return base, err
}
