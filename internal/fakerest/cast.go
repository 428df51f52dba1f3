package fakerest

import (
	"math"
	"time"
)

// castContext says how willing a cast is.
type castContext uint8

const (
	implicit   castContext = iota // between an operator's arguments
	assignment                    // into a column
	explicit                      // asked for
)

// numberRank orders the numeric types; each can become those after it without being asked.
func numberRank(t *typ) int { return int(t.kind) - int(kindInt2) }

// castable reports whether there is a cast, in a context.
func castable(from, to *typ, ctx castContext) bool {
	if from.same(to) || from.kind == kindUnknown {
		return true
	}
	textual := to.isText()
	switch {
	case from.isText() && textual:
		return true
	case from.isNumber() && to.isNumber():
		return ctx >= assignment || numberRank(from) < numberRank(to)
	case textual:
		return ctx >= assignment
	case from.isText():
		return ctx == explicit
	}
	type pair struct{ from, to kind }
	if level, ok := map[pair]castContext{
		{kindDate, kindTimestamp}: implicit, {kindDate, kindTimestamptz}: implicit, {kindTimestamp, kindTimestamptz}: implicit,
		{kindTimestamptz, kindTimestamp}: assignment, {kindTimestamp, kindDate}: assignment, {kindTimestamptz, kindDate}: assignment,
		{kindTimestamp, kindTime}: assignment, {kindTimestamptz, kindTime}: assignment,
		{kindTime, kindInterval}: implicit, {kindInterval, kindTime}: assignment,
		{kindJSON, kindJSONB}: assignment, {kindJSONB, kindJSON}: assignment,
		{kindBool, kindInt4}: explicit, {kindInt4, kindBool}: explicit,
	}[pair{from.kind, to.kind}]; ok {
		return ctx >= level
	}
	if from.kind == kindJSONB && (to.isNumber() || to.kind == kindBool) {
		return ctx == explicit
	}
	if from.kind == kindArray && to.kind == kindArray {
		return castable(from.elem, to.elem, ctx)
	}
	return false
}

// coerce makes an expression one of a type.
func (s *scope) coerce(c *compiled, t *typ, ctx castContext) (*compiled, *Error) {
	if c.literal != nil {
		text := *c.literal
		timely := t.isTime() || t.kind == kindTime || t.kind == kindArray && t.elem.isTime() || t.kind == kindRange
		v, err := castText(t, text, ctx == explicit, locale{now: time.Unix(0, 0), zone: time.UTC})
		if err != nil && s.binds != nil {
			if s.binds.err == nil {
				s.binds.err = err
			}
			return &compiled{typ: t, eval: func(*env) (value, *Error) { return nil, err }}, nil
		}
		if err != nil {
			return nil, err
		}
		if !timely {
			return constant(t, v), nil
		}
		return &compiled{typ: t, eval: func(e *env) (value, *Error) { // now, and zones that are left out
			return castText(t, text, ctx == explicit, e.tx.locale())
		}}, nil
	}
	if !castable(c.typ, t, ctx) {
		return nil, fault("42846", "cannot cast type %s to %s", c.typ, t)
	}
	if c.typ.same(t) && t.size < 0 {
		same := *c
		same.typ = t
		return &same, nil
	}
	from := c.typ
	return &compiled{typ: t, name: c.name, eval: func(e *env) (value, *Error) {
		v, err := c.eval(e)
		if err != nil || v == nil {
			return nil, err
		}
		return castValue(from, t, v, ctx == explicit, e.tx.locale())
	}}, nil
}

func castText(t *typ, text string, forced bool, loc locale) (value, *Error) {
	if forced && (t.kind == kindVarchar || t.kind == kindChar) {
		return fitText(t, text, true)
	}
	return parseValue(t, text, loc)
}

// castValue converts a value that is not NULL.
func castValue(from, to *typ, v value, forced bool, loc locale) (value, *Error) {
	if from.kind == kindUnknown {
		return castText(to, v.(string), forced, loc)
	}
	if from.kind == kindChar && !to.isText() {
		return parseValue(to, formatValue(from, v, loc), loc)
	}
	switch to.kind {
	case kindText, kindVarchar, kindChar, kindCitext:
		text := formatValue(from, v, loc)
		switch {
		case from.kind == kindBool:
			text = map[bool]string{true: "true", false: "false"}[v.(bool)]
		case from.kind == kindChar:
			text = v.(string)
		}
		return fitText(to, text, forced)
	case kindInt2, kindInt4, kindInt8:
		return castToInt(to, v)
	case kindNumeric:
		return castToDecimal(from, to, v)
	case kindFloat4, kindFloat8:
		return castToFloat(from, to, v)
	case kindBool:
		switch v := v.(type) {
		case int64:
			return v != 0, nil
		case *jsonNode:
			if v.form != jsonBool {
				return nil, jsonCast(v, to)
			}
			return v.truth, nil
		}
	case kindDate, kindTimestamp, kindTimestamptz, kindTime, kindInterval:
		if out, ok := castTime(from, to, v, loc); ok {
			return out, nil
		}
	case kindArray:
		if a, ok := v.(*arrayValue); ok {
			return castArray(from, to, a, forced, loc)
		}
	}
	if from.same(to) {
		return v, nil
	}
	return parseValue(to, formatValue(from, v, loc), loc)
}

