//go:build linux

package postgrest_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// gate is what stands before a project's gateway: it lets everything through, but for every few
// requests while it has an answer of its own.
type gate struct {
	answers atomic.Pointer[answer]
	seen    atomic.Int64
	hits    atomic.Int64
}

// answer is what a gateway says in place of the server behind it.
type answer struct {
	status int
	body   string
	kind   string // of the body
	oneIn  int64
	after  bool // the server has done what was asked
}

// says has the gate answer so until it is given nil.
func (g *gate) says(a *answer) { g.answers.Store(a) }

func (g *gate) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := g.answers.Load()
		if a == nil || g.seen.Add(1)%a.oneIn != 0 {
			next.ServeHTTP(w, r)
			return
		}
		g.hits.Add(1)
		if a.after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		w.Header().Set("Content-Type", a.kind)
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	})
}
