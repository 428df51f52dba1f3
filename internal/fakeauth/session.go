package fakeauth

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// A session is one sign-in.
type session struct {
	id, user string
	aal      string
	amr      []method
	factor   string // that raised it to aal2
	created  time.Time
}

// A method is how somebody proved who they are.
type method struct {
	Method    string `json:"method"`
	Timestamp int64  `json:"timestamp"`
}

// A refreshToken is a member of a session's family.
type refreshToken struct {
	token, parent, session string
	revoked                bool
	dead                   bool // of a family that was stolen
	updated                time.Time
	number                 int // counts up
}

// accessClaims are those of an access token, in GoTrue's order.
type accessClaims struct {
	Iss          string         `json:"iss"`
	Sub          string         `json:"sub"`
	Aud          string         `json:"aud"`
	Exp          int64          `json:"exp"`
	Iat          int64          `json:"iat"`
	Email        string         `json:"email"`
	Phone        string         `json:"phone"`
	AppMetadata  map[string]any `json:"app_metadata"`
	UserMetadata map[string]any `json:"user_metadata"`
	Role         string         `json:"role"`
	AAL          string         `json:"aal"`
	AMR          []method       `json:"amr"`
	SessionID    string         `json:"session_id"`
	IsAnonymous  bool           `json:"is_anonymous"`
}

type sessionJSON struct {
	AccessToken  string   `json:"access_token"`
	TokenType    string   `json:"token_type"`
	ExpiresIn    int64    `json:"expires_in"`
	ExpiresAt    int64    `json:"expires_at"`
	RefreshToken string   `json:"refresh_token"`
	User         userJSON `json:"user"`
}

// startSession signs a user in.
func (s *Server) startSession(u *user, how string) *session {
	now := s.now()
	u.lastSignIn, u.updated = now, now
	for _, i := range u.identities {
		if i.provider == how {
			i.lastSignIn = now
		}
	}
	ses := &session{id: newUUID(), user: u.id, aal: "aal1", amr: []method{{how, now.Unix()}}, created: now}
	s.sessions[ses.id] = ses
	return ses
}

// endSessions ends those sessions of a user that which names.
func (s *Server) endSessions(userID string, which func(*session) bool) {
	for id, ses := range s.sessions {
		if ses.user != userID || !which(ses) {
			continue
		}
		delete(s.sessions, id)
		for token, r := range s.refresh {
			if r.session == id {
				delete(s.refresh, token)
			}
		}
	}
}

// newRefresh adds a token to the family of a session; parent is empty for the first.
func (s *Server) newRefresh(ses *session, parent string) string {
	token := strings.ToLower(rand.Text()[:12])
	s.issued++
	s.refresh[token] = &refreshToken{token: token, parent: parent, session: ses.id, updated: s.now(), number: s.issued}
	return token
}

// active is the newest token of a session that was not used yet.
func (s *Server) active(sessionID string) *refreshToken {
	var newest *refreshToken
	for _, r := range s.refresh {
		if r.session == sessionID && !r.revoked && (newest == nil || r.number > newest.number) {
			newest = r
		}
	}
	return newest
}

// accessToken is a new one for a session.
func (s *Server) accessToken(u *user, ses *session) (string, int64, error) {
	now := s.now()
	exp := now.Add(s.cfg.TokenLife).Unix()
	token, err := s.cfg.Keys.Sign(accessClaims{
		Iss: s.cfg.URL, Sub: u.id, Aud: "authenticated", Exp: exp, Iat: now.Unix(), Email: u.email, Phone: u.phone,
		AppMetadata: u.app, UserMetadata: u.meta, Role: u.role, AAL: ses.aal, AMR: ses.amr, SessionID: ses.id,
		IsAnonymous: u.anonymous,
	})
	return token, exp, err
}

