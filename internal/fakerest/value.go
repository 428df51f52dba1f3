package fakerest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is a value of Postgres. NULL is nil; the form of the others follows from the type:
//
//	boolean                   bool
//	smallint, integer, bigint int64
//	numeric                   *decimal
//	real, double precision    float64
//	text and its kin, enums   string
//	bytea                     []byte
//	date, time, timestamps    dateValue, clockValue, stampValue
//	interval                  intervalValue
//	uuid                      uuidValue
//	json, jsonb               jsonText, *jsonNode
//	arrays, ranges            *arrayValue, *rangeValue
//	rows                      []value
//	tsvector, tsquery         *searchVector, *searchQuery
//
// No value changes once it is made, so that rows can share them.
type value = any

// uuidValue is a uuid.
type uuidValue [16]byte

// locale is what texts of times depend on.
type locale struct {
	now  time.Time
	zone *time.Location
}

// parseValue reads a text as a type's input function does.
func parseValue(t *typ, s string, loc locale) (value, *Error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fault("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	switch t.kind {
	case kindUnknown, kindText:
		return s, nil
	case kindVarchar, kindChar, kindCitext:
		return fitText(t, s, false)
	case kindBool:
		return parseBool(s)
	case kindInt2, kindInt4, kindInt8:
		return parseInt(t, s)
	case kindNumeric:
		d, ok := parseDecimal(s)
		if !ok {
			return nil, invalidText(t, s)
		}
		if d == nil {
			return nil, fault("22003", "value overflows numeric format")
		}
		return fitDecimal(t, d)
	case kindFloat4, kindFloat8:
		return parseFloat(t, s)
	case kindBytea:
		return parseBytes(s)
	case kindDate:
		return fails(parseDate(s, loc.now, loc.zone))
	case kindTime:
		return fails(parseClockValue(s, t))
	case kindTimestamp, kindTimestamptz:
		return fails(parseStamp(s, t, loc.now, loc.zone))
	case kindInterval:
		return fails(intervalOf(s))
	case kindUUID:
		return parseUUID(s)
	case kindJSON:
		r := jsonReader{s: s, ordered: true}
		if _, err := r.document(t); err != nil {
			return nil, err
		}
		return jsonText(s), nil
	case kindJSONB:
		return fails(parseJSON(s))
	case kindEnum:
		if t.enumIndex(s) < 0 {
			return nil, fault("22P02", "invalid input value for enum %s: \"%s\"", t.name, s)
		}
		return s, nil
	case kindArray:
		return fails(parseArray(s, t, loc))
	case kindRange:
		return fails(parseRange(s, t, loc))
	case kindTsvector:
		return nil, unsupported("a tsvector given as text")
	case kindTsquery:
		return fails(parseTsquery(s, ""))
	}
	return nil, fault("0A000", "cannot accept a value of type %s", t)
}

