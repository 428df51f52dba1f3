package conformance

import (
	"slices"
	"strings"

	"github.com/streamconn/streamconn/supabase/database"
)

// books is a read of the ids of the recorded books, without those of other cases.
func books(c *C) query { return c.Anon().Table("books").Select("id").Lt("id", 100).Order("id") }

func spans(c *C) query { return c.Anon().Table("spans").Select("id").Order("id") }

func wantIDs(c *C, what string, q query, wanted ...int) {
	c.Helper()
	want(c, what, ids(c, q), append([]int{}, wanted...))
}

func wantNs(k *kinds, what string, q query, wanted []int) {
	k.c.Helper()
	want(k.c, what, k.ns(q), wanted)
}

func filterMethods() []method {
	return []method{
		{name: "Where", plain: func(c *C) {
			wantIDs(c, "two conditions", books(c).Where(database.Gt("id", 1), database.Lt("id", 4)), 2, 3)
			wantIDs(c, "of another table", c.Anon().Table("authors").Select("id", "books!inner(id)").Where(database.Eq("title", "Solaris").Of("books")), 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Where(database.Eq("t", text), database.Neq("t", text+"x")), only(n))
			})
		}},
		{name: "Eq", plain: func(c *C) {
			wantIDs(c, "text", books(c).Eq("title", "Solaris"), 3)
			wantIDs(c, "number", books(c).Eq("id", 2), 2)
			wantIDs(c, "numeric", books(c).Eq("price", 8.5), 2)
			wantIDs(c, "boolean", books(c).Eq("in_stock", false), 3)
			wantIDs(c, "nil", books(c).Eq("price", nil), 4)
			wantIDs(c, "array", books(c).Eq("tags", []string{"sf", "ocean"}), 3)
			wantIDs(c, "path", books(c).Eq("meta->pub->>year", "1974"), 1)
			wantIDs(c, "twice on one column", books(c).Eq("id", 2).Eq("id", 3))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Eq("t", text), only(n))
				wantNs(k, "array of "+text, k.all().Eq("ts", []string{text, "common"}), only(n))
				wantNs(k, "bytes of "+text, k.all().Eq("raw", []byte(text)), only(n))
				wantNs(k, "path to "+text, k.all().Eq("j->>k", text), only(n))
				wantNs(k, "JSON of "+text, k.all().Eq("j", object{"k": text, "list": []string{text}}), only(n))
			})
		}},
		{name: "Neq", plain: func(c *C) {
			wantIDs(c, "text", books(c).Neq("title", "Solaris"), 1, 2, 4)
			wantIDs(c, "with NULL among the rows", books(c).Neq("price", 8.5), 1, 3)
			wantIDs(c, "nil", books(c).Neq("price", nil), 1, 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) { wantNs(k, text, k.all().Neq("t", text), k.without(n)) })
		}},
		{name: "IsDistinct", plain: func(c *C) {
			wantIDs(c, "number", books(c).IsDistinct("price", 9.99), 2, 3, 4)
			wantIDs(c, "nil", books(c).IsDistinct("price", nil), 1, 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) { wantNs(k, text, k.all().IsDistinct("t", text), k.without(n)) })
		}},
		// How texts are sorted is the database's affair, so the four are held against each other.
		{name: "Gt", plain: func(c *C) {
			wantIDs(c, "number", books(c).Gt("id", 2), 3, 4)
			wantIDs(c, "not the same", books(c).Gt("price", 8.50), 1)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				above, rest := k.ns(k.all().Gt("t", text)), k.ns(k.all().Not(database.Gt("t", text)))
				want(c, "those above "+text+", and the others", union(above, rest), k.where(everything))
				want(c, "above itself", slices.Contains(above, n), false)
			})
		}},
		{name: "Gte", plain: func(c *C) {
			wantIDs(c, "number", books(c).Gte("price", 8.50), 1, 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Gte("t", text).Lte("t", text), only(n))
				want(c, "those above and "+text, k.ns(k.all().Gte("t", text)), union(k.ns(k.all().Gt("t", text)), only(n)))
			})
		}},
		{name: "Lt", plain: func(c *C) {
			wantIDs(c, "number", books(c).Lt("price", 8.50), 3)
			wantIDs(c, "date", c.Anon().Table("authors").Select("id").Lt("born", "1925-01-01").Lt("id", 100), 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				want(c, "below, the same and above "+text, union(union(k.ns(k.all().Lt("t", text)), only(n)), k.ns(k.all().Gt("t", text))), k.where(everything))
			})
		}},
		{name: "Lte", plain: func(c *C) {
			wantIDs(c, "number", books(c).Lte("price", 8.50), 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				want(c, "those below and "+text, k.ns(k.all().Lte("t", text)), union(k.ns(k.all().Lt("t", text)), only(n)))
			})
		}},
		{name: "Like", plain: func(c *C) {
			wantIDs(c, "percent", books(c).Like("title", "The%"), 1, 2, 4)
			wantIDs(c, "star", books(c).Like("title", "*o*ar*"), 2, 3)
			wantIDs(c, "underscore", books(c).Like("title", "S_laris"), 3)
			wantIDs(c, "case", books(c).Like("title", "solaris"))
		}, hostile: func(c *C) {
			likes(newKinds(c), false, func(q query, p string) query { return q.Like("t", p) })
		}},
		{name: "ILike", plain: func(c *C) {
			wantIDs(c, "case", books(c).ILike("title", "sOLAris"), 3)
			wantIDs(c, "star", books(c).ILike("title", "*THE*"), 1, 2, 4)
		}, hostile: func(c *C) {
			likes(newKinds(c), true, func(q query, p string) query { return q.ILike("t", p) })
		}},
		{name: "LikeAllOf", plain: func(c *C) {
			wantIDs(c, "both", books(c).LikeAllOf("title", "The*", "*Dark*"), 2)
			wantIDs(c, "one", books(c).LikeAllOf("title", "The*"), 1, 2, 4)
		}, hostile: func(c *C) {
			likes(newKinds(c), false, func(q query, p string) query { return q.LikeAllOf("t", p, "*", p) })
		}},
		{name: "LikeAnyOf", plain: func(c *C) {
			wantIDs(c, "either", books(c).LikeAnyOf("title", "Sol*", "*Dark*"), 2, 3)
		}, hostile: func(c *C) {
			likes(newKinds(c), false, func(q query, p string) query { return q.LikeAnyOf("t", p, "none of them", p) })
		}},
		{name: "ILikeAllOf", plain: func(c *C) {
			wantIDs(c, "both", books(c).ILikeAllOf("title", "the*", "*DARK*"), 2)
		}, hostile: func(c *C) {
			likes(newKinds(c), true, func(q query, p string) query { return q.ILikeAllOf("t", p, "%", p) })
		}},
		{name: "ILikeAnyOf", plain: func(c *C) {
			wantIDs(c, "either", books(c).ILikeAnyOf("title", "sol*", "*DARK*"), 2, 3)
		}, hostile: func(c *C) {
			likes(newKinds(c), true, func(q query, p string) query { return q.ILikeAnyOf("t", "none of them", p) })
		}},
		{name: "RegexMatch", plain: func(c *C) {
			wantIDs(c, "beginning", books(c).RegexMatch("title", "^The"), 1, 2, 4)
			wantIDs(c, "case", books(c).RegexMatch("title", "^the"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) { wantNs(k, text, k.all().RegexMatch("t", regexPattern(text)), only(n)) })
			wantNs(k, "stars and braces", k.all().RegexMatch("t", `^(\*{1,2}|\{a,b\})$`), k.where(func(_ int, text string) bool {
				return slices.Contains([]string{"*", "**", "{a,b}"}, text)
			}))
		}},
		{name: "RegexIMatch", plain: func(c *C) {
			wantIDs(c, "case", books(c).RegexIMatch("title", "^the"), 1, 2, 4)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().RegexIMatch("t", regexPattern(text)), k.where(func(_ int, other string) bool { return asciiFold(text) == asciiFold(other) }))
			})
		}},
		{name: "Is", plain: func(c *C) {
			wantIDs(c, "null", books(c).Is("price", nil), 4)
			wantIDs(c, "false", books(c).Is("in_stock", false), 3)
			wantIDs(c, "true", books(c).Is("in_stock", true), 1, 2, 4)
			wantIDs(c, "not null", books(c).Is("price", "not_null"), 1, 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			wantNs(k, "unknown", k.all().Is("b", "unknown"), k.where(func(n int, _ string) bool { return n%2 == 1 }))
			k.each(func(n int, text string) {
				if q := k.all().Is("b", text); text != "null" && text != "true" && text != "unknown" {
					want(c, "Is of "+text+" is refused", q.Err() != nil, true)
				}
				wantNs(k, text, k.all().Is("u", nil).Eq("t", text), only(n))
			})
		}},
		{name: "In", plain: func(c *C) {
			wantIDs(c, "numbers", books(c).In("id", 1, 3, 3), 1, 3)
			wantIDs(c, "a slice", books(c).In("id", []int{2, 4}), 2, 4)
			wantIDs(c, "texts", books(c).In("title", "Solaris", "The Cyberiad"), 3, 4)
			wantIDs(c, "nothing", books(c).In("id"))
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().In("t", text), only(n))
				wantNs(k, "with another, "+text, k.all().In("t", text, "no such text"), only(n))
			})
			wantNs(k, "all of them", k.all().In("t", k.text[:len(k.text)-1]), k.without(len(k.text)-1))
		}},
		{name: "NotIn", plain: func(c *C) {
			wantIDs(c, "numbers", books(c).NotIn("id", 1, 2), 3, 4)
			wantIDs(c, "nothing", books(c).NotIn("id"), 1, 2, 3, 4)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().NotIn("t", text), k.without(n))
				wantNs(k, "with another, "+text, k.all().NotIn("t", text, "no such text"), k.without(n))
			})
		}},
		{name: "Contains", plain: func(c *C) {
			wantIDs(c, "array", books(c).Contains("tags", []string{"sf", "ocean"}), 3)
			wantIDs(c, "JSON", books(c).Contains("meta", object{"pages": 204}), 3)
			wantIDs(c, "range", spans(c).Contains("ints", "[3,4)"), 1, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Contains("ts", []string{text}), only(n))
				wantNs(k, "object of "+text, k.all().Contains("j", object{"k": text}), only(n))
				wantNs(k, "list of "+text, k.all().Contains("j->list", database.JSON([]string{text})), only(n))
			})
		}},
		{name: "ContainedBy", plain: func(c *C) {
			wantIDs(c, "array", books(c).ContainedBy("tags", []string{"sf", "ocean", "x"}), 2, 3)
			wantIDs(c, "JSON", books(c).ContainedBy("meta", object{"pages": 204, "more": 1}), 3, 4)
			wantIDs(c, "range", spans(c).ContainedBy("ints", "[1,8)"), 1, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().ContainedBy("ts", []string{"common", text}), only(n))
				wantNs(k, "object of "+text, k.all().ContainedBy("j", object{"k": text, "list": []string{text, "x"}, "x": 1}), only(n))
			})
		}},
		{name: "Overlaps", plain: func(c *C) {
			wantIDs(c, "array", books(c).Overlaps("tags", []string{"utopia", "humour"}), 1, 4)
			wantIDs(c, "range", spans(c).Overlaps("ints", "[4,6)"), 1, 2, 3)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Overlaps("ts", []string{text, "no such text"}), only(n))
			})
		}},
		{name: "RangeGt", plain: func(c *C) {
			wantIDs(c, "numbers", spans(c).RangeGt("ints", "[1,5)"), 2, 4)
		}, hostile: func(c *C) {
			hostileRange(c, func(q query, r string) query { return q.RangeGt("ints", r) }, 4)
		}},
		{name: "RangeGte", plain: func(c *C) {
			wantIDs(c, "numbers", spans(c).RangeGte("ints", "[3,10)"), 2, 3, 4)
		}, hostile: func(c *C) {
			hostileRange(c, func(q query, r string) query { return q.RangeGte("ints", r) }, 2, 4)
		}},
		{name: "RangeLt", plain: func(c *C) {
			wantIDs(c, "numbers", spans(c).RangeLt("ints", "[7,30)"), 1, 3)
		}, hostile: func(c *C) {
			hostileRange(c, func(q query, r string) query { return q.RangeLt("ints", r) }, 1)
		}},
		{name: "RangeLte", plain: func(c *C) {
			wantIDs(c, "numbers", spans(c).RangeLte("ints", "[1,7)"), 1, 3)
		}, hostile: func(c *C) {
			hostileRange(c, func(q query, r string) query { return q.RangeLte("ints", r) }, 1, 2, 3)
		}},
		{name: "RangeAdjacent", plain: func(c *C) {
			wantIDs(c, "numbers", spans(c).RangeAdjacent("ints", "[10,20)"), 2, 4)
			wantIDs(c, "days", spans(c).RangeAdjacent("days", "[2020-03-01,2020-04-01)"), 2)
		}, hostile: func(c *C) {
			hostileRange(c, func(q query, r string) query { return q.RangeAdjacent("ints", r) }, 1)
		}},
		{name: "TextSearch", plain: func(c *C) {
			wantIDs(c, "word", books(c).TextSearch("title", "darkness"), 2)
			wantIDs(c, "operators", books(c).TextSearch("title", "left & !solaris"), 2)
			wantIDs(c, "words", books(c).TextSearch("title", "darkness left", database.Plain), 2)
			wantIDs(c, "phrase", books(c).TextSearch("title", "left hand", database.Phrase), 2)
			wantIDs(c, "phrase in another order", books(c).TextSearch("title", "hand left", database.Phrase))
			wantIDs(c, "web", books(c).TextSearch("title", "solaris or cyberiad", database.WebSearch), 3, 4)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.insert([]object{k.row(1000, object{"t": `zebra "crossing" (striped), black\white 100% *` + "\nA&B"})})
			for _, text := range []string{`zebra "crossing"`, "zebra (striped),", "zebra\ncrossing", `black\white`, "zebra 100%", "zebra *", "a&b zebra", "zebra'", `zebra\`, "zebra & | !"} {
				wantNs(k, text, k.all().TextSearch("t", text, database.Plain), only(1000))
			}
			wantNs(k, "web", k.all().TextSearch("t", `"zebra crossing" -spotted`, database.WebSearch), only(1000))
			wantNs(k, "web without", k.all().TextSearch("t", `"zebra crossing" -striped`, database.WebSearch), []int{})
			wantNs(k, "operators", k.all().TextSearch("t", `'zebra' <-> ('crossing' | 'striped')`), only(1000))
			want(c, "a configuration that is none", k.all().TextSearch("t", "x", database.TextSearchConfig("english).x,(")).Err() != nil, true)
		}},
		{name: "Filter", plain: func(c *C) {
			wantIDs(c, "eq", books(c).Filter("title", "eq", "Solaris"), 3)
			wantIDs(c, "eq any", books(c).Filter("id", "eq(any)", []int{1, 3}), 1, 3)
			wantIDs(c, "not in", books(c).Filter("id", "not.in", []int{1, 3}), 2, 4)
			wantIDs(c, "lt all", books(c).Filter("id", "lt(all)", []int{3, 4}), 1, 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Filter("t", "eq(any)", []string{text, "no such text"}), only(n))
				wantNs(k, "not "+text, k.all().Filter("t", "not.eq", text), k.without(n))
			})
			for _, op := range []string{"", "eq.", "eq)", "EQ", "or", "and", "eq(any", "not", "eq.1&n", "eq(a,b)"} {
				want(c, "the operator "+op+" is refused", k.all().Filter("t", op, "x").Err() != nil, true)
			}
		}},
		{name: "Match", plain: func(c *C) {
			wantIDs(c, "two columns", books(c).Match(object{"author_id": 1, "price": 8.5}), 2)
			wantIDs(c, "nil", books(c).Match(object{"author_id": 2, "price": nil}), 4)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Match(object{"t": text, "j->>k": text, "ts": []string{text, "common"}}), only(n))
			})
		}},
		{name: "And", plain: func(c *C) {
			wantIDs(c, "two", books(c).And(database.Gt("id", 1), database.Or(database.Lt("id", 3), database.Eq("title", "The Cyberiad"))), 2, 4)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().And(database.Eq("t", text), database.In("t", text, "x"), database.Contains("ts", []string{text})), only(n))
			})
		}},
		{name: "Or", plain: func(c *C) {
			wantIDs(c, "nested", books(c).Or(database.Eq("id", 1), database.And(database.Gt("id", 2), database.Is("in_stock", false))), 1, 3)
			wantIDs(c, "two of them", books(c).Or(database.Eq("id", 1), database.Eq("id", 2)).Or(database.Eq("id", 2), database.Eq("id", 3)), 2)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				next := (n + 1) % len(k.text)
				wanted := []int{min(n, next), max(n, next)}
				wantNs(k, text, k.all().Or(database.Eq("t", text), database.Eq("t", k.text[next])), wanted)
				wantNs(k, "nested "+text, k.all().Or(
					database.And(database.Eq("j->>k", text), database.Not(database.Neq("t", text))),
					database.Contains("ts", []string{k.text[next]}),
					database.In("t", "no such text", k.text[next]),
				), wanted)
			})
			negated := database.Not(database.Or(database.Eq("t", `",)(`), database.Gt("n", 2), database.NotIn("t", k.text)))
			wantNs(k, "negated", k.all().Or(negated), []int{0, 1, 2})
		}},
		{name: "Not", plain: func(c *C) {
			wantIDs(c, "eq", books(c).Not(database.Eq("id", 1)), 2, 3, 4)
			wantIDs(c, "null", books(c).Not(database.Is("price", nil)), 1, 2, 3)
			wantIDs(c, "a tree", books(c).Not(database.Or(database.Eq("id", 1), database.Eq("id", 4))), 2, 3)
			wantIDs(c, "twice", books(c).Not(database.Not(database.Eq("id", 1))), 1)
		}, hostile: func(c *C) {
			k := newKinds(c)
			k.each(func(n int, text string) {
				wantNs(k, text, k.all().Not(database.Eq("t", text)), k.without(n))
				wantNs(k, "a tree with "+text, k.all().Not(database.And(database.Eq("t", text), database.Eq("n", n))), k.without(n))
			})
		}},
	}
}

