package cases

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/internal/integration/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// BenchmarkCases measures every case. x-floor is the ratio to the case's first side. The tables and
// pictures come from the command: go run . in the folder above.
func BenchmarkCases(b *testing.B) {
	host := Host{Postgres: func(tb testing.TB) string { return servers.Postgres(tb).URL() }}
	for _, table := range Tables(host) {
		for _, c := range table.Cases {
			b.Run(table.ID+"/"+c.Name, func(b *testing.B) {
				var results []measure.Result
				for b.Loop() {
					if results == nil { // what comes out is measured by many rounds, not by b.N
						results = measure.Run(b, c, measure.Effort{Rounds: 1})
					}
				}
				b.ReportMetric(0, "ns/op")
				for _, r := range results {
					if r.Ours {
						b.ReportMetric(r.Against.Ratio, strings.Join(strings.FieldsFunc(r.Name, func(c rune) bool { return !unicode.IsLetter(c) }), "-")+"/floor")
					}
				}
			})
		}
	}
}

// BenchmarkCounts counts, in the short form.
func BenchmarkCounts(b *testing.B) {
	for b.Loop() {
		for _, count := range Counts() {
			f := count(b, true)
			for _, p := range f.Promises {
				if !p.Holds && f.ID != "procs" { // one round of which says nothing
					b.Errorf("%s: %s, want %s", p.What, p.Got, p.Want)
				}
			}
		}
	}
}
