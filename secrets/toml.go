package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

var (
	utf8BOM    = []byte("\xef\xbb\xbf")
	utf16LEBOM = []byte("\xff\xfe")
	utf16BEBOM = []byte("\xfe\xff")
)

// parse reads TOML. Its errors hold no text of the file: what stands next to a
// mistake is as likely as not a password.
func parse(path string, data []byte) (values map[string]any, err error) {
	if bytes.HasPrefix(data, utf16LEBOM) || bytes.HasPrefix(data, utf16BEBOM) {
		return nil, &ParseError{Path: path, Line: 1, Column: 1, Reason: "this is UTF-16: save the file as UTF-8"}
	}
	data = bytes.TrimPrefix(data, utf8BOM)

	// A file must not be able to stop a program that has been running for
	// months, whatever the parser thinks of it.
	defer func() {
		if recover() != nil {
			values, err = nil, &ParseError{Path: path, Reason: "this cannot be parsed as TOML"}
		}
	}()
	values = map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		return nil, parseError(path, data, err)
	}
	if tooDeep(values, maxDepth) {
		return nil, &ParseError{Path: path, Reason: tooDeepReason}
	}
	return values, nil
}

var tooDeepReason = fmt.Sprintf("tables and lists nest more than %d levels deep", maxDepth)

func parseError(path string, data []byte, err error) *ParseError {
	decodeErr, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return &ParseError{Path: path, Reason: "this cannot be parsed as TOML"}
	}
	line, column := decodeErr.Position()
	return &ParseError{Path: path, Line: line, Column: characters(data, line, column), Reason: reason(decodeErr.Error())}
}

// characters turns a column counted in bytes into one counted in characters, as
// editors count.
func characters(data []byte, line, column int) int {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return utf8.RuneCount(data[:min(max(column-1, 0), len(data))]) + 1
}

// reasons maps words in the parser's messages, which quote the file, to ours,
// which do not. The first that occurs decides.
var reasons = []struct{ words, reason string }{
	{"already", "this key or table is defined a second time"},
	{"should be a table", "this key is a value already and cannot be a table as well"},
	{"nested more than", tooDeepReason},
	{"at start of value", "no value can begin like this: is the text in quotes?"},
	{"expected value", "a value is missing: an empty text is written as two quotes"},
	{"expected keyword", "no value can begin like this: is the text in quotes?"},
	{"expected newline", "something follows where the line should end"},
	{"new lines", "the closing quote is missing on this line"},
	{"unterminated", "the closing quote is missing"},
	{"not terminated", "the three closing quotes are missing"},
	{"too many quotes", "too many quotes at the end of the text"},
	{"escape", "the escape sequence is not valid: text with backslashes goes into single quotes"},
	{"need a character after", "a backslash ends the text: text with backslashes goes into single quotes"},
	{"UTF-8", "this is not UTF-8"},
	{"control characters", "a control character is not allowed here"},
	{"carriage return", "a carriage return stands without its line feed"},
	{"key", "a key = value or a [table] is expected here"},
	{"table name", "a ] is missing after the name of the table"},
	{"array is incomplete", "a closing ] is missing"},
	{"array value", "a comma or a ] is expected here"},
	{"inline table", "a comma or a } is expected here"},
	{"too large", "this number is too large"},
	{"out of range", "this number is too large"},
	{"number", "this number is not valid"},
	{"digit", "this number is not valid"},
	{"float", "this number is not valid"},
	{"decimal", "this number is not valid"},
	{"date", "this date or time is not valid"},
	{"time", "this date or time is not valid"},
	{"hour", "this date or time is not valid"},
	{"minutes", "this date or time is not valid"},
	{"seconds", "this date or time is not valid"},
}

func reason(message string) string {
	for _, r := range reasons {
		if strings.Contains(message, r.words) {
			return r.reason
		}
	}
	return "this is not valid TOML"
}
