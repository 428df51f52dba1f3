//go:build linux

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// operation is one request of a history.
type operation struct {
	who       string
	method    string
	path      string
	query     []string // encoded already
	prefer    string
	accept    string
	body      string
	unordered bool // the rows come in an order that nobody has asked for
	racing    bool // of several faults the first depends on such an order
}

func (op *operation) target() string {
	if len(op.query) == 0 {
		return op.path
	}
	return op.path + "?" + strings.Join(op.query, "&")
}

func (op *operation) String() string {
	return fmt.Sprintf("%s: %s %s\n  Prefer: %s  Accept: %s\n  %s", op.who, op.method, op.target(), op.prefer, op.accept, op.body)
}

func (op *operation) add(key, value string) {
	op.query = append(op.query, url.QueryEscape(key)+"="+url.QueryEscape(value))
}

// generator makes operations of a seed. It knows the tables, and nothing of their rows: that keys
// meet, or do not, is left to chance.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 0x5eed))}
}

// chance is true n times in a hundred.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// made is a column: what is written into it, as JSON, and what it is compared with.
type made struct {
	name    string
	kind    string // of operators
	values  []string
	filters []string
}

type madeTable struct {
	name    string
	columns []made
	key     []string
	unique  []string // for on_conflict
	embeds  []madeEmbed
	given   int // so many of the first columns are in every insert
}

// madeEmbed is something that can be embedded.
type madeEmbed struct {
	name  string // as select has it
	alias string // as paths have it
	one   bool
	table string
}

var (
	smallInts = []string{"1", "2", "3", "4", "5", "7"}
	someText  = []string{`"Ann"`, `"Bob"`, `"Zoë"`, `"a,b"`, `"x\"y"`, `"(p)"`, `"back\\slash"`, `""`, `" sp "`, `"100%"`, `"{c}"`, `"NULL"`, `5`, `true`, `{"a": 1}`}
	textTests = []string{"Ann", "Bob", "Zoë", "a,b", `x"y`, "(p)", `back\slash`, "", "100%", "{c}", "NULL", "5"}
	ids       = made{"id", "number", append([]string{"null", `"x"`, "99"}, smallInts...), append([]string{"x", "1.5", "99", ""}, smallInts...)}
)

