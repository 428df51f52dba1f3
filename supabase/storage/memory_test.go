package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamconn/streamconn/supabase/storage"
)

// What a large transfer costs is measured in a process of its own, of which the server is no part:
// this binary runs itself once more with a job.
const jobVariable = "STREAMCONN_STORAGE_TEST_JOB"

type job struct {
	What, URL string
	Size      int64
}

// report is what a job prints.
type report struct {
	Grown     int64 // of the peak of its resident memory, in bytes
	Allocated int64 // in all, in bytes; with what the collector has freed meanwhile
	Elapsed   time.Duration
}

// jobs are the transfers, with this package and with net/http alone.
var jobs = map[string]func(ctx context.Context, url string, size int64) error{
	"upload": func(ctx context.Context, url string, size int64) error {
		st, err := storage.New(url, storage.WithKey(anonKey))
		if err != nil {
			return err
		}
		defer st.Close()
		_, err = st.Upload(ctx, "b", "x.bin", io.LimitReader(zeros{}, size), &storage.UploadOptions{Size: size, Progress: func(int64, int64) {}})
		return err
	},
	"upload of unknown size": func(ctx context.Context, url string, size int64) error {
		st, err := storage.New(url, storage.WithKey(anonKey))
		if err != nil {
			return err
		}
		defer st.Close()
		_, err = st.Upload(ctx, "b", "x", io.LimitReader(zeros{}, size))
		return err
	},
	"upload by net/http": func(ctx context.Context, url string, size int64) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/object/b/x.bin", io.LimitReader(zeros{}, size))
		if err != nil {
			return err
		}
		req.ContentLength = size
		resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	},
	"download": func(ctx context.Context, url string, size int64) error {
		st, err := storage.New(url, storage.WithKey(anonKey))
		if err != nil {
			return err
		}
		defer st.Close()
		n, err := st.DownloadTo(ctx, "b", strconv.FormatInt(size, 10), struct{ io.Writer }{io.Discard})
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		return err
	},
	"download by net/http": func(ctx context.Context, url string, size int64) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/object/b/"+strconv.FormatInt(size, 10), nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, resp.Body)
		return err
	},
	"resumable": func(ctx context.Context, url string, size int64) error {
		return resumableJob(ctx, url, io.NewSectionReader(zerosAt{}, 0, size), 0)
	},
	"resumable from a stream": func(ctx context.Context, url string, size int64) error {
		return resumableJob(ctx, url, io.LimitReader(zeros{}, size), size)
	},
	"resumable of unknown size": func(ctx context.Context, url string, size int64) error {
		return resumableJob(ctx, url, io.LimitReader(zeros{}, size), 0)
	},
}

func resumableJob(ctx context.Context, url string, r io.Reader, size int64) error {
	st, err := storage.New(url, storage.WithKey(anonKey))
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.UploadResumable(ctx, "b", "x.bin", r, &storage.UploadOptions{Size: size})
	return err
}

type zerosAt struct{}

func (zerosAt) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// runJob is the other process.
func runJob(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx := context.Background()
	run := jobs[j.What]
	// Once before, so that what is there for any transfer is there already.
	if err := run(ctx, j.URL, 64<<10); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.GC()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where this is not allowed the peak is the same or higher
	before, was := peak(), allocated()
	start := time.Now()
	if err := run(ctx, j.URL, j.Size); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	elapsed := time.Since(start)
	_ = json.NewEncoder(os.Stdout).Encode(report{peak() - before, allocated() - was, elapsed})
	return 0
}

// allocated is what this process has allocated since it began, in bytes.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// peak is the highest resident memory of this process, in bytes; -1: not known here.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(status)) {
		if after, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(after), "kB")), 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return -1
}

// transferSize is what is transferred: 256 MiB, or what STREAMCONN_STORAGE_TEST_SIZE says in MiB.
func transferSize(t testing.TB) int64 {
	t.Helper()
	if text := os.Getenv("STREAMCONN_STORAGE_TEST_SIZE"); text != "" {
		mib, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal("STREAMCONN_STORAGE_TEST_SIZE is a number of MiB:", err)
		}
		return mib << 20
	}
	if raceEnabled {
		return 64 << 20
	}
	return 256 << 20
}

// endless is a server that keeps nothing, and gives zeros.
func endless(t testing.TB) (url string, received *atomic.Int64) {
	t.Helper()
	received = new(atomic.Int64)
	var offset, size atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch {
		case r.Method == http.MethodGet:
			n, _ := strconv.ParseInt(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], 10, 64)
			h.Set("Content-Length", strconv.FormatInt(n, 10))
			_, _ = io.CopyN(w, zeros{}, n)
		case strings.HasPrefix(r.URL.Path, "/object/"):
			n, _ := io.Copy(io.Discard, r.Body)
			received.Store(n)
			_, _ = io.WriteString(w, `{"Key":"b/x.bin","Id":"1"}`)
		case r.Method == http.MethodPost:
			n, _ := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
			offset.Store(0)
			size.Store(n)
			h.Set("Location", "/upload/resumable/abc")
			w.WriteHeader(http.StatusCreated)
		default:
			n, _ := io.Copy(io.Discard, r.Body)
			h.Set("Upload-Offset", strconv.FormatInt(offset.Add(n), 10))
			received.Store(offset.Load())
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, received
}

func runInAnotherProcess(t testing.TB, j job) report {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", j.What, err, errs.String())
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%s: %v: %s", j.What, err, out.String())
	}
	return r
}

func TestMemoryDoesNotGrowWithWhatIsTransferred(t *testing.T) {
	t.Parallel()
	if peak() < 0 {
		t.Skip("no /proc/self/status here, which tells a process's peak memory")
	}
	size := transferSize(t)
	// What may be left behind: by the upload, and by each of its chunks.
	left := 1<<20 + (size/storage.ChunkSize+1)*(8<<10)
	for _, tt := range []struct {
		what      string
		bound     int64
		allocated int64 // by which the peak rises the longer it lasts, until a collection
	}{
		{"upload", 4 << 20, 1 << 20},
		{"upload of unknown size", 4 << 20, 1 << 20},
		{"download", 4 << 20, 1 << 20},
		{"resumable", 12 << 20, left},
		{"resumable from a stream", 12 << 20, storage.ChunkSize + left},
		{"resumable of unknown size", 12 << 20, storage.ChunkSize + left},
	} {
		url, received := endless(t)
		r := runInAnotherProcess(t, job{tt.what, url, size})
		t.Logf("%s of %d MiB: %d KiB more memory, %d KiB allocated", tt.what, size>>20, r.Grown>>10, r.Allocated>>10)
		if raceEnabled { // its shadow memory follows every byte that is touched, and its pools forget
			tt.bound *= 4
			r.Allocated = 0
		}
		if r.Grown > tt.bound {
			t.Errorf("%s: memory grew by %d KiB, more than %d", tt.what, r.Grown>>10, tt.bound>>10)
		}
		if r.Allocated > tt.allocated {
			t.Errorf("%s: %d KiB were allocated, more than %d", tt.what, r.Allocated>>10, tt.allocated>>10)
		}
		if tt.what != "download" && received.Load() != size {
			t.Errorf("%s: %d bytes arrived of %d", tt.what, received.Load(), size)
		}
	}
}
