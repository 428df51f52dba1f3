package sqlconn

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// Query gives the rows of a query, each as a T: a struct whose fields are the columns, a pointer
// to one, a map[string]any, or, where there is one column, whatever holds its value. No rows is an
// empty slice, never nil.
//
// A column goes to the field of its name: that of the tag `db:"name"`, else the field's own in snake
// case (UserID is user_id), else one that differs from these, or from the name in Go, in case only. A field
// without a column stays zero; a column without a field is an error, as is one whose field is not
// exported; the tag "-" leaves a field out. Fields of an embedded struct count as the outer one's own,
// and where names collide, Go's rules decide: the outer field wins, then the one with a tag. Those of a
// struct in a field are reached by a dot:
//
//	type Owner struct {
//		ID   int
//		Name string
//		Pet  *Pet // nil for who has none
//	}
//	owners, err := sqlconn.Query[Owner](ctx, conn, `
//		select o.id, o.name, p.id as "pet.id", p.name as "pet.name"
//		from owners o left join pets p on p.owner_id = o.id`)
//
// A pointer to such a struct, embedded or in a field, is nil in rows where all of its columns are NULL. A
// column that goes to a struct, a map or a slice itself, without a dot, is read as JSON, and PostgreSQL's
// arrays as slices.
//
// args are positional, in the driver's own notation, or one [Params] for :name parameters,
// which work with every driver.
//
// On a [*Conn], a statement that only reads is cached as the connection's or view's TTL says
// (see [Conn.WithTTL]), and tried again after faults that pass. Any other statement, such as INSERT …
// RETURNING, runs exactly once, is not cached, and ends the connection's cached reads.
// On a [*Tx] nothing is cached or tried again.
func Query[T any](ctx context.Context, q Queryer, query string, args ...any) ([]T, error) {
	if c := q.cached(); c != nil {
		var buffer [128]byte
		if encoded, ok := appendArgs(buffer[:0], args); ok {
			if rows, hit := connection.LookupSlice[T](c.Connection, query, encoded, &c.policy); hit {
				return rows, nil
			}
		}
	}
	// The clone keeps the caller's arguments on the caller's stack when there is a hit.
	return run(ctx, q, "query", query, slices.Clone(args), scanAll[T])
}

// single keeps the result of QueryOne[[]T] apart from that of Query[T].
type single[T any] struct{ Value T }

// QueryOne gives the one row of a query, as [Query] does. No row is [sql.ErrNoRows], more than
// one is [ErrManyRows].
func QueryOne[T any](ctx context.Context, q Queryer, query string, args ...any) (T, error) {
	if c := q.cached(); c != nil {
		var buffer [128]byte
		if encoded, ok := appendArgs(buffer[:0], args); ok {
			if row, hit := connection.Lookup[single[T]](c.Connection, query, encoded, &c.policy); hit {
				return row.Value, nil
			}
		}
	}
	row, err := run(ctx, q, "query", query, slices.Clone(args), func(rows *sql.Rows) (single[T], error) {
		v, err := scanOne[T](rows)
		return single[T]{v}, err
	})
	return row.Value, err
}

// ErrManyRows is [QueryOne]'s answer when there is more than one row.
var ErrManyRows = errors.New("more than one row where one was asked for")

// Query gives the rows of a query as named, typed columns: for when no struct is at hand. See
// the function [Query] for its arguments and caching.
func (c *Conn) Query(ctx context.Context, query string, args ...any) (*Frame, error) {
	return queryFrame(ctx, c, query, args)
}

func queryFrame(ctx context.Context, q Queryer, query string, args []any) (*Frame, error) {
	if c := q.cached(); c != nil {
		if encoded, ok := appendArgs(nil, args); ok {
			if frame, hit := connection.Lookup[*Frame](c.Connection, query, encoded, &c.policy); hit {
				return frame, nil
			}
		}
	}
	return run(ctx, q, "query", query, args, readFrame)
}

// Rows streams the rows of a query, as [Query] gives them, while the database produces them.
// It is never cached. An error ends it, as the second value of the last pair. Leaving the loop
// early closes the rows. On a [*Conn], a statement that only reads is tried again after faults
// that pass, until its first row has come.
//
// The rows hold one of the database's connections while the loop runs.
func Rows[T any](ctx context.Context, q Queryer, query string, args ...any) iter.Seq2[T, error] {
	args = slices.Clone(args)
	return func(yield func(T, error) bool) {
		q, begun, left := q, false, false // each loop has its own
		if c := q.cached(); c != nil {
			q = c.WithTTL(0)
		}
		_, err := run(ctx, q, "rows", query, args, func(rows *sql.Rows) (struct{}, error) {
			for v, err := range scanEach[T](rows) {
				if err != nil && begun {
					err = &begunError{err}
				}
				if err != nil {
					return struct{}{}, err
				}
				begun = true
				if left = !yield(v, nil); left {
					break
				}
			}
			return struct{}{}, nil
		})
		if err != nil && !left {
			var none T
			yield(none, err)
		}
	}
}

