package fakerest

import (
	"math"
	"slices"
	"strings"
)

// query is a SELECT that can be run.
type query struct {
	columns []scopeColumn
	run     func(e *env) ([][]value, *Error)

	// of a query that a view can be written through: one table, and no more
	base    *table
	where   *compiled
	targets []*compiled
	texts   []bool // of the columns: it is a literal, whose type its place decides
}

// relation is a table of a FROM list.
type relation struct {
	scope scopeTable
	rows  func(e *env) ([][]value, *Error)
	on    *compiled
	left  bool
}

// compileSelect resolves a SELECT. Tables are read with the rights of the one who asks, in a
// view those of its owner: the environment's txn decides.
func (db *database) compileSelect(stmt *selectStmt, outer *scope, params []*typ) (*query, *Error) {
	s := &scope{db: db, outer: outer, params: params, grouped: true}
	if outer != nil {
		s.depth = outer.depth + 1
		if s.params == nil {
			s.params = outer.params
		}
	}
	if s.depth > 20 {
		return nil, fault("54001", "stack depth limit exceeded")
	}
	relations, err := s.from(stmt)
	if err != nil {
		return nil, err
	}
	var where *compiled
	if stmt.where != nil {
		if where, err = s.condition(stmt.where, "WHERE"); err != nil {
			return nil, err
		}
	}
	q := &query{where: where}
	if err = s.targets(q, stmt); err != nil {
		return nil, err
	}
	if len(relations) == 1 && relations[0].scope.table != nil && !stmt.distinct && stmt.group == nil && stmt.having == nil && stmt.limit == nil && stmt.offset == nil && !hasAggregate(stmt) {
		q.base = relations[0].scope.table
	}
	finish, err := s.finish(q, stmt)
	if err != nil {
		return nil, err
	}
	q.run = func(outerEnv *env) ([][]value, *Error) {
		e := &env{tx: outerEnv.tx, outer: outerEnv, rows: make([][]value, len(relations))}
		if outer == nil {
			e.outer, e.params = nil, outerEnv.params
		}
		var found [][][]value
		err := join(e, relations, 0, func() *Error {
			if where != nil {
				if ok, err := where.truth(e); err != nil || !ok {
					return err
				}
			}
			found = append(found, slices.Clone(e.rows))
			return nil
		})
		if err != nil {
			return nil, err
		}
		return finish(e, found)
	}
	return q, nil
}

