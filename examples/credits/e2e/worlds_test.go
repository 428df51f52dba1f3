//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// Users, by who they are in the tests.
const (
	ada   = "a0000000-0000-4000-8000-000000000001"
	bob   = "b0000000-0000-4000-8000-000000000002"
	cleo  = "c0000000-0000-4000-8000-000000000003"
	ghost = "d0000000-0000-4000-8000-000000000004" // has a good token, and is no user any more
)

// hosted is what a hosted project has before the app's SQL is run: its users, an owner who is no
// superuser, and default privileges that give everybody everything.
const hosted = `
create table auth.users (id uuid primary key default gen_random_uuid(), email text);
do $$ begin
  if not exists (select from pg_roles where rolname = 'dashboard') then create role dashboard; end if;
end $$;
grant usage on schema auth to dashboard;
grant select, references on auth.users to dashboard;
grant usage, create on schema public to dashboard;
alter default privileges for role dashboard in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role dashboard in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges for role dashboard in schema public grant all on functions to anon, authenticated, service_role;
insert into auth.users (id) values ('` + ada + `'), ('` + bob + `'), ('` + cleo + `');`

// world is a project with the tables of the app.
type world struct {
	name, url    string
	anon, secret string
	token        func(user string) string
	query        func(ctx context.Context, sql string) ([]string, error) // as the owner; each row as a text
	exec         func(ctx context.Context, sql string) error
}

// realWorld is a Postgres with the real PostgREST.
func realWorld(t *testing.T) *world {
	t.Helper()
	p := servers.StartPostgREST(t, servers.PostgRESTOptions{
		SQL:      []string{hosted, "set role dashboard;\n" + ledger.SQL + "\nreset role;"},
		Settings: map[string]string{"db-pool": "20"},
	})
	db := p.Database.Admin(t)
	return &world{
		name: "PostgREST", url: p.URL, anon: p.AnonKey, secret: p.ServiceKey,
		token: func(user string) string { return p.Token(user, "authenticated", time.Hour) },
		query: func(ctx context.Context, sql string) (list []string, err error) {
			rows, err := db.QueryContext(ctx, "select to_jsonb(q)::text from ("+sql+") q")
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			for rows.Next() {
				var text string
				if err := rows.Scan(&text); err != nil {
					return nil, err
				}
				list = append(list, canonical(text))
			}
			return list, rows.Err()
		},
		exec: func(ctx context.Context, sql string) error {
			_, err := db.ExecContext(ctx, sql)
			return err
		},
	}
}

// inMemory is the project that the app's own tests use.
func inMemory(t *testing.T) *world {
	t.Helper()
	opts := ledger.InMemory()
	for i, id := range []string{ada, bob, cleo} {
		opts = append(opts, supabasetest.WithUser(fmt.Sprintf("user%d@example.com", i), "correct horse", supabasetest.UserID(id)))
	}
	srv := supabasetest.NewServer(t, opts...)
	return &world{
		name: "in memory", url: srv.URL, anon: srv.AnonKey, secret: srv.ServiceKey,
		token: func(user string) string {
			token, err := srv.UserToken(user)
			if err != nil {
				t.Error(err)
			}
			return token
		},
		query: func(ctx context.Context, sql string) (list []string, err error) {
			rows, err := srv.Query(ctx, sql)
			for _, row := range rows {
				text, err := json.Marshal(row)
				if err != nil {
					return nil, err
				}
				list = append(list, canonical(string(text)))
			}
			return list, err
		},
		exec: func(_ context.Context, sql string) error {
			return srv.Do(func(tx *supabasetest.Tx) error {
				_, err := tx.Exec(sql)
				return err
			})
		},
	}
}

// canonical writes JSON with its keys in order.
func canonical(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(out)
}

// as is the connection as a user sees it.
func (w *world) as(t *testing.T, user string) *supabase.Conn {
	t.Helper()
	return connect(t, w.url, w.anon).AsToken(w.token(user))
}

// answer is what the rest endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request straight to the rest endpoint. Header are names and values.
func (w *world) ask(t *testing.T, method, path, token, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+"/rest/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	key := w.anon
	if token == w.secret {
		key = w.secret
	}
	req.Header.Set("apikey", key)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// everything is all that the tables hold.
func (w *world) everything(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, q := range []string{
		`select user_id, credits from accounts order by user_id`,
		`select id, user_id, amount, balance, reference, note from entries order by id`,
		`select id, title, credits, price from packs order by id`,
		`select id, user_id, pack, credits, price, paid_at is null as open from purchases order by created_at, id`,
	} {
		rows, err := w.query(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %s: %v", w.name, q, err)
		}
		fmt.Fprintf(&all, "%s\n  %s\n", q, strings.Join(rows, "\n  "))
	}
	return all.String()
}
