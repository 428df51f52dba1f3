package sqlconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// The DSNs were checked against the drivers' own parsers, with 30,000 random
// usernames, passwords and databases each: go-sql-driver/mysql 1.10.1, pgx
// 5.12.0, lib/pq 1.12.3, go-mssqldb 1.11.2, gosnowflake 1.19.1, go-ora 2.8.24,
// clickhouse-go 2.50.0, trino-go-client 0.333.0.
func TestDSN(t *testing.T) {
	t.Parallel()
	const nasty = `p@s:s/w?o#r'd\ &=%(x)`
	my := func(more string) string { return more + "parseTime=true&loc=UTC&charset=utf8mb4&clientFoundRows=true" }
	encoded := "u:p%40s%3As%2Fw%3Fo%23r%27d%5C%20%26%3D%25%28x%29"
	tests := map[string]struct{ url, driver, want string }{
		"mysql":                            {"mysql+pymysql://" + encoded + "@h/db", "mysql", "u:" + nasty + "@tcp(h:3306)/db?" + my("")},
		"mysql, its own DSN":               {"u:" + nasty + "@tcp(h:1)/db?parseTime=false&loc=Local", "mysql", "u:" + nasty + "@tcp(h:1)/db?parseTime=false&loc=Local&charset=utf8mb4&clientFoundRows=true"},
		"mysql, a socket":                  {"mysql://u@/db?unix_socket=/tmp/s", "mysql", "u@unix(/tmp/s)/db?" + my("")},
		"mysql, a dialer of its own":       {"u@cloudsql(p:r:i)/db", "mysql", "u@cloudsql(p:r:i)/db?" + my("")},
		"mysql, IPv6":                      {"mysql://u@[::1]/db", "mysql", "u@tcp([::1]:3306)/db?" + my("")},
		"mysql, a database to escape":      {"mysql://u@h/a%2Fb%3Fc", "mysql", "u@tcp(h:3306)/a%2Fb%3Fc?" + my("")},
		"mysql, nothing":                   {"mysql://", "mysql", "/?" + my("")},
		"mysql, Python's parameters":       {"mysql://u@h/d?connect_timeout=10&read_timeout=1.5&use_unicode=1&charset=utf8&sql_mode='ANSI'", "mysql", "u@tcp(h:3306)/d?timeout=10s&readTimeout=1.5s&charset=utf8&sql_mode=%27ANSI%27&parseTime=true&loc=UTC&clientFoundRows=true"},
		"mysql, TLS required":              {"mysql://u@h/d?ssl_mode=REQUIRED", "mysql", "u@tcp(h:3306)/d?tls=skip-verify&" + my("")},
		"mysql, TLS verified":              {"mysql://u@h/d?ssl_mode=VERIFY_CA", "mysql", "u@tcp(h:3306)/d?tls=true&" + my("")},
		"mysql, TLS off":                   {"mysql://u@h/d?ssl_disabled=true", "mysql", "u@tcp(h:3306)/d?tls=false&" + my("")},
		"mysql, TLS by its own name":       {"mysql://u@h/d?tls=my%2Fca", "mysql", "u@tcp(h:3306)/d?tls=my%2Fca&" + my("")},
		"postgres":                         {"postgresql+psycopg2://" + encoded + "@h/db?sslmode=require", "pgx", `host='h' port='5432' user='u' password='p@s:s/w?o#r\'d\\ &=%(x)' dbname='db' sslmode='require'`},
		"postgres, for lib/pq":             {"postgres://u@h/db", "postgres", "host='h' port='5432' user='u' dbname='db'"},
		"postgres, many hosts":             {"postgres://u@a:1,b:2/db", "pgx", "host='a,b' port='1,2' user='u' dbname='db'"},
		"postgres, many hosts, one port":   {"postgres://u@a,b/db", "pgx", "host='a,b' port='5432' user='u' dbname='db'"},
		"postgres, a socket":               {"postgresql:///db?host=/run/pg", "pgx", "host='/run/pg' port='5432' dbname='db'"},
		"postgres, nothing":                {"postgresql://", "pgx", ""},
		"postgres, an empty password":      {"postgres://u:@h", "pgx", "host='h' port='5432' user='u' password=''"},
		"postgres, libpq's own parameters": {"postgres://h?keepalives=1&gssencmode=disable&fallback_application_name=me&options=-c+a%3Db", "pgx", "host='h' port='5432' options='-c a=b' application_name='me'"},
		"postgres, asyncpg's ssl":          {"postgresql+asyncpg://h?ssl=true&prepared_statement_cache_size=0", "pgx", "host='h' port='5432' sslmode='require'"},
		"postgres, what it must refuse":    {"postgres://h?sslcrl=x", "pgx", "host='h' port='5432' sslcrl='x'"},
		"cockroach":                        {"cockroachdb://u@h/db", "pgx", "host='h' port='26257' user='u' dbname='db'"},
		"cockroach, nothing":               {"cockroachdb://", "pgx", "port='26257'"},
		"redshift":                         {"redshift+psycopg2://u@h/db", "pgx", "host='h' port='5439' user='u' dbname='db'"},
		"sqlite":                           {"sqlite:///pets.db", "sqlite", "file:pets.db?_pragma=busy_timeout%285000%29&_time_format=sqlite&_timezone=UTC"},
		"sqlite, absolute":                 {"sqlite:////a b/c%?", "sqlite", "file:///a b/c%25?_pragma=busy_timeout%285000%29&_time_format=sqlite&_timezone=UTC"},
		"sqlite, mattn":                    {"sqlite:///pets.db", "sqlite3", "file:pets.db?_busy_timeout=5000"},
		"sqlite, a URI":                    {"sqlite:///file:p.db?mode=ro&uri=true", "sqlite3", "file:p.db?mode=ro&_busy_timeout=5000"},
		"sqlite, Python's parameters":      {"sqlite:///p.db?timeout=1.5&check_same_thread=false&isolation_level=IMMEDIATE", "sqlite", "file:p.db?_pragma=busy_timeout%281500%29&_txlock=immediate&_time_format=sqlite&_timezone=UTC"},
		"sqlite, mattn's parameters":       {"sqlite:///p.db?_fk=on&_journal=WAL&_timeout=7&_loc=auto", "sqlite", "file:p.db?_pragma=foreign_keys%28on%29&_pragma=journal_mode%28WAL%29&_pragma=busy_timeout%287%29&_timezone=Local&_time_format=sqlite"},
		"sqlite, pragmas for mattn":        {"sqlite:///p.db?_pragma=foreign_keys(1)&_pragma=busy_timeout%3D7", "sqlite3", "file:p.db?_foreign_keys=1&_busy_timeout=7"},
		"sqlite, a time zone":              {"sqlite:///p.db?_timezone=Europe%2FBerlin", "sqlite", "file:p.db?_pragma=busy_timeout%285000%29&_timezone=Europe%2FBerlin&_time_format=sqlite"},
		"sqlite, a time format":            {"sqlite:///p.db?_time_format=datetime&_pragma=optimize", "sqlite", "file:p.db?_pragma=busy_timeout%285000%29&_time_format=datetime&_pragma=optimize&_timezone=UTC"},
		"duckdb":                           {"duckdb:///p.duckdb?threads=4&read_only=true", "duckdb", "p.duckdb?threads=4&access_mode=READ_ONLY"},
		"duckdb, in memory":                {"duckdb:///:memory:?threads=4", "duckdb", "?threads=4"},
		"duckdb, MotherDuck":               {"duckdb:///md:db?motherduck_token=t", "duckdb", "md:db?motherduck_token=t"},
		"mssql":                            {"mssql+pyodbc://" + encoded + "@h/db?driver=ODBC+Driver+18+for+SQL+Server&TrustServerCertificate=yes&Encrypt=no", "sqlserver", "sqlserver://u:p%40s%3As%2Fw%3Fo%23r%27d%5C%20&=%25%28x%29@h?database=db&trustservercertificate=true&encrypt=false"},
		"mssql, an instance":               {`mssql://u:p@h\inst/db?app=x&timeout=5`, "sqlserver", "sqlserver://u:p@h/inst?database=db&app+name=x&dial+timeout=5"},
		"mssql, its own URL":               {"sqlserver://u:p@h:1/inst?database=db&Encrypt=strict&encrypt=disable", "sqlserver", "sqlserver://u:p@h:1/inst?database=db&encrypt=disable"},
		"mssql, Entra":                     {"mssql://h/db?Authentication=ActiveDirectoryMsi", "azuresql", "sqlserver://h?database=db&fedauth=ActiveDirectoryMsi"},
		"snowflake":                        {"snowflake://" + encoded + "@acct/db/sch?warehouse=wh&login_timeout=5&numpy=True", "snowflake", "u:p%40s%3As%2Fw%3Fo%23r%27d%5C+%26%3D%25%28x%29@acct/db/sch?warehouse=wh&loginTimeout=5"},
		"oracle":                           {"oracle+oracledb://u:p@h/?service_name=svc", "oracle", "oracle://u:p@h:1521/svc"},
		"oracle, a SID":                    {"oracle+cx_oracle://u:p@h/XE", "oracle", "oracle://u:p@h:1521?SID=XE"},
		"clickhouse":                       {"clickhouse://u:p@a,b:9/db?secure=true", "clickhouse", "clickhouse://u:p@a:9000,b:9/db?secure=true"},
		"clickhouse over HTTP":             {"clickhouse+http://u:p@h/db?protocol=https", "clickhouse", "https://u:p@h:8443/db"},
		"trino":                            {"trino://u@h/cat/sch?source=x", "trino", "http://u@h:8080?source=x&catalog=cat&schema=sch"},
		"trino with a password":            {"trino://u:p@h/cat", "trino", "https://u:p@h:443?catalog=cat"},
		"databricks":                       {"databricks://token:t@h?http_path=/sql/1.0/warehouses/x&catalog=c", "databricks", "token:t@h:443/sql/1.0/warehouses/x?catalog=c"},
		"bigquery":                         {"bigquery://project/dataset", "bigquery", "bigquery://project/dataset"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.dsn(tt.driver)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDSNRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ url, driver, want string }{
		"mysql, a list of hosts":           {"mysql://u:hunter2@a,b/db", "mysql", "one host"},
		"mysql, a colon in the username":   {"mysql://a%3Ab:hunter2@h/db", "mysql", "no colon"},
		"mysql, an @ in the address":       {"mysql://u:hunter2@/db?unix_socket=@abstract", "mysql", "no @"},
		"mysql, certificates":              {"mysql://u:hunter2@h/db?ssl_ca=/ca.pem", "mysql", "RegisterTLSConfig"},
		"mysql, ssl that is no switch":     {"mysql://u:hunter2@h/db?ssl=ca", "mysql", "RegisterTLSConfig"},
		"mysql, a parameter that panics":   {"mysql://u:hunter2@h/db?strict=true", "mysql", "sql_mode"},
		"mysql, a smuggled parameter":      {"mysql://u:hunter2@h/db?charset=utf8%26multiStatements%3Dtrue", "mysql", "charset"},
		"mysql, a smuggled name":           {"mysql://u:hunter2@h/db?a%3Db%26c=d", "mysql", "name of a parameter"},
		"mysql, a timeout that is none":    {"mysql://u:hunter2@h/db?connect_timeout=soon", "mysql", "connect_timeout must be a number of seconds"},
		"postgres, a parameter of pgxpool": {"postgres://u:hunter2@h/db?pool_max_conns=3", "pgx", "pool_size"},
		"postgres, a smuggled name":        {"postgres://u:hunter2@h/db?a%20b=c", "pgx", "name of a parameter"},
		"postgres, a NUL":                  {"postgres://u:hunter2%00@h/db", "pgx", "NUL"},
		"sqlite, a second statement":       {"sqlite:///x?_pragma=a(1)%3B+attach+'b'+as+c", "sqlite", "name(value)"},
		"sqlite, one in mattn's parameter": {"sqlite:///x?_fk=1);+drop+table+t;--", "sqlite", "name(value)"},
		"sqlite, a pragma mattn hasn't":    {"sqlite:///x?_pragma=mmap_size(1)", "sqlite3", "no parameter for the pragma mmap_size"},
		"sqlite, encryption":               {"sqlite:///x?cipher=aes&_auth_pass=hunter2", "sqlite", "driver of their own"},
		"sqlite, an isolation level":       {"sqlite:///x?isolation_level=SERIALIZABLE", "sqlite", "DEFERRED"},
		"duckdb, a path that is no URL":    {"duckdb:///100%.db", "duckdb", "rename"},
		"mssql, a list of hosts":           {"mssql://u:hunter2@a,b/db", "sqlserver", "one host"},
		"snowflake, a list of accounts":    {"snowflake://u:hunter2@a,b/db", "snowflake", "one host"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.dsn(tt.driver)
			if err == nil {
				t.Fatalf("no error, but %s", got)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %q, want it to say %q", err, tt.want)
			}
		})
	}
	if _, err := (target{dialect: "sqlite", database: "a\x00b"}).dsn("sqlite"); !errors.Is(err, errNUL) {
		t.Errorf("a NUL in a path gives %v", err)
	}
}

