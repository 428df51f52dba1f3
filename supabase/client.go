package supabase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	gotrue "github.com/supabase-community/gotrue-go"
	"github.com/supabase-community/postgrest-go"
	community "github.com/supabase-community/storage-go"

	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/database"
)

// The services of a project, below its address.
const (
	pathRest      = "/rest/v1"
	pathAuth      = "/auth/v1"
	pathStorage   = "/storage/v1"
	pathFunctions = "/functions/v1"
)

// Client is the live client of a connection, as Raw and connection.Do hand it out: the way to the
// community's modules, for who knows them. Everything else is on [Conn].
//
// Each method makes a fresh client for the caller's own use, over the connection's transport and
// with the identity of the view that it comes from, so that nothing which one caller sets reaches
// another. It is safe for concurrent use; what it makes is as safe as its module says. The
// documentation of this package has a table of what replaces their methods, and why.
type Client struct {
	rest, auth, storage, functions *rest.Client

	database *database.Client // over rest

	// The same for reads that the connection tries again.
	once        *database.Client
	storageOnce *rest.Client

	// Functions, since fmt prints no more of one than its address.
	key    func() string
	bearer func() string // a user's token, or the key
	idle   func()        // closes idle connections, unless the http.Client is somebody else's
}

// newClient makes the client of the project at address, as cfg says for each of its services.
func newClient(address string, cfg rest.Config) (*Client, error) {
	key := func() string { return cfg.APIKey }
	c := &Client{key: key, bearer: key, idle: func() {}}
	if cfg.HTTPClient == nil { // one for all services
		cfg.HTTPClient = rest.NewHTTPClient()
		c.idle = cfg.HTTPClient.CloseIdleConnections
	}
	plain := cfg.Header.Clone()
	plain.Del("Accept-Profile")
	plain.Del("Content-Profile")
	for _, service := range []struct {
		client **rest.Client
		path   string
		header http.Header
	}{
		{&c.rest, pathRest, cfg.Header},
		{&c.auth, pathAuth, plain},
		{&c.storage, pathStorage, plain},
		{&c.functions, pathFunctions, plain},
	} {
		of := cfg
		of.BaseURL, of.Header = address+service.path, service.header
		var err error
		if *service.client, err = rest.New(of); err != nil {
			return nil, err
		}
	}
	c.overRest()
	return c, nil
}

func (c *Client) overRest() {
	c.database = database.Over(c.rest)
	c.once = database.Over(c.rest.WithRetry(rest.Retry{Disabled: true}))
	c.storageOnce = c.storage.WithRetry(rest.Retry{Disabled: true})
}

// as is the same client with a user's token in place of the key.
func (c *Client) as(token string) *Client {
	give := func(context.Context) (string, error) { return token, nil }
	n := &Client{
		rest: c.rest.WithToken(give), auth: c.auth.WithToken(give),
		storage: c.storage.WithToken(give), functions: c.functions.WithToken(give),
		key: c.key, bearer: func() string { return token }, idle: func() {},
	}
	n.overRest()
	return n
}

// Close closes idle connections. The connection calls it when it drops the client.
func (c *Client) Close() error {
	c.idle()
	return nil
}

// Ping asks the project whether it is there and takes the key. It is what connection.Ping uses.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.rest.Do(ctx, &rest.Request{Method: http.MethodHead, NoRetry: true})
	if err == nil {
		return nil
	}
	// The root of the database's interface is open to secret keys alone on some projects; where it
	// does not answer, the service for users may.
	if _, other := c.auth.Do(ctx, &rest.Request{Method: http.MethodGet, Path: "health", NoRetry: true}); other == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Message != "" || e.Status < 400 || e.Status >= 500 {
		return err
	}
	// An answer to HEAD has no words for what is wrong; one to GET has.
	s, err := c.rest.Stream(ctx, &rest.Request{Method: http.MethodGet, NoRetry: true})
	if err == nil {
		_ = s.Body.Close()
	}
	return err
}

// Postgrest makes a postgrest-go client of the project's database. Give it one query, and no more:
// it keeps the first error for ever.
func (c *Client) Postgrest() *postgrest.Client {
	client := postgrest.NewClient(c.rest.URL(), "", nil)
	client.Transport.Parent = c.rest.RoundTripper()
	return client
}

// GoTrue makes a gotrue-go client of the project's users. It prints the key, by %v and its kin: do not
// log it.
func (c *Client) GoTrue() gotrue.Client {
	return gotrue.New("", c.key()).
		WithCustomGoTrueURL(c.auth.URL()).
		WithClient(http.Client{Transport: c.auth.RoundTripper()})
}

// Storage makes a storage-go client of the project's files. The module sends through
// http.DefaultTransport and takes no other, and what is set for an upload stays set: give it one
// call, and no more. It prints the key, by %v and its kin: do not log it.
func (c *Client) Storage() *community.Client {
	return community.NewClient(c.storage.URL(), c.bearer(), map[string]string{"apikey": c.key()})
}

// String is the project's address.
func (c *Client) String() string {
	return "supabase.Client(" + c.rest.URL()[:len(c.rest.URL())-len(pathRest)] + ")"
}

// Format writes [Client.String] for every verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is [Client.String].
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
