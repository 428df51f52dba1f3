// Customconnection shows a kind of connection of one's own, package quotes, against a service
// that it starts itself.
//
//	go run ./examples/customconnection
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/customconnection/quotes"
	"github.com/streamconn/streamconn/secrets"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	var asked atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, 42.5)
	}))
	defer service.Close()

	// In a service, this is [connections.market] in .streamlit/secrets.toml.
	store := secrets.Of(map[string]any{"connections": map[string]any{
		"market": map[string]any{"type": "quotes", "url": service.URL, "token": "not-for-your-eyes"},
	}})
	conn, err := quotes.Open(ctx, "market", connection.WithSecrets(store))
	if err != nil {
		return err
	}
	defer conn.Close()

	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := conn.Price(ctx, "ACME"); err != nil {
				log.Print(err)
			}
		})
	}
	all.Wait()
	price, err := conn.Price(ctx, "ACME")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ACME costs %.2f. A hundred and one asked; the service was asked %d time.\n\n", price, asked.Load())
	fmt.Fprint(out, connection.Explain(conn))
	return nil
}
