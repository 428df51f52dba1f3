//go:build linux

package postgrest_test

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
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/supabase"
)

// testNetwork has the network between the library and the gateway fail.
func testNetwork(t *testing.T, p *project) {
	t.Helper()
	network := func(name, promised string, breaks func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load)) {
		trial.Fault(t, name, promised, func(t *testing.T, c *trial.Case) string {
			n := toxic.New(t, p.addr(t))
			conn := p.open(t, c, n.Addr(), brief())
			c.Closes = append([]func() error{n.Close}, c.Closes...)
			return p.loaded(t, c, conn, func(l *load.Load) { breaks(t, n, conn, l) })
		})
	}

	network("network delays", "slow is not broken: no call fails, none is tried again", func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		for range trial.Rounds(2, 15) {
			n.Delay(t, 20*time.Millisecond)
			l.Go(t, 50)
			n.Heal()
			l.Go(t, 50)
		}
		if n := connection.Stats(conn).Retries; n != 0 || l.WriteFailures.Load() != 0 {
			t.Errorf("%d retries, %d failed writes", n, l.WriteFailures.Load())
		}
	})

	network("network cuts connections", readsSurvive, func(t *testing.T, n *toxic.Proxy, _ *supabase.Conn, l *load.Load) {
		for range trial.Rounds(10, 150) {
			n.Cut(t)
			l.Go(t, 20)
		}
	})

	network("network resets connections", readsSurvive, func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		for range trial.Rounds(2, 15) {
			n.Reset(t)
			tried(t, conn, 16)
			n.Heal()
			l.Go(t, 50)
		}
	})

	network("network halves answers", "half an answer is never taken for one; reads survive", func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		// In the headers, just after them, in the rows.
		for _, bytes := range []int64{100, 1000, 9000} {
			for range trial.Rounds(1, 6) {
				n.Halve(t, bytes)
				tried(t, conn, 16)
				n.Heal()
				l.Go(t, 50)
			}
		}
	})

	network("network refuses connections", readsSurvive, func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		for range trial.Rounds(2, 15) {
			n.Refuse()
			tried(t, conn, 16)
			n.Serve(t)
			l.Go(t, 50)
		}
	})

	network("network swallows answers", "an attempt ends in its time, and reads survive", func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		for range trial.Rounds(1, 15) {
			n.Blackhole(t)
			tried(t, conn, 8)
			n.Heal()
			l.Go(t, 50)
		}
	})

	trial.Fault(t, "network is a black hole", "a call ends with its context, before any answer; later ones work", func(t *testing.T, c *trial.Case) string {
		n := toxic.New(t, p.addr(t))
		conn := p.open(t, c, n.Addr())
		c.Closes = append([]func() error{n.Close}, c.Closes...)
		subject := subject(t, conn)
		for round := range trial.Rounds(2, 20) {
			n.Blackhole(t)
			var wg sync.WaitGroup
			for i := range trial.Rounds(8, 64) {
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
					typed(t, err)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v, want the deadline", err)
					}
				})
			}
			wg.Wait() // the hole is still there
			n.Heal()
			c.Reads.Add(1)
			if err := subject.Read(t.Context()); err != nil {
				t.Errorf("after the hole: %v", err)
			}
		}
		return "all calls ended with their deadline while the hole was there; the next read worked"
	})
}
