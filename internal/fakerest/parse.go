package fakerest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parser reads the tokens of SQL.
type parser struct {
	src    string
	tokens []token
	at     int
	depth  int
}

// maxNesting bounds how deep expressions nest.
const maxNesting = 200

func newParser(src string) (*parser, *SchemaError) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	return &parser{src: src, tokens: tokens}, nil
}

// parseFault ends the parsing of a statement: it is thrown by fail and caught by statement.
type parseFault struct{ err *SchemaError }

func (p *parser) fail(format string, args ...any) {
	panic(parseFault{&SchemaError{Line: p.peek().line, Text: fmt.Sprintf(format, args...)}})
}

// caught turns what fail has thrown into an error.
func caught(err **SchemaError) {
	if r := recover(); r != nil {
		f, ok := r.(parseFault)
		if !ok {
			panic(r)
		}
		*err = f.err
	}
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) peekAt(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) unexpected() {
	t := p.peek()
	if t.kind == tokEnd {
		p.fail("unexpected end")
	}
	p.fail("syntax error at or near %q", p.src[t.from:t.to])
}

// is reports whether the next tokens are these words or marks.
func (p *parser) is(words ...string) bool {
	for i, w := range words {
		t := p.peekAt(i)
		if t.text != w || t.kind != tokWord && t.kind != tokOp {
			return false
		}
	}
	return true
}

// accept takes these words or marks if they are next.
func (p *parser) accept(words ...string) bool {
	if !p.is(words...) {
		return false
	}
	p.at += len(words)
	return true
}

func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.accept(w) {
			p.unexpected()
		}
	}
}

// oneOf takes one of the words, and gives it.
func (p *parser) oneOf(words ...string) string {
	if t := p.peek(); t.kind == tokWord && slices.Contains(words, t.text) {
		p.at++
		return t.text
	}
	return ""
}

// isReserved tells the words that are no names without quotes.
func isReserved(word string) bool {
	switch word {
	case "all", "and", "any", "array", "as", "asc", "case", "cast", "check", "collate", "column", "constraint", "create",
		"default", "desc", "distinct", "do", "else", "end", "except", "false", "for", "foreign", "from", "grant", "group",
		"having", "in", "intersect", "into", "lateral", "limit", "not", "null", "offset", "on", "only", "or", "order",
		"primary", "references", "returning", "select", "some", "table", "then", "to", "true", "union", "unique", "user",
		"using", "when", "where", "window", "with", "is", "like", "ilike", "left", "right", "inner", "join", "cross", "full", "natural":
		return true
	}
	return false
}

// name takes a name.
func (p *parser) name() string {
	t := p.peek()
	if t.kind == tokQuoted || t.kind == tokWord && !isReserved(t.text) {
		p.at++
		return t.text
	}
	p.unexpected()
	return ""
}

// label takes a name where keywords are names too.
func (p *parser) label() string {
	t := p.peek()
	if t.kind == tokQuoted || t.kind == tokWord {
		p.at++
		return t.text
	}
	p.unexpected()
	return ""
}

// qualified is a name with or without its schema.
type qualified struct{ schema, name string }

func (q qualified) String() string {
	if q.schema == "" {
		return q.name
	}
	return q.schema + "." + q.name
}

func (p *parser) qualified() qualified {
	first := p.name()
	if p.accept(".") {
		return qualified{first, p.label()}
	}
	return qualified{name: first}
}

