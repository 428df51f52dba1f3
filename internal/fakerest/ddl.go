package fakerest

import (
	"slices"
	"strings"
)

// loader runs the SQL of a schema, as its owner.
type loader struct {
	*parser
	tx *txn
	db *database
	// privileges that tables get when they are created, by schema and role
	defaults map[string]map[string][]string
}

// load runs a schema's SQL.
func (l *loader) load(src string) *SchemaError {
	p, err := newParser(src)
	if err != nil {
		return err
	}
	l.parser = p
	for {
		for l.accept(";") {
		}
		if l.peek().kind == tokEnd {
			return nil
		}
		if err := l.one(); err != nil {
			return err
		}
	}
}

// one runs the next statement.
func (l *loader) one() (err *SchemaError) {
	defer caught(&err)
	l.depth = 0
	l.statement()
	if l.peek().kind != tokEnd && !l.accept(";") {
		l.unexpected()
	}
	return nil
}

// must ends the loading with what the database says.
func (l *loader) must(err *Error, line int) {
	if err == nil {
		return
	}
	var text strings.Builder
	text.WriteString(err.Message)
	for _, more := range []string{err.Details, err.Hint} {
		if more != "" {
			text.WriteString(" (" + more + ")")
		}
	}
	panic(parseFault{&SchemaError{Line: line, Text: text.String()}})
}

func (l *loader) statement() {
	t := l.peek()
	switch t.text {
	case "create":
		l.create()
	case "alter":
		l.alter()
	case "drop":
		l.drop()
	case "grant", "revoke":
		l.grant()
	case "comment":
		l.comment()
	case "insert":
		stmt := l.insertStmt()
		_, err := l.tx.runInsert(stmt, nil, nil)
		l.must(err, t.line)
	case "update":
		stmt := l.updateStmt()
		_, err := l.tx.runUpdate(stmt, nil, nil)
		l.must(err, t.line)
	case "delete":
		stmt := l.deleteStmt()
		_, err := l.tx.runDelete(stmt, nil, nil)
		l.must(err, t.line)
	case "select":
		stmt := l.selectStmt()
		_, err := l.tx.runSelect(stmt, nil, nil)
		l.must(err, t.line)
	case "set":
		l.set()
	case "begin", "commit", "start", "end":
		l.take()
		_ = l.accept("transaction") || l.accept("work")
	case "notify":
		l.take()
		l.name()
		if l.accept(",") {
			l.text()
		}
	default:
		l.fail("%s is not supported", strings.ToUpper(l.src[t.from:t.to]))
	}
}

// set takes SET; only what changes nothing here is known.
func (l *loader) set() {
	l.take()
	_ = l.accept("local") || l.accept("session")
	switch name := l.label(); name {
	case "search_path":
		if !l.accept("to") {
			l.expect("=")
		}
		l.db.path = nil
		for {
			t := l.take()
			if t.kind != tokWord && t.kind != tokQuoted && t.kind != tokString {
				l.at--
				l.unexpected()
			}
			for s := range strings.SplitSeq(t.text, ",") {
				if s = strings.TrimSpace(s); s != "" {
					l.db.path = append(l.db.path, s)
				}
			}
			if !l.accept(",") {
				return
			}
		}
	case "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_encoding", "standard_conforming_strings",
		"check_function_bodies", "xmloption", "client_min_messages", "row_security", "default_tablespace", "default_table_access_method":
		if !l.accept("to") {
			l.expect("=")
		}
		l.take()
	default:
		l.fail("SET %s is not supported", name)
	}
}