// join goes through the rows of all relations, the last the fastest.
func join(e *env, relations []relation, i int, each func() *Error) *Error {
	if i == len(relations) {
		return each()
	}
	r := relations[i]
	rows, err := r.rows(e)
	if err != nil {
		return err
	}
	matched := false
	for _, values := range rows {
		e.rows[i] = values
		if r.on != nil {
			ok, err := r.on.truth(e)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		matched = true
		if err := join(e, relations, i+1, each); err != nil {
			return err
		}
	}
	if r.left && !matched {
		e.rows[i] = make([]value, len(r.scope.columns))
		return join(e, relations, i+1, each)
	}
	return nil
}

// from resolves the tables of a query.
func (s *scope) from(stmt *selectStmt) ([]relation, *Error) {
	var relations []relation
	for _, item := range stmt.from {
		r := relation{left: item.join == "left"}
		if item.query != nil {
			sub, err := s.db.compileSelect(item.query, nil, s.params)
			if err != nil {
				return nil, err
			}
			r.scope = scopeTable{alias: item.alias, columns: sub.columns}
			r.rows = sub.run
		} else {
			t, ok := lookup(s.db, s.db.tables, item.table)
			if !ok {
				return nil, fault("42P01", "relation \"%s\" does not exist", item.table)
			}
			r.scope = tableScope(t, item.alias)
			r.rows = func(e *env) ([][]value, *Error) {
				if err := e.tx.allow(t, "select", nil); err != nil {
					return nil, err
				}
				return e.tx.scan(t)
			}
		}
		for _, before := range s.tables {
			if before.alias == r.scope.alias {
				return nil, fault("42712", "table name \"%s\" specified more than once", r.scope.alias)
			}
		}
		s.tables = append(s.tables, r.scope)
		var err *Error
		if item.on != nil {
			if r.on, err = s.condition(item.on, "JOIN/ON"); err != nil {
				return nil, err
			}
		}
		for _, name := range item.using {
			if err = s.using(&r, name); err != nil {
				return nil, err
			}
		}
		relations = append(relations, r)
	}
	return relations, nil
}

// using joins by a column of the same name.
func (s *scope) using(r *relation, name string) *Error {
	last := len(s.tables) - 1
	left := &scope{db: s.db, tables: s.tables[:last]}
	a, err := left.column([]string{name})
	if err != nil {
		return err
	}
	b, err := s.column([]string{r.scope.alias, name})
	if err != nil {
		return err
	}
	test, err := s.binary("=", a, b)
	if err != nil {
		return err
	}
	if r.on == nil {
		r.on = test
	} else {
		r.on = junction([]*compiled{r.on, test}, false)
	}
	columns := slices.Clone(s.tables[last].columns)
	for i := range columns {
		if columns[i].name == name {
			columns[i].hidden = true
		}
	}
	s.tables[last].columns = columns
	return nil
}

// targets resolves what a query gives.
func (s *scope) targets(q *query, stmt *selectStmt) *Error {
	add := func(c *compiled, name string) *Error {
		q.texts = append(q.texts, c.literal != nil)
		if c.typ.kind == kindUnknown {
			var err *Error
			if c, err = s.coerce(c, typText, implicit); err != nil {
				return err
			}
		}
		q.targets = append(q.targets, c)
		q.columns = append(q.columns, scopeColumn{name: name, typ: c.typ, source: c.source})
		return nil
	}
	for _, t := range stmt.targets {
		if t.expr.op == nodeStar {
			found := false
			for _, st := range s.tables {
				if len(t.expr.names) > 0 && st.alias != t.expr.names[0] {
					continue
				}
				found = true
				for _, col := range st.columns {
					if col.hidden && len(t.expr.names) == 0 {
						continue
					}
					c, err := s.column([]string{st.alias, col.name})
					if err != nil {
						return err
					}
					if err := add(c, col.name); err != nil {
						return err
					}
				}
			}
			if !found {
				return fault("42P01", "missing FROM-clause entry for table \"%s\"", strings.Join(t.expr.names, "."))
			}
			continue
		}
		c, err := s.compile(t.expr)
		if err != nil {
			return err
		}
		name := t.alias
		if name == "" {
			name = c.name
		}
		if name == "" {
			name = "?column?"
		}
		if err := add(c, name); err != nil {
			return err
		}
	}
	return nil
}

// finish compiles what comes after the rows are found: groups, order, limits.
func (s *scope) finish(q *query, stmt *selectStmt) (func(e *env, found [][][]value) ([][]value, *Error), *Error) {
	aggregated := len(stmt.group) > 0 || stmt.having != nil || hasAggregate(stmt)
	keys, err := s.sortKeys(q, stmt.group)
	if err != nil {
		return nil, err
	}
	var having *compiled
	if stmt.having != nil {
		if having, err = s.condition(stmt.having, "HAVING"); err != nil {
			return nil, err
		}
	}
	orderNodes := make([]*node, len(stmt.order))
	for i, o := range stmt.order {
		orderNodes[i] = o.expr
	}
	order, err := s.sortKeys(q, orderNodes)
	if err != nil {
		return nil, err
	}
	limit, err := s.rowCount(stmt.limit)
	if err != nil {
		return nil, err
	}
	offset, err := s.rowCount(stmt.offset)
	if err != nil {
		return nil, err
	}
	targets := q.targets
	return func(e *env, found [][][]value) ([][]value, *Error) {
		var err *Error
		groups := make([][][][]value, 0, len(found))
		if aggregated {
			if groups, err = groupRows(e, found, keys); err != nil {
				return nil, err
			}
		} else {
			for _, rows := range found {
				groups = append(groups, [][][]value{rows})
			}
		}
		var out []sortable
		for _, g := range groups {
			ge := *e
			ge.joined = g
			ge.rows = make([][]value, len(s.tables))
			if len(g) > 0 {
				ge.rows = g[0]
			} else {
				for i, t := range s.tables {
					ge.rows[i] = make([]value, len(t.columns))
				}
			}
			if having != nil {
				if ok, err := having.truth(&ge); err != nil {
					return nil, err
				} else if !ok {
					continue
				}
			}
			item := sortable{values: make([]value, len(targets))}
			for i, t := range targets {
				if item.values[i], err = t.eval(&ge); err != nil {
					return nil, err
				}
			}
			for _, o := range order {
				v, err := o.eval(&ge)
				if err != nil {
					return nil, err
				}
				item.keys = append(item.keys, v)
			}
			out = append(out, item)
		}
		if stmt.distinct {
			out = distinctRows(out, targets)
		}
		sortRows(out, order, stmt.order)
		rows := make([][]value, len(out))
		for i, o := range out {
			rows[i] = o.values
		}
		return limited(e, rows, offset, limit)
	}, nil
}

// sortable is a row with what it is sorted by.
type sortable struct {
	values, keys []value
}

func groupRows(e *env, found [][][]value, keys []*compiled) ([][][][]value, *Error) {
	if len(keys) == 0 {
		return [][][][]value{found}, nil
	}
	var groups [][][][]value
	index := map[string]int{}
	for _, rows := range found {
		ge := *e
		ge.rows = rows
		var key []byte
		for _, k := range keys {
			v, err := k.eval(&ge)
			if err != nil {
				return nil, err
			}
			key = appendKey(key, k.typ, v)
		}
		i, ok := index[string(key)]
		if !ok {
			i = len(groups)
			index[string(key)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], rows)
	}
	return groups, nil
}

func distinctRows(rows []sortable, targets []*compiled) []sortable {
	seen := map[string]bool{}
	out := rows[:0]
	for _, r := range rows {
		var key []byte
		for i, t := range targets {
			key = appendKey(key, t.typ, r.values[i])
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, r)
		}
	}
	return out
}

