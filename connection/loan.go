package connection

import "context"

// leaser lends clients; a conn and its views are leasers.
type leaser[T any] interface {
	borrow(ctx context.Context) (loan[T], error)
	pinger() func(context.Context, T) error // nil: what the client itself can do
	inspector
}

// inspector tells about a connection without knowing the type of its client.
type inspector interface {
	answered() *answers
	isConnected() bool
}

// loan is a client that stays open until it is given back.
type loan[T any] struct {
	client T
	owner  *conn[T]
	of     *generation[T]
}

func (l *loan[T]) back() { l.owner.release(l.of) }

func leaserOf[T any](c Connection[T]) leaser[T] { return c.base().impl.(leaser[T]) }

func (c *conn[T]) borrow(ctx context.Context) (loan[T], error) {
	g, err := c.lease(ctx)
	if err != nil {
		return loan[T]{}, c.wrap("connect", err)
	}
	return loan[T]{client: g.client, owner: c, of: g}, nil
}

// note looks at what a use of the client came to: a fault that only a new client can mend
// resets the very generation on which it was seen.
func (l *loan[T]) note(err error) {
	if err != nil && l.owner.fault != nil && l.owner.fault(err) {
		l.owner.resetOnly(l.of)
	}
}

func (c *conn[T]) answered() *answers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *conn[T]) isConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil
}

// Do lends the client to use, once. While use runs, the client stays open: Reset and Close let
// it finish. Do not keep the client after use has returned. The error is use's own, as it is.
//
// Do does not know whether use changes anything; what does, goes through [Write].
func Do[T any](ctx context.Context, c Connection[T], use func(client T) error) error {
	l, err := leaserOf(c).borrow(ctx)
	if err != nil {
		return err
	}
	defer l.back()
	err = use(l.client)
	l.note(err)
	return err
}

// Write is [Do] for what changes the source's data: whatever its outcome, and also when that is
// unknown, the connection's cached reads end afterwards, those of its views too, and those under
// way are not kept. use runs exactly once.
func Write[T any](ctx context.Context, c Connection[T], use func(client T) error) error {
	defer c.base().endReads()
	return Do(ctx, c, use)
}

// Ping asks the source whether it is there: by the client's PingContext or Ping, or as its
// kind does it. A client that has neither is only connected. It is tried once.
func Ping[T any](ctx context.Context, c Connection[T]) error {
	err := Do(ctx, c, func(client T) error {
		if ping := leaserOf(c).pinger(); ping != nil {
			return ping(ctx, client)
		}
		return pingClient(ctx, client)
	})
	if last := leaserOf(c).answered(); last != nil {
		err = last.params.masked(err)
	}
	return Wrap(c, "ping", err)
}

func (c *conn[T]) pinger() func(context.Context, T) error { return c.ping }
