package cache

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// store is what the memory tiers of several "processes" share.
type store struct {
	mu      sync.Mutex
	results map[string]stored
	epochs  map[string]int
	tiers   []*memoryTier
}

type stored struct {
	json    []byte
	epochs  string
	created time.Time
	ends    time.Time
	expires time.Time
}

// memoryTier is a Tier of one process.
type memoryTier struct {
	store   *store
	life    time.Duration
	blind   bool // it does not hear of ends
	mu      sync.Mutex
	epochs  map[string]*Epoch
	queries []TierQuery
	turns   int // given, and not given back
	stores  int
}

func newStore() *store {
	return &store{results: make(map[string]stored), epochs: make(map[string]int)}
}

func (s *store) tier() *memoryTier {
	t := &memoryTier{store: s, life: time.Minute, epochs: make(map[string]*Epoch)}
	s.tiers = append(s.tiers, t)
	return t
}

func (t *memoryTier) Mark(parts ...[]byte) string {
	h := hmac.New(sha256.New, []byte("shared"))
	for _, p := range parts {
		h.Write(append(p, 0))
	}
	return string(h.Sum(nil))
}

func (t *memoryTier) Epoch(mark string) *Epoch {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epochs[mark] == nil {
		t.epochs[mark] = new(Epoch)
	}
	return t.epochs[mark]
}

func (t *memoryTier) End(mark string) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.epochs[mark]++
	for _, other := range t.store.tiers {
		if !other.blind || other == t {
			other.Epoch(mark).Bump()
		}
	}
}

func (t *memoryTier) Find(_ context.Context, q TierQuery, into any) TierAnswer {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queries = append(t.queries, q)
	answer := TierAnswer{Life: t.life, Watched: !t.blind}
	if q.Key == nil {
		return answer
	}
	turn := &memoryTurn{tier: t, name: q.Scope + string(q.Shape[:]) + string(q.Key), epochs: t.store.epochsOf(q)}
	if r, ok := t.store.results[turn.name]; ok && r.epochs == turn.epochs {
		answer.Age, answer.Left, answer.Expires = time.Since(r.created), time.Until(r.ends), r.expires
		if answer.Left > 0 && (q.MaxAge == Forever || answer.Age < q.MaxAge) {
			answer.Found = json.Unmarshal(r.json, into) == nil
			return answer
		}
	}
	t.turns++
	answer.Turn = turn
	return answer
}

func (s *store) epochsOf(q TierQuery) string {
	var state []int
	for _, mark := range q.Epochs {
		state = append(state, s.epochs[mark])
	}
	text, _ := json.Marshal(state)
	return string(text)
}

type memoryTurn struct {
	tier         *memoryTier
	name, epochs string
}

func (m *memoryTurn) Store(_ context.Context, value any, ttl time.Duration, expires time.Time) {
	text, err := json.Marshal(value)
	if err != nil {
		return
	}
	m.tier.store.mu.Lock()
	defer m.tier.store.mu.Unlock()
	m.tier.stores++
	m.tier.store.results[m.name] = stored{text, m.epochs, time.Now(), time.Now().Add(min(ttl, time.Hour)), expires}
}

func (m *memoryTurn) Drop(context.Context) {
	m.tier.store.mu.Lock()
	defer m.tier.store.mu.Unlock()
	delete(m.tier.store.results, m.name)
}

func (m *memoryTurn) End() {
	m.tier.mu.Lock()
	defer m.tier.mu.Unlock()
	m.tier.turns--
}

func (t *memoryTier) open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turns
}

// process is a cache with a scope in front of a tier.
func (t *memoryTier) process(tb testing.TB) *Scope {
	tb.Helper()
	return open(tb, Config{}).TieredScope("scope", nil, TierScope{Tier: t, Mark: "reads", Epochs: []string{"writes"}}, new(Epoch))
}

func TestProcessesFindWhatOthersHaveLoaded(t *testing.T) {
	t.Parallel()
	shared := newStore()
	a, b := shared.tier().process(t), shared.tier().process(t)
	var src source
	equal(t, "the value in one", get(t, a, "k", forever, src.load), 1)
	equal(t, "the value in the other", get(t, b, "k", forever, src.load), 1)
	equal(t, "the value in the other again", get(t, b, "k", forever, src.load), 1)
	stats := b.cache.Stats()
	equal(t, "the loads of the other", stats.Loads, 0)
	equal(t, "its hits in the tier", stats.TierHits, 1)
	equal(t, "its hits in memory", stats.Hits, 1)
	equal(t, "its misses", stats.Misses, 1)
}

