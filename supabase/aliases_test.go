package supabase_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
	"github.com/streamconn/streamconn/supabase/database"
	"github.com/streamconn/streamconn/supabase/storage"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// go doc shows nothing of a type that is an alias of an internal one: its comment lists what it has.
// Methods that every type may have, for fmt, slog, json and errors, are not listed.
func TestAliasesListWhatTheyHave(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, name string
		of         reflect.Type
	}{
		{"errors.go", "Error", reflect.TypeFor[supabase.Error]()},
		{"connect.go", "Event", reflect.TypeFor[supabase.Event]()},
		{"database/client.go", "Retry", reflect.TypeFor[database.Retry]()},
		{"auth/client.go", "Retry", reflect.TypeFor[auth.Retry]()},
		{"storage/client.go", "Retry", reflect.TypeFor[storage.Retry]()},
		{"supabasetest/tables.go", "Row", reflect.TypeFor[supabasetest.Row]()},
		{"supabasetest/tables.go", "Tx", reflect.TypeFor[supabasetest.Tx]()},
		{"supabasetest/tables.go", "Args", reflect.TypeFor[supabasetest.Args]()},
		{"supabasetest/tables.go", "Func", reflect.TypeFor[supabasetest.Func]()},
		{"supabasetest/tables.go", "DatabaseError", reflect.TypeFor[supabasetest.DatabaseError]()},
		{"supabasetest/tables.go", "Policy", reflect.TypeFor[supabasetest.Policy]()},
		{"supabasetest/tables.go", "Caller", reflect.TypeFor[supabasetest.Caller]()},
		{"supabasetest/users.go", "Mail", reflect.TypeFor[supabasetest.Mail]()},
		{"supabasetest/users.go", "Session", reflect.TypeFor[supabasetest.Session]()},
		{"supabasetest/files.go", "StorageAccess", reflect.TypeFor[supabasetest.StorageAccess]()},
	} {
		got, want := listed(t, tt.file, tt.name, tt.of.Kind() == reflect.Struct), whatItHas(tt.of)
		if !slices.Equal(got, want) {
			t.Errorf("%s lists\n\t%s\nwant\n\t%s", tt.name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

// listed is what the comment of an alias lists, sorted.
func listed(t *testing.T, file, name string, isStruct bool) []string {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(src), "\ntype "+name+" = ")
	lines := strings.Split(before, "\n")
	fields, decls := "", ""
	for _, line := range slices.Backward(lines) {
		switch code, indented := strings.CutPrefix(line, "//\t"); {
		case !strings.HasPrefix(line, "//"):
			return parsed(t, "type _ struct {\n"+fields+"}\n"+decls)
		case !indented:
		case strings.HasPrefix(code, "func ") || strings.HasPrefix(code, "type "):
			decls = code + "\n" + decls
		case isStruct:
			fields = code + "\n" + fields
		}
	}
	return nil
}

// parsed gives the declarations of a source in one form.
func parsed(t *testing.T, src string) (list []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	var form func(e ast.Expr) string
	tuple := func(l *ast.FieldList) (parts []string) {
		if l == nil {
			return nil
		}
		for _, p := range l.List {
			for range max(len(p.Names), 1) {
				parts = append(parts, form(p.Type))
			}
		}
		return parts
	}
	form = func(e ast.Expr) string {
		if f, ok := e.(*ast.FuncType); ok {
			return "func(" + strings.Join(tuple(f.Params), ", ") + ") (" + strings.Join(tuple(f.Results), ", ") + ")"
		}
		return types.ExprString(e)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			list = append(list, d.Name.Name+" "+form(d.Type))
		case *ast.GenDecl:
			spec := d.Specs[0].(*ast.TypeSpec)
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				list = append(list, form(spec.Type))
				continue
			}
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					list = append(list, name.Name+" "+form(field.Type))
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// whatItHas are the exported fields and methods of a type, or what it is, in that form.
func whatItHas(of reflect.Type) (list []string) {
	if of.Kind() == reflect.Struct {
		for f := range of.Fields() {
			if f.IsExported() {
				list = append(list, f.Name+" "+typeForm(f.Type))
			}
		}
	} else {
		list = append(list, underlying(of))
	}
	for m := range reflect.PointerTo(of).Methods() {
		switch m.Name {
		case "Error", "Unwrap", "Is", "Format", "LogValue", "MarshalText", "MarshalJSON":
		default:
			list = append(list, m.Name+" "+funcForm(m.Type, 1))
		}
	}
	slices.Sort(list)
	return list
}

func underlying(of reflect.Type) string {
	if of.Kind() == reflect.Func {
		return funcForm(of, 0)
	}
	return "map[" + typeForm(of.Key()) + "]" + typeForm(of.Elem())
}

func funcForm(f reflect.Type, skip int) string {
	var in, out []string
	for i := skip; i < f.NumIn(); i++ {
		p := typeForm(f.In(i))
		if f.IsVariadic() && i == f.NumIn()-1 {
			p = "..." + strings.TrimPrefix(p, "[]")
		}
		in = append(in, p)
	}
	for o := range f.Outs() {
		out = append(out, typeForm(o))
	}
	return "func(" + strings.Join(in, ", ") + ") (" + strings.Join(out, ", ") + ")"
}

// typeForm is a type under the name that it has in the aliases' own packages.
func typeForm(of reflect.Type) string {
	if of.Kind() == reflect.Func && of.Name() == "" {
		return funcForm(of, 0)
	}
	return strings.NewReplacer("interface {}", "any", "uint8", "byte", "fakerest.Session", "Caller", "fakerest.", "",
		"fakestorage.Operation", "string").Replace(of.String())
}
