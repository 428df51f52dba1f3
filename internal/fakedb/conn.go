package fakedb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
)

// conn is a connection. database/sql promises to use it from one goroutine at a time; enter
// verifies that.
type conn struct {
	srv *Server
	db  *connector
	id  int

	mu     sync.Mutex
	call   string // what runs now; empty when nothing does
	cancel context.CancelCauseFunc
	rows   int // result sets that are open
	tx     *tx
	closed bool
	broken error // why it answers no more; told once
	told   bool
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

var errUseAfterClose = errors.New("fakedb: used after close")

// enter begins a call on the connection and returns the context to run it with and a function
// that ends it. ended says that the statement, transaction or result set which the call is made
// on has ended.
func (c *conn) enter(ctx context.Context, what string, ended bool) (context.Context, func(), error) {
	dbClosed := c.db.isClosed()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || ended:
		c.srv.incident(func(st *Stats) { st.UseAfterClose++ }, "connection %d: %s after close", c.id, what)
		return nil, nil, errUseAfterClose
	case dbClosed:
		c.srv.incident(func(st *Stats) { st.UseAfterClose++ }, "connection %d: %s after its sql.DB was closed", c.id, what)
		return nil, nil, errDBClosed
	case c.broken != nil && !c.told:
		c.told = true
		return nil, nil, c.broken
	case c.broken != nil:
		return nil, nil, driver.ErrBadConn
	}
	if c.call != "" {
		c.srv.incident(func(st *Stats) { st.Concurrent++ }, "connection %d: %s during %s", c.id, what, c.call)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c.call, c.cancel = what, cancel
	return ctx, func() {
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.call, c.cancel = "", nil
	}, nil
}

// breakWith ends the connection from the server's side.
func (c *conn) breakWith(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return
	}
	c.broken = err
	if c.cancel != nil {
		c.cancel(err)
	}
}

// brokeDuring returns the error of a connection that broke while a call ran.
func (c *conn) brokeDuring() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		c.told = true
	}
	return c.broken
}

func (c *conn) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken != nil
}

// doing says what the connection is in use by; empty when by nothing. A transaction alone is no
// use: database/sql rolls it back in the background when its context ends.
func (c *conn) doing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.call != "" {
		return c.call
	}
	if c.rows > 0 {
		return "open rows"
	}
	return ""
}

func (c *conn) inTx() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tx != nil
}

// run runs a statement and records it. ended is that of enter.
func (c *conn) run(ctx context.Context, op Op, text string, args []driver.NamedValue, ended bool) (*Result, error) {
	ctx, leave, err := c.enter(ctx, string(op)+" "+text, ended)
	if err != nil {
		c.srv.log(Event{Op: op, Conn: c.id, Text: text, Args: ownArgs(args), Err: err})
		return nil, err
	}
	defer leave()
	call := Call{Text: text, Args: ownArgs(args), Exec: op == Exec, Conn: c.id, Tx: c.inTx()}
	var h Handler
	h, call.Run = c.srv.answer(text)
	r, err := h(ctx, call)
	if broken := c.brokeDuring(); broken != nil {
		r, err = nil, broken
	} else if err == nil {
		err = ctx.Err()
	}
	if r == nil {
		r = &Result{}
	}
	c.srv.log(Event{Op: op, Conn: c.id, Text: text, Args: call.Args, Tx: call.Tx, Err: err})
	return r, err
}

// simple runs an operation without an answer and records it.
func (c *conn) simple(ctx context.Context, e Event) error {
	_, leave, err := c.enter(ctx, string(e.Op), false)
	if err == nil {
		defer leave()
		err = ctx.Err()
	}
	e.Conn, e.Err = c.id, err
	c.srv.log(e)
	return err
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if c.srv.prepareOnly() {
		return nil, driver.ErrSkip
	}
	return c.query(ctx, text, args, false)
}

