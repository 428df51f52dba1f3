package storage

import (
	"bytes"
	"errors"
	"fmt"
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
	whole  io.Reader // the caller's
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
	s := &source{whole: r, reader: r, size: -1, waits: true}
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
	s.reader = s.bounded(r)
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

// rewind gives the source once more from its start, if that can be.
func (s *source) rewind() (io.Reader, error) {
	if s.seek == nil {
		return nil, errSpent
	}
	_, err := s.seek.Seek(s.start, io.SeekStart)
	return s.bounded(s.whole), err
}

// bounded is no more of r than the size.
func (s *source) bounded(r io.Reader) io.Reader {
	if s.size < 0 {
		return r
	}
	return io.LimitReader(r, s.size)
}

var errSpent = errors.New("storage: the server redirects an upload, whose data was read and cannot be read again; use the address that it redirects to")

// sniff tells the content type by the first bytes, which are still read afterwards.
func (s *source) sniff() (string, error) {
	first := make([]byte, sniffed)
	n, err := io.ReadFull(s.reader, first)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if first = first[:n]; err != nil && s.size < 0 {
		s.size = int64(n) // that was all
	}
	s.reader = io.MultiReader(bytes.NewReader(first), s.reader)
	return http.DetectContentType(first), nil
}

// body is a reader on its way into a request. The transport may still read a moment after the call
// is over; detach ends that, so that the caller has the reader for itself again.
type body struct {
	src      io.Reader
	again    func() (io.Reader, error) // gives src once more from its start
	waits    bool
	progress func(done, total int64)
	base     int64 // what was sent before
	total    int64
	want     int64 // how many bytes src must give; 0: as many as it has

	mu       sync.Mutex
	sent     int64
	opened   bool
	detached bool
	failed   error // of the source, which is not the network's
}

var errDetached = errors.New("storage: the upload is over")

// open gives the body, also once more where a redirect leads.
func (b *body) open() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened {
		src, err := b.again()
		if err != nil {
			return nil, err
		}
		b.src, b.sent = src, 0
	}
	b.opened = true
	return io.NopCloser(reader{b}), nil // the source is the caller's to close
}

// reader hides what else a body has.
type reader struct{ b *body }

func (r reader) Read(p []byte) (int, error) { return r.b.read(p) }

func (b *body) read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.detached {
		return 0, errDetached
	}
	src := b.src
	if b.waits {
		// The lock would hold detach, and the caller with it, until there is something to read.
		b.mu.Unlock()
	}
	n, err := src.Read(p)
	if b.waits {
		b.mu.Lock()
	}
	b.sent += int64(n)
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		b.failed = err
	case b.sent < b.want:
		b.failed = fmt.Errorf("storage: the reader gave %d bytes fewer than it said: %w", b.want-b.sent, io.ErrUnexpectedEOF)
	}
	if n > 0 && b.progress != nil && !b.detached {
		b.progress(b.base+b.sent, b.total)
	}
	return n, err
}

func (b *body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = true
}
