package rediscache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	rand64 "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/redis/rueidis"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
)

// Tier is a second tier on Redis: a [cache.Tier], for [connection.WithSharedCache]. It is a connection like any
// other: Ping, Reset, Close, [connection.Explain]. It is safe for concurrent use.
//
// Close it after the connections that use it: without it, they go on as if Redis were away.
type Tier struct {
	connection.Connection[*Client]
	*tier
}

var _ cache.Tier = (*Tier)(nil)

var kind = &connection.Kind[*Client, *Tier]{
	Name:    "redis",
	Aliases: []string{"valkey"},
	Connect: Connect,
	Wrap:    wrap,
}

// Get gives the tier called name that the whole process shares; it is opened for the first who asks.
// See [Connect] for its parameters, and [connection.Kind.Get] for what counts as the same.
func Get(ctx context.Context, name string, opts ...connection.Option) (*Tier, error) {
	return kind.Get(ctx, name, opts...)
}

// Open opens a tier of the caller's own, who closes it. See [Connect] for its parameters. It does not
// dial: connecting to Redis begins in the background, and until that is done, Redis is away.
func Open(ctx context.Context, name string, opts ...connection.Option) (*Tier, error) {
	return kind.Open(ctx, name, opts...)
}

func wrap(c connection.Connection[*Client]) *Tier {
	t := &Tier{Connection: c, tier: &tier{
		followers: make(map[string]*follower),
		owed:      make(map[string]*debt),
	}}
	// The client is there already: this neither waits nor fails.
	if err := connection.Do(context.Background(), c, func(c *Client) error {
		t.ring, t.log, t.first = c.ring, c.log, c.settings
		c.attach(t.tier)
		return nil
	}); err != nil { // closed within the last instant: it stays what a closed one is
		t.ring = new(ring)
		t.log = slog.New(slog.DiscardHandler)
	}
	return t
}

// tier is what outlives the clients of a Tier.
type tier struct {
	ring  *ring
	log   *slog.Logger
	first settings // of the first client: good enough where there is none

	mu        sync.Mutex
	followers map[string]*follower   // by their marks, as they are in the keys of epochs
	prune     int                    // how many there may be before the dead are removed
	owed      map[string]*debt       // by their marks: ends that Redis does not know of, or may not
	told      sync.Map               // reflect.Type of what cannot be stored
	current   atomic.Pointer[client] // the last one that was attached

	counters
}

// follower is what this process knows of an epoch.
type follower struct {
	epoch weak.Pointer[cache.Epoch] // ends what is in memory
	seen  int64                     // the greatest that Redis had
	there bool                      // it was in Redis, and Redis will tell if it changes, or goes
}

// debt is an end that is being told, or has still to be told.
type debt struct {
	telling int    // who is at it
	due     uint64 // counts up for each who could not; 0: none
}

// use lends the client to do, if there is one and it is up.
func (t *Tier) use(ctx context.Context, do func(c *client, x *lines)) {
	_ = connection.Do(ctx, t.Connection, func(c *Client) error { // an error means that there is none
		c.attach(t.tier)
		if x := c.lines.Load(); x != nil && c.up.Load() {
			do(c.client, x)
		}
		return nil
	})
}

// Mark implements [cache.Tier].
func (t *Tier) Mark(parts ...[]byte) string { return t.ring.mark(parts) }

// Epoch implements [cache.Tier].
func (t *Tier) Epoch(mark string) *cache.Epoch {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.followerOf(text([]byte(mark)))
	if e := f.epoch.Value(); e != nil {
		return e
	}
	e := new(cache.Epoch)
	f.epoch = weak.Make(e)
	return e
}

// followerOf makes a follower if there is none. Those that nobody needs go when there are many.
func (t *tier) followerOf(key string) *follower {
	if f := t.followers[key]; f != nil {
		return f
	}
	if len(t.followers) >= t.prune {
		for key, f := range t.followers {
			if f.epoch.Value() == nil {
				delete(t.followers, key)
			}
		}
		t.prune = 2*len(t.followers) + 64
	}
	f := new(follower)
	t.followers[key] = f
	return f
}

