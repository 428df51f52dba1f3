package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/streamconn/streamconn/internal/rest"
)

// apiVersion asks for the errors of the newer form; both are understood.
const apiVersion = "2024-01-01"

// request is one call, before it is JSON.
type request struct {
	method  string
	path    string // escaped
	query   url.Values
	body    any      // nil: none
	token   string   // the bearer, in place of the sender's
	secrets []string // of the body, that no text may hold
	noRetry bool     // a GET that does something
}

// as says which sender a request goes through.
type as int

const (
	asUser  as = iota // with the user's token
	asKey             // with the apikey alone: what needs no user
	asAdmin           // with the key as the bearer
)

// send sends r and decodes the answer into out, unless that is nil.
func (c *Client) send(ctx context.Context, by as, r request, out any) error {
	resp, err := c.do(ctx, by, r)
	if err != nil || out == nil {
		return err
	}
	return r.decode(resp, out)
}

func (r request) decode(resp *rest.Response, out any) error {
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return r.undecodable(err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, by as, r request) (*rest.Response, error) {
	sender := c.user
	req := &rest.Request{
		Method:  r.method,
		Path:    r.path,
		Query:   r.query.Encode(),
		Header:  http.Header{"X-Supabase-Api-Version": {apiVersion}},
		Secrets: r.secrets,
		NoRetry: r.noRetry,
	}
	switch {
	case by == asUser && c.user == nil:
		return nil, errNoUser
	case by == asAdmin && !c.admin:
		return nil, errNoAdmin
	case by == asAdmin:
		sender = c.key
	case by == asKey:
		sender = c.key
		req.Header["Authorization"] = nil // no bearer: a key is nobody who signs in
	}
	if c.from != "" {
		req.Header["Sb-Forwarded-For"] = []string{c.from}
	}
	if r.token != "" {
		value, err := bearerOf(r.token)
		if err != nil {
			return nil, fmt.Errorf("%s /%s: %w", r.method, r.path, err)
		}
		req.Header["Authorization"] = value
	}
	if r.body != nil {
		body, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("auth: the data of %s %s has no form in JSON: %w", r.method, r.path, err)
		}
		req.Body = body
		req.Header["Content-Type"] = []string{"application/json"}
	}
	resp, err := sender.Do(ctx, req)
	if err != nil {
		return nil, ended(err)
	}
	return resp, nil
}

// undecodable is the error of an answer that is not what it should be. It tells where, and holds
// nothing of the answer, which may be a session.
func (r request) undecodable(err error) error {
	why := "it is not what was expected"
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		why = fmt.Sprintf("%q is no %s", wrong.Field, wrong.Type)
	} else if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		why = fmt.Sprintf("it is no JSON (at byte %d); is the URL the project's?", broken.Offset)
	} else if said, ok := errors.AsType[answerError](err); ok {
		why = string(said)
	}
	return fmt.Errorf("auth: the answer to %s /%s: %s", r.method, r.path, why)
}

// answerError says what is wrong with an answer, and holds nothing of it.
type answerError string

func (e answerError) Error() string { return "auth: " + string(e) }

// optional is a query of the pairs that have a value.
func optional(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// captcha is the part of a body that holds the token of a solved captcha.
type captcha struct {
	Token string `json:"captcha_token"`
}

func captchaOf(token string) *captcha {
	if token == "" {
		return nil
	}
	return &captcha{token}
}
