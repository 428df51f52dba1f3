package secrets_test

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/streamconn/streamconn/secrets"
)

const everyType = `
text = "x"
blank = ""
yes = true
int = 5432
float = 1.5
when = 2026-01-02T03:04:05+02:00
date = 2026-01-02
time = 03:04:05
datetime = 2026-01-02T03:04:05
list = [1, ["a"], {b = 2}]
number = "42"
half = " 0.5 "
off = "FALSE"
[table]
key = "value"
"odd key.1" = "odd"
`

func TestLookupGivesEveryTypeOfTOML(t *testing.T) {
	t.Parallel()
	store := load(t, secrets.WithPath(file(t, everyType)))
	for key, want := range map[string]any{
		"text": "x", "blank": "", "yes": true, "int": int64(5432), "float": 1.5,
		"when":     time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 2*60*60)),
		"date":     toml.LocalDate{Year: 2026, Month: 1, Day: 2},
		"time":     toml.LocalTime{Hour: 3, Minute: 4, Second: 5},
		"datetime": toml.LocalDateTime{LocalDate: toml.LocalDate{Year: 2026, Month: 1, Day: 2}, LocalTime: toml.LocalTime{Hour: 3, Minute: 4, Second: 5}},
		"list":     []any{int64(1), []any{"a"}, map[string]any{"b": int64(2)}},
		"table":    map[string]any{"key": "value", "odd key.1": "odd"},
	} {
		got, ok := store.Lookup(key)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s (-want +got), %v:\n%s", key, ok, diff)
		}
	}
	for _, path := range [][]string{{"none"}, {"table", "none"}, {"text", "below"}, {""}} {
		if v, ok := store.Lookup(path...); ok || v != nil {
			t.Errorf("Lookup(%q) = %v, %v", path, v, ok)
		}
	}
}

func TestTablesAndListsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	path := file(t, everyType)
	store := load(t, secrets.WithPath(path))

	all, _ := store.Lookup()
	all.(map[string]any)["text"] = "changed"
	list, _ := store.Lookup("list")
	list.([]any)[1].([]any)[0] = "changed"
	list.([]any)[2].(map[string]any)["b"] = "changed"
	section, _ := store.Section("table")
	delete(section, "key")

	want, _ := load(t, secrets.WithPath(path)).Section()
	got, _ := store.Section()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the store changed with a caller's copy:\n%s", diff)
	}
}

func TestSectionIsOnlyATable(t *testing.T) {
	t.Parallel()
	store := load(t, secrets.WithPath(file(t, everyType)))
	for _, path := range [][]string{{"text"}, {"list"}, {"none"}, {"table", "key"}} {
		if section, ok := store.Section(path...); ok || section != nil {
			t.Errorf("Section(%q) = %v, %v", path, section, ok)
		}
	}
}

