// Package fakejwt signs and checks the tokens of a project that lives in memory: HS256 with the
// project's secret, ES256 with keys that can be rotated and are published as a JWKS.
//
// It is written apart from what the clients verify tokens with, so that the two prove each other.
package fakejwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// What is wrong with a token. Each service words it in its own way.
var (
	ErrSegments  = errors.New("not three segments")
	ErrMalformed = errors.New("not a token")
	ErrSignature = errors.New("wrong signature")
	ErrExpired   = errors.New("expired")
)

// Claims are those of a token, as encoding/json reads them.
type Claims map[string]any

// String is the claim of that name, empty if it is absent or no string.
func (c Claims) String(name string) string {
	s, _ := c[name].(string)
	return s
}

// A Keyring holds the keys of a project. It may be used from many goroutines.
type Keyring struct {
	secret []byte
	mu     sync.RWMutex
	keys   []*key // ES256, the newest signs
}

type key struct {
	id      string
	private *ecdsa.PrivateKey
}

// New is a keyring that signs with HS256 until Rotate gives it a first key.
func New(secret []byte) *Keyring { return &Keyring{secret: secret} }

// Format shows no key.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "fakejwt.Keyring") }

// Rotate makes a new ES256 key, which signs from now on. Tokens of earlier keys stay valid.
func (k *Keyring) Rotate(id string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append(k.keys, &key{id, private})
	return nil
}

// Revoke forgets every ES256 key but the newest: what they signed is no longer valid.
func (k *Keyring) Revoke() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) > 1 {
		k.keys = k.keys[len(k.keys)-1:]
	}
}

func (k *Keyring) newest() *key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.keys) == 0 {
		return nil
	}
	return k.keys[len(k.keys)-1]
}

func (k *Keyring) byID(id string) *key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.keys {
		if key.id == id {
			return key
		}
	}
	return nil
}

// A header is that of a token, its fields in the order of the real servers.
type header struct {
	Alg string `json:"alg"`
	Kid string `json:"kid,omitempty"`
	Typ string `json:"typ,omitempty"`
}

// Sign is the token of a user: ES256 if there is such a key, else HS256. The claims must be
// something that encoding/json can write.
func (k *Keyring) Sign(claims any) (string, error) {
	key := k.newest()
	if key == nil {
		return k.SignSecret(claims, "JWT")
	}
	signed, err := encode(header{Alg: "ES256", Kid: key.id, Typ: "JWT"}, claims)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key.private, sum[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// SignSecret is a token that is signed with the secret, as the project's keys and signed URLs are.
// An empty typ leaves the header out.
func (k *Keyring) SignSecret(claims any, typ string) (string, error) {
	signed, err := encode(header{Alg: "HS256", Typ: typ}, claims)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(k.mac(signed)), nil
}

func (k *Keyring) mac(signed string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

func encode(h header, claims any) (string, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body), nil
}

// Verify is what a token claims, or one of this package's errors. A token without exp never
// expires.
func (k *Keyring) Verify(token string, now time.Time) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, ErrSegments
	}
	var h header
	var claims Claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decode(parts[0], &h) != nil || decode(parts[1], &claims) != nil || claims == nil {
		return nil, ErrMalformed
	}
	if !k.signed(h, parts[0]+"."+parts[1], signature) {
		return nil, ErrSignature
	}
	if exp, ok := claims["exp"].(float64); ok && float64(now.Unix()) >= exp {
		return nil, ErrExpired
	}
	return claims, nil
}

// signed says whether the signature is right. The key decides the algorithm, never the header
// alone: a token cannot choose that an EC key be used as a secret.
func (k *Keyring) signed(h header, signed string, signature []byte) bool {
	switch h.Alg {
	case "HS256":
		return hmac.Equal(signature, k.mac(signed))
	case "ES256":
		key := k.byID(h.Kid)
		if key == nil || len(signature) != 64 {
			return false
		}
		sum := sha256.Sum256([]byte(signed))
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(&key.private.PublicKey, sum[:], r, s)
	default:
		return false
	}
}

func decode(part string, v any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// A JWK is a public key as a JWKS lists it.
type JWK struct {
	Alg    string   `json:"alg"`
	Crv    string   `json:"crv"`
	Ext    bool     `json:"ext"`
	KeyOps []string `json:"key_ops"`
	Kid    string   `json:"kid"`
	Kty    string   `json:"kty"`
	Use    string   `json:"use"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
}

// Public are the public keys, the newest first. A project that signs with its secret has none.
func (k *Keyring) Public() ([]JWK, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	list := []JWK{}
	for _, key := range slices.Backward(k.keys) {
		point, err := key.private.PublicKey.Bytes() // 4, X, Y
		if err != nil {
			return nil, err
		}
		list = append(list, JWK{
			Alg: "ES256", Crv: "P-256", Ext: true, KeyOps: []string{"verify"}, Kid: key.id, Kty: "EC", Use: "sig",
			X: base64.RawURLEncoding.EncodeToString(point[1:33]),
			Y: base64.RawURLEncoding.EncodeToString(point[33:65]),
		})
	}
	return list, nil
}
