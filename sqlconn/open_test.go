package sqlconn_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

func TestSectionTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sql": "", "streamlit.connections.SQLConnection": "", "streamlit.connections.sql_connection.SQLConnection": "",
		"": `type = ""`, "SQL": `type = "SQL"`, "snowflake": `type = "snowflake"`,
		"streamlit.connections.SnowflakeConnection": `[connections.pets] has type = "streamlit.connections.SnowflakeConnection", which is no sql connection`,
	} {
		r := world(t, map[string]any{"pets": map[string]any{"type": name, "url": "sqlite://"}})
		_, err := sqlconn.Get(t.Context(), "pets", connection.In(r))
		opened, err2 := sqlconn.Open(t.Context(), "pets", connection.In(r))
		if opened != nil {
			_ = opened.Close()
		}
		if want != "" {
			wantText(t, err, want)
			wantText(t, err2, want)
		} else if err != nil || err2 != nil {
			t.Errorf("type = %q: %v, %v", name, err, err2)
		}
	}
}

// The levels are options over secrets. A url speaks for all parts of its level and hides those below.
func TestURLLevels(t *testing.T) {
	t.Parallel()
	with := connection.With
	for _, test := range []struct {
		name    string
		section map[string]any
		opts    func(id string) []connection.Option
		has     []string
		hasNot  []string
	}{
		{
			"a url in the secrets",
			map[string]any{"url": "postgresql://ann:secret1@one.invalid:1/ID"},
			nil,
			[]string{"ann", "secret1", "one.invalid"},
			nil,
		},
		{
			"parts in the secrets",
			map[string]any{"dialect": "postgresql", "username": "ann", "password": "secret1", "host": "one.invalid", "port": int64(65001), "database": "ID"},
			nil,
			[]string{"ann", "secret1", "one.invalid", "65001"},
			nil,
		},
		{
			"a part beside a url overrides the url's",
			map[string]any{"url": "postgresql://ann:secret1@one.invalid/ID", "username": "bob"},
			nil,
			[]string{"bob", "secret1", "one.invalid"},
			[]string{"ann"},
		},
		{
			"parts in options over a url in the secrets (defect 18)",
			map[string]any{"url": "postgresql://ann:secret1@one.invalid/ID"},
			func(string) []connection.Option {
				return []connection.Option{with("username", "bob"), with("password", "secret2"), with("host", "two.invalid"), with("port", 99)}
			},
			[]string{"bob", "secret2", "two.invalid", "99"},
			[]string{"ann", "secret1", "one.invalid"},
		},
		{
			"a url in options hides the parts in the secrets, credentials too",
			map[string]any{
				"dialect": "mysql", "username": "ann", "password": "secret1", "host": "one.invalid", "port": int64(65001), "database": "other",
				"query": map[string]any{"application_name": "app1"},
			},
			func(id string) []connection.Option {
				return []connection.Option{sqlconn.WithURL("postgresql://two.invalid/" + id)}
			},
			[]string{"two.invalid"},
			[]string{"ann", "secret1", "one.invalid", "65001", "app1"},
		},
		{
			"a url in options hides a url in the secrets",
			map[string]any{"url": "postgresql://ann:secret1@one.invalid/other", "password": "secret3"},
			func(id string) []connection.Option {
				return []connection.Option{sqlconn.WithURL("postgresql://bob@two.invalid/" + id)}
			},
			[]string{"two.invalid", "bob"},
			[]string{"ann", "secret1", "secret3", "one.invalid"},
		},
		{
			"parts in options over parts in the secrets, key by key",
			map[string]any{"dialect": "postgresql", "username": "ann", "password": "secret1", "host": "one.invalid", "database": "ID"},
			func(string) []connection.Option { return []connection.Option{with("host", "two.invalid")} },
			[]string{"ann", "secret1", "two.invalid"},
			[]string{"one.invalid"},
		},
		{
			"a url of the environment that the program names",
			map[string]any{},
			func(string) []connection.Option { return []connection.Option{sqlconn.WithURLEnv("THE_URL")} },
			[]string{"env.invalid", "eve"},
			nil,
		},
		{
			"the secrets over the environment",
			map[string]any{"url": "postgresql://ann:secret1@one.invalid/ID"},
			func(string) []connection.Option { return []connection.Option{sqlconn.WithURLEnv("THE_URL")} },
			[]string{"one.invalid", "ann"},
			[]string{"eve"},
		},
		{
			"a url of the environment that the secrets name",
			map[string]any{"url_env": "THE_URL"},
			nil,
			[]string{"env.invalid", "eve"},
			nil,
		},
		{
			"the environment's url under its own name in the section",
			map[string]any{"THE_URL": "postgresql://ann@one.invalid/ID"},
			func(string) []connection.Option { return []connection.Option{sqlconn.WithURLEnv("THE_URL")} },
			[]string{"one.invalid", "ann"},
			[]string{"eve"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := fakedb.New(t)
			fakedb.Register("pgx")
			id := srv.ID()
			for key, value := range test.section {
				if text, ok := value.(string); ok {
					test.section[key] = strings.Replace(text, "ID", id, 1)
				}
			}
			var opts []connection.Option
			if test.opts != nil {
				opts = test.opts(id)
			}
			r := world(t, map[string]any{"pets": test.section}, "THE_URL=postgresql://eve@env.invalid/"+id)
			c := get(t, r, "pets", opts...)
			if err := connection.Ping(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			dsn := srv.DSNs()[0]
			for _, text := range test.has {
				if !strings.Contains(dsn, text) {
					t.Errorf("%q is not in %s", text, dsn)
				}
			}
			for _, text := range test.hasNot {
				if strings.Contains(dsn, text) {
					t.Errorf("%q is in %s", text, dsn)
				}
			}
		})
	}
}

// In Streamlit, parts that are given in code silently lose to a url in the secrets.
func TestDefect18_PartsInOptionsWinOverURLInSecrets(t *testing.T) {
	t.Parallel()
	srv, other := fakedb.New(t), fakedb.New(t)
	srv.On("select name from servers", fakedb.Rows([]string{"name"}, []any{"mine"}))
	r := world(t, map[string]any{"pets": map[string]any{"url": urlOf(other)}})
	c := get(t, r, "pets", connection.With("database", srv.ID()), connection.With("username", "bob"))
	if name := one[string](t, c, "select name from servers"); name != "mine" {
		t.Errorf("connected to %s", name)
	}
	if dsn := srv.DSNs()[0]; !strings.Contains(dsn, "bob") || strings.Contains(dsn, "ann") {
		t.Errorf("connected by %s", dsn)
	}
}

// Streamlit ignores autocommit in the secrets.
func TestDefect17_AutocommitInSecretsIsHonoured(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]map[string]any{
		"in the section":          {"autocommit": true},
		"in create_engine_kwargs": {"create_engine_kwargs": map[string]any{"autocommit": true}},
		"as isolation_level":      {"create_engine_kwargs": map[string]any{"isolation_level": "AUTOCOMMIT"}},
		"in execution_options":    {"create_engine_kwargs": map[string]any{"execution_options": map[string]any{"isolation_level": "AUTOCOMMIT"}}},
		"as a mounted text":       {"autocommit": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := fakedb.New(t)
			srv.On(update, fakedb.Affected(1))
			keys["url"] = urlOf(srv)
			c := get(t, world(t, map[string]any{"pets": keys}), "pets")
			if err := c.Session(t.Context(), func(tx *sqlconn.Tx) error { _, err := tx.Exec(t.Context(), update); return err }); err != nil {
				t.Error(err)
			}
			wantOps(t, srv, fakedb.Exec)
			if err := c.Session(t.Context(), func(*sqlconn.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEngineSettingsOfAllPlaces(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	r := world(t, map[string]any{"pets": map[string]any{
		"url": urlOf(srv), "pool_size": int64(2),
		"create_engine_kwargs": map[string]any{"max_overflow": int64(1), "pool_size": int64(9), "connect_args": map[string]any{"application_name": "app1"}},
	}})
	for name, test := range map[string]struct {
		opts []connection.Option
		want int
	}{
		"beside the others, over the table":   {nil, 3},
		"as an option":                        {[]connection.Option{connection.With("pool_size", 4)}, 5},
		"as a table of options, key by key":   {[]connection.Option{connection.With("create_engine_kwargs", map[string]any{"max_overflow": 5})}, 7},
		"as a table of options and an option": {[]connection.Option{connection.With("create_engine_kwargs", map[string]any{"max_overflow": 5}), connection.With("max_overflow", 6)}, 8},
	} {
		c := get(t, r, "pets", test.opts...)
		db, err := c.Raw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := db.Stats().MaxOpenConnections; n != test.want {
			t.Errorf("%s: %d connections, want %d", name, n, test.want)
		}
	}
	if dsn := srv.DSNs()[0]; !strings.Contains(dsn, "app1") {
		t.Errorf("connect_args did not reach the driver: %s", strings.ReplaceAll(dsn, planted, ""))
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	with := connection.With
	for _, test := range []struct {
		name    string
		section map[string]any
		opts    []connection.Option
		want    []string
	}{
		{"nothing given", nil, nil, []string{`connection "pets" (sql): open: `, "no url", "[connections.pets]"}},
		{"only engine settings", nil, []connection.Option{with("echo", true)}, []string{"no url"}},
		{"only a type", map[string]any{"type": "sql"}, nil, []string{"no url"}},
		{"a slip", map[string]any{"ulr": "sqlite://"}, nil, []string{"no url", "[connections.pets] has ulr"}},
		{"a missing part", map[string]any{"dialect": "postgresql", "host": "h"}, nil, []string{"username"}},
		{"a bad port", map[string]any{"dialect": "postgresql", "host": "h", "username": "u", "port": "x"}, nil, []string{"port"}},
		{"a missing driver", map[string]any{"url": "mysql://u:" + "planted@h/d"}, nil, []string{`no driver for "mysql": add import _ "github.com/go-sql-driver/mysql"`}},
		{"an unknown dialect", map[string]any{"url": "postgrse://u:planted@h/d"}, nil, []string{`unknown dialect "postgrse"`, `"postgres"`}},
		{"an unknown engine setting", map[string]any{"url": "sqlite://", "create_engine_kwargs": map[string]any{"pool_sizes": int64(1)}}, nil, []string{"pool_sizes", `"pool_size"`}},
		{"a bad engine setting", map[string]any{"url": "sqlite://", "pool_size": "many"}, nil, []string{"pool_size must be"}},
		{"a bad ttl", map[string]any{"url": "sqlite://", "ttl": "10"}, nil, []string{"ttl"}},
		{"an opener in the secrets", map[string]any{"url": "sqlite://", "opener": "x"}, nil, []string{"WithOpener"}},
		{"an unread key, strictly", map[string]any{"url": "sqlite://", "pool_sise": int64(1)}, []connection.Option{connection.WithStrict()}, []string{"pool_sise", "pool_size"}},
		{"an empty url", map[string]any{"url": ""}, nil, []string{"url"}},
		{"an empty variable", nil, []connection.Option{sqlconn.WithURLEnv("EMPTY")}, []string{"url"}},
		{"a variable that is not set", nil, []connection.Option{sqlconn.WithURLEnv("NOT_THERE")}, []string{"NOT_THERE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := world(t, map[string]any{"pets": test.section}, "EMPTY=")
			c, err := sqlconn.Open(t.Context(), "pets", append(test.opts, connection.In(r))...)
			if c != nil {
				t.Error("a connection beside the error")
				_ = c.Close()
			}
			wantText(t, err, test.want...)
			if err != nil && strings.Contains(err.Error(), "planted") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestUnreadKeysAreToldOnce(t *testing.T) {
	t.Parallel()
	var out logs
	r := world(t, map[string]any{"pets": map[string]any{"url": "sqlite://", "pool_sise": int64(1), "password_of_another_program": planted}})
	r.Logger = logger(&out)
	c := get(t, r, "pets")
	for range 3 {
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		one[int](t, c.WithTTL(0), "select 1")
	}
	if n := strings.Count(out.String(), "pool_sise"); n != 1 || strings.Contains(out.String(), planted) {
		t.Errorf("logged:\n%s", out.String())
	}
}

func TestOpener(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.On(selectRun, numbered())
	var drivers []string
	c := open(t, "pets", sqlconn.WithURL(urlOf(srv)), sqlconn.WithOpener(func(driver, dsn string) (*sql.DB, error) {
		drivers = append(drivers, driver)
		if !strings.Contains(dsn, srv.ID()) {
			t.Error("not the DSN")
		}
		return srv.Open(), nil
	}))
	one[int](t, c, selectRun)
	if len(drivers) != 1 || drivers[0] != "pgx" {
		t.Errorf("opened by %q", drivers)
	}
	name, err := c.Driver(t.Context())
	if name != "pgx" || err != nil {
		t.Errorf("driver %q, %v", name, err)
	}
	dialect, err := c.Dialect(t.Context())
	if dialect != "postgresql" || err != nil {
		t.Errorf("dialect %q, %v", dialect, err)
	}

	none := open(t, "pets", sqlconn.WithURL("sqlite://"), sqlconn.WithOpener(nil)) // is sql.Open
	if n := one[int](t, none, "select 1"); n != 1 {
		t.Errorf("got %d", n)
	}
	_, err = sqlconn.Get(t.Context(), "pets", connection.In(world(t, nil)), sqlconn.WithURL("sqlite://"),
		sqlconn.WithOpener(func(string, string) (*sql.DB, error) { return nil, nil }))
	wantText(t, err, "opener", "use Open")
}

func TestOpenDoesNotDial(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.Down(nil)
	c := open(t, "pets", sqlconn.WithURL(urlOf(srv)))
	if n := srv.Stats().Dials; n != 0 {
		t.Errorf("%d dials", n)
	}
	if err := connection.Ping(t.Context(), c); err == nil {
		t.Error("Ping reaches a database that is down")
	}
	srv.Up()
	if err := connection.Ping(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestConnectAsARegisteredFactory(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	srv.On(selectRun, numbered())
	r := world(t, map[string]any{"pets": map[string]any{"type": "sql", "url": urlOf(srv)}})
	connection.Register(r, "sql", sqlconn.Connect)
	c, err := connection.Get[*sql.DB](context.Background(), r, "pets")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if run := one[int](t, sqlconn.New(c), selectRun); run != 1 {
			t.Errorf("run %d", run)
		}
	}
}

// The address of lower levels is hidden by a url, also where it stands in connect_args.
func TestURLHidesTheAddressInLowerConnectArgs(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	fakedb.Register("pgx")
	reg := world(t, map[string]any{"pets": map[string]any{
		"connect_args": map[string]any{"host": "prod", "password": planted, "application_name": "pets"},
	}})
	var dsn string
	open(t, "pets", connection.In(reg), sqlconn.WithURL("postgresql://u@localhost/test"),
		sqlconn.WithOpener(func(_, given string) (*sql.DB, error) {
			dsn = given
			return srv.Open(), nil
		}))
	if strings.Contains(dsn, "prod") || strings.Contains(dsn, planted) || !strings.Contains(dsn, "pets") {
		t.Errorf("the DSN is %q", dsn)
	}
}

// A mounted folder of secrets gives the url under the name that url_env tells.
func TestURLOfAMountedSecret(t *testing.T) {
	t.Parallel()
	srv := fakedb.New(t)
	folder := filepath.Join(t.TempDir(), "secrets")
	for name, value := range map[string]string{"PETS_URL": urlOf(srv), "connections.pets": "sqlite://"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name, "value"), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(folder))
	if err != nil {
		t.Fatal(err)
	}
	r := world(t, nil, "PETS_URL=postgresql://eve@env.invalid/")
	r.Secrets = store
	if err := connection.Ping(t.Context(), get(t, r, "pets", sqlconn.WithURLEnv("PETS_URL"))); err != nil {
		t.Fatal(err)
	}
	if dsn := srv.DSNs()[0]; !strings.Contains(dsn, "ann") {
		t.Errorf("it came from elsewhere: %s", dsn)
	}
}

// What is no argument is told by name, whoever notices it.
func TestArgumentsThatAreNone(t *testing.T) {
	t.Parallel()
	c := memory(t)
	for name, test := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"a pointer to Params":   {`select :id`, []any{&sqlconn.Params{"id": 1}}, "a *sqlconn.Params is no argument: give named parameters as sqlconn.Params, without a pointer"},
		"a struct":              {`select :id`, []any{struct{ ID int }{1}}, "give named parameters, and lists for IN, as sqlconn.Params"},
		"a list":                {`select 1 where 1 in (?)`, []any{[]int{1}}, "give named parameters, and lists for IN, as sqlconn.Params"},
		"names without values":  {`select :id`, nil, "the statement has :id, and no sqlconn.Params were given"},
		"names without any arg": {`select 1 where 1 = :a and 2 = :b`, nil, "the statement has :a,"},
	} {
		_, err := sqlconn.Query[int](t.Context(), c, test.query, test.args...)
		_, execErr := c.Exec(t.Context(), test.query, test.args...)
		for _, err := range []error{err, execErr} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", name, err, test.want)
			}
		}
	}
	if _, err := c.Exec(t.Context(), `select 1 from nowhere`); err == nil || strings.Contains(err.Error(), "Params") {
		t.Errorf("an error that has nothing to do with arguments: %v", err)
	}
}
