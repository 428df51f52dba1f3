package auth_test

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/auth"
)

// What comes of a sign-up, in all forms in which the server says it.
func TestSignUpStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		want       auth.SignUpState
	}{
		{"a session", sessionJSON, auth.SignedIn},
		{"a session without its user", `{"access_token":"a","expires_in":60}`, auth.SignedIn},
		{"a user", `{"id":"u1","identities":[{"id":"u1"}]}`, auth.ConfirmationNeeded},
		{"a user whose identities are not told", `{"id":"u1","identities":null}`, auth.ConfirmationNeeded},
		{"a user, beside null tokens", `{"id":"u1","identities":[{}],"access_token":null}`, auth.ConfirmationNeeded},
		{"nobody", `{"id":"u9","role":"","identities":[]}`, auth.AlreadyRegistered},
	} {
		r, err := answering(t, 200, tt.body).SignUp(t.Context(), auth.SignUp{Email: "a@example.com", Password: password})
		if err != nil || r.State != tt.want || r.User == nil || (r.Session != nil) != (tt.want == auth.SignedIn) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
	c := answering(t, 200, `{"id":"u1"}`)
	if _, err := c.SignUp(t.Context(), auth.SignUp{Password: password}); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("a sign-up of nobody would make an anonymous user: %v", err)
	}
	if s, err := c.SignInAnonymously(t.Context(), auth.Anonymous{}); err == nil {
		t.Errorf("a user without a session: %v", s)
	}
}

// The first of two links says that it was accepted, and gives no session.
func TestTheFirstLinkOfAChangeOfAddress(t *testing.T) {
	t.Parallel()
	v := auth.Verification{Type: auth.VerifyEmailChange, TokenHash: "h"}
	for _, body := range []string{`{"msg":"Confirmation link accepted. Please proceed","code":"200"}`, `{"message":"Confirmation link accepted. Please proceed","code":200}`} {
		got, err := answering(t, 200, body).Verify(t.Context(), v)
		if err != nil || got.Session != nil || !strings.HasPrefix(got.Message, "Confirmation link accepted") {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got, err := answering(t, 200, `{}`).Verify(t.Context(), v); err == nil {
		t.Errorf("an answer that says nothing: %+v", got)
	}
}

// A GET that sends a mail is sent once, whatever becomes of it.
func TestReauthenticateIsSentOnce(t *testing.T) {
	t.Parallel()
	n := 0
	c := over(t, func(*http.Request) (*http.Response, error) { n++; return nil, io.ErrUnexpectedEOF }, auth.WithToken(token(accessToken)))
	if err := c.Reauthenticate(t.Context()); err == nil || n != 1 {
		t.Error(n, err)
	}
}

// Nothing but reads and Refresh is ever sent twice.
func TestWritesAreSentOnce(t *testing.T) {
	t.Parallel()
	n := 0
	c := over(t, func(r *http.Request) (*http.Response, error) { n++; return answerTo(r, 503, ""), nil }, auth.WithKey(serviceKey))
	for name, run := range calls(c) {
		if strings.Contains("Refresh User Claims Assurance LinkIdentityURL", name) {
			continue
		}
		n = 0
		if err := run(t.Context()); err == nil || n != 1 {
			t.Errorf("%s was sent %d times (%v)", name, n, err)
		}
	}
}

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"id":"u1","email":"old@example.com","new_email":"new@example.com"}`)
	u, err := s.ours.UpdateUser(t.Context(), auth.UserUpdate{
		Email: "new@example.com", Phone: "+15551234567", Password: password, CurrentPassword: "old", Nonce: "738291",
		Data: map[string]any{"gone": nil, "n": 1}, Channel: auth.SMS, RedirectTo: "http://x/cb",
	})
	if err != nil || u.Email != "old@example.com" || u.NewEmail != "new@example.com" {
		t.Error(u, err)
	}
	r := s.last(t)
	want := map[string]any{
		"email": "new@example.com", "phone": "+15551234567", "password": password, "current_password": "old", "nonce": "738291",
		"data": map[string]any{"gone": nil, "n": 1.0}, "channel": "sms",
	}
	if diff := cmp.Diff(want, r.body); diff != "" || r.URL.RawQuery != "redirect_to=http%3A%2F%2Fx%2Fcb" {
		t.Error(r.URL, diff)
	}
	if _, err := s.ours.UpdateUser(t.Context(), auth.UserUpdate{Data: map[string]any{"f": func() {}}}); err == nil || len(s.sent) != 0 {
		t.Error("a function has a form in JSON")
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"id":"u1","identities":[{"identity_id":"i1","id":"p1","provider":"github","identity_data":{"a":1}}]}`)
	list, err := s.ours.Identities(t.Context())
	want := []auth.Identity{{IdentityID: "i1", ID: "p1", Provider: "github", Data: map[string]any{"a": 1.0}}}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Error(diff, err)
	}
	s.last(t)
	if err := s.ours.UnlinkIdentity(t.Context(), "i1"); err != nil {
		t.Error(err)
	}
	if r := s.last(t); r.Method != http.MethodDelete || r.URL.Path != "/auth/v1/user/identities/i1" {
		t.Error(r.Method, r.URL)
	}
	if _, err := s.ours.LinkIDToken(t.Context(), auth.IDToken{Provider: "google", Token: "t", Nonce: "n"}); err == nil {
		t.Error("a user is a session")
	}
	r := s.last(t)
	if diff := cmp.Diff(map[string]any{"provider": "google", "id_token": "t", "nonce": "n", "link_identity": true}, r.body); diff != "" ||
		r.URL.RawQuery != "grant_type=id_token" || r.Header.Get("Authorization") != "Bearer "+accessToken {
		t.Error(r.URL, diff, r.Header)
	}
}

