package cache

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type (
	embedded struct {
		Tags []string
	}
	everything struct {
		embedded
		Name    string
		Note    *string
		Pair    [2]*int
		Rows    []embedded
		Nested  [][]int
		Bytes   []byte
		Raw     json.RawMessage
		Any     any
		Attrs   map[string]any
		ByName  map[string]*embedded
		AnyKeys map[any][]int
		When    time.Time
		WhenPtr *time.Time
		Null    sql.Null[[]byte]
		Addr    netip.Addr
		Big     *big.Int
		BigRat  *big.Rat
		Err     error
		hidden  int
		since   time.Time
	}
	list struct {
		Value int
		Next  *list
	}
	// cloner would be refused for its field, and is copied by its method.
	cloner struct {
		Shown  int
		hidden []int
	}
	pointerCloner struct {
		Shown  int
		hidden []int
	}
	holder struct {
		One     cloner
		Many    []cloner
		Pointer *pointerCloner
		Value   pointerCloner
	}
	mixed struct {
		Shown  int
		hidden []int
	}
	locked struct {
		Shown int
		_     sync.Mutex
	}
	// amount has no exported field, as decimals have.
	amount struct {
		digits *big.Int
		scale  int
	}
)

func (c cloner) Clone() cloner {
	return cloner{c.Shown, append([]int(nil), c.hidden...)}
}

func (c *pointerCloner) Clone() *pointerCloner {
	return &pointerCloner{c.Shown, append([]int(nil), c.hidden...)}
}

func sampleEverything() everything {
	return everything{
		embedded: embedded{[]string{"a"}},
		Name:     "jerry", Note: new("note"), Pair: [2]*int{new(1), nil},
		Rows: []embedded{{[]string{"x", "y"}}, {nil}, {[]string{}}}, Nested: [][]int{{1}, nil, {}},
		Bytes: []byte("bytes"), Raw: json.RawMessage(`{}`),
		Any:     []any{map[string]any{"list": []any{1, "a", []byte("b")}}, &embedded{[]string{"in any"}}, time.Unix(5, 0)},
		Attrs:   map[string]any{"a": map[string]any{"b": []any{nil, true, 1.5}}, "c": []string{"d"}, "e": map[string]int{"f": 1}},
		ByName:  map[string]*embedded{"one": {[]string{"1"}}, "nil": nil},
		AnyKeys: map[any][]int{"a": {1}, 2: {2}, nil: nil},
		When:    time.Unix(1, 0), WhenPtr: new(time.Unix(2, 0)),
		Null: sql.Null[[]byte]{V: []byte("null"), Valid: true},
		Addr: netip.MustParseAddr("fe80::1%eth0"), Big: big.NewInt(1 << 60), BigRat: big.NewRat(1, 3),
		Err: errSource, hidden: 7, since: time.Unix(3, 0),
	}
}

// copyFor is what a caller gets.
func copyFor[T any](v T) (T, bool) {
	p := planOf(reflect.TypeFor[T]())
	if p.reason != "" {
		var none T
		return none, false
	}
	if p.flat {
		return v, true
	}
	return copyOf(p, &v)
}

