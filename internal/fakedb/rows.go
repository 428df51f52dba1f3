package fakedb

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
	"sync/atomic"
)

// rows is a result set.
type rows struct {
	conn *conn
	// ctx is the query's: a driver's rows end with it, and Next has no other way to know it.
	ctx    context.Context //nolint:containedctx // a driver.Rows lives as long as its query's context
	text   string
	set    *Result
	more   []*Result
	at     int
	closed atomic.Bool
}

var (
	_ driver.RowsNextResultSet              = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

// Columns implements [driver.Rows].
func (r *rows) Columns() []string {
	names := make([]string, len(r.set.Columns))
	for i, c := range r.set.Columns {
		names[i] = c.Name
	}
	return names
}

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error {
	ctx, leave, err := r.conn.enter(r.ctx, "next row of "+r.text, r.closed.Load())
	if err != nil {
		return err
	}
	defer leave()
	if r.set.Next != nil {
		err = r.set.Next(ctx, r.at)
	}
	if broken := r.conn.brokeDuring(); broken != nil {
		return broken
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if r.at >= len(r.set.Rows) {
		return io.EOF
	}
	for i, v := range r.set.Rows[r.at] {
		dest[i] = v
	}
	r.at++
	return nil
}

// Close implements [driver.Rows]. A second call is no misuse: database/sql makes it.
func (r *rows) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	r.conn.mu.Lock()
	r.conn.rows--
	r.conn.mu.Unlock()
	r.conn.srv.count(func(st *Stats) { st.OpenRows-- })
	return nil
}

// HasNextResultSet implements [driver.RowsNextResultSet].
func (r *rows) HasNextResultSet() bool { return len(r.more) > 0 }

// NextResultSet implements [driver.RowsNextResultSet].
func (r *rows) NextResultSet() error {
	_, leave, err := r.conn.enter(r.ctx, "next result set of "+r.text, r.closed.Load())
	if err != nil {
		return err
	}
	defer leave()
	if len(r.more) == 0 {
		return io.EOF
	}
	r.set, r.more, r.at = r.more[0].checked(), r.more[1:], 0
	return nil
}

// ColumnTypeScanType implements [driver.RowsColumnTypeScanType].
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if t := r.set.Columns[i].ScanType; t != nil {
		return t
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeDatabaseTypeName implements [driver.RowsColumnTypeDatabaseTypeName].
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.set.Columns[i].Type }

// ColumnTypeNullable implements [driver.RowsColumnTypeNullable].
func (r *rows) ColumnTypeNullable(i int) (nullable, known bool) {
	if n := r.set.Columns[i].Nullable; n != nil {
		return *n, true
	}
	return false, false
}

// ColumnTypePrecisionScale implements [driver.RowsColumnTypePrecisionScale].
func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, known bool) {
	c := r.set.Columns[i]
	return c.Precision, c.Scale, c.Precision != 0
}
