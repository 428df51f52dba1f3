package cases

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jmoiron/sqlx"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/utils/tests"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/sqlconn"
)

const (
	byHand  = "`database/sql` by hand"
	missed  = "**ours**, uncached"
	stored  = "**ours**, cached"
	sqlxes  = "sqlx, `Select`"
	scanies = "scany, `Select`"
	gorms   = "GORM, `Raw` and `Scan`"
	pgxes   = "pgx, `CollectRows` by name"
	pgxHand = "pgx by hand"
	deepBy  = "by hand, with pointers"

	deepMissed = "**ours**, with pointers, uncached"
	deepStored = "**ours**, with pointers, cached"
)

// fillSQL makes the tables of owners and noted rows.
func fillSQL(tb testing.TB, conn *sqlconn.Conn, n int) {
	tb.Helper()
	ctx := context.Background()
	dialect, err := conn.Dialect(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	binary := "blob"
	if dialect == "postgresql" {
		binary = "bytea"
	}
	err = conn.Session(ctx, func(tx *sqlconn.Tx) error {
		for _, text := range []string{
			`drop table if exists owners`, `drop table if exists noted`,
			`create table owners (id bigint primary key, person text, pet text, age bigint, weight double precision, tame boolean)`,
			`create table noted (id bigint primary key, person text, note text, tags ` + binary + `)`,
		} {
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		for i := range n {
			o, d := owner(i), noted(i)
			if _, err := tx.Exec(ctx, `insert into owners values (:id, :person, :pet, :age, :weight, :tame)`,
				sqlconn.Params{"id": o.ID, "person": o.Person, "pet": o.Pet, "age": o.Age, "weight": o.Weight, "tame": o.Tame}); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `insert into noted values (:id, :person, :note, :tags)`,
				sqlconn.Params{"id": d.ID, "person": d.Person, "note": d.Note, "tags": d.Tags}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func ownersByHand(ctx context.Context, db *sql.DB, text string) (_ []Owner, err error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Owner
	for rows.Next() {
		var o Owner
		if err := rows.Scan(&o.ID, &o.Person, &o.Pet, &o.Age, &o.Weight, &o.Tame); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

func notedByHand(ctx context.Context, db *sql.DB, text string) (_ []Noted, err error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Noted
	for rows.Next() {
		var d Noted
		if err := rows.Scan(&d.ID, &d.Person, &d.Note, &d.Tags); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// missSides are the ways to read n rows through database/sql.
func missSides(tb testing.TB, conn *sqlconn.Conn, n int) []measure.Side {
	tb.Helper()
	ctx := context.Background()
	db, err := conn.Raw(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	orm, err := gorm.Open(tests.DummyDialector{}, &gorm.Config{ConnPool: db, SkipDefaultTransaction: true, Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	x, uncached := sqlx.NewDb(db, "postgres"), conn.WithTTL(0)
	flat, deep := selectOwners(n), selectNoted(n)
	check := func(got int, err error) error {
		if err == nil && got != n {
			err = fmt.Errorf("%d rows, want %d", got, n)
		}
		return err
	}
	budget := measure.Budget{Times: 1.1, AllocTimes: 1.1}
	return []measure.Side{
		{Name: byHand, Do: func(int) error { all, err := ownersByHand(ctx, db, flat); return check(len(all), err) }},
		{Name: missed, Ours: true, Budget: budget, Do: func(int) error {
			all, err := sqlconn.Query[Owner](ctx, uncached, flat)
			return check(len(all), err)
		}},
		{Name: stored, Ours: true, Budget: budget, Do: func(int) error {
			connection.Clear(conn)
			all, err := sqlconn.Query[Owner](ctx, conn, flat)
			return check(len(all), err)
		}},
		{Name: sqlxes, Do: func(int) error {
			var all []Owner
			err := x.SelectContext(ctx, &all, flat)
			return check(len(all), err)
		}},
		{Name: scanies, Do: func(int) error {
			var all []Owner
			err := sqlscan.Select(ctx, db, &all, flat)
			return check(len(all), err)
		}},
		{Name: gorms, Do: func(int) error {
			var all []Owner
			err := orm.WithContext(ctx).Raw(flat).Scan(&all).Error
			return check(len(all), err)
		}},
		{Name: deepBy, Do: func(int) error { all, err := notedByHand(ctx, db, deep); return check(len(all), err) }},
		{Name: deepMissed, Ours: true, Against: deepBy, Budget: budget, Do: func(int) error {
			all, err := sqlconn.Query[Noted](ctx, uncached, deep)
			return check(len(all), err)
		}},
		{Name: deepStored, Ours: true, Against: deepBy, Budget: measure.Budget{Times: 1.25, AllocTimes: 2}, Do: func(int) error {
			connection.Clear(conn)
			all, err := sqlconn.Query[Noted](ctx, conn, deep)
			return check(len(all), err)
		}},
	}
}

// ofSizes makes the cases of a miss.
func ofSizes(t Table, sides func(tb testing.TB, n int) []measure.Side) Table {
	for _, n := range []int{1, 100, 1000, 10_000} {
		t.Cases = append(t.Cases, measure.Case{Name: rowsName(n), X: float64(n), CPU: t.ID != "postgres", Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			list := sides(tb, n)
			if n != 1000 { // the size that the budgets are about
				for i := range list {
					list[i].Budget = measure.Budget{}
				}
			}
			return list
		}})
	}
	return t
}

func missesReady() Table {
	return ofSizes(Table{
		ID: "miss", Title: "A miss, of a driver that has its rows ready",
		Text: "The driver costs almost nothing, so that what reads the rows is all that counts.",
	}, readySides)
}

func readySides(tb testing.TB, n int) []measure.Side {
	tb.Helper()
	db := newReady(n).open()
	tb.Cleanup(func() { _ = db.Close() })
	conn, err := connection.Open(context.Background(), "pets", func(context.Context, *connection.Params) (*sql.DB, error) { return db, nil },
		connection.In(world()), connection.WithCache(newCache(tb, 256<<20)), connection.WithDefaultTTL(ttl))
	if err != nil {
		tb.Fatal(err)
	}
	return missSides(tb, sqlconn.New(conn), n)
}

func missesSQLite() Table {
	return ofSizes(Table{
		ID: "sqlite", Title: "A miss, of SQLite",
		Text: "A database in a file, through modernc.org/sqlite.",
	}, func(tb testing.TB, n int) []measure.Side {
		tb.Helper()
		conn := open(tb, "sqlite:///"+filepath.Join(tb.TempDir(), "pets.db"), connection.WithCache(newCache(tb, 256<<20)), connection.WithDefaultTTL(ttl))
		fillSQL(tb, conn, n)
		return missSides(tb, conn, n)
	})
}

func missesPostgres(h Host) Table {
	return ofSizes(Table{
		ID: "postgres", Title: "A miss, of PostgreSQL",
		Text: "A real server on loopback; through `database/sql` and pgx's driver for it, and through pgx itself.",
	}, func(tb testing.TB, n int) []measure.Side {
		tb.Helper()
		ctx := context.Background()
		url := h.Postgres(tb)
		conn := open(tb, url, connection.WithCache(newCache(tb, 256<<20)), connection.WithDefaultTTL(ttl))
		fillSQL(tb, conn, n)
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(pool.Close)
		text := selectOwners(n)
		return append(missSides(tb, conn, n),
			measure.Side{Name: pgxes, Do: func(int) error {
				rows, err := pool.Query(ctx, text)
				if err != nil {
					return err
				}
				_, err = pgx.CollectRows(rows, pgx.RowToStructByName[Owner])
				return err
			}},
			measure.Side{Name: pgxHand, Do: func(int) error {
				rows, err := pool.Query(ctx, text)
				if err != nil {
					return err
				}
				_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Owner, err error) {
					return o, row.Scan(&o.ID, &o.Person, &o.Pet, &o.Age, &o.Weight, &o.Tame)
				})
				return err
			}})
	})
}
