//go:build linux

package main

import "testing"

func TestWhatGrowsIsTold(t *testing.T) {
	t.Parallel()
	series := func(value func(i int) int64) []sample {
		s := make([]sample, 60)
		for i := range s {
			s[i] = sample{Goroutines: value(i)}
		}
		return s
	}
	goroutines := quantities[2]
	for _, test := range []struct {
		name  string
		value func(i int) int64
		grew  bool
	}{
		{"flat", func(int) int64 { return 100 }, false},
		{"up and down", func(i int) int64 { return 100 + int64(i%7)*10 }, false},
		{"one for each sample", func(i int) int64 { return 100 + int64(i) }, true},
		{"a peak", func(i int) int64 { return 100 + int64(i/59)*1000 }, false},
		{"a step", func(i int) int64 { return 100 + int64(i/30)*30 }, true},
		{"less and less", func(i int) int64 { return 1000 - int64(i) }, false},
	} {
		if g := goroutines.over(series(test.value)); g.grew() != test.grew {
			t.Errorf("%s: %+v", test.name, g)
		}
	}
}

func TestAccountFindsWhatIsLostAndRepeated(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	for range 6 {
		n, ok := l.next()
		if !ok {
			t.Fatal("full")
		}
		if n != 3 { // it was told to have failed
			l.acked.add(n)
		}
	}
	var o outcome
	for _, row := range []struct{ n, times int }{{0, 1}, {1, 2}, {3, 1}, {4, 1}, {4, 1}, {6, 1}} {
		l.found(row.n, row.times, &o)
	}
	l.close(&o)
	if want := (outcome{Writes: 6, Acked: 5, Lost: 2, Repeated: 2, Unmade: 1}); o != want {
		t.Errorf("%+v, want %+v", o, want)
	}
}

func TestCounterTellsWhatCannotHaveBeenRead(t *testing.T) {
	t.Parallel()
	var c counter
	for range 3 {
		if err := c.write(func(int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.write(func(int64) error { return wrong("lost") }); err == nil {
		t.Fatal("no error")
	}
	for v, right := range []bool{false, false, false, true, true, false} {
		if err := c.read(func() (int64, error) { return int64(v), nil }); (err == nil) != right {
			t.Errorf("%d: %v", v, err)
		}
	}
}
