package supabasetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

type object = map[string]any

func signUp(t *testing.T, s *Server, email string) answer {
	t.Helper()
	return ask(t, s, "POST", "/auth/v1/signup", object{"email": email, "password": "secret-1"}).want(t, 200)
}

func admin(t *testing.T, s *Server, method, path string, body any) answer {
	t.Helper()
	return ask(t, s, method, "/auth/v1"+path, body, "apikey: "+s.ServiceKey, bearer(s.ServiceKey))
}

func verify(t *testing.T, s *Server, body object) answer {
	t.Helper()
	return ask(t, s, "POST", "/auth/v1/verify", body)
}

// claims are those of a token, which is not checked.
func claims(t *testing.T, token string) object {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c object
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCodesByMail(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithAuth(ConfirmEmail()))
	const ada = "ada@example.com"
	if a := signUp(t, s, ada); a.at("access_token") != nil || a.text("email") != ada {
		t.Fatalf("a session before the address is confirmed: %s", a.body)
	}
	if a := signUp(t, s, ada); len(a.at("identities").([]any)) != 1 {
		t.Errorf("who is not confirmed signs up again: %s", a.body)
	}
	verify(t, s, object{"type": "signup", "email": ada, "token": "000000x"}).want(t, 403, "otp_expired")
	verify(t, s, object{"type": "recovery", "email": ada, "token": s.LastOTP(ada)}).want(t, 403, "otp_expired")
	verify(t, s, object{"type": "email", "email": "ADA@example.com", "token": s.LastOTP(ada)}).want(t, 200, "access_token")
	verify(t, s, object{"type": "signup", "email": ada, "token": s.LastOTP(ada)}).want(t, 403, "otp_expired")
	if a := signUp(t, s, ada); len(a.at("identities").([]any)) != 0 {
		t.Errorf("a taken address is told: %s", a.body)
	}

	ask(t, s, "POST", "/auth/v1/otp", object{"email": ada, "create_user": false}).want(t, 200)
	s.Advance(time.Hour + time.Second)
	verify(t, s, object{"type": "magiclink", "email": ada, "token": s.LastOTP(ada)}).want(t, 403, "otp_expired")
	ask(t, s, "POST", "/auth/v1/recover", object{"email": ada}).want(t, 200)
	mail := s.Mail()[len(s.Mail())-1]
	if mail.Type != "recovery" || mail.To != ada {
		t.Errorf("mail %v", mail)
	}
	verify(t, s, object{"type": "recovery", "token_hash": mail.Hash, "email": ada}).want(t, 400, "Only the token_hash and type")
	verify(t, s, object{"type": "recovery", "token_hash": mail.Hash}).want(t, 200, "access_token")

	// Somebody new by a code alone.
	ask(t, s, "POST", "/auth/v1/otp", object{"email": "new@example.com", "data": object{"n": 1}}).want(t, 200)
	a := verify(t, s, object{"type": "email", "email": "new@example.com", "token": s.LastOTP("new@example.com")}).want(t, 200)
	if a.at("user", "user_metadata", "n") != 1.0 {
		t.Errorf("metadata is lost: %s", a.body)
	}
	for _, wrong := range []object{{}, {"type": "email"}, {"type": "email", "token": "1"}, {"type": "sms", "email": ada, "token": "1"}} {
		verify(t, s, wrong).want(t, 400, "validation_failed")
	}
}

