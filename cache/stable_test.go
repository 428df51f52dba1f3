package cache

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// Two values have one stable encoding only if they have one encoding.
func TestStableEncodingsTellValuesApart(t *testing.T) {
	t.Parallel()
	seen := make(map[string]any)
	for _, v := range someArgs() {
		encoded, ok := AppendStableArg([]byte("before"), v)
		rest, kept := bytes.CutPrefix(encoded, []byte("before"))
		if !kept {
			t.Fatalf("%#v: what was there before is gone", v)
		}
		plain, stable := AppendArg(nil, v)
		if ok != stable {
			t.Errorf("%#v has a stable encoding: %v; an encoding: %v", v, ok, stable)
		}
		if other, taken := seen[string(rest)]; taken && ok {
			if same, _ := AppendArg(nil, other); !bytes.Equal(same, plain) {
				t.Errorf("%#v and %#v have one stable encoding", v, other)
			}
		}
		seen[string(rest)] = v
	}
}

func TestStableEncodingOfWhatHasNone(t *testing.T) {
	t.Parallel()
	for _, v := range []any{func() {}, make(chan int), failing{}, masked{"x"}} {
		if b, ok := AppendStableArg([]byte("x"), v); ok || string(b) != "x" {
			t.Errorf("%T: %q, %v", v, b, ok)
		}
	}
	for _, args := range [][]byte{{tagTyped}, {tagTyped, 0xff, 0xff, 0x7f}, {tagString, 9}, {tagTime, 1}, {0xee}, {tagNamedArg}, {tagFloat64, 1}} {
		if b, ok := appendStable([]byte("x"), args); ok || string(b) != "x" {
			t.Errorf("%v: %q, %v", args, b, ok)
		}
	}
}

// stableSamples are encodings that depend on the numbers of types, if anything does.
func stableSamples(backwards bool) string {
	samples := []any{
		params{"id": 1, "pet": "cat"},
		point{1, 2},
		[]point{{1, 2}},
		status("x"),
		map[any]any{level(1): "a", status("1"): "b", point{3, 4}: 5},
		[]any{level(1), status("2")},
		localKey(),
	}
	encoded := make([]string, len(samples))
	for i := range samples {
		if backwards {
			i = len(samples) - 1 - i
		}
		b, ok := AppendStableArg(nil, samples[i])
		shape, named := shapeOf(reflect.TypeOf(samples[i]))
		encoded[i] = fmt.Sprint(hex.EncodeToString(b), ok, hex.EncodeToString(shape[:]), named)
	}
	return strings.Join(encoded, "\n")
}

func localKey() any {
	type recursive struct {
		Name string `db:"name"`
		Next *recursive
	}
	return &recursive{Name: "a", Next: &recursive{Name: "b"}}
}

const asChild = "STREAMCONN_TEST_STABLE"

func TestStableEncodingIsTheSameInAnotherProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(asChild) != "" {
		fmt.Printf("<<%s>>", stableSamples(true))
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), asChild+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "<<")
	got, _, _ := strings.Cut(rest, ">>")
	if want := stableSamples(false); got != want {
		t.Errorf("another process encodes\n%s\nthis one\n%s", got, want)
	}
}

func TestShapesTellTypesApart(t *testing.T) {
	t.Parallel()
	type (
		a struct{ X int }
		b struct{ X int }
		c struct {
			X int `db:"x"`
		}
		d struct{ Next *d }
		e struct{ Next **e }
		f struct{ a }
		g struct{ A a }
	)
	seen := make(map[[32]byte]reflect.Type)
	for _, v := range []any{
		a{},
		b{},
		c{},
		d{},
		e{},
		f{},
		g{},
		struct{ X int }{},
		struct{ x int }{},
		&a{},
		[]a{},
		[1]a{},
		[2]a{},
		map[string]a{},
		map[a]string{},
		func() {}, func(int) {}, func() int { return 0 }, func(...int) {}, func([]int) {}, make(chan int), make(<-chan int),
		(*error)(nil), (*any)(nil), (*fmt.Stringer)(nil), (*interface{ String() int })(nil), 1, int64(1), level(1), status(""), "",
	} {
		typ := reflect.TypeOf(v)
		shape, ok := shapeOf(typ)
		if other, taken := seen[shape]; taken || !ok {
			t.Errorf("%v and %v have one shape", typ, other)
		}
		seen[shape] = typ
	}
}
