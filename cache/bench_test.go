package cache

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// What a hit costs is only worth something next to what the bare engine costs in the same run. So
// each of these benchmarks runs both in turns, in small batches, and reports the median of the
// ratios: noise of the machine hits both sides alike.

const benchKeys = 1024

// compare runs n calls of each side in turns and reports the cost of ours in units of the other's.
func compare(b *testing.B, n int, bare, ours func(i int)) {
	b.Helper()
	var ratios, bares, both []float64
	run := func(f func(int)) float64 {
		begin := time.Now()
		for i := range n {
			f(i)
		}
		return float64(time.Since(begin)) / float64(n)
	}
	run(bare)
	run(ours)
	for b.Loop() {
		x, y := run(bare), run(ours)
		ratios, bares, both = append(ratios, y/x), append(bares, x), append(both, y)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bares), "bare-ns")
	b.ReportMetric(median(both), "ours-ns")
	b.ReportMetric(median(ratios), "x-bare")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

type bareCache struct {
	cache *ristretto.Cache[string, *int]
	keys  []string
}

// newBare is what a program has without this package: string keys, pointers, a TTL.
func newBare(b *testing.B) *bareCache {
	b.Helper()
	c, err := ristretto.NewCache(&ristretto.Config[string, *int]{
		NumCounters: 100 * benchKeys, MaxCost: 64 << 20, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	bare := &bareCache{cache: c}
	for i := range benchKeys {
		bare.keys = append(bare.keys, fmt.Sprintf("select id, person, pet from owners_%04d", i))
		c.SetWithTTL(bare.keys[i], new(i), 1, time.Hour)
	}
	c.Wait()
	return bare
}

func (c *bareCache) get(tb testing.TB, i int) {
	if _, ok := c.cache.Get(c.keys[i%benchKeys]); !ok {
		tb.Fatal("the bare cache has lost a key")
	}
}

func benchScope(b *testing.B) *Scope {
	b.Helper()
	c := New(Config{})
	b.Cleanup(func() { _ = c.Close() })
	return c.Scope("a connection's number, an HMAC of its parameters", new(Counters), new(Epoch), new(Epoch))
}

// fill stores value under each key with the given arguments.
func fill[T any](b *testing.B, s *Scope, keys []string, args []byte, p Policy, value T) {
	b.Helper()
	for _, k := range keys {
		if _, err := Get(context.Background(), s, MakeKey(k, args), p, func(context.Context) (T, error) { return value, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func lookup[T any](tb testing.TB, s *Scope, text string, args []byte, p *Policy) T {
	v, ok := Lookup[T](s, text, args, p)
	if !ok {
		tb.Fatal("missed")
	}
	return v
}

func BenchmarkSharedHit(b *testing.B) {
	bare := newBare(b)
	for _, ttl := range []time.Duration{time.Hour, Forever} {
		name := "ttl"
		if ttl == Forever {
			name = "forever"
		}
		p := &Policy{TTL: ttl, Shared: true}
		b.Run("no arguments/"+name, func(b *testing.B) {
			s := benchScope(b)
			fill(b, s, bare.keys, nil, *p, 1)
			compare(b, benchKeys, func(i int) { bare.get(b, i) }, func(i int) {
				lookup[int](b, s, bare.keys[i%benchKeys], nil, p)
			})
		})
		b.Run("int and string/"+name, func(b *testing.B) {
			s := benchScope(b)
			encode := func(dst []byte, id int, pet string) []byte {
				dst, _ = AppendArg(dst, id)
				dst, _ = AppendArg(dst, pet)
				return dst
			}
			fill(b, s, bare.keys, encode(nil, 123456, "cat"), *p, 1)
			id := 123456
			compare(b, benchKeys, func(i int) { bare.get(b, i) }, func(i int) {
				var room [128]byte
				lookup[int](b, s, bare.keys[i%benchKeys], encode(room[:0], id, "cat"), p)
			})
		})
		b.Run("params of two/"+name, func(b *testing.B) {
			type params map[string]any
			s := benchScope(b)
			id := 123456
			args, _ := AppendArg(nil, params{"id": id, "pet": "cat"})
			fill(b, s, bare.keys, args, *p, 1)
			compare(b, benchKeys, func(i int) { bare.get(b, i) }, func(i int) {
				var room [128]byte
				args, _ := AppendArg(room[:0], params{"id": id, "pet": "cat"})
				lookup[int](b, s, bare.keys[i%benchKeys], args, p)
			})
		})
	}
}

// BenchmarkHitsOnTwoProcs reports how much faster two goroutines are than one: ours, and bare.
// Run it with -cpu 2.
func BenchmarkHitsOnTwoProcs(b *testing.B) {
	bare := newBare(b)
	s := benchScope(b)
	p := &Policy{TTL: time.Hour, Shared: true}
	fill(b, s, bare.keys, nil, *p, 1)
	const n = 20000
	run := func(goroutines int, f func(int)) float64 {
		var wg sync.WaitGroup
		begin := time.Now()
		for g := range goroutines {
			wg.Go(func() {
				for i := range n {
					f(i + g*benchKeys/2)
				}
			})
		}
		wg.Wait()
		return float64(goroutines*n) / float64(time.Since(begin))
	}
	var bares, both, ratios []float64
	for b.Loop() {
		get := func(i int) { bare.get(b, i) }
		hit := func(i int) { lookup[int](b, s, bare.keys[i%benchKeys], nil, p) }
		x := run(2, get) / run(1, get)
		y := run(2, hit) / run(1, hit)
		bares, both, ratios = append(bares, x), append(both, y), append(ratios, y/x)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bares), "bare-speed-up")
	b.ReportMetric(median(both), "ours-speed-up")
	b.ReportMetric(median(ratios), "x-bare")
}

type flatRow struct {
	ID, Age, Weight int64
	Score           float64
	Person, Pet     string
	Tame            bool
	Born            time.Time
}

type deepRow struct {
	flatRow
	Note *string
	Tags []string
}

func flatRows(n int) []flatRow {
	rows := make([]flatRow, n)
	for i := range rows {
		rows[i] = flatRow{ID: int64(i), Age: 3, Person: "jerry", Pet: "fish", Born: time.Now()}
	}
	return rows
}

func deepRows(n int) []deepRow {
	rows := make([]deepRow, n)
	for i, flat := range flatRows(n) {
		rows[i] = deepRow{flatRow: flat, Note: new("likes water"), Tags: []string{"small", "wet"}}
	}
	return rows
}

func cloneByHand(rows []deepRow) []deepRow {
	out := make([]deepRow, len(rows))
	for i, row := range rows {
		out[i] = row
		if row.Note != nil {
			note := *row.Note
			out[i].Note = &note
		}
		if row.Tags != nil {
			out[i].Tags = append([]string(nil), row.Tags...)
		}
	}
	return out
}

// BenchmarkOwnCopy takes the cost of the shared hit out, and compares what remains.
func BenchmarkOwnCopy(b *testing.B) {
	own, shared := &Policy{TTL: Forever}, &Policy{TTL: Forever, Shared: true}
	for _, n := range []int{1, 10, 100, 1000} {
		batch := max(1, 2000/n)
		b.Run(fmt.Sprintf("flat/%d rows", n), func(b *testing.B) {
			s, rows := benchScope(b), flatRows(n)
			fill(b, s, []string{"flat"}, nil, *own, rows)
			var out []flatRow
			compare(b, batch, func(int) {
				_ = lookup[[]flatRow](b, s, "flat", nil, shared)
				out = slices.Clone(rows)
			}, func(int) {
				out = lookup[[]flatRow](b, s, "flat", nil, own)
			})
			_ = out
		})
		b.Run(fmt.Sprintf("pointers and slices/%d rows", n), func(b *testing.B) {
			s, rows := benchScope(b), deepRows(n)
			fill(b, s, []string{"deep"}, nil, *own, rows)
			var out []deepRow
			compare(b, batch, func(int) {
				_ = lookup[[]deepRow](b, s, "deep", nil, shared)
				out = cloneByHand(rows)
			}, func(int) {
				out = lookup[[]deepRow](b, s, "deep", nil, own)
			})
			_ = out
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	s := benchScope(b)
	load := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := Get(context.Background(), s, KeyOf("miss", i), Policy{TTL: time.Hour}, load); err != nil {
			b.Fatal(err)
		}
	}
}

// Hits of a scope with a second tier behind it, next to those of one without.
func BenchmarkTieredHit(b *testing.B) {
	for _, test := range []struct {
		name string
		p    Policy
	}{{"forever", forever}, {"ttl", Policy{TTL: time.Hour}}} {
		b.Run(test.name, func(b *testing.B) {
			tier := newStore().tier()
			tier.life = time.Hour
			plain := open(b, Config{}).Scope("scope", nil, new(Epoch), new(Epoch))
			tiered := open(b, Config{}).TieredScope("scope", nil, TierScope{Tier: tier, Mark: "reads", Epochs: []string{"writes"}}, new(Epoch))
			of := func(s *Scope) func(int) {
				get(b, s, "k", test.p, value(1))
				return func(int) { lookup[int](b, s, "k", nil, &test.p) }
			}
			compare(b, 1000, of(plain), of(tiered))
		})
	}
}
