package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/streamconn/streamconn/internal/redact"
)

// What an error of a driver means is told without importing any driver: by
// SQLSTATE where the driver has it, else by the number that the server gave,
// read through the few methods and fields that drivers are known by.

// transient reports whether the same read may well succeed if it is tried
// again soon: the connection broke, or the server says that it is starting,
// stopping, failing over or out of connections, or that it gave way to another
// transaction. Syntax errors, constraint violations, missing tables, refused
// permissions and everything unknown are not.
//
// The caller's own end is never transient: context.Canceled and
// context.DeadlineExceeded themselves. A timeout of the network is, although
// errors.Is takes it for context.DeadlineExceeded.
func transient(err error) bool {
	v := faultOf(err)
	return !v.final && !v.permanent && (v.broken || v.busy || v.rolledBack)
}

// dialFault reports whether no connection could be made: the host is not
// found, refuses, or does not answer, or there is no such database. The
// parameters may have changed since; they are worth reading again.
func dialFault(err error) bool {
	v := faultOf(err)
	return !v.final && v.dial
}

// credentialsRefused reports whether the server answered and did not accept
// who asks.
func credentialsRefused(err error) bool {
	v := faultOf(err)
	return !v.final && v.credentials
}

// retrySession reports whether the server took a whole transaction back and
// running it again is the remedy: serialization failures, deadlocks, and
// SQLite's busy. A connection that broke is none, as its commit may have
// happened.
func retrySession(err error) bool {
	v := faultOf(err)
	return !v.final && v.rolledBack
}

// A fault is what an error means.
type fault struct {
	final       bool // the caller's own end, or a mistake of the program: nothing else counts
	permanent   bool // says of itself that it is not transient
	broken      bool // the connection is gone
	busy        bool // the server asks to come again
	rolledBack  bool // the transaction was taken back to let another pass
	dial        bool // no connection could be made
	credentials bool // the server refused the login
}

// faultOf looks at every error of the chain. What a server answered counts
// more than the connection that it ended with the answer: a refused login is
// not a broken connection.
func faultOf(err error) fault {
	if err == nil || errors.Is(err, context.Canceled) {
		return fault{final: true}
	}
	v := fault{broken: errors.Is(err, driver.ErrBadConn)}
	var answer fault
	answered := false
	redact.Each(err, func(e error) bool {
		// Not errors.Is: timeouts of package net call themselves
		// context.DeadlineExceeded.
		if slices.Contains([]error{context.DeadlineExceeded, sql.ErrNoRows, sql.ErrTxDone}, e) {
			v.final = true
			return false
		}
		if a, ok := serverAnswer(e); ok {
			answer, answered = a, true
			return false
		}
		v = v.or(networkFault(e))
		return true
	})
	if answered && !v.final {
		return answer
	}
	return v
}

func (v fault) or(w fault) fault {
	return fault{
		final: v.final || w.final, permanent: v.permanent || w.permanent, broken: v.broken || w.broken, busy: v.busy || w.busy,
		rolledBack: v.rolledBack || w.rolledBack, dial: v.dial || w.dial, credentials: v.credentials || w.credentials,
	}
}

// networkFault is what one error says of the connection, without its chain.
func networkFault(err error) fault {
	switch e := err.(type) { //nolint:errorlint // the chain is walked by redact.Each
	case *net.OpError:
		if e.Op == "remote error" || e.Op == "local error" {
			return fault{} // an alert of TLS: a certificate is refused, and will be again
		}
		if e.Op != "dial" {
			return fault{broken: true}
		}
		// Why it failed is in the chain; the socket of a stopped server is not
		// there at all.
		return fault{broken: e.Timeout() || e.Net == "unix", dial: true}
	case *net.DNSError:
		// A name that does not exist is no passing fault, but may be a wrong
		// parameter.
		return fault{broken: !e.IsNotFound, dial: true}
	case syscall.Errno:
		switch e {
		case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN:
			return fault{broken: true, dial: true}
		case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT:
			return fault{broken: true}
		}
		return fault{}
	case interface{ Transient() bool }:
		return fault{busy: e.Transient(), permanent: !e.Transient()}
	case interface{ SafeToRetry() bool }: // pgconn: nothing was sent yet
		return fault{broken: e.SafeToRetry()}
	}
	if slices.Contains([]error{io.ErrUnexpectedEOF, io.EOF, net.ErrClosed, io.ErrClosedPipe}, err) {
		return fault{broken: true}
	}
	if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // the chain is walked by redact.Each
		return fault{broken: true}
	}
	if strings.HasPrefix(err.Error(), "sql: Scan error") || strings.HasPrefix(err.Error(), "sql: converting argument") {
		// Whatever a Scanner or Valuer returned, an io.EOF for example.
		return fault{final: true}
	}
	// mysql.ErrInvalidConn, which has neither type nor method of its own.
	if err.Error() == "invalid connection" && errors.Unwrap(err) == nil {
		return fault{broken: true}
	}
	if t := reflect.TypeOf(err); t.Kind() == reflect.Pointer && t.Elem().Name() == "ConnectError" {
		return fault{dial: true} // pgconn.ConnectError; why it failed is in the chain
	}
	return fault{}
}