func TestFactors(t *testing.T) {
	t.Parallel()
	// aal1, and a verified factor: the second one is to be asked for.
	aal1 := unsigned(`{"sub":"u1","exp":4102444800,"aal":"aal1","amr":[{"method":"password","timestamp":1795169225}]}`)
	aal2 := unsigned(`{"sub":"u1","exp":4102444800,"aal":"aal2","amr":[{"method":"totp","timestamp":1795169228},{"method":"password","timestamp":1795169225}]}`)
	for _, tt := range []struct {
		token, status string
		want          auth.Assurance
		needs         bool
	}{
		{aal1, "unverified", auth.Assurance{Current: auth.AAL1, Next: auth.AAL1, Methods: []auth.Method{{Name: "password", At: time.Unix(1795169225, 0)}}}, false},
		{aal1, "verified", auth.Assurance{Current: auth.AAL1, Next: auth.AAL2, Methods: []auth.Method{{Name: "password", At: time.Unix(1795169225, 0)}}}, true},
		{aal2, "verified", auth.Assurance{Current: auth.AAL2, Next: auth.AAL2, Methods: []auth.Method{{Name: "totp", At: time.Unix(1795169228, 0)}, {Name: "password", At: time.Unix(1795169225, 0)}}}, false},
	} {
		c := over(t, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "Bearer "+tt.token {
				t.Error(r.Header)
			}
			return answerTo(r, 200, `{"id":"u1","factors":[{"id":"f1","factor_type":"totp","status":"`+tt.status+`"}]}`), nil
		})
		got, err := c.Assurance(t.Context(), tt.token)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" || got.NeedsFactor() != tt.needs {
			t.Error(diff, got.NeedsFactor())
		}
		s, err := auth.NewSession(tt.token, "")
		if err != nil {
			t.Fatal(err)
		}
		list, err := c.WithSession(s).Factors(t.Context())
		if err != nil || len(list) != 1 || list[0].Type != auth.TOTP || list[0].Status != auth.FactorStatus(tt.status) {
			t.Error(list, err)
		}
	}
	c := answering(t, 403, `{"code":"session_not_found","message":"x"}`)
	if _, err := c.Assurance(t.Context(), aal1); !errors.Is(err, auth.ErrSessionDead) {
		t.Error(err)
	}
	if _, err := c.Assurance(t.Context(), "x"); !errors.Is(err, auth.ErrUnauthorized) {
		t.Error(err)
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	var sent []string
	c := over(t, func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.URL.Path+" "+read(t, r))
		if strings.HasSuffix(r.URL.Path, "/challenge") {
			return answerTo(r, 200, `{"id":"c1","type":"phone","expires_at":1795169528}`), nil
		}
		return answerTo(r, 200, sessionJSON), nil
	}, auth.WithToken(token(accessToken)))
	ch, err := c.ChallengeFactor(t.Context(), "f1", auth.WhatsApp)
	if err != nil || ch.ExpiresAt.Unix() != 1795169528 || ch.Type != auth.PhoneFactor {
		t.Error(ch, err)
	}
	if s, err := c.ChallengeAndVerify(t.Context(), "f/1", "738291"); err != nil || s.AccessToken() != accessToken {
		t.Error(s, err)
	}
	want := []string{
		`/auth/v1/factors/f1/challenge {"channel":"whatsapp"}`, "/auth/v1/factors/f/1/challenge ",
		`/auth/v1/factors/f/1/verify {"challenge_id":"c1","code":"738291"}`,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
}

