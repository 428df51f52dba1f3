package supabase_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
)

const helloPath = "/functions/v1/hello"

// echoing answers each function with what it was sent.
func echoing() *server {
	return &server{answer: func(r *request) (int, string) { return 200, r.Body }}
}

// closing is a reader that tells whether it was closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error {
	c.closed++
	return nil
}

func TestFunctionBodiesOfEveryKind(t *testing.T) {
	t.Parallel()
	type greeting struct {
		Name string `json:"name"`
	}
	for _, test := range []struct {
		name        string
		body        any
		header      http.Header
		want        string
		contentType string
	}{
		{"none", nil, nil, "", ""},
		{"a text", "hällo", nil, "hällo", "text/plain;charset=UTF-8"},
		{"an empty text", "", nil, "", "text/plain;charset=UTF-8"},
		{"bytes", []byte{0, 1, 255}, nil, "\x00\x01\xff", "application/octet-stream"},
		{"no bytes", []byte(nil), nil, "", "application/octet-stream"},
		{"a reader", io.MultiReader(strings.NewReader("str"), strings.NewReader("eam")), nil, "stream", "application/octet-stream"},
		{"a struct", greeting{"Ann"}, nil, `{"name":"Ann"}`, "application/json"},
		{"a map", map[string]any{"n": 1, "list": []int{1, 2}}, nil, `{"list":[1,2],"n":1}`, "application/json"},
		{"a slice", []greeting{{"a"}, {"b"}}, nil, `[{"name":"a"},{"name":"b"}]`, "application/json"},
		{"a number", 12, nil, `12`, "application/json"},
		{"false", false, nil, `false`, "application/json"},
		{"raw JSON", json.RawMessage(`{ "a" :1}`), nil, `{ "a" :1}`, "application/json"},
		{"a nil pointer", (*greeting)(nil), nil, `null`, "application/json"},
		{"a text with a type of its own", "<a/>", http.Header{"Content-Type": {"text/xml"}}, "<a/>", "text/xml"},
		{"the same, in lower case", "<a/>", http.Header{"content-type": {"text/xml"}}, "<a/>", "text/xml"},
		{"bytes with a type of their own", []byte("{}"), http.Header{"CONTENT-TYPE": {"application/json; charset=utf-8"}}, "{}", "application/json; charset=utf-8"},
		{"a struct with a type of its own", greeting{"Ann"}, http.Header{"Content-Type": {"application/vnd.greeting+json"}}, `{"name":"Ann"}`, "application/vnd.greeting+json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := echoing()
			sb := open(t, srv)
			before := test.header.Clone()
			resp, err := sb.Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Body: test.body, Header: test.header})
			if err != nil || resp.Text() != test.want {
				t.Fatalf("answered %v, %v; want the body %q", resp, err, test.want)
			}
			got := srv.got[0]
			if types := got.Header.Values("Content-Type"); got.Method != http.MethodPost || got.Path != helloPath ||
				strings.Join(types, "|") != test.contentType {
				t.Errorf("sent %s %s with the types %q, want %q", got.Method, got.Path, types, test.contentType)
			}
			if fmt.Sprint(test.header) != fmt.Sprint(before) {
				t.Errorf("the caller's header became %v", test.header)
			}
		})
	}
}

func TestFunctionReaders(t *testing.T) {
	t.Parallel()
	var lengths []int64
	fail := false
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		lengths = append(lengths, r.ContentLength)
		if fail {
			_ = r.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return (&server{answer: func(r *request) (int, string) { return 200, r.Body }}).RoundTrip(r)
	})
	sb := open(t, nil, supabase.WithHTTPClient(&http.Client{Transport: transport}))
	invoke := func(ctx context.Context, name, method string, body io.Reader) error {
		_, err := sb.Functions().Invoke(ctx, name, &supabase.Invocation{Method: method, Body: body})
		return err
	}
	// What says how long it is, is sent with its length.
	for _, body := range []io.Reader{strings.NewReader("four"), bytes.NewReader([]byte("four")), bytes.NewBufferString("four"), io.MultiReader(strings.NewReader("four"))} {
		if err := invoke(t.Context(), "hello", "", body); err != nil {
			t.Error(err)
		}
	}
	if want := []int64{4, 4, 4, 0}; !slices.Equal(lengths, want) {
		t.Errorf("sent with the lengths %v, want %v", lengths, want)
	}
	// It is closed once, whatever becomes of the call.
	lengths = nil
	for name, run := range map[string]func(io.Reader) error{
		"sent":         func(r io.Reader) error { return invoke(t.Context(), "hello", "", r) },
		"invalid name": func(r io.Reader) error { return invoke(t.Context(), "", "", r) },
		"invalid type": func(r io.Reader) error {
			_, err := sb.Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Body: r, Header: http.Header{"Content-Type": {"/"}}})
			return err
		},
		"canceled": func(r io.Reader) error { return invoke(canceled(t), "hello", "", r) },
		"nobody": func(r io.Reader) error {
			_, err := sb.As(nil).Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Body: r})
			return err
		},
	} {
		body := &closing{Reader: strings.NewReader("x")}
		if err := run(body); (err == nil) != (name == "sent") || body.closed != 1 {
			t.Errorf("%s: closed %d times, %v", name, body.closed, err)
		}
	}
	// It is sent once, whatever the method: nobody could read it a second time.
	fail, lengths = true, nil
	if err := invoke(t.Context(), "hello", http.MethodGet, strings.NewReader("x")); !errors.Is(err, io.ErrUnexpectedEOF) || len(lengths) != 1 {
		t.Errorf("sent %d times: %v", len(lengths), err)
	}
}

