package cache

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type (
	status string
	level  int
	point  struct{ X, Y int }
	params map[string]any
	money  struct {
		Amount   int
		Currency string
	}
	upper  struct{ s string } // Valuer on the value
	masked struct{ secret string }
	picky  struct{ digits string } // has several forms of one value
	marked struct {
		_ struct{}
		A int
	}
	failing struct{}
)

func (u upper) Value() (driver.Value, error)      { return u.s, nil }
func (m money) Value() (driver.Value, error)      { return fmt.Sprint(m.Amount, m.Currency), nil }
func (failing) Value() (driver.Value, error)      { return nil, errSource }
func (masked) MarshalText() ([]byte, error)       { return []byte("REDACTED"), nil }
func (m *masked) UnmarshalText(text []byte) error { m.secret = string(text); return nil }
func (p picky) MarshalText() ([]byte, error)      { return bytes.TrimLeft([]byte(p.digits), "0"), nil }
func (p *picky) UnmarshalText(text []byte) error  { p.digits = string(text); return nil }
func (p picky) Equal(other picky) bool {
	return bytes.Equal(must2(p.MarshalText()), must2(other.MarshalText()))
}

func must2(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// sameArg is equality of arguments: to the bit, with types.
var sameArg = []cmp.Option{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b complex128) bool { return fmt.Sprint(a) == fmt.Sprint(b) }),
	cmp.Comparer(func(a, b time.Time) bool {
		an, ao := a.Zone()
		bn, bo := b.Zone()
		return a.Equal(b) && an == bn && ao == bo && a.Location().String() == b.Location().String()
	}),
	cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b reflect.Type) bool { return a == b }),
	cmp.Comparer(func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
	cmp.AllowUnexported(marked{}, sql.NamedArg{}),
}

func someArgs() []any {
	type local struct{ A any }
	zone := time.FixedZone("CET", 3600)
	instant := time.Unix(1_700_000_000, 5)
	return []any{
		nil, true, false, "", "1", "str:bstr:2", 1, 0, -1, math.MinInt64,
		int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uint64(math.MaxUint64), uintptr(1),
		1.0, float32(1), 0.0, math.Copysign(0, -1), math.NaN(), math.Inf(1), complex64(1), complex(1, 2),
		[]byte(nil),
		[]byte{},
		[]byte("1"), json.RawMessage("1"), json.Number("1"), status("1"), level(1), time.Duration(1),
		[]string(nil),
		[]string{},
		[]string{"1", "2"},
		[]string{"1", "", "2"},
		[]string{"12"},
		[]string{"1str:2"},
		[]any{"1", "2"},
		[]any{1, "2"},
		[2]string{"1", "2"},
		[2]any{"1", "2"},
		[]any(nil),
		[]any{nil},
		[]any{},
		[]any{[]any{}},
		map[string]any(nil),
		map[string]any{},
		map[string]any{"a": 1},
		map[string]any{"a": int64(1)},
		map[string]any{"a": nil},
		map[string]any{"a": 1, "b": 2},
		map[string]any{"a": 2, "b": 1},
		params{"a": 1},
		params(nil),
		params{},
		map[string]int{"a": 1},
		map[int]string{1: "a", 2: "b"},
		map[any]any{1: "a", "1": "b"},
		map[status]any{"a": 1},
		point{1, 2},
		point{2, 1},
		&point{1, 2}, (*point)(nil),
		struct{ X, Y int }{1, 2},
		struct{ Y, X int }{1, 2},
		[]point{{1, 2}},
		[][]int{{1}, {2}},
		[][]int{{1, 2}, {}},
		new(1), new(int64(1)), new("1"), (*int)(nil), (*string)(nil), new(new(1)),
		marked{A: 1},
		local{1},
		local{"1"},
		local{nil},
		local{local{1}},
		instant, instant.UTC(), instant.In(zone), instant.In(time.FixedZone("MET", 3600)), instant.In(time.FixedZone("CET", 7200)), instant.Add(1),
		time.Time{},
		&instant,
		sql.Named("a", 1), sql.Named("b", 1), sql.Named("a", "1"), sql.Named("a", nil), sql.Named("a", sql.Named("b", 1)),
		*big.NewInt(5), big.NewInt(5), big.NewInt(0), big.NewInt(-5), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1"),
		url.URL{Path: "/a"},
		url.Values{"a": {"1", "2"}},
		url.Values{"a": {"1"}, "b": {"2"}},
	}
}

