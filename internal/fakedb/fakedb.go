// Package fakedb is a database inside the test: a [database/sql/driver] whose answers are
// scripted and which notices what a real server would suffer in silence.
//
//	srv := fakedb.New(t)
//	srv.On("select name from pets", fakedb.Rows([]string{"name"}, []any{"Rex"}))
//	db := srv.Open()
//
// It counts opened and closed connections, every use of a connection, statement, transaction or
// result set after its end, two uses of one connection at a time, and a [sql.DB] that is closed
// while something still runs on it. A Server made with a test fails that test for each of these
// when the test ends.
//
// A Server is safe for concurrent use. Nothing is shared between Servers, so tests that use their
// own run in parallel. It starts no goroutines and works in a testing/synctest bubble.
package fakedb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Server is the pretended database server. Make one with [New].
type Server struct {
	mu        sync.Mutex
	scripts   map[string]*script
	handler   Handler
	checkArg  func(*driver.NamedValue) error
	onDial    func(ctx context.Context, n int) error
	down      error
	noDirect  bool
	stats     Stats
	events    []Event
	dsns      []string
	ran       map[string]int
	live      map[*conn]struct{}
	lastConn  int
	incidents []string
	changed   chan struct{} // closed and replaced whenever stats change
	id        string
}

// Stats is what a [Server] has counted.
type Stats struct {
	Dials    int // attempts to connect, failed ones too
	Opens    int // connections that were made
	Closes   int // connections that were closed
	MaxLive  int // the most connections that were open at a time
	OpenRows int // result sets that nobody has closed
	OpenTxs  int // transactions without an end
	OpenStms int // prepared statements that nobody has closed

	UseAfterClose int // uses of a connection, statement, transaction or result set after its end or its sql.DB's
	ClosedInUse   int // connections on which a statement ran or rows were open when their sql.DB was closed
	Concurrent    int // calls that met another one on the same connection
}

// Live is the number of connections that are open.
func (s Stats) Live() int { return s.Opens - s.Closes }

// New returns a server without scripts. When t ends, after the cleanups registered later, the
// server fails it as [Server.Check] does; with a nil t the caller checks, or does not.
func New(t testing.TB) *Server {
	s := &Server{
		scripts: make(map[string]*script),
		ran:     make(map[string]int),
		live:    make(map[*conn]struct{}),
		changed: make(chan struct{}),
	}
	if t != nil {
		t.Helper()
		t.Cleanup(func() { s.Check(t) })
	}
	return s
}

// Connector returns a new connector, as [sql.OpenDB] takes it. Each belongs to one sql.DB:
// closing that DB closes the connector, which is how the server learns of it.
func (s *Server) Connector() driver.Connector { return &connector{srv: s} }

// Open returns a new pool on the server. The caller closes it.
func (s *Server) Open() *sql.DB { return sql.OpenDB(s.Connector()) }

// Stats returns the counters of this moment.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Events returns what the server was asked to do, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Texts returns the statements that ran, in order, with those that failed.
func (s *Server) Texts() []string {
	var texts []string
	for _, e := range s.Events() {
		if e.Op == Exec || e.Op == Query {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// Count is the number of times that the statement text ran.
func (s *Server) Count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ran[text]
}

// DSNs returns the data source names with which the server was opened through a driver name (see
// [Register]), in order.
func (s *Server) DSNs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dsns)
}

// OnDial has f called at every attempt to connect, before it happens; n counts them from 1. f may
// wait, minding ctx, and its error is the attempt's.
func (s *Server) OnDial(f func(ctx context.Context, n int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDial = f
}

// CheckArgs has f check and convert each argument, as a driver with its own types does. Without
// it database/sql's own rules apply.
func (s *Server) CheckArgs(f func(*driver.NamedValue) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkArg = f
}

// PrepareOnly makes the driver one that runs nothing without preparing it.
func (s *Server) PrepareOnly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noDirect = true
}

// Break ends every open connection, also those on which a statement runs: each answers err once,
// and is then one that the pool throws away. New connections can be made. A nil err is
// [io.ErrUnexpectedEOF], what a driver reports when its socket ends.
func (s *Server) Break(err error) {
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.live))
	for c := range s.live {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.breakWith(err)
	}
}

