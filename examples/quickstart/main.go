// Quickstart is the SQLite page of Streamlit's documentation, in Go: pets and their owners
// in a SQLite database that [connections.pets_db] of .streamlit/secrets.toml names.
//
//	go run ./examples/quickstart
//
// It runs in a temporary folder and leaves nothing behind.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver behind sqlite:/// URLs

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

// Owner is a row of pet_owners.
type Owner struct {
	Person string
	Pet    string
}

//go:embed .streamlit/secrets.toml
var secretsFile []byte

const secretsPath = ".streamlit/secrets.toml"

func main() {
	if err := inTemporaryFolder(func() error { return run(context.Background(), os.Stdout) }); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	conn, err := sqlconn.Get(ctx, "pets_db") // one per process, shared by every caller
	if err != nil {
		return err
	}
	defer connection.Default.Close()

	// A session commits when its function returns nil, and rolls back otherwise.
	err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS pet_owners (person TEXT, pet TEXT)`); err != nil {
			return err
		}
		for owner, pet := range map[string]string{"jerry": "fish", "barbara": "cat", "alex": "puppy"} {
			_, err := tx.Exec(ctx, `INSERT INTO pet_owners (person, pet) VALUES (:owner, :pet)`,
				sqlconn.Params{"owner": owner, "pet": pet})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}

	// Typed rows. The second time, they come from the cache.
	const query = `SELECT * FROM pet_owners ORDER BY person`
	var owners []Owner
	first := timed(func() { owners, err = sqlconn.Query[Owner](ctx, conn, query) })
	if err != nil {
		return err
	}
	for _, o := range owners {
		fmt.Fprintf(out, "%s has a :%s:\n", o.Person, o.Pet)
	}
	second := timed(func() { owners, err = sqlconn.Query[Owner](ctx, conn, query) })
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe second read took %v instead of %v: it came from the cache, %.0f times as fast.\n\n",
		second, first, float64(first)/float64(max(second, 1)))

	// The same as a table, for ten minutes at most, and only the cats.
	cats, err := conn.WithTTL(10*time.Minute).Query(ctx,
		`SELECT * FROM pet_owners WHERE pet = :pet`, sqlconn.Params{"pet": "cat"})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, cats)

	return followSecrets(ctx, out, conn)
}

// followSecrets edits the secrets while the program runs: the connection moves to the new
// database by itself, and what was cached of the old one is gone.
func followSecrets(ctx context.Context, out io.Writer, conn *sqlconn.Conn) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	store := connection.Default.Secrets
	moved := make(chan struct{}, 1)
	defer store.OnChange(func() {
		select {
		case moved <- struct{}{}:
		default: // told already; a listener must not wait
		}
	})()
	watching := make(chan error, 1)
	go func() { watching <- store.Watch(ctx) }()

	edited := []byte("[connections.pets_db]\nurl = \"sqlite:///other_pets.db\"\n")
	if err := os.WriteFile(secretsPath+".new", edited, 0o600); err != nil {
		return err
	}
	if err := os.Rename(secretsPath+".new", secretsPath); err != nil { // whole, at one stroke
		return err
	}
	select {
	case <-moved:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the edit of %s was not noticed", secretsPath)
	}

	if _, err := conn.Exec(ctx, `CREATE TABLE pet_owners (person TEXT, pet TEXT)`); err != nil {
		return err
	}
	n, err := sqlconn.QueryOne[int](ctx, conn, `SELECT count(*) FROM pet_owners`)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "After an edit of %s the same connection leads to another database, with %d pets.\n", secretsPath, n)
	stop()
	return ignoreCanceled(<-watching)
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// inTemporaryFolder runs f where it finds the program's secrets and nothing else. In a service
// there is none of this: the secrets are in its working directory, or where
// STREAMCONN_SECRETS says.
func inTemporaryFolder(f func() error) error {
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(filepath.Join(dir, ".streamlit"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, secretsPath), secretsFile, 0o600); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	defer os.Chdir("/") //nolint:errcheck // so that the folder can go
	if connection.Default.Secrets, err = secrets.Load(); err != nil {
		return err
	}
	return f()
}
