package cache

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// The first byte of an encoded value. Values of predeclared types follow theirs directly; all
// others follow tagTyped and the number of their type, which says how to read them.
const (
	tagNoText byte = iota // begins the arguments of a Key without a text
	tagNil
	tagFalse
	tagTrue
	tagString
	tagInt
	tagInt8
	tagInt16
	tagInt32
	tagInt64
	tagUint
	tagUint8
	tagUint16
	tagUint32
	tagUint64
	tagFloat32
	tagFloat64
	tagBytes
	tagNilBytes
	tagTime
	tagNamedArg
	tagTyped
)

const (
	maxArgDepth = 100     // ends cycles
	maxArgBytes = 4 << 20 // ends what is no cycle but grows like one
)

// AppendArg appends the encoding of v to dst: one that can be decoded, so that two values have one
// encoding only if they are equal and of one type. int 1, int64 1, "1", 1.0 and true differ,
// and so do types of one name from different places. Numbers are compared by their bits, times by
// their instant and zone, pointers by what they point to, maps without regard to order, nil and
// empty slices and maps differ.
//
// Encoded are values of all kinds but functions, channels and unsafe pointers; of structs, all
// fields, which must be exported. [sql.NamedArg] is known; a [driver.Valuer] counts as the value it
// gives, and its type. Other structs with unexported fields must be an [encoding.TextMarshaler] whose
// text, unmarshalled, gives an equal value: a type that masks itself does not.
//
// For anything else, for cycles, for what is nested deeper than 100 levels, and when the encoding
// is longer than 4 MiB, AppendArg gives false, and dst as it was. Encodings are of this
// process: they must not be stored elsewhere.
func AppendArg(dst []byte, v any) ([]byte, bool) {
	// The first two are all that most programs need. They are not recursive, so that the compiler
	// can see that dst goes nowhere else, and callers can have it on their stacks.
	if out, ok := appendScalar(dst, v); ok {
		return out, true
	}
	if out, ok := appendScalars(dst, v); ok {
		return out, true
	}
	e := encoders.Get().(*encoder)
	ok := e.any(v)
	if ok {
		dst = append(dst, e.buf...)
	}
	if cap(e.buf) <= maxPooledBytes {
		e.buf, e.depth = e.buf[:0], 0
		encoders.Put(e)
	}
	return dst, ok
}

// appendScalar encodes a value of a predeclared type, together with the type.
func appendScalar(dst []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, tagNil), true
	case string:
		return appendString(append(dst, tagString), v), true
	case int:
		return binary.AppendVarint(append(dst, tagInt), int64(v)), true
	case int64:
		return binary.AppendVarint(append(dst, tagInt64), v), true
	case bool:
		if v {
			return append(dst, tagTrue), true
		}
		return append(dst, tagFalse), true
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, tagFloat64), math.Float64bits(v)), true
	case time.Time:
		return appendTime(append(dst, tagTime), v), true
	case []byte:
		if v == nil {
			return append(dst, tagNilBytes), true
		}
		return appendBytes(append(dst, tagBytes), v), true
	case int32:
		return binary.AppendVarint(append(dst, tagInt32), int64(v)), true
	case int16:
		return binary.AppendVarint(append(dst, tagInt16), int64(v)), true
	case int8:
		return binary.AppendVarint(append(dst, tagInt8), int64(v)), true
	case uint:
		return binary.AppendUvarint(append(dst, tagUint), uint64(v)), true
	case uint64:
		return binary.AppendUvarint(append(dst, tagUint64), v), true
	case uint32:
		return binary.AppendUvarint(append(dst, tagUint32), uint64(v)), true
	case uint16:
		return binary.AppendUvarint(append(dst, tagUint16), uint64(v)), true
	case uint8:
		return append(dst, tagUint8, v), true
	case float32:
		return binary.BigEndian.AppendUint32(append(dst, tagFloat32), math.Float32bits(v)), true
	default:
		return dst, false
	}
}

