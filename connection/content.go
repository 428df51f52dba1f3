package connection

import (
	"encoding/binary"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/secrets"
)

// The first byte of a parameter's content.
const (
	contentNil byte = iota
	contentFalse
	contentTrue
	contentText
	contentInt
	contentInt64
	contentFloat
	contentDuration
	contentTable
	contentList
	contentOther
	contentRef
	contentUnstable
)

// appendContent appends a parameter's value as bytes that are equal exactly for equal values.
// A secret is the same as its text. ok is false for what cannot be compared by its content; what
// can, beside it in a table or a list, is appended all the same.
//
// dst does not escape, so that what is usual costs [Get] no allocation: the recursion has
// buffers of its own.
func appendContent(dst []byte, v any) (b []byte, ok bool) {
	if b, ok := appendScalar(dst, v); ok {
		return b, true
	}
	deep, ok := appendDeep(nil, v, cache.AppendArg)
	return append(dst, deep...), ok
}

// encode is cache.AppendArg, or cache.AppendStableArg for what other processes have to agree on.
type encode func(dst []byte, v any) ([]byte, bool)

func appendScalar(dst []byte, v any) (b []byte, ok bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, contentNil), true
	case string:
		return appendText(append(dst, contentText), v), true
	case secrets.Secret:
		return appendText(append(dst, contentText), v.Reveal()), true
	case bool:
		if v {
			return append(dst, contentTrue), true
		}
		return append(dst, contentFalse), true
	case int:
		return binary.AppendVarint(append(dst, contentInt), int64(v)), true
	case int64:
		return binary.AppendVarint(append(dst, contentInt64), v), true
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, contentFloat), math.Float64bits(v)), true
	case time.Duration:
		return binary.AppendVarint(append(dst, contentDuration), int64(v)), true
	default:
		return dst, false
	}
}

func appendDeep(dst []byte, v any, others encode) (b []byte, ok bool) {
	switch v := v.(type) {
	case Ref:
		at, ok := v.address()
		if !ok {
			return append(dst, contentUnstable), false
		}
		// The type tells a struct from its first field.
		return appendText(binary.AppendUvarint(append(dst, contentRef), uint64(at)), reflect.TypeOf(v.Value()).String()), true
	case map[string]any:
		dst, ok = binary.AppendUvarint(append(dst, contentTable), uint64(len(v))), true
		for _, key := range slices.Sorted(maps.Keys(v)) {
			var stable bool
			dst, stable = appendDeep(appendText(dst, key), v[key], others)
			ok = ok && stable
		}
		return dst, ok
	case []any:
		dst, ok = binary.AppendUvarint(append(dst, contentList), uint64(len(v))), true
		for _, element := range v {
			var stable bool
			dst, stable = appendDeep(dst, element, others)
			ok = ok && stable
		}
		return dst, ok
	}
	if b, ok := appendScalar(dst, v); ok {
		return b, true
	}
	if encoded, ok := others(nil, v); ok {
		return appendText(append(dst, contentOther), string(encoded)), true
	}
	return append(dst, contentUnstable), false
}

// appendText appends a text that knows its own end.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
