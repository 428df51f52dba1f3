package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/streamconn/streamconn/internal/rest"
)

// DefaultCacheControl is the Cache-Control that an upload is stored with if it names none. Storage
// itself would take no-cache.
const DefaultCacheControl = "max-age=3600"

// maxMetadata is the size of an object's metadata, in bytes of JSON, that storage takes.
const maxMetadata = 1 << 20

// UploadOptions are the options of an upload. They hold for that upload alone.
type UploadOptions struct {
	// ContentType is what the object is served as. Empty: told by the extension of its path
	// ([TypeByName]), else by its first bytes. Where the bucket allows some types alone, see
	// [Bucket.AllowedMIMETypes] about a charset.
	ContentType string

	// CacheControl is how long browsers and the CDN keep the object: a Cache-Control, or a number of
	// seconds ("60" is max-age=60). Empty: [DefaultCacheControl].
	CacheControl string

	// Upsert replaces an object that is there; without it, that is [ErrConflict] and fs.ErrExist.
	// Replacing needs the rights to insert, select and update.
	Upsert bool

	// Metadata is kept with the object, and given by [Client.Info]; as JSON at most 1 MiB.
	Metadata map[string]any

	// Headers are sent as well; they win over the headers that the other options make.
	Headers http.Header

	// Size is how many bytes of the reader are stored; fewer are an error, more are left. Zero: all,
	// and how many is found out from readers with a Len, a Stat or a Seek; of others nothing is
	// known, and they are sent as they come. It is best known: the server holds an object of
	// unknown size to no limit.
	Size int64

	// Progress is told how many bytes are sent of how many, -1 if that is not known. It is called
	// from another goroutine, by one at a time, and no more once the upload has returned. What is
	// sent again, after a broken connection, counts once: done may go back.
	Progress func(done, total int64)

	// ResumeURL, for [Client.UploadResumable], goes on with the upload that has this URL, which
	// OnURL was told. Empty: begins a new one.
	ResumeURL string

	// OnURL, for [Client.UploadResumable], is told the URL of the upload once it has begun. A
	// program that keeps it can go on after a restart, for 24 hours.
	OnURL func(url string)

	// SignedToken, for [Client.UploadResumable], is the token of [Client.CreateSignedUploadURL]: the
	// upload is made with that in place of the client's credentials.
	SignedToken string
}

// Format prints what is no secret.
func (o UploadOptions) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "storage.UploadOptions(%s, %s, upsert %t)", o.ContentType, o.cacheControl(), o.Upsert)
}

// LogValue prints what is no secret.
func (o UploadOptions) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// MarshalText prints what is no secret.
func (o UploadOptions) MarshalText() ([]byte, error) { return fmt.Append(nil, o), nil }

// UploadResult is an object that was stored.
type UploadResult struct {
	ID       string // empty after signed and resumable uploads, where the server does not tell
	Path     string // in the bucket
	FullPath string // with the bucket before it
}

