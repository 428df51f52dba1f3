package supabasetest

import (
	"io"
	"net/http"
	"testing"
)

// How long it takes until a project is there, and gone.
func BenchmarkStart(b *testing.B) {
	for name, opts := range map[string][]Option{
		"port": {WithSchema(todos), WithUser("ada@example.com", "secret-1")},
		"pipe": {WithSchema(todos), WithUser("ada@example.com", "secret-1"), WithoutPort()},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := Start(opts...)
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	s := NewServer(b, WithSchema(todos))
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/rest/v1/todos", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("apikey", s.AnonKey)
	client := s.HTTPClient()
	for b.Loop() {
		res, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}
