package cache

import "testing"

// If hits come in turns, the sample must not be of one of them alone.
func TestSampleOfHitsIsFairToAllWhoTakeTurns(t *testing.T) {
	t.Parallel()
	const n = 4000
	for _, turns := range []uint64{1, 2, 3, 5, 8, 16, 21, 64, 89} {
		for one := range turns {
			heard := 0
			for i := range uint64(n) {
				if sampled(one + i*turns) {
					heard++
				}
			}
			if heard < n/heardOneIn/2 || heard > 2*n/heardOneIn {
				t.Errorf("with %d turns, the engine hears %d of %d hits of number %d", turns, heard, n, one)
			}
		}
	}
}

func TestEngineHearsOfFirstHits(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "k", forever, value(1))
	e := storedOf(s, "k")
	for want := range heardEnough {
		equal(t, "how many it has heard of", e.heard.Load(), int32(want))
		get(t, s, "k", forever, value(2))
	}
	for range 1000 {
		get(t, s, "k", forever, value(2))
	}
	equal(t, "how many were noted", e.heard.Load(), heardEnough)
}
