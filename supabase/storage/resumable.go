package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// ChunkSize is the size of the chunks of a resumable upload, in bytes: storage takes no other.
const ChunkSize = 6 << 20

// maxLost is how many times in a row a resumable upload goes on that gets no further.
const maxLost = 10

// UploadResumable stores what r gives in chunks of [ChunkSize], by the protocol TUS. After a broken
// connection, or an answer that says so, it asks the server how much has arrived, and goes on from
// there; a connection that stands still for a minute counts as broken. It gives up when it gets no
// further ten times in a row, with pauses of half a minute in all, or when ctx ends.
//
// A program that was restarted goes on too, by the URL that OnURL was told, for 24 hours:
//
//	_, err := st.UploadResumable(ctx, "videos", "day.mp4", file, &storage.UploadOptions{
//		ResumeURL: saved,                                   // empty: a new upload
//		OnURL:     func(url string) { save(url) },
//	})
//
// r is then the same data from its start: a reader that can seek is set to where the upload
// stands, any other is read up to there. An upload that the server no longer knows is [ErrNotFound]:
// begin again, without ResumeURL.
//
// A reader with ReadAt or Seek needs no memory; of any other a chunk is held. If the size is not
// known, the server is told with the last chunk.
func (c *Client) UploadResumable(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (UploadResult, error) {
	o := last(opts)
	_, key, err := objectRoute("object", bucket, path)
	if err != nil {
		return UploadResult{}, err
	}
	src, err := newSource(r, o.Size)
	if err != nil {
		return UploadResult{}, err
	}
	if o.SignedToken != "" && o.Upsert {
		return UploadResult{}, invalid("whether a signed upload may replace an object is said to CreateSignedUploadURL")
	}
	t := &transfer{c: c, o: o, bucket: bucket, key: key, src: src, chunks: chunks{src: src, size: src.size}, route: "upload/resumable"}
	if o.SignedToken != "" {
		t.route = "upload/resumable/sign"
	}
	if o.ResumeURL != "" {
		if t.id, err = uploadID(o.ResumeURL); err != nil {
			return UploadResult{}, invalid("ResumeURL is not the URL of an upload")
		}
		if err := t.find(ctx); err != nil {
			if err := t.recover(ctx, err); err != nil {
				return UploadResult{}, err
			}
		}
	} else if done, result, err := t.begin(ctx); done || err != nil {
		return result, err
	}
	if err := t.run(ctx); err != nil {
		return UploadResult{}, err
	}
	return UploadResult{Path: key, FullPath: bucket + "/" + key}, nil
}

// transfer is a resumable upload on its way.
type transfer struct {
	c           *Client
	o           UploadOptions
	bucket, key string
	src         *source
	chunks      chunks
	route       string
	id          string
	deferred    bool // the server does not know the size yet

	offset int64 // what the server has
	seen   bool  // the server said that the object is there
	lost   int   // faults in a row, without a byte between them
}

// begin has the server make an upload. An empty object needs none.
func (t *transfer) begin(ctx context.Context) (done bool, result UploadResult, err error) {
	contentType, err := t.o.contentType(t.key, t.src)
	if err != nil {
		return false, result, err
	}
	t.o.ContentType = contentType
	cacheControl, err := t.o.seconds()
	if err != nil {
		return false, result, err
	}
	metadata, err := t.o.metadata()
	if err != nil {
		return false, result, err
	}
	if t.chunks.size < 0 {
		// What fits into one chunk has a size that is known after all.
		if err := t.chunks.fill(0); err != nil {
			return false, result, err
		}
	}
	if t.chunks.size == 0 {
		result, err := t.empty(ctx)
		return true, result, err
	}

	pairs := [][2]string{{"bucketName", t.bucket}, {"objectName", t.key}, {"contentType", contentType}, {"cacheControl", cacheControl}}
	if metadata != nil {
		pairs = append(pairs, [2]string{"metadata", string(metadata)})
	}
	encoded := make([]string, len(pairs))
	for i, p := range pairs {
		encoded[i] = p[0] + " " + base64.StdEncoding.EncodeToString([]byte(p[1]))
	}
	header := t.header()
	header["Upload-Metadata"] = []string{strings.Join(encoded, ",")}
	if t.deferred = t.chunks.size < 0; t.deferred {
		header["Upload-Defer-Length"] = []string{"1"}
	} else {
		header["Upload-Length"] = []string{strconv.FormatInt(t.chunks.size, 10)}
	}
	// Made twice, the one that nothing is sent to is forgotten after a day.
	resp, err := t.c.send.Do(ctx, &rest.Request{Method: http.MethodPost, Path: t.route, Header: header, Idempotent: true})
	if err != nil {
		return false, result, exists(err)
	}
	if t.id, err = uploadID(resp.Header.Get("Location")); err != nil {
		return false, result, err
	}
	if t.o.OnURL != nil {
		address, err := t.c.address(ctx, t.path(), "")
		if err != nil {
			return false, result, err
		}
		t.o.OnURL(address)
	}
	return false, result, nil
}

// empty stores an object without content, which TUS does not.
func (t *transfer) empty(ctx context.Context) (UploadResult, error) {
	o := t.o
	o.ResumeURL, o.OnURL, o.SignedToken, o.Size = "", nil, "", 0
	if token := t.o.SignedToken; token != "" {
		return t.c.UploadToSignedURL(ctx, t.bucket, t.key, token, strings.NewReader(""), &o)
	}
	return t.c.Upload(ctx, t.bucket, t.key, strings.NewReader(""), &o)
}

// seconds is the cache control as TUS takes it: a number, or no caching.
func (o *UploadOptions) seconds() (string, error) {
	value := o.cacheControl()
	if value == "no-cache" {
		return value, nil
	}
	if n, ok := strings.CutPrefix(value, "max-age="); ok && n != "" && strings.Trim(n, "0123456789") == "" {
		return n, nil
	}
	return "", invalid("resumable uploads take a CacheControl of max-age or no-cache, not %q", o.CacheControl)
}

func (t *transfer) header() http.Header {
	h := http.Header{"Tus-Resumable": {"1.0.0"}, "X-Upsert": {strconv.FormatBool(t.o.Upsert)}}
	if t.o.SignedToken != "" {
		h["Authorization"] = nil
		h["X-Signature"] = []string{t.o.SignedToken}
	}
	for name, values := range t.o.Headers {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}

func (t *transfer) path() string { return t.route + "/" + t.id }

// find asks the server how much it has.
func (t *transfer) find(ctx context.Context) error {
	resp, err := t.c.send.Do(ctx, &rest.Request{Method: http.MethodHead, Path: t.path(), Header: t.header(), NoRetry: true})
	if err != nil {
		return err
	}
	offset, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return errors.New("storage: the server does not tell how much of the upload it has")
	}
	if length := resp.Header.Get("Upload-Length"); length == "" {
		t.deferred = true
	} else {
		size, err := strconv.ParseInt(length, 10, 64)
		if err != nil || size < offset {
			return errors.New("storage: the server tells a size of the upload that makes no sense")
		}
		if t.chunks.size >= 0 && t.chunks.size != size {
			return invalid("the upload is of %d bytes, and the reader gives %d: it is another object's", size, t.chunks.size)
		}
		t.chunks.size, t.deferred = size, false
	}
	if t.chunks.size >= 0 && offset > t.chunks.size {
		return errors.New("storage: the server has more of the upload than there is")
	}
	if offset > t.offset {
		t.lost = 0
	}
	t.offset = offset
	return nil
}

// run sends chunk after chunk until the server has all.
func (t *transfer) run(ctx context.Context) error {
	for !t.complete() {
		if err := t.step(ctx); err != nil {
			if err := t.recover(ctx, err); err != nil {
				return err
			}
		}
	}
	if t.seen {
		return nil
	}
	return t.confirm(ctx)
}

func (t *transfer) complete() bool { return t.seen || !t.deferred && t.offset == t.chunks.size }

// stalled is how long a chunk may make no headway before its connection counts as broken, and how
// long the server may take to answer once it has all of it.
const (
	stalled  = time.Minute
	answered = 3 * time.Minute
)

var errStalled = errors.New("storage: the connection stands still")

// step sends the chunk at the offset.
func (t *transfer) step(ctx context.Context) error {
	data, n, err := t.chunks.at(t.offset)
	if err != nil {
		return err
	}
	header := t.header()
	header["Content-Type"] = []string{"application/offset+octet-stream"}
	header["Upload-Offset"] = []string{strconv.FormatInt(t.offset, 10)}
	if t.deferred && t.chunks.size >= 0 {
		header["Upload-Length"] = []string{strconv.FormatInt(t.chunks.size, 10)}
	}
	chunkCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stalled, func() { cancel(errStalled) })
	defer watch.Stop()
	var sent int64
	body := &body{
		src: data, base: t.offset, total: t.chunks.size, want: n,
		again: func() (io.Reader, error) {
			sent = 0
			data, _, err := t.chunks.at(t.offset)
			return data, err
		},
		progress: func(done, total int64) {
			if sent = done - t.offset; sent == n {
				watch.Reset(answered)
			} else {
				watch.Reset(stalled)
			}
			if t.o.Progress != nil {
				t.o.Progress(done, total)
			}
		},
	}
	req := &rest.Request{Method: http.MethodPatch, Path: t.path(), Header: header, Open: body.open, Length: n}
	if n == 0 { // all is there but for the size
		req.Open, req.Body = nil, []byte{}
		watch.Reset(answered)
	}
	resp, err := t.c.send.Do(chunkCtx, req)
	body.detach()
	switch {
	case body.failed != nil:
		return body.failed
	case err != nil && ctx.Err() == nil && errors.Is(context.Cause(chunkCtx), errStalled):
		return errStalled
	case err != nil:
		return err
	}
	offset, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < t.offset || offset == t.offset && n > 0 || offset > t.offset+n {
		return errors.New("storage: the server does not tell how much of the chunk it has; is the URL the storage's?")
	}
	t.offset, t.lost = offset, 0
	if t.chunks.size >= 0 {
		t.deferred = false
		t.seen = t.offset == t.chunks.size
	}
	return nil
}

