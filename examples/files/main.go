// Files uploads a folder to a bucket, with a progress bar, lists it, downloads it again, and shares
// one of its files by a signed URL.
//
//	go run .            a folder that it makes itself
//	go run . FOLDER     a folder of yours
//
// Without an account it works on a project that it starts itself. Yours is used when the environment,
// or [connections.supabase] of .streamlit/secrets.toml, names it:
//
//	SUPABASE_URL=https://x.supabase.co SUPABASE_KEY=sb_secret_… go run . FOLDER
//
// It makes a bucket for it, and deletes that with all that is in it.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest" //nolint:depguard // the project that this program starts where there is none
)

// bucket is one that nobody has: it is deleted in the end.
var bucket = "files-example-" + strings.ToLower(rand.Text()[:10])

func main() {
	folder := ""
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	if err := run(context.Background(), folder, os.Stdout, os.Stderr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder string, out, bar io.Writer) (err error) {
	sb, stop, err := open(ctx, out)
	if err != nil {
		return err
	}
	defer stop()
	scratch, err := os.MkdirTemp("", "files")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if folder == "" {
		if folder, err = samples(scratch); err != nil {
			return err
		}
	}

	if err := sb.CreateBucket(ctx, bucket); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanUp(context.WithoutCancel(ctx), sb)) }()

	if err := upload(ctx, sb, folder, bar); err != nil {
		return err
	}

	fmt.Fprintln(out, "in the bucket:")
	first := ""
	for object, err := range sb.Walk(ctx, bucket, "") { // pages are fetched as they are needed
		if err != nil {
			return err
		}
		if first == "" {
			first = object.Path
		}
		fmt.Fprintf(out, "  %-20s %9d bytes  %s\n", object.Path, object.Size, object.ContentType)
	}
	if first == "" {
		return fmt.Errorf("there are no files in %s", folder)
	}

	if err := download(ctx, sb, filepath.Join(scratch, "copy"), folder, out); err != nil {
		return err
	}
	return share(ctx, sb, first, out)
}

// open connects to the project that is configured, or to one that it starts.
func open(ctx context.Context, out io.Writer) (*supabase.Conn, func(), error) {
	sb, err := supabase.Open(ctx, "supabase")
	if err == nil {
		return sb, func() { _ = sb.Close() }, nil
	}
	if _, missing := errors.AsType[*connection.MissingError](err); !missing {
		return nil, nil, err
	}
	fmt.Fprintln(out, "no SUPABASE_URL and SUPABASE_KEY: this is a project inside the program")
	srv, err := supabasetest.Start()
	if err != nil {
		return nil, nil, err
	}
	sb, err = supabase.Open(ctx, "supabase", supabase.WithURL(srv.URL), supabase.WithKey(srv.ServiceKey))
	if err != nil {
		srv.Close()
		return nil, nil, err
	}
	return sb, func() { _ = sb.Close(); srv.Close() }, nil
}

// upload stores all files of a folder under their paths.
func upload(ctx context.Context, sb *supabase.Conn, folder string, w io.Writer) error {
	var names []string
	var total int64
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() { // folders are there by what is in them
			return err
		}
		info, err := d.Info()
		names, total = append(names, name), total+info.Size()
		return err
	})
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("uploading"), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
	var before int64 // in the files that are stored already
	for _, name := range names {
		path, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		var size int64
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		// In chunks of 6 MiB, so that a broken connection costs no more than one.
		_, err = sb.UploadResumable(ctx, bucket, filepath.ToSlash(path), f, &supabase.UploadOptions{
			Upsert:   true,
			Progress: func(done, _ int64) { size = done; _ = bar.Set64(before + done) },
		})
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		before += size
	}
	return bar.Finish()
}

// download fetches the bucket into a folder, and compares it with another.
func download(ctx context.Context, sb *supabase.Conn, to, with string, out io.Writer) error {
	files := sb.FS(ctx, bucket) // the bucket is an fs.FS
	if err := os.CopyFS(to, files); err != nil {
		return err
	}
	same := 0
	err := fs.WalkDir(os.DirFS(to), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a, err := os.ReadFile(filepath.Join(to, path))
		b, err2 := os.ReadFile(filepath.Join(with, path))
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return fmt.Errorf("%s came back different", path)
		}
		same++
		return nil
	})
	fmt.Fprintf(out, "downloaded %d files, all as they were\n", same)
	return err
}

// share makes an address by which anybody can read a file for an hour, and reads it so.
func share(ctx context.Context, sb *supabase.Conn, path string, out io.Writer) error {
	signed, err := sb.CreateSignedURLs(ctx, bucket, []string{path}, time.Hour)
	if err != nil {
		return err
	}
	if signed[0].Err != nil {
		return signed[0].Err
	}
	address, _, _ := strings.Cut(signed[0].URL, "?") // what follows is a credential
	fmt.Fprintf(out, "shared for an hour: %s?token=…\n", address)

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, signed[0].URL, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return errors.New("the signed URL cannot be read") // its error would show the URL
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	fmt.Fprintf(out, "anybody reads it: %s, %d bytes\n", resp.Status, n)
	return err
}

// cleanUp deletes the bucket and all that is in it.
func cleanUp(ctx context.Context, sb *supabase.Conn) error {
	var paths []string
	for object, err := range sb.Walk(ctx, bucket, "") {
		if err != nil {
			return err
		}
		paths = append(paths, object.Path)
	}
	if _, err := sb.Remove(ctx, bucket, paths...); err != nil {
		return err
	}
	return sb.DeleteBucket(ctx, bucket)
}

// samples makes a folder with some files, one of them larger than a chunk.
func samples(scratch string) (string, error) {
	folder := filepath.Join(scratch, "folder")
	for name, data := range map[string][]byte{
		"notes.txt":         []byte("all is well\n"),
		"reports/2026.csv":  []byte("month,total\nOctober,7\n"),
		"reports/index.htm": []byte("<h1>Reports</h1>\n"),
		"videos/day.mp4":    bytes.Repeat([]byte("frame "), 2_000_000),
	} {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return "", err
		}
	}
	return folder, nil
}