func TestLinksAndPKCE(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithUser("ada@example.com", ""), WithAuth(SiteURL("https://app.example.com/in")))
	const ada = "ada@example.com"
	follow := func(link string) string {
		t.Helper()
		at, ok := strings.CutPrefix(link, s.URL)
		if !ok {
			t.Fatalf("link %q", link)
		}
		return ask(t, s, "GET", at, nil, "apikey: ").want(t, 303).header.Get("Location")
	}
	ask(t, s, "POST", "/auth/v1/otp", object{"email": ada}).want(t, 200)
	link := s.LastLink(ada)
	to, err := url.Parse(follow(link))
	if err != nil {
		t.Fatal(err)
	}
	fragment, err := url.ParseQuery(to.Fragment)
	if err != nil || to.Host != "app.example.com" || fragment.Get("refresh_token") == "" || fragment.Get("type") != "magiclink" {
		t.Fatalf("%v, %v", to, err)
	}
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(fragment.Get("access_token"))).want(t, 200, ada)
	if got := follow(link); !strings.Contains(got, "#error=access_denied&error_code=otp_expired") {
		t.Errorf("a link twice: %s", got)
	}

	// The address that a link leads to may have a query of its own; HTTPClient stays at the server.
	ask(t, s, "POST", "/auth/v1/otp?redirect_to="+url.QueryEscape("http://app.test/in?a=1&b=2"), object{"email": ada}).want(t, 200)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.LastLink(ada), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Location"); res.StatusCode != 303 || !strings.HasPrefix(got, "http://app.test/in?a=1&b=2#access_token=") {
		t.Errorf("%d, %s", res.StatusCode, got)
	}

	verifier := strings.Repeat("v", 50)
	sum := sha256.Sum256([]byte(verifier))
	for _, ch := range []object{
		{"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "s256"},
		{"code_challenge": verifier, "code_challenge_method": "plain"},
	} {
		ch["email"] = ada
		ask(t, s, "POST", "/auth/v1/otp?redirect_to=myapp://in", ch).want(t, 200)
		to, err := url.Parse(follow(s.LastLink(ada)))
		if err != nil || to.Scheme != "myapp" || to.Fragment != "" {
			t.Fatalf("%v, %v", to, err)
		}
		trade := func(v string) answer {
			return ask(t, s, "POST", "/auth/v1/token?grant_type=pkce", object{"auth_code": to.Query().Get("code"), "code_verifier": v})
		}
		trade("wrong").want(t, 400, "bad_code_verifier")
		trade(verifier).want(t, 200, "access_token")
		trade(verifier).want(t, 404, "flow_state_not_found")
	}
	if got := follow(s.LastLink(ada)); !strings.Contains(got, "?error=access_denied") || !strings.Contains(got, "#error=access_denied") {
		t.Errorf("a PKCE link twice: %s", got)
	}
	ask(t, s, "POST", "/auth/v1/otp", object{"email": ada, "code_challenge": "short", "code_challenge_method": "s256"}).want(t, 400)
	ask(t, s, "POST", "/auth/v1/otp", object{"email": ada, "code_challenge": verifier}).want(t, 400)
}

func TestUsersChange(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithAuth(ReauthenticatePassword()), WithUser("taken@example.com", ""))
	const ada, moved = "ada@example.com", "moved@example.com"
	first := signUp(t, s, ada)
	me := bearer(first.text("access_token"))
	other, err := s.SignIn(ada)
	if err != nil {
		t.Fatal(err)
	}
	put := func(body object) answer { return ask(t, s, "PUT", "/auth/v1/user", body, me) }

	put(object{"email": "taken@example.com"}).want(t, 422, "email_exists")
	put(object{"app_metadata": object{"admin": true}}).want(t, 403, "not_admin")
	put(object{"email": moved}).want(t, 200, `"new_email":"moved@example.com"`)
	// Both addresses must agree, in any order.
	verify(t, s, object{"type": "email_change", "email": moved, "token": s.LastOTP(moved)}).want(t, 200, `"code":"200"`)
	a := verify(t, s, object{"type": "email_change", "email": ada, "token": s.LastOTP(ada)}).want(t, 200, "access_token")
	if a.text("user", "email") != moved || a.at("user", "new_email") != nil || a.text("user", "user_metadata", "email") != moved {
		t.Errorf("moved: %s", a.body)
	}

	// A password ends the other sessions.
	put(object{"password": "secret-1"}).want(t, 422, "same_password")
	put(object{"password": "secret-2"}).want(t, 200)
	ask(t, s, "GET", "/auth/v1/user", nil, me).want(t, 200)
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(other.AccessToken)).want(t, 403, "session_not_found")

	// A day later it needs a code.
	s.Advance(25 * time.Hour)
	refreshed := ask(t, s, "POST", "/auth/v1/token?grant_type=refresh_token", object{"refresh_token": first.text("refresh_token")}).want(t, 200)
	me = bearer(refreshed.text("access_token"))
	put(object{"password": "secret-3"}).want(t, 400, "reauthentication_needed")
	ask(t, s, "GET", "/auth/v1/reauthenticate", nil, me).want(t, 200)
	put(object{"password": "secret-3", "nonce": "000000x"}).want(t, 422, "reauthentication_not_valid")
	put(object{"password": "secret-3", "nonce": s.LastOTP(moved)}).want(t, 200)
	put(object{"password": "secret-4", "nonce": s.LastOTP(moved)}).want(t, 422, "reauthentication_not_valid")
}

