package supabasetest

import (
	"crypto/rand"
	"time"

	"github.com/streamconn/streamconn/internal/fakejwt"
)

// projectKeys are the keys that the gateway takes, and the role of each.
type projectKeys struct {
	anon, service       string // JWTs
	publishable, secret string // empty without WithNewKeys
}

// role is that of a key, empty if it is none of the project.
func (k *projectKeys) role(key string) string {
	switch {
	case key == "":
		return ""
	case key == k.anon, key == k.publishable:
		return "anon"
	case key == k.service, key == k.secret:
		return "service_role"
	}
	return ""
}

// keyLife is how long the JWTs of a project are valid.
const keyLife = 10 * 365 * 24 * time.Hour

// keyClaims are those of a key, in Supabase's order.
type keyClaims struct {
	Iss  string `json:"iss"`
	Ref  string `json:"ref"`
	Role string `json:"role"`
	Iat  int64  `json:"iat"`
	Exp  int64  `json:"exp"`
}

func (s *Server) makeKeys(cfg *config) error {
	secret := cfg.secret
	if secret == "" {
		secret = rand.Text() + rand.Text()
	}
	s.keyring = fakejwt.New([]byte(secret))
	now := s.clock.Now()
	sign := func(role string) (string, error) {
		return s.keyring.SignSecret(keyClaims{"supabase", "supabasetest", role, now.Unix(), now.Add(keyLife).Unix()}, "JWT")
	}
	var err error
	if s.keys.anon, err = sign("anon"); err != nil {
		return err
	}
	if s.keys.service, err = sign("service_role"); err != nil {
		return err
	}
	s.AnonKey, s.ServiceKey = s.keys.anon, s.keys.service
	if cfg.newKeys {
		s.keys.publishable = "sb_publishable_" + rand.Text()[:22] + "_" + rand.Text()[:8]
		s.keys.secret = "sb_secret_" + rand.Text()[:22] + "_" + rand.Text()[:8]
		s.AnonKey, s.ServiceKey = s.keys.publishable, s.keys.secret
	}
	if cfg.es256 {
		return s.RotateKeys()
	}
	return nil
}

// RotateKeys makes a new ES256 key, with which access tokens are signed from now on. Tokens of the
// keys before it stay valid, and the JWKS lists them all.
func (s *Server) RotateKeys() error { return s.keyring.Rotate(newUUID()) }

// RevokeKeys forgets all ES256 keys but the newest: no service takes the tokens of the others.
func (s *Server) RevokeKeys() { s.keyring.Revoke() }
