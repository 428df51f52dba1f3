package storage

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/streamconn/streamconn/internal/rest"
)

// maxBatch is how many objects storage takes in one request.
const maxBatch = 1000

// MoveOptions are the options of [Client.Move].
type MoveOptions struct {
	ToBucket string // empty: the same
}

// Move gives an object another path, or another bucket. One that is there already is [ErrConflict].
func (c *Client) Move(ctx context.Context, bucket, from, to string, opts ...*MoveOptions) error {
	body, err := fromTo(bucket, from, last(opts).ToBucket, to)
	if err != nil {
		return err
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: "object/move"}, body, nil)
}

// CopyOptions are the options of [Client.Copy].
type CopyOptions struct {
	ToBucket string // empty: the same
	Upsert   bool   // replaces what is there

	// Metadata, if it is not nil, is what the copy has in place of the original's.
	Metadata map[string]any
}

// Copy copies an object to another path, or into another bucket, and tells what was made. Without
// Upsert, one that is there already is [ErrConflict], and fs.ErrExist.
func (c *Client) Copy(ctx context.Context, bucket, from, to string, opts ...*CopyOptions) (Object, error) {
	o := last(opts)
	body, err := fromTo(bucket, from, o.ToBucket, to)
	if err != nil {
		return Object{}, err
	}
	header := http.Header{}
	if o.Upsert {
		header["X-Upsert"] = []string{"true"}
	}
	if o.Metadata != nil {
		text, err := (&UploadOptions{Metadata: o.Metadata}).metadata()
		if err != nil {
			return Object{}, err
		}
		header["X-Metadata"] = []string{base64.StdEncoding.EncodeToString(text)}
		body["copyMetadata"] = false
	}
	var made row
	if err := c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: "object/copy", Header: header}, body, &made); err != nil {
		return Object{}, err
	}
	if made.ID == nil {
		made.ID = new("") // older servers tell no more than the key
	}
	if made.Name == "" {
		made.Name, _ = body["destinationKey"].(string)
	}
	toBucket := o.ToBucket
	if toBucket == "" {
		toBucket = bucket
	}
	return made.object(toBucket, ""), nil
}

func fromTo(bucket, from, toBucket, to string) (map[string]any, error) {
	if err := checkBucket(bucket); err != nil {
		return nil, err
	}
	source, err := objectPath(from)
	if err != nil {
		return nil, err
	}
	target, err := objectPath(to)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"bucketId": bucket, "sourceKey": source, "destinationKey": target}
	if toBucket != "" && toBucket != bucket {
		if err := checkBucket(toBucket); err != nil {
			return nil, err
		}
		body["destinationBucket"] = toBucket
	}
	return body, nil
}

// Remove removes any number of objects, 1000 in a request, and tells which were there. Those that
// were not, or that the caller may not remove, are not among them: that is no error. After an error
// it tells what was removed before.
func (c *Client) Remove(ctx context.Context, bucket string, paths ...string) ([]Object, error) {
	if err := checkBucket(bucket); err != nil {
		return nil, err
	}
	keys, err := objectPaths(paths)
	if err != nil {
		return nil, err
	}
	removed := []Object{}
	for batch := range slices.Chunk(keys, maxBatch) {
		var rows []row
		err := c.ask(ctx, &rest.Request{Method: http.MethodDelete, Path: route("object", bucket, "")}, map[string]any{"prefixes": batch}, &rows)
		if err != nil {
			return removed, err
		}
		removed = append(removed, objects(rows, bucket, "")...)
	}
	return removed, nil
}

func objectPaths(paths []string) ([]string, error) {
	keys := make([]string, len(paths))
	for i, path := range paths {
		var err error
		if keys[i], err = objectPath(path); err != nil {
			return nil, fmt.Errorf("path %d of %d: %w", i+1, len(paths), err)
		}
	}
	return keys, nil
}

// PurgeOptions are the options of [Client.PurgeCache].
type PurgeOptions struct {
	// TransformsOnly leaves the object itself, and purges the images made of it.
	TransformsOnly bool
}

// PurgeCache takes an object out of the CDN's cache; an empty path takes all objects of the bucket.
// It needs a secret key, and a project that has the feature. Browsers keep what they have.
func (c *Client) PurgeCache(ctx context.Context, bucket, path string, opts ...*PurgeOptions) error {
	target, err := route("cdn", bucket, ""), checkBucket(bucket)
	if err == nil && path != "" {
		target, _, err = objectRoute("cdn", bucket, path)
	}
	if err != nil {
		return err
	}
	q := url.Values{}
	if last(opts).TransformsOnly {
		q.Set("transformations", "true")
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodDelete, Path: target, Query: q.Encode()}, nil, nil)
}
