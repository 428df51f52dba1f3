package sqlconn

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"modernc.org/sqlite"

	"github.com/streamconn/streamconn/internal/redact"
)

// The drivers' errors in their own shapes. The real ones were classified alike:
// pgx 5.12.0, lib/pq 1.12.3, go-sql-driver/mysql 1.10.1, go-mssqldb 1.11.2,
// mattn/go-sqlite3 1.14.52, gosnowflake 1.19.1, go-ora 2.8.24, clickhouse-go 2.50.0.
type (
	stateError string // pgconn.PgError, pq.Error
	MySQLError struct {
		Number  uint16
		Message string
	}
	mssqlError     struct{ number int32 }
	SnowflakeError struct {
		Number   int
		SQLState string
	}
	OracleError  struct{ ErrCode int }
	Exception    struct{ Code int32 } //nolint:errname // ClickHouse's
	ConnectError struct{ err error }  // pgconn
	safeError    struct{}             // pgconn
	saysError    bool                 // whether it is transient
)

func (e stateError) Error() string         { return string(e) }
func (e stateError) SQLState() string      { return string(e) }
func (e *MySQLError) Error() string        { return e.Message }
func (e mssqlError) Error() string         { return "mssql" }
func (e mssqlError) SQLErrorNumber() int32 { return e.number }
func (e *SnowflakeError) Error() string    { return "snowflake" }
func (e *OracleError) Error() string       { return "oracle" }
func (e *Exception) Error() string         { return "clickhouse" }
func (e *ConnectError) Error() string      { return "failed to connect" }
func (e *ConnectError) Unwrap() error      { return e.err }
func (safeError) Error() string            { return "conn closed" }
func (safeError) SafeToRetry() bool        { return true }
func (e saysError) Error() string          { return "says" }
func (e saysError) Transient() bool        { return bool(e) }

// mattnError makes an error shaped like mattn's sqlite3.Error, whose name is
// Error.
func mattnError(code int) error {
	type Error struct {
		mattnBaseError
		Code, ExtendedCode int
	}
	return Error{Code: code}
}

type mattnBaseError struct{}

func (mattnBaseError) Error() string { return "sqlite3" }

