package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func FuzzJWT(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJ1MSIsImV4cCI6MTc5NTE3MjkxMH0.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Add("....")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, err := parseJWT(token)
		if err != nil {
			if s, err := NewSession(token, "r"); err == nil {
				t.Errorf("%v of a token that is none", s)
			}
			return
		}
		// One token has one spelling: what was parsed is exactly what was given.
		if again := parsed.signed + "." + base64.RawURLEncoding.EncodeToString(parsed.signature); again != token {
			t.Errorf("%q is read as %q", token, again)
		}
		exp := parsed.expiry()
		s, err := NewSession(token, "r")
		if (err == nil) == exp.IsZero() {
			t.Errorf("expires %v, session %v, error %v", exp, s, err)
		}
		if err == nil {
			if b, err := s.MarshalSecret(); err != nil {
				t.Error(err)
			} else if back, err := ParseSession(b); err != nil && exp.Unix() > 0 || err == nil && (back.AccessToken() != token || back.ExpiresAt.After(s.ExpiresAt)) {
				t.Errorf("%v comes back as %v, %v", s.ExpiresAt, back, err)
			}
		}
		c, err := parsed.read()
		if err == nil && c.raw == nil {
			t.Error("claims of nothing")
		}
	})
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","refresh_token":"r","expires_in":3600,"user":{"id":"u","created_at":""}}`))
	f.Add([]byte(`{"access_token":"a","expires_at":1e308}`))
	f.Add([]byte(`{"access_token":"a","expires_in":-1}`))
	f.Add([]byte(`{"access_token":"a","expires_at":1795172910.75,"provider_token":"p","weak_password":{"reasons":["length"]}}`))
	f.Add([]byte(`{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjF9.","expires_in":60}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSession(data)
		if err != nil {
			if _, ok := errors.AsType[answerError](err); !ok {
				t.Errorf("%v is no text of ours, and may repeat what was read", err)
			}
			return
		}
		if s.AccessToken() == "" || s.ExpiresAt.IsZero() || s.AccessToken() == redacted {
			t.Errorf("%v has nothing to send, or no end", s)
		}
		b, err := s.MarshalSecret()
		if err != nil {
			t.Fatalf("%v of %q", err, data)
		}
		again, err := ParseSession(b)
		if err != nil {
			t.Fatalf("%v of %s", err, b)
		}
		if again.secrets() != s.secrets() || again.ExpiresAt.After(s.ExpiresAt) || s.ExpiresAt.Sub(again.ExpiresAt).Seconds() > 1 {
			t.Errorf("%s comes back otherwise: %v", b, again)
		}
		masked, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseSession(masked); err == nil {
			t.Error("masked tokens are read back")
		}
		if text := fmt.Sprintf("%v %+v %#v", s, *s, s); len(s.AccessToken()) > 24 && strings.Contains(text, s.AccessToken()) {
			t.Error("the token is shown")
		}
	})
}

func FuzzRedirect(f *testing.F) {
	f.Add("http://x/cb?code=abc")
	f.Add("http://x/cb#access_token=a&expires_in=60&refresh_token=r&type=recovery")
	f.Add("http://x/cb#error=access_denied&error_code=otp_expired&error_description=x")
	f.Add("http://x/cb?error=\n#%zz")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		r, err := ParseRedirect(u)
		if err == nil && r.Code == "" && r.Session == nil && r.Message == "" {
			t.Errorf("%+v of %q", r, address)
		}
		if err != nil && (r != nil || strings.ContainsAny(err.Error(), "\n\r\x00")) {
			t.Errorf("%+v, %q", r, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"alg":"ES256","crv":"P-256","kid":"e","kty":"EC","use":"sig","x":"poSrTJmw3Rrro5XUFpemce-yclNS_qWm1OozLMe2-a4","y":"GWBJHmCOKyrOBlzJ3EQdvSslw_yqIdoKlBw0CwY3nJk"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","kid":"o","x":"AA"},null,7]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeys(data)
		if err != nil && keys != nil || len(keys) > maxKeys {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for kid, k := range keys {
			token := &jwt{alg: k.alg, kid: kid, signed: "a.b", signature: bytes.Repeat([]byte{1}, 64)}
			if !asymmetric(k.alg) || k.verifies(token) {
				t.Errorf("%s verifies anything", k.alg)
			}
		}
	})
}

func FuzzLinks(f *testing.F) {
	f.Add("10", `</admin/users?page=2&per_page=2>; rel="next", </admin/users?page=5&per_page=2>; rel="last"`)
	f.Add("-1", `<>; rel="next"`)
	f.Fuzz(func(t *testing.T, total, link string) {
		l := listed(http.Header{"X-Total-Count": {total}, "Link": {link}})
		if l.Total < -1 || l.Next < 0 || l.Last < 0 {
			t.Errorf("%+v", l)
		}
	})
}