// begunError is a failure after rows have been handed out: trying again would repeat them.
type begunError struct{ err error }

func (e *begunError) Error() string   { return e.err.Error() }
func (e *begunError) Unwrap() error   { return e.err }
func (e *begunError) Transient() bool { return false }

// Exec runs a statement that returns no rows, exactly once, and ends the connection's cached
// reads afterwards, whatever its outcome.
func (c *Conn) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var result sql.Result
	err := c.write(ctx, func(db *sql.DB) (err error) {
		e := engineOf(db)
		return e.useOnce(ctx, db, func(x beginner) error {
			result, err = e.exec(ctx, x, query, args)
			return err
		})
	})
	return result, connection.Wrap(c, "exec", err)
}

// endReads ends the cached reads of the connection and its views.
func (c *Conn) endReads(ctx context.Context) {
	_ = connection.Write(ctx, c, func(*sql.DB) error { return nil }) // whatever its outcome
}

// write runs use once, and ends the cached reads unless the view keeps them.
func (c *Conn) write(ctx context.Context, use func(*sql.DB) error) error {
	if c.keepCache {
		return connection.Do(ctx, c, use)
	}
	return connection.Write(ctx, c, use)
}

// run is a query that was not found in the cache: in its session, as a write, or as a
// cached read that is tried again after faults that pass.
func run[V any](ctx context.Context, q Queryer, op, query string, args []any, scan func(*sql.Rows) (V, error)) (v V, err error) {
	if tx := q.session(); tx != nil {
		tx.note(query)
		v, err = queryOn(ctx, tx.engine, tx.on, query, args, scan)
		return v, connection.Wrap(tx.conn, op, err)
	}
	c := q.cached()
	e, err := c.engine(ctx)
	if err != nil {
		return v, err
	}
	if e.analyse(query).read {
		key := keyOf(query, args)
		if c.policy.Stale > 0 { // a refresh may use them after the call has returned
			args = ownArgs(args)
		}
		v, err = connection.Load(ctx, c, key, c.policy, func(ctx context.Context, db *sql.DB) (V, error) {
			e := engineOf(db)
			return queryIn(ctx, e, db, e.use, query, args, scan)
		})
	} else {
		err = c.write(ctx, func(db *sql.DB) (err error) {
			e := engineOf(db)
			v, err = queryIn(ctx, e, db, e.useOnce, query, args, scan)
			return err
		})
	}
	if err != nil {
		var none V
		return none, connection.Wrap(c, op, err)
	}
	return v, nil
}

// lender is engine.use or engine.useOnce.
type lender func(context.Context, *sql.DB, func(beginner) error) error

func queryIn[V any](ctx context.Context, e *engine, db *sql.DB, use lender, query string, args []any, scan func(*sql.Rows) (V, error)) (v V, err error) {
	err = use(ctx, db, func(x beginner) (err error) {
		v, err = queryOn(ctx, e, x, query, args, scan)
		return err
	})
	return v, err
}

// queryOn runs the query where it is told, and closes its rows whatever happens.
func queryOn[V any](ctx context.Context, e *engine, x executor, query string, args []any, scan func(*sql.Rows) (V, error)) (v V, err error) {
	rows, err := e.query(ctx, x, query, args) //nolint:rowserrcheck // scan does
	if err != nil {
		return v, err
	}
	defer rows.Close() // scan has closed them, unless it panicked
	v, err = scan(rows)
	return v, e.masked(err)
}

// appendArgs encodes arguments for a cache key; ok is false if one has no stable form.
func appendArgs(dst []byte, args []any) (encoded []byte, ok bool) {
	for _, arg := range args {
		switch v := arg.(type) {
		case Params:
			arg = map[string]any(v) // which is encoded faster, and is no argument itself
		case map[string]any:
			return dst, false // the call is to end with its error
		}
		if dst, ok = cache.AppendArg(dst, arg); !ok {
			return dst, false
		}
	}
	return dst, true
}

func keyOf(query string, args []any) cache.Key {
	encoded, ok := appendArgs(nil, args)
	if !ok {
		return cache.Key{} // which is not cached
	}
	return cache.MakeKey(query, encoded)
}
