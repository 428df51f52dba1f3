package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/supabase/database"
)

// refusal is a request that is refused: a query, or where no query makes it, one as it stands.
type refusal struct {
	name   string
	query  func(c *C) query
	raw    func(c *C) answer
	is     error
	status []int // any of them; the first is PostgREST 12's
	codes  []string
}

func refusals() []refusal {
	authors := func(c *C) query { return c.Anon().Table("authors") }
	insert := func(rows any) func(c *C) query { return func(c *C) query { return authors(c).Insert(rows) } }
	send := func(method, path, body string, header ...string) func(c *C) answer {
		return func(c *C) answer { return c.raw(method, path, body, header...) }
	}
	rpc := func(name string, args any) func(c *C) query {
		return func(c *C) query { return c.Anon().RPC(name, args) }
	}
	const jsonText = "application/json"
	return []refusal{
		{name: "a table that is not there", query: func(c *C) query { return c.Anon().Table("nosuch") }, is: database.ErrUndefined, status: []int{404}, codes: []string{"42P01", "PGRST205"}},
		{name: "a table that is misspelt", query: func(c *C) query { return c.Anon().Table("bookz") }, is: database.ErrUndefined, status: []int{404}, codes: []string{"42P01", "PGRST205"}},
		{name: "a table that is not there, of Insert", query: func(c *C) query { return c.Anon().Table("nosuch").Insert(object{"id": 1}) }, is: database.ErrUndefined, status: []int{404}, codes: []string{"", "PGRST205"}},
		{name: "a table that is not there, of Update", query: func(c *C) query { return c.Anon().Table("nosuch").Update(object{"id": 1}).Eq("id", 1) }, is: database.ErrUndefined, status: []int{404}, codes: []string{"", "PGRST205", "42P01"}},
		{name: "a column of Select", query: func(c *C) query { return books(c).Select("nosuch") }, is: database.ErrUndefined, status: []int{400}, codes: []string{"42703"}},
		{name: "a column of a filter", query: func(c *C) query { return books(c).Eq("nosuch", 1) }, is: database.ErrUndefined, status: []int{400}, codes: []string{"42703"}},
		{name: "a relationship", query: func(c *C) query { return books(c).Select("id,nosuch(id)") }, is: database.ErrUndefined, status: []int{400}, codes: []string{"PGRST200"}},
		{name: "an operator", query: func(c *C) query { return books(c).Filter("id", "banana", 1) }, status: []int{400}, codes: []string{"PGRST100"}},
		{name: "no operator", raw: send("GET", "/books?id=1", ""), status: []int{400}, codes: []string{"PGRST100"}},
		{name: "the grammar of select", raw: send("GET", "/books?select=id,(", ""), status: []int{400}, codes: []string{"PGRST100"}},
		{name: "the grammar of order", raw: send("GET", "/books?order=id.banana", ""), status: []int{400}, codes: []string{"PGRST100"}},
		{name: "an integer", query: func(c *C) query { return books(c).Eq("id", "abc") }, status: []int{400}, codes: []string{"22P02"}},
		{name: "a media type", raw: send("GET", "/books?select=id&limit=1", "", "Accept", "application/x-nosuch"), status: []int{415, 406}, codes: []string{"PGRST107"}},
		{name: "a schema", query: func(c *C) query { return c.Anon().Schema("nosuch").Table("books") }, status: []int{406}, codes: []string{"PGRST106"}},
		{name: "a reversed range", raw: send("GET", "/books", "", "Range", "5-2"), status: []int{416}, codes: []string{"PGRST103"}},
		{name: "a range past the end", query: func(c *C) query { return books(c).Range(100, 104).Count(database.Exact) }, status: []int{416}, codes: []string{"PGRST103"}},
		{name: "one row of none", query: func(c *C) query { return books(c).Eq("id", 99).Single() }, is: database.ErrNotFound, status: []int{406}, codes: []string{"PGRST116"}},
		{name: "one row of many", query: func(c *C) query { return books(c).Single() }, is: database.ErrMultipleRows, status: []int{406}, codes: []string{"PGRST116"}},
		{name: "a path", raw: send("POST", "/books/1", "{}", "Content-Type", jsonText), status: []int{404}, codes: []string{"", "PGRST125"}},
		{name: "a preference", raw: send("GET", "/authors?limit=1&select=id", "", "Prefer", "handling=strict, banana=1"), status: []int{400}, codes: []string{"PGRST122"}},

		{name: "a duplicate", query: insert(object{"name": "Lem"}), is: database.ErrConflict, status: []int{409}, codes: []string{"23505"}},
		{name: "a value that is missing", query: insert(object{"born": "2000-01-01"}), status: []int{400}, codes: []string{"23502"}},
		{name: "a reference to nothing", query: func(c *C) query {
			return c.Anon().Table("books").Insert(object{"author_id": 99999999, "title": "x"})
		}, is: database.ErrConflict, status: []int{409}, codes: []string{"23503"}},
		{name: "a check", query: func(c *C) query {
			return c.Anon().Table("books").Insert(object{"author_id": 3, "title": "neg", "price": -1})
		}, status: []int{400}, codes: []string{"23514"}},
		{name: "an unknown column of Insert", query: insert(object{"name": "Z", "nosuch": 1}), is: database.ErrUndefined, status: []int{400}, codes: []string{"PGRST204"}},
		{name: "a date", query: insert(object{"name": "Z", "born": "not-a-date"}), status: []int{400}, codes: []string{"22007"}},
		{name: "a body that is no JSON", raw: send("POST", "/authors", `{"name":`, "Content-Type", jsonText), status: []int{400}, codes: []string{"PGRST102"}},
		{name: "a body that is empty", raw: send("POST", "/authors", "", "Content-Type", jsonText), status: []int{400}, codes: []string{"PGRST102"}},
		{name: "rows with different keys", raw: send("POST", "/authors", `[{"name":"Z1"},{"name":"Z2","born":null}]`, "Content-Type", jsonText), status: []int{400}, codes: []string{"PGRST102"}},
		{name: "a content type", raw: send("POST", "/authors", "<a/>", "Content-Type", "application/xml"), status: []int{400, 415}, codes: []string{"PGRST102"}},
		{name: "a column of OnConflict", query: func(c *C) query {
			return authors(c).Upsert(object{"name": "Ada2"}).OnConflict("born")
		}, status: []int{400}, codes: []string{"42P10"}},
		{name: "columns without their default", query: func(c *C) query {
			return c.Anon().Table("books").Insert([]object{{"author_id": 3, "title": "N3"}}).Columns("author_id", "title", "tags")
		}, status: []int{400}, codes: []string{"23502"}},
		{name: "an unknown column of Update", query: func(c *C) query {
			return authors(c).Update(object{"nosuch": 1}).Eq("id", 3)
		}, is: database.ErrUndefined, status: []int{400}, codes: []string{"PGRST204"}},
		{name: "an update of one row that is not there", query: func(c *C) query {
			return authors(c).Update(object{"born": "1815-12-11"}).Eq("id", 99999999).Select("id").Single()
		}, is: database.ErrNotFound, status: []int{406}, codes: []string{"PGRST116"}},
		{name: "more rows than are allowed", query: func(c *C) query {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, nil), k.row(1, nil)})
			return k.table().Update(object{"t": "x"}).Eq("run", k.run).MaxAffected(1)
		}, status: []int{400}, codes: []string{"PGRST122", "PGRST124"}},

		{name: "a function that is not there", query: rpc("nosuch", nil), is: database.ErrUndefined, status: []int{404}, codes: []string{"PGRST202"}},
		{name: "an argument of another name", query: rpc("add_them", object{"a": 1, "c": 2}), is: database.ErrUndefined, status: []int{404}, codes: []string{"PGRST202"}},
		{name: "an argument that is missing", query: rpc("add_them", object{"a": 1}), is: database.ErrUndefined, status: []int{404}, codes: []string{"PGRST202"}},
		{name: "an argument of another type", query: rpc("add_them", object{"a": "x", "b": 2}), status: []int{400}, codes: []string{"22P02"}},
		{name: "two functions of one name", query: rpc("twice", object{"a": 1}), status: []int{300}, codes: []string{"PGRST203"}},
		{name: "two relationships", query: func(c *C) query { return c.Anon().Table("loans").Select("authors(id)") }, status: []int{300}, codes: []string{"PGRST201"}},
		{name: "what a function raises", query: rpc("raise_it", object{"msg": "boom"}), status: []int{400}, codes: []string{"P0001"}},
		{name: "a status that a function raises", query: rpc("raise_pt402", nil), status: []int{402}, codes: []string{"PT402"}},
	}
}

