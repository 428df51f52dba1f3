package sqlconn

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Values that go-sql-driver does not unescape.
var mysqlVerbatim = []string{
	"charset", "collation", "timeout", "readTimeout", "writeTimeout", "maxAllowedPacket", "timeTruncate",
	"allowAllFiles", "allowCleartextPasswords", "allowFallbackToPlaintext", "allowNativePasswords", "allowOldPasswords",
	"checkConnLiveness", "clientFoundRows", "columnsWithAlias", "compress", "interpolateParams",
	"multiStatements", "parseTime", "rejectReadOnly",
}

// mysqlDSN writes [username[:password]@][network[(address)]]/database?parameters
// as go-sql-driver reads it: the last slash ends the address, the last @ before
// it the password, the first colon the username. Only a colon in the username
// and an @ in the address cannot be expressed.
func mysqlDSN(t target) (string, error) {
	h, err := t.one("mysql")
	if err != nil {
		return "", err
	}
	if strings.Contains(t.username, ":") {
		return "", errors.New("go-sql-driver takes no colon in the username")
	}
	if strings.Contains(h.host, "@") || strings.Contains(t.network, "@") {
		return "", errors.New("go-sql-driver takes no @ in the address")
	}
	var b strings.Builder
	if t.username != "" || t.hasPassword {
		b.WriteString(t.username)
		if t.hasPassword {
			b.WriteString(":" + t.password)
		}
		b.WriteByte('@')
	}
	switch {
	case t.network != "":
		b.WriteString(t.network)
		if h.host != "" {
			b.WriteString("(" + h.host + ")")
		}
	case strings.HasPrefix(h.host, "/"):
		b.WriteString("unix(" + h.host + ")")
	case h.host != "" || h.port != 0:
		if h.host == "" {
			h.host = "localhost"
		}
		b.WriteString("tcp(" + h.address(3306) + ")")
	}
	b.WriteString("/" + escapePath(t.database, ""))

	q, err := mysqlParams(t.query)
	if err != nil {
		return "", err
	}
	for i, p := range q {
		value := url.QueryEscape(p.value)
		if slices.Contains(mysqlVerbatim, p.key) {
			if value != strings.ReplaceAll(p.value, ",", "%2C") {
				return "", fmt.Errorf("the value of %s is not valid", p.key)
			}
			value = p.value
		}
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.key + "=" + value)
	}
	return b.String(), nil
}

// mysqlParams translates what PyMySQL, mysqlclient and Connector/Python take,
// and adds the defaults.
func mysqlParams(in queryParams) (queryParams, error) {
	var q queryParams
	tls := ""
	for _, p := range in {
		on, isSwitch := truth(p.value)
		switch strings.ToLower(p.key) {
		case "connect_timeout", "connection_timeout", "read_timeout", "write_timeout":
			d, err := seconds(p.key, p.value)
			if err != nil {
				return nil, err
			}
			name := map[byte]string{'c': "timeout", 'r': "readTimeout", 'w': "writeTimeout"}[p.key[0]|0x20]
			q = q.with(name, d.String())
		case "use_unicode", "binary_prefix", "use_pure", "conv":
			// How Python's drivers represent values.
		case "ssl_disabled":
			if isSwitch && on {
				tls = "false"
			}
		case "ssl":
			if !isSwitch {
				return nil, errMySQLTLS
			}
			tls = strconv.FormatBool(on)
		case "ssl_verify_cert", "ssl_verify_identity", "ssl_check_hostname":
			if isSwitch && on {
				tls = "true"
			}
		case "ssl_mode":
			switch strings.ToUpper(p.value) {
			case "DISABLED":
				tls = "false"
			case "PREFERRED":
				tls = "preferred"
			case "REQUIRED":
				tls = "skip-verify"
			default: // VERIFY_CA too: go-sql-driver checks the name as well, or nothing
				tls = "true"
			}
		case "ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_cipher", "ssl_crl":
			return nil, errMySQLTLS
		case "strict":
			return nil, errors.New("strict is not a parameter of go-sql-driver any more: set sql_mode instead")
		default:
			if !isSettingName(p.key) {
				return nil, errBadParameter
			}
			q = append(q, p)
		}
	}
	if tls != "" && !q.has("tls") {
		q = append(q, queryParam{"tls", tls})
	}
	for _, def := range []queryParam{
		{"parseTime", "true"}, {"loc", "UTC"}, {"charset", "utf8mb4"}, {"clientFoundRows", "true"},
	} {
		if !slices.ContainsFunc(q, func(p queryParam) bool { return p.key == def.key }) {
			q = append(q, def)
		}
	}
	return q, nil
}

var errMySQLTLS = errors.New(`certificates cannot be given to go-sql-driver by name: register them with mysql.RegisterTLSConfig("NAME", …) and give tls=NAME`)
