package cache

import (
	"os"
	"testing"
	"time"
)

func encode(dst []byte, args ...any) []byte {
	for _, v := range args {
		dst, _ = AppendArg(dst, v)
	}
	return dst
}

func TestAllocationsOfHits(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := open(t, Config{}).Scope("a connection's number, an HMAC of its parameters", new(Counters), new(Epoch), new(Epoch))
	const text = "select * from pet_owners where id = :id and pet = :pet"
	id, pet := 123456*len(os.Args), os.Args[0] // not constants
	store := func(v any, p Policy, args ...any) {
		switch v := v.(type) {
		case int:
			_ = must[int](t)(Get(t.Context(), s, MakeKey(text, encode(nil, args...)), p, value(v)))
		case []flatRow:
			_ = must[[]flatRow](t)(Get(t.Context(), s, MakeKey(text, encode(nil, args...)), p, value(v)))
		}
	}
	minute, shared := Policy{TTL: time.Minute}, Policy{TTL: Forever, Shared: true}
	store(1, minute)
	store(1, minute, id, pet)
	store(1, minute, 7, "cat")
	store(1, minute, params{"id": id, "pet": pet})
	store(flatRows(10), forever)

	check := func(name string, want float64, f func()) {
		t.Helper()
		if got := testing.AllocsPerRun(2000, f); got != want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
	lookupInt := func(args []byte) {
		if _, ok := Lookup[int](s, text, args, &minute); !ok {
			t.Fatal("missed")
		}
	}
	rows := any([]point{{1, 2}, {3, 4}})
	check("no arguments", 0, func() { lookupInt(nil) })
	check("two arguments that are not constant", 2, func() {
		var room [128]byte
		lookupInt(encode(room[:0], id, pet))
	})
	check("constant arguments", 0, func() {
		var room [128]byte
		lookupInt(encode(room[:0], 7, "cat"))
	})
	check("a map of two that are not constant", 4, func() {
		var room [128]byte
		lookupInt(encode(room[:0], params{"id": id, "pet": pet}))
	})
	check("shared rows", 0, func() {
		if _, ok := Lookup[[]flatRow](s, text, nil, &shared); !ok {
			t.Fatal("missed")
		}
	})
	check("own flat rows", 1, func() {
		if _, ok := Lookup[[]flatRow](s, text, nil, &forever); !ok {
			t.Fatal("missed")
		}
	})
	check("own flat rows, as a slice", 1, func() {
		if _, ok := LookupSlice[flatRow](s, text, nil, &forever); !ok {
			t.Fatal("missed")
		}
	})
	check("a miss", 0, func() {
		if _, ok := Lookup[int](s, "something else", nil, &minute); ok {
			t.Fatal("hit")
		}
	})
	key, load := MakeKey(text, nil), value(1)
	check("Get, with a load that is there", 0, func() {
		if _, err := Get(t.Context(), s, key, minute, load); err != nil {
			t.Fatal(err)
		}
	})
	check("encoding rows", 0, func() {
		var room [1024]byte
		if _, ok := AppendArg(room[:0], rows); !ok {
			t.Fatal("not encoded")
		}
	})
	emptyWindow(s.cache)
	check("a hit in the engine", 0, func() { lookupInt(nil) })
}
