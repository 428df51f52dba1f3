package supabasetest_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// open is a connection to a server, without a socket.
func open(t *testing.T, s *supabasetest.Server, key string, opts ...connection.Option) *supabase.Conn {
	t.Helper()
	c, err := supabase.Open(t.Context(), "test", append(opts,
		supabase.WithURL(s.URL), supabase.WithKey(key), supabase.WithHTTPClient(s.HTTPClient()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// The test of the README.
func TestTodos(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	srv := supabasetest.NewServer(t, supabasetest.WithSchema(`create table todos (id int primary key, title text not null)`),
		supabasetest.WithRows("todos", supabasetest.Row{"id": 1, "title": "write tests"}))
	sb, err := supabase.Open(ctx, "test", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sb.Close() }()
	todos, err := supabase.Query[Todo](ctx, sb.Table("todos").Select("title"))
	if err != nil || len(todos) != 1 || todos[0].Title != "write tests" {
		t.Errorf("%v, %v", todos, err)
	}
}

func TestAViewOutlivesItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := supabasetest.NewServer(t, supabasetest.WithoutPort(), supabasetest.WithUser("ada@example.com", "secret-1"))
		c := open(t, s, s.AnonKey)
		session, err := c.Auth().SignInWithPassword(t.Context(), supabase.Credentials{Email: "ada@example.com", Password: "secret-1"})
		if err != nil {
			t.Fatal(err)
		}
		var renewed []*supabase.Session
		mine := c.As(session, supabase.OnSession(func(_ context.Context, s *supabase.Session) { renewed = append(renewed, s) }))
		for range 3 {
			if _, err := mine.Auth().User(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Hour) //nolint:forbidigo // nothing sleeps in a bubble
		}
		if len(renewed) != 2 {
			t.Errorf("%d renewals, want 2", len(renewed))
		}
		for _, r := range s.Requests() {
			if r.Path == "/user" && r.Status != 200 {
				t.Errorf("%v", r)
			}
		}
	})
}

func TestFaultsThatClientsGetOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := supabasetest.NewServer(t, supabasetest.WithoutPort(), supabasetest.WithBucket("docs"),
			supabasetest.WithObject("docs", "a", []byte("hello")))
		c := open(t, s, s.ServiceKey)
		for _, f := range []supabasetest.Fault{
			{Status: 503, RetryAfter: time.Second},
			{Cut: supabasetest.CutBefore},
			{Cut: supabasetest.CutAfter},
			{Refuse: true, Times: 2},
		} {
			f.Service = supabasetest.Storage
			remove := s.Inject(f)
			file, err := c.Download(t.Context(), "docs", "a")
			if err != nil || string(file.Data) != "hello" {
				t.Errorf("%+v: %q, %v", f, file.Data, err)
			}
			if remove() == 0 {
				t.Errorf("%+v did not hit", f)
			}
			connection.Clear(c)
		}
	})
}

// A server that is not the newest takes a type by its very text; see storage.Bucket.AllowedMIMETypes.
func TestTypesThatABucketAllows(t *testing.T) {
	t.Parallel()
	s := supabasetest.NewServer(t, supabasetest.WithoutPort(),
		supabasetest.WithBucket("one", supabasetest.AllowedMimeTypes("text/csv", "text/vtt", "text/plain")),
		supabasetest.WithBucket("whole", supabasetest.AllowedMimeTypes("text/plain; charset=utf-8")),
		supabasetest.WithBucket("family", supabasetest.AllowedMimeTypes("text/*")))
	c := open(t, s, s.ServiceKey)
	upload := func(bucket, path string) error {
		_, err := c.UploadBytes(t.Context(), bucket, path, []byte("a,b\n"))
		return err
	}
	resume := func(bucket, path string) error {
		_, err := c.UploadResumable(t.Context(), bucket, path, strings.NewReader("a,b\n"))
		return err
	}
	for _, tt := range []struct {
		bucket, path string
		fits         bool
	}{
		{"one", "x.csv", true},
		{"one", "x.vtt", true},
		{"one", "x.txt", false},
		{"one", "x.tsv", false},
		{"whole", "x.txt", true},
		{"family", "x.txt", true},
		{"family", "x.csv", true},
		{"family", "x.png", false},
	} {
		for way, send := range map[string]func(string, string) error{"upload": upload, "resumable": resume} {
			err := send(tt.bucket, way+tt.path)
			if e, ok := errors.AsType[*supabase.Error](err); tt.fits && err != nil || !tt.fits && (!ok || e.Status != http.StatusUnsupportedMediaType) {
				t.Errorf("%s of %s into %s: %v", way, tt.path, tt.bucket, err)
			}
		}
	}
}

func TestFilesOfAClient(t *testing.T) {
	t.Parallel()
	s := supabasetest.NewServer(t, supabasetest.WithoutPort(), supabasetest.WithSecureUploads())
	c := open(t, s, s.ServiceKey)
	ctx := t.Context()
	if err := c.CreateBucket(ctx, "docs"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBytes(ctx, "docs", "a/b.txt", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadBytes(ctx, "docs", "a/b.txt", []byte("hello")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("twice: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789"), 1_500_000) // three chunks
	if _, err := c.UploadResumable(ctx, "docs", "big.bin", bytes.NewReader(big)); err != nil {
		t.Fatal(err)
	}
	if file, err := c.Download(ctx, "docs", "big.bin"); err != nil || !bytes.Equal(file.Data, big) {
		t.Errorf("%d bytes, %v", len(file.Data), err)
	}
	list, err := c.ListObjects(ctx, "docs", "a")
	if err != nil || len(list) != 1 || list[0].Name != "b.txt" {
		t.Errorf("%v, %v", list, err)
	}
	if err := c.Move(ctx, "docs", "a/b.txt", "c.txt"); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Exists(ctx, "docs", "a/b.txt"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	link, err := c.CreateSignedURL(ctx, "docs", "c.txt", time.Minute)
	if err != nil || !strings.HasPrefix(link, s.URL+"/storage/v1/object/sign/docs/c.txt?token=") {
		t.Errorf("%v", err)
	}
	up, err := c.CreateSignedUploadURL(ctx, "docs", "d.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadToSignedURL(ctx, "docs", "d.txt", up.Token, strings.NewReader("d")); err != nil {
		t.Fatal(err)
	}
	if data, _ := s.Object("docs", "d.txt"); string(data) != "d" {
		t.Errorf("%q", data)
	}
	n := 0
	for _, err := range c.Walk(ctx, "docs", "") {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 3 {
		t.Errorf("%d objects", n)
	}
}
