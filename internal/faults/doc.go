// Package faults breaks things on purpose: real servers, the network before them, files of secrets,
// loads of the cache. Its tests say of each fault what was promised and what was seen, and print a
// table of it at their end.
//
//	go test ./...                                             the short form
//	STREAMCONN_FAULTS=long go test -timeout 30m .             many rounds of each fault
//	STREAMCONN_SOAK=20m go test -timeout 40m -v ./soak        20 minutes of mixed load, with faults all along
//
// Package contexts calls everything that takes a context with one that ends. Package soak is the mixed
// load. docs/reliability.md has the figures of the long forms.
//
// The tests need Linux, PostgreSQL, MariaDB and PostgREST, and skip, by name, what is not there, unless
// STREAMCONN_REQUIRE_SERVERS=1 makes that a failure.
package faults
