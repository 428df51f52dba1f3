package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newApp gives the program on a project of its own. No socket is used, so that it runs in bubbles
// of synctest too.
func newApp(t *testing.T) (*app, *supabasetest.Server) {
	t.Helper()
	srv := supabasetest.NewServer(t, supabasetest.WithoutPort(), supabasetest.WithSchema(schema))
	sb, err := supabase.Open(t.Context(), "test", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey),
		supabase.WithHTTPClient(srv.HTTPClient()), connection.WithSecrets(secrets.Of(nil)), connection.WithDefaultTTL(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	c, err := newCookies(newKey(), true)
	if err != nil {
		t.Fatal(err)
	}
	return &app{sb: sb, cookies: c, log: slog.New(slog.DiscardHandler)}, srv
}

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// direct hands requests to a handler.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func open(t *testing.T, a *app) *browser {
	t.Helper()
	b, err := newBrowser("https://notes.test")
	if err != nil {
		t.Fatal(err)
	}
	b.Transport = direct{a.handler()}
	return b
}

// get and post are the browser's, of which the test fails unless the page has the status.
func (b *browser) mustGet(t *testing.T, status int, path string, header ...string) answer {
	t.Helper()
	a, err := b.do(t.Context(), http.MethodGet, path, nil, header...)
	return check(t, a, err, status, path)
}

func (b *browser) mustPost(t *testing.T, status int, path string, fields ...string) answer {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	a, err := b.post(t.Context(), path, form)
	return check(t, a, err, status, path)
}

func check(t *testing.T, a answer, err error, status int, path string) answer {
	t.Helper()
	if err != nil || a.status != status {
		t.Fatalf("%s: %d, %v, want %d\n%s", path, a.status, err, status, a.body)
	}
	return a
}

func signUp(t *testing.T, a *app, email string) *browser {
	t.Helper()
	b := open(t, a)
	b.mustPost(t, 200, "/signup", "email", email, "password", "correct horse")
	return b
}

