package rediscache

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"

	"github.com/streamconn/streamconn/cache"
)

// Find implements [cache.Tier].
func (t *Tier) Find(ctx context.Context, q cache.TierQuery, into any) (answer cache.TierAnswer) {
	answer = t.first.away()
	asked := false
	t.use(ctx, func(c *client, x *lines) {
		switch {
		case c.resting():
			answer = t.unasked(c, q.Epochs)
		case !t.owes(q.Epochs):
			asked = true
			s := &search{tier: t, client: c, lines: x, query: &q, into: into}
			answer = s.run(ctx)
		}
	})
	if !asked {
		t.away.Add(1)
	}
	return answer
}

// search is one Find.
type search struct {
	tier   *Tier
	client *client
	lines  *lines
	query  *cache.TierQuery
	into   any

	codec *codec   // nil: the result stays in this process
	name  string   // of the result
	keys  []string // of the epochs, and of the result
	found found
}

// found is what Redis had.
type found struct {
	epochs []int64 // 0 for one that is not there
	sealed []byte
	left   time.Duration
	taken  bool // the lease
	full   bool // there is no room for a lease
}

func (s *search) run(ctx context.Context) cache.TierAnswer {
	for _, mark := range s.query.Epochs {
		s.keys = append(s.keys, s.client.keys.epoch(mark))
	}
	if s.codec = s.tier.codec(s.query); s.codec != nil {
		s.name = s.client.ring.name(s.query)
		s.keys = append(s.keys, s.client.keys.result(s.name))
	}
	if len(s.keys) == 0 { // nothing in Redis that it could depend on
		return cache.TierAnswer{Life: s.client.localTTL, Watched: true}
	}
	answer, ok := s.look(ctx, "")
	token := ""
	if ok && s.codec != nil && !answer.Found && s.client.lease > 0 {
		answer, token, ok = s.wait(ctx)
	}
	if !ok || s.codec == nil {
		return answer
	}
	if answer.Found {
		s.tier.hits.Add(1)
		return answer
	}
	s.tier.misses.Add(1)
	answer.Turn = &turn{
		tier: s.tier, codec: s.codec, name: s.name, shape: s.query.Shape, lease: token,
		epochs: s.found.epochs, incarnation: s.client.incarnation.Load(),
	}
	return answer
}

// look asks Redis once; with a token, it tries to take the lease of the result first. ok is false if there is no
// use in going on.
func (s *search) look(ctx context.Context, token string) (answer cache.TierAnswer, ok bool) {
	limited, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	err := s.fetch(limited, token)
	if err == nil {
		err = s.client.plant(limited, s.lines, s.query.Epochs, s.found.epochs)
	}
	if errors.Is(err, errBack) {
		s.client.lost()
	}
	s.client.did(ctx, err)
	if err != nil {
		s.tier.count(err)
		return s.tier.unasked(s.client, s.query.Epochs), false
	}
	answer = cache.TierAnswer{Life: s.client.localTTL, Watched: true}
	if s.found.sealed != nil {
		s.open(&answer)
	}
	return answer, true
}

// errBack says that an epoch is less than it was: Redis has become one that does not know of an end that this
// process has told it of, or has seen. It was a replica a moment ago.
var errBack = errors.New("an end has been forgotten by Redis")

