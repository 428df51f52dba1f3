package conformance

import "github.com/streamconn/streamconn/supabase/database"

func errorCases() []Case {
	return []Case{
		{Name: "rest/errors/no such table", Run: func(c *C) {
			_, err := database.All[any](c.Context(), c.Anon().Table("nosuch"))
			wantError(c, err, database.ErrUndefined, "42P01", "PGRST205")
		}},
	}
}
