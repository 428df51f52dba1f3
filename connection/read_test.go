package connection_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

func TestSecondReadComesFromTheCache(t *testing.T) {
	t.Parallel()
	src := new(source)
	r := world(t, section("x", map[string]any{"host": "h"}))
	opened := open(t, r, "x", src.connect)
	connection.Register(r, "src", src.connect)
	shared := get[*client](t, r, "x", connection.WithType("src"))
	own := cache.New(cache.Config{})
	t.Cleanup(func() { _ = own.Close() })
	for name, c := range map[string]connection.Connection[*client]{
		"opened": opened, "shared": shared, "WithCache": open(t, r, "x", src.connect, connection.WithCache(own)),
		"embedded": struct{ connection.Connection[*client] }{open(t, r, "x", src.connect)},
	} {
		loads := 0
		for range 3 {
			if host := read(t, c, "k", &loads); host != "h" {
				t.Errorf("%s: read %q", name, host)
			}
		}
		if loads != 1 {
			t.Errorf("%s: %d loads of one key", name, loads)
		}
		if read(t, c, "other", &loads); loads != 2 {
			t.Errorf("%s: another key came from the cache", name)
		}
		if s := connection.Stats(c).Cache; s.Hits != 2 || s.Loads != 2 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := own.Stats(); s.Hits != 2 || s.Entries != 2 {
		t.Errorf("the cache that was given: %+v", s)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	loads := 0
	if read(t, shared, "k", &loads); loads != 0 {
		t.Error("closing one connection ended the reads of another")
	}
}

func TestKeysAndTypes(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	loads := 0
	load := func(context.Context, *client) (int, error) { loads++; return loads, nil }
	for i, key := range []cache.Key{
		connection.Key("k"), connection.Key("k", 1), connection.Key("k", "1"), connection.Key("k", 1.0), connection.Key("k", true),
		connection.Key(1, "k"), connection.Key("k", 1, 2), connection.Key("k", []int{1, 2}), connection.Key("k", map[string]any{"a": 1}),
	} {
		for range 2 {
			if v, err := connection.Read(t.Context(), c, key, cacheForever, load); v != i+1 || err != nil {
				t.Errorf("key %d: got %d, %v", i, v, err)
			}
		}
	}
	if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != 1 || err != nil {
		t.Errorf("a plain text is not the Key of it: %d, %v", v, err)
	}
	type number int
	if v, _ := connection.Read(t.Context(), c, "k", cacheForever, func(context.Context, *client) (number, error) { return -1, nil }); v != -1 {
		t.Error("one key, two types, one entry")
	}
	before := loads
	for range 2 { // no stable form: never cached
		_, _ = connection.Read(t.Context(), c, connection.Key("k", func() {}), cacheForever, load)
	}
	if loads != before+2 {
		t.Errorf("%d loads under a key without a stable form", loads-before)
	}
}

func TestCallersGetTheirOwnCopy(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	for range 2 {
		words, err := connection.Read(t.Context(), c, "words", cacheForever, func(context.Context, *client) ([]string, error) { return []string{"a", "b"}, nil })
		if err != nil || !cmp.Equal(words, []string{"a", "b"}) {
			t.Errorf("got %q, %v", words, err)
		}
		words[0] = "mine"
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	loads, syntax := 0, errors.New("syntax error")
	load := func(context.Context, *client) (int, error) {
		if loads++; loads < 3 {
			return 7, syntax
		}
		return loads, nil
	}
	for range 2 {
		if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != 0 || err != syntax { //nolint:errorlint // as it is
			t.Errorf("got %d, %v", v, err)
		}
	}
	if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != 3 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

func TestWhatEndsCachedReads(t *testing.T) {
	t.Parallel()
	ok := func(*client) error { return nil }
	for _, test := range []struct {
		name string
		end  func(t *testing.T, c connection.Connection[*client])
		want bool
	}{
		{"nothing", func(*testing.T, connection.Connection[*client]) {}, false},
		{"Do", func(t *testing.T, c connection.Connection[*client]) {
			if err := connection.Do(t.Context(), c, ok); err != nil {
				t.Error(err)
			}
		}, false},
		{"Ping", func(t *testing.T, c connection.Connection[*client]) {
			if err := connection.Ping(t.Context(), c); err != nil {
				t.Error(err)
			}
		}, false},
		{"Write", func(t *testing.T, c connection.Connection[*client]) {
			if err := connection.Write(t.Context(), c, ok); err != nil {
				t.Error(err)
			}
		}, true},
		{"a Write that fails", func(t *testing.T, c connection.Connection[*client]) {
			if connection.Write(t.Context(), c, func(*client) error { return errors.New("unknown outcome") }) == nil {
				t.Error("no error")
			}
		}, true},
		{"a Write that panics", func(t *testing.T, c connection.Connection[*client]) {
			defer func() { _ = recover() }()
			_ = connection.Write(t.Context(), c, func(*client) error { panic("boom") })
		}, true},
		{"a Write through a view", func(t *testing.T, c connection.Connection[*client]) {
			if err := connection.Write(t.Context(), connection.Scoped(c, "ann", same), ok); err != nil {
				t.Error(err)
			}
		}, true},
		{"Clear", func(_ *testing.T, c connection.Connection[*client]) { connection.Clear(c) }, true},
		{"Clear of a view", func(_ *testing.T, c connection.Connection[*client]) {
			connection.Clear(connection.Scoped(c, "ann", same))
		}, false},
		{"Clear of an embedding type", func(_ *testing.T, c connection.Connection[*client]) {
			connection.Clear(struct{ connection.Connection[*client] }{c})
		}, true},
		{"ClearText", func(_ *testing.T, c connection.Connection[*client]) { connection.ClearText(c, "k", nil) }, true},
		{"ClearText of another", func(_ *testing.T, c connection.Connection[*client]) { connection.ClearText(c, "other", nil) }, false},
		{"Reset", func(t *testing.T, c connection.Connection[*client]) {
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, world(t, nil), "x", new(source).connect)
			loads := 0
			read(t, c, "k", &loads)
			read(t, c, "k", &loads)
			test.end(t, c)
			if read(t, c, "k", &loads); (loads == 2) != test.want {
				t.Errorf("%d loads; want the read ended: %t", loads, test.want)
			}
		})
	}
}

func same(c *client) *client { return c }

// In Streamlit a result that was being computed while the cache was cleared is written back.
func TestDefect07_ReadUnderWayIsNotKept(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(connection.Connection[*client]){
		"Clear":     func(c connection.Connection[*client]) { connection.Clear(c) },
		"ClearText": func(c connection.Connection[*client]) { connection.ClearText(c, "k", nil) },
		"Write": func(c connection.Connection[*client]) {
			_ = connection.Write(context.Background(), c, func(*client) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := open(t, world(t, nil), "x", new(source).connect)
				gate, loads := make(chan struct{}), 0
				load := func(context.Context, *client) (int, error) { loads++; n := loads; <-gate; return n, nil }
				first := make(chan int)
				go func() {
					v, _ := connection.Read(context.Background(), c, "k", cacheForever, load)
					first <- v
				}()
				synctest.Wait()
				end(c)
				close(gate)
				if v := <-first; v != 1 {
					t.Errorf("the first got %d", v)
				}
				if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != 2 || err != nil {
					t.Errorf("got %d, %v: what was read before", v, err)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// In Streamlit a function with ttl=0 is cached for an instant, behind a lock: its callers wait for
// each other. Here a TTL of 0 goes past the cache.
func TestDefect14_TTLOfZeroSerialisesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		gate := make(chan struct{})
		var running, loads atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, _ = connection.Read(context.Background(), c, "k", 0, func(context.Context, *client) (int, error) {
					running.Add(1)
					loads.Add(1)
					<-gate
					return 0, nil
				})
			})
		}
		synctest.Wait()
		if n := running.Load(); n != 20 {
			t.Errorf("%d of 20 run side by side", n)
		}
		close(gate)
		wg.Wait()
	})
}

func TestOneLoadForAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, world(t, nil), "x", new(source).connect)
		gate := make(chan struct{})
		var loads atomic.Int64
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				v, err := connection.Read(context.Background(), c, "k", cacheForever, func(context.Context, *client) (int, error) {
					<-gate
					return int(loads.Add(1)), nil
				})
				if v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// In Streamlit there is no way to clear one query.
func TestDefect20_OneReadCanBeCleared(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	ann := connection.Scoped(c, "ann", same)
	counts := map[string]*int{"select 1": new(int), "select 2": new(int)}
	readAll := func(c connection.Connection[*client]) {
		for text, n := range counts {
			for _, arg := range []int{1, 2} {
				_, _ = connection.Read(t.Context(), c, connection.Key(text, arg), cacheForever, func(context.Context, *client) (int, error) { *n++; return 0, nil })
			}
		}
	}
	check := func(what string, one, two int) {
		t.Helper()
		readAll(c)
		readAll(ann)
		if a, b := *counts["select 1"], *counts["select 2"]; a != one || b != two {
			t.Errorf("%s: %d and %d loads, want %d and %d", what, a, b, one, two)
		}
	}
	check("at first", 4, 4)
	check("again", 4, 4)
	connection.ClearText(c, "select 1", nil)
	check("with any arguments, for every identity", 8, 4)
	args, _ := cache.AppendArg(nil, 2)
	connection.ClearText(c, "select 1", args)
	check("with these arguments", 10, 4)
	connection.ClearText(ann, "select 2", nil)
	check("of one identity", 10, 6)
	connection.ClearText(c, "select 3", nil)
	check("of none", 10, 6)
}

// In Streamlit connections of one name with different parameters share what they have read.
func TestDefect02_ParametersAreInTheKey(t *testing.T) {
	t.Parallel()
	shared := cache.New(cache.Config{})
	t.Cleanup(func() { _ = shared.Close() })
	src := new(source)
	r := world(t, nil)
	loads := 0
	for i, host := range []string{"one", "two", "one"} {
		c := open(t, r, "x", src.connect, connection.With("host", host), connection.WithCache(shared))
		if got := read(t, c, "k", &loads); got != host || loads != i+1 {
			t.Errorf("read %q in %d loads", got, loads)
		}
	}
	connection.Register(r, "src", src.connect)
	for i, host := range []string{"one", "two"} {
		c := get[*client](t, r, "x", connection.WithType("src"), connection.With("host", host))
		if got := read(t, c, "k", &loads); got != host || loads != i+4 {
			t.Errorf("read %q in %d loads", got, loads)
		}
	}
}

func TestTTLs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		section any // its ttl; nil: none
		opts    []connection.Option
		call    time.Duration
		want    time.Duration // how long it is served; MaxInt64: forever
	}{
		{"of the call", "1h", []connection.Option{connection.WithDefaultTTL(time.Hour)}, time.Minute, time.Minute},
		{"of the section", "1m", []connection.Option{connection.WithDefaultTTL(time.Hour)}, cache.Default, time.Minute},
		{"of the section in seconds", 60, nil, cache.Default, time.Minute},
		{"of the option", nil, []connection.Option{connection.WithDefaultTTL(time.Minute)}, cache.Default, time.Minute},
		{"of a parameter in code", "1h", []connection.Option{connection.With("ttl", "1m")}, cache.Default, time.Minute},
		{"forever", nil, nil, cache.Default, math.MaxInt64},
		{"forever in the section", "forever", []connection.Option{connection.WithDefaultTTL(time.Minute)}, cache.Default, math.MaxInt64},
		{"the option that is none", nil, []connection.Option{connection.WithDefaultTTL(cache.Default)}, cache.Default, math.MaxInt64},
		{"0 of the call", "1m", nil, 0, 0},
		{"0 of the section", "0s", []connection.Option{connection.WithDefaultTTL(time.Hour)}, cache.Default, 0},
		{"0 of the option", nil, []connection.Option{connection.WithDefaultTTL(0)}, cache.Default, 0},
		{"any other negative", nil, nil, -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				keys := map[string]any{}
				if test.section != nil {
					keys["ttl"] = test.section
				}
				exact := cache.New(cache.Config{Jitter: -1})
				defer func() { _ = exact.Close() }()
				c := open(t, world(t, section("x", keys)), "x", new(source).connect, append(test.opts, connection.WithCache(exact))...)
				loads := 0
				read := func() int {
					_, err := connection.Read(t.Context(), c, "k", test.call, func(context.Context, *client) (int, error) { loads++; return 0, nil })
					if err != nil {
						t.Fatal(err)
					}
					return loads
				}
				read()
				served := func() bool { before := loads; return read() == before }
				switch test.want {
				case 0:
					if served() {
						t.Error("served from the cache")
					}
				case math.MaxInt64:
					pass(24 * time.Hour)
					if !served() {
						t.Error("not served after a day")
					}
				default:
					pass(test.want - 1)
					if !served() {
						t.Errorf("not served before %v", test.want)
					}
					pass(time.Nanosecond)
					if served() {
						t.Errorf("served after %v", test.want)
					}
				}
			})
		})
	}
}

