package conformance

import "slices"

// method is a method of database.Query, tried with values that mean nothing to anybody, and with such
// that do. Each of its functions calls the method, and compares the rows. A test of this package looks
// after both, and that no method is missing.
type method struct {
	name           string
	needs          []Feature
	plain, hostile func(c *C)
}

func methodCases() []Case {
	var cases []Case
	for _, m := range slices.Concat(filterMethods(), readMethods(), writeMethods()) {
		cases = append(cases,
			Case{Name: "rest/methods/" + m.name + " plain", Needs: m.needs, Run: m.plain},
			Case{Name: "rest/methods/" + m.name + " hostile", Needs: m.needs, Run: m.hostile},
		)
	}
	return cases
}
