package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	gotrue "github.com/supabase-community/gotrue-go"
	"github.com/supabase-community/gotrue-go/types"

	"github.com/streamconn/streamconn/supabase/auth"
)

// The known defects of the community's module, gotrue-go v1.2.0, by their numbers. Each test runs
// one scenario against that module, which must show the defect, and against this one, which must
// not. A release that mends one is noticed so.

// sides are both clients, over one transport that remembers what was sent.
type sides struct {
	theirs gotrue.Client
	ours   *auth.Client

	mu   sync.Mutex
	sent []sentRequest
}

type sentRequest struct {
	*http.Request
	body map[string]any
}

const someID = "54bef6dc-4644-4d05-9b83-93db3c889b0a"

// both makes the sides; each request is answered with status and body.
func both(t *testing.T, status int, body string, header ...string) *sides {
	t.Helper()
	return bothBy(t, func(r *http.Request) (*http.Response, error) { return answerTo(r, status, body, header...), nil })
}

func bothBy(t *testing.T, answer roundTripper) *sides {
	t.Helper()
	s := &sides{}
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent := sentRequest{Request: r}
		if text := read(t, r); text != "" {
			_ = json.Unmarshal([]byte(text), &sent.body)
		}
		s.mu.Lock()
		s.sent = append(s.sent, sent)
		s.mu.Unlock()
		return answer(r)
	})
	s.theirs = gotrue.New("", serviceKey).WithCustomGoTrueURL(baseURL).WithToken(serviceKey).WithClient(http.Client{Transport: transport})
	s.ours = over(t, transport, auth.WithKey(serviceKey), auth.WithToken(token(accessToken)), auth.WithRetry(auth.Retry{Disabled: true}))
	return s
}

// last is the last request that was sent, and forgets it.
func (s *sides) last(t *testing.T) sentRequest {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sent) == 0 {
		t.Fatal("nothing was sent")
	}
	r := s.sent[len(s.sent)-1]
	s.sent = nil
	return r
}

// defect fails the test unless their module still shows the defect.
func defect(t *testing.T, shown bool, instead any) {
	t.Helper()
	if !shown {
		t.Errorf("the module no longer shows the defect: %v", instead)
	}
}

func TestDefectG01_AVerifiedCodeIsAnErrorWithTheTokensInIt(t *testing.T) {
	t.Parallel()
	s := both(t, 200, sessionJSON)
	_, err := s.theirs.VerifyForUser(types.VerifyForUserRequest{Type: types.VerificationTypeMagiclink, Token: "123456", Email: "a@example.com", RedirectTo: "http://x"})
	defect(t, err != nil && strings.Contains(err.Error(), accessToken) && strings.Contains(err.Error(), refreshToken), err)

	v, err := s.ours.Verify(t.Context(), auth.Verification{Type: auth.VerifyMagicLink, Email: "a@example.com", Token: "123456"})
	if err != nil || v.Session.AccessToken() != accessToken {
		t.Error(v, err)
	}
	v, err = s.ours.Verify(t.Context(), auth.Verification{Type: auth.VerifyMagicLink, TokenHash: "planted-hash"})
	if err != nil || v.Session == nil || s.last(t).body["token_hash"] != "planted-hash" {
		t.Error(v, err)
	}
}

func TestDefectG02_SSOIsNeverSent(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"url":"https://idp.example.com/login"}`)
	_, err := s.theirs.SSO(types.SSORequest{Domain: "example.com", SkipHTTPRedirect: true})
	defect(t, err != nil && len(s.sent) == 0, err)

	to, err := s.ours.SSOURL(t.Context(), auth.SSO{Domain: "example.com", RedirectTo: "http://x/cb"})
	if err != nil || to != "https://idp.example.com/login" {
		t.Error(to, err)
	}
	if b := s.last(t).body; b["domain"] != "example.com" || b["skip_http_redirect"] != true || b["redirect_to"] != "http://x/cb" {
		t.Error(b)
	}
}

func TestDefectG03_ACodeIsSentUnderAnotherName(t *testing.T) {
	t.Parallel()
	s := both(t, 200, sessionJSON)
	verifier := auth.NewPKCE().Verifier()
	_, _ = s.theirs.Token(types.TokenRequest{GrantType: "pkce", Code: "c0de", CodeVerifier: verifier})
	b := s.last(t).body
	defect(t, b["code"] == "c0de" && b["auth_code"] == nil, b)

	p, err := auth.ParsePKCE(verifier)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ours.ExchangeCode(t.Context(), "c0de", p); err != nil {
		t.Error(err)
	}
	if b := s.last(t).body; b["auth_code"] != "c0de" || b["code_verifier"] != verifier {
		t.Error(b)
	}
}

func TestDefectG04_AnErrorIsAText(t *testing.T) {
	t.Parallel()
	s := both(t, 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`, "Content-Type", "application/json")
	_, err := s.theirs.SignInWithEmailPassword("a@example.com", password)
	defect(t, err != nil && reflect.TypeOf(err) == reflect.TypeOf(errors.New("")) && strings.Contains(err.Error(), `{"code"`), err)

	_, err = s.ours.SignInWithPassword(t.Context(), auth.Credentials{Email: "a@example.com", Password: password})
	if e, ok := errors.AsType[*auth.Error](err); !ok || e.Code != "invalid_credentials" || e.Status != 400 || !errors.Is(err, auth.ErrUnauthorized) {
		t.Error(err)
	}
}