// fails turns an error that is nil of its own type into one that is nil.
func fails[T any](v T, err *Error) (value, *Error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func parseBool(s string) (value, *Error) {
	word := strings.ToLower(strings.TrimSpace(s))
	if word != "" {
		for _, full := range []string{"true", "yes", "1"} {
			if strings.HasPrefix(full, word) {
				return true, nil
			}
		}
		for _, full := range []string{"false", "no", "0"} {
			if strings.HasPrefix(full, word) {
				return false, nil
			}
		}
		if word == "on" {
			return true, nil
		}
		if word == "off" || word == "of" {
			return false, nil
		}
	}
	return nil, invalidText(typBool, s)
}

func intRange(t *typ) (low, high int64) {
	switch t.kind {
	case kindInt2:
		return math.MinInt16, math.MaxInt16
	case kindInt4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

func parseInt(t *typ, s string) (value, *Error) {
	text := strings.Trim(s, " \t\n\r\v\f")
	if !digits(strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")) || strings.HasPrefix(text, "-+") {
		return nil, invalidText(t, s)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	low, high := intRange(t)
	if err != nil || n < low || n > high {
		return nil, fault("22003", "value \"%s\" is out of range for type %s", s, t)
	}
	return n, nil
}

func parseFloat(t *typ, s string) (value, *Error) {
	text := strings.TrimSpace(s)
	if strings.ContainsAny(text, "_xXpP") {
		return nil, invalidText(t, s)
	}
	bits := 64
	if t.kind == kindFloat4 {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil {
		if !math.IsInf(f, 0) {
			return nil, invalidText(t, s)
		}
		return nil, fault("22003", "\"%s\" is out of range for type %s", s, t)
	}
	return f, nil
}

func parseBytes(s string) (value, *Error) {
	if body, ok := strings.CutPrefix(s, `\x`); ok {
		digits := strings.Join(strings.Fields(body), "")
		if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); i >= 0 {
			c, _ := utf8.DecodeRuneInString(digits[i:])
			return nil, fault("22023", "invalid hexadecimal digit: \"%c\"", c)
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fault("22023", "invalid hexadecimal data: odd number of digits")
		}
		return b, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if strings.HasPrefix(s[i+1:], `\`) {
			out = append(out, '\\')
			i++
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		return nil, fault("22P02", "invalid input syntax for type bytea")
	}
	return out, nil
}

func parseUUID(s string) (value, *Error) {
	text := s
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		text = text[1 : len(text)-1]
	}
	var u uuidValue
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(u) || strings.HasPrefix(text, "-") || strings.HasSuffix(text, "-") || strings.Contains(text, "--") {
		return nil, invalidText(typUUID, s)
	}
	copy(u[:], b)
	return u, nil
}

func (u uuidValue) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// fitText fits a text to a column's length. Spaces that are too many are cut off; so is the rest
// in an explicit cast.
func fitText(t *typ, s string, explicit bool) (value, *Error) {
	if t.kind == kindCitext || t.kind == kindText || t.size < 0 {
		if t.kind == kindChar {
			s = strings.TrimRight(s, " ")
		}
		return s, nil
	}
	n := utf8.RuneCountInString(s)
	if n > t.size {
		cut := 0
		for range t.size {
			_, w := utf8.DecodeRuneInString(s[cut:])
			cut += w
		}
		if !explicit && strings.TrimRight(s[cut:], " ") != "" {
			return nil, fault("22001", "value too long for type %s", t.withSize())
		}
		s = s[:cut]
	}
	if t.kind == kindChar { // stored without its padding, which formatValue adds
		s = strings.TrimRight(s, " ")
	}
	return s, nil
}

// fitDecimal fits a number to a column's precision.
func fitDecimal(t *typ, d *decimal) (value, *Error) {
	if t.size < 0 {
		return d, nil
	}
	fitted, ok := d.fit(t.size, t.scale)
	if !ok {
		if d.odd != finite {
			return nil, fault("22003", "numeric field overflow").
				with("A field with precision %d, scale %d cannot hold an infinite value.", t.size, t.scale)
		}
		limit := "1"
		if whole := t.size - t.scale; whole > 0 {
			limit = "10^" + strconv.Itoa(whole)
		}
		return nil, fault("22003", "numeric field overflow").
			with("A field with precision %d, scale %d must round to an absolute value less than %s.", t.size, t.scale, limit)
	}
	return fitted, nil
}

// formatValue writes a value as its type's output function does.
func formatValue(t *typ, v value, loc locale) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if t.kind == kindChar && t.size > 0 {
			if pad := t.size - utf8.RuneCountInString(v); pad > 0 {
				return v + strings.Repeat(" ", pad)
			}
		}
		return v
	case bool:
		if v {
			return "t"
		}
		return "f"
	case int64:
		return strconv.FormatInt(v, 10)
	case *decimal:
		return v.String()
	case float64:
		return formatFloat(v, t.kind == kindFloat4)
	case []byte:
		return `\x` + hex.EncodeToString(v)
	case dateValue:
		return formatDate(v)
	case clockValue:
		return formatClock(int64(v))
	case stampValue:
		if t.kind == kindTimestamptz {
			return formatStamp(v, loc.zone, " ")
		}
		return formatStamp(v, nil, " ")
	case intervalValue:
		return formatInterval(v)
	case uuidValue:
		return v.String()
	case jsonText:
		return string(v)
	case *jsonNode:
		return v.String()
	case *arrayValue:
		return formatArray(t, v, loc)
	case *rangeValue:
		return formatRange(t, v, loc)
	case *searchVector:
		return v.String()
	case *searchQuery:
		return v.String()
	case []value:
		return formatRow(t, v, loc)
	}
	return ""
}

// formatRow writes a row, (1,text,).
func formatRow(t *typ, row []value, loc locale) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, v := range row {
		if i > 0 {
			b.WriteByte(',')
		}
		if v == nil || t.table == nil || i >= len(t.table.columns) {
			continue
		}
		s := formatValue(t.table.columns[i].typ, v, loc)
		if s == "" || strings.ContainsAny(s, "\"\\(), \t\n\r\v\f") {
			s = `"` + strings.NewReplacer(`\`, `\\`, `"`, `""`).Replace(s) + `"`
		}
		b.WriteString(s)
	}
	b.WriteByte(')')
	return b.String()
}

// formatFloat writes the shortest text that reads as the same float.
func formatFloat(f float64, single bool) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0"
		}
		return "0"
	}
	bits, limit := 64, 1e15
	if single {
		bits, limit = 32, 1e6
	}
	if a := math.Abs(f); a >= limit || a < 1e-4 {
		s := strconv.FormatFloat(f, 'e', -1, bits)
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// appendJSON writes a value as to_json does.
func appendJSON(dst []byte, t *typ, v value, loc locale) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case *decimal:
		if v.odd == finite {
			return append(dst, v.String()...)
		}
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return append(dst, formatFloat(v, t.kind == kindFloat4)...)
		}
	case jsonText:
		return append(dst, v...)
	case *jsonNode:
		return v.appendTo(dst)
	case *arrayValue:
		return appendArrayJSON(dst, t, v, loc)
	case []value:
		dst = append(dst, '{')
		for i, field := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			c := t.table.columns[i]
			dst = append(appendJSONString(dst, c.name), ':')
			dst = appendJSON(dst, c.typ, field, loc)
		}
		return append(dst, '}')
	case stampValue:
		if v.finite() {
			zone := loc.zone
			if t.kind != kindTimestamptz {
				zone = nil
			}
			return appendJSONString(dst, formatStamp(v, zone, "T"))
		}
	}
	return appendJSONString(dst, formatValue(t, v, loc))
}

