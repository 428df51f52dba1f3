package fakeauth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A user is a row of auth.users and what hangs on it.
type user struct {
	id, role, email, phone string
	newEmail, newPhone     string
	password               *passwordHash
	app, meta              map[string]any
	identities             []*identity
	factors                []*factor
	anonymous              bool
	codes                  map[slot]*code
	synced                 UserRow // what the table holds

	invited, emailConfirmed, phoneConfirmed, lastSignIn, created, updated, bannedUntil, deleted time.Time
	confirmationSent, recoverySent, emailChangeSent, phoneChangeSent, reauthenticationSent      time.Time
}

type identity struct {
	id, providerID, provider     string
	data                         map[string]any
	lastSignIn, created, updated time.Time
}

// userJSON is a user as the service writes it: the order and the names are those of GoTrue.
type userJSON struct {
	ID                   string         `json:"id"`
	Aud                  string         `json:"aud"`
	Role                 string         `json:"role"`
	Email                string         `json:"email"`
	EmailConfirmedAt     time.Time      `json:"email_confirmed_at,omitzero"`
	InvitedAt            time.Time      `json:"invited_at,omitzero"`
	Phone                string         `json:"phone"`
	PhoneConfirmedAt     time.Time      `json:"phone_confirmed_at,omitzero"`
	ConfirmationSentAt   time.Time      `json:"confirmation_sent_at,omitzero"`
	ConfirmedAt          time.Time      `json:"confirmed_at,omitzero"`
	RecoverySentAt       time.Time      `json:"recovery_sent_at,omitzero"`
	NewEmail             string         `json:"new_email,omitempty"`
	EmailChangeSentAt    time.Time      `json:"email_change_sent_at,omitzero"`
	NewPhone             string         `json:"new_phone,omitempty"`
	PhoneChangeSentAt    time.Time      `json:"phone_change_sent_at,omitzero"`
	ReauthenticationSent time.Time      `json:"reauthentication_sent_at,omitzero"`
	LastSignInAt         time.Time      `json:"last_sign_in_at,omitzero"`
	AppMetadata          map[string]any `json:"app_metadata"`
	UserMetadata         map[string]any `json:"user_metadata"`
	Factors              []factorJSON   `json:"factors,omitempty"`
	Identities           []identityJSON `json:"identities"`
	CreatedAt            time.Time      `json:"created_at"`
	UpdatedAt            time.Time      `json:"updated_at"`
	BannedUntil          time.Time      `json:"banned_until,omitzero"`
	DeletedAt            time.Time      `json:"deleted_at,omitzero"`
	IsAnonymous          bool           `json:"is_anonymous"`
}

type identityJSON struct {
	IdentityID   string         `json:"identity_id"`
	ID           string         `json:"id"`
	UserID       string         `json:"user_id"`
	IdentityData map[string]any `json:"identity_data"`
	Provider     string         `json:"provider"`
	LastSignInAt time.Time      `json:"last_sign_in_at"`
	CreatedAt    time.Time      `json:"created_at"`
	UpdatedAt    time.Time      `json:"updated_at"`
	Email        string         `json:"email,omitempty"`
}

// json is the user as it is written, to be encoded under the lock.
func (u *user) json() userJSON {
	confirmed := u.emailConfirmed
	if confirmed.IsZero() || !u.phoneConfirmed.IsZero() && u.phoneConfirmed.Before(confirmed) {
		confirmed = u.phoneConfirmed
	}
	out := userJSON{
		ID: u.id, Aud: "authenticated", Role: u.role, Email: u.email, EmailConfirmedAt: u.emailConfirmed,
		InvitedAt: u.invited, Phone: u.phone, PhoneConfirmedAt: u.phoneConfirmed, ConfirmationSentAt: u.confirmationSent,
		ConfirmedAt: confirmed, RecoverySentAt: u.recoverySent, NewEmail: u.newEmail, EmailChangeSentAt: u.emailChangeSent,
		NewPhone: u.newPhone, PhoneChangeSentAt: u.phoneChangeSent, ReauthenticationSent: u.reauthenticationSent,
		LastSignInAt: u.lastSignIn, AppMetadata: u.app, UserMetadata: u.meta, Identities: []identityJSON{},
		CreatedAt: u.created, UpdatedAt: u.updated, BannedUntil: u.bannedUntil, DeletedAt: u.deleted, IsAnonymous: u.anonymous,
	}
	for _, f := range u.factors {
		out.Factors = append(out.Factors, f.json())
	}
	for _, i := range u.identities {
		email, _ := i.data["email"].(string)
		out.Identities = append(out.Identities, identityJSON{
			IdentityID: i.id, ID: i.providerID, UserID: u.id, IdentityData: i.data, Provider: i.provider,
			LastSignInAt: i.lastSignIn, CreatedAt: i.created, UpdatedAt: i.updated, Email: email,
		})
	}
	return out
}

// fresh is the user as the answer to its creation shows it: GoTrue has not read back what the
// database computes.
func (u *user) fresh() userJSON {
	out := u.json()
	out.ConfirmedAt = time.Time{}
	return out
}

// unsaved is like fresh, with what GoTrue's sign-up changes in the identity and does not save.
func (u *user) unsaved() userJSON {
	out := u.fresh()
	for i := range out.Identities {
		data := maps.Clone(out.Identities[i].IdentityData)
		data["email_verified"] = !u.emailConfirmed.IsZero()
		data["phone_verified"] = !u.phoneConfirmed.IsZero()
		out.Identities[i].IdentityData = data
	}
	return out
}

func (u *user) banned(now time.Time) bool { return u.bannedUntil.After(now) }

