package rediscache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Client is what the connection of a [Tier] lends. It has nothing to offer but Ping: what the tier does
// with Redis, it does itself.
type Client struct{ *held }

// held is a second pointer: package fmt does not ask the methods of somebody's unexported field, and follows
// the first pointer there for verbs that do not fit, such as %s.
type held struct{ *client }

// Format shows nothing of the client: it holds a password.
func (c Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("rediscache.Client")) }

// LogValue implements [slog.LogValuer].
func (c Client) LogValue() slog.Value { return slog.StringValue("rediscache.Client") }

// MarshalText implements [encoding.TextMarshaler], also for JSON.
func (c Client) MarshalText() ([]byte, error) { return []byte("rediscache.Client"), nil }

// Ping asks Redis whether it is there.
func (c *Client) Ping(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x := c.lines.Load()
	if x == nil {
		if problem := c.problem.Load(); problem != nil {
			return *problem
		}
		return errors.New("there is no connection to Redis yet")
	}
	return x.data.Do(ctx, x.data.B().Ping().Build()).Error()
}

// Close ends the client, and what is in memory because of it. The error is always nil.
func (c *Client) Close() error {
	c.close()
	return nil
}

// client is one client from its connect to its close. It has two connections to Redis: on one it
// reads and stores; on the other Redis tells which epochs have ended. A goroutine looks after them.
//
// The client is up while it is certain to hear of ends. Nobody uses it while it is not. Whenever it may have
// missed an end, everything in memory ends.
type client struct {
	settings
	ring    *ring
	options rueidis.ClientOption
	log     *slog.Logger

	start  sync.Once
	tier   *tier           // set by start
	life   context.Context //nolint:containedctx // the goroutine's, which close ends
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
	wake   chan struct{}

	lines   atomic.Pointer[lines] // nil: not dialed
	problem atomic.Pointer[error] // the last reason not to be up

	up          atomic.Bool
	incarnation atomic.Uint64 // of the Redis behind the lines
	failures    atomic.Int32  // in a row, of what the tier does
	restUntil   atomic.Int64  // nothing is looked for or stored before
	fullUntil   atomic.Int64  // nothing is stored before

	mu     sync.Mutex
	losses uint64 // of what Redis had to tell
	rests  int    // in a row
}

// lines are the two connections.
type lines struct{ data, ends rueidis.Client }

func (l *lines) close() {
	l.data.Close()
	l.ends.Close()
}

const (
	restAfter    = 3 // failures
	shortestRest = 100 * time.Millisecond
	longestRest  = 5 * time.Second
	fullPause    = time.Second
	soon         = 20 * time.Millisecond
)

func newClient(s settings, r *ring, options rueidis.ClientOption, log *slog.Logger) *client {
	if options.Dialer.Timeout <= 0 {
		options.Dialer.Timeout = dialTimeout
	}
	if options.ConnWriteTimeout <= 0 {
		options.ConnWriteTimeout = 2 * time.Second
	}
	options.DisableRetry = true // whoever waits had better load
	options.AlwaysPipelining = true
	options.ForceSingleClient = options.Sentinel.MasterSet == ""
	c := &client{settings: s, ring: r, options: options, log: log, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	c.life, c.cancel = context.WithCancel(context.Background())
	return c
}

// attach gives the client to its tier, and starts it. It is called before every use.
func (c *client) attach(t *tier) {
	c.start.Do(func() {
		c.tier = t
		if !c.ring.same(t.ring) {
			c.log.Error("the secret of a shared cache cannot change while the program runs; it is not used until the program is started again")
			close(c.done)
			return
		}
		t.current.Store(c)
		go c.mind()
	})
}

func (c *client) close() {
	c.cancel()
	c.start.Do(func() { close(c.done) }) // never started
	<-c.done
}

// mind is the goroutine.
func (c *client) mind() {
	defer close(c.done)
	defer func() {
		c.lost()
		if x := c.lines.Swap(nil); x != nil {
			x.close()
		}
	}()
	pause := soon
	for {
		err := c.check()
		if c.life.Err() != nil {
			return
		}
		c.note(err)
		if err == nil {
			pause = c.heartbeat
		} else {
			pause = min(2*pause, c.heartbeat)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.wake:
			timer.Stop()
			pause = soon / 2
		case <-c.life.Done():
			timer.Stop()
			return
		}
	}
}

// note tells of a change, once.
func (c *client) note(err error) {
	was := c.problem.Load()
	if err == nil {
		if c.problem.Store(nil); was != nil {
			c.log.Info("the shared cache is back")
		}
		return
	}
	c.problem.Store(&err)
	if was == nil {
		c.log.Warn("the shared cache is away: reads are loaded, and kept for a short time", "error", err)
	}
}

var (
	errReplica = errors.New("this Redis is a replica, which cannot be written to")
	errMissed  = errors.New("an end may have been missed")
)

// check looks whether all is well, and makes it so if it can.
func (c *client) check() (err error) {
	defer func() {
		if err != nil && c.up.Load() {
			c.lost()
		}
	}()
	x := c.lines.Load()
	if x == nil {
		if x, err = c.dial(); err != nil {
			return err
		}
		c.lines.Store(x)
	}
	c.mu.Lock()
	before := c.losses
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.life, max(c.heartbeat/2, c.timeout))
	defer cancel()
	// On this line, so that what it hears is as new as the answer.
	info, err := x.ends.Do(ctx, x.ends.B().Info().Section("replication").Build()).ToString()
	if err != nil {
		return err
	}
	incarnation, master := incarnationOf(info)
	if !master {
		c.lines.Store(nil) // the name may lead to another one by now
		x.close()
		return errReplica
	}
	if !c.up.Load() {
		if err := x.data.Do(ctx, x.data.B().Ping().Build()).Error(); err != nil {
			return err
		}
	}
	if err := c.tier.tellOwed(ctx, c, x); err != nil {
		return err
	}
	return c.rise(before, incarnation)
}