func TestEndOfASharedEpochIsSeenByAllProcesses(t *testing.T) {
	t.Parallel()
	shared := newStore()
	ta, tb := shared.tier(), shared.tier()
	a, b := ta.process(t), tb.process(t)
	var src source
	get(t, a, "k", forever, src.load)
	get(t, b, "k", forever, src.load)
	ta.End("writes")
	equal(t, "the value in one", get(t, a, "k", forever, src.load), 2)
	equal(t, "the value in the other", get(t, b, "k", forever, src.load), 2)
}

func TestLoadUnderWayWhenItsEpochEndsIsNotShared(t *testing.T) {
	t.Parallel()
	shared := newStore()
	ta, tb := shared.tier(), shared.tier()
	a, b := ta.process(t), tb.process(t)
	during := func(end func()) int {
		t.Helper()
		stores := ta.stores
		get(t, a, "k", forever, func(context.Context) (int, error) {
			end()
			return 1, nil
		})
		equal(t, "the value", get(t, b, "k", forever, value(2)), 2)
		tb.End("writes")
		return ta.stores - stores
	}
	// Whether it is stored or not, the turn knows the epochs of before.
	during(func() { tb.End("writes") })
	ta.blind = true
	during(func() { tb.End("writes") })
	ta.blind = false
	// Of these, only this process knows.
	equal(t, "what was stored after Drop", during(func() { a.cache.Drop(func(i Info) bool { return i.Text == "k" }) }), 0)
	equal(t, "what was stored after Clear", during(func() { a.cache.Clear() }), 0)
	equal(t, "what was stored after Bump", during(func() { a.epochs[0].Bump() }), 0)
}

func TestAnswerThatDeniesEndsWhatIsInTheTier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newStore()
		a, b := shared.tier().process(t), shared.tier().process(t)
		p := Policy{TTL: time.Second, Transient: func(err error) bool { return errors.Is(err, errTransient) }}
		get(t, a, "k", forever, value(1))
		elapse(time.Minute)
		for _, fail := range []error{errTransient, errSource} {
			if _, err := Get(t.Context(), b, KeyOf("k"), p, func(context.Context) (int, error) { return 0, fail }); !errors.Is(err, fail) {
				t.Fatal(err)
			}
			equal(t, "results in the tier after "+fail.Error(), len(shared.results), map[error]int{errTransient: 1}[fail])
		}
	})
}

func TestTurnsAreGivenBack(t *testing.T) {
	t.Parallel()
	tier := newStore().tier()
	s := tier.process(t)
	if _, err := Get(t.Context(), s, KeyOf("error"), forever, func(context.Context) (int, error) { return 0, errSource }); !errors.Is(err, errSource) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = Get(t.Context(), s, KeyOf("panic"), forever, func(context.Context) (int, error) { panic("no") })
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = Get(t.Context(), s, KeyOf("exit"), forever, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	}()
	<-done
	equal(t, "turns not given back", tier.open(), 0)
	equal(t, "what was stored", tier.stores, 0)
	get(t, s, "value", forever, value(1))
	equal(t, "turns not given back", tier.open(), 0)
	equal(t, "what was stored", tier.stores, 1)
}

func TestTTLsHoldAcrossTheTier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newStore()
		a, b := shared.tier().process(t), shared.tier().process(t)
		tenSeconds := Policy{TTL: 10 * time.Second}
		elapse(time.Hour) // the caches are older than what is in them
		get(t, a, "k", tenSeconds, value(1))
		elapse(6 * time.Second)
		equal(t, "the value for a reader with less", get(t, b, "k", Policy{TTL: 6 * time.Second}, value(2)), 2)
		get(t, a, "old", tenSeconds, value(1))
		elapse(9 * time.Second)
		equal(t, "the value from the tier", get(t, b, "old", forever, value(2)), 1)
		elapse(time.Second - 1)
		equal(t, "the value just before", get(t, b, "old", forever, value(2)), 1)
		elapse(1)
		equal(t, "the value when its time in the tier is over", get(t, b, "old", forever, value(2)), 2)

		// The age goes on counting from the load, not from when it was found.
		get(t, a, "age", forever, value(1))
		elapse(5 * time.Second)
		get(t, b, "age", forever, value(2))
		elapse(5 * time.Second)
		equal(t, "the value for a reader with ten seconds", get(t, b, "age", tenSeconds, value(3)), 3)
	})
}

func TestAgeOfWhatIsOlderThanTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newStore()
		get(t, shared.tier().process(t), "k", forever, value(1))
		elapse(50 * time.Minute)
		b := shared.tier().process(t)
		equal(t, "the value", get(t, b, "k", forever, value(2)), 1)
		equal(t, "the value from memory", get(t, b, "k", forever, value(2)), 1)
		equal(t, "hits in the tier", b.cache.Stats().TierHits, 1)
		equal(t, "the value for a reader with less", get(t, b, "k", Policy{TTL: 50 * time.Minute}, value(3)), 3)
	})
}

func TestExpiresHoldsAcrossTheTier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newStore()
		ta, tb := shared.tier(), shared.tier()
		a, b := ta.process(t), tb.process(t)
		get(t, a, "k", Policy{TTL: Forever, Expires: time.Now().Add(10 * time.Second)}, value(1))
		elapse(9 * time.Second)
		equal(t, "the value before", get(t, b, "k", forever, value(2)), 1)
		elapse(time.Second)
		equal(t, "the value afterwards", get(t, b, "k", forever, value(2)), 2)

		past := Policy{TTL: Forever, Expires: time.Now()}
		equal(t, "the value of an ended token", get(t, b, "ended", past, value(1)), 1)
		equal(t, "the value of an ended token, again", get(t, b, "ended", past, value(2)), 2)
		equal(t, "the value for others", get(t, a, "ended", forever, value(3)), 3)
	})
}

func TestLifeBoundsWhatIsInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tier := newStore().tier()
		tier.life = time.Second
		s := tier.process(t)
		hour := Policy{TTL: time.Hour}
		get(t, s, "k", hour, value(1))
		elapse(time.Second - 1)
		get(t, s, "k", hour, value(2))
		equal(t, "hits in memory", s.cache.Stats().Hits, 1)
		elapse(1)
		get(t, s, "k", hour, value(2))
		equal(t, "hits in memory", s.cache.Stats().Hits, 1)
		equal(t, "hits in the tier", s.cache.Stats().TierHits, 1)

		// What is watched may be served stale for as long as the policy says; what is not, may not.
		stale := Policy{TTL: Forever, Stale: time.Hour}
		get(t, s, "stale", stale, value(1))
		elapse(time.Minute)
		get(t, s, "stale", stale, value(2))
		equal(t, "stale hits", s.cache.Stats().Stale, 1)
		synctest.Wait()
		tier.blind = true
		get(t, s, "blind", stale, value(1))
		elapse(time.Second)
		get(t, s, "blind", stale, value(2))
		equal(t, "stale hits", s.cache.Stats().Stale, 1)
		tier.life = 0
		get(t, s, "none", forever, value(1))
		hits := s.cache.Stats().Hits
		get(t, s, "none", forever, value(2))
		equal(t, "hits in memory", s.cache.Stats().Hits, hits)
	})
}

func TestReadsWithoutTTLEndWithTheirCohort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tier := newStore().tier()
		s := tier.process(t)
		elapse(time.Hour + 7*time.Second)
		for i := range 1000 { // loads all the time
			get(t, s, fmt.Sprint(i), forever, value(1))
			elapse(time.Minute / 1000)
			s.cache.cohorts.mu.Lock()
			n := len(s.cache.cohorts.under)
			s.cache.cohorts.mu.Unlock()
			if n > 40 {
				t.Fatalf("%d cohorts", n)
			}
		}
		get(t, s, "k", forever, value(1))
		begin := time.Now()
		hits := s.cache.Stats().Hits
		for s.cache.Stats().TierHits == 0 {
			get(t, s, "k", forever, value(1))
			elapse(100 * time.Millisecond)
		}
		if lived := time.Since(begin); lived > time.Minute+100*time.Millisecond || lived < time.Minute*15/16 {
			t.Errorf("it lived for %v, with %d hits", lived, s.cache.Stats().Hits-hits)
		}
		elapse(time.Minute)
		equal(t, "entries when all are over", s.cache.Stats().Entries, 0)
		s.cache.cohorts.mu.Lock()
		left := len(s.cache.cohorts.under)
		s.cache.cohorts.mu.Unlock()
		equal(t, "cohorts when all are over", left, 0)
	})
}

func TestErrorsAsAnswersStayInTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newStore()
		ta, tb := shared.tier(), shared.tier()
		ta.life = time.Second
		a, b := ta.process(t), tb.process(t)
		p := Policy{TTL: Forever, Negative: time.Minute, IsNegative: func(err error) bool { return errors.Is(err, errNoRows) }}
		none := func(context.Context) (int, error) { return 0, errNoRows }
		read := func(s *Scope, load func(context.Context) (int, error)) error {
			_, err := Get(t.Context(), s, KeyOf("k"), p, load)
			return err
		}
		if err := read(a, none); !errors.Is(err, errNoRows) {
			t.Fatal(err)
		}
		if err := read(a, value(1)); !errors.Is(err, errNoRows) {
			t.Errorf("the answer was not kept: %v", err)
		}
		equal(t, "what was stored", ta.stores, 0)
		if err := read(b, value(1)); err != nil {
			t.Errorf("another process got it: %v", err)
		}
		elapse(time.Second)
		if err := read(a, none); err != nil {
			t.Errorf("the answer outlived what the tier allows: %v", err)
		}
		tb.End("writes")
		if err := read(a, none); !errors.Is(err, errNoRows) {
			t.Fatal(err)
		}
		tb.End("writes")
		if err := read(a, value(1)); err != nil {
			t.Errorf("the answer outlived the end of its epoch: %v", err)
		}
	})
}

func TestFollowersOfALeaderGetWhatItFindsInTheTier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tier := newStore().tier()
		s := tier.process(t)
		var src source
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v, err := Get(t.Context(), s, KeyOf("k"), forever, func(ctx context.Context) (int, error) {
					elapse(time.Second)
					return src.load(ctx)
				}); v != 1 || err != nil {
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		wg.Wait()
		equal(t, "questions to the tier", len(tier.queries), 1)
	})
}

func TestResultsWithoutANameStayInTheProcess(t *testing.T) {
	t.Parallel()
	shared := newStore()
	ta := shared.tier()
	a := ta.process(t)
	one, other := localType(), otherLocalType()
	one(t, a)
	other(t, a)
	one(t, a)
	for i, q := range ta.queries {
		// The first cannot know of the second yet.
		if named := q.Key != nil; named != (i == 0) {
			t.Errorf("question %d has a key: %v", i, named)
		}
		// What is known of a type lasts for as long as the process, in which this test may run again.
		if known, ok := shapes.LoadAndDelete(q.Type); ok {
			shapeOwners.Delete(known.(*shape).sum)
		}
	}
	unnamed := open(t, Config{}).TieredScope("scope", nil, TierScope{Tier: ta, Epochs: []string{"writes"}})
	get(t, unnamed, "k", forever, value(1))
	equal(t, "the hits of a scope without a mark", ta.queries[len(ta.queries)-1].Key == nil, true)
	get(t, unnamed, "k", forever, value(2))
	equal(t, "its hits in memory", unnamed.cache.Stats().Hits, 1)
	ta.End("writes")
	equal(t, "its value after the end", get(t, unnamed, "k", forever, value(3)), 3)
}

func localType() func(testing.TB, *Scope) {
	type local struct{ A int }
	return func(t testing.TB, s *Scope) {
		_ = must[local](t)(Get(t.Context(), s, KeyOf("k"), Policy{TTL: 1}, value(local{1})))
	}
}

func otherLocalType() func(testing.TB, *Scope) {
	type local struct{ A int }
	return func(t testing.TB, s *Scope) {
		_ = must[local](t)(Get(t.Context(), s, KeyOf("k"), Policy{TTL: 1}, value(local{2})))
	}
}

func TestOtherTypesHaveOtherNames(t *testing.T) {
	t.Parallel()
	shared := newStore()
	ta, tb := shared.tier(), shared.tier()
	a, b := ta.process(t), tb.process(t)
	get(t, a, "k", forever, value(1))
	got := must[int64](t)(Get(t.Context(), b, KeyOf("k"), forever, value(int64(2))))
	equal(t, "the value of another type", got, 2)
	equal(t, "the value of another argument", must[int](t)(Get(t.Context(), b, KeyOf("k", 1), forever, value(3))), 3)
	equal(t, "the value of an argument of another type", must[int](t)(Get(t.Context(), b, KeyOf("k", level(1)), forever, value(4))), 4)
	equal(t, "the value of no text", must[int](t)(Get(t.Context(), b, KeyOf(1), forever, value(5))), 5)
	equal(t, "what was stored", tb.stores, 4)
}

func TestTierCostsHitsNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newStore().tier().process(t)
	minute := Policy{TTL: time.Minute}
	get(t, s, "k", minute, value(1))
	if n := testing.AllocsPerRun(1000, func() { Lookup[int](s, "k", nil, &minute) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
