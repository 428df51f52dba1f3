//go:build linux

package integration_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/sqlconn"
)

// on picks what to write for a backend's dialect.
func (b backend) on(postgres, mysql, sqlite string) string {
	switch b.dialect {
	case "postgresql":
		return postgres
	case "mysql":
		return mysql
	}
	return sqlite
}

// scalars has a field of every type that all databases have.
type scalars struct {
	ID       int64
	Yes      bool
	Small    int16
	Medium   int32
	Big      int64
	Single   float32
	Double   float64
	Text     string
	Bytes    []byte
	Instant  time.Time
	Amount   string  `db:"amount"`   // decimals keep their digits as text
	Fraction big.Rat `db:"fraction"` // or as whatever reads text
}

func (b backend) scalarTable() string {
	return `create table scalars (
		id bigint primary key,
		yes boolean,
		small smallint,
		medium integer,
		big bigint,
		single ` + b.on("real", "float", "real") + `,
		` + b.on("double", "`double`", "double") + ` double precision,
		text text,
		bytes ` + b.on("bytea", "blob", "blob") + `,
		instant ` + b.on("timestamptz", "datetime(6)", "datetime") + `,
		amount ` + b.on("numeric(40,10)", "decimal(40,10)", "text") + `,
		fraction ` + b.on("numeric(20,4)", "decimal(20,4)", "text") + `
	)`
}

func (b backend) insertScalars() string {
	return "insert into scalars values (:id, :yes, :small, :medium, :big, :single, :double, :text, :bytes, :instant, :amount, :fraction)"
}

func TestScalarTypesComeBackAsTheyWentIn(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 30, 45, 123456000, time.UTC)
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, b.scalarTable())
		rows := []scalars{
			{
				ID: 1, Yes: true, Small: math.MaxInt16, Medium: math.MaxInt32, Big: math.MaxInt64,
				Single: 1.5, Double: math.MaxFloat64 / 2, Text: "žluťoučký 🐟 'quoted' \\ \"and\" :named ? $1",
				Bytes: []byte{0, 1, 0xff, '\'', '\\'}, Instant: noon,
				Amount: "123456789012345678901234567890.0123456789", Fraction: *big.NewRat(85, 10),
			},
			{
				ID: 2, Small: math.MinInt16, Medium: math.MinInt32, Big: math.MinInt64,
				Single: -0.25, Double: -math.SmallestNonzeroFloat32, Bytes: []byte{},
				Instant: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
				Amount:  "-0.0000000001", Fraction: *big.NewRat(-1, 8),
			},
		}
		for _, r := range rows {
			if _, err := conn.Exec(t.Context(), b.insertScalars(), sqlconn.Params{
				"id": r.ID, "yes": r.Yes, "small": r.Small, "medium": r.Medium, "big": r.Big, "single": r.Single, "double": r.Double,
				"text": r.Text, "bytes": r.Bytes, "instant": r.Instant, "amount": r.Amount, "fraction": r.Fraction.FloatString(4),
			}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := sqlconn.Query[scalars](t.Context(), conn, "select * from scalars order by id")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows) {
			t.Fatalf("%d rows, want %d", len(got), len(rows))
		}
		for i, want := range rows {
			g := got[i]
			if !g.Instant.Equal(want.Instant) {
				t.Errorf("instant = %v, want %v", g.Instant, want.Instant)
			}
			if g.Fraction.Cmp(&want.Fraction) != 0 {
				t.Errorf("fraction = %s, want %s", &g.Fraction, &want.Fraction)
			}
			// SQLite's driver gives nil for a blob of no bytes; NULL is another test's matter.
			if g.Bytes == nil && b.dialect != "sqlite" || !bytes.Equal(g.Bytes, want.Bytes) {
				t.Errorf("bytes = %v, want %v", g.Bytes, want.Bytes)
			}
			g.Instant, want.Instant = time.Time{}, time.Time{}
			g.Fraction, want.Fraction = big.Rat{}, big.Rat{}
			g.Bytes, want.Bytes = nil, nil
			if !reflect.DeepEqual(g, want) {
				t.Errorf("row %d = %+v, want %+v", i, g, want)
			}
		}

		// The same through the other forms that a row can have.
		frame, err := conn.Query(t.Context(), "select * from scalars order by id")
		if err != nil {
			t.Fatal(err)
		}
		if frame.Len() != 2 || len(frame.Columns()) != 12 || !strings.Contains(frame.String(), "9223372036854775807") {
			t.Errorf("frame of %d rows and %d columns:\n%s", frame.Len(), len(frame.Columns()), frame)
		}
		maps, err := sqlconn.Query[map[string]any](t.Context(), conn, "select id, text from scalars order by id")
		if err != nil {
			t.Fatal(err)
		}
		if maps[0]["id"] != int64(1) || maps[0]["text"] != rows[0].Text {
			t.Errorf("map = %v", maps[0])
		}
		streamed := 0
		for r, err := range sqlconn.Rows[scalars](t.Context(), conn, "select * from scalars order by id") {
			if err != nil {
				t.Fatal(err)
			}
			if r.Big != rows[streamed].Big {
				t.Errorf("streamed %d, want %d", r.Big, rows[streamed].Big)
			}
			streamed++
		}
		if streamed != 2 {
			t.Errorf("%d rows streamed, want 2", streamed)
		}
	})
}

