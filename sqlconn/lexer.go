package sqlconn

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// One lexer serves every dialect. It knows where strings, quoted names and
// comments begin and end, and nothing of grammar: that is enough to find the
// named parameters of a statement and to tell a read from a write. Whatever it
// is not sure of it says so, and its callers then take the careful way.

// sqlSyntax holds the lexical differences between the dialects.
type sqlSyntax struct {
	dialect string

	backslash      bool // '…' takes backslash escapes
	doubleIsString bool // "…" is a string like '…', not a name
	escapeStrings  bool // E'…' takes backslash escapes
	backtick       bool // `…` is a name
	bracket        bool // […] is a name, not a subscript
	bracketDoubles bool // ]] inside […] stands for ]
	hashComment    bool // # starts a comment
	slashComment   bool // // starts a comment
	dashNeedsSpace bool // -- starts a comment only before white space
	nestedComments bool // /* /* */ */ is one comment
	execComments   bool // /*! … */ is executed
	dollarTag      bool // $tag$…$tag$ is a string
	dollarPlain    bool // $$…$$ is a string, tags are not known
	returnEndsLine bool // a lone \r ends a -- comment
	returnInLine   bool // a lone \r does not; if neither is set, nobody knows
	questionIsMark bool // ? is an operator
	atIsMark       bool // @ is an operator
	wideWords      bool // # and @ belong to words
	pathColon      bool // "a":b and f(x):b are paths, 'a':b an entry of a struct
	batch          bool // statements need no ; between them
	pipes          bool // ->> chains statements
	oracleQuote    bool // q'[…]' may be a string
}

var (
	postgresSyntax = &sqlSyntax{
		dialect: "postgresql", escapeStrings: true, nestedComments: true, dollarTag: true,
		returnEndsLine: true, questionIsMark: true, atIsMark: true,
	}
	mysqlSyntax = &sqlSyntax{
		dialect: "mysql", backslash: true, doubleIsString: true, backtick: true, hashComment: true,
		dashNeedsSpace: true, execComments: true, returnInLine: true,
	}
	sqliteSyntax = &sqlSyntax{
		dialect: "sqlite", backtick: true, bracket: true, returnInLine: true,
	}
	duckdbSyntax = &sqlSyntax{
		dialect: "duckdb", escapeStrings: true, nestedComments: true, dollarTag: true,
		returnEndsLine: true, atIsMark: true, pathColon: true,
	}
	mssqlSyntax = &sqlSyntax{
		dialect: "mssql", bracket: true, bracketDoubles: true, nestedComments: true,
		wideWords: true, batch: true,
	}
	snowflakeSyntax = &sqlSyntax{
		dialect: "snowflake", backslash: true, slashComment: true, dollarPlain: true,
		pathColon: true, pipes: true,
	}
	plainSyntax = &sqlSyntax{ // the standard's, for databases with no entry of their own
		dialect: "", oracleQuote: true,
	}
)

var everySyntax = []*sqlSyntax{
	plainSyntax, postgresSyntax, mysqlSyntax, sqliteSyntax, duckdbSyntax, mssqlSyntax, snowflakeSyntax,
}

// knownSyntax returns the syntax of a dialect, or nil for one that has no
// entry: then only what all of them agree on can be relied upon.
func knownSyntax(dialect string) *sqlSyntax {
	switch dialect {
	case "postgresql", "postgres", "cockroachdb", "redshift":
		return postgresSyntax
	case "mysql", "mariadb":
		return mysqlSyntax
	case "sqlite", "sqlite3":
		return sqliteSyntax
	case "duckdb":
		return duckdbSyntax
	case "mssql", "sqlserver":
		return mssqlSyntax
	case "snowflake":
		return snowflakeSyntax
	}
	return nil
}

type sqlTokenKind uint8

const (
	sqlEnd         sqlTokenKind = iota
	sqlWord                     // keyword or plain name
	sqlQuoted                   // quoted name
	sqlString                   // string of any form
	sqlNumber                   // number
	sqlNamed                    // :name
	sqlPositional               // ? ?1 $1 @p1 :1
	sqlVariable                 // @x @@x $x
	sqlColonEscape              // \: stands for a colon
	sqlMark                     // operator or punctuation, one byte, or :: or := or ->>
	sqlUnsure                   // what this dialect may or may not execute, or an unknown byte
	sqlBroken                   // a string, name or comment that does not end
)

