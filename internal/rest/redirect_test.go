package rest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRedirectsOnTheSameHostKeepMethodBodyAndHeaders(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 308} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			t.Run(http.StatusText(status)+" "+method, func(t *testing.T) {
				t.Parallel()
				url := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/rest/v1/old" {
						w.Header().Set("Location", "new?b=2#f")
						w.WriteHeader(status)
						return
					}
					body, _ := io.ReadAll(r.Body)
					if r.Method != method || string(body) != "body" || r.URL.RequestURI() != "/rest/v1/new?b=2" ||
						r.Header.Get("apikey") != jwtKey || r.Header.Get("Authorization") != "Bearer "+jwtKey || r.Header.Get("Prefer") != "p" {
						t.Errorf("%s %s %q %v", r.Method, r.URL, body, r.Header)
					}
				})
				c := newClient(t, Config{BaseURL: url + "/rest/v1"})
				bodies := []*Request{{Body: []byte("body")}, {Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("body")), nil }}}
				for _, r := range bodies {
					r.Method, r.Path, r.Query, r.Header = method, "old", "a=1", http.Header{"Prefer": {"p"}}
					if _, err := c.Do(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func TestRedirectsElsewhereAreErrorsAndNothingIsSentThere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		base     string
		location string
		named    string
	}{
		"another host":      {"http://project.test", "http://evil.test/t?apikey=planted", "http://evil.test"},
		"another port":      {"http://project.test", "http://project.test:8080/t", "http://project.test:8080"},
		"a subdomain":       {"https://project.test", "https://evil.project.test/t", "https://evil.project.test"},
		"a look-alike":      {"https://project.test", "https://project.test.evil/t", "https://project.test.evil"},
		"without TLS":       {"https://project.test", "http://project.test/t", "http://project.test"},
		"without a scheme":  {"https://project.test", "//evil.test/t", "https://evil.test"},
		"another scheme":    {"https://project.test", "file:///etc/passwd", "another host"},
		"with a password":   {"https://project.test", "https://me:planted@project.test/t", "password"},
		"without end":       {"https://project.test", "/again", "more than 5"},
		"TLS, another port": {"http://project.test:8000", "https://project.test/t", "https://project.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			c := newClient(t, Config{BaseURL: tt.base, HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				sent++
				if r.URL.Path != "/t" && r.URL.Path != "/again" || strings.Contains(r.URL.Host, "evil") {
					t.Errorf("sent to %v", r.URL)
				}
				return answerWith(r, 307, `{"code":"X"}`, "Location", tt.location), nil
			})}})
			_, err := c.Do(t.Context(), get("t"))
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, ErrRedirect) || e.Status != 307 || e.Transient() || !strings.Contains(err.Error(), tt.named) {
				t.Errorf("%v", err)
			}
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("%v holds a secret", err)
			}
			if want := 1; sent != want && name != "without end" || name == "without end" && sent != maxRedirects+1 {
				t.Errorf("sent %d times", sent)
			}
			if ok && e.Header().Get("Location") != tt.location {
				t.Error("the header is lost")
			}
		})
	}
}

func TestTheStepToTLSIsFollowed(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{BaseURL: "http://project.test", HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme == "http" {
			return answerWith(r, 301, "", "Location", "https://project.test:443"+r.URL.Path), nil
		}
		return answerWith(r, 200, r.Method), nil
	})}})
	resp, err := c.Do(t.Context(), &Request{Method: "POST", Path: "t", Body: []byte("x")})
	if err != nil || string(resp.Body) != "POST" {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestOtherThreeHundredsAreErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method   string
		status   int
		location string
	}{
		{"GET", 300, "/other"},
		{"POST", 303, "/other"}, // the write was done; where to read about it is the caller's to know
		{"GET", 304, ""},
		{"GET", 302, ""},
	} {
		t.Run(tt.method+" "+http.StatusText(tt.status), func(t *testing.T) {
			t.Parallel()
			sent := 0
			c := over(t, func(r *http.Request) (*http.Response, error) {
				sent++
				resp := answerWith(r, tt.status, `{"code":"PGRST203","message":"Could not choose the best candidate function"}`)
				if tt.location != "" {
					resp.Header.Set("Location", tt.location)
				}
				return resp, nil
			})
			_, err := c.Do(t.Context(), &Request{Method: tt.method, Path: "t"})
			if e, ok := errors.AsType[*Error](err); !ok || e.Status != tt.status || e.Code != "PGRST203" || errors.Is(err, ErrRedirect) || sent != 1 {
				t.Errorf("%v, sent %d", err, sent)
			}
		})
	}
}
