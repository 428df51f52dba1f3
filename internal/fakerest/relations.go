package fakerest

import (
	"fmt"
	"slices"
	"strings"
)

// cardinality is how the rows of two tables belong to each other.
type cardinality uint8

const (
	manyToOne cardinality = iota
	oneToMany
	oneToOne
	manyToMany
)

var cardinalityNames = map[cardinality]string{manyToOne: "many-to-one", oneToMany: "one-to-many", oneToOne: "one-to-one", manyToMany: "many-to-many"}

// relationship is a way from a table, or a view, to another.
type relationship struct {
	kind         cardinality
	from, to     *table
	name         string // of the foreign key
	columns      []int  // of from
	targets      []int  // of to; pairwise, but for manyToMany
	junction     *table // of manyToMany
	names        [2]string
	junctionFrom []int // of the junction, beside columns
	junctionTo   []int // of the junction, beside targets
	parentSide   bool  // of oneToOne: from is the one that is referred to
	self         bool
}

func (r relationship) single() bool { return r.kind == manyToOne || r.kind == oneToOne }

// images gives where columns of a table can be seen: in the table, and in the views that have them all.
func (db *database) images(t *table, columns []int) []image {
	list := []image{{t, columns}}
	for _, v := range db.tableOrder {
		if v.view == nil {
			continue
		}
		places := make([]int, 0, len(columns))
		for _, c := range columns {
			i := slices.IndexFunc(v.view.query.columns, func(q scopeColumn) bool {
				o := q.source
				for o != nil && o.table != t && o.table.view != nil {
					o = o.table.view.query.columns[o.column].source
				}
				return o != nil && o.table == t && o.column == c
			})
			if i < 0 {
				break
			}
			places = append(places, i)
		}
		if len(places) == len(columns) {
			list = append(list, image{v, places})
		}
	}
	return list
}

// keyOf gives the columns by which PostgREST takes rows apart: a table's primary key, or those that a
// view has of one.
func (db *database) keyOf(t *table) []int {
	if t.view == nil {
		if t.primary == nil {
			return nil
		}
		return t.primary.columns
	}
	var columns []int
	for _, base := range db.tableOrder {
		if base.primary == nil {
			continue
		}
		for _, i := range db.images(base, base.primary.columns) {
			if i.table == t {
				columns = append(columns, i.columns...)
			}
		}
	}
	return columns
}

type image struct {
	table   *table
	columns []int
}

// relationships gives all ways from a table.
func (db *database) relationships(from *table) []relationship {
	var list []relationship
	for _, t := range db.tableOrder {
		for _, f := range t.foreign {
			one := t.uniqueOn(f.columns) != nil
			for _, near := range db.images(t, f.columns) {
				for _, far := range db.images(f.target, f.targets) {
					if near.table == from {
						kind := manyToOne
						if one {
							kind = oneToOne
						}
						list = append(list, relationship{kind: kind, from: from, to: far.table, name: f.name, columns: near.columns, targets: far.columns, self: near.table == far.table})
					}
					if far.table == from {
						kind := oneToMany
						if one {
							kind = oneToOne
						}
						list = append(list, relationship{kind: kind, from: from, to: near.table, name: f.name, columns: far.columns, targets: near.columns, self: near.table == far.table, parentSide: true})
					}
				}
			}
		}
		list = append(list, db.junctions(from, t)...)
	}
	return list
}

// junctions gives the ways from a table through another whose primary key has both ends.
func (db *database) junctions(from, junction *table) []relationship {
	if junction.primary == nil {
		return nil
	}
	var list []relationship
	for _, a := range junction.foreign {
		for _, b := range junction.foreign {
			if a == b || !covers(junction.primary.columns, a.columns) || !covers(junction.primary.columns, b.columns) {
				continue
			}
			for _, near := range db.images(a.target, a.targets) {
				if near.table != from {
					continue
				}
				for _, far := range db.images(b.target, b.targets) {
					list = append(list, relationship{
						kind: manyToMany, from: from, to: far.table, junction: junction, names: [2]string{a.name, b.name},
						columns: near.columns, junctionFrom: a.columns, targets: far.columns, junctionTo: b.columns, self: from == far.table,
					})
				}
			}
		}
	}
	return list
}

