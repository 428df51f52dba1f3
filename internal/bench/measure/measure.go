// Package measure compares ways to do the same work so that a noisy machine does not decide: they
// take turns, in small batches, for many rounds; each is compared with the first of them, the floor,
// within the same round; and the median of these ratios is the result.
package measure

import (
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Side is one way to do the work of a [Case].
type Side struct {
	Name string

	// Do does it once. i counts up from 0 in each batch, for sides that vary what they do.
	Do func(i int) error

	// Batch, instead of Do, does it n times and times that itself: in another process, for instance.
	Batch func(n int) (time.Duration, error)

	// Ours marks the sides that are measured; the others are what they are compared with.
	Ours bool

	// Budget is what the side may cost. The zero value is no budget.
	Budget Budget

	// Against is the name of the side that Budget is relative to; "" is the floor.
	Against string
}

// Budget bounds the cost of a side. A field that is 0 bounds nothing.
type Budget struct {
	Times      float64 // the time of the floor
	AllocTimes float64 // the number of allocations of the floor
	Allocs     int     // allocations per operation; NoAllocs for none
}

// NoAllocs is the [Budget] of a side that must not allocate.
const NoAllocs = -1

// Case is work that several sides do.
type Case struct {
	Name string
	X    float64 // the size, where cases differ by one

	// Procs is GOMAXPROCS during the case, and the number of goroutines that share the
	// operations of a batch. 0 leaves GOMAXPROCS as it is, with one goroutine.
	Procs int

	// Goroutines is the number of goroutines if it is not Procs.
	Goroutines int

	// CPU times the process's use of processors instead of the clock on the wall: for work that is
	// all inside the process, so that what else runs on the machine does not count.
	CPU bool

	// Prepare makes the sides, the floor first. They end with tb.
	Prepare func(tb testing.TB) []Side
}

// Effort is how thoroughly to measure.
type Effort struct {
	Rounds int
	Batch  time.Duration // how long a batch takes about; 0 is one operation for each goroutine
	Enough time.Duration // after which a third of the rounds will do; 0 is never
}

// Result is what a side costs.
type Result struct {
	Side

	Time          time.Duration // per operation, the median of the rounds
	Ratio         float64       // to the floor, the median of the rounds
	Low, High     float64       // quartiles of the ratio
	Allocs, Bytes float64       // per operation, medians; unknown, -1, of a Batch
	Against       Compared
}

// Compared is a result beside the side that its budget is relative to.
type Compared struct {
	Ratio      float64 // of the times, the median of the rounds
	AllocRatio float64
}

// Holds reports whether the side keeps within its budget.
func (r *Result) Holds() bool {
	b := r.Budget
	return (b.Times == 0 || r.Against.Ratio <= b.Times) &&
		(b.AllocTimes == 0 || r.Against.AllocRatio <= b.AllocTimes) &&
		(b.Allocs == 0 || r.Allocs < float64(max(b.Allocs, 0))+0.5)
}

// meter runs batches of a case.
type meter struct {
	goroutines int
	cpu        bool
	collected  uint64 // what had been allocated at the last collection
}

// sample is one batch.
type sample struct{ time, allocs, bytes float64 } // per operation

// Run measures the case.
func Run(tb testing.TB, c Case, e Effort) []Result {
	tb.Helper()
	if c.Procs > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.Procs))
	}
	m := &meter{goroutines: max(1, c.Procs, c.Goroutines), cpu: c.CPU}
	sides := c.Prepare(tb)
	batches := make([]int, len(sides))
	for i := range sides {
		batches[i] = m.calibrate(tb, &sides[i], e.Batch)
	}
	samples := make([][]sample, len(sides))
	begin := time.Now()
	for round := range max(1, e.Rounds) {
		if e.Enough > 0 && round > e.Rounds/3 && time.Since(begin) > e.Enough {
			break
		}
		for k := range sides {
			// Each starts a round in turn, and every other round goes backwards.
			i := (k + round) % len(sides)
			if round%2 == 1 {
				i = len(sides) - 1 - i
			}
			samples[i] = append(samples[i], m.batch(tb, &sides[i], batches[i]))
		}
	}
	results := make([]Result, len(sides))
	for i, side := range sides {
		results[i] = summary(side, samples[i], samples[0])
		against := slices.IndexFunc(sides, func(s Side) bool { return s.Name == side.Against })
		results[i].Against = compare(samples[i], samples[max(0, against)])
	}
	return results
}

// calibrate finds how many operations a batch has.
func (m *meter) calibrate(tb testing.TB, s *Side, about time.Duration) int {
	tb.Helper()
	n := m.goroutines
	if about == 0 {
		return n
	}
	m.batch(tb, s, n) // the first is slower than all others
	for {
		took := time.Duration(m.batch(tb, s, n).time * float64(n))
		if took >= about/2 || n > 1<<28 {
			return max(m.goroutines, int(float64(n)*float64(about)/float64(max(took, 1))))
		}
		grow := 10.0
		if took > about/100 {
			grow = float64(about) / float64(took)
		}
		n = int(float64(n)*grow) + 1
	}
}

func (m *meter) batch(tb testing.TB, s *Side, n int) sample {
	tb.Helper()
	if s.Batch != nil {
		took, err := s.Batch(n)
		if err != nil {
			tb.Fatalf("%s: %v", s.Name, err)
		}
		return sample{float64(took) / float64(n), -1, -1}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if before.TotalAlloc-m.collected > 1<<20 { // nobody pays for what others have left
		runtime.GC()
		runtime.ReadMemStats(&before)
		m.collected = before.TotalAlloc
	}
	begin := m.now(tb)
	err := run(s.Do, m.goroutines, n)
	took := m.now(tb) - begin
	runtime.ReadMemStats(&after)
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	return sample{
		float64(took) / float64(n),
		float64(after.Mallocs-before.Mallocs) / float64(n),
		float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}
}

// now is a time to subtract from another.
func (m *meter) now(tb testing.TB) time.Duration {
	tb.Helper()
	if !m.cpu {
		return time.Since(epoch)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var epoch = time.Now()

func run(do func(int) error, goroutines, n int) error {
	if goroutines == 1 {
		for i := range n {
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make(chan error, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := g * n / goroutines; i < (g+1)*n/goroutines; i++ {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func summary(side Side, own, floor []sample) Result {
	ratios := make([]float64, len(own))
	for i := range own {
		ratios[i] = own[i].time / floor[i].time
	}
	slices.Sort(ratios)
	side.Do, side.Batch = nil, nil // which hold all that was prepared
	at := func(q float64) float64 { return ratios[int(q*float64(len(ratios)-1)+0.5)] }
	return Result{
		Side: side, Ratio: at(0.5), Low: at(0.25), High: at(0.75),
		Time:   time.Duration(median(own, func(s sample) float64 { return s.time })),
		Allocs: median(own, func(s sample) float64 { return s.allocs }),
		Bytes:  median(own, func(s sample) float64 { return s.bytes }),
	}
}

func compare(own, with []sample) Compared {
	ratios := make([]float64, len(own))
	for i := range own {
		ratios[i] = own[i].time / with[i].time
	}
	allocs := func(s sample) float64 { return s.allocs }
	return Compared{
		Ratio:      median(ratios, func(r float64) float64 { return r }),
		AllocRatio: median(own, allocs) / max(1, median(with, allocs)),
	}
}

func median[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
