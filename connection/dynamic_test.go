package connection_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// changing is a dynamic view of a connection to a text, as whoever is named last.
type changing struct {
	connection.Connection[string]
	now atomic.Pointer[connection.Connection[string]]
	err atomic.Pointer[error]
}

func newChanging(c connection.Connection[string]) *changing {
	v := new(changing)
	v.Connection = connection.Dynamic(c, func(context.Context) (connection.Connection[string], error) {
		if err := v.err.Load(); err != nil {
			return nil, *err
		}
		return *v.now.Load(), nil
	}, func() (connection.Connection[string], bool) {
		if v.err.Load() != nil {
			return *v.now.Load(), false
		}
		return *v.now.Load(), true
	})
	return v
}

func (v *changing) become(c connection.Connection[string], who string, end time.Time) {
	view := connection.ScopedUntil(c, who, end, func(client string) string { return client + " as " + who })
	v.now.Store(&view)
}

func asWho(t *testing.T, c connection.Connection[string], ttl time.Duration) (got string, loaded bool) {
	t.Helper()
	got, err := connection.Read(t.Context(), c, "who", ttl, func(_ context.Context, client string) (string, error) {
		loaded = true
		return client, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, loaded
}

func TestDynamicViewIsWhoeverItIsAtEachUse(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	defer c.Close()
	v, other := newChanging(c), newChanging(c)
	v.become(c, "ann", time.Time{})
	other.become(c, "bob", time.Time{})

	for _, want := range []struct {
		view   *changing
		who    string
		loaded bool
	}{
		{v, "client as ann", true},
		{v, "client as ann", false},
		{other, "client as bob", true},
		{v, "client as ann", false},
	} {
		if got, loaded := asWho(t, want.view, cache.Forever); got != want.who || loaded != want.loaded {
			t.Errorf("read %q (loaded: %t), want %q (%t)", got, loaded, want.who, want.loaded)
		}
	}
	if got, hit := connection.Lookup[string](v, "who", nil, &cache.Policy{TTL: cache.Forever}); hit && got != "client as ann" {
		t.Errorf("Lookup found %q", got)
	}

	v.become(c, "eve", time.Time{})
	if got, loaded := asWho(t, v, cache.Forever); got != "client as eve" || !loaded {
		t.Errorf("after a change read %q (loaded: %t)", got, loaded)
	}
	if raw, err := v.Raw(t.Context()); err != nil || raw != "client as eve" {
		t.Errorf("Raw gave %q, %v", raw, err)
	}
	if err := connection.Do(t.Context(), v, func(client string) error {
		if client != "client as eve" {
			t.Errorf("Do lent %q", client)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	connection.Clear(v)
	if _, loaded := asWho(t, v, cache.Forever); !loaded {
		t.Error("Clear left the reads of the identity as it is now")
	}
	if _, loaded := asWho(t, other, cache.Forever); loaded {
		t.Error("Clear of one view ended the reads of another identity")
	}
	connection.ClearText(other, "who", nil)
	if _, loaded := asWho(t, other, cache.Forever); !loaded {
		t.Error("ClearText did not find the read")
	}
}

// A view of a dynamic view is still somebody of its own: two users who share a tenant share nothing.
func TestScopedOfADynamicViewKeepsIdentitiesApart(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	defer c.Close()
	ann, bob := newChanging(c), newChanging(c)
	ann.become(c, "ann", time.Time{})
	bob.become(c, "bob", time.Time{})
	tenant := func(v *changing) connection.Connection[string] {
		return connection.Scoped(v, "tenant", func(client string) string { return client + " of tenant" })
	}
	a, b := tenant(ann), tenant(bob)
	if got, _ := asWho(t, a, cache.Forever); got != "client as ann of tenant" {
		t.Errorf("ann read %q", got)
	}
	if got, _ := asWho(t, b, cache.Forever); got != "client as bob of tenant" {
		t.Errorf("bob read %q", got)
	}
	if _, loaded := asWho(t, a, cache.Forever); loaded {
		t.Error("the second read of the same identity was loaded")
	}
	ann.become(c, "eve", time.Time{})
	if got, _ := asWho(t, a, cache.Forever); got != "client as eve of tenant" {
		t.Errorf("after the change read %q", got)
	}
	if err := connection.Do(t.Context(), connection.Scoped(ann, "", func(s string) string { return s }), func(string) error { return nil }); err == nil {
		t.Error("an empty identity is good for nothing, also on a dynamic view")
	}
}

func TestReadsOfAnIdentityEndWithIt(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	defer c.Close()
	gone := connection.ScopedUntil(c, "ann", time.Now().Add(-time.Second), func(s string) string { return s })
	for range 2 {
		if _, loaded := asWho(t, gone, cache.Forever); !loaded {
			t.Error("a read of an identity that has ended came from the cache")
		}
	}
	lasting := connection.ScopedUntil(c, "bob", time.Now().Add(time.Hour), func(s string) string { return s })
	inner := connection.ScopedUntil(lasting, "x", time.Time{}, func(s string) string { return s })
	asWho(t, inner, cache.Forever)
	if _, loaded := asWho(t, inner, cache.Forever); loaded {
		t.Error("an identity that lasts did not keep its read")
	}
}

func TestDynamicViewThatCannotBeAnybody(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	defer c.Close()
	v := newChanging(c)
	v.become(c, "ann", time.Time{})
	refused := errors.New("no token")
	v.err.Store(&refused)
	_, err := connection.Read(t.Context(), v, "who", cache.Forever, func(context.Context, string) (string, error) { return "", nil })
	if named, ok := errors.AsType[*connection.Error](err); !errors.Is(err, refused) || !ok || named.Name != "src" {
		t.Errorf("Read gave %v", err)
	}
	if _, err := v.Raw(t.Context()); !errors.Is(err, refused) {
		t.Errorf("Raw gave %v", err)
	}
	if _, hit := connection.Lookup[string](v, "who", nil, &cache.Policy{TTL: cache.Forever}); hit {
		t.Error("Lookup found something for nobody")
	}
	connection.Clear(v) // does nothing
	v.err.Store(nil)

	if err := v.Reset(); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if err := connection.Ping(t.Context(), v); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("a closed view gave %v", err)
	}
	if err := v.Reset(); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("Reset of a closed view gave %v", err)
	}
	if err := connection.Ping(t.Context(), c); err != nil {
		t.Errorf("closing a view closed the connection: %v", err)
	}
}

func TestLifetimeEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	view := connection.Scoped(c, "ann", func(s string) string { return s })
	life := connection.Lifetime(view)
	if err := view.Close(); err != nil || life.Err() != nil {
		t.Errorf("closing a view: %v, lifetime %v", err, life.Err())
	}
	if err := c.Reset(); err != nil || life.Err() != nil {
		t.Errorf("Reset: %v, lifetime %v", err, life.Err())
	}
	before := connection.Generation(c)
	if err := connection.Write(t.Context(), c, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if connection.Generation(c) != before {
		t.Error("a write has changed the generation")
	}
	connection.Clear(c)
	if connection.Generation(c) == before {
		t.Error("Clear has not changed the generation")
	}
	if err := c.Close(); err != nil || !errors.Is(context.Cause(life), connection.ErrClosed) {
		t.Errorf("Close: %v, lifetime %v", err, context.Cause(life))
	}
}