// An id is one segment of a path, and there: otherwise a call would be about something else.
func TestAnIDIsAnID(t *testing.T) {
	t.Parallel()
	var paths []string
	c := over(t, func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.EscapedPath())
		return answerTo(r, 200, `{}`), nil
	}, auth.WithKey(serviceKey), auth.WithToken(token(accessToken)))
	for _, id := range []string{"", "..", "../../rest/v1/todos", "a/b?c#d"} {
		paths = nil
		ctx, a := t.Context(), c.Admin()
		errs := []error{
			c.UnlinkIdentity(ctx, id), c.UnenrollFactor(ctx, id), a.DeleteUser(ctx, id), a.SoftDeleteUser(ctx, id),
			a.DeleteFactor(ctx, id, "f"), a.DeleteFactor(ctx, "u", id), a.DeleteSSOProvider(ctx, id),
		}
		for _, more := range []func() error{
			func() error { _, err := c.ChallengeFactor(ctx, id); return err },
			func() error { _, err := c.VerifyFactor(ctx, id, "c", "738291"); return err },
			func() error { _, err := a.User(ctx, id); return err },
			func() error { _, err := a.UpdateUser(ctx, id, auth.UserChange{}); return err },
			func() error { _, err := a.Factors(ctx, id); return err },
			func() error { _, err := a.SSOProvider(ctx, id); return err },
			func() error { _, err := a.UpdateSSOProvider(ctx, id, auth.SSOSettings{}); return err },
		} {
			errs = append(errs, more())
		}
		for i, err := range errs {
			if id == "a/b?c#d" {
				continue
			}
			if err == nil {
				t.Errorf("%q: call %d is made", id, i)
			}
		}
		if id != "a/b?c#d" && len(paths) != 0 {
			t.Errorf("%q: sent %q", id, paths)
		}
		for _, p := range paths {
			if !strings.Contains(p, "a%2Fb%3Fc%23d") {
				t.Errorf("%q: %s", id, p)
			}
		}
	}
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	var got []string
	c := over(t, func(r *http.Request) (*http.Response, error) {
		got = append(got, r.Header.Get("Sb-Forwarded-For"))
		return answerTo(r, 200, sessionJSON), nil
	})
	for _, c := range []*auth.Client{c, c.WithClientIP(netip.MustParseAddr("203.0.113.9")), c.WithClientIP(netip.MustParseAddr("fe80::1%eth0")).WithRetry(auth.Retry{}), c.WithClientIP(netip.Addr{})} {
		if _, err := c.Refresh(t.Context(), refreshToken); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"", "203.0.113.9", "fe80::1", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRetryAfterInWords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Duration{
		`{"code":"over_email_send_rate_limit","message":"For security purposes, you can only request this after 59 seconds."}`: 59 * time.Second,
		`{"code":429,"msg":"For security purposes, you can only request this after 1 second."}`:                                time.Second,
		`{"code":"over_request_rate_limit","message":"Request rate limit reached"}`:                                            0,
		`{"code":"x","message":"after 99999999999999999999 seconds"}`:                                                          0,
	} {
		_, err := answering(t, 429, body).SendOTP(t.Context(), auth.OTP{Email: "a@example.com"})
		if got := auth.RetryAfter(err); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	c := over(t, func(r *http.Request) (*http.Response, error) {
		return answerTo(r, 429, `{"message":"after 5 seconds"}`, "Retry-After", "7"), nil
	})
	if _, err := c.SendOTP(t.Context(), auth.OTP{}); auth.RetryAfter(err) != 7*time.Second {
		t.Error(err)
	}
	if auth.RetryAfter(nil) != 0 || auth.RetryAfter(io.EOF) != 0 {
		t.Error("no answer says when")
	}
	if reasons, weak := auth.WeakPassword(nil); weak || reasons != nil {
		t.Error("nothing is weak")
	}
}
