package fakerest

import (
	"slices"
)

// grant takes GRANT and REVOKE.
func (l *loader) grant() {
	revoke := l.take().text == "revoke"
	if revoke {
		l.accept("grant", "option", "for")
	}
	var privileges []string
	columns := map[string][]string{}
	line := l.peek().line
	for {
		p := l.label()
		if p == "all" {
			l.accept("privileges")
		}
		privileges = append(privileges, p)
		if l.is("(") {
			columns[p] = l.names()
		}
		if !l.accept(",") {
			break
		}
	}
	to := "to"
	if revoke {
		to = "from"
	}
	if l.accept(to) { // a role to a role
		for _, member := range l.roleNames() {
			for _, p := range privileges {
				if l.db.roles[p] == nil {
					l.must(fault("42704", "role \"%s\" does not exist", p), line)
				}
				if r := l.db.roles[member]; revoke {
					delete(r.memberOf, p)
				} else {
					r.memberOf[p] = true
				}
			}
		}
		return
	}
	l.expect("on")
	apply := l.grantTargets()
	l.expect(to)
	roles := l.roleNames()
	l.accept("with", "grant", "option")
	_ = l.accept("cascade") || l.accept("restrict")
	for _, r := range roles {
		for _, p := range privileges {
			apply(r, p, columns[p], revoke)
		}
	}
}

var tablePrivileges = []string{"select", "insert", "update", "delete", "truncate", "references", "trigger"}

func expand(privilege string) []string {
	if privilege == "all" {
		return tablePrivileges
	}
	return []string{privilege}
}

// grantTargets takes what the privileges are on, and gives what grants or revokes them there.
func (l *loader) grantTargets() func(role, privilege string, columns []string, revoke bool) {
	none := func(string, string, []string, bool) {}
	onTables := func(tables []*table) func(string, string, []string, bool) {
		return func(role, privilege string, columns []string, revoke bool) {
			for _, t := range tables {
				if revoke {
					t.revokeFrom(role, expand(privilege), columns)
				} else {
					t.grantTo(role, expand(privilege), columns)
				}
			}
		}
	}
	onFunctions := func(list []*function) func(string, string, []string, bool) {
		return func(role, _ string, _ []string, revoke bool) {
			for _, f := range list {
				f.grant(role, revoke)
			}
		}
	}
	schemas := func() []string {
		var names []string
		for {
			names = append(names, l.name())
			if !l.accept(",") {
				return names
			}
		}
	}
	switch {
	case l.accept("all", "tables", "in", "schema"):
		in := schemas()
		var tables []*table
		for _, t := range l.db.tableOrder {
			if slices.Contains(in, t.schema) {
				tables = append(tables, t)
			}
		}
		return onTables(tables)
	case l.accept("all", "functions", "in", "schema"), l.accept("all", "routines", "in", "schema"):
		in := schemas()
		var list []*function
		for q, fs := range l.db.functions {
			if slices.Contains(in, q.schema) {
				list = append(list, fs...)
			}
		}
		return onFunctions(list)
	case l.accept("all", "sequences", "in", "schema"):
		schemas()
		return none
	case l.accept("schema"):
		line := l.peek().line
		list := schemas()
		for _, name := range list {
			if !l.db.schemas[name] {
				l.must(fault("3F000", "schema \"%s\" does not exist", name), line)
			}
		}
		return func(role, privilege string, _ []string, revoke bool) {
			for _, name := range list {
				if privilege == "create" {
					continue // nobody creates anything once the schema is there
				}
				if revoke {
					delete(l.db.usage[name], role)
				} else {
					l.db.usage[name][role] = true
				}
			}
		}
	case l.accept("sequence"), l.accept("type"), l.accept("database"):
		for {
			l.qualified()
			if !l.accept(",") {
				return none
			}
		}
	case l.accept("function"):
		var list []*function
		for {
			line := l.peek().line
			q := l.qualified()
			fs, ok := lookup(l.db, l.db.functions, q)
			if !ok {
				l.must(fault("42883", "function %s does not exist", q), line)
			}
			list = append(list, fs...)
			l.skipParentheses()
			if !l.accept(",") {
				return onFunctions(list)
			}
		}
	}
	l.accept("table")
	var tables []*table
	for {
		if _, ok := lookup(l.db, l.db.sequences, l.peekQualified()); ok {
			l.qualified()
		} else {
			tables = append(tables, l.existing())
		}
		if !l.accept(",") {
			return onTables(tables)
		}
	}
}

// grant lets a role execute a function, or no longer. At first everybody may.
func (f *function) grant(role string, revoke bool) {
	if !revoke {
		f.granted[role] = true
		if role == "public" {
			f.denied = false
		}
		return
	}
	delete(f.granted, role)
	if role == "public" {
		f.denied = true
	}
}

// alterDefaults takes ALTER DEFAULT PRIVILEGES.
func (l *loader) alterDefaults() {
	for l.accept("for") {
		_ = l.accept("role") || l.accept("user")
		l.roleNames()
	}
	var in []string
	if l.accept("in", "schema") {
		for {
			in = append(in, l.name())
			if !l.accept(",") {
				break
			}
		}
	}
	for schema := range l.db.schemas {
		if in == nil {
			in = append(in, schema)
		}
	}
	word := l.oneOf("grant", "revoke")
	if word == "" {
		l.unexpected()
	}
	var privileges []string
	for {
		p := l.label()
		if p == "all" {
			l.accept("privileges")
		}
		privileges = append(privileges, expand(p)...)
		if !l.accept(",") {
			break
		}
	}
	l.expect("on")
	what := l.label()
	if word == "grant" {
		l.expect("to")
	} else {
		l.expect("from")
	}
	if what == "functions" && word == "revoke" {
		l.fail("default privileges that deny functions are not supported: revoke them one by one")
	}
	for _, r := range l.roleNames() {
		if what != "tables" {
			continue // sequences, types and schemas are everybody's here
		}
		for _, schema := range in {
			if l.defaults[schema] == nil {
				l.defaults[schema] = map[string][]string{}
			}
			have := l.defaults[schema][r]
			if word == "grant" {
				have = append(have, privileges...)
			} else {
				have = slices.DeleteFunc(slices.Clone(have), func(p string) bool { return slices.Contains(privileges, p) })
			}
			l.defaults[schema][r] = have
		}
	}
}
