package sqlconn

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sqlitePragmas are the pragmas that drivers of SQLite have parameters of their
// own for, the names that mattn's driver reads first.
var sqlitePragmas = []struct {
	pragma string
	params []string
}{
	{"busy_timeout", []string{"_busy_timeout", "_timeout"}},
	{"foreign_keys", []string{"_foreign_keys", "_fk"}},
	{"journal_mode", []string{"_journal_mode", "_journal"}},
	{"synchronous", []string{"_synchronous", "_sync"}},
	{"auto_vacuum", []string{"_auto_vacuum", "_vacuum"}},
	{"cache_size", []string{"_cache_size"}},
	{"case_sensitive_like", []string{"_case_sensitive_like", "_cslike"}},
	{"defer_foreign_keys", []string{"_defer_foreign_keys", "_defer_fk"}},
	{"ignore_check_constraints", []string{"_ignore_check_constraints"}},
	{"locking_mode", []string{"_locking_mode", "_locking"}},
	{"query_only", []string{"_query_only"}},
	{"recursive_triggers", []string{"_recursive_triggers", "_rt"}},
	{"secure_delete", []string{"_secure_delete"}},
	{"writable_schema", []string{"_writable_schema"}},
}

// sqliteBusyTimeout is how long a connection waits for another's lock, in
// milliseconds, when nothing says otherwise.
const sqliteBusyTimeout = "5000"

// sqliteModerncDSN is for modernc.org/sqlite, which runs pragmas.
func sqliteModerncDSN(t target) (string, error) {
	q, err := sqliteParams(t.query)
	if err != nil {
		return "", err
	}
	if q, err = sqliteAsPragmas(q); err != nil {
		return "", err
	}
	if v, ok := q.get("_loc"); ok {
		if strings.EqualFold(v, "auto") {
			v = "Local"
		}
		q = q.without("_loc").with("_timezone", v)
	}
	if !q.has("_time_format", "_time_integer_format") {
		q = q.with("_time_format", "sqlite")
	}
	if !q.has("_timezone") { // SQLite compares times as text: those of one instant have to be one text
		q = q.with("_timezone", "UTC")
	}
	return sqliteName(t.database, q)
}

// sqliteNcrucesDSN is for github.com/ncruces/go-sqlite3, which runs pragmas. It
// writes times as RFC 3339 in the zone that they are in, and has no parameter
// for another.
func sqliteNcrucesDSN(t target) (string, error) {
	q, err := sqliteParams(t.query)
	if err != nil {
		return "", err
	}
	if q, err = sqliteAsPragmas(q); err != nil {
		return "", err
	}
	return sqliteName(t.database, q.without("_loc"))
}

// sqliteMattnDSN is for github.com/mattn/go-sqlite3, which has a parameter for
// each pragma that it knows and passes over all others in silence: one that it
// does not know is refused here. Its _loc is of what is read alone; it writes
// times in the zone that they are in.
func sqliteMattnDSN(t target) (string, error) {
	q, err := sqliteParams(t.query)
	if err != nil {
		return "", err
	}
	for _, p := range q {
		if p.key != "_pragma" {
			continue
		}
		name, value, err := splitPragma(p.value)
		if err != nil {
			return "", err
		}
		param := ""
		for _, known := range sqlitePragmas {
			if known.pragma == name {
				param = known.params[0]
			}
		}
		if param == "" || value == "" {
			return "", fmt.Errorf("the sqlite3 driver has no parameter for the pragma %s: run it as a statement, or use modernc.org/sqlite", name)
		}
		q = q.with(param, value)
	}
	q = q.without("_pragma")
	if !q.has("_busy_timeout", "_timeout") {
		q = q.with("_busy_timeout", sqliteBusyTimeout)
	}
	return sqliteName(t.database, q)
}

