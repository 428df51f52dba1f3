package supabasetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// ask sends a request through HTTPClient, with the anonymous key unless the headers say otherwise.
// Headers are "Name: value"; a body that is no string is sent as JSON.
func ask(t *testing.T, s *Server, method, path string, body any, headers ...string) answer {
	t.Helper()
	a, err := try(t, s.HTTPClient(), s, method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(t *testing.T, client *http.Client, s *Server, method, path string, body any, headers ...string) (answer, error) {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("apikey", s.AnonKey)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, body: string(data)}
	_ = json.Unmarshal(data, &a.json) // lists and texts are looked at as they are
	return a, err
}

// at is a value deep in a JSON answer.
func (a answer) at(path ...string) any {
	var v any = a.json
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a answer) text(path ...string) string {
	s, _ := a.at(path...).(string)
	return s
}

// want fails the test unless the answer has the status and, if any is given, the texts in its body.
func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Fatalf("%q is not in the body: %s", text, a.body)
		}
	}
	return a
}

func bearer(token string) string { return "Authorization: Bearer " + token }
