package cache

import (
	"fmt"
	"log/slog"
)

// What follows keeps keys, which hold arguments of queries and identities, and values out of logs,
// whatever verb or encoder is used. Infos hold keys too, and are meant to be looked at, not printed.

// String says how large the key is, never what is in it.
func (k Key) String() string {
	if !k.stable {
		return "cache.Key(not cacheable)"
	}
	return fmt.Sprintf("cache.Key(%d bytes)", len(k.text)+len(k.args))
}

// Format implements [fmt.Formatter].
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// String says how large the key is, never what is in it.
func (i Info) String() string {
	return fmt.Sprintf("cache.Info(%v, key of %d bytes)", i.Type, len(i.Text)+len(i.Args))
}

// Format implements [fmt.Formatter].
func (i Info) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(i.String())) }

// LogValue implements [slog.LogValuer].
func (i Info) LogValue() slog.Value { return slog.StringValue(i.String()) }

// MarshalText implements [encoding.TextMarshaler], also for JSON.
func (i Info) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// String does not tell the id.
func (s *Scope) String() string { return "cache.Scope" }

// Format implements [fmt.Formatter].
func (s *Scope) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String tells the size of the cache.
func (c *Cache) String() string {
	if c == nil {
		return "cache.Cache(nil)"
	}
	return fmt.Sprintf("cache.Cache(%d MiB)", c.cfg.MaxBytes>>20)
}

// Format implements [fmt.Formatter].
func (c *Cache) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// Format implements [fmt.Formatter]: every verb prints what Error says.
func (e *PanicError) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Error())) }
