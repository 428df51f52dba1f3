package sqlconn

import (
	"strings"
	"testing"
)

func TestPickDriver(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url        string
		registered []string
		want       string // the driver, or the whole error
	}{
		"the preferred driver":                        {"postgresql://h", []string{"postgres", "pgx", "mysql"}, "pgx"},
		"the second if the first is not there":        {"postgresql+psycopg2://h", []string{"postgres", "mysql"}, "postgres"},
		"a Python driver says nothing":                {"mysql+pymysql://h", []string{"mysql"}, "mysql"},
		"an unknown driver says nothing":              {"mysql+brandnew://h", []string{"mysql"}, "mysql"},
		"a hint that means a Go driver":               {"postgresql+pq://h", []string{"pgx", "postgres"}, "postgres"},
		"a hint that means mattn's driver":            {"sqlite+mattn:///x", []string{"sqlite", "sqlite3"}, "sqlite3"},
		"a hint that is the name of a Go driver":      {"sqlite+sqlite3:///x", []string{"sqlite", "sqlite3"}, "sqlite3"},
		"a driver registered under a name of its own": {"postgresql+pgx-traced://h", []string{"pgx", "pgx-traced"}, "pgx-traced"},
		"a driver of another dialect is not taken":    {"postgresql+mysql://h", []string{"mysql", "pgx"}, "pgx"},
		"an unknown dialect by its registered name":   {"hdb://h", []string{"hdb"}, "hdb"},
		"MariaDB by MySQL's driver":                   {"mariadb://h", []string{"mysql"}, "mysql"},
		"CockroachDB by PostgreSQL's":                 {"cockroachdb://h", []string{"pgx"}, "pgx"},
		"SQL Server":                                  {"mssql+pyodbc://h", []string{"sqlserver", "azuresql"}, "sqlserver"},
		"SQL Server with Entra":                       {"sqlserver://h?fedauth=ActiveDirectoryDefault", []string{"sqlserver", "azuresql"}, "azuresql"},
		"nothing for PostgreSQL":                      {"postgresql://u:hunter2@h", []string{"mysql"}, `no driver for "postgresql": add import _ "github.com/jackc/pgx/v5/stdlib"`},
		"nothing for postgres":                        {"postgres://h", nil, `no driver for "postgresql": add import _ "github.com/jackc/pgx/v5/stdlib"`},
		"nothing for MySQL":                           {"mysql+mysqldb://h", nil, `no driver for "mysql": add import _ "github.com/go-sql-driver/mysql"`},
		"nothing for MariaDB":                         {"mariadb://h", nil, `no driver for "mariadb": add import _ "github.com/go-sql-driver/mysql"`},
		"nothing for SQLite":                          {"sqlite:///x", nil, `no driver for "sqlite": add import _ "modernc.org/sqlite"`},
		"nothing for SQLite, mattn's wanted":          {"sqlite+mattn:///x", []string{"sqlite"}, `no driver for "sqlite": add import _ "github.com/mattn/go-sqlite3"`},
		"nothing for DuckDB":                          {"duckdb:///x", nil, `no driver for "duckdb": add import _ "github.com/duckdb/duckdb-go/v2"`},
		"nothing for SQL Server":                      {"mssql://h", nil, `no driver for "mssql": add import _ "github.com/microsoft/go-mssqldb"`},
		"nothing for Entra":                           {"mssql://h?fedauth=x", []string{"sqlserver"}, `no driver for "mssql": add import _ "github.com/microsoft/go-mssqldb/azuread"`},
		"nothing for Snowflake":                       {"snowflake://h", nil, `no driver for "snowflake": add import _ "github.com/snowflakedb/gosnowflake"`},
		"a slip":                                      {"postgersql://u:hunter2@h", []string{"pgx"}, `unknown dialect "postgersql": did you mean "postgresql"?`},
		"something else":                              {"mongodb://u:hunter2@h", []string{"pgx"}, `unknown dialect "mongodb": no driver is registered under that name, and it is none of those known (postgresql, mysql, sqlite, mssql, duckdb, snowflake, …)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pickDriver(parsed, tt.registered)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDialectTableIsConsistent(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, d := range dialectTable {
		for _, name := range append([]string{d.name}, d.aliases...) {
			if other, ok := seen[name]; ok {
				t.Errorf("%q means both %s and %s", name, other, d.name)
			}
			seen[name] = d.name
			if got := canonicalDialect(strings.ToUpper(name)); got != d.name {
				t.Errorf("canonicalDialect(%q) is %q, want %q", strings.ToUpper(name), got, d.name)
			}
			if name != strings.ToLower(name) {
				t.Errorf("%q is not in small letters", name)
			}
		}
		if len(d.drivers) == 0 {
			t.Errorf("%s has no driver", d.name)
		}
		for _, dr := range d.drivers {
			if dr.name == "" || dr.importPath == "" || dr.dsn == nil {
				t.Errorf("%s: incomplete driver %q", d.name, dr.name)
			}
		}
		if d.file && len(d.required) > 0 {
			t.Errorf("%s is a file, but needs %v", d.name, d.required)
		}
	}
}

func TestStyleOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dialect, driver string
		want            placeholderStyle
	}{
		{"postgresql", "pgx", placeDollar},
		{"cockroachdb", "", placeDollar},
		{"mysql", "mysql", placeQuestion},
		{"sqlite", "sqlite", placeQuestion},
		{"mssql", "sqlserver", placeAtP},
		{"sqlserver", "", placeAtP},
		{"oracle", "oracle", placeColon},
		{"snowflake", "snowflake", placeQuestion},
		{"", "pgx", placeDollar},
		{"", "sqlserver", placeAtP},
		{"", "else", placeQuestion},
	}
	for _, tt := range tests {
		if got := styleOf(tt.dialect, tt.driver); got != tt.want {
			t.Errorf("styleOf(%q, %q) is %d, want %d", tt.dialect, tt.driver, got, tt.want)
		}
	}
}

func TestDSNOfDriversWithNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	lite := target{dialect: "sqlite", database: "x.db"}
	for driver, want := range map[string]string{
		"sqlite3-traced": "_busy_timeout=", "sqlite-traced": "_pragma=busy_timeout", "traced": "_pragma=busy_timeout",
	} {
		got, err := lite.dsn(driver)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("dsn(%q) is %q (%v), want %s in it", driver, got, err, want)
		}
	}
	lite.hint = "ncruces"
	if got, err := lite.dsn("sqlite3"); err != nil || !strings.Contains(got, "_pragma=busy_timeout") {
		t.Errorf("ncruces gets %q (%v)", got, err)
	}
	other := target{dialect: "hdb", username: "u", password: "p@w", hasPassword: true, hosts: []hostPort{{"h", 1}}, database: "d", query: queryParams{{"a", "b c"}}}
	if got, err := other.dsn("hdb"); err != nil || got != "hdb://u:p%40w@h:1/d?a=b+c" {
		t.Errorf("an unknown dialect gets %q (%v)", got, err)
	}
}
