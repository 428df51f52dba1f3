package sqlconn_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
)

// In Streamlit, a reset while others query closes nothing, races, and reconnects more than once.
func TestDefect06_ResetsUnderLoad(t *testing.T) {
	t.Parallel()
	const resets = 1000
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t, connection.With("pool_size", 100), connection.WithRetry(connection.Retry{Window: -1}))
		nap := func(context.Context) error { elapse(time.Duration(5+rand.IntN(46)) * time.Millisecond); return nil }
		srv.On(selectRun, fakedb.Wait(nap, numbered()))
		srv.On(update, fakedb.Wait(nap, fakedb.Affected(1)))
		srv.On("select many", fakedb.Reply(&fakedb.Result{
			Columns: []fakedb.Column{{Name: "run"}}, Rows: [][]any{{1}, {2}, {3}},
			Next: func(ctx context.Context, _ int) error { return nap(ctx) },
		}))
		calls := []func() error{
			func() error { return reads["uncached"](t.Context(), c, selectRun) },
			func() error {
				n := 0
				for _, err := range sqlconn.Rows[int](t.Context(), c, "select many") {
					if err != nil {
						return err
					}
					n++
				}
				if n != 3 {
					return errors.New("rows are missing")
				}
				return nil
			},
			func() error { return writes["Exec"](t.Context(), c, update) },
			func() error {
				return c.Session(t.Context(), func(tx *sqlconn.Tx) error {
					_, err := tx.Exec(t.Context(), update)
					return err
				})
			},
		}
		var over atomic.Bool
		var done atomic.Int64
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for !over.Load() {
					if err := calls[i%len(calls)](); err != nil {
						t.Error(err)
						return
					}
					done.Add(1)
				}
			})
		}
		for range resets {
			elapse(time.Duration(rand.IntN(10)) * time.Millisecond)
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		over.Store(true)
		wg.Wait()
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		st, s := connection.Stats(c), srv.Stats()
		if st.Connects > resets+1 || st.Resets != resets+1 || st.ConnectErrors != 0 {
			t.Errorf("%d connects, %d of them failed, for %d resets", st.Connects, st.ConnectErrors, st.Resets)
		}
		if st.Connects < resets/4 || done.Load() < resets {
			t.Errorf("only %d connects and %d calls: the test has tested nothing", st.Connects, done.Load())
		}
		if s.UseAfterClose != 0 || s.ClosedInUse != 0 || s.Live() != 0 || s.OpenRows != 0 || s.OpenTxs != 0 {
			t.Errorf("the server counts %+v", s)
		}
	})
}

func TestResetKeepsReadsOfTheSameDatabase(t *testing.T) {
	t.Parallel()
	srv, c := fake(t)
	srv.On(selectRun, numbered())
	one[int](t, c, selectRun)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if run := one[int](t, c, selectRun); run != 1 {
		t.Errorf("run %d: a Reset that leads to the same place has ended cached reads", run)
	}
	if run := one[int](t, c.WithTTL(0), selectRun); run != 2 {
		t.Errorf("run %d", run)
	}
}

func TestFaultsThatNeedANewPool(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  func(*fakedb.Server)
		resets uint64
	}{
		"a statement's failure":   {func(srv *fakedb.Server) { srv.On(selectRun, fakedb.Fail(&fakedb.StateError{State: "42601"})) }, 0},
		"a broken connection":     {func(srv *fakedb.Server) { srv.Break(nil) }, 0},
		"refused credentials":     {func(srv *fakedb.Server) { srv.Down(&fakedb.StateError{State: "28P01"}) }, 1},
		"a server that is gone":   {func(srv *fakedb.Server) { srv.Down(nil) }, 1},
		"no such database":        {func(srv *fakedb.Server) { srv.Down(&fakedb.StateError{State: "3D000"}) }, 1},
		"a dial that was dropped": {func(srv *fakedb.Server) { srv.Down(errors.New("boom")) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := fake(t, connection.WithRetry(connection.Retry{Window: -1}), connection.With("pool_pre_ping", true))
			srv.On("select", numbered())
			srv.On(selectRun, numbered())
			one[int](t, c, "select")
			test.fault(srv)
			_, _ = sqlconn.Query[int](t.Context(), c, selectRun)
			if s := connection.Stats(c); s.Resets != test.resets {
				t.Errorf("%d resets, want %d", s.Resets, test.resets)
			}
			srv.Up()
			srv.On(selectRun, numbered())
			one[int](t, c.WithTTL(0), selectRun)
		})
	}
}

