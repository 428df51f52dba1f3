package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/streamconn/streamconn/supabase/auth"
)

// planted are the secrets of these tests: the keys, the tokens, and what users type.
var planted = []string{
	anonKey, serviceKey, accessToken, refreshToken, password, "planted", "cGxhbnRlZ", "plant%65d",
	"738291", // a code
}

func showsNothing(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range planted {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %q: %s", where, secret, text)
		}
	}
}

// calls are all calls that carry a secret.
func calls(c *auth.Client) map[string]func(context.Context) error {
	s, _ := auth.NewSession(accessToken, refreshToken)
	pkce, _ := auth.ParsePKCE("planted-verifier-planted-verifier-planted-verifier")
	user := c.WithSession(s)
	return map[string]func(context.Context) error{
		"SignUp": func(ctx context.Context) error {
			_, err := c.SignUp(ctx, auth.SignUp{Email: "a@example.com", Password: password, CaptchaToken: "planted-captcha"})
			return err
		},
		"SignInAnonymously": func(ctx context.Context) error {
			_, err := c.SignInAnonymously(ctx, auth.Anonymous{CaptchaToken: "planted-captcha"})
			return err
		},
		"SignInWithPassword": func(ctx context.Context) error {
			_, err := c.SignInWithPassword(ctx, auth.Credentials{Email: "a@example.com", Password: password, CaptchaToken: "planted-captcha"})
			return err
		},
		"SignInWithIDToken": func(ctx context.Context) error {
			_, err := c.SignInWithIDToken(ctx, auth.IDToken{Provider: "google", Token: "planted-id-token", AccessToken: "planted-at", Nonce: "planted-nonce"})
			return err
		},
		"LinkIDToken": func(ctx context.Context) error {
			_, err := user.LinkIDToken(ctx, auth.IDToken{Provider: "google", Token: "planted-id-token", AccessToken: "planted-at", Nonce: "planted-nonce"})
			return err
		},
		"Refresh":      func(ctx context.Context) error { _, err := c.Refresh(ctx, refreshToken); return err },
		"ExchangeCode": func(ctx context.Context) error { _, err := c.ExchangeCode(ctx, "planted-code", pkce); return err },
		"Verify": func(ctx context.Context) error {
			_, err := c.Verify(ctx, auth.Verification{Type: auth.VerifySMS, Phone: "+15551234567", Token: "738291", TokenHash: "planted-hash"})
			return err
		},
		"User":    func(ctx context.Context) error { _, err := user.User(ctx); return err },
		"SignOut": func(ctx context.Context) error { return user.SignOut(ctx) },
		"UpdateUser": func(ctx context.Context) error {
			_, err := user.UpdateUser(ctx, auth.UserUpdate{Password: password, CurrentPassword: "planted-old-password", Nonce: "738291"})
			return err
		},
		"VerifyFactor": func(ctx context.Context) error { _, err := user.VerifyFactor(ctx, "f1", "c1", "738291"); return err },
		"Claims":       func(ctx context.Context) error { _, err := c.Claims(ctx, accessToken); return err },
		"Assurance":    func(ctx context.Context) error { _, err := c.Assurance(ctx, accessToken); return err },
		"CreateUser": func(ctx context.Context) error {
			_, err := c.Admin().CreateUser(ctx, auth.NewUser{Email: "a@example.com", Password: password, PasswordHash: "planted-hash"})
			return err
		},
		"admin UpdateUser": func(ctx context.Context) error {
			_, err := c.Admin().UpdateUser(ctx, "u1", auth.UserChange{Password: new(password), PasswordHash: new("planted-hash")})
			return err
		},
		"GenerateLink": func(ctx context.Context) error {
			_, err := c.Admin().GenerateLink(ctx, auth.NewLink{Type: auth.LinkSignUp, Email: "a@example.com", Password: password})
			return err
		},
		"admin SignOut": func(ctx context.Context) error { return c.Admin().SignOut(ctx, accessToken) },
		"LinkIdentityURL": func(ctx context.Context) error {
			_, err := user.LinkIdentityURL(ctx, auth.OAuth{Provider: "github", PKCE: pkce})
			return err
		},
	}
}

