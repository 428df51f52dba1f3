package supabase

import (
	"errors"

	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/database"
)

// Error is what a service of the project, a gateway before it, or the network answered instead of a
// result: method, path, status, and the service's code, message, details and hint. It stands behind
// the *connection.Error that names the connection; errors.AsType finds it. Those of the packages
// database, auth and storage are the same.
//
//	Method  string
//	Path    string // escaped, with the base's, without the query
//	Status  int    // of HTTP; of storage, what its body says; 0: there was no answer, and Unwrap tells why
//	Code    string // the service's: an SQLSTATE, PGRST116, invalid_credentials, NoSuchKey; or empty
//	Message string // the service's, or what can be told of an answer without one, on one line
//	Details string // PostgREST's; it may hold values of rows
//	Hint    string // PostgREST's
//
//	func (e *Error) Transient() bool           // the same request may succeed soon; a write may have been carried out
//	func (e *Error) RetryAfter() time.Duration // how long the service asks to wait; 0: it does not say, or at once
//	func (e *Error) Timeout() bool             // ErrTimeout, or a timeout of the network
//	func (e *Error) Body() []byte              // as it came; nil: there was none; it may hold what was sent
//	func (e *Error) Header() http.Header       // as it came; nil: there was no answer
type Error = rest.Error

// What an error can mean; errors.Is tells.
var (
	ErrNotFound     = rest.ErrNotFound     // no row, object, bucket or user where one was asked for
	ErrMultipleRows = rest.ErrMultipleRows // more than one row where one was asked for
	ErrUndefined    = rest.ErrUndefined    // no such table, column, function or relationship, or no project at that address
	ErrUnauthorized = rest.ErrUnauthorized // the key, token, session or password is refused
	ErrForbidden    = rest.ErrForbidden    // this role may not, by grants or by row security
	ErrConflict     = rest.ErrConflict     // a duplicate, or a reference to nothing
	ErrRateLimited  = rest.ErrRateLimited  // too many requests
	ErrTimeout      = rest.ErrTimeout      // it took too long, here or there
	ErrTooLarge     = rest.ErrTooLarge     // the answer, or what was sent, is too large
	ErrInvalid      = database.ErrInvalid  // the query makes no sense; nothing was sent
	ErrNoFilter     = database.ErrNoFilter // an Update or Delete of every row; nothing was sent
)

// ErrSignInAgain is the error of every use of a view whose session or token is empty, has ended,
// cannot be renewed, or has not the form of a token. Nothing is sent then, least of all with the connection's own key.
var ErrSignInAgain = errors.New("the user has to sign in again")
