package supabase_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
)

// These benchmarks compare with something else in the same run: both sides take turns in small
// batches, and x-bare is the median of the ratios, so that the machine's noise hits both alike.

const benchKeys = 1024

func compare(b *testing.B, n int, bare, ours func(i int)) {
	b.Helper()
	var ratios, bares, both []float64
	run := func(f func(int)) float64 {
		begin := time.Now()
		for i := range n {
			f(i)
		}
		return float64(time.Since(begin)) / float64(n)
	}
	run(bare)
	run(ours)
	for b.Loop() {
		x, y := run(bare), run(ours)
		ratios, bares, both = append(ratios, y/x), append(bares, x), append(both, y)
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bares), "bare-ns")
	b.ReportMetric(median(both), "ours-ns")
	b.ReportMetric(median(ratios), "x-bare")
}

// BenchmarkSharedHit is a hit with a query that was kept, over ristretto's Get with a TTL.
func BenchmarkSharedHit(b *testing.B) {
	sb := open(b, &server{answer: func(*request) (int, string) { return 200, `[1]` }})
	shared := sb.WithShared().WithTTL(time.Hour)
	user := sb.As(new(issuer).session(b, "ann")).WithShared().WithTTL(time.Hour)
	cache, err := ristretto.NewCache(&ristretto.Config[string, *int]{
		NumCounters: 100 * benchKeys, MaxCost: 64 << 20, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cache.Close)
	texts, kept, users := make([]string, benchKeys), make([]supabase.Builder, benchKeys), make([]supabase.Builder, benchKeys)
	for i := range benchKeys {
		table := fmt.Sprintf("owners_%04d", i)
		texts[i] = "select id, person, pet from " + table
		kept[i] = shared.Table(table).Select("id")
		users[i] = user.Table(table).Select("id")
		cache.SetWithTTL(texts[i], new(i), 1, time.Hour)
	}
	cache.Wait()
	bare := func(i int) {
		if _, ok := cache.Get(texts[i%benchKeys]); !ok {
			b.Fatal("the bare cache has lost a key")
		}
	}
	ctx := b.Context()
	for name, queries := range map[string][]supabase.Builder{"kept query": kept, "kept query, as a user": users} {
		b.Run(name, func(b *testing.B) {
			compare(b, benchKeys, bare, func(i int) {
				if _, err := supabase.Query[int](ctx, queries[i%benchKeys]); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	b.Run("kept query, one row", func(b *testing.B) {
		one := open(b, &server{answer: func(*request) (int, string) { return 200, `1` }}).WithTTL(time.Hour)
		for i := range kept {
			kept[i] = one.Table(fmt.Sprintf("owners_%04d", i)).Select("id")
		}
		compare(b, benchKeys, bare, func(i int) {
			if _, err := supabase.QueryOne[int](ctx, kept[i%benchKeys]); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkChain is a query as programs write it, over the same by url.Values.
func BenchmarkChain(b *testing.B) {
	sb := open(b, new(server))
	age := 18
	byHand := func(int) {
		v := url.Values{}
		v.Set("select", "name,teams(name)")
		v.Add("age", fmt.Sprintf("gte.%v", age))
		v.Add("age", fmt.Sprintf("lt.%v", 65))
		v.Set("order", "created_at.desc")
		if address := address + "/rest/v1/users?" + v.Encode(); address == "" {
			b.Fatal("nothing")
		}
	}
	chain := func() supabase.Builder {
		return sb.Table("users").Select("name, teams(name)").Gte("age", age).Lt("age", 65).Order("created_at", supabase.Desc)
	}
	b.Run("built", func(b *testing.B) {
		compare(b, 1000, byHand, func(int) { chain() })
	})
	b.Run("built, and ready to be sent", func(b *testing.B) {
		compare(b, 1000, byHand, func(int) {
			if _, err := chain().Request(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

type person struct {
	ID   int64   `json:"id"`
	Name string  `json:"name"`
	Age  int     `json:"age"`
	Note *string `json:"note"`
}

// BenchmarkMiss is a read that reaches the project, over one by net/http and encoding/json.
func BenchmarkMiss(b *testing.B) {
	for _, rows := range []int{1, 100} {
		body := "[" + strings.TrimSuffix(strings.Repeat(`{"id":12,"name":"Ada Lovelace","age":36,"note":"likes engines"},`, rows), ",") + "]"
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		b.Cleanup(srv.Close)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		b.Cleanup(client.CloseIdleConnections)
		sb, err := supabase.Open(b.Context(), "bench", supabase.WithURL(srv.URL), supabase.WithKey(anonKey), supabase.WithHTTPClient(client),
			connection.WithSecrets(secrets.Of(nil)), connection.WithEnviron(nothing), connection.WithDefaultTTL(time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = sb.Close() })
		ctx := b.Context()
		address := srv.URL + "/rest/v1/people?select=id,name,age,note&age=gte.18"
		hand := func(int) {
			if people, err := peopleByHand(ctx, client, address); err != nil || len(people) != rows {
				b.Fatal(err)
			}
		}
		read := func(sb *supabase.Conn) func(int) {
			q := sb.Table("people").Select("id,name,age,note").Gte("age", 18)
			return func(int) {
				if people, err := supabase.Query[person](ctx, q); err != nil || len(people) != rows {
					b.Fatal(err)
				}
			}
		}
		cached := read(sb)
		for name, ours := range map[string]func(int){"uncached": read(sb.WithTTL(0)), "cached": func(int) {
			connection.Clear(sb)
			cached(0)
		}} {
			b.Run(fmt.Sprintf("%d rows, %s/both", rows, name), func(b *testing.B) { compare(b, 20, hand, ours) })
			b.Run(fmt.Sprintf("%d rows, %s/ours", rows, name), func(b *testing.B) { allocations(b, ours) })
		}
		b.Run(fmt.Sprintf("%d rows/by hand", rows), func(b *testing.B) { allocations(b, hand) })
	}
}

func allocations(b *testing.B, f func(int)) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		f(0)
	}
}

// peopleByHand does what such a function has to: within a bounded time, and looking at the status.
func peopleByHand(ctx context.Context, client *http.Client, address string) (people []person, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("apikey", anonKey)
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	err = json.Unmarshal(body, &people)
	return people, err
}
