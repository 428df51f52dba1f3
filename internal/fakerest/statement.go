package fakerest

import (
	"slices"
)

// insertStmt is an INSERT as it is written.
type insertStmt struct {
	table      qualified
	columns    []string
	rows       [][]*node
	query      *selectStmt
	overriding bool
	conflict   *conflictClause
	returning  []target
	line       int
}

type conflictClause struct {
	columns    []string
	constraint string
	sets       []assignClause // none: do nothing
	where      *node
}

type assignClause struct {
	column string
	expr   *node
}

type updateStmt struct {
	table     qualified
	alias     string
	sets      []assignClause
	where     *node
	returning []target
}

type deleteStmt struct {
	table     qualified
	alias     string
	where     *node
	returning []target
}

// insertStmt takes what follows INSERT.
func (p *parser) insertStmt() *insertStmt {
	s := &insertStmt{line: p.peek().line}
	p.expect("insert", "into")
	s.table = p.qualified()
	if p.is("(") {
		s.columns = p.names()
	}
	if p.accept("overriding") {
		s.overriding = p.oneOf("system", "user") == "system"
		p.expect("value")
	}
	switch {
	case p.accept("default", "values"):
		s.rows = [][]*node{{}}
	case p.accept("values"):
		for {
			p.expect("(")
			var row []*node
			for {
				row = append(row, p.expr())
				if !p.accept(",") {
					break
				}
			}
			p.expect(")")
			s.rows = append(s.rows, row)
			if !p.accept(",") {
				break
			}
		}
	default:
		s.query = p.selectStmt()
	}
	if p.accept("on", "conflict") {
		c := &conflictClause{}
		if p.is("(") {
			c.columns = p.names()
		} else if p.accept("on", "constraint") {
			c.constraint = p.name()
		}
		p.expect("do")
		if p.accept("update") {
			p.expect("set")
			c.sets = p.assignments()
			if p.accept("where") {
				c.where = p.expr()
			}
		} else {
			p.expect("nothing")
		}
		s.conflict = c
	}
	s.returning = p.returning()
	return s
}