func valuers() map[any]valued {
	typeOf := func(v any) reflect.Type { return reflect.TypeOf(v) }
	return map[any]valued{
		upper{"x"}:                                  {Type: typeOf(upper{}), Value: "x"},
		upper{"y"}:                                  {Type: typeOf(upper{}), Value: "y"},
		money{1, "x"}:                               {Type: typeOf(money{}), Value: "1x"},
		(*upper)(nil):                               {Type: typeOf(new(upper{})), Nil: true},
		sql.NullString{}:                            {Type: typeOf(sql.NullString{}), Value: nil},
		sql.NullString{String: "x", Valid: true}:    {Type: typeOf(sql.NullString{}), Value: "x"},
		sql.Null[int64]{V: 1, Valid: true}:          {Type: typeOf(sql.Null[int64]{}), Value: int64(1)},
		sql.Null[time.Time]{V: time.Time{}}:         {Type: typeOf(sql.Null[time.Time]{}), Value: nil},
		sql.NullInt64{Int64: 1, Valid: true}:        {Type: typeOf(sql.NullInt64{}), Value: int64(1)},
		sql.Null[upper]{V: upper{"x"}, Valid: true}: {Type: typeOf(sql.Null[upper]{}), Value: "x"},
	}
}

func TestEncodingCanBeDecoded(t *testing.T) {
	t.Parallel()
	check := func(v, want any) {
		t.Helper()
		b, ok := AppendArg([]byte("before"), v)
		if !ok {
			t.Errorf("%T %v is not encoded", v, v)
			return
		}
		got, err := decodeArgs(b[len("before"):])
		if err != nil || len(got) != 1 {
			t.Errorf("%T %v: decoded to %d values, %v", v, v, len(got), err)
			return
		}
		if diff := cmp.Diff(want, got[0], sameArg...); diff != "" {
			t.Errorf("%T %v (-encoded +decoded):\n%s", v, v, diff)
		}
	}
	for _, v := range someArgs() {
		check(v, v)
	}
	for v, want := range valuers() {
		check(v, want)
	}
}

// Streamlit joins values without lengths, and names types without their packages.
func TestDefect01_NoTwoArgumentsHaveOneEncoding(t *testing.T) {
	t.Parallel()
	args := someArgs()
	for v := range valuers() {
		args = append(args, v)
	}
	seen := make(map[string]int)
	for i, v := range args {
		b, ok := AppendArg(nil, v)
		if !ok {
			t.Fatalf("%T is not encoded", v)
		}
		if j, ok := seen[string(b)]; ok {
			t.Errorf("%T %v and %T %v have one encoding", v, v, args[j], args[j])
		}
		seen[string(b)] = i
	}
}

func TestDefect01_NoTwoCallsHaveOneKey(t *testing.T) {
	t.Parallel()
	calls := [][]any{
		{},
		{""},
		{nil},
		{"a"},
		{"a", ""},
		{"a", nil},
		{"", "a"},
		{status("a")},
		{"a", "b"},
		{"ab"},
		{"a", "b", "c"},
		{"a", "bc"},
		{"a", []any{"b", "c"}},
		{"a", []string{"b", "c"}},
		{"a", 1},
		{"a", "1"},
		{"a", int64(1)},
		{"a", 1.0},
		{"a", true},
		{1},
		{"", 1},
		{1, ""},
		{1, 2},
		{"", 1, 2},
		{"1", "str:bstr:2"},
		{"1str:bstr:2"},
		{"f", sql.Named("a", 1)},
		{"f", "a", 1},
	}
	seen := make(map[string][]any)
	for _, call := range calls {
		k := KeyOf(call...)
		if !k.Cacheable() {
			t.Fatalf("%v is not cacheable", call)
		}
		id := fmt.Sprintf("%q %q", k.text, k.args)
		if other, ok := seen[id]; ok {
			t.Errorf("%#v and %#v have one key", call, other)
		}
		seen[id] = call
	}
}

func TestDefect01_TypesOfOneNameAreToldApart(t *testing.T) {
	t.Parallel()
	one := func() any {
		type id int
		return id(1)
	}()
	two := func() any {
		type id int
		return id(1)
	}()
	if fmt.Sprintf("%T", one) != fmt.Sprintf("%T", two) {
		t.Fatal("the names differ")
	}
	a, _ := AppendArg(nil, one)
	b, _ := AppendArg(nil, two)
	if bytes.Equal(a, b) {
		t.Error("they have one encoding")
	}
}

