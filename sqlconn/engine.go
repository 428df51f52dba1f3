package sqlconn

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/nearest"
)

// engineSettings are the settings of a pool and of its sessions. What each means is in the
// package's documentation.
type engineSettings struct {
	poolSize    int           // connections kept open; 0: all; negative: none
	overflow    int           // more at a time; negative: no bound
	poolRecycle time.Duration // age at which a connection is replaced; 0: none
	poolTimeout time.Duration // longest wait for a free connection; 0: do not wait
	prePing     bool
	autocommit  bool               // sessions begin no transaction
	isolation   sql.IsolationLevel // of sessions; LevelDefault: the driver's. See sessionIsolation
	echo        bool
	// connectArgs go to target.withConnectArgs. They may hold secrets.
	connectArgs map[string]any
	// ignored says, for each setting without effect, why; for one warning.
	ignored []string
}

// String names what is set, without connect_args.
func (s engineSettings) String() string {
	return fmt.Sprintf("pool_size=%d max_overflow=%d pool_recycle=%v pool_timeout=%v pool_pre_ping=%t autocommit=%t isolation_level=%v echo=%t connect_args=%d",
		s.poolSize, s.overflow, s.poolRecycle, s.poolTimeout, s.prePing, s.autocommit, s.isolation, s.echo, len(s.connectArgs))
}

// Format prints String for every verb: connect_args may hold secrets.
func (s engineSettings) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// maxOpen is for SetMaxOpenConns; 0 is no bound.
func (s engineSettings) maxOpen() int {
	if s.poolSize <= 0 || s.overflow < 0 {
		return 0
	}
	return s.poolSize + s.overflow
}

// maxIdle is for SetMaxIdleConns; negative is none.
func (s engineSettings) maxIdle() int {
	if s.poolSize == 0 {
		return math.MaxInt32
	}
	return s.poolSize
}

// apply sets up the pool. An in-memory database lives in its connections: none
// of them is recycled.
func (s engineSettings) apply(db *sql.DB, inMemory bool) {
	db.SetMaxOpenConns(s.maxOpen())
	db.SetMaxIdleConns(s.maxIdle())
	if !inMemory {
		db.SetConnMaxLifetime(s.poolRecycle)
	}
}

// sessionIsolation is the level to begin a session's transaction with. SQLite
// and DuckDB have one level, at least as strict as any that can be asked for,
// and drivers that may refuse to be told so: they get the default.
func (s engineSettings) sessionIsolation(dialect string) sql.IsolationLevel {
	switch dialect {
	case "sqlite", "duckdb":
		return sql.LevelDefault
	}
	return s.isolation
}

// engineKeys are the settings that parseEngine honours.
var engineKeys = []string{
	"pool_size", "max_overflow", "pool_recycle", "pool_timeout", "pool_pre_ping",
	"isolation_level", "autocommit", "echo", "connect_args", "execution_options", "poolclass",
}

// Why a setting of SQLAlchemy has no effect.
const (
	whyLogging  = "Python's logging is not there; pass a slog.Logger"
	whyCompiler = "there is no SQL compiler to tune"
	whyORM      = "there is no object mapper"
	whyPool     = "database/sql does this by itself"
	whyPython   = "it concerns a Python driver"
)

var ignoredEngineKeys = map[string]string{
	"echo_pool": whyLogging, "logging_name": whyLogging, "pool_logging_name": whyLogging,
	"hide_parameters":  "arguments are never logged",
	"query_cache_size": whyCompiler, "label_length": whyCompiler, "max_identifier_length": whyCompiler,
	"enable_from_linting": whyCompiler, "implicit_returning": whyCompiler,
	"use_insertmanyvalues": whyCompiler, "insertmanyvalues_page_size": whyCompiler,
	"supports_native_boolean": whyCompiler, "case_sensitive": whyCompiler, "empty_in_strategy": whyCompiler,
	"future": whyORM, "strategy": whyORM, "convert_unicode": whyPython, "encoding": whyPython,
	"pool_use_lifo": "database/sql always takes the connection used last", "use_threadlocal": whyPool, "pool_reset_on_return": whyPool,
	"skip_autocommit_rollback": whyPool,
	"executemany_mode":         whyPython, "executemany_batch_page_size": whyPython, "executemany_values_page_size": whyPython,
	"use_batch_mode": whyPython, "use_native_unicode": whyPython, "use_native_hstore": whyPython, "use_native_uuid": whyPython,
	"fast_executemany": whyPython, "use_setinputsizes": whyPython, "arraysize": whyPython, "server_side_cursors": whyPython,
	"native_datetime": whyPython, "client_encoding": "the drivers speak UTF-8", "coerce_to_decimal": whyPython, "thick_mode": whyPython,
	"ignore_no_transaction_on_rollback": whyPython, "legacy_schema_aliasing": whyCompiler,
}

