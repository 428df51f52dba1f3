package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
	"github.com/streamconn/streamconn/internal/redact"
)

// engine is what is known about a *sql.DB besides what database/sql knows: its dialect, and
// the settings which database/sql has no place for.
type engine struct {
	driver  string // the name in database/sql; "" if it is not known
	dialect string
	style   placeholderStyle
	secrets func() []string // never to be seen in an error; as a function, never seen by package fmt; may be nil

	// keepsPromise is of drivers that answer driver.ErrBadConn only when the server has
	// certainly not executed the statement. On it, database/sql runs the statement again.
	keepsPromise bool

	isolation  sql.IsolationLevel
	autocommit bool
	prePing    bool
	echo       *slog.Logger // nil: no echo

	slots   chan struct{} // as many as the pool has connections; nil: callers wait without limit
	timeout time.Duration // for a slot
}

// engines knows the engine of each *sql.DB that Connect has opened, until it is closed.
var engines sync.Map // *sql.DB → *engine

// engineOf gives the engine of a database: of one that somebody else has opened, what its driver tells.
func engineOf(db *sql.DB) *engine {
	if e, ok := engines.Load(db); ok {
		return e.(*engine)
	}
	return engineOfDriver(db.Driver())
}

// foreign remembers the engines of drivers: there are as many as the program links.
var foreign sync.Map // reflect.Type → *engine

func engineOfDriver(d driver.Driver) *engine {
	t := reflect.TypeOf(d)
	if e, ok := foreign.Load(t); ok {
		return e.(*engine)
	}
	e := &engine{style: placeQuestion}
	if d, ok := recognise(t); ok {
		e.driver, e.dialect, e.style, e.keepsPromise = d.name, d.dialect, d.style, d.keepsPromise
	}
	foreign.Store(t, e)
	return e
}

// recognise tells a driver by the package of its type. Wrappers of drivers, such as those for
// tracing, hide it: their databases are best opened by Connect.
func recognise(t reflect.Type) (known knownDriver, ok bool) {
	if t == nil { // a connector that tells no driver
		return knownDriver{}, false
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	path := t.PkgPath()
	for _, d := range knownDrivers {
		if path == d.pkg || strings.HasPrefix(path, d.pkg+"/") {
			return d, true
		}
	}
	return knownDriver{}, false
}

type knownDriver struct {
	pkg, name, dialect string
	style              placeholderStyle
	keepsPromise       bool // see engine
}

var knownDrivers = []knownDriver{
	{"github.com/jackc/pgx/v5", "pgx", "postgresql", placeDollar, true},
	{"github.com/jackc/pgx/v4", "pgx", "postgresql", placeDollar, true},
	{"github.com/lib/pq", "postgres", "postgresql", placeDollar, false}, // it answers so to a connection that is cut later, too
	{"github.com/go-sql-driver/mysql", "mysql", "mysql", placeQuestion, true},
	{"modernc.org/sqlite", "sqlite", "sqlite", placeQuestion, true},
	{"github.com/mattn/go-sqlite3", "sqlite3", "sqlite", placeQuestion, true},
	{"github.com/ncruces/go-sqlite3", "sqlite3", "sqlite", placeQuestion, true},
	{"github.com/microsoft/go-mssqldb", "sqlserver", "mssql", placeAtP, false},
	{"github.com/denisenkom/go-mssqldb", "sqlserver", "mssql", placeAtP, false},
	{"github.com/snowflakedb/gosnowflake", "snowflake", "snowflake", placeQuestion, false},
	{"github.com/duckdb/duckdb-go", "duckdb", "duckdb", placeQuestion, true},
	{"github.com/marcboeker/go-duckdb", "duckdb", "duckdb", placeQuestion, true},
	{"github.com/sijms/go-ora", "oracle", "oracle", placeColon, false},
	{"github.com/godror/godror", "godror", "oracle", placeColon, false},
}

// executor is where statements run: a *sql.DB, one of its connections, or a transaction of one.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// beginner is an executor that can begin a transaction.
type beginner interface {
	executor
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func (e *engine) analyse(query string) *statement { return analyse(e.dialect, e.style, query) }

// use lends a place to run reads and transactions on, as pool_timeout and pool_pre_ping have it.
func (e *engine) use(ctx context.Context, db *sql.DB, f func(beginner) error) error {
	return e.useChecked(ctx, db, e.prePing, f)
}

// useOnce is use for statements that must not run twice. With drivers that do not keep the
// promise, database/sql is not let to run them again: they run on one connection, which has
// just answered a ping.
func (e *engine) useOnce(ctx context.Context, db *sql.DB, f func(beginner) error) error {
	return e.useChecked(ctx, db, e.prePing || !e.keepsPromise, f)
}

func (e *engine) useChecked(ctx context.Context, db *sql.DB, check bool, f func(beginner) error) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	if !check {
		return f(db)
	}
	conn, err := e.alive(ctx, db)
	if err != nil {
		return e.masked(err)
	}
	defer conn.Close() // it goes back to the pool
	return f(conn)
}

// enter waits for a free connection of the pool, at most for pool_timeout.
func (e *engine) enter(ctx context.Context) error {
	if e.slots == nil {
		return nil
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(e.timeout)
	defer timer.Stop()
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return &PoolTimeoutError{Size: cap(e.slots), Timeout: e.timeout}
	case <-ctx.Done():
		return endOf(ctx)
	}
}

// endOf tells that ctx is over, and why. Whatever the cause, it is a context.Canceled or DeadlineExceeded.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return context.Cause(ctx)
}

