package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/supabase/database"
)

// What of database.Query sends nothing and changes nothing of what is sent.
var silentMethods = []string{"Err", "Format", "IsRead", "Key", "Request", "Runner", "String"}

// Every method of database.Query has a case with a plain and one with a hostile value, which call it
// and compare what comes back.
func TestEveryMethodOfAQueryIsTried(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, m := range slices.Concat(filterMethods(), readMethods(), writeMethods()) {
		if tried[m.name] || m.plain == nil || m.hostile == nil {
			t.Errorf("%s: there is one entry of it, with both functions", m.name)
		}
		tried[m.name] = true
	}
	query := reflect.TypeFor[query]()
	methods := map[string]bool{}
	for m := range query.Methods() {
		name := m.Name
		methods[name] = true
		if !tried[name] && !slices.Contains(silentMethods, name) {
			t.Errorf("no case of database.Query.%s: add it to methods_*.go", name)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(tried)), silentMethods) {
		if !methods[name] {
			t.Errorf("database.Query has no method %s", name)
		}
	}
	if len(methods) < 50 {
		t.Errorf("only %d methods", len(methods))
	}
}

// What an entry says that it tries, its functions call; and they compare.
func TestCasesOfMethodsCallThemAndCompare(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			field := fields(lit)
			name, ok := field["name"].(*ast.BasicLit)
			if !ok || field["plain"] == nil {
				return true
			}
			method, err := strconv.Unquote(name.Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			for _, which := range []string{"plain", "hostile"} {
				if field[which] == nil {
					t.Errorf("%s: there is no %s", method, which)
					continue
				}
				called, compared := uses(field[which], method)
				if !called {
					t.Errorf("%s: %s does not call it", method, which)
				}
				if !compared {
					t.Errorf("%s: %s compares nothing", method, which)
				}
			}
			return true
		})
	}
	if want := len(filterMethods()) + len(readMethods()) + len(writeMethods()); seen != want {
		t.Errorf("found %d entries in the sources, want %d", seen, want)
	}
}

// uses reports whether a function calls a method of this name on a query, and whether it compares rows.
func uses(fn ast.Node, method string) (called, compared bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			compared = compared || strings.HasPrefix(f.Name, "want") && f.Name != "wantError" || f.Name == "likes" || f.Name == "hostileRange"
		case *ast.SelectorExpr:
			x, ok := f.X.(*ast.Ident)
			called = called || f.Sel.Name == method && (!ok || x.Name != "database")
		}
		return true
	})
	return called, compared
}

func TestUsesAreSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source           string
		called, compared bool
	}{
		{`func() { wantIDs(c, "", q.Eq("a", 1)) }`, true, true},
		{`func() { want(c, "", ids(c, books(c).Eq("a", 1).Order("b")), nil) }`, true, true},
		{`func() { wantIDs(c, "", q.Where(database.Eq("a", 1))) }`, false, true},
		{`func() { q.Eq("a", 1); wantError(c, err, nil) }`, true, false},
	} {
		e, err := parser.ParseExpr(test.source)
		if err != nil {
			t.Fatal(err)
		}
		if called, compared := uses(e, "Eq"); called != test.called || compared != test.compared {
			t.Errorf("%s: called %v, compared %v", test.source, called, compared)
		}
	}
}

// fields are those of a literal that names them.
func fields(lit *ast.CompositeLit) map[string]ast.Expr {
	m := map[string]ast.Expr{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				m[key.Name] = kv.Value
			}
		}
	}
	return m
}

// sources are the files of the package, without its tests.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	return parse(t, ".")
}

func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// What of package database makes or runs no query.
var silentFunctions = []string{"Over", "WithHeader", "WithLogger", "WithMaxBody", "WithRetry"}

// Every function of package database is called by some case, as is every method of its Schema and Client.
func TestEveryFunctionOfTheDatabaseIsTried(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "database" {
					used[sel.Sel.Name] = true
				} else {
					used["."+sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	var functions int
	for _, f := range parse(t, filepath.Join("..", "..", "supabase", "database")) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() {
				continue
			}
			functions++
			if !used[fn.Name.Name] && !slices.Contains(silentFunctions, fn.Name.Name) {
				t.Errorf("no case calls database.%s: add one to this package", fn.Name.Name)
			}
		}
	}
	if functions < 40 {
		t.Errorf("only %d functions", functions)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[database.Schema[*database.Client]](), reflect.TypeFor[*database.Client]()} {
		for m := range typ.Methods() {
			name := m.Name
			if !used["."+name] && !slices.Contains([]string{"GoString", "LogValue", "String", "Close", "WithToken"}, name) {
				t.Errorf("no case calls %s.%s", typ, name)
			}
		}
	}
}
