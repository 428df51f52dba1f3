package supabase_test

import (
	"encoding/base64"
	"encoding/json"
)

// subject is the sub of a token's claims, as a server reads it.
func subject(claims string) string {
	text, err := base64.RawURLEncoding.DecodeString(claims)
	if err != nil {
		return ""
	}
	var c struct{ Sub string }
	if json.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.Sub
}
