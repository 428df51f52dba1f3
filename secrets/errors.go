package secrets

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var errNoContext = errors.New("secrets: the context is nil; give context.Background() where there is none")

// A ParseError is a mistake in a file. It tells where, and in fixed words what;
// it never holds text of the file, which may be a password.
type ParseError struct {
	Path   string // absolute path of the file
	Line   int    // from 1; 0 if unknown
	Column int    // from 1, in characters; 0 if unknown
	Reason string // what is wrong there
}

// Error returns path:line:column and the reason.
func (e *ParseError) Error() string {
	place := e.Path
	if e.Line > 0 {
		place += ":" + strconv.Itoa(e.Line)
		if e.Column > 0 {
			place += ":" + strconv.Itoa(e.Column)
		}
	}
	return "secrets: " + place + ": " + e.Reason
}

// A MissingError says that a value is not there, and where it was looked for.
type MissingError struct {
	Path    []string // what was asked for
	Looked  []string // the places, lowest precedence first, "(not there)" or "(no values)" behind those of which it is true
	Nearest []string // a path that exists and may be meant; nil if none is close
}

// Error names the value, the places and the nearest key.
func (e *MissingError) Error() string {
	var b strings.Builder
	b.WriteString("secrets: no " + dotted(e.Path) + " in ")
	if len(e.Looked) == 0 {
		b.WriteString("an empty store")
	}
	b.WriteString(strings.Join(e.Looked, ", "))
	if len(e.Nearest) > 0 {
		b.WriteString("; did you mean " + dotted(e.Nearest) + "?")
	}
	return b.String()
}

// A TypeError says that a value is of another type than was asked for. It never
// holds the value.
type TypeError struct {
	Path  []string // where the value is
	Place string   // what gave it, as [Store.Where] tells
	Got   string   // its type, in words: "a string"
	Want  string   // what was asked for, in words: "an integer"
	Hint  string   // what to do, may be empty
}

// Error names the value, its place, both types and the hint.
func (e *TypeError) Error() string {
	text := fmt.Sprintf("secrets: %s in %s is %s, not %s", dotted(e.Path), e.Place, e.Got, e.Want)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// dotted writes a path as TOML writes it, with quotes where TOML needs them.
func dotted(path []string) string {
	if len(path) == 0 {
		return "the top level"
	}
	var b strings.Builder
	for i, key := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		if bareKey(key) {
			b.WriteString(key)
		} else {
			b.WriteString(strconv.Quote(key))
		}
	}
	return b.String()
}

func bareKey(key string) bool {
	for _, r := range key {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
		default:
			return false
		}
	}
	return key != ""
}
