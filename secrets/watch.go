package secrets

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch keeps the Store up to date until ctx ends, and then returns
// [context.Cause] of it; it never ends for another reason, unless ctx is nil. Run it in a goroutine
// of its own, once per Store:
//
//	go store.Watch(ctx)
//
// It notices edits in place, files that are replaced by renaming another over
// them, the swap of the ..data link with which Kubernetes updates a mount, and
// files and folders that appear or disappear, and then does what [Store.Refresh]
// does, first of all when it starts, so that nothing is missed since [Load].
// Changes in quick succession are taken together: a change takes effect about a
// twentieth of a second after the last of them. A file that is written to again
// and again without such a pause is an error after a second or two, and its last
// good values stay until it comes to rest.
//
// A bad edit keeps the last good values, is told to [WithLogger] and
// [WithErrorHandler], and Watch goes on; the next good edit takes effect.
//
// Where the operating system does not tell of changes, such as in network file
// systems and single files mounted into a container, Watch notices them within
// ten seconds. If the system refuses to watch at all, because a limit on watches
// is reached, Watch says so in the log and looks every two seconds.
func (s *Store) Watch(ctx context.Context) error {
	if ctx == nil {
		return errNoContext
	}
	w := &watcher{
		store:    s,
		open:     fsnotify.NewWatcher,
		quiet:    quiet,
		patience: looks * quiet,
		poll:     10 * time.Second,
		pollOnly: 2 * time.Second,
	}
	return w.run(ctx)
}

type watcher struct {
	store    *Store
	open     func() (*fsnotify.Watcher, error)
	quiet    time.Duration // without events, until a change is taken to be complete
	patience time.Duration // with events, until the files are read all the same
	poll     time.Duration // between looks, for changes that no event tells of
	pollOnly time.Duration // the same when there are no events

	blind  bool   // there are no events, or not all
	failed string // the failure that was last reported, "" after a success
}

func (w *watcher) run(ctx context.Context) error {
	tick := time.NewTicker(w.poll)
	defer tick.Stop()

	var (
		events <-chan fsnotify.Event // nil if there are none
		errs   <-chan error
	)
	notify, err := w.open()
	if err != nil {
		w.goBlind(ctx, tick, err)
	} else {
		events, errs = notify.Events, notify.Errors
		defer func() { _ = notify.Close() }()
	}

	for ctx.Err() == nil {
		// In this order, so that what changes after the reading makes an event.
		if !w.blind {
			if err := w.follow(notify); err != nil {
				w.goBlind(ctx, tick, err)
			}
		}
		w.reload(ctx)

		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-events:
			w.settle(ctx, events, errs)
		case err := <-errs:
			w.note(ctx, err)
		}
	}
	return context.Cause(ctx)
}

// settle returns when no event came for a while: an editor writes a file in
// several steps, and between them it is empty or half there.
func (w *watcher) settle(ctx context.Context, events <-chan fsnotify.Event, errs <-chan error) {
	enough := time.NewTimer(w.patience)
	defer enough.Stop()
	calm := time.NewTimer(w.quiet)
	defer calm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-enough.C:
			return
		case <-calm.C:
			return
		case <-events:
			calm.Reset(w.quiet)
		case err := <-errs:
			w.note(ctx, err)
		}
	}
}

// note logs an error among the events, such as that there were too many. The
// files are read after it as after an event, so nothing is lost.
func (w *watcher) note(ctx context.Context, err error) {
	w.log().DebugContext(ctx, "secrets: an error while watching", "error", err)
}

// goBlind has the watcher look often, as it is not told.
func (w *watcher) goBlind(ctx context.Context, tick *time.Ticker, err error) {
	w.blind = true
	tick.Reset(w.pollOnly)
	w.log().WarnContext(ctx, "secrets: the system does not tell of changed files, looking for them instead",
		"every", w.pollOnly, "error", err)
}

