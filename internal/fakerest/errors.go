package fakerest

import (
	"fmt"
	"strings"
)

// Error is what a request is refused with: the body that PostgREST answers. A [Func] returns one to
// raise it, as RAISE does in SQL.
type Error struct {
	Code    string // a SQLSTATE, or PGRSTnnn; PTnnn makes nnn the answer's status; "" is P0001
	Message string
	Details string // "" is null
	Hint    string // "" is null

	status int    // of PostgREST's own errors; 0: by the code
	raw    string // details that are JSON and no text
}

// Error gives code and message.
func (e *Error) Error() string { return "fakerest: " + e.Code + ": " + e.Message }

// fault makes an error of the database.
func fault(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// with adds details.
func (e *Error) with(format string, args ...any) *Error {
	e.Details = fmt.Sprintf(format, args...)
	return e
}

// hinted adds a hint.
func (e *Error) hinted(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// refusal makes an error of PostgREST itself.
func refusal(status int, code, format string, args ...any) *Error {
	e := fault(code, format, args...)
	e.status = status
	return e
}

// unsupported says what this server does not do, rather than answer something plausible.
func unsupported(feature string) *Error {
	return refusal(501, "0A000", "%s: not supported by the fake server", feature).
		hinted("run this against a real project, or leave the feature out of the test")
}

// withoutBody refuses a function that only the schema knows.
func withoutBody(f *function) *Error {
	return unsupported("sql functions").with("%s has a body in SQL: give a Go function of this name", f.signature())
}

// invalidText is a text that is no value of a type.
func invalidText(t *typ, text string) *Error {
	return fault("22P02", "invalid input syntax for type %s: \"%s\"", t, text)
}

// statusOf is the status that PostgREST answers an error of the database with.
func statusOf(e *Error, anonymous bool) int {
	if e.status != 0 {
		return e.status
	}
	code := e.Code
	if rest, ok := strings.CutPrefix(code, "PT"); ok && len(rest) == 3 && strings.Trim(rest, "0123456789") == "" {
		return int(rest[0]-'0')*100 + int(rest[1]-'0')*10 + int(rest[2]-'0')
	}
	for _, c := range codeStatus {
		if strings.HasPrefix(code, c.prefix) {
			return c.status
		}
	}
	if code == "42501" {
		if anonymous {
			return 401
		}
		return 403
	}
	return 400
}

// codeStatus is by prefix; the first that fits counts.
var codeStatus = []struct {
	prefix string
	status int
}{
	{"08", 503},
	{"09", 500},
	{"0L", 403},
	{"0P", 403},
	{"23503", 409},
	{"23505", 409},
	{"25006", 405},
	{"25", 500},
	{"28", 403},
	{"2D", 500},
	{"38", 500},
	{"39", 500},
	{"3B", 500},
	{"40", 500},
	{"53400", 500},
	{"53", 503},
	{"54", 500},
	{"55", 500},
	{"57P01", 503},
	{"57", 500},
	{"58", 500},
	{"F0", 500},
	{"HV", 500},
	{"P0001", 400},
	{"P0", 500},
	{"XX", 500},
	{"42883", 404},
	{"42P01", 404},
	{"42P17", 500},
}
