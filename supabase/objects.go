package supabase

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase/storage"
)

// Upload stores what r gives, from where it stands to its end, as a new object, or in place of one
// with Upsert. It streams: memory does not grow with the size. The content type is told by the
// path's extension, else by the first bytes. It is sent once; [Conn.UploadResumable] survives a
// broken connection.
func (c *Conn) Upload(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("upload", func(st *storage.Client) error {
		result, err = st.Upload(ctx, bucket, path, r, opts...)
		return err
	}, bucket)
	return result, err
}

// UploadBytes stores data: see [Conn.Upload].
func (c *Conn) UploadBytes(ctx context.Context, bucket, path string, data []byte, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("upload", func(st *storage.Client) error {
		result, err = st.UploadBytes(ctx, bucket, path, data, opts...)
		return err
	}, bucket)
	return result, err
}

// UploadFile stores the file called name: see [Conn.Upload]. An empty path stores it under its own
// name.
func (c *Conn) UploadFile(ctx context.Context, bucket, path, name string, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("upload", func(st *storage.Client) error {
		result, err = st.UploadFile(ctx, bucket, path, name, opts...)
		return err
	}, bucket)
	return result, err
}

// Update stores what r gives in place of the object at path, or as a new one if there is none. It
// is otherwise [Conn.Upload].
func (c *Conn) Update(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("update", func(st *storage.Client) error {
		result, err = st.Update(ctx, bucket, path, r, opts...)
		return err
	}, bucket)
	return result, err
}

// UploadResumable stores what r gives in chunks of 6 MiB, and goes on where it was after a broken
// connection; with ResumeURL, after a restart of the program. See storage.Client.UploadResumable.
func (c *Conn) UploadResumable(ctx context.Context, bucket, path string, r io.Reader, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("upload", func(st *storage.Client) error {
		result, err = st.UploadResumable(ctx, bucket, path, r, opts...)
		return err
	}, bucket)
	return result, err
}

// Download reads an object into memory: its name, its content type as it was stored, its data. It
// is cached, if it is not larger than a sixteenth of the cache, and nobody is told of its progress.
// For what is large there are [Conn.NewReader] and [Conn.DownloadTo].
func (c *Conn) Download(ctx context.Context, bucket, path string, opts ...*DownloadOptions) (File, error) {
	args := []any{path}
	for _, o := range opts {
		switch {
		case o == nil:
		case o.Progress != nil:
			args = append(args, o.Progress) // which makes it a download of its own
		default:
			args = append(args, o.Offset, o.Length, o.Transform, o.Public, o.MaxSize)
		}
	}
	return readFiles(ctx, c, "download", keyOfBucket(bucket), args, func(ctx context.Context, st *storage.Client) (File, error) {
		return st.Download(ctx, bucket, path, opts...)
	})
}

// DownloadTo writes an object to w as it comes, and tells how many bytes it wrote. It is not cached.
func (c *Conn) DownloadTo(ctx context.Context, bucket, path string, w io.Writer, opts ...*DownloadOptions) (int64, error) {
	n, err := c.files().DownloadTo(ctx, bucket, path, w, opts...)
	return n, connection.Wrap(c, "download", err)
}

// NewReader opens an object for reading as it comes; the caller must close it. It lives no longer
// than ctx, and is not cached. A broken connection is taken up where it broke.
func (c *Conn) NewReader(ctx context.Context, bucket, path string, opts ...*DownloadOptions) (*storage.Reader, error) {
	r, err := c.files().NewReader(ctx, bucket, path, opts...)
	return r, connection.Wrap(c, "download", err)
}

// FS is a bucket as a file system that is only read: for http.FileServerFS, templates and
// fs.WalkDir. All that is read from it is read with ctx, and is not cached.
func (c *Conn) FS(ctx context.Context, bucket string) *storage.FS { return c.files().FS(ctx, bucket) }

// Info tells about an object, without its content. It is cached.
func (c *Conn) Info(ctx context.Context, bucket, path string) (Object, error) {
	return readFiles(ctx, c, "info", keyOfBucket(bucket), []any{path}, func(ctx context.Context, st *storage.Client) (Object, error) {
		return st.Info(ctx, bucket, path)
	})
}

// Exists tells whether there is an object that can be seen. It is cached.
func (c *Conn) Exists(ctx context.Context, bucket, path string) (bool, error) {
	return readFiles(ctx, c, "exists", keyOfBucket(bucket), []any{path}, func(ctx context.Context, st *storage.Client) (bool, error) {
		return st.Exists(ctx, bucket, path)
	})
}

// ListObjects gives the objects and folders of one folder of a bucket, 100 without a Limit; an empty
// folder is the bucket itself. A bucket that is not there is an empty list. It is cached.
func (c *Conn) ListObjects(ctx context.Context, bucket, folder string, opts ...*ListOptions) ([]Object, error) {
	args := append([]any{folder}, valuesOf(opts)...)
	return readFiles(ctx, c, "list objects", keyOfBucket(bucket), args, func(ctx context.Context, st *storage.Client) ([]Object, error) {
		return st.ListObjects(ctx, bucket, folder, opts...)
	})
}

