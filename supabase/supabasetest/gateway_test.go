package supabasetest

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheGatewayChecksKeys(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs"))
	for _, path := range []string{"/auth/v1/settings", "/auth/v1/health", "/rest/v1/todos"} {
		ask(t, s, "GET", path, nil, "apikey: ").want(t, 401, "No API key found")
		ask(t, s, "GET", path, nil, "apikey: "+s.AnonKey+"x").want(t, 401, "Invalid API key")
		ask(t, s, "GET", path, nil, "apikey: sb_secret_x").want(t, 401, "Invalid API key")
	}
	ask(t, s, "GET", "/auth/v1/settings?apikey="+s.AnonKey, nil, "apikey: ").want(t, 200)
	ask(t, s, "GET", "/auth/v1/.well-known/jwks.json", nil, "apikey: ").want(t, 200)
	ask(t, s, "GET", "/storage/v1/bucket", nil, "apikey: ").want(t, 400, "authorization")
	ask(t, s, "GET", "/storage/v1/bucket", nil, "apikey: sb_publishable_x").want(t, 401)
	ask(t, s, "GET", "/nosuch", nil).want(t, 404, "no Route matched")
	ask(t, s, "GET", "/rest/v1", nil, bearer(s.ServiceKey)).want(t, 200)
	ask(t, s, "GET", "/rest/v1/", nil, bearer(s.ServiceKey)).want(t, 200)
	ask(t, s, "GET", "/auth/v1", nil).want(t, 404)
	ask(t, s, "GET", "/storage/v1", nil).want(t, 404)
	ask(t, s, "GET", "/functions/v1", nil).want(t, 404)
	ask(t, s, "GET", "/restless/v1/x", nil).want(t, 404)
	ask(t, s, "GET", "/realtime/v1/websocket", nil).want(t, 501, "realtime")
	if got := ask(t, s, "OPTIONS", "/rest/v1/todos", nil, "apikey: ", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: apikey").want(t, 204); got.header.Get("Access-Control-Allow-Headers") != "apikey" {
		t.Errorf("headers %v", got.header)
	}
}

func TestNewKeysBecomeTokens(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithNewKeys(), WithBucket("docs"), WithUser("ada@example.com", ""))
	if !strings.HasPrefix(s.AnonKey, "sb_publishable_") || !strings.HasPrefix(s.ServiceKey, "sb_secret_") {
		t.Fatal("keys of another form")
	}
	for _, headers := range [][]string{{"apikey: " + s.ServiceKey}, {"apikey: " + s.ServiceKey, bearer(s.ServiceKey)}} {
		ask(t, s, "GET", "/auth/v1/admin/users", nil, headers...).want(t, 200)
		ask(t, s, "GET", "/storage/v1/bucket", nil, headers...).want(t, 200, `"name":"docs"`)
	}
	ask(t, s, "GET", "/auth/v1/admin/users", nil).want(t, 403, "not_admin")
	ask(t, s, "GET", "/storage/v1/bucket", nil).want(t, 200, "[]")
	token, err := s.UserToken("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	// A user's token lowers a secret key to the user.
	ask(t, s, "GET", "/storage/v1/bucket", nil, "apikey: "+s.ServiceKey, bearer(token)).want(t, 200, "[]")
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(token)).want(t, 200)
	if a := ask(t, s, "GET", "/auth/v1/settings", nil, "apikey: "+s.ServiceKey, "User-Agent: Mozilla/5.0").want(t, 401); a.body != "" {
		t.Errorf("body %q", a.body)
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	if s, err := Start(WithoutPort(), WithFunction("a/b", nil)); err == nil {
		s.Close()
		t.Error("a function without a handler")
	}
	s := NewServer(t, WithoutPort(),
		WithFunction("hello", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("data: " + r.Method + " " + r.URL.Path + "\n\n"))
			w.(http.Flusher).Flush()
		})),
		WithFunction("broken", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("planted") })))
	ask(t, s, "POST", "/functions/v1/hello/world", "{}", bearer(s.AnonKey)).want(t, 200, "data: POST /hello/world\n")
	ask(t, s, "POST", "/functions/v1/hello", "{}").want(t, 401)
	ask(t, s, "POST", "/functions/v1/hello", "{}", bearer("x.y.z")).want(t, 401, "Invalid JWT")
	ask(t, s, "POST", "/functions/v1/nosuch", "{}", bearer(s.AnonKey)).want(t, 404, "NOT_FOUND")
	a := ask(t, s, "POST", "/functions/v1/broken", "{}", bearer(s.AnonKey)).want(t, 500)
	if strings.Contains(a.body, "planted") {
		t.Errorf("a panic is told: %s", a.body)
	}
}

func TestRequestsAreRemembered(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithBucket("docs"))
	ask(t, s, "GET", "/auth/v1/settings?x=1", nil).want(t, 200)
	long := strings.Repeat("x", maxBody+1000)
	stored(t, s, "POST", "/object/docs/a", long).want(t, 200)
	list := s.Requests()
	if len(list) != 2 {
		t.Fatalf("%d requests", len(list))
	}
	if r := list[0]; r.Service != Auth || r.Method != "GET" || r.Path != "/settings" || r.Query.Get("x") != "1" || r.Status != 200 || r.APIKey() != s.AnonKey || r.Bearer() != "" {
		t.Errorf("%v", r)
	}
	if r := list[1]; r.Service != Storage || r.Bearer() != s.ServiceKey || string(r.Body) != long[:maxBody] {
		t.Errorf("%v, %d bytes", r, len(r.Body))
	}
	s.ResetRequests()
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	if got, _ := s.Object("docs", "a"); len(got) != len(long) {
		t.Errorf("%d bytes arrived", len(got))
	}
}
