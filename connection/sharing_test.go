package connection_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// shop is a registry with one kind, "src".
func shop(t *testing.T, src *source) *connection.Registry {
	t.Helper()
	r := world(t, map[string]any{"connections": map[string]any{"a": map[string]any{"type": "src"}, "b": map[string]any{"type": "src"}}})
	connection.Register(r, "src", src.connect)
	return r
}

func TestSameOptionsShare(t *testing.T) {
	t.Parallel()
	instant := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l, c := slog.New(slog.DiscardHandler), cache.New(cache.Config{})
	t.Cleanup(func() { _ = c.Close() })
	w, store := connection.With, secrets.Of(nil)
	type opts = []connection.Option
	for _, test := range []struct {
		name string
		a, b opts
		same bool
	}{
		{"none", nil, opts{}, true},
		{"one value", opts{w("x", 1)}, opts{w("x", 1)}, true},
		{"any order", opts{w("x", 1), w("y", "2"), connection.WithStrict()}, opts{connection.WithStrict(), w("y", "2"), w("x", 1)}, true},
		{"the zero Option", opts{{}, w("x", 1)}, opts{w("x", 1), {}}, true},
		{"the later of two wins", opts{w("x", 1), w("x", 2)}, opts{w("x", 2)}, true},
		{"the later of two wins, among others", opts{w("x", 2), w("y", 1), w("x", 1)}, opts{w("x", 1), w("y", 1)}, true},
		{"tables by content", opts{w("x", map[string]any{"a": 1, "b": []any{2}})}, opts{w("x", map[string]any{"b": []any{2}, "a": 1})}, true},
		{"slices by content", opts{w("x", []string{"a"})}, opts{w("x", []string{"a"})}, true},
		{"times", opts{w("x", instant)}, opts{w("x", instant)}, true},
		{"secrets", opts{w("x", secrets.NewSecret("s"))}, opts{w("x", secrets.NewSecret("s"))}, true},
		{"secrets in tables", opts{w("x", map[string]any{"p": secrets.NewSecret("s")})}, opts{w("x", map[string]any{"p": secrets.NewSecret("s")})}, true},
		{"retries", opts{connection.WithRetry(connection.Retry{Window: 1})}, opts{connection.WithRetry(connection.Retry{Window: 1})}, true},
		{"stores, loggers, caches", opts{connection.WithSecrets(store), connection.WithLogger(l), connection.WithCache(c)}, opts{connection.WithCache(c), connection.WithSecrets(store), connection.WithLogger(l)}, true},
		{"the same TTL", opts{connection.WithDefaultTTL(10 * time.Second)}, opts{connection.WithDefaultTTL(10_000 * time.Millisecond)}, true},

		{"one more", opts{w("x", 1)}, opts{w("x", 1), w("y", 2)}, false},
		{"different values", opts{w("x", 1)}, opts{w("x", 2)}, false},
		{"different types", opts{w("x", 1)}, opts{w("x", "1")}, false},
		{"different names", opts{w("x", 1)}, opts{w("y", 1)}, false},
		{"swapped values", opts{w("x", 1), w("y", 2)}, opts{w("x", 2), w("y", 1)}, false},
		{"names that run into values", opts{w("ab", "c")}, opts{w("a", "bc")}, false},
		{"the order in slices", opts{w("x", []string{"a", "b"})}, opts{w("x", []string{"b", "a"})}, false},
		{"a table that is deeper", opts{w("x", map[string]any{"a": map[string]any{}})}, opts{w("x", map[string]any{"a": 1})}, false},
		{"different secrets", opts{w("x", secrets.NewSecret("s"))}, opts{w("x", secrets.NewSecret("t"))}, false},
		{"different secrets in tables", opts{w("x", map[string]any{"p": secrets.NewSecret("s")})}, opts{w("x", map[string]any{"p": secrets.NewSecret("t")})}, false},
		{"different secrets in lists", opts{w("x", []any{secrets.NewSecret("s")})}, opts{w("x", []any{secrets.NewSecret("t")})}, false},
		{"different TTLs", opts{connection.WithDefaultTTL(1)}, opts{connection.WithDefaultTTL(2)}, false},
		{"a TTL and an age", opts{connection.WithDefaultTTL(1)}, opts{connection.WithMaxAge(1)}, false},
		{"different retries", opts{connection.WithRetry(connection.Retry{Min: 1})}, opts{connection.WithRetry(connection.Retry{Max: 1})}, false},
		{"different loggers", opts{connection.WithLogger(l)}, opts{connection.WithLogger(slog.New(slog.DiscardHandler))}, false},
		{"different stores", opts{connection.WithSecrets(store)}, opts{connection.WithSecrets(secrets.Of(nil))}, false},
		{"strict", opts{}, opts{connection.WithStrict()}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			src := new(source)
			r := shop(t, src)
			withType := func(opts opts) opts { return append(slices.Clip(opts), connection.WithType("src")) }
			// What is not asked for would be refused by WithStrict.
			connection.Register(r, "greedy", func(ctx context.Context, p *connection.Params) (*client, error) {
				for _, name := range []string{"x", "y", "ab", "a"} {
					p.Lookup(name)
				}
				return src.connect(ctx, p)
			})
			a := get[*client](t, r, "greedy", test.a...)
			b := get[*client](t, r, "greedy", test.b...)
			if (a == b) != test.same {
				t.Errorf("shared: %t, want %t", a == b, test.same)
			}
			if other := get[*client](t, r, "a", withType(nil)...); other == a || other == b {
				t.Error("another name is shared")
			}
			if test.same != (raw(t, a) == raw(t, b)) {
				t.Errorf("the same client: %t, want %t", raw(t, a) == raw(t, b), test.same)
			}
		})
	}
}

func TestOptionsThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	type config struct{ Password secrets.Secret }
	for text, option := range map[string]connection.Option{
		`connection.With("f", …) cannot be compared with the options of other calls, so this connection cannot be shared: use Open`: connection.With("f", func() {}),
		`connection.With("c", …) cannot be compared`:  connection.With("c", make(chan int)),
		`connection.With("t", …) cannot be compared`:  connection.With("t", map[string]any{"f": func() {}}),
		`connection.With("l", …) cannot be compared`:  connection.With("l", []any{func() {}}),
		`connection.With("s", …) cannot be compared`:  connection.With("s", []secrets.Secret{secrets.NewSecret("hunter2")}),
		`connection.With("p", …) cannot be compared`:  connection.With("p", config{secrets.NewSecret("hunter2")}),
		`connection.WithTransient cannot be compared`: connection.WithTransient(func(error) bool { return true }),
		`connection.WithEnviron cannot be compared`:   connection.WithEnviron(environ()),
	} {
		_, err := connection.Get[*client](t.Context(), r, "a", option)
		wantErrorText(t, err, `connection "a": get: `, text)
		if c, err := connection.Open(t.Context(), "a", src.connect, connection.In(r), option); err != nil {
			t.Errorf("Open refuses %v: %v", option, err)
		} else if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	wantErrorText(t, asked(t, r, "a", []connection.Option{connection.With("", 1)}, func(*connection.Params) error { return nil }), "connection.With needs the name of a parameter")
}

