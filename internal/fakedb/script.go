package fakedb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
)

// A Handler answers a statement. It may wait, minding ctx, which ends with the caller's and when
// the connection breaks. It runs on the goroutine of the caller, without locks held.
type Handler func(ctx context.Context, c Call) (*Result, error)

// A Call is one run of a statement.
type Call struct {
	Text string
	Args []driver.NamedValue
	Exec bool // run by Exec, its rows are not read
	Conn int  // number of the connection, from 1
	Tx   bool // inside a transaction
	Run  int  // which run of this text it is on this server, from 1
}

// A Result is the answer to a statement. It may be shared by many answers.
type Result struct {
	Columns  []Column
	Rows     [][]any // ints of all sizes are handed out as int64, what database/sql would not take is handed out as it is
	Affected int64
	LastID   int64

	// Next, if not nil, is called before row i is handed out, and once more with i = len(Rows)
	// before the end. It may wait; ctx is the query's. An error ends the rows with that error.
	Next func(ctx context.Context, i int) error

	More []*Result // further result sets

	ready bool // checked has made it
}

// A Column describes a column. What is zero is not known to the driver.
type Column struct {
	Name      string
	Type      string // database type name, as in "NUMERIC"
	ScanType  reflect.Type
	Nullable  *bool
	Precision int64
	Scale     int64
}

// script holds the handlers of one statement.
type script struct {
	handlers []Handler
	next     int
}

// On scripts the statement text, compared exactly: its runs are answered by the handlers in turn,
// the last one answers all that follow. It replaces what was scripted for the text before.
func (s *Server) On(text string, handlers ...Handler) {
	if len(handlers) == 0 {
		panic("fakedb: On without a handler")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[text] = &script{handlers: slices.Clone(handlers)}
}

// Handle has h answer every statement that [Server.On] says nothing about. Without it they fail.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// answer counts a run of text and returns who answers it.
func (s *Server) answer(text string) (h Handler, run int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran[text]++
	run = s.ran[text]
	if sc := s.scripts[text]; sc != nil {
		h = sc.handlers[sc.next]
		sc.next = min(sc.next+1, len(sc.handlers)-1)
		return h, run
	}
	if s.handler != nil {
		return s.handler, run
	}
	return func(context.Context, Call) (*Result, error) {
		return nil, fmt.Errorf("fakedb: nothing is scripted for %q; use Server.On or Server.Handle", text)
	}, run
}

// Rows answers with rows. Each has a value per column.
func Rows(columns []string, rows ...[]any) Handler {
	r := &Result{Rows: rows}
	for _, name := range columns {
		r.Columns = append(r.Columns, Column{Name: name})
	}
	return Reply(r)
}

// Reply answers with r.
func Reply(r *Result) Handler {
	r = r.checked()
	return func(context.Context, Call) (*Result, error) { return r, nil }
}

// Affected answers that n rows were changed.
func Affected(n int64) Handler { return Reply(&Result{Affected: n}) }

// Fail answers with an error.
func Fail(err error) Handler {
	return func(context.Context, Call) (*Result, error) { return nil, err }
}

// Wait has h answer once wait has returned nil; an error of wait is the answer.
func Wait(wait func(context.Context) error, h Handler) Handler {
	return func(ctx context.Context, c Call) (*Result, error) {
		if err := wait(ctx); err != nil {
			return nil, err
		}
		return h(ctx, c)
	}
}

// Until returns a function to [Wait] with, or for [Result.Next]'s body: it waits until done is
// closed or sent to, or ctx ends.
func Until(done <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checked returns a copy of r with values as a driver has them, and panics if a row does not fit
// its columns, which is a mistake of the test.
func (r *Result) checked() *Result {
	if r.ready {
		return r
	}
	out := *r
	out.ready = true
	out.Rows = make([][]any, len(r.Rows))
	for i, row := range r.Rows {
		if len(row) != len(r.Columns) {
			panic(fmt.Sprintf("fakedb: row %d has %d values for %d columns", i, len(row), len(r.Columns)))
		}
		out.Rows[i] = make([]any, len(row))
		for j, v := range row {
			out.Rows[i][j] = value(v)
		}
	}
	out.More = make([]*Result, len(r.More))
	for i, more := range r.More {
		out.More[i] = more.checked()
	}
	return &out
}

// value makes plain ints, strings of named types and the like what a driver hands out.
func value(v any) any {
	if converted, err := driver.DefaultParameterConverter.ConvertValue(v); err == nil {
		return converted
	}
	return v
}
