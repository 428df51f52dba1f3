package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What is planted in the requests of these tests. None of it may be in any text.
const (
	plantedKey      = "sb_secret_PLANTEDplantedPLANTED_key99"
	plantedToken    = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJQTEFOVEVEIn0.PLANTEDtokensignature"
	plantedPassword = `PLANTED "pass" wörd/+%`
	plantedRefresh  = "PLANTEDrfrsh"
	plantedQuery    = "PLANTEDsigned.url.token"
	plantedHeader   = "PLANTEDheadervalue"
)

// findPlanted is what a text holds of them, in whatever form.
func findPlanted(text string) []string {
	var found []string
	for _, s := range []string{plantedKey, plantedToken, plantedPassword, plantedRefresh, plantedQuery, plantedHeader} {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), jsonEscaped(s), fmt.Sprintf("%x", s)} {
			if strings.Contains(text, form) {
				found = append(found, form)
			}
		}
	}
	if len(found) == 0 && strings.Contains(text, "PLANTED") {
		found = append(found, "a part of one")
	}
	return found
}

// everyForm is v as programs print it.
func everyForm(v any) map[string]string {
	forms := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		forms[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := json.Marshal(v); err == nil {
		forms["JSON"] = string(b)
	} else {
		forms["JSON's error"] = err.Error()
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	forms["slog"] = log.String()
	func() {
		defer func() { forms["panic"] = fmt.Sprint(recover()) }()
		panic(v)
	}()
	return forms
}

func checkNothingPlanted(t *testing.T, v any) {
	t.Helper()
	for form, text := range everyForm(v) {
		if found := findPlanted(text); len(found) > 0 {
			t.Errorf("%s holds %q: %s", form, found, text)
		}
	}
}

// checkError goes through everything that can be got out of an error.
func checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	checkNothingPlanted(t, err)
	if e, ok := errors.AsType[*Error](err); ok {
		checkNothingPlanted(t, *e)
		checkNothingPlanted(t, struct{ Err error }{e})
		checkNothingPlanted(t, struct {
			e Error
			p *Error
		}{*e, e})
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("there is a *url.Error in it: %v", u)
	}
	switch x := err.(type) { //nolint:errorlint // each layer is looked at
	case interface{ Unwrap() error }:
		if inner := x.Unwrap(); inner != nil {
			checkError(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			checkError(t, inner)
		}
	}
}

func plantedConfig(base string, log io.Writer, seen func(Event)) Config {
	return Config{
		BaseURL: base,
		APIKey:  plantedKey,
		Token:   token(plantedToken),
		Header:  http.Header{"X-Gateway-Secret": {plantedHeader}},
		Logger:  slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: seen,
		Retry:   Retry{Disabled: true},
	}
}

func plantedRequest(method string) *Request {
	body, err := json.Marshal(map[string]string{"password": plantedPassword, "refresh_token": plantedRefresh})
	if err != nil {
		panic(err)
	}
	return &Request{
		Method: method, Path: "object/sign/a", Query: url.Values{"token": {plantedQuery}, "id": {"eq.1"}}.Encode(), Body: body,
		Secrets: []string{plantedPassword, plantedRefresh},
	}
}

// echo is all that a request holds, as a debugging gateway would tell it.
func echo(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return fmt.Sprintf("%s %s %v body %s and %s", r.Method, r.URL, r.Header, body, url.QueryEscape(plantedPassword))
}

func TestPlantedCredentialsAppearNowhereWhateverTheServerDoes(t *testing.T) {
	t.Parallel()
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("another host was sent %v", r.Header) })
	answers := map[string]http.HandlerFunc{
		"hang": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client has gone
			<-r.Context().Done()
		},
		"reset": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		},
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		},
		"half a chunked body": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"redirect to another host": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other+"/?apikey="+plantedKey+"&q="+url.QueryEscape(plantedPassword))
			w.WriteHeader(http.StatusTemporaryRedirect)
			_, _ = io.WriteString(w, echo(r))
		},
		"redirect to a host named so": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://"+plantedRefresh+".evil.test/"+plantedToken)
			w.WriteHeader(http.StatusMovedPermanently)
		},
		"redirect to nonsense": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://%zz/"+plantedToken+"?token="+plantedQuery)
			w.WriteHeader(http.StatusFound)
		},
		"300": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(300); _, _ = io.WriteString(w, echo(r)) },
		"401": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			_ = json.NewEncoder(w).Encode(map[string]string{"code": plantedKey, "message": echo(r), "details": echo(r), "hint": "is " + plantedKey + " right?"})
		},
		"404 HTML": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "<html><title>Not found: "+echo(r)+"</title>")
		},
		"429": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429); _, _ = io.WriteString(w, echo(r)) },
		"500 in GoTrue's words": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Sb-Error-Code", plantedRefresh)
			w.WriteHeader(500)
			_ = json.NewEncoder(w).Encode(map[string]any{"code": 500, "msg": echo(r)})
		},
		"503 with Retry-After": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			_, _ = io.WriteString(w, echo(r))
		},
		"a session in an error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(303)
			_, _ = io.WriteString(w, `[{"access_token":"PLANTEDunknown","refresh_token": "PLANTEDtoo"}] see ?code=PLANTED3&access_token=PLANTED4#refresh_token=PLANTED5 Bearer PLANTED678 eyJQTEFOVEVE.PLANTED.PLANTED http://u:PLANTED@x/ sb_publishable_PLANTED`)
		},
		"the bare token of the address": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"message":"invalid signature: `+plantedQuery+`"}`)
		},
		"invalid JSON": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"message": `+echo(r))
		},
		"a key across the cut": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, strings.Repeat("x", maxText-10)+" "+plantedKey+" "+plantedToken)
		},
	}
	for name, answer := range answers {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				var events []Event
				cfg := plantedConfig(serve(t, answer)+"/storage/v1", &log, func(e Event) { events = append(events, e) })
				if name == "hang" {
					cfg.AttemptTimeout = 20 * time.Millisecond // the socket's clock is the real one
				}
				c := newClient(t, cfg)
				r := plantedRequest(method)
				_, err := c.Do(t.Context(), r)
				checkError(t, err)
				if s, err := c.Stream(t.Context(), r); err == nil {
					_, err = io.ReadAll(s.Body)
					_ = s.Body.Close()
					checkError(t, err)
				} else {
					checkError(t, err)
				}
				if found := findPlanted(log.String()); len(found) > 0 || !strings.Contains(log.String(), "/storage/v1/object/sign/a") {
					t.Errorf("the log holds %q: %s", found, log.String())
				}
				if len(events) != 2 {
					t.Errorf("%d events", len(events))
				}
				checkNothingPlanted(t, events)
				checkNothingPlanted(t, events[0])
			})
		}
	}
}

