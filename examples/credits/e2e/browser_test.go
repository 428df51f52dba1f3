//go:build linux

package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"github.com/streamconn/streamconn/connection"
	"github.com/streamconn/streamconn/examples/credits/ledger"
	"github.com/streamconn/streamconn/examples/credits/web"
	"github.com/streamconn/streamconn/internal/integration/servers"
	"github.com/streamconn/streamconn/secrets"
	"github.com/streamconn/streamconn/supabase"
	"github.com/streamconn/streamconn/supabase/supabasetest"
)

const screenshotsVariable = "CREDITS_SCREENSHOTS"

// connect opens a connection to a project.
func connect(t *testing.T, address, key string) *supabase.Conn {
	t.Helper()
	sb, err := supabase.Open(t.Context(), "credits", supabase.WithURL(address), supabase.WithKey(key), connection.WithSecrets(secrets.Of(nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	return sb
}

// serve starts the app, on a project in memory, and gives its address.
func serve(t *testing.T) string {
	t.Helper()
	srv := supabasetest.NewServer(t, ledger.InMemory()...)
	site := httptest.NewUnstartedServer(nil)
	transport := &http.Transport{}
	address := "http://" + site.Listener.Addr().String()
	site.Config.Handler = web.New(web.Config{
		DB: connect(t, srv.URL, srv.AnonKey), Payments: connect(t, srv.URL, srv.ServiceKey),
		Address: address, Client: &http.Client{Transport: transport}, WebhookSecret: []byte("for tests"),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	site.Start()
	t.Cleanup(site.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return address
}

// browser is a tab of a Chromium that reaches loopback and nothing else, and runs no scripts of pages.
type browser struct {
	*testing.T
	ctx     context.Context //nolint:containedctx // of the tab
	address string

	mu   sync.Mutex
	said []string // by the browser's console
}

func openBrowser(t *testing.T, address string) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		servers.Missing(t, "chromium", "the Debian package chromium has it")
	}
	flags := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
	}
	for _, name := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions",
		"disable-default-apps", "disable-breakpad", "disable-dev-shm-usage", "disable-prompt-on-repost", "no-proxy-server", "hide-scrollbars",
	} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute) // until the cleanup is over
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, flags...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithLogf(t.Logf), chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancel)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the program to end
			t.Logf("chromium: %v", err)
		}
	})
	b := &browser{T: t, ctx: ctx, address: address}
	if err := chromedp.Listen(ctx, func(e any) {
		if said, ok := e.(*log.EventEntryAdded); ok {
			b.mu.Lock()
			b.said = append(b.said, fmt.Sprint(said.Entry.Source, ": ", said.Entry.Text, " ", said.Entry.URL))
			b.mu.Unlock()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

// get runs an action on the page, and fails with what the page shows.
func get[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		page, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		b.Fatalf("%s: %v, at %s:\n%s", what, err, where, page)
	}
	return v
}

// open goes to a path.
func (b *browser) open(path string) {
	b.Helper()
	get(b, "open "+path, chromedp.Navigate(b.address+path))
}

// click clicks what leads to another page, and waits for it.
func (b *browser) click(what chromedp.CSS) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(what, chromedp.NodeVisible)); err != nil {
		b.Fatalf("click %s: %v", what, err)
	}
}

