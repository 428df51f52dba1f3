package secrets

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRefreshReadsNothingWhenNothingChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.toml")
	if err := os.WriteFile(path, []byte("a = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := Load(WithoutDefaults(), WithPath(path))
	if err != nil {
		t.Fatal(err)
	}
	src := store.refresher.sources[0]

	// A file that was just written may be written again without a trace.
	fresh := src.layer
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if src.layer == fresh {
		t.Error("a file as new as this must be read again")
	}

	when := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	settled, state := src.layer, store.current()
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if src.layer != settled {
		t.Error("a file that did not change was read again")
	}
	if store.current() != state {
		t.Error("values that did not change were merged again")
	}
}

func BenchmarkRefresh(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "secrets.toml")
	if err := os.WriteFile(path, []byte("[connections.pets]\nurl = 'sqlite://'"), 0o600); err != nil {
		b.Fatal(err)
	}
	when := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, when, when); err != nil {
		b.Fatal(err)
	}
	store, err := Load(WithHome(dir), WithWorkingDir(dir), WithEnviron(nil), WithPath(path))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := store.Refresh(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkString(b *testing.B) {
	store := Of(map[string]any{"connections": map[string]any{"pets": map[string]any{"url": "sqlite://"}}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.String("connections", "pets", "url"); err != nil {
			b.Fatal(err)
		}
	}
}
