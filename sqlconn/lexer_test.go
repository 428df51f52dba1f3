package sqlconn

import (
	"slices"
	"strings"
	"testing"
)

// tokensOf returns the tokens of a text as "kind text", without sqlEnd.
func tokensOf(syntax *sqlSyntax, text string) []string {
	kinds := map[sqlTokenKind]string{
		sqlWord: "word", sqlQuoted: "quoted", sqlString: "string", sqlNumber: "number", sqlNamed: "named",
		sqlPositional: "positional", sqlVariable: "variable", sqlColonEscape: "escape", sqlMark: "mark",
		sqlUnsure: "unsure", sqlBroken: "broken",
	}
	l := newSQLLexer(syntax, text)
	var tokens []string
	for {
		t := l.next()
		if t.kind == sqlEnd {
			return tokens
		}
		tokens = append(tokens, kinds[t.kind]+" "+l.word(t))
		if t.kind == sqlBroken {
			return tokens
		}
	}
}

func TestLexer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		syntax *sqlSyntax
		text   string
		want   []string
	}{
		{"empty", plainSyntax, " \t\r\n", nil},
		{"words and numbers", plainSyntax, "select a1,_b, 12, 1.5e-3, .5, 0xFF", []string{
			"word select", "word a1", "mark ,", "word _b", "mark ,", "number 12", "mark ,", "number 1.5e-3", "mark ,", "mark .", "number 5", "mark ,", "number 0xFF",
		}},
		{"a word right behind a number", plainSyntax, "1into 1e5for 1efor", []string{"number 1", "word into", "number 1e5", "word for", "number 1", "word efor"}},
		{"words of other scripts", plainSyntax, "sélect имя :имя", []string{"word sélect", "word имя", "named :имя"}},
		{"doubled quotes", plainSyntax, `'it''s' "a""b"`, []string{`string 'it''s'`, `quoted "a""b"`}},
		{"backslash is a letter", plainSyntax, `'a\' x`, []string{`string 'a\'`, "word x"}},
		{"backslash escapes in MySQL", mysqlSyntax, `'a\' :x' "b\" :y"`, []string{`string 'a\' :x'`, `string "b\" :y"`}},
		{"backslash escapes in Snowflake", snowflakeSyntax, `'a\' :x' "b\"`, []string{`string 'a\' :x'`, `quoted "b\"`}},
		{"E strings", postgresSyntax, `E'a\' :x' e'b' '\'`, []string{`string E'a\' :x'`, "string e'b'", `string '\'`}},
		{"an E string that goes on", postgresSyntax, "E'a' -- c'\n 'b\\' :x' y", []string{"string E'a' -- c'\n 'b\\' :x'", "word y"}},
		{"two E strings in a line", postgresSyntax, `E'a' 'b\' y`, []string{"string E'a'", `string 'b\'`, "word y"}},
		{"a word that ends in e", postgresSyntax, `date'a\' x`, []string{"word date", `string 'a\'`, "word x"}},
		{"backtick", mysqlSyntax, "`a:b``c` x", []string{"quoted `a:b``c`", "word x"}},
		{"backtick in sqlite", sqliteSyntax, "`a:b`", []string{"quoted `a:b`"}},
		{"backtick elsewhere", postgresSyntax, "`a`", []string{"mark `", "word a", "mark `"}},
		{"brackets in sqlite", sqliteSyntax, "[a:b]] c", []string{"quoted [a:b]", "mark ]", "word c"}},
		{"brackets in mssql", mssqlSyntax, "[a:b]] c] d", []string{"quoted [a:b]] c]", "word d"}},
		{"brackets are subscripts", postgresSyntax, "a[1:2] a[:n] a[i:j]", []string{
			"word a", "mark [", "number 1", "mark :", "number 2", "mark ]", "word a", "mark [", "named :n", "mark ]", "word a", "mark [", "word i", "mark :", "word j", "mark ]",
		}},
		{"line comment", plainSyntax, "a -- ' :x\nb --", []string{"word a", "word b"}},
		{"two minus signs in MySQL", mysqlSyntax, "5--:x -- :y\n --", []string{"number 5", "mark -", "mark -", "named :x"}},
		{"hash comment", mysqlSyntax, "a # ' :x\n b", []string{"word a", "word b"}},
		{"hash elsewhere", postgresSyntax, "a #> b", []string{"word a", "mark #", "mark >", "word b"}},
		{"slash comment", snowflakeSyntax, "a // ' :x\n b", []string{"word a", "word b"}},
		{"slash elsewhere", postgresSyntax, "a // b", []string{"word a", "mark /", "mark /", "word b"}},
		{"a return ends a comment in PostgreSQL", postgresSyntax, "a -- x\rb", []string{"word a", "word b"}},
		{"a return does not in MySQL", mysqlSyntax, "a -- x\rb", []string{"word a"}},
		{"a return may or may not", mssqlSyntax, "a -- x\rb", []string{"word a", "unsure \r", "word b"}},
		{"a return before a line feed", mssqlSyntax, "a -- x\r\nb", []string{"word a", "word b"}},
		{"block comment", mysqlSyntax, "a /* ' /* :x */ b */", []string{"word a", "word b", "mark *", "mark /"}},
		{"nested block comment", postgresSyntax, "a /* /* :x */ :y */ b", []string{"word a", "word b"}},
		{"a block comment is not closed by its own star", plainSyntax, "/*/ a", []string{"broken /*/ a"}},
		{"comment that is executed", mysqlSyntax, "a /*!50000 b */ /*M! c */ /*+ d */", []string{"word a", "unsure /*!50000 b */", "unsure /*M! c */"}},
		{"dollar quotes", postgresSyntax, "$$a' :x$$ $t$ $$ :y $t$ a$b$c $1", []string{"string $$a' :x$$", "string $t$ $$ :y $t$", "word a$b$c", "positional $1"}},
		{"dollar quotes of Snowflake have no tag", snowflakeSyntax, "$$ :x $$ $t", []string{"string $$ :x $$", "variable $t"}},
		{"dollars elsewhere", mysqlSyntax, "$$ :x", []string{"mark $", "mark $", "named :x"}},
		{"casts and assignments", postgresSyntax, ":a::int x:=:b ::c", []string{"named :a", "mark ::", "word int", "word x", "mark :=", "named :b", "mark ::", "word c"}},
		{"colons that start nothing", plainSyntax, "12:30 a:b x_:y : ;:", []string{
			"number 12", "mark :", "number 30", "word a", "mark :", "word b", "word x_", "mark :", "word y", "mark :", "mark ;", "mark :",
		}},
		{"escaped colon", plainSyntax, `\:a \\:b`, []string{`escape \:`, "word a", `unsure \`, `escape \:`, "word b"}},
		{"JSON operators", postgresSyntax, `a ?| b ?& c ? d @> e -> 'f' ->> :g @? :h`, []string{
			"word a", "mark ?", "mark |", "word b", "mark ?", "mark &", "word c", "mark ?", "word d", "mark @", "mark >", "word e",
			"mark -", "mark >", "string 'f'", "mark -", "mark >", "mark >", "named :g", "mark @", "mark ?", "named :h",
		}},
		{"JSON paths of Snowflake", snowflakeSyntax, `src:a.b "src":c src[0]:d f(x):e :g`, []string{
			"word src", "mark :", "word a", "mark .", "word b", `quoted "src"`, "mark :", "word c",
			"word src", "mark [", "number 0", "mark ]", "mark :", "word d", "word f", "mark (", "word x", "mark )", "mark :", "word e", "named :g",
		}},
		{"structs of DuckDB", duckdbSyntax, `{'a':x, 'b': :y}`, []string{
			"mark {", "string 'a'", "mark :", "word x", "mark ,", "string 'b'", "mark :", "named :y", "mark }",
		}},
		{"pipes of Snowflake", snowflakeSyntax, "a ->> b", []string{"word a", "unsure ->>", "word b"}},
		{"placeholders", sqliteSyntax, "? ?12 :1 @p1 @x $y", []string{"positional ?", "positional ?12", "positional :1", "positional @p1", "variable @x", "variable $y"}},
		{"variables of Transact-SQL", mssqlSyntax, "@p1 @p @p1x @@rowcount #t a@b#c$d", []string{
			"positional @p1", "variable @p", "variable @p1x", "variable @@rowcount", "word #t", "word a@b#c$d",
		}},
		{"bytes that belong to nothing", plainSyntax, "a\x01b\u00a0c\xffd\\", []string{
			"word a", "unsure \x01", "word b", "unsure \u00a0", "word c", "unsure \xff", "word d", `unsure \`,
		}},
		{"string without an end", plainSyntax, "a 'b", []string{"word a", "broken 'b"}},
		{"string whose end is escaped", mysqlSyntax, `'b\'`, []string{`broken 'b\'`}},
		{"name without an end", plainSyntax, `"b`, []string{`broken "b`}},
		{"bracket without an end", mssqlSyntax, "[b]]", []string{"broken [b]]"}},
		{"comment without an end", postgresSyntax, "/* /* */", []string{"broken /* /* */"}},
		{"dollar quote without an end", postgresSyntax, "$a$ $b$", []string{"broken $a$ $b$"}},
		{"a string of Oracle", plainSyntax, `q'[it's]'`, []string{"unsure q", "string '[it'", "word s", "mark ]", "broken '"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := tokensOf(test.syntax, test.text); !slices.Equal(got, test.want) {
				t.Errorf("%s: %q\ngot  %q\nwant %q", test.syntax.dialect, test.text, got, test.want)
			}
		})
	}
}

// Whatever the text, tokens come in order, do not overlap, and hold all that is
// no white space and no comment.
func FuzzLexer(f *testing.F) {
	for _, text := range []string{
		"", "select * from t where a = :a", `'\'`, "$$a$$", "E'a'\n'b\\''", "/*!1 a */", "[a]]b]", `\:`, "1e5x", "q'[a]'", "a -- b\rc", "\xff:é",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, syntax := range everySyntax {
			l := newSQLLexer(syntax, text)
			last := 0
			for {
				token := l.next()
				if token.start < last || token.end > len(text) || token.end < token.start {
					t.Fatalf("%s: %q: token %+v after %d", syntax.dialect, text, token, last)
				}
				if gap := text[last:token.start]; token.kind != sqlUnsure && strings.TrimSpace(gap) != "" && !strings.ContainsAny(gap, "-#/") {
					t.Fatalf("%s: %q: %q was passed over", syntax.dialect, text, gap)
				}
				if token.kind == sqlEnd || token.kind == sqlBroken {
					if again := l.next(); again.kind != token.kind {
						t.Fatalf("%s: %q: kind %d after the end", syntax.dialect, text, again.kind)
					}
					break
				}
				if token.end == token.start {
					t.Fatalf("%s: %q: empty token at %d", syntax.dialect, text, token.start)
				}
				last = token.end
			}
		}
	})
}
