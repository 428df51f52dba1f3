package contexts_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/fakedb"
	"github.com/streamconn/streamconn/internal/fakejwt"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/sqlconn"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
	"github.com/streamconn/streamconn/supabase/database"
	"github.com/streamconn/streamconn/supabase/storage"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// calls are all of them.
func calls(t *testing.T) []call {
	var all []call
	for _, some := range [][]call{
		connectionCalls(), sqlCalls(), secretsCalls(), cacheCalls(),
		authCalls(t), databaseCalls(t), storageCalls(t), supabaseCalls(t), supabasetestCalls(),
	} {
		all = append(all, some...)
	}
	return all
}

// isolated is a registry that knows nothing of this machine.
func isolated(t *testing.T) *connection.Registry {
	r := &connection.Registry{
		Secrets: secrets.Of(nil),
		Environ: func(string) (string, bool) { return "", false },
		Logger:  slog.New(slog.DiscardHandler),
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// jwtOf is an access token of a user, good for an hour.
func jwtOf(t *testing.T) string {
	t.Helper()
	jwt, err := fakejwt.New([]byte("a secret of the project's, long enough")).Sign(map[string]any{
		"sub": id, "role": "authenticated", "session_id": id, "aal": "aal1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

type client struct{ far *far }

func (c *client) Ping(ctx context.Context) error { return c.far.hang(ctx) }

func connectionCalls() []call {
	slow := func(f *far) connection.Factory[*client] { // to connect
		return func(ctx context.Context, _ *connection.Params) (*client, error) { return nil, f.hang(ctx) }
	}
	// quick makes a connection whose client is there.
	quick := func(t *testing.T, f *far) connection.Connection[*client] {
		c, err := connection.Open(t.Context(), "c", func(context.Context, *connection.Params) (*client, error) { return &client{f}, nil }, connection.In(isolated(t)))
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	// slowly makes one that has to connect first, and cannot.
	slowly := func(t *testing.T, f *far) connection.Connection[*client] {
		hang := false
		c, err := connection.Open(t.Context(), "c", func(ctx context.Context, _ *connection.Params) (*client, error) {
			if hang {
				return nil, f.hang(ctx)
			}
			return &client{f}, nil
		}, connection.In(isolated(t)))
		if err != nil {
			t.Error(err)
			return nil
		}
		hang = true
		if err := c.Reset(); err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	load := func(ctx context.Context, c *client) (int, error) { return 0, c.far.hang(ctx) }
	kind := func(f *far) *connection.Kind[*client, connection.Connection[*client]] {
		return &connection.Kind[*client, connection.Connection[*client]]{
			Name: "slow", Connect: slow(f),
			Wrap: func(c connection.Connection[*client]) connection.Connection[*client] { return c },
		}
	}
	use := func(ctx context.Context) func(*client) error {
		return func(c *client) error { return c.far.hang(ctx) }
	}
	return []call{
		{name: "connection.Open", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := connection.Open(ctx, "c", slow(f), connection.In(isolated(t)))
			return err
		}},
		{name: "connection.Get", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			r := isolated(t)
			r.Secrets = secrets.Of(map[string]any{"connections": map[string]any{"c": map[string]any{"type": "slow"}}})
			connection.Register(r, "slow", slow(f))
			_, err := connection.Get[*client](ctx, r, "c")
			return err
		}},
		{name: "connection.Kind.Open", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := kind(f).Open(ctx, "c", connection.In(isolated(t)))
			return err
		}},
		{name: "connection.Kind.Get", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := kind(f).Get(ctx, "c", connection.In(isolated(t)))
			return err
		}},
		{name: "connection.Connection.Raw", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := slowly(t, f).Raw(ctx)
			return err
		}},
		{name: "connection.Connection.Raw (connected)", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := quick(t, f).Raw(ctx)
			return err
		}},
		{name: "connection.Connection.Raw (beside who connects)", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			c := slowly(t, f)
			other, stop := context.WithCancel(context.WithoutCancel(t.Context()))
			done := make(chan struct{})
			go func() {
				defer close(done)
				if ctx != nil && ctx.Err() == nil {
					_, _ = c.Raw(other)
				}
			}()
			defer func() {
				stop()
				<-done
			}()
			if ctx != nil && ctx.Err() == nil {
				<-f.arrived
			}
			_, err := c.Raw(ctx)
			return err
		}},
		{name: "connection.Do", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Do(ctx, slowly(t, f), use(ctx))
		}},
		{name: "connection.Do (in use)", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Do(ctx, quick(t, f), func(c *client) error {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return c.far.hang(ctx)
			})
		}},
		{name: "connection.Write", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Write(ctx, slowly(t, f), use(ctx))
		}},
		{name: "connection.Ping", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Ping(ctx, quick(t, f))
		}},
		{name: "connection.Ping (to connect)", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Ping(ctx, slowly(t, f))
		}},
		{name: "connection.Read", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := connection.Read(ctx, quick(t, f), "k", cache.Forever, load)
			return err
		}},
		{name: "connection.Read (past the cache)", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := connection.Read(ctx, quick(t, f), "k", 0, load)
			return err
		}},
		{name: "connection.Read (cached)", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			c := quick(t, f)
			read := func(ctx context.Context) error {
				_, err := connection.Read(ctx, c, "k", cache.Forever, func(context.Context, *client) (int, error) { return 1, nil })
				return err
			}
			return errors.Join(read(t.Context()), read(ctx))
		}},
		{name: "connection.Load", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := connection.Load(ctx, quick(t, f), cache.KeyOf("k"), cache.Policy{TTL: cache.Forever}, load)
			return err
		}},
		{name: "connection.LoadLasting", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := connection.LoadLasting(ctx, quick(t, f), cache.KeyOf("k"), cache.Policy{TTL: cache.Forever}, load)
			return err
		}},
		{name: "connection.Again", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Again(ctx, quick(t, f), func(error) bool { return true }, func() error { return f.hang(ctx) })
		}},
		{name: "connection.Again (of what fails)", own: net.ErrClosed, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			first := true
			return connection.Again(ctx, quick(t, f), func(error) bool { return true }, func() error {
				if first && ctx.Err() == nil {
					first = false
					f.asked.Add(1)
					close(f.arrived)
				}
				return net.ErrClosed
			})
		}},
	}
}

