package fakerest

import (
	"slices"
	"strings"
)

func (l *loader) alter() {
	l.take()
	switch t := l.peek(); {
	case l.accept("table"):
		l.alterTable()
	case l.accept("view"):
		l.accept("if", "exists")
		v := l.existing()
		switch {
		case l.accept("owner", "to"):
			l.label()
		case l.accept("rename", "to"):
			l.rename(v, l.name())
		default:
			l.fail("ALTER VIEW %s is not supported", strings.ToUpper(l.peek().text))
		}
	case l.accept("default", "privileges"):
		l.alterDefaults()
	case l.accept("policy"):
		l.alterPolicy()
	case l.accept("type"):
		l.alterType()
	case l.accept("sequence"):
		l.accept("if", "exists")
		q := l.qualified()
		s, ok := lookup(l.db, l.db.sequences, q)
		if !ok {
			l.must(fault("42P01", "relation \"%s\" does not exist", q), t.line)
		}
		if l.accept("owner", "to") {
			l.label()
			return
		}
		restart := l.is("restart")
		start, step := l.sequenceOptions()
		s.step = step
		if restart {
			s.next = start
		}
	case l.accept("function"):
		l.qualified()
		l.skipParentheses()
		l.expect("owner", "to")
		l.label()
	case l.accept("schema"):
		l.name()
		l.expect("owner", "to")
		l.label()
	case l.accept("role"):
		r := l.roleNames()[0]
		l.accept("with")
		switch {
		case l.accept("bypassrls"):
			l.db.roles[r].bypassRLS = true
		case l.accept("nobypassrls"):
			l.db.roles[r].bypassRLS = false
		default:
			l.fail("ALTER ROLE %s is not supported", strings.ToUpper(l.peek().text))
		}
	default:
		l.fail("ALTER %s is not supported", strings.ToUpper(l.src[t.from:t.to]))
	}
}

func (l *loader) skipParentheses() {
	if !l.accept("(") {
		return
	}
	for depth := 1; depth > 0; {
		switch t := l.take(); {
		case t.kind == tokEnd:
			l.unexpected()
		case t.kind == tokOp && t.text == "(":
			depth++
		case t.kind == tokOp && t.text == ")":
			depth--
		}
	}
}

func (l *loader) alterType() {
	line := l.peek().line
	q := l.qualified()
	t, ok := lookup(l.db, l.db.types, q)
	if !ok {
		l.must(fault("42704", "type \"%s\" does not exist", q), line)
	}
	if l.accept("owner", "to") {
		l.label()
		return
	}
	l.expect("add", "value")
	missingFine := l.accept("if", "not", "exists")
	label := l.text()
	if t.enumIndex(label) >= 0 {
		if !missingFine {
			l.must(fault("42710", "enum label \"%s\" already exists", label), line)
		}
		return
	}
	at := len(t.labels)
	if where := l.oneOf("before", "after"); where != "" {
		neighbour := l.text()
		if at = t.enumIndex(neighbour); at < 0 {
			l.must(fault("22023", "\"%s\" is not an existing enum label", neighbour), line)
		}
		if where == "after" {
			at++
		}
	}
	t.labels = slices.Insert(t.labels, at, label)
}

func (l *loader) alterPolicy() {
	line := l.peek().line
	name := l.name()
	l.expect("on")
	t := l.existing()
	i := slices.IndexFunc(t.policies, func(p *policy) bool { return p.name == name })
	if i < 0 {
		l.must(fault("42704", "policy \"%s\" for table \"%s\" does not exist", name, t.name), line)
	}
	p := t.policies[i]
	if l.accept("rename", "to") {
		p.name = l.name()
		return
	}
	if l.accept("to") {
		p.roles = l.roleNames()
	}
	l.policyTests(t, p)
}

func (l *loader) alterTable() {
	missingFine := l.accept("if", "exists")
	l.accept("only")
	if missingFine {
		if _, ok := lookup(l.db, l.db.tables, l.peekQualified()); !ok {
			for l.peek().kind != tokEnd && !l.is(";") {
				l.take()
			}
			return
		}
	}
	t := l.existing()
	for {
		l.alterTableOnce(t)
		if !l.accept(",") {
			return
		}
	}
}