// heard is for an epoch that has changed in Redis, or has gone.
func (t *tier) heard(key string) {
	t.gone(key)
	t.endFollower(key)
}

// gone notes that an epoch may not be in Redis any more.
func (t *tier) gone(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.followers[key]; f != nil {
		f.there = false
	}
}

// watched reports whether Redis will tell of the end of the epochs.
func (t *tier) watched(marks []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, mark := range marks {
		if f := t.followers[text([]byte(mark))]; f == nil || !f.there {
			return false
		}
	}
	return true
}

// endFollower ends what is in memory of an epoch, given by its mark as it is in keys.
func (t *tier) endFollower(key string) {
	t.mu.Lock()
	var e *cache.Epoch
	if f := t.followers[key]; f != nil {
		e = f.epoch.Value()
	}
	t.mu.Unlock()
	if e != nil {
		e.Bump()
	}
}

// endAll ends all that is in memory because of Redis.
func (t *tier) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.followers {
		if e := f.epoch.Value(); e != nil {
			e.Bump()
		}
	}
}

// End implements [cache.Tier].
//
// The epoch is a number in Redis, under a key of its own; ending it is to add to it.
func (t *Tier) End(mark string) {
	t.ends.Add(1)
	// In this order: whoever begins to read after the follower has ended sees that Redis must not be asked.
	t.begin(mark)
	t.endFollower(text([]byte(mark)))
	told := false
	t.use(context.Background(), func(c *client, x *lines) {
		ctx, cancel := context.WithTimeout(context.Background(), c.endTimeout)
		defer cancel()
		err := c.tell(ctx, x, mark)
		told = err == nil
		if !told {
			t.count(err)
			c.awaken()
		}
	})
	t.endFollower(text([]byte(mark)))
	t.finish(mark, told)
}

func (t *tier) begin(mark string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.owed[mark]
	if d == nil {
		d = new(debt)
		t.owed[mark] = d
	}
	d.telling++
}

func (t *tier) finish(mark string, told bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.owed[mark]
	d.telling--
	if !told {
		d.due++
	}
	if d.telling == 0 && d.due == 0 {
		delete(t.owed, mark)
	}
}

// owe notes an end that Redis has to be told of again.
func (t *tier) owe(mark string) {
	t.begin(mark)
	t.finish(mark, false)
}

// owes reports whether Redis may not know of an end yet, so that what it has is of no use.
func (t *tier) owes(marks []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, mark := range marks {
		if t.owed[mark] != nil {
			return true
		}
	}
	return false
}

// tellOwed tells Redis of all ends that it has not been told of.
func (t *tier) tellOwed(ctx context.Context, c *client, x *lines) error {
	due := make(map[string]uint64)
	t.mu.Lock()
	for mark, d := range t.owed {
		if d.due > 0 {
			due[mark] = d.due
		}
	}
	t.mu.Unlock()
	for mark, count := range due {
		if err := c.tell(ctx, x, mark); err != nil {
			return err
		}
		t.endFollower(text([]byte(mark)))
		t.mu.Lock()
		if d := t.owed[mark]; d != nil && d.due == count {
			if d.due = 0; d.telling == 0 {
				delete(t.owed, mark)
			}
		}
		t.mu.Unlock()
	}
	return nil
}

// draw gives a token that nobody has drawn before.
func draw() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return string(b[:])
}

// An epoch is a number that grows: Redis adds a little that is drawn at random, so that two that have
// forgotten each other's ends do not come to the same. It begins with the time, in a unit in which it never
// catches up with that: one that Redis has lost comes back as a greater one.
const (
	epochsPerMilli = 1 << 20
	longestStep    = 1 << 16
)

func firstEpoch() string {
	return strconv.FormatInt(time.Now().UnixMilli()*epochsPerMilli+rand64.Int64N(epochsPerMilli), 10)
}

