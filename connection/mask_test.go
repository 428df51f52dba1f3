package connection_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

// What net/url and drivers quote of their parameters does not come through a factory.
func TestErrorsOfFactoriesAreMasked(t *testing.T) {
	t.Parallel()
	const password = "hunt/er2 100%"
	cause := errors.New("the cause")
	for what, given := range map[string]struct {
		param string
		value any
		fail  func(p *connection.Params, value string) error
	}{
		"a URL that cannot be parsed": {"url", "postgres://ann:hunt/er2@pg.local/pets", func(_ *connection.Params, s string) error {
			_, err := url.Parse(s)
			return err
		}},
		"a URL in quotes": {"url", "postgres://ann:" + url.QueryEscape(password) + "@pg.local/pets", func(_ *connection.Params, s string) error {
			return fmt.Errorf("cannot dial %q for %q: %w", s, password, cause)
		}},
		"a DSN": {"where", "host=pg.local password='" + password + "'", func(_ *connection.Params, s string) error {
			return fmt.Errorf("cannot dial %s: %w", s, cause)
		}},
		"a name that tells": {"db_password", password, func(_ *connection.Params, s string) error {
			return fmt.Errorf("pg.local refuses %s: %w", s, cause)
		}},
		"asked for as a secret": {"pin", password, func(p *connection.Params, s string) error {
			_, err := p.Secret("pin")
			return errors.Join(fmt.Errorf("pg.local refuses %s: %w", s, cause), err)
		}},
		"decoded into a secret": {"pin", password, func(p *connection.Params, s string) error {
			var into struct{ Pin secrets.Secret }
			return errors.Join(p.Decode(&into), fmt.Errorf("pg.local refuses %s: %w", s, cause))
		}},
		"inside a table": {"args", map[string]any{"token": password}, func(p *connection.Params, s string) error {
			return fmt.Errorf("pg.local refuses %s: %w", s, cause)
		}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			fail := func(_ context.Context, p *connection.Params) (*string, error) {
				v, _, _ := p.Lookup(given.param)
				s, ok := v.(string)
				if !ok {
					s = password
				}
				return nil, given.fail(p, s)
			}
			_, err := connection.Open(t.Context(), "x", fail, connection.WithSecrets(secrets.Of(nil)), connection.With(given.param, given.value))
			_, parsing := errors.AsType[*url.Error](err)
			if !parsing && !errors.Is(err, cause) {
				t.Errorf("the cause is lost: %v", err)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
					text := fmt.Sprintf(verb, err)
					if strings.Contains(text, "hunt") || strings.Contains(text, "er2") {
						t.Errorf("%s shows the password: %s", verb, text)
					}
				}
			}
		})
	}
}

type pingsWith struct{ err error }

func (p *pingsWith) Ping(context.Context) error { return p.err }

func TestErrorsOfPingAreMasked(t *testing.T) {
	t.Parallel()
	c, err := connection.Open(t.Context(), "x", func(_ context.Context, p *connection.Params) (*pingsWith, error) {
		s, err := p.String("dsn")
		return &pingsWith{fmt.Errorf("cannot dial %s", s)}, err
	}, connection.WithSecrets(secrets.Of(nil)), connection.With("dsn", "ann:hunter2@tcp(db.local:3306)/pets"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	err = connection.Ping(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "db.local:3306") {
		t.Errorf("got %v", err)
	}
}

func TestErrorsWithoutSecretsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	cause := errors.New("cannot open pets.db on localhost")
	_, err := connection.Open(t.Context(), "x", func(_ context.Context, p *connection.Params) (*string, error) {
		p.Lookup("database")
		p.Lookup("password")
		return nil, cause
	}, connection.WithSecrets(secrets.Of(nil)), connection.With("database", "pets.db"), connection.With("password", "a"))
	if e, ok := errors.AsType[*connection.Error](err); !ok || !strings.HasSuffix(err.Error(), cause.Error()) {
		t.Errorf("got %v", e)
	}
}
