package database

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Schema takes the table or function from another schema than the server's first, usually public.
func (q Query[R]) Schema(name string) Query[R] {
	if err := checkName("schema", name); err != nil {
		return q.fail(err)
	}
	if strings.TrimSpace(name) != name {
		return q.fail(invalid("the name of the schema, %q, begins or ends with space", name))
	}
	return q.add(&step{kind: setSchema, key: name})
}

// Select says which columns to return, in PostgREST's grammar: "id, name", "*", "total:price.sum()",
// "meta->>year", "teams(name)", "books!inner(title)". Several arguments are joined by commas; a
// second Select replaces the first. Reads return all columns without it; an Insert, Upsert,
// Update or Delete returns its rows only with it, all columns if it names none. It is text of the
// program, not of its users: see [Ident].
func (q Query[R]) Select(columns ...string) Query[R] {
	text, err := parseSelect(strings.Join(columns, ","))
	if err != nil {
		return q.fail(err)
	}
	return q.add(&step{kind: setSelect, text: text})
}

// The kinds of writes, as errors name them.
const (
	insert = "Insert"
	upsert = "Upsert"
	update = "Update"
	remove = "Delete"
)

// Insert adds rows: a struct or a map, or a slice of them, as encoding/json writes them. Rows of
// a slice may have different keys; a key that a row does not have is NULL, or the column's default
// with [Query.MissingDefault]. An empty slice inserts nothing.
func (q Query[R]) Insert(rows any) Query[R] { return q.write(insert, rows) }

// Upsert adds rows as [Query.Insert] does, and replaces those that are there: rows with the same
// primary key, or the same values in the columns of [Query.OnConflict].
func (q Query[R]) Upsert(rows any) Query[R] { return q.write(upsert, rows) }

// Update changes the rows that the filters leave: values is a struct or a map whose JSON names the
// columns. Without a filter it is [ErrNoFilter], unless [Query.AllRows] is called.
func (q Query[R]) Update(values any) Query[R] { return q.write(update, values) }

// Delete deletes the rows that the filters leave. Without a filter it is [ErrNoFilter], unless
// [Query.AllRows] is called.
func (q Query[R]) Delete() Query[R] { return q.add(&step{kind: setWrite, key: remove}) }

func (q Query[R]) write(verb string, rows any) Query[R] {
	body, err := marshalBody(verb, rows)
	if err != nil {
		return q.fail(err)
	}
	s := &step{kind: setWrite, key: verb, body: body}
	switch {
	case string(body) == "null" && verb != update && reflect.ValueOf(rows).Kind() == reflect.Slice:
		s.body = []byte("[]")
	case bytes.HasPrefix(body, []byte("{")):
	case bytes.HasPrefix(body, []byte("[")) && verb != update:
		if s.text, err = unionOfKeys(body); err != nil {
			return q.fail(invalid("%s takes structs or maps, and each element of the slice is to be one: not %T", verb, rows))
		}
	default:
		return q.fail(invalid("%s takes a struct or a map, not %T", verb, rows))
	}
	return q.add(s)
}

func marshalBody(verb string, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return nil, invalid("%s of nil", verb)
	case []byte:
		return nil, invalid("%s of []byte: JSON that is written already is a json.RawMessage", verb)
	case json.RawMessage:
		if !json.Valid(x) {
			return nil, invalid("%s of a json.RawMessage that is not JSON", verb)
		}
		return bytes.TrimSpace(bytes.Clone(x)), nil
	}
	return marshal(v)
}

// unionOfKeys gives the value of the parameter columns for rows whose keys differ, which the server
// refuses without it; "" if all are the same.
func unionOfKeys(body []byte) (string, error) {
	var rows []map[string]json.RawMessage
	if err := json.Unmarshal(body, &rows); err != nil {
		return "", err
	}
	differ := false
	union := map[string]bool{}
	for i, row := range rows {
		if row == nil {
			return "", errors.New("a row is null")
		}
		before := len(union)
		for key := range row {
			union[key] = true
		}
		differ = differ || i > 0 && (len(union) != before || len(row) != before)
	}
	if !differ {
		return "", nil
	}
	return quoteAll(slices.Sorted(maps.Keys(union))), nil
}

// Columns says which keys of the rows are inserted or updated; others are left out.
func (q Query[R]) Columns(names ...string) Query[R] {
	return q.names(setColumns, "Columns", names)
}

// OnConflict names the columns, with a unique constraint, by which an Upsert finds the rows that are
// there. Without it, that is the primary key.
func (q Query[R]) OnConflict(columns ...string) Query[R] {
	return q.names(setConflict, "OnConflict", columns)
}

func (q Query[R]) names(k kind, method string, names []string) Query[R] {
	if len(names) == 0 {
		return q.fail(invalid("%s without columns", method))
	}
	for _, name := range names {
		if name == "" {
			return q.fail(invalid("%s: the name of a column is empty", method))
		}
		if _, err := encodeText(name); err != nil {
			return q.fail(invalid("%s: column %q holds characters that no name has", method, name))
		}
	}
	if k == setConflict && !slices.ContainsFunc(names, func(s string) bool { return !simple(s) }) {
		return q.add(&step{kind: k, text: strings.Join(names, ",")})
	}
	return q.add(&step{kind: k, text: quoteAll(names)})
}

// MissingDefault gives columns that a row of an Insert or Upsert does not name their default,
// instead of NULL.
func (q Query[R]) MissingDefault() Query[R] { return q.add(&step{kind: setMissingDefault}) }

// IgnoreDuplicates makes an Upsert leave the rows that are there as they are. Select then returns
// only those that were added.
func (q Query[R]) IgnoreDuplicates() Query[R] { return q.add(&step{kind: setIgnoreDuplicates}) }

// AllRows says that an Update or Delete without a filter is meant to be one of all rows. A hosted
// project refuses it by itself (code 21000, of safeupdate): there, use a filter that is true of each
// row, such as Not(Is("id", nil)).
func (q Query[R]) AllRows() Query[R] { return q.add(&step{kind: setAllRows}) }

// Get makes the call of a function a GET, which is a read: the function must be stable or
// immutable. Its arguments go into the URL; there is no form there for one that is null or an
// object, nor for a text that begins as a filter does (eq.1, not.null), which the server would take
// for one. These are [ErrInvalid]. It changes nothing about the read of a table.
func (q Query[R]) Get() Query[R] { return q.add(&step{kind: setMethod, key: "GET"}) }

// Head asks for the headers of a read alone, of a table or of a function as in [Query.Get]: for a
// [Query.Count] without rows.
func (q Query[R]) Head() Query[R] { return q.add(&step{kind: setMethod, key: "HEAD"}) }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ",")
}
