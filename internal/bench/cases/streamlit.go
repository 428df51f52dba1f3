package cases

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/sqlconn"
	"github.com/streamconn/streamconn/supabase"
)

// python is a process with Streamlit, which does what a line of JSON says, and answers with how long
// it took.
type python struct {
	in  io.Writer
	out *bufio.Reader
}

type order struct {
	Op      string `json:"op"`
	N       int    `json:"n,omitempty"`
	Rows    int    `json:"rows,omitempty"`
	Threads int    `json:"threads,omitempty"`
	SQLite  string `json:"sqlite,omitempty"`
	URL     string `json:"url,omitempty"`
	Key     string `json:"key,omitempty"`
}

func (p *python) do(o order) (time.Duration, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	answer, err := p.out.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("the script ended: %w", err)
	}
	var took struct {
		Seconds float64
		Error   string
	}
	if err := json.Unmarshal(answer, &took); err != nil {
		return 0, fmt.Errorf("%w: %s", err, answer)
	}
	if took.Error != "" {
		return 0, fmt.Errorf("%s: %s", o.Op, took.Error)
	}
	return time.Duration(took.Seconds * float64(time.Second)), nil
}

func startPython(tb testing.TB, h Host, setup order) *python {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, h.Python, h.Script)
	cmd.Dir, cmd.Stderr = tb.TempDir(), os.Stderr
	cmd.Env = append(os.Environ(), "STREAMLIT_LOGGER_LEVEL=error", "STREAMLIT_BROWSER_GATHER_USAGE_STATS=false")
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	p := &python{in, bufio.NewReader(out)}
	if _, err := p.do(setup); err != nil {
		tb.Fatal(err)
	}
	return p
}

// streamlit is what it does, beside the same here.
func streamlit(h Host) Table {
	t := Table{
		ID: "streamlit", Title: "Streamlit",
		Text: "Streamlit and st-supabase-connection in a Python process of their own, outside of a running app, which would add to their figures; " +
			"the same rows from the same SQLite file and the same server. Each is compared with the line before it, that does the same here. " +
			"`conn.query` gives a pandas DataFrame of the caller's own, ours a `[]Owner` of the caller's own.",
	}
	for _, threads := range []int{1, 16} {
		for _, n := range []int{10, 1000, 100_000} {
			if threads > 1 && n > 1000 {
				continue // a batch has at least an operation for each thread
			}
			name := rowsName(n) + ", 1 thread"
			if threads > 1 {
				name = fmt.Sprintf("%s, %d threads", rowsName(n), threads)
			}
			t.Cases = append(t.Cases, measure.Case{Name: name, X: float64(n), Goroutines: threads, Prepare: func(tb testing.TB) []measure.Side {
				tb.Helper()
				return streamlitSides(tb, h, n, threads)
			}})
		}
	}
	return t
}

func streamlitSides(tb testing.TB, h Host, n, threads int) []measure.Side {
	tb.Helper()
	ctx, file := context.Background(), filepath.Join(tb.TempDir(), "pets.db")
	reg := world()
	tb.Cleanup(func() { _ = reg.Close() })
	conn := open(tb, "sqlite:///"+file, connection.WithCache(newCache(tb, 256<<20)), connection.WithDefaultTTL(ttl))
	fillSQL(tb, conn, n)
	url := Project(tb)
	sb := project(tb, url)
	p := startPython(tb, h, order{Op: "setup", SQLite: file, URL: url, Key: Key})

	text, uncached := selectOwners(n), conn.WithTTL(0)
	query := func(c *sqlconn.Conn) func(int) error {
		return func(int) error {
			all, err := sqlconn.Query[Owner](ctx, c, text)
			if err != nil {
				return err
			}
			return wantRows(len(all), n)
		}
	}
	var sides []measure.Side
	pair := func(name string, ours func(int) error, theirs, op string) {
		sides = append(sides, measure.Side{Name: name, Ours: true, Against: name, Do: ours}, measure.Side{
			Name: theirs, Against: name,
			Batch: func(count int) (time.Duration, error) {
				return p.do(order{Op: op, N: count, Rows: n, Threads: threads})
			},
		})
	}
	pair("**ours**, `sqlconn.Get`", func(int) error { _, err := sqlconn.Get(ctx, "pets", connection.In(reg)); return err },
		"Streamlit, `st.connection`", "connection")
	pair("**ours**, `sqlconn.Query`, a hit", query(conn), "Streamlit, `conn.query`, a hit", "query_hit")
	pair("**ours**, `sqlconn.Query`, a miss", query(uncached), "Streamlit, `conn.query`, a miss", "query_miss")
	table := func(c *supabase.Conn) func(int) error {
		return func(int) error {
			all, err := supabase.Query[Owner](ctx, c.Table("owners").Select("*").Limit(n))
			if err != nil {
				return err
			}
			return wantRows(len(all), n)
		}
	}
	pair("**ours**, `supabase.Query`, a hit", table(sb), "st-supabase-connection, `execute_query`, a hit", "execute_hit")
	pair("**ours**, `supabase.Query`, a miss", table(sb.WithTTL(0)), "st-supabase-connection, `execute_query`, a miss", "execute_miss")
	return sides
}
