package fakerest

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
)

func noOperator(op string, a, b *typ) *Error {
	return fault("42883", "operator does not exist: %s %s %s", a, op, b).
		hinted("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

// binary compiles an operator.
func (s *scope) binary(op string, a, b *compiled) (*compiled, *Error) {
	if op == "!=" {
		op = "<>"
	}
	switch op {
	case "=", "<>", "<", "<=", ">", ">=":
		return s.compare(op, a, b)
	case "+", "-", "*", "/", "%", "^":
		return s.arithmetic(op, a, b)
	case "||":
		return s.concat(a, b)
	case "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*":
		return s.match(op, a, b)
	case "->", "->>", "#>", "#>>":
		return s.jsonPath(op, a, b)
	case "@>", "<@", "&&":
		return s.contain(op, a, b)
	case "<<", ">>", "&<", "&>", "-|-":
		return s.rangeOperator(op, a, b)
	case "?", "?|", "?&":
		return s.jsonExists(op, a, b)
	case "@@":
		return s.search(a, b)
	case "&", "|", "#":
		return s.bits(op, a, b)
	}
	return nil, noOperator(op, a.typ, b.typ)
}

func (s *scope) compare(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	if !a.typ.ordered() || !b.typ.ordered() || a.typ.kind == kindUnknown && a.literal == nil && !b.typ.ordered() {
		return nil, missing
	}
	if a.typ.kind != kindUnknown && b.typ.kind != kindUnknown && wider(a.typ, b.typ) == nil {
		return nil, missing
	}
	a, b, err := s.unify(a, b)
	if err != nil {
		return nil, err
	}
	t := a.typ
	holds := map[string]func(int) bool{
		"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
		">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	}[op]
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		return holds(compareValues(t, args[0], args[1])), nil
	}), nil
}

func (s *scope) arithmetic(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	if c, err, ok := s.timeArithmetic(op, a, b); ok {
		return c, err
	}
	if a.typ.kind == kindJSONB && op == "-" {
		return s.jsonRemove(a, b)
	}
	for _, t := range []*typ{a.typ, b.typ} {
		if !t.isNumber() && t.kind != kindUnknown {
			return nil, missing
		}
	}
	if a.typ.kind == kindUnknown && b.typ.kind == kindUnknown {
		return nil, fault("42725", "operator is not unique: unknown %s unknown", op)
	}
	a, b, err := s.unify(a, b)
	if err != nil {
		return nil, err
	}
	if op == "^" && a.typ.isInt() || op == "%" && a.typ.isFloat() {
		t := typFloat8
		if op == "%" {
			return nil, missing
		}
		if a, err = s.coerce(a, t, implicit); err != nil {
			return nil, err
		}
		if b, err = s.coerce(b, t, implicit); err != nil {
			return nil, err
		}
	}
	t := a.typ
	return strictly(t, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) { return calculate(op, t, args[0], args[1]) }), nil
}

func divisionByZero() *Error { return fault("22012", "division by zero") }

func calculate(op string, t *typ, a, b value) (value, *Error) {
	switch x := a.(type) {
	case int64:
		return calculateInt(op, t, x, b.(int64))
	case *decimal:
		y := b.(*decimal)
		var out *decimal
		switch op {
		case "+":
			out = x.add(y)
		case "-":
			out = x.sub(y)
		case "*":
			out = x.mul(y)
		case "/":
			out = x.div(y)
		case "%":
			out = x.mod(y)
		case "^":
			return decimalPower(x, y)
		}
		if out == nil {
			return nil, divisionByZero()
		}
		return out, nil
	case float64:
		y := b.(float64)
		var out float64
		switch op {
		case "+":
			out = x + y
		case "-":
			out = x - y
		case "*":
			out = x * y
		case "/":
			if y == 0 {
				return nil, divisionByZero()
			}
			out = x / y
		case "^":
			out = math.Pow(x, y)
		}
		if math.IsInf(out, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			return nil, fault("22003", "value out of range: overflow")
		}
		return out, nil
	}
	return nil, nil
}

