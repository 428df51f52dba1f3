package auth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/auth"
)

// unsigned makes a token of claims; nobody signed it.
func unsigned(claims string) string {
	return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestASessionIsStoredAndLoaded(t *testing.T) {
	t.Parallel()
	s, err := auth.ParseSession([]byte(strings.Replace(sessionJSON, "{", `{"provider_token":"pt-1","provider_refresh_token":"pr-1","weak_password":{"message":"weak","reasons":["pwned"]},`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.MarshalSecret()
	if err != nil {
		t.Fatal(err)
	}
	again, err := auth.ParseSession(b)
	if err != nil {
		t.Fatal(err)
	}
	type view struct {
		Access, Refresh, Provider, ProviderRefresh, Type string
		At                                               time.Time
		User                                             *auth.User
		Weak                                             []string
	}
	look := func(s *auth.Session) view {
		return view{s.AccessToken(), s.RefreshToken(), s.ProviderToken(), s.ProviderRefreshToken(), s.TokenType, s.ExpiresAt.UTC(), s.User, s.WeakPassword}
	}
	want := view{
		accessToken, refreshToken, "pt-1", "pr-1", "bearer", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		&auth.User{ID: "u1", Aud: "authenticated", Role: "authenticated", Email: "ada@example.com"},
		[]string{"pwned"},
	}
	if diff := cmp.Diff(want, look(s)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, look(again)); diff != "" {
		t.Errorf("stored and loaded (-want +got):\n%s", diff)
	}
}

func TestExpiryIsTheEarliestThatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		exp := func(d time.Duration) string {
			return unsigned(`{"exp":` + strconv.FormatInt(now.Add(d).Unix(), 10) + `}`)
		}
		at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
		for _, tt := range []struct {
			name, json string
			want       time.Duration
		}{
			{"expires_at", `{"access_token":"opaque","expires_at":` + at(time.Hour) + `}`, time.Hour},
			{"none, but expires_in", `{"access_token":"opaque","expires_in":3600}`, time.Hour},
			{"expires_at of 0, as older servers", `{"access_token":"opaque","expires_in":60,"expires_at":0}`, time.Minute},
			{"expires_at before expires_in", `{"access_token":"opaque","expires_in":3600,"expires_at":` + at(time.Minute) + `}`, time.Minute},
			{"the token's own, alone", `{"access_token":"` + exp(time.Minute) + `"}`, time.Minute},
			{"the token's own is earlier", `{"access_token":"` + exp(time.Minute) + `","expires_in":3600}`, time.Minute},
			{"the token's own is later", `{"access_token":"` + exp(9*time.Hour) + `","expires_in":3600}`, time.Hour},
			{"the token says nothing", `{"access_token":"` + unsigned(`{}`) + `","expires_in":3600}`, time.Hour},
		} {
			s, err := auth.ParseSession([]byte(tt.json))
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got := s.ExpiresAt.Sub(now); got != tt.want {
				t.Errorf("%s: expires in %v, want %v", tt.name, got, tt.want)
			}
			if s.Expired(tt.want-time.Second) || !s.Expired(tt.want) {
				t.Errorf("%s: Expired is wrong", tt.name)
			}
		}
	})
	if !(*auth.Session)(nil).Expired(0) {
		t.Error("no session is not expired")
	}
}

func TestNewSession(t *testing.T) {
	t.Parallel()
	s, err := auth.NewSession(accessToken, refreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if s.AccessToken() != accessToken || s.RefreshToken() != refreshToken || s.ExpiresAt.Unix() != 4102444800 || s.User != nil {
		t.Errorf("%v", s)
	}
	for name, bad := range map[string]string{
		"empty": "", "a key": "sb_secret_planted", "two parts": "eyJhbGciOiJIUzI1NiJ9.e30", "four parts": accessToken + ".x",
		"no expiry": unsigned(`{"sub":"u1"}`), "no object": unsigned(`[1]`), "broken": "eyJ.planted-planted.x",
		"broken claims": unsigned(`{"exp":1`), "a line break": strings.Replace(accessToken, ".", "\n.", 1),
		"huge": strings.Repeat("a", 1<<20) + "." + "e30.x",
	} {
		if s, err := auth.NewSession(bad, "r"); err == nil {
			t.Errorf("%s: %v", name, s)
		} else if strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoSession(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"no JSON": "planted", "null": "null", "an array": "[]", "no token": `{"refresh_token":"planted"}`,
		"a number": `{"access_token":17}`, "no expiry": `{"access_token":"planted"}`,
		"a line break": `{"access_token":"planted\nx","expires_in":3600}`,
		"an odd time":  `{"access_token":"a","expires_in":3600,"user":{"created_at":"planted"}}`,
	} {
		if s, err := auth.ParseSession([]byte(bad)); err == nil {
			t.Errorf("%s: %v", name, s)
		} else if strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := new(auth.Session).MarshalSecret(); err == nil {
		t.Error("an empty session is stored")
	}
	if _, err := (*auth.Session)(nil).MarshalSecret(); err == nil {
		t.Error("no session is stored")
	}
}

// What json.Marshal gives is for logs: it must not come back as a session whose token is REDACTED.
func TestMaskedJSONIsNotReadBack(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(newSession(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"access_token":"REDACTED"`) || !strings.Contains(string(b), `"id":"u1"`) {
		t.Errorf("%s", b)
	}
	if s, err := auth.ParseSession(b); err == nil || !strings.Contains(err.Error(), "MarshalSecret") {
		t.Errorf("%v, %v", s, err)
	}
}

func TestASessionShowsNoToken(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	type inside struct {
		s  *auth.Session
		v  auth.Session
		E  auth.Session
		m  map[string]auth.Session
		in any
	}
	holder := inside{s, *s, *s, map[string]auth.Session{"a": *s}, *s}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "session", s, "value", *s, "holder", holder, "list", []auth.Session{*s})
	}
	texts := []string{log.String(), s.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		for _, v := range []any{s, *s, &s, holder, &holder, []*auth.Session{s}, map[string]any{"s": *s}, struct{ error }{fmt.Errorf("%v", s)}} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
	}
	for _, v := range []any{s, *s, &holder, map[string]any{"s": s}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		texts = append(texts, string(b))
	}
	for _, text := range texts {
		for _, secret := range []string{accessToken, refreshToken, fmt.Sprintf("%x", accessToken), fmt.Sprintf("%X", refreshToken), "cGxhbnRlZC1zaWduYXR1cmU"} {
			if strings.Contains(text, secret) {
				t.Errorf("shows %q: %s", secret, text)
			}
		}
	}
}

func TestACloneSharesNothing(t *testing.T) {
	t.Parallel()
	u := &auth.User{
		UserMetadata: map[string]any{"a": []any{map[string]any{"b": 1.0}}}, Factors: []auth.Factor{{ID: "f"}},
		Identities: []auth.Identity{{Data: map[string]any{"c": 1.0}}},
	}
	s := newSession(t)
	s.User, s.WeakPassword = u, []string{"length"}
	n := s.Clone()
	n.WeakPassword[0] = "x"
	n.User.UserMetadata["a"].([]any)[0].(map[string]any)["b"] = 2.0
	n.User.Factors[0].ID = "x"
	n.User.Identities[0].Data["c"] = 2.0
	want := &auth.User{
		UserMetadata: map[string]any{"a": []any{map[string]any{"b": 1.0}}}, Factors: []auth.Factor{{ID: "f"}},
		Identities: []auth.Identity{{Data: map[string]any{"c": 1.0}}},
	}
	if diff := cmp.Diff(want, s.User); diff != "" || s.WeakPassword[0] != "length" || n.AccessToken() != accessToken {
		t.Error(diff)
	}
	if (*auth.Session)(nil).Clone() != nil || (*auth.User)(nil).Clone() != nil {
		t.Error("a clone of nothing is something")
	}
}

func TestTimesOfUsers(t *testing.T) {
	t.Parallel()
	var u auth.User
	err := json.Unmarshal([]byte(`{"id":"u","created_at":"2026-11-20T10:08:30.559128123Z","updated_at":"2026-11-20T12:08:30.5+02:00",
		"confirmed_at":null,"banned_until":"","factors":[{"id":"f","last_challenged_at":"","created_at":"2026-11-20T10:08:30Z"}],
		"user_metadata":{"seen_at":""},"email":"","phone":null}`), &u)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.User{
		ID:        "u",
		CreatedAt: time.Date(2026, 11, 20, 10, 8, 30, 559128123, time.UTC), UpdatedAt: time.Date(2026, 11, 20, 10, 8, 30, 500000000, time.UTC),
		Factors:      []auth.Factor{{ID: "f", CreatedAt: time.Date(2026, 11, 20, 10, 8, 30, 0, time.UTC)}},
		UserMetadata: map[string]any{"seen_at": ""},
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`{"created_at":"yesterday"}`), &u); err == nil {
		t.Error("yesterday is a time")
	}
}
