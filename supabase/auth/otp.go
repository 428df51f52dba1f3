package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
)

// OTP is who gets a code or a magic link.
type OTP struct {
	Email, Phone string
	// ExistingOnly makes an unknown address an error (otp_disabled). By default, who is not
	// registered is signed up.
	ExistingOnly bool
	// Data becomes the metadata of a user who is signed up by it.
	Data map[string]any
	// RedirectTo is where the link of a mail leads; the project's own by default.
	RedirectTo string
	// Channel is how a phone gets the code; SMS by default.
	Channel Channel
	// PKCE makes the link of a mail one that ends with a code for [Client.ExchangeCode].
	PKCE         *PKCE
	CaptchaToken string
}

// Sent tells that something was sent.
type Sent struct {
	MessageID string `json:"message_id"` // of the SMS provider; mostly empty
}

// SendOTP sends a code to a phone, or a mail with a link, a code or both, as the project's
// template says. [Client.Verify] takes what the user brings back.
func (c *Client) SendOTP(ctx context.Context, to OTP) (*Sent, error) {
	return c.sent(ctx, request{
		path: "otp", query: optional("redirect_to", to.RedirectTo), secrets: []string{to.CaptchaToken},
		body: struct {
			Email      string         `json:"email,omitempty"`
			Phone      string         `json:"phone,omitempty"`
			CreateUser bool           `json:"create_user"`
			Data       map[string]any `json:"data,omitempty"`
			Channel    Channel        `json:"channel,omitempty"`
			challenge
			Captcha *captcha `json:"gotrue_meta_security,omitempty"`
		}{to.Email, to.Phone, !to.ExistingOnly, to.Data, to.Channel, to.PKCE.body(), captchaOf(to.CaptchaToken)},
	})
}

func (c *Client) sent(ctx context.Context, r request) (*Sent, error) {
	r.method = http.MethodPost
	resp, err := c.do(ctx, asKey, r)
	if err != nil {
		return nil, err
	}
	s := new(Sent)
	if len(resp.Body) > 0 {
		if err := r.decode(resp, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// VerifyType is what a code or a link is for.
type VerifyType string

// What codes and links are for.
const (
	VerifyEmail       VerifyType = "email" // the code of SendOTP's or SignUp's mail
	VerifySMS         VerifyType = "sms"
	VerifySignUp      VerifyType = "signup"
	VerifyMagicLink   VerifyType = "magiclink"
	VerifyInvite      VerifyType = "invite"
	VerifyRecovery    VerifyType = "recovery"
	VerifyEmailChange VerifyType = "email_change"
	VerifyPhoneChange VerifyType = "phone_change"
)

// Verification is what the user brings back: the code that was sent to Email or Phone, or the
// TokenHash of a link alone.
type Verification struct {
	Type         VerifyType
	Email, Phone string
	Token        string
	TokenHash    string
	CaptchaToken string
}

// Verified is what came of a verification.
type Verified struct {
	// Session is the user's. It is nil after the first of the two links of a change of address
	// that both addresses have to confirm: nothing has changed yet.
	Session *Session
	// Message is what the server says where there is no Session.
	Message string
}

// Verify checks a code or a link. One that is wrong, used or too old is the error otp_expired,
// [ErrForbidden].
func (c *Client) Verify(ctx context.Context, v Verification) (*Verified, error) {
	r := request{
		method: http.MethodPost, path: "verify", secrets: []string{v.Token, v.TokenHash, v.CaptchaToken},
		body: struct {
			Type      VerifyType `json:"type"`
			Email     string     `json:"email,omitempty"`
			Phone     string     `json:"phone,omitempty"`
			Token     string     `json:"token,omitempty"`
			TokenHash string     `json:"token_hash,omitempty"`
			Captcha   *captcha   `json:"gotrue_meta_security,omitempty"`
		}{v.Type, v.Email, v.Phone, v.Token, v.TokenHash, captchaOf(v.CaptchaToken)},
	}
	resp, err := c.do(ctx, asKey, r)
	if err != nil {
		return nil, err
	}
	s, err := r.session(resp)
	if s != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return &Verified{Session: s}, nil
	}
	var said struct {
		Msg     string `json:"msg"`
		Message string `json:"message"`
	}
	if err := r.decode(resp, &said); err != nil {
		return nil, err
	}
	if said.Msg == "" {
		said.Msg = said.Message
	}
	if said.Msg == "" {
		return nil, r.undecodable(answerError("neither a session nor a message"))
	}
	return &Verified{Message: said.Msg}, nil
}

// Resend is which message is sent again: that of a sign-up or of a change of address.
type Resend struct {
	Type         VerifyType // VerifySignUp, VerifyEmailChange, VerifySMS, VerifyPhoneChange
	Email, Phone string
	RedirectTo   string
	CaptchaToken string
}

// Resend sends a message again. That the address is unknown, or needs none, is no error.
func (c *Client) Resend(ctx context.Context, what Resend) (*Sent, error) {
	return c.sent(ctx, request{
		path: "resend", query: optional("redirect_to", what.RedirectTo), secrets: []string{what.CaptchaToken},
		body: struct {
			Type    VerifyType `json:"type"`
			Email   string     `json:"email,omitempty"`
			Phone   string     `json:"phone,omitempty"`
			Captcha *captcha   `json:"gotrue_meta_security,omitempty"`
		}{what.Type, what.Email, what.Phone, captchaOf(what.CaptchaToken)},
	})
}

// Recovery is who forgot the password.
type Recovery struct {
	Email string
	// RedirectTo is the page where the user sets a new password, by [Client.UpdateUser]; the
	// project's own by default.
	RedirectTo   string
	PKCE         *PKCE // makes the link one that ends with a code for [Client.ExchangeCode]
	CaptchaToken string
}

// Recover sends a mail with a link that signs in, to set a new password. That the address is
// unknown is no error.
func (c *Client) Recover(ctx context.Context, who Recovery) error {
	_, err := c.sent(ctx, request{
		path: "recover", query: optional("redirect_to", who.RedirectTo), secrets: []string{who.CaptchaToken},
		body: struct {
			Email string `json:"email"`
			challenge
			Captcha *captcha `json:"gotrue_meta_security,omitempty"`
		}{who.Email, who.PKCE.body(), captchaOf(who.CaptchaToken)},
	})
	return err
}

// Reauthenticate sends the user a nonce, which [Client.UpdateUser] takes with a new password
// where the project asks for it.
func (c *Client) Reauthenticate(ctx context.Context) error {
	// A GET that sends a mail: it is not tried again.
	return c.send(ctx, asUser, request{method: http.MethodGet, path: "reauthenticate", noRetry: true}, nil)
}

// Format tells what is verified, without the code.
func (v Verification) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.Verification(%s %s)", v.Type, v.Email+v.Phone)
}

// LogValue is what Format prints.
func (v Verification) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }

// MarshalJSON is what Format prints.
func (v Verification) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(v)) }
