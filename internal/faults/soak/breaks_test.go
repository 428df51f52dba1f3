//go:build linux

package main

import (
	"runtime"
	"testing"
	"time"
)

// A server that does not come back ends the world; it must not leave the parent waiting for a quiet moment.
func TestWhatCannotBePutInOrderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := newBreaking(nil)
	b.loop(time.Millisecond, runtime.Goexit) // as Fatal does
	b.wg.Wait()
	b.hold()
	if !b.failed.Load() {
		t.Error("nobody is told")
	}
	turn := make(chan struct{})
	go func() { // waits for its turn
		defer close(turn)
		b.one(func() {})
	}()
	b.end() // which does not wait for who holds them up
	<-turn
}

func TestWhatWasBrokenIsWholeWhileItIsHeld(t *testing.T) {
	t.Parallel()
	b := newBreaking(nil)
	var broken bool
	breaks := make(chan struct{})
	b.loop(time.Millisecond, func() {
		broken = true
		select {
		case breaks <- struct{}{}:
		case <-b.ctx.Done():
		}
		broken = false
	})
	for range 100 {
		<-breaks
		b.hold()
		if broken {
			t.Error("something is broken")
		}
		b.goOn()
	}
	b.end()
	if b.failed.Load() {
		t.Error("nothing has failed")
	}
}
