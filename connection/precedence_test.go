package connection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// asked opens a connection whose factory asks for whatever ask asks for.
func asked(t *testing.T, r *connection.Registry, name string, opts []connection.Option, ask func(p *connection.Params) error) error {
	t.Helper()
	c, err := connection.Open(t.Context(), name, func(_ context.Context, p *connection.Params) (*client, error) {
		if err := ask(p); err != nil {
			return nil, err
		}
		return &client{of: &source{}}, nil
	}, append([]connection.Option{connection.In(r)}, opts...)...)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return err
}

// Every level goes before every lower one, whichever others are there: all 256 combinations.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	levels := []struct {
		value  string
		source connection.Source
	}{ // highest first
		{"option", connection.Code},
		{"section, own name", connection.Section},
		{"section, first environment name", connection.Section},
		{"section, second environment name", connection.Section},
		{"top level, first", connection.TopLevel},
		{"top level, second", connection.TopLevel},
		{"environment, first", connection.Environment},
		{"environment, second", connection.Environment},
	}
	for there := range 1 << len(levels) {
		var opts []connection.Option
		own, top := map[string]any{}, map[string]any{}
		var environment []string
		want, wantSource := "", connection.NoSource
		for i, level := range slices.Backward(levels) {
			if there&(1<<i) == 0 {
				continue
			}
			want, wantSource = level.value, level.source
			switch i {
			case 0:
				opts = append(opts, connection.With("url", want))
			case 1, 2, 3:
				own[[]string{"url", "FIRST", "SECOND"}[i-1]] = want
			case 4, 5:
				top[[]string{"FIRST", "SECOND"}[i-4]] = want
			default:
				environment = append(environment, []string{"FIRST", "SECOND"}[i-6]+"="+want)
			}
		}
		top["connections"] = map[string]any{"x": own}
		r := &connection.Registry{Secrets: secrets.Of(top), Environ: environ(environment...), Logger: quiet}
		err := asked(t, r, "x", opts, func(p *connection.Params) error {
			value, source, ok := p.Lookup("url", "FIRST", "SECOND")
			if got, _ := value.(string); got != want || source != wantSource || ok != (there != 0) {
				t.Errorf("%08b: got %q from %v, %t; want %q from %v", there, got, source, ok, want, wantSource)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The top level and the environment are looked into under the names that the factory gives, and
// under no other.
func TestOnlyNamesThatTheFactoryGives(t *testing.T) {
	t.Parallel()
	r := world(t, map[string]any{"url": "top", "URL": "top", "tables": map[string]any{"a": 1}}, "url=environment", "URL=environment")
	err := asked(t, r, "x", nil, func(p *connection.Params) error {
		if v, source, ok := p.Lookup("url"); ok {
			t.Errorf("found %v in %v", v, source)
		}
		if v, source, ok := p.Lookup("t", "tables"); ok {
			t.Errorf("found the table %v in %v: tables are no variables", v, source)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTablesAreMergedAtEveryDepth(t *testing.T) {
	t.Parallel()
	r := world(t, section("x", map[string]any{
		"engine": map[string]any{
			"pool":    map[string]any{"size": 5, "recycle": 60, "deep": map[string]any{"a": 1, "b": 2}},
			"echo":    true,
			"replace": map[string]any{"whole": true},
			"hosts":   []any{"a", "b"},
		},
		"scalar": "text",
	}))
	given := map[string]any{
		"pool":    map[string]any{"size": 20, "deep": map[string]any{"b": 3}},
		"replace": "by a text",
		"hosts":   []any{"c"},
	}
	opts := []connection.Option{
		connection.With("engine", given),
		connection.With("scalar", map[string]any{"now": "a table"}),
		connection.With("absent", map[string]any{"only": "code"}),
	}
	want := map[string]any{
		"pool":    map[string]any{"size": 20, "recycle": int64(60), "deep": map[string]any{"a": int64(1), "b": 3}},
		"echo":    true,
		"replace": "by a text",
		"hosts":   []any{"c"},
	}
	err := asked(t, r, "x", opts, func(p *connection.Params) error {
		engine, err := p.Table("engine")
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, engine); diff != "" {
			t.Errorf("merged table (-want +got):\n%s", diff)
		}
		engine["pool"].(map[string]any)["size"] = 99 // its own: nobody else sees it
		again, err := p.Table("engine")
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("asked again (-want +got):\n%s", diff)
		}
		for name, want := range map[string]any{
			"scalar":  map[string]any{"now": "a table"},
			"absent":  map[string]any{"only": "code"},
			"nowhere": map[string]any{},
		} {
			got, err := p.Table(name)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, any(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := given["pool"].(map[string]any)["size"]; got != 20 {
		t.Errorf("the caller's table was changed: size = %v", got)
	}
}

// Present decides, not non-empty: an empty value hides those of lower levels, and is an error
// that names its place where it is required.
func TestPresentButEmpty(t *testing.T) {
	t.Parallel()
	lower := []string{"URL=environment"}
	for _, test := range []struct {
		name    string
		values  map[string]any
		environ []string
		opts    []connection.Option
		place   string
	}{
		{"option", section("x", map[string]any{"url": "section"}), lower, []connection.Option{connection.With("url", "")}, "url from connection.With is empty"},
		{"secret as option", section("x", map[string]any{"url": "section"}), lower, []connection.Option{connection.With("url", secrets.NewSecret(""))}, "url from connection.With is empty"},
		{"section", section("x", map[string]any{"url": ""}), lower, nil, "url from [connections.x] is empty"},
		{"top level", map[string]any{"URL": ""}, lower, nil, "url from the top level of the secrets (URL) is empty"},
		{"environment", nil, []string{"URL="}, nil, "url from $URL is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := world(t, test.values, test.environ...)
			var required, decoded error
			err := asked(t, r, "x", test.opts, func(p *connection.Params) error {
				_, required = p.String("url", "URL")
				var into struct {
					URL string `param:"url,URL"`
				}
				decoded = p.Decode(&into)
				if got, err := p.StringOr("url", "otherwise", "URL"); got != "" || err != nil {
					t.Errorf("StringOr gave %q, %v; the empty value is there", got, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{required, decoded} {
				wantErrorText(t, err, test.place)
				if _, ok := errors.AsType[*connection.ValueError](err); !ok {
					t.Errorf("%T is no ValueError", err)
				}
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	r := world(t, section("pets", map[string]any{"usrname": "hunter2", "host": "h"}), "DB_USR=hunter2")
	err := asked(t, r, "pets", []connection.Option{connection.With("pasword", "hunter2")}, func(p *connection.Params) error {
		_, noUser := p.String("username", "DB_USER", "DB_LOGIN")
		_, noPassword := p.Secret("password")
		_, noPort := p.Int("port")
		return errors.Join(noUser, noPassword, noPort)
	})
	want := `connection "pets": open: no username; [connections.pets] has usrname: give it by connection.With("username", …), or by [connections.pets] username, or by $DB_USER (in the environment or the secrets), or by $DB_LOGIN (in the environment or the secrets)
no password; connection.With has pasword: give it by connection.With("password", …), or by [connections.pets] password
no port: give it by connection.With("port", …), or by [connections.pets] port`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	missing, ok := errors.AsType[*connection.MissingError](err)
	if !ok || missing.Param != "username" || missing.Near != "usrname" || missing.Place != "[connections.pets]" || len(missing.Looked) != 4 {
		t.Errorf("the data of the error: %+v", missing)
	}
}

// Most often the program runs in another folder than its secrets, or the name has a slip.
func TestMissingSectionNamesTheFilesAndTheNearestSection(t *testing.T) {
	t.Parallel()
	r := world(t, section("pets_db", map[string]any{"url": "hunter2"}))
	err := asked(t, r, "pets_bd", nil, func(p *connection.Params) error {
		_, err := p.String("url")
		return err
	})
	want := `connection "pets_bd": open: no url: give it by connection.With("url", …), or by [connections.pets_bd] url (no connections.pets_bd in values given in code; did you mean connections.pets_db?)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A key that is asked for is not taken for a misspelling of another.
func TestNearestKeyIsNoneThatIsAskedFor(t *testing.T) {
	t.Parallel()
	r := world(t, section("x", map[string]any{"hosts": "a,b"}))
	err := asked(t, r, "x", nil, func(p *connection.Params) error {
		if _, err := p.String("hosts"); err != nil {
			return err
		}
		_, err := p.String("host")
		return err
	})
	if missing, ok := errors.AsType[*connection.MissingError](err); !ok || missing.Near != "" {
		t.Errorf("got %v", err)
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	values := section("x", map[string]any{"host": "h", "pasword": "hunter2", "other_program": 1, "ttl": "1h", "type": "any"})
	connect := func(_ context.Context, p *connection.Params) (*client, error) {
		_, err := p.StringOr("password", "")
		if err != nil {
			return nil, err
		}
		_, err = p.StringOr("host", "")
		return &client{of: &source{}}, err
	}
	const text = "nothing reads hosst of connection.With (did you mean host?), other_program of [connections.x], pasword of [connections.x] (did you mean password?)"

	t.Run("warned once", func(t *testing.T) {
		t.Parallel()
		r := world(t, values)
		var l logs
		c := open(t, r, "x", connect, connection.With("hosst", 1), connection.WithLogger(logger(&l)))
		for range 3 {
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
			raw(t, c)
		}
		if n := l.count("nothing reads"); n != 1 {
			t.Errorf("warned %d times:\n%s", n, &l)
		}
		if n := l.count(text); n != 1 {
			t.Errorf("want %q in\n%s", text, &l)
		}
		if n := l.count("level=WARN"); n != 1 {
			t.Errorf("%d warnings:\n%s", n, &l)
		}
	})
	t.Run("strict", func(t *testing.T) {
		t.Parallel()
		r := world(t, values)
		var closed int
		c, err := connection.Open(t.Context(), "x", func(ctx context.Context, p *connection.Params) (*client, error) {
			p.OnClose(func() error { closed++; return nil })
			return connect(ctx, p)
		}, connection.In(r), connection.With("hosst", 1), connection.WithStrict())
		if err == nil {
			t.Fatal("opened", c)
		}
		wantErrorText(t, err, text)
		unknown, ok := errors.AsType[*connection.UnknownKeysError](err)
		want := []connection.UnknownKey{
			{Key: "hosst", Place: "connection.With", Near: "host"},
			{Key: "other_program", Place: "[connections.x]"},
			{Key: "pasword", Place: "[connections.x]", Near: "password"},
		}
		if !ok || !cmp.Equal(unknown.Keys, want) {
			t.Errorf("the data of the error: %v", unknown)
		}
		if closed != 1 {
			t.Errorf("the client that was made was closed %d times", closed)
		}
	})
}

// A section that is no table is an error that says what to write, not an empty section.
func TestSectionThatIsNoTable(t *testing.T) {
	t.Parallel()
	for _, values := range []map[string]any{
		{"connections": map[string]any{"x": "hunter2"}},
		{"connections": map[string]any{"x": 42}},
		{"connections": map[string]any{"x": []any{"hunter2"}}},
	} {
		r := world(t, values)
		err := asked(t, r, "x", nil, func(*connection.Params) error { return nil })
		wantErrorText(t, err, "connections.x in the secrets is a", "write [connections.x] above its keys")
	}
}

// No secrets at all is no error: options and the environment may say everything.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	for _, store := range []*secrets.Store{secrets.Of(nil), {}, secrets.Of(map[string]any{"connections": "no table"})} {
		r := &connection.Registry{Secrets: store, Environ: environ("HOST=h"), Logger: quiet}
		err := asked(t, r, "x", nil, func(p *connection.Params) error {
			host, err := p.String("host", "HOST")
			if host != "h" {
				return fmt.Errorf("host = %q, %w", host, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
