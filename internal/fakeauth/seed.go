package fakeauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// NewUser is a user that a test starts with. The address is confirmed.
type NewUser struct {
	ID, Email, Phone, Password string // ID empty is a random one
	Role                       string // empty is "authenticated"
	UserMetadata, AppMetadata  map[string]any
}

// Format shows the address, and no password.
func (n NewUser) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "user(%s)", n.Email) }

// Add makes a user and returns its id.
func (s *Server) Add(n NewUser) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.create(adminBody{
		ID: n.ID, Role: n.Role, Email: n.Email, Phone: n.Phone, Password: n.Password, EmailConfirm: true, PhoneConfirm: true,
		UserMetadata: n.UserMetadata, AppMetadata: n.AppMetadata,
	})
	if err == nil {
		err = s.sync()
	}
	if err != nil {
		return "", fmt.Errorf("user %s: %w", n.Email, err)
	}
	return u.id, nil
}

// A Session is a sign-in that a test made.
type Session struct {
	AccessToken, RefreshToken, UserID, SessionID string
	ExpiresAt                                    time.Time
}

// Format shows whose session it is, and no token.
func (s Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "session(user %s)", s.UserID) }

// MarshalText shows whose session it is, and no token.
func (s Session) MarshalText() ([]byte, error) { return fmt.Append(nil, s), nil }

// ErrNoUser is when nobody has the address or the id.
var ErrNoUser = errors.New("no such user")

// named finds a user by an id, an address or a number.
func (s *Server) named(who string) *user {
	if u := s.byID(who); u != nil {
		return u
	}
	if u := s.byEmail(strings.ToLower(who)); u != nil {
		return u
	}
	return s.byPhone(strings.TrimPrefix(who, "+"))
}

// ID is the id of a user who is named by an address, a number or an id; empty if there is none.
func (s *Server) ID(who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.named(who); u != nil {
		return u.id
	}
	return ""
}

// SignIn starts a session of a user, who is named by an address, a number or an id.
func (s *Server) SignIn(who string) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.named(who)
	if u == nil {
		return Session{}, fmt.Errorf("%q: %w", who, ErrNoUser)
	}
	ses := s.startSession(u, "password")
	token, exp, err := s.accessToken(u, ses)
	if err == nil {
		err = s.sync()
	}
	if err != nil {
		return Session{}, err
	}
	return Session{token, s.newRefresh(ses, ""), u.id, ses.id, time.Unix(exp, 0)}, nil
}

// Mint is an access token of somebody who is no user of the service: the other services take it as
// long as it lasts, this one does not know the user.
func (s *Server) Mint(sub string) (string, error) {
	now := s.cfg.Now()
	return s.cfg.Keys.Sign(accessClaims{
		Iss: s.cfg.URL, Sub: sub, Aud: "authenticated", Iat: now.Unix(), Exp: now.Add(s.cfg.TokenLife).Unix(),
		Role: "authenticated", AAL: "aal1", AMR: []method{}, AppMetadata: map[string]any{}, UserMetadata: map[string]any{},
	})
}

// Mail is what was sent so far, the oldest first.
func (s *Server) Mail() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mail)
}
