package secrets

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Lookup returns the value at path, one element per key, and whether it is
// there. Present decides, not non-empty: an empty string is there. Without a
// path it returns everything, and ok is true.
//
// The value is a string, bool, int64, float64, [time.Time], [toml.LocalDate],
// [toml.LocalTime], [toml.LocalDateTime], a [time.Duration] if it was given in
// code, or a []any or map[string]any of these, which is then the caller's own
// copy.
func (s *Store) Lookup(path ...string) (value any, ok bool) {
	v, depth := s.current().find(path)
	if depth < len(path) {
		return nil, false
	}
	return clone(v), true
}

// Section returns the table at path, as the caller's own copy, and whether there
// is one. A value that is no table is none. Without a path it returns
// everything.
func (s *Store) Section(path ...string) (section map[string]any, ok bool) {
	v, depth := s.current().find(path)
	table, ok := v.(map[string]any)
	if depth < len(path) || !ok {
		return nil, false
	}
	return cloneTable(table), true
}

// String returns the string at path. The error is a [*MissingError] or a
// [*TypeError].
func (s *Store) String(path ...string) (string, error) { return scalar(s, path, toString) }

// Secret returns the string at path as one that does not print itself. The error
// is a [*MissingError] or a [*TypeError].
func (s *Store) Secret(path ...string) (Secret, error) {
	text, err := s.String(path...)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(text), nil
}

// Int returns the integer at path, or the one that a string there spells, as
// mounted folders hold nothing but strings. The error is a [*MissingError] or a
// [*TypeError].
func (s *Store) Int(path ...string) (int, error) { return scalar(s, path, toInt) }

// Float returns the number at path, or the one that a string there spells. The
// error is a [*MissingError] or a [*TypeError].
func (s *Store) Float(path ...string) (float64, error) { return scalar(s, path, toFloat) }

// Bool returns the boolean at path, or the one that a string there spells: true
// or false, in upper or lower case. The error is a [*MissingError] or a
// [*TypeError].
func (s *Store) Bool(path ...string) (bool, error) { return scalar(s, path, toBool) }

// Where names the place that gave the value at path: the absolute path of a
// file, or "values given in code". A table may have several, listed with commas,
// lowest precedence first. It is empty if there is no value.
func (s *Store) Where(path ...string) string { return s.current().where(path) }

// find walks along path. It returns the last value that it came to and how many
// elements of path led there; len(path) means found.
func (sn *snapshot) find(path []string) (v any, depth int) {
	// Always a table, and never nil: Lookup without a path promises a map.
	table := sn.merged
	if table == nil {
		table = map[string]any{}
	}
	v = table
	for depth < len(path) {
		table, ok := v.(map[string]any)
		if !ok {
			return v, depth
		}
		next, ok := table[path[depth]]
		if !ok {
			return v, depth
		}
		v = next
		depth++
	}
	return v, depth
}

// get is find with an error that tells what to do.
func (sn *snapshot) get(path []string) (any, error) {
	v, depth := sn.find(path)
	if depth == len(path) {
		return v, nil
	}
	table, ok := v.(map[string]any)
	if !ok {
		return nil, &TypeError{
			Path: slices.Clone(path[:depth]), Place: sn.where(path[:depth]), Got: describe(v), Want: "a table",
			Hint: "it must be a table to hold " + dotted(path[depth:]),
		}
	}
	missing := &MissingError{Path: slices.Clone(path), Looked: slices.Clone(sn.looked)}
	if near, ok := nearest(path[depth], table); ok {
		missing.Nearest = at(path[:depth], near)
		rest := path[depth+1:]
		if _, n := (&snapshot{merged: asTable(table[near])}).find(rest); n == len(rest) {
			missing.Nearest = append(missing.Nearest, rest...)
		}
	}
	return nil, missing
}

func asTable(v any) map[string]any {
	table, _ := v.(map[string]any)
	return table
}

func (sn *snapshot) where(path []string) string {
	var places []string
	for _, layer := range slices.Backward(sn.layers) {
		v, depth := (&snapshot{merged: layer.values()}).find(path)
		_, table := v.(map[string]any)
		if depth == len(path) {
			if table || len(places) == 0 {
				places = append(places, layer.place(path))
			}
		}
		if !table {
			break // this hides whatever the layers below have
		}
	}
	slices.Reverse(places)
	return strings.Join(places, ", ")
}

// scalar gets the value at path and converts it.
func scalar[T any](s *Store, path []string, convert func(any) (T, *TypeError)) (T, error) {
	now := s.current()
	v, err := now.get(path)
	if err != nil {
		var zero T
		return zero, err
	}
	value, wrong := convert(v)
	if wrong != nil {
		wrong.Path, wrong.Place = slices.Clone(path), now.where(path)
		return value, wrong
	}
	return value, nil
}

func toString(v any) (string, *TypeError) {
	text, ok := v.(string)
	if ok {
		return text, nil
	}
	wrong := &TypeError{Got: describe(v), Want: "a string"}
	switch v.(type) {
	case map[string]any, []any:
	default:
		wrong.Hint = "put it in quotes"
	}
	return "", wrong
}

func toInt(v any) (int, *TypeError) {
	n, wrong := toInt64(v)
	if wrong == nil && int64(int(n)) != n {
		return 0, &TypeError{Got: "an integer of more bits than this machine's", Want: "an integer"}
	}
	return int(n), wrong
}

func toInt64(v any) (int64, *TypeError) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			return n, nil
		}
		return 0, &TypeError{Got: "a string that spells no integer", Want: "an integer"}
	}
	return 0, &TypeError{Got: describe(v), Want: "an integer"}
}

func toFloat(v any) (float64, *TypeError) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	case string:
		if x, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return x, nil
		}
		return 0, &TypeError{Got: "a string that spells no number", Want: "a number"}
	}
	return 0, &TypeError{Got: describe(v), Want: "a number"}
}

func toBool(v any) (bool, *TypeError) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, &TypeError{Got: "a string that spells no boolean", Want: "a boolean", Hint: "write true or false"}
	}
	return false, &TypeError{Got: describe(v), Want: "a boolean"}
}

// describe names the type of a value in the words of TOML.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return "an empty string"
		}
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "not a finite number"
		}
		return "a float"
	case time.Time:
		return "a date and time"
	case toml.LocalDate:
		return "a local date"
	case toml.LocalTime:
		return "a local time"
	case toml.LocalDateTime:
		return "a local date and time"
	case time.Duration:
		return "a duration"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a %T", v)
}
