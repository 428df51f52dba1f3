package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/storage"
)

// waiting is a reader that waits for others: it gives nothing until it is told to.
type waiting struct {
	asked chan struct{}
	tell  chan struct{}
	once  sync.Once
}

func (w *waiting) Read([]byte) (int, error) {
	w.once.Do(func() { close(w.asked) })
	<-w.tell
	return 0, io.EOF
}

func TestTheLengthIsSentWhereItIsKnown(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	name := filepath.Join(t.TempDir(), "f.txt")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	inFS, err := fstest.MapFS{"f": {Data: []byte("0123456789")}}.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pipe.Close() }()
	_, _ = w.WriteString("piped")
	_ = w.Close()
	read := strings.NewReader("0123456789")
	_, _ = read.ReadByte()
	for _, tt := range []struct {
		name   string
		r      io.Reader
		size   int64
		length int64
		body   string
	}{
		{"strings.Reader", strings.NewReader("abc"), 0, 3, "abc"},
		{"read in part", read, 0, 9, "123456789"},
		{"bytes.Buffer", bytes.NewBufferString("abcd"), 0, 4, "abcd"},
		{"file in the middle", f, 0, 7, "3456789"},
		{"fs.File", struct{ fs.File }{inFS}, 0, 10, "0123456789"},
		{"seeker", seekReader{strings.NewReader("abc")}, 0, 3, "abc"},
		{"nothing", strings.NewReader(""), 0, 0, ""},
		{"stream.txt", onlyReader{strings.NewReader("abc")}, 0, -1, "abc"},
		{"stream that is short", onlyReader{strings.NewReader("abc")}, 0, 3, "abc"}, // its first bytes were all
		{"stream of a size", onlyReader{strings.NewReader("abc")}, 3, 3, "abc"},
		{"pipe.txt", pipe, 0, -1, "piped"},
		{"empty stream", onlyReader{strings.NewReader("")}, 0, 0, ""},
	} {
		// Without an extension the first bytes are read before.
		if _, err := p.ours.Upload(t.Context(), "b", tt.name, tt.r, &storage.UploadOptions{Size: tt.size}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := p.last(t); got.length != tt.length || got.body != tt.body {
			t.Errorf("%s: %d bytes announced, %q", tt.name, got.length, got.body)
		}
	}
	for name, source := range sources {
		r := source([]byte("abc"))
		if _, err := p.ours.Upload(t.Context(), "b", "x.txt", r, &storage.UploadOptions{Size: 2}); err != nil || p.last(t).body != "ab" {
			t.Errorf("%s: %q, %v", name, p.last(t).body, err)
		}
		if rest, err := io.ReadAll(r); string(rest) != "c" || err != nil {
			t.Errorf("%s: %q is left, %v", name, rest, err)
		}
	}
	for name, source := range sources { // of these the server hears at some time or other
		if _, err := p.ours.Upload(t.Context(), "b", "x.txt", source([]byte("abc")), &storage.UploadOptions{Size: 4}); err == nil {
			t.Errorf("%s: fewer bytes than the size are not noticed", name)
		}
	}
}

func TestTheContentTypeIsToldByNameElseByTheFirstBytes(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	png := "\x89PNG\r\n\x1a\n…"
	for _, tt := range []struct{ path, body, given, want string }{
		{"a.PNG", "no image", "", "image/png"},
		{"a.tar.gz", "", "", "application/gzip"},
		{"a", png, "", "image/png"},
		{"a.unknown", png, "", "image/png"},
		{".png", "x", "", "image/png"},
		{"a", "", "", "text/plain; charset=utf-8"},
		{"a", "\x00\x01\x02", "", "application/octet-stream"},
		{"a.png", png, "x/y", "x/y"},
		{"a.png/b", "text", "", "text/plain; charset=utf-8"},
	} {
		_, err := p.ours.Upload(t.Context(), "b", tt.path, strings.NewReader(tt.body), &storage.UploadOptions{ContentType: tt.given})
		if got := p.last(t); err != nil || got.header.Get("Content-Type") != tt.want || got.body != tt.body {
			t.Errorf("%s: %s, %q, %v", tt.path, got.header.Get("Content-Type"), got.body, err)
		}
	}
	long := strings.Repeat("long text ", 1000)
	if _, err := p.ours.Upload(t.Context(), "b", "a", onlyReader{strings.NewReader(long)}); err != nil || p.last(t).body != long {
		t.Error(len(p.last(t).body), err)
	}
	if _, err := p.ours.Upload(t.Context(), "b", "a", failing{}); !errors.Is(err, errReader) {
		t.Error(err)
	}
}