var refusedEngineKeys = map[string]string{
	"creator":              "a function cannot come from a configuration: open the database yourself and wrap it with connection.Of",
	"pool":                 "database/sql is the pool: set pool_size and max_overflow",
	"pool_events":          "there are no pool events",
	"module":               "the driver is chosen by the URL or by driver",
	"dialect":              "the dialect is chosen by the URL or by dialect",
	"plugins":              "plugins of SQLAlchemy are Python programs",
	"paramstyle":           "parameters are written :name, whatever the driver",
	"json_serializer":      "values are given to the driver as they are: marshal them",
	"json_deserializer":    "scan into a type that unmarshals itself",
	"schema_translate_map": "statements are run as they are written",
}

// parseEngine reads the settings. Errors name the setting, never its value.
func parseEngine(given map[string]any) (engineSettings, error) {
	p := engineParser{given: given}
	s := engineSettings{
		poolSize:    p.count("pool_size", 5, 0),
		overflow:    p.count("max_overflow", 10, -1),
		poolRecycle: p.seconds("pool_recycle", 0, true),
		poolTimeout: p.seconds("pool_timeout", 30*time.Second, false),
		prePing:     p.toggle("pool_pre_ping"),
		echo:        p.echo(),
	}
	if p.poolClass() == "NullPool" {
		s.poolSize, s.overflow = -1, -1
	}
	for _, table := range []map[string]any{p.table("execution_options"), given} {
		level := engineParser{given: table, err: p.err}
		if iso, auto, ok := level.isolation(); ok {
			s.isolation, s.autocommit = iso, auto
		}
		// As in Streamlit, autocommit wins over a level.
		if level.toggle("autocommit") {
			s.isolation, s.autocommit = sql.LevelDefault, true
		}
		p.err = level.err
	}
	s.connectArgs = p.table("connect_args")
	if p.err != nil {
		return engineSettings{}, p.err
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(engineKeys, key) {
			continue
		}
		if why, ok := refusedEngineKeys[key]; ok {
			return engineSettings{}, fmt.Errorf("%s is not possible here: %s", key, why)
		}
		why, ok := ignoredEngineKeys[key]
		if !ok {
			return engineSettings{}, unknownEngineKey(key)
		}
		s.ignored = append(s.ignored, key+": "+why)
	}
	return s, nil
}

func unknownEngineKey(key string) error {
	names := slices.Concat(engineKeys, slices.Sorted(maps.Keys(ignoredEngineKeys)))
	if near := nearest.Name(key, names); near != "" {
		return fmt.Errorf("unknown engine setting %q: did you mean %q?", key, near)
	}
	return fmt.Errorf("unknown engine setting %q: the settings are %s", key, strings.Join(engineKeys, ", "))
}

// engineParser reads settings and keeps the first error.
type engineParser struct {
	given map[string]any
	err   error
}

// value is a setting that is there; None is not.
func (p *engineParser) value(key string) (any, bool) {
	v, ok := p.given[key]
	if r, is := v.(revealer); is {
		v = r.Reveal()
	}
	return v, ok && v != nil
}

func (p *engineParser) fail(key, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s must be %s", key, want)
	}
}

// count reads a whole number.
func (p *engineParser) count(key string, def, least int) int {
	v, ok := p.value(key)
	if !ok {
		return def
	}
	n, ok := wholeNumber(v)
	if !ok || n < int64(least) || n > math.MaxInt32/2 {
		p.fail(key, fmt.Sprintf("a whole number, at least %d", least))
		return def
	}
	return int(n)
}

