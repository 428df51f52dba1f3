package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/streamconn/streamconn/internal/rest"
)

// SignUp is what a new user gives. Email or Phone must be there.
type SignUp struct {
	Email, Phone string
	Password     string
	// Data becomes the user's metadata.
	Data map[string]any
	// RedirectTo is where the link of the confirmation mail leads; the project's own by default.
	RedirectTo string
	// Channel is how a phone number is confirmed; SMS by default.
	Channel Channel
	// PKCE makes that link one that ends with a code for [Client.ExchangeCode].
	PKCE         *PKCE
	CaptchaToken string
}

// Channel is how a code reaches a phone.
type Channel string

// Channels.
const (
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
)

// SignUpState is what came of a sign-up.
type SignUpState int

// States of a sign-up.
const (
	// SignedIn: the user is there, and the Session is theirs.
	SignedIn SignUpState = iota + 1
	// ConfirmationNeeded: the user is there, and has to follow the link, or enter the code, that
	// was sent.
	ConfirmationNeeded
	// AlreadyRegistered: the address is somebody's who has confirmed it. The server answers as it
	// does for a new user, with a user who does not exist, so that strangers do not learn who is
	// registered: so should the program that shows this.
	AlreadyRegistered
)

// String is the name of the state.
func (s SignUpState) String() string {
	switch s {
	case SignedIn:
		return "signed in"
	case ConfirmationNeeded:
		return "confirmation needed"
	case AlreadyRegistered:
		return "already registered"
	}
	return "unknown"
}

// SignUpResult is what came of a sign-up.
type SignUpResult struct {
	State   SignUpState
	Session *Session // with SignedIn, else nil
	User    *User    // never nil; with AlreadyRegistered, nobody
}

// SignUp registers a user. Whether that gives a session, or needs a confirmation first, is the
// project's choice: see [SignUpState]. A project that confirms nobody tells of an address that is
// taken by an error: user_already_exists, [ErrConflict]. A weak password is an error that
// [WeakPassword] tells.
func (c *Client) SignUp(ctx context.Context, who SignUp) (*SignUpResult, error) {
	if who.Email == "" && who.Phone == "" {
		return nil, fmt.Errorf("%w: a sign-up needs Email or Phone; SignInAnonymously needs neither", ErrInvalid)
	}
	return c.signUp(ctx, struct {
		Email    string         `json:"email,omitempty"`
		Phone    string         `json:"phone,omitempty"`
		Password string         `json:"password,omitempty"`
		Data     map[string]any `json:"data,omitempty"`
		Channel  Channel        `json:"channel,omitempty"`
		challenge
		Captcha *captcha `json:"gotrue_meta_security,omitempty"`
	}{who.Email, who.Phone, who.Password, who.Data, who.Channel, who.PKCE.body(), captchaOf(who.CaptchaToken)},
		who.RedirectTo, who.Password, who.CaptchaToken)
}

// Anonymous is what an anonymous user may bring.
type Anonymous struct {
	Data         map[string]any // becomes the user's metadata
	CaptchaToken string
}

// SignInAnonymously makes a user without an address. They last until they are deleted, and become
// permanent by [Client.UpdateUser] with an Email or a Phone, or by linking an identity.
func (c *Client) SignInAnonymously(ctx context.Context, who Anonymous) (*Session, error) {
	r, err := c.signUp(ctx, struct {
		Data    map[string]any `json:"data,omitempty"`
		Captcha *captcha       `json:"gotrue_meta_security,omitempty"`
	}{who.Data, captchaOf(who.CaptchaToken)}, "", who.CaptchaToken)
	if err != nil {
		return nil, err
	}
	if r.Session == nil {
		return nil, answerError("the answer to POST /signup: a user without a session")
	}
	return r.Session, nil
}

func (c *Client) signUp(ctx context.Context, body any, redirectTo string, secrets ...string) (*SignUpResult, error) {
	r := request{method: http.MethodPost, path: "signup", query: optional("redirect_to", redirectTo), body: body, secrets: secrets}
	resp, err := c.do(ctx, asKey, r)
	if err != nil {
		return nil, err
	}
	if s, err := r.session(resp); s != nil || err != nil {
		if err != nil {
			return nil, err
		}
		result := &SignUpResult{State: SignedIn, Session: s, User: s.User}
		if result.User == nil {
			result.User = new(User)
		}
		return result, nil
	}
	u := new(User)
	if err := r.decode(resp, u); err != nil {
		return nil, err
	}
	result := &SignUpResult{State: ConfirmationNeeded, User: u}
	if u.Identities != nil && len(u.Identities) == 0 {
		result.State = AlreadyRegistered
	}
	return result, nil
}

// session is the session of an answer that may have one; nil if it has none.
func (r request) session(resp *rest.Response) (*Session, error) {
	var has struct {
		AccessToken json.RawMessage `json:"access_token"`
	}
	if err := r.decode(resp, &has); err != nil {
		return nil, err
	}
	if len(has.AccessToken) == 0 || string(has.AccessToken) == "null" || string(has.AccessToken) == `""` {
		return nil, nil //nolint:nilnil // there is none
	}
	s := new(Session)
	if err := r.decode(resp, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Format tells who signs up.
func (who SignUp) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.SignUp(%s)", who.Email+who.Phone)
}

// LogValue is what Format prints.
func (who SignUp) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(who)) }

// MarshalJSON is what Format prints.
func (who SignUp) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(who)) }