func TestDemonstration(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out, "127.0.0.1:0", "", false, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ada@example.com signs up, writes, and sees ["Bernoulli numbers" "Write to Charles"]`,
		`bob@example.com signs up, writes, and sees ["Feed the cat"]`,
		"the session was renewed", "posts as Bob: 403", "her cookie is led to /signin", `Bob still sees ["Feed the cat"]`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	from, to := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, to, "127.0.0.1:0", "", false, true) }()
	var address string
	if _, err := fmt.Fscanln(from, &address); err != nil {
		t.Fatal(err)
	}
	b, err := newBrowser(address)
	if err != nil {
		t.Fatal(err)
	}
	defer b.CloseIdleConnections()
	b.Transport = &http.Transport{MaxConnsPerHost: 1}
	if a := b.mustGet(t, 200, "/"); a.path != "/signin" {
		t.Errorf("a stranger is led to %s", a.path)
	}
	if a := b.mustGet(t, 200, "/style.css"); !strings.Contains(a.body, "color-scheme") {
		t.Error("there is no style")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Many browsers at once, on one connection: each sees what its user has written, and nothing else.
func TestUsersAtOnce(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := open(t, a)
			form := url.Values{"email": {fmt.Sprintf("user%d@example.com", i)}, "password": {"correct horse"}}
			if page, err := b.post(t.Context(), "/signup", form); err != nil || page.status != 200 {
				t.Errorf("sign-up: %d, %v", page.status, err)
				return
			}
			for n := range 5 {
				if _, err := b.post(t.Context(), "/notes", url.Values{"body": {fmt.Sprintf("%d of %d", n, i)}}); err != nil {
					t.Error(err)
				}
				page, err := b.get(t.Context(), "/")
				if err != nil {
					t.Error(err)
				}
				notes := page.notes()
				if len(notes) != n+1 {
					t.Errorf("user %d sees %q after %d notes", i, notes, n+1)
				}
				for _, note := range notes {
					if !strings.HasSuffix(note, fmt.Sprintf(" of %d", i)) {
						t.Errorf("user %d sees %q", i, note)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestNobodyChangesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	a, srv := newApp(t)
	ada, bob := signUp(t, a, "ada@example.com"), signUp(t, a, "bob@example.com")
	ada.mustPost(t, 200, "/notes", "body", "<script>alert(1)</script>")
	if page := ada.mustGet(t, 200, "/"); strings.Contains(page.body, "<script>") || len(page.notes()) != 1 {
		t.Errorf("the page of Ada:\n%s", page.body)
	}
	bob.mustPost(t, 200, "/notes/1/delete")
	bob.mustPost(t, 404, "/notes/x/delete")
	rows, err := srv.Query(t.Context(), `select body from notes`)
	if err != nil || len(rows) != 1 {
		t.Errorf("%d notes, %v", len(rows), err)
	}
	ada.mustPost(t, 200, "/notes/1/delete")
	if page := ada.mustGet(t, 200, "/"); len(page.notes()) != 0 {
		t.Errorf("Ada sees %q after all was deleted", page.notes())
	}
	ada.mustPost(t, 422, "/notes", "body", strings.Repeat("x", 501))
	ada.mustPost(t, 422, "/notes")
}

func TestWhoDoesNotGetIn(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t)
	signUp(t, a, "ada@example.com")
	for _, test := range []struct{ path, email, password, want string }{
		{"/signin", "ada@example.com", "wrong", "no account with this address and password"},
		{"/signin", "nobody@example.com", "correct horse", "no account with this address and password"},
		{"/signin", "", "", "Give an e-mail address"},
		{"/signup", "", "", "Give an e-mail address"},
		{"/signup", "nothing", "correct horse", "Give an e-mail address"},
		{"/signup", "new@example.com", "abc", "too weak"},
		{"/signup", "ada@example.com", "correct horse", "has an account"},
	} {
		b := open(t, a)
		page := b.mustPost(t, 422, test.path, "email", test.email, "password", test.password)
		if !strings.Contains(page.body, test.want) || b.cookies() != "" {
			t.Errorf("%s as %q: cookies %q,\n%s", test.path, test.email, b.cookies(), page.body)
		}
	}
	b := open(t, a)
	for _, path := range []string{"/notes", "/notes/1/delete", "/signout"} {
		if page := b.mustPost(t, 200, path, "body", "x"); page.path != "/signin" {
			t.Errorf("%s leads strangers to %s", path, page.path)
		}
	}
	b.mustPost(t, 200, "/signin", "email", "ada@example.com", "password", "correct horse")
	if page := b.mustGet(t, 200, "/"); !strings.Contains(page.body, "ada@example.com") {
		t.Errorf("the page of Ada:\n%s", page.body)
	}
}

func TestNobodyLosesTheirSessionWhileTheProjectIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that what is tried again costs no time
		a, srv := newApp(t)
		b := signUp(t, a, "ada@example.com")
		b.mustGet(t, 200, "/")
		kept := b.cookies()
		srv.Down()
		b.mustGet(t, 200, "/") // cached
		b.mustPost(t, 503, "/notes", "body", "x")
		b.mustGet(t, 503, "/")
		open(t, a).mustPost(t, 503, "/signin", "email", "ada@example.com", "password", "correct horse")
		if err := srv.Up(); err != nil {
			t.Fatal(err)
		}
		b.mustGet(t, 200, "/")
		srv.Inject(supabasetest.Fault{Service: supabasetest.Rest, Status: 401, Body: `{"message":"Invalid API key"}`})
		b.mustPost(t, 503, "/notes", "body", "x")
		if b.cookies() != kept {
			t.Error("an outage, or a key that is refused, has cost the session")
		}
		srv.Inject(supabasetest.Fault{Service: supabasetest.Rest, Status: 401, Body: `{"code":"PGRST301","message":"JWSError JWSInvalidSignature"}`})
		if page := b.mustPost(t, 200, "/notes", "body", "x"); page.path != "/signin" {
			t.Errorf("a token that is refused leads to %s", page.path)
		}
		if b.cookies() != "" {
			t.Error("a token that is refused is kept")
		}
	})
}

func TestConfirmationByMail(t *testing.T) {
	t.Parallel()
	srv := supabasetest.NewServer(t, supabasetest.WithoutPort(), supabasetest.WithSchema(schema), supabasetest.WithAuth(supabasetest.ConfirmEmail()),
		supabasetest.WithUser("ada@example.com", "correct horse"))
	a, _ := newApp(t)
	sb, err := supabase.Open(t.Context(), "test", supabase.WithURL(srv.URL), supabase.WithKey(srv.AnonKey),
		supabase.WithHTTPClient(srv.HTTPClient()), connection.WithSecrets(secrets.Of(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	a.sb = sb
	b := open(t, a)
	fresh := b.mustPost(t, 200, "/signup", "email", "new@example.com", "password", "correct horse")
	taken := b.mustPost(t, 200, "/signup", "email", "ada@example.com", "password", "correct horse")
	if fresh.body != taken.body || !strings.Contains(fresh.body, "sent you a mail") {
		t.Errorf("a new address and one that is taken are told apart:\n%s\n%s", fresh.body, taken.body)
	}
	if page := b.mustPost(t, 422, "/signin", "email", "new@example.com", "password", "correct horse"); !strings.Contains(page.body, "Follow the link") {
		t.Error(page.body)
	}
}

func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	a, srv := newApp(t)
	b := signUp(t, a, "ada@example.com")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.test"}} {
		for _, path := range []string{"/notes", "/notes/1/delete", "/signout", "/signin", "/signup"} {
			if page, err := b.post(t.Context(), path, url.Values{"body": {"spam"}}, header...); err != nil || page.status != 403 {
				t.Errorf("%s with %q: %d, %v", path, header, page.status, err)
			}
		}
	}
	if rows, err := srv.Query(t.Context(), `select id from notes`); err != nil || len(rows) != 0 {
		t.Errorf("%d notes, %v", len(rows), err)
	}
	if page, err := b.post(t.Context(), "/notes", url.Values{"body": {"mine"}}, "Sec-Fetch-Site", "same-origin", "Origin", b.address); err != nil || len(page.notes()) != 1 {
		t.Errorf("the program's own form: %d, %v", page.status, err)
	}
	if page := b.mustPost(t, 422, "/notes", "body", strings.Repeat("x", 100<<10)); len(page.notes()) != 1 {
		t.Error(page.body)
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t)
	b := open(t, a)
	w := httptest.NewRecorder()
	form := strings.NewReader(url.Values{"email": {"ada@example.com"}, "password": {"correct horse"}}.Encode())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, b.address+"/signup", form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a.handler().ServeHTTP(w, r)
	set := w.Result().Cookies()
	if len(set) != 1 || set[0].Name != "__Host-session" || !set[0].HttpOnly || !set[0].Secure || set[0].SameSite != http.SameSiteLaxMode ||
		set[0].Path != "/" || set[0].Domain != "" || set[0].MaxAge <= 0 {
		t.Fatalf("cookies: %v", set)
	}
	good := set[0].Value
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"access_token", "ada@example.com", "eyJhbGciOi"} /* how a JWT begins */ {
		if strings.Contains(string(raw), part) || strings.Contains(good, part) {
			t.Errorf("the cookie shows %q", part)
		}
	}
	with := func(c *cookies, values ...string) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, b.address, nil)
		for i, v := range values {
			r.AddCookie(&http.Cookie{Name: c.part(i), Value: v})
		}
		_, err := c.read(r)
		return err
	}
	if err := with(a.cookies, good); err != nil {
		t.Errorf("the cookie as it was set: %v", err)
	}
	other, err := newCookies(newKey(), true)
	if err != nil {
		t.Fatal(err)
	}
	if with(other, good) == nil {
		t.Error("another key opens the cookie")
	}
	open := &cookies{a.cookies.aead, false}
	if with(open, good) == nil {
		t.Error("a cookie of https is taken for one of http")
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 1
		if with(a.cookies, base64.RawURLEncoding.EncodeToString(changed)) == nil {
			t.Fatalf("byte %d can be changed", i)
		}
	}
	for _, bad := range []string{"", "x", "%", good[:len(good)-4], good + "AAAA"} {
		if with(a.cookies, bad) == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
	if with(a.cookies, good, "AAAA") == nil {
		t.Error("a part too many is taken")
	}
	if _, err := newCookies([]byte("short"), true); err == nil {
		t.Error("a key of five bytes is taken")
	}
}

// A session with a large access token takes several cookies, and gives them back.
func TestLargeSessions(t *testing.T) {
	t.Parallel()
	c, err := newCookies(newKey(), true)
	if err != nil {
		t.Fatal(err)
	}
	session := func(size int) *supabase.Session {
		claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":4102444800,"data":%q}`, strings.Repeat("x", size)))
		s := new(supabase.Session)
		text := fmt.Sprintf(`{"access_token":"eyJhbGciOiJIUzI1NiJ9.%s.c2ln","refresh_token":"r","user":{"id":"1","email":"a@example.com","user_metadata":{"a":"b"}}}`, claims)
		if err := json.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	brought := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for i, size := range []int{5000, 100, 7000} {
		w := httptest.NewRecorder()
		if err := c.write(w, brought, session(size)); err != nil {
			t.Fatal(err)
		}
		brought = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		n := 0
		for _, cookie := range w.Result().Cookies() {
			if len(cookie.String()) > 4096 {
				t.Errorf("a cookie of %d bytes", len(cookie.String()))
			}
			if cookie.MaxAge > 0 {
				brought.AddCookie(cookie)
				n++
			}
		}
		got, err := c.read(brought)
		if err != nil || got.AccessToken() != session(size).AccessToken() || got.User.Email != "a@example.com" || got.User.UserMetadata != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if want := []int{3, 1, 4}[i]; n != want {
			t.Errorf("%d bytes in %d cookies, want %d", size, n, want)
		}
	}
	if err := c.write(httptest.NewRecorder(), brought, session(20_000)); err == nil {
		t.Error("a session of 20,000 bytes is no error")
	}
}

