//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
)

// patience is how long a call may take; reads are tried again for as long.
const patience = time.Minute

// hung is when a call has hung that should have ended with its context.
const hung = 2 * patience

// kind is one way of using the library, and what came of it.
type kind struct {
	name   string
	fails  bool // its calls may fail: writes, and calls that are given no time
	calls  atomic.Int64
	failed atomic.Int64
	worst  atomic.Int64 // the longest call, in nanoseconds
}

// work runs calls, of all kinds at once, and stops them for a moment when somebody measures.
type work struct {
	ctx   context.Context //nolint:containedctx // of the whole
	wg    sync.WaitGroup
	still sync.RWMutex // locked by who measures
	kinds []*kind

	mu     sync.Mutex
	wrong  []string // the first few things that must not be
	wrongs int64    // all of them
}

func (w *work) kind(name string, fails bool) *kind {
	k := &kind{name: name, fails: fails}
	w.kinds = append(w.kinds, k)
	return k
}

// goes has a goroutine make calls of a kind, with a pause after each, until the end.
func (w *work) goes(k *kind, pause time.Duration, call func(ctx context.Context) error) {
	w.wg.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-w.ctx.Done():
				return
			}
			w.still.RLock()
			w.once(k, call)
			w.still.RUnlock()
			timer.Reset(pause)
		}
	})
}

// once makes a call. What ends the soak does not end it.
func (w *work) once(k *kind, call func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), patience)
	defer cancel()
	began := time.Now()
	err := call(ctx)
	took := time.Since(began)
	k.calls.Add(1)
	for worst := k.worst.Load(); int64(took) > worst && !k.worst.CompareAndSwap(worst, int64(took)); worst = k.worst.Load() {
	}
	switch {
	case took > hung:
		w.report("%s: a call of %v, whose context ended after %v: %v", k.name, took, patience, err)
	case err == nil:
	default:
		k.failed.Add(1)
		w.judge(k, err)
	}
}

// judge looks at an error: an answer that is wrong, a read that should have survived, or one that is
// of no type that a caller could tell.
func (w *work) judge(k *kind, err error) {
	if _, ok := errors.AsType[*wrongError](err); ok {
		w.report("%s: %v", k.name, err)
		return
	}
	if !k.fails {
		w.report("%s failed: %v", k.name, err)
	}
	_, named := errors.AsType[*connection.Error](err)
	_, auth := errors.AsType[*supabase.Error](err)
	if !named && !auth {
		w.report("%s: an error of no type: %v (%T)", k.name, err, err)
	}
}

// report notes what must not be.
func (w *work) report(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrongs++
	if len(w.wrong) < 20 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}
