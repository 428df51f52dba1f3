package supabasetest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/streamconn/streamconn/internal/fakeauth"
	"github.com/streamconn/streamconn/internal/fakerest"
	"github.com/streamconn/streamconn/internal/fakestorage"
)

// An Option says what a project is like.
type Option func(*config) error

type config struct {
	withoutPort bool
	secret      string
	newKeys     bool
	es256       bool
	auth        fakeauth.Config
	users       []fakeauth.NewUser
	functions   map[string]http.Handler
	rest        fakerest.Config
	rows        []tableRow
	triggers    []func(tx *Tx, user Row) error
	storage     fakestorage.Config
	buckets     []fakestorage.NewBucket
	objects     []fakestorage.NewObject
}

// WithoutPort opens no port: only HTTPClient reaches the server. In a bubble of testing/synctest
// it must be so, since a goroutine that waits at a socket keeps time from moving.
func WithoutPort() Option {
	return func(c *config) error { c.withoutPort = true; return nil }
}

// WithJWTSecret sets the secret that signs keys and HS256 tokens. Without it the secret is random.
func WithJWTSecret(secret string) Option {
	return func(c *config) error {
		if secret == "" {
			return errors.New("WithJWTSecret: the secret is empty")
		}
		c.secret = secret
		return nil
	}
}

// WithNewKeys makes AnonKey a key of the form sb_publishable_… and ServiceKey one of the form
// sb_secret_…. The gateway makes them into tokens, as Supabase's does.
func WithNewKeys() Option {
	return func(c *config) error { c.newKeys = true; return nil }
}

// WithES256 signs access tokens with an ES256 key, which the JWKS lists. RotateKeys makes the next.
func WithES256() Option {
	return func(c *config) error { c.es256 = true; return nil }
}

// WithFunction adds an edge function. The handler sees the path below /functions/v1, which begins
// with the name. A call needs a token of the project, as it does by default in Supabase.
func WithFunction(name string, handler http.Handler) Option {
	return func(c *config) error {
		if name == "" || strings.Contains(name, "/") || handler == nil {
			return fmt.Errorf("WithFunction(%q): a function needs a name without a slash, and a handler", name)
		}
		if c.functions == nil {
			c.functions = make(map[string]http.Handler)
		}
		c.functions[name] = handler
		return nil
	}
}

// A UserOption says more about the user of WithUser.
type UserOption func(*fakeauth.NewUser)

// UserID sets the id of the user, a UUID. Without it the id is random.
func UserID(id string) UserOption { return func(u *fakeauth.NewUser) { u.ID = id } }

// UserPhone gives the user a number, in the form +15551234567.
func UserPhone(phone string) UserOption { return func(u *fakeauth.NewUser) { u.Phone = phone } }

// UserMetadata sets the user_metadata.
func UserMetadata(data map[string]any) UserOption {
	return func(u *fakeauth.NewUser) { u.UserMetadata = data }
}

// AppMetadata sets the app_metadata.
func AppMetadata(data map[string]any) UserOption {
	return func(u *fakeauth.NewUser) { u.AppMetadata = data }
}

// UserRole sets the database role. Without it the role is authenticated.
func UserRole(role string) UserOption { return func(u *fakeauth.NewUser) { u.Role = role } }

// WithUser adds a user whose address is confirmed. Without a password the user signs in otherwise.
func WithUser(email, password string, opts ...UserOption) Option {
	return func(c *config) error {
		u := fakeauth.NewUser{Email: email, Password: password}
		for _, o := range opts {
			o(&u)
		}
		c.users = append(c.users, u)
		return nil
	}
}

// An AuthOption changes how the auth service behaves.
type AuthOption func(*fakeauth.Config)

// WithAuth changes how the auth service behaves. Without it, addresses are confirmed at once,
// nothing is limited, and access tokens last an hour.
func WithAuth(opts ...AuthOption) Option {
	return func(c *config) error {
		for _, o := range opts {
			o(&c.auth)
		}
		return nil
	}
}

// ConfirmEmail makes new users confirm their address before they can sign in.
func ConfirmEmail() AuthOption { return func(c *fakeauth.Config) { c.Confirm = true } }

// AllowPhone lets users sign up and in by phone number. The messages are in Mail.
func AllowPhone() AuthOption { return func(c *fakeauth.Config) { c.Phone = true } }

// NoSignup refuses new users, but for those that an admin makes.
func NoSignup() AuthOption { return func(c *fakeauth.Config) { c.NoSignup = true } }

// NoAnonymous refuses users without an address.
func NoAnonymous() AuthOption { return func(c *fakeauth.Config) { c.NoAnonymous = true } }

// SingleEmailChange asks only the new address to confirm that a user moves to it. Without it the
// old one must confirm too.
func SingleEmailChange() AuthOption { return func(c *fakeauth.Config) { c.SingleEmailChange = true } }

// ReauthenticatePassword asks for the code of a reauthentication when a session that is older than
// a day changes the password.
func ReauthenticatePassword() AuthOption {
	return func(c *fakeauth.Config) { c.ReauthenticatePassword = true }
}

// Providers switches OAuth providers on. The server sends browsers to them as the real one does;
// there they are nobody. A test that comes back to /auth/v1/callback with the state of the address
// and an e-mail address as the code signs its owner in.
func Providers(names ...string) AuthOption {
	return func(c *fakeauth.Config) { c.Providers = append(c.Providers, names...) }
}

// SiteURL is where links lead that name no other place. Without it http://127.0.0.1:3000.
func SiteURL(url string) AuthOption { return func(c *fakeauth.Config) { c.SiteURL = url } }

// TokenLife is how long access tokens are valid. Without it an hour.
func TokenLife(d time.Duration) AuthOption { return func(c *fakeauth.Config) { c.TokenLife = d } }

// OTPLife is how long codes and links are valid. Without it an hour.
func OTPLife(d time.Duration) AuthOption { return func(c *fakeauth.Config) { c.OTPLife = d } }

// ReuseInterval is how long a refresh token that was used is no sign of theft. Without it 10 s.
func ReuseInterval(d time.Duration) AuthOption {
	return func(c *fakeauth.Config) { c.ReuseInterval = d }
}

// MailInterval is the least time between two mails of a kind to one user; sooner, the answer is
// status 429. Without it there is no limit. Supabase's own is a minute.
func MailInterval(d time.Duration) AuthOption { return func(c *fakeauth.Config) { c.MailInterval = d } }

// RateLimit is how many requests for sessions and codes a client may send in five minutes; further
// ones are answered with status 429. Without it there is no limit.
func RateLimit(n int) AuthOption { return func(c *fakeauth.Config) { c.Requests = n } }

// MinPassword is the least length of a password. Without it 6.
func MinPassword(n int) AuthOption { return func(c *fakeauth.Config) { c.MinPassword = n } }
