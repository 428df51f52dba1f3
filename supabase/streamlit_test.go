package supabase_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/database"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// What st-supabase-connection 2.1 did wrong, one test for each. They are numbered as they came.

// Its key was the path, the parameters and the body: rows that one user may see were served to others.
func TestMistake1_RowsOfOneUserServedToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		sb := open(t, todosOf(i, i.token))
		users := map[string]*supabase.Conn{}
		for _, name := range []string{"ann", "bob", "eve"} {
			users[name] = sb.As(i.session(t, name))
		}
		forged := jwt(map[string]any{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "forged": true})
		for range 3 {
			for name, view := range users {
				wantOwner(t, view, name)
			}
			if _, err := todos(t.Context(), sb); !errors.Is(err, supabase.ErrUnauthorized) { // with no token, there is nobody's row
				t.Errorf("without a user: %v", err)
			}
			if got, hit := connectionHit(sb.AsToken(forged)); hit {
				t.Errorf("a forged token found %v in the cache", got)
			}
		}
	})
}

// connectionHit tells whether a read of the todos is served without the project.
func connectionHit(sb *supabase.Conn) ([]todo, bool) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	rows, err := todos(ctx, sb)
	return rows, err == nil
}

// A DELETE or UPDATE of the same form as an earlier one was not executed.
func TestMistake1_WritesSkippedForEarlierOnesOfTheSameForm(t *testing.T) {
	t.Parallel()
	srv := counting()
	sb := open(t, srv)
	ctx := t.Context()
	writes := map[string]supabase.Builder{
		http.MethodDelete: sb.Table("todos").Eq("id", 1).Delete().Select("*"),
		http.MethodPatch:  sb.Table("todos").Eq("id", 1).Update(todo{"ann"}).Select("*"),
		http.MethodPost:   sb.Table("todos").Insert(todo{"ann"}).Select("*"),
	}
	number(t, sb.Table("todos").Eq("id", 1)) // a read of the same path and parameters
	for method, q := range writes {
		for range 3 {
			number(t, q)
			if _, err := supabase.Execute(ctx, q); err != nil {
				t.Error(err)
			}
			if _, err := supabase.QueryOne[numbered](ctx, q); err != nil {
				t.Error(err)
			}
		}
		sent := 0
		for _, r := range srv.requests(todosPath) {
			if r.Method == method {
				sent++
			}
		}
		if sent != 9 {
			t.Errorf("%d of 9 were sent as %s", sent, method)
		}
	}
	before := srv.count("/rest/v1/rpc/count_up")
	for range 3 {
		number(t, sb.RPC("count_up", nil))
	}
	if n := srv.count("/rest/v1/rpc/count_up") - before; n != 3 {
		t.Errorf("%d of 3 calls of a function were sent", n)
	}
}

// One row and a list of rows had one key.
func TestMistake1_OneRowAndAListCollide(t *testing.T) {
	t.Parallel()
	srv := &server{answer: func(r *request) (int, string) {
		switch r.Header.Get("Accept") {
		case "application/vnd.pgrst.object+json":
			return 200, `{"n":1}`
		case "text/csv":
			return 200, "n\n2\n"
		}
		return 200, `[{"n":3}]`
	}}
	sb := open(t, srv)
	ctx := t.Context()
	q := sb.Table("todos").Eq("id", 1)
	for range 3 {
		one, err := supabase.QueryOne[numbered](ctx, q)
		if err != nil || one.N != 1 {
			t.Errorf("one row: %v, %v", one, err)
		}
		csv, err := supabase.QueryOne[string](ctx, q.CSV())
		if err != nil || csv != "n\n2\n" {
			t.Errorf("CSV: %q, %v", csv, err)
		}
		if n := number(t, q); n != 3 {
			t.Errorf("a list: %d", n)
		}
		single, err := supabase.Execute(ctx, q.Single())
		if err != nil || string(single.Body) != `{"n":1}` {
			t.Errorf("the raw row: %s, %v", single.Body, err)
		}
		list, err := supabase.Execute(ctx, q)
		if err != nil || string(list.Body) != `[{"n":3}]` {
			t.Errorf("the raw list: %s, %v", list.Body, err)
		}
		// What it is decoded into makes a difference, too.
		maps, err := supabase.Query[map[string]any](ctx, q)
		if err != nil || maps[0]["n"] != 3.0 {
			t.Errorf("maps: %v, %v", maps, err)
		}
	}
}