func TestPlantedCredentialsAppearNowhereWhateverTheTransportSays(t *testing.T) {
	t.Parallel()
	cut, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("signed out " + plantedToken))
	for name, fail := range map[string]func(r *http.Request) error{
		"the address": func(r *http.Request) error { return fmt.Errorf("no route to %s", r.URL) },
		"the headers": func(r *http.Request) error { return fmt.Errorf("refused: %v", r.Header) },
		"an address within": func(r *http.Request) error {
			return fmt.Errorf("w: %w", &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF})
		},
		"an address around": func(r *http.Request) error {
			return &url.Error{Op: "Get", URL: r.URL.String(), Err: &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF}}
		},
		"a proxy": func(*http.Request) error {
			return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("dial http://me:PLANTED-proxy-password@proxy:3128")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			cfg := plantedConfig("http://project.test", &log, nil)
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return nil, fail(r) })}
			c := newClient(t, cfg)
			_, err := c.Do(t.Context(), plantedRequest("GET"))
			checkError(t, err)
			if strings.HasPrefix(name, "an address") && !errors.Is(err, io.EOF) {
				t.Errorf("%v is no longer what it was", err)
			}
			_, err = c.Do(cut, plantedRequest("GET"))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			view := c.WithToken(func(context.Context) (string, error) { return "", errors.New("cannot renew with " + plantedKey) })
			_, err = view.Do(t.Context(), plantedRequest("GET"))
			checkError(t, err)
			if found := findPlanted(log.String()); len(found) > 0 {
				t.Errorf("the log holds %q: %s", found, log.String())
			}
		})
	}
}

func TestFaultsCanBeAskedWhatTheyAre(t *testing.T) {
	t.Parallel()
	c := over(t, func(*http.Request) (*http.Response, error) { return nil, errReset }, func(c *Config) { c.Retry.Disabled = true })
	_, err := c.Do(t.Context(), get("t"))
	if _, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
	nested := newSecrets().clean(fmt.Errorf("token: %w", &url.Error{Op: "Post", URL: "http://h/t?email=a@b.c", Err: io.EOF}))
	if _, ok := errors.AsType[*url.Error](nested); ok || nested.Error() != `token: Post "http://h/t": EOF` || !errors.Is(nested, io.EOF) {
		t.Errorf("%v", nested)
	}
	lookup := &net.DNSError{Err: "no such host", Name: "x.supabase.co", IsTimeout: true}
	masked := newSecrets("x.supabase.co").clean(fmt.Errorf("w: %w", lookup))
	e := &Error{cause: hide(&cause{err: masked})}
	if strings.Contains(masked.Error(), "x.supabase.co") || !e.Timeout() || !errors.Is(masked, lookup) {
		t.Errorf("%v", masked)
	}
}

