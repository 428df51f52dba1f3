// Environments is one program for two databases: the environment variable DB_CONN says which
// section of the secrets is meant, as in Streamlit.
//
//	DB_CONN=local   go run ./examples/environments
//	DB_CONN=staging go run ./examples/environments
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

//go:embed .streamlit/secrets.toml
var secretsFile []byte

func main() {
	if os.Getenv("DB_CONN") == "" {
		os.Setenv("DB_CONN", "local")
	}
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := ownFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := secrets.Load(secrets.WithWorkingDir(dir))
	if err != nil {
		return err
	}
	conn, err := sqlconn.Open(ctx, "env:DB_CONN", connection.WithSecrets(store))
	if err != nil {
		return err // a section that is not there says so
	}
	defer conn.Close()

	if err := connection.Ping(ctx, conn); err != nil {
		return err
	}
	version, err := sqlconn.QueryOne[string](ctx, conn, `SELECT sqlite_version()`)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "This is %s, on SQLite %s.\n\nIts parameters:\n%v", conn.Name(), version, connection.Explain(conn))
	return nil
}

// ownFolder has this program's secrets in it, wherever it runs. A service needs none of this:
// its secrets are in its working directory, and the registry loads them by itself.
func ownFolder() (string, error) {
	dir, err := os.MkdirTemp("", "environments")
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(filepath.Join(dir, ".streamlit"), 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, ".streamlit", "secrets.toml"), secretsFile, 0o600)
}
