package supabase

import (
	"net/http"

	gotrue "github.com/supabase-community/gotrue-go"
	"github.com/supabase-community/postgrest-go"
	storage "github.com/supabase-community/storage-go"

	"github.com/streamconn/streamconn/internal/rest"
)

// Client is the live client of a connection, as Raw and connection.Do hand it out: the way to the
// community modules, for who knows them. Everything else is on [Conn].
//
// Each method makes a fresh client for the caller's own use, over the connection's transport and
// with the identity of the view it comes from, so that nothing which one caller sets reaches
// another. It is safe for concurrent use; what it makes is as safe as its module says.
type Client struct {
	rest, auth, storage *rest.Client
	key                 string
}

// Postgrest makes a postgrest-go client of the project's database.
func (c *Client) Postgrest() *postgrest.Client {
	client := postgrest.NewClient(c.rest.URL(), "", nil)
	client.Transport.Parent = c.rest.RoundTripper()
	return client
}

// GoTrue makes a gotrue-go client of the project's users.
func (c *Client) GoTrue() gotrue.Client {
	return gotrue.New("", c.key).
		WithCustomGoTrueURL(c.auth.URL()).
		WithClient(http.Client{Transport: c.auth.RoundTripper()})
}

// Storage makes a storage-go client of the project's files.
func (c *Client) Storage() *storage.Client {
	return storage.NewClient(c.storage.URL(), c.key, map[string]string{"apikey": c.key})
}
