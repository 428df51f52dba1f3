package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamconn/streamconn/supabase/database"
)

// texts gives the rows of kinds as n and t, in order.
func (k *kinds) texts() map[int]string {
	k.c.Helper()
	rows, err := database.All[struct {
		N int
		T *string
	}](k.c.Context(), k.all().Select("n,t").Order("n"))
	must(k.c, err)
	got := map[int]string{}
	for _, r := range rows {
		got[r.N] = "NULL"
		if r.T != nil {
			got[r.N] = *r.T
		}
	}
	return got
}

// byN is the text of each n.
func byN(texts ...string) map[int]string { return maps.Collect(slices.All(texts)) }

// write runs a write that shows n and t of the rows that it hits.
func (k *kinds) write(q query) map[int]string {
	k.c.Helper()
	rows, err := database.All[struct {
		N int
		T string
	}](k.c.Context(), q.Select("n,t"))
	must(k.c, err)
	got := map[int]string{}
	for _, r := range rows {
		got[r.N] = r.T
	}
	return got
}

func (k *kinds) exec(q query) *database.Result {
	k.c.Helper()
	r, err := database.Execute(k.c.Context(), q)
	must(k.c, err)
	return r
}

func (k *kinds) table() query { return k.c.Anon().Table("kinds") }

func writeMethods() []method {
	const unique = "run" // with n, the unique columns of kinds
	return []method{
		{name: "Insert", plain: func(c *C) {
			k := emptyKinds(c)
			r := k.exec(k.table().Insert(k.row(0, object{"t": "a"})))
			want(c, "status", r.Status, 201)
			want(c, "body", len(r.Body), 0)
			type row struct {
				Run string `json:"run"`
				N   int    `json:"n"`
				T   string `json:"t"`
			}
			want(c, "structs", k.write(k.table().Insert([]row{{k.run, 1, "b"}, {k.run, 2, "c"}})), map[int]string{1: "b", 2: "c"})
			k.exec(k.table().Insert([]object{}))
			want(c, "none", k.write(k.table().Insert([]object(nil))), map[int]string{})
			k.exec(k.table().Insert([]object{k.row(3, object{"t": "d", "i": 1}), k.row(4, object{"b": true})}))
			want(c, "rows", k.texts(), byN("a", "b", "c", "d", "NULL"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			want(c, "rows as they came", k.texts(), byN(k.text...))
			k.each(func(n int, text string) {
				want(c, "alone "+text, k.write(k.table().Insert(k.row(1000+n, object{"t": text}))), map[int]string{1000 + n: text})
			})
			o := newOdd(c)
			for name := range o.row {
				if name == "100%" {
					continue
				}
				got, err := database.One[object](c.Context(), c.Anon().Table("odd").Insert(object{"100%": o.run + name, name: "v"}).Select(database.Ident(name)))
				must(c, err)
				want(c, "column "+name, got, object{name: "v"})
			}
		}},
		{name: "Upsert", plain: func(c *C) {
			name := c.Name("author")
			c.Later("author", func(ctx context.Context) error {
				_, err := database.Execute(ctx, c.Service().Table("authors").Delete().Eq("name", name))
				return err
			})
			type author struct {
				ID   int     `json:"id,omitempty"`
				Name string  `json:"name"`
				Born *string `json:"born"`
			}
			first, err := database.One[author](c.Context(), c.Anon().Table("authors").Upsert(object{"name": name}).OnConflict("name").Select("id,name,born"))
			must(c, err)
			want(c, "new", first.Born, nil)
			born := "1900-01-01"
			second, err := database.One[author](c.Context(), c.Anon().Table("authors").Upsert(author{ID: first.ID, Name: name, Born: &born}).Select("id,name,born"))
			must(c, err)
			want(c, "again", second, author{first.ID, name, &born})
		}, hostile: func(c *C) {
			k := emptyKinds(c)
			k.text = hostile()
			var rows []object
			k.each(func(n int, text string) { rows = append(rows, k.row(n, object{"t": text})) })
			upsert := func(rows []object) query { return k.table().Upsert(rows).OnConflict(unique, "n") }
			want(c, "new", k.write(upsert(rows)), byN(k.text...))
			k.each(func(n int, text string) { rows[n]["t"] = text + text })
			k.exec(upsert(rows))
			doubled := map[int]string{}
			k.each(func(n int, text string) { doubled[n] = text + text })
			want(c, "again", k.texts(), doubled)
		}},
		{name: "Update", plain: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"}), k.row(1, object{"t": "b"}), k.row(2, object{"t": "c"})})
			r := k.exec(k.table().Update(object{"t": "x"}).Eq("run", k.run).Eq("n", 0))
			want(c, "status", r.Status, 204)
			want(c, "those hit", k.write(k.table().Update(struct {
				T string `json:"t"`
			}{"y"}).Eq("run", k.run).Gte("n", 1)), map[int]string{1: "y", 2: "y"})
			want(c, "none hit", k.write(k.table().Update(object{"t": "z"}).Eq("run", k.run).Eq("n", 9)), map[int]string{})
			want(c, "rows", k.texts(), byN("x", "y", "y"))
			_, err := database.Execute(c.Context(), k.table().Update(object{"t": "z"}))
			want(c, "without a filter it is refused", err != nil, true)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				want(c, "where t is "+text, k.write(k.table().Update(object{"t": text + "!"}).Eq("run", k.run).Eq("t", text)), map[int]string{n: text + "!"})
				want(c, "to "+text, k.write(k.table().Update(object{"t": text}).Eq("run", k.run).Eq("j->>k", text)), map[int]string{n: text})
			})
			want(c, "rows", k.texts(), byN(k.text...))
			o := newOdd(c)
			for name := range o.row {
				got, err := database.All[object](c.Context(), c.Anon().Table("odd").Update(object{name: o.row[name] + "!"}).
					Eq(database.Ident(name), o.row[name]).Like(database.Ident("100%"), o.run+"*").Select(database.Ident(name)))
				must(c, err)
				want(c, "column "+name, got, []object{{name: o.row[name] + "!"}})
			}
		}},
		{name: "Delete", plain: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"}), k.row(1, object{"t": "b"}), k.row(2, object{"t": "c"})})
			want(c, "those hit", k.write(k.table().Delete().Eq("run", k.run).Lt("n", 2)), byN("a", "b"))
			r := k.exec(k.table().Delete().Eq("run", k.run).Eq("n", 9))
			want(c, "status", r.Status, 204)
			want(c, "rows", k.texts(), map[int]string{2: "c"})
			_, err := database.Execute(c.Context(), k.table().Delete())
			want(c, "without a filter it is refused", err != nil, true)
		}, hostile: func(c *C) {
			k := newKinds(c)
			left := byN(k.text...)
			k.each(func(n int, text string) {
				want(c, text, k.write(k.table().Delete().Eq("run", k.run).Eq("t", text)), map[int]string{n: text})
				delete(left, n)
				if n%10 == 0 {
					want(c, "what is left after "+text, k.texts(), left)
				}
			})
		}},
		{name: "Columns", plain: func(c *C) {
			k := emptyKinds(c)
			k.exec(k.table().Insert(k.row(0, object{"t": "a", "i": 7})).Columns("run", "n", "t"))
			row, err := database.One[object](c.Context(), k.all().Select("n,t,i"))
			must(c, err)
			want(c, "row", row, object{"n": 0.0, "t": "a", "i": nil})
			k.exec(k.table().Update(object{"t": "b", "i": 8}).Columns("i").Eq("run", k.run))
			row, err = database.One[object](c.Context(), k.all().Select("n,t,i"))
			must(c, err)
			want(c, "updated", row, object{"n": 0.0, "t": "a", "i": 8.0})
		}, hostile: func(c *C) {
			o := newOdd(c)
			for name := range o.row {
				if name == "100%" {
					continue
				}
				got, err := database.One[object](c.Context(), c.Anon().Table("odd").
					Insert(object{"100%": o.run + " of " + name, name: "v", "nosuch": 1}).Columns("100%", name).Select(database.Ident(name)))
				must(c, err)
				want(c, name, got, object{name: "v"})
			}
			_, err := database.Execute(c.Context(), c.Anon().Table("odd").Insert(object{"id": 1}).Columns(`id","order`))
			wantError(c, err, database.ErrUndefined, "PGRST204")
		}},
		{name: "OnConflict", plain: func(c *C) {
			k := emptyKinds(c)
			for _, text := range []string{"a", "b"} {
				want(c, "of two columns", k.write(k.table().Upsert(k.row(0, object{"t": text})).OnConflict("run", "n")), byN(text))
			}
			_, err := database.Execute(c.Context(), k.table().Upsert(k.row(0, nil)).OnConflict("t"))
			wantError(c, err, nil, "42P10")
		}, hostile: func(c *C) {
			o := newOdd(c)
			for name := range o.row {
				if name == "100%" {
					continue
				}
				got, err := database.All[object](c.Context(), c.Anon().Table("odd").
					Upsert(object{"100%": o.run + " 1", name: "again"}).OnConflict("100%").Select("id", database.Ident(name)))
				must(c, err)
				want(c, "with "+name, got, []object{{"id": float64(o.id[0]), name: "again"}})
			}
			for _, name := range []string{"order", "a.b", "a,b", `a"b`, `a\b`, "f(x)", "Größe"} {
				_, err := database.Execute(c.Context(), c.Anon().Table("odd").Upsert(object{"100%": o.run}).OnConflict(name))
				wantError(c, err, nil, "42P10") // it is there, and not unique
			}
		}},
		{name: "MissingDefault", plain: func(c *C) {
			author := newAuthor(c)
			got, err := database.All[object](c.Context(), c.Anon().Table("books").
				Insert([]object{{"author_id": author, "title": "N1"}, {"author_id": author, "title": "N2", "tags": []string{"x"}}}).
				MissingDefault().Select("title,tags,in_stock"))
			must(c, err)
			want(c, "rows", got, []object{{"title": "N1", "tags": []any{}, "in_stock": true}, {"title": "N2", "tags": []any{"x"}, "in_stock": true}})
			_, err = database.Execute(c.Context(), c.Anon().Table("books").Insert([]object{{"author_id": author, "title": "N3"}, {"author_id": author, "title": "N4", "tags": []string{"x"}}}))
			wantError(c, err, nil, "23502")
		}, hostile: func(c *C) {
			author := newAuthor(c)
			var rows []object
			var wanted []object
			for i, text := range hostile() {
				row := object{"author_id": author, "title": text}
				if i%2 == 0 {
					row["meta"] = object{"k": text}
				}
				rows = append(rows, row)
				wanted = append(wanted, object{"title": text, "tags": []any{}})
			}
			got, err := database.All[object](c.Context(), c.Anon().Table("books").Insert(rows).MissingDefault().Select("title,tags"))
			must(c, err)
			want(c, "rows", got, wanted)
		}},
		{name: "IgnoreDuplicates", plain: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"})})
			got := k.write(k.table().Upsert([]object{k.row(0, object{"t": "x"}), k.row(1, object{"t": "b"})}).OnConflict("run", "n").IgnoreDuplicates())
			want(c, "those added", got, map[int]string{1: "b"})
			want(c, "rows", k.texts(), byN("a", "b"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				got := k.write(k.table().Upsert([]object{k.row(n, object{"t": "x"}), k.row(1000+n, object{"t": text})}).OnConflict("run", "n").IgnoreDuplicates())
				want(c, text, got, map[int]string{1000 + n: text})
			})
			want(c, "those that were there", k.ns(k.all().Eq("t", "x")), []int{})
		}},
		{name: "AllRows", needs: []Feature{WritesOfAll}, plain: func(c *C) {
			notes := newNotes(c)
			notes.write("one", "two")
			got, err := database.All[object](c.Context(), notes.table().Update(object{"body": "three"}).AllRows().Select("body"))
			must(c, err)
			want(c, "updated", got, []object{{"body": "three"}, {"body": "three"}})
			got, err = database.All[object](c.Context(), notes.table().Delete().AllRows().Select("body"))
			must(c, err)
			want(c, "deleted", got, []object{{"body": "three"}, {"body": "three"}})
		}, hostile: func(c *C) {
			mine, other := newNotes(c), newNotes(c)
			mine.write(hostile()...)
			other.write("other's")
			got, err := database.All[struct{ Body string }](c.Context(), mine.table().Delete().AllRows().Select("body"))
			must(c, err)
			want(c, "deleted", len(got), len(hostile()))
			want(c, "the other's", other.read(), []string{"other's"})
		}},
		{name: "MaxAffected", plain: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"}), k.row(1, object{"t": "b"})})
			_, err := database.Execute(c.Context(), k.table().Update(object{"t": "x"}).Eq("run", k.run).MaxAffected(1))
			wantError(c, err, nil, "PGRST124", "PGRST122") // PostgREST 12 does not know it, and says so
			want(c, "rows", k.texts(), byN("a", "b"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				_, err := database.Execute(c.Context(), k.table().Delete().Eq("run", k.run).Or(database.Eq("t", text), database.Eq("n", (n+1)%len(k.text))).MaxAffected(1))
				wantError(c, err, nil, "PGRST124", "PGRST122")
			})
			want(c, "rows", k.texts(), byN(k.text...))
			for _, n := range []int{0, -1} {
				want(c, fmt.Sprintf("%d is refused", n), k.table().Delete().Eq("run", k.run).MaxAffected(n).Err() != nil, true)
			}
		}},
		{name: "Rollback", needs: []Feature{Rollbacks}, plain: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "a"})})
			want(c, "insert", k.write(k.table().Insert(k.row(1, object{"t": "b"})).Rollback()), map[int]string{1: "b"})
			r := k.exec(k.table().Delete().Eq("run", k.run).Rollback())
			want(c, "it is told", r.RolledBack(), true)
			want(c, "rows", k.texts(), byN("a"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				want(c, "update "+text, k.write(k.table().Update(object{"t": text + "!"}).Eq("run", k.run).Eq("t", text).Rollback()), map[int]string{n: text + "!"})
			})
			want(c, "rows", k.texts(), byN(k.text...))
		}},
	}
}

// newAuthor makes an author, who is taken away with the books when the case is over.
func newAuthor(c *C) int {
	c.Helper()
	name := c.Name("author")
	c.Later("author", func(ctx context.Context) error {
		_, err := database.Execute(ctx, c.Service().Table("authors").Delete().Eq("name", name))
		return err
	})
	row, err := database.One[struct{ ID int }](c.Context(), c.Anon().Table("authors").Insert(object{"name": name}).Select("id"))
	must(c, err)
	return row.ID
}
