package storage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// Object is what storage knows of an object, or a folder in a list. What the server does not tell
// where it comes from is zero: lists give no user metadata and no version, [Client.Info] no owner.
type Object struct {
	Path         string // in the bucket
	Name         string // the last part of Path
	Folder       bool   // a folder in a list: only Path and Name are set
	ID           string
	Bucket       string
	Owner        string // the user who stored it; empty: the service
	Version      string // another one after each change
	Size         int64  // in bytes
	ContentType  string
	CacheControl string
	ETag         string         // with its quotes
	Metadata     map[string]any // what was given with the upload
	CreatedAt    time.Time
	UpdatedAt    time.Time
	AccessedAt   time.Time
}

// Info is what storage knows of an object; a missing one is [ErrNotFound].
func (c *Client) Info(ctx context.Context, bucket, path string) (Object, error) {
	target, key, err := objectRoute("object/info", bucket, path)
	if err != nil {
		return Object{}, err
	}
	var info struct {
		ID           string         `json:"id"`
		Version      string         `json:"version"`
		Size         int64          `json:"size"`
		ContentType  string         `json:"content_type"`
		CacheControl string         `json:"cache_control"`
		ETag         string         `json:"etag"`
		Metadata     map[string]any `json:"metadata"`
		LastModified time.Time      `json:"last_modified"`
		CreatedAt    time.Time      `json:"created_at"`
	}
	if err := c.ask(ctx, &rest.Request{Method: http.MethodGet, Path: target}, nil, &info); err != nil {
		return Object{}, err
	}
	return Object{
		Path: key, Name: base(key), ID: info.ID, Bucket: bucket, Version: info.Version, Size: info.Size,
		ContentType: info.ContentType, CacheControl: info.CacheControl, ETag: info.ETag, Metadata: info.Metadata,
		CreatedAt: info.CreatedAt, UpdatedAt: info.LastModified,
	}, nil
}

// Exists tells whether an object is there, and to be seen by the caller.
func (c *Client) Exists(ctx context.Context, bucket, path string) (bool, error) {
	target, _, err := objectRoute("object", bucket, path)
	if err != nil {
		return false, err
	}
	_, err = c.send.Do(ctx, &rest.Request{Method: http.MethodHead, Path: target})
	if err == nil {
		return true, nil
	}
	// Storage says 400 where it means 404, or that a token is bad, and an answer to HEAD has no body to
	// tell, nor whether it is storage's at all. It is asked for what it knows instead, which has words.
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound {
		return false, err
	}
	_, err = c.Info(ctx, bucket, path)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// row is an object as lists, removals and copies give it.
type row struct {
	Name     string  `json:"name"`
	ID       *string `json:"id"` // null: a folder
	Bucket   string  `json:"bucket_id"`
	Owner    string  `json:"owner_id"`
	OldOwner string  `json:"owner"`
	Version  string  `json:"version"`
	System   struct {
		ETag          string `json:"eTag"`
		Size          int64  `json:"size"`
		ContentLength int64  `json:"contentLength"`
		MIMEType      string `json:"mimetype"`
		CacheControl  string `json:"cacheControl"`
	} `json:"metadata"`
	Metadata   map[string]any `json:"user_metadata"`
	Updated    time.Time      `json:"updated_at"`
	CreatedAt  time.Time      `json:"created_at"`
	AccessedAt time.Time      `json:"last_accessed_at"`
}

// object makes an Object of a row of a bucket whose path is below folder, empty for the bucket's own.
func (r *row) object(bucket, folder string) Object {
	path := strings.TrimSuffix(r.Name, "/")
	if folder != "" {
		path = folder + "/" + path
	}
	if r.ID == nil {
		return Object{Path: path, Name: base(path), Folder: true, Bucket: bucket}
	}
	owner := r.Owner
	if owner == "" {
		owner = r.OldOwner
	}
	return Object{
		Path: path, Name: base(path), ID: *r.ID, Bucket: bucket, Owner: owner, Version: r.Version,
		Size: max(r.System.Size, r.System.ContentLength), ContentType: r.System.MIMEType, CacheControl: r.System.CacheControl,
		ETag: r.System.ETag, Metadata: r.Metadata, CreatedAt: r.CreatedAt, UpdatedAt: r.Updated, AccessedAt: r.AccessedAt,
	}
}

func objects(rows []row, bucket, folder string) []Object {
	list := make([]Object, len(rows))
	for i := range rows {
		list[i] = rows[i].object(bucket, folder)
	}
	return list
}

// ListOptions are the options of [Client.ListObjects]; the zero value is the first 100, by name.
type ListOptions struct {
	Limit, Offset int    // Limit zero: 100
	SortBy        string // name, created_at, updated_at or last_accessed_at; empty: name
	Descending    bool
	Search        string // the beginning of the name
}

// ListObjects lists the objects and folders right below a folder of a bucket; an empty folder is the
// bucket itself. It gives one page: [Client.Walk] gives all, at every depth. A bucket that does not
// exist, or is not to be seen, has no objects; that is no error.
func (c *Client) ListObjects(ctx context.Context, bucket, folder string, opts ...*ListOptions) ([]Object, error) {
	o := last(opts)
	if err := checkBucket(bucket); err != nil {
		return nil, err
	}
	folder, err := folderPath(folder)
	if err != nil {
		return nil, err
	}
	if o.Limit < 0 || o.Offset < 0 {
		return nil, invalid("a limit or offset below zero")
	}
	body := map[string]any{"prefix": folder}
	if o.Limit > 0 || o.Offset > 0 {
		body["offset"] = o.Offset
		if body["limit"] = o.Limit; o.Limit == 0 {
			body["limit"] = 100
		}
	}
	if o.SortBy != "" || o.Descending {
		sort := map[string]string{"column": o.SortBy, "order": order(o.Descending)}
		if o.SortBy == "" {
			sort["column"] = "name"
		}
		body["sortBy"] = sort
	}
	if o.Search != "" {
		body["search"] = o.Search
	}
	var rows []row
	err = c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: route("object/list", bucket, ""), Idempotent: true}, body, &rows)
	if err != nil {
		return nil, err
	}
	return objects(rows, bucket, folder), nil
}

