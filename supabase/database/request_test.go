package database_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/database"
)

type q = database.Query[string]

func table(name string) q { return database.Table("runner", name) }

type row struct {
	ID   int    `json:"id"`
	Name string `json:"name,omitempty"`
}

// want is a request in short: "METHOD path?query", decoded, and its headers and body.
type want struct {
	line, body string
	header     map[string]string
}

func short(t *testing.T, query q) want {
	t.Helper()
	r, err := query.Request()
	if err != nil {
		t.Fatal(err)
	}
	w := want{line: r.Method + " " + r.Path, body: string(r.Body), header: map[string]string{}}
	if r.Query != "" {
		decoded, err := url.QueryUnescape(r.Query)
		if err != nil {
			t.Fatal(err)
		}
		w.line += "?" + decoded
	}
	for name, values := range r.Header {
		if len(values) != 1 {
			t.Errorf("%d values of %s", len(values), name)
		}
		if name != "Content-Type" {
			w.header[name] = values[0]
		}
	}
	return w
}

func TestRequestOfEachMethod(t *testing.T) {
	t.Parallel()
	books := database.ReferencedTable("books")
	prefer := func(p string) map[string]string { return map[string]string{"Prefer": p} }
	accept := func(a string) map[string]string { return map[string]string{"Accept": a} }
	for _, tt := range []struct {
		name  string
		query q
		want  want
	}{
		{"Table", table("users"), want{line: "GET users"}},
		{"Schema", table("users").Schema("private"), want{line: "GET users", header: map[string]string{"Accept-Profile": "private"}}},
		{"Schema of a write", database.InSchema("r", "private").Table("users").Insert(row{ID: 1}), want{line: "POST users", body: `{"id":1}`, header: map[string]string{"Content-Profile": "private"}}},
		{"Schema of a call", database.InSchema("r", "private").RPC("f", nil).Get(), want{line: "GET rpc/f", header: map[string]string{"Accept-Profile": "private"}}},
		{"RPC", database.RPC("r", "add", object{"a": 1}), want{line: "POST rpc/add", body: `{"a":1}`}},
		{"RPC of nil", database.RPC("r", "now", map[string]any(nil)), want{line: "POST rpc/now", body: `{}`}},
		{"Get with texts that are no filters", database.RPC("r", "f", object{"a": "example.com", "b": "EQ.1", "c": "eq", "d": "e.g. eq.1", "e": "in (x", "f": " is.null", "g": "fts(x"}).Get(), want{line: "GET rpc/f?a=example.com&b=EQ.1&c=eq&d=e.g. eq.1&e=in (x&f= is.null&g=fts(x"}},
		{"Get", database.RPC("r", "f", object{"a": []int{1, 2}, "b": "x,y&z", "c": true, "d": 12345678901234567}).Get(), want{line: "GET rpc/f?a={1,2}&b=x,y&z&c=true&d=12345678901234567"}},
		{"Head", database.RPC("r", "f", object{"a": 1}).Head(), want{line: "HEAD rpc/f?a=1"}},
		{"Head of a table", table("users").Head().Count(database.Exact), want{line: "HEAD users", header: prefer("count=exact")}},
		{"Select", table("users").Select(" id ,\n name", "teams ( name )", `"First  Name"`), want{line: `GET users?select=id,name,teams(name),"First  Name"`}},
		{"Select twice", table("users").Select("id").Select("name"), want{line: "GET users?select=name"}},
		{"Select comes first", table("users").Eq("a", 1).Select("*"), want{line: "GET users?select=*&a=eq.1"}},
		{"Insert", table("users").Insert(row{ID: 1, Name: "<A&B>"}), want{line: "POST users", body: `{"id":1,"name":"<A&B>"}`}},
		{"Insert of nothing", table("users").Insert([]row(nil)), want{line: "POST users", body: `[]`}},
		{"Insert of raw JSON", table("users").Insert(json.RawMessage(` {"id": 1} `)), want{line: "POST users", body: `{"id": 1}`}},
		{"Upsert", table("users").Upsert([]row{{ID: 1}}), want{line: "POST users", body: `[{"id":1}]`, header: prefer("resolution=merge-duplicates")}},
		{"OnConflict", table("users").Upsert(row{}).OnConflict("a", "b"), want{line: "POST users?on_conflict=a,b", body: `{"id":0}`, header: prefer("resolution=merge-duplicates")}},
		{"OnConflict with odd names", table("users").Upsert(row{}).OnConflict("a,b", `c"d`), want{line: `POST users?on_conflict="a,b","c\"d"`, body: `{"id":0}`, header: prefer("resolution=merge-duplicates")}},
		{"IgnoreDuplicates", table("users").Upsert(row{}).IgnoreDuplicates().Select("id"), want{line: "POST users?select=id", body: `{"id":0}`, header: prefer("resolution=ignore-duplicates,return=representation")}},
		{"Columns and MissingDefault", table("users").Insert(row{}).Columns("id", "x").MissingDefault(), want{line: `POST users?columns="id","x"`, body: `{"id":0}`, header: prefer("missing=default")}},
		{"Update", table("users").Update(object{"a": nil}).Eq("id", 1), want{line: "PATCH users?id=eq.1", body: `{"a":null}`}},
		{"AllRows", table("users").Delete().AllRows(), want{line: "DELETE users"}},
		{"Delete with everything", table("users").Delete().Gt("id", 1).Select().Count(database.Exact).MaxAffected(3).Rollback(), want{line: "DELETE users?id=gt.1", header: prefer("return=representation,count=exact,handling=strict,max-affected=3,tx=rollback")}},

		{"Neq", table("t").Neq("a", "x"), want{line: "GET t?a=neq.x"}},
		{"Gt, Gte, Lt, Lte on one column", table("t").Gt("a", 1).Gte("a", 2).Lt("a", 9).Lte("a", 8), want{line: "GET t?a=gt.1&a=gte.2&a=lt.9&a=lte.8"}},
		{"Like and ILike", table("t").Like("a", "x%").ILike("a", "*,y"), want{line: "GET t?a=like.x%&a=ilike.*,y"}},
		{"LikeAllOf, LikeAnyOf", table("t").LikeAllOf("a", "x%", "y,").LikeAnyOf("a", "z"), want{line: `GET t?a=like(all).{"x%","y,"}&a=like(any).{z}`}},
		{"ILikeAllOf, ILikeAnyOf", table("t").ILikeAllOf("a", "x").ILikeAnyOf("a", `"`), want{line: `GET t?a=ilike(all).{x}&a=ilike(any).{"\""}`}},
		{"RegexMatch, RegexIMatch", table("t").RegexMatch("a", "^x").RegexIMatch("a", "y$"), want{line: "GET t?a=match.^x&a=imatch.y$"}},
		{"Is", table("t").Is("a", nil).Is("b", true).Is("c", false).Is("d", "unknown").Is("e", "not_null"), want{line: "GET t?a=is.null&b=is.true&c=is.false&d=is.unknown&e=not.is.null"}},
		{"nil in comparisons", table("t").Eq("a", nil).Neq("b", (*int)(nil)).IsDistinct("c", sql.NullString{}), want{line: "GET t?a=is.null&b=not.is.null&c=not.is.null"}},
		{"IsDistinct", table("t").IsDistinct("a", 1), want{line: "GET t?a=isdistinct.1"}},
		{"In", table("t").In("a", 1, 2, 1).In("b", []string{"x", `y",z`}).In("c"), want{line: `GET t?a=in.(1,2)&b=in.("x","y\",z")&c=in.()`}},
		{"In with the empty text alone", table("t").In("a", "").NotIn("b", "").In("c", "", "x"), want{line: `GET t?a=eq.&b=not.eq.&c=in.("","x")`}},
		{"NotIn", table("t").NotIn("a", []int{1, 2}), want{line: "GET t?a=not.in.(1,2)"}},
		{"Contains, ContainedBy, Overlaps", table("t").Contains("a", []string{"x y"}).ContainedBy("b", object{"k": 1}).Overlaps("c", "[1,5)"), want{line: `GET t?a=cs.{"x y"}&b=cd.{"k":1}&c=ov.[1,5)`}},
		{"Range operators", table("t").RangeGt("a", "[1,2]").RangeGte("a", "[1,2]").RangeLt("a", "[1,2]").RangeLte("a", "[1,2]").RangeAdjacent("a", "[1,2]"), want{line: "GET t?a=sr.[1,2]&a=nxl.[1,2]&a=sl.[1,2]&a=nxr.[1,2]&a=adj.[1,2]"}},
		{"TextSearch", table("t").TextSearch("a", "x & y").TextSearch("a", "x", database.Plain).TextSearch("a", "x", database.Phrase, database.TextSearchConfig("english")).TextSearch("a", `"x" -y`, database.WebSearch), want{line: `GET t?a=fts.x & y&a=plfts.x&a=phfts(english).x&a=wfts."x" -y`}},
		{"Filter", table("t").Filter("a", "gte(any)", []int{1}).Filter("b", "not.in", []int{2}).Filter("c", "is", nil).Filter("d", "not.eq", "x").Filter("e", "neq", 1).Filter("f", "isdistinct", 1), want{line: "GET t?a=gte(any).{1}&b=not.in.(2)&c=is.null&d=not.eq.x&e=neq.1&f=isdistinct.1"}},
		{"Match", table("t").Match(object{"b": nil, "a": 1}), want{line: "GET t?a=eq.1&b=is.null"}},
		{"And, Or, Not", table("t").And(database.Eq("a", 1), database.Eq("b", "x,y")).Or(database.Eq("a", `"`), database.Not(database.And(database.Gt("b", 1), database.Not(database.Eq("c", 2))))).Not(database.Or(database.Eq("a", 1), database.In("b", "p", 3))).Not(database.Eq("z", 1)), want{line: `GET t?and=(a.eq.1,b.eq."x,y")&or=(a.eq."\"",not.and(b.gt.1,c.not.eq.2))&not.or=(a.eq.1,b.in.("p",3))&z=not.eq.1`}},
		{"Not twice", table("t").Not(database.Not(database.Eq("a", 1))), want{line: "GET t?a=eq.1"}},
		{"Where of another table", table("t").Where(database.Or(database.Eq("a", 1)).Of("books"), database.Not(database.And(database.Eq("a", 1)).Of("x.y")), database.Eq("b", 2).Of("books")), want{line: "GET t?books.or=(a.eq.1)&x.y.not.and=(a.eq.1)&books.b=eq.2"}},

		{"Order", table("t").Order("a").Order("b->>c", database.Asc, database.NullsFirst).Order("teams(name)", database.Desc).Order("d", database.NullsLast, database.Desc).Order("x", books), want{line: "GET t?order=a,b->>c.asc.nullsfirst,teams(name).desc,d.desc.nullslast&books.order=x"}},
		{"Limit and Offset", table("t").Limit(5).Limit(0).Offset(3).Limit(1, books).Offset(2, books), want{line: "GET t?limit=0&offset=3&books.limit=1&books.offset=2"}},
		{"Range", table("t").Range(10, 19).Range(0, 0, books), want{line: "GET t?offset=10&limit=10&books.offset=0&books.limit=1"}},
		{"Count", table("t").Count(database.Planned).Count(database.Estimated), want{line: "GET t", header: prefer("count=estimated")}},
		{"Single", table("t").Single(), want{line: "GET t", header: accept("application/vnd.pgrst.object+json")}},
		{"Single and StripNulls", table("t").StripNulls().Single(), want{line: "GET t", header: accept("application/vnd.pgrst.object+json;nulls=stripped")}},
		{"StripNulls", table("t").StripNulls(), want{line: "GET t", header: accept("application/vnd.pgrst.array+json;nulls=stripped")}},
		{"MaybeSingle", table("t").MaybeSingle(), want{line: "GET t"}},
		{"CSV", table("t").CSV(), want{line: "GET t", header: accept("text/csv")}},
		{"GeoJSON", table("t").GeoJSON(), want{line: "GET t", header: accept("application/geo+json")}},
		{"Explain", table("t").Explain(database.ExplainOptions{}), want{line: "GET t", header: accept(`application/vnd.pgrst.plan+text; for="application/json";`)}},
		{"Explain with options", table("t").Single().Explain(database.ExplainOptions{Analyze: true, Verbose: true, Settings: true, Buffers: true, WAL: true, JSON: true}), want{line: "GET t", header: accept(`application/vnd.pgrst.plan+json; for="application/vnd.pgrst.object+json"; options=analyze|verbose|settings|buffers|wal;`)}},
		{"MaxAffected of a call", database.RPC("r", "f", nil).MaxAffected(1), want{line: "POST rpc/f", body: "{}", header: prefer("handling=strict,max-affected=1")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want.header == nil {
				tt.want.header = map[string]string{}
			}
			if diff := cmp.Diff(tt.want, short(t, tt.query), cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

type (
	color  string
	packed [2]byte
)

func TestValues(t *testing.T) {
	t.Parallel()
	n := 7
	at := time.Date(2026, 2, 3, 4, 5, 6, 700, time.FixedZone("", 3600))
	for _, tt := range []struct {
		in   any
		want string
	}{
		{"a,b(c)\"d\\e", "a,b(c)\"d\\e"},
		{"", ""},
		{color("red"), "red"},
		{-5, "-5"},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{&n, "7"},
		{1e6, "1000000"},
		{float32(0.1), "0.1"},
		{math.Inf(-1), "-Infinity"},
		{math.NaN(), "NaN"},
		{1e300, "1e+300"},
		{true, "true"},
		{at, "2026-02-03T04:05:06.0000007+01:00"},
		{[]byte{0, 255}, `\x00ff`},
		{packed{1, 2}, `\x0102`},
		{json.RawMessage(`{"a":1}`), `{"a":1}`},
		{json.Number("8.50"), "8.50"},
		{database.JSON([]int{1}), "[1]"},
		{database.JSON("x"), `"x"`},
		{object{"a": "<"}, `{"a":"<"}`},
		{row{ID: 1}, `{"id":1}`},
		{netip.MustParseAddr("::1"), "::1"},
		{*big.NewInt(5), "5"},
		{big.NewInt(6), "6"},
		{sql.NullInt64{Int64: 3, Valid: true}, "3"},
		{[]any{1, "x", nil, true, "null", "", `a"\`}, `{1,x,NULL,true,"null","","a\"\\"}`},
		{[][]int{{1}, {2}}, "{{1},{2}}"},
		{[]string(nil), "{}"},
		{[]object{{"a": 1}}, `{"{\"a\":1}"}`},
		{[]time.Time{at}, `{"2026-02-03T04:05:06.0000007+01:00"}`},
		{[2]*int{&n, nil}, "{7,NULL}"},
	} {
		if got := short(t, table("t").Eq("a", tt.in)).line; got != "GET t?a=eq."+tt.want {
			t.Errorf("%#v: %s, want %s", tt.in, got, tt.want)
		}
	}
}

// What is invalid is an error, and says what of it.
func TestInvalidQueries(t *testing.T) {
	t.Parallel()
	loop := []any{nil}
	loop[0] = loop
	for name, tt := range map[string]struct {
		query q
		text  string
	}{
		"zero query":              {q{}, "empty Query"},
		"empty table":             {table(""), "empty"},
		"path":                    {table("../../auth/v1/admin/users"), "path"},
		"dots":                    {table(".."), "path"},
		"backslash":               {table(`a\b`), "path"},
		"control character":       {table("a\nb"), "characters"},
		"empty function":          {database.RPC("r", "", nil), "empty"},
		"path in function":        {database.RPC("r", "a/b", nil), "path"},
		"empty schema":            {table("t").Schema(""), "empty"},
		"header in schema":        {table("t").Schema("a\r\nX: y"), "characters"},
		"empty column":            {table("t").Eq("", 1), "empty"},
		"column with operator":    {table("t").Eq("a=eq.1&b", 1), "Ident"},
		"column with comma":       {table("t").Or(database.Eq("a,b", 1)), "Ident"},
		"unclosed quote":          {table("t").Eq(`"a`, 1), "Ident"},
		"bad path into JSON":      {table("t").Eq("a->", 1), "Ident"},
		"order injection":         {table("t").Order("a,b.desc"), "Ident"},
		"order by referenced":     {table("t").Order("a.b"), "table(column)"},
		"select parentheses":      {table("t").Select("a(b"), "parentheses"},
		"select closing first":    {table("t").Select("a)(b"), "parentheses"},
		"select quotes":           {table("t").Select(`"a`), "quote"},
		"channel":                 {table("t").Eq("a", make(chan int)), "chan int"},
		"function in map":         {table("t").Eq("a", object{"f": func() {}}), "func()"},
		"duration":                {table("t").Eq("a", time.Second), "interval"},
		"NUL":                     {table("t").Eq("a", "x\x00y"), "NUL"},
		"not UTF-8":               {table("t").Eq("a", "\xff"), "UTF-8"},
		"cycle":                   {table("t").Eq("a", loop), "deeply"},
		"year":                    {table("t").Eq("a", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), "year"},
		"broken RawMessage":       {table("t").Eq("a", json.RawMessage("{")), "not JSON"},
		"broken Number":           {table("t").Eq("a", json.Number("1,2")), "not a number"},
		"greater than nil":        {table("t").Gt("a", nil), "Is"},
		"nil in list":             {table("t").In("a", 1, nil), "NULL"},
		"in without slice":        {table("t").Filter("a", "in", "(1)"), "slice"},
		"is something":            {table("t").Is("a", 5), "boolean"},
		"no patterns":             {table("t").LikeAnyOf("a"), "pattern"},
		"operator injection":      {table("t").Filter("a", "eq.1&b=eq", 1), "operator"},
		"text search config":      {table("t").TextSearch("a", "x", database.TextSearchConfig("a)b")), "configuration"},
		"empty Or":                {table("t").Or(), "without conditions"},
		"empty Match":             {table("t").Match(nil), "without conditions"},
		"empty condition":         {table("t").Where(database.Cond{}), "empty condition"},
		"Not of nothing":          {table("t").Not(database.Cond{}), "empty condition"},
		"error within a tree":     {table("t").Or(database.And(database.Eq("", 1))), "empty"},
		"referenced in a tree":    {table("t").Or(database.Eq("a.b", 1)), "Of(table)"},
		"Of a bad table":          {table("t").Where(database.Eq("a", 1).Of("x(")), "referenced table"},
		"negative limit":          {table("t").Limit(-1), "-1 rows"},
		"reversed range":          {table("t").Range(5, 1), "no range"},
		"count of something":      {table("t").Count("exact,tx=commit"), "Exact"},
		"two writes":              {table("t").Insert(row{}).Update(row{}).Eq("a", 1), "one of them"},
		"insert of nil":           {table("t").Insert(nil), "nil"},
		"insert of nil pointer":   {table("t").Insert((*row)(nil)), "struct or a map"},
		"insert of bytes":         {table("t").Insert([]byte("{}")), "RawMessage"},
		"insert of a number":      {table("t").Insert(5), "struct or a map"},
		"insert of numbers":       {table("t").Insert([]int{5}), "each element"},
		"insert of nil rows":      {table("t").Insert([]*row{nil}), "each element"},
		"insert of a channel":     {table("t").Insert(object{"a": make(chan int)}), "chan int"},
		"update of a slice":       {table("t").Update([]row{{}}).Eq("a", 1), "struct or a map"},
		"insert with filter":      {table("t").Insert(row{}).Eq("a", 1), "no filter"},
		"delete with limit":       {table("t").Delete().Eq("a", 1).Limit(1), "MaxAffected"},
		"AllRows of a read":       {table("t").AllRows(), "AllRows"},
		"Columns of a read":       {table("t").Columns("a"), "Columns"},
		"no columns":              {table("t").Insert(row{}).Columns(), "without columns"},
		"OnConflict of Insert":    {table("t").Insert(row{}).OnConflict("a"), "OnConflict"},
		"IgnoreDuplicates":        {table("t").Insert(row{}).IgnoreDuplicates(), "IgnoreDuplicates"},
		"MissingDefault":          {table("t").Delete().Eq("a", 1).MissingDefault(), "MissingDefault"},
		"MaxAffected of a read":   {table("t").MaxAffected(1), "MaxAffected"},
		"MaxAffected of none":     {table("t").Delete().Eq("a", 1).MaxAffected(0), "at least one"},
		"Rollback of a read":      {table("t").Rollback(), "Rollback"},
		"Single and MaybeSingle":  {table("t").Single().MaybeSingle(), "both"},
		"CSV and GeoJSON":         {table("t").CSV().GeoJSON(), "both"},
		"CSV and Single":          {table("t").CSV().Single(), "CSV"},
		"MaybeSingle and Explain": {table("t").MaybeSingle().Explain(database.ExplainOptions{}), "Explain"},
		"Head and Single":         {table("t").Head().Single(), "Head"},
		"Head of a write":         {table("t").Insert(row{}).Head(), "Head"},
		"Single without Select":   {table("t").Insert(row{}).Single(), "Select"},
		"Insert of a call":        {database.RPC("r", "f", nil).Insert(row{}), "function"},
		"Get with null":           {database.RPC("r", "f", object{"a": nil}).Get(), "null"},
		"Get with an object":      {database.RPC("r", "f", object{"a": object{}}).Get(), "object"},
		"Get with reserved name":  {database.RPC("r", "f", object{"limit": 1}).Get(), "limit"},
		"Get with a list":         {database.RPC("r", "f", []int{1}).Get(), "by name"},
		"Get with a filter":       {database.RPC("r", "f", object{"a": "eq.1"}).Get(), "begins as a filter"},
		"Head with a filter":      {database.RPC("r", "f", object{"a": "not.is.null"}).Head(), "begins as a filter"},
		"Get with a long filter":  {database.RPC("r", "f", object{"a": "fts(english).a"}).Get(), "begins as a filter"},
		"Get with an any filter":  {database.RPC("r", "f", object{"a": "eq(any).{1,2}"}).Get(), "begins as a filter"},
		"Get and a filter of it":  {database.RPC("r", "f", object{"a": 1}).Get().Eq("a", 2), "both"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.query.Err()
			if !errors.Is(err, database.ErrInvalid) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want an ErrInvalid with %q", err, tt.text)
			}
			if _, err2 := tt.query.Order("a").Request(); err2 == nil {
				t.Error("a further method made it valid")
			}
			if tt.query.IsRead() {
				t.Error("it is a read")
			}
		})
	}
}

func TestNoFilterIsAnErrorByName(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]q{
		"delete":                     table("t").Delete(),
		"update":                     table("t").Update(row{}),
		"filter of another table":    table("t").Delete().Eq("books.a", 1),
		"tree of another table":      table("t").Delete().Where(database.Or(database.Eq("a", 1)).Of("books")),
		"not in nothing":             table("t").Delete().NotIn("a"),
		"or with not in nothing":     table("t").Delete().Or(database.Eq("a", 1), database.NotIn("b", []int{})),
		"not of and with in nothing": table("t").Delete().Not(database.And(database.Eq("a", 1), database.In("b"))),
		"not of in nothing":          table("t").Delete().Not(database.In("a")),
	} {
		if err := query.Err(); !errors.Is(err, database.ErrNoFilter) || !errors.Is(err, database.ErrInvalid) {
			t.Errorf("%s: %v, want ErrNoFilter", name, err)
		}
	}
	for name, query := range map[string]q{
		"in nothing":              table("t").Delete().In("a"),
		"and with not in nothing": table("t").Delete().And(database.Eq("a", 1), database.NotIn("b")),
	} {
		if err := query.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReservedColumnNamesAreQuoted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"select", "order", "limit", "offset", "and", "or", "not", "columns", "on_conflict"} {
		got := short(t, table("t").Eq(name, 1).Eq("books."+name, 2).Or(database.Eq(name, 3))).line
		if want := strings.ReplaceAll(`GET t?"N"=eq.1&books."N"=eq.2&or=("N".eq.3)`, "N", name); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, name := range []string{"Größe", "First Name", "a-b", "a->b-c->>0", "$x", `"a.b"`, `a."b,c"->>"d e"`, "a->-1"} {
		if got, want := short(t, table("t").Eq(name, 1)).line, "GET t?"+name+"=eq.1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, want := short(t, table("t").Eq(database.Ident(`a"b`), 1)).line, `GET t?"a\"b"=eq.1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestQueryNeverChangesWhileExtendedByMany(t *testing.T) {
	t.Parallel()
	kept := table("t").Select("id").Eq("a", 1).Order("id")
	before, err := kept.Key()
	if err != nil {
		t.Fatal(err)
	}
	fresh := kept.Gt("b", 0)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			got := short(t, fresh.Eq("n", i).Limit(i)).line
			r, _ := table("t").Select("id").Eq("a", 1).Order("id").Gt("b", 0).Eq("n", i).Limit(i).Request()
			if want, _ := url.QueryUnescape(r.Query); got != "GET t?"+want {
				t.Errorf("%s, want %s", got, want)
			}
			if _, err := fresh.Key(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if after, _ := kept.Key(); after != before {
		t.Errorf("key %q became %q", before, after)
	}
}

func TestArgumentsAreReadAtTheCall(t *testing.T) {
	t.Parallel()
	tags, rows, m := []string{"x"}, []row{{ID: 1}}, object{"a": 1}
	conds := []database.Cond{database.Eq("a", 1), database.Eq("b", 2)}
	either := database.Or(conds...)
	read := table("t").Contains("tags", tags)
	write, call := table("t").Insert(rows), database.RPC("r", "f", m)
	tags[0], rows[0].ID, m["a"], conds[0] = "y", 2, 2, database.Eq("z", 9)
	for _, tt := range []struct{ got, want string }{
		{short(t, read.Where(either)).line, "GET t?tags=cs.{x}&or=(a.eq.1,b.eq.2)"},
		{short(t, write).body, `[{"id":1}]`},
		{short(t, call).body, `{"a":1}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
	r, _ := write.Request()
	r.Body[0], r.Header["Content-Type"][0] = '?', "?"
	if again, _ := write.Request(); again.Body[0] != '[' || again.Header.Get("Content-Type") != "application/json" {
		t.Error("a change of the request changed the query")
	}
}

func TestKeysDifferExactlyWhereRequestsDo(t *testing.T) {
	t.Parallel()
	queries := []q{
		table("t"), table("u"), table("t").Schema("s"), table("t").Single(), table("t").MaybeSingle(), table("t").CSV(), table("t").Head(),
		table("t").Count(database.Exact), table("t").Select("a"), table("t").Eq("a", 1), table("t").Eq("a", "1 "),
		table("t").Insert(row{}), table("t").Insert(row{ID: 1}), table("t").Upsert(row{}), table("t").Delete().Eq("a", 1),
		table("t").Update(row{}).Eq("a", 1), database.RPC("r", "t", nil), database.RPC("r", "t", nil).Get(),
	}
	seen := map[string]int{}
	for i, query := range queries {
		key, err := query.Key()
		if err != nil {
			t.Fatal(err)
		}
		if j, ok := seen[key]; ok {
			t.Errorf("queries %d and %d have one key", i, j)
		}
		seen[key] = i
	}
	a, _ := table("t").Eq("a", 1).Key()
	if b, _ := database.On(table("t").Eq("a", 1), "somebody else").Key(); a != b {
		t.Error("the same request has two keys")
	}
}

func TestKeyOfAKeptQueryAllocatesNothing(t *testing.T) {
	kept := table("t").Select("id").Eq("a", 1)
	if n := testing.AllocsPerRun(100, func() { _, _ = kept.Key() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIsRead(t *testing.T) {
	t.Parallel()
	for _, query := range []q{table("t"), table("t").Head(), database.RPC("r", "f", nil).Get(), database.RPC("r", "f", nil).Head()} {
		if !query.IsRead() {
			t.Errorf("%v is no read", query)
		}
	}
	for _, query := range []q{table("t").Insert(row{}), table("t").Upsert(row{}), table("t").Delete().AllRows(), database.RPC("r", "f", nil), {}} {
		if query.IsRead() {
			t.Errorf("%v is a read", query)
		}
	}
}

// Every exported method that returns a query is in the table above, or in what is named here.
func TestEachMethodHasACase(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("request_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for m := range reflect.TypeFor[q]().Methods() {
		if m.Type.NumOut() == 1 && m.Type.Out(0) == reflect.TypeFor[q]() && !strings.Contains(string(source), "."+m.Name+"(") {
			t.Errorf("%s is not tested", m.Name)
		}
	}
}

func TestNamesInPathsAreEscaped(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"100%": "100%25", "a b": "a%20b", "users?select=password": "users%3Fselect=password", "a#b": "a%23b", "größe": "gr%C3%B6%C3%9Fe",
	} {
		r, err := table(name).Request()
		if err != nil || r.Path != want {
			t.Errorf("%q: %q (%v), want %q", name, r.Path, err, want)
		}
	}
}

func TestRowsOfDifferentKeysNameColumns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rows any
		want string
	}{
		{[]object{{"b": 1}, {"a": 2}}, `POST t?columns="a","b"`},
		{[]object{{"a": 1, "b": 1}, {"a": 2}}, `POST t?columns="a","b"`},
		{[]object{{"a": 1}, {"a": 2, "b": 1}}, `POST t?columns="a","b"`},
		{[]row{{ID: 1}, {ID: 2, Name: "x"}}, `POST t?columns="id","name"`},
		{[]row{{ID: 1}, {ID: 2}}, `POST t`},
	} {
		if got := short(t, table("t").Insert(tt.rows)).line; got != tt.want {
			t.Errorf("%v: %s, want %s", tt.rows, got, tt.want)
		}
	}
}

func TestQueriesDoNotPrintValues(t *testing.T) {
	t.Parallel()
	const secret = "tok3n-of-somebody"
	query := database.Table(&http.Client{}, "t").Eq("token", secret)
	cond := database.Or(database.Eq("token", secret))
	for _, v := range []any{query, &query, cond, &cond, database.Eq("a", secret), query.Limit(-1), []any{query}} {
		if text, _ := json.Marshal(v); strings.Contains(string(text), secret) {
			t.Errorf("JSON of %T: %s", v, text)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, secret) {
				t.Errorf("%s of %T: %s", format, v, text)
			}
		}
	}
	if err := table("t").Eq("a", secret+"\x00").Err(); strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
}
