package fakerest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonText is a value of type json, which keeps its text as it was written.
type jsonText string

// jsonNode is a value of type jsonb. It never changes.
type jsonNode struct {
	form    jsonForm
	text    string   // of a string
	number  *decimal // of a number
	truth   bool
	raw     string       // of an array or an object of a body: its text
	items   []*jsonNode  // of an array
	members []jsonMember // of an object: by length of the key, then by its bytes; each once
}

type jsonMember struct {
	key   string
	value *jsonNode
}

// jsonForm is in the order in which jsonb sorts.
type jsonForm uint8

const (
	jsonNull jsonForm = iota
	jsonString
	jsonNumber
	jsonBool
	jsonArray
	jsonObject
)

// maxJSONDepth bounds how deep a text may nest.
const maxJSONDepth = 1000

// jsonReader reads JSON. The nodes of jsonb are sorted as it sorts them.
type jsonReader struct {
	s       string
	at      int
	depth   int
	ordered bool // members stay in the order of the text, all of them
	err     *Error
}

// parseJSON reads a value of type jsonb.
func parseJSON(s string) (*jsonNode, *Error) {
	r := jsonReader{s: s}
	return r.document(typJSON)
}

// parseBody reads JSON whose objects keep the order of their members, as a request's body.
func parseBody(s string) (*jsonNode, *Error) {
	r := jsonReader{s: s, ordered: true}
	return r.document(typJSON)
}

func (r *jsonReader) document(t *typ) (*jsonNode, *Error) {
	n := r.value()
	r.space()
	if r.err == nil && r.at < len(r.s) {
		r.unexpected("Expected end of input, but found \"%s\".")
	}
	if r.err != nil {
		if r.err.Message == "" {
			r.err.Message = "invalid input syntax for type " + t.String()
		}
		return nil, r.err
	}
	return n, nil
}

func (r *jsonReader) space() {
	for r.at < len(r.s) && strings.IndexByte(" \t\r\n", r.s[r.at]) >= 0 {
		r.at++
	}
}

// token is the word at which reading stopped.
func (r *jsonReader) token() string {
	end := r.at
	for end < len(r.s) && (r.s[end] >= 0x80 || r.s[end] == '_' || r.s[end] >= '0' && r.s[end] <= '9' || r.s[end] >= 'a' && r.s[end] <= 'z' || r.s[end] >= 'A' && r.s[end] <= 'Z') {
		end++
	}
	if end == r.at && r.at < len(r.s) {
		end++
	}
	return r.s[r.at:end]
}

func (r *jsonReader) unexpected(format string) {
	if r.err != nil {
		return
	}
	r.err = &Error{Code: "22P02", Details: "The input string ended unexpectedly."}
	if r.at >= len(r.s) {
		return
	}
	word := r.token()
	if wordPart(word[0]) && word != "true" && word != "false" && word != "null" && !isDigit(word[0]) {
		format = "Token \"%s\" is invalid."
	}
	r.err.Details = fmt.Sprintf(format, word)
}

func (r *jsonReader) value() *jsonNode {
	r.space()
	if r.err != nil || r.at >= len(r.s) {
		r.unexpected("")
		return nil
	}
	switch c := r.s[r.at]; {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"':
		return &jsonNode{form: jsonString, text: r.string()}
	case c == '-' || c >= '0' && c <= '9':
		return r.numeral()
	}
	switch word := r.token(); word {
	case "null":
		r.at += len(word)
		return &jsonNode{form: jsonNull}
	case "true", "false":
		r.at += len(word)
		return &jsonNode{form: jsonBool, truth: word == "true"}
	case "{", "}", "[", "]", ",", ":":
		r.unexpected("Expected JSON value, but found \"%s\".")
	default:
		r.unexpected("Token \"%s\" is invalid.")
	}
	return nil
}

func (r *jsonReader) nested() bool {
	r.depth++
	if r.depth > maxJSONDepth && r.err == nil {
		r.err = fault("54001", "stack depth limit exceeded")
	}
	return r.err == nil
}

func (r *jsonReader) object() *jsonNode {
	n := &jsonNode{form: jsonObject}
	start := r.at
	r.at++
	if !r.nested() {
		return nil
	}
	defer func() { r.depth-- }()
	r.space()
	if r.at < len(r.s) && r.s[r.at] == '}' {
		r.at++
		return r.spelled(n, start)
	}
	for {
		r.space()
		if r.at >= len(r.s) || r.s[r.at] != '"' {
			r.unexpected("Expected string or \"}\", but found \"%s\".")
			return nil
		}
		key := r.string()
		r.space()
		if r.err != nil || r.at >= len(r.s) || r.s[r.at] != ':' {
			r.unexpected("Expected \":\", but found \"%s\".")
			return nil
		}
		r.at++
		v := r.value()
		if r.err != nil {
			return nil
		}
		n.members = append(n.members, jsonMember{key, v})
		r.space()
		if r.at < len(r.s) && r.s[r.at] == ',' {
			r.at++
			continue
		}
		if r.at >= len(r.s) || r.s[r.at] != '}' {
			r.unexpected("Expected \",\" or \"}\", but found \"%s\".")
			return nil
		}
		r.at++
		if !r.ordered {
			n.normalize()
		}
		return r.spelled(n, start)
	}
}

