//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/sqlconn"
)

// source is something with counters and a ledger, each with a writer for each of its keys.
type source struct {
	name     string
	counters [keys]counter
	ledgers  [keys]ledger
}

// writes has each key's writer write rows of the ledger, each under a number of its own; all but one
// in four move the key's counter as well, to v.
func (s *source) writes(w *work, row func(ctx context.Context, k, n int) error, both func(ctx context.Context, k, n int, v int64) error) {
	kind := w.kind(s.name+": writes", true)
	for k := range keys {
		ledger, counter := &s.ledgers[k], &s.counters[k]
		w.goes(kind, 20*time.Millisecond, func(ctx context.Context) (err error) {
			n, ok := ledger.next()
			switch {
			case !ok:
				return nil
			case n%4 == 0:
				err = row(ctx, k, n)
			default:
				err = counter.write(func(v int64) error { return both(ctx, k, n, v) })
			}
			if err == nil {
				ledger.acked.add(n)
			}
			return err
		})
	}
}

// reads has some goroutines read counters.
func (s *source) reads(w *work, how string, readers int, do func(ctx context.Context, k int) (int64, error)) {
	kind := w.kind(s.name+": counters, "+how, false)
	for range readers {
		w.goes(kind, 10*time.Millisecond, func(ctx context.Context) error {
			k := rand.IntN(keys)
			return s.counters[k].read(func() (int64, error) { return do(ctx, k) })
		})
	}
}

// useSQL reads and writes a database.
func useSQL(w *work, s *source, conn *sqlconn.Conn) {
	const enter = "insert into ledger (w, n) values (:w, :n)"
	s.writes(w, func(ctx context.Context, k, n int) error {
		_, err := conn.Exec(ctx, enter, sqlconn.Params{"w": k, "n": n})
		return err
	}, func(ctx context.Context, k, n int, v int64) error {
		var opts []sqlconn.SessionOption
		if n%2 == 0 {
			opts = append(opts, sqlconn.RetrySession())
		}
		return conn.Session(ctx, func(tx *sqlconn.Tx) error {
			// What was given up on may arrive later than the next.
			if _, err := tx.Exec(ctx, "update counters set v = :v where k = :k and v < :v", sqlconn.Params{"k": k, "v": v}); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, enter, sqlconn.Params{"w": k, "n": n})
			return err
		}, opts...)
	})
	counter := func(conn *sqlconn.Conn) func(ctx context.Context, k int) (int64, error) {
		return func(ctx context.Context, k int) (int64, error) {
			return sqlconn.QueryOne[int64](ctx, conn, "select v from counters where k = :k", sqlconn.Params{"k": k})
		}
	}
	s.reads(w, "cached for ever", 2, counter(conn.WithTTL(cache.Forever)))
	s.reads(w, "cached, and stale ones at need", 1, counter(conn.WithTTL(50*time.Millisecond).WithStale(10*time.Second)))
	s.reads(w, "not cached", 1, counter(conn.WithTTL(0)))

	const all = "select id, name, sum from pets order by id"
	for _, how := range []struct {
		name string
		conn *sqlconn.Conn
	}{{"cached", conn.WithTTL(time.Second)}, {"shared", conn.WithTTL(time.Second).WithShared()}, {"not cached", conn.WithTTL(0)}} {
		w.goes(w.kind(s.name+": rows, "+how.name, false), 15*time.Millisecond, func(ctx context.Context) error {
			rows, err := sqlconn.Query[pet](ctx, how.conn, all)
			if err != nil {
				return err
			}
			if err := wholePets(rows); err != nil {
				return wrong("%v", err)
			}
			return nil
		})
	}
	w.goes(w.kind(s.name+": a frame of rows", false), 20*time.Millisecond, func(ctx context.Context) error {
		from := rand.IntN(pets)
		frame, err := conn.WithTTL(time.Second).Query(ctx, "select id, name from pets where id >= :from order by id", sqlconn.Params{"from": from})
		if err == nil && frame.Len() != pets-from {
			return wrong("%d pets from %d on", frame.Len(), from)
		}
		return err
	})
	// A stream that has begun is not taken up again.
	w.goes(w.kind(s.name+": rows, streamed", true), 20*time.Millisecond, func(ctx context.Context) error {
		rows := make([]pet, 0, pets)
		for p, err := range sqlconn.Rows[pet](ctx, conn, all) {
			if err != nil {
				return err
			}
			rows = append(rows, p)
		}
		if err := wholePets(rows); err != nil {
			return wrong("%v", err)
		}
		return nil
	})
	w.goes(w.kind(s.name+": rows, without time for them", true), 20*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, rand.N(100*time.Millisecond))
		defer cancel()
		rows, err := sqlconn.Query[pet](ctx, conn.WithTTL(rand.N(2*time.Millisecond)), all)
		if err != nil {
			return err
		}
		if err := wholePets(rows); err != nil {
			return wrong("%v", err)
		}
		return nil
	})
}
