package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/database"
)

// counting answers each request with its number.
func counting() *server {
	s := new(server)
	n := 0
	s.answer = func(r *request) (int, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		n++
		if r.Method == http.MethodHead {
			return 200, ""
		}
		if r.Header.Get("Accept") == "application/vnd.pgrst.object+json" {
			return 200, fmt.Sprintf(`{"n":%d}`, n)
		}
		return 200, fmt.Sprintf(`[{"n":%d}]`, n)
	}
	return s
}

type numbered struct{ N int }

// number is the number of the request that a read came from.
func number(t testing.TB, q supabase.Builder) int {
	t.Helper()
	rows, err := supabase.Query[numbered](t.Context(), q)
	if err != nil || len(rows) != 1 {
		t.Errorf("read %v, %v", rows, err)
		return 0
	}
	return rows[0].N
}

// A page at a wrong address is not remembered as the answer that there is no such row.
func TestAWrongURLIsNotRememberedAsNoRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := new(server), 0
		s.answer = func(*request) (int, string) {
			asked++
			return http.StatusNotFound, "<html><title>Not Found</title></html>"
		}
		q := open(t, s).WithNegativeTTL(time.Hour).Table("users").Eq("id", 1)
		for range 3 {
			if _, err := supabase.QueryOne[numbered](t.Context(), q); !errors.Is(err, supabase.ErrUndefined) || errors.Is(err, supabase.ErrNotFound) {
				t.Error(err)
			}
		}
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
	})
}

func TestReadsAreCachedAndWritesEndThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, counting())
		q := sb.Table("todos").Eq("id", 1)
		steps := []struct {
			what string
			q    supabase.Builder
			want int
		}{
			{"first", q, 1},
			{"again", q, 1},
			{"the same, built anew", sb.Table("todos").Eq("id", 1), 1},
			{"another filter", sb.Table("todos").Eq("id", 2), 2},
			{"another type of value", sb.Table("todos").Eq("id", "1"), 1}, // PostgREST sees the same
			{"another schema", sb.Schema("s").Table("todos").Eq("id", 1), 3},
			{"a function by GET", sb.RPC("todos", nil).Get(), 4},
			{"that again", sb.RPC("todos", nil).Get(), 4},
			{"a function by POST", sb.RPC("todos", nil), 5},
			{"which has ended what was cached", q, 6},
			{"without the cache", database.On(q, sb.WithTTL(0)), 7},
			{"which has changed nothing", q, 6},
			{"an insert with Select", sb.Table("todos").Insert(numbered{1}).Select("*"), 8},
			{"the same insert", sb.Table("todos").Insert(numbered{1}).Select("*"), 9},
			{"a read after it", q, 10},
			{"a write that keeps the cache", sb.WithKeepCache().Table("log").Insert(numbered{1}).Select("*"), 11},
			{"a read after that", q, 10},
		}
		for _, s := range steps {
			if n := number(t, s.q); n != s.want {
				t.Errorf("%s: read by request %d, want %d", s.what, n, s.want)
			}
		}
		one, err := supabase.QueryOne[numbered](t.Context(), q)
		if err != nil || one.N != 12 {
			t.Errorf("QueryOne: %v, %v; it is no Query", one, err)
		}
		sb.ClearQuery(q)
		if n := number(t, q); n != 13 {
			t.Errorf("after ClearQuery read by request %d", n)
		}
		connection.Clear(sb)
		if n := number(t, q); n != 14 {
			t.Errorf("after Clear read by request %d", n)
		}
		elapse(2 * time.Hour)
		if n := number(t, q); n != 15 {
			t.Errorf("after the TTL read by request %d", n)
		}
	})
}

