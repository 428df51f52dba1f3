package cases

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	gocache "github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/store"
	ristrettostore "github.com/eko/gocache/store/ristretto/v4"
	rediscache "github.com/go-redis/cache/v9"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
	_ "modernc.org/sqlite" // the database behind the cache

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/sqlconn"
)

var errMissed = errors.New("missed what was stored")

const ttl = time.Hour

// Names of sides.
const (
	bare    = "ristretto, bare `Get` with a TTL"
	shared  = "**ours**, `sqlconn.Query`, shared"
	copied  = "**ours**, `sqlconn.Query`, own copy"
	viaGet  = "**ours**, `cache.Get`, shared"
	clone   = "ristretto and `slices.Clone`"
	single  = "ristretto and `singleflight`"
	otters  = "otter v2, `Get` with a loader"
	goCache = "eko/gocache, `Loadable`"
	goRedis = "go-redis/cache, local tier"

	plainHit  = "**ours**, no arguments"
	argsHit   = "**ours**, an int and a text"
	paramsHit = "**ours**, `Params` of two"
)

// hits is a typed result that is in the cache.
func hits() Table {
	t := Table{
		ID: "hit", Title: "A hit, typed",
		Text: "The result of a query is in the cache, as a `[]Owner` of six fields. " +
			"What go-redis/cache hands out is decoded for each caller, and so its own, like our copy; all others hand out what is stored.",
	}
	for _, size := range []struct{ rows, keys int }{{10, 1024}, {1000, 64}, {100_000, 4}} {
		for _, procs := range []int{1, 2} {
			t.Cases = append(t.Cases, measure.Case{
				Name: fmt.Sprintf("%s, %d proc", rowsName(size.rows), procs), X: float64(size.rows), Procs: procs, CPU: true,
				Prepare: func(tb testing.TB) []measure.Side {
					tb.Helper()
					return append(peerHits(tb, size.rows, size.keys), ourHits(tb, size.rows, size.keys)...)
				},
			})
		}
	}
	return t
}

func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("select id, person, pet from owners_%04d", i)
	}
	return keys
}

