package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/sqlconn"
)

const (
	selectPets = "select name, note from pets"
	selectRun  = "select run from runs"
	insertRun  = "insert into runs (run) values (1) returning run"
)

type pet struct {
	Name string
	Note *string
}

func petsOn(srv *fakedb.Server) {
	srv.On(selectPets, fakedb.Rows([]string{"name", "note"}, []any{"Rex", "likes water"}, []any{"Tom", nil}))
}

func TestSecondCallComesFromTheCache(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*testing.T, *sqlconn.Conn) any{
		"Query":         func(t *testing.T, c *sqlconn.Conn) any { return query[pet](t, c, selectPets) },
		"Query of maps": func(t *testing.T, c *sqlconn.Conn) any { return query[map[string]any](t, c, selectPets) },
		"QueryOne":      func(t *testing.T, c *sqlconn.Conn) any { return one[int](t, c, selectRun) },
		"Conn.Query": func(t *testing.T, c *sqlconn.Conn) any {
			frame, err := c.Query(t.Context(), selectPets)
			if err != nil {
				t.Fatal(err)
			}
			return frame.String()
		},
		"an embedding type": func(t *testing.T, c *sqlconn.Conn) any {
			return query[pet](t, struct{ *sqlconn.Conn }{c}, selectPets)
		},
		"sqlconn.New": func(t *testing.T, c *sqlconn.Conn) any { return query[pet](t, sqlconn.New(c), selectPets) },
		"no rows":     func(t *testing.T, c *sqlconn.Conn) any { return query[pet](t, c, "select none") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t)
			petsOn(srv)
			srv.On(selectRun, numbered())
			srv.On("select none", fakedb.Rows([]string{"name", "note"}))
			first := call(t, c)
			for range 3 {
				if again := call(t, c); !cmp.Equal(again, first) {
					t.Errorf("got %v, and then %v", first, again)
				}
			}
			if n := len(srv.Texts()); n != 1 {
				t.Errorf("%d queries reached the server", n)
			}
			if s := connection.Stats(c).Cache; s.Hits != 3 || s.Misses != 1 || s.Loads != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestNoRowsIsAnEmptySlice(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(selectPets, fakedb.Rows([]string{"name", "note"}))
	for range 2 {
		if rows := query[pet](t, c, selectPets); rows == nil || len(rows) != 0 {
			t.Errorf("got %#v", rows)
		}
	}
}

func TestCallersGetTheirOwnRows(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	petsOn(srv)
	srv.On("select one", fakedb.Rows([]string{"a"}, []any{"Rex"}))
	for range 3 {
		rows := query[pet](t, c, selectPets)
		if rows[0].Name != "Rex" || *rows[0].Note != "likes water" || len(rows) != 2 {
			t.Fatalf("somebody has changed the rows: %+v", rows)
		}
		rows[0].Name, *rows[0].Note = "mine", "mine"
		_ = append(rows[:1], pet{Name: "mine"})

		maps := query[map[string]any](t, c, selectPets)
		if maps[0]["name"] != "Rex" {
			t.Fatalf("somebody has changed the maps: %v", maps)
		}
		maps[0]["name"] = "mine"

		row := one[map[string]any](t, c, "select one")
		if row["a"] != "Rex" {
			t.Fatalf("somebody has changed the row: %v", row)
		}
		row["a"] = "mine"

		pointers := query[*pet](t, c, selectPets)
		if pointers[1].Name != "Tom" {
			t.Fatalf("somebody has changed what is pointed to: %v", pointers[1])
		}
		pointers[1].Name = "mine"
	}
}

func TestSharedRowsAreNotCopied(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	petsOn(srv)
	shared := c.WithShared()
	query[pet](t, c, selectPets)
	a, b := query[pet](t, shared, selectPets), query[pet](t, shared, selectPets)
	if &a[0] != &b[0] {
		t.Error("WithShared copied the rows")
	}
	if own := query[pet](t, c, selectPets); &own[0] == &a[0] || own[0].Note == a[0].Note {
		t.Error("a view without WithShared got the stored rows")
	}
	if n := srv.Count(selectPets); n != 1 {
		t.Errorf("%d queries: the views do not share their cache", n)
	}
}

func TestTTLZeroNeitherLooksNorStores(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(selectRun, numbered())
	for want := 1; want <= 3; want++ {
		if got := one[int](t, c.WithTTL(0), selectRun); got != want {
			t.Errorf("run %d answered for %d", got, want)
		}
	}
	if got := one[int](t, c, selectRun); got != 4 {
		t.Errorf("got run %d: a TTL of 0 has stored", got)
	}
	if got := one[int](t, c.WithTTL(0), selectRun); got != 5 {
		t.Errorf("got run %d: a TTL of 0 has looked", got)
	}
	if got := one[int](t, c.WithTTL(-time.Second), selectRun); got != 6 {
		t.Errorf("got run %d: a negative TTL has looked", got)
	}
	if got := one[int](t, c, selectRun); got != 4 {
		t.Errorf("got run %d: what was cached is gone", got)
	}
}

func TestTTLIsTheReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.On(selectRun, numbered())
		runs := func(want int, ttl time.Duration) {
			t.Helper()
			if got := one[int](t, c.WithTTL(ttl), selectRun); got != want {
				t.Errorf("a reader with TTL %v got run %d, want %d", ttl, got, want)
			}
		}
		runs(1, cache.Forever)
		runs(1, time.Second)
		elapse(2 * time.Second)
		runs(1, cache.Forever)
		runs(1, 3*time.Second)
		runs(2, time.Second) // too old for this one
		runs(2, cache.Forever)
		elapse(2 * time.Second)
		runs(3, cache.Forever) // stored for a second only
	})
}