func TestNoTypePrintsWhatItHolds(t *testing.T) {
	t.Parallel()
	cfg := plantedConfig("https://x.supabase.co/rest/v1", io.Discard, nil)
	c := newClient(t, cfg)
	if fmt.Sprint(c) != "rest.Client(https://x.supabase.co/rest/v1)" || c.URL() != "https://x.supabase.co/rest/v1" {
		t.Errorf("%v", c)
	}
	header := http.Header{"Authorization": {plantedToken}, "Set-Cookie": {plantedToken}}
	r := plantedRequest("POST")
	r.Header = header
	resp := &Response{Status: 200, Header: header, Body: []byte(plantedToken)}
	stream := &Stream{Status: 200, Header: header, Body: io.NopCloser(strings.NewReader(plantedToken))}
	bad := cfg
	bad.BaseURL = "https://me:" + plantedRefresh + "@x.supabase.co"
	for _, v := range []any{
		cfg, &cfg, bad, c, *c, *r, r, *resp, resp, *stream, stream,
		struct {
			C Config
			P *Client
			R *Request
			A *Response
			S *Stream
		}{cfg, c, r, resp, stream},
		struct {
			c Client
			p *Client
		}{*c, c},
		[]any{cfg, *c, r},
	} {
		checkNothingPlanted(t, v)
	}
}

func TestALongErrorBodyIsCutAndItsConnectionClosed(t *testing.T) {
	t.Parallel()
	const tenGB = 10 << 30
	body := &endless{closed: make(chan struct{})}
	c := over(t, func(r *http.Request) (*http.Response, error) {
		resp := answerWith(r, 500, "")
		resp.Body, resp.ContentLength = body, tenGB
		return resp, nil
	})
	_, err := c.Do(t.Context(), get("t"))
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Body()) != DefaultMaxErrorBody || len(e.Message) > maxText+3 || body.n > DefaultMaxErrorBody+64<<10 {
		t.Errorf("read %d: %.100s", body.n, err)
	}
	<-body.closed
}

func TestTheConnectionOfALongErrorIsNotKept(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		chunk := bytes.Repeat([]byte(plantedKey), 1000)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				break
			}
		}
		close(ended)
	})
	_, err := newClient(t, Config{BaseURL: url, APIKey: plantedKey}).Do(t.Context(), get("t"))
	checkError(t, err)
	<-ended // or the test hangs
}

type endless struct {
	n      int64
	once   sync.Once
	closed chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.n += int64(len(p))
	return len(p), nil
}

func (e *endless) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func TestMaskLeavesOrdinaryTextAlone(t *testing.T) {
	t.Parallel()
	s := newSecrets("abc", plantedKey)
	for _, text := range []string{
		"", "relation \"public.users\" does not exist", "Key (id)=(1) already exists.", `{"code":"42P01","details":null}`,
		"invalid input syntax for type bigint: \"abc\"", "dial tcp 127.0.0.1:80: connect: connection refused",
		"see https://supabase.com/docs?page=2", "eyJ is no token", "Bearer", "basic auth", "the token is expired", "monkey=banana",
	} {
		if got := s.mask(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// What a server sends must not cost more than its length: with the square of it, this ends with
// the time of the tests.
func TestMaskingCostsNoMoreThanTheLength(t *testing.T) {
	t.Parallel()
	s := newSecrets(plantedKey, plantedPassword)
	for _, piece := range []string{
		"eyJ/", "eyJ", "eyJ.", "eyJ-. ", "://", "://a", ":// @", "Bearer ", "Bearer", "token=", `token":`, `"token":"`, `token"  `, `\`, "sb_secret_", "a ", "<title", "{",
	} {
		for _, prefix := range []string{"", "<title>"} {
			e := decode(500, http.Header{}, []byte(prefix+strings.Repeat(piece, maxSearched/len(piece))), s, time.Now())
			if len(e.Message) > maxText+len("…") {
				t.Errorf("%d bytes", len(e.Message))
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("Bearer "+plantedToken, "secret-value")
	f.Add(`{"password":"`, `a"b\c`)
	f.Add("http://u:p@h/?token=", "x y+z%")
	f.Add(`"token":"\`, "aaaaaa")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < shortest || strings.Contains(redacted, secret) || strings.Contains(secret, redacted) {
			return
		}
		got := newSecrets(secret).mask(text + secret + text)
		// What is left of it can only be made of the pieces around what was masked.
		if strings.Contains(got, secret) && !strings.Contains(secret, "R") && !strings.Contains(secret, "D") && !strings.Contains(strings.ReplaceAll(text+"|"+text, secret, redacted), secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	})
}