func calculateInt(op string, t *typ, x, y int64) (value, *Error) {
	if (op == "/" || op == "%") && y == 0 {
		return nil, divisionByZero()
	}
	z, p, q := new(big.Int), big.NewInt(x), big.NewInt(y)
	switch op {
	case "+":
		z.Add(p, q)
	case "-":
		z.Sub(p, q)
	case "*":
		z.Mul(p, q)
	case "/":
		z.Quo(p, q)
	case "%":
		z.Rem(p, q)
	}
	low, high := intRange(t)
	if !z.IsInt64() || z.Int64() < low || z.Int64() > high {
		return nil, outOfRange(t)
	}
	return z.Int64(), nil
}

func decimalPower(x, y *decimal) (value, *Error) {
	n, whole := y.int64()
	if whole && y.cmp(decimalOf(n)) == 0 && n >= 0 && n <= 1000 && x.odd == finite {
		out := &decimal{coef: new(big.Int).Exp(x.coef, big.NewInt(n), nil), scale: x.scale * int(n)}
		return out.round(max(16, x.scale)), nil
	}
	f := math.Pow(x.float(), y.float())
	if math.IsNaN(f) {
		return nil, fault("2201F", "a negative number raised to a non-integer power yields a complex result")
	}
	return decimalFromFloat(f, false), nil
}

// timeArithmetic compiles + - * / of dates, times and intervals; ok tells whether it is one.
func (s *scope) timeArithmetic(op string, a, b *compiled) (c *compiled, err *Error, ok bool) {
	timely := func(t *typ) bool { return t.isTime() || t.kind == kindInterval || t.kind == kindTime }
	if !timely(a.typ) && !timely(b.typ) {
		return nil, nil, false
	}
	// a literal beside a time is an interval, beside an interval whatever that is
	if a.literal != nil {
		t := typInterval
		if op == "-" {
			t = b.typ
		}
		if a, err = s.coerce(a, t, implicit); err != nil {
			return nil, err, true
		}
	}
	if b.literal != nil {
		t := typInterval
		if op == "*" || op == "/" {
			t = typFloat8
		} else if op == "-" && a.typ.isTime() {
			t = a.typ
		}
		if b, err = s.coerce(b, t, implicit); err != nil {
			return nil, err, true
		}
	}
	if op == "+" && !a.typ.isTime() && (b.typ.isTime() || b.typ.kind == kindTime && a.typ.kind == kindInterval) {
		a, b = b, a
	}
	missing := noOperator(op, a.typ, b.typ)
	make2 := func(t *typ, f func(e *env, x, y value) (value, *Error)) (*compiled, *Error, bool) {
		return strictly(t, []*compiled{a, b}, func(e *env, args []value) (value, *Error) { return f(e, args[0], args[1]) }), nil, true
	}
	sign := int64(1)
	if op == "-" {
		sign = -1
	}
	switch {
	case op == "+" || op == "-":
		switch {
		case a.typ.kind == kindDate && b.typ.isInt():
			return make2(typDate, func(_ *env, x, y value) (value, *Error) { return x.(dateValue) + dateValue(sign*y.(int64)), nil })
		case a.typ.kind == kindDate && b.typ.kind == kindDate && op == "-":
			return make2(typInt4, func(_ *env, x, y value) (value, *Error) { return int64(x.(dateValue) - y.(dateValue)), nil })
		case a.typ.isTime() && b.typ.kind == kindInterval:
			from, t := a.typ, a.typ
			if t.kind == kindDate {
				t = typTimestamp
			}
			return make2(t, func(e *env, x, y value) (value, *Error) {
				v := y.(intervalValue)
				v = intervalValue{sign * v.months, sign * v.days, sign * v.micros}
				loc := e.tx.locale()
				if from.kind == kindTimestamptz {
					return x.(stampValue).shift(v, loc.zone), nil
				}
				stamp, _ := castTime(from, typTimestamp, x, loc)
				return stamp.(stampValue).shift(v, time.UTC), nil
			})
		case a.typ.isTime() && b.typ.isTime() && op == "-":
			t := wider(a.typ, b.typ)
			if a, err = s.coerce(a, t, implicit); err == nil {
				b, err = s.coerce(b, t, implicit)
			}
			if err != nil {
				return nil, err, true
			}
			return make2(typInterval, func(_ *env, x, y value) (value, *Error) {
				micros := int64(x.(stampValue) - y.(stampValue))
				return intervalValue{days: micros / microsPerDay, micros: micros % microsPerDay}, nil
			})
		case a.typ.kind == kindInterval && b.typ.kind == kindInterval:
			return make2(typInterval, func(_ *env, x, y value) (value, *Error) {
				v, w := x.(intervalValue), y.(intervalValue)
				return intervalValue{v.months + sign*w.months, v.days + sign*w.days, v.micros + sign*w.micros}, nil
			})
		case a.typ.kind == kindTime && b.typ.kind == kindInterval:
			return make2(typTime, func(_ *env, x, y value) (value, *Error) {
				micros := int64(x.(clockValue)) + sign*y.(intervalValue).micros
				return clockValue(micros - floorDiv(micros, microsPerDay)*microsPerDay), nil
			})
		case a.typ.kind == kindTime && b.typ.kind == kindTime && op == "-":
			return make2(typInterval, func(_ *env, x, y value) (value, *Error) {
				return intervalValue{micros: int64(x.(clockValue) - y.(clockValue))}, nil
			})
		}
	case op == "*" || op == "/":
		if op == "*" && a.typ.isNumber() {
			a, b = b, a
		}
		if a.typ.kind == kindInterval && b.typ.isNumber() {
			if b, err = s.coerce(b, typFloat8, implicit); err != nil {
				return nil, err, true
			}
			return make2(typInterval, func(_ *env, x, y value) (value, *Error) {
				f := y.(float64)
				if op == "/" {
					if f == 0 {
						return nil, divisionByZero()
					}
					f = 1 / f
				}
				var out intervalValue
				v := x.(intervalValue)
				out.add(f, intervalValue{months: v.months})
				out.add(f, intervalValue{days: v.days})
				out.add(f, intervalValue{micros: v.micros})
				return out, nil
			})
		}
	}
	return nil, missing, true
}

