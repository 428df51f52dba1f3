package sqlconn

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

type plantedSecret string

func (s plantedSecret) Reveal() string { return string(s) }

func TestMergePartsPrecedence(t *testing.T) {
	t.Parallel()
	const low, mid, high = 1, 2, 3
	const rawURL = "postgresql://urluser:urlpw@urlhost:1111/urldb?sslmode=disable&application_name=url"
	fromURL := target{
		dialect: "postgresql", username: "urluser", password: "urlpw", hasPassword: true,
		hosts: []hostPort{{"urlhost", 1111}}, database: "urldb", query: queryParams{{"sslmode", "disable"}, {"application_name", "url"}},
	}
	with := func(f func(*target)) target {
		t := fromURL
		t.hosts, t.query = slices.Clone(t.hosts), slices.Clone(t.query)
		f(&t)
		return t
	}
	tests := map[string]struct {
		given []levelled
		want  target
	}{
		"a url alone": {[]levelled{{name: "url", value: rawURL, level: mid}}, fromURL},
		"a url hides all parts of lower levels, credentials too": {
			[]levelled{
				{name: "username", value: "lowuser", level: low},
				{name: "password", value: "lowpw", level: low},
				{name: "host", value: "lowhost", level: low},
				{name: "port", value: 9, level: low},
				{name: "database", value: "lowdb", level: low},
				{name: "query", value: map[string]any{"low": "x"}, level: low},
				{name: "driver", value: "low", level: low},
				{name: "dialect", value: "mysql", level: low},
				{name: "url", value: rawURL, level: mid},
			}, fromURL,
		},
		"a url without credentials does not borrow them from a lower level": {
			[]levelled{
				{name: "username", value: "lowuser", level: low},
				{name: "password", value: "lowpw", level: low},
				{name: "url", value: "postgresql://h/db", level: mid},
			}, target{dialect: "postgresql", hosts: []hostPort{{"h", 0}}, database: "db"},
		},
		"a part at the url's level overrides it": {
			[]levelled{{name: "database", value: "mine", level: mid}, {name: "url", value: rawURL, level: mid}},
			with(func(t *target) { t.database = "mine" }),
		},
		"parts of a higher level override the url": {
			[]levelled{
				{name: "url", value: rawURL, level: mid},
				{name: "host", value: "other", level: high},
				{name: "username", value: "me", level: high},
				{name: "password", value: plantedSecret("my:p@w"), level: high},
				{name: "driver", value: "pq", level: high},
			},
			with(func(t *target) {
				t.hosts, t.username, t.password, t.hint = []hostPort{{"other", 1111}}, "me", "my:p@w", "pq"
			}),
		},
		"an empty password is a password": {
			[]levelled{{name: "url", value: rawURL, level: mid}, {name: "password", value: "", level: high}},
			with(func(t *target) { t.password = "" }),
		},
		"a port overrides all hosts": {
			[]levelled{{name: "url", value: "postgres://u@a:1,b:2/db", level: mid}, {name: "port", value: int64(3), level: high}},
			target{dialect: "postgresql", username: "u", hosts: []hostPort{{"a", 3}, {"b", 3}}, database: "db"},
		},
		"query is merged name by name": {
			[]levelled{{name: "url", value: rawURL, level: mid}, {name: "query", value: map[string]any{"application_name": "mine", "connect_timeout": 5}, level: high}},
			with(func(t *target) {
				t.query = queryParams{{"sslmode", "disable"}, {"application_name", "mine"}, {"connect_timeout", "5"}}
			}),
		},
		"the higher of two urls": {
			[]levelled{{name: "url", value: "mysql://nobody@nowhere", level: low}, {name: "url", value: rawURL, level: high}}, fromURL,
		},
		"parts alone, of all levels": {
			[]levelled{
				{name: "dialect", value: "postgresql", level: low},
				{name: "username", value: "u", level: mid},
				{name: "host", value: "h", level: high},
				{name: "port", value: "5433", level: low},
				{name: "driver", value: "psycopg2", level: low},
				{name: "password", value: 1234, level: low},
				{name: "username", value: "hidden", level: low},
			},
			target{dialect: "postgresql", hint: "psycopg2", username: "u", password: "1234", hasPassword: true, hosts: []hostPort{{"h", 5433}}},
		},
		"dialect with a driver": {
			[]levelled{{name: "dialect", value: "mysql+pymysql"}, {name: "username", value: "u"}, {name: "host", value: "h"}},
			target{dialect: "mysql", hint: "pymysql", username: "u", hosts: []hostPort{{"h", 0}}},
		},
		"host and port in one": {
			[]levelled{{name: "dialect", value: "mysql"}, {name: "username", value: "u"}, {name: "host", value: "h:3307"}},
			target{dialect: "mysql", username: "u", hosts: []hostPort{{"h", 3307}}},
		},
		"None is not given": {
			[]levelled{{name: "url", value: rawURL, level: mid}, {name: "password", value: nil, level: high}, {name: "url", value: nil, level: high}}, fromURL,
		},
		"a query of lists and of text": {
			[]levelled{
				{name: "dialect", value: "sqlite"},
				{name: "query", value: map[string]any{"_pragma": []any{"foreign_keys(1)", "synchronous(1)"}, "none": nil}},
				{name: "query", value: "mode=ro", level: 1},
			},
			target{dialect: "sqlite", query: queryParams{{"_pragma", "foreign_keys(1)"}, {"_pragma", "synchronous(1)"}, {"mode", "ro"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mergeParts(tt.given)
			if err != nil {
				t.Fatal(err)
			}
			sameTarget(t, got, tt.want)
		})
	}
}

// In Streamlit parts given in code lose, in silence, to a url in the secrets.
func TestDefect18_PartsInCodeOverTheSecretsURLAreHonoured(t *testing.T) {
	t.Parallel()
	const section, option = 3, 4
	got, err := mergeParts([]levelled{
		{name: "url", value: "postgresql://app:pw@prod:5432/pets", level: section},
		{name: "host", value: "replica", level: option},
		{name: "username", value: "reader", level: option},
	})
	if err != nil {
		t.Fatal(err)
	}
	sameTarget(t, got, target{
		dialect: "postgresql", username: "reader", password: "pw", hasPassword: true,
		hosts: []hostPort{{"replica", 5432}}, database: "pets",
	})
}

func TestMergePartsTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	part := func(name string, value any) levelled { return levelled{name: name, value: value} }
	tests := map[string]struct {
		given []levelled
		parts []string // of missingPartsError; nil: another error
		text  string
	}{
		"nothing at all":            {nil, nil, "nothing says which database"},
		"only engine settings":      {[]levelled{part("echo", true)}, nil, "nothing says which database"},
		"no dialect":                {[]levelled{part("host", "h"), part("username", "u")}, []string{"dialect"}, "no dialect"},
		"no host":                   {[]levelled{part("dialect", "postgresql"), part("username", "u")}, []string{"host"}, "no host: a connection to \"postgresql\" by parts needs host"},
		"no username":               {[]levelled{part("dialect", "mysql"), part("host", "h")}, []string{"username"}, "no username"},
		"neither, in order":         {[]levelled{part("dialect", "mssql"), part("password", "hunter2")}, []string{"username", "host"}, "no username, no host"},
		"an empty host":             {[]levelled{part("dialect", "mysql"), part("username", "u"), {name: "host", value: "", where: "options"}}, nil, "host (from options): is there but empty"},
		"an empty url":              {[]levelled{part("url", "")}, nil, "url: is there but empty"},
		"a port that is a word":     {[]levelled{part("dialect", "mysql"), part("username", "u"), part("host", "h"), part("port", "hunter2")}, nil, "port: must be a number from 1 to 65535"},
		"a port too large":          {[]levelled{part("dialect", "mysql"), part("username", "u"), part("host", "h"), part("port", 70000)}, nil, "port: must be a number from 1 to 65535"},
		"a port that is a table":    {[]levelled{part("dialect", "mysql"), part("port", map[string]any{"a": "hunter2"})}, nil, "port: must be a number, not a table"},
		"a number as a table":       {[]levelled{part("dialect", "mysql"), part("username", []any{"hunter2"})}, nil, "username: must be a string, not a list"},
		"a value of another type":   {[]levelled{part("dialect", "mysql"), part("username", 1.5)}, nil, "username: must be a string, not a number"},
		"a struct":                  {[]levelled{part("dialect", "mysql"), part("username", struct{ S string }{"hunter2"})}, nil, "username: must be a string, not a value of type struct"},
		"a password that is true":   {[]levelled{part("dialect", "mysql"), part("password", true)}, nil, "password: must be a string, not a boolean"},
		"a query that is a list":    {[]levelled{part("dialect", "sqlite"), part("query", []string{"hunter2"})}, nil, "query: must be a table of names and values, not a list"},
		"a query holding a table":   {[]levelled{part("dialect", "sqlite"), part("query", map[string]any{"a": map[string]any{"b": "hunter2"}})}, nil, "query: a must be a string"},
		"a url that cannot be":      {[]levelled{{name: "url", value: "postgres://u:hunter2@h:x/", where: "secrets"}}, nil, "url (from secrets): the port"},
		"a host for SQLite":         {[]levelled{part("dialect", "sqlite"), part("host", "h")}, nil, "sqlite opens a file"},
		"a password for DuckDB":     {[]levelled{part("url", "duckdb:///x"), part("password", "hunter2")}, nil, "duckdb opens a file"},
		"a password in the host":    {[]levelled{part("dialect", "mysql"), part("username", "u"), part("host", "hunter2@h")}, nil, "host: the host in the database URL is not valid"},
		"odbc_connect in the query": {[]levelled{part("dialect", "mssql"), part("username", "u"), part("host", "h"), part("query", map[string]any{"odbc_connect": "PWD=hunter2"})}, nil, "odbc_connect"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := mergeParts(tt.given)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error is %q, want it to say %q", err, tt.text)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a value: %v", err)
			}
			missing, ok := errors.AsType[*missingPartsError](err)
			if ok != (tt.parts != nil) || ok && !slices.Equal(missing.parts, tt.parts) {
				t.Errorf("missing parts are %v, want %v", missing, tt.parts)
			}
		})
	}
}