func TestAFileIsUploadedByItsName(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	dir := t.TempDir()
	name := filepath.Join(dir, "report 1.csv")
	if err := os.WriteFile(name, []byte("a,b"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "report 1.csv", "x/y.json": "x/y.json", "plain": "plain"} {
		if got, err := st.UploadFile(t.Context(), "b", path, name); err != nil || got.Path != want {
			t.Error(got, err)
		}
	}
	for path, want := range map[string]string{"report 1.csv": "text/csv", "x/y.json": "application/json", "plain": "text/csv"} {
		if o, _ := s.object("b", path); o.contentType != want || string(o.data) != "a,b" {
			t.Errorf("%s: %s %q", path, o.contentType, o.data)
		}
	}
	if _, err := st.UploadFile(t.Context(), "b", "x", filepath.Join(dir, "nope")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := st.UploadFile(t.Context(), "b", "x", dir); !errors.Is(err, storage.ErrInvalid) {
		t.Error(err)
	}
}

func TestProgressIsToldInOrderAndNotAfterTheEnd(t *testing.T) {
	t.Parallel()
	_, st := newServer(t, "b")
	data := randomBytes(chunk + 100_000)
	for name, source := range sources {
		for _, upload := range []func(context.Context, string, string, io.Reader, ...*storage.UploadOptions) (storage.UploadResult, error){st.Upload, st.UploadResumable} {
			var told []int64
			var totals []int64
			_, err := upload(t.Context(), "b", "x", source(data), &storage.UploadOptions{Upsert: true, Progress: func(done, total int64) {
				told, totals = append(told, done), append(totals, total)
			}})
			if err != nil || len(told) == 0 || told[len(told)-1] != int64(len(data)) || !slices.IsSorted(told) {
				t.Errorf("%s: %d times, %v", name, len(told), err)
			}
			if last := totals[len(totals)-1]; last != int64(len(data)) && name != "Reader" {
				t.Errorf("%s: of %d", name, last)
			}
		}
	}
	var got [2]int64
	o := storage.DownloadOptions{Progress: func(done, total int64) { got = [2]int64{done, total} }}
	if _, err := st.Download(t.Context(), "b", "x", &o); err != nil || got != [2]int64{int64(len(data)), int64(len(data))} {
		t.Error(got, err)
	}
	o.Offset, o.Length = 10, 100
	if _, err := st.Download(t.Context(), "b", "x", &o); err != nil || got != [2]int64{100, 100} {
		t.Error(got, err)
	}
}

// The server may answer before it has read what is sent; the reader is the caller's again at once.
func TestAReaderIsNotUsedAfterTheCall(t *testing.T) {
	t.Parallel()
	st := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 413, "EntityTooLarge", "too large") })
	r := bytes.NewReader(make([]byte, 8<<20))
	for range 20 {
		if _, err := st.Upload(t.Context(), "b", "x.bin", r); !errors.Is(err, storage.ErrTooLarge) {
			if _, isNetwork := errors.AsType[*storage.Error](err); !isNetwork {
				t.Error(err)
			}
		}
		r.Reset(make([]byte, 8<<20)) // a race, if it were still read
	}
	// A reader that waits for others holds nobody.
	w := &waiting{asked: make(chan struct{}), tell: make(chan struct{})}
	defer close(w.tell)
	st = newClient(t, "http://storage.test", storage.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		go func() { _, _ = io.Copy(io.Discard, r.Body) }()
		<-w.asked
		return &http.Response{
			StatusCode: 400, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"statusCode":"413","code":"EntityTooLarge"}`)),
		}, nil
	})}))
	if _, err := st.Upload(t.Context(), "b", "x.txt", w); !errors.Is(err, storage.ErrTooLarge) {
		t.Error(err)
	}
}

func TestAnUploadFollowsARedirectWhereItCanBeReadAgain(t *testing.T) {
	t.Parallel()
	var stored string
	st := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/moved") {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusPermanentRedirect)
			return
		}
		body, _ := io.ReadAll(r.Body)
		stored = string(body)
		_, _ = io.WriteString(w, `{"Key":"b/x"}`)
	})
	for name, source := range sources {
		stored = ""
		_, err := st.Upload(t.Context(), "b", "x", source([]byte("data")))
		if again := name == "ReaderAt" || name == "Seeker"; again != (err == nil && stored == "data") {
			t.Errorf("%s: %q, %v", name, stored, err)
		}
	}
}

func TestADownloadIsTakenUpWhereItBroke(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	data := string(randomBytes(300_000))
	s.put("b", "x", "a/b", data)
	var broken atomic.Int64
	replaced := false
	s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || broken.Add(1) > 3 {
			return false
		}
		if replaced && r.Header.Get("Range") != "" {
			s.put("b", "x", "a/b", data+"!")
			return false
		}
		o, _ := s.object("b", "x")
		serveObject(&breaking{ResponseWriter: w, left: 70_001}, r, "x", o)
		panic(http.ErrAbortHandler)
	}
	f, err := st.Download(t.Context(), "b", "x")
	if err != nil || string(f.Data) != data || broken.Load() != 4 || f.ContentType != "a/b" {
		t.Errorf("%d bytes, %d requests, %v", len(f.Data), broken.Load(), err)
	}
	broken.Store(0)
	f, err = st.Download(t.Context(), "b", "x", &storage.DownloadOptions{Offset: 1000, Length: 200_000})
	if err != nil || string(f.Data) != data[1000:201_000] {
		t.Errorf("%d bytes, %v", len(f.Data), err)
	}
	broken.Store(0)
	replaced = true
	if _, err := st.Download(t.Context(), "b", "x"); !errors.Is(err, storage.ErrChanged) {
		t.Error(err)
	}
}

// breaking writes so much, and no more.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		n, _ := b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		b.left = 0
		return n, errors.New("broken")
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func TestPartsAndBounds(t *testing.T) {
	t.Parallel()
	ranges := true
	st := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !ranges {
			r.Header.Del("Range")
		}
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Error(r.Header)
		}
		serveObject(w, r, "x", stored{contentType: "a/b", data: []byte("0123456789")})
	})
	for _, ranges = range []bool{true, false} {
		for _, tt := range []struct {
			offset, length, bound int64
			want                  string
			is                    error
		}{
			{0, 0, 0, "0123456789", nil},
			{0, 0, 10, "0123456789", nil},
			{0, 0, 9, "", storage.ErrTooLarge},
			{3, 0, 7, "3456789", nil},
			{3, 0, 6, "", storage.ErrTooLarge},
			{3, 4, 0, "3456", nil},
			{3, 4, 4, "3456", nil},
			{8, 100, 0, "89", nil},
			{9, 1, 1, "9", nil},
		} {
			f, err := st.Download(t.Context(), "b", "x", &storage.DownloadOptions{Offset: tt.offset, Length: tt.length, MaxSize: tt.bound})
			if string(f.Data) != tt.want || !errors.Is(err, tt.is) {
				t.Errorf("ranges %t, %+v: %q, %v", ranges, tt, f.Data, err)
			}
		}
	}
	var b strings.Builder
	n, err := st.DownloadTo(t.Context(), "b", "x", &b)
	if n != 10 || err != nil || b.String() != "0123456789" {
		t.Error(n, err, b.String())
	}
	r, err := st.NewReader(t.Context(), "b", "a/x")
	if err != nil || r.Name != "x" || r.Size != 10 || r.ContentType != "a/b" || r.ETag == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("a closed reader reads")
	}
}

// A body of unknown length is bounded as it comes.
func TestABoundHoldsWithoutALength(t *testing.T) {
	t.Parallel()
	st := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "0123456789")
			_ = http.NewResponseController(w).Flush()
		}
	})
	if _, err := st.Download(t.Context(), "b", "x.txt", &storage.DownloadOptions{MaxSize: 25}); !errors.Is(err, storage.ErrTooLarge) {
		t.Error(err)
	}
	f, err := st.Download(t.Context(), "b", "x.txt", &storage.DownloadOptions{MaxSize: 30})
	if len(f.Data) != 30 || err != nil || f.ContentType == "" {
		t.Error(len(f.Data), err)
	}
}

func TestAWalkFetchesPagesAsTheyAreNeeded(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	for i := range 2500 {
		s.put("b", fmt.Sprintf("a/%02d/%04d", i%20, i), "x/y", "")
	}
	s.put("b", "ab", "x/y", "no part of the folder a")
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.requests)
	}
	var paths []string
	for o, err := range st.Walk(t.Context(), "b", "/a/") {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, o.Path)
	}
	if len(paths) != 2500 || !slices.IsSorted(paths) || count() != 3 {
		t.Errorf("%d objects, %d requests", len(paths), count())
	}
	for _, err := range st.Walk(t.Context(), "b", "") {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if count() != 4 {
		t.Errorf("%d requests", count())
	}
	// All that a walk gives can be removed on the way.
	var removed int
	for o, err := range st.Walk(t.Context(), "b", "a") {
		if err != nil {
			t.Fatal(err)
		}
		got, err := st.Remove(t.Context(), "b", o.Path)
		if err != nil {
			t.Fatal(err)
		}
		removed += len(got)
	}
	if removed != 2500 {
		t.Errorf("%d removed", removed)
	}
	s.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, 403, "AccessDenied", "no")
		return true
	}
	errs := 0
	for _, err := range st.Walk(t.Context(), "b", "") {
		if errs++; !errors.Is(err, storage.ErrForbidden) {
			t.Error(err)
		}
	}
	for _, err := range st.Walk(t.Context(), "b", "a#") {
		if errs++; !errors.Is(err, storage.ErrInvalid) {
			t.Error(err)
		}
	}
	if errs != 2 {
		t.Errorf("%d errors", errs)
	}
}

func TestAnyNumberIsRemovedAndSignedInBatches(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	var paths []string
	for i := range 2001 {
		paths = append(paths, fmt.Sprint(i))
		if i%2 == 0 {
			s.put("b", fmt.Sprint(i), "x/y", "")
		}
	}
	signed, err := st.CreateSignedURLs(t.Context(), "b", paths, 60e9)
	if err != nil || len(signed) != 2001 {
		t.Fatal(len(signed), err)
	}
	for i, u := range signed {
		if u.Path != paths[i] || (u.Err == nil) != (i%2 == 0) || (u.URL != "") != (i%2 == 0) {
			t.Fatalf("%d: %+v", i, u)
		}
	}
	removed, err := st.Remove(t.Context(), "b", paths...)
	if err != nil || len(removed) != 1001 || len(s.requests) != 6 {
		t.Error(len(removed), len(s.requests), err)
	}
	for i := range 1500 {
		s.put("b", fmt.Sprint(i), "x/y", "")
	}
	requests := 0
	s.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		if requests++; requests == 2 {
			refuse(w, 500, "InternalError", "no")
			return true
		}
		return false
	}
	if removed, err := st.Remove(t.Context(), "b", paths...); err == nil || len(removed) != 1000 {
		t.Error("what was removed before an error is told", len(removed), err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b c")
	const path = "a/x y?&=.png"
	s.put("b c", path, "image/png", "data")
	const escaped = "/b%20c/a/x%20y%3F&=.png"
	for _, tt := range []struct {
		opts *storage.URLOptions
		want string
	}{
		{nil, "/object/public" + escaped},
		{&storage.URLOptions{Download: true}, "/object/public" + escaped + "?download="},
		{&storage.URLOptions{DownloadAs: "my name.txt", CacheNonce: "a&b"}, "/object/public" + escaped + "?download=my+name.txt&cacheNonce=a%26b"},
		{&storage.URLOptions{Transform: &storage.Transform{Width: 10, Height: 20, Quality: 30, Resize: "fill", Format: "origin"}}, "/render/image/public" + escaped + "?format=origin&height=20&quality=30&resize=fill&width=10"},
	} {
		if got, err := st.GetPublicURL(t.Context(), "b c", "/"+path, tt.opts); got != s.URL+tt.want || err != nil {
			t.Errorf("%s, want %s, %v", got, tt.want, err)
		}
	}
	signed, err := st.CreateSignedURL(t.Context(), "b c", path, 60e9, &storage.URLOptions{Download: true})
	if want := s.URL + "/object/sign" + escaped + "?token=" + token + "&download="; signed != want || err != nil {
		t.Errorf("%s, want %s, %v", signed, want, err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, signed, nil)
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); string(body) != "data" || resp.StatusCode != 200 {
		t.Error(resp.StatusCode, string(body))
	}
	up, err := st.CreateSignedUploadURL(t.Context(), "b c", "new", &storage.SignedUploadOptions{Upsert: true})
	if err != nil || up.Token != token || up.URL != s.URL+"/object/upload/sign/b%20c/new?token="+token {
		t.Error(up.URL, err)
	}
	if got, err := st.UploadToSignedURL(t.Context(), "b c", up.Path, up.Token, strings.NewReader("x")); err != nil || got.FullPath != "b c/new" {
		t.Error(got, err)
	}
}

func TestASignedImageHasItsOwnAddress(t *testing.T) {
	t.Parallel()
	var body string
	st := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		_, _ = io.WriteString(w, `{"signedURL":"/render/image/sign/b/a b.png?token=t"}`)
	})
	got, err := st.CreateSignedURL(t.Context(), "b", "a b.png", 1500e6, &storage.URLOptions{Transform: &storage.Transform{Width: 10}})
	if err != nil || !strings.HasSuffix(got, "/render/image/sign/b/a%20b.png?token=t") {
		t.Error(got, err)
	}
	if want := `{"expiresIn":2,"transform":{"width":10}}`; body != want {
		t.Error(body)
	}
}

func TestObjectsAreMovedAndCopied(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"Key":"c/y","Id":"7","id":"7","name":"y","metadata":{"size":3}}`)
	})
	if err := p.ours.Move(t.Context(), "b", "/x", "/y", &storage.MoveOptions{ToBucket: "c"}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(`{"bucketId":"b","destinationBucket":"c","destinationKey":"y","sourceKey":"x"}`, p.last(t).body); diff != "" {
		t.Error(diff)
	}
	o, err := p.ours.Copy(t.Context(), "b", "x", "y", &storage.CopyOptions{ToBucket: "c", Upsert: true, Metadata: map[string]any{"k": 1}})
	if err != nil || o.Path != "y" || o.Bucket != "c" || o.ID != "7" || o.Size != 3 {
		t.Errorf("%+v, %v", o, err)
	}
	got := p.last(t)
	if !strings.Contains(got.body, `"copyMetadata":false`) || got.header.Get("X-Upsert") != "true" || got.header.Get("X-Metadata") != "eyJrIjoxfQ==" {
		t.Error(got.body, got.header)
	}
	for _, tt := range []struct {
		path string
		opts *storage.PurgeOptions
		want string
	}{
		{"a b", nil, "/cdn/b/a%20b"}, {"", nil, "/cdn/b"}, {"x", &storage.PurgeOptions{TransformsOnly: true}, "/cdn/b/x?transformations=true"},
	} {
		if err := p.ours.PurgeCache(t.Context(), "b", tt.path, tt.opts); err != nil || p.last(t).uri != tt.want || p.last(t).method != "DELETE" {
			t.Error(p.last(t).uri, err)
		}
	}
}

