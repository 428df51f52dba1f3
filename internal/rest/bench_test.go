package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the client costs over net/http by hand, over a transport that costs nothing.
func BenchmarkDo(b *testing.B) {
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		return answerWith(r, 200, `[{"id":1}]`, "Content-Type", "application/json"), nil
	})
	b.Run("net/http", func(b *testing.B) {
		client := &http.Client{Transport: transport}
		b.ReportAllocs()
		for b.Loop() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://project.test/rest/v1/users?select=id", http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("apikey", jwtKey)
			r.Header.Set("Authorization", "Bearer "+jwtKey)
			resp, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rest", func(b *testing.B) {
		c, err := New(Config{BaseURL: "http://project.test/rest/v1", APIKey: jwtKey, HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			b.Fatal(err)
		}
		r := &Request{Method: http.MethodGet, Path: "users", Query: "select=id"}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Do(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("error", func(b *testing.B) {
		page := "<html><title>Bad gateway</title>" + strings.Repeat("<p>text</p>", 1000)
		c, err := New(Config{BaseURL: "http://project.test/rest/v1", APIKey: jwtKey, HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return answerWith(r, 502, page), nil
		})}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Do(b.Context(), get("t")); err == nil {
				b.Fatal("no error")
			}
		}
	})
}
