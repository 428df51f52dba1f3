package supabase

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// digest stands for a secret in what is remembered: an HMAC with a key of this process, which is
// of no use to whoever sees it in a dump.
type digest [sha256.Size]byte

var processKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	return key
})

func digestOf(parts ...string) digest {
	h := hmac.New(sha256.New, processKey())
	for _, p := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return digest(h.Sum(nil))
}
