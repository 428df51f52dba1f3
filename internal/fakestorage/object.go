package fakestorage

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// metadataJSON is what the service knows of an object's bytes.
type metadataJSON struct {
	ETag           string `json:"eTag"`
	Size           int64  `json:"size"`
	MimeType       string `json:"mimetype"`
	CacheControl   string `json:"cacheControl"`
	LastModified   stamp  `json:"lastModified"`
	ContentLength  int64  `json:"contentLength"`
	HTTPStatusCode int    `json:"httpStatusCode"`
}

func (o *object) metadata() *metadataJSON {
	return &metadataJSON{o.etag, o.blob.size, o.contentType, o.cacheControl, stamp(o.modified), o.blob.size, 200}
}

// rowJSON is an object as the answers to changes show it.
type rowJSON struct {
	Name           string         `json:"name"`
	BucketID       string         `json:"bucket_id"`
	Owner          string         `json:"owner"`
	OwnerID        string         `json:"owner_id"`
	Version        string         `json:"version"`
	ID             string         `json:"id"`
	UpdatedAt      stamp          `json:"updated_at"`
	CreatedAt      stamp          `json:"created_at"`
	LastAccessedAt stamp          `json:"last_accessed_at"`
	Metadata       *metadataJSON  `json:"metadata"`
	UserMetadata   map[string]any `json:"user_metadata"`
}

func (o *object) row() rowJSON {
	return rowJSON{
		o.name, o.bucket, o.owner, o.owner, o.version, o.id, stamp(o.updated), stamp(o.created), stamp(o.created),
		o.metadata(), o.user,
	}
}

// drop takes an object away. The lock is held.
func (s *Server) drop(o *object) {
	o.blob.remove()
	delete(s.objects[o.bucket], o.name)
}

func (s *Server) deleteObject(w http.ResponseWriter, _ *http.Request, c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.bucketOf(c.bucket); err != nil {
		return err
	}
	o := s.objects[c.bucket][c.key]
	if o == nil {
		return noKey()
	}
	if !s.mayDelete(c.who, o) {
		return denied("Access denied")
	}
	s.drop(o)
	return message(w, "Successfully deleted")
}

func (s *Server) mayDelete(w *who, o *object) bool {
	return s.may(w, Select, o.bucket, o.name, o.owner) && s.may(w, Delete, o.bucket, o.name, o.owner)
}

// maxBatch is how many objects one request may name.
const maxBatch = 1000

