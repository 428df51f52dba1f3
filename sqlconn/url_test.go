package sqlconn

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sameTarget compares targets field by field.
func sameTarget(t *testing.T, got, want target) {
	t.Helper()
	if diff := cmp.Diff(fieldsOf(want), fieldsOf(got)); diff != "" {
		t.Errorf("target differs (-want +got):\n%s", diff)
	}
}

// fieldsOf lays a target open, which formats and compares masked otherwise.
func fieldsOf(t target) map[string]any {
	var hosts []string
	for _, h := range t.hosts {
		hosts = append(hosts, fmt.Sprintf("%s|%d", h.host, h.port))
	}
	var query []string
	for _, p := range t.query {
		query = append(query, p.key+"="+p.value)
	}
	return map[string]any{
		"dialect": t.dialect, "hint": t.hint, "username": t.username, "password": t.password,
		"hasPassword": t.hasPassword, "network": t.network, "database": t.database,
		"hosts": strings.Join(hosts, " "), "query": strings.Join(query, " & "),
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	server := func(dialect, hint string) target {
		return target{
			dialect: dialect, hint: hint, username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h", 0}}, database: "db",
		}
	}
	tests := map[string]target{
		// SQLAlchemy.
		"sqlite:///pets.db":               {dialect: "sqlite", database: "pets.db"},
		"sqlite:////var/lib/pets.db":      {dialect: "sqlite", database: "/var/lib/pets.db"},
		"sqlite://":                       {dialect: "sqlite"},
		"sqlite:///":                      {dialect: "sqlite"},
		"sqlite:///:memory:":              {dialect: "sqlite", database: ":memory:"},
		"sqlite+pysqlite:///pets.db":      {dialect: "sqlite", hint: "pysqlite", database: "pets.db"},
		`sqlite:///C:\data\pets.db`:       {dialect: "sqlite", database: `C:\data\pets.db`},
		"sqlite:///my%20pets@home.db":     {dialect: "sqlite", database: "my%20pets@home.db"},
		"sqlite:///p.db?timeout=20&a=b+c": {dialect: "sqlite", database: "p.db", query: queryParams{{"timeout", "20"}, {"a", "b c"}}},
		"sqlite:///file:p.db?mode=ro&uri=true": {
			dialect: "sqlite", database: "file:p.db",
			query: queryParams{{"mode", "ro"}, {"uri", "true"}},
		},
		"  sqlite:///pets.db\n":           {dialect: "sqlite", database: "pets.db"},
		"duckdb:///pets.duckdb":           {dialect: "duckdb", database: "pets.duckdb"},
		"duckdb:///:memory:":              {dialect: "duckdb", database: ":memory:"},
		"duckdb:///md:shared":             {dialect: "duckdb", database: "md:shared"},
		"postgresql://u:p@h/db":           server("postgresql", ""),
		"postgresql+psycopg2://u:p@h/db":  server("postgresql", "psycopg2"),
		"PostgreSQL+Psycopg2://u:p@h/db":  server("postgresql", "psycopg2"),
		"mysql+pymysql://u:p@h/db":        server("mysql", "pymysql"),
		"mariadb://u:p@h/db":              server("mariadb", ""),
		"mariadb+mariadbconnector://h":    {dialect: "mariadb", hint: "mariadbconnector", hosts: []hostPort{{"h", 0}}},
		"clickhouse+http://u:p@h/db":      server("clickhouse", "http"),
		"cockroachdb://u:p@h/db":          server("cockroachdb", ""),
		"redshift+psycopg2://u:p@h/db":    server("redshift", "psycopg2"),
		"trino://u@h:8080/hive/default":   {dialect: "trino", username: "u", hosts: []hostPort{{"h", 8080}}, database: "hive/default"},
		"oracle+oracledb://u:p@h:1521/XE": {dialect: "oracle", hint: "oracledb", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h", 1521}}, query: queryParams{{"SID", "XE"}}},
		"bigquery://project/dataset":      {dialect: "bigquery", hosts: []hostPort{{"project", 0}}, database: "dataset"},
		"mydriver://u:p@h/db":             server("mydriver", ""),
		"postgresql://u:p@/db?host=h1:1&host=h2&port=2": {
			dialect: "postgresql", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h1", 2}, {"h2", 2}}, database: "db",
		},
		"postgresql+psycopg2://u:p@/db?host=h1:1&host=h2:2": {
			dialect: "postgresql", hint: "psycopg2", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h1", 1}, {"h2", 2}}, database: "db",
		},
		"postgresql:///db?host=/var/run/postgresql": {dialect: "postgresql", hosts: []hostPort{{"/var/run/postgresql", 0}}, database: "db"},
		"mysql+pymysql://u:p@/db?unix_socket=/tmp/my.sock": {
			dialect: "mysql", hint: "pymysql", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"/tmp/my.sock", 0}}, database: "db",
		},
		"mssql+pyodbc://u:p@h:1433/db?driver=ODBC+Driver+18+for+SQL+Server": {
			dialect: "mssql", hint: "pyodbc", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h", 1433}}, database: "db", query: queryParams{{"driver", "ODBC Driver 18 for SQL Server"}},
		},
		"mssql+pyodbc://u:p@h,1444/db": {dialect: "mssql", hint: "pyodbc", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h", 1444}}, database: "db"},
		`mssql://u:p@h\inst/db`:        {dialect: "mssql", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{`h\inst`, 0}}, database: "db"},
		"snowflake://u:p@acct.eu-central-1/db/schema?warehouse=wh&role=r": {
			dialect: "snowflake", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"acct.eu-central-1", 0}}, database: "db/schema", query: queryParams{{"warehouse", "wh"}, {"role", "r"}},
		},

		// Go's drivers.
		"postgres://u:p@h/db": server("postgresql", ""),
		"postgres://u:p@h1:1,h2:2,[::1]:3/db?sslmode=disable": {
			dialect: "postgresql", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h1", 1}, {"h2", 2}, {"::1", 3}}, database: "db", query: queryParams{{"sslmode", "disable"}},
		},
		"postgres://%2Fvar%2Frun/db":          {dialect: "postgresql", hosts: []hostPort{{"/var/run", 0}}, database: "db"},
		"postgres://h:5432/db?user=u@x":       {dialect: "postgresql", username: "u@x", hosts: []hostPort{{"h", 5432}}, database: "db"},
		"postgres://h:5432?user=u@x":          {dialect: "postgresql", username: "u@x", hosts: []hostPort{{"h", 5432}}},
		"postgres://[fe80::1%25eth0]:5432/db": {dialect: "postgresql", hosts: []hostPort{{"fe80::1%eth0", 5432}}, database: "db"},
		"host=h port=5432 user=u password='it is' dbname=": {
			dialect: "postgresql", username: "u", password: "it is", hasPassword: true,
			hosts: []hostPort{{"h", 5432}},
		},
		`host = h1,h2 port=1,2 user=u password='a b\'c\\d' dbname=my\ db sslmode=require`: {
			dialect: "postgresql", username: "u", password: `a b'c\d`, hasPassword: true,
			hosts: []hostPort{{"h1", 1}, {"h2", 2}}, database: "my db", query: queryParams{{"sslmode", "require"}},
		},
		"u:p@tcp(h:3306)/db?parseTime=true": {
			dialect: "mysql", username: "u", password: "p", hasPassword: true,
			hosts: []hostPort{{"h", 3306}}, database: "db", query: queryParams{{"parseTime", "true"}},
		},
		"u:p@w:@/(x)@tcp([::1]:3306)/db":         {dialect: "mysql", username: "u", password: "p@w:@/(x)", hasPassword: true, hosts: []hostPort{{"::1", 3306}}, database: "db"},
		"u:p@unix(/tmp/my.sock)/db":              {dialect: "mysql", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"/tmp/my.sock", 0}}, database: "db"},
		"u@cloudsql(p:r:i)/db":                   {dialect: "mysql", username: "u", network: "cloudsql", hosts: []hostPort{{"p:r:i", 0}}, database: "db"},
		"tcp(h)/":                                {dialect: "mysql", hosts: []hostPort{{"h", 0}}},
		"u:p@/db":                                {dialect: "mysql", username: "u", password: "p", hasPassword: true, database: "db"},
		"u://pw@tcp(h:3306)/db":                  {dialect: "mysql", username: "u", password: "//pw", hasPassword: true, hosts: []hostPort{{"h", 3306}}, database: "db"},
		"mysql://u:p@tcp(h:3306)/db":             {dialect: "mysql", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h", 3306}}, database: "db"},
		"file:pets.db?cache=shared":              {dialect: "sqlite", database: "file:pets.db", query: queryParams{{"cache", "shared"}}},
		":memory:":                               {dialect: "sqlite", database: ":memory:"},
		"sqlserver://u:p@h:1433?database=db":     {dialect: "mssql", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h", 1433}}, database: "db"},
		"sqlserver://u:p@h:1/inst?database=db":   {dialect: "mssql", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{`h\inst`, 1}}, database: "db"},
		"oracle://u:p@h:1521/service":            {dialect: "oracle", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h", 1521}}, database: "service"},
		"clickhouse://u:p@h1:9000,h2:9000/db":    {dialect: "clickhouse", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"h1", 9000}, {"h2", 9000}}, database: "db"},
		"sqlite:///p.db?_pragma=foreign_keys(1)": {dialect: "sqlite", database: "p.db", query: queryParams{{"_pragma", "foreign_keys(1)"}}},
	}
	for raw, want := range tests {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			got, err := parseURL(raw)
			if err != nil {
				t.Fatal(err)
			}
			sameTarget(t, got, want)
		})
	}
}

