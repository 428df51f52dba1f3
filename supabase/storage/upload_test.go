package storage_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/streamconn/streamconn/supabase/storage"
)

// The key of the tests; it has the form of a JWT.
const anonKey = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"

func newClient(t testing.TB, baseURL string, opts ...storage.Option) *storage.Client {
	t.Helper()
	c, err := storage.New(baseURL, append([]storage.Option{storage.WithKey(anonKey)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t testing.TB, h http.HandlerFunc) *storage.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newClient(t, srv.URL, storage.WithRetry(storage.Retry{Disabled: true}))
}

func TestWhatIsUploadedIsDownloaded(t *testing.T) {
	t.Parallel()
	var stored, contentType string
	st := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, stored)
			return
		}
		body, _ := io.ReadAll(r.Body)
		stored, contentType = string(body), r.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"Key":"reports/a b.csv","Id":"7"}`)
	})
	got, err := st.UploadBytes(t.Context(), "reports", "/a b.csv", []byte("x,y\n"))
	if want := (storage.UploadResult{ID: "7", Path: "a b.csv", FullPath: "reports/a b.csv"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	file, err := st.Download(t.Context(), "reports", "a b.csv")
	if err != nil || file.Name != "a b.csv" || file.ContentType != "text/csv" || string(file.Data) != "x,y\n" {
		t.Errorf("%+v, %v", file, err)
	}
}
