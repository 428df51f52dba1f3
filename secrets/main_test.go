package secrets_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes a file, and the folders that it lies in.
func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// file makes a TOML file in a folder of its own.
func file(t testing.TB, text string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "secrets.toml"), text)
}

// load loads from given places alone.
func load(t testing.TB, opts ...secrets.Option) *secrets.Store {
	t.Helper()
	store, err := secrets.Load(append([]secrets.Option{secrets.WithoutDefaults()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func environ(pairs map[string]string) secrets.Option {
	return secrets.WithEnviron(func(key string) (string, bool) {
		value, ok := pairs[key]
		return value, ok
	})
}

// get reads a string that must be there.
func get(t testing.TB, store *secrets.Store, path ...string) string {
	t.Helper()
	text, err := store.String(path...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// link makes a symbolic link, or skips the test where there are none.
func link(t testing.TB, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

// swap points the link at path to target in one step, as Kubernetes does.
func swap(t testing.TB, target, path string) {
	t.Helper()
	link(t, target, path+"_tmp")
	if err := os.Rename(path+"_tmp", path); err != nil {
		t.Fatal(err)
	}
}
