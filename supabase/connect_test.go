package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/connection/conntest"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
)

// seen connects with sections of the secrets, their top level, and an environment, and tells the
// address and the key of the first request.
func seen(t *testing.T, section, top map[string]any, environment map[string]string, opts ...connection.Option) (url, key string, err error) {
	t.Helper()
	srv := &server{answer: func(*request) (int, string) { return 200, `[]` }}
	host := ""
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Scheme + "://" + r.URL.Host
		return srv.RoundTrip(r)
	})
	all := map[string]any{"connections": map[string]any{"supabase": section}}
	maps.Copy(all, top)
	sb, err := supabase.Open(t.Context(), "supabase", append([]connection.Option{
		connection.WithSecrets(secrets.Of(all)),
		connection.WithEnviron(func(name string) (string, bool) { v, ok := environment[name]; return v, ok }),
		supabase.WithHTTPClient(&http.Client{Transport: transport}),
	}, opts...)...)
	if err != nil {
		return "", "", err
	}
	defer sb.Close()
	if _, err := todos(t.Context(), sb); err != nil {
		return "", "", err
	}
	return host, srv.got[0].Header.Get("Apikey"), nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestParametersAsStSupabaseConnectionHasThem(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	type e = map[string]string
	for _, test := range []struct {
		name     string
		section  m
		top      m
		environ  e
		opts     []connection.Option
		url, key string
	}{
		{
			"the blog post's section, as it is",
			m{"SUPABASE_URL": "https://blog.test", "SUPABASE_KEY": "planted-key", "EMAIL_ADDRESS": "a@example.com", "PASSWORD": "planted-password"},
			nil, nil, nil, "https://blog.test", "planted-key",
		},
		{"lower case", m{"url": "https://a.test", "key": "k"}, nil, nil, nil, "https://a.test", "k"},
		{"the publishable key before the key", m{"url": "https://a.test", "SUPABASE_KEY": "k", "SUPABASE_PUBLISHABLE_KEY": "p"}, nil, nil, nil, "https://a.test", "p"},
		{"the section before the environment", m{"SUPABASE_URL": "https://a.test", "SUPABASE_KEY": "k"}, nil, e{"SUPABASE_URL": "https://e.test", "SUPABASE_PUBLISHABLE_KEY": "p"}, nil, "https://a.test", "k"},
		{"the environment", nil, nil, e{"SUPABASE_URL": "https://e.test", "SUPABASE_KEY": "k"}, nil, "https://e.test", "k"},
		{"the top level before the environment", nil, m{"SUPABASE_URL": "https://t.test", "SUPABASE_KEY": "t"}, e{"SUPABASE_URL": "https://e.test", "SUPABASE_KEY": "k"}, nil, "https://t.test", "t"},
		{"options before all", m{"SUPABASE_URL": "https://a.test", "SUPABASE_KEY": "k"}, nil, nil, []connection.Option{supabase.WithURL("https://o.test/"), supabase.WithKey("o")}, "https://o.test", "o"},
		{"the type of Streamlit", m{"type": "st_supabase_connection.SupabaseConnection", "url": "https://a.test", "key": "k"}, nil, nil, nil, "https://a.test", "k"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, key, err := seen(t, test.section, test.top, test.environ, test.opts...)
			if err != nil || url != test.url || key != test.key {
				t.Errorf("connected to %q with %q (%v), want %q with %q", url, key, err, test.url, test.key)
			}
		})
	}
}