// sortKeys resolves what is sorted or grouped by: an expression, a column of the result by its
// name or its number.
func (s *scope) sortKeys(q *query, nodes []*node) ([]*compiled, *Error) {
	var keys []*compiled
	for _, n := range nodes {
		if n.op == nodeNumber {
			i := number(n.text)
			if i < 1 || i > len(q.targets) {
				return nil, fault("42P10", "ORDER BY position %s is not in select list", n.text)
			}
			keys = append(keys, q.targets[i-1])
			continue
		}
		if n.op == nodeColumn && len(n.names) == 1 {
			if i := slices.IndexFunc(q.columns, func(c scopeColumn) bool { return c.name == n.names[0] }); i >= 0 {
				keys = append(keys, q.targets[i])
				continue
			}
		}
		c, err := s.compile(n)
		if err != nil {
			return nil, err
		}
		keys = append(keys, c)
	}
	for _, k := range keys {
		if !k.typ.ordered() {
			return nil, fault("42883", "could not identify an ordering operator for type %s", k.typ).
				hinted("Use an explicit ordering operator or modify the query.")
		}
	}
	return keys, nil
}

func sortRows(rows []sortable, keys []*compiled, items []sortItem) {
	if len(keys) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b sortable) int {
		for i, k := range keys {
			if c := compareSorted(k.typ, a.keys[i], b.keys[i], items[i].desc, items[i].nullsFirst); c != 0 {
				return c
			}
		}
		return 0
	})
}

// compareSorted orders two values of which each may be NULL: NULLs come last, with desc first,
// unless it is said.
func compareSorted(t *typ, a, b value, desc bool, nullsFirst *bool) int {
	if a == nil || b == nil {
		first := desc
		if nullsFirst != nil {
			first = *nullsFirst
		}
		c := boolInt(a == nil) - boolInt(b == nil)
		if first {
			return -c
		}
		return c
	}
	c := compareValues(t, a, b)
	if desc {
		return -c
	}
	return c
}

func (s *scope) rowCount(n *node) (*compiled, *Error) {
	if n == nil {
		return nil, nil
	}
	c, err := s.compile(n)
	if err != nil {
		return nil, err
	}
	return s.coerce(c, typInt8, assignment)
}

func limited(e *env, rows [][]value, offset, limit *compiled) ([][]value, *Error) {
	if offset != nil {
		v, err := offset.eval(e)
		if err != nil {
			return nil, err
		}
		if n, ok := v.(int64); ok {
			rows = rows[min(max(n, 0), int64(len(rows))):]
		}
	}
	if limit != nil {
		v, err := limit.eval(e)
		if err != nil {
			return nil, err
		}
		if n, ok := v.(int64); ok {
			rows = rows[:min(max(n, 0), int64(len(rows)))]
		}
	}
	return rows, nil
}

// subquery compiles (select …), exists (select …) and array(select …).
func (s *scope) subquery(n *node) (*compiled, *Error) {
	q, err := s.db.compileSelect(n.query, s, nil)
	if err != nil {
		return nil, err
	}
	if n.op == nodeExists {
		return &compiled{typ: typBool, name: "exists", eval: func(e *env) (value, *Error) {
			rows, err := q.run(e)
			return len(rows) > 0, err
		}}, nil
	}
	if len(q.columns) != 1 {
		return nil, fault("42601", "subquery must return only one column")
	}
	if n.op == nodeArrayQuery {
		return &compiled{typ: arrayOf(q.columns[0].typ), name: "array", eval: func(e *env) (value, *Error) {
			rows, err := q.run(e)
			items := make([]value, len(rows))
			for i, r := range rows {
				items[i] = r[0]
			}
			return listOf(items...), err
		}}, nil
	}
	return &compiled{typ: q.columns[0].typ, name: q.columns[0].name, eval: func(e *env) (value, *Error) {
		rows, err := q.run(e)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		if len(rows) > 1 {
			return nil, fault("21000", "more than one row returned by a subquery used as an expression")
		}
		return rows[0][0], nil
	}}, nil
}

// inQuery is left op any (select …), or all.
func (s *scope) inQuery(left *compiled, stmt *selectStmt, op string, all, negate bool) (*compiled, *Error) {
	q, err := s.db.compileSelect(stmt, s, nil)
	if err != nil {
		return nil, err
	}
	if len(q.columns) != 1 {
		return nil, fault("42601", "subquery has too many columns")
	}
	list := &compiled{typ: arrayOf(q.columns[0].typ), eval: func(e *env) (value, *Error) {
		rows, err := q.run(e)
		items := make([]value, len(rows))
		for i, r := range rows {
			items[i] = r[0]
		}
		return listOf(items...), err
	}}
	c, err := s.anyOf(op, left, list, all)
	if err != nil {
		return nil, err
	}
	if negate {
		return negation(c), nil
	}
	return c, nil
}

// unlimited is the number of rows when none is set.
const unlimited = math.MaxInt