// spelled keeps the text of what was read, if it matters.
func (r *jsonReader) spelled(n *jsonNode, start int) *jsonNode {
	if r.ordered {
		n.raw = r.s[start:r.at]
	}
	return n
}

// normalize sorts an object's members as jsonb does; of equal keys the last stays.
func (n *jsonNode) normalize() {
	slices.SortStableFunc(n.members, func(a, b jsonMember) int { return compareKeys(a.key, b.key) })
	kept := n.members[:0]
	for i, m := range n.members {
		if i+1 < len(n.members) && n.members[i+1].key == m.key {
			continue
		}
		kept = append(kept, m)
	}
	n.members = kept
}

func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func (r *jsonReader) array() *jsonNode {
	n := &jsonNode{form: jsonArray}
	start := r.at
	r.at++
	if !r.nested() {
		return nil
	}
	defer func() { r.depth-- }()
	r.space()
	if r.at < len(r.s) && r.s[r.at] == ']' {
		r.at++
		return r.spelled(n, start)
	}
	for {
		v := r.value()
		if r.err != nil {
			return nil
		}
		n.items = append(n.items, v)
		r.space()
		if r.at < len(r.s) && r.s[r.at] == ',' {
			r.at++
			continue
		}
		if r.at >= len(r.s) || r.s[r.at] != ']' {
			r.unexpected("Expected \",\" or \"]\", but found \"%s\".")
			return nil
		}
		r.at++
		return r.spelled(n, start)
	}
}

func (r *jsonReader) numeral() *jsonNode {
	start, i := r.at, r.at
	s := r.s
	run := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	first := i
	ok := run() && (s[first] != '0' || i == first+1)
	if ok && i < len(s) && s[i] == '.' {
		i++
		ok = run()
	}
	if ok && i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		ok = run()
	}
	if ok && i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 0x80) {
		ok = false
	}
	if !ok {
		end := i
		for end < len(s) && strings.IndexByte(" \t\r\n,]}:", s[end]) < 0 {
			end++
		}
		if r.err == nil {
			r.err = &Error{Code: "22P02", Details: fmt.Sprintf("Token \"%s\" is invalid.", s[start:end])}
		}
		return nil
	}
	d, ok := parseDecimal(s[start:i])
	if !ok || d == nil {
		r.err = fault("22003", "value overflows numeric format")
		return nil
	}
	r.at = i
	return &jsonNode{form: jsonNumber, number: d, text: s[start:i]}
}

func (r *jsonReader) string() string {
	r.at++
	var b strings.Builder
	for r.at < len(r.s) {
		switch c := r.s[r.at]; {
		case c == '"':
			r.at++
			return b.String()
		case c == '\\':
			if !r.escape(&b) {
				return ""
			}
		case c < ' ':
			if r.err == nil {
				r.err = &Error{Code: "22P02", Details: fmt.Sprintf("Character with value 0x%02x must be escaped.", c)}
			}
			return ""
		default:
			_, n := utf8.DecodeRuneInString(r.s[r.at:])
			b.WriteString(r.s[r.at : r.at+n])
			r.at += n
		}
	}
	r.unexpected("")
	return ""
}

func (r *jsonReader) escape(b *strings.Builder) bool {
	if r.at+1 >= len(r.s) {
		r.at = len(r.s)
		r.unexpected("")
		return false
	}
	c := r.s[r.at+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		r.at += 2
		return true
	}
	if c != 'u' {
		if r.err == nil {
			r.err = &Error{Code: "22P02", Details: fmt.Sprintf("Escape sequence \"\\%c\" is invalid.", c)}
		}
		return false
	}
	first, ok := r.unit()
	if !ok {
		return false
	}
	if utf16.IsSurrogate(rune(first)) {
		second := 0
		if strings.HasPrefix(r.s[r.at:], `\u`) {
			if second, ok = r.unit(); !ok {
				return false
			}
		}
		whole := utf16.DecodeRune(rune(first), rune(second))
		if whole == utf8.RuneError {
			if r.err == nil {
				r.err = &Error{Code: "22P02", Details: "Unicode low surrogate must follow a high surrogate."}
			}
			return false
		}
		b.WriteRune(whole)
		return true
	}
	if first == 0 {
		if r.ordered { // the body is json, which keeps what no text can hold until it is used
			b.WriteByte(0)
			return true
		}
		r.err = fault("22P05", "unsupported Unicode escape sequence").with("\\u0000 cannot be converted to text.")
		return false
	}
	b.WriteRune(rune(first))
	return true
}

