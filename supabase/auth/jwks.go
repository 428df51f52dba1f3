package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

const (
	keysLast   = 10 * time.Minute // how long the keys are used before they are fetched again
	keysAtMost = 10 * time.Second // how often they are fetched for keys that are not among them, or after a failure
	maxKeys    = 64
	maxKeySet  = 1 << 20 // bytes
	maxKid     = 256
)

// keySet are the public keys with which a project's access tokens are verified.
type keySet struct {
	mu     sync.Mutex
	base   string // whose keys they are
	keys   map[string]*publicKey
	at     time.Time     // when they came
	tried  time.Time     // when they were asked for, whatever came of it
	failed error         // why that failed, or nil
	flight chan struct{} // closed when the fetch ends that is on its way; nil: none is
}

func newKeySet() *keySet { return &keySet{} }

// publicKey finds a key; nil if the project has none of that name.
func (c *Client) publicKey(ctx context.Context, kid string) (*publicKey, error) {
	if len(kid) > maxKid {
		return nil, nil //nolint:nilnil // nobody's key
	}
	base, err := c.key.Base(ctx)
	if err != nil {
		return nil, err
	}
	return c.keys.find(ctx, base, kid, c.fetchKeys)
}

// find gives the key of that name, and fetches the set when it is old, or when it may lack a new
// key. One fetches, the others wait for it, each on its own context; whose context ends while
// fetching leaves that to another.
func (k *keySet) find(ctx context.Context, base, kid string, fetch func(context.Context) (map[string]*publicKey, error)) (*publicKey, error) {
	for {
		k.mu.Lock()
		if k.base != base {
			k.base, k.keys, k.at, k.tried, k.failed = base, nil, time.Time{}, time.Time{}, nil
		}
		if key := k.keys[kid]; key != nil && time.Since(k.at) < keysLast {
			k.mu.Unlock()
			return key, nil
		}
		if time.Since(k.tried) < keysAtMost {
			err := k.failed
			k.mu.Unlock()
			return nil, err
		}
		flight := k.flight
		if flight == nil {
			flight = make(chan struct{})
			k.flight = flight
			k.mu.Unlock()
			if err := k.fly(ctx, base, flight, fetch); err != nil {
				return nil, err
			}
			continue
		}
		k.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fly fetches the set, and ends the flight whatever happens.
func (k *keySet) fly(ctx context.Context, base string, flight chan struct{}, fetch func(context.Context) (map[string]*publicKey, error)) (err error) {
	var keys map[string]*publicKey
	err = errors.New("auth: fetching the keys panicked")
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.flight == flight {
			k.flight = nil
		}
		close(flight)
		if k.base != base || err != nil && ctx.Err() != nil {
			return // another project's, or the fault of this caller alone
		}
		k.tried, k.failed = time.Now(), err
		if err == nil {
			k.keys, k.at = keys, k.tried
		}
	}()
	keys, err = fetch(ctx)
	return err
}

// fetchKeys asks for the set. A server that has none, as older ones, has no keys.
func (c *Client) fetchKeys(ctx context.Context) (map[string]*publicKey, error) {
	r := request{method: http.MethodGet, path: ".well-known/jwks.json"}
	stream, err := c.key.Stream(ctx, &rest.Request{
		Method: r.method, Path: r.path, Header: http.Header{"Authorization": nil},
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(stream.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxKeySet:
		return nil, r.undecodable(answerError("too long"))
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, r.undecodable(err)
	}
	return keys, nil
}

// jwk is a key as RFC 7517 writes it.
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid"`
	Alg    string   `json:"alg"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Crv    string   `json:"crv"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
}

// parseKeys reads a set; keys that verify nothing we know are left out, and so is what is beyond
// the bound.
func parseKeys(data []byte) (map[string]*publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	keys := map[string]*publicKey{}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || k.Kid == "" || len(k.Kid) > maxKid || keys[k.Kid] != nil {
			continue
		}
		if key := k.public(); key != nil {
			keys[k.Kid] = key
		}
	}
	return keys, nil
}

// publicKey verifies one algorithm, that of its kind, whatever a token says.
type publicKey struct {
	alg string
	key crypto.PublicKey
}

// asymmetric tells whether tokens of this algorithm can be verified with a public key here.
func asymmetric(alg string) bool { return alg == "RS256" || alg == "ES256" || alg == "EdDSA" }

// public is the key, or nil if it is of no use here.
func (k jwk) public() *publicKey {
	if k.Use != "" && k.Use != "sig" || k.KeyOps != nil && !slices.Contains(k.KeyOps, "verify") {
		return nil
	}
	var key publicKey
	switch {
	case k.Kty == "RSA":
		n, err := decodeSegment(k.N)
		e, err2 := decodeSegment(k.E)
		modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
		if err != nil || err2 != nil || modulus.BitLen() < 2048 || modulus.BitLen() > 8192 ||
			exponent.BitLen() < 2 || exponent.BitLen() > 31 || exponent.Bit(0) == 0 {
			return nil
		}
		key = publicKey{"RS256", &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}}
	case k.Kty == "EC" && k.Crv == "P-256":
		x, err := decodeSegment(k.X)
		y, err2 := decodeSegment(k.Y)
		if err != nil || err2 != nil || len(x) != 32 || len(y) != 32 {
			return nil
		}
		point, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil
		}
		key = publicKey{"ES256", point}
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		x, err := decodeSegment(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil
		}
		key = publicKey{"EdDSA", ed25519.PublicKey(x)}
	default:
		return nil
	}
	if k.Alg != "" && k.Alg != key.alg && (k.Alg != "Ed25519" || key.alg != "EdDSA") {
		return nil
	}
	return &key
}

// verifies tells whether the token was signed by this key.
func (k *publicKey) verifies(t *jwt) bool {
	if t.alg != k.alg {
		return false
	}
	sum := sha256.Sum256([]byte(t.signed))
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], t.signature) == nil
	case *ecdsa.PublicKey:
		if len(t.signature) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:32]), new(big.Int).SetBytes(t.signature[32:])
		return ecdsa.Verify(key, sum[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(t.signed), t.signature)
	}
	return false
}
