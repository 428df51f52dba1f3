package conformance

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Report counts what became of the cases.
type Report struct {
	Passed, Failed int
	NotImplemented int // answered by 501, as the project says
	Left           int // left out, because the project has a feature off
}

// String is the report on one line.
func (r Report) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d not implemented, %d left out", r.Passed, r.Failed, r.NotImplemented, r.Left)
}

// Run tries all cases of the project's services, each as a subtest of t, one after the other. What
// it reports is also logged.
func Run(t *testing.T, p Project) Report {
	t.Helper()
	return run(t, p, Cases())
}

func run(t *testing.T, p Project, cases []Case) Report {
	t.Helper()
	if err := p.check(); err != nil {
		t.Fatal(err)
	}
	if p.HTTPClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		t.Cleanup(transport.CloseIdleConnections)
		p.HTTPClient = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	id := strings.ToLower(rand.Text()[:10])
	var report Report
	missing := map[Feature]int{}
	for i, k := range cases {
		if !p.offers(k.Service()) {
			continue
		}
		var absent []Feature
		for _, f := range k.Needs {
			switch p.Unsupported[f] {
			case Off:
				missing[f]++
			case NotImplemented:
				missing[f]++
				absent = append(absent, f)
			}
		}
		if slices.ContainsFunc(k.Needs, func(f Feature) bool { return p.Unsupported[f] == Off }) {
			report.Left++
			continue
		}
		ok := t.Run(k.Name, func(t *testing.T) {
			c := newC(t, &p, fmt.Sprintf("%s%03d", id, i))
			if len(absent) == 0 {
				k.Run(c)
			} else if err := refused(c, k.Run, absent); err != nil {
				t.Error(err)
			}
		})
		switch {
		case !ok:
			report.Failed++
		case len(absent) > 0:
			report.NotImplemented++
		default:
			report.Passed++
		}
	}
	t.Logf("conformance: %s", report)
	for _, f := range slices.Sorted(maps.Keys(missing)) {
		t.Logf("conformance: without %s: %d cases", f, missing[f])
	}
	return report
}

// refused runs a case of a project without the features. The case is to meet an answer of status 501
// that names one of them, and nothing is to be wrong before that.
func refused(c *C, try func(*C), absent []Feature) error {
	c.muted = new(muted)
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine
		defer close(done)
		try(c)
	}()
	<-done
	told := c.seen.told(absent)
	c.muted.mu.Lock()
	defer c.muted.mu.Unlock()
	switch {
	case c.muted.before != "":
		return fmt.Errorf("something is wrong before the project says that it has no %s: %s", join(absent), c.muted.before)
	case told:
		return nil
	case c.muted.failed:
		return fmt.Errorf("no answer of status 501 names %s: %s", join(absent), c.muted.last)
	}
	return fmt.Errorf("the case passes: the project has %s, and is not to say otherwise", join(absent))
}

func join(features []Feature) string {
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// muted is what a case says that is expected to fail.
type muted struct {
	mu     sync.Mutex
	failed bool
	before string // the first complaint before a 501
	last   string
}

// C is what a case works with: a test, and the project as its users see it.
type C struct {
	testing.TB
	p     *Project
	id    string // of this case in this run
	names int
	seen  *recorder
	http  *http.Client
	muted *muted
}

func newC(t *testing.T, p *Project, id string) *C {
	t.Helper()
	c := &C{TB: t, p: p, id: id, seen: &recorder{next: p.HTTPClient.Transport}}
	if c.seen.next == nil {
		c.seen.next = http.DefaultTransport
	}
	client := *p.HTTPClient
	client.Transport = c.seen
	c.http = &client
	return c
}

// Error is that of the test, as are the other methods that make it fail.
func (c *C) Error(args ...any) { c.Helper(); c.fail(fmt.Sprintln(args...), false) }

// Errorf is Error with a format.
func (c *C) Errorf(format string, args ...any) {
	c.Helper()
	c.fail(fmt.Sprintf(format, args...), false)
}

// Fatal ends the case.
func (c *C) Fatal(args ...any) { c.Helper(); c.fail(fmt.Sprintln(args...), true) }

// Fatalf is Fatal with a format.
func (c *C) Fatalf(format string, args ...any) {
	c.Helper()
	c.fail(fmt.Sprintf(format, args...), true)
}

// Fail is Error without a text.
func (c *C) Fail() { c.Helper(); c.fail("failed", false) }

// FailNow is Fatal without a text.
func (c *C) FailNow() { c.Helper(); c.fail("failed", true) }

func (c *C) fail(text string, now bool) {
	c.Helper()
	if c.muted == nil {
		c.TB.Error(strings.TrimSuffix(text, "\n"))
		if now {
			c.TB.FailNow()
		}
		return
	}
	c.muted.mu.Lock()
	c.muted.failed, c.muted.last = true, text
	if !c.seen.any501() && c.muted.before == "" {
		c.muted.before = text
	}
	c.muted.mu.Unlock()
	if now {
		runtime.Goexit()
	}
}

// recorder is a transport that remembers answers of status 501.
type recorder struct {
	next http.RoundTripper

	mu     sync.Mutex
	bodies []string
}

// RoundTrip sends the request.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusNotImplemented {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.bodies = append(r.bodies, string(body)+" "+resp.Header.Get("Proxy-Status"))
	r.mu.Unlock()
	return resp, nil
}

func (r *recorder) any501() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies) > 0
}

// told reports whether an answer of status 501 named one of the features.
func (r *recorder) told(features []Feature) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.bodies, func(body string) bool {
		return slices.ContainsFunc(features, func(f Feature) bool { return strings.Contains(body, string(f)) })
	})
}
