package fakerest

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is a row, or some columns of one, by their names. Values that are read have these forms, and
// values that are written may have them:
//
//	boolean                          bool
//	smallint, integer, bigint        int64 (any integer when written)
//	real, double precision           float64
//	numeric                          string, with all its digits (any number when written)
//	date, timestamp, timestamptz     time.Time in UTC
//	json, jsonb                      json.RawMessage (anything that encoding/json encodes when written)
//	arrays                           []any (any slice when written)
//	bytea                            []byte
//	everything else                  string, as Postgres writes it
//	NULL                             nil
//
// A string is taken for every type, as a literal is in SQL.
type Row map[string]any

// Args are the arguments of a function, by their names, in the forms of [Row]; one without a name is
// called by its place, "1". For a function that the schema does not declare they are what
// encoding/json makes of the request.
type Args map[string]any

// Decode writes the arguments into a struct by its json tags, or into a map.
func (a Args) Decode(into any) error {
	b, err := json.Marshal(map[string]any(a))
	if err != nil {
		return fmt.Errorf("fakerest: the arguments: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("fakerest: the arguments: %w", err)
	}
	return nil
}

// Func is the body of a function of the database, in Go. It runs within the request's transaction:
// what it has done is undone if it, or what comes after it, fails. It must not send requests to its
// own server, which waits for it. An [*Error] is answered as Postgres would answer its code; another
// error as an exception (P0001).
//
// What it returns becomes the result by the type that the schema declares: a value in the forms of
// [Row], a Row (or a struct, by its json tags) for a function that returns a row, a []Row for one
// that returns a set. Nothing is returned by one that returns void. The result of a function that
// the schema does not declare is answered as JSON.
type Func func(tx *Tx, args Args) (any, error)

// Tx is the transaction of a request. It is used by one goroutine, and not after the function that
// it was given to has returned.
type Tx struct {
	tx   *txn
	role *role
}

// Role is the role on whose behalf the statements run.
func (t *Tx) Role() string { return t.role.name }

// UserID is the id of the signed-in user, auth.uid(); "" if there is none.
func (t *Tx) UserID() string {
	sub, _ := t.tx.claims["sub"].(string)
	return sub
}

// Claims are those of the request's token, auth.jwt(); nil if there was none. They are the caller's own.
func (t *Tx) Claims() map[string]any { return maps.Clone(t.tx.claims) }

// Now is the time at which the transaction began, now().
func (t *Tx) Now() time.Time { return t.tx.now }

// AsOwner gives the same transaction with the rights of the schema's owner: no row security, no
// missing privileges. It is what SECURITY DEFINER does.
func (t *Tx) AsOwner() *Tx { return &Tx{tx: t.tx, role: t.tx.db.owner()} }

// Query runs a SELECT, or another statement with RETURNING, and gives its rows. It knows the SQL
// that a schema may have: joins, subqueries and groups, no common table expressions or windows.
// $1 and so on are args, each a literal whose place decides its type.
func (t *Tx) Query(sql string, args ...any) ([]Row, error) {
	res, err := t.run(sql, args)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(res.rows))
	for i, values := range res.rows {
		rows[i] = goRow(res.columns, values)
	}
	return rows, nil
}

