package conformance

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/supabase/database"
)

// page gives what a query has of its rows, and of the total.
type page struct {
	ns            []int
	total, offset int64
}

func (k *kinds) page(q query) page {
	k.c.Helper()
	p, err := database.Paged[struct{ N int }](k.c.Context(), q.Select("n"))
	must(k.c, err)
	got := page{ns: []int{}, total: p.Total, offset: p.Offset}
	for _, r := range p.Rows {
		got.ns = append(got.ns, r.N)
	}
	return got
}

func wantPage(k *kinds, what string, q query, wanted page) {
	k.c.Helper()
	want(k.c, what, k.page(q), wanted)
}

func readMethods() []method {
	books := func(c *C) query { return c.Anon().Table("books").Lt("id", 100) }
	analyzed := database.ExplainOptions{Analyze: true, JSON: true}
	return []method{
		{name: "Schema", needs: []Feature{OtherSchemas}, plain: func(c *C) {
			q := c.Anon().Table("cards").Schema("library").Lt("id", 100).Order("id")
			wantIDs(c, "table", q, 1, 2)
			got, err := database.One[string](c.Context(), c.Anon().RPC("greet", object{"name": "Ada"}).Schema("library"))
			must(c, err)
			want(c, "function", got, "library: Ada")
			wantIDs(c, "public by name", books(c).Schema("public").Order("id"), 1, 2, 3, 4)
		}, hostile: func(c *C) {
			library := database.InSchema(c.Anon(), "library")
			for _, text := range hostile()[:60] {
				holder := c.Name("holder") + text
				rows, err := database.All[struct{ Holder string }](c.Context(), library.Table("cards").Insert(object{"holder": holder}).Select("holder"))
				must(c, err)
				want(c, "insert "+text, rows, []struct{ Holder string }{{holder}})
				gone, err := database.All[struct{ Holder string }](c.Context(), c.Anon().Table("cards").Schema("library").Delete().Eq("holder", holder).Select("holder"))
				must(c, err)
				want(c, "delete "+text, gone, rows)
				got, err := database.One[string](c.Context(), library.RPC("greet", object{"name": text}))
				must(c, err)
				want(c, "greet "+text, got, "library: "+text)
			}
			for _, name := range []string{"", " library", "lib\nrary", "../library", "library/x"} {
				want(c, fmt.Sprintf("the schema %q is refused", name), c.Anon().Table("cards").Schema(name).Err() != nil, true)
			}
			for _, name := range []string{"library,public", `"library"`, "library; drop", "nosuch", "pg_catalog", "auth"} {
				_, err := database.All[any](c.Context(), c.Anon().Table("cards").Schema(name))
				wantError(c, err, nil, "PGRST106")
			}
		}},
		{name: "Select", plain: func(c *C) {
			got, err := database.All[object](c.Context(), books(c).Select("id, name:title , price::text", "year:meta->pub->>year").Eq("id", 1))
			must(c, err)
			want(c, "columns", got, []object{{"id": 1.0, "name": "The Dispossessed", "price": "9.99", "year": "1974"}})
			got, err = database.All[object](c.Context(), books(c).Select("title").Select("id").Eq("id", 1))
			must(c, err)
			want(c, "the last one counts", got, []object{{"id": 1.0}})
		}, hostile: func(c *C) {
			o := newOdd(c)
			for name, text := range o.row {
				got, err := database.One[object](c.Context(), o.all().Select(database.Ident(name)))
				must(c, err)
				want(c, "column "+name, got, object{name: text})
				got, err = database.One[object](c.Context(), o.all().Select("id:id", "x:"+database.Ident(name)+"::text"))
				must(c, err)
				want(c, "alias of "+name, got["x"], any(text))
			}
			for _, text := range []string{"id)", "(id", `"id`, "books(id", "id\x00"} {
				want(c, "Select of "+text+" is refused", o.all().Select(text).Err() != nil, true)
			}
		}},
		{name: "Count", plain: func(c *C) {
			p, err := database.Paged[struct{ ID int }](c.Context(), books(c).Select("id").Order("id").Limit(2).Count(database.Exact))
			must(c, err)
			want(c, "rows", p.Rows, []struct{ ID int }{{1}, {2}})
			want(c, "exact", p.Total, 4)
			for _, how := range []database.Counting{database.Planned, database.Estimated} {
				p, err := database.Paged[struct{ ID int }](c.Context(), books(c).Select("id").Order("id").Limit(2).Count(how))
				must(c, err)
				want(c, string(how)+": rows", p.Rows, []struct{ ID int }{{1}, {2}})
				want(c, string(how)+" is there", p.Total >= 0, true)
			}
			p, err = database.Paged[struct{ ID int }](c.Context(), books(c).Select("id"))
			must(c, err)
			want(c, "without Count", p.Total, -1)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantPage(k, text, k.all().Eq("t", text).Count(database.Exact), page{[]int{n}, 1, 0})
				wantPage(k, "not "+text, k.all().Neq("t", text).Order("n").Limit(1).Count(database.Exact), page{k.without(n)[:1], int64(len(k.text) - 1), 0})
			})
			want(c, "another count is refused", k.all().Count("exact,tx=rollback").Err() != nil, true)
		}},
		{name: "Order", plain: func(c *C) {
			wantIDs(c, "up", books(c).Order("title"), 3, 4, 1, 2)
			wantIDs(c, "down", books(c).Order("title", database.Desc), 2, 1, 4, 3)
			wantIDs(c, "NULL last", books(c).Order("price"), 3, 2, 1, 4)
			wantIDs(c, "down, NULL first", books(c).Order("price", database.Desc), 4, 1, 2, 3)
			wantIDs(c, "NULL first", books(c).Order("price", database.Asc, database.NullsFirst), 4, 3, 2, 1)
			wantIDs(c, "down, NULL last", books(c).Order("price", database.Desc, database.NullsLast), 1, 2, 3, 4)
			wantIDs(c, "two columns", books(c).Order("author_id", database.Desc).Order("id"), 3, 4, 1, 2)
			wantIDs(c, "path", books(c).Is("meta->pages", "not_null").Order("meta->pages", database.Desc), 1, 2, 3)
			wantIDs(c, "of another table", books(c).Select("id", "authors(name)").Order("authors(name)", database.Desc).Order("id"), 3, 4, 1, 2)
		}, hostile: func(c *C) {
			o := newOdd(c)
			for name := range o.row {
				up, down := ids(c, o.both().Order(database.Ident(name))), ids(c, o.both().Order(database.Ident(name), database.Desc, database.NullsLast))
				slices.Reverse(down)
				want(c, "by "+name, up, o.ids())
				want(c, "down by "+name, down, o.ids())
			}
			for _, name := range []string{"", "id,n", "id.desc", "id desc;", "id)", "a(b", "id&limit=1", "id->"} {
				q := o.all().Order(name)
				if q.Err() == nil { // a space is in order in a name, so the server looks for the column
					_, err := database.All[any](c.Context(), q)
					wantError(c, err, nil, "42703", "PGRST100")
				}
			}
		}},
		{name: "Limit", plain: func(c *C) {
			wantIDs(c, "two", books(c).Order("id").Limit(2), 1, 2)
			wantIDs(c, "none", books(c).Order("id").Limit(0))
			wantIDs(c, "more than there are", books(c).Order("id").Limit(1000), 1, 2, 3, 4)
			wantIDs(c, "the last one counts", books(c).Order("id").Limit(1).Limit(3), 1, 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantPage(k, text, k.all().Or(database.Eq("t", text), database.Gt("n", n)).Order("n").Limit(1), page{only(n), -1, 0})
			})
			want(c, "below zero is refused", k.all().Limit(-1).Err() != nil, true)
		}},
		{name: "Offset", plain: func(c *C) {
			wantIDs(c, "alone", books(c).Order("id").Offset(3), 4)
			wantIDs(c, "with Limit", books(c).Order("id").Offset(1).Limit(2), 2, 3)
			wantIDs(c, "past the end", books(c).Order("id").Offset(100))
		}, hostile: func(c *C) {
			k := newKinds(c)
			last := len(k.text) - 1
			k.each(func(n int, text string) {
				wanted := page{ns: only(last), total: -1, offset: int64(last - n)}
				wantPage(k, text, k.all().Or(database.Eq("t", text), database.Gt("n", n)).Order("n").Offset(last-n), wanted)
			})
		}},
		{name: "Range", plain: func(c *C) {
			wantIDs(c, "from one", books(c).Order("id").Range(1, 2), 2, 3)
			wantIDs(c, "one row", books(c).Order("id").Range(0, 0), 1)
			wantIDs(c, "past the end", books(c).Order("id").Range(3, 10), 4)
			p, err := database.Paged[struct{ ID int }](c.Context(), books(c).Select("id").Order("id").Range(2, 9).Count(database.Exact))
			must(c, err)
			want(c, "page", p, database.Page[struct{ ID int }]{Rows: []struct{ ID int }{{3}, {4}}, Total: 4, Offset: 2})
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantPage(k, text, k.all().Eq("t", text).Range(0, 1<<31).Count(database.Exact), page{only(n), 1, 0})
				wantPage(k, "past "+text, k.all().Eq("t", text).Range(1, 9).Count(database.Exact), page{[]int{}, 1, -1})
			})
			for _, r := range [][2]int{{-1, 0}, {1, 0}, {0, -1}} {
				want(c, fmt.Sprintf("%v is refused", r), k.all().Range(r[0], r[1]).Err() != nil, true)
			}
		}},
		{name: "Single", plain: func(c *C) {
			got, err := database.All[object](c.Context(), books(c).Select("id,title").Eq("id", 3).Single())
			must(c, err)
			want(c, "row", got, []object{{"id": 3.0, "title": "Solaris"}})
			_, err = database.All[object](c.Context(), books(c).Eq("id", 99).Single())
			wantError(c, err, database.ErrNotFound, "PGRST116")
			_, err = database.All[object](c.Context(), books(c).Single())
			wantError(c, err, database.ErrMultipleRows, "PGRST116")
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				got, err := database.One[object](c.Context(), k.all().Eq("t", text).Select("n,t").Single())
				must(c, err)
				want(c, text, got, object{"n": float64(n), "t": text})
			})
		}},
		{name: "MaybeSingle", plain: func(c *C) {
			got, err := database.One[*struct{ ID int }](c.Context(), books(c).Select("id").Eq("id", 3).MaybeSingle())
			must(c, err)
			want(c, "row", got, &struct{ ID int }{3})
			got, err = database.One[*struct{ ID int }](c.Context(), books(c).Select("id").Eq("id", 99).MaybeSingle())
			must(c, err)
			want(c, "no row", got, nil)
			_, err = database.One[*struct{ ID int }](c.Context(), books(c).Select("id").MaybeSingle())
			wantError(c, err, database.ErrMultipleRows, "PGRST116")
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				got, err := database.One[*struct{ N int }](c.Context(), k.all().Eq("t", text).Select("n").MaybeSingle())
				must(c, err)
				want(c, text, got, &struct{ N int }{n})
				got, err = database.One[*struct{ N int }](c.Context(), k.all().Eq("t", text+"?").Eq("n", n).MaybeSingle())
				must(c, err)
				want(c, "no "+text, got, nil)
			})
		}},
		{name: "CSV", plain: func(c *C) {
			got, err := database.One[string](c.Context(), books(c).Select("id,title,tags,price").Order("id").CSV())
			must(c, err)
			want(c, "text", got, "id,title,tags,price\n1,\"The Dispossessed\",\"{sf,utopia}\",9.99\n2,\"The Left Hand of Darkness\",{sf},8.50\n"+
				"3,Solaris,\"{sf,ocean}\",7.25\n4,\"The Cyberiad\",\"{sf,humour}\",")
		}, hostile: func(c *C) {
			k := newKinds(c)
			got, err := database.One[string](c.Context(), k.all().Select("n,t").Order("n").CSV())
			must(c, err)
			records, err := csv.NewReader(strings.NewReader(got)).ReadAll()
			must(c, err)
			wanted := [][]string{{"n", "t"}}
			k.each(func(n int, text string) {
				text = strings.ReplaceAll(text, "\r\n", "\n") // which csv.Reader does, also within quotes
				text = strings.ReplaceAll(text, `\`, `\\`)    // which PostgREST does
				wanted = append(wanted, []string{fmt.Sprint(n), text})
			})
			want(c, "records", records, wanted)
		}},
		{name: "GeoJSON", needs: []Feature{GeoJSON}, plain: func(c *C) {
			wantGeoJSON(c, books(c).Select("id").GeoJSON(), "books?select=id&id=lt.100")
		}, hostile: func(c *C) {
			wantGeoJSON(c, c.Anon().Table("books").Select("id").Eq("title", `",(&=`).GeoJSON(), "books?select=id&title=eq.%22,(%26%3D")
		}},
		{name: "StripNulls", plain: func(c *C) {
			got, err := database.All[object](c.Context(), books(c).Select("id,price").Gte("id", 3).Order("id").StripNulls())
			must(c, err)
			want(c, "rows", got, []object{{"id": 3.0, "price": 7.25}, {"id": 4.0}})
			one, err := database.One[object](c.Context(), books(c).Select("id,price").Eq("id", 4).StripNulls())
			must(c, err)
			want(c, "row", one, object{"id": 4.0})
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				got, err := database.All[object](c.Context(), k.all().Eq("t", text).Select("t,u,x:j->nosuch").StripNulls())
				must(c, err)
				want(c, text, got, []object{{"t": text}})
			})
		}},
		{name: "Explain", needs: []Feature{Plans}, plain: func(c *C) {
			got, err := database.One[string](c.Context(), books(c).Explain(database.ExplainOptions{Analyze: true, Verbose: true, Settings: true, Buffers: true, WAL: true}))
			must(c, err)
			for _, part := range []string{"cost=", "public.books", "actual", "Output:", "Planning"} {
				want(c, "the plan has "+part, strings.Contains(got, part), true)
			}
			got, err = database.One[string](c.Context(), books(c).Explain(database.ExplainOptions{}))
			must(c, err)
			want(c, "a plan that was not carried out has costs, and nothing actual", strings.Contains(got, "cost=") && !strings.Contains(got, "actual"), true)
			want(c, "rows of the plan", scanned(c, "books", books(c).Eq("id", 3).Explain(analyzed)), 1)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(_ int, text string) {
				want(c, text, scanned(c, "kinds", k.all().Eq("t", text).Explain(analyzed)), 1)
			})
		}},
		{name: "Get", plain: func(c *C) {
			sum, err := database.One[int](c.Context(), c.Anon().RPC("add_them", object{"a": 1, "b": 2}).Get())
			must(c, err)
			want(c, "value", sum, 3)
			wantIDs(c, "rows", c.Anon().RPC("books_by", object{"author_name": "Lem"}).Select("id").Get().Gt("id", 3), 4)
			wantIDs(c, "a table", books(c).Get().Eq("id", 2), 2)
		}, hostile: func(c *C) {
			for _, text := range hostile() {
				q := c.Anon().RPC("echo", object{"value": text}).Get()
				if slices.Contains([]string{"not.null", "is.null", "eq.1", "not.eq.1", "in.(1,2)", "not.and"}, text) {
					want(c, text+" would be a filter, and is refused", q.Err() != nil, true)
					continue
				}
				got, err := database.One[string](c.Context(), q)
				must(c, err)
				want(c, text, got, text)
				list, err := database.All[string](c.Context(), c.Anon().RPC("echo_all", object{"items": []string{text, "x"}}).Get())
				must(c, err)
				want(c, "a list with "+text, list, []string{text, "x"})
			}
		}},
		{name: "Head", plain: func(c *C) {
			r, err := database.Execute(c.Context(), books(c).Head().Count(database.Exact))
			must(c, err)
			want(c, "total", r.Total, 4)
			want(c, "body", len(r.Body), 0)
			n, err := database.Count(c.Context(), c.Anon().RPC("books_by", object{"author_name": "Lem"}).Head())
			must(c, err)
			want(c, "rows of a function", n, 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				r, err := database.Execute(c.Context(), k.all().Neq("t", text).Head().Count(database.Exact))
				must(c, err)
				want(c, "not "+text, r.Total, int64(len(k.text)-1))
				count, err := database.Count(c.Context(), c.Anon().RPC("echo_all", object{"items": []string{text, text, "x"}}).Head())
				must(c, err)
				want(c, "a list of three with "+text, count, 3)
			})
		}},
	}
}

