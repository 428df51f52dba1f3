// Package deadlinetest has a network that notices a deadline before the context does whose deadline it is, for
// the tests of what waits on one.
package deadlinetest

import (
	"context"
	"net"
	"os"
	"time"
)

// Early returns a context that ends as ctx does, whose deadline is a millisecond before that end.
func Early(ctx context.Context) context.Context { return early{ctx} }

type early struct{ context.Context } //nolint:containedctx // it is one

func (c early) Deadline() (time.Time, bool) {
	end, bounded := c.Context.Deadline()
	return end.Add(-time.Millisecond), bounded
}

// Dial waits for the deadline of ctx, and fails as a dial does that has waited for it. Without a deadline it
// succeeds at once.
func Dial(ctx context.Context) error {
	end, bounded := ctx.Deadline()
	if !bounded {
		return nil
	}
	<-time.After(time.Until(end))
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
}