// appendScalars encodes what parameters come in, if they are scalars: named ones, and maps of them. It
// writes the same as the encoder does.
func appendScalars(dst []byte, v any) ([]byte, bool) {
	if arg, ok := v.(sql.NamedArg); ok {
		return appendScalar(appendString(append(dst, tagNamedArg), arg.Name), arg.Value)
	}
	m, ok := v.(map[string]any)
	info := mapOfAnyInfo
	if !ok {
		if info = argTypeOf(reflect.TypeOf(v)); info.form != formMapOfAny {
			return dst, false
		}
		m = reflect.ValueOf(v).Convert(mapOfAnyType).Interface().(map[string]any)
	}
	dst = binary.AppendUvarint(append(dst, tagTyped), info.id)
	if m == nil {
		return append(dst, 0), true
	}
	dst = binary.AppendUvarint(dst, uint64(len(m))+1)
	var room [8]named
	for _, e := range sorted(room[:0], m) {
		if dst, ok = appendScalar(appendString(dst, e.name), e.value); !ok {
			return dst, false
		}
	}
	return dst, true
}

// named is an entry of a map.
type named struct {
	name  string
	value any
}

// sorted appends the entries in the order of their names.
func sorted(entries []named, m map[string]any) []named {
	for name, value := range m {
		entries = append(entries, named{name, value})
	}
	if len(entries) == 2 { // not worth a call
		if entries[1].name < entries[0].name {
			entries[0], entries[1] = entries[1], entries[0]
		}
		return entries
	}
	slices.SortFunc(entries, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return entries
}

// encoder encodes values of all kinds into a buffer of its own.
type encoder struct {
	buf   []byte
	depth int
}

const maxPooledBytes = 64 << 10

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// any encodes a value together with its type.
func (e *encoder) any(v any) (ok bool) {
	if e.buf, ok = appendScalar(e.buf, v); ok {
		return true
	}
	if arg, ok := v.(sql.NamedArg); ok {
		e.buf = appendString(append(e.buf, tagNamedArg), arg.Name)
		return e.any(arg.Value)
	}
	value := reflect.ValueOf(v)
	info := argTypeOf(value.Type())
	e.buf = binary.AppendUvarint(append(e.buf, tagTyped), info.id)
	return e.typed(value, info)
}

// typed encodes a value whose type the reader knows.
func (e *encoder) typed(v reflect.Value, info *argType) bool {
	if info.form == formInterface { // no level of its own
		if v.IsNil() {
			e.buf = append(e.buf, tagNil)
			return true
		}
		return e.any(v.Interface())
	}
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > maxArgDepth || len(e.buf) > maxArgBytes {
		return false
	}
	switch info.form {
	case formBool:
		b := byte(0)
		if v.Bool() {
			b = 1
		}
		e.buf = append(e.buf, b)
	case formInt:
		e.buf = binary.AppendVarint(e.buf, v.Int())
	case formUint:
		e.buf = binary.AppendUvarint(e.buf, v.Uint())
	case formFloat:
		e.buf = binary.BigEndian.AppendUint64(e.buf, math.Float64bits(v.Float()))
	case formFloat32:
		e.buf = binary.BigEndian.AppendUint32(e.buf, math.Float32bits(float32(v.Float())))
	case formComplex:
		e.buf = binary.BigEndian.AppendUint64(e.buf, math.Float64bits(real(v.Complex())))
		e.buf = binary.BigEndian.AppendUint64(e.buf, math.Float64bits(imag(v.Complex())))
	case formString:
		e.buf = appendString(e.buf, v.String())
	case formTime:
		e.buf = appendTime(e.buf, v.Interface().(time.Time))
	case formBytes:
		if e.present(v) {
			e.buf = append(e.buf, v.Bytes()...)
		}
	case formSlice:
		return !e.present(v) || e.elems(v)
	case formArray:
		return e.elems(v)
	case formPointer:
		if v.IsNil() {
			e.buf = append(e.buf, 0)
			return true
		}
		e.buf = append(e.buf, 1)
		return e.typed(v.Elem(), argTypeOf(v.Type().Elem()))
	case formMapOfAny:
		return !e.present(v) || e.mapOfAny(v.Convert(mapOfAnyType).Interface().(map[string]any))
	case formMap:
		return !e.present(v) || e.mapOf(v)
	case formStruct:
		for _, i := range info.fields {
			if !e.typed(v.Field(i), argTypeOf(v.Type().Field(i).Type)) {
				return false
			}
		}
	case formValuer:
		return e.valuer(v)
	case formText:
		return e.text(v)
	default:
		return false
	}
	return true
}

// present writes the length of a slice or map, or that it is nil, which it reports.
func (e *encoder) present(v reflect.Value) bool {
	if v.IsNil() {
		e.buf = append(e.buf, 0)
		return false
	}
	e.buf = binary.AppendUvarint(e.buf, uint64(v.Len())+1)
	return true
}

func (e *encoder) elems(v reflect.Value) bool {
	if v.Len() > maxArgBytes { // of no size each, they would not end
		return false
	}
	info := argTypeOf(v.Type().Elem())
	for i := range v.Len() {
		if !e.typed(v.Index(i), info) {
			return false
		}
	}
	return true
}

// mapOfAny writes the entries in the order of their names.
func (e *encoder) mapOfAny(m map[string]any) bool {
	for _, entry := range sorted(nil, m) {
		e.buf = appendString(e.buf, entry.name)
		if !e.any(entry.value) {
			return false
		}
	}
	return true
}

// mapOf writes the entries in the order of their encodings.
func (e *encoder) mapOf(m reflect.Value) bool {
	keyInfo, elemInfo := argTypeOf(m.Type().Key()), argTypeOf(m.Type().Elem())
	begin := len(e.buf)
	entries := make([]string, 0, m.Len())
	for iter := m.MapRange(); iter.Next(); {
		at := len(e.buf)
		if !e.typed(iter.Key(), keyInfo) || !e.typed(iter.Value(), elemInfo) {
			return false
		}
		entries = append(entries, string(e.buf[at:]))
	}
	slices.Sort(entries)
	e.buf = e.buf[:begin]
	for _, entry := range entries {
		e.buf = append(e.buf, entry...)
	}
	return true
}

// valuer writes what a driver.Valuer gives. A nil pointer is not asked: most would panic.
func (e *encoder) valuer(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		e.buf = append(e.buf, 0)
		return true
	}
	value, err := v.Interface().(driver.Valuer).Value()
	if err != nil {
		return false
	}
	e.buf = append(e.buf, 1)
	return e.any(value)
}

