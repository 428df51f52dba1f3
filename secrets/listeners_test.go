package secrets_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/secrets"
)

// changing returns a store and a function that changes its values.
func changing(t *testing.T) (store *secrets.Store, change func() error) {
	path := file(t, "n = 0")
	store = load(t, secrets.WithPath(path))
	var n atomic.Int64
	return store, func() error {
		write(t, path, fmt.Sprint("n = ", n.Add(1)))
		return store.Refresh()
	}
}

func TestOnChangeCallsInOrderWithNewValues(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	var calls []string
	for _, name := range []string{"a", "b"} {
		defer store.OnChange(func() {
			n, err := store.Int("n")
			calls = append(calls, fmt.Sprint(name, n, err))
		})()
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	want := []string{"a1 <nil>", "b1 <nil>", "a2 <nil>", "b2 <nil>"}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

func TestOnChangeMayRefreshAndRegister(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	var depth, calls int
	cancel := store.OnChange(func() {
		depth++
		defer func() { depth-- }()
		if depth > 1 {
			t.Error("called while it is running")
		}
		store.OnChange(func() {})()
		if calls++; calls < 3 {
			if err := change(); err != nil {
				t.Error(err)
			}
		}
	})
	defer cancel()
	if err := change(); err != nil {
		t.Fatal(err)
	}
	if calls != 3 {
		t.Errorf("%d calls, want one per change", calls)
	}
}

func TestCancelEndsTheCalls(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	calls := 0
	cancel := store.OnChange(func() { calls++ })
	if err := change(); err != nil {
		t.Fatal(err)
	}
	cancel()
	cancel()
	if err := change(); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestCancelWithinTheCallDoesNotWait(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	calls, others := 0, 0
	var cancel, cancelOther func()
	cancel = store.OnChange(func() {
		calls++
		cancel()
		cancelOther()
	})
	cancelOther = store.OnChange(func() { others++ })
	for range 2 {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 1 || others != 0 {
		t.Errorf("%d calls, %d of the other", calls, others)
	}
}

func TestCancelWaitsForACallThatIsUnderWay(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		cancel := store.OnChange(func() { <-finish })
		go func() {
			if err := change(); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait() // until the function runs

		var returned atomic.Int64
		for range 2 {
			go func() {
				cancel()
				returned.Add(1)
			}()
		}
		synctest.Wait()
		if n := returned.Load(); n != 0 {
			t.Errorf("%d calls of cancel returned while the function was running", n)
		}
		// Neither a reader nor a Refresh is held up by it.
		if err := store.Refresh(); err != nil {
			t.Error(err)
		}
		close(finish)
		synctest.Wait()
		if n := returned.Load(); n != 2 {
			t.Errorf("%d of 2 calls of cancel returned", n)
		}
	})
}

func TestCancelUnderLoadIsFinal(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := change(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 200 {
		var cancelled atomic.Bool
		cancel := store.OnChange(func() {
			if cancelled.Load() {
				t.Error("called after cancel had returned")
			}
		})
		cancel()
		cancelled.Store(true)
	}
	close(stop)
	group.Wait()
}

func TestPanicInOneListenerLeavesTheOthersDue(t *testing.T) {
	t.Parallel()
	store, change := changing(t)
	fail := true
	calls := 0
	defer store.OnChange(func() {
		if fail {
			panic("of the listener")
		}
	})()
	defer store.OnChange(func() { calls++ })()

	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = change()
	}()
	fail = false
	if err := store.Refresh(); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("%d calls of the other", calls)
	}
}
