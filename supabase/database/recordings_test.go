package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/database"
)

// exchange is one recorded request to PostgREST 12, and its answer.
type exchange struct {
	N       int
	Label   string
	Request struct {
		Method, Path string
		Headers      [][2]string
		Body         *string
	}
	Response struct {
		Status  int
		Headers [][2]string
		Body    string
	}
}

func recordings(t *testing.T) map[int]exchange {
	t.Helper()
	text, err := os.ReadFile("testdata/postgrest.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	byNumber := map[int]exchange{}
	for _, e := range all {
		byNumber[e.N] = e
	}
	return byNumber
}

// The key of the tests; it has the form of a JWT.
const anonKey = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"

func newClient(t *testing.T, baseURL string, opts ...database.Option) *database.Client {
	t.Helper()
	db, err := database.New(baseURL, append([]database.Option{database.WithKey(anonKey)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func serve(t *testing.T, h http.HandlerFunc) *database.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newClient(t, srv.URL, database.WithRetry(database.Retry{Disabled: true}))
}

type (
	query  = database.Query[*database.Client]
	object = map[string]any
)

func all(ctx context.Context, q query) (any, error)  { return database.All[any](ctx, q) }
func one(ctx context.Context, q query) (any, error)  { return database.One[any](ctx, q) }
func text(ctx context.Context, q query) (any, error) { return database.One[string](ctx, q) }
func exec(ctx context.Context, q query) (any, error) {
	_, err := database.Execute(ctx, q)
	return nil, err
}

func count(ctx context.Context, q query) (any, error) {
	n, err := database.Count(ctx, q)
	return float64(n), err
}

func paged(ctx context.Context, q query) (any, error) {
	p, err := database.Paged[any](ctx, q)
	return p.Rows, err
}

// Every recorded request that a query can make is made, and its answer becomes the value or the error.
func TestRecordedExchanges(t *testing.T) {
	t.Parallel()
	recorded := recordings(t)
	for _, tt := range []struct {
		n     int
		run   func(context.Context, query) (any, error)
		query func(db *database.Client) query
		is    error // what the error is, besides its code
	}{
		{1, all, func(db *database.Client) query { return db.Table("books").Order("id") }, nil},
		{2, all, func(db *database.Client) query {
			return db.Table("books").Select("id, name:title, price::text").Order("id").Limit(2)
		}, nil},
		{3, all, func(db *database.Client) query { return db.Table("books").Eq("id", 1).Select("id", "title") }, nil},
		{4, all, func(db *database.Client) query {
			return db.Table("books").Gt("id", 1).Lte("id", int64(3)).Neq("price", 8.5).Select("id,price")
		}, nil},
		{5, all, func(db *database.Client) query {
			return db.Table("books").ILike("title", "*the*").Select("id,title").Order("id")
		}, nil},
		{6, all, func(db *database.Client) query {
			return db.Table("books").In("title", "Solaris", "The Cyberiad").Select("id,title").Order("id")
		}, nil},
		{7, all, func(db *database.Client) query { return db.Table("books").Is("price", nil).Select("id,price") }, nil},
		{8, all, func(db *database.Client) query { return db.Table("books").NotIn("id", 1, 2).Select("id").Order("id") }, nil},
		{9, all, func(db *database.Client) query {
			return db.Table("books").Or(database.Eq("id", 1), database.And(database.Gt("id", 2), database.Is("in_stock", false))).Select("id").Order("id")
		}, nil},
		{10, all, func(db *database.Client) query {
			return db.Table("books").Contains("tags", []string{"sf", "ocean"}).Select("id,tags")
		}, nil},
		{11, all, func(db *database.Client) query {
			return db.Table("books").Overlaps("tags", []string{"utopia", "humour"}).Select("id,tags").Order("id")
		}, nil},
		{12, all, func(db *database.Client) query {
			return db.Table("books").Contains("meta", object{"pages": 204}).Select("id,meta")
		}, nil},
		{13, all, func(db *database.Client) query {
			return db.Table("books").Select("id,year:meta->pub->>year,pages:meta->pages").Eq("meta->>pages", 387)
		}, nil},
		{14, all, func(db *database.Client) query {
			return db.Table("books").TextSearch("title", "darkness").Select("id,title")
		}, nil},
		{15, all, func(db *database.Client) query {
			return db.Table("books").RegexMatch("title", "^The").Select("id,title").Order("id")
		}, nil},
		{16, all, func(db *database.Client) query {
			return db.Table("books").Filter("id", "eq(any)", []int{1, 3}).Select("id").Order("id")
		}, nil},
		{17, all, func(db *database.Client) query {
			return db.Table("books").IsDistinct("price", json.Number("9.99")).Select("id").Order("id")
		}, nil},
		{18, all, func(db *database.Client) query {
			return db.Table("books").Select("id,price").Order("price", database.Desc, database.NullsLast)
		}, nil},
		{19, all, func(db *database.Client) query {
			return db.Table("books").Select("id").Order("id").Limit(2).Offset(1)
		}, nil},
		{21, paged, func(db *database.Client) query {
			return db.Table("books").Select("id").Order("id").Limit(2).Count(database.Exact)
		}, nil},
		{22, paged, func(db *database.Client) query {
			return db.Table("books").Select("id").Order("id").Limit(2).Count(database.Planned)
		}, nil},
		{23, paged, func(db *database.Client) query {
			return db.Table("books").Select("id").Order("id").Limit(2).Count(database.Estimated)
		}, nil},
		{24, count, func(db *database.Client) query { return db.Table("books").Select("id") }, nil},
		{25, paged, func(db *database.Client) query {
			return db.Table("books").Select("id").Eq("id", 999).Count(database.Exact)
		}, nil},
		{26, all, func(db *database.Client) query {
			return db.Table("books").Select("id").Range(100, 104).Count(database.Exact)
		}, nil},
		{27, all, func(db *database.Client) query { return db.Table("books").Select("id").Range(100, 104) }, nil},
		{28, all, func(db *database.Client) query { return db.Table("books").Select("id").Eq("id", 999) }, nil},
		{29, one, func(db *database.Client) query { return db.Table("books").Eq("id", 1).Select("id,title") }, nil},
		{30, one, func(db *database.Client) query { return db.Table("books").Eq("id", 999).Select("id") }, database.ErrNotFound},
		{31, one, func(db *database.Client) query { return db.Table("books").Select("id") }, database.ErrMultipleRows},
		{32, text, func(db *database.Client) query { return db.Table("books").Select("id,title,tags").Order("id").CSV() }, nil},
		{33, one, func(db *database.Client) query {
			return db.Table("books").Select("id").Eq("id", 1).Explain(database.ExplainOptions{Analyze: true, JSON: true})
		}, nil},
		{34, all, func(db *database.Client) query {
			return db.Table("books").Select("id,price").Eq("id", 4).StripNulls()
		}, nil},
		{36, all, func(db *database.Client) query {
			return db.Table("books").Select("id, author:authors(id, name)").Order("id").Limit(2)
		}, nil},
		{37, all, func(db *database.Client) query {
			books := database.ReferencedTable("books")
			return db.Table("authors").Select("name,books(title)").Order("id", database.Desc, books).Limit(1, books).Order("id")
		}, nil},
		{38, all, func(db *database.Client) query {
			return db.Table("authors").Select("name,books!inner(title)").Is("books.in_stock", false)
		}, nil},
		{39, all, func(db *database.Client) query {
			return db.Table("authors").Select("name,books(title)").Where(database.Is("in_stock", false).Of("books")).Order("id")
		}, nil},
		{40, all, func(db *database.Client) query { return db.Table("authors").Select("name,books()").Is("books", nil) }, nil},
		{41, all, func(db *database.Client) query {
			return db.Table("books").Select("title,...authors(author_name:name)").Order("id").Limit(1)
		}, nil},
		{42, all, func(db *database.Client) query {
			return db.Table("books").Select("title,authors!books_author_id_fkey(name)").Limit(1).Order("id")
		}, nil},
		{43, all, func(db *database.Client) query {
			return db.Table("books").Select("id,authors(name)").Order("authors(name)", database.Desc).Order("id", database.Asc)
		}, nil},
		{44, all, func(db *database.Client) query {
			return db.Table("books").Select("author_id,price.sum(),id.count()").Order("author_id")
		}, nil},
		{45, all, func(db *database.Client) query {
			return db.Table("book_view").Select("id,authors(name)").Order("id").Limit(1)
		}, nil},
		{46, all, func(db *database.Client) query { return db.Table("nosuch").Select("*") }, database.ErrUndefined},
		{47, all, func(db *database.Client) query { return db.Table("bookz").Select("*") }, database.ErrUndefined},
		{48, all, func(db *database.Client) query { return db.Table("books").Select("nosuch") }, database.ErrUndefined},
		{49, all, func(db *database.Client) query { return db.Table("books").Eq("nosuch", 1) }, database.ErrUndefined},
		{50, all, func(db *database.Client) query { return db.Table("books").Select("id,nosuch(id)") }, database.ErrUndefined},
		{51, all, func(db *database.Client) query { return db.Table("books").Filter("id", "banana", 1) }, nil},
		{55, all, func(db *database.Client) query { return db.Table("books").Eq("id", "abc") }, nil},
		{57, all, func(db *database.Client) query { return db.Schema("nosuch").Table("books") }, nil},
		{65, exec, func(db *database.Client) query { return db.Table("authors").Insert(object{"name": "Ada"}) }, nil},
		{68, all, func(db *database.Client) query {
			return db.Table("authors").Insert(object{"name": "Dan"}).Select("id,name")
		}, nil},
		{70, all, func(db *database.Client) query {
			return db.Table("books").Insert([]object{{"author_id": 3, "title": "N1"}, {"author_id": 3, "title": "N2", "tags": []string{"x"}}}).
				Columns("author_id", "title", "tags").MissingDefault().Select("title,tags,in_stock")
		}, nil},
		{72, one, func(db *database.Client) query {
			return db.Table("authors").Insert(object{"name": "Fay"}).Select("id,name")
		}, nil},
		{74, all, func(db *database.Client) query { return db.Table("authors").Insert([]object(nil)).Select() }, nil},
		{75, exec, func(db *database.Client) query { return db.Table("authors").Insert(object{"name": "Ada"}) }, database.ErrConflict},
		{76, exec, func(db *database.Client) query { return db.Table("authors").Insert(object{"born": "2000-01-01"}) }, nil},
		{77, exec, func(db *database.Client) query {
			return db.Table("books").Insert(object{"author_id": 99999, "title": "x"})
		}, database.ErrConflict},
		{78, exec, func(db *database.Client) query {
			return db.Table("books").Insert(object{"author_id": 3, "title": "neg", "price": -1})
		}, nil},
		{79, exec, func(db *database.Client) query {
			return db.Table("authors").Insert(object{"name": "Z", "nosuch": 1})
		}, database.ErrUndefined},
		{80, exec, func(db *database.Client) query {
			return db.Table("authors").Insert(object{"name": "Z", "born": "not-a-date"})
		}, nil},
		{85, all, func(db *database.Client) query {
			return db.Table("authors").Upsert([]object{{"name": "Ada", "born": "1815-12-10"}, {"name": "New1", "born": nil}}).
				OnConflict("name").Select("name,born")
		}, nil},
		{86, all, func(db *database.Client) query {
			return db.Table("authors").Upsert([]object{{"name": "Ada"}, {"name": "New2"}}).OnConflict("name").IgnoreDuplicates().Select("name")
		}, nil},
		{87, exec, func(db *database.Client) query {
			return db.Table("authors").Upsert(object{"name": "Ada2"}).OnConflict("born")
		}, nil},
		{88, all, func(db *database.Client) query {
			return db.Table("authors").Upsert(object{"id": 3, "name": "Nobody Else"}).Select("id,name")
		}, nil},
		{90, exec, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1815-12-11"}).Eq("name", "Ada")
		}, nil},
		{91, all, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1815-12-12"}).Eq("name", "Ada").Select("name,born")
		}, nil},
		{92, exec, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1815-12-11"}).Eq("id", 99999)
		}, nil},
		{93, all, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1815-12-11"}).Eq("id", 99999).Select()
		}, nil},
		{94, one, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1815-12-11"}).Eq("id", 99999).Select("id")
		}, database.ErrNotFound},
		{95, all, func(db *database.Client) query { return db.Table("authors").Update(object{}).Eq("id", 3).Select() }, nil},
		{96, exec, func(db *database.Client) query {
			return db.Table("authors").Update(object{"nosuch": 1}).Eq("id", 3)
		}, database.ErrUndefined},
		{97, exec, func(db *database.Client) query {
			return db.Table("authors").Update(object{"born": "1900-01-01"}).Lt("id", 4).MaxAffected(1)
		}, nil},
		{99, all, func(db *database.Client) query {
			return db.Table("authors").Insert(object{"name": "Rolled"}).Select("name").Rollback()
		}, nil},
		{100, exec, func(db *database.Client) query { return db.Table("authors").Delete().Eq("name", "Ben") }, nil},
		{101, all, func(db *database.Client) query {
			return db.Table("authors").Delete().Like("name", "E*").Select("name").Count(database.Exact)
		}, nil},
		{102, exec, func(db *database.Client) query { return db.Table("authors").Delete().Eq("id", 99999) }, nil},
		{105, exec, func(db *database.Client) query {
			return db.Table("notes").Insert(object{"body": "x", "user_id": "11111111-2222-4333-8444-666666666666"})
		}, nil},
		{108, all, func(db *database.Client) query { return db.Table("notes").Select("body") }, nil},
		{112, one, func(db *database.Client) query { return db.RPC("add_them", object{"a": 1, "b": 2}) }, nil},
		{113, all, func(db *database.Client) query { return db.RPC("add_them", object{"a": 1, "b": 2}).Get() }, nil},
		{114, count, func(db *database.Client) query { return db.RPC("add_them", object{"a": 1, "b": 2}).Get() }, nil},
		{115, all, func(db *database.Client) query {
			return db.RPC("books_by", object{"author_name": "Lem"}).Select("title").Order("title", database.Desc).Limit(1)
		}, nil},
		{116, all, func(db *database.Client) query {
			return db.RPC("books_by", object{"author_name": "Lem"}).Get().Select("title,authors(name)").Order("id")
		}, database.ErrUndefined},
		{117, one, func(db *database.Client) query {
			return db.RPC("books_by", object{"author_name": "Lem"}).Get().Eq("id", 3).Select("id")
		}, nil},
		{118, paged, func(db *database.Client) query {
			return db.RPC("books_by", object{"author_name": "Lem"}).Select("id").Count(database.Exact)
		}, nil},
		{119, all, func(db *database.Client) query { return db.RPC("whoami", nil) }, nil},
		{121, all, func(db *database.Client) query { return db.RPC("void_fn", nil) }, nil},
		{122, exec, func(db *database.Client) query { return db.RPC("nosuch", nil) }, database.ErrUndefined},
		{123, exec, func(db *database.Client) query { return db.RPC("add_them", object{"a": 1, "c": 2}) }, database.ErrUndefined},
		{124, exec, func(db *database.Client) query { return db.RPC("add_them", object{"a": 1}) }, database.ErrUndefined},
		{125, exec, func(db *database.Client) query { return db.RPC("add_them", object{"a": "x", "b": 2}) }, nil},
		{126, exec, func(db *database.Client) query { return db.RPC("raise_it", object{"msg": "boom"}) }, nil},
		{127, exec, func(db *database.Client) query { return db.RPC("raise_pt402", nil) }, nil},
	} {
		e, ok := recorded[tt.n]
		if !ok {
			t.Fatalf("no recording %d", tt.n)
		}
		t.Run(e.Label, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int32
			db := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sent.Add(1)
				compareRequest(t, e, r, tt.n == 112 || tt.n == 29)
				for _, h := range e.Response.Headers {
					w.Header().Add(h[0], h[1])
				}
				w.WriteHeader(e.Response.Status)
				_, _ = io.WriteString(w, e.Response.Body)
			})
			got, err := tt.run(t.Context(), tt.query(db))
			if sent.Load() != 1 {
				t.Fatalf("%d requests sent, want 1 (error: %v)", sent.Load(), err)
			}
			if e.Response.Status >= 300 {
				compareError(t, e, err, tt.is)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			compareValue(t, e, got)
		})
	}
}

