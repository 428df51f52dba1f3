package supabase

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
	"github.com/streamconn/streamconn/supabase/auth"
)

// What the renewals of a connection keep to.
const (
	// A proactive renewal keeps its callers for this long at most: their token is still good.
	proactiveWait = 5 * time.Second
	// A renewal that fails for a moment is tried again for this long, from firstRetry on.
	renewFor = 10 * time.Second
	// After it has failed, the next is begun when this is over, doubled each time; sooner for who
	// has nothing to go on with until then.
	firstPause, longestPause, longestWait = time.Second, time.Minute, 5 * time.Second
	// The server may ask for more, up to the time that its limits of requests are counted over.
	longestAsked = 5 * time.Minute
	firstRetry   = 200 * time.Millisecond
	// What followed what is remembered for as long, and of as many sessions; as many again are known of
	// that nothing has followed yet.
	rememberFor   = 24 * time.Hour
	rememberCount = 10_000
)

var (
	errSignedOut = errors.New("signed out")
	errLast      = fmt.Errorf("%w: the session that followed has expired, and came without a refresh token", ErrSignInAgain)
)

// renewals renews the sessions of a connection: one request for each refresh token, however many
// views want it, and it remembers which session followed which, so that whoever comes with an old
// one goes on with the newest. A refresh token that is used out of turn ends the whole session.
type renewals struct {
	life    context.Context //nolint:containedctx // the connection's, which ends what runs here
	refresh func(ctx context.Context, refreshToken string) (*Session, error)
	dead    func(*Session) // told of each session that turned out to be over

	mu    sync.Mutex
	known map[digest]*succession
	// All that are known, oldest first, in one of two lists. Refresh tokens that somebody has made up
	// are loners: however many come, they push out nothing that is needed.
	linked, loners list.List // of *succession
}

// succession is what is known of the session with one refresh token.
type succession struct {
	key   digest
	since time.Time
	list  *list.List
	place *list.Element

	self   *held       // the session, if it came from a renewal here; of one that is over, or that another followed, its tokens
	next   *succession // what followed, which is remembered for longer; by this alone if it has no refresh token
	flight *renewal
	over   error // it is for good: nothing follows

	failed error // the last renewal's, which is the answer until the pause is over
	pause  time.Duration
	until  time.Time // for those whose token is still good
	soon   time.Time // for those whose token is not
}

// renewal is one under way.
type renewal struct {
	done    chan struct{} // closed when next or err is set
	stumble chan struct{} // closed when its first try has failed
	next    *held
	err     error
}