// Down breaks every connection and has each dial answered with err until [Server.Up]. A nil err
// is a refused TCP connection.
func (s *Server) Down(err error) {
	if err == nil {
		err = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	s.mu.Lock()
	s.down = err
	s.mu.Unlock()
	s.Break(nil)
}

// Up ends [Server.Down].
func (s *Server) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = nil
}

// settle bounds how long Check waits for connections that database/sql closes in the background.
const settle = 10 * time.Second

// Check fails t if a connection is still open, or if there was a use after close, a close during
// use or a concurrent use. database/sql closes some connections in the background, so it waits
// for those.
func (s *Server) Check(t testing.TB) {
	t.Helper()
	late := time.NewTimer(settle)
	defer late.Stop()
	for waiting := true; waiting; {
		s.mu.Lock()
		changed, idle := s.changed, s.stats.Live() == 0 && s.stats.OpenRows == 0
		s.mu.Unlock()
		if idle {
			break
		}
		select {
		case <-changed:
		case <-late.C:
			waiting = false
		}
	}
	for _, p := range s.Problems() {
		t.Errorf("fakedb: %s", p)
	}
}

// Problems says in words what [Server.Check] complains about, as things are now.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var problems []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{s.stats.Live(), "connections never closed"},
		{s.stats.OpenRows, "result sets never closed"},
		{s.stats.OpenStms, "prepared statements never closed"},
		{s.stats.OpenTxs, "transactions never ended"},
		{s.stats.UseAfterClose, "uses after close"},
		{s.stats.ClosedInUse, "connections in use when their sql.DB was closed"},
		{s.stats.Concurrent, "concurrent uses of one connection"},
	} {
		if c.n != 0 {
			problems = append(problems, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(s.incidents) > 0 {
		problems = append(problems, "first: "+strings.Join(s.incidents, "; "))
	}
	return problems
}

// count changes the counters under the lock and wakes those who wait for a change.
func (s *Server) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countLocked(change)
}

func (s *Server) countLocked(change func(*Stats)) {
	change(&s.stats)
	s.stats.MaxLive = max(s.stats.MaxLive, s.stats.Live())
	close(s.changed)
	s.changed = make(chan struct{})
}

// incident counts a misuse and remembers the first few in words.
func (s *Server) incident(change func(*Stats), format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countLocked(change)
	if len(s.incidents) < 10 {
		s.incidents = append(s.incidents, fmt.Sprintf(format, args...))
	}
}

// log records an event, and counts it if it is a run of a statement.
func (s *Server) log(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// connector makes the connections of one sql.DB.
type connector struct {
	srv    *Server
	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
}

var errDBClosed = errors.New("fakedb: the sql.DB of this connection is closed")

// Connect implements [driver.Connector].
func (k *connector) Connect(ctx context.Context) (driver.Conn, error) {
	s := k.srv
	s.mu.Lock()
	s.stats.Dials++
	n, hook := s.stats.Dials, s.onDial
	s.mu.Unlock()
	err := ctx.Err()
	if err == nil && hook != nil {
		err = hook(ctx, n)
	}
	c := &conn{srv: s, db: k}
	s.mu.Lock()
	if err == nil {
		err = s.down
	}
	if err == nil {
		s.lastConn++
		c.id = s.lastConn
		s.live[c] = struct{}{}
		s.countLocked(func(st *Stats) { st.Opens++ })
	}
	s.events = append(s.events, Event{Op: Dial, Conn: c.id, Err: err})
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}

	// A dial that outlives its sql.DB is nobody's mistake: database/sql closes what it made.
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns == nil {
		k.conns = make(map[*conn]struct{})
	}
	k.conns[c] = struct{}{}
	return c, nil
}

// Driver implements [driver.Connector].
func (k *connector) Driver() driver.Driver { return Driver{} }

// Close is called by [sql.DB.Close], after the idle connections were closed.
func (k *connector) Close() error {
	k.mu.Lock()
	k.closed = true
	conns := make([]*conn, 0, len(k.conns))
	for c := range k.conns {
		conns = append(conns, c)
	}
	k.mu.Unlock()
	for _, c := range conns {
		if doing := c.doing(); doing != "" {
			k.srv.incident(func(st *Stats) { st.ClosedInUse++ }, "sql.DB closed while connection %d was in use by %s", c.id, doing)
		}
	}
	return nil
}

func (k *connector) isClosed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}

func (k *connector) forget(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
}
