package rest

import (
	"io"
	"net/http"
)

// Request is one call of a service. It is only read, and can be used again if its Open can.
type Request struct {
	// Method is GET, HEAD, POST, …; it must be given.
	Method string

	// Path is below the base, of segments that are escaped already ([Escape]); a leading slash
	// makes no difference, empty is the base itself. A segment . or .. , also an escaped one, a
	// query or a fragment is an error before anything is sent.
	Path string

	// Query is encoded already, without the question mark.
	Query string

	// Header wins over what the client sends: Authorization and apikey too. A name with no values
	// takes the header out.
	Header http.Header

	// Body is sent as it is; the Content-Type is the caller's. Nil: no body.
	Body []byte

	// Open gives the body of a request that is not held in memory, instead of Body. It is called
	// once for each attempt and each redirect followed; the reader is closed after use. One
	// that can be read once only returns an error the second time. When the server answers before
	// it has read everything, the reader may still be in use for a moment after the call.
	Open func() (io.ReadCloser, error)

	// Length is the number of bytes that Open gives. Zero or less: unknown, sent in chunks.
	Length int64

	// Secrets are values of this request (a password, a refresh token) that no text may hold,
	// should the server repeat them.
	Secrets []string

	// NoRetry sends a GET or HEAD once.
	NoRetry bool

	// Uncoded is what a 404 without a code says, of a service whose own have one: nothing of what was
	// asked for, but that its path leads nowhere. It is an ErrUndefined then. Empty: such a 404 is
	// ErrNotFound, as any other.
	Uncoded string

	// Idempotent lets a request be tried again as a GET is, whatever its method: one that only
	// asks (storage lists by POST), or does no harm when it is carried out twice.
	Idempotent bool
}

// Response is an answer (2xx) that was read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // the caller's own
}

// Stream is an answer (2xx) whose body is read by the caller, who must close it. It lives no
// longer than the context of its call. A failing Read gives an *Error.
type Stream struct {
	Status int
	Header http.Header
	Length int64 // of the body in bytes; -1: unknown
	Body   io.ReadCloser
}
