package cases

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	community "github.com/supabase-community/storage-go"

	"github.com/streamconn/streamconn/internal/bench/measure"
	"github.com/streamconn/streamconn/supabase/storage"
)

// zeros is a reader of so many bytes, which costs nothing and holds nothing.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	z.left -= n
	return int(n), nil
}

// Len tells the size, as those of bytes and strings do.
func (z *zeros) Len() int { return int(z.left) }

// zerosAt is the same, to be read at any place.
type zerosAt struct{}

func (zerosAt) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// files is the storage of a project: it forgets what it is sent, and what it gives is zeros, as many
// as the path says.
func files(tb testing.TB) string {
	tb.Helper()
	var offset atomic.Int64 // of the one resumable upload
	mux := http.NewServeMux()
	mux.HandleFunc("POST /object/files/{path...}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answerJSON(w, `{"Key":"files/`+r.PathValue("path")+`","Id":"1"}`)
	})
	mux.HandleFunc("GET /object/files/{path...}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.PathValue("path"), 10, 64)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", fmt.Sprint(n))
		w.Header().Set("ETag", `"1"`)
		_, _ = io.Copy(struct{ io.Writer }{w}, &zeros{n})
	})
	mux.HandleFunc("POST /upload/resumable", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		offset.Store(n)
		w.Header().Set("Tus-Resumable", "1.0.0")
		w.Header().Set("Location", "http://"+r.Host+"/upload/resumable/1")
		w.Header().Set("Upload-Offset", fmt.Sprint(n))
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("PATCH /upload/resumable/1", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("Tus-Resumable", "1.0.0")
		w.Header().Set("Upload-Offset", fmt.Sprint(offset.Add(n)))
		w.WriteHeader(http.StatusNoContent)
	})
	srv := httptest.NewServer(mux)
	tb.Cleanup(srv.Close)
	return srv.URL
}

func answerJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

// carriers are the ways to move a file.
type carriers struct {
	base   string
	client *http.Client
	ours   *storage.Client
	theirs *community.Client
}

func newCarriers(tb testing.TB) *carriers {
	tb.Helper()
	base, client := files(tb), transport(tb)
	ours, err := storage.New(base, storage.WithKey(Key), storage.WithHTTPClient(client))
	if err != nil {
		tb.Fatal(err)
	}
	return &carriers{base, client, ours, community.NewClient(base, Key, map[string]string{"apikey": Key})}
}

const (
	bareHTTP      = "bare `net/http`"
	bareChunks    = "bare `net/http`, a request for each 6 MiB"
	bareHeld      = "bare `net/http`, a request for each 6 MiB, which is read whole before"
	resumableFile = "**ours**, `UploadResumable` of a file"
	resumablePipe = "**ours**, `UploadResumable` of a pipe"
)

func (c *carriers) request(method, path string, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("apikey", Key)
	req.Header.Set("Authorization", "Bearer "+Key)
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.client.Do(req)
}

func (c *carriers) bareUpload(size int64) error {
	resp, err := c.request(http.MethodPost, "/object/files/a.bin", &zeros{size}, size)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// bareChunks sends what TUS makes of a file, one after the other: as they are read, or out of memory,
// where a chunk that has to be sent again must be if its source cannot be.
func (c *carriers) bareChunks(size int64, held bool) error {
	var chunk []byte
	for source := (&zeros{size}); source.left > 0; {
		n := min(source.left, storage.ChunkSize)
		body := io.LimitReader(source, n)
		if held {
			if chunk == nil {
				chunk = make([]byte, n)
			}
			if _, err := io.ReadFull(source, chunk[:n]); err != nil {
				return err
			}
			body = bytes.NewReader(chunk[:n])
		}
		resp, err := c.request(http.MethodPatch, "/upload/resumable/1", body, n)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *carriers) bareDownload(size int64) error {
	resp, err := c.request(http.MethodGet, fmt.Sprintf("/object/files/%d", size), http.NoBody, 0)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(discard{}, resp.Body)
	return wantBytes(n, size, err)
}

func (c *carriers) upload(size int64) error {
	_, err := c.ours.Upload(context.Background(), "files", "a.bin", &zeros{size}, &storage.UploadOptions{ContentType: "application/octet-stream"})
	return err
}

// resumable sends what can be read again, as a file can, or what cannot, as a pipe.
func (c *carriers) resumable(again bool) func(size int64) error {
	return func(size int64) error {
		var source io.Reader = io.NewSectionReader(zerosAt{}, 0, size)
		if !again {
			source = io.MultiReader(&zeros{size})
		}
		_, err := c.ours.UploadResumable(context.Background(), "files", "a.bin", source, &storage.UploadOptions{ContentType: "application/octet-stream"})
		return err
	}
}

func (c *carriers) download(size int64) error {
	n, err := c.ours.DownloadTo(context.Background(), "files", fmt.Sprint(size), discard{})
	return wantBytes(n, size, err)
}

func (c *carriers) theirUpload(size int64) error {
	_, err := c.theirs.UploadFile("files", "a.bin", &zeros{size})
	return err
}

func (c *carriers) theirDownload(size int64) error {
	data, err := c.theirs.DownloadFile("files", fmt.Sprint(size))
	return wantBytes(int64(len(data)), size, err)
}

// discard is io.Discard without the way around the copy's buffer.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func wantBytes(got, want int64, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("%d bytes, want %d", got, want)
	}
	return err
}

