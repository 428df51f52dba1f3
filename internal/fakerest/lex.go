package fakerest

import (
	"fmt"
	"strings"
)

// tokenKind is what a token of SQL is.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // a name or a keyword, in lower case
	tokQuoted           // a name in quotes
	tokString
	tokNumber
	tokParam // $1
	tokOp    // an operator or a punctuation mark
)

type token struct {
	kind tokenKind
	text string
	line int
	from int // where it begins in the source
	to   int
}

// SchemaError tells what in a schema's SQL cannot be read, or is not supported, and where.
type SchemaError struct {
	Line int    // from 1, in the text that holds it
	Text string // what is wrong
}

// Error gives the line and what is wrong.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("fakerest: line %d of the schema: %s", e.Line, e.Text)
}

// lex cuts SQL into tokens.
func lex(src string) ([]token, *SchemaError) {
	l := lexer{src: src, line: 1}
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		l.tokens = append(l.tokens, t)
		if t.kind == tokEnd {
			return l.tokens, nil
		}
	}
}

type lexer struct {
	src    string
	at     int
	line   int
	tokens []token
}

func (l *lexer) fail(format string, args ...any) *SchemaError {
	return &SchemaError{Line: l.line, Text: fmt.Sprintf(format, args...)}
}

func (l *lexer) space() *SchemaError {
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case c == '\n':
			l.line++
			l.at++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			l.at++
		case strings.HasPrefix(l.src[l.at:], "--"):
			if i := strings.IndexByte(l.src[l.at:], '\n'); i >= 0 {
				l.at += i
			} else {
				l.at = len(l.src)
			}
		case strings.HasPrefix(l.src[l.at:], "/*"):
			depth := 0
			for {
				rest := l.src[l.at:]
				switch {
				case rest == "":
					return l.fail("a comment that does not end")
				case strings.HasPrefix(rest, "/*"):
					depth++
					l.at += 2
				case strings.HasPrefix(rest, "*/"):
					depth--
					l.at += 2
				default:
					if rest[0] == '\n' {
						l.line++
					}
					l.at++
				}
				if depth == 0 {
					break
				}
			}
		default:
			return nil
		}
	}
	return nil
}

func wordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func wordPart(c byte) bool { return wordStart(c) || c >= '0' && c <= '9' || c == '$' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) next() (token, *SchemaError) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	t := token{line: l.line, from: l.at}
	if l.at >= len(l.src) {
		t.to = l.at
		return t, nil
	}
	var err *SchemaError
	c := l.src[l.at]
	peek := byte(0)
	if l.at+1 < len(l.src) {
		peek = l.src[l.at+1]
	}
	switch {
	case (c == 'e' || c == 'E') && peek == '\'':
		l.at++
		t.kind = tokString
		t.text, err = l.quoted('\'', true)
	case wordStart(c):
		for l.at < len(l.src) && wordPart(l.src[l.at]) {
			l.at++
		}
		t.kind, t.text = tokWord, strings.ToLower(l.src[t.from:l.at])
	case c == '"':
		t.kind = tokQuoted
		t.text, err = l.quoted('"', false)
		if err == nil && t.text == "" {
			err = l.fail("an empty name in quotes")
		}
	case c == '\'':
		t.kind = tokString
		t.text, err = l.quoted('\'', false)
	case c == '$' && isDigit(peek):
		l.at++
		for l.at < len(l.src) && isDigit(l.src[l.at]) {
			l.at++
		}
		t.kind, t.text = tokParam, l.src[t.from+1:l.at]
	case c == '$':
		t.kind = tokString
		t.text, err = l.dollar()
	case isDigit(c) || c == '.' && isDigit(peek):
		t.kind = tokNumber
		l.number()
		t.text = l.src[t.from:l.at]
	default:
		t.kind = tokOp
		t.text = l.operator()
		if t.text == "" {
			err = l.fail("unexpected character %q", rune(c))
		}
	}
	t.to = l.at
	return t, err
}

// quoted reads what stands in quotes, in which a doubled quote is one.
func (l *lexer) quoted(quote byte, escapes bool) (string, *SchemaError) {
	start := *l
	var b strings.Builder
	for l.at++; l.at < len(l.src); l.at++ {
		c := l.src[l.at]
		switch {
		case c == quote:
			if l.at+1 < len(l.src) && l.src[l.at+1] == quote {
				l.at++
				break
			}
			l.at++
			return b.String(), nil
		case c == '\\' && escapes && l.at+1 < len(l.src):
			l.at++
			c = l.src[l.at]
			if i := strings.IndexByte("bfnrt", c); i >= 0 {
				c = "\b\f\n\r\t"[i]
			} else if strings.IndexByte("\\'\"", c) < 0 {
				return "", l.fail("the escape \\%c in a string is not supported", c)
			}
		case c == '\n':
			l.line++
		}
		b.WriteByte(c)
	}
	return "", start.fail("a quote that does not end")
}

// dollar reads $tag$ … $tag$.
func (l *lexer) dollar() (string, *SchemaError) {
	end := strings.IndexByte(l.src[l.at+1:], '$')
	if end < 0 {
		return "", l.fail("unexpected character '$'")
	}
	tag := l.src[l.at : l.at+end+2]
	for i := 1; i < len(tag)-1; i++ {
		if !wordPart(tag[i]) {
			return "", l.fail("unexpected character '$'")
		}
	}
	body := l.src[l.at+len(tag):]
	i := strings.Index(body, tag)
	if i < 0 {
		return "", l.fail("a text in %s that does not end", tag)
	}
	l.line += strings.Count(body[:i], "\n")
	l.at += len(tag)*2 + i
	return body[:i], nil
}

func (l *lexer) number() {
	run := func() {
		for l.at < len(l.src) && isDigit(l.src[l.at]) {
			l.at++
		}
	}
	run()
	if l.at < len(l.src) && l.src[l.at] == '.' && !strings.HasPrefix(l.src[l.at:], "..") {
		l.at++
		run()
	}
	if l.at < len(l.src) && (l.src[l.at] == 'e' || l.src[l.at] == 'E') {
		i := l.at + 1
		if i < len(l.src) && (l.src[i] == '+' || l.src[i] == '-') {
			i++
		}
		if i < len(l.src) && isDigit(l.src[i]) {
			l.at = i
			run()
		}
	}
}

const operatorChars = "+-*/<>=~!@#%^&|?"

func (l *lexer) operator() string {
	rest := l.src[l.at:]
	for _, two := range []string{"::", ":="} {
		if strings.HasPrefix(rest, two) {
			l.at += 2
			return two
		}
	}
	if strings.IndexByte("()[],;.:", rest[0]) >= 0 {
		l.at++
		return rest[:1]
	}
	n := 0
	for n < len(rest) && strings.IndexByte(operatorChars, rest[n]) >= 0 && !strings.HasPrefix(rest[n:], "--") && !strings.HasPrefix(rest[n:], "/*") {
		n++
	}
	// an operator ends with + or - only if it has one of the rarer characters
	if n > 1 && !strings.ContainsAny(rest[:n], "~!@#%^&|?") {
		n = max(1, len(strings.TrimRight(rest[:n], "+-")))
	}
	l.at += n
	return rest[:n]
}
