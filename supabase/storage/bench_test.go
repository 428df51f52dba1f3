package storage_test

import (
	"testing"
	"time"
)

// The speed of a transfer against that of net/http alone, each in a process of its own, with the
// server in a third: 1 is as fast, 0.5 takes twice as long.
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
			var ours, bare time.Duration
			for b.Loop() {
				bare += runInAnotherProcess(b, job{bench.bare, url, size}).Elapsed
				ours += runInAnotherProcess(b, job{bench.what, url, size}).Elapsed
			}
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "×net/http")
		})
	}
}
