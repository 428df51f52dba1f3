package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/secrets"
)

// These tests run in bubbles, whose clock files do not know: what writes one tells it the time.

// touch has the file written at this moment.
func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

// rewrite empties the file, and then writes a piece after each pause.
func rewrite(t *testing.T, path string, pause time.Duration, pieces ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	touch(t, path)
	for _, piece := range pieces {
		elapse(pause)
		if _, err := f.WriteString(piece); err != nil {
			t.Error(err)
		}
		touch(t, path)
	}
}

// elapse lets the time of a bubble go by.
func elapse(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // nothing sleeps in a bubble

const pause = 30 * time.Millisecond // less than what Refresh waits for

func TestRefreshWaitsForWhoeverIsWriting(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"emptied, then written": func(t *testing.T, path string) { rewrite(t, path, pause, "a = 'new'\nb = 'new'") },
		"in pieces that are TOML each": func(t *testing.T, path string) {
			rewrite(t, path, pause, "# for the pets\n", "a = 'ne", "w'\n", "b = 'new'", "\n", "\n")
		},
		"taken away, then written": func(t *testing.T, path string) {
			if err := os.Rename(path, path+"~"); err != nil {
				t.Error(err)
			}
			elapse(pause)
			rewrite(t, path, pause, "a = 'new'\nb = 'new'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				path := write(t, filepath.Join(dir, "s.toml"), "a = 'old'\nb = 'old'")
				touch(t, path)
				store := load(t, secrets.WithOptionalPath(path))
				done := make(chan struct{})
				go func() {
					defer close(done)
					change(t, path)
				}()
				synctest.Wait() // it has begun
				if err := store.Refresh(); err != nil {
					t.Error(err)
				}
				if a, b := get(t, store, "a"), get(t, store, "b"); a != "new" || b != "new" || store.Version() != 2 {
					t.Errorf("a = %q, b = %q, version %d", a, b, store.Version())
				}
				<-done
			})
		})
	}
}

func TestLoadWaitsForWhoeverIsWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "s.toml")
		done := make(chan struct{})
		go func() {
			defer close(done)
			rewrite(t, path, pause, "a = 'x'\n", "b = 'x'\n")
		}()
		synctest.Wait()
		store := load(t, secrets.WithPath(path))
		if a, b := get(t, store, "a"), get(t, store, "b"); a != "x" || b != "x" {
			t.Errorf("a = %q, b = %q", a, b)
		}
		<-done
	})
}

// What never comes to rest is an error after a second; the last good values stay.
func TestRefreshGivesUpWaiting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := write(t, filepath.Join(dir, "s.toml"), "a = 'old'")
		touch(t, path)
		store := load(t, secrets.WithPath(path))
		done := make(chan struct{})
		go func() {
			defer close(done)
			rewrite(t, path, pause, "a = 'new'", strings.Repeat("\n", 50))
			for n := range 50 {
				elapse(pause)
				write(t, path, "a = 'new'"+strings.Repeat("\n", n))
				touch(t, path)
			}
		}()
		synctest.Wait()
		began := time.Now()
		if err := store.Refresh(); err == nil || !strings.Contains(err.Error(), path+": this changes all the time: write it at once") {
			t.Errorf("Refresh = %v", err)
		}
		if took := time.Since(began); took != time.Second { // by the clock of the bubble
			t.Errorf("it took %v", took)
		}
		if got := get(t, store, "a"); got != "old" {
			t.Errorf("a = %q", got)
		}
		<-done
		if err := store.Refresh(); err != nil || get(t, store, "a") != "new" {
			t.Errorf("Refresh = %v, a = %q", err, get(t, store, "a"))
		}
	})
}

