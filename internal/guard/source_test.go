package guard_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// environment are the files that may read the process environment: everything else gets its
// values from them, so that the precedence of sources is decided in one place.
var environment = []string{
	"connection/registry.go",
	"secrets/environ.go",
	"secrets/option.go",
}

// forbidden are uses of other packages that a library must not have, and why.
var forbidden = map[string]string{
	"os.Getenv":                "the environment is read in few places",
	"os.LookupEnv":             "the environment is read in few places",
	"os.Environ":               "the environment is read in few places",
	"os.ExpandEnv":             "the environment is read in few places",
	"os.Setenv":                "nothing is ever written to the process environment",
	"os.Unsetenv":              "nothing is ever written to the process environment",
	"os.Clearenv":              "nothing is ever written to the process environment",
	"os.Exit":                  "the program decides when it ends",
	"log.Fatal":                "the program decides when it ends",
	"log.Fatalf":               "the program decides when it ends",
	"log.Fatalln":              "the program decides when it ends",
	"log/slog.SetDefault":      "the program decides where logs go",
	"net/http.DefaultClient":   "a client that others change is not ours to use",
	"net/http.Get":             "it uses http.DefaultClient",
	"net/http.Head":            "it uses http.DefaultClient",
	"net/http.Post":            "it uses http.DefaultClient",
	"net/http.PostForm":        "it uses http.DefaultClient",
	"net/http.DefaultServeMux": "a mux that others change is not ours to use",
	"context.TODO":             "nothing is left to do",
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// checkSource says what is wrong with a Go file at the given path of the checkout.
func checkSource(file, source string) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var wrong []string
	report := func(pos token.Pos, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s: %s", fset.Position(pos), fmt.Sprintf(format, args...)))
	}

	test := strings.HasSuffix(file, "_test.go")
	library := !test && !strings.HasPrefix(file, "examples/") && !strings.HasPrefix(file, "internal/integration/") &&
		!strings.HasPrefix(file, "internal/bench/") && !strings.HasPrefix(file, "internal/faults/")
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, f.Name.Name) {
		report(f.Name.Pos(), "package %s: a package is named after what it provides", f.Name.Name)
	}

	imports := make(map[string]string) // name in the file to path
	for _, spec := range f.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path.Base(to)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = to
		if name == "_" && library && to != "embed" {
			report(spec.Pos(), "import _ %q: what registers itself is for the program to import", to)
		}
	}

	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			report(fn.Pos(), "func init: nothing happens at import")
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if word := unfinished.FindString(c.Text); word != "" {
				report(c.Pos(), "%s: what is not finished is not committed", word)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !library {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || x.Obj != nil { // a variable of that name
			return true
		}
		use := imports[x.Name] + "." + sel.Sel.Name
		why, no := forbidden[use]
		reads := use == "os.Getenv" || use == "os.LookupEnv" || use == "os.Environ"
		if no && !(reads && slices.Contains(environment, file)) {
			report(sel.Pos(), "%s: %s", use, why)
		}
		return true
	})
	return wrong, nil
}

func TestSources(t *testing.T) {
	t.Parallel()
	files := 0
	walk(t, func(file string, open func() []byte) {
		if !strings.HasSuffix(file, ".go") || strings.Contains(file, "testdata/") {
			return
		}
		files++
		wrong, err := checkSource(file, string(open()))
		if err != nil {
			t.Error(err)
		}
		for _, w := range wrong {
			t.Error(w)
		}
	})
	if files == 0 {
		t.Error("no Go files found")
	}
}

func TestWrongSourcesAreSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, source string
		want               int
	}{
		{"init", "cache/a.go", "package cache\nfunc init() {}", 1},
		{"method called init", "cache/a.go", "package cache\nfunc (t T) init() {}", 0},
		{"init in a test", "cache/a_test.go", "package cache\nfunc init() {}", 1},
		{"environment", "cache/a.go", "package cache\nimport \"os\"\nvar _ = os.Getenv(\"A\")", 1},
		{"environment as a value", "cache/a.go", "package cache\nimport \"os\"\nvar _ = os.LookupEnv", 1},
		{"environment under another name", "cache/a.go", "package cache\nimport sys \"os\"\nvar _ = sys.LookupEnv", 1},
		{"environment where it is read", "secrets/option.go", "package secrets\nimport \"os\"\nvar _ = os.LookupEnv", 0},
		{"environment written where it is read", "secrets/option.go", "package secrets\nimport \"os\"\nvar _ = os.Setenv", 1},
		{"environment in a test", "cache/a_test.go", "package cache\nimport \"os\"\nvar _ = os.Getenv(\"A\")", 0},
		{"variable called os", "cache/a.go", "package cache\nimport \"os\"\nfunc f(os T) { os.Getenv() }", 0},
		{"default client", "supabase/a.go", "package supabase\nimport \"net/http\"\nvar _ = http.DefaultClient", 1},
		{"default client by Get", "supabase/a.go", "package supabase\nimport \"net/http\"\nvar _, _ = http.Get(\"x\")", 1},
		{"own client", "supabase/a.go", "package supabase\nimport \"net/http\"\nvar c http.Client\nvar _, _ = c.Get(\"x\")", 0},
		{"driver", "sqlconn/a.go", "package sqlconn\nimport _ \"modernc.org/sqlite\"", 1},
		{"driver in an example", "examples/a/main.go", "package main\nimport _ \"modernc.org/sqlite\"", 0},
		{"embed", "sqlconn/a.go", "package sqlconn\nimport _ \"embed\"", 0},
		{"util", "internal/util/a.go", "package util", 1},
		{"unfinished", "cache/a.go", "package cache\n// TO" + "DO: more", 1},
		{"exit", "cache/a.go", "package cache\nimport \"os\"\nfunc f() { os.Exit(1) }", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := checkSource(test.file, test.source)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != test.want {
				t.Errorf("found %q, want %d findings", got, test.want)
			}
		})
	}
}