// An hour later the next request renews the session, once however many there are, and each browser
// tab gets the cookie that follows. Who comes with the old cookie goes on.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, srv := newApp(t)
		b := signUp(t, a, "ada@example.com")
		b.mustPost(t, 200, "/notes", "body", "one")
		first := b.cookies()
		<-time.After(59 * time.Minute)
		srv.ResetRequests()

		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				tab := open(t, a)
				page, err := tab.do(t.Context(), http.MethodGet, "/", nil, "Cookie", first)
				if err != nil || len(page.notes()) != 1 || tab.cookies() == "" {
					t.Errorf("%d, %v, cookies %q", page.status, err, tab.cookies())
				}
			})
		}
		wg.Wait()
		renewals := 0
		for _, r := range srv.Requests() {
			if r.Service == supabasetest.Auth && r.Path == "/token" {
				renewals++
			}
		}
		if renewals != 1 {
			t.Errorf("%d renewals", renewals)
		}

		b.mustGet(t, 200, "/")
		if b.cookies() == first {
			t.Error("the browser has not got the new session")
		}
		for range 3 { // two months of a user who comes back every few weeks
			<-time.After(20 * 24 * time.Hour)
			if page := b.mustGet(t, 200, "/"); len(page.notes()) != 1 {
				t.Fatalf("after some weeks, %s", page.body)
			}
		}
		b.mustPost(t, 200, "/signout")
		if b.cookies() != "" {
			t.Errorf("cookies after the sign-out: %s", b.cookies())
		}
		if page := b.mustGet(t, 200, "/", "Cookie", first); page.path != "/signin" {
			t.Errorf("a cookie from before leads to %s", page.path)
		}
	})
}
