package supabasetest

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func stored(t *testing.T, s *Server, method, path string, body any, headers ...string) answer {
	t.Helper()
	return ask(t, s, method, "/storage/v1"+path, body, append([]string{bearer(s.ServiceKey)}, headers...)...)
}

func TestSeedsOfStorage(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(),
		WithObject("docs", "a/b.txt", []byte("hello"), ContentType("text/plain"), CacheControl("max-age=1"), OwnedBy("ada@example.com"), ObjectMetadata(object{"k": "v"})),
		WithBucket("docs", PublicBucket(), FileSizeLimit(10), AllowedMimeTypes("text/*")),
		WithUser("ada@example.com", ""), WithUser("bob@example.com", ""))
	a := ask(t, s, "GET", "/storage/v1/object/public/docs/a/b.txt", nil, "apikey: ").want(t, 200, "hello")
	if a.header.Get("Content-Type") != "text/plain" || a.header.Get("Cache-Control") != "max-age=1" {
		t.Errorf("headers %v", a.header)
	}
	if data, ok := s.Object("docs", "a/b.txt"); !ok || string(data) != "hello" {
		t.Errorf("%q, %v", data, ok)
	}
	if _, ok := s.Object("docs", "a"); ok {
		t.Error("a folder is an object")
	}
	for who, status := range map[string]int{"ada@example.com": 200, "bob@example.com": 400} {
		token, err := s.UserToken(who)
		if err != nil {
			t.Fatal(err)
		}
		ask(t, s, "GET", "/storage/v1/object/info/docs/a/b.txt", nil, bearer(token)).want(t, status)
		ask(t, s, "GET", "/storage/v1/bucket", nil, bearer(token)).want(t, 200, "[]")
	}
	stored(t, s, "POST", "/object/docs/c.txt", "12345678901", "Content-Type: text/plain").want(t, 400, "EntityTooLarge")
	stored(t, s, "POST", "/object/docs/c.png", "1", "Content-Type: image/png").want(t, 400, "InvalidMimeType")
	stored(t, s, "POST", "/object/docs/c.txt", "1", "Content-Type: TEXT/html; charset=utf-8").want(t, 200)

	for name, opt := range map[string]Option{
		"no bucket": WithObject("x", "a", nil), "bad name": WithBucket("a/b"), "nobody": WithObject("docs", "x", nil, OwnedBy("nobody@example.com")),
		"no policy": WithStoragePolicy(nil), "no size": WithMaxUpload(0), "bad key": WithObject("docs", "é", nil),
	} {
		if s, err := Start(WithoutPort(), WithBucket("docs"), opt); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStoragePolicy(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs"), WithUser("ada@example.com", ""),
		WithObject("docs", "shared/a", []byte("a")), WithObject("docs", "b", []byte("b")),
		WithStoragePolicy(func(a StorageAccess) bool {
			return a.Operation == Select && (a.Name == "" || strings.HasPrefix(a.Name, "shared/")) && a.Role == "anon"
		}))
	get := func(path string) answer { return ask(t, s, "GET", "/storage/v1"+path, nil, bearer(s.AnonKey)) }
	get("/object/docs/shared/a").want(t, 200)
	get("/object/docs/b").want(t, 400, "NoSuchKey")
	get("/bucket/docs").want(t, 200)
	ask(t, s, "POST", "/storage/v1/object/docs/shared/c", "c", bearer(s.AnonKey)).want(t, 400, "row-level security")
	ask(t, s, "DELETE", "/storage/v1/bucket/docs", nil, bearer(s.AnonKey)).want(t, 400, "NoSuchBucket")
	ask(t, s, "POST", "/storage/v1/object/list/docs", object{"prefix": ""}, bearer(s.AnonKey)).want(t, 200, `"name":"shared"`)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs"), WithObject("docs", "a", []byte("0123456789")), WithObject("docs", "empty", nil))
	for _, test := range []struct {
		value  string
		status int
		body   string
	}{
		{"bytes=2-4", 206, "234"},
		{"bytes=8-", 206, "89"},
		{"bytes=-3", 206, "789"},
		{"bytes=-30", 206, "0123456789"},
		{"bytes=5-500", 206, "56789"},
		{"bytes=4-2", 200, "0123456789"},
		{"bytes=0-1,3-4", 200, "0123456789"},
		{"lines=1-2", 200, "0123456789"},
		{"bytes=10-", 400, "InvalidRange"},
		{"bytes=-0", 400, "InvalidRange"},
	} {
		a := stored(t, s, "GET", "/object/docs/a", nil, "Range: "+test.value).want(t, test.status)
		if test.status != 400 && a.body != test.body || test.status == 400 && !strings.Contains(a.body, test.body) {
			t.Errorf("%s: %q, want %q", test.value, a.body, test.body)
		}
	}
	stored(t, s, "GET", "/object/docs/empty", nil).want(t, 200)
	stored(t, s, "HEAD", "/object/docs/a", nil, "Range: bytes=0-1").want(t, 206)
	a := stored(t, s, "GET", "/object/docs/a", nil, "If-Modified-Since: "+s.Now().UTC().Format(http.TimeFormat)).want(t, 304)
	stored(t, s, "GET", "/object/docs/a", nil, "If-None-Match: \"x\", "+a.header.Get("Etag")).want(t, 304)
	stored(t, s, "GET", "/object/docs/a", nil, `If-None-Match: "x"`).want(t, 200)
}

