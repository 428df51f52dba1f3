package fakestorage

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
)

// incoming is an object that is being uploaded.
type incoming struct {
	bucket, key               string
	owner                     string
	contentType, cacheControl string
	user                      map[string]any
	upsert                    bool
	version                   string // empty is a random one
}

// mayPut says whether the object may be put where it is to go, as an insert that is rolled back
// would. For a nil bearer it is allowed already, by a signature. The lock is held.
func (s *Server) mayPut(who *who, in *incoming) error {
	if _, err := s.bucketOf(in.bucket); err != nil {
		return err
	}
	if err := checkKey(in.key); err != nil {
		return err
	}
	old := s.objects[in.bucket][in.key]
	if who != nil && !s.may(who, Insert, in.bucket, in.key, in.owner) {
		return violates()
	}
	switch {
	case old == nil:
		return nil
	case !in.upsert:
		return duplicate("KeyAlreadyExists")
	case who != nil && !(s.may(who, Select, in.bucket, in.key, old.owner) && s.may(who, Update, in.bucket, in.key, old.owner)):
		return violates()
	}
	return nil
}

// put stores an object, or puts it in the place of the one that is there. The lock is held.
func (s *Server) put(in *incoming, b blob, etag string) *object {
	now := s.now()
	o := s.objects[in.bucket][in.key]
	if o == nil {
		o = &object{id: newUUID(), bucket: in.bucket, name: in.key, created: now}
		s.objects[in.bucket][in.key] = o
	} else {
		o.blob.remove()
	}
	o.version, o.owner, o.contentType, o.cacheControl = cmp.Or(in.version, newUUID()), in.owner, in.contentType, cmp.Or(in.cacheControl, "no-cache")
	o.etag, o.blob, o.user, o.updated, o.modified = etag, b, in.user, now, now
	if o.user == nil {
		o.user = map[string]any{}
	}
	return o
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request, c *call) error {
	in := &incoming{
		bucket: c.bucket, key: c.key, owner: c.who.owner(),
		upsert: r.Method == http.MethodPut || r.Header.Get("X-Upsert") == "true",
	}
	o, err := s.receive(r, c.who, in)
	if err != nil {
		return err
	}
	return done(w, struct {
		Key string
		ID  string `json:"Id"`
	}{in.bucket + "/" + in.key, o.id})
}

// receive reads an object from a request and stores it. The lock is not held while it reads.
func (s *Server) receive(r *http.Request, who *who, in *incoming) (*object, error) {
	body, size, err := in.describe(r)
	if err != nil {
		return nil, err
	}
	check := func() (int64, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if err := s.mayPut(who, in); err != nil {
			return 0, err
		}
		b := s.buckets[in.bucket]
		return s.limit(b), s.accepts(b, in.contentType, size)
	}
	limit, err := check()
	if err != nil {
		return nil, err
	}
	k, err := s.newSink()
	if err != nil {
		return nil, err
	}
	if k.file == nil && size > 0 {
		k.memory.Grow(int(size)) // which is within the limit
	}
	if err := k.fill(body, limit); err != nil {
		k.abort()
		return nil, err
	}
	return s.store(who, in, k)
}

// store makes an object of what was read, if it may still be put there.
func (s *Server) store(who *who, in *incoming, k *sink) (*object, error) {
	b, etag, err := k.done()
	if err != nil {
		b.remove()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayPut(who, in); err != nil {
		b.remove()
		return nil, err
	}
	return s.put(in, b, etag), nil
}

// describe reads what the headers, or the fields of a form, say of an object. The bytes follow in
// the reader, size is negative if it is not known.
func (in *incoming) describe(r *http.Request) (body io.Reader, size int64, err error) {
	in.contentType = r.Header.Get("Content-Type")
	if kind, params, err := mime.ParseMediaType(in.contentType); err == nil && kind == "multipart/form-data" {
		return in.form(multipart.NewReader(r.Body, params["boundary"]))
	}
	in.contentType = cmp.Or(in.contentType, "application/octet-stream")
	in.cacheControl = r.Header.Get("Cache-Control")
	if raw := r.Header.Get("X-Metadata"); raw != "" {
		data, err := base64.StdEncoding.DecodeString(raw)
		if err != nil {
			data, err = base64.RawStdEncoding.DecodeString(raw)
		}
		if err != nil || json.Unmarshal(data, &in.user) != nil {
			in.user = nil // it is left out, as the real service does
		}
	}
	return r.Body, r.ContentLength, nil
}

// form reads the fields of a form up to the file.
func (in *incoming) form(m *multipart.Reader) (io.Reader, int64, error) {
	in.contentType = ""
	for {
		part, err := m.NextPart()
		if err != nil {
			return nil, 0, invalid("No file provided")
		}
		// By the header itself: Go takes a part for a file only if it has a file name.
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if _, file := params["filename"]; err == nil && file || part.Header.Get("Content-Type") != "" {
			in.contentType = cmp.Or(in.contentType, part.Header.Get("Content-Type"), "application/octet-stream")
			return part, -1, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxJSON))
		if err != nil {
			return nil, 0, err
		}
		switch params["name"] {
		case "cacheControl":
			in.cacheControl = maxAge(string(value))
		case "contentType":
			in.contentType = string(value)
		case "metadata":
			if json.Unmarshal(value, &in.user) != nil {
				in.user = nil
			}
		}
	}
}

// maxAge makes a number of seconds a header.
func maxAge(seconds string) string {
	if seconds == "" || strings.Contains(seconds, "=") || strings.Trim(seconds, "0123456789") != "" {
		return seconds
	}
	return "max-age=" + seconds
}

// NewObject is an object that a test starts with.
type NewObject struct {
	Bucket, Name              string
	Data                      []byte
	ContentType, CacheControl string // empty: application/octet-stream, no-cache
	Owner                     string // the id of a user
	Metadata                  map[string]any
}

// AddObject puts an object into a bucket, in the place of the one that has its name.
func (s *Server) AddObject(n NewObject) error {
	in := &incoming{
		bucket: n.Bucket, key: n.Name, owner: n.Owner, contentType: cmp.Or(n.ContentType, "application/octet-stream"),
		cacheControl: n.CacheControl, user: n.Metadata, upsert: true,
	}
	k, err := s.newSink()
	if err != nil {
		return err
	}
	if _, err := k.Write(n.Data); err != nil {
		k.abort()
		return err
	}
	_, err = s.store(nil, in, k)
	return err
}

// Object is the bytes of an object, and whether it is there.
func (s *Server) Object(bucket, name string) ([]byte, bool) {
	s.mu.RLock()
	o := s.objects[bucket][name]
	if o == nil {
		s.mu.RUnlock()
		return nil, false
	}
	r, err := o.blob.open()
	s.mu.RUnlock()
	if err != nil {
		return nil, false
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(r)
	return data, err == nil
}