func TestWhatCallersGetIsTheirOwn(t *testing.T) {
	t.Parallel()
	sb := open(t, counting())
	q := sb.Table("todos").Select("*")
	for range 3 {
		rows, err := supabase.Query[map[string]any](t.Context(), q)
		if err != nil || rows[0]["n"] != 1.0 {
			t.Fatalf("read %v, %v", rows, err)
		}
		rows[0]["n"] = "changed"
		result, err := supabase.Execute(t.Context(), q)
		if err != nil || string(result.Body) != `[{"n":2}]` {
			t.Fatalf("executed %s, %v", result.Body, err)
		}
		result.Body[0] = '!'
		result.Header.Set("Content-Type", "changed")
	}
	shared := database.On(q, sb.WithShared())
	a, _ := supabase.Query[numbered](t.Context(), shared)
	b, _ := supabase.Query[numbered](t.Context(), shared)
	if &a[0] != &b[0] {
		t.Error("WithShared gave copies")
	}
}

func TestUsersNeverShareAndWritesEndTheReadsOfAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, counting())
		i := new(issuer)
		ann, bob := sb.As(i.session(t, "ann")), sb.As(i.session(t, "bob"))
		read := func(c *supabase.Conn) int { return number(t, c.Table("todos").Select("*")) }
		got := []int{read(sb), read(ann), read(bob), read(sb), read(ann), read(bob)}
		if !slices.Equal(got, []int{1, 2, 3, 1, 2, 3}) {
			t.Errorf("read by requests %v", got)
		}
		q := sb.Table("todos").Select("*")
		if n := number(t, database.On(q, bob)); n != 3 {
			t.Errorf("a kept query on a view was read by request %d", n)
		}
		if _, err := supabase.Execute(t.Context(), ann.Table("todos").Insert(numbered{1})); err != nil {
			t.Fatal(err)
		}
		got = []int{read(sb), read(ann), read(bob)}
		if !slices.Equal(got, []int{5, 6, 7}) {
			t.Errorf("after a write read by requests %v", got)
		}
		bob.ClearQuery(q)
		got = []int{read(sb), read(ann), read(bob)}
		if !slices.Equal(got, []int{5, 6, 8}) {
			t.Errorf("after bob's ClearQuery read by requests %v", got)
		}
	})
}

func TestOnlyReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failures := 2
		srv := &server{answer: func(*request) (int, string) {
			if failures--; failures >= 0 {
				return 503, `{"code":"PGRST002","message":"no schema cache"}`
			}
			return 200, `[]`
		}}
		sb := open(t, srv)
		if _, err := todos(t.Context(), sb); err != nil || len(srv.got) != 3 {
			t.Errorf("a read: %v after %d tries", err, len(srv.got))
		}
		if n := connection.Stats(sb).Retries; n != 2 {
			t.Errorf("%d retries were counted", n)
		}
		failures = 1
		_, err := supabase.Execute(t.Context(), sb.Table("todos").Insert(todo{"ann"}))
		if e, ok := errors.AsType[*supabase.Error](err); !ok || e.Code != "PGRST002" || len(srv.got) != 4 {
			t.Errorf("a write: %v after %d tries", err, len(srv.got)-3)
		}
		// The deadline is the caller's.
		failures = 1000
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := todos(ctx, sb.WithTTL(0)); err == nil || time.Since(began) < 10*time.Second {
			t.Errorf("gave up after %v: %v", time.Since(began), err)
		}
	})
}

func TestDeniedReadsEndOlderResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		denied := false
		srv := &server{answer: func(*request) (int, string) {
			if denied {
				return 403, `{"code":"42501","message":"permission denied"}`
			}
			return 200, `[{"owner":"ann"}]`
		}}
		sb := open(t, srv)
		long, short := sb.WithTTL(time.Hour), sb.WithTTL(time.Second)
		wantOwner(t, long, "ann")
		elapse(time.Minute)
		denied = true
		wantOwner(t, long, "ann")
		for _, view := range []*supabase.Conn{short, long} {
			if _, err := todos(t.Context(), view); !errors.Is(err, supabase.ErrForbidden) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestPagesRowsAndCounts(t *testing.T) {
	t.Parallel()
	srv := new(server)
	srv.header = http.Header{}
	srv.answer = func(r *request) (int, string) {
		if r.Method == http.MethodHead {
			srv.header.Set("Content-Range", "*/5")
			return 200, ""
		}
		from, _ := strconv.Atoi(r.Query.Get("offset"))
		body := "["
		for n := from; n < min(from+2, 5); n++ {
			if n > from {
				body += ","
			}
			body += fmt.Sprintf(`{"n":%d}`, n)
		}
		srv.header.Set("Content-Range", fmt.Sprintf("%d-%d/5", from, min(from+1, 4)))
		return 200, body + "]"
	}
	sb := open(t, srv)
	q := sb.Table("numbers").Order("n")
	page, err := supabase.QueryPage[numbered](t.Context(), q.Count(supabase.Exact).Range(2, 3))
	if err != nil || page.Total != 5 || page.Offset != 2 || len(page.Rows) != 2 || page.Rows[0].N != 2 {
		t.Errorf("page %+v, %v", page, err)
	}
	var got []int
	for row, err := range supabase.Rows[numbered](t.Context(), q, 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row.N)
	}
	if !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("rows %v", got)
	}
	n, err := supabase.Count(t.Context(), q)
	if err != nil || n != 5 {
		t.Errorf("counted %d, %v", n, err)
	}
	for _, err := range supabase.Rows[numbered](t.Context(), sb.Table("numbers"), 2) {
		if !errors.Is(err, supabase.ErrInvalid) {
			t.Errorf("rows without an order: %v", err)
		}
	}
	before := len(srv.got)
	for _, err := range supabase.Pages[numbered](t.Context(), q, 2) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if n := len(srv.got) - before; n != 1 {
		t.Errorf("a loop that was left made %d requests", n)
	}
}

func TestInvalidQueriesAreNotSent(t *testing.T) {
	t.Parallel()
	srv := counting()
	sb := open(t, srv)
	for _, q := range []supabase.Builder{
		sb.Table(""), sb.Table("../auth/v1/admin/users"), sb.Table("todos").Delete(), sb.Table("todos").Update(todo{"x"}),
		sb.Table("todos").Eq("id", func() {}),
		{},
	} {
		if _, err := supabase.Query[todo](t.Context(), q); !errors.Is(err, supabase.ErrInvalid) {
			t.Errorf("Query of %v: %v", q, err)
		}
		if _, err := supabase.Execute(t.Context(), q); !errors.Is(err, supabase.ErrInvalid) {
			t.Errorf("Execute of %v: %v", q, err)
		}
		for _, err := range supabase.Rows[todo](t.Context(), q, 10) {
			if !errors.Is(err, supabase.ErrInvalid) {
				t.Errorf("Rows of %v: %v", q, err)
			}
		}
	}
	if _, err := supabase.Query[todo](t.Context(), database.Table[*supabase.Conn](nil, "todos")); err == nil {
		t.Error("a query without a connection ran")
	}
	if len(srv.got) != 0 {
		t.Errorf("%d requests were sent", len(srv.got))
	}
}

func TestClosedConnections(t *testing.T) {
	t.Parallel()
	srv := counting()
	sb := open(t, srv)
	view := sb.AsToken("opaque")
	if n := number(t, view.Table("todos").Select("*")); n != 1 {
		t.Errorf("request %d", n)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"read": func() error { _, err := todos(t.Context(), sb); return err },
		"view": func() error {
			_, err := supabase.Query[numbered](t.Context(), view.Table("todos").Select("*"))
			return err
		},
		"write":       func() error { _, err := supabase.Execute(t.Context(), sb.Table("t").Insert(todo{})); return err },
		"sign in":     func() error { _, err := sb.CachedSignInWithPassword(t.Context(), supabase.Credentials{}); return err },
		"function":    func() error { _, err := sb.Functions().Invoke(t.Context(), "f", nil); return err },
		"auth":        func() error { _, err := sb.Auth().SignInWithPassword(t.Context(), supabase.Credentials{}); return err },
		"canceled":    func() error { _, err := todos(canceled(t), sb); return err },
		"view's auth": func() error { _, err := view.Auth().User(t.Context()); return err },
	} {
		if err := run(); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
