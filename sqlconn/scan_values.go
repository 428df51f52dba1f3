package sqlconn

import (
	"database/sql"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Most values are stored by database/sql itself. A cellSetter stores what it
// does not:
//
//   - time.Time from text, in the layouts of SQLite, MySQL, PostgreSQL and RFC
//     3339; without a zone it is UTC;
//   - types with UnmarshalText (big.Int, netip.Addr …) from text and numbers;
//   - maps, slices and structs from JSON, and slices from PostgreSQL's arrays;
//   - json.RawMessage and other named slices of bytes;
//   - any, in which text is a string also where the driver gives bytes;
//   - pointers to and sql.Null of all of these.
//
// NULL goes to pointers, sql.Null and what else is a [sql.Scanner], any, maps
// and slices (as nil).

// cellSetter stores a driver's value in dst. It must not keep src's bytes. Its
// errors do not quote src.
type cellSetter func(dst reflect.Value, src any, databaseType string) error

var (
	errNull     = errors.New("NULL")
	errMisfit   = errors.New("misfit")
	errNotJSON  = errors.New("not the JSON of it")
	errNoTime   = errors.New("not a time in a known layout")
	errTooDeep  = errors.New("is a pointer to a pointer to a pointer")
	errRawBytes = errors.New("sql.RawBytes are only valid until the next row: use []byte")
)

// setterFor returns how values of type t are stored, nil for database/sql's way.
func setterFor(t reflect.Type, depth int) (cellSetter, error) {
	pointer := reflect.PointerTo(t)
	switch {
	case t == rawBytesType:
		return nil, errRawBytes
	case isSQLNull(t):
		inner, err := setterFor(t.Field(0).Type, depth)
		if inner == nil || err != nil {
			return nil, err
		}
		return setNull(inner), nil
	case pointer.Implements(scannerType):
		return nil, nil
	case t == timeType:
		return setTime, nil
	case t.Kind() == reflect.Pointer:
		if depth == 2 {
			return nil, fmt.Errorf("%v %w", t, errTooDeep)
		}
		inner, err := setterFor(t.Elem(), depth+1)
		if inner == nil || err != nil {
			return nil, err
		}
		return setPointer(inner), nil
	case t == anyType:
		return setAny, nil
	case pointer.Implements(textUnmarshalerType):
		return setText, nil
	case t == bytesType:
		return nil, nil
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return setBytes, nil
		}
		return setJSON, nil
	case reflect.Map, reflect.Struct, reflect.Array:
		return setJSON, nil
	case reflect.Interface, reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.Uintptr, reflect.UnsafePointer:
		return nil, fmt.Errorf("%v %w", t, errTypeHoldsNoColumn)
	}
	return nil, nil
}

// readsTypes tells whether a setter of t looks at the database's type.
func readsTypes(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || isSQLNull(t) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		} else {
			t = t.Field(0).Type
		}
	}
	return t == anyType || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8
}

// isSQLNull recognises sql.Null[T] and sql.NullTime: the value is their first
// field, Valid their second.
func isSQLNull(t reflect.Type) bool {
	return t.PkgPath() == "database/sql" && (strings.HasPrefix(t.Name(), "Null[") || t == reflect.TypeFor[sql.NullTime]())
}

// setterDest lets sql.Rows.Scan call a setter.
type setterDest struct {
	set          cellSetter
	field        reflect.Value
	databaseType string
}

func (d *setterDest) Scan(src any) error { return d.set(d.field, src, d.databaseType) }

// timeDest is setTime without reflection.
type timeDest time.Time

func (d *timeDest) Scan(src any) error {
	t, err := timeOf(src)
	if err == nil {
		*d = timeDest(t)
	}
	return err
}

func setTime(dst reflect.Value, src any, _ string) error {
	t, err := timeOf(src)
	if err == nil {
		*dst.Addr().Interface().(*time.Time) = t
	}
	return err
}

func timeOf(src any) (time.Time, error) {
	switch src := src.(type) {
	case time.Time:
		return src, nil
	case nil:
		return time.Time{}, errNull
	case string:
		return parseTime(src)
	case []byte:
		return parseTime(string(src))
	}
	return time.Time{}, errMisfit
}

// timeLayouts have no fractions: Parse accepts them after any seconds.
var timeLayouts = []string{
	time.RFC3339,
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z07",
	"2006-01-02",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05 -0700 MST", // time.Time.String, which some drivers store
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
}

func parseTime(text string) (time.Time, error) {
	text, _, _ = strings.Cut(text, " m=") // the monotonic part of time.Time.String
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errNoTime
}

func setNull(inner cellSetter) cellSetter {
	return func(dst reflect.Value, src any, databaseType string) error {
		if src == nil {
			dst.SetZero()
			return nil
		}
		dst.Field(1).SetBool(true)
		return inner(dst.Field(0), src, databaseType)
	}
}

