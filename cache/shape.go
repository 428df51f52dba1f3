package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"reflect"
	"sync"
	"sync/atomic"
)

// shape stands for a type in all processes: a hash of its package path, name and structure.
type shape struct {
	sum    [sha256.Size]byte
	shared atomic.Bool // by another type of this process: it then stands for neither
}

var (
	shapes      sync.Map // reflect.Type to *shape
	shapeOwners sync.Map // [sha256.Size]byte to *shape: of the first type that has it
)

// shapeOf fails for a type that cannot be told from another one of this process.
func shapeOf(t reflect.Type) ([sha256.Size]byte, bool) {
	known, ok := shapes.Load(t)
	if !ok {
		d := describer{named: make(map[reflect.Type]int)}
		d.describe(t)
		made := &shape{sum: sha256.Sum256(d.text)}
		var claimed bool
		if known, claimed = shapes.LoadOrStore(t, made); !claimed {
			if first, taken := shapeOwners.LoadOrStore(made.sum, made); taken {
				made.shared.Store(true)
				first.(*shape).shared.Store(true)
			}
		}
	}
	s := known.(*shape)
	return s.sum, !s.shared.Load()
}

// describer writes a type down such that two types have one text only if they have one structure,
// and the names of all types in them are the same.
type describer struct {
	text  []byte
	named map[reflect.Type]int // in the order of their first appearance: types may contain themselves
}

func (d *describer) string(s string) {
	d.text = append(binary.AppendUvarint(d.text, uint64(len(s))), s...)
}

func (d *describer) number(n int) { d.text = binary.AppendUvarint(d.text, uint64(n)) }

func (d *describer) describe(t reflect.Type) {
	d.text = append(d.text, byte(t.Kind()))
	d.string(t.PkgPath())
	d.string(t.Name())
	if t.Name() != "" {
		if n, seen := d.named[t]; seen {
			d.number(n)
			return
		}
		d.named[t] = len(d.named) + 1
		d.number(0)
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		d.describe(t.Elem())
	case reflect.Array:
		d.number(t.Len())
		d.describe(t.Elem())
	case reflect.Map:
		d.describe(t.Key())
		d.describe(t.Elem())
	case reflect.Chan:
		d.number(int(t.ChanDir()))
		d.describe(t.Elem())
	case reflect.Struct:
		d.number(t.NumField())
		for f := range t.Fields() {
			d.string(f.Name)
			d.string(f.PkgPath)
			d.string(string(f.Tag))
			d.bool(f.Anonymous)
			d.describe(f.Type)
		}
	case reflect.Interface:
		d.number(t.NumMethod())
		for m := range t.Methods() {
			d.string(m.Name)
			d.string(m.PkgPath)
			d.describe(m.Type)
		}
	case reflect.Func:
		d.bool(t.IsVariadic())
		d.number(t.NumIn())
		for in := range t.Ins() {
			d.describe(in)
		}
		d.number(t.NumOut())
		for out := range t.Outs() {
			d.describe(out)
		}
	}
}

func (d *describer) bool(b bool) {
	if b {
		d.text = append(d.text, 1)
	} else {
		d.text = append(d.text, 0)
	}
}
