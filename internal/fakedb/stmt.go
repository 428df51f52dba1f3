package fakedb

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
)

// stmt is a prepared statement.
type stmt struct {
	conn   *conn
	text   string
	closed atomic.Bool
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// Prepare implements [driver.Conn].
func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if err := c.simple(ctx, Event{Op: Prepare, Text: text}); err != nil {
		return nil, err
	}
	c.srv.count(func(st *Stats) { st.OpenStms++ })
	return &stmt{conn: c, text: text}, nil
}

// NumInput implements [driver.Stmt]: any number of arguments will do.
func (s *stmt) NumInput() int { return -1 }

// Exec implements [driver.Stmt].
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), ordinal(args))
}

// Query implements [driver.Stmt].
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), ordinal(args))
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.exec(ctx, s.text, args, s.closed.Load())
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, s.text, args, s.closed.Load())
}

// Close implements [driver.Stmt]. A second call is no misuse: database/sql makes it.
func (s *stmt) Close() error {
	if !s.closed.Swap(true) {
		s.conn.srv.count(func(st *Stats) { st.OpenStms-- })
	}
	return nil
}

func ordinal(args []driver.Value) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, v := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return named
}
