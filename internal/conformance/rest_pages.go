package conformance

import (
	"fmt"

	"github.com/streamconn/streamconn/supabase/database"
)

func pageCases() []Case {
	type row struct{ N int }
	return []Case{
		{Name: "rest/pages/counts and ranges", Run: func(c *C) {
			for _, test := range []struct {
				what   string
				q      query
				status int
				span   string
			}{
				{"all", books(c), 200, "0-3/*"},
				{"all, counted", books(c).Count(database.Exact), 200, "0-3/4"},
				{"some", books(c).Limit(2), 200, "0-1/*"},
				{"some, counted", books(c).Limit(2).Count(database.Exact), 206, "0-1/4"},
				{"from the second on, counted", books(c).Range(1, 2).Count(database.Exact), 206, "1-2/4"},
				{"none", books(c).Eq("id", 99), 200, "*/*"},
				{"none, counted", books(c).Eq("id", 99).Count(database.Exact), 200, "*/0"},
				{"past the end", books(c).Offset(10), 200, "*/*"},
				{"no rows asked for, counted", books(c).Head().Count(database.Exact), 200, "0-3/4"},
			} {
				r, err := database.Execute(c.Context(), test.q)
				must(c, err)
				want(c, test.what, fmt.Sprint(r.Status, " ", r.Header.Get("Content-Range")), fmt.Sprint(test.status, " ", test.span))
			}
		}},
		{Name: "rest/pages/total past the end", Run: func(c *C) {
			p, err := database.Paged[row](c.Context(), books(c).Range(10, 19).Count(database.Exact))
			must(c, err)
			want(c, "page", p, database.Page[row]{Rows: []row{}, Total: 4, Offset: -1})
		}},
		{Name: "rest/pages/count alone", Run: func(c *C) {
			k := newKinds(c)
			n, err := database.Count(c.Context(), k.all())
			must(c, err)
			want(c, "all", n, int64(len(k.text)))
			n, err = database.Count(c.Context(), k.all().Eq("t", `a"b`))
			must(c, err)
			want(c, "one", n, 1)
			n, err = database.Count(c.Context(), k.all().Eq("t", "no such text"))
			must(c, err)
			want(c, "none", n, 0)
			n, err = database.Count(c.Context(), k.all().Count(database.Estimated))
			must(c, err)
			want(c, "estimated", n >= 0, true)
		}},
		{Name: "rest/pages/page by page", Run: func(c *C) {
			k := newKinds(c)
			for _, size := range []int{1, 7, 50, len(k.text), 1000} {
				if size == 1 {
					k.text = k.text[:20]
				} else {
					k.text = hostile()
				}
				for _, q := range []query{k.all().Lt("n", len(k.text)).Select("n").Order("n"), k.all().Lt("n", len(k.text)).Select("n").Order("n").Count(database.Exact)} {
					var got []int
					for page, err := range database.Pages[row](c.Context(), q, size) {
						must(c, err)
						want(c, "offset", page.Offset, int64(len(got)))
						want(c, "size", len(page.Rows), min(size, len(k.text)-len(got)))
						for _, r := range page.Rows {
							got = append(got, r.N)
						}
					}
					want(c, fmt.Sprint("pages of ", size), got, k.where(everything))
				}
			}
		}},
		{Name: "rest/pages/row by row", Run: func(c *C) {
			k := newKinds(c)
			var got []int
			for r, err := range database.Rows[row](c.Context(), k.all().Select("n").Order("n"), 30) {
				must(c, err)
				got = append(got, r.N)
				if len(got) == 70 {
					break
				}
			}
			want(c, "rows", got, k.where(func(n int, _ string) bool { return n < 70 }))
			got = nil
			for r, err := range database.EachRow(database.PagesBy(c.Context(), k.all().Select("n").Order("n"), 40, database.Paged[row])) {
				must(c, err)
				got = append(got, r.N)
			}
			want(c, "all of them", got, k.where(everything))
		}},
		{Name: "rest/pages/the header Range", Run: func(c *C) {
			a := c.raw("GET", "/books?select=id&order=id&id=lt.100", "", "Range", "1-2")
			want(c, "answer", fmt.Sprint(a.status, a.header.Get("Content-Range")), "2001-2/*")
		}},
	}
}
