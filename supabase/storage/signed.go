package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// URLOptions are the options of public and signed URLs.
type URLOptions struct {
	// Download has browsers save the object in place of showing it.
	Download bool
	// DownloadAs is the name that it is saved under, and means Download. Empty: its own.
	DownloadAs string
	// Transform gives another image of the object; not with [Client.CreateSignedURLs].
	Transform *Transform
	// CacheNonce is a text of the caller's that makes another URL, for browsers and the CDN, of the
	// same object: its version, say.
	CacheNonce string
}

// query is what the options add to an address.
func (o *URLOptions) query() string {
	var q []string
	if o.Download || o.DownloadAs != "" {
		q = append(q, "download="+url.QueryEscape(o.DownloadAs))
	}
	if o.CacheNonce != "" {
		q = append(q, "cacheNonce="+url.QueryEscape(o.CacheNonce))
	}
	return strings.Join(q, "&")
}

// GetPublicURL is the address of an object in a public bucket. It is made here: whether there is
// such an object, and whether its bucket is public, is not looked at, and nothing depends on ctx.
func (c *Client) GetPublicURL(ctx context.Context, bucket, path string, opts ...*URLOptions) (string, error) {
	o := last(opts)
	words, query := "object/public", o.query()
	if o.Transform != nil {
		q, err := o.Transform.query()
		if err != nil {
			return "", err
		}
		words, query = "render/image/public", joinQuery(q.Encode(), query)
	}
	target, _, err := objectRoute(words, bucket, path)
	if err != nil {
		return "", err
	}
	return c.address(ctx, target, query)
}

// address makes a whole address.
func (c *Client) address(ctx context.Context, path, query string) (string, error) {
	base, err := c.send.Base(ctx)
	if err != nil {
		return "", err
	}
	if query != "" {
		query = "?" + query
	}
	return base + "/" + path + query, nil
}

func joinQuery(a, b string) string {
	if a != "" && b != "" {
		return a + "&" + b
	}
	return a + b
}

// CreateSignedURL makes an address by which anybody can read an object until it expires, after whole
// seconds, one at least. The object must be there. The address is a credential: keep it out of logs.
func (c *Client) CreateSignedURL(ctx context.Context, bucket, path string, expiresIn time.Duration, opts ...*URLOptions) (string, error) {
	o := last(opts)
	seconds, err := expiry(expiresIn)
	if err != nil {
		return "", err
	}
	target, key, err := objectRoute("object/sign", bucket, path)
	if err != nil {
		return "", err
	}
	body := map[string]any{"expiresIn": seconds}
	if o.Transform != nil {
		if body["transform"], err = o.Transform.body(); err != nil {
			return "", err
		}
	}
	var answer struct{ SignedURL string }
	if err := c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: target, Idempotent: true}, body, &answer); err != nil {
		return "", err
	}
	return c.signedAddress(ctx, answer.SignedURL, bucket, key, &o)
}

// SignedURL is one of [Client.CreateSignedURLs]. It prints without the token, which the URL holds;
// its JSON has the whole URL, to be handed out: log it, or [SignedURLs], as a value of its own, since what
// makes JSON of a log asks nothing that stands in a slice or a struct whether it may.
type SignedURL struct {
	Path string `json:"path"`
	URL  string `json:"signedURL"` // empty with an Err
	Err  error  `json:"-"`         // why there is none: [ErrNotFound] for an object that is not to be seen
}

// Format prints no token.
func (s SignedURL) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "storage.SignedURL(%s, %v)", s.Path, s.Err)
}

// LogValue prints no token.
func (s SignedURL) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// SignedURLs are what [Client.CreateSignedURLs] gives: a slice that logs without the tokens.
type SignedURLs []SignedURL

// LogValue prints no token.
func (s SignedURLs) LogValue() slog.Value { return slog.StringValue(fmt.Sprint([]SignedURL(s))) }

