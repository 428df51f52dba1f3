package fakerest

import (
	"strings"
)

// rangeValue is a range. A bound that is nil is none. It never changes.
type rangeValue struct {
	empty         bool
	low, high     value
	lowIn, highIn bool
}

// parseRange reads [1,5), (,3], empty.
func parseRange(s string, t *typ, loc locale) (*rangeValue, *Error) {
	text := strings.TrimSpace(s)
	if strings.EqualFold(text, "empty") {
		return &rangeValue{empty: true}, nil
	}
	malformed := func(details string) *Error {
		return fault("22P02", "malformed range literal: \"%s\"", s).with("%s", details)
	}
	if text == "" || text[0] != '[' && text[0] != '(' {
		return nil, malformed("Missing left parenthesis or bracket.")
	}
	r := &rangeValue{lowIn: text[0] == '['}
	rest := text[1:]
	low, rest, ok := rangeBound(rest)
	if !ok || rest == "" || rest[0] != ',' {
		return nil, malformed("Missing comma after lower bound.")
	}
	high, rest, ok := rangeBound(rest[1:])
	if !ok || rest == "" || rest[0] != ')' && rest[0] != ']' {
		return nil, malformed("Too many commas.")
	}
	r.highIn = rest[0] == ']'
	if strings.TrimSpace(rest[1:]) != "" {
		return nil, malformed("Junk after right parenthesis or bracket.")
	}
	var err *Error
	if low != nil {
		if r.low, err = parseValue(t.elem, *low, loc); err != nil {
			return nil, err
		}
	}
	if high != nil {
		if r.high, err = parseValue(t.elem, *high, loc); err != nil {
			return nil, err
		}
	}
	return makeRange(t, r)
}

// rangeBound reads one bound; nil for none.
func rangeBound(s string) (text *string, rest string, ok bool) {
	var b strings.Builder
	i, quoted, some := 0, false, false
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			some = true
			continue
		case c == '"':
			if quoted && i+1 < len(s) && s[i+1] == '"' {
				b.WriteByte('"')
				i++
				continue
			}
			quoted, some = !quoted, true
			continue
		case !quoted && (c == ',' || c == ')' || c == ']'):
			if !some && strings.TrimSpace(b.String()) == "" {
				return nil, s[i:], true
			}
			t := b.String()
			return &t, s[i:], true
		}
		b.WriteByte(c)
	}
	return nil, "", false
}

// makeRange checks the bounds, and gives ranges of whole numbers and dates their one form, [a,b).
func makeRange(t *typ, r *rangeValue) (*rangeValue, *Error) {
	if r.low != nil && r.high != nil {
		c := compareValues(t.elem, r.low, r.high)
		if c > 0 {
			return nil, fault("22000", "range lower bound must be less than or equal to range upper bound")
		}
		if c == 0 && !(r.lowIn && r.highIn) {
			return &rangeValue{empty: true}, nil
		}
	}
	r.lowIn = r.lowIn && r.low != nil
	r.highIn = r.highIn && r.high != nil
	next := func(v value) value {
		switch v := v.(type) {
		case int64:
			return v + 1
		case dateValue:
			if v.finite() {
				return v + 1
			}
		}
		return v
	}
	if k := t.elem.kind; k == kindInt4 || k == kindInt8 || k == kindDate {
		if r.low != nil && !r.lowIn {
			r.low, r.lowIn = next(r.low), true
		}
		if r.high != nil && r.highIn {
			r.high, r.highIn = next(r.high), false
		}
		if r.low != nil && r.high != nil && compareValues(t.elem, r.low, r.high) >= 0 {
			return &rangeValue{empty: true}, nil
		}
	}
	return r, nil
}

func formatRange(t *typ, r *rangeValue, loc locale) string {
	if r.empty {
		return "empty"
	}
	var b strings.Builder
	b.WriteByte("(["[boolInt(r.lowIn)])
	bound := func(v value) {
		if v == nil {
			return
		}
		s := formatValue(t.elem, v, loc)
		if s == "" || strings.ContainsAny(s, "\"\\()[], \t\n\r") {
			s = `"` + strings.NewReplacer(`\`, `\\`, `"`, `""`).Replace(s) + `"`
		}
		b.WriteString(s)
	}
	bound(r.low)
	b.WriteByte(',')
	bound(r.high)
	b.WriteByte(")]"[boolInt(r.highIn)])
	return b.String()
}

// edge is one end of a range.
type edge struct {
	at    value // nil: without end
	in    bool
	lower bool
}

func (r *rangeValue) lower() edge { return edge{r.low, r.lowIn, true} }
func (r *rangeValue) upper() edge { return edge{r.high, r.highIn, false} }

// compareEdges orders two ends of ranges.
func compareEdges(elem *typ, a, b edge) int {
	side := func(e edge) int {
		switch {
		case e.at != nil:
			return 0
		case e.lower:
			return -1
		}
		return 1
	}
	if sa, sb := side(a), side(b); sa != 0 || sb != 0 {
		return sa - sb
	}
	if c := compareValues(elem, a.at, b.at); c != 0 {
		return c
	}
	// a bound that is not in its range is just beside its value
	beside := func(e edge) int {
		switch {
		case e.in:
			return 0
		case e.lower:
			return 1
		}
		return -1
	}
	return beside(a) - beside(b)
}

func compareRanges(elem *typ, a, b *rangeValue) int {
	if a.empty || b.empty {
		return boolInt(b.empty) - boolInt(a.empty)
	}
	if c := compareEdges(elem, a.lower(), b.lower()); c != 0 {
		return c
	}
	return compareEdges(elem, a.upper(), b.upper())
}

func (r *rangeValue) contains(elem *typ, b *rangeValue) bool {
	switch {
	case b.empty:
		return true
	case r.empty:
		return false
	}
	return compareEdges(elem, r.lower(), b.lower()) <= 0 && compareEdges(elem, r.upper(), b.upper()) >= 0
}

func (r *rangeValue) overlaps(elem *typ, b *rangeValue) bool {
	return !r.empty && !b.empty && compareEdges(elem, r.lower(), b.upper()) <= 0 && compareEdges(elem, b.lower(), r.upper()) <= 0
}

// before is r << b.
func (r *rangeValue) before(elem *typ, b *rangeValue) bool {
	return !r.empty && !b.empty && compareEdges(elem, r.upper(), b.lower()) < 0
}

// notRightOf is r &< b, notLeftOf r &> b.
func (r *rangeValue) notRightOf(elem *typ, b *rangeValue) bool {
	return !r.empty && !b.empty && compareEdges(elem, r.upper(), b.upper()) <= 0
}

func (r *rangeValue) notLeftOf(elem *typ, b *rangeValue) bool {
	return !r.empty && !b.empty && compareEdges(elem, r.lower(), b.lower()) >= 0
}

// adjacent is r -|- b: one begins where the other ends.
func (r *rangeValue) adjacent(elem *typ, b *rangeValue) bool {
	touch := func(up, low edge) bool {
		return up.at != nil && low.at != nil && compareValues(elem, up.at, low.at) == 0 && up.in != low.in
	}
	return !r.empty && !b.empty && (touch(r.upper(), b.lower()) || touch(b.upper(), r.lower()))
}
