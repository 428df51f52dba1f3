package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// A watched store tells of its changes and failures.
type watched struct {
	*Store
	changes chan struct{}
	errs    chan error
	log     *lockedBuffer
	stop    func() // ends the watcher, and waits for that
}

// watch loads a store and watches it, with nothing but events to go by. It
// returns when the watcher has begun to wait for them.
func watch(t *testing.T, opts ...Option) *watched {
	t.Helper()
	return watchWith(t, func(*watcher) {}, opts...)
}

func watchWith(t *testing.T, adjust func(*watcher), opts ...Option) *watched {
	t.Helper()
	w := &watched{changes: make(chan struct{}, 1), errs: make(chan error, 100), log: &lockedBuffer{}}
	// The first reading, which comes after the watches are in place, finds this
	// file, and so is known to be over.
	begun := filepath.Join(t.TempDir(), "begun.toml")
	opts = append([]Option{
		WithoutDefaults(),
		WithOptionalPath(begun),
		WithErrorHandler(func(err error) { w.errs <- err }),
		WithLogger(slog.New(slog.NewTextHandler(w.log, nil))),
	}, opts...)
	store, err := Load(opts...)
	if err != nil {
		t.Fatal(err)
	}
	w.Store = store
	t.Cleanup(store.OnChange(func() {
		select {
		case w.changes <- struct{}{}:
		default:
		}
	}))
	put(t, begun, "begun = true")

	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	end := errors.New("end of the test")
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher := &watcher{store: store, open: fsnotify.NewWatcher, quiet: 5 * time.Millisecond, patience: time.Second, poll: time.Hour, pollOnly: time.Hour}
		adjust(watcher)
		if err := watcher.run(ctx); !errors.Is(err, end) {
			t.Errorf("the watcher ended with %v", err)
		}
	}()
	w.stop = func() {
		cancel(end)
		<-done
	}
	t.Cleanup(w.stop)
	w.await(t, "true", "begun")
	return w
}

// await waits until the value at path prints as want; "" until it is not there.
func (w *watched) await(t *testing.T, want string, path ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		got := ""
		if v, ok := w.Lookup(path...); ok {
			got = fmt.Sprint(v)
		}
		if got == want {
			return
		}
		select {
		case <-w.changes:
		case err := <-w.errs:
			if errors.Is(err, errEmptied) || errors.Is(err, errRestless) {
				continue // it is this test that writes, on a machine that may have other things to do
			}
			t.Fatalf("%v is %q, and not %q: %v", path, got, want, err)
		case <-deadline:
			t.Fatalf("%v is %q, and not %q after %v\n%s", path, got, want, patience, w.log)
		}
	}
}

