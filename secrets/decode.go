package secrets

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Decode fills the struct that dst points to from the table at path, or from
// everything if there is no path.
//
// A field takes the key that its tag names, `toml:"username"`, in any case
// unless one matches exactly. Without a tag it takes the key of its own name
// with case, "_" and "-" disregarded: max_overflow for MaxOverflow. The tag "-"
// leaves a field out; embedded structs without a tag count as part of the outer
// one. Every other field must have its key, unless its tag says ",optional" (or
// ",omitempty" or ",omitzero", as a struct may have that is also written), and
// every key must have its field, unless the struct has a field
// map[string]any with ",remain", which takes the others.
//
// Fields may be strings, numbers, booleans, times, [Secret] and whatever else
// implements [encoding.TextUnmarshaler], structs, pointers, and slices and maps
// of these. Numbers must fit, strings may spell a number or boolean as for
// [Store.Int] and its like, and a [time.Duration] is a string such as "90s", as
// a bare number has no unit.
//
// The error is a [*MissingError] if there is nothing at path, a [*TypeError] if
// that is no table, and a [*DecodeError] that lists everything that is wrong
// inside. On an error dst stays as it was; keys that are not there leave their
// fields as they were.
func (s *Store) Decode(dst any, path ...string) error {
	target := reflect.ValueOf(dst)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("secrets: Decode needs a pointer to fill, not %T", dst)
	}
	now := s.current()
	v, err := now.get(path)
	if err != nil {
		return err
	}
	target = target.Elem()
	if _, ok := v.(map[string]any); !ok && target.Kind() == reflect.Struct {
		return &TypeError{Path: slices.Clone(path), Place: now.where(path), Got: describe(v), Want: "a table"}
	}

	d := &decoder{from: now, failed: DecodeError{Path: slices.Clone(path), Place: now.where(path)}}
	filled := reflect.New(target.Type()).Elem()
	filled.Set(target)
	d.value(filled, v, path)
	if d.failed.any() {
		return &d.failed
	}
	target.Set(filled)
	return nil
}

// A DecodeError lists everything that kept [Store.Decode] from filling a struct.
// It names keys and types, never values.
type DecodeError struct {
	Path    []string     // what was decoded
	Place   string       // what gave it, as [Store.Where] tells
	Missing [][]string   // required values that are not there
	Unknown [][]string   // keys without a field
	Wrong   []*TypeError // values of another type than their field

	nearest []string // per unknown key: the field that it may be a misspelling of
}

func (e *DecodeError) any() bool {
	return len(e.Missing)+len(e.Unknown)+len(e.Wrong) > 0
}

// Error lists all that is missing, unknown and of a wrong type.
func (e *DecodeError) Error() string {
	var parts []string
	for _, path := range e.Missing {
		parts = append(parts, "no "+dotted(path))
	}
	for i, path := range e.Unknown {
		part := "unknown key " + dotted(path)
		if i < len(e.nearest) && e.nearest[i] != "" {
			part += ", did you mean " + e.nearest[i] + "?"
		}
		parts = append(parts, part)
	}
	for _, wrong := range e.Wrong {
		parts = append(parts, strings.TrimPrefix(wrong.Error(), "secrets: "))
	}
	place := e.Place
	if place == "" {
		place = "an empty store"
	}
	return "secrets: " + dotted(e.Path) + " in " + place + ": " + strings.Join(parts, "; ")
}

// Unwrap returns the type errors.
func (e *DecodeError) Unwrap() []error {
	errs := make([]error, len(e.Wrong))
	for i, wrong := range e.Wrong {
		errs[i] = wrong
	}
	return errs
}

type decoder struct {
	from   *snapshot
	failed DecodeError
}

