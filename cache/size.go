package cache

import (
	"reflect"
	"time"
	"unsafe"
)

// costOf estimates the memory that a stored value takes, in bytes, and tells whether that is at
// most limit. It stops looking where it is more.
func costOf[T any](p *plan, value *T, limit int64) (int64, bool) {
	m := meter{limit: limit}
	m.add(int64(p.typ.Size()))
	if p.measure != nil {
		p.measure(&m, unsafe.Pointer(value))
	}
	return m.bytes, m.bytes <= m.limit
}

// meter adds up bytes. What several pointers refer to is counted for each, as each gets a copy.
type meter struct {
	bytes, limit int64
	depth        int
}

func (m *meter) add(n int64) {
	if m.bytes += n; m.bytes < 0 {
		m.bytes = never
	}
}

// full reports whether there is no use in going on.
func (m *meter) full() bool { return m.bytes > m.limit }

// step is called before going into a reference, and pairs with up if it allows to go on.
func (m *meter) step() bool {
	if m.full() {
		return false
	}
	if m.depth++; m.depth > maxCopyDepth {
		m.bytes = m.limit + 1
		m.depth--
		return false
	}
	return true
}

func (m *meter) up() { m.depth-- }

// mapEntry is what a map takes for an entry besides its key and value, and mapHeader for itself.
const (
	mapHeader = 48
	mapEntry  = 16
)

var locationType = reflect.TypeFor[*time.Location]()

// measure adds up the memory outside of what a pointer of a plan's type points to.
type measure func(*meter, unsafe.Pointer)

// measurer makes the measure of a type that is not inline. Of types that can be copied, unexported
// fields are looked at, too; what cannot be copied may be in use elsewhere.
func (b *planner) measurer(t reflect.Type, all bool) measure {
	switch t.Kind() {
	case reflect.String:
		return func(m *meter, p unsafe.Pointer) { m.add(int64(len(*(*string)(p)))) }
	case reflect.Pointer:
		return b.pointerMeasurer(t)
	case reflect.Slice:
		elem, size := b.plan(t.Elem()), t.Elem().Size()
		return func(m *meter, p unsafe.Pointer) {
			header := *(*[]byte)(p) // whatever its elements are
			if header == nil || !m.step() {
				return
			}
			defer m.up()
			m.add(int64(len(header)) * int64(size))
			m.each(elem, unsafe.Pointer(unsafe.SliceData(header)), len(header), size)
		}
	case reflect.Array:
		elem, n, size := b.plan(t.Elem()), t.Len(), t.Elem().Size()
		return func(m *meter, p unsafe.Pointer) { m.each(elem, p, n, size) }
	case reflect.Map:
		return b.mapMeasurer(t)
	case reflect.Struct:
		return b.structMeasurer(t, all)
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return func(m *meter, p unsafe.Pointer) { m.any(*(*any)(p)) }
		}
		return func(m *meter, p unsafe.Pointer) {
			if v := reflect.NewAt(t, p).Elem(); !v.IsNil() {
				m.any(v.Interface())
			}
		}
	default: // channels, functions
		return func(*meter, unsafe.Pointer) {}
	}
}

// each measures n elements of a size, one after the other.
func (m *meter) each(elem *plan, first unsafe.Pointer, n int, size uintptr) {
	if elem.measure == nil {
		return
	}
	for i := range uintptr(n) {
		if elem.measure(m, unsafe.Add(first, i*size)); m.full() {
			return
		}
	}
}

func (b *planner) pointerMeasurer(t reflect.Type) measure {
	if t == locationType {
		return func(*meter, unsafe.Pointer) {} // shared by all times
	}
	elem, size := b.plan(t.Elem()), int64(t.Elem().Size())
	return func(m *meter, p unsafe.Pointer) {
		pointee := *(*unsafe.Pointer)(p)
		if pointee == nil || !m.step() {
			return
		}
		defer m.up()
		m.add(size)
		if elem.measure != nil {
			elem.measure(m, pointee)
		}
	}
}

