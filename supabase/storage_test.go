package supabase_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
)

// shelf answers as storage does, and each read with the number of its request.
func shelf() *server {
	s := new(server)
	n := 0
	s.answer = func(r *request) (int, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		n++
		path := strings.TrimPrefix(r.Path, "/storage/v1")
		switch {
		case path == "/bucket" && r.Method == http.MethodGet:
			return 200, fmt.Sprintf(`[{"id":"b%d","name":"b%d"}]`, n, n)
		case strings.HasPrefix(path, "/object/list/"):
			return 200, fmt.Sprintf(`[{"name":"f%d","id":"i","metadata":{"size":1}}]`, n)
		case strings.HasPrefix(path, "/object/sign/"):
			return 200, `{"signedURL":"/object/sign/reports/a?token=planted-token"}`
		case r.Method == http.MethodGet && strings.Contains(path, "missing"):
			return 400, `{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}`
		case r.Method == http.MethodGet && strings.HasPrefix(path, "/bucket/"):
			return 200, `{"id":"reports","name":"reports"}`
		case r.Method == http.MethodGet:
			return 200, fmt.Sprint(n)
		}
		return 200, `{"Key":"reports/a","Id":"i","message":"done","name":"reports"}`
	}
	return s
}

func TestStorageReadsAreCachedUntilTheirBucketChanges(t *testing.T) {
	t.Parallel()
	sb := open(t, shelf())
	ctx := t.Context()
	ann := sb.AsToken("opaque-of-ann")
	download := func(c *supabase.Conn, bucket string, opts ...*supabase.DownloadOptions) string {
		t.Helper()
		file, err := c.Download(ctx, bucket, "a.txt", opts...)
		if err != nil || file.Name != "a.txt" {
			t.Errorf("downloaded %+v, %v", file, err)
		}
		return string(file.Data)
	}
	list := func() string {
		t.Helper()
		objects, err := sb.ListObjects(ctx, "reports", "2026")
		if err != nil || len(objects) != 1 {
			t.Fatalf("listed %v, %v", objects, err)
		}
		return objects[0].Name
	}
	buckets := func() string {
		t.Helper()
		all, err := sb.ListBuckets(ctx)
		if err != nil || len(all) != 1 {
			t.Fatalf("listed %v, %v", all, err)
		}
		return all[0].ID
	}
	part := &supabase.DownloadOptions{MaxSize: 100}
	state := func() []string {
		return []string{download(sb, "reports"), download(sb, "images"), download(ann, "reports"), download(sb, "reports", part), list(), buckets()}
	}
	want := []string{"1", "2", "3", "4", "f5", "b6"}
	for range 2 {
		if got := state(); !slices.Equal(got, want) {
			t.Errorf("read by requests %v, want %v", got, want)
		}
	}
	file, _ := sb.Download(ctx, "reports", "a.txt")
	file.Data[0] = '!'
	if got := download(sb, "reports"); got != "1" {
		t.Errorf("what one caller changed, another got: %q", got)
	}
	if got := download(sb, "reports", &supabase.DownloadOptions{Progress: func(int64, int64) {}}); got != "7" {
		t.Errorf("a download with progress came from request %s", got)
	}

	// A write of the database ends none of it, a write of one bucket what is of that, for everybody.
	if _, err := sb.WithKeepCache().UploadBytes(ctx, "reports", "log", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := supabase.Execute(ctx, sb.Table("todos").Insert(todo{"ann"})); err != nil {
		t.Fatal(err)
	}
	if got := state(); !slices.Equal(got, want) {
		t.Errorf("after a write that keeps the cache, and one of the database, read by requests %v", got)
	}
	if _, err := ann.Upload(ctx, "reports", "a.txt", strings.NewReader("x"), &supabase.UploadOptions{Upsert: true}); err != nil {
		t.Fatal(err)
	}
	if got := state(); !slices.Equal(got, []string{"11", "2", "12", "13", "f14", "b15"}) {
		t.Errorf("after an upload read by requests %v", got)
	}
	if err := sb.Move(ctx, "reports", "a", "b", &supabase.MoveOptions{ToBucket: "images"}); err != nil {
		t.Fatal(err)
	}
	if got := state(); !slices.Equal(got, []string{"17", "18", "19", "20", "f21", "b22"}) {
		t.Errorf("after a move read by requests %v", got)
	}
	if got := download(sb.WithTTL(0), "reports"); got != "23" {
		t.Errorf("without the cache read by request %s", got)
	}
	connection.Clear(sb)
	if got := download(sb, "reports"); got != "24" {
		t.Errorf("after Clear read by request %s", got)
	}
}

func TestStorageErrorsAreThoseOfFiles(t *testing.T) {
	t.Parallel()
	srv := shelf()
	sb := open(t, srv)
	for range 2 {
		_, err := sb.Download(t.Context(), "reports", "missing.txt")
		named, ok := errors.AsType[*connection.Error](err)
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, supabase.ErrNotFound) || !ok || named.Op != "download" {
			t.Errorf("got %v", err)
		}
	}
	if len(srv.got) != 2 {
		t.Errorf("an error was cached: %d requests", len(srv.got))
	}
	if _, err := sb.Download(t.Context(), "", "a"); err == nil || len(srv.got) != 2 {
		t.Errorf("a bucket without a name: %v", err)
	}
}

func TestStorageAsAUser(t *testing.T) {
	t.Parallel()
	srv := shelf()
	sb := open(t, srv)
	ann := sb.AsToken("opaque-of-ann")
	ctx := t.Context()
	calls := map[string]func() error{
		"read":  func() error { _, err := ann.GetBucket(ctx, "reports"); return err },
		"write": func() error { _, err := ann.Remove(ctx, "reports", "a"); return err },
		"sign":  func() error { _, err := ann.CreateSignedURL(ctx, "reports", "a", time.Minute); return err },
		"stream": func() error {
			r, err := ann.NewReader(ctx, "reports", "a")
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				err = errors.Join(err, r.Close())
			}
			return err
		},
	}
	for name, call := range calls {
		srv.got = nil
		if err := call(); err != nil {
			// The answer to Remove is no list; what counts is whose request it was.
			if name != "write" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(srv.got) != 1 || srv.got[0].bearer() != "opaque-of-ann" || srv.got[0].Header.Get("Apikey") != anonKey {
			t.Errorf("%s: sent %+v", name, srv.got)
		}
	}
	nobody := sb.AsToken("")
	srv.got = nil
	for name, call := range map[string]func() error{
		"read":  func() error { _, err := nobody.GetBucket(ctx, "reports"); return err },
		"write": func() error { _, err := nobody.UploadBytes(ctx, "reports", "a", nil); return err },
		"url":   func() error { _, err := nobody.CreateSignedURL(ctx, "reports", "a", time.Minute); return err },
	} {
		if err := call(); !errors.Is(err, supabase.ErrSignInAgain) {
			t.Errorf("%s as nobody: %v", name, err)
		}
	}
	if len(srv.got) != 0 {
		t.Errorf("sent %+v for nobody", srv.got)
	}
	url, err := sb.GetPublicURL(ctx, "reports", "2026/q 3.csv")
	if err != nil || url != address+"/storage/v1/object/public/reports/2026/q%203.csv" {
		t.Errorf("public URL %q, %v", url, err)
	}
}
