package cases

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// part is one of those that the time of a read is divided into.
type part struct {
	name  string
	calls []string // how the functions begin that are its own, and what they call that is nobody's
}

const server = "the server"

// parts are all of them; the first one that a function belongs to counts.
var parts = []part{
	{"the kernel: system calls", []string{"syscall.", "internal/runtime/syscall"}},
	{"`encoding/json`", []string{"encoding/json."}},
	{"bounds on time: contexts and timers", []string{"context.", "time."}},
	{"`net/http`, `net/url`", []string{"net/http", "net/url.", "net/textproto."}},
	{"**ours**, `internal/rest`: headers, address, limits", []string{module + "internal/rest."}},
	{"**ours**, `supabase`: building the query, running it", []string{module + "supabase"}},
	{"**ours**, `connection`: lease, retries", []string{module + "connection."}},
	{"**ours**, `cache`", []string{module + "cache.", "github.com/dgraph-io/ristretto"}},
	{"the caller", []string{module + "internal/bench/"}},
}

const (
	module  = "github.com/streamconn/streamconn/"
	nobodys = "goroutines and garbage"
)

// whereTimeGoes divides the time of a read of one row by whose it is.
func whereTimeGoes(tb testing.TB, short bool) Figures {
	tb.Helper()
	long := 10 * time.Second
	if short {
		long = 20 * time.Millisecond
	}
	f := Figures{
		ID: "where", Title: "Where the time goes",
		Text: "Of a read of Supabase of one row that reaches the server, which is not counted: microseconds of processors, from profiles of " +
			long.String() + ". What a function calls that is nobody's own, such as the allocation of memory, is the function's. " +
			"A hand-written read has no bound on its time unless it makes one; each of ours has one. " +
			"What is cached pays for the promises that the next call finds it, that nobody loads it twice, and that what a caller changes is the caller's own.",
		Header: []string{""},
	}
	var spent []map[string]float64
	for _, side := range restSides(tb, 1) {
		if !side.Ours && side.Name != httpHand && side.Name != httpBound {
			continue
		}
		f.Header = append(f.Header, side.Name)
		spent = append(spent, profiled(tb, long, side.Do))
	}
	row := func(name string, of func(map[string]float64) float64) {
		cells := []string{name}
		for _, s := range spent {
			cells = append(cells, fmt.Sprintf("%.1f", of(s)))
		}
		f.Rows = append(f.Rows, cells)
	}
	for _, p := range append(parts, part{name: nobodys}) {
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

// profiled does something again and again, and divides the microseconds that each time costs.
func profiled(tb testing.TB, long time.Duration, do func(int) error) map[string]float64 {
	tb.Helper()
	var text bytes.Buffer
	if err := pprof.StartCPUProfile(&text); err != nil {
		tb.Skip("no profile: ", err) // go test makes one itself
	}
	begin, used, n := time.Now(), processors(tb), 0
	for time.Since(begin) < long {
		if err := do(n); err != nil {
			pprof.StopCPUProfile()
			tb.Fatal(err)
		}
		n++
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
		spent[partOf(s)] += float64(s.Value[0])
	}
	for name := range spent {
		spent[name] *= float64(used.Microseconds()) / float64(all) / float64(n)
	}
	delete(spent, server)
	return spent
}

// partOf finds whose a sample is: that of the innermost function that is somebody's.
func partOf(s *profile.Sample) string {
	whose := nobodys
	for _, location := range s.Location { // from the innermost on
		for _, line := range location.Line {
			name := line.Function.Name
			if strings.HasPrefix(name, "net/http.(*conn).") || strings.HasPrefix(name, "net/http.(*connReader).") {
				return server
			}
			for _, p := range parts {
				for _, prefix := range p.calls {
					if whose == nobodys && strings.HasPrefix(name, prefix) {
						whose = p.name
					}
				}
			}
		}
	}
	return whose
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