func TestWhetherAnObjectExists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		head  int    // the status of the answer to HEAD
		info  string // the answer to the question after it, below its status
		code  int
		want  bool
		fails error
	}{
		"there":                   {head: 200, want: true},
		"not there":               {head: 400, code: 400, info: `{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}`},
		"not there, no code":      {head: 400, code: 400, info: `{"statusCode":"404","error":"Bucket not found","message":"Bucket not found"}`},
		"not there, by a 404":     {head: 404, code: 404, info: `{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}`},
		"there by now":            {head: 400, code: 200, info: `{"id":"1"}`, want: true},
		"a token that has ended":  {head: 400, code: 400, info: `{"statusCode":"403","error":"Unauthorized","message":"jwt expired","code":"InvalidJWT"}`, fails: storage.ErrUnauthorized},
		"a page of somebody else": {head: 404, code: 404, info: "<html><title>404 Not Found</title></html>", fails: storage.ErrUndefined},
		"no such path":            {head: 404, code: 404, info: `{"statusCode":404,"error":"Not Found","message":"Route not found"}`, fails: storage.ErrUndefined},
		"not allowed":             {head: 403, fails: storage.ErrForbidden},
		"a key that is refused":   {head: 401, fails: storage.ErrUnauthorized},
	} {
		st := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(tt.head)
				return
			}
			w.WriteHeader(tt.code)
			_, _ = io.WriteString(w, tt.info)
		})
		got, err := st.Exists(t.Context(), "b", "x")
		if got != tt.want || !errors.Is(err, tt.fails) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// What is no word of storage's own says nothing of the object.