func TestNULLGoesToPointersAndNullTypesAndIsAnErrorElsewhere(t *testing.T) {
	t.Parallel()
	type pointers struct {
		Yes     *bool
		Small   *int16
		Big     *int64
		Double  *float64
		Text    *string
		Bytes   []byte
		Instant *time.Time
		Amount  *string
	}
	type nulls struct {
		Yes     sql.Null[bool]
		Small   sql.NullInt16
		Big     sql.Null[int64]
		Double  sql.NullFloat64
		Text    sql.NullString
		Bytes   sql.Null[[]byte]
		Instant sql.Null[time.Time]
		Amount  sql.Null[string]
	}
	columns := func(b backend) string {
		return "yes, small, big, " + b.on("double", "`double`", "double") + ", text, bytes, instant, amount"
	}
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, b.scalarTable())
		if _, err := conn.Exec(t.Context(), b.insertScalars(), sqlconn.Params{
			"id": 1, "yes": nil, "small": nil, "medium": nil, "big": nil, "single": nil, "double": nil,
			"text": nil, "bytes": nil, "instant": nil, "amount": nil, "fraction": (*string)(nil),
		}); err != nil {
			t.Fatal(err)
		}
		query := "select " + columns(b) + " from scalars"
		if got, err := sqlconn.QueryOne[pointers](t.Context(), conn, query); err != nil || !reflect.DeepEqual(got, pointers{}) {
			t.Errorf("pointers = %+v, %v", got, err)
		}
		if got, err := sqlconn.QueryOne[nulls](t.Context(), conn, query); err != nil || !reflect.DeepEqual(got, nulls{}) {
			t.Errorf("null types = %+v, %v", got, err)
		}
		m, err := sqlconn.QueryOne[map[string]any](t.Context(), conn, query)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range m {
			if v != nil {
				t.Errorf("%s = %v, want nil", name, v)
			}
		}
		if len(m) != 8 {
			t.Errorf("map has %d keys, want 8: NULL is a value", len(m))
		}
		if got, err := sqlconn.QueryOne[*string](t.Context(), conn, "select text from scalars"); err != nil || got != nil {
			t.Errorf("scalar pointer = %v, %v", got, err)
		}

		for column, query := range map[string]func() error{
			"yes":     func() error { return plain[struct{ Yes bool }](t, conn, "yes") },
			"big":     func() error { return plain[struct{ Big int64 }](t, conn, "big") },
			"text":    func() error { return plain[struct{ Text string }](t, conn, "text") },
			"instant": func() error { return plain[struct{ Instant time.Time }](t, conn, "instant") },
			"amount":  func() error { return plain[struct{ Amount big.Rat }](t, conn, "amount") },
		} {
			if err := query(); err == nil || !strings.Contains(err.Error(), column) {
				t.Errorf("NULL into a plain field: %v, want an error that names %s", err, column)
			}
		}
	})
}

