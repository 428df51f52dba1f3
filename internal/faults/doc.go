// Package faults breaks things on purpose: real database servers, and the network before them. Its
// tests, and those of the packages below it, say of each fault what was promised and what was seen, and
// print a table of it at their end.
//
//	go test ./...                                                    the short form
//	STREAMCONN_FAULTS=long go test -timeout 60m . ./postgrest        many rounds of each fault
//	go run ./soak -for 20m                                           everything at once, for as long
//
// The tests need Linux, PostgreSQL, MariaDB and PostgREST, and skip, by name, what is not there, unless
// STREAMCONN_REQUIRE_SERVERS=1 makes that a failure.
package faults
