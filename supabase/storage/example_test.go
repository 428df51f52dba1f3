package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/storage"
)

// project is a stand-in for one's own, with some objects.
func project() (st *storage.Client, stop func()) {
	s := &server{buckets: map[string]map[string]stored{"reports": {}}, uploads: map[string]*upload{}}
	s.Server = httptest.NewServer(s)
	s.put("reports", "2026/q3.csv", "text/csv", "month,total\n")
	s.put("reports", "2026/q4.csv", "text/csv", "month,total\nOctober,7\n")
	s.put("reports", "notes.txt", "text/plain", "all is well")
	st, err := storage.New(s.URL, storage.WithKey("sb_publishable_example"))
	if err != nil {
		panic(err)
	}
	return st, func() {
		st.Close()
		s.Close()
	}
}

func ExampleClient_Upload() {
	st, stop := project()
	defer stop()
	ctx := context.Background()

	report := strings.NewReader("month,total\nJanuary,3\n")
	stored, err := st.Upload(ctx, "reports", "2027/q1.csv", report, &storage.UploadOptions{
		Metadata: map[string]any{"author": "ada"},
		Progress: func(done, total int64) { fmt.Println(done, "of", total) },
	})
	fmt.Println(stored.FullPath, err)

	_, err = st.Upload(ctx, "reports", "2027/q1.csv", strings.NewReader("again"))
	fmt.Println(errors.Is(err, fs.ErrExist))
	// Output:
	// 22 of 22
	// reports/2027/q1.csv <nil>
	// true
}

func ExampleClient_Download() {
	st, stop := project()
	defer stop()
	ctx := context.Background()

	file, err := st.Download(ctx, "reports", "2026/q3.csv")
	fmt.Printf("%s, %s: %q, %v\n", file.Name, file.ContentType, file.Data, err)

	_, err = st.Download(ctx, "reports", "nope.csv")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// q3.csv, text/csv: "month,total\n", <nil>
	// true
}

func ExampleClient_DownloadTo() {
	st, stop := project()
	defer stop()

	n, err := st.DownloadTo(context.Background(), "reports", "notes.txt", os.Stdout, &storage.DownloadOptions{Offset: 4})
	fmt.Printf("\n%d bytes, %v\n", n, err)
	// Output:
	// is well
	// 7 bytes, <nil>
}

func ExampleClient_Walk() {
	st, stop := project()
	defer stop()

	for object, err := range st.Walk(context.Background(), "reports", "2026") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(object.Path, object.Size, object.ContentType)
	}
	// Output:
	// 2026/q3.csv 12 text/csv
	// 2026/q4.csv 22 text/csv
}

func ExampleClient_ListObjects() {
	st, stop := project()
	defer stop()

	objects, err := st.ListObjects(context.Background(), "reports", "")
	for _, o := range objects {
		fmt.Println(o.Name, o.Folder)
	}
	fmt.Println(err)
	// Output:
	// 2026 true
	// notes.txt false
	// <nil>
}

func ExampleClient_CreateSignedURLs() {
	st, stop := project()
	defer stop()

	signed, err := st.CreateSignedURLs(context.Background(), "reports", []string{"notes.txt", "nope.txt"}, time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range signed {
		fmt.Println(s.Path, s.URL != "", errors.Is(s.Err, storage.ErrNotFound))
	}
	// Output:
	// notes.txt true false
	// nope.txt false true
}

func ExampleClient_GetPublicURL() {
	st, err := storage.New("https://x.supabase.co/storage/v1", storage.WithKey("sb_publishable_example"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(st.GetPublicURL(context.Background(), "avatars", "ada lovelace.png", &storage.URLOptions{
		Transform: &storage.Transform{Width: 64, Height: 64},
	}))
	// Output: https://x.supabase.co/storage/v1/render/image/public/avatars/ada%20lovelace.png?height=64&width=64 <nil>
}

func ExampleClient_UploadResumable() {
	st, stop := project()
	defer stop()

	var saved string // in a file or a table, for after a restart
	video := strings.NewReader(strings.Repeat("frame ", 2_000_000))
	_, err := st.UploadResumable(context.Background(), "reports", "day.mp4", video, &storage.UploadOptions{
		ResumeURL: saved,
		OnURL:     func(url string) { saved = url },
	})
	fmt.Println(saved != "", err)
	// Output: true <nil>
}

func ExampleClient_Remove() {
	st, stop := project()
	defer stop()
	ctx := context.Background()

	removed, err := st.Remove(ctx, "reports", "notes.txt", "nope.txt")
	fmt.Println(len(removed), removed[0].Path, err)
	// Output: 1 notes.txt <nil>
}

func ExampleClient_FS() {
	st, stop := project()
	defer stop()
	files := st.FS(context.Background(), "reports")

	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		fmt.Println(path)
		return err
	})
	fmt.Println(err)

	_ = http.FileServerFS(files) // serves the bucket
	// Output:
	// .
	// 2026
	// 2026/q3.csv
	// 2026/q4.csv
	// notes.txt
	// <nil>
}

func ExampleBucketUpdate() {
	update := storage.BucketUpdate{
		Public:        new(true),
		FileSizeLimit: new(int64(0)), // no limit any more; the allowed types stay as they are
	}
	fmt.Println(*update.Public, update.AllowedMIMETypes == nil)
	// Output: true true
}