// recover waits, and finds out where the upload stands, after a fault that may pass; other faults
// are returned.
func (t *transfer) recover(ctx context.Context, fault error) error {
	for {
		e, ok := errors.AsType[*Error](fault)
		if ctx.Err() != nil || !errors.Is(fault, errStalled) && (!ok || !passes(e)) {
			return exists(fault)
		}
		if t.lost++; t.lost > maxLost {
			return fmt.Errorf("storage: the upload got no further, %d times in a row: %w", maxLost, fault)
		}
		asked := time.Duration(0)
		if ok {
			asked = e.RetryAfter()
		}
		if pause(ctx, t.lost, asked) != nil {
			return fault
		}
		err := t.find(ctx)
		if err == nil {
			return nil
		}
		fault = err
	}
}

// passes tells whether an upload may go on after the fault.
func passes(e *Error) bool {
	switch e.Status {
	case 0:
		return e.Transient()
	case http.StatusConflict:
		// Storage says 409 for a wrong offset, which is what goes on, and for an object that is there.
		return strings.Contains(strings.ToLower(e.Message), "offset")
	case http.StatusRequestTimeout, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError:
		return true
	}
	return e.Transient()
}

// exists makes a conflict that TUS tells by its status alone an fs.ErrExist.
func exists(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusConflict && !errors.Is(err, fs.ErrExist) {
		return &existError{e}
	}
	return err
}

