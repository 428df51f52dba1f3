package secrets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// Whoever rewrites a file in place empties it first and then writes it, in one
// step or in several; whoever replaces one may take it away first. What is there
// meanwhile is nobody's secrets. This file is how a source tells that from what
// somebody has meant.
const (
	// quiet is how long a source must have been left alone to be taken for
	// complete.
	quiet = 50 * time.Millisecond
	// looks is how often a source that is not left alone is looked at before it
	// is given up: for a second.
	looks = 20
)

var (
	errRestless = errors.New("this changes all the time: write it at once, leave it alone for a twentieth of a second, and it is read")
	errEmptied  = errors.New("this has been emptied, as when it is being written anew; if there shall be nothing, leave a comment or an empty line, or remove it")
)

// atRest lists the source when nothing has happened to it for a moment. That
// costs no time unless something has just happened.
func (src *source) atRest(ctx context.Context) (listing, error) {
	found, err := list(src.path)
	if err != nil || !src.restless(found) {
		return found, err
	}
	for range looks {
		select {
		case <-time.After(quiet):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		again, err := list(src.path)
		if err != nil || again.equal(found) {
			return again, err
		}
		found = again
	}
	return nil, errRestless
}

// restless says whether what was found may be the work of somebody who has not
// finished: it is not what was last read, and something in it is a moment old,
// or something that gave the last good values is gone.
func (src *source) restless(found listing) bool {
	if src.seen != nil && found.equal(src.seen) {
		return false
	}
	return found.touchedSince(time.Now().Add(-quiet)) || found.lacks(src.good)
}

// touchedSince says whether a file was written at that time or later. A file
// from the future tells nothing: the clock that made it is another.
func (l listing) touchedSince(then time.Time) bool {
	now := time.Now()
	for _, m := range l {
		if m.isFile() && !m.info.ModTime().Before(then) && !m.info.ModTime().After(now) {
			return true
		}
	}
	return false
}

// lacks says whether a file that was there is not.
func (l listing) lacks(before listing) bool {
	there := l.files()
	for path := range before.files() {
		if there[path] == nil {
			return true
		}
	}
	return false
}

// emptied returns the path of a file that held something and has no byte now; ""
// if there is none. In a folder, an empty file is an empty text, so there it counts
// only if no other file took its place.
func (l listing) emptied(before listing) string {
	held := before.files()
	for _, m := range l {
		was := held[m.path]
		if m.isFile() && was != nil && was.Size() > 0 && m.info.Size() == 0 && (m.file == "" || os.SameFile(was, m.info)) {
			return m.path
		}
	}
	return ""
}

// files is what is listed, without the folders.
func (l listing) files() map[string]fs.FileInfo {
	files := make(map[string]fs.FileInfo, len(l))
	for _, m := range l {
		if m.isFile() {
			files[m.path] = m.info
		}
	}
	return files
}

func (m mark) isFile() bool { return m.info != nil && !m.info.IsDir() }

// gaveUp tells whether err is the end of ctx, not a file's.
func gaveUp(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}
