package fakeauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// Whatever is asked, the service answers, and never with its own fault.
func FuzzRequests(f *testing.F) {
	keys := fakejwt.New([]byte("secret"))
	service, err := keys.SignSecret(map[string]any{"role": "service_role"}, "JWT")
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range [][3]string{
		{"POST", "/signup", `{"email":"a@example.com","password":"secret-1","data":{"a":{"b":[null]}}}`},
		{"POST", "/token?grant_type=password", `{"email":"ada@example.com","password":"secret-1"}`},
		{"POST", "/token?grant_type=pkce", `{"auth_code":"x","code_verifier":"y"}`},
		{"POST", "/verify", `{"type":"email","email":"ada@example.com","token":"1"}`},
		{"GET", "/verify?token=pkce_x&type=signup&redirect_to=%25", ""},
		{"PUT", "/user", `{"email":"b@example.com","data":null}`},
		{"GET", "/admin/users?page=2147483647&per_page=2147483647", ""},
		{"GET", "/admin/audit?query=author:", ""},
		{"PUT", "/admin/users/00000000-0000-4000-8000-000000000001", `{"ban_duration":"99999999h"}`},
		{"POST", "/admin/generate_link", `{"type":"email_change_new","email":"ada@example.com","new_email":"c@example.com"}`},
		{"GET", "/authorize?provider=github&redirect_to=x", ""},
		{"POST", "/callback", "state=%zz"},
		{"POST", "/factors", `{"factor_type":"totp"}`},
	} {
		f.Add(r[0], r[1], r[2], true)
		f.Add(r[0], r[1], r[2], false)
	}
	f.Fuzz(func(t *testing.T, method, target, body string, admin bool) {
		path, query, _ := strings.Cut(target, "?")
		r, err := http.NewRequestWithContext(t.Context(), method, "http://project.test/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.URL.RawQuery = path, query
		s := New(Config{Keys: keys, URL: "http://project.test", Providers: []string{"github"}})
		id := "00000000-0000-4000-8000-000000000001"
		if _, err := s.Add(NewUser{ID: id, Email: "ada@example.com", Password: "secret-1"}); err != nil {
			t.Fatal(err)
		}
		token := service
		if !admin {
			session, err := s.SignIn(id)
			if err != nil {
				t.Fatal(err)
			}
			token = session.AccessToken
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", method, target, w.Body)
		}
	})
}
