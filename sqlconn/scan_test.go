package sqlconn

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

type scanOwner struct {
	UserID int
	Person string `db:"name"`
	Pet    *string
	Secret string `db:"-"`
}

type scanAudit struct {
	CreatedAt time.Time
	CreatedBy string
}

type scanAuditedOwner struct {
	Person string
	scanAudit
	*ScanHome
}

type ScanHome struct {
	City string
	*ScanCountry
}

type ScanCountry struct {
	Code string `db:"country_code"`
}

type scanMood int

func (m *scanMood) Scan(src any) error {
	switch src {
	case "glad":
		*m = 1
	case "sad":
		*m = 2
	case nil:
		*m = -1
	default:
		return errMood
	}
	return nil
}

var errMood = errors.New("no such mood")

type scanUpper string

func (u *scanUpper) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("s3cr3t: empty")
	}
	*u = scanUpper(strings.ToUpper(string(text)))
	return nil
}

type scanLevel int

func (l *scanLevel) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "level-%d", (*int)(l))
	return err
}

type scanAddress struct {
	Street string `json:"street"`
	Number int    `json:"number"`
}

type scanOrder struct {
	ID       int
	Customer scanCustomer
	ShipTo   *scanAddress
	Parent   *scanOrder
}

type scanCustomer struct {
	ID   int
	Home *ScanHome
}

type scanDict map[string]any

// scanned reads the rows in all three ways, which must agree.
func scanned[T any](t *testing.T, r resultSet) ([]T, error) {
	t.Helper()
	var closed bool
	r.closed = &closed
	all, err := scanAll[T](queryResult(t, r))
	if !closed {
		t.Error("scanAll left the rows open")
	}

	closed = false
	each := []T{}
	var eachErr error
	for v, err := range scanEach[T](queryResult(t, r)) {
		if eachErr = err; err == nil {
			each = append(each, v)
		}
	}
	if !closed {
		t.Error("scanEach left the rows open")
	}
	if (err == nil) != (eachErr == nil) || err != nil && err.Error() != eachErr.Error() {
		t.Errorf("scanAll: %v, scanEach: %v", err, eachErr)
	}
	if err == nil && !reflect.DeepEqual(all, each) {
		t.Errorf("scanAll: %v, scanEach: %v", all, each)
	}

	closed = false
	one, oneErr := scanOne[T](queryResult(t, r))
	if !closed {
		t.Error("scanOne left the rows open")
	}
	switch {
	case err == nil && len(all) == 1 && (oneErr != nil || !reflect.DeepEqual(all[0], one)):
		t.Errorf("scanAll: %v, scanOne: %v, %v", all, one, oneErr)
	case err == nil && len(all) == 0 && !errors.Is(oneErr, sql.ErrNoRows):
		t.Errorf("scanOne: %v, want sql.ErrNoRows", oneErr)
	case err == nil && len(all) > 1 && !errors.Is(oneErr, ErrManyRows):
		t.Errorf("scanOne: %v, want ErrManyRows", oneErr)
	}
	return all, err
}

// wantRows is a test case: rows of one column each, or r as given, become want.
type wantRows struct {
	name string
	run  func(*testing.T)
}

func rowsCase[T any](name string, r resultSet, want ...T) wantRows {
	return wantRows{name, func(t *testing.T) {
		t.Parallel()
		got, err := scanned[T](t, r)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, append([]T{}, want...)) {
			t.Errorf("got  %#v\nwant %#v", got, want)
		}
	}}
}

func oneColumn(values ...driver.Value) resultSet { return oneColumnOf("", values...) }

func oneColumnOf(databaseType string, values ...driver.Value) resultSet {
	r := resultSet{columns: []string{"x"}, types: []string{databaseType}}
	for _, v := range values {
		r.rows = append(r.rows, []driver.Value{v})
	}
	return r
}

