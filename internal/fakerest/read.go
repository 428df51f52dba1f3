package fakerest

import (
	"slices"
)

// run is one reading of a plan.
type run struct {
	tx    *txn
	found map[*embed]*children
}

// children are the rows of an embedded resource, by what they belong to.
type children struct {
	byKey map[string][]*record
}

// found is what a plan gives: the rows of the page, and how many there are without one.
type found struct {
	records []*record
	total   int
}

func (r *run) env(rec *record) *env { return &env{tx: r.tx, rows: [][]value{rec.values}} }

// read reads a plan.
func (tx *txn) read(p *plan) (*run, *found, *Error) {
	r := &run{tx: tx, found: map[*embed]*children{}}
	if err := p.allow(tx); err != nil {
		return nil, nil, err
	}
	f, err := r.read(p)
	return r, f, err
}

func (r *run) read(p *plan) (*found, *Error) {
	records, err := r.records(p)
	if err != nil {
		return nil, err
	}
	if p.grouped {
		if records, err = r.group(p, records); err != nil {
			return nil, err
		}
	}
	return &found{records: page(records, p.offset, p.limit), total: len(records)}, nil
}

// prepare reads all that is embedded.
func (r *run) prepare(p *plan) *Error {
	for _, e := range p.embeds {
		if _, err := r.children(e); err != nil {
			return err
		}
		if err := r.prepare(e.plan); err != nil {
			return err
		}
	}
	return nil
}

func page(records []*record, offset, limit int) []*record {
	records = records[min(offset, len(records)):]
	return records[:min(limit, len(records))]
}

// records gives the rows of a plan that its conditions let through, sorted.
func (r *run) records(p *plan) ([]*record, *Error) {
	source := p.source
	if source == nil {
		source = func(tx *txn) ([][]value, *Error) { return tx.scan(p.rel) }
	}
	rows, err := source(r.tx)
	if err != nil {
		return nil, err
	}
	var records []*record
	for _, values := range rows {
		rec := &record{values: values, embedded: make([][]*record, len(p.embeds)), known: make([]bool, len(p.embeds))}
		ok, err := r.accepts(p, rec)
		if err != nil {
			return nil, err
		}
		if ok {
			records = append(records, rec)
		}
	}
	return records, r.sort(p, records)
}

func (r *run) accepts(p *plan, rec *record) (bool, *Error) {
	for _, t := range p.where {
		v, err := t(r, rec)
		if err != nil || v != true {
			return false, err
		}
	}
	for i, e := range p.embeds {
		if !e.inner {
			continue
		}
		list, err := r.embedded(p, rec, i)
		if err != nil || len(list) == 0 {
			return false, err
		}
	}
	return true, nil
}

