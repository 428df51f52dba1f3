package fakerest

import (
	"slices"
	"strings"
	"sync"
)

// database is everything that the schema declares, and the rows. Its lock is held for a whole
// request: for reading by those that only read, so that every request sees one state and changes
// all or nothing.
type database struct {
	mu        sync.RWMutex
	schemas   map[string]bool
	usage     map[string]map[string]bool // of schemas, by role
	tables    map[qualified]*table       // and views
	types     map[qualified]*typ         // enums and domains
	functions map[qualified][]*function
	sequences map[qualified]*sequence
	roles     map[string]*role
	path      []string // where names without a schema are looked for

	tableOrder []*table // as they were created
}

// role is somebody on whose behalf requests run.
type role struct {
	name      string
	super     bool            // owns everything, and is asked for no permission
	bypassRLS bool            // sees every row
	memberOf  map[string]bool // whose privileges it has
}

// table is a table or a view.
type table struct {
	schema, name string
	columns      []*column
	indexes      []*index // the unique ones; the primary key's is primary
	primary      *index
	checks       []*check
	foreign      []*foreignKey // to other tables
	references   []*foreignKey // from other tables
	rowSecurity  bool
	policies     []*policy
	grants       map[string]*grant // by role
	view         *view

	rows []*row // in the order in which they were stored; nil where one was removed
	dead int
}

type column struct {
	name      string
	typ       *typ
	notNull   bool
	value     *compiled // the default; nil: NULL
	valueText string
	identity  byte      // 'a' always, 'd' by default, 0 not
	sequence  *sequence // of an identity or a serial
	generated *compiled // from the other columns
}

// row is a row as it is stored. Its values never change: an update stores another.
type row struct {
	values []value
	at     int // in table.rows
}

// index holds the keys of a constraint or an index that is unique.
type index struct {
	name       string
	columns    []int       // of the table; none for an index on expressions
	keys       []*compiled // of an index on expressions, or a partial one
	where      *compiled
	constraint bool
	nullsSame  bool // NULLs equal each other
	entries    map[string]*row
}

type check struct {
	name string
	test *compiled
}

// action is what happens to the rows that refer to one that goes.
type action uint8

const (
	noAction action = iota
	restrict
	cascade
	setNull
	setDefault
)

type foreignKey struct {
	name             string
	table, target    *table
	columns, targets []int // pairwise
	onDelete         action
	onUpdate         action
	deferred         bool // checked at the end of the transaction
}

// policy is one of row security's.
type policy struct {
	name        string
	restrictive bool
	command     string // all, select, insert, update, delete
	roles       []string
	using       predicate // nil: true for insert, else see check
	check       predicate // nil: as using
}

// predicate tells whether a row is meant.
type predicate func(tx *txn, values []value) (bool, *Error)

// view is what makes a table one that is computed.
type view struct {
	query   *query
	invoker bool   // runs with the rights of the one who asks
	base    *table // of a view that can be written through; nil: none
	columns []int  // of base, for each of the view's; -1: computed
	fixed   string // why it cannot be written through
}

type sequence struct {
	schema, name string
	next         int64
	last         int64
	called       bool
	step         int64
}

// take gives the sequence's next number. It is never given back.
func (s *sequence) take() int64 {
	s.last = s.next
	s.called = true
	s.next += s.step
	return s.last
}

// function is a function that can be called by rpc.
type function struct {
	schema, name string
	args         []argument
	returns      *typ
	set          bool
	columns      []*column // of RETURNS TABLE, or OUT arguments
	volatility   byte      // 'v', 's', 'i'
	definer      bool      // runs with the rights of the owner
	strict       bool
	language     string
	impl         Func
	undeclared   bool // known by its Go function alone: takes and gives anything
	denied       bool // execute was revoked from everybody
	granted      map[string]bool
}

type argument struct {
	name     string
	typ      *typ
	optional bool
	value    *compiled // its default; nil: NULL
	variadic bool
}

// grant is what a role may do with a table.
type grant struct {
	all     map[string]bool            // by privilege: select, insert, update, delete
	columns map[string]map[string]bool // by privilege and column
}

func (t *table) column(name string) int {
	return slices.IndexFunc(t.columns, func(c *column) bool { return c.name == name })
}

// stored is the table in which a view's rows are, the table itself if it is none; nil for a view that
// cannot be written through.
func (t *table) stored() *table {
	for t != nil && t.view != nil {
		t = t.view.base
	}
	return t
}

func (t *table) key() qualified { return qualified{t.schema, t.name} }

// live gives the rows that are there.
func (t *table) live() []*row {
	if t.dead == 0 {
		return t.rows
	}
	rows := make([]*row, 0, len(t.rows)-t.dead)
	for _, r := range t.rows {
		if r != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

// names gives the columns' names.
func (t *table) names(columns []int) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = t.columns[c].name
	}
	return names
}

