package sqlconn

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/streamconn/streamconn/internal/redact"
)

// A target says which database to reach and as whom. It is what parseURL reads
// out of a URL, what mergeParts makes of a URL and parts together, and what the
// DSN of a driver is written from. It is a value: methods never change it.
//
// A target formats itself with its password and its secret parameters masked,
// whatever the verb.
type target struct {
	dialect     string // canonical name, as in dialects; a scheme that is not in the table stays as it is
	hint        string // what follows the plus sign of the scheme, or the part "driver"
	username    string
	password    string
	hasPassword bool       // tells an empty password from none
	network     string     // of a go-sql-driver DSN with a dialer of its own; else ""
	hosts       []hostPort // none: the driver's default
	database    string     // a path for SQLite and DuckDB; SQLite keeps "file:" URIs as they are
	query       queryParams
}

// A hostPort is one server. A host that begins with a slash is the path of a
// Unix socket; port 0 is the dialect's default.
type hostPort struct {
	host string
	port int
}

// String is the host and port as a URL has them.
func (h hostPort) String() string {
	host := h.host
	switch {
	case strings.HasPrefix(host, "/"):
		host = strings.ReplaceAll(host, "/", "%2F")
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	if h.port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(h.port)
}

// Parameters after the question mark, in their order; a name may occur again.
type (
	queryParam  struct{ key, value string }
	queryParams []queryParam
)

// get returns the last value given for the name, compared without case.
func (q queryParams) get(key string) (string, bool) {
	for _, p := range slices.Backward(q) {
		if strings.EqualFold(p.key, key) {
			return p.value, true
		}
	}
	return "", false
}

// has reports whether one of the names is given.
func (q queryParams) has(keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		_, ok := q.get(k)
		return ok
	})
}

// without returns the parameters less those of the names.
func (q queryParams) without(keys ...string) queryParams {
	return slices.DeleteFunc(slices.Clone(q), func(p queryParam) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, p.key) })
	})
}

// with returns the parameters with all values of the name replaced by these.
func (q queryParams) with(key string, values ...string) queryParams {
	out := q.without(key)
	for _, v := range values {
		out = append(out, queryParam{key, v})
	}
	return out
}

// secretWords are what the names of parameters that hold secrets contain.
var secretWords = []string{"pass", "pwd", "secret", "token", "credential", "signature"}

// secret reports whether the parameter is one to mask: its name says so, and
// its value is more than a switch.
func (p queryParam) secret() bool {
	key, value := p.setting()
	switch strings.ToLower(value) {
	case "", "0", "1", "true", "false", "yes", "no", "on", "off":
		return false
	}
	name := strings.ToLower(key)
	return strings.HasSuffix(name, "key") ||
		slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(name, w) })
}

// setting is the parameter's name and value; those of the pragma in a _pragma of SQLite, such as
// key('…'), with which some of its drivers open encrypted databases.
func (p queryParam) setting() (key, value string) {
	if !strings.EqualFold(p.key, "_pragma") {
		return p.key, p.value
	}
	at := strings.IndexAny(p.value, "(=")
	if at < 0 {
		return p.value, ""
	}
	return strings.TrimSpace(p.value[:at]), strings.Trim(p.value[at+1:], ` )'"`)
}

// secrets are the texts that must not be shown: what redact.Error is to mask in
// everything that a driver says.
func (t target) secrets() []string {
	var out []string
	if t.password != "" {
		out = append(out, t.password)
	}
	for _, p := range t.query {
		if p.secret() {
			_, value := p.setting()
			out = append(out, value)
		}
	}
	return out
}

// String is the target as a URL with its secrets masked, for logs and errors.
func (t target) String() string {
	var b strings.Builder
	b.WriteString(t.dialect)
	if t.hint != "" {
		b.WriteByte('+')
		b.WriteString(t.hint)
	}
	b.WriteString("://")
	if t.username != "" || t.hasPassword {
		b.WriteString(escapePath(t.username, ""))
		if t.hasPassword {
			b.WriteString(":" + redact.Mask)
		}
		b.WriteByte('@')
	}
	for i, h := range t.hosts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(h.String())
	}
	if t.database != "" {
		b.WriteByte('/')
		b.WriteString(escapePath(t.database, "/:"))
	}
	for i, p := range t.query {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(escapePath(p.key, ""))
		b.WriteByte('=')
		if p.secret() {
			b.WriteString(redact.Mask)
		} else {
			b.WriteString(escapePath(p.value, "/:,"))
		}
	}
	return b.String()
}

