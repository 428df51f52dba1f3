//go:build linux

package integration_test

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/sqlconn"
)

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// texts are statements in which things stand that look like parameters and are none, beside
// parameters :a and :b. The database says what each really means: it gets the same statement with
// the parameters written by hand, everything else untouched.
var texts = []struct {
	name, dialects string
	statement      string // «a» and «b» stand for the parameters
}{
	{"plain", "all", `select «a» as x, «b» as y`},
	{"twice", "all", `select «a» as x, «a» as y, «b» as z`},
	{"string", "all", `select ':a' as s, «a» as x`},
	{"string with doubled quotes", "all", `select 'it''s :a' as s, «a» as x`},
	{"string that looks positional", "all", `select '? $1 @p1' as s, «a» as x`},
	{"quoted name", "postgresql sqlite", `select «a» as ":b"`},
	{"backticks", "mysql sqlite", "select «a» as `:b`"},
	{"brackets", "sqlite", "select «a» as [:b]"},
	{"double-quoted string", "mysql", `select "it\":a" as s, «a» as x`},
	{"backslash in a string", "mysql", `select 'it\':a' as s, «a» as x`},
	{"backslash is itself", "postgresql sqlite", `select '\' as s, «a» as x, ':b\' as z`},
	{"escape string", "postgresql", `select E'it\':a' as s, «a» as x`},
	{"line comment", "all", "select «a» as x -- and :b it's\n, «b» as y"},
	{"hash comment", "mysql", "select «a» as x # and :b it's\n, «b» as y"},
	{"block comment", "all", `select /* :a ' */ «a» as x`},
	{"nested comment", "postgresql", `select /* a /* :b */ :a ' */ «a» as x`},
	{"cast", "postgresql", `select '1'::int as n, «a»::text as x`},
	{"casts in a row", "postgresql", `select '1'::text::int::text as n, «a»::text as x`},
	{"dollar quotes", "postgresql", `select $$:a '$$ as s, $tag$ $$ :b $tag$ as t, «a»::text as x`},
	{"slice of an array", "postgresql", `select (array[1,2,3])[1:2] as n, «a»::text as x`},
	{"JSON operators", "postgresql", `select '{"a": [":b"]}'::jsonb -> 'a' ->> 0 as s, '{"a":1}'::jsonb ? 'a' as q, «a»::text as x`},
	{"time of day", "all", `select '12:30:45' as s, «a» as x`},
	{"interval", "postgresql", `select time '12:30:45' + interval '1:00' as s, «a»::text as x`},
	{"assignment", "mysql", `select @v := 1 as n, «a» as x`},
	{"unicode", "all", `select 'ž:a🐟' as s, «a» as x`},
	{"without spaces", "all", `select(«a»)as x,«b»/**/as y`},
}

func TestNamedParametersTouchNothingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		tested := 0
		for _, test := range texts {
			if test.dialects != "all" && !strings.Contains(test.dialects, b.dialect) {
				continue
			}
			tested++
			named := strings.NewReplacer("«a»", ":a", "«b»", ":b").Replace(test.statement)
			cast := ""
			if b.postgres() && !strings.Contains(test.statement, "»::") {
				cast = "::text" // Postgres wants to know the type of a bare parameter
				named = strings.NewReplacer(":a", ":a", "«a»", ":a::text", "«b»", ":b::text").Replace(test.statement)
			}
			byHand, args := byHand(b, test.statement, cast)

			got, err := conn.Query(t.Context(), named, params(named, test.statement))
			if err != nil {
				t.Errorf("%s: %s: %v", test.name, named, err)
				continue
			}
			db, err := conn.Raw(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := raw(t, db, byHand, args)
			var rows [][]string
			for row := range got.Rows() {
				rows = append(rows, asText(row))
			}
			if len(rows) != 1 || !slices.Equal(rows[0], want) {
				t.Errorf("%s: %s\n gave %q\n want %q", test.name, named, rows, want)
			}
		}
		if tested < 10 {
			t.Fatalf("%d statements tested", tested)
		}
	})
}

