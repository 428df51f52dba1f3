package connection

import (
	"context"
	"sync"

	"github.com/streamconn/streamconn/internal/deadline"
)

// dynamic is a connection as somebody whose identity changes: at each use, one of its views.
type dynamic[T any] struct {
	*state
	of      leaser[T]
	parent  Any
	current func(context.Context) (Connection[T], error)
	newest  func() (Connection[T], bool)
}

// Dynamic gives a view of c as somebody whose identity changes over time, as that of a session does
// whose access token is renewed. At each use, it is the view that current gives: one that [Scoped]
// or [ScopedUntil] has made of c. current may take its time, within ctx, and what it fails with is
// the error of that use; latest gives at once the view that it is as far as is known, nil for none,
// and whether that is good for the next use, or current has to be asked. Both are called from many
// goroutines.
//
// Its Reset resets the connection, and its Close ends only this view. [Clear] ends what is cached
// for the identity that latest gives.
func Dynamic[T any](c Connection[T], current func(context.Context) (Connection[T], error), latest func() (view Connection[T], good bool)) Connection[T] {
	base := c.base()
	d := &dynamic[T]{of: leaserOf(c), parent: c, current: current, newest: latest}
	d.state = &state{trunk: base.trunk, impl: d, above: base}
	d.latest = func() (*state, bool) {
		if d.usable() != nil {
			return nil, false
		}
		view, good := latest()
		if view == nil {
			return nil, false
		}
		return view.base(), good
	}
	return d
}

// view is what the next use is of.
func (d *dynamic[T]) view(ctx context.Context) (Connection[T], error) {
	if err := d.usable(); err != nil {
		return nil, d.wrap("connect", err)
	}
	if ctx == nil {
		return nil, d.wrap("connect", deadline.ErrNoContext)
	}
	view, err := d.current(ctx)
	return view, d.wrapped("connect", err)
}

func (d *dynamic[T]) borrow(ctx context.Context) (loan[T], error) {
	view, err := d.view(ctx)
	if err != nil {
		return loan[T]{}, err
	}
	return leaserOf(view).borrow(ctx)
}

// scoped gives the view that scope makes of what d is at each use. It is kept as long as that is
// the same, since a view finds its cached reads sooner at the second use.
func (d *dynamic[T]) scoped(scope func(Connection[T]) Connection[T]) Connection[T] {
	var mu sync.Mutex
	var from, made Connection[T]
	of := func(view Connection[T]) Connection[T] {
		mu.Lock()
		defer mu.Unlock()
		if from != view {
			from, made = view, scope(view)
		}
		return made
	}
	current := func(ctx context.Context) (Connection[T], error) {
		view, err := d.view(ctx)
		if err != nil {
			return nil, err
		}
		return of(view), nil
	}
	latest := func() (Connection[T], bool) {
		view, good := d.newest()
		if view == nil {
			return nil, false
		}
		return of(view), good
	}
	return Dynamic[T](d, current, latest)
}

// Raw implements Connection.
func (d *dynamic[T]) Raw(ctx context.Context) (T, error) {
	view, err := d.view(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return view.Raw(ctx)
}

// Reset implements Connection.
func (d *dynamic[T]) Reset() error {
	if d.isClosed() {
		return d.wrap("reset", ErrClosed)
	}
	return d.parent.Reset()
}

// Close implements Connection.
func (d *dynamic[T]) Close() error {
	d.ended.Store(true)
	return nil
}

func (d *dynamic[T]) answered() *answers                     { return d.of.answered() }
func (d *dynamic[T]) isConnected() bool                      { return d.of.isConnected() }
func (d *dynamic[T]) pinger() func(context.Context, T) error { return d.of.pinger() }