func plain[T any](t *testing.T, conn *sqlconn.Conn, column string) error {
	t.Helper()
	_, err := sqlconn.Query[T](t.Context(), conn, "select "+column+" from scalars")
	return err
}

func TestInstantsAreTheSameInEveryZone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table instants (id integer primary key, instant "+b.on("timestamptz", "datetime(6)", "datetime")+")")
		summer := time.Date(2024, 7, 1, 23, 59, 59, 0, time.UTC)
		zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+1800), time.FixedZone("", -11*3600)}
		for i, zone := range zones {
			if _, err := conn.Exec(t.Context(), "insert into instants values (:id, :instant)", sqlconn.Params{"id": i, "instant": summer.In(zone)}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := sqlconn.Query[time.Time](t.Context(), conn, "select instant from instants order by id")
		if err != nil {
			t.Fatal(err)
		}
		for i, instant := range got {
			if !instant.Equal(summer) {
				t.Errorf("written in %v: %v, want %v", zones[i], instant, summer)
			}
		}
		// A parameter means the same instant as what is stored, too, and comes before and after the others.
		for _, zone := range zones {
			for cond, want := range map[string]int{
				"instant = :instant": 3, "instant < :instant": 0, "instant > :before": 3, "instant < :after": 3, "instant in (:before, :instant)": 3,
			} {
				params := sqlconn.Params{}
				for name, at := range map[string]time.Time{"before": summer.Add(-time.Millisecond), "instant": summer, "after": summer.Add(time.Hour)} {
					if strings.Contains(cond, ":"+name) {
						params[name] = at.In(zone)
					}
				}
				if n, err := sqlconn.QueryOne[int](t.Context(), conn, "select count(*) from instants where "+cond, params); err != nil || n != want {
					t.Errorf("%s in %v: %d rows, %v; want %d", cond, zone, n, err, want)
				}
			}
		}
	})
}

func TestPostgresKeepsZoneOffsetsAndDates(t *testing.T) {
	t.Parallel()
	for _, b := range []backend{pgx, pq} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := b.open(t)
			got, err := sqlconn.QueryOne[time.Time](t.Context(), conn, "select timestamptz '2024-07-01 12:00:00+05:30'")
			if want := time.Date(2024, 7, 1, 6, 30, 0, 0, time.UTC); err != nil || !got.Equal(want) {
				t.Errorf("timestamptz = %v, %v; want %v", got, err, want)
			}
			got, err = sqlconn.QueryOne[time.Time](t.Context(), conn, "select date '2024-02-29'")
			if err != nil || got.Format(time.DateOnly) != "2024-02-29" {
				t.Errorf("date = %v, %v", got, err)
			}
			got, err = sqlconn.QueryOne[time.Time](t.Context(), conn, "select timestamp '2024-02-29 23:00:00.5'")
			if err != nil || got.Format("2006-01-02 15:04:05.0") != "2024-02-29 23:00:00.5" {
				t.Errorf("timestamp = %v, %v", got, err)
			}
		})
	}
}

func TestIntegersBeyondInt64(t *testing.T) {
	t.Parallel()
	const huge = "170141183460469231731687303715884105727" // 2^127-1
	want, _ := new(big.Int).SetString(huge, 10)
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		query := "select " + b.on("numeric '"+huge+"'", "cast('"+huge+"' as decimal(40))", "'"+huge+"'") + " as n"
		got, err := sqlconn.QueryOne[struct{ N big.Int }](t.Context(), conn, query)
		if err != nil || got.N.Cmp(want) != 0 {
			t.Errorf("%v and %v, want %v", &got.N, err, want)
		}
		if text, err := sqlconn.QueryOne[string](t.Context(), conn, query); err != nil || text != huge {
			t.Errorf("as text %q and %v", text, err)
		}
		if n, err := sqlconn.QueryOne[int64](t.Context(), conn, query); err == nil {
			t.Errorf("into an int64: %d, want an error", n)
		}
		if b.dialect == "mysql" {
			got, err := sqlconn.QueryOne[uint64](t.Context(), conn, "select cast(18446744073709551615 as unsigned)")
			if err != nil || got != math.MaxUint64 {
				t.Errorf("unsigned = %d, %v", got, err)
			}
		}
	})
}

