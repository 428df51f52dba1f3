package secrets

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// maxDepth bounds how deep tables and lists nest, so that walking them by
// recursion is safe whatever a file holds.
const maxDepth = 128

// merge returns over laid on base: key by key where both have a table, over
// whole elsewhere. Neither is changed, but the result shares what it can with
// them, so it must not be changed either.
func merge(base, over map[string]any) map[string]any {
	merged := make(map[string]any, len(base)+len(over))
	maps.Copy(merged, base)
	for key, value := range over {
		below, both := merged[key].(map[string]any)
		if table, ok := value.(map[string]any); ok && both {
			value = merge(below, table)
		}
		merged[key] = value
	}
	return merged
}

// clone copies tables and lists; everything else is a value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneTable(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = clone(item)
		}
		return list
	}
	return v
}

func cloneTable(table map[string]any) map[string]any {
	own := make(map[string]any, len(table))
	for key, value := range table {
		own[key] = clone(value)
	}
	return own
}

// equal compares as a reader of the file would: nan equals nan, and a time
// equals one of the same instant and offset. reflect.DeepEqual would see a
// change at every reading of either.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalTables(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	case time.Time:
		b, ok := b.(time.Time)
		if !ok {
			return false
		}
		_, offsetA := a.Zone()
		_, offsetB := b.Zone()
		return a.Equal(b) && offsetA == offsetB
	}
	return a == b // all other kinds are comparable
}

func equalTables(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		other, ok := b[key]
		if !ok || !equal(value, other) {
			return false
		}
	}
	return true
}

// tooDeep says whether v nests more than levels tables and lists.
func tooDeep(v any, levels int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if levels == 0 || tooDeep(value, levels-1) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if levels == 0 || tooDeep(item, levels-1) {
				return true
			}
		}
	}
	return false
}

func normalizeTable(table map[string]any, path []string) (map[string]any, error) {
	own := make(map[string]any, len(table))
	for key, value := range table {
		clean, err := normalize(value, at(path, key))
		if err != nil {
			return nil, err
		}
		own[key] = clean
	}
	return own, nil
}

// normalize copies what a program gave into the types that a TOML file gives,
// so that readers need to know no others. Errors name the key and the type.
func normalize(v any, path []string) (any, error) {
	if len(path) > maxDepth {
		return nil, fmt.Errorf("%s: values nest more than %d levels deep", dotted(path[:3])+"…", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return nil, fmt.Errorf("%s is nil: leave the key out", dotted(path))
	case map[string]any:
		return normalizeTable(v, path)
	case time.Time, time.Duration, toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
		return v, nil
	case Secret:
		return v.Reveal(), nil
	case []byte:
		return string(v), nil
	}

	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.String:
		return rv.String(), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if rv.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%s does not fit into 64 bits with a sign", dotted(path))
		}
		return int64(rv.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.Slice, reflect.Array:
		list := make([]any, rv.Len())
		for i := range list {
			item, err := normalize(rv.Index(i).Interface(), at(path, fmt.Sprint(i)))
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			break
		}
		table := make(map[string]any, rv.Len())
		for iter := rv.MapRange(); iter.Next(); {
			key := iter.Key().String()
			value, err := normalize(iter.Value().Interface(), at(path, key))
			if err != nil {
				return nil, err
			}
			table[key] = value
		}
		return table, nil
	}
	return nil, fmt.Errorf("%s is a %T: give a string, number, boolean, time, duration, map or slice", dotted(path), v)
}

// at returns path with one more element, never sharing memory with it.
func at(path []string, key string) []string {
	return append(slices.Clip(path), key)
}