func TestFunctionHeadersQueryRegionAndMethod(t *testing.T) {
	t.Parallel()
	srv := echoing()
	sb := open(t, srv, supabase.WithSchema("shop"), supabase.WithHeaders(map[string]string{"X-Tenant": "a"}))
	query := url.Values{"q": {"a b", "&=?"}}
	how := &supabase.Invocation{
		Method: "patch", Region: "us-east-1", Query: query,
		Header: http.Header{"x-one": {"1"}, "X-Tenant": {"b"}, "X-Many": {"1", "2"}},
	}
	for range 2 { // nothing of the first is left in what the caller keeps
		if _, err := sb.Functions().Invoke(t.Context(), "hello/deep path/ünder", how); err != nil {
			t.Fatal(err)
		}
	}
	if len(query) != 1 || len(how.Header) != 3 {
		t.Errorf("the caller's values became %v and %v", query, how.Header)
	}
	for _, got := range srv.got {
		if got.Method != http.MethodPatch || got.Path != helloPath+"/deep path/ünder" {
			t.Errorf("sent %s %s", got.Method, got.Path)
		}
		if want := (url.Values{"q": {"a b", "&=?"}, "forceFunctionRegion": {"us-east-1"}}); got.Query.Encode() != want.Encode() {
			t.Errorf("sent the query %v", got.Query)
		}
		for name, want := range map[string]string{
			"X-Region": "us-east-1", "X-One": "1", "X-Tenant": "b", "X-Many": "1,2",
			"Apikey": anonKey, "Authorization": "", "Content-Type": "", "Accept-Profile": "", "Content-Profile": "",
		} {
			if v := strings.Join(got.Header.Values(name), ","); v != want {
				t.Errorf("sent %s: %q, want %q", name, v, want)
			}
		}
	}
	srv.got = nil
	for _, region := range []string{"", "any"} {
		if _, err := sb.Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Region: region, Method: "GET"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, got := range srv.got {
		if len(got.Query) != 0 || got.Header.Get("X-Region") != "" || got.Method != http.MethodGet {
			t.Errorf("without a region sent %s %v %v", got.Method, got.Query, got.Header)
		}
	}
	// The call's own credentials go before the connection's.
	srv.got = nil
	own := http.Header{"authorization": {"Bearer own"}, "apikey": {"other"}}
	if _, err := sb.AsToken("opaque").Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Header: own}); err != nil {
		t.Fatal(err)
	}
	if h := srv.got[0].Header; h.Get("Authorization") != "Bearer own" || h.Get("Apikey") != "other" {
		t.Errorf("sent %v", h)
	}
}

func TestFunctionsAreInvokedAsTheViewsUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := &server{answer: func(r *request) (int, string) {
			if r.Path == tokenPath {
				return i.token(r)
			}
			return 200, r.bearer()
		}}
		sb := open(t, srv)
		s := i.session(t, "ann")
		var moved *supabase.Session
		ann := sb.As(s, supabase.OnSession(func(_ context.Context, s *supabase.Session) { moved = s }))
		invoke := func(c *supabase.Conn) string {
			resp, err := c.Functions().Invoke(t.Context(), "hello", nil)
			if err != nil {
				t.Error(err)
				return ""
			}
			return resp.Text()
		}
		if got := invoke(sb); got != "" {
			t.Errorf("the connection sent the bearer %q: the new keys are none", got)
		}
		if got := invoke(ann); got != s.AccessToken() {
			t.Errorf("the view sent the bearer %q", got)
		}
		elapse(time.Hour - time.Minute) // due for its renewal
		if got := invoke(ann); moved == nil || got != moved.AccessToken() || got == s.AccessToken() {
			t.Errorf("after the renewal the view sent the bearer %q", got)
		}
		legacy := open(t, srv, supabase.WithKey(jwt(map[string]any{"role": "anon"})))
		if got := invoke(legacy); got != jwt(map[string]any{"role": "anon"}) {
			t.Errorf("a legacy key sent the bearer %q", got)
		}
	})
}

