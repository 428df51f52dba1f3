package secrets

import (
	"reflect"
	"runtime"
	"slices"
	"sync"
)

// OnChange has f called after each change of the merged values, by the goroutine
// whose [Store.Refresh] or [Store.Watch] found it: outside all locks, so that f
// may use the Store, and one function at a time. Several changes in quick
// succession may make one call; the last call sees the last values.
//
// After cancel has returned, f is not running and is not called any more: cancel
// waits for a call that is under way, so do not hold a lock that f takes. Called
// by f itself it does not wait. It may be called any number of times.
func (s *Store) OnChange(f func()) (cancel func()) { return s.listeners.add(f) }

// listeners calls functions after a change. The zero value is ready.
type listeners struct {
	mu         sync.Mutex
	all        []*listener // in the order in which they came
	delivering bool        // some goroutine is calling them
}

type listener struct {
	f    func()
	due  bool          // to be called
	done chan struct{} // while f runs: closed when it has returned
}

func (l *listeners) add(f func()) (cancel func()) {
	one := &listener{f: f}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, one)

	return func() {
		l.mu.Lock()
		l.all = slices.DeleteFunc(l.all, func(other *listener) bool { return other == one })
		done := one.done
		l.mu.Unlock()
		if done != nil && !calledByListener() {
			<-done
		}
	}
}

// changed makes every listener due.
func (l *listeners) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		one.due = true
	}
}

// deliver calls what is due, unless that is being done already: then whoever
// does it takes over what came up meanwhile. So a listener may refresh the
// store, and listeners never run side by side. After a panic in a listener the
// others stay due.
func (l *listeners) deliver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.delivering {
		return
	}
	l.delivering = true
	defer func() { l.delivering = false }()
	for {
		i := slices.IndexFunc(l.all, func(one *listener) bool { return one.due })
		if i < 0 {
			return
		}
		l.call(l.all[i])
	}
}

// call runs one listener without the lock, and has the lock again afterwards
// however that ended.
func (l *listeners) call(one *listener) {
	one.due = false
	one.done = make(chan struct{})
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		close(one.done)
		one.done = nil
	}()
	one.f()
}

// calledByListener says whether a listener is running on this goroutine, which
// would wait for itself in cancel. The stack is the only witness of that; it is
// asked only if cancel meets a call that is under way.
func calledByListener() bool {
	call := runtime.FuncForPC(reflect.ValueOf((*listeners).call).Pointer()).Name()
	callers := make([]uintptr, 64)
	n := runtime.Callers(1, callers)
	for n == len(callers) {
		callers = make([]uintptr, 2*len(callers))
		n = runtime.Callers(1, callers)
	}
	frames := runtime.CallersFrames(callers[:n])
	for {
		frame, more := frames.Next()
		if frame.Function == call {
			return true
		}
		if !more {
			return false
		}
	}
}