// The schema, the project and the token were ignored.
func TestMistake1_SchemaProjectAndKeyIgnored(t *testing.T) {
	t.Parallel()
	shared := cache.New(cache.Config{})
	t.Cleanup(func() { _ = shared.Close() })
	srv := new(server) // of all projects: it answers with where it was asked
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		own := &server{answer: func(got *request) (int, string) {
			return 200, `[{"owner":"` + r.URL.Host + " " + got.Header.Get("Accept-Profile") + " " + got.Header.Get("Apikey") + `"}]`
		}}
		return own.RoundTrip(r)
	})
	ctx := t.Context()
	connect := func(opts ...connection.Option) *supabase.Conn {
		return open(t, srv, append(opts, supabase.WithHTTPClient(&http.Client{Transport: transport}), connection.WithCache(shared))...)
	}
	seen := map[string]int{}
	for range 2 {
		for _, sb := range []*supabase.Conn{
			connect(),
			connect(supabase.WithURL("https://other.test")),
			connect(supabase.WithKey("sb_publishable_of_somebody_else")),
			connect(supabase.WithSchema("shop")),
		} {
			for range 2 {
				for _, q := range []supabase.Builder{sb.Table("todos"), sb.Schema("private").Table("todos")} {
					rows, err := supabase.Query[todo](ctx, q)
					if err != nil {
						t.Fatal(err)
					}
					seen[rows[0].Owner]++
				}
			}
		}
	}
	// Four connections, of which the last two differ in nothing for a query that names its schema.
	if len(seen) != 7 {
		t.Errorf("got %v", seen)
	}
	for from, n := range seen {
		if n != 4 && n != 8 {
			t.Errorf("%d reads came from %s", n, from)
		}
	}
}

// One row, perhaps one row, functions and CSV could not be cached at all.
func TestMistake1_SomeQueriesRefused(t *testing.T) {
	t.Parallel()
	srv := counting()
	sb := open(t, srv)
	ctx := t.Context()
	table := sb.Table("todos").Eq("id", 1)
	for name, read := range map[string]func() error{
		"one row":         func() error { _, err := supabase.QueryOne[numbered](ctx, table); return err },
		"perhaps one row": func() error { _, err := supabase.QueryOne[*numbered](ctx, table.MaybeSingle()); return err },
		"a function": func() error {
			_, err := supabase.Query[numbered](ctx, sb.RPC("add", map[string]int{"a": 1}).Get())
			return err
		},
		"CSV":    func() error { _, err := supabase.QueryOne[string](ctx, table.CSV()); return err },
		"a page": func() error { _, err := supabase.QueryPage[numbered](ctx, table.Range(0, 9)); return err },
		"a plan": func() error {
			_, err := supabase.QueryOne[string](ctx, table.Explain(database.ExplainOptions{}))
			return err
		},
		"a raw answer": func() error { _, err := supabase.Execute(ctx, table.Select("n").Single()); return err },
		"a head":       func() error { _, err := supabase.Execute(ctx, table.Head()); return err },
	} {
		before := len(srv.got)
		for range 3 {
			if err := read(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(srv.got) - before; n != 1 {
			t.Errorf("%s: %d requests for three reads, want 1", name, n)
		}
	}
}

// Buckets, lists and files of all connections and users were one.
func TestMistake2_FilesOfOneProjectServedToAnother(t *testing.T) {
	t.Parallel()
	shared := cache.New(cache.Config{})
	t.Cleanup(func() { _ = shared.Close() })
	ctx := t.Context()
	owner := roundTripper(func(r *http.Request) (*http.Response, error) {
		who := r.URL.Host + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		own := &server{answer: func(r *request) (int, string) {
			switch {
			case r.Path == "/storage/v1/bucket":
				return 200, `[{"id":"` + who + `","name":"b"}]`
			case strings.HasPrefix(r.Path, "/storage/v1/object/list"):
				return 200, `[{"name":"` + who + `","id":"1"}]`
			}
			return 200, who
		}}
		return own.RoundTrip(r)
	})
	connect := func(host string) *supabase.Conn {
		return open(t, nil, supabase.WithURL("https://"+host), supabase.WithHTTPClient(&http.Client{Transport: owner}), connection.WithCache(shared))
	}
	a, b := connect("a.test"), connect("b.test")
	for range 2 {
		for want, sb := range map[string]*supabase.Conn{"a.test": a, "b.test": b, "a.testann": a.AsToken("ann"), "a.testbob": a.AsToken("bob")} {
			buckets, err := sb.ListBuckets(ctx)
			if err != nil || buckets[0].ID != want {
				t.Errorf("%s: the buckets %v, %v", want, buckets, err)
			}
			objects, err := sb.ListObjects(ctx, "b", "")
			if err != nil || objects[0].Name != want {
				t.Errorf("%s: the objects %v, %v", want, objects, err)
			}
			file, err := sb.Download(ctx, "b", "f")
			if err != nil || string(file.Data) != want {
				t.Errorf("%s: the file %q, %v", want, file.Data, err)
			}
		}
	}
}

// All callers got one and the same object, so that one caller's changes were everybody's.
func TestMistake2_OneObjectForEverybody(t *testing.T) {
	t.Parallel()
	sb := open(t, shelf())
	ctx := t.Context()
	for range 3 {
		buckets, err := sb.ListBuckets(ctx)
		if err != nil || buckets[0].ID != "b1" {
			t.Fatalf("the buckets %v, %v", buckets, err)
		}
		buckets[0].ID = "changed"
		objects, err := sb.ListObjects(ctx, "reports", "")
		if err != nil || objects[0].Name != "f2" {
			t.Fatalf("the objects %v, %v", objects, err)
		}
		objects[0].Name = "changed"
		file, err := sb.Download(ctx, "reports", "a")
		if err != nil || string(file.Data) != "3" {
			t.Fatalf("the file %q, %v", file.Data, err)
		}
		file.Data[0] = '!'
	}
}

// A sign-in was kept for ever: its access token ended, and its refresh token was spent by others.
func TestMistake3_ASignInThatNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		sb := open(t, todosOf(i, i.token)).WithTTL(cache.Forever)
		for range 10 {
			s, err := sb.CachedSignInWithPassword(t.Context(), of("ann"))
			if err != nil || s.Expired(0) {
				t.Fatalf("signed in with %v, %v", s, err)
			}
			wantOwner(t, sb.As(s), "ann")
			elapse(25 * time.Minute)
		}
	})
}