// QueryRow runs a statement as [Tx.Query] does and gives its first row, or nil if it has none.
func (t *Tx) QueryRow(sql string, args ...any) (Row, error) {
	rows, err := t.Query(sql, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// Exec runs an INSERT, UPDATE or DELETE and gives the number of rows that it changed.
func (t *Tx) Exec(sql string, args ...any) (int, error) {
	res, err := t.run(sql, args)
	if err != nil {
		return 0, err
	}
	return res.count, nil
}

// Insert stores a row, and gives it with its defaults. The table's name may have a schema.
func (t *Tx) Insert(table string, row Row) (Row, error) {
	var inserted Row
	err := t.with(func() *Error {
		rel, s, err := t.sink(table, "insert")
		if err != nil {
			return err
		}
		columns, values, names, err := t.values(rel, row)
		if err != nil {
			return err
		}
		if err := t.tx.allow(rel, "insert", names); err != nil {
			return err
		}
		if err := s.writes(columns, "insert", true); err != nil {
			return err
		}
		w, err := t.tx.insertRows(s, columns, [][]value{values}, nil, true)
		if err != nil {
			return err
		}
		if len(w.rows) > 0 {
			inserted = goRow(tableScope(rel, "").columns, w.rows[0])
		}
		return nil
	})
	return inserted, err
}

// Update changes the rows whose columns equal those of match, and gives them as they are then. An
// empty match is every row.
func (t *Tx) Update(table string, match, set Row) ([]Row, error) {
	var out []Row
	err := t.with(func() *Error {
		rel, s, err := t.sink(table, "update")
		if err != nil {
			return err
		}
		columns, values, names, err := t.values(rel, set)
		if err != nil {
			return err
		}
		if err := t.tx.allow(rel, "update", names); err != nil {
			return err
		}
		if err := s.writes(columns, "update", false); err != nil {
			return err
		}
		test, err := t.matcher(rel, match)
		if err != nil {
			return err
		}
		w, err := t.tx.updateRows(s, columns, test, func([]value) ([]value, *Error) { return values, nil }, true)
		if err != nil {
			return err
		}
		out = goRows(rel, w.rows)
		return nil
	})
	return out, err
}

// Delete removes the rows whose columns equal those of match, and gives them. An empty match is
// every row.
func (t *Tx) Delete(table string, match Row) ([]Row, error) {
	var out []Row
	err := t.with(func() *Error {
		rel, s, err := t.sink(table, "delete")
		if err != nil {
			return err
		}
		if err := t.tx.allow(rel, "delete", nil); err != nil {
			return err
		}
		test, err := t.matcher(rel, match)
		if err != nil {
			return err
		}
		w, err := t.tx.deleteRows(s, test, true)
		if err != nil {
			return err
		}
		out = goRows(rel, w.rows)
		return nil
	})
	return out, err
}

// Rows gives the rows whose columns equal those of match, in the order in which they were stored.
// An empty match is every row.
func (t *Tx) Rows(table string, match Row) ([]Row, error) {
	var out []Row
	err := t.with(func() *Error {
		rel, err := t.tx.tableFor(splitName(table))
		if err != nil {
			return err
		}
		if err := t.tx.allow(rel, "select", nil); err != nil {
			return err
		}
		test, err := t.matcher(rel, match)
		if err != nil {
			return err
		}
		all, err := t.tx.scan(rel)
		if err != nil {
			return err
		}
		for _, values := range all {
			ok, err := test(values)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, goRow(tableScope(rel, "").columns, values))
			}
		}
		return nil
	})
	return out, err
}

// with runs f as the role of the Tx.
func (t *Tx) with(f func() *Error) error {
	if err := t.tx.as(t.role, f); err != nil {
		return err
	}
	return nil
}

func (t *Tx) sink(name, command string) (*table, *sink, *Error) {
	rel, err := t.tx.tableFor(splitName(name))
	if err != nil {
		return nil, nil, err
	}
	s, err := t.tx.sinkOf(rel, command)
	return rel, s, err
}

// values makes values of a row, in the order of the columns.
func (t *Tx) values(rel *table, row Row) (columns []int, values []value, names []string, err *Error) {
	for _, name := range slices.Sorted(maps.Keys(row)) {
		i, err := rel.mustColumn(name)
		if err != nil {
			return nil, nil, nil, err
		}
		v, err := fromGo(rel.columns[i].typ, row[name], t.tx.locale())
		if err != nil {
			return nil, nil, nil, err
		}
		columns, values, names = append(columns, i), append(values, v), append(names, name)
	}
	return columns, values, names, nil
}

func (t *Tx) matcher(rel *table, match Row) (func([]value) (bool, *Error), *Error) {
	columns, values, _, err := t.values(rel, match)
	if err != nil {
		return nil, err
	}
	return func(row []value) (bool, *Error) {
		for i, c := range columns {
			if (row[c] == nil) != (values[i] == nil) || row[c] != nil && compareValues(rel.columns[c].typ, row[c], values[i]) != 0 {
				return false, nil
			}
		}
		return true, nil
	}, nil
}