func TestJSONGoesIntoStructsMapsAndRaw(t *testing.T) {
	t.Parallel()
	type toy struct {
		Name  string   `json:"name"`
		Parts []string `json:"parts"`
	}
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table toys (id integer primary key, doc "+b.on("jsonb", "json", "text")+")")
		const doc = `{"name": "ball", "parts": ["a", "b"]}`
		if _, err := conn.Exec(t.Context(), "insert into toys values (1, :doc), (2, null)", sqlconn.Params{"doc": doc}); err != nil {
			t.Fatal(err)
		}
		type typed struct{ Doc *toy }
		got, err := sqlconn.Query[typed](t.Context(), conn, "select doc from toys order by id")
		if err != nil {
			t.Fatal(err)
		}
		if want := []typed{{&toy{"ball", []string{"a", "b"}}}, {nil}}; !reflect.DeepEqual(got, want) {
			t.Errorf("typed = %+v", got)
		}
		loose, err := sqlconn.QueryOne[struct{ Doc map[string]any }](t.Context(), conn, "select doc from toys where id = 1")
		if err != nil || loose.Doc["name"] != "ball" {
			t.Errorf("map = %v, %v", loose, err)
		}
		raw, err := sqlconn.QueryOne[struct{ Doc json.RawMessage }](t.Context(), conn, "select doc from toys where id = 1")
		var again toy
		if err != nil || json.Unmarshal(raw.Doc, &again) != nil || again.Name != "ball" {
			t.Errorf("raw = %s, %v", raw.Doc, err)
		}
	})
}

func TestPostgresArrays(t *testing.T) {
	t.Parallel()
	type arrays struct {
		Numbers []int64
		Names   []string
		Nested  [][]int
		Flags   []bool
		Holes   []*int
		Nothing []string
		Empty   []string
	}
	one := 1
	want := arrays{
		Numbers: []int64{1, math.MaxInt64}, Names: []string{"a b", `quote " and \ slash`, "{brace},comma", "NULL", ""},
		Nested: [][]int{{1, 2}, {3, 4}}, Flags: []bool{true, false}, Holes: []*int{&one, nil}, Empty: []string{},
	}
	for _, b := range []backend{pgx, pq} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := b.open(t)
			got, err := sqlconn.QueryOne[arrays](t.Context(), conn, `select
				array[1, 9223372036854775807]::bigint[] as numbers,
				array['a b', 'quote " and \ slash', '{brace},comma', 'NULL', ''] as names,
				array[[1,2],[3,4]] as nested,
				array[true, false] as flags,
				array[1, null] as holes,
				null::text[] as nothing,
				array[]::text[] as empty`)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("arrays = %+v, want %+v", got, want)
			}
		})
	}
}

func TestNoRowsAndManyRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table pets (name varchar(20))")
		names, err := sqlconn.Query[string](t.Context(), conn, "select name from pets")
		if err != nil || names == nil || len(names) != 0 {
			t.Errorf("no rows = %#v, %v; want an empty slice", names, err)
		}
		if _, err := sqlconn.QueryOne[string](t.Context(), conn, "select name from pets"); !isNoRows(err) {
			t.Errorf("no row = %v, want sql.ErrNoRows", err)
		}
		exec(t, conn, "insert into pets values ('Rex'), ('Tom')")
		if _, err := sqlconn.QueryOne[string](t.Context(), conn, "select name from pets"); err == nil || isNoRows(err) {
			t.Errorf("two rows = %v, want ErrManyRows", err)
		}
		_, err = sqlconn.Query[struct{ Age int }](t.Context(), conn, "select name from pets")
		if err == nil || !strings.Contains(err.Error(), "name") {
			t.Errorf("column without a field = %v, want an error that names it", err)
		}
	})
}
