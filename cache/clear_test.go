package cache

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
)

// during runs a load of "k", calls act while it runs, and gives what the load's caller got.
func during(t *testing.T, s *Scope, p Policy, loaded int, act func()) int {
	t.Helper()
	begun, release, got := make(chan struct{}), make(chan struct{}), make(chan int)
	go func() {
		v, err := Get(t.Context(), s, KeyOf("k"), p, func(context.Context) (int, error) {
			close(begun)
			<-release
			return loaded, nil
		})
		if err != nil {
			t.Error(err)
		}
		got <- v
	}()
	<-begun
	act()
	close(release)
	return <-got
}

func TestDefect07_ClearWhileLoadingIsNotUndone(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *Scope){
		"Clear": func(_ *testing.T, s *Scope) { s.cache.Clear() },
		"Bump":  func(_ *testing.T, s *Scope) { s.epochs[0].Bump() },
		"Drop": func(t *testing.T, s *Scope) {
			equal(t, "what Drop says", s.cache.Drop(func(i Info) bool { return i.Text == "k" }), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scope(t, new(Epoch))
			old := during(t, s, forever, 1, func() {
				end(t, s)
				// A call that comes now does not join the outdated load, and what it gets stays.
				equal(t, "the value of a later call", get(t, s, "k", forever, value(2)), 2)
			})
			equal(t, "the value of the call that was loading", old, 1)
			equal(t, "the value afterwards", get(t, s, "k", forever, value(3)), 2)
		})
	}
}

func TestOutdatedLoadIsNotStored(t *testing.T) {
	t.Parallel()
	s := scope(t)
	during(t, s, forever, 1, s.cache.Clear)
	equal(t, "the value afterwards", get(t, s, "k", forever, value(2)), 2)
}

func TestBumpEndsOnlyScopesOfItsEpoch(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	var connection, reads, other Epoch
	a, b := c.Scope("a", nil, &connection, &reads), c.Scope("b", nil, &other)
	var src source
	both := func() (int, int) { return get(t, a, "k", forever, src.load), get(t, b, "k", forever, src.load) }
	both()
	reads.Bump()
	x, y := both()
	equal(t, "the value of the bumped scope", x, 3)
	equal(t, "the value of the other scope", y, 2)
	connection.Bump()
	x, y = both()
	equal(t, "the value of the bumped scope", x, 4)
	equal(t, "the value of the other scope", y, 2)
	c.Clear()
	x, y = both()
	equal(t, "the value after Clear", x, 5)
	equal(t, "the other value after Clear", y, 6)
}

// Ending one query alone is what Streamlit has no way to do.
func TestDefect20_OneQueryCanBeCleared(t *testing.T) {
	t.Parallel()
	c := open(t, Config{})
	var src source
	load := func(id, text string, args ...any) int {
		v, err := Get(t.Context(), c.Scope(id, nil), KeyOf(append([]any{text}, args...)...), forever, src.load)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	equal(t, "loads", load("a", "select 1"), 1)
	equal(t, "loads", load("a", "select 1", 5), 2)
	equal(t, "loads", load("a", "select 2"), 3)
	equal(t, "loads", load("b", "select 1"), 4)
	args, _ := AppendArg(nil, 5)
	equal(t, "the number dropped", c.Drop(func(i Info) bool {
		return i.Scope == "a" && i.Text == "select 1" && string(i.Args) == string(args) && i.Type == reflect.TypeFor[int]()
	}), 1)
	equal(t, "the dropped one", load("a", "select 1", 5), 5)
	equal(t, "the number dropped", c.Drop(func(i Info) bool { return i.Scope == "a" && i.Text == "select 1" }), 2)
	equal(t, "a dropped one", load("a", "select 1"), 6)
	equal(t, "the other text", load("a", "select 2"), 3)
	equal(t, "the other scope", load("b", "select 1"), 4)
}

func TestDropFindsEntriesWhereverTheyAre(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBytes: 1 << 20}).Scope("scope", nil)
	for i := range 3000 { // in the engine, and in the window
		get(t, s, fmt.Sprint(i), forever, value(i))
	}
	settle(s.cache)
	stored := s.cache.Stats().Entries
	equal(t, "the number dropped", s.cache.Drop(func(Info) bool { return true }), stored)
	equal(t, "the number of entries", s.cache.Stats().Entries, 0)
	equal(t, "the number in memory", len(s.cache.entries()), 0)
	for i := range 3000 {
		if _, ok := Lookup[int](s, fmt.Sprint(i), nil, &forever); ok {
			t.Fatalf("key %d is still served", i)
		}
	}
}

func TestDroppedEntryIsNotServedWhereverItTurnsUp(t *testing.T) {
	t.Parallel()
	s := scope(t)
	get(t, s, "k", forever, value(1))
	e := storedOf(s, "k")
	s.cache.Drop(func(Info) bool { return true })
	s.cache.engine.Load().table.put(e)
	equal(t, "the value", get(t, s, "k", forever, value(2)), 2)
}

func TestDropMayUseTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		get(t, s, "a", forever, value(1))
		during(t, s, forever, 1, func() {
			s.cache.Drop(func(Info) bool {
				s.cache.Clear()
				_ = s.cache.Stats()
				get(t, s, "b", forever, value(2))
				return false
			})
		})
	})
}
