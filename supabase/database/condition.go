package database

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Cond is a condition on rows: one operator on one column, or a tree of them by [And], [Or] and
// [Not]. It is made by the functions of this package, which are named as the methods of [Query],
// and never changes. What is wrong with it becomes the error of the query that it is given to.
type Cond struct {
	column   column
	op       string // eq, like(any), fts(english), in, is; and, or for a tree
	operand  string // as PostgREST reads it at the end of a parameter
	verbatim bool   // the operand has no quotes within a tree either
	negated  bool
	children []Cond // of a tree
	table    string // the referenced table whose rows the tree is about
	err      error
}

// String tells column and operator, and nothing of the value.
func (c Cond) String() string {
	switch {
	case c.err != nil:
		return "database.Cond(invalid)"
	case c.isTree():
		return fmt.Sprintf("database.Cond(%s of %d)", c.op, len(c.children))
	}
	return "database.Cond(" + c.column.text + " " + c.op + ")"
}

// Format writes [Cond.String] for every verb: the values are not for logs.
func (c Cond) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

func (c Cond) isTree() bool { return c.op == "and" || c.op == "or" }

// parameter gives the name and the value of the query's parameter for a condition that stands alone.
func (c Cond) parameter() (key, text string) {
	if c.isTree() {
		key = c.op
		if c.negated {
			key = "not." + key
		}
		if c.table != "" {
			key = c.table + "." + key
		}
		return key, string(c.appendChildren(nil))
	}
	text = c.op + "." + c.operand
	if c.negated {
		text = "not." + text
	}
	return c.column.text, text
}

func (c Cond) appendChildren(dst []byte) []byte {
	dst = append(dst, '(')
	for i, child := range c.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = child.appendNested(dst)
	}
	return append(dst, ')')
}

// appendNested writes a condition within a tree, where commas and parentheses mean something.
func (c Cond) appendNested(dst []byte) []byte {
	if c.isTree() {
		if c.negated {
			dst = append(dst, "not."...)
		}
		return c.appendChildren(append(dst, c.op...))
	}
	dst = append(append(dst, c.column.text...), '.')
	if c.negated {
		dst = append(dst, "not."...)
	}
	dst = append(append(dst, c.op...), '.')
	if c.verbatim {
		return append(dst, c.operand...)
	}
	return append(dst, quote(c.operand)...)
}

// narrows reports whether the condition leaves out rows of the table itself. One on a referenced
// table does not, nor does "not in" of no values, which is true of every row.
func (c Cond) narrows() bool {
	return c.table == "" && !c.column.referenced && c.restricts(false)
}

func (c Cond) restricts(negated bool) bool {
	negated = negated != c.negated
	if !c.isTree() {
		return !negated || c.op != "in" || c.operand != "()"
	}
	if (c.op == "and") != negated {
		return slices.ContainsFunc(c.children, func(child Cond) bool { return child.restricts(negated) })
	}
	return !slices.ContainsFunc(c.children, func(child Cond) bool { return !child.restricts(negated) })
}

func on(name string) Cond {
	c, err := parseColumn(name)
	return Cond{column: c, err: err}
}

// fail keeps the first error.
func (c Cond) fail(err error) Cond {
	if c.err == nil {
		c.err = err
	}
	return c
}

func (c Cond) with(op string, v value) Cond {
	c.op, c.operand, c.verbatim = op, v.text, v.plain
	return c
}

func null() value { return value{text: "null", plain: true} }

// compare is column op v, for operators that nothing is true of with NULL.
func compare(name, op string, v any) Cond {
	c := on(name)
	val, err := encode(v)
	switch {
	case err != nil:
		return c.fail(inColumn(name, err))
	case val.null:
		return c.fail(invalid("column %q: nothing compares with NULL by %s: use Is", name, op))
	}
	return c.with(op, val)
}

func inColumn(name string, err error) error {
	return &queryError{text: "column " + quote(name) + ": " + strings.TrimPrefix(err.Error(), "database: "), cause: err}
}

// Eq is column = v; with nil, column is null.
func Eq(column string, v any) Cond { return equal(column, "eq", v, false) }

// Neq is column <> v; with nil, column is not null. Rows where the column is NULL are not among
// those of a v that is not nil: see [IsDistinct].
func Neq(column string, v any) Cond { return equal(column, "neq", v, true) }

// IsDistinct is column is distinct from v: unlike [Neq] it takes NULL for a value.
func IsDistinct(column string, v any) Cond { return equal(column, "isdistinct", v, true) }

func equal(name, op string, v any, negated bool) Cond {
	c := on(name)
	val, err := encode(v)
	if err != nil {
		return c.fail(inColumn(name, err))
	}
	if val.null {
		c.negated = negated
		return c.with("is", null())
	}
	return c.with(op, val)
}