// addUser makes a user and keeps it.
func (s *Server) addUser(id string) *user {
	now := s.now()
	u := &user{
		id: id, role: "authenticated", app: map[string]any{}, meta: map[string]any{},
		codes: make(map[slot]*code), created: now, updated: now,
	}
	s.users[id] = u
	s.order = append(s.order, u)
	return s.touch(u)
}

// addIdentity gives a user the identity of its address or number.
func (s *Server) addIdentity(u *user, provider string, data map[string]any) *identity {
	now := s.now()
	claims := map[string]any{"sub": u.id, "email_verified": false, "phone_verified": false}
	maps.Copy(claims, data)
	if provider == "phone" {
		claims["phone"] = u.phone
	} else if u.email != "" {
		claims["email"] = u.email
	}
	i := &identity{id: newUUID(), providerID: u.id, provider: provider, data: claims, lastSignIn: now, created: now, updated: now}
	u.identities = append(u.identities, i)
	u.provide()
	return i
}

// provide lists the providers of the identities in the metadata.
func (u *user) provide() {
	names := []any{}
	for _, i := range u.identities {
		if !slices.Contains(names, any(i.provider)) {
			names = append(names, i.provider)
		}
	}
	app := maps.Clone(u.app)
	if len(names) == 0 {
		delete(app, "provider")
		delete(app, "providers")
	} else {
		if old, _ := app["provider"].(string); !slices.Contains(names, any(old)) {
			app["provider"] = names[0]
		}
		app["providers"] = names
	}
	u.app = app
}

// merge is m with changes laid over it; null takes a key away.
func merge(m, changes map[string]any) map[string]any {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range changes {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// confirmEmail marks the address as proven, in the metadata too.
func (s *Server) confirmEmail(u *user) {
	now := s.now()
	u.emailConfirmed = now
	u.meta = merge(u.meta, map[string]any{"email_verified": true})
	u.updated = now
}

// proveEmail is confirmEmail by somebody who showed a code: the identity learns of it too.
func (s *Server) proveEmail(u *user) {
	s.confirmEmail(u)
	for _, i := range u.identities {
		if i.provider == "email" {
			i.data = merge(i.data, map[string]any{"email_verified": true})
		}
	}
}

func (s *Server) confirmPhone(u *user) {
	now := s.now()
	u.phoneConfirmed = now
	u.meta = merge(u.meta, map[string]any{"phone_verified": true})
	u.updated = now
}

func (s *Server) find(ok func(*user) bool) *user {
	for _, u := range s.order {
		if u.deleted.IsZero() && ok(u) {
			return s.touch(u)
		}
	}
	return nil
}

// byID finds a user, also one who was deleted softly.
func (s *Server) byID(id string) *user { return s.touch(s.users[strings.ToLower(id)]) }

func (s *Server) byEmail(email string) *user {
	return s.find(func(u *user) bool { return u.email == email && email != "" })
}

func (s *Server) byPhone(phone string) *user {
	return s.find(func(u *user) bool { return u.phone == phone && phone != "" })
}

// remove takes a user away, unless the database refuses.
func (s *Server) remove(u *user) error {
	if s.cfg.Table != nil {
		if err := s.cfg.Table.Delete(u.id); err != nil {
			return fail(http.StatusInternalServerError, "unexpected_failure", "Database error deleting user")
		}
	}
	s.forget(u)
	return nil
}

// forget forgets a user and every session of theirs.
func (s *Server) forget(u *user) {
	delete(s.users, u.id)
	s.order = slices.DeleteFunc(s.order, func(o *user) bool { return o == u })
	s.endSessions(u.id, func(*session) bool { return true })
}

var (
	emailForm = regexp.MustCompile("^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$")
	phoneForm = regexp.MustCompile(`^[1-9][0-9]{1,14}$`)
	uuidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
)

// cleanEmail is the address as it is kept.
func cleanEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return "", invalid("An email address is required")
	}
	if len(email) > 255 {
		return "", invalid("An email address is too long")
	}
	if !emailForm.MatchString(email) {
		return "", invalid("Unable to validate email address: invalid format")
	}
	return email, nil
}

// cleanPhone is the number as it is kept.
func cleanPhone(phone string) (string, error) {
	phone = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(phone), "+"), " ", "")
	if !phoneForm.MatchString(phone) {
		return "", invalid("Invalid phone number format (E.164 required)")
	}
	return phone, nil
}

// A passwordHash is what is kept of a password. It need not be slow: the users are made up.
type passwordHash struct {
	salt [16]byte
	sum  [sha256.Size]byte
}

func hashPassword(password string) *passwordHash {
	h := new(passwordHash)
	_, _ = rand.Read(h.salt[:]) // it never fails
	h.sum = sha256.Sum256(append(bytes.Clone(h.salt[:]), password...))
	return h
}

func (h *passwordHash) is(password string) bool {
	if h == nil {
		return false
	}
	sum := sha256.Sum256(append(bytes.Clone(h.salt[:]), password...))
	return subtle.ConstantTimeCompare(sum[:], h.sum[:]) == 1
}

// checkPassword says whether a password is good enough.
func (s *Server) checkPassword(password string) error {
	switch {
	case len(password) > 72:
		return invalid("Password cannot be longer than 72 characters")
	case len(password) < s.cfg.MinPassword:
		return &failure{
			status: http.StatusUnprocessableEntity, code: "weak_password",
			msg:  fmt.Sprintf("Password should be at least %d characters.", s.cfg.MinPassword),
			weak: []string{"length"},
		}
	}
	return nil
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
