package deadline_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamconn/streamconn/internal/deadline"
	"github.com/streamconn/streamconn/internal/deadlinetest"
)

func TestPassed(t *testing.T) {
	t.Parallel()
	timeout := fmt.Errorf("connecting: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded})
	for name, test := range map[string]struct {
		err  error
		wait time.Duration
		want bool
	}{
		"the network's word, at the deadline": {timeout, 10*time.Millisecond - time.Millisecond, true},
		"after the end":                       {timeout, time.Second, true},
		"a timeout of its own":                {timeout, 5 * time.Millisecond, false},
		"another error":                       {errors.New("refused"), time.Second, false},
		"none":                                {nil, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				<-time.After(test.wait)
				if got := deadline.Passed(deadlinetest.Early(ctx), test.err); got != test.want {
					t.Errorf("Passed = %t", got)
				}
				if test.want && ctx.Err() == nil {
					t.Error("the context has not ended")
				}
			})
		})
	}
	if deadline.Passed(t.Context(), timeout) {
		t.Error("without a deadline")
	}
}

// detached is a context with the deadline of another, and without its end.
type detached struct{ context.Context } //nolint:containedctx // it is one

func (detached) Done() <-chan struct{} { return nil }

func TestContextsThatOutliveTheirDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		<-ctx.Done()
		began := time.Now()
		if deadline.Passed(detached{ctx}, os.ErrDeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("it is waited for: %v", time.Since(began))
		}
	})
}
