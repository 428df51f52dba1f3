package conformance

import (
	"context"
	"fmt"

	"github.com/streamconn/streamconn/supabase/database"
)

func nameCases() []Case {
	return []Case{
		{Name: "rest/names/columns that are parameters", Run: func(c *C) {
			o := newOdd(c)
			for _, name := range []string{"order", "select", "and", "or", "not", "limit", "offset", "columns", "on_conflict"} {
				wantIDs(c, name, o.both().Select("id").Eq(name, o.row[name]), o.id[0])
				wantIDs(c, name+" in a tree", o.both().Select("id").Or(database.Eq(name, "2 "+name), database.Eq("id", 0)), o.id[1])
				wantIDs(c, "not "+name, o.both().Select("id").Not(database.Eq(name, o.row[name])), o.id[1])
			}
		}},
		{Name: "rest/names/columns in quotes", Run: func(c *C) {
			o := newOdd(c)
			for name, text := range o.row {
				column := database.Ident(name)
				wantIDs(c, name, o.both().Select("id").Eq(column, text), o.id[0])
				wantIDs(c, name+" in a list", o.both().Select("id").In(column, text, "x"), o.id[0])
				wantIDs(c, name+" in a tree", o.both().Select("id").Or(database.And(database.Neq(column, text), database.Not(database.Is(column, nil)))), o.id[1])
				wantIDs(c, name+" in an order", o.both().Select("id").Order(column, database.Desc), o.id[1], o.id[0])
			}
		}},
		{Name: "rest/names/columns of an upsert", Run: func(c *C) {
			o := newOdd(c)
			rows := []object{{"100%": o.run + " 1"}, {"100%": o.run + " 2"}}
			for name := range o.row {
				if name != "100%" {
					rows[0][name] = "changed"
				}
			}
			_, err := database.Execute(c.Context(), c.Anon().Table("odd").Upsert(rows[:1]).OnConflict("100%"))
			must(c, err)
			got, err := database.One[object](c.Context(), o.all())
			must(c, err)
			delete(got, "id")
			want(c, "row", got, rows[0])
			// Rows with different keys are sent with the names of all of them.
			_, err = database.Execute(c.Context(), c.Anon().Table("odd").Upsert(rows).OnConflict("100%"))
			must(c, err)
			wantIDs(c, "the second is empty now", o.both().Select("id").Is(database.Ident("a,b"), nil), o.id[1])
		}},
		{Name: "rest/names/a table in need of escapes", Run: func(c *C) {
			table := c.Anon().Table("odd name, (x)")
			text := c.Name("value")
			c.Later("row", func(ctx context.Context) error {
				_, err := database.Execute(ctx, c.Service().Table("odd name, (x)").Delete().Eq(database.Ident(`v"w`), text))
				return err
			})
			_, err := database.Execute(c.Context(), table.Insert(object{`v"w`: text}))
			must(c, err)
			got, err := database.All[object](c.Context(), table.Eq(database.Ident(`v"w`), text).Select(database.Ident(`v"w`)))
			must(c, err)
			want(c, "rows", got, []object{{`v"w`: text}})
		}},
		{Name: "rest/names/JSON paths", Run: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{
				k.row(0, object{"j": object{"a": object{"b": []any{1, "two", nil}}, "k e y": "x", "number": 7}}),
				k.row(1, object{"j": []any{object{"b": "first"}, "second"}}),
			})
			wantNs(k, "nested", k.all().Eq("j->a->b->>1", "two"), only(0))
			wantNs(k, "an element", k.all().Eq("j->0->>b", "first"), only(1))
			wantNs(k, "from the end", k.all().Eq("j->>-1", "second"), only(1))
			wantNs(k, "a key with spaces", k.all().Eq("j->>k e y", "x"), only(0))
			wantNs(k, "a number by its text", k.all().Eq("j->>number", 7), only(0))
			wantNs(k, "a number", k.all().Gt("j->number", 6), only(0))
			wantNs(k, "nothing there", k.all().Is("j->a->nosuch", nil), []int{0, 1})
			wantNs(k, "in a tree", k.all().Or(database.Eq("j->a->b->>1", "two"), database.Eq("j->0->>b", "first")), []int{0, 1})
			got, err := database.All[object](c.Context(), k.all().Order("n").Select("x:j->a->b->1", "y:j->>1", "j->number"))
			must(c, err)
			want(c, "columns", got, []object{{"x": "two", "y": nil, "number": 7.0}, {"x": nil, "y": "second", "number": nil}})
		}},
		{Name: "rest/names/keys of JSON in quotes", Run: func(c *C) {
			k := emptyKinds(c)
			keys := object{}
			for i, text := range hostile() {
				keys[text] = fmt.Sprint("value ", i)
			}
			k.insert([]object{k.row(0, object{"j": keys}), k.row(1, object{"j": object{"a": "value"}})})
			for text, v := range keys {
				path := "j->>" + database.Ident(text)
				if text == "" {
					want(c, "no key is refused", k.all().Eq(path, v).Err() != nil, true)
					continue
				}
				wantNs(k, text, k.all().Eq(path, v), only(0))
				wantNs(k, "in a tree "+text, k.all().Or(database.Eq(path, v), database.Lt("n", 0)), only(0))
				got, err := database.All[struct{ X *string }](c.Context(), k.all().Select("x:"+path).Order(path, database.NullsFirst))
				must(c, err)
				if len(got) != 2 || got[0].X != nil || got[1].X == nil || *got[1].X != v {
					c.Errorf("%q: selected %+v, want none and %v", text, got, v)
				}
			}
		}},
		{Name: "rest/names/columns that are not there", Run: func(c *C) {
			for _, name := range []string{"nosuch", `id" or "1`, "id;drop", "id--", "x y"} {
				for _, q := range []query{
					books(c).Eq(database.Ident(name), 1),
					books(c).Or(database.Eq(database.Ident(name), 1)),
					c.Anon().Table("books").Order(database.Ident(name)),
					c.Anon().Table("books").Select(database.Ident(name)),
				} {
					_, err := database.All[any](c.Context(), q)
					wantError(c, err, database.ErrUndefined, "42703")
				}
			}
		}},
	}
}
