package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "[{Rex 4}]") || !strings.Contains(got, "Tweety") {
		t.Errorf("it printed\n%s", got)
	}
}