func TestParseURLTakesPasswordsOfAnyCharacters(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"p@ss", "p@ss@word", "p:ss", "p/ss", "a/b@c/d", "100%", "50%zz", "a+b", "#hash", "[x]", "a b", "ä漢", `\back`, "p?ss", "p?s@s", "x=1&y=2", "(tcp)",
	} {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			want := target{
				dialect: "postgresql", username: "me", password: password, hasPassword: true,
				hosts: []hostPort{{"db.example.com", 5432}}, database: "pets", query: queryParams{{"sslmode", "disable"}},
			}
			for how, text := range map[string]string{"raw": password, "encoded": url.QueryEscape(password)} {
				if how == "encoded" {
					text = strings.ReplaceAll(text, "+", "%20")
				}
				got, err := parseURL("postgresql://me:" + text + "@db.example.com:5432/pets?sslmode=disable")
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				sameTarget(t, got, want)
			}
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw  string
		want error
	}{
		"nothing":                     {"  ", errEmptyURL},
		"a path":                      {"pets.db", errNotURL},
		"a Snowflake DSN":             {"u:hunter2@account/db", errNotURL},
		"two slashes before a file":   {"sqlite://pets.db", errFileURL},
		"a host for DuckDB":           {"duckdb://pets.duckdb", errFileURL},
		"ODBC in the query":           {"mssql+pyodbc://?odbc_connect=DRIVER%3D%7BODBC%7D%3BPWD%3Dhunter2", nil},
		"ADO":                         {"server=h;user id=sa;password=hunter2", errODBC},
		"ODBC":                        {"Driver={ODBC};UID=sa;PWD=hunter2", errODBC},
		"ODBC for go-mssqldb":         {"odbc:server=h;pwd=hunter2", errODBC},
		"ADO with a spaced key":       {"User Id=sa;Password=hunter2;Server=h", errODBC},
		"JDBC":                        {"jdbc:postgresql://h/db?password=hunter2", errJDBC},
		"a port that is a password":   {"postgresql://u:hunter2:x/db", errBadHost},
		"a port too large":            {"postgresql://u:hunter2@h:65536/db", errBadPort},
		"port 0":                      {"postgresql://u:hunter2@h:0/db", errBadPort},
		"a port with a sign":          {"postgresql://u:hunter2@h:+5/db", errBadPort},
		"a port that is a word":       {"postgresql://u:hunter2@h:http/db", errBadPort},
		"IPv6 without brackets":       {"postgresql://u:hunter2@::1/db", errBadHost},
		"an open bracket":             {"postgresql://u:hunter2@[::1/db", errBadHost},
		"an empty host in a list":     {"postgresql://u:hunter2@a,,b/db", errBadHost},
		"a space in the host":         {"postgresql://u:hunter2@a b/db", errBadHost},
		"an unclosed quote":           {"host=h password='hunter2", errKeywords},
		"a quote doubled as in SQL":   {"host=h password='hunter2''x'", errKeywords},
		"a keyword without a value":   {"host=h password hunter2", errKeywords},
		"a raw slash in a MySQL DSN":  {"u:hunter2@tcp(h)/db?loc=Europe/Rome", errMySQLDSN},
		"a misspelt dialect":          {"mysq://u:hunter2@tcp(h:3306)/db", errBadHost},
		"an unclosed MySQL address":   {"u:hunter2@tcp(h:3306/db", errMySQLDSN},
		"a control character":         {"postgresql://u:hun\x00ter2@h/db", errControl},
		"a list of ports, other size": {"postgresql://u:hunter2@a,b/db?port=1,2,3", nil},
		"a password for SQLite":       {"sqlite+pysqlcipher://:hunter2@/x.db", errFileURL},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseURL(tt.raw)
			if err == nil {
				t.Fatal("no error")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error is %q, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"postgresql+psycopg2://u:PW@h:5432/db?sslmode=disable", "sqlite:////a.db", "u:PW@tcp(h:3306)/db?loc=Local",
		"host=h password='PW' port=1", "mssql+pyodbc://u:PW@h,1433/db?odbc_connect=x", "postgres://u:PW@[::1]:x/db",
		"snowflake://u:PW@a/b/c?token=PW", "mysql://u:a@PW/x@unix(/s)/d", "PW://", "file:x?_pragma=a(b)", "//u:PW@h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		const planted = "pl4nted/S3cret@x"
		for _, text := range []string{raw, strings.ReplaceAll(raw, "PW", planted), "postgres://u:" + planted + "@" + raw, "mysql://u:" + url.QueryEscape(planted) + "@" + raw} {
			got, err := parseURL(text)
			if err != nil {
				if strings.Contains(err.Error(), "pl4nted") || strings.Contains(err.Error(), "S3cret") {
					t.Fatalf("the error shows the password: %v", err)
				}
				continue
			}
			// Whatever was read can be written for every driver, or refused,
			// without a panic and without showing the password.
			for _, d := range dialectTable {
				for _, dr := range d.drivers {
					if _, err := dr.dsn(got); err != nil && got.password != "" && len(got.password) > 6 && strings.Contains(err.Error(), got.password) {
						t.Fatalf("%s shows the password: %v", dr.name, err)
					}
				}
			}
			if _, err := got.memoryDSN("x", "sqlite"); err != nil && strings.Contains(err.Error(), planted) {
				t.Fatal(err)
			}
			// The password is shown nowhere, unless it stands elsewhere too.
			others := got.username + got.database + got.dialect + got.hint
			for _, h := range got.hosts {
				others += h.host
			}
			for _, p := range got.query {
				others += p.key + p.value
			}
			if got.password == planted && !strings.Contains(others, "S3cret") && strings.Contains(got.String(), "S3cret") {
				t.Fatalf("String shows the password: %s", got)
			}
		}
	})
}
