package fakeauth

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// admin lets only a service key through.
func (s *Server) admin(next handler) handler {
	return func(c *call) error {
		claims, err := s.claims(c)
		if err != nil {
			return err
		}
		if role := claims.String("role"); role != "service_role" && role != "supabase_admin" {
			return fail(http.StatusForbidden, "not_admin", "User not allowed")
		}
		c.admin = true
		return next(c)
	}
}

// adminUser finds the user that the path names.
func (s *Server) adminUser(c *call) (*user, error) {
	id := c.values[0]
	if !uuidForm.MatchString(id) {
		return nil, fail(http.StatusNotFound, "validation_failed", "user_id must be an UUID")
	}
	u := s.byID(id)
	if u == nil {
		return nil, fail(http.StatusNotFound, "user_not_found", "User not found")
	}
	return u, nil
}

func (s *Server) adminGet(c *call) error {
	u, err := s.adminUser(c)
	if err != nil {
		return err
	}
	return c.answer(u.json())
}

// listUsers answers with a page, the newest first.
func (s *Server) listUsers(c *call) error {
	filter := strings.ToLower(c.r.URL.Query().Get("filter"))
	var found []*user
	for _, u := range slices.Backward(s.order) {
		name, _ := u.meta["full_name"].(string)
		if filter == "" || strings.Contains(u.email, filter) || strings.Contains(strings.ToLower(name), filter) {
			found = append(found, u)
		}
	}
	from, to, err := c.paginate(len(found))
	if err != nil {
		return err
	}
	type listed struct {
		userJSON
		Identities []identityJSON `json:"identities"` // the list does not read them
	}
	out := struct {
		Users []listed `json:"users"`
		Aud   string   `json:"aud"`
	}{[]listed{}, "authenticated"}
	for _, u := range found[from:to] {
		out.Users = append(out.Users, listed{userJSON: u.json()})
	}
	return c.answer(out)
}

func positive(text string, or int) (int, error) {
	if text == "" {
		return or, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return or, nil
	}
	return int(n), nil
}

type adminBody struct {
	ID           string         `json:"id"`
	Role         string         `json:"role"`
	Email        string         `json:"email"`
	Phone        string         `json:"phone"`
	Password     string         `json:"password"`
	EmailConfirm bool           `json:"email_confirm"`
	PhoneConfirm bool           `json:"phone_confirm"`
	UserMetadata map[string]any `json:"user_metadata"`
	AppMetadata  map[string]any `json:"app_metadata"`
	BanDuration  string         `json:"ban_duration"`
}

// ban is until when a user is shut out. It is nil if the request does not say.
func (s *Server) ban(duration string) (*time.Time, error) {
	switch duration {
	case "":
		return nil, nil
	case "none":
		return new(time.Time), nil
	}
	d, err := time.ParseDuration(duration)
	if err != nil {
		return nil, invalid("invalid format for ban duration: " + err.Error())
	}
	return new(s.now().Add(d)), nil
}

// check cleans the address and the number, which nobody but u may have.
func (s *Server) check(in *adminBody, u *user) error {
	if in.Email != "" {
		email, err := cleanEmail(in.Email)
		if err != nil {
			return err
		}
		if o := s.byEmail(email); o != nil && o != u {
			return fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
		}
		in.Email = email
	}
	if in.Phone != "" {
		phone, err := cleanPhone(in.Phone)
		if err != nil {
			return err
		}
		if o := s.byPhone(phone); o != nil && o != u {
			return fail(http.StatusUnprocessableEntity, "phone_exists", "Phone number already registered by another user")
		}
		in.Phone = phone
	}
	return nil
}

func (s *Server) createUser(c *call) error {
	var in adminBody
	if err := c.read(&in); err != nil {
		return err
	}
	u, err := s.create(in)
	if err != nil {
		return err
	}
	s.note(c, u, "user_signedup")
	return c.answer(u.fresh())
}