func TestGetSharesOneClientAndItsWrapper(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	type wrapper struct{ connection.Connection[*client] }
	wrapped := 0
	kind := connection.Kind[*client, *wrapper]{Name: "src", Connect: src.connect, Wrap: func(c connection.Connection[*client]) *wrapper {
		wrapped++
		return &wrapper{c}
	}}
	a, err := kind.Get(t.Context(), "a", connection.In(r))
	if err != nil {
		t.Fatal(err)
	}
	b, err := kind.Get(t.Context(), "a", connection.In(r))
	if err != nil || a != b || wrapped != 1 {
		t.Errorf("got %p and %p, %v; wrapped %d times", a, b, err, wrapped)
	}
	if raw(t, a) != raw(t, b) || src.connects.Load() != 1 {
		t.Errorf("%d connects", src.connects.Load())
	}
	opened, err := kind.Open(t.Context(), "a", connection.In(r))
	if err != nil || opened == a {
		t.Errorf("Open shares, %v", err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Raw(t.Context()); err != nil {
		t.Errorf("closing what Open gave closed what Get shares: %v", err)
	}
}

func TestTwoRegistriesDoNotShare(t *testing.T) {
	t.Parallel()
	src := new(source)
	one, two := shop(t, src), shop(t, src)
	if get[*client](t, one, "a") == get[*client](t, two, "a") {
		t.Error("two registries share")
	}
	kind := connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: src.connect}
	a, _ := kind.Get(t.Context(), "a", connection.In(one))
	b, _ := kind.Get(t.Context(), "a", connection.In(two))
	c, _ := kind.Get(t.Context(), "a", connection.In(two), connection.In(one)) // the later
	if a == nil || b == nil || a == b || a != c {
		t.Errorf("two registries share a kind: %v %v %v", a, b, c)
	}
}

// Without a registry, and with a nil one, that of the process is meant.
func TestDefaultRegistry(t *testing.T) {
	t.Parallel()
	src := new(source)
	name := t.Name()
	kind := connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: src.connect}
	none := connection.WithSecrets(secrets.Of(nil))
	a, err := kind.Get(t.Context(), name, none)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	b, err := kind.Get(t.Context(), name, none, connection.In(nil))
	if err != nil || a != b {
		t.Errorf("In(nil) is not the process's registry: %v", err)
	}
	if c, err := kind.Get(t.Context(), name, none, connection.In(connection.Default)); err != nil || a != c {
		t.Errorf("In(Default) is not the process's registry: %v", err)
	}
	_, err = connection.Get[*client](t.Context(), nil, name, none)
	wantErrorText(t, err, "has no type, and no kind is registered")
}

func TestCloseTakesASharedConnectionOut(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	a := get[*client](t, r, "a")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := a.Raw(t.Context())
	wantErrorIs(t, err, connection.ErrClosed)
	b := get[*client](t, r, "a")
	if a == b {
		t.Fatal("Get gave a closed connection")
	}
	if err := a.Close(); err != nil { // closing it again does nothing to its successor
		t.Fatal(err)
	}
	if get[*client](t, r, "a") != b {
		t.Error("a second Close took the successor out")
	}
	other := get[*client](t, r, "b")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []connection.Connection[*client]{b, other} {
		_, err := c.Raw(t.Context())
		wantErrorIs(t, err, connection.ErrClosed)
	}
	src.check(t)
	if c := get[*client](t, r, "a"); c == b || raw(t, c) == nil { // a closed registry can be used again
		t.Error("not opened anew")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	src.check(t)
}

// What the caller does with a table after giving it is no concern of the connection.
func TestOptionsAreCopied(t *testing.T) {
	t.Parallel()
	src := new(source)
	seen := make(chan any, 2)
	src.dial = func(_ context.Context, p *connection.Params) error {
		table, err := p.Table("t")
		seen <- table["k"]
		return err
	}
	r := shop(t, src)
	table := map[string]any{"k": "before"}
	c := get[*client](t, r, "a", connection.With("t", table))
	table["k"] = "after"
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	raw(t, c)
	if a, b := <-seen, <-seen; a != "before" || b != "before" {
		t.Errorf("saw %v, then %v", a, b)
	}
}

func TestConcurrentGetsOpenOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		src := &source{dial: func(context.Context, *connection.Params) error { <-gate; return nil }}
		r := shop(t, src)
		results := make(chan connection.Connection[*client], 100)
		for range cap(results) {
			go func() {
				c, err := connection.Get[*client](context.Background(), r, "a")
				if err != nil {
					t.Error(err)
				}
				results <- c
			}()
		}
		synctest.Wait()
		impatient, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("had enough"))
		_, err := connection.Get[*client](impatient, r, "a")
		wantErrorIs(t, err, context.Canceled)
		wantErrorText(t, err, "had enough")
		close(gate)
		first := <-results
		for range cap(results) - 1 {
			if c := <-results; c != first {
				t.Error("two connections")
			}
		}
		if n := src.connects.Load(); n != 1 {
			t.Errorf("%d connects", n)
		}
	})
}

