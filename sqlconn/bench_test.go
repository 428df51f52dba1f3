package sqlconn_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

// These benchmarks compare with something else in the same run: both sides take turns in small
// batches, and x-bare is the median of the ratios, so that the machine's noise hits both alike.

const benchKeys = 1024

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
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bares), "bare-ns")
	b.ReportMetric(median(both), "ours-ns")
	b.ReportMetric(median(ratios), "x-bare")
}

func must[T any](b *testing.B) func(T, error) T {
	b.Helper()
	return func(v T, err error) T {
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

// bareGet is ristretto's Get with a TTL, over the same texts.
func bareGet(b *testing.B, texts []string) func(int) {
	b.Helper()
	c, err := ristretto.NewCache(&ristretto.Config[string, *int]{
		NumCounters: 100 * benchKeys, MaxCost: 64 << 20, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	for i, text := range texts {
		c.SetWithTTL(text, new(i), 1, time.Hour)
	}
	c.Wait()
	return func(i int) {
		if _, ok := c.Get(texts[i%benchKeys]); !ok {
			b.Fatal("the bare cache has lost a key")
		}
	}
}

func BenchmarkSharedHit(b *testing.B) {
	srv := fakedb.New(b)
	srv.Handle(numbered())
	r := world(b, map[string]any{"pets": map[string]any{"url": urlOf(srv)}})
	c := get(b, r, "pets").WithShared().WithTTL(time.Hour)
	texts, named := make([]string, benchKeys), make([]string, benchKeys)
	for i := range benchKeys {
		texts[i] = fmt.Sprintf("select id, person, pet from owners_%04d", i)
		named[i] = texts[i] + " where id = :id and pet = :pet"
	}
	bare := bareGet(b, texts)
	ctx, id := b.Context(), 123456
	for _, bench := range []struct {
		name string
		ours func(int)
	}{
		{"no arguments", func(i int) {
			if _, err := sqlconn.Query[int](ctx, c, texts[i%benchKeys]); err != nil {
				b.Fatal(err)
			}
		}},
		{"one row, no arguments", func(i int) {
			if _, err := sqlconn.QueryOne[int](ctx, c, texts[i%benchKeys]); err != nil {
				b.Fatal(err)
			}
		}},
		{"int and string", func(i int) {
			if _, err := sqlconn.Query[int](ctx, c, texts[i%benchKeys], id, "cat"); err != nil {
				b.Fatal(err)
			}
		}},
		{"Params of two", func(i int) {
			if _, err := sqlconn.Query[int](ctx, c, named[i%benchKeys], sqlconn.Params{"id": id, "pet": "cat"}); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) { compare(b, benchKeys, bare, bench.ours) })
	}
}

func BenchmarkGet(b *testing.B) {
	r := world(b, map[string]any{"pets": map[string]any{"url": "sqlite://"}})
	texts := make([]string, benchKeys)
	for i := range texts {
		texts[i] = fmt.Sprintf("pets_%04d", i)
	}
	bare := bareGet(b, texts)
	ctx := b.Context()
	get := must[*sqlconn.Conn](b)
	b.Run("without options", func(b *testing.B) {
		compare(b, benchKeys, bare, func(int) { get(sqlconn.Get(ctx, "pets", connection.In(r))) })
	})
	b.Run("with options", func(b *testing.B) {
		compare(b, benchKeys, bare, func(int) {
			get(sqlconn.Get(ctx, "pets", connection.In(r), connection.With("pool_size", 20), connection.WithDefaultTTL(time.Hour)))
		})
	})
}

type flat struct {
	ID     int64
	Person string
	Age    int64
	Score  float64
	Tame   bool
}

type deep struct {
	ID     int64
	Person string
	Note   *string
	Tags   []byte
}

const (
	selectFlat = "select id, person, age, score, tame from flat"
	selectDeep = "select id, person, note, tags from deep"
)

// thousand serves a thousand rows of either kind.
func thousand(srv *fakedb.Server) {
	var flats, deeps [][]any
	for i := range 1000 {
		flats = append(flats, []any{i, "jerry", 3, 0.5, true})
		note := any("likes water")
		if i%2 == 0 {
			note = nil
		}
		deeps = append(deeps, []any{i, "jerry", note, []byte("small wet")})
	}
	srv.On(selectFlat, fakedb.Rows([]string{"id", "person", "age", "score", "tame"}, flats...))
	srv.On(selectDeep, fakedb.Rows([]string{"id", "person", "note", "tags"}, deeps...))
}

func flatByHand(ctx context.Context, db *sql.DB) (_ []flat, err error) {
	rows, err := db.QueryContext(ctx, selectFlat)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []flat
	for rows.Next() {
		var v flat
		if err := rows.Scan(&v.ID, &v.Person, &v.Age, &v.Score, &v.Tame); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func deepByHand(ctx context.Context, db *sql.DB) (_ []deep, err error) {
	rows, err := db.QueryContext(ctx, selectDeep)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []deep
	for rows.Next() {
		var v deep
		if err := rows.Scan(&v.ID, &v.Person, &v.Note, &v.Tags); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// BenchmarkOwnCopy is a hit that copies a thousand rows, over a copy by hand.
func BenchmarkOwnCopy(b *testing.B) {
	srv, c := fake(b)
	thousand(srv)
	ctx := b.Context()
	flats := must[[]flat](b)(sqlconn.Query[flat](ctx, c, selectFlat))
	deeps := must[[]deep](b)(sqlconn.Query[deep](ctx, c, selectDeep))
	b.Run("flat", func(b *testing.B) {
		compare(b, 50, func(int) { flats = slices.Clone(flats) }, func(int) { must[[]flat](b)(sqlconn.Query[flat](ctx, c, selectFlat)) })
	})
	b.Run("pointers and slices", func(b *testing.B) {
		compare(b, 50, func(int) {
			own := slices.Clone(deeps)
			for i := range own {
				if p := own[i].Note; p != nil {
					own[i].Note = new(*p)
				}
				own[i].Tags = slices.Clone(own[i].Tags)
			}
			deeps = own
		}, func(int) { must[[]deep](b)(sqlconn.Query[deep](ctx, c, selectDeep)) })
	})
}

// BenchmarkMiss is a query of a thousand rows that reaches the database, over one by hand. The
// benchmarks apart from "both" give each side's allocations.
func BenchmarkMiss(b *testing.B) {
	srv, c := fake(b)
	thousand(srv)
	ctx := b.Context()
	db := must[*sql.DB](b)(c.Raw(ctx))
	uncached := c.WithTTL(0)
	for _, bench := range []struct {
		name       string
		hand, ours func(int)
	}{
		{"flat, uncached", func(int) { must[[]flat](b)(flatByHand(ctx, db)) }, func(int) { must[[]flat](b)(sqlconn.Query[flat](ctx, uncached, selectFlat)) }},
		{"flat, cached", func(int) { must[[]flat](b)(flatByHand(ctx, db)) }, func(int) {
			connection.Clear(c)
			must[[]flat](b)(sqlconn.Query[flat](ctx, c, selectFlat))
		}},
		{"with pointers, uncached", func(int) { must[[]deep](b)(deepByHand(ctx, db)) }, func(int) { must[[]deep](b)(sqlconn.Query[deep](ctx, uncached, selectDeep)) }},
		{"with pointers, cached", func(int) { must[[]deep](b)(deepByHand(ctx, db)) }, func(int) {
			connection.Clear(c)
			must[[]deep](b)(sqlconn.Query[deep](ctx, c, selectDeep))
		}},
	} {
		b.Run(bench.name+"/both", func(b *testing.B) { compare(b, 5, bench.hand, bench.ours) })
		for side, f := range map[string]func(int){"by hand": bench.hand, "ours": bench.ours} {
			b.Run(bench.name+"/"+side, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f(0)
				}
			})
		}
	}
}
