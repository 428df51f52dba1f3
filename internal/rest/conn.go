package rest

import (
	"context"
	"io"
	"net"
	"sync"
)

// bodyBuffer is the size of the buffers through which bodies are sent, in bytes; it is Go's own.
const bodyBuffer = 32 << 10

var bodyBuffers = sync.Pool{New: func() any { return new([bodyBuffer]byte) }}

// conn is a connection that sends bodies through buffers which are used again. Go's own makes one for
// each body, and a large file that is sent in chunks leaves hundreds of them behind. It is asked over HTTP/1
// without TLS alone: elsewhere, what net/http writes to is not this.
type conn struct{ net.Conn }

// ReadFrom is what net/http sends a body of known length by.
func (c conn) ReadFrom(r io.Reader) (int64, error) {
	buf := bodyBuffers.Get().(*[bodyBuffer]byte) //nolint:forcetypeassert // New makes nothing else
	defer bodyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, r, buf[:])
}

// dial is the dialer's DialContext.
func dial(dialer *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn{c}, nil
	}
}