func TestDefectG05_ABanIsANumber(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"id":"`+someID+`"}`)
	_, _ = s.theirs.AdminCreateUser(types.AdminCreateUserRequest{Email: "a@example.com", BanDuration: 24 * time.Hour})
	b := s.last(t).body
	defect(t, b["ban_duration"] == float64(24*time.Hour), b)

	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 10 * time.Hour: "10h", 30 * time.Second: "30s", 10 * time.Minute: "10m",
		time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s",
	} {
		if _, err := s.ours.Admin().CreateUser(t.Context(), auth.NewUser{Email: "a@example.com", BanFor: d}); err != nil {
			t.Error(err)
		}
		got, _ := s.last(t).body["ban_duration"].(string)
		if back, err := time.ParseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%v is sent as %q, want %q", d, got, want)
		}
	}
	if _, err := s.ours.Admin().UpdateUser(t.Context(), "u1", auth.UserChange{BanFor: new(time.Duration(0))}); err != nil || s.last(t).body["ban_duration"] != "none" {
		t.Error("a ban does not end", err)
	}
	if _, err := s.ours.Admin().CreateUser(t.Context(), auth.NewUser{Email: "a@example.com", BanFor: -1}); !errors.Is(err, auth.ErrInvalid) {
		t.Error(err)
	}
}

func TestDefectG06_OnlyTheFirstPageIsListed(t *testing.T) {
	t.Parallel()
	s := bothBy(t, func(r *http.Request) (*http.Response, error) {
		page, next := `{"users":[{"id":"`+someID+`"}]}`, `</admin/users?page=2&per_page=1>; rel="next", `
		if r.URL.Query().Get("page") == "2" {
			page, next = strings.Replace(page, "54", "55", 1), ""
		}
		return answerTo(r, 200, page, "X-Total-Count", "2", "Link", next+`</admin/users?page=2&per_page=1>; rel="last"`), nil
	})
	list, err := s.theirs.AdminListUsers()
	defect(t, err == nil && len(list.Users) == 1 && reflect.TypeOf(*list).NumField() == 1 && s.last(t).URL.RawQuery == "", list)

	p, err := s.ours.Admin().Users(t.Context(), auth.Page{Number: 1, Size: 1})
	if err != nil || p.Total != 2 || p.Next != 2 || p.Last != 2 {
		t.Error(p, err)
	}
	n := 0
	for u, err := range s.ours.Admin().AllUsers(t.Context()) {
		if err != nil || u.ID == "" {
			t.Error(u, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d users, want 2", n)
	}
}

func TestDefectG07_WhatCannotBeSaid(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{}`)
	if err := s.theirs.OTP(types.OTPRequest{Email: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	b := s.last(t).body
	defect(t, b["create_user"] == false && b["phone"] == "", b) // a new user is refused
	_, redirects := reflect.TypeFor[types.OTPRequest]().FieldByName("RedirectTo")
	_, channels := reflect.TypeFor[types.OTPRequest]().FieldByName("Channel")
	_, phones := reflect.TypeFor[types.EnrollFactorRequest]().FieldByName("Phone")
	scoped := reflect.TypeOf(s.theirs.Logout).NumIn() > 0
	defect(t, !redirects && !channels && !phones && !scoped, "they can be said")

	ctx, p := t.Context(), auth.NewPKCE()
	for _, tt := range []struct {
		name  string
		call  func() error
		query string
		body  map[string]any
	}{
		{"otp", func() error {
			_, err := s.ours.SendOTP(ctx, auth.OTP{Email: "a@example.com", RedirectTo: "http://x/cb", PKCE: p})
			return err
		}, "redirect_to=http%3A%2F%2Fx%2Fcb", map[string]any{"email": "a@example.com", "create_user": true, "code_challenge": p.Challenge(), "code_challenge_method": "s256"}},
		{"otp by phone", func() error {
			_, err := s.ours.SendOTP(ctx, auth.OTP{Phone: "+15551234567", Channel: auth.WhatsApp, ExistingOnly: true})
			return err
		}, "", map[string]any{"phone": "+15551234567", "create_user": false, "channel": "whatsapp"}},
		{"recover", func() error {
			return s.ours.Recover(ctx, auth.Recovery{Email: "a@example.com", RedirectTo: "http://x/cb", PKCE: p})
		}, "redirect_to=http%3A%2F%2Fx%2Fcb", map[string]any{"email": "a@example.com", "code_challenge": p.Challenge(), "code_challenge_method": "s256"}},
		{"invite", func() error {
			_, err := s.ours.Admin().Invite(ctx, auth.Invitation{Email: "a@example.com", RedirectTo: "http://x/cb"})
			return err
		}, "redirect_to=http%3A%2F%2Fx%2Fcb", map[string]any{"email": "a@example.com"}},
		{"sign-up", func() error {
			_, err := s.ours.SignUp(ctx, auth.SignUp{Phone: "+15551234567", Password: password, Channel: auth.SMS, RedirectTo: "http://x/cb", PKCE: p, CaptchaToken: "captcha-1"})
			return err
		}, "redirect_to=http%3A%2F%2Fx%2Fcb", map[string]any{
			"phone": "+15551234567", "password": password, "channel": "sms", "code_challenge": p.Challenge(), "code_challenge_method": "s256",
			"gotrue_meta_security": map[string]any{"captcha_token": "captcha-1"},
		}},
		{"sign-out", func() error { return s.ours.SignOut(ctx, auth.Others) }, "scope=others", nil},
		{"factor", func() error {
			_, err := s.ours.EnrollFactor(ctx, auth.NewFactor{Type: auth.PhoneFactor, Phone: "+15551234567"})
			return err
		}, "", map[string]any{"factor_type": "phone", "phone": "+15551234567"}},
	} {
		if err := tt.call(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		r := s.last(t)
		if r.URL.RawQuery != tt.query || !reflect.DeepEqual(r.body, tt.body) {
			t.Errorf("%s: %s %v, want %s %v", tt.name, r.URL.RawQuery, r.body, tt.query, tt.body)
		}
	}
}

func TestDefectG08_NothingCanBeSetToFalse(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"id":"`+someID+`"}`)
	request := types.AdminUpdateUserRequest{EmailConfirm: false, Phone: ""}
	request.UserID[0] = 1
	_, _ = s.theirs.AdminUpdateUser(request)
	b := s.last(t).body
	defect(t, len(b) == 0 && reflect.TypeFor[types.AdminDeleteUserRequest]().NumField() == 1, b)

	_, err := s.ours.Admin().UpdateUser(t.Context(), someID, auth.UserChange{
		EmailConfirm: new(false), Phone: new(""), UserMetadata: map[string]any{"gone": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"email_confirm": false, "phone": "", "user_metadata": map[string]any{"gone": nil}}
	if b := s.last(t).body; !reflect.DeepEqual(b, want) {
		t.Errorf("%v, want %v", b, want)
	}
	if err := s.ours.Admin().SoftDeleteUser(t.Context(), someID); err != nil || s.last(t).body["should_soft_delete"] != true {
		t.Error("no soft delete", err)
	}
}

func TestDefectG09_NothingEndsARequest(t *testing.T) {
	t.Parallel()
	contexts := 0
	for method := range reflect.TypeFor[gotrue.Client]().Methods() {
		for in := range method.Type.Ins() {
			if in == reflect.TypeFor[context.Context]() {
				contexts++
			}
		}
	}
	defect(t, contexts == 0, contexts)

	ctx, cancel := context.WithCancel(t.Context())
	s := bothBy(t, func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	if _, err := s.ours.User(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDefectG10_NoVersionAndNoNameOfTheClient(t *testing.T) {
	t.Parallel()
	s := both(t, 200, `{"name":"GoTrue"}`)
	_, _ = s.theirs.HealthCheck()
	h := s.last(t).Header
	defect(t, h.Get("X-Supabase-Api-Version") == "" && h.Get("X-Client-Info") == "", h)

	if _, err := s.ours.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if h := s.last(t).Header; h.Get("X-Supabase-Api-Version") != "2024-01-01" || h.Get("X-Client-Info") == "" {
		t.Error(h)
	}
}

func TestDefectG11_FieldsAreLostAndAnIDOfAnotherFormLosesAll(t *testing.T) {
	t.Parallel()
	body := `{"id":"firebase:1","is_anonymous":true,"is_sso_user":true,"identities":[{"identity_id":"i1","id":"p1"}]}`
	s := both(t, 200, body)
	_, err := s.theirs.GetUser()
	defect(t, err != nil, "an id that is no UUID")
	for _, name := range []string{"IsAnonymous", "IsSSOUser"} {
		_, there := reflect.TypeFor[types.User]().FieldByName(name)
		defect(t, !there, name)
	}
	for _, name := range []string{"ProviderToken", "WeakPassword"} {
		_, there := reflect.TypeFor[types.Session]().FieldByName(name)
		defect(t, !there, name)
	}

	u, err := s.ours.User(t.Context())
	if err != nil || u.ID != "firebase:1" || !u.IsAnonymous || !u.IsSSOUser || u.Identities[0].IdentityID != "i1" {
		t.Error(u, err)
	}
	s = both(t, 200, `{"access_token":"opaque","expires_in":60,"refresh_token":"r","provider_token":"pt","weak_password":{"reasons":["pwned"]}}`)
	mine, err := s.ours.SignInWithPassword(t.Context(), auth.Credentials{})
	if err != nil || mine.ProviderToken() != "pt" || mine.WeakPassword[0] != "pwned" || mine.Expired(0) || !mine.Expired(time.Minute) {
		t.Error(mine, err)
	}
	s = both(t, 204, "")
	if err := s.ours.Recover(t.Context(), auth.Recovery{Email: "a@example.com"}); err != nil {
		t.Errorf("an answer without a body: %v", err)
	}
}

func TestDefectG12_AnAddressNeedsARequest(t *testing.T) {
	t.Parallel()
	s := both(t, 302, "", "Location", "https://github.com/login")
	_, err := s.theirs.Authorize(types.AuthorizeRequest{Provider: types.ProviderGitHub})
	_, redirects := reflect.TypeFor[types.AuthorizeRequest]().FieldByName("RedirectTo")
	defect(t, err == nil && len(s.sent) == 1 && !redirects, s.sent)

	s.sent = nil
	address, err := s.ours.OAuthURL(t.Context(), auth.OAuth{Provider: "github", RedirectTo: "http://x/cb?a=b&c", Scopes: []string{"repo", "gist"}, Query: url.Values{"prompt": {"consent"}, "provider": {"evil"}}})
	if err != nil || len(s.sent) != 0 {
		t.Error(s.sent, err)
	}
	u, err := url.Parse(address)
	want := url.Values{"provider": {"github"}, "redirect_to": {"http://x/cb?a=b&c"}, "scopes": {"repo gist"}, "prompt": {"consent"}}
	if err != nil || !reflect.DeepEqual(u.Query(), want) || u.Path != "/auth/v1/authorize" {
		t.Error(address, err)
	}
}

func TestDefectG13_ACodeIsInTheAddressAndInItsErrors(t *testing.T) {
	t.Parallel()
	s := bothBy(t, func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: r.URL.String() + "?token=planted-otp-1", Err: io.ErrUnexpectedEOF}
	})
	_, err := s.theirs.Verify(types.VerifyRequest{Type: types.VerificationTypeMagiclink, Token: "planted-otp-1", RedirectTo: "http://x"})
	defect(t, err != nil && strings.Contains(err.Error(), "planted-otp-1") && strings.Contains(s.last(t).URL.RawQuery, "planted-otp-1"), err)

	_, err = s.ours.Verify(t.Context(), auth.Verification{Type: auth.VerifyMagicLink, Email: "a@example.com", Token: "planted-otp-1"})
	if err == nil || strings.Contains(err.Error(), "planted-otp-1") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if got := s.last(t).URL.String(); strings.Contains(got, "planted") {
		t.Error(got)
	}
}

func TestDefectG14_ARedirectTakesTheKeyElsewhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("apikey"))
	}))
	t.Cleanup(elsewhere.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+"/x", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)

	_, _ = gotrue.New("", serviceKey).WithCustomGoTrueURL(srv.URL).WithClient(http.Client{Transport: transport}).GetSettings()
	mu.Lock()
	defect(t, len(got) == 1 && got[0] == serviceKey, got)
	got = nil
	mu.Unlock()

	c, err := auth.New(srv.URL, auth.WithKey(serviceKey), auth.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Settings(t.Context()); err == nil || strings.Contains(err.Error(), "/x") {
		t.Errorf("%v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 0 {
		t.Errorf("the key went elsewhere: %q", got)
	}
}
