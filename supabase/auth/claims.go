package auth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// leeway is how far the clocks of the server and of this machine may be apart.
const leeway = 30 * time.Second

// ErrTokenExpired is an access token whose time is over: renew the session. It is an
// [ErrUnauthorized] as well.
var ErrTokenExpired = errors.New("the access token has expired")

// Claims are what an access token says of its user, verified.
type Claims struct {
	Subject     string // the user's id
	SessionID   string
	Role        string // of the database: authenticated
	Email       string
	Phone       string
	IsAnonymous bool
	AAL         AssuranceLevel
	AMR         []Method

	Issuer    string
	Audience  []string
	ExpiresAt time.Time
	IssuedAt  time.Time
	NotBefore time.Time

	AppMetadata  map[string]any // set by admins alone
	UserMetadata map[string]any // set by the user too

	raw json.RawMessage
}

// Decode reads all claims into v, those of hooks of the project's own too.
func (c *Claims) Decode(v any) error { return json.Unmarshal(c.raw, v) }

// Claims verifies an access token, as a server does with what a browser sends it, and gives what it
// says. Tokens that the project signs with a key pair (RS256, ES256, EdDSA) are verified here, by
// the public keys of the project, which are fetched at most every 10 minutes, and when a token names
// a new one. For others (HS256, an unknown key) the server is asked. What is not accepted is
// [ErrUnauthorized], an expired token [ErrTokenExpired] as well.
//
// Verified here means that the token was issued and is in its time; whether its session was ended
// in the meantime, only the server knows: [Client.User].
func (c *Client) Claims(ctx context.Context, accessToken string) (*Claims, error) {
	t, err := parseJWT(accessToken)
	if err != nil {
		return nil, refused(err.Error(), nil)
	}
	// What is read before the signature is verified only ever refuses.
	claims, err := t.read()
	if err != nil {
		return nil, err
	}
	if err := claims.valid(t, time.Now()); err != nil {
		return nil, err
	}
	if t.kid != "" && asymmetric(t.alg) {
		key, err := c.publicKey(ctx, t.kid)
		if err != nil {
			return nil, err
		}
		if key != nil {
			if !key.verifies(t) {
				return nil, refused("the signature of the access token is not the project's", nil)
			}
			return claims, nil
		}
	}
	u, err := c.as(accessToken).User(ctx)
	if err != nil {
		return nil, err
	}
	if u.ID != claims.Subject {
		return nil, refused("the access token is another user's than the server says", nil)
	}
	return claims, nil
}

// as is the client of an access token.
func (c *Client) as(token string) *Client {
	return c.WithToken(func(context.Context) (string, error) { return token, nil })
}

// valid tells why a token is refused whoever signed it.
func (c *Claims) valid(t *jwt, now time.Time) error {
	switch {
	case t.alg == "" || strings.EqualFold(t.alg, "none"):
		return refused("the access token is not signed", nil)
	case t.crit:
		return refused("the access token has extensions that are not understood", nil)
	case c.ExpiresAt.IsZero():
		return refused("the access token does not say when it expires", nil)
	case !now.Before(c.ExpiresAt.Add(leeway)):
		return refused("the access token has expired", ErrTokenExpired)
	case !c.NotBefore.IsZero() && now.Add(leeway).Before(c.NotBefore):
		return refused("the access token is not valid yet", nil)
	case c.Subject == "":
		return refused("the access token is no user's: it has no subject", nil)
	}
	return nil
}

// read gives the claims, not verified.
func (t *jwt) read() (*Claims, error) {
	var w struct {
		Sub          string         `json:"sub"`
		SessionID    string         `json:"session_id"`
		Role         string         `json:"role"`
		Email        string         `json:"email"`
		Phone        string         `json:"phone"`
		IsAnonymous  bool           `json:"is_anonymous"`
		AAL          AssuranceLevel `json:"aal"`
		AMR          []Method       `json:"amr"`
		Iss          string         `json:"iss"`
		Aud          audience       `json:"aud"`
		Exp          *numericDate   `json:"exp"`
		Iat          *numericDate   `json:"iat"`
		Nbf          *numericDate   `json:"nbf"`
		AppMetadata  map[string]any `json:"app_metadata"`
		UserMetadata map[string]any `json:"user_metadata"`
	}
	if json.Unmarshal(t.claims, &w) != nil {
		return nil, refused("the access token has claims of another form", nil)
	}
	at := func(d *numericDate) time.Time {
		if d == nil {
			return time.Time{}
		}
		return d.time()
	}
	return &Claims{
		Subject: w.Sub, SessionID: w.SessionID, Role: w.Role, Email: w.Email, Phone: w.Phone,
		IsAnonymous: w.IsAnonymous, AAL: w.AAL, AMR: w.AMR,
		Issuer: w.Iss, Audience: w.Aud, ExpiresAt: at(w.Exp), IssuedAt: at(w.Iat), NotBefore: at(w.Nbf),
		AppMetadata: w.AppMetadata, UserMetadata: w.UserMetadata, raw: t.claims,
	}, nil
}

// audience is a string or a list of them.
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = nil
		if one != "" {
			*a = audience{one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// refused is a token that is not accepted; its text holds nothing of it.
func refused(why string, also error) error {
	return &tokenError{strings.TrimPrefix(why, "auth: "), also}
}

type tokenError struct {
	why  string
	also error
}

func (e *tokenError) Error() string { return "auth: " + e.why }
func (e *tokenError) Is(target error) bool {
	return target == ErrUnauthorized || e.also != nil && target == e.also
}
