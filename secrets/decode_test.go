package secrets_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/secrets"
)

type embedded struct {
	Host string
	Port uint16
}

type target struct {
	embedded
	Username    string
	Password    secrets.Secret `toml:"PASSWORD"`
	MaxOverflow int8
	DBName      string         `toml:",optional"`
	Ratio       float32        `toml:"ratio,omitempty"`
	AutoCommit  *bool          `toml:"autocommit,omitzero"`
	TTL         time.Duration  `toml:",optional"`
	Since       time.Time      `toml:",optional"`
	Addr        netip.Addr     `toml:",optional"`
	Level       slog.Level     `toml:",optional"`
	Hosts       []string       `toml:",optional"`
	Key         []byte         `toml:",optional"`
	Query       map[string]int `toml:",optional"`
	Any         any            `toml:",optional"`
	Parts       []struct{ Name string }
	Ignored     chan int `toml:"-"`
}

func TestDecodeFillsAStruct(t *testing.T) {
	t.Parallel()
	store := load(t, secrets.WithPath(file(t, `
[connections.pets]
host = "h"
port = "5432"
UserName = "scott"
password = "tiger"
max_overflow = 10
ratio = 2
autocommit = true
ttl = "1m30s"
since = 2026-01-02T03:04:05Z
addr = "::1"
level = "WARN"
hosts = ["a", "b"]
key = "raw"
query = {a = 1}
any = [{b = 2}]
parts = [{name = "one"}, {name = "two"}]
`)))
	yes := true
	want := target{
		embedded: embedded{"h", 5432}, Username: "scott", Password: secrets.NewSecret("tiger"), MaxOverflow: 10,
		DBName: "default", Ratio: 2, AutoCommit: &yes, TTL: 90 * time.Second, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Addr: netip.IPv6Loopback(), Level: slog.LevelWarn, Hosts: []string{"a", "b"}, Key: []byte("raw"),
		Query: map[string]int{"a": 1}, Any: []any{map[string]any{"b": int64(2)}}, Parts: []struct{ Name string }{{"one"}, {"two"}},
	}
	got := target{DBName: "default"}
	if err := store.Decode(&got, "connections", "pets"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(target{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.Any.([]any)[0].(map[string]any)["b"] = 3
	if v, _ := store.Lookup("connections", "pets", "any"); v.([]any)[0].(map[string]any)["b"] != int64(2) {
		t.Error("what was decoded is shared with the store")
	}
}

func TestDecodeReportsEverythingAtOnceAndChangesNothing(t *testing.T) {
	t.Parallel()
	path := file(t, `
[connections.pets]
usrname = "hunter2"
port = 70000
max_overflow = 1.5
ttl = 10
level = 1.5
addr = "hunter2"
hosts = ["a", 1]
PASSWORD = 1
query = {a = "hunter2"}
wholly_other = "hunter2"
parts = [{nam = "hunter2"}]
since = "hunter2"
any = ""
ratio = 1e300
`)
	store := load(t, secrets.WithPath(path))
	before := target{Username: "kept", DBName: "kept"}
	got := before
	err := store.Decode(&got, "connections", "pets")
	decodeErr, ok := errors.AsType[*secrets.DecodeError](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	in := " in " + path + " is "
	want := []string{
		"secrets: connections.pets in " + path + ": no connections.pets.username",
		"no connections.pets.parts.0.name",
		"no connections.pets.host",
		"unknown key connections.pets.parts.0.nam, did you mean name?",
		"unknown key connections.pets.usrname, did you mean username?",
		"unknown key connections.pets.wholly_other",
		"connections.pets.PASSWORD" + in + "an integer, not a string: put it in quotes",
		"connections.pets.max_overflow" + in + "a float, not an integer",
		"connections.pets.ratio" + in + "a number out of range, not one that fits float32",
		"connections.pets.ttl" + in + `an integer, not a duration: write a string with a unit, such as "90s" or "15m"`,
		"connections.pets.since" + in + "a string that it cannot read, not a time.Time",
		"connections.pets.addr" + in + "a string that it cannot read, not a netip.Addr",
		"connections.pets.level" + in + "a float, not an integer",
		"connections.pets.hosts.1" + in + "an integer, not a string: put it in quotes",
		"connections.pets.query.a" + in + "a string that spells no integer, not an integer",
		"connections.pets.port" + in + "a number out of range, not one that fits uint16",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "; ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(decodeErr.Missing) != 3 || len(decodeErr.Unknown) != 3 || len(decodeErr.Wrong) != 10 {
		t.Errorf("%d missing, %d unknown, %d wrong", len(decodeErr.Missing), len(decodeErr.Unknown), len(decodeErr.Wrong))
	}
	if _, ok := errors.AsType[*secrets.TypeError](err); !ok {
		t.Error("the type errors cannot be reached")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error shows a value")
	}
	if diff := cmp.Diff(before, got, cmp.AllowUnexported(target{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("the target changed:\n%s", diff)
	}
}

func TestDecodeLeavesTheRestToRemain(t *testing.T) {
	t.Parallel()
	store := secrets.Of(map[string]any{"a": 1, "b": map[string]any{"c": 2}})
	var got struct {
		A    int
		Rest map[string]any `toml:",remain"`
	}
	if err := store.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"b": map[string]any{"c": int64(2)}}, got.Rest); diff != "" {
		t.Error(diff)
	}
	var bad struct {
		Rest map[string]string `toml:",remain"`
	}
	if err := store.Decode(&bad); err == nil || !strings.Contains(err.Error(), "must be a map[string]any") {
		t.Error(err)
	}
}

func TestDecodePrefersTheExactKey(t *testing.T) {
	t.Parallel()
	store := secrets.Of(map[string]any{"url": "small", "URL": "large"})
	var got struct {
		Large string `toml:"URL"`
		Small string `toml:"url"`
	}
	if err := store.Decode(&got); err != nil || got.Large != "large" || got.Small != "small" {
		t.Error(got, err)
	}
	var one struct{ URL string }
	err := store.Decode(&one)
	if err == nil || !strings.Contains(err.Error(), "unknown key URL") {
		t.Errorf("a second spelling of one key goes unnoticed: %v", err)
	}
}

func TestDecodeNamesOfFields(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"max_pool_size", "MaxPoolSize", "max-pool-size", "MAXPOOLSIZE"} {
		var got struct{ MaxPoolSize int }
		if err := secrets.Of(map[string]any{key: 1}).Decode(&got); err != nil || got.MaxPoolSize != 1 {
			t.Errorf("%s: %v", key, err)
		}
	}
	var tagged struct {
		Size int `toml:"max_pool_size"`
	}
	if err := secrets.Of(map[string]any{"MaxPoolSize": 1}).Decode(&tagged); err == nil {
		t.Error("a tag is more than a hint, and yet another spelling was taken")
	}
	var fields struct {
		URL       string
		DBURLPath string
		UserID    string
		HTTP2     string
	}
	err := secrets.Of(nil).Decode(&fields)
	want := "secrets: the top level in an empty store: no url; no dburl_path; no user_id; no http2"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestDecodeTargets(t *testing.T) {
	t.Parallel()
	store := secrets.Of(map[string]any{"table": map[string]any{"a": 1}, "text": "x", "wait": time.Minute})
	var table map[string]int
	if err := store.Decode(&table, "table"); err != nil || table["a"] != 1 {
		t.Error(table, err)
	}
	var wait time.Duration
	if err := store.Decode(&wait, "wait"); err != nil || wait != time.Minute {
		t.Error(wait, err)
	}
	var pointer *struct{ A int }
	if err := store.Decode(&pointer, "table"); err != nil || pointer.A != 1 {
		t.Error(pointer, err)
	}
	for name, tt := range map[string]struct {
		dst  any
		path string
		want string
	}{
		"no pointer":       {table, "table", "secrets: Decode needs a pointer to fill, not map[string]int"},
		"nil":              {nil, "table", "secrets: Decode needs a pointer to fill, not <nil>"},
		"nil pointer":      {(*int)(nil), "table", "secrets: Decode needs a pointer to fill, not *int"},
		"missing":          {&table, "tables", "secrets: no tables in values given in code; did you mean table?"},
		"text as a struct": {&struct{}{}, "text", "secrets: text in values given in code is a string, not a table"},
		"text as a map":    {&table, "text", "secrets: text in values given in code: text in values given in code is a string, not a table"},
		"channel":          {new(chan int), "text", "secrets: text in values given in code: text in values given in code is a string, not something for a field of type chan int"},
		"map of numbers":   {new(map[int]int), "table", "secrets: table in values given in code: table in values given in code is a table, not something for a field of type map[int]int"},
		"list":             {new([]int), "text", "secrets: text in values given in code: text in values given in code is a string, not a list"},
		"duration":         {new(time.Duration), "text", `secrets: text in values given in code: text in values given in code is a string that spells no duration, not a duration: write a string with a unit, such as "90s" or "15m"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := store.Decode(tt.dst, tt.path); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}
