package sqlconn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

// What a hit allocates. An argument that is not a constant costs its conversion to any, which the
// caller's own code does.
func TestAllocationsOfHits(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	srv := fakedb.New(t)
	srv.Handle(numbered())
	r := world(t, map[string]any{"pets": map[string]any{"url": urlOf(srv)}})
	c := get(t, r, "pets")
	shared := c.WithShared().WithTTL(time.Hour)
	opts := []connection.Option{connection.In(r), connection.With("pool_size", 20), connection.WithDefaultTTL(time.Hour)}
	get(t, r, "pets", opts...)

	const text, ofTwo = "select run from runs", "select run from runs where id = :id and pet = :pet"
	ctx := t.Context()
	id, pet := 123456, strings.Repeat("cat", 3)
	for _, test := range []struct {
		name string
		most float64
		hit  func() error
	}{
		{"shared, no arguments", 0, func() error { _, err := sqlconn.Query[int](ctx, shared, text); return err }},
		{"one row, no arguments", 0, func() error { _, err := sqlconn.QueryOne[int](ctx, c, text); return err }},
		{"constant int and string", 0, func() error { _, err := sqlconn.Query[int](ctx, shared, text, 123456, "cat"); return err }},
		{"int", 1, func() error { _, err := sqlconn.Query[int](ctx, shared, text, id); return err }},
		{"int and string", 2, func() error { _, err := sqlconn.Query[int](ctx, shared, text, id, pet); return err }},
		{"one row, int and string", 2, func() error { _, err := sqlconn.QueryOne[int](ctx, shared, text, id, pet); return err }},
		{"Params of two constants", 2, func() error {
			_, err := sqlconn.Query[int](ctx, shared, ofTwo, sqlconn.Params{"id": 123456, "pet": "cat"})
			return err
		}},
		{"Params of two", 2 + 2, func() error {
			_, err := sqlconn.Query[int](ctx, shared, ofTwo, sqlconn.Params{"id": id, "pet": pet})
			return err
		}},
		{"own copy of flat rows", 1, func() error { _, err := sqlconn.Query[int](ctx, c, text); return err }},
		{"Get without options", 0, func() error { _, err := sqlconn.Get(ctx, "pets", opts[0]); return err }},
		{"Get with options", 0, func() error {
			_, err := sqlconn.Get(ctx, "pets", connection.In(r), connection.With("pool_size", 20), connection.WithDefaultTTL(time.Hour))
			return err
		}},
	} {
		var err error
		got := testing.AllocsPerRun(100, func() { // once before it counts: that is the miss
			if e := test.hit(); e != nil {
				err = e
			}
		})
		if got > test.most || err != nil {
			t.Errorf("%s: %v allocations, want at most %v; error: %v", test.name, got, test.most, err)
		}
	}
}
