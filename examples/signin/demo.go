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

// browser is one of the demonstration: an HTTP client with cookies of its own.
type browser struct {
	http.Client
	address string
}

func newBrowser(address string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	return &browser{http.Client{Jar: jar}, address}, err
}

// answer is the page to which a request has led.
type answer struct {
	status int
	path   string
	body   string
}

func (b *browser) do(ctx context.Context, method, path string, form url.Values, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Request.URL.Path, string(body)}, err
}

func (b *browser) get(ctx context.Context, path string) (answer, error) {
	return b.do(ctx, http.MethodGet, path, nil)
}

func (b *browser) post(ctx context.Context, path string, form url.Values, header ...string) (answer, error) {
	if form == nil {
		form = url.Values{}
	}
	return b.do(ctx, http.MethodPost, path, form, header...)
}

// cookies is what the browser sends.
func (b *browser) cookies() string {
	u, err := url.Parse(b.address)
	if err != nil {
		return ""
	}
	var list []string
	for _, c := range b.Jar.Cookies(u) {
		list = append(list, c.String())
	}
	return strings.Join(list, "; ")
}

var shownNote = regexp.MustCompile(`<span class="body">(.*?)</span>`)

// notes is what the page shows.
func (a answer) notes() []string {
	list := []string{}
	for _, found := range shownNote.FindAllStringSubmatch(a.body, -1) {
		list = append(list, html.UnescapeString(found[1]))
	}
	return list
}

// demonstrate uses the program as two people with browsers would.
func demonstrate(ctx context.Context, out io.Writer, address string) error {
	var ada, bob *browser
	for _, who := range []struct {
		browser **browser
		email   string
		notes   []string
	}{
		{&ada, "ada@example.com", []string{"Write to Charles", "Bernoulli numbers"}},
		{&bob, "bob@example.com", []string{"Feed the cat"}},
	} {
		b, err := newBrowser(address)
		if err != nil {
			return err
		}
		*who.browser = b
		if _, err := b.post(ctx, "/signup", url.Values{"email": {who.email}, "password": {"correct horse"}}); err != nil {
			return err
		}
		first := b.cookies()
		for _, text := range who.notes {
			if _, err := b.post(ctx, "/notes", url.Values{"body": {text}}); err != nil {
				return err
			}
		}
		page, err := b.get(ctx, "/")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s signs up, writes, and sees %q\n", who.email, page.notes())
		if b.cookies() != first {
			fmt.Fprintf(out, "  on the way the session was renewed, and the browser has the new one\n")
		}
	}

	refused, err := bob.post(ctx, "/notes", url.Values{"body": {"spam"}}, "Sec-Fetch-Site", "cross-site")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A form on another site that posts as Bob: %d\n", refused.status)

	kept := ada.cookies()
	if _, err := ada.post(ctx, "/signout", nil); err != nil {
		return err
	}
	thief, err := newBrowser(address)
	if err != nil {
		return err
	}
	page, err := thief.do(ctx, http.MethodGet, "/", nil, "Cookie", kept)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Ada signs out. Whoever has kept her cookie is led to %s\n", page.path)
	if page, err = bob.get(ctx, "/"); err != nil {
		return err
	}
	fmt.Fprintf(out, "Bob still sees %q\n", page.notes())
	return nil
}
