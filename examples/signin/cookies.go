package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

const (
	// Browsers take cookies of about 4,096 bytes. A token with many claims may need more than one.
	partSize, maxParts = 3800, 4
	// A browser that does not come back for so long has to sign in again.
	cookieLife = 30 * 24 * time.Hour
)

// cookies keeps the session of each browser in that browser: encrypted and authenticated (AES-GCM),
// so that nobody without the key can read it, change it or make one. The server keeps nothing, and
// any process with the same key can go on.
type cookies struct {
	aead   cipher.AEAD
	secure bool // the browser reaches the program by https
}

// newCookies takes a key of 16, 24 or 32 random bytes.
func newCookies(key []byte, secure bool) (*cookies, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &cookies{aead, secure}, err
}

// part is the name of a cookie. __Host- has browsers refuse one that another host of the domain, or
// a page without TLS, has set.
func (c *cookies) part(i int) string {
	name := "session"
	if c.secure {
		name = "__Host-session"
	}
	if i > 0 {
		name += "." + strconv.Itoa(i)
	}
	return name
}

var errNoSession = errors.New("the browser has no session")

// read gives the session that the browser has brought.
func (c *cookies) read(r *http.Request) (*supabase.Session, error) {
	var text strings.Builder
	for i := range maxParts {
		cookie, err := r.Cookie(c.part(i))
		if err != nil {
			break
		}
		text.WriteString(cookie.Value)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text.String())
	if err != nil {
		return nil, errNoSession
	}
	plain, err := c.aead.Open(nil, nil, sealed, []byte(c.part(0)))
	if err != nil {
		return nil, errNoSession // none, or one of another key, or none of ours
	}
	return auth.ParseSession(plain)
}

// write gives the browser a session, in place of the one that it has.
func (c *cookies) write(w http.ResponseWriter, r *http.Request, s *supabase.Session) error {
	s = s.Clone()
	if s.User != nil { // the rest of the user is the database's to tell, and has no room here
		s.User = &auth.User{ID: s.User.ID, Email: s.User.Email}
	}
	plain, err := s.MarshalSecret()
	if err != nil {
		return err
	}
	text := base64.RawURLEncoding.EncodeToString(c.aead.Seal(nil, nil, plain, []byte(c.part(0))))
	if len(text) > partSize*maxParts {
		return errors.New("the session is too large for cookies: keep sessions on the server")
	}
	c.set(w, r, text)
	return nil
}

// clear takes the session away from the browser.
func (c *cookies) clear(w http.ResponseWriter, r *http.Request) { c.set(w, r, "") }

func (c *cookies) set(w http.ResponseWriter, r *http.Request, text string) {
	w.Header().Del("Set-Cookie") // what this answer has set before
	for i := range maxParts {
		value := text[:min(len(text), partSize)]
		text = text[len(value):]
		life := int(cookieLife / time.Second)
		if value == "" {
			if _, err := r.Cookie(c.part(i)); err != nil {
				continue
			}
			life = -1
		}
		http.SetCookie(w, &http.Cookie{
			Name: c.part(i), Value: value, Path: "/", MaxAge: life,
			HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
		})
	}
}
