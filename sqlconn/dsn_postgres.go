package sqlconn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// postgresDSN writes a keyword string of libpq, which pgx and lib/pq read
// alike: it alone has room for any byte in any value, for sockets and for lists
// of hosts. Parameters that only libpq itself knows and that change nothing of
// what is read or trusted are left out, because the server would refuse them as
// settings of its own.
func postgresDSN(t target) (string, error) {
	defaultPort := 5432
	switch t.dialect {
	case "cockroachdb":
		defaultPort = 26257
	case "redshift":
		defaultPort = 5439
	}
	var b strings.Builder
	var err error
	put := func(key, value string) {
		if strings.Contains(key+value, "\x00") {
			err = errNUL
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key + "='")
		for i := range len(value) {
			if value[i] == '\'' || value[i] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(value[i])
		}
		b.WriteByte('\'')
	}
	var hosts, ports []string
	for _, h := range t.hosts {
		if strings.Contains(h.host, ",") {
			return "", errBadHost
		}
		hosts = append(hosts, h.host)
		port := h.port
		if port == 0 {
			port = defaultPort
		}
		ports = append(ports, strconv.Itoa(port))
	}
	if len(hosts) > 1 || len(hosts) == 1 && hosts[0] != "" {
		put("host", strings.Join(hosts, ","))
	}
	switch {
	case len(ports) == 0 && defaultPort != 5432:
		put("port", strconv.Itoa(defaultPort))
	case len(ports) > 0 && len(slices.Compact(slices.Clone(ports))) == 1:
		put("port", ports[0])
	case len(ports) > 0:
		put("port", strings.Join(ports, ","))
	}
	if t.username != "" {
		put("user", t.username)
	}
	if t.hasPassword {
		put("password", t.password)
	}
	if t.database != "" {
		put("dbname", t.database)
	}
	q := t.query
	if v, ok := q.get("ssl"); ok && !q.has("sslmode") { // asyncpg, pg8000
		if on, isSwitch := truth(v); isSwitch {
			v = map[bool]string{true: "require", false: "disable"}[on]
		}
		q = q.with("sslmode", v)
	}
	if v, ok := q.get("fallback_application_name"); ok && !q.has("application_name") {
		q = q.with("application_name", v)
	}
	q = q.without("ssl", "fallback_application_name",
		// Kept by the operating system's defaults and by Go's own keep-alives.
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
		// Neither driver has GSS encryption or TLS compression to turn on or off.
		"gssencmode", "sslcompression",
		// Of SQLAlchemy's asyncpg and psycopg dialects.
		"async_fallback", "prepared_statement_cache_size", "prepared_statement_name_func", "prepare_threshold")
	for _, p := range q {
		if strings.HasPrefix(p.key, "pool_") {
			return "", fmt.Errorf("%s is a parameter of pgxpool: the pool here is database/sql's, set by pool_size, max_overflow and pool_recycle", p.key)
		}
		if !isSettingName(p.key) {
			return "", errBadParameter
		}
		put(p.key, p.value)
	}
	return b.String(), err
}
