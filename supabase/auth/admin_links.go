package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
)

// Invitation is who is invited.
type Invitation struct {
	Email      string
	Data       map[string]any // becomes the user's metadata
	RedirectTo string         // where the link of the mail leads; the project's own by default
}

// Invite creates a user and sends them a mail with a link that signs in. An address that has
// confirmed already is the error email_exists, [ErrConflict].
func (a *Admin) Invite(ctx context.Context, who Invitation) (*User, error) {
	return a.user(ctx, request{
		method: http.MethodPost, path: "invite", query: optional("redirect_to", who.RedirectTo),
		body: struct {
			Email string         `json:"email"`
			Data  map[string]any `json:"data,omitempty"`
		}{who.Email, who.Data},
	})
}

// LinkType is what a generated link is for.
type LinkType string

// What links can be generated for.
const (
	LinkSignUp             LinkType = "signup" // needs a Password
	LinkInvite             LinkType = "invite"
	LinkMagicLink          LinkType = "magiclink"
	LinkRecovery           LinkType = "recovery"
	LinkEmailChangeCurrent LinkType = "email_change_current" // these two need a NewEmail
	LinkEmailChangeNew     LinkType = "email_change_new"
)

// NewLink is a link to generate.
type NewLink struct {
	Type       LinkType
	Email      string
	NewEmail   string
	Password   string
	Data       map[string]any // the metadata of a user who is made by it
	RedirectTo string         // where it leads; the project's own by default
}

// Link is what would have been sent by mail. Whoever has it is the user: it is in no text that is
// made of it.
type Link struct {
	// Type is the link's own: a magic link for an address that nobody has is one to sign up, and
	// the user is made.
	Type       LinkType
	RedirectTo string
	User       *User

	link hidden[link]
}

type link struct {
	URL  string `json:"action_link"`
	OTP  string `json:"email_otp"`
	Hash string `json:"hashed_token"`
}

// URL is the address that signs in.
func (l *Link) URL() string { return l.link.get().URL }

// OTP is the code, as [Verification].Token takes it with the address.
func (l *Link) OTP() string { return l.link.get().OTP }

// TokenHash is what [Verification].TokenHash takes.
func (l *Link) TokenHash() string { return l.link.get().Hash }

// UnmarshalJSON reads the server's answer.
func (l *Link) UnmarshalJSON(data []byte) error {
	var w struct {
		link
		Type       LinkType `json:"verification_type"`
		RedirectTo string   `json:"redirect_to"`
	}
	u := new(User)
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	if err := json.Unmarshal(data, u); err != nil {
		return err
	}
	*l = Link{Type: w.Type, RedirectTo: w.RedirectTo, User: u, link: hide(&w.link)}
	return nil
}

// GenerateLink makes a link, and sends nothing: for mails of the program's own, and for tests.
func (a *Admin) GenerateLink(ctx context.Context, n NewLink) (*Link, error) {
	l := new(Link)
	err := a.c.send(ctx, asAdmin, request{
		method: http.MethodPost, path: "admin/generate_link", secrets: []string{n.Password},
		body: struct {
			Type       LinkType       `json:"type"`
			Email      string         `json:"email"`
			NewEmail   string         `json:"new_email,omitempty"`
			Password   string         `json:"password,omitempty"`
			Data       map[string]any `json:"data,omitempty"`
			RedirectTo string         `json:"redirect_to,omitempty"`
		}{n.Type, n.Email, n.NewEmail, n.Password, n.Data, n.RedirectTo},
	}, l)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Format tells what the link is for.
func (n NewLink) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.NewLink(%s %s)", n.Type, n.Email)
}

// LogValue is what Format prints.
func (n NewLink) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }

// MarshalJSON is what Format prints.
func (n NewLink) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(n)) }
