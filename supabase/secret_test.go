package supabase_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gotrue "github.com/supabase-community/gotrue-go/types"

	"github.com/streamconn/streamconn/cache"
	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/auth"
)

// What is planted in these tests. Nothing of it may be in any text.
const (
	plantedNewKey   = "sb_publishable_PLANTEDplantedPLANTED_key11"
	plantedService  = "sb_secret_PLANTEDplantedPLANTED_service22"
	plantedOldKey   = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.PLANTEDkeysignature33"
	plantedPassword = `PLANTED "pass" wörd/+%44`
	plantedRefresh  = "PLANTEDrfrsh55"
	plantedSigned   = "PLANTEDsigned.url.token66"
	plantedHeader   = "PLANTEDheadervalue77"
	plantedCaptcha  = "PLANTEDcaptcha88"
	plantedMark     = "PLANTED"
)

// plantedToken is an access token of a user, whose signature is planted.
func plantedToken(life time.Duration) string {
	now := time.Now()
	claims, _, _ := strings.Cut(strings.TrimPrefix(jwt(map[string]any{
		"sub": "ann", "iat": now.Unix(), "exp": now.Add(life).Unix(),
	}), "eyJhbGciOiJIUzI1NiJ9."), ".")
	return "eyJhbGciOiJIUzI1NiJ9." + claims + ".PLANTEDtokensignature999"
}

