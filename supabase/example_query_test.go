package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/streamconn/streamconn/supabase"
)

func ExampleQuery() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	type User struct {
		Name string
		Team struct{ Name string } `json:"teams"`
	}

	// Filters on one column are joined, and a query can be kept: it never changes.
	users, err := supabase.Query[User](context.Background(), sb.WithTTL(15*time.Minute).Table("users").
		Select("name, teams(name)").Gte("age", 18).Lt("age", 65).Order("created_at", supabase.Desc))
	fmt.Println(users, err)
	// Output: [{Ada {engines}} {Grace {compilers}}] <nil>
}

func ExampleQueryOne() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	type User struct {
		Name string
		Age  int
	}
	ctx := context.Background()
	users := sb.Table("users").Select("name, age")

	u, err := supabase.QueryOne[User](ctx, users.Eq("email", "ada@example.com"))
	fmt.Println(u, err)
	_, err = supabase.QueryOne[User](ctx, users.Eq("email", "nobody@example.com"))
	fmt.Println(errors.Is(err, supabase.ErrNotFound))
	_, err = supabase.QueryOne[User](ctx, users)
	fmt.Println(errors.Is(err, supabase.ErrMultipleRows))
	// Output:
	// {Ada 36} <nil>
	// true
	// true
}

func ExampleQueryPage() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	type User struct{ Name string }

	page, err := supabase.QueryPage[User](context.Background(),
		sb.Table("users").Select("name").Order("name").Count(supabase.Exact).Range(0, 1))
	fmt.Println(page.Rows, "of", page.Total, err)
	// Output: [{Ada} {Grace}] of 3 <nil>
}

// All rows, however few the project gives at once.
func ExampleRows() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	type User struct{ Name string }

	for u, err := range supabase.Rows[User](context.Background(), sb.Table("users").Select("name").Order("id"), 2) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(u.Name)
	}
	// Output:
	// Ada
	// Grace
	// Kay
}

func ExampleCount() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()

	n, err := supabase.Count(context.Background(), sb.Table("users").Lt("age", 18))
	fmt.Println(n, err)
	// Output: 1 <nil>
}

// A write runs exactly once and ends what was cached, for every user.
func ExampleExecute() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	type User struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}
	ctx := context.Background()
	young := sb.Table("users").Select("name, age").Lt("age", 30)
	fmt.Println(supabase.Query[User](ctx, young))

	res, err := supabase.Execute(ctx, sb.Table("users").Insert([]User{{"Linus", 21}, {"Rob", 25}}))
	fmt.Println(res.Status, err)
	fmt.Println(supabase.Query[User](ctx, young.Order("age")))

	// With Select, a write gives the rows that it wrote.
	fmt.Println(supabase.Query[User](ctx, sb.Table("users").Update(map[string]int{"age": 18}).Eq("name", "Kay").Select("name, age")))
	_, err = supabase.Execute(ctx, sb.Table("users").Delete())
	fmt.Println(errors.Is(err, supabase.ErrNoFilter)) // nothing was sent
	// Output:
	// [{Kay 17}] <nil>
	// 201 <nil>
	// [{Kay 17} {Linus 21} {Rob 25}] <nil>
	// [{Kay 18}] <nil>
	// true
}

func ExampleConn_RPC() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()
	ctx := context.Background()

	sum, err := supabase.QueryOne[int](ctx, sb.RPC("add_them", map[string]any{"a": 1, "b": 2}))
	fmt.Println(sum, err)
	sum, err = supabase.QueryOne[int](ctx, sb.RPC("add_them", map[string]any{"a": 1, "b": 2}).Get()) // a read: cached
	fmt.Println(sum, err)
	// Output:
	// 3 <nil>
	// 3 <nil>
}

// What an error is, the service's own code tells.
func ExampleError() {
	srv, sb := exampleProject()
	defer srv.Close()
	defer sb.Close()

	_, err := supabase.Execute(context.Background(), sb.Table("users").Insert(map[string]any{"name": "Ada", "email": "ada@example.com"}))
	if e, ok := errors.AsType[*supabase.Error](err); ok {
		fmt.Println(e.Status, e.Code, errors.Is(err, supabase.ErrConflict))
	}
	fmt.Println(err)
	// Output:
	// 409 23505 true
	// connection "example" (supabase): execute: POST /rest/v1/users: 409 23505: duplicate key value violates unique constraint "users_email_key"
}
