package fakeauth

import (
	"net/http"
	"strings"
)

type signupBody struct {
	Email    string         `json:"email"`
	Phone    string         `json:"phone"`
	Password string         `json:"password"`
	Data     map[string]any `json:"data"`
	pkce
}

func (s *Server) signup(c *call) error {
	var in signupBody
	if err := c.read(&in); err != nil {
		return err
	}
	if s.cfg.NoSignup {
		return fail(http.StatusUnprocessableEntity, "signup_disabled", "Signups not allowed for this instance")
	}
	if in.Email == "" && in.Phone == "" {
		return s.anonymousSignup(c, in)
	}
	if in.Password == "" {
		return invalid("Signup requires a valid password")
	}
	if err := s.checkPassword(in.Password); err != nil {
		return err
	}
	if in.Email != "" && in.Phone != "" {
		return invalid("Only an email address or phone number should be provided on signup.")
	}
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	if in.Phone != "" {
		return s.phoneSignup(c, in)
	}
	return s.emailSignup(c, in, ch)
}

func (s *Server) anonymousSignup(c *call, in signupBody) error {
	if s.cfg.NoAnonymous {
		return fail(http.StatusUnprocessableEntity, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
	}
	u := s.addUser(newUUID())
	u.anonymous = true
	u.meta = merge(nil, in.Data)
	return s.signIn(c, u, "anonymous")
}

// newEmailUser makes a user of an address, not confirmed.
func (s *Server) newEmailUser(email, password string, data map[string]any) *user {
	u := s.addUser(newUUID())
	u.email = email
	if password != "" {
		u.password = hashPassword(password)
	}
	s.addIdentity(u, "email", data)
	u.meta = merge(data, map[string]any{"email": email, "email_verified": false, "phone_verified": false, "sub": u.id})
	return u
}

func (s *Server) emailSignup(c *call, in signupBody, ch *challenge) error {
	email, err := cleanEmail(in.Email)
	if err != nil {
		return err
	}
	u := s.byEmail(email)
	if !s.cfg.Confirm {
		if u != nil && !u.emailConfirmed.IsZero() {
			return fail(http.StatusUnprocessableEntity, "user_already_exists", "User already registered")
		}
		if u == nil {
			u = s.newEmailUser(email, in.Password, in.Data)
		}
		s.confirmEmail(u)
		s.note(c, u, "user_signedup")
		ses := s.startSession(u, "password")
		out, err := s.grant(c, u, ses, s.newRefresh(ses, ""), u.unsaved())
		if err != nil {
			return err
		}
		return c.answer(out)
	}
	if u != nil && !u.emailConfirmed.IsZero() {
		s.note(c, u, "user_repeated_signup")
		return c.answer(s.decoy(email, ""))
	}
	if u == nil {
		u = s.newEmailUser(email, in.Password, in.Data)
	} else if err := s.mayMail(u.confirmationSent); err != nil {
		return err
	}
	s.note(c, u, "user_confirmation_requested")
	s.sendCode(c, u, confirmation, "signup", email, ch)
	return c.answer(u.json())
}

// decoy is what somebody sees who signs up an address that is taken: nothing tells it from a new
// user but that it has no identities.
func (s *Server) decoy(email, phone string) userJSON {
	now := s.now()
	provider := "email"
	if phone != "" {
		provider = "phone"
	}
	return userJSON{
		ID: newUUID(), Aud: "authenticated", Email: email, Phone: phone, ConfirmationSentAt: now,
		AppMetadata:  map[string]any{"provider": provider, "providers": []any{provider}},
		UserMetadata: map[string]any{}, Identities: []identityJSON{}, CreatedAt: now, UpdatedAt: now,
	}
}

func (s *Server) phoneSignup(c *call, in signupBody) error {
	if !s.cfg.Phone {
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Phone signups are disabled")
	}
	phone, err := cleanPhone(in.Phone)
	if err != nil {
		return err
	}
	u := s.byPhone(phone)
	if u != nil && !u.phoneConfirmed.IsZero() {
		return c.answer(s.decoy("", phone))
	}
	if u == nil {
		u = s.newPhoneUser(phone, in.Password, in.Data)
	} else if err := s.mayMail(u.confirmationSent); err != nil {
		return err
	}
	s.sendCode(c, u, phoneCode, "sms", phone, nil)
	return c.answer(u.json())
}

func (s *Server) newPhoneUser(phone, password string, data map[string]any) *user {
	u := s.addUser(newUUID())
	u.phone = phone
	if password != "" {
		u.password = hashPassword(password)
	}
	s.addIdentity(u, "phone", data)
	u.meta = merge(data, map[string]any{"phone": phone, "email_verified": false, "phone_verified": false, "sub": u.id})
	return u
}

type otpBody struct {
	Email      string         `json:"email"`
	Phone      string         `json:"phone"`
	CreateUser *bool          `json:"create_user"`
	Data       map[string]any `json:"data"`
	pkce
}

// otp sends a code to a user, whom it makes unless the request says otherwise.
func (s *Server) otp(c *call) error {
	var in otpBody
	if err := c.read(&in); err != nil {
		return err
	}
	if in.Email != "" && in.Phone != "" {
		return invalid("Only an email address or phone number should be provided")
	}
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	switch {
	case in.Phone != "":
		return s.phoneOTP(c, in)
	case in.Email != "":
		return s.emailOTP(c, in, ch)
	default:
		return invalid("One of email or phone must be set")
	}
}

// magicLink is the older name of otp by mail.
func (s *Server) magicLink(c *call) error {
	var in otpBody
	if err := c.read(&in); err != nil {
		return err
	}
	in.CreateUser = nil
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	if in.Email == "" {
		return invalid("Password recovery requires an email")
	}
	return s.emailOTP(c, in, ch)
}

func (s *Server) emailOTP(c *call, in otpBody, ch *challenge) error {
	email, err := cleanEmail(in.Email)
	if err != nil {
		return err
	}
	u := s.byEmail(email)
	if u == nil {
		if err := s.mayCreate(in); err != nil {
			return err
		}
		u = s.newEmailUser(email, "", in.Data)
		if !s.cfg.Confirm {
			s.confirmEmail(u)
		}
	}
	if u.emailConfirmed.IsZero() {
		if err := s.mayMail(u.confirmationSent); err != nil {
			return err
		}
		s.sendCode(c, u, confirmation, "signup", email, ch)
		return c.empty()
	}
	if err := s.mayMail(u.recoverySent); err != nil {
		return err
	}
	s.note(c, u, "user_recovery_requested")
	s.sendCode(c, u, recovery, "magiclink", email, ch)
	return c.empty()
}

func (s *Server) mayCreate(in otpBody) error {
	if in.CreateUser != nil && !*in.CreateUser {
		return fail(http.StatusUnprocessableEntity, "otp_disabled", "Signups not allowed for otp")
	}
	if s.cfg.NoSignup {
		return fail(http.StatusUnprocessableEntity, "signup_disabled", "Signups not allowed for this instance")
	}
	return nil
}

func (s *Server) phoneOTP(c *call, in otpBody) error {
	if !s.cfg.Phone {
		return fail(http.StatusBadRequest, "phone_provider_disabled", "Unsupported phone provider")
	}
	phone, err := cleanPhone(in.Phone)
	if err != nil {
		return err
	}
	u := s.byPhone(phone)
	if u == nil {
		if err := s.mayCreate(in); err != nil {
			return err
		}
		u = s.newPhoneUser(phone, "", in.Data)
	}
	if err := s.mayMail(u.confirmationSent); err != nil {
		return err
	}
	s.sendCode(c, u, phoneCode, "sms", phone, nil)
	return c.answer(map[string]string{"message_id": newUUID()})
}

func (s *Server) recover(c *call) error {
	var in struct {
		Email string `json:"email"`
		pkce
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if in.Email == "" {
		return invalid("Password recovery requires an email")
	}
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	email, err := cleanEmail(in.Email)
	if err != nil {
		return err
	}
	u := s.byEmail(email)
	if u == nil { // nobody learns who has an account
		return c.empty()
	}
	if err := s.mayMail(u.recoverySent); err != nil {
		return err
	}
	s.note(c, u, "user_recovery_requested")
	s.sendCode(c, u, recovery, "recovery", email, ch)
	return c.empty()
}

func (s *Server) resend(c *call) error {
	var in struct {
		Type  string `json:"type"`
		Email string `json:"email"`
		Phone string `json:"phone"`
		pkce
	}
	if err := c.read(&in); err != nil {
		return err
	}
	ch, err := in.challenge()
	if err != nil {
		return err
	}
	var u *user
	switch in.Type {
	case "signup", "email_change":
		if in.Email == "" {
			return invalid("Type provided requires an email address")
		}
		u = s.byEmail(strings.ToLower(strings.TrimSpace(in.Email)))
	case "sms", "phone_change":
		if in.Phone == "" {
			return invalid("Type provided requires a phone number")
		}
		phone, err := cleanPhone(in.Phone)
		if err != nil {
			return err
		}
		u = s.byPhone(phone)
	default:
		return invalid("Missing one of these types: signup, email_change, sms, phone_change")
	}
	if u == nil {
		return c.empty()
	}
	switch {
	case in.Type == "signup" && u.emailConfirmed.IsZero():
		if err := s.mayMail(u.confirmationSent); err != nil {
			return err
		}
		s.sendCode(c, u, confirmation, "signup", u.email, ch)
	case in.Type == "email_change" && u.newEmail != "":
		if err := s.mayMail(u.emailChangeSent); err != nil {
			return err
		}
		s.sendEmailChange(c, u, ch)
	case in.Type == "sms" && u.phoneConfirmed.IsZero():
		if err := s.mayMail(u.confirmationSent); err != nil {
			return err
		}
		s.sendCode(c, u, phoneCode, "sms", u.phone, nil)
	case in.Type == "phone_change" && u.newPhone != "":
		if err := s.mayMail(u.phoneChangeSent); err != nil {
			return err
		}
		s.sendCode(c, u, phoneChange, "phone_change", u.newPhone, nil)
	}
	return c.empty()
}

// sendEmailChange asks the new address, and the old one where both must agree.
func (s *Server) sendEmailChange(c *call, u *user, ch *challenge) {
	delete(u.codes, emailCurrent)
	if u.email != "" && !s.cfg.SingleEmailChange {
		s.sendCode(c, u, emailCurrent, "email_change", u.email, ch)
	}
	s.sendCode(c, u, emailNew, "email_change", u.newEmail, ch)
}

// askAgain sends a code to a user who is signed in.
func (s *Server) askAgain(c *call) error {
	u, _, err := s.signedIn(c)
	if err != nil {
		return err
	}
	if u.email == "" && u.phone == "" {
		return invalid("Reauthentication requires the user to have an email or a phone number")
	}
	if u.email != "" && u.emailConfirmed.IsZero() {
		return fail(http.StatusUnprocessableEntity, "email_not_confirmed", "Please verify your email first.")
	}
	if err := s.mayMail(u.reauthenticationSent); err != nil {
		return err
	}
	to := u.email
	if to == "" {
		to = u.phone
	}
	s.note(c, u, "user_reauthenticate_requested")
	s.sendCode(c, u, reauthentication, "reauthentication", to, nil)
	return c.empty()
}
