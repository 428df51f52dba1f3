package cache

import (
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sizeOf[T any](v T, limit int64) (int64, bool) {
	return costOf(planOf(reflect.TypeFor[T]()), &v, limit)
}

func TestCostIsCloseToTheMemoryTaken(t *testing.T) {
	t.Parallel()
	check := func(name string, got int64, ok bool, low, high int64) {
		t.Helper()
		if !ok || got < low || got > high {
			t.Errorf("%s costs %d (%v), want %d to %d", name, got, ok, low, high)
		}
	}
	const much = 1 << 40
	n, ok := sizeOf(5, much)
	check("int", n, ok, 8, 8)
	n, ok = sizeOf("12345", much)
	check("string", n, ok, 21, 21)
	n, ok = sizeOf([]int64(nil), much)
	check("nil slice", n, ok, 24, 24)
	n, ok = sizeOf(make([]int64, 1000), much)
	check("slice", n, ok, 8024, 8024)
	n, ok = sizeOf(make([]flatRow, 100), much)
	check("rows", n, ok, 24+100*int64(reflect.TypeFor[flatRow]().Size()), 24+100*int64(reflect.TypeFor[flatRow]().Size()))
	n, ok = sizeOf([]string{"abc", "de"}, much)
	check("strings", n, ok, 24+32+5, 24+32+5)
	n, ok = sizeOf([]struct {
		Name string
		ID   int
		Home string
	}{{"abc", 1, "de"}, {"f", 2, ""}}, much)
	check("texts of rows", n, ok, 24+2*40+6, 24+2*40+6)
	n, ok = sizeOf(map[string]bool{strings.Repeat("k", 1000): true}, much)
	check("keys of maps", n, ok, 1000, 1200)
	n, ok = sizeOf([]hasName{nameList{&[]string{"abc"}}, nil}, much)
	check("interfaces with methods", n, ok, 24+2*16+8+24+16+3, 24+2*16+8+8+24+16+3)
	n, ok = sizeOf([]any{new(time.UTC), (*int)(nil), time.UTC}, much)
	check("pointers in any", n, ok, 24+3*16+3*8+8, 24+3*16+3*8+8)
	n, ok = sizeOf([2]*string{new("abc")}, much)
	check("pointers", n, ok, 16+16+3, 16+16+3)
	n, ok = sizeOf(map[string]int{"a": 1, "b": 2}, much)
	check("map", n, ok, 2*(16+8)+2, 300)
	n, ok = sizeOf(map[string]any{"a": []any{1, "xx", 1.5, nil, true}, "b": map[string]any{"c": []byte("ddd")}}, much)
	check("JSON", n, ok, 150, 600)
	n, ok = sizeOf(any(&embedded{Tags: []string{"abc"}}), much)
	check("pointer in any", n, ok, 16+24+16+3, 16+8+24+16+3)
	n, ok = sizeOf(time.Now(), much)
	check("time, without its location", n, ok, 24, 24)
	n, ok = sizeOf(amount{digits: new(big.Int).Lsh(big.NewInt(1), 80_000)}, much)
	check("what is not exported", n, ok, 10_000, 10_200)
	n, ok = sizeOf(sampleEverything(), much)
	check("everything", n, ok, 800, 3000)
	n, ok = sizeOf([]mixed{{1, make([]int, 1000)}}, much)
	check("what may be in use elsewhere", n, ok, 56, 56)
	n, ok = sizeOf(struct {
		F func()
		C chan int
	}{func() {}, make(chan int)}, much)
	check("what has no size", n, ok, 16, 16)
}

func TestCostStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	ring := &list{Value: 1}
	ring.Next = ring
	self := map[string]any{}
	self["self"] = self
	wide := any([]any{1})
	for range 60 {
		wide = []any{wide, wide}
	}
	if _, ok := sizeOf(ring, 1<<40); ok {
		t.Error("a ring has a size")
	}
	if _, ok := sizeOf(self, 1<<40); ok {
		t.Error("a map in itself has a size")
	}
	if _, ok := sizeOf(wide, 1<<20); ok {
		t.Error("what has 2^60 parts fits into a megabyte")
	}
	if _, ok := sizeOf(make([]string, 1000), 16_000); ok {
		t.Error("1000 strings fit into 16,000 bytes")
	}
}
