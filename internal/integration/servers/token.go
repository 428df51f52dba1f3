//go:build linux

package servers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// SignToken makes a JWT (HS256), as a Supabase project does for a user: of an audience
// authenticated, with the role, and the user's id as sub unless that is empty. It is valid for as
// long as life says from now on; below zero, it was until then.
func SignToken(secret, sub, role string, life time.Duration) string {
	now := time.Now()
	claims := map[string]any{
		"role": role, "aud": "authenticated", "iss": "tests", "iat": now.Unix() - 3600, "exp": now.Add(life).Unix(),
	}
	if sub != "" {
		claims["sub"] = sub
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // strings and numbers
	}
	signed := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(text)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + part(mac.Sum(nil))
}

func part(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
