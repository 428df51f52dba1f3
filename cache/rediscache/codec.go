package rediscache

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// codec writes values of one type as msgpack, and reads them again such that nothing is lost: what comes
// out of Redis is what was loaded, to the nil slice. Structs are arrays, since writer and reader have the
// same type; a value in an interface is written with its type. It is made once for each type.
type codec struct {
	typ    reflect.Type
	reason string // why values of the type cannot be written; "" if they can

	write func(w *writer, v reflect.Value)
	read  func(r *reader, v reflect.Value) // sets v, which is the zero value
}

var (
	codecs sync.Map // reflect.Type to *codec

	errDepth     = errors.New("it is nested too deeply, or contains itself")
	errTruncated = errors.New("it ends too early")
)

const maxDepth = 1000

type writer struct {
	b     []byte
	depth int
	err   error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// codecOf gives the codec of a type, which may have a reason not to be one.
func codecOf(t reflect.Type) *codec {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec)
	}
	b := builder{made: make(map[reflect.Type]*codec)}
	c := b.codec(t)
	if c.reason == "" {
		// Only now are all of them complete: types may contain each other. A reason may still come up in
		// one that is not, so that each gets its own.
		for _, inner := range b.made {
			if inner.reason != "" {
				c.reason = inner.reason
			}
		}
	}
	known, _ := codecs.LoadOrStore(t, c)
	return known.(*codec)
}

// encode writes the value that pointer points to, after what is in dst already.
func (c *codec) encode(dst []byte, pointer any) (b []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // of somebody's method
			err = fmt.Errorf("writing it panicked with a %T", r)
		}
	}()
	w := writer{b: dst}
	c.write(&w, reflect.ValueOf(pointer).Elem())
	return w.b, w.err
}

// decode reads b, all of it, into what pointer points to; if it fails, nothing changes there.
func (c *codec) decode(b []byte, pointer any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading it panicked with a %T", r)
		}
	}()
	v := reflect.New(c.typ).Elem()
	r := reader{b: b}
	c.read(&r, v)
	if r.err == nil && len(r.b) > 0 {
		r.err = errors.New("there is more than it should be")
	}
	if r.err == nil {
		reflect.ValueOf(pointer).Elem().Set(v)
	}
	return r.err
}

type builder struct {
	made map[reflect.Type]*codec
}

func (b *builder) codec(t reflect.Type) *codec {
	if c := b.made[t]; c != nil {
		return c // perhaps not complete yet
	}
	c := &codec{typ: t}
	b.made[t] = c
	b.build(c)
	return c
}

func (b *builder) build(c *codec) {
	t := c.typ
	if t == timeType {
		c.write, c.read = writeTime, readTime
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendBool(w.b, v.Bool()) }
		c.read = func(r *reader, v reflect.Value) { v.SetBool(take(r, msgp.ReadBoolBytes)) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendInt64(w.b, v.Int()) }
		c.read = readInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendUint64(w.b, v.Uint()) }
		c.read = readUint
	case reflect.Float32:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendFloat32(w.b, float32(v.Float())) }
		c.read = func(r *reader, v reflect.Value) { v.SetFloat(float64(take(r, msgp.ReadFloat32Bytes))) }
	case reflect.Float64:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendFloat64(w.b, v.Float()) }
		c.read = func(r *reader, v reflect.Value) { v.SetFloat(take(r, msgp.ReadFloat64Bytes)) }
	case reflect.Complex64, reflect.Complex128:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendComplex128(w.b, v.Complex()) }
		c.read = func(r *reader, v reflect.Value) { v.SetComplex(take(r, msgp.ReadComplex128Bytes)) }
	case reflect.String:
		c.write = func(w *writer, v reflect.Value) { w.b = msgp.AppendString(w.b, v.String()) }
		c.read = func(r *reader, v reflect.Value) { v.SetString(take(r, msgp.ReadStringBytes)) }
	case reflect.Slice:
		b.slice(c)
	case reflect.Array:
		b.array(c)
	case reflect.Map:
		b.mapOf(c)
	case reflect.Pointer:
		b.pointer(c)
	case reflect.Struct:
		b.structOf(c)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			c.reason = t.String() + " is an interface with methods"
			return
		}
		c.write, c.read = writeAny, readAny
	default:
		c.reason = "it holds a " + t.String()
	}
}