// Gt is column > v.
func Gt(column string, v any) Cond { return compare(column, "gt", v) }

// Gte is column >= v.
func Gte(column string, v any) Cond { return compare(column, "gte", v) }

// Lt is column < v.
func Lt(column string, v any) Cond { return compare(column, "lt", v) }

// Lte is column <= v.
func Lte(column string, v any) Cond { return compare(column, "lte", v) }

// Like is column like pattern, where % and * stand for any text and _ for one character.
func Like(column, pattern string) Cond { return compare(column, "like", pattern) }

// ILike is [Like] without regard to case.
func ILike(column, pattern string) Cond { return compare(column, "ilike", pattern) }

// LikeAllOf is [Like] for all of the patterns at once.
func LikeAllOf(column string, patterns ...string) Cond {
	return several(column, "like(all)", patterns)
}

// LikeAnyOf is [Like] for at least one of the patterns.
func LikeAnyOf(column string, patterns ...string) Cond {
	return several(column, "like(any)", patterns)
}

// ILikeAllOf is [LikeAllOf] without regard to case.
func ILikeAllOf(column string, patterns ...string) Cond {
	return several(column, "ilike(all)", patterns)
}

// ILikeAnyOf is [LikeAnyOf] without regard to case.
func ILikeAnyOf(column string, patterns ...string) Cond {
	return several(column, "ilike(any)", patterns)
}

func several(name, op string, patterns []string) Cond {
	if len(patterns) == 0 {
		return on(name).fail(invalid("column %q: %s without a pattern", name, op))
	}
	return compare(name, op, patterns)
}

// RegexMatch is column ~ pattern, a POSIX regular expression.
func RegexMatch(column, pattern string) Cond { return compare(column, "match", pattern) }

// RegexIMatch is [RegexMatch] without regard to case.
func RegexIMatch(column, pattern string) Cond { return compare(column, "imatch", pattern) }

// Is is column is null, true, false or unknown: for nil, a boolean, or one of these words.
func Is(column string, v any) Cond {
	c := on(column)
	val, err := encode(v)
	if err != nil {
		return c.fail(inColumn(column, err))
	}
	switch {
	case val.null:
		return c.with("is", null())
	case val.text == "not_null": // servers before 13 know it only as not.is.null
		c.negated = true
		return c.with("is", null())
	case slices.Contains([]string{"null", "true", "false", "unknown"}, val.text):
		val.plain = true
		return c.with("is", val)
	}
	return c.fail(invalid("column %q: Is takes nil, a boolean, or unknown", column))
}

// In is column in (values). Without values it is true of no row. A single value that is a slice is
// the list itself. NULL is in no list: a nil among the values is an error.
func In(column string, values ...any) Cond {
	c := on(column)
	texts, err := inList(values)
	if err != nil {
		return c.fail(inColumn(column, err))
	}
	// PostgREST takes a list of one empty text for the empty list.
	if len(texts) == 1 && texts[0] == `""` {
		return c.with("eq", value{})
	}
	return c.with("in", value{text: "(" + strings.Join(texts, ",") + ")", plain: true})
}

// NotIn is column not in (values); see [In].
func NotIn(column string, values ...any) Cond { return Not(In(column, values...)) }

// inList writes the elements of an in list, each once.
func inList(values []any) ([]string, error) {
	if len(values) == 1 {
		if elems, ok := elements(values[0]); ok {
			values = elems
		}
	}
	texts := make([]string, 0, len(values))
	seen := make(map[string]struct{}, len(values))
	for _, v := range values {
		val, err := encode(v)
		if err != nil {
			return nil, err
		}
		if val.null {
			return nil, invalid("NULL is in no list: use Or(Is(column, nil), In(…))")
		}
		text := val.text
		if !val.plain {
			text = quote(text)
		}
		if _, ok := seen[text]; !ok {
			seen[text] = struct{}{}
			texts = append(texts, text)
		}
	}
	return texts, nil
}

// Contains is column @> v: v is a slice for an array, the text of a range, or a map, a struct or
// [JSON] for jsonb.
func Contains(column string, v any) Cond { return compare(column, "cs", v) }

// ContainedBy is column <@ v; see [Contains].
func ContainedBy(column string, v any) Cond { return compare(column, "cd", v) }

// Overlaps is column && v, of arrays or ranges: they have an element in common.
func Overlaps(column string, v any) Cond { return compare(column, "ov", v) }

// RangeGt is column >> v: every element is greater than v's, a range's text such as [2,8).
func RangeGt(column string, v any) Cond { return compare(column, "sr", v) }

// RangeGte is column &> v: no element is less than v's.
func RangeGte(column string, v any) Cond { return compare(column, "nxl", v) }

// RangeLt is column << v: every element is less than v's.
func RangeLt(column string, v any) Cond { return compare(column, "sl", v) }

