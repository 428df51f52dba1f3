package cases

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/streamconn/streamconn/internal/bench/measure"
)

// part is one of those that a time is divided into.
type part struct {
	name  string
	calls []string // how the functions begin that are its own, and what they call that is nobody's
	whole []string // how the functions begin that are its own with all that they call
}

const (
	module     = "github.com/streamconn/streamconn/"
	ristrettos = "github.com/dgraph-io/ristretto/v2."
	nobodys    = "goroutines and garbage"
)

// division is the time of some ways to do the same, divided by whose it is.
type division struct {
	id, title, text string
	unit            time.Duration
	procs           int    // GOMAXPROCS; 0 leaves it as it is
	parts           []part // the first one that a function belongs to counts
	uncounted       []string
	sides           func(tb testing.TB) []measure.Side
}

// whereTimeGoes divides the time of a read of one row by whose it is.
func whereTimeGoes(tb testing.TB, short bool) Figures {
	tb.Helper()
	return divide(tb, short, division{
		id: "where", title: "Where the time of a read goes",
		text: "Of a read of Supabase of one row that reaches the server, which is not counted. " +
			"A hand-written read has no bound on its time unless it makes one; each of ours has one. " +
			"What is cached pays for the promises that the next call finds it, that nobody loads it twice, and that what a caller changes is the caller's own.",
		unit: time.Microsecond,
		parts: []part{
			{name: "the kernel: system calls", calls: []string{"syscall.", "internal/runtime/syscall"}},
			{name: "`encoding/json`", calls: []string{"encoding/json."}},
			{name: "bounds on time: contexts and timers", calls: []string{"context.", "time."}},
			{name: "`net/http`, `net/url`", calls: []string{"net/http", "net/url.", "net/textproto."}},
			{name: "**ours**, `internal/rest`: headers, address, limits", calls: []string{module + "internal/rest."}},
			{name: "**ours**, `supabase`: building the query, running it", calls: []string{module + "supabase"}},
			{name: "**ours**, `connection`: lease, retries", calls: []string{module + "connection."}},
			{name: "**ours**, `cache`", calls: []string{module + "cache.", ristrettos}},
			{name: "the caller", calls: []string{module + "internal/bench/"}},
		},
		uncounted: []string{"net/http.(*conn).", "net/http.(*connReader)."}, // the server
		sides: func(tb testing.TB) []measure.Side {
			tb.Helper()
			return slices.DeleteFunc(restSides(tb, 1), func(s measure.Side) bool { return !s.Ours && s.Name != httpHand && s.Name != httpBound })
		},
	})
}

// whereHitGoes divides the time of a hit.
func whereHitGoes(tb testing.TB, short bool) Figures {
	tb.Helper()
	c := module + "cache."
	return divide(tb, short, division{
		id: "where-hit", title: "Where the time of a hit goes",
		text: "Of one row among 1,024 keys, shared. The clock is read for the promise that nothing is served after its TTL; the key is compared " +
			"for the one that no two calls have one key.",
		unit: time.Nanosecond, procs: 1,
		parts: []part{
			{name: "the clock", calls: []string{"time."}},
			{name: "what is asked for, and how often: ristretto's buffers and sketch", whole: []string{
				c + "(*engine).hear", ristrettos + "(*ringBuffer", ristrettos + "(*defaultPolicy",
			}},
			{name: "the arguments: their encoding", calls: []string{c + "AppendArg", c + "append", c + "sorted", c + "argTypeOf", module + "sqlconn.appendArgs"}},
			{name: "the key: its hash", calls: []string{c + "(*Scope).hashOf", "hash/maphash.", "github.com/dgraph-io/ristretto/v2/z.", "github.com/cespare/xxhash"}},
			{name: "finding the entry", calls: []string{c + "(*table)", c + "(*chains)", ristrettos + "(*shardedMap", ristrettos + "(*lockedMap"}},
			{name: "the key compared; TTL and epochs", calls: []string{c + "(*Scope).sum", c + "(*entry)", c + "(*key)", c + "(*cohort)"}},
			{name: "counting the hit", calls: []string{c + "(*Scope).served", c + "(*Counters)", c + "stripeOf"}},
			{name: "the rest of ristretto", calls: []string{ristrettos}},
			{name: "**ours**, the rest of `cache`", calls: []string{c}},
			{name: "**ours**, `connection`: the scope, the view's policy", calls: []string{module + "connection."}},
			{name: "**ours**, `sqlconn`", calls: []string{module + "sqlconn."}},
			{name: "the caller, who makes the arguments", calls: []string{module + "internal/bench/"}},
		},
		sides: func(tb testing.TB) []measure.Side {
			tb.Helper()
			return only(arguments().Cases[0].Prepare(tb), bare, plainHit, argsHit, paramsHit)
		},
	})
}

