package cache

import (
	"reflect"
	"time"
)

// costOf estimates the memory that a stored value takes, in bytes, and tells whether that is at
// most limit. It stops looking where it is more.
func costOf[T any](p *plan, value *T, limit int64) (int64, bool) {
	m := meter{limit: limit}
	m.add(int64(p.typ.Size()))
	if p.measure != nil {
		p.measure(&m, reflect.ValueOf(value).Elem())
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

// measurer makes the measure of a type that is not inline. Of types that can be copied, unexported
// fields are looked at, too; what cannot be copied may be in use elsewhere.
func (b *planner) measurer(t reflect.Type, all bool) func(*meter, reflect.Value) {
	switch t.Kind() {
	case reflect.String:
		return func(m *meter, v reflect.Value) { m.add(int64(v.Len())) }
	case reflect.Pointer:
		if t == locationType {
			return func(*meter, reflect.Value) {} // shared by all times
		}
		size, elem := int64(t.Elem().Size()), b.plan(t.Elem())
		return func(m *meter, v reflect.Value) {
			if v.IsNil() || !m.step() {
				return
			}
			defer m.up()
			m.add(size)
			if elem.measure != nil {
				elem.measure(m, v.Elem())
			}
		}
	case reflect.Slice:
		size, elem := int64(t.Elem().Size()), b.plan(t.Elem())
		return func(m *meter, v reflect.Value) {
			if v.IsNil() || !m.step() {
				return
			}
			defer m.up()
			m.add(int64(v.Len()) * size)
			if elem.measure == nil {
				return
			}
			for i := range v.Len() {
				if elem.measure(m, v.Index(i)); m.full() {
					return
				}
			}
		}
	case reflect.Array:
		elem := b.plan(t.Elem())
		return func(m *meter, v reflect.Value) {
			for i := range v.Len() {
				if elem.measure(m, v.Index(i)); m.full() {
					return
				}
			}
		}
	case reflect.Map:
		return b.mapMeasurer(t)
	case reflect.Struct:
		return b.structMeasurer(t, all)
	case reflect.Interface:
		return measureInterface
	default: // channels, functions
		return func(*meter, reflect.Value) {}
	}
}

func (b *planner) structMeasurer(t reflect.Type, all bool) func(*meter, reflect.Value) {
	if t == timeType {
		return func(*meter, reflect.Value) {}
	}
	type field struct {
		index int
		plan  *plan
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if (all || f.IsExported()) && !isInline(f.Type) {
			fields = append(fields, field{i, b.plan(f.Type)})
		}
	}
	return func(m *meter, v reflect.Value) {
		for _, f := range fields {
			f.plan.measure(m, v.Field(f.index))
		}
	}
}

func (b *planner) mapMeasurer(t reflect.Type) func(*meter, reflect.Value) {
	key, elem := b.plan(t.Key()), b.plan(t.Elem())
	size := int64(t.Key().Size()+t.Elem().Size()) + mapEntry
	return func(m *meter, v reflect.Value) {
		if v.IsNil() || !m.step() {
			return
		}
		defer m.up()
		m.add(mapHeader + int64(v.Len())*size)
		if v.CanInterface() && t == mapOfAnyType {
			m.mapOfAny(v.Interface().(map[string]any))
			return
		}
		if key.measure == nil && elem.measure == nil {
			return
		}
		for iter := v.MapRange(); iter.Next() && !m.full(); {
			if key.measure != nil {
				key.measure(m, iter.Key())
			}
			if elem.measure != nil {
				elem.measure(m, iter.Value())
			}
		}
	}
}

func measureInterface(m *meter, v reflect.Value) {
	if v.IsNil() || !m.step() {
		return
	}
	defer m.up()
	if v.CanInterface() {
		m.any(v.Interface())
		return
	}
	measureInside(m, v.Elem())
}

// measureInside is for what is in an interface: a pointer, or a value with memory of its own.
func measureInside(m *meter, inside reflect.Value) {
	m.add(int64(inside.Type().Size()))
	if p := planOf(inside.Type()); p.measure != nil {
		p.measure(m, inside)
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
		measureInside(m, reflect.ValueOf(v))
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
