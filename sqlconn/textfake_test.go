package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"testing"
)

// resultSet is what every query of a database made by queryResult returns.
type resultSet struct {
	columns []string
	types   []string // database types, "" for not known; may be nil
	rows    [][]driver.Value
	err     error // after the rows
	closed  *bool // set when the rows are closed, if not nil
	close   error
}

// queryResult returns the rows of r as database/sql gives them.
func queryResult(tb testing.TB, r resultSet) *sql.Rows {
	tb.Helper()
	db := sql.OpenDB(r)
	tb.Cleanup(func() { _ = db.Close() })
	rows, err := db.QueryContext(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

func (r resultSet) Connect(context.Context) (driver.Conn, error) { return resultConn{r}, nil }
func (r resultSet) Driver() driver.Driver                        { return nil }

type resultConn struct{ resultSet }

func (c resultConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	rows := &resultRows{resultSet: c.resultSet, next: 0}
	if c.types == nil {
		return rows, nil
	}
	return typedRows{rows}, nil
}
func (resultConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (resultConn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }
func (resultConn) Close() error                        { return nil }

type resultRows struct {
	resultSet
	next int
	// bytes is shared by the []byte values of all rows, as the buffers of real
	// drivers are: what is kept of one row must be a copy.
	bytes []byte
}

func (r *resultRows) Columns() []string { return r.columns }

func (r *resultRows) Close() error {
	if r.closed != nil {
		*r.closed = true
	}
	return r.close
}

func (r *resultRows) Next(dest []driver.Value) error {
	if r.next == len(r.rows) {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	for i := range r.bytes {
		r.bytes[i] = '!'
	}
	r.bytes = r.bytes[:0]
	for i, v := range r.rows[r.next] {
		if b, ok := v.([]byte); ok {
			if r.bytes == nil {
				r.bytes = make([]byte, 0, 1<<12)
			}
			start := len(r.bytes)
			r.bytes = append(r.bytes, b...)
			v = r.bytes[start:len(r.bytes):len(r.bytes)]
		}
		dest[i] = v
	}
	r.next++
	return nil
}

type typedRows struct{ *resultRows }

func (r typedRows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i] }
func (r typedRows) ColumnTypeScanType(int) reflect.Type     { return reflect.TypeFor[any]() }
