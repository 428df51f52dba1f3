package conformance

import (
	"encoding/json"

	"github.com/streamconn/streamconn/supabase/database"
)

func writeCases() []Case {
	return []Case{
		{Name: "rest/writes/statuses", Run: func(c *C) {
			k := emptyKinds(c)
			status := func(what string, q query, wanted int) {
				c.Helper()
				want(c, what, k.exec(q).Status, wanted)
			}
			upsert := func(n int) query { return k.table().Upsert(k.row(n, object{"t": "x"})).OnConflict("run", "n") }
			status("insert", k.table().Insert(k.row(0, nil)), 201)
			status("insert and show", k.table().Insert(k.row(1, nil)).Select("n"), 201)
			status("upsert of a new row", upsert(2).Select("n"), 201)
			status("upsert of an old row", upsert(2).Select("n"), 200)
			status("update", k.table().Update(object{"t": "y"}).Eq("run", k.run), 204)
			status("update and show", k.table().Update(object{"t": "y"}).Eq("run", k.run).Select("n"), 200)
			status("update of nothing", k.table().Update(object{}).Eq("run", k.run).Select(), 200)
			status("delete and show", k.table().Delete().Eq("run", k.run).Eq("n", 0).Select("n"), 200)
			status("delete", k.table().Delete().Eq("run", k.run), 204)
		}},
		{Name: "rest/writes/counts", Run: func(c *C) {
			k := emptyKinds(c)
			total := func(what string, q query, wanted int64) {
				c.Helper()
				want(c, what, k.exec(q.Count(database.Exact)).Total, wanted)
			}
			total("insert", k.table().Insert([]object{k.row(0, nil), k.row(1, nil), k.row(2, nil)}), 3)
			total("update", k.table().Update(object{"t": "x"}).Eq("run", k.run).Gte("n", 1), 2)
			total("update of none", k.table().Update(object{"t": "x"}).Eq("run", k.run).Eq("n", 9), 0)
			total("delete", k.table().Delete().Eq("run", k.run), 3)
		}},
		{Name: "rest/writes/an update is one to all that the filters leave", Run: func(c *C) {
			k := newKinds(c)
			hit := k.write(k.table().Update(object{"i": -7}).Eq("run", k.run).Or(database.Like("t", `%"%`), database.In("t", "(", ",")))
			want(c, "hit", len(hit), len(k.ns(k.all().Eq("i", -7))))
			want(c, "the others", len(k.ns(k.all().Neq("i", -7))), len(k.text)-len(hit))
		}},
		{Name: "rest/writes/many rows", Run: func(c *C) {
			k := emptyKinds(c)
			rows := make([]object, 1000)
			for n := range rows {
				rows[n] = k.row(n, object{"t": "row"})
			}
			k.insert(rows)
			n, err := database.Count(c.Context(), k.all())
			must(c, err)
			want(c, "rows", n, 1000)
		}},
		{Name: "rest/writes/JSON as it is", Run: func(c *C) {
			k := emptyKinds(c)
			k.exec(k.table().Insert(json.RawMessage(`[{"run":` + quoted(k.run) + `,"n":0,"num":12345678901234567890.123456789,"j":{"big":12345678901234567890}}]`)))
			got, err := database.One[struct {
				Num json.Number
				J   json.RawMessage
			}](c.Context(), k.all().Select("num,j"))
			must(c, err)
			want(c, "numeric", got.Num, "12345678901234567890.123456789")
			want(c, "in JSON", string(got.J), `{"big": 12345678901234567890}`)
		}},
		{Name: "rest/writes/NULL and nothing", Run: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{"t": "", "ts": []string{}, "j": object{}, "i": 0, "b": false, "raw": `\x`})})
			k.insert([]object{k.row(1, object{"t": nil, "ts": nil, "j": nil, "i": nil, "b": nil, "raw": nil})})
			for _, column := range []string{"t", "ts", "j", "i", "b", "raw"} {
				wantNs(k, column+" is null", k.all().Is(column, nil), only(1))
				wantNs(k, column+" is not", k.all().Not(database.Is(column, nil)), only(0))
			}
			wantNs(k, "empty text", k.all().Eq("t", ""), only(0))
			wantNs(k, "empty text in a list", k.all().In("t", ""), only(0))
			wantNs(k, "empty text in a tree", k.all().Or(database.Eq("t", ""), database.In("t", "", "x")), only(0))
			wantNs(k, "empty array", k.all().Eq("ts", []string{}), only(0))
			wantNs(k, "no bytes", k.all().Eq("raw", []byte{}), only(0))
		}},
	}
}

// quoted is a text as JSON has it.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}