func TestListsInPages(t *testing.T) {
	t.Parallel()
	opts := []Option{WithoutPort(), WithBucket("docs")}
	for _, name := range []string{"a", "b/1", "b/2", "c", "d/x/y", "e"} {
		opts = append(opts, WithObject("docs", name, []byte(name)))
	}
	s := NewServer(t, opts...)
	for _, delimiter := range []bool{true, false} {
		var got []string
		body := object{"prefix": "", "limit": 2, "with_delimiter": delimiter}
		for {
			a := stored(t, s, "POST", "/object/list-v2/docs", body).want(t, 200)
			var names []string
			for _, kind := range []string{"folders", "objects"} {
				for _, e := range a.at(kind).([]any) {
					names = append(names, e.(object)["name"].(string))
				}
			}
			got = append(got, names...)
			if a.at("hasNext") != true {
				break
			}
			if len(names) != 2 {
				t.Fatalf("a page of %d", len(names))
			}
			body["cursor"] = a.text("nextCursor")
			if _, ok := s.Object("docs", a.text("nextCursorKey")); ok && delimiter {
				stored(t, s, "DELETE", "/object/docs/"+a.text("nextCursorKey"), nil).want(t, 200) // what the cursor names may go
			}
		}
		want := "b/ a d/ c e"
		if !delimiter {
			want = "a b/1 b/2 c d/x/y e"
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("delimiter %v: %s, want %s", delimiter, text, want)
		}
	}
	stored(t, s, "POST", "/object/list-v2/docs", object{"cursor": "x"}).want(t, 400)
	stored(t, s, "POST", "/object/list/docs", object{"prefix": "b", "sortBy": object{"column": "created_at", "order": "desc"}, "search": "2"}).want(t, 200, `"name":"2"`)
	stored(t, s, "POST", "/object/list/docs", object{"prefix": "", "limit": "x"}).want(t, 400, "body/limit must be integer")
	stored(t, s, "POST", "/object/list/docs", "nonsense").want(t, 400)
}

func tusCreate(t *testing.T, s *Server, path string, headers ...string) answer {
	t.Helper()
	b64 := base64.StdEncoding.EncodeToString
	meta := "Upload-Metadata: bucketName " + b64([]byte("docs")) + ",objectName " + b64([]byte("a.bin")) + ",metadata " + b64([]byte(`{"k":"v"}`))
	return ask(t, s, "POST", "/storage/v1/upload/resumable"+path, nil, append([]string{"Tus-Resumable: 1.0.0", meta}, headers...)...)
}