// serverAnswer reads what a server answered; false if the error is no server's.
func serverAnswer(err error) (fault, bool) {
	// pgx, lib/pq and others.
	if e, ok := err.(interface{ SQLState() string }); ok {
		return sqlStateFault(e.SQLState()), true
	}
	// go-mssqldb.
	if e, ok := err.(interface{ SQLErrorNumber() int32 }); ok {
		return mssqlFault(int64(e.SQLErrorNumber())), true
	}
	rv := reflect.ValueOf(err)
	// modernc and ncruces, whose codes are of different types. A method named
	// Code is not telling by itself. The name is a constant, so that the linker
	// keeps no other methods for it.
	if t := indirectType(rv); strings.Contains(t.PkgPath(), "sqlite") {
		if code := rv.MethodByName("Code"); code.IsValid() && code.Type().NumIn() == 0 && code.Type().NumOut() == 1 {
			if n, ok := integer(code.Call(nil)[0]); ok {
				return sqliteFault(n), true
			}
		}
	}
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Struct {
		return fault{}, false
	}
	field := func(name string) (int64, bool) { return integer(rv.FieldByName(name)) }
	switch name := rv.Type().Name(); name {
	case "MySQLError": // go-sql-driver
		if n, ok := field("Number"); ok {
			return mysqlFault(n, stringField(rv, "Message")), true
		}
	case "SnowflakeError":
		if n, ok := field("Number"); ok {
			return snowflakeFault(n, stringField(rv, "SQLState")), true
		}
	case "OracleError": // go-ora
		if n, ok := field("ErrCode"); ok {
			return oracleFault(n), true
		}
	case "Exception": // clickhouse-go
		if n, ok := field("Code"); ok {
			return clickhouseFault(n), true
		}
	case "Error": // mattn's go-sqlite3
		n, ok := field("Code")
		if _, extended := field("ExtendedCode"); ok && extended {
			return sqliteFault(n), true
		}
	}
	return fault{}, false
}

func indirectType(rv reflect.Value) reflect.Type {
	t := rv.Type()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func integer(v reflect.Value) (int64, bool) {
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), true
	}
	return 0, false
}

func stringField(rv reflect.Value, name string) string {
	if f := rv.FieldByName(name); f.IsValid() && f.Kind() == reflect.String {
		return f.String()
	}
	return ""
}

// sqlStateFault reads the codes of the SQL standard as PostgreSQL and its
// relatives use them.
func sqlStateFault(state string) fault {
	switch state {
	case "40001", // serialization_failure; also a standby's conflict with recovery, and CockroachDB's retry
		"40P01": // deadlock_detected
		return fault{rolledBack: true}
	case "40003", // statement_completion_unknown: a read may be repeated, a transaction not
		"25006", // read_only_sql_transaction: the server became a standby, another is the primary now
		"57P05": // idle_session_timeout: the server closed a connection that the pool kept
		return fault{broken: true}
	case "57P01", // admin_shutdown
		"57P02": // crash_shutdown
		return fault{broken: true}
	case "57P03": // cannot_connect_now: starting, stopping or recovering
		return fault{busy: true, dial: true}
	case "53400": // configuration_limit_exceeded: the same statement needs as much next time
		return fault{}
	case "3D000": // invalid_catalog_name: no such database
		return fault{dial: true}
	}
	if len(state) != 5 {
		return fault{}
	}
	switch state[:2] {
	case "08": // connection exceptions
		return fault{broken: true, dial: state == "08001" || state == "08004"}
	case "53": // insufficient resources: connections, memory, disk
		return fault{busy: true}
	case "28": // invalid authorization specification, invalid password
		return fault{credentials: true}
	}
	return fault{}
}

