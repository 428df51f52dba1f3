package supabasetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
)

// A network is how requests reach a server: a port on loopback, and pipes for HTTPClient.
type network struct {
	url    string
	host   string          // of url
	ctx    context.Context //nolint:containedctx // the life of the server, which no call ends
	cancel context.CancelFunc
	http   *http.Server
	pipes  *pipeListener
	client *http.Client

	mu     sync.Mutex
	port   net.Listener // nil without one, and while the server is down
	addr   string
	down   bool
	closed bool
	live   map[net.Conn]bool
	conns  sync.WaitGroup
}

// noPort is the address of a server without a port. Nobody can own a name that ends in .test.
const noPort = "http://project.supabase.test"

func (n *network) open(s *Server, withoutPort bool) error {
	n.url = noPort
	if !withoutPort {
		port, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it outlives every call
		if err != nil {
			return err
		}
		n.port, n.addr = port, port.Addr().String()
		n.url = "http://" + n.addr
	}
	at, err := url.Parse(n.url)
	if err != nil {
		return err
	}
	n.host = at.Host
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.live = make(map[net.Conn]bool)
	n.pipes = &pipeListener{conns: make(chan net.Conn), done: n.ctx.Done()}
	transport := &http.Transport{DialContext: n.dialPipe}
	n.client = &http.Client{
		Transport: &ownHost{n: n, s: s, transport: transport},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Host != n.host || len(via) >= 10 {
				return http.ErrUseLastResponse // it leads to the program, with what the program is to get
			}
			return nil
		},
	}
	return nil
}

// serve starts to answer.
func (n *network) serve(h http.Handler) {
	n.http = &http.Server{
		Handler:     h,
		BaseContext: func(net.Listener) context.Context { return n.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:   n.track,
		ErrorLog:    log.New(io.Discard, "", 0), // of cut connections, which a test asked for
	}
	n.listen(n.pipes)
	if n.port != nil {
		n.listen(n.port)
	}
}

type connKey struct{}

func (n *network) listen(l net.Listener) {
	n.conns.Go(func() { _ = n.http.Serve(l) }) // it ends with the listener
}

func (n *network) track(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		n.live[c] = true
		n.conns.Add(1)
		if n.closed || n.down {
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		if n.live[c] {
			delete(n.live, c)
			n.conns.Done()
		}
	}
}

func (n *network) close() {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		n.conns.Wait()
		return
	}
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	if n.http != nil {
		_ = n.http.Close()
	} else if n.port != nil {
		_ = n.port.Close()
	}
	n.client.CloseIdleConnections()
	n.conns.Wait()
}

// Down takes the server off the net: what runs is cut off, and new connections are refused, until
// Up. What the project holds stays.
func (s *Server) Down() {
	n := &s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	if n.port != nil {
		_ = n.port.Close()
		n.port = nil
	}
	for c := range n.live {
		reset(c)
	}
}

// Up brings the server back, at the same address. It fails if somebody else has taken the port.
func (s *Server) Up() error {
	n := &s.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errors.New("supabasetest: the server is closed")
	}
	if n.down && n.addr != "" {
		port, err := net.Listen("tcp", n.addr) //nolint:noctx // it outlives every call
		if err != nil {
			return fmt.Errorf("supabasetest: %w", err)
		}
		n.port = port
		n.listen(port)
	}
	n.down = false
	return nil
}

// reset closes a connection as a machine does that went away: without the polite end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// HTTPClient is a client that reaches the server through net.Pipe, without a socket, whatever the
// options. It reaches nothing else: a redirection that leads elsewhere, as those of links in mails
// do, is the answer. Close ends its connections.
func (s *Server) HTTPClient() *http.Client { return new(*s.network.client) }

// ownHost sends the requests for the server, and refuses those for others.
type ownHost struct {
	n         *network
	s         *Server
	transport *http.Transport
}

func (o *ownHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != o.n.host || r.URL.Scheme != "http" {
		closeBody(r)
		return nil, fmt.Errorf("supabasetest: HTTPClient reaches only %s", o.n.url)
	}
	if o.s.faults.refuses(r) {
		closeBody(r)
		return nil, refused()
	}
	return o.transport.RoundTrip(r)
}

func (o *ownHost) CloseIdleConnections() { o.transport.CloseIdleConnections() }

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// refused is the error of a connection that nobody takes.
func refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func (n *network) dialPipe(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down || n.closed
	n.mu.Unlock()
	if down {
		return nil, refused()
	}
	theirs, ours := net.Pipe()
	select {
	case n.pipes.conns <- ours:
		return theirs, nil
	case <-n.ctx.Done():
		return nil, refused()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// A pipeListener accepts the far ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  <-chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { return nil } // it ends with the server
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
