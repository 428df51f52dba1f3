package sqlconn

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The names that mergeParts reads.
const (
	partURL      = "url"
	partDialect  = "dialect"
	partDriver   = "driver"
	partUsername = "username"
	partPassword = "password"
	partHost     = "host"
	partPort     = "port"
	partDatabase = "database"
	partQuery    = "query"
)

// A levelled is one parameter and the level that it came from: a higher level
// is nearer to the caller. where, if known, names the place for errors. It
// prints its name alone.
type levelled struct {
	name  string
	value any
	level int
	where string
}

// Format prints the name and the level, never the value.
func (l levelled) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s at level %d", l.name, l.level) }

// errNoTarget is mergeParts given nothing that names a database.
var errNoTarget = errors.New(`nothing says which database: give url = "dialect://username:password@host:port/database", or the parts dialect, username, password, host, port, database`)

// A missingPartsError tells which parts a connection by parts lacks. Its text
// holds names alone.
type missingPartsError struct {
	dialect string
	parts   []string // in the order of the documentation
}

func (e *missingPartsError) Error() string {
	if slices.Contains(e.parts, partDialect) {
		return `no dialect: give dialect = "postgresql" (or mysql, sqlite, …), or a url`
	}
	return fmt.Sprintf("no %s: a connection to %q by parts needs %s (or give a url)",
		strings.Join(e.parts, ", no "), e.dialect, strings.Join(e.parts, " and "))
}

// mergeParts makes one target of a url and of parts, each with its level:
//
//   - a url speaks for every part at its own level and hides all parts of lower
//     levels, the username and the password too;
//   - a part at the url's level or a higher one overrides what the url says;
//     query is merged name by name;
//   - without a url, the parts must be enough for the dialect: SQLite and DuckDB
//     need nothing beside it, servers a host, most also a username.
//
// Of two values of one name the higher level counts, of equals the later.
// Parts with other names are ignored. No error contains a value.
func mergeParts(given []levelled) (target, error) {
	given = slices.Clone(given)
	slices.SortStableFunc(given, func(a, b levelled) int { return a.level - b.level })

	var t target
	byURL, urlLevel := false, 0
	for _, p := range given {
		if p.name != partURL || p.value == nil {
			continue
		}
		raw, err := partText(p)
		if err != nil {
			return target{}, err
		}
		if t, err = parseURL(raw); err != nil {
			return target{}, p.errorf("%w", err)
		}
		byURL, urlLevel = true, p.level
	}

	found := byURL
	for _, p := range given {
		if p.value == nil || p.name == partURL || byURL && p.level < urlLevel {
			continue
		}
		ok, err := t.override(p)
		if err != nil {
			return target{}, err
		}
		found = found || ok
	}
	if !found {
		return target{}, errNoTarget
	}
	if err := t.absorb(); err != nil {
		return target{}, err
	}
	if !byURL {
		if err := t.requireParts(); err != nil {
			return target{}, err
		}
	}
	return t, t.checkParts()
}

// override sets one part; false if the name is none of ours.
func (t *target) override(p levelled) (bool, error) {
	var text string
	var err error
	switch p.name {
	case partDialect, partDriver, partUsername, partPassword, partHost, partDatabase:
		if text, err = partText(p); err != nil {
			return false, err
		}
	}
	switch p.name {
	case partDialect:
		name, hint, _ := strings.Cut(text, "+")
		t.dialect = canonicalDialect(name)
		if hint != "" {
			t.hint = hint
		}
	case partDriver:
		t.hint = text
	case partUsername:
		t.username = text
	case partPassword:
		t.password, t.hasPassword = text, true
	case partDatabase:
		t.database = text
	case partHost:
		port := 0
		if len(t.hosts) > 0 {
			port = t.hosts[0].port
		}
		if t.hosts, err = parseHosts(text, hostByItself); err != nil {
			return false, p.errorf("%w", err)
		}
		if len(t.hosts) == 1 && t.hosts[0].port == 0 {
			t.hosts[0].port = port
		}
	case partPort:
		port, err := partPortNumber(p)
		if err != nil {
			return false, err
		}
		hosts := slices.Clone(t.hosts)
		if len(hosts) == 0 {
			hosts = []hostPort{{}}
		}
		for i := range hosts {
			hosts[i].port = port
		}
		t.hosts = hosts
	case partQuery:
		q, err := partQueryParams(p)
		if err != nil {
			return false, err
		}
		for _, kv := range q {
			t.query = t.query.without(kv.key)
		}
		t.query = append(t.query, q...)
	default:
		return false, nil
	}
	return true, nil
}

