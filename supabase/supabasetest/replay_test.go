package supabasetest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamconn/streamconn/internal/conformance"
)

// A recording is one exchange with a real server.
type recording struct {
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

func (r *recording) header(name string) string {
	for _, h := range r.Response.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// A replay plays recordings against a server of ours. What the real server made up, ids, tokens
// and codes, is learnt from the two answers, and put into the requests that follow.
type replay struct {
	t      *testing.T
	s      *Server
	prefix string            // of the paths, where the recording was made without a gateway
	ours   map[string]string // what the real server made up, to what ours did
	differ map[string]string // labels of exchanges that differ, and why
	before map[string]func(*replay, *recording)
	played int
}

func (p *replay) play(file string) {
	p.t.Helper()
	data, err := os.ReadFile("testdata/recordings/" + file + ".json")
	if err != nil {
		p.t.Fatal(err)
	}
	var list []recording
	if err := json.Unmarshal(data, &list); err != nil {
		p.t.Fatal(err)
	}
	p.ours["<ANON_KEY>"], p.ours["<SERVICE_KEY>"] = p.s.AnonKey, p.s.ServiceKey
	unused := maps.Clone(p.differ)
	hooks := maps.Clone(p.before)
	for i := range list {
		r := &list[i]
		if hook := p.before[r.Label]; hook != nil {
			hook(p, r)
			delete(hooks, r.Label)
		}
		got := p.send(r)
		wrong := p.compare(r, got)
		if why, ok := p.differ[r.Label]; ok {
			delete(unused, r.Label)
			if len(wrong) == 0 {
				p.t.Errorf("%s: is listed to differ (%s), and does not", r.Label, why)
			}
			continue
		}
		p.played++
		for _, w := range wrong {
			p.t.Errorf("%d %s: %s\n  recorded %d %s\n  got      %d %s", i+1, r.Label, w, r.Response.Status, short(r.Response.Body), got.status, short(got.body))
		}
	}
	for label := range unused {
		p.t.Errorf("%q is listed to differ, and is not in the recording", label)
	}
	for label := range hooks {
		p.t.Errorf("%q has a hook, and is not in the recording", label)
	}
	if p.played == 0 {
		p.t.Error("nothing was played")
	}
}

func short(s string) string { return s[:min(len(s), 1000)] }

// known puts our values in the place of theirs, the longest first.
func (p *replay) known(text string) string {
	olds := slices.SortedFunc(maps.Keys(p.ours), func(a, b string) int { return len(b) - len(a) })
	for _, old := range olds {
		text = strings.ReplaceAll(text, old, p.ours[old])
	}
	return text
}

func (p *replay) send(r *recording) answer {
	p.t.Helper()
	var body any
	if r.Request.Body != nil {
		var n int
		if _, err := fmt.Sscanf(*r.Request.Body, "<%d bytes>", &n); err == nil {
			body = strings.Repeat("x", n)
		} else {
			body = p.known(*r.Request.Body)
		}
	}
	var headers []string
	if p.prefix == "" {
		headers = append(headers, "apikey: ")
	}
	for _, h := range r.Request.Headers {
		headers = append(headers, h[0]+": "+p.known(h[1]))
	}
	path := p.known(r.Request.Path)
	if service, _ := split(path); service == "" {
		path = cmp.Or(p.prefix, "/storage/v1") + path
	}
	return ask(p.t, p.s, r.Request.Method, path, body, headers...)
}

// compared are the headers that must be alike.
var compared = []string{
	"Content-Type", "X-Sb-Error-Code", "X-Supabase-Api-Version", "Sb-Auth-Session-Id", "Sb-Auth-User-Id",
	"Sb-Auth-Refresh-Token-Prefix", "Sb-Auth-Refresh-Token-Reuse", "Cache-Control", "Location", "Link", "Allow", "X-Total-Count",
	"Accept-Ranges", "Content-Range", "ETag", "Content-Disposition", "X-Robots-Tag", "Last-Modified", "Expires",
	"Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Metadata", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Complete",
}

func (p *replay) compare(r *recording, got answer) []string {
	var wrong []string
	if got.status != r.Response.Status {
		return []string{fmt.Sprintf("status %d, want %d", got.status, r.Response.Status)}
	}
	for _, name := range compared {
		old, ours := r.header(name), got.header.Get(name)
		if why := p.alike(strings.ToLower(name), old, ours); why != "" {
			wrong = append(wrong, name+": "+why)
		}
	}
	var old, ours any
	if json.Unmarshal([]byte(r.Response.Body), &old) == nil && json.Unmarshal([]byte(got.body), &ours) == nil {
		return append(wrong, p.values("", old, ours)...)
	}
	if strings.TrimSpace(r.Response.Body) != strings.TrimSpace(got.body) && !strings.HasPrefix(r.Response.Body, "<a href=") {
		wrong = append(wrong, "another body")
	}
	return wrong
}

// values compares two JSON values: the same fields, and the same values but for those that a
// server makes up.
func (p *replay) values(at string, old, ours any) []string {
	switch old := old.(type) {
	case map[string]any:
		got, ok := ours.(map[string]any)
		if !ok {
			return []string{at + ": no object"}
		}
		var wrong []string
		for name, v := range old {
			o, ok := got[name]
			if !ok {
				wrong = append(wrong, at+"."+name+" is missing")
				continue
			}
			wrong = append(wrong, p.values(at+"."+name, v, o)...)
		}
		for name := range got {
			if _, ok := old[name]; !ok {
				wrong = append(wrong, at+"."+name+" is too much")
			}
		}
		return wrong
	case []any:
		got, ok := ours.([]any)
		if !ok || len(got) != len(old) {
			return []string{fmt.Sprintf("%s: another list, %v", at, ours)}
		}
		var wrong []string
		for i := range old {
			wrong = append(wrong, p.values(fmt.Sprintf("%s[%d]", at, i), old[i], got[i])...)
		}
		return wrong
	case string:
		got, ok := ours.(string)
		if !ok {
			return []string{fmt.Sprintf("%s: %v, want a text", at, ours)}
		}
		if why := p.alike(at, old, got); why != "" {
			return []string{at + ": " + why}
		}
		return nil
	case float64:
		got, ok := ours.(float64)
		if !ok || got != old && !strings.HasSuffix(at, "expires_at") {
			return []string{fmt.Sprintf("%s: %v, want %v", at, ours, old)}
		}
		return nil
	default:
		if old != ours {
			return []string{fmt.Sprintf("%s: %v, want %v", at, ours, old)}
		}
		return nil
	}
}

// made are the texts that a server makes up, as parts of longer ones.
var made = regexp.MustCompile(strings.Join([]string{
	`eyJ[\w-]+\.[\w-]+\.[\w-]+`,                                    // a token
	`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, // an id
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,                    // a time
	`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`,
	`\b[0-9a-f]{56}\b`, // the hash of a code
	`expires_at=\d+`,
	`refresh_token=[a-z2-7]{12}`,
	`https?%3A%2F%2F(?:127\.0\.0\.1%3A\d+|[a-z.]*\.test)(?:%2F\w+)*`,
	`https?://(?:127\.0\.0\.1:\d+|[a-z.]*\.test)(?:/(?:auth|storage)/v1)?`, // an address
	`\bZG9j\w{20,}`, // a resumable upload
}, "|"))

// whole are the names of fields whose text is made up as a whole.
var whole = regexp.MustCompile(`(?:refresh_token|refresh-token-prefix|\.email_otp|\.secret|\.qr_code|\.uri|\.[xy]|\.kid|x-total-count|\.version)$`)

// alike says how two texts differ, and learns what was made up.
func (p *replay) alike(at, old, ours string) string {
	if p.known(old) == ours {
		return ""
	}
	if whole.MatchString(at) {
		if (old == "") != (ours == "") {
			return fmt.Sprintf("%q, want %q", ours, old)
		}
		if !strings.HasSuffix(at, ".version") && len(old) > 5 {
			p.ours[old] = ours
		}
		return ""
	}
	if made.ReplaceAllString(old, "?") != made.ReplaceAllString(ours, "?") {
		return fmt.Sprintf("%q, want %q", ours, old)
	}
	olds, theirs := made.FindAllString(old, -1), made.FindAllString(ours, -1)
	for i := range olds {
		if kind(olds[i]) != kind(theirs[i]) {
			return fmt.Sprintf("%q, want something like %q", theirs[i], olds[i])
		}
		if k := kind(olds[i]); k != "time" && k != "number" && !strings.HasPrefix(k, "address") {
			// The name of a field that a list repeats tells nothing new: the first one counts.
			if _, ok := p.ours[olds[i]]; !ok {
				p.ours[olds[i]] = theirs[i]
			}
		}
	}
	return ""
}

// kind tells what sort of made-up text it is.
func kind(text string) string {
	switch {
	case strings.HasPrefix(text, "eyJ"):
		head, _, _ := strings.Cut(text, ".")
		data, _ := base64.RawURLEncoding.DecodeString(head)
		var h map[string]any
		_ = json.Unmarshal(data, &h)
		return fmt.Sprint("token ", h["alg"], h["typ"])
	case strings.HasPrefix(text, "http"):
		scheme, _, _ := strings.Cut(strings.ReplaceAll(text, "%3A", ":"), ":")
		return "address " + scheme
	case strings.Contains(text, "refresh_token="):
		return "refresh"
	case strings.Contains(text, "="):
		return "number"
	case strings.Contains(text, "T") && strings.HasSuffix(text, "Z"), strings.HasSuffix(text, "GMT"):
		return "time"
	default:
		return fmt.Sprint("id of ", len(text))
	}
}

func newReplay(t *testing.T, prefix string, opts ...Option) *replay {
	t.Helper()
	return &replay{
		t: t, s: NewServer(t, append(opts, WithoutPort())...), prefix: prefix, ours: make(map[string]string),
	}
}

// token makes the token that a recording sends one that our server takes for what the real one took
// it for.
func token(change func(claims map[string]any)) func(*replay, *recording) {
	return func(p *replay, r *recording) {
		for _, h := range r.Request.Headers {
			old, ok := strings.CutPrefix(h[1], "Bearer eyJ")
			if !ok {
				continue
			}
			parts := strings.Split("eyJ"+old, ".")
			data, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				p.t.Fatal(err)
			}
			var claims map[string]any
			if err := json.Unmarshal(data, &claims); err != nil {
				p.t.Fatal(err)
			}
			claims["exp"] = p.s.Now().Add(time.Hour).Unix()
			if sub, ok := claims["sub"].(string); ok {
				claims["sub"] = p.known(sub)
			}
			change(claims)
			ours, err := p.s.keyring.SignSecret(claims, "JWT")
			if err != nil {
				p.t.Fatal(err)
			}
			if claims["forged"] == true {
				ours = ours[:len(ours)-6] + "AAAAAA"
			}
			p.ours["eyJ"+old] = ours
		}
	}
}

func asIs(map[string]any)           {}
func expired(claims map[string]any) { claims["exp"] = 1000 }
func forged(claims map[string]any)  { claims["forged"] = true }
func advance(d time.Duration) func(*replay, *recording) {
	return func(p *replay, _ *recording) { p.s.Advance(d) }
}

// users are those that were there before.
func users(n int) Option {
	return func(c *config) error {
		for i := range n {
			if err := WithUser(fmt.Sprintf("before%d@example.com", i), "")(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestAuthAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "/auth/v1", WithAuth(Providers("github")), users(6))
	p.before = map[string]func(*replay, *recording){
		"user: expired token":                         token(expired),
		"user: expired token, api version 2024-01-01": token(expired),
		"user: wrong signature":                       token(forged),
		"user: valid token of unknown user":           token(asIs),
		"mfa verify -> aal2 session": func(p *replay, r *recording) {
			code, err := p.s.TOTP(p.ours["MKH477EBXYM7GRS72VLQNAXMRCPJOUMO"])
			if err != nil {
				t.Fatal(err)
			}
			p.ours["427760"] = code
		},
	}
	p.play("auth-gotrue")
}

func TestAuthWithConfirmationAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "/auth/v1", WithAuth(Providers("github"), ConfirmEmail(), MailInterval(59500*time.Millisecond), RateLimit(30)))
	const dora, pkce = "dora1795169277@example.com", "pkdora1795169277@example.com"
	p.before = map[string]func(*replay, *recording){
		"verify POST signup token_hash -> session": func(p *replay, _ *recording) {
			p.ours["ee625a0f27d828b4a3ef2e20286c16267b3a11f6a265a329a9b9ef89"] = p.s.lastMail(dora).Hash
		},
		"verify GET with pkce token -> redirect ?code=": func(p *replay, _ *recording) {
			p.ours["pkce_8544873175df9d58ee7fd67e0ad31fd4d33f974ce3a77e576cc368db"] = p.s.lastMail(pkce).Hash
		},
		"token refresh burst": func(p *replay, _ *recording) {
			for range 30 {
				ask(t, p.s, "POST", "/auth/v1/token?grant_type=refresh_token", "{}", "X-Forwarded-For: 203.0.113.9").want(t, 400)
			}
		},
	}
	p.play("auth-gotrue-confirm")
}

func TestRefreshTokensAnswerAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "/auth/v1")
	p.before = map[string]func(*replay, *recording){
		"r1 after the reuse interval (parent of the active token)": advance(11 * time.Second),
	}
	p.play("auth-gotrue-refresh")
}