// sqlToken is one token, text[start:end].
type sqlToken struct {
	kind       sqlTokenKind
	start, end int
}

// sqlLexer cuts a statement into tokens. Comments and white space between them
// are skipped. After sqlEnd or sqlBroken it returns the same again.
type sqlLexer struct {
	*sqlSyntax
	text   string
	pos    int
	broken string // what does not end, "string" or the like
}

func newSQLLexer(syntax *sqlSyntax, text string) *sqlLexer {
	return &sqlLexer{sqlSyntax: syntax, text: text}
}

func (l *sqlLexer) word(t sqlToken) string { return l.text[t.start:t.end] }

// brokenError tells what does not end and where it starts, without quoting it.
func (l *sqlLexer) brokenError(t sqlToken) error {
	line := 1 + strings.Count(l.text[:t.start], "\n")
	column := 1 + utf8.RuneCountInString(l.text[strings.LastIndexByte(l.text[:t.start], '\n')+1:t.start])
	return fmt.Errorf("the %s that starts at line %d, column %d of the statement does not end", l.broken, line, column)
}

// at returns the byte at i, or 0 before the beginning and behind the end.
func (l *sqlLexer) at(i int) byte {
	if i >= 0 && i < len(l.text) {
		return l.text[i]
	}
	return 0
}

func (l *sqlLexer) next() sqlToken {
	if t, found := l.skip(); found {
		return t
	}
	start := l.pos
	if start >= len(l.text) {
		return sqlToken{sqlEnd, start, start}
	}
	c := l.text[start]
	switch {
	case c == '\'':
		return l.quoted(start, start+1, '\'', l.backslash, sqlString, "string")
	case c == '"' && l.doubleIsString:
		return l.quoted(start, start+1, '"', l.backslash, sqlString, "string")
	case c == '"':
		return l.quoted(start, start+1, '"', false, sqlQuoted, "quoted name")
	case c == '`' && l.backtick:
		return l.quoted(start, start+1, '`', false, sqlQuoted, "quoted name")
	case c == '[' && l.bracket:
		return l.bracketed(start)
	case c == '$':
		return l.dollar(start)
	case c == '@' && !l.atIsMark:
		return l.variable(start)
	case c == ':':
		return l.colon(start)
	case c == '\\' && l.at(start+1) == ':':
		return l.token(sqlColonEscape, start, start+2)
	case c == '?' && !l.questionIsMark:
		return l.token(sqlPositional, start, l.digits(start+1))
	case isDigit(c):
		return l.token(sqlNumber, start, l.number(start))
	case l.startsWord(start) > 0:
		return l.plainWord(start)
	case c == '-' && l.pipes && strings.HasPrefix(l.text[start:], "->>"):
		return l.token(sqlUnsure, start, start+3)
	case c == '\\' || c < ' ' || c == 0x7f:
		return l.token(sqlUnsure, start, start+1)
	case c >= utf8.RuneSelf: // some databases take U+00A0 and its like for a space, others for a name
		_, size := utf8.DecodeRuneInString(l.text[start:])
		return l.token(sqlUnsure, start, start+size)
	}
	return l.token(sqlMark, start, start+1)
}

func (l *sqlLexer) token(kind sqlTokenKind, start, end int) sqlToken {
	l.pos = end
	return sqlToken{kind, start, end}
}

// unended reports something that has no end, and stays there.
func (l *sqlLexer) unended(start int, what string) sqlToken {
	l.pos, l.broken = start, what
	return sqlToken{sqlBroken, start, len(l.text)}
}