// tell ends an epoch in Redis. If that has no room for a new one, the old one goes: without it, nothing is found.
//
// It does so on the line on which Redis tells of ends, and does not tell of what was done on it. So what is
// loaded afterwards stays. The caller ends the follower once more: of what another process has ended in the
// same instant, Redis does not tell, either.
func (c *client) tell(ctx context.Context, x *lines, mark string) error {
	key, b := c.keys.epoch(mark), x.ends.B
	replies := x.ends.DoMulti(ctx,
		b().Set().Key(key).Value(firstEpoch()).Nx().Px(c.epochTTL()).Build(), // there is one already, as a rule
		b().Incrby().Key(key).Increment(1+rand64.Int64N(longestStep)).Build())
	epoch, err := replies[1].AsInt64()
	_, answered := rueidis.IsRedisErr(err)
	switch {
	case err == nil && epoch <= longestStep: // none of ours was there: Redis has lost it in between
		return x.ends.Do(ctx, b().Set().Key(key).Value(firstEpoch()).Px(c.epochTTL()).Build()).Error()
	case err == nil:
		c.tier.see(mark, epoch)
		return nil
	case isFull(err):
		c.tier.gone(text([]byte(mark)))
		return x.ends.Do(ctx, b().Unlink().Key(key).Build()).Error()
	case answered && isStrange(err):
		return x.ends.Do(ctx, b().Set().Key(key).Value(firstEpoch()).Px(c.epochTTL()).Build()).Error()
	default:
		return err
	}
}

// isStrange reports that there is something else under the key of an epoch.
func isStrange(err error) bool {
	return strings.HasPrefix(err.Error(), "WRONGTYPE ") || strings.Contains(err.Error(), "not an integer") || strings.Contains(err.Error(), "overflow")
}

var errStrange = errors.New("an epoch in Redis is not one of ours")

// plant begins those of the epochs that are not in Redis. It does so on the line on which it would be told of
// that otherwise; what it is about to load would have to end.
func (c *client) plant(ctx context.Context, x *lines, marks []string, epochs []int64) error {
	for i, mark := range marks {
		if epochs[i] != 0 {
			continue
		}
		key, b := c.keys.epoch(mark), x.ends.B
		replies := x.ends.DoMulti(ctx,
			b().Set().Key(key).Value(firstEpoch()).Nx().Px(c.epochTTL()).Build(),
			b().Get().Key(key).Build())
		if err := replies[0].Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		number, err := replies[1].ToString()
		if err != nil {
			return err
		}
		epoch, err := strconv.ParseInt(number, 10, 64)
		if err != nil || epoch <= longestStep {
			return errStrange
		}
		epochs[i] = epoch
		c.tier.see(mark, epoch)
	}
	return nil
}

// see notes an epoch as Redis has it.
func (t *tier) see(mark string, epoch int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.followerOf(text([]byte(mark)))
	f.seen, f.there = max(f.seen, epoch), true
}

// seen are the greatest of the epochs that were seen; 0 for none.
func (t *tier) seen(marks []string) []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]int64, len(marks))
	for i, mark := range marks {
		if f := t.followers[text([]byte(mark))]; f != nil {
			all[i] = f.seen
		}
	}
	return all
}

// forget forgets what was seen, of a Redis that may be another one now.
func (t *tier) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.followers {
		f.seen, f.there = 0, false
	}
}

// away is the answer while nobody tells this process of ends.
func (s *settings) away() cache.TierAnswer { return cache.TierAnswer{Life: s.awayTTL} }

// unasked is the answer while Redis is of no use, or too slow: it may still tell of ends.
func (t *tier) unasked(c *client, marks []string) cache.TierAnswer {
	if c.up.Load() && !t.owes(marks) && t.watched(marks) {
		return cache.TierAnswer{Life: c.localTTL, Watched: true}
	}
	return c.away()
}

// String names the tier.
func (t Tier) String() string { return fmt.Sprintf("rediscache.Tier(%q)", t.Name()) }

// Format implements [fmt.Formatter]: nothing else of it is shown, whatever the verb.
func (t Tier) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// LogValue implements [slog.LogValuer].
func (t Tier) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText implements [encoding.TextMarshaler], also for JSON.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// since is a number of the monotonic clock.
func since() int64 { return int64(time.Since(beginning)) }

var beginning = time.Now()
