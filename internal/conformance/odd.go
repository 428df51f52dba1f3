package conformance

import (
	"context"
	"slices"

	"github.com/streamconn/streamconn/supabase/database"
)

// odd are two rows of the table odd, whose columns have names that PostgREST reads as something else.
type odd struct {
	c   *C
	row map[string]string // the columns of the first row, id not among them
	id  [2]int
	run string
}

// oddNames are the columns of the table odd, but for the unique 100%.
func oddNames() []string {
	return []string{
		"order", "select", "and", "or", "not", "limit", "offset", "columns", "on_conflict",
		"a.b", "a,b", "a:b", "a->b", "a b", "f(x)", `a"b`, `a\b`, "Größe",
	}
}

// newOdd makes rows, and takes them away when the case is over. In each column the second's text is
// greater than the first's.
func newOdd(c *C) *odd {
	c.Helper()
	o := &odd{c: c, run: c.Name("odd"), row: map[string]string{}}
	rows := []object{{"100%": o.run + " 1"}, {"100%": o.run + " 2"}}
	for _, name := range oddNames() {
		o.row[name] = "1 " + name
		rows[0][name], rows[1][name] = "1 "+name, "2 "+name
	}
	o.row["100%"] = o.run + " 1"
	o.later()
	made, err := database.All[struct{ ID int }](c.Context(), c.Anon().Table("odd").Insert(rows).Select("id"))
	must(c, err)
	if len(made) != 2 {
		c.Fatalf("%d rows were made, want 2", len(made))
	}
	o.id = [2]int{made[0].ID, made[1].ID}
	return o
}

// later takes the rows of the run away.
func (o *odd) later() {
	o.c.Later("rows of odd", func(ctx context.Context) error {
		_, err := database.Execute(ctx, o.c.Service().Table("odd").Delete().Like(database.Ident("100%"), o.run+"*"))
		return err
	})
}

// all is a read of the first row, and both of the two.
func (o *odd) all() query  { return o.c.Anon().Table("odd").Eq("id", o.id[0]) }
func (o *odd) both() query { return o.c.Anon().Table("odd").In("id", o.id[0], o.id[1]) }

func (o *odd) ids() []int { return slices.Clone(o.id[:]) }
