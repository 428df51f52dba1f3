package connection

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/internal/deadline"
	"github.com/streamconn/streamconn/secrets"
)

// Default is the process's registry, which is used where no other is named.
var Default = &Registry{}

// Registry shares connections: it is behind [Get] and the Get of every kind. Its zero value is
// ready. Its fields are set before its first use; its methods are safe for concurrent use.
type Registry struct {
	// Secrets is where sections are read from. If it is nil, that is secrets.Load() at the
	// first connect: the files that a Streamlit app reads.
	Secrets *secrets.Store

	// Environ replaces the process environment, for tests.
	Environ func(name string) (value string, ok bool)

	// Logger is where connections log; slog's default if it is nil.
	Logger *slog.Logger

	// CacheBytes bounds the memory of the cached reads of all shared connections together. 0 is 64 MiB.
	CacheBytes int64

	// MaxConnected bounds how many shared connections have a live client. One more resets the
	// one that has gone unused for longest; it stays usable, and connects again when it is used.
	// 0 sets no bound.
	MaxConnected int

	bounding sync.Mutex

	mu      sync.Mutex
	kinds   map[string]registered
	opening []*sharing
	cache   *cache.Cache
	loaded  *secrets.Store

	// shared is replaced whole, under mu, so that Get of what is open takes no lock.
	shared atomic.Pointer[map[uint64][]*sharing]
}

// sharing is one connection that is, or is being, shared.
type sharing struct {
	kind     any // the *Kind, or the reflect.Type of T for connections of registered kinds
	name     string
	contents contents
	hash     uint64

	done    chan struct{} // closed when it is open, or is not to be
	err     error
	again   bool // the opener's own context ended
	wrapper any
	base    *state
}

func (s *sharing) is(kind any, name string, hash uint64, c *contents) bool {
	return s.hash == hash && s.kind == kind && s.name == name && s.contents.equal(c)
}

// registered is a factory, and the name of the client that it makes.
type registered struct {
	factory any // Factory[T]
	makes   reflect.Type
}