// A failed open answers all who wait for it, and is not remembered.
func TestFailedGetAnswersAllAndIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate, refused := make(chan struct{}), errors.New("refused")
		src := &source{dial: func(context.Context, *connection.Params) error { <-gate; return refused }}
		r := shop(t, src)
		results := make(chan error, 50)
		for range cap(results) {
			go func() {
				_, err := connection.Get[*client](context.Background(), r, "a")
				results <- err
			}()
		}
		synctest.Wait()
		close(gate)
		for range cap(results) {
			wantErrorIs(t, <-results, refused)
		}
		if n := src.connects.Load(); n != 1 {
			t.Errorf("%d connects", n)
		}
		src.dial = nil
		get[*client](t, r, "a")
	})
}

// Whoever waits for an open goes on when the one who opens has given up.
func TestGetOutlivesItsOpener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.dial = func(ctx context.Context, _ *connection.Params) error {
			if src.connects.Load() > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		r := shop(t, src)
		ctx, cancel := context.WithCancel(context.Background())
		opener, waiter := make(chan error), make(chan error)
		go func() { _, err := connection.Get[*client](ctx, r, "a"); opener <- err }()
		synctest.Wait()
		go func() { _, err := connection.Get[*client](context.Background(), r, "a"); waiter <- err }()
		synctest.Wait()
		cancel()
		wantErrorIs(t, <-opener, context.Canceled)
		if err := <-waiter; err != nil {
			t.Errorf("the waiter got %v", err)
		}
	})
}

func TestPanicInGetIsNoHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		src := &source{dial: func(context.Context, *connection.Params) error { <-gate; panic("hunter2") }}
		r := shop(t, src)
		var panics sync.WaitGroup
		panics.Go(func() {
			defer func() {
				if recover() != "hunter2" {
					t.Error("the opener does not get the panic itself")
				}
			}()
			_, _ = connection.Get[*client](context.Background(), r, "a")
		})
		synctest.Wait()
		waiter := make(chan error)
		go func() { _, err := connection.Get[*client](context.Background(), r, "a"); waiter <- err }()
		synctest.Wait()
		close(gate)
		err := <-waiter
		if _, ok := errors.AsType[*connection.PanicError](err); !ok {
			t.Errorf("the waiter got %v", err)
		}
		if _, ok := errors.AsType[*connection.Error](err); !ok {
			t.Errorf("%T is no *connection.Error", err)
		}
		panics.Wait()
		src.dial = nil
		get[*client](t, r, "a")
	})
}

func namedA() (connection.Factory[any], any) {
	type Client struct{ _ int }
	return func(context.Context, *connection.Params) (any, error) { return &Client{}, nil }, Client{}
}

func namedB() (connection.Factory[any], any) {
	type Client struct{ _ string }
	return func(context.Context, *connection.Params) (any, error) { return &Client{}, nil }, Client{}
}

// Streamlit shares by the bare name of a class, so that one class's connection is handed out for
// another's. Here a kind is told apart by what it is.
func TestDefect01_TypesOfOneNameDoNotShare(t *testing.T) {
	t.Parallel()
	connectA, a := namedA()
	connectB, b := namedB()
	if fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) {
		t.Fatal("the test needs two types of one name")
	}
	r := world(t, nil)
	kindA := &connection.Kind[any, connection.Connection[any]]{Name: "kind", Connect: connectA}
	kindB := &connection.Kind[any, connection.Connection[any]]{Name: "kind", Connect: connectB}
	ca, err := kindA.Get(t.Context(), "x", connection.In(r))
	if err != nil {
		t.Fatal(err)
	}
	cb, err := kindB.Get(t.Context(), "x", connection.In(r))
	if err != nil {
		t.Fatal(err)
	}
	if ca == cb {
		t.Error("two kinds of one name share a connection")
	}
	if ta, tb := fmt.Sprintf("%+v", raw(t, ca)), fmt.Sprintf("%+v", raw(t, cb)); ta == tb {
		t.Errorf("both got %s", ta)
	}
}

