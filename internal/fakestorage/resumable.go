package fakestorage

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An upload is one that comes in parts, by the protocol tus 1.0.0. Its errors are texts, and their
// statuses what they mean.
type upload struct {
	id       string
	in       *incoming
	who      *who // nil if a signature allows it
	length   int64
	deferred bool   // the length is not known yet
	metadata string // as the client sees it
	made     time.Time
	limit    int64

	busy chan struct{} // holds a token while a request works on the upload

	mu      sync.Mutex
	cut     func() // cuts off the request that reads a part, nil if none does
	waiting int    // how many wait for the one that works on the upload
	sink    *sink
	gone    bool // given up, or all has arrived
	stored  bool // all has arrived, and result says what became of it
	result  error
}

// patience is how long a request waits for the one before it, which it has cut off.
const patience = 10 * time.Second

// acquire makes the upload this request's own. One that still reads a part is cut off: its client
// has given it up, or it would not ask again.
func (up *upload) acquire(ctx context.Context) error {
	up.mu.Lock()
	up.waiting++
	if up.cut != nil {
		up.cut()
	}
	up.mu.Unlock()
	defer func() {
		up.mu.Lock()
		up.waiting--
		up.mu.Unlock()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case up.busy <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return locked()
}

func (up *upload) release() { <-up.busy }

func locked() error { return &tusError{http.StatusLocked, "The upload is locked by another request"} }

const (
	tusVersion   = "1.0.0"
	tusHeaders   = "Authorization, Content-Type, Location, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Concat, Upload-Defer-Length, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Requested-With, X-Forwarded-Host, X-Forwarded-Proto, Forwarded,"
	tusExtension = "creation,creation-with-upload,creation-defer-length,termination,expiration"
	// tusLife is how long an upload may take.
	tusLife = 24 * time.Hour
)

// A tusError is an answer that is no success.
type tusError struct {
	status int
	text   string
}

func (e *tusError) Error() string { return e.text }

func (s *Server) resumable(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Expose-Headers", tusHeaders)
	h.Set("Tus-Resumable", tusVersion)
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Headers", strings.TrimSuffix(tusHeaders, ",")+", Authorization, X-Upsert, Upload-Expires, ApiKey, x-signature")
		h.Set("Access-Control-Allow-Methods", "POST, HEAD, PATCH, OPTIONS, DELETE")
		h.Set("Access-Control-Max-Age", "86400")
		h.Set("Tus-Extension", tusExtension)
		h.Set("Tus-Max-Size", strconv.FormatInt(s.cfg.MaxSize, 10))
		h.Set("Tus-Version", tusVersion)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err := s.tus(w, r); err != nil {
		failTus(w, err)
	}
}

func failTus(w http.ResponseWriter, err error) {
	t, ok := errors.AsType[*tusError](err)
	if f, isFailure := errors.AsType[*failure](err); isFailure {
		status, convErr := strconv.Atoi(f.StatusCode)
		if convErr != nil {
			status = http.StatusBadRequest
		}
		t, ok = &tusError{status, f.Message}, true
	}
	if !ok {
		t = &tusError{http.StatusInternalServerError, "Internal Server Error"}
	}
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(t.status)
	_, _ = io.WriteString(w, t.text+"\n")
}

func (s *Server) tus(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Tus-Resumable") != tusVersion {
		return &tusError{http.StatusPreconditionFailed, "Tus-Resumable Required"}
	}
	id := strings.Trim(strings.TrimPrefix(r.URL.Path, "/upload/resumable"), "/")
	id, signed := cutSigned(id)
	var bearer *who
	if !signed {
		var err error
		if bearer, err = s.authenticate(r); err != nil {
			return err
		}
	}
	if id == "" {
		if r.Method != http.MethodPost {
			return &tusError{http.StatusNotFound, "Not found"}
		}
		return s.createUpload(w, r, bearer, signed)
	}
	up, err := s.findUpload(r, id, bearer, signed)
	if err != nil {
		return err
	}
	if err := up.acquire(r.Context()); err != nil {
		return err
	}
	defer up.release()
	switch r.Method {
	case http.MethodHead:
		return up.tell(w)
	case http.MethodPatch:
		return s.patch(w, r, up)
	case http.MethodDelete:
		s.forget(up)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return &tusError{http.StatusNotFound, "Not found"}
}

func cutSigned(id string) (string, bool) {
	rest, ok := strings.CutPrefix(id, "sign")
	if ok && (rest == "" || rest[0] == '/') {
		return strings.TrimPrefix(rest, "/"), true
	}
	return id, false
}

// parseMetadata reads "name base64,name base64".
func parseMetadata(header string) (map[string]string, error) {
	out := make(map[string]string)
	for pair := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if name == "" {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, &tusError{http.StatusBadRequest, "Upload-Metadata is invalid. It MUST consist of one or more comma-separated key-value pairs"}
		}
		out[name] = string(data)
	}
	return out, nil
}

