package database

import (
	"errors"
	"fmt"

	"github.com/streamconn/streamconn/internal/rest"
)

// Error is what the server, a gateway before it, or the network answered instead of a result:
// method, path, status, and PostgREST's code, message, details and hint.
//
// Its fields and methods are listed at supabase.Error, which is the same type.
type Error = rest.Error

// States of an [Error], for errors.Is.
var (
	ErrNotFound     = rest.ErrNotFound     // no row where one was asked for
	ErrMultipleRows = rest.ErrMultipleRows // more than one row where one was asked for
	ErrUndefined    = rest.ErrUndefined    // no such table, column, function or relationship, or no PostgREST at that address
	ErrUnauthorized = rest.ErrUnauthorized // the key or the token is refused, or one is needed
	ErrForbidden    = rest.ErrForbidden    // this role may not, by grants or by row security
	ErrConflict     = rest.ErrConflict     // a unique or foreign key is violated
	ErrTimeout      = rest.ErrTimeout      // the statement, the pool or the request took too long
	ErrTooLarge     = rest.ErrTooLarge     // the answer is longer than the client takes
)

var (
	// ErrInvalid is a query that makes no sense; nothing was sent.
	ErrInvalid = errors.New("database: invalid query")
	// ErrNoFilter is an Update or Delete that would hit every row; nothing was sent.
	// It is an ErrInvalid as well.
	ErrNoFilter = errors.New("database: update or delete without a filter")
)

// queryError is an ErrInvalid with its reason. Its text holds names, never values.
type queryError struct {
	text  string
	kind  error // another sentinel that it is, or nil
	cause error
}

func (e *queryError) Error() string        { return "database: " + e.text }
func (e *queryError) Unwrap() error        { return e.cause }
func (e *queryError) Is(target error) bool { return target == ErrInvalid || target == e.kind }

// invalid makes an ErrInvalid. An error among the arguments, for %w, is unwrapped to.
func invalid(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &queryError{text: err.Error(), cause: errors.Unwrap(err)}
}
