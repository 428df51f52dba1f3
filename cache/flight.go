package cache

import (
	"context"
	"sync"
	"sync/atomic"
)

// flight is one load, and those who wait for it. Its leader runs the load on its own goroutine and
// context: so the load of a call never outlives that. Only refreshes have goroutines of their own.
type flight struct {
	key  key
	sum  uint64 // of the epochs, before the load
	own  uint64 // of those that a second tier does not know
	done chan struct{}

	waiting int         // guarded by the shard's lock
	dropped atomic.Bool // what it gives is not stored

	// Written before done is closed, and not later.
	outcome outcome
	result  *entry // of outcomeValue: not necessarily stored
	err     error  // of outcomeError
	after   afterwards

	nested nested // of loads that read from a cache themselves
}

type outcome uint8

const (
	outcomeAlone outcome = iota // the result cannot be shared: whoever waits has to load it on his own
	outcomeRetry                // the leader's own context ended: one of those who wait leads the next flight
	outcomeValue
	outcomeError
)

// flights are the loads under way, and no others.
type flights [64]flightShard

type flightShard struct {
	mu    sync.Mutex
	loads map[uint64]*flight
}

func (f *flights) shard(hash uint64) *flightShard { return &f[hash>>32%uint64(len(f))] }

// join gives the flight of a key: the one that is under way, or a new one, which the caller leads.
// A load that began before the last end of its scope's results is not joined any more.
// If recheck finds an entry after all, that is given instead: somebody has just stored it.
func (f *flights) join(k *key, recheck func() (*entry, verdict)) (_ *flight, leads bool, _ *entry, _ verdict) {
	sh := f.shard(k.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sum := k.scope.sum()
	if fl := sh.loads[k.hash]; fl != nil && fl.sum == sum && !fl.dropped.Load() && fl.key.equals(k) {
		fl.waiting++
		return fl, false, nil, miss
	}
	if recheck != nil {
		if e, v := recheck(); v != miss {
			return nil, false, e, v
		}
	}
	if sh.loads == nil {
		sh.loads = make(map[uint64]*flight)
	}
	fl := &flight{key: *k, sum: sum, done: make(chan struct{})}
	if k.scope.tier != nil {
		fl.own = k.scope.ownSum()
	}
	sh.loads[k.hash] = fl // in the place of an outdated one, if there is one: nobody shall join that
	return fl, true, nil, miss
}

// leave is for somebody who no longer waits.
func (f *flights) leave(fl *flight) {
	sh := f.shard(fl.key.hash)
	sh.mu.Lock()
	fl.waiting--
	sh.mu.Unlock()
}

// withdraw takes the flight out, if it is still there, and tells whether anybody waits for it.
func (f *flights) withdraw(fl *flight) (awaited bool) {
	sh := f.shard(fl.key.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.loads[fl.key.hash] == fl {
		delete(sh.loads, fl.key.hash)
	}
	return fl.waiting > 0
}

// land ends the flight.
func (f *flights) land(fl *flight) {
	f.withdraw(fl)
	close(fl.done)
}

// drop marks the flight, and tells whether it was still under way.
func (f *flights) drop(fl *flight) bool {
	sh := f.shard(fl.key.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.loads[fl.key.hash] != fl {
		return false
	}
	fl.dropped.Store(true)
	delete(sh.loads, fl.key.hash)
	return true
}

func (f *flights) all() []*flight {
	var all []*flight
	for i := range f {
		sh := &f[i]
		sh.mu.Lock()
		for _, fl := range sh.loads {
			all = append(all, fl)
		}
		sh.mu.Unlock()
	}
	return all
}

// wait waits for the flight to land. It fails if ctx ends before, or if it could wait forever.
func (f *flights) wait(ctx context.Context, fl *flight) error {
	stop, err := fl.await(ctx)
	if err != nil {
		f.leave(fl)
		return err
	}
	defer stop()
	select {
	case <-fl.done:
		return nil
	case <-ctx.Done():
		select {
		case <-fl.done: // both at once: then the answer
			return nil
		default:
			f.leave(fl)
			return context.Cause(ctx)
		}
	}
}
