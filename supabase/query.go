package supabase

import (
	"context"
	"errors"
	"iter"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase/database"
)

// Builder is a query on its way, and the connection that runs it. It never changes: every method
// returns a new one, so one can be kept, and extended from many goroutines.
type Builder = database.Query[*Conn]

// Page is a part of the rows, with the total if the query asked for a Count.
type Page[T any] = database.Page[T]

// Result is a raw answer of the database.
type Result = database.Result

// Options of a query, from package database.
const (
	Asc        = database.Asc
	Desc       = database.Desc
	NullsFirst = database.NullsFirst
	NullsLast  = database.NullsLast

	Exact     = database.Exact
	Planned   = database.Planned
	Estimated = database.Estimated
)

// Table begins a query of a table or a view: a read of all of it, until methods say more.
func (c *Conn) Table(name string) Builder { return database.Table(c, name) }

// RPC begins a call of a function: a write, until Get or Head makes it a read. Args is a map or a
// struct whose JSON names the arguments, or nil for none.
func (c *Conn) RPC(name string, args any) Builder { return database.RPC(c, name, args) }

// Schema gives the tables and functions of another schema.
func (c *Conn) Schema(name string) database.Schema[*Conn] { return database.InSchema(c, name) }

// Query gives the rows of a query, each decoded as JSON into a T. No rows is an empty slice, never
// nil.
//
// A read is cached as the connection's or view's TTL says (see [Conn.WithTTL]), and tried again after
// faults that pass. A write with Select, and a function's call, runs exactly once, is not cached,
// and ends the connection's cached reads of the database, for every user.
//
// The server may have a bound on the number of rows (1,000 on a hosted project) and leaves out the
// rest without a word: see [Rows].
func Query[T any](ctx context.Context, q Builder) ([]T, error) {
	if rows, hit := lookup[[]T](q); hit {
		return rows, nil
	}
	return run(ctx, q, "query", database.All[T])
}

// single keeps the result of QueryOne[[]T] apart from that of Query[T].
type single[T any] struct{ Value T }

// QueryOne gives the one row of a query, or the value that a function returns, as [Query] does. No
// row is [ErrNotFound], more than one is [ErrMultipleRows].
func QueryOne[T any](ctx context.Context, q Builder) (T, error) {
	if row, hit := lookup[single[T]](q); hit {
		return row.Value, nil
	}
	row, err := run(ctx, q, "query", func(ctx context.Context, q database.Query[*database.Client]) (single[T], error) {
		v, err := database.One[T](ctx, q)
		return single[T]{v}, err
	})
	return row.Value, err
}

// QueryPage is [Query] with the number of the first row, and the total if the query asked for a
// Count.
func QueryPage[T any](ctx context.Context, q Builder) (Page[T], error) {
	if page, hit := lookup[Page[T]](q); hit {
		return page, nil
	}
	return run(ctx, q, "query", database.Paged[T])
}

// total keeps the result of Count apart from those of the queries.
type total struct{ Rows int64 }

// Count gives the number of rows that the filters leave, without the rows: exactly, or as the
// query's Count says. It is cached as [Query] is.
func Count(ctx context.Context, q Builder) (int64, error) {
	if n, hit := lookup[total](q); hit {
		return n.Rows, nil
	}
	n, err := run(ctx, q, "count", func(ctx context.Context, q database.Query[*database.Client]) (total, error) {
		n, err := database.Count(ctx, q)
		return total{n}, err
	})
	return n.Rows, err
}

// Execute runs a query and gives the raw answer: for writes, and for who wants the bytes. Writes run
// exactly once and are never cached; reads are, as in [Query].
func Execute(ctx context.Context, q Builder) (*Result, error) {
	if r, hit := lookup[*Result](q); hit {
		return r, nil
	}
	return run(ctx, q, "execute", database.Execute)
}

// Pages gives all rows, up to size at a time, however few the server returns at once. The query is
// a read with an Order, by columns that together are unique, and without a Limit, Offset or Range
// of its own. Nothing is cached; each page is tried again after faults that pass. After an error
// it ends.
func Pages[T any](ctx context.Context, q Builder, size int) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		if q.Runner() == nil {
			yield(Page[T]{}, errNoConn(q))
			return
		}
		q := database.On(q, q.Runner().WithTTL(0))
		for page, err := range database.PagesBy(ctx, q, size, QueryPage[T]) {
			if !yield(page, connection.Wrap(q.Runner(), "query", err)) {
				return
			}
		}
	}
}

// Rows is [Pages] row by row.
func Rows[T any](ctx context.Context, q Builder, size int) iter.Seq2[T, error] {
	return database.EachRow(Pages[T](ctx, q, size))
}

// ClearQuery ends the cached results of one query, whatever was made of them and whoever they were
// read for; on a view of a user, of that user. connection.Clear ends everything that is cached.
func (c *Conn) ClearQuery(q Builder) {
	if key, err := q.Key(); err == nil && q.IsRead() {
		connection.ClearText(c, key, nil)
	}
}

// lookup finds what is cached of a read. It does not allocate.
func lookup[V any](q Builder) (V, bool) {
	if c := q.Runner(); c != nil && c.policy.TTL != 0 && q.IsRead() {
		if key, err := q.Key(); err == nil {
			return connection.Lookup[V](c.Connection, key, nil, &c.policy)
		}
	}
	var none V
	return none, false
}

// errNoConn is what is wrong with a query that has no connection to run it.
func errNoConn(q Builder) error {
	if err := q.Err(); err != nil {
		return err
	}
	return errors.New("supabase: a query without a connection: begin it with a Conn's Table or RPC, or use database.On")
}

// run is a query that was not found in the cache: a read, cached and tried again, or a write.
func run[V any](ctx context.Context, q Builder, op string, by func(context.Context, database.Query[*database.Client]) (V, error)) (v V, err error) {
	c := q.Runner()
	switch {
	case c == nil:
		return v, errNoConn(q)
	case q.Err() != nil:
		return v, connection.Wrap(c, op, q.Err())
	case !q.IsRead():
		err = c.write(ctx, func(client *Client) (err error) {
			v, err = by(ctx, database.On(q, client.database))
			return err
		})
		return v, connection.Wrap(c, op, err)
	}
	key, _ := q.Key() // it is valid
	v, err = connection.Load(ctx, c.Connection, cache.MakeKey(key, nil), c.policy, func(ctx context.Context, client *Client) (V, error) {
		return by(ctx, database.On(q, client.once))
	})
	return v, connection.Wrap(c, op, err)
}
