package supabase

import (
	"context"
	"strings"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/supabase/auth"
)

// Admin is what the project's secret key may do with its users: all of package auth's, with what a
// connection knows besides. What ends for a user ends here too: cached sign-ins, and views.
type Admin struct {
	*auth.Admin
	conn *Conn
}

// Admin is what the connection's own key may do with the users, if it is a secret one; on a view as
// well: the user's token is never used for it.
func (a *Auth) Admin() *Admin { return &Admin{a.Client.Admin(), a.conn} }

// forget ends the cached sign-ins of a user, whatever came of what was done to them.
func (a *Admin) forget(id string) { a.conn.project.signIns.forgetUser(strings.ToLower(id)) }

// UpdateUser changes a user, and gives them as they are then. It ends the user's cached sign-ins.
func (a *Admin) UpdateUser(ctx context.Context, id string, change auth.UserChange) (*auth.User, error) {
	defer a.forget(id)
	user, err := a.Admin.UpdateUser(ctx, id, change)
	return user, connection.Wrap(a.conn, "auth", err)
}

// DeleteUser deletes a user, with identities, factors and sessions. It ends the user's cached
// sign-ins; the access tokens that are out stay valid until they expire.
func (a *Admin) DeleteUser(ctx context.Context, id string) error {
	defer a.forget(id)
	return connection.Wrap(a.conn, "auth", a.Admin.DeleteUser(ctx, id))
}

// SoftDeleteUser deletes what a user is known by, and keeps the row: see package auth. It ends the
// user's cached sign-ins.
func (a *Admin) SoftDeleteUser(ctx context.Context, id string) error {
	defer a.forget(id)
	return connection.Wrap(a.conn, "auth", a.Admin.SoftDeleteUser(ctx, id))
}

// SignOut ends sessions of the user whose access token this is, as [Auth.SignOut] does on a view.
func (a *Admin) SignOut(ctx context.Context, accessToken string, scope ...auth.Scope) error {
	err := a.Admin.SignOut(ctx, accessToken, scope...)
	if accessToken != "" {
		a.conn.project.signedOut(a.conn.AsToken(accessToken), err == nil && ownSession(scope))
	}
	return connection.Wrap(a.conn, "auth", err)
}
