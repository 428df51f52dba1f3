package fakerest

import (
	"math"
	"slices"
	"strings"
)

// compiled is an expression that can be computed.
type compiled struct {
	typ     *typ
	eval    func(e *env) (value, *Error)
	literal *string // a text whose type its place decides
	source  *origin // the column that it is, and nothing more
	name    string  // what a column of a result is called after it
}

// origin is a column of a table.
type origin struct {
	table  *table
	column int
}

// env is what an expression is computed in.
type env struct {
	tx     *txn
	rows   [][]value // one for each table of the scope
	outer  *env      // of the query around
	params []value
	joined [][][]value
}

// scope is what an expression can name.
type scope struct {
	db      *database
	tables  []scopeTable
	outer   *scope
	params  []*typ
	grouped bool // aggregates are allowed
	depth   int
	binds   *bindings // nil: a value that is wrong is told at once
}

type scopeTable struct {
	alias   string
	columns []scopeColumn
	table   *table // nil for a subquery
}

type scopeColumn struct {
	name   string
	typ    *typ
	source *origin
	hidden bool // joined by USING: the other table has it
}

// scopeOf gives a scope with the columns of one table.
func scopeOf(db *database, t *table) *scope {
	return &scope{db: db, tables: []scopeTable{tableScope(t, t.name)}}
}

func tableScope(t *table, alias string) scopeTable {
	st := scopeTable{alias: alias, table: t}
	for i, c := range t.columns {
		st.columns = append(st.columns, scopeColumn{name: c.name, typ: c.typ, source: &origin{t, i}})
	}
	return st
}

func constant(t *typ, v value) *compiled {
	return &compiled{typ: t, eval: func(*env) (value, *Error) { return v, nil }}
}

func literal(s string) *compiled {
	return &compiled{typ: typUnknown, literal: &s, eval: func(*env) (value, *Error) { return s, nil }}
}

// truth computes a condition: NULL is false.
func (c *compiled) truth(e *env) (bool, *Error) {
	v, err := c.eval(e)
	b, _ := v.(bool)
	return b, err
}

