package connection_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// as makes a client that speaks for somebody.
func as(who string) func(*client) *client {
	return func(c *client) *client { return &client{of: c.of, number: c.number, host: who + "@" + c.host} }
}

func TestViewHandsOutWhatDeriveMakes(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	derived := 0
	view := connection.Scoped(c, "ann", func(c *client) *client { derived++; return as("ann")(c) })
	if view.Name() != "x" {
		t.Errorf("name %q", view.Name())
	}
	check := func(want string) {
		t.Helper()
		if host := raw(t, view).host; host != want {
			t.Errorf("Raw gives %q, want %q", host, want)
		}
		for name, lend := range map[string]func(context.Context, connection.Connection[*client], func(*client) error) error{"Do": connection.Do[*client], "Write": connection.Write[*client]} {
			if err := lend(t.Context(), view, func(c *client) error {
				if c.host != want {
					t.Errorf("%s lends %q, want %q", name, c.host, want)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
		loads := 0
		if host := read(t, view, "k", &loads); host != want || loads != 1 {
			t.Errorf("Read gives %q in %d loads, want %q", host, loads, want)
		}
	}
	check("ann@localhost")
	if derived != 1 {
		t.Errorf("derived %d times from one client", derived)
	}
	if err := view.Reset(); err != nil { // resets the connection
		t.Fatal(err)
	}
	connection.Clear(view)
	check("ann@localhost")
	if n := src.connects.Load(); derived != 2 || n != 2 {
		t.Errorf("derived %d times from %d clients", derived, n)
	}
	inner := connection.Scoped(view, "device", as("device"))
	if host := raw(t, inner).host; host != "device@ann@localhost" {
		t.Errorf("a view of a view gives %q", host)
	}
}

// Identities never share what they have read, and equal ones do.
func TestIdentitiesNeverShareReads(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	ann, bob := connection.Scoped(c, "ann", as("ann")), connection.Scoped(c, "bob", as("bob"))
	annB := connection.Scoped(ann, "b", as("b"))
	for _, test := range []struct {
		name string
		c    connection.Connection[*client]
		want string
		load bool
	}{
		{"the connection", c, "localhost", true},
		{"ann", ann, "ann@localhost", true},
		{"bob", bob, "bob@localhost", true},
		{"ann's b", annB, "b@ann@localhost", true},
		{"annb", connection.Scoped(c, "annb", as("annb")), "annb@localhost", true},
		{"b", connection.Scoped(c, "b", as("b")), "b@localhost", true},
		{"b's ann", connection.Scoped(connection.Scoped(c, "b", as("b")), "ann", as("ann")), "ann@b@localhost", true},
		{"the connection again", c, "localhost", false},
		{"ann again", connection.Scoped(c, "ann", as("ann")), "ann@localhost", false},
		{"ann's b again", connection.Scoped(connection.Scoped(c, "ann", as("ann")), "b", as("b")), "b@ann@localhost", false},
	} {
		loads := 0
		if got := read(t, test.c, "k", &loads); got != test.want || (loads == 1) != test.load {
			t.Errorf("%s: %q in %d loads, want %q", test.name, got, loads, test.want)
		}
	}

	connection.Clear(ann) // ends ann's, and nobody else's
	for name, want := range map[string]int{"ann": 1, "bob": 0} {
		loads := 0
		if read(t, connection.Scoped(c, name, as(name)), "k", &loads); loads != want {
			t.Errorf("after Clear of ann: %d loads of %s", loads, name)
		}
	}
	if err := connection.Write(t.Context(), bob, func(*client) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []connection.Connection[*client]{c, ann, bob, annB} { // ends everybody's
		loads := 0
		if read(t, c, "k", &loads); loads != 1 {
			t.Errorf("after a Write of bob: %d loads", loads)
		}
	}
}

// An empty identity would make no difference: a program that has lost its user must not get what
// the connection itself has read.
func TestEmptyIdentityIsRefused(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	for _, who := range []connection.Connection[*client]{c, connection.Scoped(c, "ann", as("ann"))} {
		read(t, who, "k", new(int)) // so that there is something to find
	}
	nobody := connection.Scoped(c, "", as("nobody"))
	for name, view := range map[string]connection.Connection[*client]{
		"empty": nobody, "a view of it": connection.Scoped(nobody, "ann", as("ann")), "embedded": struct{ connection.Connection[*client] }{nobody},
	} {
		const text = "a view of the connection was made for an empty identity"
		_, err := view.Raw(t.Context())
		wantErrorText(t, err, `connection "x": connect: `, text)
		wantErrorText(t, connection.Ping(t.Context(), view), text)
		lent := func(*client) error { t.Errorf("%s: lent", name); return nil }
		wantErrorText(t, connection.Do(t.Context(), view, lent), text)
		wantErrorText(t, connection.Write(t.Context(), view, lent), text)
		for _, ttl := range []time.Duration{cacheForever, 0} {
			v, err := connection.Read(t.Context(), view, "k", ttl, func(context.Context, *client) (string, error) { t.Errorf("%s: loaded", name); return "", nil })
			wantErrorText(t, err, text)
			if v != "" {
				t.Errorf("%s: read %q, which is the connection's own", name, v)
			}
		}
		if v, ok := connection.Lookup[string](view, "k", nil, &cache.Policy{TTL: cacheForever}); ok {
			t.Errorf("%s: found %q, which is the connection's own", name, v)
		}
		connection.Clear(view)
		connection.ClearText(view, "k", nil)
	}
	if read(t, connection.Scoped(c, "ann", as("ann")), "k", new(int)) != "ann@localhost" {
		t.Error("a view of nobody has read for ann")
	}
}

func TestClosingAViewEndsNothingElse(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	ann, twin := connection.Scoped(c, "ann", as("ann")), connection.Scoped(c, "ann", as("ann"))
	inner := connection.Scoped(ann, "device", as("device"))
	loads := 0
	for _, c := range []connection.Connection[*client]{c, ann, inner} {
		read(t, c, "k", &loads)
	}
	if err := errors.Join(ann.Close(), ann.Close()); err != nil {
		t.Fatal(err)
	}
	for _, closed := range []connection.Connection[*client]{ann, inner} {
		_, err := closed.Raw(t.Context())
		wantErrorIs(t, err, connection.ErrClosed)
		wantErrorIs(t, closed.Reset(), connection.ErrClosed)
		v, err := connection.Read(t.Context(), closed, "k", cacheForever, func(context.Context, *client) (string, error) { return "", nil })
		wantErrorIs(t, err, connection.ErrClosed)
		if _, ok := connection.Lookup[string](closed, "k", nil, &cache.Policy{TTL: cacheForever}); ok || v != "" {
			t.Error("a closed view finds what it has read")
		}
	}
	loads = 0
	for _, open := range []connection.Connection[*client]{c, twin} {
		raw(t, open)
		if read(t, open, "k", &loads); loads != 0 {
			t.Error("closing a view ended the reads of others")
		}
	}
	if src.closes.Load() != 0 {
		t.Error("closing a view closed the client")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := twin.Raw(t.Context())
	wantErrorIs(t, err, connection.ErrClosed)
	if _, ok := connection.Lookup[string](twin, "k", nil, &cache.Policy{TTL: cacheForever}); ok {
		t.Error("a view outlives its connection")
	}
	src.check(t)
}

func TestDerivePanics(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	view := connection.Scoped(c, "ann", func(*client) *client { panic("boom") })
	for range 2 {
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("no panic")
				}
			}()
			_, _ = view.Raw(t.Context())
		}()
	}
	if err := c.Close(); err != nil { // the lease came back
		t.Fatal(err)
	}
	src.check(t)
}

func TestClosingAViewEndsItsRefreshes(t *testing.T) {
	t.Parallel()
	c := connection.Of("x", new(int))
	t.Cleanup(func() { _ = c.Close() })
	view := connection.Scoped(c, "ann", func(n *int) *int { return n })
	policy := cache.Policy{TTL: 1, Stale: time.Hour} // which expires at once
	refreshing, ended := make(chan struct{}), make(chan struct{})
	for i := range 2 {
		_, err := connection.Load(t.Context(), view, connection.Key("k"), policy, func(ctx context.Context, _ *int) (int, error) {
			if i == 1 {
				close(refreshing)
				<-ctx.Done()
				close(ended)
			}
			return 0, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	<-refreshing
	// A Reset makes the view look at the parameters again; the refresh is its own all the same.
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Read(t.Context(), view, "other", cacheForever, func(context.Context, *int) (int, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the refresh of a closed view goes on")
	}
}
