// Package fakerest is a small Postgres in memory behind the interface of PostgREST 12.0.2: what
// requests of a Supabase project's database are tested against without a server.
//
//	s, err := fakerest.New(fakerest.Config{Schema: []string{ddl}, Verify: fakerest.HS256(secret, nil)})
//	http.Handle("/rest/v1/", http.StripPrefix("/rest/v1", s))
//
// The schema is SQL as it is given to the real database: tables with their types, keys, defaults
// and checks, views, policies, grants, rows. What is not supported there is an error of [New] that
// names the line. Functions have their bodies in Go: see [Func]. A request for what the server does
// not do (plans, GeoJSON, text search configurations other than english and simple, functions
// without a Go body) is answered 501 and names it.
//
// Requests see one state of the database and change all or nothing: one that writes runs alone.
// Sequences do not give numbers back. Text is sorted by its bytes (collation C). Rows that nobody
// sorts come in the order in which they were stored last, as Postgres' often do.
//
// # How it is built
//
//	lex, parse, select, statement   SQL as it is written
//	ddl, alter, grant, function     schemas: what is declared, in a catalog
//	types, value, decimal, times, … the values of Postgres, their texts and their order
//	eval, operators, cast, funcs    expressions: names and types resolved once, then computed
//	query, aggregate                SELECT, for views, policies and Go functions
//	txn, write                      transactions, constraints, row security
//	params, grammar, request        what PostgREST reads in an HTTP request
//	relations, plan, read           embedding
//	server, tables, writes, rpc     answers
//	tx                              what Go functions work with
package fakerest
