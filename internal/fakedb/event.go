package fakedb

import (
	"bytes"
	"database/sql/driver"
)

// Op is what a server was asked to do.
type Op string

// The operations that a [Server] records.
const (
	Dial     Op = "dial"
	Ping     Op = "ping"
	Prepare  Op = "prepare"
	Exec     Op = "exec"
	Query    Op = "query"
	Begin    Op = "begin"
	Commit   Op = "commit"
	Rollback Op = "rollback"
	Reset    Op = "reset" // the pool hands out a used connection again
	Close    Op = "close"
)

// An Event is one operation and how it ended.
type Event struct {
	Op   Op
	Conn int    // number of the connection, from 1; 0 for a dial that failed
	Text string // of Prepare, Exec and Query
	Args []driver.NamedValue
	Tx   bool             // inside a transaction
	With driver.TxOptions // of Begin
	Err  error            // what was answered; for a query not what its rows met later
}

// Values returns the arguments without their names.
func (e Event) Values() []any {
	values := make([]any, len(e.Args))
	for i, a := range e.Args {
		values[i] = a.Value
	}
	return values
}

// ownArgs copies arguments whose bytes belong to the caller.
func ownArgs(args []driver.NamedValue) []driver.NamedValue {
	if len(args) == 0 {
		return nil
	}
	own := make([]driver.NamedValue, len(args))
	for i, a := range args {
		if b, ok := a.Value.([]byte); ok {
			a.Value = bytes.Clone(b)
		}
		own[i] = a
	}
	return own
}
