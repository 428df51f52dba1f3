package rediscache

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

type (
	level int
	name  string
	inner struct {
		A int
		B *string
	}
	row struct {
		ID      int64
		Name    name
		Tags    []string
		Born    time.Time
		Weight  sql.Null[float64]
		Address *netip.Addr
		Raw     json.RawMessage
		Any     any
		_       struct{}
		inner
	}
	recursive struct {
		Value int
		Next  *recursive
		More  map[string]recursive
	}
	holder[T any] struct{ Value T }
	masked        struct{ text string }
	partly        struct {
		A int
		b []int
	}
	panics struct{ a int }
)

func (masked) MarshalText() ([]byte, error)    { return []byte("REDACTED"), nil }
func (m *masked) UnmarshalText(b []byte) error { m.text = string(b); return nil }
func (panics) MarshalText() ([]byte, error)    { panic("no") }
func (*panics) UnmarshalText([]byte) error     { panic("no") }

// through writes a value and reads it again.
func through[T any](t testing.TB, v T) (got T) {
	t.Helper()
	c := codecOf(reflect.TypeFor[T]())
	if c.reason != "" {
		t.Fatalf("%T: %s", v, c.reason)
	}
	b, err := c.encode([]byte("before"), &v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	rest, ok := strings.CutPrefix(string(b), "before")
	if !ok {
		t.Fatalf("%T: what was there before is gone", v)
	}
	if err := c.decode([]byte(rest), &got); err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	// What is cut short, or has more, is none of it.
	for i := range rest {
		var none T
		if err := c.decode([]byte(rest[:i]), &none); err == nil {
			t.Fatalf("%T: %d of %d bytes were read as %v", v, i, len(rest), none)
		}
	}
	if err := c.decode([]byte(rest+"x"), new(T)); err == nil {
		t.Fatalf("%T: more bytes than there are were read", v)
	}
	return got
}

func same2[T any](t *testing.T, v T) {
	t.Helper()
	if got := through(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("%#v came back as %#v", v, got)
	}
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	address, text := netip.MustParseAddr("10.0.0.1"), "x"
	same2(t, true)
	same2(t, math.MinInt64)
	same2(t, uint64(math.MaxUint64))
	same2(t, int8(-128))
	same2(t, float32(1.5))
	same2(t, math.Inf(-1))
	same2(t, complex(1, 2))
	same2(t, "\xff\x00")
	same2(t, level(3))
	same2(t, []byte(nil))
	same2(t, []byte{})
	same2(t, json.RawMessage(`{"a":1}`))
	same2(t, []string(nil))
	same2(t, []string{})
	same2(t, []int{1, -1})
	same2(t, [2]string{"a", "b"})
	same2(t, [16]byte{1, 2})
	same2(t, map[string]int(nil))
	same2(t, map[string]int{})
	same2(t, map[level][]string{1: {"a"}, 2: nil})
	same2(t, map[[2]int]*int{{1, 2}: nil})
	same2(t, (*int)(nil))
	same2(t, new(new(1)))
	same2(t, new((*int)(nil)))
	same2(t, new([]int(nil)))
	same2(t, struct{}{})
	same2(t, []struct{}{{}, {}})
	same2(t, holder[[]holder[int]]{[]holder[int]{{1}}})
	same2(t, recursive{1, &recursive{2, nil, nil}, map[string]recursive{"a": {3, nil, nil}}})
	same2(t, sql.NullString{String: "a", Valid: true})
	same2(t, url.Values{"a": {"1", "2"}})
	same2(t, address)
	same2(t, netip.MustParsePrefix("10.0.0.0/8"))
	same2(t, *big.NewInt(1 << 60))
	same2(t, big.NewInt(-5))
	same2(t, []row{
		{ID: 1, Name: "a", Tags: []string{"x"}, Born: time.Unix(1_700_000_000, 5).UTC(), Weight: sql.Null[float64]{V: 1.5, Valid: true}, Address: &address, Raw: []byte("1"), Any: int64(1), inner: inner{A: 1, B: &text}},
		{},
	})
	for _, v := range []any{
		nil, true, "a", []byte("a"), []byte(nil), 1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1),
		float32(1), 1.0,
		map[string]any{"a": []any{nil, 1, "x"}},
		[]any(nil), json.Number("1.0"),
		[]string{"a"},
		time.Second,
		[16]byte{1},
		time.Unix(5, 0).UTC(),
		[]map[string]any{{"a": 1}},
		json.RawMessage("1"),
		[]int64{1},
		[]float64{1},
	} {
		same2(t, v)
		same2(t, map[string]any{"v": v})
	}
	if got := through(t, math.Float64frombits(0x7ff8000000000123)); math.Float64bits(got) != 0x7ff8000000000123 {
		t.Errorf("a NaN came back as %x", math.Float64bits(got))
	}
}

