package sqlconn

import (
	"strings"
	"testing"
)

func TestIsRead(t *testing.T) {
	t.Parallel()
	const all = "postgresql mysql mariadb sqlite duckdb mssql snowflake ?" // ? is an unknown one
	for _, test := range []struct {
		dialects string
		query    string
		read     bool
	}{
		// First words.
		{all, "select 1", true},
		{all, "SELECT * FROM t WHERE a = :a", true},
		{all, "  \r\n\tsElEcT 1", true},
		{all, "-- comment\nselect 1", true},
		{all, "/* comment */ select 1", true},
		{all, "((select 1) union (select 2))", true},
		{all, "( /* c */ ( -- c\n select 1))", true},
		{all, "select 1;", true},
		{all, "select 1 ; -- the end\n /* really */ ", true},
		{all, "with a as (select 1) select * from a", true},
		{all, "with recursive a as (select 1) select * from a", true},
		{"postgresql mysql duckdb snowflake ?", "values (1), (2)", true},
		{"postgresql mysql duckdb ?", "table t", true},
		{"postgresql mysql duckdb snowflake ?", "show tables", true},
		{"mysql duckdb snowflake ?", "describe t", true},
		{"mysql duckdb snowflake ?", "desc t", true},
		{"postgresql mysql sqlite duckdb snowflake ?", "explain select 1", true},
		{"postgresql mysql sqlite duckdb", "explain delete from t", true},
		{"sqlite", "explain query plan select 1", true},
		{"postgresql", "explain (verbose, format json) select 1", true},
		{"mssql", "values (1)", false},  // not Transact-SQL: a procedure of that name
		{"mssql", "show tables", false}, // the same
		{"mssql", "explain t", false},   // the same
		{"mssql", "pragma x", false},    // the same
		{all, "", false},
		{all, " ; ", false},
		{all, "-- select 1", false},
		{all, "/* select 1 */", false},
		{all, "insert into t values (1)", false},
		{all, "INSERT INTO t SELECT * FROM u", false},
		{all, "update t set a = 1", false},
		{all, "delete from t", false},
		{all, "merge into t using u on 1=1 when matched then delete", false},
		{all, "replace into t values (1)", false},
		{all, "create table t (a int)", false},
		{all, "create table t as select 1", false},
		{all, "drop table t", false},
		{all, "truncate t", false},
		{all, "call f()", false},
		{all, "exec f", false},
		{all, "do $$ begin end $$", false},
		{all, "begin", false},
		{all, "commit", false},
		{all, "set a = 1", false},
		{all, "use db", false},
		{all, "copy t to stdout", false},
		{all, "lock table t", false},
		{all, "vacuum", false},
		{all, "analyze t", false},
		{"mariadb", "analyze select 1", false},
		{all, "handler t open", false},
		{all, "from t select 1", false},
		{all, "'select' 1", false},
		{all, `"select" 1`, false},
		{all, "1 select", false},
		{all, "selected 1", false},
		{all, "ſelect 1", false},
		{all, "select_1 from t", false},
		{all, ":select", false},

		// EXPLAIN that runs.
		{"postgresql mysql duckdb ?", "explain analyze select 1", false},
		{"postgresql ?", "explain analyse delete from t", false},
		{"postgresql duckdb ?", "explain (verbose, ANALYZE) delete from t", false},
		{"postgresql ?", "explain (analyze false) select 1", false},
		{"mysql ?", "explain format=tree analyze select 1", false},
		{"mysql ?", "desc analyze delete from t", false},
		{"mysql", "explain format=json into @x select 1", false},
		{"oracle ?", "explain plan for select 1", false},
		{"postgresql", "explain select 'analyze'", true},

		// INTO and locks.
		{all, "select * into u from t", false},
		{"mysql mariadb ?", "select 1 into outfile '/tmp/x'", false},
		{"mysql mariadb ?", "select 1 into @x", false},
		{"postgresql ?", "select 1into t", false},
		{"mysql ?", "table t into outfile '/tmp/x'", false},
		{all, "select 'into', \"x into y\" from t", true},
		{all, "select 1 /* into */ -- into", true},
		{all, "select into_x from t", true},
		{all, "select * from t for update", false},
		{all, "select * from t FOR\n/* c */ UPDATE skip locked", false},
		{all, "select * from t for share", false},
		{all, "select * from t for no key update", false},
		{all, "select * from t for key share nowait", false},
		{all, "select * from t for update of t", false},
		{all, "select * from t lock in share mode", false},
		{all, "with a as (select * from t for update) select * from a", false},
		{all, "select * from t where a = 'for update'", true},
		{"mssql", "select * from t for json auto", true},
		{"mssql", "select * from t with (nolock)", true},
		{"mssql", "select * from t with (updlock)", false},
		{"mssql", "select * from t for system_time as of '2026-01-01'", true},
		{"postgresql", "select substring(a from 1 for 2) from t", true},
		{"mysql", "select * from t force index for join (i)", true},

		// WITH that writes, and its like in parentheses.
		{all, "with a as (delete from t returning *) select * from a", false},
		{all, "with a as (select 1) insert into t select * from a", false},
		{all, "with a as (select 1) update t set x = 1", false},
		{all, "with a as (select 1) delete from t", false},
		{all, "with a as (select 1) merge into t using a on 1=1 when matched then delete", false},
		{"sqlite", "with a as (select 1) replace into t select * from a", false},
		{all, "(with a as (update t set x = 1 returning *) select * from a)", false},
		{all, "with a as (select 'delete' as \"update\") select * from a -- insert", true},
		{all, "with a as (select deleted, updated_at from t) select * from a", true},
		{all, "select * from (delete from t returning *) x", false},
		{"postgresql", "select * from [insert into t values (1) returning a]", false}, // CockroachDB
		{"postgresql", "select * from [ /* c */ delete from t returning a]", false},
		{"postgresql mysql sqlite", "select update from t", true},
		{"mysql", "select insert('abc', 1, 1, 'x')", true},

		// Several statements.
		{all, "select 1; delete from t", false},
		{all, "select 1; select 2", false},
		{all, "select 1;;", false},
		{all, "select ';' from t", true},
		{all, "select 1 /* ; */ -- ; delete", true},
		{"mssql ?", "select 1 delete from t", false},
		{"mssql ?", "select 1\nexec p", false},
		{"mssql ?", "select 1 drop table t", false},
		{"mssql ?", "select 1DELETE from t", false},
		{"mssql ?", "select * from t declare @x int", false},
		{"mssql", "select [delete], [exec] from t", true},
		{"snowflake", "select 1 ->> delete from t", false},
		{"postgresql", "select a ->> 'b' from t", true},

		// Functions that write.
		{all, "select nextval('s')", false},
		{all, "select NEXTVAL ('s')", false},
		{all, "select pg_catalog.setval('s', 1)", false},
		{"postgresql", `select "nextval"('s')`, false},
		{"postgresql", `select U&"n\0065xtval"('s')`, false},
		{"postgresql", "values (nextval('s'))", false},
		{"snowflake", "select s.nextval", false},
		{"mariadb mssql", "select next value for s", false},
		{"mssql", "select next /* c */ value\nfor s", false},
		{"postgresql", "select pg_advisory_lock(1)", false},
		{"postgresql", "select pg_try_advisory_xact_lock(1)", false},
		{"postgresql", "select pg_notify('c', 'x')", false},
		{"postgresql", "select set_config('a', 'b', false)", false},
		{"postgresql", "select lo_unlink(1)", false},
		{"postgresql", "select pg_terminate_backend(1)", false},
		{"postgresql", "select * from dblink('x', 'delete from t') as t(a int)", false},
		{"postgresql", "select query_to_xml('delete from t', true, true, '')", false},
		{"mysql", "select get_lock('a', 1)", false},
		{"mysql", "select release_lock('a')", false},
		{"mysql", "select last_insert_id(5)", false},
		{"sqlite", "select load_extension('x')", false},
		{"sqlite", "select writefile('x', 'y')", false},
		{"mssql", "select * from openquery(s, 'delete from t')", false},
		{"snowflake", "select system$cancel_query('x')", false},
		{"postgresql", "select get_lock from t", true},
		{"postgresql", "select 'nextval(1)'", true},
		{"postgresql", "select count(*), now(), lower(a) from t", true},

		// Pragmas.
		{"sqlite ?", "pragma user_version", true},
		{"sqlite ?", "PRAGMA main.user_version;", true},
		{"sqlite", "pragma journal_mode", true},
		{"sqlite ?", "pragma table_info(t)", true},
		{"sqlite ?", "pragma main.table_info('t') ; -- c", true},
		{"sqlite", "pragma integrity_check(10)", true},
		{"sqlite ?", "pragma user_version = 1", false},
		{"sqlite ?", "pragma user_version=1", false},
		{"sqlite ?", "pragma journal_mode(wal)", false},
		{"sqlite ?", "pragma foreign_keys(off)", false},
		{"sqlite ?", "pragma main.user_version(1)", false},
		{"sqlite", "pragma wal_checkpoint", false},
		{"sqlite", "pragma wal_checkpoint(truncate)", false},
		{"sqlite", "pragma optimize", false},
		{"sqlite", "pragma incremental_vacuum(1)", false},
		{"sqlite", "pragma table_info(t); delete from t", false},
		{"sqlite", "pragma table_info(t; delete from t)", false},
		{"sqlite", "pragma table_info(t) x", false},
		{"sqlite", "pragma table_info(t", false},
		{"sqlite", "pragma", false},
		{"sqlite", "pragma ;", false},
		{"sqlite", "pragma a b", false},
		{"sqlite", "pragma a.", false},
		{"sqlite", `pragma "user_version"`, true},
		{"duckdb", "pragma database_size", true},
		{"duckdb", "pragma enable_profiling", false},
		{"duckdb", "pragma disable_checkpoint_on_shutdown", false},
		{"duckdb", "pragma force_checkpoint", false},

		// Quotes that end elsewhere than they seem to.
		{"mysql mariadb", `select 'a\'; delete from t; -- '`, true},
		{"postgresql sqlite mssql duckdb ?", `select 'a\'; delete from t; -- '`, false},
		{"postgresql sqlite mssql duckdb", `select 'a\', '; delete from t; -- '`, true},
		{"mysql snowflake ?", `select 'a\', '; delete from t; -- '`, false},
		{"postgresql", `select E'a\', '; delete from t; -- '`, false},
		{"postgresql", "select E'a'\n'\\', '; delete from t; -- '", false},
		{"postgresql duckdb snowflake", "select $$ ; delete from t $$", true},
		{"mysql sqlite mssql ?", "select $$ ; delete from t $$", false},
		{"postgresql", "select $a$ $b$ ; delete from t $a$", true},
		{"postgresql", "select x$a$ ; delete from t --$a$", false},
		{"postgresql duckdb mssql", "select 1 /* /* */ ; delete from t */", true},
		{"mysql sqlite snowflake ?", "select 1 /* /* */ ; delete from t -- */", false},
		{"mysql", "select 1 # ; delete from t", true},
		{"postgresql sqlite mssql ?", "select 1 # ; delete from t", false},
		{"snowflake", "select 1 // ; delete from t", true},
		{"postgresql mysql sqlite ?", "select 1 // ; delete from t", false},
		{"postgresql sqlite", "select 5--; delete from t", true},
		{"mysql ?", "select 5--; delete from t", false},
		{"sqlite mssql", "select [a'b] ; delete from t --']", false},
		{"sqlite", "select [;delete from t]", true},
		{"postgresql ?", "select [;delete from t]", false},
		{"sqlite mysql", "select `;delete from t`", true},
		{"postgresql ?", "select `;delete from t`", false},
		{"mysql", `select ";\";delete from t"`, true},
		{"postgresql ?", "select 1 -- x\r; delete from t", false},
		{"mssql ?", "select 1 -- x\rdelete from t", false},
		{"sqlite", "select 1 -- x\r; delete from t", true},
		{"mysql mariadb ?", "select 1 /*! ; delete from t */", false},
		{"mysql mariadb ?", "select 1 /*!50000 into outfile 'x' */", false},
		{"mariadb ?", "select 1 /*M!100000 into outfile 'x' */", false},
		{"mysql", "/*! insert into t */ select 1", false},
		{"mysql postgresql", "select /*+ hint */ 1", true},
		{"oracle", "select q'[']' ; delete from t --']' from dual", false},

		// What cannot be decided.
		{all, "select 'a", false},
		{all, "select \"a", false},
		{all, "select 1 /* a", false},
		{"postgresql duckdb ?", "select $$a", false},
		{"mysql sqlite", "select `a", false},
		{"mssql sqlite", "select [a", false},
		{all, "select \x001", false},
		{all, "select '\x00'", false},
		{all, "select \x01", false},
		{all, "select \xff", false},
		{all, "select '\xff'", false},
		{all, "select\u00a01", false},
		{all, "\ufeffselect 1", false},
		{all, "select \\ 1", false},
		{all, `select a\:\:int from t`, true},
		{all, "select 'é', été from t", true},
	} {
		for dialect := range strings.FieldsSeq(test.dialects) {
			dialect = strings.TrimPrefix(dialect, "?")
			if got := isRead(dialect, test.query); got != test.read {
				t.Errorf("%s: %q is taken for a read: %t", dialect, test.query, got)
			}
		}
	}
}

