//go:build linux

// Package trial breaks one thing after the other under load, and keeps account: what a fault lost,
// repeated or leaked fails its test, and everything comes into a table.
package trial

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/report"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
)

// table is what the tests of the binary have seen. They run one after the other: each looks for what
// it leaves.
var table report.Table

// Main runs the tests of a binary and prints its table. It returns the exit code for [os.Exit].
func Main(m *testing.M) int {
	code := servers.Main(m)
	if err := table.Print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// Rounds is how often a fault is repeated: the first in the short form, the second in the long one,
// which STREAMCONN_FAULTS=long asks for.
func Rounds(short, long int) int {
	if os.Getenv("STREAMCONN_FAULTS") == "long" {
		return long
	}
	return short
}

// Patient tries reads for as long as a test may take: what they do not survive is no matter of time.
func Patient() connection.Option {
	return connection.WithRetry(connection.Retry{Window: 5 * time.Minute})
}

// Isolated are the options of a connection that sees nothing of the machine that the test runs on.
func Isolated(opts ...connection.Option) []connection.Option {
	return append([]connection.Option{
		connection.WithSecrets(secrets.Of(nil)),
		connection.WithEnviron(func(string) (string, bool) { return "", false }),
		connection.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)
}

// Case is one fault on trial.
type Case struct {
	report.Case
	Readers          int // 0: 8
	Reads, ReadFails atomic.Int64
	Writes           atomic.Int64
	WriteFails       atomic.Int64

	// Closes are run when the fault is over, before anything is counted, the last first.
	Closes []func() error
	// Account fills in what is lost and repeated, Tries what the library says of tries.
	Account func(t *testing.T)
	Tries   func() uint64
	// Connections counts what the server still has of ours.
	Connections func() int
}

// Fault runs one case: what breaks something returns, in words, what was seen. Nothing may be lost,
// repeated or leaked in any of them.
func Fault(t *testing.T, name, promised string, breaks func(t *testing.T, c *Case) string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		whole := t.Name()
		if _, below, ok := strings.Cut(whole, "/"); ok {
			whole = strings.TrimPrefix(strings.TrimPrefix(whole[:strings.Index(whole, "/")], "Test")+": "+below, " ")
		}
		c := &Case{Case: report.Case{Name: strings.ReplaceAll(whole, "_", " "), Promised: promised}}
		defer func() {
			if t.Failed() {
				c.Seen = "NOT THAT: " + c.Seen
			}
			c.close(t)
			table.Add(c.Case)
		}()
		c.Seen = breaks(t, c)
		if c.Tries != nil {
			c.Retries += int64(c.Tries())
		}
		c.close(t)
		c.Requests += c.Reads.Load() + c.Writes.Load()
		c.Failures += c.ReadFails.Load() + c.WriteFails.Load()
		if c.Account != nil {
			c.Account(t)
		}
		c.Leaked = c.left(t, before)
		if c.Lost != 0 || c.Repeated != 0 || c.Leaked != 0 {
			t.Errorf("%d writes lost, %d repeated, %d goroutines or connections leaked", c.Lost, c.Repeated, c.Leaked)
		}
	})
}

// close closes what the case has opened, each once.
func (c *Case) close(t *testing.T) {
	t.Helper()
	for _, f := range slices.Backward(c.Closes) {
		if err := f(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	c.Closes = nil
}

// What waits for the end of a server's program, and what toxiproxy itself leaves when half a
// connection ends before the other, are not the library's.
var foreign = []string{
	"github.com/streamconn/streamconn/internal/integration/servers.(*account).start.func1",
	"github.com/Shopify/toxiproxy/v2.(*ToxicLink).read",
	"github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run",
}

// left counts the goroutines and connections that do not go away.
func (c *Case) left(t *testing.T, before goleak.Option) int64 {
	t.Helper()
	known := []goleak.Option{before}
	for _, name := range foreign {
		known = append(known, goleak.IgnoreAnyFunction(name))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connections := 0
		if c.Connections != nil {
			connections = c.Connections()
		}
		err := goleak.Find(known...)
		if err == nil && connections == 0 {
			return 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			n := connections
			if err != nil {
				t.Log(err)
				n += strings.Count(err.Error(), " in state ")
			}
			return int64(n)
		}
	}
}

// Under puts a load on a subject, breaks it, and ends the load. No read may fail.
func (c *Case) Under(t *testing.T, s load.Subject, breaks func(l *load.Load)) {
	t.Helper()
	if c.Readers == 0 {
		c.Readers = 8
	}
	l := load.Start(s, c.Readers, 2)
	stopped := false
	defer func() {
		if !stopped { // breaks has failed the test
			l.Stop()
		}
	}()
	l.Go(t, 50)
	breaks(l)
	l.Go(t, 50)
	l.Stop()
	stopped = true
	c.Reads.Add(l.Reads.Load())
	c.ReadFails.Add(l.ReadFailures.Load())
	c.Writes.Add(l.Writes.Load())
	c.WriteFails.Add(l.WriteFailures.Load())
	for _, err := range l.ReadErrors() {
		t.Errorf("a read failed: %v", err)
	}
}

// Survived says what became of reads and writes.
func (c *Case) Survived() string {
	reads := "every read survived"
	if n := c.ReadFails.Load(); n > 0 {
		reads = fmt.Sprintf("%d reads failed", n)
	}
	return fmt.Sprintf("%s; %d of %d writes failed, and said so", reads, c.WriteFails.Load(), c.Writes.Load())
}