func TestAnonymousUsersStay(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	a := ask(t, s, "POST", "/auth/v1/signup", "{}").want(t, 200)
	me := bearer(a.text("access_token"))
	if claims(t, a.text("access_token"))["is_anonymous"] != true {
		t.Error("the token does not say that its bearer is anonymous")
	}
	ask(t, s, "PUT", "/auth/v1/user", object{"password": "secret-1"}, me).want(t, 422)
	got := ask(t, s, "PUT", "/auth/v1/user", object{"email": "ada@example.com", "password": "secret-1"}, me).want(t, 200, `"is_anonymous":false`)
	if got.text("id") != a.text("user", "id") {
		t.Error("another user")
	}
	ask(t, s, "POST", "/auth/v1/token?grant_type=password", object{"email": "ada@example.com", "password": "secret-1"}).want(t, 200)
	no := NewServer(t, WithoutPort(), WithAuth(NoAnonymous()))
	ask(t, no, "POST", "/auth/v1/signup", "{}").want(t, 422, "anonymous_provider_disabled")
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	me := bearer(signUp(t, s, "ada@example.com").text("access_token"))
	plain, err := s.SignIn("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string, body object, who string) answer {
		return ask(t, s, "POST", "/auth/v1/factors"+path, body, who)
	}
	f := post("", object{"factor_type": "totp", "friendly_name": "phone"}, me).want(t, 200)
	post("", object{"factor_type": "totp", "friendly_name": "phone"}, me).want(t, 422, "mfa_factor_name_conflict")
	post("", object{"factor_type": "banana"}, me).want(t, 400)
	id, secret := f.text("id"), f.text("totp", "secret")
	now := func() string {
		code, err := s.TOTP(secret)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	ch := post("/"+id+"/challenge", nil, me).want(t, 200).text("id")
	s.Advance(6 * time.Minute)
	post("/"+id+"/verify", object{"challenge_id": ch, "code": now()}, me).want(t, 422, "mfa_challenge_expired")
	ch = post("/"+id+"/challenge", nil, me).want(t, 200).text("id")
	up := post("/"+id+"/verify", object{"challenge_id": ch, "code": now()}, me).want(t, 200)
	if c := claims(t, up.text("access_token")); c["aal"] != "aal2" || c["amr"].([]any)[0].(object)["method"] != "totp" {
		t.Errorf("claims %v", c)
	}
	post("/"+id+"/verify", object{"challenge_id": ch, "code": now()}, me).want(t, 422)
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(plain.AccessToken)).want(t, 403, "session_not_found") // it did not show the factor

	// aal1 can neither add a factor nor take one away.
	weak, err := s.SignIn("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	post("", object{"factor_type": "totp"}, bearer(weak.AccessToken)).want(t, 403, "insufficient_aal")
	ask(t, s, "DELETE", "/auth/v1/factors/"+id, nil, bearer(weak.AccessToken)).want(t, 422, "insufficient_aal")
	strong := bearer(up.text("access_token"))
	ask(t, s, "DELETE", "/auth/v1/factors/nosuch", nil, strong).want(t, 404, "validation_failed")
	ask(t, s, "DELETE", "/auth/v1/factors/"+id, nil, strong).want(t, 200)
	again := ask(t, s, "POST", "/auth/v1/token?grant_type=refresh_token", object{"refresh_token": up.text("refresh_token")}).want(t, 200)
	if c := claims(t, again.text("access_token")); c["aal"] != "aal1" {
		t.Errorf("without the factor: %v", c["aal"])
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	id := newUUID()
	admin(t, s, "POST", "/admin/users", object{"id": id, "email": "Ada@Example.com", "password": "secret-1"}).want(t, 200, "ada@example.com", id)
	admin(t, s, "POST", "/admin/users", object{}).want(t, 400)
	ask(t, s, "POST", "/auth/v1/token?grant_type=password", object{"email": "ada@example.com", "password": "secret-1"}).want(t, 400, "email_not_confirmed")
	admin(t, s, "PUT", "/admin/users/"+id, object{"email_confirm": true, "role": "editor", "phone": "+15551234567"}).want(t, 200, "15551234567")
	in := ask(t, s, "POST", "/auth/v1/token?grant_type=password", object{"email": "ada@example.com", "password": "secret-1"}).want(t, 200)
	if c := claims(t, in.text("access_token")); c["role"] != "editor" {
		t.Errorf("role %v", c["role"])
	}
	admin(t, s, "PUT", "/admin/users/"+id, object{"ban_duration": "forever"}).want(t, 400)
	admin(t, s, "PUT", "/admin/users/"+id, object{"password": "1"}).want(t, 422, "weak_password")
	admin(t, s, "PUT", "/admin/users/"+id, object{"ban_duration": "1h"}).want(t, 200, "banned_until")
	ask(t, s, "POST", "/auth/v1/token?grant_type=refresh_token", object{"refresh_token": in.text("refresh_token")}).want(t, 400, "user_banned")
	s.Advance(61 * time.Minute)
	ask(t, s, "POST", "/auth/v1/token?grant_type=refresh_token", object{"refresh_token": in.text("refresh_token")}).want(t, 200)

	for i := range 5 {
		admin(t, s, "POST", "/invite", object{"email": fmt.Sprintf("guest%d@example.com", i)}).want(t, 200, "invited_at")
	}
	page := admin(t, s, "GET", "/admin/users?page=2&per_page=4", nil).want(t, 200)
	if got := page.header.Get("Link"); page.header.Get("X-Total-Count") != "6" || got != `</admin/users?page=2&per_page=4>; rel="last"` {
		t.Errorf("%s: %s", page.header.Get("X-Total-Count"), got)
	}
	if got := len(page.at("users").([]any)); got != 2 {
		t.Errorf("%d users on the last page", got)
	}
	if got := admin(t, s, "GET", "/admin/users?page=9", nil).want(t, 200); len(got.at("users").([]any)) != 0 {
		t.Errorf("a page after the last: %s", got.body)
	}
	admin(t, s, "GET", "/admin/users?page=x", nil).want(t, 400)
	verify(t, s, object{"type": "invite", "email": "guest1@example.com", "token": s.LastOTP("guest1@example.com")}).want(t, 200)
	admin(t, s, "POST", "/invite", object{"email": "guest1@example.com"}).want(t, 422, "email_exists")

	link := admin(t, s, "POST", "/admin/generate_link", object{"type": "magiclink", "email": "ada@example.com"}).want(t, 200)
	verify(t, s, object{"type": "magiclink", "token_hash": link.text("hashed_token")}).want(t, 200)
	for _, kind := range []string{"email_change_current", "email_change_new"} {
		link := admin(t, s, "POST", "/admin/generate_link", object{"type": kind, "email": "ada@example.com", "new_email": "lovelace@example.com"}).want(t, 200)
		verify(t, s, object{"type": "email_change", "token_hash": link.text("hashed_token")}).want(t, 200)
	}
	admin(t, s, "POST", "/admin/generate_link", object{"type": "recovery", "email": "nobody@example.com"}).want(t, 404)
	admin(t, s, "POST", "/admin/generate_link", object{"type": "x", "email": "nobody@example.com"}).want(t, 400)
	if s.auth.ID("nobody@example.com") != "" {
		t.Error("a refused link made a user")
	}

	admin(t, s, "DELETE", "/admin/users/"+id, object{"should_soft_delete": true}).want(t, 200)
	admin(t, s, "GET", "/admin/users/"+id, nil).want(t, 200, "deleted_at")
	signUp(t, s, "ada@example.com")
	admin(t, s, "GET", "/admin/sso/providers", nil).want(t, 404, "saml_provider_disabled")
	admin(t, s, "GET", "/passkeys", nil).want(t, 501, "passkeys")
	log := admin(t, s, "GET", "/admin/audit?query=action:user_invited&per_page=2", nil).want(t, 200, `"log_type":"team"`)
	if got := log.header.Get("X-Total-Count"); got != "5" || strings.Count(log.body, "ip_address") != 2 {
		t.Errorf("%s entries: %s", got, log.body)
	}
	admin(t, s, "GET", "/admin/audit?query=x:y", nil).want(t, 400)
}

func TestRefreshTokensThatAreStolen(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort())
	turn := func(token string) answer {
		return ask(t, s, "POST", "/auth/v1/token?grant_type=refresh_token", object{"refresh_token": token})
	}
	r0 := signUp(t, s, "ada@example.com").text("refresh_token")
	r1 := turn(r0).want(t, 200).text("refresh_token")
	if again := turn(r0).want(t, 200).text("refresh_token"); again != r1 {
		t.Error("within the interval the child is another")
	}
	s.Advance(11 * time.Second)
	if again := turn(r0).want(t, 200).text("refresh_token"); again != r1 {
		t.Error("the parent of the newest is refused")
	}
	r2 := turn(r1).want(t, 200).text("refresh_token")
	turn(r0).want(t, 400, "refresh_token_already_used")
	for _, token := range []string{r0, r1, r2} { // at once, although r1 was used a moment ago
		turn(token).want(t, 400, "refresh_token_already_used")
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithES256(), WithUser("ada@example.com", ""))
	old, err := s.UserToken("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	fresh, err := s.UserToken("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	keys := func() int {
		return len(ask(t, s, "GET", "/auth/v1/.well-known/jwks.json", nil, "apikey: ").want(t, 200).at("keys").([]any))
	}
	if n := keys(); n != 2 {
		t.Errorf("%d keys", n)
	}
	for _, token := range []string{old, fresh} {
		ask(t, s, "GET", "/auth/v1/user", nil, bearer(token)).want(t, 200)
	}
	s.RevokeKeys()
	if n := keys(); n != 1 {
		t.Errorf("%d keys", n)
	}
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(old)).want(t, 403, "signature is invalid")
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(fresh)).want(t, 200)
}

