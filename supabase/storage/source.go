package storage

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
)

// sniffed is how many of an object's first bytes tell its content type.
const sniffed = 512

// source is what an upload reads.
type source struct {
	reader io.Reader // from where the caller's stands
	size   int64     // -1: unknown
	waits  bool      // whether a Read may wait for others, as a pipe's does
	at     io.ReaderAt
	seek   io.Seeker
	start  int64 // where the caller's reader stands, with at or seek
}

// newSource finds out what can be known of r: its size, and whether it can be read again.
func newSource(r io.Reader, size int64) (*source, error) {
	if r == nil {
		return nil, invalid("there is no reader to upload from")
	}
	if size < 0 {
		return nil, invalid("a size below zero")
	}
	s := &source{reader: r, size: -1, waits: true}
	if seeker, ok := r.(io.Seeker); ok && canSeek(r) {
		start, err := seeker.Seek(0, io.SeekCurrent)
		if err == nil {
			var end int64
			if end, err = seeker.Seek(0, io.SeekEnd); err == nil {
				_, err = seeker.Seek(start, io.SeekStart)
			}
			if err != nil {
				return nil, err // it stands elsewhere now
			}
			s.seek, s.start, s.size, s.waits = seeker, start, max(end-start, 0), false
			s.at, _ = r.(io.ReaderAt)
		}
	}
	if s.size < 0 {
		switch r := r.(type) {
		case interface{ Len() int }:
			s.size, s.waits = int64(r.Len()), false
		case interface{ Stat() (fs.FileInfo, error) }:
			if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
				s.size, s.waits = info.Size(), false
			}
		}
	}
	if size > 0 {
		s.size = size
	}
	return s, nil
}

// canSeek tells whether Seek means something: pipes, terminals and devices have the method too.
func canSeek(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return true
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// sniff tells the content type by the first bytes, which are still read afterwards.
func (s *source) sniff() (string, error) {
	first := make([]byte, sniffed)
	n, err := io.ReadFull(s.reader, first)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	first = first[:n]
	s.reader = io.MultiReader(bytes.NewReader(first), s.reader)
	return http.DetectContentType(first), nil
}

// body is a reader on its way into a request. The transport may still read a moment after the call
// is over; detach ends that, so that the caller has the reader for itself again.
type body struct {
	src      io.Reader
	waits    bool
	progress func(done, total int64)
	base     int64 // what was sent before
	total    int64

	mu       sync.Mutex
	sent     int64
	opened   bool
	detached bool
}

var errDetached = errors.New("storage: the upload is over")

func newBody(src io.Reader, total, base int64, progress func(done, total int64), waits bool) *body {
	return &body{src: src, waits: waits, progress: progress, base: base, total: total}
}

// open gives the body once: what is read is gone.
func (b *body) open() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened {
		return nil, errors.New("storage: the server redirects an upload, whose body is sent already; use the address that it redirects to")
	}
	b.opened = true
	return b, nil
}

func (b *body) Read(p []byte) (int, error) {
	if b.waits {
		// A lock held here would hold detach, and the caller with it, until there is something to read.
		if b.over() {
			return 0, errDetached
		}
		n, err := b.src.Read(p)
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.count(n), err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.detached {
		return 0, errDetached
	}
	n, err := b.src.Read(p)
	return b.count(n), err
}

func (b *body) count(n int) int {
	b.sent += int64(n)
	if n > 0 && b.progress != nil && !b.detached {
		b.progress(b.base+b.sent, b.total)
	}
	return n
}

func (b *body) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.detached
}

// Close leaves the source open: it is the caller's.
func (b *body) Close() error { return nil }

func (b *body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = true
}
