package sqlconn

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What parseURL answers to a text that it cannot use. The texts are constants:
// whatever part of a malformed URL was quoted could be a piece of the password,
// which is why nothing here goes through net/url, whose errors quote it all.
var (
	errEmptyURL = errors.New("the database URL is empty")
	errNotURL   = errors.New("not a database URL: write dialect://username:password@host:port/database, sqlite:///file.db, username:password@tcp(host:3306)/database, or host=… dbname=…")
	errControl  = errors.New("the database URL holds a control character: percent-encode it")
	errBadHost  = errors.New("the host in the database URL is not valid: percent-encode the special characters of the username and the password, and put IPv6 addresses in brackets")
	errBadPort  = errors.New("the port in the database URL is not a number from 1 to 65535: if it is not meant as a port, percent-encode the special characters of the username and the password")
	errODBC     = errors.New("connection strings of ODBC and ADO are not read: write mssql://username:password@host:port/database, or give the parts")
	errJDBC     = errors.New("URLs of JDBC are not read: drop the jdbc: and put username and password before the host")
	errFileURL  = errors.New("the URL of a file needs three slashes: sqlite:///pets.db (relative), sqlite:////var/lib/pets.db (absolute), sqlite:// (in memory); likewise duckdb")
	errKeywords = errors.New("the connection string is not one of libpq: write host=… port=… user=… password=… dbname=…, with values that hold spaces in single quotes")
	errMySQLDSN = errors.New("the MySQL DSN is not complete: write username:password@tcp(host:3306)/database?parameter=value, with each / in a parameter as %2F")
)

// parseURL reads a database URL of either family:
//
//   - as SQLAlchemy writes them: dialect[+driver]://user:password@host:port/database?query,
//     sqlite:///relative.db, sqlite:////absolute.db, sqlite:// and sqlite:///:memory:;
//   - as Go's drivers read them: URLs of pgx, lib/pq, go-mssqldb and others, also
//     with several hosts; keyword strings of libpq; user:password@tcp(host)/db of
//     go-sql-driver; file: names of SQLite.
//
// A username or password may hold any character, encoded or not: the last @
// before the query ends them, and a percent sign that begins no escape stands
// for itself. Errors contain no part of the text.
func parseURL(raw string) (target, error) {
	raw = strings.TrimSpace(raw)
	t, err := splitURL(raw)
	if err != nil {
		return target{}, err
	}
	if err := t.absorb(); err != nil {
		return target{}, err
	}
	return t, t.checkParts()
}

// splitURL tells the families apart.
func splitURL(raw string) (target, error) {
	if raw == "" {
		return target{}, errEmptyURL
	}
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return target{}, errControl
	}
	if raw == ":memory:" {
		return target{dialect: "sqlite", database: raw}, nil
	}
	if hasPrefixFold(raw, "file:") {
		return splitFileURI("file:" + raw[len("file:"):]), nil
	}
	if hasPrefixFold(raw, "jdbc:") {
		return target{}, errJDBC
	}
	if hasPrefixFold(raw, "odbc:") {
		return target{}, errODBC
	}
	if scheme, rest, ok := strings.Cut(raw, "://"); ok && isScheme(scheme) && !isUserBeforeSlashes(scheme, rest) {
		return splitSchemeURL(strings.ToLower(scheme), rest)
	}
	word := keywordAt(raw)
	if libpqKeywords[strings.ToLower(word)] {
		return splitKeywords(raw)
	}
	if isMySQLDSN(raw) { // whose username may look like a keyword
		return splitMySQLDSN(raw)
	}
	if word != "" {
		return target{}, errODBC
	}
	if strings.Contains(raw, ";") && strings.Contains(raw, "=") {
		return target{}, errODBC
	}
	return target{}, errNotURL
}

