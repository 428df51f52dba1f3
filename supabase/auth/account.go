package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/streamconn/streamconn/internal/rest"
)

// UserUpdate is what the user changes. What is empty stays as it is.
type UserUpdate struct {
	// Email and Phone change once they are confirmed; until then they are the user's NewEmail and
	// NewPhone.
	Email, Phone string
	// Password is the new one. It ends no other session: [Client.SignOut] with Others does.
	Password string
	// CurrentPassword, or the Nonce of [Client.Reauthenticate], goes with a new password where the
	// project asks for it.
	CurrentPassword string
	Nonce           string
	// Data is merged into the user's metadata, key by key at the top; nil takes a key out.
	Data map[string]any
	// Channel is how a new phone number is confirmed; SMS by default.
	Channel Channel
	// RedirectTo is where the links of the mails lead; the project's own by default.
	RedirectTo string
	PKCE       *PKCE
}

// UpdateUser changes the user, and gives them as they are then.
func (c *Client) UpdateUser(ctx context.Context, change UserUpdate) (*User, error) {
	u := new(User)
	err := c.send(ctx, asUser, request{
		method: http.MethodPut, path: "user", query: optional("redirect_to", change.RedirectTo),
		secrets: []string{change.Password, change.CurrentPassword, change.Nonce},
		body: struct {
			Email           string         `json:"email,omitempty"`
			Phone           string         `json:"phone,omitempty"`
			Password        string         `json:"password,omitempty"`
			CurrentPassword string         `json:"current_password,omitempty"`
			Nonce           string         `json:"nonce,omitempty"`
			Data            map[string]any `json:"data,omitempty"`
			Channel         Channel        `json:"channel,omitempty"`
			challenge
		}{change.Email, change.Phone, change.Password, change.CurrentPassword, change.Nonce, change.Data, change.Channel, change.PKCE.body()},
	}, u)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Format tells nothing of what is changed.
func (change UserUpdate) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("auth.UserUpdate")) }

// LogValue is what Format prints.
func (change UserUpdate) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(change)) }

// MarshalJSON is what Format prints.
func (change UserUpdate) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(change)) }

// Identities are the ways in which the user signs in.
func (c *Client) Identities(ctx context.Context) ([]Identity, error) {
	u, err := c.User(ctx)
	if err != nil {
		return nil, err
	}
	return u.Identities, nil
}

// UnlinkIdentity takes an identity from the user: see [Identity].IdentityID. The last one stays.
func (c *Client) UnlinkIdentity(ctx context.Context, identityID string) error {
	path, err := under("user/identities", identityID)
	if err != nil {
		return err
	}
	return c.send(ctx, asUser, request{method: http.MethodDelete, path: path}, nil)
}

// under is the path of something with an id, which must be there: the path without it is that of
// something else.
func under(path string, ids ...string) (string, error) {
	if slices.Contains(ids, "") {
		return "", fmt.Errorf("%w: an empty id", ErrInvalid)
	}
	return path + "/" + rest.Escape(ids...), nil
}
