package storage

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/streamconn/streamconn/internal/rest"
)

// Error is what the server, a gateway before it, or the network answered instead of a result:
// method, path, status, and storage's own code and message. Status is what storage means, which it
// says in the body of answers that are nearly all a 400.
//
// Its fields and methods are listed at supabase.Error, which is the same type.
type Error = rest.Error

// States of an [Error], for errors.Is. fs.ErrNotExist, fs.ErrExist and fs.ErrPermission work as well.
var (
	ErrNotFound     = rest.ErrNotFound     // no such object, bucket or upload, or not to be seen
	ErrUndefined    = rest.ErrUndefined    // no storage at that address
	ErrUnauthorized = rest.ErrUnauthorized // the key, the token or a signed URL's token is refused
	ErrForbidden    = rest.ErrForbidden    // this role may not, by row security
	ErrConflict     = rest.ErrConflict     // it is there already, or a bucket is not empty
	ErrRateLimited  = rest.ErrRateLimited  // too many requests
	ErrTimeout      = rest.ErrTimeout      // the server or the request took too long
	ErrTooLarge     = rest.ErrTooLarge     // the object is larger than the bucket or the caller allows
	ErrNoToken      = rest.ErrNoToken      // there is no access token to send
)

var (
	// ErrInvalid is a call that makes no sense; nothing was sent. It is an fs.ErrInvalid as well.
	ErrInvalid = errors.New("storage: invalid call")
	// ErrChanged is an object that was replaced while it was read.
	ErrChanged = errors.New("storage: the object was replaced while it was read")
	// ErrUnconfirmed is a resumable upload of which all bytes arrived, and the server did not say
	// whether they became the object: look at the object, or upload again.
	ErrUnconfirmed = errors.New("storage: all bytes arrived, and it is not known whether they became the object")
)

// callError is an ErrInvalid with its reason.
type callError struct {
	text  string
	cause error
}

func (e *callError) Error() string        { return "storage: " + e.text }
func (e *callError) Unwrap() error        { return e.cause }
func (e *callError) Is(target error) bool { return target == ErrInvalid || target == fs.ErrInvalid }

// invalid makes an ErrInvalid. An error among the arguments, for %w, is unwrapped to.
func invalid(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &callError{text: err.Error(), cause: errors.Unwrap(err)}
}
