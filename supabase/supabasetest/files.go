package supabasetest

import (
	"errors"
	"fmt"
	"os"

	"github.com/streamconn/streamconn/internal/fakestorage"
)

// A BucketOption says more about the bucket of WithBucket.
type BucketOption func(*fakestorage.NewBucket)

// PublicBucket lets everybody read the objects.
func PublicBucket() BucketOption { return func(b *fakestorage.NewBucket) { b.Public = true } }

// FileSizeLimit is the most bytes that an object may have. Zero is no limit but the project's.
func FileSizeLimit(n int64) BucketOption { return func(b *fakestorage.NewBucket) { b.Limit = n } }

// AllowedMimeTypes are the types that objects may have, as image/png or image/*. As with Supabase's
// servers before the autumn of 2026, "text/plain; charset=utf-8" is not text/plain, but is text/*.
func AllowedMimeTypes(types ...string) BucketOption {
	return func(b *fakestorage.NewBucket) { b.Types = append(b.Types, types...) }
}

// WithBucket adds a bucket, private unless an option says otherwise.
func WithBucket(name string, opts ...BucketOption) Option {
	return func(c *config) error {
		b := fakestorage.NewBucket{Name: name}
		for _, o := range opts {
			o(&b)
		}
		c.buckets = append(c.buckets, b)
		return nil
	}
}

// An ObjectOption says more about the object of WithObject.
type ObjectOption func(*fakestorage.NewObject)

// ContentType is the type of the object. Without it application/octet-stream.
func ContentType(t string) ObjectOption { return func(o *fakestorage.NewObject) { o.ContentType = t } }

// CacheControl is the header that goes with the object. Without it no-cache.
func CacheControl(v string) ObjectOption {
	return func(o *fakestorage.NewObject) { o.CacheControl = v }
}

// OwnedBy is the user who owns the object, named by address, number or id.
func OwnedBy(who string) ObjectOption { return func(o *fakestorage.NewObject) { o.Owner = who } }

// ObjectMetadata is the user's metadata of the object.
func ObjectMetadata(m map[string]any) ObjectOption {
	return func(o *fakestorage.NewObject) { o.Metadata = m }
}

// WithObject adds an object to a bucket, which WithBucket has to add.
func WithObject(bucket, name string, data []byte, opts ...ObjectOption) Option {
	return func(c *config) error {
		o := fakestorage.NewObject{Bucket: bucket, Name: name, Data: data}
		for _, opt := range opts {
			opt(&o)
		}
		c.objects = append(c.objects, o)
		return nil
	}
}

// StorageAccess is something that somebody without a service key wants to do in storage.
//
//	Operation string         // Select, Insert, Update or Delete
//	Role      string         // of the token
//	UserID    string         // sub of the token; empty for the anonymous key
//	Claims    map[string]any // of the token; not to be changed
//	Bucket    string
//	Name      string // of the object; empty if it is about the bucket itself
//	Owner     string // of the object, as it is or would be; empty for a bucket
type StorageAccess = fakestorage.Access

// The operations of a StorageAccess, as row security tells them apart. To replace an object takes
// Insert, Select and Update; to delete one Select and Delete; to read or list one Select.
const (
	Select = fakestorage.Select
	Insert = fakestorage.Insert
	Update = fakestorage.Update
	Delete = fakestorage.Delete
)

// WithStoragePolicy says what those may do in storage who have no service key. Without it users do
// what they want with objects that they made, and nobody sees a bucket. The function is called from
// many goroutines, and must not call the server.
func WithStoragePolicy(policy func(StorageAccess) bool) Option {
	return func(c *config) error {
		if policy == nil {
			return errors.New("WithStoragePolicy: the policy is nil")
		}
		c.storage.Policy = policy
		return nil
	}
}

// WithStorageFolder keeps the bytes of objects in files of this folder, which must be there. Close
// leaves them.
func WithStorageFolder(dir string) Option {
	return func(c *config) error {
		if at, err := os.Stat(dir); err != nil || !at.IsDir() {
			return fmt.Errorf("WithStorageFolder(%s): it is no folder", dir)
		}
		c.storage.Dir = dir
		return nil
	}
}

// WithMaxUpload is the most bytes that any object may have. Without it 50 MiB, as in Supabase.
func WithMaxUpload(n int64) Option {
	return func(c *config) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxUpload(%d): it must be more than 0", n)
		}
		c.storage.MaxSize = n
		return nil
	}
}

// WithSecureUploads makes the addresses of resumable uploads begin with https, although the server
// has only http: the real one does so behind a proxy.
func WithSecureUploads() Option {
	return func(c *config) error { c.storage.Secure = true; return nil }
}

// Object is the bytes of an object, and whether it is there.
func (s *Server) Object(bucket, name string) ([]byte, bool) { return s.storage.Object(bucket, name) }