// The answers that are no success become errors, also those to requests that no query makes.
func TestRecordedErrors(t *testing.T) {
	t.Parallel()
	n := 0
	for _, e := range recordings(t) {
		if e.Response.Status < 300 || e.Request.Method == http.MethodHead {
			continue
		}
		n++
		t.Run(e.Label, func(t *testing.T) {
			t.Parallel()
			db := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for _, h := range e.Response.Headers {
					w.Header().Add(h[0], h[1])
				}
				w.WriteHeader(e.Response.Status)
				_, _ = io.WriteString(w, e.Response.Body)
			})
			for name, q := range map[string]query{
				"read": db.Table("t"), "write": db.Table("t").Insert(object{"a": 1}).Select(), "call": db.RPC("f", nil),
			} {
				if _, err := database.All[any](t.Context(), q); err == nil {
					t.Errorf("%s: no error", name)
				} else if e.N != 131 { // whose body is {}
					compareError(t, e, err, nil)
				}
			}
		})
	}
	if n < 40 {
		t.Errorf("%d recorded errors", n)
	}
}

func compareRequest(t *testing.T, e exchange, r *http.Request, byOne bool) {
	t.Helper()
	want, err := url.Parse(e.Request.Path)
	if err != nil {
		t.Error(err)
		return
	}
	if r.Method != e.Request.Method || r.URL.Path != want.Path {
		t.Errorf("sent %s %s, want %s %s", r.Method, r.URL.Path, e.Request.Method, want.Path)
	}
	if diff := cmp.Diff(want.Query(), r.URL.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	header := http.Header{}
	for _, h := range e.Request.Headers {
		header.Set(h[0], strings.ReplaceAll(h[1], "<ANON_KEY>", anonKey))
	}
	for _, name := range []string{"Apikey", "Authorization", "Content-Type", "Accept-Profile"} {
		if want := header.Get(name); want != "" && r.Header.Get(name) != want && !strings.Contains(want, "<") {
			t.Errorf("%s: %q, want %q", name, r.Header.Get(name), want)
		}
	}
	// One asks for an object; recordings 112 has none because that was All's.
	if want := header.Get("Accept"); want != "" && r.Header.Get("Accept") != want {
		t.Errorf("Accept: %q, want %q", r.Header.Get("Accept"), want)
	} else if want == "" && !byOne && strings.Contains(r.Header.Get("Accept"), "vnd") {
		t.Errorf("Accept: %q, want none", r.Header.Get("Accept"))
	}
	if len(r.Header.Values("Prefer")) > 1 {
		t.Errorf("%d Prefer headers", len(r.Header.Values("Prefer")))
	}
	if diff := cmp.Diff(preferences(header), preferences(r.Header)); diff != "" {
		t.Errorf("Prefer (-want +got):\n%s", diff)
	}
	body, _ := io.ReadAll(r.Body)
	if e.Request.Body == nil || *e.Request.Body == "" {
		if len(body) > 0 {
			t.Errorf("a body was sent: %s", body)
		}
		return
	}
	if diff := cmp.Diff(parse(t, *e.Request.Body), parse(t, string(body))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func preferences(h http.Header) []string {
	p := strings.Split(h.Get("Prefer"), ",")
	slices.Sort(p)
	return p
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	return v
}

func compareError(t *testing.T, e exchange, err, is error) {
	t.Helper()
	var got *database.Error
	if !errors.As(err, &got) {
		t.Fatalf("error %v, want a *database.Error", err)
	}
	var want struct{ Code, Message, Hint string }
	if err := json.Unmarshal([]byte(e.Response.Body), &want); err != nil {
		t.Fatal(err)
	}
	if got.Status != e.Response.Status || got.Code != want.Code || got.Message != want.Message || got.Hint != want.Hint {
		t.Errorf("error %v, want status %d and %+v", got, e.Response.Status, want)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	}
}

func compareValue(t *testing.T, e exchange, got any) {
	t.Helper()
	switch {
	case got == nil: // Execute
		return
	case e.Request.Method == http.MethodHead:
		want := map[int]any{24: 4.0, 114: 1.0}[e.N]
		if got != want {
			t.Errorf("count %v, want %v", got, want)
		}
		return
	case e.Response.Body == "":
		if diff := cmp.Diff([]any{}, got); diff != "" {
			t.Errorf("value (-want +got):\n%s", diff)
		}
		return
	}
	if s, ok := got.(string); ok {
		if s != e.Response.Body {
			t.Errorf("text %q, want %q", s, e.Response.Body)
		}
		return
	}
	want := parse(t, e.Response.Body)
	if rows, ok := got.([]any); ok && e.N != 33 {
		if _, ok := want.([]any); !ok {
			want = []any{want} // a function's one value
		}
		got = rows
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}
