package cache

import (
	"context"
	"errors"
	"sync"
)

// ErrRecursive is the error of a call that is made by a load, with the context that the load was
// given, and would have to wait for that same load: its key is the same, or the other load waits for
// this one. It could never end.
var ErrRecursive = errors.New("cache: a load depends on its own result: " +
	"it must not read its own key, nor one whose load reads it")

// nested is a load's part in the graph of who waits for whom, which exists only where loads read from a
// cache themselves. Loads of all caches are in one graph, under one lock.
type nested struct {
	needs map[*flight]int // the loads that this one cannot end without, with how many of its calls wait for each
}

var nestedMu sync.Mutex

type flightKey struct{}

// flightOf is the load that was given ctx, or nil.
func flightOf(ctx context.Context) *flight {
	fl, _ := ctx.Value(flightKey{}).(*flight)
	return fl
}

// run gives the context for the load of fl, and what to call at its end.
func (fl *flight) run(ctx context.Context) (context.Context, func()) {
	outer := flightOf(ctx)
	inner := context.WithValue(ctx, flightKey{}, fl)
	if outer == nil {
		return inner, func() {}
	}
	nestedMu.Lock()
	outer.nested.add(fl)
	nestedMu.Unlock()
	return inner, func() { outer.nested.done(fl) }
}

// await is called before a call waits for fl. It notes that the load which the call is made by, if
// it is made by one, needs fl now, and refuses if fl needs that load.
func (fl *flight) await(ctx context.Context) (stop func(), err error) {
	by := flightOf(ctx)
	if by == nil {
		return func() {}, nil
	}
	nestedMu.Lock()
	defer nestedMu.Unlock()
	if fl.reaches(by, make(map[*flight]bool)) {
		return nil, ErrRecursive
	}
	by.nested.add(fl)
	return func() { by.nested.done(fl) }, nil
}

func (fl *flight) reaches(other *flight, seen map[*flight]bool) bool {
	if fl == other {
		return true
	}
	if seen[fl] {
		return false
	}
	seen[fl] = true
	for next := range fl.nested.needs {
		if next.reaches(other, seen) {
			return true
		}
	}
	return false
}

func (n *nested) add(fl *flight) {
	if n.needs == nil {
		n.needs = make(map[*flight]int)
	}
	n.needs[fl]++
}

func (n *nested) done(fl *flight) {
	nestedMu.Lock()
	defer nestedMu.Unlock()
	if n.needs[fl]--; n.needs[fl] == 0 {
		delete(n.needs, fl)
	}
}