func TestResumableUploads(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs", FileSizeLimit(20)), WithStorageFolder(t.TempDir()), WithUser("ada@example.com", ""), WithUser("bob@example.com", ""))
	token := func(who string) string {
		tok, err := s.UserToken(who)
		if err != nil {
			t.Fatal(err)
		}
		return bearer(tok)
	}
	ada, bob := token("ada@example.com"), token("bob@example.com")
	tusCreate(t, s, "", ada).want(t, 400, "Upload-Length")
	tusCreate(t, s, "", ada, "Upload-Length: 21").want(t, 413)
	tusCreate(t, s, "", "Upload-Length: 10").want(t, 400) // the answers of an upload are texts, this one too
	tusCreate(t, s, "", bearer(s.AnonKey), "Upload-Length: 10").want(t, 403)
	tusCreate(t, s, "", ada, "Upload-Length: 10", "Tus-Resumable: ").want(t, 412)

	a := tusCreate(t, s, "", ada, "Upload-Defer-Length: 1").want(t, 201)
	at := strings.TrimPrefix(a.header.Get("Location"), s.URL)
	patch := func(who, offset, body string, headers ...string) answer {
		return ask(t, s, "PATCH", at, body, append([]string{
			who, "Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream", "Upload-Offset: " + offset,
		}, headers...)...)
	}
	patch(bob, "0", "01234").want(t, 403)
	patch(ada, "0", "01234", "Content-Type: text/plain").want(t, 403)
	patch(ada, "x", "01234").want(t, 403)
	patch(ada, "0", "01234").want(t, 204)
	patch(ada, "0", "01234").want(t, 409)
	patch(ada, "5", strings.Repeat("x", 16)).want(t, 413)
	patch(ada, "5", "56789", "Upload-Length: 3").want(t, 400)
	if got := ask(t, s, "HEAD", at, nil, ada, "Tus-Resumable: 1.0.0").want(t, 200); got.header.Get("Upload-Offset") != "5" || got.header.Get("Upload-Defer-Length") != "1" {
		t.Errorf("headers %v", got.header)
	}
	if got := patch(ada, "5", "56789", "Upload-Length: 10").want(t, 204); got.header.Get("Tus-Complete") != "1" {
		t.Errorf("headers %v", got.header)
	}
	if data, ok := s.Object("docs", "a.bin"); !ok || string(data) != "0123456789" {
		t.Errorf("%q, %v", data, ok)
	}
	ask(t, s, "GET", "/storage/v1/object/info/docs/a.bin", nil, ada).want(t, 200, `"k":"v"`)
	tusCreate(t, s, "", ada, "Upload-Length: 10").want(t, 409)
	tusCreate(t, s, "", bob, "Upload-Length: 10", "X-Upsert: true").want(t, 403)

	// Given up, and too old.
	a = tusCreate(t, s, "", ada, "Upload-Length: 10", "X-Upsert: true").want(t, 201)
	at = strings.TrimPrefix(a.header.Get("Location"), s.URL)
	ask(t, s, "DELETE", at, nil, ada, "Tus-Resumable: 1.0.0").want(t, 204)
	patch(ada, "0", "0").want(t, 404)
	a = tusCreate(t, s, "", bearer(s.ServiceKey), "Upload-Length: 10", "X-Upsert: true").want(t, 201)
	at = strings.TrimPrefix(a.header.Get("Location"), s.URL)
	s.Advance(25 * time.Hour)
	patch(bearer(s.ServiceKey), "0", "0").want(t, 410)
}