func TestPhones(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithAuth(AllowPhone()))
	const ada = "+15551234567"
	ask(t, s, "POST", "/auth/v1/signup", object{"phone": ada, "password": "secret-1"}).want(t, 200)
	ask(t, s, "POST", "/auth/v1/token?grant_type=password", object{"phone": ada, "password": "secret-1"}).want(t, 400, "phone_not_confirmed")
	verify(t, s, object{"type": "sms", "phone": ada, "token": s.LastOTP(ada)}).want(t, 200, "access_token")
	in := ask(t, s, "POST", "/auth/v1/token?grant_type=password", object{"phone": ada, "password": "secret-1"}).want(t, 200)
	ask(t, s, "PUT", "/auth/v1/user", object{"phone": "+15557654321"}, bearer(in.text("access_token"))).want(t, 200, "new_phone")
	a := verify(t, s, object{"type": "phone_change", "phone": "+15557654321", "token": s.LastOTP("+15557654321")}).want(t, 200)
	if a.text("user", "phone") != "15557654321" {
		t.Errorf("phone: %s", a.body)
	}
	ask(t, s, "POST", "/auth/v1/otp", object{"phone": "12"}).want(t, 200)
	ask(t, s, "POST", "/auth/v1/otp", object{"phone": "banana"}).want(t, 400)
}

