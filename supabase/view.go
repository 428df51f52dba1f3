package supabase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/auth"
)

// Session is what a sign-in gives: see package auth.
type Session = auth.Session

// ViewOption is an option of [Conn.As].
type ViewOption func(*user)

// OnSession calls f when the view goes on with another session, because the one that it had was
// about to end: once for each, with the context of the call that needed it, before that call does
// what it is for. It is the place to store the new session, in the user's cookie say: the refresh
// token of the old one is spent.
func OnSession(f func(ctx context.Context, s *Session)) ViewOption {
	return func(u *user) { u.onSession = append(u.onSession, f) }
}

// As gives a view of the project as the user of the session sees it: with that user's rights, under
// row security, and with cache entries of its own, which end with the access token whatever their
// TTL. When less than 90 seconds of that are left, the next call gets the session that follows: see
// [OnSession]. However many views there are of a session, and however many calls, one request renews
// it; a view that is made of a session whose successor is known goes on with that one.
//
// A view costs little: make one for each request of the user. A nil or empty session, and one that
// has ended and cannot be renewed, is [ErrSignInAgain] at every use, and nothing is sent: a view
// never falls back to the connection's own key. On a view of another user it is the same as on the
// connection itself.
func (c *Conn) As(s *Session, opts ...ViewOption) *Conn {
	u := &user{project: c.project}
	for _, opt := range opts {
		opt(u)
	}
	if s.AccessToken() == "" {
		u.problem = fmt.Errorf("%w: the session is empty", ErrSignInAgain)
	} else {
		u.now.Store(u.project.identityOf(heldSince(s, time.Time{})))
	}
	return c.asUser(u)
}

// AsToken gives a view of the project as whoever the access token says, which another service has
// issued, or a request has brought: its Authorization header can be given as it is, a "Bearer " before
// the token is taken off. The token is not verified here: the project refuses what is not its own, which
// is [ErrUnauthorized]. It is not renewed: once it has expired, every use is [ErrSignInAgain], and so it
// is for an empty one, and for what can be no user's token: an API key (sb_…), or a text with blanks in
// it. Otherwise it is as [Conn.As].
func (c *Conn) AsToken(jwt string) *Conn {
	u := &user{project: c.project}
	const scheme = "Bearer "
	if len(jwt) >= len(scheme) && strings.EqualFold(jwt[:len(scheme)], scheme) {
		jwt = strings.TrimLeft(jwt[len(scheme):], " ")
	}
	s, err := auth.NewSession(jwt, "")
	switch {
	case jwt == "":
		u.problem = fmt.Errorf("%w: the token is empty", ErrSignInAgain)
	case !rest.IsHeaderToken(jwt):
		u.problem = fmt.Errorf("%w: the token has characters that no token has", ErrSignInAgain)
	case strings.HasPrefix(jwt, "sb_"):
		u.problem = fmt.Errorf("%w: an API key (sb_…) was given in place of a token", ErrSignInAgain)
	case err != nil: // not a JWT, or without an expiry: whether it is good is for the project to say
		u.now.Store(u.project.identityOf(&held{token: jwt, due: never, expires: never}))
	default:
		u.now.Store(u.project.identityOf(heldSince(s, time.Time{})))
	}
	return c.asUser(u)
}

// asHolder is a view as the user of the session that never renews it.
func (c *Conn) asHolder(s *Session) *Conn {
	u := &user{project: c.project}
	if s.AccessToken() == "" {
		u.problem = fmt.Errorf("%w: the session is empty", ErrSignInAgain)
	} else {
		h := heldSince(s, time.Time{})
		h.refresh, h.due = "", h.expires
		u.now.Store(u.project.identityOf(h))
	}
	return c.asUser(u)
}

func (c *Conn) asUser(u *user) *Conn {
	return c.view(func(v *Conn) {
		v.user = u
		v.Connection = connection.Dynamic(c.project.root, u.current, u.latest)
	})
}

// never is the end of a token that does not say when it ends.
var never = time.Unix(1<<40, 0)

// clocksDiffer is how far the clock of a server may be behind ours. A lifetime by which a token would
// live for longer than that past its end is none: it was not counted from when the token was given.
const clocksDiffer = 5 * time.Minute

// renewBefore is how long before its end a session is renewed.
const renewBefore = 90 * time.Second

// held is a session as this process holds it. It does not change.
type held struct {
	session *Session // nil: bare tokens
	token   string   // the access token
	refresh string   // the refresh token; empty: there is none
	spent   string   // the one that it was got by, if it came without one of its own
	due     time.Time
	expires time.Time
}

