package fakerest

import (
	"slices"
	"strconv"
	"strings"
)

// bindings remembers the first value that is none of its type. Postgres tells it only after all
// names and types are resolved.
type bindings struct{ err *Error }

// plan is what a request reads: rows of one table, and of those embedded in it.
type plan struct {
	db     *database
	schema string // in which embedded tables are looked for
	rel    *table
	source func(tx *txn) ([][]value, *Error) // nil: the table's rows
	alias  string                            // of the table, in messages
	scope  *scope
	binds  *bindings

	selected []selectItem // as they came, with filters and terms
	filters  []condition
	terms    []orderTerm

	items   []planItem
	where   []test
	order   []planOrder
	limit   int
	offset  int
	embeds  []*embed
	grouped bool     // some items are aggregates
	counted bool     // by the name count alone: nothing else may be shown
	used    []string // columns that are read
	depth   int
	alone   bool // conditions are on the table itself: what is embedded is not known yet
}

// planItem is something that a row shows.
type planItem struct {
	name   string
	expr   *compiled
	agg    *aggregator
	cast   *compiled // of an aggregate's value, which is its parameter
	embed  *embed    // shown as JSON
	spread *embed    // shown as columns of the row itself
}

type planOrder struct {
	expr       *compiled
	embed      *embed // whose column it is; nil: the table's own
	count      bool   // the number of rows of a group
	desc       bool
	nullsFirst *bool
}

// embed is a resource that is shown within each row.
type embed struct {
	plan     *plan
	relation relationship
	name     string // in the JSON, and in filters
	target   string
	inner    bool
	spread   bool
	hidden   bool // asked for without columns: it only filters
}

// record is a row of a plan while it is read.
type record struct {
	values   []value
	embedded [][]*record // by embed; nil until it is known
	known    []bool
	size     int64 // of a group
}

// test is a condition on a record.
type test func(r *run, rec *record) (value, *Error)

// newPlan finds the tables that a request says something about. What it says of columns is resolved
// by [plan.analyse], as PostgREST leaves that to Postgres.
func newPlan(db *database, schema string, rel *table, p *params, aggregates bool) (*plan, *Error) {
	root := &plan{db: db, schema: schema, rel: rel, alias: rel.name, binds: &bindings{}}
	if err := root.tree(p.selected, p.root, aggregates); err != nil {
		return nil, err
	}
	return root, nil
}

