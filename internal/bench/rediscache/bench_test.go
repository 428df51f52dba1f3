//go:build unix

package rediscache

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	rediscaches "github.com/go-redis/cache/v9"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/cache/rediscache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

type row struct {
	ID      int64
	Name    string
	Mail    *string
	Score   float64
	Tags    []string
	Born    time.Time
	Comment string
}

func rows(n int) []row {
	all := make([]row, n)
	for i := range all {
		mail := fmt.Sprintf("person%d@example.com", i)
		all[i] = row{
			ID: int64(i), Name: "a name of usual length", Mail: &mail, Score: 1.5, Tags: []string{"one", "two"},
			Born: time.Unix(1_700_000_000, 0).UTC(), Comment: "some more text, as there is in most tables",
		}
	}
	return all
}

// startRedis starts a server, and gives its address.
func startRedis(b *testing.B) string {
	b.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("STREAMCONN_REQUIRE_SERVERS") != "" {
			b.Fatal("redis-server is not installed")
		}
		b.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", b.TempDir(), "--save", "", "--appendonly", "no", "--loglevel", "warning")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		}
		<-time.After(5 * time.Millisecond)
	}
}

// side is one of those that are compared.
type side interface {
	hit() error  // in the memory of the process
	far() error  // in Redis alone
	miss() error // nowhere: loaded, and stored in both
}

// ours is a scope of package cache with a tier behind it.
type ours[T any] struct {
	value T
	cache *cache.Cache
	scope *cache.Scope
	n     int
}

func newOurs[T any](b *testing.B, address string, value T, more map[string]any) *ours[T] {
	b.Helper()
	section := map[string]any{"url": "redis://" + address, "secret": "a secret of the benchmarks, which is long enough", "local_ttl": "1h", "timeout": "5s"}
	maps.Copy(section, more)
	tier, err := rediscache.Open(b.Context(), "bench", connection.WithLogger(slog.New(slog.DiscardHandler)),
		connection.WithSecrets(secrets.Of(map[string]any{"connections": map[string]any{"bench": section}})))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tier.Close() })
	for !tier.Stats().Up {
		<-time.After(time.Millisecond)
	}
	c := cache.New(cache.Config{Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { _ = c.Close() })
	o := &ours[T]{value: value, cache: c}
	o.scope = c.TieredScope("bench", nil, cache.TierScope{
		Tier: tier, Mark: tier.Mark([]byte("bench")), Epochs: []string{tier.Mark([]byte("writes"))},
	})
	if err := o.get("k"); err != nil {
		b.Fatal(err)
	}
	return o
}

func (o *ours[T]) get(key string) error {
	_, err := cache.Get(context.Background(), o.scope, cache.KeyOf(key), cache.Policy{TTL: time.Hour}, func(context.Context) (T, error) { return o.value, nil })
	return err
}

func (o *ours[T]) hit() error { return o.get("k") }

func (o *ours[T]) far() error {
	o.cache.Clear()
	return o.get("k")
}

func (o *ours[T]) miss() error {
	o.n++
	return o.get(strconv.Itoa(o.n))
}

// rueidisSide is rueidis with its client-side cache, and msgpack.
type rueidisSide[T any] struct {
	value  T
	client rueidis.Client
	n      int
}

func newRueidis[T any](b *testing.B, address string, value T) *rueidisSide[T] {
	b.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, ForceSingleClient: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	r := &rueidisSide[T]{value: value, client: client}
	if err := r.store("rueidis"); err != nil {
		b.Fatal(err)
	}
	return r
}

func (r *rueidisSide[T]) store(key string) error {
	text, err := msgpack.Marshal(r.value)
	if err != nil {
		return err
	}
	return r.client.Do(context.Background(), r.client.B().Set().Key(key).Value(rueidis.BinaryString(text)).Px(time.Hour).Build()).Error()
}

