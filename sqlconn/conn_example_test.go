package sqlconn_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

type Owner struct {
	Person string
	Pet    string
}

// The SQLite page of Streamlit's documentation. In a service, the registry is connection.Default,
// and the secrets are those of .streamlit/secrets.toml.
func Example() {
	ctx := context.Background()
	reg := connection.Registry{Secrets: secrets.Of(map[string]any{
		"connections": map[string]any{"pets_db": map[string]any{"url": "sqlite://", "ttl": "1h"}},
	})}
	defer reg.Close()

	conn, err := sqlconn.Get(ctx, "pets_db", connection.In(&reg))
	if err != nil {
		panic(err)
	}
	err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
		if _, err := tx.Exec(ctx, `create table pet_owners (person text, pet text)`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO pet_owners (person, pet) VALUES (:owner, :pet)`, sqlconn.Params{"owner": "jerry", "pet": "fish"})
		if err != nil {
			return err
		}
		_, err = sqlconn.Query[Owner](ctx, tx, `select * from pet_owners`) // inside a session: never cached
		return err
	})
	if err != nil {
		panic(err)
	}
	owners, err := sqlconn.Query[Owner](ctx, conn, `select * from pet_owners`) // cached for the ttl, or until a write through conn
	fmt.Println(owners, err)
	cats, err := sqlconn.Query[Owner](ctx, conn.WithTTL(10*time.Minute), `select * from pet_owners where pet = :pet`, sqlconn.Params{"pet": "cat"})
	fmt.Println(cats, err)
	n, err := sqlconn.QueryOne[int](ctx, conn.WithTTL(0), `select count(*) from pet_owners`) // never cached
	fmt.Println(n, err)
	for o, err := range sqlconn.Rows[Owner](ctx, conn, `select * from pet_owners`) { // streamed, never cached
		fmt.Println(o, err)
	}
	frame, err := conn.Query(ctx, `select * from pet_owners`) // no struct at hand
	if err != nil {
		panic(err)
	}
	fmt.Println(frame)
	_, err = conn.Exec(ctx, `delete from pet_owners`)
	if err != nil {
		panic(err)
	}
	err = connection.Ping(ctx, conn)
	connection.Clear(conn)
	conn.ClearQuery(`select * from pet_owners`)
	fmt.Println(err)
	// Output:
	// [{jerry fish}] <nil>
	// [] <nil>
	// 1 <nil>
	// {jerry fish} <nil>
	// person  pet
	// ------  ----
	// jerry   fish
	// (1 row)
	//
	// <nil>
}

// The columns of a join go to structs in fields, by a dot. A left join's that are all NULL make no struct.
func ExampleQuery_join() {
	ctx := context.Background()
	conn, err := sqlconn.Open(ctx, "pets", sqlconn.WithURL("sqlite://"), connection.WithDefaultTTL(time.Hour))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
		for _, statement := range []string{
			`create table owners (id integer, name text)`, `insert into owners values (1, 'jerry'), (2, 'alex')`,
			`create table pets (id integer, name text, owner_id integer)`, `insert into pets values (7, 'bubbles', 1)`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		panic(err)
	}

	type Pet struct {
		ID   int
		Name string
	}
	type Owner struct {
		ID   int
		Name string
		Pet  *Pet // nil for who has none
	}
	owners, err := sqlconn.Query[Owner](ctx, conn, `
		select o.id, o.name, p.id as "pet.id", p.name as "pet.name"
		from owners o left join pets p on p.owner_id = o.id
		order by o.id`)
	if err != nil {
		panic(err)
	}
	for _, o := range owners {
		if o.Pet == nil {
			fmt.Println(o.Name, "has no pet")
			continue
		}
		fmt.Println(o.Name, "has", o.Pet.Name)
	}
	// Output:
	// jerry has bubbles
	// alex has no pet
}

// Options beat secrets, and "env:" takes the connection's name from the environment.
func ExampleOpen() {
	ctx := context.Background()
	environ := func(name string) (string, bool) { return "local", name == "DB_CONN" }

	u := "sqlite://"
	conn, err := sqlconn.Open(ctx, "env:DB_CONN", sqlconn.WithURL(u), connection.With("pool_size", 20), connection.WithDefaultTTL(time.Hour),
		connection.WithEnviron(environ))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Println(conn.Name())
	fmt.Print(connection.Explain(conn))
	// Output:
	// local
	// connection "local" (sql)
	//   url        ******  from connection.With
	//   pool_size  ******  from connection.With
	//   not given: url_env, dialect, driver, username, password, host, port, database, query, create_engine_kwargs, max_overflow, pool_recycle, pool_timeout, pool_pre_ping, isolation_level, autocommit, echo, connect_args, execution_options, poolclass, opener
}

// Any connection to a *sql.DB gets typed, cached queries: here one of a kind of its own.
func ExampleNew() {
	ctx := context.Background()
	connect := func(ctx context.Context, p *connection.Params) (*sql.DB, error) {
		path, err := p.String("database", "MY_DATABASE")
		if err != nil {
			return nil, err
		}
		return sql.Open("sqlite", path)
	}
	c, err := connection.Open(ctx, "mine", connect, connection.With("database", ":memory:"))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	sum, err := sqlconn.QueryOne[int](ctx, sqlconn.New(c), `select :a + :b`, sqlconn.Params{"a": 1, "b": 2})
	fmt.Println(sum, err)
	// Output: 3 <nil>
}

// A test gives the code under test a database of its own: here one that it has opened itself.
func ExampleNew_test() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	defer db.Close() // which stays the caller's: the connection does not close it
	conn := sqlconn.New(connection.Of("pets", db))
	defer conn.Close()
	pet, err := sqlconn.QueryOne[string](ctx, conn, `select :pet`, sqlconn.Params{"pet": "cat"})
	fmt.Println(pet, err)
	// Output: cat <nil>
}

// A frame has named, typed columns, prints as a table, and writes CSV and JSON.
func ExampleConn_Query() {
	ctx := context.Background()
	conn, err := sqlconn.Open(ctx, "pets", sqlconn.WithURL("sqlite://"), connection.WithDefaultTTL(cache.Forever))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	frame, err := conn.Query(ctx, `select 'jerry' as person, 3 as pets union all select 'alex', null`)
	if err != nil {
		panic(err)
	}
	var csv strings.Builder
	if err := frame.WriteCSV(&csv); err != nil {
		panic(err)
	}
	fmt.Print(strings.ReplaceAll(csv.String(), "\r\n", "\n")) // RFC 4180 ends lines with both
	if err := frame.WriteJSON(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// person,pets
	// jerry,3
	// alex,
	// [
	// {"person":"jerry","pets":3},
	// {"person":"alex","pets":null}
	// ]
}