func (p *parser) assignments() []assignClause {
	var list []assignClause
	for {
		a := assignClause{column: p.name()}
		p.expect("=")
		a.expr = p.expr()
		list = append(list, a)
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) returning() []target {
	var list []target
	if !p.accept("returning") {
		return nil
	}
	for {
		t := target{expr: p.expr()}
		if p.accept("as") {
			t.alias = p.label()
		}
		list = append(list, t)
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) alias(name string) string {
	if p.accept("as") {
		return p.name()
	}
	if t := p.peek(); t.kind == tokQuoted || t.kind == tokWord && !isReserved(t.text) && t.text != "set" {
		return p.name()
	}
	return name
}

func (p *parser) updateStmt() *updateStmt {
	s := &updateStmt{}
	p.expect("update")
	p.accept("only")
	s.table = p.qualified()
	s.alias = p.alias(s.table.name)
	p.expect("set")
	s.sets = p.assignments()
	if p.is("from") {
		p.fail("UPDATE … FROM is not supported")
	}
	if p.accept("where") {
		s.where = p.expr()
	}
	s.returning = p.returning()
	return s
}

func (p *parser) deleteStmt() *deleteStmt {
	s := &deleteStmt{}
	p.expect("delete", "from")
	p.accept("only")
	s.table = p.qualified()
	s.alias = p.alias(s.table.name)
	if p.is("using") {
		p.fail("DELETE … USING is not supported")
	}
	if p.accept("where") {
		s.where = p.expr()
	}
	s.returning = p.returning()
	return s
}

// result is what a statement gives.
type result struct {
	columns []scopeColumn
	rows    [][]value
	count   int // of rows that were changed
}

// assign makes an expression fit a column.
func (s *scope) assign(n *node, c *column) (*compiled, *Error) {
	if n.op == nodeDefault {
		return constant(c.typ, makeDefault{}), nil
	}
	e, err := s.compile(n)
	if err != nil {
		return nil, err
	}
	if !castable(e.typ, c.typ, assignment) {
		return nil, fault("42804", "column \"%s\" is of type %s but expression is of type %s", c.name, c.typ, e.typ).
			hinted("You will need to rewrite or cast the expression.")
	}
	return s.coerce(e, c.typ, assignment)
}

func (tx *txn) tableFor(q qualified) (*table, *Error) {
	t, ok := lookup(tx.db, tx.db.tables, q)
	if !ok {
		return nil, fault("42P01", "relation \"%s\" does not exist", q)
	}
	return t, nil
}

func (t *table) mustColumn(name string) (int, *Error) {
	i := t.column(name)
	if i < 0 {
		return 0, fault("42703", "column \"%s\" of relation \"%s\" does not exist", name, t.name)
	}
	return i, nil
}

// returned computes RETURNING.
func (tx *txn) returned(rel *table, alias string, targets []target, w *written) (*result, *Error) {
	res := &result{count: len(w.rows)}
	if len(targets) == 0 {
		return res, nil
	}
	if err := tx.allow(rel, "select", nil); err != nil {
		return nil, err
	}
	s := &scope{db: tx.db, tables: []scopeTable{tableScope(rel, alias)}}
	q := &query{}
	if err := s.targets(q, &selectStmt{targets: targets}); err != nil {
		return nil, err
	}
	res.columns = q.columns
	for _, values := range w.rows {
		row := make([]value, len(q.targets))
		for i, t := range q.targets {
			var err *Error
			if row[i], err = t.eval(&env{tx: tx, rows: [][]value{values}}); err != nil {
				return nil, err
			}
		}
		res.rows = append(res.rows, row)
	}
	return res, nil
}

func (tx *txn) runInsert(stmt *insertStmt, params []value, types []*typ) (*result, *Error) {
	rel, err := tx.tableFor(stmt.table)
	if err != nil {
		return nil, err
	}
	s, err := tx.sinkOf(rel, "insert")
	if err != nil {
		return nil, err
	}
	columns := make([]int, 0, len(rel.columns))
	for _, name := range stmt.columns {
		i, err := rel.mustColumn(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, i)
	}
	if stmt.columns == nil {
		for i := range rel.columns {
			columns = append(columns, i)
		}
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = rel.columns[c].name
	}
	if err := tx.allow(rel, "insert", names); err != nil {
		return nil, err
	}
	rows, width, err := tx.sourceRows(rel, columns, stmt, params, types)
	if err != nil {
		return nil, err
	}
	if stmt.columns == nil {
		columns = columns[:width]
	}
	on, err := tx.conflictOf(s, stmt.conflict, types, params)
	if err != nil {
		return nil, err
	}
	columns, rows = withoutDefaults(columns, rows)
	if err := s.writes(columns, "insert", stmt.overriding); err != nil {
		return nil, err
	}
	w, err := tx.insertRows(s, columns, rows, on, stmt.returning != nil)
	if err != nil {
		return nil, err
	}
	return tx.returned(rel, rel.name, stmt.returning, w)
}

// withoutDefaults leaves out columns for which every row has DEFAULT.
func withoutDefaults(columns []int, rows [][]value) ([]int, [][]value) {
	var kept []int
	for i := range columns {
		if slices.ContainsFunc(rows, func(r []value) bool { return r[i] != makeDefault{} }) {
			kept = append(kept, i)
		}
	}
	out := make([]int, len(kept))
	for i, k := range kept {
		out[i] = columns[k]
	}
	narrow := make([][]value, len(rows))
	for n, r := range rows {
		narrow[n] = make([]value, len(kept))
		for i, k := range kept {
			narrow[n][i] = r[k]
		}
	}
	return out, narrow
}

// sourceRows computes the rows to be inserted.
func (tx *txn) sourceRows(rel *table, columns []int, stmt *insertStmt, params []value, types []*typ) (rows [][]value, width int, err *Error) {
	if stmt.query != nil {
		q, err := tx.db.compileSelect(stmt.query, nil, types)
		if err != nil {
			return nil, 0, err
		}
		if len(q.columns) > len(columns) {
			return nil, 0, fault("42601", "INSERT has more expressions than target columns")
		}
		got, err := q.run(&env{tx: tx, params: params})
		if err != nil {
			return nil, 0, err
		}
		for _, r := range got {
			for i, v := range r {
				to := rel.columns[columns[i]]
				if v == nil {
					continue
				}
				if !q.texts[i] && !castable(q.columns[i].typ, to.typ, assignment) {
					return nil, 0, fault("42804", "column \"%s\" is of type %s but expression is of type %s", to.name, to.typ, q.columns[i].typ)
				}
				if r[i], err = castValue(q.columns[i].typ, to.typ, v, false, tx.locale()); err != nil {
					return nil, 0, err
				}
			}
			rows = append(rows, r)
		}
		return rows, len(q.columns), nil
	}
	s := &scope{db: tx.db, params: types}
	for _, nodes := range stmt.rows {
		if len(nodes) > len(columns) {
			return nil, 0, fault("42601", "INSERT has more expressions than target columns")
		}
		if stmt.columns != nil && len(nodes) < len(columns) {
			return nil, 0, fault("42601", "INSERT has more target columns than expressions")
		}
		if width = len(nodes); width != len(stmt.rows[0]) {
			return nil, 0, fault("42601", "VALUES lists must all be the same length")
		}
		row := make([]value, len(nodes))
		for i, n := range nodes {
			c, err := s.assign(n, rel.columns[columns[i]])
			if err != nil {
				return nil, 0, err
			}
			if row[i], err = c.eval(&env{tx: tx, params: params}); err != nil {
				return nil, 0, err
			}
		}
		rows = append(rows, row)
	}
	return rows, width, nil
}

func (tx *txn) conflictOf(s *sink, clause *conflictClause, types []*typ, params []value) (*conflict, *Error) {
	if clause == nil {
		return nil, nil
	}
	on := &conflict{update: clause.sets != nil}
	for _, name := range clause.columns {
		i, err := s.rel.mustColumn(name)
		if err != nil {
			return nil, err
		}
		on.columns = append(on.columns, s.columns[i])
	}
	if clause.constraint != "" {
		i := slices.IndexFunc(s.base.indexes, func(x *index) bool { return x.name == clause.constraint })
		if i < 0 {
			return nil, fault("42704", "constraint \"%s\" for table \"%s\" does not exist", clause.constraint, s.base.name)
		}
		on.index = s.base.indexes[i]
	}
	if !on.update {
		return on, nil
	}
	sc := &scope{db: tx.db, params: types, tables: []scopeTable{tableScope(s.base, s.rel.name), tableScope(s.base, "excluded")}}
	sc.tables[1].columns = slices.Clone(sc.tables[1].columns)
	for i := range sc.tables[1].columns {
		sc.tables[1].columns[i].hidden = true // named excluded.column only
	}
	var places []int
	var exprs []*compiled
	for _, a := range clause.sets {
		i, err := s.base.mustColumn(a.column)
		if err != nil {
			return nil, err
		}
		c, err := sc.assign(a.expr, s.base.columns[i])
		if err != nil {
			return nil, err
		}
		places, exprs = append(places, i), append(exprs, c)
	}
	var where *compiled
	if clause.where != nil {
		var err *Error
		if where, err = sc.condition(clause.where, "WHERE"); err != nil {
			return nil, err
		}
	}
	on.set = func(e *env, existing, excluded []value) ([]value, bool, *Error) {
		inner := &env{tx: e.tx, rows: [][]value{existing, excluded}, params: params}
		if where != nil {
			if ok, err := where.truth(inner); err != nil || !ok {
				return nil, false, err
			}
		}
		values := slices.Clone(existing)
		for i, p := range places {
			var err *Error
			if values[p], err = exprs[i].eval(inner); err != nil {
				return nil, false, err
			}
		}
		return values, true, nil
	}
	return on, nil
}

// matcher compiles a WHERE on the rows of one table.
func (tx *txn) matcher(sc *scope, where *node, params []value) (func([]value) (bool, *Error), *Error) {
	if where == nil {
		return func([]value) (bool, *Error) { return true, nil }, nil
	}
	c, err := sc.condition(where, "WHERE")
	if err != nil {
		return nil, err
	}
	return func(values []value) (bool, *Error) {
		return c.truth(&env{tx: tx, rows: [][]value{values}, params: params})
	}, nil
}

func (tx *txn) runUpdate(stmt *updateStmt, params []value, types []*typ) (*result, *Error) {
	rel, err := tx.tableFor(stmt.table)
	if err != nil {
		return nil, err
	}
	s, err := tx.sinkOf(rel, "update")
	if err != nil {
		return nil, err
	}
	sc := &scope{db: tx.db, params: types, tables: []scopeTable{tableScope(rel, stmt.alias)}}
	var columns []int
	var exprs []*compiled
	var names []string
	for _, a := range stmt.sets {
		i, err := rel.mustColumn(a.column)
		if err != nil {
			return nil, err
		}
		c, err := sc.assign(a.expr, rel.columns[i])
		if err != nil {
			return nil, err
		}
		columns, exprs, names = append(columns, i), append(exprs, c), append(names, a.column)
	}
	var explicitly []int
	for i, a := range stmt.sets {
		if a.expr.op != nodeDefault {
			explicitly = append(explicitly, columns[i])
		}
	}
	if err := s.writes(explicitly, "update", false); err != nil {
		return nil, err
	}
	if err := tx.allow(rel, "update", names); err != nil {
		return nil, err
	}
	match, err := tx.matcher(sc, stmt.where, params)
	if err != nil {
		return nil, err
	}
	w, err := tx.updateRows(s, columns, match, func(shown []value) ([]value, *Error) {
		out := make([]value, len(exprs))
		for i, c := range exprs {
			var err *Error
			if out[i], err = c.eval(&env{tx: tx, rows: [][]value{shown}, params: params}); err != nil {
				return nil, err
			}
		}
		return out, nil
	}, stmt.where != nil || stmt.returning != nil)
	if err != nil {
		return nil, err
	}
	return tx.returned(rel, stmt.alias, stmt.returning, w)
}

func (tx *txn) runDelete(stmt *deleteStmt, params []value, types []*typ) (*result, *Error) {
	rel, err := tx.tableFor(stmt.table)
	if err != nil {
		return nil, err
	}
	s, err := tx.sinkOf(rel, "delete")
	if err != nil {
		return nil, err
	}
	if err := tx.allow(rel, "delete", nil); err != nil {
		return nil, err
	}
	sc := &scope{db: tx.db, params: types, tables: []scopeTable{tableScope(rel, stmt.alias)}}
	match, err := tx.matcher(sc, stmt.where, params)
	if err != nil {
		return nil, err
	}
	w, err := tx.deleteRows(s, match, stmt.where != nil || stmt.returning != nil)
	if err != nil {
		return nil, err
	}
	return tx.returned(rel, stmt.alias, stmt.returning, w)
}

func (tx *txn) runSelect(stmt *selectStmt, params []value, types []*typ) (*result, *Error) {
	q, err := tx.db.compileSelect(stmt, nil, types)
	if err != nil {
		return nil, err
	}
	rows, err := q.run(&env{tx: tx, params: params})
	if err != nil {
		return nil, err
	}
	return &result{columns: q.columns, rows: rows}, nil
}
