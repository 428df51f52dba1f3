package supabase

import (
	"sync"
	"sync/atomic"
	"time"
)

// signOuts are the access tokens whose users have signed out here, until they expire: the project's
// other services accept them until then, this connection's views do not.
type signOuts struct {
	count atomic.Uint64 // how many there have been: views look again when it has changed

	mu     sync.Mutex
	tokens map[digest]time.Time
	full   int // how many there may be before those that have expired are looked for
}

// signOutCount bounds how many are remembered: anybody can sign out with a token of their own making.
const signOutCount = 50_000

func (s *signOuts) add(token string, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= max(s.full, 64) {
		s.makeRoom()
	}
	if s.tokens == nil {
		s.tokens = make(map[digest]time.Time)
	}
	s.tokens[digestOf(token)] = expires
	s.count.Add(1)
}

// makeRoom takes out what has expired, and, if there is too much even so, any: what was cached for
// it has ended, and the project says whether it is still good.
func (s *signOuts) makeRoom() {
	now, full := time.Now(), len(s.tokens) >= signOutCount
	for t, end := range s.tokens {
		if end.Before(now) || full && len(s.tokens) > signOutCount/2 {
			delete(s.tokens, t)
		}
	}
	s.full = min(2*len(s.tokens), signOutCount)
}

func (s *signOuts) has(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, out := s.tokens[digestOf(token)]
	return out
}
