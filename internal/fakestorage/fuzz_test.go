package fakestorage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// Whatever is asked, the service answers, and never with its own fault.
func FuzzRequests(f *testing.F) {
	keys := fakejwt.New([]byte("secret"))
	token, err := keys.SignSecret(map[string]any{"role": "service_role"}, "JWT")
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range [][5]string{
		{"GET", "/object/docs/a", "", "Range", "bytes=0-1"},
		{"GET", "/object/docs/a", "", "Range", "bytes=-0"},
		{"POST", "/object/docs/b", "x", "Content-Type", "multipart/form-data; boundary=x"},
		{"POST", "/object/list/docs", `{"prefix":"","offset":-1}`, "X", ""},
		{"POST", "/object/list-v2/docs", `{"cursor":"bDph","limit":1}`, "X", ""},
		{"POST", "/object/sign/docs/a", `{"expiresIn":9223372036854775807}`, "X", ""},
		{"POST", "/bucket", `{"name":"x","file_size_limit":"9e99GB"}`, "X", ""},
		{"PUT", "/bucket/docs", `{"file_size_limit":-1}`, "X", ""},
		{"POST", "/object/copy", `{"bucketId":"docs","sourceKey":"a","destinationKey":"b","copyMetadata":false,"metadata":{}}`, "X", ""},
		{"POST", "/upload/resumable", "", "Upload-Metadata", "bucketName ZG9jcw==,objectName YQ=="},
		{"DELETE", "/object/docs", `{"prefixes":[null]}`, "X", ""},
	} {
		f.Add(r[0], r[1], r[2], r[3], r[4])
	}
	f.Fuzz(func(t *testing.T, method, path, body, name, value string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://project.test/", strings.NewReader(body))
		if err != nil || strings.ContainsAny(value, "\r\n\x00") || !strings.HasPrefix(path, "/") {
			return
		}
		r.URL.Path = path
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Tus-Resumable", tusVersion)
		r.Header.Set("Upload-Length", "0")
		r.Header.Set(name, value)
		s := New(Config{Keys: keys, URL: "http://project.test"})
		if err := s.AddBucket(NewBucket{Name: "docs"}); err != nil {
			t.Fatal(err)
		}
		if err := s.AddObject(NewObject{Bucket: "docs", Name: "a", Data: []byte("0123")}); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", method, path, w.Body)
		}
	})
}
