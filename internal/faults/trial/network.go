//go:build linux

package trial

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/toxic"
)

// ReadsSurvive is what most faults are to show.
const ReadsSurvive = "reads survive; a write runs once, and what it was told is so"

// Tried waits until so many more tries of a connection have failed.
func Tried(t *testing.T, conn connection.Any, n uint64) {
	t.Helper()
	until := connection.Stats(conn).Retries + n
	load.Eventually(t, "reads are tried again", func() bool { return connection.Stats(conn).Retries >= until })
}

// Network is a network on trial, between connections and a server.
type Network[C connection.Any] struct {
	// Addr is the server's.
	Addr string
	// Halves are after how many bytes an answer breaks off: in what comes before the rows, and in them.
	Halves []int64
	// Open makes a connection by way of addr, and closes it with the case. Its attempts end by themselves
	// where the network swallows them.
	Open func(t *testing.T, c *Case, addr string) C
	// Subject is what is put under load.
	Subject func(t *testing.T, conn C) load.Subject
	// Loaded puts the load on, breaks something under it, and says what was seen.
	Loaded func(t *testing.T, c *Case, conn C, breaks func(l *load.Load)) string
}

// Fault has the network fail in one way under load.
func (n Network[C]) Fault(t *testing.T, name, promised string, breaks func(t *testing.T, p *toxic.Proxy, conn C, l *load.Load)) {
	t.Helper()
	Fault(t, name, promised, func(t *testing.T, c *Case) string {
		p, conn := n.open(t, c)
		return n.Loaded(t, c, conn, func(l *load.Load) { breaks(t, p, conn, l) })
	})
}

func (n Network[C]) open(t *testing.T, c *Case) (*toxic.Proxy, C) {
	t.Helper()
	p := toxic.New(t, n.Addr)
	conn := n.Open(t, c, p.Addr())
	c.Closes = append([]func() error{p.Close}, c.Closes...)
	return p, conn
}

// Faults has the network fail in all ways that concern every kind of connection.
func (n Network[C]) Faults(t *testing.T) {
	t.Helper()
	n.Fault(t, "network delays", "slow is not broken: no call fails, none is tried again", func(t *testing.T, p *toxic.Proxy, conn C, l *load.Load) {
		for range Rounds(2, 20) {
			p.Delay(t, 20*time.Millisecond)
			l.Go(t, 50)
			p.Heal()
			l.Go(t, 50)
		}
		if retries := connection.Stats(conn).Retries; retries != 0 || l.WriteFailures.Load() != 0 {
			t.Errorf("%d retries, %d failed writes", retries, l.WriteFailures.Load())
		}
	})

	n.Fault(t, "network cuts connections", ReadsSurvive, func(t *testing.T, p *toxic.Proxy, _ C, l *load.Load) {
		for range Rounds(10, 200) {
			p.Cut(t)
			l.Go(t, 20)
		}
	})

	n.Fault(t, "network resets connections", ReadsSurvive, func(t *testing.T, p *toxic.Proxy, conn C, l *load.Load) {
		for range Rounds(2, 20) {
			p.Reset(t)
			Tried(t, conn, 16)
			p.Heal()
			l.Go(t, 50)
		}
	})

	n.Fault(t, "network halves answers", "half an answer is never taken for one; reads survive", func(t *testing.T, p *toxic.Proxy, conn C, l *load.Load) {
		for _, bytes := range n.Halves {
			for range Rounds(1, 8) {
				p.Halve(t, bytes)
				Tried(t, conn, 16)
				p.Heal()
				l.Go(t, 50)
			}
		}
	})

	n.Fault(t, "network refuses connections", ReadsSurvive, func(t *testing.T, p *toxic.Proxy, conn C, l *load.Load) {
		for range Rounds(2, 20) {
			p.Refuse()
			Tried(t, conn, 16)
			p.Serve(t)
			l.Go(t, 50)
		}
	})

	Fault(t, "network is a black hole", "a call ends with its context, before any answer; later ones work", func(t *testing.T, c *Case) string {
		p, conn := n.open(t, c)
		subject := n.Subject(t, conn)
		for round := range Rounds(2, 20) {
			p.Blackhole(t)
			var wg sync.WaitGroup
			for i := range Rounds(8, 64) {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					defer cancel()
					var err error
					if i%4 == 0 {
						c.Writes.Add(1)
						c.WriteFails.Add(1)
						err = subject.Write(ctx, fmt.Sprintf("hole-%d-%d", round, i))
					} else {
						c.Reads.Add(1)
						c.ReadFails.Add(1)
						err = subject.Read(ctx)
					}
					if _, named := errors.AsType[*connection.Error](err); !named || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v, want the deadline, and the connection's name", err)
					}
				})
			}
			wg.Wait() // the hole is still there
			p.Heal()
			c.Reads.Add(1)
			if err := subject.Read(t.Context()); err != nil {
				t.Errorf("after the hole: %v", err)
			}
		}
		return "all calls ended with their deadline while the hole was there; the next read worked"
	})
}
