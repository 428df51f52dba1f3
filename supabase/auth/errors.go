package auth

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/rest"
)

// Error is what the server, a gateway before it, or the network answered instead of a result:
// method, path, status, and GoTrue's code and message. Codes are those of GoTrue's documentation:
// invalid_credentials, email_not_confirmed, weak_password, otp_expired. Match on them, never on
// the message.
//
// Its fields and methods are listed at supabase.Error, which is the same type.
type Error = rest.Error

// States of an [Error], for errors.Is.
var (
	ErrUnauthorized = rest.ErrUnauthorized // the password, token, session or key is not accepted
	ErrForbidden    = rest.ErrForbidden    // it is, and may not: not an admin, banned, not confirmed
	ErrNotFound     = rest.ErrNotFound     // no such user, factor, identity or provider
	ErrConflict     = rest.ErrConflict     // the address or identity is taken
	ErrRateLimited  = rest.ErrRateLimited  // too many requests or mails; see RetryAfter
	ErrTimeout      = rest.ErrTimeout      // it took too long, here or there
	ErrNoToken      = rest.ErrNoToken      // there is no access token to send
)

var (
	// ErrSessionDead is an answer that says that the session is over, and that no retry will bring
	// it back: it was signed out, its refresh token is unknown or was used before, its user is gone
	// or banned. What is not ErrSessionDead (a fault of the network, a 5xx, a 429, an answer of a
	// gateway) leaves the session as it is.
	ErrSessionDead = errors.New("the session has ended; sign in again")
	// ErrInvalid is a call that makes no sense; nothing was sent.
	ErrInvalid = errors.New("auth: invalid call")
)

// deadError is an answer that is ErrSessionDead. It reads as the answer.
type deadError struct{ err error }

func (e *deadError) Error() string        { return e.err.Error() }
func (e *deadError) Unwrap() error        { return e.err }
func (e *deadError) Is(target error) bool { return target == ErrSessionDead }

// ended marks the errors whose code says that the session is over.
func ended(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Code {
		case "session_not_found", "session_expired", "refresh_token_not_found", "refresh_token_already_used":
			return &deadError{err}
		case "user_not_found":
			if e.Status == http.StatusForbidden { // the token's own; an admin's is a 404
				return &deadError{err}
			}
		}
	}
	return err
}

// endedByRefresh marks the errors of a refresh that no later one will mend: GoTrue's refusals, but
// for those that are about the moment. A gateway's refusal is about the key or the address.
func endedByRefresh(err error) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok || errors.Is(err, ErrSessionDead) || !fromGoTrue(e):
		return err
	case e.Status < 400 || e.Status > 499, strings.HasPrefix(e.Code, "hook_"):
		return err
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return err
	}
	return &deadError{err}
}

// fromGoTrue tells an error of GoTrue from one of a gateway before it, which has no code.
func fromGoTrue(e *Error) bool {
	if e.Header().Get("X-Sb-Error-Code") != "" {
		return true
	}
	var body struct {
		Code        json.RawMessage `json:"code"`
		Description json.RawMessage `json:"error_description"`
	}
	return json.Unmarshal(e.Body(), &body) == nil && (body.Code != nil || body.Description != nil)
}

// WeakPassword tells whether err refuses a password as too weak, and why: length, characters,
// pwned. The reasons may be none.
func WeakPassword(err error) (reasons []string, weak bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != "weak_password" {
		return nil, false
	}
	var body struct {
		Weak weakPassword `json:"weak_password"`
	}
	_ = json.Unmarshal(e.Body(), &body) // the code alone says it too
	return body.Weak.Reasons, true
}

// weakPassword is a part of some answers.
type weakPassword struct {
	Reasons []string `json:"reasons"`
}

// seconds is how GoTrue says when to try again: it sends no Retry-After.
var seconds = regexp.MustCompile(`\bafter ([0-9]{1,6}) seconds?\b`)

// RetryAfter is how long the server asks to wait before the same call: by the header Retry-After,
// or in words ("you can only request this after 59 seconds"). 0: it does not say.
func RetryAfter(err error) time.Duration {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return 0
	}
	if d := e.RetryAfter(); d > 0 {
		return d
	}
	if e.Status != http.StatusTooManyRequests {
		return 0
	}
	said := seconds.FindStringSubmatch(e.Message)
	if said == nil {
		return 0
	}
	n, err := strconv.Atoi(said[1])
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
