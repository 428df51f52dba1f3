//go:build linux

package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // for the file, which another process locks, too

	"github.com/streamconn/streamconn/internal/faults/gate"
	"github.com/streamconn/streamconn/internal/faults/toxic"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// worldArgument makes the program the world, whose parent it talks with over its standard input and output.
const worldArgument = "be-the-world"

func isWorld(args []string) bool { return len(args) == 2 && args[1] == worldArgument }

// What the parent says, a line each. Each is answered once it is so.
const (
	hold = "hold" // nothing is to break until goOn
	goOn = "go on"
	calm = "calm" // nothing is to break any more
)

// worldMain runs the servers and breaks them until the parent says calm, and ends with its input, or
// without an answer when something cannot be put in order again.
func worldMain() int {
	err := servers.Run(context.Background(), func(t servers.TB) {
		in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
		w := newWorld(t)
		if err := out.Encode(w.places); err != nil {
			t.Fatal(err)
		}
		b := w.breakThings()
		defer b.end()
		for in.Scan() {
			var answer map[string]int
			switch in.Text() {
			case hold:
				b.hold()
			case goOn:
				b.goOn()
			case calm:
				answer = b.end()
			}
			if b.failed.Load() {
				return
			}
			if err := out.Encode(answer); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// world is everything that a service has to do with, and that can break.
type world struct {
	places places

	t        servers.TB
	database *servers.Database
	admin    *sql.DB
	rest     *servers.PostgREST
	gate     gate.Gate
	project  *supabasetest.Server
	lock     *sql.DB // the file of SQLite
	networks [3][2]*toxic.Proxy
}

func newWorld(t servers.TB) *world {
	w := &world{t: t, database: servers.StartPostgres(t)}
	w.rest = servers.StartPostgREST(t, servers.PostgRESTOptions{
		Database: w.database, SQL: schema("postgres"), Gateway: w.gate.Before,
	})
	w.admin = w.database.Admin(t)
	w.admin.SetMaxIdleConns(0)
	w.places = places{Direct: w.database.URLAs("postgres"), Key: w.rest.ServiceKey}
	for n := range users {
		id := userID(n)
		w.places.IDs = append(w.places.IDs, id)
		w.places.Tokens = append(w.places.Tokens, w.rest.Token(id, "authenticated", 24*time.Hour))
		w.places.Emails = append(w.places.Emails, fmt.Sprintf("user%d@example.com", n))
		w.places.Passwords = append(w.places.Passwords, "correct horse battery "+id)
	}
	w.openProject(t)
	w.openSQLite(t)
	for i, server := range []string{w.database.Addr(), hostOf(t, w.rest.URL), hostOf(t, w.project.URL)} {
		for j := range 2 {
			w.networks[i][j] = toxic.New(t, server)
		}
	}
	for j := range 2 {
		w.places.Postgres[j] = w.database.URLAt("postgresql+pgx", w.networks[0][j].Addr())
		w.places.Rest[j] = "http://" + w.networks[1][j].Addr()
		w.places.Project[j] = "http://" + w.networks[2][j].Addr()
	}
	return w
}

func hostOf(t servers.TB, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// openProject makes the project in memory. Its tokens live for so short a time that they are renewed
// again and again.
func (w *world) openProject(t servers.TB) {
	options := []supabasetest.Option{
		supabasetest.WithSchema(schema("project")...),
		supabasetest.WithAuth(supabasetest.TokenLife(20 * time.Second)),
		supabasetest.WithBucket("files"),
		supabasetest.WithFunction("echo", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(rw, r.Body)
		})),
	}
	for n := range users {
		options = append(options, supabasetest.WithUser(w.places.Emails[n], w.places.Passwords[n], supabasetest.UserID(w.places.IDs[n])))
	}
	project, err := supabasetest.Start(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(project.Close)
	w.project = project
	w.places.AnonKey, w.places.Service = project.AnonKey, project.ServiceKey
}

func (w *world) openSQLite(t servers.TB) {
	dir, err := os.MkdirTemp("", "streamconn-soak-")
	if err != nil {
		t.Fatal(err)
	}
	w.places.SQLite = filepath.Join(dir, "pets.db")
	db, err := sql.Open("sqlite", w.places.SQLite+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = db.Close()
		_ = os.RemoveAll(dir)
	})
	for _, statement := range schema("sqlite") {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v in %.100s", err, statement)
		}
	}
	w.lock = db
}

// schema is the same everywhere: pets that never change, counters, a ledger without a key, in which a
// write that comes twice shows, and, where there are users, notes that each of them sees alone.
func schema(kind string) []string {
	number := "integer" // which is 64 bits wide in SQLite
	statements := []string{
		"create table pets (id " + number + " primary key, name text not null, sum text not null)",
		"create table counters (k " + number + " primary key, v " + number + " not null)",
		"create table ledger (w " + number + " not null, n " + number + " not null)",
	}
	insert := func(table string, rows int, row func(n int) string) {
		var values []string
		for n := range rows {
			values = append(values, "("+row(n)+")")
		}
		statements = append(statements, "insert into "+table+" values "+strings.Join(values, ", "))
	}
	insert("pets", pets, func(n int) string { return fmt.Sprintf("%d, '%s', '%s'", n, petName(n), sum(petName(n))) })
	if kind == "postgres" { // REST and SQL write to tables of their own there
		statements = append(statements, "create table rest_counters as select * from counters", "alter table rest_counters add primary key (k)",
			"create table rest_ledger (w integer not null, n integer not null)")
		insert("rest_counters", keys, func(n int) string { return fmt.Sprintf("%d, 0", n) })
		statements = append(statements,
			"create function enter(w int, n int) returns void language sql as $$ insert into public.rest_ledger values (w, n) $$",
			"create function pet_names() returns setof text language sql stable as $$ select name from public.pets order by id $$")
	}
	insert("counters", keys, func(n int) string { return fmt.Sprintf("%d, 0", n) })
	if kind == "sqlite" {
		return statements
	}
	statements = append(statements,
		"create table notes (owner uuid not null, n integer not null, body text not null)",
		"alter table notes enable row level security",
		"create policy own on notes using (auth.uid() = owner)")
	insert("notes", users*notes, func(n int) string {
		return fmt.Sprintf("'%s', %d, '%s'", userID(n/notes), n%notes, note(n/notes, n%notes))
	})
	for _, role := range []string{"service_role", "authenticated"} {
		statements = append(statements, "grant all on pets, counters, ledger, notes to "+role)
	}
	if kind == "postgres" {
		statements = append(statements, "grant all on rest_counters, rest_ledger to service_role",
			"grant all on pets, counters, ledger to streamconn", "grant select on rest_ledger to streamconn")
	}
	return statements
}
