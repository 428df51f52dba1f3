package sqlconn

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInMemory(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"sqlite://": true, "sqlite:///:memory:": true, "sqlite:///file::memory:?cache=shared": true, "file:x?mode=memory": true, ":memory:": true,
		"sqlite:///x.db?mode=memory": true, "duckdb://": true, "duckdb:///:memory:": true,
		"sqlite:///x.db": false, "duckdb:///x": false, "postgres://h/:memory:": false, "file:x?mode=ro": false,
	} {
		got, err := parseURL(raw)
		if err != nil || got.inMemory() != want {
			t.Errorf("%s: in memory is %t (%v), want %t", raw, got.inMemory(), err, want)
		}
	}
}

func TestTargetNeverShowsSecrets(t *testing.T) {
	t.Parallel()
	got, err := parseURL("snowflake://u:hunter2@acct/db?token=hunter3&private_key=hunter4&warehouse=wh&passcodeInPassword=true")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"target": got, "pointer": &got})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{got.String(), got.LogValue().String(), string(asJSON)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
		texts = append(texts, fmt.Sprintf(verb, got), fmt.Sprintf(verb, &got), fmt.Sprintf(verb, []target{got}),
			fmt.Sprintf(verb, levelled{name: "password", value: "hunter2"}),
			fmt.Sprintf(verb, engineSettings{connectArgs: map[string]any{"password": "hunter2"}}))
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter") {
			t.Errorf("shows a secret: %s", text)
		}
	}
	want := "snowflake://u:REDACTED@acct/db?token=REDACTED&private_key=REDACTED&warehouse=wh&passcodeInPassword=true"
	if got.String() != want {
		t.Errorf("String is %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"hunter2", "hunter3", "hunter4"}, got.secrets()); diff != "" {
		t.Errorf("secrets differ (-want +got):\n%s", diff)
	}
}

// The key of an encrypted SQLite database is a pragma like any other.
func TestKeyInAPragmaIsASecret(t *testing.T) {
	t.Parallel()
	for _, pragma := range []string{"key(hunter2)", "key('hunter2')", "hexkey = hunter2", "rekey=%22hunter2%22"} {
		got, err := parseURL("sqlite:///pets.db?_pragma=" + pragma + "&_pragma=foreign_keys(on)")
		if err != nil {
			t.Fatal(err)
		}
		if want := "sqlite:///pets.db?_pragma=REDACTED&_pragma=foreign_keys%28on%29"; got.String() != want {
			t.Errorf("String is %s, want %s", got, want)
		}
		if diff := cmp.Diff([]string{"hunter2"}, got.secrets()); diff != "" {
			t.Errorf("%s: secrets differ (-want +got):\n%s", pragma, diff)
		}
	}
}
