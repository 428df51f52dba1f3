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

// UserID is the user's id: that of User, else the sub that the access token names, which is not
// verified here. It is empty if neither says.
func (s *Session) UserID() string {
	if s == nil {
		return ""
	}
	if s.User != nil && s.User.ID != "" {
		return s.User.ID
	}
	t, err := parseJWT(s.AccessToken())
	if err != nil {
		return ""
	}
	var c struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal(t.claims, &c) != nil {
		return ""
	}
	return c.Sub
}