func TestDefaultTTL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		section any
		opts    []connection.Option
		want    time.Duration
	}{
		{"nothing says: forever", nil, nil, cache.Forever},
		{"the section", "10m", nil, 10 * time.Minute},
		{"the section, in seconds", int64(30), nil, 30 * time.Second},
		{"the section over WithDefaultTTL", "10m", []connection.Option{connection.WithDefaultTTL(time.Hour)}, 10 * time.Minute},
		{"WithDefaultTTL", nil, []connection.Option{connection.WithDefaultTTL(time.Hour)}, time.Hour},
		{"an option over the section", "10m", []connection.Option{connection.With("ttl", "2h")}, 2 * time.Hour},
		{"none", int64(0), nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := fakedb.New(t)
				srv.On(selectRun, numbered())
				section := map[string]any{"url": urlOf(srv)}
				if test.section != nil {
					section["ttl"] = test.section
				}
				c := get(t, world(t, map[string]any{"pets": section}), "pets", test.opts...)
				one[int](t, c, selectRun)
				if got := one[int](t, c, selectRun); (got == 1) != (test.want > 0) {
					t.Errorf("run %d at once", got)
				}
				if test.want == cache.Forever {
					elapse(3 * time.Hour)
					if got := one[int](t, c, selectRun); got != 1 {
						t.Errorf("run %d after 3 hours", got)
					}
					return
				}
				elapse(test.want)
				if got := one[int](t, c.WithTTL(cache.Default), selectRun); got == 1 {
					t.Errorf("still cached after %v", test.want)
				}
			})
		})
	}
}