// tree finds what is embedded.
func (p *plan) tree(items []selectItem, of said, aggregates bool) *Error {
	p.selected, p.filters, p.terms, p.offset, p.limit = items, of.conds, of.terms, of.offset, unlimited
	if of.limit != nil {
		p.limit = *of.limit
	}
	p.scope = &scope{db: p.db, tables: []scopeTable{tableScope(p.rel, p.alias)}, grouped: true, binds: p.binds}
	for _, item := range items {
		if item.aggregate != "" && !aggregates {
			return refusal(400, "PGRST123", "Use of aggregate functions is not allowed")
		}
		if !item.embed {
			continue
		}
		if err := p.embed(item, aggregates); err != nil {
			return err
		}
	}
	for _, t := range p.terms {
		if err := p.related(t); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) embed(item selectItem, aggregates bool) *Error {
	r, err := p.db.relate(p.schema, p.rel, item.target, item.hint)
	if err != nil {
		return err
	}
	e := &embed{relation: r, name: item.alias, target: item.target, inner: item.inner, spread: item.spread, hidden: len(item.kids) == 0}
	if e.name == "" {
		e.name = item.target
	}
	alias := r.to.name + "_" + strconv.Itoa(p.depth+1)
	if r.kind == manyToMany {
		alias = r.to.name
	}
	e.plan = &plan{db: p.db, schema: p.schema, rel: r.to, alias: alias, depth: p.depth + 1, binds: p.binds}
	p.embeds = append(p.embeds, e)
	if err := e.plan.tree(item.kids, item.said, aggregates); err != nil {
		return err
	}
	if item.spread && !r.single() {
		return refusal(400, "PGRST119", "A spread operation on '%s' is not possible", item.target).
			with("'%s' and '%s' do not form a many-to-one or one-to-one relationship", p.rel.name, item.target)
	}
	return nil
}

// related checks that a column to sort by is of a resource that has one row.
func (p *plan) related(t orderTerm) *Error {
	if t.relation == "" {
		return nil
	}
	i := p.embedded(t.relation)
	if i < 0 {
		return notEmbedded(t.relation)
	}
	if !p.embeds[i].relation.single() {
		return refusal(400, "PGRST118", "A related order on '%s' is not possible", t.relation).
			with("'%s' and '%s' do not form a many-to-one or one-to-one relationship", p.rel.name, t.relation)
	}
	return nil
}

func notEmbedded(name string) *Error {
	return refusal(400, "PGRST108", "'%s' is not an embedded resource in this request", name).
		hinted("Verify that '%s' is included in the 'select' query parameter.", name)
}

// analyse resolves columns and types, in the order in which Postgres does: what is joined, what is
// shown, conditions, order. Values that are wrong are told after all of that: see [bindings].
func (p *plan) analyse() *Error {
	if err := p.joins(); err != nil {
		return err
	}
	if err := p.targets(); err != nil {
		return err
	}
	if err := p.conditions(p.filters); err != nil {
		return err
	}
	return p.sort(p.terms)
}

func (p *plan) joins() *Error {
	for i, e := range p.embeds {
		if slices.ContainsFunc(p.embeds[:i], func(o *embed) bool { return o.name == e.name }) {
			return fault("42712", "table name \"%s_%s_%d\" specified more than once", p.alias, e.name, p.depth+1)
		}
	}
	for _, e := range p.embeds {
		p.used = append(p.used, p.rel.names(e.relation.columns)...)
		e.plan.used = append(e.plan.used, e.plan.rel.names(e.relation.targets)...)
		if err := e.plan.analyse(); err != nil {
			return err
		}
	}
	return nil
}

// targets resolves what is shown.
func (p *plan) targets() *Error {
	for _, item := range p.selected {
		if item.embed {
			continue
		}
		if err := p.column(item); err != nil {
			return err
		}
	}
	for _, e := range p.embeds { // behind the table's own columns
		switch {
		case e.spread:
			if name := e.plan.twice(); name != "" {
				return fault("42702", "column reference \"%s\" is ambiguous", name)
			}
			p.items = append(p.items, planItem{spread: e})
		case !e.hidden:
			p.items = append(p.items, planItem{name: e.name, embed: e})
		}
	}
	if !p.counted {
		return nil
	}
	for _, item := range p.items {
		name := "*"
		switch {
		case item.agg != nil:
			continue
		case item.expr != nil:
			name = p.alias + "." + item.expr.name
		case item.embed != nil:
			name = p.alias + "_" + item.embed.name + "_1.*"
		}
		return fault("42803", "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function", name)
	}
	return nil
}

// twice gives a name that two columns of the plan have; "" if there is none.
func (p *plan) twice() string {
	seen := map[string]bool{}
	for _, item := range p.items {
		if item.spread == nil && seen[item.name] {
			return item.name
		}
		seen[item.name] = true
	}
	return ""
}

func (p *plan) conditions(list []condition) *Error {
	what := "WHERE"
	if len(list) > 1 || p.depth > 0 { // beside others, or by what it is joined
		what = "AND"
	}
	for _, c := range list {
		t, err := p.condition(c, what)
		if err != nil {
			return err
		}
		p.where = append(p.where, t)
	}
	return nil
}

func (p *plan) column(item selectItem) *Error {
	if item.field.name == "*" && item.aggregate == "" {
		for _, c := range p.rel.columns {
			expr, err := p.scope.column([]string{p.alias, c.name})
			if err != nil {
				return err
			}
			p.items = append(p.items, planItem{name: c.name, expr: expr})
			p.used = append(p.used, c.name)
		}
		return nil
	}
	out := planItem{name: item.alias}
	if item.field.name == "count" && len(item.field.path) == 0 && p.rel.column("count") < 0 && item.aggregate == "" {
		// table.count is count(table) to Postgres, and needs no GROUP BY of PostgREST's
		p.counted = true
		item.field.name, item.aggregate, item.aggCast = "*", "count", item.cast
		return p.aggregate(item, out)
	}
	if item.aggregate != "" {
		return p.aggregate(item, out)
	}
	expr, err := p.field(item.field)
	if err != nil {
		return err
	}
	if out.name == "" {
		out.name = item.field.last()
	}
	if item.cast != "" {
		if expr, err = p.castTo(expr, item.cast); err != nil {
			return err
		}
	}
	out.expr = expr
	p.items = append(p.items, out)
	return nil
}

func (p *plan) castTo(expr *compiled, name string) (*compiled, *Error) {
	t, err := p.db.resolveType(typeRef{name: splitName(name)})
	if err != nil {
		return nil, fault("42704", "type \"%s\" does not exist", name)
	}
	return p.scope.coerce(expr, t, explicit)
}

func (p *plan) aggregate(item selectItem, out planItem) *Error {
	p.grouped = true
	if out.name == "" {
		out.name = item.aggregate
	}
	out.expr = constant(typBool, true)
	var err *Error
	if item.field.name != "*" {
		if out.expr, err = p.field(item.field); err != nil {
			return err
		}
		if item.cast != "" {
			if out.expr, err = p.castTo(out.expr, item.cast); err != nil {
				return err
			}
		}
	}
	agg, err := aggregateOf(item.aggregate, out.expr.typ)
	if err != nil {
		return err
	}
	out.agg = &agg
	if item.aggCast != "" {
		slot := &compiled{typ: agg.typ, eval: func(e *env) (value, *Error) { return e.params[0], nil }}
		if out.cast, err = p.castTo(slot, item.aggCast); err != nil {
			return err
		}
	}
	p.items = append(p.items, out)
	return nil
}

// field resolves a column and a path into it.
func (p *plan) field(f fieldRef) (*compiled, *Error) {
	if p.rel.column(f.name) < 0 {
		return nil, fault("42703", "column %s.%s does not exist", p.alias, f.name)
	}
	c, err := p.scope.column([]string{p.alias, f.name})
	if err != nil {
		return nil, err
	}
	p.used = append(p.used, f.name)
	if len(f.path) > 0 && !c.typ.isJSON() { // arrays and rows have paths too
		from := c
		c = &compiled{typ: typJSONB, eval: func(e *env) (value, *Error) {
			v, err := from.eval(e)
			if err != nil || v == nil {
				return nil, err
			}
			return fails(toNode(from.typ, v, e.tx.locale()))
		}}
	}
	for _, step := range f.path {
		op := "->"
		if step.asText {
			op = "->>"
		}
		key := literal(step.key)
		if step.index {
			n, err := parseInt(typInt4, step.key)
			if err != nil {
				return nil, err
			}
			key = constant(typInt4, n)
		}
		if c, err = p.scope.jsonPath(op, c, key); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// embedded finds an embedded resource by its name; -1 for none.
func (p *plan) embedded(name string) int {
	return slices.IndexFunc(p.embeds, func(e *embed) bool {
		return e.name == name
	})
}

// restrict bounds how many rows any part of the plan shows.
func (p *plan) restrict(maxRows int) {
	p.limit = min(p.limit, maxRows)
	for _, e := range p.embeds {
		e.plan.restrict(maxRows)
	}
}

func (p *plan) sort(terms []orderTerm) *Error {
	for _, t := range terms {
		o := planOrder{desc: t.desc, nullsFirst: t.nullsFirst}
		in := p
		if t.relation != "" {
			o.embed = p.embeds[p.embedded(t.relation)]
			in = o.embed.plan
		}
		if p.grouped && o.embed == nil && t.field.name == "count" && len(t.field.path) == 0 && p.rel.column("count") < 0 {
			o.expr, o.count = constant(typInt8, int64(0)), true
			p.order = append(p.order, o)
			continue
		}
		var err *Error
		if o.expr, err = in.field(t.field); err != nil {
			return err
		}
		if !o.expr.typ.ordered() {
			return fault("42883", "could not identify an ordering operator for type %s", o.expr.typ).
				hinted("Use an explicit ordering operator or modify the query.")
		}
		p.order = append(p.order, o)
	}
	return nil
}

// condition resolves a filter, or a tree; what is what it stands in, for messages.
func (p *plan) condition(c condition, what string) (test, *Error) {
	if c.negate {
		what = "NOT"
	}
	if c.op != "" {
		if len(c.kids) > 1 {
			what = strings.ToUpper(c.op)
		}
		kids := make([]test, len(c.kids))
		for i, k := range c.kids {
			var err *Error
			if kids[i], err = p.condition(k, what); err != nil {
				return nil, err
			}
		}
		return negated(joined(kids, c.op == "or"), c.negate), nil
	}
	if len(c.field.path) == 0 && !p.alone {
		if i := p.embedded(c.field.name); i >= 0 {
			if c.test.op == "is" && c.test.value == "null" {
				return p.embedNull(i, c.negate), nil
			}
		}
	}
	left, err := p.field(c.field)
	if err != nil {
		return nil, err
	}
	expr, err := p.scope.filter(left, c.test)
	if err != nil {
		return nil, err
	}
	if expr.typ.kind != kindBool {
		return nil, fault("42804", "argument of %s must be type boolean, not type %s", what, expr.typ)
	}
	return negated(func(r *run, rec *record) (value, *Error) {
		return expr.eval(r.env(rec))
	}, c.negate), nil
}

// embedNull is true for rows of which nothing is embedded.
func (p *plan) embedNull(i int, negate bool) test {
	return func(r *run, rec *record) (value, *Error) {
		list, err := r.embedded(p, rec, i)
		return (len(list) == 0) != negate, err
	}
}

func negated(t test, negate bool) test {
	if !negate {
		return t
	}
	return func(r *run, rec *record) (value, *Error) {
		v, err := t(r, rec)
		if err != nil || v == nil {
			return nil, err
		}
		return !v.(bool), nil
	}
}

func joined(kids []test, decides bool) test {
	return func(r *run, rec *record) (value, *Error) {
		var out value = !decides
		for _, k := range kids {
			v, err := k(r, rec)
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
	}
}

// filter compiles one operator of PostgREST.
func (s *scope) filter(left *compiled, t operation) (*compiled, *Error) {
	switch {
	case t.op == "is":
		return s.is(left, t.value, false)
	case t.op == "isdistinct":
		return s.distinctFrom(left, literal(t.value), false)
	case t.op == "in":
		text := arrayLiteral(t.list)
		return s.anyOf("=", left, literal(text), false)
	case ftsFunctions[t.op] != "":
		q, err := searchQueryBy(ftsFunctions[t.op], t.config, t.value)
		if err != nil && (s.binds == nil || err.status != 0) {
			return nil, err
		}
		if err != nil && s.binds.err == nil {
			s.binds.err = err
		}
		return s.search(left, constant(typTsquery, q)) // the column's own words are those of the default configuration
	case t.quant != "":
		return s.anyOf(simpleOperators[t.op], left, literal(t.value), t.quant == "all")
	}
	return s.binary(simpleOperators[t.op], left, literal(t.value))
}

// arrayLiteral is the list of an in filter as Postgres reads it. One empty text is the empty list.
func arrayLiteral(list []string) string {
	if len(list) == 1 && list[0] == "" {
		return "{}"
	}
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
	}
	return "{" + strings.Join(quoted, ",") + "}"
}

// allow checks that all that is read may be.
func (p *plan) allow(tx *txn) *Error {
	if p.source == nil {
		if err := p.allowOwn(tx); err != nil {
			return err
		}
	}
	return p.allowEmbedded(tx)
}

// allowOwn checks the columns of the table itself.
func (p *plan) allowOwn(tx *txn) *Error {
	if len(p.used) > 0 {
		return tx.allow(p.rel, "select", p.used)
	}
	if !tx.db.mayUse(tx.role, p.rel.schema) || !tx.db.mayAny(tx.role, p.rel, "select") {
		return tx.allow(p.rel, "select", nil)
	}
	return nil
}

func (p *plan) allowEmbedded(tx *txn) *Error {
	for _, e := range p.embeds {
		if j := e.relation.junction; j != nil {
			if err := tx.allow(j, "select", j.names(slices.Concat(e.relation.junctionFrom, e.relation.junctionTo))); err != nil {
				return err
			}
		}
		if err := e.plan.allow(tx); err != nil {
			return err
		}
	}
	return nil
}

// columnSet are the columns that the result of a write or of a function has for what comes after
// it: PostgREST 12 asks for those that are shown, and no others.
type columnSet struct {
	rel   *table
	all   bool
	names []string
}

// shownColumns are those that are shown, and those by which others are embedded.
func (p *plan) shownColumns() columnSet {
	set := columnSet{rel: p.rel}
	for _, item := range p.selected {
		if !item.embed {
			set.all = set.all || item.field.name == "*"
			set.names = append(set.names, item.field.name)
		}
	}
	for _, e := range p.embeds {
		set.names = append(set.names, p.rel.names(e.relation.columns)...)
	}
	return set
}

// check refuses conditions and orders on columns that are not there.
func (c columnSet) check(conditions []condition, terms []orderTerm) *Error {
	missing := func(name string) *Error {
		if c.all || c.rel.column(name) < 0 || slices.Contains(c.names, name) {
			return nil
		}
		return fault("42703", "column %s.%s does not exist", c.rel.name, name)
	}
	for _, cond := range conditions {
		if cond.op != "" {
			if err := c.check(cond.kids, nil); err != nil {
				return err
			}
			continue
		}
		if err := missing(cond.field.name); err != nil {
			return err
		}
	}
	for _, t := range terms {
		if t.relation == "" {
			if err := missing(t.field.name); err != nil {
				return err
			}
		}
	}
	return nil
}
