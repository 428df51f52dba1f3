package sqlconn

import (
	"database/sql"
	"fmt"
	"iter"
	"math/big"
	"reflect"
	"slices"

	"github.com/streamconn/streamconn/internal/nearest"
)

// Frame is the result of a query for which there is no struct: named, typed
// columns, and rows. It prints as a table, and writes CSV and JSON.
//
// A value is what the driver gave: nil for NULL, int64, float64, bool, string,
// []byte, time.Time, or a type of the driver's own. Text is a string also with
// drivers that give bytes for it (MySQL; DECIMAL, JSON, UUID and the like with
// several others), told by the column's DatabaseType; []byte is binary.
//
// A Frame does not change: what its methods return is the caller's own, so it
// is safe for concurrent use. The zero value is a result without columns and
// rows.
//
// Every fmt verb that prints a *Frame prints its data.
type Frame struct {
	columns []Column
	types   []string // databaseType of each column
	cells   []any    // row by row
	rows    int
}

// Column describes a column of a [Frame].
type Column struct {
	// Name is the column's name or alias. Several columns may have the same,
	// and an expression may have none.
	Name string

	// DatabaseType is the database's name for the type, such as "VARCHAR" or
	// "int4", in the driver's spelling. Empty where the driver does not tell,
	// as for expressions in SQLite.
	DatabaseType string

	// ScanType is the Go type that the driver recommends; that of an empty
	// interface if it does not.
	ScanType reflect.Type
}

// readFrame reads all rows and closes rows.
func readFrame(rows *sql.Rows) (_ *Frame, err error) {
	defer closeRows(rows, &err)
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	f := &Frame{columns: make([]Column, len(types)), types: make([]string, len(types))}
	for i, t := range types {
		f.columns[i] = Column{Name: t.Name(), DatabaseType: t.DatabaseTypeName(), ScanType: t.ScanType()}
		f.types[i] = databaseType(t)
	}
	row := make([]any, len(types))
	dests := make([]any, len(types))
	for i := range dests {
		dests[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(dests...); err != nil {
			return nil, err
		}
		for i, v := range row {
			f.cells = append(f.cells, textOrValue(v, f.types[i]))
		}
		f.rows++
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// Clone returns a frame of its own with the same columns and rows. As frames do
// not change, the two share their memory.
func (f *Frame) Clone() *Frame {
	if f == nil {
		return nil
	}
	clone := *f
	return &clone
}

// Len returns the number of rows.
func (f *Frame) Len() int { return f.rows }

// Columns returns the columns, from left to right.
func (f *Frame) Columns() []Column { return slices.Clone(f.columns) }

// Row returns the values of row i, counted from 0. It panics if there is none.
func (f *Frame) Row(i int) []any {
	if i < 0 || i >= f.rows {
		panic(fmt.Sprintf("sqlconn: row %d of a frame with %d rows", i, f.rows))
	}
	row := make([]any, len(f.columns))
	for j := range row {
		row[j] = copyCell(f.cell(i, j))
	}
	return row
}

// Rows goes over the rows from top to bottom, each a slice of its own.
func (f *Frame) Rows() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := range f.rows {
			if !yield(f.Row(i)) {
				return
			}
		}
	}
}

// Column returns the values of the first column of that name, and whether there
// is one.
func (f *Frame) Column(name string) ([]any, bool) {
	j := f.index(name)
	if j < 0 {
		return nil, false
	}
	values := make([]any, f.rows)
	for i := range values {
		values[i] = copyCell(f.cell(i, j))
	}
	return values, true
}

// ColumnOf returns the values of the first column of that name as a []T,
// converted as [Query] converts a single column. NULL needs a T that takes it,
// such as *string or sql.Null[string].
func ColumnOf[T any](f *Frame, name string) ([]T, error) {
	j := f.index(name)
	if j < 0 {
		return nil, f.noColumn(name)
	}
	t := reflect.TypeFor[T]()
	set, err := setterFor(t, 0)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	values := make([]T, f.rows)
	for i := range values {
		cell := copyCell(f.cell(i, j))
		if err := convertCell(&values[i], cell, set, f.types[j]); err != nil {
			plan := columnPlan{field: t.String(), typ: t, set: set}
			return nil, fmt.Errorf("row %d: %w", i, newColumnError(name, &plan, lookAtValue{cell == nil, fmt.Sprintf("%T", cell)}, err))
		}
	}
	return values, nil
}

func convertCell[T any](dst *T, cell any, set cellSetter, databaseType string) error {
	if set != nil {
		return set(reflect.ValueOf(dst).Elem(), cell, databaseType)
	}
	if s, ok := any(dst).(sql.Scanner); ok {
		if err := s.Scan(cell); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		return nil
	}
	var converted sql.Null[T] // for the conversions of database/sql
	if err := converted.Scan(cell); err != nil {
		return err
	}
	if k := reflect.TypeFor[T]().Kind(); cell == nil && k != reflect.Pointer && k != reflect.Slice {
		return errNull
	}
	*dst = converted.V
	return nil
}

func (f *Frame) cell(row, column int) any { return f.cells[row*len(f.columns)+column] }

func (f *Frame) index(name string) int {
	return slices.IndexFunc(f.columns, func(c Column) bool { return c.Name == name })
}

func (f *Frame) noColumn(name string) error {
	names := make([]string, len(f.columns))
	for i, c := range f.columns {
		names[i] = c.Name
	}
	if near := nearest.Name(name, names); near != "" {
		return fmt.Errorf("there is no column %q (the nearest is %q)", name, near)
	}
	return fmt.Errorf("there is no column %q, only %s", name, quotedNames(names))
}

// copyCell copies what a caller could change.
func copyCell(v any) any {
	switch v := v.(type) {
	case nil, int64, string, float64, bool:
		return v
	case []byte:
		return slices.Clone(v)
	case *big.Int:
		return new(big.Int).Set(v)
	}
	return copyReflected(reflect.ValueOf(v)).Interface()
}

// copyReflected copies the slices and maps of drivers with types of their own.
func copyReflected(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(copyReflected(v.Index(i)))
		}
		return c
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			c.SetMapIndex(key, copyReflected(value))
		}
		return c
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return reflect.ValueOf(copyCell(v.Interface()))
	}
	return v
}