// unit reads \uXXXX.
func (r *jsonReader) unit() (int, bool) {
	if r.at+6 > len(r.s) {
		r.at = len(r.s)
		r.unexpected("")
		return 0, false
	}
	n, err := strconv.ParseUint(r.s[r.at+2:r.at+6], 16, 32)
	if err != nil {
		if r.err == nil {
			r.err = &Error{Code: "22P02", Details: "\"\\u\" must be followed by four hexadecimal digits."}
		}
		return 0, false
	}
	r.at += 6
	return int(n), true
}

// appendJSONString writes a string of JSON as Postgres does.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = fmt.Appendf(dst, "\\u%04x", c)
		}
	}
	return append(dst, '"')
}

// appendTo writes a node as jsonb prints: a space after each comma and colon.
func (n *jsonNode) appendTo(dst []byte) []byte {
	switch n.form {
	case jsonNull:
		return append(dst, "null"...)
	case jsonBool:
		return strconv.AppendBool(dst, n.truth)
	case jsonNumber:
		return append(dst, n.number.String()...)
	case jsonString:
		return appendJSONString(dst, n.text)
	case jsonArray:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = item.appendTo(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range n.members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(appendJSONString(dst, m.key), ": "...)
		dst = m.value.appendTo(dst)
	}
	return append(dst, '}')
}

// String is the node as jsonb prints it.
func (n *jsonNode) String() string { return string(n.appendTo(nil)) }

// get is a member of an object, or nil.
func (n *jsonNode) get(key string) *jsonNode {
	if n.form != jsonObject {
		return nil
	}
	for _, v := range slices.Backward(n.members) {
		if v.key == key {
			return v.value
		}
	}
	return nil
}

// at is an item of an array, or nil; negative indexes count from the end.
func (n *jsonNode) item(i int64) *jsonNode {
	if n.form != jsonArray {
		return nil
	}
	if i < 0 {
		i += int64(len(n.items))
	}
	if i < 0 || i >= int64(len(n.items)) {
		return nil
	}
	return n.items[i]
}

// asText is what ->> gives: the text of a string, else the JSON; nil for null.
func (n *jsonNode) asText() value {
	switch n.form {
	case jsonNull:
		return nil
	case jsonString:
		return n.text
	}
	return n.String()
}

// compareDocuments orders two values of type jsonb. An empty array sorts before all but objects,
// which is how it has always been.
func compareDocuments(a, b *jsonNode) int {
	empty := func(n *jsonNode) bool { return n.form == jsonArray && len(n.items) == 0 }
	if a.form != b.form && a.form != jsonObject && b.form != jsonObject && (empty(a) || empty(b)) {
		return boolInt(empty(b)) - boolInt(empty(a))
	}
	return compareJSON(a, b)
}

// compareJSON orders two nodes as jsonb's index does.
func compareJSON(a, b *jsonNode) int {
	if a.form != b.form {
		return int(a.form) - int(b.form)
	}
	switch a.form {
	case jsonString:
		return strings.Compare(a.text, b.text)
	case jsonNumber:
		return a.number.cmp(b.number)
	case jsonBool:
		return boolInt(a.truth) - boolInt(b.truth)
	case jsonArray:
		if len(a.items) != len(b.items) {
			return len(a.items) - len(b.items)
		}
		for i := range a.items {
			if c := compareJSON(a.items[i], b.items[i]); c != 0 {
				return c
			}
		}
	case jsonObject:
		if len(a.members) != len(b.members) {
			return len(a.members) - len(b.members)
		}
		for i := range a.members {
			if c := strings.Compare(a.members[i].key, b.members[i].key); c != 0 {
				return c
			}
			if c := compareJSON(a.members[i].value, b.members[i].value); c != 0 {
				return c
			}
		}
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// contains is a @> b.
func (n *jsonNode) contains(b *jsonNode) bool {
	if n.form == jsonArray && b.form != jsonArray && b.form != jsonObject {
		// an array contains a plain value that is one of its items
		return slices.ContainsFunc(n.items, func(i *jsonNode) bool { return i.form == b.form && compareJSON(i, b) == 0 })
	}
	return n.holds(b)
}

func (n *jsonNode) holds(b *jsonNode) bool {
	if n.form != b.form {
		return false
	}
	switch n.form {
	case jsonObject:
		for _, m := range b.members {
			v := n.get(m.key)
			if v == nil || !v.holds(m.value) {
				return false
			}
		}
		return true
	case jsonArray:
		for _, want := range b.items {
			if !slices.ContainsFunc(n.items, func(i *jsonNode) bool { return i.holds(want) }) {
				return false
			}
		}
		return true
	}
	return compareJSON(n, b) == 0
}

// stripNulls is the node without members that are null, at any depth.
func (n *jsonNode) stripNulls() *jsonNode {
	switch n.form {
	case jsonObject:
		out := &jsonNode{form: jsonObject}
		for _, m := range n.members {
			if m.value.form != jsonNull {
				out.members = append(out.members, jsonMember{m.key, m.value.stripNulls()})
			}
		}
		return out
	case jsonArray:
		out := &jsonNode{form: jsonArray}
		for _, i := range n.items {
			out.items = append(out.items, i.stripNulls())
		}
		return out
	}
	return n
}
