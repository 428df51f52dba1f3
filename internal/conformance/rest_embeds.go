package conformance

import (
	"github.com/streamconn/streamconn/supabase/database"
)

// wantRows compares all rows of a query, as JSON has them.
func wantRows(c *C, what string, q query, wanted ...object) {
	c.Helper()
	got, err := database.All[object](c.Context(), q)
	must(c, err)
	want(c, what, got, append([]object{}, wanted...))
}

func embedCases() []Case {
	authors := func(c *C) query { return c.Anon().Table("authors").Lt("id", 100).Order("id") }
	list := func(rows ...any) []any { return append([]any{}, rows...) }
	inner := database.ReferencedTable("books")
	return []Case{
		{Name: "rest/embeds/many to one", Run: func(c *C) {
			wantRows(c, "row", books(c).Select("id, author:authors(id, name)").Limit(1), object{"id": 1.0, "author": object{"id": 1.0, "name": "Le Guin"}})
			wantRows(c, "by the key's name", books(c).Select("id,authors!books_author_id_fkey(name)").Limit(1), object{"id": 1.0, "authors": object{"name": "Le Guin"}})
			wantRows(c, "by the key's column", books(c).Select("id,author_id(name)").Limit(1), object{"id": 1.0, "author_id": object{"name": "Le Guin"}})
			wantRows(c, "of a view", c.Anon().Table("book_view").Select("id,authors(name)").Order("id").Limit(1), object{"id": 1.0, "authors": object{"name": "Le Guin"}})
		}},
		{Name: "rest/embeds/one to many", Run: func(c *C) {
			wantRows(c, "rows", authors(c).Select("name,books(title)").Order("id", inner).Lt("books.id", 100),
				object{"name": "Le Guin", "books": list(object{"title": "The Dispossessed"}, object{"title": "The Left Hand of Darkness"})},
				object{"name": "Lem", "books": list(object{"title": "Solaris"}, object{"title": "The Cyberiad"})},
				object{"name": "Nobody", "books": list()})
		}},
		{Name: "rest/embeds/one to one", Run: func(c *C) {
			wantRows(c, "rows", books(c).Select("id,blurbs(text)").Lte("id", 2),
				object{"id": 1.0, "blurbs": object{"text": "An ambiguous utopia"}}, object{"id": 2.0, "blurbs": nil})
			wantRows(c, "the other way", c.Anon().Table("blurbs").Select("books(title)").Eq("book_id", 3), object{"books": object{"title": "Solaris"}})
		}},
		{Name: "rest/embeds/many to many", Run: func(c *C) {
			wantRows(c, "rows", c.Anon().Table("shelves").Select("name,books(id)").Order("id", inner).Lt("id", 100).Order("id"),
				object{"name": "Fiction", "books": list(object{"id": 1.0})},
				object{"name": "Science fiction", "books": list(object{"id": 1.0}, object{"id": 3.0})})
			wantRows(c, "the other way", books(c).Select("id,shelves(name)").Order("name", database.ReferencedTable("shelves")).Eq("id", 1),
				object{"id": 1.0, "shelves": list(object{"name": "Fiction"}, object{"name": "Science fiction"})})
		}},
		{Name: "rest/embeds/of embeds", Run: func(c *C) {
			wantRows(c, "rows", authors(c).Select("name,books(id,blurbs(text),shelves(name))").Eq("id", 2).Order("id", inner).Lt("books.id", 100).
				Order("name", database.ReferencedTable("books.shelves")),
				object{"name": "Lem", "books": list(
					object{"id": 3.0, "blurbs": object{"text": "An ocean that thinks"}, "shelves": list(object{"name": "Science fiction"})},
					object{"id": 4.0, "blurbs": nil, "shelves": list()})})
		}},
		{Name: "rest/embeds/of the table itself", Run: func(c *C) {
			wantRows(c, "rows", c.Anon().Table("shelves").Select("name,parent:parent_id(name)").Lt("id", 100).Order("id"),
				object{"name": "Fiction", "parent": nil}, object{"name": "Science fiction", "parent": object{"name": "Fiction"}})
		}},
		{Name: "rest/embeds/two relationships", Run: func(c *C) {
			wantRows(c, "by name", c.Anon().Table("loans").Select("days,lender:authors!loans_lender_id_fkey(name),borrower:authors!loans_borrower_id_fkey(name)").Eq("id", 1),
				object{"days": 14.0, "lender": object{"name": "Le Guin"}, "borrower": object{"name": "Lem"}})
			_, err := database.All[any](c.Context(), c.Anon().Table("loans").Select("authors(name)"))
			wantError(c, err, nil, "PGRST201")
		}},
		{Name: "rest/embeds/inner", Run: func(c *C) {
			wantRows(c, "filtered", authors(c).Select("name,books!inner(title)").Is("books.in_stock", false), object{"name": "Lem", "books": list(object{"title": "Solaris"})})
			wantRows(c, "unfiltered", authors(c).Select("name,books!inner()"), object{"name": "Le Guin"}, object{"name": "Lem"})
			wantRows(c, "through two", authors(c).Select("id,books!inner(blurbs!inner())").Where(database.Like("text", "An ocean*").Of("books.blurbs")), object{"id": 2.0, "books": list(object{})})
		}},
		{Name: "rest/embeds/left", Run: func(c *C) {
			wantRows(c, "filtered", authors(c).Select("name,books(title)").Where(database.Is("in_stock", false).Of("books")),
				object{"name": "Le Guin", "books": list()}, object{"name": "Lem", "books": list(object{"title": "Solaris"})}, object{"name": "Nobody", "books": list()})
		}},
		{Name: "rest/embeds/those without", Run: func(c *C) {
			wantRows(c, "none", authors(c).Select("name,books()").Is("books", nil), object{"name": "Nobody"})
			wantRows(c, "some", authors(c).Select("name,books()").Not(database.Is("books", nil)), object{"name": "Le Guin"}, object{"name": "Lem"})
		}},
		{Name: "rest/embeds/trees on an embed", Run: func(c *C) {
			wantRows(c, "rows", authors(c).Select("id,books(id)").Order("id", inner).Where(database.Or(database.Eq("id", 1), database.Eq("title", "Solaris")).Of("books")).Lt("id", 3),
				object{"id": 1.0, "books": list(object{"id": 1.0})}, object{"id": 2.0, "books": list(object{"id": 3.0})})
			k := newAuthor(c)
			for _, text := range hostile()[:40] {
				title := "embedded " + text
				_, err := database.Execute(c.Context(), c.Anon().Table("books").Insert(object{"author_id": k, "title": title}))
				must(c, err)
				q := c.Anon().Table("authors").Eq("id", k).Select("books(title)")
				found := object{"books": list(object{"title": title})}
				wantRows(c, text, q.Eq("books.title", title), found)
				wantRows(c, "in a list "+text, q.Where(database.In("title", title, "x").Of("books")), found)
				wantRows(c, "in a tree "+text, q.Where(database.Or(database.Eq("title", title), database.Eq("id", 0)).Of("books")), found)
			}
		}},
		{Name: "rest/embeds/order and limit", Run: func(c *C) {
			wantRows(c, "last book", authors(c).Select("id,books(id)").Order("id", database.Desc, inner).Limit(1, inner).Lt("books.id", 100),
				object{"id": 1.0, "books": list(object{"id": 2.0})}, object{"id": 2.0, "books": list(object{"id": 4.0})}, object{"id": 3.0, "books": list()})
			wantRows(c, "without the first", authors(c).Select("id,books(id)").Order("id", inner).Offset(1, inner).Lt("books.id", 100).Limit(1),
				object{"id": 1.0, "books": list(object{"id": 2.0})})
			wantRows(c, "a range", authors(c).Select("id,books(id)").Order("id", inner).Range(0, 0, inner).Limit(1), object{"id": 1.0, "books": list(object{"id": 1.0})})
			wantRows(c, "under its alias", authors(c).Select("id,mine:books(id)").Order("id", database.Desc, database.ReferencedTable("mine")).
				Limit(1, database.ReferencedTable("mine")).Eq("id", 1), object{"id": 1.0, "mine": list(object{"id": 2.0})})
		}},
		{Name: "rest/embeds/spread", Run: func(c *C) {
			wantRows(c, "row", books(c).Select("id,...authors(author:name,born)").Limit(1), object{"id": 1.0, "author": "Le Guin", "born": "1929-10-21"})
			wantRows(c, "no row", c.Anon().Table("shelves").Select("name,...parent_id(parent:name)").Eq("id", 1), object{"name": "Fiction", "parent": nil})
		}},
		{Name: "rest/embeds/ordered by an embed", Run: func(c *C) {
			wantIDs(c, "down", c.Anon().Table("books").Lt("id", 100).Select("id,authors(name)").Order("authors(name)", database.Desc).Order("id"), 3, 4, 1, 2)
		}},
		{Name: "rest/embeds/of a write", Run: func(c *C) {
			author := newAuthor(c)
			got, err := database.One[object](c.Context(), c.Anon().Table("books").Insert(object{"author_id": author, "title": "x"}).Select("title,authors(id)"))
			must(c, err)
			want(c, "row", got, object{"title": "x", "authors": object{"id": float64(author)}})
			changed, err := database.All[object](c.Context(), c.Anon().Table("books").Update(object{"title": "y"}).Eq("author_id", author).Select("title,...authors(id)"))
			must(c, err)
			want(c, "rows", changed, []object{{"title": "y", "id": float64(author)}})
		}},
		{Name: "rest/embeds/aggregates", Needs: []Feature{Aggregates}, Run: func(c *C) {
			wantRows(c, "rows", c.Anon().Table("books").Lt("id", 100).Select("author_id,price.sum(),n:id.count()").Order("author_id"),
				object{"author_id": 1.0, "sum": 18.49, "n": 2.0}, object{"author_id": 2.0, "sum": 7.25, "n": 2.0})
			wantRows(c, "in an embed", authors(c).Select("id,books(count())").Eq("id", 3), object{"id": 3.0, "books": list(object{"count": 0.0})})
			wantRows(c, "of all", c.Anon().Table("books").Lt("id", 100).Select("count()"), object{"count": 4.0})
		}},
		{Name: "rest/embeds/none such", Run: func(c *C) {
			_, err := database.All[any](c.Context(), books(c).Select("id,nosuch(id)"))
			wantError(c, err, database.ErrUndefined, "PGRST200")
			_, err = database.All[any](c.Context(), books(c).Select("id,authors!nosuch(id)"))
			wantError(c, err, database.ErrUndefined, "PGRST200")
			_, err = database.All[any](c.Context(), books(c).Select("id").Eq("authors.name", "Lem"))
			wantError(c, err, nil, "PGRST108")
		}},
	}
}