// Whoever does not say how long is told once what that means.
func TestForeverIsToldOnce(t *testing.T) {
	t.Parallel()
	var l logs
	c := open(t, world(t, nil), "x", new(source).connect, connection.WithLogger(logger(&l)))
	loads := 0
	for range 3 {
		for _, key := range []string{"a", "b"} {
			_, err := connection.Read(t.Context(), c, key, cache.Default, func(context.Context, *client) (int, error) { loads++; return 0, nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		connection.Clear(c)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.count("until a write through this connection, or for good: set ttl"); n != 1 || l.count("level=INFO") != 1 || l.count("connection=x") != 1 {
		t.Errorf("told %d times:\n%s", n, &l)
	}
}

// Whoever says how long is told nothing.
func TestForeverIsNotToldToThoseWhoSayHowLong(t *testing.T) {
	t.Parallel()
	var l logs
	c := open(t, world(t, nil), "x", new(source).connect, connection.WithLogger(logger(&l)))
	_, err := connection.Read(t.Context(), c, "k", time.Minute, func(context.Context, *client) (int, error) { return 0, nil })
	if err != nil || l.String() != "" {
		t.Errorf("%v, %s", err, &l)
	}
}

// A section's TTL that changes holds at once.
func TestChangedTTLHolds(t *testing.T) {
	t.Parallel()
	f := newFile(t, "[connections.x]\nttl = '1h'\n")
	store := f.load()
	c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "x", new(source).connect)
	loads := 0
	read := func() {
		_, err := connection.Read(t.Context(), c, "k", cache.Default, func(context.Context, *client) (int, error) { loads++; return 0, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	read()
	read()
	if loads != 1 {
		t.Errorf("%d loads", loads)
	}
	f.write("[connections.x]\nttl = 0\n")
	refresh(t, store)
	for range 3 {
		read()
	}
	if loads != 4 {
		t.Errorf("%d loads; the TTL of 0 does not hold", loads)
	}
}

// A parameter that changes while a read runs: what it found does not serve for the new ones.
func TestReadDuringAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFile(t, twoSections)
	store := f.load()
	c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "a", new(source).connect)
	loads := 0
	load := func(_ context.Context, client *client) (string, error) {
		if loads++; loads == 1 {
			f.write("[connections.a]\nhost = 'changed'\n")
			refresh(t, store)
		}
		return client.host, nil
	}
	first, err := connection.Read(t.Context(), c, "k", cacheForever, load)
	if err != nil || first != "a1" {
		t.Errorf("the read under way: %q, %v", first, err)
	}
	for range 2 {
		if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != "changed" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
	}
	if loads != 2 {
		t.Errorf("%d loads", loads)
	}
}

// The same, when the client changes before the load has begun.
func TestReadThatWaitedForAChangedClientIsNotKeptForTheOld(t *testing.T) {
	t.Parallel()
	host := "h1"
	r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(name string) (string, bool) { return host, name == "SOURCE_HOST" }}
	src := new(source)
	c := open(t, r, "x", src.connect)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	tries := 0
	load := func(_ context.Context, client *client) (string, error) {
		if tries++; tries == 1 {
			host = "h2"
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
			return "", said(true) // the next try is lent another client
		}
		return client.host, nil
	}
	if v, err := connection.Read(t.Context(), c, "k", cacheForever, load); v != "h2" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	host = "h1"
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	loads := 0
	if v := read(t, c, "k", &loads); v != "h1" || loads != 1 {
		t.Errorf("read %q in %d loads: what was read from another host", v, loads)
	}
}

// A dial that a Reset has overtaken, with parameters that have changed back since: what it reads is lent to
// its caller, and kept for nobody.
func TestReadFromAnOvertakenClientIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host := "h1"
		r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(name string) (string, bool) { return host, name == "SOURCE_HOST" }}
		src, gate := new(source), make(chan struct{})
		c := open(t, r, "x", src.connect)
		src.dial = func(context.Context, *connection.Params) error {
			if src.connects.Load() == 2 {
				<-gate
			}
			return nil
		}
		tries := 0
		found := make(chan string)
		go func() {
			v, err := connection.Read(context.Background(), c, "k", cacheForever, func(_ context.Context, client *client) (string, error) {
				if tries++; tries == 1 {
					host = "h2"
					if err := c.Reset(); err != nil {
						t.Error(err)
					}
					return "", said(true) // the next try dials with h2
				}
				return client.host, nil
			})
			if err != nil {
				t.Error(err)
			}
			found <- v
		}()
		pass(time.Second) // the pause of the retry is over
		synctest.Wait()
		host = "h1"
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		raw(t, c)
		close(gate)
		if v := <-found; v != "h2" {
			t.Errorf("the overtaken read gave %q", v)
		}
		loads := 0
		if v := read(t, c, "k", &loads); v != "h1" || loads != 1 {
			t.Errorf("read %q in %d loads: what an overtaken client has read", v, loads)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// Parameters that change between the look at them and the connect: from then on, reads are cached for the new ones.
func TestReadsAreCachedAfterAChangeBeforeTheDial(t *testing.T) {
	t.Parallel()
	looks := 0
	r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(name string) (string, bool) {
		if looks++; looks <= 2 { // the first connect, and the look after the Reset
			return "h1", true
		}
		return "h2", true
	}}
	c := open(t, r, "x", new(source).connect)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	loads := 0
	for range 3 {
		if v := read(t, c, "k", &loads); v != "h2" {
			t.Errorf("read %q", v)
		}
	}
	if loads > 2 { // the first may have gone past the cache
		t.Errorf("%d loads", loads)
	}
}

// An in-memory database that is reset is another one: what was read from it ends.
func TestResetOfEphemeralDataEndsItsReads(t *testing.T) {
	t.Parallel()
	src := &source{dial: func(_ context.Context, p *connection.Params) error { p.Ephemeral(); return nil }}
	c := open(t, world(t, nil), "x", src.connect)
	loads := 0
	read(t, c, "k", &loads)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if read(t, c, "k", &loads); loads != 2 {
		t.Errorf("%d loads", loads)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("shared results", func(t *testing.T) {
		t.Parallel()
		c := open(t, world(t, nil), "x", new(source).connect)
		p := cache.Policy{TTL: cacheForever, Shared: true}
		load := func(context.Context, *client) (*int, error) { return new(int), nil }
		a, _ := connection.Load(t.Context(), c, connection.Key("k"), p, load)
		b, _ := connection.Load(t.Context(), c, connection.Key("k"), p, load)
		if a == nil || a != b {
			t.Error("not the stored value itself")
		}
	})
	t.Run("stale while the source fails", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := open(t, world(t, nil), "x", new(source).connect, connection.WithRetry(connection.Retry{Window: -1}))
			p := cache.Policy{TTL: time.Minute, Stale: time.Hour}
			var failing error
			loads := 0
			load := func(context.Context, *client) (int, error) { loads++; return loads, failing }
			get := func() (int, error) { return connection.Load(t.Context(), c, connection.Key("k"), p, load) }
			_, _ = get()
			pass(2 * time.Minute)
			failing = said(true)
			for range 3 {
				if v, err := get(); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
				synctest.Wait()
			}
			pass(2 * time.Minute) // refreshes that fail are not begun one after another
			failing = said(false)
			_, _ = get()
			synctest.Wait()
			if _, err := get(); !errors.Is(err, said(false)) {
				t.Errorf("got %v: an answer that denies", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("refreshes hold a lease and end with Close", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []string{"opened", "shared", "view"} {
			synctest.Test(t, func(t *testing.T) {
				src := new(source)
				r := world(t, nil)
				connection.Register(r, "src", src.connect)
				var c connection.Connection[*client]
				switch kind {
				case "opened":
					c = open(t, r, "x", src.connect)
				default:
					c = get[*client](t, r, "x", connection.WithType("src"))
				}
				of := c
				if kind == "view" {
					of = connection.Scoped(c, "ann", same)
				}
				p := cache.Policy{TTL: time.Minute, Stale: time.Hour}
				var ended error
				loads := 0
				get := func() {
					_, err := connection.Load(t.Context(), of, connection.Key("k"), p, func(ctx context.Context, client *client) (int, error) {
						if loads++; loads == 1 {
							return 1, nil
						}
						return 0, client.use(func() { <-ctx.Done(); ended = context.Cause(ctx) })
					})
					if err != nil {
						t.Error(err)
					}
				}
				get()
				pass(2 * time.Minute)
				get() // stale; the refresh waits for the end of its context
				synctest.Wait()
				start := time.Now()
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if ended == nil || time.Since(start) != 0 {
					t.Errorf("%s: ended by %v after %v", kind, ended, time.Since(start))
				}
				src.check(t)
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	t.Run("no rows as an answer", func(t *testing.T) {
		t.Parallel()
		c := open(t, world(t, nil), "x", new(source).connect)
		none, loads := errors.New("no rows"), 0
		p := cache.Policy{TTL: cacheForever, Negative: time.Minute, IsNegative: func(err error) bool { return errors.Is(err, none) }}
		for range 3 {
			_, err := connection.Load(t.Context(), c, connection.Key("k"), p, func(context.Context, *client) (int, error) { loads++; return 0, none })
			wantErrorIs(t, err, none)
		}
		if loads != 1 {
			t.Errorf("%d loads", loads)
		}
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c := open(t, world(t, nil), "x", new(source).connect)
	p := &cache.Policy{TTL: cache.Default}
	if _, ok := connection.Lookup[string](c, "k", nil, p); ok {
		t.Error("found what nobody has read")
	}
	loads := 0
	read(t, c, "k", &loads)
	if v, ok := connection.Lookup[string](c, "k", nil, p); !ok || v != "localhost" {
		t.Errorf("got %q, %t", v, ok)
	}
	if _, ok := connection.Lookup[int](c, "k", nil, p); ok {
		t.Error("found for another type")
	}
	if n := connection.Stats(c).Connects; n != 1 {
		t.Errorf("%d connects", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := connection.Lookup[string](c, "k", nil, p); ok {
		t.Error("found after Close")
	}
}

// A context of the load is derived from the caller's.
func TestLoadGetsTheCallersContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	c := open(t, world(t, nil), "x", new(source).connect)
	ctx := context.WithValue(t.Context(), key{}, "value")
	for _, ttl := range []time.Duration{0, time.Minute} {
		_, err := connection.Read(ctx, c, "k", ttl, func(ctx context.Context, _ *client) (int, error) {
			if ctx.Value(key{}) != "value" {
				t.Error("another context")
			}
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Reads, writes, clears, resets and changed parameters at once: what comes out is never older than the last write
// that had ended when the read began.
func TestReadsAreNeverOlderThanTheLastWrite(t *testing.T) {
	t.Parallel()
	src := new(source)
	c := open(t, world(t, nil), "x", src.connect)
	views := []connection.Connection[*client]{c, connection.Scoped(c, "ann", same), connection.Scoped(c, "bob", same)}
	var data, written atomic.Int64 // in the source; by writes that have ended
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 400 {
				before := written.Load()
				got, err := connection.Read(context.Background(), views[i%len(views)], "k", cacheForever, func(context.Context, *client) (int64, error) {
					return data.Load(), nil
				})
				if err != nil || got < before {
					t.Errorf("read %d, %v; written before: %d", got, err, before)
				}
				runtime.Gosched()
			}
		})
	}
	wg.Go(func() {
		for range 300 {
			if err := connection.Write(context.Background(), views[1], func(*client) error { data.Add(1); return nil }); err != nil {
				t.Error(err)
			}
			written.Store(data.Load())
			runtime.Gosched()
		}
	})
	wg.Go(func() {
		for range 100 {
			if err := c.Reset(); err != nil {
				t.Error(err)
			}
			connection.Clear(views[2])
			runtime.Gosched()
		}
	})
	wg.Wait()
}

func TestLastingReadsOutliveWrites(t *testing.T) {
	t.Parallel()
	c := connection.Of("src", "client")
	defer c.Close()
	ann := connection.Scoped(c, "ann", func(s string) string { return s + " as ann" })
	loads := 0
	read := func(c connection.Connection[string], lasting bool) string {
		t.Helper()
		load := connection.Load[string, string]
		if lasting {
			load = connection.LoadLasting[string, string]
		}
		key := connection.Key("ordinary")
		if lasting {
			key = connection.Key("lasting")
		}
		v, err := load(t.Context(), c, key, cache.Policy{TTL: cache.Forever}, func(_ context.Context, client string) (string, error) {
			loads++
			return client, nil
		})
		if err != nil {
			t.Error(err)
		}
		return v
	}
	all := func(want int) {
		t.Helper()
		if read(c, false) != "client" || read(c, true) != "client" || read(ann, false) != "client as ann" || read(ann, true) != "client as ann" {
			t.Error("a read gave something else")
		}
		if loads != want {
			t.Errorf("%d loads, want %d", loads, want)
		}
	}
	all(4)
	all(4)
	if err := connection.Write(t.Context(), ann, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	all(6) // the ordinary ones
	if v, hit := connection.LookupLasting[string](ann, "lasting", nil, &cache.Policy{TTL: cache.Forever}); !hit || v != "client as ann" {
		t.Errorf("LookupLasting: %q, %t", v, hit)
	}
	connection.ClearText(c, "lasting", nil)
	all(8)
	connection.Clear(ann)
	all(10)
	connection.Clear(c)
	all(14)
	if err := ann.Close(); err != nil {
		t.Fatal(err)
	}
	if _, hit := connection.LookupLasting[string](ann, "lasting", nil, &cache.Policy{TTL: cache.Forever}); hit {
		t.Error("a closed view found something")
	}
}
