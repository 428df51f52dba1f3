package supabasetest

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Service is a part of the project.
type Service string

// The services, as the gateway tells them apart by path.
const (
	Rest      Service = "rest"
	Auth      Service = "auth"
	Storage   Service = "storage"
	Functions Service = "functions"
)

// A Cut says where a connection breaks.
type Cut int

// The places.
const (
	NoCut     Cut = iota
	CutBefore     // before the service sees the request: nothing happened
	CutAfter      // after the service has done its work: the answer is lost
	CutHalf       // in the middle of the answer's body; if it has none, as CutAfter
)

// A Fault is what goes wrong with requests. The first fields say with which: those that are empty
// match all. The zero Fault hits the next request and does nothing to it.
type Fault struct {
	Service Service
	Method  string
	// Path is the one below the service's own, as "/todos" of "/rest/v1/todos". A * at its end
	// stands for any rest.
	Path string
	// Times is how many requests are hit. Zero is one, a negative one is all.
	Times int
	// OneIn hits one in so many of the requests that match, the last of each round. Zero and one
	// hit each.
	OneIn int

	// Delay is how long the request waits before anything else happens to it.
	Delay time.Duration
	// Refuse refuses the connection. It is exact through HTTPClient; on a port, where connections
	// are kept, the connection breaks before anything is done.
	Refuse bool
	// Cut breaks the connection.
	Cut Cut
	// Status answers with this status in place of the service, which sees nothing. What it says is
	// what the real service was seen to say with that status when its database is away, as Postgres'
	// 57014, statement timeout, for 500 of rest; Body says something else.
	Status int
	// RetryAfter goes with Status: the seconds that the header names, rounded up. Without it there
	// is no such header, but for status 503 of the rest service, which says 0.
	RetryAfter time.Duration
	// Header and Body go with Status. An empty Body is an error as the service writes it.
	Header http.Header
	Body   string
}

// faults are those that wait for requests.
type faults struct {
	mu   sync.Mutex
	list []*injected
}

type injected struct {
	Fault
	seen, hits int
}

// Inject makes a fault wait for its requests. Of several that match a request, the one that was
// injected first hits. What it returns takes the fault away and tells how many requests it hit.
func (s *Server) Inject(f Fault) (remove func() int) {
	in := &injected{Fault: f}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, in)
	return func() int {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.drop(in)
		return in.hits
	}
}

func (f *faults) drop(in *injected) {
	for i, o := range f.list {
		if o == in {
			f.list = append(f.list[:i:i], f.list[i+1:]...)
			return
		}
	}
}

// take is the fault that hits a request, nil if none does.
func (f *faults) take(service Service, method, path string, which func(*Fault) bool) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range f.list {
		if !which(&in.Fault) || !in.matches(service, method, path) {
			continue
		}
		if in.seen++; in.OneIn > 1 && in.seen%in.OneIn != 0 {
			continue
		}
		in.hits++
		if in.Times >= 0 && in.hits >= max(in.Times, 1) {
			f.drop(in)
		}
		return &in.Fault
	}
	return nil
}

func (f *Fault) matches(service Service, method, path string) bool {
	if f.Service != "" && f.Service != service || f.Method != "" && !strings.EqualFold(f.Method, method) {
		return false
	}
	if prefix, open := strings.CutSuffix(f.Path, "*"); open {
		return strings.HasPrefix(path, prefix)
	}
	return f.Path == "" || f.Path == path
}

// refuses says whether a request of HTTPClient gets no connection.
func (f *faults) refuses(r *http.Request) bool {
	service, path := split(r.URL.Path)
	return f.take(service, r.Method, path, func(f *Fault) bool { return f.Refuse }) != nil
}

// wait is the delay of a fault. It reports false when the request ended first.
func (f *Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return true
	}
	t := time.NewTimer(f.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer is that of a fault with a status.
func (f *Fault) answer(w http.ResponseWriter, service Service) {
	h := w.Header()
	for name, values := range f.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if f.RetryAfter > 0 || service == Rest && f.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	body := f.Body
	if body == "" {
		body = errorBody(service, f.Status)
	}
	if h.Get("Content-Type") == "" {
		kind := "application/json"
		if (service == Rest || service == Storage) && f.Status != http.StatusBadGateway {
			kind = "application/json; charset=utf-8"
		}
		h.Set("Content-Type", kind)
	}
	w.WriteHeader(f.Status)
	if f.Status != http.StatusNoContent && f.Status != http.StatusNotModified && f.Status >= 200 {
		_, _ = w.Write([]byte(body))
	}
}

// errorBody is an error as a service writes it: for those statuses that the services were seen to
// answer with when their database is gone, what they said then.
func errorBody(service Service, status int) string {
	n, text := strconv.Itoa(status), http.StatusText(status)
	if status == http.StatusBadGateway { // which is the gateway's own
		return `{"message":"An invalid response was received from the upstream server"}`
	}
	switch service {
	case Rest:
		switch status {
		case http.StatusServiceUnavailable:
			return `{"code":"PGRST000","details":"connection to server failed: Connection refused","hint":null,"message":"Database connection error. Retrying the connection."}`
		case http.StatusGatewayTimeout:
			return `{"code":"PGRST003","details":null,"hint":null,"message":"Timed out acquiring connection from connection pool."}`
		case http.StatusInternalServerError:
			return `{"code":"57014","details":null,"hint":null,"message":"canceling statement due to statement timeout"}`
		}
		return `{"code":"` + n + `","details":null,"hint":null,"message":"` + text + `"}`
	case Auth:
		code := "unexpected_failure"
		switch status {
		case http.StatusTooManyRequests:
			code, text = "over_request_rate_limit", "Request rate limit reached"
		case http.StatusGatewayTimeout:
			code, text = "request_timeout", "Processing this request timed out, please retry after a moment."
		case http.StatusInternalServerError:
			text = "Unexpected failure, please check server logs for more information"
		}
		return `{"code":` + n + `,"error_code":"` + code + `","msg":"` + text + `"}`
	case Storage:
		switch status {
		case http.StatusInternalServerError:
			return `{"statusCode":"500","error":"Internal","message":"Internal Server Error","code":"InternalError"}`
		case http.StatusTooManyRequests:
			return `{"statusCode":"429","error":"too_many_connections","message":"Too many connections issued to the database","code":"SlowDown"}`
		}
		return `{"statusCode":"` + n + `","error":"` + text + `","message":"` + text + `","code":"InternalError"}`
	}
	return `{"message":"` + text + `"}`
}

// cut breaks the connection and does not return. One byte of an answer goes before it:
// without any, net/http sends some requests again by itself, on another connection, and whether it
// does would be chance to a test.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte("H"))
		reset(conn)
	}
	panic(http.ErrAbortHandler)
}

// A held answer is written later, or in part.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *held) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(p)
}

// Flush does nothing: what is held is written in the end.
func (h *held) Flush() {}

// half writes the header and half of the body, and breaks the connection.
func (h *held) half(w http.ResponseWriter) {
	maps.Copy(w.Header(), h.header)
	w.Header().Set("Content-Length", strconv.Itoa(h.body.Len()))
	w.WriteHeader(max(h.status, http.StatusOK))
	_, _ = w.Write(h.body.Bytes()[:h.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler) // which closes the connection
}
