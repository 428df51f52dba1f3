package supabasetest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultsHitWhatTheyName(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	remove := s.Inject(Fault{Service: Auth, Method: "GET", Path: "/health", Status: 503, RetryAfter: 1500 * time.Millisecond, Times: 2})
	ask(t, s, "GET", "/auth/v1/settings", nil).want(t, 200)
	ask(t, s, "HEAD", "/auth/v1/health", nil).want(t, 405)
	ask(t, s, "GET", "/storage/v1/status", nil).want(t, 200)
	a := ask(t, s, "GET", "/auth/v1/health", nil).want(t, 503, `"error_code":"unexpected_failure"`)
	if got := a.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q", got)
	}
	ask(t, s, "GET", "/auth/v1/health", nil).want(t, 503)
	ask(t, s, "GET", "/auth/v1/health", nil).want(t, 200)
	if n := remove(); n != 2 {
		t.Errorf("%d hits, want 2", n)
	}
}

func TestOneInSoMany(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	remove := s.Inject(Fault{Path: "/*", OneIn: 3, Times: -1, Status: 429, Body: `{"x":1}`, Header: http.Header{"X-Why": {"test"}}})
	var got []int
	for range 7 {
		got = append(got, ask(t, s, "GET", "/auth/v1/health", nil).status)
	}
	for i, status := range got {
		if want := map[bool]int{true: 429, false: 200}[i%3 == 2]; status != want {
			t.Errorf("request %d: %d, want %d", i, status, want)
		}
	}
	if n := remove(); n != 2 {
		t.Errorf("%d hits, want 2", n)
	}
	for range 3 {
		ask(t, s, "GET", "/auth/v1/health", nil).want(t, 200)
	}
}

func TestTheFirstFaultHits(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	s.Inject(Fault{Status: 500})
	s.Inject(Fault{Status: 502})
	for _, want := range []int{500, 502, 200} {
		ask(t, s, "GET", "/auth/v1/health", nil).want(t, want)
	}
}

// The clients that a server is reached by: faults are the same to both.
func clients(t *testing.T, s *Server) map[string]*http.Client {
	t.Helper()
	port := &http.Client{Transport: new(http.Transport)}
	t.Cleanup(port.CloseIdleConnections)
	return map[string]*http.Client{"pipe": s.HTTPClient(), "port": port}
}

func TestCuts(t *testing.T) {
	t.Parallel()
	for _, cut := range []struct {
		where  Cut
		served bool // the service did its work
	}{{CutBefore, false}, {CutAfter, true}, {CutHalf, true}} {
		s := NewServer(t)
		for name, client := range clients(t, s) {
			// With its body the request is none that net/http sends again by itself.
			s.Inject(Fault{Method: "POST", Cut: cut.where})
			a, err := try(t, client, s, "POST", "/auth/v1/signup", map[string]string{"email": name + "@example.com", "password": "secret-1"})
			if err == nil {
				t.Errorf("%d by %s: no error, status %d", cut.where, name, a.status)
			}
			if cut.where == CutHalf && (a.status != 200 || len(a.body) == 0 || !strings.HasPrefix(a.body, `{"access_token"`) || strings.HasSuffix(a.body, "}")) {
				t.Errorf("by %s: status %d, %d bytes of the body", name, a.status, len(a.body))
			}
			if cut.where != CutHalf && a.status != 0 {
				t.Errorf("%d by %s: status %d", cut.where, name, a.status)
			}
			if served := s.auth.ID(name+"@example.com") != ""; served != cut.served {
				t.Errorf("%d by %s: the service did its work: %v", cut.where, name, served)
			}
		}
	}
}

func TestACutIsNotHiddenByTheTransport(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	for name, client := range clients(t, s) {
		for _, where := range []Cut{CutBefore, CutAfter} {
			for range 3 { // on a connection that was used before, net/http would send a GET again
				if _, err := try(t, client, s, "GET", "/auth/v1/health", nil); err != nil {
					t.Fatal(err)
				}
				s.Inject(Fault{Cut: where})
				if a, err := try(t, client, s, "GET", "/auth/v1/health", nil); err == nil {
					t.Errorf("%s: status %d", name, a.status)
				}
			}
		}
		s.Inject(Fault{Cut: CutHalf})
		if a, err := try(t, client, s, "POST", "/auth/v1/logout", nil, "apikey: "); err == nil {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	for name, client := range clients(t, s) {
		remove := s.Inject(Fault{Refuse: true})
		_, err := try(t, client, s, "POST", "/auth/v1/signup", map[string]string{"email": "a@example.com", "password": "secret-1"})
		if err == nil || name == "pipe" && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", name, err)
		}
		if n := remove(); n != 1 {
			t.Errorf("%s: %d hits", name, n)
		}
	}
	if s.auth.ID("a@example.com") != "" {
		t.Error("the service saw a request that was refused")
	}
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithUser("ada@example.com", ""))
	for name, client := range clients(t, s) {
		if _, err := try(t, client, s, "GET", "/auth/v1/health", nil); err != nil {
			t.Fatal(err)
		}
		s.Down()
		s.Down()
		if _, err := try(t, client, s, "POST", "/auth/v1/signup", "{}"); err == nil {
			t.Errorf("%s: a server that is down answers", name)
		} else if _, ok := errors.AsType[net.Error](err); !ok && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v is no fault of the network", name, err)
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
		a, err := try(t, client, s, "GET", "/auth/v1/health", nil)
		if err != nil || a.status != 200 {
			t.Errorf("%s: %v, status %d", name, err, a.status)
		}
	}
	if s.auth.ID("ada@example.com") == "" {
		t.Error("what the project held is gone")
	}
}

func TestDelayEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(t, WithoutPort())
		s.Inject(Fault{Delay: time.Minute})
		start := time.Now()
		ask(t, s, "GET", "/auth/v1/health", nil).want(t, 200)
		if d := time.Since(start); d != time.Minute {
			t.Errorf("it took %s", d)
		}
		s.Inject(Fault{Delay: time.Hour, Status: 503})
		client := s.HTTPClient()
		client.Timeout = time.Second
		if _, err := try(t, client, s, "GET", "/auth/v1/health", nil); err == nil {
			t.Error("no time-out")
		}
	})
}
