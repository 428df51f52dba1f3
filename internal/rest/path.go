package rest

import (
	"errors"
	"net/url"
	"strings"
)

// Escape makes a path of segments: each is escaped whole, so that a slash, a question mark or a
// percent sign in it stays part of the name. It lets every segment through; the client refuses
// those that would leave the path (. and ..).
func Escape(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return strings.Join(escaped, "/")
}

// parseBase checks the address of a service. Its errors do not show it: it may hold a password.
func parseBase(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("rest: no base URL; give one like https://x.supabase.co/rest/v1")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("rest: the base URL cannot be parsed; give one like https://x.supabase.co/rest/v1")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("rest: the base URL must begin with https:// or http://")
	case u.Hostname() == "":
		return nil, errors.New("rest: the base URL has no host")
	case u.User != nil: // in words that are nobody's password, since those are masked in all of it
		return nil, errors.New("rest: the base URL has an @ before its host; leave out what is before it, which is no part of a project's")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("rest: the base URL has a query or a fragment")
	}
	if err := checkPath(u.EscapedPath()); err != nil {
		return nil, errors.New("rest: the base URL leaves its path, by . or .. in it")
	}
	return u.JoinPath("."), nil
}

// join puts an escaped path below base.
func join(base *url.URL, path, query string) (*url.URL, error) {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == '#' || c == 0x7f {
			return nil, errors.New("rest: the query is not encoded: it holds a blank, a control character or #")
		}
	}
	u := *base
	u.RawQuery = query
	path = strings.TrimPrefix(path, "/")
	if path != "" && isPlain(path) && base.RawPath == "" { // escaped and unescaped are the same
		u.Path = strings.TrimSuffix(base.Path, "/") + "/" + path
		return &u, nil
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	raw := strings.TrimSuffix(base.EscapedPath(), "/")
	if path != "" {
		raw += "/" + path
	} else if raw == "" {
		raw = "/"
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil, errors.New("rest: the path is not escaped: use Escape")
	}
	u.Path, u.RawPath = decoded, raw
	if u.EscapedPath() != raw {
		return nil, errors.New("rest: the path is not escaped: use Escape")
	}
	return &u, nil
}

// checkPath refuses what would end or leave the path, also where a gateway unescapes it first.
func checkPath(path string) error {
	if strings.ContainsAny(path, "?#") {
		return errors.New("rest: the path has a query or a fragment, or is not escaped: use Escape")
	}
	for segment := range strings.SplitSeq(path, "/") {
		name, err := url.PathUnescape(segment)
		if err != nil {
			return errors.New("rest: the path is not escaped: use Escape")
		}
		for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
			if part == "." || part == ".." {
				return errors.New("rest: by . or .. the path leaves the service's")
			}
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("rest: the path has a control character")
		}
	}
	return nil
}

// isPlain tells whether a path is of nothing but letters, digits and what parts them, as nearly all are.
func isPlain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !isNameByte(c) && c != '/' {
			return false
		}
	}
	return true
}

// sameHost tells whether what may be sent to from may be sent to to: the same scheme, host and
// port, or the step from http to https on one host.
func sameHost(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	if from.Scheme == to.Scheme {
		return port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443"
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