func TestCopiesAreEqualAndShareNothing(t *testing.T) {
	t.Parallel()
	testCopy(t, "everything", sampleEverything())
	testCopy(t, "zero", everything{})
	testCopy(t, "pointer", new(sampleEverything()))
	testCopy(t, "rows", []everything{sampleEverything(), {}, sampleEverything()})
	testCopy(t, "pointers to rows", []*everything{new(sampleEverything()), nil})
	testCopy(t, "list", &list{1, &list{2, &list{3, nil}}})
	testCopy(t, "JSON", map[string]any{"a": []any{1.5, "x", nil, map[string]any{}}})
	testCopy(t, "any", any(map[string]any{"a": []any{}}))
	testCopy[any](t, "nil in any", nil)
	testCopy[error](t, "error", errSource)
	testCopy(t, "nil slice", []*int(nil))
	testCopy(t, "empty slice", []*int{})
	testCopy(t, "nil map", map[string][]int(nil))
	testCopy(t, "nil pointer", (*everything)(nil))
	testCopy(t, "array", [3][]int{{1}, nil, {}})
	testCopy(t, "array of pointers", [2]*everything{new(sampleEverything()), nil})
	testCopy(t, "known slices", [][]string{{"a"}, nil, {}})
	testCopy(t, "known types", struct {
		A []int
		B []int32
		C []int64
		D []float64
		E *bool
		F *int
		G *int32
		H *int64
		I *float64
		J []any
		K map[string]any
		L big.Int
		M *big.Float
	}{
		[]int{1},
		[]int32{1},
		[]int64{1},
		[]float64{1},
		new(true), new(1), new(int32(1)), new(int64(1)), new(1.5),
		[]any{1},
		map[string]any{"a": 1},
		*big.NewInt(1 << 62), big.NewFloat(1.5),
	})
	testCopy(t, "flat rows", []flatRow{{ID: 1, Person: "jerry", Born: time.Unix(1, 0)}})
	testCopy(t, "clones", holder{cloner{1, []int{1}}, []cloner{{2, []int{2}}}, &pointerCloner{3, []int{3}}, pointerCloner{4, []int{4}}})
	testCopy(t, "nil clones", holder{Many: []cloner{}})
	testCopy(t, "top-level clone", cloner{1, []int{1}})
	testCopy(t, "top-level pointer clone", &pointerCloner{1, []int{1}})
	testCopy(t, "amounts", []amount{{big.NewInt(5), 2}})
	testCopy(t, "named", struct{ H map[headerName][]string }{map[headerName][]string{"A": {"b"}}})
	testCopy(t, "struct keys", map[[2]string][]int{{"a", "b"}: {1}})
}

// Values are copied by where their parts lie in memory.
func TestCopiesOfWhatLiesOddlyInMemory(t *testing.T) {
	t.Parallel()
	type nothing struct{}
	type inner struct {
		embedded
		small byte
		Last  nothing
	}
	type odd struct {
		_     byte
		First byte
		inner
		Arrays [2][3]*string
		None   [0]*string
		_      [5]byte
		Empty  []nothing
		Ends   *nothing
		Same   **int
		Errs   []error
		Shown  interface{ String() string }
		Byte   byte
		Rows   []struct {
			Flag bool
			Any  [2]any
		}
		Maps map[[3]byte]struct {
			Flag bool
			Tags []string
			End  nothing
		}
		Named namedRows
		End   nothing
	}
	v := odd{
		First: 1, inner: inner{embedded: embedded{[]string{"a"}}, small: 2}, Arrays: [2][3]*string{{new("x"), nil, new("y")}, {nil, nil, new("z")}},
		Empty: make([]nothing, 3), Same: new(new(7)), Errs: []error{errSource, nil}, Shown: big.NewInt(5), Byte: 3,
		Named: namedRows{{1: {new("named")}}, nil, {}},
	}
	v.Rows = make([]struct {
		Flag bool
		Any  [2]any
	}, 2, 5)
	v.Rows[1].Any = [2]any{[1]*int{new(1)}, struct{ A, B *int }{nil, new(2)}}
	v.Maps = map[[3]byte]struct {
		Flag bool
		Tags []string
		End  nothing
	}{{1}: {Tags: []string{"m"}}, {2}: {}}
	testCopy(t, "odd", v)
	testCopy(t, "odd rows", []odd{v, {}, v})
	testCopy(t, "odd array", [2]odd{v, v})
	testCopy(t, "odd in maps", map[string]odd{"a": v, "b": {}})
	testCopy(t, "odd in any", []any{v, &v, [1]odd{v}, map[int]*odd{1: &v}})
	testCopy(t, "nothing", []nothing{{}, {}})
	testCopy(t, "pointers of pointers", new(new(new([]*int{new(1)}))))
	spare := make([][]int, 1, 4)
	spare[:4][3] = []int{1}
	copied, _ := copyFor(spare[:0])
	if cap(copied) != 0 || copied == nil {
		t.Error("the copy of an empty slice has the original's spare room")
	}
}

type namedRows []map[int][1]*string