func (l *loader) create() {
	l.take()
	replace := l.accept("or", "replace")
	l.accept("force")
	switch t := l.peek(); {
	case l.accept("table"):
		l.createTable()
	case l.is("unlogged") || l.is("temporary") || l.is("temp") || l.is("foreign"):
		l.fail("CREATE %s TABLE is not supported", strings.ToUpper(t.text))
	case l.accept("type"):
		l.createType()
	case l.accept("view"):
		l.createView(replace)
	case l.is("materialized"):
		l.fail("CREATE MATERIALIZED VIEW is not supported")
	case l.is("unique", "index") || l.is("index"):
		l.createIndex()
	case l.accept("policy"):
		l.createPolicy()
	case l.accept("function"):
		l.createFunction(replace)
	case l.accept("schema"):
		missingFine := l.accept("if", "not", "exists")
		name := l.name()
		if l.accept("authorization") {
			l.name()
		}
		if l.db.schemas[name] && !missingFine {
			l.must(fault("42P06", "schema \"%s\" already exists", name), t.line)
		}
		l.db.schemas[name] = true
		l.db.usage[name] = map[string]bool{}
	case l.accept("extension"):
		l.accept("if", "not", "exists")
		switch name := l.label(); name {
		case "pgcrypto", "uuid-ossp", "citext", "plpgsql":
		default:
			l.fail("the extension %s is not supported", name)
		}
		l.accept("with")
		for l.oneOf("schema", "version") != "" {
			l.take()
		}
		l.accept("cascade")
	case l.accept("sequence"):
		l.createSequence()
	case l.accept("role") || l.accept("user"):
		l.createRole()
	case l.accept("domain"):
		l.fail("CREATE DOMAIN is not supported")
	default:
		l.fail("CREATE %s is not supported", strings.ToUpper(l.src[t.from:t.to]))
	}
}

func (l *loader) createRole() {
	r := &role{name: l.name(), memberOf: map[string]bool{}}
	if l.db.roles[r.name] == nil {
		l.db.roles[r.name] = r
	}
	l.accept("with")
	for {
		switch word := l.oneOf("login", "nologin", "inherit", "noinherit", "bypassrls", "nobypassrls", "createdb", "nocreatedb", "createrole", "nocreaterole", "superuser", "nosuperuser", "password"); word {
		case "":
			return
		case "bypassrls":
			l.db.roles[r.name].bypassRLS = true
		case "superuser":
			l.db.roles[r.name].super = true
		case "password":
			l.take()
		}
	}
}

// place gives the schema of something that is created.
func (l *loader) place(q qualified) qualified {
	if q.schema == "" {
		q.schema = "public"
		if len(l.db.path) > 0 {
			q.schema = l.db.path[0]
		}
	}
	if !l.db.schemas[q.schema] {
		l.must(fault("3F000", "schema \"%s\" does not exist", q.schema), l.peek().line)
	}
	return q
}

func (l *loader) createType() {
	line := l.peek().line
	q := l.place(l.qualified())
	l.expect("as")
	if !l.accept("enum") {
		l.fail("CREATE TYPE other than an enum is not supported")
	}
	l.expect("(")
	t := &typ{kind: kindEnum, name: q.name, schema: q.schema, size: -1}
	for !l.accept(")") {
		t.labels = append(t.labels, l.text())
		if !l.is(")") {
			l.expect(",")
		}
	}
	if _, ok := l.db.types[q]; ok {
		l.must(fault("42710", "type \"%s\" already exists", q.name), line)
	}
	l.db.types[q] = t
}

func (l *loader) createSequence() {
	l.accept("if", "not", "exists")
	q := l.place(l.qualified())
	start, step := l.sequenceOptions()
	l.newSequence(q, start, step)
}

// sequenceOptions takes START, INCREMENT and the like.
func (l *loader) sequenceOptions() (start, step int64) {
	start, step = 1, 1
	for {
		switch word := l.oneOf("start", "increment", "minvalue", "maxvalue", "cache", "no", "cycle", "owned", "as", "sequence", "restart"); word {
		case "":
			return start, step
		case "start", "restart":
			l.accept("with")
			start = int64(l.integer())
		case "increment":
			l.accept("by")
			step = int64(l.integer())
		case "minvalue", "maxvalue", "cache":
			l.integer()
		case "no":
			l.take()
		case "owned":
			l.expect("by")
			l.qualified()
			if l.accept(".") {
				l.label()
			}
		case "as":
			l.typeRef()
		case "sequence":
			l.expect("name")
			l.qualified()
		}
	}
}

func (l *loader) newSequence(q qualified, start, step int64) *sequence {
	s := &sequence{schema: q.schema, name: q.name, next: start, step: step}
	l.db.sequences[q] = s
	return s
}

