package rediscache

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// dynamic are the types that a value in an interface can have: what JSON and drivers put there. Their places
// are what is written, so that new ones come at the end.
var dynamic = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), timeType,
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[[]any](), reflect.TypeFor[json.Number](),
	reflect.TypeFor[json.RawMessage](), reflect.TypeFor[[]string](), reflect.TypeFor[[]int64](), reflect.TypeFor[[]float64](),
	reflect.TypeFor[[]map[string]any](), reflect.TypeFor[time.Duration](), reflect.TypeFor[[16]byte](),
}

var places = sync.OnceValue(func() map[reflect.Type]uint8 {
	m := make(map[reflect.Type]uint8, len(dynamic))
	for i, t := range dynamic {
		m[t] = uint8(i)
	}
	return m
})

// writeAny writes nil, or the type's place and the value.
func writeAny(w *writer, v reflect.Value) {
	if v.IsNil() {
		w.b = msgp.AppendNil(w.b)
		return
	}
	inside := v.Elem()
	place, ok := places()[inside.Type()]
	if !ok {
		w.fail(fmt.Errorf("one of its interfaces holds a %v", inside.Type()))
		return
	}
	w.step(func() {
		w.b = msgp.AppendUint8(w.b, place)
		codecOf(inside.Type()).write(w, inside)
	})
}

func readAny(r *reader, v reflect.Value) {
	if r.isNil() {
		return
	}
	place := take(r, msgp.ReadUint8Bytes)
	if r.err != nil {
		return
	}
	if int(place) >= len(dynamic) {
		r.fail(errors.New("one of its interfaces holds a type that is not known"))
		return
	}
	inside := reflect.New(dynamic[place]).Elem()
	if codecOf(dynamic[place]).read(r, inside); r.err == nil {
		v.Set(inside)
	}
}

// Times are written as their instant and what their location is called: one that the reader's process loads
// itself, for "Local" its own, or else one with an offset.
func writeTime(w *writer, v reflect.Value) {
	t := v.Interface().(time.Time)
	zone, offset := t.Zone()
	name := t.Location().String()
	if name == zone && name != "UTC" {
		name = "" // an offset, which only looks like the name of a location
	}
	w.b = msgp.AppendInt64(w.b, t.Unix())
	w.b = msgp.AppendInt(w.b, t.Nanosecond())
	w.b = msgp.AppendString(w.b, name)
	w.b = msgp.AppendString(w.b, zone)
	w.b = msgp.AppendInt(w.b, offset)
}

func readTime(r *reader, v reflect.Value) {
	seconds, nanos := take(r, msgp.ReadInt64Bytes), take(r, msgp.ReadIntBytes)
	name, zone, offset := take(r, msgp.ReadStringBytes), take(r, msgp.ReadStringBytes), take(r, msgp.ReadIntBytes)
	if r.err != nil {
		return
	}
	t := time.Unix(seconds, int64(nanos))
	switch {
	case name == "UTC" && offset == 0:
		t = t.UTC()
	case name == "Local":
	default:
		t = t.In(locationOf(name, zone, offset, t))
	}
	v.Set(reflect.ValueOf(t))
}

var locations sync.Map // string to *time.Location: those that could be loaded

func locationOf(name, zone string, offset int, at time.Time) *time.Location {
	if name == "" {
		return time.FixedZone(zone, offset)
	}
	known, ok := locations.Load(name)
	if !ok {
		loaded, err := time.LoadLocation(name)
		if err != nil {
			return time.FixedZone(name, offset)
		}
		known, _ = locations.LoadOrStore(name, loaded)
	}
	location := known.(*time.Location)
	if z, o := at.In(location).Zone(); z != zone || o != offset { // another edition of the zone database
		return time.FixedZone(name, offset)
	}
	return location
}