func (s *Server) deleteMany(w http.ResponseWriter, r *http.Request, c *call) error {
	var in struct {
		Prefixes []string `json:"prefixes"`
	}
	if _, err := read(r, &in, "prefixes"); err != nil {
		return err
	}
	if err := batch("prefixes", len(in.Prefixes)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := []rowJSON{}
	for _, name := range in.Prefixes {
		if o := s.objects[c.bucket][name]; o != nil && s.mayDelete(c.who, o) {
			rows = append(rows, o.row())
			s.drop(o)
		}
	}
	return done(w, rows)
}

func batch(name string, n int) error {
	switch {
	case n == 0:
		return invalid("body/" + name + " must NOT have fewer than 1 items")
	case n > maxBatch:
		return invalid("body/" + name + " must NOT have more than 1000 items")
	}
	return nil
}

// transfer is the body of a move or a copy.
type transfer struct {
	BucketID          string          `json:"bucketId"`
	SourceKey         string          `json:"sourceKey"`
	DestinationKey    string          `json:"destinationKey"`
	DestinationBucket string          `json:"destinationBucket"`
	Metadata          json.RawMessage `json:"metadata"`
	CopyMetadata      *bool           `json:"copyMetadata"`
}

func readTransfer(r *http.Request) (*transfer, error) {
	in := new(transfer)
	if _, err := read(r, in, "bucketId", "sourceKey", "destinationKey"); err != nil {
		return nil, err
	}
	in.DestinationBucket = cmp.Or(in.DestinationBucket, in.BucketID)
	return in, checkKey(in.DestinationKey)
}

func (s *Server) move(w http.ResponseWriter, r *http.Request, c *call) error {
	in, err := readTransfer(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.visible(c.who, in.BucketID, in.SourceKey)
	if err != nil {
		return err
	}
	if _, err := s.bucketOf(in.DestinationBucket); err != nil {
		return err
	}
	if !s.may(c.who, Update, o.bucket, o.name, o.owner) || !s.may(c.who, Update, in.DestinationBucket, in.DestinationKey, o.owner) {
		return violates()
	}
	if s.objects[in.DestinationBucket][in.DestinationKey] != nil {
		return duplicate("ResourceAlreadyExists")
	}
	delete(s.objects[o.bucket], o.name)
	o.bucket, o.name, o.updated, o.version = in.DestinationBucket, in.DestinationKey, s.now(), newUUID()
	s.objects[o.bucket][o.name] = o
	return message(w, "Successfully moved")
}

func (s *Server) copyObject(w http.ResponseWriter, r *http.Request, c *call) error {
	in, err := readTransfer(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.visible(c.who, in.BucketID, in.SourceKey)
	if err != nil {
		return err
	}
	to := &incoming{
		bucket: in.DestinationBucket, key: in.DestinationKey, owner: c.who.owner(), contentType: from.contentType,
		cacheControl: from.cacheControl, user: from.user, upsert: r.Header.Get("X-Upsert") == "true",
	}
	if err := s.mayPut(c.who, to); err != nil {
		return err
	}
	if in.CopyMetadata != nil && !*in.CopyMetadata {
		to.user = nil
		var system struct{ Mimetype, CacheControl string }
		if len(in.Metadata) > 0 && json.Unmarshal(in.Metadata, &system) == nil {
			to.contentType = cmp.Or(system.Mimetype, to.contentType)
			to.cacheControl = cmp.Or(system.CacheControl, to.cacheControl)
		}
		if data, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Metadata")); err == nil && len(data) > 0 {
			_ = json.Unmarshal(data, &to.user) // what is no object is left out
		}
	}
	if err := s.accepts(s.buckets[to.bucket], to.contentType, from.blob.size); err != nil {
		return err
	}
	bytes := from.blob
	if bytes.file != "" {
		if bytes, err = s.duplicate(from); err != nil {
			return err
		}
	}
	o := s.put(to, bytes, from.etag)
	return done(w, struct {
		Key string
		ID  string `json:"Id"`
		rowJSON
	}{o.bucket + "/" + o.name, o.id, o.row()})
}

// duplicate makes a second file of an object.
func (s *Server) duplicate(o *object) (blob, error) {
	body, err := o.blob.open()
	if err != nil {
		return blob{}, err
	}
	defer func() { _ = body.Close() }()
	k, err := s.newSink()
	if err != nil {
		return blob{}, err
	}
	if err := k.fill(body, o.blob.size); err != nil {
		k.abort()
		return blob{}, err
	}
	b, _, err := k.done()
	return b, err
}

// listed is an entry of a list: an object, or a folder, of which all but the name is null.
type listed struct {
	Key            string        `json:"key,omitempty"` // of the second version
	Name           string        `json:"name"`
	ID             *string       `json:"id"`
	UpdatedAt      *stamp        `json:"updated_at"`
	CreatedAt      *stamp        `json:"created_at"`
	LastAccessedAt *stamp        `json:"last_accessed_at"`
	Metadata       *metadataJSON `json:"metadata"`

	object *object
}

func (o *object) listed(name string) listed {
	return listed{
		Name: name, ID: &o.id, UpdatedAt: new(stamp(o.updated)), CreatedAt: new(stamp(o.created)), LastAccessedAt: new(stamp(o.created)),
		Metadata: o.metadata(), object: o,
	}
}

type sortBy struct {
	Column string `json:"column"`
	Order  string `json:"order"`
}

// compare orders entries by a column of the objects; folders come first, by name, where the column
// says nothing of them.
func (b sortBy) compare() func(x, y listed) int {
	name := func(x, y listed) int { return strings.Compare(x.Name, y.Name) }
	cmpObject := map[string]func(x, y *object) int{
		"updated_at":       func(x, y *object) int { return x.updated.Compare(y.updated) },
		"created_at":       func(x, y *object) int { return x.created.Compare(y.created) },
		"last_accessed_at": func(x, y *object) int { return x.created.Compare(y.created) },
	}[b.Column]
	order := 1
	if b.Order == "desc" {
		order = -1
	}
	return func(x, y listed) int {
		switch {
		case cmpObject == nil:
			return order * name(x, y)
		case x.object == nil && y.object == nil:
			return name(x, y)
		case x.object == nil:
			return -1
		case y.object == nil:
			return 1
		}
		return cmp.Or(order*cmpObject(x.object, y.object), name(x, y))
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, c *call) error {
	in := struct {
		Prefix string `json:"prefix"`
		Search string `json:"search"`
		Limit  int    `json:"limit"`
		Offset int    `json:"offset"`
		SortBy sortBy `json:"sortBy"`
	}{Limit: 100}
	if _, err := read(r, &in, "prefix"); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "name", "updated_at", "created_at", "last_accessed_at"}, in.SortBy.Column) {
		return invalid("body/sortBy/column must be equal to one of the allowed values")
	}
	if !slices.Contains([]string{"", "asc", "desc"}, in.SortBy.Order) {
		return invalid("body/sortBy/order must be equal to one of the allowed values")
	}
	if in.Limit < 1 {
		return invalid("body/limit must be >= 1")
	}
	if in.Offset < 0 {
		return invalid("body/offset must be >= 0")
	}
	folder := strings.Trim(in.Prefix, "/")
	if folder != "" {
		folder += "/"
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	entries := s.entries(c, folder, func(name string) bool {
		return strings.HasPrefix(strings.ToLower(name), strings.ToLower(in.Search))
	})
	slices.SortStableFunc(entries, in.SortBy.compare())
	return done(w, page(entries, in.Offset, in.Limit))
}

// entries are what is directly in a folder, for who may see it.
func (s *Server) entries(c *call, folder string, which func(name string) bool) []listed {
	entries := []listed{}
	seen := make(map[string]bool)
	for _, name := range s.sorted(c.bucket) {
		o := s.objects[c.bucket][name]
		rest, ok := strings.CutPrefix(name, folder)
		if !ok || rest == "" || !s.may(c.who, Select, c.bucket, name, o.owner) {
			continue
		}
		first, _, inFolder := strings.Cut(rest, "/")
		if !which(first) {
			continue
		}
		switch {
		case !inFolder:
			entries = append(entries, o.listed(first))
		case !seen[first]:
			seen[first] = true
			entries = append(entries, listed{Name: first})
		}
	}
	return entries
}

// listV2 walks a bucket with a cursor. With a delimiter it tells folders from objects.
func (s *Server) listV2(w http.ResponseWriter, r *http.Request, c *call) error {
	in := struct {
		Prefix    string `json:"prefix"`
		Cursor    string `json:"cursor"`
		Limit     int    `json:"limit"`
		Delimiter bool   `json:"with_delimiter"`
		SortBy    sortBy `json:"sortBy"`
	}{Limit: 1000}
	if _, err := read(r, &in); err != nil {
		return err
	}
	if in.Limit < 1 {
		return invalid("body/limit must be >= 1")
	}
	after := ""
	if in.Cursor != "" {
		text, err := base64.StdEncoding.DecodeString(in.Cursor)
		last, ok := strings.CutPrefix(string(text), "l:")
		if err != nil || !ok {
			return &failure{"400", "invalid_cursor", "The cursor is invalid", "InvalidParameter"}
		}
		after = last
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var entries []listed
	seen := make(map[string]bool)
	for _, name := range s.sorted(c.bucket) {
		o := s.objects[c.bucket][name]
		rest, ok := strings.CutPrefix(name, in.Prefix)
		if !ok || !s.may(c.who, Select, c.bucket, name, o.owner) {
			continue
		}
		if first, _, inFolder := strings.Cut(rest, "/"); inFolder && in.Delimiter {
			if key := in.Prefix + first; !seen[key] {
				seen[key] = true
				entries = append(entries, listed{Key: key, Name: key + "/"})
			}
			continue
		}
		entry := o.listed(name)
		entry.Key = name
		entries = append(entries, entry)
	}
	slices.SortStableFunc(entries, in.SortBy.compare())
	if after != "" {
		at := slices.IndexFunc(entries, func(e listed) bool { return e.Key == after })
		if at < 0 { // it is gone since; by name it still has a place
			at = slices.IndexFunc(entries, func(e listed) bool { return e.Key > after }) - 1
			if at < -1 {
				at = len(entries) - 1
			}
		}
		entries = entries[at+1:]
	}
	out := struct {
		HasNext       bool     `json:"hasNext"`
		NextCursor    string   `json:"nextCursor,omitempty"`
		NextCursorKey string   `json:"nextCursorKey,omitempty"`
		Folders       []listed `json:"folders"`
		Objects       []listed `json:"objects"`
	}{HasNext: len(entries) > in.Limit, Folders: []listed{}, Objects: []listed{}}
	for _, e := range page(entries, 0, in.Limit) {
		out.NextCursorKey = e.Key
		if e.object == nil {
			out.Folders = append(out.Folders, e)
		} else {
			out.Objects = append(out.Objects, e)
		}
	}
	if out.HasNext {
		out.NextCursor = base64.StdEncoding.EncodeToString([]byte("l:" + out.NextCursorKey))
	} else {
		out.NextCursorKey = ""
	}
	return done(w, out)
}