// What is written for go-sql-driver and libpq is read back by parseURL, which
// follows the drivers' own rules.
func FuzzDSNRoundTrip(f *testing.F) {
	f.Add("user", "pass", "host", uint16(3306), "db", "value")
	f.Add("u@x", `p@:/?#'"\ %41(`, "::1", uint16(1), "a/b?c", "x&y=z")
	f.Add("", "", "", uint16(0), "", "")
	f.Fuzz(func(t *testing.T, user, password, host string, port uint16, database, value string) {
		for _, dialect := range []string{"mysql", "postgresql"} {
			want := target{
				dialect: dialect, username: user, password: password, hasPassword: true, database: database,
				hosts: []hostPort{{host, int(port)}}, query: queryParams{{"loc", value}, {"parseTime", "true"}, {"charset", "utf8mb4"}, {"clientFoundRows", "true"}},
			}
			if dialect == "postgresql" {
				want.query = queryParams{{"application_name", value}}
			}
			text := user + password + host + database + value
			if !validHost(host) || host == "" || strings.HasPrefix(host, "/") || strings.Contains(host, "%") ||
				user == "" || user != strings.TrimSpace(user) || port == 0 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
				return
			}
			if dialect == "postgresql" && database == "" {
				continue
			}
			if dialect == "mysql" && libpqKeywords[strings.ToLower(keywordAt(user+":"))] {
				continue // "host=" as a username reads as libpq's keyword
			}
			if _, known := lookupDialect(user); strings.HasPrefix(password, "//") && (known || strings.Contains(password, ":")) {
				continue // "mysql" as a username reads as a URL's scheme, and so does "msyql" before "//user:password"
			}
			dsn, err := want.dsn(map[string]string{"mysql": "mysql", "postgresql": "pgx"}[dialect])
			if err != nil {
				continue
			}
			got, err := parseURL(dsn)
			if err != nil {
				t.Fatalf("%q: %v", dsn, err)
			}
			if g, w := fmt.Sprintf("%q", fieldsOf(got)), fmt.Sprintf("%q", fieldsOf(want)); g != w {
				t.Fatalf("%s\ngot  %s\nwant %s", dsn, g, w)
			}
		}
	})
}

