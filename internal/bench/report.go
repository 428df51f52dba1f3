package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/bench/cases"
	"github.com/streamconn/streamconn/internal/bench/measure"
)

// measured is a table with what came out, case by case.
type measured struct {
	cases.Table
	results [][]measure.Result
}

// report is all that came out.
type report struct {
	machine string
	effort  measure.Effort
	tables  []measured
	counts  []cases.Figures
	leftOut []string
}

// thisMachine says where and when, in a sentence.
func thisMachine() string {
	return fmt.Sprintf("%s, %d processors, %s/%s, %s, load %s at the start; %s",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load(), time.Now().Format("2 January 2006"))
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
		return fields[0]
	}
	return "unknown"
}

// versions are those of the modules that are compared.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var list []string
	for _, m := range info.Deps {
		for _, peer := range []string{
			"ristretto/v2", "otter/v2", "gocache/lib", "go-redis/cache", "x/sync", "sqlx", "scany", "gorm.io/gorm", "jackc/pgx", "modernc.org/sqlite", "postgrest-go", "storage-go",
		} {
			if strings.Contains(m.Path, peer) {
				list = append(list, m.Path+" "+m.Version)
			}
		}
	}
	return strings.Join(list, ", ")
}

const intro = `# What it costs

Written by the command in internal/bench, which anyone can run: ` + "`cd internal/bench && go run .`" + `

Each table compares ways to do the same work, in one run: they take turns, in batches of about %v, for %d
rounds, or a third of that where one takes long; each is compared with the first line, the floor, within the same round; and the median of these
ratios is what is shown, with the median time beside it. The times are this machine's; the ratios are what to
look at. Where all of the work is inside the process, and with one processor, it is the time of processors that counts; else that of the wall.

%s.

Compared are %s; and, from Python, the versions in internal/bench/streamlit/requirements.txt.

`

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, intro, r.effort.Batch, r.effort.Rounds, r.machine, versions())
	for _, why := range r.leftOut {
		fmt.Fprintf(&b, "Left out: %s\n\n", strings.TrimSpace(why))
	}
	r.budgets(&b)
	for _, p := range pictures {
		if p.draw(r) != "" {
			fmt.Fprintf(&b, "![%s](%s)\n\n", p.title, p.file)
		}
	}
	for i := range r.tables {
		r.tables[i].markdown(&b)
	}
	for _, f := range r.counts {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", f.Title, f.Text)
		writeTable(&b, f.Header, f.Rows)
	}
	return b.String()
}

// budgets is what was promised, and whether it holds.
func (r *report) budgets(b *strings.Builder) {
	var rows [][]string
	verdict := func(holds bool) string {
		if holds {
			return "yes"
		}
		return "**no**"
	}
	for _, t := range r.tables {
		for i, c := range t.results {
			for _, s := range c {
				if s.Budget == (measure.Budget{}) {
					continue
				}
				want, got := budget(&s)
				rows = append(rows, []string{t.Title + ", " + t.Cases[i].Name + ": " + s.Name, want, got, verdict(s.Holds())})
			}
		}
	}
	for _, f := range r.counts {
		for _, p := range f.Promises {
			rows = append(rows, []string{p.What, p.Want, p.Got, verdict(p.Holds)})
		}
	}
	if len(rows) > 0 {
		fmt.Fprint(b, "## Budgets\n\n")
		writeTable(b, []string{"", "at most", "measured", "holds"}, rows)
	}
}

func budget(s *measure.Result) (want, got string) {
	var wants, gots []string
	add := func(w, g string) { wants, gots = append(wants, w), append(gots, g) }
	if s.Budget.Times > 0 {
		add(times(s.Budget.Times), times(s.Against.Ratio))
	}
	if s.Budget.AllocTimes > 0 {
		add(times(s.Budget.AllocTimes)+" allocations", times(s.Against.AllocRatio))
	}
	if s.Budget.Allocs != 0 {
		add(fmt.Sprintf("%d allocations", max(0, s.Budget.Allocs)), fmt.Sprintf("%.0f", s.Allocs))
	}
	return strings.Join(wants, ", "), strings.Join(gots, ", ")
}

// markdown writes the table: a line for each side, a column for each case.
func (t *measured) markdown(b *strings.Builder) {
	if len(t.results) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n", t.Title, t.Text)
	header := []string{""}
	var rows [][]string
	for i := range t.results {
		header = append(header, t.Cases[i].Name)
		for _, s := range t.results[i] {
			at := slices.IndexFunc(rows, func(row []string) bool { return row[0] == s.Name })
			if at < 0 {
				at, rows = len(rows), append(rows, []string{s.Name})
			}
			for len(rows[at]) <= i {
				rows[at] = append(rows[at], "")
			}
			cell := fmt.Sprintf("%s · %s", times(s.Against.Ratio), duration(s.Time))
			if s.Allocs >= 0 {
				cell += fmt.Sprintf(" · %s", allocs(s.Allocs))
			}
			rows[at] = append(rows[at], cell)
		}
	}
	writeTable(b, header, rows)
}

func writeTable(b *strings.Builder, header []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(header, " | "), "---|"+strings.Repeat("---:|", len(header)-1))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

func times(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f×", x)
	case x >= 10:
		return fmt.Sprintf("%.1f×", x)
	default:
		return fmt.Sprintf("%.2f×", x)
	}
}

func duration(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= unit.of {
			return fmt.Sprintf("%.3g %s", float64(d)/float64(unit.of), unit.name)
		}
	}
	return fmt.Sprintf("%d ns", d)
}

func allocs(n float64) string {
	if n >= 10_000 {
		return fmt.Sprintf("%.0fk allocs", n/1000)
	}
	return fmt.Sprintf("%.0f allocs", n)
}

func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range pictures {
		if svg := p.draw(r); svg != "" {
			if err := os.WriteFile(filepath.Join(dir, p.file), []byte(svg), 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "performance.md"), []byte(r.markdown()), 0o644)
}