// Upload stores what r gives, from where it stands to its end, as a new object. It streams: memory
// does not grow with the size. r is not closed; after an error it has been read in part. An upload
// is sent once, not tried again; [Client.UploadResumable] survives a broken connection. As in net/http,
// the end of ctx ends an upload once a Read of r that is waiting returns.
func (c *Client) Upload(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (UploadResult, error) {
	return c.upload(ctx, http.MethodPost, bucket, path, r, last(opts))
}

// Update stores what r gives in place of the object that is at path, or as a new one if there is
// none. It is otherwise [Client.Upload].
func (c *Client) Update(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (UploadResult, error) {
	return c.upload(ctx, http.MethodPut, bucket, path, r, last(opts))
}

// UploadFile stores the file called name: see [Client.Upload]. An empty path stores it under its
// own name. Where the path tells no content type, the file's name does.
func (c *Client) UploadFile(ctx context.Context, bucket, path, name string, opts ...*UploadOptions) (UploadResult, error) {
	f, err := os.Open(name)
	if err != nil {
		return UploadResult{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return UploadResult{}, err
	}
	if info.IsDir() {
		return UploadResult{}, invalid("%s is a folder", name)
	}
	o := last(opts)
	if path == "" {
		path = info.Name()
	}
	if o.ContentType == "" && TypeByName(path) == "" {
		o.ContentType = TypeByName(name)
	}
	return c.upload(ctx, http.MethodPost, bucket, path, f, o)
}

// UploadBytes stores data: see [Client.Upload].
func (c *Client) UploadBytes(ctx context.Context, bucket, path string, data []byte, opts ...*UploadOptions) (UploadResult, error) {
	return c.upload(ctx, http.MethodPost, bucket, path, bytes.NewReader(data), last(opts))
}

func (c *Client) upload(ctx context.Context, method, bucket, path string, r io.Reader, o UploadOptions) (UploadResult, error) {
	target, key, err := objectRoute("object", bucket, path)
	if err != nil {
		return UploadResult{}, err
	}
	if err := o.onlyPlain(); err != nil {
		return UploadResult{}, err
	}
	return c.put(ctx, &rest.Request{Method: method, Path: target, Header: http.Header{
		"X-Upsert": {fmt.Sprint(o.Upsert)},
	}}, key, r, o)
}

// put sends r as the body of a request that stores it as key.
func (c *Client) put(ctx context.Context, req *rest.Request, key string, r io.Reader, o UploadOptions) (UploadResult, error) {
	src, err := newSource(r, o.Size)
	if err != nil {
		return UploadResult{}, err
	}
	contentType, err := o.contentType(key, src)
	if err != nil {
		return UploadResult{}, err
	}
	metadata, err := o.metadata()
	if err != nil {
		return UploadResult{}, err
	}
	req.Header["Content-Type"] = []string{contentType}
	req.Header["Cache-Control"] = []string{o.cacheControl()}
	if metadata != nil {
		req.Header["X-Metadata"] = []string{base64.StdEncoding.EncodeToString(metadata)}
	}
	for name, values := range o.Headers {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}

	body := &body{src: src.reader, again: src.rewind, waits: src.waits, progress: o.Progress, total: src.size}
	defer body.detach()
	if src.size == 0 {
		req.Body = []byte{}
	} else {
		req.Open, req.Length = body.open, src.size
	}
	resp, err := c.send.Do(ctx, req)
	if err != nil {
		return UploadResult{}, err
	}
	if src.size == 0 && o.Progress != nil {
		o.Progress(0, 0)
	}
	var stored struct{ Key, ID string }
	if err := json.Unmarshal(resp.Body, &stored); err != nil || stored.Key == "" {
		return UploadResult{}, fmt.Errorf("storage: %s %s: the answer names no object; is the URL the storage's?", req.Method, req.Path)
	}
	return UploadResult{ID: stored.ID, Path: key, FullPath: stored.Key}, nil
}

// onlyPlain refuses options that are for resumable uploads.
func (o *UploadOptions) onlyPlain() error {
	if o.ResumeURL != "" || o.OnURL != nil || o.SignedToken != "" {
		return invalid("ResumeURL, OnURL and SignedToken are for UploadResumable")
	}
	return nil
}

func (o *UploadOptions) cacheControl() string {
	switch {
	case o.CacheControl == "":
		return DefaultCacheControl
	case strings.Trim(o.CacheControl, "0123456789") == "":
		return "max-age=" + o.CacheControl
	}
	return o.CacheControl
}

func (o *UploadOptions) contentType(key string, src *source) (string, error) {
	if o.ContentType != "" {
		return o.ContentType, nil
	}
	if byName := TypeByName(key); byName != "" {
		return byName, nil
	}
	return src.sniff()
}

func (o *UploadOptions) metadata() ([]byte, error) {
	if o.Metadata == nil {
		return nil, nil
	}
	text, err := json.Marshal(o.Metadata)
	if err != nil {
		return nil, invalid("the metadata has no form in JSON: %w", err)
	}
	if len(text) > maxMetadata {
		return nil, invalid("the metadata has more than 1 MiB")
	}
	return text, nil
}

// UploadToSignedURL stores what r gives by the token of [Client.CreateSignedUploadURL], without the
// client's credentials. It is otherwise [Client.Upload]; whether it may replace an object was said
// when the token was made.
func (c *Client) UploadToSignedURL(ctx context.Context, bucket, path, token string, r io.Reader, opts ...*UploadOptions) (UploadResult, error) {
	o := last(opts)
	target, key, err := objectRoute("object/upload/sign", bucket, path)
	if err != nil {
		return UploadResult{}, err
	}
	if token == "" {
		return UploadResult{}, invalid("the signed upload has no token")
	}
	if o.Upsert {
		return UploadResult{}, invalid("whether a signed upload may replace an object is said to CreateSignedUploadURL")
	}
	if err := o.onlyPlain(); err != nil {
		return UploadResult{}, err
	}
	return c.put(ctx, &rest.Request{
		Method: http.MethodPut, Path: target, Query: url.Values{"token": {token}}.Encode(),
		Header:  http.Header{"Authorization": nil},
		Secrets: []string{token},
	}, key, r, o)
}
