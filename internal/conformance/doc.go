// Package conformance says what a Supabase project answers, as cases that [Run] tries on one: the
// real PostgREST that integration tests start, the project inside go test, or a hosted one.
//
// A project under test has the tables of [Schema] and then [Extra], and nothing else in their
// schemas that has the same names; the schema library is exposed behind public. A case leaves the
// rows of these tables as they are, makes its own under names of its run, and takes them away again.
//
// A case is a function of a [C], in a file named after what it is about:
//
//	{Name: "rest/errors/no such table", Run: func(c *C) {
//		_, err := database.All[any](c.Context(), c.Anon().Table("nosuch"))
//		wantError(c, err, database.ErrUndefined, "42P01", "PGRST205")
//	}},
//
// The words of a server's texts differ between its releases, and codes do at times; a case accepts
// both.
package conformance