// What did not just change costs no time, in whatever state it is.
func TestRefreshDoesNotWaitForNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"an edit of long ago": func(t *testing.T, path string) { old(t, write(t, path, "a = 'other'")) },
		"a file renamed over it": func(t *testing.T, path string) {
			if err := os.Rename(old(t, write(t, path+".new", "a = 'new'")), path); err != nil {
				t.Fatal(err)
			}
		},
		"a time to come": func(t *testing.T, path string) {
			write(t, path, "a = 'other'")
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				path := old(t, write(t, filepath.Join(dir, "s.toml"), "a = 'old'"))
				began := time.Now()
				store := load(t, secrets.WithPath(path))
				change(t, path)
				for range 3 {
					if err := store.Refresh(); err != nil {
						t.Fatal(err)
					}
				}
				if get(t, store, "a") == "old" || time.Since(began) != 0 {
					t.Errorf("a = %q after %v", get(t, store, "a"), time.Since(began))
				}
			})
		})
	}
	t.Run("a file that stays away", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			path := old(t, write(t, filepath.Join(dir, "s.toml"), "a = 'old'"))
			store := load(t, secrets.WithPath(path))
			began := time.Now()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if err := store.Refresh(); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Refresh = %v", err)
				}
			}
			if took := time.Since(began); took != 50*time.Millisecond { // once, to see whether it comes back
				t.Errorf("it took %v", took)
			}
		})
	})
}

// "vault read … > secrets.toml" empties the file first, and writes it when the vault has answered.
func TestAFileThatIsEmptiedInPlaceKeepsItsValues(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source string // below the folder
		file   string
		key    []string
		text   string // with a version in it
	}{
		"a TOML file":              {"s.toml", "s.toml", []string{"pets", "password"}, "[pets]\npassword = 'tiger%d'"},
		"a file of a folder":       {"mount", "mount/pets/password", []string{"pets"}, "tiger%d"},
		"one of two in the secret": {"mount", "mount/pets/password", []string{"pets", "password"}, "tiger%d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := write(t, filepath.Join(dir, tt.file), fmt.Sprintf(tt.text, 1))
			if len(tt.key) == 2 && tt.source == "mount" {
				write(t, filepath.Join(filepath.Dir(path), "username"), "scott")
			}
			store := load(t, secrets.WithOptionalPath(filepath.Join(dir, tt.source)))
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			for range 2 { // for as long as it lasts
				if err := store.Refresh(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "has been emptied") {
					t.Errorf("Refresh = %v", err)
				}
			}
			if got := get(t, store, tt.key...); got != "tiger1" || store.Version() != 1 {
				t.Errorf("%v = %q, version %d", tt.key, got, store.Version())
			}
			write(t, path, fmt.Sprintf(tt.text, 2))
			if err := store.Refresh(); err != nil || get(t, store, tt.key...) != "tiger2" {
				t.Errorf("Refresh = %v, %v = %q", err, tt.key, get(t, store, tt.key...))
			}
		})
	}
}

// There are ways to say that there are no secrets any more.
func TestAFileThatHoldsNothingOnPurpose(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"a comment":     func(t *testing.T, path string) { write(t, path, "# none\n") },
		"an empty line": func(t *testing.T, path string) { write(t, path, "\n") },
		"removed": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, "a = 'x'")
			store := load(t, secrets.WithOptionalPath(path))
			change(t, path)
			if err := store.Refresh(); err != nil {
				t.Fatal(err)
			}
			if v, ok := store.Lookup("a"); ok || store.Version() != 2 {
				t.Errorf("a = %v, version %d", v, store.Version())
			}
		})
	}
}

// In a folder, an empty file that takes another's place is an empty text; a TOML file is being written.
func TestAnEmptyFileThatTakesAnothersPlace(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source, file string
		want         string
		fails        bool
	}{
		"a TOML file":        {"s.toml", "s.toml", "tiger", true},
		"a file of a folder": {"mount", "mount/password/value", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := write(t, filepath.Join(dir, tt.file), "tiger")
			if filepath.Ext(path) == ".toml" {
				write(t, path, "password = 'tiger'")
			}
			store := load(t, secrets.WithPath(filepath.Join(dir, tt.source)))
			if err := os.Rename(write(t, filepath.Join(dir, "new"), ""), path); err != nil {
				t.Fatal(err)
			}
			if err := store.Refresh(); (err != nil) != tt.fails {
				t.Errorf("Refresh = %v", err)
			}
			if got := get(t, store, "password"); got != tt.want {
				t.Errorf("password = %q", got)
			}
		})
	}
}