func (b *browser) fill(what chromedp.CSS, text string) {
	b.Helper()
	get(b, "empty "+string(what), chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).value = ""`, what)))
	get(b, "fill "+string(what), chromedp.SendKeys(what, text))
}

// text is what the first node shows; "" if there is none.
func (b *browser) text(what chromedp.CSS) string {
	b.Helper()
	if len(get(b, "find "+string(what), chromedp.Nodes(what, chromedp.AtLeast(0)))) == 0 {
		return ""
	}
	text := get(b, "read "+string(what), chromedp.TextContent(what))
	return strings.Join(strings.Fields(text), " ")
}

// expect fails unless the page shows a balance, and a text in a notice ("" for none).
func (b *browser) expect(credits, notice string) {
	b.Helper()
	if got := b.text("#credits"); got != credits {
		b.Errorf("the balance is %q, want %s", got, credits)
	}
	if got := b.text(".notice"); notice == "" && got != "" || !strings.Contains(got, notice) {
		b.Errorf("the notice is %q, want %q", got, notice)
	}
}

func (b *browser) at(path string) {
	b.Helper()
	if where := get(b, "where", chromedp.Location()); where != b.address+path {
		b.Errorf("the browser is at %s, want %s", where, path)
	}
}

// look takes pictures of the page, and fails if it does not fit into a phone's width.
func (b *browser) look(name string) {
	b.Helper()
	folder := os.Getenv(screenshotsVariable)
	for _, size := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"phone", 390, 844, "light"}, {"small", 320, 640, "light"}, {"phone-dark", 390, 844, "dark"}, {"desktop-dark", 1280, 800, "dark"}, {"desktop", 1280, 800, "light"}} {
		if folder == "" && size.scheme == "dark" {
			continue
		}
		get(b, "size", chromedp.EmulateViewport(size.width, size.height))
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: size.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
			b.Fatal(err)
		}
		wide := get(b, "width", chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
		if wide > size.width {
			b.Errorf("%s is %d pixels wide, on a screen of %d", name, wide, size.width)
		}
		if folder == "" {
			continue
		}
		picture := get(b, "picture", chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(folder, name+"-"+size.name+".png"), picture, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

const poem = `The Analytical Engine weaves algebraical patterns just as the Jacquard loom weaves flowers and leaves.
Many persons imagine that because the business of the engine is to give its results in numerical notation, the nature of
its processes must consequently be arithmetical and numerical, rather than algebraical and analytical. This is an error.
The engine can arrange and combine its numerical quantities exactly as if they were letters or any other general symbols.`

func TestBrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, serve(t))
	b.open("/")
	b.at("/signin")
	b.look("1-signin")
	b.click(`a[href="/signup"]`)
	b.fill("#email", "ada@example.com")
	b.fill("#password", "short")
	b.look("2-signup")
	b.fill("#password", "correct horse")
	b.click("#enter")
	b.at("/")
	b.expect("100", "")
	b.look("3-first")

	// To zero.
	job := func(kind, text string) {
		t.Helper()
		get(b, "choose "+kind, chromedp.Click(chromedp.CSS(`input[value="`+kind+`"]`)))
		b.fill("#text", text)
		b.click("#run")
	}
	job("full", poem)
	b.expect("75", "Full report done. It took 25 credits; you have 75 left.")
	if got := b.text(".topics li:first-child"); !strings.HasPrefix(got, "engine") {
		t.Errorf("the first topic is %q", got)
	}
	b.look("4-report")
	get(b, "reload", chromedp.Reload()) // sends the form again
	b.expect("75", "nothing more was taken")
	for _, left := range []string{"50", "25", "0"} {
		job("full", poem)
		b.expect(left, "you have "+left+" left")
	}
	job("full", poem)
	b.expect("0", "It takes 25, and you have 0. Nothing was charged")
	job("quick", poem)
	b.expect("0", "It takes 10, and you have 0.")
	kept := get(b, "the text", chromedp.Value(chromedp.CSS("#text")))
	if !strings.HasPrefix(kept, "The Analytical Engine") {
		t.Errorf("after the refusal the text is %q", kept)
	}
	b.look("5-refused")

	// More.
	b.click(".short .button")
	b.at("/buy")
	b.look("6-buy")
	b.click("#buy-medium")
	if got := b.text("h1"); got != "Tally asks for $5.00" {
		t.Errorf("the payment provider says %q", got)
	}
	b.look("7-pay")
	b.click("#pay")
	b.at("/?bought")
	b.expect("550", "Thank you")
	b.look("8-bought")
	job("full", poem)
	b.expect("525", "you have 525 left")
	b.open("/")
	b.expect("525", "")
	b.open("/history")
	if got := b.text(".entries li:first-child"); !strings.Contains(got, "Full report −25") || !strings.Contains(got, "525 left") {
		t.Errorf("the newest entry is %q", got)
	}
	b.look("9-history")
	b.click(".who button")
	b.at("/signin")
	b.open("/history")
	b.at("/signin")
	b.fill("#email", "ada@example.com")
	b.fill("#password", "wrong")
	b.click("#enter")
	if got := b.text(".notice"); !strings.Contains(got, "no account with this address and password") {
		t.Errorf("a wrong password: %q", got)
	}
	b.look("10-wrong")
	b.fill("#password", "correct horse")
	b.click("#enter")
	b.expect("525", "")

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, said := range b.said {
		if !strings.Contains(said, "402") && !strings.Contains(said, "422") { // answers that say no
			t.Errorf("the browser complains: %s", said)
		}
	}
}
