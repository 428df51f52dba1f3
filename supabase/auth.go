package supabase

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

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
func (c *Conn) Auth() *Auth { return c.authLike(c.project.auth) }

// authLike is the users of the project, with the settings of client.
func (c *Conn) authLike(client *auth.Client) *Auth {
	key := named{sender{c.project.root, authOf}, c}
	if c.user == nil {
		return &Auth{client.Through(nil, key), c}
	}
	return &Auth{client.Through(named{sender{c.Connection, authOf}, c}, key), c}
}

func authOf(c *Client) *rest.Client { return c.auth }

// WithSession is the same as the user of s, with its access token as it is: nothing is renewed, as it
// is by [Conn.As]. What ends for the user ends on the connection too, which it does not by
// WithToken.
func (a *Auth) WithSession(s *Session) *Auth {
	return a.conn.asHolder(s).authLike(a.Client)
}

// User gives the view's user as the server has them now: see [auth.Client.User].
func (a *Auth) User(ctx context.Context) (*auth.User, error) {
	u, err := a.Client.User(ctx)
	return u, connection.Wrap(a.conn, "auth", err)
}

// Claims verifies an access token, and gives what it says: see [auth.Client.Claims].
func (a *Auth) Claims(ctx context.Context, accessToken string) (*auth.Claims, error) {
	c, err := a.Client.Claims(ctx, accessToken)
	return c, connection.Wrap(a.conn, "auth", err)
}

// SignUp registers a user: see [auth.Client.SignUp].
func (a *Auth) SignUp(ctx context.Context, who auth.SignUp) (*auth.SignUpResult, error) {
	r, err := a.Client.SignUp(ctx, who)
	return r, connection.Wrap(a.conn, "auth", err)
}

// WithRetry changes nothing here: what it is about is Refresh, and that is the connection's own
// renewal, which is tried again for up to 10 s, or until the context ends.
func (a *Auth) WithRetry(auth.Retry) *Auth { return a }

// WithClientIP is the same on behalf of somebody at that address: see [auth.Client.WithClientIP].
func (a *Auth) WithClientIP(addr netip.Addr) *Auth { return &Auth{a.Client.WithClientIP(addr), a.conn} }

// SignOut ends sessions of the view's user: all of them, or those that scope says. The view, and all
// others of its session, are [ErrSignInAgain] from then on, whatever else the project still accepts;
// what was cached for them ends, and so do the user's cached sign-ins. A session that is over
// already is no error.
func (a *Auth) SignOut(ctx context.Context, scope ...auth.Scope) error {
	u := a.conn.user
	if u == nil {
		return connection.Wrap(a.conn, "auth", a.Client.SignOut(ctx, scope...))
	}
	err := a.Client.SignOut(ctx, scope...)
	if errors.Is(err, ErrSignInAgain) && u.problem == nil {
		err = nil // there is nothing left to sign out of
	}
	a.conn.project.signedOut(a.conn, err == nil && ownSession(scope))
	return connection.Wrap(a.conn, "auth", err)
}

// ownSession tells whether a sign-out ends the very session by which it is asked for.
func ownSession(scope []auth.Scope) bool { return len(scope) == 0 || scope[0] != auth.Others }

// signedOut ends what is kept of a view's user, and the session itself if it has ended for sure.
func (p *project) signedOut(c *Conn, ended bool) {
	connection.Clear(c)
	id := c.user.now.Load()
	if id == nil {
		return
	}
	p.forgetUserOf(id.session)
	if !ended {
		return
	}
	for _, known := range p.renewals.end(id.known()) {
		p.signOuts.add(known.token, known.expires)
	}
	p.signOuts.add(id.token, id.expires)
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
	return user, connection.Wrap(a.conn, "auth", err)
}

// VerifyFactor answers a challenge, and gives the session that follows the view's: one of level
// [auth.AAL2]. Views of the old one go on with it when their access token ends.
func (a *Auth) VerifyFactor(ctx context.Context, factorID, challengeID, code string) (*Session, error) {
	s, err := a.Client.VerifyFactor(ctx, factorID, challengeID, code)
	return a.followed(s, err)
}

// ChallengeAndVerify is a challenge and its answer, for codes that are there already: those of TOTP.
func (a *Auth) ChallengeAndVerify(ctx context.Context, factorID, code string) (*Session, error) {
	s, err := a.Client.ChallengeAndVerify(ctx, factorID, code)
	return a.followed(s, err)
}

func (a *Auth) followed(s *Session, err error) (*Session, error) {
	if u := a.conn.user; u != nil && err == nil {
		if id := u.now.Load(); id != nil {
			a.conn.project.renewals.follow(id.session.RefreshToken(), s)
		}
	}
	return s, connection.Wrap(a.conn, "auth", err)
}

// Refresh gets the session that follows the one with this refresh token: by the connection's own
// renewal, of which there is one for each refresh token, so that it never ends the session of a view
// that renews at the same time. For one that was spent here, that is the newest that followed; else
// it is always a request, which is the way to a token that says what has changed about the user.
func (a *Auth) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	if refreshToken == "" {
		s, err := a.Client.Refresh(ctx, refreshToken) // which says what is wrong
		return s, connection.Wrap(a.conn, "refresh", err)
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

// named gives the errors of a sender the name of the connection.
type named struct {
	rest.Sender
	conn *Conn
}

func (n named) Do(ctx context.Context, r *rest.Request) (*rest.Response, error) {
	resp, err := n.Sender.Do(ctx, r)
	return resp, connection.Wrap(n.conn, "auth", err)
}

func (n named) Stream(ctx context.Context, r *rest.Request) (*rest.Stream, error) {
	stream, err := n.Sender.Stream(ctx, r)
	return stream, connection.Wrap(n.conn, "auth", err)
}