// plantedForms are parts of them in the forms in which they may come out.
var plantedForms = sync.OnceValue(func() (forms []string) {
	for _, s := range []string{plantedMark, "wörd", "rfrsh55", "signature33", "service22", "token66"} {
		forms = append(forms, s, url.QueryEscape(s), fmt.Sprintf("%x", s), fmt.Sprintf("%X", s), strings.Trim(fmt.Sprint([]byte(s)), "[]"))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
})

// findPlanted is what a text holds of them.
func findPlanted(text string) (found []string) {
	for _, form := range plantedForms() {
		if strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	return found
}

// formsOf is v as programs print it.
func formsOf(v any) map[string]string {
	forms := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
		forms[verb] = fmt.Sprintf(verb, v)
		forms["slice of "+verb] = fmt.Sprintf(verb, []any{v})
		forms["struct with "+verb] = fmt.Sprintf(verb, struct{ Field any }{v})
		forms["unexported field with "+verb] = fmt.Sprintf(verb, struct{ field any }{v}) // fmt asks no methods there
	}
	if b, err := json.Marshal(v); err == nil {
		forms["JSON"] = string(b)
	} else {
		forms["JSON's error"] = err.Error()
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	forms["slog's text"] = log.String()
	log.Reset()
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	forms["slog's JSON"] = log.String()
	func() {
		defer func() { forms["panic"] = fmt.Sprint(recover()) }()
		panic(v)
	}()
	return forms
}

func checkHidden(t testing.TB, what string, v any, except ...string) {
	t.Helper()
	for form, text := range formsOf(v) {
		if slices.ContainsFunc(except, func(e string) bool { return strings.Contains(form, e) }) {
			continue
		}
		if found := findPlanted(text); len(found) > 0 {
			t.Errorf("%s as %s holds %q: %s", what, form, found, text)
		}
	}
}

// checkError goes through all that can be got out of an error.
func checkError(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	checkHidden(t, what, err)
	if e, ok := errors.AsType[*supabase.Error](err); ok {
		checkHidden(t, what, *e)
	}
	if e, ok := errors.AsType[*supabase.FunctionError](err); ok {
		checkHidden(t, what, *e)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("%s: there is a *url.Error in %v", what, u)
	}
	for _, layer := range layersOf(err) {
		if text := fmt.Sprintf("%v %+v %#v %s", layer, layer, layer, jsonText(layer)); len(findPlanted(text)) > 0 {
			t.Errorf("%s: a layer holds %q: %s", what, findPlanted(text), text)
		}
	}
}

// layersOf is an error and all that it wraps.
func layersOf(err error) []error {
	layers := []error{err}
	switch x := err.(type) { //nolint:errorlint // each layer is looked at
	case interface{ Unwrap() error }:
		if inner := x.Unwrap(); inner != nil {
			layers = append(layers, layersOf(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			layers = append(layers, layersOf(inner)...)
		}
	}
	return layers
}

// everything that holds a request, as a debugging gateway would tell it.
func everything(r *http.Request) string {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return fmt.Sprintf("%s %s %v body %s", r.Method, r.URL, r.Header, body)
}

// failure is a way of a server to fail.
type failure struct {
	answer    http.HandlerFunc
	passing   bool // reads are tried again until the context ends
	theirs    bool // the community's clients repeat what the server says, which is theirs to do
	succeeded bool // for some calls it is an answer
}

// failures are those of the servers and networks between. Nothing may reach other.
func failures(t *testing.T, other string) map[string]failure {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			text := everything(r)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"code": r.Header.Get("Apikey"), "message": text, "msg": text, "details": text, "error": text, "hint": "is " + plantedOldKey + " right?",
			})
		}
	}
	plain := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			all := everything(r)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, strings.ReplaceAll(text, "ECHO", all))
		}
	}
	redirect := func(code int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
		}
	}
	return map[string]failure{
		"hang": {passing: true, answer: func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
			<-r.Context().Done()
		}},
		"reset": {passing: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}},
		"half a body": {passing: true, succeeded: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		}},
		"half a chunked body": {passing: true, succeeded: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		"half an error": {answer: func(w http.ResponseWriter, r *http.Request) {
			text := everything(r)
			w.Header().Set("Content-Length", "1000000")
			w.WriteHeader(500)
			_, _ = io.WriteString(w, text)
		}, theirs: true},
		"redirect to another host": {answer: redirect(307, other+"/?apikey="+plantedNewKey+"&token="+url.QueryEscape(plantedSigned)), theirs: true},
		"redirect to a host named so": {answer: func(w http.ResponseWriter, r *http.Request) {
			redirect(301, "https://"+r.Header.Get("Apikey")+".evil.test/"+plantedOldKey)(w, r)
		}, theirs: true},
		"redirect with a password":     {answer: redirect(302, strings.Replace(other, "://", "://me:"+plantedRefresh+"@", 1)), theirs: true},
		"redirect to nonsense":         {passing: true, answer: redirect(302, "http://%zz/"+plantedOldKey), theirs: true},
		"redirect loop":                {answer: redirect(308, "?again=1")},
		"300":                          {answer: status(300), theirs: true},
		"400 that repeats the request": {answer: status(400), theirs: true},
		"401 JSON":                     {answer: status(401), theirs: true, succeeded: true},
		"401 without a body":           {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }},
		"404 HTML":                     {answer: plain(404, "<html><head><title>Not found: ECHO</title></head><body>ECHO</body></html>"), theirs: true},
		"429":                          {answer: status(429), theirs: true},
		"500":                          {answer: plain(500, "ECHO"), theirs: true},
		"503 with Retry-After":         {answer: status(503, "Retry-After", "120"), theirs: true},
		"503":                          {answer: status(503), passing: true, theirs: true},
		"invalid JSON in an error":     {answer: plain(500, `{"message": ECHO`), theirs: true},
		"invalid JSON":                 {answer: plain(200, `[{"owner": ECHO`), theirs: true, succeeded: true},
		"JSON of another form":         {answer: plain(200, `{"access_token":12,"refresh_token":"`+plantedRefresh+`","owner":{"a":"`+plantedOldKey+`"}}`), theirs: true, succeeded: true},
		"a session in an error": {answer: plain(
			303,
			`[{"access_token":"PLANTEDunknown","refresh_token": "PLANTEDtoo"}] see ?code=PLANTED3&access_token=PLANTED4#refresh_token=PLANTED5 `+
				`Bearer PLANTED678 `+plantedOldKey+` http://u:PLANTED@x/ `+plantedService,
		), theirs: true},
	}
}

// call is one use of a connection.
type call struct {
	name   string
	theirs bool // by a client of the community's
	run    func(ctx context.Context, sb *supabase.Conn) (any, error)
}

type credentialRow struct {
	Owner    string `json:"owner"`
	Password string `json:"password"`
}

