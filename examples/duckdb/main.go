// Duckdb is the custom connection of Streamlit's documentation, to DuckDB, whose driver needs
// cgo. It is a module of its own, so that nobody else needs either.
//
//	cd examples/duckdb && go run .
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/duckdb/duckconn"
	"github.com/streamconn/streamconn/sqlconn"
)

// Pet is a row of pets.
type Pet struct {
	Name string
	Legs int
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "duckdb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	conn, err := duckconn.Open(ctx, "my_duck", connection.With("database", filepath.Join(dir, "pets.duckdb")))
	if err != nil {
		return err
	}
	defer conn.Close()

	if _, err := conn.Exec(ctx, `create table pets as select * from (values ('Tweety', 2), ('Rex', 4)) t(name, legs)`); err != nil {
		return err
	}
	pets, err := sqlconn.Query[Pet](ctx, conn, `select * from pets where legs > :legs order by name`, sqlconn.Params{"legs": 2})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, pets)
	frame, err := conn.Query(ctx, `from pets order by legs`)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, frame)
	return nil
}