// awaitError waits for the next report.
func (w *watched) awaitError(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.errs:
		return err
	case <-time.After(patience):
		t.Fatal("no error was reported")
		return nil
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replace writes a file beside path and renames it over path, as careful editors
// do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.Rename(put(t, path+"~", text), path); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}

func swapLink(t *testing.T, target, path string) {
	t.Helper()
	symlink(t, target, path+"_tmp")
	if err := os.Rename(path+"_tmp", path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesEditsInPlaceAndByRename(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 0")
	w := watch(t, WithPath(path))
	for n := 1; n < 10; n += 2 {
		put(t, path, fmt.Sprint("a = ", n))
		w.await(t, fmt.Sprint(n), "a")
		replace(t, path, fmt.Sprint("a = ", n+1))
		w.await(t, fmt.Sprint(n+1), "a")
	}
}

func TestWatchConvergesAfterManyRapidEdits(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 1000")
	w := watch(t, WithPath(path))
	for n := 1001; n <= 1300; n++ { // all of one size
		if n%3 == 0 {
			replace(t, path, fmt.Sprint("a = ", n))
		} else {
			put(t, path, fmt.Sprint("a = ", n))
		}
	}
	w.await(t, "1300", "a")
}

func TestWatchTakesAStreamOfChangesInTheEnd(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 0")
	w := watchWith(t, func(w *watcher) { w.quiet, w.patience = time.Hour, 50*time.Millisecond }, WithPath(path))
	put(t, path, "a = 1")
	w.await(t, "1", "a") // though it never was quiet for that long
}

func TestWatchSeesTheLinkSwapOfKubernetes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string // in the mount
		path string // what is loaded, below the folder that holds the mount
		key  []string
	}{
		"a file of a mount":   {"secrets.toml", "mount/secrets.toml", []string{"password"}},
		"a folder of mounts":  {"password", ".", []string{"mount"}},
		"a link to the mount": {"secrets.toml", "link/secrets.toml", []string{"password"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The way there leads through a link as well.
			dir := t.TempDir()
			mount := filepath.Join(dir, "real", "mount")
			version := func(n int) string {
				name := fmt.Sprint("..version", n)
				text := fmt.Sprint("tiger", n)
				if filepath.Ext(tt.file) == ".toml" {
					text = fmt.Sprintf("password = %q", text)
				}
				put(t, filepath.Join(mount, name, tt.file), text)
				return name
			}
			symlink(t, version(0), filepath.Join(mount, "..data"))
			symlink(t, filepath.Join("..data", tt.file), filepath.Join(mount, tt.file))
			if strings.HasPrefix(tt.path, "link") {
				symlink(t, mount, filepath.Join(dir, "real", "link"))
			}
			symlink(t, "real", filepath.Join(dir, "way"))

			w := watch(t, WithPath(filepath.Join(dir, "way", tt.path)))
			for n := 1; n <= 5; n++ {
				swapLink(t, version(n), filepath.Join(mount, "..data"))
				remove(t, filepath.Join(mount, fmt.Sprint("..version", n-1)))
				w.await(t, fmt.Sprint("tiger", n), tt.key...)
			}
		})
	}
}

func TestWatchSeesALinkOnTheWayThatLeadsElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "releases", "1", "conf", "s.toml"), "a = 1")
	put(t, filepath.Join(dir, "releases", "2", "conf", "s.toml"), "a = 2")
	symlink(t, filepath.Join("releases", "1"), filepath.Join(dir, "current"))
	w := watch(t, WithPath(filepath.Join(dir, "current", "conf", "s.toml")))
	swapLink(t, filepath.Join(dir, "releases", "2"), filepath.Join(dir, "current"))
	w.await(t, "2", "a")
	put(t, filepath.Join(dir, "releases", "2", "conf", "s.toml"), "a = 3")
	w.await(t, "3", "a")
}

func TestWatchSeesTheTargetsOfLinksInAMountedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := put(t, filepath.Join(dir, "elsewhere", "password"), "tiger")
	link := filepath.Join(dir, "mount", "pets", "password")
	put(t, filepath.Join(dir, "mount", "pets", "username"), "scott")
	symlink(t, target, link)
	w := watch(t, WithPath(filepath.Join(dir, "mount")))
	put(t, target, "lion")
	w.await(t, "lion", "pets", "password")
	replace(t, target, "lynx")
	w.await(t, "lynx", "pets", "password")
	swapLink(t, put(t, filepath.Join(dir, "third", "password"), "puma"), link)
	w.await(t, "puma", "pets", "password")
}

func TestWatchSeesWhatAppearsLaterAndGoesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "not", "yet", ".streamlit", "secrets.toml")
	w := watch(t, WithOptionalPath(path))
	for n := range 3 {
		put(t, path, fmt.Sprint("a = ", n)) // with all of its folders at once
		w.await(t, fmt.Sprint(n), "a")
		remove(t, filepath.Join(dir, "not"))
		w.await(t, "", "a")
	}
}

func TestWatchSeesAFolderThatAppearsLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := filepath.Join(dir, "run", "mount")
	w := watch(t, WithOptionalPath(mount))
	put(t, filepath.Join(mount, "pets", "password"), "tiger")
	w.await(t, "tiger", "pets")
	put(t, filepath.Join(mount, "pets", "username"), "scott")
	w.await(t, "map[password:tiger username:scott]", "pets")
	put(t, filepath.Join(mount, "pets", "username"), "SCOTT")
	w.await(t, "SCOTT", "pets", "username")
	put(t, filepath.Join(mount, "other", "key"), "x")
	w.await(t, "x", "other")
	remove(t, filepath.Join(mount, "pets"))
	w.await(t, "", "pets")
	remove(t, filepath.Join(dir, "run"))
	w.await(t, "", "other")
}

func TestWatchSeesAFolderThatIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	put(t, filepath.Join(conf, "s.toml"), "a = 0")
	w := watch(t, WithOptionalPath(filepath.Join(conf, "s.toml")))
	for n := 1; n < 5; n++ {
		put(t, filepath.Join(dir, "next", "s.toml"), fmt.Sprint("a = ", n))
		if err := os.Rename(conf, filepath.Join(dir, fmt.Sprint("conf", n))); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), conf); err != nil {
			t.Fatal(err)
		}
		w.await(t, fmt.Sprint(n), "a")
		put(t, filepath.Join(conf, "s.toml"), fmt.Sprint("a = ", -n))
		w.await(t, fmt.Sprint(-n), "a")
	}
}

