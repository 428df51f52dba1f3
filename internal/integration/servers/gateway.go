//go:build linux

package servers

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync/atomic"
)

// gateway is what stands before PostgREST in a project: it takes the first part of the path away, and
// changes nothing else.
type gateway struct {
	server    *httptest.Server
	transport *http.Transport // to PostgREST
	clients   atomic.Int64    // connections that are open
}

// openGateway starts the gateway to a port, with something before it unless that is nil.
func openGateway(port int, before func(http.Handler) http.Handler) *gateway {
	const prefix = "/rest/v1"
	// As many connections as PostgREST has callers in a test; its own pool is the bound.
	g := &gateway{transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	quiet := log.New(io.Discard, "", 0) // a test that kills PostgREST knows
	proxy := &httputil.ReverseProxy{Transport: g.transport, ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", net.JoinHostPort(host, strconv.Itoa(port))
		r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, prefix)
		r.Out.URL.RawPath = strings.TrimPrefix(r.In.URL.RawPath, prefix)
		r.Out.URL.RawQuery = r.In.URL.RawQuery // also what net/url cannot read
		// PostgREST 12 closes the connection after a HEAD, and does not say so.
		r.Out.Close = r.In.Method == http.MethodHead
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway)
	}}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", proxy)
	var handler http.Handler = mux
	if before != nil {
		handler = before(mux)
	}
	g.server = httptest.NewUnstartedServer(handler)
	g.server.Config.ErrorLog = quiet
	g.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			g.clients.Add(1)
		case http.StateClosed, http.StateHijacked:
			g.clients.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	g.server.Start()
	return g
}

func (g *gateway) close() {
	g.server.Close()
	g.transport.CloseIdleConnections()
}

// Connections is how many connections clients have to the gateway, idle ones too. What the gateway
// itself keeps open to PostgREST and does not use, it closes.
func (p *PostgREST) Connections() int {
	p.gateway.transport.CloseIdleConnections()
	return int(p.gateway.clients.Load())
}
