package sqlconn

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// idList is a list that its own driver takes as one value.
type idList []int

func (idList) Value() (driver.Value, error) { return "{}", nil }

func TestBindNamed(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		dialect string
		style   placeholderStyle
		query   string
		params  Params
		want    string
		args    []any
	}{
		{"question mark", "mysql", placeQuestion, "a = :a and b = :b", Params{"a": 1, "b": "x"}, "a = ? and b = ?", []any{1, "x"}},
		{"dollar", "postgresql", placeDollar, "a = :a and b = :b", Params{"a": 1, "b": "x"}, "a = $1 and b = $2", []any{1, "x"}},
		{"at p", "mssql", placeAtP, "a = :a and b = :b", Params{"a": 1, "b": "x"}, "a = @p1 and b = @p2", []any{1, "x"}},
		{"colon", "snowflake", placeColon, "a = :a and b = :b", Params{"a": 1, "b": "x"}, "a = :1 and b = :2", []any{1, "x"}},

		{"twice, question mark", "sqlite", placeQuestion, ":a :b :a", Params{"a": 1, "b": 2}, "? ? ?", []any{1, 2, 1}},
		{"twice, dollar", "postgresql", placeDollar, ":a :b :a", Params{"a": 1, "b": 2}, "$1 $2 $1", []any{1, 2}},
		{"twice, at p", "mssql", placeAtP, ":a :b :a", Params{"a": 1, "b": 2}, "@p1 @p2 @p1", []any{1, 2}},
		{"twice, colon", "oracle", placeColon, ":a :b :a", Params{"a": 1, "b": 2}, ":1 :2 :3", []any{1, 2, 1}},

		{"no parameters", "sqlite", placeQuestion, "select 1", Params{}, "select 1", nil},
		{"nil params", "sqlite", placeQuestion, "select 1", nil, "select 1", nil},
		{"NULL", "sqlite", placeQuestion, ":a", Params{"a": nil}, "?", []any{nil}},
		{"values are passed on as they are", "sqlite", placeQuestion, ":a :b :c", Params{"a": day, "b": []byte("x"), "c": true}, "? ? ?", []any{day, []byte("x"), true}},
		{"names differ in case", "sqlite", placeQuestion, ":a :A", Params{"a": 1, "A": 2}, "? ?", []any{1, 2}},
		{"names of other scripts", "postgresql", placeDollar, ":имя", Params{"имя": 1}, "$1", []any{1}},
		{"ten and more", "postgresql", placeDollar, ":a :b :c :d :e :f :g :h :i :j :k", Params{
			"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": 11,
		}, "$1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11", []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},

		{"strings, names and comments stay", "sqlite", placeQuestion, "':a' \":b\" [:c] `:d` /*:e*/ :f -- :g", Params{"f": 1}, "':a' \":b\" [:c] `:d` /*:e*/ ? -- :g", []any{1}},
		{"casts stay", "postgresql", placeDollar, "select :a::int, x::text, :ab::date", Params{"a": 1, "ab": 2}, "select $1::int, x::text, $2::date", []any{1, 2}},
		{"JSON operators stay", "postgresql", placeDollar, "a ? :k and b ?| c and d @> :e", Params{"k": 1, "e": 2}, "a ? $1 and b ?| c and d @> $2", []any{1, 2}},
		{"dollar quotes stay", "postgresql", placeDollar, "$x$ :a $x$ || :a", Params{"a": 1}, "$x$ :a $x$ || $1", []any{1}},
		{"assignments stay", "mysql", placeQuestion, "@x:=:a", Params{"a": 1}, "@x:=?", []any{1}},
		{"variables of Transact-SQL stay", "mssql", placeAtP, "@x = :a and @@rowcount > 0", Params{"a": 1}, "@x = @p1 and @@rowcount > 0", []any{1}},
		{"slices stay", "postgresql", placeDollar, "a[1:2] and a[:n]", Params{"n": 1}, "a[1:2] and a[$1]", []any{1}},
		{"escaped colons", "postgresql", placeDollar, `a\:\:int = :a and b[\:n]`, Params{"a": 1}, "a::int = $1 and b[:n]", []any{1}},
		{"an escape in a string is text", "postgresql", placeDollar, `'\:a' || :a`, Params{"a": 1}, `'\:a' || $1`, []any{1}},

		{"placeholders do not grow together", "postgresql", placeDollar, "$:a$ @:a", Params{"a": 1}, "$ $1 $ @ $1", []any{1}},
		{"placeholders do not grow together in Transact-SQL", "mssql", placeAtP, "@:a#b", Params{"a": 1}, "@ @p1 #b", []any{1}},

		{"list in parentheses", "mysql", placeQuestion, "x in (:ids) and y = :y", Params{"ids": []int{7, 8, 9}, "y": 1}, "x in (?, ?, ?) and y = ?", []any{7, 8, 9, 1}},
		{"list without parentheses", "postgresql", placeDollar, "y = :y and x IN :ids", Params{"ids": []string{"a", "b"}, "y": 1}, "y = $1 and x IN ($2, $3)", []any{1, "a", "b"}},
		{"list among others", "mssql", placeAtP, "x in (0, :ids, :y)", Params{"ids": []int{7, 8}, "y": 1}, "x in (0, @p1, @p2, @p3)", []any{7, 8, 1}},
		{"list of one", "sqlite", placeQuestion, "x in (:ids)", Params{"ids": [1]int{7}}, "x in (?)", []any{7}},
		{"list twice, dollar", "postgresql", placeDollar, "x in (:ids) or y in (:ids)", Params{"ids": []int{7, 8}}, "x in ($1, $2) or y in ($1, $2)", []any{7, 8}},
		{"list twice, question mark", "sqlite", placeQuestion, "x in (:ids) or y in (:ids)", Params{"ids": []int{7, 8}}, "x in (?, ?) or y in (?, ?)", []any{7, 8, 7, 8}},
		{"list and array", "postgresql", placeDollar, "x in (:ids) or y = any(:ids)", Params{"ids": []int{7, 8}}, "x in ($1, $2) or y = any($3)", []any{7, 8, []int{7, 8}}},
		{"array", "postgresql", placeDollar, "x = any(:ids)", Params{"ids": []int{7, 8}}, "x = any($1)", []any{[]int{7, 8}}},
		{"one value in an IN list", "postgresql", placeDollar, "x in (:a, :b) and y not in (:a)", Params{"a": 1, "b": 2}, "x in ($1, $2) and y not in ($1)", []any{1, 2}},
		{"bytes are one value", "sqlite", placeQuestion, "x in (:a, :b)", Params{"a": []byte("x"), "b": [16]byte{}}, "x in (?, ?)", []any{[]byte("x"), [16]byte{}}},
		{"a Valuer is one value", "postgresql", placeDollar, "x in (:a)", Params{"a": idList{1}}, "x in ($1)", []any{idList{1}}},
		{"list behind NOT IN", "sqlite", placeQuestion, "x not in (:ids)", Params{"ids": []int{7, 8}}, "x not in (?, ?)", []any{7, 8}},
		{"empty list", "sqlite", placeQuestion, "a is not null and b != 1 and x in (:ids) and y = :y", Params{"ids": []int{}, "y": 1}, "a is not null and b != 1 and x in (NULL) and y = ?", []any{1}},
		{"empty list without parentheses", "postgresql", placeDollar, "x in :ids", Params{"ids": []int(nil)}, "x in (NULL)", nil},
		{"a subquery is no list", "postgresql", placeDollar, "x in (select y from t where z = any(:ids))", Params{"ids": []int{1}}, "x in (select y from t where z = any($1))", []any{[]int{1}}},
		{"an expression in a list", "postgresql", placeDollar, "x in (:ids || y)", Params{"ids": []int{1}}, "x in ($1 || y)", []any{[]int{1}}},

		{"unknown dialect", "", placeQuestion, "select ':a', :b", Params{"b": 1}, "select ':a', ?", []any{1}},
		{"unknown dialect, text that one cannot read", "", placeQuestion, `a like :a escape '\'`, Params{"a": 1}, `a like ? escape '\'`, []any{1}},
		{"unknown dialect, dollar style", "yugabyte", placeDollar, "a::int = :b", Params{"b": 1}, "a::int = $1", []any{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, args, err := bindNamed(test.dialect, test.style, test.query, test.params)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want || !reflect.DeepEqual(args, test.args) {
				t.Errorf("%q\ngot  %q %v\nwant %q %v", test.query, got, args, test.want, test.args)
			}
		})
	}
}

