//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamconn/streamconn/internal/faults/gate"
	"github.com/streamconn/streamconn/internal/faults/toxic"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// breaking is what goes on until everything is to be calm.
type breaking struct {
	*world
	ctx    context.Context //nolint:containedctx // of the loops
	cancel context.CancelFunc
	wg     sync.WaitGroup

	held    sync.RWMutex // read-locked while something is broken
	holding bool         // of whoever holds it: the one who talks with the parent
	failed  atomic.Bool  // something could not be put in order again

	mu     sync.Mutex
	counts map[string]int
}

func newBreaking(w *world) *breaking {
	b := &breaking{world: w, counts: make(map[string]int)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// breakThings begins to break everything, each kind of thing by itself.
func (w *world) breakThings() *breaking {
	b := newBreaking(w)
	b.loop(3*time.Second, b.servers())
	for _, ways := range w.networks {
		b.loop(700*time.Millisecond, b.network(ways))
	}
	b.loop(time.Second, b.gateway)
	b.loop(time.Second, b.service)
	b.loop(time.Second, b.file)
	return b
}

// end ends it with everything in order, and tells how often each thing was broken.
func (b *breaking) end() map[string]int {
	b.cancel()
	b.goOn()
	b.wg.Wait()
	return b.counts
}

// loop breaks one thing again and again, with pauses of about the given length in which it is whole.
func (b *breaking) loop(pause time.Duration, once func()) {
	b.wg.Go(func() {
		for b.wait(pause/2 + rand.N(pause)) {
			b.one(once)
		}
	})
}

// one breaks something and puts it in order again. Where that fails, once ends the goroutine, by Fatal.
func (b *breaking) one(once func()) {
	b.held.RLock()
	defer b.held.RUnlock()
	whole := false
	defer func() {
		if !whole {
			b.failed.Store(true)
		}
	}()
	once()
	whole = true
}

// hold waits until all is in order, and keeps it so until goOn.
func (b *breaking) hold() {
	b.held.Lock()
	b.holding = true
}

func (b *breaking) goOn() {
	if b.holding {
		b.holding = false
		b.held.Unlock()
	}
}

// wait reports false when everything is to be calm.
func (b *breaking) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.ctx.Done():
		return false
	}
}

func (b *breaking) count(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[what]++
}

func (b *breaking) administer(statement string) {
	if _, err := b.admin.ExecContext(context.Background(), statement); err != nil {
		b.t.Errorf("%s: %v", statement, err)
	}
}

// servers kills servers and starts them again, one at a time, each of the ways in turn.
func (b *breaking) servers() (once func()) {
	ways := []struct {
		name string
		how  func()
	}{
		{"backends terminated", func() {
			b.administer("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'streamconn'")
		}},
		{"PostgREST killed", func() {
			b.rest.Kill(b.t)
			b.wait(rand.N(300 * time.Millisecond))
			b.rest.Restart(b.t)
		}},
		{"PostgREST's schema reloaded", func() { b.administer("notify pgrst, 'reload schema'") }},
		{"Postgres killed", func() {
			b.database.Kill(b.t)
			b.wait(rand.N(300 * time.Millisecond))
			b.database.Restart(b.t)
		}},
		{"PostgREST restarted", func() { b.rest.Restart(b.t) }},
		{"PostgREST's backends terminated", func() {
			b.administer("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'")
		}},
		{"Postgres restarted", func() { b.database.Restart(b.t) }},
	}
	next := 0
	return func() {
		way := ways[next%len(ways)]
		next++
		way.how()
		b.count(way.name)
	}
}

// network has one of two ways to a server fail.
func (b *breaking) network(ways [2]*toxic.Proxy) (once func()) {
	kinds := []struct {
		name string
		how  func(p *toxic.Proxy)
		heal func(p *toxic.Proxy)
	}{
		{"delays", func(p *toxic.Proxy) { p.Delay(b.t, 20*time.Millisecond) }, (*toxic.Proxy).Heal},
		{"cut", func(p *toxic.Proxy) { p.Cut(b.t) }, func(*toxic.Proxy) {}},
		{"resets", func(p *toxic.Proxy) { p.Reset(b.t) }, (*toxic.Proxy).Heal},
		{"halves answers", func(p *toxic.Proxy) { p.Halve(b.t, 100+rand.Int64N(20_000)) }, (*toxic.Proxy).Heal},
		{"refuses", (*toxic.Proxy).Refuse, func(p *toxic.Proxy) { p.Serve(b.t) }},
		{"swallows", func(p *toxic.Proxy) { p.Blackhole(b.t) }, (*toxic.Proxy).Heal},
	}
	next := 0
	return func() {
		kind, p := kinds[next%len(kinds)], ways[rand.IntN(len(ways))]
		next++
		kind.how(p)
		b.wait(50*time.Millisecond + rand.N(350*time.Millisecond))
		kind.heal(p)
		b.count("network " + kind.name)
	}
}

// gateway answers for PostgREST.
func (b *breaking) gateway() {
	b.gate.Says(gate.Page(gate.Statuses[rand.IntN(len(gate.Statuses))], 3, rand.IntN(2) == 0))
	b.wait(100*time.Millisecond + rand.N(400*time.Millisecond))
	b.gate.Says(nil)
	b.count("gateway answers instead")
}

// service has the services of the project in memory fail.
func (b *breaking) service() {
	f := supabasetest.Fault{Times: -1, OneIn: 3}
	switch rand.IntN(5) {
	case 0:
		f.Status = gate.Statuses[rand.IntN(len(gate.Statuses))]
	case 1:
		f.Cut = supabasetest.CutBefore
	case 2:
		f.Cut = supabasetest.CutAfter
	case 3:
		f.Cut = supabasetest.CutHalf
	case 4:
		f.Delay = 50*time.Millisecond + rand.N(200*time.Millisecond)
	}
	remove := b.project.Inject(f)
	b.wait(100*time.Millisecond + rand.N(400*time.Millisecond))
	remove()
	b.count("service fails")
}

// file has another process hold the file of SQLite.
func (b *breaking) file() {
	conn, err := b.lock.Conn(context.Background())
	if err != nil {
		b.t.Error(err)
		return
	}
	defer conn.Close()
	// It may be busy for longer than this process has patience: then it is not locked this time.
	if _, err := conn.ExecContext(context.Background(), "begin exclusive"); err != nil {
		return
	}
	b.wait(20*time.Millisecond + rand.N(130*time.Millisecond))
	if _, err := conn.ExecContext(context.Background(), "rollback"); err != nil {
		b.t.Error(err)
	}
	b.count("SQLite locked")
}
