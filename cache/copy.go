package cache

import (
	"bytes"
	"math/big"
	"reflect"
	"slices"
	"time"
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
	if p.deepen(&work.copier, reflect.ValueOf(&work.dst).Elem(), reflect.ValueOf(src).Elem()); work.failed {
		var none T
		return none, false
	}
	return work.dst, true
}

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
func (b *planner) deepener(t reflect.Type) func(*copier, reflect.Value, reflect.Value) {
	if clone := cloneOf(t); clone != nil {
		return func(_ *copier, dst, src reflect.Value) { clone(dst, src) }
	}
	if isBig(t) {
		return deepenBig
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
		elem := b.plan(t.Elem())
		return func(c *copier, dst, src reflect.Value) {
			for i := range src.Len() {
				elem.deepen(c, dst.Index(i), src.Index(i))
			}
		}
	case reflect.Map:
		return b.mapDeepener(t)
	case reflect.Struct:
		return b.structDeepener(t)
	default: // an interface
		return deepenInterface
	}
}

// knownDeepener is for types that rows are often made of: without reflection, and in one
// allocation each.
func knownDeepener(t reflect.Type) func(c *copier, dst, src reflect.Value) {
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
	case mapOfAnyType:
		return func(c *copier, dst, _ reflect.Value) {
			p := dst.Addr().Interface().(*map[string]any)
			*p = c.mapOfAny(*p)
		}
	case reflect.TypeFor[[]any]():
		return func(c *copier, dst, _ reflect.Value) {
			p := dst.Addr().Interface().(*[]any)
			*p = c.sliceOfAny(*p)
		}
	default:
		return nil
	}
}

func deepenSlice[E any](_ *copier, dst, _ reflect.Value) {
	p := dst.Addr().Interface().(*[]E)
	*p = slices.Clone(*p)
}

func deepenPointer[E any](_ *copier, dst, _ reflect.Value) {
	if p := dst.Addr().Interface().(**E); *p != nil {
		pointee := **p
		*p = &pointee
	}
}

func deepenBig(_ *copier, dst, _ reflect.Value) {
	// dst shares its digits with the original, which is only read here.
	switch n := dst.Addr().Interface().(type) {
	case *big.Int:
		*n = *new(big.Int).Set(n)
	case *big.Rat:
		*n = *new(big.Rat).Set(n)
	case *big.Float:
		*n = *new(big.Float).Copy(n)
	}
}

func (b *planner) pointerDeepener(t reflect.Type) func(*copier, reflect.Value, reflect.Value) {
	elemType, elem := t.Elem(), b.plan(t.Elem())
	return func(c *copier, dst, src reflect.Value) {
		if src.IsNil() || !c.step() {
			return
		}
		defer c.up()
		pointee, original := reflect.New(elemType), src.Elem()
		pointee.Elem().Set(original)
		if elem.deepen != nil {
			elem.deepen(c, pointee.Elem(), original)
		}
		dst.Set(pointee)
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

func (b *planner) sliceDeepener(t reflect.Type) func(*copier, reflect.Value, reflect.Value) {
	elem := b.plan(t.Elem())
	return func(c *copier, dst, src reflect.Value) {
		if src.IsNil() || !c.step() {
			return
		}
		defer c.up()
		cloneFlat(dst, src)
		if elem.deepen == nil {
			return
		}
		for i := range src.Len() {
			if elem.deepen(c, dst.Index(i), src.Index(i)); c.failed {
				return
			}
		}
	}
}

func (b *planner) mapDeepener(t reflect.Type) func(*copier, reflect.Value, reflect.Value) {
	elemType, elem := t.Elem(), b.plan(t.Elem())
	anyKeys := t.Key().Kind() == reflect.Interface
	return func(c *copier, dst, src reflect.Value) {
		if src.IsNil() || !c.step() {
			return
		}
		defer c.up()
		m := reflect.MakeMapWithSize(t, src.Len())
		for iter := src.MapRange(); iter.Next(); {
			key, value := iter.Key(), iter.Value()
			if anyKeys && !key.IsNil() && !isFlat(key.Elem().Type()) {
				c.failed = true
			}
			if elem.deepen != nil {
				copied := reflect.New(elemType).Elem()
				copied.Set(value)
				elem.deepen(c, copied, value)
				value = copied
			}
			if c.failed {
				return
			}
			m.SetMapIndex(key, value)
		}
		dst.Set(m)
	}
}

func (b *planner) structDeepener(t reflect.Type) func(*copier, reflect.Value, reflect.Value) {
	type field struct {
		index int
		plan  *plan
		known func(*copier, reflect.Value, reflect.Value) // which look at dst alone
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !isEmbeddedStruct(f) {
			continue // flat, or the type would be refused
		}
		if p := b.plan(f.Type); !p.flat {
			fields = append(fields, field{i, p, knownDeepener(f.Type)})
		}
	}
	return func(c *copier, dst, src reflect.Value) {
		for i := range fields {
			f := &fields[i]
			if f.known != nil {
				f.known(c, dst.Field(f.index), reflect.Value{})
				continue
			}
			f.plan.deepen(c, dst.Field(f.index), src.Field(f.index))
		}
	}
}

// deepenInterface copies what is in an interface. What it holds directly cannot be changed, but
// what that refers to can.
func deepenInterface(c *copier, dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	if copied := c.any(src.Interface()); !c.failed {
		dst.Set(reflect.ValueOf(copied))
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
	src := reflect.ValueOf(v)
	dst := reflect.New(p.typ).Elem()
	dst.Set(src)
	p.deepen(c, dst, src)
	return dst.Interface()
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
