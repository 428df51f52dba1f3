// Package integration has tests and nothing else: those of the library with real drivers on real
// servers. It is a module of its own, so that nobody who uses the library gets the drivers.
//
// PostgreSQL and MariaDB are started by the tests if they are installed; see package servers for
// what happens if not.
package integration
