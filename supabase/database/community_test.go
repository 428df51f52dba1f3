package database_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/supabase-community/postgrest-go"

	"github.com/streamconn/streamconn/supabase/database"
)

// pair is a client of the community's module and one of ours, of the same server.
type pair struct {
	theirs *postgrest.Client
	ours   *database.Client
	url    string
	*wire
}

// both starts a server, with an answer for each request; nil: a list without rows.
func both(t *testing.T, answer http.HandlerFunc) pair {
	t.Helper()
	w := &wire{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.record(r)
		if answer != nil {
			answer(rw, r)
			return
		}
		_, _ = io.WriteString(rw, "[]")
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	w.next = srv.Client().Transport
	t.Cleanup(w.closeBodies) // before the server, which waits for connections that are in use
	theirs := postgrest.NewClient(srv.URL+"/rest/v1", "", map[string]string{"apikey": anonKey, "Authorization": "Bearer " + anonKey})
	theirs.Transport.Parent = w
	return pair{theirs, newClient(t, srv.URL+"/rest/v1", database.WithRetry(database.Retry{Disabled: true})), srv.URL + "/rest/v1", w}
}

// wire is what went over it: the requests that the server got, and, of the community's client, whose
// transport it is, the bodies of the answers.
type wire struct {
	next  http.RoundTripper
	conns atomic.Int32

	mu       sync.Mutex
	requests []request
	endless  int // requests of theirs that nothing can end
	bodies   []*body
}

type request struct {
	*http.Request
	query url.Values
	body  string
}

func (w *wire) record(r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, request{r, r.URL.Query(), string(text)})
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Context().Done() == nil {
		w.endless++
	}
	if err == nil {
		b := &body{ReadCloser: resp.Body}
		w.bodies, resp.Body = append(w.bodies, b), b
	}
	return resp, err
}

// body knows whether it was closed.
type body struct {
	io.ReadCloser
	closed bool
}

func (b *body) Close() error {
	b.closed = true
	return b.ReadCloser.Close()
}

func (w *wire) closeBodies() {
	for _, b := range w.bodies {
		_ = b.Close()
	}
}

// connections gives the number of those that the server ever had.
func (w *wire) connections() int32 { return w.conns.Load() }

// took gives the requests since it was asked last.
func (w *wire) took() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.requests
	w.requests = nil
	return taken
}

// only gives the one request since the wire was asked last.
func (w *wire) only(t *testing.T) request {
	t.Helper()
	taken := w.took()
	if len(taken) != 1 {
		t.Fatalf("%d requests, want one", len(taken))
	}
	return taken[0]
}

// sent runs a query of theirs and gives what the server got.
func (p pair) sent(t *testing.T, query interface{ Execute() ([]byte, int64, error) }) request {
	t.Helper()
	if _, _, err := query.Execute(); err != nil {
		t.Fatal(err)
	}
	return p.only(t)
}

// run runs a query of ours and gives what the server got.
func (p pair) run(t *testing.T, query query) request {
	t.Helper()
	if _, err := database.Execute(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	return p.only(t)
}

// defect says that a defect of the community's module is mended, unless it is there.
func defect(t *testing.T, there bool, got ...any) {
	t.Helper()
	if !there {
		t.Errorf("postgrest-go no longer has this defect (%s): take it out of this file, and see whether what replaces it is still needed", fmt.Sprint(got...))
	}
}

// panics reports whether f does.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// repeated is a body of n bytes.
func repeated(n int) []byte { return bytes.Repeat([]byte{' '}, n) }
