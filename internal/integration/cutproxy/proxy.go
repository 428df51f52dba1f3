//go:build linux

package cutproxy

import (
	"bufio"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

// A Protocol says how the proxy finds statements and their answers. Connections must not be
// encrypted.
type Protocol int

// The protocols.
const (
	Postgres Protocol = iota
	MySQL             // and MariaDB
)

// A Proxy listens on a port of 127.0.0.1 and passes everything on to a server.
type Proxy struct {
	protocol Protocol
	target   string
	addr     string
	wg       sync.WaitGroup // all goroutines

	mu       sync.Mutex
	listener net.Listener  // nil while refusing
	open     chan struct{} // closed while data flows
	links    map[*link]struct{}
	accepted int
	verb     string // of the statement whose answer is to be swallowed; none: no cut is due
	cut      chan struct{}
	closed   bool
}

// New starts a proxy to the server at target, host and port. It ends with the test.
func New(t testing.TB, protocol Protocol, target string) *Proxy {
	t.Helper()
	port, err := servers.FreePort() // stays free while the proxy refuses
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		protocol: protocol,
		target:   target,
		addr:     l.Addr().String(),
		links:    make(map[*link]struct{}),
		open:     make(chan struct{}),
	}
	close(p.open)
	p.listen(l)
	t.Cleanup(p.close)
	return p
}

// Addr is the host and port on which the proxy listens.
func (p *Proxy) Addr() string { return p.addr }

// Accepted is the number of connections that clients have made.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// CutAfter breaks off the connection on which the next statement that begins with verb, as in
// "INSERT", is executed: after the server has executed it, and before the client gets any of the
// answer. The channel is closed when that has happened. Outside a transaction the statement is
// committed by then.
func (p *Proxy) CutAfter(verb string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verb, p.cut = verb, make(chan struct{})
	return p.cut
}

// CutAll breaks off all connections. New ones can be made.
func (p *Proxy) CutAll() {
	for _, l := range p.current() {
		l.close()
	}
}

// Refuse breaks off all connections and has new ones refused, until [Proxy.Serve].
func (p *Proxy) Refuse() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	p.CutAll()
}

// Hang has connections, new ones too, stand still without an end, until [Proxy.Serve].
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// Serve ends [Proxy.Hang] and [Proxy.Refuse].
func (p *Proxy) Serve(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	refusing := p.listener == nil
	p.mu.Unlock()
	if !refusing {
		return
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.listen(l)
}

// listen accepts connections until l is closed.
func (p *Proxy) listen(l net.Listener) {
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.accepted++
			p.mu.Unlock()
			p.wg.Go(func() { p.serve(client) })
		}
	})
}

// serve passes a connection's data on until either side ends.
func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{proxy: p, client: client, server: server, done: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		l.close()
	}
	var wg sync.WaitGroup
	up, down := l.postgresUp, l.postgresDown
	if p.protocol == MySQL {
		up, down = l.mysqlUp, l.mysqlDown
	}
	wg.Go(func() { _ = up(bufio.NewReader(client)); l.close() })
	wg.Go(func() { _ = down(bufio.NewReader(server)); l.close() })
	wg.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) current() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

// close ends the proxy and waits for its goroutines.
func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Refuse()
	p.wg.Wait()
}

// due returns the verb of the statement whose answer is to be swallowed.
func (p *Proxy) due() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verb
}

// strike claims the cut that is due; only one connection gets it.
func (p *Proxy) strike() (cut chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verb == "" {
		return nil, false
	}
	p.verb = ""
	return p.cut, true
}

// link is one connection of a client and the one to the server that belongs to it.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	once           sync.Once
	done           chan struct{}

	mu      sync.Mutex
	swallow chan struct{} // MySQL: the next answer is not passed on, and this is closed
}

var errEnded = errors.New("the connection has ended")

// pass writes data on, once the proxy lets it flow.
func (l *link) pass(to net.Conn, data []byte) error {
	l.proxy.mu.Lock()
	open := l.proxy.open
	l.proxy.mu.Unlock()
	select {
	case <-open:
	case <-l.done:
		return errEnded
	}
	_, err := to.Write(data)
	return err
}

// close breaks off both sides.
func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		_ = l.client.Close()
		_ = l.server.Close()
	})
}
