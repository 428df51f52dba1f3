//go:build linux

package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Who the tests are on the servers. The password is one that has to be escaped in URLs.
const (
	host     = "127.0.0.1"
	username = "streamconn"
	password = "p@ss:w/ord?#&%20"
	admin    = "administrator" // who looks from the outside: not counted by Connections
)

// engine is what differs between the kinds of servers.
type engine struct {
	name    string
	scheme  string         // of URLs
	query   url.Values     // that URLs need
	users   []string       // accounts that may run it, if the test is root
	polite  syscall.Signal // ends it in an orderly way, breaking off its clients' connections
	driver  string
	dsn     func(port int, user, database string) string
	home    string // the database in which administrators find themselves
	create  string // with a place for the name
	drop    string
	count   string // counts the tests' connections to a database, which is its argument
	program func() (string, bool)
	hint    string
	setup   func(s *server) error    // makes the data folder
	args    func(s *server) []string // of the program
}

// server is a running, or stopped, server.
type server struct {
	engine  *engine
	account *account
	program string
	dir     string
	port    int
	admin   *sql.DB

	mu   sync.Mutex
	proc *process // nil while it is stopped
}

// newServer makes the data of a server and starts it.
func newServer(e *engine, program string) (*server, error) {
	a, err := newAccount(e.users...)
	if err != nil {
		return nil, err
	}
	dir, err := a.folder("streamconn-" + e.name + "-")
	if err != nil {
		return nil, err
	}
	s := &server{engine: e, account: a, program: program, dir: dir}
	if err := e.setup(s); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	// Somebody else may take the port between the look and the start.
	for attempt := 1; ; attempt++ {
		if s.port, err = FreePort(); err != nil {
			break
		}
		if s.admin, err = sql.Open(e.driver, e.dsn(s.port, admin, e.home)); err != nil {
			break
		}
		s.admin.SetMaxIdleConns(0)
		if err = s.start(); err == nil {
			return s, nil
		}
		_ = s.admin.Close()
		if attempt == 3 {
			break
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// start starts the program and returns once it answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	p, err := s.account.start(s.dir+".log", s.program, s.engine.args(s)...)
	if err != nil {
		return err
	}
	err = waitFor(p, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return s.admin.PingContext(ctx)
	})
	if err != nil {
		p.kill()
		return fmt.Errorf("start %s: %w", s.engine.name, err)
	}
	s.proc = p
	return nil
}

// stop ends the program in an orderly way, if it runs.
func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	p := s.proc
	s.proc = nil
	return p.stop(s.engine.polite)
}

// kill ends the program as a power cut does, if it runs.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// remove kills the server and deletes what it leaves.
func (s *server) remove() error {
	s.kill()
	return errors.Join(s.admin.Close(), os.RemoveAll(s.dir), os.Remove(s.dir+".log"))
}

// A Database is a database for a test, on a server of its own or on the shared one.
type Database struct {
	Host     string
	Port     int
	User     string
	Password string
	Name     string

	server *server
	shared bool
}

// URL returns the database's URL as SQLAlchemy writes it, user and password escaped.
func (d *Database) URL() string { return d.URLAs(d.server.engine.scheme) }

// URLAs is URL with another scheme, as in "postgresql+psycopg2".
func (d *Database) URLAs(scheme string) string { return d.URLAt(scheme, d.Addr()) }

// URLAt is URLAs with another address, for a proxy before the server.
func (d *Database) URLAt(scheme, addr string) string {
	u := url.URL{
		Scheme:   scheme,
		User:     url.UserPassword(d.User, d.Password),
		Host:     addr,
		Path:     "/" + d.Name,
		RawQuery: d.server.engine.query.Encode(),
	}
	return u.String()
}