// constraint is one of a table that is being declared.
type constraint struct {
	kind    string // primary, unique, foreign, check
	name    string
	columns []string
	nulls   bool // NULLS NOT DISTINCT
	target  qualified
	targets []string
	foreign foreignKey
	expr    *node
	line    int
}

func (l *loader) createTable() {
	line := l.peek().line
	missingFine := l.accept("if", "not", "exists")
	q := l.place(l.qualified())
	t := &table{schema: q.schema, name: q.name, grants: map[string]*grant{}}
	exists := l.db.tables[q] != nil
	if exists && !missingFine {
		l.must(fault("42P07", "relation \"%s\" already exists", q.name), line)
	}
	if l.is("as") || l.is("partition") || l.is("of") {
		l.fail("CREATE TABLE %s is not supported", strings.ToUpper(l.peek().text))
	}
	var constraints []constraint
	var defaults []columnDefault
	l.expect("(")
	for {
		if l.is("like") {
			l.fail("CREATE TABLE … (LIKE …) is not supported")
		}
		if l.isConstraint() {
			constraints = append(constraints, l.tableConstraint(nil))
		} else {
			cs, ds := l.column(t)
			constraints, defaults = append(constraints, cs...), append(defaults, ds...)
		}
		if !l.accept(",") {
			break
		}
	}
	l.expect(")")
	if l.is("inherits") || l.is("partition") || l.is("with") || l.is("tablespace") {
		l.fail("%s of a table is not supported", strings.ToUpper(l.peek().text))
	}
	if exists {
		return
	}
	l.db.tables[q] = t
	l.db.tableOrder = append(l.db.tableOrder, t)
	for r, privileges := range l.defaults[q.schema] {
		t.grantTo(r, privileges, nil)
	}
	for _, d := range defaults {
		l.setDefault(t, d)
	}
	// the primary key first, as its index is made first
	slices.SortStableFunc(constraints, func(a, b constraint) int {
		return boolInt(a.kind != "primary") - boolInt(b.kind != "primary")
	})
	for _, c := range constraints {
		l.addConstraint(t, c)
	}
}

type columnDefault struct {
	column    int
	expr      *node
	text      string
	generated bool
}

func (l *loader) setDefault(t *table, d columnDefault) {
	c := t.columns[d.column]
	s := &scope{db: l.db}
	if d.generated {
		s = scopeOf(l.db, t)
	}
	e, err := s.compile(d.expr)
	l.must(err, d.expr.line)
	if !castable(e.typ, c.typ, assignment) {
		l.must(fault("42804", "column \"%s\" is of type %s but default expression is of type %s", c.name, c.typ, e.typ), d.expr.line)
	}
	e, err = s.coerce(e, c.typ, assignment)
	l.must(err, d.expr.line)
	if d.generated {
		c.generated = e
		return
	}
	c.value, c.valueText = e, d.text
}

func (l *loader) isConstraint() bool {
	return l.is("constraint") || l.is("primary", "key") || l.is("unique", "(") || l.is("unique", "nulls") || l.is("check", "(") || l.is("foreign", "key") || l.is("exclude")
}

