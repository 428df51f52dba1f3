package fakeauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A flow is a sign-in that waits for the client to fetch its session with a verifier.
type flow struct {
	challenge challenge
	user      string
	how       string // the method that the session will name
	made      time.Time
}

// flowLife is how long a client may take to exchange the code of a flow.
const flowLife = 5 * time.Minute

// pkceGrant trades the code of a flow and the verifier for a session. The code works once, but a
// wrong verifier does not use it up.
func (s *Server) pkceGrant(c *call) error {
	var in struct {
		AuthCode     string `json:"auth_code"`
		CodeVerifier string `json:"code_verifier"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if in.AuthCode == "" || in.CodeVerifier == "" {
		return invalid("invalid request: both auth code and code verifier should be non-empty")
	}
	f := s.flows[in.AuthCode]
	if f == nil {
		return fail(http.StatusNotFound, "flow_state_not_found", "invalid flow state, no valid flow state found")
	}
	if s.now().After(f.made.Add(flowLife)) {
		return fail(http.StatusForbidden, "flow_state_expired", "invalid flow state, flow state has expired")
	}
	got := in.CodeVerifier
	if f.challenge.method == "s256" {
		sum := sha256.Sum256([]byte(got))
		got = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(f.challenge.value)) != 1 {
		return fail(http.StatusBadRequest, "bad_code_verifier", "code challenge does not match previously saved code verifier")
	}
	u := s.byID(f.user)
	if u == nil {
		return fail(http.StatusNotFound, "flow_state_not_found", "invalid flow state, no valid flow state found")
	}
	delete(s.flows, in.AuthCode)
	return s.signIn(c, u, f.how)
}

func (s *Server) newFlow(u *user, ch challenge, how string) string {
	id := newUUID()
	s.flows[id] = &flow{challenge: ch, user: u.id, how: how, made: s.now()}
	return id
}

// verify is POST /verify: a code that was typed, or the hash of a link.
func (s *Server) verify(c *call) error {
	var in struct {
		Type      string `json:"type"`
		Email     string `json:"email"`
		Phone     string `json:"phone"`
		Token     string `json:"token"`
		TokenHash string `json:"token_hash"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	var u *user
	var held slot
	switch {
	case in.Type == "":
		return invalid("Verify requires a verification type")
	case in.Token == "" && in.TokenHash == "":
		return invalid("Verify requires a token or a token hash")
	case in.TokenHash != "" && (in.Email != "" || in.Phone != "" || in.Token != ""):
		return invalid("Only the token_hash and type should be provided")
	case in.TokenHash != "":
		if _, ok := slots[in.Type]; !ok || in.Type == "sms" || in.Type == "phone_change" {
			return invalid("Invalid email verification type")
		}
		if u, held = s.byHash(in.Type, in.TokenHash); u == nil {
			return fail(http.StatusForbidden, "otp_expired", "Email link is invalid or has expired")
		}
	case in.Email != "" && in.Phone != "" || in.Email == "" && in.Phone == "":
		return invalid("Only an email address or phone number should be provided on verify")
	default:
		byPhone := in.Type == "sms" || in.Type == "phone_change"
		to, err := "", error(nil)
		switch {
		case in.Phone != "" && byPhone:
			to, err = cleanPhone(in.Phone)
		case in.Phone != "":
			return invalid("Invalid sms verification type")
		case byPhone || slots[in.Type] == nil:
			return invalid("Invalid email verification type")
		default:
			to, err = cleanEmail(in.Email)
		}
		if err != nil {
			return err
		}
		if u, held = s.byOTP(in.Type, to, strings.ReplaceAll(in.Token, " ", "")); u == nil {
			return fail(http.StatusForbidden, "otp_expired", "Token has expired or is invalid")
		}
	}
	done, err := s.use(u, held)
	if err != nil {
		return err
	}
	if !done {
		return c.answer(struct {
			Msg  string `json:"msg"`
			Code string `json:"code"`
		}{oneMoreLink, "200"})
	}
	return s.signIn(c, u, "otp")
}

const oneMoreLink = "Confirmation link accepted. Please proceed to confirm link sent to the other email"

// use takes the code out of a slot and does what it proves. It reports false when another code
// must be shown first.
func (s *Server) use(u *user, in slot) (bool, error) {
	if u.banned(s.now()) {
		return false, fail(http.StatusForbidden, "user_banned", "User is banned")
	}
	delete(u.codes, in)
	switch in {
	case confirmation:
		s.proveEmail(u)
	case recovery:
		if u.emailConfirmed.IsZero() {
			s.proveEmail(u)
		}
	case emailNew, emailCurrent:
		if u.codes[emailNew] != nil || u.codes[emailCurrent] != nil {
			return false, nil
		}
		s.moveEmail(u)
	case phoneCode:
		s.confirmPhone(u)
	case phoneChange:
		u.phone, u.newPhone = u.newPhone, ""
		s.confirmPhone(u)
		s.identify(u, "phone", "phone", u.phone)
	}
	return true, nil
}

// moveEmail makes the new address that of the user.
func (s *Server) moveEmail(u *user) {
	u.email, u.newEmail = u.newEmail, ""
	u.anonymous = false
	s.identify(u, "email", "email", u.email)
	u.meta = merge(u.meta, map[string]any{"email": u.email, "sub": u.id})
	s.proveEmail(u)
}

// identify sets a claim of the identity of a provider, which it makes if need be.
func (s *Server) identify(u *user, provider, claim, value string) {
	for _, i := range u.identities {
		if i.provider == provider {
			i.data = merge(i.data, map[string]any{claim: value})
			i.updated = s.now()
			return
		}
	}
	s.addIdentity(u, provider, nil)
}

// verifyLink is GET /verify: somebody clicked a link. The answer leads to the program, with the
// session, a code or an error in the address.
func (s *Server) verifyLink(c *call) error {
	q := c.r.URL.Query()
	kind, hash := q.Get("type"), q.Get("token")
	if hash == "" {
		hash = q.Get("token_hash")
	}
	if hash == "" {
		return invalid("Verify requires a token or a token hash")
	}
	if kind == "" {
		return invalid("Verify requires a verification type")
	}
	c.status = http.StatusSeeOther
	to := s.redirectTo(c)
	if slots[kind] == nil {
		return c.redirectError(to, hash, invalid("Invalid email verification type"))
	}
	u, in := s.byHash(kind, hash)
	if u == nil {
		return c.redirectError(to, hash, fail(http.StatusForbidden, "otp_expired", "Email link is invalid or has expired"))
	}
	ch := u.codes[in].challenge
	done, err := s.use(u, in)
	if err != nil {
		return c.redirectError(to, hash, err)
	}
	if !done {
		c.redirect = to + "#" + url.Values{"message": {oneMoreLink}, "sb": {""}}.Encode()
		return nil
	}
	if ch != nil {
		how := kind
		if in == confirmation {
			how = "email/signup"
		}
		c.redirect = addQuery(to, url.Values{"code": {s.newFlow(u, *ch, how)}})
		return nil
	}
	return s.land(c, u, to, "otp", kind)
}

// land leads to the program with a session in the fragment.
func (s *Server) land(c *call, u *user, to, how, kind string) error {
	ses := s.startSession(u, how)
	out, err := s.grant(c, u, ses, s.newRefresh(ses, ""), u.json())
	if err != nil {
		return err
	}
	q := url.Values{
		"access_token": {out.AccessToken}, "expires_at": {strconv.FormatInt(out.ExpiresAt, 10)},
		"expires_in": {strconv.FormatInt(out.ExpiresIn, 10)}, "refresh_token": {out.RefreshToken},
		"sb": {""}, "token_type": {"bearer"},
	}
	if kind != "" {
		q.Set("type", kind)
	}
	c.redirect = to + "#" + q.Encode()
	return nil
}

// redirectError leads to the program with an error, in the fragment, and in the query as well
// where the client awaits a code there.
func (c *call) redirectError(to, hash string, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	q := url.Values{"error": {"access_denied"}, "error_code": {f.code}, "error_description": {f.msg}}
	if strings.HasPrefix(hash, "pkce_") {
		to = addQuery(to, q)
	}
	q.Set("sb", "")
	c.redirect = to + "#" + q.Encode()
	return nil
}

func addQuery(to string, q url.Values) string {
	if strings.Contains(to, "?") {
		return to + "&" + q.Encode()
	}
	return to + "?" + q.Encode()
}
