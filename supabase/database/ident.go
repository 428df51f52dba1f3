package database

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ident quotes a name for places that take a grammar: Select("id, " + Ident("First, Name")),
// or a column with a dot in its own name.
func Ident(name string) string { return quote(name) }

// quote writes a text in PostgREST's double quotes.
func quote(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// checkName refuses what cannot be one segment of a path. Gateways decode %2F, so a slash is not
// saved by escaping it.
func checkName(what, name string) error {
	switch {
	case simple(name):
		return nil
	case name == "":
		return invalid("the name of the %s is empty", what)
	case name == "." || name == "..", strings.ContainsAny(name, `/\`):
		return invalid("the name of the %s, %q, is a path", what, name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return invalid("the name of the %s, %q, holds characters that no name has", what, name)
	}
	return nil
}

// reserved are the parameters of a request, and the operators of a tree of filters. A column of
// that name is quoted, or it would be taken for one.
var reserved = map[string]bool{
	"select": true, "order": true, "limit": true, "offset": true, "and": true, "or": true,
	"not": true, "columns": true, "on_conflict": true,
}

// column is a checked column.
type column struct {
	text       string
	referenced bool // of a referenced table: it narrows no Update
}

// simple reports whether s is of small letters, digits and underscores: nearly every column is.
func simple(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// parseColumn checks name by the grammar of PostgREST: names with dots between them, then a path
// into JSON.
func parseColumn(s string) (column, error) {
	if simple(s) {
		if reserved[s] {
			return column{text: quote(s)}, nil
		}
		return column{text: s}, nil
	}
	if s == "" {
		return column{}, invalid("the name of a column is empty")
	}
	if !utf8.ValidString(s) {
		return column{}, invalid("column %q is not UTF-8", s)
	}
	c := column{}
	rest, start := s, 0
	for {
		n := scanName(rest)
		if n == 0 {
			return column{}, badColumn(s)
		}
		start = len(s) - len(rest)
		rest = rest[n:]
		if !strings.HasPrefix(rest, ".") {
			break
		}
		c.referenced = true
		rest = rest[1:]
	}
	if rest == "" && reserved[s[start:]] {
		c.text = s[:start] + quote(s[start:])
		return c, nil
	}
	for rest != "" {
		after, ok := strings.CutPrefix(rest, "->")
		if !ok {
			return column{}, badColumn(s)
		}
		after = strings.TrimPrefix(after, ">")
		n := scanKey(after)
		if n == 0 {
			return column{}, badColumn(s)
		}
		rest = after[n:]
	}
	c.text = s
	return c, nil
}

func badColumn(s string) error {
	return invalid("column %q is not a name, table.name or a path into JSON: put other names into quotes (Ident)", s)
}

// scanName gives the length of the name, quoted or not, at the start of s; 0 if there is none.
func scanName(s string) int {
	return scan(s, func(r rune) bool {
		return r == '_' || r == '$' || r == ' ' || unicode.IsLetter(r) || unicode.IsDigit(r)
	})
}

// scanKey is scanName for a key of a JSON path.
func scanKey(s string) int {
	return scan(s, func(r rune) bool { return !unicode.IsControl(r) && !strings.ContainsRune(`"\().:,>`, r) })
}

func scan(s string, allowed func(rune) bool) int {
	if strings.HasPrefix(s, `"`) {
		n := scanQuoted(s)
		if n <= 2 { // nothing in the quotes
			return 0
		}
		return n
	}
	for i, r := range s {
		if r == '-' && !strings.HasPrefix(s[i:], "->") {
			continue // a dash that begins no arrow
		}
		if r == '-' || !allowed(r) {
			return i
		}
	}
	return len(s)
}

// scanQuoted gives the length of the quoted text at the start of s; 0 if it does not end.
func scanQuoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case 0:
			return 0
		}
	}
	return 0
}

// parseTable checks the name, or the dotted path, of a referenced table.
func parseTable(s string) error {
	c, err := parseColumn(s)
	if err != nil || strings.Contains(c.text, "->") && !strings.Contains(c.text, `"`) {
		return invalid("referenced table %q is not a name or a path of names", s)
	}
	return nil
}

// parseOrder checks what Order takes: a column, or table(column) of a referenced table.
func parseOrder(s string) error {
	name := s
	if inner, ok := strings.CutSuffix(s, ")"); ok {
		n := scanName(inner)
		if n == 0 || !strings.HasPrefix(inner[n:], "(") {
			return badColumn(s)
		}
		name = inner[n+1:]
	}
	c, err := parseColumn(name)
	if err != nil {
		return err
	}
	if c.referenced {
		return invalid("order by %q: write table(column), or use ReferencedTable to order the rows inside", s)
	}
	return nil
}

// parseSelect checks that quotes and parentheses of a list of columns are paired, and takes out the
// space around its punctuation.
func parseSelect(s string) (string, error) {
	if s == "*" || simple(s) {
		return s, nil
	}
	if !utf8.ValidString(s) {
		return "", invalid("Select: %q is not UTF-8", s)
	}
	var b strings.Builder
	b.Grow(len(s))
	depth, space := 0, false
	last := byte(',') // as if after a delimiter: no space before the first column
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsSpace(r) {
			space = true
			i += size
			continue
		}
		if unicode.IsControl(r) {
			return "", invalid("Select: %q holds a control character", s)
		}
		if space && !delimits(last) && !delimits(s[i]) {
			b.WriteByte(' ')
		}
		space = false
		switch r {
		case '"':
			size = scanQuoted(s[i:])
			if size == 0 {
				return "", invalid("Select: a quote in %q is not closed", s)
			}
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			break
		}
		b.WriteString(s[i : i+size])
		i += size
		last = s[i-1]
	}
	if depth != 0 {
		return "", invalid("Select: the parentheses in %q are not paired", s)
	}
	return b.String(), nil
}

func delimits(c byte) bool { return strings.IndexByte(",():!.->", c) >= 0 }