func (e *engine) leave() {
	if e.slots != nil {
		<-e.slots
	}
}

// PoolTimeoutError tells that no connection of the pool came free within pool_timeout. It is not
// tried again: whoever holds the connections has to give them back first.
type PoolTimeoutError struct {
	Size    int           // pool_size + max_overflow
	Timeout time.Duration // pool_timeout
}

func (e *PoolTimeoutError) Error() string {
	return fmt.Sprintf("none of the pool's %d connections came free within %v; end rows and sessions sooner, or raise pool_size, max_overflow or pool_timeout", e.Size, e.Timeout)
}

// Temporary reports that this is a matter of time.
func (e *PoolTimeoutError) Temporary() bool { return true }

// Transient keeps reads from being tried again after a wait as long as that.
func (e *PoolTimeoutError) Transient() bool { return false }

// alive takes a connection that answers a ping. Those that do not are discarded; when none is
// left, the answer of a fresh one counts.
func (e *engine) alive(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	for {
		last := db.Stats().Idle == 0
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		err = conn.PingContext(ctx)
		if err == nil {
			return conn, nil
		}
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // discards it
		_ = conn.Close()
		if last || ctx.Err() != nil || !transient(err) {
			return nil, err
		}
	}
}

// ping is the kind's Ping: within pool_timeout, and masked, which a *sql.DB's own would not be.
func ping(ctx context.Context, db *sql.DB) error {
	e := engineOf(db)
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	return e.masked(db.PingContext(ctx))
}

func (e *engine) query(ctx context.Context, x executor, query string, args []any) (*sql.Rows, error) {
	bound, args, err := e.bind(ctx, query, args)
	if err != nil {
		return nil, err
	}
	rows, err := x.QueryContext(ctx, bound, args...)
	return rows, e.blameArgs(ctx, query, args, e.masked(err))
}

func (e *engine) exec(ctx context.Context, x executor, query string, args []any) (sql.Result, error) {
	bound, args, err := e.bind(ctx, query, args)
	if err != nil {
		return nil, err
	}
	result, err := x.ExecContext(ctx, bound, args...)
	return result, e.blameArgs(ctx, query, args, e.masked(err))
}

// blameArgs adds to an error what is wrong with the arguments, where that is why: drivers differ in what they
// take, so that it is not known before.
func (e *engine) blameArgs(ctx context.Context, query string, args []any, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case len(args) > 0:
		if text := err.Error(); strings.Contains(text, "converting argument") && strings.Contains(text, "unsupported type") {
			return fmt.Errorf("%w: the driver takes single values; give named parameters, and lists for IN, as sqlconn.Params", err)
		}
	case !transient(err):
		if plan, unreadable := e.analyse(query).plan(); unreadable == nil && len(plan.names) > 0 {
			return fmt.Errorf("%w (the statement has :%s, and no sqlconn.Params were given)", err, plan.names[0])
		}
	}
	return err
}

// bind translates named parameters, and echoes the statement, never its arguments.
func (e *engine) bind(ctx context.Context, query string, args []any) (string, []any, error) {
	if ctx == nil {
		return "", nil, deadline.ErrNoContext
	}
	if len(args) > 0 {
		var err error
		if query, args, err = e.analyse(query).bindArgs(query, args); err != nil {
			return "", nil, err
		}
	}
	if e.echo != nil {
		e.echo.InfoContext(ctx, "sql", "statement", query, "arguments", len(args))
	}
	return query, args, nil
}

// masked keeps what must not be seen out of what a driver says.
func (e *engine) masked(err error) error {
	if err == nil || e.secrets == nil {
		return err
	}
	return redact.Error(err, e.secrets()...)
}

// dialError is a failure to make a new connection, apart from failures on those that there are.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// needsNewPool tells of faults that the pool cannot mend by replacing connections: the
// database is not where it was, or does not know us any more. New parameters may.
func needsNewPool(err error) bool {
	if _, ok := errors.AsType[*dialError](err); ok && dialFault(err) {
		return true
	}
	return credentialsRefused(err)
}

// dialer tells failed dials from other failures. They are what most often shows a DSN, so it
// masks them as well, for those who use the *sql.DB by themselves.
type dialer struct {
	driver.Connector
	engine *engine
}

func (d *dialer) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	late := deadline.Passed(ctx, err)
	switch err = d.engine.masked(err); {
	case err == nil:
	case late:
		err = fmt.Errorf("%w: %w", endOf(ctx), err)
	case ctx.Err() == nil:
		err = &dialError{err}
	}
	return conn, err
}

// Close closes a connector that wants it, as sql.DB.Close asks.
func (d *dialer) Close() error {
	if c, ok := d.Connector.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}
