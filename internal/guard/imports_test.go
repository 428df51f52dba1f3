package guard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// arrows says for each package of the root module which others it may import. A package that is
// not here is refused: add it, and think about the direction. Examples may import what is public
// and not for tests; those that are here, what is named here besides.
var arrows = map[string][]string{
	"":                      {},
	"cache":                 {},
	"secrets":               {},
	"connection":            {"cache", "secrets", "internal/deadline", "internal/nearest", "internal/redact"},
	"connection/conntest":   {"cache", "connection", "secrets"},
	"sqlconn":               {"cache", "connection", "secrets", "internal/deadline", "internal/nearest", "internal/redact"},
	"supabase":              {"cache", "connection", "secrets", "supabase/auth", "supabase/database", "supabase/storage", "internal/deadline", "internal/nearest", "internal/rest"},
	"supabase/auth":         {"internal/deadline", "internal/rest"},
	"supabase/database":     {"internal/rest"},
	"supabase/storage":      {"internal/rest"},
	"supabase/supabasetest": {"internal/fakeauth", "internal/fakejwt", "internal/fakerest", "internal/fakestorage"},
	"internal/deadline":     {},
	"internal/deadlinetest": {},
	"internal/conformance":  {"supabase", "supabase/auth", "supabase/database", "supabase/storage"},
	"internal/fakeauth":     {"internal/fakejwt"},
	"internal/fakejwt":      {},
	"internal/fakerest":     {},
	"internal/fakestorage":  {"internal/fakejwt"},
	"internal/fakedb":       {},
	"internal/guard":        {},
	"internal/nearest":      {},
	"internal/redact":       {},
	"internal/rest":         {"internal/deadline"},

	// These programs bring a project in memory along, so that they run at once.
	"examples/signin":         {"supabase/supabasetest"},
	"examples/supabase":       {"supabase/supabasetest"},
	"examples/credits":        {"supabase/supabasetest"},
	"examples/credits/ledger": {"supabase/supabasetest"},
	"examples/credits/web":    {"examples/credits/ledger"},
}

// testArrows are the imports that a package's tests may have besides its own.
var testArrows = map[string][]string{
	"connection":            {"connection/conntest", "internal/deadlinetest", "internal/fakedb"},
	"connection/conntest":   {"internal/fakedb", "sqlconn"},
	"sqlconn":               {"connection/conntest", "internal/deadlinetest", "internal/fakedb"},
	"supabase":              {"connection/conntest", "supabase/supabasetest"},
	"supabase/auth":         {"supabase/supabasetest"},
	"supabase/database":     {"supabase/supabasetest"},
	"supabase/storage":      {"supabase/supabasetest"},
	"supabase/supabasetest": {"connection", "secrets", "supabase", "supabase/auth", "internal/conformance"},
	"internal/conformance":  {"supabase/supabasetest"},
	"internal/deadline":     {"internal/deadlinetest"},
	"internal/rest":         {"internal/deadlinetest"},
}

// checkImports says what is wrong with the imports of a package at path.
func checkImports(path string, imports, testImports []string) []string {
	example := strings.HasPrefix(path, "examples/")
	allowed, known := arrows[path]
	if !known && !example {
		return []string{fmt.Sprintf("package %q is not in the table of internal/guard/imports_test.go; add it with what it may import", path)}
	}
	var wrong []string
	check := func(imports []string, also []string, where string) {
		for _, full := range imports {
			to, ours := strings.CutPrefix(full, module)
			if !ours || to != "" && to[0] != '/' {
				continue
			}
			to = strings.TrimPrefix(to, "/")
			switch {
			case to == path: // its external tests import the package itself
			case slices.Contains(allowed, to), slices.Contains(also, to):
			case example && strings.HasPrefix(to, path+"/"): // a package of its own
			case example && public(to) && (where == "its tests" || !forTests(to)):
			case forTests(to) && where != "its tests":
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which is for tests", path, to))
			default:
				wrong = append(wrong, fmt.Sprintf("%s must not import %s (%s)", path, to, where))
			}
		}
	}
	check(imports, nil, "the package")
	check(testImports, testArrows[path], "its tests")
	return wrong
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t, root(t), nil, "-e", "./...") {
		for _, wrong := range checkImports(p.path(), p.Imports, append(p.TestImports, p.XTestImports...)) {
			t.Error(wrong)
		}
	}
}

// The table itself must not have a cycle, or it would allow what no compiler does and hide what
// it should show.
func TestArrowsHaveNoCycle(t *testing.T) {
	t.Parallel()
	var visit func(path string, trail []string)
	visit = func(path string, trail []string) {
		if slices.Contains(trail, path) {
			t.Fatalf("cycle: %s", strings.Join(append(trail, path), " → "))
		}
		for _, to := range arrows[path] {
			if _, known := arrows[to]; !known {
				t.Errorf("%s may import %s, which is not in the table", path, to)
			}
			visit(to, append(slices.Clone(trail), path))
		}
	}
	for path := range arrows {
		visit(path, nil)
	}
}

func TestWrongImportsAreSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, path    string
		imports, test []string
		want          int
	}{
		{"down", "sqlconn", []string{"fmt", "connection", "cache"}, nil, 0},
		{"up", "cache", []string{"connection"}, nil, 1},
		{"sideways", "sqlconn", []string{"supabase"}, nil, 1},
		{"sideways in tests", "supabase", nil, []string{"sqlconn"}, 1},
		{"siblings", "supabase/auth", []string{"supabase/storage"}, nil, 1},
		{"test helper in a test", "sqlconn", nil, []string{"connection/conntest", "internal/fakedb"}, 0},
		{"test helper in the package", "sqlconn", []string{"connection/conntest", "internal/fakedb"}, nil, 2},
		{"unknown package", "util", nil, nil, 1},
		{"example", "examples/quickstart", []string{"sqlconn", "secrets"}, []string{"connection/conntest"}, 0},
		{"example with what is internal", "examples/quickstart", []string{"internal/rest"}, nil, 1},
		{"example with a test helper", "examples/quickstart", []string{"connection/conntest"}, nil, 1},
		{"the package from its own tests", "cache", nil, []string{"cache"}, 0},
		{"another module", "cache", []string{module + "-contrib/x"}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			full := func(paths []string) (list []string) {
				for _, p := range paths {
					if _, ok := arrows[p]; ok {
						p = module + "/" + p
					}
					list = append(list, p)
				}
				return list
			}
			if got := checkImports(test.path, full(test.imports), full(test.test)); len(got) != test.want {
				t.Errorf("found %q, want %d findings", got, test.want)
			}
		})
	}
}