// madeTables describes testdata/history.sql.
var madeTables = []madeTable{
	{
		name: "orgs", key: []string{"id"}, unique: []string{"name", "id", "kind"}, given: 1,
		columns: []made{
			{"name", "text", []string{`"Acme"`, `"Globex"`, `"Stark"`, `"Wayne"`, `"U"`, `"far too long a name"`, `null`, `"Hooli"`, `"Pied"`}, []string{"Acme", "Stark", "Hooli", ""}},
			{"kind", "text", []string{`"a"`, `"bcd"`, `"abcd"`, `"a   "`, `null`}, []string{"a", "bcd", "a  "}},
			{"created", "date", []string{`"2020-01-01"`, `"2021-12-31"`, `"2021-02-30"`, `null`, `"x"`}, []string{"2020-01-01", "x", "2021-06-01"}},
			ids,
		},
		embeds: []madeEmbed{{"staff:people", "staff", false, "people"}, {"tasks", "tasks", false, "tasks"}, {"p:people", "p", false, "people"}, {"active_people", "active_people", false, "active_people"}, {"nosuch", "nosuch", true, "tags"}},
	},
	{
		name: "people", key: []string{"id"}, unique: []string{"id", "name,nick", "name"}, given: 1,
		columns: []made{
			{"name", "text", append([]string{`null`}, someText...), textTests},
			{"nick", "text", append([]string{`null`, `null`}, someText...), textTests},
			{"org_id", "number", append([]string{"null", "99"}, smallInts...), smallInts},
			{"boss_id", "number", append([]string{"null", "99"}, smallInts...), smallInts},
			{"mood", "enum", []string{`"sad"`, `"ok"`, `"happy"`, `"angry"`, `null`, `1`}, []string{"sad", "ok", "happy", "angry"}},
			{"age", "number", []string{"0", "30", `"31"`, "150", "151", "-1", "1.5", "99999", "null", `" 7 "`, `"abc"`}, []string{"0", "30", "45", "99999", "abc"}},
			{"score", "number", []string{"0", "1.5", "-0.1", "3.14159", "1e10", "16777217", `"NaN"`, `"Infinity"`, "1e39", "null", "1e-5"}, []string{"0", "1.5", "-0.1", "NaN", "1e10", "x"}},
			{"weight", "number", []string{"0", "70.25", "0.1", "123456789.123456789", "1e300", "1e-300", "1e15", "123456789012345680", `"-Infinity"`, "null"}, []string{"0", "70.25", "1e15", "Infinity"}},
			{"salary", "number", []string{"0", "1000.5", "0.005", "-0.004", "9999999999.99", "99999999999", `"1e3"`, `"NaN"`, "null", `"x"`}, []string{"0", "1000.50", "1000.5", "NaN", "1e3"}},
			{"factor", "number", []string{"0", "1.50", "1e-10", "1e20", "123456789012345678901234567890.123", `"Infinity"`, "-7", "null"}, []string{"0", "1.5", "1e20", "-7", "Infinity"}},
			{"born", "date", []string{`"1990-05-17"`, `"2000-02-29"`, `"2001-02-29"`, `"March 5, 2021"`, `"1/8/1999"`, `"20210305"`, `"infinity"`, `"0044-03-15 BC"`, `null`, `"x"`, `5`}, []string{"1990-05-17", "2000-01-01", "infinity", "x"}},
			{"wakes", "time", []string{`"06:30"`, `"7:05 PM"`, `"24:00"`, `"25:00"`, `"12:00:00.1234567"`, `null`}, []string{"06:30", "12:00", "x"}},
			{"seen", "time", []string{`"2020-01-02 03:04:05"`, `"2021-03-05T01:02:03.1234567"`, `"2020-01-02"`, `"-infinity"`, `null`, `"2020-01-02T25:00"`}, []string{"2020-01-02 03:04:05", "2020-06-01"}},
			{"met", "time", []string{`"2020-01-02T03:04:05Z"`, `"2020-01-02 03:04:05-05:30"`, `"1999-01-08 04:05:06+09"`, `"2020-01-02"`, `null`, `"x"`}, []string{"2020-01-02T01:04:05+00:00", "2020-01-01", "x"}},
			{"lasts", "interval", []string{`"1 day 02:00:00"`, `"2 hours 30 minutes"`, `"P1Y2M3DT4H5M6S"`, `"3 days ago"`, `"-1 mon"`, `"1.5 days"`, `"90 minutes"`, `"x"`, `null`}, []string{"1 day", "1 mon", "30 days", "x"}},
			{"props", "json", []string{`{"b": 1,   "a":1e2}`, `[1, 2]`, `"text"`, `null`, `5`}, []string{`{}`}},
			{"data", "jsonb", []string{`{"b":{"c":[10,20]},"a":"x","n":1.50}`, `{"a":null,"n":2}`, `[1,"two",null]`, `"s"`, `null`, `5`, `{"bb":1,"a":2,"a":"y"}`, `1e2`}, []string{`{"a":"x"}`, `[1]`, `"s"`, `{bad`, `{}`}},
			{"nums", "array", []string{`[1,2,3]`, `[]`, `[null,1]`, `"{4,5}"`, `[[1,2],[3,4]]`, `["a"]`, `5`, `null`, `"{1"`}, []string{"{1,2}", "{3}", "{}", "{a}", "{NULL}"}},
			{"words", "array", []string{`["a","b,c","d\"e"]`, `[]`, `["NULL",null,""]`, `"{x,\"y z\"}"`, `null`}, []string{`{a}`, `{"b,c"}`, "{x,y}", `{""}`, `{bad`}},
			{"raw", "bytes", []string{`"\\x00ff"`, `"abc"`, `"\\xzz"`, `null`}, []string{`\x00ff`, "abc"}},
			{"uid", "uuid", []string{`"11111111-2222-4333-8444-555555555555"`, `"{22222222222243338444555555555555}"`, `"x"`, `null`}, []string{"11111111-2222-4333-8444-555555555555", "x"}},
			{"span", "range", []string{`"[1,5)"`, `"(3,9]"`, `"empty"`, `"[5,1]"`, `"(,7]"`, `"[2,)"`, `null`, `"x"`}, []string{"[2,4)", "[5,10)", "empty", "(,3)", "x"}},
			{"active", "bool", []string{"true", "false", "null", `"yes"`, `1`, `"maybe"`}, []string{"true", "f", "maybe"}},
			{"full_name", "text", []string{`"x"`}, []string{"Ann \"annie\"", "Bob"}},
			ids,
		},
		embeds: []madeEmbed{
			{"orgs", "orgs", true, "orgs"},
			{"org:orgs", "org", true, "orgs"},
			{"boss:boss_id", "boss", true, "people"},
			{"people", "people", false, "people"},
			{"passports", "passports", true, "passports"},
			{"mine:tasks!owner_id", "mine", false, "tasks"},
			{"rev:tasks!reviewer_id", "rev", false, "tasks"},
			{"tasks", "tasks", false, "tasks"},
		},
	},
	{
		name: "tasks", key: []string{"org_id", "no"}, unique: []string{"org_id,no", "no,org_id", "no"}, given: 2,
		columns: []made{
			{"org_id", "number", append([]string{"null", "99", "1", "2", "3"}, smallInts...), smallInts},
			{"no", "number", append([]string{"null"}, smallInts...), smallInts},
			{"title", "text", append([]string{`null`}, someText...), textTests},
			{"owner_id", "number", append([]string{"null", "99"}, smallInts...), smallInts},
			{"reviewer_id", "number", append([]string{"null", "99"}, smallInts...), smallInts},
			{"done", "bool", []string{"true", "false", "null", `"maybe"`}, []string{"true", "false"}},
		},
		embeds: []madeEmbed{
			{"orgs", "orgs", true, "orgs"},
			{"owner:people!owner_id", "owner", true, "people"},
			{"reviewer_id", "reviewer_id", true, "people"},
			{"people", "people", true, "people"},
			{"tags", "tags", false, "tags"},
			{"task_tags", "task_tags", false, "task_tags"},
		},
	},
	{
		name: "tags", key: []string{"id"}, unique: []string{"id", "label"}, given: 2,
		columns: []made{
			ids,
			{"label", "text", []string{`"red"`, `"green"`, `"blue"`, `"mine"`, `"gold"`, `"pink"`, `null`}, []string{"red", "green", "mine", ""}},
			{"parent", "number", append([]string{"null", "99"}, smallInts...), smallInts},
		},
		embeds: []madeEmbed{{"tasks", "tasks", false, "tasks"}, {"task_tags", "task_tags", false, "task_tags"}, {"up:parent", "up", true, "tags"}, {"tags", "tags", false, "tags"}},
	},
	{
		name: "task_tags", key: []string{"org_id", "no", "tag_id"}, unique: []string{"org_id,no,tag_id"}, given: 3,
		columns: []made{
			{"org_id", "number", []string{"1", "2", "3", "1", "99"}, smallInts},
			{"no", "number", []string{"1", "2", "3", "4", "5"}, smallInts},
			{"tag_id", "number", []string{"1", "2", "3", "4", "5", "99"}, smallInts},
		},
		embeds: []madeEmbed{{"tasks", "tasks", true, "tasks"}, {"tags", "tags", true, "tags"}},
	},
	{
		name: "passports", key: []string{"person_id"}, unique: []string{"person_id"}, given: 2,
		columns: []made{
			{"person_id", "number", append([]string{"99"}, smallInts...), smallInts},
			{"number", "text", []string{`"A1"`, `"B2"`, `null`}, []string{"A1", "B2"}},
		},
		embeds: []madeEmbed{{"people", "people", true, "people"}},
	},
	{
		name: "secrets", key: []string{"id"}, unique: []string{"id"}, given: 1,
		columns: []made{
			{"title", "text", []string{`"mine"`, `"red"`, `"forbidden"`, `"t"`, `null`}, []string{"mine", "red", "t"}},
			{"owner", "uuid", []string{`"` + historyUsers[0] + `"`, `"` + historyUsers[1] + `"`, `null`}, historyUsers},
			{"public", "bool", []string{"true", "false"}, []string{"true", "false"}},
			ids,
		},
	},
	{
		name: "loose", unique: []string{"a", "b"}, given: 0,
		columns: []made{
			{"a", "number", append([]string{"null", "null"}, smallInts...), smallInts},
			{"b", "text", []string{`"x"`, `"y"`, `"z"`, `null`}, []string{"x", "y"}},
		},
	},
	{
		name: "active_people", key: []string{"id"}, unique: []string{"id"}, given: 1,
		columns: []made{
			{"name", "text", []string{`"Ann"`, `"Vic"`, `null`}, textTests},
			{"age", "number", []string{"3", "200", "null"}, []string{"0", "30"}},
			{"org_id", "number", append([]string{"null"}, smallInts...), smallInts},
			{"shout", "text", []string{`"X"`}, []string{"An", "Bo"}},
			ids,
		},
		embeds: []madeEmbed{{"orgs", "orgs", true, "orgs"}},
	},
	{
		name: "org_people", key: []string{"person_id"}, given: 1,
		columns: []made{{"org", "text", []string{`"x"`}, []string{"Acme"}}, {"person", "text", []string{`"x"`}, textTests}, {"person_id", "number", []string{"1"}, smallInts}},
	},
	{
		name: "org_counts", key: []string{"org_id"}, given: 1,
		columns: []made{{"name", "text", []string{`"x"`}, []string{"Acme"}}, {"people", "number", []string{"1"}, smallInts}, {"oldest", "number", []string{"1"}, []string{"30"}}, {"org_id", "number", []string{"1"}, smallInts}},
	},
}

