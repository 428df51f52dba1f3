package conformance

import (
	"context"
	"maps"
	"regexp"
	"strings"

	"github.com/streamconn/streamconn/supabase/database"
)

// query is a query as the cases make it.
type query = database.Query[*database.Client]

// object is a row, or a value of JSON.
type object = map[string]any

// hostile are texts that mean something to one of those who pass them on: to URLs, to PostgREST, to
// SQL, to the literals of arrays and JSON.
func hostile() []string {
	return []string{
		"plain", "", " ", " leading", "trailing ", "two  spaces",
		"a,b", "a.b", "a:b", "(", ")", "(a)", "a)", "{", "}", "{a,b}", "[", "]", "[1,2)",
		`"`, `"quoted"`, `a"b`, `\`, `\\`, `\"`, `"\`, `a\b`, `\x41`, `\u0041`, "'", "''", "$$", "`",
		"%", "%%", "%25", "*", "**", "_", "a%b", "a*b", "a_b", "+", "a+b", "&", "a&b", "=", "#", "?", ";", "/", "../..", "~", "|", "^", "!",
		"\n", "a\nb", "\r\n", "\t", "\u00a0", "\u200b", "\u2028",
		"null", "NULL", "true", "unknown", "not.null", "is.null", "eq.1", "not.eq.1", "in.(1,2)", "any", "NaN", "0", "-1", "1e3",
		"),n.gt.0,(", `",n.gt.0,"`, "&or=(n.gte.0)", "x&n=gte.0", `x"),or(n.gte.0`, "or(n.gte.0)", "and(n.gte.0)", "not.and", "order", "select",
		"'; drop table kinds; --", "' or '1'='1", `'||(select 'x')||'`, "-- ", "/* */", "::text", "->>'a'", "$1", ":n", "?n",
		"é", "日本語", "🙂", "e\u0301", "ﬀ", "\ufeff", "\u202eright to left",
		`{"k":"v"}`, `["a"]`, `"a"`, "<script>alert(1)</script>", "<&>",
		strings.Repeat(`long, "text" (of) {many} \parts\ `, 60),
	}
}

// kinds are rows of the table kinds, one for each hostile text.
type kinds struct {
	c    *C
	run  string
	text []string // by n
}

// newKinds makes rows, and takes them away when the case is over: n counts them from 0, and t, ts, j
// and raw hold the text of its number. The whole numbers are n, the other columns NULL where n is odd.
func newKinds(c *C) *kinds {
	c.Helper()
	k := &kinds{c: c, run: c.Name("kinds"), text: hostile()}
	rows := make([]object, len(k.text))
	for n, text := range k.text {
		rows[n] = object{
			"run": k.run, "n": n, "t": text, "i": n, "big": n, "num": n, "f": n, "ints": []int{n, n + 1},
			"ts": []string{text, "common"}, "j": object{"k": text, "list": []string{text}}, "raw": hexadecimal(text),
			"b": nil, "day": nil, "at": nil, "u": nil,
		}
		if n%2 == 0 {
			rows[n]["b"], rows[n]["day"], rows[n]["at"] = n%4 == 0, "2020-02-29", "2020-02-29T12:00:00.123456Z"
		}
	}
	k.insert(rows)
	return k
}

// emptyKinds makes no rows, and takes away those that a case makes.
func emptyKinds(c *C) *kinds {
	c.Helper()
	k := &kinds{c: c, run: c.Name("kinds")}
	k.insert(nil)
	return k
}

func (k *kinds) insert(rows []object) {
	k.c.Helper()
	k.c.Later("rows of kinds", func(ctx context.Context) error {
		_, err := database.Execute(ctx, k.c.Service().Table("kinds").Delete().Eq("run", k.run))
		return err
	})
	if len(rows) == 0 {
		return
	}
	_, err := database.Execute(k.c.Context(), k.c.Anon().Table("kinds").Insert(rows))
	must(k.c, err)
}

// all is a read of these rows.
func (k *kinds) all() query { return k.c.Anon().Table("kinds").Eq("run", k.run) }

// row is a row of kinds with this n, for writes.
func (k *kinds) row(n int, more object) object {
	r := object{"run": k.run, "n": n}
	maps.Copy(r, more)
	return r
}

// ns gives the numbers of the rows that a query of kinds leaves, in order.
func (k *kinds) ns(q query) []int {
	k.c.Helper()
	rows, err := database.All[struct{ N int }](k.c.Context(), q.Select("n").Order("n"))
	must(k.c, err)
	list := []int{}
	for _, r := range rows {
		list = append(list, r.N)
	}
	return list
}

// where gives the numbers of the texts that keep leaves.
func (k *kinds) where(keep func(n int, text string) bool) []int {
	list := []int{}
	for n, text := range k.text {
		if keep(n, text) {
			list = append(list, n)
		}
	}
	return list
}

// only is the list of n, and without that of all others.
func only(n int) []int { return []int{n} }

func (k *kinds) without(n int) []int {
	return k.where(func(m int, _ string) bool { return m != n })
}

// each tries f with every text.
func (k *kinds) each(f func(n int, text string)) {
	for n, text := range k.text {
		f(n, text)
	}
}

// hexadecimal is a bytea as JSON has it.
func hexadecimal(s string) string {
	const digits = "0123456789abcdef"
	b := []byte(`\x`)
	for i := range len(s) {
		b = append(b, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(b)
}

// likePattern is the pattern of like that is true of the text, and of those that have another
// character where it has a star, which no pattern of PostgREST can mean.
func likePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `_`).Replace(text)
}

// like is what PostgREST and Postgres make of a pattern.
func like(pattern, text string, fold bool) bool {
	var b strings.Builder
	b.WriteString(`(?s`)
	if fold {
		b.WriteByte('i')
	}
	b.WriteString(`)^`)
	escaped := false
	for _, r := range strings.ReplaceAll(pattern, "*", "%") {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			b.WriteString(`.*`)
		case r == '_':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteByte('$')
	return regexp.MustCompile(b.String()).MatchString(text)
}

// regexPattern is the regular expression of Postgres that is true of the text alone.
func regexPattern(text string) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, r := range text {
		if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') && r > ' ' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('$')
	return b.String()
}
