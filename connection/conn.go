package connection

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/internal/deadline"
)

// conn is the one implementation of Connection. It has at most one live client at a time,
// its current generation; older ones live on until those to whom they are lent are done.
type conn[T any] struct {
	*state
	connector[T]
	refresh     func(context.Context) (problem, err error) // nil: there is nothing to read
	configured  func() (sources, error)
	unsubscribe func()       // from changes of the secrets
	removed     func()       // takes a shared connection out of its registry
	grown       func(*state) // tells the registry that one more is connected

	mu      sync.Mutex
	current *generation[T]
	dial    *dialing // the connect under way
	last    *answers // what the last successful connect read; nil before the first
}

// connector is what a Kind says about its clients. Only connect must be there.
type connector[T any] struct {
	connect Factory[T]
	ping    func(context.Context, T) error
	fault   func(error) bool
	lent    bool // the client is not ours to close
}

// generation is one client from its connect to its close.
type generation[T any] struct {
	client    T
	mark      mark
	born      time.Time
	ephemeral bool
	close     func() error

	leases  int // guarded by conn.mu, like retired
	retired bool
}

// dialing is one connect, and those who wait for it.
type dialing struct {
	done  chan struct{} // closed when the connect is over; then err and again are set
	stale chan struct{} // closed when a Reset or Close overtakes it
	err   error
	again bool // the leader's own context ended: a waiter has to dial
}

// answers is what a connect asked for, and the mark of what it was told.
type answers struct {
	params  *Params
	mark    mark
	version uint64 // of the secrets
}

// answersNow is what the same questions would be answered now. params stay those of the last connect.
func (c *conn[T]) answersNow(a *answers, now sources) *answers {
	return &answers{params: a.params, mark: c.markOf(now.asked(a.params.answers()), a.params.ephemeral), version: now.version}
}

func newConn[T any](name string, cfg config, how connector[T]) *conn[T] {
	t := &trunk{name: name, cfg: cfg, number: connections.Add(1)}
	t.life, t.end = context.WithCancelCause(context.Background())
	if cfg.tier != nil {
		t.tiered = newTiered(cfg.tier, name)
	}
	c := &conn[T]{state: &state{trunk: t}, connector: how}
	c.impl = c
	c.refresh, c.configured = t.refresh, t.configured
	t.verify = c.verify
	return c
}

// lease lends the client, and connects if there is none; release gives it back. Every use of
// a client goes through here, save Raw's.
func (c *conn[T]) lease(ctx context.Context) (*generation[T], error) {
	if ctx == nil {
		return nil, deadline.ErrNoContext
	}
	for {
		if g, err := c.lend(); g != nil || err != nil {
			return g, err
		}
		if err := c.mayConnect(ctx); err != nil {
			return nil, err
		}
		d, idle, leads := c.join()
		if leads {
			return c.lead(ctx, d, idle)
		}
		_ = c.shut(idle)
		if d == nil { // somebody has connected since we looked
			continue
		}
		select {
		case <-d.done:
			if d.err != nil && !d.again {
				return nil, d.err
			}
		case <-d.stale:
		case <-ctx.Done():
			return nil, endedContext(ctx, nil)
		}
	}
}

// lend lends the client that is there; there is none without either result.
func (c *conn[T]) lend() (*generation[T], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return nil, ErrClosed
	}
	g := c.current
	if g == nil || c.tooOld(g) {
		return nil, nil
	}
	g.leases++
	c.used.Store(int64(time.Since(start)))
	return g, nil
}

// join is the connect that is under way, or a new one, which the caller then leads: nil if there is nothing to
// connect. A client that was too old is idle now, and the caller's to shut.
func (c *conn[T]) join() (d *dialing, idle *generation[T], leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() || c.current != nil && !c.tooOld(c.current) {
		return nil, nil, false
	}
	if c.current != nil {
		c.resets.Add(1) // for its age
	}
	idle = c.retireLocked()
	if leads = c.dial == nil; leads {
		c.dial = &dialing{done: make(chan struct{}), stale: make(chan struct{})}
	}
	return c.dial, idle, leads
}

var errOwnFactory = errors.New("the connection's factory asks for the very connection that it is to make")

// mayConnect tells why whoever has this context can neither connect nor wait for who does. It runs the
// context's code, so no lock is held meanwhile.
func (c *conn[T]) mayConnect(ctx context.Context) error {
	if isConnecting(ctx, c.trunk) {
		return errOwnFactory
	}
	if ctx.Err() != nil {
		return endedContext(ctx, nil)
	}
	return nil
}

// release gives a lease back; the last one of a retired generation closes its client.
func (c *conn[T]) release(g *generation[T]) {
	c.mu.Lock()
	g.leases--
	last := g.retired && g.leases == 0
	c.mu.Unlock()
	if last {
		_ = c.shut(g) // shut has logged what there is to say
	}
}

