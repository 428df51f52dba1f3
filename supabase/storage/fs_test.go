package storage_test

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/storage"
)

func bucketOfFiles(t *testing.T) (*server, *storage.FS) {
	t.Helper()
	s, st := newServer(t, "site", "empty")
	s.put("site", "index.html", "text/html", "<h1>{{.}}</h1>")
	s.put("site", "css/site.css", "text/css", "body {}")
	s.put("site", "docs/a b (1).txt", "text/plain", "a b")
	s.put("site", "docs/deep/er/x", "application/octet-stream", strings.Repeat("x", 5000))
	s.put("site", "docs/none", "text/plain", "")
	return s, st.FS(t.Context(), "site")
}

func TestABucketIsAFileSystem(t *testing.T) {
	t.Parallel()
	s, files := bucketOfFiles(t)
	if err := fstest.TestFS(files, "index.html", "css/site.css", "docs/a b (1).txt", "docs/deep/er/x", "docs/none"); err != nil {
		t.Error(err)
	}
	sub, err := files.Sub("docs")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(sub, "a b (1).txt", "deep/er/x"); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(newClient(t, s.URL).FS(t.Context(), "empty")); err != nil {
		t.Error(err)
	}
}

func TestABucketServesHTTPAndTemplatesAndWalks(t *testing.T) {
	t.Parallel()
	_, files := bucketOfFiles(t)
	srv := httptest.NewServer(http.FileServerFS(files))
	defer srv.Close()
	get := func(path, span string) (int, string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		if span != "" {
			req.Header.Set("Range", span)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, tt := range []struct {
		path, span string
		status     int
		body       string
	}{
		{"/css/site.css", "", 200, "body {}"},
		{"/docs/deep/er/x", "bytes=4998-", 206, "xx"},
		{"/docs/deep/er/x", "bytes=1-3", 206, "xxx"},
		{"/", "", 200, "<h1>{{.}}</h1>"},
		{"/nope", "", 404, "404 page not found\n"},
		{"/docs/a%20b%20(1).txt", "", 200, "a b"},
	} {
		if status, body := get(tt.path, tt.span); status != tt.status || body != tt.body {
			t.Errorf("%s %s: %d %q", tt.path, tt.span, status, body)
		}
	}

	page, err := template.ParseFS(files, "*.html")
	var b strings.Builder
	if err != nil || page.Execute(&b, "hi") != nil || b.String() != "<h1>hi</h1>" {
		t.Error(b.String(), err)
	}

	var walked []string
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		walked = append(walked, path)
		return err
	})
	want := []string{".", "css", "css/site.css", "docs", "docs/a b (1).txt", "docs/deep", "docs/deep/er", "docs/deep/er/x", "docs/none", "index.html"}
	if diff := cmp.Diff(want, walked); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAFileThatIsReplacedWhileItIsReadIsAnError(t *testing.T) {
	t.Parallel()
	s, files := bucketOfFiles(t)
	f, err := files.Open("docs/deep/er/x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	s.put("site", "docs/deep/er/x", "text/plain", strings.Repeat("y", 5000))
	if _, err := io.ReadAll(f); !errors.Is(err, storage.ErrChanged) {
		t.Error(err)
	}
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 4), 7); !errors.Is(err, storage.ErrChanged) {
		t.Error(err)
	}
}

func TestWhatIsNoFileIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	s, files := bucketOfFiles(t)
	for _, tt := range []struct {
		what string
		err  func() error
		want error
	}{
		{"missing", func() error { _, err := files.Open("nope"); return err }, fs.ErrNotExist},
		{"missing, read", func() error { _, err := files.ReadFile("nope"); return err }, fs.ErrNotExist},
		{"missing, list", func() error { _, err := files.ReadDir("nope"); return err }, fs.ErrNotExist},
		{"a name that no object has", func() error { _, err := files.Stat("50%.txt"); return err }, fs.ErrNotExist},
		{"invalid", func() error { _, err := files.Open("../x"); return err }, fs.ErrInvalid},
		{"bucket", func() error { _, err := newClient(t, s.URL).FS(t.Context(), "a/b").Open("x"); return err }, storage.ErrInvalid},
	} {
		err := tt.err()
		if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	if _, err := files.ReadFile("docs"); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Error(err)
	}
	if _, err := files.ReadDir("index.html"); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Error(err)
	}
}

func TestAnObjectHidesTheFolderOfItsName(t *testing.T) {
	t.Parallel()
	s, files := bucketOfFiles(t)
	s.put("site", "css", "text/plain", "an object")
	entries, err := files.ReadDir(".")
	if err != nil || len(entries) != 3 || entries[0].Name() != "css" || entries[0].IsDir() {
		t.Error(entries, err)
	}
}

func TestAFolderOfManyFiles(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	for i := range 2300 {
		s.put("b", fmt.Sprintf("many/%04d", i), "a/b", "")
	}
	entries, err := st.FS(t.Context(), "b").ReadDir("many")
	if err != nil || len(entries) != 2300 || entries[2299].Name() != "2299" {
		t.Error(len(entries), err)
	}
}
