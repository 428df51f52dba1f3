package connection

import "context"

// Lifetime is a context that ends when the connection is closed; its cause is then [ErrClosed]. For
// those who write kinds whose wrappers do something in the background. A view's is its connection's.
func Lifetime(c Any) context.Context { return c.base().life }

// Generation is a number that changes whenever all that the connection has cached ends: by [Clear],
// changed parameters, or Close; not by writes. For those who write kinds whose wrappers keep
// something of their own, and note the number before they begin to get it.
func Generation(c Any) uint64 { return c.base().all.Count() }