// value decodes v into dst, which is settable.
func (d *decoder) value(dst reflect.Value, v any, path []string) {
	switch {
	case dst.Kind() == reflect.Pointer:
		target := reflect.New(dst.Type().Elem())
		d.value(target.Elem(), v, path)
		dst.Set(target)
		return
	case dst.Type() == durationType:
		d.duration(dst, v, path)
		return
	case d.same(dst, v), d.text(dst, v, path):
		return
	}

	switch dst.Kind() {
	case reflect.Struct:
		table, ok := v.(map[string]any)
		if !ok {
			d.wrong(path, &TypeError{Got: describe(v), Want: "a table"})
			return
		}
		d.structure(dst, table, path)
	case reflect.Map:
		table, ok := v.(map[string]any)
		if !ok {
			d.wrong(path, &TypeError{Got: describe(v), Want: "a table"})
			return
		}
		d.table(dst, table, path)
	case reflect.Slice:
		d.slice(dst, v, path)
	case reflect.String:
		set(d, path, v, toString, func(text string) bool { dst.SetString(text); return true }, dst)
	case reflect.Bool:
		set(d, path, v, toBool, func(b bool) bool { dst.SetBool(b); return true }, dst)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		set(d, path, v, toInt64, func(n int64) bool {
			if dst.OverflowInt(n) {
				return false
			}
			dst.SetInt(n)
			return true
		}, dst)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		set(d, path, v, toInt64, func(n int64) bool {
			if n < 0 || dst.OverflowUint(uint64(n)) {
				return false
			}
			dst.SetUint(uint64(n))
			return true
		}, dst)
	case reflect.Float32, reflect.Float64:
		set(d, path, v, toFloat, func(x float64) bool {
			if dst.OverflowFloat(x) {
				return false
			}
			dst.SetFloat(x)
			return true
		}, dst)
	default:
		d.wrong(path, &TypeError{Got: describe(v), Want: "something for a field of type " + dst.Type().String()})
	}
}

var durationType = reflect.TypeFor[time.Duration]()

// set converts v and stores it, or notes why that does not go.
func set[T any](d *decoder, path []string, v any, convert func(any) (T, *TypeError), store func(T) bool, dst reflect.Value) {
	value, wrong := convert(v)
	if wrong == nil && !store(value) {
		wrong = &TypeError{Got: "a number out of range", Want: "one that fits " + dst.Type().String()}
	}
	if wrong != nil {
		d.wrong(path, wrong)
	}
}

func (d *decoder) wrong(path []string, wrong *TypeError) {
	wrong.Path = slices.Clone(path)
	// An element of a list has no place of its own.
	for n := len(path); n > 0 && wrong.Place == ""; n-- {
		wrong.Place = d.from.where(path[:n])
	}
	d.failed.Wrong = append(d.failed.Wrong, wrong)
}

// same stores v where its own type or any fits.
func (d *decoder) same(dst reflect.Value, v any) bool {
	if !reflect.TypeOf(v).AssignableTo(dst.Type()) {
		return false
	}
	dst.Set(reflect.ValueOf(clone(v)))
	return true
}

// text stores a string in a type that reads itself.
func (d *decoder) text(dst reflect.Value, v any, path []string) bool {
	reader, ok := reflect.TypeAssert[encoding.TextUnmarshaler](dst.Addr())
	if !ok {
		return false
	}
	text, ok := v.(string)
	if !ok {
		if dst.Kind() != reflect.Struct {
			return false // such as slog.Level, which is also a number
		}
		_, wrong := toString(v)
		d.wrong(path, wrong)
		return true
	}
	// The error is dropped: it is likely to quote the text.
	if err := reader.UnmarshalText([]byte(text)); err != nil {
		d.wrong(path, &TypeError{Got: "a string that it cannot read", Want: "a " + dst.Type().String()})
	}
	return true
}

func (d *decoder) duration(dst reflect.Value, v any, path []string) {
	wrong := &TypeError{Got: describe(v), Want: "a duration", Hint: `write a string with a unit, such as "90s" or "15m"`}
	switch v := v.(type) {
	case time.Duration:
		dst.SetInt(int64(v))
		return
	case string:
		if length, err := time.ParseDuration(strings.TrimSpace(v)); err == nil {
			dst.SetInt(int64(length))
			return
		}
		wrong.Got = "a string that spells no duration"
	}
	d.wrong(path, wrong)
}

func (d *decoder) slice(dst reflect.Value, v any, path []string) {
	if text, ok := v.(string); ok && dst.Type().Elem().Kind() == reflect.Uint8 {
		dst.SetBytes([]byte(text))
		return
	}
	list, ok := v.([]any)
	if !ok {
		d.wrong(path, &TypeError{Got: describe(v), Want: "a list"})
		return
	}
	filled := reflect.MakeSlice(dst.Type(), len(list), len(list))
	for i, item := range list {
		d.value(filled.Index(i), item, at(path, strconv.Itoa(i)))
	}
	dst.Set(filled)
}

