package supabasetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheSameProjectByPortAndByPipe(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithUser("ada@example.com", "secret-1"))
	in := map[string]string{"email": "ada@example.com", "password": "secret-1"}
	for name, client := range map[string]*http.Client{"pipe": s.HTTPClient(), "port": {Transport: new(http.Transport)}} {
		a, err := try(t, client, s, "POST", "/auth/v1/token?grant_type=password", in)
		client.CloseIdleConnections()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a.want(t, 200)
		if got := a.text("user", "email"); got != "ada@example.com" {
			t.Errorf("%s: user %q", name, got)
		}
	}
}

func TestHTTPClientReachesNothingElse(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	for _, to := range []string{"http://example.com/", "https://project.supabase.test/"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", to, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.HTTPClient().Do(r)
		if err == nil {
			_ = res.Body.Close()
			t.Errorf("%s was reached", to)
		}
	}
}

func TestInABubbleTimeMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(t, WithoutPort(), WithUser("ada@example.com", ""))
		token, err := s.UserToken("ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		ask(t, s, "GET", "/auth/v1/user", nil, bearer(token)).want(t, 200)
		time.Sleep(59 * time.Minute) //nolint:forbidigo // nothing sleeps in a bubble
		ask(t, s, "GET", "/auth/v1/user", nil, bearer(token)).want(t, 200)
		s.Advance(time.Minute)
		ask(t, s, "GET", "/auth/v1/user", nil, bearer(token)).want(t, 403, "token is expired")
	})
}

func TestManyServersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for i := range 100 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := NewServer(t)
			a := ask(t, s, "POST", "/auth/v1/signup", map[string]string{"email": "a@example.com", "password": "secret-1"}).want(t, 200)
			ask(t, s, "GET", "/auth/v1/user", nil, bearer(a.text("access_token"))).want(t, 200)
		})
	}
}

func TestCloseCutsWhatRuns(t *testing.T) {
	t.Parallel()
	s, err := Start(WithoutPort())
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(Fault{Delay: time.Hour})
	done := make(chan error)
	go func() {
		_, err := try(t, s.HTTPClient(), s, "GET", "/auth/v1/health", nil)
		done <- err
	}()
	for len(s.Requests()) == 0 {
		runtime.Gosched()
	}
	s.Close()
	s.Close()
	if err := <-done; err == nil {
		t.Error("the request got an answer of a closed server")
	}
	if _, err := try(t, s.HTTPClient(), s, "GET", "/auth/v1/health", nil); err == nil {
		t.Error("a closed server answers")
	}
	if err := s.Up(); err == nil {
		t.Error("a closed server came up")
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithNewKeys(), WithUser("ada@example.com", "planted-password"), WithAuth(ConfirmEmail()))
	session, err := s.SignIn("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, "POST", "/auth/v1/otp", map[string]string{"email": "ada@example.com"}, bearer(session.AccessToken)).want(t, 200)
	otp := s.LastOTP("ada@example.com")
	if otp == "" {
		t.Fatal("no code was sent")
	}
	secrets := []string{
		s.AnonKey, s.ServiceKey, session.AccessToken, session.RefreshToken, otp, s.Mail()[0].Hash, "planted-password",
	}
	requests := s.Requests()
	if got := requests[len(requests)-1]; got.Bearer() != session.AccessToken || got.APIKey() != s.AnonKey {
		t.Error("a test cannot see the credentials of a request")
	}
	for _, v := range []any{s, session, &session, s.Mail(), s.Requests(), &s.Requests()[0]} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		for i, secret := range secrets {
			if strings.Contains(string(data), secret) {
				t.Errorf("JSON of %T shows secret %d", v, i)
			}
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for i, secret := range secrets {
				if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of %T shows secret %d", verb, v, i)
				}
			}
		}
	}
}
