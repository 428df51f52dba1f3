//go:build linux

package postgrest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/gate"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/trial"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/supabase"
)

func TestMain(m *testing.M) { os.Exit(trial.Main(m)) }

// pets is how many rows a read has to give; an answer of less is not whole.
const pets = 200

var schema = []string{
	`create table public.pets (id int primary key, name text not null, sum text not null)`,
	fmt.Sprintf(`insert into public.pets
		select n, 'Rex number ' || n || ', of a long and noble line', md5('Rex number ' || n || ', of a long and noble line')
		from generate_series(1, %d) as n`, pets),
	`create table public.ledger (id text not null)`, // without a key: a write that is repeated shows
	`create function public.nap(seconds float) returns int language sql stable as $$ select 1 from pg_sleep(seconds) $$`,
	`create function public.enter(id text) returns void language sql as $$ insert into public.ledger values (id) $$`,
	`grant all on public.pets, public.ledger to service_role`,
}

// project is a PostgREST under test, and whom its gateway hands requests to.
type project struct {
	*servers.PostgREST
	admin *sql.DB
	gate  gate.Gate
}

func start(t *testing.T) *project {
	t.Helper()
	p := new(project)
	p.PostgREST = servers.StartPostgREST(t, servers.PostgRESTOptions{
		Database: servers.StartPostgres(t), SQL: schema, Gateway: p.gate.Before,
	})
	p.admin = p.Database.Admin(t)
	p.admin.SetMaxIdleConns(0) // or it would have goroutines that come and go with the server
	return p
}

func (p *project) administer(t *testing.T, statement string) {
	t.Helper()
	if _, err := p.admin.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// open opens a connection by way of an address, the gateway's own or a proxy's. The case accounts for it.
func (p *project) open(t *testing.T, c *trial.Case, addr string, opts ...connection.Option) *supabase.Conn {
	t.Helper()
	conn, err := supabase.Open(t.Context(), "pets", trial.Isolated(append([]connection.Option{
		trial.Patient(), supabase.WithURL("http://" + addr), supabase.WithKey(p.ServiceKey),
	}, opts...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.Closes = append(c.Closes, conn.Close)
	c.Tries = func() uint64 { return connection.Stats(conn).Retries }
	c.Connections = p.Connections
	return conn
}

// addr is that of the gateway.
func (p *project) addr(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

type pet struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Sum  string `json:"sum"`
}

// subject is what is put under load: reads of a table, of which one in eight asks by HEAD for their
// number alone; and writes, by turns a row of a table and the call of a function.
func subject(t *testing.T, conn *supabase.Conn) load.Subject {
	t.Helper()
	fresh := conn.WithTTL(0)
	all := fresh.Table("pets").Select("*").Order("id")
	var reads, writes atomic.Int64
	return load.Subject{
		Read: func(ctx context.Context) error {
			if reads.Add(1)%8 == 0 {
				n, err := supabase.Count(ctx, all)
				if err == nil && n != pets {
					err = fmt.Errorf("a count of %d for %d rows", n, pets)
				}
				return err
			}
			rows, err := supabase.Query[pet](ctx, all)
			if err != nil {
				return err
			}
			return whole(rows)
		},
		Write: func(ctx context.Context, id string) (err error) {
			if writes.Add(1)%2 == 0 {
				_, err = supabase.Execute(ctx, fresh.RPC("enter", map[string]any{"id": id}))
			} else {
				_, err = supabase.Execute(ctx, fresh.Table("ledger").Insert(map[string]any{"id": id}))
			}
			if err != nil {
				typed(t, err)
			}
			return err
		},
	}
}

// whole tells whether rows are those of the table, each as it was written.
func whole(rows []pet) error {
	if len(rows) != pets {
		return fmt.Errorf("%d rows of %d", len(rows), pets)
	}
	for i, r := range rows {
		if r.ID != i+1 || r.Sum != sum(r.Name) {
			return fmt.Errorf("row %d is %+v", i, r)
		}
	}
	return nil
}

// typed checks what every failure is: the connection's, and the project's, or the context's.
func typed(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*connection.Error](err); !ok || e.Name != "pets" {
		t.Errorf("%v (%T) does not name its connection", err, err)
	}
	if _, ok := errors.AsType[*supabase.Error](err); !ok && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v (%T) is neither a *supabase.Error nor the end of its context", err, err)
	}
}

// loaded is a load that is broken, with the ledger compared at the end.
func (p *project) loaded(t *testing.T, c *trial.Case, conn *supabase.Conn, breaks func(l *load.Load)) string {
	t.Helper()
	p.administer(t, "delete from ledger")
	c.Under(t, subject(t, conn), func(l *load.Load) {
		c.Account = func(t *testing.T) {
			t.Helper()
			c.Lost, c.Repeated = l.Account(p.ledger(t))
		}
		breaks(l)
	})
	return c.Survived()
}

// ledger counts what is in the ledger, by id. What was on its way when a call gave up has arrived by
// then, or never will: nothing works for the project's users any more.
func (p *project) ledger(t *testing.T) map[string]int {
	t.Helper()
	load.Eventually(t, "the database is idle", func() bool {
		var busy int
		err := p.admin.QueryRowContext(t.Context(),
			"select count(*) from pg_stat_activity where usename = 'authenticator' and state <> 'idle'").Scan(&busy)
		if err != nil {
			t.Error(err)
		}
		return busy == 0
	})
	rows, err := p.admin.QueryContext(t.Context(), "select id, count(*) from ledger group by id")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]int)
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Error(err)
		}
		there[id] = n
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Error(err)
	}
	return there
}

// brief bounds each attempt of a connection before which the network may swallow everything.
func brief() connection.Option { return supabase.WithTimeout(time.Second) }