func tableNamed(name string) *madeTable {
	i := slices.IndexFunc(madeTables, func(t madeTable) bool { return t.name == name })
	return &madeTables[i]
}

func (g *generator) next() *operation {
	op := &operation{who: pick(g, "service_role", "service_role", "service_role", "service_role", "anon", "authenticated "+historyUsers[0], "authenticated "+historyUsers[1])}
	switch n := g.IntN(100); {
	case n < 45:
		g.read(op)
	case n < 68:
		g.insert(op, false)
	case n < 78:
		g.insert(op, true)
	case n < 90:
		g.update(op)
	case n < 95:
		g.remove(op)
	case n < 98:
		g.call(op)
	default:
		g.wrong(op)
	}
	if op.method != "GET" && op.method != "HEAD" && g.chance(3) {
		op.also("tx=rollback")
	}
	return op
}

func (op *operation) also(prefer string) {
	if op.prefer != "" {
		op.prefer += ","
	}
	op.prefer += prefer
}

func (g *generator) table() *madeTable {
	if g.chance(30) {
		return tableNamed("people")
	}
	return &madeTables[g.IntN(len(madeTables))]
}

func (g *generator) read(op *operation) {
	t := g.table()
	op.method, op.path = "GET", "/"+t.name
	if g.chance(8) {
		op.method = "HEAD"
	}
	if g.chance(10) && g.aggregate(op, t) {
		return
	}
	if g.chance(85) {
		g.choose(op, t)
	}
	g.filter(op, t, pick(g, 0, 1, 1, 2, 3))
	g.sort(op, t)
	if g.chance(30) && len(t.key) > 0 {
		op.add("limit", pick(g, "0", "1", "2", "5", "100"))
		if g.chance(50) {
			op.add("offset", pick(g, "0", "1", "3", "50"))
		}
	}
	if g.chance(30) {
		op.also("count=exact")
	}
	if g.chance(15) {
		op.accept = pick(g, "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json;nulls=stripped", "text/csv", "application/vnd.pgrst.object+json;nulls=stripped")
	}
}

