package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const address = "https://tally.test"

var webhookSecret = []byte("the secret of the tests")

// direct hands requests to a handler, without a socket.
type direct struct{ handler *http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	(*d.handler).ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// site is the app on a project of its own.
type site struct {
	handler http.Handler
	srv     *supabasetest.Server
	log     *lines
}

// lines is what the app logs.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func newSite(t *testing.T, opts ...supabasetest.Option) *site {
	t.Helper()
	s := &site{log: new(lines)}
	s.srv = supabasetest.NewServer(t, append(append(ledger.InMemory(), supabasetest.WithoutPort()), opts...)...)
	open := func(key string) *supabase.Conn {
		sb, err := supabase.Open(t.Context(), "test", supabase.WithURL(s.srv.URL), supabase.WithKey(key),
			supabase.WithHTTPClient(s.srv.HTTPClient()), connection.WithSecrets(secrets.Of(nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sb.Close() })
		return sb
	}
	s.handler = New(Config{
		DB: open(s.srv.AnonKey), Payments: open(s.srv.ServiceKey), Address: address, Secure: true,
		Client: &http.Client{Transport: direct{&s.handler}}, WebhookSecret: webhookSecret, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	return s
}

// browser keeps cookies, and the page that it shows.
type browser struct {
	*testing.T
	http.Client
	status int
	path   string
	page   string
}

func (s *site) open(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{T: t, Client: http.Client{Jar: jar, Transport: direct{&s.handler}}}
}

func (s *site) signUp(t *testing.T, email string) *browser {
	t.Helper()
	b := s.open(t)
	b.post("/signup", "email", email, "password", "correct horse")
	b.shows(200, "/", "Balance")
	return b
}

func (b *browser) send(method, path string, body io.Reader, header ...string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, address+path, body)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	b.status, b.path, b.page = resp.StatusCode, resp.Request.URL.Path, string(text)
}

func (b *browser) get(path string) {
	b.Helper()
	b.send(http.MethodGet, path, nil)
}

// post sends a form of names and values.
func (b *browser) post(path string, fields ...string) {
	b.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	b.send(http.MethodPost, path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

func (b *browser) run(job, text string) {
	b.Helper()
	b.post("/jobs", "number", find(b.page, `name="number" value="([^"]*)"`), "job", job, "text", text)
}

func find(page, pattern string) string {
	found := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func (b *browser) shows(status int, path string, texts ...string) {
	b.Helper()
	page := html.UnescapeString(b.page)
	if b.status != status || b.path != path {
		b.Fatalf("%d at %s, want %d at %s\n%s", b.status, b.path, status, path, page)
	}
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.Errorf("%q is missing in\n%s", text, page)
		}
	}
}

func (b *browser) balance(want string) {
	b.Helper()
	if got := find(b.page, `id="credits">([^<]*)<`); got != want {
		b.Errorf("the balance is %q, want %s", got, want)
	}
}

func TestSpendAndBuy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	b.balance("100")
	for _, left := range []string{"75", "50", "25", "0"} {
		b.run("full", "The engine weaves patterns. The loom weaves leaves.")
		b.shows(200, "/jobs", "Full report done. It took 25 credits; you have "+left+" left.", "weaves", "What it is about")
		b.balance(left)
	}
	b.run("quick", "A text that <b>cannot</b> be paid")
	b.shows(402, "/jobs", "Not enough credits for “Quick look”.", "It takes 10, and you have 0.", "A text that <b>cannot</b> be paid")
	if strings.Contains(b.page, "<b>") {
		t.Error("a text is taken for HTML")
	}
	b.get("/buy")
	b.shows(200, "/buy", "1,200", "Buy for $5.00", "10 % free", "You have <strong>0</strong>")
	b.post("/checkout", "pack", "medium")
	b.shows(200, b.path, "Pretend Pay", "$5.00")
	pay := b.path
	b.post(pay)
	b.shows(200, "/", "Thank you")
	b.balance("550")
	b.post(pay) // a second click
	b.balance("550")
	b.run("quick", "Words.")
	b.balance("540")
	b.get("/history")
	b.shows(200, "/history", "550 credits bought", "+550", "−25", "Free credits to begin with")
	b.post("/signout")
	b.shows(200, "/signin")
	b.get("/")
	b.shows(200, "/signin")
	b.post("/signin", "email", "ada@example.com", "password", "correct horse")
	b.balance("540")
}

// The same form again, by a reload or a second click at the same time, is charged once.
func TestFormsThatAreSentTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	number := find(b.page, `name="number" value="([^"]*)"`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			tab := *b
			tab.post("/jobs", "number", number, "job", "full", "text", "The same text.")
			tab.shows(200, "/jobs", "Report")
		})
	}
	wg.Wait()
	b.get("/")
	b.balance("75")
	b.post("/jobs", "number", number, "job", "full", "text", "The same text.")
	b.shows(200, "/jobs", "nothing more was taken")
	b.post("/jobs", "number", number, "job", "full", "text", "Another text.")
	b.shows(200, "/jobs", "It took 25 credits")
	b.post("/jobs", "number", number, "job", "quick", "text", "Another text.")
	b.balance("40")
}

func TestJobsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	for _, test := range []struct{ job, text, want string }{
		{"quick", "", "There is no text"},
		{"quick", " \n ", "There is no text"},
		{"full", strings.Repeat("x", 20_001), "longer than 20,000"},
		{"free", "text", "Choose a job"},
	} {
		b.run(test.job, test.text)
		b.shows(422, "/jobs", test.want)
		b.balance("100")
	}
	b.send(http.MethodPost, "/jobs", strings.NewReader("text="+strings.Repeat("x", 100<<10)), "Content-Type", "application/x-www-form-urlencoded")
	b.shows(422, "/jobs")
	b.balance("100")
	b.post("/checkout", "pack", "free")
	b.shows(422, "/checkout", "There is no such pack")
	b.get("/pay/x")
	b.shows(404, "/pay/x")
	b.post("/pay/x")
	b.shows(404, "/pay/x")
	b.get("/nothing")
	b.shows(404, "/nothing", "no such page")
	for range 20 {
		b.post("/checkout", "pack", "small")
	}
	b.post("/checkout", "pack", "small")
	b.shows(429, "/checkout", "paid none")
}

func TestHistoryByPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	if err := s.srv.Do(func(tx *supabasetest.Tx) error {
		users, err := tx.Rows("accounts", nil)
		if err != nil {
			return err
		}
		for i := range 24 {
			_, err = tx.Insert("entries", supabasetest.Row{
				"user_id": users[0]["user_id"], "amount": 1, "balance": 101 + i, "reference": fmt.Sprint("test", i), "note": fmt.Sprintf("number %d", i),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.get("/history")
	b.shows(200, "/history", "number 23", "number 4", "Older")
	if strings.Contains(b.page, "Newest") || strings.Contains(b.page, "number 3<") {
		t.Error(b.page)
	}
	b.get(find(b.page, `href="([^"]*)" rel="next"`))
	b.shows(200, "/history", "number 3", "Free credits", "Newest")
	if strings.Contains(b.page, "Older") {
		t.Error(b.page)
	}
	b.get("/history?before=1")
	b.shows(200, "/history", "There is nothing older")
	b.get("/history?before=x")
	b.shows(200, "/history", "number 23")
}

func TestUsersAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			b := s.open(t)
			b.post("/signup", "email", fmt.Sprintf("user%d@example.com", i), "password", "correct horse")
			for range i {
				b.run("quick", "Words.")
			}
			b.get("/")
			b.balance(fmt.Sprint(100 - 10*i))
			if !strings.Contains(b.page, fmt.Sprintf("user%d@example.com", i)) {
				t.Errorf("user %d sees\n%s", i, b.page)
			}
		})
	}
	wg.Wait()
}

func TestWhoDoesNotGetIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.signUp(t, "ada@example.com")
	b := s.open(t)
	for _, test := range []struct{ path, email, password, want string }{
		{"/signin", "ada@example.com", "wrong", "no account with this address and password"},
		{"/signin", "", "", "Give an e-mail address"},
		{"/signup", "", "", "Give an e-mail address"},
		{"/signup", "new@example.com", "abc", "too weak"},
		{"/signup", "ada@example.com", "correct horse", "has an account already"},
	} {
		b.post(test.path, "email", test.email, "password", test.password)
		b.shows(422, test.path, test.want)
	}
	for _, path := range []string{"/jobs", "/checkout", "/signout"} {
		b.post(path)
		b.shows(200, "/signin")
	}
	for _, path := range []string{"/", "/history", "/buy"} {
		b.send(http.MethodGet, path, nil, "Cookie", "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAA")
		b.shows(200, "/signin")
	}
}

func TestMailBeforeTheFirstSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, supabasetest.WithAuth(supabasetest.ConfirmEmail()), supabasetest.WithUser("ada@example.com", "correct horse"))
	b := s.open(t)
	b.post("/signup", "email", "new@example.com", "password", "correct horse")
	fresh := b.page
	b.shows(200, "/signup", "We have sent you a mail")
	b.post("/signup", "email", "ada@example.com", "password", "correct horse")
	if b.page != fresh {
		t.Error("the page tells who is registered")
	}
	b.post("/signin", "email", "new@example.com", "password", "correct horse")
	b.shows(422, "/signin", "Follow the link")
	b.post("/signin", "email", "ada@example.com", "password", "correct horse")
	b.shows(200, "/")
	b.balance("100")
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	b.post("/checkout", "pack", "small")
	rows, err := s.srv.Query(t.Context(), `select id from purchases`)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	body := func(purchase any, amount int64) []byte {
		text, err := json.Marshal(map[string]any{"id": "evt_1", "type": "payment.succeeded", "purchase": purchase, "amount": amount})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := body(rows[0]["id"], 200)
	now := time.Now()
	provider := s.open(t) // no cookies, no Origin
	tell := func(want int, body []byte, signature string) {
		t.Helper()
		provider.send(http.MethodPost, "/webhooks/payments", bytes.NewReader(body), signatureHeader, signature)
		if provider.status != want {
			t.Errorf("%s with %q: %d, want %d", body, signature, provider.status, want)
		}
	}
	forged := sign([]byte("another secret"), good, now)
	for _, signature := range []string{
		"", "t=1,v1=", "v1=00", forged, sign(webhookSecret, body(rows[0]["id"], 100), now), strings.Replace(sign(webhookSecret, good, now), "t=", "t=1", 1),
		sign(webhookSecret, good, now.Add(-10*time.Minute)), sign(webhookSecret, good, now.Add(10*time.Minute)), sign(nil, good, now),
	} {
		tell(400, good, signature)
	}
	signed := func(body []byte) ([]byte, string) { return body, sign(webhookSecret, body, now) }
	for _, test := range []struct {
		want int
		body []byte
	}{
		{400, []byte("no JSON")},
		{200, []byte(`{"type":"payment.created"}`)},
		{422, body(rows[0]["id"], 1)},
		{422, body("00000000-0000-4000-8000-000000000000", 200)},
		{422, body("x", 200)},
	} {
		text, signature := signed(test.body)
		tell(test.want, text, signature)
	}
	b.get("/")
	b.balance("100")
	for range 3 {
		tell(200, good, sign(webhookSecret, good, now))
	}
	b.get("/")
	b.balance("300")
}

func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.test"}} {
		for _, path := range []string{"/jobs", "/checkout", "/signout", "/signin", "/signup"} {
			b.send(http.MethodPost, path, strings.NewReader("job=full&text=x"), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
			if b.status != 403 {
				t.Errorf("%s with %q: %d", path, header, b.status)
			}
		}
	}
	b.get("/")
	b.balance("100")
}

// Two weeks of use, with a session that is renewed every hour, an outage, and a row that is gone.
func TestSessionsAndOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		b := s.signUp(t, "ada@example.com")
		for range 3 {
			<-time.After(5 * 24 * time.Hour)
			b.get("/")
			b.shows(200, "/", "ada@example.com")
		}
		s.srv.Down()
		b.get("/")
		b.shows(503, "/", "try again in a moment")
		b.run("full", "text")
		b.shows(503, "/jobs")
		if err := s.srv.Up(); err != nil {
			t.Fatal(err)
		}
		if err := s.srv.Do(func(tx *supabasetest.Tx) error {
			_, err := tx.Delete("accounts", nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b.get("/")
		b.balance("100")

		// The provider tries again when the database was away.
		b.post("/checkout", "pack", "large")
		pay := b.path
		s.srv.Inject(supabasetest.Fault{Service: supabasetest.Rest, Times: 2, Status: 500})
		b.post(pay)
		b.shows(502, pay, "Press once more")
		b.post(pay)
		b.balance("1,300")

		for _, line := range []string{"correct horse", "eyJhbGciOi", "refresh_token", "ada@example.com"} {
			if strings.Contains(s.log.String(), line) {
				t.Errorf("the log has %q:\n%s", line, s.log)
			}
		}
		if !strings.Contains(s.log.String(), "a payment is not credited yet") {
			t.Errorf("the log:\n%s", s.log)
		}

		<-time.After(15 * 24 * time.Hour)
		b.get("/")
		b.shows(200, "/signin") // who was away for so long signs in again
	})
}