func TestLookupSliceGivesTheCallersOwn(t *testing.T) {
	t.Parallel()
	s := scope(t)
	shared := Policy{TTL: Forever, Shared: true}
	lookup := func(text string, p Policy) []string {
		t.Helper()
		found, ok := LookupSlice[string](s, text, nil, &p)
		if !ok {
			t.Fatalf("%s is not found", text)
		}
		return found
	}
	spare := make([]string, 2, 10)
	for text, v := range map[string][]string{"two": spare, "none": spare[:0], "nil": nil} {
		_ = must[[]string](t)(Get(t.Context(), s, KeyOf(text), shared, value(v)))
		got := lookup(text, forever)
		if !slices.Equal(got, v) || (got == nil) != (v == nil) {
			t.Errorf("%s: got %#v, want %#v", text, got, v)
		}
		_ = append(got, "changed")
	}
	lookup("two", forever)[0] = "changed"
	equal(t, "the stored value after a caller has changed his", spare[:3][0]+spare[:3][2], "")
	if &lookup("two", shared)[0] != &spare[0] {
		t.Error("what is shared is copied")
	}
	_ = must[[]*int](t)(Get(t.Context(), s, KeyOf("pointers"), forever, value([]*int{new(1)})))
	one, _ := LookupSlice[*int](s, "pointers", nil, &forever)
	another, _ := LookupSlice[*int](s, "pointers", nil, &forever)
	if *one[0] != 1 || *another[0] != 1 || one[0] == another[0] {
		t.Error("what the elements point to is not copied")
	}
	if _, ok := LookupSlice[int](s, "two", nil, &forever); ok {
		t.Error("another type is found")
	}
}

type headerName string

func testCopy[T any](t *testing.T, name string, original T) {
	t.Helper()
	copied, ok := copyFor(original)
	if !ok {
		t.Errorf("%s cannot be copied: %s", name, planOf(reflect.TypeFor[T]()).reason)
		return
	}
	if !reflect.DeepEqual(original, copied) {
		t.Errorf("%s: the copy is\n%+v, not\n%+v", name, copied, original)
	}
	a, b := make(map[uintptr]string), make(map[uintptr]string)
	references(reflect.ValueOf(&original).Elem(), name, a)
	references(reflect.ValueOf(&copied).Elem(), name, b)
	for at, path := range b {
		if a[at] != "" {
			t.Errorf("%s is shared with the original", path)
		}
	}
}

// references finds the memory that whoever has the value could change.
func references(v reflect.Value, path string, found map[uintptr]string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() || v.Kind() == reflect.Slice && v.Cap() == 0 {
			return
		}
		if v.Kind() == reflect.Map || v.Type().Elem().Size() > 0 {
			found[v.Pointer()] = path
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		references(v.Elem(), path+".*", found)
	case reflect.Interface:
		if !v.IsNil() && v.Type() != errorType {
			references(v.Elem(), path+".()", found)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			references(v.Index(i), path+"[]", found)
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			references(iter.Value(), path+"{}", found)
		}
	case reflect.Struct:
		// What has no exported fields is a value, unless we know better.
		if isOpaque(v.Type()) && !isBig(v.Type()) {
			return
		}
		for i := range v.NumField() {
			references(v.Field(i), path+"."+v.Type().Field(i).Name, found)
		}
	}
}

type embeddedCloner struct{ Names []string }

func (e embeddedCloner) Clone() embeddedCloner { return embeddedCloner{slices.Clone(e.Names)} }

type embedsCloner struct {
	embeddedCloner
	Ages []int
}

type embeddedPointerCloner struct{ Names []string }

func (e *embeddedPointerCloner) Clone() *embeddedPointerCloner {
	return &embeddedPointerCloner{slices.Clone(e.Names)}
}

// Package reflect calls no methods of unexported fields, and panics when it is asked to.
func TestEmbeddedCloneThatCannotBeCalled(t *testing.T) {
	t.Parallel()
	c := open(t, Config{Logger: new(logs).logger()})
	s := c.Scope("s", nil)
	for range 2 {
		got := must[embedsCloner](t)(Get(t.Context(), s, KeyOf("k"), forever, value(embedsCloner{embeddedCloner{[]string{"ann"}}, []int{1}})))
		equal(t, "names", len(got.Names), 1)
	}
	equal(t, "entries", c.Stats().Entries, 0)
}

func TestRefusedTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[chan int](), "chan int"},
		{reflect.TypeFor[[]func()](), "func()"},
		{reflect.TypeFor[map[string]chan int](), "chan int"},
		{reflect.TypeFor[mixed](), "the field hidden of cache.mixed is not exported"},
		{reflect.TypeFor[[]*mixed](), "the field hidden"},
		{reflect.TypeFor[locked](), "sync.Mutex is a lock"},
		{reflect.TypeFor[*sql.DB](), "handle"},
		{reflect.TypeFor[*os.File](), "handle"},
		{reflect.TypeFor[bytes.Buffer](), "handle"},
		{reflect.TypeFor[strings.Builder](), "handle"},
		{reflect.TypeFor[*strings.Reader](), "handle"},
		{reflect.TypeFor[sync.WaitGroup](), "is a lock"},
		{reflect.TypeFor[atomic.Int64](), "is a lock"},
		{reflect.TypeFor[struct{ N atomic.Bool }](), "is a lock"},
		{reflect.TypeFor[map[*int]string](), "keys of map[*int]string"},
		{reflect.TypeFor[embedsCloner](), "the Clone of cache.embeddedCloner"},
		{reflect.TypeFor[[]struct{ embeddedPointerCloner }](), "the Clone of cache.embeddedPointerCloner"},
		{reflect.TypeFor[struct{ Inner struct{ Deep []mixed } }](), "the field hidden"},
	} {
		if got := planOf(c.typ).reason; !strings.Contains(got, c.want) {
			t.Errorf("%v is refused for %q, want %q", c.typ, got, c.want)
		}
	}
}

func TestTypesThatContainEachOther(t *testing.T) {
	t.Parallel()
	type tree struct {
		Name     string
		Children []tree
		Parent   *tree
		ByName   map[string]tree
	}
	testCopy(t, "tree", tree{"root", []tree{{Name: "leaf"}}, nil, map[string]tree{"a": {Name: "b"}}})
	type badTree struct {
		Children []badTree
		Bad      chan int
	}
	if planOf(reflect.TypeFor[[]badTree]()).reason == "" {
		t.Error("a tree of channels is not refused")
	}
}

func TestWhatCannotBeCopiedInsideInterfaces(t *testing.T) {
	t.Parallel()
	ring := &list{Value: 1}
	ring.Next = ring
	selfMap := map[string]any{}
	selfMap["self"] = selfMap
	selfSlice := []any{nil}
	selfSlice[0] = selfSlice
	deep := any(1)
	for range maxCopyDepth + 1 {
		deep = []any{deep}
	}
	wide := any([]any{1})
	for range 40 { // 2^40 copies
		wide = []any{wide, wide}
	}
	for name, v := range map[string]any{
		"channel": make(chan int), "function": func() {}, "lock": &locked{}, "in a list": []any{1, make(chan int)},
		"in a map": map[string]any{"a": map[string]any{"b": func() {}}}, "in rows": []struct{ V any }{{make(chan int)}},
		"ring": ring, "map in itself": selfMap, "slice in itself": selfSlice, "too deep": deep, "too wide": wide,
		"pointers as keys": map[any]int{new(1): 1},
	} {
		if _, ok := copyFor(v); ok {
			t.Errorf("%s: copied", name)
		}
	}
}

