package rest

import (
	"fmt"
	"log/slog"
)

// The types that hold keys, tokens or bodies print as what they are about, whatever the verb.

// Format prints no key and no header.
func (c Config) Format(f fmt.State, _ rune) {
	address := "no valid URL"
	if base, err := parseBase(c.BaseURL); err == nil {
		address = base.String()
	}
	_, _ = fmt.Fprintf(f, "rest.Config(%s)", address)
}

// LogValue prints no key and no header.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalText prints no key and no header.
func (c Config) MarshalText() ([]byte, error) { return fmt.Append(nil, c), nil }

// Format prints the method and the path.
func (r Request) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "rest.Request(%s %s)", r.Method, maskShapes(r.Path))
}

// LogValue prints the method and the path.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText prints the method and the path.
func (r Request) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// Format prints the status and the length.
func (r Response) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "rest.Response(%d, %d bytes)", r.Status, len(r.Body))
}

// LogValue prints the status and the length.
func (r Response) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// MarshalText prints the status and the length.
func (r Response) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// Format prints the status and the length.
func (s Stream) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "rest.Stream(%d, %d bytes)", s.Status, s.Length)
}

// LogValue prints the status and the length.
func (s Stream) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MarshalText prints the status and the length.
func (s Stream) MarshalText() ([]byte, error) { return fmt.Append(nil, s), nil }
