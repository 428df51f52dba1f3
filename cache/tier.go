package cache

import (
	"context"
	"encoding/binary"
	"reflect"
	"time"
)

// Tier is a second tier: a store behind the caches of several processes, such as Redis. What one
// process has loaded, the others find there, and what one ends, all end. Package cache/rediscache
// has one; this interface is for those who bring another store.
//
// A cache asks its tier only when it would otherwise run a load, and for each key once at a time: a hit in
// memory never comes here. Nothing in a tier may fail: a store that is slow, away, full or wrong
// finds nothing and stores nothing. A Tier is a pointer, and safe for concurrent use.
type Tier interface {
	// Mark gives the name for some parts: the same in all processes that share the tier, another
	// for other parts, and of no use to anyone who sees it, for the parts may be secrets. An HMAC under
	// a key that the processes share is one. It does not depend on whether the store can be reached.
	Mark(parts ...[]byte) string

	// Epoch gives this process's follower of the epoch that the processes share under a mark. There
	// is one for each mark, for as long as anybody holds it. The tier bumps it as soon as it hears
	// that somebody has ended the shared epoch, and whenever it may have missed hearing so:
	// when it has lost the store, or the store has lost what it had.
	Epoch(mark string) *Epoch

	// End ends the epoch of the mark for all processes: what is in the store and depends on it, what they
	// keep in memory, and what they are loading. For the calling process it has ended when End
	// returns, even if the store cannot be reached; then End does not wait for long, and
	// the others are told as soon as it can be reached again.
	End(mark string)

	// Find looks for a result and decodes it into a pointer to a new value of its type. If there is none, it
	// leaves that as it is, and the caller loads; with the answer's Turn it then stores what it
	// has loaded. Find waits for no longer than the store is worth, and not beyond ctx.
	//
	// A query without a Key is of a result that other processes cannot name. It is asked for the answer's
	// Life and Watched alone.
	Find(ctx context.Context, q TierQuery, into any) TierAnswer
}

// TierQuery names a result in a [Tier]. All of it belongs to the name, except for MaxAge.
type TierQuery struct {
	Scope  string       // the mark of where the result belongs: a connection, an identity
	Epochs []string     // the marks of the epochs that it depends on
	Type   reflect.Type // of the result
	Shape  [32]byte     // what stands for Type in all processes: see [TierScope]
	Key    []byte       // the text and the arguments, the same in all processes; nil: see Find

	MaxAge time.Duration // how old it may be for this call; [Forever] is any age
}

// TierAnswer is what a [Tier] knows of a result.
type TierAnswer struct {
	Found   bool          // the result has been decoded
	Age     time.Duration // how old it is
	Left    time.Duration // for how much longer it is in the store: no copy of it lives longer
	Expires time.Time     // the [Policy.Expires] that it was stored with

	// Life bounds how long this process may keep in memory what it has found, or loads because of
	// this answer: a short time while the store is away, since nobody will tell when it has to go.
	// 0, and less, is not at all.
	Life time.Duration
	// Watched says that this process will be told when the result has to go. What is not watched is
	// not served stale.
	Watched bool

	// Turn is how to store what is loaded; nil if it is not to be stored. The caller ends it.
	Turn TierTurn
}

// TierTurn is the turn to load and to store one result, after a [Tier] has not found it.
type TierTurn interface {
	// Store keeps the result that value points to, under the epochs as they were when the turn was
	// given: what has ended since is not found by anybody. ttl may be [Forever]; expires may be zero.
	// It does not keep value. It waits for no longer than the store is worth, and not beyond ctx.
	Store(ctx context.Context, value any, ttl time.Duration, expires time.Time)

	// Drop removes what is stored: the source has denied it, or has something that cannot be stored. It
	// waits as Store does, and not beyond ctx.
	Drop(ctx context.Context)

	// End gives the turn back, whether something was stored or not: somebody may be waiting for it.
	End()
}

// TierScope is where the results of a [Scope] live in a [Tier].
//
// Types are known to other processes by their package path, name and structure, tags included, and not
// by their methods. If two types of one process are the same in these, such as types of one name from
// two functions, neither uses the tier.
type TierScope struct {
	Tier   Tier
	Mark   string   // by [Tier.Mark]: of all that tells this scope from others; "" if other processes cannot tell
	Epochs []string // by [Tier.Mark]: ending one of these ends the results everywhere
}