// reload refreshes the store and reports a failure once, however often it is
// seen.
func (w *watcher) reload(ctx context.Context) {
	changed, err := w.store.reload(ctx)
	if ctx.Err() != nil {
		return
	}
	if changed {
		w.log().InfoContext(ctx, "secrets: values changed", "version", w.store.Version())
	}
	if err == nil {
		if w.failed != "" {
			w.log().InfoContext(ctx, "secrets: all files are readable again")
		}
		w.failed = ""
		return
	}
	if text := err.Error(); text != w.failed {
		w.failed = text
		w.log().WarnContext(ctx, "secrets: reload failed, the last good values stay", "error", err)
		if w.store.onError != nil {
			w.store.onError(err)
		}
	}
}

func (w *watcher) log() *slog.Logger {
	if w.store.logger != nil {
		return w.store.logger
	}
	return slog.Default()
}

// follow watches the folders in which something may happen to the sources, as
// they are now, and no others.
func (w *watcher) follow(notify *fsnotify.Watcher) error {
	// A folder may have appeared in one that was not watched yet; so look again
	// until there is no news. If it never ends, there are events galore to
	// continue on.
	for news, rounds := true, 0; news && rounds < 10; rounds++ {
		news = false
		wanted := w.folders()
		watched := notify.WatchList()
		for dir := range wanted {
			if slices.Contains(watched, dir) {
				continue
			}
			switch err := notify.Add(dir); {
			case err == nil, errors.Is(err, fs.ErrNotExist):
				news = true
			case errors.Is(err, fs.ErrPermission):
				// What happens in there is found by looking.
			default:
				return err
			}
		}
		for _, dir := range watched {
			if !wanted[dir] {
				_ = notify.Remove(dir) // it may be gone already
			}
		}
	}
	return nil
}

// folders is the set of folders, links resolved, whose entries decide what the
// sources hold. Files are not watched themselves: a file that is replaced by
// another is no longer the one that was watched.
func (w *watcher) folders() map[string]bool {
	set := map[string]bool{}
	for _, src := range w.store.refresher.sources {
		root := trace(src.path, set)
		for _, secret := range entries(root, set) {
			if strings.HasPrefix(secret.Name(), "..") {
				continue // reached through the links that lead there
			}
			dir := trace(filepath.Join(root, secret.Name()), set)
			for _, file := range entries(dir, set) {
				if file.Type()&fs.ModeSymlink != 0 {
					trace(filepath.Join(dir, file.Name()), set)
				}
			}
		}
	}
	return set
}

// entries lists the folder dir and notes it in set. There is nothing to note if
// dir is empty, a file, or unreadable.
func entries(dir string, set map[string]bool) []fs.DirEntry {
	if info, err := os.Stat(dir); dir == "" || err != nil || !info.IsDir() {
		return nil
	}
	set[dir] = true
	list, _ := os.ReadDir(dir)
	return list
}

// trace resolves path as the operating system would and notes in set every folder
// in which a change may lead elsewhere: those that hold a symbolic link on the
// way, and the one that holds the file at the end or, if the way ends early, the
// next step of it. It returns the resolved path, "" if there is nothing.
func trace(path string, set map[string]bool) string {
	here, steps := split(path)
	for links := 0; len(steps) > 0; {
		step := steps[0]
		steps = steps[1:]
		if step == ".." {
			here = filepath.Dir(here) // here has no links, so this is its parent
			continue
		}
		next := filepath.Join(here, step)
		info, err := os.Lstat(next)
		if err != nil {
			set[here] = true
			return ""
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if len(steps) == 0 {
				set[here] = true
			}
			here = next
			continue
		}

		set[here] = true
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return ""
		}
		root, more := split(target)
		if root != "" {
			here = root
		}
		steps = append(more, steps...)
	}
	return here
}

// maxLinks bounds how many symbolic links a path may go through, as operating
// systems do.
const maxLinks = 40

// split cuts a path into its root, "" for a relative one, and its steps.
func split(path string) (root string, steps []string) {
	volume := filepath.VolumeName(path)
	rest := filepath.ToSlash(path[len(volume):])
	if strings.HasPrefix(rest, "/") {
		root = volume + string(filepath.Separator)
	}
	for step := range strings.SplitSeq(rest, "/") {
		if step != "" && step != "." {
			steps = append(steps, step)
		}
	}
	return root, steps
}