// known is the refresh token by which is known what became of the session; empty if nothing is.
func (h *held) known() string { return cmp.Or(h.session.RefreshToken(), h.spent) }

// bare is what is to be remembered of a session that nobody acts by any more. Of none, it is none.
func (h *held) bare() *held {
	if h == nil {
		return nil
	}
	return &held{token: h.token, refresh: h.refresh, due: h.due, expires: h.expires}
}

// heldSince says until when a session is good that the server gave at the given time, or that came
// from elsewhere (the zero time). For one that it just gave, the token's own lifetime counts, and not
// what the clocks of two machines say: neither is a token used that has ended there, nor one renewed
// again and again that is fresh; what lives for less than three minutes is renewed at half of it. Without
// a refresh token, it is good to its end.
func heldSince(s *Session, got time.Time) *held {
	own := *s // the caller may decode another into s
	h := &held{session: &own, token: s.AccessToken(), refresh: s.RefreshToken(), expires: s.ExpiresAt}
	before := renewBefore
	if h.refresh == "" {
		before = 0
	}
	if !got.IsZero() {
		life := s.ExpiresAt.Sub(got)
		if own := s.Lifetime(); own > 0 && own-life < clocksDiffer {
			life = own
		}
		life = max(life, time.Minute/2)
		h.expires = got.Add(life)
		before = min(before, life/2)
	}
	h.due = h.expires.Add(-before)
	return h
}

// user is who a view acts as.
type user struct {
	project   *project
	problem   error // why it is nobody
	onSession []func(context.Context, *Session)

	now atomic.Pointer[identity] // nil with a problem
	mu  sync.Mutex               // of moving to another
}

// identity is one access token of a user, and the connection as it sees it.
type identity struct {
	*held
	view connection.Connection[*Client]
	seen uint64 // the number of sign-outs when it was looked for among them
}

// identityOf gives the connection as the holder of a token sees it. Views of one token share their
// cache entries.
func (p *project) identityOf(h *held) *identity {
	token := h.token
	end := h.expires
	if end.Equal(never) {
		end = time.Time{}
	}
	return &identity{
		held: h,
		view: connection.ScopedUntil(p.root, token, end, func(c *Client) *Client { return c.as(token) }),
	}
}

// latest gives the connection as the user sees it, as far as is known, and whether that is good for
// the next use.
func (u *user) latest() (_ connection.Connection[*Client], good bool) {
	id := u.now.Load()
	if id == nil {
		return nil, false
	}
	return id.view, time.Now().Before(id.due) && id.seen == u.project.signOuts.count.Load()
}

// current gives the connection as the user sees it, and renews the session if that is due.
func (u *user) current(ctx context.Context) (connection.Connection[*Client], error) {
	id, err := u.identity(ctx)
	if err != nil {
		return nil, err
	}
	return id.view, nil
}

func (u *user) identity(ctx context.Context) (*identity, error) {
	if u.problem != nil {
		return nil, u.problem
	}
	id := u.now.Load()
	if seen := u.project.signOuts.count.Load(); id.seen != seen {
		if u.project.signOuts.has(id.token) || u.project.renewals.ended(id.known()) {
			return nil, fmt.Errorf("%w: the user has signed out", ErrSignInAgain)
		}
		still := *id
		still.seen = seen
		u.now.CompareAndSwap(id, &still)
		id = &still
	}
	if time.Now().Before(id.due) {
		return id, nil
	}
	if id.refresh == "" {
		return nil, fmt.Errorf("%w: the access token has expired", ErrSignInAgain)
	}
	next, err := u.project.renewals.renew(ctx, id.held)
	switch {
	case err == nil:
		return u.move(ctx, id.held, next), nil
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, errSignedOut):
		return nil, fmt.Errorf("%w: the user has signed out", ErrSignInAgain)
	case time.Now().Before(id.expires):
		return id, nil // good for a while yet
	case errors.Is(err, ErrSignInAgain):
		return nil, err
	case errors.Is(err, auth.ErrSessionDead):
		return nil, fmt.Errorf("%w: %w", ErrSignInAgain, err)
	}
	return nil, fmt.Errorf("the session has expired, and cannot be renewed at the moment: %w", err)
}

// move makes the session that followed another the view's own, and tells of it once. A view that
// has gone on meanwhile stays with what it has, which is newer.
func (u *user) move(ctx context.Context, from, to *held) *identity {
	u.mu.Lock()
	id := u.now.Load()
	tell := id.held == from && to != from
	if tell {
		id = u.project.identityOf(to)
		u.now.Store(id)
	}
	u.mu.Unlock()
	if tell {
		for _, f := range u.onSession {
			f(ctx, to.session.Clone())
		}
	}
	return id
}