// lead connects on the caller's own goroutine and context, once it has shut what is idle. Whatever happens, those
// who wait are told: of a panic too.
func (c *conn[T]) lead(ctx context.Context, d *dialing, idle *generation[T]) (g *generation[T], err error) {
	var read *answers
	err = &PanicError{Op: "connect"}
	defer func() {
		ended := ctx.Err() != nil
		c.mu.Lock()
		overtaken := c.dial != d
		if !overtaken {
			c.dial = nil
		}
		if g != nil {
			g.leases = 1
			switch {
			case c.isClosed():
				g.retired, err = true, ErrClosed
			case overtaken: // good for its leader, who asked before the Reset, and for nobody else
				g.retired = true
			default:
				c.noteLocked(read)
				c.current = g
			}
		}
		d.err, d.again = err, err != nil && ended
		c.mu.Unlock()
		close(d.done)
		if g != nil && err != nil {
			c.release(g)
			g = nil
		}
		if g != nil && c.storeChangedSince(read.version) { // while the factory was at work
			c.secretsChanged()
		}
		if g != nil && c.grown != nil {
			c.grown(c.state)
		}
	}()
	_ = c.shut(idle)
	g, read, err = c.build(ctx)
	return g, err
}

// noteLocked remembers what a connect read. Reads that were cached for other parameters end here,
// before anybody can read with the new ones.
func (c *conn[T]) noteLocked(read *answers) {
	if c.last != nil && c.last.mark != read.mark {
		c.all.Bump()
		c.version.Add(1)
	}
	c.last = read
}

// retireLocked takes the current generation out of use. It returns it if nobody uses it any
// more: the caller has to shut it, after unlocking.
func (c *conn[T]) retireLocked() (idle *generation[T]) {
	g := c.current
	if g == nil {
		return nil
	}
	c.current, g.retired = nil, true
	c.version.Add(1)
	if g.ephemeral {
		c.all.Bump()
	}
	if g.leases > 0 {
		return nil
	}
	return g
}

// shut closes the client of a generation, or does nothing for nil.
func (c *conn[T]) shut(g *generation[T]) error {
	if g == nil {
		return nil
	}
	err := g.close()
	if err != nil {
		c.logger().Warn("closing an old client failed", "error", err)
	}
	return err
}

func (c *conn[T]) tooOld(g *generation[T]) bool {
	return c.cfg.maxAge > 0 && !g.ephemeral && time.Since(g.born) >= c.cfg.maxAge
}

// overtakeLocked makes a connect that is under way one that nobody new waits for.
func (c *conn[T]) overtakeLocked() {
	if c.dial != nil {
		close(c.dial.stale)
		c.dial = nil
	}
}

// Raw implements Connection.
func (c *conn[T]) Raw(ctx context.Context) (T, error) {
	g, err := c.lease(ctx)
	if err != nil {
		var none T
		return none, c.wrap("connect", err)
	}
	defer c.release(g)
	return g.client, nil
}

// Reset implements Connection.
func (c *conn[T]) Reset() error {
	c.mu.Lock()
	if c.isClosed() {
		c.mu.Unlock()
		return c.wrap("reset", ErrClosed)
	}
	c.overtakeLocked()
	c.version.Add(1)
	idle := c.retireLocked()
	c.mu.Unlock()
	c.resets.Add(1)
	if err := c.shut(idle); err != nil {
		return c.wrap("reset", err)
	}
	return nil
}

// resetOnly resets the connection if g is still its client, and may be lost.
func (c *conn[T]) resetOnly(g *generation[T]) {
	c.mu.Lock()
	var idle *generation[T]
	if c.current == g && !g.ephemeral {
		idle = c.retireLocked()
		c.resets.Add(1)
	}
	c.mu.Unlock()
	_ = c.shut(idle)
}

// retire is Reset for the registry's bound, which calls the closer later. It spares what
// cannot be made again.
func (c *conn[T]) retire() (closer func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || c.current.ephemeral {
		return nil, false
	}
	idle := c.retireLocked()
	c.resets.Add(1)
	return func() { _ = c.shut(idle) }, true
}

// Close implements Connection.
func (c *conn[T]) Close() error {
	c.mu.Lock()
	if c.closed.Swap(true) {
		c.mu.Unlock()
		return nil
	}
	c.overtakeLocked()
	idle := c.retireLocked()
	unsubscribe, removed := c.unsubscribe, c.removed
	c.mu.Unlock()

	c.end(ErrClosed)
	c.version.Add(1)
	c.all.Bump()
	if unsubscribe != nil {
		unsubscribe()
	}
	if removed != nil {
		removed()
	}
	c.closeCache()
	if err := c.shut(idle); err != nil {
		return c.wrap("close", err)
	}
	return nil
}

