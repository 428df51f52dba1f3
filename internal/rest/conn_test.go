package rest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Bodies arrive byte for byte on each kind of connection that the client's own transport makes.
func TestBodiesArriveOverTheOwnTransport(t *testing.T) {
	t.Parallel()
	data := make([]byte, 3*bodyBuffer+777)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	for _, test := range []struct {
		name       string
		tls, http2 bool
	}{
		{name: "HTTP/1.1"},
		{name: "HTTP/1.1 over TLS", tls: true},
		{name: "HTTP/2.0", tls: true, http2: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []byte
			var proto string
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got, _ = io.ReadAll(r.Body)
				proto = r.Proto
			}))
			client := NewHTTPClient()
			if srv.EnableHTTP2 = test.http2; test.tls {
				srv.StartTLS()
				own := client.Transport.(*http.Transport)
				own.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				own.TLSClientConfig.NextProtos = nil // our transport says what it speaks
			} else {
				srv.Start()
			}
			t.Cleanup(srv.Close)
			t.Cleanup(client.CloseIdleConnections)
			c := newClient(t, Config{BaseURL: srv.URL, HTTPClient: client})
			for _, length := range []int64{int64(len(data)), 0} { // 0: not known
				_, err := c.Do(t.Context(), &Request{Method: http.MethodPost, Length: length, Open: func() (io.ReadCloser, error) {
					return io.NopCloser(io.MultiReader(bytes.NewReader(data))), nil
				}})
				if err != nil || !bytes.Equal(got, data) || test.name[:8] != proto {
					t.Errorf("length %d: %d bytes arrived of %d, over %s; error: %v", length, len(got), len(data), proto, err)
				}
			}
		})
	}
}
