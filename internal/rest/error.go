package rest

import (
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What an [*Error] can mean; errors.Is tells. The code of the answer decides, its status where
// there is no code that is known.
var (
	// ErrNotFound: what was named is not there, or not to be seen: no row where one was asked for,
	// no object, bucket or user. A table or function that does not exist is ErrUndefined.
	ErrNotFound = errors.New("not found")
	// ErrMultipleRows: one row was asked for, and there are more.
	ErrMultipleRows = errors.New("more than one row")
	// ErrUndefined: the schema has no such table, column, function or relationship, or the address
	// leads to no such service.
	ErrUndefined = errors.New("not defined")
	// ErrUnauthorized: the key, token, session or password was not accepted.
	ErrUnauthorized = errors.New("not authenticated")
	// ErrForbidden: they were, and what was asked for is not allowed to them.
	ErrForbidden = errors.New("not allowed")
	// ErrConflict: it contradicts what is there: a duplicate, a reference to nothing.
	ErrConflict = errors.New("conflict")
	// ErrRateLimited: too many requests.
	ErrRateLimited = errors.New("too many requests")
	// ErrTimeout: it took too long, here (the attempt's timeout) or there (a statement's).
	ErrTimeout = errors.New("timeout")
	// ErrTooLarge: the server refuses the size of what was sent, or an answer is longer than
	// [Config.MaxBody].
	ErrTooLarge = errors.New("too large")
	// ErrRedirect: the server redirects to where nothing is sent, or too often.
	ErrRedirect = errors.New("redirect refused")
	// ErrNoToken: [Config.Token] gave no token that can be sent.
	ErrNoToken = errors.New("no access token")
)

// Error is an answer that is not a 2xx, or a fault on the way to one. Its fields and texts hold no
// credentials, also where the server repeated them.
type Error struct {
	Method string
	Path   string // escaped, with the base's, without the query

	// Status is that of HTTP, but for storage's errors, which are nearly all sent as 400: there it
	// is the statusCode of the body. 0: there was no answer, and Unwrap tells why.
	Status int

	// Code is the server's: an SQLSTATE, PGRST116, invalid_credentials, NoSuchKey; or empty.
	Code string

	// Message is the server's, or what can be told of an answer without one, on one line.
	Message string

	// Details and Hint are PostgREST's. Details may hold values of rows, and are in Error() only
	// where PostgREST itself speaks (PGRST…).
	Details, Hint string

	answer hidden[answer]
	cause  hidden[cause]
}

// answer is what the server said, as it said it.
type answer struct {
	header     http.Header
	body       []byte
	retryAfter time.Duration
	lost       bool // it says that the server lost its own connection
	nowhere    bool // there is nothing at the path: see Request.Uncoded
}

// cause is why there is no answer, or none that is of use.
type cause struct {
	err       error // holds no secrets
	transient bool
}

// Error is "GET /rest/v1/users: 406 PGRST116: …".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Method)
	b.WriteByte(' ')
	b.WriteString(e.Path)
	b.WriteString(": ")
	if e.Status != 0 {
		b.WriteString(strconv.Itoa(e.Status))
		if e.Code != "" {
			b.WriteByte(' ')
			b.WriteString(e.Code)
		}
		b.WriteString(": ")
	}
	switch {
	case e.Message != "":
		b.WriteString(e.Message)
	case e.Status != 0 && http.StatusText(e.Status) != "":
		b.WriteString(http.StatusText(e.Status))
	case e.Status != 0:
		b.WriteString("no message")
	case e.cause.get() != nil:
		b.WriteString(e.cause.get().err.Error())
	default:
		b.WriteString("no answer")
	}
	if e.Details != "" && strings.HasPrefix(e.Code, "PGRST") {
		b.WriteString(" (")
		b.WriteString(e.Details)
		b.WriteByte(')')
	}
	if e.Hint != "" {
		b.WriteString("; hint: ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap is the fault, where there is one: the context's error, that of the network, or one of the
// sentinels. Addresses and texts with credentials are taken out of it.
func (e *Error) Unwrap() error {
	if c := e.cause.get(); c != nil {
		return c.err
	}
	return nil
}

// Is tells whether the answer means target: one of the sentinels of this package, or of those that
// files have: fs.ErrNotExist is ErrNotFound, fs.ErrPermission is ErrForbidden or ErrUnauthorized,
// and fs.ErrExist is the ErrConflict of an object or bucket that is there already.
func (e *Error) Is(target error) bool {
	if e.Status == 0 {
		return false
	}
	meaning := e.meaning()
	switch target {
	case fs.ErrNotExist:
		return errors.Is(meaning, ErrNotFound)
	case fs.ErrPermission:
		return errors.Is(meaning, ErrForbidden) || errors.Is(meaning, ErrUnauthorized)
	case fs.ErrExist:
		return e.Code == "KeyAlreadyExists" || e.Code == "BucketAlreadyExists" || e.Code == "ResourceAlreadyExists"
	}
	return errors.Is(meaning, target)
}

// Transient tells whether the same request may succeed soon: after a fault of the network, a
// timeout of an attempt, what gateways say of a server that is away, late or makes no sense to them
// (502, 503, 504, Cloudflare's 520 to 524), and what PostgREST and storage call no connection, a
// timeout or busy, in words or without. It says nothing about whether a write was carried out. The
// end of the caller's context is not transient.
func (e *Error) Transient() bool {
	if c := e.cause.get(); c != nil {
		return c.transient
	}
	if a := e.answer.get(); a != nil && a.lost {
		return true
	}
	switch e.Code {
	case "PGRST000", "PGRST001", "PGRST002", // no connection to the database, no schema cache yet
		"SlowDown", "ResourceLocked", "LockTimeout":
		return true
	}
	switch e.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		statusUnknown, statusDown, statusUnconnected, statusUnreachable, statusLate, statusDatabaseTimeout:
		return true
	}
	return false
}

// RetryAfter is how long the server asks to wait; 0: it does not say, or at once.
func (e *Error) RetryAfter() time.Duration {
	if a := e.answer.get(); a != nil {
		return a.retryAfter
	}
	return 0
}

// Timeout is true for what is [ErrTimeout], and for timeouts of the network.
func (e *Error) Timeout() bool {
	if c := e.cause.get(); c != nil {
		return isTimeout(c.err)
	}
	return errors.Is(e.meaning(), ErrTimeout)
}

// Body is the body of the answer as it came, at most [Config.MaxErrorBody] of it; nil without one.
// It may hold what was sent.
func (e *Error) Body() []byte {
	if a := e.answer.get(); a != nil {
		return a.body
	}
	return nil
}

// Header is the header of the answer as it came; nil without one.
func (e *Error) Header() http.Header {
	if a := e.answer.get(); a != nil {
		return a.header
	}
	return nil
}

// What HTTP has no names for.
const (
	statusUnknown     = 520 // Cloudflare: the origin's answer makes no sense to it
	statusDown        = 521 // the origin refuses connections
	statusUnconnected = 522 // it does not answer them
	statusUnreachable = 523 // there is no way to it
	statusLate        = 524 // its answer does not come

	statusDatabaseTimeout = 544 // storage: its database is too busy
)

// meaning is the sentinel for the answer, or nil. Both generations of PostgREST's codes are here:
// a missing table is 42P01 until 12 and PGRST205 later.
func (e *Error) meaning() error {
	if a := e.answer.get(); a != nil && a.nowhere {
		return ErrUndefined
	}
	switch e.Code {
	case "PGRST116":
		if strings.Contains(e.Details, " 0 rows") {
			return ErrNotFound
		}
		return ErrMultipleRows
	case "PGRST125", "PGRST126", "PGRST200", "PGRST202", "PGRST204", "PGRST205", "42P01", "42703", "42883", "3F000":
		return ErrUndefined
	case "PGRST300", "PGRST301", "PGRST302", "PGRST303", "28000", "28P01",
		"bad_jwt", "no_authorization", "invalid_credentials", "session_not_found", "session_expired",
		"refresh_token_not_found", "refresh_token_already_used", "InvalidJWT", "ExpiredToken", "InvalidSignature":
		return ErrUnauthorized
	case "42501", "0L000", "0P000", "AccessDenied", "not_admin", "user_banned", "email_not_confirmed", "phone_not_confirmed":
		return ErrForbidden
	case "23503", "23505", "23P01", "KeyAlreadyExists", "BucketAlreadyExists", "ResourceAlreadyExists", "ResourceNotEmpty",
		"user_already_exists", "email_exists", "phone_exists", "identity_already_exists":
		return ErrConflict
	case "user_not_found":
		if e.Status == http.StatusForbidden {
			return ErrUnauthorized // the token's own user is gone
		}
		return ErrNotFound
	case "NoSuchKey", "NoSuchBucket", "NoSuchUpload", "identity_not_found", "mfa_factor_not_found",
		"flow_state_not_found", "sso_provider_not_found":
		return ErrNotFound
	case "over_request_rate_limit", "over_email_send_rate_limit", "over_sms_send_rate_limit", "SlowDown":
		return ErrRateLimited
	case "57014", "PGRST003", "request_timeout", "hook_timeout", "DatabaseTimeout", "LockTimeout":
		return ErrTimeout
	case "EntityTooLarge":
		return ErrTooLarge
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout, statusUnconnected, statusLate, statusDatabaseTimeout:
		return ErrTimeout
	}
	return nil
}
