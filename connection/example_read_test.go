package connection_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// A dictionary stands for any client: a REST API, a message broker, a file.
type dictionary map[string][]string

// Reads of any client are cached. The key is a text, or the Key of several parts.
func ExampleRead() {
	ctx := context.Background()
	c := connection.Of("dictionary", dictionary{"en": {"one", "two"}, "de": {"eins", "zwei"}})
	defer c.Close()

	words := func(lang string) []string {
		words, err := connection.Read(ctx, c, connection.Key("words", lang), 10*time.Minute, func(_ context.Context, d dictionary) ([]string, error) {
			fmt.Println("reading", lang)
			return d[lang], nil
		})
		if err != nil {
			log.Fatal(err)
		}
		return words
	}
	fmt.Println(words("en"))
	fmt.Println(words("de"))
	mine := words("en")
	mine[0] = "changed" // a copy
	fmt.Println(words("en"))

	languages, err := connection.Read(ctx, c, "languages", cache.Forever, func(_ context.Context, d dictionary) (int, error) { return len(d), nil })
	fmt.Println(languages, err)
	// Output:
	// reading en
	// [one two]
	// reading de
	// [eins zwei]
	// [one two]
	// 2 <nil>
}

// What changes the source goes through Write: it ends what was read before.
func ExampleWrite() {
	ctx := context.Background()
	c := connection.Of("dictionary", dictionary{"en": {"one"}})
	defer c.Close()
	count := func() {
		n, err := connection.Read(ctx, c, "count", cache.Forever, func(_ context.Context, d dictionary) (int, error) { return len(d["en"]), nil })
		fmt.Println(n, err)
	}
	count()
	err := connection.Write(ctx, c, func(d dictionary) error {
		d["en"] = append(d["en"], "two")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	count()
	// Output:
	// 1 <nil>
	// 2 <nil>
}

// Do lends the client: a Reset or Close meanwhile lets the function finish.
func ExampleDo() {
	ctx := context.Background()
	c, err := connection.Open(ctx, "pets", Connect, connection.With("database", ":memory:"))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err = connection.Do(ctx, c, func(db *sql.DB) error {
		if err := c.Reset(); err != nil { // by somebody else, say
			return err
		}
		var version string
		err := db.QueryRowContext(ctx, `select sqlite_version()`).Scan(&version)
		fmt.Println(strings.Count(version, "."), err)
		return err
	})
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// <nil>
}

// A view is the same connection as somebody else, who shares no cached read with anyone.
func ExampleScoped() {
	type api struct{ user string }
	ctx := context.Background()
	c := connection.Of("api", api{user: "service"})
	defer c.Close()

	as := func(user string) connection.Connection[api] {
		return connection.Scoped(c, user, func(api) api { return api{user} })
	}
	whoami := func(c connection.Connection[api]) {
		who, err := connection.Read(ctx, c, "whoami", cache.Forever, func(_ context.Context, a api) (string, error) {
			fmt.Println("asking as", a.user)
			return a.user, nil
		})
		fmt.Println(who, err)
	}
	whoami(c)
	whoami(as("ann"))
	whoami(as("bob"))
	whoami(as("ann")) // another view of the same identity
	// Output:
	// asking as service
	// service <nil>
	// asking as ann
	// ann <nil>
	// asking as bob
	// bob <nil>
	// ann <nil>
}
