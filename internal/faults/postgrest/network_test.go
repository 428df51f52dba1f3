//go:build linux

package postgrest_test

import (
	"testing"

	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/toxic"
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/supabase"
)

// testNetwork has the network between the library and the gateway fail.
func testNetwork(t *testing.T, p *project) {
	t.Helper()
	network := trial.Network[*supabase.Conn]{
		Addr:    p.addr(t),
		Halves:  []int64{100, 1000, 9000}, // in the headers, just after them, in the rows
		Open:    func(t *testing.T, c *trial.Case, addr string) *supabase.Conn { return p.open(t, c, addr, brief()) },
		Subject: subject,
		Loaded:  p.loaded,
	}
	network.Faults(t)
	network.Fault(t, "network swallows answers", "an attempt ends in its time, and reads survive", func(t *testing.T, n *toxic.Proxy, conn *supabase.Conn, l *load.Load) {
		for range trial.Rounds(1, 15) {
			n.Blackhole(t)
			trial.Tried(t, conn, 8)
			n.Heal()
			l.Go(t, 50)
		}
	})
}
