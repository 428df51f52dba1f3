package cases

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocache "github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/store"
	ristrettostore "github.com/eko/gocache/store/ristretto/v4"
	rediscache "github.com/go-redis/cache/v9"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/sqlconn"
)

// Figures is what is counted, or divided, not compared.
type Figures struct {
	ID, Title, Text string
	Header          []string
	Rows            [][]string
	Promises        []Promise
}

// Promise is what a count has to be.
type Promise struct {
	What, Want, Got string
	Holds           bool
}

// Counts are what is counted; each ends with its tb, and is quick in its short form.
func Counts() []func(tb testing.TB, short bool) Figures {
	return []func(testing.TB, bool) Figures{whereHitGoes, whereMissGoes, whereTimeGoes, stampedes, twoProcs, memory, streamed, transfers}
}

type (
	loader = func(ctx context.Context, key string) (int, error)
	getter = func(ctx context.Context, key string) (int, error)
)

// loading are the ways to get or load a value, each with room for more keys than are used.
func loading(tb testing.TB) []struct {
	name string
	over func(load loader) getter
} {
	tb.Helper()
	const room = 20_000
	return []struct {
		name string
		over func(load loader) getter
	}{
		{"ristretto alone", func(load loader) getter {
			c := emptyOf[int](tb, room)
			return func(ctx context.Context, key string) (int, error) {
				if v, ok := c.Get(key); ok {
					return v, nil
				}
				v, err := load(ctx, key)
				if err == nil {
					c.SetWithTTL(key, v, 1, ttl)
				}
				return v, err
			}
		}},
		{single, func(load loader) getter {
			c := emptyOf[int](tb, room)
			var flight singleflight.Group
			return func(ctx context.Context, key string) (int, error) {
				if v, ok := c.Get(key); ok {
					return v, nil
				}
				v, err, _ := flight.Do(key, func() (any, error) {
					v, err := load(ctx, key)
					if err == nil {
						c.SetWithTTL(key, v, 1, ttl)
					}
					return v, err
				})
				n, _ := v.(int)
				return n, err
			}
		}},
		{otters, func(load loader) getter {
			o := otter.Must(&otter.Options[string, int]{MaximumSize: room, ExpiryCalculator: otter.ExpiryWriting[string, int](ttl)})
			tb.Cleanup(func() { o.StopAllGoroutines() })
			return func(ctx context.Context, key string) (int, error) {
				return o.Get(ctx, key, otter.LoaderFunc[string, int](load))
			}
		}},
		{goCache, func(load loader) getter {
			g := gocache.NewLoadable(func(ctx context.Context, key any) (int, []store.Option, error) {
				v, err := load(ctx, key.(string))
				return v, []store.Option{store.WithExpiration(ttl), store.WithCost(1)}, err
			}, gocache.New[int](ristrettostore.NewRistretto(emptyOf[int](tb, room))))
			tb.Cleanup(func() { _ = g.Close() })
			return func(ctx context.Context, key string) (int, error) { return g.Get(ctx, key) }
		}},
		{goRedis, func(load loader) getter {
			r := rediscache.New(&rediscache.Options{LocalCache: rediscache.NewTinyLFU(room, ttl)})
			return func(ctx context.Context, key string) (v int, err error) {
				return v, r.Once(&rediscache.Item{Ctx: ctx, Key: key, Value: &v, TTL: ttl, Do: func(i *rediscache.Item) (any, error) { return load(i.Context(), key) }})
			}
		}},
		{ours, func(load loader) getter {
			s := newCache(tb, 64<<20).Scope("pets", nil)
			return func(ctx context.Context, key string) (int, error) {
				return cache.Get(ctx, s, cache.MakeKey(key, nil), cache.Policy{TTL: ttl}, func(ctx context.Context) (int, error) { return load(ctx, key) })
			}
		}},
	}
}

const ours = "**ours**, `cache.Get`"

