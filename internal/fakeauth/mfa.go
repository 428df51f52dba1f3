package fakeauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A factor is a second proof that a user has, a generator of TOTP codes.
type factor struct {
	id, name         string
	secret           string // base32
	verified         bool
	created, updated time.Time
	challenged       time.Time
	challenges       map[string]time.Time // id to when it was made
}

// challengeLife is how long a challenge can be answered.
const challengeLife = 5 * time.Minute

type factorJSON struct {
	ID               string    `json:"id"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	Status           string    `json:"status"`
	FriendlyName     string    `json:"friendly_name,omitempty"`
	FactorType       string    `json:"factor_type"`
	Phone            string    `json:"phone"`
	LastChallengedAt time.Time `json:"last_challenged_at,omitzero"`
}

func (f *factor) json() factorJSON {
	status := "unverified"
	if f.verified {
		status = "verified"
	}
	return factorJSON{f.id, f.created, f.updated, status, f.name, "totp", "", f.challenged}
}

// TOTP is the six digits that a generator with this secret (base32) shows at a time, as RFC 6238
// has it with a step of 30 seconds.
func TOTP(secret string, at time.Time) (string, error) {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(secret))
	if err != nil {
		return "", err
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix()/30))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0x0f:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000), nil
}

func (s *Server) enroll(c *call) error {
	var in struct {
		FactorType   string `json:"factor_type"`
		FriendlyName string `json:"friendly_name"`
		Issuer       string `json:"issuer"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	u, ses, err := s.signedIn(c)
	if err != nil {
		return err
	}
	switch in.FactorType {
	case "totp":
	case "phone":
		return fail(http.StatusUnprocessableEntity, "mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")
	case "webauthn":
		return fail(http.StatusUnprocessableEntity, "mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn")
	default:
		return invalid("factor_type needs to be totp, phone, or webauthn")
	}
	verified := slices.ContainsFunc(u.factors, func(f *factor) bool { return f.verified })
	if verified && (ses == nil || ses.aal != "aal2") {
		return fail(http.StatusForbidden, "insufficient_aal", "AAL2 required to enroll a new factor")
	}
	for _, f := range u.factors {
		if in.FriendlyName != "" && f.name == in.FriendlyName {
			return fail(http.StatusUnprocessableEntity, "mfa_factor_name_conflict",
				fmt.Sprintf("A factor with the friendly name %q for this user already exists", in.FriendlyName))
		}
	}
	if len(u.factors) >= 10 {
		return fail(http.StatusForbidden, "too_many_enrolled_mfa_factors", "Maximum number of verified factors reached, unenroll to continue")
	}
	var key [20]byte
	_, _ = rand.Read(key[:])
	now := s.now()
	f := &factor{
		id: newUUID(), name: in.FriendlyName, secret: base32.StdEncoding.EncodeToString(key[:]),
		created: now, updated: now, challenges: make(map[string]time.Time),
	}
	u.factors = append(u.factors, f)
	s.note(c, u, "factor_in_progress")
	issuer := in.Issuer
	if issuer == "" {
		if site, err := url.Parse(s.cfg.SiteURL); err == nil {
			issuer = site.Host
		}
	}
	uri := "otpauth://totp/" + issuer + ":" + u.email + "?algorithm=SHA1&digits=6&issuer=" + issuer + "&period=30&secret=" + f.secret
	type totp struct {
		QRCode string `json:"qr_code"`
		Secret string `json:"secret"`
		URI    string `json:"uri"`
	}
	return c.answer(struct {
		ID           string `json:"id"`
		Type         string `json:"type"`
		FriendlyName string `json:"friendly_name"`
		TOTP         totp   `json:"totp"`
	}{f.id, "totp", f.name, totp{picture, f.secret, uri}})
}

// picture stands where the real service draws a QR code: an image that holds no code.
const picture = `<?xml version="1.0"?>
<svg width="219" height="219"
     xmlns="http://www.w3.org/2000/svg"
     xmlns:xlink="http://www.w3.org/1999/xlink">
<rect x="12" y="12" width="195" height="195" style="fill:white;stroke:black" />
</svg>
`