// requireParts reports what a connection by parts lacks.
func (t target) requireParts() error {
	if t.dialect == "" {
		return &missingPartsError{parts: []string{partDialect}}
	}
	d, ok := lookupDialect(t.dialect)
	if !ok {
		return nil
	}
	var missing []string
	for _, name := range d.required {
		switch {
		case name == partUsername && t.username == "" && !t.query.has("authenticator", "fedauth", "service"),
			name == partHost && t.host().host == "" && !t.query.has("service"):
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return &missingPartsError{dialect: d.name, parts: missing}
	}
	return nil
}

// checkParts refuses what no driver can make sense of.
func (t target) checkParts() error {
	if d, ok := lookupDialect(t.dialect); ok && d.file {
		if t.host().host != "" || t.username != "" || t.hasPassword {
			return fmt.Errorf("%s opens a file: it takes a database, but no host, username or password", d.name)
		}
	}
	return nil
}

// withConnectArgs returns the target with the connect_args of
// create_engine_kwargs as parameters of the connection; they override those of
// the URL. Values are strings, numbers, booleans, or lists of them.
func (t target) withConnectArgs(args map[string]any) (target, error) {
	q, err := partQueryParams(levelled{name: "connect_args", value: args})
	if err != nil {
		return target{}, err
	}
	for _, kv := range q {
		t.query = t.query.without(kv.key)
	}
	t.query = append(slices.Clone(t.query), q...)
	t.hosts = slices.Clone(t.hosts)
	if err := t.absorb(); err != nil {
		return target{}, err
	}
	return t, t.checkParts()
}

// errorf is an error about the part; the arguments must not hold its value.
func (l levelled) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if l.where != "" {
		return fmt.Errorf("%s (from %s): %w", l.name, l.where, err)
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// revealer is a secret that shows itself only when asked to.
type revealer interface{ Reveal() string }

// partText reads a part that is a text. A number is taken as its digits, for a
// password = 1234 in a file. A part that must say something may not be empty:
// it is there, so nothing of a lower level takes its place.
func partText(p levelled) (string, error) {
	s, ok := plainText(p.value)
	if !ok {
		return "", p.errorf("must be a string, not %s", kindName(p.value))
	}
	if s == "" {
		switch p.name {
		case partURL, partDialect, partHost:
			return "", p.errorf("is there but empty: fill it in or remove it")
		}
	}
	return s, nil
}

// plainText is a string, a secret, or a whole number as text.
func plainText(v any) (string, bool) {
	if r, ok := v.(revealer); ok {
		return r.Reveal(), true
	}
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return "", false
	case rv.Kind() == reflect.String:
		return rv.String(), true
	case rv.CanInt():
		return strconv.FormatInt(rv.Int(), 10), true
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10), true
	}
	return "", false
}

// partPortNumber reads a port from a number or a string of digits.
func partPortNumber(p levelled) (int, error) {
	s, ok := plainText(p.value)
	if !ok {
		return 0, p.errorf("must be a number, not %s", kindName(p.value))
	}
	port, ok := portNumber(strings.TrimSpace(s))
	if !ok {
		return 0, p.errorf("must be a number from 1 to 65535")
	}
	return port, nil
}

// portNumber reads digits; no sign, no space, nothing beyond 65535.
func portNumber(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && n > 0 && s[0] != '+'
}

// partQueryParams reads a table of parameters, in the order of their names, or
// a text as it stands after the question mark of a URL.
func partQueryParams(p levelled) (queryParams, error) {
	if s, ok := plainText(p.value); ok {
		return parseQuery(strings.TrimPrefix(s, "?")), nil
	}
	rv := reflect.ValueOf(p.value)
	if !rv.IsValid() || rv.Kind() != reflect.Map || rv.Type().Key().Kind() != reflect.String {
		return nil, p.errorf("must be a table of names and values, not %s", kindName(p.value))
	}
	table := make(map[string]any, rv.Len())
	for it := rv.MapRange(); it.Next(); {
		table[it.Key().String()] = it.Value().Interface()
	}
	var out queryParams
	for _, key := range slices.Sorted(maps.Keys(table)) {
		v := table[key]
		if v == nil {
			continue // None: as if not given
		}
		values := []any{v}
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice && list.Type().Elem().Kind() != reflect.Uint8 {
			values = values[:0]
			for i := range list.Len() {
				values = append(values, list.Index(i).Interface())
			}
		}
		for _, v := range values {
			s, ok := scalarText(v)
			if !ok {
				return nil, p.errorf("%s must be a string, a number, a boolean or a list of them, not %s", key, kindName(v))
			}
			out = append(out, queryParam{key, s})
		}
	}
	return out, nil
}

// scalarText is plainText, and booleans and floating numbers too.
func scalarText(v any) (string, bool) {
	if s, ok := plainText(v); ok {
		return s, true
	}
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return "", false
	case rv.Kind() == reflect.Bool:
		return strconv.FormatBool(rv.Bool()), true
	case rv.CanFloat():
		return strconv.FormatFloat(rv.Float(), 'f', -1, 64), true
	}
	return "", false
}

// kindName names the type of a value of a configuration, never the value.
func kindName(v any) string {
	rv := reflect.ValueOf(v)
	switch {
	case !rv.IsValid():
		return "nothing"
	case rv.Kind() == reflect.String:
		return "a string"
	case rv.Kind() == reflect.Bool:
		return "a boolean"
	case rv.CanInt() || rv.CanUint() || rv.CanFloat():
		return "a number"
	case rv.Kind() == reflect.Map:
		return "a table"
	case rv.Kind() == reflect.Slice:
		return "a list"
	}
	return "a value of type " + rv.Type().String()
}