func (s *Server) create(in adminBody) (*user, error) {
	if in.Email == "" && in.Phone == "" {
		return nil, invalid("Cannot create a user without either an email or phone")
	}
	if err := s.check(&in, nil); err != nil {
		return nil, err
	}
	until, err := s.ban(in.BanDuration)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(in.ID)
	switch {
	case id == "":
		id = newUUID()
	case !uuidForm.MatchString(id):
		return nil, invalid("ID must conform to the uuid v4 format")
	case s.users[id] != nil:
		return nil, fail(http.StatusUnprocessableEntity, "conflict", "A user with this ID already exists")
	}
	u := s.addUser(id)
	u.email, u.phone = in.Email, in.Phone
	if in.Role != "" {
		u.role = in.Role
	}
	if in.Password != "" {
		u.password = hashPassword(in.Password)
	}
	u.meta, u.app = merge(nil, in.UserMetadata), merge(nil, in.AppMetadata)
	if u.email != "" {
		s.addIdentity(u, "email", nil)
	}
	if u.phone != "" {
		s.addIdentity(u, "phone", nil)
	}
	if in.EmailConfirm && u.email != "" {
		s.confirmEmail(u)
	}
	if in.PhoneConfirm && u.phone != "" {
		s.confirmPhone(u)
	}
	if until != nil {
		u.bannedUntil = *until
	}
	return u, nil
}

func (s *Server) adminUpdate(c *call) error {
	var in adminBody
	if err := c.read(&in); err != nil {
		return err
	}
	u, err := s.adminUser(c)
	if err != nil {
		return err
	}
	if err := s.check(&in, u); err != nil {
		return err
	}
	if in.Password != "" {
		if err := s.checkPassword(in.Password); err != nil {
			return err
		}
	}
	until, err := s.ban(in.BanDuration)
	if err != nil {
		return err
	}
	if in.Email != "" && in.Email != u.email {
		u.email = in.Email
		s.identify(u, "email", "email", in.Email)
	}
	if in.Phone != "" && in.Phone != u.phone {
		u.phone = in.Phone
		s.identify(u, "phone", "phone", in.Phone)
	}
	if in.EmailConfirm && u.email != "" && u.emailConfirmed.IsZero() {
		s.confirmEmail(u)
	}
	if in.PhoneConfirm && u.phone != "" && u.phoneConfirmed.IsZero() {
		s.confirmPhone(u)
	}
	if in.Role != "" {
		u.role = in.Role
	}
	if in.Password != "" {
		u.password = hashPassword(in.Password)
		s.endSessions(u.id, func(*session) bool { return true })
	}
	if in.UserMetadata != nil {
		u.meta = merge(u.meta, in.UserMetadata)
	}
	if in.AppMetadata != nil {
		u.app = merge(u.app, in.AppMetadata)
	}
	if until != nil {
		u.bannedUntil = *until
	}
	u.updated = s.now()
	s.note(c, u, "user_modified")
	return c.answer(u.json())
}

func (s *Server) adminDelete(c *call) error {
	in := struct {
		Soft bool `json:"should_soft_delete"`
	}{}
	if len(c.raw) > 0 {
		if err := c.read(&in); err != nil {
			return err
		}
	}
	u, err := s.adminUser(c)
	if err != nil {
		return err
	}
	if !in.Soft {
		if err := s.remove(u); err != nil {
			return err
		}
		s.note(c, u, "user_deleted")
		return c.empty()
	}
	s.note(c, u, "user_deleted")
	if u.deleted.IsZero() {
		u.deleted = s.now()
		u.email, u.phone = obscure(u.email), obscure(u.phone)
		u.password, u.identities, u.factors = nil, nil, nil
		u.meta, u.app = map[string]any{}, map[string]any{}
		clear(u.codes)
		s.endSessions(u.id, func(*session) bool { return true })
	}
	return c.empty()
}

// obscure is what is left of the address of a user who was deleted softly.
func obscure(address string) string {
	if address == "" {
		return ""
	}
	return hashOf(address, "")
}

func (s *Server) adminFactors(c *call) error {
	u, err := s.adminUser(c)
	if err != nil {
		return err
	}
	list := []factorJSON{}
	for _, f := range u.factors {
		list = append(list, f.json())
	}
	return c.answer(list)
}

func (s *Server) adminFactor(c *call) (*user, *factor, error) {
	u, err := s.adminUser(c)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.myFactor(u, c.values[1])
	return u, f, err
}