// whereMissGoes divides the time of a miss.
func whereMissGoes(tb testing.TB, short bool) Figures {
	tb.Helper()
	c := module + "cache."
	const rows = 1000
	return divide(tb, short, division{
		id: "where-miss", title: "Where the time of a miss goes",
		text: fmt.Sprintf("Of %s, of the driver that has them ready. ", rowsName(rows)) +
			"The copy is for the promise that what a caller changes is the caller's own; its bytes are counted for the one that memory is bounded in bytes.",
		unit: time.Microsecond,
		parts: []part{
			{name: "`database/sql` and the driver", calls: []string{"database/sql", module + "internal/bench/cases.(*ready", module + "internal/bench/cases.ready"}},
			{name: "**ours**, `sqlconn`: rows into structs", calls: []string{module + "sqlconn."}},
			{name: "**ours**, `connection`: lease, retries", calls: []string{module + "connection."}},
			{name: "**ours**, `cache`: the copy", calls: []string{
				c + "copyOf", c + "cloneFlat", c + "deepen", c + "(*copier)", c + "(*planner).sliceDeepener", c + "(*planner).structDeepener",
			}},
			{name: "**ours**, `cache`: the count of bytes", calls: []string{
				c + "costOf", c + "(*meter)", c + "(*planner).measurer", c + "(*planner).structMeasurer", c + "(*planner).pointerMeasurer",
			}},
			{name: "**ours**, `cache`: the flight, the entry, the engine", calls: []string{c, ristrettos}},
			{name: "the caller", calls: []string{module + "internal/bench/"}},
		},
		sides: func(tb testing.TB) []measure.Side {
			tb.Helper()
			return only(readySides(tb, rows), byHand, missed, stored, deepBy, deepMissed, deepStored)
		},
	})
}

// only gives the sides of these names.
func only(sides []measure.Side, names ...string) []measure.Side {
	return slices.DeleteFunc(sides, func(s measure.Side) bool { return !slices.Contains(names, s.Name) })
}

func divide(tb testing.TB, short bool, d division) Figures {
	tb.Helper()
	if d.procs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(d.procs))
	}
	long := 5 * time.Second
	if short {
		long = 20 * time.Millisecond
	}
	f := Figures{
		ID: d.id, Title: d.title,
		Text: d.text + fmt.Sprintf(" In %s of processors, from profiles of %v. What a function calls that is nobody's own, such as the allocation of memory, is the function's.",
			map[time.Duration]string{time.Microsecond: "microseconds", time.Nanosecond: "nanoseconds"}[d.unit], long),
		Header: []string{""},
	}
	var spent []map[string]float64
	for _, side := range d.sides(tb) {
		f.Header = append(f.Header, side.Name)
		spent = append(spent, d.profiled(tb, long, side.Do))
	}
	row := func(name string, of func(map[string]float64) float64) {
		cells := []string{name}
		for _, s := range spent {
			cells = append(cells, fmt.Sprintf("%.1f", of(s)))
		}
		f.Rows = append(f.Rows, cells)
	}
	for _, p := range append(d.parts, part{name: nobodys}) {
		row(p.name, func(s map[string]float64) float64 { return s[p.name] })
	}
	row("all", func(s map[string]float64) (sum float64) {
		for _, of := range s {
			sum += of
		}
		return sum
	})
	return f
}

// profiled does something again and again, and divides the time that each time costs.
func (d *division) profiled(tb testing.TB, long time.Duration, do func(int) error) map[string]float64 {
	tb.Helper()
	var text bytes.Buffer
	if err := pprof.StartCPUProfile(&text); err != nil {
		tb.Skip("no profile: ", err) // go test makes one itself
	}
	begin, used, n := time.Now(), processors(tb), 0
	for time.Since(begin) < long {
		for range 100 { // without the clock
			if err := do(n); err != nil {
				pprof.StopCPUProfile()
				tb.Fatal(err)
			}
			n++
		}
	}
	used = processors(tb) - used
	pprof.StopCPUProfile()
	p, err := profile.Parse(&text)
	if err != nil {
		tb.Fatal(err)
	}
	all, spent := int64(0), map[string]float64{}
	for _, s := range p.Sample {
		all += s.Value[0]
		if whose, counts := d.partOf(s); counts {
			spent[whose] += float64(s.Value[0])
		}
	}
	for name := range spent {
		spent[name] *= float64(used) / float64(d.unit) / float64(all) / float64(n)
	}
	return spent
}

// partOf finds whose a sample is: that of the innermost function that is somebody's, unless an outer one has
// all that it calls.
func (d *division) partOf(s *profile.Sample) (whose string, counts bool) {
	whose = nobodys
	for _, location := range s.Location { // from the innermost on
		for _, line := range location.Line {
			name := line.Function.Name
			begins := func(list []string) bool {
				return slices.ContainsFunc(list, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
			}
			if begins(d.uncounted) {
				return "", false
			}
			for _, p := range d.parts {
				if begins(p.whole) || whose == nobodys && begins(p.calls) {
					whose = p.name
				}
			}
		}
	}
	return whose, true
}

// processors is how long this process has used them.
func processors(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
