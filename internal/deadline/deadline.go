// Package deadline knows the end of a context by what the network says of it.
package deadline

import (
	"context"
	"errors"
	"os"
	"time"
)

// Passed tells whether err is the network's word for the end of ctx: what waits for a connection gets the
// deadline of its context, and may notice it a moment before the context does. When Passed returns true, ctx
// has ended.
func Passed(ctx context.Context, err error) bool {
	end, bounded := ctx.Deadline()
	if !bounded || time.Now().Before(end) || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	<-ctx.Done() // a matter of its timer
	return true
}
