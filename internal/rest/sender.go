package rest

import "context"

// Sender sends requests to one service: a [Client], or what lends one for each request, as a
// connection does whose client may be replaced. It is safe for concurrent use.
type Sender interface {
	// Do sends a request and reads the whole answer: see [Client.Do].
	Do(ctx context.Context, r *Request) (*Response, error)
	// Stream sends a request and leaves the body of the answer to the caller: see [Client.Stream].
	Stream(ctx context.Context, r *Request) (*Stream, error)
	// Base is the service's address, without a slash at its end, for addresses that are made
	// without a request.
	Base(ctx context.Context) (string, error)
}

var _ Sender = (*Client)(nil)

// Base is [Client.URL], for a [Sender].
func (c *Client) Base(context.Context) (string, error) { return c.URL(), nil }
