package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// User is a user of the project. A time that the server does not have is the zero time, an address
// that it does not have is empty. Numbers in metadata are float64.
type User struct {
	ID    string `json:"id"`
	Aud   string `json:"aud"`
	Role  string `json:"role"`
	Email string `json:"email"`
	Phone string `json:"phone"`

	// NewEmail and NewPhone wait for their confirmation; until then Email and Phone are the old ones.
	NewEmail string `json:"new_email,omitempty"`
	NewPhone string `json:"new_phone,omitempty"`

	// AppMetadata is set by admins alone; UserMetadata by the user too: never decide by it what
	// the user may do.
	AppMetadata  map[string]any `json:"app_metadata"`
	UserMetadata map[string]any `json:"user_metadata"`

	// Identities are nil in lists of users, which do not tell them.
	Identities []Identity `json:"identities"`
	Factors    []Factor   `json:"factors,omitempty"`

	IsAnonymous bool `json:"is_anonymous"`
	IsSSOUser   bool `json:"is_sso_user,omitempty"`

	CreatedAt   time.Time `json:"created_at,omitzero"`
	UpdatedAt   time.Time `json:"updated_at,omitzero"`
	BannedUntil time.Time `json:"banned_until,omitzero"`
	DeletedAt   time.Time `json:"deleted_at,omitzero"`

	// ConfirmedAt is the earlier of the two; right after a sign-up it is missing.
	ConfirmedAt      time.Time `json:"confirmed_at,omitzero"`
	EmailConfirmedAt time.Time `json:"email_confirmed_at,omitzero"`
	PhoneConfirmedAt time.Time `json:"phone_confirmed_at,omitzero"`

	LastSignInAt           time.Time `json:"last_sign_in_at,omitzero"`
	InvitedAt              time.Time `json:"invited_at,omitzero"`
	ConfirmationSentAt     time.Time `json:"confirmation_sent_at,omitzero"`
	RecoverySentAt         time.Time `json:"recovery_sent_at,omitzero"`
	EmailChangeSentAt      time.Time `json:"email_change_sent_at,omitzero"`
	PhoneChangeSentAt      time.Time `json:"phone_change_sent_at,omitzero"`
	ReauthenticationSentAt time.Time `json:"reauthentication_sent_at,omitzero"`
}

// Identity is one of the ways in which a user signs in: by e-mail, by phone, by a provider.
type Identity struct {
	IdentityID   string         `json:"identity_id"` // what [Client.UnlinkIdentity] takes
	ID           string         `json:"id"`          // the user's at the provider
	UserID       string         `json:"user_id"`
	Provider     string         `json:"provider"`
	Email        string         `json:"email,omitempty"`
	Data         map[string]any `json:"identity_data"`
	CreatedAt    time.Time      `json:"created_at,omitzero"`
	UpdatedAt    time.Time      `json:"updated_at,omitzero"`
	LastSignInAt time.Time      `json:"last_sign_in_at,omitzero"`
}

// Factor is a second factor that a user has enrolled.
type Factor struct {
	ID               string       `json:"id"`
	Type             FactorType   `json:"factor_type"`
	Status           FactorStatus `json:"status"`
	FriendlyName     string       `json:"friendly_name,omitempty"`
	Phone            string       `json:"phone,omitempty"`
	CreatedAt        time.Time    `json:"created_at,omitzero"`
	UpdatedAt        time.Time    `json:"updated_at,omitzero"`
	LastChallengedAt time.Time    `json:"last_challenged_at,omitzero"`
}

// FactorType is the kind of a [Factor].
type FactorType string

// Kinds of factors.
const (
	TOTP        FactorType = "totp"
	PhoneFactor FactorType = "phone"
	WebAuthn    FactorType = "webauthn"
)

// FactorStatus tells whether a [Factor] counts.
type FactorStatus string

// States of a factor. One that was never verified asks for nothing.
const (
	FactorVerified   FactorStatus = "verified"
	FactorUnverified FactorStatus = "unverified"
)

// UnmarshalJSON reads the server's form. A time that is an empty string is the zero time.
func (u *User) UnmarshalJSON(data []byte) error {
	type plain User
	var p plain
	err := json.Unmarshal(data, &p)
	if _, odd := errors.AsType[*time.ParseError](err); odd {
		p = plain{}
		err = json.Unmarshal(withoutEmptyTimes(data), &p)
	}
	if err != nil {
		return err
	}
	*u = User(p)
	return nil
}

// withoutEmptyTimes takes out what is named like a time and is "", but for what users put there.
func withoutEmptyTimes(data []byte) []byte {
	var clean func(raw json.RawMessage) json.RawMessage
	clean = func(raw json.RawMessage) json.RawMessage {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil && list != nil {
			for i := range list {
				list[i] = clean(list[i])
			}
			return encoded(list, raw)
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || fields == nil {
			return raw
		}
		for name, value := range fields {
			switch {
			case strings.HasSuffix(name, "_metadata") || name == "identity_data":
			case string(value) == `""` && (strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_until")):
				delete(fields, name)
			default:
				fields[name] = clean(value)
			}
		}
		return encoded(fields, raw)
	}
	return clean(data)
}

func encoded(v any, otherwise json.RawMessage) json.RawMessage {
	if b, err := json.Marshal(v); err == nil {
		return b
	}
	return otherwise
}
