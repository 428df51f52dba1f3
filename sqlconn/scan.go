package sqlconn

import (
	"database/sql"
	"iter"
	"reflect"
)

// Rows become values of the caller's type T in one of four ways:
//
//   - T is a struct: each column goes to the field of that name (see Query).
//   - T is a pointer to such a struct: the same, each row in one of its own.
//   - T is a map[string]any: each column is a key.
//   - T is anything else that can hold one value: there must be one column.
//
// A scanner works out once where each column goes, then reads every row into
// the same variable and hands out copies.

// scanAll reads all rows as values of type T and closes rows. Without rows it
// returns an empty slice, not nil.
func scanAll[T any](rows *sql.Rows) (_ []T, err error) {
	defer closeRows(rows, &err)
	s, err := scannerOf[T](rows)
	if err != nil {
		return nil, err
	}
	all := []T{}
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, s.value())
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

// scanOne reads the only row and closes rows. It fails with [sql.ErrNoRows] if
// there is none, and with [ErrManyRows] if there are more.
func scanOne[T any](rows *sql.Rows) (_ T, err error) {
	defer closeRows(rows, &err)
	var one, none T
	s, err := scannerOf[T](rows)
	if err != nil {
		return none, err
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return none, err
		}
		return none, sql.ErrNoRows
	}
	if err := s.scan(rows); err != nil {
		return none, err
	}
	one = s.value()
	if rows.Next() {
		return none, ErrManyRows
	}
	if err := rows.Err(); err != nil {
		return none, err
	}
	return one, nil
}

// scanEach reads one row after the other and closes rows at the end, also when
// the loop is left early. An error is the last thing that it yields.
func scanEach[T any](rows *sql.Rows) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		err := func() (err error) {
			defer closeRows(rows, &err)
			s, err := scannerOf[T](rows)
			if err != nil {
				return err
			}
			for rows.Next() {
				if err := s.scan(rows); err != nil {
					return err
				}
				if !yield(s.value(), nil) {
					yield = nil
					return nil
				}
			}
			return rows.Err()
		}()
		if err != nil && yield != nil {
			yield(none, err)
		}
	}
}

func closeRows(rows *sql.Rows, err *error) {
	if closeErr := rows.Close(); *err == nil {
		*err = closeErr
	}
}

// scanner reads rows with the same columns as values of type T. It is not safe
// for concurrent use.
type scanner[T any] struct {
	plan    *scanPlan
	columns []string
	types   []string // database types in upper case, "" where not known
	row     *T
	target  reflect.Value // the struct that the columns go to
	dests   []any         // for sql.Rows.Scan
	cells   []any         // the row, for maps

	// For structs behind pointers, which are made for the rows that have something for them.
	nulls   []any  // *isNull of each column
	present []bool // the pointers of this row
}

// isNull remembers of a value whether it is NULL.
type isNull bool

func (n *isNull) Scan(src any) error {
	*n = src == nil
	return nil
}

func scannerOf[T any](rows *sql.Rows) (*scanner[T], error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	plan := scanPlanFor(reflect.TypeFor[T](), columns)
	if plan.err != nil {
		return nil, plan.err
	}
	var types []*sql.ColumnType
	if plan.usesTypes { // they cost an allocation or two per column
		if types, err = rows.ColumnTypes(); err != nil {
			return nil, err
		}
	}
	return startScanner[T](plan, columns, types), nil
}

// newScanner returns a scanner for rows with these columns. Without types,
// bytes stay bytes in maps, and PostgreSQL's arrays are not read as slices.
func newScanner[T any](columns []string, types []*sql.ColumnType) (*scanner[T], error) {
	plan := scanPlanFor(reflect.TypeFor[T](), columns)
	if plan.err != nil {
		return nil, plan.err
	}
	return startScanner[T](plan, columns, types), nil
}

func startScanner[T any](plan *scanPlan, columns []string, types []*sql.ColumnType) *scanner[T] {
	s := &scanner[T]{plan: plan, columns: columns, types: make([]string, len(columns)), row: new(T), dests: make([]any, len(columns))}
	for i, t := range types {
		s.types[i] = databaseType(t)
	}
	switch plan.form {
	case rowMap:
		s.cells = make([]any, len(columns))
		for i := range s.cells {
			s.dests[i] = &s.cells[i]
		}
		return s
	case rowPointer:
		s.target = reflect.New(reflect.TypeFor[T]().Elem()).Elem()
	default:
		s.target = reflect.ValueOf(s.row).Elem()
	}
	if len(plan.pointers) == 0 {
		s.aim()
		return s
	}
	s.nulls, s.present = make([]any, len(columns)), make([]bool, len(plan.pointers))
	for i := range s.nulls {
		s.nulls[i] = new(isNull)
	}
	return s
}

// aim points the destinations into the target.
func (s *scanner[T]) aim() {
	for i := range s.plan.columns {
		column := &s.plan.columns[i]
		if n := len(column.through); n > 0 && !s.present[column.through[n-1]] {
			s.dests[i] = s.nulls[i]
			continue
		}
		field := s.target
		if column.index != nil {
			field = s.target.FieldByIndex(column.index)
		}
		s.dests[i] = column.dest(field, s.types[i])
	}
}

// point makes the structs behind pointers that have a column which is not NULL, and aims at them.
func (s *scanner[T]) point(rows *sql.Rows) error {
	if err := rows.Scan(s.nulls...); err != nil {
		return err
	}
	clear(s.present)
	for i, column := range s.plan.columns {
		for _, pointer := range column.through {
			s.present[pointer] = s.present[pointer] || !bool(*s.nulls[i].(*isNull))
		}
	}
	for i, index := range s.plan.pointers {
		if s.present[i] {
			pointer := s.target.FieldByIndex(index)
			pointer.Set(reflect.New(pointer.Type().Elem()))
		}
	}
	s.aim()
	return nil
}

// scan reads the current row; value then returns it.
func (s *scanner[T]) scan(rows *sql.Rows) error {
	if s.plan.form != rowMap {
		// What the row before has left is not to be seen through the next one.
		s.target.SetZero()
		if len(s.plan.pointers) > 0 {
			if err := s.point(rows); err != nil {
				return err
			}
		}
	}
	if err := rows.Scan(s.dests...); err != nil {
		return explainScan(rows, s.columns, s.dests, s.plan, err)
	}
	return nil
}

func (s *scanner[T]) value() T {
	switch s.plan.form {
	case rowMap:
		m := make(map[string]any, len(s.columns))
		for i, name := range s.columns {
			m[name] = textOrValue(s.cells[i], s.types[i])
		}
		if row, ok := any(m).(T); ok {
			return row
		}
		return reflect.ValueOf(m).Convert(reflect.TypeFor[T]()).Interface().(T)
	case rowPointer:
		p := reflect.New(s.target.Type())
		p.Elem().Set(s.target)
		return p.Convert(reflect.TypeFor[T]()).Interface().(T)
	}
	return *s.row
}
