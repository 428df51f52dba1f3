package secrets_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/secrets"
)

func TestRefreshSees(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(t *testing.T, dir string) string // makes the source, returns its path
		change func(t *testing.T, path string)
		want   string // of key a; "" if there is none afterwards
	}{
		"an edit in place": {
			before: func(t *testing.T, dir string) string { return write(t, filepath.Join(dir, "s.toml"), "a = 'old'") },
			change: func(t *testing.T, path string) { write(t, path, "a = 'brand new'") },
			want:   "brand new",
		},
		"an edit of the same size and time": {
			before: func(t *testing.T, dir string) string { return write(t, filepath.Join(dir, "s.toml"), "a = 'old'") },
			change: func(t *testing.T, path string) {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				write(t, path, "a = 'new'")
				if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
					t.Fatal(err)
				}
			},
			want: "new",
		},
		"a file renamed over it that is as old and large": {
			before: func(t *testing.T, dir string) string {
				return old(t, write(t, filepath.Join(dir, "s.toml"), "a = 'old'"))
			},
			change: func(t *testing.T, path string) {
				if err := os.Rename(old(t, write(t, path+".new", "a = 'new'")), path); err != nil {
					t.Fatal(err)
				}
			},
			want: "new",
		},
		"a link that leads elsewhere": {
			before: func(t *testing.T, dir string) string {
				old(t, write(t, filepath.Join(dir, "1", "s.toml"), "a = 'old'"))
				old(t, write(t, filepath.Join(dir, "2", "s.toml"), "a = 'new'"))
				link(t, "1", filepath.Join(dir, "current"))
				return filepath.Join(dir, "current", "s.toml")
			},
			change: func(t *testing.T, path string) { swap(t, "2", filepath.Dir(path)) },
			want:   "new",
		},
		"a file that appears": {
			before: func(_ *testing.T, dir string) string { return filepath.Join(dir, "not", "yet", "s.toml") },
			change: func(t *testing.T, path string) { write(t, path, "a = 'new'") },
			want:   "new",
		},
		"a file that disappears": {
			before: func(t *testing.T, dir string) string { return write(t, filepath.Join(dir, "s.toml"), "a = 'old'") },
			change: func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
		},
		"a folder that appears": {
			before: func(_ *testing.T, dir string) string { return filepath.Join(dir, "mount") },
			change: func(t *testing.T, path string) { write(t, filepath.Join(path, "a", "value"), "new") },
			want:   "new",
		},
		"a secret that appears in a folder": {
			before: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "mount", "b", "value"), "x")
				return filepath.Join(dir, "mount")
			},
			change: func(t *testing.T, path string) { write(t, filepath.Join(path, "a", "value"), "new") },
			want:   "new",
		},
		"a folder that disappears": {
			before: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "mount", "a", "value"), "old")
				return filepath.Join(dir, "mount")
			},
			change: func(t *testing.T, path string) {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			},
		},
		"a folder that takes the place of a file": {
			before: func(t *testing.T, dir string) string { return write(t, filepath.Join(dir, "s.toml"), "a = 'old'") },
			change: func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(path, "a", "value"), "new")
			},
			want: "new",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := tt.before(t, t.TempDir())
			store := load(t, secrets.WithOptionalPath(path))
			changes := 0
			defer store.OnChange(func() { changes++ })()

			tt.change(t, path)
			for range 2 { // the second finds nothing
				if err := store.Refresh(); err != nil {
					t.Fatal(err)
				}
			}
			if v, ok := store.Lookup("a"); ok != (tt.want != "") || ok && v != tt.want {
				t.Errorf("a = %v, %v, want %q", v, ok, tt.want)
			}
			if changes != 1 || store.Version() != 2 {
				t.Errorf("%d calls of OnChange, version %d", changes, store.Version())
			}
		})
	}
}

// old makes a file look as if it had not been touched for long.
func old(t testing.TB, path string) string {
	t.Helper()
	when := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefreshOfEqualValuesIsNoChange(t *testing.T) {
	t.Parallel()
	path := file(t, "a = 1\n[b]\nc = [1, 2]")
	store := load(t, secrets.WithPath(path))
	defer store.OnChange(func() { t.Error("OnChange called") })()
	write(t, path, "# reordered\nb = { c = [ 1, 2 ] }\na = 1")
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	// Another place gives the same value now.
	if store.Version() != 1 {
		t.Errorf("Version = %d", store.Version())
	}
}

func TestRefreshKeepsLastGoodValuesOfABadFileAlone(t *testing.T) {
	t.Parallel()
	bad, good := file(t, "a = 'a1'\nboth = 'low'"), file(t, "b = 'b1'")
	store := load(t, secrets.WithPath(bad), secrets.WithPath(good))

	write(t, bad, "a = hunter2")
	write(t, good, "b = 'b2'")
	for range 2 { // it stays an error until it is mended
		err := store.Refresh()
		parseErr, ok := errors.AsType[*secrets.ParseError](err)
		if !ok || parseErr.Path != bad || parseErr.Line != 1 || parseErr.Column != 5 {
			t.Fatalf("err = %v", err)
		}
	}
	if a, b := get(t, store, "a"), get(t, store, "b"); a != "a1" || b != "b2" {
		t.Errorf("a = %q, b = %q", a, b)
	}

	write(t, bad, "a = 'a3'")
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if a := get(t, store, "a"); a != "a3" {
		t.Errorf("a = %q", a)
	}
	if _, ok := store.Lookup("both"); ok {
		t.Error("a value that went from the file is still there")
	}
}

func TestRefreshKeepsValuesOfARequiredFileThatIsGone(t *testing.T) {
	t.Parallel()
	path := file(t, "a = 'x'")
	store := load(t, secrets.WithPath(path))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := store.Refresh(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("err = %v", err)
	}
	if got := get(t, store, "a"); got != "x" {
		t.Errorf("a = %q", got)
	}
	write(t, path, "a = 'y'")
	if err := store.Refresh(); err != nil || get(t, store, "a") != "y" {
		t.Error(err, get(t, store, "a"))
	}
}

func TestRefreshNeverMixesTwoVersionsOfAMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := filepath.Join(dir, "pets")
	version := func(n int) string {
		name := fmt.Sprint("..version", n)
		for _, key := range []string{"password", "username"} {
			write(t, filepath.Join(mount, name, key), fmt.Sprintf("%06d", n))
		}
		return name
	}
	link(t, version(0), filepath.Join(mount, "..data"))
	for _, key := range []string{"password", "username"} {
		link(t, filepath.Join("..data", key), filepath.Join(mount, key))
	}
	store := load(t, secrets.WithPath(dir))

	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 300 {
			swap(t, version(n+1), filepath.Join(mount, "..data"))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		// An error is fine while it changes all the time; a mixture never is.
		if err := store.Refresh(); err != nil && !running {
			t.Error(err)
		}
		section, _ := store.Section("pets")
		if section["username"] != section["password"] {
			t.Fatalf("a mixture: %v", section)
		}
	}
	if got := get(t, store, "pets", "username"); got != "000300" {
		t.Errorf("ends with %s", got)
	}
}