// choose says what is shown.
func (g *generator) choose(op *operation, t *madeTable) {
	var parts []string
	if g.chance(15) {
		parts = append(parts, "*")
	} else {
		for range 1 + g.IntN(4) {
			parts = append(parts, g.field(t))
		}
	}
	if len(t.embeds) > 0 && g.chance(55) {
		first := g.IntN(len(t.embeds))
		for i := range min(pick(g, 1, 1, 2), len(t.embeds)) {
			e := t.embeds[(first+i)%len(t.embeds)]
			if i > 0 && e.alias == t.embeds[first].alias {
				continue // a name twice is an error, sooner or later
			}
			parts = append(parts, g.embed(op, e, "", 0))
		}
	}
	op.add("select", strings.Join(parts, ","))
}

// field is a column of select=, of one that is there as a rule.
func (g *generator) field(t *madeTable) string {
	c := pick(g, t.columns...)
	name := c.name
	switch {
	case g.chance(2):
		return "nosuch"
	case c.kind == "jsonb" && g.chance(50):
		name += pick(g, "->a", "->>a", "->b->c", "->b->c->0", "->>n", "->0", "->>-1")
	case c.kind == "json" && g.chance(50):
		name += pick(g, "->a", "->>a", "->0")
	case c.kind == "array" && g.chance(20):
		name += pick(g, "->0", "->>1")
	}
	if g.chance(8) {
		name = "renamed:" + name
	}
	if g.chance(12) { // by one that works for every value or for none: which values are cast is Postgres' choice
		cast := "text"
		if c.kind == "number" {
			cast = pick(g, "text", "numeric", "date")
		}
		name += "::" + cast
	}
	return name
}

