package secrets

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// redacted is what every Secret prints, whatever it holds.
const redacted = "REDACTED"

// A Secret is a text that does not print itself: every verb of package fmt,
// slog, JSON, XML and text encoders show "REDACTED", also where it is a field
// of something else. The text comes out of [Secret.Reveal] alone. Secrets are
// compared with [Secret.Equal]; == does not compile. The zero Secret is empty.
type Secret struct {
	// A function, not a string: package fmt prints unexported fields of
	// unexported fields without asking their methods, and dumpers that use
	// unsafe follow pointers as well.
	reveal func() string
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	return Secret{reveal: func() string { return text }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Equal says whether two Secrets hold the same text, in a time that tells
// nothing about where they differ.
func (s Secret) Equal(other Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns "REDACTED".
func (s Secret) String() string { return redacted }

// GoString returns "REDACTED".
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter]: every verb prints "REDACTED".
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer]: "REDACTED".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON, XML and
// others: "REDACTED". A Secret that was marshaled is lost.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: the Secret then holds
// text. So a Secret may be the field of a configuration struct or, with
// [flag.TextVar], a flag.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
