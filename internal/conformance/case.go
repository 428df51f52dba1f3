package conformance

import (
	"slices"
	"strings"
)

// Case is one thing that a project has to do right.
type Case struct {
	// Name is service/subject/what: its words are those of a test's name.
	Name string
	// Needs are the features without which the case makes no sense.
	Needs []Feature
	// Run tries it. It ends by c's methods, as a test does, and skips nothing.
	Run func(c *C)
}

// Service is the one that the case is about.
func (k *Case) Service() Service {
	s, _, _ := strings.Cut(k.Name, "/")
	return Service(s)
}

// Cases gives all cases, in the order in which they are run.
func Cases() []Case {
	return slices.Concat(restCases(), authCases(), storageCases())
}

func restCases() []Case {
	return slices.Concat(
		methodCases(),
		conditionCases(),
		nameCases(),
		embedCases(),
		pageCases(),
		rpcCases(),
		writeCases(),
		valueCases(),
		errorCases(),
		accessCases(),
	)
}
