package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/streamconn/streamconn/cache"
)

func Example() {
	c := cache.New(cache.Config{})
	defer c.Close()
	var writes cache.Epoch
	owners := c.Scope("pet owners", nil, &writes)

	load := func(context.Context) ([]string, error) {
		fmt.Println("loading")
		return []string{"jerry", "barbara"}, nil
	}
	for range 2 {
		names, err := cache.Get(context.Background(), owners, cache.KeyOf("names", "fish"), cache.Policy{TTL: 10 * time.Minute}, load)
		fmt.Println(names, err)
		names[0] = "mine to change"
	}

	writes.Bump() // somebody has written
	names, err := cache.Get(context.Background(), owners, cache.KeyOf("names", "fish"), cache.Policy{TTL: 10 * time.Minute}, load)
	fmt.Println(names, err)
	// Output:
	// loading
	// [jerry barbara] <nil>
	// [jerry barbara] <nil>
	// loading
	// [jerry barbara] <nil>
}

func ExampleLookup() {
	c := cache.New(cache.Config{})
	defer c.Close()
	s := c.Scope("pets", nil)
	policy := cache.Policy{TTL: time.Hour}

	query := func(id int) (string, error) {
		var room [64]byte
		args, ok := cache.AppendArg(room[:0], id)
		if ok {
			if pet, hit := cache.Lookup[string](s, "select pet where id = ?", args, &policy); hit {
				return pet + ", from memory", nil
			}
		}
		return cache.Get(context.Background(), s, cache.MakeKey("select pet where id = ?", args), policy,
			func(context.Context) (string, error) { return "fish", nil })
	}
	fmt.Println(query(1))
	fmt.Println(query(1))
	// Output:
	// fish <nil>
	// fish, from memory <nil>
}

func ExampleCache_Drop() {
	c := cache.New(cache.Config{})
	defer c.Close()
	s := c.Scope("pets", nil)
	one := func(context.Context) (int, error) { return 1, nil }
	for _, key := range []cache.Key{cache.KeyOf("cats", 1), cache.KeyOf("cats", 2), cache.KeyOf("dogs", 1)} {
		_, _ = cache.Get(context.Background(), s, key, cache.Policy{TTL: cache.Forever}, one)
	}
	fmt.Println(c.Drop(func(i cache.Info) bool { return i.Scope == "pets" && i.Text == "cats" }))
	// Output: 2
}

func ExamplePolicy_negative() {
	c := cache.New(cache.Config{})
	defer c.Close()
	s := c.Scope("users", nil)
	errNotFound := errors.New("not found")
	policy := cache.Policy{
		TTL:        time.Hour,
		Negative:   time.Minute,
		IsNegative: func(err error) bool { return errors.Is(err, errNotFound) },
	}
	for range 2 {
		_, err := cache.Get(context.Background(), s, cache.KeyOf("user", 5), policy, func(context.Context) (string, error) {
			fmt.Println("asking")
			return "", errNotFound
		})
		fmt.Println(err)
	}
	// Output:
	// asking
	// not found
	// not found
}

func ExampleEpoch() {
	c := cache.New(cache.Config{})
	defer c.Close()
	var connection, writes cache.Epoch
	s := c.Scope("reads of a connection", nil, &connection, &writes)
	n := 0
	count := func() int {
		v, _ := cache.Get(context.Background(), s, cache.KeyOf("count"), cache.Policy{TTL: cache.Forever},
			func(context.Context) (int, error) { n++; return n, nil })
		return v
	}
	fmt.Println(count(), count())
	writes.Bump()
	fmt.Println(count(), count())
	connection.Bump()
	fmt.Println(count(), count())
	// Output:
	// 1 1
	// 2 2
	// 3 3
}

func ExampleKeyOf() {
	fmt.Println(cache.KeyOf("users", 5, []string{"a", "b"}).Cacheable())
	fmt.Println(cache.KeyOf("users", func() {}).Cacheable())
	// Output:
	// true
	// false
}

func ExampleParseTTL() {
	for _, s := range []string{"90s", "1d12h", "2 days", "forever", "10"} {
		d, err := cache.ParseTTL(s)
		fmt.Println(d, err)
	}
	// Output:
	// 1m30s <nil>
	// 36h0m0s <nil>
	// 48h0m0s <nil>
	// 2562047h47m16.854775807s <nil>
	// 0s cache: "10" is no length of time: 10 has no unit: for seconds write 10s; write it like 90s, 15m, 1d12h or 2 days
}

func ExampleTTLOf() {
	fmt.Println(cache.TTLOf("15m"))
	fmt.Println(cache.TTLOf(int64(90)))
	fmt.Println(cache.TTLOf(1.5))
	// Output:
	// 15m0s <nil>
	// 1m30s <nil>
	// 1.5s <nil>
}

func ExampleCounters() {
	c := cache.New(cache.Config{})
	defer c.Close()
	var counters cache.Counters
	s := c.Scope("mine", &counters)
	for range 3 {
		_, _ = cache.Get(context.Background(), s, cache.KeyOf("k"), cache.Policy{TTL: cache.Forever}, func(context.Context) (int, error) { return 1, nil })
	}
	stats := counters.Stats()
	fmt.Println(stats.Hits, stats.Misses, stats.Loads)
	// Output: 2 1 1
}
