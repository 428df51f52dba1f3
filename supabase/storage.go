package supabase

import (
	"context"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/storage"
)

// The values of package storage, which says more about each.
type (
	// Bucket is a bucket, as the server describes it.
	Bucket = storage.Bucket
	// BucketOptions are the settings of a new bucket.
	BucketOptions = storage.BucketOptions
	// BucketUpdate is what changes about a bucket; nil leaves a setting as it is.
	BucketUpdate = storage.BucketUpdate
	// ListBucketsOptions say which buckets are listed, and in which order.
	ListBucketsOptions = storage.ListBucketsOptions
	// Object is an object, without its content, or a folder in a list.
	Object = storage.Object
	// File is an object in memory.
	File = storage.File
	// UploadOptions are the options of one upload.
	UploadOptions = storage.UploadOptions
	// UploadResult is an object that was stored.
	UploadResult = storage.UploadResult
	// DownloadOptions select a part of an object, or make another image of it.
	DownloadOptions = storage.DownloadOptions
	// ListOptions say which objects of a folder are listed, and in which order.
	ListOptions = storage.ListOptions
	// PageOptions say which page of a bucket's objects is meant.
	PageOptions = storage.PageOptions
	// ObjectPage is a page of objects, and the cursor of the next.
	ObjectPage = storage.Page
	// MoveOptions say where an object is moved to.
	MoveOptions = storage.MoveOptions
	// CopyOptions say where an object is copied to, and how.
	CopyOptions = storage.CopyOptions
	// PurgeOptions say what the CDN is to forget.
	PurgeOptions = storage.PurgeOptions
	// URLOptions are what a URL of an object says besides.
	URLOptions = storage.URLOptions
	// Transform is how the server makes another image of one.
	Transform = storage.Transform
	// SignedURL is one of many signed URLs, or why there is none.
	SignedURL = storage.SignedURL
	// SignedURLs are those of many objects.
	SignedURLs = storage.SignedURLs
	// SignedUpload is a URL and a token for one upload.
	SignedUpload = storage.SignedUpload
	// SignedUploadOptions are what is said when an upload is signed.
	SignedUploadOptions = storage.SignedUploadOptions
)

// files is the project's storage through the client that the connection has at the moment.
func (c *Conn) files() *storage.Client {
	return storage.Over(sender{c.Connection, func(client *Client) *rest.Client { return client.storage }})
}

// The texts of the keys of what is cached of the storage: of all buckets together, and of each.
const keyOfBuckets = "storage\x00"

func keyOfBucket(bucket string) string { return keyOfBuckets + bucket }

// readFiles is a cached read of the storage, tried again after faults that pass. Its key is text, and
// what else makes the call: its name, and its arguments. Options with a function in them are not
// compared, and not cached.
func readFiles[V any](ctx context.Context, c *Conn, op, text string, args []any, load func(context.Context, *storage.Client) (V, error)) (V, error) {
	encoded, stable := cache.AppendArg(nil, op)
	for _, arg := range args {
		if stable {
			encoded, stable = cache.AppendArg(encoded, arg)
		}
	}
	var key cache.Key
	if stable {
		if v, hit := connection.LookupLasting[V](c.Connection, text, encoded, &c.policy); hit {
			return v, nil
		}
		key = cache.MakeKey(text, encoded)
	}
	v, err := connection.LoadLasting(ctx, c.Connection, key, c.policy, func(ctx context.Context, client *Client) (V, error) {
		return load(ctx, storage.Over(client.storageOnce))
	})
	return v, connection.Wrap(c, op, err)
}

// changeFiles runs a write of the storage once. Whatever comes of it, the cached reads of these
// buckets, and of their list, end, for every user; those of the database do not.
func (c *Conn) changeFiles(op string, change func(*storage.Client) error, buckets ...string) error {
	if !c.keepCache {
		all := connection.Root(c)
		defer func() {
			for _, bucket := range buckets {
				connection.ClearText(all, keyOfBucket(bucket), nil)
			}
			connection.ClearText(all, keyOfBuckets, nil)
		}()
	}
	return connection.Wrap(c, op, change(c.files()))
}

// ListBuckets gives the buckets that the key, or the view's user, may see. It is cached.
func (c *Conn) ListBuckets(ctx context.Context, opts ...*ListBucketsOptions) ([]Bucket, error) {
	return readFiles(ctx, c, "list buckets", keyOfBuckets, valuesOf(opts), func(ctx context.Context, st *storage.Client) ([]Bucket, error) {
		return st.ListBuckets(ctx, opts...)
	})
}

// GetBucket gives a bucket, or [ErrNotFound]. It is cached.
func (c *Conn) GetBucket(ctx context.Context, bucket string) (Bucket, error) {
	return readFiles(ctx, c, "get bucket", keyOfBucket(bucket), nil, func(ctx context.Context, st *storage.Client) (Bucket, error) {
		return st.GetBucket(ctx, bucket)
	})
}

// CreateBucket makes a bucket; one that is there is [ErrConflict].
func (c *Conn) CreateBucket(ctx context.Context, bucket string, opts ...*BucketOptions) error {
	return c.changeFiles("create bucket", func(st *storage.Client) error {
		return st.CreateBucket(ctx, bucket, opts...)
	}, bucket)
}

// UpdateBucket changes the settings of a bucket; what is nil in update stays as it is.
func (c *Conn) UpdateBucket(ctx context.Context, bucket string, update BucketUpdate) error {
	return c.changeFiles("update bucket", func(st *storage.Client) error {
		return st.UpdateBucket(ctx, bucket, update)
	}, bucket)
}

// EmptyBucket has the server delete all objects of a bucket, which may take it an hour.
func (c *Conn) EmptyBucket(ctx context.Context, bucket string) error {
	return c.changeFiles("empty bucket", func(st *storage.Client) error {
		return st.EmptyBucket(ctx, bucket)
	}, bucket)
}

// DeleteBucket deletes a bucket that has no objects; one that has is [ErrConflict].
func (c *Conn) DeleteBucket(ctx context.Context, bucket string) error {
	return c.changeFiles("delete bucket", func(st *storage.Client) error {
		return st.DeleteBucket(ctx, bucket)
	}, bucket)
}

// valuesOf are options as they are now, for a key: pointers to them say nothing.
func valuesOf[O any](opts []*O) []any {
	var values []any
	for _, o := range opts {
		if o != nil {
			values = append(values, *o)
		}
	}
	return values
}
