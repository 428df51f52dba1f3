//go:build unix

package rediscache

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	_ "modernc.org/sqlite"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/sqlconn"
)

// Three processes run the test binary again, with the variable saying what to do. They share a SQLite
// database, and a file in memory in which they note what they have done, when.

const (
	processVariable = "STREAMCONN_TEST_PROCESS"
	processes       = 3
	goroutines      = 16
)

// task is what a process is to do.
type task struct {
	Kind     string // "load" or "lease"
	Index    int    // of the process
	Database string
	Board    string
	Section  map[string]any
	Until    time.Duration
}

// report is what it has seen.
type report struct {
	Reads, Hits, TierHits, Writes, Loads int
	OwnStale                             int             // reads of a version older than one the process itself had written
	Stale                                []time.Duration // how long after the write had returned older versions were read
	Failed                               []string
	Late                                 time.Duration // the longest time for which the machine did not let the process run
	Tier                                 Statistics
}

const (
	items    = 8
	versions = 1 << 13
	leased   = 300 // keys of the lease test
)

// board is the memory that the processes share.
type board struct {
	Ready   atomic.Int64
	Stop    atomic.Int64
	Loads   [leased]atomic.Int64
	Latest  [items]atomic.Int64           // the newest version whose write has returned
	Written [items][versions]atomic.Int64 // when that was, in Unix nanoseconds
}

func openBoard(path string, create bool) (*board, func(), error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	size := int(unsafe.Sizeof(board{}))
	if create {
		if err := f.Truncate(int64(size)); err != nil {
			return nil, nil, err
		}
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return (*board)(unsafe.Pointer(&memory[0])), func() { _ = syscall.Munmap(memory) }, nil
}

func raise(n *atomic.Int64, to int64) {
	for {
		if old := n.Load(); old >= to || n.CompareAndSwap(old, to) {
			return
		}
	}
}

// runProcess is the whole of a process.
func runProcess() int {
	var t task
	if err := json.Unmarshal([]byte(os.Getenv(processVariable)), &t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r, err := t.run()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (t *task) run() (*report, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, unmap, err := openBoard(t.Board, false)
	if err != nil {
		return nil, err
	}
	defer unmap()
	tier, err := Open(ctx, "shared_cache", isolated(map[string]any{"shared_cache": t.Section})...)
	if err != nil {
		return nil, err
	}
	defer tier.Close()
	conn, err := sqlconn.Open(ctx, "items", append(isolated(nil), sqlconn.WithURL(t.Database), connection.WithSharedCache(tier))...)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for !tier.Stats().Up {
		<-time.After(time.Millisecond)
	}
	b.Ready.Add(1)
	for b.Ready.Load() < processes {
		<-time.After(time.Millisecond)
	}

	w := &worker{task: t, board: b, conn: conn}
	over, late := make(chan struct{}), make(chan time.Duration)
	go func() { late <- lateness(over) }()
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			switch {
			case t.Kind == "lease":
				w.lease(ctx)
			case i == 0:
				w.write(ctx)
			default:
				w.read(ctx)
			}
		})
	}
	wg.Wait()
	close(over)
	w.report.Late = <-late
	for end := time.Now().Add(20 * time.Second); !tier.Stats().Up && time.Now().Before(end); { // it recovers
		<-time.After(10 * time.Millisecond)
	}
	stats := connection.Stats(conn).Cache
	w.report.Hits, w.report.TierHits, w.report.Loads = int(stats.Hits), int(stats.TierHits), int(stats.Loads)
	w.report.Tier = tier.Stats()
	return &w.report, nil
}

// lateness is by how much a timer was late at most. Whoever is not let run hears of nothing meanwhile.
func lateness(over <-chan struct{}) (longest time.Duration) {
	const every = 2 * time.Millisecond
	for {
		begin := time.Now()
		select {
		case <-time.After(every):
			longest = max(longest, time.Since(begin)-every)
		case <-over:
			return longest
		}
	}
}

type worker struct {
	*task
	board *board
	conn  *sqlconn.Conn
	own   [items]atomic.Int64

	mu     sync.Mutex
	report report
}

// loop calls do every now and then until the time is up.
func (w *worker) loop(pause time.Duration, do func()) {
	end := time.Now().Add(w.Until)
	for time.Now().Before(end) && w.board.Stop.Load() == 0 {
		do()
		<-time.After(pause/2 + rand.N(pause))
	}
}

func (w *worker) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.report.Failed) < 10 {
		w.report.Failed = append(w.report.Failed, err.Error())
	}
}