// params are the values for the parameters that a statement has.
func params(_, statement string) sqlconn.Params {
	p := sqlconn.Params{}
	for name, value := range map[string]string{"a": "value of a", "b": "it's ? $1 :a"} {
		if strings.Contains(statement, "«"+name+"»") {
			p[name] = value
		}
	}
	return p
}

// byHand writes the driver's own placeholders.
func byHand(b backend, statement, cast string) (string, []any) {
	values := params("", statement)
	var out strings.Builder
	var args []any
	for {
		before, rest, found := strings.Cut(statement, "«")
		out.WriteString(before)
		if !found {
			return out.String(), args
		}
		name, after, _ := strings.Cut(rest, "»")
		args = append(args, values[name])
		if b.postgres() {
			fmt.Fprintf(&out, "$%d%s", len(args), cast)
		} else {
			out.WriteString("?")
		}
		statement = after
	}
}

// raw runs a query past the library.
func raw(t *testing.T, db *sql.DB, query string, args []any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("by hand: %s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]any, len(columns))
	dests := make([]any, len(columns))
	for i := range values {
		dests[i] = &values[i]
	}
	if !rows.Next() {
		t.Fatalf("by hand: %s: no row: %v", query, rows.Err())
	}
	if err := rows.Scan(dests...); err != nil {
		t.Fatal(err)
	}
	return asText(values)
}

func asText(row []any) []string {
	texts := make([]string, len(row))
	for i, v := range row {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		texts[i] = fmt.Sprint(v)
	}
	return texts
}

func TestParametersOfEveryKindOfStatement(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b backend) {
		conn, _ := b.open(t)
		exec(t, conn, "create table pets (name varchar(20), age integer)")
		ctx := t.Context()
		for name, age := range map[string]any{"Rex": 3, "Tom": 7, "Ada": nil} {
			if _, err := conn.Exec(ctx, "insert into pets (name, age) values (:name, :age)", sqlconn.Params{"name": name, "age": age}); err != nil {
				t.Fatal(err)
			}
		}
		query := func(where string, args ...any) []string {
			t.Helper()
			names, err := sqlconn.Query[string](ctx, conn, "select name from pets where "+where+" order by name", args...)
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			return names
		}
		for _, test := range []struct {
			where string
			args  []any
			want  []string
		}{
			{"age between :low and :high", []any{sqlconn.Params{"low": 1, "high": 5}}, []string{"Rex"}},
			{"name in (:names)", []any{sqlconn.Params{"names": []string{"Rex", "Ada", "nobody"}}}, []string{"Ada", "Rex"}},
			{"name in (:names) and age > :age", []any{sqlconn.Params{"names": []string{"Rex", "Tom"}, "age": 5}}, []string{"Tom"}},
			{"name in (:names)", []any{sqlconn.Params{"names": []string{}}}, []string{}},
			{"age in (:ages)", []any{sqlconn.Params{"ages": []int{3, 7}}}, []string{"Rex", "Tom"}},
			{b.on("age > $1 and name <> $2", "age > ? and name <> ?", "age > ? and name <> ?"), []any{1, "Tom"}, []string{"Rex"}},
			{"name = 'Rex'", nil, []string{"Rex"}},
		} {
			if got := query(test.where, test.args...); !reflect.DeepEqual(got, test.want) {
				t.Errorf("where %s, %v: %q, want %q", test.where, test.args, got, test.want)
			}
		}
		if b.driver == pgx.driver { // pq does not take slices
			if got := query("age = any(:ages)", sqlconn.Params{"ages": []int64{3, 7}}); !slices.Equal(got, []string{"Rex", "Tom"}) {
				t.Errorf("= any: %q", got)
			}
		}
		for _, wrong := range []sqlconn.Params{{}, {"nane": "Rex"}, {"name": "Rex", "hunter2": "hunter2"}} {
			_, err := sqlconn.Query[string](ctx, conn, "select name from pets where name = :name", wrong)
			if err == nil {
				t.Errorf("%v was accepted", wrong)
			}
		}
	})
}
