package main

import (
	"os"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, name := range []string{"SUPABASE_URL", "SUPABASE_KEY", "SUPABASE_PUBLISHABLE_KEY"} {
		t.Setenv(name, "") // put back after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", t.TempDir()) // where there may be secrets
	t.Chdir(t.TempDir())
	var out, bar strings.Builder
	if err := run(t.Context(), "", &out, &bar); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"this is a project inside the program", "videos/day.mp4        12000000 bytes  video/mp4", "downloaded 4 files", "200 OK, 12 bytes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if !strings.Contains(bar.String(), "100%") {
		t.Error("the bar does not come to its end")
	}
}
