package connection

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
)

// Retry says how reads are tried again after faults that pass: broken connections, and what
// the server itself calls transient. Writes and sessions are never tried again.
//
// An error in the chain with a method Transient() bool decides that by itself, whatever its kind and
// [Kind].Transient hold of it. With RetryAfter() time.Duration it sets the least pause before the next
// try; one that does not fit into the time that is left ends the tries at once.
//
// The zero value of each field stands for its default.
type Retry struct {
	// Window is how long a read whose context has no deadline is tried; with a deadline, that is
	// the window, and this field counts for nothing. The default is 5 s; a negative value tries once.
	Window time.Duration
	// Min is the first pause, doubled after each try up to Max; the defaults are 50 ms and 1 s.
	// Every pause is shortened by a random part of up to a half, so that callers do not come back in step.
	Min, Max time.Duration
}

func (r Retry) withDefaults() Retry {
	if r.Window == 0 {
		r.Window = 5 * time.Second
	}
	if r.Min <= 0 {
		r.Min = 50 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = time.Second
	}
	return r
}

// pause is the wait after the given number of tries (1 after the first).
func (r Retry) pause(tries int) time.Duration {
	d := r.Max
	if shift := tries - 1; shift < 32 && r.Min<<shift < r.Max && r.Min<<shift > 0 {
		d = r.Min << shift
	}
	return d - rand.N(d/2+1)
}

// end is when the time is up of a call that began so.
func (r Retry) end(ctx context.Context, began time.Time) time.Time {
	if end, bounded := ctx.Deadline(); bounded {
		return end
	}
	return began.Add(r.withDefaults().Window)
}

// do runs try until it succeeds, fails for good, or the time is up of a call that began so. A
// Retry-After that the error carries is honoured; one that ends after the time is up ends the tries at
// once.
func (r Retry) do(ctx context.Context, began time.Time, transient func(error) bool, note func(), try func() error) error {
	if ctx == nil {
		return deadline.ErrNoContext
	}
	r = r.withDefaults()
	end := r.end(ctx, began)
	for tries := 1; ; tries++ {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return endedContext(ctx, err)
		}
		if r.Window < 0 || !transient(err) {
			return err
		}
		pause := r.pause(tries)
		if after, ok := errors.AsType[interface {
			error
			RetryAfter() time.Duration
		}](err); ok {
			pause = max(pause, after.RetryAfter())
		}
		if !time.Now().Add(pause).Before(end) {
			return &retriedError{tries: tries, elapsed: time.Since(began), end: end, pause: pause, err: err}
		}
		note()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return endedContext(ctx, err)
		}
	}
}

// retriedError is the last failure of a read that was tried more than once, or would have been.
type retriedError struct {
	tries   int
	elapsed time.Duration
	end     time.Time     // of the time for it
	pause   time.Duration // after which the next try would have been, had there been more
	err     error
}

func (e *retriedError) Error() string {
	if e.tries == 1 {
		return e.err.Error() + " (tried once, no time for another)"
	}
	return fmt.Sprintf("%v (tried %d times in %v)", e.err, e.tries, e.elapsed.Round(time.Millisecond))
}

func (e *retriedError) Unwrap() error { return e.err }

// isTransient is the rule for clients of unknown kinds: what the error says of itself, broken
// connections of database/sql, and the network's faults. The end of a context never is one.
func isTransient(err error) bool {
	if err == nil {
		return false
	}
	if passes, said := saysTransient(err); said {
		return passes
	}
	if op, ok := errors.AsType[*net.OpError](err); ok { // before the contexts' errors: a dial's timeout says that it is one
		return !isAlert(op)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, net.ErrClosed) {
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsTemporary || dns.IsTimeout || dns.IsNotFound // a name may come back, as in a failover
	}
	if netErr, ok := errors.AsType[net.Error](err); ok {
		return netErr.Timeout()
	}
	return false
}

// saysTransient asks the error itself; what it says goes before every other opinion.
func saysTransient(err error) (passes, said bool) {
	e, said := errors.AsType[interface {
		error
		Transient() bool
	}](err)
	return said && e.Transient(), said
}

// isAlert tells a peer's refusal in the TLS handshake, of a certificate for instance, from the
// faults of networks: package crypto/tls gives both this type.
func isAlert(op *net.OpError) bool { return op.Op == "remote error" || op.Op == "local error" }
