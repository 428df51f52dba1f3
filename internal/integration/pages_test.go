//go:build linux

package integration_test

import (
	"slices"
	"testing"

	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/supabase/database"
)

// A server that returns no more than three rows at once (max-rows; 1,000 on a hosted project) leaves
// out the rest without a word; pages go on until there are no more.
func TestPagesReadPastWhatTheServerReturnsAtOnce(t *testing.T) {
	t.Parallel()
	p := servers.StartPostgREST(t, servers.PostgRESTOptions{
		SQL: []string{`create table public.numbers (n int primary key);
			insert into public.numbers select generate_series(1, 20);
			grant select on public.numbers to anon;`},
		Settings: map[string]string{"db-max-rows": "3"},
	})
	db, err := database.New(p.URL+"/rest/v1", database.WithKey(p.AnonKey))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	type row struct{ N int }
	all := db.Table("numbers").Order("n")
	for _, q := range []database.Query[*database.Client]{all, all.Count(database.Exact), all.Count(database.Planned)} {
		for _, size := range []int{1, 2, 3, 4, 20, 1000} {
			var got []int
			for r, err := range database.Rows[row](t.Context(), q, size) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.N)
			}
			if len(got) != 20 || !slices.IsSorted(got) || got[0] != 1 || got[19] != 20 {
				t.Errorf("pages of %d: %v", size, got)
			}
		}
	}
	rows, err := database.All[row](t.Context(), all)
	if err != nil || len(rows) != 3 {
		t.Errorf("%d rows at once, %v; want the server's three", len(rows), err)
	}
}
