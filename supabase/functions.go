package supabase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"

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
	// an io.Reader (the same; sent as a stream, once, and closed afterwards if it can be), and as
	// JSON otherwise. Nil: none. A Content-Type among the headers goes before these.
	Body any

	// Header is added to the request; its Authorization and apikey go before the connection's. It is
	// not changed.
	Header http.Header

	// Query is added to the function's address. It is not changed.
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

// MarshalText is what Format prints.
func (i Invocation) MarshalText() ([]byte, error) { return fmt.Append(nil, i), nil }

func (i *Invocation) method() string {
	if i.Method == "" {
		return http.MethodPost
	}
	return strings.ToUpper(i.Method)
}

// FunctionResponse is what a function has answered. It prints as its status and length.
type FunctionResponse struct {
	Status int
	Header http.Header
	Body   []byte
}

// Format tells the status and the length: bodies and headers are not for logs.
func (r FunctionResponse) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "supabase.FunctionResponse(%d, %d bytes)", r.Status, len(r.Body))
}

// LogValue is what Format prints.
func (r FunctionResponse) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText is what Format prints; the body itself is what [FunctionResponse.Decode] and Body are
// for.
func (r FunctionResponse) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// Decode decodes a body of JSON into v, a pointer.
func (r *FunctionResponse) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("supabase: the function's answer of type %q: %w", r.Header.Get("Content-Type"), err)
	}
	return nil
}

// Text is the body of an answer as text.
func (r *FunctionResponse) Text() string { return string(r.Body) }

// FunctionError tells that a function has answered with an error, or that no answer came. Status,
// code and message are those of the [*Error] behind it, whose Body is what the function said.
type FunctionError struct {
	Function string
	Relay    bool // the platform has answered in its place: the function did not run
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

// Invoke runs a function and reads its whole answer. A name may have a path below it, hello/world.
// How may be nil. An answer that is not a 2xx is a [*FunctionError], with the body kept; what
// cannot be sent as it is meant is [ErrInvalid].
func (f *Functions) Invoke(ctx context.Context, name string, how *Invocation) (*FunctionResponse, error) {
	r, done, err := request(name, how)
	defer done()
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
	r, done, err := request(name, how)
	defer done()
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
	answer, ok := err.(*Error) //nolint:errorlint // what is deeper is of another request, such as a renewal
	if !ok {
		return connection.Wrap(f.conn, "invoke", err)
	}
	relay := answer.Header().Get("X-Relay-Error") == "true"
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

// request is the invocation as it is sent, and what is to be done when it is over.
func request(name string, how *Invocation) (r *rest.Request, done func(), err error) {
	if how == nil {
		how = new(Invocation)
	}
	r = &rest.Request{Method: how.method(), Header: http.Header{}}
	contentType, done, err := setBody(r, how.Body)
	if err != nil {
		return nil, done, err
	}
	if r.Path, err = functionPath(name); err != nil {
		return nil, done, err
	}
	if strings.ContainsFunc(r.Method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return nil, done, fmt.Errorf("%w: %q is no method of HTTP", ErrInvalid, r.Method)
	}
	for name, values := range how.Header { // however it is written: there is one of each
		name = http.CanonicalHeaderKey(name)
		r.Header[name] = append(r.Header[name], values...)
	}
	query := maps.Clone(how.Query)
	if how.Region != "" && how.Region != "any" {
		if query == nil {
			query = url.Values{}
		}
		r.Header.Set("X-Region", how.Region)
		query.Set("forceFunctionRegion", how.Region)
	}
	r.Query = query.Encode()
	if contentType != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType)
	}
	if given := r.Header.Get("Content-Type"); given != "" {
		if _, _, err := mime.ParseMediaType(given); err != nil {
			return nil, done, fmt.Errorf("%w: Content-Type: %w", ErrInvalid, err)
		}
	}
	return r, done, nil
}

// functionPath is the path of a function, which may have paths of its own.
func functionPath(name string) (string, error) {
	segments := strings.Split(name, "/")
	for _, s := range segments {
		if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, unicode.IsControl) {
			return "", fmt.Errorf("%w: %q is no name of a function", ErrInvalid, name)
		}
	}
	if strings.ContainsAny(segments[0], "?#") {
		return "", fmt.Errorf("%w: the name of a function has no query: use Invocation.Query", ErrInvalid)
	}
	return rest.Escape(segments...), nil
}

// setBody sets the request's body, and says what it is. What it gives to be done closes a reader
// that was not sent.
func setBody(r *rest.Request, body any) (contentType string, done func(), err error) {
	done = func() {}
	switch b := body.(type) {
	case nil:
		return "", done, nil
	case string:
		r.Body = []byte(b)
		return "text/plain;charset=UTF-8", done, nil
	case []byte:
		r.Body = b
		if b == nil {
			r.Body = []byte{}
		}
		return "application/octet-stream", done, nil
	case json.RawMessage:
		r.Body = b
	case io.Reader:
		once := &streamedBody{Reader: b}
		r.Open, r.NoRetry = once.open, true
		if sized, ok := b.(interface{ Len() int }); ok { // bytes.Reader, bytes.Buffer, strings.Reader
			r.Length = int64(sized.Len())
		}
		return "application/octet-stream", once.abandon, nil
	default:
		if r.Body, err = json.Marshal(body); err != nil {
			return "", done, fmt.Errorf("%w: the body has no form in JSON: %w", ErrInvalid, err)
		}
	}
	return "application/json", done, nil
}

// streamedBody is a body that can be read once only.
type streamedBody struct {
	io.Reader
	opened bool
}

func (b *streamedBody) open() (io.ReadCloser, error) {
	if b.opened {
		return nil, errors.New("the body was read already, and can be read once only")
	}
	b.opened = true
	return b, nil
}

// Close closes the reader, if it can be closed.
func (b *streamedBody) Close() error {
	if c, ok := b.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// abandon closes a reader that nobody has opened, so that who writes into it is not left waiting.
func (b *streamedBody) abandon() {
	if !b.opened {
		_ = b.Close()
	}
}
