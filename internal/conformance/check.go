package conformance

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/streamconn/streamconn/supabase/database"
)

// want fails the case unless got is what is wanted.
func want[T any](c *C, what string, got, wanted T) {
	c.Helper()
	if reflect.DeepEqual(got, wanted) {
		return
	}
	g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", wanted)
	at := 0 // where they part
	for at < min(len(g), len(w)) && g[at] == w[at] {
		at++
	}
	c.Errorf("%.100s: %s, want %s", what, around(g, at), around(w, at))
}

// around is what a long text has at a place.
func around(s string, at int) string {
	const before, after = 200, 300
	if len(s) <= before+after {
		return s
	}
	from, to := max(0, at-before), min(len(s), at+after)
	return fmt.Sprintf("%d bytes …%s…", len(s), s[from:to])
}

// must ends the case if err is not nil.
func must(c *C, err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// wantError fails the case unless err is an answer of the server with one of the codes, and is the
// sentinel, if there is one.
func wantError(c *C, err, is error, codes ...string) {
	c.Helper()
	e, ok := errors.AsType[*database.Error](err)
	switch {
	case !ok:
		c.Errorf("error %v, want an answer with the code %q", err, codes)
	case !slices.Contains(codes, e.Code):
		c.Errorf("error %v with the code %q, want %q", err, e.Code, codes)
	case is != nil && !errors.Is(err, is):
		c.Errorf("error %v is not %q", err, is)
	}
}

// ids gives the ids of the rows of a query, as they come.
func ids(c *C, q database.Query[*database.Client]) []int {
	c.Helper()
	rows, err := database.All[struct{ ID int }](c.Context(), q)
	must(c, err)
	list := []int{}
	for _, r := range rows {
		list = append(list, r.ID)
	}
	return list
}
