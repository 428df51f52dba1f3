package measure

import (
	"errors"
	"testing"
	"time"
)

// The sides take a known time by their own account, so that nothing here depends on the machine.
func TestRatiosAreThoseOfTheRounds(t *testing.T) {
	t.Parallel()
	calls := 0
	noisy := func(each time.Duration) func(n int) (time.Duration, error) {
		return func(n int) (time.Duration, error) {
			calls++
			slow := time.Duration(1 + calls/8%3) // rounds differ, by three times
			return time.Duration(n) * each * slow, nil
		}
	}
	results := Run(t, Case{Prepare: func(testing.TB) []Side {
		return []Side{
			{Name: "floor", Batch: noisy(100)},
			{Name: "twice", Ours: true, Batch: noisy(200), Budget: Budget{Times: 2}},
			{Name: "thrice", Ours: true, Batch: noisy(300), Budget: Budget{Times: 2}},
			{Name: "half as much again as twice", Ours: true, Batch: noisy(300), Against: "twice", Budget: Budget{Times: 1.5}},
		}
	}}, Effort{Rounds: 5, Batch: time.Microsecond})
	for i, want := range []struct {
		ratio, against float64
		holds          bool
	}{{1, 1, true}, {2, 2, true}, {3, 3, false}, {3, 1.5, true}} {
		r := results[i]
		if r.Ratio != want.ratio || r.Against.Ratio != want.against || r.Holds() != want.holds || r.Allocs != -1 {
			t.Errorf("%+v, want %+v", r, want)
		}
	}
}

func TestEachOperationRunsOnce(t *testing.T) {
	t.Parallel()
	for _, goroutines := range []int{1, 3, 100} {
		seen := make(chan int, 1000)
		if err := run(func(i int) error { seen <- i; return nil }, goroutines, 1000); err != nil {
			t.Fatal(err)
		}
		close(seen)
		got := map[int]bool{}
		for i := range seen {
			got[i] = true
		}
		if len(got) != 1000 {
			t.Errorf("%d goroutines: %d operations", goroutines, len(got))
		}
		broken := errors.New("broken")
		if err := run(func(i int) error {
			if i == 999 {
				return broken
			}
			return nil
		}, goroutines, 1000); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

func TestAllocationsAreCounted(t *testing.T) {
	var kept []*int
	results := Run(t, Case{Prepare: func(testing.TB) []Side {
		return []Side{
			{Name: "none", Do: func(int) error { return nil }},
			{Name: "one", Ours: true, Budget: Budget{Allocs: 1}, Do: func(i int) error { kept = append(kept[:0], new(i)); return nil }},
			{Name: "one too many", Ours: true, Budget: Budget{Allocs: NoAllocs}, Do: func(i int) error { kept = append(kept[:0], new(i)); return nil }},
		}
	}}, Effort{Rounds: 3, Batch: time.Millisecond})
	if results[0].Allocs > 0.5 || results[1].Allocs < 0.9 || results[1].Allocs > 1.5 || !results[1].Holds() || results[2].Holds() {
		t.Errorf("%+v", results)
	}
}