func TestKeysAreKeptApart(t *testing.T) {
	t.Parallel()
	type name string
	a := 1
	args := map[string][]any{
		"none": {}, "int": {1}, "int64": {int64(1)}, "int8": {int8(1)}, "string": {"1"}, "float64": {1.0}, "true": {true},
		"nil": {nil}, "named string": {name("1")}, "pointer": {&a}, "bytes": {[]byte("1")}, "time": {time.Unix(1, 0)},
		"two": {1, 2}, "two, turned": {2, 1}, "one text": {"1", ""}, "other text": {"", "1"},
		"NamedArg": {sql.Named("a", 1)}, "Params": {sqlconn.Params{"a": 1}}, "Params of a string": {sqlconn.Params{"a": "1"}},
		"Params of two": {sqlconn.Params{"a": 1, "b": 2}},
	}
	srv, c := fake(t)
	const text = "select run from runs where :a = :a or :b = :b"
	srv.Handle(func() fakedb.Handler {
		var mu sync.Mutex
		n := 0
		return func(context.Context, fakedb.Call) (*fakedb.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return &fakedb.Result{Columns: []fakedb.Column{{Name: "run"}}, Rows: [][]any{{n}}}, nil
		}
	}())
	seen := map[int]string{}
	for kind, list := range args {
		statement := text
		if len(list) == 1 {
			if params, ok := list[0].(sqlconn.Params); ok && len(params) == 1 {
				statement = "select run from runs where :a = :a"
			}
		}
		run := one[int](t, c, statement, list...)
		if other, taken := seen[run]; taken {
			t.Errorf("%s and %s have one entry", kind, other)
		}
		seen[run] = kind
		if again := one[int](t, c, statement, list...); again != run {
			t.Errorf("%s: the second call missed", kind)
		}
	}
	first := one[int](t, c, text, 7)
	if one[int](t, c, text+" ", 7) == first {
		t.Error("two texts, one entry")
	}
	x, same := 7, 7
	if one[int](t, c, text, &x) != one[int](t, c, text, &same) {
		t.Error("pointers are not compared by what they point to")
	}
}

func TestResultTypesAreKeptApart(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	const text = "select b from bytes"
	srv.On(text, fakedb.Rows([]string{"b"}, []any{[]byte("AB")}), fakedb.Rows([]string{"b"}, []any{1}, []any{2}))
	for range 2 {
		if b := one[[]byte](t, c, text); string(b) != "AB" {
			t.Errorf("QueryOne[[]byte] gave %q", b)
		}
		if b := query[byte](t, c, text); string(b) != "\x01\x02" {
			t.Errorf("Query[byte] gave %v", b)
		}
	}
	srv.On(selectRun, numbered())
	if a, b := here(t, c), there(t, c); a == b {
		t.Error("two types of one name have one entry")
	}
	if int64(query[int](t, c, selectRun)[0]) == query[int64](t, c, selectRun)[0] {
		t.Error("int and int64 have one entry")
	}
}

func here(t *testing.T, c *sqlconn.Conn) int {
	type row struct{ Run int }
	return query[row](t, c, selectRun)[0].Run
}

func there(t *testing.T, c *sqlconn.Conn) int {
	type row struct{ Run int }
	return query[row](t, c, selectRun)[0].Run
}

func TestArgumentWithoutStableFormIsNotCached(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On("select run from runs where id = $1", numbered())
	srv.CheckArgs(func(v *driver.NamedValue) error { v.Value = int64(1); return nil })
	for want := 1; want <= 2; want++ {
		if got := one[int](t, c, "select run from runs where id = $1", make(chan int)); got != want {
			t.Errorf("run %d answered for %d", got, want)
		}
	}
	if n := connection.Stats(c).Cache.Uncached; n != 2 {
		t.Errorf("%d calls counted as uncached", n)
	}
}

