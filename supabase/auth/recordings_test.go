package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamconn/streamconn/supabase/auth"
)

// exchange is one recorded request to GoTrue 2.196, and its answer.
type exchange struct {
	N       int
	Label   string
	Request struct {
		Method, Path string
		Headers      [][2]string
		Body         *string
	}
	Response struct {
		Status  int
		Headers [][2]string
		Body    string
	}
}

// The servers that were recorded: one that confirms nobody, one that asks for a confirmation, one
// that signs with a key pair, and the first again, for what becomes of refresh tokens.
var servers = []string{"main", "confirm", "es256", "refresh"}

func recordings(t *testing.T, server string) []exchange {
	t.Helper()
	text, err := os.ReadFile("testdata/gotrue.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Items []exchange }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all[server].Items
}

func recording(t *testing.T, server string, n int) exchange {
	t.Helper()
	for _, e := range recordings(t, server) {
		if e.N == n {
			return e
		}
	}
	t.Fatalf("no recording %s %d", server, n)
	return exchange{}
}

func (e *exchange) header(name string) string {
	for _, h := range e.Request.Headers {
		if strings.EqualFold(h[0], name) {
			return keys.Replace(h[1])
		}
	}
	return ""
}

var keys = strings.NewReplacer("<ANON_KEY>", anonKey, "<SERVICE_KEY>", serviceKey)

// notSent are the recorded requests that this package does not make, and why.
var notSent = map[string]map[int]string{
	"main": {
		3:  "no answer of its own: TestClaimsOfAProjectWithoutKeys reads it",
		11: "broken JSON: ours is well-formed",
		12: "no body: ours has one",
		22: "a grant type that does not exist",
		23: "no grant type",
		24: "a GET of /token",
		29: "no refresh token: refused before anything is sent (TestWhatEndsASession)",
		31: "a user's call without a token: refused before anything is sent (TestACallOfAUserNeedsOne)",
		32: "as 31",
		55: "without create_user, which ours always says",
		56: "/magiclink, which creates users unasked: SendOTP does what it is for",
		61: "an admin call with a user's token: never made (TestAnAdminCallNeverHasAUsersToken)",
		62: "as 61",
		64: "an admin call without a bearer: ours has the key",
		85: "a browser's; ParseRedirect reads the answer (TestRecordedRedirects)",
		86: "as 85",
		88: "a browser's; OAuthURL makes the address (TestRecordedAddresses)",
		89: "as 88", 90: "as 88", 91: "as 88",
		113: "a sign-out without a token: as 31",
		117: "a path that does not exist",
		118: "a method that does not exist",
		119: "a browser's preflight",
	},
	"confirm": {16: "a browser's; ParseRedirect reads the answer (TestRecordedRedirects)"},
	"es256": {
		1: "no answer of its own: TestClaimsAreVerifiedHere reads it",
		2: "a document for OpenID clients",
	},
}

// call is what of this package makes a recorded request; nil if nothing does.
func call(e exchange) func(context.Context, *auth.Client) (any, error) {
	target, _ := url.Parse(e.Request.Path)
	path, query := target.Path, target.Query()
	var in struct {
		Email, Phone, Password, Token, Type, Provider, Code string
		TokenHash                                           string `json:"token_hash"`
		RefreshToken                                        string `json:"refresh_token"`
		AuthCode                                            string `json:"auth_code"`
		CodeVerifier                                        string `json:"code_verifier"`
		CodeChallenge                                       string `json:"code_challenge"`
		IDToken                                             string `json:"id_token"`
		FriendlyName                                        string `json:"friendly_name"`
		FactorType                                          string `json:"factor_type"`
		ChallengeID                                         string `json:"challenge_id"`
		RedirectTo                                          string `json:"redirect_to"`
		BanDuration                                         string `json:"ban_duration"`
		CreateUser                                          bool   `json:"create_user"`
		EmailConfirm                                        bool   `json:"email_confirm"`
		Soft                                                bool   `json:"should_soft_delete"`
		Data                                                map[string]any
		UserMetadata                                        map[string]any `json:"user_metadata"`
		AppMetadata                                         map[string]any `json:"app_metadata"`
	}
	if e.Request.Body != nil {
		_ = json.Unmarshal([]byte(*e.Request.Body), &in)
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	segment := func(i int) string { return strings.Split(path, "/")[i] }
	switch e.Request.Method + " " + path {
	case "GET /health":
		return func(ctx context.Context, c *auth.Client) (any, error) { return c.Health(ctx) }
	case "GET /settings":
		return func(ctx context.Context, c *auth.Client) (any, error) { return c.Settings(ctx) }
	case "POST /signup":
		if in.Email == "" && in.Phone == "" {
			return func(ctx context.Context, c *auth.Client) (any, error) {
				return c.SignInAnonymously(ctx, auth.Anonymous{Data: in.Data})
			}
		}
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.SignUp(ctx, auth.SignUp{Email: in.Email, Phone: in.Phone, Password: in.Password, Data: in.Data})
		}
	case "POST /token":
		switch query.Get("grant_type") {
		case "password":
			return func(ctx context.Context, c *auth.Client) (any, error) {
				return c.SignInWithPassword(ctx, auth.Credentials{Email: in.Email, Phone: in.Phone, Password: in.Password})
			}
		case "refresh_token":
			return func(ctx context.Context, c *auth.Client) (any, error) { return c.Refresh(ctx, in.RefreshToken) }
		case "pkce":
			return func(ctx context.Context, c *auth.Client) (any, error) {
				p, err := auth.ParsePKCE(in.CodeVerifier)
				if err != nil {
					return nil, err
				}
				return c.ExchangeCode(ctx, in.AuthCode, p)
			}
		case "id_token":
			return func(ctx context.Context, c *auth.Client) (any, error) {
				return c.SignInWithIDToken(ctx, auth.IDToken{Provider: in.Provider, Token: in.IDToken})
			}
		}
	case "GET /user":
		return func(ctx context.Context, c *auth.Client) (any, error) { return c.User(ctx) }
	case "PUT /user":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.UpdateUser(ctx, auth.UserUpdate{Email: in.Email, Password: in.Password, Data: in.Data})
		}
	case "GET /reauthenticate":
		return func(ctx context.Context, c *auth.Client) (any, error) { return nil, c.Reauthenticate(ctx) }
	case "POST /recover":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return nil, c.Recover(ctx, auth.Recovery{Email: in.Email})
		}
	case "POST /otp":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			to := auth.OTP{Email: in.Email, Phone: in.Phone, ExistingOnly: !in.CreateUser}
			if in.CodeChallenge != "" {
				to.PKCE, _ = auth.ParsePKCE("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") // RFC 7636's own
			}
			return c.SendOTP(ctx, to)
		}
	case "POST /resend":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.Resend(ctx, auth.Resend{Type: auth.VerifyType(in.Type), Email: in.Email})
		}
	case "POST /verify":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.Verify(ctx, auth.Verification{Type: auth.VerifyType(in.Type), Email: in.Email, Token: in.Token, TokenHash: in.TokenHash})
		}
	case "POST /logout":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			if s := query.Get("scope"); s != "" {
				return nil, c.SignOut(ctx, auth.Scope(s))
			}
			return nil, c.SignOut(ctx)
		}
	case "POST /factors":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.EnrollFactor(ctx, auth.NewFactor{FriendlyName: in.FriendlyName})
		}
	case "GET /admin/users":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			number, _ := strconv.Atoi(query.Get("page"))
			size, _ := strconv.Atoi(query.Get("per_page"))
			return c.Admin().Users(ctx, auth.Page{Number: number, Size: size})
		}
	case "POST /admin/users":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.Admin().CreateUser(ctx, auth.NewUser{
				Email: in.Email, Password: in.Password, EmailConfirm: in.EmailConfirm, UserMetadata: in.UserMetadata, AppMetadata: in.AppMetadata,
			})
		}
	case "POST /invite":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.Admin().Invite(ctx, auth.Invitation{Email: in.Email, Data: in.Data})
		}
	case "POST /admin/generate_link":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.Admin().GenerateLink(ctx, auth.NewLink{Type: auth.LinkType(in.Type), Email: in.Email, Password: in.Password, RedirectTo: in.RedirectTo})
		}
	}
	switch {
	case strings.HasPrefix(path, "/factors/") && last == "challenge":
		return func(ctx context.Context, c *auth.Client) (any, error) { return c.ChallengeFactor(ctx, segment(2)) }
	case strings.HasPrefix(path, "/factors/") && last == "verify":
		return func(ctx context.Context, c *auth.Client) (any, error) {
			return c.VerifyFactor(ctx, segment(2), in.ChallengeID, in.Code)
		}
	case strings.HasPrefix(path, "/factors/"):
		return func(ctx context.Context, c *auth.Client) (any, error) { return nil, c.UnenrollFactor(ctx, last) }
	case strings.HasPrefix(path, "/admin/users/") && last == "factors":
		return func(ctx context.Context, c *auth.Client) (any, error) { return c.Admin().Factors(ctx, segment(3)) }
	case strings.HasPrefix(path, "/admin/users/"):
		switch e.Request.Method {
		case "GET":
			return func(ctx context.Context, c *auth.Client) (any, error) { return c.Admin().User(ctx, last) }
		case "PUT":
			return func(ctx context.Context, c *auth.Client) (any, error) {
				ban, _ := time.ParseDuration(in.BanDuration) // none is no duration, and 0
				return c.Admin().UpdateUser(ctx, last, auth.UserChange{BanFor: &ban, AppMetadata: in.AppMetadata})
			}
		case "DELETE":
			return func(ctx context.Context, c *auth.Client) (any, error) {
				if in.Soft {
					return nil, c.Admin().SoftDeleteUser(ctx, last)
				}
				return nil, c.Admin().DeleteUser(ctx, last)
			}
		}
	}
	return nil
}

