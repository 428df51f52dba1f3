package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/auth"
)

// signer signs tokens as a project does, and tells its public key.
type signer struct {
	alg, kid string
	key      crypto.Signer
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newSigner(t *testing.T, alg, kid string) *signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &signer{alg, kid, key}
}

func (s *signer) jwk() map[string]any {
	k := map[string]any{"kid": s.kid, "alg": s.alg, "use": "sig", "key_ops": []string{"verify"}}
	switch pub := s.key.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(pub.N.Bytes()), b64(big.NewInt(int64(pub.E)).Bytes())
	case *ecdsa.PublicKey:
		point, _ := pub.Bytes()
		k["kty"], k["crv"], k["x"], k["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(pub)
	}
	return k
}

// sign makes a token with a header and claims as they are.
func (s *signer) sign(header, claims string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	var sig []byte
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		sig, _ = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, v, _ := ecdsa.Sign(rand.Reader, key, sum[:])
		sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(signed))
	}
	return signed + "." + b64(sig)
}

func (s *signer) token(claims string) string {
	return s.sign(`{"alg":"`+s.alg+`","kid":"`+s.kid+`","typ":"JWT"}`, claims)
}

// claims of the user u1 that last an hour.
func claims(more ...string) string {
	return `{"sub":"u1","exp":` + strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10) + strings.Join(more, "") + `}`
}

// project answers for keys and for users, and counts.
type project struct {
	keys, users atomic.Int32

	mu     sync.Mutex
	set    string
	status int
	stop   func(*http.Request) error
}

func (p *project) publish(signers ...*signer) {
	list := []any{}
	for _, s := range signers {
		list = append(list, s.jwk())
	}
	b, _ := json.Marshal(map[string]any{"keys": list})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set, p.status = string(b), 200
}

func (p *project) fail(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.set = status, `{"code":"unexpected_failure","message":"x"}`
}

func (p *project) client(t *testing.T) *auth.Client {
	t.Helper()
	return over(t, func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/user") {
			p.users.Add(1)
			// This one believes every token but those that say so, as a server does whose secret signed them.
			if strings.Contains(r.Header.Get("Authorization"), ".YmFk") {
				return answerTo(r, 403, `{"code":"bad_jwt","message":"invalid JWT"}`), nil
			}
			return answerTo(r, 200, `{"id":"u1"}`), nil
		}
		p.keys.Add(1)
		if r.Header.Get("Authorization") != "" || !strings.HasSuffix(r.URL.Path, "/auth/v1/.well-known/jwks.json") {
			t.Errorf("%s with Authorization %q", r.URL, r.Header.Get("Authorization"))
		}
		p.mu.Lock()
		set, status, stop := p.set, p.status, p.stop
		p.mu.Unlock()
		if stop != nil {
			if err := stop(r); err != nil {
				return nil, err
			}
		}
		return answerTo(r, status, set), nil
	}, auth.WithRetry(auth.Retry{Disabled: true}))
}

func TestClaimsAreVerifiedHere(t *testing.T) {
	t.Parallel()
	e := recording(t, "es256", 1)
	recorded := &project{set: e.Response.Body, status: 200}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(recording(t, "es256", 3).Response.Body), &session); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // in the year 2000, before the recorded token expires
		got, err := recorded.client(t).Claims(t.Context(), session.AccessToken)
		if err != nil || recorded.users.Load() != 0 {
			t.Fatal(err)
		}
		if got.Subject != "6b88555e-4b92-4212-9cd4-a277db2e81a4" || got.Role != "authenticated" || got.Email != "es1795169310@example.com" ||
			got.AAL != auth.AAL1 || len(got.AMR) != 1 || got.AMR[0].Name != "password" || got.Issuer != "http://127.0.0.1:54321/auth/v1" ||
			got.Audience[0] != "authenticated" || got.ExpiresAt.Sub(got.IssuedAt) != time.Hour || got.SessionID == "" {
			t.Errorf("%+v", got)
		}
	})
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		p, s := &project{}, newSigner(t, alg, "k1")
		p.publish(s)
		c := p.client(t)
		for range 3 {
			got, err := c.WithToken(token(accessToken)).Claims(t.Context(), s.token(claims(`,"aud":["a","b"],"amr":["pwd"],"org":{"id":7}`)))
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			var own struct{ Org struct{ ID int } }
			if err := got.Decode(&own); err != nil || own.Org.ID != 7 || cmp.Diff([]string{"a", "b"}, got.Audience) != "" || got.AMR[0].Name != "pwd" {
				t.Errorf("%s: %+v, %v", alg, got, err)
			}
		}
		if p.keys.Load() != 1 || p.users.Load() != 0 {
			t.Errorf("%s: keys fetched %d times, user %d times", alg, p.keys.Load(), p.users.Load())
		}
	}
}

