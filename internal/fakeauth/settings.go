package fakeauth

import (
	"net/http"
	"slices"
	"time"
)

func (s *Server) health(c *call) error {
	return c.answer(struct {
		Version     string `json:"version"`
		Name        string `json:"name"`
		Description string `json:"description"`
	}{"v2.196.0", "GoTrue", "GoTrue is a user registration and authentication API"})
}

func (s *Server) settings(c *call) error {
	external := map[string]bool{"anonymous_users": !s.cfg.NoAnonymous, "email": true, "phone": s.cfg.Phone}
	for _, name := range known {
		external[name] = slices.Contains(s.cfg.Providers, name)
	}
	sms := ""
	if s.cfg.Phone {
		sms = "twilio"
	}
	return c.answer(struct {
		External    map[string]bool `json:"external"`
		NoSignup    bool            `json:"disable_signup"`
		Autoconfirm bool            `json:"mailer_autoconfirm"`
		PhoneAuto   bool            `json:"phone_autoconfirm"`
		SMS         string          `json:"sms_provider"`
		SAML        bool            `json:"saml_enabled"`
		SAMLNext    bool            `json:"saml_private_key_next_configured"`
		Passkeys    bool            `json:"passkeys_enabled"`
	}{External: external, NoSignup: s.cfg.NoSignup, Autoconfirm: !s.cfg.Confirm, SMS: sms, SAMLNext: true})
}

func (s *Server) jwks(c *call) error {
	keys, err := s.cfg.Keys.Public()
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "public, max-age=600")
	return c.answer(map[string]any{"keys": keys})
}

func (s *Server) openID(c *call) error {
	c.w.Header().Set("Cache-Control", "public, max-age=600")
	return c.answer(struct {
		Issuer        string   `json:"issuer"`
		Authorization string   `json:"authorization_endpoint"`
		Token         string   `json:"token_endpoint"`
		JWKS          string   `json:"jwks_uri"`
		UserInfo      string   `json:"userinfo_endpoint"`
		Scopes        []string `json:"scopes_supported"`
		ResponseTypes []string `json:"response_types_supported"`
		ResponseModes []string `json:"response_modes_supported"`
		GrantTypes    []string `json:"grant_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
		AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
		Claims        []string `json:"claims_supported"`
		Challenges    []string `json:"code_challenge_methods_supported"`
	}{
		s.cfg.URL, s.cfg.URL + "/oauth/authorize", s.cfg.URL + "/oauth/token", s.cfg.URL + "/.well-known/jwks.json",
		s.cfg.URL + "/oauth/userinfo",
		[]string{"openid", "profile", "email", "phone", "offline_access"},
		[]string{"code"},
		[]string{"query"},
		[]string{"authorization_code", "refresh_token"},
		[]string{"public"},
		[]string{"RS256", "HS256", "ES256"},
		[]string{"client_secret_basic", "client_secret_post", "none"},
		[]string{
			"sub", "aud", "iss", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "phone_number",
			"phone_number_verified", "name", "picture", "preferred_username", "updated_at",
		},
		[]string{"S256", "plain"},
	})
}

// A bucket counts what one client sent in the running window.
type bucket struct {
	since time.Time
	count int
}

const window = 5 * time.Minute

// limited refuses a client that asks too often.
func (s *Server) limited(next handler) handler {
	if s.cfg.Requests <= 0 {
		return next
	}
	return func(c *call) error {
		who, now := c.client(), s.now()
		b := s.limits[who]
		if b == nil || now.Sub(b.since) >= window {
			b = &bucket{since: now}
			s.limits[who] = b
		}
		if b.count++; b.count > s.cfg.Requests {
			return fail(http.StatusTooManyRequests, "over_request_rate_limit", "Request rate limit reached")
		}
		return next(c)
	}
}