// Format prints String for every verb: the fields are never shown.
func (t target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue is what slog prints.
func (t target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// host is the first host, for drivers that take one.
func (t target) host() hostPort {
	if len(t.hosts) == 0 {
		return hostPort{}
	}
	return t.hosts[0]
}

// inMemory reports whether the database lives in this process's memory and is
// gone with its last connection. Such a target is opened with memoryDSN.
func (t target) inMemory() bool {
	switch t.dialect {
	case "sqlite":
		if mode, _ := t.query.get("mode"); mode == "memory" {
			return true
		}
		return t.database == "" || t.database == ":memory:" || t.database == "file::memory:"
	case "duckdb":
		return t.database == "" || t.database == ":memory:"
	}
	return false
}

// absorb moves parameters that say who and where, as libpq, PyMySQL and ODBC
// allow them, into the fields, so that every driver gets them its own way and
// passwords are known as such. A parameter overrides what the URL says before
// the question mark, as in libpq.
func (t *target) absorb() error {
	if t.query.has("odbc_connect") {
		return errors.New("odbc_connect holds a connection string of ODBC, which Go's driver cannot read: write mssql://username:password@host:port/database?encrypt=true, or the parts")
	}
	d, known := lookupDialect(t.dialect)
	if !known || d.file {
		return nil
	}
	take := func(keys ...string) (string, bool) {
		for _, k := range keys {
			if v, ok := t.query.get(k); ok {
				t.query = t.query.without(k)
				return v, true
			}
		}
		return "", false
	}
	if v, ok := take("password", "passwd", "pwd"); ok {
		t.password, t.hasPassword = v, true
	}
	if v, ok := take("user", "uid", "user id", "username"); ok {
		t.username = v
	}
	switch d.family {
	case familyPostgres:
		return t.absorbPostgres(take)
	case familyMySQL:
		if v, ok := take("unix_socket"); ok {
			t.hosts = []hostPort{{host: v}}
		}
		if v, ok := take("database", "db"); ok {
			t.database = v
		}
		return t.absorbHost(take)
	case familyMSSQL:
		if v, ok := take("database"); ok {
			t.database = v
		}
	case familySnowflake:
		if len(t.hosts) == 0 {
			if v, ok := take("account"); ok {
				t.hosts = []hostPort{{host: v}}
			}
		}
	}
	return nil
}

// absorbHost takes host and port of one server.
func (t *target) absorbHost(take func(...string) (string, bool)) error {
	if v, ok := take("host"); ok {
		hosts, err := parseHosts(v, hostByItself)
		if err != nil {
			return err
		}
		t.hosts = hosts
	}
	if v, ok := take("port"); ok {
		port, ok := portNumber(v)
		if !ok {
			return errBadPort
		}
		if len(t.hosts) == 0 {
			t.hosts = []hostPort{{}}
		}
		for i := range t.hosts {
			t.hosts[i].port = port
		}
	}
	return nil
}

// absorbPostgres takes what libpq takes as parameters: host and port may be
// lists, and SQLAlchemy repeats host=name:port.
func (t *target) absorbPostgres(take func(...string) (string, bool)) error {
	if v, ok := take("dbname", "database"); ok {
		t.database = v
	}
	if t.query.has("host") {
		var list []string
		for _, p := range t.query {
			if strings.EqualFold(p.key, "host") {
				list = append(list, p.value)
			}
		}
		t.query = t.query.without("host")
		hosts, err := parseHosts(strings.Join(list, ","), hostByItself)
		if err != nil {
			return err
		}
		port := t.host().port
		for i := range hosts {
			if hosts[i].port == 0 {
				hosts[i].port = port
			}
		}
		t.hosts = hosts
	}
	v, ok := take("port")
	if !ok {
		return nil
	}
	ports := strings.Split(v, ",")
	if len(t.hosts) == 0 {
		t.hosts = make([]hostPort, len(ports))
	}
	if len(ports) != 1 && len(ports) != len(t.hosts) {
		return errors.New("host and port are lists of different lengths: give one port, or one for each host")
	}
	for i := range t.hosts {
		p := ports[min(i, len(ports)-1)]
		if p == "" {
			continue
		}
		n, ok := portNumber(p)
		if !ok {
			return errBadPort
		}
		t.hosts[i].port = n
	}
	return nil
}

// address is host and port as net.Dial wants them, with the default port of
// the dialect if none is given.
func (h hostPort) address(defaultPort int) string {
	port := h.port
	if port == 0 {
		port = defaultPort
	}
	return net.JoinHostPort(h.host, strconv.Itoa(port))
}