func TestBindNamedErrors(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, test := range []struct {
		name    string
		dialect string
		style   placeholderStyle
		query   string
		params  Params
		want    string
	}{
		{"missing", "sqlite", placeQuestion, ":pet", Params{}, `parameter :pet has no value`},
		{"nil params", "sqlite", placeQuestion, ":pet", nil, `parameter :pet has no value`},
		{"missing and misspelt", "sqlite", placeQuestion, ":owner", Params{"ownr": secret}, `parameter :owner has no value (did you mean it by "ownr"?)`},
		{"with the colon", "sqlite", placeQuestion, ":owner", Params{":owner": secret}, `parameter :owner has no value (did you mean it by ":owner"?)`},
		{"unused", "sqlite", placeQuestion, ":pet", Params{"pet": secret, "colour": secret}, `parameter "colour" is given but not in the statement`},
		{"unused and misspelt", "sqlite", placeQuestion, ":owner", Params{"owner": secret, "owners": secret}, `parameter "owners" is given but not in the statement (which has :owner)`},
		{"several", "sqlite", placeQuestion, ":aa :bb", Params{"cc": secret, "dd": secret}, `parameter :aa has no value; parameter :bb has no value; parameter "cc" is given but not in the statement; parameter "dd" is given but not in the statement`},
		{"beside ?", "mysql", placeQuestion, ":a ?", Params{"a": secret}, "the statement has the placeholder ?, but its arguments are given by name"},
		{"beside $1", "postgresql", placeDollar, ":a $1", Params{"a": secret}, "the placeholder $1"},
		{"beside @p1", "mssql", placeAtP, ":a @p1", Params{"a": secret}, "the placeholder @p1"},
		{"beside :1", "oracle", placeColon, ":a :1", Params{"a": secret}, "the placeholder :1"},
		{"beside $x in sqlite", "sqlite", placeQuestion, ":a $x", Params{"a": secret}, "the placeholder $x"},
		{"beside @x in sqlite", "sqlite", placeQuestion, ":a @x", Params{"a": secret}, "the placeholder @x"},
		{"string without an end", "sqlite", placeQuestion, "select :a,\n 'xyz", Params{"a": secret}, "the string that starts at line 2, column 2 of the statement does not end"},
		{"list outside IN", "mysql", placeQuestion, "x = :a", Params{"a": []string{secret}}, "the value of parameter :a is a list, and mysql takes one only in an IN list: write in (:a)"},
		{"list of lists", "postgresql", placeDollar, "x in (:a)", Params{"a": [][]string{{secret}}}, "the list of parameter :a holds lists"},
		{"empty list behind NOT IN", "postgresql", placeDollar, "x not in (:a)", Params{"a": []string{}}, "the list of parameter :a is empty"},
		{"empty list behind NOT IN, the second", "sqlite", placeQuestion, "x not in (f(:b), :a)", Params{"a": []string{}, "b": 1}, "the list of parameter :a is empty"},
		{"empty list behind NOT IN, bare", "sqlite", placeQuestion, "x not in :a", Params{"a": []string{}}, "the list of parameter :a is empty"},
		{"empty list within NOT", "sqlite", placeQuestion, "not (y = 1 or x in (:a))", Params{"a": []string{}}, "the list of parameter :a is empty"},
		{"NamedArg as a value", "sqlite", placeQuestion, ":a", Params{"a": sql.Named("a", secret)}, "the value of parameter :a is a sql.NamedArg: give the value itself"},
		{"unknown dialect, ambiguous", "", placeQuestion, "select 1 # :a", Params{"a": secret}, "depends on the SQL dialect"},
		{"unknown dialect, unreadable", "", placeQuestion, "select 'a", Params{}, "does not end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, args, err := bindNamed(test.dialect, test.style, test.query, test.params)
			if err == nil {
				t.Fatalf("no error, but %q %v", got, args)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %q\nwant %q", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q has a value in it", err)
			}
		})
	}
}