// What nobody may get through: each is refused, and what can be refused here asks nobody.
func TestClaimsThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	es, rs, other := newSigner(t, "ES256", "es"), newSigner(t, "RS256", "rs"), newSigner(t, "ES256", "es")
	now := time.Now()
	unix := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	// The public key as the secret of an HMAC: what makes libraries believe anybody.
	confused := func(kid string, secret []byte) string {
		signed := b64([]byte(`{"alg":"HS256","kid":"`+kid+`"}`)) + "." + b64([]byte(claims(`,"x":"bad"`)))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + ".YmFk" + b64(mac.Sum(nil))
	}
	whole := es.token(claims())
	tampered := func() string {
		parts := strings.Split(es.token(claims()), ".")
		return parts[0] + "." + b64([]byte(claims(`,"role":"service_role"`))) + "." + parts[2]
	}
	for _, tt := range []struct {
		name, token string
		asks        int32 // the server, for the user
		expired     bool
	}{
		{"empty", "", 0, false},
		{"no token", "planted", 0, false},
		{"alg none", b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(claims())) + ".", 0, false},
		{"alg nOnE with a kid", b64([]byte(`{"alg":"nOnE","kid":"es"}`)) + "." + b64([]byte(claims())) + ".", 0, false},
		{"no alg", b64([]byte(`{"kid":"es"}`)) + "." + b64([]byte(claims())) + ".x", 0, false},
		{"crit", es.sign(`{"alg":"ES256","kid":"es","crit":["b64"],"b64":false}`, claims()), 0, false},
		{"another key of that name", other.token(claims()), 0, false},
		{"claims changed", tampered(), 0, false},
		{"cut", whole[:len(whole)-4], 0, false},
		{"RS256 says ES256", rs.sign(`{"alg":"ES256","kid":"rs"}`, claims()), 0, false},
		{"ES256 says RS256", es.sign(`{"alg":"RS256","kid":"es"}`, claims()), 0, false},
		{"the public key as a secret", confused("es", []byte(fmt.Sprint(es.jwk()))), 1, false},
		{"expired", es.token(`{"sub":"u1","exp":` + unix(-time.Minute) + `}`), 0, true},
		{"expired, HS256", unsigned(`{"sub":"u1","exp":` + unix(-time.Minute) + `}`), 0, true},
		{"not yet", es.token(claims(`,"nbf":` + unix(time.Minute))), 0, false},
		{"no exp", es.token(`{"sub":"u1"}`), 0, false},
		{"exp of another form", es.token(`{"sub":"u1","exp":"tomorrow"}`), 0, false},
		{"no sub", es.token(`{"exp":` + unix(time.Hour) + `,"role":"service_role"}`), 0, false},
		{"no sub, HS256", unsigned(`{"exp":` + unix(time.Hour) + `,"role":"service_role"}`), 0, false},
		{"HS256 of nobody", confused("", []byte("guess")), 1, false},
		{"huge", es.token(claims(`,"x":"` + strings.Repeat("x", 100<<10) + `"`)), 0, false},
	} {
		p := &project{}
		p.publish(es, rs)
		got, err := p.client(t).Claims(t.Context(), tt.token)
		if err == nil || got != nil || !errors.Is(err, auth.ErrUnauthorized) || errors.Is(err, auth.ErrTokenExpired) != tt.expired {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
			continue
		}
		if p.users.Load() != tt.asks {
			t.Errorf("%s: the server was asked %d times, want %d", tt.name, p.users.Load(), tt.asks)
		}
		if len(tt.token) > 20 && strings.Contains(err.Error(), tt.token[20:]) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s shows the token: %v", tt.name, err)
		}
	}
}

