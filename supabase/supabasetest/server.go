package supabasetest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/streamconn/streamconn/internal/fakeauth"
	"github.com/streamconn/streamconn/internal/fakejwt"
	"github.com/streamconn/streamconn/internal/fakerest"
	"github.com/streamconn/streamconn/internal/fakestorage"
)

// A TB is what a server needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a project. Its methods may be called from many goroutines. The fields do not change
// after Start.
type Server struct {
	// URL is the address of the project, without a slash at its end. With WithoutPort it is one
	// that only HTTPClient reaches.
	URL string
	// AnonKey and ServiceKey are the keys of the project: JWTs that are signed with its secret, or
	// with WithNewKeys a publishable and a secret one. Any service takes them.
	AnonKey, ServiceKey string

	keys    projectKeys
	keyring *fakejwt.Keyring
	auth    *fakeauth.Server
	rest    *fakerest.Server
	storage *fakestorage.Server
	funcs   map[string]http.Handler

	clock    clock
	requests requests
	faults   faults
	network  network
}

// NewServer is Start for a test: the server ends with it, and what is wrong with the options fails
// it.
func NewServer(t TB, opts ...Option) *Server {
	t.Helper()
	s, err := Start(opts...)
	if err != nil {
		t.Fatalf("supabasetest: %v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a project, which needs a Close.
func Start(opts ...Option) (*Server, error) {
	var cfg config
	var wrong []error
	for _, o := range opts {
		if err := o(&cfg); err != nil {
			wrong = append(wrong, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	s := &Server{funcs: cfg.functions}
	if err := s.network.open(s, cfg.withoutPort); err != nil {
		return nil, err
	}
	s.URL = s.network.url
	if err := s.fill(&cfg); err != nil {
		s.Close()
		return nil, err
	}
	s.network.serve(http.HandlerFunc(s.serve))
	return s, nil
}

// fill makes the keys and the services.
func (s *Server) fill(cfg *config) error {
	if err := s.makeKeys(cfg); err != nil {
		return err
	}
	rc := cfg.rest
	rc.Verify, rc.Now = s.restToken, s.clock.Now
	var err error
	if s.rest, err = fakerest.New(rc); err != nil {
		return advised(err)
	}
	ac := cfg.auth
	ac.Keys, ac.Now, ac.URL, ac.Table = s.keyring, s.clock.Now, s.URL+"/auth/v1", userTable{s.rest, cfg.triggers}
	s.auth = fakeauth.New(ac)
	for _, u := range cfg.users {
		if _, err := s.auth.Add(u); err != nil {
			return err
		}
	}
	if err := s.rest.Do(func(tx *Tx) error {
		for _, r := range cfg.rows {
			if _, err := tx.Insert(r.table, r.row); err != nil {
				return fmt.Errorf("a row of %s: %w", r.table, err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	sc := cfg.storage
	sc.Keys, sc.Now, sc.URL = s.keyring, s.clock.Now, s.URL+"/storage/v1"
	s.storage = fakestorage.New(sc)
	for _, b := range cfg.buckets {
		if err := s.storage.AddBucket(b); err != nil {
			return fmt.Errorf("bucket %s: %w", b.Name, err)
		}
	}
	for _, o := range cfg.objects {
		if o.Owner != "" {
			id := s.auth.ID(o.Owner)
			if id == "" {
				return fmt.Errorf("object %s/%s: there is no user %s", o.Bucket, o.Name, o.Owner)
			}
			o.Owner = id
		}
		if err := s.storage.AddObject(o); err != nil {
			return fmt.Errorf("object %s/%s: %w", o.Bucket, o.Name, err)
		}
	}
	return nil
}

// Close ends the server: requests that run are cut off, and no goroutine and no socket is left. A
// function that does not mind the context of its request is waited for. Close may be called more
// than once.
func (s *Server) Close() {
	s.network.close()
	if s.storage != nil {
		s.storage.Close()
	}
}

// Now is the time by the clock of the project.
func (s *Server) Now() time.Time { return s.clock.Now() }

// Advance moves the clock of the project forward, or back if d is negative. Only the server sees
// it: a program that looks at its own clock does not. Both move together when time does, in a
// bubble of testing/synctest.
func (s *Server) Advance(d time.Duration) { s.clock.advance(d) }

// Format shows the address, and no key.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "supabasetest.Server(%s)", s.URL) }

// LogValue shows the address, and no key.
func (s *Server) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MarshalText shows the address, and no key.
func (s *Server) MarshalText() ([]byte, error) { return fmt.Append(nil, s), nil }