func (r *rueidisSide[T]) read(reply rueidis.RedisResult) error {
	text, err := reply.AsBytes()
	if err != nil {
		return err
	}
	var v T
	return msgpack.Unmarshal(text, &v)
}

func (r *rueidisSide[T]) hit() error {
	return r.read(r.client.DoCache(context.Background(), r.client.B().Get().Key("rueidis").Cache(), time.Hour))
}

func (r *rueidisSide[T]) far() error {
	return r.read(r.client.Do(context.Background(), r.client.B().Get().Key("rueidis").Build()))
}

func (r *rueidisSide[T]) miss() error {
	r.n++
	key := "rueidis" + strconv.Itoa(r.n)
	if err := r.client.DoCache(context.Background(), r.client.B().Get().Key(key).Cache(), time.Hour).Error(); err != nil && !rueidis.IsRedisNil(err) {
		return err
	}
	return r.store(key)
}

// goRedis is go-redis/cache, with its cache in memory, and without.
type goRedis[T any] struct {
	value T
	both  *rediscaches.Cache
	redis *rediscaches.Cache
	n     int
}

func newGoRedis[T any](b *testing.B, address string, value T) *goRedis[T] {
	b.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: address})
	b.Cleanup(func() { _ = client.Close() })
	g := &goRedis[T]{
		value: value,
		both:  rediscaches.New(&rediscaches.Options{Redis: client, LocalCache: rediscaches.NewTinyLFU(10000, time.Hour)}),
		redis: rediscaches.New(&rediscaches.Options{Redis: client}),
	}
	if err := g.get(g.both, "goredis"); err != nil {
		b.Fatal(err)
	}
	return g
}

func (g *goRedis[T]) get(c *rediscaches.Cache, key string) error {
	var v T
	return c.Once(&rediscaches.Item{Key: key, Value: &v, TTL: time.Hour, Do: func(*rediscaches.Item) (any, error) { return g.value, nil }})
}

func (g *goRedis[T]) hit() error { return g.get(g.both, "goredis") }
func (g *goRedis[T]) far() error { return g.get(g.redis, "goredis") }

func (g *goRedis[T]) miss() error {
	g.n++
	return g.get(g.both, "goredis"+strconv.Itoa(g.n))
}

func BenchmarkTiers(b *testing.B) {
	b.Run("a number", func(b *testing.B) { compare(b, int64(7)) })
	b.Run("100 rows", func(b *testing.B) { compare(b, rows(100)) })
}

// compare prints, for hits in memory, hits in Redis and misses, what each costs in units of rueidis.
func compare[T any](b *testing.B, value T) {
	b.Helper()
	address := startRedis(b)
	base := newRueidis(b, address, value)
	sides := []struct {
		name string
		side side
	}{
		{"ours", newOurs(b, address, value, nil)},
		{"ours-encrypted", newOurs(b, address, value, map[string]any{"namespace": "encrypted", "encryption_key": "an encryption key of the benchmarks, long enough"})},
		{"go-redis/cache", newGoRedis(b, address, value)},
	}
	for _, step := range []struct {
		name string
		n    int
		of   func(side) func() error
	}{
		{"hit in memory", 200, func(s side) func() error { return s.hit }},
		{"hit in Redis", 20, func(s side) func() error { return s.far }},
		{"miss", 20, func(s side) func() error { return s.miss }},
	} {
		b.Run(step.name, func(b *testing.B) {
			run := func(f func() error) float64 {
				begin := time.Now()
				for range step.n {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				return float64(time.Since(begin)) / float64(step.n)
			}
			ratios := make([][]float64, len(sides))
			var bases []float64
			for b.Loop() {
				unit := run(step.of(base))
				bases = append(bases, unit)
				for i, s := range sides {
					ratios[i] = append(ratios[i], run(step.of(s.side))/unit)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(bases), "rueidis-ns")
			for i, s := range sides {
				b.ReportMetric(median(ratios[i]), "x-"+s.name)
			}
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
