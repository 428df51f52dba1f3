package sqlconn

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The DSN of each driver, written as text: no driver is linked. What is not
// asked for is left to the driver, except where drivers of one dialect, or the
// Python programs that share the configuration, would otherwise see different
// data:
//
//	mysql      parseTime=true and loc=UTC, so that DATE and DATETIME scan into
//	           time.Time; charset=utf8mb4; clientFoundRows=true, as SQLAlchemy has
//	           it: an UPDATE counts the rows that it found, also those that it
//	           left as they were, which is what every other dialect counts.
//	           multiStatements stays off.
//	sqlite     a busy timeout of 5 s; time.Time written as
//	           "2006-01-02 15:04:05.999999999-07:00", which SQLite's own date
//	           functions read (mattn's driver always does, modernc's is told to).
//	           Foreign keys are not touched: they stay off unless the URL or
//	           connect_args turn them on with _foreign_keys=on.
//
// Parameters of Python's drivers are translated where there is a counterpart,
// dropped where they mean nothing here, and refused where dropping them would
// make a connection less safe than its configuration says.

// errNUL is for what no C library takes.
var errNUL = errors.New("a NUL byte cannot be a part of the database URL")

// one is the only host of a target whose driver takes no list.
func (t target) one(driver string) (hostPort, error) {
	if len(t.hosts) > 1 {
		return hostPort{}, fmt.Errorf("the %s driver connects to one host, not to a list of %d", driver, len(t.hosts))
	}
	return t.host(), nil
}

// seconds reads a number of seconds, as Python's drivers take them, as a
// duration of Go; a duration of Go stays one.
func seconds(key, value string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(value, 64); err == nil && n >= 0 && n <= 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	if d, err := time.ParseDuration(value); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%s must be a number of seconds", key)
}

// truth reads a switch of Python or ODBC.
func truth(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "1", "t", "true", "yes", "y", "on":
		return true, true
	case "0", "f", "false", "no", "n", "off":
		return false, true
	}
	return false, false
}

var errBadParameter = errors.New("the name of a parameter of the database URL is not valid")

// isSettingName reports whether the text can be the name of a parameter.
func isSettingName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '.' && r != '-' && (r > '~' || !isWordByte(byte(r)))
	})
}

// encodeQuery writes parameters in their order, with the question mark.
func encodeQuery(q queryParams) string {
	var b strings.Builder
	for i, p := range q {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(p.key) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}