// fetch reads the epochs and the result in one go.
func (s *search) fetch(ctx context.Context, token string) error {
	floors := s.tier.seen(s.query.Epochs) // before asking: answers may overtake each other
	b := s.lines.data.B
	commands := make([]rueidis.Completed, 0, 3)
	if token != "" {
		commands = append(commands, b().Set().Key(s.client.keys.lease(s.name)).Value(token).Nx().Px(s.client.lease).Build())
	}
	commands = append(commands, b().Mget().Key(s.keys...).Build())
	if s.codec != nil {
		commands = append(commands, b().Pttl().Key(s.keys[len(s.keys)-1]).Build())
	}
	replies := s.lines.data.DoMulti(ctx, commands...)
	if token != "" {
		err := replies[0].Error()
		if err != nil && !rueidis.IsRedisNil(err) && !isFull(err) {
			return err
		}
		s.found.taken, s.found.full = err == nil, isFull(err)
		replies = replies[1:]
	}
	values, err := replies[0].ToArray()
	if err != nil {
		return err
	}
	n := len(s.query.Epochs)
	back := false
	s.found.epochs, s.found.sealed = make([]int64, n), nil
	for i, mark := range s.query.Epochs {
		epoch, err := values[i].AsInt64()
		if err != nil || epoch <= 0 {
			continue // there is none, or something else
		}
		if epoch < floors[i] {
			s.tier.owe(mark) // what Redis has of the time before would be taken for the newest
			back = true
			continue
		}
		s.found.epochs[i] = epoch
		s.tier.see(mark, epoch)
	}
	if back {
		return errBack
	}
	if s.codec == nil {
		return nil
	}
	left, err := replies[1].AsInt64()
	if err != nil {
		return err
	}
	if sealed, err := values[n].AsBytes(); err == nil && left > 0 {
		s.found.sealed, s.found.left = sealed, time.Duration(left)*time.Millisecond
	}
	return nil
}

// skew is how far the clocks of processes may be apart. Ages are told by the clock of Redis; this is for
// what that has kept for longer than it should have.
const skew = time.Minute

// open looks whether what was found is the answer.
func (s *search) open(answer *cache.TierAnswer) {
	e, err := s.client.ring.open(s.name, s.found.sealed)
	if err != nil {
		s.tier.foreign.Add(1)
		return
	}
	if e.shape != s.query.Shape || binary.BigEndian.Uint64(e.incarnation[:]) != s.client.incarnation.Load() || !equal(e.epochs, s.found.epochs) {
		return
	}
	age := max(e.ttl-s.found.left, 0)
	if s.found.left > e.ttl || age >= s.query.MaxAge || time.Since(e.created) > e.ttl+skew {
		return
	}
	if err := s.codec.decode(e.value, s.into); err != nil {
		s.tier.foreign.Add(1)
		return
	}
	answer.Found, answer.Age, answer.Left, answer.Expires = true, age, s.found.left, e.expires
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] || a[i] == 0 {
			return false
		}
	}
	return true
}

// codec gives the codec for the result of a query, or nil if it stays in this process.
func (t *Tier) codec(q *cache.TierQuery) *codec {
	if q.Key == nil {
		t.local.Add(1)
		return nil
	}
	c := codecOf(q.Type)
	if c.reason != "" {
		t.local.Add(1)
		t.tellOnce(c, c.reason)
		return nil
	}
	return c
}

// tellOnce tells once for each type why its results stay in this process.
func (t *tier) tellOnce(c *codec, reason string) {
	if _, told := t.told.LoadOrStore(c.typ, struct{}{}); !told {
		t.log.Warn("results of this type stay in this process, since they cannot be written for others",
			"type", c.typ.String(), "reason", reason)
	}
}

const (
	firstPause   = 2 * time.Millisecond
	longestPause = 50 * time.Millisecond
)

// wait takes the lease of the result, or waits for whoever has it to store the result or to give the lease
// back. token is "" if the lease could not be had: then the caller loads without. ok is as that of look.
func (s *search) wait(ctx context.Context) (answer cache.TierAnswer, token string, ok bool) {
	token = draw()
	end := time.Now().Add(s.client.leaseWait)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		answer, ok = s.look(ctx, token)
		switch {
		case s.found.taken && (!ok || answer.Found): // stored, and given back, since we looked
			s.tier.release(s.client, s.lines, s.name, token)
			return answer, "", ok
		case s.found.taken:
			return answer, token, true
		case !ok || answer.Found || s.found.full:
			return answer, "", ok
		}
		if pause == firstPause {
			s.tier.waits.Add(1)
		}
		if time.Until(end) <= 0 || !s.client.up.Load() {
			s.tier.timeouts.Add(1)
			return answer, "", true
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer, "", true
		}
	}
}
