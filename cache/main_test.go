package cache

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open gives a cache that is closed at the end of the test. Its TTLs are exact.
func open(t testing.TB, cfg Config) *Cache {
	t.Helper()
	if cfg.Jitter == 0 {
		cfg.Jitter = -1
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := New(cfg)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func scope(t testing.TB, epochs ...*Epoch) *Scope {
	t.Helper()
	return open(t, Config{}).Scope("scope", nil, epochs...)
}

// source is what loads read: it counts them, and gives their number unless told otherwise.
type source struct {
	mu    sync.Mutex
	loads int
	fail  error
}

func (s *source) load(context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	return s.loads, s.fail
}

func (s *source) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

// get is Get of an int under a text, which must not fail.
func get(t testing.TB, s *Scope, text string, p Policy, load func(context.Context) (int, error)) int {
	t.Helper()
	v, err := Get(t.Context(), s, KeyOf(text), p, load)
	if err != nil {
		t.Fatalf("Get(%s): %v", text, err)
	}
	return v
}

// value is a load that always gives v.
func value[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

func must[T any](t testing.TB) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

var (
	forever   = Policy{TTL: Forever}
	oneSecond = Policy{TTL: time.Second}

	errSource    = errors.New("the source is down")
	errTransient = errors.New("the source is busy")
	errNoRows    = errors.New("no rows")
)

// logs collects what a cache logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// pass lets the clock of a synctest bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// keyOf is the key of an int.
func keyOf(s *Scope, k Key) key { return s.key(planOf(reflect.TypeFor[int]()), k) }

// storedOf is what is stored of an int under a text, dead or alive, or nil.
func storedOf(s *Scope, text string) *entry { return s.cache.stored(keyOf(s, KeyOf(text)).hash) }

// settle waits until the engine has decided about all that it was given.
func settle(c *Cache) { c.engine.Load().r.Wait() }

// all gives the entries in the window, the newest first.
func (w *window) all() []*entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*entry
	for n := w.newest; n != nil; n = n.older {
		all = append(all, n.entry)
	}
	return all
}

// emptyWindow leaves what the engine admits.
func emptyWindow(c *Cache) {
	for _, e := range c.window.all() {
		c.window.remove(e)
		c.leaveWindow(c.engine.Load(), e)
	}
	settle(c)
}

// elapse lets the time of a synctest bubble go by.
func elapse(d time.Duration) { pass(d) }
