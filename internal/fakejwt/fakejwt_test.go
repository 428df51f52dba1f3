package fakejwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func sign(t testing.TB, k *Keyring, claims any) string {
	t.Helper()
	token, err := k.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensOfBothKinds(t *testing.T) {
	t.Parallel()
	k := New([]byte("secret"))
	now := time.Unix(1000, 0)
	old := sign(t, k, map[string]any{"sub": "a", "exp": 1001})
	if err := k.Rotate("k1"); err != nil {
		t.Fatal(err)
	}
	fresh := sign(t, k, map[string]any{"sub": "a", "exp": 1001})
	for _, token := range []string{old, fresh} {
		c, err := k.Verify(token, now)
		if err != nil || c.String("sub") != "a" {
			t.Errorf("%v, %v", c, err)
		}
		if _, err := k.Verify(token, now.Add(time.Second)); !errors.Is(err, ErrExpired) {
			t.Errorf("at exp: %v", err)
		}
		if _, err := New([]byte("other")).Verify(token, now); !errors.Is(err, ErrSignature) {
			t.Errorf("another project: %v", err)
		}
		head, rest, _ := strings.Cut(token, ".")
		body, signature, _ := strings.Cut(rest, ".")
		other := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"b"}`))
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		for _, forged := range []string{head + "." + other + "." + signature, none + "." + body + ".", none + "." + body + "." + signature} {
			if _, err := k.Verify(forged, now); !errors.Is(err, ErrSignature) {
				t.Errorf("forged: %v", err)
			}
		}
	}
	// A token cannot choose that a public key be taken for a secret, or a secret's for another kind.
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k1"}`))
	_, rest, _ := strings.Cut(old, ".")
	if _, err := k.Verify(head+"."+rest, now); !errors.Is(err, ErrSignature) {
		t.Errorf("another algorithm: %v", err)
	}
	for text, want := range map[string]error{"": ErrSegments, "a.b": ErrSegments, "a.b.c": ErrMalformed, "e30.bnVsbA.": ErrMalformed, "a.b.c.d": ErrSegments} {
		if _, err := k.Verify(text, now); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(text, "secret") || strings.Contains(text, fmt.Sprint([]byte("secret"))) {
		t.Errorf("printed: %s", text)
	}
}

func FuzzVerify(f *testing.F) {
	k := New([]byte("secret"))
	if err := k.Rotate("k1"); err != nil {
		f.Fatal(err)
	}
	good, err := k.SignSecret(map[string]any{"sub": "a"}, "JWT")
	if err != nil {
		f.Fatal(err)
	}
	valid := map[string]bool{good: true, sign(f, k, map[string]any{"sub": "a"}): true}
	for token := range valid {
		f.Add(token)
	}
	f.Add("..")
	f.Add("e30.e30.")
	f.Add(good + "=")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := k.Verify(token, time.Unix(1000, 0))
		if err == nil && !valid[token] {
			// Base64 has several spellings of its last character; what it says must be the same.
			if parts := strings.Split(token, "."); len(parts) != 3 || claims.String("sub") != "a" {
				t.Errorf("%q is taken for a token", token)
			}
		}
	})
}
