package fakerest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/streamconn/streamconn/internal/fakerest"
)

func Example() {
	s, err := fakerest.New(fakerest.Config{
		Schema: []string{`
			create table authors (id int primary key, name text not null);
			create table books (id int primary key, author_id int references authors, title text, price numeric(6,2));
			insert into authors values (1, 'Le Guin'), (2, 'Lem');
			insert into books values (1, 1, 'The Dispossessed', 9.9), (2, 2, 'Solaris', 7.25);`},
		Functions: map[string]fakerest.Func{
			"raise_prices": func(tx *fakerest.Tx, args fakerest.Args) (any, error) {
				return tx.Query(`update books set price = price + $1 returning title, price`, args["by"])
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask := func(method, path, body string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body)))
		fmt.Println(w.Code, w.Body)
	}
	ask("GET", "/books?select=title,price,authors(name)&price=gt.8", "")
	ask("POST", "/books", `{"id": 1, "title": "Eden"}`)
	ask("POST", "/rpc/raise_prices", `{"by": 0.5}`)
	// Output:
	// 200 [{"title":"The Dispossessed","price":9.90,"authors":{"name": "Le Guin"}}]
	// 409 {"code":"23505","details":"Key (id)=(1) already exists.","hint":null,"message":"duplicate key value violates unique constraint \"books_pkey\""}
	// 200 [{"price":"10.40","title":"The Dispossessed"},{"price":"7.75","title":"Solaris"}]
}
