package supabasetest

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// A Request is one that the server got. It holds the credentials of the
// client, for a test to look at; they are not printed.
type Request struct {
	Service Service // empty for a path of none
	Method  string
	Path    string // below the service's own, decoded
	Query   url.Values
	Header  http.Header
	Body    []byte // at most the first 16 KiB
	Status  int    // of the answer, 0 as long as there is none
	Time    time.Time
}

// APIKey is the key that the client sent.
func (r Request) APIKey() string {
	if key := r.Header.Get("apikey"); key != "" {
		return key
	}
	return r.Query.Get("apikey")
}

// Bearer is the token that the client sent, empty if it sent none.
func (r Request) Bearer() string {
	token, _ := bearerOf(r.Header.Get("Authorization"))
	return token
}

// Format shows the method, the path and the status: no query, header or body.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s %s%s: %d", r.Method, r.Service, r.Path, r.Status)
}

// LogValue shows what Format does.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText shows what Format does.
func (r Request) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

const (
	maxBody     = 16 << 10
	maxRequests = 4_000
)

// requests are those that came in, the newest last.
type requests struct {
	mu   sync.Mutex
	list []*entry
}

// An entry is filled while its request runs: who has the answer finds it here.
type entry struct {
	mu sync.Mutex
	r  Request
}

// Requests are the requests that the server got since the start, or since ResetRequests, in the
// order in which they came. The server keeps the last 4,000.
func (s *Server) Requests() []Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	list := make([]Request, len(s.requests.list))
	for i, e := range s.requests.list {
		e.mu.Lock()
		list[i] = e.r
		list[i].Body = slices.Clone(e.r.Body)
		e.mu.Unlock()
	}
	return list
}

// ResetRequests forgets the requests so far.
func (s *Server) ResetRequests() {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	s.requests.list = nil
}

func (q *requests) add(r Request) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) >= maxRequests {
		q.list = slices.Delete(q.list, 0, maxRequests/10)
	}
	e := &entry{r: r}
	q.list = append(q.list, e)
	return e
}

// An overheard body keeps the beginning of what the service reads of it.
type overheard struct {
	io.ReadCloser
	entry *entry
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	o.entry.mu.Lock()
	defer o.entry.mu.Unlock()
	if room := maxBody - len(o.entry.r.Body); room > 0 && n > 0 {
		o.entry.r.Body = append(o.entry.r.Body, p[:min(n, room)]...)
	}
	return n, err
}

// A watched answer notes its status.
type watched struct {
	http.ResponseWriter
	entry *entry
}

func (w *watched) note(status int) {
	w.entry.mu.Lock()
	defer w.entry.mu.Unlock()
	if w.entry.r.Status == 0 && status >= 200 {
		w.entry.r.Status = status
	}
}

func (w *watched) WriteHeader(status int) {
	w.note(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Flush makes functions that stream find what they ask for.
func (w *watched) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }
