package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) { // not parallel: it changes the working directory
	var out strings.Builder
	if err := inTemporaryFolder(func() error { return run(t.Context(), &out) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"barbara has a :cat:", "it came from the cache", "(1 row)", "leads to another database, with 0 pets"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