// verify gives the mark of the parameters as they are now: the current client's, or, where none
// is, what the next connect would be told. So a Reset costs the cached reads only when it
// leads elsewhere.
func (c *conn[T]) verify(ctx context.Context) (mark, error) {
	c.mu.Lock()
	g, last := c.current, c.last
	c.mu.Unlock()
	if g != nil {
		return g.mark, nil
	}
	if last == nil {
		return mark{}, errors.New("never connected")
	}
	s, err := c.sources(ctx)
	if err != nil {
		return mark{}, err
	}
	now := c.answersNow(last, s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil { // connected meanwhile
		return c.current.mark, nil
	}
	if c.last == last {
		c.noteLocked(now)
	}
	return c.last.mark, nil
}

// secretsChanged resets the connection, and ends its cached reads, if what its factory read
// has other values now.
func (c *conn[T]) secretsChanged() {
	c.mu.Lock()
	g, last := c.current, c.last
	c.mu.Unlock()
	if last == nil {
		return
	}
	s, err := c.configured() // the store has just been read
	if err != nil {
		return // whoever connects is told
	}
	now := c.answersNow(last, s)
	if now.mark == last.mark {
		return
	}
	c.mu.Lock()
	if c.last != last || c.current != g || c.isClosed() { // whoever has changed it has looked at the secrets, or will
		c.mu.Unlock()
		return
	}
	c.noteLocked(now)
	idle := c.retireLocked()
	c.resets.Add(1)
	c.mu.Unlock()
	_ = c.shut(idle)
	c.logger().Info("parameters changed in the secrets; the next use connects with the new ones")
}

// sources has the secrets read again if need be, and looks at them.
func (c *conn[T]) sources(ctx context.Context) (sources, error) {
	var problem error
	if c.refresh != nil {
		var err error
		if problem, err = c.refresh(ctx); err != nil {
			return sources{}, err
		}
	}
	s, err := c.configured()
	s.problem = problem
	return s, err
}

// build makes a generation: it resolves the parameters anew and runs the factory.
func (c *conn[T]) build(ctx context.Context) (_ *generation[T], _ *answers, err error) {
	c.connects.Add(1)
	defer func() {
		if err != nil {
			c.connectErrors.Add(1)
		}
	}()
	s, err := c.sources(ctx)
	if err != nil {
		return nil, nil, err
	}
	p := &Params{&behind{&parameters{name: c.name, kind: &c.kind, logger: c.logger(), places: s.places}}}
	p.ask("type", nil)
	ttl, err := p.DurationOr("ttl", cache.Default)
	if err != nil {
		return nil, nil, err
	}

	finished := false
	defer func() {
		if !finished { // failed, or panicked
			_ = p.runClosers()
		}
	}()
	client, err := c.connect(connecting(ctx, c.trunk), p)
	if err == nil && isNil(client) {
		err = errors.New("the factory gave neither a client nor an error")
	}
	if err != nil {
		late := deadline.Passed(ctx, err)
		if err = errors.Join(p.masked(err), s.problem); late {
			err = endedContext(ctx, err)
		}
		return nil, nil, err
	}
	finished = true

	g := &generation[T]{client: client, born: time.Now(), ephemeral: p.ephemeral}
	g.close = func() error {
		if c.lent {
			return p.runClosers()
		}
		err := closeClient(client)
		if err != nil && c.transient(nil)(err) {
			err = nil // a connection that was broken already has nothing left to close
		}
		return p.masked(errors.Join(err, p.runClosers()))
	}
	if err := c.tellUnknown(p); err != nil {
		_ = g.close()
		return nil, nil, err
	}
	if c.implicitTTL.Swap(int64(ttl)) != int64(ttl) {
		c.version.Add(1) // a reading that was prepared before has the old one
	}
	g.mark = c.markOf(p.answers(), p.ephemeral)
	c.used.Store(int64(time.Since(start)))
	return g, &answers{params: p, mark: g.mark, version: s.version}, nil
}

// tellUnknown warns, once, of keys that the factory did not ask for; WithStrict refuses them.
func (c *conn[T]) tellUnknown(p *Params) error {
	unknown := p.unknown()
	if len(unknown) == 0 {
		return nil
	}
	err := &UnknownKeysError{Keys: unknown}
	if c.cfg.strict {
		return err
	}
	if c.once(toldUnknown) {
		c.logger().Warn(err.Error())
	}
	return nil
}

func (p *Params) answers() []answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// runClosers runs what OnClose registered, the last first, each once.
func (p *Params) runClosers() error {
	p.mu.Lock()
	closers := p.closers
	p.closers = nil
	p.mu.Unlock()
	var errs []error
	for _, f := range slices.Backward(closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
