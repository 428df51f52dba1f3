package cache

import (
	"io"
	"math/big"
	"reflect"
	"sync"
)

// plan says how values of a type are copied and measured. It is made once for each type.
type plan struct {
	typ reflect.Type
	// pointer is the type of pointers to it: what hits know it by.
	pointer reflect.Type
	reason  string // why values of the type cannot be copied; "" if they can
	flat    bool   // assignment copies them
	inline  bool   // they take no memory outside themselves

	// flatSlice is for slices of flat elements, which rows are most often.
	flatSlice bool

	deepen  deepen  // nil for flat types
	measure measure // nil for inline types
}

var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	b := planner{made: make(map[reflect.Type]*plan)}
	p := b.plan(t)
	// Only now are all of them complete: types may contain each other.
	for t, p := range b.made {
		plans.LoadOrStore(t, p)
	}
	return p
}

type planner struct {
	made map[reflect.Type]*plan
}

func (b *planner) plan(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p := b.made[t]; p != nil {
		return p // perhaps not complete yet
	}
	p := &plan{typ: t, pointer: reflect.PointerTo(t)}
	b.made[t] = p
	p.reason = refusal(t, make(map[reflect.Type]bool))
	p.flat = p.reason == "" && isFlat(t)
	p.inline = isInline(t)
	if p.reason == "" && !p.flat {
		p.deepen = b.deepener(t)
		p.flatSlice = t.Kind() == reflect.Slice && cloneOf(t) == nil && isFlat(t.Elem())
	}
	if !p.inline {
		p.measure = b.measurer(t, p.reason == "")
	}
	return p
}

var errorType = reflect.TypeFor[error]()

// isInline reports whether values of the type hold no references at all.
func isInline(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || isInline(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if !isInline(field.Type) {
				return false
			}
		}
		return true
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface,
		reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	default:
		return true
	}
}

// isFlat reports whether assignment copies values of the type, which must not be refused.
func isFlat(t reflect.Type) bool {
	if isInline(t) {
		return true
	}
	if isBig(t) || cloneOf(t) != nil {
		return false
	}
	switch t.Kind() {
	case reflect.String:
		return true
	case reflect.Interface:
		return t == errorType
	case reflect.Array:
		return isFlat(t.Elem())
	case reflect.Struct:
		if isOpaque(t) {
			return true
		}
		for field := range t.Fields() {
			if !isFlat(field.Type) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// isOpaque reports whether the struct shows nothing of itself.
func isOpaque(t reflect.Type) bool {
	for f := range t.Fields() {
		if f.IsExported() || isEmbeddedStruct(f) {
			return false
		}
	}
	return true
}

// isEmbeddedStruct: its exported fields are fields of the struct around it, even if its own name is
// not exported.
func isEmbeddedStruct(f reflect.StructField) bool {
	return f.Anonymous && f.Type.Kind() == reflect.Struct && !isOpaque(f.Type)
}

// refusal says why values of the type cannot be copied, or "".
func refusal(t reflect.Type, seen map[reflect.Type]bool) string {
	if seen[t] {
		return ""
	}
	seen[t] = true
	if isLock(t) {
		return t.String() + " is a lock, or must not be copied"
	}
	if isBig(t) || cloneOf(t) != nil || t == errorType {
		return ""
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return "it holds a " + t.String()
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return refusal(t.Elem(), seen)
	case reflect.Map:
		if key := t.Key(); key.Kind() != reflect.Interface {
			if why := refusal(key, seen); why != "" {
				return why
			}
			if !isFlat(key) {
				return "the keys of " + t.String() + " hold references"
			}
		}
		return refusal(t.Elem(), seen)
	case reflect.Struct:
		return refusalOfStruct(t, seen)
	default:
		return ""
	}
}

func refusalOfStruct(t reflect.Type, seen map[reflect.Type]bool) string {
	opaque := isOpaque(t)
	if opaque && isHandle(t) {
		return t.String() + " is a handle that reads, writes or closes something"
	}
	for f := range t.Fields() {
		if f.IsExported() || isEmbeddedStruct(f) {
			if why := refusal(f.Type, seen); why != "" {
				return why
			}
			if !f.IsExported() && !isInline(f.Type) && cloneOf(f.Type) != nil {
				return "the Clone of " + f.Type.String() + " cannot be called where it is embedded, since its name is not exported"
			}
			continue
		}
		if why := refusalInside(f.Type); why != "" {
			return why
		}
		if !opaque && !isFlat(f.Type) {
			return "the field " + f.Name + " of " + t.String() + " is not exported, and holds references"
		}
	}
	return ""
}

// refusalInside looks into what is not exported, as far as assignment would copy it.
func refusalInside(t reflect.Type) string {
	switch {
	case isLock(t):
		return t.String() + " is a lock, or must not be copied"
	case t.Kind() == reflect.Chan, t.Kind() == reflect.Func, t.Kind() == reflect.UnsafePointer:
		return "it holds a " + t.String()
	case t.Kind() == reflect.Array:
		return refusalInside(t.Elem())
	case t.Kind() == reflect.Struct:
		for field := range t.Fields() {
			if why := refusalInside(field.Type); why != "" {
				return why
			}
		}
	}
	return ""
}

// isLock knows what go vet knows as "must not be copied".
func isLock(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[sync.Locker]())
}

func isHandle(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[io.Reader]()) ||
		p.Implements(reflect.TypeFor[io.Writer]()) ||
		p.Implements(reflect.TypeFor[io.Closer]())
}

func isBig(t reflect.Type) bool {
	return t == reflect.TypeFor[big.Int]() || t == reflect.TypeFor[big.Rat]() || t == reflect.TypeFor[big.Float]()
}

// cloneOf gives the type's own Clone, for values and for what they are pointers to, as a function
// that sets a value to its clone. It is nil if there is none.
func cloneOf(t reflect.Type) func(v reflect.Value) {
	if t.Kind() == reflect.Interface || t.PkgPath() == "" && t.Kind() != reflect.Pointer {
		return nil
	}
	if m, ok := t.MethodByName("Clone"); ok && m.Type.NumIn() == 1 && m.Type.NumOut() == 1 && m.Type.Out(0) == t {
		nilable := t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Slice
		return func(v reflect.Value) {
			if nilable && v.IsNil() {
				return
			}
			v.Set(m.Func.Call([]reflect.Value{v})[0])
		}
	}
	if t.Kind() == reflect.Pointer {
		return nil
	}
	// A method of the pointer, for a value that is stored as such.
	m, ok := reflect.PointerTo(t).MethodByName("Clone")
	if !ok || m.Type.NumIn() != 1 || m.Type.NumOut() != 1 {
		return nil
	}
	if out := m.Type.Out(0); out != t && out != reflect.PointerTo(t) {
		return nil
	}
	return func(v reflect.Value) {
		receiver := reflect.New(t) // the clone may keep it, and v is about to change
		receiver.Elem().Set(v)
		clone := m.Func.Call([]reflect.Value{receiver})[0]
		if clone.Kind() == reflect.Pointer && clone.Type() != t {
			if clone.IsNil() {
				v.SetZero()
				return
			}
			clone = clone.Elem()
		}
		v.Set(clone)
	}
}
