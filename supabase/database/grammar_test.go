package database_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/streamconn/streamconn/supabase/database"
)

// reader reads a query as PostgREST does: QueryParams.hs, with the array literals of Postgres.
type reader struct {
	s   string
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s at %q", what, r.s)
	}
	r.s = ""
}

func (r *reader) accept(prefix string) bool {
	after, ok := strings.CutPrefix(r.s, prefix)
	if ok {
		r.s = after
	}
	return ok
}

func (r *reader) expect(prefix string) {
	if !r.accept(prefix) {
		r.fail("want " + prefix)
	}
}

// quoted is pQuotedValue: between quotes, a backslash takes the next character as it is.
func (r *reader) quoted() string {
	r.expect(`"`)
	var b strings.Builder
	for i := 0; i < len(r.s); i++ {
		switch r.s[i] {
		case '\\':
			if i++; i < len(r.s) {
				b.WriteByte(r.s[i])
			}
		case '"':
			r.s = r.s[i+1:]
			return b.String()
		default:
			b.WriteByte(r.s[i])
		}
	}
	r.fail("unclosed quote")
	return ""
}

// until reads the characters before one of stop.
func (r *reader) until(stop string) string {
	i := strings.IndexAny(r.s, stop)
	if i < 0 {
		i = len(r.s)
	}
	s := r.s[:i]
	r.s = r.s[i:]
	return s
}

// element is pListElement and pLogicSingleVal, but for bare arrays, which are not sent.
func (r *reader) element() string {
	if strings.HasPrefix(r.s, `"`) {
		s := r.quoted()
		if r.s != "" && !strings.HasPrefix(r.s, ",") && !strings.HasPrefix(r.s, ")") {
			r.fail("text after a quote")
		}
		return s
	}
	return r.until(",)")
}

// list is pListVal.
func (r *reader) list() []string {
	r.expect("(")
	elems := []string{r.element()}
	for r.accept(",") {
		elems = append(elems, r.element())
	}
	r.expect(")")
	return elems
}

// array reads the literal of an array of texts.
func (r *reader) array() []string {
	r.expect("{")
	elems := []string{}
	if r.accept("}") {
		return elems
	}
	for {
		if strings.HasPrefix(r.s, `"`) {
			elems = append(elems, r.quoted())
		} else {
			e := r.until(`,}"\{`)
			if e == "" || strings.EqualFold(e, "null") || strings.TrimSpace(e) != e {
				r.fail("an element that needs quotes")
			}
			elems = append(elems, e)
		}
		if !r.accept(",") {
			break
		}
	}
	r.expect("}")
	return elems
}

// tree reads (filter,filter,…), where a filter is again a tree or column.operator.value, and gives
// the filters in order.
func (r *reader) tree() [][3]string {
	r.expect("(")
	var filters [][3]string
	for {
		rest := strings.TrimPrefix(r.s, "not.")
		if strings.HasPrefix(rest, "and(") || strings.HasPrefix(rest, "or(") {
			r.s = rest[strings.Index(rest, "("):]
			filters = append(filters, r.tree()...)
		} else {
			column := r.until(`."`)
			if column == "" {
				column = r.quoted()
			}
			r.expect(".")
			op := r.until(".")
			r.expect(".")
			if op == "in" {
				filters = append(filters, [3]string{column, op, strings.Join(r.list(), "\x00")})
			} else {
				filters = append(filters, [3]string{column, op, r.element()})
			}
		}
		if !r.accept(",") {
			break
		}
	}
	r.expect(")")
	return filters
}

func (r *reader) end() error {
	if r.err == nil && r.s != "" {
		r.fail("more text")
	}
	return r.err
}

