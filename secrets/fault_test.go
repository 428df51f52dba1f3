package secrets_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/streamconn/streamconn/secrets"
)

// times is how often something is repeated: so often in the short form, and twentyfold in the long one.
func times(n int) int {
	if os.Getenv("STREAMCONN_FAULTS") == "long" {
		return 20 * n
	}
	return n
}

// document is one version of the file, whose beginning, middle and end tell its number.
func document(n int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "first = %d\n[pets]\nusername = 'scott%d'\n", n, n)
	for i := range 50 {
		fmt.Fprintf(&text, "other%d = 'what else there is in a section of a file'\n", i)
	}
	fmt.Fprintf(&text, "password = 'tiger%d'\n[last]\nn = %d\n", n, n)
	return text.String()
}

// whole returns the number of the version that a store holds, or why it is none.
func whole(store *secrets.Store) (int, error) {
	store = store.Snapshot()
	n, err := store.Int("first")
	if err != nil {
		return 0, err
	}
	last, err := store.Int("last", "n")
	if err != nil {
		return 0, err
	}
	pets, _ := store.Section("pets")
	if last != n || len(pets) != 52 || pets["username"] != fmt.Sprint("scott", n) || pets["password"] != fmt.Sprint("tiger", n) {
		return 0, fmt.Errorf("a mixture of the versions %d and %d: %d keys, %v and %v", n, last, len(pets), pets["username"], pets["password"])
	}
	return n, nil
}

// Whatever is done to a file, its readers see one whole version of it, and later ones never before
// earlier ones.
func TestFaultReadersSeeWholeVersions(t *testing.T) {
	const readers = 64
	for name, tt := range map[string]struct {
		versions int
		rewrite  func(path string, n int) error
	}{
		"renamed over": {times(1000), func(path string, n int) error {
			if err := os.WriteFile(path+".new", []byte(document(n)), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
		"truncated and written": {times(1000), func(path string, n int) error {
			return os.WriteFile(path, []byte(document(n)), 0o600)
		}},
		"removed and made again": {times(100), func(path string, n int) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(document(n)), 0o600)
		}},
		"unreadable meanwhile": {times(100), func(path string, n int) error {
			// Also for the superuser, who may read what is forbidden: a link to itself.
			if err := os.Remove(path); err != nil {
				return err
			}
			if err := os.Symlink(path, path); err != nil {
				return err
			}
			if err := os.WriteFile(path+".new", []byte(document(n)), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
		"malformed meanwhile": {times(100), func(path string, n int) error {
			for _, text := range []string{document(n) + "password = tiger", document(n)[:200] + "\n= '", document(n)} {
				if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
					return err
				}
				if err := os.Rename(path+".new", path); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, document(0))
			if strings.HasPrefix(name, "unreadable") {
				link(t, path, filepath.Join(t.TempDir(), "probe"))
			}
			store := load(t, secrets.WithPath(path))

			var reads, refreshes, failures, news atomic.Int64
			var group sync.WaitGroup
			var next atomic.Pointer[chan struct{}] // closed when the file is about to be rewritten
			beat := func() {
				turn := make(chan struct{})
				if last := next.Swap(&turn); last != nil {
					close(*last)
				}
			}
			beat()
			done := make(chan struct{})
			defer group.Wait()
			defer close(done)
			for i := range readers {
				group.Go(func() {
					for last := 0; ; {
						turn := *next.Load()
						if i%4 == 0 { // the others read what these have found
							refreshes.Add(1)
							if store.Refresh() != nil {
								failures.Add(1)
							}
						}
						n, err := whole(store)
						if err != nil || n < last {
							t.Errorf("version %d after %d: %v", n, last, err)
							return
						}
						reads.Add(1)
						if n > last {
							news.Add(1)
						}
						last = n
						select {
						case <-turn:
						case <-done:
							return
						}
					}
				})
			}

			for n := 1; n <= tt.versions && !t.Failed(); n++ {
				beat()
				if err := tt.rewrite(path, n); err != nil {
					t.Fatal(err)
				}
				if n%(tt.versions/5) != 0 { // now and then everybody gets to see the last one
					continue
				}
				if err := store.Refresh(); err != nil {
					t.Errorf("after version %d: %v", n, err)
				}
				if got, err := whole(store); got != n {
					t.Fatalf("version %d instead of %d: %v", got, n, err)
				}
			}
			t.Logf("%d versions, %d reads, %d times something newer; %d of %d refreshes failed", tt.versions, reads.Load(), news.Load(), failures.Load(), refreshes.Load())
		})
	}
}

// Each fault says what it is, for as long as it lasts, and takes nothing away.
func TestFaultOfAFileSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hurt func(t *testing.T, path string) error
		want string
	}{
		"cut off": {func(_ *testing.T, path string) error { return os.Truncate(path, 120) }, "the closing quote is missing"},
		"emptied": {func(_ *testing.T, path string) error { return os.Truncate(path, 0) }, "has been emptied"},
		"removed": {func(_ *testing.T, path string) error { return os.Remove(path) }, "file does not exist"},
		"a link to itself": {func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Symlink(path, path))
		}, "too many levels of symbolic links"},
		"forbidden": {func(t *testing.T, path string) error {
			if os.Geteuid() == 0 {
				t.Skip("nothing is forbidden to the superuser")
			}
			return os.Chmod(path, 0)
		}, "permission denied"},
		"no text": {func(_ *testing.T, path string) error {
			return os.WriteFile(path, make([]byte, 4096), 0o600)
		}, ":1:1: "},
		"too large": {func(_ *testing.T, path string) error { return os.Truncate(path, 17<<20) }, "more than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, document(1))
			store := load(t, secrets.WithPath(path))
			if err := tt.hurt(t, path); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err := store.Refresh()
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Refresh = %v, want %q", err, tt.want)
				}
			}
			if n, err := whole(store); n != 1 || store.Version() != 1 {
				t.Errorf("version %d: %v", n, err)
			}

			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, document(2))
			if err := store.Refresh(); err != nil {
				t.Error(err)
			}
			if n, err := whole(store); n != 2 {
				t.Errorf("version %d: %v", n, err)
			}
		})
	}
}

func TestSnapshotStaysAsItIs(t *testing.T) {
	t.Parallel()
	path := file(t, "a = 1")
	store := load(t, secrets.WithPath(path))
	still := store.Snapshot()
	defer still.OnChange(func() { t.Error("a snapshot has changed") })()
	write(t, path, "a = 2\nb = 2")
	for _, s := range []*secrets.Store{still, store, still} {
		if err := s.Refresh(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := still.Int("a"); n != 1 || err != nil || still.Version() != 1 {
		t.Errorf("a = %d, %v, version %d", n, err, still.Version())
	}
	if n, err := store.Int("a"); n != 2 || err != nil {
		t.Errorf("a = %d, %v in the store", n, err)
	}
	if _, err := still.Int("b"); err == nil || !strings.Contains(err.Error(), "no b in "+path) {
		t.Errorf("b: %v", err)
	}
	if got := still.Where("a"); got != path {
		t.Errorf("Where = %q", got)
	}
	if got := fmt.Sprint(still, still.Sources()); got != "secrets.Store(1 source) ["+path+"]" {
		t.Errorf("printed: %s", got)
	}
	if got := new(secrets.Store).Snapshot(); got.Version() != 0 || got.Sources() != nil {
		t.Errorf("of nothing: version %d, %v", got.Version(), got.Sources())
	}
}