// skip passes over white space and comments. It returns a token for a comment
// that has no end, or that the database may execute.
func (l *sqlLexer) skip() (sqlToken, bool) {
	for l.pos < len(l.text) {
		start := l.pos
		switch c, d := l.text[start], l.at(start+1); {
		case isSQLSpace(c):
			l.pos++
		case c == '-' && d == '-' && (!l.dashNeedsSpace || start+2 >= len(l.text) || l.at(start+2) <= ' '),
			c == '#' && l.hashComment,
			c == '/' && d == '/' && l.slashComment:
			if !l.skipLine() {
				return l.token(sqlUnsure, l.pos, l.pos+1), true
			}
		case c == '/' && d == '*':
			if !l.skipBlock() {
				return l.unended(start, "comment"), true
			}
			mark := l.text[start+2 : l.pos-2] // at least the two marks were there
			if l.execComments && (strings.HasPrefix(mark, "!") || strings.HasPrefix(mark, "M!")) {
				return sqlToken{sqlUnsure, start, l.pos}, true
			}
		default:
			return sqlToken{}, false
		}
	}
	return sqlToken{}, false
}

// skipLine passes over a comment that the end of the line ends. It reports
// false at a lone carriage return of which nobody knows whether it is one.
func (l *sqlLexer) skipLine() bool {
	for ; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; {
		case c == '\n', c == '\r' && l.returnEndsLine:
			return true
		case c == '\r' && !l.returnInLine && l.at(l.pos+1) != '\n':
			return false
		}
	}
	return true
}

func (l *sqlLexer) skipBlock() bool {
	depth := 0
	for i := l.pos; i+1 < len(l.text); {
		switch {
		case l.text[i] == '/' && l.text[i+1] == '*' && (l.nestedComments || depth == 0):
			depth++
			i += 2
		case l.text[i] == '*' && l.text[i+1] == '/':
			depth--
			i += 2
			if depth == 0 {
				l.pos = i
				return true
			}
		default:
			i++
		}
	}
	return false
}

// quoted reads up to the closing quote; a doubled one stands for itself.
func (l *sqlLexer) quoted(start, from int, quote byte, backslash bool, kind sqlTokenKind, what string) sqlToken {
	for i := from; i < len(l.text); i++ {
		switch {
		case l.text[i] == '\\' && backslash:
			i++
		case l.text[i] == quote && l.at(i+1) == quote:
			i++
		case l.text[i] == quote:
			return l.token(kind, start, i+1)
		}
	}
	return l.unended(start, what)
}

func (l *sqlLexer) bracketed(start int) sqlToken {
	for i := start + 1; i < len(l.text); i++ {
		switch {
		case l.text[i] == ']' && l.bracketDoubles && l.at(i+1) == ']':
			i++
		case l.text[i] == ']':
			return l.token(sqlQuoted, start, i+1)
		}
	}
	return l.unended(start, "quoted name")
}

// escapeString reads E'…'. One that goes on after a line break (E'a', a new
// line, 'b\”) is still the same string, by the same rules.
func (l *sqlLexer) escapeString(start int) sqlToken {
	t := l.quoted(start, start+2, '\'', true, sqlString, "string")
	for t.kind == sqlString {
		i, newLine := t.end, false
		for isSQLSpace(l.at(i)) || l.at(i) == '-' && l.at(i+1) == '-' {
			newLine = newLine || l.at(i) == '\n' || l.at(i) == '\r'
			if l.at(i) != '-' {
				i++
				continue
			}
			for i < len(l.text) && l.at(i) != '\n' && l.at(i) != '\r' {
				i++
			}
		}
		if !newLine || l.at(i) != '\'' {
			return t
		}
		t = l.quoted(start, i+1, '\'', true, sqlString, "string")
	}
	return t
}

func (l *sqlLexer) dollar(start int) sqlToken {
	if end := l.digits(start + 1); end > start+1 {
		return l.token(sqlPositional, start, end)
	}
	tag := start + 1
	if l.dollarTag {
		for l.isTagByte(tag, start+1) {
			tag++
		}
	}
	if (l.dollarTag || l.dollarPlain) && l.at(tag) == '$' {
		mark := l.text[start : tag+1]
		end := strings.Index(l.text[tag+1:], mark)
		if end < 0 {
			return l.unended(start, "dollar-quoted string")
		}
		return l.token(sqlString, start, tag+1+end+len(mark))
	}
	return l.variable(start)
}

