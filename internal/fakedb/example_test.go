package fakedb_test

import (
	"context"
	"fmt"

	"github.com/streamconn/streamconn/internal/fakedb"
)

func Example() {
	srv := fakedb.New(nil) // in a test: fakedb.New(t)
	srv.On("select name from pets", fakedb.Rows([]string{"name"}, []any{"Rex"}))
	db := srv.Open()

	var name string
	if err := db.QueryRowContext(context.Background(), "select name from pets").Scan(&name); err != nil {
		fmt.Println(err)
	}
	fmt.Println(name, srv.Texts())
	fmt.Println(srv.Problems()) // the pool is still open
	if err := db.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(srv.Problems())
	// Output:
	// Rex [select name from pets]
	// [1 connections never closed]
	// []
}
