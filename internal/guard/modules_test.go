package guard_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goMod is what `go mod edit -json` tells of a go.mod.
type goMod struct {
	Module    struct{ Path string }
	Go        string
	Toolchain string
	Require   []struct{ Path, Version string }
	Exclude   []any
	Replace   []struct {
		Old, New struct{ Path string }
	}
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	var mod goMod
	if err := json.Unmarshal(goTool(t, dir, nil, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	return mod
}

// compare reports what is in one of two lists only.
func compare(t *testing.T, what, advice string, got, want []string) {
	t.Helper()
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: %s is new; %s", what, g, advice)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: %s is gone; %s", what, w, advice)
		}
	}
}

func TestRequiredModulesAreTheAgreedOnes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/require.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) == 1 {
			t.Errorf("testdata/require.txt: %s has no reason", fields[0])
		}
		want = append(want, fields[0])
	}
	mod := readGoMod(t, root(t))
	var got []string
	for _, r := range mod.Require {
		got = append(got, r.Path)
	}
	compare(t, "go.mod", "if that is meant, change internal/guard/testdata/require.txt", got, want)

	// What would be another build for our users than for us, or force a Go release on them.
	if len(mod.Replace) > 0 || len(mod.Exclude) > 0 {
		t.Error("go.mod has replace or exclude lines, which do not count for those who import the module")
	}
	if mod.Toolchain != "" {
		t.Errorf("go.mod has the line toolchain %s", mod.Toolchain)
	}
	if !strings.HasSuffix(mod.Go, ".0") {
		t.Errorf("go.mod says go %s; a patch release must not be required", mod.Go)
	}
}

func TestNestedModulesUseTheCheckout(t *testing.T) {
	t.Parallel()
	var dirs []string
	walk(t, func(path string, _ func() []byte) {
		if filepath.Base(path) == "go.mod" && path != "go.mod" && !strings.Contains(path, "testdata/") {
			dirs = append(dirs, filepath.Dir(path))
		}
	})
	if len(dirs) == 0 {
		t.Fatal("no nested modules found; internal/integration is one")
	}
	for _, dir := range dirs {
		mod := readGoMod(t, filepath.Join(root(t), dir))
		if want := module + "/" + filepath.ToSlash(dir); mod.Module.Path != want {
			t.Errorf("%s/go.mod: module %s, want %s", dir, mod.Module.Path, want)
		}
		up, err := filepath.Rel(dir, ".")
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range mod.Replace {
			if r.Old.Path == module {
				found = r.New.Path == filepath.ToSlash(up)
			}
		}
		if !found {
			t.Errorf("%s/go.mod: the line is missing: replace %s => %s", dir, module, filepath.ToSlash(up))
		}
	}
}

// linked are the modules of a list of packages, without the standard library and the own one.
func linked(list []pkg) []string {
	set := make(map[string]bool)
	for _, p := range list {
		if p.Module != nil && !p.Standard && p.Module.Path != module {
			set[p.Module.Path] = true
		}
	}
	delete(set, emptyModule)
	return slices.Sorted(maps.Keys(set))
}

// testCode are the packages of a list that belong to tests.
func testCode(list []pkg) []string {
	var found []string
	for _, p := range list {
		ours, _ := strings.CutPrefix(p.ImportPath, module+"/")
		if p.ImportPath == "testing" || strings.HasPrefix(p.ImportPath, "testing/") || ours != p.ImportPath && forTests(ours) {
			found = append(found, p.ImportPath)
		}
	}
	return found
}

const golden = "testdata/linked.golden"

// readGolden reads the modules that each public package may link.
func readGolden(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string][]string)
	var current string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if path, nested := strings.CutPrefix(line, "\t"); nested {
			want[current] = append(want[current], path)
		} else if line != "" && !strings.HasPrefix(line, "#") {
			current = line
			want[current] = nil
		}
	}
	return want
}

