package supabasetest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/internal/conformance"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// unsupported reads the features that the project in memory goes without.
func unsupported(t *testing.T) []conformance.Feature {
	t.Helper()
	data, err := os.ReadFile("testdata/unsupported.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []conformance.Feature
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, conformance.Feature(line))
		}
	}
	return list
}

func TestTheListOfWhatIsMissingOnlyShrinks(t *testing.T) {
	t.Parallel()
	most := []conformance.Feature{conformance.Plans, conformance.GeoJSON, conformance.TextConfigs, conformance.SQLFunctions}
	for _, f := range unsupported(t) {
		if !slices.Contains(most, f) {
			t.Errorf("%s must not be missing", f)
		}
	}
}

// twins are the functions of the suite's schema, of whose bodies in SQL the project in memory has no
// use. by_sql has none, as the suite wants it.
func twins() map[string]supabasetest.Func {
	type (
		tx   = *supabasetest.Tx
		args = supabasetest.Args
	)
	return map[string]supabasetest.Func{
		"add_them": func(_ tx, a args) (any, error) { return a["a"].(int64) + a["b"].(int64), nil },
		"books_by": func(t tx, a args) (any, error) {
			return t.Query(`select b.* from books b join authors a on a.id = b.author_id where a.name = $1`, a["author_name"])
		},
		"whoami": func(t tx, _ args) (any, error) {
			var uid any
			if t.UserID() != "" {
				uid = t.UserID()
			}
			return map[string]any{"role": t.Role(), "uid": uid}, nil
		},
		"void_fn": func(tx, args) (any, error) { return nil, nil },
		"raise_it": func(_ tx, a args) (any, error) {
			return nil, &supabasetest.DatabaseError{Code: "P0001", Message: a["msg"].(string), Hint: "a hint", Details: "some detail"}
		},
		"raise_pt402": func(tx, args) (any, error) {
			return nil, &supabasetest.DatabaseError{Code: "PT402", Message: "Payment Required", Details: "Quota exceeded", Hint: "Upgrade your plan"}
		},
		"echo":          func(_ tx, a args) (any, error) { return a["value"], nil },
		"echo_all":      func(_ tx, a args) (any, error) { return a["items"], nil },
		"nothing":       func(tx, args) (any, error) { return nil, nil },
		"library.greet": func(_ tx, a args) (any, error) { return "library: " + a["name"].(string), nil },
		"touch_author": func(t tx, a args) (any, error) {
			return t.QueryRow(`insert into authors (name) values ($1) on conflict (name) do update set name = excluded.name returning *`, a["author_name"])
		},
		"twice": func(_ tx, a args) (any, error) {
			if n, ok := a["a"].(int64); ok {
				return 2 * n, nil
			}
			return strings.Repeat(a["a"].(string), 2), nil
		},
	}
}

// The cases that the real servers pass.
func TestConformance(t *testing.T) {
	t.Parallel()
	p := conformance.Project{Unsupported: map[conformance.Feature]conformance.Absence{}}
	for _, f := range unsupported(t) {
		p.Unsupported[f] = conformance.NotImplemented
	}
	opts := []supabasetest.Option{
		supabasetest.WithSchema(conformance.Schema, conformance.Extra), supabasetest.WithSchemas("public", "library"), supabasetest.WithRollback(),
	}
	for name, f := range twins() {
		opts = append(opts, supabasetest.WithRPC(name, f))
	}
	s := supabasetest.NewServer(t, opts...)
	p.URL, p.AnonKey, p.ServiceKey, p.HTTPClient, p.Pass = s.URL, s.AnonKey, s.ServiceKey, s.HTTPClient(), s.Advance
	report := conformance.Run(t, p)
	if all := report.Passed + report.Failed + report.NotImplemented + report.Left; report.Passed*100 < 95*all || report.Left > 0 {
		t.Errorf("%d of %d cases pass, want 95 in 100", report.Passed, all)
	}
}