// column takes the declaration of a column.
func (l *loader) column(t *table) ([]constraint, []columnDefault) {
	line := l.peek().line
	name := l.name()
	if t.column(name) >= 0 {
		l.must(fault("42701", "column \"%s\" specified more than once", name), line)
	}
	c := &column{name: name}
	i := len(t.columns)
	t.columns = append(t.columns, c)
	var constraints []constraint
	var defaults []columnDefault
	if serial, ok := map[string]*typ{
		"serial": typInt4, "serial4": typInt4, "bigserial": typInt8, "serial8": typInt8, "smallserial": typInt2, "serial2": typInt2,
	}[l.peek().text]; ok && l.peek().kind == tokWord {
		l.take()
		c.typ, c.notNull = serial, true
		c.sequence = l.newSequence(l.sequenceName(t, name), 1, 1)
	} else {
		ref := l.typeRef()
		var err *Error
		c.typ, err = l.db.resolveType(ref)
		l.must(err, ref.line)
		if c.typ.kind == kindVoid || c.typ.kind == kindTrigger || c.typ.kind == kindRecord || c.typ.kind == kindTsquery {
			l.must(fault("42P16", "a column of type %s is not supported", c.typ), ref.line)
		}
	}
	for {
		constraintName := ""
		if l.accept("constraint") {
			constraintName = l.name()
		}
		switch {
		case l.accept("not", "null"):
			c.notNull = true
		case l.accept("null"):
		case l.accept("collate"):
			if q := l.qualified(); q.name != "C" && q.name != "POSIX" && q.name != "default" {
				l.fail("the collation %s is not supported: text is sorted by its bytes", q)
			}
		case l.accept("default"):
			from := l.peek().from
			e := l.pattern()
			defaults = append(defaults, columnDefault{column: i, expr: e, text: strings.TrimSpace(l.src[from:l.peek().from])})
		case l.is("generated"):
			l.take()
			if l.accept("always", "as", "(") {
				defaults = append(defaults, columnDefault{column: i, expr: l.expr(), generated: true})
				l.expect(")")
				l.expect("stored")
				continue
			}
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
			if !c.typ.isInt() {
				l.must(fault("22023", "identity column type must be smallint, integer, or bigint"), line)
			}
			c.notNull = true
			c.sequence = l.newSequence(l.sequenceName(t, name), start, step)
		case l.is("primary", "key") || l.is("unique") || l.is("references") || l.is("check"):
			k := l.tableConstraint([]string{name})
			k.name = constraintName
			constraints = append(constraints, k)
		default:
			if constraintName != "" {
				l.unexpected()
			}
			return constraints, defaults
		}
	}
}

func (l *loader) sequenceName(t *table, column string) qualified {
	return qualified{t.schema, t.name + "_" + column + "_seq"}
}

// tableConstraint takes a constraint; of a column if one is given.
func (l *loader) tableConstraint(column []string) constraint {
	c := constraint{columns: column, line: l.peek().line}
	if l.accept("constraint") {
		c.name = l.name()
	}
	switch {
	case l.accept("primary", "key"):
		c.kind = "primary"
		if column == nil {
			c.columns = l.names()
		}
	case l.accept("unique"):
		c.kind = "unique"
		if l.accept("nulls") {
			c.nulls = l.accept("not")
			l.expect("distinct")
		}
		if column == nil {
			if l.accept("using", "index") {
				l.fail("UNIQUE USING INDEX is not supported")
			}
			c.columns = l.names()
		}
	case l.accept("check"):
		c.kind = "check"
		l.expect("(")
		c.expr = l.expr()
		l.expect(")")
		if l.accept("no", "inherit") {
			break
		}
	case l.accept("exclude"):
		l.fail("EXCLUDE constraints are not supported")
	default:
		if column == nil {
			l.expect("foreign", "key")
			c.columns = l.names()
		}
		l.expect("references")
		c.kind = "foreign"
		c.target = l.qualified()
		if l.is("(") {
			c.targets = l.names()
		}
		l.foreignOptions(&c.foreign)
		return c
	}
	l.deferral(&c.foreign)
	if c.foreign.deferred {
		l.fail("a deferred constraint other than a foreign key is not supported")
	}
	if c.kind == "unique" || c.kind == "primary" {
		if l.is("include") || l.is("with", "(") {
			l.fail("%s of a constraint is not supported", strings.ToUpper(l.peek().text))
		}
	}
	return c
}

// deferral takes DEFERRABLE and the like; true if there was one.
func (l *loader) deferral(f *foreignKey) bool {
	switch {
	case l.accept("deferrable"), l.accept("not", "deferrable"), l.accept("initially", "immediate"):
		l.deferral(f)
		return true
	case l.accept("initially", "deferred"):
		f.deferred = true
		l.deferral(f)
		return true
	}
	return false
}

func (l *loader) foreignOptions(f *foreignKey) {
	for {
		switch {
		case l.accept("on", "delete"):
			f.onDelete = l.action()
		case l.accept("on", "update"):
			f.onUpdate = l.action()
		case l.accept("match"):
			if l.oneOf("simple") == "" {
				l.fail("MATCH other than SIMPLE is not supported")
			}
		case l.accept("not", "valid"):
		default:
			if !l.deferral(f) {
				return
			}
		}
	}
}