// file is a secrets.toml that the test edits.
func file(t *testing.T) (store *secrets.Store, write func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets.toml")
	write = func(content string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if store != nil {
			if err := store.Refresh(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("")
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(path))
	if err != nil {
		t.Fatal(err)
	}
	return store, write
}

func TestChangedSecretsMoveTheConnection(t *testing.T) {
	t.Parallel()
	store, write := file(t)
	servers := map[string]*fakedb.Server{}
	for _, name := range []string{"blue", "green"} {
		servers[name] = fakedb.New(t)
		servers[name].On("select name from servers", fakedb.Rows([]string{"name"}, []any{name}))
	}
	section := func(name, more string) string {
		return "[connections.pets]\nurl = '" + urlOf(servers[name]) + "'\n" + more
	}
	r := &connection.Registry{Secrets: store}
	t.Cleanup(func() { _ = r.Close() })
	write(section("blue", ""))
	c := get(t, r, "pets")
	where := func() string { return one[string](t, c, "select name from servers") }
	if name := where(); name != "blue" {
		t.Errorf("connected to %s", name)
	}
	write(section("blue", "") + "[connections.other]\nurl = 'sqlite://'\n")
	if name, n := where(), servers["blue"].Count("select name from servers"); name != "blue" || n != 1 || connection.Stats(c).Connects != 1 {
		t.Errorf("an edit that is none of its business: %s, %d queries, %d connects", name, n, connection.Stats(c).Connects)
	}
	write(section("green", ""))
	if name := where(); name != "green" {
		t.Errorf("after the move, a cached read of %s", name)
	}
	write(section("blue", ""))
	if name, n := where(), servers["blue"].Count("select name from servers"); name != "blue" || n != 2 {
		t.Errorf("after the way back: %s, %d queries: what was cached before is served again", name, n)
	}
	write(section("blue", "pool_size = 3\n"))
	where()
	if db, err := c.Raw(t.Context()); err != nil || db.Stats().MaxOpenConnections != 13 || connection.Stats(c).Connects != 4 {
		t.Errorf("%v: the pool did not follow the secrets, in %d connects", err, connection.Stats(c).Connects)
	}
}

func TestTheSameSecretsChangeDuringASession(t *testing.T) {
	t.Parallel()
	store, write := file(t)
	blue, green := fakedb.New(t), fakedb.New(t)
	for _, srv := range []*fakedb.Server{blue, green} {
		srv.On(update, fakedb.Affected(1))
		srv.On(selectRun, numbered())
	}
	r := &connection.Registry{Secrets: store}
	t.Cleanup(func() { _ = r.Close() })
	write("[connections.pets]\nurl = '" + urlOf(blue) + "'\n")
	c := get(t, r, "pets")
	err := c.Session(t.Context(), func(tx *sqlconn.Tx) error {
		if _, err := tx.Exec(t.Context(), update); err != nil {
			return err
		}
		write("[connections.pets]\nurl = '" + urlOf(green) + "'\n")
		one[int](t, c, selectRun) // already over there
		_, err := tx.Exec(t.Context(), update)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	wantOps(t, blue, fakedb.Begin, fakedb.Exec, fakedb.Exec, fakedb.Commit)
	wantOps(t, green, fakedb.Query)
}

// In Streamlit two databases under one name share their results.
func TestDefect02_DatabasesOfOneNameNeverShareResults(t *testing.T) {
	t.Parallel()
	common := cache.New(cache.Config{})
	t.Cleanup(func() { _ = common.Close() })
	server := func(name string) *fakedb.Server {
		srv := fakedb.New(t)
		srv.On("select name from servers", fakedb.Rows([]string{"name"}, []any{name}))
		return srv
	}
	blue, green := server("blue"), server("green")
	r := world(t, nil)
	for name, pair := range map[string][2]*sqlconn.Conn{
		"opened, with one cache": {
			open(t, "pets", sqlconn.WithURL(urlOf(blue)), connection.WithCache(common)),
			open(t, "pets", sqlconn.WithURL(urlOf(green)), connection.WithCache(common)),
		},
		"shared, of one registry": {
			get(t, r, "pets", sqlconn.WithURL(urlOf(blue))), get(t, r, "pets", sqlconn.WithURL(urlOf(green))),
		},
		"of two registries": {
			get(t, world(t, map[string]any{"pets": map[string]any{"url": urlOf(blue)}}), "pets", connection.WithCache(common)),
			get(t, world(t, map[string]any{"pets": map[string]any{"url": urlOf(green)}}), "pets", connection.WithCache(common)),
		},
	} {
		for range 2 {
			for i, want := range []string{"blue", "green"} {
				if got := one[string](t, pair[i], "select name from servers"); got != want {
					t.Errorf("%s: %s has answered for %s", name, got, want)
				}
			}
		}
	}
	if blue.Count("select name from servers") != 3 || green.Count("select name from servers") != 3 {
		t.Error("the second calls were not cached")
	}
}

func TestGetShares(t *testing.T) {
	t.Parallel()
	r := world(t, map[string]any{"pets": map[string]any{"url": "sqlite://"}})
	a := get(t, r, "pets")
	if b := get(t, r, "pets"); a != b {
		t.Error("two connections for one name")
	}
	if b := get(t, r, "pets", connection.With("pool_size", 3)); a == b {
		t.Error("one connection for different options")
	}
	x := get(t, r, "pets", sqlconn.WithURL("sqlite://"), connection.With("pool_size", 3))
	if y := get(t, r, "pets", connection.With("pool_size", 3), sqlconn.WithURL("sqlite://")); x != y {
		t.Error("the order of options matters")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if b := get(t, r, "pets"); a == b {
		t.Error("Get gives a connection that is closed")
	}
}

func TestMemoryIsOneDatabaseForTheWholePool(t *testing.T) {
	t.Parallel()
	c, other := memory(t), memory(t)
	exec(t, c, "create table runs (run integer)")
	exec(t, c, "insert into runs (run) values (1), (2), (3)")
	sum := 0
	for outer, err := range sqlconn.Rows[int](t.Context(), c, "select run from runs") { // holds a connection
		if err != nil {
			t.Fatal(err)
		}
		sum += outer * len(query[int](t, c.WithTTL(0), "select run from runs")) // on another
	}
	if sum != 18 {
		t.Errorf("sum %d: the pool's connections see different databases", sum)
	}
	db, err := c.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := db.Stats().OpenConnections; n < 3 { // and the anchor
		t.Fatalf("%d connections: the test has tested nothing", n)
	}
	db.SetMaxIdleConns(0) // closes all but the anchor
	if n := one[int](t, c.WithTTL(0), "select count(*) from runs"); n != 3 {
		t.Errorf("%d rows after the pool was idle", n)
	}
	if _, err := sqlconn.Query[int](t.Context(), other, "select run from runs"); err == nil {
		t.Error("two connections share one memory")
	}
}

func TestMemoryTakesThePoolSizeThatIsGiven(t *testing.T) {
	t.Parallel()
	c := memory(t, connection.With("pool_size", 1), connection.With("max_overflow", 0))
	exec(t, c, "create table runs (run integer)") // beside the anchor
	if n := one[int](t, c, "select count(*) from runs"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestMemoryIsEmptiedByResetAlone(t *testing.T) {
	t.Parallel()
	fill := func(c *sqlconn.Conn) {
		t.Helper()
		exec(t, c, "create table runs (run integer)")
		exec(t, c, "insert into runs (run) values (1)")
	}
	const count = "select count(*) from runs"
	kept := func(what string, c *sqlconn.Conn) {
		t.Helper()
		if n, err := sqlconn.QueryOne[int](t.Context(), c.WithTTL(0), count); n != 1 || err != nil {
			t.Errorf("%s has emptied it: %d, %v", what, n, err)
		}
	}

	c := memory(t, connection.WithMaxAge(1))
	fill(c)
	kept("age", c)

	// The very errors after which another connection is given a new pool.
	_ = c.Session(t.Context(), func(*sqlconn.Tx) error { return &fakedb.StateError{State: "28P01"} })
	kept("a fault", c)
	if _, err := sqlconn.Query[int](t.Context(), c, "select nonsense"); err == nil {
		t.Error("no error")
	}
	kept("an error", c)

	r := world(t, nil)
	r.MaxConnected = 1
	shared := get(t, r, "a", sqlconn.WithURL("sqlite://"))
	fill(shared)
	for _, name := range []string{"b", "c"} {
		one[int](t, get(t, r, name, sqlconn.WithURL("sqlite://")), "select 1")
	}
	kept("the registry's bound", shared)

	one[int](t, c, count) // cached
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if n, err := sqlconn.QueryOne[int](t.Context(), c, count); err == nil {
		t.Errorf("after a Reset, %d rows are still cached", n)
	}
	fill(c) // an empty one
	kept("nothing", c)
}

func TestMaxAgeReplacesOtherPools(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := fake(t, connection.WithMaxAge(time.Hour))
		srv.On(selectRun, numbered())
		one[int](t, c, selectRun)
		elapse(2 * time.Hour)
		if run := one[int](t, c, selectRun); run != 1 {
			t.Errorf("run %d: age has ended cached reads", run)
		}
		one[int](t, c.WithTTL(0), selectRun)
		if s := connection.Stats(c); s.Connects != 2 {
			t.Errorf("%d connects", s.Connects)
		}
	})
}

func TestConnectionsOfOthersMakers(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "pets.db"))
	if err != nil {
		t.Fatal(err)
	}
	file := db
	t.Cleanup(func() { _ = file.Close() })
	c := sqlconn.New(connection.Of("mine", file))
	t.Cleanup(func() { _ = c.Close() })
	exec(t, c, "create table runs (run integer)")
	for want := 1; want <= 2; want++ {
		exec(t, c, "insert into runs (run) values (:run)", sqlconn.Params{"run": want})
		for range 2 {
			if n := one[int](t, c, "select count(*) from runs"); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		}
	}
	if s := connection.Stats(c).Cache; s.Hits != 2 {
		t.Errorf("%+v", s)
	}
	name, err := c.Driver(t.Context())
	dialect, err2 := c.Dialect(t.Context())
	if name != "sqlite" || dialect != "sqlite" || err != nil || err2 != nil {
		t.Errorf("driver %q (%v), dialect %q (%v)", name, err, dialect, err2)
	}

	db = sql.OpenDB(connector{fakedb.New(t)})
	t.Cleanup(func() { _ = db.Close() })
	nameless := sqlconn.New(connection.Of("mine", db))
	t.Cleanup(func() { _ = nameless.Close() })
	if name, err := nameless.Driver(t.Context()); name != "" || err != nil {
		t.Errorf("a connector without a driver: %q, %v", name, err)
	}
}

// connector is one that does not tell its driver.
type connector struct{ srv *fakedb.Server }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	return c.srv.Connector().Connect(ctx)
}
func (connector) Driver() driver.Driver { return nil }
