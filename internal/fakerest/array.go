package fakerest

import (
	"strings"
)

// arrayValue is an array. It never changes.
type arrayValue struct {
	items []value // of all dimensions, one after the other
	dims  []int   // none: empty; their product is the number of items
}

func listOf(items ...value) *arrayValue {
	if len(items) == 0 {
		return &arrayValue{}
	}
	return &arrayValue{items: items, dims: []int{len(items)}}
}

// maxDimensions is Postgres' own limit.
const maxDimensions = 6

// arrayReader reads {1,2}, {{1,2},{3,4}}, {"a b",NULL}.
type arrayReader struct {
	s     string
	at    int
	t     *typ
	loc   locale
	items []value
	dims  []int
	err   *Error
}

func parseArray(s string, t *typ, loc locale) (*arrayValue, *Error) {
	r := arrayReader{s: strings.TrimSpace(s), t: t, loc: loc}
	if !strings.HasPrefix(r.s, "{") {
		return nil, r.malformed("Array value must start with \"{\" or dimension information.")
	}
	r.level(0)
	if r.err == nil && r.at < len(r.s) {
		r.err = r.malformed("Junk after closing right brace.")
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(r.items) == 0 {
		return &arrayValue{}, nil
	}
	return &arrayValue{items: r.items, dims: r.dims}, nil
}

func (r *arrayReader) malformed(details string) *Error {
	return fault("22P02", "malformed array literal: \"%s\"", r.s).with("%s", details)
}

func (r *arrayReader) fail(details string) int {
	if r.err == nil {
		r.err = r.malformed(details)
	}
	return 0
}

func (r *arrayReader) space() {
	for r.at < len(r.s) && strings.IndexByte(" \t\r\n\v\f", r.s[r.at]) >= 0 {
		r.at++
	}
}

// level reads one pair of braces and gives the number of what is between them.
func (r *arrayReader) level(depth int) int {
	if depth >= maxDimensions {
		r.err = fault("54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, maxDimensions)
		return 0
	}
	r.at++
	r.space()
	if r.at < len(r.s) && r.s[r.at] == '}' {
		r.at++
		if depth > 0 && len(r.items) > 0 {
			return r.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		return 0
	}
	n := 0
	for r.err == nil {
		r.space()
		switch {
		case r.at >= len(r.s):
			return r.fail("Unexpected end of input.")
		case r.s[r.at] == '{':
			if n > 0 && len(r.dims) <= depth+1 {
				return r.fail("Unexpected \"{\" character.")
			}
			inner := r.level(depth + 1)
			if r.err != nil {
				return 0
			}
			for len(r.dims) <= depth+1 {
				r.dims = append(r.dims, 0)
			}
			if r.dims[depth+1] == 0 {
				r.dims[depth+1] = inner
			} else if r.dims[depth+1] != inner {
				return r.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
		default:
			if len(r.dims) > depth+1 {
				return r.fail("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			r.element()
		}
		n++
		r.space()
		if r.err != nil || r.at >= len(r.s) {
			return r.fail("Unexpected end of input.")
		}
		c := r.s[r.at]
		r.at++
		switch c {
		case ',':
			continue
		case '}':
			if depth == 0 {
				if len(r.dims) == 0 {
					r.dims = []int{0}
				}
				r.dims[0] = n
			} else if len(r.dims) == 0 {
				r.dims = make([]int, 1, depth+2)
			}
			return n
		}
		return r.fail("Unexpected array element.")
	}
	return 0
}

func (r *arrayReader) element() {
	var b strings.Builder
	quoted := r.s[r.at] == '"'
	if quoted {
		r.at++
		for {
			if r.at >= len(r.s) {
				r.fail("Unexpected end of input.")
				return
			}
			c := r.s[r.at]
			if c == '"' {
				r.at++
				break
			}
			if c == '\\' {
				r.at++
				if r.at >= len(r.s) {
					r.fail("Unexpected end of input.")
					return
				}
				c = r.s[r.at]
			}
			b.WriteByte(c)
			r.at++
		}
	} else {
		kept := 0 // what spaces at the end do not belong to
		for r.at < len(r.s) && r.s[r.at] != ',' && r.s[r.at] != '}' {
			c := r.s[r.at]
			escaped := c == '\\'
			switch {
			case escaped:
				r.at++
				if r.at >= len(r.s) {
					r.fail("Unexpected end of input.")
					return
				}
				c = r.s[r.at]
			case c == '{':
				r.fail("Unexpected \"{\" character.")
				return
			case c == '"':
				r.fail("Unexpected array element.")
				return
			}
			b.WriteByte(c)
			if escaped || strings.IndexByte(" \t\r\n\v\f", c) < 0 {
				kept = b.Len()
			}
			r.at++
		}
		text := b.String()[:kept]
		if text == "" {
			r.fail("Unexpected \"" + r.s[r.at:min(r.at+1, len(r.s))] + "\" character.")
			return
		}
		b.Reset()
		b.WriteString(text)
	}
	text := b.String()
	if !quoted && strings.EqualFold(text, "null") {
		r.items = append(r.items, nil)
		return
	}
	v, err := parseValue(r.t.elem, text, r.loc)
	if err != nil {
		r.err = err
		return
	}
	r.items = append(r.items, v)
}

// formatArray writes an array as Postgres prints it.
func formatArray(t *typ, a *arrayValue, loc locale) string {
	if len(a.items) == 0 {
		return "{}"
	}
	var b strings.Builder
	next := 0
	var level func(depth int)
	level = func(depth int) {
		b.WriteByte('{')
		for i := range a.dims[depth] {
			if i > 0 {
				b.WriteByte(',')
			}
			if depth+1 < len(a.dims) {
				level(depth + 1)
				continue
			}
			item := a.items[next]
			next++
			if item == nil {
				b.WriteString("NULL")
				continue
			}
			b.WriteString(quoteElement(formatValue(t.elem, item, loc)))
		}
		b.WriteByte('}')
	}
	level(0)
	return b.String()
}

func quoteElement(s string) string {
	if s != "" && !strings.EqualFold(s, "null") && !strings.ContainsAny(s, "{},\"\\ \t\n\r\v\f") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// appendArrayJSON writes an array as a JSON array, of arrays where it has dimensions.
func appendArrayJSON(dst []byte, t *typ, a *arrayValue, loc locale) []byte {
	if len(a.items) == 0 {
		return append(dst, "[]"...)
	}
	next := 0
	var level func(depth int)
	level = func(depth int) {
		dst = append(dst, '[')
		for i := range a.dims[depth] {
			if i > 0 {
				dst = append(dst, ',')
			}
			if depth+1 < len(a.dims) {
				level(depth + 1)
				continue
			}
			dst = appendJSON(dst, t.elem, a.items[next], loc)
			next++
		}
		dst = append(dst, ']')
	}
	level(0)
	return dst
}

// has reports whether the array has an item that equals v; NULL equals nothing.
func (a *arrayValue) has(elem *typ, v value) bool {
	for _, item := range a.items {
		if item != nil && v != nil && compareValues(elem, item, v) == 0 {
			return true
		}
	}
	return false
}

// contains is a @> b.
func (a *arrayValue) contains(elem *typ, b *arrayValue) bool {
	for _, v := range b.items {
		if !a.has(elem, v) {
			return false
		}
	}
	return true
}

// overlaps is a && b.
func (a *arrayValue) overlaps(elem *typ, b *arrayValue) bool {
	for _, v := range b.items {
		if a.has(elem, v) {
			return true
		}
	}
	return false
}

func compareArrays(elem *typ, a, b *arrayValue) int {
	for i := range min(len(a.items), len(b.items)) {
		x, y := a.items[i], b.items[i]
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return 1
		case y == nil:
			return -1
		}
		if c := compareValues(elem, x, y); c != 0 {
			return c
		}
	}
	if c := len(a.items) - len(b.items); c != 0 {
		return c
	}
	if c := len(a.dims) - len(b.dims); c != 0 {
		return c
	}
	for i := range a.dims {
		if c := a.dims[i] - b.dims[i]; c != 0 {
			return c
		}
	}
	return 0
}