// A server that repeats all it got, a transport that tells all it saw, an answer that is a session
// in a form that nobody reads: no error and no log line shows a secret.
func TestNoErrorShowsASecret(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]roundTripper{
		"an echo": func(r *http.Request) (*http.Response, error) {
			said := fmt.Sprintf("%s %s %v", r.URL, read(t, r), r.Header)
			b, _ := json.Marshal(map[string]string{"code": "odd", "message": said, "hint": said, "details": said})
			return answerTo(r, 400, string(b), "X-Sb-Error-Code", "odd"), nil
		},
		"an echo as a page": func(r *http.Request) (*http.Response, error) {
			return answerTo(r, 502, fmt.Sprintf("<html><title>%s %v</title>", read(t, r), r.Header)), nil
		},
		"a transport that talks": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?token=planted-x", Err: fmt.Errorf("sent %s %v", read(t, r), r.Header)}
		},
		"an answer of another form": func(r *http.Request) (*http.Response, error) {
			return answerTo(r, 200, `{"access_token":"planted-access","refresh_token":7,"id":["planted"],"url":{"planted":1},"user":"planted"}`), nil
		},
		"no JSON": func(r *http.Request) (*http.Response, error) { return answerTo(r, 200, accessToken+refreshToken), nil },
	} {
		var log bytes.Buffer
		c := over(t, answer, auth.WithKey(serviceKey), auth.WithRetry(auth.Retry{Disabled: true}),
			auth.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		for call, run := range calls(c) {
			err := run(t.Context())
			if err == nil {
				if name != "an answer of another form" && name != "no JSON" {
					t.Errorf("%s, %s: no error", name, call)
				}
				continue
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				showsNothing(t, name+", "+call+" by "+verb, fmt.Sprintf(verb, err))
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				showsNothing(t, name+", "+call+", within", fmt.Sprintf("%v %+v %#v", e, e, e))
			}
			b, jsonErr := json.Marshal(err)
			if jsonErr == nil {
				showsNothing(t, name+", "+call+" as JSON", string(b))
			}
		}
		showsNothing(t, name+", the log", log.String())
		if log.Len() == 0 {
			t.Errorf("%s: nothing is logged", name)
		}
	}
}

// What holds a secret prints as what it is about.
func TestNoValueShowsASecret(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/generate_link"):
			return answerTo(r, 200, `{"id":"u1","action_link":"http://x/verify?token=planted-link","email_otp":"738291","hashed_token":"planted-hash","verification_type":"recovery","redirect_to":"http://x"}`), nil
		case strings.HasSuffix(r.URL.Path, "/factors"):
			return answerTo(r, 200, `{"id":"f1","type":"totp","totp":{"qr_code":"<svg>planted</svg>","secret":"planted-totp","uri":"otpauth://totp/x?secret=planted-totp"}}`), nil
		}
		return answerTo(r, 200, sessionJSON), nil
	}, auth.WithKey(serviceKey), auth.WithToken(token(accessToken)))
	ctx := t.Context()
	link, err := c.Admin().GenerateLink(ctx, auth.NewLink{Type: auth.LinkRecovery, Email: "a@example.com"})
	if err != nil || link.OTP() != "738291" || link.TokenHash() != "planted-hash" || !strings.Contains(link.URL(), "planted-link") {
		t.Fatal(err)
	}
	enrollment, err := c.EnrollFactor(ctx, auth.NewFactor{})
	if err != nil || enrollment.Secret() != "planted-totp" || enrollment.QRCode() == "" || enrollment.URI() == "" {
		t.Fatal(err)
	}
	verified, err := c.Verify(ctx, auth.Verification{})
	if err != nil {
		t.Fatal(err)
	}
	signUp, err := c.SignUp(ctx, auth.SignUp{Email: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := auth.ParseRedirect(&url.URL{Fragment: "access_token=" + accessToken + "&refresh_token=" + refreshToken + "&expires_in=60"})
	if err != nil {
		t.Fatal(err)
	}
	pkce, err := auth.ParsePKCE("planted-verifier-planted-verifier-planted-verifier")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		c, c.Admin(), c.WithSession(newSession(t)), auth.Over(nil, nil), newSession(t), *newSession(t), link, *link, enrollment, *enrollment,
		verified, *verified, signUp, *signUp, redirect, *redirect,
		auth.Redirect{Code: "planted-code"},
		pkce, *pkce,
		auth.Credentials{Email: "a@example.com", Password: password, CaptchaToken: "planted"},
		auth.SignUp{Email: "a@example.com", Password: password, CaptchaToken: "planted"},
		auth.Anonymous{CaptchaToken: "captcha"},
		auth.Verification{Token: "738291", TokenHash: "planted"},
		auth.IDToken{Token: "planted", AccessToken: "planted", Nonce: "planted"},
		auth.UserUpdate{Password: password, CurrentPassword: "planted", Nonce: "738291"},
		auth.NewUser{Password: password, PasswordHash: "planted"},
		auth.UserChange{Password: new(password)},
		auth.NewLink{Password: password},
		auth.OTP{PKCE: pkce},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v, "p", &v, "in", []any{v})
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v, "p", &v, "in", map[string]any{"v": v})
		text := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text += fmt.Sprintf(verb, v) + fmt.Sprintf(verb, []any{v, &v})
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		showsNothing(t, fmt.Sprintf("%T", v), text+string(b))
	}
}
