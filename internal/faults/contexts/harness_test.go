package contexts_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A call is one call of what is under test.
type call struct {
	name string // as declared gives it, and in brackets what is special about it
	do   func(t *testing.T, ctx context.Context, far *far) error

	// ready says that there is nothing to wait for. If the call succeeds even though its context has ended
	// before, its documentation has to say so.
	ready bool
	// own is an error that the call may end with before its context ends.
	own error
	// mute says that the call has no way to tell of an error.
	mute bool
	// whole says that an answer that stops in the middle is none for this call, which says so at once.
	whole bool
}

// far is what a call asks, and does not get an answer from.
type far struct {
	url     string
	partial bool // it begins to answer, and stops
	nobody  bool // may ask
	asked   atomic.Int64
	arrived chan struct{} // closed at the first question
}

func newFar(t *testing.T) *far {
	f := &far{arrived: make(chan struct{})}
	t.Cleanup(func() { // when all is closed
		if n := f.asked.Load(); f.nobody && n != 0 {
			t.Errorf("%d questions were asked all the same", n)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	f.url = server.URL
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return f
}

func (f *far) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if f.partial && r.Method != http.MethodHead { // whose answer has no middle
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[")
		_ = http.NewResponseController(w).Flush()
	}
	_ = f.hang(r.Context())
}

// hang waits for the end of the context, and for nothing else.
func (f *far) hang(ctx context.Context) error {
	if ctx.Err() != nil { // as clients do
		return context.Cause(ctx)
	}
	if f.asked.Add(1) == 1 {
		close(f.arrived)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

var errPanicked = errors.New("it panicked")

// patience is how long a call may take that has to return at once: what does not return, never does.
const patience = time.Minute

// returns runs a call, and gives what it returned.
func returns(t *testing.T, ctx context.Context, c call, f *far) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s panicked: %v\n%s", c.name, p, debug.Stack())
				done <- errPanicked
			}
		}()
		done <- c.do(t, ctx, f)
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s does not return", c.name)
		return nil
	}
}

// check runs one call in all the ways in which a context ends, and without one.
func check(t *testing.T, c call, docs map[string]string) {
	ways := map[string]func(t *testing.T, f *far){
		"cancelled before": func(t *testing.T, f *far) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			f.nobody = true
			err := returns(t, ctx, c, f)
			if err != nil || !c.ready && !c.mute {
				want(t, err, context.Canceled)
				return
			}
			base, _, _ := strings.Cut(c.name, " (")
			if doc, ok := docs[base]; ok && !saysSo.MatchString(doc) {
				t.Errorf("it succeeds though its context has ended, and its documentation says nothing of that:\n%s", doc)
			}
		},
		"cancelled meanwhile": func(t *testing.T, f *far) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				select {
				case <-f.arrived:
					cancel()
				case <-ctx.Done():
				}
			}()
			ended(t, c, returns(t, ctx, c, f), context.Canceled)
		},
		"expired meanwhile": func(t *testing.T, f *far) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			ended(t, c, returns(t, ctx, c, f), context.DeadlineExceeded)
		},
	}
	ways["nil"] = func(t *testing.T, f *far) {
		f.nobody = true
		err := returns(t, nil, c, f) // as callers do by mistake
		if err == nil && !c.ready && !c.mute {
			t.Error("it succeeds without a context")
		}
	}
	if !c.whole {
		ways["cancelled in the middle of the answer"] = func(t *testing.T, f *far) {
			f.partial = true
			ways["cancelled meanwhile"](t, f)
		}
	}
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		before := goleak.IgnoreCurrent()
		t.Run(way, func(t *testing.T) { ways[way](t, newFar(t)) })
		if err := goleak.Find(before); err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
}

func ended(t *testing.T, c call, err, cause error) {
	t.Helper()
	if err == nil && (c.ready || c.mute) || c.own != nil && errors.Is(err, c.own) {
		return
	}
	want(t, err, cause)
}

func want(t *testing.T, err, cause error) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Errorf("error = %v, want one that is %v", err, cause)
	}
}

func TestWhateverTakesAContextEndsWithIt(t *testing.T) {
	all := calls(t)
	docs := declared(t)
	covered := map[string]bool{}
	for _, c := range all {
		base, _, _ := strings.Cut(c.name, " (")
		covered[base] = true
		t.Run(strings.ReplaceAll(c.name, "/", "."), func(t *testing.T) {
			check(t, c, docs)
		})
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if !covered[name] {
			t.Errorf("%s takes a context and has no case here", name)
		}
	}
	t.Logf("%d calls of %d functions and methods, each in up to 5 ways", len(all), len(docs))
}

// saysSo is how documentation tells what becomes of a call whose context has ended.
var saysSo = regexp.MustCompile(`\b(ctx has ended|ended ctx|context( has)? (ends|ended)|on ctx|beyond ctx|ctx only|ctx for nothing else)\b`)
