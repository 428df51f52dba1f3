package connection_test

import (
	"sync"
	"testing"

	"github.com/streamconn/streamconn/connection"
)

func TestBesideIsOneForEachConnectionViewAndType(t *testing.T) {
	t.Parallel()
	type first struct{ n int }
	type second struct{ n int }
	c := connection.Of("one", new(int))
	same := func(n *int) *int { return n }
	view, other := connection.Scoped(c, "ann", same), connection.Of("two", new(int))

	var wg sync.WaitGroup
	all := make([]*first, 8)
	for i := range all {
		wg.Go(func() { all[i] = connection.Beside(c, func() *first { return new(first) }) })
	}
	wg.Wait()
	for _, got := range all {
		if got == nil || got != all[0] {
			t.Fatal("two values of one type beside one connection")
		}
	}
	if got := connection.Beside(view, func() *first { return &first{1} }); got == all[0] || got.n != 1 {
		t.Error("a view has its connection's")
	}
	if got := connection.Beside(other, func() *first { return &first{2} }); got == all[0] || got.n != 2 {
		t.Error("a connection has another's")
	}
	if got := connection.Beside(c, func() *second { return &second{3} }); got.n != 3 {
		t.Error("a type has another's")
	}
}

func TestRootIsWhatAViewIsOf(t *testing.T) {
	t.Parallel()
	c := connection.Of("one", new(int))
	same := func(n *int) *int { return n }
	view := connection.Scoped(connection.Scoped(c, "tenant", same), "ann", same)
	if connection.Root(view) != connection.Any(c) || connection.Root(c) != connection.Any(c) {
		t.Error("the root is another connection")
	}
}