func TestScanScalars(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, test := range []wantRows{
		rowsCase[int]("no rows", oneColumn()),
		rowsCase("int", oneColumn(int64(1), int64(2)), 1, 2),
		rowsCase("int from text", oneColumn("12", []byte("13")), 12, 13),
		rowsCase[uint8]("uint8", oneColumn(int64(255)), 255),
		rowsCase("float64", oneColumn(1.5, int64(2), "2.5"), 1.5, 2, 2.5),
		rowsCase("string", oneColumn("a", []byte("b"), int64(3)), "a", "b", "3"),
		rowsCase("bool", oneColumn(true, int64(0), int64(1), "t"), true, false, true, true),
		rowsCase("[]byte", oneColumn([]byte("a"), "bc", []byte{}), []byte("a"), []byte("bc"), []byte{}),
		rowsCase[[]byte]("NULL in []byte", oneColumn(nil, []byte("a")), nil, []byte("a")),
		rowsCase("json.RawMessage", oneColumn([]byte(`{"a":1}`), `[2]`, nil), json.RawMessage(`{"a":1}`), json.RawMessage(`[2]`), nil),
		rowsCase("pointers", oneColumn(int64(1), nil), new(1), nil),
		rowsCase("pointers to pointers", oneColumn(int64(1), nil), new(new(1)), nil),
		rowsCase("sql.Null", oneColumn("a", nil), sql.Null[string]{V: "a", Valid: true}, sql.Null[string]{}),
		rowsCase("sql.NullInt64", oneColumn(int64(1), nil), sql.NullInt64{Int64: 1, Valid: true}, sql.NullInt64{}),
		rowsCase[scanMood]("a Scanner", oneColumn("glad", "sad", nil), 1, 2, -1),
		rowsCase[any]("any", oneColumn(int64(1), "a", 1.5, true, noon, nil, []byte{0xff}), int64(1), "a", 1.5, true, noon, nil, []byte{0xff}),
		rowsCase[any]("any of a text type", oneColumnOf("VARCHAR", []byte("a"), nil, []byte("b")), "a", nil, "b"),
		rowsCase[any]("any of a text type with its length", oneColumnOf("decimal(10,2)", []byte("12.50")), "12.50"),
		rowsCase[any]("any of a binary type", oneColumnOf("BLOB", []byte("a"), []byte("b")), []byte("a"), []byte("b")),

		rowsCase("time.Time", oneColumn(noon), noon),
		rowsCase("time.Time from text", oneColumn("2026-03-01 12:00:00", []byte("2026-03-01T12:00:00Z"), "2026-03-01"), noon, noon, noon.Add(-12*time.Hour)),
		rowsCase("*time.Time", oneColumn(noon, nil, "2026-03-01 12:00:00"), &noon, nil, &noon),
		rowsCase("sql.Null[time.Time]", oneColumn("2026-03-01 12:00:00", nil, noon), sql.Null[time.Time]{V: noon, Valid: true}, sql.Null[time.Time]{}, sql.Null[time.Time]{V: noon, Valid: true}),
		rowsCase("sql.NullTime", oneColumn("2026-03-01 12:00:00", nil), sql.NullTime{Time: noon, Valid: true}, sql.NullTime{}),

		rowsCase("big.Int", oneColumn("123456789012345678901234567890", int64(-5)), *huge, *big.NewInt(-5)),
		rowsCase("*big.Int", oneColumn([]byte("123456789012345678901234567890"), nil, int64(7)), huge, nil, big.NewInt(7)),
		rowsCase("netip.Addr", oneColumn("10.0.0.1"), netip.MustParseAddr("10.0.0.1")),
		rowsCase[scanUpper]("UnmarshalText", oneColumn("a", []byte("b"), 1.5, true), "A", "B", "1.5", "TRUE"),
		rowsCase[scanLevel]("UnmarshalText of a number", oneColumn("level-3", int64(4)), 3, 4),

		rowsCase("map from JSON", oneColumn(`{"a":1}`, nil, []byte(`{"b":2}`)), map[string]int{"a": 1}, nil, map[string]int{"b": 2}),
		rowsCase("slice from JSON", oneColumn(`[1,2]`, nil, `[]`), []int{1, 2}, nil, []int{}),
		rowsCase("slice from an array of PostgreSQL", oneColumnOf("_int4", "{1,2,3}", "{}", nil), []int{1, 2, 3}, []int{}, nil),
		rowsCase("strings from an array of PostgreSQL", oneColumnOf("_TEXT", `{a,"b c","d\"\\e",NULL,"NULL",""}`), []*string{new("a"), new("b c"), new(`d"\e`), nil, new("NULL"), new("")}),
		rowsCase("array of arrays", oneColumnOf("_BOOL", `{{t,f},{f,t}}`), [][]bool{{true, false}, {false, true}}),
		rowsCase("array with bounds", oneColumnOf("_FLOAT8", `[0:1]={1.5,-2}`), []float64{1.5, -2}),
		rowsCase("slice of a driver with lists", resultSet{columns: []string{"x"}, rows: [][]driver.Value{{[]any{"a", "b"}}}}, []string{"a", "b"}),
	} {
		t.Run(test.name, test.run)
	}
}

