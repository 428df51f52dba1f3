package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestCredentialsAreSentAsTheKeysKindWantsThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		cfg        Config
		header     http.Header
		wantKey    string
		wantBearer string
	}{
		{"a legacy key is the bearer too", Config{APIKey: jwtKey}, nil, jwtKey, "Bearer " + jwtKey},
		{"a publishable key is no bearer", Config{APIKey: "sb_publishable_abc"}, nil, "sb_publishable_abc", ""},
		{"a secret key is no bearer", Config{APIKey: "sb_secret_abc"}, nil, "sb_secret_abc", ""},
		{"an unknown sb_ key is no bearer", Config{APIKey: "sb_temp_abc"}, nil, "sb_temp_abc", ""},
		{"the user's token beside a legacy key", Config{APIKey: jwtKey, Token: token(userToken)}, nil, jwtKey, "Bearer " + userToken},
		{"the user's token beside a new key", Config{APIKey: "sb_publishable_abc", Token: token(userToken)}, nil, "sb_publishable_abc", "Bearer " + userToken},
		{"the request's own win", Config{APIKey: jwtKey, Token: token("")}, http.Header{"authorization": {"Bearer mine"}, "apikey": {"other"}}, "other", "Bearer mine"},
		{"the request takes the bearer out", Config{APIKey: jwtKey}, http.Header{"Authorization": nil}, jwtKey, ""},
		{"the configured Authorization wins over the key", Config{APIKey: jwtKey, Header: http.Header{"Authorization": {"Bearer cfg"}}}, nil, jwtKey, "Bearer cfg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got http.Header
			tt.cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				got = r.Header
				return answerWith(r, 200, "[]"), nil
			})}
			c := newClient(t, tt.cfg)
			if _, err := c.Do(t.Context(), &Request{Method: "GET", Path: "t", Header: tt.header}); err != nil {
				t.Fatal(err)
			}
			if v := got.Values("apikey"); len(v) != 1 || v[0] != tt.wantKey {
				t.Errorf("apikey %q, want %q", v, tt.wantKey)
			}
			if v := got.Get("Authorization"); v != tt.wantBearer || len(got.Values("Authorization")) > 1 {
				t.Errorf("Authorization %q, want %q", got.Values("Authorization"), tt.wantBearer)
			}
		})
	}
}

func TestWithoutAKeyNoneIsSent(t *testing.T) {
	t.Parallel()
	c, err := New(Config{BaseURL: "http://project.test", HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if len(r.Header["Apikey"]) != 0 || len(r.Header["Authorization"]) != 0 {
			t.Errorf("sent %v", r.Header)
		}
		return answerWith(r, 200, ""), nil
	})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), get("")); err != nil {
		t.Fatal(err)
	}
}

func TestAViewNeverFallsBackToTheConnectionsKey(t *testing.T) {
	t.Parallel()
	expired := errors.New("the session has expired")
	for name, tt := range map[string]struct {
		token func(context.Context) (string, error)
		want  error
	}{
		"empty":        {token(""), ErrNoToken},
		"blanks":       {token("a b"), ErrNoToken},
		"line break":   {token("a\nX-Evil: 1"), ErrNoToken},
		"an API key":   {token("sb_secret_planted"), ErrNoToken},
		"unrenewable":  {func(context.Context) (string, error) { return "", expired }, expired},
		"both, loudly": {func(context.Context) (string, error) { return userToken, expired }, expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(r *http.Request) (*http.Response, error) {
				t.Errorf("sent with %q", r.Header.Get("Authorization"))
				return answerWith(r, 200, ""), nil
			}, func(c *Config) { c.Token = tt.token })
			_, err := c.Do(t.Context(), get("t"))
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("%v holds the token", err)
			}
		})
	}
}

