// The command measures streamconn beside its floor and its peers, and writes what comes out: tables
// and pictures, with the machine and the date.
//
//	cd internal/bench && go run .
//
// It takes about a quarter of an hour, and a machine that does nothing else. It needs PostgreSQL's
// server programs, Python 3.10 or later, and the network, from which it installs Streamlit into a
// folder that is gone afterwards. What is missing is left out, and said.
//
// The same cases, once and without Streamlit: go test -bench . -benchtime 1x ./...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/bench/cases"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/internal/integration/servers"
)

func main() {
	var o options
	flag.StringVar(&o.docs, "docs", filepath.Join("..", "..", "docs"), "the folder for performance.md and the pictures")
	flag.StringVar(&o.python, "python", "python3", "the interpreter; none leaves Streamlit out")
	flag.StringVar(&o.venv, "venv", "", "a folder for Streamlit that is kept, and used again")
	flag.StringVar(&o.only, "only", "", "measure only tables whose ID matches, and write nothing")
	flag.IntVar(&o.effort.Rounds, "rounds", 25, "how often the sides take turns")
	flag.DurationVar(&o.effort.Batch, "batch", 20*time.Millisecond, "how long a turn takes about")
	flag.DurationVar(&o.effort.Enough, "enough", 20*time.Second, "after which a third of the rounds will do")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	docs, python, venv, only string
	effort                   measure.Effort
}

func (o *options) run() error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	report := &report{machine: thisMachine(), effort: o.effort}
	all := &bed{name: "all"}
	defer all.end()
	host := cases.Host{Script: filepath.Join("streamlit", "measure.py"), Postgres: postgres(all)}
	if host.Script, err = filepath.Abs(host.Script); err != nil {
		return err
	}
	if o.python != "none" && only.MatchString("streamlit") {
		if host.Python, err = o.install(all); err != nil {
			report.leftOut = append(report.leftOut, "Streamlit: "+err.Error())
			fmt.Fprintln(os.Stderr, "left out:", report.leftOut)
		}
	}
	for _, table := range cases.Tables(host) {
		if !only.MatchString(table.ID) {
			continue
		}
		m := measured{Table: table}
		for _, c := range table.Cases {
			begin := time.Now()
			var results []measure.Result
			if why := within(table.ID+"/"+c.Name, func(b *bed) { results = measure.Run(b, c, o.effort) }); why != nil {
				if !errors.As(why, new(skipped)) {
					return why
				}
				report.leftOut = append(report.leftOut, why.Error())
				fmt.Fprintln(os.Stderr, "left out:", why)
				break
			}
			m.results = append(m.results, results)
			fmt.Fprintf(os.Stderr, "%s, %s: %v\n", table.ID, c.Name, time.Since(begin).Round(100*time.Millisecond))
		}
		report.tables = append(report.tables, m)
	}
	if only.MatchString("counts") {
		for _, count := range cases.Counts() {
			if err := within("counts", func(b *bed) { report.counts = append(report.counts, count(b, false)) }); err != nil {
				return err
			}
		}
	}
	fmt.Print(report.markdown())
	if o.only != "" {
		return nil
	}
	return report.write(o.docs)
}

// postgres starts a server for all who ask, once, and gives its database.
func postgres(all *bed) func(tb testing.TB) string {
	url := ""
	return func(tb testing.TB) string {
		tb.Helper()
		if url == "" {
			if why := within("postgres", func(*bed) { url = servers.StartPostgres(all).URL() }); why != nil {
				tb.Skip(why)
			}
		}
		return url
	}
}

// install makes an environment with Streamlit, and gives its interpreter.
func (o *options) install(all *bed) (python string, err error) {
	dir := o.venv
	if dir == "" {
		dir = filepath.Join(all.TempDir(), "venv")
	}
	python = filepath.Join(dir, "bin", "python")
	for _, args := range [][]string{
		{o.python, "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", filepath.Join("streamlit", "requirements.txt")},
	} {
		cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(args[0]), args[1], err, text)
		}
	}
	return python, nil
}

// bed is the testing.TB of a run outside of go test: as much of it as the cases use.
type bed struct {
	testing.TB // nil: what is not below panics

	name     string
	cleanups []func()
	failed   error
}

type (
	failure struct{ error }
	skipped struct{ error }
)

// within runs f on a bed of its own, and gives why it failed or was skipped.
func within(name string, f func(*bed)) (why error) {
	b := &bed{name: name}
	defer func() {
		switch x := recover().(type) {
		case nil:
			why = b.failed
		case failure:
			why = x
		case skipped:
			why = x
		default:
			panic(x)
		}
		b.end()
	}()
	f(b)
	return nil
}

func (b *bed) end() {
	for len(b.cleanups) > 0 {
		last := b.cleanups[len(b.cleanups)-1]
		b.cleanups = b.cleanups[:len(b.cleanups)-1]
		last()
	}
	runtime.GC()
}

func (b *bed) Helper()                  {}
func (b *bed) Name() string             { return b.name }
func (b *bed) Context() context.Context { return context.Background() }
func (b *bed) Cleanup(f func())         { b.cleanups = append(b.cleanups, f) }
func (b *bed) Error(args ...any) {
	b.failed = errors.Join(b.failed, b.errorf("%s", fmt.Sprintln(args...)))
}

func (b *bed) Errorf(f string, a ...any) {
	b.failed = errors.Join(b.failed, b.errorf(f, a...))
}

func (b *bed) Fatal(args ...any)            { panic(failure{b.errorf("%s", fmt.Sprintln(args...))}) }
func (b *bed) Fatalf(f string, args ...any) { panic(failure{b.errorf(f, args...)}) }
func (b *bed) Skip(args ...any)             { panic(skipped{b.errorf("%s", fmt.Sprintln(args...))}) }
func (b *bed) Skipf(f string, args ...any)  { panic(skipped{b.errorf(f, args...)}) }

func (b *bed) errorf(format string, args ...any) error {
	return fmt.Errorf(b.name+": "+format, args...)
}

func (b *bed) TempDir() string {
	dir, err := os.MkdirTemp("", "streamconn-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
