package storage_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/supabase/storage"
)

// server is as much of storage as these tests need, in memory.
type server struct {
	*httptest.Server
	// cut, if it is set, is asked about bytes of a PATCH that are about to be kept, from one offset
	// to another: it gives the offset at which the connection breaks, or -1.
	cut func(from, to int64) int64
	// stop, if it is set, is asked when all bytes of an upload are there: true breaks the connection
	// before they become the object.
	stop func() bool
	// finish, if it is set, is asked when an upload is complete: true breaks the connection before
	// the answer.
	finish func() bool
	// refuse, if it is set, answers in the server's place.
	refuse func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	ids      int
	buckets  map[string]map[string]stored
	uploads  map[string]*upload
	requests []string
}

type stored struct {
	id, version, contentType, cacheControl string
	data                                   []byte
	metadata                               json.RawMessage
	upsert                                 string // the header that it came with
	at                                     time.Time
}

type upload struct {
	bucket, key, contentType, cacheControl string
	metadata                               string
	size                                   int64
	upsert                                 bool
	data                                   []byte
}

func newServer(t testing.TB, buckets ...string) (*server, *storage.Client) {
	t.Helper()
	s := &server{buckets: map[string]map[string]stored{}, uploads: map[string]*upload{}}
	for _, b := range buckets {
		s.buckets[b] = map[string]stored{}
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s, newClient(t, s.URL)
}

// put stores an object without a request.
func (s *server) put(bucket, key, contentType, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(bucket, key, stored{contentType: contentType, cacheControl: "no-cache", data: []byte(data)})
}

func (s *server) object(bucket, key string) (stored, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.buckets[bucket][key]
	return o, ok
}

func (s *server) keep(bucket, key string, o stored) stored {
	s.ids++
	if o.version == "" {
		o.version = "v" + strconv.Itoa(s.ids)
	}
	o.id, o.at = "id"+strconv.Itoa(s.ids), time.Date(2026, 11, 20, 10, 0, s.ids%60, 0, time.UTC)
	s.buckets[bucket][key] = o
	return o
}

// raw is JSON, or null.
func raw(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func (o stored) etag() string { return fmt.Sprintf(`"%x"`, md5.Sum(o.data)) }

func (o stored) row(bucket, name string) map[string]any {
	at := o.at.Format(time.RFC3339Nano)
	return map[string]any{
		"name": name, "id": o.id, "bucket_id": bucket, "version": o.version, "owner": "", "owner_id": "",
		"created_at": at, "updated_at": at, "last_accessed_at": at, "user_metadata": o.metadata,
		"metadata": map[string]any{
			"eTag": o.etag(), "size": len(o.data), "mimetype": o.contentType, "cacheControl": o.cacheControl, "contentLength": len(o.data),
		},
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"statusCode": strconv.Itoa(status), "error": code, "message": message, "code": code})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	rest := strings.TrimPrefix(r.URL.Path, "/")
	word := func(prefix string) bool {
		after, ok := strings.CutPrefix(rest, prefix)
		if ok {
			rest = after
		}
		return ok
	}
	if word("upload/resumable") {
		s.tus(w, r, strings.Trim(strings.TrimPrefix(rest, "/sign"), "/"))
		return
	}
	switch {
	case word("object/list-v2/"):
		s.page(w, r, rest)
	case word("object/list/"):
		s.list(w, r, rest)
	case word("object/info/"):
		s.withObject(w, rest, func(bucket, key string, o stored) {
			at := o.at.Format(time.RFC3339Nano)
			answer(w, map[string]any{
				"id": o.id, "name": key, "version": o.version, "bucket_id": bucket, "size": len(o.data), "content_type": o.contentType,
				"cache_control": o.cacheControl, "etag": o.etag(), "metadata": o.metadata, "last_modified": at, "created_at": at,
			})
		})
	case word("object/upload/sign/"):
		s.signedUpload(w, r, rest)
	case word("object/sign/"):
		s.sign(w, r, rest)
	case rest == "object/move" || rest == "object/copy":
		s.transfer(w, r, rest == "object/move")
	case word("object/public/"), word("object/"):
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			s.withObject(w, rest, func(_, key string, o stored) { serveObject(w, r, key, o) })
		case r.Method == http.MethodDelete:
			s.remove(w, r, rest)
		default:
			s.upload(w, r, rest, r.Header.Get("X-Upsert") == "true" || r.Method == http.MethodPut)
		}
	case rest == "bucket" && r.Method == http.MethodGet:
		s.mu.Lock()
		defer s.mu.Unlock()
		list := []map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
			list = append(list, map[string]any{"id": name, "name": name})
		}
		answer(w, list)
	default:
		w.WriteHeader(http.StatusNotFound)
		answer(w, map[string]any{"statusCode": 404, "error": "Not Found", "message": "Route not found"})
	}
}

func serveObject(w http.ResponseWriter, r *http.Request, key string, o stored) {
	h := w.Header()
	h.Set("Content-Type", o.contentType)
	h.Set("Etag", o.etag())
	h.Set("Cache-Control", o.cacheControl)
	http.ServeContent(w, r, path.Base(key), o.at, bytes.NewReader(o.data))
}

