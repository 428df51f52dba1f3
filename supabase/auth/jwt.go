package auth

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
)

// maxToken bounds, in bytes, a token that is looked into: more fits into no header.
const maxToken = 64 << 10

// jwt is a JSON web token taken apart. Nothing in it is verified.
type jwt struct {
	alg, kid  string
	crit      bool   // it names extensions that must be understood
	claims    []byte // JSON, an object
	signed    string // what the signature is of
	signature []byte
}

// parseJWT takes a token apart. Its errors hold nothing of it.
func parseJWT(token string) (*jwt, error) {
	if len(token) > maxToken {
		return nil, answerError("the access token is too long")
	}
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(signature, ".") {
		return nil, answerError("the access token is no JSON web token: it has not three parts")
	}
	t := &jwt{signed: token[:len(header)+1+len(payload)]}
	var head struct {
		Alg  string          `json:"alg"`
		Kid  string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	raw, err := decodeSegment(header)
	if err != nil || !isObject(raw) || json.Unmarshal(raw, &head) != nil {
		return nil, answerError("the access token is no JSON web token: its header is broken")
	}
	t.alg, t.kid, t.crit = head.Alg, head.Kid, head.Crit != nil
	if t.claims, err = decodeSegment(payload); err != nil || !isObject(t.claims) || !json.Valid(t.claims) {
		return nil, answerError("the access token is no JSON web token: its claims are broken")
	}
	if t.signature, err = decodeSegment(signature); err != nil {
		return nil, answerError("the access token is no JSON web token: its signature is broken")
	}
	return t, nil
}

// decodeSegment is strict: one token has one spelling.
func decodeSegment(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // base64 skips them
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

func isObject(raw []byte) bool {
	trimmed := strings.TrimLeft(string(raw), " \t\r\n")
	return strings.HasPrefix(trimmed, "{")
}

// expiry is the time at which the token says that it expires, not verified; the zero time if it
// does not say.
func (t *jwt) expiry() time.Time {
	var c struct {
		Exp *numericDate `json:"exp"`
	}
	if json.Unmarshal(t.claims, &c) != nil || c.Exp == nil {
		return time.Time{}
	}
	return c.Exp.time()
}

// numericDate is seconds since 1970, which may have a fraction.
type numericDate float64

func (d numericDate) time() time.Time {
	if math.IsNaN(float64(d)) || d < 1 {
		return time.Unix(1, 0) // long ago, and not what stands for nothing
	}
	if d > 253402300799 { // year 9999: the last that has a form in JSON
		return time.Unix(253402300799, 0)
	}
	whole, fraction := math.Modf(float64(d))
	return time.Unix(int64(whole), int64(fraction*1e9))
}