// ListPage gives a page of a bucket's objects, and the cursor of the next. It is cached.
func (c *Conn) ListPage(ctx context.Context, bucket string, opts ...*PageOptions) (ObjectPage, error) {
	return readFiles(ctx, c, "list page", keyOfBucket(bucket), valuesOf(opts), func(ctx context.Context, st *storage.Client) (ObjectPage, error) {
		return st.ListPage(ctx, bucket, opts...)
	})
}

// Walk gives all objects below a folder of a bucket, at every depth, page by page as they are
// needed. It is not cached. After an error there is nothing more.
func (c *Conn) Walk(ctx context.Context, bucket, folder string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for object, err := range c.files().Walk(ctx, bucket, folder) {
			if !yield(object, connection.Wrap(c, "walk", err)) {
				return
			}
		}
	}
}

// Move gives an object another path, or another bucket.
func (c *Conn) Move(ctx context.Context, bucket, from, to string, opts ...*MoveOptions) error {
	buckets := []string{bucket}
	for _, o := range opts {
		if o != nil && o.ToBucket != "" {
			buckets = append(buckets, o.ToBucket)
		}
	}
	return c.changeFiles("move", func(st *storage.Client) error { return st.Move(ctx, bucket, from, to, opts...) }, buckets...)
}

// Copy copies an object to another path, or another bucket.
func (c *Conn) Copy(ctx context.Context, bucket, from, to string, opts ...*CopyOptions) (object Object, err error) {
	buckets := []string{bucket}
	for _, o := range opts {
		if o != nil && o.ToBucket != "" {
			buckets = append(buckets, o.ToBucket)
		}
	}
	err = c.changeFiles("copy", func(st *storage.Client) error {
		object, err = st.Copy(ctx, bucket, from, to, opts...)
		return err
	}, buckets...)
	return object, err
}

// Remove deletes objects, any number of them, and gives those that it deleted: paths that are not
// there, or not to be seen, are missing among them.
func (c *Conn) Remove(ctx context.Context, bucket string, paths ...string) (removed []Object, err error) {
	err = c.changeFiles("remove", func(st *storage.Client) error {
		removed, err = st.Remove(ctx, bucket, paths...)
		return err
	}, bucket)
	return removed, err
}

// PurgeCache has the CDN forget an object; an empty path means the bucket.
func (c *Conn) PurgeCache(ctx context.Context, bucket, path string, opts ...*PurgeOptions) error {
	return c.changeFiles("purge", func(st *storage.Client) error { return st.PurgeCache(ctx, bucket, path, opts...) }, bucket)
}

// CreateSignedURL makes a URL by which anybody can read an object until expiresIn is over.
func (c *Conn) CreateSignedURL(ctx context.Context, bucket, path string, expiresIn time.Duration, opts ...*URLOptions) (string, error) {
	url, err := c.files().CreateSignedURL(ctx, bucket, path, expiresIn, opts...)
	return url, connection.Wrap(c, "sign", err)
}

// CreateSignedURLs makes a URL for each of many objects. One that cannot be had is the Err of its
// item, and no error of the call.
func (c *Conn) CreateSignedURLs(ctx context.Context, bucket string, paths []string, expiresIn time.Duration, opts ...*URLOptions) (SignedURLs, error) {
	urls, err := c.files().CreateSignedURLs(ctx, bucket, paths, expiresIn, opts...)
	return urls, connection.Wrap(c, "sign", err)
}

// GetPublicURL gives the URL of an object in a public bucket. Nothing is sent: whether there is such
// an object, and the bucket is public, is not looked at. It needs ctx only to connect, if there is no client.
func (c *Conn) GetPublicURL(ctx context.Context, bucket, path string, opts ...*URLOptions) (string, error) {
	url, err := c.files().GetPublicURL(ctx, bucket, path, opts...)
	return url, connection.Wrap(c, "public url", err)
}

// CreateSignedUploadURL makes a URL, and a token, by which anybody can upload one object for two
// hours. Whether that may replace one is said here.
func (c *Conn) CreateSignedUploadURL(ctx context.Context, bucket, path string, opts ...*SignedUploadOptions) (SignedUpload, error) {
	upload, err := c.files().CreateSignedUploadURL(ctx, bucket, path, opts...)
	return upload, connection.Wrap(c, "sign upload", err)
}

// UploadToSignedURL uploads with the token of [Conn.CreateSignedUploadURL], in place of any
// credentials.
func (c *Conn) UploadToSignedURL(ctx context.Context, bucket, path, token string, r io.Reader, opts ...*UploadOptions) (result UploadResult, err error) {
	err = c.changeFiles("upload", func(st *storage.Client) error {
		result, err = st.UploadToSignedURL(ctx, bucket, path, token, r, opts...)
		return err
	}, bucket)
	return result, err
}
