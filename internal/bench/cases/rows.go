package cases

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Owner is a row without pointers, as most are.
type Owner struct {
	ID     int64   `db:"id" json:"id"`
	Person string  `db:"person" json:"person"`
	Pet    string  `db:"pet" json:"pet"`
	Age    int64   `db:"age" json:"age"`
	Weight float64 `db:"weight" json:"weight"`
	Tame   bool    `db:"tame" json:"tame"`
}

// Noted is a row with what a copy has to follow.
type Noted struct {
	ID     int64   `db:"id" json:"id"`
	Person string  `db:"person" json:"person"`
	Note   *string `db:"note" json:"note"`
	Tags   []byte  `db:"tags" json:"tags"`
}

var (
	ownerColumns = []string{"id", "person", "pet", "age", "weight", "tame"}
	notedColumns = []string{"id", "person", "note", "tags"}
)

func owner(i int) Owner {
	return Owner{int64(i + 1), fmt.Sprintf("person %d", i%1000), "fish", int64(i % 20), float64(i%100) / 4, i%2 == 0}
}

func owners(n int) []Owner {
	rows := make([]Owner, n)
	for i := range rows {
		rows[i] = owner(i)
	}
	return rows
}

func noted(i int) Noted {
	row := Noted{ID: int64(i + 1), Person: fmt.Sprintf("person %d", i%1000), Tags: []byte("small wet")}
	if i%2 == 1 {
		row.Note = new("likes water")
	}
	return row
}

// cloneNoted is the copy that one writes by hand.
func cloneNoted(rows []Noted) []Noted {
	own := slices.Clone(rows)
	for i := range own {
		if p := own[i].Note; p != nil {
			own[i].Note = new(*p)
		}
		own[i].Tags = slices.Clone(own[i].Tags)
	}
	return own
}

// jsonOwners is what PostgREST answers.
func jsonOwners(n int) []byte {
	text, err := json.Marshal(owners(n))
	if err != nil {
		panic(err) // of a type that has a form
	}
	return text
}

// selectOwners and selectNoted are understood by SQLite, PostgreSQL and the driver below.
func selectOwners(n int) string {
	return fmt.Sprintf("select %s from owners order by id limit %d", strings.Join(ownerColumns, ", "), n)
}

func selectNoted(n int) string {
	return fmt.Sprintf("select %s from noted order by id limit %d", strings.Join(notedColumns, ", "), n)
}

// ready is a driver that has its rows ready: the hardest to be measured beside, since it costs
// almost nothing itself. It knows the statements of selectOwners and selectNoted.
type ready struct{ owners, noted [][]driver.Value }

func newReady(n int) *ready {
	r := &ready{}
	for i := range n {
		o, d := owner(i), noted(i)
		note := any(nil)
		if d.Note != nil {
			note = *d.Note
		}
		r.owners = append(r.owners, []driver.Value{o.ID, o.Person, o.Pet, o.Age, o.Weight, o.Tame})
		r.noted = append(r.noted, []driver.Value{d.ID, d.Person, note, d.Tags})
	}
	return r
}

func (r *ready) open() *sql.DB { return sql.OpenDB(r) }

func (r *ready) Connect(context.Context) (driver.Conn, error) { return readyConn{r}, nil }
func (r *ready) Driver() driver.Driver                        { return r }
func (r *ready) Open(string) (driver.Conn, error)             { return readyConn{r}, nil }

type readyConn struct{ *ready }

func (readyConn) Close() error                        { return nil }
func (readyConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }
func (readyConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }

func (c readyConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	var n int
	if _, err := fmt.Sscan(query[strings.LastIndexByte(query, ' ')+1:], &n); err != nil {
		return nil, err
	}
	if strings.Contains(query, "noted") {
		return &readyRows{notedColumns, c.noted[:n]}, nil
	}
	return &readyRows{ownerColumns, c.owners[:n]}, nil
}

type readyRows struct {
	columns []string
	rest    [][]driver.Value
}

func (r *readyRows) Columns() []string { return r.columns }
func (r *readyRows) Close() error      { return nil }

func (r *readyRows) Next(into []driver.Value) error {
	if len(r.rest) == 0 {
		return io.EOF
	}
	copy(into, r.rest[0])
	r.rest = r.rest[1:]
	return nil
}
