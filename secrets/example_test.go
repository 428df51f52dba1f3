package secrets_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/streamconn/streamconn/secrets"
)

// project makes a folder with .streamlit/secrets.toml in it.
func project(text string) (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".streamlit"), 0o700); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".streamlit", "secrets.toml"), []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}

func Example() {
	dir, remove := project(`
[connections.supabase]
EMAIL_ADDRESS = "jerry@example.com"
PASSWORD = "fish"
`)
	defer remove()

	// A program calls secrets.Load() and so looks in its working directory.
	store, err := secrets.Load(secrets.WithHome(dir), secrets.WithWorkingDir(dir))
	if err != nil {
		log.Fatal(err)
	}
	email, err := store.String("connections", "supabase", "EMAIL_ADDRESS")
	if err != nil {
		log.Fatal(err)
	}
	password, err := store.Secret("connections", "supabase", "PASSWORD")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(email, password, len(password.Reveal()))
	// Output: jerry@example.com REDACTED 4
}

func ExampleLoad_precedence() {
	dir, remove := project(`
[connections.pets]
host = "localhost"
username = "scott"
`)
	defer remove()

	store, err := secrets.Load(
		secrets.WithHome(dir),
		secrets.WithWorkingDir(dir),
		secrets.WithValues(map[string]any{
			"connections": map[string]any{"pets": map[string]any{"host": "db.example.com"}},
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"host", "username"} {
		value, err := store.String("connections", "pets", key)
		if err != nil {
			log.Fatal(err)
		}
		where := strings.TrimPrefix(store.Where("connections", "pets", key), dir+string(filepath.Separator))
		fmt.Printf("%s = %s, from %s\n", key, value, filepath.ToSlash(where))
	}
	// Output:
	// host = db.example.com, from values given in code
	// username = scott, from .streamlit/secrets.toml
}

func ExampleOf() {
	store := secrets.Of(map[string]any{"port": 5432, "debug": true})
	port, err := store.Int("port")
	fmt.Println(port, err)
	fmt.Println(store)
	// Output:
	// 5432 <nil>
	// secrets.Store(1 source)
}

func ExampleStore_Decode() {
	store := secrets.Of(map[string]any{"connections": map[string]any{"pets": map[string]any{
		"host": "localhost", "port": 5432, "password": "fish",
	}}})
	var pets struct {
		Host     string
		Port     int
		Password secrets.Secret
		PoolSize int `toml:"pool_size,optional"`
	}
	if err := store.Decode(&pets, "connections", "pets"); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", pets)
	// Output: {Host:localhost Port:5432 Password:REDACTED PoolSize:0}
}

func ExampleDecodeError() {
	store := secrets.Of(map[string]any{"connections": map[string]any{"pets": map[string]any{
		"hots": "localhost", "port": "fish",
	}}})
	var pets struct {
		Host string
		Port int
		User string
	}
	err := store.Decode(&pets, "connections", "pets")
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", "\n"))
	// Output:
	// secrets: connections.pets in values given in code: no connections.pets.host
	// no connections.pets.user
	// unknown key connections.pets.hots, did you mean host?
	// connections.pets.port in values given in code is a string that spells no integer, not an integer
}

func ExampleMissingError() {
	store := secrets.Of(map[string]any{"connections": map[string]any{"pets": map[string]any{"usrname": "scott"}}})
	_, err := store.String("connections", "pets", "username")
	if missing, ok := errors.AsType[*secrets.MissingError](err); ok {
		fmt.Println(missing)
		fmt.Println(missing.Nearest)
	}
	// Output:
	// secrets: no connections.pets.username in values given in code; did you mean connections.pets.usrname?
	// [connections pets usrname]
}

func ExampleParseError() {
	dir, remove := project("[connections.pets]\npassword = fish\n")
	defer remove()

	_, err := secrets.Load(secrets.WithHome(dir), secrets.WithWorkingDir(dir))
	if parseErr, ok := errors.AsType[*secrets.ParseError](err); ok {
		fmt.Printf("%s, line %d, column %d: %s\n", filepath.Base(parseErr.Path), parseErr.Line, parseErr.Column, parseErr.Reason)
	}
	// Output: secrets.toml, line 2, column 12: no value can begin like this: is the text in quotes?
}

func ExampleStore_OnChange() {
	dir, remove := project(`greeting = "hello"`)
	defer remove()
	store, err := secrets.Load(secrets.WithHome(dir), secrets.WithWorkingDir(dir))
	if err != nil {
		log.Fatal(err)
	}

	cancel := store.OnChange(func() {
		greeting, err := store.String("greeting")
		fmt.Println("now", greeting, err)
	})
	defer cancel()

	// Somebody edits the file. A service has this noticed by go store.Watch(ctx).
	path := filepath.Join(dir, ".streamlit", "secrets.toml")
	if err := os.WriteFile(path, []byte(`greeting = "good morning"`), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := store.Refresh(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", store.Version())
	// Output:
	// now good morning <nil>
	// version 2
}

func ExampleStore_Environ() {
	store := secrets.Of(map[string]any{"SUPABASE_URL": "https://example.supabase.co"})

	// cmd := exec.Command("streamlit", "run", "app.py")
	// cmd.Env = store.Environ()
	for _, pair := range store.Environ() {
		if strings.HasPrefix(pair, "SUPABASE_URL=") {
			fmt.Println(pair)
		}
	}
	// Output: SUPABASE_URL=https://example.supabase.co
}

func ExampleSecret() {
	password := secrets.NewSecret("fish")
	fmt.Printf("%s %v %+v %#v\n", password, password, password, password)
	fmt.Println(password.Reveal(), password.Equal(secrets.NewSecret("fish")))
	// Output:
	// REDACTED REDACTED REDACTED REDACTED
	// fish true
}
