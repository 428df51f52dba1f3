package cache

import (
	"context"
	"reflect"
)

// Get gives what is stored under the key, if the policy allows to serve it, or else the result of
// load, which is then stored.
//
// Of all calls for one key, one runs its load, the leader, on its own goroutine and with its own
// context; the others wait, and get a copy of the result, or the same error. If the leader's context
// ends and its load fails, another takes over. A call whose own context ends gets its
// [context.Cause], unless the result is there. If the load panics, so does the leader, and the others get a [*PanicError].
//
// load should use the context that it is given, which tells calls that it makes in turn what they
// must not wait for: see [ErrRecursive]. Its errors come back as they are.
func Get[T any](ctx context.Context, s *Scope, k Key, p Policy, load func(context.Context) (T, error)) (T, error) {
	if p.ttl() == 0 || !k.stable || s.cache.closed.Load() {
		s.count(eventUncached)
		return load(ctx)
	}
	pointer := reflect.TypeFor[*T]()
	e, v := s.find(s.hashOf(pointer, k.text, k.args), pointer, k.text, k.args, &p)
	if v == hit {
		if value, ok := valueOf[T](e, p.Shared); ok {
			s.served(e)
			return value, nil
		}
	}
	copies := planOf(reflect.TypeFor[T]())
	if copies.reason != "" && !p.Shared {
		s.cache.warn(copies)
		s.count(eventUncached)
		return load(ctx)
	}
	return getSlowly(ctx, s, s.key(copies, k), e, v, p, load)
}

// getSlowly is the rest of Get, which has found e; apart from it so that hits need not allocate what this does.
func getSlowly[T any](
	ctx context.Context, s *Scope, k key, e *entry, v verdict, p Policy, load func(context.Context) (T, error),
) (T, error) {
	var none T
	find := func() (*entry, verdict) { return s.find(k.hash, k.plan.pointer, k.text(), k.args(), &p) }
	if ctx == nil && v != hit {
		return none, errNoContext
	}
	for missed := false; ; {
		var fl *flight
		if v == miss {
			if ctx.Err() != nil {
				return none, context.Cause(ctx)
			}
			var leads bool
			fl, leads, e, v = s.cache.flights.join(&k, find)
			if fl != nil && !missed {
				missed = true
				s.count(eventMiss)
			}
			if leads {
				return lead(ctx, s, fl, &p, load)
			}
		}
		switch v {
		case hit, stale:
			value, ok := valueOf[T](e, p.Shared)
			if !ok {
				s.count(eventUncached)
				return load(ctx)
			}
			if v == hit {
				s.served(e)
				return value, nil
			}
			s.servedAs(eventStale, e)
			refreshSoon(ctx, s, e, k, p, load)
			return value, nil
		case negative:
			s.servedAs(eventNegative, e)
			return none, e.err
		}

		if err := s.cache.flights.wait(ctx, fl); err != nil {
			return none, err
		}
		switch fl.outcome {
		case outcomeValue:
			if value, ok := valueOf[T](fl.result, p.Shared); ok {
				s.count(eventJoin)
				return value, nil
			}
			fallthrough
		case outcomeAlone:
			s.count(eventUncached)
			return load(ctx)
		case outcomeError:
			s.count(eventJoin)
			return none, fl.err
		case outcomeRetry:
			e, v = find()
		}
	}
}

// lead runs the load of a flight, unless the second tier has its result, stores what it gives, and ends
// the flight whatever happens.
func lead[T any](
	ctx context.Context, s *Scope, fl *flight, p *Policy, load func(context.Context) (T, error),
) (value T, err error) {
	inner, stop := fl.run(ctx)
	returned := false
	var tiered *TierAnswer // nil: there is no second tier
	defer func() {
		var panicked any // stays nil for Goexit
		if !returned {
			s.count(eventLoadError)
			fl.outcome, fl.err = outcomeError, errGoexit
			if panicked = recover(); panicked != nil {
				fl.err = newPanicError(panicked)
			}
		}
		stop()
		s.cache.flights.land(fl)
		if tiered != nil && tiered.Turn != nil { // nobody waits for this but the leader
			s.endTurn(ctx, tiered.Turn, fl, p, &value)
		}
		if panicked != nil {
			panic(panicked)
		}
	}()
	if s.tier != nil {
		tiered = s.askTier(inner, fl, p, &value)
		if tiered.Found {
			s.count(eventTierHit)
			keepValue(s, fl, p, tiered, &value)
			returned = true
			return value, nil
		}
	}
	s.count(eventLoad)
	value, err = load(inner)
	if err != nil {
		s.count(eventLoadError)
		s.keepError(ctx, fl, p, tiered, err)
		var none T
		value = none
	} else {
		keepValue(s, fl, p, tiered, &value)
	}
	returned = true
	return value, err
}

// keepError ends a flight with an error, and stores that if it counts as an answer.
func (s *Scope) keepError(ctx context.Context, fl *flight, p *Policy, tiered *TierAnswer, err error) {
	if ctx.Err() != nil {
		fl.outcome = outcomeRetry
		return
	}
	fl.outcome, fl.err = outcomeError, err
	if p.Transient != nil && !p.Transient(err) {
		fl.after = tierDrops
		s.cache.dropOlder(fl, false) // what was remembered of errors says the same
	}
	if p.Negative > 0 && p.IsNegative != nil && p.IsNegative(err) {
		e := s.newEntry(fl, p, tiered, p.Negative, 0)
		e.err = err
		e.cost = entryOverhead + fl.key.cost()
		s.cache.store(fl, e)
	}
}

// keepValue ends a flight with a value, and stores that if it can be.
func keepValue[T any](s *Scope, fl *flight, p *Policy, tiered *TierAnswer, value *T) {
	c, copies := s.cache, fl.key.plan
	e := s.newEntry(fl, p, tiered, p.ttl(), p.Stale)
	cost, fits := costOf(copies, value, c.maxCost()-entryOverhead-fl.key.cost())
	if !fits {
		s.count(eventTooLarge)
		fl.after = tierDrops
		c.dropOlder(fl, true)
		if !c.flights.withdraw(fl) {
			return // nobody waits: spare the copy
		}
	}
	e.cost = entryOverhead + fl.key.cost() + cost
	own := new(T)
	*own = *value
	if !p.Shared && !copies.flat {
		copied, ok := copyOf(copies, value)
		if !ok {
			s.count(eventUncached)
			c.warn(copies)
			fl.after = tierDrops
			c.dropOlder(fl, true)
			return
		}
		*own = copied
	}
	e.value = own
	fl.outcome, fl.result = outcomeValue, e
	if fits {
		fl.after = tierStores
		c.store(fl, e)
	}
}