func TestAnalyseRemembers(t *testing.T) {
	t.Parallel()
	const query = "select 'TestAnalyseRemembers', :a"
	s := analyse("sqlite", placeQuestion, query)
	if !s.read {
		t.Error("it is a read")
	}
	if analyse("sqlite", placeQuestion, strings.Clone(query)) != s {
		t.Error("the same statement was analysed anew")
	}
	for _, other := range []*statement{
		analyse("mysql", placeQuestion, query), analyse("sqlite", placeDollar, query), analyse("sqlite", placeQuestion, query+" "),
	} {
		if other == s {
			t.Error("another dialect, style or text has the same analysis")
		}
	}
	plan, err := s.plan()
	if again, _ := s.plan(); err != nil || again != plan {
		t.Error("the plan was made anew")
	}
	long := query + strings.Repeat(" ", maxStatementText)
	if s := analyse("sqlite", placeQuestion, long); !s.read || s == analyse("sqlite", placeQuestion, long) {
		t.Error("a very long text is remembered, or not understood")
	}
}

func TestAnalyseDoesNotAllocateAgain(t *testing.T) {
	const query = "select 'TestAnalyseDoesNotAllocateAgain'"
	analyse("sqlite", placeQuestion, query)
	if n := testing.AllocsPerRun(100, func() { analyse("sqlite", placeQuestion, query) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Nothing that starts with a word that writes is a read, whatever stands before
// it and behind it, and a read in an unknown dialect is one in all of them.
func FuzzIsRead(f *testing.F) {
	for _, text := range []string{
		"select 1", "with a as (delete from t) select 1", "/*!insert*/ select 1", "select 1 -- \r;delete", `'\'`, "pragma a(b)", "((select 1", "explain (analyze) x",
		"$$", "select E'a'\n'b\\';", "[insert", "select 1;", "q'[", "\u00a0",
	} {
		f.Add(text)
	}
	dialects := []string{"postgresql", "mysql", "mariadb", "sqlite", "duckdb", "mssql", "snowflake"}
	f.Fuzz(func(t *testing.T, text string) {
		everywhere := isRead("", text)
		for _, dialect := range dialects {
			if everywhere && dialect != "mssql" && !isRead(dialect, text) {
				t.Errorf("%q is a read in an unknown dialect, but not in %s", text, dialect)
			}
			for _, write := range []string{"INSERT ", "insert into t values (1) ", " ( (/* c */DELETE ", "-- c\nupdate ", "merge ", "create table t as "} {
				if isRead(dialect, write+text) {
					t.Errorf("%s: %q is taken for a read", dialect, write+text)
				}
			}
			if read := isRead(dialect, "select 1;"+text); read && strings.TrimSpace(text) != "" && !strings.ContainsAny(text, "-#/") {
				t.Errorf("%s: %q behind a semicolon is taken for a read", dialect, text)
			}
		}
	})
}

func BenchmarkAnalyse(b *testing.B) {
	const query = "select id, name, created_at from pet_owners where pet = :pet and created_at > :since order by id"
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			analyse("postgresql", placeDollar, query)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := newStatement("postgresql", placeDollar, query)
			if _, err := s.plan(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bind", func(b *testing.B) {
		b.ReportAllocs()
		params := Params{"pet": "cat", "since": 1}
		for b.Loop() {
			if _, _, err := bindNamed("postgresql", placeDollar, query, params); err != nil {
				b.Fatal(err)
			}
		}
	})
}
