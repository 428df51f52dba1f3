package secrets_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/secrets"
)

// FuzzTOML plants a password in a file and wants never to see it in an error.
func FuzzTOML(f *testing.F) {
	f.Add("[connections.pets]\npassword = \"", "\"\n")
	f.Add("password = ", "")
	f.Add("a = '''", "\n")
	f.Add("a = [\"", "\", 1, {b = 2}]\nc = 2026-01-01\nd = inf")
	f.Add("\xef\xbb\xbfa = \"\\u00e", "\"\r\n")
	f.Add("\xff\xfe", "")
	f.Add("[[a]]\nb.c = \"", "\"\n[[a]]\n[a.b]\nc = 1")
	f.Add("a = 1e", "99")
	f.Fuzz(func(t *testing.T, before, after string) {
		path := old(t, file(t, before+planted+after)) // or Load would wait for whoever is still writing
		store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(path))
		if err != nil {
			if _, ok := errors.AsType[*secrets.ParseError](err); !ok {
				t.Errorf("%T is no ParseError: %v", err, err)
			}
			noLeak(t, err)
			return
		}
		exercise(t, store)
	})
}

// FuzzFolder does the same with a mounted folder.
func FuzzFolder(f *testing.F) {
	f.Add("pets", "password", "", "\n")
	f.Add("pets", "..data", "", "")
	f.Add("..2026", "x", "\xff", "")
	f.Add(".hidden", ".hidden", "\xef\xbb\xbf ", " ")
	f.Add("secrets.toml", "secrets.toml", "a = ", "")
	f.Fuzz(func(t *testing.T, secret, name, before, after string) {
		for _, part := range []string{secret, name} {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\\\x00") || len(part) > 100 {
				return
			}
		}
		dir := t.TempDir()
		path := filepath.Join(dir, secret, name)
		if os.Mkdir(filepath.Dir(path), 0o755) != nil || os.WriteFile(path, []byte(before+planted+after), 0o600) != nil {
			return
		}
		old(t, path)
		store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(dir))
		if err != nil {
			noLeak(t, err)
			return
		}
		if text, ok := store.Lookup(secret); ok == strings.HasPrefix(secret, "..") || ok && !strings.Contains(text.(string), planted) {
			t.Errorf("%q, %v", text, ok)
		}
		exercise(t, store)

		// A second file makes a table of it, a file beside it an error.
		if os.WriteFile(path+"2", nil, 0o600) != nil {
			return
		}
		old(t, path+"2")
		if store.Refresh() != nil {
			return
		}
		if v, ok := store.Lookup(secret, name); ok && !strings.Contains(v.(string), planted) {
			t.Errorf("%q", v)
		}
		exercise(t, store)
		old(t, write(t, filepath.Join(dir, "beside"), planted))
		if err := store.Refresh(); err == nil {
			t.Error("a file directly in the folder is no error")
		} else {
			noLeak(t, err)
		}
	})
}

// exercise reads a store in every way, wrong ways included.
func exercise(t *testing.T, store *secrets.Store) {
	t.Helper()
	if len(leaks(store)) > 0 {
		t.Error("the store prints the password")
	}
	store.Environ()
	all, _ := store.Section()
	var visit func(table map[string]any, path []string)
	visit = func(table map[string]any, path []string) {
		for key, value := range table {
			here := append(slices.Clip(path), key)
			if got, ok := store.Lookup(here...); !ok || fmt.Sprint(got) != fmt.Sprint(value) {
				t.Errorf("Lookup(%q) = %v, %v, want %v", here, got, ok, value)
			}
			if store.Where(here...) == "" {
				t.Errorf("no place gave %q", here)
			}
			if below, ok := value.(map[string]any); ok {
				visit(below, here)
			}
			if strings.Contains(strings.Join(here, ""), planted) {
				continue // then it is a key, and errors name it
			}
			_, err1 := store.String(here...)
			_, err2 := store.Int(here...)
			_, err3 := store.Float(here...)
			_, err4 := store.Bool(here...)
			_, err5 := store.String(append(here, "below")...)
			var text string
			var number int8
			var wait time.Duration
			var list []bool
			var tables map[string]map[string]time.Time
			var unknown struct{ A, Password int }
			for _, err := range []error{
				err1, err2, err3, err4, err5,
				store.Decode(&text, here...), store.Decode(&number, here...), store.Decode(&wait, here...),
				store.Decode(&list, here...), store.Decode(&tables, here...), store.Decode(&unknown, here...),
			} {
				if err != nil && !keysHold(value, planted) {
					noLeak(t, err)
				}
			}
		}
	}
	visit(all, nil)
}

// keysHold says whether a key somewhere in v holds text.
func keysHold(v any, text string) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.Contains(key, text) || keysHold(value, text) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if keysHold(item, text) {
				return true
			}
		}
	}
	return false
}

func noLeak(t *testing.T, err error) {
	t.Helper()
	if found := leaks(err); len(found) > 0 {
		t.Errorf("the error shows the password in %v: %v", found, err)
	}
}
