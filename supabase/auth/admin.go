package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Admin are the calls of an administrator. They are made with the project's secret key
// (service_role, sb_secret_…), never with a user's token: a client that has no key refuses them.
// With a key that is none, the server answers not_admin, [ErrForbidden].
type Admin struct{ c *Client }

// Admin gives the calls of an administrator.
func (c *Client) Admin() *Admin { return &Admin{c} }

func (a *Admin) user(ctx context.Context, r request) (*User, error) {
	u := new(User)
	if err := a.c.send(ctx, asAdmin, r, u); err != nil {
		return nil, err
	}
	return u, nil
}

// NewUser is a user to create. Email or Phone must be there.
type NewUser struct {
	ID           string // a UUID; the server makes one by default
	Email, Phone string
	Password     string // none by default: the user signs in by a link
	PasswordHash string // bcrypt, argon2 or Firebase's scrypt, instead of Password
	// EmailConfirm and PhoneConfirm take the address as confirmed. Without them nothing is sent
	// either: see [Admin.Invite].
	EmailConfirm bool
	PhoneConfirm bool
	UserMetadata map[string]any
	AppMetadata  map[string]any
	Role         string        // of the database; authenticated by default
	BanFor       time.Duration // 0: not banned
}

// CreateUser creates a user, and sends them nothing. An address that is taken is the error
// email_exists or phone_exists, [ErrConflict].
func (a *Admin) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	ban := ""
	if n.BanFor != 0 {
		var err error
		if ban, err = banDuration(n.BanFor); err != nil {
			return nil, err
		}
	}
	return a.user(ctx, request{
		method: http.MethodPost, path: "admin/users", secrets: []string{n.Password, n.PasswordHash},
		body: struct {
			ID           string         `json:"id,omitempty"`
			Email        string         `json:"email,omitempty"`
			Phone        string         `json:"phone,omitempty"`
			Password     string         `json:"password,omitempty"`
			PasswordHash string         `json:"password_hash,omitempty"`
			EmailConfirm bool           `json:"email_confirm,omitempty"`
			PhoneConfirm bool           `json:"phone_confirm,omitempty"`
			UserMetadata map[string]any `json:"user_metadata,omitempty"`
			AppMetadata  map[string]any `json:"app_metadata,omitempty"`
			Role         string         `json:"role,omitempty"`
			BanDuration  string         `json:"ban_duration,omitempty"`
		}{n.ID, n.Email, n.Phone, n.Password, n.PasswordHash, n.EmailConfirm, n.PhoneConfirm, n.UserMetadata, n.AppMetadata, n.Role, ban},
	})
}

// UserChange is what changes of a user. What is nil stays as it is; what is not is sent, also when
// it is false or empty: new(false), new("").
type UserChange struct {
	Email, Phone *string // at once, without a mail
	Password     *string
	PasswordHash *string
	EmailConfirm *bool
	PhoneConfirm *bool
	// UserMetadata and AppMetadata are merged, key by key at the top; nil takes a key out.
	UserMetadata map[string]any
	AppMetadata  map[string]any
	Role         *string
	// BanFor is how long the user may not sign in or renew a session; 0 ends a ban. Access tokens
	// that are out stay valid until they expire.
	BanFor *time.Duration
}

// UpdateUser changes a user, and gives them as they are then.
func (a *Admin) UpdateUser(ctx context.Context, id string, change UserChange) (*User, error) {
	path, err := under("admin/users", id)
	if err != nil {
		return nil, err
	}
	var ban *string
	if change.BanFor != nil {
		d, err := banDuration(*change.BanFor)
		if err != nil {
			return nil, err
		}
		ban = &d
	}
	r := request{
		method: http.MethodPut, path: path,
		body: struct {
			Email        *string        `json:"email,omitempty"`
			Phone        *string        `json:"phone,omitempty"`
			Password     *string        `json:"password,omitempty"`
			PasswordHash *string        `json:"password_hash,omitempty"`
			EmailConfirm *bool          `json:"email_confirm,omitempty"`
			PhoneConfirm *bool          `json:"phone_confirm,omitempty"`
			UserMetadata map[string]any `json:"user_metadata,omitempty"`
			AppMetadata  map[string]any `json:"app_metadata,omitempty"`
			Role         *string        `json:"role,omitempty"`
			BanDuration  *string        `json:"ban_duration,omitempty"`
		}{change.Email, change.Phone, change.Password, change.PasswordHash, change.EmailConfirm, change.PhoneConfirm, change.UserMetadata, change.AppMetadata, change.Role, ban},
	}
	for _, secret := range []*string{change.Password, change.PasswordHash} {
		if secret != nil {
			r.secrets = append(r.secrets, *secret)
		}
	}
	return a.user(ctx, r)
}