func TestScanStructs(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type jsonRow struct {
		ID      int
		Address scanAddress
		Other   *scanAddress
		Tags    []string
		Raw     json.RawMessage
		Extra   map[string]any
		Any     any
	}
	type shadow struct {
		scanAudit
		CreatedBy int // hides scanAudit.CreatedBy
	}
	type tagged struct {
		First  string
		Second string `db:"first"`
	}
	type dotted struct {
		Customer   scanCustomer
		CustomerID int `db:"customer.id"`
	}
	type pair struct {
		*scanOwner        // not exported: left out
		Name       string `db:"name,omitempty"`
		ScanHome   `db:"home"`
	}
	for _, test := range []wantRows{
		rowsCase("tags, snake case and pointers", resultSet{
			columns: []string{"name", "user_id", "pet"},
			rows:    [][]driver.Value{{"jerry", int64(1), "fish"}, {[]byte("barbara"), int64(2), nil}},
		}, scanOwner{UserID: 1, Person: "jerry", Pet: new("fish")}, scanOwner{UserID: 2, Person: "barbara"}),
		rowsCase("pointers to structs", resultSet{
			columns: []string{"name"},
			rows:    [][]driver.Value{{"jerry"}, {"barbara"}},
		}, &scanOwner{Person: "jerry"}, &scanOwner{Person: "barbara"}),
		rowsCase("other spellings", resultSet{
			columns: []string{"NAME", "userId", "PET"},
			rows:    [][]driver.Value{{"jerry", int64(1), "fish"}},
		}, scanOwner{UserID: 1, Person: "jerry", Pet: new("fish")}),
		rowsCase("embedded structs and pointers to them", resultSet{
			columns: []string{"person", "created_at", "created_by", "city", "country_code"},
			rows:    [][]driver.Value{{"a", noon, "b", "c", "d"}, {"e", noon, "f", "g", "h"}},
		}, scanAuditedOwner{"a", scanAudit{noon, "b"}, &ScanHome{"c", &ScanCountry{"d"}}}, scanAuditedOwner{"e", scanAudit{noon, "f"}, &ScanHome{"g", &ScanCountry{"h"}}}),
		rowsCase("pointers to structs with embedded pointers", resultSet{
			columns: []string{"country_code"},
			rows:    [][]driver.Value{{"a"}, {"b"}},
		}, &scanAuditedOwner{ScanHome: &ScanHome{ScanCountry: &ScanCountry{"a"}}}, &scanAuditedOwner{ScanHome: &ScanHome{ScanCountry: &ScanCountry{"b"}}}),
		rowsCase("embedded pointers without a column stay nil", resultSet{
			columns: []string{"person"}, rows: [][]driver.Value{{"a"}},
		}, scanAuditedOwner{Person: "a"}),
		rowsCase("embedded pointers are nil where all their columns are NULL", resultSet{
			columns: []string{"person", "city", "country_code"},
			rows:    [][]driver.Value{{"a", "b", "c"}, {"d", nil, nil}, {"e", "f", nil}, {"g", "h", "i"}},
		},
			scanAuditedOwner{Person: "a", ScanHome: &ScanHome{"b", &ScanCountry{"c"}}}, scanAuditedOwner{Person: "d"},
			scanAuditedOwner{Person: "e", ScanHome: &ScanHome{City: "f"}}, scanAuditedOwner{Person: "g", ScanHome: &ScanHome{"h", &ScanCountry{"i"}}}),
		rowsCase("structs in fields", resultSet{
			columns: []string{"id", "customer.id", "CUSTOMER.home.city", "ship_to.street", "ship_to.number", "parent.parent.id"},
			rows:    [][]driver.Value{{int64(1), int64(2), "a", "b", int64(3), int64(4)}, {int64(5), int64(6), "c", nil, nil, nil}},
		},
			scanOrder{ID: 1, Customer: scanCustomer{2, &ScanHome{City: "a"}}, ShipTo: &scanAddress{"b", 3}, Parent: &scanOrder{Parent: &scanOrder{ID: 4}}},
			scanOrder{ID: 5, Customer: scanCustomer{6, &ScanHome{City: "c"}}}),
		rowsCase("structs in fields of pointers to structs", resultSet{
			columns: []string{"ship_to.street", "id"}, rows: [][]driver.Value{{nil, int64(1)}, {"a", int64(2)}, {nil, int64(3)}},
		}, &scanOrder{ID: 1}, &scanOrder{ID: 2, ShipTo: &scanAddress{Street: "a"}}, &scanOrder{ID: 3}),
		rowsCase("a tag with a dot goes before a struct in a field", resultSet{
			columns: []string{"customer.id"}, rows: [][]driver.Value{{int64(1)}},
		}, dotted{CustomerID: 1}),
		rowsCase("the outer field hides the inner one", resultSet{
			columns: []string{"created_by"}, rows: [][]driver.Value{{int64(1)}},
		}, shadow{CreatedBy: 1}),
		rowsCase("a tag goes before a name", resultSet{
			columns: []string{"first"}, rows: [][]driver.Value{{"a"}},
		}, tagged{Second: "a"}),
		rowsCase("an embedded struct with a tag is a column", resultSet{
			columns: []string{"name", "home"}, rows: [][]driver.Value{{"a", `{"City":"b"}`}},
		}, pair{Name: "a", ScanHome: ScanHome{City: "b"}}),
		rowsCase("nothing of a row is left in the next one", resultSet{
			columns: []string{"id", "address", "other", "tags", "raw", "extra", "any"},
			types:   []string{"", "", "", "_text", "", "", "JSON"},
			rows: [][]driver.Value{
				{int64(1), `{"street":"a","number":1}`, `{"street":"b"}`, "{a,b}", []byte("{}"), `{"a":1}`, []byte("[1]")},
				{int64(2), `{}`, nil, "{c}", []byte("[]"), `{"b":2}`, []byte("[2]")},
				{int64(3), `{"number":3}`, `{"number":4}`, nil, nil, nil, nil},
			},
		},
			jsonRow{1, scanAddress{"a", 1}, &scanAddress{"b", 0}, []string{"a", "b"}, json.RawMessage("{}"), map[string]any{"a": 1.0}, "[1]"},
			jsonRow{2, scanAddress{}, nil, []string{"c"}, json.RawMessage("[]"), map[string]any{"b": 2.0}, "[2]"},
			jsonRow{3, scanAddress{"", 3}, &scanAddress{"", 4}, nil, nil, nil, nil},
		),
		rowsCase("maps", resultSet{
			columns: []string{"id", "name", "data", "n"},
			types:   []string{"BIGINT", "VARCHAR", "BLOB", "DECIMAL"},
			rows:    [][]driver.Value{{int64(1), []byte("a"), []byte("b"), []byte("1.50")}, {int64(2), "c", nil, nil}},
		}, map[string]any{"id": int64(1), "name": "a", "data": []byte("b"), "n": "1.50"}, map[string]any{"id": int64(2), "name": "c", "data": nil, "n": nil}),
		rowsCase("named maps", resultSet{
			columns: []string{"a"}, rows: [][]driver.Value{{int64(1)}},
		}, scanDict{"a": int64(1)}),
	} {
		t.Run(test.name, test.run)
	}
}