// grant is a session as it is written; headers name it too.
func (s *Server) grant(c *call, u *user, ses *session, refresh string, shown userJSON) (sessionJSON, error) {
	h := c.w.Header()
	h.Set("Sb-Auth-Refresh-Token-Prefix", refresh[:5])
	h.Set("Sb-Auth-Session-Id", ses.id)
	h.Set("Sb-Auth-User-Id", u.id)
	return s.tokens(u, ses, refresh, shown)
}

// tokens is a session as it is written.
func (s *Server) tokens(u *user, ses *session, refresh string, shown userJSON) (sessionJSON, error) {
	access, exp, err := s.accessToken(u, ses)
	return sessionJSON{
		AccessToken: access, TokenType: "bearer", ExpiresIn: int64(s.cfg.TokenLife / time.Second), ExpiresAt: exp,
		RefreshToken: refresh, User: shown,
	}, err
}

// signIn starts a session and answers with it.
func (s *Server) signIn(c *call, u *user, how string) error {
	ses := s.startSession(u, how)
	s.note(c, u, "login")
	out, err := s.grant(c, u, ses, s.newRefresh(ses, ""), u.json())
	if err != nil {
		return err
	}
	return c.answer(out)
}

// token is POST /token: it trades one proof or another for a session.
func (s *Server) token(c *call) error {
	switch grant := c.r.URL.Query().Get("grant_type"); grant {
	case "password":
		return s.passwordGrant(c)
	case "refresh_token":
		return s.refreshGrant(c)
	case "pkce":
		return s.pkceGrant(c)
	case "id_token":
		return s.idTokenGrant(c)
	case "web3":
		return fail(http.StatusNotImplemented, "not_implemented", "supabasetest does not have sign-in with a wallet")
	default:
		return fail(http.StatusBadRequest, "invalid_credentials", "unsupported_grant_type")
	}
}

func (s *Server) passwordGrant(c *call) error {
	var in struct{ Email, Phone, Password string }
	if err := c.read(&in); err != nil {
		return err
	}
	var u *user
	switch {
	case in.Email != "" && in.Phone != "":
		return invalid("Only an email address or phone number should be provided on login.")
	case in.Email != "":
		u = s.byEmail(strings.ToLower(strings.TrimSpace(in.Email)))
	case in.Phone != "":
		if !s.cfg.Phone {
			return fail(http.StatusUnprocessableEntity, "phone_provider_disabled", "Phone logins are disabled")
		}
		phone, err := cleanPhone(in.Phone)
		if err != nil {
			return err
		}
		u = s.byPhone(phone)
	default:
		return invalid("missing email or phone")
	}
	if u == nil || !u.password.is(in.Password) {
		return fail(http.StatusBadRequest, "invalid_credentials", "Invalid login credentials")
	}
	if u.banned(s.now()) {
		return fail(http.StatusBadRequest, "user_banned", "User is banned")
	}
	if in.Email != "" && u.emailConfirmed.IsZero() {
		return fail(http.StatusBadRequest, "email_not_confirmed", "Email not confirmed")
	}
	if in.Phone != "" && u.phoneConfirmed.IsZero() {
		return fail(http.StatusBadRequest, "phone_not_confirmed", "Phone not confirmed")
	}
	ses := s.startSession(u, "password")
	s.note(c, u, "login")
	out, err := s.grant(c, u, ses, s.newRefresh(ses, ""), u.json())
	if err != nil {
		return err
	}
	return c.answer(struct {
		sessionJSON
		WeakPassword any `json:"weak_password"`
	}{out, nil})
}