func (l *loader) peekQualified() qualified {
	at := l.at
	q := l.qualified()
	l.at = at
	return q
}

func (l *loader) alterTableOnce(t *table) {
	line := l.peek().line
	switch {
	case l.accept("enable", "row", "level", "security"):
		t.rowSecurity = true
	case l.accept("disable", "row", "level", "security"):
		t.rowSecurity = false
	case l.accept("force", "row", "level", "security"), l.accept("no", "force", "row", "level", "security"):
		// it is about the owner, on whose behalf no request runs
	case l.accept("owner", "to"):
		l.label()
	case l.accept("replica", "identity"):
		l.take()
	case l.accept("validate", "constraint"):
		l.name()
	case l.accept("rename", "to"):
		l.rename(t, l.name())
	case l.accept("rename", "constraint"):
		l.renameConstraint(t, l.name(), line)
	case l.accept("rename"):
		l.accept("column")
		i := l.columnNumbers(t, []string{l.name()}, line)[0]
		l.expect("to")
		t.columns[i].name = l.name()
	case l.accept("add"):
		if l.isConstraint() {
			l.addConstraint(t, l.tableConstraint(nil))
			return
		}
		l.accept("column")
		missingFine := l.accept("if", "not", "exists")
		l.addColumn(t, missingFine)
	case l.accept("drop", "constraint"):
		missingFine := l.accept("if", "exists")
		name := l.name()
		_ = l.accept("cascade") || l.accept("restrict")
		if !t.dropConstraint(name) && !missingFine {
			l.must(fault("42704", "constraint \"%s\" of relation \"%s\" does not exist", name, t.name), line)
		}
	case l.accept("drop"):
		l.accept("column")
		missingFine := l.accept("if", "exists")
		name := l.name()
		l.dropColumn(t, name, l.accept("cascade"), missingFine, line)
	case l.accept("alter"):
		l.accept("column")
		l.alterColumn(t)
	default:
		l.fail("ALTER TABLE %s is not supported", strings.ToUpper(l.peek().text))
	}
}

func (l *loader) rename(t *table, name string) {
	delete(l.db.tables, t.key())
	t.name = name
	l.db.tables[t.key()] = t
}

func (l *loader) renameConstraint(t *table, name string, line int) {
	l.expect("to")
	to := l.name()
	for _, x := range t.indexes {
		if x.name == name {
			x.name = to
			return
		}
	}
	for _, k := range t.checks {
		if k.name == name {
			k.name = to
			return
		}
	}
	for _, f := range t.foreign {
		if f.name == name {
			f.name = to
			return
		}
	}
	l.must(fault("42704", "constraint \"%s\" for table \"%s\" does not exist", name, t.name), line)
}

// addColumn appends a column; rows that are there get its default.
func (l *loader) addColumn(t *table, missingFine bool) {
	line := l.peek().line
	if t.view != nil {
		l.must(fault("42809", "\"%s\" is not a table", t.name), line)
	}
	probe := &table{schema: t.schema, name: t.name}
	constraints, defaults := l.column(probe)
	c := probe.columns[0]
	if t.column(c.name) >= 0 {
		if !missingFine {
			l.must(fault("42701", "column \"%s\" of relation \"%s\" already exists", c.name, t.name), line)
		}
		return
	}
	t.columns = append(t.columns, c)
	for _, d := range defaults {
		d.column = len(t.columns) - 1
		l.setDefault(t, d)
	}
	l.rewrite(t, func(values []value) []value {
		values = append(slices.Clone(values), nil)
		given := make([]bool, len(values))
		for i := range len(values) - 1 {
			given[i] = true
		}
		l.must(l.tx.complete(t, values, given), line)
		l.must(l.tx.generate(t, values), line)
		l.must(l.tx.verify(t, values), line)
		return values
	})
	for _, k := range constraints {
		l.addConstraint(t, k)
	}
}