// The same for kinds of a registry: whoever asks for another type of that name gets an error, and
// not what is shared already.
func TestDefect01_RegisteredTypesOfOneNameDoNotShare(t *testing.T) {
	t.Parallel()
	r := world(t, nil)
	func() {
		type Client struct{ _ int }
		connection.Register(r, "kind", func(context.Context, *connection.Params) (*Client, error) { return new(Client), nil })
		if get[*Client](t, r, "kind") != get[*Client](t, r, "kind") {
			t.Error("not shared with itself")
		}
	}()
	func() {
		type Client struct{ _ string }
		_, err := connection.Get[*Client](t.Context(), r, "kind")
		wantErrorText(t, err, `type "kind" makes a connection.Connection[*connection_test.Client]`)
	}()
}

// In Streamlit a=1, b=2 and b=2, a=1 are two connections.
func TestDefect01_OrderOfOptionsDoesNotCount(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	a := get[*client](t, r, "a", connection.With("a", 1), connection.With("b", 2))
	b := get[*client](t, r, "a", connection.With("b", 2), connection.With("a", 1))
	if a != b || src.connects.Load() != 1 {
		t.Errorf("two connections, %d connects", src.connects.Load())
	}
}

// In Streamlit ttl=10, ttl=10.0 and ttl=timedelta(seconds=10) are three connections.
func TestDefect01_OneTTLInDifferentFormsShares(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	first := get[*client](t, r, "a", connection.With("ttl", 10))
	for _, ttl := range []any{10, int64(10), 10.0, "10s", 10 * time.Second} {
		if get[*client](t, r, "a", connection.With("ttl", ttl)) != first {
			t.Errorf("%T(%v) is another connection", ttl, ttl)
		}
	}
	if get[*client](t, r, "a", connection.With("ttl", "11s")) == first {
		t.Error("11 s is the same as 10 s")
	}
	age := get[*client](t, r, "a", connection.WithMaxAge(10*time.Second))
	if get[*client](t, r, "a", connection.WithMaxAge(10_000*time.Millisecond)) != age {
		t.Error("10 s and 10,000 ms of age are two connections")
	}
}

// In Streamlit max_entries is one bound over all names, and what it evicts is gone. Here it
// resets: everybody keeps what they have, and it connects again.
func TestDefect19_BoundResetsAndNeverCloses(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := shop(t, src)
	r.MaxConnected = 2
	names := []string{"a", "b", "c", "d"}
	var all []connection.Connection[*client]
	for _, name := range names {
		all = append(all, get[*client](t, r, name, connection.WithType("src")))
	}
	connected := func() (n int) {
		for _, c := range all {
			if connection.Stats(c).Connected {
				n++
			}
		}
		return n
	}
	if n := connected(); n != 2 {
		t.Errorf("%d connected, want 2", n)
	}
	if s := connection.Stats(all[0]); s.Connected || s.Resets != 1 {
		t.Errorf("the one that has gone unused for longest: %+v", s)
	}
	for i, name := range names {
		if get[*client](t, r, name, connection.WithType("src")) != all[i] {
			t.Errorf("%s was taken out", name)
		}
		if raw(t, all[i]).closed.Load() {
			t.Errorf("%s has a closed client", name)
		}
		if n := connected(); n > 2 {
			t.Errorf("%d connected, want 2", n)
		}
	}
	// What somebody holds stays open until they give it back.
	err := connection.Do(t.Context(), all[0], func(held *client) error {
		return held.use(func() {
			for _, c := range all[1:] {
				raw(t, c)
			}
			if connection.Stats(all[0]).Connected {
				t.Error("the test wants it to be reset meanwhile")
			}
		})
	})
	if err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	src.check(t)
}

// Two that open at once do not see each other in the registry when they connect.
func TestBoundCountsThoseWhoOpenedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := world(t, nil)
		r.MaxConnected = 1
		kind := &connection.Kind[*client, connection.Connection[*client]]{
			Name: "src", Connect: new(source).connect,
			Wrap: func(c connection.Connection[*client]) connection.Connection[*client] { <-gate; return c }, // connected, not yet shared
		}
		var wg sync.WaitGroup
		all := make([]connection.Connection[*client], 4)
		for i := range all {
			wg.Go(func() { all[i], _ = kind.Get(context.Background(), fmt.Sprint(i), connection.In(r)) })
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		n := 0
		for _, c := range all {
			if connection.Stats(c).Connected {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d connected, want 1", n)
		}
	})
}

