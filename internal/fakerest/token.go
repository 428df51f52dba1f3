package fakerest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

func verifyHS256(secret []byte, token string, now time.Time) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got %d)", len(parts))
	}
	raw := make([][]byte, 3)
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, errors.New("JWSError (JSONDecodeError \"base64\")")
		}
		raw[i] = b
	}
	var header struct {
		Alg string `json:"alg"`
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return nil, errors.New("JWSError (JSONDecodeError \"protected header contains invalid JSON\")")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if header.Alg != "HS256" || !hmac.Equal(mac.Sum(nil), raw[2]) {
		return nil, errors.New("JWSError JWSInvalidSignature")
	}
	var claims map[string]any
	if err := json.Unmarshal(raw[1], &claims); err != nil {
		return nil, errors.New("JWTClaimsSetDecodeError")
	}
	const skew = 30 * time.Second // that is granted to clocks
	for _, c := range []struct {
		name string
		bad  func(t time.Time) bool
		text string
	}{
		{"exp", func(t time.Time) bool { return now.After(t.Add(skew)) }, "JWT expired"},
		{"nbf", func(t time.Time) bool { return now.Before(t.Add(-skew)) }, "JWTNotYetValid"},
		{"iat", func(t time.Time) bool { return now.Before(t.Add(-skew)) }, "JWTIssuedAtFuture"},
	} {
		if n, ok := claims[c.name].(float64); ok && c.bad(time.UnixMicro(int64(n*1e6))) {
			return nil, errors.New(c.text)
		}
	}
	return claims, nil
}
