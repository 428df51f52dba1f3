package storage

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// Bucket holds objects.
type Bucket struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Owner  string `json:"owner"` // who made it; empty: the service
	Public bool   `json:"public"`
	// Type is STANDARD, or that of another product; GetBucket does not give it.
	Type string `json:"type"`
	// FileSizeLimit is the largest object, in bytes; 0: the project's limit.
	FileSizeLimit int64 `json:"file_size_limit"`
	// AllowedMIMETypes are the content types that it takes (image/png, image/*); empty: all. Of an upload,
	// servers before the autumn of 2026 compare all that its Content-Type says: one of "text/plain;
	// charset=utf-8", as [TypeByName] has it for .txt, .md, .html, .css and .js, they take by text/*, or
	// by just that in the list, not by text/plain.
	AllowedMIMETypes []string  `json:"allowed_mime_types"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
}

// ListBucketsOptions are the options of [Client.ListBuckets]; the zero value lists all.
type ListBucketsOptions struct {
	Limit, Offset int    // 0: no limit, from the first
	Search        string // part of the name
	SortBy        string // id, name, created_at or updated_at; empty: the server's order
	Descending    bool   // with SortBy
}

// ListBuckets lists the buckets that the caller may see; none is no error.
func (c *Client) ListBuckets(ctx context.Context, opts ...*ListBucketsOptions) ([]Bucket, error) {
	o := last(opts)
	if o.Limit < 0 || o.Offset < 0 {
		return nil, invalid("a limit or offset below zero")
	}
	q := url.Values{}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.Limit > 0 || o.Offset > 0 {
		q.Set("offset", strconv.Itoa(o.Offset))
	}
	if o.SortBy != "" {
		q.Set("sortColumn", o.SortBy)
		q.Set("sortOrder", order(o.Descending))
	}
	if o.Search != "" {
		q.Set("search", o.Search)
	}
	buckets := []Bucket{}
	err := c.ask(ctx, &rest.Request{Method: http.MethodGet, Path: "bucket", Query: q.Encode()}, nil, &buckets)
	return buckets, err
}

// GetBucket is the bucket with that id; a missing one is [ErrNotFound].
func (c *Client) GetBucket(ctx context.Context, id string) (Bucket, error) {
	if err := checkBucket(id); err != nil {
		return Bucket{}, err
	}
	var b Bucket
	err := c.ask(ctx, &rest.Request{Method: http.MethodGet, Path: route("bucket", id, "")}, nil, &b)
	return b, err
}

// BucketOptions are the options of [Client.CreateBucket]. The zero value makes a private bucket
// without limits of its own.
type BucketOptions struct {
	Name             string   // empty: the id
	Public           bool     // whether its objects can be read without credentials
	FileSizeLimit    int64    // the largest object, in bytes; 0: the project's limit
	AllowedMIMETypes []string // the content types that it takes (image/png, image/*; see Bucket); empty: all
}

// CreateBucket makes a bucket; one that is there already is [ErrConflict], and fs.ErrExist.
func (c *Client) CreateBucket(ctx context.Context, id string, opts ...*BucketOptions) error {
	o := last(opts)
	if o.Name == "" {
		o.Name = id
	}
	if err := checkBucket(id); err != nil {
		return err
	}
	if err := checkBucket(o.Name); err != nil {
		return err
	}
	if o.FileSizeLimit < 0 {
		return invalid("a size limit below zero")
	}
	body := map[string]any{"id": id, "name": o.Name, "public": o.Public}
	if o.FileSizeLimit > 0 {
		body["file_size_limit"] = o.FileSizeLimit
	}
	if len(o.AllowedMIMETypes) > 0 {
		body["allowed_mime_types"] = o.AllowedMIMETypes
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: "bucket"}, body, nil)
}

// BucketUpdate is what [Client.UpdateBucket] changes. A nil field stays as it is.
//
//	storage.BucketUpdate{Public: new(true)}
//	storage.BucketUpdate{FileSizeLimit: new(int64(0))} // no limit any more
type BucketUpdate struct {
	Public           *bool
	FileSizeLimit    *int64    // in bytes; 0 takes the limit away
	AllowedMIMETypes *[]string // an empty list allows all
}

// UpdateBucket changes a bucket in what the update names, in one step; the rest stays as it is. An
// update of nothing is an [ErrInvalid].
func (c *Client) UpdateBucket(ctx context.Context, id string, update BucketUpdate) error {
	if err := checkBucket(id); err != nil {
		return err
	}
	body := map[string]any{} // the server leaves alone what is not in it; null clears
	if update.Public != nil {
		body["public"] = *update.Public
	}
	if limit := update.FileSizeLimit; limit != nil {
		switch {
		case *limit < 0:
			return invalid("a size limit below zero")
		case *limit == 0:
			body["file_size_limit"] = nil
		default:
			body["file_size_limit"] = *limit
		}
	}
	if types := update.AllowedMIMETypes; types != nil {
		if body["allowed_mime_types"] = *types; len(*types) == 0 {
			body["allowed_mime_types"] = nil
		}
	}
	if len(body) == 0 {
		return invalid("the update changes nothing")
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodPut, Path: route("bucket", id, "")}, body, nil)
}

// EmptyBucket has all objects of a bucket removed. The server only takes the order: it may take up
// to an hour until they are gone. What must be gone at once is for [Client.Remove], with the paths
// that [Client.Walk] gives.
func (c *Client) EmptyBucket(ctx context.Context, id string) error {
	if err := checkBucket(id); err != nil {
		return err
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: route("bucket", id, "") + "/empty"}, nil, nil)
}

// DeleteBucket deletes an empty bucket; one with objects is [ErrConflict].
func (c *Client) DeleteBucket(ctx context.Context, id string) error {
	if err := checkBucket(id); err != nil {
		return err
	}
	return c.ask(ctx, &rest.Request{Method: http.MethodDelete, Path: route("bucket", id, "")}, nil, nil)
}

func order(descending bool) string {
	if descending {
		return "desc"
	}
	return "asc"
}