// splitSchemeURL reads what follows scheme://.
func splitSchemeURL(scheme, rest string) (target, error) {
	name, hint, _ := strings.Cut(scheme, "+")
	t := target{dialect: canonicalDialect(name), hint: hint}
	d, _ := lookupDialect(t.dialect)
	if d.file {
		return splitFilePath(t, rest)
	}
	info, after, ok := cutUserInfo(rest)
	if ok {
		user, password, has := strings.Cut(info, ":")
		t.username, t.password, t.hasPassword = unescape(user), unescape(password), has
	}
	if d.family == familyMySQL {
		if network, address, more, ok := cutNetwork(after); ok {
			if err := t.setNetwork(network, address); err != nil {
				return target{}, err
			}
			after = more
		}
	}
	end := strings.IndexAny(after, "/?")
	if end < 0 {
		end = len(after)
	}
	place := hostInURL
	if d.family == familyMSSQL {
		place = hostInODBC
	}
	hosts, err := parseHosts(after[:end], place)
	if err != nil {
		return target{}, err
	}
	if len(hosts) > 0 {
		t.hosts = hosts
	}
	path, query, _ := strings.Cut(after[end:], "?")
	t.database = unescape(strings.TrimPrefix(path, "/"))
	t.query = parseQuery(query)
	switch {
	case name == "sqlserver" && t.database != "":
		// In go-mssqldb's own URLs the path is the instance, not the database.
		if len(t.hosts) == 0 {
			return target{}, errBadHost
		}
		t.hosts[0].host += `\` + t.database
		t.database = ""
	case d.family == familyOracle && hint != "" && t.database != "" && !t.query.has("service_name"):
		// With a Python driver the path is a SID; for go-ora it is a service.
		t.query = t.query.with("SID", t.database)
		t.database = ""
	}
	return t, nil
}

// cutUserInfo cuts the username and password from what follows the scheme. The
// last @ before the query ends them: nothing else tells a raw @ or / in a
// password from the one that is meant. A question mark that comes before any @
// is taken as a piece of the password unless what stands before it can be a
// host by itself.
func cutUserInfo(rest string) (info, after string, ok bool) {
	head, tail, hasQuery := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(head, '@'); at >= 0 {
		return rest[:at], rest[at+1:], true
	}
	if !hasQuery || strings.Contains(head, "/") || !strings.Contains(head, ":") {
		return "", rest, false
	}
	if _, err := parseHosts(head, hostInODBC); err == nil {
		return "", rest, false
	}
	at := strings.IndexByte(tail, '@')
	if at < 0 {
		return "", rest, false
	}
	end := at + strings.IndexAny(tail[at:]+"/", "/?")
	at = len(head) + 1 + strings.LastIndexByte(tail[:end], '@')
	return rest[:at], rest[at+1:], true
}

// A hostPlace is where a list of hosts stands.
type hostPlace uint8

const (
	hostInURL    hostPlace = iota
	hostInODBC             // a second item of digits is the port
	hostByItself           // a part or a parameter: IPv6 needs no brackets if there is no port
)

// parseHosts reads host, host:port, [IPv6]:port, or a comma-separated list of
// them. Hosts are percent-decoded; one that begins with a slash is the path of
// a socket.
func parseHosts(s string, place hostPlace) ([]hostPort, error) {
	if s == "" {
		return nil, nil
	}
	items := strings.Split(s, ",")
	if place == hostInODBC && len(items) == 2 {
		if port, ok := portNumber(items[1]); ok {
			h, err := parseHost(items[0], place)
			if err != nil || h.port != 0 {
				return nil, errBadHost
			}
			return []hostPort{{h.host, port}}, nil
		}
	}
	hosts := make([]hostPort, 0, len(items))
	for _, item := range items {
		if item == "" {
			return nil, errBadHost
		}
		h, err := parseHost(item, place)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

func parseHost(item string, place hostPlace) (hostPort, error) {
	if place == hostByItself {
		if addr, err := netip.ParseAddr(item); err == nil && addr.Is6() || strings.HasPrefix(item, "/") {
			return hostPort{host: item}, nil
		}
	}
	var host, port string
	var hasPort bool
	if inner, ok := strings.CutPrefix(item, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok || host == "" {
			return hostPort{}, errBadHost
		}
		if port, hasPort = strings.CutPrefix(port, ":"); !hasPort && port != "" {
			return hostPort{}, errBadHost
		}
	} else {
		host, port, hasPort = strings.Cut(item, ":")
		if strings.Contains(port, ":") {
			return hostPort{}, errBadHost
		}
	}
	h := hostPort{host: unescape(host)}
	if !validHost(h.host) {
		return hostPort{}, errBadHost
	}
	if hasPort && port != "" {
		n, ok := portNumber(port)
		if !ok {
			return hostPort{}, errBadPort
		}
		h.port = n
	}
	return h, nil
}

// validHost reports whether the text can be a name, an address, the path of a
// socket, or host\instance. It is strict about what hints at a password that
// was cut at the wrong place.
func validHost(host string) bool {
	if strings.HasPrefix(host, "/") {
		return !strings.ContainsFunc(host, unicode.IsControl) && !strings.ContainsAny(host, "@,")
	}
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	for _, r := range host {
		switch {
		case r == utf8.RuneError:
			return false
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), strings.ContainsRune(`-._%\$~`, r):
		default:
			return false
		}
	}
	return true
}

// splitFilePath reads what follows the scheme of SQLite and DuckDB: a path
// after a slash, not percent-decoded, as in SQLAlchemy.
func splitFilePath(t target, rest string) (target, error) {
	path, query, _ := strings.Cut(rest, "?")
	path, ok := strings.CutPrefix(path, "/")
	if !ok && path != "" {
		if path != ":memory:" {
			return target{}, errFileURL
		}
	}
	t.database = path
	t.query = parseQuery(query)
	return t, nil
}

// splitFileURI reads the file: name of SQLite.
func splitFileURI(raw string) target {
	name, query, _ := strings.Cut(raw, "?")
	return target{dialect: "sqlite", database: name, query: parseQuery(query)}
}

// parseQuery splits parameters and decodes them as a form, leniently.
func parseQuery(s string) queryParams {
	var out queryParams
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		out = append(out, queryParam{unescapeForm(key), unescapeForm(value)})
	}
	return out
}

// libpqKeywords are the parameters that a keyword string of libpq can begin
// with. Others follow as they like.
var libpqKeywords = map[string]bool{
	"host": true, "hostaddr": true, "port": true, "dbname": true, "database": true,
	"user": true, "password": true, "passfile": true, "service": true, "servicefile": true,
	"sslmode": true, "sslcert": true, "sslkey": true, "sslrootcert": true, "sslpassword": true,
	"application_name": true, "connect_timeout": true, "options": true,
	"target_session_attrs": true, "client_encoding": true, "require_auth": true,
	"channel_binding": true, "search_path": true, "timezone": true,
}

// keywordAt returns the word before an equals sign that the text begins with.
func keywordAt(s string) string {
	i := 0
	for i < len(s) && isWordByte(s[i]) {
		i++
	}
	if i == 0 || !strings.HasPrefix(strings.TrimLeft(s[i:], " "), "=") {
		return ""
	}
	return s[:i]
}

// splitKeywords reads a keyword string of libpq: keyword = value, the value
// bare or in single quotes, with a backslash before what is to be literal.
func splitKeywords(s string) (target, error) {
	t := target{dialect: "postgresql"}
	for {
		if s = strings.TrimLeft(s, " "); s == "" {
			return t, nil
		}
		key := keywordAt(s)
		if key == "" {
			return target{}, errKeywords
		}
		s = strings.TrimLeft(s[len(key):], " ")
		s = strings.TrimLeft(strings.TrimPrefix(s, "="), " ")
		var value strings.Builder
		quoted := strings.HasPrefix(s, "'")
		if quoted {
			s = s[1:]
		}
		closed := !quoted
		for s != "" {
			c := s[0]
			if quoted && c == '\'' {
				s, closed = s[1:], true
				break
			}
			if !quoted && c == ' ' {
				break
			}
			s = s[1:]
			if c == '\\' {
				if s == "" {
					break
				}
				c, s = s[0], s[1:]
			}
			value.WriteByte(c)
		}
		if !closed {
			return target{}, errKeywords
		}
		// What names the server and the user is moved into place by absorb.
		t.query = t.query.with(key, value.String())
	}
}

// isMySQLDSN reports whether the text is a DSN of go-sql-driver: before the
// last slash it ends in an address in parentheses, or in an @ alone.
func isMySQLDSN(s string) bool {
	slash := strings.LastIndexByte(s, '/')
	if slash < 0 {
		return false
	}
	left := s[:slash]
	if strings.Contains(left, "@tcp(") || strings.Contains(left, "@unix(") {
		return true // or is meant to be one
	}
	at := strings.LastIndexByte(left, '@')
	network := left[at+1:]
	if name, address, ok := strings.Cut(network, "("); ok {
		return strings.HasSuffix(address, ")") && isNetworkName(name)
	}
	return at >= 0 && (network == "" || network == "tcp" || network == "unix")
}

// isUserBeforeSlashes tells whether what looks like a URL of a dialect that nobody knows is a DSN of
// go-sql-driver whose password begins with two slashes.
func isUserBeforeSlashes(scheme, rest string) bool {
	name, _, _ := strings.Cut(scheme, "+")
	if _, known := lookupDialect(name); known {
		return false
	}
	for _, network := range []string{"@tcp(", "@unix("} {
		if before, _, ok := strings.Cut(rest, network); ok {
			return !strings.Contains(before, ":") // with one it is a misspelt dialect, a user and a password
		}
	}
	return false
}

// splitMySQLDSN reads [username[:password]@][network[(address)]]/database[?parameters]
// by the rules of go-sql-driver: the last slash, the last @ before it, the
// first colon.
func splitMySQLDSN(s string) (target, error) {
	t := target{dialect: "mysql"}
	slash := strings.LastIndexByte(s, '/')
	left, right := s[:slash], s[slash+1:]
	at := strings.LastIndexByte(left, '@')
	if at >= 0 {
		t.username, t.password, t.hasPassword = strings.Cut(left[:at], ":")
	}
	network, address, ok := strings.Cut(left[at+1:], "(")
	if ok {
		if address, ok = strings.CutSuffix(address, ")"); !ok {
			return target{}, errMySQLDSN
		}
	}
	if !isNetworkName(network) {
		return target{}, errMySQLDSN
	}
	if err := t.setNetwork(network, address); err != nil {
		return target{}, err
	}
	name, query, _ := strings.Cut(right, "?")
	t.database = unescape(name)
	t.query = parseQuery(query)
	return t, nil
}

// cutNetwork cuts network(address) from the front of the text.
func cutNetwork(s string) (network, address, after string, ok bool) {
	open := strings.IndexByte(s, '(')
	end := strings.IndexByte(s, ')')
	if open <= 0 || end < open || !isNetworkName(s[:open]) {
		return "", "", s, false
	}
	return s[:open], s[open+1 : end], s[end+1:], true
}

// setNetwork takes the network and the address of a go-sql-driver DSN.
func (t *target) setNetwork(network, address string) error {
	switch {
	case network == "unix":
		if address != "" {
			t.hosts = []hostPort{{host: address}}
		}
		if !strings.HasPrefix(address, "/") {
			t.network = "unix"
		}
	case network == "" || network == "tcp":
		hosts, err := parseHosts(address, hostByItself)
		if err != nil {
			return err
		}
		t.hosts = hosts
	default:
		t.network = network
		if address != "" {
			t.hosts = []hostPort{{host: address}}
		}
	}
	return nil
}

// isNetworkName reports whether the text can name a network of package net or
// of a registered dialer.
func isNetworkName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < utf8.RuneSelf && isWordByte(byte(r)) || strings.ContainsRune("+-.", r))
	})
}

// isScheme reports whether the text can stand before ://.
func isScheme(s string) bool {
	return s != "" && s[0] != '+' && isNetworkName(s) && !('0' <= s[0] && s[0] <= '9')
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// unescape decodes percent escapes. A percent sign that begins none stands for
// itself, as in SQLAlchemy, so that a raw "100%" in a password is no error.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				b.WriteByte(hi<<4 | lo)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescapeForm is unescape for what follows the question mark, where a plus
// sign is a space.
func unescapeForm(s string) string { return unescape(strings.ReplaceAll(s, "+", " ")) }

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// escapePath percent-encodes all but letters, digits, "-._~" and the bytes in
// keep.
func escapePath(s, keep string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if isWordByte(c) || c == '-' || c == '.' || c == '~' || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upper[c>>4])
		b.WriteByte(upper[c&15])
	}
	return b.String()
}
