package fakerest

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// 550 requests and what PostgREST 12.0.2 answered to them, one after the other, on the tables of
// testdata/schema.sql and testdata/answers.sql.

type recordedAnswer struct {
	Who     string   `json:"who"`
	Request string   `json:"request"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
	Status  int      `json:"status"`
	Answer  []string `json:"answer"`
	Text    string   `json:"text"`
}

// answeredFunctions are the bodies of testdata/answers.sql's functions.
func answeredFunctions() map[string]Func {
	functions := map[string]Func{
		"overage": func(tx *Tx, a Args) (any, error) {
			return tx.Query(`select * from people where age between $1 and $2`, a["min_age"], a["max_age"])
		},
		"pair": func(_ *Tx, a Args) (any, error) {
			row := Row{}
			if x, ok := a["x"].(int64); ok {
				row["x2"] = x * 2
			}
			if y, ok := a["y"].(string); ok {
				row["y2"] = y + y
			}
			return []Row{row}, nil
		},
		"onep": func(tx *Tx, a Args) (any, error) { return tx.QueryRow(`select * from people where id = $1`, a["pid"]) },
		"sum_all": func(_ *Tx, a Args) (any, error) {
			var sum any // null, of nothing
			xs, _ := a["xs"].([]any)
			for _, x := range xs {
				if x, ok := x.(int64); ok {
					n, _ := sum.(int64)
					sum = n + x
				}
			}
			return sum, nil
		},
		"takes_json": func(_ *Tx, a Args) (any, error) { return a["1"], nil },
		"nums":       func(*Tx, Args) (any, error) { return []int{1, 2, 3}, nil },
		"denied":     func(*Tx, Args) (any, error) { return 1, nil },
		"ins_tag":    func(tx *Tx, a Args) (any, error) { return tx.Insert("tags", Row{"id": a["i"], "label": a["l"]}) },
		"echo":       func(_ *Tx, a Args) (any, error) { return a["value"], nil },
		"echo_all":   func(_ *Tx, a Args) (any, error) { return a["items"], nil },
		"nothing":    func(*Tx, Args) (any, error) { return nil, nil },
		"twice":      func(_ *Tx, a Args) (any, error) { return a["a"], nil },
		"touch_author": func(tx *Tx, a Args) (any, error) {
			return tx.QueryRow(`insert into authors (name) values ($1) on conflict (name) do update set name = excluded.name returning *`, a["author_name"])
		},
		"library.greet": func(_ *Tx, a Args) (any, error) {
			if name, ok := a["name"].(string); ok {
				return "library: " + name, nil
			}
			return nil, nil
		},
	}
	for name, f := range recordedFunctions {
		if functions[name] == nil {
			functions[name] = f
		}
	}
	return functions
}

var recentStamp = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+\+00(:00)?`)

func TestAnswers(t *testing.T) {
	t.Parallel()
	var list []recordedAnswer
	if err := json.Unmarshal([]byte(readFile(t, "testdata/answers.json")), &list); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{
		Schema:  []string{readFile(t, "testdata/schema.sql"), readFile(t, "testdata/answers.sql")},
		Schemas: []string{"public", "library"}, Functions: answeredFunctions(), AllowRollback: true, MaxRows: 1000,
	})
	for i, rec := range list {
		method, path, _ := strings.Cut(rec.Request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(rec.Body))
		if rec.Who != "" {
			r.Header.Set("Authorization", "Bearer "+rec.Who)
		}
		if rec.Body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, h := range rec.Headers {
			k, v, _ := strings.Cut(h, ": ")
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var answer []string
		for _, k := range []string{"Content-Range", "Content-Location", "Content-Type", "Location", "Preference-Applied", "Www-Authenticate", "Content-Profile", "Allow"} {
			if v := w.Header().Values(k); len(v) > 0 {
				answer = append(answer, k+": "+strings.Join(v, " | "))
			}
		}
		if d := cmp.Diff(strings.Join(rec.Answer, "\n"), strings.Join(answer, "\n")); w.Code != rec.Status || d != "" {
			t.Errorf("%d: %s: status %d, want %d (-want +got)\n%s\n%s", i, rec.Request, w.Code, rec.Status, d, w.Body)
		}
		if d := cmp.Diff(rec.Text, recentStamp.ReplaceAllString(w.Body.String(), "<now>")); d != "" {
			t.Errorf("%d: %s: body (-want +got)\n%s", i, rec.Request, d)
		}
	}
}