// Streamlit can only clear everything that it has cached.
func TestDefect20_OneQueryCanBeCleared(t *testing.T) {
	t.Parallel()
	const byName = "select run from runs where name = :name"
	srv, c := fake(t)
	srv.Handle(func() fakedb.Handler {
		var mu sync.Mutex
		n := 0
		return func(context.Context, fakedb.Call) (*fakedb.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return &fakedb.Result{Columns: []fakedb.Column{{Name: "run"}}, Rows: [][]any{{n}}}, nil
		}
	}())
	cat, dog := sqlconn.Params{"name": "cat"}, sqlconn.Params{"name": "dog"}
	calls := map[string]func() int{
		"all":      func() int { return one[int](t, c, selectRun) },
		"all rows": func() int { return query[int](t, c, selectRun)[0] },
		"cat":      func() int { return one[int](t, c, byName, cat) },
		"dog":      func() int { return one[int](t, c, byName, dog) },
		"scoped": func() int {
			return one[int](t, sqlconn.New(connection.Scoped(c, "ann", func(db *sql.DB) *sql.DB { return db })), byName, cat)
		},
	}
	for _, test := range []struct {
		name  string
		clear func()
		ended []string
	}{
		{"a query with its arguments", func() { c.ClearQuery(byName, sqlconn.Params{"name": "cat"}) }, []string{"cat", "scoped"}},
		{"a query with whatever arguments", func() { c.ClearQuery(byName) }, []string{"cat", "dog", "scoped"}},
		{"a query without arguments", func() { c.ClearQuery(selectRun) }, []string{"all", "all rows"}},
		{"through a view", func() { c.WithTTL(0).WithShared().ClearQuery(selectRun) }, []string{"all", "all rows"}},
		{"other arguments", func() { c.ClearQuery(byName, sqlconn.Params{"name": "cow"}) }, nil},
		{"arguments of another type", func() { c.ClearQuery(byName, map[string]any{"name": "cat"}) }, nil},
		{"arguments that cannot be cached", func() { c.ClearQuery(byName, make(chan int)) }, nil},
		{"another query", func() { c.ClearQuery("select") }, nil},
		{"Clear", func() { connection.Clear(c) }, []string{"all", "all rows", "cat", "dog", "scoped"}},
		{"Clear of a view", func() { connection.Clear(c.WithTTL(time.Hour)) }, []string{"all", "all rows", "cat", "dog", "scoped"}},
	} {
		before := map[string]int{}
		for name, call := range calls {
			before[name] = call()
		}
		test.clear()
		for name, call := range calls {
			want := false
			for _, ended := range test.ended {
				want = want || ended == name
			}
			if got := call() != before[name]; got != want {
				t.Errorf("%s: %s was loaded anew: %t, want %t", test.name, name, got, want)
			}
		}
	}
}

// Params and a bare map are encoded alike for the key, and only the former are arguments.
func TestABareMapIsNoArgumentEvenIfItsParamsAreCached(t *testing.T) {
	t.Parallel()
	c := memory(t)
	const text = "select :a"
	for range 2 {
		if got := one[int](t, c, text, sqlconn.Params{"a": 1}); got != 1 {
			t.Fatal(got)
		}
		if got, err := sqlconn.QueryOne[int](t.Context(), c, text, map[string]any{"a": 1}); err == nil {
			t.Errorf("a bare map gave %d", got)
		}
		if got, err := sqlconn.Query[int](t.Context(), c, text, map[string]any{"a": 1}); err == nil {
			t.Errorf("a bare map gave %d", got)
		}
	}
}

