package connection_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// outside is what the tiers of several processes share.
type outside struct {
	mu      sync.Mutex
	results map[string][]byte
	epochs  map[string]int
	tiers   []*tier
}

// tier is one process's.
type tier struct {
	*outside
	follow map[string]*cache.Epoch
}

func (o *outside) tier() *tier {
	t := &tier{o, make(map[string]*cache.Epoch)}
	o.tiers = append(o.tiers, t)
	return t
}

func newOutside() *outside {
	return &outside{results: make(map[string][]byte), epochs: make(map[string]int)}
}

func (t *tier) Mark(parts ...[]byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", parts)))
}

func (t *tier) Epoch(mark string) *cache.Epoch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epochLocked(mark)
}

func (t *tier) epochLocked(mark string) *cache.Epoch {
	if t.follow[mark] == nil {
		t.follow[mark] = new(cache.Epoch)
	}
	return t.follow[mark]
}

func (t *tier) End(mark string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epochs[mark]++
	for _, other := range t.tiers {
		other.epochLocked(mark).Bump()
	}
}

func (t *tier) Find(_ context.Context, q cache.TierQuery, into any) cache.TierAnswer {
	t.mu.Lock()
	defer t.mu.Unlock()
	answer := cache.TierAnswer{Life: time.Minute, Watched: true}
	if q.Key == nil {
		return answer
	}
	name := fmt.Sprintf("%s %x %x", q.Scope, q.Shape, q.Key)
	for _, mark := range q.Epochs {
		name += fmt.Sprint(" ", t.epochs[mark])
	}
	if text, ok := t.results[name]; ok {
		answer.Found, answer.Left = json.Unmarshal(text, into) == nil, time.Minute
		return answer
	}
	answer.Turn = &turn{t.outside, name}
	return answer
}

type turn struct {
	*outside
	name string
}

func (t *turn) Store(_ context.Context, value any, _ time.Duration, _ time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results[t.name], _ = json.Marshal(value)
}

func (t *turn) Drop(context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.results, t.name)
}

func (*turn) End() {}

// process opens the connection "pets" in a process of its own, which has a tier.
func (o *outside) process(t *testing.T, opts ...connection.Option) connection.Connection[*client] {
	t.Helper()
	return open(t, world(t, nil), "pets", new(source).connect, append(opts, connection.WithSharedCache(o.tier()))...)
}

// loads counts how many reads of the key it takes to get one that is not from a cache.
func loaded(t *testing.T, c connection.Connection[*client]) bool {
	t.Helper()
	loads := 0
	read(t, c, "k", &loads)
	return loads > 0
}

func TestProcessesShareReads(t *testing.T) {
	t.Parallel()
	o := newOutside()
	host := connection.With("host", "db1")
	a, b := o.process(t, host), o.process(t, host)
	if !loaded(t, a) || loaded(t, b) {
		t.Error("the second process has loaded, too")
	}
	if n := connection.Stats(b).Cache.TierHits; n != 1 {
		t.Errorf("%d hits in the tier", n)
	}
	write(t, a)
	if !loaded(t, b) || loaded(t, a) {
		t.Error("the write of one has not ended the other's reads, or what that loads is not shared")
	}
	connection.Clear(b)
	if !loaded(t, a) || loaded(t, b) {
		t.Error("Clear has not ended the other's reads")
	}
	connection.ClearText(b, "k", nil)
	if !loaded(t, a) || loaded(t, b) {
		t.Error("ClearText has not ended the other's reads")
	}
}