// embed is an embedded resource of select=, with what is said about it elsewhere.
func (g *generator) embed(op *operation, e madeEmbed, path string, depth int) string {
	inside := tableNamed(e.table)
	where := path + e.alias
	var parts []string
	for range 1 + g.IntN(2) {
		parts = append(parts, g.field(inside))
	}
	if depth < 2 && len(inside.embeds) > 0 && g.chance(25) {
		parts = append(parts, g.embed(op, pick(g, inside.embeds...), where+".", depth+1))
	}
	if !e.one {
		order := strings.Join(inside.key, ",")
		if g.chance(30) {
			order = g.column(inside).name + pick(g, "", ".desc") + "," + order
		}
		op.add(where+".order", order)
		if g.chance(15) {
			op.add(where+".limit", pick(g, "1", "2"))
		}
	}
	if g.chance(20) {
		c := g.column(inside)
		op.add(where+"."+c.name, g.test(c))
	}
	name := e.name
	if g.chance(20) {
		name += "!inner"
	}
	if e.one && g.chance(12) && !strings.Contains(name, ":") {
		return "..." + name + "(" + strings.Join(parts, ",") + ")"
	}
	if depth == 0 && g.chance(6) {
		op.add(e.alias, pick(g, "is.null", "not.is.null"))
	}
	return name + "(" + strings.Join(parts, ",") + ")"
}

func (g *generator) column(t *madeTable) made { return pick(g, t.columns...) }

// sort makes the order total, for the rows' sake.
func (g *generator) sort(op *operation, t *madeTable) {
	if len(t.key) == 0 {
		op.unordered = true
		return
	}
	var terms []string
	if g.chance(50) {
		terms = append(terms, g.column(t).name+pick(g, "", ".asc", ".desc", ".desc.nullslast", ".nullsfirst"))
	}
	op.add("order", strings.Join(append(terms, t.key...), ","))
}

// filter leaves rows out.
func (g *generator) filter(op *operation, t *madeTable, n int) {
	for range n {
		if g.chance(20) {
			op.add(pick(g, "or", "and", "not.or", "not.and"), g.tree(t, 0))
			continue
		}
		c := g.column(t)
		name, test := c.name, g.test(c)
		if c.kind == "jsonb" && g.chance(40) {
			name += pick(g, "->>a", "->n", "->>n", "->b->c")
			test = pick(g, "eq.x", "eq.1.50", "gt.1", "is.null", "not.is.null", "eq.[10,20]")
		}
		op.add(name, test)
	}
}