// stampedes is what happens when many ask for what is not there.
func stampedes(tb testing.TB, short bool) Figures {
	tb.Helper()
	crowd, keys := 10_000, 3000
	if short {
		crowd, keys = 1000, 100
	}
	f := Figures{
		ID: "stampede", Title: "When many ask for what is not there",
		Text: "Loads that run, where one is enough; calls that fail, where none has to.",
		Header: []string{
			"", fmt.Sprintf("%s goroutines, one key: loads", number(crowd)), fmt.Sprintf("the second call at once, %s keys: loads again", number(keys)),
			fmt.Sprintf("64 goroutines, %s fresh keys: loads too many", number(keys)), "the leader of 100 is cancelled: failed", "loads",
		},
	}
	for _, side := range loading(tb) {
		one := oneKey(side.over, crowd)
		second := secondCall(side.over, keys)
		extra := freshKeys(side.over, keys)
		failed, loads := cancelledLeader(side.over)
		row := []string{side.name}
		for _, n := range []int{one, second, extra, failed, loads} {
			row = append(row, number(n))
		}
		f.Rows = append(f.Rows, row)
		if side.name == ours {
			f.Promises = append(f.Promises,
				Promise{fmt.Sprintf("%s goroutines on one key", number(crowd)), "1 load", fmt.Sprint(one), one == 1},
				Promise{fmt.Sprintf("%s fresh keys × 64 goroutines", number(keys)), "0 extra loads", fmt.Sprint(extra), extra == 0},
				Promise{"a cancelled leader with 100 followers", "0 failures, 2 loads", fmt.Sprintf("%d failures, %d loads", failed, loads), failed == 0 && loads == 2})
		}
	}
	return f
}

func oneKey(over func(loader) getter, crowd int) int {
	var loads atomic.Int32
	get := over(func(context.Context, string) (int, error) {
		loads.Add(1)
		<-time.After(50 * time.Millisecond)
		return 1, nil
	})
	together(crowd, func(int) { _, _ = get(context.Background(), "one") })
	return int(loads.Load())
}

func secondCall(over func(loader) getter, keys int) int {
	loads := 0
	get := over(func(context.Context, string) (int, error) { loads++; return 1, nil })
	for _, key := range keysOf(keys) {
		_, _ = get(context.Background(), key)
		_, _ = get(context.Background(), key)
	}
	return loads - keys
}

func freshKeys(over func(loader) getter, n int) int {
	var loads atomic.Int32
	get := over(func(context.Context, string) (int, error) { loads.Add(1); return 1, nil })
	keys := keysOf(n)
	together(64, func(int) {
		for _, key := range keys {
			_, _ = get(context.Background(), key)
		}
	})
	return int(loads.Load()) - n
}

func cancelledLeader(over func(loader) getter) (failed, loads int) {
	leader, cancel := context.WithCancel(context.Background())
	defer cancel()
	started, first := make(chan struct{}), atomic.Bool{}
	var n, errs atomic.Int32
	get := over(func(ctx context.Context, _ string) (int, error) {
		n.Add(1)
		if first.CompareAndSwap(false, true) {
			close(started)
			<-ctx.Done()
			return 0, ctx.Err()
		}
		<-time.After(20 * time.Millisecond) // as long as all the others take to ask
		return 1, nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = get(leader, "one") })
	<-started
	for range 100 {
		wg.Go(func() {
			if _, err := get(context.Background(), "one"); err != nil {
				errs.Add(1)
			}
		})
	}
	<-time.After(50 * time.Millisecond) // until they wait
	cancel()
	wg.Wait()
	return int(errs.Load()), int(n.Load())
}

// together runs f on n goroutines that begin at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}