func TestWhatEndsCachedReads(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	write := "update runs set run = 1"
	for _, test := range []struct {
		name string
		do   func(ctx context.Context, srv *fakedb.Server, c *sqlconn.Conn) error
		want bool // ends them
		fail bool // do gives an error
	}{
		{"Exec", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := c.Exec(ctx, write)
			return err
		}, true, false},
		{"Exec through a view", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := c.WithTTL(0).Exec(ctx, write)
			return err
		}, true, false},
		{"Exec through somebody else's view", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			ann := connection.Scoped(c, "ann", func(db *sql.DB) *sql.DB { return db })
			_, err := sqlconn.New(ann).Exec(ctx, write)
			return err
		}, true, false},
		{"Exec that is refused", func(ctx context.Context, srv *fakedb.Server, c *sqlconn.Conn) error {
			srv.On(write, fakedb.Fail(&fakedb.StateError{State: "23505"}))
			_, err := c.Exec(ctx, write)
			return err
		}, true, true},
		{"Exec whose outcome is unknown", func(ctx context.Context, srv *fakedb.Server, c *sqlconn.Conn) error {
			srv.On(write, func(context.Context, fakedb.Call) (*fakedb.Result, error) {
				srv.Break(io.ErrUnexpectedEOF) // after it was done, before the answer
				return nil, nil
			})
			_, err := c.Exec(ctx, write)
			return err
		}, true, true},
		{"Query of INSERT … RETURNING", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := sqlconn.Query[int](ctx, c, insertRun)
			return err
		}, true, false},
		{"QueryOne of INSERT … RETURNING", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := sqlconn.QueryOne[int](ctx, c, insertRun)
			return err
		}, true, false},
		{"Conn.Query of INSERT … RETURNING", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := c.Query(ctx, insertRun)
			return err
		}, true, false},
		{"Rows of INSERT … RETURNING, left early", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			for _, err := range sqlconn.Rows[int](ctx, c, insertRun) {
				return err
			}
			return nil
		}, true, false},
		{"Session", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, write); return err })
		}, true, false},
		{"Session that does what we do not see", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Raw().ExecContext(ctx, write); return err })
		}, true, false},
		{"Session that fails", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(*sqlconn.Tx) error { return boom })
		}, true, true},
		{"Session whose commit is lost", func(ctx context.Context, srv *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(*sqlconn.Tx) error { srv.Break(nil); return nil })
		}, true, true},
		{"Session that panics", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) (err error) {
			defer func() { _ = recover() }()
			return c.Session(ctx, func(*sqlconn.Tx) error { panic(boom) })
		}, true, false},
		{"a read-only session that writes all the same", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, write); return err }, sqlconn.ReadOnly())
		}, true, false},
		{"a read-only session that queries INSERT … RETURNING", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := sqlconn.QueryOne[int](ctx, tx, insertRun); return err }, sqlconn.ReadOnly())
		}, true, false},

		{"a read-only session", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error {
				_, err := sqlconn.Query[int](ctx, tx, selectRun)
				return err
			}, sqlconn.ReadOnly())
		}, false, false},
		{"a read-only session that fails", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.Session(ctx, func(*sqlconn.Tx) error { return boom }, sqlconn.ReadOnly())
		}, false, true},
		{"WithKeepCache: Exec", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := c.WithKeepCache().Exec(ctx, write)
			return err
		}, false, false},
		{"WithKeepCache: INSERT … RETURNING", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := sqlconn.QueryOne[int](ctx, c.WithKeepCache(), insertRun)
			return err
		}, false, false},
		{"WithKeepCache: Session", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.WithKeepCache().Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, write); return err })
		}, false, false},
		{"WithKeepCache: a read-only session that writes", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			return c.WithKeepCache().Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, write); return err }, sqlconn.ReadOnly())
		}, false, false},
		{"an uncached read", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			_, err := sqlconn.Query[int](ctx, c.WithTTL(0), selectRun)
			return err
		}, false, false},
		{"Rows of a read", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error {
			for _, err := range sqlconn.Rows[int](ctx, c, selectRun) {
				return err
			}
			return boom
		}, false, false},
		{"a read that fails", func(ctx context.Context, srv *fakedb.Server, c *sqlconn.Conn) error {
			srv.On("select", fakedb.Fail(&fakedb.StateError{State: "42601"}))
			_, err := sqlconn.Query[int](ctx, c, "select")
			return err
		}, false, true},
		{"Ping", func(ctx context.Context, _ *fakedb.Server, c *sqlconn.Conn) error { return connection.Ping(ctx, c) }, false, false},
		{"Reset", func(_ context.Context, _ *fakedb.Server, c *sqlconn.Conn) error { return c.Reset() }, false, false},
		{"another connection's Exec", func(ctx context.Context, srv *fakedb.Server, _ *sqlconn.Conn) error {
			other, err := sqlconn.Open(ctx, "pets", sqlconn.WithURL(urlOf(srv)))
			if err != nil {
				return err
			}
			defer other.Close()
			_, err = other.Exec(ctx, write)
			return err
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t, connection.WithRetry(connection.Retry{Window: -1}))
			srv.On(selectRun, numbered())
			srv.On(insertRun, fakedb.Rows([]string{"run"}, []any{1}))
			srv.On(write, fakedb.Affected(1))
			before := one[int](t, c, selectRun)
			if err := test.do(t.Context(), srv, c); (err != nil) != test.fail {
				t.Errorf("error: %v", err)
			}
			if ended := one[int](t, c, selectRun) != before; ended != test.want {
				t.Errorf("cached reads ended: %t, want %t", ended, test.want)
			}
		})
	}
}

