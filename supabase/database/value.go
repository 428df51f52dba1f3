package database

import (
	"bytes"
	"database/sql/driver"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is a Go value as Postgres reads it.
type value struct {
	text  string
	null  bool
	plain bool // a number or a boolean: needs no quotes anywhere
	array bool // an array literal, which stands unquoted in another
}

// jsonValue is what [JSON] gives.
type jsonValue struct {
	text string
	err  error
}

// JSON makes a value of a filter that is sent as JSON: for columns of JSON arrays and strings, which
// would be sent as Postgres arrays and plain text otherwise. Maps and structs need no JSON.
func JSON(v any) any {
	text, err := marshal(v)
	return jsonValue{text: string(text), err: err}
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, encodeError(v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encodeError names the type of what cannot be sent. What the encoder says of it is left out
// where that repeats the value itself.
func encodeError(v any, err error) error {
	if unsupported, ok := errors.AsType[*json.UnsupportedTypeError](err); ok {
		return invalid("a value of type %T cannot be encoded: it holds a %s", v, unsupported.Type)
	}
	return &queryError{text: "a value of type " + reflect.TypeOf(v).String() + " cannot be encoded", cause: err}
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	valuer        = reflect.TypeFor[driver.Valuer]()
)

const maxDepth = 32 // of pointers, valuers and slices within each other

// encode writes v by Postgres' grammar.
func encode(v any) (value, error) { return encodeAt(v, 0) }

func encodeAt(v any, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, invalid("a value of type %T cannot be encoded: it is nested too deeply", v)
	}
	switch x := v.(type) {
	case nil:
		return value{null: true}, nil
	case string:
		return encodeText(x)
	case int:
		return value{text: strconv.Itoa(x), plain: true}, nil
	case bool:
		return value{text: strconv.FormatBool(x), plain: true}, nil
	case time.Time:
		text, err := x.MarshalText() // refuses years that RFC 3339 cannot write
		if err != nil {
			return value{}, invalid("a time.Time cannot be encoded: its year or zone is out of range")
		}
		return value{text: string(text)}, nil
	case time.Duration:
		return value{}, invalid("a time.Duration cannot be encoded: pass a number, or the text of an interval")
	case jsonValue:
		if x.err != nil {
			return value{}, x.err
		}
		return encodeText(x.text)
	case json.RawMessage:
		if x == nil {
			return value{null: true}, nil
		}
		if !json.Valid(x) {
			return value{}, invalid("a json.RawMessage cannot be encoded: it is not JSON")
		}
		return encodeText(string(x))
	case json.Number:
		if _, err := strconv.ParseFloat(string(x), 64); err != nil && !errors.Is(err, strconv.ErrRange) || !json.Valid([]byte(x)) {
			return value{}, invalid("a json.Number cannot be encoded: it is not a number")
		}
		return value{text: string(x), plain: true}, nil
	}
	rv := reflect.ValueOf(v)
	if k := rv.Kind(); (k == reflect.Pointer || k == reflect.Interface) && rv.IsNil() {
		return value{null: true}, nil
	}
	switch x := v.(type) {
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return value{}, &queryError{text: "a value of type " + rv.Type().String() + " cannot be encoded", cause: err}
		}
		return encodeText(string(text))
	case driver.Valuer:
		inner, err := x.Value()
		if err != nil {
			return value{}, &queryError{text: "a value of type " + rv.Type().String() + " cannot be encoded", cause: err}
		}
		return encodeAt(inner, depth+1)
	}
	return encodeKind(rv, depth)
}

func encodeText(s string) (value, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return value{}, invalid("a text with a NUL byte cannot be encoded: Postgres holds none")
	}
	if !utf8.ValidString(s) {
		return value{}, invalid("a text that is not UTF-8 cannot be encoded: pass []byte for a bytea")
	}
	return value{text: s}, nil
}

func encodeKind(rv reflect.Value, depth int) (value, error) {
	switch rv.Kind() {
	case reflect.Bool:
		return value{text: strconv.FormatBool(rv.Bool()), plain: true}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return value{text: strconv.FormatInt(rv.Int(), 10), plain: true}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return value{text: strconv.FormatUint(rv.Uint(), 10), plain: true}, nil
	case reflect.Float32, reflect.Float64:
		return value{text: formatFloat(rv.Float(), rv.Type().Bits()), plain: true}, nil
	case reflect.String:
		return encodeText(rv.String())
	case reflect.Pointer:
		return encodeAt(rv.Elem().Interface(), depth+1)
	case reflect.Slice, reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, rv.Len())
			for i := range b {
				b[i] = byte(rv.Index(i).Uint())
			}
			return value{text: `\x` + hex.EncodeToString(b)}, nil
		}
		text, err := appendArray(nil, rv, depth+1)
		return value{text: string(text), array: true}, err
	case reflect.Map, reflect.Struct:
		if pointer := reflect.PointerTo(rv.Type()); pointer.Implements(textMarshaler) || pointer.Implements(valuer) {
			p := reflect.New(rv.Type()) // a method of the pointer, as big.Int has
			p.Elem().Set(rv)
			return encodeAt(p.Interface(), depth+1)
		}
		text, err := marshal(rv.Interface())
		if err != nil {
			return value{}, err
		}
		return encodeText(string(text))
	}
	return value{}, invalid("a value of type %s cannot be encoded", rv.Type())
}

// formatFloat writes no exponent where integer columns could read the number without one.
func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f != 0 && (math.Abs(f) < 1e-6 || math.Abs(f) >= 1e21):
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// appendArray writes a Postgres array literal.
func appendArray(dst []byte, rv reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i := range rv.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		v, err := encodeAt(rv.Index(i).Interface(), depth)
		if err != nil {
			return nil, err
		}
		switch {
		case v.null:
			dst = append(dst, "NULL"...)
		case v.plain || v.array:
			dst = append(dst, v.text...)
		default:
			dst = appendElement(dst, v.text)
		}
	}
	return append(dst, '}'), nil
}

// appendElement writes a text as an element of an array, in quotes unless it needs none.
func appendElement(dst []byte, s string) []byte {
	if s != "" && !strings.EqualFold(s, "null") && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return append(dst, s...)
	}
	return append(dst, quote(s)...)
}

// elements gives the elements of a slice or an array that would be written as an array.
func elements(v any) ([]any, bool) {
	switch v.(type) {
	case nil, encoding.TextMarshaler, driver.Valuer, json.RawMessage:
		return nil, false
	}
	rv := reflect.ValueOf(v)
	if k := rv.Kind(); k != reflect.Slice && k != reflect.Array || rv.Type().Elem().Kind() == reflect.Uint8 {
		return nil, false
	}
	elems := make([]any, rv.Len())
	for i := range elems {
		elems[i] = rv.Index(i).Interface()
	}
	return elems, true
}
