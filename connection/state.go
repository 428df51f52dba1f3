package connection

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/streamconn/streamconn/cache"
)

// state is what a connection is apart from the type of its client. A view made by Scoped has
// one of its own, with the same trunk.
type state struct {
	*trunk
	identity string // of a view; "" is the connection's own
	impl     any    // the leaser[T] behind it
	outside  string // the identity in all processes that share the second tier

	reading atomic.Pointer[reading]
	beside  sync.Map // reflect.Type to what the wrappers keep beside it

	// Of a view:
	above     *state // what it is a view of
	anonymous bool   // made for an empty identity: good for nothing
	ended     atomic.Bool
	expires   time.Time // when the identity ends; zero: never

	// Of a dynamic view: the state of the view that it is as far as is known, or nil, and whether the
	// next use is of that.
	latest func() (_ *state, good bool)
}

// trunk is what a connection and its views have in common.
type trunk struct {
	name   string
	cfg    config
	number uint64 // tells connections of one process apart

	kind    atomic.Pointer[string]
	shared  bool          // by a registry, whose cache it uses
	version atomic.Uint64 // grows whenever what is cached may no longer be of the parameters as they are
	closed  atomic.Bool
	life    context.Context //nolint:containedctx // the connection's own, which Close ends
	end     context.CancelCauseFunc
	told    [3]atomic.Bool // what is logged once

	all      cache.Epoch // Clear, changed parameters
	reads    cache.Epoch // writes
	counters cache.Counters
	tiered   *tiered // nil without a second tier

	connects, connectErrors, resets, retries atomic.Uint64
	used                                     atomic.Int64 // when it was last lent, by the monotonic clock

	implicitTTL atomic.Int64 // the section's or option's "ttl", cache.Default if there is none

	mu       sync.Mutex
	ownCache *cache.Cache // made at the first cached read of a connection that shares none
	cacheEnd bool
	scopes   []weak.Pointer[cache.Scope] // of the connection and its views: Close ends their refreshes

	kindTransient func(error) bool

	// verify finds the mark of the parameters as they are now. It is the conn's.
	verify func(context.Context) (mark, error)
}

// reading is where cached reads look, while the trunk's version is still the one it was made for.
type reading struct {
	version uint64
	mark    mark
	cache   *cache.Cache
	scope   *cache.Scope
	apart   func() *cache.Scope // of what writes do not end, made when it is needed
	ttl     time.Duration       // of reads that name none
}

func (r *reading) ordinary() *cache.Scope { return r.scope }
func (r *reading) lasting() *cache.Scope  { return r.apart() }

// close ends the refreshes of its scopes. These are of memory alone, and have nothing to say.
func (r *reading) close() {
	_ = r.scope.Close()
	_ = r.apart().Close()
}

// mark stands for everything that the factory read, so that no cache key holds a secret.
type mark struct {
	own    digest // for this process
	shared string // for all that share the second tier; "" if there is none, or it cannot tell them from others
}

// digest is an HMAC with the processKey.
type digest [sha256.Size]byte

var (
	connections atomic.Uint64
	start       = time.Now()

	// processKey makes marks and identities useless to whoever sees one in a dump.
	processKey = sync.OnceValue(func() []byte {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
		return key
	})
)

const (
	toldUnknown = iota
	toldForever
	toldAlone
)

const ownCacheBytes = 8 << 20

func (s *state) base() *state { return s }

// Format names the connection with every verb: what else is in it is nothing to look at.
func (s *state) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "connection %q", s.name)
	if kind := s.kindName(); kind != "" && kind != s.name {
		_, _ = fmt.Fprintf(f, " (%s)", kind)
	}
}

// Name is the NAME of [connections.NAME].
func (s *state) Name() string { return s.name }

func (t *trunk) kindName() string {
	if k := t.kind.Load(); k != nil {
		return *k
	}
	return ""
}

func (t *trunk) logger() *slog.Logger {
	l := t.cfg.logger
	if l == nil {
		l = t.cfg.registry.logger()
	}
	return l.With("connection", t.name)
}

// once reports true the first time for each of the things that are told once.
func (t *trunk) once(what int) bool {
	return !t.told[what].Load() && t.told[what].CompareAndSwap(false, true)
}

// ttl is that of reads which name none: the section's, WithDefaultTTL's, or else cache.Default,
// which stands for forever, and has to be told.
func (t *trunk) ttl() time.Duration {
	if ttl := time.Duration(t.implicitTTL.Load()); ttl != cache.Default {
		return ttl
	}
	if t.cfg.ttlGiven {
		return t.cfg.ttl
	}
	return cache.Default
}

func (t *trunk) tellForever() {
	if t.once(toldForever) {
		t.logger().Info("reads are cached until a write through this connection, or for good: set ttl in its section, or WithDefaultTTL, where others write too")
	}
}

func (s *state) isClosed() bool { return s.closed.Load() || s.ended.Load() }