func TestTimesComeBackInTheirLocations(t *testing.T) {
	t.Parallel()
	instant := time.Unix(1_700_000_000, 123)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []time.Time{
		{},
		instant, instant.UTC(), instant.Local(), instant.In(berlin), instant.In(time.FixedZone("CET", 3600)), instant.In(time.FixedZone("", 3600)),
		instant.In(time.FixedZone("UTC", 3600)), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		got := through(t, v)
		name, offset := v.Zone()
		gotName, gotOffset := got.Zone()
		if !got.Equal(v) || gotName != name || gotOffset != offset || got.Location().String() != v.Location().String() {
			t.Errorf("%v (%s) came back as %v (%s)", v, v.Location(), got, got.Location())
		}
		if later := v.AddDate(0, 6, 0); !got.AddDate(0, 6, 0).Equal(later) && v.Location() == berlin {
			t.Errorf("%v has lost its rules", v)
		}
	}
	if got := through(t, time.Time{}); !got.IsZero() || !reflect.DeepEqual(got, time.Time{}) {
		t.Errorf("the zero time came back as %#v", got)
	}
}

func TestTypesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[func()](), reflect.TypeFor[chan int](), reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](),
		reflect.TypeFor[[]partly](), reflect.TypeFor[map[string]func()](), reflect.TypeFor[*struct{ F func() }](), reflect.TypeFor[struct{ e error }](),
	} {
		if c := codecOf(typ); c.reason == "" {
			t.Errorf("%v can be written", typ)
		}
	}
}

func TestValuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if p := (partly{b: []int{1}}); len(p.b) != 1 { // what is not exported would be lost
		t.Fatal(p)
	}
	circle := &recursive{}
	circle.Next = circle
	for _, v := range []any{masked{"a secret"}, errors.New("x"), level(1), row{}, func() {}, new(1)} {
		if _, err := codecOf(reflect.TypeFor[any]()).encode(nil, &v); err == nil {
			t.Errorf("%T in an interface was written", v)
		} else if strings.Contains(err.Error(), "a secret") {
			t.Error(err)
		}
	}
	if b, err := codecOf(reflect.TypeFor[masked]()).encode(nil, &masked{"a secret"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a type that masks itself was written: %q, %v", b, err)
	}
	if _, err := codecOf(reflect.TypeFor[*recursive]()).encode(nil, &circle); !errors.Is(err, errDepth) {
		t.Errorf("a circle: %v", err)
	}
	if _, err := codecOf(reflect.TypeFor[panics]()).encode(nil, &panics{a: 1}); err == nil {
		t.Error("a panic was no error")
	}
}

func FuzzDecode(f *testing.F) {
	types := []reflect.Type{
		reflect.TypeFor[[]row](), reflect.TypeFor[any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[recursive](), reflect.TypeFor[[]struct{}](),
		reflect.TypeFor[*big.Int](), reflect.TypeFor[time.Time](),
	}
	for i, v := range []any{[]row{{ID: 1, Any: "a"}}, any(1), map[string]any{"a": []any{1}}, recursive{Next: &recursive{}}, []struct{}{{}}, big.NewInt(7), time.Unix(0, 0)} {
		p := reflect.New(types[i])
		p.Elem().Set(reflect.ValueOf(v))
		b, err := codecOf(types[i]).encode(nil, p.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), b)
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		c := codecOf(types[int(which)%len(types)])
		p := reflect.New(c.typ)
		if c.decode(b, p.Interface()) != nil {
			if !p.Elem().IsZero() {
				t.Errorf("a failure has left %v behind", p.Elem())
			}
			return
		}
		// What can be read can be written, and comes back.
		again, err := c.encode(nil, p.Interface())
		if err != nil {
			t.Fatal(err)
		}
		q := reflect.New(c.typ)
		if err := c.decode(again, q.Interface()); err != nil {
			t.Fatal(err)
		}
	})
}
