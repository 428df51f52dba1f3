package fakeauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// known are the OAuth providers that the service has heard of.
var known = []string{
	"apple", "azure", "bitbucket", "discord", "facebook", "snapchat", "figma", "fly", "github", "gitlab", "google", "keycloak",
	"kakao", "linkedin", "linkedin_oidc", "notion", "spotify", "slack", "slack_oidc", "workos", "twitch", "twitter", "zoom",
}

// A pending is a visit to a provider that somebody has not come back from.
type pending struct {
	provider, redirect string
	challenge          *challenge
	link               string // the user who links an identity, empty for a sign-in
	made               time.Time
}

// visit starts a visit to a provider, and is where the browser goes.
func (s *Server) visit(c *call, link string) (string, error) {
	q := c.r.URL.Query()
	provider := q.Get("provider")
	switch {
	case !slices.Contains(known, provider):
		return "", invalid("Unsupported provider: Provider " + provider + " could not be found")
	case !slices.Contains(s.cfg.Providers, provider):
		return "", invalid("Unsupported provider: provider is not enabled")
	}
	ch, err := pkce{q.Get("code_challenge"), q.Get("code_challenge_method")}.challenge()
	if err != nil {
		return "", err
	}
	state := newUUID()
	s.pending[state] = &pending{provider, s.redirectTo(c), ch, link, s.now()}
	to := url.Values{
		"client_id": {"dummy"}, "redirect_uri": {s.cfg.URL + "/callback"}, "response_type": {"code"},
		"scope": {strings.TrimSpace("user:email " + q.Get("scopes"))}, "state": {state},
	}
	for name, values := range q {
		if !slices.Contains([]string{"provider", "scopes", "code_challenge", "code_challenge_method"}, name) {
			to[name] = values
		}
	}
	host := "https://" + provider + ".com/login/oauth/authorize"
	return host + "?" + to.Encode(), nil
}

func (s *Server) authorize(c *call) error {
	to, err := s.visit(c, "")
	if err != nil {
		return err
	}
	c.status, c.redirect = http.StatusFound, to
	return nil
}

// linkIdentity sends a user to a provider whose identity they want to add.
func (s *Server) linkIdentity(c *call) error {
	u, _, err := s.signedIn(c)
	if err != nil {
		return err
	}
	to, err := s.visit(c, u.id)
	if err != nil {
		return err
	}
	if c.r.URL.Query().Get("skip_http_redirect") == "true" {
		return c.answer(map[string]string{"url": to})
	}
	c.status, c.redirect = http.StatusFound, to
	return nil
}

// callback is where the browser comes back from a provider. The code that the provider would have
// made is, in this one, the address of the person who signed in there.
func (s *Server) callback(c *call) error {
	q := c.r.URL.Query()
	if c.r.Method == http.MethodPost {
		var err error
		if q, err = url.ParseQuery(string(c.raw)); err != nil {
			return invalid("could not read the form")
		}
	}
	c.status = http.StatusSeeOther
	p := s.pending[q.Get("state")]
	if p == nil || s.now().After(p.made.Add(flowLife)) {
		return c.redirectError(s.cfg.SiteURL, "", fail(http.StatusBadRequest, "bad_oauth_state", "OAuth state not found or expired"))
	}
	delete(s.pending, q.Get("state"))
	email, err := cleanEmail(q.Get("code"))
	if err != nil {
		return c.redirectError(p.redirect, "", fail(http.StatusForbidden, "bad_oauth_callback", "OAuth callback with missing authorization code missing"))
	}
	u, err := s.personOf(p, email)
	if err != nil {
		return c.redirectError(p.redirect, "", err)
	}
	if p.challenge != nil {
		c.redirect = addQuery(p.redirect, url.Values{"code": {s.newFlow(u, *p.challenge, "oauth")}})
		return nil
	}
	return s.land(c, u, p.redirect, "oauth", "")
}

// personOf is the user whom a provider knows by an address: the one who links, the one who has the
// address, or a new one.
func (s *Server) personOf(p *pending, email string) (*user, error) {
	has := func(u *user) bool {
		return slices.ContainsFunc(u.identities, func(i *identity) bool { return i.provider == p.provider && i.data["email"] == email })
	}
	u := s.find(has)
	if p.link != "" {
		mine := s.byID(p.link)
		if mine == nil || u != nil && u != mine {
			return nil, fail(http.StatusUnprocessableEntity, "identity_already_exists", "Identity is already linked to another user")
		}
		u = mine
	}
	if u == nil {
		u = s.byEmail(email)
	}
	if u == nil {
		if s.cfg.NoSignup {
			return nil, fail(http.StatusUnprocessableEntity, "signup_disabled", "Signups not allowed for this instance")
		}
		u = s.addUser(newUUID())
		u.email = email
	}
	if !has(u) {
		i := s.addIdentity(u, p.provider, map[string]any{"email_verified": true})
		i.providerID = newUUID()
		i.data = merge(i.data, map[string]any{"email": email, "sub": i.providerID})
		u.meta = merge(u.meta, map[string]any{"email": email, "email_verified": true})
	}
	if u.anonymous {
		u.anonymous, u.email = false, email
	}
	if u.emailConfirmed.IsZero() && u.email == email {
		s.confirmEmail(u)
	}
	return u, nil
}

func (s *Server) unlinkIdentity(c *call) error {
	u, _, err := s.signedIn(c)
	if err != nil {
		return err
	}
	id := c.values[0]
	if !uuidForm.MatchString(id) {
		return fail(http.StatusNotFound, "validation_failed", "identity_id must be an UUID")
	}
	at := slices.IndexFunc(u.identities, func(i *identity) bool { return i.id == id })
	if at < 0 {
		return fail(http.StatusUnprocessableEntity, "identity_not_found", "Identity doesn't exist")
	}
	if len(u.identities) == 1 {
		return fail(http.StatusUnprocessableEntity, "single_identity_not_deletable", "User must have at least 1 identity after unlinking")
	}
	u.identities = slices.Delete(u.identities, at, at+1)
	u.provide()
	u.updated = s.now()
	s.note(c, u, "identity_unlinked")
	return c.empty()
}

// idTokenGrant refuses: nobody signs tokens for providers that are made up.
func (s *Server) idTokenGrant(c *call) error {
	var in struct {
		Provider string `json:"provider"`
		IDToken  string `json:"id_token"`
		Issuer   string `json:"issuer"`
	}
	if err := c.read(&in); err != nil {
		return err
	}
	if in.IDToken == "" {
		return fail(http.StatusBadRequest, "validation_failed", "id_token required")
	}
	if in.Provider == "" && in.Issuer == "" {
		return invalid("provider or client_id and issuer required")
	}
	if slices.Contains(s.cfg.Providers, in.Provider) {
		return fail(http.StatusNotImplemented, "not_implemented", "supabasetest does not check the ID tokens of providers")
	}
	issuer := in.Issuer
	if issuer == "" {
		issuer = map[string]string{
			"google": "https://accounts.google.com", "apple": "https://appleid.apple.com", "facebook": "https://www.facebook.com",
			"kakao": "https://kauth.kakao.com",
		}[in.Provider]
	}
	if issuer == "" {
		return invalid("Custom OIDC provider \"" + in.Provider + "\" not allowed")
	}
	return fail(http.StatusBadRequest, "provider_disabled", "Provider (issuer \""+issuer+"\") is not enabled")
}

// samlOff is how a project answers that has SAML switched off, as every one of these has.
func samlOff() error {
	return fail(http.StatusNotFound, "saml_provider_disabled", "SAML 2.0 is disabled")
}

func (s *Server) sso(*call) error { return samlOff() }