// emptyOf is ristretto with room for n entries.
func emptyOf[T any](tb testing.TB, n int) *ristretto.Cache[string, T] {
	tb.Helper()
	c, err := ristretto.NewCache(&ristretto.Config[string, T]{
		NumCounters: 10 * int64(n), MaxCost: int64(n), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// bareOf is ristretto with an entry for each key, and room for twice as many.
func bareOf[T any](tb testing.TB, keys []string, value T) *ristretto.Cache[string, T] {
	tb.Helper()
	c := emptyOf[T](tb, 2*len(keys))
	for _, key := range keys {
		for !c.SetWithTTL(key, value, 1, ttl) {
			c.Wait()
		}
	}
	c.Wait()
	return c
}

func bareHit(tb testing.TB, keys []string) measure.Side {
	tb.Helper()
	c := bareOf(tb, keys, new(1))
	return measure.Side{Name: bare, Do: func(i int) error {
		if _, ok := c.Get(keys[i%len(keys)]); !ok {
			return errMissed
		}
		return nil
	}}
}

func peerHits(tb testing.TB, rows, n int) []measure.Side {
	tb.Helper()
	ctx, keys, value := context.Background(), keysOf(n), owners(rows)
	never := func(context.Context) ([]Owner, error) { return nil, errMissed }

	c := bareOf(tb, keys, value)
	var flight singleflight.Group
	one := func(i int) error {
		key := keys[i%n]
		if _, ok := c.Get(key); ok {
			return nil
		}
		_, err, _ := flight.Do(key, func() (any, error) { return never(ctx) })
		return err
	}
	cloned := func(i int) error {
		found, ok := c.Get(keys[i%n])
		if !ok {
			return errMissed
		}
		runtime.KeepAlive(slices.Clone(found))
		return nil
	}

	o := otter.Must(&otter.Options[string, []Owner]{MaximumSize: 2 * n, ExpiryCalculator: otter.ExpiryWriting[string, []Owner](ttl)})
	tb.Cleanup(func() { o.StopAllGoroutines() })
	for _, key := range keys {
		o.Set(key, value)
	}
	loader := otter.LoaderFunc[string, []Owner](func(ctx context.Context, _ string) ([]Owner, error) { return never(ctx) })

	g := gocache.NewLoadable(func(ctx context.Context, _ any) ([]Owner, []store.Option, error) {
		v, err := never(ctx)
		return v, nil, err
	}, gocache.New[[]Owner](ristrettostore.NewRistretto(bareOf(tb, keys, value))))
	tb.Cleanup(func() { _ = g.Close() })

	r := rediscache.New(&rediscache.Options{LocalCache: rediscache.NewTinyLFU(2*n, ttl)})
	for _, key := range keys {
		if err := r.Set(&rediscache.Item{Ctx: ctx, Key: key, Value: value, TTL: ttl}); err != nil {
			tb.Fatal(err)
		}
	}

	return []measure.Side{
		bareHit(tb, keys),
		{Name: single, Do: one},
		{Name: otters, Do: func(i int) error { _, err := o.Get(ctx, keys[i%n], loader); return err }},
		{Name: goCache, Do: func(i int) error { _, err := g.Get(ctx, keys[i%n]); return err }},
		{Name: clone, Do: cloned},
		{Name: goRedis, Do: func(i int) error {
			var into []Owner
			return r.Once(&rediscache.Item{Ctx: ctx, Key: keys[i%n], Value: &into, TTL: ttl, Do: func(*rediscache.Item) (any, error) { return never(ctx) }})
		}},
	}
}

func ourHits(tb testing.TB, rows, n int) []measure.Side {
	tb.Helper()
	ctx, texts := context.Background(), make([]string, n)
	own := cache.New(cache.Config{MaxBytes: 1 << 30})
	tb.Cleanup(func() { _ = own.Close() })

	scope := own.Scope("pets", nil)
	value := owners(rows)
	policy := cache.Policy{TTL: ttl, Shared: true}
	keys := make([]cache.Key, n)
	load := func(context.Context) ([]Owner, error) { return value, nil }
	conn := open(tb, "sqlite://", connection.WithCache(own), connection.WithDefaultTTL(ttl))
	fillSQL(tb, conn, rows)
	for i := range n {
		keys[i], texts[i] = cache.KeyOf(fmt.Sprintf("owners_%04d", i)), fmt.Sprintf("/* %04d */ %s", i, selectOwners(rows))
		if _, err := cache.Get(ctx, scope, keys[i], policy, load); err != nil {
			tb.Fatal(err)
		}
		if found, err := sqlconn.Query[Owner](ctx, conn, texts[i]); err != nil || len(found) != rows {
			tb.Fatal(len(found), err)
		}
	}
	reader := conn.WithShared()
	never := func(context.Context) ([]Owner, error) { return nil, errMissed }
	return []measure.Side{
		{Name: viaGet, Ours: true, Do: func(i int) error { _, err := cache.Get(ctx, scope, keys[i%n], policy, never); return err }},
		{Name: shared, Ours: true, Budget: measure.Budget{Times: 1.25, Allocs: measure.NoAllocs}, Do: func(i int) error {
			_, err := sqlconn.Query[Owner](ctx, reader, texts[i%n])
			return err
		}},
		{Name: copied, Ours: true, Do: func(i int) error { _, err := sqlconn.Query[Owner](ctx, conn, texts[i%n]); return err }},
	}
}

// arguments is what the arguments of a query, and finding the connection, add to a hit.
func arguments() Table {
	return Table{
		ID: "arguments", Title: "A hit with arguments, and `Get` of a connection",
		Text: "One row, shared. The arguments vary, so that nothing about them is constant but the text `'cat'`.",
		Cases: []measure.Case{{Name: "1 row, 1 proc", Procs: 1, CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			const n = 1024
			ctx := context.Background()
			reg := world()
			tb.Cleanup(func() { _ = reg.Close() })
			conn := open(tb, "sqlite://", connection.WithCache(newCache(tb, 1<<30)), connection.WithDefaultTTL(ttl))
			fillSQL(tb, conn, 1)
			reader := conn.WithShared()
			texts, byOne, byTwo := make([]string, n), make([]string, n), make([]string, n)
			for i := range n {
				texts[i] = fmt.Sprintf("/* %04d */ select count(*) from owners", i)
				byOne[i] = texts[i] + " where id = ? and pet = ?"
				byTwo[i] = texts[i] + " where id = :id and pet = :pet"
			}
			none := func(i int) error { _, err := sqlconn.Query[int](ctx, reader, texts[i%n]); return err }
			one := func(i int) error { _, err := sqlconn.QueryOne[int](ctx, reader, texts[i%n]); return err }
			two := func(i int) error { _, err := sqlconn.Query[int](ctx, reader, byOne[i%n], 1000+i%n, "cat"); return err }
			named := func(i int) error {
				_, err := sqlconn.Query[int](ctx, reader, byTwo[i%n], sqlconn.Params{"id": 1000 + i%n, "pet": "cat"})
				return err
			}
			for i := range n {
				if err := errors.Join(none(i), one(i), two(i), named(i)); err != nil {
					tb.Fatal(err)
				}
			}
			without := func(int) error {
				_, err := sqlconn.Get(ctx, "pets", connection.In(reg))
				return err
			}
			with := func(int) error {
				_, err := sqlconn.Get(ctx, "pets", connection.In(reg), connection.With("pool_size", 20))
				return err
			}
			budget := func(times float64, allocs int) measure.Budget { return measure.Budget{Times: times, Allocs: allocs} }
			return []measure.Side{
				bareHit(tb, keysOf(n)),
				{Name: plainHit, Ours: true, Do: none, Budget: budget(1.25, measure.NoAllocs)},
				{Name: "**ours**, no arguments, `QueryOne`", Ours: true, Do: one, Budget: budget(1.25, measure.NoAllocs)},
				{Name: argsHit, Ours: true, Do: two, Budget: budget(2.5, 1)},
				{Name: paramsHit, Ours: true, Do: named, Budget: budget(6, 3)},
				{Name: "**ours**, `sqlconn.Get`", Ours: true, Do: without, Budget: budget(1, measure.NoAllocs)},
				{Name: "**ours**, `sqlconn.Get` with two options", Ours: true, Do: with, Budget: budget(1, measure.NoAllocs)},
			}
		}}},
	}
}

func newCache(tb testing.TB, bytes int64) *cache.Cache {
	tb.Helper()
	c := cache.New(cache.Config{MaxBytes: bytes})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// copies is what it costs that a result is the caller's own.
func copies() Table {
	t := Table{
		ID: "copy", Title: "A hit that is the caller's own",
		Text: "Each against the copy that one writes by hand, after a shared hit.",
	}
	for _, n := range []int{1, 10, 100, 1000} {
		t.Cases = append(t.Cases, measure.Case{Name: rowsName(n), X: float64(n), Procs: 1, CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			ctx := context.Background()
			conn := open(tb, "sqlite://", connection.WithCache(newCache(tb, 64<<20)), connection.WithDefaultTTL(ttl))
			fillSQL(tb, conn, n)
			reader := conn.WithShared()
			flat, deep := selectOwners(n), selectNoted(n)
			return []measure.Side{
				{Name: "shared and `slices.Clone`", Do: func(int) error {
					found, err := sqlconn.Query[Owner](ctx, reader, flat)
					runtime.KeepAlive(slices.Clone(found))
					return err
				}},
				{Name: "**ours**, flat rows", Ours: true, Budget: measure.Budget{Times: 1.2}, Do: func(int) error {
					_, err := sqlconn.Query[Owner](ctx, conn, flat)
					return err
				}},
				{Name: "shared and cloned by hand, pointers and slices", Do: func(int) error {
					found, err := sqlconn.Query[Noted](ctx, reader, deep)
					runtime.KeepAlive(cloneNoted(found))
					return err
				}},
				{
					Name: "**ours**, rows with pointers and slices", Ours: true,
					Against: "shared and cloned by hand, pointers and slices", Budget: measure.Budget{Times: 2},
					Do: func(int) error {
						_, err := sqlconn.Query[Noted](ctx, conn, deep)
						return err
					},
				},
			}
		}})
	}
	return t
}
