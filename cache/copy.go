package cache

import (
	"bytes"
	"math/big"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// copyOf copies what src points to. It fails if there is something in an interface that cannot
// be copied, or if there is no end to it.
func copyOf[T any](p *plan, src *T) (T, bool) {
	switch {
	case p.deepen == nil:
		return *src, true
	case p.flatSlice:
		dst := *src // stays on the stack
		cloneFlat(reflect.ValueOf(&dst).Elem(), reflect.ValueOf(src).Elem())
		return dst, true
	}
	work := &struct { // of which one allocation is made
		copier
		dst T
	}{copier: copier{left: maxCopySteps}, dst: *src}
	if p.deepen(&work.copier, unsafe.Pointer(&work.dst)); work.failed {
		var none T
		return none, false
	}
	return work.dst, true
}

// deepen makes what a pointer of a plan's type points to, which was assigned from the original, its deep
// copy. Until then, all that it refers to is the original's, and only read.
type deepen func(*copier, unsafe.Pointer)

const (
	maxCopyDepth = 1000
	maxCopySteps = 1 << 22 // copies of one value: what shares a lot with itself has no end, either
)

type copier struct {
	left   int
	depth  int
	failed bool
}

// step is called before going into a reference, and pairs with up if it allows to go on.
func (c *copier) step() bool {
	if c.left--; c.left < 0 || c.depth >= maxCopyDepth {
		c.failed = true
	}
	if c.failed {
		return false
	}
	c.depth++
	return true
}

func (c *copier) up() { c.depth-- }

// deepener makes the deepen of a type that is neither refused nor flat.
func (b *planner) deepener(t reflect.Type) deepen {
	if clone := cloneOf(t); clone != nil {
		return func(_ *copier, p unsafe.Pointer) { clone(reflect.NewAt(t, p).Elem()) }
	}
	if known := knownDeepener(t); known != nil {
		return known
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.pointerDeepener(t)
	case reflect.Slice:
		return b.sliceDeepener(t)
	case reflect.Array:
		return b.arrayDeepener(t)
	case reflect.Map:
		return b.mapDeepener(t)
	case reflect.Struct:
		return b.structDeepener(t)
	default: // an interface
		return func(c *copier, p unsafe.Pointer) { c.inside(reflect.NewAt(t, p).Elem()) }
	}
}

// knownDeepener is for types that rows are often made of: without reflection, and in one
// allocation each.
func knownDeepener(t reflect.Type) deepen {
	switch t {
	case reflect.TypeFor[[]byte]():
		return deepenSlice[byte]
	case reflect.TypeFor[[]string]():
		return deepenSlice[string]
	case reflect.TypeFor[[]int]():
		return deepenSlice[int]
	case reflect.TypeFor[[]int32]():
		return deepenSlice[int32]
	case reflect.TypeFor[[]int64]():
		return deepenSlice[int64]
	case reflect.TypeFor[[]float64]():
		return deepenSlice[float64]
	case reflect.TypeFor[*string]():
		return deepenPointer[string]
	case reflect.TypeFor[*bool]():
		return deepenPointer[bool]
	case reflect.TypeFor[*int]():
		return deepenPointer[int]
	case reflect.TypeFor[*int32]():
		return deepenPointer[int32]
	case reflect.TypeFor[*int64]():
		return deepenPointer[int64]
	case reflect.TypeFor[*float64]():
		return deepenPointer[float64]
	case reflect.TypeFor[*time.Time]():
		return deepenPointer[time.Time]
	case reflect.TypeFor[big.Int]():
		return func(_ *copier, p unsafe.Pointer) { n := (*big.Int)(p); *n = *new(big.Int).Set(n) }
	case reflect.TypeFor[big.Rat]():
		return func(_ *copier, p unsafe.Pointer) { n := (*big.Rat)(p); *n = *new(big.Rat).Set(n) }
	case reflect.TypeFor[big.Float]():
		return func(_ *copier, p unsafe.Pointer) { n := (*big.Float)(p); *n = *new(big.Float).Copy(n) }
	case reflect.TypeFor[any]():
		return func(c *copier, p unsafe.Pointer) { v := (*any)(p); *v = c.any(*v) }
	case mapOfAnyType:
		return func(c *copier, p unsafe.Pointer) { m := (*map[string]any)(p); *m = c.mapOfAny(*m) }
	case reflect.TypeFor[[]any]():
		return func(c *copier, p unsafe.Pointer) { s := (*[]any)(p); *s = c.sliceOfAny(*s) }
	default:
		return nil
	}
}

func deepenSlice[E any](_ *copier, p unsafe.Pointer) {
	s := (*[]E)(p)
	*s = slices.Clone(*s)
}

func deepenPointer[E any](_ *copier, p unsafe.Pointer) {
	if pointer := (**E)(p); *pointer != nil {
		pointee := **pointer
		*pointer = &pointee
	}
}

func (b *planner) pointerDeepener(t reflect.Type) deepen {
	elemType, elem := t.Elem(), b.plan(t.Elem())
	return func(c *copier, p unsafe.Pointer) {
		pointer := (*unsafe.Pointer)(p)
		if *pointer == nil || !c.step() {
			return
		}
		defer c.up()
		pointee := reflect.New(elemType)
		pointee.Elem().Set(reflect.NewAt(elemType, *pointer).Elem())
		*pointer = pointee.UnsafePointer()
		if elem.deepen != nil {
			elem.deepen(c, *pointer)
		}
	}
}

// cloneFlat sets dst to a new slice of src's elements.
func cloneFlat(dst, src reflect.Value) {
	n := src.Len()
	if n == 0 { // not nil, if src is not, and not the original's spare room
		dst.SetCap(0)
		return
	}
	dst.SetZero()
	dst.Grow(n) // unlike MakeSlice, this does not allocate the slice's header
	dst.SetLen(n)
	reflect.Copy(dst, src)
}

func (b *planner) sliceDeepener(t reflect.Type) deepen {
	elem, size := b.plan(t.Elem()), t.Elem().Size()
	return func(c *copier, p unsafe.Pointer) {
		header := (*[]byte)(p) // whatever its elements are
		if *header == nil || !c.step() {
			return
		}
		defer c.up()
		original := *header
		cloneFlat(reflect.NewAt(t, p).Elem(), reflect.NewAt(t, unsafe.Pointer(&original)).Elem())
		if elem.deepen != nil {
			c.each(elem, unsafe.Pointer(unsafe.SliceData(*header)), len(*header), size)
		}
	}
}

func (b *planner) arrayDeepener(t reflect.Type) deepen {
	elem, n, size := b.plan(t.Elem()), t.Len(), t.Elem().Size()
	return func(c *copier, p unsafe.Pointer) { c.each(elem, p, n, size) }
}

// each deepens n elements of a size, one after the other.
func (c *copier) each(elem *plan, first unsafe.Pointer, n int, size uintptr) {
	for i := range uintptr(n) {
		if elem.deepen(c, unsafe.Add(first, i*size)); c.failed {
			return
		}
	}
}

func (b *planner) mapDeepener(t reflect.Type) deepen {
	elem := b.plan(t.Elem())
	anyKeys := t.Key().Kind() == reflect.Interface
	return func(c *copier, p unsafe.Pointer) {
		m := reflect.NewAt(t, p).Elem()
		if m.IsNil() || !c.step() {
			return
		}
		defer c.up()
		copied := reflect.MakeMapWithSize(t, m.Len())
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem())
		for iter := m.MapRange(); iter.Next(); {
			key.SetIterKey(iter)
			if anyKeys && !key.IsNil() && !isFlat(key.Elem().Type()) {
				c.failed = true
			}
			value.Elem().SetIterValue(iter)
			if elem.deepen != nil {
				elem.deepen(c, value.UnsafePointer())
			}
			if c.failed {
				return
			}
			copied.SetMapIndex(key, value.Elem())
		}
		m.Set(copied)
	}
}

