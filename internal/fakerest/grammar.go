package fakerest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reader reads the small languages of the parameters.
type reader struct {
	s     string
	at    int
	depth int
	what  string // for messages
	err   *Error
}

func (r *reader) fail(expecting string) {
	if r.err != nil {
		return
	}
	found := "end of input"
	if r.at < len(r.s) {
		c, _ := utf8.DecodeRuneInString(r.s[r.at:])
		found = strconv.Quote(string(c))
	}
	r.failAt(r.at, "unexpected %s expecting %s", found, expecting)
}

func (r *reader) failAt(at int, format string, args ...any) {
	if r.err == nil {
		column := utf8.RuneCountInString(r.s[:at]) + 1
		r.err = refusal(400, "PGRST100", "\"failed to parse %s (%s)\" (line 1, column %d)", r.what, r.s, column).with(format, args...)
	}
}

func (r *reader) done() bool { return r.err != nil || r.at >= len(r.s) }

func (r *reader) peek(s string) bool { return r.err == nil && strings.HasPrefix(r.s[r.at:], s) }

func (r *reader) accept(s string) bool {
	if r.peek(s) {
		r.at += len(s)
		return true
	}
	return false
}

func (r *reader) space() {
	for r.at < len(r.s) && (r.s[r.at] == ' ' || r.s[r.at] == '\t') {
		r.at++
	}
}

func nameRune(c rune) bool {
	return c == '_' || c == '$' || c == ' ' || unicode.IsLetter(c) || unicode.IsDigit(c)
}

const fieldName = "field name (* or [a..z0..9_$])"

// identifier takes letters, digits, _, $ and spaces.
func (r *reader) identifier() string {
	start := r.at
	for r.at < len(r.s) {
		c, n := utf8.DecodeRuneInString(r.s[r.at:])
		if !nameRune(c) {
			break
		}
		r.at += n
	}
	return r.s[start:r.at]
}

// name takes a name, in quotes or not; a dash is part of it unless it begins an arrow.
func (r *reader) name() string {
	if r.accept(`"`) {
		var b strings.Builder
		for !r.done() {
			c := r.s[r.at]
			r.at++
			if c == '"' {
				return b.String()
			}
			if c == '\\' && r.at < len(r.s) {
				c = r.s[r.at]
				r.at++
			}
			b.WriteByte(c)
		}
		r.fail(`"\""`)
		return ""
	}
	start := r.at
	part := r.identifier()
	if part == "" {
		r.fail(fieldName)
		return ""
	}
	var name strings.Builder
	name.WriteString(strings.TrimSpace(part))
	for r.peek("-") && !r.peek("->") {
		r.at++
		part = r.identifier()
		if part == "" {
			r.fail(fieldName)
			return ""
		}
		name.WriteString("-" + strings.TrimSpace(part))
	}
	if name.String() == "" {
		r.at = start
		r.fail(fieldName)
	}
	return name.String()
}

// field takes a name and a path into JSON.
func (r *reader) field() fieldRef {
	r.space()
	f := fieldRef{name: r.name()}
	f.path = r.jsonPath()
	r.space()
	return f
}

func (r *reader) jsonPath() []jsonStep {
	var path []jsonStep
	for r.peek("->") {
		step := jsonStep{asText: r.accept("->>")}
		if !step.asText {
			r.accept("->")
		}
		start := r.at
		r.accept("-")
		for r.at < len(r.s) && isDigit(r.s[r.at]) {
			r.at++
		}
		number := r.s[start:r.at]
		if digits(strings.TrimPrefix(number, "-")) && (r.done() || r.peek("->") || r.peek("::") || r.peek(".") || r.peek(",")) {
			step.key, step.index = number, true
		} else {
			r.at = start
			step.key = r.name()
		}
		path = append(path, step)
	}
	return path
}

const operatorName = "\"not\" or operator (eq, gt, ...)"

