package fakerest

import "testing"

func BenchmarkNew(b *testing.B) {
	cfg := Config{Schema: []string{readFile(b, "testdata/schema.sql"), readFile(b, "testdata/answers.sql")}}
	for b.Loop() {
		if _, err := New(cfg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	s := start(b, Config{Schema: []string{readFile(b, "testdata/schema.sql")}})
	for b.Loop() {
		if w := ask(b, s, "anon GET /books?select=title,authors(name)&price=gt.1&order=id", ""); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
