package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// browser is one of the demonstration: it fills in the forms of pages, and keeps cookies.
type browser struct {
	http.Client
	address string
	out     io.Writer
	path    string // of the page that it shows
	page    string
}

func (b *browser) load(req *http.Request) error {
	resp, err := b.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.path, b.page = resp.Request.URL.Path, string(text)
	return err
}

func (b *browser) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.address+path, nil)
	if err != nil {
		return err
	}
	return b.load(req)
}

// post sends a form; fields are names and values.
func (b *browser) post(ctx context.Context, path string, fields ...string) error {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.load(req)
}

var (
	notice = regexp.MustCompile(`(?s)<(?:p|section) class="notice[^>]*>(.*?)</(?:p|section)>`)
	tag    = regexp.MustCompile(`(?s)<[^>]*>`)
	number = regexp.MustCompile(`name="number" value="([^"]*)"`)
	credit = regexp.MustCompile(`id="credits">([^<]*)<`)
)

func first(re *regexp.Regexp, text string) string {
	if found := re.FindStringSubmatch(text); found != nil {
		return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(found[1], " "))), " ")
	}
	return ""
}

// tell prints what the page says.
func (b *browser) tell(what string) {
	fmt.Fprintf(b.out, "%-34s %4s credits  %s\n", what, first(credit, b.page), first(notice, b.page))
}

// demonstrate uses the program as two people with browsers would.
func demonstrate(ctx context.Context, out io.Writer, address string) error {
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	for _, email := range []string{"ada@example.com", "bob@example.com"} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		b := &browser{Client: http.Client{Jar: jar, Transport: transport}, address: address, out: out}
		if err := b.use(ctx, email); err != nil {
			return err
		}
	}
	return nil
}

// use spends all, is refused, buys, and spends again.
func (b *browser) use(ctx context.Context, email string) error {
	if err := b.post(ctx, "/signup", "email", email, "password", "correct horse"); err != nil {
		return err
	}
	b.tell(email + " signs up")
	run := func(what string) error {
		err := b.post(ctx, "/jobs", "number", first(number, b.page), "job", "full", "text", "The Analytical Engine weaves algebraical patterns.")
		b.tell(what)
		return err
	}
	for range 4 {
		if err := run("  runs a full report"); err != nil {
			return err
		}
	}
	if err := run("  runs one more"); err != nil {
		return err
	}
	if err := b.post(ctx, "/checkout", "pack", "medium"); err != nil {
		return err
	}
	if err := b.post(ctx, b.path); err != nil { // the payment provider's page
		return err
	}
	b.tell("  buys a pack, told of twice")
	if err := run("  runs one more"); err != nil {
		return err
	}
	if err := b.post(ctx, "/signout"); err != nil {
		return err
	}
	if err := b.get(ctx, "/history"); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "  signs out, and %s leads to %s\n", "/history", b.path)
	return nil
}