func errorCases() []Case {
	var cases []Case
	for _, r := range refusals() {
		cases = append(cases, Case{Name: "rest/errors/" + r.name, Run: func(c *C) {
			if r.raw != nil {
				a := r.raw(c)
				var e struct{ Code string }
				must(c, json.Unmarshal([]byte(a.body), &e))
				if !slices.Contains(r.status, a.status) || !slices.Contains(r.codes, e.Code) {
					c.Errorf("%d %s, want %d and the code %q", a.status, a.body, r.status, r.codes)
				}
				return
			}
			_, err := database.Execute(c.Context(), r.query(c))
			wantError(c, err, r.is, r.codes...)
			if e, ok := errors.AsType[*database.Error](err); ok && !slices.Contains(r.status, e.Status) {
				c.Errorf("status %d, want %d", e.Status, r.status)
			}
		}})
	}
	return append(cases, []Case{
		{Name: "rest/errors/nothing is written", Run: func(c *C) {
			name := c.Name("author")
			_, err := database.Execute(c.Context(), c.Anon().Table("authors").Insert([]object{{"name": name}, {"name": name}}))
			wantError(c, err, database.ErrConflict, "23505")
			wantIDs(c, "rows", c.Anon().Table("authors").Select("id").Eq("name", name))
		}},
		{Name: "rest/errors/a write of one row that hits more", Run: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"}), k.row(1, object{"t": "b"})})
			_, err := database.One[any](c.Context(), k.table().Update(object{"t": "x"}).Eq("run", k.run).Select("n"))
			wantError(c, err, database.ErrMultipleRows, "PGRST116")
			want(c, "it is undone", k.texts(), byN("a", "b"))
		}},
		{Name: "rest/errors/what a function says", Run: func(c *C) {
			for _, msg := range []string{"boom", `a "quoted", (odd) \ text` + "\nof two lines", "日本"} {
				_, err := database.Execute(c.Context(), c.Anon().RPC("raise_it", object{"msg": msg}))
				e, ok := errors.AsType[*database.Error](err)
				if !ok {
					c.Fatalf("error %v", err)
				}
				want(c, "hint", e.Hint, "a hint")
				want(c, "details", e.Details, "some detail")
				want(c, "lines", strings.Contains(err.Error(), "\n"), false)
			}
		}},
		{Name: "rest/errors/of HEAD", Run: func(c *C) {
			_, err := database.Count(c.Context(), c.Anon().Table("nosuch"))
			want(c, "error", errors.Is(err, database.ErrUndefined) || errors.Is(err, database.ErrNotFound), true)
		}},
		{Name: "rest/errors/garbage that is passed over", Run: func(c *C) {
			want(c, "a limit that is no number", c.raw("GET", "/books?select=id&limit=abc", "").status, 200)
		}},
	}...)
}
