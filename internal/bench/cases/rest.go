package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/supabase-community/postgrest-go"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/sqlconn"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/database"
)

// Key is the project's key; it has the form of a JWT.
const Key = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"

const (
	httpHand  = "`net/http` and `encoding/json` by hand"
	httpBound = "by hand, within 30 s"
	theirs    = "postgrest-go"
	viaTable  = "**ours**, `database.All`"
	viaConn   = "**ours**, `supabase.Query`, uncached"
	viaCache  = "**ours**, `supabase.Query`, cached"
)

// Project serves the tables of a project: owners, as many as the query's limit says. It is in this
// process, so what it costs is in all that is measured beside it.
func Project(tb testing.TB) string {
	tb.Helper()
	bodies := map[string][]byte{}
	for _, n := range []int{1, 10, 100, 1000, 100_000} {
		bodies[fmt.Sprint(n)] = jsonOwners(n)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.Query().Get("limit")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Range", "0-0/*")
		_, _ = w.Write(body)
	}))
	tb.Cleanup(srv.Close)
	return srv.URL
}

func transport(tb testing.TB) *http.Client {
	tb.Helper()
	t := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// restReads is a read of Supabase that reaches the server.
func restReads() Table {
	t := Table{
		ID: "rest", Title: "A read of Supabase that reaches the server",
		Text: "The same request and the same answer for all, over one kept connection on loopback. The server is in the process and part of each figure.",
	}
	for _, n := range []int{1, 100, 1000} {
		t.Cases = append(t.Cases, measure.Case{Name: rowsName(n), X: float64(n), CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			return restSides(tb, n)
		}})
	}
	return t
}

func restSides(tb testing.TB, n int) []measure.Side {
	tb.Helper()
	ctx, base := context.Background(), Project(tb)+"/rest/v1"
	client := transport(tb)
	hand := func(ctx context.Context) error {
		q := url.Values{}
		q.Set("select", "*")
		q.Set("limit", fmt.Sprint(n))
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/owners?"+q.Encode(), http.NoBody)
		if err != nil {
			return err
		}
		req.Header.Set("apikey", Key)
		req.Header.Set("Authorization", "Bearer "+Key)
		req.Header.Set("Accept", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		var all []Owner
		if err := json.Unmarshal(body, &all); err != nil {
			return err
		}
		return wantRows(len(all), n)
	}

	community := postgrest.NewClient(base, "", map[string]string{"apikey": Key, "Authorization": "Bearer " + Key})
	community.Transport.Parent = transport(tb).Transport
	db, err := database.New(base, database.WithKey(Key))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	sb := project(tb, strings.TrimSuffix(base, "/rest/v1"))
	uncached := sb.WithTTL(0)
	read := func(c *supabase.Conn) error {
		all, err := supabase.Query[Owner](ctx, c.Table("owners").Select("*").Limit(n))
		if err != nil {
			return err
		}
		return wantRows(len(all), n)
	}
	var budget measure.Budget
	if n <= 100 {
		budget.Times = 1.1
	}
	return []measure.Side{
		{Name: httpHand, Do: func(int) error { return hand(ctx) }},
		{Name: httpBound, Do: func(int) error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			return hand(ctx)
		}},
		{Name: viaTable, Ours: true, Budget: budget, Do: func(int) error {
			all, err := database.All[Owner](ctx, db.Table("owners").Select("*").Limit(n))
			if err != nil {
				return err
			}
			return wantRows(len(all), n)
		}},
		{Name: viaConn, Ours: true, Budget: budget, Do: func(int) error { return read(uncached) }},
		{Name: viaCache, Ours: true, Budget: budget, Do: func(int) error {
			connection.Clear(sb)
			return read(sb)
		}},
		{Name: theirs, Do: func(int) error {
			var all []Owner
			if _, err := community.From("owners").Select("*", "", false).Limit(n, "").ExecuteTo(&all); err != nil {
				return err
			}
			return wantRows(len(all), n)
		}},
	}
}

// project opens a connection to the server, which ends with tb.
func project(tb testing.TB, url string) *supabase.Conn {
	tb.Helper()
	sb, err := supabase.Open(context.Background(), "project", supabase.WithURL(url), supabase.WithKey(Key), supabase.WithHTTPClient(transport(tb)),
		connection.In(world()), connection.WithCache(newCache(tb, 256<<20)), connection.WithDefaultTTL(ttl))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sb.Close() })
	return sb
}

// restHits is a read of Supabase that is in the cache.
func restHits() Table {
	const sqlHit = "**ours**, `sqlconn.Query`, no arguments, shared"
	return Table{
		ID: "resthit", Title: "A read of Supabase that is in the cache",
		Text: "Ten rows, shared.",
		Cases: []measure.Case{{Name: "10 rows, 1 proc", Procs: 1, CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			ctx := context.Background()
			sb := project(tb, Project(tb)).WithShared()
			kept := sb.Table("owners").Select("*").Limit(10)
			conn := open(tb, "sqlite://", connection.WithDefaultTTL(ttl)).WithShared()
			fillSQL(tb, conn, 10)
			text := selectOwners(10)
			return []measure.Side{
				bareHit(tb, keysOf(1)),
				{Name: sqlHit, Ours: true, Do: func(int) error { _, err := sqlconn.Query[Owner](ctx, conn, text); return err }},
				{Name: "**ours**, `supabase.Query` of a kept query", Ours: true, Against: sqlHit, Budget: measure.Budget{Times: 1.5}, Do: func(int) error {
					_, err := supabase.Query[Owner](ctx, kept)
					return err
				}},
				{Name: "**ours**, `supabase.Query` of a query that is built each time", Ours: true, Against: sqlHit, Do: func(int) error {
					_, err := supabase.Query[Owner](ctx, sb.Table("owners").Select("*").Limit(10))
					return err
				}},
			}
		}}},
	}
}

func wantRows(got, want int) error {
	if got != want {
		return fmt.Errorf("%d rows, want %d", got, want)
	}
	return nil
}

// restChains is how long it takes to say what to read.
func restChains() Table {
	return Table{
		ID: "chain", Title: "Building a query of Supabase",
		Text: "`Select`, two filters on one column, and `Order`; with the key under which it is cached. Nothing is sent.",
		Cases: []measure.Case{{Name: "1 query", Procs: 1, CPU: true, Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			kept := database.Table("runner", "users").Select("name, teams(name)").Gte("age", 18).Lt("age", 65)
			return []measure.Side{
				{Name: "`url.Values` by hand", Do: func(i int) error {
					v := url.Values{}
					v.Set("select", "name,teams(name)")
					v.Add("age", fmt.Sprintf("gte.%v", 18+i%2))
					v.Add("age", fmt.Sprintf("lt.%v", 65))
					v.Set("order", "created_at.desc")
					if text := "/users?" + v.Encode(); !strings.HasPrefix(text, "/users") {
						return errMissed
					}
					return nil
				}},
				{Name: "**ours**, the chain and its key", Ours: true, Budget: measure.Budget{Times: 2}, Do: func(i int) error {
					_, err := database.Table("runner", "users").Select("name, teams(name)").Gte("age", 18+i%2).Lt("age", 65).Order("created_at", database.Desc).Key()
					return err
				}},
				{Name: "**ours**, a kept query and its key", Ours: true, Do: func(int) error { _, err := kept.Key(); return err }},
			}
		}}},
	}
}