func (b *planner) structMeasurer(t reflect.Type, all bool) measure {
	if t == timeType {
		return func(*meter, unsafe.Pointer) {}
	}
	type field struct {
		offset uintptr
		plan   *plan
	}
	var texts []uintptr // the offsets of what rows have most of
	var fields []field
	for f := range t.Fields() {
		switch {
		case !all && !f.IsExported() || isInline(f.Type):
		case f.Type.Kind() == reflect.String:
			texts = append(texts, f.Offset)
		default:
			fields = append(fields, field{f.Offset, b.plan(f.Type)})
		}
	}
	return func(m *meter, p unsafe.Pointer) {
		sum := int64(0)
		for _, offset := range texts {
			sum += int64(len(*(*string)(unsafe.Add(p, offset))))
		}
		m.add(sum)
		for i := range fields {
			fields[i].plan.measure(m, unsafe.Add(p, fields[i].offset))
		}
	}
}

func (b *planner) mapMeasurer(t reflect.Type) measure {
	key, elem := b.plan(t.Key()), b.plan(t.Elem())
	size := int64(t.Key().Size()+t.Elem().Size()) + mapEntry
	return func(m *meter, p unsafe.Pointer) {
		v := reflect.NewAt(t, p).Elem()
		if v.IsNil() || !m.step() {
			return
		}
		defer m.up()
		m.add(mapHeader + int64(v.Len())*size)
		if t == mapOfAnyType {
			m.mapOfAny(*(*map[string]any)(p))
			return
		}
		if key.measure == nil && elem.measure == nil {
			return
		}
		k, e := reflect.New(t.Key()), reflect.New(t.Elem())
		for iter := v.MapRange(); iter.Next() && !m.full(); {
			if key.measure != nil {
				k.Elem().SetIterKey(iter)
				key.measure(m, k.UnsafePointer())
			}
			if elem.measure != nil {
				e.Elem().SetIterValue(iter)
				elem.measure(m, e.UnsafePointer())
			}
		}
	}
}

// any measures what JSON and drivers put into interfaces without reflection.
func (m *meter) any(v any) {
	switch v := v.(type) {
	case nil, bool:
	case float64, int64, int:
		m.add(8)
	case string:
		m.add(16 + int64(len(v)))
	case []byte:
		m.add(24 + int64(len(v)))
	case time.Time:
		m.add(24)
	case map[string]any:
		if m.step() {
			m.add(mapHeader + int64(len(v))*(32+mapEntry))
			m.mapOfAny(v)
			m.up()
		}
	case []any:
		if m.step() {
			m.add(24 + int64(len(v))*16)
			for _, elem := range v {
				if m.any(elem); m.full() {
					break
				}
			}
			m.up()
		}
	default:
		m.inside(reflect.ValueOf(v))
	}
}

// inside measures what is in an interface: a pointer, or a value with memory of its own.
func (m *meter) inside(v reflect.Value) {
	m.add(int64(v.Type().Size()))
	if v.Kind() == reflect.Pointer {
		m.pointee(v)
		return
	}
	if p := planOf(v.Type()); p.measure != nil && m.step() {
		defer m.up()
		inside := reflect.New(v.Type())
		inside.Elem().Set(v)
		p.measure(m, inside.UnsafePointer())
	}
}

// pointee measures what a pointer in an interface points to, where it is.
func (m *meter) pointee(v reflect.Value) {
	if v.IsNil() || v.Type() == locationType || !m.step() {
		return
	}
	defer m.up()
	elem := v.Type().Elem()
	m.add(int64(elem.Size()))
	if p := planOf(elem); p.measure != nil {
		p.measure(m, v.UnsafePointer())
	}
}

func (m *meter) mapOfAny(v map[string]any) {
	for key, elem := range v {
		m.add(int64(len(key)))
		if m.any(elem); m.full() {
			return
		}
	}
}