func TestAuthWithES256AnswersAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "/auth/v1", WithES256(), users(13))
	p.play("auth-gotrue-es256")
}

func TestStorageAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "/storage/v1", WithSecureUploads())
	p.before = map[string]func(*replay, *recording){
		"bucket list: expired token":   token(expired),
		"bucket list: wrong signature": token(forged),
		"upload: expired token":        token(expired),
		"get signed: expired":          advance(2 * time.Second),
	}
	p.differ = map[string]string{
		"download: If-None-Match":          "Go sends no Content-Type with status 304",
		"render image: transformation off": "transformations are on",
	}
	p.play("storage-api")
}

func TestStorageOfUsersAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "", WithSchema(conformance.Schema))
	p.play("storage-user-rls")
}

// What the services say while their database or they themselves are away, which faults say for them.
func TestFailuresAnswerAsRecorded(t *testing.T) {
	t.Parallel()
	p := newReplay(t, "", WithSchema(conformance.Schema), WithSchema(`
		create table late (id int); create table priv (id int); revoke all on priv from anon, authenticated, service_role;`),
		WithBucket("pub1795169389", PublicBucket(), FileSizeLimit(1024), AllowedMimeTypes("text/plain", "image/png")),
		WithBucket("pub1795169389x", PublicBucket(), FileSizeLimit(1_000_000)))
	fail := func(f Fault) func(*replay, *recording) { return func(p *replay, _ *recording) { p.s.Inject(f) } }
	p.before = map[string]func(*replay, *recording){
		"rest: statement timeout (role anon, 200 ms)": fail(Fault{Service: Rest, Path: "/rpc/slow", Status: 500}),
		"rest: database down (1)":                     fail(Fault{Service: Rest, Status: 503}),
		"rest: database down (2)":                     fail(Fault{Service: Rest, Status: 503}),
		"auth: database down, password":               fail(Fault{Service: Auth, Status: 500}),
		"auth: database down, user":                   fail(Fault{Service: Auth, Status: 500}),
		"storage: database down, list buckets":        fail(Fault{Service: Storage, Status: 500}),
		"storage: database down, public object":       fail(Fault{Service: Storage, Status: 500}),
	}
	p.differ = map[string]string{
		"rest: database down (1)":                                      "the details name the database",
		"rest: database down (2)":                                      "the details name the database",
		"auth: database down, password":                                "another text of the same error, with an id",
		"auth: database down, health":                                  "it needs a key here",
		"rest: same, INSERT with columns":                              "the schema is always known",
		"rest: after NOTIFY pgrst":                                     "so it has the row",
		"gateway: upstream down (my gateway, Kong says 502/503 alike)": "that gateway said more",
	}
	p.play("failures")
}
