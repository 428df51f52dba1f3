//go:build linux

package main

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

// most is how many writes one writer makes at most. What keeps account of them has room for all from
// the start, since nothing may grow here, either.
const most = 1 << 19

// set is a set of numbers below most.
type set [most / 64]atomic.Uint64

func (s *set) add(n int) (before bool) {
	bit := uint64(1) << (n % 64)
	return s[n/64].Or(bit)&bit != 0
}

func (s *set) has(n int) bool { return s[n/64].Load()&(1<<(n%64)) != 0 }

func (s *set) len() (n int64) {
	for i := range s {
		n += int64(bits.OnesCount64(s[i].Load()))
	}
	return n
}

// ledger is the account of one writer into a ledger.
type ledger struct {
	tried atomic.Int64 // numbers below it were tried
	acked set          // those that were told to have succeeded
	there set          // those that were found at the end
}

// next is the number of the next write; false: there is no room for another.
func (l *ledger) next() (n int, ok bool) {
	n = int(l.tried.Add(1)) - 1
	if n >= most {
		l.tried.Store(most)
		return 0, false
	}
	return n, true
}

// outcome is what became of all writes.
type outcome struct {
	Writes, Acked          int64
	Lost, Repeated, Unmade int64 // unmade are there, and nobody made them
}

// found notes a row that is there, times times.
func (l *ledger) found(n, times int, o *outcome) {
	if n < 0 || int64(n) >= l.tried.Load() {
		o.Unmade++
		return
	}
	if l.there.add(n) || times > 1 {
		o.Repeated++
	}
}

// close adds the writer's account, after all that is there was found.
func (l *ledger) close(o *outcome) {
	tried := l.tried.Load()
	o.Writes += tried
	o.Acked += l.acked.len()
	for n := range int(tried) {
		if l.acked.has(n) && !l.there.has(n) {
			o.Lost++
		}
	}
}

// counter is a number at a source that one writer makes larger, and everybody reads: whoever reads
// it after a write has succeeded sees that or a later one, cached or not.
type counter struct {
	mu           sync.Mutex // of the writer
	tried, acked atomic.Int64
}

// write makes it larger by one; do sends that.
func (c *counter) write(do func(v int64) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.tried.Add(1)
	err := do(v)
	if err == nil {
		c.acked.Store(v)
	}
	return err
}

// errWrong is an answer that cannot be right, where every other error is one that was told.
type wrongError struct{ what string }

func (e *wrongError) Error() string { return e.what }

func wrong(format string, args ...any) error { return &wrongError{fmt.Sprintf(format, args...)} }

// read gets it by do, and tells when that cannot have been.
func (c *counter) read(do func() (int64, error)) error {
	from := c.acked.Load()
	v, err := do()
	if err != nil {
		return err
	}
	if to := c.tried.Load(); v < from || v > to {
		return wrong("a counter of %d, after %d was written and before %d", v, from, to+1)
	}
	return nil
}
