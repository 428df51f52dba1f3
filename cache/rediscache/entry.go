package rediscache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"
)

// entryVersion is that of everything that is stored: of another one, nothing is found.
const entryVersion = 1

// entry is a result as it is stored: what has to be known about it, and the value as msgpack.
//
// Its bytes are a version and whether it is encrypted; a salt and a nonce; the fields before the value; the
// value; and the tag of AES-GCM. The tag is of all that and of the name that it is stored under: who has no
// key can neither make an entry, nor change one, nor put one in the place of another. Each entry
// has a key of its own, made of the salt, so that there is no limit to how many there can be.
type entry struct {
	shape       [32]byte      // of the value's type
	created     time.Time     // to the millisecond, by the clock of who stored it
	ttl         time.Duration // for how long it was stored
	expires     time.Time     // zero: does not
	incarnation [8]byte       // of the Redis that it was stored in
	epochs      []int64       // what they were before it was loaded
	value       []byte
}

const (
	saltSize  = 16
	nonceSize = 12
	tagSize   = 16
	epochSize = 8

	flagPlain  = 0
	flagSecret = 1

	prefixSize = 2 + saltSize + nonceSize
	fixedSize  = 32 + 8 + 8 + 8 + 8 + 1
)

var errEntry = errors.New("this is no entry of ours")

// seal gives the bytes to store under a name.
func (r *ring) seal(name string, e *entry) []byte {
	b := make([]byte, prefixSize, prefixSize+fixedSize+len(e.epochs)*epochSize+len(e.value)+tagSize)
	b[0] = entryVersion
	if r.secret {
		b[1] = flagSecret
	}
	_, _ = rand.Read(b[2:prefixSize]) // never fails: crypto/rand ends the program instead
	b = append(b, e.shape[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.created.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.ttl.Milliseconds()))
	var expires int64
	if !e.expires.IsZero() {
		expires = e.expires.UnixMilli()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(expires))
	b = append(b, e.incarnation[:]...)
	b = append(b, byte(len(e.epochs)))
	for _, epoch := range e.epochs {
		b = binary.BigEndian.AppendUint64(b, uint64(epoch))
	}
	b = append(b, e.value...)

	aead, nonce := r.aead(b), b[2+saltSize:prefixSize]
	if r.secret {
		return aead.Seal(b[:prefixSize], nonce, b[prefixSize:], associated(name, b[:2]))
	}
	return append(b, aead.Seal(nil, nonce, nil, associated(name, b))...)
}

// open reads what seal has made for the name.
func (r *ring) open(name string, b []byte) (*entry, error) {
	flag := byte(flagPlain)
	if r.secret {
		flag = flagSecret
	}
	if len(b) < prefixSize+fixedSize+tagSize || b[0] != entryVersion || b[1] != flag {
		return nil, errEntry
	}
	aead, nonce := r.aead(b), b[2+saltSize:prefixSize]
	body := b[prefixSize : len(b)-tagSize]
	if r.secret {
		plain, err := aead.Open(nil, nonce, b[prefixSize:], associated(name, b[:2]))
		if err != nil {
			return nil, errEntry
		}
		body = plain
	} else if _, err := aead.Open(nil, nonce, b[len(b)-tagSize:], associated(name, b[:len(b)-tagSize])); err != nil {
		return nil, errEntry
	}

	e := new(entry)
	number := func() int64 {
		n := binary.BigEndian.Uint64(body)
		body = body[8:]
		return int64(n)
	}
	body = body[copy(e.shape[:], body):]
	e.created = time.UnixMilli(number())
	e.ttl = time.Duration(number()) * time.Millisecond
	if expires := number(); expires != 0 {
		e.expires = time.UnixMilli(expires)
	}
	body = body[copy(e.incarnation[:], body):]
	n := int(body[0])
	body = body[1:]
	if len(body) < n*epochSize {
		return nil, errEntry
	}
	for range n {
		e.epochs = append(e.epochs, number())
	}
	e.value = body
	return e, nil
}

// aead is the cipher of one entry.
func (r *ring) aead(b []byte) cipher.AEAD {
	block, err := aes.NewCipher(digest(r.entries, b[2:2+saltSize]))
	if err != nil {
		panic("rediscache: " + err.Error()) // only for a key of a wrong length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("rediscache: " + err.Error())
	}
	return aead
}

// associated is what a tag is of, besides what is encrypted. Names are of one length.
func associated(name string, b []byte) []byte {
	return append(append(make([]byte, 0, len(name)+len(b)), name...), b...)
}
