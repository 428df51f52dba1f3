package conformance

import (
	"fmt"
	"slices"

	"github.com/streamconn/streamconn/supabase/storage"
)

func listCases() []Case {
	return []Case{
		{Name: "storage/lists/a folder", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			c.put(bucket, "b.txt", "a.txt", "f/c.txt", "f/d.txt", "f/g/h.txt", "fx/y.txt")
			root := got(st.ListObjects(c.Context(), bucket, ""))(c)
			want(c, "the bucket", pathsOf(root), []string{"a.txt", "b.txt", "f", "fx"})
			for _, o := range root {
				want(c, "folder "+o.Path, o.Folder, o.Path == "f" || o.Path == "fx")
				if !o.Folder && (o.Size != 5 || o.ID == "" || o.ETag == "" || o.UpdatedAt.IsZero() || o.ContentType == "") {
					c.Errorf("object %+v", o)
				}
			}
			for _, folder := range []string{"f", "/f", "f/"} {
				want(c, folder, pathsOf(got(st.ListObjects(c.Context(), bucket, folder))(c)), []string{"f/c.txt", "f/d.txt", "f/g"})
			}
			want(c, "no folder", pathsOf(got(st.ListObjects(c.Context(), bucket, "nope"))(c)), []string{})
			want(c, "a part", pathsOf(got(st.ListObjects(c.Context(), bucket, "f", &storage.ListOptions{Limit: 1, Offset: 1}))(c)), []string{"f/d.txt"})
			want(c, "by name", pathsOf(got(st.ListObjects(c.Context(), bucket, "f", &storage.ListOptions{Search: "d"}))(c)), []string{"f/d.txt"})
			backwards := pathsOf(got(st.ListObjects(c.Context(), bucket, "f/", &storage.ListOptions{SortBy: "name", Descending: true}))(c))
			want(c, "the other way round", slices.Index(backwards, "f/d.txt") < slices.Index(backwards, "f/c.txt"), true)
			_, err := st.ListObjects(c.Context(), bucket, "", &storage.ListOptions{SortBy: "banana"})
			wantError(c, err, nil, "InvalidRequest")
		}},
		{Name: "storage/lists/pages by a cursor", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			var all []string
			for i := range 7 {
				all = append(all, fmt.Sprintf("p/%d/%d.txt", i%3, i))
			}
			c.put(bucket, all...)
			c.put(bucket, "other.txt", "px/1.txt")
			slices.Sort(all)
			var read []string
			pages := 0
			for cursor := ""; ; pages++ {
				page := got(st.ListPage(c.Context(), bucket, &storage.PageOptions{Prefix: "p/", Limit: 3, Cursor: cursor}))(c)
				read = append(read, pathsOf(page.Objects)...)
				want(c, "folders", len(page.Folders), 0)
				if cursor = page.NextCursor; cursor == "" || pages > 5 {
					break
				}
			}
			want(c, "all pages", read, all)
			want(c, "a part of a name", len(got(st.ListPage(c.Context(), bucket, &storage.PageOptions{Prefix: "p"}))(c).Objects), 8)

			page := got(st.ListPage(c.Context(), bucket, &storage.PageOptions{Prefix: "p/", Folders: true}))(c)
			want(c, "folders", pathsOf(page.Folders), []string{"p/0", "p/1", "p/2"})
			want(c, "objects", pathsOf(page.Objects), []string{})
			page = got(st.ListPage(c.Context(), bucket, &storage.PageOptions{Folders: true}))(c)
			want(c, "folders", pathsOf(page.Folders), []string{"p", "px"})
			want(c, "objects", pathsOf(page.Objects), []string{"other.txt"})
		}},
		{Name: "storage/lists/a walk", Run: func(c *C) {
			bucket, st := c.bucket(), c.Files()
			all := []string{"a/1.txt", "a/b/2.txt", "a/b/c/3.txt", "ab.txt", "z.txt"}
			c.put(bucket, all...)
			walk := func(folder string) []string {
				c.Helper()
				var paths []string
				for o, err := range st.Walk(c.Context(), bucket, folder) {
					must(c, err)
					paths = append(paths, o.Path)
				}
				return paths
			}
			want(c, "the bucket", walk(""), all)
			want(c, "a folder", walk("a"), all[:3])
			want(c, "a folder below", walk("/a/b/"), all[1:3])
			want(c, "no folder", len(walk("nope")), 0)
			for o, err := range st.Walk(c.Context(), bucket, "a") {
				must(c, err)
				got(st.Remove(c.Context(), bucket, o.Path))(c)
			}
			want(c, "what is left", walk(""), all[3:])
		}},
	}
}