// In Streamlit a connection by parts always needs a username and a host, so
// that SQLite cannot be opened that way.
func TestFilesNeedNeitherHostNorUsername(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "duckdb"} {
		got, err := mergeParts([]levelled{{name: "dialect", value: dialect}, {name: "database", value: "pets.db"}})
		if err != nil {
			t.Fatal(err)
		}
		sameTarget(t, got, target{dialect: dialect, database: "pets.db"})
		if got, err = mergeParts([]levelled{{name: "dialect", value: dialect}}); err != nil || !got.inMemory() {
			t.Errorf("%s without a database: %v, %v; want one in memory", dialect, got, err)
		}
	}
}

func TestWithConnectArgs(t *testing.T) {
	t.Parallel()
	base, err := parseURL("postgresql://u:p@h/db?sslmode=disable&connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := base.withConnectArgs(map[string]any{
		"connect_timeout": 10, "options": "-c statement_timeout=5000", "password": "other", "host": "replica", "keepalives": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	sameTarget(t, got, target{
		dialect: "postgresql", username: "u", password: "other", hasPassword: true, hosts: []hostPort{{"replica", 0}}, database: "db",
		query: queryParams{{"sslmode", "disable"}, {"connect_timeout", "10"}, {"keepalives", "true"}, {"options", "-c statement_timeout=5000"}},
	})
	if again, _ := base.query.get("connect_timeout"); again != "1" || base.host().host != "h" {
		t.Errorf("the target itself was changed: %v", base)
	}
	if _, err := base.withConnectArgs(map[string]any{"ssl": map[string]any{"ca": "hunter2"}}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a nested table gives %v", err)
	}
	if same, err := base.withConnectArgs(nil); err != nil {
		t.Error(err)
	} else {
		sameTarget(t, same, base)
	}
}

// Who and where may be given as parameters of the driver, too, as PyMySQL and
// ODBC have it.
func TestWithConnectArgsOfServers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url  string
		args map[string]any
		want target
	}{
		"PyMySQL": {
			"mysql+pymysql://h",
			map[string]any{"user": "u", "passwd": "p", "db": "d", "host": "::1", "port": 3307},
			target{dialect: "mysql", hint: "pymysql", username: "u", password: "p", hasPassword: true, database: "d", hosts: []hostPort{{"::1", 3307}}},
		},
		"a port without a host": {
			"mysql:///d",
			map[string]any{"port": "3307"},
			target{dialect: "mysql", database: "d", hosts: []hostPort{{"", 3307}}},
		},
		"ODBC": {
			"mssql+pyodbc://h/x",
			map[string]any{"UID": "u", "PWD": "p", "Database": "d"},
			target{dialect: "mssql", hint: "pyodbc", username: "u", password: "p", hasPassword: true, database: "d", hosts: []hostPort{{"h", 0}}},
		},
		"Snowflake": {
			"snowflake://",
			map[string]any{"account": "a", "user": "u", "password": "p", "warehouse": "w"},
			target{dialect: "snowflake", username: "u", password: "p", hasPassword: true, hosts: []hostPort{{"a", 0}}, query: queryParams{{"warehouse", "w"}}},
		},
		"libpq, one port for a list": {
			"postgresql://",
			map[string]any{"host": []string{"a", "b"}, "port": 6000, "dbname": "d"},
			target{dialect: "postgresql", database: "d", hosts: []hostPort{{"a", 6000}, {"b", 6000}}},
		},
		"libpq, a list of ports alone": {
			"postgresql://",
			map[string]any{"port": ",6000"},
			target{dialect: "postgresql", hosts: []hostPort{{"", 0}, {"", 6000}}},
		},
		"a file takes them as they are": {
			"sqlite:///x",
			map[string]any{"timeout": 1.5, "check_same_thread": false},
			target{dialect: "sqlite", database: "x", query: queryParams{{"check_same_thread", "false"}, {"timeout", "1.5"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, err := parseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := base.withConnectArgs(tt.args)
			if err != nil {
				t.Fatal(err)
			}
			sameTarget(t, got, tt.want)
		})
	}
	for _, args := range []map[string]any{{"port": "hunter2"}, {"host": "hunter2@x"}, {"port": "1,2,3"}} {
		for _, raw := range []string{"mysql://a", "postgresql://a,b"} {
			base, err := parseURL(raw)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := base.withConnectArgs(args); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s with %v gives %v", raw, args, err)
			}
		}
	}
}
