package cache

import (
	"database/sql"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// argsFrom makes arguments of all kinds out of bytes.
type argsFrom struct{ rest []byte }

func (a *argsFrom) byte() byte {
	if len(a.rest) == 0 {
		return 0
	}
	b := a.rest[0]
	a.rest = a.rest[1:]
	return b
}

func (a *argsFrom) number() (n uint64) {
	for range a.byte() % 9 {
		n = n<<8 | uint64(a.byte())
	}
	return n
}

func (a *argsFrom) text() string {
	n := min(int(a.byte()%32), len(a.rest))
	s := string(a.rest[:n])
	a.rest = a.rest[n:]
	return s
}

func (a *argsFrom) value(depth int) any {
	kind := a.byte() % 40
	if depth > 4 {
		kind %= 24
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return a.byte()%2 == 0
	case 2:
		return a.text()
	case 3:
		return int(a.number())
	case 4:
		return int8(a.number())
	case 5:
		return int16(a.number())
	case 6:
		return int32(a.number())
	case 7:
		return int64(a.number())
	case 8:
		return uint(a.number())
	case 9:
		return uint8(a.number())
	case 10:
		return uint16(a.number())
	case 11:
		return uint32(a.number())
	case 12:
		return a.number()
	case 13:
		return math.Float64frombits(a.number())
	case 14:
		return math.Float32frombits(uint32(a.number()))
	case 15:
		return []byte(a.text())
	case 16:
		return []byte(nil)
	case 17:
		return time.Unix(int64(a.number())%1e11, int64(a.number()%1e9)).UTC()
	case 18:
		return time.Unix(int64(a.number())%1e11, 0).In(time.FixedZone("Z"+a.text(), int(int16(a.number()))))
	case 19:
		return status(a.text())
	case 20:
		return level(a.number())
	case 21:
		return point{int(a.number()), int(a.number())}
	case 22:
		return []string{a.text(), a.text()}
	case 23:
		return new(a.text())
	case 24:
		return sql.Named(a.text(), a.value(depth+1))
	case 25, 26:
		list := make([]any, a.byte()%5)
		for i := range list {
			list[i] = a.value(depth + 1)
		}
		return list
	case 27, 28:
		m := params{}
		for range a.byte() % 12 {
			m[a.text()] = a.value(depth + 1)
		}
		return m
	case 29:
		m := map[string]any{}
		for range a.byte() % 5 {
			m[a.text()] = a.value(depth + 1)
		}
		return m
	case 30:
		m := map[int16][]string{}
		for range a.byte() % 5 {
			m[int16(a.number())] = []string{a.text()}
		}
		return m
	case 31:
		return struct {
			A any
			B *point
			C [2]string
		}{a.value(depth + 1), &point{1, int(a.number())}, [2]string{a.text(), a.text()}}
	case 32:
		return map[any]any{a.text(): a.value(depth + 1), int(a.number()): a.value(depth + 1)}
	case 33:
		return [][]int32{{int32(a.number())}, nil, {int32(a.number()), 2}}
	case 34:
		v := a.value(depth + 1)
		return &v
	case 35:
		return (*point)(nil)
	case 36:
		return params(nil)
	case 37:
		return []any(nil)
	case 38:
		return complex(math.Float64frombits(a.number()), 0)
	default:
		return [3]bool{a.byte()%2 == 0, true, a.byte()%2 == 0}
	}
}

func FuzzEncodingCanBeDecoded(f *testing.F) {
	f.Add([]byte("\x02\x05hello\x03\x08\x01\x02\x03\x04\x05\x06\x07\x08\x19\x03\x01\x00\x02\x01a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a := argsFrom{data}
		var args []any
		var b []byte
		for len(a.rest) > 0 && len(args) < 20 {
			v := a.value(0)
			var ok bool
			if b, ok = AppendArg(b, v); !ok {
				t.Fatalf("%T is not encoded", v)
			}
			args = append(args, v)
		}
		decoded, err := decodeArgs(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(args, decoded, sameArg...); diff != "" {
			t.Fatalf("(-encoded +decoded):\n%s", diff)
		}
	})
}

func FuzzParseTTL(f *testing.F) {
	for _, s := range []string{"90s", "15m", "1d12h", "2 days", "1 day 23hr 45minutes", "1.5d23.5h", "01:30:00.5", "P1DT2H", "forever", "-1d", "10", "0", "1µs", "999999999999d", "+,1h,+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseTTL(s)
		if err != nil {
			if d != 0 {
				t.Fatalf("%q gave %d next to an error", s, d)
			}
			return
		}
		if d == Default {
			t.Fatalf("%q is the owner's own", s)
		}
		again, err := ParseTTL(d.String())
		if err != nil || again != d {
			t.Fatalf("%q is %v, which is then %v, %v", s, d, again, err)
		}
	})
}
