//go:build unix

package rediscache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

func TestProcessesShareWhatOneHasLoaded(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	a := db.process(t, openTier(t, srv.values()), "db1")
	tier := openTier(t, srv.values())
	b := db.process(t, tier, "db1")
	db.set(1)
	expect(t, "read in one", read(t, a, "k"), 1)
	expect(t, "read in the other", read(t, b, "k"), 1)
	expect(t, "read in the other again", read(t, b, "k"), 1)
	expect(t, "loads", db.loads("k"), 1)
	expect(t, "hits in the tier", tier.Stats().Hits, 1)
	expect(t, "hits in the tier by the connection", connection.Stats(b).Cache.TierHits, 1)

	write(t, a, 2)
	expect(t, "read by the writer", read(t, a, "k"), 2)
	eventually(t, "the other sees it", func() bool { return read(t, b, "k") == 2 })
	expect(t, "loads", db.loads("k"), 2)
	connection.Clear(b)
	expect(t, "read after Clear", read(t, b, "k"), 2)
	expect(t, "loads", db.loads("k"), 3)
}

func TestIdentitiesAndDatabasesShareNothing(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	tier, other := openTier(t, srv.values()), openTier(t, srv.values())
	one, two := new(database), new(database)
	one.set(1)
	two.set(2)
	a, b := one.process(t, tier, "db1"), two.process(t, other, "db2")
	same := func(s *session) *session { return s }
	ann, bob := connection.Scoped(a, "ann", same), connection.Scoped(a, "bob", same)
	annThere := connection.Scoped(one.process(t, other, "db1"), "ann", same)

	expect(t, "one database", read(t, a, "k"), 1)
	expect(t, "the other", read(t, b, "k"), 2)
	one.set(3)
	expect(t, "ann", read(t, ann, "k"), 3)
	one.set(4)
	expect(t, "bob", read(t, bob, "k"), 4)
	expect(t, "ann elsewhere", read(t, annThere, "k"), 3)
	connection.Clear(annThere)
	eventually(t, "what was ann's has ended", func() bool { return read(t, ann, "k") == 4 })
	expect(t, "the connection's own", read(t, a, "k"), 1)
}