// names takes (a, b, c).
func (p *parser) names() []string {
	p.expect("(")
	var list []string
	for {
		list = append(list, p.name())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return list
}

func (p *parser) integer() int {
	neg := p.accept("-")
	t := p.take()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil {
		p.at--
		p.unexpected()
	}
	if neg {
		return -n
	}
	return n
}

func (p *parser) text() string {
	t := p.take()
	if t.kind != tokString {
		p.at--
		p.unexpected()
	}
	return t.text
}

// typeRef is a type as it is written.
type typeRef struct {
	name  qualified
	mods  []int
	array bool
	line  int
}

func (r typeRef) String() string {
	s := r.name.String()
	if r.array {
		s += "[]"
	}
	return s
}

// typeRef takes the name of a type.
func (p *parser) typeRef() typeRef {
	r := typeRef{line: p.peek().line}
	if p.peek().kind == tokQuoted || p.peekAt(1).text == "." {
		r.name = p.qualified()
		if r.name.schema == "pg_catalog" || r.name.schema == "extensions" {
			r.name.schema = ""
		}
	} else {
		r.name.name = p.label()
		switch word := r.name.name; word {
		case "double":
			p.expect("precision")
			r.name.name = "double precision"
		case "character", "char":
			if p.accept("varying") {
				r.name.name = "character varying"
			}
		case "national":
			p.fail("the type national character is not supported")
		case "bit":
			p.fail("the type bit is not supported")
		}
	}
	if p.accept("(") {
		for {
			r.mods = append(r.mods, p.integer())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	}
	if r.name.schema == "" && (r.name.name == "timestamp" || r.name.name == "time") {
		switch {
		case p.accept("with", "time", "zone"):
			if r.name.name == "time" {
				p.fail("the type time with time zone is not supported")
			}
			r.name.name = "timestamptz"
		case p.accept("without", "time", "zone"):
		}
	}
	for p.accept("[") {
		if p.peek().kind == tokNumber {
			p.take()
		}
		p.expect("]")
		r.array = true
	}
	if p.accept("array") {
		r.array = true
		if p.accept("[") {
			p.integer()
			p.expect("]")
		}
	}
	return r
}

// nodeOp is what a node of an expression does.
type nodeOp uint8

const (
	nodeConst  nodeOp = iota // text; a string or NULL
	nodeNumber               // text
	nodeBool                 // text: true or false
	nodeNull
	nodeDefault
	nodeParam  // text: its number
	nodeColumn // names: the table's, if given, and the column's
	nodeStar   // names: the table's, if given
	nodeCall   // names: function; kids: arguments
	nodeCast   // kid; ref
	nodeUnary  // text: operator
	nodeBinary // text: operator
	nodeAnd
	nodeOr
	nodeNot
	nodeIs      // text: null, true, false, unknown, distinct (of two kids); negate
	nodeIn      // kids: left, the list; or query
	nodeBetween // kids: value, low, high
	nodeLike    // text: like, ilike, similar; kids: value, pattern
	nodeCase    // kids: operand or nil, then pairs, then else or nil
	nodeArray   // kids
	nodeIndex   // kids: array, subscript
	nodeQuery   // query: a scalar subselect
	nodeExists  // query
	nodeQuant   // text: operator; names: any or all; kids: left, array or nil with query
	nodeZone    // kids: value, zone
	nodeArrayQuery
)

// node is an expression as it is written.
type node struct {
	op       nodeOp
	text     string
	names    []string
	kids     []*node
	ref      typeRef
	query    *selectStmt
	negate   bool
	distinct bool // of the arguments of an aggregate
	star     bool // count(*)
	filter   *node
	line     int
}

func (p *parser) node(op nodeOp, kids ...*node) *node {
	return &node{op: op, kids: kids, line: p.peek().line}
}

func (p *parser) enter() {
	p.depth++
	if p.depth > maxNesting {
		p.fail("an expression that nests too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

// expr takes an expression.
func (p *parser) expr() *node {
	p.enter()
	defer p.leave()
	left := p.and()
	for p.accept("or") {
		n := p.node(nodeOr, left)
		n.kids = append(n.kids, p.and())
		left = n
	}
	return left
}

func (p *parser) and() *node {
	left := p.not()
	for p.accept("and") {
		n := p.node(nodeAnd, left)
		n.kids = append(n.kids, p.not())
		left = n
	}
	return left
}

func (p *parser) not() *node {
	if p.is("not") {
		p.enter()
		defer p.leave()
		n := p.node(nodeNot)
		p.take()
		n.kids = []*node{p.not()}
		return n
	}
	return p.isTest()
}

func (p *parser) isTest() *node {
	left := p.comparison()
	for {
		switch {
		case p.accept("isnull"):
			left = p.node(nodeIs, left)
			left.text = "null"
		case p.accept("notnull"):
			left = p.node(nodeIs, left)
			left.text, left.negate = "null", true
		case p.is("is"):
			n := p.node(nodeIs, left)
			p.take()
			n.negate = p.accept("not")
			switch {
			case p.accept("distinct", "from"):
				n.text = "distinct"
				n.kids = append(n.kids, p.comparison())
			default:
				n.text = p.oneOf("null", "true", "false", "unknown")
				if n.text == "" {
					p.unexpected()
				}
			}
			left = n
		default:
			return left
		}
	}
}

func (p *parser) comparison() *node {
	left := p.pattern()
	for {
		t := p.peek()
		if t.kind != tokOp || !slices.Contains([]string{"=", "<", ">", "<=", ">=", "<>", "!="}, t.text) {
			return left
		}
		p.take()
		left = p.binary(t, left, p.pattern)
	}
}

// binary takes the right side of an operator, which may be any(…) or all(…).
func (p *parser) binary(op token, left *node, right func() *node) *node {
	text := op.text
	if text == "!=" {
		text = "<>"
	}
	if quant := p.peek(); quant.kind == tokWord && (quant.text == "any" || quant.text == "all" || quant.text == "some") && p.peekAt(1).text == "(" {
		p.take()
		p.expect("(")
		n := &node{op: nodeQuant, text: text, names: []string{strings.Replace(quant.text, "some", "any", 1)}, kids: []*node{left}, line: op.line}
		if p.is("select") {
			n.query = p.selectStmt()
		} else {
			n.kids = append(n.kids, p.expr())
		}
		p.expect(")")
		return n
	}
	return &node{op: nodeBinary, text: text, kids: []*node{left, right()}, line: op.line}
}

func (p *parser) pattern() *node {
	left := p.otherOperator()
	for {
		start := p.at
		negate := p.accept("not")
		n := p.node(nodeLike, left)
		n.negate = negate
		switch {
		case p.accept("between"):
			n.op = nodeBetween
			p.accept("asymmetric")
			low := p.otherOperator()
			p.expect("and")
			n.kids = append(n.kids, low, p.otherOperator())
		case p.accept("in"):
			n.op = nodeIn
			p.expect("(")
			if p.is("select") {
				n.query = p.selectStmt()
			} else {
				for {
					n.kids = append(n.kids, p.expr())
					if !p.accept(",") {
						break
					}
				}
			}
			p.expect(")")
		case p.is("like") || p.is("ilike"):
			t := p.take()
			n.text = t.text
			if p.is("any") || p.is("all") {
				op := map[string]string{"like": "~~", "ilike": "~~*"}[t.text]
				if negate {
					op = "!" + op
				}
				n = p.binary(token{text: op, line: t.line}, left, p.otherOperator)
				break
			}
			n.kids = append(n.kids, p.otherOperator())
			if p.accept("escape") {
				p.fail("LIKE … ESCAPE is not supported")
			}
		case p.is("similar", "to"):
			p.fail("SIMILAR TO is not supported")
		default:
			p.at = start
			return left
		}
		left = n
	}
}

func (p *parser) otherOperator() *node {
	left := p.sum()
	for {
		t := p.peek()
		if t.kind != tokOp || strings.IndexByte(operatorChars, t.text[0]) < 0 ||
			slices.Contains([]string{"=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "^"}, t.text) {
			return left
		}
		p.take()
		left = p.binary(t, left, p.sum)
	}
}

func (p *parser) sum() *node {
	left := p.product()
	for p.is("+") || p.is("-") {
		left = p.binary(p.take(), left, p.product)
	}
	return left
}

func (p *parser) product() *node {
	left := p.power()
	for p.is("*") || p.is("/") || p.is("%") {
		left = p.binary(p.take(), left, p.power)
	}
	return left
}

func (p *parser) power() *node {
	left := p.unary()
	for p.is("^") {
		left = p.binary(p.take(), left, p.unary)
	}
	return left
}

func (p *parser) unary() *node {
	if p.is("-") || p.is("+") {
		p.enter()
		defer p.leave()
		n := p.node(nodeUnary)
		n.text = p.take().text
		n.kids = []*node{p.unary()}
		return n
	}
	return p.zoned()
}

func (p *parser) zoned() *node {
	left := p.postfix()
	for {
		switch {
		case p.accept("at", "time", "zone"):
			n := p.node(nodeZone, left)
			n.kids = append(n.kids, p.postfix())
			left = n
		case p.accept("collate"):
			if c := p.qualified(); c.name != "C" && c.name != "POSIX" && c.name != "default" {
				p.fail("the collation %s is not supported: text is sorted by its bytes", c)
			}
		default:
			return left
		}
	}
}

func (p *parser) postfix() *node {
	left := p.primary()
	for {
		switch {
		case p.is("::"):
			n := p.node(nodeCast, left)
			p.take()
			n.ref = p.typeRef()
			left = n
		case p.is("["):
			n := p.node(nodeIndex, left)
			p.take()
			n.kids = append(n.kids, p.expr())
			p.expect("]")
			left = n
		default:
			return left
		}
	}
}

func (p *parser) primary() *node {
	p.enter()
	defer p.leave()
	n := p.node(nodeConst)
	t := p.peek()
	switch t.kind {
	case tokString:
		n.text = p.take().text
		return n
	case tokNumber:
		n.op, n.text = nodeNumber, p.take().text
		return n
	case tokParam:
		n.op, n.text = nodeParam, p.take().text
		return n
	case tokOp:
		if p.accept("(") {
			if p.is("select") {
				n.op, n.query = nodeQuery, p.selectStmt()
			} else {
				inner := p.expr()
				if p.is(",") {
					p.fail("a row of several values is not supported here")
				}
				n = inner
			}
			p.expect(")")
			return n
		}
		if t.text == "*" {
			p.take()
			n.op = nodeStar
			return n
		}
		p.unexpected()
	case tokEnd:
		p.unexpected()
	case tokWord:
		if special := p.keyword(n); special {
			return n
		}
	}
	return p.reference(n)
}

// keyword takes an expression that begins with a word of its own.
func (p *parser) keyword(n *node) bool {
	switch {
	case p.accept("null"):
		n.op = nodeNull
	case p.is("true") || p.is("false"):
		n.op, n.text = nodeBool, p.take().text
	case p.accept("default"):
		n.op = nodeDefault
	case p.accept("cast", "("):
		n.op = nodeCast
		n.kids = []*node{p.expr()}
		p.expect("as")
		n.ref = p.typeRef()
		p.expect(")")
	case p.accept("exists", "("):
		n.op = nodeExists
		n.query = p.selectStmt()
		p.expect(")")
	case p.accept("case"):
		p.caseExpr(n)
	case p.accept("array", "["):
		n.op = nodeArray
		for !p.accept("]") {
			n.kids = append(n.kids, p.expr())
			if !p.is("]") {
				p.expect(",")
			}
		}
	case p.is("array", "(", "select"):
		p.take()
		p.expect("(")
		n.op, n.query = nodeArrayQuery, p.selectStmt()
		p.expect(")")
	case p.accept("extract", "("):
		n.op, n.names = nodeCall, []string{"extract"}
		field := p.node(nodeConst)
		if p.peek().kind == tokString {
			field.text = p.take().text
		} else {
			field.text = p.label()
		}
		p.expect("from")
		n.kids = []*node{field, p.expr()}
		p.expect(")")
	case p.accept("position", "("):
		n.op, n.names = nodeCall, []string{"strpos"}
		part := p.otherOperator()
		p.expect("in")
		n.kids = []*node{p.otherOperator(), part}
		p.expect(")")
	case p.accept("trim", "("):
		n.op, n.names = nodeCall, []string{"btrim"}
		if side := p.oneOf("both", "leading", "trailing"); side == "leading" {
			n.names[0] = "ltrim"
		} else if side == "trailing" {
			n.names[0] = "rtrim"
		}
		var chars *node
		if !p.accept("from") {
			n.kids = []*node{p.expr()}
			if p.accept("from") {
				chars = n.kids[0]
				n.kids = nil
			}
		}
		if n.kids == nil {
			n.kids = []*node{p.expr()}
		}
		if chars != nil {
			n.kids = append(n.kids, chars)
		} else if p.accept(",") {
			n.kids = append(n.kids, p.expr())
		}
		p.expect(")")
	case p.is("current_timestamp") || p.is("current_date") || p.is("current_time") || p.is("localtimestamp") || p.is("current_user") || p.is("session_user") || p.is("current_role") || p.is("user"):
		n.op, n.names = nodeCall, []string{p.take().text}
		if p.accept("(") {
			p.integer()
			p.expect(")")
		}
	case (p.is("interval") || p.is("date") || p.is("timestamp") || p.is("timestamptz") || p.is("time")) && p.peekAt(1).kind == tokString:
		n.op, n.ref = nodeCast, typeRef{name: qualified{name: p.take().text}, line: n.line}
		n.kids = []*node{{op: nodeConst, text: p.text(), line: n.line}}
	case p.is("row", "("):
		p.fail("ROW(…) is not supported")
	default:
		return false
	}
	return true
}

func (p *parser) caseExpr(n *node) {
	n.op = nodeCase
	var operand *node
	if !p.is("when") {
		operand = p.expr()
	}
	n.kids = []*node{operand}
	for p.accept("when") {
		n.kids = append(n.kids, p.expr())
		p.expect("then")
		n.kids = append(n.kids, p.expr())
	}
	if len(n.kids) < 3 {
		p.unexpected()
	}
	var otherwise *node
	if p.accept("else") {
		otherwise = p.expr()
	}
	n.kids = append(n.kids, otherwise)
	p.expect("end")
}

// reference takes the name of a column or the call of a function.
func (p *parser) reference(n *node) *node {
	// left and right are functions too
	var first string
	if t := p.peek(); t.kind == tokWord && (t.text == "left" || t.text == "right") && p.peekAt(1).text == "(" {
		first = p.take().text
	} else {
		first = p.name()
	}
	n.op, n.names = nodeColumn, []string{first}
	for p.accept(".") {
		if p.accept("*") {
			n.op = nodeStar
			return n
		}
		n.names = append(n.names, p.label())
		if len(n.names) > 3 {
			p.unexpected()
		}
	}
	if !p.accept("(") {
		return n
	}
	n.op = nodeCall
	if p.accept(")") {
		p.filterClause(n)
		return n
	}
	n.distinct = p.accept("distinct")
	if p.accept("*") {
		n.star = true
	} else {
		for {
			n.kids = append(n.kids, p.expr())
			if n.names[len(n.names)-1] == "substring" && (p.is("from") || p.is("for")) {
				if p.accept("for") {
					n.kids = append(n.kids, &node{op: nodeNumber, text: "1", line: n.line}, p.expr())
					break
				}
				p.take()
				n.kids = append(n.kids, p.expr())
				if p.accept("for") {
					n.kids = append(n.kids, p.expr())
				}
				break
			}
			if !p.accept(",") {
				break
			}
		}
		if p.is("order", "by") {
			p.fail("ORDER BY within an aggregate is not supported")
		}
	}
	p.expect(")")
	p.filterClause(n)
	return n
}

func (p *parser) filterClause(n *node) {
	if p.accept("filter", "(") {
		p.expect("where")
		n.filter = p.expr()
		p.expect(")")
	}
	if p.is("over") {
		p.fail("window functions are not supported")
	}
}
