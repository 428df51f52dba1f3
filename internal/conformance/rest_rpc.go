package conformance

import (
	"context"

	"github.com/streamconn/streamconn/supabase/database"
)

func rpcCases() []Case {
	byLem := func(c *C) query { return c.Anon().RPC("books_by", object{"author_name": "Lem"}) }
	return []Case{
		{Name: "rest/rpc/a value", Run: func(c *C) {
			for _, q := range []query{
				c.Anon().RPC("add_them", object{"a": 1, "b": 2}),
				c.Anon().RPC("add_them", struct {
					A int `json:"a"`
					B int `json:"b"`
				}{1, 2}),
				c.Anon().RPC("add_them", object{"a": 1, "b": 2}).Get(),
			} {
				one, err := database.One[int](c.Context(), q)
				must(c, err)
				want(c, "one", one, 3)
				all, err := database.All[int](c.Context(), q)
				must(c, err)
				want(c, "all", all, []int{3})
			}
		}},
		{Name: "rest/rpc/a body of SQL", Needs: []Feature{SQLFunctions}, Run: func(c *C) {
			got, err := database.One[int](c.Context(), c.Anon().RPC("by_sql", object{"a": 1}).Get())
			must(c, err)
			want(c, "value", got, 4)
		}},
		{Name: "rest/rpc/texts", Run: func(c *C) {
			for _, text := range hostile() {
				got, err := database.One[string](c.Context(), c.Anon().RPC("echo", object{"value": text}))
				must(c, err)
				want(c, text, got, text)
				list, err := database.All[string](c.Context(), c.Anon().RPC("echo_all", object{"items": []string{text, "", text}}))
				must(c, err)
				want(c, "a list with "+text, list, []string{text, "", text})
			}
		}},
		{Name: "rest/rpc/rows", Run: func(c *C) {
			wantIDs(c, "all", byLem(c).Select("id").Order("id"), 3, 4)
			wantIDs(c, "filtered", byLem(c).Select("id,title").Eq("title", "Solaris"), 3)
			wantIDs(c, "in a tree", byLem(c).Select("id,title,price").Or(database.Eq("title", "The Cyberiad"), database.Lt("price", 1)), 4)
			wantIDs(c, "sorted and limited", byLem(c).Select("id,title").Order("title", database.Desc).Limit(1), 4)
			wantIDs(c, "by GET", byLem(c).Get().Select("id").Eq("id", 3), 3)
			wantRows(c, "with another table", byLem(c).Select("id,authors(name)").Eq("id", 3), object{"id": 3.0, "authors": object{"name": "Lem"}})
			row, err := database.One[object](c.Context(), byLem(c).Select("id").Eq("id", 3))
			must(c, err)
			want(c, "one", row, object{"id": 3.0})
			_, err = database.One[object](c.Context(), byLem(c))
			wantError(c, err, database.ErrMultipleRows, "PGRST116")
			wantIDs(c, "none", c.Anon().RPC("books_by", object{"author_name": `Lem' or "1",(`}).Select("id"))
		}},
		{Name: "rest/rpc/counts", Run: func(c *C) {
			p, err := database.Paged[any](c.Context(), byLem(c).Select("id").Count(database.Exact).Limit(1))
			must(c, err)
			want(c, "total", p.Total, 2)
			n, err := database.Count(c.Context(), byLem(c).Get())
			must(c, err)
			want(c, "count", n, 2)
		}},
		{Name: "rest/rpc/order by a column that is not selected", Run: func(c *C) {
			// PostgREST 12 looks for the column where it is no more; later ones find it.
			got, err := database.All[struct{ Title string }](c.Context(), byLem(c).Select("title").Order("id"))
			if err != nil {
				wantError(c, err, database.ErrUndefined, "42703")
			} else {
				want(c, "rows", got, []struct{ Title string }{{"Solaris"}, {"The Cyberiad"}})
			}
		}},
		{Name: "rest/rpc/nothing", Run: func(c *C) {
			r, err := database.Execute(c.Context(), c.Anon().RPC("void_fn", nil))
			must(c, err)
			want(c, "status", r.Status, 204)
			rows, err := database.All[any](c.Context(), c.Anon().RPC("void_fn", nil))
			must(c, err)
			want(c, "rows", rows, []any{})
		}},
		{Name: "rest/rpc/NULL", Run: func(c *C) {
			got, err := database.One[*string](c.Context(), c.Anon().RPC("nothing", nil))
			must(c, err)
			want(c, "value", got, nil)
		}},
		{Name: "rest/rpc/one that writes", Run: func(c *C) {
			name := c.Name(`author "of" (a), function`)
			c.Later("author", func(ctx context.Context) error {
				_, err := database.Execute(ctx, c.Service().Table("authors").Delete().Eq("name", name))
				return err
			})
			row, err := database.One[struct{ Name string }](c.Context(), c.Anon().RPC("touch_author", object{"author_name": name}).Select("name"))
			must(c, err)
			want(c, "row", row.Name, name)
			_, err = database.Execute(c.Context(), c.Anon().RPC("touch_author", object{"author_name": name}).Get())
			wantError(c, err, nil, "25006", "PGRST101") // a GET may only read
		}},
		{Name: "rest/rpc/undone", Needs: []Feature{Rollbacks}, Run: func(c *C) {
			name := c.Name("author")
			_, err := database.Execute(c.Context(), c.Anon().RPC("touch_author", object{"author_name": name}).Rollback())
			must(c, err)
			wantIDs(c, "rows", c.Anon().Table("authors").Select("id").Eq("name", name))
		}},
		{Name: "rest/rpc/of another schema", Needs: []Feature{OtherSchemas}, Run: func(c *C) {
			got, err := database.One[string](c.Context(), c.Anon().Schema("library").RPC("greet", object{"name": "Ada"}).Get())
			must(c, err)
			want(c, "value", got, "library: Ada")
		}},
	}
}