// calls are the ways to send something planted.
func calls(t *testing.T) []call {
	row := credentialRow{"ann", plantedPassword}
	live, ended := plantedToken(time.Hour), plantedToken(-time.Hour)
	session := func(token string) *supabase.Session {
		s, err := auth.NewSession(token, plantedRefresh)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	q := func(sb *supabase.Conn) supabase.Builder {
		return sb.Table("todos").Eq("id", 1).Neq("token", plantedSigned)
	}
	how := &supabase.Invocation{
		Body: row, Header: http.Header{"X-Api-Secret": {plantedHeader}, "Cookie": {"sid=" + plantedHeader}}, Query: url.Values{"token": {plantedSigned}},
	}
	by := supabase.Credentials{Email: "ann@example.com", Password: plantedPassword, CaptchaToken: plantedCaptcha}
	do := func(name string, run func(ctx context.Context, sb *supabase.Conn) (any, error)) call {
		return call{name: name, run: run}
	}
	return []call{
		do("Query", func(ctx context.Context, sb *supabase.Conn) (any, error) { return supabase.Query[todo](ctx, q(sb)) }),
		do("QueryOne", func(ctx context.Context, sb *supabase.Conn) (any, error) { return supabase.QueryOne[todo](ctx, q(sb)) }),
		do("QueryPage", func(ctx context.Context, sb *supabase.Conn) (any, error) { return supabase.QueryPage[todo](ctx, q(sb)) }),
		do("Count", func(ctx context.Context, sb *supabase.Conn) (any, error) { return supabase.Count(ctx, q(sb)) }),
		do("Rows", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			for _, err := range supabase.Rows[todo](ctx, q(sb).Order("id"), 10) {
				return nil, err
			}
			return nil, nil
		}),
		do("Execute", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			_, err := supabase.Execute(ctx, sb.Table("todos").Insert(row)) // a Result is what the server said
			return nil, err
		}),
		do("RPC", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return supabase.Query[todo](ctx, sb.RPC("log_in", row))
		}),
		do("RPC by GET", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return supabase.Query[todo](ctx, sb.RPC("log_in", row).Get())
		}),
		do("a user's read", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return supabase.Query[todo](ctx, sb.AsToken(live).Table("todos").Select("*"))
		}),
		do("a user's write", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			_, err := supabase.Execute(ctx, sb.As(session(live)).Table("todos").Delete().Eq("id", 1))
			return nil, err
		}),
		do("a renewal", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // it is tried for longer
			defer cancel()
			return todos(ctx, sb.As(session(ended)))
		}),
		do("CachedSignInWithPassword", func(ctx context.Context, sb *supabase.Conn) (any, error) { return sb.CachedSignInWithPassword(ctx, by) }),
		do("SignInWithPassword", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return sb.Auth().SignInWithPassword(ctx, by)
		}),
		do("Refresh", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // it is tried for longer
			defer cancel()
			return sb.Auth().Refresh(ctx, plantedRefresh)
		}),
		do("User", func(ctx context.Context, sb *supabase.Conn) (any, error) { return sb.AsToken(live).Auth().User(ctx) }),
		do("SignOut", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return nil, sb.As(session(plantedToken(2 * time.Hour))).Auth().SignOut(ctx)
		}),
		do("Invoke", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return sb.Functions().Invoke(ctx, "hello", how)
		}),
		do("Invoke by GET", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return sb.AsToken(live).Functions().Invoke(ctx, "hello", &supabase.Invocation{Method: "GET", Query: how.Query})
		}),
		do("Stream", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			_, body, err := sb.Functions().Stream(ctx, "hello", &supabase.Invocation{Body: strings.NewReader(jsonText(row)), Header: how.Header})
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(io.Discard, body)
			return nil, errors.Join(err, body.Close())
		}),
		do("Download", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			_, err := sb.AsToken(live).Download(ctx, "reports", "a.csv") // a File is what the server said
			return nil, err
		}),
		do("CreateSignedURL", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			_, err := sb.CreateSignedURL(ctx, "reports", "a.csv", time.Hour)
			return nil, err
		}),
		do("UploadToSignedURL", func(ctx context.Context, sb *supabase.Conn) (any, error) {
			return sb.UploadToSignedURL(ctx, "reports", "a.csv", plantedSigned, strings.NewReader("a"))
		}),
		do("Ping", func(ctx context.Context, sb *supabase.Conn) (any, error) { return nil, connection.Ping(ctx, sb) }),
		{"postgrest-go", true, func(ctx context.Context, sb *supabase.Conn) (any, error) {
			client, err := sb.AsToken(live).Raw(ctx)
			if err != nil {
				return nil, err
			}
			_, _, err = client.Postgrest().From("todos").Select("*", "", false).Execute()
			return nil, err
		}},
		{"gotrue-go", true, func(ctx context.Context, sb *supabase.Conn) (any, error) {
			client, err := sb.AsToken(live).Raw(ctx)
			if err != nil {
				return nil, err
			}
			_, err = client.GoTrue().Token(gotrue.TokenRequest{GrantType: "password", Email: by.Email, Password: by.Password})
			return nil, err
		}},
	}
}

