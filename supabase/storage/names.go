package storage

import (
	"strings"

	"github.com/streamconn/streamconn/internal/rest"
)

// maxBucketName is the length of a bucket's name, in bytes, that storage takes.
const maxBucketName = 100

// checkBucket refuses the names of buckets that storage refuses.
func checkBucket(name string) error {
	switch {
	case name == "":
		return invalid("the bucket has no name")
	case len(name) > maxBucketName:
		return invalid("the bucket's name is longer than %d bytes", maxBucketName)
	case name == "." || name == "..":
		return invalid("%q is no name of a bucket", name)
	}
	if r, found := refused(name, func(r rune) bool { return r != '/' && inKey(r) }); found {
		return invalid("the name of the bucket %q has %q, which storage refuses", name, r)
	}
	return nil
}

// objectPath is the path of an object in its bucket as storage knows it: without leading slashes,
// and without empty folders. What storage would refuse, or what would leave the bucket, is an
// ErrInvalid.
func objectPath(path string) (string, error) {
	key, err := cleanPath(path)
	switch {
	case err != nil:
		return "", err
	case key == "":
		return "", invalid("the object has no path")
	case strings.HasSuffix(path, "/"):
		return "", invalid("the path %q ends in a slash: it must name an object", path)
	}
	return key, nil
}

// folderPath is the path of a folder, which may be empty: the bucket itself. There is no slash at
// its ends.
func folderPath(path string) (string, error) { return cleanPath(path) }

func cleanPath(path string) (string, error) {
	if r, found := refused(path, inKey); found {
		return "", invalid("the path %q has %q, which storage refuses: it takes letters and digits of ASCII, blanks, and _/!-.*'()&$@=;:+,?", path, r)
	}
	var b strings.Builder
	b.Grow(len(path))
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			continue
		case ".", "..":
			return "", invalid("the path %q leaves its place, by . or .. in it", path)
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(segment)
	}
	return b.String(), nil
}

// inKey tells whether storage takes r in the name of an object.
func inKey(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r < 0x80 && strings.ContainsRune("_/!-.*'() &$@=;:+,?", r)
}

// refused is the first character of name that storage does not take.
func refused(name string, takes func(rune) bool) (r rune, found bool) {
	for _, r := range name {
		if !takes(r) {
			return r, true
		}
	}
	return 0, false
}

// route makes the escaped path of a request: words of ours, a bucket, and an object's path, of
// which either may be empty.
func route(words, bucket, key string) string {
	path := words
	if bucket != "" {
		path += "/" + rest.Escape(bucket)
	}
	if key != "" {
		path += "/" + rest.Escape(strings.Split(key, "/")...)
	}
	return path
}

// objectRoute checks a bucket and a path, and makes the path of the request.
func objectRoute(words, bucket, path string) (escaped, key string, err error) {
	if err := checkBucket(bucket); err != nil {
		return "", "", err
	}
	if key, err = objectPath(path); err != nil {
		return "", "", err
	}
	return route(words, bucket, key), key, nil
}