func (s *Server) createUpload(w http.ResponseWriter, r *http.Request, bearer *who, signed bool) error {
	up := &upload{who: bearer, made: s.now(), busy: make(chan struct{}, 1)}
	switch length, deferred := r.Header.Get("Upload-Length"), r.Header.Get("Upload-Defer-Length"); {
	case length == "" && deferred == "1":
		up.deferred = true
	case length == "":
		return &tusError{http.StatusBadRequest, "Upload-Length or Upload-Defer-Length header required"}
	default:
		n, err := strconv.ParseUint(length, 10, 62)
		if err != nil {
			return &tusError{http.StatusBadRequest, "Upload-Length header is invalid"}
		}
		up.length = int64(n)
	}
	meta, err := parseMetadata(r.Header.Get("Upload-Metadata"))
	if err != nil {
		return err
	}
	up.in = &incoming{
		bucket: meta["bucketName"], key: meta["objectName"], contentType: cmp.Or(meta["contentType"], "application/octet-stream"),
		cacheControl: maxAge(meta["cacheControl"]), upsert: r.Header.Get("X-Upsert") == "true",
	}
	if raw := meta["metadata"]; raw != "" && json.Unmarshal([]byte(raw), &up.in.user) != nil {
		return &tusError{http.StatusBadRequest, "metadata is no JSON object"}
	}
	up.metadata = shownMetadata(r.Header.Get("Upload-Metadata"), up.in)
	if signed {
		sig, err := s.verify(r.Header.Get("X-Signature"), up.in.bucket, up.in.key, "upload")
		if err != nil {
			return err
		}
		up.in.owner, up.in.upsert = sig.Owner, sig.Upsert != nil && *sig.Upsert
	} else {
		up.in.owner = bearer.owner()
	}
	if up.sink, err = s.newSink(); err != nil {
		return err
	}
	up.busy <- struct{}{}
	defer up.release()
	if err := s.addUpload(up); err != nil {
		up.sink.abort()
		return err
	}
	h := w.Header()
	location := s.cfg.URL
	if s.cfg.Secure {
		location = "https://" + strings.TrimPrefix(strings.TrimPrefix(location, "http://"), "https://")
	}
	location += "/upload/resumable/"
	if signed {
		location += "sign/"
	}
	h.Set("Location", location+up.id)
	if r.Header.Get("Content-Type") == offsetType || up.length == 0 && !up.deferred {
		offset, complete, err := s.write(w, r, up, 0)
		if err != nil {
			return err
		}
		h.Set("Upload-Offset", strconv.FormatInt(offset, 10))
		if complete {
			h.Set("Tus-Complete", "1")
		}
	}
	h.Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// shownMetadata is the metadata as HEAD shows it, with the cache control as it will be sent.
func shownMetadata(header string, in *incoming) string {
	parts := strings.Split(header, ",")
	for i, pair := range parts {
		if name, _, _ := strings.Cut(strings.TrimSpace(pair), " "); name == "cacheControl" {
			parts[i] = name + " " + base64.StdEncoding.EncodeToString([]byte(in.cacheControl))
		}
	}
	return strings.Join(parts, ",")
}

// addUpload checks that the object may be put where it is to go, and keeps the upload.
func (s *Server) addUpload(up *upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayPut(up.who, up.in); err != nil {
		return err
	}
	b := s.buckets[up.in.bucket]
	if err := s.accepts(b, up.in.contentType, -1); err != nil {
		return err
	}
	if up.limit = s.limit(b); up.length > up.limit {
		return &tusError{http.StatusRequestEntityTooLarge, "Maximum size exceeded"}
	}
	up.in.version = newUUID() // which the object will have
	up.id = base64.RawURLEncoding.EncodeToString([]byte(up.in.bucket + "/" + up.in.key + "/" + up.in.version))
	s.uploads[up.id] = up
	return nil
}

func (s *Server) findUpload(r *http.Request, id string, bearer *who, signed bool) (*upload, error) {
	s.mu.RLock()
	up := s.uploads[id]
	s.mu.RUnlock()
	if up == nil {
		return nil, &tusError{http.StatusNotFound, "The file for this url was not found"}
	}
	if s.now().After(up.made.Add(tusLife)) {
		return nil, &tusError{http.StatusGone, "The file for this url no longer exists"}
	}
	if signed {
		_, err := s.verify(r.Header.Get("X-Signature"), up.in.bucket, up.in.key, "upload")
		return up, err
	}
	if up.who == nil || !bearer.service() && bearer.sub != up.who.sub {
		return nil, violates()
	}
	return up, nil
}

func (up *upload) tell(w http.ResponseWriter) error {
	up.mu.Lock()
	defer up.mu.Unlock()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain;charset=UTF-8")
	h.Set("Upload-Offset", strconv.FormatInt(up.sink.size, 10))
	h.Set("Upload-Metadata", up.metadata)
	if up.deferred {
		h.Set("Upload-Defer-Length", "1")
	} else {
		h.Set("Upload-Length", strconv.FormatInt(up.length, 10))
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

const offsetType = "application/offset+octet-stream"

func (s *Server) patch(w http.ResponseWriter, r *http.Request, up *upload) error {
	if r.Header.Get("Content-Type") != offsetType {
		return &tusError{http.StatusForbidden, "Content-Type header required"}
	}
	offset, err := strconv.ParseUint(r.Header.Get("Upload-Offset"), 10, 62)
	if err != nil {
		return &tusError{http.StatusForbidden, "Upload-Offset header required"}
	}
	if length := r.Header.Get("Upload-Length"); length != "" {
		n, err := strconv.ParseUint(length, 10, 62)
		if err != nil || !up.settle(int64(n)) {
			return &tusError{http.StatusBadRequest, "Upload-Length header is invalid"}
		}
	}
	at, complete, err := s.write(w, r, up, int64(offset))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(at, 10))
	if complete {
		h.Set("Tus-Complete", "1")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// settle sets the length of an upload that did not have one.
func (up *upload) settle(n int64) bool {
	up.mu.Lock()
	defer up.mu.Unlock()
	if !up.deferred {
		return n == up.length
	}
	if n < up.sink.size || n > up.limit {
		return false
	}
	up.length, up.deferred = n, false
	return true
}

// write appends a part, and makes an object of the upload when all has arrived. What came before a
// connection broke is kept, so that the client can go on after it. A client that missed the answer
// to the last part asks once more by an empty one.
func (s *Server) write(w http.ResponseWriter, r *http.Request, up *upload, offset int64) (at int64, complete bool, err error) {
	up.mu.Lock()
	at, most, gone, stored := up.sink.size, up.length, up.gone, up.stored
	if up.deferred {
		most = up.limit
	}
	up.mu.Unlock()
	switch {
	case stored && offset == at && r.ContentLength == 0:
		return at, up.result == nil, up.result
	case gone:
		return 0, false, &tusError{http.StatusNotFound, "The file for this url was not found"}
	case offset != at:
		return 0, false, &tusError{http.StatusConflict, "Upload-Offset conflict"}
	case r.ContentLength > most-at:
		return 0, false, &tusError{http.StatusRequestEntityTooLarge, "Exceeded maximum size"}
	}
	if at, err = up.read(w, r, most); err != nil {
		return 0, false, err
	}
	if up.deferred || at < up.length {
		return at, false, nil
	}
	up.mu.Lock()
	whole := up.sink
	up.gone, up.sink = true, &sink{size: at} // the bytes are the object's
	up.mu.Unlock()
	_, err = s.store(up.who, up.in, whole)
	up.mu.Lock()
	defer up.mu.Unlock()
	up.stored, up.result = true, err
	return at, err == nil, err
}

// read takes the body of a request, until it ends or the request is cut off. No more than most bytes
// may then be there.
func (up *upload) read(w http.ResponseWriter, r *http.Request, most int64) (at int64, err error) {
	connection, was := http.NewResponseController(w), false
	up.mu.Lock()
	at = up.sink.size
	up.cut = func() {
		was = true
		_ = connection.SetReadDeadline(time.Unix(1, 0)) // what cannot be cut ends by itself
	}
	if up.waiting > 0 { // they came before there was anything to cut off
		up.cut()
	}
	up.mu.Unlock()
	defer func() {
		up.mu.Lock()
		defer up.mu.Unlock()
		up.cut = nil
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, readErr := r.Body.Read(buffer)
		if at+int64(n) > most {
			return at, &tusError{http.StatusRequestEntityTooLarge, "Exceeded maximum size"}
		}
		up.mu.Lock()
		_, err = up.sink.Write(buffer[:n])
		at = up.sink.size
		cut := was
		up.mu.Unlock()
		switch {
		case err != nil:
			return at, err
		case errors.Is(readErr, io.EOF):
			return at, nil
		case readErr != nil && cut:
			return at, locked()
		case readErr != nil:
			return at, readErr
		}
	}
}

// forget gives an upload up.
func (s *Server) forget(up *upload) {
	s.mu.Lock()
	delete(s.uploads, up.id)
	s.mu.Unlock()
	up.mu.Lock()
	defer up.mu.Unlock()
	if !up.gone {
		up.gone = true
		up.sink.abort()
	}
}

// Close gives up the uploads that are not complete, whose files it takes away.
func (s *Server) Close() {
	s.mu.RLock()
	list := make([]*upload, 0, len(s.uploads))
	for _, up := range s.uploads {
		list = append(list, up)
	}
	s.mu.RUnlock()
	for _, up := range list {
		s.forget(up)
	}
}