// Register makes factories known by the word for the "type" of a section, for [Get]. It panics
// if the word is empty or taken, or connect is nil: that is a mistake in the program.
func Register[T any](r *Registry, kind string, connect Factory[T]) {
	if kind == "" || connect == nil {
		panic("connection: Register needs the name of a kind and its factory")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.kinds[kind]; taken {
		panic(fmt.Sprintf("connection: a kind %q is registered already", kind))
	}
	if r.kinds == nil {
		r.kinds = make(map[string]registered)
	}
	r.kinds[kind] = registered{factory: connect, makes: reflect.TypeFor[T]()}
}

// Get gives the shared connection of that name, of a registered kind: the one that [WithType]
// names, else the one that is called like the connection, else the section's type. It shares
// as [Kind.Get] does. A nil registry is [Default].
func Get[T any](ctx context.Context, r *Registry, name string, opts ...Option) (Connection[T], error) {
	if r == nil {
		r = Default
	}
	return getShared(ctx, r, any(reflect.TypeFor[T]()), name, opts, func(ctx context.Context, name string, cfg config, h *hooks) (Connection[T], *state, error) {
		var c *conn[T]
		kind := &Kind[T, Connection[T]]{anyType: true}
		kind.Connect = func(ctx context.Context, p *Params) (T, error) {
			word, factory, err := registeredFactory[T](r, cfg.kind, p)
			if err != nil {
				var none T
				return none, err
			}
			p.kind.Store(&word)
			return factory(ctx, p)
		}
		c, err := kind.open(ctx, name, cfg, h)
		if err != nil {
			return nil, nil, err
		}
		return c, c.state, nil
	})
}

// registeredFactory finds the factory of the connection that p belongs to, anew at each connect.
func registeredFactory[T any](r *Registry, word string, p *Params) (string, Factory[T], error) {
	r.mu.Lock()
	kinds := maps.Clone(r.kinds)
	r.mu.Unlock()
	if word == "" {
		if _, ok := kinds[p.name]; ok {
			word = p.name
		} else if v, _, ok := p.Lookup("type"); ok {
			if word, ok = v.(string); !ok {
				return "", nil, &ValueError{Param: "type", Place: p.places.header, Problem: "is " + typeName(v) + ", not a text"}
			}
		}
	}
	known := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
	if known == "" {
		known = "none"
	}
	if word == "" {
		return "", nil, fmt.Errorf("%s has no type, and no kind is registered as %q (registered: %s)", p.places.header, p.name, known)
	}
	k, ok := kinds[word]
	if !ok {
		return "", nil, fmt.Errorf("unknown type %q (registered: %s; forgotten Register?)", word, known)
	}
	factory, ok := k.factory.(Factory[T])
	if !ok {
		return "", nil, fmt.Errorf("type %q makes a connection.Connection[%v], not a connection.Connection[%v]", word, k.makes, reflect.TypeFor[T]())
	}
	return word, factory, nil
}

// registryOf is the registry that the options name.
func registryOf(opts []Option) *Registry {
	for _, o := range slices.Backward(opts) {
		if o.setting == settingRegistry {
			if r, _ := o.value.reveal().(*Registry); r != nil {
				return r
			}
		}
	}
	return Default
}

// opener opens a connection that is to be shared, and wraps it.
type opener[W any] func(ctx context.Context, name string, cfg config, h *hooks) (W, *state, error)

// getShared is all of Get for what is open already: it neither locks nor allocates.
func getShared[W any](ctx context.Context, r *Registry, kind any, name string, opts []Option, open opener[W]) (W, error) {
	var none W
	resolved, err := resolveName(name, r.environ())
	if err != nil {
		return none, &Error{Op: "get", Name: name, Err: err}
	}
	if repeated(opts) {
		opts = lastOfEach(opts)
	}
	var (
		buffer [192]byte
		ends   [8]int
	)
	c, err := contents{bytes: buffer[:0], ends: ends[:0]}.append(opts)
	if err != nil {
		return none, &Error{Op: "get", Name: resolved, Err: err}
	}
	hash := maphash.String(hashSeed, resolved) + c.sum
	if s := r.find(kind, resolved, hash, &c); s != nil {
		return s.wrapper.(W), nil
	}
	return openShared(ctx, r, kind, resolved, hash, &c, opts, open)
}

func (r *Registry) find(kind any, name string, hash uint64, c *contents) *sharing {
	shared := r.shared.Load()
	if shared == nil {
		return nil
	}
	for _, s := range (*shared)[hash] {
		if s.is(kind, name, hash, c) && !s.base.closed.Load() {
			return s
		}
	}
	return nil
}

// openShared opens the connection, or waits for whoever is opening it.
func openShared[W any](ctx context.Context, r *Registry, kind any, name string, hash uint64, c *contents, opts []Option, open opener[W]) (W, error) {
	var none W
	if ctx == nil {
		return none, &Error{Op: "get", Name: name, Err: deadline.ErrNoContext}
	}
	mine := &sharing{kind: kind, name: name, hash: hash, done: make(chan struct{})}
	mine.contents = contents{bytes: bytes.Clone(c.bytes), ends: slices.Clone(c.ends), sum: c.sum}
	inside := connecting(ctx, mine) // the context's code, which runs outside the lock
	for {
		r.mu.Lock()
		if s := r.find(kind, name, hash, c); s != nil { // opened since we looked
			r.mu.Unlock()
			return s.wrapper.(W), nil
		}
		i := slices.IndexFunc(r.opening, func(s *sharing) bool { return s.is(kind, name, hash, c) })
		if i < 0 {
			r.opening = append(r.opening, mine)
			r.mu.Unlock()
			return leadOpen(inside, r, mine, opts, open)
		}
		s := r.opening[i]
		r.mu.Unlock()
		if isConnecting(ctx, s) {
			return none, &Error{Op: "get", Name: name, Err: errOwnFactory}
		}
		select {
		case <-s.done:
			if s.err != nil && !s.again {
				return none, s.err
			}
		case <-ctx.Done():
			return none, &Error{Op: "get", Name: name, Err: endedContext(ctx, nil)}
		}
	}
}

func leadOpen[W any](ctx context.Context, r *Registry, s *sharing, opts []Option, open opener[W]) (wrapper W, err error) {
	var base *state
	defer func() {
		s.err, s.again = err, err != nil && ctx.Err() != nil
		s.wrapper, s.base = wrapper, base
		r.mu.Lock()
		r.opening = slices.DeleteFunc(r.opening, func(o *sharing) bool { return o == s })
		if err == nil {
			r.publishLocked(func(shared map[uint64][]*sharing) {
				shared[s.hash] = append(slices.Clone(shared[s.hash]), s)
			})
		}
		r.mu.Unlock()
		close(s.done)
		if err == nil {
			r.bound(base) // again: who connected meanwhile has not seen this one
		}
	}()
	cfg, err := newConfig(opts)
	if err != nil {
		return wrapper, &Error{Op: "get", Name: s.name, Err: err}
	}
	// Not those that newConfig has found: the function Get is given its registry.
	cfg.registry, cfg.environ = r, r.environ()
	err = &Error{Op: "get", Name: s.name, Err: &PanicError{Op: "open"}} // until open returns
	wrapper, base, err = open(ctx, s.name, cfg, &hooks{
		removed: func() { r.remove(s) },
		grown:   r.bound,
	})
	return wrapper, err
}

func (r *Registry) remove(s *sharing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishLocked(func(shared map[uint64][]*sharing) {
		rest := slices.DeleteFunc(slices.Clone(shared[s.hash]), func(o *sharing) bool { return o == s })
		if len(rest) == 0 {
			delete(shared, s.hash)
		} else {
			shared[s.hash] = rest
		}
	})
}

// publishLocked replaces the map of what is shared by a changed copy.
func (r *Registry) publishLocked(change func(map[uint64][]*sharing)) {
	next := make(map[uint64][]*sharing)
	if old := r.shared.Load(); old != nil {
		maps.Copy(next, *old)
	}
	change(next)
	r.shared.Store(&next)
}

// open lists what is shared.
func (r *Registry) open() []*sharing {
	var all []*sharing
	if shared := r.shared.Load(); shared != nil {
		for _, some := range *shared {
			all = append(all, some...)
		}
	}
	return all
}

// bound resets the connections that have gone unused for longest, until no more have a client
// than may. newcomer has just connected, and is spared.
func (r *Registry) bound(newcomer *state) {
	if r.MaxConnected <= 0 {
		return
	}
	r.bounding.Lock() // of two newcomers, the second counts what the first has left
	connected := 0
	if newcomer.impl.(inspector).isConnected() {
		connected++
	}
	var others []*state
	for _, s := range r.open() {
		if s.base.trunk != newcomer.trunk && s.base.impl.(inspector).isConnected() {
			others = append(others, s.base)
		}
	}
	connected += len(others)
	slices.SortFunc(others, func(a, b *state) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	var closers []func()
	for i := 0; i < len(others) && connected > r.MaxConnected; i++ {
		if closer, ok := others[i].impl.(interface{ retire() (func(), bool) }).retire(); ok {
			closers = append(closers, closer)
			connected--
		}
	}
	r.bounding.Unlock()
	for _, closer := range closers { // may take its time
		closer()
	}
}

// Close closes all that the registry shares, and its cache. It can be used again afterwards.
func (r *Registry) Close() error {
	var errs []error
	for _, s := range r.open() {
		errs = append(errs, s.base.impl.(interface{ Close() error }).Close())
	}
	r.mu.Lock()
	c := r.cache
	r.cache = nil
	r.mu.Unlock()
	if c != nil {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func (r *Registry) environ() func(string) (string, bool) {
	if r.Environ != nil {
		return r.Environ
	}
	return os.LookupEnv
}

func (r *Registry) logger() *slog.Logger {
	if r.Logger != nil {
		return r.Logger
	}
	return slog.Default()
}

// secrets is the registry's store; the default one is loaded when it is first needed, and again
// after a failure, so that mending the file mends the program. Those who need it at once each load it, as
// one may be in more of a hurry than another, and keep the one that came first.
func (r *Registry) secrets(ctx context.Context) (*secrets.Store, error) {
	if r.Secrets != nil {
		return r.Secrets, nil
	}
	r.mu.Lock()
	loaded := r.loaded
	r.mu.Unlock()
	if loaded != nil {
		return loaded, nil
	}
	store, err := secrets.LoadContext(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded == nil {
		r.loaded = store
	}
	return r.loaded, nil
}

func (r *Registry) sharedCache() *cache.Cache {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cache == nil {
		r.cache = cache.New(cache.Config{MaxBytes: r.CacheBytes, Logger: r.Logger})
	}
	return r.cache
}