// banDuration is the server's form: 24h, 1h30m, none.
func banDuration(d time.Duration) (string, error) {
	switch {
	case d < 0:
		return "", fmt.Errorf("%w: a ban of %v", ErrInvalid, d)
	case d == 0:
		return "none", nil
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text, nil
}

// User gives a user. One that is not there is the error user_not_found, and an id that is no UUID
// validation_failed; both are [ErrNotFound].
func (a *Admin) User(ctx context.Context, id string) (*User, error) {
	path, err := under("admin/users", id)
	if err != nil {
		return nil, err
	}
	return a.user(ctx, request{method: http.MethodGet, path: path})
}

// DeleteUser deletes a user, with identities, factors and sessions.
func (a *Admin) DeleteUser(ctx context.Context, id string) error { return a.delete(ctx, id, nil) }

// SoftDeleteUser deletes what a user is known by, for good, and keeps the row, so that what refers
// to it stays: the user cannot sign in, and the addresses are free again.
func (a *Admin) SoftDeleteUser(ctx context.Context, id string) error {
	return a.delete(ctx, id, struct {
		Soft bool `json:"should_soft_delete"`
	}{true})
}

func (a *Admin) delete(ctx context.Context, id string, body any) error {
	path, err := under("admin/users", id)
	if err != nil {
		return err
	}
	return a.c.send(ctx, asAdmin, request{method: http.MethodDelete, path: path, body: body}, nil)
}

// Page is which part of a list is asked for. The zero value is the first page, as long as the
// server makes one (50).
type Page struct {
	Number int // from 1; 0 is 1
	Size   int // 0: the server's own
}

func (p Page) query() (url.Values, error) {
	if p.Number < 0 || p.Size < 0 {
		return nil, fmt.Errorf("%w: page %d of size %d", ErrInvalid, p.Number, p.Size)
	}
	q := url.Values{}
	if p.Number > 0 {
		q.Set("page", strconv.Itoa(p.Number))
	}
	if p.Size > 0 {
		q.Set("per_page", strconv.Itoa(p.Size))
	}
	return q, nil
}

// Listed tells where in a list a page is.
type Listed struct {
	Total int64 // of the whole list; -1: the server does not say
	Next  int   // the number of the next page; 0: this is the last one
	Last  int   // the number of the last page; 0: the server does not say
}

// listed reads the headers of a page. Their addresses are the server's own, and only their numbers
// are used.
func listed(h http.Header) Listed {
	l := Listed{Total: -1}
	if n, err := strconv.ParseInt(h.Get("X-Total-Count"), 10, 64); err == nil && n >= 0 {
		l.Total = n
	}
	for link := range strings.SplitSeq(strings.Join(h.Values("Link"), ","), ",") {
		address, params, _ := strings.Cut(strings.TrimSpace(link), ">")
		u, err := url.Parse(strings.TrimPrefix(address, "<"))
		if err != nil {
			continue
		}
		number, err := strconv.Atoi(u.Query().Get("page"))
		if err != nil || number < 0 {
			continue
		}
		switch {
		case strings.Contains(params, `rel="next"`):
			l.Next = number
		case strings.Contains(params, `rel="last"`):
			l.Last = number
		}
	}
	return l
}

// UserPage is a part of the project's users, the newest first. Their Identities are nil.
type UserPage struct {
	Users []User
	Listed
}

// Users gives a page of the users.
func (a *Admin) Users(ctx context.Context, page Page) (*UserPage, error) {
	var body struct {
		Users []User `json:"users"`
	}
	l, err := a.list(ctx, "admin/users", page, nil, &body)
	if err != nil {
		return nil, err
	}
	if body.Users == nil {
		body.Users = []User{}
	}
	return &UserPage{body.Users, l}, nil
}

func (a *Admin) list(ctx context.Context, path string, page Page, more url.Values, out any) (Listed, error) {
	q, err := page.query()
	if err != nil {
		return Listed{}, err
	}
	for name := range more {
		q.Set(name, more.Get(name))
	}
	r := request{method: http.MethodGet, path: path, query: q}
	resp, err := a.c.do(ctx, asAdmin, r)
	if err != nil {
		return Listed{}, err
	}
	if err := r.decode(resp, out); err != nil {
		return Listed{}, err
	}
	return listed(resp.Header), nil
}

// pageSize is that of the iterators.
const pageSize = 100

// AllUsers gives all users, the newest first, page after page. Who is created meanwhile is not
// given; who is deleted meanwhile shifts the pages, and another one may be left out: to delete
// users, collect them first. After an error it ends.
func (a *Admin) AllUsers(ctx context.Context) iter.Seq2[*User, error] {
	return every(func(number int) ([]User, Listed, error) {
		p, err := a.Users(ctx, Page{number, pageSize})
		if err != nil {
			return nil, Listed{}, err
		}
		return p.Users, p.Listed, nil
	}, func(u *User) string { return u.ID })
}

// every gives what the pages hold. A page that begins with the end of the one before it, because
// something new came first, is not given twice.
func every[T any](fetch func(number int) ([]T, Listed, error), id func(*T) string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var before map[string]bool
		for number := 1; ; number++ {
			items, at, err := fetch(number)
			if err != nil {
				yield(nil, err)
				return
			}
			seen := make(map[string]bool, len(items))
			fresh := 0
			for i := range items {
				seen[id(&items[i])] = true
				if before[id(&items[i])] {
					continue
				}
				if fresh++; !yield(&items[i], nil) {
					return
				}
			}
			// Without a Link, by a proxy that takes it out, the list ends with a page that is not full.
			more := at.Next > number || at.Last == 0 && len(items) == pageSize
			if len(items) == 0 || !more {
				return
			}
			if fresh == 0 { // or it would not end
				yield(nil, answerError("the server gives the same page again and again"))
				return
			}
			before = seen
		}
	}
}

