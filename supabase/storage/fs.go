package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// FS is a bucket, or a folder of one, as a file system that is only read: for http.FileServerFS,
// templates, and fs.WalkDir. Files are fetched as they are read; they seek, and read at any place,
// by asking for that part. Nothing is kept between calls.
//
// Folders are there as long as there is an object in them. An object hides a folder of the same
// name, and one whose path is no name for a file (a//b) is not to be seen. Files have the mode 0444
// and folders 0555 and no time; the Sys of a file's info is its [Object].
type FS struct {
	ctx    context.Context //nolint:containedctx // fs.FS has no place for one: FS says whose it is
	c      *Client
	bucket string
	dir    string // empty: the bucket
	err    error  // of the bucket's name
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.SubFS      = (*FS)(nil)
)

// FS is a bucket as a file system. All that is read from it is read with ctx, and ends with it.
// Whether there is such a bucket is not looked at: without one it is empty.
func (c *Client) FS(ctx context.Context, bucket string) *FS {
	return &FS{ctx: ctx, c: c, bucket: bucket, err: checkBucket(bucket)}
}

// Open opens a file, which is an io.Seeker and an io.ReaderAt as well, or a folder.
func (f *FS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &folder{fs: f, name: name, info: info}, nil
	}
	return &file{fs: f, name: name, info: info}, nil
}

// Stat is what is known of a file or folder.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	info, err := f.stat("stat", name)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// ReadFile reads a whole file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	key, err := f.key("read", name)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsFolder}
	}
	got, err := f.c.Download(f.ctx, f.bucket, key)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			if info, statErr := f.stat("read", name); statErr == nil && info.IsDir() {
				err = errIsFolder
			}
		}
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return got.Data, nil
}

// ReadDir lists a folder by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	key, err := f.key("readdir", name)
	if err != nil {
		return nil, err
	}
	entries, err := f.list(key)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	if len(entries) == 0 && key != "" { // no folder: a file, or nothing
		info, err := f.stat("readdir", name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
		}
	}
	return entries, nil
}

// Sub is a folder as a file system of its own. Whether it is there is not looked at.
func (f *FS) Sub(dir string) (fs.FS, error) {
	key, err := f.key("sub", dir)
	if err != nil {
		return nil, err
	}
	sub := *f
	sub.dir = key
	return &sub, nil
}

var (
	errIsFolder = errors.New("is a folder")
	errNoFolder = errors.New("is no folder")
)

// key is the path in the bucket of a name.
func (f *FS) key(op, name string) (string, error) {
	switch {
	case f.err != nil:
		return "", &fs.PathError{Op: op, Path: name, Err: f.err}
	case !fs.ValidPath(name):
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	case name == ".":
		return f.dir, nil
	}
	if _, found := refused(name, inKey); found {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} // storage has no such names
	}
	return path.Join(f.dir, name), nil
}

func (f *FS) stat(op, name string) (*fileInfo, error) {
	key, err := f.key(op, name)
	if err != nil {
		return nil, err
	}
	if key == "" || name == "." {
		return &fileInfo{name: path.Base(name), folder: true}, nil
	}
	object, err := f.c.Info(f.ctx, f.bucket, key)
	if err == nil {
		return &fileInfo{name: path.Base(name), object: object}, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		var below []Object
		if below, err = f.c.ListObjects(f.ctx, f.bucket, key, &ListOptions{Limit: 1}); err == nil {
			if len(below) > 0 {
				return &fileInfo{name: path.Base(name), folder: true}, nil
			}
			err = fs.ErrNotExist
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

// list is what there is in a folder, by name; of an object and a folder with one name the object.
func (f *FS) list(key string) ([]fs.DirEntry, error) {
	var infos []*fileInfo
	first := ""
	for offset := 0; ; {
		page, err := f.c.ListObjects(f.ctx, f.bucket, key, &ListOptions{Limit: walkPage, Offset: offset})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			if name, ok := strings.CutPrefix(o.Path, key); ok {
				if name = strings.TrimPrefix(name, "/"); fs.ValidPath(name) && name != "." && !strings.Contains(name, "/") {
					infos = append(infos, &fileInfo{name: name, folder: o.Folder, object: o})
				}
			}
		}
		if len(page) < walkPage || page[0].Path == first {
			break
		}
		first = page[0].Path // a server that knows no offset would give the same page for ever
		offset += len(page)
	}
	slices.SortStableFunc(infos, func(a, b *fileInfo) int {
		if c := cmp.Compare(a.name, b.name); c != 0 {
			return c
		}
		switch {
		case a.folder == b.folder:
			return 0
		case b.folder:
			return -1
		}
		return 1
	})
	infos = slices.CompactFunc(infos, func(a, b *fileInfo) bool { return a.name == b.name })
	entries := make([]fs.DirEntry, len(infos))
	for i, info := range infos {
		entries[i] = fs.FileInfoToDirEntry(info)
	}
	return entries, nil
}

// fileInfo is what is known of a file or folder.
type fileInfo struct {
	name   string
	folder bool
	object Object
}

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return i.object.Size }
func (i *fileInfo) ModTime() time.Time { return i.object.UpdatedAt }
func (i *fileInfo) IsDir() bool        { return i.folder }
func (i *fileInfo) String() string     { return fs.FormatFileInfo(i) }

func (i *fileInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i *fileInfo) Sys() any {
	if i.folder {
		return nil
	}
	return i.object
}

// folder is an open folder, which is listed when it is first read.
type folder struct {
	fs      *FS
	name    string
	info    *fileInfo
	listed  bool
	entries []fs.DirEntry
	closed  bool
}

func (d *folder) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, &fs.PathError{Op: "stat", Path: d.name, Err: fs.ErrClosed}
	}
	return d.info, nil
}

func (d *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errIsFolder}
}

func (d *folder) Close() error {
	if d.closed {
		return &fs.PathError{Op: "close", Path: d.name, Err: fs.ErrClosed}
	}
	d.closed = true
	return nil
}

// ReadDir is that of fs.ReadDirFile.
func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, &fs.PathError{Op: "readdir", Path: d.name, Err: fs.ErrClosed}
	}
	if !d.listed {
		entries, err := d.fs.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.entries, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	some := d.entries[:n:n]
	d.entries = d.entries[n:]
	return slices.Clone(some), nil
}