// toNode is a value as to_jsonb has it.
func toNode(t *typ, v value, loc locale) (*jsonNode, *Error) {
	switch v := v.(type) {
	case nil:
		return &jsonNode{form: jsonNull}, nil
	case *jsonNode:
		return v, nil
	}
	return parseJSON(string(appendJSON(nil, t, v, loc)))
}

// compareValues orders two values of a type, neither of which is NULL.
func compareValues(t *typ, a, b value) int {
	switch a := a.(type) {
	case string:
		b := b.(string)
		switch t.kind {
		case kindEnum:
			return t.enumIndex(a) - t.enumIndex(b)
		case kindCitext:
			return strings.Compare(strings.ToLower(a), strings.ToLower(b))
		case kindChar:
			return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
		}
		return strings.Compare(a, b)
	case bool:
		return boolInt(a) - boolInt(b.(bool))
	case int64:
		return cmp.Compare(a, b.(int64))
	case *decimal:
		return a.cmp(b.(*decimal))
	case float64:
		return compareFloats(a, b.(float64))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case dateValue:
		return cmp.Compare(a, b.(dateValue))
	case clockValue:
		return cmp.Compare(a, b.(clockValue))
	case stampValue:
		return cmp.Compare(a, b.(stampValue))
	case intervalValue:
		return cmp.Compare(a.span(), b.(intervalValue).span())
	case uuidValue:
		u := b.(uuidValue)
		return bytes.Compare(a[:], u[:])
	case *jsonNode:
		return compareDocuments(a, b.(*jsonNode))
	case *arrayValue:
		return compareArrays(t.elem, a, b.(*arrayValue))
	case *rangeValue:
		return compareRanges(t.elem, a, b.(*rangeValue))
	case []value:
		for i, v := range a {
			w := b.([]value)[i]
			if v == nil || w == nil {
				if v != nil || w != nil {
					return boolInt(v == nil) - boolInt(w == nil)
				}
				continue
			}
			if c := compareValues(t.table.columns[i].typ, v, w); c != 0 {
				return c
			}
		}
	}
	return 0
}

