package gate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/streamconn/streamconn/internal/faults/gate"
)

func TestGateAnswersOneInSoMany(t *testing.T) {
	t.Parallel()
	var g gate.Gate
	served := 0
	h := g.Before(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w.Code
	}
	for _, test := range []struct {
		says   *gate.Answer
		served int
	}{{nil, 6}, {gate.Page(502, 3, false), 4}, {gate.Page(502, 3, true), 6}} {
		g.Says(test.says)
		served = 0
		var refused int
		for range 6 {
			if ask() == 502 {
				refused++
			}
		}
		if served != test.served || refused != 2 && test.says != nil || refused != 0 && test.says == nil {
			t.Errorf("%+v: %d served, %d refused", test.says, served, refused)
		}
	}
	if g.Hits() != 4 {
		t.Errorf("%d hits", g.Hits())
	}
}
