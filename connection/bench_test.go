package connection_test

import (
	"context"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// gets are the ways to Get what is open already.
func gets(t testing.TB) map[string]func() {
	ctx := context.Background()
	r := &connection.Registry{Secrets: secrets.Of(section("x", map[string]any{"type": "src"})), Environ: environ("DB_CONN=x"), Logger: quiet}
	t.Cleanup(func() { _ = r.Close() })
	src := new(source)
	connection.Register(r, "src", src.connect)
	kind := &connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: src.connect}
	kept := []connection.Option{connection.In(r), connection.With("host", "h"), connection.With("password", secrets.NewSecret("p"))}
	must := func(_ connection.Connection[*client], err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[string]func(){
		"without options": func() { must(kind.Get(ctx, "x", connection.In(r))) },
		"with two options": func() {
			must(kind.Get(ctx, "x", connection.In(r), connection.With("host", "h"), connection.With("pool_size", 20)))
		},
		"with settings": func() {
			must(kind.Get(ctx, "x", connection.In(r), connection.WithStrict(), connection.WithDefaultTTL(time.Hour), connection.WithMaxAge(time.Hour)))
		},
		"with options kept":     func() { must(kind.Get(ctx, "x", kept...)) },
		"of a registered kind":  func() { must(connection.Get[*client](ctx, r, "x")) },
		"by env:":               func() { must(connection.Get[*client](ctx, r, "env:DB_CONN")) },
		"registered, an option": func() { must(connection.Get[*client](ctx, r, "x", connection.With("host", "h"))) },
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for name, get := range gets(t) {
		get() // opens it
		if n := testing.AllocsPerRun(1000, get); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestHitsOfLookupAllocateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	c := open(t, world(t, nil), "x", new(source).connect, connection.WithDefaultTTL(time.Hour))
	view := connection.Scoped(c, "ann", same)
	for name, c := range map[string]connection.Connection[*client]{"connection": c, "view": view} {
		loads := 0
		read(t, c, "k", &loads)
		p := cache.Policy{TTL: cache.Default, Shared: true}
		if n := testing.AllocsPerRun(1000, func() {
			if _, ok := connection.Lookup[string](c, "k", nil, &p); !ok {
				t.Fatal("no hit")
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Each way to Get what is open already, as a multiple of a Get of ristretto with a TTL, in one run.
func BenchmarkGet(b *testing.B) {
	c, err := ristretto.NewCache(&ristretto.Config[string, string]{NumCounters: 1e4, MaxCost: 1e3, BufferItems: 64})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	c.SetWithTTL("k", "v", 1, time.Hour)
	c.Wait()
	var bare float64
	b.Run("bare ristretto", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := c.Get("k"); !ok {
				b.Fatal("no hit")
			}
		}
		bare = perOp(b)
	})
	for name, get := range gets(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			get()
			for b.Loop() {
				get()
			}
			if bare > 0 {
				b.ReportMetric(perOp(b)/bare, "x-bare")
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	c, err := connection.Open(b.Context(), "x", new(source).connect,
		connection.In(&connection.Registry{Secrets: secrets.Of(nil), Logger: quiet}), connection.WithDefaultTTL(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	load := func(context.Context, *client) (string, error) { return "v", nil }
	read := func() (string, error) { return connection.Read(b.Context(), c, "k", cache.Default, load) }
	if _, err := read(); err != nil {
		b.Fatal(err)
	}
	b.Run("Lookup", func(b *testing.B) {
		b.ReportAllocs()
		p := cache.Policy{TTL: cache.Default}
		for b.Loop() {
			if _, ok := connection.Lookup[string](c, "k", nil, &p); !ok {
				b.Fatal("no hit")
			}
		}
	})
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := read(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func perOp(b *testing.B) float64 {
	b.Helper()
	return float64(b.Elapsed().Nanoseconds()) / float64(b.N)
}
