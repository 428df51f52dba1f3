package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	storage_go "github.com/supabase-community/storage-go"

	"github.com/streamconn/streamconn/supabase/storage"
)

// The known defects of the community's module, storage-go v0.8.1, by their numbers. Each test runs
// one scenario against that module, which must show the defect, and against this one, which must not.
// A release that mends one is noticed so.

// pair is both clients on one server.
type pair struct {
	url    string
	theirs *storage_go.Client
	ours   *storage.Client

	mu  sync.Mutex
	got []*request
}

// request is one that arrived.
type request struct {
	method, uri string
	header      http.Header
	length      int64
	body        string
}

func both(t *testing.T, h http.HandlerFunc) *pair {
	t.Helper()
	p := &pair{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.got = append(p.got, &request{r.Method, r.RequestURI, r.Header.Clone(), r.ContentLength, string(body)})
		p.mu.Unlock()
		if h != nil {
			h(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"Key":"b/a.txt","Id":"7"}`)
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	p.theirs = storage_go.NewClient(srv.URL, anonKey, map[string]string{"apikey": anonKey})
	p.ours = newClient(t, srv.URL, storage.WithRetry(storage.Retry{Disabled: true}))
	return p
}

// last is the request that arrived last.
func (p *pair) last(t *testing.T) *request {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		t.Fatal("nothing arrived")
	}
	return p.got[len(p.got)-1]
}

// defect says what a scenario with their client must have shown.
func defect(t *testing.T, shown bool, got any) {
	t.Helper()
	if !shown {
		t.Errorf("storage-go has changed, this defect is not shown any more: %v", got)
	}
}

var testTime = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func data() io.Reader { return strings.NewReader("data") }

func TestDefectS01_OptionsOfOneUploadStayForAllThatFollow(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	_, _ = p.theirs.UploadFile("b", "a.txt", data(), storage_go.FileOptions{Upsert: new(true), CacheControl: new("60")})
	_, _ = p.theirs.UploadFile("b", "a.txt", data())
	h := p.last(t).header
	defect(t, h.Get("X-Upsert") == "true" && h.Get("Cache-Control") == "60", h)

	_, _ = p.ours.Upload(t.Context(), "b", "a.txt", data(), &storage.UploadOptions{Upsert: true, CacheControl: "60", Headers: http.Header{"X-Mine": {"1"}}})
	if _, err := p.ours.Upload(t.Context(), "b", "a.txt", data()); err != nil {
		t.Error(err)
	}
	if h := p.last(t).header; h.Get("X-Upsert") != "false" || h.Get("Cache-Control") != "max-age=3600" || h.Get("X-Mine") != "" {
		t.Error(h)
	}
}

// Running theirs on more than one goroutine would end this process: fatal error: concurrent map
// writes. That the map is shared is what it takes.
func TestDefectS01_ConcurrentUploadsShareTheirHeaders(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	transport := reflect.ValueOf(p.theirs).Elem().FieldByName("clientTransport").FieldByName("header")
	_, _ = p.theirs.UploadFile("b", "a.txt", data(), storage_go.FileOptions{Upsert: new(true)})
	defect(t, transport.Kind() == reflect.Map && transport.MapIndex(reflect.ValueOf("X-Upsert")).IsValid(), transport)

	// Ours: TestConcurrentUploadsAreStoredAsEachIs.
}

func TestConcurrentUploadsAreStoredAsEachIs(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	kinds := []struct{ ext, contentType string }{
		{"png", "image/png"},
		{"csv", "text/csv"},
		{"json", "application/json"},
		{"pdf", "application/pdf"},
		{"", "text/plain; charset=utf-8"},
		{"own", "x/own"},
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			kind := kinds[i%len(kinds)]
			o := &storage.UploadOptions{CacheControl: fmt.Sprint(i), Upsert: i%3 == 0, Metadata: map[string]any{"i": i}}
			if kind.ext == "own" {
				o.ContentType = kind.contentType
			}
			upload := st.Upload
			if i%4 == 3 {
				upload = st.UploadResumable
			}
			if _, err := upload(t.Context(), "b", fmt.Sprintf("%d.%s", i, kind.ext), onlyReader{strings.NewReader(fmt.Sprintf("%d data", i))}, o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 64 {
		kind := kinds[i%len(kinds)]
		o, _ := s.object("b", fmt.Sprintf("%d.%s", i, kind.ext))
		if o.contentType != kind.contentType || o.cacheControl != fmt.Sprintf("max-age=%d", i) || o.upsert != fmt.Sprint(i%3 == 0) ||
			string(o.data) != fmt.Sprintf("%d data", i) || string(o.metadata) != fmt.Sprintf(`{"i":%d}`, i) {
			t.Errorf("%d: %s, %s, upsert %s, %q, %s", i, o.contentType, o.cacheControl, o.upsert, o.data, o.metadata)
		}
	}
}

func TestDefectS02_SignedUploadsAreAllPlainTextAndSoIsWhatFollows(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	_, _ = p.theirs.UploadToSignedUrl("/object/upload/sign/b/a.png?token=t", data())
	first := p.last(t).header["Content-Type"]
	_, _ = p.theirs.MoveFile("b", "x", "y")
	then := p.last(t).header["Content-Type"]
	defect(t, strings.Join(first, "") == "text/plain;charset=UTF-8" && strings.Join(then, "") == "text/plain;charset=UTF-8", []any{first, then})

	_, _ = p.ours.UploadToSignedURL(t.Context(), "b", "a.png", "t", data())
	first = p.last(t).header["Content-Type"]
	_ = p.ours.Move(t.Context(), "b", "x", "y")
	then = p.last(t).header["Content-Type"]
	if strings.Join(first, "") != "image/png" || strings.Join(then, "") != "application/json" {
		t.Error(first, then)
	}
}

func TestDefectS03_UploadsAreStoredAsJSONAndCachedByHalfAHeader(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	_, _ = p.theirs.UploadFile("b", "a.png", data(), storage_go.FileOptions{CacheControl: new("60")})
	h := p.last(t).header
	defect(t, h.Get("Content-Type") == "application/json" && h.Get("Cache-Control") == "60", h)

	_, _ = p.ours.Upload(t.Context(), "b", "a.png", data(), &storage.UploadOptions{CacheControl: "60"})
	if h := p.last(t).header; h.Get("Content-Type") != "image/png" || h.Get("Cache-Control") != "max-age=60" {
		t.Error(h)
	}
	_, _ = p.ours.Upload(t.Context(), "b", "noext", strings.NewReader("%PDF-1.7 …"))
	if h := p.last(t).header; h.Get("Content-Type") != "application/pdf" {
		t.Error(h)
	}
}

func TestDefectS04_ErrorsHaveNoStatusNoCodeAndSometimesNoText(t *testing.T) {
	t.Parallel()
	page := false
	p := both(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		if page {
			_, _ = io.WriteString(w, "<html><title>502 Bad Gateway</title></html>")
			return
		}
		_, _ = io.WriteString(w, `{"statusCode":"404","error":"not_found","message":"Object not found","code":"NoSuchKey"}`)
	})
	_, err := p.theirs.DownloadFile("b", "a")
	var theirs *storage_go.StorageError
	defect(t, errors.As(err, &theirs) && theirs.Status == 0, err)
	page = true
	_, err = p.theirs.DownloadFile("b", "a")
	defect(t, err != nil && err.Error() == "", err)

	_, err = p.ours.Download(t.Context(), "b", "a")
	if e, ok := errors.AsType[*storage.Error](err); !ok || e.Status != 400 || e.Message != "502 Bad Gateway" {
		t.Error(err)
	}
	page = false
	_, err = p.ours.Download(t.Context(), "b", "a")
	if e, ok := errors.AsType[*storage.Error](err); !ok || e.Status != 404 || e.Code != "NoSuchKey" || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDefectS05_NothingEndsARequestAndTheTransportIsFixed(t *testing.T) {
	t.Parallel()
	var hang bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := both(t, func(_ http.ResponseWriter, r *http.Request) {
		if hang {
			cancel()
			<-r.Context().Done()
		}
	})
	// Their requests have context.Background, and their transport has no field for another.
	download, _ := reflect.TypeFor[*storage_go.Client]().MethodByName("DownloadFile")
	withContext := false
	for in := range download.Type.Ins() {
		withContext = withContext || in == reflect.TypeFor[context.Context]()
	}
	transport, _ := reflect.TypeFor[storage_go.Client]().FieldByName("clientTransport")
	defect(t, !withContext && transport.Type.NumField() == 2, transport.Type)

	hang = true
	if _, err := p.ours.Download(ctx, "b", "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	used := false
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		used = true
		return nil, errors.New("no network")
	})}
	st := newClient(t, p.url, storage.WithHTTPClient(client), storage.WithRetry(storage.Retry{Disabled: true}))
	if _, err := st.Download(t.Context(), "b", "a"); err == nil || !used {
		t.Error(err, used)
	}
}

// roundTripper is a transport that is a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDefectS06_TwoContentTypesAreSent(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	req, err := p.theirs.NewRequest(http.MethodPost, p.url+"/object/b/a.png")
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/png")
	if resp, err := p.theirs.Do(req, nil); err == nil {
		_ = resp.Body.Close()
	}
	got := p.last(t).header["Content-Type"]
	defect(t, len(got) == 2, got)

	_, _ = p.ours.Upload(t.Context(), "b", "a.png", data(), &storage.UploadOptions{Headers: http.Header{"content-type": {"image/x"}}})
	if got := p.last(t).header["Content-Type"]; len(got) != 1 || got[0] != "image/x" {
		t.Error(got)
	}
}

func TestDefectS07_ARedirectTakesTheKeyElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := both(t, nil)
	to := strings.Replace(elsewhere.url, "127.0.0.1", "localhost", 1) // another host
	p := both(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })
	_, _ = p.theirs.ListBuckets()
	h := elsewhere.last(t).header
	defect(t, h.Get("Authorization") == "Bearer "+anonKey && h.Get("Apikey") == anonKey, h)

	elsewhere.got = nil
	if _, err := p.ours.ListBuckets(t.Context()); err == nil || len(elsewhere.got) > 0 {
		t.Error(err, elsewhere.got)
	}
}

func TestDefectS08_TypesLackWhatTheServerSays(t *testing.T) {
	t.Parallel()
	body := `{"id":"b","name":"b","allowed_mime_types":["image/png"],"file_size_limit":5}`
	p := both(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/object/b"):
			_, _ = io.WriteString(w, `[{"name":"a.txt","id":"7","metadata":{"size":4}}]`)
		default:
			_, _ = io.WriteString(w, body)
		}
	})
	bucket, err := p.theirs.GetBucket("b")
	defect(t, err == nil && bucket.AllowedMimeTypes == nil, bucket)
	removed, err := p.theirs.RemoveFile("b", []string{"a.txt"})
	defect(t, err == nil && len(removed) == 1 && removed[0].Key == "", removed)
	_, _ = p.theirs.EmptyBucket("b")
	defect(t, strings.TrimSpace(p.last(t).body) == `"e30="`, p.last(t).body)
	_, _ = p.theirs.UpdateBucket("b", storage_go.BucketOptions{})
	defect(t, !strings.Contains(p.last(t).body, "null"), p.last(t).body)

	ours, err := p.ours.GetBucket(t.Context(), "b")
	if err != nil || len(ours.AllowedMIMETypes) != 1 || ours.FileSizeLimit != 5 {
		t.Errorf("%+v, %v", ours, err)
	}
	objects, err := p.ours.Remove(t.Context(), "b", "a.txt")
	if err != nil || len(objects) != 1 || objects[0].Path != "a.txt" || objects[0].ID != "7" || objects[0].Size != 4 {
		t.Errorf("%+v, %v", objects, err)
	}
	if err := p.ours.EmptyBucket(t.Context(), "b"); err != nil || p.last(t).body != "" {
		t.Error(p.last(t).body, err)
	}
	for _, tt := range []struct {
		update storage.BucketUpdate
		body   string
	}{
		{storage.BucketUpdate{FileSizeLimit: new(int64(0))}, `{"file_size_limit":null}`},
		{storage.BucketUpdate{AllowedMIMETypes: &[]string{}}, `{"allowed_mime_types":null}`},
		{storage.BucketUpdate{Public: new(false)}, `{"public":false}`},
	} {
		if err := p.ours.UpdateBucket(t.Context(), "b", tt.update); err != nil || p.last(t).body != tt.body {
			t.Error(p.last(t).body, err)
		}
	}
}

func TestDefectS09_PathsAreNotEscaped(t *testing.T) {
	t.Parallel()
	p := both(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	got, err := p.theirs.DownloadFile("b", "a#b.png")
	defect(t, err == nil && string(got) == "/object/b/a", string(got))
	got, err = p.theirs.DownloadFile("b", "../../bucket")
	defect(t, err == nil && string(got) == "/bucket", string(got))
	got, err = p.theirs.DownloadFile("b", "100%.png")
	defect(t, err == nil && string(got) == "/", string(got))
	link := p.theirs.GetPublicUrl("b", "100%.png").SignedURL
	defect(t, link == "", link)
	link = p.theirs.GetPublicUrl("b", "/a///b.png", storage_go.UrlOptions{Download: true, Transform: &storage_go.TransformOptions{Resize: "cover"}}).SignedURL
	defect(t, strings.HasSuffix(link, "/b//a///b.png?download=true"), link)

	for _, path := range []string{"a#b.png", "../../bucket", "100%.png"} {
		if _, err := p.ours.Download(t.Context(), "b", path); !errors.Is(err, storage.ErrInvalid) {
			t.Error(path, err)
		}
		if _, err := p.ours.GetPublicURL(t.Context(), "b", path); !errors.Is(err, storage.ErrInvalid) {
			t.Error(path, err)
		}
	}
	f, err := p.ours.Download(t.Context(), "b", "/a b?c&d=e+f/@$;:,'!*().png")
	if want := "/object/b/a%20b%3Fc&d=e+f/@$%3B:%2C%27%21%2A%28%29.png"; err != nil || !samePath(string(f.Data), want) || strings.Contains(string(f.Data), "?") {
		t.Error(string(f.Data), err)
	}
	url, err := p.ours.GetPublicURL(t.Context(), "b", "/a///b c.png", &storage.URLOptions{Download: true, Transform: &storage.Transform{Resize: "cover"}})
	if want := p.url + "/render/image/public/b/a/b%20c.png?resize=cover&download="; url != want || err != nil {
		t.Error(url, err)
	}
}

func TestDefectS10_ABrokenAddressIsNoErrorAndThenAPanic(t *testing.T) {
	t.Parallel()
	panicked := func() (r any) {
		defer func() { r = recover() }()
		_, _ = storage_go.NewClient("://", "", nil).UploadFile("b", "a", data(), storage_go.FileOptions{Upsert: new(true)})
		return nil
	}()
	defect(t, panicked != nil, "no panic")

	for _, address := range []string{"://", "", "ftp://x", "https://", "https://user:hunter2@x", "https://x?y"} {
		if _, err := storage.New(address); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Error(address, err)
		}
	}
}

func TestDefectS11_TheLengthOfAnUploadIsHidden(t *testing.T) {
	t.Parallel()
	p := both(t, nil)
	_, _ = p.theirs.UploadFile("b", "a.txt", data())
	defect(t, p.last(t).length == -1, p.last(t).length)

	if _, err := p.ours.Upload(t.Context(), "b", "a.txt", data()); err != nil || p.last(t).length != 4 {
		t.Error(p.last(t).length, err)
	}
}

func TestDefectS12_MuchIsNotToBeHad(t *testing.T) {
	t.Parallel()
	theirs := reflect.TypeFor[*storage_go.Client]()
	for _, name := range []string{"Info", "FileExists", "Copy", "CopyFile", "ListV2", "CreateSignedUrls", "DownloadStream", "UploadResumable"} {
		_, has := theirs.MethodByName(name)
		defect(t, !has, name)
	}
	ours := reflect.TypeFor[*storage.Client]()
	for _, name := range []string{
		"Info", "Exists", "Copy", "ListPage", "Walk", "CreateSignedURLs", "NewReader", "DownloadTo", "UploadResumable", "PurgeCache", "FS", "UploadFile",
	} {
		if _, has := ours.MethodByName(name); !has {
			t.Error(name)
		}
	}
	st := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x", testTime, strings.NewReader("0123456789"))
	})
	f, err := st.Download(t.Context(), "b", "a", &storage.DownloadOptions{Offset: 2, Length: 3})
	if string(f.Data) != "234" || err != nil {
		t.Error(string(f.Data), err)
	}
}
