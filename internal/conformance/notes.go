package conformance

import (
	"context"

	"github.com/streamconn/streamconn/supabase/database"
)

// notes are one user's rows of the table notes, whose row security shows each user only the own ones.
type notes struct {
	c    *C
	user User
}

// newNotes makes a user, whose notes are taken away when the case is over.
func newNotes(c *C) *notes {
	c.Helper()
	n := &notes{c: c, user: c.User()}
	c.Later("notes", func(ctx context.Context) error {
		_, err := database.Execute(ctx, c.Service().Table("notes").Delete().Eq("user_id", n.user.ID))
		return err
	})
	return n
}

func (n *notes) db() *database.Client { return n.c.As(n.user.Token) }

func (n *notes) table() query { return n.db().Table("notes") }

func (n *notes) write(bodies ...string) {
	n.c.Helper()
	rows := make([]object, len(bodies))
	for i, body := range bodies {
		rows[i] = object{"body": body}
	}
	_, err := database.Execute(n.c.Context(), n.table().Insert(rows))
	must(n.c, err)
}

// read gives the notes that the user sees.
func (n *notes) read() []string { return bodies(n.c, n.table()) }

func bodies(c *C, q query) []string {
	c.Helper()
	rows, err := database.All[struct{ Body string }](c.Context(), q.Select("body").Order("created_at").Order("body"))
	must(c, err)
	list := []string{}
	for _, r := range rows {
		list = append(list, r.Body)
	}
	return list
}
