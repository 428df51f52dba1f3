package sqlconn

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// statement is what one text means to one dialect: whether it only reads, and
// how its named parameters become the driver's. It is immutable and shared.
type statement struct {
	read bool                      // see isRead
	plan func() (*bindPlan, error) // worked out when named parameters are first given
}

type statementKey struct {
	dialect string
	style   placeholderStyle
	query   string
}

// maxStatementText bounds what the cache of statements holds: longer texts, most
// of them generated, are worked out anew each time.
const maxStatementText = 8 << 10

// A program has some hundreds of statements. With two generations of the longest
// texts, each held as it is, cut up, and rewritten, this comes to 24 MiB.
var statements = planCache[statementKey, *statement]{limit: 512}

// analyse returns what query means to dialect ("postgresql", "mysql",
// "mariadb", "sqlite", "duckdb", "mssql", "snowflake"; any other means that it
// is not known) through a driver with placeholders of that style. The result
// is remembered.
func analyse(dialect string, style placeholderStyle, query string) *statement {
	if len(query) > maxStatementText {
		return newStatement(dialect, style, query)
	}
	if s, found := statements.get(statementKey{dialect, style, query}); found {
		return s
	}
	query = strings.Clone(query) // which may be a small part of a large text
	return statements.put(statementKey{dialect, style, query}, newStatement(dialect, style, query))
}

func newStatement(dialect string, style placeholderStyle, query string) *statement {
	return &statement{
		read: isRead(dialect, query),
		plan: sync.OnceValues(func() (*bindPlan, error) { return newBindPlan(dialect, style, query) }),
	}
}

// isRead reports whether a statement only reads, so that it may be cached and
// run again. What it is not sure of is a write: a write that is taken for a
// read could run twice or not at all, a read that is taken for a write only
// runs uncached.
//
// A read is one statement whose first word, after comments and opening
// parentheses, is SELECT, VALUES, TABLE, SHOW, DESCRIBE, DESC, EXPLAIN without
// ANALYZE, PRAGMA without a new value, or WITH. It is none if, outside strings,
// quoted names and comments, it holds
//
//   - INTO, FOR UPDATE, FOR SHARE and their variants, LOCK IN SHARE MODE;
//   - after WITH: INSERT, UPDATE, DELETE or MERGE anywhere; otherwise as the
//     first word in parentheses or brackets;
//   - a semicolon with anything but white space and comments behind it;
//   - a function that is known to change something (nextval, setval,
//     set_config, pg_notify, pg_advisory_lock, get_lock, lo_unlink, dblink …),
//     or NEXT VALUE FOR;
//   - a comment that MySQL executes, a string or comment without an end, a
//     byte that belongs to no token, or invalid UTF-8;
//   - in Transact-SQL, where statements need no semicolon between them, any
//     reserved word that starts another one.
//
// A SELECT of any other function counts as a read, also when that function
// writes: no lexer can know. Run such a statement with Exec, or in a Session.
//
// In an unknown dialect a read is what is one in all of them. Strings are read
// by the dialect's default settings (standard_conforming_strings on in
// PostgreSQL; no ANSI_QUOTES and no NO_BACKSLASH_ESCAPES in MySQL).
func isRead(dialect, query string) bool {
	if strings.IndexByte(query, 0) >= 0 || !utf8.ValidString(query) {
		return false
	}
	if syntax := knownSyntax(dialect); syntax != nil {
		return (&readCheck{lexer: newSQLLexer(syntax, query), batchOnly: syntax.batch}).run()
	}
	for _, syntax := range everySyntax {
		if !(&readCheck{lexer: newSQLLexer(syntax, query)}).run() {
			return false
		}
	}
	return true
}

// readCheck goes over the tokens of one statement.
type readCheck struct {
	lexer     *sqlLexer
	batchOnly bool // Transact-SQL for sure: any other first word is the name of a procedure

	before, last checkedToken // the two tokens before the current one
}

type checkedToken struct {
	sqlToken
	text string // a word in upper case; a mark as it stands
}

func (c *readCheck) next() checkedToken {
	t := checkedToken{sqlToken: c.lexer.next()}
	switch t.kind {
	case sqlWord:
		t.text = upperASCII(c.lexer.word(t.sqlToken))
	case sqlMark:
		t.text = c.lexer.word(t.sqlToken)
	}
	return t
}

func (c *readCheck) run() bool {
	first := c.next()
	for first.kind == sqlMark && first.text == "(" {
		first = c.next()
	}
	if first.kind != sqlWord {
		return false
	}
	forbidden := func(string) bool { return false }
	switch first.text {
	case "SELECT":
	case "WITH":
		forbidden = isDataChange
	case "VALUES", "TABLE", "SHOW":
		if c.batchOnly {
			return false
		}
	case "EXPLAIN", "DESCRIBE", "DESC":
		if c.batchOnly {
			return false
		}
		// Oracle's EXPLAIN PLAN writes the plan to a table; the others show it.
		forbidden = func(word string) bool {
			return word == "ANALYZE" || word == "ANALYSE" || word == "PLAN" && c.last.text == "EXPLAIN"
		}
	case "PRAGMA":
		return !c.batchOnly && c.readsPragma()
	default:
		return false
	}

	for c.last = first; ; {
		t := c.next()
		switch t.kind {
		case sqlEnd:
			return true
		case sqlBroken, sqlUnsure:
			return false
		case sqlWord:
			if forbidden(t.text) || c.writesWord(t.text) {
				return false
			}
		case sqlMark:
			switch {
			case t.text == ";":
				return c.next().kind == sqlEnd
			case t.text == "(" && c.writesCall():
				return false
			}
		}
		c.before, c.last = c.last, t
	}
}

