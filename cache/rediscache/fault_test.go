//go:build unix

package rediscache

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// turnout is an address behind which there is one server or another, as a name or a virtual address is.
type turnout struct {
	listener net.Listener
	mu       sync.Mutex
	target   string
	open     map[net.Conn]bool
	wg       sync.WaitGroup
}

func startTurnout(t *testing.T, target string) *turnout {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &turnout{listener: l, target: target, open: make(map[net.Conn]bool)}
	x.wg.Go(x.serve)
	t.Cleanup(func() {
		_ = l.Close()
		x.cut()
		x.wg.Wait()
	})
	return x
}

func (x *turnout) serve() {
	for {
		from, err := x.listener.Accept()
		if err != nil {
			return
		}
		x.mu.Lock()
		to, err := net.Dial("tcp", x.target)
		if err != nil {
			_ = from.Close()
			x.mu.Unlock()
			continue
		}
		x.open[from], x.open[to] = true, true
		x.mu.Unlock()
		for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
			x.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
				_ = pair[1].Close()
			})
		}
	}
}

// to leads new connections elsewhere; those that are open stay.
func (x *turnout) to(target string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.target = target
}

// cut ends all connections.
func (x *turnout) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.open {
		_ = c.Close()
	}
	clear(x.open)
}

func (x *turnout) url() string { return "redis://" + x.listener.Addr().String() }

func wait(d time.Duration) { <-time.After(d) }

// faults are short heartbeats and lives, and the longest time for which somebody may then read an older version:
// until a loss is noticed, and for as long as what is loaded meanwhile lives; and as much again for a
// machine that has other things to do.
func faults(url string) (section map[string]any, bound time.Duration) {
	return map[string]any{
		"url": url, "secret": testSecret, "heartbeat": "0.3s", "away_ttl": "0.5s", "max_ttl": "1h",
	}, 2 * (300 + 150 + 500) * time.Millisecond
}

func TestFaultsOfRedisAreNobodysErrors(t *testing.T) {
	srv := startRedis(t, "--appendonly", "yes", "--appendfsync", "no") // so that it comes back with what it had
	section, bound := faults(srv.url())
	set := func(name, value string) {
		t.Helper()
		if err := srv.do("CONFIG", "SET", name, value).Error(); err != nil {
			t.Error(err)
		}
	}
	_, reports := crowd(t, "load", section, time.Minute, func(b *board) {
		defer b.Stop.Store(1)
		wait(time.Second)
		for range 3 {
			if err := srv.do("FLUSHALL").Error(); err != nil {
				t.Error(err)
			}
			wait(200 * time.Millisecond)
		}
		set("maxmemory", "1mb") // less than it has
		wait(2 * time.Second)
		set("maxmemory", "0")
		wait(500 * time.Millisecond)
		srv.kill()
		wait(time.Second)
		srv.start()
		wait(time.Second)
		srv.kill()
		srv.start() // at once, with the epochs of before
		wait(time.Second)
		srv.signal(syscall.SIGSTOP)
		wait(5 * time.Second)
		srv.signal(syscall.SIGCONT)
		wait(2 * time.Second)
	})
	if longest, late := check(t, reports); longest > bound+late {
		t.Errorf("an older version was read %v after the write had returned; the bound is %v", longest, bound)
	}
	for _, r := range reports {
		if !r.Tier.Up || r.Tier.Full == 0 || r.Tier.Away == 0 {
			t.Errorf("a process has seen no faults, or has not recovered: %+v", r.Tier)
		}
	}
}

// replicate makes a server that follows another one.
func replicate(t *testing.T, of *server) *server {
	t.Helper()
	srv := startRedis(t, "--replicaof", "127.0.0.1", strconv.Itoa(of.port))
	eventually(t, "it follows", func() bool {
		info, err := srv.do("INFO", "replication").ToString()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	return srv
}

func TestFailoverToAReplica(t *testing.T) {
	first := startRedis(t)
	second := replicate(t, first)
	x := startTurnout(t, first.address())
	section, bound := faults(x.url())
	_, reports := crowd(t, "load", section, time.Minute, func(b *board) {
		defer b.Stop.Store(1)
		wait(time.Second)
		// The master is lost, and with it what the replica has not got yet.
		first.kill()
		if err := second.do("REPLICAOF", "NO", "ONE").Error(); err != nil {
			t.Error(err)
		}
		x.to(second.address())
		x.cut()
		wait(2 * time.Second)
		// The master becomes a replica, and nobody cuts the connections to it.
		third := replicate(t, second)
		if err := third.do("REPLICAOF", "NO", "ONE").Error(); err != nil {
			t.Error(err)
		}
		x.to(third.address())
		if err := second.do("REPLICAOF", "127.0.0.1", strconv.Itoa(third.port)).Error(); err != nil {
			t.Error(err)
		}
		wait(3 * time.Second)
	})
	if longest, late := check(t, reports); longest > bound+late {
		t.Errorf("an older version was read %v after the write had returned; the bound is %v", longest, bound)
	}
	for _, r := range reports {
		if !r.Tier.Up {
			t.Errorf("a process has not recovered: %+v", r.Tier)
		}
	}
}

func TestFailoverBySentinel(t *testing.T) {
	first := startRedis(t)
	second := replicate(t, first)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor pets 127.0.0.1 %d 1\nsentinel down-after-milliseconds pets 500\nsentinel failover-timeout pets 2000\n", first.port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startSentinel(t, conf)
	eventually(t, "the sentinel knows the replica", func() bool {
		replicas, err := sentinel.do("SENTINEL", "REPLICAS", "pets").ToArray()
		return err == nil && len(replicas) == 1
	})
	section, _ := faults(fmt.Sprintf("redis://127.0.0.1:%d?master_set=pets", sentinel.port))
	tier := openTier(t, section)
	db := new(database)
	c := db.process(t, tier, "db1")
	read(t, c, "before")
	expect(t, "results in the first", len(first.keys("r")), 1)
	first.kill()
	eventually(t, "the tier is down", func() bool { return !tier.Stats().Up })
	read(t, c, "meanwhile")
	eventually(t, "the tier is up again", func() bool { return tier.Stats().Up })
	read(t, c, "before")
	expect(t, "loads of what was stored before", db.loads("before"), 2)
	write(t, c, 7)
	expect(t, "read", read(t, c, "before"), 7)
	if info, err := second.do("INFO", "replication").ToString(); err != nil || !strings.Contains(info, "role:master") {
		t.Errorf("the replica has not become the master: %v", err)
	}
}

func TestRedisThatIsDownWhenTheProgramStarts(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	srv.kill()
	tier, err := Open(t.Context(), "shared_cache", isolated(map[string]any{"shared_cache": srv.values(map[string]any{"heartbeat": "0.05s"})})...)
	if err != nil {
		t.Fatal(err)
	}
	defer tier.Close()
	db := new(database)
	db.set(1)
	c := db.process(t, tier, "db1")
	expect(t, "read", read(t, c, "k"), 1)
	write(t, c, 2)
	expect(t, "read after a write", read(t, c, "k"), 2)
	expect(t, "stored", tier.Stats().Stores, 0)
	srv.start()
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	read(t, c, "k")
	expect(t, "stored", tier.Stats().Stores, 1)
}