// sqliteParams translates what Python's sqlite3 module takes.
func sqliteParams(in queryParams) (queryParams, error) {
	var q queryParams
	for _, p := range in {
		switch p.key {
		case "check_same_thread", "cached_statements", "detect_types", "uri", "factory", "autocommit", "charset":
			// How Python's module behaves.
		case "timeout":
			d, err := seconds(p.key, p.value)
			if err != nil {
				return nil, err
			}
			q = q.without("_busy_timeout", "_timeout").with("_busy_timeout", strconv.FormatInt(d.Milliseconds(), 10))
		case "isolation_level":
			switch v := strings.ToLower(p.value); v {
			case "", "none", "autocommit":
			case "deferred", "immediate", "exclusive":
				q = q.with("_txlock", v)
			default:
				return nil, errors.New("isolation_level of SQLite must be DEFERRED, IMMEDIATE or EXCLUSIVE")
			}
		case "_auth", "_auth_user", "_auth_pass", "cipher", "kdf_iter":
			return nil, errors.New("encrypted databases and user authentication of SQLite need a driver of their own: open it yourself and wrap it with sqlconn.New")
		default:
			q = append(q, p)
		}
	}
	return q, nil
}

// sqliteAsPragmas writes mattn's parameters as pragmas and adds the default
// busy timeout.
func sqliteAsPragmas(in queryParams) (queryParams, error) {
	var q queryParams
	busy := false
	for _, p := range in {
		if p.key == "_pragma" {
			name, _, err := splitPragma(p.value)
			if err != nil {
				return nil, err
			}
			busy = busy || name == "busy_timeout"
		}
		for _, known := range sqlitePragmas {
			if slices.Contains(known.params, p.key) {
				busy = busy || known.pragma == "busy_timeout"
				p = queryParam{"_pragma", known.pragma + "(" + p.value + ")"}
				if _, _, err := splitPragma(p.value); err != nil {
					return nil, err
				}
			}
		}
		q = append(q, p)
	}
	if !busy {
		q = append(queryParams{{"_pragma", "busy_timeout(" + sqliteBusyTimeout + ")"}}, q...)
	}
	return q, nil
}

// splitPragma reads name(value), name=value or a name alone. Drivers run a
// pragma as SQL, so nothing passes that could be a second statement.
func splitPragma(s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, "(")
	if ok {
		value, ok = strings.CutSuffix(value, ")")
	} else if name, value, ok = strings.Cut(s, "="); !ok && isSettingName(s) {
		return strings.ToLower(s), "", nil
	}
	name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `'"`)
	if !ok || !isSettingName(name) || value == "" || strings.ContainsFunc(value, func(r rune) bool {
		return r > '~' || !isWordByte(byte(r)) && r != '-' && r != '.' && r != '/'
	}) {
		return "", "", errors.New("a pragma of SQLite must be written name(value), the value a word or a number")
	}
	return strings.ToLower(name), value, nil
}

// sqliteName writes the file: URI of a path. It is always a URI: in a plain
// name drivers drop SQLite's own parameters, mode=ro among them, in silence.
func sqliteName(path string, q queryParams) (string, error) {
	if strings.Contains(path, "\x00") {
		return "", errNUL
	}
	name := path
	if !strings.HasPrefix(path, "file:") {
		name = "file:" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(path)
		if strings.HasPrefix(path, "/") {
			name = "file://" + name[len("file:"):] // an empty authority, lest the path be taken for one
		}
	}
	return name + encodeQuery(q), nil
}

// memoryDSN is the DSN of one in-memory database that all connections of a pool
// share, for drivers of SQLite; another for each value of unique, which must
// differ between connections. It lives as long as one connection to it is open.
//
// It is SQLite's memdb, not mode=memory with cache=shared: in a shared cache
// locks are by table and a busy timeout does not apply, so that readers and
// writers of one pool fail each other with "database table is locked" at once.
// With memdb they wait, as for a file: many readers or one writer. A write
// transaction keeps readers out until it ends, so that a session should use its
// own transaction only. One database holds up to 1 GiB, SQLite's default.
//
// A name that the user gave (file:NAME?mode=memory&cache=shared) is kept: it is
// shared on purpose. DuckDB needs no name: the pool is one database.
func (t target) memoryDSN(unique, driver string) (string, error) {
	named := strings.HasPrefix(t.database, "file:")
	if shared, _ := t.query.get("cache"); t.dialect != "sqlite" || named && shared == "shared" {
		return t.dsn(driver)
	}
	if unique == "" {
		return "", errors.New("an in-memory database needs a name of its own")
	}
	t.database = "file:///" + escapePath(unique, "")
	t.query = t.query.without("mode", "cache", "vfs").with("vfs", "memdb")
	return t.dsn(driver)
}