func sqlCalls() []call {
	// open makes a connection whose statements do not end, or that cannot be made.
	open := func(t *testing.T, f *far, dials bool) *sqlconn.Conn {
		srv := fakedb.New(t)
		fakedb.Register("pgx")
		if dials {
			srv.Handle(fakedb.Wait(f.hang, fakedb.Affected(0)))
		} else {
			srv.OnDial(func(ctx context.Context, _ int) error { return f.hang(ctx) })
		}
		c, err := sqlconn.Open(t.Context(), "pets", sqlconn.WithURL("postgresql://db.invalid/"+srv.ID()), connection.In(isolated(t)))
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	var all []call
	for name, dials := range map[string]bool{" (to connect)": false, "": true} {
		conn := func(name string, do func(ctx context.Context, c *sqlconn.Conn) error) {
			all = append(all, call{name: name, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
				return do(ctx, open(t, f, dials))
			}})
		}
		conn("sqlconn.Query"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			_, err := sqlconn.Query[int](ctx, c, "select 1")
			return err
		})
		conn("sqlconn.QueryOne"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			_, err := sqlconn.QueryOne[int](ctx, c.WithTTL(0), "select 1")
			return err
		})
		conn("sqlconn.Rows"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			for _, err := range sqlconn.Rows[int](ctx, c, "select 1") {
				if err != nil {
					return err
				}
			}
			return nil
		})
		conn("sqlconn.Conn.Query"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			_, err := c.Query(ctx, "select 1")
			return err
		})
		conn("sqlconn.Conn.Exec"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			_, err := c.Exec(ctx, "delete from pets")
			return err
		})
		conn("sqlconn.Conn.Session"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error {
				_, err := tx.Exec(ctx, "delete from pets")
				return err
			})
		})
		conn("sqlconn.Conn.Session (that is tried again)"+name, func(ctx context.Context, c *sqlconn.Conn) error {
			return c.Session(ctx, func(tx *sqlconn.Tx) error {
				_, err := sqlconn.Query[int](ctx, tx, "select 1")
				return err
			}, sqlconn.RetrySession())
		})
	}
	in := func(name string, do func(ctx context.Context, tx *sqlconn.Tx) error) {
		all = append(all, call{name: name, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return open(t, f, true).Session(t.Context(), func(tx *sqlconn.Tx) error { return do(ctx, tx) })
		}})
	}
	in("sqlconn.Tx.Exec", func(ctx context.Context, tx *sqlconn.Tx) error {
		_, err := tx.Exec(ctx, "delete from pets")
		return err
	})
	in("sqlconn.Tx.Query", func(ctx context.Context, tx *sqlconn.Tx) error {
		_, err := tx.Query(ctx, "select 1")
		return err
	})
	in("sqlconn.Query (in a session)", func(ctx context.Context, tx *sqlconn.Tx) error {
		_, err := sqlconn.Query[int](ctx, tx, "select 1")
		return err
	})
	in("sqlconn.Rows (in a session)", func(ctx context.Context, tx *sqlconn.Tx) error {
		for _, err := range sqlconn.Rows[int](ctx, tx, "select 1") {
			if err != nil {
				return err
			}
		}
		return nil
	})
	// These dial nothing.
	lazy := func(t *testing.T) connection.Option {
		fakedb.Register("pgx")
		return sqlconn.WithURL("postgresql://db.invalid/" + fakedb.New(t).ID())
	}
	return append(all,
		call{name: "sqlconn.Open", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, _ *far) error {
			c, err := sqlconn.Open(ctx, "pets", lazy(t), connection.In(isolated(t)))
			if err != nil {
				return err
			}
			return c.Close()
		}},
		call{name: "sqlconn.Get", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, _ *far) error {
			_, err := sqlconn.Get(ctx, "pets", lazy(t), connection.In(isolated(t)))
			return err
		}},
		call{name: "sqlconn.Connect", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, _ *far) error {
			c, err := connection.Open(ctx, "pets", sqlconn.Connect, lazy(t), connection.In(isolated(t)))
			if err != nil {
				return err
			}
			return c.Close()
		}},
		call{name: "sqlconn.Conn.Dialect", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := open(t, f, true).Dialect(ctx)
			return err
		}},
		call{name: "sqlconn.Conn.Driver", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := open(t, f, true).Driver(ctx)
			return err
		}},
	)
}