// Whoever got a kept session went on as the user who had signed in last.
func TestMistake3_AKeptSessionActsAsTheLastUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := todosOf(i, i.token)
		sb := open(t, srv)
		for _, name := range []string{"ann", "bob", "ann", "bob", "bob", "ann"} {
			s, err := sb.CachedSignInWithPassword(t.Context(), of(name))
			if err != nil {
				t.Fatal(err)
			}
			wantOwner(t, sb.As(s), name)
			wantOwner(t, sb.As(s).WithTTL(0), name)
		}
		if n := srv.count(tokenPath); n != 2 {
			t.Errorf("%d sign-ins of two users", n)
		}
	})
}

// Four calls of storage used what the client had meanwhile changed, and failed, whoever called them.
func TestMistake4_BucketsAndMovesThatAlwaysFail(t *testing.T) {
	t.Parallel()
	project := supabasetest.NewServer(t)
	sb := open(t, nil, supabase.WithURL(project.URL), supabase.WithKey(project.ServiceKey), supabase.WithHTTPClient(project.HTTPClient()))
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	public := true
	must(sb.CreateBucket(ctx, "reports", &supabase.BucketOptions{AllowedMIMETypes: []string{"text/csv"}}))
	must(sb.UpdateBucket(ctx, "reports", supabase.BucketUpdate{Public: &public}))
	bucket, err := sb.GetBucket(ctx, "reports")
	must(err)
	if !bucket.Public || !slices.Equal(bucket.AllowedMIMETypes, []string{"text/csv"}) {
		t.Errorf("the bucket became %+v", bucket)
	}
	_, err = sb.Upload(ctx, "reports", "a.csv", strings.NewReader("a,b\n"))
	must(err)
	must(sb.Move(ctx, "reports", "a.csv", "b.csv"))
	if data, there := project.Object("reports", "b.csv"); !there || string(data) != "a,b\n" {
		t.Errorf("moved %q, %v", data, there)
	}
	removed, err := sb.Remove(ctx, "reports", "b.csv")
	must(err)
	if _, there := project.Object("reports", "b.csv"); there || len(removed) != 1 || removed[0].Name != "b.csv" {
		t.Errorf("removed %v", removed)
	}
}

// Who signed in on the shared connection, signed in everybody who used it.
func TestMistake5_OneUsersSignInIsEverybodys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := new(issuer)
		srv := &server{answer: func(r *request) (int, string) {
			switch r.Path {
			case tokenPath:
				return i.token(r)
			case "/auth/v1/logout":
				return 204, ""
			}
			owner := "nobody"
			if r.bearer() != "" {
				owner = subject(strings.Split(r.bearer(), ".")[1])
			}
			return 200, fmt.Sprintf(`[{"owner":%q}]`, owner)
		}}
		sb := open(t, srv)
		before := sb.Table("todos").Select("*") // kept from before anybody signed in
		users := map[string]*supabase.Conn{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for n := range 16 {
			name := fmt.Sprintf("user%d", n)
			wg.Go(func() {
				s, err := sb.Auth().SignInWithPassword(t.Context(), of(name))
				if err != nil {
					t.Error(err)
					return
				}
				wantOwner(t, sb, "nobody")
				wantOwner(t, sb.As(s), name)
				mu.Lock()
				defer mu.Unlock()
				users[name] = sb.As(s)
			})
		}
		wg.Wait()
		everybody := func() {
			wantOwner(t, sb.WithTTL(0), "nobody")
			if rows, err := supabase.Query[todo](t.Context(), database.On(before, sb.WithTTL(0))); err != nil || rows[0].Owner != "nobody" {
				t.Errorf("a kept query read %v, %v", rows, err)
			}
			for name, view := range users {
				wantOwner(t, view.WithTTL(0), name)
			}
		}
		everybody()
		// Nor does one user's sign-out sign anybody else out.
		if err := users["user3"].Auth().SignOut(t.Context()); err != nil {
			t.Error(err)
		}
		delete(users, "user3")
		everybody()
	})
}
