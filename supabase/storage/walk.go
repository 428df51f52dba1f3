package storage

import (
	"context"
	"errors"
	"iter"
)

// walkPage is how many objects a walk asks for at a time.
const walkPage = 1000

// Walk gives all objects below a folder of a bucket, at every depth, in the order of their paths;
// an empty folder is the bucket itself. Pages are fetched as they are needed, and objects may be
// removed on the way. After an error, which comes with a zero Object, there is nothing more.
func (c *Client) Walk(ctx context.Context, bucket, folder string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		prefix, err := folderPath(folder)
		if err != nil {
			yield(Object{}, err)
			return
		}
		if prefix != "" {
			prefix += "/"
		}
		for cursor := ""; ; {
			page, err := c.ListPage(ctx, bucket, &PageOptions{Prefix: prefix, Limit: walkPage, Cursor: cursor})
			if err == nil && page.NextCursor != "" && page.NextCursor == cursor {
				err = errors.New("storage: the list does not go on: the server gives the same page again")
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Objects {
				if !yield(o, nil) {
					return
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				return
			}
		}
	}
}
