// Package report keeps what was promised of each fault and what was seen, and prints it as a table.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// A Case is one fault that was survived, or not.
type Case struct {
	Name     string // what was broken
	Promised string
	Seen     string

	Requests int64 // calls of the library
	Failures int64 // of these, how many got an error
	Retries  int64 // tries after the first, as the library counts them
	Lost     int64 // writes that succeeded and are not in the database
	Repeated int64 // writes that are there more than once
	Leaked   int64 // goroutines, and connections on the server, that are left afterwards
}

// A Table is the cases of a run. Its zero value is ready, and safe for concurrent use.
type Table struct {
	mu    sync.Mutex
	cases []Case
}

// Add adds a case.
func (t *Table) Add(c Case) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cases = append(t.cases, c)
}

// Print writes the table, in the form that Markdown has for tables; nothing if there are no cases.
func (t *Table) Print(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cases) == 0 {
		return nil
	}
	rows := [][]string{{"broken", "promised", "seen", "requests", "failures", "retries", "lost", "repeated", "leaked"}}
	sum := Case{Name: "all"}
	for _, c := range t.cases {
		rows = append(rows, c.row())
		sum.Requests += c.Requests
		sum.Failures += c.Failures
		sum.Retries += c.Retries
		sum.Lost += c.Lost
		sum.Repeated += c.Repeated
		sum.Leaked += c.Leaked
	}
	rows = append(rows, sum.row())
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	const numbers = 3 // the first column of figures
	for n, row := range rows {
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i >= numbers {
				cell = space + cell
			} else {
				cell += space
			}
			text.WriteString("| " + cell + " ")
		}
		text.WriteString("|\n")
		if n == 0 {
			for i, width := range widths {
				dashes := strings.Repeat("-", width+1)
				if i >= numbers {
					text.WriteString("|" + dashes + ":")
				} else {
					text.WriteString("|" + dashes + "-")
				}
			}
			text.WriteString("|\n")
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (c Case) row() []string {
	row := []string{c.Name, c.Promised, c.Seen}
	for _, n := range []int64{c.Requests, c.Failures, c.Retries, c.Lost, c.Repeated, c.Leaked} {
		row = append(row, grouped(n))
	}
	return row
}

// grouped writes a number with a comma after each three digits.
func grouped(n int64) string {
	digits := []byte(fmt.Sprint(n))
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = slices.Insert(digits, at, ',')
	}
	return string(digits)
}
