package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// NewFactor is a second factor to enroll.
type NewFactor struct {
	Type         FactorType // TOTP or PhoneFactor; TOTP by default
	FriendlyName string     // unique among the user's
	Issuer       string     // of TOTP: what the authenticator shows; the project's host by default
	Phone        string     // of PhoneFactor
}

// Enrollment is a factor that waits for its first verification. The secret that the authenticator
// takes is in no text that is made of it.
type Enrollment struct {
	ID           string
	Type         FactorType
	FriendlyName string
	Phone        string

	totp hidden[totp]
}

type totp struct {
	QRCode string `json:"qr_code"`
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// QRCode is an SVG image of URI, as XML; empty for a phone.
func (e *Enrollment) QRCode() string { return e.totp.get().QRCode }

// Secret is what to type where the code cannot be scanned; empty for a phone.
func (e *Enrollment) Secret() string { return e.totp.get().Secret }

// URI is what the QR code holds: otpauth://…; empty for a phone.
func (e *Enrollment) URI() string { return e.totp.get().URI }

// UnmarshalJSON reads the server's answer.
func (e *Enrollment) UnmarshalJSON(data []byte) error {
	var w struct {
		ID           string     `json:"id"`
		Type         FactorType `json:"type"`
		FriendlyName string     `json:"friendly_name"`
		Phone        string     `json:"phone"`
		TOTP         totp       `json:"totp"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*e = Enrollment{ID: w.ID, Type: w.Type, FriendlyName: w.FriendlyName, Phone: w.Phone, totp: hide(&w.TOTP)}
	return nil
}

// EnrollFactor begins to add a factor to the user. It counts once it is verified:
//
//	e, err := c.EnrollFactor(ctx, auth.NewFactor{FriendlyName: "phone"})
//	… show e.QRCode(), ask for the code …
//	s, err := c.ChallengeAndVerify(ctx, e.ID, code)
func (c *Client) EnrollFactor(ctx context.Context, f NewFactor) (*Enrollment, error) {
	if f.Type == "" {
		f.Type = TOTP
	}
	e := new(Enrollment)
	err := c.send(ctx, asUser, request{
		method: http.MethodPost, path: "factors",
		body: struct {
			Type         FactorType `json:"factor_type"`
			FriendlyName string     `json:"friendly_name,omitempty"`
			Issuer       string     `json:"issuer,omitempty"`
			Phone        string     `json:"phone,omitempty"`
		}{f.Type, f.FriendlyName, f.Issuer, f.Phone},
	}, e)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Challenge asks for the code of a factor.
type Challenge struct {
	ID        string
	Type      FactorType
	ExpiresAt time.Time
}

// UnmarshalJSON reads the server's answer.
func (ch *Challenge) UnmarshalJSON(data []byte) error {
	var w struct {
		ID        string      `json:"id"`
		Type      FactorType  `json:"type"`
		ExpiresAt numericDate `json:"expires_at"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*ch = Challenge{ID: w.ID, Type: w.Type}
	if w.ExpiresAt != 0 {
		ch.ExpiresAt = w.ExpiresAt.time()
	}
	return nil
}

// ChallengeFactor begins a verification; a phone is sent its code, by SMS or by the channel given.
func (c *Client) ChallengeFactor(ctx context.Context, factorID string, by ...Channel) (*Challenge, error) {
	path, err := under("factors", factorID)
	if err != nil {
		return nil, err
	}
	if len(by) > 1 {
		return nil, fmt.Errorf("%w: a code goes by one channel", ErrInvalid)
	}
	r := request{method: http.MethodPost, path: path + "/challenge"}
	if len(by) == 1 {
		r.body = struct {
			Channel Channel `json:"channel"`
		}{by[0]}
	}
	ch := new(Challenge)
	if err := c.send(ctx, asUser, r, ch); err != nil {
		return nil, err
	}
	return ch, nil
}

// VerifyFactor answers a challenge, and gives the session that follows the user's: one of level
// [AAL2]. A wrong code is the error mfa_verification_failed.
func (c *Client) VerifyFactor(ctx context.Context, factorID, challengeID, code string) (*Session, error) {
	path, err := under("factors", factorID)
	if err != nil {
		return nil, err
	}
	s := new(Session)
	err = c.send(ctx, asUser, request{
		method: http.MethodPost, path: path + "/verify", secrets: []string{code},
		body: struct {
			ChallengeID string `json:"challenge_id"`
			Code        string `json:"code"`
		}{challengeID, code},
	}, s)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ChallengeAndVerify is a challenge and its answer, for codes that are there already: those of TOTP.
func (c *Client) ChallengeAndVerify(ctx context.Context, factorID, code string) (*Session, error) {
	ch, err := c.ChallengeFactor(ctx, factorID)
	if err != nil {
		return nil, err
	}
	return c.VerifyFactor(ctx, factorID, ch.ID, code)
}

// Factors are all of the user's, also those that were never verified.
func (c *Client) Factors(ctx context.Context) ([]Factor, error) {
	u, err := c.User(ctx)
	if err != nil {
		return nil, err
	}
	return u.Factors, nil
}

// UnenrollFactor takes a factor from the user. One that is verified needs a session of level
// [AAL2].
func (c *Client) UnenrollFactor(ctx context.Context, factorID string) error {
	path, err := under("factors", factorID)
	if err != nil {
		return err
	}
	return c.send(ctx, asUser, request{method: http.MethodDelete, path: path}, nil)
}

// AssuranceLevel is how sure a session is of its user.
type AssuranceLevel string

// Levels of assurance.
const (
	AAL1 AssuranceLevel = "aal1" // by one factor
	AAL2 AssuranceLevel = "aal2" // by two
)

// Assurance is the level that a session has, and the one that its user could reach.
type Assurance struct {
	Current AssuranceLevel
	Next    AssuranceLevel // AAL2 if a verified factor is there
	Methods []Method       // by which the session came about
}

// NeedsFactor tells whether a second factor is there to be asked for.
func (a Assurance) NeedsFactor() bool { return a.Current != AAL2 && a.Next == AAL2 }

// Method is one step of a sign-in.
type Method struct {
	Name string // password, otp, totp, oauth, …
	At   time.Time
}

// UnmarshalJSON reads the form that GoTrue's tokens have, and RFC 8176's, which is a name alone.
func (m *Method) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &m.Name) == nil {
		return nil
	}
	var w struct {
		Method    string      `json:"method"`
		Timestamp numericDate `json:"timestamp"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*m = Method{Name: w.Method}
	if w.Timestamp != 0 {
		m.At = w.Timestamp.time()
	}
	return nil
}

// Assurance tells the level of a session. The server is asked for the user, and so whether the
// access token is good.
func (c *Client) Assurance(ctx context.Context, accessToken string) (*Assurance, error) {
	t, err := parseJWT(accessToken)
	if err != nil {
		return nil, refused(err.Error(), nil)
	}
	u, err := c.as(accessToken).User(ctx)
	if err != nil {
		return nil, err
	}
	claims, err := t.read()
	if err != nil {
		return nil, err
	}
	a := &Assurance{Current: claims.AAL, Next: claims.AAL, Methods: claims.AMR}
	for _, f := range u.Factors {
		if f.Status == FactorVerified {
			a.Next = AAL2
		}
	}
	return a, nil
}