func (l *loader) action() action {
	switch {
	case l.accept("cascade"):
		return cascade
	case l.accept("restrict"):
		return restrict
	case l.accept("no", "action"):
		return noAction
	case l.accept("set", "null"):
		return setNull
	case l.accept("set", "default"):
		return setDefault
	}
	l.unexpected()
	return noAction
}

func (l *loader) columnNumbers(t *table, names []string, line int) []int {
	var list []int
	for _, n := range names {
		i := t.column(n)
		if i < 0 {
			l.must(fault("42703", "column \"%s\" of table \"%s\" does not exist", n, t.name), line)
		}
		list = append(list, i)
	}
	return list
}

// freeName gives a constraint the name that Postgres would.
func (l *loader) freeName(t *table, name string) string {
	taken := func(n string) bool {
		return slices.ContainsFunc(t.indexes, func(x *index) bool { return x.name == n }) ||
			slices.ContainsFunc(t.checks, func(k *check) bool { return k.name == n }) ||
			slices.ContainsFunc(t.foreign, func(f *foreignKey) bool { return f.name == n })
	}
	if !taken(name) {
		return name
	}
	for i := 1; ; i++ {
		if n := name + string(rune('0'+i%10)); !taken(n) || i > 9 {
			return n
		}
	}
}

func (l *loader) addConstraint(t *table, c constraint) {
	switch c.kind {
	case "primary", "unique":
		columns := l.columnNumbers(t, c.columns, c.line)
		suffix := "key"
		base := t.name + "_" + strings.Join(c.columns, "_")
		if c.kind == "primary" {
			suffix, base = "pkey", t.name
			if t.primary != nil {
				l.must(fault("42P16", "multiple primary keys for table \"%s\" are not allowed", t.name), c.line)
			}
			for _, i := range columns {
				t.columns[i].notNull = true
			}
		}
		x := &index{name: c.name, columns: columns, constraint: true, nullsSame: c.nulls}
		if x.name == "" {
			x.name = l.freeName(t, base+"_"+suffix)
		}
		l.addIndex(t, x, c.line)
		if c.kind == "primary" {
			t.primary = x
			for _, r := range t.live() {
				l.must(l.tx.verify(t, r.values), c.line)
			}
		}
	case "check":
		s := scopeOf(l.db, t)
		test, err := s.condition(c.expr, "CHECK")
		l.must(err, c.line)
		k := &check{name: c.name, test: test}
		if k.name == "" {
			k.name = l.freeName(t, checkName(t, c))
		}
		t.checks = append(t.checks, k)
		slices.SortFunc(t.checks, func(a, b *check) int { return strings.Compare(a.name, b.name) })
		for _, r := range t.live() {
			l.must(l.tx.verify(t, r.values), c.line)
		}
	case "foreign":
		l.addForeign(t, c)
	}
}

// checkName is table_column_check if the check is about one column, else table_check.
func checkName(t *table, c constraint) string {
	columns := map[string]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		if n == nil {
			return
		}
		if n.op == nodeColumn {
			columns[n.names[len(n.names)-1]] = true
		}
		for _, k := range n.kids {
			walk(k)
		}
	}
	walk(c.expr)
	if len(columns) == 1 {
		for name := range columns {
			return t.name + "_" + name + "_check"
		}
	}
	return t.name + "_check"
}

func (l *loader) addIndex(t *table, x *index, line int) {
	x.entries = map[string]*row{}
	for _, r := range t.live() {
		key, indexed, err := x.key(l.tx, t, r.values)
		l.must(err, line)
		if indexed && x.entries[key] != nil {
			l.must(l.tx.duplicate(t, x, r.values), line)
		}
		if indexed {
			x.entries[key] = r
		}
	}
	t.indexes = append(t.indexes, x)
}