func (l *sqlLexer) isTagByte(i, first int) bool {
	c := l.at(i)
	return c == '_' || isASCIILetter(c) || c >= utf8.RuneSelf || i > first && isDigit(c)
}

// variable reads @x, @@x and $x, and @p1 where that is a parameter.
func (l *sqlLexer) variable(start int) sqlToken {
	i := start + 1
	if l.at(start) == '@' && l.at(i) == '@' {
		i++
	}
	end := l.wordEnd(i)
	switch {
	case end == i:
		return l.token(sqlMark, start, start+1)
	case l.at(start) == '@' && i == start+1 && (l.at(i) == 'p' || l.at(i) == 'P') && end > i+1 && l.digits(i+1) == end:
		return l.token(sqlPositional, start, end)
	}
	return l.token(sqlVariable, start, end)
}

// colon tells :name and :1 from casts, assignments, slices and paths, by the
// rule of SQLAlchemy's text(): directly after a word or another colon it is no
// parameter.
func (l *sqlLexer) colon(start int) sqlToken {
	switch {
	case l.at(start+1) == ':' || l.at(start+1) == '=':
		return l.token(sqlMark, start, start+2)
	case l.afterOperand(start):
		return l.token(sqlMark, start, start+1)
	case isDigit(l.at(start + 1)):
		return l.token(sqlPositional, start, l.digits(start+1))
	}
	end := start + 1
	for end < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[end:])
		if r == utf8.RuneError && size == 1 || !isNameRune(r) {
			break
		}
		end += size
	}
	if end == start+1 {
		return l.token(sqlMark, start, start+1)
	}
	return l.token(sqlNamed, start, end)
}

func (l *sqlLexer) afterOperand(i int) bool {
	if i == 0 {
		return false
	}
	if l.pathColon && strings.IndexByte(`"'])`, l.text[i-1]) >= 0 {
		return true
	}
	r, _ := utf8.DecodeLastRuneInString(l.text[:i])
	return r == ':' || isNameRune(r)
}

func (l *sqlLexer) plainWord(start int) sqlToken {
	end := l.wordEnd(start)
	if end == start+1 && l.at(end) == '\'' {
		switch c := l.text[start] | 0x20; {
		case c == 'e' && l.escapeStrings:
			return l.escapeString(start)
		case c == 'q' && l.oracleQuote:
			return l.token(sqlUnsure, start, end)
		}
	}
	return l.token(sqlWord, start, end)
}

func (l *sqlLexer) wordEnd(i int) int {
	for size := l.startsWord(i); size > 0; size = l.continuesWord(i) {
		i += size
	}
	return i
}

// startsWord returns the size of the rune at i if a word can start with it.
func (l *sqlLexer) startsWord(i int) int {
	switch c := l.at(i); {
	case c == '_' || isASCIILetter(c) || c == '#' && l.wideWords:
		return 1
	case c >= utf8.RuneSelf:
		if r, size := utf8.DecodeRuneInString(l.text[i:]); isNameRune(r) && r != utf8.RuneError {
			return size
		}
	}
	return 0
}

func (l *sqlLexer) continuesWord(i int) int {
	if c := l.at(i); isDigit(c) || c == '$' || (c == '#' || c == '@') && l.wideWords {
		return 1
	}
	return l.startsWord(i)
}

// number reads no further than the digits: "1into" is a number and a word in
// several databases.
func (l *sqlLexer) number(i int) int {
	if l.text[i] == '0' && (l.at(i+1)|0x20) == 'x' && isHexDigit(l.at(i+2)) {
		i += 2
		for isHexDigit(l.at(i)) {
			i++
		}
		return i
	}
	i = l.digits(i)
	if l.at(i) == '.' && isDigit(l.at(i+1)) {
		i = l.digits(i + 1)
	}
	if l.at(i)|0x20 == 'e' {
		exponent := i + 1
		if c := l.at(exponent); c == '+' || c == '-' {
			exponent++
		}
		if isDigit(l.at(exponent)) {
			return l.digits(exponent)
		}
	}
	return i
}

func (l *sqlLexer) digits(i int) int {
	for isDigit(l.at(i)) {
		i++
	}
	return i
}

func isSQLSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isNameRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}
