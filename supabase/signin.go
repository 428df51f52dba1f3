package supabase

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/deadline"
	"github.com/streamconn/streamconn/supabase/auth"
)

// Credentials are an e-mail address or a phone number, and the password.
type Credentials = auth.Credentials

// CachedSignInWithPassword signs in, or gives the session of an earlier sign-in with the same
// credentials: without a request, as long as the first access token lives and the view's TTL says
// ([Conn.WithTTL]; 0 always signs in; the section's ttl, which is for reads, does not count). Then the
// password is checked again, so that one that was changed works no longer. However many ask at
// once, one request is made.
//
// What is kept is found by an HMAC of the credentials, with a key of this process; the password
// itself is held nowhere after the call. A sign-in that failed is not kept. [Auth.SignOut],
// a changed password, a session that turns out to be over, connection.Clear, and Close end it.
//
// The session is a value of the caller's own; [Conn.As] acts as its user. All callers with the same
// credentials share one session of the project: who signs out of it signs out all of them. Where each
// browser is to have a session of its own, use [auth.Client.SignInWithPassword], of [Conn.Auth].
func (c *Conn) CachedSignInWithPassword(ctx context.Context, by Credentials) (*Session, error) {
	s, err := c.project.signIns.get(ctx, by, c.policy.TTL)
	return s, connection.Wrap(c, "sign in", err)
}

// signInCount bounds how many sign-ins are kept.
const signInCount = 10_000

// signInFor bounds one request of a sign-in.
const signInFor = 30 * time.Second

// signIns keeps the sessions of sign-ins by password.
type signIns struct {
	life       context.Context //nolint:containedctx // the connection's, which ends what runs here
	generation func() uint64   // changes when all that is cached ends
	signIn     func(context.Context, Credentials) (*Session, error)

	mu    sync.Mutex
	known map[digest]*signIn
	order list.List // of *signIn, by when they were made
}

// signIn is one sign-in: under way, or kept.
type signIn struct {
	key        digest
	place      *list.Element
	generation uint64
	done       chan struct{} // closed when the rest is set
	session    *Session
	err        error
	at         time.Time
	ends       time.Time // by this machine's clock and by the server's, whichever is sooner
	userID     string
}

func (s *signIns) get(ctx context.Context, by Credentials, ttl time.Duration) (*Session, error) {
	if ttl == 0 || ttl < 0 && ttl != cache.Default {
		return s.signIn(ctx, by)
	}
	if ctx == nil {
		return nil, deadline.ErrNoContext
	}
	if ctx.Err() != nil { // nobody wants it any more
		return nil, context.Cause(ctx)
	}
	key := digestOf(by.Email, by.Phone, by.Password)
	s.mu.Lock()
	in := s.known[key]
	if in == nil || !s.good(in, ttl) {
		in = s.begin(ctx, key, by)
	}
	s.mu.Unlock()
	select {
	case <-in.done:
		return in.session.Clone(), in.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// good tells whether a sign-in may still be given to whoever has the credentials.
func (s *signIns) good(in *signIn, ttl time.Duration) bool {
	if in.generation != s.generation() {
		return false
	}
	select {
	case <-in.done:
	default:
		return true // one under way
	}
	now := time.Now()
	return now.Before(in.ends) && (ttl == cache.Default || now.Sub(in.at) < ttl)
}

// begin signs in on a goroutine of its own: whoever began it may leave, and others wait for it.
func (s *signIns) begin(ctx context.Context, key digest, by Credentials) *signIn {
	s.forget(s.known[key])
	if s.known == nil {
		s.known = make(map[digest]*signIn)
	}
	for s.order.Len() >= signInCount {
		s.forget(s.order.Front().Value.(*signIn))
	}
	in := &signIn{key: key, generation: s.generation(), done: make(chan struct{})}
	s.known[key], in.place = in, s.order.PushBack(in)
	go s.run(context.WithoutCancel(ctx), in, by)
	return in
}

func (s *signIns) run(ctx context.Context, in *signIn, by Credentials) {
	ctx, stop := during(ctx, s.life, signInFor)
	defer stop()
	session, err := s.signIn(ctx, by)
	s.mu.Lock()
	defer s.mu.Unlock()
	in.session, in.err, in.at = session, err, time.Now()
	if err != nil {
		s.forget(in)
	} else {
		in.ends = heldSince(session, in.at).expires
		if session.ExpiresAt.Before(in.ends) {
			in.ends = session.ExpiresAt
		}
		in.userID = session.UserID()
	}
	close(in.done)
}

// forget takes a sign-in out, or does nothing for nil. Those who wait for it get it all the same.
func (s *signIns) forget(in *signIn) {
	if in == nil || s.known[in.key] != in {
		return
	}
	delete(s.known, in.key)
	s.order.Remove(in.place)
}

// forgetUser takes out the sign-ins of a user, and those under way, whose user is not known yet.
func (s *signIns) forgetUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.order.Front(); e != nil; {
		in, next := e.Value.(*signIn), e.Next()
		select {
		case <-in.done:
			if in.userID == id || in.userID == "" {
				s.forget(in)
			}
		default:
			s.forget(in)
		}
		e = next
	}
}