func (l *loader) addForeign(t *table, c constraint) {
	target, ok := lookup(l.db, l.db.tables, c.target)
	if !ok {
		l.must(fault("42P01", "relation \"%s\" does not exist", c.target), c.line)
	}
	f := c.foreign
	f.table, f.target, f.name = t, target, c.name
	f.columns = l.columnNumbers(t, c.columns, c.line)
	if c.targets == nil {
		if target.primary == nil {
			l.must(fault("42704", "there is no primary key for referenced table \"%s\"", target.name), c.line)
		}
		f.targets = slices.Clone(target.primary.columns)
	} else {
		f.targets = l.columnNumbers(target, c.targets, c.line)
	}
	if len(f.columns) != len(f.targets) || target.uniqueOn(f.targets) == nil {
		l.must(fault("42830", "there is no unique constraint matching given keys for referenced table \"%s\"", target.name), c.line)
	}
	for i, col := range f.columns {
		from, to := t.columns[col].typ, target.columns[f.targets[i]].typ
		if wider(from, to) == nil {
			l.must(fault("42804", "foreign key constraint cannot be implemented: columns \"%s\" and \"%s\" are of incompatible types: %s and %s",
				t.columns[col].name, target.columns[f.targets[i]].name, from, to), c.line)
		}
	}
	if f.name == "" {
		f.name = l.freeName(t, t.name+"_"+strings.Join(c.columns, "_")+"_fkey")
	}
	t.foreign = append(t.foreign, &f)
	target.references = append(target.references, &f)
	for _, r := range t.live() {
		l.tx.referTo(t, r.values, nil)
	}
	l.must(l.tx.statement(func() *Error { return nil }), c.line)
}

func (l *loader) createIndex() {
	line := l.peek().line
	unique := l.accept("unique")
	l.expect("index")
	l.accept("concurrently")
	missingFine := l.accept("if", "not", "exists")
	name := ""
	if !l.is("on") {
		name = l.name()
	}
	l.expect("on")
	l.accept("only")
	q := l.qualified()
	t, ok := lookup(l.db, l.db.tables, q)
	if !ok {
		l.must(fault("42P01", "relation \"%s\" does not exist", q), line)
	}
	if l.accept("using") {
		l.name()
	}
	x := &index{name: name}
	s := scopeOf(l.db, t)
	l.expect("(")
	plainColumns := true
	for {
		n := l.expr()
		key, err := s.compile(n)
		l.must(err, n.line)
		x.keys = append(x.keys, key)
		if key.source == nil {
			plainColumns = false
		} else {
			x.columns = append(x.columns, key.source.column)
		}
		if k := l.peek(); k.kind == tokWord && k.text != "asc" && k.text != "desc" && k.text != "nulls" {
			l.take() // an operator class
		}
		l.oneOf("asc", "desc")
		if l.accept("nulls") {
			l.oneOf("first", "last")
		}
		if !l.accept(",") {
			break
		}
	}
	l.expect(")")
	if l.accept("include") {
		l.names()
	}
	if l.accept("nulls") {
		x.nullsSame = l.accept("not")
		l.expect("distinct")
	}
	if l.accept("with", "(") {
		for !l.accept(")") {
			if l.take().kind == tokEnd {
				l.unexpected()
			}
		}
	}
	if l.accept("where") {
		var err *Error
		n := l.expr()
		x.where, err = s.condition(n, "WHERE")
		l.must(err, n.line)
	}
	if !unique {
		return
	}
	if plainColumns {
		x.keys = nil
	} else {
		x.columns = nil
	}
	if x.name == "" {
		x.name = l.freeName(t, t.name+"_"+strings.Join(t.names(x.columns), "_")+"_idx")
	}
	if slices.ContainsFunc(t.indexes, func(o *index) bool { return o.name == x.name }) {
		if missingFine {
			return
		}
		l.must(fault("42P07", "relation \"%s\" already exists", x.name), line)
	}
	l.addIndex(t, x, line)
}

