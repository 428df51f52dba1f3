package connection

import (
	"context"
	"io"
	"reflect"
)

// closeClient closes a client that knows how: the three ways in which Go's clients do.
func closeClient(client any) error {
	switch c := client.(type) {
	case io.Closer:
		return c.Close()
	case interface{ Close() }:
		c.Close()
	case interface{ Close(context.Context) error }:
		return c.Close(context.Background()) // Reset and Close have no context: closing is not to be cut short
	}
	return nil
}

// pingClient asks a client that knows how whether its source can be reached.
func pingClient(ctx context.Context, client any) error {
	switch c := client.(type) {
	case interface{ PingContext(context.Context) error }:
		return c.PingContext(ctx)
	case interface{ Ping(context.Context) error }:
		return c.Ping(ctx)
	}
	return nil
}

func isNil(client any) bool {
	if client == nil {
		return true
	}
	switch v := reflect.ValueOf(client); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
		return v.IsNil()
	default:
		return false
	}
}

// connectingKey marks the context that a factory gets, so that one which asks for its own
// connection is told so instead of waiting for itself.
type connectingKey struct{}

type connectingTo struct {
	what  any // a *trunk, or a *sharing that is being opened
	outer *connectingTo
}

func connecting(ctx context.Context, what any) context.Context {
	outer, _ := ctx.Value(connectingKey{}).(*connectingTo)
	return context.WithValue(ctx, connectingKey{}, &connectingTo{what, outer})
}

func isConnecting(ctx context.Context, what any) bool {
	c, _ := ctx.Value(connectingKey{}).(*connectingTo)
	for ; c != nil; c = c.outer {
		if c.what == what {
			return true
		}
	}
	return false
}
