package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	for _, name := range []string{"SUPABASE_URL", "SUPABASE_KEY", "SUPABASE_PUBLISHABLE_KEY"} {
		t.Setenv(name, "") // put back after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", t.TempDir()) // where there may be secrets
	t.Chdir(t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := `no SUPABASE_URL and SUPABASE_KEY: this is a project inside the program
The Cyberiad by Lem, 7.25
The Lathe of Heaven by Le Guin, 8.50
The Cyberiad by Lem, 7.25
The Lathe of Heaven by Le Guin, 8.50
read 2 times, asked once
the eldest of 2 authors is Lem
the books of Le Guin are worth 18.49
no such book: true
ada sees [{a note of ada}]
grace sees [{a note of grace}]
`
	if out.String() != want {
		t.Errorf("printed\n%s", out.String())
	}
}