func (t *Tx) run(sql string, args []any) (*result, error) {
	p, serr := newParser(sql)
	if serr != nil {
		return nil, fault("42601", "%s", serr.Text)
	}
	values := make([]value, len(args))
	types := make([]*typ, len(args))
	for i, a := range args {
		types[i] = typUnknown
		text, null, err := textOf(a)
		if err != nil {
			return nil, err
		}
		if !null {
			values[i] = text
		}
	}
	var res *result
	err := t.with(func() *Error {
		var err *Error
		res, err = p.run(t.tx, values, types)
		return err
	})
	return res, err
}

// run runs the one statement that the parser has.
func (p *parser) run(tx *txn, params []value, types []*typ) (res *result, err *Error) {
	var stmt any
	perr := func() (err *SchemaError) {
		defer caught(&err)
		switch {
		case p.is("select"):
			stmt = p.selectStmt()
		case p.is("insert"):
			stmt = p.insertStmt()
		case p.is("update"):
			stmt = p.updateStmt()
		case p.is("delete"):
			stmt = p.deleteStmt()
		default:
			p.fail("only SELECT, INSERT, UPDATE and DELETE are supported here")
		}
		p.accept(";")
		if p.peek().kind != tokEnd {
			p.unexpected()
		}
		return nil
	}()
	if perr != nil {
		return nil, fault("42601", "%s", perr.Text)
	}
	switch s := stmt.(type) {
	case *selectStmt:
		return tx.runSelect(s, params, types)
	case *insertStmt:
		return tx.runInsert(s, params, types)
	case *updateStmt:
		return tx.runUpdate(s, params, types)
	}
	return tx.runDelete(stmt.(*deleteStmt), params, types)
}

func goRow(columns []scopeColumn, values []value) Row {
	row := make(Row, len(columns))
	for i, c := range columns {
		row[c.name] = goValue(c.typ, values[i])
	}
	return row
}

func goRows(rel *table, rows [][]value) []Row {
	out := make([]Row, len(rows))
	for i, values := range rows {
		out[i] = goRow(tableScope(rel, "").columns, values)
	}
	return out
}

// textOf writes a Go value as a literal of SQL.
func textOf(v any) (text string, null bool, err *Error) {
	switch x := v.(type) {
	case nil:
		return "", true, nil
	case string:
		return x, false, nil
	case []byte:
		return fmt.Sprintf(`\x%x`, x), false, nil
	case json.RawMessage:
		return string(x), false, nil
	case time.Time:
		return formatStamp(stampOf(x), time.UTC, " "), false, nil
	case encoding.TextMarshaler:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return "", true, nil
		}
		b, terr := x.MarshalText()
		if terr != nil {
			return "", false, fault("22000", "a %T has no text: %v", v, terr)
		}
		return string(b), false, nil
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return "", true, nil
		}
		return textOf(rv.Elem().Interface())
	case reflect.Bool:
		return strconv.FormatBool(rv.Bool()), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(rv.Int(), 10), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(rv.Uint(), 10), false, nil
	case reflect.Float32, reflect.Float64:
		return formatFloat(rv.Float(), rv.Kind() == reflect.Float32), false, nil
	case reflect.String:
		return rv.String(), false, nil
	case reflect.Slice, reflect.Array:
		parts := make([]string, rv.Len())
		for i := range parts {
			item, null, err := textOf(rv.Index(i).Interface())
			if err != nil {
				return "", false, err
			}
			parts[i] = "NULL"
			if !null {
				parts[i] = item
				elem := rv.Index(i)
				if elem.Kind() == reflect.Interface {
					elem = elem.Elem()
				}
				if k := elem.Kind(); k != reflect.Slice && k != reflect.Array || elem.Type() == reflect.TypeFor[[]byte]() || elem.Type() == reflect.TypeFor[json.RawMessage]() {
					parts[i] = quoteElement(item)
				}
			}
		}
		return "{" + strings.Join(parts, ",") + "}", false, nil
	}
	b, jerr := json.Marshal(v)
	if jerr != nil {
		return "", false, fault("22000", "a value of type %T has no form in SQL: %v", v, jerr)
	}
	return string(b), false, nil
}