func TestFaults(t *testing.T) {
	t.Parallel()
	const (
		passing = 1 << iota // transient
		dialing             // dialFault
		login               // credentialsRefused
		session             // retrySession
	)
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	tests := map[string]struct {
		err  error
		want int
	}{
		"nil":       {nil, 0},
		"any other": {errors.New("boom"), 0},

		"cancelled":                            {context.Canceled, 0},
		"past the deadline":                    {fmt.Errorf("query: %w", context.DeadlineExceeded), 0},
		"cancelled while the connection broke": {errors.Join(driver.ErrBadConn, context.Canceled), 0},
		"past the deadline while it broke":     {errors.Join(io.ErrUnexpectedEOF, context.DeadlineExceeded), 0},
		"cancelled while dialing":              {&net.OpError{Op: "dial", Err: cancelledDialError{}}, 0},
		"no rows":                              {sql.ErrNoRows, 0},
		"transaction done":                     {sql.ErrTxDone, 0},

		"bad connection":        {fmt.Errorf("x: %w", driver.ErrBadConn), passing},
		"refused":               {dial(syscall.ECONNREFUSED), passing | dialing},
		"unreachable":           {dial(syscall.EHOSTUNREACH), passing | dialing},
		"dial timed out":        {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, passing | dialing},
		"no socket":             {&net.OpError{Op: "dial", Net: "unix", Err: syscall.ENOENT}, passing | dialing},
		"no such host":          {&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, dialing},
		"no answer by DNS":      {&net.DNSError{IsTimeout: true}, passing | dialing},
		"refused certificate":   {&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, 0},
		"reset":                 {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, passing},
		"broken pipe":           {os.NewSyscallError("write", syscall.EPIPE), passing},
		"unexpected EOF":        {fmt.Errorf("receive message: %w", io.ErrUnexpectedEOF), passing},
		"EOF":                   {io.EOF, passing},
		"EOF of a Scanner":      {fmt.Errorf("sql: Scan error on column index 0, name \"x\": %w", io.EOF), 0},
		"read timed out":        {os.ErrDeadlineExceeded, passing},
		"closed":                {net.ErrClosed, passing},
		"no permission":         {os.NewSyscallError("open", syscall.EACCES), 0},
		"pgx: nothing sent yet": {safeError{}, passing},
		"pgx: refused":          {&ConnectError{errors.Join(dial(syscall.ECONNREFUSED), dial(syscall.ECONNREFUSED))}, passing | dialing},
		"pgx: TLS refused":      {&ConnectError{errors.New("server refused TLS connection")}, dialing},
		"pgx: password refused": {&ConnectError{stateError("28P01")}, login},
		"mysql: invalid":        {errors.New("invalid connection"), passing},
		"says so itself":        {fmt.Errorf("x: %w", saysError(true)), passing},
		"denies it itself":      {errors.Join(saysError(false), driver.ErrBadConn), 0},

		"08006 connection failure":         {stateError("08006"), passing},
		"08001 cannot establish":           {stateError("08001"), passing | dialing},
		"53300 too many connections":       {stateError("53300"), passing},
		"53400 limit exceeded":             {stateError("53400"), 0},
		"57P01 admin shutdown":             {stateError("57P01"), passing},
		"57P02 crash shutdown":             {stateError("57P02"), passing},
		"57P03 cannot connect now":         {stateError("57P03"), passing | dialing},
		"57P04 database dropped":           {stateError("57P04"), 0},
		"57P05 idle session":               {stateError("57P05"), passing},
		"57014 query cancelled":            {stateError("57014"), 0},
		"40001 serialization failure":      {stateError("40001"), passing | session},
		"40P01 deadlock":                   {stateError("40P01"), passing | session},
		"40003 completion unknown":         {stateError("40003"), passing},
		"25006 read-only":                  {stateError("25006"), passing},
		"28P01 wrong password":             {stateError("28P01"), login},
		"28000 no such role":               {stateError("28000"), login},
		"3D000 no such database":           {stateError("3D000"), dialing},
		"42501 permission denied":          {stateError("42501"), 0},
		"a state cut short":                {stateError("08"), 0},
		"an answer on a broken connection": {errors.Join(driver.ErrBadConn, stateError("28P01")), login},
		"mysql 1040 too many connections":  {&MySQLError{Number: 1040}, passing},
		"mysql 1053 shutdown":              {&MySQLError{Number: 1053}, passing},
		"mysql 1205 lock wait timeout":     {&MySQLError{Number: 1205}, passing},
		"mysql 1213 deadlock":              {&MySQLError{Number: 1213}, passing | session},
		"mysql 1020 snapshot conflict":     {&MySQLError{Number: 1020}, passing | session},
		"mysql 1290 replica":               {&MySQLError{Number: 1290, Message: "running with the --read-only option"}, passing},
		"mysql 1290 another option":        {&MySQLError{Number: 1290, Message: "running with the --secure-file-priv option"}, 0},
		"mysql 2006 gone away":             {&MySQLError{Number: 2006}, passing},
		"mysql 2013 lost":                  {&MySQLError{Number: 2013}, passing},
		"mysql 1045 access denied":         {&MySQLError{Number: 1045}, login},
		"mysql 1049 no such database":      {&MySQLError{Number: 1049}, dialing},
		"mssql 1205 deadlock":              {mssqlError{1205}, passing | session},
		"mssql 3960 snapshot conflict":     {&mssqlError{3960}, passing | session},
		"mssql 40613 not available":        {mssqlError{40613}, passing},
		"mssql 10054 reset":                {mssqlError{10054}, passing},
		"mssql 18456 login failed":         {mssqlError{18456}, login},
		"mssql 4060 cannot open":           {mssqlError{4060}, dialing},
		"mattn busy":                       {mattnError(5), passing | session},
		"mattn locked":                     {mattnError(6), passing | session},
		"mattn busy snapshot":              {mattnError(5 | 2<<8), passing | session},
		"mattn protocol":                   {mattnError(15), passing},
		"mattn cannot open":                {mattnError(14), dialing},
		"snowflake session expired":        {&SnowflakeError{Number: 390112}, passing},
		"snowflake wrong password":         {&SnowflakeError{Number: 390100, SQLState: "08004"}, login},
		"snowflake connection failure":     {&SnowflakeError{Number: 1, SQLState: "08006"}, passing},
		"oracle deadlock":                  {&OracleError{60}, passing | session},
		"oracle end of channel":            {&OracleError{3113}, passing},
		"oracle no listener":               {&OracleError{12541}, passing | dialing},
		"oracle wrong password":            {&OracleError{1017}, login},
		"clickhouse too many queries":      {&Exception{202}, passing},
		"clickhouse authentication failed": {&Exception{516}, login},
		"through redaction":                {redact.Error(fmt.Errorf("hunter2: %w", stateError("40001")), "hunter2"), passing | session},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, f := range map[string]struct {
				got bool
				bit int
			}{
				"transient": {transient(tt.err), passing}, "dialFault": {dialFault(tt.err), dialing},
				"credentialsRefused": {credentialsRefused(tt.err), login}, "retrySession": {retrySession(tt.err), session},
			} {
				if f.got != (tt.want&f.bit != 0) {
					t.Errorf("%s is %t", what, f.got)
				}
			}
		})
	}
}