func TestSignedResumableUploads(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs"))
	signed := stored(t, s, "POST", "/object/upload/sign/docs/a.bin", nil).want(t, 200).text("token")
	tusCreate(t, s, "/sign", "Upload-Length: 0").want(t, 400)
	a := tusCreate(t, s, "/sign", "Upload-Length: 3", "X-Signature: "+signed).want(t, 201)
	at := strings.TrimPrefix(a.header.Get("Location"), s.URL)
	part := []string{"Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream", "Upload-Offset: 0"}
	ask(t, s, "PATCH", at, "abc", part...).want(t, 400)
	ask(t, s, "PATCH", at, "abc", append(part, "X-Signature: "+signed)...).want(t, 204)
	if data, _ := s.Object("docs", "a.bin"); string(data) != "abc" {
		t.Errorf("%q", data)
	}
	tusCreate(t, s, "/sign", "Upload-Length: 3", "X-Signature: "+signed).want(t, 409)
	stored(t, s, "POST", "/object/upload/sign/docs/a.bin", nil).want(t, 400, "KeyAlreadyExists")
	again := stored(t, s, "POST", "/object/upload/sign/docs/a.bin", nil, "X-Upsert: true").want(t, 200).text("token")
	// Created with its whole body.
	tusCreate(t, s, "/sign", "Upload-Length: 0", "X-Signature: "+again).want(t, 201)
	if data, ok := s.Object("docs", "a.bin"); !ok || len(data) != 0 {
		t.Errorf("%q", data)
	}
	s.Advance(3 * time.Hour)
	ask(t, s, "PUT", "/storage/v1/object/upload/sign/docs/a.bin?token="+again, "x").want(t, 400, "InvalidJWT")
}

func TestObjectsInAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := NewServer(t, WithoutPort(), WithStorageFolder(dir), WithBucket("docs"), WithBucket("other"))
	count := func(want int) {
		t.Helper()
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != want {
			t.Errorf("%d files, want %d (%v)", len(files), want, err)
		}
	}
	stored(t, s, "POST", "/object/docs/..%2F..%2Fa", "one").want(t, 200) // a name like any other
	count(1)
	stored(t, s, "POST", "/object/docs/..%2F..%2Fa", "two", "X-Upsert: true").want(t, 200)
	count(1)
	stored(t, s, "POST", "/object/copy", object{"bucketId": "docs", "sourceKey": "../../a", "destinationBucket": "other", "destinationKey": "b"}).want(t, 200)
	count(2)
	stored(t, s, "POST", "/object/copy", object{"bucketId": "docs", "sourceKey": "../../a", "destinationKey": "../../a"}, "X-Upsert: true").want(t, 200)
	count(2)
	stored(t, s, "POST", "/object/move", object{"bucketId": "other", "sourceKey": "b", "destinationBucket": "docs", "destinationKey": "b"}).want(t, 200)
	count(2)
	stored(t, s, "GET", "/object/docs/b", nil).want(t, 200, "two")
	stored(t, s, "POST", "/object/docs/c", "x", "Content-Type: nonsense").want(t, 400)
	stored(t, s, "POST", "/bucket/docs/empty", nil).want(t, 200)
	count(0)
}

