package contexts_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the folder of the root module.
const root = "../../.."

// declared finds, in the packages that others may import, the exported functions and methods with a
// context.Context among their parameters. The keys are as in "supabase/auth.Client.SignUp", the
// values what their documentation says.
func declared(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); rel != "." && (name == "internal" || name == "examples" || name == "testdata" || name == "docs" || name[0] == '.') {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); rel != "." && err == nil {
				return filepath.SkipDir // a module of its own, with tests of its own
			}
			return nil
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		addDeclared(found, filepath.ToSlash(filepath.Dir(rel)), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func addDeclared(found map[string]string, pkg string, file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			receiver := receiverOf(decl)
			if decl.Name.IsExported() && takesContext(decl.Type) && (receiver == "" || ast.IsExported(receiver)) {
				found[strings.Join(join(pkg, receiver, decl.Name.Name), ".")] = decl.Doc.Text()
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				named, ok := spec.(*ast.TypeSpec)
				if !ok || !named.Name.IsExported() {
					continue
				}
				face, ok := named.Type.(*ast.InterfaceType)
				if !ok {
					continue
				}
				for _, method := range face.Methods.List {
					signature, ok := method.Type.(*ast.FuncType)
					if ok && takesContext(signature) && method.Names[0].IsExported() {
						found[strings.Join(join(pkg, named.Name.Name, method.Names[0].Name), ".")] = method.Doc.Text()
					}
				}
			}
		}
	}
}

func join(parts ...string) []string {
	var kept []string
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

// receiverOf names the type that a method belongs to, "" for a function.
func receiverOf(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	typ := decl.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

func takesContext(signature *ast.FuncType) bool {
	for _, param := range signature.Params.List {
		selector, ok := param.Type.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Context" {
			continue
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "context" {
			return true
		}
	}
	return false
}
