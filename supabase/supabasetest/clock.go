package supabasetest

import (
	"sync/atomic"
	"time"
)

// A clock shows the time, shifted by what a test moved it.
type clock struct{ shift atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

func (c *clock) advance(d time.Duration) { c.shift.Add(int64(d)) }
