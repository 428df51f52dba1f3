package conformance

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The suite on a real project, with the tables of Schema and Extra.
func TestProject(t *testing.T) {
	p := Project{
		URL:        os.Getenv("SUPABASE_TEST_URL"),
		AnonKey:    os.Getenv("SUPABASE_TEST_ANON_KEY"),
		ServiceKey: os.Getenv("SUPABASE_TEST_SERVICE_KEY"),
		// What a hosted project does not have unless it is asked for.
		Unsupported: map[Feature]Absence{Plans: Off, Aggregates: Off, Rollbacks: Off, OtherSchemas: Off, WritesOfAll: Off, Mails: Off},
	}
	if p.URL == "" {
		t.Skip("no project: SUPABASE_TEST_URL, SUPABASE_TEST_ANON_KEY and SUPABASE_TEST_SERVICE_KEY name one")
	}
	for f := range strings.SplitSeq(os.Getenv("SUPABASE_TEST_FEATURES"), ",") {
		delete(p.Unsupported, Feature(strings.TrimSpace(f)))
	}
	Run(t, p)
}

func TestNamesOfCases(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(rest|auth|storage)/[a-z0-9 -]+/[^/#]+$`)
	seen := map[string]bool{}
	last := -1
	for _, k := range Cases() {
		if !form.MatchString(k.Name) || seen[k.Name] {
			t.Errorf("case %q: a name is service/subject/what, and there is one of it", k.Name)
		}
		seen[k.Name] = true
		at := slices.Index(services(), k.Service())
		if at < last {
			t.Errorf("case %q stands after those of another service", k.Name)
		}
		last = at
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// stub is a project that always answers the same.
func stub(status int, body string) Project {
	return Project{
		URL: "http://project.test", AnonKey: "a", ServiceKey: "s",
		HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		})},
	}
}

func TestFeaturesThatAreAbsent(t *testing.T) {
	t.Parallel()
	asks := func(c *C) {
		if a := c.raw("GET", "/t", ""); a.status != 200 {
			c.Fatalf("status %d", a.status)
		}
	}
	for _, test := range []struct {
		name   string
		status int
		body   string
		run    func(c *C)
		want   string // part of what is wrong; "" if nothing is
	}{
		{"501 with the name", 501, `{"message":"plans are not implemented"}`, asks, ""},
		{"501 and the case does not mind", 501, `{"message":"plans"}`, func(c *C) { c.raw("GET", "/t", "") }, ""},
		{"501 without the name", 501, `{"message":"no"}`, asks, "no answer of status 501 names plans"},
		{"another error", 400, `{"message":"plans"}`, asks, "something is wrong before"},
		{"it works", 200, `[]`, asks, "the case passes"},
		{"a wrong answer", 200, `[]`, func(c *C) { asks(c); c.Errorf("a wrong answer") }, "something is wrong before"},
		{"a wrong answer first", 501, `plans`, func(c *C) { c.Errorf("a wrong answer"); asks(c) }, "something is wrong before"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := stub(test.status, test.body)
			err := refused(newC(t, &p, "1"), test.run, []Feature{Plans})
			if got := ""; err != nil {
				got = err.Error()
				if test.want == "" || !strings.Contains(got, test.want) {
					t.Errorf("%q, want %q", got, test.want)
				}
			} else if test.want != "" {
				t.Errorf("nothing is wrong, want %q", test.want)
			}
		})
	}
}

func TestReport(t *testing.T) { //nolint:tparallel // cases are run one after the other
	t.Parallel()
	p := stub(501, "geojson")
	p.Services = []Service{Rest}
	p.Unsupported = map[Feature]Absence{Plans: Off, GeoJSON: NotImplemented}
	var ran []string
	note := func(c *C) { ran = append(ran, c.TB.Name()); c.raw("GET", "/t", "") }
	got := run(t, p, []Case{
		{Name: "rest/a/plain", Run: note},
		{Name: "rest/a/off", Needs: []Feature{Plans, GeoJSON}, Run: note},
		{Name: "rest/a/refused", Needs: []Feature{GeoJSON}, Run: note},
		{Name: "auth/a/not there", Run: note},
	})
	if want := (Report{Passed: 1, NotImplemented: 1, Left: 1}); got != want {
		t.Errorf("report %s, want %s", got, want)
	}
	if len(ran) != 2 {
		t.Errorf("ran %q", ran)
	}
}

func TestProjectsThatCannotBeTested(t *testing.T) {
	t.Parallel()
	for _, p := range []Project{{}, {URL: "u"}, {URL: "u", AnonKey: "a"}, {URL: "u", AnonKey: "a", ServiceKey: "s", Services: []Service{"mail"}}} {
		if p.check() == nil {
			t.Errorf("%+v is no error", p)
		}
	}
}