func secretsCalls() []call {
	return []call{{name: "secrets.LoadContext", ready: true, whole: true, do: func(_ *testing.T, ctx context.Context, _ *far) error {
		_, err := secrets.LoadContext(ctx, secrets.WithoutDefaults())
		return err
	}}, {name: "secrets.Store.RefreshContext", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, _ *far) error {
		return secrets.Of(nil).RefreshContext(ctx)
	}}, {name: "secrets.Store.Watch", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
		path := filepath.Join(t.TempDir(), "secrets.toml")
		if err := os.WriteFile(path, []byte("a = 1"), 0o600); err != nil {
			t.Error(err)
		}
		store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(path), secrets.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Error(err)
			return err
		}
		if ctx != nil && ctx.Err() == nil {
			go func() { _ = f.hang(ctx) }() // nothing asks here: it just watches
		}
		return store.Watch(ctx)
	}}}
}

// tier never finds anything, and takes its time.
type tier struct {
	cache.Tier
	far *far
}

func (tier) Mark(...[]byte) string     { return "mark" }
func (tier) Epoch(string) *cache.Epoch { return new(cache.Epoch) }
func (tier) End(string)                {}
func (t tier) Find(ctx context.Context, _ cache.TierQuery, _ any) cache.TierAnswer {
	_ = t.far.hang(ctx)
	return cache.TierAnswer{}
}