// renew gives the newest session that follows h, by a request if need be. It waits no longer than
// ctx, and, while h is still good, for a few seconds at most.
func (r *renewals) renew(ctx context.Context, h *held) (*held, error) {
	if ctx == nil {
		return nil, deadline.ErrNoContext
	}
	if ctx.Err() != nil { // nobody wants it any more
		return nil, context.Cause(ctx)
	}
	now := time.Now()
	good := now.Before(h.expires)
	r.mu.Lock()
	newest, s := r.newest(h)
	// A refresh by hand, with no access token, asks for what follows: the session itself is no answer.
	follows := newest != h && (h.token != "" || newest.refresh != h.refresh)
	switch {
	case s.over != nil:
		r.mu.Unlock()
		return nil, s.over
	case follows && now.Before(newest.due):
		r.mu.Unlock()
		return newest, nil
	case newest.refresh == "":
		r.mu.Unlock()
		return nil, errLast
	case s.flight == nil && (now.Before(s.soon) || good && now.Before(s.until)):
		r.mu.Unlock()
		return nil, s.failed
	case s.flight == nil:
		s.flight = &renewal{done: make(chan struct{}), stumble: make(chan struct{})}
		go r.run(context.WithoutCancel(ctx), s, newest, s.flight)
	}
	f := s.flight
	r.mu.Unlock()

	var stumble <-chan struct{}
	var late <-chan time.Time
	if good {
		stumble = f.stumble
		timer := time.NewTimer(proactiveWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.done:
		return f.next, f.err
	case <-stumble:
	case <-late:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case <-f.done: // at the same time
		return f.next, f.err
	default:
		return nil, errNotYet
	}
}

var errNotYet = errors.New("the session is still being renewed")

// newest follows what is known from h on, and gives the last session and its entry.
func (r *renewals) newest(h *held) (*held, *succession) {
	s := r.entry(digestOf(h.refresh))
	for s.next != nil {
		s = s.next
	}
	if s.self != nil {
		h = s.self // also if it is h: its time is known better
	}
	return h, s
}

// entry gives what is known of a session. It makes an entry if there is none.
func (r *renewals) entry(key digest) *succession {
	if s := r.known[key]; s != nil {
		return s
	}
	s := &succession{key: key}
	r.enter(s, &r.loners)
	return s
}

// enter makes a succession the newest of a list, and forgets those there that are too old or too many.
func (r *renewals) enter(s *succession, l *list.List) {
	if s.list != nil {
		s.list.Remove(s.place)
	}
	now := time.Now()
	for e := l.Front(); e != nil; {
		old, next := e.Value.(*succession), e.Next()
		if old.since.Add(rememberFor).After(now) && l.Len() < rememberCount {
			break
		}
		if old.flight == nil {
			l.Remove(e)
			delete(r.known, old.key)
		}
		e = next
	}
	if r.known == nil {
		r.known = make(map[digest]*succession)
	}
	r.known[s.key] = s
	s.since, s.list, s.place = now, l, l.PushBack(s)
}

// run is one renewal. It belongs to nobody's call: whoever began it may leave, and the spent
// refresh token would be lost with the answer.
func (r *renewals) run(ctx context.Context, s *succession, from *held, f *renewal) {
	ctx, stop := during(ctx, r.life, 3*renewFor)
	defer stop()
	var next *Session
	var err error
	began := time.Now()
	for pause := firstRetry; ; pause *= 2 {
		next, err = r.refresh(ctx, from.refresh)
		wait := max(pause, auth.RetryAfter(err))
		if err == nil || errors.Is(err, auth.ErrSessionDead) || time.Since(began)+wait > renewFor {
			break
		}
		select {
		case <-f.stumble:
		default:
			close(f.stumble)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	r.land(s, from, f, next, err)
}

// during bounds what runs for many callers: by the connection's life, whose end is then the reason
// that they are told, and by a time.
func during(ctx, life context.Context, most time.Duration) (_ context.Context, stop func()) {
	ctx, cancel := context.WithTimeout(ctx, most)
	ctx, end := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(life, func() { end(context.Cause(life)) })
	return ctx, func() {
		unhook()
		end(nil)
		cancel()
	}
}

func (r *renewals) land(s *succession, from *held, f *renewal, next *Session, err error) {
	now := time.Now()
	r.mu.Lock()
	s.flight = nil
	dead := err != nil && errors.Is(err, auth.ErrSessionDead)
	switch {
	case s.over != nil: // signed out meanwhile: what came is worth nothing
		f.err = s.over
	case err == nil:
		f.next = heldSince(next, now)
		if f.next.refresh == "" {
			f.next.spent = from.refresh
		}
		r.link(s, f.next)
		s.failed, s.pause, s.until, s.soon = nil, 0, time.Time{}, time.Time{}
	case dead:
		f.err = err
		s.finish(err)
	default:
		s.pause = min(max(2*s.pause, firstPause), longestPause)
		f.err, s.failed = err, err
		asked := min(auth.RetryAfter(err), longestAsked)
		s.until = now.Add(max(s.pause, asked))
		s.soon = now.Add(max(min(s.pause, longestWait), asked))
	}
	r.mu.Unlock()
	close(f.done)
	if dead && r.dead != nil {
		r.dead(from.session)
	}
}

// link notes which session followed: none but itself, where the server gives no new refresh tokens.
// Should it give out one for the second time, then what came after that is over: no chain leads in a circle.
func (r *renewals) link(s *succession, next *held) {
	last := new(succession) // without a refresh token, it is nothing that anybody could come with
	if next.refresh != "" {
		last = r.entry(digestOf(next.refresh))
	}
	last.self, last.next = next, nil
	if s != last {
		s.next, s.self = last, s.self.bare()
		if s.list != &r.linked {
			r.enter(s, &r.linked)
		}
	}
	if next.refresh != "" {
		r.enter(last, &r.linked) // after what it follows
	}
}

// finish ends a session: nothing follows.
func (s *succession) finish(why error) {
	s.over, s.self, s.next = why, s.self.bare(), nil
}

// follow notes a session that followed the one with a refresh token by other means than a renewal, as
// it does when its user shows a second factor: the refresh token is spent by that.
func (r *renewals) follow(refreshToken string, next *Session) {
	if refreshToken == "" || next.RefreshToken() == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A renewal under way may have come before or after it. What it brings counts.
	if _, s := r.newest(&held{refresh: refreshToken}); s.over == nil && s.flight == nil {
		r.link(s, heldSince(next, time.Now()))
	}
}

// end makes the session with a refresh token, and what followed it, one that nothing follows: its
// user has signed out. It gives them, as far as they came from here.
func (r *renewals) end(refreshToken string) (ended []*held) {
	if refreshToken == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := r.entry(digestOf(refreshToken)); s != nil; {
		if s.self != nil {
			ended = append(ended, s.self)
		}
		later := s.next
		s.finish(errSignedOut)
		s = later
	}
	return ended
}

// ended tells whether the user has signed out of the session with a refresh token, or of one that
// followed it.
func (r *renewals) ended(refreshToken string) bool {
	if refreshToken == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := r.known[digestOf(refreshToken)]; s != nil; s = s.next {
		if s.over != nil {
			return errors.Is(s.over, errSignedOut)
		}
	}
	return false
}
