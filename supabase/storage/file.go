package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// file is an open file of an [FS]. It is fetched from where it stands, when it is read. It is for
// one goroutine at a time, but for ReadAt.
type file struct {
	fs     *FS
	name   string
	info   *fileInfo
	offset int64
	reader *Reader // stands at offset; nil: not opened yet
	closed bool
}

var (
	_ io.ReadSeekCloser = (*file)(nil)
	_ io.ReaderAt       = (*file)(nil)
)

func (f *file) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *file) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, f.fail("stat", fs.ErrClosed)
	}
	return f.info, nil
}

func (f *file) Read(p []byte) (int, error) {
	switch {
	case f.closed:
		return 0, f.fail("read", fs.ErrClosed)
	case f.offset >= f.info.Size():
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if f.reader == nil {
		r, err := f.open(f.offset, 0)
		if err != nil {
			return 0, f.fail("read", err)
		}
		f.reader = r
	}
	n, err := f.reader.Read(p)
	f.offset += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.fail("read", err)
	}
	return n, err
}

// open reads a part of what the file was when it was opened.
func (f *file) open(offset, length int64) (*Reader, error) {
	r, err := f.fs.c.NewReader(f.fs.ctx, f.fs.bucket, path.Join(f.fs.dir, f.name), &DownloadOptions{Offset: offset, Length: length})
	if err != nil {
		return nil, err
	}
	if want := f.info.object.ETag; want != "" && r.ETag != "" && !sameETag(want, r.ETag) {
		_ = r.Close()
		return nil, ErrChanged
	}
	return r, nil
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, f.fail("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.info.Size()
	default:
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.fail("seek", fs.ErrInvalid)
	}
	if offset != f.offset {
		f.offset = offset
		f.drop()
	}
	return offset, nil
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	if f.closed {
		return 0, f.fail("read", fs.ErrClosed)
	}
	if offset < 0 {
		return 0, f.fail("read", fs.ErrInvalid)
	}
	left := f.info.Size() - offset
	switch {
	case len(p) == 0:
		return 0, nil
	case left <= 0:
		return 0, io.EOF
	}
	want := min(int64(len(p)), left)
	r, err := f.open(offset, want)
	if err != nil {
		return 0, f.fail("read", err)
	}
	defer func() { _ = r.Close() }()
	n, err := io.ReadFull(r, p[:want])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return n, f.fail("read", fmt.Errorf("%w: it ends before its size", io.ErrUnexpectedEOF))
	case err != nil:
		return n, f.fail("read", err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

// drop ends a download that stands elsewhere than the file.
func (f *file) drop() {
	if f.reader != nil {
		_ = f.reader.Close()
		f.reader = nil
	}
}

func (f *file) Close() error {
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	f.drop()
	return nil
}
