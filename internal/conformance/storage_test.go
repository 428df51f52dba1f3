package conformance

import (
	"testing"

	"github.com/streamconn/streamconn/supabase/supabasetest"
)

// The storage cases on the project inside go test.
func TestStorageCases(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]supabasetest.Option{
		"in memory":                     nil,
		"in a folder, as in production": {supabasetest.WithStorageFolder(t.TempDir()), supabasetest.WithSecureUploads()},
		"keys of the new form":          {supabasetest.WithNewKeys()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := supabasetest.NewServer(t, opts...)
			Run(t, Project{
				URL: srv.URL, AnonKey: srv.AnonKey, ServiceKey: srv.ServiceKey, HTTPClient: srv.HTTPClient(),
				Services: []Service{Storage}, Pass: srv.Advance,
			})
		})
	}
}

// A case that passes on a project that knows nothing proves nothing.
func TestStorageCasesCanFail(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404, 501} {
		p := stub(status, "{}")
		for _, k := range storageCases() {
			c := newC(t, &p, "x")
			c.muted = new(muted)
			done := make(chan struct{})
			go func() {
				defer close(done)
				k.Run(c)
			}()
			<-done
			if !c.muted.failed {
				t.Errorf("%s passes where every answer is %d {}", k.Name, status)
			}
		}
	}
}
