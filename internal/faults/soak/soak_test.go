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

// A minute of it; the command has the long form.
func TestSoak(t *testing.T) {
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