// usable tells why the connection, or the view, or what it is a view of, can be put to no use.
func (s *state) usable() error {
	switch {
	case s.isClosed():
		return ErrClosed
	case s.anonymous:
		return errNoIdentity
	case s.above != nil:
		return s.above.usable()
	}
	return nil
}

// now is the state whose cache entries a use of s would find; nil if that cannot be told at once.
func (s *state) now() *state {
	if s.latest != nil {
		if of, good := s.latest(); good {
			return of
		}
		return nil
	}
	return s
}

// known is the state whose cache entries a use of s found last; nil if there is none.
func (s *state) known() *state {
	if s.latest != nil {
		of, _ := s.latest()
		return of
	}
	return s
}

// current is the reading for the parameters as they are, or nil if they have to be looked at
// first. It is all that a hit costs here.
func (s *state) current() *reading {
	r := s.reading.Load()
	if r == nil || r.version != s.version.Load() {
		return nil
	}
	return r
}

// prepare is current, after looking at the parameters if need be. A reading of nil means that
// the read cannot be cached: the parameters cannot be had, so that connecting will say why.
func (s *state) prepare(ctx context.Context) *reading {
	if r := s.current(); r != nil {
		return r
	}
	version := s.version.Load() // before verify: a change during it makes the reading worthless
	m, err := s.verify(ctx)
	if err != nil || s.usable() != nil {
		return nil
	}
	c := s.cache()
	if c == nil {
		return nil
	}
	r := &reading{version: version, mark: m, cache: c, ttl: s.ttl()}
	if old := s.reading.Load(); old != nil && old.mark == m && old.cache == c {
		r.scope, r.apart = old.scope, old.apart
	} else {
		r.scope = s.newScope(c, m)
		s.remember(r.scope)
		r.apart = sync.OnceValue(func() *cache.Scope { return s.lastingScope(r, m) })
	}
	if old := s.reading.Swap(r); old != nil && old.scope != r.scope {
		old.close() // its refreshes are of other parameters, and a view closes only its last scopes
	}
	if s.usable() != nil { // meanwhile: nothing is to be found any more
		s.reading.Store(nil)
		r.close()
	}
	return r
}

// newScope is where the state's reads with the parameters of that mark belong.
func (s *state) newScope(c *cache.Cache, m mark) *cache.Scope {
	id := s.scopePrefix() + string(m.own[:]) + s.identity
	if s.tiered == nil {
		return c.Scope(id, &s.counters, &s.all, &s.reads)
	}
	return s.tiered.newScope(s, c, id, m)
}

// lastingScope is newScope for what writes do not end.
func (s *state) lastingScope(r *reading, m mark) *cache.Scope {
	if s.tiered != nil {
		return r.scope
	}
	scope := r.cache.Scope(s.scopePrefix()+string(m.own[:])+s.identity, &s.counters, &s.all)
	s.remember(scope)
	if s.usable() != nil { // meanwhile
		_ = scope.Close() // of memory alone
	}
	return scope
}

// scopePrefix begins the name of every scope of this connection: a mark and an identity follow.
func (t *trunk) scopePrefix() string {
	return string(binary.BigEndian.AppendUint64(nil, t.number))
}

// cache is where the connection keeps its reads: what WithCache gave, the registry's for a
// shared connection, or one of its own.
func (t *trunk) cache() *cache.Cache {
	if t.cfg.cache != nil {
		return t.cfg.cache
	}
	if t.shared {
		return t.cfg.registry.sharedCache()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ownCache == nil && !t.cacheEnd {
		t.ownCache = cache.New(cache.Config{MaxBytes: ownCacheBytes, Logger: t.logger()})
	}
	return t.ownCache
}

// remember notes a scope that may have refreshes under way. While one is, the scope is alive; the
// scopes of views that nobody has any more are forgotten.
func (t *trunk) remember(scope *cache.Scope) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.scopes) == cap(t.scopes) {
		t.scopes = slices.DeleteFunc(t.scopes, func(p weak.Pointer[cache.Scope]) bool { return p.Value() == nil })
	}
	t.scopes = append(t.scopes, weak.Make(scope))
}

// closeCache ends the connection's refreshes, and its own cache, if it has one.
func (t *trunk) closeCache() {
	t.mu.Lock()
	c, scopes := t.ownCache, t.scopes
	t.ownCache, t.cacheEnd, t.scopes = nil, true, nil
	t.mu.Unlock()
	for _, p := range scopes {
		if scope := p.Value(); scope != nil {
			_ = scope.Close() // of memory alone: it has nothing to say
		}
	}
	if c != nil {
		_ = c.Close() // of memory alone: it has nothing to say
	}
}

func hmacOf(parts ...[]byte) digest {
	h := hmac.New(sha256.New, processKey())
	for _, p := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write(p)
	}
	return digest(h.Sum(nil))
}