func TestProviders(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithAuth(Providers("github", "google")))
	visit := func(path string, headers ...string) string {
		t.Helper()
		a := ask(t, s, "GET", path, nil, headers...).want(t, 302)
		to, err := url.Parse(a.header.Get("Location"))
		if err != nil || to.Query().Get("state") == "" {
			t.Fatalf("%s, %v", a.header.Get("Location"), err)
		}
		return to.Query().Get("state")
	}
	back := func(state, email string) *url.URL {
		t.Helper()
		a := ask(t, s, "GET", "/auth/v1/callback?state="+state+"&code="+url.QueryEscape(email), nil, "apikey: ").want(t, 303)
		to, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	state := visit("/auth/v1/authorize?provider=github&redirect_to=http://app.test/cb", "apikey: ")
	fragment, err := url.ParseQuery(back(state, "ada@example.com").Fragment)
	if err != nil || fragment.Get("access_token") == "" {
		t.Fatalf("%v, %v", fragment, err)
	}
	if again := back(state, "ada@example.com"); !strings.Contains(again.Fragment, "bad_oauth_state") {
		t.Errorf("a state twice: %s", again)
	}
	me := bearer(fragment.Get("access_token"))
	link := ask(t, s, "GET", "/auth/v1/user/identities/authorize?provider=google&skip_http_redirect=true", nil, me).want(t, 200)
	to, err := url.Parse(link.text("url"))
	if err != nil {
		t.Fatal(err)
	}
	back(to.Query().Get("state"), "lovelace@example.com")
	u := ask(t, s, "GET", "/auth/v1/user", nil, me).want(t, 200, `"providers":["github","google"]`)
	ids := u.at("identities").([]any)
	if len(ids) != 2 {
		t.Fatalf("identities: %s", u.body)
	}
	remove := func(i int) answer {
		id, _ := ids[i].(object)["identity_id"].(string)
		return ask(t, s, "DELETE", "/auth/v1/user/identities/"+id, nil, me)
	}
	remove(0).want(t, 200)
	remove(0).want(t, 422, "identity_not_found")
	remove(1).want(t, 422, "single_identity_not_deletable")
	// PKCE: the code is in the query.
	state = visit("/auth/v1/authorize?provider=github&code_challenge="+strings.Repeat("c", 43)+"&code_challenge_method=plain", "apikey: ")
	if to := back(state, "ada@example.com"); to.Query().Get("code") == "" {
		t.Errorf("no code: %s", to)
	}
}

func TestMailIsLimited(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithUser("ada@example.com", ""), WithAuth(MailInterval(time.Minute)))
	send := func() answer { return ask(t, s, "POST", "/auth/v1/otp", object{"email": "ada@example.com"}) }
	send().want(t, 200)
	s.Advance(10 * time.Second)
	send().want(t, 429, "over_email_send_rate_limit")
	s.Advance(time.Minute)
	send().want(t, 200)
	if n := len(s.Mail()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestTokensOfTests(t *testing.T) {
	t.Parallel()
	s := NewServer(t, WithoutPort(), WithUser("ada@example.com", "", UserRole("editor"), AppMetadata(object{"x": 1})))
	token, err := s.UserToken("ADA@example.com")
	if err != nil || claims(t, token)["role"] != "editor" {
		t.Errorf("%v", err)
	}
	id := newUUID()
	minted, err := s.UserToken(id)
	if err != nil || claims(t, minted)["sub"] != id {
		t.Errorf("%v", err)
	}
	ask(t, s, "GET", "/auth/v1/user", nil, bearer(minted)).want(t, 403, "user_not_found")
	if _, err := s.UserToken("nobody@example.com"); err == nil {
		t.Error("a token of nobody")
	}
}