func TestLeewayOfClocks(t *testing.T) {
	t.Parallel()
	s, p := newSigner(t, "ES256", "k"), &project{}
	p.publish(s)
	c := p.client(t)
	unix := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }
	for _, claims := range []string{
		`{"sub":"u1","exp":` + unix(-20*time.Second) + `}`, `{"sub":"u1","nbf":` + unix(20*time.Second) + `,"exp":` + unix(time.Hour) + `}`,
		`{"sub":"u1","exp":` + unix(time.Hour) + `.75}`,
	} {
		if _, err := c.Claims(t.Context(), s.token(claims)); err != nil {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

// What is not verified here, the server is asked about.
func TestClaimsThatTheServerVerifies(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "ES256", "known")
	unknown := newSigner(t, "ES256", "unknown")
	of := func(header string) func(string) string {
		return func(claims string) string { return s.sign(header, claims) }
	}
	for name, tt := range map[string]struct {
		token func(claims string) string
		keys  int32
	}{
		"HS256":                 {unsigned, 0},
		"no kid":                {of(`{"alg":"ES256"}`), 0},
		"a key not in the list": {unknown.token, 1},
		"another algorithm":     {of(`{"alg":"PS512","kid":"known"}`), 0},
		"a kid without end":     {of(`{"alg":"ES256","kid":"` + strings.Repeat("k", 1000) + `"}`), 0},
	} {
		p := &project{}
		p.publish(s)
		c := p.client(t)
		if got, err := c.Claims(t.Context(), tt.token(claims())); err != nil || got.Subject != "u1" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if p.users.Load() != 1 || p.keys.Load() != tt.keys {
			t.Errorf("%s: the server was asked %d times, keys were fetched %d times", name, p.users.Load(), p.keys.Load())
		}
		// The server answers for another user than the token says: a proxy mixes up answers.
		if _, err := c.Claims(t.Context(), tt.token(strings.Replace(claims(), "u1", "u2", 1))); !errors.Is(err, auth.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClaimsOfAProjectWithoutKeys(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "ES256", "k")
	for name, p := range map[string]*project{
		"the recorded answer": {set: recording(t, "main", 3).Response.Body, status: 200},
		"none, as before":     {set: "404 page not found\n", status: 404},
	} {
		c := p.client(t)
		for range 3 {
			if _, err := c.Claims(t.Context(), s.token(claims())); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if p.keys.Load() != 1 || p.users.Load() != 3 {
			t.Errorf("%s: keys fetched %d times, the server asked %d times", name, p.keys.Load(), p.users.Load())
		}
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t, "ES256", "k1"), newSigner(t, "ES256", "k2")
	synctest.Test(t, func(t *testing.T) {
		p := &project{}
		p.publish(first)
		c := p.client(t)
		check := func(what string, s *signer, keys, users int32) {
			t.Helper()
			if _, err := c.Claims(t.Context(), s.token(claims())); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if p.keys.Load() != keys || p.users.Load() != users {
				t.Errorf("%s: keys fetched %d times, the server asked %d times; want %d and %d", what, p.keys.Load(), p.users.Load(), keys, users)
			}
		}
		check("the first", first, 1, 0)
		p.publish(first, second)
		check("a new key at once: keys are not fetched again so soon", second, 1, 1)
		<-time.After(11 * time.Second)
		check("a new key later", second, 2, 1)
		check("both", first, 2, 1)
		p.publish(second)
		<-time.After(9 * time.Minute)
		check("a key that was taken back, for a while", first, 2, 1)
		<-time.After(2 * time.Minute)
		check("a key that was taken back", first, 3, 2)
		check("the other", second, 3, 2)
	})
}

// A failure is not repeated for each token, and does not take away the keys that are there.
func TestKeysThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	s, fresh := newSigner(t, "ES256", "k1"), newSigner(t, "ES256", "k2")
	synctest.Test(t, func(t *testing.T) {
		p := &project{}
		p.fail(500)
		c := p.client(t)
		for range 5 {
			if _, err := c.Claims(t.Context(), s.token(claims())); err == nil || errors.Is(err, auth.ErrUnauthorized) {
				t.Errorf("%v", err)
			}
		}
		if p.keys.Load() != 1 || p.users.Load() != 0 {
			t.Errorf("keys fetched %d times", p.keys.Load())
		}
		p.publish(s)
		<-time.After(11 * time.Second)
		if _, err := c.Claims(t.Context(), s.token(claims())); err != nil {
			t.Error(err)
		}
		p.fail(500)
		<-time.After(11 * time.Second)
		if _, err := c.Claims(t.Context(), fresh.token(claims())); err == nil {
			t.Error("an unknown key, and nobody to ask")
		}
		if _, err := c.Claims(t.Context(), s.token(claims())); err != nil {
			t.Errorf("a known key: %v", err)
		}
		p.mu.Lock()
		p.set, p.status = `{"keys":`+strings.Repeat(" ", 2<<20)+`[]}`, 200
		p.mu.Unlock()
		<-time.After(11 * time.Second)
		if _, err := c.Claims(t.Context(), fresh.token(claims())); err == nil {
			t.Error("a list without end")
		}
	})
}

func TestKeysAreFetchedOnce(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "ES256", "k1")
	synctest.Test(t, func(t *testing.T) {
		p := &project{}
		p.publish(s)
		p.stop = func(r *http.Request) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-r.Context().Done():
				return r.Context().Err()
			}
		}
		c := p.client(t)
		token := s.token(claims())
		// The one who fetches gives up; the others go on.
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Claims(ctx, token); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader: %v", err)
			}
		})
		synctest.Wait()
		for range 64 {
			wg.Go(func() {
				if _, err := c.Claims(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		wg.Go(func() {
			if _, err := c.Claims(short, token); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a follower: %v", err)
			}
		})
		wg.Wait()
		if p.keys.Load() != 2 || p.users.Load() != 0 {
			t.Errorf("keys fetched %d times, want 2", p.keys.Load())
		}
	})
}