func TestAWrongURLIsNoMissingObject(t *testing.T) {
	t.Parallel()
	st := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "404 page not found", http.StatusNotFound) })
	for name, call := range map[string]func() error{
		"bucket":   func() error { return second(st.GetBucket(t.Context(), "b")) },
		"info":     func() error { return second(st.Info(t.Context(), "b", "x")) },
		"download": func() error { return second(st.Download(t.Context(), "b", "x")) },
	} {
		err := call()
		if errors.Is(err, storage.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || !errors.Is(err, storage.ErrUndefined) ||
			!strings.Contains(err.Error(), "404 page not found: there is no such path; is the URL the storage's?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListsAreAskedForAgainAfterAFaultAndUploadsAreNot(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, "b")
	st := newClient(t, s.URL)
	s.put("b", "x", "a/b", "data")
	first := true
	s.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		if first {
			w.WriteHeader(http.StatusServiceUnavailable)
			first = false
			return true
		}
		return false
	}
	for name, tt := range map[string]struct {
		call  func() error
		again bool
	}{
		"list":     {func() error { return second(st.ListObjects(t.Context(), "b", "")) }, true},
		"page":     {func() error { return second(st.ListPage(t.Context(), "b")) }, true},
		"sign":     {func() error { return second(st.CreateSignedURL(t.Context(), "b", "x", 60e9)) }, true},
		"download": {func() error { return second(st.Download(t.Context(), "b", "x")) }, true},
		"upload":   {func() error { return second(st.UploadBytes(t.Context(), "b", "y", nil)) }, false},
		"remove":   {func() error { return second(st.Remove(t.Context(), "b", "y")) }, false},
		"move":     {func() error { return st.Move(t.Context(), "b", "x", "x2") }, false},
	} {
		first = true
		if err := tt.call(); (err == nil) != tt.again {
			t.Errorf("%s: %v", name, err)
		}
	}
}
