package conformance

import (
	"io/fs"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase/storage"
)

func urlCases() []Case {
	return []Case{
		{Name: "storage/urls/public", Run: func(c *C) {
			public, private, st := c.bucket(&storage.BucketOptions{Public: true}), c.bucket(), c.Files()
			c.put(public, "a b.txt")
			c.put(private, "a.txt")
			status, _, body := c.fetch(got(st.GetPublicURL(c.Context(), public, "a b.txt"))(c))
			want(c, "status", status, 200)
			want(c, "data", body, "a b.txt")
			_, header, _ := c.fetch(got(st.GetPublicURL(c.Context(), public, "a b.txt", &storage.URLOptions{DownloadAs: "name.txt"}))(c))
			disposition := header.Get("Content-Disposition")
			want(c, "to be saved as name.txt", strings.HasPrefix(disposition, "attachment") && strings.Contains(disposition, "name.txt"), true)
			_, header, _ = c.fetch(got(st.GetPublicURL(c.Context(), public, "a b.txt", &storage.URLOptions{Download: true}))(c))
			want(c, "to be saved", strings.HasPrefix(header.Get("Content-Disposition"), "attachment"), true)
			status, _, _ = c.fetch(got(st.GetPublicURL(c.Context(), private, "a.txt"))(c))
			want(c, "a private one is read", status == 200, false)

			file := got(c.AnonFiles().Download(c.Context(), public, "a b.txt", &storage.DownloadOptions{Public: true}))(c)
			want(c, "data", string(file.Data), "a b.txt")
			_, err := st.Download(c.Context(), private, "a.txt", &storage.DownloadOptions{Public: true})
			wantError(c, err, fs.ErrNotExist, "NoSuchBucket", "NoSuchKey")
		}},
		{Name: "storage/urls/signed", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			c.put(bucket, "a.txt", "b.txt")
			link := got(st.CreateSignedURL(c.Context(), bucket, "a.txt", time.Minute))(c)
			status, _, body := c.fetch(link)
			want(c, "status", status, 200)
			want(c, "data", body, "a.txt")
			status, _, _ = c.fetch(strings.Replace(link, "/a.txt?", "/b.txt?", 1))
			want(c, "another object is read", status == 200, false)
			status, _, _ = c.fetch(link[:len(link)-3] + "abc")
			want(c, "another token is taken", status == 200, false)
			_, header, _ := c.fetch(got(st.CreateSignedURL(c.Context(), bucket, "a.txt", time.Minute, &storage.URLOptions{DownloadAs: "x.txt"}))(c))
			want(c, "to be saved", strings.HasPrefix(header.Get("Content-Disposition"), "attachment"), true)
			short := got(st.CreateSignedURL(c.Context(), bucket, "a.txt", time.Second))(c)
			c.pass(2 * time.Second)
			status, _, _ = c.fetch(short)
			want(c, "an old one is read", status == 200, false)
		}},
		{Name: "storage/urls/many signed", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			c.put(bucket, "a.txt", "b/c.txt")
			signed := got(st.CreateSignedURLs(c.Context(), bucket, []string{"a.txt", "nope.txt", "/b/c.txt"}, time.Minute))(c)
			want(c, "how many", len(signed), 3)
			for _, s := range signed {
				if s.Path == "nope.txt" {
					want(c, "an error of its own", s.Err != nil && s.URL == "", true)
					continue
				}
				must(c, s.Err)
				_, _, body := c.fetch(s.URL)
				want(c, "data of "+s.Path, body, s.Path)
			}
		}},
		{Name: "storage/urls/signed uploads", Run: func(c *C) {
			bucket, st, anon := c.bucket(), c.Files(), c.AnonFiles()
			up := got(st.CreateSignedUploadURL(c.Context(), bucket, "a b.csv"))(c)
			stored := got(anon.UploadToSignedURL(c.Context(), bucket, up.Path, up.Token, strings.NewReader("1,2")))(c)
			want(c, "full path", stored.FullPath, bucket+"/a b.csv")
			file := got(st.Download(c.Context(), bucket, "a b.csv"))(c)
			want(c, "data", string(file.Data), "1,2")
			want(c, "type", strings.HasPrefix(file.ContentType, "text/csv"), true)
			_, err := anon.UploadToSignedURL(c.Context(), bucket, up.Path, up.Token, strings.NewReader("3,4"))
			wantError(c, err, fs.ErrExist, "KeyAlreadyExists", "ResourceAlreadyExists")
			_, err = anon.UploadToSignedURL(c.Context(), bucket, "other.csv", up.Token, strings.NewReader("3,4"))
			wantError(c, err, storage.ErrUnauthorized, "InvalidSignature", "InvalidJWT")
			_, err = anon.UploadToSignedURL(c.Context(), bucket, up.Path, up.Token[:len(up.Token)-3]+"abc", strings.NewReader("3,4"))
			wantError(c, err, storage.ErrUnauthorized, "InvalidJWT", "InvalidSignature")
			up = got(st.CreateSignedUploadURL(c.Context(), bucket, "a b.csv", &storage.SignedUploadOptions{Upsert: true}))(c)
			got(anon.UploadToSignedURL(c.Context(), bucket, up.Path, up.Token, strings.NewReader("5,6")))(c)
			want(c, "data", c.text(st, bucket, "a b.csv"), "5,6")
			_, err = anon.CreateSignedUploadURL(c.Context(), bucket, "x.csv")
			wantError(c, err, fs.ErrPermission, "AccessDenied")
		}},
	}
}
