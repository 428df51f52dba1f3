package connection_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/secrets"
)

const twoSections = `
SOURCE_HOST = "top"
unread = 1
[connections.a]
host = "a1"
unread = 1
ttl = "1h"
[connections.b]
host = "b1"
[connections.c]
`

// After a reload exactly those connections whose values differ are reset and lose their cached reads.
func TestChangedSecretsResetExactlyThoseWhoReadThem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		edit    func(string) string
		a, b, c bool // who is reset
	}{
		{"nothing", func(s string) string { return s + "# a comment\n" }, false, false, false},
		{"a's host", func(s string) string { return strings.Replace(s, "a1", "a2", 1) }, true, false, false},
		{"b's host", func(s string) string { return strings.Replace(s, "b1", "b2", 1) }, false, true, false},
		{"both", func(s string) string { return strings.NewReplacer("a1", "a2", "b1", "b2").Replace(s) }, true, true, false},
		{"a key that nobody reads", func(s string) string { return strings.ReplaceAll(s, "unread = 1", "unread = 2") }, false, false, false},
		{"the top level, which only c comes to", func(s string) string { return strings.Replace(s, `"top"`, `"pot"`, 1) }, false, false, true},
		{"a key that hides the top level", func(s string) string { return s + "host = 'c1'\n" }, false, false, true},
		{"the same value from another place", func(s string) string { return s + "host = 'top'\n" }, false, false, false},
		{"a's host goes away", func(s string) string { return strings.Replace(s, `host = "a1"`, "", 1) }, true, false, false},
		{"a's TTL", func(s string) string { return strings.Replace(s, "1h", "2h", 1) }, true, false, false},
		{"b's type", func(s string) string { return strings.Replace(s, `"b1"`, "'b1'\ntype = 'other'", 1) }, false, true, false},
		{"a new section", func(s string) string { return s + "[connections.d]\nhost = 'd'\n" }, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFile(t, twoSections)
			store := f.load()
			src := new(source)
			r := &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}
			want := []bool{test.a, test.b, test.c}
			var all []connection.Connection[*client]
			var clients []*client
			loads := make([]int, len(want))
			for i, name := range []string{"a", "b", "c"} {
				all = append(all, open(t, r, name, src.connect))
				clients = append(clients, raw(t, all[i]))
				read(t, all[i], "k", &loads[i])
			}
			f.write(test.edit(twoSections))
			refresh(t, store)
			for i, c := range all {
				s := connection.Stats(c)
				if (s.Resets == 1) != want[i] || s.Connected == want[i] || clients[i].closed.Load() != want[i] {
					t.Errorf("%s: %+v, closed %t; want a reset: %t", c.Name(), s, clients[i].closed.Load(), want[i])
				}
				read(t, c, "k", &loads[i])
				if (loads[i] == 2) != want[i] {
					t.Errorf("%s: %d loads; want a reset: %t", c.Name(), loads[i], want[i])
				}
			}
		})
	}
}

// While Watch runs, an edit takes effect by itself.
func TestWatchedSecrets(t *testing.T) {
	t.Parallel()
	f := newFile(t, twoSections)
	store := f.load(secrets.WithLogger(quiet))
	src := new(source)
	c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "a", src.connect)
	loads := 0
	read(t, c, "k", &loads)

	changed := make(chan struct{}, 1)
	t.Cleanup(store.OnChange(func() { changed <- struct{}{} })) // after the connection's own
	ctx, cancel := context.WithCancel(t.Context())
	watching := make(chan error)
	go func() { watching <- store.Watch(ctx) }()
	f.write(strings.Replace(twoSections, "a1", "a2", 1))
	<-changed
	if host := read(t, c, "k", &loads); host != "a2" || loads != 2 {
		t.Errorf("read %q in %d loads", host, loads)
	}
	cancel()
	wantErrorIs(t, <-watching, context.Canceled)
}