func (r *run) sort(p *plan, records []*record) *Error {
	if len(p.order) == 0 || p.grouped {
		return nil
	}
	keys := make(map[*record][]value, len(records))
	for _, rec := range records {
		list := make([]value, len(p.order))
		for i, o := range p.order {
			from := rec
			if o.embed != nil {
				kids, err := r.embedded(p, rec, slices.Index(p.embeds, o.embed))
				if err != nil {
					return err
				}
				if len(kids) == 0 {
					continue
				}
				from = kids[0]
			}
			var err *Error
			if list[i], err = o.expr.eval(r.env(from)); err != nil {
				return err
			}
		}
		keys[rec] = list
	}
	slices.SortStableFunc(records, func(a, b *record) int {
		x, y := keys[a], keys[b]
		for i, o := range p.order {
			if c := compareSorted(o.expr.typ, x[i], y[i], o.desc, o.nullsFirst); c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

// embedded gives what is shown within a row.
func (r *run) embedded(p *plan, rec *record, i int) ([]*record, *Error) {
	if rec.known[i] {
		return rec.embedded[i], nil
	}
	e := p.embeds[i]
	all, err := r.children(e)
	if err != nil {
		return nil, err
	}
	var list []*record
	if key, ok := joinKey(e.relation.from, e.relation.columns, e.relation.to, e.relation.targets, rec.values); ok {
		list = all.byKey[key]
	}
	if e.plan.grouped {
		if list, err = r.group(e.plan, list); err != nil {
			return nil, err
		}
	}
	list = page(list, e.plan.offset, e.plan.limit)
	rec.embedded[i], rec.known[i] = list, true
	return list, nil
}

// joinKey writes values by which rows belong together; false if one is NULL. Columns of different
// types that are joined have equal texts when they are equal.
func joinKey(t *table, columns []int, _ *table, _ []int, values []value) (string, bool) {
	var key []byte
	for _, c := range columns {
		v := values[c]
		if v == nil {
			return "", false
		}
		ct := t.columns[c].typ
		if n, ok := v.(int64); ok {
			v, ct = decimalOf(n), typNumeric
		}
		key = appendKey(key, ct, v)
	}
	return string(key), true
}

// children reads the rows of an embedded resource once, and keeps them by what they belong to.
func (r *run) children(e *embed) (*children, *Error) {
	if c := r.found[e]; c != nil {
		return c, nil
	}
	records, err := r.records(e.plan)
	if err != nil {
		return nil, err
	}
	c := &children{byKey: map[string][]*record{}}
	rel := e.relation
	if rel.kind != manyToMany {
		for _, rec := range records {
			if key, ok := joinKey(rel.to, rel.targets, nil, nil, rec.values); ok {
				c.byKey[key] = append(c.byKey[key], rec)
			}
		}
		r.found[e] = c
		return c, nil
	}
	links, err := r.tx.scan(rel.junction)
	if err != nil {
		return nil, err
	}
	near := map[string][]string{} // by the far end's key, the near ends'
	for _, l := range links {
		from, ok1 := joinKey(rel.junction, rel.junctionFrom, nil, nil, l)
		to, ok2 := joinKey(rel.junction, rel.junctionTo, nil, nil, l)
		if ok1 && ok2 {
			near[to] = append(near[to], from)
		}
	}
	for _, rec := range records {
		key, ok := joinKey(rel.to, rel.targets, nil, nil, rec.values)
		if !ok {
			continue
		}
		for _, from := range near[key] {
			// the same row within two others is shown with the same of its own
			c.byKey[from] = append(c.byKey[from], rec)
		}
	}
	r.found[e] = c
	return c, nil
}

// group makes one record of those that are equal in what is no aggregate.
func (r *run) group(p *plan, records []*record) ([]*record, *Error) {
	type group struct {
		shown   []value
		columns [][]value
		first   *record
		size    int64
	}
	var groups []*group
	index := map[string]*group{}
	plainItems := 0
	for _, item := range p.items {
		plainItems += boolInt(item.agg == nil)
	}
	if plainItems == 0 {
		g := &group{shown: make([]value, len(p.items)), columns: make([][]value, len(p.items))}
		groups = append(groups, g)
		index[""] = g
	}
	for _, rec := range records {
		e := r.env(rec)
		shown := make([]value, len(p.items))
		var key []byte
		for i, item := range p.items {
			if item.agg != nil {
				continue
			}
			n, t, err := r.groupValue(p, item, rec, e)
			if err != nil {
				return nil, err
			}
			shown[i] = n
			key = appendKey(key, t, n)
		}
		g := index[string(key)]
		if g == nil {
			g = &group{shown: shown, columns: make([][]value, len(p.items)), first: rec}
			index[string(key)] = g
			groups = append(groups, g)
		}
		g.size++
		for i, item := range p.items {
			if item.agg == nil {
				continue
			}
			v, err := item.expr.eval(e)
			if err != nil {
				return nil, err
			}
			if v != nil || item.agg.nulls {
				g.columns[i] = append(g.columns[i], v)
			}
		}
	}
	out := make([]*record, len(groups))
	for n, g := range groups {
		for i, item := range p.items {
			if item.agg == nil {
				continue
			}
			v, err := item.agg.of(g.columns[i], "", r.tx.locale())
			if err == nil && item.cast != nil && v != nil {
				v, err = item.cast.eval(&env{tx: r.tx, params: []value{v}})
			}
			if err != nil {
				return nil, err
			}
			g.shown[i] = v
		}
		out[n] = &record{values: g.shown, size: g.size}
		if g.first != nil {
			out[n].embedded, out[n].known = g.first.embedded, g.first.known
		}
	}
	return out, r.sortGroups(p, out)
}

// groupValue is what a row is grouped by: a column, or what is embedded, as JSON.
func (r *run) groupValue(p *plan, item planItem, rec *record, e *env) (value, *typ, *Error) {
	if item.expr != nil {
		v, err := item.expr.eval(e)
		return v, item.expr.typ, err
	}
	if item.embed != nil {
		n, err := r.embedNode(p, rec, item.embed)
		if n == nil {
			return nil, typJSONB, err
		}
		return n, typJSONB, err
	}
	members, err := r.members(item.spread.plan, firstOf(r, p, rec, item.spread))
	n := &jsonNode{form: jsonObject, members: members}
	return n, typJSONB, err
}

func firstOf(r *run, p *plan, rec *record, e *embed) *record {
	list, err := r.embedded(p, rec, slices.Index(p.embeds, e))
	if err != nil || len(list) == 0 {
		return nil
	}
	return list[0]
}

// sortGroups sorts by the columns that are grouped by.
func (r *run) sortGroups(p *plan, records []*record) *Error {
	if len(p.order) == 0 {
		return nil
	}
	places := make([]int, len(p.order))
	for i, o := range p.order {
		if o.count {
			continue
		}
		places[i] = slices.IndexFunc(p.items, func(item planItem) bool {
			return item.agg == nil && item.expr != nil && item.expr.source != nil && o.expr.source != nil && *item.expr.source == *o.expr.source
		})
		if places[i] < 0 {
			return fault("42803", "column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function", p.alias, o.expr.name)
		}
	}
	slices.SortStableFunc(records, func(a, b *record) int {
		for i, o := range p.order {
			x, y := a.values[places[i]], b.values[places[i]]
			if o.count {
				x, y = a.size, b.size
			}
			if c := compareSorted(o.expr.typ, x, y, o.desc, o.nullsFirst); c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

// shown is one column of a row as it is shown.
type shown struct {
	name string
	typ  *typ
	v    value
}

// show gives the columns of a row as they are shown.
func (r *run) show(p *plan, rec *record) ([]shown, *Error) {
	var out []shown
	for i, item := range p.items {
		switch {
		case p.grouped:
			t := typJSONB
			if item.cast != nil {
				t = item.cast.typ
			} else if item.agg != nil {
				t = item.agg.typ
			} else if item.expr != nil {
				t = item.expr.typ
			}
			var v value
			if rec != nil {
				v = rec.values[i]
			}
			if n, ok := v.(*jsonNode); ok && item.spread != nil {
				for _, m := range n.members {
					out = append(out, shown{m.key, typJSONB, m.value})
				}
				continue
			}
			out = append(out, shown{item.name, t, v})
		case item.spread != nil:
			var kid *record
			if rec != nil {
				kid = firstOf(r, p, rec, item.spread)
			}
			columns, err := r.show(item.spread.plan, kid)
			if err != nil {
				return nil, err
			}
			out = append(out, columns...)
		case rec == nil: // a spread of nothing
			t := typJSONB
			if item.expr != nil {
				t = item.expr.typ
			}
			out = append(out, shown{item.name, t, nil})
		case item.embed != nil:
			n, err := r.embedNode(p, rec, item.embed)
			if err != nil {
				return nil, err
			}
			var v value
			if n != nil {
				v = n
			}
			out = append(out, shown{item.name, typJSONB, v})
		default:
			v, err := item.expr.eval(r.env(rec))
			if err != nil {
				return nil, err
			}
			out = append(out, shown{item.name, item.expr.typ, v})
		}
	}
	return out, nil
}

// embedNode is an embedded resource as JSON: an object, or an array; nil for NULL.
func (r *run) embedNode(p *plan, rec *record, e *embed) (*jsonNode, *Error) {
	list, err := r.embedded(p, rec, slices.Index(p.embeds, e))
	if err != nil {
		return nil, err
	}
	object := func(kid *record) (*jsonNode, *Error) {
		members, err := r.members(e.plan, kid)
		n := &jsonNode{form: jsonObject, members: members}
		n.normalize()
		return n, err
	}
	if e.relation.single() {
		if len(list) == 0 {
			return nil, nil
		}
		return object(list[0])
	}
	array := &jsonNode{form: jsonArray}
	for _, kid := range list {
		n, err := object(kid)
		if err != nil {
			return nil, err
		}
		array.items = append(array.items, n)
	}
	return array, nil
}

func (r *run) members(p *plan, rec *record) ([]jsonMember, *Error) {
	columns, err := r.show(p, rec)
	if err != nil {
		return nil, err
	}
	members := make([]jsonMember, len(columns))
	for i, c := range columns {
		n, err := toNode(c.typ, c.v, r.tx.locale())
		if err != nil {
			return nil, err
		}
		members[i] = jsonMember{c.name, n}
	}
	return members, nil
}

// appendRow writes a row as the JSON of the answer.
func (r *run) appendRow(dst []byte, p *plan, rec *record) ([]byte, *Error) {
	columns, err := r.show(p, rec)
	if err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, c.name), ':')
		dst = appendJSON(dst, c.typ, c.v, r.tx.locale())
	}
	return append(dst, '}'), nil
}

// stripped is JSON without nulls and spaces, as json_strip_nulls makes it.
func stripped(body []byte) ([]byte, *Error) {
	n, err := parseBody(string(body))
	if err != nil {
		return nil, err
	}
	return []byte(n.stripNulls().compact()), nil
}
