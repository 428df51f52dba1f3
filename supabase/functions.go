package supabase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/rest"
)

// Functions are the edge functions of the project.
type Functions struct {
	conn *Conn
	send sender
}

// Functions gives the edge functions of the project. On a view, they are invoked as its user.
func (c *Conn) Functions() *Functions {
	return &Functions{conn: c, send: sender{c.Connection, func(client *Client) *rest.Client { return client.functions }}}
}

// Invocation says how a function is invoked. The zero value is a POST without a body.
type Invocation struct {
	// Method is GET, POST, PUT, PATCH or DELETE; empty is POST. A GET is tried again after faults
	// that pass; everything else is sent once.
	Method string

	// Body is sent as it is if it is a string (text/plain), a []byte (application/octet-stream) or
	// an io.Reader (the same; sent as a stream), and as JSON otherwise. Nil: none. A Content-Type
	// among the headers goes before these.
	Body any

	// Header is added to the request.
	Header http.Header

	// Query is added to the function's address.
	Query url.Values

	// Region is where the function is to run, such as us-east-1; empty: where the platform puts it.
	Region string
}

// Format tells the method alone: bodies and headers are not for logs.
func (i Invocation) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "supabase.Invocation(%s)", i.method())
}

// LogValue is what Format prints.
func (i Invocation) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(i)) }

func (i *Invocation) method() string {
	if i.Method == "" {
		return http.MethodPost
	}
	return strings.ToUpper(i.Method)
}

// FunctionResponse is what a function has answered.
type FunctionResponse struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode decodes a body of JSON into v, a pointer.
func (r *FunctionResponse) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("supabase: the function's answer of type %q: %w", r.Header.Get("Content-Type"), err)
	}
	return nil
}

// Text is the body of an answer as text.
func (r *FunctionResponse) Text() string { return string(r.Body) }

// FunctionError tells that a function has answered with an error, or could not be reached. Status,
// code and message are those of the [*Error] behind it, whose Body is what the function said.
type FunctionError struct {
	Function string
	Relay    bool // it is the platform's: the function did not run
	Err      error

	body func() []byte // a function, since fmt prints no more of it than an address
}

func (e *FunctionError) Error() string {
	if e.Relay {
		return fmt.Sprintf("function %q was not reached: %v", e.Function, e.Err)
	}
	return fmt.Sprintf("function %q: %v", e.Function, e.Err)
}

func (e *FunctionError) Unwrap() error { return e.Err }

// Body is what the function said with its error; nil if it said nothing. It may hold what was sent.
func (e *FunctionError) Body() []byte {
	if e.body != nil {
		return e.body()
	}
	if answer, ok := errors.AsType[*Error](e.Err); ok {
		return answer.Body()
	}
	return nil
}

// Invoke runs a function and reads its whole answer. How may be nil. An answer that is not a 2xx
// is a [*FunctionError], with the body kept.
func (f *Functions) Invoke(ctx context.Context, name string, how *Invocation) (*FunctionResponse, error) {
	r, err := request(name, how)
	if err != nil {
		return nil, connection.Wrap(f.conn, "invoke", err)
	}
	resp, err := f.send.Do(ctx, r)
	if err != nil {
		return nil, f.failed(name, err)
	}
	if resp.Header.Get("X-Relay-Error") == "true" {
		return nil, f.relayed(name, resp.Status, resp.Body)
	}
	return &FunctionResponse{Status: resp.Status, Header: resp.Header, Body: resp.Body}, nil
}

// Stream runs a function and leaves the body of its answer to the caller, who must close it: for
// server-sent events and what is too large for memory. It lives no longer than ctx.
func (f *Functions) Stream(ctx context.Context, name string, how *Invocation) (header http.Header, body io.ReadCloser, err error) {
	r, err := request(name, how)
	if err != nil {
		return nil, nil, connection.Wrap(f.conn, "invoke", err)
	}
	s, err := f.send.Stream(ctx, r)
	if err != nil {
		return nil, nil, f.failed(name, err)
	}
	if s.Header.Get("X-Relay-Error") == "true" {
		text, _ := io.ReadAll(io.LimitReader(s.Body, rest.DefaultMaxErrorBody)) // what there is of it
		_ = s.Body.Close()
		return nil, nil, f.relayed(name, s.Status, text)
	}
	return s.Header, s.Body, nil
}

func (f *Functions) failed(name string, err error) error {
	answer, ok := errors.AsType[*Error](err)
	if !ok {
		return connection.Wrap(f.conn, "invoke", err)
	}
	relay := answer.Status == 0 || answer.Header().Get("X-Relay-Error") == "true"
	return connection.Wrap(f.conn, "invoke", &FunctionError{Function: name, Relay: relay, Err: err})
}

// relayed is the error of the platform that comes as a 2xx.
func (f *Functions) relayed(name string, status int, body []byte) error {
	return connection.Wrap(f.conn, "invoke", &FunctionError{
		Function: name, Relay: true,
		Err:  fmt.Errorf("the platform answered in its place, with status %d and X-Relay-Error", status),
		body: func() []byte { return body },
	})
}

// request is the invocation as it is sent.
func request(name string, how *Invocation) (*rest.Request, error) {
	if name == "" || strings.Trim(name, "/") != name {
		return nil, fmt.Errorf("%w: %q is no name of a function", ErrInvalid, name)
	}
	if how == nil {
		how = new(Invocation)
	}
	r := &rest.Request{
		Method: how.method(),
		Path:   rest.Escape(strings.Split(name, "/")...), // a function may have paths of its own
		Header: how.Header.Clone(),
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	query := url.Values{}
	for key, values := range how.Query {
		query[key] = values
	}
	if how.Region != "" && how.Region != "any" {
		r.Header.Set("X-Region", how.Region)
		query.Set("forceFunctionRegion", how.Region)
	}
	r.Query = query.Encode()
	contentType, err := setBody(r, how.Body)
	if err != nil {
		return nil, err
	}
	if contentType != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType)
	}
	if given := r.Header.Get("Content-Type"); given != "" {
		if _, _, err := mime.ParseMediaType(given); err != nil {
			return nil, fmt.Errorf("%w: Content-Type: %w", ErrInvalid, err)
		}
	}
	return r, nil
}

func setBody(r *rest.Request, body any) (contentType string, err error) {
	switch b := body.(type) {
	case nil:
		return "", nil
	case string:
		r.Body = []byte(b)
		return "text/plain;charset=UTF-8", nil
	case []byte:
		r.Body = b
		if b == nil {
			r.Body = []byte{}
		}
		return "application/octet-stream", nil
	case json.RawMessage:
		r.Body = b
	case io.Reader:
		once := b
		r.NoRetry = true
		r.Open = func() (io.ReadCloser, error) {
			if once == nil {
				return nil, errors.New("the body was read already, and can be read once only")
			}
			reader := once
			once = nil
			if c, ok := reader.(io.ReadCloser); ok {
				return c, nil
			}
			return io.NopCloser(reader), nil
		}
		return "application/octet-stream", nil
	default:
		if r.Body, err = json.Marshal(body); err != nil {
			return "", fmt.Errorf("%w: the body has no form in JSON: %w", ErrInvalid, err)
		}
	}
	return "application/json", nil
}