func TestSQLiteDSNWorks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20#c.db")
	dsn, err := (target{dialect: "sqlite", database: path, query: queryParams{{"_fk", "on"}, {"timeout", "1.5"}}}).dsn("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	var keys, busy int
	var file, formatted, utc string
	if err := errors.Join(
		db.QueryRowContext(ctx, `PRAGMA foreign_keys`).Scan(&keys),
		db.QueryRowContext(ctx, `PRAGMA busy_timeout`).Scan(&busy),
		db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list`).Scan(&file),
	); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && file != path {
		t.Errorf("opened %q, want %q", file, path)
	}
	if keys != 1 || busy != 1500 {
		t.Errorf("foreign_keys is %d and busy_timeout %d, want 1 and 1500", keys, busy)
	}

	// Times are written so that SQLite's own functions read them, and come back.
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600))
	if _, err := db.ExecContext(ctx, `CREATE TABLE t (at DATETIME); `); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO t VALUES (?)`, at); err != nil {
		t.Fatal(err)
	}
	var back time.Time
	if err := db.QueryRowContext(ctx, `SELECT CAST(at AS TEXT), datetime(at), at FROM t`).Scan(&formatted, &utc, &back); err != nil {
		t.Fatal(err)
	}
	if formatted != "2026-01-02 02:04:05.678+00:00" || utc != "2026-01-02 02:04:05" || !back.Equal(at) || back.Location() != time.UTC {
		t.Errorf("the time is stored as %q, read as %q, and comes back as %v", formatted, utc, back)
	}
}

