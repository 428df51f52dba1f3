package auth

import (
	"encoding/json"
	"time"
)

// Lifetime is how long the access token lives from when it was made, by what it says itself; 0 if
// it does not say. Counted from when the session came, it gives the expiry by the clock of this
// machine, however far the server's is from it.
func (s *Session) Lifetime() time.Duration {
	t, err := parseJWT(s.AccessToken())
	if err != nil {
		return 0
	}
	var c struct {
		Exp *numericDate `json:"exp"`
		Iat *numericDate `json:"iat"`
	}
	if json.Unmarshal(t.claims, &c) != nil || c.Exp == nil || c.Iat == nil {
		return 0
	}
	return max(c.Exp.time().Sub(c.Iat.time()), 0)
}