// SignOut ends sessions of the user whose access token this is, as [Client.SignOut] does for the
// user's own client.
func (a *Admin) SignOut(ctx context.Context, accessToken string, scope ...Scope) error {
	if accessToken == "" {
		return fmt.Errorf("%w: it is empty", ErrNoToken)
	}
	return a.c.signOut(ctx, asAdmin, accessToken, scope)
}

// Factors gives the factors of a user.
func (a *Admin) Factors(ctx context.Context, userID string) ([]Factor, error) {
	path, err := under("admin/users", userID)
	if err != nil {
		return nil, err
	}
	factors := []Factor{}
	if err := a.c.send(ctx, asAdmin, request{method: http.MethodGet, path: path + "/factors"}, &factors); err != nil {
		return nil, err
	}
	return factors, nil
}

// RenameFactor gives a factor of a user another FriendlyName.
func (a *Admin) RenameFactor(ctx context.Context, userID, factorID, friendlyName string) (*Factor, error) {
	path, err := factorPath(userID, factorID)
	if err != nil {
		return nil, err
	}
	f := new(Factor)
	err = a.c.send(ctx, asAdmin, request{method: http.MethodPut, path: path, body: struct {
		FriendlyName string `json:"friendly_name"`
	}{friendlyName}}, f)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func factorPath(userID, factorID string) (string, error) {
	path, err := under("admin/users", userID)
	if err != nil {
		return "", err
	}
	return under(path+"/factors", factorID)
}

// DeleteFactor takes a factor from a user, who stays signed in.
func (a *Admin) DeleteFactor(ctx context.Context, userID, factorID string) error {
	path, err := factorPath(userID, factorID)
	if err != nil {
		return err
	}
	return a.c.send(ctx, asAdmin, request{method: http.MethodDelete, path: path}, nil)
}

// Format tells who is created.
func (n NewUser) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "auth.NewUser(%s)", n.Email+n.Phone)
}

// LogValue is what Format prints.
func (n NewUser) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }

// MarshalJSON is what Format prints.
func (n NewUser) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(n)) }

// Format tells nothing of what is changed.
func (change UserChange) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("auth.UserChange")) }

// LogValue is what Format prints.
func (change UserChange) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(change)) }

// MarshalJSON is what Format prints.
func (change UserChange) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(change)) }
