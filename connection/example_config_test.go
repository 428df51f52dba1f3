package connection_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// Which kind a connection is of, its section says:
//
//	[connections.my_pets]
//	type = "sqlite"
//	database = ":memory:"
func ExampleGet() {
	reg := connection.Registry{
		Secrets: secrets.Of(map[string]any{ // in a program: secrets.Load(), which is also what nil stands for
			"connections": map[string]any{
				"my_pets": map[string]any{"type": "sqlite", "database": ":memory:"},
			},
		}),
	}
	defer reg.Close()
	connection.Register(&reg, "sqlite", Connect)

	c, err := connection.Get[*sql.DB](context.Background(), &reg, "my_pets")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c)

	_, err = connection.Get[*sql.DB](context.Background(), &reg, "my_birds")
	fmt.Println(err)
	// Output:
	// connection "my_pets" (sqlite)
	// connection "my_birds": open: [connections.my_birds] has no type, and no kind is registered as "my_birds" (registered: sqlite)
}

// One name for all environments: the environment says which section it stands for.
func ExampleOpen_environments() {
	reg := connection.Registry{
		Secrets: secrets.Of(map[string]any{
			"connections": map[string]any{
				"local":   map[string]any{"database": ":memory:"},
				"staging": map[string]any{"database": "staging.db"},
			},
		}),
		Environ: func(name string) (string, bool) { return "staging", name == "DB_CONN" }, // in a program: os.LookupEnv
	}
	c, err := connection.Open(context.Background(), "env:DB_CONN", Connect, connection.In(&reg))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.Name())
	// Output: staging
}

// Explain tells which source won, and never shows a value.
func ExampleExplain() {
	reg := connection.Registry{
		Secrets: secrets.Of(map[string]any{
			"connections": map[string]any{
				"pets": map[string]any{"host": "db.example.com", "user": "jerry", "pasword": "hunter2"},
			},
		}),
		Environ: func(name string) (string, bool) { return "5432", name == "DB_PORT" },
	}
	dial := func(_ context.Context, p *connection.Params) (*sql.DB, error) {
		var cfg struct {
			Host     string         `param:"host,DB_HOST"`
			Port     int            `param:"port,DB_PORT"`
			User     string         `param:"user,DB_USER"`
			Password secrets.Secret `param:"password,DB_PASSWORD,optional"`
		}
		if err := p.Decode(&cfg); err != nil {
			return nil, err
		}
		return sql.Open("sqlite", ":memory:") // in a program: with cfg
	}
	c, err := connection.Open(context.Background(), "pets", dial,
		connection.In(&reg), connection.With("user", "tom"), connection.WithLogger(quiet))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Print(connection.Explain(c))
	// Output:
	// connection "pets"
	//   host     ******  from [connections.pets] in values given in code
	//   port     ******  from $DB_PORT
	//   user     ******  from connection.With
	//   pasword  unread  in [connections.pets]
	//   not given: password
}

// What is missing is named, together with where it was looked for, and what was probably meant.
func ExampleMissingError() {
	reg := connection.Registry{
		Secrets: secrets.Of(map[string]any{
			"connections": map[string]any{"pets": map[string]any{"databse": "pets.db"}},
		}),
		Environ: func(string) (string, bool) { return "", false },
	}
	_, err := connection.Open(context.Background(), "pets", Connect, connection.In(&reg))
	if missing, ok := errors.AsType[*connection.MissingError](err); ok {
		fmt.Println(missing.Param, missing.Near)
	}
	fmt.Println(err)
	// Output:
	// database databse
	// connection "pets": open: no database; [connections.pets] has databse: give it by connection.With("database", …), or by [connections.pets] database, or by $PETS_DATABASE (in the environment or the secrets)
}
