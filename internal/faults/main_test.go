//go:build linux

package faults_test

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

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/internal/faults/load"
	"github.com/streamconn/streamconn/internal/faults/report"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
)

// table is what the tests have seen. They run one after the other: each looks for what it leaves.
var table report.Table

func TestMain(m *testing.M) {
	code := 1
	if err := mysql.SetLogger(&mysql.NopLogger{}); err == nil { // it logs each connection that breaks
		code = servers.Main(m)
	}
	if err := table.Print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// rounds is how often a fault is repeated: the first in the short form, the second in the long one.
func rounds(short, long int) int {
	if os.Getenv("STREAMCONN_FAULTS") == "long" {
		return long
	}
	return short
}

// patient tries reads for as long as a test may take: what they do not survive is no matter of time.
func patient() connection.Option {
	return connection.WithRetry(connection.Retry{Window: 5 * time.Minute})
}

// isolated are the options of a connection that sees nothing of the machine that the test runs on.
func isolated(opts ...connection.Option) []connection.Option {
	return append([]connection.Option{
		connection.WithSecrets(secrets.Of(nil)),
		connection.WithEnviron(func(string) (string, bool) { return "", false }),
		connection.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)
}

// kase is one fault under test.
type kase struct {
	report.Case
	readers               int // 0: 8
	reads, writes         atomic.Int64
	readFails, writeFails atomic.Int64

	// closed are run when the fault is over, before anything is counted.
	closed []func() error
	// account fills in what is lost and repeated, retries what the library says of tries.
	account func(t *testing.T)
	retries func() uint64
	// connections counts what the server still has of ours.
	connections func() int
}

// fault runs one case: what breaks something returns, in words, what was seen. Nothing may be lost,
// repeated or leaked in any of them.
func fault(t *testing.T, name, promised string, breaks func(t *testing.T, c *kase) string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		whole := t.Name()
		if _, below, ok := strings.Cut(whole, "/"); ok {
			whole = strings.TrimPrefix(strings.TrimPrefix(whole[:strings.Index(whole, "/")], "Test")+": "+below, " ")
		}
		c := &kase{Case: report.Case{Name: strings.ReplaceAll(whole, "_", " "), Promised: promised}}
		defer func() {
			if t.Failed() {
				c.Seen = "NOT THAT: " + c.Seen
			}
			c.close(t)
			table.Add(c.Case)
		}()
		c.Seen = breaks(t, c)
		if c.retries != nil {
			c.Retries += int64(c.retries())
		}
		c.close(t)
		c.Requests += c.reads.Load() + c.writes.Load()
		c.Failures += c.readFails.Load() + c.writeFails.Load()
		if c.account != nil {
			c.account(t)
		}
		c.Leaked = c.left(t, before)
		if c.Lost != 0 || c.Repeated != 0 || c.Leaked != 0 {
			t.Errorf("%d writes lost, %d repeated, %d goroutines or connections leaked", c.Lost, c.Repeated, c.Leaked)
		}
	})
}

// close closes what the case has opened, the last first, each once.
func (c *kase) close(t *testing.T) {
	t.Helper()
	for _, f := range slices.Backward(c.closed) {
		if err := f(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	c.closed = nil
}

// What waits for the end of a server's program, and what toxiproxy itself leaves when half a
// connection ends before the other, are not the library's.
var (
	programs = goleak.IgnoreAnyFunction("github.com/streamconn/streamconn/internal/integration/servers.(*account).start.func1")
	proxies  = goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run")
)

// left counts the goroutines and connections that do not go away.
func (c *kase) left(t *testing.T, before goleak.Option) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connections := 0
		if c.connections != nil {
			connections = c.connections()
		}
		err := goleak.Find(before, programs, proxies)
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

// under puts a load on a subject, breaks it, and ends the load. No read may fail.
func (c *kase) under(t *testing.T, s load.Subject, breaks func(l *load.Load)) {
	t.Helper()
	if c.readers == 0 {
		c.readers = 8
	}
	l := load.Start(s, c.readers, 2)
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
	c.add(l)
	for _, err := range l.ReadErrors() {
		t.Errorf("a read failed: %v", err)
	}
}

func (c *kase) add(l *load.Load) {
	c.reads.Add(l.Reads.Load())
	c.readFails.Add(l.ReadFailures.Load())
	c.writes.Add(l.Writes.Load())
	c.writeFails.Add(l.WriteFailures.Load())
}

// survived says what became of reads and writes.
func (c *kase) survived() string {
	reads := "every read survived"
	if n := c.readFails.Load(); n > 0 {
		reads = fmt.Sprintf("%d reads failed", n)
	}
	return fmt.Sprintf("%s; %d of %d writes failed, and said so", reads, c.writeFails.Load(), c.writes.Load())
}