func TestTokenIsAskedForWithTheCallersContextAtEachAttempt(t *testing.T) {
	t.Parallel()
	type key struct{}
	n := 0
	c := over(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") == "Bearer t1" {
			return answerWith(r, 503, ""), nil
		}
		return answerWith(r, 200, ""), nil
	}, func(c *Config) {
		c.Retry.Min, c.Retry.Max = 1, 1
		c.Token = func(ctx context.Context) (string, error) {
			if ctx.Value(key{}) != "mine" {
				t.Error("not the caller's context")
			}
			n++
			return []string{"", "t1", "t2"}[n], nil
		}
	})
	if _, err := c.Do(context.WithValue(t.Context(), key{}, "mine"), get("t")); err != nil || n != 2 {
		t.Fatalf("%v after %d tokens", err, n)
	}
}

func TestWithTokenLeavesTheClientAlone(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		return answerWith(r, 200, r.Header.Get("Authorization")), nil
	})
	view := c.WithToken(token(userToken))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for client, want := range map[*Client]string{c: "Bearer " + jwtKey, view: "Bearer " + userToken} {
				resp, err := client.Do(t.Context(), get("t"))
				if err != nil || string(resp.Body) != want {
					t.Errorf("%v, %v", resp, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestHeadersOfTheClientAndItsName(t *testing.T) {
	t.Parallel()
	var got http.Header
	seen := roundTripper(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return answerWith(r, 200, ""), nil
	})
	c := over(t, seen, func(c *Config) { c.Header = http.Header{"x-region": {"eu"}, "Prefer": {"a"}} })
	if _, err := c.Do(t.Context(), &Request{Method: "GET", Header: http.Header{"Prefer": {"count=exact"}}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"User-Agent": DefaultUserAgent, "X-Client-Info": DefaultUserAgent, "X-Region": "eu", "Prefer": "count=exact"} {
		if v := got.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	c = over(t, seen, func(c *Config) { c.UserAgent = "app/1"; c.Header = http.Header{"X-Client-Info": {"info"}} })
	if _, err := c.Do(t.Context(), &Request{Method: "GET"}); err != nil {
		t.Fatal(err)
	}
	if got.Get("User-Agent") != "app/1" || got.Get("X-Client-Info") != "info" {
		t.Errorf("sent %v", got)
	}
}

func TestTheCallersHeadersAreNotChanged(t *testing.T) {
	t.Parallel()
	// A transport that breaks its contract, as postgrest-go's does, harms its own request alone.
	c := over(t, func(r *http.Request) (*http.Response, error) {
		for name := range r.Header {
			r.Header[name][0] += "!"
			r.Header.Add(name, "more")
		}
		if r.URL.Path == "/rest/v1/t" {
			return answerWith(r, 307, "", "Location", "u"), nil
		}
		return answerWith(r, 200, strings.Join(r.Header["Prefer"], ",")), nil
	})
	r := &Request{Method: "GET", Path: "t", Header: http.Header{"Prefer": {"p"}}}
	for range 2 {
		resp, err := c.Do(t.Context(), r)
		if err != nil || string(resp.Body) != "p!,more" {
			t.Fatalf("%s, %v", resp.Body, err)
		}
	}
	if r.Header.Get("Prefer") != "p" {
		t.Error("the request's header was changed")
	}
}

func TestTheUsersHTTPClientIsHonouredAndNotChanged(t *testing.T) {
	t.Parallel()
	asked := false
	mine := &http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/rest/v1/t" {
				return answerWith(r, 307, "", "Location", "/rest/v1/u"), nil
			}
			return answerWith(r, 200, ""), nil
		}),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			asked = r.URL.Path == "/rest/v1/u" && len(via) == 1
			return errors.New("no redirects here")
		},
	}
	c := newClient(t, Config{HTTPClient: mine})
	_, err := c.Do(t.Context(), get("t"))
	if !asked || !errors.Is(err, ErrRedirect) || !strings.Contains(err.Error(), "no redirects here") {
		t.Errorf("asked %v: %v", asked, err)
	}
	if mine.CheckRedirect(&http.Request{URL: c.c.get().base}, nil).Error() != "no redirects here" {
		t.Error("the user's client was changed")
	}
	mine.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, err = newClient(t, Config{HTTPClient: mine}).Do(t.Context(), get("t"))
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != 307 || errors.Is(err, ErrRedirect) {
		t.Errorf("with ErrUseLastResponse: %v", err)
	}
}