// CreateSignedURLs makes addresses of any number of objects, as [Client.CreateSignedURL] does, in
// their order, 1000 in a request. What cannot be signed has its own error: look at each Err.
func (c *Client) CreateSignedURLs(ctx context.Context, bucket string, paths []string, expiresIn time.Duration, opts ...*URLOptions) (SignedURLs, error) {
	o := last(opts)
	seconds, err := expiry(expiresIn)
	if err != nil {
		return nil, err
	}
	if err := checkBucket(bucket); err != nil {
		return nil, err
	}
	if o.Transform != nil {
		return nil, invalid("storage signs no transforms in a batch: use CreateSignedURL")
	}
	keys, err := objectPaths(paths)
	if err != nil {
		return nil, err
	}
	signed := make(SignedURLs, 0, len(keys))
	for batch := range slices.Chunk(keys, maxBatch) {
		var answers []struct {
			Path, SignedURL string
		}
		err := c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: route("object/sign", bucket, ""), Idempotent: true},
			map[string]any{"expiresIn": seconds, "paths": batch}, &answers)
		if err != nil {
			return nil, err
		}
		byPath := make(map[string]int, len(answers))
		for i, a := range answers {
			byPath[a.Path] = i
		}
		for _, key := range batch {
			s := SignedURL{Path: key}
			if i, ok := byPath[key]; !ok {
				s.Err = errors.New("storage: the server did not answer for " + key)
			} else if a := answers[i]; a.SignedURL == "" {
				s.Err = &signError{path: key}
			} else if s.URL, err = c.signedAddress(ctx, a.SignedURL, bucket, key, &o); err != nil {
				return nil, err
			}
			signed = append(signed, s)
		}
	}
	return signed, nil
}

// signError is an object that is not to be signed. The server tells it by a text alone, and for one
// reason only.
type signError struct{ path string }

func (e *signError) Error() string {
	return "storage: signing " + e.path + ": there is no such object, or it is not to be seen"
}

func (e *signError) Is(target error) bool { return target == ErrNotFound || target == fs.ErrNotExist }

// signedAddress makes an address of the server's answer: relative, without the service's own path,
// and with the object's path unescaped. All that is taken from it is the token, and whether it
// is for another image.
func (c *Client) signedAddress(ctx context.Context, answer, bucket, key string, o *URLOptions) (string, error) {
	token, err := tokenOf(answer)
	if err != nil {
		return "", err
	}
	words := "object/sign"
	if strings.HasPrefix(strings.TrimPrefix(answer, "/"), "render/image/sign/") {
		words = "render/image/sign"
	}
	return c.address(ctx, route(words, bucket, key), joinQuery("token="+url.QueryEscape(token), o.query()))
}

// tokenOf is the token at the end of a signed address; the path before it may have a question mark.
func tokenOf(address string) (string, error) {
	i := strings.LastIndex(address, "?token=")
	if i < 0 || i+len("?token=") == len(address) {
		return "", errors.New("storage: the answer has no token; is the URL the storage's?")
	}
	token, err := url.QueryUnescape(address[i+len("?token="):])
	if err != nil {
		return "", errors.New("storage: the answer has a token that cannot be read")
	}
	return token, nil
}

// expiry is a duration in seconds, rounded up.
func expiry(d time.Duration) (int64, error) {
	if d < time.Second {
		return 0, invalid("a signed URL must live for a second or longer, not %v", d)
	}
	seconds := int64(d / time.Second)
	if d%time.Second != 0 {
		seconds++
	}
	return seconds, nil
}

// SignedUpload lets anybody upload one object, for two hours. It prints without the token; its JSON
// has all, to be handed out: log it as a value of its own, as a [SignedURL].
type SignedUpload struct {
	Path  string `json:"path"`
	URL   string `json:"signedURL"` // for a PUT of the content
	Token string `json:"token"`     // for [Client.UploadToSignedURL] and UploadOptions.SignedToken
}

// Format prints no token.
func (s SignedUpload) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "storage.SignedUpload(%s)", s.Path)
}

// LogValue prints no token.
func (s SignedUpload) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// SignedUploadOptions are the options of [Client.CreateSignedUploadURL].
type SignedUploadOptions struct {
	Upsert bool // whether the upload may replace an object
}

// CreateSignedUploadURL makes an address, and a token, by which anybody can upload one object.
func (c *Client) CreateSignedUploadURL(ctx context.Context, bucket, path string, opts ...*SignedUploadOptions) (SignedUpload, error) {
	target, key, err := objectRoute("object/upload/sign", bucket, path)
	if err != nil {
		return SignedUpload{}, err
	}
	req := &rest.Request{Method: http.MethodPost, Path: target, Idempotent: true}
	if last(opts).Upsert {
		req.Header = http.Header{"X-Upsert": {"true"}}
	}
	var answer struct{ URL, Token string }
	if err := c.ask(ctx, req, nil, &answer); err != nil {
		return SignedUpload{}, err
	}
	token, err := tokenOf(answer.URL)
	if err != nil {
		return SignedUpload{}, err
	}
	address, err := c.address(ctx, target, "token="+url.QueryEscape(token))
	if err != nil {
		return SignedUpload{}, err
	}
	return SignedUpload{Path: key, URL: address, Token: token}, nil
}