func TestCallersOwnWhatTheyGet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		release := make(chan struct{})
		ask := func() []deepRow {
			rows, err := Get(t.Context(), s, KeyOf("rows"), forever, func(context.Context) ([]deepRow, error) {
				<-release
				return deepRows(3), nil
			})
			if err != nil {
				t.Error(err)
			}
			return rows
		}
		var wg sync.WaitGroup
		for range 8 { // one of them leads; all of them, and those who come later, spoil what they get
			wg.Go(func() {
				for range 10 {
					rows := ask()
					if rows[0].Note == nil || *rows[0].Note != "likes water" || rows[1].Tags[0] != "small" || rows[2].ID != 2 {
						t.Errorf("someone changed it: %+v", rows)
						return
					}
					*rows[0].Note, rows[1].Tags[0], rows[2].ID = "spoiled", "spoiled", -1
					rows[0] = deepRow{}
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		equal(t, "the number of loads", s.cache.Stats().Loads, 1)
	})
}

func TestSharedResultIsTheStoredOne(t *testing.T) {
	t.Parallel()
	s := scope(t)
	shared := Policy{TTL: Forever, Shared: true}
	rows := deepRows(2)
	load := value(rows)
	first := must[[]deepRow](t)(Get(t.Context(), s, KeyOf("rows"), shared, load))
	second := must[[]deepRow](t)(Get(t.Context(), s, KeyOf("rows"), shared, load))
	if &first[0] != &rows[0] || &second[0] != &rows[0] {
		t.Error("it was copied")
	}
	own := must[[]deepRow](t)(Get(t.Context(), s, KeyOf("rows"), forever, load))
	if &own[0] == &rows[0] || own[0].Note == rows[0].Note {
		t.Error("who did not ask for the shared result got it")
	}
	equal(t, "the number of loads", s.cache.Stats().Loads, 1)
}

func TestUncopyableResultIsHandedOutWithOneWarning(t *testing.T) {
	t.Parallel()
	var log logs
	s := open(t, Config{Logger: log.logger()}).Scope("scope", nil)
	loads := 0
	db := new(sql.DB)
	for range 3 {
		v, err := Get(t.Context(), s, KeyOf("static"), forever, func(context.Context) (*sql.DB, error) { loads++; return db, nil })
		if v != db || err != nil {
			t.Fatal(v, err)
		}
		c, err := Get(t.Context(), s, KeyOf("dynamic"), forever, func(context.Context) (any, error) { loads++; return db, nil })
		if c != any(db) || err != nil {
			t.Fatal(c, err)
		}
	}
	equal(t, "the number of loads", loads, 6)
	equal(t, "the number of warnings about the type", strings.Count(log.String(), "type=*sql.DB"), 1)
	equal(t, "the number of warnings about the interface", strings.Count(log.String(), `type="interface {}"`), 1)
	equal(t, "the number of entries", len(s.cache.entries()), 0)

	shared := Policy{TTL: Forever, Shared: true}
	for range 2 {
		_, _ = Get(t.Context(), s, KeyOf("static"), shared, func(context.Context) (*sql.DB, error) { loads++; return db, nil })
		_, _ = Get(t.Context(), s, KeyOf("dynamic"), shared, func(context.Context) (any, error) { loads++; return db, nil })
	}
	equal(t, "the number of loads when shared", loads, 8)
	if _, ok := Lookup[*sql.DB](s, "static", nil, &forever); ok {
		t.Error("Lookup gave a shared handle to a caller who wants its own")
	}
	for range 2 { // a caller that cannot have its own copy loads
		_, _ = Get(t.Context(), s, KeyOf("dynamic"), forever, func(context.Context) (any, error) { loads++; return db, nil })
	}
	equal(t, "the number of loads of those who want their own", loads, 10)
}

func TestFollowersOfAnUncopyableResultLoadTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scope(t)
		var loads atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				v, err := Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) (any, error) {
					loads.Add(1)
					elapse(time.Second)
					return make(chan int), nil
				})
				if v == nil || err != nil {
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		wg.Wait()
		equal(t, "the number of loads", loads.Load(), 10)
	})
}

func TestFollowersOfATooLargeResultShareItsLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{MaxBytes: 1 << 20}).Scope("scope", nil)
		var loads atomic.Int64
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := make(map[*byte]bool)
		for range 10 {
			wg.Go(func() {
				v, err := Get(t.Context(), s, KeyOf("k"), forever, func(context.Context) ([]byte, error) {
					loads.Add(1)
					elapse(time.Second)
					return make([]byte, 1<<20), nil
				})
				if len(v) != 1<<20 || err != nil {
					t.Errorf("got %d bytes, %v", len(v), err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				seen[&v[0]] = true
			})
		}
		wg.Wait()
		equal(t, "the number of loads", loads.Load(), 1)
		equal(t, "the number of copies", len(seen), 10)
		equal(t, "the number of entries", len(s.cache.entries()), 0)
	})
}

// Streamlit runs its validate functions under the lock of the whole function.
func TestDefect15_CallersCodeRunsOutsideAllLocks(t *testing.T) {
	t.Parallel()
	s := scope(t)
	var reenter func()
	reenter = func() {
		reenter = func() {}
		s.cache.Clear()
		s.cache.Drop(func(Info) bool { return false })
		_ = s.cache.Stats()
		_, _ = Get(t.Context(), s, KeyOf("other"), forever, value(1))
	}
	v := hooked{hook: func() { reenter() }}
	_ = must[hooked](t)(Get(t.Context(), s, KeyOf("k"), forever, value(v)))
	_ = must[hooked](t)(Get(t.Context(), s, KeyOf("k"), forever, value(v)))
	p := Policy{TTL: Forever, Negative: time.Second, IsNegative: func(error) bool {
		s.cache.Clear()
		_ = s.cache.Stats()
		return true
	}}
	_, _ = Get(t.Context(), s, KeyOf("negative"), p, func(context.Context) (int, error) { return 0, errNoRows })
}

type hooked struct{ hook func() }

func (h hooked) Clone() hooked {
	h.hook()
	return h
}