func (s *scope) concat(a, b *compiled) (*compiled, *Error) {
	switch {
	case a.typ.kind == kindArray || b.typ.kind == kindArray:
		return s.concatArrays(a, b)
	case a.typ.kind == kindJSONB || b.typ.kind == kindJSONB:
		a, b, err := s.unify(a, b)
		if err != nil {
			return nil, err
		}
		return strictly(typJSONB, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
			return concatNodes(args[0].(*jsonNode), args[1].(*jsonNode)), nil
		}), nil
	case a.typ.kind == kindBytea && b.typ.kind == kindBytea:
		return strictly(typBytea, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
			return slices.Concat(args[0].([]byte), args[1].([]byte)), nil
		}), nil
	case !a.typ.isText() && !b.typ.isText() && a.literal == nil && b.literal == nil && a.typ.kind != kindUnknown && b.typ.kind != kindUnknown:
		return nil, noOperator("||", a.typ, b.typ)
	}
	var err *Error
	if a, err = s.coerce(a, typText, assignment); err != nil {
		return nil, err
	}
	if b, err = s.coerce(b, typText, assignment); err != nil {
		return nil, err
	}
	return strictly(typText, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		return args[0].(string) + args[1].(string), nil
	}), nil
}

func (s *scope) concatArrays(a, b *compiled) (*compiled, *Error) {
	t := a.typ
	if t.kind != kindArray {
		t = b.typ
	}
	var err *Error
	for _, side := range []**compiled{&a, &b} {
		want := t
		if k := (*side).typ.kind; k != kindArray && k != kindUnknown {
			want = t.elem
		}
		if *side, err = s.coerce(*side, want, implicit); err != nil {
			return nil, err
		}
	}
	listed := func(v value) *arrayValue {
		if l, ok := v.(*arrayValue); ok {
			return l
		}
		return listOf(v)
	}
	x, y := a, b
	return &compiled{typ: t, eval: func(e *env) (value, *Error) {
		l, err := x.eval(e)
		if err != nil {
			return nil, err
		}
		r, err := y.eval(e)
		if err != nil {
			return nil, err
		}
		if l == nil && x.typ.kind == kindArray {
			if r == nil && y.typ.kind == kindArray {
				return nil, nil
			}
			return listed(r), nil
		}
		if r == nil && y.typ.kind == kindArray {
			return listed(l), nil
		}
		return listOf(slices.Concat(listed(l).items, listed(r).items)...), nil
	}}, nil
}

