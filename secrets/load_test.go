package secrets_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/secrets"
)

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	home, project, code := t.TempDir(), t.TempDir(), t.TempDir()
	// Each place sets its own key and those of all that come before it.
	places := []string{
		write(t, filepath.Join(home, ".streamlit", "secrets.toml"), ""),
		write(t, filepath.Join(project, ".streamlit", "secrets.toml"), ""),
		write(t, filepath.Join(project, "first.toml"), ""),
		write(t, filepath.Join(code, "second.toml"), ""),
		write(t, filepath.Join(code, "third.toml"), ""),
		write(t, filepath.Join(project, "fourth.toml"), ""),
	}
	for i, path := range places {
		var text strings.Builder
		for j := i; j <= len(places); j++ {
			fmt.Fprintf(&text, "from%d = %q\n", j, fmt.Sprint("place ", i))
		}
		write(t, path, text.String())
	}

	store, err := secrets.Load(
		secrets.WithHome(home),
		secrets.WithWorkingDir(project),
		environ(map[string]string{"STREAMCONN_SECRETS": "first.toml" + string(filepath.ListSeparator) + string(filepath.ListSeparator) + places[3]}),
		secrets.WithPath(places[4]),
		secrets.WithOptionalPath("fourth.toml"),
		secrets.WithValues(map[string]any{"from6": "code"}),
		secrets.WithValues(map[string]any{"from6": "later in code"}),
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	for i := range places {
		key := fmt.Sprint("from", i)
		if got, want := get(t, store, key), fmt.Sprint("place ", i); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
		if got := store.Where(key); got != places[i] {
			t.Errorf("Where(%s) = %q, want %q", key, got, places[i])
		}
	}
	if got := get(t, store, "from6"); got != "later in code" {
		t.Errorf("from6 = %q", got)
	}
	if got := store.Where("from6"); got != "values given in code" {
		t.Errorf("Where(from6) = %q", got)
	}
	if diff := cmp.Diff(append(slices.Clone(places), "values given in code"), store.Sources()); diff != "" {
		t.Errorf("Sources (-want +got):\n%s", diff)
	}
	if got := store.Version(); got != 1 {
		t.Errorf("Version = %d, want 1", got)
	}
}

func TestDefect12_TablesMergeKeyByKeyAtEveryDepth(t *testing.T) {
	t.Parallel()
	low := file(t, `
[connections.pets]
url = "low"
ttl = "15m"
[connections.pets.query]
sslmode = "require"
[connections.other]
url = "other"
`)
	high := file(t, `
[connections.pets]
url = "high"
[connections.pets.query]
application_name = "zoo"
`)
	store := load(t, secrets.WithPath(low), secrets.WithPath(high),
		secrets.WithValues(map[string]any{"connections": map[string]any{"pets": map[string]any{"port": 1}}}))
	want := map[string]any{"connections": map[string]any{
		"pets": map[string]any{
			"url": "high", "ttl": "15m", "port": int64(1),
			"query": map[string]any{"sslmode": "require", "application_name": "zoo"},
		},
		"other": map[string]any{"url": "other"},
	}}
	got, _ := store.Section()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"connections.pets.url":           high,
		"connections.pets.ttl":           low,
		"connections.pets.port":          "values given in code",
		"connections.pets.query":         low + ", " + high,
		"connections.pets.query.sslmode": low,
		"connections.other":              low,
		"connections.none":               "",
		"connections.pets.url.more":      "",
	} {
		if got := store.Where(strings.Split(path, ".")...); got != want {
			t.Errorf("Where(%s) = %q, want %q", path, got, want)
		}
	}
}

func TestMergeOfATableAndAValueTakesTheLaterWhole(t *testing.T) {
	t.Parallel()
	table := file(t, "[a]\nfrom = 'table'\nb = 1")
	value := file(t, "a = 'value'")
	again := file(t, "[a]\nc = 1")

	store := load(t, secrets.WithPath(table), secrets.WithPath(value))
	if got := get(t, store, "a"); got != "value" {
		t.Errorf("a = %q", got)
	}
	if got := store.Where("a", "b"); got != "" {
		t.Errorf("Where(a, b) = %q, though a is a value", got)
	}

	store = load(t, secrets.WithPath(table), secrets.WithPath(value), secrets.WithPath(again))
	got, _ := store.Section("a")
	if diff := cmp.Diff(map[string]any{"c": int64(1)}, got); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
	if got := store.Where("a"); got != again {
		t.Errorf("Where(a) = %q, want %q alone", got, again)
	}
}