// A program that starts while its file is empty says so, and goes on when it is written.
func TestAFileThatIsEmptyAtFirst(t *testing.T) {
	t.Parallel()
	path := file(t, "# a = 'y'")
	for _, content := range []string{"# a = 'y'", ""} {
		write(t, path, content)
		_, err := load(t, secrets.WithPath(path)).String("a")
		if missing, ok := errors.AsType[*secrets.MissingError](err); !ok || missing.Error() != "secrets: no a in "+path+" (no values)" {
			t.Errorf("err = %v", err)
		}
	}
	store := load(t, secrets.WithPath(path))
	write(t, path, "a = 'x'")
	if err := store.Refresh(); err != nil || get(t, store, "a") != "x" {
		t.Errorf("Refresh = %v, a = %q", err, get(t, store, "a"))
	}
}

// Who waits for a file waits on the context, and those who come meanwhile on their own.
func TestRefreshContextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		good := write(t, filepath.Join(dir, "good.toml"), "b = 'old'")
		path := write(t, filepath.Join(dir, "s.toml"), "a = 'old'")
		touch(t, good)
		touch(t, path)
		store := load(t, secrets.WithPath(path), secrets.WithPath(good))
		write(t, good, "b = 'new'")
		old(t, good)
		begin := func(path string) {
			write(t, path, "a = 'new'")
			touch(t, path)
		}
		begin(path)

		ctx, cancel := context.WithCancelCause(context.Background())
		defer cancel(nil)
		bored := errors.New("bored")
		var group sync.WaitGroup
		group.Go(func() {
			if err := store.RefreshContext(ctx); err != bored { //nolint:errorlint // as it is
				t.Errorf("who reads: %v", err)
			}
		})
		synctest.Wait()
		for range 2 {
			group.Go(func() { // waits for the turn
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				began := time.Now()
				if err := store.RefreshContext(ctx); err != context.DeadlineExceeded || time.Since(began) != 10*time.Millisecond { //nolint:errorlint // as it is
					t.Errorf("who waits: %v after %v", err, time.Since(began))
				}
			})
		}
		group.Go(func() { // has the time, and is not told of what was given up
			if err := store.Refresh(); err != nil || get(t, store, "a") != "new" || get(t, store, "b") != "new" {
				t.Errorf("%v; a = %q, b = %q", err, get(t, store, "a"), get(t, store, "b"))
			}
		})
		elapse(20 * time.Millisecond)
		cancel(bored)
		group.Wait()
	})
}

// Nor does a program that starts while its file is being written wait for longer than it has said.
func TestLoadContextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := write(t, filepath.Join(dir, "s.toml"), "a = 'x'")
		touch(t, path)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		store, err := secrets.LoadContext(ctx, secrets.WithoutDefaults(), secrets.WithPath(path))
		if store != nil || err != context.DeadlineExceeded || time.Since(began) != 10*time.Millisecond { //nolint:errorlint // as it is
			t.Errorf("%v, %v after %v", store, err, time.Since(began))
		}
		old(t, path) // nothing to wait for
		if store, err = secrets.LoadContext(ctx, secrets.WithoutDefaults(), secrets.WithPath(path)); err != nil || get(t, store, "a") != "x" {
			t.Errorf("%v, a = %q", err, get(t, store, "a"))
		}
	})
}

// Without anything to wait for, a context that has ended is none of Refresh's business.
func TestRefreshContextReadsWithoutWaiting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := old(t, write(t, filepath.Join(dir, "s.toml"), "a = 'old'"))
		store := load(t, secrets.WithPath(path))
		write(t, path, "a = 'newer'")
		old(t, path)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range 100 {
			if err := store.RefreshContext(ctx); err != nil || get(t, store, "a") != "newer" {
				t.Fatalf("%v, a = %q", err, get(t, store, "a"))
			}
		}
		write(t, path, "a = ")
		old(t, path)
		var parse *secrets.ParseError
		if err := store.RefreshContext(ctx); !errors.As(err, &parse) {
			t.Errorf("a file's own error: %v", err)
		}
		if err := store.Snapshot().RefreshContext(ctx); err != nil {
			t.Errorf("a snapshot's: %v", err)
		}
	})
}

// A store may be made in one bubble, and be shared by all: that of a process is.
func TestStoreIsSharedByBubbles(t *testing.T) {
	t.Parallel()
	path := old(t, file(t, "a = 'x'"))
	var store *secrets.Store
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			if store == nil {
				store = load(t, secrets.WithPath(path))
			}
			if err := store.RefreshContext(t.Context()); err != nil || get(t, store, "a") != "x" {
				t.Errorf("%v, %q", err, get(t, store, "a"))
			}
		})
	}
}