func TestPackagesLinkTheAgreedModules(t *testing.T) {
	t.Parallel()
	got := make(map[string][]string)
	for _, p := range packages(t, root(t), nil, "-e", "./...") {
		if !public(p.path()) || p.Name == "" {
			continue
		}
		deps := packages(t, root(t), nil, "-deps", p.ImportPath)
		got[p.ImportPath] = linked(deps)
		if !forTests(p.path()) {
			for _, dep := range testCode(deps) {
				t.Errorf("%s links %s, which is for tests", p.ImportPath, dep)
			}
		}
	}
	if *update {
		var b bytes.Buffer
		fmt.Fprintf(&b, "# The modules that a program links by importing a package. Written by:\n# go test ./internal/guard -update\n")
		for _, path := range slices.Sorted(maps.Keys(got)) {
			fmt.Fprintf(&b, "\n%s\n", path)
			for _, m := range got[path] {
				fmt.Fprintf(&b, "\t%s\n", m)
			}
		}
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	const advice = "if that is meant: go test ./internal/guard -update"
	want := readGolden(t)
	compare(t, golden, advice, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	for path := range got {
		if _, known := want[path]; known {
			compare(t, path, advice, got[path], want[path])
		}
	}
}

const emptyModule = "example.com/empty"

// A program that imports the library links what it has to and nothing else, and nothing starts
// when it starts.
func TestEmptyModuleLinksNoMore(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("it compares with what is being written")
	}
	existing := make(map[string]bool)
	for _, p := range packages(t, root(t), nil, "-e", "./...") {
		existing[p.path()] = true
	}
	for _, set := range [][]string{{"connection", "sqlconn"}, {"supabase"}} {
		if slices.ContainsFunc(set, func(path string) bool { return !existing[path] }) {
			continue // the guards hold what there is
		}
		t.Run(strings.Join(set, " and "), func(t *testing.T) {
			t.Parallel()
			want := make(map[string]bool)
			agreed := readGolden(t)
			var main strings.Builder
			main.WriteString("package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n\n")
			for _, path := range set {
				fmt.Fprintf(&main, "\t_ %q\n", module+"/"+path)
				for _, m := range agreed[module+"/"+path] {
					want[m] = true
				}
			}
			main.WriteString(")\n\nfunc main() { fmt.Print(runtime.NumGoroutine()) }\n")

			dir := emptyProgram(t, main.String())
			offline := []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off"}
			deps := packages(t, dir, offline, "-deps", ".")
			compare(t, "the program", "the packages and the program link the same", linked(deps), slices.Sorted(maps.Keys(want)))
			for _, dep := range testCode(deps) {
				t.Errorf("the program links %s, which is for tests", dep)
			}
			for _, d := range drivers(deps) {
				t.Errorf("the program links %s, which looks like a SQL driver", d)
			}

			binary := filepath.Join(dir, "empty")
			goTool(t, dir, append(offline, "GOOS=", "GOARCH="), "build", "-o", binary, ".")
			out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
			if err != nil || string(out) != "1" {
				t.Errorf("an empty program has %s goroutines (%v), want 1: nothing starts at import", out, err)
			}
		})
	}
}

// emptyProgram makes a module whose only requirement is the checkout.
func emptyProgram(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	sums, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod := fmt.Sprintf("module %s\n\ngo %s\n\nrequire %s v0.0.0\n\nreplace %s => %q\n",
		emptyModule, readGoMod(t, root(t)).Go, module, module, filepath.ToSlash(root(t)))
	for name, data := range map[string][]byte{"go.mod": []byte(mod), "go.sum": sums, "main.go": []byte(source)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// drivers are the packages of others that import database/sql, which only those do that register
// a driver.
func drivers(list []pkg) []string {
	var found []string
	for _, p := range list {
		ours := p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/") || p.ImportPath == emptyModule
		if !p.Standard && !ours && slices.Contains(p.Imports, "database/sql") {
			found = append(found, p.ImportPath)
		}
	}
	return found
}

// The checks see a driver and test code where there are some.
func TestLinkedDriversAndTestCodeAreSeen(t *testing.T) {
	t.Parallel()
	dir := emptyProgram(t, "package main\n\nimport (\n\t_ \"testing/fstest\"\n\n\t_ \"modernc.org/sqlite\"\n)\n\nfunc main() {}\n")
	deps := packages(t, dir, []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off"}, "-deps", ".")
	if !slices.Contains(linked(deps), "modernc.org/sqlite") {
		t.Error("the module of the driver is not seen")
	}
	if got := drivers(deps); !slices.Contains(got, "modernc.org/sqlite") {
		t.Errorf("drivers = %q", got)
	}
	if got := testCode(deps); !slices.Contains(got, "testing/fstest") {
		t.Errorf("test code = %q", got)
	}
}
