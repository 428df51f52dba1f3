//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what the process holds while no call is under way.
type sample struct {
	At         time.Duration
	RSS, Heap  int64 // bytes, after a collection
	Goroutines int64
	Files      int64 // descriptors, sockets among them
	Calls      int64 // so far
}

// measure waits until nothing is broken and no call is under way, and holds new faults and calls up
// meanwhile.
func (w *work) measure(world *child, began time.Time) (s sample, err error) {
	if _, err := world.say(hold); err != nil {
		return s, err
	}
	defer func() {
		_, failed := world.say(goOn)
		err = errors.Join(err, failed)
	}()
	w.still.Lock()
	defer w.still.Unlock()
	s.At = time.Since(began)
	for _, k := range w.kinds {
		s.Calls += k.calls.Load()
	}
	runtime.GC()
	runtime.GC() // what finalizers and sync.Pool held on to
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Heap, s.Goroutines = int64(m.HeapAlloc), int64(runtime.NumGoroutine())
	if s.RSS, err = residentSize(); err != nil {
		return s, err
	}
	s.Files, err = openFiles()
	return s, err
}

// residentSize is this process's resident set.
func residentSize() (int64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm is %q", data)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// openFiles counts this process's file descriptors.
func openFiles() (int64, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	return int64(len(entries)) - 1, err // one is the folder itself
}

// quantity is something that must not grow.
type quantity struct {
	name string
	unit float64
	of   func(s sample) int64
	// A growth of so much is chance: by this share, or if that is less, by this amount. Pools have more
	// connections after a fault than before it.
	share    float64
	amount   int64
	resident bool
}

const mib = 1 << 20

var quantities = []quantity{
	{"resident memory, MiB", mib, func(s sample) int64 { return s.RSS }, 0.08, 8 * mib, true},
	{"heap, MiB", mib, func(s sample) int64 { return s.Heap }, 0.10, 2 * mib, false},
	{"goroutines", 1, func(s sample) int64 { return s.Goroutines }, 0.10, 24, false},
	{"open files", 1, func(s sample) int64 { return s.Files }, 0.10, 24, false},
}

// growth is how a quantity went from one end of some samples to the other.
type growth struct {
	quantity
	First, Last int64 // the medians of the first third and of the last
	Least, Most int64
}

func (q quantity) over(samples []sample) growth {
	values := make([]int64, len(samples))
	for i, s := range samples {
		values[i] = q.of(s)
	}
	third := (len(values) + 2) / 3
	return growth{q, median(values[:third]), median(values[len(values)-third:]), slices.Min(values), slices.Max(values)}
}

// grew tells whether it is more than chance.
func (g growth) grew() bool {
	return g.Last-g.First > max(g.amount, int64(g.share*float64(g.First)))
}

func median(values []int64) int64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