func TestImages(t *testing.T) {
	t.Parallel()
	picture := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for x := range 40 {
		for y := range 20 {
			picture.Set(x, y, color.NRGBA{R: 200, A: uint8(255 * (x / 20))}) // the right half shows
		}
	}
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		t.Fatal(err)
	}
	s := NewServer(t, WithoutPort(), WithBucket("docs", PublicBucket()), WithObject("docs", "a.png", data.Bytes()), WithObject("docs", "text", []byte("hello")),
		WithObject("docs", "a.webp", []byte("RIFF\x00\x00\x00\x00WEBPVP8 ")))
	for query, want := range map[string]image.Point{
		"width=10":                          image.Pt(10, 5),
		"height=10":                         image.Pt(20, 10),
		"width=10&height=10":                image.Pt(10, 10),
		"width=10&height=10&resize=contain": image.Pt(10, 5),
		"width=10&height=20&resize=fill":    image.Pt(10, 20),
		"width=2000":                        image.Pt(40, 20),
		"quality=50":                        image.Pt(40, 20),
	} {
		a := ask(t, s, "GET", "/storage/v1/render/image/public/docs/a.png?"+query, nil, "apikey: ").want(t, 200)
		made, err := png.Decode(strings.NewReader(a.body))
		if err != nil || a.header.Get("Content-Type") != "image/png" {
			t.Fatalf("%s: %v, %v", query, err, a.header)
		}
		if got := made.Bounds().Size(); got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		b := made.Bounds()
		if _, _, _, alpha := made.At(b.Min.X, b.Min.Y).RGBA(); alpha != 0 {
			t.Errorf("%s: the left half shows", query)
		}
		if r, _, _, alpha := made.At(b.Max.X-1, b.Max.Y-1).RGBA(); alpha != 0xffff || r>>8 != 200 {
			t.Errorf("%s: the right half is another", query)
		}
	}
	for query, status := range map[string]int{"width=3000": 400, "width=x": 400, "quality=1": 400, "resize=y": 400} {
		ask(t, s, "GET", "/storage/v1/render/image/public/docs/a.png?"+query, nil).want(t, status, "InvalidRequest")
	}
	ask(t, s, "GET", "/storage/v1/render/image/public/docs/text?width=1", nil).want(t, 400, "no image")
	ask(t, s, "GET", "/storage/v1/render/image/public/docs/a.webp?width=1", nil).want(t, 501, "image transformations of image/webp")
	signed := stored(t, s, "POST", "/object/sign/docs/a.png", object{"expiresIn": 60, "transform": object{"width": 8}}).want(t, 200).text("signedURL")
	a := ask(t, s, "GET", "/storage/v1"+signed+"&width=4", nil, "apikey: ").want(t, 200) // what was signed counts
	if made, err := png.Decode(strings.NewReader(a.body)); err != nil || made.Bounds().Dx() != 8 {
		t.Errorf("%v", err)
	}
	ask(t, s, "GET", "/storage/v1"+strings.Replace(signed, "/render/image/", "/object/", 1), nil, "apikey: ").want(t, 400, "InvalidSignature")
}

// A part that hangs is cut off by the client's next request, which learns what of it arrived.
func TestAPartThatHangs(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithBucket("docs"))
	for name, client := range clients(t, s) {
		a := tusCreate(t, s, "", bearer(s.ServiceKey), "Upload-Length: 6", "X-Upsert: true").want(t, 201)
		body, feed := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, a.header.Get("Location"), body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 6
		for _, h := range [][2]string{{"Authorization", "Bearer " + s.ServiceKey}, {"Tus-Resumable", "1.0.0"}, {"Content-Type", "application/offset+octet-stream"}, {"Upload-Offset", "0"}} {
			r.Header.Set(h[0], h[1])
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if res, err := client.Do(r); err == nil {
				_ = res.Body.Close()
				if res.StatusCode != http.StatusLocked {
					t.Errorf("%s: the part that was cut off: %d", name, res.StatusCode)
				}
			}
		}()
		if _, err := feed.Write([]byte("012")); err != nil {
			t.Fatal(err)
		}
		at := strings.TrimPrefix(a.header.Get("Location"), s.URL)
		offset, cut := "", false
		for offset != "3" && !cut { // the part, or its bytes, may still be on their way
			select {
			case <-done: // by the question before, without a byte
				cut = true
			default:
			}
			offset = ask(t, s, "HEAD", at, nil, bearer(s.ServiceKey), "Tus-Resumable: 1.0.0").want(t, 200).header.Get("Upload-Offset")
		}
		_ = feed.Close()
		<-done
		patch := func(offset, body string) answer {
			return ask(t, s, "PATCH", at, body, bearer(s.ServiceKey), "Tus-Resumable: 1.0.0", "Content-Type: application/offset+octet-stream", "Upload-Offset: "+offset)
		}
		n := map[string]int{"0": 0, "3": 3}[offset]
		patch(offset, "012345"[n:]).want(t, 204)
		patch("6", "").want(t, 204) // the client missed the answer
		patch("6", "6").want(t, 404)
		if data, _ := s.Object("docs", "a.bin"); string(data) != "012345" {
			t.Errorf("%s: %q", name, data)
		}
	}
}
