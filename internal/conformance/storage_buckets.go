package conformance

import (
	"slices"

	"github.com/streamconn/streamconn/supabase/storage"
)

func bucketCases() []Case {
	return []Case{
		{Name: "storage/buckets/one", Run: func(c *C) {
			name := c.bucket(&storage.BucketOptions{Public: true, FileSizeLimit: 1 << 20, AllowedMIMETypes: []string{"text/plain", "image/*"}})
			b := got(c.Files().GetBucket(c.Context(), name))(c)
			want(c, "id", b.ID, name)
			want(c, "name", b.Name, name)
			want(c, "public", b.Public, true)
			want(c, "size limit", b.FileSizeLimit, 1<<20)
			want(c, "types", b.AllowedMIMETypes, []string{"text/plain", "image/*"})
			want(c, "times", b.CreatedAt.IsZero() || b.UpdatedAt.IsZero(), false)

			wantError(c, c.Files().CreateBucket(c.Context(), name), storage.ErrConflict, "BucketAlreadyExists", "ResourceAlreadyExists")
			plain := got(c.Files().GetBucket(c.Context(), c.bucket()))(c)
			want(c, "public unless said otherwise", plain.Public, false)
			want(c, "a limit of its own", plain.FileSizeLimit, 0)
			want(c, "types of its own", len(plain.AllowedMIMETypes), 0)
		}},
		{Name: "storage/buckets/a list", Run: func(c *C) {
			mine := []string{c.bucket(), c.bucket(), c.bucket()}
			var all []string
			for _, b := range got(c.Files().ListBuckets(c.Context()))(c) {
				all = append(all, b.Name)
			}
			for _, name := range mine {
				want(c, "in the list: "+name, slices.Contains(all, name), true)
			}
			prefix := "conformance-" + c.id
			var found []string
			for _, b := range got(c.Files().ListBuckets(c.Context(), &storage.ListBucketsOptions{
				Search: prefix, SortBy: "name", Descending: true, Limit: 2, Offset: 1,
			}))(c) {
				found = append(found, b.Name)
			}
			slices.Sort(mine)
			want(c, "the second and the third from the end", found, []string{mine[1], mine[0]})
		}},
		{Name: "storage/buckets/an update changes what it names", Run: func(c *C) {
			name := c.bucket(&storage.BucketOptions{Public: true, FileSizeLimit: 1000, AllowedMIMETypes: []string{"text/plain"}})
			check := func(public bool, limit int64, types ...string) {
				c.Helper()
				b := got(c.Files().GetBucket(c.Context(), name))(c)
				if b.Public != public || b.FileSizeLimit != limit || !slices.Equal(b.AllowedMIMETypes, types) {
					c.Errorf("bucket %+v, want public %t, %d bytes, %q", b, public, limit, types)
				}
			}
			st := c.Files()
			must(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{FileSizeLimit: new(int64(2000))}))
			check(true, 2000, "text/plain")
			must(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{Public: new(false)}))
			check(false, 2000, "text/plain")
			must(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{AllowedMIMETypes: &[]string{"image/png", "image/gif"}}))
			check(false, 2000, "image/png", "image/gif")
			must(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{FileSizeLimit: new(int64(0))}))
			check(false, 0, "image/png", "image/gif")
			must(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{AllowedMIMETypes: &[]string{}}))
			check(false, 0)
		}},
		{Name: "storage/buckets/an end", Run: func(c *C) {
			name := c.bucket()
			c.put(name, "a.txt")
			wantError(c, c.Files().DeleteBucket(c.Context(), name), storage.ErrConflict, "ResourceNotEmpty", "BucketNotEmpty")
			must(c, c.Files().EmptyBucket(c.Context(), name)) // the server takes its time
			got(c.Files().Remove(c.Context(), name, "a.txt"))(c)
			must(c, c.Files().DeleteBucket(c.Context(), name))
			_, err := c.Files().GetBucket(c.Context(), name)
			wantError(c, err, storage.ErrNotFound, "NoSuchBucket")
		}},
		{Name: "storage/buckets/none", Run: func(c *C) {
			name := c.Name("none")
			st := c.Files()
			_, err := st.GetBucket(c.Context(), name)
			wantError(c, err, storage.ErrNotFound, "NoSuchBucket")
			wantError(c, st.UpdateBucket(c.Context(), name, storage.BucketUpdate{Public: new(true)}), storage.ErrNotFound, "NoSuchBucket")
			wantError(c, st.EmptyBucket(c.Context(), name), storage.ErrNotFound, "NoSuchBucket")
			wantError(c, st.DeleteBucket(c.Context(), name), storage.ErrNotFound, "NoSuchBucket")
			_, err = st.UploadBytes(c.Context(), name, "a.txt", nil)
			wantError(c, err, storage.ErrNotFound, "NoSuchBucket")
			objects := got(st.ListObjects(c.Context(), name, ""))(c)
			want(c, "objects of no bucket", len(objects), 0)
		}},
		{Name: "storage/buckets/nobody but the owner", Run: func(c *C) {
			name := c.bucket()
			for _, b := range got(c.AnonFiles().ListBuckets(c.Context()))(c) {
				want(c, "a private bucket is seen", b.Name == name, false)
			}
			wantError(c, c.AnonFiles().CreateBucket(c.Context(), c.Name("anon")), storage.ErrForbidden, "AccessDenied")
			if err := c.AnonFiles().DeleteBucket(c.Context(), name); err == nil {
				c.Errorf("anybody deletes a bucket")
			}
		}},
	}
}
