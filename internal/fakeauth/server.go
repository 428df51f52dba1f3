// Package fakeauth is Supabase's auth service in memory, as an http.Handler: it answers what
// GoTrue answers, status, codes and shapes, with real tokens, and lets a test read the mail.
//
// One lock guards its state: a request sees all of another or nothing of it.
package fakeauth

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// Config says what a project allows. The zero value, with Keys, is a project that confirms every
// address at once and limits nothing.
type Config struct {
	// Keys sign and check tokens. Required.
	Keys *fakejwt.Keyring
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
	// URL is the address of the service, without a slash at its end: "http://127.0.0.1:1/auth/v1".
	// It is the issuer of tokens and the base of the links in mails.
	URL string
	// SiteURL is where links lead that name no other place.
	SiteURL string
	// Confirm makes new addresses be confirmed before they can sign in.
	Confirm bool
	// Phone allows sign-up and sign-in by phone number; the messages are in Mail.
	Phone bool
	// NoSignup, NoAnonymous refuse new users, and users without an address.
	NoSignup, NoAnonymous bool
	// SingleEmailChange asks only the new address to confirm a change, not the old one too.
	SingleEmailChange bool
	// ReauthenticatePassword asks for the code of a reauthentication when a session that is older
	// than a day changes the password.
	ReauthenticatePassword bool
	// Providers are the OAuth providers that are switched on.
	Providers []string
	// TokenLife is how long an access token is valid. Zero is an hour.
	TokenLife time.Duration
	// OTPLife is how long a code or link is valid. Zero is an hour.
	OTPLife time.Duration
	// ReuseInterval is how long a refresh token that was used gives the same answer again. Zero is
	// ten seconds.
	ReuseInterval time.Duration
	// MailInterval is the least time between two mails of a kind to one user. Zero is none.
	MailInterval time.Duration
	// Requests is how many requests one client may send in five minutes to the endpoints that
	// GoTrue limits. Zero is no limit.
	Requests int
	// MinPassword is the least length of a password. Zero is 6.
	MinPassword int
	// Table is auth.users in the database, which follows the users. Nil is none. It is used under
	// the lock: it must not call the service.
	Table Table
}

// Server is the service. It may be used from many goroutines.
type Server struct {
	cfg    Config
	routes map[string]map[string]handler // path to method to handler

	mu       sync.Mutex
	users    map[string]*user // by id
	order    []*user          // as they were created
	sessions map[string]*session
	refresh  map[string]*refreshToken
	issued   int // refresh tokens
	flows    map[string]*flow
	pending  map[string]*pending
	mail     []Mail
	audit    []auditEntry
	touched  map[*user]bool // by the call that runs
	limits   map[string]*bucket
}

// A handler answers one call. It runs under the lock.
type handler func(*call) error

