package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// cohort are entries that end together. A second tier ends all entries after a while, those of reads
// without a TTL too; by their cohort, these still need not look at the clock when they are read, which
// would be a third of what a hit costs.
type cohort struct{ over atomic.Bool }

// ended reports whether the entries of the cohort have ended. Those without one, nil, have not.
func (h *cohort) ended() bool { return h != nil && h.over.Load() }

// cohorts are those that have not ended, by the time when they do. There are few: see end.
type cohorts struct {
	mu     sync.Mutex
	under  map[int64]*cohortTimer
	closed bool
}

type cohortTimer struct {
	cohort
	timer *time.Timer
}

// shortestCohort is how far away the end must be. What ends sooner looks at the clock.
const shortestCohort = time.Second

// end is when a cohort ends that entries can join which have to end at t: at most a sixteenth of the
// time until then before, on the hands of a clock that goes in powers of two.
func (*cohorts) end(now, t int64) int64 {
	step := int64(1)
	for step <= (t-now)/32 {
		step *= 2
	}
	return t - t%step
}

// until gives the cohort of what has to end at t, or nil after the cache was closed.
func (h *cohorts) until(now, t int64) *cohort {
	t = h.end(now, t)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if known := h.under[t]; known != nil {
		return &known.cohort
	}
	if h.under == nil {
		h.under = make(map[int64]*cohortTimer)
	}
	made := new(cohortTimer)
	made.timer = time.AfterFunc(time.Duration(t-now), func() {
		made.over.Store(true)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.under, t)
	})
	h.under[t] = made
	return &made.cohort
}

func (h *cohorts) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, under := range h.under {
		under.timer.Stop()
	}
	h.under = nil
}