// compareFloats has NaN equal to itself and greater than all.
func compareFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return boolInt(math.IsNaN(a)) - boolInt(math.IsNaN(b))
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// appendKey writes a value so that equal values, and no others, have one text.
func appendKey(dst []byte, t *typ, v value) []byte {
	var text string
	switch v := v.(type) {
	case nil:
		return append(dst, "n;"...)
	case string:
		text = v
		switch t.kind {
		case kindCitext:
			text = strings.ToLower(v)
		case kindChar:
			text = strings.TrimRight(v, " ")
		}
	case *decimal:
		text = v.reduced()
	case float64:
		if v == 0 {
			v = 0 // -0 equals 0
		}
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case intervalValue:
		text = strconv.FormatInt(v.span(), 10)
	case *jsonNode:
		text = nodeKey(v)
	case *arrayValue:
		var b []byte
		for _, d := range v.dims {
			b = append(strconv.AppendInt(b, int64(d), 10), ',')
		}
		for _, item := range v.items {
			b = appendKey(b, t.elem, item)
		}
		text = string(b)
	default:
		text = formatValue(t, v, locale{zone: time.UTC})
	}
	dst = strconv.AppendInt(dst, int64(len(text)), 10)
	dst = append(dst, ':')
	return append(append(dst, text...), ';')
}

// nodeKey writes a node with its numbers reduced, since 1.0 equals 1.
func nodeKey(n *jsonNode) string {
	switch n.form {
	case jsonNumber:
		return n.number.reduced()
	case jsonArray:
		var b strings.Builder
		b.WriteByte('[')
		for _, i := range n.items {
			b.WriteString(nodeKey(i) + ",")
		}
		return b.String() + "]"
	case jsonObject:
		var b strings.Builder
		b.WriteByte('{')
		for _, m := range n.members {
			b.Write(appendJSONString(nil, m.key))
			b.WriteString(":" + nodeKey(m.value) + ",")
		}
		return b.String() + "}"
	}
	return n.String()
}

// jsonToValue is what json_to_recordset makes of a member for a column.
func jsonToValue(t *typ, n *jsonNode, loc locale) (value, *Error) {
	if n == nil || n.form == jsonNull && t.kind != kindJSON && t.kind != kindJSONB {
		return nil, nil
	}
	switch t.kind {
	case kindJSON, kindJSONB:
		if n.form == jsonNull {
			return nil, nil
		}
		if t.kind == kindJSON {
			return jsonText(n.spelling()), nil
		}
		return fails(parseJSON(n.spelling()))
	case kindArray:
		if n.form == jsonArray {
			return jsonToArray(t, n, loc)
		}
		if n.form != jsonString {
			return nil, fault("22P02", "expected JSON array")
		}
	}
	switch n.form {
	case jsonString:
		return parseValue(t, n.text, loc)
	case jsonNumber:
		text := n.text
		if text == "" {
			text = n.number.String()
		}
		return parseValue(t, text, loc)
	}
	return parseValue(t, n.spelling(), loc)
}

