package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/streamconn/streamconn/supabase/storage"
)

// The features of the storage service.
const (
	Images     Feature = "image transformations"
	CachePurge Feature = "cache purge"
	// OwnObjects lets users do what they want with the objects that they made, and nobody else with
	// those: for role authenticated, on storage.objects, for all using (owner_id = auth.uid()::text).
	OwnObjects Feature = "own objects"
)

func storageCases() []Case {
	return slices.Concat(
		bucketCases(),
		objectCases(),
		listCases(),
		urlCases(),
		resumableCases(),
	)
}

// Files is the storage as the project's owner sees it.
func (c *C) Files() *storage.Client { return c.filesAs(c.p.ServiceKey) }

// AnonFiles is the storage as anybody sees it.
func (c *C) AnonFiles() *storage.Client { return c.filesAs(c.p.AnonKey) }

// FilesOf is the storage as a user sees it.
func (c *C) FilesOf(u User) *storage.Client {
	return c.AnonFiles().WithToken(func(context.Context) (string, error) { return u.Token, nil })
}

func (c *C) filesAs(key string) *storage.Client {
	c.Helper()
	st, err := storage.New(c.URL(Storage), storage.WithKey(key), storage.WithHTTPClient(c.http))
	if err != nil {
		c.Fatal(err)
	}
	return st
}

// bucket makes a bucket, which is deleted with all that is in it when the case is over.
func (c *C) bucket(opts ...*storage.BucketOptions) string {
	c.Helper()
	name := c.Name("bucket")
	must(c, c.Files().CreateBucket(c.Context(), name, opts...))
	c.dropLater(name)
	return name
}

func (c *C) dropLater(bucket string) {
	st := c.Files()
	c.Later("bucket "+bucket, func(ctx context.Context) error {
		var paths []string
		for o, err := range st.Walk(ctx, bucket, "") {
			if err != nil {
				return err
			}
			paths = append(paths, o.Path)
		}
		if _, err := st.Remove(ctx, bucket, paths...); err != nil {
			return err
		}
		if err := st.DeleteBucket(ctx, bucket); !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		return nil
	})
}

// put stores objects; their data is their path.
func (c *C) put(bucket string, paths ...string) {
	c.Helper()
	for _, path := range paths {
		got(c.Files().UploadBytes(c.Context(), bucket, path, []byte(path)))(c)
	}
}

// text is an object's content.
func (c *C) text(st *storage.Client, bucket, path string) string {
	c.Helper()
	return string(got(st.Download(c.Context(), bucket, path))(c).Data)
}

// fetch reads an address as anybody would.
func (c *C) fetch(address string) (status int, header http.Header, body string) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, address, nil)
	must(c, err)
	resp, err := c.http.Do(req)
	must(c, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(c, err)
	return resp.StatusCode, resp.Header, string(text)
}

func pathsOf(objects []storage.Object) []string {
	paths := []string{}
	for _, o := range objects {
		paths = append(paths, o.Path)
	}
	return paths
}

// pattern is bytes of which no part is like another.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), i%97))
		b.WriteByte(byte(i))
		b.WriteByte(byte(i >> 8))
	}
	return b.Bytes()[:n]
}