// RangeLte is column &< v: no element is greater than v's.
func RangeLte(column string, v any) Cond { return compare(column, "nxr", v) }

// RangeAdjacent is column -|- v: the ranges touch and have nothing between them.
func RangeAdjacent(column string, v any) Cond { return compare(column, "adj", v) }

// TextSearchOption is a [TextSearchConfig] or a [TextSearchType].
type TextSearchOption interface{ textSearch(*textSearch) }

// TextSearchConfig is the configuration of a text search: english, german. Without one it is the
// database's own.
type TextSearchConfig string

// TextSearchType says how the query of a text search is written. Without one it is a tsquery:
// 'fat' & 'cat'.
type TextSearchType string

// The types of [TextSearch].
const (
	Plain     TextSearchType = "pl" // words, all of which are in the text
	Phrase    TextSearchType = "ph" // words, in this order
	WebSearch TextSearchType = "w"  // as search engines have it: "a phrase" or -not
)

type textSearch struct{ prefix, config string }

func (c TextSearchConfig) textSearch(t *textSearch) { t.config = string(c) }
func (p TextSearchType) textSearch(t *textSearch)   { t.prefix = string(p) }

// TextSearch is column @@ query.
func TextSearch(column, query string, opts ...TextSearchOption) Cond {
	var t textSearch
	for _, o := range opts {
		o.textSearch(&t)
	}
	op := t.prefix + "fts"
	if t.config != "" {
		op += "(" + t.config + ")"
	}
	c := compare(column, op, query)
	if t.config != "" && !word(t.config) {
		return c.fail(invalid("column %q: %q is no name of a text search configuration", column, t.config))
	}
	if !slices.Contains([]string{"", "pl", "ph", "w"}, t.prefix) {
		return c.fail(invalid("column %q: %q is no type of text search", column, t.prefix))
	}
	return c
}

// word reports whether s is of ASCII letters, digits and underscores.
func word(s string) bool { return simple(strings.ToLower(s)) && len(s) == len(strings.ToLower(s)) }

// Filter is an operator by PostgREST's own name: eq, like(any), fts(english), not.in. It is for
// those that have no function here. The operators of this package take what their functions take.
func Filter(column, op string, v any) Cond {
	if inner, ok := strings.CutPrefix(op, "not."); ok {
		return Not(Filter(column, inner, v))
	}
	switch op {
	case "eq":
		return Eq(column, v)
	case "neq":
		return Neq(column, v)
	case "isdistinct":
		return IsDistinct(column, v)
	case "is":
		return Is(column, v)
	case "in":
		if _, ok := elements(v); !ok {
			return on(column).fail(invalid("column %q: in takes a slice", column))
		}
		return In(column, v)
	}
	name, rest, modified := strings.Cut(op, "(")
	modifier, closed := strings.CutSuffix(rest, ")")
	if !simple(name) || modified && (!closed || !word(modifier)) || reserved[name] {
		return on(column).fail(invalid("column %q: %q is not an operator", column, op))
	}
	return compare(column, op, v)
}

// Match is [Eq] for each column of values.
func Match(values map[string]any) Cond {
	conds := make([]Cond, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		conds = append(conds, Eq(name, values[name]))
	}
	return tree("and", "Match", conds)
}

// And is true where all conditions are.
func And(conds ...Cond) Cond { return tree("and", "And", conds) }

// Or is true where at least one of the conditions is.
func Or(conds ...Cond) Cond { return tree("or", "Or", conds) }

// Not is true where cond is false. Where cond is neither, because of a NULL, it is not true.
func Not(cond Cond) Cond {
	if cond.op == "" {
		return cond.fail(invalid("Not of an empty condition"))
	}
	cond.negated = !cond.negated
	return cond
}

func tree(op, name string, conds []Cond) Cond {
	c := Cond{op: op, children: slices.Clone(conds)}
	if len(conds) == 0 {
		return c.fail(invalid("%s without conditions", name))
	}
	for _, child := range conds {
		switch {
		case child.err != nil:
			c = c.fail(child.err)
		case child.op == "":
			c = c.fail(invalid("%s of an empty condition", name))
		case child.table != "" || child.column.referenced:
			c = c.fail(invalid("%s of a condition on a referenced table: use %s(…).Of(table)", name, name))
		}
	}
	return c
}

// Of makes a condition one on the rows of a referenced table, named as in Select, that are shown
// with each row. It does not leave out rows of the table itself, unless the table is joined by !inner.
func (c Cond) Of(table string) Cond {
	if err := parseTable(table); err != nil {
		return c.fail(err)
	}
	if c.isTree() {
		c.table = table
		return c
	}
	c.column = column{text: table + "." + c.column.text, referenced: true}
	return c
}
