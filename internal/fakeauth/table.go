package fakeauth

import (
	"net/http"
	"reflect"
	"time"
)

// A Table is auth.users, as the tables of a project refer to it.
type Table interface {
	// Put stores a user, in the place of the row with the same id.
	Put(UserRow) error
	// Delete takes a user away. It fails if something refers to the user and does not go too.
	Delete(id string) error
}

// A UserRow is a row of auth.users. Its maps must not be changed.
type UserRow struct {
	ID, Role, Email, Phone                                                        string
	AppMetadata, UserMetadata                                                     map[string]any
	Anonymous                                                                     bool
	EmailConfirmed, PhoneConfirmed, LastSignIn, Banned, Deleted, Created, Updated time.Time
}

func (u *user) row() UserRow {
	return UserRow{
		ID: u.id, Role: u.role, Email: u.email, Phone: u.phone, AppMetadata: u.app, UserMetadata: u.meta, Anonymous: u.anonymous,
		EmailConfirmed: u.emailConfirmed, PhoneConfirmed: u.phoneConfirmed, LastSignIn: u.lastSignIn, Banned: u.bannedUntil,
		Deleted: u.deleted, Created: u.created, Updated: u.updated,
	}
}

// touch says that the call which runs may change a user.
func (s *Server) touch(u *user) *user {
	if u != nil && s.cfg.Table != nil {
		s.touched[u] = true
	}
	return u
}

// sync makes the table follow the users that a call has touched. New ones that it refuses are none.
func (s *Server) sync() error {
	var failed error
	for u := range s.touched {
		delete(s.touched, u)
		row := u.row()
		if s.users[u.id] != u || reflect.DeepEqual(row, u.synced) {
			continue
		}
		if err := s.cfg.Table.Put(row); err != nil {
			if failed == nil {
				failed = fail(http.StatusInternalServerError, "unexpected_failure", "Database error saving new user")
			}
			if u.synced.ID == "" {
				s.forget(u)
			}
			continue
		}
		u.synced = row
	}
	return failed
}
