package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/streamconn/streamconn/supabase/storage"
)

func resumableCases() []Case {
	data := pattern(storage.ChunkSize + 1<<20 + 12345)
	check := func(c *C, bucket, path string) {
		c.Helper()
		file := got(c.Files().Download(c.Context(), bucket, path))(c)
		want(c, "byte for byte", bytes.Equal(file.Data, data), true)
	}
	return []Case{
		{Name: "storage/resumable/in chunks", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			var told int64
			got(st.UploadResumable(c.Context(), bucket, "a/day.mp4", bytes.NewReader(data), &storage.UploadOptions{
				CacheControl: "120", Metadata: map[string]any{"k": "v"}, Progress: func(done, _ int64) { told = done },
			}))(c)
			check(c, bucket, "a/day.mp4")
			want(c, "progress", told, int64(len(data)))
			info := got(st.Info(c.Context(), bucket, "a/day.mp4"))(c)
			want(c, "type", info.ContentType, "video/mp4")
			want(c, "cache control", info.CacheControl, "max-age=120")
			want(c, "metadata", info.Metadata, map[string]any{"k": "v"})
		}},
		{Name: "storage/resumable/after an interruption", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			ctx, stop := context.WithCancel(c.Context())
			defer stop()
			var url string
			_, err := st.UploadResumable(ctx, bucket, "x.bin", bytes.NewReader(data), &storage.UploadOptions{
				OnURL: func(u string) { url = u },
				Progress: func(done, _ int64) {
					if done > storage.ChunkSize {
						stop()
					}
				},
			})
			if !errors.Is(err, context.Canceled) || url == "" {
				c.Fatalf("interrupted, with the URL %q: %v", url, err)
			}
			from := int64(-1)
			got(c.Files().UploadResumable(c.Context(), bucket, "x.bin", bytes.NewReader(data), &storage.UploadOptions{
				ResumeURL: url,
				Progress: func(done, _ int64) {
					if from < 0 {
						from = done
					}
				},
			}))(c)
			check(c, bucket, "x.bin")
			// Nothing is left to send if all was on its way when the first attempt was stopped.
			want(c, "it goes on after the first chunk", from < 0 || from >= storage.ChunkSize, true)
		}},
		{Name: "storage/resumable/of unknown size", Run: func(c *C) {
			bucket := c.bucket()
			got(c.Files().UploadResumable(c.Context(), bucket, "x.bin", struct{ io.Reader }{bytes.NewReader(data)}))(c)
			check(c, bucket, "x.bin")
		}},
		{Name: "storage/resumable/what is there", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			c.put(bucket, "x.bin")
			_, err := st.UploadResumable(c.Context(), bucket, "x.bin", bytes.NewReader(data))
			if !errors.Is(err, fs.ErrExist) {
				c.Errorf("it is there already: %v", err)
			}
			got(st.UploadResumable(c.Context(), bucket, "x.bin", bytes.NewReader(data), &storage.UploadOptions{Upsert: true}))(c)
			check(c, bucket, "x.bin")
		}},
		{Name: "storage/resumable/small and empty", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			for path, text := range map[string]string{"small.txt": "small", "empty.txt": ""} {
				got(st.UploadResumable(c.Context(), bucket, path, bytes.NewReader([]byte(text))))(c)
				want(c, "data", c.text(st, bucket, path), text)
			}
		}},
		{Name: "storage/resumable/not for anybody", Run: func(c *C) {
			_, err := c.AnonFiles().UploadResumable(c.Context(), c.bucket(), "x.bin", bytes.NewReader(data))
			if !errors.Is(err, fs.ErrPermission) {
				c.Errorf("anybody uploads: %v", err)
			}
			_, err = c.Files().UploadResumable(c.Context(), c.bucket(), "x.bin", bytes.NewReader(data), &storage.UploadOptions{
				ResumeURL: c.URL(Storage) + "/upload/resumable/bm9uZS9ub25lL25vbmU",
			})
			if err == nil {
				c.Errorf("an upload that was never begun goes on")
			}
		}},
		{Name: "storage/resumable/by a signed token", Run: func(c *C) {
			bucket := c.bucket()
			up := got(c.Files().CreateSignedUploadURL(c.Context(), bucket, "x.bin"))(c)
			got(c.AnonFiles().UploadResumable(c.Context(), bucket, "x.bin", bytes.NewReader(data), &storage.UploadOptions{SignedToken: up.Token}))(c)
			check(c, bucket, "x.bin")
		}},
	}
}