// Keys that verify nothing, or not safely, are left out.
func TestKeysOfNoUse(t *testing.T) {
	t.Parallel()
	es, rs, ed := newSigner(t, "ES256", "k"), newSigner(t, "RS256", "k"), newSigner(t, "EdDSA", "k")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	with := func(s *signer, changes map[string]any) map[string]any {
		k := s.jwk()
		maps.Copy(k, changes)
		return k
	}
	for name, tt := range map[string]struct {
		s   *signer
		jwk any
	}{
		"for encryption":        {es, with(es, map[string]any{"use": "enc"})},
		"for signing alone":     {es, with(es, map[string]any{"key_ops": []string{"sign"}})},
		"of another algorithm":  {es, with(es, map[string]any{"alg": "RS256"})},
		"no point of the curve": {es, with(es, map[string]any{"x": b64(make([]byte, 32))})},
		"a short coordinate":    {es, with(es, map[string]any{"x": "AA"})},
		"of another curve":      {es, with(es, map[string]any{"crv": "P-384"})},
		"an exponent of one":    {rs, with(rs, map[string]any{"e": "AQ"})},
		"an even exponent":      {rs, with(rs, map[string]any{"e": "Ag"})},
		"a huge exponent":       {rs, with(rs, map[string]any{"e": b64(make([]byte, 9))})},
		"no modulus":            {rs, with(rs, map[string]any{"n": ""})},
		"a short modulus":       {&signer{"RS256", "k", small}, (&signer{"RS256", "k", small}).jwk()},
		"a short Ed25519":       {ed, with(ed, map[string]any{"x": "AA"})},
		"a secret":              {es, map[string]any{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}},
		"a name that is a list": {es, with(es, map[string]any{"kid": []string{"k"}})},
		"no object":             {es, "k"},
	} {
		b, err := json.Marshal(map[string]any{"keys": []any{tt.jwk}})
		if err != nil {
			t.Fatal(err)
		}
		p := &project{set: string(b), status: 200}
		if _, err := p.client(t).Claims(t.Context(), tt.s.token(claims())); err != nil || p.users.Load() != 1 {
			t.Errorf("%s: the key is used (%v)", name, err)
		}
	}
}
