//go:build linux

package servers_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestRunIsATestWithoutOne(t *testing.T) {
	t.Parallel()
	var order []string
	err := servers.Run(t.Context(), func(t servers.TB) {
		t.Cleanup(func() { order = append(order, "first") })
		t.Cleanup(func() {
			order = append(order, "second")
			if t.Context().Err() != context.Canceled {
				t.Error("the context outlives what was run")
			}
			t.Cleanup(func() { order = append(order, "of the cleanup") })
			t.Fatal("no cleanup is left out for this")
		})
		t.Errorf("error %d", 1)
		servers.Missing(t, "oracle", "there is no package")
		order = append(order, "after the end")
	})
	if want := []string{"second", "of the cleanup", "first"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
	for _, want := range []string{"error 1", "oracle is not installed", "no cleanup is left out"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say: %s", err, want)
		}
	}
	if err := servers.Run(t.Context(), func(servers.TB) {}); err != nil {
		t.Error(err)
	}
}
