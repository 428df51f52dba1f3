// Package gate is what may stand before the gateway of a project: it lets requests through, but for
// every few of them while it has an answer of its own, as gateways have when the server behind them
// is away.
package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// Statuses are what gateways say of the server behind them, those of Cloudflare included.
var Statuses = []int{502, 503, 504, 520, 521, 522, 523, 524}

// An Answer is what a gate says in place of the server.
type Answer struct {
	Status int
	Body   string
	Type   string // of the body
	OneIn  int64  // how many requests it hits: the last of each so many
	After  bool   // the server has done by then what was asked, and its answer is lost
}

// Page is an answer with a page of HTML, as gateways have them.
func Page(status int, oneIn int64, after bool) *Answer {
	return &Answer{
		Status: status, OneIn: oneIn, After: after, Type: "text/html",
		Body: fmt.Sprintf("<html><title>%d %s</title>", status, http.StatusText(status)),
	}
}

// A Gate stands before a handler. Its zero value lets everything through. It is safe for concurrent
// use.
type Gate struct {
	says atomic.Pointer[Answer]
	seen atomic.Int64
	hits atomic.Int64
}

// Says has the gate answer so from now on; nil lets everything through again.
func (g *Gate) Says(a *Answer) { g.says.Store(a) }

// Hits is how many requests it has answered.
func (g *Gate) Hits() int64 { return g.hits.Load() }

// Before is next with the gate before it.
func (g *Gate) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := g.says.Load()
		if a == nil || g.seen.Add(1)%a.OneIn != 0 {
			next.ServeHTTP(w, r)
			return
		}
		g.hits.Add(1)
		if a.After {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		w.Header().Set("Content-Type", a.Type)
		w.WriteHeader(a.Status)
		_, _ = w.Write([]byte(a.Body))
	})
}
