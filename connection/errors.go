package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/streamconn/streamconn/internal/nearest"
)

// ErrClosed is what every use of a closed connection answers, wrapped in an [*Error].
var ErrClosed = errors.New("the connection is closed")

// Error is the one wrapper at the boundary: it says which connection failed, doing what.
// The cause is behind it for [errors.Is] and [errors.AsType].
type Error struct {
	Op   string // "open", "connect", "query", "session", …
	Name string // NAME of [connections.NAME]
	Kind string // "sql", "supabase", a registered kind; "" for a connection of a bare [Factory]
	Err  error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "connection %q", e.Name)
	if e.Kind != "" && e.Kind != e.Name {
		fmt.Fprintf(&b, " (%s)", e.Kind)
	}
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Wrap gives err the name of c and the operation, for those who write kinds of connections.
// A nil err stays nil, and an error which c has already wrapped stays as it is, so that
// a message names its connection once.
func Wrap(c Any, op string, err error) error {
	return c.base().wrapped(op, err)
}

// wrapped is wrap for an error that may be nil.
func (s *state) wrapped(op string, err error) error {
	if err == nil {
		return nil
	}
	return s.wrap(op, err)
}

func (s *state) wrap(op string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Name == s.name && e.Kind == s.kindName() {
		return err
	}
	return &Error{Op: op, Name: s.name, Kind: s.kindName(), Err: err}
}

// MissingError tells that a required parameter was given nowhere. It says where was looked,
// never what was found there.
type MissingError struct {
	Param  string   // the parameter's name
	Looked []string // the places, in the order of their precedence
	Near   string   // a key which is there, which nobody asked for, and which reads much the same; "" if none does
	Place  string   // where Near was found
}

func (e *MissingError) Error() string {
	msg := "no " + e.Param
	if e.Near != "" {
		msg += fmt.Sprintf("; %s has %s", e.Place, e.Near)
	}
	if len(e.Looked) > 0 {
		msg += ": give it by " + strings.Join(e.Looked, ", or by ")
	}
	return msg
}

// ValueError tells that a parameter is there but cannot be used. It names the place that gave
// the value, never the value.
type ValueError struct {
	Param   string // the parameter's name
	Place   string // who gave it: "connection.With", "[connections.pets]", "$DB_URL"
	Problem string // "is empty", "is a table, not a string"
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s from %s %s", e.Param, e.Place, e.Problem)
}

// UnknownKeysError is what [WithStrict] makes of keys that the connection's factory did not ask for.
type UnknownKeysError struct {
	Keys []UnknownKey
}

// UnknownKey is one key that nobody asked for.
type UnknownKey struct {
	Key   string
	Place string // where it is
	Near  string // the nearest parameter that was asked for; "" if none is near
}

func (k UnknownKey) String() string {
	if k.Near == "" {
		return fmt.Sprintf("%s of %s", k.Key, k.Place)
	}
	return fmt.Sprintf("%s of %s (did you mean %s?)", k.Key, k.Place, k.Near)
}

func (e *UnknownKeysError) Error() string {
	texts := make([]string, len(e.Keys))
	for i, k := range e.Keys {
		texts[i] = k.String()
	}
	return "nothing reads " + strings.Join(texts, ", ")
}

// PanicError is what those get who waited for a connect that panicked or ended its goroutine.
// The one whose goroutine it was gets the panic itself.
type PanicError struct {
	Op string
}

func (e *PanicError) Error() string {
	return "the " + e.Op + " in another goroutine panicked or ended it; see the goroutine that panicked"
}

// endedContext says that ctx is over, why, and after what: the last failure, if there was one
// that tells more. It is a context.Canceled or DeadlineExceeded whatever the cause.
func endedContext(ctx context.Context, last error) error {
	ended := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, ended) {
		ended = fmt.Errorf("%w: %w", ended, cause)
	}
	if last == nil || errors.Is(last, ctx.Err()) {
		return ended
	}
	return fmt.Errorf("%w; the last try failed: %w", ended, last)
}

// isEnd tells whether err is the end of ctx as [secrets.Store.RefreshContext] says it.
func isEnd(ctx context.Context, err error) bool {
	return ctx != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
}

func nearestKey(want string, keys []string) string { return nearest.Name(want, keys) }