func covers(set, part []int) bool {
	return !slices.ContainsFunc(part, func(c int) bool { return !slices.Contains(set, c) })
}

// relate finds the one way to what select= names.
func (db *database) relate(schema string, from *table, target, hint string) (relationship, *Error) {
	var found []relationship
	column := func(t *table, columns []int, name string) bool {
		return len(columns) == 1 && t.columns[columns[0]].name == name
	}
	for _, r := range db.relationships(from) {
		if r.to.schema != schema {
			continue
		}
		direct := r.kind != manyToMany
		outgoing := direct && (r.kind == manyToOne || r.kind == oneToOne && !r.parentSide)
		named := target == r.to.name
		var ok bool
		switch {
		case r.self && hint == "" && direct:
			ok = named && r.kind == oneToMany || outgoing && column(r.from, r.columns, target) || named && r.kind == oneToOne && r.parentSide
		case r.self && direct:
			ok = named && !outgoing && column(r.to, r.targets, hint)
		case hint == "":
			ok = named || direct && r.to.view == nil && (r.name == target || outgoing && column(r.from, r.columns, target))
		default:
			ok = named && (direct && (r.name == hint || column(r.from, r.columns, hint) || column(r.to, r.targets, hint)) ||
				!direct && r.junction.name == hint)
		}
		if ok {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return relationship{}, db.unrelated(schema, from, target, hint)
	}
	return relationship{}, ambiguous(from, target, found)
}

func (db *database) unrelated(schema string, from *table, target, hint string) *Error {
	using := ""
	if hint != "" {
		using = fmt.Sprintf(" using the hint '%s'", hint)
	}
	e := refusal(400, "PGRST200", "Could not find a relationship between '%s' and '%s' in the schema cache", from.name, target).
		with("Searched for a foreign key relationship between '%s' and '%s'%s in the schema '%s', but no matches were found.", from.name, target, using, schema)
	if near := db.nearest(schema, from, target); near != "" {
		e.Hint = fmt.Sprintf("Perhaps you meant '%s' instead of '%s'.", near, target)
	}
	return e
}

// ambiguous lists the ways among which select= must choose. Its details are JSON.
func ambiguous(from *table, target string, found []relationship) *Error {
	var details, hints []string
	for _, r := range found {
		names := func(t *table, columns []int) string { return "(" + strings.Join(t.names(columns), ", ") + ")" }
		var embedding, how string
		if r.kind == manyToMany {
			embedding = fmt.Sprintf("%s with %s", r.from.name, r.to.name)
			how = fmt.Sprintf("%s using %s%s and %s%s", r.junction.name, r.names[0], names(r.junction, r.junctionFrom), r.names[1], names(r.junction, r.junctionTo))
			hints = append(hints, fmt.Sprintf("'%s!%s'", r.to.name, r.junction.name))
		} else {
			embedding = fmt.Sprintf("%s with %s", r.from.name, r.to.name)
			how = fmt.Sprintf("%s using %s%s and %s%s", r.name, r.from.name, names(r.from, r.columns), r.to.name, names(r.to, r.targets))
			hints = append(hints, fmt.Sprintf("'%s!%s'", r.to.name, r.name))
		}
		b := append([]byte(`{"cardinality":`), appendJSONString(nil, cardinalityNames[r.kind])...)
		b = append(append(b, `,"embedding":`...), appendJSONString(nil, embedding)...)
		b = append(append(b, `,"relationship":`...), appendJSONString(nil, how)...)
		details = append(details, string(append(b, '}')))
	}
	e := refusal(300, "PGRST201", "Could not embed because more than one relationship was found for '%s' and '%s'", from.name, target)
	e.raw = "[" + strings.Join(details, ",") + "]"
	return e.hinted("Try changing '%s' to one of the following: %s. Find the desired relationship in the 'details' key.", target, strings.Join(hints, ", "))
}