func errorCase[T any](name string, r resultSet, want string) wantRows {
	return wantRows{name, func(t *testing.T) {
		t.Parallel()
		got, err := scanned[T](t, r)
		if err == nil {
			t.Fatalf("no error, but %v", got)
		}
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q tells what the row holds", err)
		}
	}}
}

func TestScanErrors(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	type ambiguous struct {
		scanAudit
		Other struct{ X int } `db:"-"`
		scanInner
	}
	type unsettable struct {
		Name string
		pet  string `db:"pet"` // the tag is the mistake
	}
	_ = unsettable{pet: ""}
	type unexportedID struct{ userID int }
	_ = unexportedID{userID: 0}
	type raw struct{ X sql.RawBytes }
	type channel struct{ X chan int }
	for _, test := range []wantRows{
		errorCase[scanOwner]("no field", resultSet{columns: []string{"colour"}}, `column "colour" has no field in sqlconn.scanOwner: add one with the tag `+"`db:\"colour\"`"+`, or leave the column out`),
		errorCase[scanOwner]("a field of nearly that name", resultSet{columns: []string{"pets"}}, `column "pets" has no field in sqlconn.scanOwner (the nearest is "pet", scanOwner.Pet): add one with the tag `+"`db:\"pets\"`"+`, or leave the column out`),
		errorCase[scanOwner]("a field that is left out", resultSet{columns: []string{"secret"}}, `column "secret" has no field in sqlconn.scanOwner: add one with the tag `+"`db:\"secret\"`"+`, or leave the column out`),
		errorCase[*scanOwner]("no field of a pointer's struct", resultSet{columns: []string{"colour"}}, `column "colour" has no field in sqlconn.scanOwner: add one with the tag `+"`db:\"colour\"`"+`, or leave the column out`),
		errorCase[struct{ x int }]("a field that is not exported", resultSet{columns: []string{"x"}}, `column "x" cannot go to x, which is not exported`),
		errorCase[unexportedID]("an embedded one that is not", resultSet{columns: []string{"user_id"}}, `column "user_id" cannot go to unexportedID.userID, which is not exported`),
		errorCase[scanOrder]("no field in a field", resultSet{columns: []string{"customer.homes.city"}}, `column "customer.homes.city" has no field in sqlconn.scanCustomer: add one with the tag `+"`db:\"homes.city\"`"+`, or leave the column out`),
		errorCase[scanOrder]("nearly one in a field", resultSet{columns: []string{"ship_to.streets"}}, `column "ship_to.streets" has no field in sqlconn.scanAddress (the nearest is "street", scanOrder.ShipTo.Street): add one with the tag `+"`db:\"streets\"`"+`, or leave the column out`),
		errorCase[scanOrder]("no struct in the field", resultSet{columns: []string{"id.x"}}, `column "id.x" has no field in sqlconn.scanOrder: add one with the tag `+"`db:\"id.x\"`"+`, or leave the column out`),
		errorCase[scanOrder]("NULL in a struct that is there", resultSet{columns: []string{"ship_to.street", "ship_to.number"}, rows: [][]driver.Value{{"a", nil}}}, `column "ship_to.number": NULL has no place in int (scanOrder.ShipTo.Number): use *int or sql.Null[int]`),
		errorCase[scanOwner]("two columns of one name", resultSet{columns: []string{"name", "pet", "name"}}, `columns 1 and 3 ("name" and "name") both go to scanOwner.Person: rename one of them with AS, or leave it out`),
		errorCase[scanOwner]("two columns for one field", resultSet{columns: []string{"user_id", "UserID"}}, `columns 1 and 2 ("user_id" and "UserID") both go to scanOwner.UserID: rename one of them with AS, or leave it out`),
		errorCase[scanOrder]("a struct and a field of it", resultSet{columns: []string{"ship_to.street", "ship_to"}}, `columns 1 and 2 ("ship_to.street" and "ship_to") go to scanOrder.ShipTo.Street and scanOrder.ShipTo, of which one is part of the other: leave one of them out`),
		errorCase[scanOwner]("a column without a name", resultSet{columns: []string{"name", ""}}, `column 2 has no name, by which to find its field in sqlconn.scanOwner: name it with AS`),
		errorCase[ambiguous]("two fields of one name", resultSet{columns: []string{"created_by"}}, `column "created_by": ambiguous.scanAudit.CreatedBy and another field fit equally well: tell them apart by `+"`db` tags"),
		errorCase[unsettable]("a field that is not exported", resultSet{columns: []string{"pet"}}, `column "pet" cannot go to unsettable.pet, which is not exported`),
		errorCase[map[string]any]("two columns of one name in a map", resultSet{columns: []string{"a", "b", "b"}}, `columns 2 and 3 are both named "b", which a map holds once: rename one of them with AS`),
		errorCase[int]("several columns for one value", resultSet{columns: []string{"a", "b"}}, `int holds one column, and there are 2 ("a", "b"): select one, or use a struct`),
		errorCase[time.Time]("several columns for a time", resultSet{columns: []string{"a", "b"}}, `time.Time holds one column, and there are 2 ("a", "b"): select one, or use a struct`),
		errorCase[int]("no column", resultSet{}, `int holds one column, and there are 0 (): select one, or use a struct`),
		errorCase[chan int]("a channel", oneColumn(), `column "x": chan int cannot hold a column`),
		errorCase[channel]("a field that is a channel", oneColumn(), `column "x": chan int cannot hold a column (channel.X)`),
		errorCase[raw]("sql.RawBytes", oneColumn(), `column "x": sql.RawBytes are only valid until the next row: use []byte (raw.X)`),
		errorCase[error]("an interface", oneColumn(), `column "x": error cannot hold a column`),

		errorCase[int]("NULL", oneColumn(nil), `column "x": NULL has no place in int: use *int or sql.Null[int]`),
		errorCase[string]("NULL in a later row", oneColumn("a", nil), `column "x": NULL has no place in string: use *string or sql.Null[string]`),
		errorCase[scanOwner]("NULL in a field", resultSet{columns: []string{"name", "user_id"}, rows: [][]driver.Value{{secret, nil}}}, `column "user_id": NULL has no place in int (scanOwner.UserID): use *int or sql.Null[int]`),
		errorCase[time.Time]("NULL in a time", oneColumn(nil), `column "x": NULL has no place in time.Time: use *time.Time or sql.Null[time.Time]`),
		errorCase[scanUpper]("NULL in text", oneColumn(nil), `column "x": NULL has no place in sqlconn.scanUpper: use *sqlconn.scanUpper or sql.Null[sqlconn.scanUpper]`),
		errorCase[struct{ X scanAddress }]("NULL in JSON", oneColumn(nil), `column "x": NULL has no place in sqlconn.scanAddress (X): use *sqlconn.scanAddress or sql.Null[sqlconn.scanAddress]`),

		errorCase[int]("no number", oneColumn(secret), `column "x": this string has no place in int`),
		errorCase[scanOwner]("no number in a field", resultSet{columns: []string{"name", "user_id"}, rows: [][]driver.Value{{"a", secret}}}, `column "user_id": this string has no place in int (scanOwner.UserID)`),
		errorCase[*int]("no number behind a pointer", oneColumn(secret), `column "x": this string has no place in *int`),
		errorCase[sql.Null[int]]("no number in sql.Null", oneColumn(secret), `column "x": this string has no place in sql.Null[int]`),
		errorCase[uint8]("a number that is too large", oneColumn(int64(256)), `column "x": this int64 is out of range for uint8`),
		errorCase[time.Time]("no time", oneColumn(secret), `column "x": a string that is no time in a known layout has no place in time.Time`),
		errorCase[time.Time]("a number for a time", oneColumn(int64(1)), `column "x": this int64 has no place in time.Time`),
		errorCase[map[string]int]("no JSON", oneColumn([]byte(secret)), `column "x": a []uint8 that is not its JSON has no place in map[string]int`),
		errorCase[map[string]int]("JSON of another type", oneColumn(`{"a":"s3cr3t"}`), `column "x": a string that is not its JSON has no place in map[string]int`),
		errorCase[[]int]("no array", oneColumnOf("_INT4", "{1,"+secret), `column "x": this string has no place in []int`),
		errorCase[scanUpper]("UnmarshalText fails", oneColumn(""), `column "x": this string has no place in sqlconn.scanUpper`),
		errorCase[scanMood]("Scan fails", oneColumn(secret), `column "x": sqlconn.scanMood does not take it: no such mood`),
		errorCase[*scanMood]("Scan behind a pointer fails", oneColumn(secret), `column "x": *sqlconn.scanMood does not take it: no such mood`),
	} {
		t.Run(test.name, test.run)
	}
}