// withHeader answers with a status, a body and one header.
func withHeader(status int, body, name, value string) *server {
	return &server{header: http.Header{name: {value}}, answer: func(*request) (int, string) { return status, body }}
}

func TestFunctionErrorsKeepTheBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		srv   *server
		relay bool
		body  string
		text  string
		is    error
	}{
		{"JSON", withHeader(400, `{"message":"no name","field":"name"}`, "X-A", "b"), false, `{"message":"no name","field":"name"}`, `function "hello": POST /functions/v1/hello: 400: no name`, nil},
		{"text", withHeader(422, "no name", "Content-Type", "text/plain"), false, "no name", "no name", nil},
		{"nothing", withHeader(500, "", "X-A", "b"), false, "", "500", nil},
		{"not there", withHeader(404, `{"code":"NOT_FOUND","message":"Requested function was not found"}`, "X-A", "b"), false, `{"code":"NOT_FOUND","message":"Requested function was not found"}`, "Requested function was not found", supabase.ErrNotFound},
		{"denied", withHeader(401, `{"code":401,"message":"Invalid JWT"}`, "X-A", "b"), false, `{"code":401,"message":"Invalid JWT"}`, "Invalid JWT", supabase.ErrUnauthorized},
		{"busy", withHeader(429, "slow down", "Content-Type", "text/plain"), false, "slow down", "slow down", supabase.ErrRateLimited},
		{"a relay's", withHeader(502, "boot error", "X-Relay-Error", "true"), true, "boot error", `function "hello" was not reached`, nil},
		{"a relay's 200", withHeader(200, "boot error", "X-Relay-Error", "true"), true, "boot error", "X-Relay-Error", nil},
		{"no relay's", withHeader(500, "mine", "X-Relay-Error", "false"), false, "mine", "mine", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sb := open(t, test.srv)
			_, invoked := sb.Functions().Invoke(t.Context(), "hello", nil)
			header, body, streamed := sb.Functions().Stream(t.Context(), "hello", nil)
			if header != nil || body != nil {
				t.Errorf("streamed %v and %v beside an error", header, body)
			}
			for _, err := range []error{invoked, streamed} {
				e, ok := errors.AsType[*supabase.FunctionError](err)
				if !ok || e.Function != "hello" || e.Relay != test.relay || string(e.Body()) != test.body {
					t.Fatalf("got %v: %+v with the body %q", err, e, e.Body())
				}
				if named, ok := errors.AsType[*connection.Error](err); !ok || named.Name != "project" || named.Op != "invoke" {
					t.Errorf("no connection is named by %v", err)
				}
				if !strings.Contains(err.Error(), test.text) || strings.Count(err.Error(), "project") != 1 {
					t.Errorf("%q does not tell %q", err, test.text)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v is not %v", err, test.is)
				}
			}
			if n := len(test.srv.got); n != 2 {
				t.Errorf("%d requests for two calls: a POST is sent once", n)
			}
		})
	}
}

func TestFunctionsThatGiveNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		sb := open(t, nil, supabase.WithHTTPClient(&http.Client{Transport: lost}))
		_, err := sb.Functions().Invoke(t.Context(), "hello", nil)
		// Whether it ran is not known, so this is no relay's error.
		if e, ok := errors.AsType[*supabase.FunctionError](err); !ok || e.Relay || e.Body() != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a lost connection: %v", err)
		}
		hang := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		sb = open(t, nil, supabase.WithHTTPClient(&http.Client{Transport: hang}), supabase.WithTimeout(time.Minute))
		if _, err := sb.Functions().Invoke(t.Context(), "hello", nil); !errors.Is(err, supabase.ErrTimeout) {
			t.Errorf("a function that takes too long: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := sb.Functions().Invoke(ctx, "hello", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ended: %v", err)
		}
	})
}

// A renewal that fails is no answer of the function, which was never asked.
func TestFunctionOfASessionThatCannotBeRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := &server{answer: func(*request) (int, string) { return 503, `{"message":"away"}` }}
		sb := open(t, srv)
		ann := sb.As(i.session(t, "ann"))
		elapse(2 * time.Hour)
		_, err := ann.Functions().Invoke(t.Context(), "hello", nil)
		if e, ok := errors.AsType[*supabase.FunctionError](err); err == nil || ok || srv.count(helloPath) != 0 {
			t.Errorf("got %v: %+v after %d calls", err, e, srv.count(helloPath))
		}
	})
}

func TestOnlyGetsOfFunctionsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for method, tries := range map[string]int{"GET": 3, "": 1, "POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 1} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := new(server)
				srv.answer = func(*request) (int, string) {
					if len(srv.got) < 3 {
						return 503, "away"
					}
					return 200, "here"
				}
				_, err := open(t, srv).Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Method: method, Body: "b"})
				if (err == nil) != (tries == 3) || len(srv.got) != tries {
					t.Errorf("%d tries, %v", len(srv.got), err)
				}
			})
		})
	}
}

func TestFunctionCallsThatMakeNoSenseAreNotSent(t *testing.T) {
	t.Parallel()
	srv := echoing()
	sb := open(t, srv)
	calls := map[string]*supabase.Invocation{
		"":                          nil,
		"/hello":                    nil,
		"hello/":                    nil,
		"hello//x":                  nil,
		".":                         nil,
		"..":                        nil,
		"../rest/v1/users":          nil,
		"hello/../../rest/v1/users": nil,
		"hello?admin=true":          nil,
		"hello#x":                   nil,
		"hello\r\nX: y":             nil,
		"body":                      {Body: func() {}},
		"number":                    {Body: map[string]any{"c": make(chan int)}},
		"method":                    {Method: "GET /"},
		"type":                      {Body: "x", Header: http.Header{"Content-Type": {"text/"}}},
	}
	for name, how := range calls {
		if _, err := sb.Functions().Invoke(t.Context(), name, how); !errors.Is(err, supabase.ErrInvalid) {
			t.Errorf("Invoke(%q): %v", name, err)
		}
		if _, _, err := sb.Functions().Stream(t.Context(), name, how); !errors.Is(err, supabase.ErrInvalid) {
			t.Errorf("Stream(%q): %v", name, err)
		}
	}
	if _, err := sb.Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Header: http.Header{"X-A": {"b\r\nX-C: d"}}}); err == nil {
		t.Error("a header of two lines was sent")
	}
	if len(srv.got) != 0 {
		t.Errorf("%d requests were sent", len(srv.got))
	}
	// What is strange and makes sense is sent as it is meant.
	if _, err := sb.Functions().Invoke(t.Context(), "hello/100%/a?b#c", nil); err != nil || srv.got[0].Path != helloPath+"/100%/a?b#c" || len(srv.got[0].Query) != 0 {
		t.Errorf("sent %+v, %v", srv.got, err)
	}
}

func TestFunctionStreams(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	body := &closing{Reader: reader}
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body, ContentLength: -1, Request: r}, nil
	})
	sb := open(t, nil, supabase.WithHTTPClient(&http.Client{Transport: transport}))
	header, stream, err := sb.Functions().Stream(t.Context(), "hello", &supabase.Invocation{Method: "GET"})
	if err != nil || header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("streamed %v, %v", header, err)
	}
	// Each event is there before the next is sent.
	buffer := make([]byte, 64)
	for n := range 3 {
		event := fmt.Sprintf("data: %d\n\n", n)
		go func() { _, _ = io.WriteString(writer, event) }()
		got, err := io.ReadFull(stream, buffer[:len(event)])
		if err != nil || string(buffer[:got]) != event {
			t.Errorf("read %q, %v", buffer[:got], err)
		}
	}
	_ = writer.CloseWithError(io.ErrUnexpectedEOF)
	if _, err := stream.Read(buffer); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a stream that broke off: %v", err)
	}
	if err := stream.Close(); err != nil || body.closed != 1 {
		t.Errorf("closed %d times, %v", body.closed, err)
	}
}

func TestFunctionAnswers(t *testing.T) {
	t.Parallel()
	sb := open(t, withHeader(201, `{"greeting":"hi"}`, "X-Made", "yes"))
	resp, err := sb.Functions().Invoke(t.Context(), "hello", nil)
	if err != nil || resp.Status != 201 || resp.Header.Get("X-Made") != "yes" {
		t.Fatalf("answered %v, %v", resp, err)
	}
	var answer struct{ Greeting string }
	if err := resp.Decode(&answer); err != nil || answer.Greeting != "hi" {
		t.Errorf("decoded %+v, %v", answer, err)
	}
	resp.Body = []byte("hi")
	if err := resp.Decode(&answer); err == nil || !strings.Contains(err.Error(), "application/json") {
		t.Errorf("text was decoded as JSON: %v", err)
	}
}