func TestLoadWithoutAnyFileIsAnEmptyStore(t *testing.T) {
	t.Parallel()
	home, project := t.TempDir(), t.TempDir()
	store, err := secrets.Load(secrets.WithHome(home), secrets.WithWorkingDir(project), secrets.WithEnviron(nil))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := store.Lookup(); !ok || len(v.(map[string]any)) != 0 {
		t.Errorf("Lookup() = %v, %v", v, ok)
	}
	_, err = store.String("connections", "pets", "url")
	missing, ok := errors.AsType[*secrets.MissingError](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	want := fmt.Sprintf("secrets: no connections.pets.url in %s (not there), %s (not there)",
		filepath.Join(home, ".streamlit", "secrets.toml"), filepath.Join(project, ".streamlit", "secrets.toml"))
	if missing.Error() != want {
		t.Errorf("got  %s\nwant %s", missing, want)
	}
}

func TestZeroStoreIsEmpty(t *testing.T) {
	t.Parallel()
	var store secrets.Store
	if _, ok := store.Lookup("a"); ok {
		t.Error("something is there")
	}
	if err := store.Refresh(); err != nil {
		t.Error(err)
	}
	if _, err := store.String("a"); err == nil || err.Error() != "secrets: no a in an empty store" {
		t.Error(err)
	}
}

func TestLoadWithoutAHomeLooksInTheProject(t *testing.T) {
	t.Parallel()
	project := t.TempDir()
	path := write(t, filepath.Join(project, ".streamlit", "secrets.toml"), "a = 'b'")
	store, err := secrets.Load(secrets.WithHome(""), secrets.WithWorkingDir(project), secrets.WithEnviron(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{path}, store.Sources()); diff != "" {
		t.Error(diff)
	}
}

func TestHomeAsWorkingDirectoryIsOneSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := secrets.Load(secrets.WithHome(dir), secrets.WithWorkingDir(dir), secrets.WithEnviron(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(store.Sources()); got != 1 {
		t.Errorf("%d sources: %v", got, store.Sources())
	}
}

func TestRepeatedPathKeepsItsLastPlaceAndItsRequirement(t *testing.T) {
	t.Parallel()
	a, b := file(t, "x = 'a'"), file(t, "x = 'b'")
	store := load(t, secrets.WithPath(a), secrets.WithPath(b), secrets.WithOptionalPath(a))
	if got := get(t, store, "x"); got != "a" {
		t.Errorf("x = %q, want that of the later place", got)
	}
	gone := filepath.Join(t.TempDir(), "gone.toml")
	_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(gone), secrets.WithOptionalPath(gone))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a required path was forgotten: %v", err)
	}
}

func TestOptionsMayServeSeveralStores(t *testing.T) {
	t.Parallel()
	path := file(t, "a = 'one'")
	opts := []secrets.Option{secrets.WithoutDefaults(), secrets.WithPath(path)}
	first := load(t, opts...)
	old(t, write(t, path, "a = 'two'"))
	second := load(t, opts...)
	if a, b := get(t, first, "a"), get(t, second, "a"); a != "one" || b != "two" {
		t.Errorf("first has %q, second %q", a, b)
	}
	// What the second has read is still news to the first.
	if err := first.Refresh(); err != nil || get(t, first, "a") != "two" {
		t.Errorf("after a refresh the first has %q, %v", get(t, first, "a"), err)
	}
}

func TestDefect21_MalformedFileIsNeverNoSecrets(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := write(t, filepath.Join(home, ".streamlit", "secrets.toml"), "[connections.pets]\nurl = postgres://u:p@h/d\n")
	good := file(t, "a = 1")
	store, err := secrets.Load(secrets.WithHome(home), secrets.WithWorkingDir(t.TempDir()), secrets.WithEnviron(nil), secrets.WithPath(good))
	if store != nil {
		t.Error("a store came with the error")
	}
	parseErr, ok := errors.AsType[*secrets.ParseError](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	want := &secrets.ParseError{Path: path, Line: 2, Column: 7, Reason: "no value can begin like this: is the text in quotes?"}
	if diff := cmp.Diff(want, parseErr); diff != "" {
		t.Error(diff)
	}
	if want := "secrets: " + path + ":2:7: no value can begin like this: is the text in quotes?"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestLoadReportsEveryBadFile(t *testing.T) {
	t.Parallel()
	a, b := file(t, "a = "), file(t, "[b")
	_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(a), secrets.WithPath(b))
	if err == nil || !strings.Contains(err.Error(), a) || !strings.Contains(err.Error(), b) {
		t.Errorf("err = %v", err)
	}
}

func TestParseErrorTellsPlaceAndRemedy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text         string
		line, column int
		reason       string
	}{
		"text without quotes":         {"a = hunter2", 1, 5, "in quotes"},
		"no value":                    {"a =\nb = 1", 1, 4, "in quotes"},
		"no value at the end":         {"a =", 1, 3, "two quotes"},
		"open quote":                  {"x = 1\na = \"hunter2\nb = 1", 2, 13, "closing quote"},
		"open quote at the end":       {"a = \"hunter2", 1, 12, "closing quote"},
		"open triple quote":           {"a = '''hunter2", 1, 14, "three closing quotes"},
		"backslash":                   {`a = "C:\hunter2"`, 1, 8, "single quotes"},
		"more after the value":        {`a = "x" hunter2`, 1, 9, "line should end"},
		"key twice":                   {"hunter2 = 1\nhunter2 = 2", 2, 1, "second time"},
		"table twice":                 {"[hunter2]\n[hunter2]", 2, 2, "second time"},
		"value and table":             {"hunter2 = 1\n[hunter2]", 2, 2, "cannot be a table"},
		"open table":                  {"[hunter2", 1, 8, "]"},
		"open list":                   {"a = [1,", 1, 7, "]"},
		"open inline table":           {"a = {b = 1", 1, 10, "}"},
		"big number":                  {"a = 99999999999999999999", 1, 5, "too large"},
		"big float":                   {"a = 1e999", 1, 5, "too large"},
		"number":                      {"a = 1__2", 1, 6, "number"},
		"date":                        {"a = 2026-13-01", 1, 10, "date"},
		"column in characters":        {"\"schlüssel\" = ä", 1, 15, "in quotes"},
		"no UTF-8":                    {"a = \"\xff\"", 1, 6, "UTF-8"},
		"control character":           {"a = 'x\x01'", 1, 7, "control character"},
		"UTF-16":                      {"\xff\xfea\x00=\x001\x00", 1, 1, "UTF-16"},
		"nests too deep":              {"a = " + strings.Repeat("[", 200) + strings.Repeat("]", 200), 0, 0, "128 levels"},
		"key of too many parts":       {strings.Repeat("a.", 200) + "a = 1", 0, 0, "128 levels"},
		"nests deeper than any stack": {"a = " + strings.Repeat("[", 1<<20), 1, 0, "128 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(file(t, tt.text)))
			parseErr, ok := errors.AsType[*secrets.ParseError](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if parseErr.Line != tt.line || tt.column != 0 && parseErr.Column != tt.column {
				t.Errorf("at %d:%d, want %d:%d: %v", parseErr.Line, parseErr.Column, tt.line, tt.column, err)
			}
			if !strings.Contains(parseErr.Reason, tt.reason) {
				t.Errorf("reason %q does not say %q", parseErr.Reason, tt.reason)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestByteOrderMarkAndCarriageReturnsAreTolerated(t *testing.T) {
	t.Parallel()
	store := load(t, secrets.WithPath(file(t, "\xef\xbb\xbfa = 'one'\r\n[b]\r\nc = \"two\"\r\n")))
	if a, c := get(t, store, "a"), get(t, store, "b", "c"); a != "one" || c != "two" {
		t.Errorf("a = %q, b.c = %q", a, c)
	}
	_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(file(t, "\xef\xbb\xbfa = x")))
	if parseErr, ok := errors.AsType[*secrets.ParseError](err); !ok || parseErr.Column != 5 {
		t.Errorf("the mark counts as a column: %v", err)
	}
}

func TestLoadRefusesWhatIsNoSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.toml")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 16<<20+1); err != nil {
		t.Fatal(err)
	}
	device, itself := filepath.Join(dir, "device.toml"), filepath.Join(dir, "itself.toml")
	link(t, os.DevNull, device)
	link(t, itself, itself)
	link(t, os.DevNull, filepath.Join(filepath.Dir(write(t, filepath.Join(dir, "mount", "pets", "username"), "u")), "device"))
	for name, tt := range map[string]struct {
		opt  secrets.Option
		want string
	}{
		"missing file":               {secrets.WithPath(filepath.Join(dir, "none.toml")), "none.toml: file does not exist"},
		"missing in the environment": {environ(map[string]string{"STREAMCONN_SECRETS": "/no/such.toml"}), "/no/such.toml, listed in $STREAMCONN_SECRETS: file does not exist"},
		"other ending":               {secrets.WithPath(write(t, filepath.Join(dir, "secrets.json"), "{}")), "secrets.json: this is neither a .toml file nor a folder"},
		"empty path":                 {secrets.WithPath(""), "empty path"},
		"device":                     {secrets.WithPath(device), "device.toml: this is not a regular file"},
		"device in a folder":         {secrets.WithPath(filepath.Join(dir, "mount")), filepath.Join("pets", "device") + " is not a regular file"},
		"link to itself":             {secrets.WithOptionalPath(itself), "itself.toml: "},
		"too large":                  {secrets.WithPath(huge), "huge.toml: there are more than 16 MiB"},
		"function in code":           {secrets.WithValues(map[string]any{"a": map[string]any{"f": func() {}}}), "a.f is a func()"},
		"nil in code":                {secrets.WithValues(map[string]any{"a": []any{nil}}), "a.0 is nil"},
		"large number in code":       {secrets.WithValues(map[string]any{"a": ^uint64(0)}), "a does not fit"},
		"map with numbers in code":   {secrets.WithValues(map[string]any{"a": map[int]int{}}), "a is a map[int]int"},
		"map in itself":              {secrets.WithValues(cycle()), "128 levels"},
		"no working directory":       {secrets.WithOptionalPath("x.toml"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []secrets.Option{secrets.WithHome(dir), secrets.WithWorkingDir(dir), secrets.WithEnviron(nil), tt.opt}
			_, err := secrets.Load(opts...)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "secrets: ") {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

func cycle() map[string]any {
	m := map[string]any{}
	m["m"] = m
	return m
}

func TestUnreadableFileIsAnError(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("every file is readable here")
	}
	path := file(t, "a = 1")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithOptionalPath(path))
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("err = %v", err)
	}
}

func TestFileWhereAFolderShouldBeIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".streamlit"), "a file of that name")
	if _, err := secrets.Load(secrets.WithHome(dir), secrets.WithWorkingDir(dir), secrets.WithEnviron(nil)); err != nil {
		t.Error(err)
	}
}

func TestMountedFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	password := write(t, filepath.Join(dir, "supabase_key", "value"), "\xef\xbb\xbf  key \n")
	user := write(t, filepath.Join(dir, "pets", "username"), "scott\n")
	write(t, filepath.Join(dir, "pets", "password"), "tiger")
	write(t, filepath.Join(dir, "pets", "empty"), "\n")
	write(t, filepath.Join(dir, "pets", "below", "ignored"), "x")
	write(t, filepath.Join(dir, "binary", "p12"), "\xff\x00 \n")
	write(t, filepath.Join(dir, ".DS_Store"), "x")
	write(t, filepath.Join(dir, "..2026_01_01", "stale", "x"), "x")
	if err := os.Mkdir(filepath.Join(dir, "nothing"), 0o755); err != nil {
		t.Fatal(err)
	}

	store := load(t, secrets.WithPath(dir))
	want := map[string]any{
		"supabase_key": "key",
		"pets":         map[string]any{"username": "scott", "password": "tiger", "empty": ""},
		"binary":       "\xff\x00 \n",
		"nothing":      map[string]any{},
	}
	got, _ := store.Section()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for want, path := range map[string][]string{
		password:                   {"supabase_key"},
		user:                       {"pets", "username"},
		filepath.Join(dir, "pets"): {"pets"},
		dir:                        {},
	} {
		if got := store.Where(path...); got != want {
			t.Errorf("Where(%v) = %q, want %q", path, got, want)
		}
	}
}

func TestMountedFolderAsKubernetesMountsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pets := filepath.Join(dir, "pets")
	write(t, filepath.Join(pets, "..2026_01", "username"), "scott")
	write(t, filepath.Join(pets, "..2026_01", "password"), "tiger")
	link(t, "..2026_01", filepath.Join(pets, "..data"))
	link(t, filepath.Join("..data", "username"), filepath.Join(pets, "username"))
	link(t, filepath.Join("..data", "password"), filepath.Join(pets, "password"))
	link(t, filepath.Join("..data", "removed"), filepath.Join(pets, "removed"))

	store := load(t, secrets.WithPath(dir))
	got, _ := store.Section("pets")
	if diff := cmp.Diff(map[string]any{"username": "scott", "password": "tiger"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	write(t, filepath.Join(pets, "..2026_02", "username"), "SCOTT")
	write(t, filepath.Join(pets, "..2026_02", "password"), "TIGER")
	swap(t, "..2026_02", filepath.Join(pets, "..data"))
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if u, p := get(t, store, "pets", "username"), get(t, store, "pets", "password"); u != "SCOTT" || p != "TIGER" {
		t.Errorf("after the swap: %s, %s", u, p)
	}
}

func TestMountedFolderRefusesAFileInIt(t *testing.T) {
	t.Parallel()
	for name, hint := range map[string]string{
		"password":     "mount every secret in a subfolder of its own",
		"secrets.toml": "give the path of that file",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, name), "hunter2")
		_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(dir))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMountedFolderIsBoundedTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		path := write(t, filepath.Join(dir, "big", name), "")
		if err := os.Truncate(path, 9<<20); err != nil {
			t.Fatal(err)
		}
	}
	_, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(dir))
	if err == nil || !strings.Contains(err.Error(), "16 MiB") {
		t.Errorf("err = %v", err)
	}
}

