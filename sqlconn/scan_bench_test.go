package sqlconn

import (
	"database/sql"
	"database/sql/driver"
	"strconv"
	"testing"
	"time"
)

type flatRow struct {
	ID      int64
	Name    string
	Price   float64
	Sold    bool
	Created time.Time
}

type nullableRow struct {
	ID      int64
	Name    *string
	Price   sql.Null[float64]
	Sold    *bool
	Created *time.Time
}

// manyRows has n rows of flatRow.
func manyRows(n int) resultSet {
	r := resultSet{columns: []string{"id", "name", "price", "sold", "created"}}
	for i := range n {
		r.rows = append(r.rows, []driver.Value{
			int64(i), "row " + strconv.Itoa(i), float64(i) / 3, i%2 == 0, time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC),
		})
	}
	return r
}

func flatByHand(rows *sql.Rows) ([]flatRow, error) {
	defer rows.Close()
	var all []flatRow
	for rows.Next() {
		var r flatRow
		if err := rows.Scan(&r.ID, &r.Name, &r.Price, &r.Sold, &r.Created); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func nullableByHand(rows *sql.Rows) ([]nullableRow, error) {
	defer rows.Close()
	var all []nullableRow
	for rows.Next() {
		var r nullableRow
		if err := rows.Scan(&r.ID, &r.Name, &r.Price, &r.Sold, &r.Created); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// The budget is 1.10 times what the code takes that one would write by hand.
func TestScanAllocatesLittleMoreThanByHand(t *testing.T) {
	r := manyRows(1000)
	compare := func(name string, scan, byHand func(*sql.Rows) error) {
		t.Helper()
		allocations := func(read func(*sql.Rows) error) float64 {
			return testing.AllocsPerRun(5, func() {
				if err := read(queryResult(t, r)); err != nil {
					t.Fatal(err)
				}
			})
		}
		ours, theirs := allocations(scan), allocations(byHand)
		t.Logf("%s: %.0f allocations, by hand %.0f: %.2f", name, ours, theirs, ours/theirs)
		if ours > 1.10*theirs {
			t.Errorf("%s: %.0f allocations, by hand %.0f", name, ours, theirs)
		}
	}
	compare("flat",
		func(rows *sql.Rows) error { _, err := scanAll[flatRow](rows); return err },
		func(rows *sql.Rows) error { _, err := flatByHand(rows); return err })
	compare("nullable",
		func(rows *sql.Rows) error { _, err := scanAll[nullableRow](rows); return err },
		func(rows *sql.Rows) error { _, err := nullableByHand(rows); return err })
}

// BenchmarkScan reads 1,000 rows each time. Its last part prints how much time
// scanAll takes for each unit of the code by hand.
func BenchmarkScan(b *testing.B) {
	r := manyRows(1000)
	db := sql.OpenDB(r)
	defer db.Close()
	run := func(read func(*sql.Rows) error) func(b *testing.B) {
		return func(b *testing.B) {
			b.Helper()
			b.ReportAllocs()
			for b.Loop() {
				rows, err := db.QueryContext(b.Context(), "")
				if err != nil {
					b.Fatal(err)
				}
				if err := read(rows); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	flat := func(rows *sql.Rows) error { _, err := scanAll[flatRow](rows); return err }
	flatHand := func(rows *sql.Rows) error { _, err := flatByHand(rows); return err }
	nullable := func(rows *sql.Rows) error { _, err := scanAll[nullableRow](rows); return err }
	nullableHand := func(rows *sql.Rows) error { _, err := nullableByHand(rows); return err }
	b.Run("flat", run(flat))
	b.Run("flat by hand", run(flatHand))
	b.Run("nullable", run(nullable))
	b.Run("nullable by hand", run(nullableHand))
	b.Run("pointers to structs", run(func(rows *sql.Rows) error { _, err := scanAll[*flatRow](rows); return err }))
	b.Run("maps", run(func(rows *sql.Rows) error { _, err := scanAll[map[string]any](rows); return err }))
	b.Run("frame", run(func(rows *sql.Rows) error { _, err := readFrame(rows); return err }))
	b.Run("ratio", func(b *testing.B) { // taking turns, so that noise meets both
		var ours, theirs, oursNull, theirsNull time.Duration
		timed := func(total *time.Duration, read func(*sql.Rows) error) {
			rows, err := db.QueryContext(b.Context(), "")
			if err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			if err := read(rows); err != nil {
				b.Fatal(err)
			}
			*total += time.Since(start)
		}
		for b.Loop() {
			timed(&ours, flat)
			timed(&theirs, flatHand)
			timed(&oursNull, nullable)
			timed(&theirsNull, nullableHand)
		}
		b.ReportMetric(float64(ours)/float64(theirs), "flat/hand")
		b.ReportMetric(float64(oursNull)/float64(theirsNull), "nullable/hand")
	})
}