func (s *server) withObject(w http.ResponseWriter, full string, use func(bucket, key string, o stored)) {
	bucket, key, _ := strings.Cut(full, "/")
	if o, ok := s.object(bucket, key); ok {
		use(bucket, key, o)
		return
	}
	refuse(w, 404, "NoSuchKey", "Object not found")
}

func (s *server) upload(w http.ResponseWriter, r *http.Request, full string, upsert bool) {
	bucket, key, _ := strings.Cut(full, "/")
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	metadata, _ := base64.StdEncoding.DecodeString(r.Header.Get("X-Metadata"))
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, ok := s.buckets[bucket]
	if !ok {
		refuse(w, 404, "NoSuchBucket", "Bucket not found")
		return
	}
	if _, there := objects[key]; there && !upsert {
		refuse(w, 409, "KeyAlreadyExists", "The resource already exists")
		return
	}
	o := s.keep(bucket, key, stored{
		contentType: r.Header.Get("Content-Type"), cacheControl: r.Header.Get("Cache-Control"), data: data, metadata: raw(string(metadata)),
		upsert: r.Header.Get("X-Upsert"),
	})
	answer(w, map[string]string{"Key": full, "Id": o.id})
}

func (s *server) remove(w http.ResponseWriter, r *http.Request, bucket string) {
	var body struct{ Prefixes []string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	if len(body.Prefixes) > 1000 {
		refuse(w, 400, "InvalidRequest", "too many")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := []any{}
	for _, key := range body.Prefixes {
		if o, ok := s.buckets[bucket][key]; ok {
			delete(s.buckets[bucket], key)
			rows = append(rows, o.row(bucket, key))
		}
	}
	answer(w, rows)
}

func (s *server) transfer(w http.ResponseWriter, r *http.Request, move bool) {
	var body struct{ BucketID, SourceKey, DestinationBucket, DestinationKey string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.DestinationBucket == "" {
		body.DestinationBucket = body.BucketID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.buckets[body.BucketID][body.SourceKey]
	if !ok {
		refuse(w, 404, "NoSuchKey", "Object not found")
		return
	}
	if _, there := s.buckets[body.DestinationBucket][body.DestinationKey]; there && r.Header.Get("X-Upsert") != "true" {
		refuse(w, 409, "KeyAlreadyExists", "The resource already exists")
		return
	}
	if move {
		delete(s.buckets[body.BucketID], body.SourceKey)
		s.buckets[body.DestinationBucket][body.DestinationKey] = o
		answer(w, map[string]string{"message": "Successfully moved"})
		return
	}
	o.version = ""
	answer(w, s.keep(body.DestinationBucket, body.DestinationKey, o).row(body.DestinationBucket, body.DestinationKey))
}

// list is v1: what is right below a folder, by name, folders among the objects.
func (s *server) list(w http.ResponseWriter, r *http.Request, bucket string) {
	var body struct {
		Prefix        string
		Limit, Offset int
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.Limit == 0 {
		body.Limit = 100
	}
	if body.Prefix != "" && !strings.HasSuffix(body.Prefix, "/") {
		body.Prefix += "/"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []any
	folders := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(s.buckets[bucket])) {
		name, ok := strings.CutPrefix(key, body.Prefix)
		if !ok {
			continue
		}
		if folder, _, below := strings.Cut(name, "/"); below {
			if !folders[folder] {
				rows = append(rows, map[string]any{"name": folder, "id": nil, "metadata": nil, "updated_at": nil})
			}
			folders[folder] = true
			continue
		}
		rows = append(rows, s.buckets[bucket][key].row(bucket, name))
	}
	rows = rows[min(body.Offset, len(rows)):]
	answer(w, append([]any{}, rows[:min(body.Limit, len(rows))]...))
}

// page is v2, without folders.
func (s *server) page(w http.ResponseWriter, r *http.Request, bucket string) {
	var body struct {
		Prefix, Cursor string
		Limit          int
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, next := []any{}, ""
	for _, key := range slices.Sorted(maps.Keys(s.buckets[bucket])) {
		if !strings.HasPrefix(key, body.Prefix) || key <= body.Cursor {
			continue
		}
		if len(rows) == body.Limit {
			answer(w, map[string]any{"hasNext": true, "nextCursor": next, "folders": []any{}, "objects": rows})
			return
		}
		rows, next = append(rows, s.buckets[bucket][key].row(bucket, key)), key
	}
	answer(w, map[string]any{"hasNext": false, "folders": []any{}, "objects": rows})
}

// token stands for a signed one; it is a secret that the tests look for.
const token = "eyJhbGciOiJIUzI1NiJ9.eyJ1cmwiOiJiL2sifQ.planted-signed-token"

func (s *server) sign(w http.ResponseWriter, r *http.Request, full string) {
	var body struct{ Paths []string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	if r.Method == http.MethodGet {
		if r.URL.Query().Get("token") != token {
			refuse(w, 400, "InvalidJWT", "bad token "+r.URL.Query().Get("token"))
			return
		}
		s.withObject(w, full, func(_, key string, o stored) { serveObject(w, r, key, o) })
		return
	}
	if len(body.Paths) == 0 {
		s.withObject(w, full, func(string, string, stored) {
			answer(w, map[string]string{"signedURL": "/object/sign/" + full + "?token=" + token})
		})
		return
	}
	answers := []any{}
	for _, key := range body.Paths {
		if _, ok := s.object(full, key); ok {
			answers = append(answers, map[string]any{"error": nil, "path": key, "signedURL": "/object/sign/" + full + "/" + key + "?token=" + token})
		} else {
			answers = append(answers, map[string]any{"error": "Either the object does not exist or you do not have access to it", "path": key, "signedURL": nil})
		}
	}
	answer(w, answers)
}

func (s *server) signedUpload(w http.ResponseWriter, r *http.Request, full string) {
	switch {
	case r.Method == http.MethodPost:
		answer(w, map[string]string{"url": "/object/upload/sign/" + full + "?token=" + token, "token": token})
	case r.URL.Query().Get("token") != token || r.Header.Get("Authorization") != "":
		refuse(w, 400, "InvalidJWT", "bad token "+r.URL.Query().Get("token"))
	default:
		s.upload(w, r, full, false)
	}
}

// tus is the resumable protocol.
func (s *server) tus(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("Tus-Resumable", "1.0.0")
	fail := func(status int, text string) {
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	if r.Header.Get("Tus-Resumable") != "1.0.0" {
		fail(412, "Tus-Resumable Required\n")
		return
	}
	if r.Method == http.MethodPost {
		u := &upload{size: -1, upsert: r.Header.Get("X-Upsert") == "true"}
		for pair := range strings.SplitSeq(r.Header.Get("Upload-Metadata"), ",") {
			name, value, _ := strings.Cut(pair, " ")
			text, _ := base64.StdEncoding.DecodeString(value)
			switch name {
			case "bucketName":
				u.bucket = string(text)
			case "objectName":
				u.key = string(text)
			case "contentType":
				u.contentType = string(text)
			case "cacheControl":
				if u.cacheControl = "no-cache"; len(text) > 0 && strings.Trim(string(text), "0123456789") == "" {
					u.cacheControl = "max-age=" + string(text)
				}
			case "metadata":
				u.metadata = string(text)
			}
		}
		if n, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64); err == nil {
			u.size = n
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, there := s.buckets[u.bucket][u.key]; there && !u.upsert {
			fail(409, "The resource already exists")
			return
		}
		s.ids++
		id = base64.RawURLEncoding.EncodeToString([]byte(u.bucket + "/" + u.key + "/tus" + strconv.Itoa(s.ids)))
		s.uploads[id] = u
		w.Header().Set("Location", "https://storage.internal:5000"+r.URL.Path+"/"+id)
		w.WriteHeader(201)
		return
	}
	s.mu.Lock()
	u := s.uploads[id]
	s.mu.Unlock()
	if u == nil {
		fail(404, "The file for this url was not found")
		return
	}
	if r.Method == http.MethodHead {
		s.mu.Lock()
		defer s.mu.Unlock()
		if u.size >= 0 {
			w.Header().Set("Upload-Length", strconv.FormatInt(u.size, 10))
		}
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
		return
	}
	s.patch(w, r, id, u, fail)
}

func (s *server) patch(w http.ResponseWriter, r *http.Request, id string, u *upload, fail func(int, string)) {
	offset, _ := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	s.mu.Lock()
	wrong := offset != int64(len(u.data))
	if n, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64); err == nil && !wrong {
		u.size = n
	}
	s.mu.Unlock()
	if wrong {
		fail(409, "Upload-Offset conflict\n")
		return
	}
	cut := func() {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Body.Read(buf)
		s.mu.Lock()
		have := int64(len(u.data))
		if s.cut != nil {
			if at := s.cut(have, have+int64(n)); at >= 0 {
				u.data = append(u.data, buf[:at-have]...)
				s.mu.Unlock()
				cut()
				return
			}
		}
		u.data = append(u.data, buf[:n]...)
		s.mu.Unlock()
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(len(u.data)) == u.size {
		if s.stop != nil && s.stop() {
			cut()
			return
		}
		version := id
		if text, err := base64.RawURLEncoding.DecodeString(id); err == nil {
			version = path.Base(string(text))
		}
		if _, there := s.buckets[u.bucket][u.key]; there && !u.upsert {
			fail(409, "The resource already exists")
			return
		}
		s.keep(u.bucket, u.key, stored{
			version: version, contentType: u.contentType, cacheControl: u.cacheControl, data: u.data, metadata: raw(u.metadata),
			upsert: strconv.FormatBool(u.upsert),
		})
		if s.finish != nil && s.finish() {
			cut()
			return
		}
		w.Header().Set("Tus-Complete", "1")
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	w.WriteHeader(204)
}
