package database

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// advise says of which column an answer, of rows or of one, cannot be decoded into a T, and what would
// take it. It is only asked once that has failed, and names no values.
func advise[T any](body []byte, err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok && !json.Valid(body) { // else it is of a T's own making
		return fmt.Errorf("%w; is the URL the project's?", err)
	}
	body = bytes.TrimSpace(body)
	rows := []json.RawMessage{body}
	if bytes.HasPrefix(body, []byte("[")) {
		_ = json.Unmarshal(body, &rows) // it is JSON: only its types did not fit
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Value == "object" && e.Field == "" && !isRow(reflect.TypeFor[T]()) {
		return fmt.Errorf("%w; a row is an object: use a struct or a map", err)
	}
	for _, row := range rows {
		var columns map[string]json.RawMessage
		if json.Unmarshal(row, &columns) != nil || json.Unmarshal(row, new(T)) == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(columns)) {
			alone, _ := json.Marshal(map[string]json.RawMessage{name: columns[name]})
			if e := json.Unmarshal(alone, new(T)); e != nil && e.Error() == err.Error() {
				return fmt.Errorf("column %q: %w%s", name, err, takes(columns[name], err))
			}
		}
	}
	return fmt.Errorf("%w%s", err, takes(body, err))
}

// isRow tells whether t holds the columns of a row.
func isRow(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
}

// takes is the type that takes what could not be decoded; nothing if that is not known.
func takes(value json.RawMessage, err error) string {
	var text string
	_ = json.Unmarshal(value, &text)
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		switch {
		case new(Date).UnmarshalText([]byte(text)) == nil:
			return "; a date is read into a database.Date"
		case new(Timestamp).UnmarshalText([]byte(text)) == nil:
			return "; a timestamp without a time zone is read into a database.Timestamp"
		case strings.HasSuffix(text, "infinity") || strings.HasSuffix(text, " BC"):
			return "; infinity and years before Christ are read into a string"
		}
	}
	if _, ok := errors.AsType[base64.CorruptInputError](err); ok && new(Bytea).UnmarshalText([]byte(text)) == nil {
		return "; a bytea is read into a database.Bytea"
	}
	return ""
}