// Without Watch each connect reads a file again that has changed.
func TestResetReadsChangedFilesAgain(t *testing.T) {
	t.Parallel()
	f := newFile(t, twoSections)
	src := new(source)
	c := open(t, &connection.Registry{Secrets: f.load(), Environ: environ(), Logger: quiet}, "a", src.connect)
	loads := 0
	read(t, c, "k", &loads)
	f.write(strings.Replace(twoSections, "a1", "rotated", 1))
	if host := raw(t, c).host; host != "a1" {
		t.Errorf("host %q: nobody has asked for a new one", host)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if host := raw(t, c).host; host != "rotated" {
		t.Errorf("host %q after a Reset", host)
	}
	if host := read(t, c, "k", &loads); host != "rotated" || loads != 2 {
		t.Errorf("read %q in %d loads: what was read with other parameters", host, loads)
	}
}

// A Reset that leads to the same parameters costs no cached read; the environment counts as well.
func TestResetKeepsReadsWhileParametersStay(t *testing.T) {
	t.Parallel()
	host := "h1"
	r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(name string) (string, bool) { return host, name == "SOURCE_HOST" }}
	src := new(source)
	c := open(t, r, "x", src.connect)
	loads := 0
	for _, step := range []struct {
		host  string
		loads int
	}{{"h1", 1}, {"h1", 1}, {"h2", 2}, {"h2", 2}, {"h1", 3}} {
		host = step.host
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c, "k", &loads); got != step.host || loads != step.loads {
			t.Errorf("read %q in %d loads, want %q in %d", got, loads, step.host, step.loads)
		}
	}
}

// A malformed edit is reported and changes nothing: neither the clients, nor what the next
// connect reads.
func TestDefect05_MalformedEditKeepsTheLastGoodValues(t *testing.T) {
	t.Parallel()
	f := newFile(t, twoSections)
	store := f.load()
	src := new(source)
	c := open(t, &connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}, "a", src.connect)
	first := raw(t, c)
	loads := 0
	read(t, c, "k", &loads)
	f.write("[connections.a]\nhost = hunter2 hunter2\n")
	if err := store.Refresh(); err == nil {
		t.Error("Refresh did not report the edit")
	}
	if raw(t, c) != first {
		t.Error("a malformed edit reset the connection")
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if host := raw(t, c).host; host != "a1" {
		t.Errorf("host %q, want the last good one", host)
	}
	if read(t, c, "k", &loads); loads != 1 {
		t.Errorf("%d loads", loads)
	}

	// If that does not work either, the error tells of the file.
	src.dial = func(context.Context, *connection.Params) error { return errors.New("refused") }
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Raw(t.Context())
	wantErrorText(t, err, "refused", f.path, ":2:")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the text: %v", err)
	}

	src.dial = nil
	f.write(strings.Replace(twoSections, "a1", "mended", 1))
	if host := raw(t, c).host; host != "mended" {
		t.Errorf("host %q", host)
	}
}

