// Package fakestorage is Supabase's storage service in memory, as an http.Handler: buckets and
// objects with types, limits and metadata, signed URLs and resumable uploads, with the answers of
// the real one.
package fakestorage

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// Config says what a project's storage is like.
type Config struct {
	// Keys check tokens, and sign URLs with their secret. Required.
	Keys *fakejwt.Keyring
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
	// URL is the address of the service, without a slash at its end.
	URL string
	// Secure makes the addresses of resumable uploads begin with https, as production does.
	Secure bool
	// MaxSize is the most bytes that an object may have. Zero is 50 MiB.
	MaxSize int64
	// Dir keeps the bytes of objects in files of this folder. Empty keeps them in memory.
	Dir string
	// Policy says what those may do who have no service key. Nil is Owner.
	Policy Policy
}

// An Operation is what somebody wants to do with a row.
type Operation string

// The operations, as row security tells them apart.
const (
	Select Operation = "select"
	Insert Operation = "insert"
	Update Operation = "update"
	Delete Operation = "delete"
)

// Access is something that somebody wants to do.
type Access struct {
	Operation Operation
	Role      string         // of the token
	UserID    string         // sub of the token; empty for the anonymous key
	Claims    map[string]any // of the token; not to be changed
	Bucket    string
	Name      string // of the object; empty if it is about the bucket itself
	Owner     string // of the object, as it is or would be; empty for a bucket
}

// A Policy says whether it may be done. It runs while the service waits: it must not call it.
type Policy func(Access) bool

// Owner lets users make objects, and do what they want with those that they made.
func Owner(a Access) bool {
	return a.Role == "authenticated" && a.UserID != "" && a.Name != "" && a.Owner == a.UserID
}

// Server is the service. It may be used from many goroutines.
type Server struct {
	cfg Config

	mu      sync.RWMutex
	buckets map[string]*bucket
	objects map[string]map[string]*object // by bucket and name
	uploads map[string]*upload            // by id
}

type bucket struct {
	name             string
	public           bool
	limit            *int64
	types            []string // nil allows all
	created, updated time.Time
}

type object struct {
	id, version, bucket, name, owner string
	contentType, cacheControl, etag  string
	blob                             blob
	user                             map[string]any
	created, updated, modified       time.Time
}

// New is a service without buckets.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Policy == nil {
		cfg.Policy = Owner
	}
	cfg.MaxSize = cmp.Or(cfg.MaxSize, 50<<20)
	return &Server{
		cfg: cfg, buckets: make(map[string]*bucket), objects: make(map[string]map[string]*object), uploads: make(map[string]*upload),
	}
}

func (s *Server) now() time.Time { return s.cfg.Now().UTC() }

// who is the bearer of a request.
type who struct {
	role, sub string
	claims    fakejwt.Claims
}

// service says whether row security does not hold for the bearer.
func (w *who) service() bool { return w.role == "service_role" || w.role == "supabase_admin" }

// owner is who owns what the bearer makes.
func (w *who) owner() string { return w.sub }

// may asks the policy.
func (s *Server) may(w *who, op Operation, bucket, name, owner string) bool {
	return w.service() || s.cfg.Policy(Access{
		Operation: op, Role: w.role, UserID: w.sub, Claims: w.claims, Bucket: bucket, Name: name, Owner: owner,
	})
}

// authenticate finds out who asks.
func (s *Server) authenticate(r *http.Request) (*who, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, invalid("headers must have required property 'authorization'")
	}
	token := strings.TrimPrefix(header, "Bearer ")
	claims, err := s.cfg.Keys.Verify(token, s.cfg.Now())
	if err != nil {
		return nil, denied(jwtFault(err))
	}
	return &who{role: cmp.Or(claims.String("role"), "anon"), sub: claims.String("sub"), claims: claims}, nil
}

// jwtFault words what is wrong with a token.
func jwtFault(err error) string {
	switch {
	case errors.Is(err, fakejwt.ErrExpired):
		return `"exp" claim timestamp check failed`
	case errors.Is(err, fakejwt.ErrSignature):
		return "signature verification failed"
	}
	return "Invalid Compact JWS"
}

// A route is one endpoint. Its path ends with the key of an object where key is set.
type route struct {
	method, path string
	key          bool
	open         bool // no token is needed
	run          func(*Server, http.ResponseWriter, *http.Request, *call) error
}

// A call is what the path and the token of a request say.
type call struct {
	who         *who
	bucket, key string
}