// concatNodes is a || b of jsonb.
func concatNodes(a, b *jsonNode) *jsonNode {
	if a.form == jsonObject && b.form == jsonObject {
		out := &jsonNode{form: jsonObject, members: slices.Concat(a.members, b.members)}
		out.normalize()
		return out
	}
	items := func(n *jsonNode) []*jsonNode {
		if n.form == jsonArray {
			return n.items
		}
		return []*jsonNode{n}
	}
	return &jsonNode{form: jsonArray, items: slices.Concat(items(a), items(b))}
}

func (s *scope) jsonRemove(a, b *compiled) (*compiled, *Error) {
	if !b.typ.isInt() {
		var err *Error
		if b, err = s.coerce(b, typText, implicit); err != nil {
			return nil, err
		}
	}
	return strictly(typJSONB, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		n := args[0].(*jsonNode)
		out := &jsonNode{form: n.form}
		switch key := args[1].(type) {
		case string:
			for _, m := range n.members {
				if m.key != key {
					out.members = append(out.members, m)
				}
			}
			for _, i := range n.items {
				if i.form != jsonString || i.text != key {
					out.items = append(out.items, i)
				}
			}
		case int64:
			drop := n.item(key)
			for _, i := range n.items {
				if i != drop {
					out.items = append(out.items, i)
				}
			}
		}
		return out, nil
	}), nil
}