// TieredScope is [Cache.Scope] with a second tier behind it. The results also depend on the tier's own
// epochs, which are added to the others. Scopes of one id must have the same tier scope.
func (c *Cache) TieredScope(id string, counters *Counters, tier TierScope, epochs ...*Epoch) *Scope {
	all := make([]*Epoch, 0, len(epochs)+len(tier.Epochs))
	all = append(all, epochs...)
	for _, mark := range tier.Epochs {
		all = append(all, tier.Tier.Epoch(mark))
	}
	s := c.Scope(id, counters, all...)
	s.tier, s.own = &tier, len(epochs)
	return s
}

// askTier looks for the result of a flight in the second tier.
func (s *Scope) askTier(ctx context.Context, fl *flight, p *Policy, into any) *TierAnswer {
	q := s.tierQuery(&fl.key)
	q.MaxAge = p.ttl()
	if !p.Expires.IsZero() && !time.Now().Before(p.Expires) {
		q.Key = nil // it has ended already: neither is there one to be found, nor will one be stored
	}
	answer := s.tier.Tier.Find(ctx, q, into)
	if q.Key == nil || answer.Age >= q.MaxAge || !answer.Expires.IsZero() && !time.Now().Before(answer.Expires) {
		answer.Found = false
	}
	if answer.Turn != nil && (q.Key == nil || answer.Found) {
		answer.Turn.End()
		answer.Turn = nil
	}
	return &answer
}

// tierQuery names a key's result for all processes, if it can.
func (s *Scope) tierQuery(k *key) TierQuery {
	q := TierQuery{Scope: s.tier.Mark, Epochs: s.tier.Epochs, Type: k.plan.typ}
	shape, ok := shapeOf(q.Type)
	if !ok || s.tier.Mark == "" {
		return q
	}
	name := binary.AppendUvarint(make([]byte, 0, len(k.both)+binary.MaxVarintLen64), uint64(k.split))
	if name, ok = appendStable(append(name, k.text()...), []byte(k.args())); ok {
		q.Shape, q.Key = shape, name
	}
	return q
}

// bound makes the entry one that the second tier allows.
func (e *entry) bound(c *Cache, answer *TierAnswer, staleFor time.Duration) {
	now := c.now()
	if !answer.Watched {
		staleFor = 0
		e.end = e.fresh
	}
	limit := later(now, max(answer.Life, 0))
	if answer.Found {
		e.created = now - int64(max(answer.Age, 0))
		limit = min(limit, later(now, max(answer.Left, 0)))
		if !answer.Expires.IsZero() {
			if wall := wallOf(answer.Expires); wall != 0 && (e.wall == 0 || wall < e.wall) {
				e.wall = wall
			}
		}
	}
	if answer.Watched && e.fresh == never && staleFor <= 0 && e.wall == 0 && limit != never && limit-now >= int64(shortestCohort) {
		if e.cohort = c.cohorts.until(now, limit); e.cohort != nil {
			return
		}
	}
	if limit < e.fresh {
		e.fresh = limit
		e.end = later(limit, max(staleFor, 0))
	}
}

// endTurn stores in the second tier what the leader of a flight has loaded, unless that has ended in the
// meantime, and gives the turn back.
func (s *Scope) endTurn(ctx context.Context, turn TierTurn, fl *flight, p *Policy, value any) {
	defer turn.End()
	switch fl.after {
	case tierStores:
		// If one of the tier's epochs has ended, the turn knows an older one: nobody finds what it stores then.
		if !fl.dropped.Load() && fl.own == s.ownSum() {
			turn.Store(ctx, value, p.ttl(), p.Expires)
		}
	case tierDrops:
		turn.Drop(ctx)
	case tierKeeps:
	}
}

// afterwards is what the second tier has to do after a load.
type afterwards uint8

const (
	tierKeeps  afterwards = iota // nothing
	tierStores                   // store its result
	tierDrops                    // let go of an older one
)