// wantGeoJSON looks at the request, since what it gives needs PostGIS: a server without it refuses, and
// one with it misses a column of geometry.
func wantGeoJSON(c *C, q query, address string) {
	c.Helper()
	r, err := q.Request()
	must(c, err)
	want(c, "request", r.Path+"?"+r.Query, address)
	want(c, "Accept", r.Header.Get("Accept"), "application/geo+json")
	_, err = database.One[object](c.Context(), q)
	wantError(c, err, nil, "PGRST107", "22023", "42883")
}

// scanned is the number of rows of the table that a query finds, by its plan in JSON.
func scanned(c *C, table string, q query) int {
	c.Helper()
	plan, err := database.One[[]map[string]json.RawMessage](c.Context(), q)
	must(c, err)
	if len(plan) != 1 {
		c.Fatalf("%d plans", len(plan))
	}
	type node struct {
		Relation string  `json:"Relation Name"`
		Rows     float64 `json:"Actual Rows"`
		Plans    []json.RawMessage
	}
	found := -1
	var visit func(json.RawMessage)
	visit = func(text json.RawMessage) {
		var n node
		must(c, json.Unmarshal(text, &n))
		if n.Relation == table {
			found = max(found, int(n.Rows))
		}
		for _, inner := range n.Plans {
			visit(inner)
		}
	}
	visit(plan[0]["Plan"])
	return found
}