// take reads one thing, or fails.
func take[V any](r *reader, read func([]byte) (V, []byte, error)) (v V) {
	if r.err != nil {
		return v
	}
	v, rest, err := read(r.b)
	if err != nil {
		r.fail(err)
		return v
	}
	r.b = rest
	return v
}

func readInt(r *reader, v reflect.Value) {
	n := take(r, msgp.ReadInt64Bytes)
	if v.OverflowInt(n) {
		r.fail(errors.New("a number is too large"))
		return
	}
	v.SetInt(n)
}

func readUint(r *reader, v reflect.Value) {
	n := take(r, msgp.ReadUint64Bytes)
	if v.OverflowUint(n) {
		r.fail(errors.New("a number is too large"))
		return
	}
	v.SetUint(n)
}

// step goes into something that may contain itself.
func (w *writer) step(inside func()) {
	if w.err != nil {
		return
	}
	if w.depth++; w.depth > maxDepth {
		w.fail(errDepth)
		return
	}
	inside()
	w.depth--
}

// isNil reads a nil, if that is next.
func (r *reader) isNil() bool {
	if r.err == nil && len(r.b) > 0 && msgp.IsNil(r.b) {
		r.b = r.b[1:]
		return true
	}
	return false
}

// length reads the length of an array or map. Each element takes a byte at least, so that a wrong length
// does not ask for memory.
func (r *reader) length(read func([]byte) (uint32, []byte, error)) int {
	n := take(r, read)
	if r.err == nil && int64(n) > int64(len(r.b)) {
		r.fail(errTruncated)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (b *builder) slice(c *codec) {
	if c.typ.Elem().Kind() == reflect.Uint8 {
		c.write = func(w *writer, v reflect.Value) {
			if v.IsNil() {
				w.b = msgp.AppendNil(w.b)
				return
			}
			w.b = msgp.AppendBytes(w.b, v.Bytes())
		}
		c.read = func(r *reader, v reflect.Value) {
			if !r.isNil() {
				v.SetBytes(take(r, readBytes))
			}
		}
		return
	}
	elem := b.codec(c.typ.Elem())
	c.write = func(w *writer, v reflect.Value) {
		if v.IsNil() {
			w.b = msgp.AppendNil(w.b)
			return
		}
		w.step(func() {
			w.b = msgp.AppendArrayHeader(w.b, uint32(v.Len()))
			for i := range v.Len() {
				if elem.write(w, v.Index(i)); w.err != nil {
					return
				}
			}
		})
	}
	c.read = func(r *reader, v reflect.Value) {
		if r.isNil() {
			return
		}
		n := r.length(msgp.ReadArrayHeaderBytes)
		if r.err != nil {
			return
		}
		v.Set(reflect.MakeSlice(c.typ, n, n))
		for i := range n {
			if elem.read(r, v.Index(i)); r.err != nil {
				return
			}
		}
	}
}

// readBytes gives bytes of their own: what they are read from is not kept.
func readBytes(b []byte) ([]byte, []byte, error) { return msgp.ReadBytesBytes(b, []byte{}) }

func (b *builder) array(c *codec) {
	elem := b.codec(c.typ.Elem())
	n := c.typ.Len()
	c.write = func(w *writer, v reflect.Value) {
		for i := range n {
			if elem.write(w, v.Index(i)); w.err != nil {
				return
			}
		}
	}
	c.read = func(r *reader, v reflect.Value) {
		for i := range n {
			if elem.read(r, v.Index(i)); r.err != nil {
				return
			}
		}
	}
}

func (b *builder) mapOf(c *codec) {
	key, elem := b.codec(c.typ.Key()), b.codec(c.typ.Elem())
	c.write = func(w *writer, v reflect.Value) {
		if v.IsNil() {
			w.b = msgp.AppendNil(w.b)
			return
		}
		w.step(func() {
			w.b = msgp.AppendMapHeader(w.b, uint32(v.Len()))
			for iter := v.MapRange(); iter.Next() && w.err == nil; {
				key.write(w, iter.Key())
				elem.write(w, iter.Value())
			}
		})
	}
	c.read = func(r *reader, v reflect.Value) {
		if r.isNil() {
			return
		}
		n := r.length(msgp.ReadMapHeaderBytes)
		if r.err != nil {
			return
		}
		m := reflect.MakeMapWithSize(c.typ, n)
		for range n {
			k, e := reflect.New(key.typ).Elem(), reflect.New(elem.typ).Elem()
			key.read(r, k)
			if elem.read(r, e); r.err != nil {
				return
			}
			m.SetMapIndex(k, e)
		}
		v.Set(m)
	}
}

// pointer is for pointers: nil, or an array of one, since what is pointed to may be nil as well.
func (b *builder) pointer(c *codec) {
	elem := b.codec(c.typ.Elem())
	c.write = func(w *writer, v reflect.Value) {
		if v.IsNil() {
			w.b = msgp.AppendNil(w.b)
			return
		}
		w.step(func() {
			w.b = msgp.AppendArrayHeader(w.b, 1)
			elem.write(w, v.Elem())
		})
	}
	c.read = func(r *reader, v reflect.Value) {
		if r.isNil() {
			return
		}
		if n := r.length(msgp.ReadArrayHeaderBytes); r.err != nil || n != 1 {
			r.fail(errTruncated)
			return
		}
		v.Set(reflect.New(elem.typ))
		elem.read(r, v.Elem())
	}
}

// structOf is for structs that show all of themselves; the others have to write themselves.
func (b *builder) structOf(c *codec) {
	type field struct {
		index int
		codec *codec
	}
	var fields []field
	for i := range c.typ.NumField() {
		f := c.typ.Field(i)
		switch {
		case f.IsExported(), f.Anonymous && f.Type.Kind() == reflect.Struct:
			fields = append(fields, field{i, b.codec(f.Type)})
		case f.Type.Size() == 0: // a marker such as _ struct{}
		default:
			b.opaque(c, f.Name)
			return
		}
	}
	c.write = func(w *writer, v reflect.Value) {
		w.b = msgp.AppendArrayHeader(w.b, uint32(len(fields)))
		for i := range fields {
			if fields[i].codec.write(w, v.Field(fields[i].index)); w.err != nil {
				return
			}
		}
	}
	c.read = func(r *reader, v reflect.Value) {
		if n := r.length(msgp.ReadArrayHeaderBytes); r.err != nil || n != len(fields) {
			r.fail(errTruncated)
			return
		}
		for i := range fields {
			if fields[i].codec.read(r, v.Field(fields[i].index)); r.err != nil {
				return
			}
		}
	}
}

// opaque is for a struct with a field that only its own methods can read: decimals, addresses, big
// numbers. They write themselves, and are read again at once: a type that masks itself is not stored.
func (b *builder) opaque(c *codec, hidden string) {
	p := reflect.PointerTo(c.typ)
	var marshal func(any) ([]byte, error)
	var unmarshal func(any, []byte) error
	switch {
	case p.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) && p.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()):
		marshal = func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() }
		unmarshal = func(v any, b []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(b) }
	case p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		marshal = func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() }
		unmarshal = func(v any, b []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(b) }
	default:
		c.reason = fmt.Sprintf("the field %s of %v is not exported, and the type has no MarshalBinary or MarshalText with its counterpart", hidden, c.typ)
		return
	}
	c.write = func(w *writer, v reflect.Value) {
		original := reflect.New(c.typ)
		original.Elem().Set(v)
		text, err := marshal(original.Interface())
		if err != nil {
			w.fail(fmt.Errorf("a %v cannot be written", c.typ))
			return
		}
		again := reflect.New(c.typ)
		if unmarshal(again.Interface(), text) != nil || !same(original, again) {
			w.fail(fmt.Errorf("a %v is not what it says of itself", c.typ))
			return
		}
		w.b = msgp.AppendBytes(w.b, text)
	}
	c.read = func(r *reader, v reflect.Value) {
		text := take(r, readBytes)
		if r.err != nil {
			return
		}
		if err := unmarshal(v.Addr().Interface(), text); err != nil {
			r.fail(fmt.Errorf("a %v cannot be read", c.typ))
		}
	}
}

// same compares what two pointers of one type point to: deeply, or as their own method Equal or Cmp does.
func same(a, b reflect.Value) bool {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return true
	}
	for _, other := range []reflect.Value{b, b.Elem()} {
		for _, name := range []string{"Equal", "Cmp"} {
			m := a.MethodByName(name)
			if !m.IsValid() || m.Type().NumIn() != 1 || m.Type().NumOut() != 1 || m.Type().In(0) != other.Type() {
				continue
			}
			switch got := m.Call([]reflect.Value{other})[0]; got.Kind() {
			case reflect.Bool:
				return got.Bool()
			case reflect.Int:
				return got.Int() == 0
			}
		}
	}
	return false
}

var timeType = reflect.TypeFor[time.Time]()