// carried makes a table of files of two sizes.
func carried(t Table, sides func(c *carriers, size int64) []measure.Side) Table {
	for _, size := range []int64{1 << 20, 64 << 20} {
		t.Cases = append(t.Cases, measure.Case{Name: fmt.Sprintf("%d MiB", size>>20), X: float64(size), Prepare: func(tb testing.TB) []measure.Side {
			tb.Helper()
			list := sides(newCarriers(tb), size)
			if size == 1<<20 { // the budget is about what streams
				for i := range list {
					list[i].Budget = measure.Budget{}
				}
			}
			return list
		}})
	}
	return t
}

const streamed95 = 1 / 0.95 // of the time: 0.95 of the speed

func uploads() Table {
	return carried(Table{
		ID: "upload", Title: "An upload to Supabase's storage",
		Text: "To a server on loopback, in the process, that forgets what it is sent. Supabase takes a resumable upload in chunks of 6 MiB, one after the other, " +
			"and a chunk must be there to be sent again: what that alone costs is shown beside. A pipe's chunk is read before it is sent, at the speed of memory, " +
			"which counts only where the network is as fast.",
	}, func(c *carriers, size int64) []measure.Side {
		return []measure.Side{
			{Name: bareHTTP, Do: func(int) error { return c.bareUpload(size) }},
			{Name: "**ours**, `Upload`", Ours: true, Budget: measure.Budget{Times: streamed95}, Do: func(int) error { return c.upload(size) }},
			{Name: resumableFile, Ours: true, Budget: measure.Budget{Times: streamed95}, Do: func(int) error { return c.resumable(true)(size) }},
			{Name: resumablePipe, Ours: true, Budget: measure.Budget{Times: streamed95}, Do: func(int) error { return c.resumable(false)(size) }},
			{Name: bareChunks, Do: func(int) error { return c.bareChunks(size, false) }},
			{Name: bareHeld, Do: func(int) error { return c.bareChunks(size, true) }},
			{Name: "storage-go, `UploadFile`", Do: func(int) error { return c.theirUpload(size) }},
		}
	})
}

func downloads() Table {
	return carried(Table{
		ID: "download", Title: "A download from Supabase's storage",
		Text: "From a server on loopback, in the process. storage-go gives the whole file as one slice.",
	}, func(c *carriers, size int64) []measure.Side {
		return []measure.Side{
			{Name: bareHTTP, Do: func(int) error { return c.bareDownload(size) }},
			{Name: "**ours**, `DownloadTo`", Ours: true, Budget: measure.Budget{Times: streamed95}, Do: func(int) error { return c.download(size) }},
			{Name: "storage-go, `DownloadFile`", Do: func(int) error { return c.theirDownload(size) }},
		}
	})
}

// transfers is the memory that a large file takes on its way.
func transfers(tb testing.TB, short bool) Figures {
	tb.Helper()
	size := int64(1 << 30)
	if short {
		size = 16 << 20
	}
	c := newCarriers(tb)
	f := Figures{
		ID: "transfers", Title: "Memory of a file on its way",
		Text:   fmt.Sprintf("Of %d MiB: the most by which the heap in use grew meanwhile, the server's part included; it is collected and measured every 20 ms.", size>>20),
		Header: []string{"", "MiB"},
	}
	for _, way := range []struct {
		name   string
		move   func(int64) error
		budget float64
	}{
		{bareHTTP + ", up", c.bareUpload, 0},
		{"**ours**, `Upload`", c.upload, 4},
		{resumableFile, c.resumable(true), 12},
		{resumablePipe, c.resumable(false), 12},
		{"storage-go, `UploadFile`", c.theirUpload, 0},
		{bareHTTP + ", down", c.bareDownload, 0},
		{"**ours**, `DownloadTo`", c.download, 4},
		{"storage-go, `DownloadFile`", c.theirDownload, 0},
	} {
		grown := growth(tb, func() error { return way.move(size) })
		f.Rows = append(f.Rows, []string{way.name, fmt.Sprintf("%.1f", grown)})
		if way.budget > 0 {
			f.Promises = append(f.Promises, Promise{
				strings.TrimPrefix(way.name, "**ours**, ") + fmt.Sprintf(" of %d MiB", size>>20),
				fmt.Sprintf("%.0f MiB of memory", way.budget), fmt.Sprintf("%.1f", grown), grown <= way.budget,
			})
		}
	}
	return f
}

// growth is the most by which the heap in use grows while f runs, in MiB.
func growth(tb testing.TB, f func() error) float64 {
	tb.Helper()
	before, most := settled(), int64(0)
	done := make(chan error)
	go func() { done <- f() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				tb.Fatal(err)
			}
			return float64(most) / (1 << 20)
		case <-tick.C:
			most = max(most, live()-before)
		}
	}
}
