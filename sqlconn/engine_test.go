package sqlconn

import (
	"database/sql"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settingsOf lays settings open, which format themselves without values.
func settingsOf(s engineSettings) map[string]any {
	return map[string]any{
		"open": s.maxOpen(), "idle": s.maxIdle(), "recycle": s.poolRecycle, "timeout": s.poolTimeout, "ping": s.prePing,
		"autocommit": s.autocommit, "isolation": s.isolation, "echo": s.echo, "args": s.connectArgs,
	}
}

func TestParseEngine(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	defaults := m{
		"open": 15, "idle": 5, "recycle": time.Duration(0), "timeout": 30 * time.Second, "ping": false,
		"autocommit": false, "isolation": sql.LevelDefault, "echo": false, "args": m(nil),
	}
	tests := map[string]struct{ given, differs m }{
		"nothing":                        {nil, nil},
		"None everywhere":                {m{"pool_size": nil, "isolation_level": nil, "connect_args": nil, "pool_timeout": nil, "echo": nil}, nil},
		"numbers from TOML":              {m{"pool_size": int64(20), "max_overflow": int64(0), "pool_recycle": int64(3600), "pool_timeout": 2.5}, m{"open": 20, "idle": 20, "recycle": time.Hour, "timeout": 2500 * time.Millisecond}},
		"numbers from code":              {m{"pool_size": 1, "max_overflow": uint8(2), "pool_recycle": 30 * time.Minute, "pool_timeout": time.Minute}, m{"open": 3, "idle": 1, "recycle": 30 * time.Minute, "timeout": time.Minute}},
		"digits from the environment":    {m{"pool_size": " 7 ", "max_overflow": "3", "pool_recycle": "1800", "pool_timeout": "5", "pool_pre_ping": "True", "echo": "1"}, m{"open": 10, "idle": 7, "recycle": 30 * time.Minute, "timeout": 5 * time.Second, "ping": true, "echo": true}},
		"a mounted file":                 {m{"pool_size": "7\n", "isolation_level": plantedSecret("SERIALIZABLE")}, m{"open": 17, "idle": 7, "isolation": sql.LevelSerializable}},
		"a float without a fraction":     {m{"pool_size": 4.0}, m{"open": 14, "idle": 4}},
		"overflow without bound":         {m{"max_overflow": -1}, m{"open": 0}},
		"a pool without bound":           {m{"pool_size": 0}, m{"open": 0, "idle": math.MaxInt32}},
		"never recycled":                 {m{"pool_recycle": -1}, nil},
		"never recycled, from a file":    {m{"pool_recycle": "-1"}, nil},
		"durations as Go writes them":    {m{"pool_recycle": "1h", "pool_timeout": "500ms"}, m{"recycle": time.Hour, "timeout": 500 * time.Millisecond}},
		"no wait":                        {m{"pool_timeout": 0}, m{"timeout": time.Duration(0)}},
		"pre-ping":                       {m{"pool_pre_ping": true}, m{"ping": true}},
		"echo of Python's debug":         {m{"echo": "debug"}, m{"echo": true}},
		"an isolation level":             {m{"isolation_level": "REPEATABLE READ"}, m{"isolation": sql.LevelRepeatableRead}},
		"an isolation level, as typed":   {m{"isolation_level": "read_committed"}, m{"isolation": sql.LevelReadCommitted}},
		"read uncommitted":               {m{"isolation_level": "READ UNCOMMITTED"}, m{"isolation": sql.LevelReadUncommitted}},
		"serializable":                   {m{"isolation_level": "SERIALIZABLE"}, m{"isolation": sql.LevelSerializable}},
		"snapshot":                       {m{"isolation_level": "SNAPSHOT"}, m{"isolation": sql.LevelSnapshot}},
		"autocommit as a level":          {m{"isolation_level": "AUTOCOMMIT"}, m{"autocommit": true}},
		"autocommit over a level":        {m{"isolation_level": "SERIALIZABLE", "autocommit": true}, m{"autocommit": true}},
		"autocommit off":                 {m{"autocommit": false, "isolation_level": "SERIALIZABLE"}, m{"isolation": sql.LevelSerializable}},
		"execution options":              {m{"execution_options": m{"isolation_level": "AUTOCOMMIT", "stream_results": true}}, m{"autocommit": true}},
		"a level over execution options": {m{"execution_options": m{"isolation_level": "AUTOCOMMIT"}, "isolation_level": "SERIALIZABLE"}, m{"isolation": sql.LevelSerializable}},
		"connect_args":                   {m{"connect_args": m{"timeout": int64(5)}}, m{"args": m{"timeout": int64(5)}}},
		"connect_args of strings":        {m{"connect_args": map[string]string{"options": "-c a=b"}}, m{"args": m{"options": "-c a=b"}}},
		"connect_args in JSON":           {m{"connect_args": `{"timeout": 5}`}, m{"args": m{"timeout": 5.0}}},
		"NullPool":                       {m{"poolclass": "sqlalchemy.pool.NullPool"}, m{"open": 0, "idle": -1}},
		"QueuePool":                      {m{"poolclass": "QueuePool", "pool_size": 2}, m{"open": 12, "idle": 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseEngine(tt.given)
			if err != nil {
				t.Fatal(err)
			}
			want := maps.Clone(defaults)
			maps.Copy(want, tt.differs)
			if diff := cmp.Diff(want, settingsOf(got)); diff != "" {
				t.Errorf("settings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// In Streamlit autocommit counts as an argument in code only; in the secrets it
// is ignored in silence.
func TestDefect17_AutocommitInSecretsIsHonoured(t *testing.T) {
	t.Parallel()
	for _, fromSecrets := range []any{true, "true", int64(1)} {
		got, err := parseEngine(map[string]any{"autocommit": fromSecrets})
		if err != nil || !got.autocommit {
			t.Errorf("autocommit = %#v gives %t, %v", fromSecrets, got.autocommit, err)
		}
	}
}

func TestParseEngineRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key   string
		value any
		want  string
	}{
		"a slip":                      {"pool_sise", 5, `unknown engine setting "pool_sise": did you mean "pool_size"?`},
		"letters exchanged":           {"pool_recylce", 5, `did you mean "pool_recycle"?`},
		"nothing like a setting":      {"colour", "hunter2", `unknown engine setting "colour": the settings are pool_size`},
		"a size that is a word":       {"pool_size", "hunter2", "pool_size must be a whole number, at least 0"},
		"a size with a fraction":      {"pool_size", 2.5, "pool_size must be a whole number"},
		"a negative size":             {"pool_size", -1, "pool_size must be"},
		"a huge size":                 {"pool_size", uint64(math.MaxUint64), "pool_size must be"},
		"an overflow below -1":        {"max_overflow", -2, "max_overflow must be a whole number, at least -1"},
		"a table as a size":           {"pool_size", map[string]any{"a": "hunter2"}, "pool_size must be"},
		"a negative timeout":          {"pool_timeout", -1, "pool_timeout must be a number of seconds, at least 0"},
		"a recycle below -1":          {"pool_recycle", -2, "pool_recycle must be a number of seconds, or -1 for never"},
		"a timeout that is a word":    {"pool_timeout", "hunter2", "pool_timeout must be"},
		"a timeout that is no number": {"pool_timeout", math.NaN(), "pool_timeout must be"},
		"a switch that is a word":     {"pool_pre_ping", "hunter2", "pool_pre_ping must be true or false"},
		"a switch that is a number":   {"autocommit", 2, "autocommit must be true or false"},
		"an unknown level":            {"isolation_level", "hunter2", "isolation_level must be READ UNCOMMITTED"},
		"a level that is no text":     {"isolation_level", 1, "isolation_level must be"},
		"connect_args as a text":      {"connect_args", "hunter2", "connect_args must be a table"},
		"connect_args as a list":      {"connect_args", []any{"hunter2"}, "connect_args must be a table"},
		"a static pool":               {"poolclass", "StaticPool", `poolclass must be "QueuePool" or "NullPool"`},
		"a creator":                   {"creator", "hunter2", "creator is not possible here"},
		"a paramstyle":                {"paramstyle", "named", "paramstyle is not possible here"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseEngine(map[string]any{tt.key: tt.value})
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %q, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestParseEngineTellsWhatItIgnores(t *testing.T) {
	t.Parallel()
	got, err := parseEngine(map[string]any{"pool_use_lifo": true, "future": true, "query_cache_size": 1200, "pool_size": 5})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"future: there is no object mapper",
		"pool_use_lifo: database/sql always takes the connection used last",
		"query_cache_size: there is no SQL compiler to tune",
	}
	if diff := cmp.Diff(want, got.ignored); diff != "" {
		t.Errorf("ignored differs (-want +got):\n%s", diff)
	}
}

func TestEngineSettingsApply(t *testing.T) {
	t.Parallel()
	s, err := parseEngine(map[string]any{"pool_size": 2, "max_overflow": 1, "pool_recycle": 0})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s.apply(db, true)
	if got := db.Stats().MaxOpenConnections; got != 3 {
		t.Errorf("at most %d connections, want 3", got)
	}
	// Of three connections given back, two are kept.
	var conns []*sql.Conn
	for range 3 {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := db.Stats().Idle; got != 2 {
		t.Errorf("%d idle connections, want 2", got)
	}
}

func TestSessionIsolation(t *testing.T) {
	t.Parallel()
	s, err := parseEngine(map[string]any{"isolation_level": "SERIALIZABLE"})
	if err != nil {
		t.Fatal(err)
	}
	for dialect, want := range map[string]sql.IsolationLevel{
		"postgresql": sql.LevelSerializable, "mysql": sql.LevelSerializable, "sqlite": sql.LevelDefault, "duckdb": sql.LevelDefault,
	} {
		if got := s.sessionIsolation(dialect); got != want {
			t.Errorf("%s: isolation is %v, want %v", dialect, got, want)
		}
	}
}

func FuzzParseEngine(f *testing.F) {
	for _, seed := range [][2]string{
		{"pool_size", "5"},
		{"pool_timeout", "1e400"},
		{"pool_recycle", "-1"},
		{"isolation_level", "READ_COMMITTED"},
		{"connect_args", `{"a":{"b":1}}`},
		{"execution_options", `{"autocommit":"x"}`},
		{"echo", "debug"},
		{"pool_sise", "9"},
		{"poolclass", "."},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		const planted = "pl4nted-S3cret"
		_, err := parseEngine(map[string]any{key: value + planted})
		if err != nil && !strings.Contains(key, "S3cret") && strings.Contains(err.Error(), "S3cret") {
			t.Fatalf("the error shows a value: %v", err)
		}
		got, err := parseEngine(map[string]any{key: value})
		if err != nil {
			return
		}
		if got.maxOpen() < 0 || got.poolTimeout < 0 || got.poolRecycle < 0 {
			t.Fatalf("impossible settings: %v", got)
		}
		_, _ = target{dialect: "postgresql"}.withConnectArgs(got.connectArgs)
	})
}
