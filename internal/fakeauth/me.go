package fakeauth

import (
	"net/http"
	"strings"
	"time"
)

func (s *Server) getUser(c *call) error {
	u, _, err := s.signedIn(c)
	if err != nil {
		return err
	}
	return c.answer(u.json())
}

// updateUser is PUT /user. Everything is checked before anything is changed.
func (s *Server) updateUser(c *call) error {
	var in struct {
		Email    string         `json:"email"`
		Phone    string         `json:"phone"`
		Password *string        `json:"password"`
		Nonce    string         `json:"nonce"`
		Data     map[string]any `json:"data"`
		App      map[string]any `json:"app_metadata"`
		pkce
	}
	if err := c.read(&in); err != nil {
		return err
	}
	u, ses, err := s.signedIn(c)
	if err != nil {
		return err
	}
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	if in.App != nil {
		return fail(http.StatusForbidden, "not_admin", "Updating app_metadata requires admin privileges")
	}
	email, err := s.newAddress(u, in.Email)
	if err != nil {
		return err
	}
	phone, err := s.newNumber(u, in.Phone)
	if err != nil {
		return err
	}
	if in.Password != nil {
		if err := s.mayChangePassword(u, ses, *in.Password, in.Nonce, email != ""); err != nil {
			return err
		}
	}

	u.updated = s.now()
	s.note(c, u, "user_modified")
	if in.Data != nil {
		u.meta = merge(u.meta, in.Data)
	}
	if in.Password != nil {
		u.password = hashPassword(*in.Password)
		delete(u.codes, reauthentication)
		s.note(c, u, "user_updated_password")
		s.endSessions(u.id, func(o *session) bool { return ses != nil && o.id != ses.id })
	}
	switch {
	case email == "":
	case u.anonymous && !s.cfg.Confirm:
		u.newEmail = email
		s.moveEmail(u)
	default:
		u.newEmail = email
		s.sendEmailChange(c, u, ch)
	}
	if phone != "" {
		u.newPhone = phone
		s.sendCode(c, u, phoneChange, "phone_change", phone, nil)
	}
	return c.answer(u.json())
}

// newAddress is the address that a user wants to move to, empty if it is none.
func (s *Server) newAddress(u *user, email string) (string, error) {
	if email == "" {
		return "", nil
	}
	email, err := cleanEmail(email)
	if err != nil || email == u.email {
		return "", err
	}
	if s.byEmail(email) != nil {
		return "", fail(http.StatusUnprocessableEntity, "email_exists", "A user with this email address has already been registered")
	}
	return email, s.mayMail(u.emailChangeSent)
}

func (s *Server) newNumber(u *user, phone string) (string, error) {
	if phone == "" {
		return "", nil
	}
	if !s.cfg.Phone {
		return "", fail(http.StatusUnprocessableEntity, "sms_send_failed", "Error sending sms: phone provider is not enabled")
	}
	phone, err := cleanPhone(phone)
	if err != nil || phone == u.phone {
		return "", err
	}
	if s.byPhone(phone) != nil {
		return "", fail(http.StatusUnprocessableEntity, "phone_exists", "A user with this phone number has already been registered")
	}
	return phone, s.mayMail(u.phoneChangeSent)
}

// sessionFresh is how young a session must be to change the password without a code.
const sessionFresh = 24 * time.Hour

func (s *Server) mayChangePassword(u *user, ses *session, password, nonce string, getsEmail bool) error {
	if u.anonymous && !getsEmail && u.newEmail == "" {
		return fail(http.StatusUnprocessableEntity, "validation_failed", "Updating password of an anonymous user without an email or phone is not allowed")
	}
	if err := s.checkPassword(password); err != nil {
		return err
	}
	if s.cfg.ReauthenticatePassword && (ses == nil || s.now().After(ses.created.Add(sessionFresh))) {
		to := u.email
		if to == "" {
			to = u.phone
		}
		code := s.valid(u, reauthentication)
		switch {
		case nonce == "":
			return fail(http.StatusBadRequest, "reauthentication_needed", "Password update requires reauthentication")
		case code == nil || code.hash != hashOf(to, strings.TrimSpace(nonce)):
			return fail(http.StatusUnprocessableEntity, "reauthentication_not_valid", "Nonce has expired or is invalid")
		}
	}
	if u.password.is(password) {
		return fail(http.StatusUnprocessableEntity, "same_password", "New password should be different from the old password.")
	}
	return nil
}