func (w *worker) write(ctx context.Context) {
	n := 0
	w.loop(30*time.Millisecond, func() {
		// One process writes at a time: its writes end what it has in memory itself, and the others must not
		// owe to that what they owe to being told.
		if time.Now().UnixMilli()/700%processes != int64(w.Index) {
			return
		}
		item := rand.N(items)
		version, err := sqlconn.QueryOne[int64](ctx, w.conn, `update item set version = version + 1 where id = ? returning version`, item)
		if err != nil {
			w.fail(fmt.Errorf("write: %w", err))
			return
		}
		n++
		w.board.Written[item][version%versions].Store(time.Now().UnixNano())
		raise(&w.board.Latest[item], version)
		raise(&w.own[item], version)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Writes = n
}

func (w *worker) read(ctx context.Context) {
	reads, ownStale := 0, 0
	var stale []time.Duration
	w.loop(time.Millisecond, func() {
		item := rand.N(items)
		own := w.own[item].Load()
		begin := time.Now().UnixNano()
		version, err := sqlconn.QueryOne[int64](ctx, w.conn, `select version from item where id = ?`, item)
		if err != nil {
			w.fail(fmt.Errorf("read: %w", err))
			return
		}
		reads++
		if version < own {
			ownStale++
		}
		if version < w.board.Latest[item].Load() {
			// Since the next one was written; two writes may return in another order than they were made.
			for next := version + 1; next <= w.board.Latest[item].Load(); next++ {
				if at := w.board.Written[item][next%versions].Load(); at != 0 && at < begin {
					stale = append(stale, time.Duration(begin-at))
					break
				}
			}
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Reads += reads
	w.report.OwnStale += ownStale
	w.report.Stale = append(w.report.Stale, stale...)
}

func (w *worker) lease(ctx context.Context) {
	for i := range leased {
		_, err := connection.Read(ctx, w.conn, connection.Key("leased", i), cache.Forever, func(context.Context, *sql.DB) (int, error) {
			w.board.Loads[i].Add(1)
			<-time.After(2 * time.Millisecond)
			return i, nil
		})
		if err != nil {
			w.fail(err)
		}
	}
}

// crowd starts the processes, lets during run while they do, and gives their reports.
func crowd(t *testing.T, kind string, section map[string]any, d time.Duration, during func(*board)) (*board, []report) {
	t.Helper()
	dir := t.TempDir()
	todo := task{
		Kind: kind, Database: "sqlite:///" + filepath.Join(dir, "items.db") + "?_pragma=busy_timeout(20000)&_pragma=synchronous(0)",
		Board: filepath.Join(dir, "board"), Section: section, Until: d,
	}
	b, unmap, err := openBoard(todo.Board, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unmap)
	db, err := sqlconn.Open(t.Context(), "items", append(isolated(nil), sqlconn.WithURL(todo.Database))...)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{`pragma journal_mode = wal`, `create table item (id integer primary key, version integer not null)`} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for i := range items {
		if _, err := db.Exec(t.Context(), `insert into item values (?, 0)`, i); err != nil {
			t.Fatal(err)
		}
	}

	reports := make([]report, processes)
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range processes {
		todo.Index = i
		text, err := json.Marshal(todo)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { reports[i], errs[i] = runTask(t.Context(), text) })
	}
	eventually(t, "the processes are there", func() bool { return b.Ready.Load() == processes || t.Context().Err() != nil })
	if during != nil {
		during(b)
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return b, reports
}

func runTask(ctx context.Context, text []byte) (r report, err error) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), processVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	decode := json.NewDecoder(out).Decode(&r)
	_, _ = io.Copy(io.Discard, out)
	return r, errors.Join(decode, cmd.Wait())
}

// long is how long the test of a whole crowd runs: STREAMCONN_TEST_CROWD says otherwise, such as 60s.
func long(t *testing.T, usual time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("STREAMCONN_TEST_CROWD")
	if text == "" {
		return usual
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// check is what holds of all reports, and gives the time after which nobody has read an older version.
func check(t *testing.T, reports []report) (longest, late time.Duration) {
	t.Helper()
	var sum report
	for _, r := range reports {
		for _, failed := range r.Failed {
			t.Error(failed)
		}
		late = max(late, r.Late)
		sum.Reads += r.Reads
		sum.Hits += r.Hits
		sum.TierHits += r.TierHits
		sum.Loads += r.Loads
		sum.Writes += r.Writes
		sum.OwnStale += r.OwnStale
		sum.Stale = append(sum.Stale, r.Stale...)
		if r.Reads == 0 || r.Writes == 0 || r.Hits == 0 {
			t.Errorf("a process has done nothing: %+v", r)
		}
	}
	var median time.Duration
	if slices.Sort(sum.Stale); len(sum.Stale) > 0 {
		median, longest = sum.Stale[len(sum.Stale)/2], sum.Stale[len(sum.Stale)-1]
	}
	t.Logf("%d reads: %d hits in memory, %d in Redis, %d loads; %d writes; %d reads were of an older version, "+
		"for %v in the median and %v at most after the write had returned; timers were late by up to %v",
		sum.Reads, sum.Hits, sum.TierHits, sum.Loads, sum.Writes, len(sum.Stale), median, longest, late)
	for _, r := range reports {
		t.Logf("%+v", r.Tier)
	}
	if sum.OwnStale != 0 {
		t.Errorf("%d reads were older than what their own process had written", sum.OwnStale)
	}
	return longest, late
}

func TestNobodyReadsWhatAnotherProcessHasChanged(t *testing.T) {
	srv := startRedis(t)
	_, reports := crowd(t, "load", srv.values(map[string]any{"timeout": "5s", "end_timeout": "10s"}), long(t, 8*time.Second), nil)
	if longest, late := check(t, reports); longest > 100*time.Millisecond+late {
		t.Errorf("an older version was read %v after the write had returned", longest)
	}
	for _, r := range reports {
		if r.TierHits == 0 {
			t.Error("a process has found nothing in Redis")
		}
	}
}

func TestOneLoadPerKeyOverAllProcesses(t *testing.T) {
	srv := startRedis(t)
	b, reports := crowd(t, "lease", srv.values(map[string]any{"lease": true, "lease_wait": "60s", "lease_time": "60s"}), 0, nil)
	more := 0
	for i := range leased {
		if n := b.Loads[i].Load(); n != 1 {
			more++
		}
	}
	if more != 0 {
		t.Errorf("%d of %d keys were loaded more than once, or never", more, leased)
	}
	for _, r := range reports {
		t.Logf("%d loads; %+v", r.Loads, r.Tier)
		for _, failed := range r.Failed {
			t.Error(failed)
		}
	}
	if left := srv.keys("l"); len(left) != 0 {
		t.Errorf("leases are left: %q", left)
	}
}