func TestTTLsHoldInRedis(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	a, b := db.process(t, openTier(t, srv.values()), "db1"), db.process(t, openTier(t, srv.values()), "db1")
	readFor := func(c connection.Connection[*session], ttl time.Duration) {
		t.Helper()
		if _, err := connection.Read(t.Context(), c, "k", ttl, func(_ context.Context, s *session) (int, error) { return s.db.read("k"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	readFor(a, 300*time.Millisecond)
	key := srv.keys("r")[0]
	if left, err := srv.do("PTTL", key).AsInt64(); err != nil || left > 300 || left < 1 {
		t.Errorf("it is in Redis for %d ms, %v", left, err)
	}
	eventually(t, "it leaves Redis", func() bool { return len(srv.keys("r")) == 0 })
	readFor(b, time.Hour)
	expect(t, "loads", db.loads("k"), 2)
	<-time.After(20 * time.Millisecond)
	readFor(a, 10*time.Millisecond)
	expect(t, "loads after a reader who wants it newer", db.loads("k"), 3)
}

func TestPlantedEntriesAreNotServed(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	for name, more := range map[string]map[string]any{
		"plain":     {"namespace": "plain"},
		"encrypted": {"namespace": "encrypted", "encryption_key": "an encryption key, which has to be long enough"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := new(database)
			db.set(1)
			a := db.process(t, openTier(t, srv.values(more)), "db1")
			read(t, a, "k")
			key := keyOf(t, srv, name)
			sealed, err := srv.do("GET", key).ToString()
			if err != nil {
				t.Fatal(err)
			}
			read(t, a, "other")
			var other string
			for _, k := range srv.keys("r") {
				if strings.HasPrefix(k, "{"+name+"}") && k != key {
					other = k
				}
			}
			changed := []byte(sealed)
			changed[len(changed)/2] ^= 1
			otherSealed, err := srv.do("GET", other).ToString()
			if err != nil {
				t.Fatal(err)
			}
			for what, planted := range map[string]string{
				"a changed byte": string(changed), "a truncated one": sealed[:len(sealed)-1], "another one": otherSealed, "anything": "1", "nothing": "",
			} {
				if err := srv.do("SET", key, planted, "PX", "60000").Error(); err != nil {
					t.Fatal(err)
				}
				tier := openTier(t, srv.values(more))
				loads := db.loads("k")
				expect(t, what, read(t, db.process(t, tier, "db1"), "k"), 1)
				expect(t, what+": loads", db.loads("k"), loads+1)
				expect(t, what+": foreign entries", tier.Stats().Foreign, 1)
			}
			// The right one is found, but not without an end: that is not how it was stored.
			if err := srv.do("SET", key, sealed).Error(); err != nil {
				t.Fatal(err)
			}
			loads := db.loads("k")
			read(t, db.process(t, openTier(t, srv.values(more)), "db1"), "k")
			expect(t, "loads instead of one without an end", db.loads("k"), loads+1)
		})
	}
}

// keyOf is the key of the only result in a namespace.
func keyOf(t *testing.T, srv *server, namespace string) string {
	t.Helper()
	for _, key := range srv.keys("r") {
		if strings.HasPrefix(key, "{"+namespace+"}") {
			return key
		}
	}
	t.Fatal("there is no result")
	return ""
}

func TestKeysAndValuesInRedisTellNothing(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	tier := openTier(t, srv.values(map[string]any{"encryption_key": "an encryption key, which has to be long enough"}))
	c := db.process(t, tier, "secret-host")
	view := connection.Scoped(c, "secret-token", func(s *session) *session { return s })
	if _, err := connection.Read(t.Context(), view, connection.Key("secret-key", "secret-argument"), time.Hour, func(context.Context, *session) (string, error) {
		return "secret-value", nil
	}); err != nil {
		t.Fatal(err)
	}
	keys, err := srv.do("KEYS", "*").AsStrSlice()
	if err != nil || len(keys) != 3 {
		t.Fatalf("%q, %v", keys, err)
	}
	for _, key := range keys {
		value, err := srv.do("GET", key).ToString()
		if err != nil {
			t.Fatal(err)
		}
		if left, err := srv.do("PTTL", key).AsInt64(); err != nil || left <= 0 {
			t.Errorf("%s has no end", key)
		}
		if strings.Contains(key+value, "secret") || strings.Contains(key+value, "pets") {
			t.Errorf("%q: %q", key, value)
		}
	}
}

func TestOtherSecretsAndNamespacesShareNothing(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	for i, more := range []map[string]any{{}, {"namespace": "staging"}, {"secret": "the secret of somebody else, of the same length"}} {
		read(t, db.process(t, openTier(t, srv.values(more)), "db1"), "k")
		expect(t, "loads", db.loads("k"), i+1)
	}
}

func TestRedisThatIsFull(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	db.set(1)
	tierA, tierB := openTier(t, srv.values()), openTier(t, srv.values(map[string]any{"away_ttl": "0.001s"}))
	a, b := db.process(t, tierA, "db1"), db.process(t, tierB, "db1")
	read(t, a, "k")
	read(t, b, "k")
	if err := srv.do("CONFIG", "SET", "maxmemory", "1mb").Error(); err != nil {
		t.Fatal(err)
	}
	// There is no room for a new epoch, and still the other hears of the end.
	write(t, a, 2)
	eventually(t, "the other sees the write", func() bool { return read(t, b, "k") == 2 })
	write(t, a, 3)
	eventually(t, "the other sees the next write", func() bool { return read(t, b, "k") == 3 })
	expect(t, "up", tierA.Stats().Up && tierB.Stats().Up, true)
	if err := srv.do("CONFIG", "SET", "maxmemory", "0").Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "results are stored again", func() bool {
		read(t, a, "k")
		write(t, a, 3)
		return len(srv.keys("r")) > 0 && tierA.Stats().Stores > 1
	})
}

func TestRedisThatIsTooSlowIsLeftAlone(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	db.set(1)
	tier := openTier(t, srv.values(map[string]any{"away_ttl": "0.001s"}))
	a, b := db.process(t, tier, "db1"), db.process(t, openTier(t, srv.values()), "db1")
	read(t, a, "known")
	client := tier.current.Load()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * restAfter {
		client.did(ended, context.Canceled)
		client.did(t.Context(), nil)
	}
	expect(t, "left alone because of callers who did not wait", client.resting(), false)
	for range 10 { // the longest rest
		client.restUntil.Store(min(client.restUntil.Load(), since()))
		for range restAfter {
			client.did(t.Context(), context.DeadlineExceeded)
		}
	}
	expect(t, "left alone", client.resting(), true)
	stores := tier.Stats().Stores
	read(t, a, "k")
	<-time.After(10 * time.Millisecond) // longer than what is not watched lives
	read(t, a, "k")
	expect(t, "loads", db.loads("k"), 1)
	expect(t, "stored", tier.Stats().Stores, stores)
	expect(t, "up", tier.Stats().Up, true)
	write(t, b, 2)
	eventually(t, "it hears of writes", func() bool { return read(t, a, "k") == 2 })
	write(t, a, 3)
	eventually(t, "it tells of writes", func() bool { return read(t, b, "k") == 3 })
}

func TestRedisThatHasForgottenAnEnd(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	db.set(1)
	tier := openTier(t, srv.values())
	c := db.process(t, tier, "db1")
	read(t, c, "k")
	epoch := srv.keys("e")[0]
	before, err := srv.do("GET", epoch).ToString()
	if err != nil {
		t.Fatal(err)
	}
	write(t, c, 2)
	// As on a replica that did not get the end before it became the master.
	if err := srv.do("SET", epoch, before).Error(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		expect(t, "read", read(t, c, "k"), 2)
	}
	expect(t, "seen", tier.Stats().Errors > 0, true)
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	for range 20 {
		expect(t, "read when it is up again", read(t, c, "k"), 2) // what it has of the time before is of no use
	}
	eventually(t, "it is used again", func() bool {
		before := tier.Stats().Hits
		read(t, db.process(t, tier, "db1"), "k") // which has nothing in memory
		return tier.Stats().Hits > before
	})
}

func TestStrangeThingsUnderTheKeysOfEpochs(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	tier := openTier(t, srv.values(map[string]any{"away_ttl": "0.001s"}))
	c := db.process(t, tier, "db1")
	read(t, c, "k")
	epoch := srv.keys("e")[0]
	for _, command := range [][]string{{"SET", epoch, "1"}, {"SET", epoch, ""}, {"DEL", epoch}, {"LPUSH", epoch, "x"}} {
		db.set(db.value + 1)
		if command[0] == "LPUSH" {
			srv.do("DEL", epoch)
		}
		if err := srv.do(command...).Error(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what depended on it has ended", func() bool { return read(t, c, "k") == db.value })
	}
	expect(t, "up", tier.Stats().Up, true)
	write(t, c, 100) // puts a good one there
	read(t, c, "k")
	stores := tier.Stats().Stores
	write(t, c, 101)
	expect(t, "read", read(t, c, "k"), 101)
	expect(t, "stored", tier.Stats().Stores, stores+1)
}

func TestResultsThatStayInTheProcessAreToldOnce(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	var log logs
	section := srv.values(map[string]any{"max_bytes": 1000})
	tier, err := Open(t.Context(), "shared_cache", append(isolated(map[string]any{"shared_cache": section}), connection.WithLogger(log.logger()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer tier.Close()
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	db := new(database)
	a := db.process(t, tier, "db1")
	load := func(key string) {
		t.Helper()
		for range 2 {
			if _, err := connection.Read(t.Context(), a, key, time.Hour, func(context.Context, *session) (fmt.Stringer, error) {
				db.read(key)
				return time.Second, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	load("one")
	load("other")
	expect(t, "loads", db.loads("one"), 1)
	expect(t, "told", strings.Count(log.String(), "stay in this process"), 1)
	expect(t, "counted", tier.Stats().Local, 2)
	var dynamic any = level(1)
	for i := range 2 {
		if _, err := connection.Read(t.Context(), a, connection.Key("any", i), time.Hour, func(context.Context, *session) (any, error) { return dynamic, nil }); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "told", strings.Count(log.String(), "stay in this process"), 2)

	if _, err := connection.Read(t.Context(), a, "large", time.Hour, func(context.Context, *session) (string, error) {
		return strings.Repeat("x", 1000), nil
	}); err != nil {
		t.Fatal(err)
	}
	expect(t, "too large", tier.Stats().TooLarge, 1)
	expect(t, "in Redis", len(srv.keys("r")), 0)
}

func TestLeaseOfAProcessThatDies(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	section := func(wait, lease string) map[string]any {
		return srv.values(map[string]any{"lease": true, "lease_wait": wait, "lease_time": lease})
	}
	a := db.process(t, openTier(t, section("30s", "30s")), "db1")
	impatient := openTier(t, section("0.02s", "30s"))
	b := db.process(t, impatient, "db1")
	patient := openTier(t, section("30s", "30s"))
	c := db.process(t, patient, "db1")

	loading, died := make(chan struct{}), make(chan struct{})
	ctx, die := context.WithCancel(t.Context())
	go func() {
		defer close(died)
		_, _ = connection.Read(ctx, a, "k", time.Hour, func(ctx context.Context, _ *session) (int, error) {
			close(loading)
			<-ctx.Done()
			return 0, ctx.Err()
		})
	}()
	<-loading
	read(t, b, "k")
	expect(t, "loads by who does not wait for long", db.loads("k"), 1)
	expect(t, "those who waited in vain", impatient.Stats().LeaseTimeouts, 1)
	// What that has stored is found, lease or no lease.
	read(t, c, "k")
	expect(t, "loads after it was stored", db.loads("k"), 1)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connection.Read(ended, c, "other", time.Hour, func(ctx context.Context, _ *session) (int, error) { return 0, ctx.Err() }); err == nil {
		t.Error("a context that has ended was no error")
	}
	die()
	<-died
	eventually(t, "the lease was given back", func() bool { return len(srv.keys("l")) == 0 })
	// A lease that nobody gives back ends.
	key := strings.Replace(srv.keys("r")[0], ":r:", ":l:", 1)
	if err := srv.do("SET", key, "of somebody who is gone", "PX", "100").Error(); err != nil {
		t.Fatal(err)
	}
	connection.Clear(c)
	read(t, c, "k")
	expect(t, "loads after the lease has ended", db.loads("k"), 2)
	expect(t, "those who waited in vain", patient.Stats().LeaseTimeouts, 0)
}

func TestTierThatIsClosedFirst(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	db.set(1)
	tier := openTier(t, srv.values(map[string]any{"away_ttl": "0.001s"}))
	c := db.process(t, tier, "db1")
	read(t, c, "k")
	if err := tier.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "up", tier.Stats().Up, false)
	db.set(2) // somebody else's write
	eventually(t, "the next value is read", func() bool { return read(t, c, "k") == 2 })
	write(t, c, 3)
	expect(t, "read after a write", read(t, c, "k"), 3)
}

func TestResetConnectsAnew(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	db := new(database)
	db.set(1)
	tier, other := openTier(t, srv.values()), openTier(t, srv.values())
	a, b := db.process(t, tier, "db1"), db.process(t, other, "db1")
	read(t, a, "k")
	if err := tier.Reset(); err != nil {
		t.Fatal(err)
	}
	write(t, b, 2)
	expect(t, "read after a write that nobody was there to hear of", read(t, a, "k"), 2)
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	read(t, b, "k")
	expect(t, "read", read(t, a, "k"), 2)
	write(t, b, 3)
	eventually(t, "it hears of writes again", func() bool { return read(t, a, "k") == 3 })
	if err := connection.Ping(t.Context(), tier); err != nil {
		t.Error(err)
	}
}

func TestNamespaceThatChanges(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	path := filepath.Join(t.TempDir(), "secrets.toml")
	keep := func(namespace string) {
		t.Helper()
		text := fmt.Sprintf("[connections.shared_cache]\nurl = %q\nsecret = %q\nnamespace = %q\n", srv.url(), testSecret, namespace)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep("one")
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(path))
	if err != nil {
		t.Fatal(err)
	}
	tier, err := Open(t.Context(), "shared_cache", connection.WithSecrets(store), connection.WithLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	defer tier.Close()
	db := new(database)
	db.set(1)
	a, b := db.process(t, tier, "db1"), db.process(t, openTier(t, srv.values(map[string]any{"namespace": "other"})), "db1")
	read(t, a, "k")
	keep("other")
	if err := tier.Reset(); err != nil {
		t.Fatal(err)
	}
	read(t, a, "k")
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	read(t, a, "k")
	write(t, b, 2)
	eventually(t, "it hears of writes in the other namespace", func() bool { return read(t, a, "k") == 2 })
}

func TestResultsWithoutEpochs(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	for i, mark := range []string{"", "here", "here"} {
		tier := openTier(t, srv.values())
		c := cache.New(cache.Config{})
		s := c.TieredScope("scope", nil, cache.TierScope{Tier: tier, Mark: mark})
		v, err := cache.Get(t.Context(), s, cache.KeyOf("k"), cache.Policy{TTL: time.Hour}, func(context.Context) (int, error) { return i, nil })
		if want := min(i, 1); v != want || err != nil {
			t.Errorf("got %d, %v, want %d", v, err, want)
		}
		expect(t, "errors", tier.Stats().Errors, 0)
		_ = c.Close()
	}
}

func TestSecretThatChanges(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	path := filepath.Join(t.TempDir(), "secrets.toml")
	keep := func(secret string) {
		t.Helper()
		text := fmt.Sprintf("[connections.shared_cache]\nurl = %q\nsecret = %q\naway_ttl = 0.001\n", srv.url(), secret)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(testSecret)
	store, err := secrets.Load(secrets.WithoutDefaults(), secrets.WithPath(path))
	if err != nil {
		t.Fatal(err)
	}
	var log logs
	tier, err := Open(t.Context(), "shared_cache", connection.WithSecrets(store), connection.WithLogger(log.logger()))
	if err != nil {
		t.Fatal(err)
	}
	defer tier.Close()
	eventually(t, "the tier is up", func() bool { return tier.Stats().Up })
	db := new(database)
	c := db.process(t, tier, "db1")
	read(t, c, "k")
	keep("the secret of somebody else, of another length than the first")
	if err := tier.Reset(); err != nil {
		t.Fatal(err)
	}
	write(t, c, 5)
	expect(t, "read", read(t, c, "k"), 5)
	expect(t, "told", strings.Count(log.String(), "cannot change while the program runs"), 1)
	expect(t, "up", tier.Stats().Up, false)
	expect(t, "stored", tier.Stats().Stores, 1)
}

func TestParametersThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		section map[string]any
		want    string
	}{
		"no secret":          {map[string]any{"url": "redis://localhost"}, "needs a secret that its processes share"},
		"empty secret":       {map[string]any{"url": "redis://localhost", "secret": ""}, "secret"},
		"short secret":       {map[string]any{"url": "redis://localhost", "secret": "hunter2"}, "7 characters"},
		"short key":          {map[string]any{"url": "redis://localhost", "secret": testSecret, "encryption_key": "hunter2"}, "7 characters"},
		"empty key":          {map[string]any{"url": "redis://localhost", "secret": testSecret, "encryption_key": ""}, "empty"},
		"no url":             {map[string]any{"secret": testSecret}, "url"},
		"another scheme":     {map[string]any{"url": "http://u:hunter2@localhost", "secret": testSecret}, "scheme"},
		"a broken url":       {map[string]any{"url": "redis://u:hunter2@local host:x", "secret": testSecret}, "url"},
		"the old protocol":   {map[string]any{"url": "redis://localhost?protocol=2", "secret": testSecret}, "protocol"},
		"a bad namespace":    {map[string]any{"url": "redis://localhost", "secret": testSecret, "namespace": "a}b"}, "namespace"},
		"a bad duration":     {map[string]any{"url": "redis://localhost", "secret": testSecret, "timeout": "soon"}, "timeout"},
		"no time at all":     {map[string]any{"url": "redis://localhost", "secret": testSecret, "heartbeat": 0}, "heartbeat"},
		"no room":            {map[string]any{"url": "redis://localhost", "secret": testSecret, "max_bytes": 0}, "max_bytes"},
		"another kind":       {map[string]any{"url": "redis://localhost", "secret": testSecret, "type": "sql"}, "redis"},
		"a lease that isn't": {map[string]any{"url": "redis://localhost", "secret": testSecret, "lease": "perhaps"}, "lease"},
	} {
		tier, err := Open(t.Context(), "shared_cache", isolated(map[string]any{"shared_cache": test.section})...)
		if err == nil {
			_ = tier.Close()
			t.Errorf("%s: it was opened", name)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	section := map[string]any{"url": "redis://user:hunter2@127.0.0.1:1", "secret": testSecret, "encryption_key": "an encryption key, which has to be long enough"}
	var log logs
	tier, err := Open(t.Context(), "shared_cache", append(isolated(map[string]any{"shared_cache": section}), connection.WithLogger(log.logger()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer tier.Close()
	client, err := tier.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was told that Redis is away", func() bool { return strings.Contains(log.String(), "is away") })
	type wrapper struct {
		tier   *Tier
		client *Client
		inside Tier
	}
	for _, v := range []any{tier, *tier, client, *client, wrapper{tier, client, *tier}, &wrapper{tier, client, *tier}, []any{tier, client}, tier.Stats()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			log.logger().Info(fmt.Sprintf(verb, v))
		}
		text, err := json.Marshal(v)
		log.logger().Info("json", "text", string(text), "error", err, "value", v)
	}
	if err := connection.Ping(t.Context(), tier); err == nil {
		t.Error("nobody there, and Ping is content")
	} else {
		log.logger().Info(err.Error())
	}
	log.logger().Info(fmt.Sprint(connection.Explain(tier)))
	for _, secret := range []string{"hunter2", testSecret, "an encryption key", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%x", testSecret)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in:\n%s", secret, log.String())
		}
	}
}

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
