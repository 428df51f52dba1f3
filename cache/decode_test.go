package cache

import (
	"database/sql"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// decoder reads what AppendArg has written. That it can is the proof that no two values have one
// encoding.
type decoder struct{ rest []byte }

// A valued stands for a driver.Valuer, of which the encoding has the type and the value.
type valued struct {
	Type  reflect.Type
	Nil   bool
	Value any
}

var errEncoding = errors.New("this is no encoding")

// decodeArgs reads a sequence of values.
func decodeArgs(b []byte) (values []any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errEncoding, r)
		}
	}()
	d := decoder{b}
	for len(d.rest) > 0 {
		values = append(values, d.any())
	}
	return values, nil
}

func (d *decoder) byte() byte {
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		panic("a bad number")
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		panic("a bad number")
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return append([]byte{}, b...)
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }

func (d *decoder) time() time.Time {
	t := time.Unix(d.varint(), int64(d.uvarint()))
	location, zone, offset := d.string(), d.string(), int(d.varint())
	switch location {
	case "UTC":
		return t.UTC()
	case "Local":
		return t
	default:
		_ = zone // of a location from the zone database, not its own name
		return t.In(time.FixedZone(location, offset))
	}
}

func (d *decoder) any() any {
	switch tag := d.byte(); tag {
	case tagNil:
		return nil
	case tagFalse, tagTrue:
		return tag == tagTrue
	case tagString:
		return d.string()
	case tagInt:
		return int(d.varint())
	case tagInt8:
		return int8(d.varint())
	case tagInt16:
		return int16(d.varint())
	case tagInt32:
		return int32(d.varint())
	case tagInt64:
		return d.varint()
	case tagUint:
		return uint(d.uvarint())
	case tagUint8:
		return d.byte()
	case tagUint16:
		return uint16(d.uvarint())
	case tagUint32:
		return uint32(d.uvarint())
	case tagUint64:
		return d.uvarint()
	case tagFloat32:
		return math.Float32frombits(binary.BigEndian.Uint32(d.take(4)))
	case tagFloat64:
		return math.Float64frombits(d.uint64())
	case tagBytes:
		return d.take(d.uvarint())
	case tagNilBytes:
		return []byte(nil)
	case tagTime:
		return d.time()
	case tagNamedArg:
		return sql.NamedArg{Name: d.string(), Value: d.any()}
	case tagTyped:
		id := d.uvarint()
		var t reflect.Type
		argTypes.Range(func(key, info any) bool {
			if info.(*argType).id == id {
				t = key.(reflect.Type)
			}
			return t == nil
		})
		return d.typed(t).Interface()
	default:
		panic(fmt.Sprintf("unknown tag %d", tag))
	}
}

func (d *decoder) typed(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	info := argTypeOf(t)
	switch info.form {
	case formBool:
		v.SetBool(d.byte() == 1)
	case formInt:
		v.SetInt(d.varint())
	case formUint:
		v.SetUint(d.uvarint())
	case formFloat:
		v.SetFloat(math.Float64frombits(d.uint64()))
	case formFloat32:
		v.SetFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(d.take(4)))))
	case formComplex:
		v.SetComplex(complex(math.Float64frombits(d.uint64()), math.Float64frombits(d.uint64())))
	case formString:
		v.SetString(d.string())
	case formTime:
		v.Set(reflect.ValueOf(d.time()))
	case formBytes:
		if n := d.uvarint(); n > 0 {
			v.SetBytes(d.take(n - 1))
		}
	case formSlice:
		if n := d.uvarint(); n > 0 {
			v.Set(reflect.MakeSlice(t, int(n-1), int(n-1)))
			for i := range v.Len() {
				v.Index(i).Set(d.typed(t.Elem()))
			}
		}
	case formArray:
		for i := range v.Len() {
			v.Index(i).Set(d.typed(t.Elem()))
		}
	case formPointer:
		if d.byte() == 1 {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(d.typed(t.Elem()))
		}
	case formInterface:
		if value := d.any(); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	case formMapOfAny:
		if n := d.uvarint(); n > 0 {
			v.Set(reflect.MakeMap(t))
			for range n - 1 {
				key := reflect.ValueOf(d.string())
				elem := reflect.New(t.Elem()).Elem()
				if value := d.any(); value != nil {
					elem.Set(reflect.ValueOf(value))
				}
				v.SetMapIndex(key, elem)
			}
		}
	case formMap:
		if n := d.uvarint(); n > 0 {
			v.Set(reflect.MakeMap(t))
			for range n - 1 {
				key := d.typed(t.Key())
				v.SetMapIndex(key, d.typed(t.Elem()))
			}
		}
	case formStruct:
		for _, i := range info.fields {
			v.Field(i).Set(d.typed(t.Field(i).Type))
		}
	case formText:
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(d.take(d.uvarint())); err != nil {
			panic(err)
		}
	case formValuer:
		if d.byte() == 0 {
			return reflect.ValueOf(valued{Type: t, Nil: true})
		}
		return reflect.ValueOf(valued{Type: t, Value: d.any()})
	default:
		panic("a type that is not encoded")
	}
	return v
}
