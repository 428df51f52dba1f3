package fakestorage

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func (s *Server) download(w http.ResponseWriter, r *http.Request, c *call) error {
	return s.serve(w, r, time.Time{}, func() (*object, error) { return s.visible(c.who, c.bucket, c.key) })
}

func (s *Server) publicDownload(w http.ResponseWriter, r *http.Request, c *call) error {
	return s.serve(w, r, time.Time{}, func() (*object, error) { return s.publicObject(c) })
}

// publicObject finds an object that everybody may see.
func (s *Server) publicObject(c *call) (*object, error) {
	b, err := s.bucketOf(c.bucket)
	if err != nil || !b.public {
		return nil, noBucket()
	}
	o := s.objects[c.bucket][c.key]
	if o == nil {
		return nil, noKey()
	}
	return o, nil
}

// serve sends an object. What find finds is only looked at under the lock; the bytes do not change.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, expires time.Time, find func() (*object, error)) error {
	o, body, err := s.open(find)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()

	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", o.contentType)
	h.Set("Etag", o.etag)
	h.Set("X-Robots-Tag", "none")
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	o.dress(h, r, expires)
	if unchanged(r, &o) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	from, to, status := int64(0), o.blob.size, http.StatusOK
	if first, last, ok := parseRange(r.Header.Get("Range"), o.blob.size); ok {
		if first >= o.blob.size {
			for _, name := range []string{"Content-Type", "Etag", "Last-Modified", "Cache-Control", "Expires", "Content-Disposition"} {
				h.Del(name)
			}
			h.Set("Content-Range", "bytes */"+strconv.FormatInt(o.blob.size, 10))
			return &failure{"416", "InvalidRange", "The requested range is not satisfiable", "InvalidRange"}
		}
		from, to, status = first, last+1, http.StatusPartialContent
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(last, 10)+"/"+strconv.FormatInt(o.blob.size, 10))
	}
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	if _, err := body.Seek(from, io.SeekStart); err != nil {
		return err
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.CopyN(w, body, to-from) // the client may have gone
	}
	return nil
}

// open finds an object and its bytes.
func (s *Server) open(find func() (*object, error)) (object, io.ReadSeekCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := find()
	if err != nil {
		return object{}, nil, err
	}
	body, err := o.blob.open()
	return *o, body, err
}

// dress says how long an answer may be kept, and whether a browser is to save it.
func (o *object) dress(h http.Header, r *http.Request, expires time.Time) {
	if expires.IsZero() {
		h.Set("Cache-Control", o.cacheControl)
	} else {
		h.Set("Expires", expires.UTC().Format(http.TimeFormat))
	}
	if q := r.URL.Query(); q.Has("download") {
		h.Set("Content-Disposition", attachment(q.Get("download")))
	}
}

// unchanged says whether the client has the object already.
func unchanged(r *http.Request, o *object) bool {
	if match := r.Header.Get("If-None-Match"); match != "" {
		for tag := range strings.SplitSeq(match, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == o.etag || tag == "*" {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !o.modified.Truncate(time.Second).After(since)
}

// parseRange reads a range of bytes, both ends included. What is no single range is not minded.
func parseRange(header string, size int64) (first, last int64, ok bool) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !isBytes || !dash || strings.Contains(spec, ",") {
		return 0, 0, false
	}
	if from == "" {
		n, err := strconv.ParseUint(to, 10, 63)
		if err != nil {
			return 0, 0, false
		}
		if n == 0 {
			return size, size, true // nothing is in it
		}
		return max(0, size-int64(n)), size - 1, true
	}
	f, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return 0, 0, false
	}
	if to == "" {
		return int64(f), size - 1, true
	}
	t, err := strconv.ParseUint(to, 10, 63)
	if err != nil || t < f {
		return 0, 0, false
	}
	return int64(f), min(int64(t), size-1), true
}

// attachment tells a browser to save an object, under a name if there is one.
func attachment(name string) string {
	if name == "" {
		return "attachment;"
	}
	name = url.PathEscape(name)
	return "attachment; filename=" + name + "; filename*=UTF-8''" + name
}

// infoJSON is what is known of an object.
type infoJSON struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Version      string         `json:"version"`
	BucketID     string         `json:"bucket_id"`
	Size         int64          `json:"size"`
	ContentType  string         `json:"content_type"`
	CacheControl string         `json:"cache_control"`
	ETag         string         `json:"etag"`
	Metadata     map[string]any `json:"metadata"` // the user's
	LastModified stamp          `json:"last_modified"`
	CreatedAt    stamp          `json:"created_at"`
}

func (s *Server) info(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.visible(c.who, c.bucket, c.key)
	if err != nil {
		return err
	}
	return o.tell(w)
}

func (s *Server) publicInfo(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.publicObject(c)
	if err != nil {
		return err
	}
	return o.tell(w)
}

func (o *object) tell(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Etag", o.etag)
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", o.cacheControl)
	return done(w, infoJSON{
		o.id, o.name, o.version, o.bucket, o.blob.size, o.contentType, o.cacheControl, o.etag, o.user,
		stamp(o.updated), stamp(o.created),
	})
}