func (s *scope) compileAll(nodes []*node) ([]*compiled, *Error) {
	list := make([]*compiled, len(nodes))
	for i, n := range nodes {
		var err *Error
		if list[i], err = s.compile(n); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// condition compiles an expression that must be boolean.
func (s *scope) condition(n *node, what string) (*compiled, *Error) {
	c, err := s.compile(n)
	if err != nil {
		return nil, err
	}
	if c.typ.kind == kindUnknown {
		return s.coerce(c, typBool, implicit)
	}
	if c.typ.kind != kindBool {
		return nil, fault("42804", "argument of %s must be type boolean, not type %s", what, c.typ)
	}
	return c, nil
}

// compile resolves names and types.
func (s *scope) compile(n *node) (*compiled, *Error) {
	switch n.op {
	case nodeConst:
		return literal(n.text), nil
	case nodeNumber:
		return numberConstant(n.text)
	case nodeBool:
		return constant(typBool, n.text == "true"), nil
	case nodeNull:
		return &compiled{typ: typUnknown, eval: func(*env) (value, *Error) { return nil, nil }}, nil
	case nodeDefault:
		return nil, fault("42601", "DEFAULT is not allowed in this context")
	case nodeParam:
		return s.param(n.text)
	case nodeColumn:
		return s.column(n.names)
	case nodeStar:
		return nil, fault("42601", "* is not allowed in this context")
	case nodeCall:
		return s.call(n)
	case nodeCast:
		return s.cast(n)
	case nodeUnary:
		return s.unary(n)
	case nodeBinary:
		kids, err := s.compileAll(n.kids)
		if err != nil {
			return nil, err
		}
		return s.binary(n.text, kids[0], kids[1])
	case nodeAnd, nodeOr:
		return s.logic(n)
	case nodeNot:
		c, err := s.condition(n.kids[0], "NOT")
		if err != nil {
			return nil, err
		}
		return negation(c), nil
	case nodeIs:
		return s.isTest(n)
	case nodeIn:
		return s.in(n)
	case nodeBetween:
		return s.between(n)
	case nodeLike:
		kids, err := s.compileAll(n.kids)
		if err != nil {
			return nil, err
		}
		return s.binary(strings.Repeat("!", boolInt(n.negate))+map[string]string{"like": "~~", "ilike": "~~*"}[n.text], kids[0], kids[1])
	case nodeCase:
		return s.caseExpr(n)
	case nodeArray:
		return s.array(n)
	case nodeIndex:
		return s.index(n)
	case nodeQuery, nodeExists, nodeArrayQuery:
		return s.subquery(n)
	case nodeQuant:
		return s.quantified(n)
	case nodeZone:
		return s.atZone(n)
	}
	return nil, fault("0A000", "this expression is not supported")
}

func numberConstant(text string) (*compiled, *Error) {
	d, ok := parseDecimal(text)
	if !ok || d == nil {
		return nil, fault("22P02", "invalid number %s", text)
	}
	if strings.ContainsAny(text, ".eE") {
		return constant(typNumeric, d), nil
	}
	n, fits := d.int64()
	switch {
	case fits && n >= math.MinInt32 && n <= math.MaxInt32:
		return constant(typInt4, n), nil
	case fits:
		return constant(typInt8, n), nil
	}
	return constant(typNumeric, d), nil
}

func (s *scope) param(text string) (*compiled, *Error) {
	i := number(text) - 1
	if i < 0 || i >= len(s.params) {
		return nil, fault("42P02", "there is no parameter $%s", text)
	}
	return &compiled{typ: s.params[i], eval: func(e *env) (value, *Error) {
		for e.params == nil && e.outer != nil {
			e = e.outer
		}
		return e.params[i], nil
	}}, nil
}

// column finds a column in the scope or those around it.
func (s *scope) column(names []string) (*compiled, *Error) {
	name, tableName := names[len(names)-1], ""
	if len(names) > 1 {
		tableName = names[len(names)-2]
	}
	known := tableName == ""
	for up, sc := 0, s; sc != nil; up, sc = up+1, sc.outer {
		found := -1
		var at int
		for i, t := range sc.tables {
			if tableName != "" && t.alias != tableName {
				continue
			}
			known = true
			for j, c := range t.columns {
				if c.name != name || c.hidden && tableName == "" {
					continue
				}
				if found >= 0 {
					return nil, fault("42702", "column reference \"%s\" is ambiguous", name)
				}
				found, at = i, j
			}
		}
		if found >= 0 {
			c := sc.tables[found].columns[at]
			return &compiled{typ: c.typ, source: c.source, name: name, eval: func(e *env) (value, *Error) {
				for range up {
					e = e.outer
				}
				return e.rows[found][at], nil
			}}, nil
		}
		// a table's own name stands for its row
		for i, t := range sc.tables {
			if tableName == "" && t.alias == name && t.table != nil {
				return &compiled{typ: recordOf(t.table), name: name, eval: func(e *env) (value, *Error) {
					for range up {
						e = e.outer
					}
					return e.rows[i], nil
				}}, nil
			}
		}
	}
	if !known {
		return nil, fault("42P01", "missing FROM-clause entry for table \"%s\"", tableName)
	}
	if tableName != "" {
		return nil, fault("42703", "column %s.%s does not exist", tableName, name)
	}
	return nil, fault("42703", "column \"%s\" does not exist", name)
}

func (s *scope) cast(n *node) (*compiled, *Error) {
	t, err := s.db.resolveType(n.ref)
	if err != nil {
		return nil, err
	}
	if k := n.kids[0]; k.op == nodeArray && len(k.kids) == 0 {
		if t.kind != kindArray {
			return nil, fault("42846", "cannot cast type text[] to %s", t)
		}
		return constant(t, &arrayValue{}), nil
	}
	c, err := s.compile(n.kids[0])
	if err != nil {
		return nil, err
	}
	name := c.name
	c, err = s.coerce(c, t, explicit)
	if err != nil {
		return nil, err
	}
	named := *c
	named.name = name
	if named.name == "" {
		named.name = n.ref.name.name
	}
	named.source = nil
	return &named, nil
}

func (s *scope) unary(n *node) (*compiled, *Error) {
	c, err := s.compile(n.kids[0])
	if err != nil {
		return nil, err
	}
	if c.literal != nil {
		if c, err = s.coerce(c, typNumeric, explicit); err != nil {
			return nil, err
		}
	}
	if n.text == "+" && c.typ.isNumber() {
		return c, nil
	}
	if n.text != "-" || !c.typ.isNumber() && c.typ.kind != kindInterval {
		return nil, fault("42883", "operator does not exist: %s %s", n.text, c.typ)
	}
	return strictly(c.typ, []*compiled{c}, func(_ *env, args []value) (value, *Error) {
		switch v := args[0].(type) {
		case int64:
			if low, _ := intRange(c.typ); v == low {
				return nil, outOfRange(c.typ)
			}
			return -v, nil
		case *decimal:
			return v.neg(), nil
		case float64:
			return -v, nil
		case intervalValue:
			return intervalValue{-v.months, -v.days, -v.micros}, nil
		}
		return nil, nil
	}), nil
}

func outOfRange(t *typ) *Error { return fault("22003", "%s out of range", t) }

// strictly computes what is NULL if one of its arguments is.
func strictly(t *typ, args []*compiled, f func(e *env, args []value) (value, *Error)) *compiled {
	return &compiled{typ: t, eval: func(e *env) (value, *Error) {
		values := make([]value, len(args))
		for i, a := range args {
			v, err := a.eval(e)
			if err != nil || v == nil {
				return nil, err
			}
			values[i] = v
		}
		return f(e, values)
	}}
}

func negation(c *compiled) *compiled {
	return strictly(typBool, []*compiled{c}, func(_ *env, args []value) (value, *Error) { return !args[0].(bool), nil })
}

func (s *scope) logic(n *node) (*compiled, *Error) {
	what, decides := "AND", false
	if n.op == nodeOr {
		what, decides = "OR", true
	}
	kids := make([]*compiled, len(n.kids))
	for i, k := range n.kids {
		var err *Error
		if kids[i], err = s.condition(k, what); err != nil {
			return nil, err
		}
	}
	return junction(kids, decides), nil
}

// junction is AND or OR of three values: decided by the first that decides, else NULL if one is.
func junction(kids []*compiled, decides bool) *compiled {
	return &compiled{typ: typBool, eval: func(e *env) (value, *Error) {
		var out value = !decides
		for _, k := range kids {
			v, err := k.eval(e)
			switch {
			case err != nil:
				return nil, err
			case v == nil:
				out = nil
			case v.(bool) == decides:
				return decides, nil
			}
		}
		return out, nil
	}}
}

func (s *scope) isTest(n *node) (*compiled, *Error) {
	kids, err := s.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	if n.text == "distinct" {
		return s.distinctFrom(kids[0], kids[1], n.negate)
	}
	return s.is(kids[0], n.text, n.negate)
}

// is tests for null, true, false or unknown; it is never NULL itself.
func (s *scope) is(c *compiled, what string, negate bool) (*compiled, *Error) {
	if what != "null" {
		if c.typ.kind == kindUnknown {
			var err *Error
			if c, err = s.coerce(c, typBool, implicit); err != nil {
				return nil, err
			}
		}
		if c.typ.kind != kindBool {
			return nil, fault("42804", "argument of IS %s must be type boolean, not type %s", strings.Repeat("NOT ", boolInt(negate))+strings.ToUpper(what), c.typ)
		}
	}
	return &compiled{typ: typBool, eval: func(e *env) (value, *Error) {
		v, err := c.eval(e)
		if err != nil {
			return nil, err
		}
		var holds bool
		switch what {
		case "null", "unknown":
			holds = v == nil
		case "true":
			holds = v == true
		case "false":
			holds = v == false
		}
		return holds != negate, nil
	}}, nil
}

// distinctFrom is a IS DISTINCT FROM b, or with same IS NOT DISTINCT FROM.
func (s *scope) distinctFrom(a, b *compiled, same bool) (*compiled, *Error) {
	if _, err := s.binary("=", a, b); err != nil {
		return nil, err
	}
	a, b, err := s.unify(a, b)
	if err != nil {
		return nil, err
	}
	return &compiled{typ: typBool, eval: func(e *env) (value, *Error) {
		x, err := a.eval(e)
		if err != nil {
			return nil, err
		}
		y, err := b.eval(e)
		if err != nil {
			return nil, err
		}
		equal := x == nil && y == nil || x != nil && y != nil && compareValues(a.typ, x, y) == 0
		return equal == same, nil
	}}, nil
}

func (s *scope) in(n *node) (*compiled, *Error) {
	left, err := s.compile(n.kids[0])
	if err != nil {
		return nil, err
	}
	if n.query != nil {
		return s.inQuery(left, n.query, "=", false, n.negate)
	}
	tests := make([]*compiled, 0, len(n.kids)-1)
	for _, k := range n.kids[1:] {
		right, err := s.compile(k)
		if err != nil {
			return nil, err
		}
		t, err := s.binary("=", left, right)
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	c := junction(tests, true)
	if n.negate {
		return negation(c), nil
	}
	return c, nil
}

func (s *scope) between(n *node) (*compiled, *Error) {
	kids, err := s.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	low, err := s.binary(">=", kids[0], kids[1])
	if err != nil {
		return nil, err
	}
	high, err := s.binary("<=", kids[0], kids[2])
	if err != nil {
		return nil, err
	}
	c := junction([]*compiled{low, high}, false)
	if n.negate {
		return negation(c), nil
	}
	return c, nil
}

func (s *scope) caseExpr(n *node) (*compiled, *Error) {
	var operand *compiled
	var err *Error
	if n.kids[0] != nil {
		if operand, err = s.compile(n.kids[0]); err != nil {
			return nil, err
		}
	}
	var tests, results []*compiled
	for i := 1; i+1 < len(n.kids); i += 2 {
		var test *compiled
		if operand == nil {
			test, err = s.condition(n.kids[i], "CASE/WHEN")
		} else {
			var right *compiled
			if right, err = s.compile(n.kids[i]); err == nil {
				test, err = s.binary("=", operand, right)
			}
		}
		if err != nil {
			return nil, err
		}
		result, err := s.compile(n.kids[i+1])
		if err != nil {
			return nil, err
		}
		tests, results = append(tests, test), append(results, result)
	}
	if last := n.kids[len(n.kids)-1]; last != nil {
		result, err := s.compile(last)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	results, t, err := s.common(results, "CASE")
	if err != nil {
		return nil, err
	}
	return &compiled{typ: t, name: "case", eval: func(e *env) (value, *Error) {
		for i, test := range tests {
			ok, err := test.truth(e)
			if err != nil {
				return nil, err
			}
			if ok {
				return results[i].eval(e)
			}
		}
		if len(results) > len(tests) {
			return results[len(tests)].eval(e)
		}
		return nil, nil
	}}, nil
}

// common brings expressions to one type.
func (s *scope) common(list []*compiled, what string) ([]*compiled, *typ, *Error) {
	var t *typ
	for _, c := range list {
		if c.typ.kind == kindUnknown {
			continue
		}
		if t == nil {
			t = c.typ
			continue
		}
		if u := wider(t, c.typ); u != nil {
			t = u
			continue
		}
		return nil, nil, fault("42804", "%s types %s and %s cannot be matched", what, t, c.typ)
	}
	if t == nil {
		t = typText
	}
	out := make([]*compiled, len(list))
	for i, c := range list {
		var err *Error
		if out[i], err = s.coerce(c, t, implicit); err != nil {
			return nil, nil, err
		}
	}
	return out, t, nil
}

func (s *scope) array(n *node) (*compiled, *Error) {
	kids, err := s.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	if len(kids) == 0 {
		return nil, fault("42P18", "cannot determine type of empty array")
	}
	kids, t, err := s.common(kids, "ARRAY")
	if err != nil {
		return nil, err
	}
	if t.kind == kindArray {
		return nil, fault("0A000", "an array of arrays is not supported here: write it as text")
	}
	return &compiled{typ: arrayOf(t), name: "array", eval: func(e *env) (value, *Error) {
		items := make([]value, len(kids))
		for i, k := range kids {
			var err *Error
			if items[i], err = k.eval(e); err != nil {
				return nil, err
			}
		}
		return listOf(items...), nil
	}}, nil
}

func (s *scope) index(n *node) (*compiled, *Error) {
	kids, err := s.compileAll(n.kids)
	if err != nil {
		return nil, err
	}
	if kids[0].typ.kind != kindArray {
		return nil, fault("42804", "cannot subscript type %s because it does not support subscripting", kids[0].typ)
	}
	if kids[1], err = s.coerce(kids[1], typInt4, assignment); err != nil {
		return nil, err
	}
	return strictly(kids[0].typ.elem, kids, func(_ *env, args []value) (value, *Error) {
		a, i := args[0].(*arrayValue), args[1].(int64)
		if len(a.dims) != 1 || i < 1 || i > int64(len(a.items)) {
			return nil, nil
		}
		return a.items[i-1], nil
	}), nil
}

// quantified is left op any (array), or all.
func (s *scope) quantified(n *node) (*compiled, *Error) {
	left, err := s.compile(n.kids[0])
	if err != nil {
		return nil, err
	}
	all := n.names[0] == "all"
	if n.query != nil {
		return s.inQuery(left, n.query, n.text, all, false)
	}
	right, err := s.compile(n.kids[1])
	if err != nil {
		return nil, err
	}
	return s.anyOf(n.text, left, right, all)
}

// anyOf is left op any (right), or all (right), of an array.
func (s *scope) anyOf(op string, left, right *compiled, all bool) (*compiled, *Error) {
	text := right.literal != nil
	if text {
		elem := left.typ
		switch {
		case elem.kind == kindChar:
			elem = typChar
		case elem.kind == kindUnknown || elem.isText():
			elem = typText
		}
		if elem.kind == kindArray {
			if _, err := s.binary(op, left, left); err != nil {
				return nil, noOperator(op, left.typ, typUnknown)
			}
			return nil, fault("42704", "could not find array type for data type %s", elem)
		}
		var err *Error
		if right, err = s.coerce(right, arrayOf(elem), explicit); err != nil {
			return nil, err
		}
	}
	if right.typ.kind != kindArray {
		return nil, fault("42809", "op ANY/ALL (array) requires array on right side")
	}
	elem := right.typ.elem
	slot := &compiled{typ: elem, eval: func(e *env) (value, *Error) { return e.params[len(e.params)-1], nil }}
	test, err := s.binary(op, left, slot)
	if err != nil && text && err.Code == "42883" {
		err = noOperator(op, left.typ, typUnknown)
	}
	if err != nil {
		return nil, err
	}
	return &compiled{typ: typBool, eval: func(e *env) (value, *Error) {
		list, err := right.eval(e)
		if err != nil || list == nil {
			return nil, err
		}
		inner := *e
		params := e.params
		for up := e; params == nil && up.outer != nil; up = up.outer {
			params = up.outer.params
		}
		inner.params = append(slices.Clip(params), nil)
		var out value = all
		for _, v := range list.(*arrayValue).items {
			inner.params[len(inner.params)-1] = v
			got, err := test.eval(&inner)
			switch {
			case err != nil:
				return nil, err
			case got == nil:
				out = nil
			case got.(bool) != all:
				return !all, nil
			}
		}
		return out, nil
	}}, nil
}
