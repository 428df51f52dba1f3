package conformance

func filterCases() []Case {
	return []Case{
		{Name: "rest/filters/eq", Run: func(c *C) {
			want(c, "ids", ids(c, c.Anon().Table("books").Select("id").Eq("title", "Solaris")), []int{3})
		}},
	}
}
