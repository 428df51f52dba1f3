package rediscache

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/streamconn/streamconn/cache"
)

// ring holds what the processes that share the tier have in common and nobody else has.
type ring struct {
	marks   []byte // of Mark
	names   []byte // of keys in Redis
	entries []byte // of what is stored there
	secret  bool   // entries are encrypted, not only authenticated
}

// shortestSecret is how many bytes a secret has at least.
const shortestSecret = 32

func newRing(secret, encryptionKey string) (*ring, error) {
	derive := func(from, what string) []byte {
		key, err := hkdf.Key(sha256.New, []byte(from), nil, "streamconn/rediscache/1/"+what, 32)
		if err != nil {
			panic("rediscache: " + err.Error()) // only for a length that is wrong
		}
		return key
	}
	if len(secret) < shortestSecret {
		return nil, fmt.Errorf("the secret has %d characters, and needs %d: openssl rand -hex 32 makes a good one", len(secret), shortestSecret)
	}
	r := &ring{marks: derive(secret, "marks"), names: derive(secret, "names"), entries: derive(secret, "entries")}
	if encryptionKey != "" {
		if len(encryptionKey) < shortestSecret {
			return nil, fmt.Errorf("the encryption_key has %d characters, and needs %d: openssl rand -hex 32 makes a good one", len(encryptionKey), shortestSecret)
		}
		r.entries, r.secret = derive(secret+"\x00"+encryptionKey, "encryption"), true
	}
	return r, nil
}

// same reports whether both stand for the same secrets. It takes the same time for all.
func (r *ring) same(other *ring) bool {
	return r.secret == other.secret && subtle.ConstantTimeCompare(r.marks, other.marks)&
		subtle.ConstantTimeCompare(r.entries, other.entries) == 1
}

func digest(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// mark is cache.Tier's Mark.
func (r *ring) mark(parts [][]byte) string { return string(digest(r.marks, parts...)) }

// name is what a result is called in Redis.
func (r *ring) name(q *cache.TierQuery) string {
	return text(digest(r.names, []byte{entryVersion}, []byte(q.Scope), q.Shape[:], q.Key))
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// keyspace is where a tier's keys are. All are in one slot, so that they can be read together.
type keyspace string

func newKeyspace(namespace string) keyspace { return keyspace("{" + namespace + "}:") }

func (k keyspace) epochs() string            { return string(k) + "e:" }
func (k keyspace) epoch(mark string) string  { return string(k) + "e:" + text([]byte(mark)) }
func (k keyspace) result(name string) string { return string(k) + "r:" + name }
func (k keyspace) lease(name string) string  { return string(k) + "l:" + name }