// clientFor is a client as whoever made the recorded request.
func clientFor(t *testing.T, e exchange, baseURL string) *auth.Client {
	t.Helper()
	key := e.header("apikey")
	if key == "" {
		key = anonKey
	}
	header := http.Header{}
	opts := []auth.Option{auth.WithKey(key), auth.WithRetry(auth.Retry{Disabled: true}), auth.WithHeader(header)}
	if from := e.header("X-Forwarded-For"); from != "" {
		header.Set("X-Forwarded-For", from)
	}
	scheme, bearer, _ := strings.Cut(e.header("Authorization"), " ")
	switch {
	case strings.HasPrefix(e.Request.Path, "/admin"), strings.HasPrefix(e.Request.Path, "/invite"):
	case scheme == "Bearer":
		opts = append(opts, auth.WithToken(token(bearer)))
	case scheme != "":
		header.Set("Authorization", e.header("Authorization"))
	}
	c, err := auth.New(baseURL, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Every recorded request that this package makes is made, and its answer becomes the value or the
// error. The others are in notSent.
func TestRecordedExchanges(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		for _, e := range recordings(t, server) {
			run := call(e)
			if why, skipped := notSent[server][e.N]; skipped {
				if why == "" {
					t.Errorf("%s %d is left out without a reason", server, e.N)
				}
				continue
			}
			if run == nil {
				t.Errorf("%s %d (%s) is neither made nor left out with a reason", server, e.N, e.Label)
				continue
			}
			t.Run(server+"/"+strconv.Itoa(e.N)+" "+e.Label, func(t *testing.T) {
				t.Parallel()
				replay(t, e, run)
			})
		}
	}
}

func replay(t *testing.T, e exchange, run func(context.Context, *auth.Client) (any, error)) {
	t.Helper()
	bodies := []string{e.Response.Body}
	if e.Response.Status >= 400 {
		bodies = append(bodies, otherForm(t, e))
	}
	for _, body := range bodies {
		var sent atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			compareRequest(t, e, r)
			for _, h := range e.Response.Headers {
				w.Header().Add(h[0], h[1])
			}
			w.WriteHeader(e.Response.Status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(srv.Close)
		got, err := run(t.Context(), clientFor(t, e, srv.URL))
		if sent.Load() != 1 {
			t.Fatalf("%d requests sent, want 1 (error: %v)", sent.Load(), err)
		}
		over := strings.HasPrefix(e.Request.Path, "/logout") && e.Response.Status == 403
		switch {
		case e.Response.Status >= 400 && !over:
			compareError(t, e, err)
		case err != nil:
			t.Fatal(err)
		default:
			compareValue(t, e, got)
		}
	}
}

// otherForm is the body of an error as the server writes it with, or without, the header
// X-Supabase-Api-Version.
func otherForm(t *testing.T, e exchange) string {
	t.Helper()
	var fields map[string]any
	if json.Unmarshal([]byte(e.Response.Body), &fields) != nil {
		return e.Response.Body
	}
	other := map[string]any{}
	if code, newer := fields["code"].(string); newer {
		other["code"], other["error_code"], other["msg"] = e.Response.Status, code, fields["message"]
	} else {
		other["code"], other["message"] = fields["error_code"], fields["msg"]
	}
	if weak, ok := fields["weak_password"]; ok {
		other["weak_password"] = weak
	}
	b, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func compareRequest(t *testing.T, e exchange, r *http.Request) {
	t.Helper()
	want, err := url.Parse(e.Request.Path)
	if err != nil {
		t.Error(err)
		return
	}
	if r.Method != e.Request.Method || r.URL.Path != want.Path {
		t.Errorf("sent %s %s, want %s %s", r.Method, r.URL.Path, e.Request.Method, want.Path)
	}
	if diff := cmp.Diff(want.Query(), r.URL.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if want := e.header("apikey"); want != "" && r.Header.Get("apikey") != want {
		t.Errorf("apikey: %q, want %q", r.Header.Get("apikey"), want)
	}
	for _, name := range []string{"Authorization", "X-Forwarded-For"} {
		if got, want := r.Header.Get(name), e.header(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := r.Header.Get("X-Supabase-Api-Version"); got != "2024-01-01" {
		t.Errorf("X-Supabase-Api-Version: %q", got)
	}
	body, _ := io.ReadAll(r.Body)
	if e.Request.Body == nil || *e.Request.Body == "" {
		if len(body) > 0 {
			t.Errorf("a body was sent: %s", body)
		}
		return
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %q", got)
	}
	if diff := cmp.Diff(parse(t, *e.Request.Body), parse(t, string(body))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	return v
}

// sentinels are what the codes of the recorded errors mean.
var sentinels = map[string]error{
	"user_already_exists": auth.ErrConflict, "email_exists": auth.ErrConflict,
	"invalid_credentials": auth.ErrUnauthorized, "bad_jwt": auth.ErrUnauthorized, "no_authorization": auth.ErrUnauthorized,
	"session_not_found": auth.ErrSessionDead, "refresh_token_not_found": auth.ErrSessionDead, "refresh_token_already_used": auth.ErrSessionDead,
	"email_not_confirmed": auth.ErrForbidden, "user_banned": auth.ErrForbidden, "not_admin": auth.ErrForbidden, "otp_expired": auth.ErrForbidden,
	"flow_state_not_found":       auth.ErrNotFound,
	"over_email_send_rate_limit": auth.ErrRateLimited, "over_request_rate_limit": auth.ErrRateLimited,
}

func compareError(t *testing.T, e exchange, err error) {
	t.Helper()
	got, ok := errors.AsType[*auth.Error](err)
	if !ok {
		t.Fatalf("error %v, want an *auth.Error", err)
	}
	var want struct {
		Code    any
		Name    string `json:"error_code"`
		Message string
		Msg     string
		Weak    struct{ Reasons []string } `json:"weak_password"`
	}
	if err := json.Unmarshal([]byte(e.Response.Body), &want); err != nil {
		t.Fatal(err)
	}
	code, text := want.Name, want.Msg
	if code == "" {
		code, text = want.Code.(string), want.Message
	}
	if got.Status != e.Response.Status || got.Code != code || got.Message != strings.Join(strings.Fields(text), " ") {
		t.Errorf("error %+v, want status %d, code %q and %q", got, e.Response.Status, code, text)
	}
	if is := sentinels[code]; is != nil && !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	}
	reasons, weak := auth.WeakPassword(err)
	if weak != (code == "weak_password") || !slices.Equal(reasons, want.Weak.Reasons) {
		t.Errorf("weak password %v: %v, want %v", weak, reasons, want.Weak.Reasons)
	}
	if after, want := auth.RetryAfter(err), strings.Contains(text, "after 59 seconds"); want != (after == 59*time.Second) || !want && after != 0 {
		t.Errorf("try again after %v: %v", after, err)
	}
	gone := code == "user_not_found" && got.Status == 403 // the token's own user
	if dead := errors.Is(err, auth.ErrSessionDead); dead != (gone || errors.Is(sentinels[code], auth.ErrSessionDead)) {
		t.Errorf("session dead is %v for %v", dead, err)
	}
}

// compareValue fails the test unless all of the answer is in the value.
func compareValue(t *testing.T, e exchange, got any) {
	t.Helper()
	if got == nil {
		return
	}
	var want any
	if e.Response.Body != "" {
		want = parse(t, e.Response.Body)
	}
	switch v := got.(type) {
	case *auth.SignUpResult:
		if v.Session != nil {
			if v.State != auth.SignedIn || v.User != v.Session.User {
				t.Errorf("%v with a session", v.State)
			}
			got = secretly(t, v.Session)
			break
		}
		state := auth.ConfirmationNeeded
		if strings.Contains(e.Label, "CONFIRMED") {
			state = auth.AlreadyRegistered
		}
		if v.State != state {
			t.Errorf("%v, want %v", v.State, state)
		}
		got = v.User
	case *auth.Verified:
		got = secretly(t, v.Session)
	case *auth.Session:
		got = secretly(t, v)
	case *auth.UserPage:
		if !strings.Contains(e.Request.Path, "page=") {
			break
		}
		total := int64(10)
		if e.N == 5 { // of the server with a key pair
			total = 14
		}
		if v.Total != total {
			t.Errorf("%d users in all, want %d", v.Total, total)
		}
		if number, _ := strconv.Atoi(mustQuery(t, e).Get("page")); number > 0 && (v.Next != number+1 || v.Last != 5) {
			t.Errorf("after page %d comes %d, and %d is the last", number, v.Next, v.Last)
		}
		got = map[string]any{"users": v.Users, "aud": "authenticated"}
	case *auth.Link:
		all := object(t, v.User)
		maps.Copy(all, map[string]any{
			"action_link": v.URL(), "email_otp": v.OTP(), "hashed_token": v.TokenHash(),
			"verification_type": string(v.Type), "redirect_to": v.RedirectTo,
		})
		got = all
	case *auth.Enrollment:
		got = map[string]any{
			"id": v.ID, "type": v.Type, "friendly_name": v.FriendlyName,
			"totp": map[string]string{"qr_code": v.QRCode(), "secret": v.Secret(), "uri": v.URI()},
		}
	case *auth.Challenge:
		got = map[string]any{"id": v.ID, "type": v.Type, "expires_at": v.ExpiresAt.Unix()}
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacks("", want, parse(t, string(b))); len(missing) > 0 {
		t.Errorf("the value lacks of the answer: %s", strings.Join(missing, "; "))
	}
}

func mustQuery(t *testing.T, e exchange) url.Values {
	t.Helper()
	u, err := url.Parse(e.Request.Path)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func secretly(t *testing.T, s *auth.Session) map[string]any {
	t.Helper()
	b, err := s.MarshalSecret()
	if err != nil {
		t.Fatal(err)
	}
	m := parse(t, string(b)).(map[string]any)
	m["expires_in"] = 3600.0 // what is left of it is not kept
	return m
}

func object(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(b)).(map[string]any)
}

// lacks tells what of want is not in got.
func lacks(at string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{at}
		}
		var missing []string
		for name, v := range want {
			if other, there := g[name]; there || v != "" { // an empty phone may be left out
				missing = append(missing, lacks(at+"."+name, v, other)...)
			}
		}
		return missing
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return []string{at}
		}
		var missing []string
		for i := range want {
			missing = append(missing, lacks(at+"["+strconv.Itoa(i)+"]", want[i], g[i])...)
		}
		return missing
	}
	if want != got {
		return []string{at}
	}
	return nil
}

// The addresses that browsers are sent to are those that were recorded.
func TestRecordedAddresses(t *testing.T) {
	t.Parallel()
	c := answering(t, 500, "")
	p, err := auth.ParsePKCE("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	if err != nil {
		t.Fatal(err)
	}
	for n, by := range map[int]auth.OAuth{
		88: {Provider: "github", RedirectTo: "http://127.0.0.1:3000/cb"},
		89: {Provider: "github", PKCE: p, Query: url.Values{"skip_http_redirect": {"true"}}},
		90: {Provider: "google"},
		91: {Provider: "nosuch"},
	} {
		address, err := c.OAuthURL(t.Context(), by)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := url.Parse(baseURL + recording(t, "main", n).Request.Path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Query(), got.Query()); diff != "" || got.Path != want.Path || got.Host != want.Host {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// What comes back with a browser is read: a session, an error, a code.
func TestRecordedRedirects(t *testing.T) {
	t.Parallel()
	location := func(server string, n int) *url.URL {
		for _, h := range recording(t, server, n).Response.Headers {
			if h[0] == "Location" {
				u, err := url.Parse(h[1])
				if err != nil {
					t.Fatal(err)
				}
				return u
			}
		}
		t.Fatalf("%s %d redirects nowhere", server, n)
		return nil
	}
	r, err := auth.ParseRedirect(location("main", 85))
	if err != nil {
		t.Fatal(err)
	}
	if r.Session == nil || r.Session.RefreshToken() != "3slklrlrszx4" || r.Session.ExpiresAt.Unix() != 1795172828 || r.Type != auth.VerifyMagicLink || r.Code != "" {
		t.Errorf("%+v", r)
	}
	_, err = auth.ParseRedirect(location("main", 86))
	if e, ok := errors.AsType[*auth.Error](err); !ok || e.Code != "otp_expired" || e.Message != "Email link is invalid or has expired" || !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%+v", err)
	}
	r, err = auth.ParseRedirect(location("confirm", 16))
	if err != nil || r.Code != "2158c055-004d-4152-9517-2538ed1b13ef" || r.Session != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// What became of refresh tokens in the recordings: the successor is the same within the interval,
// and for the parent of the newest; a grandparent ends the family, and the access token lives on.
func TestRecordedRotation(t *testing.T) {
	t.Parallel()
	var got []string
	for _, e := range recordings(t, "refresh")[1:] {
		v, err := call(e)(t.Context(), clientFor(t, e, serveRecording(t, e)))
		switch v := v.(type) {
		case *auth.Session:
			if err == nil {
				got = append(got, v.RefreshToken())
				continue
			}
		case *auth.User:
			if err == nil {
				got = append(got, "user")
				continue
			}
		}
		e, ok := errors.AsType[*auth.Error](err)
		if !ok || !errors.Is(err, auth.ErrSessionDead) {
			t.Fatal(err)
		}
		got = append(got, e.Code)
	}
	used := "refresh_token_already_used"
	want := []string{"p5ldx3s3qb4t", "p5ldx3s3qb4t", "67k2joyjagqo", "67k2joyjagqo", used, used, used, "user"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func serveRecording(t *testing.T, e exchange) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range e.Response.Headers {
			w.Header().Add(h[0], h[1])
		}
		w.WriteHeader(e.Response.Status)
		_, _ = io.WriteString(w, e.Response.Body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
