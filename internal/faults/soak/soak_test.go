//go:build linux

package main

import (
	"os"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestMain(m *testing.M) {
	if isWorld(os.Args) {
		os.Exit(worldMain())
	}
	os.Exit(m.Run())
}

// A minute of it, on request; the command has the long form. On a machine that is too busy, what breaks
// things may wait for a server's restart for longer than anybody waits for a test.
func TestSoak(t *testing.T) {
	if os.Getenv("STREAMCONN_SOAK") == "" {
		t.Skip("set STREAMCONN_SOAK=1 for a minute of everything at once")
	}
	servers.NeedPostgREST(t)
	r, err := run(t.Context(), time.Minute, "")
	if err != nil {
		t.Error(err)
	}
	if r == nil {
		return
	}
	if err := r.print(os.Stdout); err != nil {
		t.Error(err)
	}
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
}
