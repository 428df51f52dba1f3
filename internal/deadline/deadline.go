// Package deadline knows the end of a context by what the network says of it, and a context that is none.
package deadline

import (
	"context"
	"errors"
	"os"
	"time"
)

// patience is how long the end of a context is waited for after its deadline.
const patience = 100 * time.Millisecond

// ErrNoContext is what calls without a context get.
var ErrNoContext = errors.New("the context is nil; give context.Background() where there is none")

// Passed tells whether err is the network's word for the end of ctx: what waits for a connection gets the
// deadline of its context, and may notice it a moment before the context does. When Passed returns true, ctx
// has ended. A context that outlives its deadline, as one of another's making may, has not, and is waited for
// no longer than a tenth of a second.
func Passed(ctx context.Context, err error) bool {
	end, bounded := ctx.Deadline()
	if !bounded || time.Now().Before(end) || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done(): // a matter of its timer
		return true
	case <-timer.C:
		return false
	}
}
