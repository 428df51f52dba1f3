package connection_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// Connect is all that a kind of connection has to write.
func Connect(ctx context.Context, p *connection.Params) (*sql.DB, error) {
	path, err := p.String("database", "PETS_DATABASE")
	if err != nil {
		return nil, err
	}
	return sql.Open("sqlite", path)
}

// A kind of your own in fifteen lines: here SQLite, by a driver that knows nothing of this package.
func Example() {
	ctx := context.Background()
	c, err := connection.Open(ctx, "my_pets", Connect, connection.With("database", "file:example?mode=memory&cache=shared"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	err = connection.Write(ctx, c, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `create table pets (name text); insert into pets values ('Rex'), ('Tom')`)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	count := func(ctx context.Context, db *sql.DB) (n int, err error) {
		fmt.Println("counting")
		err = db.QueryRowContext(ctx, `select count(*) from pets`).Scan(&n)
		return n, err
	}
	for range 2 { // the second one comes from the cache
		n, err := connection.Read(ctx, c, "count", cache.Forever, count)
		fmt.Println(n, err)
	}
	// Output:
	// counting
	// 2 <nil>
	// 2 <nil>
}

// With a wrapper, a kind has methods of its own. Everything of this package works on it.
func ExampleKind() {
	type pets struct {
		connection.Connection[*sql.DB]
	}
	kind := &connection.Kind[*sql.DB, *pets]{
		Name:    "pets",
		Connect: Connect,
		Wrap:    func(c connection.Connection[*sql.DB]) *pets { return &pets{c} },
	}

	var reg connection.Registry
	defer reg.Close()
	ctx := context.Background()
	a, err := kind.Get(ctx, "cats", connection.In(&reg), connection.With("database", ":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	b, err := kind.Get(ctx, "cats", connection.In(&reg), connection.With("database", ":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a == b, connection.Ping(ctx, a))
	// Output: true <nil>
}