func TestEqualArgumentsHaveOneEncoding(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]any{
		"maps in another order":        {map[string]any{"a": 1, "b": 2, "c": 3}, map[string]any{"c": 3, "b": 2, "a": 1}},
		"large maps":                   {largeMap(0), largeMap(50)},
		"maps of other keys":           {map[int]string{1: "a", 2: "b", 3: "c"}, map[int]string{3: "c", 1: "a", 2: "b"}},
		"pointers to equal values":     {new(5), new(5)},
		"a time and its wall clock":    {time.Unix(1, 0).UTC(), time.Unix(1, 0).UTC().Round(0)},
		"forms of one value":           {picky{"07"}, picky{"7"}},
		"numbers of different history": {new(big.Int).Sub(big.NewInt(5), big.NewInt(5)), new(big.Int)},
		"slices of other capacity":     {append(make([]int, 0, 9), 1), []int{1}},
	} {
		a, ok1 := AppendArg(nil, pair[0])
		b, ok2 := AppendArg(nil, pair[1])
		if !ok1 || !ok2 || !bytes.Equal(a, b) {
			t.Errorf("%s: %q %v and %q %v", name, a, ok1, b, ok2)
		}
	}
}

func largeMap(from int) params {
	m := params{}
	for i := range 100 {
		m[fmt.Sprint((i+from)%100)] = i + from - (i+from)/100*100
	}
	return m
}

func TestWhatHasNoStableForm(t *testing.T) {
	t.Parallel()
	ring := &list{}
	ring.Next = ring
	self := params{}
	self["self"] = self
	selfSlice := []any{nil}
	selfSlice[0] = selfSlice
	wide := any("x")
	for range 90 {
		wide = params{"a": wide, "b": wide}
	}
	wideMap := any(1)
	for range 90 {
		wideMap = map[int]any{1: wideMap, 2: wideMap}
	}
	for name, v := range map[string]any{
		"function": func() {}, "nil function": (func())(nil), "channel": make(chan int), "unexported state": mixed{}, "pointer to it": &mixed{},
		"unexported field of a comparable type": struct{ a int }{1}, "in a list": []any{1, func() {}}, "in a map": params{"a": make(chan int)},
		"in a map of another type": map[int]any{1: make(chan int)}, "as a key": map[any]int{struct{ _ int }{}: 1},
		"in a struct": struct{ F any }{func() {}}, "a secret that masks itself": masked{"hunter2"}, "its pointer": &masked{"hunter2"},
		"a failing Valuer": failing{}, "a place to write to": sql.Out{Dest: new(1)}, "an error": errors.New("x"), "a location": time.UTC,
		"a named argument": sql.Named("a", func() {}), "a URL with a password": url.URL{User: url.UserPassword("a", "b")},
		"a ring": ring, "a map in itself": self, "a slice in itself": selfSlice, "too wide": wide, "too wide, other keys": wideMap,
		"too long":                 make([]string, maxArgBytes+100),
		"without an end or a size": make([]struct{}, 1<<40),
	} {
		b, ok := AppendArg([]byte("as it was"), v)
		if ok || string(b) != "as it was" {
			t.Errorf("%s: gave %d bytes, %v", name, len(b), ok)
		}
		if k := KeyOf("text", 1, v); k.Cacheable() {
			t.Errorf("%s: the key is cacheable", name)
		}
	}
	if b, ok := AppendArg(nil, masked{"REDACTED"}); !ok {
		t.Errorf("what is equal to its text is refused: %q", b)
	}
}

func TestMakeKeyCopiesItsArguments(t *testing.T) {
	t.Parallel()
	s := scope(t)
	args, _ := AppendArg(nil, "a")
	k := MakeKey("text", args)
	args[len(args)-1] = 'b'
	_ = must[int](t)(Get(t.Context(), s, k, forever, value(1)))
	if _, ok := Lookup[int](s, "text", args, &forever); ok {
		t.Error("the key has changed with the buffer")
	}
	args[len(args)-1] = 'a'
	v, ok := Lookup[int](s, "text", args, &forever)
	if v != 1 || !ok {
		t.Error("the key is not found")
	}
	equal(t, "the value under KeyOf", must[int](t)(Get(t.Context(), s, KeyOf("text", "a"), forever, value(2))), 1)
}