type existError struct{ err *Error }

func (e *existError) Error() string        { return e.err.Error() }
func (e *existError) Unwrap() error        { return e.err }
func (e *existError) Is(target error) bool { return target == fs.ErrExist }

// confirm finds out whether all bytes became the object, where the answer that would have said so
// was lost: the URL of the upload has the version that the object then has. If not, the server is
// asked once more to finish, by a chunk of nothing.
func (t *transfer) confirm(ctx context.Context) error {
	if t.o.SignedToken == "" {
		info, err := t.c.Info(ctx, t.bucket, t.key)
		if err == nil && info.Size == t.chunks.size && (info.Version == "" || info.Version == versionOf(t.id)) {
			return nil
		}
	}
	header := t.header()
	header["Content-Type"] = []string{"application/offset+octet-stream"}
	header["Upload-Offset"] = []string{strconv.FormatInt(t.offset, 10)}
	_, err := t.c.send.Do(ctx, &rest.Request{Method: http.MethodPatch, Path: t.path(), Header: header, Body: []byte{}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return nil
}

// versionOf is the version in the id of an upload, "bucket/path/version" in base64.
func versionOf(id string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return ""
	}
	return string(text[strings.LastIndexByte(string(text), '/')+1:])
}

// uploadID is the last part of the address of an upload. No more of it is used: servers behind a
// proxy tell their own host, and https whatever they are asked by.
func uploadID(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errUploadURL
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	words, id, found := cutLast(path, "/")
	if !found || id == "" || !strings.HasSuffix(words, "upload/resumable") && !strings.HasSuffix(words, "upload/resumable/sign") {
		return "", errUploadURL
	}
	if strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=~.") != "" || strings.Trim(id, ".") == "" {
		return "", errUploadURL
	}
	return id, nil
}

var errUploadURL = errors.New("storage: the server does not tell the URL of the upload; is the URL the storage's?")

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}
