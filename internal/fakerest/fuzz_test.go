package fakerest

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A schema is run, or refused with the line that is wrong; it never ends the program.
func FuzzSchema(f *testing.F) {
	f.Add(readFile(f, "testdata/schema.sql"))
	for _, name := range []string{"testdata/schema.sql", "testdata/answers.sql"} {
		for stmt := range strings.SplitSeq(readFile(f, name), ";") {
			f.Add(stmt)
		}
	}
	for line := range strings.Lines(readFile(f, "testdata/expressions.txt")) {
		expr, _, _ := strings.Cut(line, " => ")
		f.Add("create table t (a text check (" + expr + " is null))")
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 1<<14 {
			return
		}
		s, err := New(Config{Schema: []string{sql}})
		if err != nil {
			return
		}
		for _, tab := range s.db.tableOrder {
			if tab.schema != "public" {
				continue
			}
			w := ask(t, s, "service_role GET /"+url.PathEscape(tab.name), "")
			if w.Code == 200 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: %s", tab.name, w.Body)
			}
		}
	})
}

// A request is answered, whatever it asks for, by JSON or CSV.
func FuzzRequest(f *testing.F) {
	var list []recordedAnswer
	if err := json.Unmarshal([]byte(readFile(f, "testdata/answers.json")), &list); err != nil {
		f.Fatal(err)
	}
	for _, rec := range list {
		method, path, _ := strings.Cut(rec.Request, " ")
		path, query, _ := strings.Cut(path, "?")
		f.Add(method, path, query, rec.Body, strings.Join(rec.Headers, "\n"))
	}
	// One database for all, which takes back whatever a request does: making one would be most of the work.
	schema := []string{readFile(f, "testdata/schema.sql"), readFile(f, "testdata/answers.sql")}
	s := start(f, Config{Schema: schema, Functions: answeredFunctions(), AllowRollback: true})
	f.Fuzz(func(t *testing.T, method, path, query, body, headers string) {
		if len(query) > 1<<12 || len(body) > 1<<12 {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		r.Header.Set("Authorization", "Bearer service_role")
		r.Header.Set("Prefer", "tx=rollback")
		for h := range strings.Lines(headers) {
			if k, v, ok := strings.Cut(strings.TrimSpace(h), ": "); ok {
				if strings.EqualFold(k, "Prefer") {
					v = "tx=rollback, " + v // the first decides
				}
				r.Header.Set(k, v)
			}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		media := w.Header().Get("Content-Type")
		if w.Body.Len() > 0 && strings.Contains(media, "json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w.Code >= 500 && w.Code != 501 && !strings.Contains(w.Body.String(), `"55000"`) && !strings.Contains(w.Body.String(), `"54`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// What a type has written it reads as the same value.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{"1", "1.50", "1e20", "NaN", "-infinity", "2020-01-02 03:04:05+01", "0044-03-15 BC", "1 day 02:03:04", "{1,2}", `{"a b",NULL}`, `{"a":[1,{"b":null}]}`, "[1,5)", `\x00ff`, "true", "quick & !fox"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		loc := locale{now: time.Unix(1e9, 0), zone: time.UTC}
		for _, elem := range typeNames {
			if elem.kind == kindTsquery { // which is made of words anew each time
				continue
			}
			for _, typ := range []*typ{elem, arrayOf(elem)} {
				v, err := parseValue(typ, text, loc)
				if err != nil || v == nil {
					continue
				}
				out := formatValue(typ, v, loc)
				again, err := parseValue(typ, out, loc)
				if err != nil {
					t.Errorf("%s: %q is written as %q, which is refused: %v", typ, text, out, err)
					continue
				}
				if typ.ordered() && (compareValues(typ, v, again) != 0 || string(appendKey(nil, typ, v)) != string(appendKey(nil, typ, again))) {
					t.Errorf("%s: %q is written as %q, which is %q", typ, text, out, formatValue(typ, again, loc))
				}
			}
		}
	})
}