// Two that connect at once do not exceed the bound together, nor throw each other out.
func TestBoundUnderConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		src := &source{dial: func(context.Context, *connection.Params) error { <-gate; return nil }}
		r := shop(t, src)
		r.MaxConnected = 1
		var wg sync.WaitGroup
		all := make([]connection.Connection[*client], 8)
		for i := range all {
			wg.Go(func() { all[i] = get[*client](t, r, fmt.Sprint(i), connection.WithType("src")) })
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		check := func() {
			t.Helper()
			n := 0
			for _, c := range all {
				if connection.Stats(c).Connected {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d connected, want 1", n)
			}
		}
		check()
		for _, c := range all {
			wg.Go(func() { raw(t, c) })
		}
		wg.Wait()
		check()
	})
}

// A bound does not lose data: in-memory databases are spared, others go in their place.
func TestBoundSparesWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	src := new(source)
	src.dial = func(_ context.Context, p *connection.Params) error {
		if p.Name() == "memory" {
			p.Ephemeral()
		}
		return nil
	}
	r := shop(t, src)
	r.MaxConnected = 2
	memory, a, b := get[*client](t, r, "memory", connection.WithType("src")), get[*client](t, r, "a"), get[*client](t, r, "b")
	if !connection.Stats(memory).Connected || connection.Stats(a).Connected || !connection.Stats(b).Connected {
		t.Errorf("connected: memory %t, a %t, b %t", connection.Stats(memory).Connected, connection.Stats(a).Connected, connection.Stats(b).Connected)
	}
}

// The registry given to Get is the one whose environment counts, as it is with In.
func TestGetUsesItsRegistrysEnvironment(t *testing.T) {
	t.Parallel()
	r := &connection.Registry{Secrets: secrets.Of(nil), Environ: environ("DB_NAME=pets", "DB_HOST=pg")}
	t.Cleanup(func() { _ = r.Close() })
	connection.Register(r, "pets", func(_ context.Context, p *connection.Params) (*string, error) {
		host, err := p.String("host", "DB_HOST")
		return &host, err
	})
	other := &connection.Registry{Secrets: secrets.Of(nil), Environ: environ("DB_HOST=other")}
	for _, opts := range [][]connection.Option{nil, {connection.In(other)}} {
		c, err := connection.Get[*string](t.Context(), r, "env:DB_NAME", opts...)
		if err != nil {
			t.Fatal(err)
		}
		if host, err := c.Raw(t.Context()); err != nil || *host != "pg" {
			t.Errorf("got %v, %v", host, err)
		}
	}
}

func TestRefsAreToldApartByWhatTheyPointTo(t *testing.T) {
	t.Parallel()
	type settings struct{ First int }
	reg := &connection.Registry{Secrets: secrets.Of(nil)}
	defer reg.Close()
	connection.Register(reg, "fake", func(context.Context, *connection.Params) (string, error) { return "client", nil })
	get := func(v any) connection.Connection[string] {
		t.Helper()
		c, err := connection.Get[string](t.Context(), reg, "src", connection.WithType("fake"), connection.With("settings", connection.RefTo(v)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, other := &settings{1}, &settings{1}
	if get(one) != get(one) {
		t.Error("one pointer gave two connections")
	}
	if get(one) == get(other) {
		t.Error("two pointers gave one connection")
	}
	if get(one) == get(&one.First) {
		t.Error("a struct and its first field gave one connection")
	}
	for _, v := range []any{nil, 1, (*settings)(nil)} {
		if _, err := connection.Get[string](t.Context(), reg, "src", connection.WithType("fake"), connection.With("settings", connection.RefTo(v))); err == nil {
			t.Errorf("a Ref to %v was compared", v)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", connection.RefTo(one), connection.RefTo(one), connection.Ref{}); strings.Contains(text, "First") {
		t.Errorf("a Ref prints as %s", text)
	}
}
