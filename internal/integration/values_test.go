//go:build linux

package integration_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/supabase/database"
)

const valuesTable = `create table public.random (
  id int primary key, t text not null, i int not null, num numeric not null, at timestamptz not null,
  j jsonb not null, ts text[] not null, raw bytea not null
);
grant all on public.random to anon;`

// stored is a row of random values. In each column all are different.
type stored struct {
	id   int
	text string
	num  *big.Rat
	dec  string // of num
	i    int
	at   time.Time
	ts   []string
	raw  []byte
}

func (s *stored) json() map[string]any {
	return map[string]any{
		"id": s.id, "t": s.text, "i": s.i, "num": s.dec, "at": s.at, "j": object{"k": s.text, "n": s.i}, "ts": s.ts,
		"raw": fmt.Sprintf(`\x%x`, s.raw),
	}
}

type object = map[string]any

// source makes values that differ from all that it made before.
type source struct {
	rnd  *rand.Rand
	seen map[string]bool
}

func (s *source) text() string {
	for {
		text := randomText(s.rnd)
		if !s.seen[text] {
			s.seen[text] = true
			return text
		}
	}
}

func (s *source) row(id int) *stored {
	r := &stored{id: id, text: s.text()}
	for {
		r.i = int(int32(s.rnd.Uint32())) >> s.rnd.IntN(31)
		r.dec = strconv.FormatInt(s.rnd.Int64()>>s.rnd.IntN(63), 10) + "." + strconv.Itoa(s.rnd.IntN(1000000))
		r.at = time.UnixMicro(s.rnd.Int64N(8e15) - 2e15).UTC()
		keys := []string{"i" + strconv.Itoa(r.i), "at" + r.at.String()}
		r.num, _ = new(big.Rat).SetString(r.dec)
		keys = append(keys, "num"+r.num.String())
		if !slices.ContainsFunc(keys, func(k string) bool { return s.seen[k] }) {
			for _, k := range keys {
				s.seen[k] = true
			}
			break
		}
	}
	r.ts = []string{r.text}
	for range s.rnd.IntN(3) {
		r.ts = append(r.ts, randomText(s.rnd))
	}
	r.raw = []byte(r.text)
	for range s.rnd.IntN(6) {
		r.raw = append(r.raw, byte(s.rnd.Uint32()))
	}
	return r
}