// A malformed file is never "no secrets", let alone a missing parameter.
func TestDefect21_MalformedSecretsAreToldAsSuch(t *testing.T) {
	homeless(t)
	f := file{t, "secrets.toml"}
	f.write("[connections.x\nhost = 'hunter2'\n")
	t.Setenv("STREAMCONN_SECRETS", f.path)
	r := &connection.Registry{Logger: quiet, Environ: environ()}
	connect := func(_ context.Context, p *connection.Params) (*client, error) {
		_, err := p.String("host")
		return &client{of: new(source)}, err
	}
	connection.Register(r, "x", connect)
	for range 2 {
		_, err := connection.Get[*client](t.Context(), r, "x")
		if _, ok := errors.AsType[*secrets.ParseError](err); !ok {
			t.Fatalf("got %v, want a ParseError", err)
		}
		wantErrorText(t, err, `connection "x": open: `, "secrets.toml:1:")
		if _, ok := errors.AsType[*connection.MissingError](err); ok || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
	f.write("[connections.x]\nhost = 'h'\n") // mending the file mends the program
	if _, err := connection.Get[*client](t.Context(), r, "x"); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Nothing is written to the environment of the process, where Streamlit puts the top level
// of the secrets.
func TestDefect16_NothingIsWrittenToTheEnvironment(t *testing.T) {
	t.Parallel()
	r := &connection.Registry{Secrets: secrets.Of(map[string]any{"CONNECTION_TEST_PORT": 5432}), Logger: quiet}
	err := asked(t, r, "x", nil, func(p *connection.Params) error {
		if n, err := p.Int("port", "CONNECTION_TEST_PORT"); n != 5432 || err != nil {
			t.Errorf("port = %d, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The same registry asks the environment for what the secrets do not have.
	r.Secrets = secrets.Of(nil)
	err = asked(t, r, "x", nil, func(p *connection.Params) error {
		if v, _, ok := p.Lookup("port", "CONNECTION_TEST_PORT"); ok {
			t.Errorf("the secret was exported: %v", v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What changes while the factory is at work is not lost: the next use connects again. The top level is
// looked up key by key, and must not be taken for what the factory has seen.
func TestSecretsThatChangeDuringADial(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "c"} { // from the section, from the top level
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFile(t, twoSections)
			store := f.load()
			src := new(source)
			started, gate := make(chan struct{}), make(chan struct{})
			src.dial = func(context.Context, *connection.Params) error {
				if src.connects.Load() == 1 {
					close(started)
					<-gate
				}
				return nil
			}
			var c connection.Connection[*client]
			opened := make(chan error)
			go func() {
				var err error
				c, err = connection.Open(t.Context(), name, src.connect, connection.In(&connection.Registry{Secrets: store, Environ: environ(), Logger: quiet}))
				opened <- err
			}()
			<-started
			f.write(strings.NewReplacer("a1", "changed", `"top"`, `"changed"`).Replace(twoSections))
			refresh(t, store)
			close(gate)
			if err := <-opened; err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if host := raw(t, c).host; host != "changed" {
				t.Errorf("host %q: the change was lost", host)
			}
			if e := connection.Explain(c); e.Params[len(e.Params)-1].Name != "host" {
				t.Errorf("%+v", e)
			}
			if n := src.connects.Load(); n != 2 {
				t.Errorf("%d connects", n)
			}
		})
	}
}

// An overtaken connect, with older parameters, does not undo what a newer one has found.
func TestOldDialDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		host := "h1"
		r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(name string) (string, bool) { return host, name == "SOURCE_HOST" }}
		src := new(source)
		c := open(t, r, "x", src.connect)
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		gated, gate := gated()
		src.dial = gated.dial
		leader := ask(context.Background(), c, 1)
		src.dial = nil
		host = "h2"
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		loads := 0
		newest := raw(t, c)
		if read(t, c, "k", &loads) != "h2" {
			t.Error("not the new parameters")
		}
		close(gate)
		if a := <-leader; a.err != nil || a.client.host != "h1" {
			t.Errorf("%+v", a)
		}
		if read(t, c, "k", &loads); loads != 1 || raw(t, c) != newest {
			t.Errorf("%d loads, the same client %t", loads, raw(t, c) == newest)
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
		if read(t, c, "k", &loads); loads != 1 {
			t.Error("a Reset with the same parameters lost a read")
		}
	})
}

// A closed connection hears of no change.
func TestClosedConnectionUnsubscribes(t *testing.T) {
	t.Parallel()
	f := newFile(t, twoSections)
	store := f.load()
	looked := 0
	r := &connection.Registry{Secrets: store, Logger: quiet, Environ: func(string) (string, bool) { looked++; return "", false }}
	ask := func(_ context.Context, p *connection.Params) (*client, error) {
		_, _, _ = p.Lookup("v", "NOWHERE")
		return &client{of: new(source)}, nil
	}
	closed, failed := open(t, r, "a", ask), connection.Factory[*client](func(ctx context.Context, p *connection.Params) (*client, error) {
		_, _ = ask(ctx, p)
		return nil, errors.New("no")
	})
	if _, err := connection.Open(t.Context(), "a", failed, connection.In(r)); err == nil {
		t.Fatal("opened")
	}
	change := func(to string) int {
		looked = 0
		f.write(strings.Replace(twoSections, "a1", to, 1))
		refresh(t, store)
		return looked
	}
	if n := change("a2"); n != 1 {
		t.Errorf("parameters looked up by %d connections, want by the one that is open", n)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if n := change("a3"); n != 0 {
		t.Errorf("parameters looked up by %d connections after Close", n)
	}
}

// One connect sees one value of a parameter, however often it asks and whatever changes meanwhile.
func TestOneConnectSeesOneValue(t *testing.T) {
	t.Parallel()
	asked := 0
	r := &connection.Registry{Secrets: secrets.Of(nil), Logger: quiet, Environ: func(string) (string, bool) {
		asked++
		return strings.Repeat("x", asked), true
	}}
	c := open(t, r, "x", func(_ context.Context, p *connection.Params) (*client, error) {
		first, err := p.String("v", "VAR")
		if err != nil {
			return nil, err
		}
		if second, err := p.String("v", "VAR"); second != first || err != nil {
			t.Errorf("saw %q, then %q, %v", first, second, err)
		}
		return &client{of: new(source)}, nil
	})
	raw(t, c)
}
