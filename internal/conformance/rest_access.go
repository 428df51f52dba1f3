package conformance

import (
	"errors"
	"time"

	"github.com/streamconn/streamconn/supabase/database"
)

func accessCases() []Case {
	return []Case{
		{Name: "rest/access/a kept query", Run: func(c *C) {
			kept := database.Table("nobody", "notes").Select("body").Order("created_at")
			ada, ben := newNotes(c), newNotes(c)
			ada.write("ada's")
			ben.write("ben's")
			for _, user := range []*notes{ada, ben, ada} {
				want(c, "notes", bodies(c, database.On(kept, user.db())), user.read())
			}
			want(c, "anybody's", bodies(c, database.On(kept, c.Anon()).Eq("user_id", ada.user.ID)), []string{})
		}},
		{Name: "rest/access/no Authorization", Run: func(c *C) {
			a := c.raw("GET", "/books?select=id&limit=1&order=id", "", "Authorization", "")
			want(c, "status", a.status, 200)
		}},
		{Name: "rest/access/tokens that are none", Run: func(c *C) {
			user := c.User()
			for what, token := range map[string]string{
				"garbage":   "garbage",
				"forged":    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl",
				"unsigned":  "eyJhbGciOiJub25lIn0.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.",
				"shortened": user.Token[:len(user.Token)-3],
			} {
				_, err := database.All[any](c.Context(), c.As(token).Table("books"))
				e, ok := errors.AsType[*database.Error](err)
				if !ok || e.Status != 401 || !errors.Is(err, database.ErrUnauthorized) {
					c.Errorf("%s: %v, want a 401", what, err)
				}
			}
		}},
		{Name: "rest/access/a token that has expired", Run: func(c *C) {
			if c.p.Token == nil {
				return // nobody waits an hour for it
			}
			_, err := database.All[any](c.Context(), c.As(c.p.Token(newUUID(), "authenticated", -time.Hour)).Table("books"))
			wantError(c, err, database.ErrUnauthorized, "PGRST301", "PGRST303")
		}},
		{Name: "rest/access/a role that is none", Run: func(c *C) {
			if c.p.Token == nil {
				return // a project's own tokens have roles that are there
			}
			_, err := database.All[any](c.Context(), c.As(c.p.Token(newUUID(), "nosuchrole", time.Hour)).Table("books"))
			wantError(c, err, nil, "22023")
		}},
		{Name: "rest/access/own rows", Run: func(c *C) {
			ada, ben := newNotes(c), newNotes(c)
			ada.write("ada's", "more of ada's")
			ben.write("ben's")
			want(c, "ada's", ada.read(), []string{"ada's", "more of ada's"})
			want(c, "ben's", ben.read(), []string{"ben's"})
			for _, user := range []*notes{ada, ben} {
				other := ada.user.ID
				if user == ada {
					other = ben.user.ID
				}
				want(c, "rows of the other", bodies(c, user.table().Eq("user_id", other)), []string{})
				n, err := database.Count(c.Context(), user.table().Eq("user_id", other))
				must(c, err)
				want(c, "count of the other's", n, 0)
			}
			want(c, "anybody's", bodies(c, c.Anon().Table("notes").In("user_id", ada.user.ID, ben.user.ID)), []string{})
			want(c, "the owner's", bodies(c, c.Service().Table("notes").Eq("user_id", ben.user.ID)), []string{"ben's"})
		}},
		{Name: "rest/access/writes to others' rows", Run: func(c *C) {
			ada, ben := newNotes(c), newNotes(c)
			ada.write("ada's")
			_, err := database.Execute(c.Context(), ben.table().Insert(object{"body": "x", "user_id": ada.user.ID}))
			wantError(c, err, database.ErrForbidden, "42501")
			if e, ok := errors.AsType[*database.Error](err); ok {
				want(c, "status", e.Status, 403)
			}
			_, err = database.Execute(c.Context(), c.Anon().Table("notes").Insert(object{"body": "x", "user_id": ada.user.ID}))
			if e, ok := errors.AsType[*database.Error](err); ok {
				want(c, "status of anybody", e.Status, 401)
			}
			wantError(c, err, nil, "42501")
			for what, q := range map[string]query{
				"update": ben.table().Update(object{"body": "x"}).Eq("user_id", ada.user.ID),
				"delete": ben.table().Delete().Eq("user_id", ada.user.ID),
				"all":    ben.table().Update(object{"body": "x"}).Not(database.Is("id", nil)),
				"anon":   c.Anon().Table("notes").Delete().Eq("user_id", ada.user.ID),
			} {
				got, err := database.All[any](c.Context(), q.Select("body"))
				must(c, err)
				want(c, what+" hits", len(got), 0)
			}
			want(c, "ada's", ada.read(), []string{"ada's"})
		}},
		{Name: "rest/access/who asks", Run: func(c *C) {
			type who struct {
				Role string
				UID  *string
			}
			u := c.User()
			for what, test := range map[string]struct {
				db   *database.Client
				want who
			}{
				"anybody": {c.Anon(), who{"anon", nil}},
				"owner":   {c.Service(), who{"service_role", nil}},
				"user":    {c.As(u.Token), who{"authenticated", &u.ID}},
			} {
				got, err := database.One[who](c.Context(), test.db.RPC("whoami", nil))
				must(c, err)
				want(c, what, got, test.want)
				kept := database.On(database.RPC("nobody", "whoami", nil), test.db)
				got, err = database.One[who](c.Context(), kept.Get())
				must(c, err)
				want(c, what+" of a kept query", got, test.want)
			}
		}},
	}
}