func TestDefect05_WatchSurvivesABadEdit(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 'good'")
	w := watch(t, WithPath(path))
	for n := range 3 {
		replace(t, path, "\n\na = hunter2"+strings.Repeat("\n", n))
		parseErr, ok := errors.AsType[*ParseError](w.awaitError(t))
		if !ok || parseErr.Path != path || parseErr.Line != 3 || parseErr.Column != 5 {
			t.Fatalf("reported: %v", parseErr)
		}
		if n == 0 {
			w.await(t, "good", "a")
		} else {
			w.await(t, fmt.Sprint("better", n-1), "a")
		}
		replace(t, path, fmt.Sprintf("a = 'better%d'", n))
		w.await(t, fmt.Sprint("better", n), "a")
	}

	// The file goes, which is an error for one that must be there.
	remove(t, path)
	if err := w.awaitError(t); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reported: %v", err)
	}
	put(t, path, "a = 'back'")
	w.await(t, "back", "a")

	w.stop()
	log := w.log.String()
	for text, times := range map[string]int{
		"level=WARN msg=\"secrets: reload failed, the last good values stay\"": 4,
		path + ":3:5: ": 3,
		"level=INFO msg=\"secrets: all files are readable again\"": 4,
		"level=INFO msg=\"secrets: values changed\" version=2":     1,
		"hunter2": 0,
		"better":  0,
	} {
		if got := strings.Count(log, text); got != times {
			t.Errorf("the log says %q %d times, want %d:\n%s", text, got, times, log)
		}
	}
}

func TestWatchReportsAFailureOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad, good := put(t, filepath.Join(dir, "bad.toml"), ""), put(t, filepath.Join(dir, "good.toml"), "a = 0")
	w := watch(t, WithPath(bad), WithPath(good))
	put(t, bad, "x")
	first := w.awaitError(t)
	for n := 1; n < 4; n++ { // each of these finds the bad file again
		put(t, good, fmt.Sprint("a = ", n))
		w.await(t, fmt.Sprint(n), "a")
	}
	put(t, bad, "\nx")
	second := w.awaitError(t)
	if !strings.Contains(first.Error(), "bad.toml:1:") || !strings.Contains(second.Error(), "bad.toml:2:") {
		t.Errorf("reported %v, then %v", first, second)
	}
}

func TestWatchLooksByItselfWhereNothingTells(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(*watcher){
		"the system refuses to watch": func(w *watcher) {
			w.pollOnly = 5 * time.Millisecond
			w.open = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
		},
		"no event comes": func(w *watcher) {
			w.poll = 5 * time.Millisecond
			w.blind = true // so that nothing is ever watched
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 0")
			w := watchWith(t, adjust, WithPath(path))
			for n := 1; n < 5; n++ {
				put(t, path, fmt.Sprint("a = ", n))
				w.await(t, fmt.Sprint(n), "a")
			}
			w.stop()
			if told := strings.Contains(w.log.String(), "too many open files"); told != strings.Contains(name, "refuses") {
				t.Errorf("log:\n%s", w.log)
			}
		})
	}
}

func TestWatchReadsAfterAnErrorAmongTheEvents(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 0")
	var events *fsnotify.Watcher
	w := watchWith(t, func(w *watcher) {
		w.blind = true // so that nothing but the error tells of the change
		w.open = func() (_ *fsnotify.Watcher, err error) {
			events, err = fsnotify.NewWatcher()
			return events, err
		}
	}, WithPath(path))
	put(t, path, "a = 1")
	events.Errors <- fsnotify.ErrEventOverflow
	w.await(t, "1", "a")
}

func TestWatchOfAStoreWithoutFilesWaits(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("shutting down")
	cancel(cause)
	if err := Of(nil).Watch(ctx); !errors.Is(err, cause) {
		t.Errorf("Watch = %v", err)
	}
}

func TestWatchAsItIsCalled(t *testing.T) {
	t.Parallel()
	path := put(t, filepath.Join(t.TempDir(), "s.toml"), "a = 0")
	store, err := Load(WithoutDefaults(), WithPath(path), WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 1)
	defer store.OnChange(func() { changed <- struct{}{} })()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- store.Watch(ctx) }()
	for n := 1; n < 3; n++ {
		replace(t, path, fmt.Sprint("a = ", n))
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("no change")
		}
		if got, err := store.Int("a"); err != nil || got != n {
			t.Errorf("a = %d, %v, want %d", got, err, n)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch = %v", err)
	}
}