func (b *planner) structDeepener(t reflect.Type) deepen {
	type field struct {
		offset uintptr
		plan   *plan
	}
	var fields []field
	for f := range t.Fields() {
		if !f.IsExported() && !isEmbeddedStruct(f) {
			continue // flat, or the type would be refused
		}
		if p := b.plan(f.Type); !p.flat {
			fields = append(fields, field{f.Offset, p})
		}
	}
	return func(c *copier, p unsafe.Pointer) {
		for i := range fields {
			f := &fields[i]
			f.plan.deepen(c, unsafe.Add(p, f.offset))
		}
	}
}

// inside copies what is in an interface. What it holds directly cannot be changed, but what that refers
// to can.
func (c *copier) inside(v reflect.Value) {
	if v.IsNil() {
		return
	}
	if copied := c.any(v.Interface()); !c.failed {
		v.Set(reflect.ValueOf(copied))
	}
}

// any copies what JSON and drivers put into interfaces without reflection, and the rest with it.
func (c *copier) any(v any) any {
	switch v := v.(type) {
	case nil, string, bool, float64, int64, int, time.Time, error:
		return v
	case []byte:
		return bytes.Clone(v)
	case map[string]any:
		return c.mapOfAny(v)
	case []any:
		return c.sliceOfAny(v)
	}
	p := planOf(reflect.TypeOf(v))
	if p.reason != "" {
		c.failed = true
	}
	if p.deepen == nil || !c.step() {
		return v
	}
	defer c.up()
	copied := reflect.New(p.typ)
	copied.Elem().Set(reflect.ValueOf(v))
	p.deepen(c, copied.UnsafePointer())
	return copied.Elem().Interface()
}

func (c *copier) mapOfAny(m map[string]any) map[string]any {
	if m == nil || !c.step() {
		return nil
	}
	defer c.up()
	copied := make(map[string]any, len(m))
	for key, value := range m {
		if copied[key] = c.any(value); c.failed {
			return nil
		}
	}
	return copied
}

func (c *copier) sliceOfAny(s []any) []any {
	if s == nil || !c.step() {
		return nil
	}
	defer c.up()
	copied := make([]any, len(s))
	for i, value := range s {
		if copied[i] = c.any(value); c.failed {
			return nil
		}
	}
	return copied
}
