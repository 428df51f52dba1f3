package cache

import (
	"encoding/binary"
	"reflect"
	"slices"
)

// AppendStableArg is [AppendArg] with an encoding that is the same in every process, for what processes have to
// agree on: types are written by their package path, name and structure, not by a number. It also
// gives false for a value with a type in it that this process cannot tell from another one by these.
func AppendStableArg(dst []byte, v any) ([]byte, bool) {
	encoded, ok := AppendArg(nil, v)
	if !ok {
		return dst, false
	}
	return appendStable(dst, encoded)
}

// appendStable appends what AppendArg has written, any number of values, with the shapes of the types in
// the place of their numbers. It fails if a type has no shape of its own, and leaves dst as it was.
func appendStable(dst, args []byte) ([]byte, bool) {
	t := translator{in: args, out: dst}
	if len(args) > 0 && args[0] == tagNoText {
		t.copy(1)
	}
	for len(t.in) > 0 && !t.failed {
		t.any()
	}
	if t.failed {
		return dst, false
	}
	return t.out, true
}

// translator walks through an encoding and copies it. It reads exactly what encoder writes.
type translator struct {
	in, out []byte
	failed  bool
}

func (t *translator) fail() { t.failed, t.in = true, nil }

func (t *translator) copy(n uint64) {
	if n > uint64(len(t.in)) {
		t.fail()
		return
	}
	t.out = append(t.out, t.in[:n]...)
	t.in = t.in[n:]
}

// number copies a number, signed or not.
func (t *translator) number() uint64 {
	v, n := binary.Uvarint(t.in)
	if n <= 0 {
		t.fail()
		return 0
	}
	t.copy(uint64(n))
	return v
}

// string copies a length and what it is the length of.
func (t *translator) string() { t.copy(t.number()) }

func (t *translator) time() {
	t.number()
	t.number()
	t.string()
	t.string()
	t.number()
}

func (t *translator) any() {
	if len(t.in) == 0 {
		t.fail()
		return
	}
	tag := t.in[0]
	t.copy(1)
	switch tag {
	case tagNil, tagFalse, tagTrue, tagNilBytes:
	case tagString, tagBytes:
		t.string()
	case tagInt, tagInt8, tagInt16, tagInt32, tagInt64, tagUint, tagUint16, tagUint32, tagUint64:
		t.number()
	case tagUint8:
		t.copy(1)
	case tagFloat32:
		t.copy(4)
	case tagFloat64:
		t.copy(8)
	case tagTime:
		t.time()
	case tagNamedArg:
		t.string()
		t.any()
	case tagTyped:
		id, n := binary.Uvarint(t.in)
		typ, known := argTypesByID.Load(id)
		if n <= 0 || !known {
			t.fail()
			return
		}
		t.in = t.in[n:]
		shape, ok := shapeOf(typ.(reflect.Type))
		if !ok {
			t.fail()
			return
		}
		t.out = append(t.out, shape[:]...)
		t.typed(typ.(reflect.Type))
	default:
		t.fail()
	}
}

// present copies the length of a slice or map, and reports it: 0 for an empty one and for nil.
func (t *translator) present() uint64 {
	if n := t.number(); n > 0 {
		return n - 1
	}
	return 0
}

func (t *translator) typed(typ reflect.Type) {
	if t.failed {
		return
	}
	info := argTypeOf(typ)
	switch info.form {
	case formBool:
		t.copy(1)
	case formInt, formUint:
		t.number()
	case formFloat32:
		t.copy(4)
	case formFloat:
		t.copy(8)
	case formComplex:
		t.copy(16)
	case formString, formText:
		t.string()
	case formTime:
		t.time()
	case formBytes:
		t.copy(t.present())
	case formSlice:
		t.elems(typ.Elem(), t.present())
	case formArray:
		t.elems(typ.Elem(), uint64(typ.Len()))
	case formPointer:
		if t.flag() {
			t.typed(typ.Elem())
		}
	case formInterface:
		t.any()
	case formMapOfAny:
		for range t.present() {
			if t.string(); t.failed {
				return
			}
			t.any()
		}
	case formMap:
		t.mapOf(typ)
	case formStruct:
		for _, i := range info.fields {
			t.typed(typ.Field(i).Type)
		}
	case formValuer:
		if t.flag() {
			t.any()
		}
	default:
		t.fail()
	}
}

func (t *translator) flag() bool {
	if len(t.in) == 0 {
		t.fail()
		return false
	}
	set := t.in[0] == 1
	t.copy(1)
	return set
}

func (t *translator) elems(elem reflect.Type, n uint64) {
	for range n {
		if t.typed(elem); t.failed {
			return
		}
	}
}

// mapOf puts the entries into the order of their new encodings.
func (t *translator) mapOf(typ reflect.Type) {
	n := t.present()
	begin := len(t.out)
	var entries []string
	for range n {
		at := len(t.out)
		t.typed(typ.Key())
		if t.typed(typ.Elem()); t.failed {
			return
		}
		entries = append(entries, string(t.out[at:]))
	}
	slices.Sort(entries)
	t.out = t.out[:begin]
	for _, entry := range entries {
		t.out = append(t.out, entry...)
	}
}
