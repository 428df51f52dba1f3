package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	// maxBytes bounds a file, and a folder's files taken together.
	maxBytes = 16 << 20
	// maxEntries bounds the files and folders of a mounted folder.
	maxEntries = 10_000
	// settling is how old a file must have been when it was read for its size
	// and modification time to vouch for its content. File systems keep those
	// times to between nanoseconds and two seconds, so a file that was written
	// just before it was read may be written again without a visible trace.
	settling = 2 * time.Second
	// consistentReads is how often a source that changes while it is read is
	// read again.
	consistentReads = 5
)

// A source is a place on disk and what was last read there.
type source struct {
	path     string
	required bool
	via      string // what named the path, if that was not the program

	layer  *layer  // last good values; nil: there are none
	good   listing // what the layer was read from
	seen   listing // what was there when the source was last read; nil: unknown
	readAt time.Time
	err    error // why the source's present state could not be read
}

// refresh reads the source if it changed since it was last read. On an error
// the layer stays as it was. At the end of ctx, all stays as it was.
func (src *source) refresh(ctx context.Context) error {
	found, err := src.atRest(ctx)
	now := time.Now()
	if gaveUp(ctx, err) {
		return err
	}
	if err != nil {
		src.seen, src.err = nil, src.explain(err)
		return src.err
	}
	if src.seen != nil && found.equal(src.seen) && src.seen.settledBefore(src.readAt) {
		return src.err
	}

	read, err := src.read(found, now)
	switch {
	case err != nil:
		src.err = src.explain(err)
	case read == nil && src.required:
		src.err = src.explain(fs.ErrNotExist)
	default:
		src.layer, src.good, src.err = read, src.seen, nil
	}
	return src.err
}

// read reads what was found at the time now, until it did not change meanwhile:
// lest a user name from before a rotation meets a password from after it.
func (src *source) read(found listing, now time.Time) (*layer, error) {
	for range consistentReads {
		read, err := src.readOnce(found)

		next := time.Now()
		after, listErr := list(src.path)
		if listErr != nil {
			src.seen = nil
			return nil, listErr
		}
		if after.equal(found) {
			src.seen, src.readAt = found, now
			return read, err
		}
		found, now = after, next
	}
	src.seen = nil
	return nil, errRestless
}

func (src *source) readOnce(found listing) (*layer, error) {
	if path := found.emptied(src.good); path != "" {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errEmptied}
	}
	return found.read()
}

// explain adds the source to an error. The path goes off an error of the file
// system if it is the source's own, so as not to be told twice.
func (src *source) explain(err error) error {
	if _, ok := errors.AsType[*ParseError](err); ok {
		return err
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok && pathErr.Path == src.path {
		err = pathErr.Err
	}
	if src.via != "" {
		return fmt.Errorf("secrets: %s, listed in %s: %w", src.path, src.via, err)
	}
	return fmt.Errorf("secrets: %s: %w", src.path, err)
}

// A listing is what the file system tells of a source without reading it. Its
// first mark is the path itself; those of a folder's secrets and files follow.
type listing []mark

type mark struct {
	path   string
	secret string      // folder: name of the secret
	file   string      // folder: name of the file in the secret, "" for the secret's own folder
	info   fs.FileInfo // nil: there is nothing
}

// list looks at path, following symbolic links.
func list(path string) (listing, error) {
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	found := listing{{path: path, info: info}}
	if info == nil || !info.IsDir() {
		return found, nil
	}

	secrets, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, entry := range secrets {
		secret := mark{path: filepath.Join(path, entry.Name()), secret: entry.Name()}
		if secret.info, err = stat(secret.path); err != nil {
			return nil, err
		}
		if secret.info == nil || ignored(secret) {
			continue
		}
		found = append(found, secret)
		if !secret.info.IsDir() {
			continue
		}
		files, err := os.ReadDir(secret.path)
		if err != nil {
			return nil, err
		}
		for _, entry := range files {
			file := mark{path: filepath.Join(secret.path, entry.Name()), secret: secret.secret, file: entry.Name()}
			if file.info, err = stat(file.path); err != nil {
				return nil, err
			}
			// Folders below a secret are not read, among them the ones where
			// Kubernetes keeps the files that the secret's links point to.
			if file.isFile() {
				found = append(found, file)
			}
		}
		if len(found) > maxEntries {
			return nil, fmt.Errorf("there are more than %d files: are these secrets?", maxEntries)
		}
	}
	return found, nil
}

// ignored says whether an entry of the mounted folder is nobody's secret: the
// bookkeeping of Kubernetes (..data, ..2026_01_01_00_00_00.123) and hidden
// files such as .DS_Store.
func ignored(m mark) bool {
	return strings.HasPrefix(m.secret, "..") || strings.HasPrefix(m.secret, ".") && !m.info.IsDir()
}

// stat is os.Stat, with nil for what is not there: a symbolic link that points
// nowhere is not there either, as happens while Kubernetes swaps a mount.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	return info, err
}