// match compiles LIKE and regular expressions.
func (s *scope) match(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	for _, side := range []**compiled{&a, &b} {
		c := *side
		if !c.typ.isText() && c.typ.kind != kindUnknown {
			return nil, missing
		}
		var err *Error
		t := typText
		if c.typ.kind == kindCitext {
			t = typCitext
		}
		if *side, err = s.coerce(c, t, implicit); err != nil {
			return nil, err
		}
	}
	negate := strings.HasPrefix(op, "!")
	op = strings.TrimPrefix(op, "!")
	fold := strings.HasSuffix(op, "*") || a.typ.kind == kindCitext
	like := strings.HasPrefix(op, "~~")
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		text, pattern := args[0].(string), args[1].(string)
		var ok bool
		if like {
			if strings.HasSuffix(strings.ReplaceAll(pattern, `\\`, ""), `\`) {
				return nil, fault("22025", "LIKE pattern must not end with escape character")
			}
			if fold {
				text, pattern = strings.ToLower(text), strings.ToLower(pattern)
			}
			ok = likeMatch([]rune(text), []rune(pattern))
		} else {
			re, err := compileRegexp(pattern, fold)
			if err != nil {
				return nil, err
			}
			ok = re.MatchString(text)
		}
		return ok != negate, nil
	}), nil
}

// likeMatch matches % and _, going back to the last % when it fails.
func likeMatch(text, pattern []rune) bool {
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '%':
				star, mark = p, t
				p++
				continue
			case c == '_':
				t, p = t+1, p+1
				continue
			case c == '\\' && p+1 < len(pattern) && pattern[p+1] == text[t]:
				t, p = t+1, p+2
				continue
			case c != '\\' && c == text[t]:
				t, p = t+1, p+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		t, p = mark, star+1
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// compileRegexp reads a regular expression of Postgres. Go's are alike but for what it cannot do
// (look-around, back references), which is refused.
func compileRegexp(pattern string, fold bool) (*regexp.Regexp, *Error) {
	body := pattern
	flags := "s"
	if rest, ok := strings.CutPrefix(body, "(?"); ok {
		if options, after, found := strings.Cut(rest, ")"); found && options != "" && strings.Trim(options, "icns") == "" {
			body = after
			if strings.Contains(options, "i") {
				fold = true
			}
			if strings.ContainsAny(options, "n") {
				flags = "m"
			}
		}
	}
	if fold {
		flags += "i"
	}
	for _, feature := range []string{"(?=", "(?!", "(?<"} {
		if strings.Contains(body, feature) {
			return nil, unsupported("regular expressions that look around")
		}
	}
	body = strings.NewReplacer(`\\`, `\\`, `\m`, `\b`, `\M`, `\b`, `\y`, `\b`, `\Y`, `\B`, `\Z`, `\z`).Replace(body)
	re, err := regexp.Compile("(?" + flags + ")" + body)
	if err != nil {
		reason := "invalid regular expression: "
		text := err.Error()
		switch {
		case strings.Contains(text, "missing closing ]"):
			reason += "brackets [] not balanced"
		case strings.Contains(text, "missing closing )"), strings.Contains(text, "unexpected )"):
			reason += "parentheses () not balanced"
		case strings.Contains(text, "missing argument to repetition"), strings.Contains(text, "invalid nested repetition"):
			reason += "quantifier operand invalid"
		case strings.Contains(text, "invalid escape sequence"):
			reason += "invalid escape \\ sequence"
		default:
			reason += "cannot be read"
		}
		return nil, fault("2201B", "%s", reason)
	}
	return re, nil
}

// jsonPath compiles -> ->> #> #>>.
func (s *scope) jsonPath(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	if !a.typ.isJSON() {
		return nil, missing
	}
	t := a.typ
	if strings.HasSuffix(op, ">>") {
		t = typText
	}
	var err *Error
	switch {
	case op[0] == '#':
		b, err = s.coerce(b, arrayOf(typText), implicit)
	case !b.typ.isInt():
		b, err = s.coerce(b, typText, implicit)
	}
	if err != nil {
		return nil, err
	}
	return strictly(t, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		n, err := nodeOf(args[0])
		if err != nil {
			return nil, err
		}
		switch key := args[1].(type) {
		case string:
			n = n.get(key)
		case int64:
			// jsonb keeps a plain value as an array of one, and shows it here
			if a.typ.kind != kindJSONB || n.form == jsonArray || n.form == jsonObject || key != 0 && key != -1 {
				n = n.item(key)
			}
		case *arrayValue:
			for _, part := range key.items {
				text, _ := part.(string)
				if n == nil || part == nil {
					return nil, nil
				}
				if n.form == jsonArray {
					i, err := parseInt(typInt4, text)
					if err != nil {
						return nil, nil //nolint:nilerr // no such item
					}
					n = n.item(i.(int64))
				} else {
					n = n.get(text)
				}
			}
		}
		switch {
		case n == nil:
			return nil, nil
		case t.kind == kindText:
			if a.typ.kind == kindJSON && n.form != jsonString && n.form != jsonNull { // as it is spelled
				return n.spelling(), nil
			}
			return n.asText(), nil
		case t.kind == kindJSON:
			return jsonText(n.spelling()), nil
		}
		return n, nil
	}), nil
}

// nodeOf gives a value of type json or jsonb as a node.
func nodeOf(v value) (*jsonNode, *Error) {
	switch v := v.(type) {
	case *jsonNode:
		return v, nil
	case jsonText:
		return parseBody(string(v))
	}
	return &jsonNode{form: jsonNull}, nil
}

// contain compiles @> <@ &&.
func (s *scope) contain(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	t := a.typ
	if t.kind == kindUnknown {
		t = b.typ
	}
	if op == "<@" && b.literal != nil && t.kind != kindArray && t.kind != kindRange && t.kind != kindJSONB && t.kind != kindUnknown {
		// a range of any kind could follow
		return nil, fault("42725", "operator is not unique: %s <@ unknown", t).
			hinted("Could not choose a best candidate operator. You might need to add explicit type casts.")
	}
	// a range holds an element, too
	if t.kind == kindRange && op != "&&" {
		if op == "@>" && b.typ.kind != kindUnknown && castable(b.typ, t.elem, implicit) {
			return s.rangeElement(a, b)
		}
	}
	if b.typ.kind == kindRange && op == "<@" && castable(a.typ, b.typ.elem, implicit) && a.typ.kind != kindUnknown {
		return s.rangeElement(b, a)
	}
	if t.kind != kindArray && t.kind != kindRange && (t.kind != kindJSONB || op == "&&") ||
		a.typ.kind != kindUnknown && b.typ.kind != kindUnknown && !a.typ.same(b.typ) {
		return nil, missing
	}
	a, b, err := s.unify(a, b)
	if err != nil {
		return nil, err
	}
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		x, y := args[0], args[1]
		if op == "<@" {
			x, y = y, x
		}
		switch x := x.(type) {
		case *arrayValue:
			if op == "&&" {
				return x.overlaps(t.elem, y.(*arrayValue)), nil
			}
			return x.contains(t.elem, y.(*arrayValue)), nil
		case *rangeValue:
			if op == "&&" {
				return x.overlaps(t.elem, y.(*rangeValue)), nil
			}
			return x.contains(t.elem, y.(*rangeValue)), nil
		case *jsonNode:
			return x.contains(y.(*jsonNode)), nil
		}
		return nil, nil
	}), nil
}

func (s *scope) rangeElement(r, elem *compiled) (*compiled, *Error) {
	t := r.typ
	elem, err := s.coerce(elem, t.elem, implicit)
	if err != nil {
		return nil, err
	}
	return strictly(typBool, []*compiled{r, elem}, func(_ *env, args []value) (value, *Error) {
		return args[0].(*rangeValue).contains(t.elem, &rangeValue{low: args[1], high: args[1], lowIn: true, highIn: true}), nil
	}), nil
}

func (s *scope) rangeOperator(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	if a.typ.isInt() && (b.typ.isInt() || b.literal != nil) && (op == "<<" || op == ">>") {
		return s.bits(op, a, b)
	}
	if a.typ.kind != kindRange && b.typ.kind != kindRange || a.typ.kind != kindUnknown && b.typ.kind != kindUnknown && !a.typ.same(b.typ) {
		return nil, missing
	}
	a, b, err := s.unify(a, b)
	if err != nil {
		return nil, err
	}
	elem := a.typ.elem
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		x, y := args[0].(*rangeValue), args[1].(*rangeValue)
		switch op {
		case "<<":
			return x.before(elem, y), nil
		case ">>":
			return y.before(elem, x), nil
		case "&<":
			return x.notRightOf(elem, y), nil
		case "&>":
			return x.notLeftOf(elem, y), nil
		}
		return x.adjacent(elem, y), nil
	}), nil
}

// jsonExists compiles ? ?| ?&: whether keys are there.
func (s *scope) jsonExists(op string, a, b *compiled) (*compiled, *Error) {
	if a.typ.kind != kindJSONB {
		return nil, noOperator(op, a.typ, b.typ)
	}
	t := typText
	if op != "?" {
		t = arrayOf(typText)
	}
	b, err := s.coerce(b, t, implicit)
	if err != nil {
		return nil, err
	}
	return strictly(typBool, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		n := args[0].(*jsonNode)
		has := func(key value) bool {
			text, _ := key.(string)
			return n.get(text) != nil || slices.ContainsFunc(n.items, func(i *jsonNode) bool { return i.form == jsonString && i.text == text })
		}
		switch keys := args[1].(type) {
		case string:
			return has(keys), nil
		case *arrayValue:
			if op == "?|" {
				return slices.ContainsFunc(keys.items, has), nil
			}
			return !slices.ContainsFunc(keys.items, func(k value) bool { return !has(k) }), nil
		}
		return nil, nil
	}), nil
}

func (s *scope) bits(op string, a, b *compiled) (*compiled, *Error) {
	missing := noOperator(op, a.typ, b.typ)
	if b.literal != nil && a.typ.isInt() {
		var err *Error
		if b, err = s.coerce(b, typInt4, implicit); err != nil {
			return nil, err
		}
	}
	if !a.typ.isInt() || !b.typ.isInt() {
		return nil, missing
	}
	if op != "<<" && op != ">>" {
		var err *Error
		if a, b, err = s.unify(a, b); err != nil {
			return nil, err
		}
	}
	return strictly(a.typ, []*compiled{a, b}, func(_ *env, args []value) (value, *Error) {
		x, y := args[0].(int64), args[1].(int64)
		switch op {
		case "&":
			return x & y, nil
		case "|":
			return x | y, nil
		case "#":
			return x ^ y, nil
		case "<<":
			return x << (uint64(y) & 63), nil
		}
		return x >> (uint64(y) & 63), nil
	}), nil
}
