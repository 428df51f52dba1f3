package fakerest

import (
	"strings"
	"testing"
)

// What expressions come to on a PostgreSQL 15 is in testdata/expressions.txt, one to a line.
func TestExpressions(t *testing.T) {
	t.Parallel()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(readFile(t, "testdata/expressions.txt")) {
		expr, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " => ")
		if !ok {
			t.Fatalf("%q is no expression with its value", line)
		}
		if got := s.text(expr); got != want {
			t.Errorf("%s\n got %s\nwant %s", expr, got, want)
		}
	}
}

// text computes an expression, and writes its value as psql does.
func (s *Server) text(expr string) string {
	p, perr := newParser("select " + expr)
	if perr != nil {
		return perr.Error()
	}
	tx := s.begin(s.db.owner(), nil)
	res, err := p.run(tx, nil, nil)
	if err != nil {
		return "ERROR " + err.Message
	}
	v := res.rows[0][0]
	if v == nil {
		return "NULL"
	}
	return formatValue(res.columns[0].typ, v, tx.locale())
}