// routes are tried in this order: the longer path first.
var routes = []route{
	{"GET", "/bucket", false, false, (*Server).listBuckets},
	{"POST", "/bucket", false, false, (*Server).createBucket},
	{"POST", "/bucket/{}/empty", false, false, (*Server).emptyBucket},
	{"GET", "/bucket/{}", false, false, (*Server).getBucket},
	{"PUT", "/bucket/{}", false, false, (*Server).updateBucket},
	{"DELETE", "/bucket/{}", false, false, (*Server).deleteBucket},

	{"POST", "/object/list/{}", false, false, (*Server).list},
	{"POST", "/object/list-v2/{}", false, false, (*Server).listV2},
	{"POST", "/object/copy", false, false, (*Server).copyObject},
	{"POST", "/object/move", false, false, (*Server).move},
	{"POST", "/object/upload/sign/{}", true, false, (*Server).signUpload},
	{"PUT", "/object/upload/sign/{}", true, true, (*Server).signedUpload},
	{"POST", "/object/sign/{}", true, false, (*Server).sign},
	{"POST", "/object/sign/{}", false, false, (*Server).signMany},
	{"GET", "/object/sign/{}", true, true, (*Server).signedDownload},
	{"GET", "/object/info/authenticated/{}", true, false, (*Server).info},
	{"GET", "/object/info/public/{}", true, true, (*Server).publicInfo},
	{"GET", "/object/info/{}", true, false, (*Server).info},
	{"GET", "/object/public/{}", true, true, (*Server).publicDownload},
	{"GET", "/object/authenticated/{}", true, false, (*Server).download},
	{"GET", "/object/{}", true, false, (*Server).download},
	{"POST", "/object/{}", true, false, (*Server).upload},
	{"PUT", "/object/{}", true, false, (*Server).upload},
	{"DELETE", "/object/{}", true, false, (*Server).deleteObject},
	{"DELETE", "/object/{}", false, false, (*Server).deleteMany},
	{"GET", "/render/image/authenticated/{}", true, false, (*Server).render},
	{"GET", "/render/image/public/{}", true, true, (*Server).publicRender},
	{"GET", "/render/image/sign/{}", true, true, (*Server).signedRender},
	{"DELETE", "/cdn/{}", true, false, (*Server).purge},
	{"DELETE", "/cdn/{}", false, false, (*Server).purge},
}

// match says whether a path is that of a route, and what is in it. HEAD is asked as GET.
func (rt *route) match(method, path string) (*call, bool) {
	if method != rt.method {
		return nil, false
	}
	before, after, named := strings.Cut(rt.path, "{}")
	if !named {
		return &call{}, path == rt.path
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return nil, false
	}
	bucket, key, keyed := strings.Cut(rest, "/")
	switch {
	case bucket == "":
		return nil, false
	case rt.key:
		return &call{bucket: bucket, key: key}, keyed && key != ""
	case after != "":
		return &call{bucket: bucket}, keyed && "/"+key == after
	}
	return &call{bucket: bucket}, !keyed || key == ""
}

// absent are parts of the real service that this one does not have.
var absent = []struct{ prefix, what string }{
	{"/vector/", "vector buckets"},
	{"/iceberg/", "analytics buckets"},
	{"/s3/", "the S3 protocol"},
}

// ServeHTTP answers a request, its path without the prefix of the gateway.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/status":
		return
	case path == "/version":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("1.70.6"))
		return
	case path == "/upload/resumable" || strings.HasPrefix(path, "/upload/resumable/"):
		s.resumable(w, r)
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range routes {
		c, ok := routes[i].match(method, path)
		if !ok {
			continue
		}
		err := error(nil)
		if !routes[i].open {
			c.who, err = s.authenticate(r)
		}
		if err == nil {
			err = routes[i].run(s, w, r, c)
		}
		if err != nil {
			fail(w, err)
		}
		return
	}
	for _, a := range absent {
		if strings.HasPrefix(path, a.prefix) {
			answer(w, http.StatusNotImplemented, map[string]string{
				"statusCode": "501", "error": "not_implemented", "message": "supabasetest does not have " + a.what, "code": "NotImplemented",
			})
			return
		}
	}
	if strings.HasPrefix(path, "/object/") {
		answerAs(w, http.StatusNotFound, "application/json", failure{
			StatusCode: "404", Name: "Not Found", Message: "Route " + r.Method + ":" + r.URL.RequestURI() + " not found", Code: "InvalidRequest",
		})
		return
	}
	answer(w, http.StatusNotFound, struct {
		Message    string `json:"message"`
		Error      string `json:"error"`
		StatusCode int    `json:"statusCode"`
	}{"Route " + r.Method + ":" + r.URL.RequestURI() + " not found", "Not Found", 404})
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$`)

// checkKey says whether an object may have this name.
func checkKey(key string) error {
	if !keyForm.MatchString(key) || len(key) > 1024 {
		return &failure{"400", "InvalidKey", "Invalid key: " + key, "InvalidKey"}
	}
	return nil
}

// bucketOf finds a bucket.
func (s *Server) bucketOf(name string) (*bucket, error) {
	b := s.buckets[name]
	if b == nil {
		return nil, noBucket()
	}
	return b, nil
}

// visible finds an object that the bearer may see.
func (s *Server) visible(w *who, bucket, key string) (*object, error) {
	if _, err := s.bucketOf(bucket); err != nil {
		return nil, err
	}
	o := s.objects[bucket][key]
	if o == nil || !s.may(w, Select, bucket, key, o.owner) {
		return nil, noKey()
	}
	return o, nil
}

// sorted are the names of a bucket's objects.
func (s *Server) sorted(bucket string) []string { return slices.Sorted(maps.Keys(s.objects[bucket])) }

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Format shows nothing of what is kept.
func (s *Server) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "fakestorage.Server(%s)", s.cfg.URL)
}