// In Streamlit a result that was being computed while the cache was cleared is written back.
func TestDefect07_ReadUnderWayIsNotKept(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, c *sqlconn.Conn){
		"Exec":       func(t *testing.T, c *sqlconn.Conn) { exec(t, c, "update runs set run = 1") },
		"ClearQuery": func(_ *testing.T, c *sqlconn.Conn) { c.ClearQuery(selectRun) },
		"Clear":      func(_ *testing.T, c *sqlconn.Conn) { connection.Clear(c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t)
			started, goOn := make(chan struct{}), make(chan struct{})
			srv.On("update runs set run = 1", fakedb.Affected(1))
			srv.On(selectRun, func(ctx context.Context, call fakedb.Call) (*fakedb.Result, error) {
				close(started)
				<-goOn
				return numbered()(ctx, call)
			}, numbered())
			old := make(chan int)
			go func() {
				v, _ := sqlconn.QueryOne[int](context.Background(), c, selectRun)
				old <- v
			}()
			<-started
			end(t, c)
			close(goOn)
			if v := <-old; v != 1 {
				t.Errorf("the read under way gave %d", v)
			}
			if v := one[int](t, c, selectRun); v != 2 {
				t.Errorf("the next read got run %d", v)
			}
		})
	}
}

// A read that comes in while a write is at work may have seen the state before it.
func TestReadDuringAWriteIsNotKept(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(context.Context, *sqlconn.Conn) error{
		"Exec":     func(ctx context.Context, c *sqlconn.Conn) error { _, err := c.Exec(ctx, insertRun); return err },
		"QueryOne": func(ctx context.Context, c *sqlconn.Conn) error { return writes["QueryOne"](ctx, c, insertRun) },
		"Session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, insertRun); return err })
		},
		"a read-only session": func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error { _, err := tx.Exec(ctx, insertRun); return err }, sqlconn.ReadOnly())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t)
			started, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
			srv.On(selectRun, numbered())
			srv.On(insertRun, func(ctx context.Context, call fakedb.Call) (*fakedb.Result, error) {
				close(started)
				<-goOn
				return numbered()(ctx, call)
			})
			go func() { done <- write(context.Background(), c) }()
			<-started
			if a, b := one[int](t, c, selectRun), one[int](t, c, selectRun); a != 1 || b != 1 {
				t.Errorf("meanwhile, runs %d and %d", a, b)
			}
			close(goOn)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if run := one[int](t, c, selectRun); run != 2 {
				t.Errorf("afterwards, run %d", run)
			}
		})
	}
}

func TestOneQueryForAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		srv.On(selectRun, fakedb.Wait(func(context.Context) error { elapse(time.Second); return nil }, numbered()))
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if v, err := sqlconn.QueryOne[int](t.Context(), c, selectRun); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		if n := srv.Count(selectRun); n != 1 {
			t.Errorf("%d queries", n)
		}
	})
}

func TestNegativeTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		const text = "select run from runs where false"
		srv.On(text, fakedb.Rows([]string{"run"}))
		asked := func(c *sqlconn.Conn, want int) {
			t.Helper()
			_, err := sqlconn.QueryOne[int](t.Context(), c, text)
			wantIs(t, err, sql.ErrNoRows)
			if n := srv.Count(text); n != want {
				t.Errorf("the server was asked %d times, want %d", n, want)
			}
		}
		asked(c, 1)
		asked(c, 2) // no rows are not remembered
		remembers := c.WithNegativeTTL(time.Minute)
		asked(remembers, 3)
		asked(remembers, 3)
		asked(c, 4) // and only told to those who asked for that
		asked(remembers, 4)
		elapse(2 * time.Minute)
		asked(remembers, 5)
		srv.On("insert into runs (run) values (1)", fakedb.Affected(1))
		exec(t, c, "insert into runs (run) values (1)")
		asked(remembers, 6)
		remembers.ClearQuery(text)
		asked(remembers, 7)
	})
}

func TestStaleResultsAreServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		c = c.WithTTL(time.Minute).WithStale(time.Hour)
		run := numbered()
		srv.On(selectRun, run, run,
			fakedb.Fail(&fakedb.StateError{State: "57P03"}), fakedb.Fail(&fakedb.StateError{State: "42501"}), run)
		runs := func(want int) {
			t.Helper()
			if got := one[int](t, c.WithTTL(time.Minute), selectRun); got != want {
				t.Errorf("got run %d, want %d", got, want)
			}
		}
		runs(1)
		elapse(2 * time.Minute)
		runs(1) // expired: served once more, while a refresh runs
		synctest.Wait()
		runs(2)
		elapse(2 * time.Minute)
		runs(2) // the refresh meets a server that is starting, tries again, and is refused
		elapse(10 * time.Second)
		runs(5) // a refusal ends the old answer
	})
}

// A refresh runs after the call has returned, when the caller may have other plans with its arguments.
func TestStaleRefreshHasTheArgumentsOfItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t)
		stale := c.WithTTL(time.Minute).WithStale(time.Hour)
		const byName = "select $1, $2"
		var args []any
		var mu sync.Mutex
		goOn := make(chan struct{}, 9)
		srv.On(byName, func(_ context.Context, call fakedb.Call) (*fakedb.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			args = nil
			for _, a := range call.Args {
				args = append(args, a.Value)
			}
			return &fakedb.Result{Columns: []fakedb.Column{{Name: "n"}}, Rows: [][]any{{1}}}, nil
		})
		srv.OnDial(func(context.Context, int) error { <-goOn; return nil })
		params, blob := sqlconn.Params{"name": "cat", "blob": []byte("cat")}, []byte("cat")
		list, name := []any{blob, new("cat")}, "select :name, :blob"
		goOn <- struct{}{}
		one[int](t, stale, name, params)
		one[int](t, stale, byName, list...)
		for range 2 {
			elapse(2 * time.Minute)
			if err := c.Reset(); err != nil { // so that the refresh waits in its dial
				t.Fatal(err)
			}
			one[int](t, stale, name, params)
			params["name"], params["blob"].([]byte)[0] = "dog", 'd'
			goOn <- struct{}{}
			synctest.Wait()
			mu.Lock()
			if want := []any{"cat", []byte("cat")}; !cmp.Equal(args, want) {
				t.Errorf("the refresh asked for %q, want %q", args, want)
			}
			mu.Unlock()
			params["name"], params["blob"].([]byte)[0] = "cat", 'c'

			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			one[int](t, stale, byName, list...)
			blob[0], *list[1].(*string) = 'd', "dog"
			goOn <- struct{}{}
			synctest.Wait()
			mu.Lock()
			if want := []any{[]byte("cat"), "cat"}; !cmp.Equal(args, want) {
				t.Errorf("the refresh asked for %q, want %q", args, want)
			}
			mu.Unlock()
			blob[0], *list[1].(*string) = 'c', "cat"
		}
	})
}

func TestClosedConnectionServesNothing(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(selectRun, numbered())
	one[int](t, c, selectRun)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := sqlconn.QueryOne[int](t.Context(), c, selectRun)
	wantIs(t, err, connection.ErrClosed)
	_, err = c.Exec(t.Context(), "update runs set run = 1")
	wantIs(t, err, connection.ErrClosed)
	wantIs(t, c.Session(t.Context(), func(*sqlconn.Tx) error { return nil }), connection.ErrClosed)
	c.ClearQuery(selectRun) // and does not panic
	connection.Clear(c)
}

func TestSameInsertTwiceMakesTwoRows(t *testing.T) {
	t.Parallel()
	c := memory(t)
	exec(t, c, `create table pets (id integer primary key, name text)`)
	const insert = `insert into pets (name) values (:name) returning id`
	for want := 1; want <= 2; want++ {
		if id := one[int](t, c, insert, sqlconn.Params{"name": "Rex"}); id != want {
			t.Errorf("id %d, want %d", id, want)
		}
		if n := one[int](t, c, `select count(*) from pets`); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
	if ids := query[int](t, c, insert, sqlconn.Params{"name": "Tom"}); !cmp.Equal(ids, []int{3}) {
		t.Errorf("ids %v", ids)
	}
}
