package redact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestErrorMasksEveryWayOfWriting(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"hunter2", `p@s:s/w?o#r'd\ "x"`, "ä漢 ", "50%zz", "a+b c", "<&>", "line\nbreak"} {
		forms := map[string]string{
			"raw":              secret,
			"in a form":        url.QueryEscape(secret),
			"in a path":        url.PathEscape(secret),
			"in a URL":         url.UserPassword("u", secret).String(),
			"in small letters": lowerEscapes(url.QueryEscape(secret)),
			"quoted":           strconv.Quote(secret),
			"quoted in ASCII":  strconv.QuoteToASCII(secret),
			"for libpq":        "password='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret) + "'",
			"in SQL":           "'" + strings.ReplaceAll(secret, "'", "''") + "'",
			"in a quoted URL":  strconv.Quote("x://" + url.UserPassword("u", secret).String() + "@h"),
		}
		if b, err := json.Marshal(secret); err == nil {
			forms["in JSON"] = string(b)
		}
		for how, form := range forms {
			original := errors.New("cannot connect with " + form + " to h")
			err := Error(fmt.Errorf("wrapped: %w", original), secret)
			if strings.Contains(err.Error(), form) || !strings.Contains(err.Error(), Mask) {
				t.Errorf("%q %s: %v", secret, how, err)
			}
			if !errors.Is(err, original) {
				t.Errorf("%q %s: the original is lost", secret, how)
			}
		}
	}
}

func TestErrorKeepsTheChain(t *testing.T) {
	t.Parallel()
	inner := &fs.PathError{Op: "open", Path: "/secret/hunter2", Err: io.ErrUnexpectedEOF}
	err := Error(fmt.Errorf("a: %w", errors.Join(context.Canceled, inner)), "hunter2")
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		t.Error("errors.Is does not see the chain as it is")
	}
	var as *fs.PathError
	if !errors.As(err, &as) || as != inner {
		t.Error("errors.As does not find the original")
	}
	if got, ok := errors.AsType[*fs.PathError](fmt.Errorf("outer: %w", err)); !ok || got != inner {
		t.Error("errors.AsType does not find the original")
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Error("errors.AsType finds what is not there")
	}
	if errors.Unwrap(err) != nil {
		t.Error("errors.Unwrap hands out the original, which prints the secret")
	}
}

func TestErrorShowsNothingInAnyFormat(t *testing.T) {
	t.Parallel()
	type plain struct{ error } // a struct that %+v would lay open
	err := Error(plain{errors.New("no hunter2 here")}, "hunter2")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Error("x", "err", err)
	slog.New(slog.NewJSONHandler(&log, nil)).Error("x", "err", err)
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%p"} {
		texts = append(texts, fmt.Sprintf(verb, err), fmt.Sprintf(verb, []error{err}), fmt.Sprintf(verb, struct{ E error }{err}))
	}
	b, _ := json.Marshal(map[string]any{"err": err})
	texts = append(texts, string(b))
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("shows the secret: %s", text)
		}
	}
	if got := fmt.Sprintf("%q", err); got != `"no REDACTED here"` {
		t.Errorf("%%q gives %s", got)
	}
}

func TestErrorLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	plain := errors.New("syntax error at or near a")
	if Error(nil, "x") != nil {
		t.Error("nil is not nil any more")
	}
	for _, secrets := range [][]string{nil, {""}, {"hunter2"}, {"synta"[:0]}} {
		if got := Error(plain, secrets...); got != plain { //nolint:errorlint // the very same
			t.Errorf("with %q: %v", secrets, got)
		}
	}
	// An error whose text is clean but whose chain is not is masked as well.
	hidden := &hidingError{errors.New("hunter2")}
	if got := Error(hidden, "hunter2"); errors.Unwrap(got) != nil || got.Error() != "hidden" {
		t.Errorf("the chain still shows the secret: %v", got)
	}
}

