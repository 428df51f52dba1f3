package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/streamconn/streamconn/supabase/database"
)

// show prints what a query sends.
func show[R any](q database.Query[R]) {
	r, err := q.Request()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Method, r.Path, r.Query)
	if p := r.Header.Get("Prefer"); p != "" {
		fmt.Println("Prefer:", p)
	}
	if r.Body != nil {
		fmt.Println(string(r.Body))
	}
}

func ExampleAll() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `[{"name":"Ada","age":36},{"name":"Ben","age":41}]`)
	}))
	defer srv.Close()
	db, err := database.New(srv.URL, database.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	type User struct {
		Name string
		Age  int
	}
	users, err := database.All[User](context.Background(), db.Table("users").Select("name, age").Gte("age", 18).Lt("age", 65).Order("name"))
	fmt.Println(users, err)
	// Output: [{Ada 36} {Ben 41}] <nil>
}

func ExampleOne() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotAcceptable)
		_, _ = io.WriteString(w, `{"code":"PGRST116","details":"The result contains 0 rows"}`)
	}))
	defer srv.Close()
	db, err := database.New(srv.URL, database.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	_, err = database.One[map[string]any](context.Background(), db.Table("users").Eq("email", "nobody@example.com"))
	fmt.Println(errors.Is(err, database.ErrNotFound))
	// Output: true
}

func ExampleQuery() {
	open := database.Table("anything", "todos").Select("id, title").Is("done", false)
	show(open.Eq("owner", "ada"))
	show(open.Order("due", database.Desc).Limit(3)) // open itself has not changed
	// Output:
	// GET todos select=id,title&done=is.false&owner=eq.ada
	// GET todos select=id,title&done=is.false&order=due.desc&limit=3
}

func ExampleOr() {
	show(database.Table("anything", "books").Where(
		database.Or(
			database.Eq("id", 1),
			database.And(database.Gt("id", 2), database.Not(database.Is("in_stock", true))),
		),
	))
	// Output: GET books or=(id.eq.1,and(id.gt.2,in_stock.not.is.true))
}

func ExampleQuery_Upsert() {
	rows := []map[string]any{{"name": "Ada", "born": 1815}, {"name": "Ben"}}
	show(database.Table("anything", "authors").Upsert(rows).OnConflict("name").MissingDefault().Select("id"))
	// Output:
	// POST authors select=id&columns=%22born%22,%22name%22&on_conflict=name
	// Prefer: resolution=merge-duplicates,return=representation,missing=default
	// [{"born":1815,"name":"Ada"},{"name":"Ben"}]
}

func ExampleQuery_Delete() {
	users := database.Table("anything", "users")
	show(users.Delete())
	show(users.Delete().Lt("last_seen", 2020).MaxAffected(10))
	show(users.Delete().AllRows())
	// Output:
	// database: Delete of users has no filter that leaves out a row: add one, or AllRows if all are meant
	// DELETE users last_seen=lt.2020
	// Prefer: handling=strict,max-affected=10
	// DELETE users
}

func ExampleRPC() {
	books := database.RPC("anything", "books_by", map[string]any{"author": "Lem"})
	show(books.Order("title"))
	show(books.Get().Gt("price", 5)) // a read
	// Output:
	// POST rpc/books_by order=title
	// {"author":"Lem"}
	// GET rpc/books_by author=Lem&price=gt.5
}

func ExampleReferencedTable() {
	books := database.ReferencedTable("books")
	show(database.Table("anything", "authors").Select("name, books(title)").Order("price", database.Desc, books).Limit(1, books))
	// Output: GET authors select=name,books(title)&books.order=price.desc&books.limit=1
}

func ExampleOn() {
	kept := database.Table("ada", "todos").Select("*")
	fmt.Println(kept.Runner(), database.On(kept, "ben").Runner())
	// Output: ada ben
}

func ExampleIdent() {
	show(database.Table("anything", "t").Select("id", database.Ident("First, Name")))
	// Output: GET t select=id,%22First,%20Name%22
}

func ExampleRows() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]string{"0": "[1,2]", "2": "[3]"}
		body, ok := pages[r.URL.Query().Get("offset")]
		if !ok {
			body = "[]"
		}
		_, _ = io.WriteString(w, body)
	}))
	defer srv.Close()
	db, err := database.New(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	for n, err := range database.Rows[int](context.Background(), db.Table("numbers").Order("n"), 2) {
		fmt.Println(n, err)
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}