// rise makes the client one that is up, unless something has happened since the losses were counted.
func (c *client) rise(before, incarnation uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.losses != before {
		c.awaken()
		return errMissed
	}
	if !c.up.Load() || c.incarnation.Load() != incarnation {
		c.incarnation.Store(incarnation)
		c.failures.Store(0)
		c.restUntil.Store(0)
		c.tier.forget()
		c.tier.endAll()
		c.up.Store(true)
	}
	return nil
}

func (c *client) dial() (*lines, error) {
	data := c.options
	data.DisableCache = true
	ends := c.options
	ends.DisableCache = false
	ends.PipelineMultiplex = -1 // one, or each of them would be told
	ends.CacheSizeEachConn = 1 << 10
	ends.ClientTrackingOptions = []string{"PREFIX", c.keys.epochs(), "BCAST", "NOLOOP"}
	ends.OnInvalidations = c.heard

	x := new(lines)
	var err error
	if x.data, err = rueidis.NewClient(data); err == nil {
		if x.ends, err = rueidis.NewClient(ends); err == nil {
			return x, nil
		}
	}
	for _, line := range []rueidis.Client{x.data, x.ends} {
		if line != nil { // it is there although it could not be dialed
			line.Close()
		}
	}
	return nil, err
}

// heard is called for what Redis tells: keys of epochs that were changed, or nil when the connection has
// ended, or Redis was emptied. It must be quick.
func (c *client) heard(keys []rueidis.RedisMessage) {
	if keys == nil {
		c.lost()
		return
	}
	for i := range keys {
		if key, err := keys[i].ToString(); err == nil {
			c.tier.heard(strings.TrimPrefix(key, c.keys.epochs()))
		}
	}
}

// lost ends all that is in memory because of this client, which is not up any more.
func (c *client) lost() {
	c.mu.Lock()
	c.losses++
	c.up.Store(false) // before the end: whoever begins after that sees it
	c.mu.Unlock()
	c.tier.endAll()
	c.awaken()
}

func (c *client) awaken() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// did notes what became of something that the tier did with Redis. After so many failures in a row, Redis is
// left alone for a while. The client stays up: what Redis tells is another line's affair.
func (c *client) did(ctx context.Context, err error) {
	switch {
	case err == nil:
		if c.failures.Load() != 0 {
			c.failures.Store(0)
		}
		return
	case ctx.Err() != nil, isHarmless(err), errors.Is(err, errBack): // the caller's own context has ended; or Redis is well
		return
	}
	if c.failures.Add(1) < restAfter {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := since()
	if now < c.restUntil.Load() {
		return
	}
	if now-c.restUntil.Load() > int64(longestRest) { // it had been well for a while
		c.rests = 0
	}
	c.restUntil.Store(now + int64(min(shortestRest<<min(c.rests, 10), longestRest)))
	c.rests++
	c.awaken() // perhaps it is more than slow
}

// resting reports that Redis is left alone.
func (c *client) resting() bool { return since() < c.restUntil.Load() }

// isFull reports that Redis has no room, or does not want to write.
func isFull(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && (strings.HasPrefix(e.Error(), "OOM ") || strings.HasPrefix(e.Error(), "MISCONF "))
}

func isHarmless(err error) bool {
	if rueidis.IsRedisNil(err) || isFull(err) {
		return true
	}
	e, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(e.Error(), "WRONGTYPE ")
}

// incarnationOf finds in INFO what changes whenever Redis is started, or a replica becomes the master: what
// was stored before may have lost ends that came later.
func incarnationOf(info string) (incarnation uint64, master bool) {
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "role":
			master = value == "master"
		case "master_replid":
			sum := sha256.Sum256([]byte(value))
			for _, b := range sum[:8] {
				incarnation = incarnation<<8 | uint64(b)
			}
		}
	}
	return incarnation, master
}
