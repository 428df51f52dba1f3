package cases

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/sqlconn"
)

// entries is a hit in ever larger caches.
func entries() Table {
	t := Table{
		ID: "entries", Title: "A hit, among more and more entries",
		Text: "Keys are hit in an order that no processor cache can foresee.",
	}
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		t.Cases = append(t.Cases, measure.Case{Name: number(n) + " entries", X: float64(n), Procs: 1, CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			ctx, keys := context.Background(), keysOf(n)
			at := func(i int) int { return int(uint32(i) * 2654435761 % uint32(n)) }
			r, o, s := bareOf(tb, keys, new(1)), otterOf(tb, keys), scopeOf(tb, keys)
			loader := otter.LoaderFunc[string, *int](func(context.Context, string) (*int, error) { return nil, errMissed })
			policy := &cache.Policy{TTL: ttl, Shared: true}
			return []measure.Side{
				{Name: bare, Do: func(i int) error {
					if _, ok := r.Get(keys[at(i)]); !ok {
						return errMissed
					}
					return nil
				}},
				{Name: otters, Do: func(i int) error { _, err := o.Get(ctx, keys[at(i)], loader); return err }},
				{Name: "**ours**, `cache.Lookup`, shared", Ours: true, Do: func(i int) error {
					if _, ok := cache.Lookup[*int](s, keys[at(i)], nil, policy); !ok {
						return errMissed
					}
					return nil
				}},
			}
		}})
	}
	return t
}

func otterOf(tb testing.TB, keys []string) *otter.Cache[string, *int] {
	tb.Helper()
	o := otter.Must(&otter.Options[string, *int]{MaximumSize: 2 * len(keys), ExpiryCalculator: otter.ExpiryWriting[string, *int](ttl)})
	tb.Cleanup(func() { o.StopAllGoroutines() })
	for _, key := range keys {
		o.Set(key, new(1))
	}
	return o
}

// scopeOf is ours with an entry for each key, in a cache with room for twice as much.
func scopeOf(tb testing.TB, keys []string) *cache.Scope {
	tb.Helper()
	s := newCache(tb, max(64<<20, int64(len(keys))*1000)).Scope("pets", nil)
	var failed atomic.Pointer[error]
	const loaders = 64 // each load waits for the engine, which takes many at a time
	together(loaders, func(g int) {
		for i := g; i < len(keys); i += loaders {
			if _, err := cache.Get(context.Background(), s, cache.MakeKey(keys[i], nil), cache.Policy{TTL: ttl, Shared: true},
				func(context.Context) (*int, error) { return new(1), nil }); err != nil {
				failed.Store(&err)
			}
		}
	})
	if err := failed.Load(); err != nil {
		tb.Fatal(*err)
	}
	return s
}

// streams is how Rows behaves for long results.
func streams() Table {
	t := Table{
		ID: "stream", Title: "Rows as a stream",
		Text: "The whole result, by `sqlconn.Rows` and by `rows.Next` and `rows.Scan`, of a driver that has its rows ready.",
	}
	for _, n := range []int{1, 1000, 1_000_000} {
		t.Cases = append(t.Cases, measure.Case{Name: rowsName(n), X: float64(n), CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			ctx, text := context.Background(), selectOwners(n)
			db := newReady(n).open()
			tb.Cleanup(func() { _ = db.Close() })
			conn := sqlconn.New(connection.Of("pets", db))
			return []measure.Side{
				{Name: byHand, Do: func(int) error { return streamByHand(ctx, db, text, n) }},
				{Name: "**ours**, `sqlconn.Rows`", Ours: true, Do: func(int) error {
					got := 0
					for _, err := range sqlconn.Rows[Owner](ctx, conn, text) {
						if err != nil {
							return err
						}
						got++
					}
					return wantRows(got, n)
				}},
			}
		}})
	}
	return t
}

func streamByHand(ctx context.Context, db *sql.DB, text string, n int) error {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	got := 0
	for ; rows.Next(); got++ {
		var o Owner
		if err := rows.Scan(&o.ID, &o.Person, &o.Pet, &o.Age, &o.Weight, &o.Tame); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return wantRows(got, n)
}

// goroutines is a hit while more and more ask.
func goroutines() Table {
	t := Table{
		ID: "goroutines", Title: "A hit, by more and more goroutines",
		Text: "The time of the wall for one hit, on all processors; each against ristretto with as many keys.",
	}
	for _, n := range []int{1, 100, 10_000} {
		t.Cases = append(t.Cases, measure.Case{Name: strings.TrimSuffix(number(n)+" goroutines", map[bool]string{true: "s"}[n == 1]), X: float64(n), Goroutines: n, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			keys := keysOf(1024)
			r, s := bareOf(tb, keys, new(1)), scopeOf(tb, keys)
			policy := &cache.Policy{TTL: time.Hour, Shared: true}
			const manyKeys = "ristretto, many keys"
			side := func(name, against string, hit func(key string) bool, key func(i int) string) measure.Side {
				return measure.Side{Name: name, Against: against, Ours: strings.HasPrefix(name, "**"), Do: func(i int) error {
					if !hit(key(i)) {
						return errMissed
					}
					return nil
				}}
			}
			theirs := func(key string) bool { _, ok := r.Get(key); return ok }
			own := func(key string) bool { _, ok := cache.Lookup[*int](s, key, nil, policy); return ok }
			one := func(int) string { return keys[0] }
			many := func(i int) string { return keys[i%len(keys)] }
			return []measure.Side{
				side("ristretto, one key", "", theirs, one), side("**ours**, one key", "", own, one),
				side(manyKeys, manyKeys, theirs, many), side("**ours**, many keys", manyKeys, own, many),
			}
		}})
	}
	return t
}