func (l *loader) createView(replace bool) {
	line := l.peek().line
	q := l.place(l.qualified())
	var names []string
	if l.is("(") {
		names = l.names()
	}
	v := &view{}
	if l.accept("with", "(") {
		for {
			option := l.label()
			value := "true"
			if l.accept("=") {
				value = l.take().text
			}
			switch option {
			case "security_invoker":
				v.invoker = value == "true" || value == "on" || value == "1"
			case "security_barrier":
			default:
				l.fail("the option %s of a view is not supported", option)
			}
			if !l.accept(",") {
				break
			}
		}
		l.expect(")")
	}
	l.expect("as")
	stmt := l.selectStmt()
	if l.is("with") {
		l.fail("WITH CHECK OPTION is not supported")
	}
	var err *Error
	v.query, err = l.db.compileSelect(stmt, nil, nil)
	l.must(err, stmt.line)
	if old := l.db.tables[q]; old != nil {
		if !replace || old.view == nil {
			l.must(fault("42P07", "relation \"%s\" already exists", q.name), line)
		}
		l.dropTable(old)
	}
	t := &table{schema: q.schema, name: q.name, view: v, grants: map[string]*grant{}}
	v.base = v.query.base
	what := "that do not select from a single table or view"
	switch {
	case stmt.distinct:
		what = "containing DISTINCT"
	case len(stmt.group) > 0:
		what = "containing GROUP BY"
	case stmt.having != nil:
		what = "containing HAVING"
	case stmt.limit != nil || stmt.offset != nil:
		what = "containing LIMIT or OFFSET"
	case hasAggregate(stmt):
		what = "that return aggregate functions"
	}
	v.fixed = "Views " + what + " are not automatically updatable."
	for i, c := range v.query.columns {
		name := c.name
		if i < len(names) {
			name = names[i]
		}
		if t.column(name) >= 0 {
			l.must(fault("42701", "column \"%s\" specified more than once", name), line)
		}
		t.columns = append(t.columns, &column{name: name, typ: c.typ})
		place := -1
		if c.source != nil && c.source.table == v.base && !slices.Contains(v.columns, c.source.column) {
			place = c.source.column
		}
		v.columns = append(v.columns, place)
	}
	l.db.tables[q] = t
	l.db.tableOrder = append(l.db.tableOrder, t)
	for r, privileges := range l.defaults[q.schema] {
		t.grantTo(r, privileges, nil)
	}
}

func (l *loader) createPolicy() {
	line := l.peek().line
	p := &policy{name: l.name(), command: "all"}
	l.expect("on")
	t := l.existing()
	if l.accept("as") {
		p.restrictive = l.oneOf("permissive", "restrictive") == "restrictive"
	}
	if l.accept("for") {
		if p.command = l.oneOf("all", "select", "insert", "update", "delete"); p.command == "" {
			l.unexpected()
		}
	}
	p.roles = []string{"public"}
	if l.accept("to") {
		p.roles = l.roleNames()
	}
	l.policyTests(t, p)
	if slices.ContainsFunc(t.policies, func(o *policy) bool { return o.name == p.name }) {
		l.must(fault("42710", "policy \"%s\" for table \"%s\" already exists", p.name, t.name), line)
	}
	t.policies = append(t.policies, p)
}

func (l *loader) policyTests(t *table, p *policy) {
	test := func() predicate {
		l.expect("(")
		n := l.expr()
		l.expect(")")
		c, err := scopeOf(l.db, t).condition(n, "POLICY")
		l.must(err, n.line)
		return func(tx *txn, values []value) (bool, *Error) {
			return c.truth(&env{tx: tx, rows: [][]value{values}})
		}
	}
	if l.accept("using") {
		p.using = test()
	}
	if l.accept("with", "check") {
		p.check = test()
	}
}

// roleNames takes names of roles that exist.
func (l *loader) roleNames() []string {
	var list []string
	for {
		l.accept("group")
		line := l.peek().line
		name := l.label()
		if name == "current_user" || name == "session_user" {
			name = "postgres"
		}
		if name != "public" && l.db.roles[name] == nil {
			l.must(fault("42704", "role \"%s\" does not exist", name), line)
		}
		list = append(list, name)
		if !l.accept(",") {
			return list
		}
	}
}

// existing takes the name of a table or a view that is there.
func (l *loader) existing() *table {
	line := l.peek().line
	q := l.qualified()
	t, ok := lookup(l.db, l.db.tables, q)
	if !ok {
		l.must(fault("42P01", "relation \"%s\" does not exist", q), line)
	}
	return t
}

func (l *loader) comment() {
	l.take()
	l.expect("on")
	for !l.is("is") {
		if l.peek().kind == tokEnd || l.is(";") {
			l.unexpected()
		}
		l.take()
	}
	l.take()
	if !l.accept("null") {
		l.text()
	}
}
