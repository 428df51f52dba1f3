package sqlconn

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func frameOf(t testing.TB, r resultSet) *Frame {
	t.Helper()
	f, err := readFrame(queryResult(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var petFrame = resultSet{
	columns: []string{"person", "pet", "age", "data", "born"},
	types:   []string{"VARCHAR", "varchar(20)", "INTEGER", "BLOB", "DATE"},
	rows: [][]driver.Value{
		{[]byte("jerry"), []byte("fish"), int64(3), []byte{0, 0xff}, time.Date(2020, 5, 1, 0, 0, 0, 0, time.UTC)},
		{[]byte("barbara"), nil, int64(12), []byte("b"), nil},
	},
}

func TestFrameHoldsWhatTheDriverGave(t *testing.T) {
	t.Parallel()
	var closed bool
	r := petFrame
	r.closed = &closed
	f := frameOf(t, r)
	if !closed {
		t.Error("the rows are left open")
	}
	if f.Len() != 2 {
		t.Errorf("%d rows", f.Len())
	}
	wantColumns := []Column{
		{"person", "VARCHAR", anyType}, {"pet", "varchar(20)", anyType}, {"age", "INTEGER", anyType}, {"data", "BLOB", anyType}, {"born", "DATE", anyType},
	}
	if got := f.Columns(); !slices.Equal(got, wantColumns) {
		t.Errorf("got %v, want %v", got, wantColumns)
	}
	want := [][]any{
		{"jerry", "fish", int64(3), []byte{0, 0xff}, time.Date(2020, 5, 1, 0, 0, 0, 0, time.UTC)},
		{"barbara", nil, int64(12), []byte("b"), nil},
	}
	if diff := cmp.Diff(want, slices.Collect(f.Rows())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[1], f.Row(1)); diff != "" {
		t.Error(diff)
	}
	if got, found := f.Column("pet"); !found || !reflect.DeepEqual(got, []any{"fish", nil}) {
		t.Errorf("got %v, %t", got, found)
	}
	if got, found := f.Column("Pet"); found || got != nil {
		t.Errorf("a column of another name: %v", got)
	}
	for range f.Rows() {
		break // may be left early
	}
}

func TestFrameRowPanicsOutOfRange(t *testing.T) {
	t.Parallel()
	for _, i := range []int{-1, 2} {
		func() {
			defer func() {
				if got, want := recover(), fmt.Sprintf("sqlconn: row %d of a frame with 2 rows", i); got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			}()
			frameOf(t, petFrame).Row(i)
		}()
	}
}

// Neither what its methods return nor a clone that is overwritten changes it.
func TestFrameDoesNotChange(t *testing.T) {
	t.Parallel()
	row := func() []any { // made anew each time: it shares nothing with the frame
		return []any{
			[]byte("abc"), []any{int64(1), []byte("x")}, map[string]any{"a": []any{"b"}, "n": nil}, big.NewInt(5), []int{1, 2},
		}
	}
	r := resultSet{columns: []string{"bytes", "list", "map", "big", "ints"}}
	r.rows = [][]driver.Value{make([]driver.Value, 5)}
	for i, v := range row() {
		r.rows[0][i] = v
	}
	f := frameOf(t, r)
	spoil := func(row []any) {
		row[0].([]byte)[0] = '!'
		row[1].([]any)[0] = "!"
		row[1].([]any)[1].([]byte)[0] = '!'
		row[2].(map[string]any)["a"].([]any)[0] = "!"
		row[2].(map[string]any)["new"] = "!"
		row[3].(*big.Int).SetInt64(666)
		row[4].([]int)[0] = 666
		clear(row)
	}
	spoil(f.Row(0))
	for row := range f.Rows() {
		spoil(row)
	}
	clear(f.Columns())
	values, _ := f.Column("bytes")
	values[0].([]byte)[0] = '!'
	typed, err := ColumnOf[[]byte](f, "bytes")
	if err != nil {
		t.Fatal(err)
	}
	typed[0][0] = '!'
	lists, err := ColumnOf[any](f, "list")
	if err != nil {
		t.Fatal(err)
	}
	lists[0].([]any)[0] = "!"
	clone := f.Clone()
	spoil(clone.Row(0))
	*clone = Frame{}
	if diff := cmp.Diff(row(), f.Row(0), cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	if f.Columns()[0].Name != "bytes" {
		t.Error("its columns have changed")
	}
}

func TestFrameClone(t *testing.T) {
	t.Parallel()
	f := frameOf(t, petFrame)
	if c := f.Clone(); c == f || c.String() != f.String() {
		t.Errorf("got %v", c)
	}
	if c := (*Frame)(nil).Clone(); c != nil {
		t.Errorf("the clone of nil is %v", c)
	}
}

func TestFrameZeroValue(t *testing.T) {
	t.Parallel()
	var f Frame
	if f.Len() != 0 || len(f.Columns()) != 0 || len(slices.Collect(f.Rows())) != 0 {
		t.Error("it has something in it")
	}
	if got := f.String(); got != "(0 rows)\n" {
		t.Errorf("got %q", got)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"":     func(b *bytes.Buffer) error { return f.WriteCSV(b) },
		"[]\n": func(b *bytes.Buffer) error { return f.WriteJSON(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil || b.String() != name {
			t.Errorf("got %q, %v, want %q", b.String(), err, name)
		}
	}
	if got, err := json.Marshal(&f); err != nil || string(got) != "[]" {
		t.Errorf("got %s, %v", got, err)
	}
}

func columnCase[T any](name, column string, want []T, wantErr string) wantRows {
	r := resultSet{
		columns: []string{"id", "name", "when", "tags", "nothing", "mood", "id"},
		types:   []string{"INTEGER", "TEXT", "TEXT", "_TEXT", "", "", "INTEGER"},
		rows: [][]driver.Value{
			{int64(1), "a", "2026-03-01", "{x,y}", nil, "glad", int64(10)},
			{int64(2), nil, "2026-03-02", "{}", nil, "sad", int64(20)},
		},
	}
	return wantRows{name, func(t *testing.T) {
		t.Parallel()
		got, err := ColumnOf[T](frameOf(t, r), column)
		if (err == nil) != (wantErr == "") || err != nil && err.Error() != wantErr {
			t.Fatalf("got error  %v\nwant %v", err, wantErr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
	}}
}

func TestColumnOf(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	for _, test := range []wantRows{
		columnCase("int", "id", []int{1, 2}, ""), // the first of that name
		columnCase("string from numbers", "id", []string{"1", "2"}, ""),
		columnCase("pointers", "name", []*string{new("a"), nil}, ""),
		columnCase("sql.Null", "name", []sql.Null[string]{{V: "a", Valid: true}, {}}, ""),
		columnCase("sql.NullString", "name", []sql.NullString{{String: "a", Valid: true}, {}}, ""),
		columnCase("any", "name", []any{"a", nil}, ""),
		columnCase("bytes", "name", [][]byte{[]byte("a"), nil}, ""),
		columnCase("times", "when", []time.Time{day(1), day(2)}, ""),
		columnCase("slices", "tags", [][]string{{"x", "y"}, {}}, ""),
		columnCase("a Scanner", "mood", []scanMood{1, 2}, ""),
		columnCase("a Scanner of NULL", "nothing", []scanMood{-1, -1}, ""),
		columnCase[string]("NULL", "name", nil, `row 1: column "name": NULL has no place in string: use *string or sql.Null[string]`),
		columnCase[int]("no number", "mood", nil, `row 0: column "mood": this string has no place in int`),
		columnCase[scanMood]("Scan fails", "name", nil, `row 0: column "name": sqlconn.scanMood does not take it: no such mood`),
		columnCase[int]("no column", "nane", nil, `there is no column "nane" (the nearest is "name")`),
		columnCase[int]("no column at all like it", "colour", nil, `there is no column "colour", only "id", "name", "when", "tags", "nothing", "mood", "id"`),
		columnCase[chan int]("a channel", "id", nil, `column "id": chan int cannot hold a column`),
	} {
		t.Run(test.name, test.run)
	}
}

func TestFrameTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		r    resultSet
		want string
	}{
		{"as it is", petFrame, `
person   pet   age  data    born
-------  ----  ---  ------  ----------
jerry    fish    3  \x00ff  2020-05-01
barbara  NULL   12  \x62    NULL
(2 rows)
`},
		{"no rows", resultSet{columns: []string{"a", "long name"}}, `
a  long name
-  ---------
(0 rows)
`},
		{"one row", resultSet{columns: []string{"a"}, rows: [][]driver.Value{{int64(1)}}}, `
a
-
1
(1 row)
`},
		{"no columns", resultSet{rows: [][]driver.Value{{}, {}}}, `
(2 rows)
`},
		{"NULL, a string of that name, and the empty string", resultSet{columns: []string{"a", "b"}, rows: [][]driver.Value{{nil, "x"}, {"NULL", "y"}, {"", "z"}, {"end", ""}}}, `
a       b
------  -
NULL    x
"NULL"  y
        z
end
(4 rows)
`},
		{"numbers", resultSet{columns: []string{"n", "mixed"}, rows: [][]driver.Value{{1.5, int64(1)}, {float64(1000000), "x"}, {1e300, nil}, {1e-9, true}, {math.NaN(), int64(2)}, {nil, 2.5}}}, `
      n  mixed
-------  -----
    1.5  1
1000000  x
 1e+300  NULL
  1e-09  true
    NaN  2
   NULL  2.5
(6 rows)
`},
		{"times", resultSet{columns: []string{"a", "b", "c"}, types: []string{"DATE", "TIME", "TIMESTAMP"}, rows: [][]driver.Value{
			{time.Date(2026, 3, 1, 12, 30, 0, 5e8, time.UTC), time.Date(2026, 3, 1, 12, 30, 0, 5e8, time.UTC), time.Date(2026, 3, 1, 12, 30, 0, 5e8, time.UTC)},
		}}, `
a           b           c
----------  ----------  ----------------------
2026-03-01  12:30:00.5  2026-03-01T12:30:00.5Z
(1 row)
`},
		{"what cannot be printed", resultSet{columns: []string{"a\tb"}, rows: [][]driver.Value{{"line\nbreak"}, {"\x1b[31m"}, {"\xff"}, {"\u202eevil"}, {`back\slash 'quoted'`}}}, `
a\tb
-------------------
line\nbreak
\x1b[31m
\xff
\u202eevil
back\slash 'quoted'
(5 rows)
`},
		{"wide letters and marks", resultSet{columns: []string{"name", "n"}, rows: [][]driver.Value{{"日本語", int64(1)}, {"e\u0301te\u0301", int64(2)}, {"🐟", int64(3)}, {"plain", int64(4)}}}, `
name    n
------  -
日本語  1
` + "e\u0301te\u0301" + `     2
🐟      3
plain   4
(4 rows)
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := frameOf(t, test.r)
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), f.String()); diff != "" {
				t.Error(diff)
			}
			var b bytes.Buffer
			if err := f.WriteTable(&b); err != nil || b.String() != f.String() {
				t.Errorf("WriteTable: %v\n%s", err, b.String())
			}
			if got := fmt.Sprintf("%v", f); got != f.String() {
				t.Errorf("%%v is %s", got)
			}
		})
	}
}

func TestFrameTableIsCutOff(t *testing.T) {
	t.Parallel()
	r := resultSet{columns: []string{"n", "text"}}
	for i := range 25 {
		r.rows = append(r.rows, []driver.Value{int64(i), strings.Repeat("日本", i*2)})
	}
	f := frameOf(t, r)
	lines := strings.Split(f.String(), "\n")
	if len(lines) != 2+20+1+1 {
		t.Errorf("%d lines", len(lines))
	}
	if got, want := lines[22], "(25 rows, the first 20 shown)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := lines[21], "19  "+strings.Repeat("日本", 14)+"日…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var b bytes.Buffer
	if err := f.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(b.String(), "\n")
	if got, want := lines[26], "24  "+strings.Repeat("日本", 48); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := lines[27], "(25 rows)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFrameCSV(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.FixedZone("", 3600))
	for _, test := range []struct {
		name string
		r    resultSet
		want string
	}{
		{"as it is", petFrame, "person,pet,age,data,born\r\njerry,fish,3,AP8=,2020-05-01\r\nbarbara,,12,Yg==,\r\n"},
		{"NULL and empty strings", resultSet{columns: []string{"a", "b"}, rows: [][]driver.Value{{nil, nil}, {"", []byte{}}}}, "a,b\r\n,\r\n\"\",\"\"\r\n"},
		{"NULL in a single column", resultSet{columns: []string{"a"}, rows: [][]driver.Value{{nil}, {""}}}, "a\r\n\"\"\r\n\"\"\r\n"},
		{"quotes", resultSet{columns: []string{`a"b`, "c,d"}, rows: [][]driver.Value{{"e\r\nf", " g"}, {`"`, "h\ti"}}}, "\"a\"\"b\",\"c,d\"\r\n\"e\r\nf\",\" g\"\r\n\"\"\"\",h\ti\r\n"},
		{"numbers and times", resultSet{columns: []string{"a", "b", "c", "d"}, rows: [][]driver.Value{{int64(math.MaxInt64), 0.1, true, noon}}}, "a,b,c,d\r\n9223372036854775807,0.1,true,2026-03-01T12:00:00.5+01:00\r\n"},
		{"names twice", resultSet{columns: []string{"a", "a", ""}, rows: [][]driver.Value{{int64(1), int64(2), int64(3)}}}, "a,a,\r\n1,2,3\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := frameOf(t, test.r).WriteCSV(&b); err != nil {
				t.Fatal(err)
			}
			if b.String() != test.want {
				t.Errorf("got  %q\nwant %q", b.String(), test.want)
			}
		})
	}
}

func TestFrameJSON(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, test := range []struct {
		name string
		r    resultSet
		want string
	}{
		{
			"as it is", petFrame,
			`{"person":"jerry","pet":"fish","age":3,"data":"AP8=","born":"2020-05-01"}` + ",\n" + `{"person":"barbara","pet":null,"age":12,"data":"Yg==","born":null}`,
		},
		{"keys in their order", resultSet{columns: []string{"z", "a", "m"}, rows: [][]driver.Value{{int64(1), int64(2), int64(3)}}}, `{"z":1,"a":2,"m":3}`},
		{
			"names twice",
			resultSet{columns: []string{"id", "id", "id_2", "", "id", "column_4"}, rows: [][]driver.Value{{int64(1), int64(2), int64(3), int64(4), int64(5), int64(6)}}},
			`{"id":1,"id_3":2,"id_2":3,"column_4_2":4,"id_4":5,"column_4":6}`,
		},
		{
			"numbers",
			resultSet{columns: []string{"a", "b", "c", "d", "e", "f"}, rows: [][]driver.Value{{int64(math.MaxInt64), huge, 0.1, 1e300, math.NaN(), math.Inf(-1)}}},
			`{"a":9223372036854775807,"b":123456789012345678901234567890,"c":0.1,"d":1e+300,"e":null,"f":null}`,
		},
		{
			"decimals as given, JSON as it is",
			resultSet{
				columns: []string{"d", "j", "no"}, types: []string{"DECIMAL", "JSONB", "JSON"},
				rows: [][]driver.Value{{[]byte("12.50"), []byte(`{ "b": 12345678901234567890, "a": [1] }`), "{"}},
			},
			`{"d":"12.50","j":{"b":12345678901234567890,"a":[1]},"no":"{"}`,
		},
		{"strings", resultSet{columns: []string{"a"}, rows: [][]driver.Value{{"<&>\"\\\n\xff\u2028é"}}}, `{"a":"<&>\"\\\n\ufffd\u2028é"}`},
		{"types of the driver", resultSet{columns: []string{"a", "b"}, rows: [][]driver.Value{{[]any{int64(1), "x"}, map[any]any{1: 2}}}}, `{"a":[1,"x"],"b":"map[1:2]"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := frameOf(t, test.r)
			var b bytes.Buffer
			if err := f.WriteJSON(&b); err != nil {
				t.Fatal(err)
			}
			if want := "[\n" + test.want + "\n]\n"; b.String() != want {
				t.Errorf("got  %s\nwant %s", b.String(), want)
			}
			got, err := f.MarshalJSON()
			if want := "[" + strings.ReplaceAll(test.want, "},\n{", "},{") + "]"; err != nil || string(got) != want {
				t.Errorf("got  %s, %v\nwant %s", got, err, want)
			}
			if !json.Valid(got) {
				t.Error("no JSON")
			}
		})
	}
}

type brokenWriter struct{}

var errBrokenWriter = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBrokenWriter }

func TestFrameWritersReportErrors(t *testing.T) {
	t.Parallel()
	f := frameOf(t, petFrame)
	if err := f.WriteTable(brokenWriter{}); !errors.Is(err, errBrokenWriter) {
		t.Errorf("WriteTable: %v", err)
	}
	if err := f.WriteCSV(brokenWriter{}); !errors.Is(err, errBrokenWriter) {
		t.Errorf("WriteCSV: %v", err)
	}
	if err := f.WriteJSON(brokenWriter{}); !errors.Is(err, errBrokenWriter) {
		t.Errorf("WriteJSON: %v", err)
	}
}

// Whatever the text, other programs read from CSV and JSON what was written,
// and a table has a line for each row and nothing that moves a cursor.
func FuzzFrameWriters(f *testing.F) {
	for _, text := range []string{"", "a", `"`, "a,b", "a\r\nb", " a ", "\r", "NULL", "é日", "\x1b[0m", "\xff", `\.`, strings.Repeat("x", 100)} {
		f.Add(text, "b")
		f.Add("a", text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		frame := &Frame{columns: []Column{{Name: name}, {Name: "other"}}, types: []string{"", ""}, cells: []any{text, "x", nil, text}, rows: 2}

		var b bytes.Buffer
		if err := frame.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(&b).ReadAll()
		read := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") } // as its reader does
		want := [][]string{{read(name), "other"}, {read(text), "x"}, {"", read(text)}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("CSV: got %q, %v, want %q", got, err, want)
		}

		b.Reset()
		if err := frame.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if err := json.Unmarshal(b.Bytes(), &rows); err != nil || len(rows) != 2 || len(rows[0]) != 2 {
			t.Fatalf("JSON: %s: %v", b.Bytes(), err)
		}
		if got := rows[1]["other"]; utf8.ValidString(text) && name != "other" && got != text {
			t.Errorf("JSON: got %q, want %q", got, text)
		}

		table := frame.String()
		if strings.Count(table, "\n") != 5 {
			t.Errorf("%d lines:\n%s", strings.Count(table, "\n"), table)
		}
		for _, r := range table {
			if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
				t.Errorf("the table has the character %U", r)
			}
		}
	})
}
