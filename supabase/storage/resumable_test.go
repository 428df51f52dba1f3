package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/supabase/storage"
)

// randomBytes are the same for the same size.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// onlyReader hides that a reader can do more.
type onlyReader struct{ io.Reader }

// seekReader hides that a reader has ReadAt and WriteTo.
type seekReader struct{ io.ReadSeeker }

// sources are the kinds of readers that are told apart.
var sources = map[string]func(data []byte) io.Reader{
	"ReaderAt": func(data []byte) io.Reader { return bytes.NewReader(data) },
	"Seeker":   func(data []byte) io.Reader { return seekReader{bytes.NewReader(data)} },
	"Len":      func(data []byte) io.Reader { return bytes.NewBuffer(bytes.Clone(data)) },
	"Reader":   func(data []byte) io.Reader { return onlyReader{bytes.NewReader(data)} },
}

const chunk = storage.ChunkSize

// cutOnce breaks the connection once at each of the offsets.
func cutOnce(offsets ...int64) func(from, to int64) int64 {
	left := slices.Clone(offsets)
	return func(from, to int64) int64 {
		for i, at := range left {
			if from <= at && at < to {
				left = slices.Delete(left, i, i+1)
				return at
			}
		}
		return -1
	}
}

func TestAResumableUploadArrivesByteForByteHoweverItIsCut(t *testing.T) {
	t.Parallel()
	data := randomBytes(3*chunk + 12345)
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, st := newServer(t, "videos")
			var at []int64
			for _, boundary := range []int64{0, chunk, 2 * chunk, 3 * chunk} {
				at = append(at, boundary, boundary+1, boundary+5000)
			}
			at = append(at, chunk-1, 2*chunk-1, 3*chunk-1, chunk/2, 2*chunk+chunk/3, int64(len(data))-1)
			s.cut = cutOnce(at...)
			lost := atomic.Bool{}
			s.finish = func() bool { return lost.CompareAndSwap(false, true) }
			got, err := st.UploadResumable(t.Context(), "videos", "day.mp4", source(data), &storage.UploadOptions{Metadata: map[string]any{"k": "v"}})
			if want := (storage.UploadResult{Path: "day.mp4", FullPath: "videos/day.mp4"}); err != nil || got != want {
				t.Fatalf("%+v, %v", got, err)
			}
			o, _ := s.object("videos", "day.mp4")
			if !bytes.Equal(o.data, data) {
				t.Errorf("%d bytes arrived of %d, or others", len(o.data), len(data))
			}
			if o.contentType != "video/mp4" || o.cacheControl != "max-age=3600" || string(o.metadata) != `{"k":"v"}` || o.upsert != "false" {
				t.Errorf("%s, %s, %s, upsert %s", o.contentType, o.cacheControl, o.metadata, o.upsert)
			}
		})
	}
}

func TestAResumableUploadOfEachSizeAtTheEdges(t *testing.T) {
	t.Parallel()
	for name, source := range sources {
		for _, size := range []int{0, 1, 511, 512, 513, chunk - 1, chunk, chunk + 1, 2 * chunk} {
			s, st := newServer(t, "b")
			data := randomBytes(size)
			_, err := st.UploadResumable(t.Context(), "b", "x", source(data))
			if o, _ := s.object("b", "x"); err != nil || !bytes.Equal(o.data, data) {
				t.Errorf("%s, %d bytes: %d bytes, %v", name, size, len(o.data), err)
			}
		}
	}
}

// A program that was restarted has a new reader and a new client, and the URL.
func TestAResumableUploadGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	data := randomBytes(2*chunk + 777)
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, st := newServer(t, "b")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			dies := cutOnce(chunk + 1000)
			s.cut = func(from, to int64) int64 {
				at := dies(from, to)
				if at >= 0 {
					stop()
				}
				return at
			}
			var url string
			_, err := st.UploadResumable(ctx, "b", "a/x.bin", source(data), &storage.UploadOptions{OnURL: func(u string) { url = u }})
			if !errors.Is(err, context.Canceled) || !strings.HasPrefix(url, s.URL+"/upload/resumable/") {
				t.Fatal(url, err)
			}
			s.cut = nil
			from := int64(-1)
			_, err = newClient(t, s.URL).UploadResumable(t.Context(), "b", "a/x.bin", source(data), &storage.UploadOptions{
				ResumeURL: url,
				Progress: func(done, total int64) {
					if from < 0 {
						from = done
					}
				},
			})
			if o, _ := s.object("b", "a/x.bin"); err != nil || !bytes.Equal(o.data, data) {
				t.Errorf("%d bytes, %v", len(o.data), err)
			}
			if from <= chunk {
				t.Errorf("it began again, at %d", from)
			}
			// Once more: the server has all, and the object tells that it is made of this upload.
			if _, err := newClient(t, s.URL).UploadResumable(t.Context(), "b", "a/x.bin", source(data), &storage.UploadOptions{ResumeURL: url}); err != nil {
				t.Error(err)
			}
			// But not when something else is there.
			s.put("b", "a/x.bin", "text/plain", string(data))
			if _, err := st.UploadResumable(t.Context(), "b", "a/x.bin", source(data), &storage.UploadOptions{ResumeURL: url}); !errors.Is(err, storage.ErrUnconfirmed) {
				t.Error(err)
			}
		})
	}
}