// sent gives the parameters of a query.
func sent(t *testing.T, query q) url.Values {
	t.Helper()
	r, err := query.Request()
	if err != nil {
		t.Fatal(err)
	}
	v, err := url.ParseQuery(r.Query)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The filters that take a text, and the operators that they are.
var textFilters = map[string]func(column, v string) database.Cond{
	"eq":         func(c, v string) database.Cond { return database.Eq(c, v) },
	"neq":        func(c, v string) database.Cond { return database.Neq(c, v) },
	"isdistinct": func(c, v string) database.Cond { return database.IsDistinct(c, v) },
	"gt":         func(c, v string) database.Cond { return database.Gt(c, v) },
	"gte":        func(c, v string) database.Cond { return database.Gte(c, v) },
	"lt":         func(c, v string) database.Cond { return database.Lt(c, v) },
	"lte":        func(c, v string) database.Cond { return database.Lte(c, v) },
	"like":       database.Like,
	"ilike":      database.ILike,
	"match":      database.RegexMatch,
	"imatch":     database.RegexIMatch,
	"cs":         func(c, v string) database.Cond { return database.Contains(c, v) },
	"cd":         func(c, v string) database.Cond { return database.ContainedBy(c, v) },
	"ov":         func(c, v string) database.Cond { return database.Overlaps(c, v) },
	"sr":         func(c, v string) database.Cond { return database.RangeGt(c, v) },
	"nxl":        func(c, v string) database.Cond { return database.RangeGte(c, v) },
	"sl":         func(c, v string) database.Cond { return database.RangeLt(c, v) },
	"nxr":        func(c, v string) database.Cond { return database.RangeLte(c, v) },
	"adj":        func(c, v string) database.Cond { return database.RangeAdjacent(c, v) },
	"fts":        func(c, v string) database.Cond { return database.TextSearch(c, v) },
	"wfts(simple)": func(c, v string) database.Cond {
		return database.TextSearch(c, v, database.WebSearch, database.TextSearchConfig("simple"))
	},
	"eq(any)": func(c, v string) database.Cond { return database.Filter(c, "eq(any)", v) },
}

// The filters that take several texts as an array.
var arrayFilters = map[string]func(column string, v ...string) database.Cond{
	"like(all)":  database.LikeAllOf,
	"like(any)":  database.LikeAnyOf,
	"ilike(all)": database.ILikeAllOf,
	"ilike(any)": database.ILikeAnyOf,
	"cs":         func(c string, v ...string) database.Cond { return database.Contains(c, v) },
	"cd":         func(c string, v ...string) database.Cond { return database.ContainedBy(c, v) },
	"ov":         func(c string, v ...string) database.Cond { return database.Overlaps(c, v) },
	"eq":         func(c string, v ...string) database.Cond { return database.Eq(c, v) },
}

// checkValues sends a and b through every filter, reads the query, and wants them back.
func checkValues(t *testing.T, a, b string) {
	t.Helper()
	if err := database.Eq("a", a); strings.Contains(fmt.Sprint(err), "invalid") {
		if utf8.ValidString(a) && !strings.Contains(a, "\x00") {
			t.Errorf("%q is refused", a)
		}
		return
	}
	if !utf8.ValidString(b) || strings.Contains(b, "\x00") {
		return
	}
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %q (%v), want %q", what, got, err, want)
		}
	}
	for op, make := range textFilters {
		cond := make("a", a)
		v := sent(t, table("t").Where(cond, database.Not(cond), database.Or(cond, make("b", b), database.And(database.Not(cond))), cond.Of("x")))
		same(op, v["a"], []string{op + "." + a, "not." + op + "." + a}, nil)
		same("x."+op, v["x.a"], []string{op + "." + a}, nil)
		r := reader{s: strings.Replace(v.Get("or"), "and(a.not.", "and(a.", 1)}
		if strings.Contains(a+b, "and(a.not.") {
			r.s = v.Get("or") // the operator not is then read as it stands
			continue
		}
		got := r.tree()
		same(op+" in a tree", got, [][3]string{{"a", op, a}, {"b", op, b}, {"a", op, a}}, r.end())
		if len(v) != 3 {
			t.Errorf("%s: %d parameters, want a, x.a and or: %q", op, len(v), v)
		}
	}
	for op, make := range arrayFilters {
		cond := make("a", a, b)
		v := sent(t, table("t").Where(cond, database.Or(cond)))
		r := reader{s: strings.TrimPrefix(v.Get("a"), op+".")}
		same(op, r.array(), []string{a, b}, r.end())
		r = reader{s: v.Get("or")}
		if got := r.tree(); len(got) == 1 {
			in := reader{s: got[0][2]}
			same(op+" in a tree", in.array(), []string{a, b}, errors.Join(r.end(), in.end()))
		} else {
			t.Errorf("%s in a tree: %q", op, got)
		}
	}
	want := slices.Compact([]string{a, b})
	if slices.Equal(want, []string{""}) {
		return // is sent as eq
	}
	v := sent(t, table("t").In("a", a, b).Or(database.In("a", a, b), database.NotIn("b", a)).Eq("z", 1))
	r := reader{s: strings.TrimPrefix(v.Get("a"), "in.")}
	same("in", r.list(), want, r.end())
	if len(v) != 3 || v.Get("z") != "eq.1" {
		t.Errorf("in changed the query: %q", v)
	}
}