// operation takes not.op.value; value reads what follows the operator.
func (r *reader) operation(c *condition, value func() string) {
	start := r.at
	c.negate = r.accept("not.")
	switch {
	case r.accept("in."):
		c.test.op = "in"
		c.test.list = r.list()
		return
	case r.accept("isdistinct."):
		c.test = operation{op: "isdistinct", value: value()}
		return
	case r.accept("is."):
		c.test.op = "is"
		for _, word := range []string{"null", "unknown", "true", "false"} {
			if len(r.s)-r.at >= len(word) && strings.EqualFold(r.s[r.at:r.at+len(word)], word) {
				r.at += len(word)
				c.test.value = word
				return
			}
		}
		r.fail("null or trilean value (unknown, true, false)")
		return
	}
	name := r.s[r.at:]
	if i := strings.IndexAny(name, ".("); i >= 0 {
		name = name[:i]
	}
	rest := r.s[r.at+len(name):]
	modifier := ""
	if strings.HasPrefix(rest, "(") {
		i := strings.IndexByte(rest, ')')
		if i < 0 {
			r.failAt(start, "unexpected %s expecting %s", first(r.s[start:]), operatorName)
			return
		}
		modifier, rest = rest[1:i], rest[i+1:]
		at := len(r.s) - len(rest) - len(modifier) - 2
		switch {
		case slices.Contains(quantifiable, name) && modifier != "any" && modifier != "all":
			r.failAt(at+1, "unexpected %s expecting operator (eq, gt, ...)", first(modifier+")"))
			return
		case simpleOperators[name] != "" && !slices.Contains(quantifiable, name):
			r.failAt(at, "unexpected \"(\" expecting operator (eq, gt, ...)")
			return
		case modifier == "":
			r.failAt(start, "unexpected \"(\" expecting %s", operatorName)
			return
		}
	}
	_, isFTS := ftsFunctions[name]
	isSimple := simpleOperators[name] != "" && modifier == ""
	isQuant := slices.Contains(quantifiable, name) && (modifier == "any" || modifier == "all")
	if !isFTS && !isSimple && !isQuant || !strings.HasPrefix(rest, ".") {
		r.at = start
		r.failAt(start, "unexpected %s expecting %s", first(r.s[start:]), operatorName)
		return
	}
	r.at = len(r.s) - len(rest) + 1
	c.test = operation{op: name}
	if isFTS {
		c.test.config = strings.TrimSpace(modifier)
	} else {
		c.test.quant = modifier
	}
	c.test.value = value()
	if name == "like" || name == "ilike" {
		c.test.value = strings.ReplaceAll(c.test.value, "*", "%")
	}
}

// first is the first character, as messages quote it.
func first(s string) string {
	if s == "" {
		return "end of input"
	}
	c, _ := utf8.DecodeRuneInString(s)
	return strconv.Quote(string(c))
}

// quotedValue takes "…", if it is all up to a comma or a parenthesis.
func (r *reader) quotedValue() (string, bool) {
	start := r.at
	if !r.accept(`"`) {
		return "", false
	}
	var b strings.Builder
	for r.at < len(r.s) {
		c := r.s[r.at]
		r.at++
		switch {
		case c == '"':
			if r.at >= len(r.s) || r.s[r.at] == ',' || r.s[r.at] == ')' {
				return b.String(), true
			}
			r.at = start
			return "", false
		case c == '\\' && r.at < len(r.s):
			c = r.s[r.at]
			r.at++
		}
		b.WriteByte(c)
	}
	r.at = start
	return "", false
}

func (r *reader) upTo(stops string) string {
	i := strings.IndexAny(r.s[r.at:], stops)
	if i < 0 {
		i = len(r.s) - r.at
	}
	s := r.s[r.at : r.at+i]
	r.at += i
	return s
}

// list takes (a,"b",c).
func (r *reader) list() []string {
	r.space()
	if !r.accept("(") {
		r.fail("\"(\"")
		return nil
	}
	r.space()
	list := []string{}
	for {
		v, ok := r.quotedValue()
		if !ok {
			v = r.upTo(",)")
		}
		list = append(list, v)
		if !r.accept(",") {
			break
		}
	}
	r.space()
	if !r.accept(")") {
		r.fail("\",\" or \")\"")
	}
	r.space()
	return list
}

// logicValue takes a value within a tree.
func (r *reader) logicValue() string {
	if v, ok := r.quotedValue(); ok {
		return v
	}
	if r.peek("{") {
		if i := strings.IndexAny(r.s[r.at+1:], "{}"); i >= 0 && r.s[r.at+1+i] == '}' {
			v := r.s[r.at : r.at+i+2]
			r.at += i + 2
			return v
		}
	}
	return r.upTo(",)")
}