// PageOptions are the options of [Client.ListPage]; the zero value is the first page of all objects
// of the bucket, by path.
type PageOptions struct {
	Prefix string // how the path begins; it ends anywhere in it: "2026/q" as well as "2026/"
	// Folders gathers what has a further slash after the prefix into folders.
	Folders    bool
	Limit      int    // at most so many objects and folders, 1000 at most; 0: the server's default
	Cursor     string // NextCursor of the page before
	SortBy     string // name, created_at or updated_at; empty: name
	Descending bool   // with SortBy
}

// Page is a part of a list.
type Page struct {
	Objects    []Object
	Folders    []Object // with PageOptions.Folders
	NextCursor string   // of the page after this one; empty: this is the last
}

// ListPage lists objects at every depth, page by page, by a cursor that stays valid while objects
// come and go. [Client.Walk] does it for all pages.
func (c *Client) ListPage(ctx context.Context, bucket string, opts ...*PageOptions) (Page, error) {
	o := last(opts)
	if err := checkBucket(bucket); err != nil {
		return Page{}, err
	}
	prefix := strings.TrimLeft(o.Prefix, "/")
	if r, found := refused(prefix, inKey); found {
		return Page{}, invalid("the prefix %q has %q, which storage refuses", o.Prefix, r)
	}
	if o.Limit < 0 {
		return Page{}, invalid("a limit below zero")
	}
	body := map[string]any{"prefix": prefix, "with_delimiter": o.Folders}
	if o.Limit > 0 {
		body["limit"] = o.Limit
	}
	if o.Cursor != "" {
		body["cursor"] = o.Cursor
	}
	if o.SortBy != "" {
		body["sortBy"] = map[string]string{"column": o.SortBy, "order": order(o.Descending)}
	}
	var got struct {
		HasNext    bool   `json:"hasNext"`
		NextCursor string `json:"nextCursor"`
		Folders    []row  `json:"folders"`
		Objects    []row  `json:"objects"`
	}
	err := c.ask(ctx, &rest.Request{Method: http.MethodPost, Path: route("object/list-v2", bucket, ""), Idempotent: true}, body, &got)
	if err != nil {
		return Page{}, err
	}
	page := Page{Objects: objects(got.Objects, bucket, ""), Folders: objects(got.Folders, bucket, "")}
	if got.HasNext {
		page.NextCursor = got.NextCursor
	}
	return page, nil
}