func write(t *testing.T, c connection.Connection[*client]) {
	t.Helper()
	if err := connection.Write(t.Context(), c, func(*client) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestDatabasesUnderOneNameShareNothing(t *testing.T) {
	t.Parallel()
	o := newOutside()
	a, b := o.process(t, connection.With("host", "db1")), o.process(t, connection.With("host", "db2"))
	if !loaded(t, a) || !loaded(t, b) {
		t.Error("one got what was read from the other")
	}
	// But they may be one database after all.
	write(t, a)
	if !loaded(t, b) {
		t.Error("the write through one has not ended the other's reads")
	}
}

func TestIdentitiesShareNothing(t *testing.T) {
	t.Parallel()
	o := newOutside()
	host := connection.With("host", "db1")
	a, b := o.process(t, host), o.process(t, host)
	ann, annThere := connection.Scoped(a, "ann", as("ann")), connection.Scoped(b, "ann", as("ann"))
	bob, device := connection.Scoped(b, "bob", as("bob")), connection.Scoped(annThere, "device", as("device"))
	if !loaded(t, a) || !loaded(t, ann) || !loaded(t, bob) || !loaded(t, device) {
		t.Error("one got what was read for another")
	}
	if loaded(t, annThere) || loaded(t, b) {
		t.Error("one identity's reads are not shared")
	}
	connection.Clear(annThere)
	if !loaded(t, ann) {
		t.Error("what ended for an identity is served in another process")
	}
	if loaded(t, bob) || loaded(t, a) || loaded(t, device) {
		t.Error("what was read for others has ended as well")
	}
	write(t, bob)
	if !loaded(t, ann) || !loaded(t, a) || !loaded(t, device) {
		t.Error("a write has not ended everybody's reads")
	}
}

func TestReadsThatOthersCannotTellApartStayInTheProcess(t *testing.T) {
	t.Parallel()
	for name, connect := range map[string]connection.Factory[*client]{
		"no parameter": func(context.Context, *connection.Params) (*client, error) { return &client{of: new(source)}, nil },
		"none that is there": func(_ context.Context, p *connection.Params) (*client, error) {
			p.Lookup("elsewhere", "ELSEWHERE")
			return &client{of: new(source)}, nil
		},
		"a function": func(_ context.Context, p *connection.Params) (*client, error) {
			p.Lookup("host")
			p.Lookup("function")
			return &client{of: new(source)}, nil
		},
		"of this process": func(_ context.Context, p *connection.Params) (*client, error) {
			p.Lookup("host")
			p.Ephemeral()
			return &client{of: new(source)}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutside()
			var log bytes.Buffer
			opts := []connection.Option{
				connection.With("host", "db1"), connection.With("function", func() {}), connection.With("ttl", 60),
				connection.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
			}
			here := func() connection.Connection[*client] {
				return open(t, world(t, nil), "pets", connect, append(opts, connection.WithSharedCache(o.tier()))...)
			}
			a, b := here(), here()
			if !loaded(t, a) || !loaded(t, b) || loaded(t, b) {
				t.Error("reads are shared, or not cached at all")
			}
			if len(o.results) != 0 {
				t.Errorf("the tier holds %q", slices.Collect(maps.Keys(o.results)))
			}
			if n := bytes.Count(log.Bytes(), []byte("not shared with other processes")); n != 2 {
				t.Errorf("told %d times by two connections:\n%s", n, &log)
			}
			write(t, a)
			if !loaded(t, b) {
				t.Error("the write of one has not ended the other's reads")
			}
		})
	}
}

func TestTierBelongsToTheOptionsOfASharedConnection(t *testing.T) {
	t.Parallel()
	o := newOutside()
	r := world(t, map[string]any{"connections": map[string]any{"pets": map[string]any{"host": "db1"}}})
	kind := &connection.Kind[*client, connection.Connection[*client]]{Name: "source", Connect: new(source).connect}
	one, other := o.tier(), o.tier()
	get := func(opts ...connection.Option) connection.Connection[*client] {
		c, err := kind.Get(t.Context(), "pets", append(opts, connection.In(r))...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := get(connection.WithSharedCache(one))
	if c != get(connection.WithSharedCache(one)) {
		t.Error("one tier, two connections")
	}
	if c == get(connection.WithSharedCache(other)) || c == get() {
		t.Error("another tier, or none, and the same connection")
	}
	if got := fmt.Sprintf("%v %+v %#v", connection.WithSharedCache(one), connection.WithSharedCache(one), connection.WithSharedCache(one)); got != "connection.WithSharedCache connection.WithSharedCache connection.WithSharedCache" {
		t.Error(got)
	}
	for _, nothing := range []cache.Tier{nil, (*tier)(nil)} {
		if none := get(connection.WithSharedCache(nothing)); !loaded(t, none) || loaded(t, none) {
			t.Error("a nil tier is not none")
		}
		connection.Clear(get(connection.WithSharedCache(nothing)))
	}
}

func TestChangedParametersAreOthersOutsideToo(t *testing.T) {
	t.Parallel()
	o := newOutside()
	values := func(host string) map[string]any {
		return map[string]any{"connections": map[string]any{"pets": map[string]any{"host": host}}}
	}
	r := world(t, values("db1"))
	c := open(t, r, "pets", new(source).connect, connection.WithSharedCache(o.tier()))
	if !loaded(t, c) {
		t.Fatal("nothing was loaded")
	}
	other := open(t, world(t, values("db2")), "pets", new(source).connect, connection.WithSharedCache(o.tier()))
	if !loaded(t, other) {
		t.Fatal("nothing was loaded")
	}
	// A Reset that leads to the same place keeps what is there.
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if loaded(t, c) {
		t.Error("a Reset has ended the reads")
	}
}
