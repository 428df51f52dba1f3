package conformance

import (
	"testing"

	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// The auth cases on the project inside go test, as it is configured in each of the ways that the
// cases tell apart.
func TestAuthCases(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]supabasetest.Option{
		"nobody confirms":      nil,
		"everybody confirms":   {supabasetest.WithAuth(supabasetest.ConfirmEmail(), supabasetest.NoAnonymous())},
		"a key pair":           {supabasetest.WithES256(), supabasetest.WithAuth(supabasetest.SingleEmailChange())},
		"keys of the new form": {supabasetest.WithNewKeys()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := supabasetest.NewServer(t, opts...)
			Run(t, Project{
				URL: srv.URL, AnonKey: srv.AnonKey, ServiceKey: srv.ServiceKey, HTTPClient: srv.HTTPClient(),
				Services: []Service{Auth}, Pass: srv.Advance,
			})
		})
	}
}

// A case that passes on a project that knows nothing proves nothing.
func TestAuthCasesCanFail(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404, 501} {
		p := stub(status, "{}")
		for _, k := range authCases() {
			c := newC(t, &p, "x")
			c.muted = new(muted)
			done := make(chan struct{})
			go func() {
				defer close(done)
				k.Run(c)
			}()
			<-done
			if !c.muted.failed && !(status == 200 && k.Name == "auth/admin/sso providers") { // without SAML there is nothing to try
				t.Errorf("%s passes where every answer is %d {}", k.Name, status)
			}
		}
	}
}