// scanInner collides with scanAudit.
type scanInner struct{ CreatedBy string }

func TestScanErrorsUnwrap(t *testing.T) {
	t.Parallel()
	if _, err := scanAll[scanMood](queryResult(t, oneColumn("angry"))); !errors.Is(err, errMood) {
		t.Errorf("%v does not wrap the error of Scan", err)
	}
	broken := errors.New("broken")
	for name, r := range map[string]resultSet{
		"after the last row": {columns: []string{"x"}, rows: [][]driver.Value{{int64(1)}}, err: broken},
		"before the first":   {columns: []string{"x"}, err: broken},
		"at Close":           {columns: []string{"x"}, rows: [][]driver.Value{{int64(1)}}, close: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if all, err := scanAll[int](queryResult(t, r)); !errors.Is(err, broken) || all != nil && r.close == nil {
				t.Errorf("scanAll: %v, %v", all, err)
			}
			if _, err := scanOne[int](queryResult(t, r)); !errors.Is(err, broken) {
				t.Errorf("scanOne: %v", err)
			}
			var last error
			for _, err := range scanEach[int](queryResult(t, r)) {
				last = err
			}
			if !errors.Is(last, broken) {
				t.Errorf("scanEach: %v", last)
			}
			if f, err := readFrame(queryResult(t, r)); !errors.Is(err, broken) {
				t.Errorf("readFrame: %v, %v", f, err)
			}
		})
	}
}