// equal says whether nothing that shows changed between two listings.
func (l listing) equal(other listing) bool {
	if len(l) != len(other) {
		return false
	}
	for i, m := range l {
		if m.path != other[i].path || !sameFile(m.info, other[i].info) {
			return false
		}
	}
	return true
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if a.IsDir() && b.IsDir() {
		return true // what is in it has marks of its own
	}
	return a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// settledBefore says whether every file was old enough at the time when it was
// read, see settling.
func (l listing) settledBefore(readAt time.Time) bool {
	for _, m := range l {
		if m.isFile() && m.info.ModTime().After(readAt.Add(-settling)) {
			return false
		}
	}
	return true
}

// read reads what was listed: nil if there is nothing.
func (l listing) read() (*layer, error) {
	switch root := l[0]; {
	case root.info == nil:
		return nil, nil
	case root.info.IsDir():
		return l.readFolder()
	case !strings.EqualFold(filepath.Ext(root.path), ".toml"):
		return nil, errors.New("this is neither a .toml file nor a folder")
	case !root.info.Mode().IsRegular():
		return nil, errors.New("this is not a regular file")
	default:
		data, err := readFile(root.path, maxBytes)
		if err != nil {
			return nil, err
		}
		values, err := parse(root.path, data)
		if err != nil {
			return nil, err
		}
		return &layer{path: root.path, values: seal(values)}, nil
	}
}

// readFolder reads a mounted folder: <folder>/<secret>/<file> becomes
// secret.file, and the only file of a secret becomes the secret itself.
func (l listing) readFolder() (*layer, error) {
	values, places := map[string]any{}, map[string]string{}
	left := int64(maxBytes)
	for _, m := range l[1:] {
		if m.file == "" {
			if !m.info.IsDir() {
				return nil, misplaced(m)
			}
			values[m.secret] = map[string]any{}
			continue
		}
		if !m.info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", filepath.Join(m.secret, m.file))
		}
		data, err := readFile(m.path, left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(data))
		values[m.secret].(map[string]any)[m.file] = text(data)
	}
	for secret, files := range values {
		files := files.(map[string]any)
		if len(files) != 1 {
			continue
		}
		for file, value := range files {
			values[secret] = value
			places[secret] = filepath.Join(l[0].path, secret, file)
		}
	}
	return &layer{path: l[0].path, values: seal(values), places: places, folder: true}, nil
}

func misplaced(m mark) error {
	hint := "mount every secret in a subfolder of its own"
	if strings.EqualFold(filepath.Ext(m.path), ".toml") {
		hint = "give the path of that file, or " + hint
	}
	return fmt.Errorf("%s is a file directly in the folder of secrets: %s", m.secret, hint)
}

// text is what a mounted file holds. White space around it is no part of it, as
// editors and echo end a file with a newline; a file that is no text is left
// alone.
func text(data []byte) string {
	if !utf8.Valid(data) {
		return string(data)
	}
	return string(bytes.TrimSpace(bytes.TrimPrefix(data, utf8BOM)))
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("there are more than %d MiB: are these secrets?", maxBytes>>20)
	}
	return data, nil
}

// place names what gave the value at path. The caller knows that this layer did.
func (l *layer) place(path []string) string {
	if !l.folder || len(path) == 0 {
		return l.path
	}
	if file, ok := l.places[path[0]]; ok {
		return file
	}
	return filepath.Join(l.path, filepath.Join(path...))
}