func (c *conn) query(ctx context.Context, text string, args []driver.NamedValue, ended bool) (driver.Rows, error) {
	r, err := c.run(ctx, Query, text, args, ended)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.rows++
	c.mu.Unlock()
	c.srv.count(func(st *Stats) { st.OpenRows++ })
	return &rows{conn: c, ctx: ctx, text: text, set: r.checked(), more: r.More}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if c.srv.prepareOnly() {
		return nil, driver.ErrSkip
	}
	return c.exec(ctx, text, args, false)
}

func (c *conn) exec(ctx context.Context, text string, args []driver.NamedValue, ended bool) (driver.Result, error) {
	r, err := c.run(ctx, Exec, text, args, ended)
	if err != nil {
		return nil, err
	}
	return outcome{affected: r.Affected, lastID: r.LastID}, nil
}

func (s *Server) prepareOnly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noDirect
}

// outcome is the answer to an Exec.
type outcome struct{ affected, lastID int64 }

// LastInsertId implements [driver.Result].
func (o outcome) LastInsertId() (int64, error) { return o.lastID, nil }

// RowsAffected implements [driver.Result].
func (o outcome) RowsAffected() (int64, error) { return o.affected, nil }

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error { return c.simple(ctx, Event{Op: Ping}) }

// ResetSession implements [driver.SessionResetter]. A broken connection is not noticed here, as
// a real one is not: its next statement notices.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	if c.isBroken() {
		return nil
	}
	_, leave, err := c.enter(ctx, string(Reset), false)
	if err != nil {
		return driver.ErrBadConn
	}
	leave()
	c.srv.log(Event{Op: Reset, Conn: c.id})
	return nil
}

// IsValid implements [driver.Validator]: a connection that has told its fault is thrown away.
func (c *conn) IsValid() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.told
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	c.srv.mu.Lock()
	check := c.srv.checkArg
	c.srv.mu.Unlock()
	if check == nil {
		return driver.ErrSkip
	}
	return check(v)
}

// Begin implements [driver.Conn].
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.simple(ctx, Event{Op: Begin, With: opts}); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tx != nil {
		return nil, fmt.Errorf("fakedb: connection %d: begin inside a transaction", c.id)
	}
	c.tx = &tx{conn: c}
	c.srv.count(func(st *Stats) { st.OpenTxs++ })
	return c.tx, nil
}

// Close implements [driver.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	again, open, running := c.closed, c.tx, c.call
	c.closed, c.tx = true, nil
	c.mu.Unlock()
	if again {
		c.srv.incident(func(st *Stats) { st.UseAfterClose++ }, "connection %d: closed twice", c.id)
		return errUseAfterClose
	}
	if running != "" {
		c.srv.incident(func(st *Stats) { st.Concurrent++ }, "connection %d: close during %s", c.id, running)
	}
	c.db.forget(c)
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
	s.events = append(s.events, Event{Op: Close, Conn: c.id})
	s.countLocked(func(st *Stats) {
		st.Closes++
		if open != nil { // a server rolls back what its client leaves behind
			st.OpenTxs--
		}
	})
	return nil
}

// tx is a transaction.
type tx struct{ conn *conn }

// Commit implements [driver.Tx].
func (t *tx) Commit() error { return t.end(Commit) }

// Rollback implements [driver.Tx].
func (t *tx) Rollback() error { return t.end(Rollback) }

func (t *tx) end(op Op) error {
	c := t.conn
	c.mu.Lock()
	ended := c.tx != t
	c.mu.Unlock()
	// Rolling back on a closed sql.DB is what database/sql does when a transaction's context ends.
	late := op == Rollback && c.db.isClosed()
	var err error
	if !late || ended {
		var leave func()
		_, leave, err = c.enter(context.Background(), string(op), ended)
		if err == nil {
			defer leave()
		}
	}
	if !ended {
		c.mu.Lock()
		if c.tx == t {
			c.tx = nil
			c.srv.count(func(st *Stats) { st.OpenTxs-- })
		}
		c.mu.Unlock()
	}
	c.srv.log(Event{Op: op, Conn: c.id, Tx: true, Err: err})
	return err
}
