package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// File is an object in memory.
type File struct {
	Name        string // the last part of its path
	ContentType string // as it was stored
	Data        []byte
}

// DownloadOptions are the options of a download; the zero value is the whole object as it is stored.
type DownloadOptions struct {
	// Offset and Length select a part, in bytes. Length zero: to the end. An Offset at or after the
	// end is an error of the server.
	Offset, Length int64

	// Transform has the server make another image of the object; the content type is then that
	// image's. It cannot be combined with a part.
	Transform *Transform

	// Public reads an object of a public bucket as anybody would, without credentials, and so that
	// the CDN can answer.
	Public bool

	// MaxSize bounds what is read, in bytes; more is [ErrTooLarge]. Zero: no bound.
	MaxSize int64

	// Progress is told, while the object is read, how many bytes are there of how many; -1 if that is
	// not known.
	Progress func(done, total int64)
}

// Download reads an object into memory. A broken connection is taken up where it broke. What may be
// large is better read by [Client.NewReader] or [Client.DownloadTo], or bounded by MaxSize.
func (c *Client) Download(ctx context.Context, bucket, path string, opts ...*DownloadOptions) (File, error) {
	r, err := c.NewReader(ctx, bucket, path, opts...)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = r.Close() }()
	var buf bytes.Buffer
	if n := r.left(); n > 0 {
		buf.Grow(int(min(n, 64<<20)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(r); err != nil {
		return File{}, err
	}
	return File{Name: r.Name, ContentType: r.ContentType, Data: buf.Bytes()}, nil
}

// DownloadTo writes an object to w as it comes, and tells how many bytes it wrote. After an error w
// has a part of it.
func (c *Client) DownloadTo(ctx context.Context, bucket, path string, w io.Writer, opts ...*DownloadOptions) (int64, error) {
	r, err := c.NewReader(ctx, bucket, path, opts...)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	return io.Copy(w, r)
}

// NewReader opens an object for reading as it comes; the caller must close it. It lives no longer
// than ctx.
func (c *Client) NewReader(ctx context.Context, bucket, path string, opts ...*DownloadOptions) (*Reader, error) {
	o := last(opts)
	target, query, key, err := o.target(bucket, path)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		Name: base(key), Size: -1,
		ctx: ctx, c: c, path: target, query: query, opts: o, offset: o.Offset, end: -1,
	}
	if o.Length > 0 {
		r.end = o.Offset + o.Length
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

func (o *DownloadOptions) target(bucket, path string) (target, query, key string, err error) {
	words := "object"
	var q url.Values
	switch {
	case o.Offset < 0 || o.Length < 0 || o.MaxSize < 0 || o.Offset+o.Length < 0:
		return "", "", "", invalid("an offset, length or size below zero")
	case o.Transform != nil && (o.Offset != 0 || o.Length != 0):
		return "", "", "", invalid("a part of an image that is made on the way is not to be had")
	case o.Transform != nil && o.Public:
		words = "render/image/public"
	case o.Transform != nil:
		words = "render/image/authenticated"
	case o.Public:
		words = "object/public"
	}
	if o.Transform != nil {
		if q, err = o.Transform.query(); err != nil {
			return "", "", "", err
		}
	}
	target, key, err = objectRoute(words, bucket, path)
	return target, q.Encode(), key, err
}

// Reader reads an object as it comes. A broken connection is taken up where it broke, as long as
// the object is still the same. It is for one goroutine at a time.
type Reader struct {
	Name         string    // the last part of its path
	ContentType  string    // as it was stored
	Size         int64     // of the whole object, in bytes; -1: unknown
	ETag         string    // with its quotes
	CacheControl string    // as it was stored
	LastModified time.Time // zero: unknown

	ctx    context.Context //nolint:containedctx // that of the call which opened it; taking up a broken one needs it
	c      *Client
	path   string
	query  string
	opts   DownloadOptions
	offset int64 // of the next byte in the object
	end    int64 // where to stop; -1: at the end
	read   int64
	stream io.ReadCloser
	failed error
	faults int // in a row, without a byte between them
}

// maxFaults is how many times in a row a reader is taken up that gives nothing.
const maxFaults = 5

// open asks for what is left of the object.
func (r *Reader) open() error {
	req := &rest.Request{Method: http.MethodGet, Path: r.path, Query: r.query, Uncoded: nowhere, Header: http.Header{
		// As it is stored: a length that is known, and offsets that mean what they say.
		"Accept-Encoding": {"identity"},
	}}
	if r.opts.Public {
		req.Header["Authorization"] = nil
	}
	part := r.offset > 0 || r.end >= 0
	if part {
		bytes := "bytes=" + strconv.FormatInt(r.offset, 10) + "-"
		if r.end >= 0 {
			bytes += strconv.FormatInt(r.end-1, 10)
		}
		req.Header["Range"] = []string{bytes}
	}
	s, err := r.c.send.Stream(r.ctx, req)
	if err != nil {
		return err
	}
	if err := r.begin(s, part); err != nil {
		_ = s.Body.Close()
		return err
	}
	return nil
}

// begin takes a stream as what the reader reads.
func (r *Reader) begin(s *rest.Stream, part bool) error {
	size, from := s.Length, int64(0)
	if s.Status == http.StatusPartialContent {
		var ok bool
		if from, size, ok = parseContentRange(s.Header.Get("Content-Range")); !ok || from != r.offset {
			return fmt.Errorf("storage: GET %s: the server gives another part than was asked for", r.path)
		}
	}
	etag := s.Header.Get("Etag")
	if r.stream != nil || r.read > 0 {
		if !sameETag(etag, r.ETag) {
			return fmt.Errorf("GET %s: %w", r.path, ErrChanged)
		}
	} else {
		r.Size, r.ETag = size, etag
		if r.ContentType = s.Header.Get("Content-Type"); r.ContentType == "" {
			r.ContentType = cmp.Or(TypeByName(r.Name), "application/octet-stream")
		}
		r.CacheControl = s.Header.Get("Cache-Control")
		r.LastModified, _ = http.ParseTime(s.Header.Get("Last-Modified"))
	}
	if r.opts.MaxSize > 0 && r.left() > r.opts.MaxSize-r.read {
		return r.tooLarge()
	}
	if part && from < r.offset { // a server that knows no ranges gives all
		if _, err := io.CopyN(io.Discard, s.Body, r.offset-from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	r.stream = s.Body
	return nil
}

// left is how many bytes are to come; -1: unknown.
func (r *Reader) left() int64 {
	end := r.Size
	if r.end >= 0 && (end < 0 || r.end < end) {
		if end < 0 {
			return -1
		}
		end = r.end
	}
	if end < 0 {
		return -1
	}
	return max(end-r.offset, 0)
}

func (r *Reader) tooLarge() error {
	return fmt.Errorf("storage: GET %s: the object is longer than MaxSize, %d bytes: %w", r.path, r.opts.MaxSize, ErrTooLarge)
}

// Read reads the next bytes. Its errors are those of the call that opened the reader, [ErrChanged],
// and [ErrTooLarge].
func (r *Reader) Read(p []byte) (int, error) {
	for {
		if r.failed != nil {
			return 0, r.failed
		}
		if r.end >= 0 {
			if r.offset >= r.end {
				r.failed = io.EOF
				continue
			}
			p = p[:min(int64(len(p)), r.end-r.offset)]
		}
		n, err := r.stream.Read(p)
		r.offset += int64(n)
		r.read += int64(n)
		if n > 0 {
			r.faults = 0
			if r.opts.MaxSize > 0 && r.read > r.opts.MaxSize {
				r.failed = r.tooLarge()
				return 0, r.failed
			}
			if r.opts.Progress != nil {
				total := int64(-1)
				if left := r.left(); left >= 0 {
					total = r.read + left
				}
				r.opts.Progress(r.read, total)
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			r.failed = io.EOF
		case n > 0:
			// Taken up at the next call.
		default:
			if err := r.again(err); err != nil {
				r.failed = err
			}
			continue
		}
		return n, nil0(n, r.failed)
	}
}

// nil0 holds the end back until all before it was given.
func nil0(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// again takes a broken stream up, or tells why not.
func (r *Reader) again(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.Transient() || r.ctx.Err() != nil || r.opts.Transform != nil || r.ETag == "" {
		return err
	}
	if r.left() == 0 {
		return io.EOF // all is there; what broke was only the end
	}
	for {
		if r.faults++; r.faults > maxFaults {
			return err
		}
		_ = r.stream.Close()
		if waited := pause(r.ctx, r.faults, e.RetryAfter()); waited != nil {
			return err
		}
		again := r.open()
		if again == nil {
			return nil
		}
		if e, ok = errors.AsType[*Error](again); !ok || !e.Transient() {
			return again
		}
		err = again
	}
}

// Close ends the download; what was not read is not fetched.
func (r *Reader) Close() error {
	if r.failed == nil {
		r.failed = errClosed
	}
	return r.stream.Close()
}

var errClosed = errors.New("storage: the reader is closed")

// pause waits before a try that follows so many faults: 100 ms, doubled up to 5 s, shortened by a
// random part of up to a half, and not shorter than the server asks for.
func pause(ctx context.Context, faults int, asked time.Duration) error {
	d := 5 * time.Second
	if faults < 7 {
		d = min(d, 100*time.Millisecond<<(faults-1))
	}
	timer := time.NewTimer(max(d-rand.N(d/2), asked))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parseContentRange reads "bytes 0-4/12"; the size is -1 where there is a star.
func parseContentRange(s string) (from, size int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, whole, ok := strings.Cut(s, "/")
	if !ok {
		return 0, 0, false
	}
	first, lastByte, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(lastByte, 10, 64)
	if err != nil || err2 != nil || from < 0 || to < from {
		return 0, 0, false
	}
	if whole == "*" {
		return from, -1, true
	}
	size, err = strconv.ParseInt(whole, 10, 64)
	return from, size, err == nil && size > to
}

// sameETag compares as HTTP does weakly: proxies that compress mark a tag as weak.
func sameETag(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }

func base(key string) string { return path.Base(key) }
