package supabase_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
)

// The section of secrets.toml that the tutorial of st-supabase-connection has its readers write.
func TestTheTutorialsSecretsFileConnects(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets.toml")
	text := `[connections.supabase]
SUPABASE_URL = "https://tutorial.test"
SUPABASE_KEY = "planted-key"
EMAIL_ADDRESS = "reader@example.com"
PASSWORD = "planted-password"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := secrets.Load(secrets.WithPath(file), secrets.WithoutDefaults(), secrets.WithEnviron(nothing))
	if err != nil {
		t.Fatal(err)
	}
	srv := &server{answer: func(*request) (int, string) { return 200, `[]` }}
	sb, err := supabase.Open(t.Context(), "supabase", connection.WithSecrets(store), connection.WithEnviron(nothing),
		supabase.WithHTTPClient(&http.Client{Transport: srv}))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	if _, err := todos(t.Context(), sb); err != nil {
		t.Fatal(err)
	}
	if got := srv.got[0].Header.Get("Apikey"); got != "planted-key" {
		t.Errorf("connected with the key %q", got)
	}
	if email, err := store.String("connections", "supabase", "EMAIL_ADDRESS"); err != nil || email != "reader@example.com" {
		t.Errorf("the e-mail address is %q, %v", email, err)
	}
}
