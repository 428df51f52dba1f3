// Package quotes is a kind of connection of one's own: to an HTTP service that knows prices.
// Its client and its parameters are its own; everything else it has from package connection.
package quotes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// Client talks to the service.
type Client struct {
	base  *url.URL
	token secrets.Secret // does not print itself
	http  *http.Client
}

// Connect makes the client: it is the [connection.Factory]. Each parameter comes from an option,
// else from the section of the secrets, else from the environment.
func Connect(_ context.Context, p *connection.Params) (*Client, error) {
	address, err := p.String("url", "QUOTES_URL")
	if err != nil {
		return nil, err
	}
	token, err := p.Secret("token", "QUOTES_TOKEN")
	if err != nil {
		return nil, err
	}
	timeout, err := p.DurationOr("timeout", 10*time.Second)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("url of connection %q is no URL", p.Name()) // without the text: it may hold a password
	}
	return &Client{base: base, token: token, http: &http.Client{Timeout: timeout}}, nil
}

// Close lets go of idle connections. Reset and Close of the connection call it.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Price asks the service.
func (c *Client) Price(ctx context.Context, symbol string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("price", symbol).String(), nil)
	if err != nil {
		return 0, fmt.Errorf("no request for %q", symbol)
	}
	r.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	answer, err := c.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, &StatusError{answer.StatusCode}
	}
	var price float64
	if err := json.NewDecoder(answer.Body).Decode(&price); err != nil {
		return 0, fmt.Errorf("the answer for %q is no price: %w", symbol, err)
	}
	return price, nil
}

// StatusError is an answer that is no price.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return "quotes: " + http.StatusText(e.Status) }

// Transient says when it is worth asking again; reads then are, by themselves.
func (e *StatusError) Transient() bool { return e.Status == http.StatusServiceUnavailable }

// Conn is a connection to the service, with cached prices.
type Conn struct {
	connection.Connection[*Client]
}

var kind = &connection.Kind[*Client, *Conn]{
	Name:    "quotes",
	Connect: Connect,
	Wrap:    func(c connection.Connection[*Client]) *Conn { return &Conn{c} },
}

// Get gives the connection that the whole process shares.
func Get(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	return kind.Get(ctx, name, opts...)
}

// Open opens a connection of the caller's own.
func Open(ctx context.Context, name string, opts ...connection.Option) (*Conn, error) {
	return kind.Open(ctx, name, opts...)
}

// Price gives the price of a symbol, at most a minute old. However many ask, the service is
// asked once.
func (c *Conn) Price(ctx context.Context, symbol string) (float64, error) {
	return connection.Read(ctx, c, connection.Key("price", symbol), time.Minute,
		func(ctx context.Context, client *Client) (float64, error) { return client.Price(ctx, symbol) })
}