var hostile = []string{
	"", " ", "a", "NULL", "null", "a,b", "a.b", "a:b", "(", ")", "()", `"`, `\`, `\"`, `"\`, `x",y`, "{", "}", `{"a"}`, "*", "%",
	"&or=(a.eq.1)", "a=eq.1", "#", "+", "%26", "a b", "\n", "\t", "é", "日本", "not.null", "is.null", "),b.eq.(", `",b.eq."`, "🙂", ";", "?", "-1",
}

func TestNoValueChangesTheShapeOfAQuery(t *testing.T) {
	t.Parallel()
	for i, a := range hostile {
		checkValues(t, a, hostile[(i*7+3)%len(hostile)])
	}
}

func TestRandomValuesComeBack(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func() string {
		var b strings.Builder
		for range rnd.IntN(5) {
			b.WriteString(hostile[rnd.IntN(len(hostile))])
		}
		return b.String()
	}
	for range 500 {
		checkValues(t, random(), random())
	}
}

func FuzzValues(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostile[len(hostile)-1-i])
	}
	f.Fuzz(checkValues)
}

// Whatever names a column, the query has one parameter, and that is no parameter of PostgREST's own.
func FuzzColumn(f *testing.F) {
	for _, s := range []string{"a", "a.b", "a->b", "a->>'b'", `"a.b"`, "order", "x.or", `"`, "a->-1", "First Name", "a--b", "é", "select", "a-", "->", "a->>\"x,y\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if query := table("t").Eq(name, "v"); query.Err() == nil {
			v := sent(t, query)
			for key := range v {
				last := key[strings.LastIndexByte(key, '.')+1:]
				if slices.Contains([]string{"select", "order", "limit", "offset", "and", "or", "columns", "on_conflict"}, last) {
					t.Errorf("column %q is sent as %q", name, key)
				}
			}
			if len(v) != 1 {
				t.Errorf("column %q: parameters %q", name, v)
			}
		}
		if name == "" || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			return
		}
		v := sent(t, table("t").Or(database.Eq(database.Ident(name), "v")))
		r := reader{s: v.Get("or")}
		if got := r.tree(); r.end() != nil || len(got) != 1 || got[0] != [3]string{name, "eq", "v"} {
			t.Errorf("Ident(%q): %q (%v)", name, got, r.err)
		}
	})
}

// A Select is one parameter, reads the same when read again, and keeps what is in quotes.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"*", "id, name", "a ( b , c )", `"a b" , c`, "...x(y)", "a->>b::text", "n: sum ( )", `"\""`, ")(", "a  b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, columns string) {
		query := table("t").Select(columns)
		if query.Err() != nil {
			return
		}
		v := sent(t, query)
		if len(v) > 1 || len(v) == 1 && !v.Has("select") {
			t.Fatalf("%q: parameters %q", columns, v)
		}
		if again := sent(t, table("t").Select(v.Get("select"))); again.Get("select") != v.Get("select") {
			t.Errorf("%q is %q, and then %q", columns, v.Get("select"), again.Get("select"))
		}
		if strings.Contains(columns, "\"First  Name\"") != strings.Contains(v.Get("select"), "\"First  Name\"") && !strings.Contains(columns, `\`) {
			t.Errorf("%q lost what is in quotes: %q", columns, v.Get("select"))
		}
	})
}