// plantedConn connects to a server with planted credentials.
func plantedConn(t *testing.T, address, key string, opts ...connection.Option) *supabase.Conn {
	t.Helper()
	sb, err := supabase.Open(t.Context(), "project", append([]connection.Option{
		supabase.WithURL(address), supabase.WithKey(key), supabase.WithHeaders(map[string]string{"X-Gateway-Secret": plantedHeader}),
		connection.WithSecrets(secrets.Of(nil)), connection.WithEnviron(nothing), connection.WithDefaultTTL(0),
		connection.WithRetry(connection.Retry{Window: -1}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	return sb
}

// impatient is an http.Client for those who know no context.
func impatient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 100 * time.Millisecond}
}

func TestPlantedCredentialsAppearNowhereWhateverTheServerDoes(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("another host was sent %v", r.Header) }))
	t.Cleanup(other.Close)
	for name, failure := range failures(t, other.URL) {
		for kind, key := range map[string]string{"new key": plantedNewKey, "old key": plantedOldKey, "service key": plantedService} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				srv := httptest.NewServer(failure.answer)
				t.Cleanup(srv.Close)
				var l logs
				var events atomic.Int64
				observe := supabase.WithObserver(func(e supabase.Event) {
					events.Add(1)
					_, _ = fmt.Fprintf(&l, "%v %+v %#v %s\n", e, e, e, jsonText(e))
				})
				sb := plantedConn(t, srv.URL, key, connection.WithLogger(l.logger()), observe)
				theirs := plantedConn(t, srv.URL, key, connection.WithLogger(l.logger()), supabase.WithHTTPClient(impatient(t)))
				var wg sync.WaitGroup
				for _, call := range calls(t) {
					wg.Go(func() {
						conn, ctx := sb, t.Context()
						if failure.passing {
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
							defer cancel()
						}
						if call.theirs {
							conn = theirs
						}
						got, err := call.run(ctx, conn)
						if err == nil && !failure.succeeded && !call.theirs {
							t.Errorf("%s succeeded with %v", call.name, got)
						}
						if call.theirs {
							if !failure.theirs {
								checkHidden(t, call.name, err)
							}
							return
						}
						checkError(t, call.name, err)
						checkHidden(t, call.name, got, "%p", "unexported")
					})
				}
				wg.Wait()
				if err := errors.Join(sb.Close(), theirs.Close()); err != nil { // ends the renewals
					t.Error(err)
				}
				if found := findPlanted(l.String()); len(found) > 0 || !strings.Contains(l.String(), todosPath) {
					t.Errorf("the log holds %q: %s", found, l.String())
				}
				if events.Load() == 0 {
					t.Error("nothing was observed")
				}
			})
		}
	}
}

// A read that is tried again tells of the tries before, and of no more than that.
func TestPlantedCredentialsAppearNowhereAfterManyTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []roundTripper{
			func(r *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("refused: %s %v", r.URL, r.Header)
			},
			func(r *http.Request) (*http.Response, error) {
				text := fmt.Sprintf("%s %v", r.URL, r.Header)
				return &http.Response{StatusCode: 503, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
			},
		} {
			var l logs
			sb := plantedConn(t, address, plantedOldKey, connection.WithLogger(l.logger()), supabase.WithHTTPClient(&http.Client{Transport: test}))
			for _, call := range calls(t) {
				if call.theirs {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				_, err := call.run(ctx, sb)
				cancel()
				if err == nil {
					t.Errorf("%s succeeded", call.name)
				}
				checkError(t, call.name, err)
			}
			if found := findPlanted(l.String()); len(found) > 0 || !strings.Contains(l.String(), "pause") {
				t.Errorf("the log holds %q: %s", found, l.String())
			}
			_ = sb.Close()
		}
	})
}