// cancelledDialError is what package net makes of a cancelled context.
type cancelledDialError struct{}

func (cancelledDialError) Error() string        { return "operation was canceled" }
func (cancelledDialError) Is(target error) bool { return target == context.Canceled }

// In Streamlit a syntax error costs three tries, three pools and two seconds,
// because everything that derives from DatabaseError is tried again.
func TestDefect04_SyntaxErrorsAndConstraintViolationsAreNotRetried(t *testing.T) {
	t.Parallel()
	errs := map[string]error{
		"postgres syntax":       stateError("42601"),
		"postgres no table":     stateError("42P01"),
		"postgres no column":    stateError("42703"),
		"postgres unique":       stateError("23505"),
		"postgres foreign key":  stateError("23503"),
		"postgres not null":     stateError("23502"),
		"postgres division":     stateError("22012"),
		"mysql syntax":          &MySQLError{Number: 1064},
		"mysql no table":        &MySQLError{Number: 1146},
		"mysql duplicate":       &MySQLError{Number: 1062},
		"mysql foreign key":     &MySQLError{Number: 1452},
		"mssql syntax":          mssqlError{102},
		"mssql no table":        mssqlError{208},
		"mssql duplicate":       mssqlError{2627},
		"mattn syntax":          mattnError(1),
		"mattn constraint":      mattnError(19),
		"oracle no table":       &OracleError{942},
		"oracle unique":         &OracleError{1},
		"snowflake compilation": &SnowflakeError{Number: 1003, SQLState: "42000"},
		"clickhouse syntax":     &Exception{62},
	}
	db := sqliteForFaults(t, "")
	_, errs["sqlite syntax"] = db.ExecContext(t.Context(), `SELEC 1`)
	_, errs["sqlite no table"] = db.ExecContext(t.Context(), `SELECT * FROM nowhere`)
	_, errs["sqlite unique"] = db.ExecContext(t.Context(), `CREATE TABLE u (x UNIQUE); INSERT INTO u VALUES (1), (1)`)
	for name, err := range errs {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		err = fmt.Errorf("query: %w", err)
		if transient(err) || retrySession(err) || dialFault(err) || credentialsRefused(err) {
			t.Errorf("%s counts as a passing fault", name)
		}
	}
}

// The real errors of the driver that the tests link.
func TestFaultsOfSQLite(t *testing.T) {
	t.Parallel()
	db := sqliteForFaults(t, "_pragma=busy_timeout(0)")
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, `CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `INSERT INTO t VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(ctx, `INSERT INTO t VALUES (2)`)
	if _, ok := errors.AsType[*sqlite.Error](err); !ok {
		t.Fatalf("not SQLite's error: %v", err)
	}
	if !transient(err) || !retrySession(err) || dialFault(err) {
		t.Errorf("busy is not what is tried again: %v", err)
	}

	nowhere, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "no", "such", "folder", "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if err := nowhere.PingContext(ctx); !dialFault(err) || transient(err) {
		t.Errorf("a file that cannot be opened: %v", err)
	}
}

// sqliteForFaults opens a file of its own.
func sqliteForFaults(t *testing.T, query string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?"+query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func FuzzFaults(f *testing.F) {
	f.Add("40001", int64(1213))
	f.Add("", int64(-1))
	f.Fuzz(func(t *testing.T, state string, n int64) {
		for _, err := range []error{
			stateError(state), &MySQLError{Number: uint16(n), Message: state},
			mssqlError{int32(n)},
			mattnError(int(n)),
			&SnowflakeError{int(n), state}, &OracleError{int(n)}, &Exception{int32(n)}, errors.New(state),
		} {
			// What is run again as a whole can be read again, and a refused
			// login is never tried again.
			if retrySession(err) && !transient(err) || credentialsRefused(err) && transient(err) {
				t.Fatalf("%T %q %d is contradictory", err, state, n)
			}
		}
	})
}