func cacheCalls() []call {
	scope := func(t *testing.T) (*cache.Cache, *cache.Scope) {
		c := cache.New(cache.Config{Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { _ = c.Close() })
		return c, c.Scope("s", nil)
	}
	forever := cache.Policy{TTL: cache.Forever}
	get := func(ctx context.Context, s *cache.Scope, f *far) error {
		_, err := cache.Get(ctx, s, cache.KeyOf("k"), forever, func(ctx context.Context) (int, error) { return 0, f.hang(ctx) })
		return err
	}
	return []call{
		{name: "cache.Get", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, s := scope(t)
			return get(ctx, s, f)
		}},
		{name: "cache.Get (cached)", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, s := scope(t)
			_, err := cache.Get(t.Context(), s, cache.KeyOf("k"), forever, func(context.Context) (int, error) { return 1, nil })
			return errors.Join(err, get(ctx, s, f))
		}},
		{name: "cache.Get (beside who loads)", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, s := scope(t)
			other, stop := context.WithCancel(context.WithoutCancel(t.Context()))
			done := make(chan struct{})
			go func() {
				defer close(done)
				if ctx != nil && ctx.Err() == nil {
					_ = get(other, s, f)
				}
			}()
			defer func() {
				stop()
				<-done
			}()
			if ctx != nil && ctx.Err() == nil {
				<-f.arrived
			}
			return get(ctx, s, f)
		}},
		// What others have to implement, as it is used here.
		{name: "cache.Tier.Find", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			c, _ := scope(t)
			return get(ctx, c.TieredScope("t", nil, cache.TierScope{Tier: tier{far: f}, Mark: "m"}), f)
		}},
		{name: "cache.TierTurn.Store", mute: true, whole: true, do: func(*testing.T, context.Context, *far) error { return nil }},
		{name: "cache.TierTurn.Drop", mute: true, whole: true, do: func(*testing.T, context.Context, *far) error { return nil }},
	}
}

func authCalls(t *testing.T) []call {
	jwt := jwtOf(t)
	client := func(t *testing.T, f *far) *auth.Client {
		c, err := auth.New(f.url, auth.WithKey("sb_secret_key"), auth.WithToken(func(context.Context) (string, error) { return jwt, nil }))
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(c.Close)
		return c
	}
	all := methods("supabase/auth.Client", client, func(c *call) {
		c.ready = c.name == "supabase/auth.Client.OAuthURL"
	}, map[string]map[int]any{
		"Claims":    {0: jwt},
		"Assurance": {0: jwt},
	})
	return append(all, methods("supabase/auth.Admin", func(t *testing.T, f *far) *auth.Admin { return client(t, f).Admin() }, nil, map[string]map[int]any{
		"SignOut": {0: jwt},
	})...)
}

