package fakestorage

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A transform says how another image is made of a stored one.
type transform struct {
	width, height int // zero follows the other and the proportions
	resize        string
	quality       int
}

// maxSide is the most pixels that a side may have, maxPixels those of an image that is read.
const (
	maxSide   = 2500
	maxPixels = 50_000_000
)

// parseTransform reads what is asked for.
func parseTransform(q url.Values) (transform, error) {
	t := transform{resize: "cover", quality: 80}
	for name, into := range map[string]*int{"width": &t.width, "height": &t.height, "quality": &t.quality} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return t, invalid("querystring/" + name + " must be integer")
			}
			*into = n
		}
	}
	if r := q.Get("resize"); r != "" {
		t.resize = r
	}
	switch {
	case t.width < 0 || t.width > maxSide:
		return t, invalid("querystring/width must be <= 2500")
	case t.height < 0 || t.height > maxSide:
		return t, invalid("querystring/height must be <= 2500")
	case t.quality < 20 || t.quality > 100:
		return t, invalid("querystring/quality must be >= 20")
	case !slices.Contains([]string{"cover", "contain", "fill"}, t.resize):
		return t, invalid("querystring/resize must be equal to one of the allowed values")
	}
	return t, nil
}

// String is the transform as a header, and the token of a signed URL, name it.
func (t transform) String() string {
	var parts []string
	if t.width > 0 {
		parts = append(parts, "width:"+strconv.Itoa(t.width))
	}
	if t.height > 0 {
		parts = append(parts, "height:"+strconv.Itoa(t.height))
	}
	return strings.Join(append(parts, "resizing_type:"+t.resize, "quality:"+strconv.Itoa(t.quality)), ",")
}

// parseSigned reads what String wrote.
func parseSigned(text string) (transform, error) {
	q := url.Values{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, ":")
		q.Set(strings.Replace(name, "resizing_type", "resize", 1), value)
	}
	return parseTransform(q)
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, c *call) error {
	t, err := parseTransform(r.URL.Query())
	if err != nil {
		return err
	}
	return s.renderAs(w, r, t, time.Time{}, func() (*object, error) { return s.visible(c.who, c.bucket, c.key) })
}

func (s *Server) publicRender(w http.ResponseWriter, r *http.Request, c *call) error {
	t, err := parseTransform(r.URL.Query())
	if err != nil {
		return err
	}
	return s.renderAs(w, r, t, time.Time{}, func() (*object, error) { return s.publicObject(c) })
}

func (s *Server) signedRender(w http.ResponseWriter, r *http.Request, c *call) error {
	token, err := queryToken(r)
	if err != nil {
		return err
	}
	sig, err := s.verify(token, c.bucket, c.key, "render")
	if err != nil {
		return err
	}
	t, err := parseSigned(sig.Transformations)
	if err != nil {
		return err
	}
	return s.renderAs(w, r, t, time.Unix(sig.Exp, 0), func() (*object, error) {
		if o := s.objects[c.bucket][c.key]; o != nil {
			return o, nil
		}
		return nil, noKey()
	})
}

// renderAs sends another image of an object. It keeps the format.
func (s *Server) renderAs(w http.ResponseWriter, r *http.Request, t transform, expires time.Time, find func() (*object, error)) error {
	o, body, err := s.open(find)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	made, err := t.make(data)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", http.DetectContentType(made))
	h.Set("Content-Length", strconv.Itoa(len(made)))
	h.Set("X-Robots-Tag", "none")
	h.Set("X-Transformations", t.String())
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	o.dress(h, r, expires)
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(made) // the client may have gone
	}
	return nil
}

// make is another image of an encoded one.
func (t transform) make(data []byte) ([]byte, error) {
	kind := http.DetectContentType(data)
	codec := map[string]struct {
		size   func(io.Reader) (image.Config, error)
		decode func(io.Reader) (image.Image, error)
		encode func(io.Writer, image.Image) error
	}{
		"image/png": {png.DecodeConfig, png.Decode, png.Encode},
		"image/gif": {gif.DecodeConfig, gif.Decode, func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }},
		"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, func(w io.Writer, m image.Image) error {
			return jpeg.Encode(w, m, &jpeg.Options{Quality: t.quality})
		}},
	}[kind]
	if codec.decode == nil {
		if strings.HasPrefix(kind, "image/") {
			return nil, &failure{"501", "not_implemented", "supabasetest does not have image transformations of " + kind, "NotImplemented"}
		}
		return nil, unreadable(errors.New("it is no image"))
	}
	config, err := codec.size(bytes.NewReader(data))
	if err == nil && config.Width*config.Height > maxPixels {
		err = errors.New("it has too many pixels")
	}
	if err != nil {
		return nil, unreadable(err)
	}
	from, err := codec.decode(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable(err)
	}
	var out bytes.Buffer
	err = codec.encode(&out, t.apply(from))
	return out.Bytes(), err
}

func unreadable(err error) error {
	return &failure{"422", "invalid_image", "The image cannot be transformed: " + err.Error(), "InvalidRequest"}
}

// apply scales an image, and never makes it larger.
func (t transform) apply(from image.Image) image.Image {
	b := from.Bounds()
	have := image.Pt(b.Dx(), b.Dy())
	want := image.Pt(t.width, t.height)
	if have.X == 0 || have.Y == 0 || want == image.Pt(0, 0) {
		return from
	}
	if want.X == 0 {
		want.X = max(1, have.X*want.Y/have.Y)
	}
	if want.Y == 0 {
		want.Y = max(1, have.Y*want.X/have.X)
	}
	switch t.resize {
	case "contain": // all of it, within the size
		if have.X*want.Y > have.Y*want.X {
			want.Y = max(1, have.Y*want.X/have.X)
		} else {
			want.X = max(1, have.X*want.Y/have.Y)
		}
	case "cover": // the middle of it, which fills the size
		if have.X*want.Y > have.Y*want.X {
			cut := have.X - max(1, have.Y*want.X/want.Y)
			b.Min.X += cut / 2
			b.Max.X -= cut - cut/2
		} else {
			cut := have.Y - max(1, have.X*want.Y/want.X)
			b.Min.Y += cut / 2
			b.Max.Y -= cut - cut/2
		}
	}
	return scale(from, b, image.Pt(min(want.X, b.Dx()), min(want.Y, b.Dy())))
}

// scale makes each pixel the mean of those that it stands for.
func scale(from image.Image, b image.Rectangle, size image.Point) image.Image {
	source := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(source, source.Bounds(), from, b.Min, draw.Src)
	to := image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		y0, y1 := y*b.Dy()/size.Y, (y+1)*b.Dy()/size.Y
		for x := range size.X {
			x0, x1 := x*b.Dx()/size.X, (x+1)*b.Dx()/size.X
			var sum [4]int // colours weighted by alpha, and alpha
			for sy := y0; sy < y1; sy++ {
				for sx := x0; sx < x1; sx++ {
					p := source.NRGBAAt(sx, sy)
					a := int(p.A)
					sum[0], sum[1], sum[2], sum[3] = sum[0]+int(p.R)*a, sum[1]+int(p.G)*a, sum[2]+int(p.B)*a, sum[3]+a
				}
			}
			if a := sum[3]; a > 0 {
				n := (y1 - y0) * (x1 - x0)
				to.SetNRGBA(x, y, color.NRGBA{uint8(sum[0] / a), uint8(sum[1] / a), uint8(sum[2] / a), uint8(a / n)})
			}
		}
	}
	return to
}
