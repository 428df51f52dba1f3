package fakerest

import (
	"slices"
	"strings"
)

// likeness is 1 for equal texts, and less the more letters must be changed.
func likeness(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	if len(x) == 0 && len(y) == 0 {
		return 1
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			next := min(row[j+1]+1, row[j]+1, diagonal+boolInt(x[i] != y[j]))
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return 1 - float64(row[len(y)])/float64(max(len(x), len(y)))
}

// closest gives the name that is most like one, if it is enough; "" for none.
func closest(name string, names []string) string {
	best, score := "", 0.75
	for _, n := range names {
		if l := likeness(name, n); l > score {
			best, score = n, l
		}
	}
	return best
}

// nearest gives the name of a related table that is close to one that was meant; "" for none.
func (db *database) nearest(schema string, from *table, target string) string {
	var names []string
	for _, r := range db.relationships(from) {
		if r.to.schema == schema && r.to.name != target {
			names = append(names, r.to.name)
		}
	}
	slices.Sort(names)
	return closest(target, names)
}

// nearestFunction gives the function that may have been meant; "" for none.
func (db *database) nearestFunction(q *request, given []string, list []*function) string {
	if len(list) == 0 {
		var names []string
		for f := range db.functions {
			if f.schema == q.schema {
				names = append(names, f.name)
			}
		}
		slices.Sort(names)
		if near := closest(q.name, names); near != "" {
			return q.schema + "." + near
		}
		return ""
	}
	if len(given) == 0 || len(list[0].args) == 0 || list[0].args[0].name == "" {
		return ""
	}
	names := make([]string, len(list[0].args))
	for i, a := range list[0].args {
		names[i] = a.name
	}
	slices.Sort(names)
	return q.schema + "." + q.name + "(" + strings.Join(names, ", ") + ")"
}