func TestNewRefusesWithoutShowingAnything(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no URL":             {},
		"no scheme":          {BaseURL: "planted.supabase.co"},
		"another scheme":     {BaseURL: "ftp://planted.supabase.co"},
		"no host":            {BaseURL: "https://"},
		"not a URL":          {BaseURL: "https://x:planted\x7f@y"},
		"a password":         {BaseURL: "https://me:planted@x.supabase.co"},
		"a query":            {BaseURL: "https://x.supabase.co?apikey=planted"},
		"a fragment":         {BaseURL: "https://x.supabase.co/#planted"},
		"leaves its path":    {BaseURL: "https://x.supabase.co/rest/%2e%2e/planted"},
		"a line in the key":  {BaseURL: "https://x.supabase.co", APIKey: "planted\n"},
		"a blank in the key": {BaseURL: "https://x.supabase.co", APIKey: "planted key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(cfg)
			if err == nil {
				t.Fatalf("made %v", c)
			}
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPathsStayBelowTheBase(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, path, query, want string }{
		{"http://h/rest/v1", "users", "", "/rest/v1/users"},
		{"http://h/rest/v1/", "/users", "a=eq.1&a=lt.2", "/rest/v1/users?a=eq.1&a=lt.2"},
		{"http://h", "", "", "/"},
		{"http://h/rest/v1", "", "x=1", "/rest/v1?x=1"},
		{"http://h/rest/v1", Escape("rpc", "a/b?c#d%e f+ü"), "", "/rest/v1/rpc/a%2Fb%3Fc%23d%25e%20f+%C3%BC"},
		{"http://h/rest/v1", "dir/", "", "/rest/v1/dir/"},
		{"http://h/a%2Fb", "c", "", "/a%2Fb/c"},
		{"http://h/rest/v1", Escape("a..b", "...", ".x"), "", "/rest/v1/a..b/.../.x"},
		{"http://h/rest/v1", "../auth", "", "error"},
		{"http://h/rest/v1", Escape("..", "auth"), "", "error"},
		{"http://h/rest/v1", Escape("../auth"), "", "error"},
		{"http://h/rest/v1", "%2e%2E/auth", "", "error"},
		{"http://h/rest/v1", `a%5C..%5Cb`, "", "error"},
		{"http://h/rest/v1", "./a", "", "error"},
		{"http://h/rest/v1", "a?select=password", "", "error"},
		{"http://h/rest/v1", "a#b", "", "error"},
		{"http://h/rest/v1", "100%", "", "error"},
		{"http://h/rest/v1", "a b", "", "error"},
		{"http://h/rest/v1", "a\nb", "", "error"},
		{"http://h/rest/v1", "a%0Ab", "", "error"},
		{"http://h/rest/v1", "a", "x=a b", "error"},
		{"http://h/rest/v1", "a", "x=a\r\nX: 1", "error"},
		{"http://h/rest/v1", "a", "x=a#b", "error"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			got := "error"
			c := newClient(t, Config{BaseURL: tt.base, HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				got = r.URL.RequestURI()
				return answerWith(r, 200, ""), nil
			})}})
			_, err := c.Do(t.Context(), &Request{Method: "GET", Path: tt.path, Query: tt.query})
			if got != tt.want || (err != nil) != (tt.want == "error") {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestRequestsThatCannotBeMeantAreNotSent(t *testing.T) {
	t.Parallel()
	open := func() (io.ReadCloser, error) { return http.NoBody, nil }
	for name, r := range map[string]*Request{
		"no method":           {},
		"a method in letters": {Method: "get"},
		"a split method":      {Method: "GET / HTTP/1.1\r\nX:"},
		"two bodies":          {Method: "POST", Body: []byte("a"), Open: open},
		"a split header":      {Method: "GET", Header: http.Header{"Prefer": {"a\r\nX: planted"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(r *http.Request) (*http.Response, error) {
				t.Error("sent")
				return answerWith(r, 200, ""), nil
			})
			if _, err := c.Do(t.Context(), r); err == nil || strings.Contains(err.Error(), "planted") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestBodiesAreSent(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Length", http.StatusText(200))
		if r.ContentLength < 0 {
			w.Header().Set("X-Length", "chunked")
		}
		_, _ = w.Write(body)
	})
	c := newClient(t, Config{BaseURL: url})
	stream := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("stream")), nil }
	for name, tt := range map[string]struct {
		r            *Request
		want, length string
	}{
		"nothing":       {&Request{Method: "POST"}, "", "OK"},
		"empty":         {&Request{Method: "POST", Body: []byte{}}, "", "OK"},
		"bytes":         {&Request{Method: "POST", Body: []byte("bytes")}, "bytes", "OK"},
		"sized stream":  {&Request{Method: "POST", Open: stream, Length: 6}, "stream", "OK"},
		"unsized":       {&Request{Method: "POST", Open: stream}, "stream", "chunked"},
		"a file of two": {&Request{Method: "PUT", Open: stream, Length: -1}, "stream", "chunked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := c.Do(t.Context(), tt.r)
			if err != nil || string(resp.Body) != tt.want || resp.Header.Get("X-Length") != tt.length {
				t.Errorf("%q %v, %v", resp.Body, resp.Header, err)
			}
		})
	}
	broken := errors.New("no such file")
	if _, err := c.Do(t.Context(), &Request{Method: "PUT", Open: func() (io.ReadCloser, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestStreamGivesTheBodyAndClosingItLetsGo(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("first "))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	c := newClient(t, Config{BaseURL: url})
	s, err := c.Stream(t.Context(), get("t"))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 6)
	if _, err := io.ReadFull(s.Body, buf); err != nil || string(buf) != "first " || s.Length != -1 {
		t.Errorf("%q, %v", buf, err)
	}
	if err := s.Body.Close(); err != nil {
		t.Error(err)
	}
	<-gone

	ctx, cancel := context.WithCancel(t.Context())
	gone = make(chan struct{})
	s, err = c.Stream(ctx, get("t"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err = io.ReadAll(s.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	_ = s.Body.Close()
	<-gone
}

func TestClosingAStreamEndsItsRequestsContext(t *testing.T) {
	t.Parallel()
	var sent *http.Request
	c := over(t, func(r *http.Request) (*http.Response, error) {
		sent = r
		return answerWith(r, 200, "body"), nil
	})
	s, err := c.Stream(t.Context(), get("t"))
	if err != nil || sent.Context().Err() != nil {
		t.Fatal(err, sent.Context().Err())
	}
	if err := s.Body.Close(); err != nil || sent.Context().Err() == nil {
		t.Errorf("%v, and the request's context goes on", err)
	}
	if _, err := c.Do(t.Context(), get("t")); err != nil || sent.Context().Err() == nil {
		t.Errorf("%v, and the request's context goes on", err)
	}
}

func TestLongAnswersAreRefused(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"announced": 11, "not announced": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			c := over(t, func(r *http.Request) (*http.Response, error) {
				n++
				resp := answerWith(r, 200, "")
				resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(make([]byte, 11))), length
				return resp, nil
			}, func(c *Config) { c.MaxBody = 10 })
			_, err := c.Do(t.Context(), get("t"))
			if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrTooLarge) || e.Status != 200 || n != 1 {
				t.Errorf("%v after %d", err, n)
			}
			s, err := c.Stream(t.Context(), get("t"))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(s.Body); len(b) != 11 || err != nil {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			_ = s.Body.Close()
		})
	}
}

func TestExactlyTheBoundPasses(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) { return answerWith(r, 206, "0123456789"), nil },
		func(c *Config) { c.MaxBody = 10 })
	resp, err := c.Do(t.Context(), get("t"))
	if err != nil || len(resp.Body) != 10 || resp.Status != 206 {
		t.Errorf("%v, %v", resp, err)
	}
}