// refreshGrant rotates a refresh token. Within the reuse interval a token that was used gives its
// child again, and the parent of the newest does so for ever: the client may have lost the answer.
// Any other use of an old token is taken for a theft and ends the family.
func (s *Server) refreshGrant(c *call) error {
	var in struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if in.RefreshToken == "" {
		return invalid("Refresh token is not valid")
	}
	now := s.now()
	used := s.refresh[in.RefreshToken]
	if used == nil {
		return fail(http.StatusBadRequest, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
	}
	ses := s.sessions[used.session]
	u := s.byID(ses.user)
	if u.banned(now) {
		return fail(http.StatusBadRequest, "user_banned", "Invalid Refresh Token: User Banned")
	}
	next, reused := "", false
	if used.revoked {
		newest := s.active(ses.id)
		switch {
		case !used.dead && newest != nil && newest.parent == used.token:
			next, reused = newest.token, true
		case used.dead || now.After(used.updated.Add(s.cfg.ReuseInterval)):
			for _, r := range s.refresh {
				if r.session == ses.id {
					r.revoked, r.dead = true, true
				}
			}
			c.w.Header().Set("Sb-Auth-Session-Id", ses.id)
			c.w.Header().Set("Sb-Auth-User-Id", u.id)
			return fail(http.StatusBadRequest, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
		}
	}
	if !reused {
		used.revoked, used.updated = true, now
		next = s.newRefresh(ses, used.token)
		c.w.Header().Set("Sb-Auth-Refresh-Token-Reuse", "false")
		u.updated = now
		s.note(c, u, "token_revoked")
		s.note(c, u, "token_refreshed")
	}
	out, err := s.grant(c, u, ses, next, u.json())
	if err != nil {
		return err
	}
	return c.answer(out)
}

// signedIn finds the user and the session of the bearer. Tokens that a test minted without a
// session are good as long as they last.
func (s *Server) signedIn(c *call) (*user, *session, error) {
	claims, err := s.claims(c)
	if err != nil {
		return nil, nil, err
	}
	sub := claims.String("sub")
	if sub == "" {
		return nil, nil, fail(http.StatusForbidden, "bad_jwt", "invalid claim: missing sub claim")
	}
	if !uuidForm.MatchString(sub) {
		return nil, nil, fail(http.StatusBadRequest, "bad_jwt", "invalid claim: sub claim must be a UUID")
	}
	u := s.byID(sub)
	if u == nil {
		return nil, nil, fail(http.StatusForbidden, "user_not_found", "User from sub claim in JWT does not exist")
	}
	var ses *session
	if id := claims.String("session_id"); id != "" {
		if ses = s.sessions[id]; ses == nil || ses.user != u.id {
			return nil, nil, fail(http.StatusForbidden, "session_not_found", "Session from session_id claim in JWT does not exist")
		}
	}
	return u, ses, nil
}

// claims are those of the bearer.
func (s *Server) claims(c *call) (fakejwt.Claims, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	claims, err := s.cfg.Keys.Verify(token, s.cfg.Now())
	if err == nil {
		return claims, nil
	}
	why := "token is malformed: could not decode the token"
	switch {
	case errors.Is(err, fakejwt.ErrSegments):
		why = "token is malformed: token contains an invalid number of segments"
	case errors.Is(err, fakejwt.ErrExpired):
		why = "token has invalid claims: token is expired"
	case errors.Is(err, fakejwt.ErrSignature):
		why = "token signature is invalid: signature is invalid"
	}
	return nil, fail(http.StatusForbidden, "bad_jwt", "invalid JWT: unable to parse or verify signature, "+why)
}

func (s *Server) logout(c *call) error {
	u, ses, err := s.signedIn(c)
	if err != nil {
		return err
	}
	scope := c.r.URL.Query().Get("scope")
	if !slices.Contains([]string{"", "global", "local", "others"}, scope) {
		return invalid("Unsupported logout scope \"" + scope + "\"")
	}
	s.endSessions(u.id, func(o *session) bool {
		switch {
		case scope == "local" && ses != nil:
			return o.id == ses.id
		case scope == "others" && ses != nil:
			return o.id != ses.id
		default:
			return true
		}
	})
	s.note(c, u, "logout")
	c.status = http.StatusNoContent
	return nil
}
