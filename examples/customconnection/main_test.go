package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "the service was asked 1 time.") || strings.Contains(got, "not-for-your-eyes") {
		t.Errorf("it printed\n%s", got)
	}
}
