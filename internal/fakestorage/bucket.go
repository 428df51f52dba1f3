package fakestorage

import (
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// bucketJSON is a bucket as the service writes it.
type bucketJSON struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Owner     string   `json:"owner"`
	Public    bool     `json:"public"`
	Type      string   `json:"type,omitempty"` // in lists only
	Limit     *int64   `json:"file_size_limit"`
	Types     []string `json:"allowed_mime_types"`
	CreatedAt stamp    `json:"created_at"`
	UpdatedAt stamp    `json:"updated_at"`
}

func (b *bucket) json() bucketJSON {
	return bucketJSON{
		ID: b.name, Name: b.name, Public: b.public, Limit: b.limit, Types: b.types,
		CreatedAt: stamp(b.created), UpdatedAt: stamp(b.updated),
	}
}

// NewBucket is a bucket that a test starts with.
type NewBucket struct {
	Name   string
	Public bool
	Limit  int64    // bytes of an object; zero is none
	Types  []string // MIME types, with a * for any kind; nil is all
}

// AddBucket makes a bucket.
func (s *Server) AddBucket(n NewBucket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &bucket{public: n.Public, types: n.Types}
	if n.Limit > 0 {
		b.limit = &n.Limit
	}
	return s.addBucket(n.Name, b)
}

func (s *Server) addBucket(name string, b *bucket) error {
	if !keyForm.MatchString(name) || strings.ContainsAny(name, "/") || len(name) > 100 || strings.TrimSpace(name) != name {
		return &failure{"400", "Invalid Input", "Bucket name invalid", "InvalidBucketName"}
	}
	if b.limit != nil && *b.limit > s.cfg.MaxSize {
		return tooLarge()
	}
	if s.buckets[name] != nil {
		return duplicate("BucketAlreadyExists")
	}
	b.name, b.created = name, s.now()
	b.updated = b.created
	s.buckets[name] = b
	s.objects[name] = make(map[string]*object)
	return nil
}

type bucketBody struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Public *bool           `json:"public"`
	Type   string          `json:"type"`
	Limit  json.RawMessage `json:"file_size_limit"`
	Types  []string        `json:"allowed_mime_types"`
}