func TestWrongParametersAreToldWithoutValues(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	const key = "planted-key"
	for _, test := range []struct {
		name    string
		section m
		want    string
	}{
		{"nothing", m{}, "no url"},
		{"no key", m{"url": "https://a.test"}, "no key"},
		{"an empty key", m{"url": "https://a.test", "key": "", "SUPABASE_KEY": key}, "key"},
		{"a slip", m{"url": "https://a.test", "SUPABASE_KEYS": key}, "SUPABASE_KEYS"},
		{"no scheme", m{"url": "planted-host.test", "key": key}, "https://"},
		{"the address of a service", m{"url": "https://planted-host.test/rest/v1/", "key": key}, "/rest/v1"},
		{"the dashboard", m{"url": "https://supabase.com/dashboard/project/planted", "key": key}, "dashboard"},
		{"a password in the url", m{"url": "https://u:planted-password@a.test", "key": key}, "has an @ before its host; leave out"},
		{"a short one", m{"url": "https://user:pass@a.test", "key": key}, "has an @ before its host; leave out what is before it, which is no part of a project's"},
		{"a key of two lines", m{"url": "https://a.test", "key": key + "\nplanted"}, "copied whole"},
		{"a schema that is none", m{"url": "https://a.test", "key": key, "schema": " "}, "schema"},
		{"a negative timeout", m{"url": "https://a.test", "key": key, "timeout": "-1s"}, "timeout"},
		{"a header of two lines", m{"url": "https://a.test", "key": key, "headers": m{"X-A": "planted\nB: c"}}, "headers"},
		{"a client that is none", m{"url": "https://a.test", "key": key, "http_client": "planted"}, "WithHTTPClient"},
		{"another type", m{"url": "https://a.test", "key": key, "type": "sql"}, "supabase"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := []connection.Option{
				connection.WithSecrets(secrets.Of(m{"connections": m{"supabase": test.section}})), connection.WithEnviron(nothing),
			}
			_, err := supabase.Open(t.Context(), "supabase", opts...)
			if err == nil {
				t.Fatal("it connected")
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); !strings.Contains(text, test.want) || strings.Contains(text, "planted") {
				t.Errorf("got %s; want something about %q, and no value", text, test.want)
			}
		})
	}
}

func TestURLAndKeyOfDifferentPlacesAreToldOnce(t *testing.T) {
	t.Parallel()
	var l logs
	_, err := supabase.Open(t.Context(), "supabase",
		connection.WithSecrets(secrets.Of(map[string]any{"connections": map[string]any{"supabase": map[string]any{"url": "https://a.test"}}})),
		connection.WithEnviron(func(name string) (string, bool) { return "planted-key", name == "SUPABASE_KEY" }),
		connection.WithLogger(l.logger()))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(l.String(), "different places"); n != 1 || strings.Contains(l.String(), "planted") {
		t.Errorf("logged %d times: %s", n, l.String())
	}
}

func TestGetSharesByContent(t *testing.T) {
	t.Parallel()
	reg := connection.Registry{Secrets: secrets.Of(nil), Environ: nothing}
	defer reg.Close()
	one, other := new(http.Client), new(http.Client)
	get := func(opts ...connection.Option) *supabase.Conn {
		t.Helper()
		sb, err := supabase.Get(t.Context(), "supabase", append(opts, supabase.WithURL("https://a.test"), supabase.WithKey("k"), connection.In(&reg))...)
		if err != nil {
			t.Fatal(err)
		}
		return sb
	}
	a := get(supabase.WithHTTPClient(one))
	if b := get(supabase.WithHTTPClient(one)); a != b {
		t.Error("the same client gave another connection")
	}
	if b := get(supabase.WithHTTPClient(other)); a == b {
		t.Error("another client gave the same connection")
	}
	if b := get(supabase.WithHTTPClient(one), supabase.WithTimeout(time.Second)); a == b {
		t.Error("another timeout gave the same connection")
	}
	if _, err := supabase.Get(t.Context(), "supabase", supabase.WithURL("https://a.test"), supabase.WithKey("k"), connection.In(&reg),
		supabase.WithObserver(func(supabase.Event) {})); err == nil {
		t.Error("a function was compared")
	}
}