// uniqueOn gives the unique index on exactly these columns, in any order.
func (t *table) uniqueOn(columns []int) *index {
	for _, x := range t.indexes {
		if x.where == nil && len(x.keys) == 0 && sameSet(x.columns, columns) {
			return x
		}
	}
	return nil
}

func sameSet(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for _, c := range a {
		if !slices.Contains(b, c) {
			return false
		}
	}
	return true
}

// lookup finds what a name means, by the search path if it has no schema.
func lookup[T any](db *database, m map[qualified]T, q qualified) (T, bool) {
	if q.schema != "" {
		v, ok := m[q]
		return v, ok
	}
	for _, s := range db.path {
		if v, ok := m[qualified{s, q.name}]; ok {
			return v, true
		}
	}
	var none T
	return none, false
}

// resolveType finds a type by its name.
func (db *database) resolveType(r typeRef) (*typ, *Error) {
	t, ok := lookup(db, db.types, r.name)
	if !ok && r.name.schema == "" {
		if base, found := typeNames[r.name.name]; found {
			t, ok = base, true
		}
		switch r.name.name {
		case "serial", "serial4", "bigserial", "serial8", "smallserial", "serial2":
			return nil, fault("42704", "type \"%s\" can only be a column's", r.name.name)
		}
		if !ok && strings.HasPrefix(r.name.name, "_") {
			if base, found := typeNames[r.name.name[1:]]; found {
				t, ok = arrayOf(base), true
			}
		}
	}
	if !ok {
		if tab, found := lookup(db, db.tables, r.name); found {
			t, ok = recordOf(tab), true
		}
	}
	if !ok {
		return nil, fault("42704", "type \"%s\" does not exist", r.name)
	}
	t, problem := t.withModifiers(r.mods)
	if problem != "" {
		return nil, fault("22023", "%s", problem)
	}
	if r.array {
		t = arrayOf(t)
	}
	return t, nil
}

// has reports whether a role has another's privileges: its own, those of whom it is a member.
func (db *database) has(r *role, other string) bool {
	if r.name == other || other == "public" {
		return true
	}
	seen := map[string]bool{}
	var walk func(name string) bool
	walk = func(name string) bool {
		if seen[name] {
			return false
		}
		seen[name] = true
		up := db.roles[name]
		if up == nil {
			return false
		}
		for parent := range up.memberOf {
			if parent == other || walk(parent) {
				return true
			}
		}
		return false
	}
	return walk(r.name)
}

// may reports whether a role has a privilege on all of a table's columns that are named; on the
// whole table if none is.
func (db *database) may(r *role, t *table, privilege string, columns []string) bool {
	if r.super {
		return true
	}
	covered := map[string]bool{}
	for name, g := range t.grants {
		if !db.has(r, name) {
			continue
		}
		if g.all[privilege] {
			return true
		}
		for c := range g.columns[privilege] {
			covered[c] = true
		}
	}
	if len(columns) == 0 {
		return false
	}
	for _, c := range columns {
		if !covered[c] {
			return false
		}
	}
	return true
}

// mayAny reports whether a role has a privilege on a table or on one of its columns.
func (db *database) mayAny(r *role, t *table, privilege string) bool {
	if r.super {
		return true
	}
	for name, g := range t.grants {
		if db.has(r, name) && (g.all[privilege] || len(g.columns[privilege]) > 0) {
			return true
		}
	}
	return false
}

// mayUse reports whether a role may name what is in a schema.
func (db *database) mayUse(r *role, schema string) bool {
	if r.super {
		return true
	}
	for name := range db.usage[schema] {
		if db.has(r, name) {
			return true
		}
	}
	return false
}

func (db *database) mayExecute(r *role, f *function) bool {
	if r.super || !f.denied {
		return true
	}
	for name := range f.granted {
		if db.has(r, name) {
			return true
		}
	}
	return false
}

func (t *table) grantTo(roleName string, privileges, columns []string) {
	g := t.grants[roleName]
	if g == nil {
		g = &grant{all: map[string]bool{}, columns: map[string]map[string]bool{}}
		t.grants[roleName] = g
	}
	for _, p := range privileges {
		if len(columns) == 0 {
			g.all[p] = true
			continue
		}
		if g.columns[p] == nil {
			g.columns[p] = map[string]bool{}
		}
		for _, c := range columns {
			g.columns[p][c] = true
		}
	}
}

func (t *table) revokeFrom(roleName string, privileges, columns []string) {
	g := t.grants[roleName]
	if g == nil {
		return
	}
	for _, p := range privileges {
		if len(columns) == 0 {
			delete(g.all, p)
			delete(g.columns, p)
			continue
		}
		for _, c := range columns {
			delete(g.columns[p], c)
		}
	}
}
