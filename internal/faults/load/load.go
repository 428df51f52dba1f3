// Package load puts a source under load while it is broken, and keeps account of each call: how many
// failed, and of each write whether it was told to have succeeded.
package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Subject is what is put under load.
type Subject struct {
	// Read reads once, past every cache, and fails if the answer is not whole.
	Read func(ctx context.Context) error
	// Write writes a row with this id.
	Write func(ctx context.Context, id string) error
}

// A Load is a number of goroutines that read and write until it is stopped.
type Load struct {
	Reads, ReadFailures   atomic.Int64
	Writes, WriteFailures atomic.Int64

	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	acked  []string // ids of the writes that succeeded
	errors []error  // the first few of reads
}

// Start begins: so many goroutines that read, and so many that write.
func Start(s Subject, readers, writers int) *Load {
	l := &Load{stop: make(chan struct{})}
	for range readers {
		l.wg.Go(func() {
			for l.goes() {
				err := s.Read(context.Background())
				l.Reads.Add(1)
				if err != nil {
					l.failed(err)
					l.pause()
				}
			}
		})
	}
	for w := range writers {
		l.wg.Go(func() {
			for n := 0; l.goes(); n++ {
				id := fmt.Sprintf("%d-%d", w, n)
				err := s.Write(context.Background(), id)
				l.Writes.Add(1)
				if err != nil {
					l.WriteFailures.Add(1)
					l.pause()
					continue
				}
				l.mu.Lock()
				l.acked = append(l.acked, id)
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *Load) failed(err error) {
	l.ReadFailures.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errors) < 3 {
		l.errors = append(l.errors, err)
	}
}

func (l *Load) goes() bool {
	select {
	case <-l.stop:
		return false
	default:
		return true
	}
}

// pause keeps who has got an error from asking again at once, thousands of times.
func (l *Load) pause() {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	}
}

// Go waits until that many more reads have succeeded.
func (l *Load) Go(t testing.TB, n int64) {
	t.Helper()
	until := l.Reads.Load() - l.ReadFailures.Load() + n
	Eventually(t, "reads go on", func() bool { return l.Reads.Load()-l.ReadFailures.Load() >= until })
}

// Wrote waits until that many more writes have succeeded.
func (l *Load) Wrote(t testing.TB, n int64) {
	t.Helper()
	until := l.Writes.Load() - l.WriteFailures.Load() + n
	Eventually(t, "writes go on", func() bool { return l.Writes.Load()-l.WriteFailures.Load() >= until })
}

// Stop ends the load and waits for all calls.
func (l *Load) Stop() {
	close(l.stop)
	l.wg.Wait()
}

// ReadErrors are the first few of those that failed.
func (l *Load) ReadErrors() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors
}

// Account compares the writes with what is there, how often by id: lost are those that succeeded
// and are not there, repeated those that are there more than once.
func (l *Load) Account(there map[string]int) (lost, repeated int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.acked {
		if there[id] == 0 {
			lost++
		}
	}
	for _, n := range there {
		if n > 1 {
			repeated++
		}
	}
	return lost, repeated
}

// Eventually waits for what a server does in its own time.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came: %s", what)
		}
	}
}