// writesWord tells what a word means after those before it.
func (c *readCheck) writesWord(word string) bool {
	last := c.last.text
	switch word {
	case "INTO", "NEXTVAL": // seq.NEXTVAL needs no parentheses in some dialects
		return true
	case "UPDATE", "SHARE", "NO", "KEY":
		if last == "FOR" {
			return true
		}
	case "IN":
		return last == "LOCK"
	case "FOR":
		return last == "VALUE" && c.before.text == "NEXT"
	}
	if (last == "(" || last == "[") && isDataChange(word) {
		return true
	}
	return c.lexer.batch && startsBatchStatement(word)
}

// writesCall tells whether the name before an opening parenthesis is that of a
// function that changes something.
func (c *readCheck) writesCall() bool {
	name := c.lexer.word(c.last.sqlToken)
	switch c.last.kind {
	case sqlQuoted:
		if c.before.text == "&" && c.before.end == c.last.start {
			return true // U&"…" spells its name with escapes
		}
		name = name[1 : len(name)-1]
	case sqlWord:
	default:
		return false
	}
	name = strings.ToLower(name)
	if writingFunctions[name] {
		return true
	}
	for _, prefix := range writingPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// readsPragma knows the two forms that set nothing: a bare name, unless it is
// the name of an action, and a name with an argument that says what to look at.
func (c *readCheck) readsPragma() bool {
	name, ok := c.pragmaName()
	t := c.next()
	if t.kind == sqlMark && t.text == "." {
		name, ok = c.pragmaName()
		t = c.next()
	}
	switch {
	case !ok:
		return false
	case t.text == "(":
		ok = lookingPragmas[name]
		for t.text != ")" && t.kind != sqlEnd {
			if t = c.next(); t.kind == sqlBroken || t.kind == sqlUnsure || t.text == ";" {
				return false
			}
		}
		ok = ok && t.text == ")"
		t = c.next()
	default:
		ok = !actingPragmas[name] && !isDuckDBSwitch(name)
	}
	if t.text == ";" {
		t = c.next()
	}
	return ok && t.kind == sqlEnd
}

func (c *readCheck) pragmaName() (string, bool) {
	t := c.next()
	return strings.ToLower(strings.Trim(c.lexer.word(t.sqlToken), "\"`[]")), t.kind == sqlWord || t.kind == sqlQuoted
}

// lookingPragmas take an argument and change nothing.
var lookingPragmas = setOf(
	"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check",
	"quick_check", "storage_info", "table_info", "table_list", "table_xinfo",
)

// actingPragmas do something though no value is given.
var actingPragmas = setOf(
	"checkpoint", "force_checkpoint", "incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint",
)

func isDuckDBSwitch(name string) bool {
	return strings.HasPrefix(name, "enable_") || strings.HasPrefix(name, "disable_") || strings.HasPrefix(name, "verify_")
}

func isDataChange(word string) bool {
	switch word {
	case "INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT":
		return true
	}
	return false
}

// startsBatchStatement reports the reserved words of Transact-SQL that start a
// statement, or make a SELECT take locks, and have no place in a query that
// does neither.
func startsBatchStatement(word string) bool {
	switch word {
	case "INSERT", "UPDATE", "DELETE", "MERGE", "EXEC", "EXECUTE", "CREATE", "ALTER", "DROP", "TRUNCATE",
		"GRANT", "REVOKE", "DENY", "BACKUP", "RESTORE", "DBCC", "BULK", "KILL", "SHUTDOWN", "RECONFIGURE",
		"WRITETEXT", "UPDATETEXT", "DECLARE", "SET", "WAITFOR", "IF", "WHILE", "BEGIN", "COMMIT", "ROLLBACK",
		"SAVE", "PRINT", "RAISERROR", "GOTO", "RETURN", "OPEN", "CLOSE", "DEALLOCATE", "CHECKPOINT", "REVERT",
		"UPDLOCK", "XLOCK", "TABLOCKX":
		return true
	}
	return false
}

// writingFunctions change something though they are called in a SELECT. Those
// that run a text given as a string are among them.
var writingFunctions = setOf(
	// sequences
	"nextval", "setval",
	// settings, messages and locks
	"set_config", "pg_notify", "get_lock", "release_lock", "release_all_locks", "service_get_write_locks",
	"last_insert_id", // with an argument it sets what it returns
	// administration
	"pg_cancel_backend", "pg_terminate_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal",
	"pg_create_restore_point", "pg_promote", "pg_start_backup", "pg_stop_backup", "pg_wal_replay_pause",
	"pg_wal_replay_resume", "pg_log_backend_memory_contexts", "pg_export_snapshot", "pg_import_system_collations",
	"checkpoint", "force_checkpoint",
	// large objects and files
	"lowrite", "lo_from_bytea", "load_extension", "writefile",
	// text that is run
	"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml", "xpath_table", "crosstab",
	"openquery", "openrowset", "opendatasource", "postgres_execute", "mysql_execute",
)

var writingPrefixes = []string{
	"pg_advisory_", "pg_try_advisory_", "pg_backup_", "pg_create_", "pg_drop_", "pg_file_", "pg_logical_",
	"pg_replication_", "pg_stat_reset", "lo_", "dblink", "system$",
}

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// upperASCII leaves words with other letters alone: no keyword has any, and
// some of those letters have an ASCII letter as their upper case.
func upperASCII(word string) string {
	for i := range len(word) {
		if word[i] >= utf8.RuneSelf {
			return word
		}
	}
	return strings.ToUpper(word)
}