// What an error keeps in its fields is seen by whoever prints these, though not in its text.
func TestErrorSeesFields(t *testing.T) {
	t.Parallel()
	original := &fieldError{DSN: "u:hunter2@h", again: errors.New("x")}
	err := Error(fmt.Errorf("dial: %w", original), "hunter2")
	if err.Error() != "dial: clean" {
		t.Errorf("the text is %q", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		b, _ := json.Marshal(e)
		if text := fmt.Sprintf("%v %+v %#v", e, e, e) + string(b); strings.Contains(text, "hunter2") {
			t.Errorf("the chain shows it: %s", text)
		}
	}
	var as *fieldError
	if !errors.As(err, &as) || as != original {
		t.Error("errors.As does not find the original")
	}
	deep := map[string]any{}
	deep["itself"] = deep
	for name, e := range map[string]error{
		"a list":  listError{"a", "hunter2"},
		"a map":   mapError{"password": []any{1, []byte("hunter2")}},
		"a table": mapError{"hunter2": nil, "x": deep},
	} {
		if _, masked := Error(e, "hunter2").(*redactedError); !masked { //nolint:errorlint // the very same
			t.Errorf("%s is not looked into", name)
		}
	}
	if clean := error(mapError{"x": deep}); Error(clean, "hunter2").Error() != "clean" {
		t.Error("what holds itself")
	}
	if clean := error(&fieldError{DSN: "u@h"}); Error(clean, "mysql", "fieldError", "0x") != clean { //nolint:errorlint // the very same
		t.Error("names of types are no texts of an error")
	}
	if clean := error(&fieldError{DSN: "u@h"}); Error(clean, "hunter2") != clean { //nolint:errorlint // the very same
		t.Error("an error that has no secret is masked")
	}
}

// fieldError does not say what it was made of.
type fieldError struct {
	DSN   string
	again error
}

func (e *fieldError) Error() string { return "clean" }
func (e *fieldError) Unwrap() error { return e.again }

type listError []string

func (listError) Error() string { return "clean" }

type mapError map[string]any

func (mapError) Error() string { return "clean" }

// hidingError does not say what it wraps.
type hidingError struct{ err error }

func (e *hidingError) Error() string { return "hidden" }
func (e *hidingError) Unwrap() error { return e.err }

func TestErrorOfShortAndOverlappingSecrets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text    string
		secrets []string
		want    string
	}{
		{"a bad password for a@h", []string{"a"}, "REDACTED bad password for REDACTED@h"},
		{"pwd=pw pw1 mypw :pw@", []string{"pw"}, "pwd=REDACTED pw1 mypw :REDACTED@"},
		{"hunter2hunter22", []string{"hunter2", "hunter22"}, "REDACTEDREDACTED"},
		{"RED RED", []string{"RED", "REDACTED"}, "REDACTED REDACTED"},
		{"REDACTED", []string{"REDACTED"}, "REDACTED"},
		{"one two", []string{"one!", "two2"}, "one two"},
		{"tokens abcd and efgh", []string{"efgh", "abcd"}, "tokens REDACTED and REDACTED"},
	}
	for _, tt := range tests {
		if got := Error(errors.New(tt.text), tt.secrets...).Error(); got != tt.want {
			t.Errorf("%q without %q is %q, want %q", tt.text, tt.secrets, got, tt.want)
		}
	}
}

func TestEachEnds(t *testing.T) {
	t.Parallel()
	ring := &hidingError{}
	ring.err = ring
	n := 0
	if !Each(ring, func(error) bool { n++; return true }) || n != 1000 {
		t.Errorf("a ring of errors is walked for %d steps", n)
	}
	if Each(errors.Join(io.EOF, io.ErrUnexpectedEOF), func(e error) bool { return !errors.Is(e, io.EOF) }) {
		t.Error("the walk does not tell that it was stopped")
	}
}

func FuzzRedactError(f *testing.F) {
	f.Add("failed for u:hunter2@h", "hunter2")
	f.Add("aaaa", "aa")
	f.Add("%41\\x", "%41\\")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < 4 || strings.Contains(Mask, secret) {
			return
		}
		err := Error(errors.New(text), secret)
		// A Mask next to what is left could spell the secret by accident.
		for piece := range strings.SplitSeq(err.Error(), Mask) {
			if strings.Contains(piece, secret) {
				t.Fatalf("%q is still in %q", secret, err)
			}
		}
		if !strings.Contains(text, secret) {
			return
		}
		if err.Error() == text && !strings.Contains(secret, Mask) {
			t.Fatalf("nothing was masked in %q", text)
		}
	})
}