// New is a service without users.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.SiteURL = cmp.Or(cfg.SiteURL, "http://127.0.0.1:3000")
	cfg.TokenLife = cmp.Or(cfg.TokenLife, time.Hour)
	cfg.OTPLife = cmp.Or(cfg.OTPLife, time.Hour)
	cfg.ReuseInterval = cmp.Or(cfg.ReuseInterval, 10*time.Second)
	cfg.MinPassword = cmp.Or(cfg.MinPassword, 6)
	s := &Server{
		cfg:      cfg,
		users:    make(map[string]*user),
		sessions: make(map[string]*session),
		refresh:  make(map[string]*refreshToken),
		flows:    make(map[string]*flow),
		pending:  make(map[string]*pending),
		limits:   make(map[string]*bucket),
		touched:  make(map[*user]bool),
	}
	s.routes = map[string]map[string]handler{
		"/health":                           {"GET": s.health},
		"/settings":                         {"GET": s.settings},
		"/.well-known/jwks.json":            {"GET": s.jwks},
		"/.well-known/openid-configuration": {"GET": s.openID},

		"/signup":         {"POST": s.limited(s.signup)},
		"/token":          {"POST": s.limited(s.token)},
		"/verify":         {"GET": s.limited(s.verifyLink), "POST": s.limited(s.verify)},
		"/otp":            {"POST": s.limited(s.otp)},
		"/magiclink":      {"POST": s.limited(s.magicLink)},
		"/recover":        {"POST": s.limited(s.recover)},
		"/resend":         {"POST": s.limited(s.resend)},
		"/reauthenticate": {"GET": s.askAgain},
		"/user":           {"GET": s.getUser, "PUT": s.updateUser},
		"/logout":         {"POST": s.logout},

		"/authorize":                 {"GET": s.authorize},
		"/callback":                  {"GET": s.callback, "POST": s.callback},
		"/user/identities/authorize": {"GET": s.linkIdentity},
		"/user/identities/{}":        {"DELETE": s.unlinkIdentity},
		"/sso":                       {"POST": s.sso},

		"/factors":              {"POST": s.enroll},
		"/factors/{}":           {"DELETE": s.unenroll},
		"/factors/{}/challenge": {"POST": s.challenge},
		"/factors/{}/verify":    {"POST": s.verifyFactor},

		"/invite":                    {"POST": s.admin(s.invite)},
		"/admin/audit":               {"GET": s.admin(s.auditLog)},
		"/admin/generate_link":       {"POST": s.admin(s.generateLink)},
		"/admin/users":               {"GET": s.admin(s.listUsers), "POST": s.admin(s.createUser)},
		"/admin/users/{}":            {"GET": s.admin(s.adminGet), "PUT": s.admin(s.adminUpdate), "DELETE": s.admin(s.adminDelete)},
		"/admin/users/{}/factors":    {"GET": s.admin(s.adminFactors)},
		"/admin/users/{}/factors/{}": {"PUT": s.admin(s.adminUpdateFactor), "DELETE": s.admin(s.adminDeleteFactor)},
	}
	return s
}

// absent are parts of the real service that this one does not have. They are refused by name, so
// that a test learns it from the answer.
var absent = map[string]string{
	"/admin/oauth":            "OAuth clients",
	"/admin/custom-providers": "custom providers",
	"/oauth":                  "the OAuth server",
	"/user/oauth":             "the OAuth server",
	"/passkeys":               "passkeys",
}

// match finds the handlers of a path, and the path's variable parts.
func (s *Server) match(path string) (map[string]handler, []string) {
	if methods, ok := s.routes[path]; ok {
		return methods, nil
	}
	parts := strings.Split(path, "/")
	for _, at := range [][]int{{2}, {3}, {3, 5}} {
		pattern, values := strings.Split(path, "/"), []string(nil)
		for _, i := range at {
			if i < len(parts) && parts[i] != "" {
				pattern[i] = "{}"
				values = append(values, parts[i])
			}
		}
		if methods, ok := s.routes[strings.Join(pattern, "/")]; ok && len(values) == len(at) {
			return methods, values
		}
	}
	return nil, nil
}

// now is the time, as precise as the database keeps it.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// ServeHTTP answers a request, its path without the prefix of the gateway.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Origin")
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	methods, values := s.match(r.URL.Path)
	c := &call{w: w, r: r, values: values, status: http.StatusOK}
	if methods == nil && (strings.HasPrefix(r.URL.Path, "/admin/sso/") || strings.HasPrefix(r.URL.Path, "/sso/saml/")) {
		c.fail(samlOff())
		return
	}
	if methods == nil {
		for prefix, what := range absent {
			if r.URL.Path == prefix || strings.HasPrefix(r.URL.Path, prefix+"/") {
				c.fail(fail(http.StatusNotImplemented, "not_implemented", "supabasetest does not have "+what))
				return
			}
		}
		http.NotFound(w, r)
		return
	}
	run := methods[r.Method]
	if run == nil {
		for method := range methods {
			w.Header().Add("Allow", method)
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := c.load(); err != nil { // before the lock: a slow client must not hold it
		c.fail(err)
		return
	}
	err := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bound()
		sent := len(s.mail)
		err := run(c)
		if unsaved := s.sync(); err == nil {
			err = unsaved
		}
		if err != nil {
			s.mail = s.mail[:sent]
		}
		return err
	}()
	if err != nil {
		c.fail(err)
		return
	}
	c.send()
}

// maxKept is how many mails and entries of the audit log are kept, the newest.
const maxKept = 10_000

func (s *Server) bound() {
	if len(s.mail) > maxKept {
		s.mail = slices.Delete(s.mail, 0, maxKept/10)
	}
	if len(s.audit) > maxKept {
		s.audit = slices.Delete(s.audit, 0, maxKept/10)
	}
}
