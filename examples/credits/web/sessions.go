package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/streamconn/streamconn/supabase"
)

const (
	sessionLife = 14 * 24 * time.Hour // since it was last used
	maxSessions = 100_000
)

// sessions keeps the users' sessions here; browsers have a random number. They end with the process.
// Where several processes serve one site, a table is the place for them, or the cookies of
// examples/signin.
type sessions struct {
	secure bool

	mu   sync.Mutex
	byID map[sessionID]stored
}

// sessionID is the hash of what a browser has: who sees the map cannot make cookies of it.
type sessionID [sha256.Size]byte

type stored struct {
	session *supabase.Session
	email   string
	used    time.Time
}

// name of the cookie. __Host- has browsers refuse one that another host of the domain, or a page
// without TLS, has set.
func (s *sessions) name() string {
	if s.secure {
		return "__Host-session"
	}
	return "session"
}

// begin stores a session, under a number that nobody had before, and gives it to the browser, in place
// of the one that it has.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, session *supabase.Session, email string) {
	number := rand.Text() + rand.Text()
	now := time.Now()
	s.mu.Lock()
	if s.byID == nil {
		s.byID = make(map[sessionID]stored)
	}
	if cookie, err := r.Cookie(s.name()); err == nil {
		delete(s.byID, sha256.Sum256([]byte(cookie.Value)))
	}
	if len(s.byID) >= maxSessions {
		for id, old := range s.byID {
			if now.Sub(old.used) > sessionLife {
				delete(s.byID, id)
			}
		}
	}
	for id := range s.byID { // still too many: somebody has to sign in again
		if len(s.byID) < maxSessions {
			break
		}
		delete(s.byID, id)
	}
	s.byID[sha256.Sum256([]byte(number))] = stored{session, email, now}
	s.mu.Unlock()
	s.cookie(w, number, sessionLife)
}

func (s *sessions) cookie(w http.ResponseWriter, number string, life time.Duration) {
	w.Header().Del("Set-Cookie") // what this answer has set before
	http.SetCookie(w, &http.Cookie{
		Name: s.name(), Value: number, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}

// of gives the session of the browser.
func (s *sessions) of(r *http.Request) (id sessionID, found stored, ok bool) {
	cookie, err := r.Cookie(s.name())
	if err != nil {
		return id, stored{}, false
	}
	id = sha256.Sum256([]byte(cookie.Value))
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok = s.byID[id]
	if !ok {
		return id, stored{}, false
	}
	if now.Sub(found.used) > sessionLife {
		delete(s.byID, id)
		return id, stored{}, false
	}
	found.used = now
	s.byID[id] = found
	return id, found, true
}

// replace stores the session that follows, unless the user has signed out meanwhile. The browser keeps
// its number for as long again.
func (s *sessions) replace(w http.ResponseWriter, r *http.Request, next *supabase.Session) {
	cookie, err := r.Cookie(s.name())
	if err != nil {
		return
	}
	id := sessionID(sha256.Sum256([]byte(cookie.Value)))
	s.mu.Lock()
	old, ok := s.byID[id]
	if ok {
		old.session = next
		s.byID[id] = old
	}
	s.mu.Unlock()
	if ok {
		s.cookie(w, cookie.Value, sessionLife)
	}
}

// end forgets a session.
func (s *sessions) end(w http.ResponseWriter, id sessionID) {
	s.mu.Lock()
	delete(s.byID, id)
	s.mu.Unlock()
	s.cookie(w, "", -time.Second)
}
