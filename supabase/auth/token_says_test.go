package auth_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/streamconn/streamconn/supabase/auth"
)

func TestLifetimeIsWhatTheTokenSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		claims string
		want   time.Duration
	}{
		{`{"iat":1000,"exp":4600}`, time.Hour},
		{`{"exp":4600}`, 0},
		{`{"iat":4600,"exp":1000}`, 0},
		{`{"iat":"soon","exp":4600}`, 0},
	} {
		token := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(test.claims)) + ".AAAA"
		s, err := auth.NewSession(token, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Lifetime(); got != test.want {
			t.Errorf("%s lives for %v, want %v", test.claims, got, test.want)
		}
	}
	if got := (*auth.Session)(nil).Lifetime(); got != 0 {
		t.Errorf("no session lives for %v", got)
	}
}

func TestUserIDIsTheUsersOrTheTokens(t *testing.T) {
	t.Parallel()
	token := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"ann","exp":4600}`)) + ".AAAA"
	s, err := auth.NewSession(token, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.UserID(); got != "ann" {
		t.Errorf("by the token it is %q", got)
	}
	s.User = &auth.User{ID: "bob"}
	if got := s.UserID(); got != "bob" {
		t.Errorf("by the user it is %q", got)
	}
	for _, none := range []*auth.Session{nil, new(auth.Session)} {
		if got := none.UserID(); got != "" {
			t.Errorf("of no session it is %q", got)
		}
	}
}
