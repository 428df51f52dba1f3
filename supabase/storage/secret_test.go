package storage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/streamconn/streamconn/internal/rest"
	"github.com/streamconn/streamconn/supabase/storage"
)

const userToken = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.planted-signature-of-the-user"

// planted are the secrets that no text may hold.
var planted = []string{"c2lnbmF0dXJl", "planted-signed-token", "planted-signature-of-the-user", "planted-header"}

func leaks(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range planted {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %s: %s", what, secret, text)
		}
	}
}

// formatted is v as it may get into a log.
func formatted(v any) string {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	return fmt.Sprintf("%v %+v %#v %s %q ", v, v, v, v, v) + b.String()
}

// Servers repeat what they are sent, and answer what nobody asked for; networks fail anywhere.
func TestNoErrorAndNoLogHoldsASecret(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	var mu sync.Mutex
	var fail func(w http.ResponseWriter, r *http.Request)
	s, _ := newServer(t, "b")
	s.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		fail(w, r)
		return true
	}
	st, err := storage.New(s.URL, storage.WithKey(anonKey), storage.WithRetry(storage.Retry{Disabled: true}),
		storage.WithToken(func(context.Context) (string, error) { return userToken, nil }), storage.WithHeader(http.Header{"X-Api-Key": {"planted-header"}}),
		storage.WithLogger(slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	echo := func(r *http.Request) string {
		return r.RequestURI + " " + r.Header.Get("Authorization") + r.Header.Get("Apikey") + " " + r.Header.Get("X-Signature") + r.Header.Get("X-Api-Key")
	}
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request){
		"repeated":     func(w http.ResponseWriter, r *http.Request) { refuse(w, 403, "AccessDenied", "denied: "+echo(r)) },
		"no JSON":      func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(r), http.StatusBadGateway) },
		"not expected": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `"`+token+`"`) },
		"nothing":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/?token="+token, http.StatusTemporaryRedirect)
		},
	} {
		mu.Lock()
		fail = f
		mu.Unlock()
		ctx, stop := context.WithCancel(t.Context())
		for call, run := range map[string]func() error{
			"upload":   func() error { return second(st.Upload(ctx, "b", "x", data())) },
			"download": func() error { return second(st.Info(ctx, "b", "x")) },
			"list":     func() error { return second(st.ListObjects(ctx, "b", "")) },
			"sign":     func() error { return second(st.CreateSignedURL(ctx, "b", "x", 60e9)) },
			"sign all": func() error { return second(st.CreateSignedURLs(ctx, "b", []string{"x"}, 60e9)) },
			"up":       func() error { return second(st.CreateSignedUploadURL(ctx, "b", "x")) },
			"signed":   func() error { return second(st.UploadToSignedURL(ctx, "b", "x", token, data())) },
			"file":     func() error { return second(st.FS(ctx, "b").Open("x")) },
			"resumable": func() error {
				if name == "nothing" || name == "no JSON" {
					return errors.New("these are tried again")
				}
				return second(st.UploadResumable(ctx, "b", "x", data(), &storage.UploadOptions{SignedToken: token}))
			},
		} {
			err := run()
			if err == nil {
				t.Errorf("%s, %s: no error", name, call)
				continue
			}
			leaks(t, name+", "+call, err.Error()+formatted(err))
			for ; err != nil; err = errors.Unwrap(err) {
				leaks(t, name+", "+call, formatted(err))
			}
		}
		stop()
	}
	leaks(t, "the log", logs.String())
	if !strings.Contains(logs.String(), "/object/upload/sign/b/x") {
		t.Error("nothing was logged")
	}
	leaks(t, "the client", formatted(st)+formatted(*st))
}

func TestNoValuePrintsASecret(t *testing.T) {
	t.Parallel()
	s, st := newServer(t, "b")
	s.put("b", "x", "a/b", "data")
	signed, err := st.CreateSignedURLs(t.Context(), "b", []string{"x"}, 60e9)
	if err != nil || !strings.Contains(signed[0].URL, token) {
		t.Fatal(err)
	}
	up, err := st.CreateSignedUploadURL(t.Context(), "b", "x")
	if err != nil {
		t.Fatal(err)
	}
	o := storage.UploadOptions{SignedToken: token, Headers: http.Header{"Authorization": {"Bearer " + userToken}}}
	for _, v := range []any{signed, signed[0], &signed[0], up, &up, o, &o, st, st.FS(t.Context(), "b")} {
		leaks(t, fmt.Sprintf("%T", v), fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v))
	}
	for _, v := range []any{signed[0], up, o, &o, st} {
		leaks(t, fmt.Sprintf("%T", v), formatted(v))
	}
	for _, v := range []any{signed, signed[0], up, o, st} {
		var l bytes.Buffer
		slog.New(slog.NewJSONHandler(&l, nil)).Info("x", "v", v)
		leaks(t, fmt.Sprintf("%T in a log", v), l.String())
	}
	// They are made to be handed out.
	if text, err := json.Marshal(up); err != nil || !strings.Contains(string(text), token) {
		t.Error(string(text), err)
	}
	r, err := st.NewReader(t.Context(), "b", "x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	leaks(t, "a reader", fmt.Sprintf("%v %+v %#v", r, r, r))
}

// lent is a sender that is no *rest.Client, as a connection's is.
type lent struct{ rest.Sender }

func TestATokenOverSomebodyElsesSender(t *testing.T) {
	t.Parallel()
	var got []string
	s, _ := newServer(t, "b")
	s.refuse = func(_ http.ResponseWriter, r *http.Request) bool {
		got = append(got, r.Header.Get("Authorization"))
		return false
	}
	c, err := rest.New(rest.Config{BaseURL: s.URL, APIKey: anonKey})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st := storage.Over(lent{c})
	give := userToken
	mine := st.WithToken(func(context.Context) (string, error) { return give, nil })
	if _, err := mine.Upload(t.Context(), "b", "x", data()); err != nil {
		t.Error(err)
	}
	if _, err := mine.Download(t.Context(), "b", "x"); err != nil {
		t.Error(err)
	}
	if _, err := mine.UploadToSignedURL(t.Context(), "b", "y", token, data()); err != nil {
		t.Error(err)
	}
	if _, err := st.Info(t.Context(), "b", "x"); err != nil {
		t.Error(err)
	}
	for _, give = range []string{"", "sb_secret_x"} {
		if _, err := mine.Info(t.Context(), "b", "x"); !errors.Is(err, storage.ErrNoToken) || strings.Contains(err.Error(), "sb_secret_x") {
			t.Error(err)
		}
	}
	want := []string{"Bearer " + userToken, "Bearer " + userToken, "", "Bearer " + anonKey}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d requests, with other bearers than they should have", len(got))
	}
	leaks(t, "the client", formatted(mine)+formatted(*mine))
}