// fromGo makes a value of a type of what Go code gives.
func fromGo(t *typ, v any, loc locale) (value, *Error) {
	if v == nil {
		return nil, nil
	}
	if t.isJSON() {
		switch s := v.(type) {
		case json.RawMessage:
			return parseValue(t, string(s), loc)
		case string:
			if json.Valid([]byte(s)) {
				return parseValue(t, s, loc)
			}
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fault("22000", "a value of type %T is no JSON: %v", v, err)
		}
		return parseValue(t, string(b), loc)
	}
	text, null, err := textOf(v)
	if err != nil || null {
		return nil, err
	}
	if t.kind == kindTimestamp || t.kind == kindDate {
		if m, ok := v.(time.Time); ok {
			text = formatStamp(stampOf(m), nil, " ")
		}
	}
	return parseValue(t, text, loc)
}

// invoke calls a function, with values in the order of its arguments, and gives the rows of its
// result: of one column, unless it returns rows.
func (tx *txn) invoke(f *function, values []value) ([][]value, *Error) {
	if f.impl == nil {
		return nil, withoutBody(f)
	}
	if !tx.db.mayExecute(tx.role, f) {
		return nil, fault("42501", "permission denied for function %s", f.name)
	}
	args := Args{}
	for i, a := range f.args {
		name := a.name
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		args[name] = goValue(a.typ, values[i])
	}
	out, err := tx.callGo(f, args)
	if err != nil {
		return nil, err
	}
	return tx.results(f, out)
}

// callGo runs the Go function, as a statement within the transaction.
func (tx *txn) callGo(f *function, args Args) (out any, failed *Error) {
	r := tx.role
	if f.definer {
		r = tx.db.owner()
	}
	tx.nesting++
	pending := tx.pending
	tx.pending = nil
	nesting := tx.nesting
	tx.nesting = 0
	defer func() {
		tx.nesting = nesting - 1
		tx.pending = append(pending, tx.pending...)
	}()
	out, err := f.impl(&Tx{tx: tx, role: r}, args)
	if err == nil {
		return out, nil
	}
	if known, ok := errors.AsType[*Error](err); ok {
		copied := *known
		if copied.Code == "" {
			copied.Code = "P0001"
		}
		return nil, &copied
	}
	return nil, fault("P0001", "%s", err.Error())
}

// results makes rows of what a Go function has returned.
func (tx *txn) results(f *function, out any) ([][]value, *Error) {
	if f.returns.kind == kindVoid {
		return nil, nil
	}
	if !f.set {
		row, err := tx.resultRow(f, out)
		if err != nil {
			return nil, err
		}
		return [][]value{row}, nil
	}
	rv := reflect.ValueOf(out)
	if !rv.IsValid() {
		return nil, nil
	}
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return nil, fault("P0001", "the Go function %s returns a set: return a slice, not %T", f.name, out)
	}
	var rows [][]value
	for i := range rv.Len() {
		row, err := tx.resultRow(f, rv.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (tx *txn) resultRow(f *function, out any) ([]value, *Error) {
	if f.returns.kind != kindRecord {
		v, err := fromGo(f.returns, out, tx.locale())
		return []value{v}, err
	}
	columns := f.returns.table.columns
	row := make([]value, len(columns))
	fields, ok := out.(Row)
	if !ok {
		if m, isMap := out.(map[string]any); isMap {
			fields, ok = m, true
		}
	}
	if !ok {
		b, err := json.Marshal(out)
		if err == nil {
			err = json.Unmarshal(b, &fields)
		}
		if err != nil {
			return nil, fault("P0001", "the Go function %s returns a row: return a Row, not %T", f.name, out)
		}
	}
	for name := range fields {
		if !slices.ContainsFunc(columns, func(c *column) bool { return c.name == name }) {
			return nil, fault("P0001", "the Go function %s returned a column \"%s\" that its result does not have", f.name, name)
		}
	}
	for i, c := range columns {
		var err *Error
		if row[i], err = fromGo(c.typ, fields[c.name], tx.locale()); err != nil {
			return nil, err
		}
	}
	return row, nil
}
