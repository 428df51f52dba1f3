package connection

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/internal/deadline"
)

// Read is a cached read: the result of load, kept under key for ttl. The next Read of that key
// gets it without running load, for as long as it is younger than its ttl and nothing has
// ended it: [Write], [Clear], changed parameters, Close. However many ask at once, one load
// runs; the others wait for it, each on its own context, and who has more time than it goes on when
// it gives up.
//
// The key belongs to this connection, to a view's identity, and to V; it is a text, or the [Key] of
// several parts. A ttl of 0 bypasses the cache, [cache.Forever] never expires, [cache.Default]
// is the connection's own. What a caller gets is its own copy, which it may change.
//
// A result that is there is given also when ctx has ended, unless the parameters have to be looked at before,
// and a file of secrets is being written.
//
// load must only read: it is tried again after faults that pass (see [Retry]), with a client
// that stays open while it runs. It should use the context that it is given, and its errors come
// back as they are. They are not cached.
func Read[T, V any, K string | cache.Key](
	ctx context.Context, c Connection[T], key K, ttl time.Duration, load func(ctx context.Context, client T) (V, error),
) (V, error) {
	var k cache.Key
	switch key := any(key).(type) {
	case cache.Key:
		k = key
	case string:
		k = cache.KeyOf(key)
	}
	return Load(ctx, c, k, cache.Policy{TTL: ttl}, load)
}

// Load is [Read] with all of a [cache.Policy]: stale results while a new one is loaded,
// results that are shared instead of copied, errors that count as results. For those who
// write kinds of connections. A TTL of [cache.Default] is the connection's own.
// Policy.Transient adds to the errors that are worth another try.
func Load[T, V any](
	ctx context.Context, c Connection[T], key cache.Key, p cache.Policy, load func(ctx context.Context, client T) (V, error),
) (V, error) {
	return loadIn(ctx, c, (*reading).ordinary, key, p, load)
}

// LoadLasting is [Load] of what [Write] does not change, such as the files beside a database: only
// its TTL, [Clear], [ClearText], changed parameters and Close end it. Its keys must be none of Load's.
// In a second tier, which knows no difference, writes end it as well.
func LoadLasting[T, V any](
	ctx context.Context, c Connection[T], key cache.Key, p cache.Policy, load func(ctx context.Context, client T) (V, error),
) (V, error) {
	return loadIn(ctx, c, (*reading).lasting, key, p, load)
}

func loadIn[T, V any](
	ctx context.Context, c Connection[T], scope func(*reading) *cache.Scope, key cache.Key, p cache.Policy,
	load func(ctx context.Context, client T) (V, error),
) (V, error) {
	s := c.base()
	if err := s.usable(); err != nil {
		var none V
		return none, s.wrap("read", err)
	}
	if d, ok := s.impl.(*dynamic[T]); ok {
		view, err := d.view(ctx)
		if err != nil {
			var none V
			return none, err
		}
		return loadIn(ctx, view, scope, key, p, load)
	}
	p.Expires = earlier(p.Expires, s.expires)
	p.Transient = s.transient(p.Transient)
	tries := &tries[T, V]{state: s, from: leaserOf(c), began: time.Now(), transient: p.Transient, load: load}
	tries.reading = s.prepare(ctx)
	if tries.reading == nil {
		return tries.run(ctx)
	}
	if p.TTL == cache.Default {
		p.TTL = tries.reading.ttl
		if p.TTL == cache.Default {
			s.tellForever()
		}
	}
	for {
		v, err := cache.Get(ctx, scope(tries.reading), key, p, tries.run)
		if err == nil {
			return v, nil
		}
		if tries.ran.Load() || p.Negative > 0 && p.IsNegative != nil && p.IsNegative(err) {
			return v, err // this call's own, or an answer
		}
		if again, err := tries.afterOthers(ctx, err); !again {
			return v, err
		}
	}
}

// Lookup is the part of [Load] that finds what is kept, and does nothing else: it neither
// connects nor loads. text and args are the parts of a [cache.Key]. It does not allocate.
func Lookup[V any](c Any, text string, args []byte, p *cache.Policy) (V, bool) {
	if r := readingOf(c); r != nil {
		own := r.policy(p)
		return cache.Lookup[V](r.scope, text, args, &own)
	}
	var none V
	return none, false
}

// LookupSlice is [Lookup] of a slice, by [cache.LookupSlice].
func LookupSlice[E any](c Any, text string, args []byte, p *cache.Policy) ([]E, bool) {
	if r := readingOf(c); r != nil {
		own := r.policy(p)
		return cache.LookupSlice[E](r.scope, text, args, &own)
	}
	return nil, false
}