func TestBindArgs(t *testing.T) {
	t.Parallel()
	const query = "select :a"
	named := sql.Named("a", 1)
	for _, test := range []struct {
		name string
		args []any
		want string
		out  []any
		err  string
	}{
		{"none", nil, query, nil, ""},
		{"positional pass", []any{1, "x"}, query, []any{1, "x"}, ""},
		{"sql.Named passes", []any{named}, query, []any{named}, ""},
		{"params", []any{Params{"a": 1}}, "select ?", []any{1}, ""},
		{"params and others", []any{Params{"a": 1}, 2}, "", nil, "must be the only argument"},
		{"others and params", []any{2, Params{"a": 1}}, "", nil, "must be the only argument"},
		{"a bare map", []any{map[string]any{"a": 1}}, "", nil, "give named parameters as sqlconn.Params"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, args, err := analyse("sqlite", placeQuestion, query).bindArgs(query, test.args)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want || !reflect.DeepEqual(args, test.out) {
				t.Errorf("got %q %v %v, want %q %v", got, args, err, test.want, test.out)
			}
		})
	}
}

// The plan is shared by all callers: none may see another's values.
func TestBindNamedConcurrently(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 100 {
				n := i*100 + j
				query, args, err := bindNamed("postgresql", placeDollar, "concurrently :a in (:list) :a", Params{"a": n, "list": []int{n, n}})
				if err != nil || query != "concurrently $1 in ($2, $3) $1" || !reflect.DeepEqual(args, []any{n, n, n}) {
					t.Errorf("got %q %v %v", query, args, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Whatever the text, binding neither panics nor changes the number of
// arguments that a driver finds.
func FuzzBindNamed(f *testing.F) {
	for _, query := range []string{
		"select :a", "x in (:a, :b) and y not in :a", `'\' :a`, ":a::int \\:b", "$$:a$$ :b", "a ? :b", "not (:a in (:b))", "in :a in (", ":a:b::a",
	} {
		f.Add(query, true)
		f.Add(query, false)
	}
	dialects := []string{"postgresql", "mysql", "sqlite", "duckdb", "mssql", "snowflake", "oracle", ""}
	f.Fuzz(func(t *testing.T, query string, lists bool) {
		for _, dialect := range dialects {
			for _, style := range []placeholderStyle{placeQuestion, placeDollar, placeAtP, placeColon} {
				plan, err := newBindPlan(dialect, style, query)
				if err != nil {
					continue
				}
				params := Params{}
				for _, name := range plan.names {
					params[name] = 1
					if lists {
						params[name] = []int{1, 2}
					}
				}
				rewritten, args, err := plan.bind(params)
				if err != nil {
					continue
				}
				syntax := knownSyntax(dialect)
				// A colon right behind a parameter is no SQL, and reads otherwise behind a "?".
				if syntax == nil || strings.Contains(rewritten, "?:") {
					continue
				}
				highest, count := 0, 0
				for l := newSQLLexer(syntax, rewritten); ; {
					token := l.next()
					if token.kind == sqlEnd {
						break
					}
					if token.kind == sqlBroken {
						t.Fatalf("%s %d: %q became %q", dialect, style, query, rewritten)
					}
					if word := l.word(token); token.kind == sqlPositional && word == "?" {
						count++
					} else if token.kind == sqlPositional && word[0] == '$' {
						n, _ := strconv.Atoi(word[1:])
						highest = max(highest, n)
					}
				}
				if style == placeDollar && dialect == "postgresql" && highest != len(args) || style == placeQuestion && dialect == "mysql" && count != len(args) {
					t.Fatalf("%s %d: %q became %q with %d arguments", dialect, style, query, rewritten, len(args))
				}
			}
		}
	})
}
