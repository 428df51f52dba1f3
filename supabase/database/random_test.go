package database_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/streamconn/streamconn/supabase/database"
)

// randomText makes a text of what means something to a URL, to PostgREST or to Postgres, and of any
// other characters.
func randomText(rnd *rand.Rand) string {
	const punctuation = "\"\\,.:()[]{}*%_&=+#?;/|!~^$@`'<>- \t\r\n0aZ"
	var b strings.Builder
	for range rnd.IntN(8) {
		switch rnd.IntN(6) {
		case 0:
			b.WriteString(hostile[rnd.IntN(len(hostile))])
		case 1, 2, 3:
			b.WriteByte(punctuation[rnd.IntN(len(punctuation))])
		case 4:
			b.WriteString(words[rnd.IntN(len(words))])
		default:
			r := rune(rnd.IntN(0x110000))
			if r == 0 || r >= 0xd800 && r < 0xe000 { // no text of Postgres' holds them
				r = 'é'
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// words are those of PostgREST's grammar.
var words = []string{
	"eq.", "not.", "and(", "or(", "in.(", "is.null", "any", "(all)", "fts(english).", "select", "order", "limit=1",
	"null", "NULL", "true", "NaN", "::text", "->>", "->", "%22", "%2C", `\"`, `\\`, `"."`, "),", ",n.eq.1",
}

// readable is a filter with a text in it, and how the text is read back.
type readable struct {
	op   string
	cond func(v string) database.Cond
	read func(r *reader, v string) string
}

func everyFilter() []readable {
	whole := func(r *reader, _ string) string {
		s := r.s
		r.s = ""
		return s
	}
	// The second of three, whose others are as they were.
	second := func(elems []string, v string) string {
		if len(elems) != 3 || elems[0] != "x"+v || elems[2] != v+"y" {
			return fmt.Sprintf("the second of %q", elems)
		}
		return elems[1]
	}
	inArray := func(r *reader, v string) string { return second(r.array(), v) }
	inList := func(r *reader, v string) string {
		if strings.Contains(r.s, "\x00") { // reader.tree has read it already
			return second(strings.Split(whole(r, v), "\x00"), v)
		}
		return second(r.list(), v)
	}
	all := []readable{{"in", func(v string) database.Cond { return database.In("a", "x"+v, v, v+"y") }, inList}}
	for _, op := range slices.Sorted(maps.Keys(textFilters)) {
		cond := textFilters[op]
		all = append(all, readable{op, func(v string) database.Cond { return cond("a", v) }, whole})
	}
	for _, op := range slices.Sorted(maps.Keys(arrayFilters)) {
		cond := arrayFilters[op]
		all = append(all, readable{op, func(v string) database.Cond { return cond("a", "x"+v, v, v+"y") }, inArray})
	}
	return all
}

// values is how many random values a test tries: n, or as many as STREAMCONN_VALUES says.
func values(n int) int {
	if m, err := strconv.Atoi(os.Getenv("STREAMCONN_VALUES")); err == nil {
		return m
	}
	return n
}

// Random values go through every filter, alone, negated, on a referenced table and within trees, and
// are read back by PostgREST's grammar: they, and nothing else.
func TestRandomValuesDoNotChangeTheShapeOfAQuery(t *testing.T) {
	t.Parallel()
	filters := everyFilter()
	const workers = 4
	n := values(200_000) / workers
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			rnd := rand.New(rand.NewPCG(3, uint64(w)))
			wrong := 0
			for i := 0; i < n && wrong < 5; i++ {
				f, v := filters[i%len(filters)], randomText(rnd)
				if err := survives(f, i/len(filters)%4, v, randomText(rnd)); err != nil {
					wrong++
					t.Errorf("%s of %q: %v", f.op, v, err)
				}
			}
		})
	}
	wait.Wait()
}

// survives makes a query with the filter and reads it back. other stands beside v in a tree.
func survives(f readable, form int, v, other string) error {
	cond, key, prefix := f.cond(v), "a", f.op+"."
	q := table("t").Select("a")
	switch form {
	case 0:
		q = q.Where(cond)
	case 1:
		q, prefix = q.Where(database.Not(cond)), "not."+prefix
	case 2:
		q, key = q.Where(cond.Of("x")), "x.a"
	default:
		q, key = q.Or(database.Eq("b", other), database.And(cond, database.Eq("c", other)), database.Eq("d", other)), "or"
	}
	r, err := q.Request()
	if err != nil {
		return err
	}
	params, err := url.ParseQuery(r.Query)
	if err != nil {
		return err
	}
	if len(params) != 2 || len(params[key]) != 1 || params.Get("select") != "a" || r.Method != "GET" || r.Path != "t" || r.Body != nil {
		return fmt.Errorf("it is %s %s?%s", r.Method, r.Path, r.Query)
	}
	in := reader{s: params.Get(key)}
	if key != "or" {
		in.expect(prefix)
	} else {
		got := in.tree()
		if err := in.end(); err != nil {
			return err
		}
		if len(got) != 4 || got[0] != [3]string{"b", "eq", other} || got[2] != [3]string{"c", "eq", other} ||
			got[3] != [3]string{"d", "eq", other} || got[1][0] != "a" || got[1][1] != f.op {
			return fmt.Errorf("the tree is read as %q", got)
		}
		in = reader{s: got[1][2]}
	}
	if got := f.read(&in, v); got != v {
		return fmt.Errorf("it is read as %q", got)
	}
	return in.end()
}

// Random arguments of a function called by GET are one parameter each, or refused where PostgREST would
// take them for a filter.
func TestRandomArgumentsDoNotChangeTheShapeOfACall(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	refused := 0
	for range values(200_000) / 10 {
		v := randomText(rnd)
		q := database.RPC("r", "f", object{"a": v, "b": []string{v}}).Get().Eq("c", v)
		r, err := q.Request()
		if err != nil {
			if i := strings.IndexAny(v, ".("); i < 2 || strings.Trim(v[:i], "abcdefghijklmnopqrstuvwxyz") != "" {
				t.Fatalf("%q is refused: %v", v, err)
			}
			refused++
			continue
		}
		params, err := url.ParseQuery(r.Query)
		if err != nil || len(params) != 3 || params.Get("a") != v || params.Get("c") != "eq."+v {
			t.Fatalf("%q: %s (%v)", v, r.Query, err)
		}
		in := reader{s: params.Get("b")}
		if got := in.array(); len(got) != 1 || got[0] != v || in.end() != nil {
			t.Fatalf("%q: %s", v, r.Query)
		}
	}
	t.Logf("%d were refused", refused)
}
