package connection

import (
	"context"
	"reflect"
)

// Lifetime is a context that ends when the connection is closed; its cause is then [ErrClosed]. For
// those who write kinds whose wrappers do something in the background. A view's is its connection's.
func Lifetime(c Any) context.Context { return c.base().life }

// Generation is a number that changes whenever all that the connection has cached ends: by [Clear],
// changed parameters, or Close; not by writes. For those who write kinds whose wrappers keep
// something of their own, and note the number before they begin to get it.
func Generation(c Any) uint64 { return c.base().all.Count() }

// Root is the connection that c is a view of, however often; c itself if it is none. For those who
// write kinds whose writes concern all identities.
func Root(c Any) Any {
	s := c.base()
	for s.above != nil {
		s = s.above
	}
	return s.impl.(Any)
}

// Beside gives what the wrappers of a connection, or of a view of one, keep beside it: one value of
// each type, made by the first who asks, for as long as c lives. For those who write kinds, so that
// two wrappers of one connection know the same. If two ask first, newValue may run for both.
func Beside[V any](c Any, newValue func() *V) *V {
	s := c.base()
	if v, ok := s.beside.Load(reflect.TypeFor[V]()); ok {
		return v.(*V)
	}
	v, _ := s.beside.LoadOrStore(reflect.TypeFor[V](), newValue())
	return v.(*V)
}