// Addr is the server's host and port.
func (d *Database) Addr() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// Admin returns a pool of connections to the database that bypasses what is tested: as another
// user, and not counted by [Database.Connections]. It is closed when the test ends.
func (d *Database) Admin(t TB) *sql.DB {
	t.Helper()
	e := d.server.engine
	db, err := sql.Open(e.driver, e.dsn(d.Port, admin, d.Name))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Connections is the number of connections that the server has with the test's user in this
// database, idle ones too, as the server counts them.
func (d *Database) Connections(t TB) int {
	t.Helper()
	var n int
	if err := d.server.admin.QueryRowContext(t.Context(), d.server.engine.count, d.Name).Scan(&n); err != nil {
		t.Fatalf("count the connections of %s: %v", d.Name, err)
	}
	return n
}

// PID is the server's process id; 0 while it is stopped.
func (d *Database) PID() int {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	if d.server.proc == nil {
		return 0
	}
	return d.server.proc.pid
}

// own fails a test that would take the shared server from the others.
func (d *Database) own(t TB, what string) {
	t.Helper()
	if d.shared {
		t.Fatalf("%s of the %s server that all tests share; start an own one", what, d.server.engine.name)
	}
}

// Kill ends the server and all its processes as a power cut does.
func (d *Database) Kill(t TB) {
	t.Helper()
	d.own(t, "Kill")
	d.server.kill()
}

// Stop ends the server in an orderly way; connections are broken off, not waited for.
func (d *Database) Stop(t TB) {
	t.Helper()
	d.own(t, "Stop")
	if err := d.server.stop(); err != nil {
		t.Fatal(err)
	}
}

// Restart starts the server again, on the same port and data, and returns once it answers. A
// running server is stopped first.
func (d *Database) Restart(t TB) {
	t.Helper()
	d.own(t, "Restart")
	if err := errors.Join(d.server.stop(), d.server.start()); err != nil {
		t.Fatal(err)
	}
}

// create makes a database for the test, and drops it when the test ends.
func (s *server) create(t TB, name string, shared bool) *Database {
	t.Helper()
	if _, err := s.admin.ExecContext(t.Context(), fmt.Sprintf(s.engine.create, name)); err != nil {
		t.Fatalf("create database %s on %s: %v", name, s.engine.name, err)
	}
	return &Database{Host: host, Port: s.port, User: username, Password: password, Name: name, server: s, shared: shared}
}

// own starts a server for one test.
func own(t TB, e *engine) *Database {
	t.Helper()
	program, ok := e.program()
	if !ok {
		Missing(t, e.name, e.hint)
	}
	s, err := newServer(e, program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s.create(t, "pets", false)
}

// shared holds the servers that the tests of a binary share. They are started by the first test
// that needs them and stopped by Main.
var shared struct {
	mu      sync.Mutex
	main    bool
	started map[*engine]*server
	failed  map[*engine]error // a server that cannot start is not tried again and again
	last    int
}

// Main runs the tests of a binary and stops the servers that they shared. It returns the exit
// code for [os.Exit].
func Main(m *testing.M) int {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for e, s := range shared.started {
		if err := s.remove(); err != nil {
			fmt.Fprintf(os.Stderr, "stop %s: %v\n", e.name, err)
			code = max(code, 1)
		}
	}
	return code
}

// common returns a new database on the shared server.
func common(t TB, e *engine) *Database {
	t.Helper()
	program, ok := e.program()
	if !ok {
		Missing(t, e.name, e.hint)
	}
	s, name, err := commonServer(e, program)
	if err != nil {
		t.Fatal(err)
	}
	d := s.create(t, name, true)
	t.Cleanup(func() {
		// The context of the test is over by now.
		if _, err := s.admin.ExecContext(context.Background(), fmt.Sprintf(e.drop, name)); err != nil {
			t.Errorf("drop database %s on %s: %v", name, e.name, err)
		}
	})
	return d
}

func commonServer(e *engine, program string) (s *server, name string, err error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		return nil, "", errors.New("the tests that share a server need TestMain to call servers.Main")
	}
	shared.last++
	name = fmt.Sprintf("test_%d", shared.last)
	if s = shared.started[e]; s != nil {
		return s, name, nil
	}
	if err := shared.failed[e]; err != nil {
		return nil, "", err
	}
	s, err = newServer(e, program)
	if err != nil {
		if shared.failed == nil {
			shared.failed = make(map[*engine]error)
		}
		shared.failed[e] = err
		return nil, "", err
	}
	if shared.started == nil {
		shared.started = make(map[*engine]*server)
	}
	shared.started[e] = s
	return s, name, nil
}
