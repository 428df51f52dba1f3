// Package toxic is a TCP proxy between a client and its server that fails as networks do: Toxiproxy,
// inside the test.
package toxic

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/streamconn/streamconn/internal/integration/servers"
)

// A Proxy listens on a port of 127.0.0.1 and passes everything on to a server.
type Proxy struct {
	proxy *toxiproxy.Proxy
	addr  string
}

// New starts a proxy to the server at target, host and port. It ends with the test.
func New(t servers.TB, target string) *Proxy {
	t.Helper()
	port, err := servers.FreePort() // stays free while the proxy refuses
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{proxy: toxiproxy.NewProxy(server, "server", addr, target), addr: addr}
	p.Serve(t)
	t.Cleanup(p.proxy.Stop)
	return p
}

// Addr is the host and port on which the proxy listens.
func (p *Proxy) Addr() string { return p.addr }

// add adds a toxic to what the server answers.
func (p *Proxy) add(t servers.TB, kind, attribute string, value int64) {
	t.Helper()
	toxic := fmt.Sprintf(`{"name": %q, "type": %q, "stream": "downstream", "attributes": {%q: %d}}`, kind, kind, attribute, value)
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}

// Delay delays each answer.
func (p *Proxy) Delay(t servers.TB, d time.Duration) {
	t.Helper()
	p.add(t, "latency", "latency", d.Milliseconds())
}

// Halve lets each connection have so many more bytes of answers, and then closes it: in the middle
// of one.
func (p *Proxy) Halve(t servers.TB, bytes int64) {
	t.Helper()
	p.add(t, "limit_data", "bytes", bytes)
}

// Reset answers on each connection, once there is something to answer, with a reset.
func (p *Proxy) Reset(t servers.TB) {
	t.Helper()
	p.add(t, "reset_peer", "timeout", 0)
}

// Blackhole swallows all answers. Connections stay open, and new ones can be made.
func (p *Proxy) Blackhole(t servers.TB) {
	t.Helper()
	p.add(t, "timeout", "timeout", 0)
}

// Heal takes away what the methods above have added. What a black hole has swallowed does not come
// back: its connections are closed.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }

// Close ends the proxy. It can be called again, and its error is always nil.
func (p *Proxy) Close() error {
	p.proxy.Stop()
	return nil
}

// Refuse breaks off all connections and has new ones refused, until Serve.
func (p *Proxy) Refuse() { p.proxy.Stop() }

// Cut breaks off all connections. New ones can be made.
func (p *Proxy) Cut(t servers.TB) {
	t.Helper()
	p.Refuse()
	p.Serve(t)
}

// Serve ends Refuse.
func (p *Proxy) Serve(t servers.TB) {
	t.Helper()
	if err := p.proxy.Start(); err != nil {
		t.Fatal(err)
	}
}
