package storage

import (
	"net/url"
	"strconv"
)

// Transform says how the server makes another image of a stored one. At least one field is set.
type Transform struct {
	Width, Height int    // in pixels, 1 to 2500; 0: by the other and the image's proportions
	Resize        string // cover (the default), contain or fill
	Format        string // origin keeps the stored format; empty: what the browser takes
	Quality       int    // 20 to 100; 0: 80
}

func (t *Transform) check() error {
	switch {
	case *t == Transform{}:
		return invalid("the transform changes nothing")
	case t.Width < 0 || t.Height < 0 || t.Width > 2500 || t.Height > 2500:
		return invalid("a width or height that is not within 1 and 2500")
	case t.Quality != 0 && (t.Quality < 20 || t.Quality > 100):
		return invalid("a quality that is not within 20 and 100")
	case t.Resize != "" && t.Resize != "cover" && t.Resize != "contain" && t.Resize != "fill":
		return invalid("resize is cover, contain or fill, not %q", t.Resize)
	}
	return nil
}

// query is the transform in an address.
func (t *Transform) query() (url.Values, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	q := url.Values{}
	for name, n := range map[string]int{"width": t.Width, "height": t.Height, "quality": t.Quality} {
		if n > 0 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	if t.Resize != "" {
		q.Set("resize", t.Resize)
	}
	if t.Format != "" {
		q.Set("format", t.Format)
	}
	return q, nil
}

// body is the transform in a request for a signed URL.
func (t *Transform) body() (map[string]any, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	b := map[string]any{}
	for name, n := range map[string]int{"width": t.Width, "height": t.Height, "quality": t.Quality} {
		if n > 0 {
			b[name] = n
		}
	}
	if t.Resize != "" {
		b["resize"] = t.Resize
	}
	if t.Format != "" {
		b["format"] = t.Format
	}
	return b, nil
}