// randomText makes a text of what means something to a URL, to PostgREST or to Postgres, and of any
// other characters.
func randomText(rnd *rand.Rand) string {
	const punctuation = "\"\\,.:()[]{}*%_&=+#?;/|!~^$@`'<>- \t\r\n0aZ"
	words := []string{
		"eq.", "not.", "and(", "or(", "in.(", "is.null", "(any)", "select", "order", "null", "NULL", "true", "NaN", "::text", "->>",
		"%22", `\"`, `\\`, `"."`, "),", ",id.gt.0", "'; --", "é", "日本", "🙂",
	}
	var b strings.Builder
	for range rnd.IntN(9) {
		switch rnd.IntN(5) {
		case 0:
			b.WriteString(words[rnd.IntN(len(words))])
		case 1, 2, 3:
			b.WriteByte(punctuation[rnd.IntN(len(punctuation))])
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

// asked is a condition, and which rows it is true of.
type asked struct {
	cond database.Cond
	true func(r *stored) bool
}

// ask makes a condition of the values of a row, by each operator in turn.
func ask(v *stored, which int) asked {
	compare := func(a, b int, op int) bool { return []bool{a > b, a >= b, a < b, a <= b}[op] }
	ops := []func(string, any) database.Cond{database.Gt, database.Gte, database.Lt, database.Lte}
	same := func(r *stored) bool { return r.text == v.text }
	op := which / 20 % 4
	switch which % 20 {
	case 0:
		return asked{database.Eq("t", v.text), same}
	case 1:
		return asked{database.Neq("t", v.text), func(r *stored) bool { return !same(r) }}
	case 2:
		return asked{ops[op]("t", v.text), func(r *stored) bool { return compare(strings.Compare(r.text, v.text), 0, op) }}
	case 3:
		return asked{database.Like("t", likePattern(v.text)), func(r *stored) bool { return starless(r.text, v.text) }}
	case 4:
		return asked{database.RegexMatch("t", regexPattern(v.text)), same}
	case 5:
		return asked{database.In("t", v.text, v.text+"?"), func(r *stored) bool { return same(r) || r.text == v.text+"?" }}
	case 6:
		return asked{database.Eq("i", v.i), func(r *stored) bool { return r.i == v.i }}
	case 7:
		return asked{ops[op]("i", v.i), func(r *stored) bool { return compare(r.i, v.i, op) }}
	case 8:
		return asked{database.Eq("num", v.dec), func(r *stored) bool { return r.num.Cmp(v.num) == 0 }}
	case 9:
		return asked{ops[op]("num", v.dec), func(r *stored) bool { return compare(r.num.Cmp(v.num), 0, op) }}
	case 10:
		return asked{database.Eq("at", v.at), func(r *stored) bool { return r.at.Equal(v.at) }}
	case 11:
		return asked{ops[op]("at", v.at), func(r *stored) bool { return compare(r.at.Compare(v.at), 0, op) }}
	case 12:
		return asked{database.Eq("j", object{"k": v.text, "n": v.i}), func(r *stored) bool { return same(r) && r.i == v.i }}
	case 13:
		return asked{database.Contains("j", object{"k": v.text}), same}
	case 14:
		return asked{database.Eq("j->>k", v.text), same}
	case 15:
		return asked{database.Eq("ts", v.ts), func(r *stored) bool { return slices.Equal(r.ts, v.ts) }}
	case 16:
		return asked{database.Contains("ts", v.ts[:1]), func(r *stored) bool { return slices.Contains(r.ts, v.ts[0]) }}
	case 17:
		return asked{database.Overlaps("ts", v.ts), func(r *stored) bool {
			return slices.ContainsFunc(r.ts, func(s string) bool { return slices.Contains(v.ts, s) })
		}}
	case 18:
		return asked{database.Eq("raw", v.raw), func(r *stored) bool { return bytes.Equal(r.raw, v.raw) }}
	default:
		return asked{ops[op]("raw", v.raw), func(r *stored) bool { return compare(bytes.Compare(r.raw, v.raw), 0, op) }}
	}
}

func likePattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `_`).Replace(text)
}

// starless compares texts, where a star of the second stands for any character.
func starless(a, b string) bool {
	return slices.EqualFunc([]rune(a), []rune(b), func(x, y rune) bool { return y == '*' || x == y })
}

func regexPattern(text string) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, r := range text {
		if r > ' ' && r < 0x7f && !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('$')
	return b.String()
}

// Random values of every kind, by every operator, alone and many at once in lists and trees: each row
// found is the row that is meant. STREAMCONN_VALUES says how many.
func TestRandomValuesFindTheirRows(t *testing.T) {
	t.Parallel()
	total := 20_000
	if n, err := strconv.Atoi(os.Getenv("STREAMCONN_VALUES")); err == nil {
		total = n
	}
	p := servers.StartPostgREST(t, servers.PostgRESTOptions{SQL: []string{valuesTable}})
	db, err := database.New(p.URL+"/rest/v1", database.WithKey(p.AnonKey))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)

	const rows, perRound = 400, 40_000
	var tried, requests atomic.Int64
	for round := uint64(0); tried.Load() < int64(total); round++ {
		src := &source{rnd: rand.New(rand.NewPCG(7, round)), seen: map[string]bool{}}
		table := make([]*stored, rows)
		body := make([]object, rows)
		for id := range table {
			table[id] = src.row(id)
			body[id] = table[id].json()
		}
		strangers := make([]*stored, rows) // whose values are in no row
		for i := range strangers {
			strangers[i] = src.row(-1)
		}
		for _, q := range []database.Query[*database.Client]{db.Table("random").Delete().AllRows(), db.Table("random").Insert(body)} {
			if _, err := database.Execute(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		limit := min(int64(total), tried.Load()+perRound)
		for w := range uint64(4) {
			wait.Go(func() {
				rnd := rand.New(rand.NewPCG(round, w))
				for tried.Load() < limit && !t.Failed() {
					n := lookUp(t, db, rnd, table, strangers)
					tried.Add(int64(n))
					requests.Add(1)
				}
			})
		}
		wait.Wait()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d values in %d requests", tried.Load(), requests.Load())
}

// lookUp asks once, and tells for how many values.
func lookUp(t *testing.T, db *database.Client, rnd *rand.Rand, table, strangers []*stored) int {
	t.Helper()
	pick := func() *stored {
		if rnd.IntN(4) == 0 {
			return strangers[rnd.IntN(len(strangers))]
		}
		return table[rnd.IntN(len(table))]
	}
	q := db.Table("random").Select("id").Order("id")
	var holds func(r *stored) bool
	n := 1
	switch rnd.IntN(4) {
	case 0:
		a := ask(pick(), rnd.IntN(80))
		q, holds = q.Where(a.cond), a.true
	case 1:
		a := ask(pick(), rnd.IntN(80))
		q, holds = q.Not(a.cond), func(r *stored) bool { return !a.true(r) }
	case 2: // a list
		n = 20
		texts := map[string]bool{}
		var list []any
		for range n {
			v := pick().text
			texts[v] = true
			list = append(list, v)
		}
		q, holds = q.In("t", list...), func(r *stored) bool { return texts[r.text] }
	default: // a tree
		n = 20
		var conds []database.Cond
		var all []func(r *stored) bool
		for range n / 2 {
			// Two of which one is rarely true, so that the tree is not.
			a, b := ask(pick(), rnd.IntN(80)), ask(pick(), rnd.IntN(80))
			conds = append(conds, database.And(a.cond, database.Not(b.cond)))
			all = append(all, func(r *stored) bool { return a.true(r) && !b.true(r) })
		}
		q, holds = q.Or(conds...), func(r *stored) bool {
			return slices.ContainsFunc(all, func(f func(*stored) bool) bool { return f(r) })
		}
	}
	var want []int
	for _, r := range table {
		if holds(r) {
			want = append(want, r.id)
		}
	}
	got, err := database.All[struct{ ID int }](t.Context(), q)
	if err != nil {
		t.Errorf("%v of %s", err, sentQuery(q))
		return n
	}
	ids := make([]int, len(got))
	for i, r := range got {
		ids[i] = r.ID
	}
	if slices.CompareFunc(ids, want, cmp.Compare[int]) != 0 {
		t.Errorf("rows %v, want %v, of %s", ids, want, sentQuery(q))
	}
	return n
}

func sentQuery(q database.Query[*database.Client]) string {
	r, err := q.Request()
	if err != nil {
		return err.Error()
	}
	return r.Query
}
