package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDemonstration(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out, "127.0.0.1:0", true, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ada@example.com signs up", "100 credits", "you have 75 left", "Nothing was charged", "550 credits  Thank you", "525 credits",
		"bob@example.com signs up", "/history leads to /signin",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestServe(t *testing.T) { // not parallel: it is about the environment
	t.Chdir(t.TempDir())
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"SUPABASE_URL", "SUPABASE_KEY", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "STREAMCONN_SECRETS"} {
		t.Setenv(name, "") // so that it is put back
		os.Unsetenv(name)
	}
	signUp := func(where string) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		from, to := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, to, "127.0.0.1:0", false, false) }()
		said, err := bufio.NewReader(from).ReadString('\n')
		address, rest, _ := strings.Cut(said, " ")
		if err != nil || !strings.Contains(rest, where) {
			t.Fatalf("%q, %v, want %q", said, err, where)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{MaxConnsPerHost: 1}
		defer transport.CloseIdleConnections()
		b := &browser{Client: http.Client{Jar: jar, Transport: transport}, address: address, out: io.Discard}
		if err := b.post(t.Context(), "/signup", "email", "ada@example.com", "password", "correct horse"); err != nil || first(credit, b.page) != "100" {
			t.Errorf("the first page: %v\n%s", err, b.page)
		}
		if err := b.post(t.Context(), "/checkout", "pack", "small"); err != nil {
			t.Error(err)
		}
		if err := b.post(t.Context(), b.path); err != nil || first(credit, b.page) != "300" {
			t.Errorf("after a purchase: %v\n%s", err, b.page)
		}
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	signUp("in memory")

	srv := supabasetest.NewServer(t, ledger.InMemory()...)
	t.Setenv("SUPABASE_URL", srv.URL)
	if err := run(t.Context(), io.Discard, "127.0.0.1:0", false, false); !missing(err, "key") {
		t.Errorf("without a key: %v", err)
	}
	t.Setenv("SUPABASE_KEY", srv.AnonKey)
	t.Setenv("SUPABASE_SECRET_KEY", srv.ServiceKey)
	signUp("on the project of the secrets")
	rows, err := srv.Query(t.Context(), `select credits from accounts`)
	if err != nil || len(rows) != 1 || rows[0]["credits"] != int64(300) {
		t.Errorf("accounts of the project: %v, %v", rows, err)
	}
}

func missing(err error, param string) bool {
	e, ok := errors.AsType[*connection.MissingError](err)
	return ok && e.Param == param
}