func (d *decoder) table(dst reflect.Value, table map[string]any, path []string) {
	if dst.Type().Key().Kind() != reflect.String {
		d.wrong(path, &TypeError{Got: "a table", Want: "something for a field of type " + dst.Type().String()})
		return
	}
	filled := reflect.MakeMapWithSize(dst.Type(), len(table))
	for _, key := range slices.Sorted(maps.Keys(table)) {
		value := reflect.New(dst.Type().Elem()).Elem()
		d.value(value, table[key], at(path, key))
		filled.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), value)
	}
	dst.Set(filled)
}

// structure fills the fields of dst, and notes all that are missing and all keys
// that have none.
func (d *decoder) structure(dst reflect.Value, table map[string]any, path []string) {
	fields, err := fieldsOf(dst.Type())
	if err != nil {
		d.wrong(path, &TypeError{Got: "a table", Want: "something for " + dst.Type().String(), Hint: err.Error()})
		return
	}
	keys := slices.Sorted(maps.Keys(table))
	taken := match(fields, keys)

	var open []string // fields without a key
	var rest *field
	for i, f := range fields {
		switch key, ok := taken[i]; {
		case f.remain:
			rest = &fields[i]
		case ok:
			d.value(dst.FieldByIndex(f.index), table[key], at(path, key))
		default:
			open = append(open, f.name)
			if !f.optional {
				d.failed.Missing = append(d.failed.Missing, at(path, f.name))
			}
		}
	}

	known := make(map[string]bool, len(taken))
	for _, key := range taken {
		known[key] = true
	}
	remain := map[string]any{}
	for _, key := range keys {
		switch {
		case known[key]:
		case rest != nil:
			remain[key] = clone(table[key])
		default:
			near, _ := nearestOf(key, open)
			d.failed.Unknown = append(d.failed.Unknown, at(path, key))
			d.failed.nearest = append(d.failed.nearest, near)
		}
	}
	if rest != nil {
		dst.FieldByIndex(rest.index).Set(reflect.ValueOf(remain))
	}
}

// A field is one that Decode fills.
type field struct {
	name     string // of its key
	tagged   bool   // the name is from the tag
	optional bool
	remain   bool
	index    []int
}

// match gives each field its key, by the field's place in fields. Exact names go
// first, so that "URL" and "url" find their own when both are there.
func match(fields []field, keys []string) map[int]string {
	taken := make(map[int]string, len(fields))
	used := make(map[string]bool, len(fields))
	give := func(fits func(f field, key string) bool) {
		for i, f := range fields {
			if _, ok := taken[i]; ok || f.remain {
				continue
			}
			for _, key := range keys {
				if !used[key] && fits(f, key) {
					taken[i], used[key] = key, true
					break
				}
			}
		}
	}
	give(func(f field, key string) bool { return key == f.name })
	give(func(f field, key string) bool {
		return strings.EqualFold(key, f.name) || !f.tagged && plainKey(key) == plainKey(f.name)
	})
	return taken
}

// fieldsOf lists the fields of a struct, those of embedded structs after its own.
func fieldsOf(t reflect.Type) ([]field, error) {
	var fields []field
	named := map[string]bool{}
	type level struct {
		t     reflect.Type
		index []int
	}
	for todo := []level{{t: t}}; len(todo) > 0; todo = todo[1:] {
		here := todo[0]
		for i := range here.t.NumField() {
			sf := here.t.Field(i)
			name, options, _ := strings.Cut(sf.Tag.Get("toml"), ",")
			index := append(slices.Clone(here.index), i)
			if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
				todo = append(todo, level{sf.Type, index})
				continue
			}
			if !sf.IsExported() || name == "-" {
				continue
			}
			f := field{name: name, tagged: name != "", index: index}
			if !f.tagged {
				f.name = snakeCase(sf.Name)
			}
			for option := range strings.SplitSeq(options, ",") {
				switch option {
				case "optional", "omitempty", "omitzero":
					f.optional = true
				case "remain":
					f.remain = true
				}
			}
			if f.remain && sf.Type != reflect.TypeFor[map[string]any]() {
				return nil, errors.New("field " + sf.Name + ` with ",remain" must be a map[string]any`)
			}
			if named[f.name] && !f.remain {
				continue // hidden by the field of an outer struct, as in Go
			}
			named[f.name] = true
			fields = append(fields, f)
		}
	}
	return fields, nil
}

// snakeCase writes MaxOverflow as max_overflow, and DBURLPath as dburl_path.
func snakeCase(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
