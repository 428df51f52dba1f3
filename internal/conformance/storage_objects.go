package conformance

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/streamconn/streamconn/supabase/storage"
)

func objectCases() []Case {
	return []Case{
		{Name: "storage/objects/what is stored comes back", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			stored := got(st.Upload(c.Context(), bucket, "/a/b c.json", strings.NewReader(`{"n":1}`), &storage.UploadOptions{
				CacheControl: "60", Metadata: map[string]any{"author": "ada", "n": 1.5},
			}))(c)
			want(c, "path", stored.Path, "a/b c.json")
			want(c, "full path", stored.FullPath, bucket+"/a/b c.json")
			file := got(st.Download(c.Context(), bucket, "a/b c.json"))(c)
			want(c, "name", file.Name, "b c.json")
			want(c, "type", file.ContentType, "application/json")
			want(c, "data", string(file.Data), `{"n":1}`)
			info := got(st.Info(c.Context(), bucket, "a/b c.json"))(c)
			want(c, "id", info.ID, stored.ID)
			want(c, "size", info.Size, 7)
			want(c, "cache control", info.CacheControl, "max-age=60")
			want(c, "metadata", info.Metadata, map[string]any{"author": "ada", "n": 1.5})
			want(c, "what is empty", info.ETag == "" || info.Version == "" || info.UpdatedAt.IsZero() || info.CreatedAt.IsZero(), false)
			want(c, "exists", got(st.Exists(c.Context(), bucket, "a/b c.json"))(c), true)
			want(c, "exists", got(st.Exists(c.Context(), bucket, "a/b"))(c), false)
		}},
		{Name: "storage/objects/types by name and by content", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			for path, tt := range map[string]struct{ data, given, want string }{
				"a.csv":  {"a,b", "", "text/csv"},
				"plain":  {"text", "", "text/plain"},
				"image":  {"\x89PNG\r\n\x1a\n", "", "image/png"},
				"a.html": {"text", "x-own/type", "x-own/type"},
			} {
				got(st.UploadBytes(c.Context(), bucket, path, []byte(tt.data), &storage.UploadOptions{ContentType: tt.given}))(c)
				info := got(st.Info(c.Context(), bucket, path))(c)
				kind, _, _ := strings.Cut(info.ContentType, ";")
				want(c, "type of "+path, kind, tt.want)
				want(c, "cache control of "+path, info.CacheControl, storage.DefaultCacheControl)
			}
		}},
		{Name: "storage/objects/replaced only when asked", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			first := got(st.UploadBytes(c.Context(), bucket, "a.txt", []byte("one")))(c)
			_, err := st.UploadBytes(c.Context(), bucket, "a.txt", []byte("two"))
			wantError(c, err, fs.ErrExist, "KeyAlreadyExists", "ResourceAlreadyExists")
			want(c, "data", c.text(st, bucket, "a.txt"), "one")
			again := got(st.UploadBytes(c.Context(), bucket, "a.txt", []byte("three"), &storage.UploadOptions{Upsert: true}))(c)
			want(c, "id", again.ID, first.ID)
			want(c, "data", c.text(st, bucket, "a.txt"), "three")
			got(st.Update(c.Context(), bucket, "a.txt", strings.NewReader("four")))(c)
			want(c, "data", c.text(st, bucket, "a.txt"), "four")
			got(st.Update(c.Context(), bucket, "new.txt", strings.NewReader("five")))(c)
			want(c, "data", c.text(st, bucket, "new.txt"), "five")
		}},
		{Name: "storage/objects/limits of the bucket", Run: func(c *C) {
			bucket := c.bucket(&storage.BucketOptions{FileSizeLimit: 10, AllowedMIMETypes: []string{"text/plain"}})
			st := c.Files()
			_, err := st.UploadBytes(c.Context(), bucket, "a.txt", []byte("more than ten bytes"), &storage.UploadOptions{ContentType: "text/plain"})
			wantError(c, err, storage.ErrTooLarge, "EntityTooLarge")
			_, err = st.UploadBytes(c.Context(), bucket, "a.html", []byte("short"), &storage.UploadOptions{ContentType: "text/html"})
			wantError(c, err, nil, "InvalidMimeType")
			got(st.UploadBytes(c.Context(), bucket, "a.txt", []byte("just ten b"), &storage.UploadOptions{ContentType: "text/plain"}))(c)
		}},
		{Name: "storage/objects/names", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			for _, path := range []string{
				"a/b/c/d.txt", "w+x/(1) &=.txt", "a!b*c'd.txt", "x$y@z;:,?=.txt", "-_.", "a b c", strings.Repeat("long/", 20) + "x", "...", "a./.b",
			} {
				got(st.UploadBytes(c.Context(), bucket, path, []byte(path)))(c)
				want(c, "data of "+path, c.text(st, bucket, path), path)
				want(c, "info of "+path, got(st.Info(c.Context(), bucket, path))(c).Path, path)
				link := got(st.CreateSignedURL(c.Context(), bucket, path, 60e9))(c)
				_, _, body := c.fetch(link)
				want(c, "by a signed URL: "+path, body, path)
			}
		}},
		{Name: "storage/objects/empty and of unknown size", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			got(st.Upload(c.Context(), bucket, "empty.txt", strings.NewReader("")))(c)
			want(c, "data", c.text(st, bucket, "empty.txt"), "")
			long := strings.Repeat("0123456789", 50_000)
			got(st.Upload(c.Context(), bucket, "stream.txt", struct{ io.Reader }{strings.NewReader(long)}))(c)
			want(c, "size", got(st.Info(c.Context(), bucket, "stream.txt"))(c).Size, int64(len(long)))
			want(c, "data", c.text(st, bucket, "stream.txt") == long, true)
		}},
		{Name: "storage/objects/parts", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			got(st.UploadBytes(c.Context(), bucket, "a.txt", []byte("0123456789")))(c)
			for _, tt := range []struct {
				offset, length int64
				want           string
			}{{0, 4, "0123"}, {3, 0, "3456789"}, {3, 4, "3456"}, {8, 100, "89"}, {9, 1, "9"}} {
				file := got(st.Download(c.Context(), bucket, "a.txt", &storage.DownloadOptions{Offset: tt.offset, Length: tt.length}))(c)
				want(c, "part", string(file.Data), tt.want)
			}
			r := got(st.NewReader(c.Context(), bucket, "a.txt"))(c)
			defer func() { _ = r.Close() }()
			want(c, "size", r.Size, 10)
			text, err := io.ReadAll(r)
			must(c, err)
			want(c, "data", string(text), "0123456789")
			var b bytes.Buffer
			want(c, "bytes", got(st.DownloadTo(c.Context(), bucket, "a.txt", &b))(c), 10)
		}},
		{Name: "storage/objects/none", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			_, err := st.Download(c.Context(), bucket, "nope.txt")
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			_, err = st.Info(c.Context(), bucket, "nope.txt")
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			wantError(c, st.Move(c.Context(), bucket, "nope.txt", "x.txt"), fs.ErrNotExist, "NoSuchKey")
			_, err = st.Copy(c.Context(), bucket, "nope.txt", "x.txt")
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			removed := got(st.Remove(c.Context(), bucket, "nope.txt"))(c)
			want(c, "removed", len(removed), 0)
			_, err = st.CreateSignedURL(c.Context(), bucket, "nope.txt", 60e9)
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
		}},
		{Name: "storage/objects/moved and copied", Run: func(c *C) {
			bucket, other, st := c.bucket(), c.bucket(), c.Files()
			c.put(bucket, "a.txt", "taken.txt")
			copied := got(st.Copy(c.Context(), bucket, "a.txt", "b/copy.txt"))(c)
			want(c, "path", copied.Path, "b/copy.txt")
			want(c, "data", c.text(st, bucket, "b/copy.txt"), "a.txt")
			_, err := st.Copy(c.Context(), bucket, "a.txt", "taken.txt")
			wantError(c, err, fs.ErrExist, "KeyAlreadyExists", "ResourceAlreadyExists")
			got(st.Copy(c.Context(), bucket, "a.txt", "taken.txt", &storage.CopyOptions{Upsert: true, Metadata: map[string]any{"k": "v"}}))(c)
			want(c, "metadata", got(st.Info(c.Context(), bucket, "taken.txt"))(c).Metadata, map[string]any{"k": "v"})
			across := got(st.Copy(c.Context(), bucket, "a.txt", "x.txt", &storage.CopyOptions{ToBucket: other}))(c)
			want(c, "bucket", across.Bucket, other)
			want(c, "data", c.text(st, other, "x.txt"), "a.txt")

			must(c, st.Move(c.Context(), bucket, "a.txt", "c/moved.txt"))
			want(c, "exists", got(st.Exists(c.Context(), bucket, "a.txt"))(c), false)
			want(c, "data", c.text(st, bucket, "c/moved.txt"), "a.txt")
			wantError(c, st.Move(c.Context(), bucket, "c/moved.txt", "taken.txt"), fs.ErrExist, "KeyAlreadyExists", "ResourceAlreadyExists")
			must(c, st.Move(c.Context(), bucket, "c/moved.txt", "moved.txt", &storage.MoveOptions{ToBucket: other}))
			want(c, "data", c.text(st, other, "moved.txt"), "a.txt")
		}},
		{Name: "storage/objects/removed", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			c.put(bucket, "a.txt", "b/c.txt", "b/d.txt")
			removed := got(st.Remove(c.Context(), bucket, "a.txt", "nope.txt", "/b/c.txt"))(c)
			want(c, "removed", len(removed), 2)
			for _, o := range removed {
				want(c, "size of "+o.Path, o.Size, int64(len(o.Path)))
			}
			left := pathsOf(got(st.ListObjects(c.Context(), bucket, "b"))(c))
			want(c, "left", left, []string{"b/d.txt"})
		}},
		{Name: "storage/objects/not for anybody", Run: func(c *C) {
			bucket, anon := c.bucket(), c.AnonFiles()
			c.put(bucket, "a.txt")
			_, err := anon.Download(c.Context(), bucket, "a.txt")
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			_, err = anon.UploadBytes(c.Context(), bucket, "b.txt", nil)
			wantError(c, err, fs.ErrPermission, "AccessDenied")
			want(c, "a list", len(got(anon.ListObjects(c.Context(), bucket, ""))(c)), 0)
			want(c, "removed", len(got(anon.Remove(c.Context(), bucket, "a.txt"))(c)), 0)
			want(c, "exists", got(anon.Exists(c.Context(), bucket, "a.txt"))(c), false)
			want(c, "data", c.text(c.Files(), bucket, "a.txt"), "a.txt")
		}},
		{Name: "storage/objects/users have their own", Needs: []Feature{OwnObjects}, Run: func(c *C) {
			bucket := c.bucket()
			ada, ben := c.User(), c.User()
			mine, theirs := c.FilesOf(ada), c.FilesOf(ben)
			got(mine.UploadBytes(c.Context(), bucket, "a.txt", []byte("ada's")))(c)
			want(c, "data", c.text(mine, bucket, "a.txt"), "ada's")
			_, err := theirs.Download(c.Context(), bucket, "a.txt")
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			want(c, "a list", len(got(theirs.ListObjects(c.Context(), bucket, ""))(c)), 0)
			_, err = theirs.UploadBytes(c.Context(), bucket, "a.txt", []byte("ben's"))
			wantError(c, err, fs.ErrExist, "KeyAlreadyExists", "ResourceAlreadyExists")
			_, err = theirs.UploadBytes(c.Context(), bucket, "a.txt", []byte("ben's"), &storage.UploadOptions{Upsert: true})
			wantError(c, err, fs.ErrPermission, "AccessDenied")
			want(c, "removed", len(got(theirs.Remove(c.Context(), bucket, "a.txt"))(c)), 0)
			_, err = theirs.CreateSignedURL(c.Context(), bucket, "a.txt", 60e9)
			wantError(c, err, fs.ErrNotExist, "NoSuchKey")
			removed := got(mine.Remove(c.Context(), bucket, "a.txt"))(c)
			if len(removed) != 1 || removed[0].Owner != ada.ID {
				c.Errorf("removed %+v, want one of the owner %s", removed, ada.ID)
			}
		}},
		{Name: "storage/objects/a file system", Run: func(c *C) {
			bucket := c.bucket()
			c.put(bucket, "index.html", "css/site.css", "docs/deep/er/x", "docs/a b.txt")
			files := c.Files().FS(c.Context(), bucket)
			if err := fstest.TestFS(files, "index.html", "css/site.css", "docs/deep/er/x", "docs/a b.txt"); err != nil {
				c.Error(err)
			}
			var walked []string
			must(c, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
				walked = append(walked, path)
				return err
			}))
			want(c, "a walk", walked, []string{".", "css", "css/site.css", "docs", "docs/a b.txt", "docs/deep", "docs/deep/er", "docs/deep/er/x", "index.html"})
			if _, err := fs.Stat(files, "nope"); !errors.Is(err, fs.ErrNotExist) {
				c.Errorf("a missing file: %v", err)
			}
		}},
		{Name: "storage/objects/another image", Needs: []Feature{Images}, Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			got(st.UploadBytes(c.Context(), bucket, "dot.gif", []byte(dot)))(c)
			file := got(st.Download(c.Context(), bucket, "dot.gif", &storage.DownloadOptions{Transform: &storage.Transform{Width: 3, Height: 3}}))(c)
			want(c, "an image", strings.HasPrefix(file.ContentType, "image/"), true)
		}},
		{Name: "storage/objects/out of the cache", Needs: []Feature{CachePurge}, Run: func(c *C) {
			bucket := c.bucket(&storage.BucketOptions{Public: true})
			c.put(bucket, "a.txt")
			must(c, c.Files().PurgeCache(c.Context(), bucket, "a.txt"))
		}},
	}
}

// dot is an image of one pixel.
const dot = "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