func setPointer(inner cellSetter) cellSetter {
	return func(dst reflect.Value, src any, databaseType string) error {
		if src == nil {
			dst.SetZero()
			return nil
		}
		p := reflect.New(dst.Type().Elem())
		dst.Set(p)
		return inner(p.Elem(), src, databaseType)
	}
}

func setBytes(dst reflect.Value, src any, _ string) error {
	switch src := src.(type) {
	case nil:
		dst.SetZero()
	case []byte:
		dst.SetBytes(append(make([]byte, 0, len(src)), src...))
	case string:
		dst.SetBytes([]byte(src))
	default:
		return errMisfit
	}
	return nil
}

func setAny(dst reflect.Value, src any, databaseType string) error {
	if src == nil {
		dst.SetZero()
		return nil
	}
	if b, ok := src.([]byte); ok && !isTextType(databaseType) {
		src = append(make([]byte, 0, len(b)), b...)
	}
	dst.Set(reflect.ValueOf(textOrValue(src, databaseType)))
	return nil
}

func setText(dst reflect.Value, src any, _ string) error {
	var text []byte
	switch src := src.(type) {
	case nil:
		if k := dst.Kind(); k == reflect.Map || k == reflect.Slice {
			dst.SetZero()
			return nil
		}
		return errNull
	case string:
		text = []byte(src)
	case []byte:
		text = src
	case int64:
		switch {
		case dst.CanInt() && !dst.OverflowInt(src):
			dst.SetInt(src)
			return nil
		case dst.CanUint() && src >= 0 && !dst.OverflowUint(uint64(src)):
			dst.SetUint(uint64(src))
			return nil
		case dst.CanInt() || dst.CanUint():
			return errMisfit
		}
		text = strconv.AppendInt(nil, src, 10)
	case float64:
		text = strconv.AppendFloat(nil, src, 'f', -1, 64)
	case bool:
		text = strconv.AppendBool(nil, src)
	case time.Time:
		text = src.AppendFormat(nil, time.RFC3339Nano)
	case encoding.TextMarshaler: // a number that does not fit the drivers' own types
		var err error
		if text, err = src.MarshalText(); err != nil {
			return errMisfit
		}
	default:
		return errMisfit
	}
	if err := dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
		return errMisfit
	}
	return nil
}

func setJSON(dst reflect.Value, src any, databaseType string) error {
	var text []byte
	switch src := src.(type) {
	case nil:
		if k := dst.Kind(); k == reflect.Map || k == reflect.Slice {
			dst.SetZero()
			return nil
		}
		return errNull
	case string:
		text = []byte(src)
	case []byte:
		text = src
	default: // a driver with lists and structs of its own
		v := reflect.ValueOf(src)
		if v.Kind() == dst.Kind() && v.CanConvert(dst.Type()) {
			dst.Set(v.Convert(dst.Type()))
			return nil
		}
		var err error
		if v.Kind() != reflect.Slice && v.Kind() != reflect.Map {
			return errMisfit
		}
		if text, err = json.Marshal(src); err != nil {
			return errMisfit
		}
	}
	if dst.Kind() == reflect.Slice && strings.HasPrefix(databaseType, "_") {
		var ok bool
		if text, ok = arrayToJSON(text, leafOf(dst.Type())); !ok {
			return errMisfit
		}
	}
	if err := json.Unmarshal(text, dst.Addr().Interface()); err != nil {
		return errNotJSON
	}
	return nil
}

// leafOf returns what a slice of slices consists of in the end.
func leafOf(t reflect.Type) reflect.Kind {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind()
}

// arrayToJSON turns the text of a PostgreSQL array, {1,2,NULL} or {"a b",c},
// into that of a JSON array whose elements suit the given kind.
func arrayToJSON(array []byte, leaf reflect.Kind) ([]byte, bool) {
	out := make([]byte, 0, len(array)+16)
	if len(array) > 0 && array[0] == '[' { // bounds that do not start at 1, [0:1]={1,2}
		_, after, found := strings.Cut(string(array), "=")
		if !found {
			return nil, false
		}
		array = []byte(after)
	}
	if len(array) == 0 || array[0] != '{' {
		return nil, false
	}
	depth := 0
	for i := 0; i < len(array); {
		switch c := array[i]; c {
		case '{':
			depth++
			out = append(out, '[')
			i++
		case '}':
			depth--
			out = append(out, ']')
			i++
		case ',':
			out = append(out, ',')
			i++
		case '"':
			var element []byte
			for i++; i < len(array) && array[i] != '"'; i++ {
				if array[i] == '\\' && i+1 < len(array) {
					i++
				}
				element = append(element, array[i])
			}
			if i == len(array) {
				return nil, false
			}
			i++
			out = appendArrayElement(out, element, leaf)
		default:
			start := i
			for i < len(array) && array[i] != ',' && array[i] != '}' && array[i] != '{' {
				i++
			}
			if element := array[start:i]; strings.EqualFold(string(element), "NULL") {
				out = append(out, "null"...)
			} else {
				out = appendArrayElement(out, element, leaf)
			}
		}
		if depth < 0 || depth == 0 && i < len(array) {
			return nil, false
		}
	}
	return out, depth == 0
}