// text writes the text of an opaque value, provided that the text is all there is to it.
func (e *encoder) text(v reflect.Value) bool {
	original := reflect.New(v.Type())
	original.Elem().Set(v)
	text, err := original.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return false
	}
	again := reflect.New(v.Type())
	if again.Interface().(encoding.TextUnmarshaler).UnmarshalText(text) != nil || !sameValue(original, again) {
		return false
	}
	e.buf = appendBytes(e.buf, text)
	return true
}

// sameValue compares what two pointers of one type point to: deeply, or as their own method
// Equal or Cmp does, for values that have several forms.
func sameValue(a, b reflect.Value) bool {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return true
	}
	for _, other := range []reflect.Value{b, b.Elem()} {
		takesOther := func(method reflect.Value) bool {
			if !method.IsValid() {
				return false
			}
			t := method.Type()
			return t.NumIn() == 1 && t.NumOut() == 1 && t.In(0) == other.Type()
		}
		if m := a.MethodByName("Equal"); takesOther(m) && m.Type().Out(0).Kind() == reflect.Bool {
			return m.Call([]reflect.Value{other})[0].Bool()
		}
		if m := a.MethodByName("Cmp"); takesOther(m) && m.Type().Out(0).Kind() == reflect.Int {
			return m.Call([]reflect.Value{other})[0].Int() == 0
		}
	}
	return false
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendTime writes the instant and the zone: the location's name, and what it means then.
func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.AppendVarint(dst, t.Unix())
	dst = binary.AppendUvarint(dst, uint64(t.Nanosecond()))
	zone, offset := t.Zone()
	dst = appendString(dst, t.Location().String())
	dst = appendString(dst, zone)
	return binary.AppendVarint(dst, int64(offset))
}
