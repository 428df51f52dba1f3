package conformance

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/database"
)

// word is a text with a type of its own.
type word string

func valueCases() []Case {
	type value struct {
		column string
		insert any // as JSON
		filter []any
	}
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
	const uuid = "0b7d1f0c-6f0f-4d4f-9d29-5a3f1c7b2e11"
	values := []value{
		{"t", "a word", []any{"a word", word("a word"), new("a word"), sql.Null[string]{V: "a word", Valid: true}, sql.NullString{String: "a word", Valid: true}}},
		{"t", "127.0.0.1", []any{netip.MustParseAddr("127.0.0.1")}},
		{"i", math.MinInt32, []any{math.MinInt32, int64(math.MinInt32), "-2147483648", json.Number("-2147483648")}},
		{"i", 255, []any{uint8(255), 255.0, float32(255), big.NewInt(255), *big.NewInt(255)}},
		{"big", json.Number("9223372036854775807"), []any{int64(math.MaxInt64), uint64(math.MaxInt64), "9223372036854775807"}},
		{"num", json.Number("0.1"), []any{0.1, "0.1", "0.10", json.Number("1e-1")}},
		{"num", json.Number("123456789012345678901234567890.5"), []any{json.Number("123456789012345678901234567890.5"), "123456789012345678901234567890.50"}},
		{"num", "NaN", []any{math.NaN(), "NaN"}},
		{"f", 1e300, []any{1e300, "1e300"}},
		{"f", 0.1, []any{0.1}},
		{"f", "Infinity", []any{math.Inf(1), "Infinity"}},
		{"f", -0.000001234, []any{-0.000001234}},
		{"b", true, []any{true, "true", "t", new(true)}},
		{"at", at, []any{at, at.In(time.FixedZone("", 5*3600+1800)), &at, "2024-02-29 23:59:59.123456+00", sql.NullTime{Time: at, Valid: true}}},
		{"day", "2024-02-29", []any{"2024-02-29", at, database.DateOf(at), new(database.DateOf(at))}},
		{"day", database.Date{Year: 12024, Month: 2, Day: 29}, []any{"12024-02-29", database.Date{Year: 12024, Month: 2, Day: 29}}},
		{"wall", "2024-02-29 23:59:59.123456", []any{"2024-02-29T23:59:59.123456", database.Timestamp(at), new(database.Timestamp(at))}},
		{"wall", database.Timestamp(at.In(time.FixedZone("", 5*3600))), []any{"2024-03-01 04:59:59.123456"}},
		{"j", object{"a": []any{1, "x", nil, true}}, []any{object{"a": []any{1, "x", nil, true}}, json.RawMessage(`{"a":[1,"x",null,true]}`), struct {
			A []any `json:"a"`
		}{[]any{1, "x", nil, true}}, database.JSON(object{"a": []any{1, "x", nil, true}})}},
		{"j", []any{1, 2}, []any{database.JSON([]int{1, 2}), json.RawMessage("[1, 2]")}},
		{"j", "text", []any{database.JSON("text"), json.RawMessage(`"text"`)}},
		{"j", 7, []any{7, database.JSON(7)}},
		{"ts", []any{"a", nil, `"`, "NULL", ""}, []any{[]any{"a", nil, `"`, "NULL", ""}, []*string{new("a"), nil, new(`"`), new("NULL"), new("")}}},
		{"ts", []any{}, []any{[]string{}, []string(nil), [0]string{}}},
		{"ints", []any{1, nil, -3}, []any{[]any{1, nil, -3}, []*int{new(1), nil, new(-3)}, "{1,NULL,-3}"}},
		{"raw", `\x00ff5c22`, []any{[]byte{0, 255, '\\', '"'}, [4]byte{0, 255, '\\', '"'}, database.Bytea{0, 255, '\\', '"'}, `\x00FF5c22`}},
		{"u", uuid, []any{uuid, "0B7D1F0C-6F0F-4D4F-9D29-5A3F1C7B2E11", "{" + uuid + "}"}},
	}
	var cases []Case
	for i, v := range values {
		name := fmt.Sprintf("rest/values/%s %d", v.column, i)
		cases = append(cases, Case{Name: name, Run: func(c *C) {
			k := emptyKinds(c)
			k.insert([]object{k.row(0, object{v.column: nil}), k.row(1, object{v.column: v.insert})})
			for _, filter := range v.filter {
				what := fmt.Sprintf("%T %v", filter, filter)
				wantNs(k, what, k.all().Eq(v.column, filter), only(1))
				wantNs(k, what+" in a tree", k.all().Or(database.Eq(v.column, filter), database.Lt("n", 0)), only(1))
				wantNs(k, what+" distinct", k.all().IsDistinct(v.column, filter), only(0))
				wantNs(k, what+" not", k.all().Neq(v.column, filter), []int{})
				switch v.column {
				case "ts", "ints", "raw":
				case "j":
					wantNs(k, what+" contained", k.all().Contains(v.column, filter), only(1))
				default:
					wantNs(k, what+" in a list", k.all().In(v.column, filter, filter), only(1))
					wantNs(k, what+" not in a list", k.all().NotIn(v.column, filter), []int{})
				}
			}
		}})
	}
	cases = append(cases, Case{Name: "rest/values/results", Run: func(c *C) {
		type row struct {
			N    int                 `json:"n"`
			Day  *database.Date      `json:"day"`
			Wall *database.Timestamp `json:"wall"`
			Raw  database.Bytea      `json:"raw"`
		}
		k := emptyKinds(c)
		day, wall := database.DateOf(at), database.Timestamp(at)
		full := row{N: 0, Day: &day, Wall: &wall, Raw: database.Bytea{0, 0xff}}
		for _, r := range []row{full, {N: 1}, {N: 2, Raw: database.Bytea{}}} {
			k.insert([]object{k.row(r.N, object{"day": r.Day, "wall": r.Wall, "raw": r.Raw})})
		}
		rows, err := database.All[row](c.Context(), k.all().Select("n,day,wall,raw").Order("n"))
		must(c, err)
		if len(rows) != 3 || rows[0].Day == nil || *rows[0].Day != day || rows[0].Wall == nil || !rows[0].Wall.Time().Equal(at) || string(rows[0].Raw) != "\x00\xff" ||
			rows[1].Day != nil || rows[1].Wall != nil || rows[1].Raw != nil || rows[2].Raw == nil || len(rows[2].Raw) != 0 {
			c.Errorf("%v", rows)
		}
		for column, takes := range map[string]string{"day": "database.Date", "wall": "database.Timestamp"} {
			_, err := database.All[map[string]*time.Time](c.Context(), k.all().Select(column).Order("n"))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("column %q: ", column)) || !strings.HasSuffix(err.Error(), " is read into a "+takes) {
				c.Errorf("%s into a time.Time: %v", column, err)
			}
		}
	}})
	return append(cases, Case{Name: "rest/values/nil", Run: func(c *C) {
		k := emptyKinds(c)
		k.insert([]object{k.row(0, nil), k.row(1, object{"t": "x"})})
		for _, null := range []any{nil, (*string)(nil), sql.NullString{}, sql.Null[string]{}, json.RawMessage(nil)} {
			what := fmt.Sprintf("%T", null)
			wantNs(k, what, k.all().Eq("t", null), only(0))
			wantNs(k, "not "+what, k.all().Neq("t", null), only(1))
			wantNs(k, what+" in a tree", k.all().Or(database.Eq("t", null), database.Lt("n", 0)), only(0))
			want(c, what+" compares with nothing", k.all().Gt("t", null).Err() != nil, true)
			want(c, what+" is in no list", k.all().In("t", "x", null).Err() != nil, true)
		}
	}})
}