func appendArrayElement(out, element []byte, leaf reflect.Kind) []byte {
	switch leaf {
	case reflect.Bool:
		return strconv.AppendBool(out, string(element) == "t" || string(element) == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return append(out, element...)
	}
	quoted, _ := json.Marshal(string(element)) // a string always has a JSON form
	return append(out, quoted...)
}

// databaseType is the name of a column's type in upper case and without its
// length: VARCHAR for varchar(20).
func databaseType(t *sql.ColumnType) string {
	if t == nil {
		return ""
	}
	name, _, _ := strings.Cut(t.DatabaseTypeName(), "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

// isTextType tells the types whose bytes are text: several drivers give bytes
// for whatever is not a number.
func isTextType(databaseType string) bool {
	switch databaseType {
	case "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "BPCHAR", "NAME", "CITEXT",
		"TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "NTEXT", "CLOB", "ENUM", "SET", "XML", "JSON", "JSONB", "UUID",
		"DECIMAL", "NUMERIC", "MONEY", "SMALLMONEY",
		"DATE", "TIME", "TIMETZ", "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "YEAR",
		"INET", "CIDR", "MACADDR":
		return true
	}
	return strings.HasPrefix(databaseType, "_") // PostgreSQL's arrays
}

// textOrValue turns the bytes of a text type into a string.
func textOrValue(v any, databaseType string) any {
	if b, ok := v.([]byte); ok && isTextType(databaseType) {
		return string(b)
	}
	return v
}

// columnError tells which column of a row does not fit, and why. It does not
// quote what the row holds.
type columnError struct {
	column string
	reason string
	err    error // of the field's own Scan method, else nil
}

func (e *columnError) Error() string { return fmt.Sprintf("column %q: %s", e.column, e.reason) }

func (e *columnError) Unwrap() error { return e.err }

// explainScan finds the column at which Scan failed, by storing the values of
// the same row one by one: the error of database/sql quotes the value, and says
// nothing of what to do about a NULL.
func explainScan(rows *sql.Rows, columns []string, dests []any, plan *scanPlan, scanErr error) error {
	values := make([]lookAtValue, len(dests))
	one := make([]any, len(dests))
	for i := range values {
		one[i] = &values[i]
	}
	if rows.Scan(one...) != nil { // the rows themselves are at fault
		return scanErr
	}
	for i, dest := range dests {
		one[i] = dest
		if err := rows.Scan(one...); err != nil {
			return newColumnError(columns[i], &plan.columns[i], values[i], err)
		}
		one[i] = &values[i]
	}
	return scanErr
}

// lookAtValue remembers of a value no more than an error may tell.
type lookAtValue struct {
	null bool
	typ  string
}

func (v *lookAtValue) Scan(src any) error {
	v.null, v.typ = src == nil, fmt.Sprintf("%T", src)
	return nil
}

func newColumnError(column string, plan *columnPlan, value lookAtValue, err error) error {
	into := plan.typ.String()
	if plan.field != into {
		into += " (" + plan.field + ")"
	}
	e := &columnError{column: column}
	pointer := reflect.PointerTo(plan.typ)
	switch {
	case plan.set == nil && plan.typ.PkgPath() != "database/sql" && (pointer.Implements(scannerType) || plan.typ.Implements(scannerType)):
		e.reason = into + " does not take it"
		if e.err = errors.Unwrap(err); e.err != nil { // what its Scan method says is the best there is
			e.reason += ": " + e.err.Error()
		}
	case value.null:
		e.reason = fmt.Sprintf("NULL has no place in %s: use *%v or sql.Null[%v]", into, plan.typ, plan.typ)
	case strings.HasSuffix(err.Error(), "value out of range"): // database/sql hides strconv's error
		e.reason = fmt.Sprintf("this %s is out of range for %s", value.typ, into)
	case errors.Is(err, errNoTime):
		e.reason = fmt.Sprintf("a %s that is no time in a known layout has no place in %s", value.typ, into)
	case errors.Is(err, errNotJSON):
		e.reason = fmt.Sprintf("a %s that is not its JSON has no place in %s", value.typ, into)
	default:
		e.reason = fmt.Sprintf("this %s has no place in %s", value.typ, into)
	}
	return e
}
