package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/internal/deadlinetest"
)

// A client that is given brings its cookies along.
func TestTheJarOfTheHTTPClientCounts(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("seen"); err == nil {
			w.Header().Set("X-Seen", c.Value)
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
	}))
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Config{BaseURL: srv.URL, HTTPClient: &http.Client{Jar: jar, Transport: srv.Client().Transport}})
	for _, want := range []string{"", "yes"} {
		resp, err := c.Do(t.Context(), get("t"))
		if err != nil || resp.Header.Get("X-Seen") != want {
			t.Errorf("%v, %v; want the cookie %q", resp, err, want)
		}
	}
}

// A client that is given brings its timeout along.
func TestTheTimeoutOfTheHTTPClientCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{Retry: Retry{Disabled: true}, HTTPClient: &http.Client{
			Timeout: time.Second,
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}),
		}})
		start := time.Now()
		_, err := c.Do(t.Context(), get("t"))
		var timeout interface{ Timeout() bool }
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// Transports that do not keep to their contract are no reason to panic.
func TestTransportsThatGiveNothing(t *testing.T) {
	t.Parallel()
	c := over(t, func(*http.Request) (*http.Response, error) { return nil, nil })
	if _, err := c.WithRetry(Retry{Disabled: true}).Do(t.Context(), get("t")); err == nil || !strings.Contains(err.Error(), "neither an answer nor an error") {
		t.Errorf("no answer: %v", err)
	}
	c = over(t, func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent, Request: r, Header: http.Header{}}, nil
	})
	if resp, err := c.Do(t.Context(), get("t")); err != nil || len(resp.Body) != 0 {
		t.Errorf("no body: %v, %v", resp, err)
	}
}

// Nor do they reach the headers of other requests.
func TestTransportsThatChangeHeaders(t *testing.T) {
	t.Parallel()
	own := http.Header{"Accept": {"text/csv"}}
	c := over(t, func(r *http.Request) (*http.Response, error) {
		for name, values := range r.Header {
			if values[0] == "changed" {
				t.Errorf("%s is another request's", name)
			}
			values[0] = "changed"
			r.Header[name] = append(values, "more")
		}
		return answerWith(r, 200, ""), nil
	}, func(c *Config) { c.Header = http.Header{"X-Own": {"1"}, "X-Two": {"1", "2"}} })
	for range 2 {
		if _, err := c.Do(t.Context(), &Request{Method: http.MethodGet, Header: own}); err != nil {
			t.Fatal(err)
		}
	}
	if own.Get("Accept") != "text/csv" {
		t.Error("the request's own headers were changed")
	}
}

// An https address of a server that speaks plain HTTP is told as that, and not tried again.
func TestPlainHTTPBehindAnHTTPSAddressIsSaidSo(t *testing.T) {
	t.Parallel()
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, client := range map[string]*http.Client{
		"our transport":   NewHTTPClient(),
		"a whole client":  {Timeout: time.Minute, Transport: NewHTTPClient().Transport},
		"Go's transport":  {Transport: &http.Transport{}},
		"with no HTTP/2s": {Transport: &http.Transport{Protocols: new(http.Protocols)}},
	} {
		if name == "with no HTTP/2s" {
			client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
		}
		tries := 0
		c := newClient(t, Config{BaseURL: "https" + strings.TrimPrefix(url, "http"), HTTPClient: client, Observe: func(Event) { tries++ }})
		_, err := c.Do(t.Context(), &Request{Method: http.MethodGet})
		client.CloseIdleConnections()
		if !errors.Is(err, http.ErrSchemeMismatch) || tries != 1 {
			t.Errorf("%s: %v after %d tries", name, err, tries)
		}
	}
}

func TestDeadlineThatTheNetworkNoticesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			return nil, deadlinetest.Dial(r.Context())
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.Do(deadlinetest.Early(ctx), get("t")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
