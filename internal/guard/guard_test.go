package guard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/linked.golden anew")

// module is the root module's path, and root its folder.
const module = "github.com/streamconn/streamconn"

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// goTool runs the go command in dir. What it lists depends on the platform, so it is told one.
func goTool(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath   string
	Standard     bool
	Name         string
	Module       *struct{ Path string }
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// path is the package's path below the module's, "" for the root package.
func (p pkg) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// packages lists packages of the root module, with further flags and patterns.
func packages(t *testing.T, dir string, env []string, args ...string) []pkg {
	t.Helper()
	out := goTool(t, dir, env, append([]string{"list", "-json=ImportPath,Standard,Name,Module,Imports,TestImports,XTestImports,Error"}, args...)...)
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// public tells whether a package of the root module can be imported by others and is meant to be.
func public(path string) bool {
	return path != "internal" && !strings.HasPrefix(path, "internal/") && !strings.Contains(path, "/internal/") &&
		!strings.HasSuffix(path, "/internal") && path != "examples" && !strings.HasPrefix(path, "examples/")
}

// forTests tells whether a package is for tests of others, which its name says.
func forTests(path string) bool {
	name := path[strings.LastIndex(path, "/")+1:]
	return strings.HasSuffix(name, "test") || path == "internal/fakedb"
}

// walk calls visit for each file of the checkout, with its path below the root. Git's own folder
// is left out.
func walk(t *testing.T, visit func(path string, open func() []byte)) {
	t.Helper()
	dir := root(t)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || d.Name() == ".git" { // a file in a linked work tree
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), func() []byte {
			data, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // a parallel test may remove its own
				t.Fatal(err)
			}
			return data
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