// The server has all bytes, and did not get to make an object of them.
func TestAResumableUploadIsFinished(t *testing.T) {
	t.Parallel()
	data := randomBytes(chunk + 1)
	for _, opts := range []*storage.UploadOptions{nil, {SignedToken: token}} {
		s, st := newServer(t, "b")
		stopped := atomic.Bool{}
		s.stop = func() bool { return stopped.CompareAndSwap(false, true) }
		_, err := st.UploadResumable(t.Context(), "b", "x", bytes.NewReader(data), opts)
		if o, _ := s.object("b", "x"); err != nil || !bytes.Equal(o.data, data) {
			t.Errorf("%v: %d bytes, %v", opts, len(o.data), err)
		}
	}
}

func TestAResumableUploadOfAFileThatStandsInTheMiddle(t *testing.T) {
	t.Parallel()
	data := randomBytes(chunk + 100)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(10, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	s, st := newServer(t, "b")
	s.cut = cutOnce(0, chunk, chunk/2)
	_, err = st.UploadResumable(t.Context(), "b", "f", f)
	if o, _ := s.object("b", "f"); err != nil || !bytes.Equal(o.data, data[10:]) {
		t.Errorf("%d bytes, %v", len(o.data), err)
	}
}

func TestWhatEndsAResumableUpload(t *testing.T) {
	t.Parallel()
	data := randomBytes(chunk + 5)
	s, st := newServer(t, "b")
	s.put("b", "there", "text/plain", "old")
	patch := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}
			return r.Method == http.MethodPatch
		}
	}
	for _, tt := range []struct {
		name, path string
		source     io.Reader
		opts       *storage.UploadOptions
		refuse     func(http.ResponseWriter, *http.Request) bool
		is         error
	}{
		{"there already", "there", bytes.NewReader(data), nil, nil, fs.ErrExist},
		{"came to be there meanwhile", "x", bytes.NewReader(data), nil, patch(409, "The resource already exists"), fs.ErrExist},
		{"not allowed", "x", bytes.NewReader(data), nil, patch(403, "new row violates row-level security policy"), fs.ErrPermission},
		{"too large", "x", bytes.NewReader(data), nil, patch(413, "Maximum size exceeded\n"), storage.ErrTooLarge},
		{"the upload is gone", "x", bytes.NewReader(data), &storage.UploadOptions{ResumeURL: s.URL + "/upload/resumable/YWJj"}, nil, fs.ErrNotExist},
		{"not a URL of an upload", "x", bytes.NewReader(data), &storage.UploadOptions{ResumeURL: "https://x/y"}, nil, storage.ErrInvalid},
		{"a reader that fails", "x", io.MultiReader(bytes.NewReader(data), failing{}), nil, nil, errReader},
		{"a reader that gives less than it says", "x", onlyReader{bytes.NewReader(data)}, &storage.UploadOptions{Size: 3 * chunk}, nil, io.ErrUnexpectedEOF},
		{"a cache control that TUS cannot say", "x", bytes.NewReader(data), &storage.UploadOptions{CacheControl: "private, max-age=5"}, nil, storage.ErrInvalid},
		{"no name", "/", bytes.NewReader(data), nil, nil, storage.ErrInvalid},
		{"no reader", "x", nil, nil, nil, storage.ErrInvalid},
	} {
		s.refuse = tt.refuse
		if _, err := st.UploadResumable(t.Context(), "b", tt.path, tt.source, tt.opts); !errors.Is(err, tt.is) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

var errReader = errors.New("the disk is gone")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errReader }

func TestAFileThatShrinksEndsAResumableUpload(t *testing.T) {
	t.Parallel()
	_, st := newServer(t, "b")
	r := io.NewSectionReader(bytes.NewReader(make([]byte, chunk)), 0, 2*chunk)
	if _, err := st.UploadResumable(t.Context(), "b", "x", r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestAResumableUploadByASignedToken(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	data := randomBytes(chunk + 5)
	s.cut = cutOnce(9)
	s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Signature") != token || r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.URL.Path, "/upload/resumable/sign") {
			refuse(w, 403, "AccessDenied", "not signed: "+r.URL.Path)
			return true
		}
		return false
	}
	_, err := st.UploadResumable(t.Context(), "b", "x", bytes.NewReader(data), &storage.UploadOptions{SignedToken: token})
	if o, _ := s.object("b", "x"); err != nil || !bytes.Equal(o.data, data) {
		t.Error(len(o.data), err)
	}
}

// A connection that stands still is broken as well, and the tries have an end.
func TestAResumableUploadWaitsForNobodyForEver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		still int // how many chunks stand still
		down  bool
		fails bool
	}{"once": {1, false, false}, "for ever": {1000, false, true}, "no network": {0, true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				still := tt.still
				patches := 0
				transport := roundTripper(func(r *http.Request) (*http.Response, error) {
					resp := &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: r}
					switch r.Method {
					case http.MethodPost:
						resp.StatusCode = 201
						resp.Header.Set("Location", "/upload/resumable/abc")
						return resp, nil
					case http.MethodHead:
						resp.Header.Set("Upload-Offset", "0")
						resp.Header.Set("Upload-Length", "4")
						return resp, nil
					}
					defer func() { _ = r.Body.Close() }()
					if patches++; tt.down {
						return nil, syscall.ECONNRESET
					}
					if still--; still >= 0 {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					n, _ := io.Copy(io.Discard, r.Body)
					resp.Header.Set("Upload-Offset", strconv.FormatInt(n, 10))
					return resp, nil
				})
				st := newClient(t, "http://storage.test", storage.WithHTTPClient(&http.Client{Transport: transport}))
				start := time.Now()
				_, err := st.UploadResumable(t.Context(), "b", "x.txt", strings.NewReader("data"))
				if (err != nil) != tt.fails || tt.fails && patches != 11 || time.Since(start) > 15*time.Minute {
					t.Errorf("%d chunks in %v: %v", patches, time.Since(start), err)
				}
			})
		})
	}
}