// mysqlFault reads the numbers of MySQL, MariaDB and TiDB.
func mysqlFault(n int64, message string) fault {
	switch n {
	case 1213, // ER_LOCK_DEADLOCK
		1020, // ER_CHECKREAD: MariaDB's snapshot isolation
		9007: // TiDB: write conflict
		return fault{rolledBack: true}
	case 1040, // ER_CON_COUNT_ERROR: too many connections
		1203,                   // ER_TOO_MANY_USER_CONNECTIONS
		1205,                   // ER_LOCK_WAIT_TIMEOUT: undoes the statement alone, so a session is not run again
		1637,                   // ER_TOO_MANY_CONCURRENT_TRXS
		9001, 9002, 9003, 9005: // TiDB: placement driver or store out of reach, busy, region missing
		return fault{busy: true}
	case 1053, // ER_SERVER_SHUTDOWN
		1077, 1079, // normal shutdown, shutdown complete
		1152, 1158, 1159, 1160, 1161, // aborted connection, errors and timeouts on the wire
		1927,       // ER_CONNECTION_KILLED (MariaDB)
		2006, 2013, // server has gone away, lost connection, as proxies report them
		4031,       // ER_CLIENT_INTERACTION_TIMEOUT: closed for being idle
		1792, 1836: // read-only transaction, read-only mode: the server became a replica
		return fault{broken: true}
	case 1290: // ER_OPTION_PREVENTS_STATEMENT: a replica, unless another option is meant
		return fault{broken: strings.Contains(message, "read-only") || strings.Contains(message, "read_only")}
	case 2002, 2003, 2005: // cannot connect, unknown host, as proxies report them
		return fault{broken: true, dial: true}
	case 1049: // ER_BAD_DB_ERROR: no such database
		return fault{dial: true}
	case 1044, 1045, 1698, // access denied
		1862, 3118, 4151: // password expired, account locked
		return fault{credentials: true}
	}
	return fault{}
}

// sqliteFault reads the result codes of SQLite; the low byte is the class.
func sqliteFault(code int64) fault {
	switch code & 0xff {
	case 5, // SQLITE_BUSY: another connection holds the lock, longer than the busy timeout
		6: // SQLITE_LOCKED: one of the same shared cache does
		return fault{busy: true, rolledBack: true}
	case 15: // SQLITE_PROTOCOL: lost a race for the WAL
		return fault{busy: true}
	case 14: // SQLITE_CANTOPEN
		return fault{dial: true}
	case 23: // SQLITE_AUTH
		return fault{credentials: true}
	}
	return fault{}
}

// mssqlFault reads the numbers of SQL Server and Azure SQL.
func mssqlFault(n int64) fault {
	switch n {
	case 1205, // deadlock victim
		3960,                       // snapshot isolation: update conflict
		41302, 41305, 41325, 41839: // the same of memory-optimized tables
		return fault{rolledBack: true}
	case 10928, 10929, // Azure: limit of sessions or workers reached
		40197, 40501, 40613, // Azure: being moved, busy, not available now
		49918, 49919, 49920, // Azure: too many operations in progress
		4221, 615, // replica waits, catalog out of date
		921, 922, 18401, // being recovered or upgraded
		976, 983, 3906, // not the primary any more
		8645, 8651: // no memory for the query now
		return fault{busy: true}
	case 20, 64, 233, 121, 10053, 10054, 10060, // the connection broke while in use, as the server logs it
		6005, 17142, 17143: // shutting down, paused
		return fault{broken: true}
	case 4060, 911: // cannot open the database, no such database
		return fault{dial: true}
	case 18456, 18452, 18470, 18486, 18487, 18488, // login failed, disabled, locked, password expired
		40615, 40532: // Azure: not allowed by the firewall, no such login's server
		return fault{credentials: true}
	}
	return fault{}
}

// snowflakeFault reads gosnowflake's numbers, and its SQLSTATE for the rest.
func snowflakeFault(n int64, state string) fault {
	switch n {
	case 390100, 390144, 390195, 390303, 390318: // wrong password, invalid or expired token
		return fault{credentials: true}
	case 390112, 390114: // session or its token expired
		return fault{broken: true}
	}
	return sqlStateFault(state)
}

// oracleFault reads the numbers after ORA-.
func oracleFault(n int64) fault {
	switch n {
	case 60, // deadlock detected
		8177: // cannot serialize access
		return fault{rolledBack: true}
	case 28, 1012, 2396, 3113, 3114, 3135, 12153, 12537, 12547, 12570, 12571, 25408: // session killed, not logged on, end of channel, connection lost
		return fault{broken: true}
	case 1033, 1034, 1089, 1090, 1092, 12528, 12516, 12518, 12519, 12520, 18, 20: // starting, stopping, no handler or session left
		return fault{busy: true}
	case 12170, 12514, 12541, 12543, 12545, 12505: // no answer, no such service, no listener
		return fault{broken: n == 12170 || n == 12541 || n == 12543, dial: true}
	case 1005, 1017, 1045, 28000, 28001: // wrong, locked, expired
		return fault{credentials: true}
	}
	return fault{}
}

// clickhouseFault reads the codes of ClickHouse.
func clickhouseFault(n int64) fault {
	switch {
	case n == 202 || n == 203 || n == 999: // too many queries at a time, no free connection, keeper out of reach
		return fault{busy: true}
	case n == 209 || n == 210 || n == 279: // socket timeout, network error, all replicas failed
		return fault{broken: true}
	case n == 81: // unknown database
		return fault{dial: true}
	case slices.Contains([]int64{192, 193, 194, 516}, n): // unknown user, wrong or required password, refused
		return fault{credentials: true}
	}
	return fault{}
}