func databaseCalls(t *testing.T) []call {
	table := func(t *testing.T, f *far) database.Query[*database.Client] {
		c, err := database.New(f.url, database.WithKey("sb_secret_key"))
		if err != nil {
			t.Error(err)
		}
		t.Cleanup(c.Close)
		return c.Table("pets").Select("*")
	}
	return []call{
		{name: "supabase/database.All", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.All[map[string]any](ctx, table(t, f))
			return err
		}},
		{name: "supabase/database.One", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.One[map[string]any](ctx, table(t, f))
			return err
		}},
		{name: "supabase/database.Paged", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.Paged[map[string]any](ctx, table(t, f).Count(database.Exact))
			return err
		}},
		{name: "supabase/database.Count", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.Count(ctx, table(t, f).Count(database.Exact))
			return err
		}},
		{name: "supabase/database.Execute", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.Execute(ctx, table(t, f))
			return err
		}},
		{name: "supabase/database.Execute (a write)", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := database.Execute(ctx, table(t, f).Eq("id", 1).Delete())
			return err
		}},
		{name: "supabase/database.Pages", do: func(t *testing.T, ctx context.Context, f *far) error {
			for _, err := range database.Pages[map[string]any](ctx, table(t, f).Order("id"), 10) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "supabase/database.Rows", do: func(t *testing.T, ctx context.Context, f *far) error {
			for _, err := range database.Rows[map[string]any](ctx, table(t, f).Order("id"), 10) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "supabase/database.PagesBy", do: func(t *testing.T, ctx context.Context, f *far) error {
			q := table(t, f).Order("id")
			for _, err := range database.PagesBy(ctx, q, 10, func(ctx context.Context, q database.Query[*database.Client]) (database.Page[map[string]any], error) {
				return database.Paged[map[string]any](ctx, q)
			}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// uploaded is a file for those that take the name of one.
func uploaded(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "upload.txt")
	if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func storageCalls(t *testing.T) []call {
	client := func(t *testing.T, f *far) *storage.Client {
		c, err := storage.New(f.url, storage.WithKey("sb_secret_key"))
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(c.Close)
		return c
	}
	all := methods("supabase/storage.Client", client, func(c *call) {
		c.ready = c.name == "supabase/storage.Client.GetPublicURL"
	}, map[string]map[int]any{
		"UploadFile": {2: uploaded(t)},
	})
	all = without(all, "supabase/storage.Client.FS")
	return append(all, files("supabase/storage.Client.FS", func(t *testing.T, ctx context.Context, f *far) fs.FS { return client(t, f).FS(ctx, id) })...)
}

func without(all []call, name string) []call {
	var kept []call
	for _, c := range all {
		if c.name != name {
			kept = append(kept, c)
		}
	}
	return kept
}

// files are the calls of a file system that was made with a context.
func files(name string, of func(t *testing.T, ctx context.Context, f *far) fs.FS) []call {
	return []call{
		{name: name, do: func(t *testing.T, ctx context.Context, f *far) error {
			file, err := of(t, ctx, f).Open("a.txt")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, file)
			return errors.Join(err, file.Close())
		}},
		{name: name + " (Stat)", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := fs.Stat(of(t, ctx, f), "a.txt")
			return err
		}},
		{name: name + " (ReadFile)", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := fs.ReadFile(of(t, ctx, f), "a.txt")
			return err
		}},
		{name: name + " (ReadDir)", do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := fs.ReadDir(of(t, ctx, f), "folder")
			return err
		}},
		{name: name + " (WalkDir)", do: func(t *testing.T, ctx context.Context, f *far) error {
			return fs.WalkDir(of(t, ctx, f), ".", func(_ string, _ fs.DirEntry, err error) error { return err })
		}},
	}
}

func supabaseCalls(t *testing.T) []call {
	jwt := jwtOf(t)
	options := func(t *testing.T, f *far) []connection.Option {
		return []connection.Option{supabase.WithURL(f.url), supabase.WithKey("sb_secret_key"), connection.In(isolated(t))}
	}
	open := func(t *testing.T, f *far) *supabase.Conn {
		c, err := supabase.Open(t.Context(), "supabase", options(t, f)...)
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	mine := func(t *testing.T, f *far) *supabase.Conn {
		s, err := auth.NewSession(jwt, "refresh")
		if err != nil {
			t.Error(err)
		}
		return open(t, f).As(s)
	}
	// old is a user whose session has to be renewed first.
	old := func(t *testing.T, f *far) *supabase.Conn {
		expired, err := fakejwt.New([]byte("a secret of the project's, long enough")).Sign(map[string]any{
			"sub": id, "role": "authenticated", "session_id": id, "exp": time.Now().Add(-time.Hour).Unix(),
		})
		if err != nil {
			t.Error(err)
		}
		s, err := auth.NewSession(expired, "refresh")
		if err != nil {
			t.Error(err)
		}
		return open(t, f).As(s)
	}

	all := []call{
		{name: "supabase.Open", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			c, err := supabase.Open(ctx, "supabase", options(t, f)...)
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{name: "supabase.Get", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			_, err := supabase.Get(ctx, "supabase", options(t, f)...)
			return err
		}},
		{name: "supabase.Connect", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			c, err := connection.Open(ctx, "supabase", supabase.Connect, options(t, f)...)
			if err != nil {
				return err
			}
			return c.Close()
		}},
		{name: "supabase.Client.Ping", whole: true, do: func(t *testing.T, ctx context.Context, f *far) error {
			return connection.Ping(ctx, open(t, f))
		}},
	}
	for who, of := range map[string]func(*testing.T, *far) *supabase.Conn{"": open, " (as a user)": mine, " (as a user whose session has expired)": old} {
		query := func(name string, do func(ctx context.Context, q supabase.Builder) error) {
			all = append(all, call{name: name + who, do: func(t *testing.T, ctx context.Context, f *far) error {
				return do(ctx, of(t, f).Table("pets").Select("*").Order("id"))
			}})
		}
		query("supabase.Query", func(ctx context.Context, q supabase.Builder) error {
			_, err := supabase.Query[map[string]any](ctx, q)
			return err
		})
		query("supabase.QueryOne", func(ctx context.Context, q supabase.Builder) error {
			_, err := supabase.QueryOne[map[string]any](ctx, q)
			return err
		})
		query("supabase.QueryPage", func(ctx context.Context, q supabase.Builder) error {
			_, err := supabase.QueryPage[map[string]any](ctx, q.Count(supabase.Exact))
			return err
		})
		query("supabase.Count", func(ctx context.Context, q supabase.Builder) error {
			_, err := supabase.Count(ctx, q.Count(supabase.Exact))
			return err
		})
		query("supabase.Execute", func(ctx context.Context, q supabase.Builder) error {
			_, err := supabase.Execute(ctx, q)
			return err
		})
		query("supabase.Pages", func(ctx context.Context, q supabase.Builder) error {
			for _, err := range supabase.Pages[map[string]any](ctx, q, 10) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		query("supabase.Rows", func(ctx context.Context, q supabase.Builder) error {
			for _, err := range supabase.Rows[map[string]any](ctx, q, 10) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		special := map[string]map[int]any{"UploadFile": {2: uploaded(t)}}
		conn := methods("supabase.Conn", of, func(c *call) {
			c.ready = c.name == "supabase.Conn.GetPublicURL" || c.name == "supabase.Conn.Raw"
			c.name += who
		}, special)
		all = append(all, without(conn, "supabase.Conn.FS"+who)...)
		all = append(all, files("supabase.Conn.FS"+who, func(t *testing.T, ctx context.Context, f *far) fs.FS { return of(t, f).FS(ctx, id) })...)
		all = append(all, methods("supabase.Functions", func(t *testing.T, f *far) *supabase.Functions { return of(t, f).Functions() },
			func(c *call) { c.name += who }, nil)...)
	}
	all = append(all, methods("supabase.Auth", func(t *testing.T, f *far) *supabase.Auth { return mine(t, f).Auth() }, func(c *call) {
		c.ready = c.name == "supabase.Auth.OAuthURL"
	}, map[string]map[int]any{"Claims": {0: jwt}, "Assurance": {0: jwt}})...)
	return append(all, methods("supabase.Admin", func(t *testing.T, f *far) *supabase.Admin { return open(t, f).Auth().Admin() }, nil,
		map[string]map[int]any{"SignOut": {0: jwt}})...)
}

func supabasetestCalls() []call {
	return []call{{name: "supabase/supabasetest.Server.Query", ready: true, whole: true, do: func(t *testing.T, ctx context.Context, _ *far) error {
		srv, err := supabasetest.Start(supabasetest.WithSchema("create table pets (name text)"))
		if err != nil {
			t.Error(err)
			return err
		}
		defer srv.Close()
		_, err = srv.Query(ctx, "select name from pets")
		return err
	}}}
}