// An error of 10 GB ends with what is read of it; the rest is never sent.
func TestAnErrorOf10GBIsReadInPart(t *testing.T) {
	t.Parallel()
	const whole, most = int64(10 << 30), int64(64 << 20)
	var longest atomic.Int64
	ended := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		chunk := []byte(strings.Repeat(everything(r)+" "+plantedService+" ", 200))
		w.WriteHeader(500)
		for sent := int64(0); sent < whole; sent += int64(len(chunk)) {
			if _, err := w.Write(chunk); err != nil {
				break
			}
			if before := longest.Load(); sent > before {
				longest.CompareAndSwap(before, sent)
			}
		}
	}))
	t.Cleanup(srv.Close)
	var l logs
	sb := plantedConn(t, srv.URL, plantedOldKey, connection.WithLogger(l.logger()))
	requests := 0
	for _, call := range calls(t) {
		if call.theirs || call.name == "a renewal" || call.name == "Refresh" || call.name == "Ping" || call.name == "Count" { // many requests, or without a body
			continue
		}
		_, err := call.run(t.Context(), sb)
		requests++
		answer, ok := errors.AsType[*supabase.Error](err)
		if !ok || answer.Status != 500 || len(answer.Body()) > 1<<20 || len(err.Error()) > 64<<10 {
			t.Errorf("%s: %.300v", call.name, err)
		}
		checkError(t, call.name, err)
	}
	for range requests {
		<-ended // or the test hangs
	}
	if n := longest.Load(); n > most {
		t.Errorf("%d bytes of an error were sent", n)
	}
	if found := findPlanted(l.String()); len(found) > 0 {
		t.Errorf("the log holds %q", found)
	}
}

