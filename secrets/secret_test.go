package secrets_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/secrets"
)

const planted = "hunter2-planted-password"

// leaks reports in which of all the ways of printing v shows what was planted.
func leaks(v any) []string {
	var found []string
	check := func(how, text string) {
		if strings.Contains(text, planted) || strings.Contains(text, fmt.Sprintf("%x", planted)) || strings.Contains(text, fmt.Sprint([]byte(planted))[1:20]) {
			found = append(found, how)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10.3v", "%!"} {
		check(verb, fmt.Sprintf(verb, v))
	}
	check("Sprint", fmt.Sprint(v))
	text, err := json.Marshal(v)
	check("JSON", fmt.Sprint(string(text), err))
	text, err = xml.Marshal(v)
	check("XML", fmt.Sprint(string(text), err))
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(v)
	check("gob", fmt.Sprint(b.String(), err))
	b.Reset()
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", "v", v, slog.Group("g", "v", v))
	check("slog", b.String())
	if marshaler, ok := v.(encoding.TextMarshaler); ok {
		text, err = marshaler.MarshalText()
		check("text", fmt.Sprint(string(text), err))
	}
	return found
}

func TestNothingExportedPrintsAValue(t *testing.T) {
	t.Parallel()
	path := file(t, "password = '"+planted+"'\n[table]\nlist = ['"+planted+"']")
	store := load(t, secrets.WithPath(path), secrets.WithValues(map[string]any{"in_code": planted}))
	secret, err := store.Secret("password")
	if err != nil {
		t.Fatal(err)
	}
	_, intErr := store.Int("password")
	_, tableErr := store.String("password", "x")
	_, missingErr := store.String("passwort")
	var target struct {
		Password int
		Table    struct{ List []bool }
		InCode   secrets.ParseError
	}
	decodeErr := store.Decode(&target)
	_, parseErr := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(file(t, "password = "+planted)))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), planted)
	_, folderErr := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(dir))

	type unexported struct {
		secret  secrets.Secret
		pointer *secrets.Secret
		store   *secrets.Store
		twice   **secrets.Store
		any     any
	}
	hidden := unexported{secret, &secret, store, &store, store}
	for name, v := range map[string]any{
		"store":               store,
		"store by value":      reflect.ValueOf(store).Elem().Interface(),
		"store in a struct":   struct{ S *secrets.Store }{store},
		"secret":              secret,
		"pointer to a secret": &secret,
		"secret in a struct":  struct{ S secrets.Secret }{secret},
		"unexported secret":   hidden,
		"pointer to those":    &hidden,
		"secret in a slice":   []secrets.Secret{secret},
		"secret in a map":     map[string]any{"s": secret},
		"option":              secrets.WithValues(map[string]any{"a": planted}),
		"type error":          intErr,
		"table error":         tableErr,
		"missing error":       missingErr,
		"decode error":        decodeErr,
		"parse error":         parseErr,
		"folder error":        folderErr,
		"no error":            errors.Join(intErr, decodeErr, parseErr),
	} {
		if v == nil {
			t.Errorf("%s: there is none", name)
		}
		if found := leaks(v); len(found) > 0 {
			t.Errorf("%s shows the password in %v", name, found)
		}
	}
	if found := leaks(planted); len(found) == 0 {
		t.Error("this test finds nothing")
	}
}

func TestStorePrintsItsSources(t *testing.T) {
	t.Parallel()
	store := secrets.Of(map[string]any{"a": 1})
	if got := fmt.Sprintf("%v %+v %#v %s", store, store, store, store); got != strings.TrimSpace(strings.Repeat("secrets.Store(1 source) ", 4)) {
		t.Error(got)
	}
	if text, err := json.Marshal(store); string(text) != `"secrets.Store(1 source)"` || err != nil {
		t.Error(string(text), err)
	}
	if got := store.LogValue().String(); got != "secrets.Store(1 source)" {
		t.Error(got)
	}
	if got := fmt.Sprint(load(t, secrets.WithOptionalPath("a.toml"), secrets.WithOptionalPath("b.toml"))); got != "secrets.Store(2 sources)" {
		t.Error(got)
	}
	var none *secrets.Store
	if got := fmt.Sprint(none); got != "secrets.Store(nil)" {
		t.Error(got)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	secret := secrets.NewSecret("x")
	if got := fmt.Sprintf("%v %+v %#v %s %d %x", secret, secret, secret, secret, secret, secret) + secret.String() + secret.GoString(); got != strings.Repeat("REDACTED ", 5)+"REDACTEDREDACTEDREDACTED" {
		t.Error(got)
	}
	if secret.Reveal() != "x" || (secrets.Secret{}).Reveal() != "" {
		t.Error("Reveal does not give the text")
	}
	if !secret.Equal(secrets.NewSecret("x")) || secret.Equal(secrets.NewSecret("y")) || secret.Equal(secrets.NewSecret("xx")) {
		t.Error("Equal is wrong")
	}
	if !(secrets.Secret{}).Equal(secrets.NewSecret("")) {
		t.Error("the zero Secret is not the empty one")
	}
	if reflect.TypeFor[secrets.Secret]().Comparable() {
		t.Error("== compiles, and takes a time that tells")
	}

	var read struct{ Password secrets.Secret }
	if err := json.Unmarshal([]byte(`{"Password":"from JSON"}`), &read); err != nil || read.Password.Reveal() != "from JSON" {
		t.Error(read.Password.Reveal(), err)
	}
	if text, err := json.Marshal(read); string(text) != `{"Password":"REDACTED"}` || err != nil {
		t.Error(string(text), err)
	}
}
