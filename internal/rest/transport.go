package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// RoundTripper gives the client's way to its service to other people's HTTP clients: it sends
// requests as they are, with the credentials of this client in place of theirs, to the service's
// own host and to no other, and follows no redirect itself. Nothing is tried again, and answers
// are handed out whatever their status. Its errors hold no credentials.
//
// A user's own headers (Config.Header) count where the request has none of that name.
func (c *Client) RoundTripper() http.RoundTripper { return guest{hide(c.c.get())} }

// guest is somebody else's client on our way.
type guest struct{ c hidden[core] }

func (t guest) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.c.get()
	call := &call{core: c, r: &Request{Method: req.Method, Header: req.Header}, first: req.URL, url: req.URL}
	refuse := func(err error) (*http.Response, error) {
		if req.Body != nil {
			_ = req.Body.Close() // as the interface wants it
		}
		return nil, err
	}
	path, base := call.path(), strings.TrimSuffix(c.base.EscapedPath(), "/")
	switch {
	case !sameHost(c.base, req.URL):
		return refuse(fmt.Errorf("%w: a request to another host, %s://%s", ErrRedirect, req.URL.Scheme, req.URL.Host))
	case path != base && !strings.HasPrefix(path, base+"/") || checkPath(path) != nil:
		return refuse(errors.New("rest: the request leaves the service: its path is not below the service's address"))
	}
	// Their bearer is that of the moment in which their client was made; ours is that of now.
	header, err := c.headers(req.Context(), &Request{})
	if err != nil {
		return refuse(err)
	}
	sent := req.Clone(req.Context())
	sent.RequestURI = ""
	for name, values := range header {
		_, theirs := sent.Header[name]
		if !theirs || name == "Apikey" || name == "Authorization" || name == "X-Client-Info" {
			sent.Header[name] = values
		}
	}
	if header.Get("Authorization") == "" {
		sent.Header.Del("Authorization")
	}
	call.auth = header.Get("Authorization")
	resp, err := c.exchange(sent)
	if err != nil {
		if ended := req.Context().Err(); ended != nil {
			return nil, ended
		}
		return nil, call.secrets().clean(err)
	}
	return resp, nil
}
