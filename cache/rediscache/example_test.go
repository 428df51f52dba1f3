//go:build unix

package rediscache_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/cache/rediscache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

func Example() {
	ctx := context.Background()
	// What a secrets.toml would say. Nobody listens at this address: that is no error.
	store := secrets.Of(map[string]any{"connections": map[string]any{
		"shared_cache": map[string]any{"url": "redis://127.0.0.1:1", "secret": "7c2a6e0f4b1d9385a7c2a6e0f4b1d938"},
		"pets_db":      map[string]any{"url": "sqlite://"},
	}})
	quiet := connection.WithLogger(slog.New(slog.DiscardHandler))

	tier, err := rediscache.Open(ctx, "shared_cache", connection.WithSecrets(store), quiet)
	if err != nil {
		log.Fatal(err)
	}
	defer tier.Close()
	conn, err := sqlconn.Open(ctx, "pets_db", connection.WithSecrets(store), quiet, connection.WithSharedCache(tier))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	pets, err := sqlconn.Query[string](ctx, conn, `select 'cat' union select 'fish'`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pets)
	fmt.Println("up:", tier.Stats().Up)
	// Output:
	// [cat fish]
	// up: false
}
