package auth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/supabase/auth"
)

func TestPKCE(t *testing.T) {
	t.Parallel()
	p, err := auth.ParsePKCE("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	if err != nil || p.Challenge() != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" { // of RFC 7636
		t.Error(p.Challenge(), err)
	}
	a, b := auth.NewPKCE(), auth.NewPKCE()
	if a.Verifier() == b.Verifier() || len(a.Verifier()) != 43 {
		t.Error("not random")
	}
	if again, err := auth.ParsePKCE(a.Verifier()); err != nil || again.Challenge() != a.Challenge() {
		t.Error(err)
	}
	for _, bad := range []string{"", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 42) + "/", strings.Repeat("a", 42) + "é"} {
		if _, err := auth.ParsePKCE(bad); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if (*auth.PKCE)(nil).Verifier() != "" || new(auth.PKCE).Verifier() != "" {
		t.Error("nothing has a verifier")
	}
}

func TestOAuthURL(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was sent", r.URL)
		return answerTo(r, 500, ""), nil
	})
	p, extra := auth.NewPKCE(), url.Values{"code_challenge": {"mine"}, "hd": {"example.com"}}
	address, err := c.OAuthURL(t.Context(), auth.OAuth{Provider: "google", PKCE: p, Query: extra})
	want := baseURL + "/authorize?code_challenge=" + p.Challenge() + "&code_challenge_method=s256&hd=example.com&provider=google"
	if err != nil || address != want {
		t.Errorf("%s, %v; want %s", address, err, want)
	}
	if len(extra) != 2 || extra.Get("code_challenge") != "mine" {
		t.Error("the caller's query was changed")
	}
	if _, err := c.OAuthURL(t.Context(), auth.OAuth{}); !errors.Is(err, auth.ErrInvalid) {
		t.Error(err)
	}
}

func TestLinkIdentityURL(t *testing.T) {
	t.Parallel()
	p := auth.NewPKCE()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		want := "/auth/v1/user/identities/authorize?code_challenge=" + p.Challenge() + "&code_challenge_method=s256&provider=github&redirect_to=http%3A%2F%2Fx&skip_http_redirect=true"
		if r.URL.RequestURI() != want || r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+accessToken {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		return answerTo(r, 200, `{"url":"https://github.com/login/oauth/authorize?state=x"}`), nil
	})
	address, err := c.WithSession(newSession(t)).LinkIdentityURL(t.Context(), auth.OAuth{Provider: "github", RedirectTo: "http://x", PKCE: p})
	if err != nil || address != "https://github.com/login/oauth/authorize?state=x" {
		t.Error(address, err)
	}
	if _, err := c.LinkIdentityURL(t.Context(), auth.OAuth{Provider: "github"}); !errors.Is(err, auth.ErrNoToken) {
		t.Error(err)
	}
	if _, err := answering(t, 200, `{}`).WithSession(newSession(t)).LinkIdentityURL(t.Context(), auth.OAuth{Provider: "github"}); err == nil {
		t.Error("no address is no error")
	}
}

func TestParseRedirect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, address string
		code          string
		is            error
		errCode       string
	}{
		{"a code", "http://x/cb?code=abc", "abc", nil, ""},
		{"a code and a foreign fragment", "http://x/cb?code=abc#top", "abc", nil, ""},
		{"an error in the query", "http://x/cb?error=access_denied&error_code=otp_expired&error_description=Too+late", "", auth.ErrForbidden, "otp_expired"},
		{"an error in the fragment", "http://x/cb#error=server_error&error_code=unexpected_failure&error_description=x", "", nil, "unexpected_failure"},
		{"an older server's status", "http://x/cb#error=unauthorized_client&error_code=401&error_description=x", "", auth.ErrForbidden, "unauthorized_client"},
		{"a provider's", "http://x/cb?error=access_denied&error_description=The+user+said+no", "", auth.ErrForbidden, "access_denied"},
		{"a code that is no code", "http://x/cb?error=%3Cscript%3E&error_description=x%0Ay", "", nil, ""},
		{"nothing", "http://x/cb", "", auth.ErrInvalid, ""},
		{"a broken session", "http://x/cb#access_token=planted&expires_in=soon", "", nil, ""},
		{"a session without end", "http://x/cb#access_token=planted", "", nil, ""},
	} {
		u, err := url.Parse(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		r, err := auth.ParseRedirect(u)
		if tt.code != "" {
			if err != nil || r.Code != tt.code {
				t.Errorf("%s: %+v, %v", tt.name, r, err)
			}
			continue
		}
		if err == nil || r != nil || tt.is != nil && !errors.Is(err, tt.is) || strings.ContainsAny(err.Error(), "<\n") || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
		if e, ok := errors.AsType[*auth.Error](err); ok != strings.Contains(tt.address, "error") || ok && e.Code != tt.errCode {
			t.Errorf("%s: %+v", tt.name, err)
		}
	}
	u, err := url.Parse("http://x/cb?message=Confirmation+link+accepted#message=Confirmation+link+accepted")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := auth.ParseRedirect(u); err != nil || r.Message != "Confirmation link accepted" || r.Session != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSAMLMetadata(t *testing.T) {
	t.Parallel()
	s := both(t, 200, "<EntityDescriptor/>", "Content-Type", "application/xml")
	if b, err := s.ours.SAMLMetadata(t.Context()); err != nil || string(b) != "<EntityDescriptor/>" || s.last(t).URL.Path != "/auth/v1/sso/saml/metadata" {
		t.Error(string(b), err)
	}
}