// wholeNumber reads integers, floating numbers without a fraction, and digits.
func wholeNumber(v any) (int64, bool) {
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return 0, false
	case rv.CanInt():
		return rv.Int(), true
	case rv.CanUint():
		return int64(min(rv.Uint(), math.MaxInt64)), true
	case rv.CanFloat():
		f := rv.Float()
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	case rv.Kind() == reflect.String:
		n, err := strconv.ParseInt(strings.TrimSpace(rv.String()), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// seconds reads a duration; -1 is none where that is allowed.
func (p *engineParser) seconds(key string, def time.Duration, none bool) time.Duration {
	v, ok := p.value(key)
	if !ok {
		return def
	}
	d, ok := secondsOf(v)
	if ok && none && d == -time.Second {
		return 0
	}
	if !ok || d < 0 {
		want := "a number of seconds, at least 0"
		if none {
			want = "a number of seconds, or -1 for never"
		}
		p.fail(key, want)
		return def
	}
	return d
}

// secondsOf reads numbers and digits as seconds, time.Duration and "30s" as
// they are.
func secondsOf(v any) (time.Duration, bool) {
	var f float64
	rv := reflect.ValueOf(v)
	switch d, isDuration := v.(time.Duration); {
	case isDuration:
		return d, true
	case !rv.IsValid():
		return 0, false
	case rv.CanInt():
		f = float64(rv.Int())
	case rv.CanUint():
		f = float64(rv.Uint())
	case rv.CanFloat():
		f = rv.Float()
	case rv.Kind() == reflect.String:
		text := strings.TrimSpace(rv.String())
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d, err := time.ParseDuration(text)
			return d, err == nil
		}
		f = n
	default:
		return 0, false
	}
	if math.IsNaN(f) || math.Abs(f) > math.MaxInt64/2/float64(time.Second) {
		return 0, false
	}
	return time.Duration(f * float64(time.Second)), true
}

// toggle reads a switch.
func (p *engineParser) toggle(key string) bool {
	v, ok := p.value(key)
	if !ok {
		return false
	}
	on, ok := truthOf(v)
	if !ok {
		p.fail(key, "true or false")
	}
	return on
}

func truthOf(v any) (on, ok bool) {
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return false, false
	case rv.Kind() == reflect.Bool:
		return rv.Bool(), true
	case rv.Kind() == reflect.String:
		return truth(strings.TrimSpace(rv.String()))
	}
	n, ok := wholeNumber(v)
	return n == 1, ok && (n == 0 || n == 1)
}

// echo is a switch that also knows "debug".
func (p *engineParser) echo() bool {
	if v, ok := p.value("echo"); ok {
		if s, ok := v.(string); ok && strings.EqualFold(strings.TrimSpace(s), "debug") {
			return true
		}
	}
	return p.toggle("echo")
}

// poolClass accepts the two classes that have a counterpart.
func (p *engineParser) poolClass() string {
	v, ok := p.value("poolclass")
	if !ok {
		return ""
	}
	s, _ := v.(string)
	s = s[strings.LastIndexByte(s, '.')+1:]
	switch s {
	case "QueuePool", "AsyncAdaptedQueuePool", "NullPool":
	default:
		p.fail("poolclass", `"QueuePool" or "NullPool": database/sql is the pool; for a single connection set pool_size = 1 and max_overflow = 0`)
	}
	return s
}

// isolation reads isolation_level; ok if it is there.
func (p *engineParser) isolation() (level sql.IsolationLevel, autocommit, ok bool) {
	v, ok := p.value("isolation_level")
	if !ok {
		return sql.LevelDefault, false, false
	}
	s, _ := v.(string)
	switch strings.ToUpper(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == ' ' || r == '-' }), " ")) {
	case "AUTOCOMMIT":
		return sql.LevelDefault, true, true
	case "READ UNCOMMITTED":
		level = sql.LevelReadUncommitted
	case "READ COMMITTED":
		level = sql.LevelReadCommitted
	case "REPEATABLE READ":
		level = sql.LevelRepeatableRead
	case "SERIALIZABLE":
		level = sql.LevelSerializable
	case "SNAPSHOT":
		level = sql.LevelSnapshot
	default:
		p.fail("isolation_level", "READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ, SERIALIZABLE, SNAPSHOT or AUTOCOMMIT")
	}
	return level, false, true
}

// table reads a table; a string is one in JSON, as an environment variable has
// it.
func (p *engineParser) table(key string) map[string]any {
	v, ok := p.value(key)
	if !ok {
		return nil
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.Kind() == reflect.String:
		table := map[string]any{}
		if strings.TrimSpace(rv.String()) == "" {
			return nil
		}
		if err := json.Unmarshal([]byte(rv.String()), &table); err == nil && table != nil {
			return table
		}
	case rv.Kind() == reflect.Map && rv.Type().Key().Kind() == reflect.String:
		table := make(map[string]any, rv.Len())
		for it := rv.MapRange(); it.Next(); {
			table[it.Key().String()] = it.Value().Interface()
		}
		return table
	}
	p.fail(key, "a table of names and values")
	return nil
}