// One in-memory database serves a pool: what one connection writes all others
// read, and readers and writers wait for each other instead of failing.
func TestMemoryDSNServesAPoolOfReadersAndWriters(t *testing.T) {
	t.Parallel()
	dsn, err := (target{dialect: "sqlite", query: queryParams{{"_pragma", "foreign_keys(1)"}, {"cache", "shared"}}}).memoryDSN(t.Name(), "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(16)
	ctx := t.Context()
	anchor, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer anchor.Close()
	if _, err := db.ExecContext(ctx, `CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER NOT NULL)`); err != nil {
		t.Fatal(err)
	}

	const workers, rounds = 16, 25
	work := func(g int) error {
		for range rounds {
			if _, err := db.ExecContext(ctx, `INSERT INTO t (g) VALUES (?)`, g); err != nil {
				return fmt.Errorf("insert: %w", err)
			}
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return fmt.Errorf("begin: %w", err)
			}
			var n int
			_, err = tx.ExecContext(ctx, `INSERT INTO t (g) VALUES (?)`, g)
			err = errors.Join(err, tx.QueryRowContext(ctx, `SELECT count(*) FROM t WHERE g = ?`, g).Scan(&n), tx.Commit())
			if err != nil {
				return fmt.Errorf("transaction: %w", err)
			}
			rows, err := db.QueryContext(ctx, `SELECT id, g FROM t ORDER BY id DESC LIMIT 50`)
			if err != nil {
				return fmt.Errorf("query: %w", err)
			}
			for rows.Next() {
				var id, g int
				if err := rows.Scan(&id, &g); err != nil {
					return err
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return fmt.Errorf("rows: %w", err)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			if err := work(g); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n, keys int
	if err := errors.Join(db.QueryRowContext(ctx, `SELECT count(*) FROM t`).Scan(&n), db.QueryRowContext(ctx, `PRAGMA foreign_keys`).Scan(&keys)); err != nil {
		t.Fatal(err)
	}
	if n != workers*rounds*2 || keys != 1 {
		t.Errorf("%d rows with foreign_keys %d, want %d with 1", n, keys, workers*rounds*2)
	}
}

func TestMemoryDSNIsOneDatabaseForEachName(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	open := func(name string) *sql.DB {
		dsn, err := target{dialect: "sqlite"}.memoryDSN(name, "sqlite")
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	a, again, b := open(t.Name()+"/a?x"), open(t.Name()+"/a?x"), open(t.Name()+"/b")
	if _, err := a.ExecContext(ctx, `CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	if _, err := again.ExecContext(ctx, `INSERT INTO t VALUES (1)`); err != nil {
		t.Errorf("the same name is another database: %v", err)
	}
	if _, err := b.ExecContext(ctx, `INSERT INTO t VALUES (1)`); err == nil {
		t.Error("another name is the same database")
	}
	// It is gone with its last connection.
	if err := errors.Join(a.Close(), again.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Name()+"/a?x").ExecContext(ctx, `CREATE TABLE t (x)`); err != nil {
		t.Errorf("the database outlived its connections: %v", err)
	}
}

func TestMemoryDSN(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ url, driver, want string }{
		"modernc":                      {"sqlite://", "sqlite", "file:///n%2F1?_pragma=busy_timeout%285000%29&vfs=memdb&_time_format=sqlite&_timezone=UTC"},
		"mattn":                        {"sqlite:///:memory:", "sqlite3", "file:///n%2F1?vfs=memdb&_busy_timeout=5000"},
		"a private URI":                {"sqlite:///file::memory:?uri=true", "sqlite3", "file:///n%2F1?vfs=memdb&_busy_timeout=5000"},
		"a name shared on purpose":     {"file:mine?mode=memory&cache=shared", "sqlite3", "file:mine?mode=memory&cache=shared&_busy_timeout=5000"},
		"DuckDB's pool is one already": {"duckdb:///:memory:", "duckdb", ""},
	}
	for name, tt := range tests {
		parsed, err := parseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.memoryDSN("n/1", tt.driver); err != nil || got != tt.want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, tt.want)
		}
	}
	if _, err := (target{dialect: "sqlite"}).memoryDSN("", "sqlite"); err == nil {
		t.Error("a database without a name is shared by all who have none")
	}
}

func TestHostPortAddress(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]hostPort{"h:5": {"h", 5}, "h:9": {"h", 0}, "[::1]:9": {"::1", 0}} {
		got := h.address(9)
		if _, _, err := net.SplitHostPort(got); err != nil || got != want {
			t.Errorf("address is %q (%v), want %q", got, err, want)
		}
	}
}
