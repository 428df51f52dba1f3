package rediscache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
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
		followers: make(map[string]weak.Pointer[cache.Epoch]),
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
	followers map[string]weak.Pointer[cache.Epoch] // by their marks, as they are in the keys of epochs
	prune     int                                  // how many there may be before the dead are removed
	owed      map[string]*debt                     // by their marks: ends that Redis does not know of, or may not
	told      sync.Map                             // reflect.Type of what cannot be stored
	current   atomic.Pointer[client]               // the last one that was attached

	counters
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
	key := text([]byte(mark))
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.followers[key].Value(); e != nil {
		return e
	}
	if len(t.followers) >= t.prune {
		for key, follower := range t.followers {
			if follower.Value() == nil {
				delete(t.followers, key)
			}
		}
		t.prune = 2*len(t.followers) + 64
	}
	e := new(cache.Epoch)
	t.followers[key] = weak.Make(e)
	return e
}

// endFollower ends what is in memory of an epoch, given by its mark as it is in keys.
func (t *tier) endFollower(key string) {
	t.mu.Lock()
	e := t.followers[key].Value()
	t.mu.Unlock()
	if e != nil {
		e.Bump()
	}
}

// endAll ends all that is in memory because of Redis.
func (t *tier) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, follower := range t.followers {
		if e := follower.Value(); e != nil {
			e.Bump()
		}
	}
}

// End implements [cache.Tier].
//
// The epoch is in Redis, under a key of its own, as a number that nobody has drawn before: ending it is to
// draw another. Counting up would do, if Redis never forgot: after it was emptied, or has failed over to a
// replica that did not know the last numbers, these would come again.
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
		c.did(context.Background(), err)
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

// draw gives an epoch that nobody has drawn before.
func draw() string {
	var b [epochSize]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return string(b[:])
}

// tell ends an epoch in Redis. If that has no room for the new one, the old one goes: without it, nothing is found.
//
// It does so on the line on which Redis tells of ends, and does not tell of what was done on it. So what is
// loaded afterwards stays. The caller ends the follower once more: of what another process has ended in the
// same instant, Redis does not tell, either.
func (c *client) tell(ctx context.Context, x *lines, mark string) error {
	key := c.keys.epoch(mark)
	err := x.ends.Do(ctx, x.ends.B().Set().Key(key).Value(draw()).Px(c.epochTTL()).Build()).Error()
	if isFull(err) {
		err = x.ends.Do(ctx, x.ends.B().Unlink().Key(key).Build()).Error()
	}
	return err
}

var errStrange = errors.New("an epoch in Redis is not one of ours")

// plant draws those of the epochs that are not in Redis. It does so on the line on which it would be told of
// that otherwise; what it is about to load would have to end.
func (c *client) plant(ctx context.Context, x *lines, keys []string, epochs []string) error {
	for i, key := range keys {
		if epochs[i] != "" {
			continue
		}
		replies := x.ends.DoMulti(ctx,
			x.ends.B().Set().Key(key).Value(draw()).Nx().Px(c.epochTTL()).Build(),
			x.ends.B().Get().Key(key).Build())
		if err := replies[0].Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		epoch, err := replies[1].ToString()
		if err != nil {
			return err
		}
		if len(epoch) != epochSize {
			return errStrange
		}
		epochs[i] = strings.Clone(epoch)
	}
	return nil
}

// away is the answer while Redis is of no use.
func (s *settings) away() cache.TierAnswer { return cache.TierAnswer{Life: s.awayTTL} }

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