func (g *generator) tree(t *madeTable, depth int) string {
	var parts []string
	for range 1 + g.IntN(3) {
		if depth < 2 && g.chance(20) {
			parts = append(parts, pick(g, "and", "or", "not.and", "not.or")+g.tree(t, depth+1))
			continue
		}
		c := g.column(t)
		test := g.test(c)
		op, value, _ := strings.Cut(test, ".")
		if not, rest, ok := strings.Cut(value, "."); op == "not" && ok {
			op, value = "not."+not, rest
		}
		if !strings.HasSuffix(op, "in") && !strings.HasSuffix(op, "is") {
			value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		}
		parts = append(parts, c.name+"."+op+"."+value)
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// test is an operator with its value.
func (g *generator) test(c made) string {
	value := pick(g, c.filters...)
	negate := ""
	if g.chance(15) {
		negate = "not."
	}
	quoted := func() string {
		list := make([]string, 1+g.IntN(3))
		for i := range list {
			list[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(pick(g, c.filters...)) + `"`
		}
		return strings.Join(list, ",")
	}
	kind := c.kind
	if g.chance(3) { // operators of another kind of value
		kind = pick(g, "text", "array", "range", "bool", "number")
	}
	switch n := g.IntN(12); {
	case n == 0:
		return negate + "is.null"
	case n == 1:
		return negate + "in.(" + quoted() + ")"
	case n == 2:
		return negate + "isdistinct." + value
	case n == 3:
		return negate + pick(g, "eq", "gt", "lte") + pick(g, "(any)", "(all)") + ".{" + quoted() + "}"
	case n < 7:
		switch kind {
		case "text":
			return negate + pick(g, "like.*n*", "like.A%", "ilike.*B*", "match.^[A-C]", "imatch.n$", "like(any).{A*,*b}", "ilike(all).{*a*,*n*}", "like.a_b", "fts.ann", "wfts.ann or bob")
		case "array":
			return negate + pick(g, "cs.", "cd.", "ov.") + value
		case "jsonb":
			return negate + pick(g, "cs.", "cd.") + value
		case "range":
			return negate + pick(g, "cs.", "cd.", "ov.", "sl.", "sr.", "nxl.", "nxr.", "adj.") + value
		case "bool":
			return negate + pick(g, "is.true", "is.false", "is.unknown")
		}
	}
	return negate + pick(g, "eq.", "eq.", "neq.", "gt.", "gte.", "lt.", "lte.") + value
}

func (g *generator) aggregate(op *operation, t *madeTable) bool {
	switch t.name {
	case "people":
		op.add("select", pick(g, "org_id,age.sum(),id.count()", "age.max(),age.min(),age.avg()", "mood,count()", "count", "active,salary.sum()::text", "n:factor.sum(),weight.max()", "orgs(name),age.sum()"))
		if g.chance(50) {
			g.filter(op, t, 1)
		}
	case "orgs":
		op.add("select", pick(g, "name,people(age.sum())", "name,tasks(count)", "name,people(count),tasks(count)", "kind,count()"))
	default:
		return false
	}
	op.unordered = true
	return true
}

// object is a row to be written.
func (g *generator) object(columns []made) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		// what makes errors is rarer than what is stored
		v := pick(g, c.values...)
		if g.chance(50) {
			v = c.values[g.IntN((len(c.values)+1)/2)]
		}
		parts[i] = fmt.Sprintf("%q: %s", c.name, v)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// some gives columns of a table, those that every insert has among them.
func (g *generator) some(t *madeTable, most int) []made {
	list := slices.Clone(t.columns[:t.given])
	rest := slices.Clone(t.columns[t.given:])
	g.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return append(list, rest[:min(g.IntN(most+1), len(rest))]...)
}

func (g *generator) insert(op *operation, upsert bool) {
	t := g.table()
	op.method, op.path, op.unordered = "POST", "/"+t.name, true
	columns := g.some(t, 4)
	n := pick(g, 1, 1, 1, 1, 2, 3)
	rows := make([]string, n)
	missing := g.chance(15)
	for i := range rows {
		if missing {
			rows[i] = g.object(g.some(t, 3))
		} else {
			rows[i] = g.object(columns)
		}
	}
	op.body = rows[0]
	if n > 1 || g.chance(20) {
		op.body = "[" + strings.Join(rows, ",") + "]"
	}
	if missing {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = `"` + c.name + `"`
		}
		if len(names) > 0 {
			op.add("columns", strings.Join(names, ","))
		}
		if g.chance(70) {
			op.also("missing=default")
		}
	}
	if upsert {
		op.also(pick(g, "resolution=merge-duplicates", "resolution=merge-duplicates", "resolution=ignore-duplicates"))
		if len(t.unique) > 0 && g.chance(70) {
			op.add("on_conflict", pick(g, t.unique...))
		}
	}
	g.answer(op, t)
}

// answer says what a write gives back.
func (g *generator) answer(op *operation, t *madeTable) {
	switch n := g.IntN(10); {
	case n < 6:
		op.also("return=representation")
		g.choose(op, t)
		if g.chance(8) {
			op.accept = "application/vnd.pgrst.object+json"
		}
	case n < 7:
		op.also("return=headers-only")
	case n < 8:
		op.also("return=minimal")
	}
	if g.chance(15) {
		op.also("count=exact")
	}
}

func (g *generator) update(op *operation) {
	t := g.table()
	op.method, op.path, op.unordered, op.racing = "PATCH", "/"+t.name, true, true
	op.body = g.object([]made{g.column(t)}) // with more than one, which row fails how depends on their order
	if g.chance(50) {
		g.byKey(op, t)
	} else {
		g.filter(op, t, 1+g.IntN(2))
	}
	if g.chance(3) {
		op.body = "{}"
	}
	g.answer(op, t)
}

func (g *generator) byKey(op *operation, t *madeTable) {
	if len(t.key) == 0 {
		op.add("a", "eq."+pick(g, smallInts...))
	}
	for _, k := range t.key {
		op.add(k, "eq."+pick(g, smallInts...))
	}
}

func (g *generator) remove(op *operation) {
	t := g.table()
	op.method, op.path, op.unordered, op.racing = "DELETE", "/"+t.name, true, true
	g.byKey(op, t)
	if g.chance(20) {
		op.query = nil
		g.filter(op, t, 2)
	}
	g.answer(op, t)
}

func (g *generator) call(op *operation) {
	t := tableNamed("people")
	if g.chance(40) {
		op.method, op.path = "POST", "/rpc/hire"
		op.body = fmt.Sprintf(`{"who": %s, "org": %s}`, pick(g, `"Ann"`, `"new"`, `null`, `"newer"`, `"newest"`), pick(g, "1", "2", "11", "12", "13", `"x"`, "99"))
		return
	}
	op.path = "/rpc/aged"
	low := pick(g, "0", "20", "40", "x")
	if g.chance(50) {
		op.method = "GET"
		op.add("min_age", low)
	} else {
		op.method, op.body = "POST", `{"min_age": "`+low+`"}`
	}
	if g.chance(60) {
		op.add("select", pick(g, "*", "id,name", "id,age,orgs(name)", "name,nosuch", "id,boss:boss_id(name)"))
	}
	if g.chance(30) {
		g.filter(op, t, 1)
	}
	op.add("order", "id")
	if g.chance(30) {
		op.add("limit", pick(g, "1", "2"))
		op.also("count=exact")
	}
}

// wrong asks for what makes no sense.
func (g *generator) wrong(op *operation) {
	op.method, op.path = "GET", pick(g, "/people", "/orgs", "/nosuch", "/rpc/nosuch", "/a/b", "/people")
	switch g.IntN(8) {
	case 0:
		op.add("select", pick(g, "id,(", "id,nosuch(id)", "id::", "...people(id)", "a:b:c", "id!x"))
	case 1:
		op.add("id", pick(g, "banana.1", "1", "eq", "in.1", "is.x", "eq(some).{1}", "not.1"))
	case 2:
		op.add("order", pick(g, "id.banana", "id.desc.x", "id,,x", "nosuch", "orgs(name)"))
	case 3:
		op.add(pick(g, "or", "and"), pick(g, "()", "(id)", "(id.eq.1", "id.eq.1", "(xor(id.eq.1))"))
	case 4:
		op.add(pick(g, "nosuch.id", "nosuch.order", "nosuch.limit", "nosuch.or"), pick(g, "eq.1", "1", "(id.eq.1)"))
	case 5:
		op.add("limit", pick(g, "-1", "x", "1.5"))
		op.add("order", "id")
	case 6:
		op.method, op.body = "POST", pick(g, "{", "[{}, 1]", `[{"name":"x"},{"nick":"y"}]`, `{"nosuch":1}`, "")
	case 7:
		op.accept = pick(g, "application/xml", "text/plain")
	}
	op.unordered, op.racing = true, true
}