func TestValuesInCodeBecomeWhatAFileGives(t *testing.T) {
	t.Parallel()
	type level string
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	given := map[string]any{
		"int": 5, "uint8": uint8(6), "float32": float32(1.5), "bool": true, "level": level("high"),
		"bytes": []byte("raw"), "secret": secrets.NewSecret("s"), "time": when, "duration": time.Minute,
		"strings": []string{"a", "b"}, "array": [2]int{1, 2}, "map": map[level]int{"x": 1},
	}
	want := map[string]any{
		"int": int64(5), "uint8": int64(6), "float32": 1.5, "bool": true, "level": "high",
		"bytes": "raw", "secret": "s", "time": when, "duration": time.Minute,
		"strings": []any{"a", "b"}, "array": []any{int64(1), int64(2)}, "map": map[string]any{"x": int64(1)},
	}
	store := secrets.Of(given)
	given["int"] = 6
	given["strings"].([]string)[0] = "changed"
	got, _ := store.Section()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOfPanicsWithTheKeyAndNotTheValue(t *testing.T) {
	t.Parallel()
	defer func() {
		text := fmt.Sprint(recover())
		if !strings.Contains(text, "connections.pets is a struct") || strings.Contains(text, "hunter2") {
			t.Errorf("panic: %s", text)
		}
	}()
	secrets.Of(map[string]any{"connections": map[string]any{"pets": struct{ Password string }{"hunter2"}}})
}