func everything(int, string) bool { return true }

// union is what is in one of two lists, sorted; what is in both is there twice.
func union(a, b []int) []int {
	list := slices.Concat(a, b)
	slices.Sort(list)
	return list
}

func asciiFold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// likes tries the pattern that is each text, and the text itself for one.
func likes(k *kinds, fold bool, filter func(q query, pattern string) query) {
	k.c.Helper()
	k.each(func(_ int, text string) {
		patterns := []string{likePattern(text)}
		if (len(text)-len(strings.TrimRight(text, `\`)))%2 == 0 { // Postgres refuses an escape of nothing
			patterns = append(patterns, text)
		}
		for _, p := range patterns {
			wantNs(k, "like "+p, filter(k.all(), p), k.where(func(_ int, other string) bool { return like(p, other, fold) }))
		}
	})
}

// hostileRange tries a filter with the ways to write the range from 5 to 10, and with what is none.
func hostileRange(c *C, filter func(q query, r string) query, wanted ...int) {
	c.Helper()
	for _, r := range []string{"[5,10)", "(4,9]", " [5,10) ", `["5","10")`, "[ 5 , 10 )"} {
		wantIDs(c, r, filter(spans(c), r), wanted...)
	}
	for _, r := range []string{"", "5,10", "[5,10),id.gt.0", "[5,10)&id=gt.0", "[10,5)", "'", `\`, "null"} {
		_, err := database.All[any](c.Context(), filter(spans(c), r))
		wantError(c, err, nil, "22P02", "22000")
	}
}