// Every exported type, printed in every way, with planted values in every place that holds any. The
// names are compared with the package's source, so that a new type cannot be forgotten.
func TestNoExportedTypeShowsASecret(t *testing.T) {
	t.Parallel()
	var l logs
	i := new(issuer)
	srv := todosOf(i, i.token)
	sb := plantedConn(t, address, plantedService, connection.WithLogger(l.logger()), supabase.WithHTTPClient(&http.Client{Transport: srv}), connection.WithDefaultTTL(time.Hour))
	session := new(supabase.Session)
	if err := json.Unmarshal([]byte(`{"access_token":"`+plantedToken(time.Hour)+`","refresh_token":"`+plantedRefresh+`","provider_token":"`+plantedHeader+
		`","provider_refresh_token":"`+plantedHeader+`","expires_in":3600,"token_type":"bearer","user":{"id":"ann"}}`), session); err != nil {
		t.Fatal(err)
	}
	view := sb.As(session, supabase.OnSession(func(context.Context, *supabase.Session) {})).WithTTL(cache.Forever)
	wantOwner(t, view, "ann") // so that the view, the cache and the client hold what they can
	client, err := view.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := sb.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := open(t, withHeader(400, `{"code":"X","message":"`+plantedService+`","details":"`+plantedOldKey+`"}`, "X-Relay-Error", "true"), supabase.WithKey(plantedService))
	_, invoked := failed.Functions().Invoke(t.Context(), "hello", &supabase.Invocation{Body: plantedPassword})
	functionError, _ := errors.AsType[*supabase.FunctionError](invoked)
	answered, _ := errors.AsType[*supabase.Error](invoked)
	if functionError == nil || answered == nil || !strings.Contains(string(functionError.Body()), plantedService) {
		t.Fatalf("got %v", invoked)
	}
	header := http.Header{"Authorization": {"Bearer " + plantedOldKey}, "Set-Cookie": {plantedHeader}}
	how := supabase.Invocation{Body: plantedPassword, Header: header, Query: url.Values{"token": {plantedSigned}}}
	response := supabase.FunctionResponse{Status: 200, Header: header, Body: []byte(plantedPassword)}
	upload := supabase.UploadOptions{Headers: header, SignedToken: plantedSigned, ResumeURL: address + "/storage/v1/upload/resumable/sign/" + plantedSigned}
	signed := supabase.SignedURL{Path: "a", URL: address + "/storage/v1/object/sign/a?token=" + plantedSigned}
	signedUpload := supabase.SignedUpload{Path: "a", URL: address + "/storage/v1/object/upload/sign/a?token=" + plantedSigned, Token: plantedSigned}
	credentials := supabase.Credentials{Email: "ann@example.com", Password: plantedPassword, CaptchaToken: plantedCaptcha}

	seen := make(map[string]bool)
	check := func(typ string, values ...any) {
		seen[typ] = true
		for _, v := range values {
			checkHidden(t, typ, v)
		}
	}
	// input is a type whose exported fields the caller fills. It prints by its methods, which fmt does
	// not ask for %p and for unexported fields of the caller's own structs.
	input := func(typ string, values ...any) {
		seen[typ] = true
		for _, v := range values {
			checkHidden(t, typ, v, "%p", "unexported")
		}
	}
	// shown is a type whose JSON is to be handed out, token and all, and whose other forms are for logs.
	shown := func(typ string, values ...any) {
		seen[typ] = true
		for _, v := range values {
			checkHidden(t, typ, v, "%p", "unexported", "JSON")
		}
	}
	// plain is a type that has no place for a credential.
	plain := func(names ...string) {
		for _, name := range names {
			seen[name] = true
		}
	}

	check("Conn", sb, *sb, view, *view, sb.As(nil))
	check("Client", root, *root, client, *client, struct{ c supabase.Client }{*client})
	check("Auth", sb.Auth(), *sb.Auth(), view.Auth(), *view.Auth())
	check("Admin", sb.Auth().Admin(), *sb.Auth().Admin(), view.Auth().Admin())
	check("Functions", sb.Functions(), *sb.Functions(), view.Functions(), *view.Functions())
	input("Invocation", how, &how, []supabase.Invocation{how}, struct{ I *supabase.Invocation }{&how})
	input("FunctionResponse", response, &response, []*supabase.FunctionResponse{&response})
	check("FunctionError", functionError, *functionError, invoked)
	check("Error", answered, *answered)
	input("Builder", sb.Table("users").Eq("password", plantedPassword).Insert(map[string]any{"password": plantedPassword}), view.RPC("log_in", credentialRow{"a", plantedPassword}))
	check("Event", supabase.Event{Method: "GET", Path: "/rest/v1/t", Err: invoked})
	input("Credentials", credentials, &credentials, []supabase.Credentials{credentials})
	check("Session", session, *session, []*supabase.Session{session}, struct{ S supabase.Session }{*session})
	check("ViewOption", supabase.OnSession(func(context.Context, *supabase.Session) {}))
	input("UploadOptions", upload, &upload, []*supabase.UploadOptions{&upload})
	shown("SignedURL", signed, &signed)
	shown("SignedURLs", supabase.SignedURLs{signed, signed})
	shown("SignedUpload", signedUpload, &signedUpload)
	plain("Page", "Result", "File", "Object", "ObjectPage") // what the project holds, for whoever asked for it
	plain("Bucket", "BucketOptions", "BucketUpdate", "ListBucketsOptions", "UploadResult", "DownloadOptions", "ListOptions", "PageOptions",
		"MoveOptions", "CopyOptions", "PurgeOptions", "URLOptions", "Transform", "SignedUploadOptions")
	check("what connections tell", connection.Explain(sb), connection.Explain(view), connection.Stats(sb))
	for _, o := range []connection.Option{
		supabase.WithKey(plantedService), supabase.WithURL("https://u:" + plantedRefresh + "@x.test"),
		supabase.WithHeaders(map[string]string{"Authorization": plantedOldKey}),
		supabase.WithHTTPClient(&http.Client{Transport: &http.Transport{ProxyConnectHeader: header}}),
	} {
		check("options", o, &o, []connection.Option{o})
	}
	for _, name := range exportedTypes(t) {
		if !seen[name] {
			t.Errorf("the type %s is not in this test", name)
		}
	}
	if found := findPlanted(l.String()); len(found) > 0 || l.String() == "" {
		t.Errorf("the log holds %q: %s", found, l.String())
	}
}

func exportedTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				names = append(names, spec.Name.Name)
			}
			return true
		})
	}
	if len(names) < 30 {
		t.Errorf("found only %v", names)
	}
	return names
}
