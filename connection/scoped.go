package connection

import (
	"context"
	"errors"
	"sync"
	"time"
)

// view is a connection as somebody else: the same clients, seen through derive.
type view[T any] struct {
	*state
	of     leaser[T]
	parent Any
	derive func(T) T

	mu      sync.Mutex
	from    *generation[T] // what derived was made of
	derived T
}

// Scoped gives a view of c as someone else, identified by identity: a tenant, the user of a
// token. Raw, [Do], [Write] and [Read] hand out derive's client. Cached reads are kept apart
// by identity, so that nobody sees what was read for another; two views with one identity share
// them. A write through any view ends the cached reads of all.
//
// The view lives on its connection: its Reset resets that, and its Close ends only the view.
// identity may be a secret; an HMAC of it is kept. An empty identity is refused by
// every use of the view, since it would make no difference.
//
// derive is called once for each client of c and must not fail; what it makes is not closed.
func Scoped[T any](c Connection[T], identity string, derive func(T) T) Connection[T] {
	return ScopedUntil(c, identity, time.Time{}, derive)
}

// ScopedUntil is [Scoped] for an identity that ends, such as that of an access token: what was read
// through the view ends then, whatever its TTL. The zero time is no end. The view itself can be
// used on: whether the source still accepts the identity is for the source to say.
func ScopedUntil[T any](c Connection[T], identity string, end time.Time, derive func(T) T) Connection[T] {
	base := c.base()
	if d, ok := base.impl.(*dynamic[T]); ok && identity != "" {
		return d.scoped(func(c Connection[T]) Connection[T] { return ScopedUntil(c, identity, end, derive) })
	}
	v := &view[T]{of: leaserOf(c), parent: c, derive: derive}
	v.state = &state{trunk: base.trunk, impl: v, above: base, expires: earlier(base.expires, end)}
	if identity == "" {
		v.anonymous = true
	} else {
		id := hmacOf([]byte(base.identity), []byte(identity))
		v.identity = string(id[:])
		if base.tiered != nil {
			v.outside = base.tiered.identity(base.outside, identity)
		}
	}
	return v
}

// earlier is the first of two ends; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

var errNoIdentity = errors.New("a view of the connection was made for an empty identity")

func (v *view[T]) borrow(ctx context.Context) (loan[T], error) {
	if err := v.usable(); err != nil {
		return loan[T]{}, v.wrap("connect", err)
	}
	l, err := v.of.borrow(ctx)
	if err != nil {
		return loan[T]{}, err
	}
	returned := false
	defer func() {
		if !returned { // derive panicked
			l.back()
		}
	}()
	l.client = v.derivedFrom(&l)
	returned = true
	return l, nil
}

func (v *view[T]) derivedFrom(l *loan[T]) T {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.from != l.of {
		v.derived, v.from = v.derive(l.client), l.of
	}
	return v.derived
}

// Raw implements Connection.
func (v *view[T]) Raw(ctx context.Context) (T, error) {
	l, err := v.borrow(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer l.back()
	return l.client, nil
}

// Reset implements Connection.
func (v *view[T]) Reset() error {
	if v.isClosed() {
		return v.wrap("reset", ErrClosed)
	}
	return v.parent.Reset()
}

// Close implements Connection.
func (v *view[T]) Close() error {
	v.ended.Store(true)
	v.version.Add(1) // its cached reads, and those of views of it, look whether they are closed
	if r := v.reading.Swap(nil); r != nil {
		r.close()
	}
	return nil
}

func (v *view[T]) answered() *answers                     { return v.of.answered() }
func (v *view[T]) isConnected() bool                      { return v.of.isConnected() }
func (v *view[T]) pinger() func(context.Context, T) error { return v.of.pinger() }
