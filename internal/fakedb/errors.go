package fakedb

import "fmt"

// A StateError is an error with a SQLSTATE, told as PostgreSQL's drivers tell it.
type StateError struct {
	State   string // five characters, as in "40001"
	Message string
}

// Error implements error.
func (e *StateError) Error() string {
	return fmt.Sprintf("ERROR: %s (SQLSTATE %s)", e.Message, e.State)
}

// SQLState returns the five characters.
func (e *StateError) SQLState() string { return e.State }

// A MySQLError is an error of MySQL or MariaDB, shaped as their usual Go driver's.
type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

// Error implements error.
func (e *MySQLError) Error() string {
	return fmt.Sprintf("Error %d (%s): %s", e.Number, e.SQLState[:], e.Message)
}

// A CodeError is an error with a result code, told as SQLite's drivers tell it.
type CodeError struct {
	Result  int // extended result code, as in 5 (busy)
	Message string
}

// Error implements error.
func (e *CodeError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Result) }

// Code returns the result code.
func (e *CodeError) Code() int { return e.Result }
