package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// refreshes are the loads in the background, with what cancels them.
type refreshes struct {
	mu     sync.Mutex
	closed bool
	under  map[*refreshing]struct{}
}

type refreshing struct {
	scope  *Scope
	cancel context.CancelFunc
}

const (
	maxRefreshes          = 64 // at once, in one cache: a stale hit beyond them does not refresh
	refreshBackOff        = time.Second
	longestRefreshBackOff = time.Minute
)

// cancel ends the refreshes of a scope, or all of them for good if s is nil.
func (r *refreshes) cancel(s *Scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s == nil {
		r.closed = true
	}
	for u := range r.under {
		if s == nil || u.scope == s {
			u.cancel()
		}
	}
}

func (r *refreshes) begin(u *refreshing) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || u.scope.closed.Load() || len(r.under) >= maxRefreshes {
		return false
	}
	if r.under == nil {
		r.under = make(map[*refreshing]struct{})
	}
	r.under[u] = struct{}{}
	return true
}

func (r *refreshes) end(u *refreshing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.under, u)
}

// refreshSoon starts a refresh of a stale entry, unless there is one, or the last one has just failed.
func refreshSoon[T any](
	ctx context.Context, s *Scope, e *entry, k key, p Policy, load func(context.Context) (T, error),
) {
	if s.cache.now() < e.again.at.Load() || !e.again.underWay.CompareAndSwap(false, true) {
		return
	}
	started := false
	defer func() {
		if !started { // or it panicked
			e.again.underWay.Store(false)
		}
	}()
	started = refresh(ctx, s, e, k, p, load)
}

// refresh loads in the background, through a flight like any other, so that a call which cannot use the
// stale entry joins it. It reports whether it has started.
func refresh[T any](
	ctx context.Context, s *Scope, e *entry, k key, p Policy, load func(context.Context) (T, error),
) bool {
	c := s.cache
	// Nothing of the caller but the values in its context: it is gone before the load is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.RefreshTimeout)
	u := &refreshing{scope: s, cancel: cancel}
	if !c.refreshes.begin(u) {
		cancel()
		return false
	}
	// The call that is served the stale result does not wait for this load.
	ctx = context.WithValue(ctx, flightKey{}, (*flight)(nil))
	fl, leads, _, _ := c.flights.join(&k, nil)
	if !leads {
		c.flights.leave(fl)
		c.refreshes.end(u)
		cancel()
		return false
	}
	s.count(eventRefresh)
	go func() {
		defer cancel()
		defer c.refreshes.end(u)
		defer e.again.underWay.Store(false)
		succeeded, useful := false, false // useful: the stale entry may be served on
		defer func() {
			// Nobody else could recover a panic here, and it would end the program.
			if r := recover(); r != nil {
				c.cfg.Logger.Error("a load in the background panicked",
					"value_type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			}
			if !succeeded {
				s.count(eventRefreshError)
			}
			if !useful {
				c.remove(e)
			}
		}()
		_, err := lead(ctx, s, fl, &p, load)
		if err == nil {
			succeeded = true
			return
		}
		if useful = ctx.Err() != nil || p.Transient != nil && p.Transient(err); useful {
			failures := e.again.failures.Add(1)
			wait := min(refreshBackOff<<min(failures-1, 10), longestRefreshBackOff)
			e.again.at.Store(later(c.now(), wait))
		}
	}()
	return true
}
