package storage

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// valid is what storage itself takes.
var valid = regexp.MustCompile(`^(\w|/|!|-|\.|\*|'|\(|\)| |&|\$|@|=|;|:|\+|,|\?)*$`)

// Whatever a path is, it is refused, or names one object of its bucket: nothing of it ends the path,
// leaves it, or becomes a query.
func FuzzObjectPath(f *testing.F) {
	for _, seed := range []string{"a/b.txt", "/a//b", "..", "a/../b", "a b?c#d", "100%", "%2e%2e/x", "é", "a/", "\x00", "a\\b", "(1) &=.txt", ""} {
		f.Add("b", seed)
	}
	f.Fuzz(func(t *testing.T, bucket, name string) {
		target, key, err := objectRoute("object", bucket, name)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !valid.MatchString(key) || !valid.MatchString(bucket) || len(bucket) > maxBucketName || key != path.Clean(key) || strings.HasPrefix(key, "/") {
			t.Fatalf("%q of %q is taken", key, name)
		}
		u, err := url.Parse("https://x.test/storage/v1/" + target)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "/storage/v1/object/"+bucket+"/"+key {
			t.Fatalf("%q, %q: %v", target, key, err)
		}
		if again, err := objectPath(key); again != key || err != nil {
			t.Fatalf("%q is not %q: %v", again, key, err)
		}
	})
}

// A server's URL of an upload gives one segment of a path, or nothing.
func FuzzUploadID(f *testing.F) {
	for _, seed := range []string{
		"https://127.0.0.1:55000/upload/resumable/ZG9jcy90L3Y", "/storage/v1/upload/resumable/sign/abc/", "upload/resumable/..", "upload/resumable/a%2fb",
		"https://x/upload/resumable/a?b", "//x", "upload/resumable/", "%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		id, err := uploadID(address)
		if err != nil {
			return
		}
		if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/?#%\\ ") || url.PathEscape(id) != id {
			t.Fatalf("%q of %q is taken", id, address)
		}
		if again, err := uploadID("https://x.test/upload/resumable/" + id); again != id || err != nil {
			t.Fatal(again, err)
		}
		_ = versionOf(id)
	})
}

// What a server says of a range is taken only if it makes sense.
func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-4/12", "bytes 3-3/*", "bytes */5", "bytes 5-4/9", "bytes 0-9/5", "items 0-1/2", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if from, size, ok := parseContentRange(text); ok && (from < 0 || size < -1 || size >= 0 && from >= size) {
			t.Fatalf("%q: %d of %d", text, from, size)
		}
	})
}

// A signed address is taken apart at its token, whatever the path before it holds.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{"/object/sign/b/a b?c.txt?token=x", "?token=", "token=x", "/x?token=%zz", "/x?token=a&b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		token, err := tokenOf(address)
		if err != nil {
			if text := err.Error(); len(address) > 12 && strings.Contains(text, address) {
				t.Fatal("the error shows the address")
			}
			return
		}
		if token == "" {
			t.Fatal("an empty token")
		}
		if again, err := tokenOf("/object/sign/b/x?y?token=" + url.QueryEscape(token)); again != token || err != nil {
			t.Fatal(again, err)
		}
	})
}
