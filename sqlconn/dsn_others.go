package sqlconn

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// DuckDB

// duckdbDSN writes path?setting=value. The driver takes the path as it stands
// but parses the whole as a URL, so a path that is none cannot be opened.
func duckdbDSN(t target) (string, error) {
	path := t.database
	if t.inMemory() {
		path = ""
	}
	dsn := path + encodeQuery(t.query.without("read_only"))
	if v, ok := t.query.get("read_only"); ok { // of duckdb.connect in Python
		if on, _ := truth(v); on {
			dsn = path + encodeQuery(t.query.without("read_only").with("access_mode", "READ_ONLY"))
		}
	}
	if _, err := url.Parse(dsn); err != nil || strings.ContainsAny(path, "?#\x00") {
		return "", errors.New("duckdb cannot open a path with %, ?, # or : in such a place: rename the file")
	}
	return dsn, nil
}

// SQL Server

// mssqlDSN writes the sqlserver:// URL of go-mssqldb.
func mssqlDSN(t target) (string, error) {
	h, err := t.one("sqlserver")
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "sqlserver"}
	host, instance, _ := strings.Cut(h.host, `\`)
	h.host = host
	u.Host = h.String()
	if instance != "" {
		u.Path = "/" + instance
	}
	if t.username != "" || t.hasPassword {
		u.User = url.UserPassword(t.username, t.password)
	}
	var q queryParams
	if t.database != "" {
		q = append(q, queryParam{"database", t.database})
	}
	for _, p := range t.query {
		key, value := strings.ToLower(strings.ReplaceAll(p.key, "_", " ")), p.value
		if on, ok := truth(value); ok {
			value = strconv.FormatBool(on) // ODBC says yes and no
		}
		switch key {
		case "driver", "trusted connection", "mars connection", "charset", "tds version", "autocommit",
			"ansi", "unicode results", "fast executemany", "use setinputsizes", "long as max", "server", "port":
			continue // of ODBC, pymssql and SQLAlchemy; an absent username is a trusted connection
		case "authentication":
			key = "fedauth"
		case "app", "appname":
			key = "app name"
		case "workstationid", "wsid":
			key = "workstation id"
		case "logintimeout", "login timeout", "timeout", "connect timeout":
			d, err := seconds(p.key, p.value)
			if err != nil {
				return "", err
			}
			key, value = "dial timeout", strconv.Itoa(int(d.Seconds()))
		}
		q = q.with(key, value) // go-mssqldb refuses a parameter given twice
	}
	u.RawQuery = strings.TrimPrefix(encodeQuery(q), "?")
	return u.String(), nil
}

// Others

// snowflakeDSN writes username:password@account/database/schema?parameters, all
// parts escaped as gosnowflake unescapes them.
func snowflakeDSN(t target) (string, error) {
	h, err := t.one("snowflake")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if t.username != "" || t.hasPassword {
		b.WriteString(url.QueryEscape(t.username) + ":" + url.QueryEscape(t.password) + "@")
	}
	b.WriteString(h.String())
	database, schema, _ := strings.Cut(t.database, "/")
	if database != "" {
		b.WriteString("/" + url.QueryEscape(database))
		if schema != "" {
			b.WriteString("/" + url.QueryEscape(schema))
		}
	}
	var q queryParams
	for _, p := range t.query {
		switch p.key {
		case "cache_column_metadata", "numpy", "autocommit", "paramstyle":
			continue // of Python's connector
		case "login_timeout", "network_timeout":
			d, err := seconds(p.key, p.value)
			if err != nil {
				return "", err
			}
			p.value = strconv.Itoa(int(d.Seconds()))
			p.key = map[string]string{"login_timeout": "loginTimeout", "network_timeout": "requestTimeout"}[p.key]
		case "insecure_mode":
			p.key = "insecureMode"
		case "ocsp_fail_open":
			p.key = "ocspFailOpen"
		case "validate_default_parameters":
			p.key = "validateDefaultParameters"
		}
		q = append(q, p)
	}
	b.WriteString(encodeQuery(q))
	return b.String(), nil
}

// oracleDSN writes the oracle:// URL of go-ora, which insists on a port.
func oracleDSN(t target) (string, error) {
	h, err := t.one("oracle")
	if err != nil {
		return "", err
	}
	q := t.query
	service := t.database
	if v, ok := q.get("service_name"); ok {
		service = v
	}
	q = q.without("service_name", "encoding", "nencoding", "mode", "threaded", "events")
	u := url.URL{Scheme: "oracle", Host: h.address(1521), RawQuery: strings.TrimPrefix(encodeQuery(q), "?")}
	if service != "" {
		u.Path = "/" + service
	}
	if t.username != "" || t.hasPassword {
		u.User = url.UserPassword(t.username, t.password)
	}
	return u.String(), nil
}

// clickhouseDSN writes the clickhouse:// URL of clickhouse-go; http and https
// after the plus sign, or as the parameter protocol, choose that protocol.
func clickhouseDSN(t target) (string, error) {
	scheme, port := "clickhouse", 9000
	protocol, _ := t.query.get("protocol")
	switch {
	case t.hint == "https" || protocol == "https":
		scheme, port = "https", 8443
	case t.hint == "http" || protocol == "http" || t.hint == "connect":
		scheme, port = "http", 8123
	}
	hosts := t.hosts
	if len(hosts) == 0 {
		hosts = []hostPort{{host: "localhost"}}
	}
	var list []string
	for _, h := range hosts {
		list = append(list, h.address(port))
	}
	return t.as(scheme, strings.Join(list, ","), t.query.without("protocol")), nil
}

// trinoDSN writes the http:// or https:// URL of trino-go-client, also read by
// presto-go-client: https if there is a password, port 443 or 8443, or
// protocol=https.
func trinoDSN(t target) (string, error) {
	h, err := t.one(t.dialect)
	if err != nil {
		return "", err
	}
	q := t.query
	scheme, port := "http", 8080
	protocol, _ := q.get("protocol")
	if scheme2, ok := q.get("http_scheme"); ok {
		protocol = scheme2
	}
	if protocol == "https" || protocol == "" && (t.password != "" || h.port == 443 || h.port == 8443) {
		scheme, port = "https", 443
	}
	catalog, schema, _ := strings.Cut(t.database, "/")
	q = q.without("protocol", "http_scheme")
	if catalog != "" && !q.has("catalog") {
		q = q.with("catalog", catalog)
	}
	if schema != "" && !q.has("schema") {
		q = q.with("schema", schema)
	}
	t.database = ""
	return t.as(scheme, h.address(port), q), nil
}

// databricksDSN writes token:TOKEN@host:443/http/path?parameters.
func databricksDSN(t target) (string, error) {
	h, err := t.one("databricks")
	if err != nil {
		return "", err
	}
	if path, ok := t.query.get("http_path"); ok {
		if t.database != "" && !t.query.has("catalog") {
			t.query = t.query.with("catalog", t.database)
		}
		t.database = strings.TrimPrefix(path, "/")
	}
	if t.username == "" && t.hasPassword {
		t.username = "token"
	}
	return strings.TrimPrefix(t.as("https", h.address(443), t.query.without("http_path")), "https://"), nil
}

// plainURL is for drivers that read URLs and are not known better.
func plainURL(t target) (string, error) {
	var list []string
	for _, h := range t.hosts {
		list = append(list, h.String())
	}
	return t.as(t.dialect, strings.Join(list, ","), t.query), nil
}

// as writes a URL with the target's credentials and database.
func (t target) as(scheme, host string, q queryParams) string {
	u := url.URL{Scheme: scheme, Host: host, RawQuery: strings.TrimPrefix(encodeQuery(q), "?")}
	if t.database != "" {
		u.Path = "/" + t.database
	}
	switch {
	case t.hasPassword:
		u.User = url.UserPassword(t.username, t.password)
	case t.username != "":
		u.User = url.User(t.username)
	}
	return u.String()
}
