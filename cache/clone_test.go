package cache

import (
	"fmt"
	"testing"
)

// overlay is a value whose clone keeps what it was made of, and reads through to it.
type overlay struct {
	below *overlay
	own   map[string]int
}

func (o *overlay) Clone() *overlay { return &overlay{below: o, own: map[string]int{}} }

func (o *overlay) get(key string) int {
	for layers := 0; o != nil && layers < 3; o, layers = o.below, layers+1 {
		if v, ok := o.own[key]; ok {
			return v
		}
	}
	return -1
}

func TestCloneMayKeepWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	of := func(n int) overlay { return overlay{own: map[string]int{"n": n}} }
	check := func(what string, o overlay, want int) {
		t.Helper()
		equal(t, what, o.get("n"), want)
	}
	one, _ := copyFor(of(7))
	check("a value", one, 7)
	rows, _ := copyFor([]overlay{of(0), of(1), of(2)})
	for n, o := range rows {
		check("an element", o, n)
	}
	table := make(map[string]overlay)
	for n := range 5 {
		table[fmt.Sprint(n)] = of(n)
	}
	table, _ = copyFor(table)
	for n := range 5 {
		check("an entry", table[fmt.Sprint(n)], n)
	}
}

// vanishing is a value whose clone is nothing.
type vanishing struct{ names []string }

func (*vanishing) Clone() *vanishing { return nil }

func TestCloneThatIsNilIsTheZeroValue(t *testing.T) {
	t.Parallel()
	if v, ok := copyFor([]vanishing{{[]string{"a"}}}); !ok || len(v) != 1 || v[0].names != nil {
		t.Errorf("%v, %v", v, ok)
	}
}

type hasName interface{ Name() string }

type nameList struct{ Names *[]string }

func (n nameList) Name() string { return (*n.Names)[0] }

func TestWhatIsInInterfacesWithMethodsIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	original := []hasName{nameList{&[]string{"a"}}, nil}
	copied, ok := copyFor(original)
	if !ok || copied[0].Name() != "a" || copied[1] != nil {
		t.Fatal(copied, ok)
	}
	(*copied[0].(nameList).Names)[0] = "changed"
	equal(t, "the original", original[0].Name(), "a")
}

type chain map[string]chain

func TestMapInItselfIsNotCopied(t *testing.T) {
	t.Parallel()
	c := chain{}
	c["c"] = c
	if _, ok := copyFor(c); ok {
		t.Error("there is no end to it")
	}
	if _, ok := sizeOf(c, 1<<40); ok {
		t.Error("it has a size")
	}
}