// myFactor finds the factor that the path names.
func (s *Server) myFactor(u *user, id string) (*factor, error) {
	if !uuidForm.MatchString(id) {
		return nil, fail(http.StatusNotFound, "validation_failed", "factor_id must be an UUID")
	}
	for _, f := range u.factors {
		if f.id == id {
			return f, nil
		}
	}
	return nil, fail(http.StatusNotFound, "mfa_factor_not_found", "Factor not found")
}

func (s *Server) challenge(c *call) error {
	u, _, err := s.signedIn(c)
	if err != nil {
		return err
	}
	f, err := s.myFactor(u, c.values[0])
	if err != nil {
		return err
	}
	id, now := newUUID(), s.now()
	f.challenges[id], f.challenged = now, now
	s.note(c, u, "challenge_created")
	return c.answer(struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		ExpiresAt int64  `json:"expires_at"`
	}{id, "totp", now.Add(challengeLife).Unix()})
}

// verifyFactor answers a challenge: the session rises to aal2, and those of the user that did not
// show the factor end when it is the first.
func (s *Server) verifyFactor(c *call) error {
	var in struct {
		ChallengeID string `json:"challenge_id"`
		Code        string `json:"code"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	u, ses, err := s.signedIn(c)
	if err != nil {
		return err
	}
	f, err := s.myFactor(u, c.values[0])
	if err != nil {
		return err
	}
	made, ok := f.challenges[in.ChallengeID]
	now := s.now()
	if !ok {
		return fail(http.StatusUnprocessableEntity, "mfa_factor_not_found", "MFA factor with the provided challenge ID not found")
	}
	if now.After(made.Add(challengeLife)) {
		delete(f.challenges, in.ChallengeID)
		return fail(http.StatusUnprocessableEntity, "mfa_challenge_expired",
			fmt.Sprintf("MFA challenge %s has expired, verify against another challenge or create a new challenge.", in.ChallengeID))
	}
	right := false
	for _, step := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
		want, err := TOTP(f.secret, now.Add(step))
		right = right || err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(in.Code)) == 1
	}
	if !right {
		return fail(http.StatusUnprocessableEntity, "mfa_verification_failed", "Invalid TOTP code entered")
	}
	if ses == nil {
		return fail(http.StatusForbidden, "session_not_found", "Session from session_id claim in JWT does not exist")
	}
	delete(f.challenges, in.ChallengeID)
	s.note(c, u, "verification_attempted")
	first := !f.verified
	f.verified = true
	if first {
		f.updated = now
	}
	u.factors = slices.DeleteFunc(u.factors, func(o *factor) bool { return !o.verified })
	ses.aal, ses.factor = "aal2", f.id
	ses.amr = slices.DeleteFunc(slices.Clone(ses.amr), func(m method) bool { return m.Method == "totp" })
	ses.amr = slices.Insert(ses.amr, 0, method{"totp", now.Unix()})
	s.endSessions(u.id, func(o *session) bool { return first && o.aal != "aal2" })
	u.updated = now
	parent := ""
	if old := s.active(ses.id); old != nil {
		old.revoked, old.updated, parent = true, now, old.token
	}
	out, err := s.tokens(u, ses, s.newRefresh(ses, parent), u.json())
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (s *Server) unenroll(c *call) error {
	u, ses, err := s.signedIn(c)
	if err != nil {
		return err
	}
	f, err := s.myFactor(u, c.values[0])
	if err != nil {
		return err
	}
	if f.verified && (ses == nil || ses.aal != "aal2") {
		return fail(http.StatusUnprocessableEntity, "insufficient_aal", "AAL2 required to unenroll verified factor")
	}
	s.dropFactor(u, f)
	s.note(c, u, "factor_unenrolled")
	return c.answer(map[string]string{"id": f.id})
}

// dropFactor takes a factor from a user; the sessions that it raised fall back.
func (s *Server) dropFactor(u *user, f *factor) {
	u.factors = slices.DeleteFunc(u.factors, func(o *factor) bool { return o == f })
	for _, ses := range s.sessions {
		if ses.factor == f.id {
			ses.aal, ses.factor = "aal1", ""
			ses.amr = slices.DeleteFunc(slices.Clone(ses.amr), func(m method) bool { return m.Method == "totp" })
		}
	}
}