// tree takes and(…), or(…), or one filter.
func (r *reader) tree() condition {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxNesting {
		r.fail("a tree that is less deep")
		return condition{}
	}
	start := r.at
	negate := r.accept("not.")
	for _, op := range []string{"and", "or"} {
		if !r.accept(op) {
			continue
		}
		before := r.at
		r.space()
		if !r.accept("(") {
			r.at = before
			break
		}
		r.space()
		c := condition{op: op, negate: negate}
		for r.err == nil {
			c.kids = append(c.kids, r.tree())
			r.space()
			if !r.accept(",") {
				break
			}
			r.space()
		}
		if !r.accept(")") {
			r.fail("\",\" or \")\"")
		}
		r.space()
		return c
	}
	r.at = start
	if c, _ := utf8.DecodeRuneInString(r.s[r.at:]); !r.peek(`"`) && !nameRune(c) {
		r.fail(fieldName + ", negation operator (not) or logic operator (and, or)")
	}
	c := condition{field: r.field()}
	if r.err == nil && !r.accept(".") {
		r.fail("letter, digit, \"-\", \"->>\", \"->\" or delimiter (.)")
	}
	if r.err == nil {
		r.operation(&c, r.logicValue)
	}
	return c
}

func (r *reader) orderTerm() orderTerm {
	r.space()
	t := orderTerm{field: r.field()}
	if len(t.field.path) == 0 && r.accept("(") {
		t.relation = t.field.name
		t.field = r.field()
		if !r.accept(")") {
			r.fail("\")\"")
		}
	}
	if r.accept(".asc") || r.peek(".desc") {
		t.desc = r.accept(".desc")
	} else if r.peek(".") && !r.peek(".nullsfirst") && !r.peek(".nullslast") {
		r.at++
		r.failAt(r.at, "unexpected %s expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"", first(r.s[r.at:]))
	}
	if r.peek(".nullsfirst") || r.peek(".nullslast") {
		nullsFirst := r.accept(".nullsfirst")
		if !nullsFirst {
			r.accept(".nullslast")
		}
		t.nullsFirst = &nullsFirst
	} else if r.peek(".") {
		r.at++
		r.failAt(r.at, "unexpected %s expecting \"nullsfirst\" or \"nullslast\"", first(r.s[r.at:]))
	}
	r.space()
	return t
}

func (r *reader) selectItems() []selectItem {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > 50 {
		r.fail("fewer levels")
		return nil
	}
	items := []selectItem{}
	r.space()
	if r.done() || r.peek(")") {
		return items
	}
	for r.err == nil {
		items = append(items, r.selectItem())
		r.space()
		if !r.accept(",") {
			break
		}
		r.space()
	}
	return items
}

func (r *reader) selectItem() selectItem {
	var item selectItem
	if r.accept("...") {
		item.spread = true
		item.target = r.name()
		r.embedded(&item)
		return item
	}
	if r.accept("*") {
		item.field.name = "*"
		return item
	}
	start := r.at
	if r.peek("(") || r.done() {
		r.fail("\"...\", " + fieldName + ", \"*\" or \"count()\"")
		return item
	}
	name := r.name()
	if r.err == nil && r.peek(":") && !r.peek("::") {
		r.at++
		item.alias = name
		start = r.at
		r.space()
		name = r.name()
	}
	if r.err != nil {
		return item
	}
	if name == "count" && r.accept("()") {
		item.field.name, item.aggregate = "*", "count"
		item.aggCast = r.cast()
		return item
	}
	if r.peek("!") || r.peek("(") {
		item.target = name
		r.embedded(&item)
		return item
	}
	r.at = start
	item.field = r.field()
	item.cast = r.cast()
	for _, f := range []string{"sum", "avg", "count", "max", "min"} {
		if r.accept("." + f + "()") {
			item.aggregate = f
			item.aggCast = r.cast()
			break
		}
	}
	return item
}

func (r *reader) cast() string {
	if !r.accept("::") {
		return ""
	}
	c := strings.TrimSpace(r.identifier())
	if c == "" {
		r.fail("letter or digit")
	}
	return c
}

// embedded takes what follows the name of an embedded resource.
func (r *reader) embedded(item *selectItem) {
	item.embed = true
	for range 2 {
		if !r.accept("!") {
			break
		}
		switch hint := r.name(); hint {
		case "inner":
			item.inner = true
		case "left":
		default:
			item.hint = hint
		}
	}
	if !r.accept("(") {
		r.fail("\"!\" or \"(\"")
		return
	}
	item.kids = r.selectItems()
	if !r.accept(")") {
		r.fail("\",\" or \")\"")
	}
}
