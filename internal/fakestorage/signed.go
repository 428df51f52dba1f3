package fakestorage

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// signature are the claims of a signed URL, in the service's order.
type signature struct {
	URL             string `json:"url"`
	Upsert          *bool  `json:"upsert,omitempty"`
	Scope           string `json:"scope"`
	Transformations string `json:"transformations,omitempty"`
	Owner           string `json:"owner,omitempty"`
	Iat             int64  `json:"iat"`
	Exp             int64  `json:"exp"`
}

// uploadLife is how long a signed upload is possible.
const uploadLife = 2 * time.Hour

func (s *Server) token(sig signature, life time.Duration) (string, error) {
	now := s.now()
	sig.Iat, sig.Exp = now.Unix(), now.Add(life).Unix()
	return s.cfg.Keys.SignSecret(sig, "")
}

// escapePath writes bucket and key as a path.
func escapePath(bucket, key string) string {
	parts := strings.Split(bucket+"/"+key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// signURL is the address of an object, or of the image that t makes of it.
func (s *Server) signURL(o *object, life time.Duration, t *transform) (string, error) {
	if t != nil {
		token, err := s.token(signature{URL: o.bucket + "/" + o.name, Scope: "render", Transformations: t.String()}, life)
		return "/render/image/sign/" + escapePath(o.bucket, o.name) + "?token=" + token, err
	}
	token, err := s.token(signature{URL: o.bucket + "/" + o.name, Scope: "download"}, life)
	return "/object/sign/" + escapePath(o.bucket, o.name) + "?token=" + token, err
}

// lifeOf reads how many seconds a URL is to last.
func lifeOf(seconds int64) (time.Duration, error) {
	if seconds < 1 {
		return 0, invalid("body/expiresIn must be >= 1")
	}
	return time.Duration(min(seconds, 1<<32)) * time.Second, nil
}

func (s *Server) sign(w http.ResponseWriter, r *http.Request, c *call) error {
	var in struct {
		ExpiresIn int64 `json:"expiresIn"`
		Transform *struct {
			Width   int    `json:"width"`
			Height  int    `json:"height"`
			Quality int    `json:"quality"`
			Resize  string `json:"resize"`
		} `json:"transform"`
	}
	if _, err := read(r, &in, "expiresIn"); err != nil {
		return err
	}
	life, err := lifeOf(in.ExpiresIn)
	if err != nil {
		return err
	}
	var t *transform
	if as := in.Transform; as != nil {
		q := url.Values{"resize": {as.Resize}}
		for name, n := range map[string]int{"width": as.Width, "height": as.Height, "quality": as.Quality} {
			if n != 0 {
				q.Set(name, strconv.Itoa(n))
			}
		}
		parsed, err := parseTransform(q)
		if err != nil {
			return err
		}
		t = &parsed
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, err := s.visible(c.who, c.bucket, c.key)
	if err != nil {
		return err
	}
	to, err := s.signURL(o, life, t)
	if err != nil {
		return err
	}
	return done(w, map[string]string{"signedURL": to})
}

func (s *Server) signMany(w http.ResponseWriter, r *http.Request, c *call) error {
	var in struct {
		ExpiresIn int64    `json:"expiresIn"`
		Paths     []string `json:"paths"`
	}
	if _, err := read(r, &in, "expiresIn", "paths"); err != nil {
		return err
	}
	life, err := lifeOf(in.ExpiresIn)
	if err != nil {
		return err
	}
	if err := batch("paths", len(in.Paths)); err != nil {
		return err
	}
	type one struct {
		Error     *string `json:"error"`
		Path      string  `json:"path"`
		SignedURL *string `json:"signedURL"`
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []one{}
	for _, path := range in.Paths {
		o, err := s.visible(c.who, c.bucket, path)
		if err != nil {
			list = append(list, one{Error: new("Either the object does not exist or you do not have access to it"), Path: path})
			continue
		}
		to, err := s.signURL(o, life, nil)
		if err != nil {
			return err
		}
		list = append(list, one{Path: path, SignedURL: &to})
	}
	return done(w, list)
}

// verify checks the token of a signed URL for what it was signed for.
func (s *Server) verify(token, bucket, key, scope string) (*signature, error) {
	claims, err := s.cfg.Keys.Verify(token, s.cfg.Now())
	if err != nil {
		return nil, &failure{"400", "InvalidJWT", jwtFault(err), "InvalidJWT"}
	}
	var sig signature
	data, err := json.Marshal(claims)
	if err != nil || json.Unmarshal(data, &sig) != nil || sig.URL != bucket+"/"+key || sig.Scope != scope {
		return nil, &failure{"400", "InvalidSignature", "Invalid signature", "InvalidSignature"}
	}
	return &sig, nil
}

// queryToken is the token in the address.
func queryToken(r *http.Request) (string, error) {
	if q := r.URL.Query(); q.Has("token") {
		return q.Get("token"), nil
	}
	return "", invalid("querystring must have required property 'token'")
}

func (s *Server) signedDownload(w http.ResponseWriter, r *http.Request, c *call) error {
	token, err := queryToken(r)
	if err != nil {
		return err
	}
	sig, err := s.verify(token, c.bucket, c.key, "download")
	if err != nil {
		return err
	}
	return s.serve(w, r, time.Unix(sig.Exp, 0), func() (*object, error) {
		if o := s.objects[c.bucket][c.key]; o != nil {
			return o, nil
		}
		return nil, noKey()
	})
}

func (s *Server) signUpload(w http.ResponseWriter, r *http.Request, c *call) error {
	in := &incoming{bucket: c.bucket, key: c.key, owner: c.who.owner(), upsert: r.Header.Get("X-Upsert") == "true"}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.mayPut(c.who, in); err != nil {
		return err
	}
	token, err := s.token(signature{URL: c.bucket + "/" + c.key, Upsert: &in.upsert, Scope: "upload", Owner: in.owner}, uploadLife)
	if err != nil {
		return err
	}
	return done(w, struct {
		URL   string `json:"url"`
		Token string `json:"token"`
	}{"/object/upload/sign/" + escapePath(c.bucket, c.key) + "?token=" + token, token})
}

func (s *Server) signedUpload(w http.ResponseWriter, r *http.Request, c *call) error {
	token, err := queryToken(r)
	if err != nil {
		return err
	}
	sig, err := s.verify(token, c.bucket, c.key, "upload")
	if err != nil {
		return err
	}
	in := &incoming{bucket: c.bucket, key: c.key, owner: sig.Owner, upsert: sig.Upsert != nil && *sig.Upsert}
	if _, err := s.receive(r, nil, in); err != nil {
		return err
	}
	return done(w, struct{ Key string }{c.bucket + "/" + c.key})
}
