package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/redact"
)

// Tx is a session: a transaction of its own on one of the database's connections. [Query],
// [QueryOne] and [Rows] run on it, uncached. It is of no use once its session has ended
// ([sql.ErrTxDone]; [sql.ErrConnDone] under AUTOCOMMIT), and, like a *sql.Tx, serves one statement at a time.
type Tx struct {
	conn   *Conn
	engine *engine
	on     executor // a *sql.Tx, or a *sql.Conn under AUTOCOMMIT
	wrote  *atomic.Bool
}

// Format names the connection with every verb: what else is in a session is nothing to look at.
func (t Tx) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "session of %v", t.conn.Connection) }

func (t *Tx) cached() *Conn { return nil }
func (t *Tx) session() *Tx  { return t }

// Exec runs a statement that returns no rows.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	t.note(query)
	result, err := t.engine.exec(ctx, t.on, query, args)
	return result, connection.Wrap(t.conn, "exec", err)
}

// note remembers that the session has run what is not certainly a read: not every driver keeps
// a read-only session from writing.
func (t *Tx) note(query string) {
	if !t.wrote.Load() && !t.engine.analyse(query).read {
		t.wrote.Store(true)
	}
}

// Query gives the rows of a query as named, typed columns.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*Frame, error) {
	return queryFrame(ctx, t, query, args)
}

// Raw gives the transaction of database/sql, for what this package does not do. Do not end it:
// the session does. It is nil under isolation_level = "AUTOCOMMIT", where there is none.
func (t *Tx) Raw() *sql.Tx {
	tx, _ := t.on.(*sql.Tx)
	return tx
}

// ErrCommitUnknown tells that a session's commit failed in a way that leaves open whether it
// took effect: the connection broke before the answer came.
var ErrCommitUnknown = errors.New("it is unknown whether the session was committed")

// SessionOption configures one [Conn.Session].
type SessionOption func(*sessionConfig)

type sessionConfig struct {
	tx    sql.TxOptions
	given bool // tx.Isolation is the caller's, not the engine's
	retry bool
}

// piecemeal tells of a session whose statements are each committed by itself.
func (c *sessionConfig) piecemeal(e *engine) bool {
	return e.autocommit && !c.given && !c.tx.ReadOnly
}

// RetrySession runs the whole session again, in a new transaction, when the database has undone
// it by itself: serialization failures, deadlocks, and a busy SQLite. Its function must then bear
// being run more than once. It is tried as long and as often as reads are, and never after a
// commit whose outcome is unknown, nor under AUTOCOMMIT, where nothing is undone.
func RetrySession() SessionOption { return func(c *sessionConfig) { c.retry = true } }

// Isolation sets the session's isolation level, over the engine's isolation_level; under
// AUTOCOMMIT it makes the session a transaction after all.
func Isolation(level sql.IsolationLevel) SessionOption {
	return func(c *sessionConfig) { c.tx.Isolation, c.given = level, true }
}

// ReadOnly makes a session in which writes fail; under AUTOCOMMIT it makes it a transaction after
// all. It is the database that refuses them: PostgreSQL and MySQL in a read-only transaction, SQLite
// by PRAGMA query_only, which is taken back when the session ends. Drivers that have no such
// transactions, such as DuckDB's, refuse the session itself; one that this package does not know may
// pass it over. As long as it runs nothing but reads, the session
// leaves cached reads alone.
func ReadOnly() SessionOption { return func(c *sessionConfig) { c.tx.ReadOnly = true } }

// Session runs f in a transaction: it commits when f returns nil, and rolls back when f returns
// an error, panics or ends its goroutine. f's error comes back as it is. Afterwards, the
// connection's cached reads have ended, those of its views too.
//
// Nothing in a session is tried again, nor is the session, save by [RetrySession]. With
// isolation_level = "AUTOCOMMIT" there is no transaction: each statement commits by itself.
func (c *Conn) Session(ctx context.Context, f func(tx *Tx) error, opts ...SessionOption) error {
	var cfg sessionConfig
	for _, o := range opts {
		o(&cfg)
	}
	piecemeal := false // each statement has been committed by itself: none of them may run again
	once := func() error {
		var wrote atomic.Bool
		use := func(db *sql.DB) error {
			e := engineOf(db)
			begun := false
			err := e.use(ctx, db, func(x beginner) error {
				begun, piecemeal = true, cfg.piecemeal(e)
				return c.sessionOn(ctx, e, x, cfg, &wrote, f)
			})
			if !begun {
				return connection.Wrap(c, "session", err) // there was no connection to be had
			}
			return err
		}
		if !cfg.tx.ReadOnly {
			return c.write(ctx, use)
		}
		defer func() {
			if wrote.Load() && !c.keepCache {
				c.endReads(ctx)
			}
		}()
		return connection.Do(ctx, c, use)
	}
	if !cfg.retry {
		return once()
	}
	return connection.Again(ctx, c, func(err error) bool {
		return !piecemeal && !errors.Is(err, ErrCommitUnknown) && retrySession(err)
	}, once)
}

