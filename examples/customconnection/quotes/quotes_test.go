package quotes_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/connection/conntest"
	"github.com/streamconn/streamconn/examples/customconnection/quotes"
)

const token = "a-token-that-nobody-may-see"

// service knows the price of everything, for those who have the token.
func service(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("42.5"))
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conntest.Run(t, conntest.Config[*quotes.Client]{
		Connect: quotes.Connect,
		Open: func(ctx context.Context, name string, opts ...connection.Option) (connection.Connection[*quotes.Client], error) {
			c, err := quotes.Open(ctx, name, opts...)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		Params:   map[string]any{"url": service(t).URL, "token": token, "timeout": "5s"},
		Env:      map[string]string{"url": "QUOTES_URL", "token": "QUOTES_TOKEN"},
		Required: []string{"url", "token"},
		Secrets:  []string{"token"},
		Broken:   []map[string]any{{"url": "not a URL"}, {"timeout": "10"}},
	})
}

func TestPriceIsCached(t *testing.T) {
	t.Parallel()
	conn, err := quotes.Open(t.Context(), "market", connection.With("url", service(t).URL), connection.With("token", token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for range 3 {
		if price, err := conn.Price(t.Context(), "ACME"); price != 42.5 || err != nil {
			t.Fatal(price, err)
		}
	}
	if s := connection.Stats(conn).Cache; s.Loads != 1 || s.Hits != 2 {
		t.Errorf("%+v", s)
	}
}

func TestARefusedTokenIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	conn, err := quotes.Open(t.Context(), "market", connection.With("url", service(t).URL), connection.With("token", "wrong"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Price(t.Context(), "ACME"); err == nil {
		t.Fatal("no error")
	}
	if s := connection.Stats(conn); s.Retries != 0 {
		t.Errorf("%+v", s)
	}
}
