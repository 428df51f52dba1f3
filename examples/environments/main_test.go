package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, name := range []string{"local", "staging"} {
		t.Setenv("DB_CONN", name)
		var out strings.Builder
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "This is "+name+", on SQLite 3.") {
			t.Errorf("it printed\n%s", out.String())
		}
	}
	t.Setenv("DB_CONN", "production")
	if err := run(t.Context(), new(strings.Builder)); err == nil || !strings.Contains(err.Error(), "[connections.production]") {
		t.Errorf("a section that is not there gives %v", err)
	}
}
