package cache

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// form is how values of a type are written into a key.
type form uint8

const (
	formNone form = iota // not at all
	formBool
	formInt
	formUint
	formFloat
	formFloat32
	formComplex
	formString
	formTime
	formBytes
	formSlice
	formArray
	formPointer
	formInterface
	formMapOfAny
	formMap
	formStruct
	formValuer
	formText
)

// argType is what the encoder knows of a type. The number stands for the type itself, not for its
// name: two types may have the same name, even the same package path. Numbers are never reused,
// and there are no more of them than the program has types of arguments.
type argType struct {
	id     uint64
	form   form
	fields []int // of formStruct
}

var (
	argTypes     sync.Map // reflect.Type to *argType
	argTypesByID sync.Map // uint64 to reflect.Type
	lastArgType  atomic.Uint64
	mapOfAnyType = reflect.TypeFor[map[string]any]()
	mapOfAnyInfo = argTypeOf(mapOfAnyType)
	timeType     = reflect.TypeFor[time.Time]()
)

func argTypeOf(t reflect.Type) *argType {
	if known, ok := argTypes.Load(t); ok {
		return known.(*argType)
	}
	info := &argType{id: lastArgType.Add(1)}
	info.form, info.fields = formOf(t)
	argTypesByID.Store(info.id, t) // before anybody can write the number
	known, raced := argTypes.LoadOrStore(t, info)
	if raced {
		argTypesByID.Delete(info.id)
	}
	return known.(*argType)
}

func formOf(t reflect.Type) (form, []int) {
	switch {
	case t == timeType:
		return formTime, nil
	case t == reflect.TypeFor[sql.Out]():
		return formNone, nil // a place to write to
	case t.Kind() != reflect.Interface && t.Implements(reflect.TypeFor[driver.Valuer]()):
		return formValuer, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return formBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return formInt, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return formUint, nil
	case reflect.Float32:
		return formFloat32, nil
	case reflect.Float64:
		return formFloat, nil
	case reflect.Complex64, reflect.Complex128:
		return formComplex, nil
	case reflect.String:
		return formString, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return formBytes, nil
		}
		return formSlice, nil
	case reflect.Array:
		return formArray, nil
	case reflect.Pointer:
		return formPointer, nil
	case reflect.Interface:
		return formInterface, nil
	case reflect.Map:
		if t.Key() == mapOfAnyType.Key() && t.Elem() == mapOfAnyType.Elem() {
			return formMapOfAny, nil
		}
		return formMap, nil
	case reflect.Struct:
		return formOfStruct(t)
	default:
		return formNone, nil
	}
}

func formOfStruct(t reflect.Type) (form, []int) {
	fields := make([]int, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.IsExported():
			fields = append(fields, i)
		case f.Type.Size() == 0: // a marker such as _ struct{}
		case isText(t):
			return formText, nil
		default:
			return formNone, nil
		}
	}
	return formStruct, fields
}

func isText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) &&
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
