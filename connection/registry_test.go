package connection_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/streamconn/streamconn/connection"
)

type other struct{}

func TestKindOfASection(t *testing.T) {
	t.Parallel()
	r := world(t, map[string]any{"connections": map[string]any{
		"typed":   map[string]any{"type": "one"},
		"two":     map[string]any{"type": "one"}, // like a kind: the name implies it
		"unknown": map[string]any{"type": "three"},
		"number":  map[string]any{"type": 3},
		"other":   map[string]any{"type": "other"},
		"untyped": map[string]any{"url": "u"},
	}})
	source := map[string]*source{"one": new(source), "two": new(source)}
	for word, src := range source {
		connection.Register(r, word, src.connect)
	}
	connection.Register(r, "other", func(context.Context, *connection.Params) (*other, error) { return new(other), nil })
	for _, test := range []struct {
		name string
		opts []connection.Option
		kind string
		err  string
	}{
		{"typed", nil, "one", ""},
		{"typed", []connection.Option{connection.WithType("two")}, "two", ""},
		{"typed", []connection.Option{connection.With("type", "two")}, "two", ""},
		{"two", nil, "two", ""},
		{"two", []connection.Option{connection.WithType("one")}, "one", ""},
		{"two2", nil, "", "[connections.two2] has no type, and no kind is registered as \"two2\" (registered: one, other, two)"},
		{"untyped", nil, "", "[connections.untyped] has no type"},
		{"unknown", nil, "", `unknown type "three" (registered: one, other, two; forgotten Register?)`},
		{"number", nil, "", "type from [connections.number] is a whole number, not a text"},
		{"other", nil, "", `type "other" makes a connection.Connection[*connection_test.other], not a connection.Connection[*connection_test.client]`},
	} {
		t.Run(fmt.Sprint(test.name, test.opts), func(t *testing.T) {
			t.Parallel()
			c, err := connection.Get[*client](t.Context(), r, test.name, test.opts...)
			if test.err != "" {
				wantErrorText(t, err, test.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if raw(t, c).of != source[test.kind] || connection.Explain(c).Kind != test.kind {
				t.Errorf("kind %q, want %q", connection.Explain(c).Kind, test.kind)
			}
		})
	}
	empty := world(t, nil)
	_, err := connection.Get[*client](t.Context(), empty, "x")
	wantErrorText(t, err, "(registered: none)")
}

// A kind of its own refuses a section that is of another type.
func TestKindChecksTheType(t *testing.T) {
	t.Parallel()
	kind := &connection.Kind[*client, connection.Connection[*client]]{
		Name: "src", Aliases: []string{"streamlit.connections.SourceConnection"}, Connect: new(source).connect,
	}
	for typed, want := range map[any]string{
		nil: "", "src": "", "streamlit.connections.SourceConnection": "",
		"sql": `[connections.x] has type = "sql", which is no src connection; its type has to be "src", or be left out`,
		7:     `has type = "7"`,
		true:  "type from [connections.x] is a truth value",
	} {
		keys := map[string]any{}
		if typed != nil {
			keys["type"] = typed
		}
		r := world(t, section("x", keys))
		c, err := kind.Open(t.Context(), "x", connection.In(r))
		if want != "" {
			wantErrorText(t, err, want)
			if e, ok := errors.AsType[*connection.Error](err); !ok || e.Kind != "src" || e.Name != "x" || e.Op != "open" {
				t.Errorf("%+v", e)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	// A bare factory minds no type.
	c := open(t, world(t, section("x", map[string]any{"type": "whatever"})), "x", new(source).connect, connection.WithStrict())
	raw(t, c)
}

func TestRegisterPanicsOnMistakes(t *testing.T) {
	t.Parallel()
	var r connection.Registry
	connect := new(source).connect
	connection.Register(&r, "src", connect)
	for name, register := range map[string]func(){
		"taken":      func() { connection.Register(&r, "src", connect) },
		"no name":    func() { connection.Register(&r, "", connect) },
		"no factory": func() { connection.Register[*client](&r, "nil", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			register()
		}()
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	src := new(source)
	fake := &client{of: src, host: "fake"}
	c := connection.Of("x", fake)
	if c.Name() != "x" || raw(t, c) != fake {
		t.Error("not the client that was given")
	}
	loads := 0
	if read(t, c, "k", &loads); read(t, c, "k", &loads) != "fake" || loads != 1 {
		t.Errorf("%d loads", loads)
	}
	if e := connection.Explain(c); len(e.Params) != 0 || len(e.Unknown) != 0 {
		t.Errorf("%v", e)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if raw(t, c) != fake {
		t.Error("another client after a Reset")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Raw(t.Context())
	wantErrorIs(t, err, connection.ErrClosed)
	if src.closes.Load() != 0 {
		t.Error("the client is its maker's, but was closed")
	}
	none := connection.Of[*client]("x", nil)
	_, err = none.Raw(t.Context())
	wantErrorText(t, err, "neither a client nor an error")
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

// homeless takes the home and the project of the process away, and with them its secrets.
func homeless(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	t.Chdir(home)
	t.Setenv("HOME", home)
	t.Setenv("STREAMCONN_SECRETS", "")
}

// Of, whose place is in tests, looks into no file, and so does not make the process's registry do it.
func TestOfReadsNoSecrets(t *testing.T) {
	homeless(t)
	before := connection.Default
	connection.Default = &connection.Registry{Logger: quiet}
	t.Cleanup(func() { connection.Default = before })

	c := connection.Of("x", &client{of: new(source)})
	raw(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}

	// Had it been loaded, this file would be unknown to it.
	f := file{t, "secrets.toml"}
	f.write("top = 'later'\n")
	t.Setenv("STREAMCONN_SECRETS", f.path)
	d, err := connection.Open(t.Context(), "x", func(_ context.Context, p *connection.Params) (*client, error) {
		v, err := p.String("v", "top")
		return &client{of: new(source), host: v}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if host := raw(t, d).host; host != "later" {
		t.Errorf("host %q", host)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

type pinged struct{ err error }

func (p pinged) Ping(context.Context) error { return p.err }

type pingedContext struct{ err error }

func (p pingedContext) PingContext(context.Context) error { return p.err }

func TestPing(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for _, test := range []struct {
		name   string
		client any
		want   error
	}{
		{"Ping", pinged{down}, down},
		{"Ping, up", pinged{}, nil},
		{"PingContext", pingedContext{down}, down},
		{"PingContext, up", pingedContext{}, nil},
		{"neither", other{}, nil},
	} {
		c := connection.Of(test.name, test.client)
		err := connection.Ping(t.Context(), struct{ connection.Connection[any] }{c})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			wantErrorText(t, err, `": ping: down`)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	kind := connection.Kind[*client, connection.Connection[*client]]{
		Name: "src", Connect: new(source).connect, Ping: func(context.Context, *client) error { return down },
	}
	c, err := kind.Open(t.Context(), "x", connection.In(world(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	wantErrorIs(t, connection.Ping(t.Context(), c), down)
	wantErrorIs(t, connection.Ping(t.Context(), connection.Scoped(c, "ann", same)), down)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Open does not dial where the client connects lazily: what is down is no error of Open.
func TestOpenOfALazyClientDoesNotDial(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", func(context.Context, *connection.Params) (*sql.DB, error) {
		return sql.Open("sqlite", "file:/nowhere/at/all.db?mode=ro")
	})
	if err := connection.Ping(t.Context(), c); err == nil {
		t.Error("Ping of what is not there")
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	want := connection.Statistics{Connected: true, Connects: 1}
	check := func() {
		t.Helper()
		got := connection.Stats(connection.Scoped(c, "ann", same)) // the views' are the connection's
		got.Cache.Hits, got.Cache.Misses, got.Cache.Loads, got.Cache.Uncached = 0, 0, 0, 0
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	check()
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	want.Connected, want.Resets = false, 1
	check()
	src.dial = func(context.Context, *connection.Params) error { return errors.New("no") }
	_, _ = c.Raw(t.Context())
	want.Connects, want.ConnectErrors = 2, 1
	check()
	src.dial = nil
	raw(t, c)
	want.Connected, want.Connects = true, 3
	check()
	loads := 0
	read(t, c, "k", &loads)
	read(t, c, "k", &loads)
	if s := connection.Stats(c).Cache; s.Hits != 1 || s.Misses != 1 || s.Loads != 1 {
		t.Errorf("%+v", s)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := newFile(t, "DB_PORT = 5432\nport = 1\n[connections.x]\nhost = 'h'\nDB_USER = 'hunter2'\npasword = 'hunter2'\n")
	store := f.load()
	r := &connection.Registry{Secrets: store, Environ: environ("DB_TOKEN=hunter2"), Logger: quiet}
	kind := connection.Kind[*client, connection.Connection[*client]]{Name: "src", Connect: func(_ context.Context, p *connection.Params) (*client, error) {
		for _, q := range [][2]string{{"host", "DB_HOST"}, {"user", "DB_USER"}, {"password", "DB_PASSWORD"}, {"token", "DB_TOKEN"}, {"port", "DB_PORT"}, {"pool", "DB_POOL"}} {
			p.Lookup(q[0], q[1])
		}
		return &client{of: new(source)}, nil
	}}
	c, err := kind.Open(t.Context(), "x", connection.In(r), connection.With("pool", "hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	want := `connection "x" (src)
  host     ******  from [connections.x] in ` + f.path + `
  user     ******  from [connections.x] in ` + f.path + `
  token    ******  from $DB_TOKEN
  port     ******  from the top level of the secrets (DB_PORT) in ` + f.path + `
  pool     ******  from connection.With
  pasword  unread  in [connections.x]
  not given: password
`
	for _, c := range []connection.Any{c, connection.Scoped(c, "ann", same), struct{ connection.Connection[*client] }{c}} {
		if got := connection.Explain(c).String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	e := connection.Explain(c)
	if e.Params[1].Source != connection.Section || e.Params[2].Source != connection.NoSource || len(e.Unknown) != 1 || e.Unknown[0].Near != "password" {
		t.Errorf("%+v", e)
	}
	// It tells of the last connect, not of what the next one would find.
	f.write("x = 1\n")
	refresh(t, store)
	if got := connection.Explain(c); len(got.Params) != 6 || got.Params[0].Source != connection.Section {
		t.Errorf("after a change:\n%v", got)
	}
}

func TestSourceNames(t *testing.T) {
	t.Parallel()
	for source, want := range map[connection.Source]string{
		connection.NoSource: "nowhere", connection.Environment: "environment", connection.TopLevel: "top level of secrets",
		connection.Section: "secrets", connection.Code: "code", 99: "nowhere",
	} {
		if got := source.String(); got != want {
			t.Errorf("%d: %q, want %q", source, got, want)
		}
	}
	if connection.Environment >= connection.TopLevel || connection.TopLevel >= connection.Section || connection.Section >= connection.Code {
		t.Error("higher levels are not greater")
	}
}

// The hook of a wrapper: Wrap names a connection once.
func TestWrap(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	if err := connection.Wrap(c, "query", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	boom := errors.New("boom")
	once := connection.Wrap(c, "query", boom)
	if want := `connection "x": query: boom`; once.Error() != want || !errors.Is(once, boom) {
		t.Errorf("got %v, want %s", once, want)
	}
	if twice := connection.Wrap(c, "session", once); twice != once { //nolint:errorlint // the same
		t.Errorf("wrapped twice: %v", twice)
	}
	y := open(t, world(t, nil), "y", new(source).connect)
	if got := connection.Wrap(y, "query", once).Error(); got != `connection "y": query: connection "x": query: boom` {
		t.Error(got)
	}
}
