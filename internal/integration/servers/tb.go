//go:build linux

package servers

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// TB is what a server needs of whoever starts it: a *testing.T or *testing.B has it, and in a program
// that of [Run].
type TB interface {
	Helper()
	Context() context.Context // ends before what Cleanup was given is called
	Cleanup(f func())
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Run calls f with what a test has, for programs: Fatal ends f, and what Cleanup was given is called,
// the last first, when f has ended. Its error joins those that were told. ctx bounds the servers'
// start; they run on until f returns.
func Run(ctx context.Context, f func(t TB)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &program{ctx: ctx}
	p.call(func() { f(p) })
	cancel()
	for {
		p.mu.Lock()
		last := len(p.cleanups) - 1
		if last < 0 {
			p.mu.Unlock()
			return errors.Join(p.errs...)
		}
		cleanup := p.cleanups[last]
		p.cleanups = slices.Delete(p.cleanups, last, last+1)
		p.mu.Unlock()
		p.call(cleanup)
	}
}

// program is a TB without a test.
type program struct {
	ctx context.Context //nolint:containedctx // as a test has it

	mu       sync.Mutex
	errs     []error
	cleanups []func()
}

// call calls f on a goroutine of its own, which Fatal ends.
func (p *program) call(f func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	<-ended
}

func (p *program) Helper()                  {}
func (p *program) Context() context.Context { return p.ctx }

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) tell(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, errors.New(text))
}

func (p *program) Error(args ...any)                 { p.tell(fmt.Sprint(args...)) }
func (p *program) Errorf(format string, args ...any) { p.tell(fmt.Sprintf(format, args...)) }

func (p *program) Fatal(args ...any) {
	p.Error(args...)
	runtime.Goexit()
}

func (p *program) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	runtime.Goexit()
}

// Skipf is a failure: who starts a program wants it to run.
func (p *program) Skipf(format string, args ...any) { p.Fatalf(format, args...) }