func TestScanNoRowsIsEmptyNotNil(t *testing.T) {
	t.Parallel()
	if all, err := scanAll[int](queryResult(t, oneColumn())); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%#v, %v", all, err)
	}
}

func TestScanEachMayBeLeft(t *testing.T) {
	t.Parallel()
	var closed bool
	r := oneColumn(int64(1), int64(2))
	r.closed, r.close = &closed, errors.New("broken")
	for v, err := range scanEach[int](queryResult(t, r)) {
		if v != 1 || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		break
	}
	if !closed {
		t.Error("the rows are left open")
	}
}

func TestScanEachClosesOnPanic(t *testing.T) {
	t.Parallel()
	var closed bool
	r := oneColumn(int64(1), int64(2))
	r.closed = &closed
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic was changed")
			}
		}()
		for _, err := range scanEach[int](queryResult(t, r)) {
			t.Log(err)
			panic("mine")
		}
	}()
	if !closed {
		t.Error("the rows are left open")
	}
}

func TestScannerWithoutRows(t *testing.T) {
	t.Parallel()
	s, err := newScanner[scanOwner]([]string{"name"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := queryResult(t, resultSet{columns: []string{"name"}, rows: [][]driver.Value{{"a"}, {"b"}}})
	defer func() { _ = rows.Close() }()
	var got []scanOwner
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			t.Fatal(err)
		}
		got = append(got, s.value())
	}
	if want := []scanOwner{{Person: "a"}, {Person: "b"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := newScanner[scanOwner]([]string{"x"}, nil); err == nil {
		t.Error("no error for a column without a field")
	}
}

func TestScanPlanIsSharedAndTellsColumnsApart(t *testing.T) {
	t.Parallel()
	type a struct{ X, Y int }
	type b struct{ X, Y int }
	plan := scanPlanFor(reflect.TypeFor[a](), []string{"x", "y"})
	if scanPlanFor(reflect.TypeFor[a](), []string{"x", "y"}) != plan {
		t.Error("the plan was made anew")
	}
	for _, other := range []*scanPlan{
		scanPlanFor(reflect.TypeFor[b](), []string{"x", "y"}),
		scanPlanFor(reflect.TypeFor[a](), []string{"y", "x"}),
		scanPlanFor(reflect.TypeFor[a](), []string{"xy"}),
		scanPlanFor(reflect.TypeFor[a](), []string{"x\x01y"}),
	} {
		if other == plan {
			t.Error("another type or other columns have the same plan")
		}
	}
}

func TestSnakeCase(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ID": "id", "UserID": "user_id", "UserIDs": "user_ids", "IDsOfUsers": "ids_of_users", "HTTPServer": "http_server", "URL": "url",
		"CreatedAt": "created_at", "A": "a", "AB": "ab", "APIKey": "api_key", "MyAPIKeyID": "my_api_key_id", "Sha256Sum": "sha256_sum",
		"already_snake": "already_snake", "X_Y": "x_y", "Größe": "größe", "ÄrgerÜber": "ärger_über", "SQLStatement": "sql_statement", "IsOK": "is_ok",
	} {
		if got := snakeCase(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// What SQLite itself gives: declared types, expressions without a type, text
// for times, numbers for booleans.
func TestScanSQLite(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	ctx := t.Context()
	if _, err := db.ExecContext(ctx, `
		create table pets (id integer primary key, name varchar(20), alive boolean, born datetime, weight real, photo blob, tags json);
		insert into pets values (1, 'rex', 1, '2020-05-01 10:00:00', 12.5, x'00ff', '["a","b"]'), (2, null, 0, null, null, null, null)`); err != nil {
		t.Fatal(err)
	}
	type pet struct {
		ID     int64
		Name   *string
		Alive  bool
		Born   *time.Time
		Weight sql.Null[float64]
		Photo  []byte
		Tags   []string
	}
	rows, err := db.QueryContext(ctx, "select * from pets order by id")
	if err != nil {
		t.Fatal(err)
	}
	got, err := scanAll[pet](rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []pet{
		{1, new("rex"), true, new(time.Date(2020, 5, 1, 10, 0, 0, 0, time.UTC)), sql.Null[float64]{V: 12.5, Valid: true}, []byte{0, 0xff}, []string{"a", "b"}},
		{ID: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	rows, err = db.QueryContext(ctx, "select max(born) from pets") // an expression: text
	if err != nil {
		t.Fatal(err)
	}
	if born, err := scanOne[time.Time](rows); err != nil || !born.Equal(*want[0].Born) {
		t.Errorf("got %v, %v", born, err)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-01":                             "2026-03-01T00:00:00Z",
		"2026-03-01 12:30":                       "2026-03-01T12:30:00Z",
		"2026-03-01T12:30":                       "2026-03-01T12:30:00Z",
		"2026-03-01 12:30:45":                    "2026-03-01T12:30:45Z",
		"2026-03-01T12:30:45":                    "2026-03-01T12:30:45Z",
		"2026-03-01 12:30:45.123456":             "2026-03-01T12:30:45.123456Z",
		"2026-03-01T12:30:45.5+02:00":            "2026-03-01T12:30:45.5+02:00",
		"2026-03-01 12:30:45+02:00":              "2026-03-01T12:30:45+02:00",
		"2026-03-01 12:30:45.5+02":               "2026-03-01T12:30:45.5+02:00",
		"2026-03-01 12:30:45-03":                 "2026-03-01T12:30:45-03:00",
		"2026-03-01 12:30:45Z":                   "2026-03-01T12:30:45Z",
		"2026-03-01 12:30:45 +02:00":             "2026-03-01T12:30:45+02:00",
		"2026-03-01 12:30:45.5 +0200 CEST":       "2026-03-01T12:30:45.5+02:00",
		"2026-03-01 12:30:45 +0000 UTC m=+0.001": "2026-03-01T12:30:45Z",
	} {
		got, err := parseTime(text)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v, want %s", text, got.Format(time.RFC3339Nano), err, want)
		}
	}
	for _, text := range []string{"", "now", "0000-00-00 00:00:00", "12:30:45", "2026-13-01", "01/03/2026"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// Whatever the elements of an array are, they come back; whatever a text is,
// reading it as an array ends well.
func FuzzArrayToJSON(f *testing.F) {
	for _, text := range []string{"a b", `c"d`, `\`, "NULL", "", "{1,2}", "{{t,f},{f,t}}", "[0:1]={1,2}", "{", `{"`, "{}}", "[", "{a", "é\n"} {
		f.Add(text, "b")
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, leaf := range []reflect.Kind{reflect.String, reflect.Int, reflect.Bool} {
			if got, ok := arrayToJSON([]byte(a), leaf); ok && (len(got) < 2 || got[0] != '[' || got[len(got)-1] != ']') {
				t.Errorf("%q became %q", a, got)
			}
		}
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		array := `{"` + escape.Replace(a) + `",NULL,"` + escape.Replace(b) + `"}`
		text, ok := arrayToJSON([]byte(array), reflect.String)
		var got []*string
		if err := json.Unmarshal(text, &got); !ok || err != nil || !reflect.DeepEqual(got, []*string{&a, nil, &b}) {
			t.Errorf("%q became %q (%t, %v)", array, text, ok, err)
		}
	})
}