// rewrite replaces the values of all rows, and indexes them anew.
func (l *loader) rewrite(t *table, f func([]value) []value) {
	rows := t.live()
	for _, r := range rows {
		r.values = f(r.values)
	}
	indexes := t.indexes
	t.indexes = nil
	for _, x := range indexes {
		l.addIndex(t, x, l.peek().line)
	}
}

func (t *table) dropConstraint(name string) bool {
	before := len(t.indexes) + len(t.checks) + len(t.foreign)
	t.indexes = slices.DeleteFunc(t.indexes, func(x *index) bool { return x.name == name })
	t.checks = slices.DeleteFunc(t.checks, func(k *check) bool { return k.name == name })
	t.foreign = slices.DeleteFunc(t.foreign, func(f *foreignKey) bool {
		if f.name != name {
			return false
		}
		f.target.references = slices.DeleteFunc(f.target.references, func(o *foreignKey) bool { return o == f })
		return true
	})
	if t.primary != nil && !slices.Contains(t.indexes, t.primary) {
		t.primary = nil
	}
	return len(t.indexes)+len(t.checks)+len(t.foreign) < before
}

// dropColumn takes a column away. Expressions name columns by their places, so those of other
// columns must not move: it is refused where an expression could be hurt.
func (l *loader) dropColumn(t *table, name string, _, missingFine bool, line int) {
	_ = l.accept("restrict")
	i := t.column(name)
	if i < 0 {
		if !missingFine {
			l.must(fault("42703", "column \"%s\" of relation \"%s\" does not exist", name, t.name), line)
		}
		return
	}
	used := len(t.policies) > 0 || len(t.checks) > 0 || slices.ContainsFunc(t.columns, func(c *column) bool { return c.generated != nil })
	for _, x := range t.indexes {
		used = used || x.where != nil || len(x.keys) > 0
	}
	for _, other := range l.db.tableOrder {
		used = used || other.view != nil
	}
	if used && i != len(t.columns)-1 {
		l.fail("DROP COLUMN is not supported once there are checks, policies or views: leave the column out of its table")
	}
	for _, x := range slices.Clone(t.indexes) {
		if slices.Contains(x.columns, i) {
			t.dropConstraint(x.name)
		}
	}
	for _, f := range slices.Clone(t.foreign) {
		if slices.Contains(f.columns, i) {
			t.dropConstraint(f.name)
		}
	}
	shift := func(columns []int) {
		for j, c := range columns {
			if c > i {
				columns[j] = c - 1
			}
		}
	}
	for _, x := range t.indexes {
		shift(x.columns)
	}
	for _, f := range t.foreign {
		shift(f.columns)
	}
	for _, f := range t.references {
		shift(f.targets)
	}
	t.columns = slices.Delete(t.columns, i, i+1)
	l.rewrite(t, func(values []value) []value { return slices.Delete(slices.Clone(values), i, i+1) })
}

func (l *loader) alterColumn(t *table) {
	line := l.peek().line
	i := l.columnNumbers(t, []string{l.name()}, line)[0]
	c := t.columns[i]
	switch {
	case l.accept("set", "default"):
		from := l.peek().from
		e := l.expr()
		l.setDefault(t, columnDefault{column: i, expr: e, text: strings.TrimSpace(l.src[from:l.peek().from])})
	case l.accept("drop", "default"):
		c.value, c.valueText = nil, ""
	case l.accept("set", "not", "null"):
		c.notNull = true
		for _, r := range t.live() {
			l.must(l.tx.verify(t, r.values), line)
		}
	case l.accept("drop", "not", "null"):
		c.notNull = false
	case l.accept("add", "generated"):
		c.identity = 'd'
		if l.accept("always") {
			c.identity = 'a'
		} else {
			l.expect("by", "default")
		}
		l.expect("as", "identity")
		start, step := int64(1), int64(1)
		if l.accept("(") {
			start, step = l.sequenceOptions()
			l.expect(")")
		}
		c.sequence = l.newSequence(l.sequenceName(t, c.name), start, step)
	case l.accept("type"), l.accept("set", "data", "type"):
		l.alterColumnType(t, i, line)
	default:
		l.fail("ALTER COLUMN %s is not supported", strings.ToUpper(l.peek().text))
	}
}

