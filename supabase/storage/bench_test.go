package storage_test

import (
	"math"
	"testing"
	"time"
)

// The speed of a transfer against that of net/http alone, each in a process of its own, with the
// server in a third: 1 is as fast, 0.5 takes twice as long. The best runs are compared, for what
// else the machine does slows the others.
func BenchmarkTransfer(b *testing.B) {
	for _, bench := range []struct{ name, what, bare string }{
		{"upload", "upload", "upload by net/http"},
		{"download", "download", "download by net/http"},
		{"resumable", "resumable", "upload by net/http"},
		{"resumable-stream", "resumable from a stream", "upload by net/http"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			size := transferSize(b)
			url, _ := endless(b)
			b.SetBytes(size)
			ours, bare := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for b.Loop() {
				bare = min(bare, runInAnotherProcess(b, job{bench.bare, url, size}).Elapsed)
				ours = min(ours, runInAnotherProcess(b, job{bench.what, url, size}).Elapsed)
			}
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "×net/http")
		})
	}
}
