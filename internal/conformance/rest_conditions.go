package conformance

import (
	"slices"
	"strings"

	"github.com/streamconn/streamconn/supabase/database"
)

// condition is a function of package database that makes a condition of a text.
type condition struct {
	name string
	make func(text string) database.Cond
}

// conditions are all of them, on columns of kinds that are never NULL.
func conditions() []condition {
	return []condition{
		{"Eq", func(s string) database.Cond { return database.Eq("t", s) }},
		{"Eq of an array", func(s string) database.Cond { return database.Eq("ts", []string{s, "common"}) }},
		{"Eq of bytes", func(s string) database.Cond { return database.Eq("raw", []byte(s)) }},
		{"Eq of JSON", func(s string) database.Cond { return database.Eq("j->k", database.JSON(s)) }},
		{"Neq", func(s string) database.Cond { return database.Neq("t", s) }},
		{"IsDistinct", func(s string) database.Cond { return database.IsDistinct("t", s) }},
		{"Gt", func(s string) database.Cond { return database.Gt("t", s) }},
		{"Gte", func(s string) database.Cond { return database.Gte("t", s) }},
		{"Lt", func(s string) database.Cond { return database.Lt("t", s) }},
		{"Lte", func(s string) database.Cond { return database.Lte("t", s) }},
		{"Like", func(s string) database.Cond { return database.Like("t", likePattern(s)) }},
		{"ILike", func(s string) database.Cond { return database.ILike("t", likePattern(s)) }},
		{"LikeAllOf", func(s string) database.Cond { return database.LikeAllOf("t", likePattern(s), "%") }},
		{"LikeAnyOf", func(s string) database.Cond { return database.LikeAnyOf("t", likePattern(s), "plain") }},
		{"ILikeAllOf", func(s string) database.Cond { return database.ILikeAllOf("t", likePattern(s), "*") }},
		{"ILikeAnyOf", func(s string) database.Cond { return database.ILikeAnyOf("t", likePattern(s), "PLAIN") }},
		{"RegexMatch", func(s string) database.Cond { return database.RegexMatch("t", regexPattern(s)) }},
		{"RegexIMatch", func(s string) database.Cond { return database.RegexIMatch("t", regexPattern(s)) }},
		{"In", func(s string) database.Cond { return database.In("t", s, "plain") }},
		{"NotIn", func(s string) database.Cond { return database.NotIn("t", s, "plain") }},
		{"Contains", func(s string) database.Cond { return database.Contains("ts", []string{s}) }},
		{"Contains of JSON", func(s string) database.Cond { return database.Contains("j", object{"list": []string{s}}) }},
		{"ContainedBy", func(s string) database.Cond { return database.ContainedBy("ts", []string{"common", s, "plain"}) }},
		{"Overlaps", func(s string) database.Cond { return database.Overlaps("ts", []string{s, "plain"}) }},
		{"TextSearch", func(s string) database.Cond { return database.TextSearch("t", "plain "+s, database.Plain) }},
		{"Filter", func(s string) database.Cond { return database.Filter("t", "eq(any)", []string{s, "plain"}) }},
		{"Match", func(s string) database.Cond { return database.Match(object{"t": s, "j->>k": s}) }},
		{"And", func(s string) database.Cond {
			return database.And(database.Eq("t", s), database.Or(database.Eq("j->>k", s), database.Is("b", nil)))
		}},
	}
}

func conditionCases() []Case {
	var cases []Case
	for _, cond := range conditions() {
		// What a filter by itself finds is tried method by method; here it is held against the same
		// within trees, where other characters mean something.
		cases = append(cases, Case{Name: "rest/conditions/" + cond.name + " in trees", Run: func(c *C) {
			k := newKinds(c)
			never := database.Lt("n", 0)
			k.each(func(n int, text string) {
				if n%8 != 0 && !strings.ContainsAny(text, `,.:(){}"\%* `) {
					return // as good as others
				}
				alone := k.ns(k.all().Where(cond.make(text)))
				others := k.where(func(n int, _ string) bool { return !slices.Contains(alone, n) })
				wantNs(k, "in a tree, "+text, k.all().Or(never, cond.make(text)), alone)
				wantNs(k, "negated in a tree, "+text, k.all().Or(database.And(database.Gte("n", 0), database.Not(cond.make(text))), never), others)
			})
		}})
	}
	return append(cases, []Case{
		{Name: "rest/conditions/ranges in trees", Run: func(c *C) {
			for _, r := range []string{"[5,10)", "(4,9]"} {
				for what, pair := range map[string]struct {
					cond database.Cond
					want []int
				}{
					"RangeGt":       {database.RangeGt("ints", r), []int{4}},
					"RangeGte":      {database.RangeGte("ints", r), []int{2, 4}},
					"RangeLt":       {database.RangeLt("ints", r), []int{1}},
					"RangeLte":      {database.RangeLte("ints", r), []int{1, 2, 3}},
					"RangeAdjacent": {database.RangeAdjacent("ints", r), []int{1}},
					"Overlaps":      {database.Overlaps("ints", r), []int{2, 3}},
					"Contains":      {database.Contains("ints", "[8,9)"), []int{2}},
				} {
					wantIDs(c, what+" "+r, spans(c).Or(pair.cond, database.Eq("id", 0)), pair.want...)
				}
			}
		}},
		{Name: "rest/conditions/text search with a configuration", Needs: []Feature{TextConfigs}, Run: func(c *C) {
			wantIDs(c, "stemmed", books(c).TextSearch("title", "dispossess", database.TextSearchConfig("english")), 1)
			wantIDs(c, "as it stands", books(c).TextSearch("title", "dispossessed", database.TextSearchConfig("simple")))
			wantIDs(c, "stop words", books(c).TextSearch("title", "the hands", database.TextSearchConfig("english"), database.Phrase), 2)
			wantIDs(c, "in a tree", books(c).Or(database.TextSearch("title", "cyberiads", database.TextSearchConfig("english"), database.WebSearch), database.Eq("id", 1)), 1, 4)
			_, err := database.All[any](c.Context(), books(c).TextSearch("title", "x", database.TextSearchConfig("klingon")))
			wantError(c, err, nil, "42704")
		}},
		{Name: "rest/conditions/text search operators that are none", Run: func(c *C) {
			_, err := database.All[any](c.Context(), books(c).TextSearch("title", "left hand"))
			wantError(c, err, nil, "42601")
		}},
		{Name: "rest/conditions/deep trees", Run: func(c *C) {
			deep := database.Eq("id", 2)
			for range 20 {
				deep = database.Not(database.And(database.Not(deep), database.Not(database.Eq("id", 0))))
			}
			wantIDs(c, "or of ors", books(c).Or(deep, database.Eq("title", "Solaris")), 2, 3)
		}},
		{Name: "rest/conditions/a long list", Run: func(c *C) {
			list := make([]int, 2000)
			for i := range list {
				list[i] = i * 2
			}
			wantIDs(c, "even ids", books(c).In("id", list), 2, 4)
			wantIDs(c, "odd ids", books(c).NotIn("id", list), 1, 3)
		}},
	}...)
}
