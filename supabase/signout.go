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
}

func (s *signOuts) add(token string, expires time.Time) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, end := range s.tokens {
		if end.Before(now) {
			delete(s.tokens, t)
		}
	}
	if s.tokens == nil {
		s.tokens = make(map[digest]time.Time)
	}
	s.tokens[digestOf(token)] = expires
	s.count.Add(1)
}

func (s *signOuts) has(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, out := s.tokens[digestOf(token)]
	return out
}