func (l *loader) alterColumnType(t *table, i, line int) {
	c := t.columns[i]
	ref := l.typeRef()
	to, err := l.db.resolveType(ref)
	l.must(err, ref.line)
	s := scopeOf(l.db, t)
	n := &node{op: nodeColumn, names: []string{c.name}, line: line}
	if l.accept("using") {
		n = l.expr()
	}
	e, err := s.compile(n)
	l.must(err, n.line)
	e, err = s.coerce(e, to, explicit)
	l.must(err, n.line)
	if len(t.policies) > 0 || len(t.checks) > 0 {
		l.fail("ALTER COLUMN TYPE is not supported once there are checks or policies: declare the column with its type")
	}
	l.rewrite(t, func(values []value) []value {
		v, err := e.eval(&env{tx: l.tx, rows: [][]value{values}})
		l.must(err, line)
		values = slices.Clone(values)
		values[i] = v
		return values
	})
	c.typ = to
	if c.value != nil {
		c.value, err = s.coerce(c.value, to, explicit)
		l.must(err, line)
	}
}

func (l *loader) drop() {
	l.take()
	what := l.oneOf("table", "view", "policy", "function", "type", "index", "schema", "sequence", "extension")
	if what == "" {
		l.fail("DROP %s is not supported", strings.ToUpper(l.peek().text))
	}
	line := l.peek().line
	missingFine := l.accept("if", "exists")
	missing := func(found bool, name string) {
		if !found && !missingFine {
			l.must(fault("42704", "%s \"%s\" does not exist", what, name), line)
		}
	}
	if what == "policy" {
		name := l.name()
		l.expect("on")
		if missingFine {
			if _, ok := lookup(l.db, l.db.tables, l.peekQualified()); !ok {
				l.qualified()
				return
			}
		}
		t := l.existing()
		n := len(t.policies)
		t.policies = slices.DeleteFunc(t.policies, func(p *policy) bool { return p.name == name })
		missing(len(t.policies) < n, name)
		return
	}
	for {
		var q qualified
		if what == "extension" || what == "schema" {
			q.name = l.label()
		} else {
			q = l.qualified()
		}
		switch what {
		case "table", "view":
			t, ok := lookup(l.db, l.db.tables, q)
			missing(ok, q.String())
			if ok {
				l.dropTable(t)
			}
		case "function":
			l.skipParentheses()
			_, ok := lookup(l.db, l.db.functions, q)
			missing(ok, q.String())
			delete(l.db.functions, l.place(q))
		case "type":
			_, ok := lookup(l.db, l.db.types, q)
			missing(ok, q.String())
			delete(l.db.types, l.place(q))
		case "index":
			for _, t := range l.db.tableOrder {
				t.dropConstraint(q.name) // one that is not unique was never kept
			}
		case "sequence":
			delete(l.db.sequences, l.place(q))
		case "schema":
			missing(l.db.schemas[q.name], q.name)
			for _, t := range slices.Clone(l.db.tableOrder) {
				if t.schema == q.name {
					l.dropTable(t)
				}
			}
			delete(l.db.schemas, q.name)
		}
		if !l.accept(",") {
			break
		}
	}
	_ = l.accept("cascade") || l.accept("restrict")
}

func (l *loader) dropTable(t *table) {
	delete(l.db.tables, t.key())
	l.db.tableOrder = slices.DeleteFunc(l.db.tableOrder, func(o *table) bool { return o == t })
	for _, f := range slices.Clone(t.references) {
		f.table.dropConstraint(f.name)
	}
	for _, f := range slices.Clone(t.foreign) {
		t.dropConstraint(f.name)
	}
}