// LookupLasting is [Lookup] of what [LoadLasting] keeps.
func LookupLasting[V any](c Any, text string, args []byte, p *cache.Policy) (V, bool) {
	if r := readingOf(c); r != nil {
		own := r.policy(p)
		return cache.Lookup[V](r.lasting(), text, args, &own)
	}
	var none V
	return none, false
}

// readingOf is where a use of c would find what is kept; nil if that cannot be told at once.
func readingOf(c Any) *reading {
	if s := c.base().now(); s != nil {
		return s.current()
	}
	return nil
}

// policy is p with the connection's own TTL, if p leaves that to it.
func (r *reading) policy(p *cache.Policy) cache.Policy {
	own := *p
	if own.TTL == cache.Default {
		own.TTL = r.ttl
	}
	return own
}

// tries is one read from a source that may fail for a while.
type tries[T, V any] struct {
	*state
	from      leaser[T]
	reading   *reading  // nil: not cached
	began     time.Time // the call
	transient func(error) bool
	load      func(context.Context, T) (V, error)
	ran       atomic.Bool
}

func (t *tries[T, V]) run(ctx context.Context) (v V, err error) {
	t.ran.Store(true)
	note := func() { t.retries.Add(1) }
	err = t.cfg.retry.do(ctx, t.began, t.transient, note, func() (err error) {
		v, err = t.once(ctx)
		return err
	})
	if err != nil {
		var none V
		return none, err
	}
	return v, nil
}

// afterOthers tells whether err is another call's, which loaded for this one as well and gave up because
// its own time was up, while this one has time left. It has then waited as long as a next try does.
func (t *tries[T, V]) afterOthers(ctx context.Context, err error) (again bool, _ error) {
	gave, ok := err.(*retriedError) //nolint:errorlint // those within an error are of what a load reads itself
	if !ok {
		return false, err
	}
	end := t.cfg.retry.end(ctx, t.began)
	if !gave.end.Before(end) || !time.Now().Add(gave.pause).Before(end) {
		return false, err
	}
	timer := time.NewTimer(gave.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, endedContext(ctx, err)
	}
}

func (t *tries[T, V]) once(ctx context.Context) (V, error) {
	l, err := t.from.borrow(ctx)
	if err != nil {
		var none V
		return none, err
	}
	defer l.back()
	if t.reading != nil && t.reading.mark != l.of.mark {
		// The parameters changed after this read had found its place in the cache: what it
		// loads now must not be kept there.
		t.all.Bump()
	}
	v, err := t.load(ctx, l.client)
	l.note(err)
	_ = deadline.Passed(ctx, err) // waits for ctx to end, if that is what err means, so that it is told as such
	return v, err
}

// transient joins the opinions about errors that pass: what the error says of itself decides,
// then it is enough for one to think so of the library, the caller, the kind and the user.
func (s *state) transient(of func(error) bool) func(error) bool {
	return func(err error) bool {
		if passes, said := saysTransient(err); said {
			return passes
		}
		return isTransient(err) || of != nil && of(err) ||
			s.kindTransient != nil && s.kindTransient(err) || s.cfg.transient != nil && s.cfg.transient(err)
	}
}

// Clear ends what is cached of the connection, and of every view of it; of a view, what is
// cached for its identity. Reads under way are not kept.
func Clear(c Any) {
	s := c.base().known()
	switch {
	case s == nil || s.anonymous: // nobody, who has read nothing
		return
	case s.identity == "":
		s.all.Bump()
		s.endShared()
		return
	}
	s.drop(func(cache.Info) bool { return true })
	s.endSharedOf()
}

// ClearText ends the cached reads whose key has this text, whatever their types and identities:
// with args, as [cache.Key] has them, only those; with nil, with any arguments. For those who write kinds.
//
// In a second tier, results cannot be found by their text: there, all of the connection's end.
func ClearText(c Any, text string, args []byte) {
	s := c.base().known()
	if s == nil {
		return
	}
	s.drop(func(i cache.Info) bool {
		return i.Text == text && (args == nil || string(i.Args) == string(args))
	})
	s.endShared()
}

// drop ends the entries of this state's identity, or of the whole connection, that match.
func (s *state) drop(match func(cache.Info) bool) {
	c := s.cache()
	if c == nil { // closed
		return
	}
	prefix := s.scopePrefix()
	c.Drop(func(i cache.Info) bool {
		return len(i.Scope) >= len(prefix)+len(digest{}) && i.Scope[:len(prefix)] == prefix &&
			(s.identity == "" || i.Scope[len(prefix)+len(digest{}):] == s.identity) && match(i)
	})
}

// Again runs try until it succeeds, fails for good, or the connection's [Retry] has run out: for
// those who write kinds, and know that what try does can be done again. Only transient decides what
// is worth another try.
func Again(ctx context.Context, c Any, transient func(error) bool, try func() error) error {
	s := c.base()
	return s.cfg.retry.do(ctx, time.Now(), transient, func() { s.retries.Add(1) }, try)
}