func (s *Server) adminUpdateFactor(c *call) error {
	var in struct {
		FriendlyName string `json:"friendly_name"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	_, f, err := s.adminFactor(c)
	if err != nil {
		return err
	}
	if in.FriendlyName != "" {
		f.name, f.updated = in.FriendlyName, s.now()
	}
	return c.answer(f.json())
}

func (s *Server) adminDeleteFactor(c *call) error {
	u, f, err := s.adminFactor(c)
	if err != nil {
		return err
	}
	s.dropFactor(u, f)
	return c.answer(f.json())
}

func (s *Server) invite(c *call) error {
	var in struct {
		Email string         `json:"email"`
		Data  map[string]any `json:"data"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	u, err := s.invited(in.Email, in.Data)
	if err != nil {
		return err
	}
	s.note(c, u, "user_invited")
	s.sendCode(c, u, confirmation, "invite", u.email, nil)
	u.invited = s.now()
	return c.answer(u.json())
}

// invited is the user of an invitation, made if need be.
func (s *Server) invited(email string, data map[string]any) (*user, error) {
	email, err := cleanEmail(email)
	if err != nil {
		return nil, err
	}
	u := s.byEmail(email)
	if u == nil {
		u = s.addUser(newUUID())
		u.email, u.meta = email, merge(nil, data)
		s.addIdentity(u, "email", nil)
	} else if !u.emailConfirmed.IsZero() {
		return nil, fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
	}
	return u, nil
}

// generateLink makes a link and a code as a mail would carry them, and sends none.
func (s *Server) generateLink(c *call) error {
	var in struct {
		Type       string         `json:"type"`
		Email      string         `json:"email"`
		NewEmail   string         `json:"new_email"`
		Password   string         `json:"password"`
		Data       map[string]any `json:"data"`
		RedirectTo string         `json:"redirect_to"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	email, err := cleanEmail(in.Email)
	if err != nil {
		return err
	}
	redirect := in.RedirectTo
	if to, err := url.Parse(redirect); redirect == "" || err != nil || to.Scheme == "" {
		redirect = s.redirectTo(c)
	}
	u := s.byEmail(email)
	now := s.now()
	var into slot
	to := email
	verification := in.Type
	switch in.Type {
	case "magiclink":
		if u == nil {
			u = s.newEmailUser(email, "", in.Data)
			verification = "signup"
		}
		into = recovery
		if verification == "signup" {
			into = confirmation
		}
	case "recovery":
		if u == nil {
			return fail(http.StatusNotFound, "user_not_found", "User with this email not found")
		}
		into = recovery
	case "invite":
		if u, err = s.invited(email, in.Data); err != nil {
			return err
		}
		u.invited, into = now, confirmation
	case "signup":
		if u != nil && !u.emailConfirmed.IsZero() {
			return fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
		}
		if in.Password == "" {
			return invalid("Signup requires a valid password")
		}
		if err := s.checkPassword(in.Password); err != nil {
			return err
		}
		if u == nil {
			u = s.newEmailUser(email, in.Password, in.Data)
		}
		into = confirmation
	case "email_change_current", "email_change_new":
		if u == nil {
			return fail(http.StatusNotFound, "user_not_found", "User with this email not found")
		}
		moved, err := s.newAddress(u, in.NewEmail)
		if err != nil {
			return err
		}
		if moved == "" {
			return invalid("A new email is required to generate this link")
		}
		if u.newEmail != moved && !s.cfg.SingleEmailChange { // both must agree, so both get a code
			s.makeCode(u, emailCurrent, email, nil)
			s.makeCode(u, emailNew, moved, nil)
		}
		u.newEmail, into = moved, emailCurrent
		if in.Type == "email_change_new" {
			into, to = emailNew, moved
		}
	default:
		return invalid("Invalid email action link type requested: " + in.Type)
	}
	otp, hash := s.makeCode(u, into, to, nil)
	switch into {
	case confirmation:
		u.confirmationSent = now
	case recovery:
		u.recoverySent = now
	default:
		u.emailChangeSent = now
	}
	u.updated = now
	kind := verification
	if into == emailNew || into == emailCurrent {
		kind = "email_change"
	}
	return c.answer(struct {
		userJSON
		ActionLink       string `json:"action_link"`
		EmailOTP         string `json:"email_otp"`
		HashedToken      string `json:"hashed_token"`
		VerificationType string `json:"verification_type"`
		RedirectTo       string `json:"redirect_to"`
	}{u.json(), s.link(hash, kind, redirect), otp, hash, verification, redirect})
}
