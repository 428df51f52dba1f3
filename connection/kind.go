package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A Kind describes a kind of connection to those who write one, with a wrapper type W around
// its connections: sqlconn is made of a Kind[*sql.DB, *sqlconn.Conn]. A kind without a
// wrapper needs none: [Open] and [Register] take its factory alone.
//
// Make it once, in a package variable; it is not changed afterwards.
type Kind[T, W any] struct {
	// Name is the word for the "type" of a section. A section which has another type, and
	// none of the Aliases, is refused.
	Name    string
	Aliases []string

	// Connect makes the client. It must be there.
	Connect Factory[T]

	// Wrap makes the wrapper, once for each connection: those who share a connection share
	// its wrapper. It must be there, unless W is Connection[T].
	Wrap func(Connection[T]) W

	// Ping replaces the client's own way of telling whether its source is there.
	Ping func(ctx context.Context, client T) error

	// Transient tells of errors after which a read is worth another try, besides broken
	// connections and network faults, which always are.
	Transient func(error) bool

	// Fault tells of errors that only a new client can mend: the client on which one is seen is
	// dropped, unless somebody has already done so. Clients that mend themselves, as the pool
	// of database/sql replaces broken connections, have few.
	Fault func(error) bool

	anyType bool // of a bare factory: the section's type is no concern of it
}

// Open makes a connection of the caller's own, who closes it. See the function [Open].
func (k *Kind[T, W]) Open(ctx context.Context, name string, opts ...Option) (W, error) {
	var none W
	cfg, err := newConfig(opts)
	if err != nil {
		return none, &Error{Op: "open", Name: name, Kind: k.Name, Err: err}
	}
	resolved, err := resolveName(name, cfg.environ)
	if err != nil {
		return none, &Error{Op: "open", Name: name, Kind: k.Name, Err: err}
	}
	c, err := k.open(ctx, resolved, cfg, nil)
	if err != nil {
		return none, err
	}
	return k.wrapped(c), nil
}

// Get gives the connection that all callers share who ask the same registry for the same name,
// with the same options in any order; it is opened for the first of them. Options are compared
// by their content; one that cannot be compared is refused.
//
// Concurrent calls open it once. A failed open answers all who wait for it, and is not remembered.
func (k *Kind[T, W]) Get(ctx context.Context, name string, opts ...Option) (W, error) {
	return getShared(ctx, registryOf(opts), any(k), name, opts, func(ctx context.Context, name string, cfg config, hooks *hooks) (W, *state, error) {
		c, err := k.open(ctx, name, cfg, hooks)
		if err != nil {
			var none W
			return none, nil, err
		}
		return k.wrapped(c), c.state, nil
	})
}

// hooks are how a registry hears of what it shares.
type hooks struct {
	removed func()
	grown   func(*state)
}

func (k *Kind[T, W]) open(ctx context.Context, name string, cfg config, h *hooks) (*conn[T], error) {
	if k.Connect == nil {
		return nil, &Error{Op: "open", Name: name, Kind: k.Name, Err: errors.New("there is no factory: Connect is nil")}
	}
	c := newConn(name, cfg, connector[T]{connect: k.checked(), ping: k.Ping, fault: k.Fault})
	c.kind.Store(&k.Name)
	c.kindTransient = k.Transient
	if h != nil {
		c.removed, c.grown, c.shared = h.removed, h.grown, true
	}
	if c.cfg.store == nil {
		store, err := c.cfg.registry.secrets(ctx)
		if isEnd(ctx, err) {
			err = endedContext(ctx, nil)
		}
		if err != nil {
			return nil, c.wrap("open", err)
		}
		c.cfg.store = store
	}
	c.unsubscribe = c.cfg.store.OnChange(c.secretsChanged)
	opened := false
	defer func() {
		if !opened { // failed, or panicked
			_ = c.Close() // nothing is connected: it only unsubscribes
		}
	}()
	g, err := c.lease(ctx)
	if err != nil {
		return nil, c.wrap("open", err)
	}
	c.release(g)
	opened = true
	return c, nil
}

// checked is Connect behind a look at the section's type.
func (k *Kind[T, W]) checked() Factory[T] {
	if k.anyType {
		return k.Connect
	}
	return func(ctx context.Context, p *Params) (T, error) {
		var none T
		t, err := p.StringOr("type", k.Name)
		if err != nil {
			return none, err
		}
		if t != k.Name && !slices.Contains(k.Aliases, t) {
			return none, fmt.Errorf("%s has type = %q, which is no %s connection; its type has to be %q, or be left out", p.places.header, t, k.Name, k.Name)
		}
		return k.Connect(ctx, p)
	}
}

func (k *Kind[T, W]) wrapped(c *conn[T]) W {
	if k.Wrap == nil {
		return any(Connection[T](c)).(W)
	}
	return k.Wrap(c)
}
