package auth

import (
	"context"
	"net/http"
)

// Settings are what a project allows, as everybody may know it.
type Settings struct {
	// External tells by which providers users sign in, email, phone and anonymous_users included.
	External          map[string]bool `json:"external"`
	DisableSignUp     bool            `json:"disable_signup"`
	MailerAutoconfirm bool            `json:"mailer_autoconfirm"` // nobody has to confirm an e-mail address
	PhoneAutoconfirm  bool            `json:"phone_autoconfirm"`
	SMSProvider       string          `json:"sms_provider"`
	SAMLEnabled       bool            `json:"saml_enabled"`
	PasskeysEnabled   bool            `json:"passkeys_enabled"`
	// SAMLNextKey tells that the next private key of SAML is set, for a rotation.
	SAMLNextKey bool `json:"saml_private_key_next_configured"`
}

// Settings asks what the project allows.
func (c *Client) Settings(ctx context.Context) (*Settings, error) {
	s := new(Settings)
	if err := c.send(ctx, asKey, request{method: http.MethodGet, path: "settings"}, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Health is what the server says of itself.
type Health struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

// Health asks whether the server is there. It does not tell whether its database is.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	h := new(Health)
	if err := c.send(ctx, asKey, request{method: http.MethodGet, path: "health"}, h); err != nil {
		return nil, err
	}
	return h, nil
}
