// Package redact keeps secrets out of the texts of errors that drivers, net/url and other
// people's functions make: they quote what they were given.
package redact

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Mask stands where a secret was.
const Mask = "REDACTED"

// Error returns the error with every secret in its text masked: as it is,
// percent-encoded, quoted for Go, JSON, or libpq. errors.Is, errors.As and
// errors.AsType see the original; errors.Unwrap does not, so that no one who
// prints the errors of a chain one by one prints the secret. An error whose
// chain shows no secret, in a text or in the texts of its fields, is
// returned as it is, a nil error as nil.
//
// Empty secrets are ignored. One of up to three characters is masked only where
// it stands alone, between characters that are neither letters nor digits:
// elsewhere it is part of a word, and masking every "a" would tell more than it
// hides.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	r := newRedactor(secrets)
	if len(r.needles) == 0 {
		return err
	}
	shown := false
	Each(err, func(e error) bool {
		shown = r.finds(e.Error()) || r.inFields(reflect.ValueOf(e), 0) // one may hold what the text leaves out
		return !shown
	})
	if !shown {
		return err
	}
	return &redactedError{text: r.redact(err.Error()), err: err}
}

// A redactedError shows another error without its secrets.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

// Is and As look into the original, which Unwrap would hand out.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *redactedError) As(target any) bool   { return errors.As(e.err, target) }

// Format prints the masked text for every verb: the fields are never shown.
func (e *redactedError) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		_, _ = io.WriteString(f, strconv.Quote(e.text))
		return
	}
	_, _ = io.WriteString(f, e.text)
}

// A redactor masks secrets in texts.
type redactor struct{ needles []needle }

// A needle is one way in which a secret can be written. A short one must stand
// alone.
type needle struct {
	text  string
	short bool
}

func newRedactor(secrets []string) redactor {
	var r redactor
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range writtenForms(s) {
			if form != "" && !slices.ContainsFunc(r.needles, func(n needle) bool { return n.text == form }) {
				r.needles = append(r.needles, needle{form, len(form) < 4})
			}
		}
	}
	// The longest first: a secret may hold another.
	slices.SortStableFunc(r.needles, func(a, b needle) int { return len(b.text) - len(a.text) })
	return r
}

// writtenForms are the ways in which drivers, net/url and loggers write a text.
func writtenForms(s string) []string {
	forms := []string{
		s,
		url.QueryEscape(s),
		url.PathEscape(s),
		escapeAll(s),
		strings.TrimPrefix(url.UserPassword("", s).String(), ":"),
		inner(strconv.Quote(s)),
		inner(strconv.QuoteToASCII(s)),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s),
		strings.ReplaceAll(s, "'", "''"),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, "<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(s),
	}
	for _, f := range forms[1:5] {
		forms = append(forms, lowerEscapes(f))
	}
	// An error that quotes a URL quotes its escapes once more.
	for _, f := range slices.Clone(forms[1:5]) {
		forms = append(forms, inner(strconv.Quote(f)))
	}
	return forms
}

// escapeAll percent-encodes all that is not unreserved in a URL.
func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isWordByte(c) || c == '-' || c == '.' || c == '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// lowerEscapes writes percent escapes with small letters.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// redact masks in one pass, so that a mask is never masked again.
func (r redactor) redact(text string) string {
	var b strings.Builder
	last := 0
	for i := 0; i < len(text); {
		n := r.at(text, i)
		if n == 0 {
			i++
			continue
		}
		b.WriteString(text[last:i] + Mask)
		i += n
		last = i
	}
	if last == 0 {
		return text
	}
	b.WriteString(text[last:])
	return b.String()
}

// deepest bounds how far inFields goes into what holds itself.
const deepest = 10

// inFields looks into the texts in v, which only a pointer that v is itself is followed for: what is further away is
// no part of an error, and may be in use elsewhere.
func (r redactor) inFields(v reflect.Value, depth int) bool {
	if depth > deepest {
		return false
	}
	some := func(n int, part func(int) reflect.Value) bool {
		for i := range n {
			if r.inFields(part(i), depth+1) {
				return true
			}
		}
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return r.finds(v.String())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return r.finds(string(v.Bytes()))
		}
		return some(v.Len(), v.Index)
	case reflect.Array:
		return some(v.Len(), v.Index)
	case reflect.Struct:
		return some(v.NumField(), v.Field)
	case reflect.Map:
		for pair := v.MapRange(); pair.Next(); {
			if r.inFields(pair.Key(), depth+1) || r.inFields(pair.Value(), depth+1) {
				return true
			}
		}
		return false
	case reflect.Interface:
		return r.inFields(v.Elem(), depth+1)
	case reflect.Pointer:
		return depth == 0 && r.inFields(v.Elem(), depth+1)
	default:
		return false
	}
}

func (r redactor) finds(text string) bool {
	for i := range len(text) {
		if r.at(text, i) > 0 {
			return true
		}
	}
	return false
}

// at is the length of the secret that begins here, 0 if none does.
func (r redactor) at(text string, i int) int {
	for _, n := range r.needles {
		if !strings.HasPrefix(text[i:], n.text) {
			continue
		}
		end := i + len(n.text)
		if n.short && (i > 0 && isWordByte(text[i-1]) || end < len(text) && isWordByte(text[end])) {
			continue
		}
		return len(n.text)
	}
	return 0
}

// Each calls f for the error and all errors that it wraps, depth first,
// until f returns false; it looks into masked errors too. It reports whether f
// never did. A chain of more than a thousand errors is cut.
func Each(err error, f func(error) bool) bool {
	left := 1000
	var walk func(error) bool
	walk = func(err error) bool {
		if err == nil || left == 0 {
			return true
		}
		left--
		if !f(err) {
			return false
		}
		switch e := err.(type) { //nolint:errorlint // this is what walks the chain
		case *redactedError:
			return walk(e.err)
		case interface{ Unwrap() error }:
			return walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if !walk(err) {
					return false
				}
			}
		}
		return true
	}
	return walk(err)
}
