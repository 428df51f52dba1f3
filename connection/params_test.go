package connection_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

func TestConversions(t *testing.T) {
	t.Parallel()
	type result struct {
		Value any
		Err   string
	}
	for _, test := range []struct {
		name  string
		value any
		ask   func(p *connection.Params) (any, error)
		want  any
		err   string
	}{
		{"text", "x", str, "x", ""},
		{"text of a whole number", 1234, str, "1234", ""},
		{"text of a whole number from TOML", int64(1234), str, "1234", ""},
		{"text of a secret", secrets.NewSecret("x"), str, "x", ""},
		{"text of what writes itself", netip.MustParseAddr("::1"), str, "::1", ""},
		{"text of a truth value", true, str, nil, "v from connection.With is a truth value, not a text; put it in quotes"},
		{"text of a table", map[string]any{"hunter2": "hunter2"}, str, nil, "is a table, not a text"},
		{"text of a list", []any{"hunter2"}, str, nil, "is a list, not a text"},
		{"text of nil", nil, str, nil, "v from connection.With is nil, not a text"},

		{"whole number", 42, integer, 42, ""},
		{"whole number from TOML", int64(42), integer, 42, ""},
		{"whole number without fraction", 42.0, integer, 42, ""},
		{"whole number in a text", " 42 ", integer, 42, ""},
		{"number with a fraction", 42.5, integer, nil, "is a number with a fraction, not a whole one"},
		{"number out of range", 1e300, integer, nil, "not a whole one"},
		{"no number", "hunter2", integer, nil, "v from connection.With is not a whole number"},
		{"whole number of a truth value", true, integer, nil, "is a truth value, not a whole number"},

		{"truth", true, boolean, true, ""},
		{"truth in a text", "false", boolean, false, ""},
		{"truth as a digit in a text", "1", boolean, true, ""},
		{"no truth", "hunter2", boolean, nil, `is neither "true" nor "false"`},
		{"truth of a number", 1, boolean, nil, "is a whole number, not true or false"},

		{"duration", "90s", duration, 90 * time.Second, ""},
		{"duration in seconds", int64(90), duration, 90 * time.Second, ""},
		{"duration as such", 90 * time.Second, duration, 90 * time.Second, ""},
		{"duration of nil", nil, duration, nil, "v from connection.With is nil, not a length of time; leave it out for the default"},
		{"duration without a unit", "hunter2", duration, nil, `is no length of time such as "90s"`},

		{"secret", "hunter2", func(p *connection.Params) (any, error) {
			s, err := p.Secret("v")
			return s.Reveal(), err
		}, "hunter2", ""},
		{"table", "hunter2", func(p *connection.Params) (any, error) { return p.Table("v") }, nil, "v from connection.With is a text, not a table"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got result
			err := asked(t, world(t, nil), "x", []connection.Option{connection.With("v", test.value)}, func(p *connection.Params) error {
				v, err := test.ask(p)
				if err == nil {
					got.Value = v
					return nil
				}
				got.Err = err.Error()
				if _, ok := errors.AsType[*connection.ValueError](err); !ok {
					t.Errorf("%T is no ValueError", err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Value != test.want || !strings.Contains(got.Err, test.err) || (got.Err == "") != (test.err == "") {
				t.Errorf("got %+v, want %v, error %q", got, test.want, test.err)
			}
			if strings.Contains(got.Err, "quotes") != strings.Contains(test.err, "quotes") {
				t.Errorf("quotes make no text of it: %s", got.Err)
			}
			if strings.Contains(got.Err, "hunter2") {
				t.Errorf("the error shows the value: %s", got.Err)
			}
		})
	}
}

func str(p *connection.Params) (any, error)      { return p.String("v") }
func integer(p *connection.Params) (any, error)  { return p.Int("v") }
func boolean(p *connection.Params) (any, error)  { return p.Bool("v") }
func duration(p *connection.Params) (any, error) { return p.Duration("v") }

func TestOptionalParameters(t *testing.T) {
	t.Parallel()
	r := world(t, nil, "PORT=x", "NAME=n", "OK=true", "WAIT=2s")
	err := asked(t, r, "x", nil, func(p *connection.Params) error {
		check := func(got, want any, err error) {
			t.Helper()
			if got != want || err != nil {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		}
		s, err := p.StringOr("name", "otherwise")
		check(s, "otherwise", err)
		s, err = p.StringOr("name", "otherwise", "NAME")
		check(s, "n", err)
		n, err := p.IntOr("port", 5432)
		check(n, 5432, err)
		b, err := p.BoolOr("ok", false, "OK")
		check(b, true, err)
		b, err = p.BoolOr("ok", true)
		check(b, true, err)
		d, err := p.DurationOr("wait", time.Minute, "WAIT")
		check(d, 2*time.Second, err)
		d, err = p.DurationOr("wait", time.Minute)
		check(d, time.Minute, err)
		if _, err = p.IntOr("port", 5432, "PORT"); err == nil {
			t.Error("what is there and wrong is an error, also where it is optional")
		}
		if p.Name() != "x" {
			t.Errorf("name = %q", p.Name())
		}
		p.Logger().Info("there is a logger")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type decoded struct {
	URL      string         `param:"url,APP_URL"`
	Token    secrets.Secret `param:"token,APP_TOKEN"`
	PoolSize int
	Timeout  time.Duration `param:"timeout,optional"`
	Verbose  bool          `param:",optional"`
	Hosts    []string      `param:"hosts,optional"`
	Limits   struct {
		Rows int    `toml:"rows"`
		Mode string `toml:"mode"`
	} `param:"limits,optional"`
	Ignored string `param:"-"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	r := world(t, section("x", map[string]any{
		"url": "u", "pool_size": 7, "hosts": []any{"a", "b"}, "limits": map[string]any{"rows": 10, "mode": "fast"},
	}), "APP_TOKEN=hunter2")
	err := asked(t, r, "x", []connection.Option{connection.With("timeout", "90s"), connection.WithStrict()}, func(p *connection.Params) error {
		into := decoded{Verbose: true, Ignored: "kept"}
		if err := p.Decode(&into); err != nil {
			return err
		}
		if into.Token.Reveal() != "hunter2" {
			t.Error("wrong token")
		}
		into.Token = secrets.Secret{}
		want := decoded{URL: "u", PoolSize: 7, Timeout: 90 * time.Second, Verbose: true, Hosts: []string{"a", "b"}, Ignored: "kept"}
		want.Limits.Rows, want.Limits.Mode = 10, "fast"
		if !cmp.Equal(into, want, cmp.Comparer(secrets.Secret.Equal)) {
			t.Errorf("got %+v, want %+v", into, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Everything that is wrong is told at once, and no value is.
func TestDecodeTellsAllProblems(t *testing.T) {
	t.Parallel()
	r := world(t, section("x", map[string]any{
		"pool_size": "hunter2", "verbose": "hunter2", "timeout": "hunter2", "hosts": map[string]any{"hunter2": 1}, "limits": map[string]any{"rows": "hunter2"},
	}))
	err := asked(t, r, "x", nil, func(p *connection.Params) error { return p.Decode(new(decoded)) })
	wantErrorText(t, err, "no url", "no token", "pool_size from [connections.x] is not a whole number",
		`verbose from [connections.x] is neither "true" nor "false"`, "timeout from [connections.x] is no length of time",
		"hosts from [connections.x] does not fit []string", "limits from [connections.x] does not fit")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a value: %v", err)
	}
}

func TestDecodeOfWhatOnlyCodeCanGive(t *testing.T) {
	t.Parallel()
	type custom struct{ N int }
	pointer := &custom{1}
	err := asked(t, world(t, nil), "x", []connection.Option{
		connection.With("pointer", pointer), connection.With("wrong", func() {}),
	}, func(p *connection.Params) error {
		var into struct{ Pointer *custom }
		if err := p.Decode(&into); err != nil || into.Pointer != pointer {
			t.Errorf("got %v, %v", into.Pointer, err)
		}
		var wrong struct{ Wrong []string }
		wantErrorText(t, p.Decode(&wrong), "wrong from connection.With does not fit []string")
		for _, dst := range []any{nil, 1, into, (*decoded)(nil), new(int)} {
			wantErrorText(t, p.Decode(dst), "Decode wants a pointer to a struct")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Fields without a tag are asked for in snake case.
func TestDecodeNamesFieldsInSnakeCase(t *testing.T) {
	t.Parallel()
	r := world(t, section("x", map[string]any{"user_id": "a", "http_client": "b", "max_idle_conns": "c", "a": "d", "url": "e", "already_snake": "f", "v2": "g"}))
	err := asked(t, r, "x", []connection.Option{connection.WithStrict()}, func(p *connection.Params) error {
		var into struct{ UserID, HTTPClient, MaxIdleConns, A, URL, Already_Snake, V2 string } //nolint:revive // the underscore is the test
		if err := p.Decode(&into); err != nil {
			return err
		}
		if b, _ := json.Marshal(into); string(b) != `{"UserID":"a","HTTPClient":"b","MaxIdleConns":"c","A":"d","URL":"e","Already_Snake":"f","V2":"g"}` {
			t.Errorf("got %s", b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnClose(t *testing.T) {
	t.Parallel()
	var order []string
	boom := errors.New("boom")
	connect := func(fail bool) connection.Factory[*client] {
		return func(_ context.Context, p *connection.Params) (*client, error) {
			p.OnClose(func() error { order = append(order, "first"); return nil })
			p.OnClose(func() error { order = append(order, "second"); return boom })
			if fail {
				return nil, errors.New("no")
			}
			return &client{of: &source{}}, nil
		}
	}
	c := open(t, world(t, nil), "x", connect(false))
	if len(order) != 0 {
		t.Fatalf("ran early: %v", order)
	}
	err := c.Reset()
	wantErrorIs(t, err, boom)
	wantErrorText(t, err, `connection "x": reset: boom`)
	if want := []string{"second", "first"}; !cmp.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}

	order = nil
	if _, err := connection.Open(t.Context(), "x", connect(true), connection.In(world(t, nil))); err == nil {
		t.Fatal("opened")
	}
	if want := []string{"second", "first"}; !cmp.Equal(order, want) {
		t.Errorf("after a failed connect: %v, want %v", order, want)
	}
}

type closerWithout struct{ closed *int }

func (c closerWithout) Close() { *c.closed++ }

type closerWithContext struct{ closed *int }

func (c closerWithContext) Close(ctx context.Context) error {
	if ctx.Err() == nil {
		*c.closed++
	}
	return nil
}

type notClosed struct{ closed *int }

func TestClosersOfAllKinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		client func(*int) any
		want   int
	}{
		{"Close()", func(n *int) any { return closerWithout{n} }, 1},
		{"Close(ctx) error", func(n *int) any { return closerWithContext{n} }, 1},
		{"none", func(n *int) any { return notClosed{n} }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			closed := 0
			c := open(t, world(t, nil), "x", func(context.Context, *connection.Params) (any, error) { return test.client(&closed), nil })
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			if closed != test.want {
				t.Errorf("closed %d times, want %d", closed, test.want)
			}
		})
	}
}

// A name is what the section is called, "env:" takes it from the environment, once.
func TestName(t *testing.T) {
	t.Parallel()
	r := world(t, map[string]any{"connections": map[string]any{
		"staging": map[string]any{"host": "s"}, "env:DB": map[string]any{"host": "wrong"},
		"a b": "text",
	}}, "DB_CONN=staging", "EMPTY=", "INDIRECT=env:DB_CONN", "LINE=staging\n")
	src := new(source)
	c := open(t, r, "env:DB_CONN", src.connect)
	if c.Name() != "staging" || raw(t, c).host != "s" {
		t.Errorf("name %q, host %q", c.Name(), raw(t, c).host)
	}
	if again := open(t, r, "env:INDIRECT", src.connect); again.Name() != "env:DB_CONN" {
		t.Errorf("resolved more than once: %q", again.Name())
	}

	connection.Register(r, "any", src.connect)
	a, b := get[*client](t, r, "env:DB_CONN", connection.WithType("any")), get[*client](t, r, "staging", connection.WithType("any"))
	if a != b {
		t.Error("the resolved name is the one that is shared")
	}

	for name, text := range map[string]string{
		"env:NOT_SET": "environment variable NOT_SET, which is not set",
		"env:EMPTY":   "environment variable EMPTY, which is empty",
		"env:LINE":    "environment variable LINE, which has white space around it: take it off",
		"env:":        "environment variable , which is not set",
		"":            "a connection needs a name",
	} {
		_, err := connection.Open(t.Context(), name, src.connect, connection.In(r))
		wantErrorText(t, err, text)
		_, err = connection.Get[*client](t.Context(), r, name, connection.WithType("any"))
		wantErrorText(t, err, text)
	}
	_, err := connection.Open(t.Context(), "a b", src.connect, connection.In(r))
	wantErrorText(t, err, `connections."a b" in the secrets is a text, not a section; write [connections."a b"] above its keys`)
	_, err = connection.Open(t.Context(), "x", func(_ context.Context, p *connection.Params) (*client, error) {
		_, err := p.String("host")
		return nil, err
	}, connection.In(world(t, map[string]any{"connections": 5})))
	wantErrorText(t, err, "connections in values given in code is an integer, not a table")
}

// An Explanation in JSON, and so in slog's, has words for its sources.
func TestSourcesInJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(connection.Explanation{Params: []connection.ExplainedParam{{Name: "url", Source: connection.Section}, {Name: "driver"}}})
	if want := `"Source":"secrets"`; err != nil || !strings.Contains(string(b), want) || !strings.Contains(string(b), `"Source":"nowhere"`) {
		t.Errorf("%s, %v: want %s", b, err, want)
	}
}
