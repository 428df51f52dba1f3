package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The answers of PostgREST 12 that are no success, by the label of their recording, and the cases that
// provoke them.
var recorded = map[string]string{
	"offset past the end with count":               "a range past the end",
	"single object: 0 rows":                        "one row of none",
	"single object: many rows":                     "one row of many",
	"unacceptable media type":                      "a media type",
	"missing table":                                "a table that is not there",
	"misspelt table":                               "a table that is misspelt",
	"missing column in select":                     "a column of Select",
	"missing column in filter":                     "a column of a filter",
	"missing relationship":                         "a relationship",
	"bad operator":                                 "an operator",
	"bad filter, no operator":                      "no operator",
	"bad select syntax":                            "the grammar of select",
	"bad order":                                    "the grammar of order",
	"bad integer":                                  "an integer",
	"wrong schema profile":                         "a schema",
	"Range not satisfiable (reversed)":             "a reversed range",
	"JWT expired":                                  "rest/access/a token that has expired",
	"JWT garbage":                                  "rest/access/tokens that are none",
	"JWT wrong signature":                          "rest/access/tokens that are none",
	"JWT with unknown role":                        "rest/access/a role that is none",
	"insert bulk, representation + count":          "rows with different keys",
	"insert bulk with columns, no missing=default": "columns without their default",
	"insert: unique violation":                     "a duplicate",
	"insert: not null violation":                   "a value that is missing",
	"insert: fk violation":                         "a reference to nothing",
	"insert: check violation":                      "a check",
	"insert: unknown column":                       "an unknown column of Insert",
	"insert: bad value type":                       "a date",
	"insert: broken JSON":                          "a body that is no JSON",
	"insert: empty body":                           "a body that is empty",
	"insert: keys differ without columns":          "rows with different keys",
	"insert: unsupported content type":             "a content type",
	"upsert on bad on_conflict":                    "a column of OnConflict",
	"update: no row, single object":                "an update of one row that is not there",
	"update: unknown column":                       "an unknown column of Update",
	"update: max-affected exceeded":                "more rows than are allowed",
	"bad Prefer under handling=strict":             "a preference",
	"RLS insert for somebody else":                 "rest/access/writes to others' rows",
	"RLS insert as anon":                           "rest/access/writes to others' rows",
	"rpc set, embed":                               "rest/rpc/order by a column that is not selected",
	"rpc: missing function":                        "a function that is not there",
	"rpc: wrong argument name":                     "an argument of another name",
	"rpc: missing argument":                        "an argument that is missing",
	"rpc: bad argument value":                      "an argument of another type",
	"rpc: raise exception":                         "what a function raises",
	"rpc: raise PT402":                             "a status that a function raises",
	"method not allowed":                           "a path",
}

// Each recorded error is provoked by a case. Package database replays the answers.
func TestEveryRecordedErrorHasItsCase(t *testing.T) {
	t.Parallel()
	var recordings []struct {
		Label    string
		Response struct{ Status int }
	}
	read(t, filepath.Join("..", "..", "supabase", "database", "testdata", "postgrest.json"), &recordings)
	var names []string
	for _, k := range Cases() {
		names = append(names, k.Name)
	}
	errors := 0
	for _, r := range recordings {
		if r.Response.Status < 300 {
			continue
		}
		errors++
		name, ok := recorded[r.Label]
		if !strings.Contains(name, "/") {
			name = "rest/errors/" + name
		}
		if !ok || !slices.Contains(names, name) {
			t.Errorf("recording %q (%d): no case %q", r.Label, r.Response.Status, name)
		}
	}
	if errors != len(recorded) {
		t.Errorf("%d recorded errors, and %d in the table", errors, len(recorded))
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(name, err)
	}
}