// What the gateway and the services refuse: the project's key, which is nobody's fault who is signed
// in, and a token.
func TestRefusedKeysAndTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	refuse := func(body string) {
		s.srv.Inject(supabasetest.Fault{Service: supabasetest.Rest, Status: 401, Body: body})
	}
	refuse(`{"message":"Invalid API key"}`)
	b.get("/")
	b.shows(503, "/")
	b.get("/")
	b.shows(200, "/", "Balance")
	refuse(`{"code":"PGRST301","message":"JWSError JWSInvalidSignature","details":null,"hint":null}`)
	b.get("/")
	b.shows(200, "/signin")
	b.get("/")
	b.shows(200, "/signin")
}

func TestSignInReplacesTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	before := b.Jar.Cookies(u)[0].String()
	b.post("/signup", "email", "bob@example.com", "password", "correct horse")
	b.shows(200, "/", "bob@example.com")
	old := s.open(t)
	old.send(http.MethodGet, "/", nil, "Cookie", before)
	old.shows(200, "/signin")
}

func TestSignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signUp(t, "ada@example.com")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	kept := b.Jar.Cookies(u)
	if len(kept) != 1 || kept[0].Name != "__Host-session" {
		t.Fatalf("cookies: %v", kept)
	}
	other := s.open(t) // another browser of the same user
	other.post("/signin", "email", "ada@example.com", "password", "correct horse")
	b.post("/signout")
	if left := b.Jar.Cookies(u); len(left) != 0 {
		t.Errorf("cookies after the sign-out: %v", left)
	}
	thief := s.open(t)
	thief.send(http.MethodGet, "/", nil, "Cookie", kept[0].String())
	thief.shows(200, "/signin")
	other.get("/")
	other.shows(200, "/")
}

func TestCookieAndHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	form := strings.NewReader("email=ada%40example.com&password=correct+horse")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, address+"/signup", form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	set := w.Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || !set[0].Secure || set[0].SameSite != http.SameSiteLaxMode || set[0].Path != "/" || set[0].Domain != "" {
		t.Errorf("cookies: %v", set)
	}
	if h := w.Header(); h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers: %v", h)
	}
	b := s.open(t)
	b.get("/static/style.css")
	b.shows(200, "/static/style.css", "color-scheme")
	b.get("/static/tally.svg")
	b.shows(200, "/static/tally.svg", "<svg")
	b.get("/static/nothing")
	b.shows(404, "/static/nothing")
}

func TestReports(t *testing.T) {
	t.Parallel()
	p := reportOn("Don't panic. The towel, the towel! Forty-two…", true)
	if p.Words != 7 || p.Sentences != 3 || p.Minutes != 1 || p.Longest != "forty-two" || len(p.Topics) != 4 || p.Topics[0] != (topic{"towel", 2, 100}) {
		t.Errorf("%+v", p)
	}
	if p := reportOn("!?", true); p.Words != 0 || p.Sentences != 0 || p.Minutes != 0 || p.Topics != nil || p.PerWords != 0 {
		t.Errorf("%+v", p)
	}
	if p := reportOn("Über 1,000 Dinge.", false); p.Words != 4 || p.Characters != 17 || p.Topics != nil {
		t.Errorf("%+v", p)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(1234567), "1,234,567"},
		{count(-1000), "-1,000"},
		{count(-100), "-100"},
		{money(0), "$0.00"},
		{money(5), "$0.05"},
		{money(123456), "$1,234.56"},
		{money(-5), "−$0.05"},
		{signed(100), "+100"},
		{signed(-2500), "−2,500"},
	} {
		if test.got != test.want {
			t.Errorf("%s, want %s", test.got, test.want)
		}
	}
}

func TestRequestsAreNamedByWhatTheyAre(t *testing.T) {
	t.Parallel()
	seen := map[string]form{}
	for _, f := range []form{{"1", "full", "x"}, {"1", "quick", "x"}, {"1", "full", "y"}, {"2", "full", "x"}, {"1f", "ull", "x"}, {"", "1full", "x"}} {
		id := f.request()
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("%s is no UUID", id)
		}
		if other, ok := seen[id]; ok || f.request() != id {
			t.Errorf("%+v and %+v are one request", f, other)
		}
		seen[id] = f
	}
}
