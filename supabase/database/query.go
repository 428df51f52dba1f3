package database

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Query is one request to PostgREST, and what runs it. It never changes: every method returns a new
// one, and all are safe for concurrent use. What is wrong with it is kept in it (see [Query.Err]).
// The zero Query is invalid; [Table] and [RPC] make one.
type Query[R any] struct {
	runner R
	last   *step
}

// step is what one method added to the query before it. The chain of steps is the query; steps are
// shared between queries and never change.
type step struct {
	prev *step
	kind kind
	key  string // the parameter, the name of a table, …
	text string
	num  int
	flag bool
	body []byte
	plan *planOptions
	err  error

	compiled atomic.Pointer[compiled] // of the query that ends here, once it was asked for
}

// kind is what a step sets.
type kind uint8

const (
	setTable kind = iota
	setRPC
	setSchema
	setSelect
	setWrite // insert, upsert, update, delete: in key
	setColumns
	setConflict
	setMissingDefault
	setIgnoreDuplicates
	setCount
	setFilter // flag: it leaves out rows of the table itself; num 1: it is about a referenced one
	setAllRows
	setOrder
	setLimit
	setOffset
	setMethod // GET or HEAD
	setSingle
	setMaybeSingle
	setFormat // csv, geojson
	setStripNulls
	setExplain
	setMaxAffected
	setRollback
	setError
)

func (q Query[R]) add(s *step) Query[R] {
	s.prev = q.last
	return Query[R]{runner: q.runner, last: s}
}

func (q Query[R]) fail(err error) Query[R] { return q.add(&step{kind: setError, err: err}) }

// Table begins a query of a table or a view, to be run by runner: a read of all of it, until
// methods say more.
func Table[R any](runner R, name string) Query[R] {
	q := Query[R]{runner: runner}
	if err := checkName("table", name); err != nil {
		return q.fail(err)
	}
	return q.add(&step{kind: setTable, key: name})
}

// RPC begins a call of a function, to be run by runner. Args is a map or a struct whose JSON names
// the arguments, or nil for none; a function with one unnamed parameter of type json takes any
// value. The call is a POST, and counts as a write, until [Query.Get] or [Query.Head] makes it a
// read. Filters, Select, Order and Limit work on the rows that the function returns; before
// PostgREST 13, filters and orders only by columns that Select has, if there is one.
func RPC[R any](runner R, name string, args any) Query[R] {
	q := Query[R]{runner: runner}
	if err := checkName("function", name); err != nil {
		return q.fail(err)
	}
	body := []byte("{}")
	if args != nil {
		var err error
		if body, err = marshalBody("RPC", args); err != nil {
			return q.fail(err)
		}
		if string(body) == "null" { // a nil map, a nil pointer
			body = []byte("{}")
		}
	}
	return q.add(&step{kind: setRPC, key: name, body: body})
}

// Schema is one schema of a database, of those that the server exposes.
type Schema[R any] struct {
	runner R
	name   string
}

// InSchema gives the tables and functions of a schema other than the server's first, usually public.
func InSchema[R any](runner R, schema string) Schema[R] {
	return Schema[R]{runner: runner, name: schema}
}

// Table begins a query of a table or a view of the schema.
func (s Schema[R]) Table(name string) Query[R] { return Table(s.runner, name).Schema(s.name) }

// RPC begins a call of a function of the schema.
func (s Schema[R]) RPC(name string, args any) Query[R] {
	return RPC(s.runner, name, args).Schema(s.name)
}

// On is the same query run by somebody else.
func On[R, S any](q Query[S], runner R) Query[R] { return Query[R]{runner: runner, last: q.last} }

// Runner is what runs the query.
func (q Query[R]) Runner() R { return q.runner }

// IsRead reports whether the query is a GET or a HEAD, which changes nothing on the server.
// It is false for a query that is invalid.
func (q Query[R]) IsRead() bool {
	c := q.compile()
	return c.err == nil && c.read
}

// Err is what makes the query invalid, or nil.
func (q Query[R]) Err() error { return q.compile().err }

// String tells the method and the path, and nothing of the values.
func (q Query[R]) String() string {
	c := q.compile()
	if c.err != nil {
		return "database.Query(invalid)"
	}
	return "database.Query(" + c.req.Method + " " + c.req.Path + ")"
}

// Format writes [Query.String] for every verb: the runner and the values are not for logs.
func (q Query[R]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, q.String()) }