var sizeForm = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?)(gb|mb|kb|b)$`)

// parseLimit reads a number of bytes, or a text like "1MB".
func parseLimit(raw json.RawMessage) (*int64, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var n int64
	if json.Unmarshal(raw, &n) == nil && n >= 0 {
		return &n, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return &n, nil
		}
		if m := sizeForm.FindStringSubmatch(text); m != nil {
			f, err := strconv.ParseFloat(m[1], 64)
			unit := map[string]float64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9}[strings.ToLower(m[2])]
			if err == nil && f*unit < 1<<62 {
				return new(int64(f * unit)), nil
			}
		}
	}
	return nil, &failure{"422", "invalid_file_size_limit", "the file_size_limit must be a number or a text like 10MB", "InvalidFileSizeLimit"}
}

func checkTypes(types []string) error {
	for _, t := range types {
		kind, sub, ok := strings.Cut(t, "/")
		if !ok || kind == "" || sub == "" {
			return &failure{"422", "invalid_mime_type", "mime type " + t + " is not supported", "InvalidMimeType"}
		}
	}
	return nil
}

func (s *Server) createBucket(w http.ResponseWriter, r *http.Request, c *call) error {
	var in bucketBody
	if _, err := read(r, &in, "name"); err != nil {
		return err
	}
	if in.Type != "" && in.Type != "STANDARD" {
		return &failure{"501", "not_implemented", "supabasetest does not have analytics buckets", "NotImplemented"}
	}
	limit, err := parseLimit(in.Limit)
	if err != nil {
		return err
	}
	if err := checkTypes(in.Types); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.may(c.who, Insert, in.Name, "", "") {
		return violates()
	}
	b := &bucket{public: in.Public != nil && *in.Public, limit: limit, types: in.Types}
	if err := s.addBucket(in.Name, b); err != nil {
		return err
	}
	return done(w, map[string]string{"name": in.Name})
}

func (s *Server) listBuckets(w http.ResponseWriter, r *http.Request, c *call) error {
	q := r.URL.Query()
	limit, err := number(q.Get("limit"), 0, "limit")
	if err != nil {
		return err
	}
	offset, err := number(q.Get("offset"), 0, "offset")
	if err != nil {
		return err
	}
	compare := map[string]func(a, b *bucket) int{
		"":           func(a, b *bucket) int { return strings.Compare(a.name, b.name) },
		"id":         func(a, b *bucket) int { return strings.Compare(a.name, b.name) },
		"name":       func(a, b *bucket) int { return strings.Compare(a.name, b.name) },
		"created_at": func(a, b *bucket) int { return a.created.Compare(b.created) },
		"updated_at": func(a, b *bucket) int { return a.updated.Compare(b.updated) },
	}[q.Get("sortColumn")]
	if compare == nil {
		return invalid("querystring/sortColumn must be equal to one of the allowed values")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := []*bucket{}
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		if strings.Contains(strings.ToLower(name), strings.ToLower(q.Get("search"))) && s.may(c.who, Select, name, "", "") {
			found = append(found, s.buckets[name])
		}
	}
	slices.SortStableFunc(found, compare)
	if q.Get("sortOrder") == "desc" {
		slices.Reverse(found)
	}
	list := []bucketJSON{}
	for _, b := range page(found, offset, limit) {
		j := b.json()
		j.Type = "STANDARD"
		list = append(list, j)
	}
	return done(w, list)
}

func number(text string, or int, name string) (int, error) {
	if text == "" {
		return or, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, invalid("querystring/" + name + " must be integer")
	}
	return int(n), nil
}

// page is a part of a list; a limit of zero is none.
func page[T any](list []T, offset, limit int) []T {
	list = list[min(offset, len(list)):]
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	return list
}

// mine finds a bucket that the bearer may do something with.
func (s *Server) mine(c *call, op Operation) (*bucket, error) {
	b, err := s.bucketOf(c.bucket)
	if err == nil && !(s.may(c.who, Select, c.bucket, "", "") && s.may(c.who, op, c.bucket, "", "")) {
		err = noBucket()
	}
	return b, err
}

func (s *Server) getBucket(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.mine(c, Select)
	if err != nil {
		return err
	}
	return done(w, b.json())
}

func (s *Server) updateBucket(w http.ResponseWriter, r *http.Request, c *call) error {
	var in bucketBody
	has, err := read(r, &in)
	if err != nil {
		return err
	}
	limit, err := parseLimit(in.Limit)
	if err != nil {
		return err
	}
	if err := checkTypes(in.Types); err != nil {
		return err
	}
	if limit != nil && *limit > s.cfg.MaxSize {
		return tooLarge()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.mine(c, Update)
	if err != nil {
		return err
	}
	if in.Public != nil {
		b.public = *in.Public
	}
	if has.has("file_size_limit") {
		b.limit = limit
	}
	if has.has("allowed_mime_types") {
		b.types = in.Types
	}
	b.updated = s.now()
	return message(w, "Successfully updated")
}

func (s *Server) deleteBucket(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.mine(c, Delete); err != nil {
		return err
	}
	if len(s.objects[c.bucket]) > 0 {
		return &failure{"409", "ResourceNotEmpty", "The bucket you tried to delete is not empty", "ResourceNotEmpty"}
	}
	delete(s.buckets, c.bucket)
	delete(s.objects, c.bucket)
	return message(w, "Successfully deleted")
}

// emptyBucket takes the objects away at once. The real service does so later.
func (s *Server) emptyBucket(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.mine(c, Delete); err != nil {
		return err
	}
	for _, o := range s.objects[c.bucket] {
		s.drop(o)
	}
	return message(w, "Empty bucket has been queued. Completion may take up to an hour.")
}

// purge would empty a cache in front of the service. There is none.
func (s *Server) purge(w http.ResponseWriter, _ *http.Request, c *call) error {
	if !c.who.service() {
		return denied("Access denied")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, err := s.bucketOf(c.bucket); err != nil {
		return err
	}
	if c.key != "" && s.objects[c.bucket][c.key] == nil {
		return noKey()
	}
	return message(w, "success")
}

// accepts says whether an object of a type and a size may be put into a bucket. A negative size is
// not known yet. A type is compared with all that belongs to it, its charset too, as servers do that are
// older than the autumn of 2026: what passes here passes at all of them.
func (s *Server) accepts(b *bucket, contentType string, size int64) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return badType("Invalid Content-Type header")
	}
	if b.types != nil && !slices.ContainsFunc(b.types, func(t string) bool {
		family, every := strings.CutSuffix(strings.ToLower(t), "/*")
		return strings.EqualFold(t, contentType) || t == "*/*" || every && strings.HasPrefix(kind, family+"/")
	}) {
		return badType("mime type " + contentType + " is not supported")
	}
	if size > s.limit(b) {
		return tooLarge()
	}
	return nil
}

// limit is the most bytes that an object of a bucket may have.
func (s *Server) limit(b *bucket) int64 {
	if b.limit != nil {
		return min(*b.limit, s.cfg.MaxSize)
	}
	return s.cfg.MaxSize
}