func (c *Conn) sessionOn(ctx context.Context, e *engine, x beginner, cfg sessionConfig, wrote *atomic.Bool, f func(*Tx) error) (err error) {
	if cfg.piecemeal(e) {
		return c.autocommitSession(ctx, e, x, wrote, f)
	}
	if !cfg.given {
		cfg.tx.Isolation = e.isolation
	}
	var only *queryOnly
	if cfg.tx.ReadOnly && e.dialect == "sqlite" { // whose drivers pass over a transaction's ReadOnly
		conn, back, err := pin(ctx, x)
		if err != nil {
			return connection.Wrap(c, "session", e.masked(err))
		}
		defer back()
		only = &queryOnly{conn: conn}
		defer only.restore(ctx) // when the transaction has ended: while it lasts, a broken connection cannot be discarded
		x = conn
	}
	tx, err := x.BeginTx(ctx, &cfg.tx)
	if err != nil {
		return connection.Wrap(c, "session", e.masked(err))
	}
	committing := false
	defer func() {
		if committing {
			return
		}
		// f failed, panicked or ended the goroutine. A rollback that fails has nothing to add:
		// the connection is broken, and the database has rolled back on its own.
		rollback := tx.Rollback()
		if err != nil && rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && ctx.Err() == nil {
			err = fmt.Errorf("%w (and rolling back: %w)", err, e.masked(rollback))
		}
	}()
	if only != nil { // in the transaction, which might begin as that of a writer
		if err := only.begin(ctx, tx); err != nil {
			return connection.Wrap(c, "session", e.masked(err))
		}
	}
	if err := f(&Tx{conn: c, engine: e, on: tx, wrote: wrote}); err != nil {
		return err
	}
	committing = true
	return connection.Wrap(c, "commit", commitError(ctx, e, tx.Commit()))
}

// commitError tells a commit that was refused from one whose fate is unknown.
func commitError(ctx context.Context, e *engine, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || err == ctx.Err()): //nolint:errorlint // what database/sql says, and no driver
		return endOf(ctx) // which ended before the commit was sent, and had it rolled back
	case errors.Is(err, sql.ErrTxDone) || retrySession(err) || answered(err) || rolledBackInstead(err):
		return e.masked(err)
	default:
		return fmt.Errorf("%w: %w", ErrCommitUnknown, e.masked(err))
	}
}

func (c *Conn) autocommitSession(ctx context.Context, e *engine, x beginner, wrote *atomic.Bool, f func(*Tx) error) error {
	conn, back, err := pin(ctx, x)
	if err != nil {
		return connection.Wrap(c, "session", e.masked(err))
	}
	defer back()
	return f(&Tx{conn: c, engine: e, on: conn, wrote: wrote})
}

// pin gives one connection of the pool, which back returns to it: that of x, if it is one.
func pin(ctx context.Context, x beginner) (conn *sql.Conn, back func(), err error) {
	if conn, ok := x.(*sql.Conn); ok {
		return conn, func() {}, nil
	}
	if conn, err = x.(*sql.DB).Conn(ctx); err != nil {
		return nil, nil, err
	}
	return conn, func() { _ = conn.Close() }, nil
}

// queryOnly keeps a connection to SQLite from writing.
type queryOnly struct {
	conn    *sql.Conn
	changed bool
}

func (q *queryOnly) begin(ctx context.Context, tx *sql.Tx) error {
	var already bool
	switch err := tx.QueryRowContext(ctx, "PRAGMA query_only").Scan(&already); {
	case errors.Is(err, sql.ErrNoRows):
		return errors.New("the driver does not tell of PRAGMA query_only, without which SQLite has no read-only sessions")
	case err != nil:
		return err
	case already:
		return nil
	}
	q.changed = true // unless it fails, which leaves it unknown
	_, err := tx.ExecContext(ctx, "PRAGMA query_only = 1")
	return err
}

// restore makes the connection as it was, or has the pool discard it.
func (q *queryOnly) restore(ctx context.Context) {
	if !q.changed {
		return
	}
	if _, err := q.conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 0"); err != nil {
		_ = q.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// answered tells whether the database itself said no, on a connection that it kept.
func answered(err error) bool {
	said := false
	redact.Each(err, func(e error) bool {
		fault, ok := serverAnswer(e)
		said = ok && !fault.broken
		return !ok
	})
	return said
}

// rolledBackInstead tells of the errors, without code or type of their own, with which drivers of
// PostgreSQL say that a statement had failed before and COMMIT therefore rolled back.
func rolledBackInstead(err error) bool {
	return !redact.Each(err, func(e error) bool {
		text := e.Error()
		return text != "commit unexpectedly resulted in rollback" && // pgx
			!strings.EqualFold(text, "pq: could not complete operation in a failed transaction")
	})
}