func castArray(from, to *typ, a *arrayValue, forced bool, loc locale) (value, *Error) {
	out := &arrayValue{dims: a.dims, items: make([]value, len(a.items))}
	for i, item := range a.items {
		if item == nil {
			continue
		}
		var err *Error
		if out.items[i], err = castValue(from.elem, to.elem, item, forced, loc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func jsonCast(n *jsonNode, t *typ) *Error {
	name := map[jsonForm]string{jsonNull: "null", jsonString: "string", jsonNumber: "numeric", jsonBool: "boolean", jsonArray: "array", jsonObject: "object"}[n.form]
	return fault("22023", "cannot cast jsonb %s to type %s", name, t)
}

func castToInt(to *typ, v value) (value, *Error) {
	var n int64
	ok := true
	switch v := v.(type) {
	case int64:
		n = v
	case bool:
		n = int64(boolInt(v))
	case *decimal:
		if v.odd != finite {
			return nil, fault("0A000", "cannot convert %s to %s", map[bool]string{true: "NaN", false: "infinity"}[v.odd == notANumber], to)
		}
		n, ok = v.int64()
	case float64:
		r := math.RoundToEven(v)
		n, ok = int64(r), r >= -9.3e18 && r < 9223372036854775808 && !math.IsNaN(r)
	case *jsonNode:
		if v.form != jsonNumber {
			return nil, jsonCast(v, to)
		}
		n, ok = v.number.int64()
	case string:
		return parseInt(to, v)
	}
	low, high := intRange(to)
	if !ok || n < low || n > high {
		return nil, outOfRange(to)
	}
	return n, nil
}

func castToDecimal(from, to *typ, v value) (value, *Error) {
	switch v := v.(type) {
	case int64:
		return fitDecimal(to, decimalOf(v))
	case *decimal:
		return fitDecimal(to, v)
	case float64:
		return fitDecimal(to, decimalFromFloat(v, from.kind == kindFloat4))
	case *jsonNode:
		if v.form != jsonNumber {
			return nil, jsonCast(v, to)
		}
		return fitDecimal(to, v.number)
	}
	return parseValue(to, formatValue(from, v, locale{zone: time.UTC}), locale{zone: time.UTC})
}

func castToFloat(from, to *typ, v value) (value, *Error) {
	var f float64
	switch v := v.(type) {
	case int64:
		f = float64(v)
	case *decimal:
		f = v.float()
	case float64:
		f = v
	case *jsonNode:
		if v.form != jsonNumber {
			return nil, jsonCast(v, to)
		}
		f = v.number.float()
	default:
		return parseFloat(to, formatValue(from, v, locale{zone: time.UTC}))
	}
	if to.kind == kindFloat4 {
		single := float64(float32(f))
		if math.IsInf(single, 0) && !math.IsInf(f, 0) {
			return nil, fault("22003", "value out of range: overflow")
		}
		f = single
	}
	return f, nil
}

func castTime(from, to *typ, v value, loc locale) (value, bool) {
	switch v := v.(type) {
	case dateValue:
		switch to.kind {
		case kindDate:
			return v, true
		case kindTimestamp:
			return v.stamp(), true
		case kindTimestamptz:
			return fromLocal(v.stamp(), loc.zone), true
		}
	case stampValue:
		local := v
		if from.kind == kindTimestamptz && to.kind != kindTimestamptz {
			local = toLocal(v, loc.zone)
		}
		switch to.kind {
		case kindDate:
			return local.date(), true
		case kindTimestamp:
			return roundStamp(local, to), true
		case kindTimestamptz:
			if from.kind == kindTimestamp {
				v = fromLocal(v, loc.zone)
			}
			return roundStamp(v, to), true
		case kindTime:
			if !v.finite() {
				return nil, true
			}
			return clockValue(int64(local) - int64(local.date())*microsPerDay), true
		}
	case clockValue:
		switch to.kind {
		case kindTime:
			if to.size >= 0 && to.size < 6 {
				v = clockValue(roundTo(int64(v), to.size))
			}
			return v, true
		case kindInterval:
			return intervalValue{micros: int64(v)}, true
		}
	case intervalValue:
		switch to.kind {
		case kindInterval:
			return v, true
		case kindTime:
			return clockValue(v.micros - floorDiv(v.micros, microsPerDay)*microsPerDay), true
		}
	}
	return nil, false
}

// wider is the type of two that the other can become without being asked; nil if neither is.
func wider(a, b *typ) *typ {
	switch {
	case a.same(b):
		if a.size != b.size {
			c := *a
			c.size = -1
			return &c
		}
		return a
	case a.isText() && b.isText():
		if a.kind == kindCitext || b.kind == kindCitext {
			return typCitext
		}
		return typText
	case castable(a, b, implicit):
		return b
	case castable(b, a, implicit):
		return a
	}
	return nil
}

// unify brings the arguments of an operator to one type.
func (s *scope) unify(a, b *compiled) (x, y *compiled, err *Error) {
	t := a.typ
	switch {
	case a.typ.kind == kindUnknown && b.typ.kind == kindUnknown:
		t = typText
	case a.typ.kind == kindUnknown:
		t = b.typ
	case b.typ.kind != kindUnknown:
		if t = wider(a.typ, b.typ); t == nil {
			return nil, nil, fault("42883", "types %s and %s do not go together", a.typ, b.typ)
		}
	}
	bare := *t // values are compared as they are, not fitted into a column
	bare.size = -1
	if x, err = s.coerce(a, &bare, implicit); err != nil {
		return nil, nil, err
	}
	y, err = s.coerce(b, &bare, implicit)
	return x, y, err
}
