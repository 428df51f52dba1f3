//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// report is what was seen.
type report struct {
	length, warm, took time.Duration
	flags              string
	heap               string

	broken   map[string]int
	kinds    []*kind
	outcomes map[string]outcome
	samples  []sample
	wrong    []string
	wrongs   int64
	leaks    []string
}

// window are the samples from the time on from which nothing may grow.
func (r *report) window() []sample {
	i, _ := slices.BinarySearchFunc(r.samples, r.warm, func(s sample, at time.Duration) int { return int(s.At - at) })
	return r.samples[i:]
}

// writeHeap writes a heap profile, if there is to be one.
func (r *report) writeHeap(which string) (err error) {
	if r.heap == "" {
		return nil
	}
	f, err := os.Create(r.heap + "." + which)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pprof.Lookup("heap").WriteTo(f, 0)
}

// verdict is an error for each promise that was broken.
func (r *report) verdict() error {
	var errs []error
	for _, what := range r.wrong {
		errs = append(errs, errors.New(what))
	}
	if more := r.wrongs - int64(len(r.wrong)); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	for _, name := range slices.Sorted(maps.Keys(r.outcomes)) {
		if o := r.outcomes[name]; o.Lost+o.Repeated+o.Unmade > 0 {
			errs = append(errs, fmt.Errorf("%s: %d writes lost, %d repeated, %d that nobody made", name, o.Lost, o.Repeated, o.Unmade))
		} else if o.Acked == 0 {
			errs = append(errs, fmt.Errorf("%s: no write succeeded", name))
		}
	}
	window := r.window()
	if len(window) < enough {
		return errors.Join(append(errs, fmt.Errorf("%d samples are too few to tell anything", len(window)))...)
	}
	for _, q := range quantities {
		if q.resident && raceFlag != "" { // its shadow of all that was ever touched is never given back
			continue
		}
		if g := q.over(window); g.grew() {
			errs = append(errs, fmt.Errorf("%s grew from %.1f to %.1f", q.name, float64(g.First)/q.unit, float64(g.Last)/q.unit))
		}
	}
	for _, leak := range r.leaks {
		errs = append(errs, errors.New(leak))
	}
	for _, k := range r.kinds {
		if k.calls.Load() == k.failed.Load() {
			errs = append(errs, fmt.Errorf("%s: no call of %d succeeded", k.name, k.calls.Load()))
		}
	}
	return errors.Join(errs...)
}

// print writes the tables, in the form that Markdown has for them.
func (r *report) print(to io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v of work on %d processors, %s%s.\n\n", r.took.Round(time.Second), runtime.GOMAXPROCS(0), runtime.Version(), r.flags)

	b.WriteString("| broken | times |\n|---|---:|\n")
	for _, name := range slices.Sorted(maps.Keys(r.broken)) {
		fmt.Fprintf(&b, "| %s | %d |\n", name, r.broken[name])
	}
	b.WriteString("\n| used | calls | failed | longest |\n|---|---:|---:|---:|\n")
	var calls, failed int64
	for _, k := range r.kinds {
		calls, failed = calls+k.calls.Load(), failed+k.failed.Load()
		fmt.Fprintf(&b, "| %s | %d | %d | %v |\n", k.name, k.calls.Load(), k.failed.Load(), time.Duration(k.worst.Load()).Round(10*time.Millisecond))
	}
	fmt.Fprintf(&b, "| all | %d | %d | |\n", calls, failed)
	fmt.Fprintf(&b, "\nWrong answers, reads that failed, errors of no type, calls that hung: %d.\n", r.wrongs)

	b.WriteString("\n| written | tried | told to have succeeded | lost | repeated |\n|---|---:|---:|---:|---:|\n")
	for _, name := range slices.Sorted(maps.Keys(r.outcomes)) {
		o := r.outcomes[name]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name, o.Writes, o.Acked, o.Lost, o.Repeated)
	}

	window := r.window()
	if len(window) > 0 {
		fmt.Fprintf(&b, "\n| held, from %v on | first third | last third | least | most | |\n|---|---:|---:|---:|---:|---|\n", r.warm)
		for _, q := range quantities {
			g := q.over(window)
			says := "flat"
			if g.grew() {
				says = "**grew**"
			}
			fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.1f | %.1f | %s |\n", q.name,
				float64(g.First)/q.unit, float64(g.Last)/q.unit, float64(g.Least)/q.unit, float64(g.Most)/q.unit, says)
		}
	}
	b.WriteString("\n| at | calls | resident, MiB | heap, MiB | goroutines | open files |\n|---:|---:|---:|---:|---:|---:|\n")
	for i, s := range r.samples {
		if every := max(len(r.samples)/20, 1); i%every == every-1 {
			fmt.Fprintf(&b, "| %v | %d | %.1f | %.1f | %d | %d |\n", s.At.Round(time.Second), s.Calls, float64(s.RSS)/mib, float64(s.Heap)/mib, s.Goroutines, s.Files)
		}
	}
	fmt.Fprintf(&b, "\nLeft at the end: %d.\n", len(r.leaks))
	_, err := io.WriteString(to, b.String())
	return err
}
