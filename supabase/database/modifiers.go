package database

import (
	"strconv"
	"strings"
)

// Counting is how [Query.Count] counts.
type Counting string

// The ways of counting.
const (
	Exact     Counting = "exact"     // count(*): slow for large tables
	Planned   Counting = "planned"   // the planner's guess: fast, and at times far off
	Estimated Counting = "estimated" // exact for small numbers, planned for large ones
)

// Count asks for the number of rows that the filters leave, whatever Limit and Range return of them:
// the Total of [Page] and [Result].
func (q Query[R]) Count(how Counting) Query[R] {
	switch how {
	case Exact, Planned, Estimated:
		return q.add(&step{kind: setCount, text: string(how)})
	}
	return q.fail(invalid("Count is Exact, Planned or Estimated, not %q", string(how)))
}

// OrderOption is a [Direction], a [Nulls] or a [ReferencedTable].
type OrderOption interface{ order(*ordering) }

// Direction is the direction of an order.
type Direction uint8

// Nulls says where an order puts NULL.
type Nulls uint8

// Options of [Query.Order]. Without one, an order is ascending; NULL comes last in an ascending and
// first in a descending order.
const (
	Asc Direction = iota + 1
	Desc

	NullsFirst Nulls = iota - 1
	NullsLast
)

// ReferencedTable makes Order, Limit, Offset and Range work on the rows of a referenced table that
// are shown within each row. It is named as in Select: by its alias if it has one, and as a.b within
// another.
type ReferencedTable string

type ordering struct{ suffix, nulls, table string }

func (d Direction) order(o *ordering) {
	o.suffix = ".asc"
	if d == Desc {
		o.suffix = ".desc"
	}
}

func (n Nulls) order(o *ordering) {
	o.nulls = ".nullslast"
	if n == NullsFirst {
		o.nulls = ".nullsfirst"
	}
}

func (t ReferencedTable) order(o *ordering) { o.table = string(t) }

// key gives the parameter of that name for the referenced table, if there is one.
func key(name string, tables ...ReferencedTable) (string, error) {
	switch {
	case len(tables) == 0:
		return name, nil
	case len(tables) > 1:
		return "", invalid("%s of several referenced tables at once", name)
	}
	if err := parseTable(string(tables[0])); err != nil {
		return "", err
	}
	return string(tables[0]) + "." + name, nil
}

// Order sorts by a column, a path into JSON, or teams(name), a column of a referenced table of which
// there is one for each row. Further calls sort what is equal so far.
func (q Query[R]) Order(column string, opts ...OrderOption) Query[R] {
	if err := parseOrder(column); err != nil {
		return q.fail(err)
	}
	var o ordering
	for _, opt := range opts {
		opt.order(&o)
	}
	param := "order"
	if o.table != "" {
		var err error
		if param, err = key(param, ReferencedTable(o.table)); err != nil {
			return q.fail(err)
		}
	}
	return q.add(&step{kind: setOrder, key: param, text: column + o.suffix + o.nulls})
}

// Limit returns n rows at most; 0 is none. The last Limit or Range counts. For writes, see
// [Query.MaxAffected].
func (q Query[R]) Limit(n int, table ...ReferencedTable) Query[R] {
	return q.window(setLimit, "limit", n, table)
}

// Offset leaves out the first n rows.
func (q Query[R]) Offset(n int, table ...ReferencedTable) Query[R] {
	return q.window(setOffset, "offset", n, table)
}

// Range returns the rows from the one with number first, counted from 0, to last, inclusively.
func (q Query[R]) Range(first, last int, table ...ReferencedTable) Query[R] {
	if last < first || first < 0 || last-first+1 <= 0 {
		return q.fail(invalid("Range(%d, %d) is no range", first, last))
	}
	return q.Offset(first, table...).Limit(last-first+1, table...)
}

func (q Query[R]) window(k kind, name string, n int, table []ReferencedTable) Query[R] {
	if n < 0 {
		return q.fail(invalid("%s of %d rows", name, n))
	}
	param, err := key(name, table...)
	if err != nil {
		return q.fail(err)
	}
	return q.add(&step{kind: k, key: param, text: strconv.Itoa(n), flag: len(table) == 0})
}

// Single asks for exactly one row: none is [ErrNotFound], more are [ErrMultipleRows], and a write that
// hits another number of rows is undone. [One] does it by itself.
func (q Query[R]) Single() Query[R] { return q.add(&step{kind: setSingle}) }

// MaybeSingle asks for at most one row: more are [ErrMultipleRows], found after the answer is here.
// With it, [One] gives the zero value, of a pointer nil, where there is no row.
func (q Query[R]) MaybeSingle() Query[R] { return q.add(&step{kind: setMaybeSingle}) }

// CSV asks for the rows as text with commas, the names of the columns first: One[string], or
// [Execute]. PostgREST writes a backslash in a value twice.
func (q Query[R]) CSV() Query[R] { return q.add(&step{kind: setFormat, text: "text/csv"}) }

// GeoJSON asks for the rows as one FeatureCollection, which needs PostGIS: [One] decodes it.
func (q Query[R]) GeoJSON() Query[R] {
	return q.add(&step{kind: setFormat, text: "application/geo+json"})
}

// StripNulls leaves columns that are NULL out of the rows.
func (q Query[R]) StripNulls() Query[R] { return q.add(&step{kind: setStripNulls}) }

// ExplainOptions are what EXPLAIN is asked to tell. The server must allow plans at all.
type ExplainOptions struct {
	Analyze  bool // run the query, also a write; see [Query.Rollback]
	Verbose  bool
	Settings bool
	Buffers  bool
	WAL      bool
	JSON     bool // a JSON document instead of text
}

type planOptions = ExplainOptions

// Explain asks for the plan of the query instead of its result: One[string], or with o.JSON
// [One] of what it is to be decoded into.
func (q Query[R]) Explain(o ExplainOptions) Query[R] {
	return q.add(&step{kind: setExplain, plan: &o})
}

// explained gives the media type of a plan of what would answer with the media type.
func explained(o planOptions, media string) string {
	format := "text"
	if o.JSON {
		format = "json"
	}
	var options []string
	for _, opt := range []struct {
		on   bool
		name string
	}{{o.Analyze, "analyze"}, {o.Verbose, "verbose"}, {o.Settings, "settings"}, {o.Buffers, "buffers"}, {o.WAL, "wal"}} {
		if opt.on {
			options = append(options, opt.name)
		}
	}
	text := "application/vnd.pgrst.plan+" + format + `; for="` + media + `";`
	if len(options) > 0 {
		text += " options=" + strings.Join(options, "|") + ";"
	}
	return text
}

// MaxAffected undoes an Update, a Delete or a call that hits more than n rows, and makes it an error.
// The server must be PostgREST 13 or later; an older one refuses.
func (q Query[R]) MaxAffected(n int) Query[R] {
	if n < 1 {
		return q.fail(invalid("MaxAffected(%d): at least one row is to be allowed", n))
	}
	return q.add(&step{kind: setMaxAffected, num: n})
}

// Rollback undoes a write after it is done, for trying it out. A server that is not configured to
// allow it (db-tx-end) ignores this: the write stays. [Result.RolledBack] tells.
func (q Query[R]) Rollback() Query[R] { return q.add(&step{kind: setRollback}) }