// spelling is a node as it was sent.
func (n *jsonNode) spelling() string {
	switch {
	case n.raw != "":
		return n.raw
	case n.form == jsonArray || n.form == jsonObject: // jsonb
		return n.String()
	}
	return n.compact()
}

func jsonToArray(t *typ, n *jsonNode, loc locale) (value, *Error) {
	var items []value
	var dims []int
	var walk func(n *jsonNode, depth int) *Error
	walk = func(n *jsonNode, depth int) *Error {
		if len(dims) <= depth {
			dims = append(dims, len(n.items))
		} else if dims[depth] != len(n.items) {
			return fault("22P02", "malformed JSON array").with("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		for _, item := range n.items {
			nested := item.form == jsonArray && !t.elem.isJSON()
			if nested {
				if depth+1 >= maxDimensions {
					return fault("54000", "number of JSON array dimensions exceeds the maximum allowed (%d)", maxDimensions)
				}
				if err := walk(item, depth+1); err != nil {
					return err
				}
				continue
			}
			if len(dims) > depth+1 {
				return fault("22P02", "expected JSON array")
			}
			v, err := jsonToValue(t.elem, item, loc)
			if err != nil {
				return err
			}
			items = append(items, v)
		}
		return nil
	}
	if err := walk(n, 0); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &arrayValue{}, nil
	}
	return &arrayValue{items: items, dims: dims}, nil
}

// compact writes a node of a body as it was sent, but for spaces.
func (n *jsonNode) compact() string {
	var walk func(dst []byte, n *jsonNode) []byte
	walk = func(dst []byte, n *jsonNode) []byte {
		switch n.form {
		case jsonNumber:
			if n.text != "" {
				return append(dst, n.text...)
			}
		case jsonArray:
			dst = append(dst, '[')
			for i, item := range n.items {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = walk(dst, item)
			}
			return append(dst, ']')
		case jsonObject:
			dst = append(dst, '{')
			for i, m := range n.members {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = append(appendJSONString(dst, m.key), ':')
				dst = walk(dst, m.value)
			}
			return append(dst, '}')
		}
		return n.appendTo(dst)
	}
	return string(walk(nil, n))
}

// goValue is what Go code sees of a value: see [Row].
func goValue(t *typ, v value) any {
	switch v := v.(type) {
	case *decimal:
		return v.String()
	case []byte:
		return bytes.Clone(v)
	case dateValue:
		if v.finite() {
			return time.Unix(int64(v)*86400, 0).UTC()
		}
	case stampValue:
		if v.finite() {
			return v.time()
		}
	case jsonText:
		return json.RawMessage(v)
	case *jsonNode:
		return json.RawMessage(v.String())
	case *arrayValue:
		return arrayToGo(t, v)
	case nil, bool, int64, float64, string:
		return v
	}
	return formatValue(t, v, locale{zone: time.UTC})
}

func arrayToGo(t *typ, a *arrayValue) any {
	next := 0
	var level func(depth int) []any
	level = func(depth int) []any {
		out := make([]any, 0, 1)
		if len(a.items) == 0 {
			return out
		}
		for range a.dims[depth] {
			if depth+1 < len(a.dims) {
				out = append(out, level(depth+1))
				continue
			}
			out = append(out, goValue(t.elem, a.items[next]))
			next++
		}
		return out
	}
	return level(0)
}

func nodeToGo(n *jsonNode) any {
	switch n.form {
	case jsonBool:
		return n.truth
	case jsonString:
		return n.text
	case jsonNumber:
		return n.number.float()
	case jsonArray:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = nodeToGo(item)
		}
		return out
	case jsonObject:
		out := make(map[string]any, len(n.members))
		for _, m := range n.members {
			out[m.key] = nodeToGo(m.value)
		}
		return out
	}
	return nil
}

// encodeBase64 is Postgres' encode(…, 'base64').
func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
