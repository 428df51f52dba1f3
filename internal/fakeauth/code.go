package fakeauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A slot is what a code is for. A user has at most one code in each: a newer one replaces it.
type slot int

const (
	confirmation     slot = iota // of a sign-up or an invitation
	recovery                     // of a magic link or a lost password
	emailNew                     // at the address that a user moves to
	emailCurrent                 // at the address that a user leaves
	phoneCode                    // of a sign-up or a sign-in by phone
	phoneChange                  // at the number that a user moves to
	reauthentication             // of a user who is signed in
)

// A code is one that was sent and not used yet.
type code struct {
	hash      string // of the address and the code, as links carry it
	sent      time.Time
	challenge *challenge // of the client that asked, if it wants the session for itself alone (PKCE)
}

// A challenge is the public half of a PKCE exchange.
type challenge struct{ value, method string }

// pkce are the fields of a request that asks for PKCE.
type pkce struct {
	CodeChallenge       string `json:"code_challenge"`
	CodeChallengeMethod string `json:"code_challenge_method"`
}

func (p pkce) challenge() (*challenge, error) {
	if p.CodeChallenge == "" && p.CodeChallengeMethod == "" {
		return nil, nil
	}
	if p.CodeChallenge == "" || p.CodeChallengeMethod == "" {
		return nil, invalid("PKCE flow requires code_challenge_method and code_challenge")
	}
	if len(p.CodeChallenge) < 43 || len(p.CodeChallenge) > 128 {
		return nil, invalid("code challenge has to be between 43 and 128 characters")
	}
	switch p.CodeChallengeMethod {
	case "s256", "S256":
		return &challenge{p.CodeChallenge, "s256"}, nil
	case "plain":
		return &challenge{p.CodeChallenge, "plain"}, nil
	}
	return nil, invalid("unsupported code_challenge method " + p.CodeChallengeMethod)
}

// Mail is a message that the service would have sent.
type Mail struct {
	To   string    // the address, or the number with a plus sign
	Type string    // signup, invite, magiclink, recovery, email_change, reauthentication, sms, phone_change
	OTP  string    // the code that the user types
	Hash string    // the token_hash of the same
	Link string    // empty where there is none to click
	Sent time.Time // by the clock of the project
}

// Format shows whom the mail went to, and no code.
func (m Mail) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "mail(%s to %s)", m.Type, m.To) }

// MarshalText shows whom the mail went to, and no code.
func (m Mail) MarshalText() ([]byte, error) { return fmt.Append(nil, m), nil }

func newOTP() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // it never fails
	return fmt.Sprintf("%06d", n)
}

// hashOf is what a link carries for a code.
func hashOf(to, otp string) string {
	sum := sha256.Sum224([]byte(to + otp))
	return hex.EncodeToString(sum[:])
}

// makeCode puts a new code into a slot of a user; to is where it goes.
func (s *Server) makeCode(u *user, in slot, to string, ch *challenge) (otp string, hash string) {
	otp = newOTP()
	hash = hashOf(to, otp)
	if ch != nil {
		hash = "pkce_" + hash
	}
	u.codes[in] = &code{hash: hash, sent: s.now(), challenge: ch}
	return otp, hash
}

// sendCode makes a code and sends it.
func (s *Server) sendCode(c *call, u *user, in slot, kind, to string, ch *challenge) {
	otp, hash := s.makeCode(u, in, to, ch)
	m := Mail{To: to, Type: kind, OTP: otp, Hash: hash, Sent: s.now()}
	switch in {
	case phoneCode, phoneChange:
		m.To = "+" + to
	case reauthentication:
	default:
		m.Link = s.link(hash, kind, s.redirectTo(c))
	}
	s.mail = append(s.mail, m)
	stamp := map[slot]*time.Time{
		confirmation: &u.confirmationSent, recovery: &u.recoverySent, emailNew: &u.emailChangeSent, emailCurrent: &u.emailChangeSent,
		phoneCode: &u.confirmationSent, phoneChange: &u.phoneChangeSent, reauthentication: &u.reauthenticationSent,
	}[in]
	*stamp = s.now()
	u.updated = s.now()
}

func (s *Server) link(hash, kind, redirect string) string {
	if strings.ContainsAny(redirect, "&=#") { // else it stays as it is, and may be escaped already
		redirect = url.QueryEscape(redirect)
	}
	return s.cfg.URL + "/verify?token=" + hash + "&type=" + kind + "&redirect_to=" + redirect
}

// redirectTo is where the links of a request lead.
func (s *Server) redirectTo(c *call) string {
	for _, to := range []string{c.r.Header.Get("Redirect_to"), c.r.URL.Query().Get("redirect_to")} {
		if u, err := url.Parse(to); to != "" && err == nil && u.Scheme != "" {
			return to
		}
	}
	return s.cfg.SiteURL
}

// mayMail says whether enough time has passed since the last mail of the kind.
func (s *Server) mayMail(last time.Time) error {
	wait := last.Add(s.cfg.MailInterval).Sub(s.now())
	if last.IsZero() || wait <= 0 {
		return nil
	}
	return fail(http.StatusTooManyRequests, "over_email_send_rate_limit",
		fmt.Sprintf("For security purposes, you can only request this after %d seconds.", int(wait/time.Second)))
}

// valid is the code in a slot, nil if there is none or its time is over.
func (s *Server) valid(u *user, in slot) *code {
	c := u.codes[in]
	if c == nil || s.now().After(c.sent.Add(s.cfg.OTPLife)) {
		return nil
	}
	return c
}

// slots are where the code of a type of verification may be.
var slots = map[string][]slot{
	"signup":       {confirmation},
	"invite":       {confirmation},
	"magiclink":    {recovery},
	"recovery":     {recovery},
	"email":        {confirmation, recovery},
	"email_change": {emailNew, emailCurrent},
	"sms":          {phoneCode},
	"phone_change": {phoneChange},
}

// byHash finds who a link was sent to.
func (s *Server) byHash(kind, hash string) (*user, slot) {
	for _, u := range s.order {
		for _, in := range slots[kind] {
			if c := s.valid(u, in); c != nil && c.hash == hash {
				return s.touch(u), in
			}
		}
	}
	return nil, 0
}

// byOTP finds who a code was sent to.
func (s *Server) byOTP(kind, to, otp string) (*user, slot) {
	for _, u := range s.order {
		if !slices.Contains([]string{u.email, u.newEmail, u.phone, u.newPhone}, to) {
			continue
		}
		for _, in := range slots[kind] {
			c := s.valid(u, in)
			if c == nil {
				continue
			}
			if want := hashOf(to, otp); c.hash == want || c.hash == "pkce_"+want {
				return s.touch(u), in
			}
		}
	}
	return nil, 0
}