func TestSettingsReachTheRequests(t *testing.T) {
	t.Parallel()
	srv := &server{answer: func(*request) (int, string) { return 200, `[]` }}
	events := 0
	sb := open(t, srv, supabase.WithSchema("shop"), supabase.WithHeaders(map[string]string{"X-Tenant": "a"}),
		supabase.WithObserver(func(e supabase.Event) {
			events++
			if e.Path != todosPath || e.Status != 200 {
				t.Errorf("observed %+v", e)
			}
		}))
	if _, err := todos(t.Context(), sb); err != nil {
		t.Fatal(err)
	}
	if _, err := supabase.Query[todo](t.Context(), sb.Schema("other").Table("todos")); err != nil {
		t.Fatal(err)
	}
	first, second := srv.got[0].Header, srv.got[1].Header
	if first.Get("Accept-Profile") != "shop" || second.Get("Accept-Profile") != "other" || first.Get("X-Tenant") != "a" || events != 2 {
		t.Errorf("sent %v and %v, observed %d", first, second, events)
	}
	if !strings.HasPrefix(first.Get("User-Agent"), "streamconn") || first.Get("Authorization") != "" {
		t.Errorf("sent %v", first)
	}
}

func TestConformance(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }))
	defer srv.Close()
	conntest.Run(t, conntest.Config[*supabase.Client]{
		Connect: supabase.Connect,
		Open: func(ctx context.Context, name string, opts ...connection.Option) (connection.Connection[*supabase.Client], error) {
			return supabase.Open(ctx, name, opts...)
		},
		Params:   map[string]any{"url": srv.URL, "key": "planted-key-of-the-project"},
		Env:      map[string]string{"url": "SUPABASE_URL", "key": "SUPABASE_PUBLISHABLE_KEY"},
		Required: []string{"url", "key"},
		Secrets:  []string{"key"},
		Broken:   []map[string]any{{"url": "http://127.0.0.1:1"}, {"url": "ftp://example.com"}, {"timeout": "soon"}},
	})
}

func TestPing(t *testing.T) {
	t.Parallel()
	status := map[string]int{}
	srv := &server{answer: func(r *request) (int, string) { return status[r.Path], `{"message":"no"}` }}
	sb := open(t, srv)
	for _, test := range []struct {
		rest, auth int
		good       bool
	}{{200, 500, true}, {401, 200, true}, {401, 401, false}, {503, 503, false}} {
		status["/rest/v1"], status["/auth/v1/health"] = test.rest, test.auth
		err := connection.Ping(t.Context(), sb)
		if (err == nil) != test.good {
			t.Errorf("%+v: %v", test, err)
		}
		if _, named := errors.AsType[*connection.Error](err); err != nil && !named {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// A refusal has words, which an answer to HEAD has not.
func TestPingSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const said = `{"message":"Invalid API key","hint":"Double check your Supabase anon or service_role API key."}`
	for _, test := range []struct {
		get  int
		want string
	}{{401, "Invalid API key; hint: Double check"}, {200, ""}} {
		srv := &server{answer: func(r *request) (int, string) {
			switch {
			case r.Method == http.MethodHead:
				return 401, ""
			case r.Path == "/rest/v1":
				return test.get, said
			}
			return 401, said
		}}
		err := connection.Ping(t.Context(), open(t, srv))
		if test.want == "" && err != nil || test.want != "" && (!errors.Is(err, supabase.ErrUnauthorized) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestResetAndRotatedKey(t *testing.T) {
	t.Parallel()
	key := "first"
	srv := &server{answer: func(r *request) (int, string) { return 200, `[{"owner":"` + r.Header.Get("Apikey") + `"}]` }}
	sb, err := supabase.Open(t.Context(), "supabase", supabase.WithURL(address), supabase.WithHTTPClient(&http.Client{Transport: srv}),
		connection.WithSecrets(secrets.Of(nil)), connection.WithEnviron(func(name string) (string, bool) { return key, name == "SUPABASE_KEY" }))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	wantOwner(t, sb, "first")
	view := sb.AsToken("opaque")
	wantOwner(t, view, "first")
	key = "second"
	if err := sb.Reset(); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, sb, "second")
	wantOwner(t, view, "second")
}
