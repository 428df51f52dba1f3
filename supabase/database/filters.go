package database

// Where leaves the rows of which all conditions are true. The other filters are short forms of it.
// Filters add up: each narrows the result further, several on one column too.
func (q Query[R]) Where(conds ...Cond) Query[R] {
	for _, c := range conds {
		switch {
		case c.err != nil:
			return q.fail(c.err)
		case c.op == "":
			return q.fail(invalid("Where of an empty condition"))
		}
		key, text := c.parameter()
		s := &step{kind: setFilter, key: key, text: text, flag: c.narrows()}
		if c.table != "" || c.column.referenced {
			s.num = 1
		}
		q = q.add(s)
	}
	return q
}

// Eq leaves the rows where the condition [Eq] is true.
func (q Query[R]) Eq(column string, v any) Query[R] { return q.Where(Eq(column, v)) }

// Neq leaves the rows where the condition [Neq] is true.
func (q Query[R]) Neq(column string, v any) Query[R] { return q.Where(Neq(column, v)) }

// IsDistinct leaves the rows where the condition [IsDistinct] is true.
func (q Query[R]) IsDistinct(column string, v any) Query[R] { return q.Where(IsDistinct(column, v)) }

// Gt leaves the rows where the condition [Gt] is true.
func (q Query[R]) Gt(column string, v any) Query[R] { return q.Where(Gt(column, v)) }

// Gte leaves the rows where the condition [Gte] is true.
func (q Query[R]) Gte(column string, v any) Query[R] { return q.Where(Gte(column, v)) }

// Lt leaves the rows where the condition [Lt] is true.
func (q Query[R]) Lt(column string, v any) Query[R] { return q.Where(Lt(column, v)) }

// Lte leaves the rows where the condition [Lte] is true.
func (q Query[R]) Lte(column string, v any) Query[R] { return q.Where(Lte(column, v)) }

// Like leaves the rows where the condition [Like] is true.
func (q Query[R]) Like(column, pattern string) Query[R] { return q.Where(Like(column, pattern)) }

// ILike leaves the rows where the condition [ILike] is true.
func (q Query[R]) ILike(column, pattern string) Query[R] { return q.Where(ILike(column, pattern)) }

// LikeAllOf leaves the rows where the condition [LikeAllOf] is true.
func (q Query[R]) LikeAllOf(column string, patterns ...string) Query[R] {
	return q.Where(LikeAllOf(column, patterns...))
}

// LikeAnyOf leaves the rows where the condition [LikeAnyOf] is true.
func (q Query[R]) LikeAnyOf(column string, patterns ...string) Query[R] {
	return q.Where(LikeAnyOf(column, patterns...))
}

// ILikeAllOf leaves the rows where the condition [ILikeAllOf] is true.
func (q Query[R]) ILikeAllOf(column string, patterns ...string) Query[R] {
	return q.Where(ILikeAllOf(column, patterns...))
}

// ILikeAnyOf leaves the rows where the condition [ILikeAnyOf] is true.
func (q Query[R]) ILikeAnyOf(column string, patterns ...string) Query[R] {
	return q.Where(ILikeAnyOf(column, patterns...))
}

// RegexMatch leaves the rows where the condition [RegexMatch] is true.
func (q Query[R]) RegexMatch(column, pattern string) Query[R] {
	return q.Where(RegexMatch(column, pattern))
}

// RegexIMatch leaves the rows where the condition [RegexIMatch] is true.
func (q Query[R]) RegexIMatch(column, pattern string) Query[R] {
	return q.Where(RegexIMatch(column, pattern))
}

// Is leaves the rows where the condition [Is] is true.
func (q Query[R]) Is(column string, v any) Query[R] { return q.Where(Is(column, v)) }

// In leaves the rows where the condition [In] is true.
func (q Query[R]) In(column string, values ...any) Query[R] { return q.Where(In(column, values...)) }

// NotIn leaves the rows where the condition [NotIn] is true.
func (q Query[R]) NotIn(column string, values ...any) Query[R] {
	return q.Where(NotIn(column, values...))
}

// Contains leaves the rows where the condition [Contains] is true.
func (q Query[R]) Contains(column string, v any) Query[R] { return q.Where(Contains(column, v)) }

// ContainedBy leaves the rows where the condition [ContainedBy] is true.
func (q Query[R]) ContainedBy(column string, v any) Query[R] { return q.Where(ContainedBy(column, v)) }

// Overlaps leaves the rows where the condition [Overlaps] is true.
func (q Query[R]) Overlaps(column string, v any) Query[R] { return q.Where(Overlaps(column, v)) }

// RangeGt leaves the rows where the condition [RangeGt] is true.
func (q Query[R]) RangeGt(column string, v any) Query[R] { return q.Where(RangeGt(column, v)) }

// RangeGte leaves the rows where the condition [RangeGte] is true.
func (q Query[R]) RangeGte(column string, v any) Query[R] { return q.Where(RangeGte(column, v)) }

// RangeLt leaves the rows where the condition [RangeLt] is true.
func (q Query[R]) RangeLt(column string, v any) Query[R] { return q.Where(RangeLt(column, v)) }

// RangeLte leaves the rows where the condition [RangeLte] is true.
func (q Query[R]) RangeLte(column string, v any) Query[R] { return q.Where(RangeLte(column, v)) }

// RangeAdjacent leaves the rows where the condition [RangeAdjacent] is true.
func (q Query[R]) RangeAdjacent(column string, v any) Query[R] {
	return q.Where(RangeAdjacent(column, v))
}

// TextSearch leaves the rows where the condition [TextSearch] is true.
func (q Query[R]) TextSearch(column, query string, opts ...TextSearchOption) Query[R] {
	return q.Where(TextSearch(column, query, opts...))
}

// Filter leaves the rows where an operator by PostgREST's own name is true: see the function [Filter].
func (q Query[R]) Filter(column, op string, v any) Query[R] { return q.Where(Filter(column, op, v)) }

// Match leaves the rows where each column has its value, by [Eq]: see the function [Match].
func (q Query[R]) Match(values map[string]any) Query[R] {
	c := Match(values)
	if c.err != nil {
		return q.fail(c.err)
	}
	return q.Where(c.children...)
}

// And leaves the rows where all conditions are true: see the function [And].
func (q Query[R]) And(conds ...Cond) Query[R] { return q.Where(And(conds...)) }

// Or leaves the rows where at least one of the conditions is true: see the function [Or].
func (q Query[R]) Or(conds ...Cond) Query[R] { return q.Where(Or(conds...)) }

// Not leaves the rows where cond is false: see the function [Not].
func (q Query[R]) Not(cond Cond) Query[R] { return q.Where(Not(cond)) }
