package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// PKCE ties the code that a link or a provider gives back to who asked for it (RFC 7636): the
// server learns the challenge when the flow begins, and the verifier when the code is exchanged.
// It is kept on the server or in an encrypted cookie in between; its verifier is in no text that is
// made of it. It does not change, and serves one flow.
type PKCE struct{ verifier hidden[string] }

// NewPKCE makes one, of 256 random bits.
func NewPKCE() *PKCE {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	v := base64.RawURLEncoding.EncodeToString(b[:])
	return &PKCE{hide(&v)}
}

// ParsePKCE makes one of the verifier of another, when its code has come: 43 to 128 letters,
// digits, -, ., _ and ~.
func ParsePKCE(verifier string) (*PKCE, error) {
	bad := func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", r)
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, bad) {
		return nil, fmt.Errorf("%w: not the verifier of a PKCE: it has 43 to 128 letters, digits, -, ., _ and ~", ErrInvalid)
	}
	return &PKCE{hide(&verifier)}, nil
}

// Verifier is the secret; empty for nil.
func (p *PKCE) Verifier() string {
	if p == nil {
		return ""
	}
	return p.verifier.get()
}

// Challenge is the SHA-256 of the verifier, which may be seen.
func (p *PKCE) Challenge() string {
	sum := sha256.Sum256([]byte(p.Verifier()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// String tells nothing.
func (p *PKCE) String() string { return "auth.PKCE" }

// GoString tells nothing.
func (p *PKCE) GoString() string { return "auth.PKCE" }

// challenge is the part of a body that begins a flow.
type challenge struct {
	Challenge string `json:"code_challenge,omitempty"`
	Method    string `json:"code_challenge_method,omitempty"`
}

func (p *PKCE) body() challenge {
	if p.Verifier() == "" {
		return challenge{}
	}
	return challenge{p.Challenge(), "s256"}
}