func TestTypedAccess(t *testing.T) {
	t.Parallel()
	path := file(t, everyType)
	store := load(t, secrets.WithPath(path))
	stringOf := func(path ...string) (any, error) { return store.String(path...) }
	intOf := func(path ...string) (any, error) { return store.Int(path...) }
	floatOf := func(path ...string) (any, error) { return store.Float(path...) }
	boolOf := func(path ...string) (any, error) { return store.Bool(path...) }
	for _, tt := range []struct {
		name string
		get  func(...string) (any, error)
		key  string
		want any    // nil: an error
		err  string // after "secrets: KEY in FILE "
	}{
		{"string", stringOf, "text", "x", ""},
		{"empty string is present", stringOf, "blank", "", ""},
		{"string of an integer", stringOf, "int", nil, "is an integer, not a string: put it in quotes"},
		{"string of a boolean", stringOf, "yes", nil, "is a boolean, not a string: put it in quotes"},
		{"string of a table", stringOf, "table", nil, "is a table, not a string"},
		{"string of a list", stringOf, "list", nil, "is a list, not a string"},
		{"string of a date", stringOf, "date", nil, "is a local date, not a string: put it in quotes"},
		{"int", intOf, "int", 5432, ""},
		{"int in a string", intOf, "number", 42, ""},
		{"int of a float", intOf, "float", nil, "is a float, not an integer"},
		{"int of text", intOf, "text", nil, "is a string that spells no integer, not an integer"},
		{"int of an empty string", intOf, "blank", nil, "is a string that spells no integer, not an integer"},
		{"float", floatOf, "float", 1.5, ""},
		{"float of an integer", floatOf, "int", 5432.0, ""},
		{"float in a string", floatOf, "half", 0.5, ""},
		{"float of text", floatOf, "text", nil, "is a string that spells no number, not a number"},
		{"float of a time", floatOf, "when", nil, "is a date and time, not a number"},
		{"bool", boolOf, "yes", true, ""},
		{"bool in a string", boolOf, "off", false, ""},
		{"bool of text", boolOf, "text", nil, "is a string that spells no boolean, not a boolean: write true or false"},
		{"bool of an integer", boolOf, "int", nil, "is an integer, not a boolean"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.get(tt.key)
			if tt.want != nil {
				if got != tt.want || err != nil {
					t.Errorf("got %v, %v, want %v", got, err, tt.want)
				}
				return
			}
			if _, ok := errors.AsType[*secrets.TypeError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if want := "secrets: " + tt.key + " in " + path + " " + tt.err; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func TestSecretReadsAString(t *testing.T) {
	t.Parallel()
	store := load(t, secrets.WithPath(file(t, everyType)))
	secret, err := store.Secret("text")
	if err != nil || secret.Reveal() != "x" {
		t.Errorf("%q, %v", secret.Reveal(), err)
	}
	if _, err := store.Secret("none"); err == nil {
		t.Error("no error for what is not there")
	}
}

func TestMissingErrorNamesTheNearestKey(t *testing.T) {
	t.Parallel()
	store := secrets.Of(map[string]any{
		"connection":   map[string]any{"pets": map[string]any{"usrname": "u", "pool_size": 1}},
		"SUPABASE_URL": "u",
	})
	for _, tt := range []struct{ path, nearest string }{
		{"connections.pets", "connection.pets"},
		{"connections.pets.usrname", "connection.pets.usrname"},
		{"connections.pets.none", "connection"},
		{"connection.pets.username", "connection.pets.usrname"},
		{"connection.pets.PoolSize", "connection.pets.pool_size"},
		{"connection.pets.pool-size", "connection.pets.pool_size"},
		{"connection.pets.password", ""},
		{"supabase_url", "SUPABASE_URL"},
		{"SUPABASE_KEY", ""},
		{"", ""},
	} {
		path := strings.Split(tt.path, ".")
		_, err := store.String(path...)
		missing, ok := errors.AsType[*secrets.MissingError](err)
		if !ok {
			t.Errorf("%s: %T: %v", tt.path, err, err)
			continue
		}
		if got := strings.Join(missing.Nearest, "."); got != tt.nearest {
			t.Errorf("%s: nearest is %q, want %q", tt.path, got, tt.nearest)
		}
		if hint := strings.Contains(err.Error(), "did you mean"); hint != (tt.nearest != "") {
			t.Errorf("%s: %v", tt.path, err)
		}
		if !slices.Equal(missing.Path, path) {
			t.Errorf("Path = %q", missing.Path)
		}
	}
	_, err := store.String("connection", "pets", "username")
	if want := "secrets: no connection.pets.username in values given in code; did you mean connection.pets.usrname?"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestSectionThatIsAStringIsAClearError(t *testing.T) {
	t.Parallel()
	path := file(t, `[connections]
pets = "postgres://u:hunter2@h/d"`)
	store := load(t, secrets.WithPath(path))
	_, err := store.String("connections", "pets", "url")
	want := "secrets: connections.pets in " + path + " is a string, not a table: it must be a table to hold url"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestKeysInErrorsAreQuotedAsInTOML(t *testing.T) {
	t.Parallel()
	_, err := secrets.Of(nil).String("connections", "my pets", "a.b", "", "ok-1_A")
	if want := `secrets: no connections."my pets"."a.b"."".ok-1_A in an empty store`; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestDefect16_EnvironNeverTouchesTheProcess(t *testing.T) {
	t.Setenv("STREAMCONN_TEST_TAKEN", "before")
	t.Setenv("STREAMCONN_TEST_KEPT", "kept")
	path := file(t, `
STREAMCONN_TEST_TAKEN = "after"
STREAMCONN_TEST_INT = 5432
STREAMCONN_TEST_FLOAT = 1.0
STREAMCONN_TEST_SMALL = 0.00001
STREAMCONN_TEST_LARGE = 1e16
STREAMCONN_TEST_INF = -inf
STREAMCONN_TEST_UP = inf
STREAMCONN_TEST_NAN = nan
STREAMCONN_TEST_BOOL = true
STREAMCONN_TEST_LIST = [1]
STREAMCONN_TEST_DATE = 2026-01-01
"STREAMCONN_TEST=ODD" = "x"
"" = "STREAMCONN_TEST"
STREAMCONN_TEST_NUL = "STREAMCONN\u0000"
[STREAMCONN_TEST_TABLE]
a = 1
`)
	before := os.Environ()
	store := load(t, secrets.WithPath(path))
	ours := func() []string {
		return slices.DeleteFunc(store.Environ(), func(pair string) bool { return !strings.Contains(pair, "STREAMCONN_TEST") })
	}
	want := []string{
		"STREAMCONN_TEST_KEPT=kept",
		"STREAMCONN_TEST_FLOAT=1.0",
		"STREAMCONN_TEST_INF=-inf",
		"STREAMCONN_TEST_INT=5432",
		"STREAMCONN_TEST_LARGE=1e+16",
		"STREAMCONN_TEST_NAN=nan",
		"STREAMCONN_TEST_SMALL=1e-05",
		"STREAMCONN_TEST_TAKEN=after",
		"STREAMCONN_TEST_UP=inf",
	}
	if diff := cmp.Diff(want, ours()); diff != "" {
		t.Errorf("Environ (-want +got):\n%s", diff)
	}

	// The original leaves numbers behind when they go from the file.
	write(t, path, "\n")
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	want = []string{"STREAMCONN_TEST_TAKEN=before", "STREAMCONN_TEST_KEPT=kept"}
	if diff := cmp.Diff(want, ours()); diff != "" {
		t.Errorf("Environ of an emptied file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, os.Environ()); diff != "" {
		t.Errorf("the environment of the process changed:\n%s", diff)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	path := file(t, "a = 'x'")
	store := load(t, secrets.WithPath(path))
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			for range 20 {
				if i == 0 {
					write(t, path+".new", "a = '"+strings.Repeat("x", 1+int(store.Version())%7)+"'")
					if err := os.Rename(path+".new", path); err != nil {
						t.Error(err)
					}
				}
				if text, err := store.String("a"); err != nil || text == "" {
					t.Error(text, err)
				}
				if err := store.Refresh(); err != nil {
					t.Error(err)
				}
				cancel := store.OnChange(func() { store.Version() })
				store.Environ()
				_, _ = store.Section()
				_ = store.Where("a")
				cancel()
			}
		})
	}
	group.Wait()
}

func TestNotANumberIsNoChange(t *testing.T) {
	t.Parallel()
	path := file(t, "a = nan\nb = 2026-01-02T03:04:05+02:00\nc = [nan]")
	store := load(t, secrets.WithPath(path))
	write(t, path, "# the same\na = nan\nb = 2026-01-02T03:04:05+02:00\nc = [nan]")
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := store.Version(); got != 1 {
		t.Errorf("Version = %d for equal values", got)
	}
	if x, err := store.Float("a"); err != nil || !math.IsNaN(x) {
		t.Error(x, err)
	}
}
