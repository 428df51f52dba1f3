package supabasetest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/streamconn/streamconn/internal/fakeauth"
)

// Mail is a message that the auth service would have sent. It does not print its code.
//
//	To   string    // the address, or the number with a plus sign
//	Type string    // signup, invite, magiclink, recovery, email_change, reauthentication, sms, phone_change
//	OTP  string    // the code that the user types
//	Hash string    // the token_hash of the same
//	Link string    // empty where there is none to click
//	Sent time.Time // by the clock of the project
type Mail = fakeauth.Mail

// Session is a sign-in that a test made. It does not print its tokens.
//
//	AccessToken, RefreshToken, UserID, SessionID string
//	ExpiresAt                                    time.Time
type Session = fakeauth.Session

// Mail is what users were sent so far, by mail or phone, the oldest first. The last 10,000 are kept.
func (s *Server) Mail() []Mail { return s.auth.Mail() }

// LastOTP is the code that was sent last to an address, or to a number in the form +15551234567;
// empty if none was.
func (s *Server) LastOTP(to string) string { return s.lastMail(to).OTP }

// LastLink is the link of the last mail to an address; empty if there is none.
func (s *Server) LastLink(to string) string { return s.lastMail(to).Link }

func (s *Server) lastMail(to string) Mail {
	var last Mail
	for _, m := range s.auth.Mail() {
		if m.To == to {
			last = m
		}
	}
	return last
}

// AddUser adds a user as WithUser does, and returns the id.
func (s *Server) AddUser(email, password string, opts ...UserOption) (string, error) {
	u := fakeauth.NewUser{Email: email, Password: password}
	for _, o := range opts {
		o(&u)
	}
	return s.auth.Add(u)
}

// SignIn starts a session of a user of the project, named by address, number or id.
func (s *Server) SignIn(who string) (Session, error) { return s.auth.SignIn(who) }

// UserToken is an access token of a user, named by address, number or id. An id that nobody has
// gives a token all the same: rest and storage know its bearer by the sub claim, auth does not.
func (s *Server) UserToken(who string) (string, error) {
	session, err := s.auth.SignIn(who)
	switch {
	case err == nil:
		return session.AccessToken, nil
	case errors.Is(err, fakeauth.ErrNoUser) && isUUID(who):
		return s.auth.Mint(who)
	}
	return "", fmt.Errorf("supabasetest: %w", err)
}

// TOTP is the code that an authenticator shows for the secret of a factor, by the clock of the
// project.
func (s *Server) TOTP(secret string) (string, error) { return s.TOTPAt(secret, s.Now()) }

// TOTPAt is the code at another time.
func (s *Server) TOTPAt(secret string, at time.Time) (string, error) {
	return fakeauth.TOTP(secret, at)
}

func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	return err == nil && len(b) == 16
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