// twoProcs is how much a second core helps.
func twoProcs(tb testing.TB, short bool) Figures {
	tb.Helper()
	n, rounds := 200_000, 31
	if short {
		n, rounds = 1000, 1
	}
	keys := keysOf(1024)
	r, s := bareOf(tb, keys, new(1)), scopeOf(tb, keys)
	policy := &cache.Policy{TTL: ttl, Shared: true}
	run := func(procs int, hit func(string) bool) float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		begin := time.Now()
		together(procs, func(g int) {
			for i := range n {
				hit(keys[(i+g*512)%1024])
			}
		})
		return float64(procs*n) / float64(time.Since(begin))
	}
	theirs := func(key string) bool { _, ok := r.Get(key); return ok }
	own := func(key string) bool { _, ok := cache.Lookup[*int](s, key, nil, policy); return ok }
	var bares, both, ratios []float64
	for range rounds {
		x := run(2, theirs) / run(1, theirs)
		y := run(2, own) / run(1, own)
		bares, both, ratios = append(bares, x), append(both, y), append(ratios, y/x)
	}
	middle := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	x, y, ratio := middle(bares), middle(both), middle(ratios)
	return Figures{
		ID: "procs", Title: "Hits on two cores over hits on one",
		Text:   "How many times as many hits two goroutines on two cores get as one on one; counters are on.",
		Header: []string{"", "times as many"},
		Rows:   [][]string{{bare, fmt.Sprintf("%.2f", x)}, {"**ours**, `cache.Lookup`, shared", fmt.Sprintf("%.2f", y)}},
		// Within what the rounds differ by.
		Promises: []Promise{{"hits on 2 cores over 1, counters on", "≥ bare's", fmt.Sprintf("%.2f of bare's", ratio), ratio >= 0.97}},
	}
}

// memory is what an entry takes beside its value and the text of its key.
func memory(tb testing.TB, short bool) Figures {
	tb.Helper()
	f := Figures{
		ID: "memory", Title: "Memory of an entry",
		Text:   "Bytes of heap for each entry of a full cache with room for twice as many, with a pointer as the value. The text of the key is not counted; all others but ristretto keep it.",
		Header: []string{""}, Rows: [][]string{{"ristretto"}, {"otter v2"}, {"**ours**"}},
	}
	sizes := []int{1000, 10_000, 100_000, 1_000_000}
	if short {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		f.Header = append(f.Header, number(n)+" entries")
		keys := keysOf(n)
		for i, fill := range []func() func(){
			func() func() { c := bareOf(tb, keys, new(1)); return c.Wait },
			func() func() { o := otterOf(tb, keys); return o.CleanUp },
			func() func() { s := scopeOf(tb, keys); return func() { runtime.KeepAlive(s) } },
		} {
			before := settled()
			keep := fill()
			f.Rows[i] = append(f.Rows[i], number(int(max(0, settled()-before))/n))
			keep()
		}
	}
	return f
}

// live is the heap that is in use.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settled is live once it no longer changes: what was used before ends a while later.
func settled() int64 {
	last := live()
	for range 200 {
		<-time.After(20 * time.Millisecond)
		now := live()
		if last-now < 16<<10 && now-last < 16<<10 {
			return now
		}
		last = now
	}
	return last
}

// streamed is what a stream of rows holds in memory half-way.
func streamed(tb testing.TB, short bool) Figures {
	tb.Helper()
	f := Figures{
		ID: "streamed", Title: "Memory of a stream",
		Text:   "KiB of heap that are in use half-way through the result.",
		Header: []string{""}, Rows: [][]string{{"**ours**, `sqlconn.Rows`"}, {"**ours**, `sqlconn.Query`, at its end"}},
	}
	sizes := []int{1000, 100_000, 1_000_000}
	if short {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		ctx, text := context.Background(), selectOwners(n)
		db := newReady(n).open()
		tb.Cleanup(func() { _ = db.Close() })
		conn := sqlconn.New(connection.Of("pets", db))
		f.Header = append(f.Header, rowsName(n))
		before, during, got := settled(), int64(0), 0
		for _, err := range sqlconn.Rows[Owner](ctx, conn, text) {
			if err != nil {
				tb.Fatal(err)
			}
			if got++; got == n/2 {
				during = live()
			}
		}
		f.Rows[0] = append(f.Rows[0], number(int(max(0, during-before)/1024)))
		before = settled()
		all, err := sqlconn.Query[Owner](ctx, conn.WithTTL(0), text)
		if err != nil {
			tb.Fatal(err)
		}
		f.Rows[1] = append(f.Rows[1], number(int(max(0, live()-before)/1024)))
		runtime.KeepAlive(all)
	}
	return f
}
